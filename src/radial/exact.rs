//! phi and its derivatives by summing all Gaussians: the exact path, the reference for every faster one.

use super::Radial;
use super::blocks::{BlockVisitor, for_each_block};
use super::collapse::{Basis, Kernel};
use crate::lanes::{Lanes, Real, exp2_neg_each};

/// ln 2, turning derivatives of 2^-w into those of exp.
pub(super) const LN_2: f64 = core::f64::consts::LN_2;

/// The collapsed weights of the Gaussians at one time.
pub trait Weights<V: Lanes>: Copy {
    /// The weights in the order of the Gaussians.
    fn iter(self) -> impl Iterator<Item = V>;
}

/// One time for all lanes: weights stored once a Gaussian.
#[derive(Clone, Copy, Debug)]
pub struct Shared<'a, R>(pub &'a [R]);

impl<V: Lanes> Weights<V> for Shared<'_, V::Real> {
    #[inline(always)]
    fn iter(self) -> impl Iterator<Item = V> {
        self.0.iter().map(|&w| V::splat(w))
    }
}

/// Each lane at its own time: weights stored a Gaussian and lane.
#[derive(Clone, Copy, Debug)]
pub struct PerLane<'a, V>(pub &'a [V]);

impl<V: Lanes> Weights<V> for PerLane<'_, V> {
    #[inline(always)]
    fn iter(self) -> impl Iterator<Item = V> {
        self.0.iter().copied()
    }
}

/// Collapses on the fly, for the few distances of a diagnostic: L exponentials a Gaussian, but no memory.
#[derive(Clone, Copy, Debug)]
pub struct AtTime<'a, R> {
    /// The parameters.
    pub kernel: Kernel<'a, R>,
    /// The time.
    pub t: R,
}

impl<R: Real> AtTime<'_, R> {
    /// The collapsed offset.
    pub fn offset<V: Lanes<Real = R>>(&self) -> V {
        V::splat(self.kernel.collapse_column(self.t, self.kernel.level.iter()))
    }
}

impl<R: Real, V: Lanes<Real = R>> Weights<V> for AtTime<'_, R> {
    fn iter(self) -> impl Iterator<Item = V> {
        let m = self.kernel.mean.len();
        (0..m).map(move |i| {
            let column = self.kernel.weights.iter().skip(i).step_by(m.max(1));
            V::splat(self.kernel.collapse_column(self.t, column))
        })
    }
}

/// phi(., t) as the sum over all Gaussians.
#[derive(Clone, Copy, Debug)]
pub struct Exact<'a, V: Lanes, W> {
    /// Means, bandwidths and basis.
    pub kernel: Kernel<'a, V::Real>,
    /// The part of phi that does not depend on d.
    pub offset: V,
    /// Collapsed weights.
    pub weights: W,
}

/// Sums over the Gaussians for `U` distances, without the factors (-2 ln 2)^order of the derivatives:
/// with z = (d - mu) scale, g' = -2 ln 2 (scale z g) and g'' = -2 ln 2 scale (scale g - 2 ln 2 z (scale z g)).
#[derive(Clone, Copy)]
pub(super) struct Sums<V, const U: usize> {
    pub plain: [[V; U]; 3],
    pub weighted: [[V; U]; 3],
}

impl<V: Lanes, const U: usize> Sums<V, U> {
    #[inline(always)]
    fn add<const NORMALIZED: bool>(&mut self, order: usize, u: usize, weight: V, value: V) {
        self.weighted[order][u] += weight * value;
        if NORMALIZED {
            self.plain[order][u] += value;
        }
    }
}

/// phi, phi', phi'' and the normalisation of one distance.
#[derive(Clone, Copy)]
pub(super) struct Values<V> {
    pub phi: V,
    pub slope: V,
    pub curvature: V,
    /// 1 / (eps + sum g), or 1.
    pub inverse_norm: V,
    /// (sum w g) / norm.
    pub quotient: V,
    /// d(norm)/dd, or 0.
    pub norm_slope: V,
}

impl<V: Lanes> Values<V> {
    /// With phi' = phi'' = 0 where `d` lies beyond `reach`: a Gaussian is cut off at `2^-EXPONENT_LIMIT` and not at
    /// zero, so beyond all of them d phi' would grow with the square of d again.
    #[inline(always)]
    pub(super) fn constant_beyond(mut self, reach: V, d: V) -> Self {
        self.slope = reach.select_less(d, V::zero(), self.slope);
        self.curvature = reach.select_less(d, V::zero(), self.curvature);
        self
    }
}

impl<'a, V: Lanes, W: Weights<V>> Exact<'a, V, W> {
    /// Sums up to derivative `ORDER`; `visit(m, u, z, g)` sees every Gaussian as it is computed.
    ///
    /// Where the basis is Gaussian the plain sums are not needed and stay zero.
    #[inline(always)]
    pub(super) fn sums<const U: usize, const ORDER: usize, const NORMALIZED: bool>(
        &self,
        d: &[V; U],
        mut visit: impl FnMut(usize, usize, V, V),
    ) -> Sums<V, U> {
        let mut sums = Sums { plain: [[V::zero(); U]; 3], weighted: [[V::zero(); U]; 3] };
        let two_ln_2 = V::constant(2.0 * LN_2);
        let gaussians = self.kernel.mean.iter().zip(self.kernel.scale).zip(self.weights.iter());
        for (m, ((&mean, &scale), weight)) in gaussians.enumerate() {
            let (mean, scale) = (V::splat(mean), V::splat(scale));
            let z: [V; U] = core::array::from_fn(|u| (d[u] - mean) * scale);
            let gaussians = exp2_neg_each(z.map(
                #[inline(always)]
                |z| z * z,
            ));
            for u in 0..U {
                let (z, g) = (z[u], gaussians[u]);
                let slope = (scale * z) * g;
                visit(m, u, z, g);
                sums.add::<NORMALIZED>(0, u, weight, g);
                sums.add::<NORMALIZED>(1, u, weight, slope);
                if ORDER == 2 {
                    let curvature = scale * (scale * g - two_ln_2 * (z * slope));
                    sums.add::<NORMALIZED>(2, u, weight, curvature);
                }
            }
        }
        sums
    }

    /// From the sums of one distance to phi and its derivatives: with T = eps + S and phi - c = A/T,
    /// phi' T = A' - (A/T) S' and phi'' T = A'' - 2 phi' S' - (A/T) S''.
    #[inline(always)]
    pub(super) fn finish<const U: usize, const NORMALIZED: bool>(
        &self,
        sums: &Sums<V, U>,
        u: usize,
    ) -> Values<V> {
        let factor = V::constant(-2.0 * LN_2);
        let [plain, plain_slope, plain_curvature] = sums.plain.map(|s| s[u]);
        let [weighted, weighted_slope, weighted_curvature] = sums.weighted.map(|s| s[u]);
        if NORMALIZED {
            let inverse_norm = V::constant(1.0) / (V::splat(self.kernel.eps) + plain);
            let quotient = weighted * inverse_norm;
            let norm_slope = factor * plain_slope;
            let slope = (factor * weighted_slope - quotient * norm_slope) * inverse_norm;
            let bend = factor * (weighted_curvature - quotient * plain_curvature);
            let curvature = (bend - (slope + slope) * norm_slope) * inverse_norm;
            Values { phi: self.offset + quotient, slope, curvature, inverse_norm, quotient, norm_slope }
        } else {
            Values {
                phi: self.offset + weighted,
                slope: factor * weighted_slope,
                curvature: factor * weighted_curvature,
                inverse_norm: V::constant(1.0),
                quotient: weighted,
                norm_slope: V::zero(),
            }
        }
    }

    #[inline(always)]
    fn evaluate<const ORDER: usize>(&self, d: &[V], write: impl FnMut(Values<V>)) {
        match self.kernel.basis {
            Basis::Gaussian => {
                for_each_block(d, &mut Evaluation::<V, W, _, ORDER, false> { radial: self, write });
            }
            Basis::Normalized => {
                for_each_block(d, &mut Evaluation::<V, W, _, ORDER, true> { radial: self, write });
            }
        }
    }
}

/// Evaluates blocks up to derivative `ORDER` and hands the distances' values to `write`, one after the other.
struct Evaluation<'e, 'k, V: Lanes, W, F, const ORDER: usize, const NORMALIZED: bool> {
    radial: &'e Exact<'k, V, W>,
    write: F,
}

impl<V, W, F, const ORDER: usize, const NORMALIZED: bool> BlockVisitor<V>
    for Evaluation<'_, '_, V, W, F, ORDER, NORMALIZED>
where
    V: Lanes,
    W: Weights<V>,
    F: FnMut(Values<V>),
{
    #[inline(always)]
    fn visit<const U: usize>(&mut self, _: usize, d: &[V; U]) {
        let reach = V::splat(self.radial.kernel.reach);
        let within = d.map(
            #[inline(always)]
            |d| d.at_most(reach),
        );
        let sums = self.radial.sums::<U, ORDER, NORMALIZED>(&within, |_, _, _, _| {});
        for u in 0..U {
            let values = self.radial.finish::<U, NORMALIZED>(&sums, u);
            (self.write)(values.constant_beyond(reach, d[u]));
        }
    }
}

impl<V: Lanes, W: Weights<V>> Radial<V> for Exact<'_, V, W> {
    #[inline]
    fn value_slope(&self, d: &[V], phi: &mut [V], slope: &mut [V]) {
        V::vectorize(
            #[inline(always)]
            || {
                let mut outputs = phi.iter_mut().zip(slope);
                self.evaluate::<1>(
                    d,
                    #[inline(always)]
                    |values| {
                        if let Some((phi, slope)) = outputs.next() {
                            (*phi, *slope) = (values.phi, values.slope);
                        }
                    },
                );
            },
        );
    }

    #[inline]
    fn value_slope_curvature(&self, d: &[V], phi: &mut [V], slope: &mut [V], curvature: &mut [V]) {
        V::vectorize(
            #[inline(always)]
            || {
                let mut outputs = phi.iter_mut().zip(slope).zip(curvature);
                self.evaluate::<2>(
                    d,
                    #[inline(always)]
                    |values| {
                        if let Some(((phi, slope), curvature)) = outputs.next() {
                            (*phi, *slope, *curvature) = (values.phi, values.slope, values.curvature);
                        }
                    },
                );
            },
        );
    }
}
