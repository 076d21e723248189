//! Every radial function by itself: the columns of a regression on distance.

use super::collapse::{Basis, Kernel};
use crate::lanes::{Lanes, exp2_neg_each};

/// Writes K_m(d_p) for each of the P distances in `d` to `values[m * P + p]` (`[M][P]`).
///
/// Together with [`super::time_functions`] this is the basis in which phi is linear:
/// phi(d,t) = sum_l R_l(t) [ b_l + sum_m W_lm (K_m(d) + a_m^2) ]. Cost: M exponentials a distance.
pub fn radial_functions<V: Lanes>(kernel: &Kernel<'_, V::Real>, d: &[V], values: &mut [V]) {
    V::vectorize(
        #[inline(always)]
        || {
            // Four at a time hide the latency of each other's polynomials.
            let (blocks, rest) = d.as_chunks::<4>();
            for (b, block) in blocks.iter().enumerate() {
                write_block(kernel, block, d.len(), &mut values[4 * b..]);
            }
            for (p, distance) in rest.as_chunks::<1>().0.iter().enumerate() {
                write_block(kernel, distance, d.len(), &mut values[4 * blocks.len() + p..]);
            }
        },
    );
}

/// The functions at `U` distances, those of function m from `values[m * stride]` on.
#[inline(always)]
fn write_block<V: Lanes, const U: usize>(
    kernel: &Kernel<'_, V::Real>,
    d: &[V; U],
    stride: usize,
    values: &mut [V],
) {
    let d = d.map(
        #[inline(always)]
        |d| d.at_most(V::splat(kernel.reach)),
    );
    let mut totals = [V::splat(kernel.eps); U];
    for (m, (&mean, &scale)) in kernel.mean.iter().zip(kernel.scale).enumerate() {
        let w = d.map(
            #[inline(always)]
            |d| {
                let z = (d - V::splat(mean)) * V::splat(scale);
                z * z
            },
        );
        let gaussians = exp2_neg_each(w);
        for u in 0..U {
            values[m * stride + u] = gaussians[u];
            totals[u] += gaussians[u];
        }
    }
    if kernel.basis == Basis::Normalized {
        let inverse = totals.map(
            #[inline(always)]
            |total| V::constant(1.0) / total,
        );
        for m in 0..kernel.mean.len() {
            for u in 0..U {
                values[m * stride + u] = values[m * stride + u] * inverse[u];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{SQRT_LOG2_E, reach};
    use super::*;

    #[test]
    fn the_functions_are_gaussians_or_gaussians_over_their_sum() {
        let (mean, gamma, eps) = ([0.0, 1.0, 2.5], [0.5, 0.7, 1.1], 1e-6);
        let scale = gamma.map(|gamma| SQRT_LOG2_E / gamma);
        let d: Vec<f64> = (0..11).map(|p| 0.37 * f64::from(p)).collect();
        for basis in [Basis::Gaussian, Basis::Normalized] {
            let kernel = Kernel {
                basis,
                eps,
                reach: reach(&mean, &scale),
                mean: &mean,
                scale: &scale,
                time_mean: &[],
                time_scale: &[],
                level: &[],
                weights: &[],
            };
            let mut values = vec![0.0; mean.len() * d.len()];
            radial_functions(&kernel, &d, &mut values);
            for (p, &d) in d.iter().enumerate() {
                let gaussian = |m: usize| libm::exp(-libm::pow((d - mean[m]) / gamma[m], 2.0));
                let norm = match basis {
                    Basis::Gaussian => 1.0,
                    Basis::Normalized => eps + (0..3).map(gaussian).sum::<f64>(),
                };
                for m in 0..3 {
                    let (got, want) = (values[m * 11 + p], gaussian(m) / norm);
                    assert!((got - want).abs() < 1e-14, "{basis:?} {m} {d}: {got} {want}");
                }
            }
        }
    }
}
