//! From cotangents of what the pieces of a minibatch see to those of the trained coordinates.

use super::parameters::{Group, Parameters};
use super::piece::{PieceGradient, PieceResult, sum_lanes};
use super::precision::Trainable;
use crate::flow::{Block, Compiled, Plan, Precision};
use crate::lanes::{COMPLETE, Lanes, Real, Vectorized};
use crate::parallel::map_indexed;
use crate::radial::{
    Degree, Kernel, KernelGradient, SQRT_LOG2_E, bands, combine_transpose, combine_transpose_scratch,
    compile_transpose, time_functions, time_transpose,
};
use std::ops::Range;

/// A minibatch's sums.
pub struct Total {
    pub objective: f64,
    pub penalty: f64,
    pub step_error: f64,
    gradient: TotalGradient,
}

enum TotalGradient {
    /// Of the offset at each stage, the weights `[stages][M]`, mu and log gamma.
    Collapsed([Vec<f64>; 4]),
    /// Of the stages' tables, piece by piece: to be added up on the way back.
    Tables(Vec<Vec<Block>>),
}

impl Total {
    /// Adds up the results of the pieces in their order.
    pub fn of<R: Precision>(plan: &Plan<R, Vec<Block>>, pieces: Vec<PieceResult>) -> Self {
        let gradient = TotalGradient::zeros(plan);
        let mut total = Total { objective: 0.0, penalty: 0.0, step_error: 0.0, gradient };
        for piece in pieces {
            total.objective += piece.objective;
            total.penalty += piece.penalty;
            total.step_error += piece.step_error;
            match (&mut total.gradient, piece.gradient) {
                (TotalGradient::Collapsed(sums), PieceGradient::Collapsed(parts)) => {
                    for (sum, part) in sums.iter_mut().zip(&parts) {
                        sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
                    }
                }
                (TotalGradient::Tables(parts), PieceGradient::Tables(part)) => parts.push(part),
                // The plan decides for all pieces.
                _ => unreachable!("a gradient of the other kind"),
            }
        }
        total
    }

    /// The gradient in the trained coordinates.
    pub fn pull_back<R: Trainable>(
        &self,
        parameters: &Parameters,
        plan: &Plan<R, Vec<Block>>,
        nodes: &[f64],
    ) -> Vec<f64> {
        let mut gradient = Parameters::clone(parameters);
        gradient.coordinates_mut().fill(0.0);
        match &self.gradient {
            TotalGradient::Collapsed(sums) => pull_back_collapsed(parameters, nodes, sums, &mut gradient),
            TotalGradient::Tables(parts) => {
                let parts: Vec<&[R]> = parts.iter().map(|part| Block::reals(part)).collect();
                pull_back_tables(parameters, plan, nodes, &parts, &mut gradient);
            }
        }
        gradient.coordinates().to_vec()
    }
}

impl TotalGradient {
    fn zeros<R: Precision>(plan: &Plan<R, Vec<Block>>) -> Self {
        if plan.cells().is_some() {
            return TotalGradient::Tables(Vec::new());
        }
        let (m, stages) = (plan.kernel().expect(COMPLETE).mean.len(), plan.stages());
        TotalGradient::Collapsed([stages, stages * m, m, m].map(|n| vec![0.0; n]))
    }
}

/// Stage time number `stage` of the grid with these nodes.
fn stage_time(nodes: &[f64], stage: usize) -> f64 {
    0.5 * (nodes[stage / 2] + nodes[stage.div_ceil(2)])
}

/// Through the tables' sums over l, then through the compilation of the L functions of distance; band by band, wherever
/// [`map_indexed`] runs them.
fn pull_back_tables<R: Trainable>(
    parameters: &Parameters,
    plan: &Plan<R, Vec<Block>>,
    nodes: &[f64],
    parts: &[&[R]],
    gradient: &mut Parameters,
) {
    let Some(compiled) = plan.compiled().expect(COMPLETE) else { return };
    let (m, l) = (parameters.n_radial(), parameters.n_time());
    let bands: Vec<Range<usize>> = bands(&compiled.cells).collect();
    let of_bands = map_indexed(bands.len(), |i| {
        R::pull_back(PullBand { compiled: &compiled, parts, band: bands[i].clone() })
    });
    let BandCotangents { values, level, weights, mean, log_gamma } = sum_in_order(of_bands);
    let (mut mu_time, mut log_gamma_time) = (vec![0.0; l], vec![0.0; l]);
    let stages = compiled.time_values.chunks_exact(l).zip(values.chunks_exact(l));
    for (stage, (values, values_bar)) in stages.enumerate() {
        let t = stage_time(nodes, stage);
        time_transpose(&compiled.kernel, t, values, values_bar, &mut mu_time, &mut log_gamma_time);
    }
    for k in 0..l {
        pull_back_level(parameters, gradient, k, level[k]);
        let row = &mut gradient.group_mut(Group::Weights)[k * m..(k + 1) * m];
        row.iter_mut().zip(&weights[k * m..(k + 1) * m]).for_each(|(sum, bar)| *sum += bar);
    }
    gradient.group_mut(Group::Mu).copy_from_slice(&mean);
    gradient.group_mut(Group::LogGamma).copy_from_slice(&log_gamma);
    gradient.group_mut(Group::MuTime).copy_from_slice(&mu_time);
    gradient.group_mut(Group::LogGammaTime).copy_from_slice(&log_gamma_time);
}

/// A band of rows on the way back from the stages' tables to the parameters.
pub struct PullBand<'a, R> {
    compiled: &'a Compiled<'a>,
    parts: &'a [&'a [R]],
    band: Range<usize>,
}

/// A band's share of the cotangents.
pub struct BandCotangents {
    /// Of R_l at the stages, `[stages][L]`.
    values: Vec<f64>,
    /// Of level, `[L]`.
    level: Vec<f64>,
    /// Of W, `[L][M]`.
    weights: Vec<f64>,
    /// Of mu, `[M]`.
    mean: Vec<f64>,
    /// Of log gamma, `[M]`.
    log_gamma: Vec<f64>,
}

impl BandCotangents {
    fn arrays(&self) -> [&[f64]; 5] {
        [&self.values, &self.level, &self.weights, &self.mean, &self.log_gamma]
    }

    fn arrays_mut(&mut self) -> [&mut [f64]; 5] {
        [&mut self.values, &mut self.level, &mut self.weights, &mut self.mean, &mut self.log_gamma]
    }
}

/// The sum of all bands, which are one at least.
fn sum_in_order(bands: Vec<BandCotangents>) -> BandCotangents {
    let add = |mut sum: BandCotangents, band: BandCotangents| {
        for (sum, part) in sum.arrays_mut().into_iter().zip(band.arrays()) {
            sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
        }
        sum
    };
    bands.into_iter().reduce(add).expect(COMPLETE)
}

impl<R: Real> Vectorized<f64> for PullBand<'_, R> {
    type Output = BandCotangents;

    fn run<V: Lanes<Real = f64>>(self) -> BandCotangents {
        let PullBand { compiled, parts, band } = self;
        let Compiled { cells, kernel, time_values, rows } = compiled;
        let (l, c) = (kernel.level.len(), cells.degree.coefficients());
        let at = band.start * c..band.end * c;
        let mut values = vec![V::zero(); time_values.len()];
        let mut rows_bar = vec![Block::default(); Block::count::<f64>(l * at.len())];
        let rows_bar = Block::vectors_mut(&mut rows_bar);
        let scratch = combine_transpose_scratch::<V>(at.len(), time_values.len() / l);
        let mut scratch = vec![Default::default(); scratch];
        let outputs = [&mut rows_bar[..], &mut values[..]];
        combine_transpose::<V, R>(l, time_values, rows, parts, at, outputs, &mut scratch);
        compile_band(compiled, band, bytemuck::cast_slice(rows_bar), values)
    }
}

/// [`compile_transpose`] for the degree of the cells.
fn compile_band<V: Lanes<Real = f64>>(
    compiled: &Compiled<'_>,
    band: Range<usize>,
    rows_bar: &[f64],
    values: Vec<V>,
) -> BandCotangents {
    let Compiled { cells, kernel, rows, .. } = compiled;
    let (m, l) = (kernel.mean.len(), kernel.level.len());
    let [mut level, mut weights, mut mean, mut log_gamma] = [l, l * m, m, m].map(|n| vec![V::zero(); n]);
    let out = &mut KernelGradient {
        level: &mut level,
        weights: &mut weights,
        mean: &mut mean,
        log_gamma: &mut log_gamma,
    };
    let mut scratch = vec![V::zero(); (m + l) * cells.degree.coefficients()];
    match cells.degree {
        Degree::Cubic => compile_transpose::<V, 4>(kernel, cells, rows, band, rows_bar, out, &mut scratch),
        Degree::Septic => compile_transpose::<V, 8>(kernel, cells, rows, band, rows_bar, out, &mut scratch),
    }
    let [values, level, weights, mean, log_gamma] =
        [values, level, weights, mean, log_gamma].map(|lanes| lanes.into_iter().map(sum_lanes).collect());
    BandCotangents { values, level, weights, mean, log_gamma }
}

/// level_l = b_l + sum_m W_lm a_m^2, differentiated.
fn pull_back_level(parameters: &Parameters, gradient: &mut Parameters, l: usize, level_bar: f64) {
    let m = parameters.n_radial();
    gradient.group_mut(Group::Bias)[l] += level_bar;
    for i in 0..m {
        let (w, a) = (parameters.group(Group::Weights)[l * m + i], parameters.group(Group::Importance)[i]);
        gradient.group_mut(Group::Weights)[l * m + i] += level_bar * a * a;
        gradient.group_mut(Group::Importance)[i] += 2.0 * a * w * level_bar;
    }
}

/// The collapse at every stage time, differentiated.
fn pull_back_collapsed(
    parameters: &Parameters,
    nodes: &[f64],
    [offsets, weights, mean, log_gamma]: &[Vec<f64>; 4],
    gradient: &mut Parameters,
) {
    let m = parameters.n_radial();
    gradient.group_mut(Group::Mu).copy_from_slice(mean);
    gradient.group_mut(Group::LogGamma).copy_from_slice(log_gamma);
    let mut collapse = CollapseTranspose::new(parameters);
    for (stage, (&offset_bar, weights_bar)) in offsets.iter().zip(weights.chunks_exact(m)).enumerate() {
        collapse.pull_back(stage_time(nodes, stage), offset_bar, weights_bar, gradient);
    }
}

/// weights_m(t) = sum_l R_l(t) W_lm and offset(t) = sum_l R_l(t) level_l, differentiated.
pub struct CollapseTranspose<'p> {
    parameters: &'p Parameters,
    /// sqrt(log2 e) / gamma^t, `[L]`.
    time_scale: Vec<f64>,
    /// R_l(t) and their cotangents, `[L]` each.
    values: [Vec<f64>; 2],
    /// Cotangents of mu^t and log gamma^t, `[L]` each.
    times: [Vec<f64>; 2],
}

impl<'p> CollapseTranspose<'p> {
    /// For these parameters.
    pub fn new(parameters: &'p Parameters) -> Self {
        let log_gamma_time = parameters.group(Group::LogGammaTime);
        let zeros = || [vec![0.0; log_gamma_time.len()], vec![0.0; log_gamma_time.len()]];
        CollapseTranspose {
            parameters,
            time_scale: log_gamma_time.iter().map(|&log| SQRT_LOG2_E / libm::exp(log)).collect(),
            values: zeros(),
            times: zeros(),
        }
    }

    /// Adds to `gradient` the share of the cotangents of the offset and of the weights (`[M]`) at time `t`.
    pub fn pull_back(&mut self, t: f64, offset_bar: f64, weights_bar: &[f64], gradient: &mut Parameters) {
        let CollapseTranspose { parameters, time_scale, values: [values, values_bar], times } = self;
        let kernel = Kernel {
            basis: parameters.basis(),
            eps: parameters.eps(),
            reach: 0.0,
            mean: &[],
            scale: &[],
            time_mean: parameters.group(Group::MuTime),
            time_scale,
            level: &[],
            weights: &[],
        };
        time_functions(&kernel, t, values);
        for k in 0..values.len() {
            values_bar[k] = pull_back_row(parameters, gradient, k, values[k], offset_bar, weights_bar);
        }
        let groups = [Group::MuTime, Group::LogGammaTime];
        for (time, group) in times.iter_mut().zip(groups) {
            time.copy_from_slice(gradient.group(group));
        }
        let [mu_time, log_gamma_time] = times;
        time_transpose(&kernel, t, values, values_bar, mu_time, log_gamma_time);
        for (time, group) in times.iter().zip(groups) {
            gradient.group_mut(group).copy_from_slice(time);
        }
    }
}

/// One time function's share at one stage; returns the cotangent of its value R_l(t).
fn pull_back_row(
    parameters: &Parameters,
    gradient: &mut Parameters,
    l: usize,
    value: f64,
    offset_bar: f64,
    weights_bar: &[f64],
) -> f64 {
    let m = weights_bar.len();
    let row = &parameters.group(Group::Weights)[l * m..(l + 1) * m];
    let importance = parameters.group(Group::Importance);
    let mut value_bar = offset_bar * parameters.group(Group::Bias)[l];
    for i in 0..m {
        let (w, a) = (row[i], importance[i]);
        value_bar += w * (weights_bar[i] + offset_bar * a * a);
        gradient.group_mut(Group::Weights)[l * m + i] += value * weights_bar[i];
    }
    pull_back_level(parameters, gradient, l, value * offset_bar);
    value_bar
}
