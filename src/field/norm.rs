//! The squared Frobenius norm of the velocity's Jacobian, in closed form, and its gradient.
//!
//! The Jacobian Dv consists of D x D blocks of the symmetric pair matrices M_ij of [`super::pair_matrices`]: -M_ij off
//! the diagonal, and on it S_i = sum_{j != i} M_ij. So
//!
//! ```text
//! |Dv|^2 = sum_i |S_i|^2 + 2 sum_{i<j} |M_ij|^2
//! ```
//!
//! in O(N^2 D^2), where brute force takes N D derivatives of O(N^2) each. A displacement of all particles alike is in
//! the kernel of Dv and of its transpose: the norm is that on the subspace of zero centre of mass.
//!
//! Its cotangent of M_ij is B = 2 (S_i + S_j + 2 M_ij). With n = r/d and w = n.B n, and M = phi 1 + d phi' n n^T, those
//! of phi, phi' and r are
//!
//! ```text
//! phi_bar = tr B,    phi'_bar = d w,    r_bar = [phi' tr B + d phi'' w] n + phi' (2 B n - w n),
//! ```
//!
//! of which the bracket is what [`super::transpose`] makes of the first two by itself. At d = 0 the direction is
//! undefined and the symmetric choice n = 0 is taken.

use super::pairs::{PairScratch, Shape, for_each_pair};
use super::tangent::{entry, matrices_extent, pair_matrices};
use super::transpose::{Addend, TileRadials};
use crate::error::Missing;
use crate::lanes::Lanes;
use crate::radial::Radial;
use core::ops::Range;

/// The share |Dv|^2 has in the scalar that [`super::transpose_with`] differentiates.
#[derive(Debug)]
pub struct JacobianNorm<'a, R, V> {
    /// The field's radial function.
    pub radial: R,
    /// What |Dv|^2 of each group is multiplied with, `[groups]`, and all of them together.
    pub weights: (&'a [V], V),
    /// Where the product is added, `[groups]`.
    pub values: &'a mut [V],
    /// [`norm_extent`] vectors.
    pub scratch: &'a mut [V],
}

/// Vectors of scratch that a call with `groups` needs: pair matrices and their sums, for a tile.
pub const fn norm_extent<V: Lanes>(shape: Shape, groups: usize) -> usize {
    PairScratch::<V>::tile(shape, groups) * (matrices_extent(shape) + sums_extent(shape))
}

/// Vectors that the upper triangles of all S_i of a group take.
const fn sums_extent(shape: Shape) -> usize {
    shape.coordinates() * (shape.dimension + 1) / 2
}

impl<R: Radial<V>, V: Lanes> Addend<V> for JacobianNorm<'_, R, V> {
    fn add_radial_cotangents(
        &mut self,
        shape: Shape,
        x: &[V],
        groups: Range<usize>,
        radials: TileRadials<'_, V>,
    ) -> Result<(), Missing> {
        let TileRadials { distance, phi, slope, phi_bar, slope_bar } = radials;
        self.radial.value_slope(distance, phi, slope);
        let (matrices, sums) = self.scratch.split_at_mut(groups.len() * matrices_extent(shape));
        pair_matrices(shape, x, [distance, phi, slope], matrices)?;
        let tile = Matrices { shape, x, distance, matrices, sums };
        let (weights, values) = (&self.weights.0[groups.clone()], &mut self.values[groups]);
        let pass = match shape.dimension {
            1 => norms::<1, V>,
            2 => norms::<2, V>,
            _ => norms::<3, V>,
        };
        pass(tile, (weights, self.weights.1), values, [phi_bar, slope_bar]);
        Ok(())
    }

    fn add_position_cotangents(&mut self, shape: Shape, slope: &[V], x_bar: &mut [V]) {
        let pass = match shape.dimension {
            1 => position_cotangents::<1, V>,
            2 => position_cotangents::<2, V>,
            _ => position_cotangents::<3, V>,
        };
        pass(shape, self.scratch, slope, x_bar);
    }
}

/// A tile's geometry and its pair matrices.
struct Matrices<'a, V> {
    shape: Shape,
    x: &'a [V],
    distance: &'a [V],
    /// Upper triangles of M, `[groups][pairs][D (D + 1) / 2]`.
    matrices: &'a mut [V],
    /// Room for those of S, `[N][D (D + 1) / 2]`.
    sums: &'a mut [V],
}

/// Adds every group's norm to `values`, adds the cotangents of phi and phi', and leaves 2 B n - w n at the front of
/// each pair's matrix.
fn norms<const D: usize, V: Lanes>(
    tile: Matrices<'_, V>,
    (weights, factor): (&[V], V),
    values: &mut [V],
    [phi_bar, slope_bar]: [&mut [V]; 2],
) {
    let Matrices { shape, x, distance, matrices, sums } = tile;
    let (coordinates, pairs, e) = (shape.coordinates(), shape.pairs(), D * (D + 1) / 2);
    let sums = &mut sums[..sums_extent(shape)];
    V::vectorize(
        #[inline(always)]
        || {
            for (g, (&weight, value)) in weights.iter().zip(values).enumerate() {
                let x = &x[g * coordinates..(g + 1) * coordinates];
                let matrices = &mut matrices[g * pairs * e..(g + 1) * pairs * e];
                let weight = weight * factor;
                *value += weight * squared_norm::<D, V>(x, matrices, sums);
                let bar_scale = weight + weight;
                for_each_pair::<D, V>(
                    x,
                    #[inline(always)]
                    |pair, i, x_i, j, x_j| {
                        let at = g * pairs + pair;
                        let inverse =
                            V::zero().select_less(distance[at], V::constant(1.0) / distance[at], V::zero());
                        let n: [V; D] = core::array::from_fn(
                            #[inline(always)]
                            |k| (x_i[k] - x_j[k]) * inverse,
                        );
                        let matrix = &mut matrices[pair * e..(pair + 1) * e];
                        for (k, m) in matrix.iter_mut().enumerate() {
                            *m = bar_scale * ((sums[i * e + k] + sums[j * e + k]) + (*m + *m));
                        }
                        let (trace, along, change) = products::<D, V>(matrix, &n);
                        phi_bar[at] += trace;
                        slope_bar[at] += distance[at] * along;
                        matrix[..D].copy_from_slice(&change);
                    },
                );
            }
        },
    );
}

/// |Dv|^2 of one group; leaves the S_i in `sums`.
#[inline(always)]
fn squared_norm<const D: usize, V: Lanes>(x: &[V], matrices: &[V], sums: &mut [V]) -> V {
    let e = D * (D + 1) / 2;
    sums.fill(V::zero());
    let mut of_pairs = V::zero();
    for_each_pair::<D, V>(
        x,
        #[inline(always)]
        |pair, i, _, j, _| {
            let matrix = &matrices[pair * e..(pair + 1) * e];
            for (k, &m) in matrix.iter().enumerate() {
                sums[i * e + k] += m;
                sums[j * e + k] += m;
            }
            of_pairs += square::<D, V>(matrix);
        },
    );
    let mut norm = of_pairs + of_pairs;
    for matrix in sums.chunks_exact(e) {
        norm += square::<D, V>(matrix);
    }
    norm
}

/// The sum of the squares of all elements of the symmetric matrix with this upper triangle.
#[inline(always)]
fn square<const D: usize, V: Lanes>(matrix: &[V]) -> V {
    let (mut diagonal, mut above) = (V::zero(), V::zero());
    for a in 0..D {
        let element = matrix[entry::<D>(a, a)];
        diagonal += element * element;
        for b in a + 1..D {
            let element = matrix[entry::<D>(a, b)];
            above += element * element;
        }
    }
    diagonal + (above + above)
}

/// tr B, w = n . B n and 2 B n - w n.
#[inline(always)]
fn products<const D: usize, V: Lanes>(matrix: &[V], n: &[V; D]) -> (V, V, [V; D]) {
    let (mut trace, mut along, mut image) = (V::zero(), V::zero(), [V::zero(); D]);
    for a in 0..D {
        trace += matrix[entry::<D>(a, a)];
        for b in 0..D {
            image[a] += matrix[entry::<D>(a, b)] * n[b];
        }
        along += image[a] * n[a];
    }
    for a in 0..D {
        image[a] = (image[a] + image[a]) - along * n[a];
    }
    (trace, along, image)
}

/// Adds phi' (2 B n - w n) of every pair to both partners.
fn position_cotangents<const D: usize, V: Lanes>(shape: Shape, changes: &[V], slope: &[V], x_bar: &mut [V]) {
    let (n, e) = (shape.particles, D * (D + 1) / 2);
    V::vectorize(
        #[inline(always)]
        || {
            let mut pairs = changes.chunks_exact(e).zip(slope);
            for x_bar in x_bar.chunks_exact_mut(n * D) {
                let (x_bar, _) = x_bar.as_chunks_mut::<D>();
                for i in 0..n {
                    for (j, (change, &slope)) in (i + 1..n).zip(&mut pairs) {
                        for k in 0..D {
                            let r_bar = slope * change[k];
                            x_bar[i][k] += r_bar;
                            x_bar[j][k] -= r_bar;
                        }
                    }
                }
            }
        },
    );
}
