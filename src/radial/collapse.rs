//! Collapse in time: at time t the L x M weights become one offset and M weights.

use crate::lanes::{Lanes, Real, exp2_neg};

/// Which functions of distance and time carry the weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// K = g, R = h: plain Gaussians.
    Gaussian,
    /// Gaussians divided by `eps` plus their sum.
    Normalized,
}

/// The square root of log2(e): g = 2^-(((d - mu) * scale)^2) with scale = SQRT_LOG2_E / gamma.
pub const SQRT_LOG2_E: f64 = 1.201_122_408_786_449_8;

/// A radial function's parameters as the evaluation wants them (all borrowed).
#[derive(Clone, Copy, Debug)]
pub struct Kernel<'a, R> {
    /// Which basis.
    pub basis: Basis,
    /// The normalisation's regulariser (unused by [`Basis::Gaussian`]).
    pub eps: R,
    /// The distance at which every Gaussian has reached its cut-off ([`reach`]): phi is constant from there on.
    pub reach: R,
    /// mu, `[M]`.
    pub mean: &'a [R],
    /// sqrt(log2 e) / gamma, `[M]`.
    pub scale: &'a [R],
    /// mu^t, `[L]`.
    pub time_mean: &'a [R],
    /// sqrt(log2 e) / gamma^t, `[L]`.
    pub time_scale: &'a [R],
    /// b_l + sum_m W_lm a_m^2, `[L]`.
    pub level: &'a [R],
    /// W, `[L][M]`.
    pub weights: &'a [R],
}

/// The distance at which Gaussians with these means and scales have all fallen to `2^-EXPONENT_LIMIT`.
pub fn reach<R: Real>(mean: &[R], scale: &[R]) -> R {
    let width = libm::sqrt(R::EXPONENT_LIMIT.to_f64());
    let mut farthest = 0.0;
    for (mean, scale) in mean.iter().zip(scale) {
        let end = mean.to_f64() + width / scale.to_f64();
        farthest = if farthest < end { end } else { farthest };
    }
    R::from_f64(farthest.min(R::MAX.to_f64()))
}

impl<R: Real> Kernel<'_, R> {
    /// W_l, `[M]`, for each l.
    #[inline(always)]
    pub(super) fn weights_by_time(&self) -> impl Iterator<Item = &[R]> {
        self.weights.chunks_exact(self.mean.len().max(1))
    }

    /// Writes `weights[m]` = sum_l R_l(t) W_lm and returns the offset sum_l R_l(t) level_l.
    ///
    /// Each lane may have its own time. `weights` has length M.
    pub fn collapse<V: Lanes<Real = R>>(&self, t: V, weights: &mut [V]) -> V {
        V::vectorize(
            #[inline(always)]
            || self.collapse_lanes(t, weights),
        )
    }

    #[inline(always)]
    fn collapse_lanes<V: Lanes<Real = R>>(&self, t: V, weights: &mut [V]) -> V {
        weights.fill(V::zero());
        let mut offset = V::zero();
        let mut total = V::zero();
        let times = self.time_mean.iter().zip(self.time_scale).zip(self.level);
        for (((&mean, &scale), &level), row) in times.zip(self.weights_by_time()) {
            let h = gaussian(t, mean, scale);
            total += h;
            offset += h * V::splat(level);
            for (sum, &w) in weights.iter_mut().zip(row) {
                *sum += h * V::splat(w);
            }
        }
        if self.basis == Basis::Normalized {
            let norm = V::constant(1.0) / (V::splat(self.eps) + total);
            offset = offset * norm;
            for w in weights.iter_mut() {
                *w = *w * norm;
            }
        }
        offset
    }

    /// sum_l R_l(t) column_l, with the bits of [`Kernel::collapse`].
    pub(super) fn collapse_column<'a>(&self, t: R, column: impl Iterator<Item = &'a R>) -> R
    where
        R: 'a,
    {
        let (mut sum, mut total) = (R::zero(), R::zero());
        for ((&mean, &scale), &value) in self.time_mean.iter().zip(self.time_scale).zip(column) {
            let h = gaussian(t, mean, scale);
            total += h;
            sum += h * value;
        }
        match self.basis {
            Basis::Gaussian => sum,
            Basis::Normalized => sum * (R::constant(1.0) / (self.eps + total)),
        }
    }
}

/// exp(-((t - mean)/gamma)^2) with scale = sqrt(log2 e) / gamma.
#[inline(always)]
pub(super) fn gaussian<V: Lanes>(t: V, mean: V::Real, scale: V::Real) -> V {
    let z = (t - V::splat(mean)) * V::splat(scale);
    exp2_neg(z * z)
}

/// Writes R_l(t) for each l into `values` (length L).
pub fn time_functions<R: Real>(kernel: &Kernel<'_, R>, t: R, values: &mut [R]) {
    let mut total = kernel.eps;
    for ((value, &mean), &scale) in values.iter_mut().zip(kernel.time_mean).zip(kernel.time_scale) {
        *value = gaussian(t, mean, scale);
        total += *value;
    }
    if kernel.basis == Basis::Normalized {
        for value in values.iter_mut() {
            *value = *value / total;
        }
    }
}

/// Given the cotangents of R_l(t), adds those of mu^t and of log gamma^t.
///
/// `values` are the R_l(t) of [`time_functions`]. For both bases the sensitivity of R_l to a Gaussian's
/// logarithm is R_l (bar_l - sum_k R_k bar_k), the sum only if normalised, which needs no second exponential.
pub fn time_transpose<R: Real>(
    kernel: &Kernel<'_, R>,
    t: R,
    values: &[R],
    values_bar: &[R],
    mean_bar: &mut [R],
    log_gamma_bar: &mut [R],
) {
    let mut common = R::from_f64(0.0);
    if kernel.basis == Basis::Normalized {
        for (&value, &bar) in values.iter().zip(values_bar) {
            common += value * bar;
        }
    }
    for l in 0..values.len() {
        let log_bar = values[l] * (values_bar[l] - common);
        let inverse_gamma = kernel.time_scale[l] * R::from_f64(1.0 / SQRT_LOG2_E);
        let q = (t - kernel.time_mean[l]) * inverse_gamma;
        let two_q = q + q;
        mean_bar[l] += log_bar * two_q * inverse_gamma;
        log_gamma_bar[l] += log_bar * two_q * q;
    }
}
