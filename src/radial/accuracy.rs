//! How well polynomials meet the functions that they were made of: at the ends and in the middles of all cells.

use super::collapse::{Basis, Kernel};
use super::exact::LN_2;
use super::geometry::{BLOCK, Geometry, Sums, add_each, gaussians_at};
use crate::error::Missing;
use crate::lanes::{Lanes, at, at_mut, check, split, vectors, vectors_mut};

/// What is kept of each F_l to check a block, each for all of its cells. The terms of the error, multiples of Chebyshev
/// polynomials, have one sign at one of these: at an end, or where they alternate in the middle.
const CHECKS: usize = 7;
/// F at the left ends.
const LEFT: usize = 0;
/// F' at the left ends.
const LEFT_SLOPE: usize = 1;
/// Errors at the left ends.
const LEFT_ERROR: usize = 2;
/// Errors of the slope at the left ends.
const SLOPE_ERROR: usize = 3;
/// The polynomials' values in the middles.
const MIDDLE: usize = 4;
/// The polynomials' values at the right ends, then their errors but for the last.
const RIGHT_ERROR: usize = 5;
/// F in the middles, then errors there.
const MIDDLE_ERROR: usize = 6;

/// Gaussians below 2^-64 of the norm are left out of what polynomials are compared with.
const BITS: f64 = 64.0;
/// How much larger than at these points errors may be between them, where a Gaussian spans few cells.
const BETWEEN: f64 = 2.0;

/// How well the polynomials meet F over the stages that are checked: absolute, and what to compare it with.
///
/// Bounds with a margin of two for phi, from the ends and middles of all cells; what is found at the left ends for its slope,
/// whose errors are largest at the ends.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Accuracy {
    /// Bound on the difference in phi.
    pub phi_error: f64,
    /// Largest difference in d phi'.
    pub slope_error: f64,
    /// Largest |phi|.
    pub largest_phi: f64,
    /// Largest |d phi'|.
    pub largest_slope: f64,
}

impl Accuracy {
    /// phi_error / largest_phi; 0 where phi vanishes.
    pub fn relative(&self) -> f64 {
        if self.phi_error == 0.0 { 0.0 } else { self.phi_error / self.largest_phi }
    }
}

/// Doubles of scratch that the checks of L functions take.
pub const fn scratch_extent(n_time: usize) -> usize {
    CHECKS * BLOCK * n_time
}

/// The share of each F_l in the scratch.
#[inline(always)]
pub fn by_time(scratch: &mut [f64]) -> impl Iterator<Item = &mut [f64]> {
    scratch.chunks_exact_mut(CHECKS * BLOCK)
}

/// Writes F_l and F_l' at the left ends and F_l in the middles to `scratch` (`[L][CHECKS][BLOCK]`).
pub fn expect<V: Lanes<Real = f64>>(
    kernel: &Kernel<'_, f64>,
    block: &Geometry,
    scratch: &mut [f64],
) -> Result<(), Missing> {
    scratch.fill(0.0);
    V::vectorize(
        #[inline(always)]
        || {
            let mut sums = Expected { kernel, block, norms: [[V::zero(); 3]; BLOCK], scratch };
            add_each(&mut sums, block.gaussians(kernel, block.ends(), BITS))?;
            sums.normalize()
        },
    )
}

/// Sums over Gaussians: g and g' at the left ends, g in the middles.
struct Expected<'a, 'k, V> {
    kernel: &'a Kernel<'k, f64>,
    block: &'a Geometry,
    /// Without weights.
    norms: [[V; 3]; BLOCK],
    /// Weighed by each W_l.
    scratch: &'a mut [f64],
}

impl<V: Lanes<Real = f64>> Sums for Expected<'_, '_, V> {
    #[inline(always)]
    fn add<const G: usize>(&mut self, which: [usize; G]) -> Result<(), Missing> {
        const PLACES: [usize; 3] = [LEFT, LEFT_SLOPE, MIDDLE_ERROR];
        let parts = BLOCK / V::WIDTH;
        for (part, norms) in self.norms.iter_mut().take(parts).enumerate() {
            let left: V = Geometry::lanes(&self.block.start, part);
            let middle = left + V::constant(0.5) * Geometry::lanes(&self.block.width, part);
            let mut terms = [[V::zero(); 3]; G];
            for (terms, &m) in terms.iter_mut().zip(&which) {
                let [mean, scale] = [at(self.kernel.mean, m)?, at(self.kernel.scale, m)?].map(V::splat);
                let [[g, in_middle], [z, _]] = gaussians_at([mean, scale], &[left, middle]);
                *terms = [g, V::constant(-2.0 * LN_2) * (scale * z * g), in_middle];
                for (norm, &term) in norms.iter_mut().zip(&*terms) {
                    *norm += term;
                }
            }
            for (sums, weights) in by_time(self.scratch).zip(self.kernel.weights_by_time()) {
                let sums = vectors_mut::<V>(sums)?;
                // In registers.
                let mut kept = [V::zero(); 3];
                for (kept, place) in kept.iter_mut().zip(PLACES) {
                    *kept = sums[place * parts + part];
                }
                for (terms, &m) in terms.iter().zip(&which) {
                    let weight = V::splat(at(weights, m)?);
                    for (sum, &term) in kept.iter_mut().zip(terms) {
                        *sum += weight * term;
                    }
                }
                for (kept, place) in kept.into_iter().zip(PLACES) {
                    sums[place * parts + part] = kept;
                }
            }
        }
        Ok(())
    }
}

impl<V: Lanes<Real = f64>> Expected<'_, '_, V> {
    /// From sums over Gaussians to F and F'.
    #[inline(always)]
    fn normalize(self) -> Result<(), Missing> {
        let Expected { kernel, norms, scratch, .. } = self;
        let parts = BLOCK / V::WIDTH;
        for (part, &[norm, norm_slope, norm_middle]) in norms.iter().take(parts).enumerate() {
            let ([mut inverse, mut inverse_middle], mut slope_of_norm) = ([V::constant(1.0); 2], V::zero());
            if kernel.basis == Basis::Normalized {
                inverse = inverse / (V::splat(kernel.eps) + norm);
                inverse_middle = inverse_middle / (V::splat(kernel.eps) + norm_middle);
                slope_of_norm = norm_slope;
            }
            for (sums, &level) in by_time(scratch).zip(kernel.level) {
                let sums = vectors_mut::<V>(sums)?;
                let quotient = sums[LEFT * parts + part] * inverse;
                let slope = &mut sums[LEFT_SLOPE * parts + part];
                *slope = (*slope - quotient * slope_of_norm) * inverse;
                sums[LEFT * parts + part] = V::splat(level) + quotient;
                let middle = &mut sums[MIDDLE_ERROR * parts + part];
                *middle = V::splat(level) + *middle * inverse_middle;
            }
        }
        Ok(())
    }
}

/// Turns what [`expect`] left for one F_l into the errors of these cells' polynomials, in powers of y from the middle.
#[inline(always)]
pub fn compare<V: Lanes<Real = f64>, const C: usize>(
    block: &Geometry,
    part: usize,
    polynomial: &[V; C],
    checks: &mut [V],
) -> Result<(), Missing> {
    let parts = BLOCK / V::WIDTH;
    let (width, inverse_width): (V, V) =
        (Geometry::lanes(&block.width, part), Geometry::lanes(&block.inverse_width, part));
    let y_width = V::zero().select_less(inverse_width, V::constant(1.0) / inverse_width, V::zero());
    let u = V::constant(-0.5) * y_width;
    let highest = polynomial[C - 1];
    let (mut value, mut slope, mut right) = (highest, V::zero(), highest);
    for &coefficient in polynomial[..C - 1].iter().rev() {
        slope = slope * u + value;
        value = value * u + coefficient;
        right = right * -u + coefficient;
    }
    // From units of y to units of d; zero for the constant cell.
    let slope = V::zero().select_less(width, slope * (y_width / width), V::zero());
    let expected = |place: usize| at(checks, place * parts + part);
    let (left, left_slope, middle) = (expected(LEFT)?, expected(LEFT_SLOPE)?, expected(MIDDLE_ERROR)?);
    for (place, found) in [
        (LEFT_ERROR, value - left),
        (SLOPE_ERROR, slope - left_slope),
        (MIDDLE, polynomial[0]),
        (RIGHT_ERROR, right),
        (MIDDLE_ERROR, polynomial[0] - middle),
    ] {
        *at_mut(checks, place * parts + part)? = found;
    }
    Ok(())
}

/// Turns the values at the right ends, which are the left ends of the next cells, into errors.
#[inline(always)]
pub fn compare_right_ends(checks: &mut [f64]) -> Result<(), Missing> {
    let (before, right) = split(checks, RIGHT_ERROR * BLOCK)?;
    let (right, _) = split(right, BLOCK)?;
    let (last, others) = right.split_last_mut().ok_or(Missing)?;
    let next = before.iter().skip(LEFT * BLOCK + 1);
    for (right, next) in others.iter_mut().zip(next) {
        *right -= next;
    }
    *last = 0.0;
    Ok(())
}

/// The larger of two numbers lane by lane; the first where one is NaN.
#[inline(always)]
fn larger<V: Lanes>(a: V, b: V) -> V {
    a.select_less(b, b, a)
}

/// The largest errors and magnitudes so far, lane by lane.
pub struct Extremes<V> {
    largest: [V; 4],
    /// Zero, or NaN as soon as anything overflowed.
    finite: V,
}

impl<V: Lanes> Default for Extremes<V> {
    fn default() -> Self {
        Extremes { largest: [V::zero(); 4], finite: V::zero() }
    }
}

impl<V: Lanes<Real = f64>> Extremes<V> {
    /// Takes in a block's checks (`[L][CHECKS][BLOCK]`) at every stage.
    pub fn add_stages(
        &mut self,
        n_time: usize,
        time_values: &[f64],
        block: &Geometry,
        checks: &[f64],
    ) -> Result<(), Missing> {
        V::vectorize(
            #[inline(always)]
            || {
                check(n_time > 0)?;
                // The L functions of time cannot vary faster than what 2 L points show.
                let stride = (time_values.len() / n_time / n_time / 2).max(1);
                for part in 0..BLOCK / V::WIDTH {
                    let d = Geometry::lanes(&block.start, part);
                    for values in time_values.chunks_exact(n_time).step_by(stride) {
                        self.add_stage(values, part, d, checks)?;
                    }
                }
                Ok(())
            },
        )
    }

    /// Takes in the checks of the cells that start at `d`, at one stage.
    #[inline(always)]
    fn add_stage(&mut self, values: &[f64], part: usize, d: V, checks: &[f64]) -> Result<(), Missing> {
        let mut sums = [V::zero(); CHECKS];
        for (&value, checks) in values.iter().zip(checks.chunks_exact(CHECKS * BLOCK)) {
            let checks = vectors::<V>(checks)?;
            for (place, sum) in sums.iter_mut().enumerate() {
                *sum += V::splat(value) * checks[place * (BLOCK / V::WIDTH) + part];
            }
        }
        let phi = larger(sums[LEFT].magnitude(), sums[MIDDLE].magnitude());
        let ends = larger(sums[LEFT_ERROR].magnitude(), sums[RIGHT_ERROR].magnitude());
        let error = larger(ends, sums[MIDDLE_ERROR].magnitude());
        let found = [error, (sums[SLOPE_ERROR] * d).magnitude(), phi, (sums[LEFT_SLOPE] * d).magnitude()];
        for (largest, found) in self.largest.iter_mut().zip(found) {
            *largest = larger(*largest, found);
            self.finite += found * V::zero();
        }
        Ok(())
    }

    /// The largest of all lanes.
    pub fn finish(self) -> Accuracy {
        let most = |v: V| v.as_slice().iter().fold(0.0, |a: f64, &b| if a < b { b } else { a });
        let [found, slope_error, largest_phi, largest_slope] = self.largest.map(most);
        let mut phi_error = BETWEEN * found;
        if self.finite.as_slice().iter().any(|f| f.is_nan()) {
            phi_error = f64::INFINITY;
        }
        Accuracy { phi_error, slope_error, largest_phi, largest_slope }
    }
}
