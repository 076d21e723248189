//! From cotangents of compiled polynomials back to the parameters of the Gaussians.
//!
//! Compiling is linear in W and level and differentiable in mu and gamma, with the cells held where they are. So
//! the gradient of a loss that was computed with tables is that of its numbers, and agrees with the exact path's
//! to the tables' accuracy. Sums run over nodes in the order of the lanes: [`crate::lanes::Isa::run_at_fixed_width`].

use super::cells::Cells;
use super::chebyshev::Chebyshev;
use super::collapse::{Basis, Kernel};
use super::compile::padded_rows;
use super::exact::LN_2;
use super::geometry::{BLOCK, Geometry, gaussians_at};
use crate::lanes::{Lanes, Real};
use core::ops::Range;

/// Cotangents of a kernel's parameters, added up.
#[derive(Debug)]
pub struct KernelGradient<'a, V> {
    /// Of level, `[L]`.
    pub level: &'a mut [V],
    /// Of W, `[L][M]`.
    pub weights: &'a mut [V],
    /// Of mu, `[M]`.
    pub mean: &'a mut [V],
    /// Of log gamma, `[M]`.
    pub log_gamma: &'a mut [V],
}

/// Coefficients of each F_l in a band of rows ([`bands`]).
const BAND: usize = 256;
/// Vectors of a table's entries that stay in registers.
const ENTRIES: usize = 4;

/// Entries of the stages' tables, vector by vector, as [`combine_transpose`] adds them up.
pub type Entries<V> = [V; ENTRIES];

/// Rows that go back together, so that the second cache holds what all stages have of them. Bands are independent but for their cotangents' sums.
pub fn bands(cells: &Cells) -> impl ExactSizeIterator<Item = Range<usize>> {
    let (rows, step) = (padded_rows(cells), BAND / cells.degree.coefficients());
    (0..rows.div_ceil(step)).map(move |band| band * step..rows.min((band + 1) * step))
}

/// Elements of scratch that [`combine_transpose`] takes for a band of so many coefficients.
pub const fn combine_transpose_scratch<V: Lanes>(coefficients: usize, stages: usize) -> usize {
    coefficients / (ENTRIES * V::WIDTH) * stages
}

/// Transposes [`super::combine`] for all stages: given the cotangents of the tables, which are the sums of `parts`
/// (`[stages][rows][C]` each), adds those of the rows' coefficients `at` to `rows_bar` (`[L][at.len()]`) and those of R_l,
/// lane by lane, to `values_bar` (`[stages][L]`).
pub fn combine_transpose<V: Lanes<Real = f64>, R: Real>(
    n_time: usize,
    values: &[f64],
    rows: &[f64],
    parts: &[&[R]],
    at: Range<usize>,
    [rows_bar, values_bar]: [&mut [V]; 2],
    scratch: &mut [Entries<V>],
) {
    let (length, stages) = (rows.len() / n_time, values.len() / n_time);
    let count = at.len() / V::WIDTH;
    V::vectorize(
        #[inline(always)]
        || {
            add_parts::<V, R>(parts, length, &at, stages, scratch);
            for (l, rows_bar) in rows_bar.chunks_exact_mut(count).enumerate() {
                let row: &[V] = bytemuck::cast_slice(&rows[l * length..][at.clone()]);
                let (row, _) = row.as_chunks::<ENTRIES>();
                let (rows_bar, _) = rows_bar.as_chunks_mut::<ENTRIES>();
                for ((tables, row), row_bar) in scratch.chunks_exact(stages).zip(row).zip(rows_bar) {
                    let values = values[l..].iter().step_by(n_time);
                    let values_bar = values_bar[l..].iter_mut().step_by(n_time);
                    pull_to_row::<V>(tables.iter().zip(values.zip(values_bar)), row, row_bar);
                }
            }
        },
    );
}

/// Writes the sums of the tables' entries `at` to `sums` (`[entries][stages]`).
#[inline(always)]
fn add_parts<V: Lanes<Real = f64>, R: Real>(
    parts: &[&[R]],
    length: usize,
    at: &Range<usize>,
    stages: usize,
    sums: &mut [Entries<V>],
) {
    sums.fill([V::zero(); ENTRIES]);
    for stage in 0..stages {
        for part in parts {
            let entries = part[stage * length..][at.clone()].chunks_exact(ENTRIES * V::WIDTH);
            for (entries, sums) in entries.zip(sums.chunks_exact_mut(stages)) {
                for (entries, sum) in entries.chunks_exact(V::WIDTH).zip(&mut sums[stage]) {
                    *sum += V::from_fn(
                        #[inline(always)]
                        |lane| entries[lane].to_f64(),
                    );
                }
            }
        }
    }
}

/// The share of one function of time: for each stage with its value adds value `table` to `row_bar` and `table . row` to
/// the value's cotangent.
#[inline(always)]
fn pull_to_row<'a, V: Lanes<Real = f64>>(
    stages: impl Iterator<Item = (&'a Entries<V>, (&'a f64, &'a mut V))>,
    row: &Entries<V>,
    row_bar: &mut Entries<V>,
) {
    let (entries, mut sums) = (*row, *row_bar);
    for (table, (&value, value_bar)) in stages {
        let value = V::splat(value);
        let mut products = [V::zero(); ENTRIES];
        for v in 0..ENTRIES {
            products[v] = entries[v] * table[v];
            sums[v] += value * table[v];
        }
        *value_bar += (products[0] + products[1]) + (products[2] + products[3]);
    }
    *row_bar = sums;
}

/// Transposes [`super::compile`] for a band: given the cotangents of its rows (`[L][band.len()][C]`), adds those of the
/// parameters.
pub fn compile_transpose<V: Lanes<Real = f64>, const C: usize>(
    kernel: &Kernel<'_, f64>,
    cells: &Cells,
    rows: &[f64],
    band: Range<usize>,
    rows_bar: &[f64],
    gradient: &mut KernelGradient<'_, V>,
    scratch: &mut [V],
) {
    let bits = cells.bits();
    let (gaussians, sums_bar) = scratch.split_at_mut(C * kernel.mean.len());
    let chebyshev = Chebyshev::<C>::new();
    let n_time = kernel.level.len();
    let strides = [rows.len(), rows_bar.len()].map(|length| length / n_time);
    for first in band.clone().step_by(BLOCK) {
        let block = Geometry::new(kernel, cells, first);
        for part in 0..BLOCK / V::WIDTH {
            V::vectorize(
                #[inline(always)]
                || {
                    let inverse_width = Geometry::lanes(&block.inverse_width, part);
                    let at = first + part * V::WIDTH;
                    let which = || block.gaussians(kernel, block.nodes(), bits);
                    let mut work = Part::<V, C>::new(kernel, &block, part, &chebyshev, which(), gaussians);
                    let rows = rows.chunks_exact(strides[0]).map(|row| &row[at * C..]);
                    let bars = rows_bar.chunks_exact(strides[1]).map(|row| &row[(at - band.start) * C..]);
                    work.pull_to_nodes(kernel, inverse_width, &chebyshev, rows.zip(bars), sums_bar);
                    work.pull_to_parameters(kernel, which(), gaussians, gradient, sums_bar);
                },
            );
        }
    }
}

/// One vector of cells: a lane a cell, `C` nodes each.
struct Part<V, const C: usize> {
    d: [V; C],
    inverse_norm: [V; C],
    norm_bar: [V; C],
}

impl<V: Lanes<Real = f64>, const C: usize> Part<V, C> {
    /// Nodes and norms; leaves the values of these Gaussians at the nodes in `gaussians` (`[M][C]`).
    #[inline(always)]
    fn new(
        kernel: &Kernel<'_, f64>,
        block: &Geometry,
        part: usize,
        chebyshev: &Chebyshev<C>,
        which: impl Iterator<Item = usize>,
        gaussians: &mut [V],
    ) -> Self {
        let (origin, width): (V, V) =
            (Geometry::lanes(&block.origin, part), Geometry::lanes(&block.width, part));
        let mut d = [V::zero(); C];
        for (d, x) in d.iter_mut().zip(chebyshev.nodes) {
            *d = origin + width * V::constant(0.5 + x);
        }
        let mut norm = [V::splat(kernel.eps); C];
        let (gaussians, _) = gaussians.as_chunks_mut::<C>();
        for m in which {
            [gaussians[m], _] = gaussians_at([kernel.mean[m], kernel.scale[m]].map(V::splat), &d);
            for (norm, &g) in norm.iter_mut().zip(&gaussians[m]) {
                *norm += g;
            }
        }
        let mut inverse_norm = [V::constant(1.0); C];
        if kernel.basis == Basis::Normalized {
            for (inverse_norm, &norm) in inverse_norm.iter_mut().zip(&norm) {
                *inverse_norm = *inverse_norm / norm;
            }
        }
        Part { d, inverse_norm, norm_bar: [V::zero(); C] }
    }

    /// Leaves the cotangents of the sums over Gaussians at the nodes in `scratch` (`[L][C]`), and that of the norm, given
    /// each F_l's rows of these cells and their cotangents.
    #[inline(always)]
    fn pull_to_nodes<'a>(
        &mut self,
        kernel: &Kernel<'_, f64>,
        inverse_width: V,
        chebyshev: &Chebyshev<C>,
        rows_and_bars: impl Iterator<Item = (&'a [f64], &'a [f64])>,
        scratch: &mut [V],
    ) {
        let width = V::zero().select_less(inverse_width, V::constant(1.0) / inverse_width, V::zero());
        let sums = scratch.chunks_exact_mut(C).zip(kernel.level);
        for ((sums_bar, &level), (row, row_bar)) in sums.zip(rows_and_bars) {
            // In powers of x = u / width, whose value at a node is F there.
            let bar = chebyshev.coefficients_transpose(&columns::<V, C>(row_bar, inverse_width));
            let coefficients = columns::<V, C>(row, width);
            for (j, x) in chebyshev.nodes.into_iter().enumerate() {
                let mut value = coefficients[C - 1];
                for p in (0..C - 1).rev() {
                    value = value * V::constant(x) + coefficients[p];
                }
                self.norm_bar[j] -= bar[j] * (value - V::splat(level)) * self.inverse_norm[j];
                sums_bar[j] = bar[j];
            }
        }
    }

    /// Adds the cotangents of level, W, mu and log gamma, given the values of `which` Gaussians.
    #[inline(always)]
    fn pull_to_parameters(
        &self,
        kernel: &Kernel<'_, f64>,
        which: impl Iterator<Item = usize>,
        gaussians: &[V],
        gradient: &mut KernelGradient<'_, V>,
        sums_bar: &mut [V],
    ) {
        let (sums_bar, _) = sums_bar.as_chunks_mut::<C>();
        for (level, bar) in gradient.level.iter_mut().zip(&mut *sums_bar) {
            for (bar, &inverse_norm) in bar.iter_mut().zip(&self.inverse_norm) {
                *level += *bar;
                *bar = *bar * inverse_norm;
            }
        }
        let n_radial = kernel.mean.len();
        let two_ln_2 = V::constant(2.0 * LN_2);
        let (gaussians, _) = gaussians.as_chunks::<C>();
        for m in which {
            let g = &gaussians[m];
            let mut g_bar = [V::zero(); C];
            if kernel.basis == Basis::Normalized {
                g_bar = self.norm_bar;
            }
            for (l, bar) in sums_bar.iter().enumerate() {
                let weight = V::splat(kernel.weights[l * n_radial + m]);
                let mut sum = g[0] * bar[0];
                g_bar[0] += weight * bar[0];
                for j in 1..C {
                    sum += g[j] * bar[j];
                    g_bar[j] += weight * bar[j];
                }
                gradient.weights[l * n_radial + m] += sum;
            }
            let (mean, scale) = (V::splat(kernel.mean[m]), V::splat(kernel.scale[m]));
            let (mut shift, mut stretch) = (V::zero(), V::zero());
            for j in 0..C {
                let z = (self.d[j] - mean) * scale;
                let share = g_bar[j] * g[j] * z;
                shift += share;
                stretch += share * z;
            }
            gradient.mean[m] += two_ln_2 * scale * shift;
            gradient.log_gamma[m] += two_ln_2 * stretch;
        }
    }
}

/// Column p of the first rows, a lane a row, times factor^p.
#[inline(always)]
fn columns<V: Lanes<Real = f64>, const C: usize>(rows: &[f64], factor: V) -> [V; C] {
    let mut columns = [V::zero(); C];
    let mut power = V::constant(1.0);
    for (p, column) in columns.iter_mut().enumerate() {
        *column = V::from_fn(|lane| rows[lane * C + p]) * power;
        power = power * factor;
    }
    columns
}
