//! How narrow the cells of a compiled radial function have to be.
//!
//! In a cell of width h, interpolation at n Chebyshev points errs by up to 2 (h/4)^n |c_n|, where c_n is the n-th
//! Taylor coefficient of phi. This file computes c_n where phi bends most. For a Gaussian of u = (d - mu)/gamma,
//! g = exp(-u^2), the coefficients follow from g' = -2 u g / gamma:
//!
//! ```text
//! g_(n+1) = -2 / ((n + 1) gamma) (u g_n + g_(n-1) / gamma)
//! ```
//!
//! and for the normalised basis, where K_m = g_m / T with T = eps + sum g, from those of 1 / T:
//! r_n = -r_0 sum_(k>0) T_k r_(n-k).

use super::collapse::{Basis, gaussian};
use crate::lanes::{Lanes, Real, exp2_neg};

/// A model's parameters, wherever they are kept.
pub trait Source {
    /// Which basis.
    fn basis(&self) -> Basis;
    /// The normalisation's regulariser.
    fn eps(&self) -> f64;
    /// M.
    fn n_radial(&self) -> usize;
    /// L.
    fn n_time(&self) -> usize;
    /// `[mu_m, gamma_m]`.
    fn radial(&self, m: usize) -> [f64; 2];
    /// `[mu^t_l, gamma^t_l]`.
    fn time(&self, l: usize) -> [f64; 2];
    /// W_lm.
    fn weight(&self, l: usize, m: usize) -> f64;
    /// b_l + sum_m W_lm a_m^2.
    fn level(&self, l: usize) -> f64;
}

/// Times from 0 to 1 at which phi is looked at.
const TIMES: usize = 8;
/// Vectors of distances that are looked at together.
const VECTORS: usize = 4;
/// Taylor coefficients up to the eighth.
const ORDERS: usize = 9;
/// By how much errors may exceed what is seen at a few points and times. In single precision roundings take most of the
/// tolerance; in double precision log-determinants want slopes that are better than the tolerance makes them.
const SAFETY: f64 = 8.0;

/// Parts of `[0, end]` for each of which the narrowest cells are found: equal parts of the octaves of 1 + 255 d / end, for
/// phi is often steepest at short distances.
const BINS: usize = 256;
/// Bits of the mantissa that number a bin within its octave.
const BIN_BITS: u32 = 5;

/// How many cells a unit of length takes.
pub struct Demand {
    end: f64,
    bins: [f64; BINS],
}

impl Demand {
    /// Where interpolation at `N` points may err by `tolerance` of the largest |phi| between 0 and `end`.
    pub fn new<V: Lanes<Real = f64>, const N: usize>(
        source: &impl Source,
        end: f64,
        tolerance: f64,
    ) -> Demand {
        let mut worst = Worst::<N> { largest: 0.0, end, roots: [[0.0; BINS]; 2] };
        let offset = V::vectorize(
            #[inline(always)]
            || collapse::<V, _>(source, |l| source.level(l)),
        );
        // Points wait until there are enough of them.
        const MOST: usize = 64;
        let (mut pending, mut count) = ([[0.0; 3]; MOST], 0_usize);
        let many = VECTORS * V::WIDTH;
        for_each_point(source, end, |point| {
            if let Some(slot) = pending.get_mut(count) {
                *slot = point;
                count += 1;
            }
            if count == many {
                worst.look_at::<V>(source, &offset, &pending[..many]);
                count = 0;
            }
        });
        worst.look_at::<V>(source, &offset, pending.get(..count).unwrap_or_default());
        Demand { end, bins: worst.cells(tolerance) }
    }

    /// Calls `visit(until, cells a unit of length)` for one bin after the other, each up to where it ends.
    pub fn for_each(&self, mut visit: impl FnMut(f64, f64)) {
        for (&cells, next) in self.bins.iter().zip(1..) {
            visit(bin_start(next, self.end), cells);
        }
    }
}

/// Number of the bin in which d lies.
fn bin(d: f64, end: f64) -> usize {
    let bits = (1.0 + 255.0 * d / end).to_bits().saturating_sub(1.0_f64.to_bits());
    (bits >> (f64::MANTISSA_BITS - BIN_BITS)) as usize
}

/// Where bin number `bin` begins.
fn bin_start(bin: u64, end: f64) -> f64 {
    let z = f64::from_bits(1.0_f64.to_bits() + (bin << (f64::MANTISSA_BITS - BIN_BITS)));
    (z - 1.0) * end / 255.0
}

/// What the points so far demand, of interpolation at `N` points.
struct Worst<const N: usize> {
    /// |phi|.
    largest: f64,
    end: f64,
    /// |c_N|^(1/N) and |c_(N-1)|^(1/(N-1)).
    roots: [[f64; BINS]; 2],
}

impl<const N: usize> Worst<N> {
    fn look_at<V: Lanes<Real = f64>>(
        &mut self,
        source: &impl Source,
        offset: &[f64; TIMES],
        points: &[[f64; 3]],
    ) {
        let Some(&last) = points.last() else { return };
        let d: [V; VECTORS] =
            core::array::from_fn(|v| V::from_fn(|i| points.get(v * V::WIDTH + i).unwrap_or(&last)[1]));
        let largest = V::vectorize(
            #[inline(always)]
            || largest_coefficients::<V, N>(source, offset, &d),
        );
        for (index, &[from, _, until]) in points.iter().enumerate() {
            let [phi, before, top] =
                largest.map(|largest| largest[index / V::WIDTH % VECTORS].lane(index % V::WIDTH));
            self.largest = if self.largest < phi { phi } else { self.largest };
            let found = [libm::pow(top, 1.0 / N as f64), libm::pow(before, 1.0 / (N - 1) as f64)];
            let bins = bin(from, self.end)..bin(until, self.end) + 1;
            for (roots, found) in self.roots.iter_mut().zip(found) {
                for most in roots.iter_mut().take(bins.end).skip(bins.start) {
                    *most = if *most < found { found } else { *most };
                }
            }
        }
    }

    /// Cells a unit of length. Where c_N passes through zero, c_(N-1) is at its largest, and tells how near the poles of
    /// phi are.
    fn cells(&self, tolerance: f64) -> [f64; BINS] {
        if self.largest == 0.0 {
            return [0.0; BINS];
        }
        let n = N as f64;
        // The error's next term, relative to the first, is about a quarter of the width over the distance of the poles.
        let next = libm::pow(0.5 * tolerance, 1.0 / n);
        let factor = (0.25 + next) * libm::pow(2.0 * SAFETY / tolerance, 1.0 / n);
        let top = factor * libm::pow(self.largest, -1.0 / n);
        let before = factor * libm::pow(self.largest, -1.0 / (n - 1.0));
        let [tops, befores] = &self.roots;
        let mut cells = [0.0; BINS];
        for ((cells, &root), &root_before) in cells.iter_mut().zip(tops).zip(befores) {
            let (by_top, by_before) = (root * top, root_before * before);
            *cells = if by_top < by_before { by_before } else { by_top };
        }
        cells
    }
}

/// The largest |phi|, |c_(N-1)| and |c_N| over the times, at each of the distances.
#[inline(always)]
fn largest_coefficients<V: Lanes<Real = f64>, const N: usize>(
    source: &impl Source,
    offset: &[f64; TIMES],
    d: &[V; VECTORS],
) -> [[V; VECTORS]; 3] {
    let normalized = source.basis() == Basis::Normalized;
    let inverse = normalized.then(|| d.map(|d| inverse_norm::<V, N>(source, d)));
    let mut sums = [[[V::zero(); VECTORS]; 3]; TIMES];
    for (sums, &offset) in sums.iter_mut().zip(offset) {
        sums[0] = [V::splat(offset); VECTORS];
    }
    for m in 0..source.n_radial() {
        let weights = collapse::<V, _>(source, |l| source.weight(l, m));
        let mut coefficients = [[V::zero(); VECTORS]; 3];
        for v in 0..VECTORS {
            let series = series::<V, N>(source.radial(m), d[v]);
            let found = match &inverse {
                Some(inverse) => [0, N - 1, N].map(
                    #[inline(always)]
                    |order| product(&series, &inverse[v], order),
                ),
                None => [series[0], series[N - 1], series[N]],
            };
            coefficients.iter_mut().zip(found).for_each(|(coefficients, found)| coefficients[v] = found);
        }
        for (sums, &weight) in sums.iter_mut().zip(&weights) {
            for (sums, coefficients) in sums.iter_mut().zip(&coefficients) {
                for (sum, &coefficient) in sums.iter_mut().zip(coefficients) {
                    *sum += V::splat(weight) * coefficient;
                }
            }
        }
    }
    let mut largest = [[V::zero(); VECTORS]; 3];
    for sums in &sums {
        for (largest, sum) in largest.as_flattened_mut().iter_mut().zip(sums.as_flattened()) {
            let found = sum.magnitude();
            *largest = largest.select_less(found, found, *largest);
        }
    }
    largest
}

/// sum_l R_l(t) column_l at the times.
#[inline(always)]
fn collapse<V: Lanes<Real = f64>, F: Fn(usize) -> f64>(source: &impl Source, column: F) -> [f64; TIMES] {
    let mut sums = [0.0; TIMES];
    for (part, sums) in sums.chunks_mut(V::WIDTH).enumerate() {
        let t = V::from_fn(|i| (part * V::WIDTH + i) as f64 / (TIMES - 1) as f64);
        let (mut sum, mut total) = (V::zero(), V::splat(source.eps()));
        for l in 0..source.n_time() {
            let [mean, gamma] = source.time(l);
            let h = gaussian(t, mean, super::SQRT_LOG2_E / gamma);
            total += h;
            sum += h * V::splat(column(l));
        }
        let sum = if source.basis() == Basis::Normalized { sum / total } else { sum };
        sums.iter_mut().zip(sum.as_slice()).for_each(|(target, &sum)| *target = sum);
    }
    sums
}

/// Taylor coefficients of a Gaussian around d, up to order `N`.
#[inline(always)]
fn series<V: Lanes<Real = f64>, const N: usize>([mean, gamma]: [f64; 2], d: V) -> [V; ORDERS] {
    let inverse = V::splat(1.0 / gamma);
    let u = (d - V::splat(mean)) * inverse;
    let mut series = [V::zero(); ORDERS];
    series[0] = exp2_neg(u * u * V::constant(core::f64::consts::LOG2_E));
    let mut before = V::zero();
    for n in 0..N {
        let factor = inverse * V::constant(-2.0 / (n + 1) as f64);
        series[n + 1] = factor * (u * series[n] + inverse * before);
        before = series[n];
    }
    series
}

/// Those of 1 / (eps + sum g).
#[inline(always)]
fn inverse_norm<V: Lanes<Real = f64>, const N: usize>(source: &impl Source, d: V) -> [V; ORDERS] {
    let mut norm = [V::zero(); ORDERS];
    norm[0] = V::splat(source.eps());
    for m in 0..source.n_radial() {
        for (sum, term) in norm.iter_mut().zip(series::<V, N>(source.radial(m), d)) {
            *sum += term;
        }
    }
    let mut inverse = [V::zero(); ORDERS];
    inverse[0] = V::constant(1.0) / norm[0];
    for n in 1..=N {
        let mut sum = V::zero();
        for (&norm, &inverse) in norm[1..=n].iter().zip(inverse[..n].iter().rev()) {
            sum += norm * inverse;
        }
        inverse[n] = -(inverse[0] * sum);
    }
    inverse
}

/// Coefficient number `order` of a product.
#[inline(always)]
fn product<V: Lanes>(a: &[V; ORDERS], b: &[V; ORDERS], order: usize) -> V {
    let mut sum = V::zero();
    for (&a, &b) in a.iter().zip(b.iter().take(order + 1).rev()) {
        sum += a * b;
    }
    sum
}

/// Gaussians count within this many bandwidths.
const REACH: f64 = 5.0;

/// Calls `visit([from, d, until])` at points d that stand for what lies around them, and cover `[0, end]`: steps of half
/// the narrowest bandwidth within reach, but no more than 4096 of them; the middles of Gaussians that such steps might leap
/// over; and for the normalised basis where one Gaussian takes over from the next or from the regulariser.
fn for_each_point(source: &impl Source, end: f64, mut visit: impl FnMut([f64; 3])) {
    let gaussians = || (0..source.n_radial()).map(|m| source.radial(m));
    let least = end / 4096.0;
    let (mut from, mut d) = (0.0, 0.0);
    while d < end {
        let mut step = 0.25 * end;
        for [mean, gamma] in gaussians() {
            let before = mean - REACH * gamma - d;
            let half = 0.5 * gamma;
            let here = if before > half { before } else { half };
            if here < step && d - mean < REACH * gamma {
                step = here;
            }
        }
        let next = d + if step < least { least } else { step };
        visit([from, d, next]);
        (from, d) = (d, next);
    }
    let mut visit = |d: f64, gamma: f64| {
        if d > 0.0 && d < end {
            let from = d - 0.5 * gamma;
            visit([if from < 0.0 { 0.0 } else { from }, d, d + 0.5 * gamma]);
        }
    };
    for [mean, gamma] in gaussians().filter(|[_, gamma]| 0.5 * gamma < least) {
        [-1.0, 0.0, 1.0].into_iter().for_each(|k| visit(mean + k * gamma, gamma));
    }
    if source.basis() == Basis::Normalized {
        for_each_crossing(source, visit);
    }
}

fn for_each_crossing(source: &impl Source, mut visit: impl FnMut(f64, f64)) {
    // There a Gaussian is as large as the regulariser.
    let edge = libm::sqrt(-libm::log(source.eps().clamp(1e-300, 0.5)));
    let gaussian = |m: Option<usize>| m.filter(|&m| m < source.n_radial()).map(|m| source.radial(m));
    let is_larger = |other: Option<[f64; 2]>, d: f64| {
        other.is_some_and(|[mean, gamma]| (d - mean) * (d - mean) < edge * edge * gamma * gamma)
    };
    for m in 0..source.n_radial() {
        let [mean, gamma] = source.radial(m);
        let (previous, next) = (gaussian(m.checked_sub(1)), gaussian(Some(m + 1)));
        for d in [mean - edge * gamma, mean + edge * gamma] {
            if !is_larger(previous, d) && !is_larger(next, d) {
                visit(d, gamma);
            }
        }
        if let Some([next, next_gamma]) = next
            && next - mean > 0.5 * (gamma + next_gamma)
        {
            visit((mean * next_gamma + next * gamma) / (gamma + next_gamma), gamma);
        }
    }
}
