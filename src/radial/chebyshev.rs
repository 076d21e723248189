//! Interpolation at Chebyshev points, and its transpose.

use crate::lanes::Lanes;

/// Interpolation at the Chebyshev points of a cell of length 1 around 0.
pub struct Chebyshev<const C: usize> {
    /// The points, the rightmost first.
    pub nodes: [f64; C],
    /// From values at the points to coefficients of powers: `[power][point]`.
    pub transform: [[f64; C]; C],
}

impl<const C: usize> Chebyshev<C> {
    /// With f = sum_k c_k T_k(2x): c_k = (2 - delta_k0)/C sum_j f_j T_k(2 x_j), and T_k(2x) in powers of x by the
    /// recurrence T_(k+1) = 4 x T_k - T_(k-1).
    pub fn new() -> Self {
        // cos(k pi / (2 C)) for a whole turn.
        let mut quarter_steps = [[0.0; 4]; C];
        for (k, cosine) in quarter_steps.as_flattened_mut().iter_mut().enumerate() {
            *cosine = libm::cos(core::f64::consts::PI * k as f64 / (2 * C) as f64);
        }
        let cosine = |k: usize| quarter_steps.as_flattened()[k % (4 * C)];
        let mut powers = [[0.0; C]; C];
        powers[0][0] = 1.0;
        powers[1][1] = 2.0;
        for k in 2..C {
            for p in 0..C {
                let shifted = if p > 0 { 4.0 * powers[k - 1][p - 1] } else { 0.0 };
                powers[k][p] = shifted - powers[k - 2][p];
            }
        }
        let mut transform = [[0.0; C]; C];
        for (p, row) in transform.iter_mut().enumerate() {
            for (j, entry) in row.iter_mut().enumerate() {
                for (k, power) in powers.iter().enumerate() {
                    let factor = if k == 0 { 1.0 } else { 2.0 };
                    *entry += power[p] * factor / C as f64 * cosine(k * (2 * j + 1));
                }
            }
        }
        Chebyshev { nodes: core::array::from_fn(|j| 0.5 * cosine(2 * j + 1)), transform }
    }

    /// Coefficients from values; opposite points share an entry of the transform, but for the sign of odd powers.
    #[inline(always)]
    pub fn coefficients<V: Lanes<Real = f64>>(&self, f: &[V; C]) -> [V; C] {
        let mut coefficients = [V::zero(); C];
        for (p, sum) in coefficients.iter_mut().enumerate() {
            for j in 0..C / 2 {
                let both = if p % 2 == 0 { f[j] + f[C - 1 - j] } else { f[j] - f[C - 1 - j] };
                *sum += V::splat(self.transform[p][j]) * both;
            }
        }
        coefficients
    }

    /// Cotangents of the values from those of the coefficients.
    #[inline(always)]
    pub fn coefficients_transpose<V: Lanes<Real = f64>>(&self, bar: &[V; C]) -> [V; C] {
        let mut values = [V::zero(); C];
        for j in 0..C / 2 {
            let (mut even, mut odd) = (V::zero(), V::zero());
            for (p, &bar) in bar.iter().enumerate() {
                let share = V::splat(self.transform[p][j]) * bar;
                if p % 2 == 0 {
                    even += share;
                } else {
                    odd += share;
                }
            }
            values[j] = even + odd;
            values[C - 1 - j] = even - odd;
        }
        values
    }
}
