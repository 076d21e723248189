//! The part of a minibatch that one thread integrates, there and back.

use super::field::{Sink, TrainField, gaussian_extent};
use super::loss::{Batch, KlGradient, Objective, Penalties};
use crate::field::{PairScratch, Shape};
use crate::flow::{Block, Plan, Precision};
use crate::integrate::rk4::{self, AdjointScratch, Cotangents, Direction, Penalty, Stages, Tape};
use crate::lanes::{Lanes, Real, Vectorized, gather};
use crate::particles::{prior_gradient, prior_log_prob};

/// Samples of a piece: part of the order of additions, so not a tunable.
pub const SAMPLES: usize = 32;

/// At most [`SAMPLES`] samples of a minibatch, to be run at a fixed vector width.
pub struct Piece<'a, R: Precision> {
    pub plan: &'a Plan<R, Vec<Block>>,
    pub objective: &'a Objective<'a, R::Lanes>,
    pub penalties: Penalties,
    /// Of each sample in the objective.
    pub weights: &'a [f64],
    /// Of any sample in the penalties' means.
    pub weight: f64,
    pub batch: Batch<'a, R>,
}

/// What a piece contributes to the minibatch.
pub struct PieceResult {
    pub objective: f64,
    pub penalty: f64,
    pub gradient: PieceGradient,
}

/// Cotangents, the lanes added up.
pub enum PieceGradient {
    /// Of the offset at each stage, the weights `[stages][M]`, mu and log gamma.
    Collapsed([Vec<f64>; 4]),
    /// Of the stages' tables, in the precision and layout of [`Sink::Tables`].
    Tables(Vec<Block>),
}

impl<R: Precision> Vectorized<R> for Piece<'_, R> {
    type Output = PieceResult;

    fn run<V: Lanes<Real = R>>(self) -> PieceResult {
        let groups = self.batch.indices.len().div_ceil(V::WIDTH);
        let mut memory = Memory::<V>::new(self.plan, groups);
        let stages = 2 * self.plan.grid(Direction::Forward).steps() + 1;
        let mut sink = Sink::<V>::zeros(self.plan, stages);
        let (objective, penalty) = self.integrate(&mut memory, &mut sink);
        let gradient = match sink {
            Sink::Tables(tables) => PieceGradient::Tables(tables),
            Sink::Collapsed(sums) => PieceGradient::Collapsed(
                [sums.offsets, sums.weights, sums.mean, sums.log_gamma]
                    .map(|values| values.into_iter().map(sum_lanes).collect()),
            ),
        };
        PieceResult { objective, penalty, gradient }
    }
}

/// Vectors for a piece.
struct Memory<V> {
    x: Vec<V>,
    x_bar: Vec<V>,
    /// All stages of all steps.
    tape: Vec<V>,
    /// `[groups]` each.
    log_det: Vec<V>,
    log_det_bar: Vec<V>,
    penalty: Vec<V>,
    pairs: Vec<V>,
    gaussians: Vec<V>,
    integrator: Vec<V>,
}

impl<V: Lanes<Real: Precision>> Memory<V> {
    fn new(plan: &Plan<V::Real, Vec<Block>>, groups: usize) -> Self {
        let (shape, steps) = (plan.shape(), plan.grid(Direction::Forward).steps());
        let coordinates = shape.coordinates();
        let zeros = |n: usize| vec![V::zero(); n];
        Memory {
            x: zeros(groups * coordinates),
            x_bar: zeros(groups * coordinates),
            tape: zeros(steps * Stages::<V>::extent(groups, coordinates)),
            log_det: zeros(groups),
            log_det_bar: zeros(groups),
            penalty: zeros(groups),
            pairs: zeros(PairScratch::<V>::extent(shape, groups)),
            gaussians: zeros(gaussian_extent(plan.kernel().mean.len())),
            integrator: zeros(AdjointScratch::<V>::extent(groups, coordinates)),
        }
    }
}

impl<R: Precision> Piece<'_, R> {
    /// Weighted sums of the objective and of the penalties; the parameters' cotangents go to the sink.
    fn integrate<V: Lanes<Real = R>>(&self, memory: &mut Memory<V>, sink: &mut Sink<V>) -> (f64, f64) {
        let (shape, groups) = (self.plan.shape(), memory.log_det.len());
        let coordinates = shape.coordinates();
        let direction = match self.objective {
            Objective::MaximumLikelihood => Direction::Backward,
            Objective::ReverseKl(..) => Direction::Forward,
        };
        let grid = self.plan.grid(direction);
        let (pairs, _) = PairScratch::carve(shape, groups, &mut memory.pairs);
        let mut field = TrainField { plan: self.plan, pairs, gaussians: &mut memory.gaussians, sink };
        self.load(&mut memory.x, coordinates);
        rk4::solve_taped(&mut field, grid, &mut memory.x, &mut memory.log_det, &mut memory.tape);
        let weights: Vec<V> = (0..groups).map(|g| self.lanes(g, |i| self.weights[i])).collect();
        let objective =
            end_point(self.objective, shape, &memory.x, &memory.log_det, &weights, &mut memory.x_bar);
        let shares = (0..groups).map(|g| self.lanes(g, |_| self.weight));
        let penalties: Vec<Penalty<V>> = shares.map(|weight| self.penalty(weight)).collect();
        for (bar, &weight) in memory.log_det_bar.iter_mut().zip(&weights) {
            *bar = -weight;
        }
        if let Objective::ReverseKl(_, KlGradient::Path) = self.objective {
            memory.log_det_bar.fill(V::zero());
            self.add_score(&memory.x, &weights, &mut memory.x_bar);
        }
        let (mut scratch, _) = AdjointScratch::carve(groups, coordinates, &mut memory.integrator);
        let bar = Cotangents { x: &mut memory.x_bar, log_det: &memory.log_det_bar };
        let penalty = Some((&penalties[..], &mut memory.penalty[..]));
        rk4::adjoint(&mut field, grid, Tape::Stages(&mut memory.tape), bar, penalty, &mut scratch);
        (objective, memory.penalty.iter().map(|&v| sum_lanes(v)).sum())
    }

    /// Gathers the samples; lanes beyond the last one repeat it.
    fn load<V: Lanes<Real = R>>(&self, x: &mut [V], coordinates: usize) {
        let indices = self.batch.indices;
        for (g, x) in x.chunks_exact_mut(coordinates).enumerate() {
            gather(self.batch.samples, |i| indices[(g * V::WIDTH + i).min(indices.len() - 1)], x);
        }
    }

    /// Weights of a group's samples; lanes beyond the last sample have none.
    fn lanes<V: Lanes<Real = R>>(&self, group: usize, weight: impl Fn(usize) -> f64) -> V {
        let count = self.batch.indices.len();
        let lane = |i| if i < count { weight(i) } else { 0.0 };
        V::from_fn(|i| R::from_f64(lane(group * V::WIDTH + i)))
    }

    fn penalty<V: Lanes<Real = R>>(&self, weight: V) -> Penalty<V> {
        Penalty {
            kinetic: V::constant(self.penalties.kinetic) * weight,
            step_error: V::constant(self.penalties.step_error) * weight,
        }
    }

    /// Adds the weighted score of the flow's density at `x` to `x_bar`; NaN where it cannot be had.
    fn add_score<V: Lanes<Real = R>>(&self, x: &[V], weights: &[V], x_bar: &mut [V]) {
        let coordinates = self.plan.shape().coordinates();
        let lanes = weights.len() * V::WIDTH;
        let mut samples = vec![R::from_f64(0.0); lanes * coordinates];
        let at = |g: usize, lane: usize, c: usize| (g * V::WIDTH + lane) * coordinates + c;
        for (k, x) in x.iter().enumerate() {
            for (lane, &value) in x.as_slice().iter().enumerate() {
                samples[at(k / coordinates, lane, k % coordinates)] = value;
            }
        }
        let (mut log_prob, mut score) =
            (vec![R::from_f64(0.0); lanes], vec![R::from_f64(f64::NAN); samples.len()]);
        // Samples that have left the range of numbers have no score: the loss is not finite then either.
        let _ = self
            .plan
            .allocate_workspace(lanes)
            .and_then(|mut work| self.plan.log_prob(&samples, &mut log_prob, Some(&mut score), &mut work));
        for (k, bar) in x_bar.iter_mut().enumerate() {
            let g = k / coordinates;
            *bar += weights[g] * V::from_fn(|lane| score[at(g, lane, k % coordinates)]);
        }
    }
}

/// The weighted objective, and its cotangent of the end point `x` (`[groups][N][D]`).
pub fn end_point<R: Precision, V: Lanes<Real = R>>(
    objective: &Objective<'_, R::Lanes>,
    shape: Shape,
    x: &[V],
    log_det: &[V],
    weights: &[V],
    x_bar: &mut [V],
) -> f64 {
    let coordinates = shape.coordinates();
    let mut sum = 0.0;
    for (g, (&log_det, &weight)) in log_det.iter().zip(weights).enumerate() {
        let x = &x[g * coordinates..(g + 1) * coordinates];
        let x_bar = &mut x_bar[g * coordinates..(g + 1) * coordinates];
        let value = match objective {
            Objective::MaximumLikelihood => {
                prior_gradient(shape, x, x_bar);
                x_bar.iter_mut().for_each(|bar| *bar = -*bar);
                -(prior_log_prob(shape, x) + log_det)
            }
            Objective::ReverseKl(potential, _) => {
                // The same width on every instruction set: only the type's name differs.
                let x: &[R::Lanes] = bytemuck::cast_slice(x);
                let u: V = bytemuck::cast(potential.energy(shape, x, Some(bytemuck::cast_slice_mut(x_bar))));
                u - log_det
            }
        };
        x_bar.iter_mut().for_each(|bar| *bar = weight * *bar);
        sum += sum_lanes(value * weight);
    }
    sum
}

/// The lanes added up in order.
pub fn sum_lanes<V: Lanes>(v: V) -> f64 {
    v.as_slice().iter().map(|lane| lane.to_f64()).sum()
}
