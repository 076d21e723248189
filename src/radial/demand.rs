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
//! r_n = -r_0 sum_(k>0) T_k r_(n-k). Gaussians that are too small to matter for the tolerance are left out.

use super::collapse::{Basis, gaussian};
use crate::lanes::{Lanes, Real, exp2_neg};
use core::f64::consts::LOG2_E;

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
/// How many functions of time are kept; the others are computed for each function of distance again.
const KEPT: usize = 32;
/// Where a Gaussian is 2^-MARGIN of the tolerance, its eighth Taylor coefficient, (2 u)^8 / 8! times larger, is below it.
const MARGIN: f64 = 12.0;
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
    /// What they are wanted for, relative to the largest |phi|.
    pub tolerance: f64,
    end: f64,
    bins: [f64; BINS],
}

impl Demand {
    /// Of interpolation at `N` points between 0 and `end`.
    pub fn new<V: Lanes<Real = f64>, const N: usize>(model: &Collapsed<'_, impl Source>, end: f64) -> Demand {
        let mut worst = Worst::<N> { largest: 0.0, end, roots: [[0.0; BINS]; 2] };
        // Points wait until there are enough of them.
        const MOST: usize = 64;
        let (mut pending, mut count) = ([[0.0; 3]; MOST], 0_usize);
        let many = VECTORS * V::WIDTH;
        for_each_point(model.source, end, |point| {
            if let Some(slot) = pending.get_mut(count) {
                *slot = point;
                count += 1;
            }
            if count == many {
                worst.look_at::<V>(model, &pending[..many]);
                count = 0;
            }
        });
        worst.look_at::<V>(model, pending.get(..count).unwrap_or_default());
        Demand { tolerance: model.tolerance, end, bins: worst.cells(model.tolerance) }
    }

    /// The most cells that a unit of length takes anywhere between `from` and `until`.
    pub fn most(&self, from: f64, until: f64) -> f64 {
        let bins = bin(from, self.end)..bin(until, self.end) + 1;
        let bins = self.bins.iter().take(bins.end).skip(bins.start);
        bins.fold(0.0, |most, &cells| if most < cells { cells } else { most })
    }
}

/// Number of the bin in which d lies.
fn bin(d: f64, end: f64) -> usize {
    let bits = (1.0 + 255.0 * d / end).to_bits().saturating_sub(1.0_f64.to_bits());
    (bits >> (f64::MANTISSA_BITS - BIN_BITS)) as usize
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
    fn look_at<V: Lanes<Real = f64>>(&mut self, model: &Collapsed<'_, impl Source>, points: &[[f64; 3]]) {
        let Some(&last) = points.last() else { return };
        let d: [V; VECTORS] =
            core::array::from_fn(|v| V::from_fn(|i| points.get(v * V::WIDTH + i).unwrap_or(&last)[1]));
        let largest = V::vectorize(
            #[inline(always)]
            || largest_coefficients::<V, N>(model, &d),
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

/// The functions of distance at [`TIMES`], and which of their Gaussians count.
pub struct Collapsed<'a, S> {
    source: &'a S,
    tolerance: f64,
    /// The first R_l.
    kept: [[f64; TIMES]; KEPT],
    /// What the functions of time are divided by.
    norm: [f64; TIMES],
    /// A Gaussian below 2^-limit is zero.
    limit: f64,
}

impl<'a, S: Source> Collapsed<'a, S> {
    /// For errors up to `tolerance` of the largest |phi|.
    pub fn new<V: Lanes<Real = f64>>(source: &'a S, tolerance: f64) -> Self {
        let (mut norm, mut floor) = ([1.0; TIMES], tolerance);
        if source.basis() == Basis::Normalized {
            norm = [source.eps(); TIMES];
            for l in 0..source.n_time() {
                let time = time_gaussian::<V, S>(source, l);
                norm.iter_mut().zip(time).for_each(|(norm, time)| *norm += time);
            }
            floor *= source.eps();
        }
        let limit = MARGIN - libm::log2(floor);
        let mut model = Collapsed { source, tolerance, kept: [[0.0; TIMES]; KEPT], norm, limit };
        for l in 0..source.n_time().min(KEPT) {
            let time = model.time_function::<V>(l);
            if let Some(kept) = model.kept.get_mut(l) {
                *kept = time;
            }
        }
        model
    }

    /// R_l.
    fn time_function<V: Lanes<Real = f64>>(&self, l: usize) -> [f64; TIMES] {
        let mut time = time_gaussian::<V, S>(self.source, l);
        time.iter_mut().zip(&self.norm).for_each(|(time, norm)| *time /= norm);
        time
    }

    /// sum_l R_l column_l.
    #[inline(always)]
    fn collapse<V: Lanes<Real = f64>>(&self, column: impl Fn(usize) -> f64) -> [f64; TIMES] {
        let mut sums = [0.0; TIMES];
        for l in 0..self.source.n_time() {
            let time = match self.kept.get(l) {
                Some(&time) => time,
                None => self.time_function::<V>(l),
            };
            let value = column(l);
            sums.iter_mut().zip(time).for_each(|(sum, time)| *sum += time * value);
        }
        sums
    }

    /// The Gaussians that are not zero everywhere between `from` and `to`: number, mu and 1 / gamma. Left out are only those
    /// that [`series`] makes zero in all lanes, so that nothing depends on the vectors' width.
    #[inline(always)]
    fn gaussians(&self, [from, to]: [f64; 2]) -> impl Iterator<Item = (usize, [f64; 2])> {
        let gaussian = |m| {
            let [mean, gamma] = self.source.radial(m);
            (m, [mean, 1.0 / gamma])
        };
        (0..self.source.n_radial()).map(gaussian).filter(move |&(_, [mean, inverse])| {
            let nearest = if mean < from {
                from
            } else if to < mean {
                to
            } else {
                mean
            };
            let u = (nearest - mean) * inverse;
            u * u * LOG2_E <= self.limit
        })
    }
}

/// Gaussian number l of time.
fn time_gaussian<V: Lanes<Real = f64>, S: Source>(source: &S, l: usize) -> [f64; TIMES] {
    let [mean, gamma] = source.time(l);
    V::vectorize(
        #[inline(always)]
        || {
            let mut values = [0.0; TIMES];
            for (part, values) in values.chunks_mut(V::WIDTH).enumerate() {
                let t = V::from_fn(|i| (part * V::WIDTH + i) as f64 / (TIMES - 1) as f64);
                let h = gaussian(t, mean, super::SQRT_LOG2_E / gamma);
                values.iter_mut().zip(h.as_slice()).for_each(|(value, &h)| *value = h);
            }
            values
        },
    )
}

/// The largest |phi|, |c_(N-1)| and |c_N| over the times, at each of the distances.
#[inline(always)]
fn largest_coefficients<V: Lanes<Real = f64>, const N: usize>(
    model: &Collapsed<'_, impl Source>,
    d: &[V; VECTORS],
) -> [[V; VECTORS]; 3] {
    let source = model.source;
    let all = || d.iter().flat_map(|d| d.as_slice()).copied();
    let range = [all().fold(f64::INFINITY, f64::min), all().fold(0.0, f64::max)];
    let inverse = (source.basis() == Basis::Normalized).then(|| inverse_norm::<V, N>(model, range, d));
    let mut sums = [[[V::zero(); VECTORS]; 3]; TIMES];
    for (sums, offset) in sums.iter_mut().zip(model.collapse::<V>(|l| source.level(l))) {
        sums[0] = [V::splat(offset); VECTORS];
    }
    for (m, gaussian) in model.gaussians(range) {
        let weights = model.collapse::<V>(|l| source.weight(l, m));
        let mut coefficients = [[V::zero(); VECTORS]; 3];
        for v in 0..VECTORS {
            let series = series::<V, N>(gaussian, model.limit, d[v]);
            let found = match &inverse {
                Some(inverse) => [
                    product(&series, &inverse[v], 0),
                    product(&series, &inverse[v], N - 1),
                    product(&series, &inverse[v], N),
                ],
                None => [series[0], series[N - 1], series[N]],
            };
            for (coefficients, found) in coefficients.iter_mut().zip(found) {
                coefficients[v] = found;
            }
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

/// Taylor coefficients of the Gaussian of this mu and 1 / gamma around d, up to order `N`; zero where it is below 2^-limit.
#[inline(always)]
fn series<V: Lanes<Real = f64>, const N: usize>([mean, inverse]: [f64; 2], limit: f64, d: V) -> [V; ORDERS] {
    let inverse = V::splat(inverse);
    let u = (d - V::splat(mean)) * inverse;
    let w = u * u * V::constant(LOG2_E);
    let mut series = [V::zero(); ORDERS];
    series[0] = V::splat(limit).select_less(w, V::zero(), exp2_neg(w));
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
fn inverse_norm<V: Lanes<Real = f64>, const N: usize>(
    model: &Collapsed<'_, impl Source>,
    range: [f64; 2],
    d: &[V; VECTORS],
) -> [[V; ORDERS]; VECTORS] {
    let mut norms = [[V::zero(); ORDERS]; VECTORS];
    for norm in &mut norms {
        norm[0] = V::splat(model.source.eps());
    }
    for (_, gaussian) in model.gaussians(range) {
        for (norm, &d) in norms.iter_mut().zip(d) {
            for (sum, term) in norm.iter_mut().zip(series::<V, N>(gaussian, model.limit, d)) {
                *sum += term;
            }
        }
    }
    for norm in &mut norms {
        *norm = reciprocal::<V, N>(norm);
    }
    norms
}

/// The series of 1 / norm.
#[inline(always)]
fn reciprocal<V: Lanes<Real = f64>, const N: usize>(norm: &[V; ORDERS]) -> [V; ORDERS] {
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
