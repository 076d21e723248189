//! Where the cells of a compiled radial function lie, and how narrow they have to be.
//!
//! With y = scale d and z = 1 + y, the octaves `[2^o, 2^(o+1))` of z are cut into `2^split` equal cells each: where
//! Gaussians grow wider with distance (as the data thin out) so do the cells; with `scale` below 1 / end all cells
//! have one width. A last cell at infinity holds the constant that phi becomes.

use super::collapse::{Basis, SQRT_LOG2_E};
use crate::lanes::{Lanes, Real, exp2_neg};

/// The polynomials' degree: `Cubic` rows are 4 reals, `Septic` rows 8, a cache line in double precision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Degree {
    /// Degree 3, for tolerances of single precision.
    Cubic,
    /// Degree 7.
    Septic,
}

impl Degree {
    /// Both, the lower first.
    pub const ALL: [Degree; 2] = [Degree::Cubic, Degree::Septic];

    /// Whether cells of this degree need not be too narrow for a tolerance.
    const fn serves(self, tolerance: f64) -> bool {
        match self {
            Degree::Cubic => tolerance >= 2e-8,
            Degree::Septic => true,
        }
    }

    /// Coefficients of a polynomial.
    pub const fn coefficients(self) -> usize {
        match self {
            Degree::Cubic => 4,
            Degree::Septic => 8,
        }
    }

    /// The cell width, in bandwidths gamma of a Gaussian, at which Chebyshev interpolation of a sum of them errs by
    /// `error` of its largest magnitude.
    ///
    /// The interpolation error is 2 (h/4)^n/n! |phi^(n)| with n = 4 and 8; the constants are what sums of overlapping
    /// Gaussians with random weights show, times 3. Quotients of them have larger high derivatives: those of the
    /// logistic function with which one Gaussian takes over from another.
    fn width_for(self, error: f64, basis: Basis) -> f64 {
        match (self, basis) {
            (Degree::Cubic, _) => libm::sqrt(libm::sqrt(error / 8e-3)),
            (Degree::Septic, Basis::Gaussian) => libm::pow(error / 6e-6, 0.125),
            (Degree::Septic, Basis::Normalized) => libm::pow(error / 6e-5, 0.125),
        }
    }
}

/// The Gaussians of a model, wherever they are kept.
#[derive(Clone, Copy, Debug)]
pub struct Gaussians<F> {
    /// Which basis.
    pub basis: Basis,
    /// The normalisation's regulariser.
    pub eps: f64,
    /// M.
    pub count: usize,
    /// `[mu_m, gamma_m]`.
    pub get: F,
}

impl<F: Fn(usize) -> [f64; 2]> Gaussians<F> {
    fn iter(&self) -> impl Iterator<Item = [f64; 2]> {
        (0..self.count).map(&self.get)
    }
}

/// Precision of the distances that a table will meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RadialPrecision {
    /// `f64`: any scale will do.
    Double,
    /// `f32`: the scale is a power of two, with which y is exact; its rounding would cost more than interpolation.
    Single,
}

/// The cells of a compiled radial function.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cells {
    /// Degree of the polynomials.
    pub degree: Degree,
    /// y / d.
    pub scale: f64,
    /// An octave has 2^split cells.
    pub split: u32,
    /// Cells with a polynomial; one more is constant.
    pub count: usize,
}

/// One cell, in units of y = scale d.
#[derive(Clone, Copy, Debug)]
pub struct Cell {
    /// Left end.
    pub start: f64,
    /// Length.
    pub width: f64,
}

/// No table has more cells: 4 MiB a stage.
const MOST_CELLS: usize = 1 << 16;
/// The least regulariser beside which Gaussians may be cut off at 2^-900 = 1e-271 unnoticed.
const LEAST_EPS: f64 = 1e-250;
/// Scales that are tried: 2^(k/SUBDIVISION - 1) / end for k below [`SCALES`]; those up to 1 / end have a single octave,
/// of which a part is used.
const SUBDIVISION: usize = 4;
const SCALES: usize = 33;

impl Cells {
    /// For each degree the fewest cells that interpolate phi to `tolerance` (of its largest magnitude), by an estimate
    /// of what the Gaussians demand everywhere. A cubic table is read faster, a septic one is built faster.
    ///
    /// `None` where they would be too many, and for the normalised basis without a regulariser: phi has kinks there,
    /// where Gaussians are cut off, that no check of a few points is sure to see.
    pub fn candidates<V: Lanes<Real = f64>, F: Fn(usize) -> [f64; 2]>(
        gaussians: &Gaussians<F>,
        tolerance: f64,
        precision: RadialPrecision,
    ) -> [Option<Cells>; Degree::ALL.len()] {
        if gaussians.basis == Basis::Normalized && gaussians.eps < LEAST_EPS {
            return [None; Degree::ALL.len()];
        }
        let end = end(gaussians, tolerance);
        let scales: [f64; SCALES] = core::array::from_fn(|k| {
            let scale = libm::exp2(k as f64 / SUBDIVISION as f64 - 1.0) / end;
            match precision {
                RadialPrecision::Double => scale,
                RadialPrecision::Single => libm::exp2(libm::floor(libm::log2(scale))),
            }
        });
        // Cells an octave, for cells as wide as a bandwidth.
        let mut demand = [0.0_f64; SCALES];
        for_each_point::<V, _>(gaussians, end, |d, bandwidth| {
            for (demand, &scale) in demand.iter_mut().zip(&scales) {
                let cells_per_octave = octave(1.0 + scale * d) / (scale * bandwidth);
                *demand = if *demand < cells_per_octave { cells_per_octave } else { *demand };
            }
        });
        Degree::ALL.map(|degree| {
            let width = degree.width_for(tolerance, gaussians.basis);
            let cells =
                scales.iter().zip(&demand).filter_map(|(&s, &d)| Cells::graded(degree, s, d / width, end));
            cells.filter(|_| degree.serves(tolerance)).min_by_key(|cells| cells.count)
        })
    }

    /// Cells of which an octave has at least `demand`; `None` for too many.
    fn graded(degree: Degree, scale: f64, demand: f64, end: f64) -> Option<Cells> {
        let demand = if demand < 1.0 { 1.0 } else { demand };
        let split = (demand.to_bits() >> 52).wrapping_sub(1022) as u32; // 2^split > demand
        let cells = Cells { degree, scale, split, count: 0 };
        (split <= 20)
            .then(|| Cells { count: cells.position(scale * end) + 1, ..cells })
            .filter(|cells| cells.count < MOST_CELLS)
    }

    /// Rows of a table: the cells and the constant.
    pub const fn rows(&self) -> usize {
        self.count + 1
    }

    /// Number of the cell in which y lies.
    fn position(&self, y: f64) -> usize {
        let low_bits = f64::MANTISSA_BITS - self.split;
        (((1.0 + y).to_bits() >> low_bits) - (1.0_f64.to_bits() >> low_bits)) as usize
    }

    /// Cell number `index`.
    pub fn cell(&self, index: usize) -> Cell {
        let low_bits = f64::MANTISSA_BITS - self.split;
        let at = |index: usize| f64::from_bits(((1.0_f64.to_bits() >> low_bits) + index as u64) << low_bits);
        Cell { start: at(index) - 1.0, width: at(index + 1) - at(index) }
    }

    /// y in the middle of the constant cell: where larger ones are cut off.
    pub fn end(&self) -> f64 {
        let cell = self.cell(self.count);
        cell.start + 0.5 * cell.width
    }
}

/// The largest power of two below `z`.
#[inline(always)]
fn octave(z: f64) -> f64 {
    f64::from_bits(z.to_bits() & (0x7ff << 52))
}

/// The distance beyond which all Gaussians together are below `tolerance`.
fn end<F: Fn(usize) -> [f64; 2]>(gaussians: &Gaussians<F>, tolerance: f64) -> f64 {
    let floor = if gaussians.basis == Basis::Normalized { gaussians.eps * tolerance } else { tolerance };
    // A Gaussian is 2^-w there; without a regulariser even the smallest one dominates somewhere.
    let exponent = if floor > 0.0 { -libm::log2(0.1 * floor) } else { f64::EXPONENT_LIMIT };
    let root = libm::sqrt(if exponent < f64::EXPONENT_LIMIT { exponent } else { f64::EXPONENT_LIMIT });
    let mut end = f64::MIN_POSITIVE;
    for [mean, gamma] in gaussians.iter() {
        let last = mean + root * gamma / SQRT_LOG2_E;
        end = if end < last { last } else { end };
    }
    end
}

/// Calls `visit(d, bandwidth)` at points that cover `[0, end]`: the bandwidth of a single Gaussian that would be
/// as hard to interpolate as phi is at d.
///
/// The points are the steps of half a bandwidth, every Gaussian's centre and the end of its reach, which steps might
/// leap over, and for the normalised basis also the crossings at which one Gaussian takes over from the next or from
/// the regulariser.
fn for_each_point<V: Lanes<Real = f64>, F: Fn(usize) -> [f64; 2]>(
    gaussians: &Gaussians<F>,
    end: f64,
    mut visit: impl FnMut(f64, f64),
) {
    // Points wait until there are vectors of them.
    const MOST: usize = 16;
    let (mut pending, mut count) = ([0.0; MOST], 0_usize);
    let mut visit_many = |points: &[f64]| {
        for points in points.chunks(V::WIDTH) {
            let d = V::from_fn(|i| points.get(i).or(points.last()).copied().unwrap_or_default());
            let bandwidth = bandwidths(gaussians, d);
            points.iter().zip(bandwidth.as_slice()).for_each(|(&d, &bandwidth)| visit(d, bandwidth));
        }
    };
    for_each_candidate(gaussians, end, |d| {
        pending[count % MOST] = d;
        count += 1;
        if count.is_multiple_of(MOST) {
            visit_many(&pending);
        }
    });
    visit_many(&pending[..count % MOST]);
}

fn for_each_candidate<F: Fn(usize) -> [f64; 2]>(
    gaussians: &Gaussians<F>,
    end: f64,
    mut visit: impl FnMut(f64),
) {
    let mut d = 0.0;
    while d < end {
        visit(d);
        // Half of the narrowest bandwidth within reach (5 bandwidths), at least 1/4096 of the range.
        let mut step = 0.25 * end;
        for [mean, gamma] in gaussians.iter() {
            let distance = if d < mean { mean - d } else { d - mean };
            if distance < 5.0 * gamma && 0.5 * gamma < step {
                step = 0.5 * gamma;
            }
        }
        d += if step < end / 4096.0 { end / 4096.0 } else { step };
    }
    for [mean, gamma] in gaussians.iter() {
        [mean, mean + 4.99 * gamma].into_iter().filter(|&d| d > 0.0 && d < end).for_each(&mut visit);
    }
    if gaussians.basis == Basis::Gaussian {
        return;
    }
    let edge = libm::sqrt(-libm::log(gaussians.eps.clamp(1e-300, 0.5)));
    for (i, [mean, gamma]) in gaussians.iter().enumerate() {
        let [next, next_gamma] = (gaussians.get)(if i + 1 < gaussians.count { i + 1 } else { i });
        let middle = (mean * next_gamma + next * gamma) / (gamma + next_gamma);
        let crossings = [mean - edge * gamma, mean + edge * gamma, middle];
        crossings.into_iter().filter(|&d| d > 0.0 && d < end).for_each(&mut visit);
    }
}

/// The bandwidth of a single Gaussian as hard to interpolate as phi.
///
/// Gaussian basis: the narrowest within reach. Normalised basis: from the variance of (log g)' over the Gaussians
/// and the regulariser, each with its share of the norm. That is the norm's own logarithmic curvature, which
/// measures how near its complex zeros, the poles of phi, are; evenly spread Gaussians have 2/gamma^2.
fn bandwidths<V: Lanes<Real = f64>, F: Fn(usize) -> [f64; 2]>(gaussians: &Gaussians<F>, d: V) -> V {
    V::vectorize(
        #[inline(always)]
        || match gaussians.basis {
            Basis::Gaussian => narrowest_within_reach(gaussians, d),
            Basis::Normalized => {
                let (mut total, mut first, mut second) = (V::splat(gaussians.eps), V::zero(), V::zero());
                for [mean, gamma] in gaussians.iter() {
                    let scale = V::splat(SQRT_LOG2_E / gamma);
                    let z = (d - V::splat(mean)) * scale;
                    let g = exp2_neg(z * z);
                    let slope = z * scale;
                    total += g;
                    first += g * slope;
                    second += g * slope * slope;
                }
                // (log g)' = -2 ln 2 z scale.
                let factor = V::constant(2.0 * core::f64::consts::LN_2);
                let mean = first / total;
                let variance = factor * factor * (second / total - mean * mean);
                let at_least = V::constant(1e-300);
                let spread = at_least.select_less(variance, variance, at_least);
                (V::constant(2.0) / spread)
                    .sqrt()
                    .at_most(narrowest_within_reach(gaussians, d) * V::constant(2.0))
            }
        },
    )
}

#[inline(always)]
fn narrowest_within_reach<V: Lanes<Real = f64>, F: Fn(usize) -> [f64; 2]>(
    gaussians: &Gaussians<F>,
    d: V,
) -> V {
    let mut widest = V::constant(1e300);
    for [mean, gamma] in gaussians.iter() {
        let gamma = V::splat(gamma);
        let (distance, reach) = (d - V::splat(mean), V::constant(5.0) * gamma);
        let here = (distance * distance).select_less(reach * reach, gamma, V::constant(1e300));
        widest = widest.at_most(here);
    }
    widest
}
