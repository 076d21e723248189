//! Householder's QR factorisation of small matrices, one matrix a lane.
//!
//! The reflections are the same operations for every matrix, without pivots that would depend on the data: lanes stay
//! independent of each other, and the factorisation is backward stable for each. Columns are scaled by their largest
//! entry first, so that no square overflows or underflows.

use crate::lanes::{Lanes, Real};

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
    pub fn factor(&mut self) {
        let (k, stride) = (self.diagonal.len(), self.stride);
        V::vectorize(
            #[inline(always)]
            || {
                for j in 0..k {
                    let (front, rest) = self.columns.split_at_mut(((j + 1) * stride).min(self.columns.len()));
                    let v = &mut front[j * stride + j..j * stride + k];
                    let (length, factor) = reflection(v);
                    (self.diagonal[j], self.factors[j]) = (length, factor);
                    let mut blocks = rest.chunks_exact_mut(BESIDE * stride);
                    for block in &mut blocks {
                        reflect::<BESIDE, V>(v, factor, block, stride, j);
                    }
                    for column in blocks.into_remainder().chunks_mut(stride) {
                        reflect::<1, V>(v, factor, column, stride, j);
                    }
                }
            },
        );
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
    pub fn solve(&self, b: &mut [V]) {
        let k = self.diagonal.len();
        V::vectorize(
            #[inline(always)]
            || {
                for j in 0..k {
                    let v = &self.columns[j * self.stride + j..j * self.stride + k];
                    reflect::<1, V>(v, self.factors[j], b, k, j);
                }
                for j in (0..k).rev() {
                    b[j] = b[j] / self.diagonal[j];
                    for i in 0..j {
                        b[i] -= self.columns[j * self.stride + i] * b[j];
                    }
                }
            },
        );
    }

    /// Replaces `b` (`[k]`) by the solution of A^T x = b, where A is factored.
    pub fn solve_transposed(&self, b: &mut [V]) {
        let k = self.diagonal.len();
        V::vectorize(
            #[inline(always)]
            || {
                for j in 0..k {
                    for i in 0..j {
                        b[j] -= self.columns[j * self.stride + i] * b[i];
                    }
                    b[j] = b[j] / self.diagonal[j];
                }
                for j in (0..k).rev() {
                    let v = &self.columns[j * self.stride + j..j * self.stride + k];
                    reflect::<1, V>(v, self.factors[j], b, k, j);
                }
            },
        );
    }
}

/// Turns the column x into the vector v of the reflection that takes it to (r, 0, ..., 0), up to a positive factor;
/// returns r and 2 / |v|^2. A column of zeros is left alone.
#[inline(always)]
fn reflection<V: Lanes>(x: &mut [V]) -> (V, V) {
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
    let first = x[0];
    let signed = first.select_less(V::zero(), -length, length);
    x[0] += signed;
    let factor = V::constant(1.0) / (length * (length + first.magnitude()));
    (-(largest * signed), V::zero().select_less(length, factor, V::zero()))
}

/// Reflects `B` columns, `stride` apart, from row `j` on: a - v (factor v . a).
#[inline(always)]
fn reflect<const B: usize, V: Lanes>(v: &[V], factor: V, columns: &mut [V], stride: usize, j: usize) {
    let mut sums = [V::zero(); B];
    for (i, &v) in v.iter().enumerate() {
        for c in 0..B {
            sums[c] += v * columns[c * stride + j + i];
        }
    }
    for sum in &mut sums {
        *sum = factor * *sum;
    }
    for (i, &v) in v.iter().enumerate() {
        for c in 0..B {
            columns[c * stride + j + i] -= v * sums[c];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Columns three apart, of which two are used.
    fn factored(columns: &mut [f64; 6], rest: &mut [f64; 4]) -> f64 {
        let (diagonal, factors) = rest.split_at_mut(2);
        let mut matrix = Matrix { columns, stride: 3, diagonal, factors };
        matrix.factor();
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
        matrix.factor();
        matrix.solve(&mut product);
        matrix.solve_transposed(&mut transposed);
        for got in [product, transposed] {
            for (got, want) in got.iter().zip(x) {
                assert!((got - want).abs() < 1e-14, "{got} {want}");
            }
        }
    }
}
