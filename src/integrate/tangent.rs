//! The Jacobian of Runge-Kutta steps: tangents that go through the same stages as the trajectory.
//!
//! A step x' = x + h/6 (k1 + 2 k2 + 2 k3 + k4) carries a tangent T to T + h/6 (K1 + 2 K2 + 2 K3 + K4), where
//! K1 = Dv(X1) T and K_s = Dv(X_s)(T + a_s h K_{s-1}) with the step's own stage positions X_s. The velocity does not
//! change when all particles move together and its sum over particles vanishes, so the Jacobian maps the subspace U of
//! zero centre of mass to itself, and is the identity across it. Here it is a k x k matrix in an orthonormal basis of U
//! ([`helmert`]), k = (N - 1) D.
//!
//! The determinant of n steps is the product of the steps' determinants. Each step's matrix is near 1, while their
//! product may be nearly singular: so they are factored one by one, and the logarithms added.

use super::determinant::Matrix;
use super::helmert;
use super::rk4::{self, Grid, SolveScratch, StageField, sixth};
use crate::error::Missing;
use crate::field::{Shape, matrices_extent, multiply};
use crate::lanes::{Lanes, check, part, part_mut, split, split_each};

/// A [`StageField`] whose Jacobian is known, too.
pub trait StageTangent<V: Lanes>: StageField<V> {
    /// As [`StageField::evaluate`] for at most a tile of groups; also writes the pair matrices, `[groups]` times
    /// [`matrices_extent`].
    ///
    /// # Errors
    /// Those of [`StageField::evaluate`].
    fn linearize(
        &mut self,
        stage: usize,
        x: &[V],
        v: &mut [V],
        div: &mut [V],
        matrices: &mut [V],
    ) -> Result<(), Missing>;
}

/// Tangents that go through a step side by side, so that the pair matrices are read once for all of them.
const BESIDE: usize = 2;

/// Scratch for steps of a tile of groups and the tangents of one of them.
#[derive(Debug)]
pub struct TangentScratch<'a, V> {
    shape: Shape,
    solve: SolveScratch<'a, V>,
    /// One step's growth of the quadrature, `[groups]`.
    quadrature: &'a mut [V],
    /// The pair matrices of the four stages, `[4][groups]` times [`matrices_extent`].
    matrices: &'a mut [V],
    /// `[k][N][D]`.
    tangents: &'a mut [V],
    /// Stage tangents, K1, K2 + K3 and the last K of tangents side by side, `[4][BESIDE][N][D]`.
    stages: &'a mut [V],
    /// `[k]`.
    diagonal: &'a mut [V],
    /// `[k]`.
    factors: &'a mut [V],
}

impl<'a, V: Lanes> TangentScratch<'a, V> {
    /// Vectors that [`TangentScratch::carve`] takes for tiles of `groups`; saturates.
    pub const fn extent(shape: Shape, groups: usize) -> usize {
        let (k, c) = (shape.free_dimension(), shape.coordinates());
        let tile = SolveScratch::<V>::extent(groups, c) + groups;
        let matrices = matrices_extent(shape).saturating_mul(4 * groups);
        k.saturating_mul(c).saturating_add(matrices).saturating_add(tile + 4 * BESIDE * c + 2 * k)
    }

    /// Takes the scratch from the front of `memory` and returns the rest.
    ///
    /// # Errors
    /// Where `memory` has less than the extent.
    pub fn carve(shape: Shape, groups: usize, memory: &'a mut [V]) -> Result<(Self, &'a mut [V]), Missing> {
        let (k, c) = (shape.free_dimension(), shape.coordinates());
        let (solve, memory) = SolveScratch::carve(groups, c, memory)?;
        let (quadrature, memory) = split(memory, groups)?;
        let (matrices, memory) = split(memory, 4 * groups * matrices_extent(shape))?;
        let (tangents, memory) = split(memory, k * c)?;
        let (stages, memory) = split(memory, 4 * BESIDE * c)?;
        let ([diagonal, factors], memory) = split_each(memory, k)?;
        let own = TangentScratch { shape, solve, quadrature, matrices, tangents, stages, diagonal, factors };
        Ok((own, memory))
    }

    /// Groups of a tile.
    pub fn groups(&self) -> usize {
        self.quadrature.len()
    }

    /// Takes at most a tile of groups through one step and keeps its linearisation.
    pub(super) fn step(
        &mut self,
        field: &mut impl StageTangent<V>,
        step: (V::Real, [usize; 3]),
        x: &mut [V],
    ) -> Result<Linearization, Missing> {
        let groups = x.len() / self.shape.coordinates();
        let length = groups * matrices_extent(self.shape);
        let matrices = &mut *self.matrices;
        let quadrature = part_mut(self.quadrature, 0, groups)?;
        quadrature.fill(V::zero());
        rk4::step(step, x, quadrature, &mut self.solve, |s, stage, x, v, div| {
            field.linearize(stage, x, v, div, part_mut(matrices, s * length, length)?)
        })?;
        Ok(Linearization { groups })
    }

    /// Takes at most a tile of groups through one step; `log_det` grows by the quadrature of the divergence.
    pub(super) fn plain_step(
        &mut self,
        field: &mut impl StageField<V>,
        step: (V::Real, [usize; 3]),
        x: &mut [V],
        log_det: &mut [V],
    ) -> Result<(), Missing> {
        rk4::step(step, x, log_det, &mut self.solve, |_, stage, x, v, div| field.evaluate(stage, x, v, div))
    }

    /// Makes the basis of U the tangents.
    pub fn seed(&mut self) {
        helmert::seed(self.shape, self.tangents);
    }

    /// Takes the tangents through the step that was linearised last, as group `g` of its tile has taken it.
    pub(super) fn advance(&mut self, linear: &Linearization, h: V::Real, g: usize) -> Result<(), Missing> {
        let extent = matrices_extent(self.shape);
        let mut matrices: [&[V]; 4] = [&[]; 4];
        for (s, matrices) in matrices.iter_mut().enumerate() {
            *matrices = part(self.matrices, (s * linear.groups + g) * extent, extent)?;
        }
        let advance = match self.shape.dimension {
            1 => advance_tangents::<1, 1, V>,
            2 => advance_tangents::<2, 3, V>,
            _ => advance_tangents::<3, 6, V>,
        };
        advance(V::splat(h), matrices, self.tangents, self.stages)
    }

    /// Turns the tangents into the matrix of their components in the basis of U: column c begins at c N D.
    pub fn project(&mut self) -> Matrix<'_, V> {
        helmert::project(self.shape, self.tangents);
        Matrix {
            columns: self.tangents,
            stride: self.shape.coordinates(),
            diagonal: self.diagonal,
            factors: self.factors,
        }
    }

    /// The factored matrix of the step that was linearised last, for group `g`.
    pub(super) fn factor(
        &mut self,
        linear: &Linearization,
        h: V::Real,
        g: usize,
    ) -> Result<Matrix<'_, V>, Missing> {
        self.seed();
        self.advance(linear, h, g)?;
        let mut matrix = self.project();
        matrix.factor()?;
        Ok(matrix)
    }
}

/// That the matrices of a step of so many groups lie in the scratch.
#[derive(Debug)]
pub(super) struct Linearization {
    groups: usize,
}

fn advance_tangents<const D: usize, const E: usize, V: Lanes>(
    h: V,
    matrices: [&[V]; 4],
    tangents: &mut [V],
    stages: &mut [V],
) -> Result<(), Missing> {
    let single = stages.len() / (4 * BESIDE);
    check(single > 0 && tangents.len().is_multiple_of(single))?;
    V::vectorize(
        #[inline(always)]
        || {
            let mut rest = tangents;
            while rest.len() >= BESIDE * single {
                let block;
                (block, rest) = split(rest, BESIDE * single)?;
                advance_block::<D, E, BESIDE, V>(h, matrices, block, stages)?;
            }
            while !rest.is_empty() {
                let tangent;
                (tangent, rest) = split(rest, single)?;
                advance_block::<D, E, 1, V>(h, matrices, tangent, stages)?;
            }
            Ok(())
        },
    )
}

/// `B` tangents through the four stages, with the operations of [`rk4::solve`] on their trajectory.
#[inline(always)]
fn advance_block<const D: usize, const E: usize, const B: usize, V: Lanes>(
    h: V,
    [first, second, third, fourth]: [&[V]; 4],
    tangents: &mut [V],
    stages: &mut [V],
) -> Result<(), Missing> {
    let c = tangents.len();
    let half = V::constant(0.5) * h;
    let (stage, stages) = split(stages, c)?;
    let (k1, stages) = split(stages, c)?;
    let (middle, stages) = split(stages, c)?;
    let last = part_mut(stages, 0, c)?;
    multiply::<D, E, B, V>(first, tangents, k1)?;
    for i in 0..c {
        stage[i] = tangents[i] + half * k1[i];
    }
    multiply::<D, E, B, V>(second, stage, middle)?;
    for i in 0..c {
        stage[i] = tangents[i] + half * middle[i];
    }
    multiply::<D, E, B, V>(third, stage, last)?;
    for i in 0..c {
        stage[i] = tangents[i] + h * last[i];
        middle[i] += last[i];
    }
    multiply::<D, E, B, V>(fourth, stage, last)?;
    let sixth = sixth(h);
    for i in 0..c {
        tangents[i] += sixth * ((k1[i] + last[i]) + (middle[i] + middle[i]));
    }
    Ok(())
}

/// As [`rk4::solve`] with the exact log-determinant of the discrete map in `log_det` (`[groups]`).
///
/// # Errors
/// Those of [`rk4::solve`].
pub fn solve<V: Lanes>(
    field: &mut impl StageTangent<V>,
    grid: Grid<'_, V::Real>,
    x: &mut [V],
    log_det: &mut [V],
    scratch: &mut TangentScratch<'_, V>,
) -> Result<(), Missing> {
    log_det.fill(V::zero());
    let [groups, tile] = scratch.shape.chunks(scratch.groups());
    check(x.len() == log_det.len() * scratch.shape.coordinates())?;
    for k in 0..grid.steps() {
        let step = grid.step(k)?;
        for (x, log_det) in x.chunks_mut(tile).zip(log_det.chunks_mut(groups)) {
            let linear = scratch.step(field, step, x)?;
            for (g, log_det) in log_det.iter_mut().enumerate() {
                *log_det += scratch.factor(&linear, step.0, g)?.log_abs_determinant();
            }
        }
    }
    Ok(())
}

/// The Jacobian of the discrete map at the start `x` (`[N][D]`) of one group, which becomes the end point: column c
/// of the result begins at c N D and has the components of the c-th basis vector's image.
///
/// # Errors
/// Those of [`rk4::solve`].
pub fn jacobian<'s, V: Lanes>(
    field: &mut impl StageTangent<V>,
    grid: Grid<'_, V::Real>,
    x: &mut [V],
    scratch: &'s mut TangentScratch<'_, V>,
) -> Result<&'s [V], Missing> {
    scratch.seed();
    for k in 0..grid.steps() {
        let step = grid.step(k)?;
        let linear = scratch.step(field, step, x)?;
        scratch.advance(&linear, step.0, 0)?;
    }
    Ok(scratch.project().columns)
}
