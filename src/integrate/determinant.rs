//! Householder's QR factorisation of small matrices, one matrix a lane.
//!
//! The reflections are the same operations for every matrix, without pivots that would depend on the data: lanes stay
//! independent of each other, and the factorisation is backward stable for each. Columns are scaled by their largest
//! entry first, so that no square overflows or underflows.

use crate::error::Missing;
use crate::lanes::{Lanes, Real, at, at_mut, check, part, part_mut, split, split_each};

/// A matrix of `k` columns that is factored in place, and what the factorisation leaves besides.
#[derive(Debug)]
pub struct Matrix<'a, V> {
    /// Column c begins at c times `stride` and has `k` elements.
    pub columns: &'a mut [V],
    /// Distance of two columns' beginnings, at least `k`.
    pub stride: usize,
    /// The diagonal of R, `[k]`.
    pub diagonal: &'a mut [V],
    /// The reflections' factors 2 / |v|^2, `[k]`.
    pub factors: &'a mut [V],
}

/// Columns that are reflected together: enough sums side by side to hide the latency of an addition.
const BESIDE: usize = 4;

impl<V: Lanes> Matrix<'_, V> {
    /// Factors A = Q R: reflection j's vector replaces column j from the diagonal on, R's other elements lie above it.
    ///
    /// # Errors
    /// Where the lengths are not those of the fields.
    pub fn factor(&mut self) -> Result<(), Missing> {
        let (k, stride) = (self.diagonal.len(), self.stride);
        check(self.factors.len() == k && stride >= k)?;
        V::vectorize(
            #[inline(always)]
            || {
                let mut columns = &mut *self.columns;
                for (j, (diagonal, factor)) in self.diagonal.iter_mut().zip(&mut *self.factors).enumerate() {
                    let column;
                    (column, columns) = split(columns, stride.min(columns.len()))?;
                    let v = part_mut(column, j, k - j)?;
                    (*diagonal, *factor) = reflection(v)?;
                    let mut behind = &mut *columns;
                    while behind.len() >= BESIDE * stride {
                        let block;
                        (block, behind) = split_each::<_, BESIDE>(behind, stride)?;
                        reflect(v, *factor, block, j)?;
                    }
                    while !behind.is_empty() {
                        let column;
                        (column, behind) = split(behind, stride.min(behind.len()))?;
                        reflect(v, *factor, [column], j)?;
                    }
                }
                Ok(())
            },
        )
    }

    /// log|det A| of the factored matrix: of one product a lane, in double precision, as far as that does not overflow.
    pub fn log_abs_determinant(&self) -> V {
        V::from_fn(|lane| {
            let (mut sum, mut product) = (0.0, 1.0);
            for diagonal in &*self.diagonal {
                product *= diagonal.lane(lane).to_f64().abs();
                if !(1e-150..1e150).contains(&product) {
                    sum += libm::log(product);
                    product = 1.0;
                }
            }
            V::Real::from_f64(sum + libm::log(product))
        })
    }

    /// Replaces `b` (`[k]`) by the solution of A x = b, where A is factored.
    ///
    /// # Errors
    /// Where the lengths are not those of the fields.
    pub fn solve(&self, b: &mut [V]) -> Result<(), Missing> {
        V::vectorize(
            #[inline(always)]
            || {
                for (j, &factor) in self.factors.iter().enumerate() {
                    reflect(self.vector(j)?, factor, [&mut *b], j)?;
                }
                for (j, &diagonal) in self.diagonal.iter().enumerate().rev() {
                    let (above, last) = last_of(b, j)?;
                    *last = *last / diagonal;
                    for (b, &r) in above.iter_mut().zip(self.above(j)?) {
                        *b -= r * *last;
                    }
                }
                Ok(())
            },
        )
    }

    /// Replaces `b` (`[k]`) by the solution of A^T x = b, where A is factored.
    ///
    /// # Errors
    /// Where the lengths are not those of the fields.
    pub fn solve_transposed(&self, b: &mut [V]) -> Result<(), Missing> {
        V::vectorize(
            #[inline(always)]
            || {
                for (j, &diagonal) in self.diagonal.iter().enumerate() {
                    let (above, last) = last_of(b, j)?;
                    for (&b, &r) in above.iter().zip(self.above(j)?) {
                        *last -= r * b;
                    }
                    *last = *last / diagonal;
                }
                for (j, &factor) in self.factors.iter().enumerate().rev() {
                    reflect(self.vector(j)?, factor, [&mut *b], j)?;
                }
                Ok(())
            },
        )
    }

    /// The vector of reflection j, from row j on.
    #[inline(always)]
    fn vector(&self, j: usize) -> Result<&[V], Missing> {
        part(self.columns, j * self.stride + j, self.diagonal.len() - j)
    }

    /// What column j of R has above the diagonal.
    #[inline(always)]
    fn above(&self, j: usize) -> Result<&[V], Missing> {
        part(self.columns, j * self.stride, j)
    }
}

/// The elements before number j, and that one.
#[inline(always)]
fn last_of<V>(b: &mut [V], j: usize) -> Result<(&mut [V], &mut V), Missing> {
    let (above, rest) = split(b, j)?;
    Ok((above, rest.first_mut().ok_or(Missing)?))
}

/// Turns the column x into the vector v of the reflection that takes it to (r, 0, ..., 0), up to a positive factor;
/// returns r and 2 / |v|^2. A column of zeros is left alone.
#[inline(always)]
fn reflection<V: Lanes>(x: &mut [V]) -> Result<(V, V), Missing> {
    let mut largest = V::zero();
    for &x in &*x {
        let size = x.magnitude();
        largest = largest.select_less(size, size, largest);
    }
    let largest = V::zero().select_less(largest, largest, V::constant(1.0));
    let mut square = V::zero();
    for x in x.iter_mut() {
        *x = *x / largest;
        square += *x * *x;
    }
    let length = square.sqrt();
    // The sign that adds and does not cancel.
    let top = x.first_mut().ok_or(Missing)?;
    let first = *top;
    let signed = first.select_less(V::zero(), -length, length);
    *top += signed;
    let factor = V::constant(1.0) / (length * (length + first.magnitude()));
    Ok((-(largest * signed), V::zero().select_less(length, factor, V::zero())))
}

/// Reflects `B` columns from row `j` on: a - v (factor v . a).
#[inline(always)]
fn reflect<const B: usize, V: Lanes>(
    v: &[V],
    factor: V,
    mut columns: [&mut [V]; B],
    j: usize,
) -> Result<(), Missing> {
    let n = v.len();
    for column in &mut columns {
        *column = part_mut(core::mem::take(column), j, n)?;
    }
    let mut sums = [V::zero(); B];
    for (i, &v) in v.iter().enumerate() {
        for c in 0..B {
            sums[c] += v * at(columns[c], i)?;
        }
    }
    for sum in &mut sums {
        *sum = factor * *sum;
    }
    for (i, &v) in v.iter().enumerate() {
        for c in 0..B {
            *at_mut(columns[c], i)? -= v * sums[c];
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Columns three apart, of which two are used.
    fn factored(columns: &mut [f64; 6], rest: &mut [f64; 4]) -> f64 {
        let (diagonal, factors) = rest.split_at_mut(2);
        let mut matrix = Matrix { columns, stride: 3, diagonal, factors };
        matrix.factor().unwrap();
        matrix.log_abs_determinant()
    }

    #[test]
    fn determinants_of_two_by_two_matrices() {
        for (columns, determinant) in [
            ([1.0, 0.0, 9.0, 0.0, 1.0, 9.0], 1.0_f64),
            ([0.0, 2.0, 9.0, 3.0, 0.0, 9.0], 6.0),
            ([1e200, 2e200, 9.0, 3e-200, -4e-200, 9.0], 10.0),
            ([1e-200, 2e-200, 9.0, 3e-200, 4e-200, 9.0], 2e-400),
            ([1.0, 2.0, 9.0, 2.0, 4.0, 9.0], 0.0),
            ([0.0, 0.0, 9.0, 2.0, 4.0, 9.0], 0.0),
        ] {
            let got = factored(&mut columns.clone(), &mut [0.0; 4]);
            let want =
                if columns[0] == 1e-200 { 2.0_f64.ln() - 400.0 * 10.0_f64.ln() } else { determinant.ln() };
            let singular = want == f64::NEG_INFINITY && got < -35.0;
            // Where the factors are 1e200 and 1e-200, logarithms of 460 are rounded and cancel.
            let size = columns[0].max(columns[1]).ln().abs().max(want.abs()).max(1.0);
            assert!(singular || (got - want).abs() <= 1e-15 * size, "{got} {want}");
        }
        assert!(factored(&mut [f64::NAN, 0.0, 9.0, 0.0, 1.0, 9.0], &mut [0.0; 4]).is_nan());
        assert!(factored(&mut [1.0, 0.0, 9.0, f64::INFINITY, 1.0, 9.0], &mut [0.0; 4]).is_nan());
    }

    #[test]
    fn systems_are_solved_in_both_directions() {
        // Columns of a 3 x 3 matrix with whole entries, and the products with (1, -2, 3).
        let a = [[2.0, -1.0, 0.0], [4.0, 1.0, 5.0], [-3.0, 2.0, 7.0]];
        let x = [1.0, -2.0, 3.0];
        let mut product = [0.0; 3];
        let mut transposed = [0.0; 3];
        for c in 0..3 {
            for r in 0..3 {
                product[r] += a[c][r] * x[c];
                transposed[c] += a[c][r] * x[r];
            }
        }
        let mut columns: Vec<f64> = a.concat();
        let (mut diagonal, mut factors) = ([0.0; 3], [0.0; 3]);
        let mut matrix =
            Matrix { columns: &mut columns, stride: 3, diagonal: &mut diagonal, factors: &mut factors };
        matrix.factor().unwrap();
        matrix.solve(&mut product).unwrap();
        matrix.solve_transposed(&mut transposed).unwrap();
        for got in [product, transposed] {
            for (got, want) in got.iter().zip(x) {
                assert!((got - want).abs() < 1e-14, "{got} {want}");
            }
        }
    }
}
