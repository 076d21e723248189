//! The part of a minibatch that one thread integrates, there and back.

use super::field::{JacobianPenalty, Sink, TrainField, gaussian_extent};
use super::loss::{Batch, KlGradient, Objective, Penalties};
use crate::field::{PairScratch, Shape, norm_extent};
use crate::flow::{Block, Plan, Precision};
use crate::integrate::rk4::{
    self, AdjointScratch, Cotangents, Direction, Penalty, PenaltyValue, Stages, Tape,
};
use crate::lanes::{COMPLETE, Lanes, Real, Vectorized, gather};
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
    pub step_error: f64,
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
        let mut memory = Memory::<V>::new(self.plan, groups, self.penalties.jacobian > 0.0);
        let stages = 2 * self.plan.grid(Direction::Forward).expect(COMPLETE).steps() + 1;
        let mut sink = Sink::<V>::zeros(self.plan, stages);
        let [objective, penalty, step_error] = self.integrate(&mut memory, &mut sink);
        let gradient = match sink {
            Sink::Tables(tables) => PieceGradient::Tables(tables),
            Sink::Collapsed(sums) => PieceGradient::Collapsed(
                [sums.offsets, sums.weights, sums.mean, sums.log_gamma]
                    .map(|values| values.into_iter().map(sum_lanes).collect()),
            ),
        };
        PieceResult { objective, penalty, step_error, gradient }
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
    penalty: Vec<PenaltyValue<V>>,
    /// Weights and values of the penalty on the Jacobian's norm, and its scratch; empty without it.
    jacobian: [Vec<V>; 3],
    pairs: Vec<V>,
    gaussians: Vec<V>,
    integrator: Vec<V>,
}

impl<V: Lanes<Real: Precision>> Memory<V> {
    fn new(plan: &Plan<V::Real, Vec<Block>>, groups: usize, jacobian: bool) -> Self {
        let (shape, steps) = (plan.shape(), plan.grid(Direction::Forward).expect(COMPLETE).steps());
        let coordinates = shape.coordinates();
        let zeros = |n: usize| vec![V::zero(); n];
        let norm = [groups, groups, norm_extent::<V>(shape, groups)];
        Memory {
            x: zeros(groups * coordinates),
            x_bar: zeros(groups * coordinates),
            tape: zeros(steps * Stages::<V>::extent(groups, coordinates)),
            log_det: zeros(groups),
            log_det_bar: zeros(groups),
            penalty: vec![PenaltyValue { weighted: V::zero(), step_error: V::zero() }; groups],
            jacobian: norm.map(|n| zeros(if jacobian { n } else { 0 })),
            pairs: zeros(PairScratch::<V>::extent(shape, groups)),
            gaussians: zeros(gaussian_extent(plan.kernel().expect(COMPLETE).mean.len())),
            integrator: zeros(AdjointScratch::<V>::extent(groups, coordinates)),
        }
    }
}

impl<R: Precision> Piece<'_, R> {
    /// Weighted sums of the objective, of the penalties and of the squared step errors; the parameters' cotangents go to
    /// the sink.
    fn integrate<V: Lanes<Real = R>>(&self, memory: &mut Memory<V>, sink: &mut Sink<V>) -> [f64; 3] {
        let (shape, groups) = (self.plan.shape(), memory.log_det.len());
        let coordinates = shape.coordinates();
        let direction = match self.objective {
            Objective::MaximumLikelihood => Direction::Backward,
            Objective::ReverseKl(..) => Direction::Forward,
        };
        let grid = self.plan.grid(direction).expect(COMPLETE);
        let (pairs, _) = PairScratch::carve(shape, groups, &mut memory.pairs).expect(COMPLETE);
        let gaussians = &mut memory.gaussians;
        let mut field = TrainField { plan: self.plan, pairs, gaussians, sink, jacobian: None };
        self.load(&mut memory.x, coordinates);
        rk4::solve_taped(&mut field, grid, &mut memory.x, &mut memory.log_det, &mut memory.tape)
            .expect(COMPLETE);
        let weights: Vec<V> = (0..groups).map(|g| self.lanes(g, |i| self.weights[i])).collect();
        let objective =
            end_point(self.objective, shape, &memory.x, &memory.log_det, &weights, &mut memory.x_bar);
        let shares: Vec<V> = (0..groups).map(|g| self.lanes(g, |_| self.weight)).collect();
        let penalties: Vec<Penalty<V>> = shares.iter().map(|&share| self.penalty(share)).collect();
        for (bar, &weight) in memory.log_det_bar.iter_mut().zip(&weights) {
            *bar = -weight;
        }
        if let Objective::ReverseKl(_, KlGradient::Path) = self.objective {
            memory.log_det_bar.fill(V::zero());
            self.add_score(&memory.x, &weights, &mut memory.x_bar);
        }
        let (mut scratch, _) =
            AdjointScratch::carve(groups, coordinates, &mut memory.integrator).expect(COMPLETE);
        let bar = Cotangents { x: &mut memory.x_bar, log_det: &memory.log_det_bar };
        let penalties = Some(rk4::Penalties { weights: &penalties, values: &mut memory.penalty });
        field.jacobian = self.jacobian_penalty(&shares, &mut memory.jacobian);
        rk4::adjoint(&mut field, grid, Tape::Stages(&mut memory.tape), bar, penalties, &mut scratch)
            .expect(COMPLETE);
        let weighted = memory.penalty.iter().map(|value| value.weighted);
        let penalty = weighted.chain(memory.jacobian[1].iter().copied()).map(sum_lanes).sum();
        let errors = memory.penalty.iter().zip(&shares).map(|(value, &share)| share * value.step_error);
        [objective, penalty, errors.map(sum_lanes).sum()]
    }

    /// Gathers the samples; lanes beyond the last one repeat it.
    fn load<V: Lanes<Real = R>>(&self, x: &mut [V], coordinates: usize) {
        let indices = self.batch.indices;
        for (g, x) in x.chunks_exact_mut(coordinates).enumerate() {
            let index = |i: usize| indices[(g * V::WIDTH + i).min(indices.len() - 1)];
            gather(self.batch.samples, index, x).expect("indices of samples");
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

    fn jacobian_penalty<'m, V: Lanes<Real = R>>(
        &self,
        weights: &[V],
        [scaled, values, scratch]: &'m mut [Vec<V>; 3],
    ) -> Option<JacobianPenalty<'m, V>> {
        let factor = V::constant(self.penalties.jacobian);
        scaled.iter_mut().zip(weights).for_each(|(scaled, &weight)| *scaled = factor * weight);
        (!scaled.is_empty()).then_some(JacobianPenalty { weights: scaled, values, scratch })
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
