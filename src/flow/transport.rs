//! Moving one vector of samples along the flow: the plan's fields, workspace, and both integrators.

use super::config::Integrator;
use super::plan::Plan;
use crate::field::{self, PairScratch, Shape};
use crate::integrate::dopri5::{self, Control, NotConverged, TimeField};
use crate::integrate::rk4::{self, AdjointScratch, Direction, Penalty, StageField, StageTranspose, Stages};
use crate::lanes::{Lanes, Real};
use crate::particles::{prior_gradient, prior_log_prob};
use crate::radial::{Exact, PerLane, Radial};
use core::ops::Deref;

/// The parts of a workspace for one vector of samples.
#[derive(Debug)]
pub struct WorkspaceParts<'w, V> {
    /// Positions, `[N][D]`.
    pub x: &'w mut [V],
    pairs: PairScratch<'w, V>,
    weights: &'w mut [V],
    integrator: &'w mut [V],
}

impl<'w, V: Lanes> WorkspaceParts<'w, V> {
    /// Vectors that [`WorkspaceParts::carve`] takes.
    pub fn extent(shape: Shape, n_radial: usize, steps: usize) -> usize {
        let coordinates = shape.coordinates();
        coordinates + PairScratch::<V>::extent(shape) + n_radial + Self::integrator_extent(coordinates, steps)
    }

    fn integrator_extent(coordinates: usize, steps: usize) -> usize {
        if steps == 0 {
            2 * coordinates + dopri5::extent(2 * coordinates)
        } else {
            (steps + 1) * coordinates + AdjointScratch::<V>::extent(coordinates)
        }
    }

    /// Takes the parts from the front of `memory`, which has at least the extent, and returns the rest.
    pub fn carve(shape: Shape, n_radial: usize, steps: usize, memory: &'w mut [V]) -> (Self, &'w mut [V]) {
        let coordinates = shape.coordinates();
        let (x, memory) = memory.split_at_mut(coordinates);
        let (pairs, memory) = PairScratch::carve(shape, memory);
        let (weights, memory) = memory.split_at_mut(n_radial);
        let (integrator, memory) = memory.split_at_mut(Self::integrator_extent(coordinates, steps));
        (WorkspaceParts { x, pairs, weights, integrator }, memory)
    }
}

/// The field at the stage times of the plan's fixed grid.
struct GridField<'p, 'w, R, S, V> {
    plan: &'p Plan<R, S>,
    pairs: &'p mut PairScratch<'w, V>,
}

impl<R: Real, S: Deref<Target = [R]>, V: Lanes<Real = R>> StageField<V> for GridField<'_, '_, R, S, V> {
    fn evaluate(&mut self, stage: usize, x: &[V], v: &mut [V]) -> V {
        let radial = self.plan.stage_radial::<V>(stage);
        field::velocity_divergence(self.plan.shape, &radial, x, v, self.pairs)
    }
}

impl<R: Real, S: Deref<Target = [R]>, V: Lanes<Real = R>> StageTranspose<V> for GridField<'_, '_, R, S, V> {
    fn transpose(&mut self, stage: usize, x: &[V], v_bar: &[V], div_bar: V, x_bar: &mut [V]) {
        let radial = self.plan.stage_radial::<V>(stage);
        field::transpose(
            self.plan.shape,
            x,
            v_bar,
            div_bar,
            x_bar,
            self.pairs,
            |d, _, [phi, slope, curvature]| radial.value_slope_curvature(d, phi, slope, curvature),
        );
    }
}

/// The field at any time, each lane at its own.
struct LaneField<'p, 'w, R, S, V> {
    plan: &'p Plan<R, S>,
    pairs: &'p mut PairScratch<'w, V>,
    weights: &'p mut [V],
}

impl<'w, R: Real, S: Deref<Target = [R]>, V: Lanes<Real = R>> LaneField<'_, 'w, R, S, V> {
    /// phi at the lanes' times, and the scratch for its pair loop.
    fn at(&mut self, t: V) -> (Exact<'_, V, PerLane<'_, V>>, &mut PairScratch<'w, V>) {
        let kernel = self.plan.kernel();
        let offset = kernel.collapse(t, self.weights);
        (Exact { kernel, offset, weights: PerLane(self.weights) }, self.pairs)
    }
}

/// State (x, log det).
struct Trajectory<'p, 'w, R, S, V>(LaneField<'p, 'w, R, S, V>);

impl<R: Real, S: Deref<Target = [R]>, V: Lanes<Real = R>> TimeField<V> for Trajectory<'_, '_, R, S, V> {
    fn evaluate(&mut self, t: V, y: &[V], dy: &mut [V]) {
        let shape = self.0.plan.shape;
        let (v, divergence) = dy.split_at_mut(shape.coordinates());
        let (radial, pairs) = self.0.at(t);
        divergence[0] = field::velocity_divergence(shape, &radial, &y[..shape.coordinates()], v, pairs);
    }
}

/// State (x, g) with g = grad log p_t(x): along a trajectory dg/dt = -(dv/dx)^T g - grad div v.
struct Score<'p, 'w, R, S, V>(LaneField<'p, 'w, R, S, V>);

impl<R: Real, S: Deref<Target = [R]>, V: Lanes<Real = R>> TimeField<V> for Score<'_, '_, R, S, V> {
    fn evaluate(&mut self, t: V, y: &[V], dy: &mut [V]) {
        let shape = self.0.plan.shape;
        let (x, g) = y.split_at(shape.coordinates());
        let (v, rate) = dy.split_at_mut(shape.coordinates());
        let (radial, pairs) = self.0.at(t);
        field::velocity_divergence(shape, &radial, x, v, pairs);
        let one = V::constant(1.0);
        field::transpose(shape, x, g, one, rate, pairs, |d, _, [phi, slope, curvature]| {
            radial.value_slope_curvature(d, phi, slope, curvature);
        });
        for rate in rate {
            *rate = -*rate;
        }
    }
}

impl<R: Real, S: Deref<Target = [R]>> Plan<R, S> {
    /// Moves `parts.x` along the flow and returns the log-determinant of that map.
    pub(super) fn transport<V: Lanes<Real = R>>(
        &self,
        direction: Direction,
        parts: &mut WorkspaceParts<'_, V>,
    ) -> Result<V, NotConverged<R>> {
        match self.config.integrator {
            Integrator::Rk4 { .. } => {
                let mut field = GridField { plan: self, pairs: &mut parts.pairs };
                let (mut stages, _) = Stages::carve(self.shape.coordinates(), parts.integrator);
                Ok(rk4::solve(&mut field, self.grid(direction), parts.x, &mut stages, |_, _| ()))
            }
            Integrator::Dopri5 { .. } => self.transport_adaptively(direction, parts),
        }
    }

    fn control(&self) -> Control<R> {
        let (rtol, atol, max_steps) = match self.config.integrator {
            Integrator::Dopri5 { rtol, atol, max_steps } => (rtol, atol, max_steps),
            Integrator::Rk4 { .. } => (0.0, 0.0, 0),
        };
        Control { rtol: R::from_f64(rtol), atol: R::from_f64(atol), max_steps }
    }

    fn transport_adaptively<V: Lanes<Real = R>>(
        &self,
        direction: Direction,
        parts: &mut WorkspaceParts<'_, V>,
    ) -> Result<V, NotConverged<R>> {
        let coordinates = self.shape.coordinates();
        let (state, scratch) = parts.integrator.split_at_mut(coordinates + 1);
        state[..coordinates].copy_from_slice(parts.x);
        state[coordinates] = V::zero();
        let field = LaneField { plan: self, pairs: &mut parts.pairs, weights: parts.weights };
        dopri5::solve(&mut Trajectory(field), span(direction), state, self.control(), scratch)?;
        parts.x.copy_from_slice(&state[..coordinates]);
        Ok(state[coordinates])
    }

    /// Log-density at `parts.x` and its gradient there, which replaces `parts.x`.
    pub(super) fn score<V: Lanes<Real = R>>(
        &self,
        parts: &mut WorkspaceParts<'_, V>,
    ) -> Result<V, NotConverged<R>> {
        match self.config.integrator {
            Integrator::Rk4 { .. } => Ok(self.score_on_grid(parts)),
            Integrator::Dopri5 { .. } => self.score_adaptively(parts),
        }
    }

    /// The exact gradient of the discretised log-density, by the adjoint of the grid.
    fn score_on_grid<V: Lanes<Real = R>>(&self, parts: &mut WorkspaceParts<'_, V>) -> V {
        let coordinates = self.shape.coordinates();
        let grid = self.grid(Direction::Backward);
        let mut field = GridField { plan: self, pairs: &mut parts.pairs };
        let (tape, rest) = parts.integrator.split_at_mut(grid.steps() * coordinates);
        let (x_bar, rest) = rest.split_at_mut(coordinates);
        let (mut stages, _) = Stages::carve(coordinates, rest);
        let log_det = rk4::solve(&mut field, grid, parts.x, &mut stages, |k, x| {
            tape[k * coordinates..(k + 1) * coordinates].copy_from_slice(x);
        });
        let log_prob = prior_log_prob(self.shape, parts.x) + log_det;
        prior_gradient(self.shape, parts.x, x_bar);
        let (mut scratch, _) = AdjointScratch::carve(coordinates, rest);
        let start = |k: usize| &tape[k * coordinates..(k + 1) * coordinates];
        let one = V::constant(1.0);
        rk4::adjoint(&mut field, grid, start, x_bar, one, Penalty::default(), &mut scratch);
        parts.x.copy_from_slice(x_bar);
        log_prob
    }

    fn score_adaptively<V: Lanes<Real = R>>(
        &self,
        parts: &mut WorkspaceParts<'_, V>,
    ) -> Result<V, NotConverged<R>> {
        let coordinates = self.shape.coordinates();
        let log_det = self.transport_adaptively(Direction::Backward, parts)?;
        let log_prob = prior_log_prob(self.shape, parts.x) + log_det;
        let (state, scratch) = parts.integrator.split_at_mut(2 * coordinates);
        state[..coordinates].copy_from_slice(parts.x);
        prior_gradient(self.shape, parts.x, &mut state[coordinates..]);
        let field = LaneField { plan: self, pairs: &mut parts.pairs, weights: parts.weights };
        dopri5::solve(&mut Score(field), span(Direction::Forward), state, self.control(), scratch)?;
        parts.x.copy_from_slice(&state[coordinates..]);
        Ok(log_prob)
    }

    /// Velocity of `parts.x` at time `t`, which replaces `parts.x`; returns the divergence.
    pub(super) fn velocity<V: Lanes<Real = R>>(&self, t: R, parts: &mut WorkspaceParts<'_, V>) -> V {
        let coordinates = self.shape.coordinates();
        let mut field = LaneField { plan: self, pairs: &mut parts.pairs, weights: parts.weights };
        let v = &mut parts.integrator[..coordinates];
        let (radial, pairs) = field.at(V::splat(t));
        let divergence = field::velocity_divergence(self.shape, &radial, parts.x, v, pairs);
        parts.x.copy_from_slice(v);
        divergence
    }
}

fn span<R: Real>(direction: Direction) -> [R; 2] {
    match direction {
        Direction::Forward => [0.0, 1.0].map(R::from_f64),
        Direction::Backward => [1.0, 0.0].map(R::from_f64),
    }
}
