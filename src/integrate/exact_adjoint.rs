//! The gradient of a log-density whose map is inverted exactly.
//!
//! With the solved starts x_k of the steps, x_{k+1} = Phi_k(x_k), and the steps' log-determinants q_k(x_k) by
//! quadrature, the log-density of the end point is L_n, where
//!
//! ```text
//! L_0(x_0) = log rho(x_0),      L_{k+1}(x_{k+1}) = L_k(x_k) - q_k(x_k).
//! ```
//!
//! By the inverse function theorem grad L_{k+1} = (DPhi_k)^-T (grad L_k - grad q_k): one transposed linear system a
//! step, on the subspace of zero centre of mass.

use super::helmert;
use super::rk4::{AdjointScratch, Cotangents, Grid, StageTranspose, adjoint_step};
use super::tangent::{StageTangent, TangentScratch};
use crate::error::Missing;
use crate::field::Shape;
use crate::lanes::{Lanes, check, copy, part_mut, split};

/// Scratch of [`gradient`] for a tile of groups.
#[derive(Debug)]
pub struct GradientScratch<'a, V> {
    shape: Shape,
    tangent: TangentScratch<'a, V>,
    adjoint: AdjointScratch<'a, V>,
    /// End of the step, then gradient of its log-determinant; `[tile][N][D]`.
    vectors: &'a mut [V],
    /// The cotangent of every step's log-determinant, `[tile]`.
    ones: &'a mut [V],
}

impl<'a, V: Lanes> GradientScratch<'a, V> {
    /// Vectors that [`GradientScratch::carve`] takes; saturates.
    pub const fn extent(shape: Shape, tile: usize) -> usize {
        let own = AdjointScratch::<V>::extent(tile, shape.coordinates()) + tile * (shape.coordinates() + 1);
        TangentScratch::<V>::extent(shape, tile).saturating_add(own)
    }

    /// Takes the scratch from the front of `memory` and returns the rest.
    ///
    /// # Errors
    /// Where `memory` has less than the extent.
    pub fn carve(shape: Shape, tile: usize, memory: &'a mut [V]) -> Result<(Self, &'a mut [V]), Missing> {
        let (tangent, memory) = TangentScratch::carve(shape, tile, memory)?;
        let (adjoint, memory) = AdjointScratch::carve(tile, shape.coordinates(), memory)?;
        let (vectors, memory) = split(memory, tile * shape.coordinates())?;
        let (ones, memory) = split(memory, tile)?;
        Ok((GradientScratch { shape, tangent, adjoint, vectors, ones }, memory))
    }
}

/// Takes `gradient` (`[tile][N][D]`, as large as the scratch), grad log rho at the solved latent configurations, to that of the log-density at
/// the end point. `starts(k)` are the tile's solved starts of step k.
///
/// # Errors
/// Those of `field` and `starts`, and where lengths do not fit together.
pub fn gradient<'s, V: Lanes>(
    field: &mut (impl StageTangent<V> + StageTranspose<V>),
    grid: Grid<'_, V::Real>,
    starts: impl Fn(usize) -> Result<&'s [V], Missing>,
    gradient: &mut [V],
    scratch: &mut GradientScratch<'_, V>,
) -> Result<(), Missing> {
    let GradientScratch { shape, tangent, adjoint, vectors, ones } = scratch;
    let (c, k) = (shape.coordinates(), shape.free_dimension());
    ones.fill(V::constant(1.0));
    for number in 0..grid.steps() {
        let (step, start) = (grid.step(number)?, starts(number)?);
        vectors.fill(V::zero());
        adjoint_step(field, step, start, Cotangents { x: vectors, log_det: ones }, adjoint)?;
        subtract(gradient, vectors)?;
        copy(start, vectors)?;
        let linear = tangent.step(field, step, vectors)?;
        helmert::project(*shape, gradient);
        for (g, gradient) in gradient.chunks_exact_mut(c).enumerate() {
            tangent.factor(&linear, step.0, g)?.solve_transposed(part_mut(gradient, 0, k)?)?;
            helmert::expand(*shape, gradient);
        }
    }
    Ok(())
}

/// Subtracts `other` from `sum`.
fn subtract<V: Lanes>(sum: &mut [V], other: &[V]) -> Result<(), Missing> {
    check(sum.len() == other.len())?;
    V::vectorize(
        #[inline(always)]
        || {
            for (sum, &other) in sum.iter_mut().zip(other) {
                *sum -= other;
            }
        },
    );
    Ok(())
}
