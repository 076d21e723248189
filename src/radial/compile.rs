//! From Gaussians to polynomials: Chebyshev interpolation of the L functions of distance in every cell.
//!
//! phi(d, t) = sum_l R_l(t) F_l(d) with F_l = level_l + sum_m W_lm K_m. The F_l are compiled once, whatever the
//! number of stage times; a stage's table is then a sum of L tables. Everything here is double precision.

use super::accuracy::{Accuracy, Extremes, by_time, compare, compare_right_ends, expect, scratch_extent};
use super::cells::Cells;
use super::chebyshev::Chebyshev;
use super::collapse::{Basis, Kernel};
use super::geometry::{BLOCK, Geometry, Sums, add_each, gaussians_at};
use crate::error::Missing;
use crate::lanes::{Block, Lanes, Real, at, check, copy, part_mut, vectors, vectors_mut};

/// As many nodes as cells have at most, each of all cells of a block.
type Nodes = [Block; 8];

/// Rows of memory for one F_l: full blocks.
pub const fn padded_rows(cells: &Cells) -> usize {
    cells.rows().next_multiple_of(BLOCK)
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
    let mut norm = Nodes::default();
    for first in (0..cells.rows()).step_by(BLOCK) {
        let block = Geometry::new(kernel, cells, first);
        expect::<V>(kernel, &block, scratch)?;
        let norm = part_mut(Block::vectors_mut::<V>(&mut norm), 0, C * BLOCK / V::WIDTH)?;
        sum_gaussians(kernel, &block, cells.bits(), &chebyshev.nodes, first, rows, norm)?;
        interpolate(kernel, &block, &chebyshev, norm, first, rows, scratch)?;
        accuracy.add_stages(n_time, time_values, &block, scratch)?;
    }
    Ok(accuracy.finish())
}

/// What one F_l takes of the rows of all `n_time`, as the length of chunks.
#[inline(always)]
fn stride(rows: &[f64], n_time: usize) -> Result<usize, Missing> {
    Ok(rows.len().checked_div(n_time).ok_or(Missing)?.max(1))
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

/// Leaves sum_m W_lm g_m at the nodes in each l's rows of this block, and what these are to be multiplied by in
/// `inverse_norm` (`[nodes][BLOCK]`); without Gaussians below 2^-bits of the norm.
fn sum_gaussians<V: Lanes<Real = f64>>(
    kernel: &Kernel<'_, f64>,
    block: &Geometry,
    bits: f64,
    nodes: &[f64],
    first: usize,
    rows: &mut [f64],
    inverse_norm: &mut [V],
) -> Result<(), Missing> {
    let stride = stride(rows, kernel.level.len())?;
    let (start, length) = (first * nodes.len(), BLOCK * nodes.len());
    for row in rows.chunks_exact_mut(stride) {
        part_mut(row, start, length)?.fill(0.0);
    }
    V::vectorize(
        #[inline(always)]
        || {
            let mut d = Nodes::default();
            let d = Block::vectors_mut::<V>(&mut d);
            for part in 0..BLOCK / V::WIDTH {
                let (origin, width): (V, V) =
                    (Geometry::lanes(&block.origin, part), Geometry::lanes(&block.width, part));
                for (d, &x) in d.iter_mut().skip(part).step_by(BLOCK / V::WIDTH).zip(nodes) {
                    *d = origin + width * V::constant(0.5 + x);
                }
            }
            inverse_norm.fill(V::zero());
            let mut sums = NodeSums { kernel, d, norm: inverse_norm, start, rows };
            add_each(&mut sums, block.gaussians(kernel, block.nodes(), bits))?;
            for norm in inverse_norm {
                *norm = match kernel.basis {
                    Basis::Gaussian => V::constant(1.0),
                    Basis::Normalized => V::constant(1.0) / (V::splat(kernel.eps) + *norm),
                };
            }
            Ok(())
        },
    )
}

/// Sums over Gaussians at the nodes: without weights, and weighed by each W_l.
struct NodeSums<'a, 'k, V> {
    kernel: &'a Kernel<'k, f64>,
    d: &'a [V],
    norm: &'a mut [V],
    /// Where the block starts in each l's rows.
    start: usize,
    rows: &'a mut [f64],
}

impl<V: Lanes<Real = f64>> Sums for NodeSums<'_, '_, V> {
    #[inline(always)]
    fn add<const G: usize>(&mut self, which: [usize; G]) -> Result<(), Missing> {
        const VECTORS: usize = 4;
        let NodeSums { kernel, d, norm, start, rows } = self;
        let (stride, length) = (stride(rows, kernel.level.len())?, norm.len() * V::WIDTH);
        let quads = d.as_chunks::<VECTORS>().0.iter().zip(norm.as_chunks_mut::<VECTORS>().0);
        for (quad, (d, norm)) in quads.enumerate() {
            let mut gaussians = [[V::zero(); VECTORS]; G];
            for (gaussian, &m) in gaussians.iter_mut().zip(&which) {
                let parameters = [at(kernel.mean, m)?, at(kernel.scale, m)?].map(V::splat);
                [*gaussian, _] = gaussians_at(parameters, d);
                for v in 0..VECTORS {
                    norm[v] += gaussian[v];
                }
            }
            for (row, weights) in rows.chunks_exact_mut(stride).zip(kernel.weights_by_time()) {
                let nodes = vectors_mut::<V>(part_mut(row, *start, length)?)?;
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
}

/// Turns each l's sums into polynomials, and what [`expect`] left in `scratch` into their errors.
fn interpolate<V: Lanes<Real = f64>, const C: usize>(
    kernel: &Kernel<'_, f64>,
    block: &Geometry,
    chebyshev: &Chebyshev<C>,
    inverse_norm: &[V],
    first: usize,
    rows: &mut [f64],
    scratch: &mut [f64],
) -> Result<(), Missing> {
    V::vectorize(
        #[inline(always)]
        || {
            let stride = stride(rows, kernel.level.len())?;
            let levels = kernel.level.iter().zip(by_time(scratch));
            for (row, (&level, checks)) in rows.chunks_exact_mut(stride).zip(levels) {
                let row = part_mut(row, first * C, BLOCK * C)?;
                let mut sums = Nodes::default();
                let sums = part_mut(Block::vectors_mut::<V>(&mut sums), 0, inverse_norm.len())?;
                copy(vectors(row)?, sums)?;
                for part in 0..BLOCK / V::WIDTH {
                    let polynomial: [V; C] =
                        polynomial(chebyshev, level, [sums, inverse_norm], part, &block.inverse_width)?;
                    compare(block, part, &polynomial, vectors_mut(checks)?)?;
                    for lane in 0..V::WIDTH {
                        let row = part_mut(row, (part * V::WIDTH + lane) * C, C)?;
                        for (target, coefficient) in row.iter_mut().zip(&polynomial) {
                            *target = coefficient.lane(lane);
                        }
                    }
                }
                compare_right_ends(checks)?;
            }
            Ok(())
        },
    )
}

/// One F_l in a vector's cells, in powers of y from their middles.
#[inline(always)]
fn polynomial<V: Lanes<Real = f64>, const C: usize>(
    chebyshev: &Chebyshev<C>,
    level: f64,
    [sums, inverse_norm]: [&[V]; 2],
    part: usize,
    inverse_width: &[f64; BLOCK],
) -> Result<[V; C], Missing> {
    let mut f = [V::zero(); C];
    for (j, f) in f.iter_mut().enumerate() {
        let node = j * (BLOCK / V::WIDTH) + part;
        *f = V::splat(level) + at(sums, node)? * at(inverse_norm, node)?;
    }
    let mut polynomial = chebyshev.coefficients(&f);
    let inverse_width: V = Geometry::lanes(inverse_width, part);
    // The constant cell has no width: what remains of its higher coefficients is rounding.
    let mut power = inverse_width;
    for coefficient in &mut polynomial[1..] {
        *coefficient = *coefficient * power;
        power = power * inverse_width;
    }
    Ok(polynomial)
}
