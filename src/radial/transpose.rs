//! From the cotangents of phi and phi' to those of the collapsed weights, the means and the bandwidths.

use super::blocks::{BlockVisitor, LARGEST, for_each_block};
use super::collapse::Basis;
use super::exact::{Exact, LN_2, Values, Weights};
use crate::lanes::Lanes;

/// Scratch vectors that [`Exact::value_slope_curvature_transpose`] needs a Gaussian: z and g of a block.
pub const TRANSPOSE_SCRATCH_PER_GAUSSIAN: usize = 2 * LARGEST;

/// Where the cotangents of a radial function's parameters add up, lane by lane.
#[derive(Debug)]
pub struct RadialGradient<'a, V> {
    /// Of the collapsed offset at this time.
    pub offset: &'a mut V,
    /// Of the collapsed weights at this time, `[M]`.
    pub weights: &'a mut [V],
    /// Of mu, `[M]`.
    pub mean: &'a mut [V],
    /// Of log gamma, `[M]`.
    pub log_gamma: &'a mut [V],
}

/// Cotangents of the four sums A = sum w g, A', S = sum g, S' behind one distance.
#[derive(Clone, Copy)]
struct SumsBar<V> {
    weighted: V,
    weighted_slope: V,
    plain: V,
    plain_slope: V,
}

impl<V: Lanes, W: Weights<V>> Exact<'_, V, W> {
    /// Writes phi, phi', phi'' and adds the parameters' share of sum(phi_bar phi + slope_bar phi') to `gradient`.
    ///
    /// All distance slices have the same length; `scratch` has length M times
    /// [`TRANSPOSE_SCRATCH_PER_GAUSSIAN`].
    pub fn value_slope_curvature_transpose(
        &self,
        d: &[V],
        [phi_bar, slope_bar]: [&[V]; 2],
        [phi, slope, curvature]: [&mut [V]; 3],
        gradient: &mut RadialGradient<'_, V>,
        scratch: &mut [V],
    ) {
        V::vectorize(
            #[inline(always)]
            || {
                let bars = [phi_bar, slope_bar];
                let outputs = [phi, slope, curvature];
                let (gaussians, _) = scratch.as_chunks_mut::<2>();
                match self.kernel.basis {
                    Basis::Gaussian => for_each_block(
                        d,
                        &mut Transposition::<V, W, false> {
                            radial: self,
                            bars,
                            outputs,
                            gradient,
                            gaussians,
                        },
                    ),
                    Basis::Normalized => for_each_block(
                        d,
                        &mut Transposition::<V, W, true> { radial: self, bars, outputs, gradient, gaussians },
                    ),
                }
            },
        );
    }

    /// Second pass over the Gaussians. With q = g_bar g' + g'_bar g'' : mu_bar = -q and
    /// log gamma_bar = -(d - mu) q - g'_bar g', since g depends on (d - mu)/gamma alone.
    #[inline(always)]
    fn scatter<const U: usize, const NORMALIZED: bool>(
        &self,
        d: &[V; U],
        sums_bar: &[SumsBar<V>; U],
        gaussians: &[[V; 2]],
        gradient: &mut RadialGradient<'_, V>,
    ) {
        let factor = V::constant(-2.0 * LN_2);
        let (blocks, _) = gaussians.as_chunks::<U>();
        let parameters = self.kernel.mean.iter().zip(self.kernel.scale).zip(self.weights.iter());
        let sinks = gradient.weights.iter_mut().zip(&mut *gradient.mean).zip(&mut *gradient.log_gamma);
        for ((((&mean, &scale), weight), ((weight_sum, mean_sum), gamma_sum)), block) in
            parameters.zip(sinks).zip(blocks)
        {
            let (mean, scale) = (V::splat(mean), V::splat(scale));
            for u in 0..U {
                let [z, g] = block[u];
                let bar = &sums_bar[u];
                let unscaled = (scale * z) * g;
                let slope = factor * unscaled;
                let curvature = factor * (scale * (scale * g + factor * (z * unscaled)));
                let mut g_bar = weight * bar.weighted;
                let mut slope_bar = weight * bar.weighted_slope;
                if NORMALIZED {
                    g_bar += bar.plain;
                    slope_bar += bar.plain_slope;
                }
                let shift = g_bar * slope + slope_bar * curvature;
                *weight_sum += bar.weighted * g + bar.weighted_slope * slope;
                *mean_sum -= shift;
                *gamma_sum -= (d[u] - mean) * shift + slope_bar * slope;
            }
        }
    }
}

/// Evaluates blocks like an evaluation of order 2 and scatters their cotangents.
struct Transposition<'e, 'k, 'g, V: Lanes, W, const NORMALIZED: bool> {
    radial: &'e Exact<'k, V, W>,
    bars: [&'e [V]; 2],
    outputs: [&'e mut [V]; 3],
    gradient: &'e mut RadialGradient<'g, V>,
    gaussians: &'e mut [[V; 2]],
}

impl<V, W, const NORMALIZED: bool> BlockVisitor<V> for Transposition<'_, '_, '_, V, W, NORMALIZED>
where
    V: Lanes,
    W: Weights<V>,
{
    #[inline(always)]
    fn visit<const U: usize>(&mut self, first: usize, d: &[V; U]) {
        let reach = V::splat(self.radial.kernel.reach);
        let within = d.map(
            #[inline(always)]
            |d| d.at_most(reach),
        );
        let gaussians = &mut *self.gaussians;
        let sums = self.radial.sums::<U, 2, NORMALIZED>(
            &within,
            #[inline(always)]
            |m, u, z, g| gaussians[m * U + u] = [z, g],
        );
        let mut sums_bar =
            [SumsBar { weighted: d[0], weighted_slope: d[0], plain: d[0], plain_slope: d[0] }; U];
        for u in 0..U {
            let values = self.radial.finish::<U, NORMALIZED>(&sums, u);
            let phi_bar = self.bars[0][first + u];
            let slope_bar = reach.select_less(d[u], V::zero(), self.bars[1][first + u]);
            *self.gradient.offset += phi_bar;
            let [phi, slope, curvature] = &mut self.outputs;
            let written = values.constant_beyond(reach, d[u]);
            (phi[first + u], slope[first + u], curvature[first + u]) =
                (written.phi, written.slope, written.curvature);
            sums_bar[u] = sums_transpose::<V, NORMALIZED>(&values, phi_bar, slope_bar);
        }
        self.radial.scatter::<U, NORMALIZED>(&within, &sums_bar, self.gaussians, self.gradient);
    }
}

/// phi = c + A/T, phi' = (A' - (A/T) S')/T with T = eps + S, differentiated for A, A', S, S'.
#[inline(always)]
fn sums_transpose<V: Lanes, const NORMALIZED: bool>(
    values: &Values<V>,
    phi_bar: V,
    slope_bar: V,
) -> SumsBar<V> {
    if NORMALIZED {
        let weighted_slope = slope_bar * values.inverse_norm;
        let weighted = (phi_bar - weighted_slope * values.norm_slope) * values.inverse_norm;
        SumsBar {
            weighted,
            weighted_slope,
            plain: -(weighted * values.quotient + weighted_slope * values.slope),
            plain_slope: -(weighted_slope * values.quotient),
        }
    } else {
        SumsBar { weighted: phi_bar, weighted_slope: slope_bar, plain: V::zero(), plain_slope: V::zero() }
    }
}
