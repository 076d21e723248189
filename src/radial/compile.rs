//! From Gaussians to polynomials: Chebyshev interpolation of the L functions of distance in every cell.
//!
//! phi(d, t) = sum_l R_l(t) F_l(d) with F_l = level_l + sum_m W_lm K_m. The F_l are compiled once, whatever the
//! number of stage times; a stage's table is then a sum of L tables. Everything here is double precision.

use super::cells::Cells;
use super::collapse::{Basis, Kernel};
use super::exact::LN_2;
use crate::error::Missing;
use crate::lanes::{Lanes, Real, at, check, copy, exp2_neg, exp2_neg_each, part_mut, split};

/// Cells that are compiled together, whatever the vector width: which Gaussians count is decided a block.
pub const BLOCK: usize = 8;
/// What is kept of each F_l to check a block: F and F' at the left ends, their errors, F in the middles, and its errors at
/// the right ends but for the last, and in the middles. The terms of the error, multiples of Chebyshev polynomials, have
/// one sign at one of these: at an end, or where they alternate in the middle.
const CHECKS: usize = 7;
/// How much larger than at these points errors may be between them, where a Gaussian spans few cells.
const BETWEEN: f64 = 2.0;
/// Vectors of nodes in a block of 8 coefficients a cell, one lane.
const MOST_VECTORS: usize = BLOCK * 8;

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

/// Rows of memory for one F_l: full blocks.
pub const fn padded_rows(cells: &Cells) -> usize {
    cells.rows().next_multiple_of(BLOCK)
}

/// Doubles of scratch that [`compile`] takes for L time functions.
pub const fn scratch_extent(n_time: usize) -> usize {
    CHECKS * BLOCK * n_time
}

/// Compiles F_l into `rows` (`[L][padded_rows][C]`).
///
/// `time_values` are R_l at each stage (`[stages][L]`); they weigh the errors. All slices are aligned like
/// [`crate::lanes::Block`].
///
/// # Errors
/// Where slices are not as long or not so aligned.
pub fn compile<V: Lanes<Real = f64>, const C: usize>(
    kernel: &Kernel<'_, f64>,
    cells: &Cells,
    time_values: &[f64],
    rows: &mut [f64],
    scratch: &mut [f64],
) -> Result<Accuracy, Missing> {
    let n_time = kernel.level.len();
    check(kernel.weights.len() == n_time * kernel.mean.len() && scratch.len() == scratch_extent(n_time))?;
    let chebyshev = Chebyshev::<C>::new();
    let mut accuracy = Extremes::<V>::default();
    for first in (0..cells.rows()).step_by(BLOCK) {
        let block = Geometry::new(kernel, cells, first);
        V::vectorize(
            #[inline(always)]
            || {
                boundary::<V>(kernel, &block, scratch)?;
                let inverse_norm = sum_gaussians::<V, C>(kernel, &block, &chebyshev, first, rows)?;
                interpolate::<V, C>(kernel, &block, &chebyshev, &inverse_norm, first, rows, scratch)?;
                accuracy.add_stages(n_time, time_values, &block, scratch)
            },
        )?;
    }
    Ok(accuracy.finish())
}

/// What one F_l takes of the rows of all `n_time`, as the length of chunks.
#[inline(always)]
fn stride(rows: &[f64], n_time: usize) -> Result<usize, Missing> {
    Ok(rows.len().checked_div(n_time).ok_or(Missing)?.max(1))
}

/// Doubles as vectors, which memory in [`crate::lanes::Block`]s is aligned for.
#[inline(always)]
fn vectors<V: Lanes<Real = f64>>(values: &[f64]) -> Result<&[V], Missing> {
    bytemuck::try_cast_slice(values).map_err(|_| Missing)
}

/// As [`vectors`], to change them.
#[inline(always)]
fn vectors_mut<V: Lanes<Real = f64>>(values: &mut [f64]) -> Result<&mut [V], Missing> {
    bytemuck::try_cast_slice_mut(values).map_err(|_| Missing)
}

/// Writes sum_l values_l rows_l for each stage: `values` is `[stages][L]`, `rows` `[L][rows][C]`, `tables`
/// `[stages][rows][C]`.
///
/// # Errors
/// Where slices are not as long or not aligned like [`crate::lanes::Block`].
pub fn combine<V: Lanes<Real = f64>, R: Real>(
    n_time: usize,
    values: &[f64],
    rows: &[f64],
    tables: &mut [R],
) -> Result<(), Missing> {
    const VECTORS: usize = 4;
    V::vectorize(
        #[inline(always)]
        || {
            let length = stride(rows, n_time)?;
            check(n_time > 0 && values.len() / n_time == tables.len() / length)?;
            let (runs, _) = vectors::<V>(rows)?.as_chunks::<VECTORS>();
            let runs_of_row = length / (VECTORS * V::WIDTH);
            check(runs.len() == n_time * runs_of_row)?;
            // A run of every row stays in the first cache for all stages.
            for number in 0..runs_of_row {
                for (values, table) in values.chunks_exact(n_time).zip(tables.chunks_exact_mut(length)) {
                    let mut sums = [V::zero(); VECTORS];
                    for (&value, row) in values.iter().zip(runs.chunks_exact(runs_of_row)) {
                        for (sum, &term) in sums.iter_mut().zip(&row[number]) {
                            *sum += V::splat(value) * term;
                        }
                    }
                    let run = part_mut(table, number * VECTORS * V::WIDTH, VECTORS * V::WIDTH)?;
                    for (target, sum) in run.chunks_exact_mut(V::WIDTH).zip(&sums) {
                        for (target, &sum) in target.iter_mut().zip(sum.as_slice()) {
                            *target = R::from_f64(sum);
                        }
                    }
                }
            }
            Ok(())
        },
    )
}

/// A block's cells, cell by cell; cells beyond the constant one repeat it.
pub(super) struct Geometry {
    /// Left end in d.
    pub start: [f64; BLOCK],
    /// Length in d; 0 for the constant cell, whose nodes lie where phi is constant.
    pub width: [f64; BLOCK],
    /// 1 / length in y, for coefficients in units of y.
    pub inverse_width: [f64; BLOCK],
    /// Where the nodes begin: `start` but for the constant cell.
    pub origin: [f64; BLOCK],
    /// A Gaussian farther than this (in z = (d - mu) scale) from the whole block is left out.
    cut: f64,
}

impl Geometry {
    pub fn new(kernel: &Kernel<'_, f64>, cells: &Cells, first: usize) -> Self {
        let mut block = Geometry {
            start: [0.0; BLOCK],
            width: [0.0; BLOCK],
            inverse_width: [0.0; BLOCK],
            origin: [0.0; BLOCK],
            cut: 0.0,
        };
        for k in 0..BLOCK {
            let index = first + k;
            let cell = cells.cell(if index < cells.count { index } else { cells.count });
            block.start[k] = cell.start / cells.scale;
            if index < cells.count {
                block.origin[k] = block.start[k];
                block.width[k] = cell.width / cells.scale;
                block.inverse_width[k] = 1.0 / cell.width;
            } else {
                block.origin[k] = kernel.reach;
            }
        }
        block.cut = cut(kernel, block.range());
        block
    }

    /// Lanes from one of the arrays.
    #[inline(always)]
    pub fn lanes<V: Lanes<Real = f64>>(values: &[f64; BLOCK], part: usize) -> V {
        V::from_fn(|i| values[part * V::WIDTH + i])
    }

    /// Whether Gaussian (mean, scale) counts anywhere between `from` and `to`.
    #[inline(always)]
    pub fn counts(&self, [from, to]: [f64; 2], mean: f64, scale: f64) -> bool {
        !((from - mean) * scale > self.cut || (mean - to) * scale > self.cut)
    }

    /// The ends of the range of nodes.
    pub fn range(&self) -> [f64; 2] {
        [self.origin[0], self.origin[BLOCK - 1] + self.width[BLOCK - 1]]
    }
}

/// Where a Gaussian is below 2^-64 of the norm anywhere between `from` and `to`, which is at least the regulariser and
/// at least the nearest Gaussian; infinite without a regulariser.
fn cut(kernel: &Kernel<'_, f64>, [from, to]: [f64; 2]) -> f64 {
    let exponent = match kernel.basis {
        Basis::Gaussian => 0.0,
        Basis::Normalized if kernel.eps > 0.0 => {
            let mut exponent = -libm::log2(kernel.eps);
            for (&mean, &scale) in kernel.mean.iter().zip(kernel.scale) {
                let farther = if mean - from < to - mean { to - mean } else { mean - from };
                let z = farther * scale;
                exponent = if z * z < exponent { z * z } else { exponent };
            }
            exponent
        }
        Basis::Normalized => f64::INFINITY,
    };
    libm::sqrt(64.0 + exponent)
}

/// Writes F_l and F_l' at the cells' left ends to `scratch` (`[L][CHECKS][BLOCK]`, the first two), and F_l in their middles
/// (the last).
#[inline(always)]
fn boundary<V: Lanes<Real = f64>>(
    kernel: &Kernel<'_, f64>,
    block: &Geometry,
    scratch: &mut [f64],
) -> Result<(), Missing> {
    let factor = V::constant(-2.0 * LN_2);
    let range = [block.start[0], block.start[BLOCK - 1] + block.width[BLOCK - 1]];
    let parts = BLOCK / V::WIDTH;
    for part in 0..parts {
        let d: V = Geometry::lanes(&block.start, part);
        let middle = d + V::constant(0.5) * Geometry::lanes(&block.width, part);
        let (mut norm, mut norm_slope, mut norm_middle) = (V::zero(), V::zero(), V::zero());
        for sums in scratch.chunks_exact_mut(CHECKS * BLOCK) {
            let sums = vectors_mut::<V>(sums)?;
            sums[part] = V::zero();
            sums[parts + part] = V::zero();
            sums[6 * parts + part] = V::zero();
        }
        for (m, (&mean, &scale)) in kernel.mean.iter().zip(kernel.scale).enumerate() {
            if !block.counts(range, mean, scale) {
                continue;
            }
            let z = (d - V::splat(mean)) * V::splat(scale);
            let g = exp2_neg(z * z);
            let slope = factor * (V::splat(scale) * z * g);
            let z = (middle - V::splat(mean)) * V::splat(scale);
            let in_middle = exp2_neg(z * z);
            norm += g;
            norm_slope += slope;
            norm_middle += in_middle;
            for (sums, weights) in scratch.chunks_exact_mut(CHECKS * BLOCK).zip(kernel.weights_by_time()) {
                let weight = V::splat(at(weights, m)?);
                let sums = vectors_mut::<V>(sums)?;
                sums[part] += weight * g;
                sums[parts + part] += weight * slope;
                sums[6 * parts + part] += weight * in_middle;
            }
        }
        let normalized = kernel.basis == Basis::Normalized;
        let [inverse, inverse_middle] = [norm, norm_middle].map(
            #[inline(always)]
            |norm| {
                if normalized { V::constant(1.0) / (V::splat(kernel.eps) + norm) } else { V::constant(1.0) }
            },
        );
        let norm_slope = if normalized { norm_slope } else { V::zero() };
        for (sums, &level) in scratch.chunks_exact_mut(CHECKS * BLOCK).zip(kernel.level) {
            let sums = vectors_mut::<V>(sums)?;
            let quotient = sums[part] * inverse;
            let slope = &mut sums[parts + part];
            *slope = (*slope - quotient * norm_slope) * inverse;
            sums[part] = V::splat(level) + quotient;
            sums[6 * parts + part] = V::splat(level) + sums[6 * parts + part] * inverse_middle;
        }
    }
    Ok(())
}

/// Leaves sum_m W_lm g_m at the nodes in each l's rows of this block, node by node, and returns 1 / norm.
#[inline(always)]
fn sum_gaussians<V: Lanes<Real = f64>, const C: usize>(
    kernel: &Kernel<'_, f64>,
    block: &Geometry,
    chebyshev: &Chebyshev<C>,
    first: usize,
    rows: &mut [f64],
) -> Result<[V; MOST_VECTORS], Missing> {
    let (parts, vectors) = (BLOCK / V::WIDTH, C * BLOCK / V::WIDTH);
    let mut norm = [V::zero(); MOST_VECTORS];
    let mut d = [V::zero(); MOST_VECTORS];
    for (j, x) in chebyshev.nodes.into_iter().enumerate() {
        for part in 0..parts {
            let (origin, width): (V, V) =
                (Geometry::lanes(&block.origin, part), Geometry::lanes(&block.width, part));
            d[j * parts + part] = origin + width * V::constant(0.5 + x);
        }
    }
    let stride = stride(rows, kernel.level.len())?;
    for row in rows.chunks_exact_mut(stride) {
        part_mut(row, first * C, BLOCK * C)?.fill(0.0);
    }
    let (mut pending, mut count) = ([0; 4], 0_usize);
    let range = block.range();
    for (m, (&mean, &scale)) in kernel.mean.iter().zip(kernel.scale).enumerate() {
        if block.counts(range, mean, scale) {
            pending[count % 4] = m;
            count += 1;
            if count.is_multiple_of(4) {
                add_gaussians::<V, C, 4>(kernel, pending, &d[..vectors], &mut norm, first, rows)?;
            }
        }
    }
    for &m in &pending[..count % 4] {
        add_gaussians::<V, C, 1>(kernel, [m], &d[..vectors], &mut norm, first, rows)?;
    }
    for norm in &mut norm[..vectors] {
        *norm = match kernel.basis {
            Basis::Gaussian => V::constant(1.0),
            Basis::Normalized => V::constant(1.0) / (V::splat(kernel.eps) + *norm),
        };
    }
    Ok(norm)
}

/// Adds `G` Gaussians to the norm and to each l's sums; the order of additions is that of one after another.
#[inline(always)]
fn add_gaussians<V: Lanes<Real = f64>, const C: usize, const G: usize>(
    kernel: &Kernel<'_, f64>,
    which: [usize; G],
    d: &[V],
    norm: &mut [V; MOST_VECTORS],
    first: usize,
    rows: &mut [f64],
) -> Result<(), Missing> {
    const VECTORS: usize = 4;
    let stride = stride(rows, kernel.level.len())?;
    let mut parameters = [[V::zero(); 2]; G];
    for (parameters, &m) in parameters.iter_mut().zip(&which) {
        *parameters = [at(kernel.mean, m)?, at(kernel.scale, m)?].map(V::splat);
    }
    let quads = d.as_chunks::<VECTORS>().0.iter().zip(norm.as_chunks_mut::<VECTORS>().0);
    for (quad, (d, norm)) in quads.enumerate() {
        let gaussians = parameters.map(
            #[inline(always)]
            |[mean, scale]| {
                let z = d.map(|d| (d - mean) * scale);
                exp2_neg_each(z.map(|z| z * z))
            },
        );
        for gaussian in &gaussians {
            for v in 0..VECTORS {
                norm[v] += gaussian[v];
            }
        }
        for (row, weights) in rows.chunks_exact_mut(stride).zip(kernel.weights_by_time()) {
            let nodes = vectors_mut::<V>(part_mut(row, first * C, BLOCK * C)?)?;
            let sums = nodes.as_chunks_mut::<VECTORS>().0.get_mut(quad).ok_or(Missing)?;
            // In registers.
            let mut sum = *sums;
            for (gaussian, &m) in gaussians.iter().zip(&which) {
                let weight = V::splat(at(weights, m)?);
                for v in 0..VECTORS {
                    sum[v] += weight * gaussian[v];
                }
            }
            *sums = sum;
        }
    }
    Ok(())
}

/// Turns each l's sums into polynomials, and F_l, F_l' in `scratch` into errors at the left ends
/// (`[L][CHECKS][BLOCK]`).
#[inline(always)]
fn interpolate<V: Lanes<Real = f64>, const C: usize>(
    kernel: &Kernel<'_, f64>,
    block: &Geometry,
    chebyshev: &Chebyshev<C>,
    inverse_norm: &[V; MOST_VECTORS],
    first: usize,
    rows: &mut [f64],
    scratch: &mut [f64],
) -> Result<(), Missing> {
    let parts = BLOCK / V::WIDTH;
    let stride = stride(rows, kernel.level.len())?;
    let levels = kernel.level.iter().zip(scratch.chunks_exact_mut(CHECKS * BLOCK));
    for (row, (&level, checks)) in rows.chunks_exact_mut(stride).zip(levels) {
        let row = part_mut(row, first * C, BLOCK * C)?;
        let found = vectors_mut::<V>(checks)?;
        let mut values = [V::zero(); MOST_VECTORS];
        copy(vectors(row)?, &mut values[..C * parts])?;
        for part in 0..parts {
            let f: [V; C] = core::array::from_fn(|j| {
                V::splat(level) + values[j * parts + part] * inverse_norm[j * parts + part]
            });
            let mut a = chebyshev.coefficients(&f);
            let inverse_width: V = Geometry::lanes(&block.inverse_width, part);
            // The constant cell has no width: what remains of its higher coefficients is rounding.
            let mut power = inverse_width;
            for a in &mut a[1..] {
                *a = *a * power;
                power = power * inverse_width;
            }
            let width: V = Geometry::lanes(&block.width, part);
            let y_width = V::zero().select_less(inverse_width, V::constant(1.0) / inverse_width, V::zero());
            let u = V::constant(-0.5) * y_width;
            let (mut value, mut slope, mut right) = (a[C - 1], V::zero(), a[C - 1]);
            for k in (0..C - 1).rev() {
                slope = slope * u + value;
                value = value * u + a[k];
                right = right * -u + a[k];
            }
            // From units of y to units of d; zero for the constant cell.
            let slope = V::zero().select_less(width, slope * (y_width / width), V::zero());
            found[2 * parts + part] = value - found[part];
            found[3 * parts + part] = slope - found[parts + part];
            found[4 * parts + part] = a[0];
            found[5 * parts + part] = right;
            found[6 * parts + part] = a[0] - found[6 * parts + part];
            for lane in 0..V::WIDTH {
                let target = &mut row[(part * V::WIDTH + lane) * C..][..C];
                for (target, a) in target.iter_mut().zip(&a) {
                    *target = a.lane(lane);
                }
            }
        }
        let (left, right) = split(checks, 5 * BLOCK)?;
        let (right, _) = split(right, BLOCK)?;
        let (last, others) = right.split_last_mut().ok_or(Missing)?;
        others.iter_mut().zip(left.iter().skip(1)).for_each(|(right, next)| *right -= next);
        *last = 0.0;
    }
    Ok(())
}

/// The larger of two numbers lane by lane; the first where one is NaN.
#[inline(always)]
fn larger<V: Lanes>(a: V, b: V) -> V {
    a.select_less(b, b, a)
}

/// The largest errors and magnitudes so far, lane by lane.
struct Extremes<V> {
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
    /// Takes in a block's `checks` (`[L][CHECKS][BLOCK]`) at every stage.
    #[inline(always)]
    fn add_stages(
        &mut self,
        n_time: usize,
        time_values: &[f64],
        block: &Geometry,
        checks: &[f64],
    ) -> Result<(), Missing> {
        let parts = BLOCK / V::WIDTH;
        check(n_time > 0)?;
        // The L functions of time cannot vary faster than what 2 L points show.
        let stride = (time_values.len() / n_time / n_time / 2).max(1);
        for part in 0..parts {
            let d: V = Geometry::lanes(&block.start, part);
            for values in time_values.chunks_exact(n_time).step_by(stride) {
                let mut sums = [V::zero(); CHECKS];
                for (&value, checks) in values.iter().zip(checks.chunks_exact(CHECKS * BLOCK)) {
                    let checks = vectors::<V>(checks)?;
                    for (k, sum) in sums.iter_mut().enumerate() {
                        *sum += V::splat(value) * checks[k * parts + part];
                    }
                }
                let phi = larger(sums[0].magnitude(), sums[4].magnitude());
                let ends = larger(sums[2].magnitude(), sums[5].magnitude());
                let error = larger(ends, sums[6].magnitude());
                let found = [error, sums[3] * d, phi, sums[1] * d];
                for (largest, found) in self.largest.iter_mut().zip(found) {
                    let found = found.magnitude();
                    *largest = larger(*largest, found);
                    self.finite += found * V::zero();
                }
            }
        }
        Ok(())
    }

    fn finish(self) -> Accuracy {
        let most = |v: V| v.as_slice().iter().fold(0.0, |a: f64, &b| if a < b { b } else { a });
        let [found, slope_error, largest_phi, largest_slope] = self.largest.map(most);
        let mut phi_error = BETWEEN * found;
        if self.finite.as_slice().iter().any(|f| f.is_nan()) {
            phi_error = f64::INFINITY;
        }
        Accuracy { phi_error, slope_error, largest_phi, largest_slope }
    }
}

/// Interpolation at the Chebyshev points of a cell of length 1 around 0.
pub(super) struct Chebyshev<const C: usize> {
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
    fn coefficients<V: Lanes<Real = f64>>(&self, f: &[V; C]) -> [V; C] {
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
