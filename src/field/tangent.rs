//! The Jacobian of the velocity, pair by pair, and its product with a tangent.
//!
//! A tangent T (a displacement of all particles) changes the force phi(d) r of a pair, r = x_i - x_j, by M dr with
//! dr = T_i - T_j and the symmetric matrix
//!
//! ```text
//! M = phi 1 + (phi'/d) r r^T,
//! ```
//!
//! so (Dv T)_i = sum_{j != i} M_ij (T_i - T_j). At d = 0 the second term is taken as 0, the symmetric choice.
//! The matrices of a stage are made once and serve all tangents.

use super::pairs::Shape;
use crate::error::Missing;
use crate::lanes::{Lanes, at, at_mut, check, part, split_each};

/// Vectors that the pair matrices of one group take: the upper triangles, row by row, of all pairs.
pub const fn matrices_extent(shape: Shape) -> usize {
    shape.pairs() * (shape.dimension * (shape.dimension + 1) / 2)
}

/// Writes M of every pair of each group of `x` (`[groups][N][D]`) to `matrices` (`[groups]` times
/// [`matrices_extent`]); `radials` are d, phi and phi' of the pairs (`[groups][N (N-1)/2]`).
///
/// # Errors
/// Where the arrays' lengths do not fit together.
pub fn pair_matrices<V: Lanes>(
    shape: Shape,
    x: &[V],
    radials: [&[V]; 3],
    matrices: &mut [V],
) -> Result<(), Missing> {
    let groups = x.len() / shape.coordinates();
    check(matrices.len() == groups * matrices_extent(shape))?;
    check(radials.iter().all(|radial| radial.len() == groups * shape.pairs()))?;
    let write = match shape.dimension {
        1 => pair_matrices_in::<1, 1, V>,
        2 => pair_matrices_in::<2, 3, V>,
        _ => pair_matrices_in::<3, 6, V>,
    };
    write(shape, x, radials, matrices);
    Ok(())
}

fn pair_matrices_in<const D: usize, const E: usize, V: Lanes>(
    shape: Shape,
    x: &[V],
    [distance, phi, slope]: [&[V]; 3],
    matrices: &mut [V],
) {
    V::vectorize(
        #[inline(always)]
        || {
            let (matrices, _) = matrices.as_chunks_mut::<E>();
            let mut pairs = distance.iter().zip(phi).zip(slope).zip(matrices);
            for x in x.chunks_exact(shape.coordinates()) {
                let (mut x, _) = x.as_chunks::<D>();
                while let Some(x_i) = x.split_off_first() {
                    for (x_j, (((&d, &phi), &slope), matrix)) in x.iter().zip(&mut pairs) {
                        let mut r = *x_i;
                        for k in 0..D {
                            r[k] -= x_j[k];
                        }
                        *matrix = pair_matrix::<D, E, V>(&r, d, phi, slope);
                    }
                }
            }
        },
    );
}

#[inline(always)]
fn pair_matrix<const D: usize, const E: usize, V: Lanes>(r: &[V; D], d: V, phi: V, slope: V) -> [V; E] {
    let along = V::zero().select_less(d, slope / d, V::zero());
    let mut matrix = [V::zero(); E];
    for a in 0..D {
        for b in a..D {
            matrix[entry::<D>(a, b)] = (along * r[a]) * r[b];
        }
        matrix[entry::<D>(a, a)] += phi;
    }
    matrix
}

/// Where element (a, b) of a symmetric matrix lies in its upper triangle.
#[inline(always)]
pub(super) const fn entry<const D: usize>(a: usize, b: usize) -> usize {
    let (a, b) = if a < b { (a, b) } else { (b, a) };
    a * (2 * D + 1 - a) / 2 + b - a
}

/// Writes Dv T for `B` tangents of one group side by side: `matrices` are its pairs', `tangents` and `products` are
/// `[B][N][D]`.
///
/// `E` is D (D + 1) / 2. To be called inside of [`Lanes::vectorize`].
///
/// # Errors
/// Where the arrays' lengths do not fit together.
#[inline(always)]
pub fn multiply<const D: usize, const E: usize, const B: usize, V: Lanes>(
    matrices: &[V],
    tangents: &[V],
    products: &mut [V],
) -> Result<(), Missing> {
    products.fill(V::zero());
    let (matrices, _) = matrices.as_chunks::<E>();
    let ((tangents, _), (products, _)) = (tangents.as_chunks::<D>(), products.as_chunks_mut::<D>());
    let n = tangents.len() / B;
    check(matrices.len() == n * n.saturating_sub(1) / 2)?;
    let (p, _) = split_each::<_, B>(products, n)?;
    let mut t: [&[[V; D]]; B] = [&[]; B];
    for (b, t) in t.iter_mut().enumerate() {
        *t = part(tangents, b * n, n)?;
    }
    let mut matrices = matrices.iter();
    for i in 0..n {
        // In registers: the compiler cannot know that particle j is another one.
        let (mut t_i, mut p_i) = ([[V::zero(); D]; B], [[V::zero(); D]; B]);
        for b in 0..B {
            (t_i[b], p_i[b]) = (at(t[b], i)?, at(p[b], i)?);
        }
        for (j, matrix) in (i + 1..n).zip(&mut matrices) {
            for b in 0..B {
                let (t_j, p_j) = (at(t[b], j)?, at_mut(p[b], j)?);
                let mut dr = t_i[b];
                for k in 0..D {
                    dr[k] -= t_j[k];
                }
                for a in 0..D {
                    let mut change = matrix[entry::<D>(a, 0)] * dr[0];
                    for c in 1..D {
                        change += matrix[entry::<D>(a, c)] * dr[c];
                    }
                    p_i[b][a] += change;
                    p_j[a] -= change;
                }
            }
        }
        for b in 0..B {
            *at_mut(p[b], i)? = p_i[b];
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_upper_triangle_is_stored_row_by_row() {
        let of = |pairs: &[[usize; 2]]| pairs.iter().map(|&[a, b]| entry::<3>(a, b)).collect::<Vec<_>>();
        assert_eq!(of(&[[0, 0], [0, 1], [0, 2], [1, 1], [1, 2], [2, 2]]), [0, 1, 2, 3, 4, 5]);
        assert_eq!(of(&[[1, 0], [2, 0], [2, 1]]), [1, 2, 4]);
        assert_eq!([entry::<2>(0, 0), entry::<2>(0, 1), entry::<2>(1, 1), entry::<1>(0, 0)], [0, 1, 2, 0]);
    }
}
