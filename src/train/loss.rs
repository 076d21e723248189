//! Maximum-likelihood and reverse-KL losses of a minibatch and their exact gradients.

use super::field::{StageGradient, TrainField};
use super::parameters::{Group, Parameters};
use crate::error::Error;
use crate::field::PairScratch;
use crate::flow::{Config, Plan, RadialPath};
use crate::integrate::rk4::{self, AdjointScratch, Cotangents, Direction, Penalty, SolveScratch};
use crate::lanes::{Block, Lanes, Real, gather};
use crate::parallel::map_indexed;
use crate::particles::{prior_gradient, prior_log_prob};
use crate::potential::Potential;
use crate::radial::{Kernel, SQRT_LOG2_E, time_functions, time_transpose};
use serde::{Deserialize, Serialize};

/// What is minimised, as a mean over the minibatch.
pub enum Objective<'a, V> {
    /// Minus the log-density of the samples: the batch holds configurations x.
    MaximumLikelihood,
    /// u(F(z)) - log_det, the reverse Kullback-Leibler divergence up to a constant: the batch holds latent z.
    ReverseKl(&'a dyn Potential<V>),
}

/// Weights of the penalties, each a mean over the minibatch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Penalties {
    /// Of the kinetic energy, the integral of |v|^2 over time.
    pub kinetic: f64,
    /// Of the sum of the squared RK4 step errors ([`Penalty`]).
    pub step_error: f64,
}

/// Samples `[n][N][D]` of which a minibatch takes those at `indices`.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a, R> {
    /// All samples, `[n][N][D]`.
    pub samples: &'a [R],
    /// Which of them.
    pub indices: &'a [usize],
}

/// A minibatch's loss and its gradient.
#[derive(Clone, Debug)]
pub struct LossGradient {
    /// Mean objective without penalties: for maximum likelihood the NLL in nats by the fixed grid.
    pub objective: f64,
    /// Mean of the weighted penalties.
    pub penalty: f64,
    /// Gradient of objective + penalty in the trained coordinates ([`Group::ALL`]).
    pub gradient: Vec<f64>,
}

/// Vectors of samples that one thread takes at a time; part of the arithmetic, so not a tunable.
const VECTORS_PER_CHUNK: usize = 4;

/// Loss and gradient of a minibatch, integrated on the grid with nodes `nodes` (rising from 0 to 1).
///
/// Computed in precision `R` and added up in double precision, chunk by chunk in a fixed order: the bits do not
/// depend on the number of threads.
///
/// # Errors
/// Those of [`Plan::new`] and [`Plan::regrid`].
///
/// # Panics
/// Where an index lies outside the samples.
pub fn loss_gradient<R: Real>(
    parameters: &Parameters,
    nodes: &[f64],
    objective: &Objective<'_, R::Lanes>,
    penalties: Penalties,
    batch: Batch<'_, R>,
) -> Result<LossGradient, Error> {
    let config = Config::rk4(nodes.len().saturating_sub(1)).with_radial(RadialPath::Exact);
    let mut plan: Plan<R, Vec<Block>> = parameters.with_model(|model| Plan::allocate(model, &config))?;
    plan.regrid(nodes)?;
    let width = R::Lanes::WIDTH;
    let chunks: Vec<&[usize]> = batch.indices.chunks(VECTORS_PER_CHUNK * width).collect();
    let weight = 1.0 / batch.indices.len().max(1) as f64;
    let parts = map_indexed(chunks.len(), |c| {
        let mut chunk = Chunk::new(&plan, objective, penalties, weight);
        for group in chunks[c].chunks(width) {
            chunk.add(batch.samples, group);
        }
        chunk.finish()
    });
    let stages = 2 * nodes.len() - 1;
    let mut total = Total::zeros(stages, parameters.n_radial());
    for part in &parts {
        total.add(part);
    }
    Ok(LossGradient {
        objective: total.objective,
        penalty: total.penalty,
        gradient: pull_back(parameters, nodes, &total),
    })
}

/// The part of a minibatch that one thread integrates.
struct Chunk<'p, R: Real> {
    plan: &'p Plan<R, Vec<Block>>,
    objective: &'p Objective<'p, R::Lanes>,
    penalties: Penalties,
    weight: f64,
    memory: Vec<R::Lanes>,
    gradient: StageGradient<R::Lanes>,
    objective_sum: f64,
    penalty_sum: f64,
}

impl<'p, R: Real> Chunk<'p, R> {
    fn new(
        plan: &'p Plan<R, Vec<Block>>,
        objective: &'p Objective<'p, R::Lanes>,
        penalties: Penalties,
        weight: f64,
    ) -> Self {
        let (shape, m) = (plan.shape(), plan.kernel().mean.len());
        let steps = plan.grid(Direction::Forward).steps();
        let coordinates = shape.coordinates();
        let length = (steps + 2) * coordinates
            + PairScratch::<R::Lanes>::extent(shape, 1)
            + TrainField::<R>::gaussian_extent(m)
            + AdjointScratch::<R::Lanes>::extent(1, coordinates);
        Chunk {
            plan,
            objective,
            penalties,
            weight,
            memory: vec![R::Lanes::zero(); length],
            gradient: StageGradient::zeros(2 * steps + 1, m),
            objective_sum: 0.0,
            penalty_sum: 0.0,
        }
    }

    /// Adds the samples at `indices` (at most one vector of them).
    fn add(&mut self, samples: &[R], indices: &[usize]) {
        let (shape, plan) = (self.plan.shape(), self.plan);
        let coordinates = shape.coordinates();
        let direction = match self.objective {
            Objective::MaximumLikelihood => Direction::Backward,
            Objective::ReverseKl(_) => Direction::Forward,
        };
        let grid = plan.grid(direction);
        let (tape, rest) = self.memory.split_at_mut(grid.steps() * coordinates);
        let (x, rest) = rest.split_at_mut(coordinates);
        let (x_bar, rest) = rest.split_at_mut(coordinates);
        let (gaussians, rest) = rest.split_at_mut(TrainField::<R>::gaussian_extent(plan.kernel().mean.len()));
        let (pairs, rest) = PairScratch::carve(shape, 1, rest);
        let gradient = core::mem::replace(&mut self.gradient, StageGradient::zeros(0, 0));
        let mut field = TrainField { plan, pairs, gaussians, gradient };

        gather(samples, |i| indices[i.min(indices.len() - 1)], x);
        let (mut scratch, _) = SolveScratch::carve(1, coordinates, rest);
        let mut log_det = [R::Lanes::zero()];
        rk4::solve(&mut field, grid, x, &mut log_det, &mut scratch, |k, x| {
            tape[k * coordinates..(k + 1) * coordinates].copy_from_slice(x);
        });
        let [log_det] = log_det;
        let value = match self.objective {
            Objective::MaximumLikelihood => {
                prior_gradient(shape, x, x_bar);
                x_bar.iter_mut().for_each(|bar| *bar = -*bar);
                -(prior_log_prob(shape, x) + log_det)
            }
            Objective::ReverseKl(potential) => potential.energy(shape, x, Some(x_bar)) - log_det,
        };
        // Lanes beyond the last sample have no weight.
        let weight = R::Lanes::from_fn(|i| R::from_f64(if i < indices.len() { self.weight } else { 0.0 }));
        x_bar.iter_mut().for_each(|bar| *bar = weight * *bar);
        let penalties = [Penalty {
            kinetic: R::Lanes::constant(self.penalties.kinetic) * weight,
            step_error: R::Lanes::constant(self.penalties.step_error) * weight,
        }];
        let (mut scratch, _) = AdjointScratch::carve(1, coordinates, rest);
        let start = |k: usize| &tape[k * coordinates..(k + 1) * coordinates];
        let mut penalty = [R::Lanes::zero()];
        let bar = Cotangents { x: x_bar, log_det: &[-weight] };
        rk4::adjoint(&mut field, grid, start, bar, Some((&penalties, &mut penalty)), &mut scratch);
        self.objective_sum += sum_lanes(value * weight);
        self.penalty_sum += sum_lanes(penalty[0]);
        self.gradient = field.gradient;
    }

    fn finish(self) -> Total {
        let lanes = |values: &[R::Lanes]| values.iter().map(|&v| sum_lanes(v)).collect();
        Total {
            objective: self.objective_sum,
            penalty: self.penalty_sum,
            offsets: lanes(&self.gradient.offsets),
            weights: lanes(&self.gradient.weights),
            mean: lanes(&self.gradient.mean),
            log_gamma: lanes(&self.gradient.log_gamma),
        }
    }
}

/// The lanes added up in order.
fn sum_lanes<V: Lanes>(v: V) -> f64 {
    v.as_slice().iter().map(|lane| lane.to_f64()).sum()
}

/// Cotangents of the collapsed parameters over samples.
struct Total {
    objective: f64,
    penalty: f64,
    offsets: Vec<f64>,
    weights: Vec<f64>,
    mean: Vec<f64>,
    log_gamma: Vec<f64>,
}

impl Total {
    fn zeros(stages: usize, n_radial: usize) -> Self {
        Total {
            objective: 0.0,
            penalty: 0.0,
            offsets: vec![0.0; stages],
            weights: vec![0.0; stages * n_radial],
            mean: vec![0.0; n_radial],
            log_gamma: vec![0.0; n_radial],
        }
    }

    fn add(&mut self, part: &Total) {
        self.objective += part.objective;
        self.penalty += part.penalty;
        for (sum, part) in [
            (&mut self.offsets, &part.offsets),
            (&mut self.weights, &part.weights),
            (&mut self.mean, &part.mean),
            (&mut self.log_gamma, &part.log_gamma),
        ] {
            sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
        }
    }
}

/// From collapsed to trained coordinates: weights_m(t) = sum_l R_l(t) W_lm and
/// offset(t) = sum_l R_l(t) (b_l + sum_m W_lm a_m^2), differentiated at every stage time.
fn pull_back(parameters: &Parameters, nodes: &[f64], total: &Total) -> Vec<f64> {
    let (m, l) = (parameters.n_radial(), parameters.n_time());
    let time_scale: Vec<f64> =
        parameters.group(Group::LogGammaTime).iter().map(|&log| SQRT_LOG2_E / libm::exp(log)).collect();
    let kernel = Kernel {
        basis: parameters.basis(),
        eps: parameters.eps(),
        reach: 0.0,
        mean: &[],
        scale: &[],
        time_mean: parameters.group(Group::MuTime),
        time_scale: &time_scale,
        level: &[],
        weights: &[],
    };
    let mut gradient = Parameters::clone(parameters);
    gradient.coordinates_mut().fill(0.0);
    gradient.group_mut(Group::Mu).copy_from_slice(&total.mean);
    gradient.group_mut(Group::LogGamma).copy_from_slice(&total.log_gamma);
    let (mut values, mut values_bar) = (vec![0.0; l], vec![0.0; l]);
    let (mut mu_time, mut log_gamma_time) = (vec![0.0; l], vec![0.0; l]);
    for (stage, (&offset_bar, weights_bar)) in
        total.offsets.iter().zip(total.weights.chunks_exact(m)).enumerate()
    {
        let t = 0.5 * (nodes[stage / 2] + nodes[stage.div_ceil(2)]);
        time_functions(&kernel, t, &mut values);
        for k in 0..l {
            values_bar[k] = pull_back_row(parameters, &mut gradient, k, values[k], offset_bar, weights_bar);
        }
        time_transpose(&kernel, t, &values, &values_bar, &mut mu_time, &mut log_gamma_time);
    }
    gradient.group_mut(Group::MuTime).copy_from_slice(&mu_time);
    gradient.group_mut(Group::LogGammaTime).copy_from_slice(&log_gamma_time);
    gradient.coordinates().to_vec()
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
    let level_bar = value * offset_bar;
    let mut value_bar = offset_bar * parameters.group(Group::Bias)[l];
    gradient.group_mut(Group::Bias)[l] += level_bar;
    for i in 0..m {
        let (w, a) = (row[i], importance[i]);
        value_bar += w * (weights_bar[i] + offset_bar * a * a);
        gradient.group_mut(Group::Weights)[l * m + i] += value * weights_bar[i] + level_bar * a * a;
        gradient.group_mut(Group::Importance)[i] += 2.0 * a * w * level_bar;
    }
    value_bar
}
