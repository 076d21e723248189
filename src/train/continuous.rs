//! The continuous adjoint: optimise, then discretise (Chen, Rubanova, Bettencourt, Duvenaud, "Neural Ordinary
//! Differential Equations", 2018, arXiv:1806.07366), as an alternative to differentiating a fixed grid.
//!
//! With dx/dt = v, d(log det)/dt = div v and a loss of the end point and the log-determinant, the adjoint a of x and the
//! gradient G of the parameters theta obey, from the end of the trajectory back to its start,
//!
//! ```text
//! da/dt = -d/dx     [a . v + l div v + s k |v|^2],   a = d loss / d x(end),   l = d loss / d log det
//! dG/dt = -d/dtheta [a . v + l div v + s k |v|^2],   G = 0
//! ```
//!
//! with k the weight of the kinetic energy, the integral of |v|^2 over time, and s = 1 or -1 the direction in which the
//! trajectory runs. x itself is solved backwards along with them, so no trajectory is kept; the log-determinant is not,
//! because nothing depends on it.

use super::loss::{Batch, Evaluations, KlGradient, LossGradient, Objective};
use super::minibatch::{Bars, Minibatch, from_lanes, in_samples, to_lanes};
use super::parameters::{Group, Parameters};
use super::piece::end_point;
use super::pull_back::CollapseTranspose;
use crate::error::{Argument, Error, Missing, Status};
use crate::flow::{Block, Config, Integrator, Plan};
use crate::integrate::dopri5::{self, Control, TimeField};
use crate::integrate::{NotConverged, Stopped};
use crate::lanes::{Lanes, Real};
use serde::{Deserialize, Serialize};

/// Tolerances of the continuous adjoint.
///
/// All samples of a minibatch share their steps, as with torchdiffeq, which the paper used. A step is accepted where the
/// largest of these root mean squares of e_i / (atol + rtol max(|y_i|, |y_i'|)) over the minibatch is below one: there,
/// that of the coordinates, that of the log-determinants, and that of the kinetic energy; back, that of the coordinates,
/// that of their adjoints, and that of the parameters' gradient.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Continuous {
    /// Relative tolerance of a step, not negative.
    pub rtol: f64,
    /// Absolute tolerance of a step, positive. Adjoints and gradient are those of a mean over the minibatch.
    pub atol: f64,
    /// Most attempted steps there, and again back.
    pub max_steps: usize,
}

impl Default for Continuous {
    /// The paper's 1e-5 and 1e-10, and 1000 steps each way.
    fn default() -> Self {
        Continuous { rtol: 1e-5, atol: 1e-10, max_steps: 1_000 }
    }
}

/// The widest vectors of doubles that every processor has.
type Doubles = <f64 as Real>::Lanes;

/// Loss of a minibatch and its gradient by the continuous adjoint, with adaptive Dormand-Prince steps.
///
/// In double precision, the radial functions as sums over all Gaussians: once per evaluation they are collapsed in time,
/// and once the cotangents of the collapsed coefficients, summed over the samples, go back to the parameters. Both the
/// loss and its gradient are those of the differential equation to the tolerances; unlike that of
/// [`super::loss_gradient`], the gradient is not exactly that of the loss as computed. The bits depend neither on the
/// number of threads nor on the instruction set.
///
/// `kinetic` weighs the mean kinetic energy, the integral of |v|^2 over time. The score that [`KlGradient::Path`] takes
/// is computed to the same tolerances, sample by sample; its evaluations are not counted.
///
/// # Errors
/// Those of [`Plan::allocate`]; [`Status::Convergence`] on `max_steps`, with the time that was reached, where the
/// tolerances cannot be met within that limit or the field leaves the range of numbers.
///
/// # Panics
/// Where an index lies outside the samples.
pub fn continuous_loss_gradient(
    parameters: &Parameters,
    settings: &Continuous,
    objective: &Objective<'_, Doubles>,
    kinetic: f64,
    batch: Batch<'_, f64>,
) -> Result<LossGradient, Error> {
    let Continuous { rtol, atol, max_steps } = *settings;
    let config =
        Config { integrator: Integrator::Dopri5 { rtol, atol, max_steps }, ..Config::dopri5(rtol, atol) };
    let plan: Plan<f64, Vec<Block>> = parameters.with_model(|model| Plan::allocate(model, &config))?;
    let count = batch.indices.len();
    let weight = 1.0 / count.max(1) as f64;
    let (span, sign) = match objective {
        Objective::MaximumLikelihood => ([1.0, 0.0], -1.0),
        Objective::ReverseKl(..) => ([0.0, 1.0], 1.0),
    };
    let control = Control { rtol, atol, max_steps };
    let running = Running { kinetic: kinetic * weight, sign };
    let there = Trajectory::solve(&plan, batch, running, span, control)?;
    let end = there.end_point(&plan, objective, weight)?;
    let (gradient, backward) = end.pull_back(parameters, &plan, running, span, control)?;
    let evaluations = Evaluations { forward: there.evaluations, backward };
    Ok(LossGradient {
        objective: end.objective,
        penalty: there.penalty,
        step_error: 0.0,
        gradient,
        evaluations,
    })
}

/// What the loss has along the trajectory.
#[derive(Clone, Copy)]
struct Running {
    /// Weight of one sample's kinetic energy.
    kinetic: f64,
    /// Direction of time.
    sign: f64,
}

fn stopped(failure: Stopped<f64>) -> Error {
    match failure {
        Stopped::NotConverged(NotConverged { time, .. }) => {
            Error::new(Status::Convergence, Argument::MaxSteps, time)
        }
        Stopped::Missing(missing) => missing.into(),
    }
}

/// Where the samples arrive.
struct Trajectory {
    /// `[n][N][D]`.
    x: Vec<f64>,
    /// `[n]`.
    log_det: Vec<f64>,
    /// The weighted kinetic energy.
    penalty: f64,
    evaluations: usize,
}

/// State (x, log det, weighted kinetic energy).
struct There<'p> {
    minibatch: Minibatch<'p>,
    running: Running,
    /// n N D.
    coordinates: usize,
    evaluations: usize,
}

impl TimeField<f64> for There<'_> {
    fn evaluate(&mut self, t: f64, y: &[f64], dy: &mut [f64]) -> Result<(), Missing> {
        self.evaluations += 1;
        let (v, rest) = dy.split_at_mut(self.coordinates);
        let (energy, div) = rest.split_last_mut().expect("a state ends with the kinetic energy");
        self.minibatch.evaluate(t, &y[..self.coordinates], v, div);
        let square: f64 = v.iter().map(|v| v * v).sum();
        *energy = self.running.sign * self.running.kinetic * square;
        Ok(())
    }
}

impl Trajectory {
    fn solve(
        plan: &Plan<f64, Vec<Block>>,
        batch: Batch<'_, f64>,
        running: Running,
        span: [f64; 2],
        control: Control<f64>,
    ) -> Result<Self, Error> {
        let (each, count) = (plan.shape().coordinates(), batch.indices.len());
        let coordinates = count * each;
        let samples = batch.indices.iter().map(|&i| &batch.samples[i * each..(i + 1) * each]);
        let mut state: Vec<f64> = samples.flatten().copied().collect();
        state.resize(coordinates + count + 1, 0.0);
        let mut scratch = vec![0.0; dopri5::extent(state.len())];
        let minibatch = Minibatch::new(plan, count);
        let mut field = There { minibatch, running, coordinates, evaluations: 0 };
        let parts = [coordinates, count, 1];
        dopri5::solve_in_parts(&mut field, span, &mut state, &parts, control, &mut scratch)
            .map_err(stopped)?;
        let penalty = state[coordinates + count];
        let log_det = state[coordinates..coordinates + count].to_vec();
        state.truncate(coordinates);
        Ok(Trajectory { x: state, log_det, penalty, evaluations: field.evaluations })
    }

    /// The loss at the end, and what it does with it.
    fn end_point(
        &self,
        plan: &Plan<f64, Vec<Block>>,
        objective: &Objective<'_, Doubles>,
        weight: f64,
    ) -> Result<End, Error> {
        let (shape, count) = (plan.shape(), self.log_det.len());
        let (coordinates, groups) = (shape.coordinates(), count.div_ceil(Doubles::WIDTH));
        let zeros = |n: usize| vec![Doubles::zero(); n];
        let (mut x, mut x_bar) = (zeros(groups * coordinates), zeros(groups * coordinates));
        let mut log_det = zeros(groups);
        to_lanes(&self.x, coordinates, &mut x);
        to_lanes(&self.log_det, 1, &mut log_det);
        let weights: Vec<Doubles> = (0..groups).map(|g| in_samples(weight, g, count)).collect();
        let value = end_point(objective, shape, &x, &log_det, &weights, &mut x_bar);
        let mut end =
            End { objective: value, x: self.x.clone(), x_bar: vec![0.0; self.x.len()], log_det_bar: -weight };
        from_lanes(&x_bar, coordinates, &mut end.x_bar);
        if let Objective::ReverseKl(_, KlGradient::Path) = objective {
            end.log_det_bar = 0.0;
            let (mut log_prob, mut score) = (vec![0.0; count], vec![0.0; self.x.len()]);
            let mut work = plan.allocate_workspace(count)?;
            plan.log_prob(&self.x, &mut log_prob, Some(&mut score), &mut work)?;
            end.x_bar.iter_mut().zip(score).for_each(|(bar, score)| *bar += weight * score);
        }
        Ok(end)
    }
}

/// The end of the trajectories with its cotangents.
struct End {
    objective: f64,
    /// `[n][N][D]` each.
    x: Vec<f64>,
    x_bar: Vec<f64>,
    /// The same for every sample.
    log_det_bar: f64,
}

impl End {
    /// The gradient in the trained coordinates, and the evaluations that it took.
    fn pull_back(
        &self,
        parameters: &Parameters,
        plan: &Plan<f64, Vec<Block>>,
        running: Running,
        [start, end]: [f64; 2],
        control: Control<f64>,
    ) -> Result<(Vec<f64>, usize), Error> {
        let coordinates = self.x.len();
        let mut state = [&self.x[..], &self.x_bar, &vec![0.0; parameters.coordinates().len()]].concat();
        let mut scratch = vec![0.0; dopri5::extent(state.len())];
        let mut field = Back {
            minibatch: Minibatch::new(plan, coordinates / plan.shape().coordinates()),
            collapse: CollapseTranspose::new(parameters),
            gradient: parameters.clone(),
            running,
            log_det_bar: self.log_det_bar,
            coordinates,
            evaluations: 0,
        };
        let parts = [coordinates, coordinates, parameters.coordinates().len()];
        dopri5::solve_in_parts(&mut field, [end, start], &mut state, &parts, control, &mut scratch)
            .map_err(stopped)?;
        Ok((state.split_off(2 * coordinates), field.evaluations))
    }
}

/// State (x, a, G).
struct Back<'p> {
    minibatch: Minibatch<'p>,
    collapse: CollapseTranspose<'p>,
    /// Of one evaluation.
    gradient: Parameters,
    running: Running,
    log_det_bar: f64,
    /// n N D.
    coordinates: usize,
    evaluations: usize,
}

impl TimeField<f64> for Back<'_> {
    fn evaluate(&mut self, t: f64, y: &[f64], dy: &mut [f64]) -> Result<(), Missing> {
        self.evaluations += 1;
        let (x, rest) = y.split_at(self.coordinates);
        let bars = Bars {
            velocity: &rest[..self.coordinates],
            divergence: self.log_det_bar,
            square: self.running.sign * self.running.kinetic,
        };
        let (v, rest) = dy.split_at_mut(self.coordinates);
        let (adjoint, gradient) = rest.split_at_mut(self.coordinates);
        let collapsed = self.minibatch.transpose(t, x, bars, v, adjoint);
        self.gradient.coordinates_mut().fill(0.0);
        self.gradient.group_mut(Group::Mu).copy_from_slice(&collapsed.mean);
        self.gradient.group_mut(Group::LogGamma).copy_from_slice(&collapsed.log_gamma);
        self.collapse.pull_back(t, collapsed.offset, &collapsed.weights, &mut self.gradient);
        adjoint.iter_mut().for_each(|rate| *rate = -*rate);
        gradient.iter_mut().zip(self.gradient.coordinates()).for_each(|(rate, share)| *rate = -share);
        Ok(())
    }
}
