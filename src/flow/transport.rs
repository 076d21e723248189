//! Moving a chunk of samples along the flow: the plan's fields, workspace, and both integrators.

use super::config::{Config, Integrator, LogDet};
use super::ladder;
use super::plan::Plan;
use super::precision::Precision;
use crate::error::Missing;
use crate::field::{self, PairScratch, Shape};
use crate::integrate::Stopped;
use crate::integrate::dopri5::{self, Control, TimeField};
use crate::integrate::rk4::{
    self, AdjointScratch, Cotangents, Direction, SolveScratch, StageField, StageTranspose, Tape,
};
use crate::integrate::tangent::StageTangent;
use crate::lanes::{Block, Lanes, Real, copy, part, part_mut, split, split_each};
use crate::particles::{prior_gradient, prior_log_prob};
use crate::radial::{Exact, PerLane, Radial};
use core::ops::Deref;

/// The parts of a workspace for a chunk of groups.
#[derive(Debug)]
pub struct WorkspaceParts<'w, V> {
    /// Positions, `[groups][N][D]`.
    pub x: &'w mut [V],
    /// One more result a group: a log-determinant, a log-density.
    pub extra: &'w mut [V],
    prior: &'w mut [V],
    pub(super) pairs: PairScratch<'w, V>,
    weights: &'w mut [V],
    pub(super) integrator: &'w mut [V],
    /// What the upper rungs of the exactness ladder take.
    pub(super) ladder: &'w mut [V],
}

impl<'w, V: Lanes> WorkspaceParts<'w, V> {
    /// Vectors that [`WorkspaceParts::carve`] takes; saturates where the ladder's part overflows.
    pub fn extent(shape: Shape, groups: usize, n_radial: usize, config: &Config) -> usize {
        let parts = groups * (shape.coordinates() + 2)
            + PairScratch::<V>::extent(shape, groups)
            + n_radial
            + Self::integrator_extent(shape.coordinates(), groups, config.grid_steps());
        ladder::extent::<V>(shape, groups, config).saturating_add(parts)
    }

    fn integrator_extent(coordinates: usize, groups: usize, steps: usize) -> usize {
        if steps == 0 {
            2 * coordinates + dopri5::extent(2 * coordinates)
        } else {
            (steps + 1) * groups * coordinates + groups + AdjointScratch::<V>::extent(groups, coordinates)
        }
    }

    /// Takes the parts from the front of `memory` and returns the rest.
    ///
    /// # Errors
    /// Where `memory` has less than the extent.
    pub fn carve(
        shape: Shape,
        groups: usize,
        n_radial: usize,
        config: &Config,
        memory: &'w mut [V],
    ) -> Result<(Self, &'w mut [V]), Missing> {
        let coordinates = shape.coordinates();
        let (x, memory) = split(memory, groups * coordinates)?;
        let ([extra, prior], memory) = split_each(memory, groups)?;
        let (pairs, memory) = PairScratch::carve(shape, groups, memory)?;
        let (weights, memory) = split(memory, n_radial)?;
        let integrator_extent = Self::integrator_extent(coordinates, groups, config.grid_steps());
        let (integrator, memory) = split(memory, integrator_extent)?;
        let (ladder, memory) = split(memory, ladder::extent::<V>(shape, groups, config))?;
        Ok((WorkspaceParts { x, extra, prior, pairs, weights, integrator, ladder }, memory))
    }

    /// The parts of the first `groups` groups.
    pub fn first(&mut self, groups: usize) -> Result<WorkspaceParts<'_, V>, Missing> {
        let coordinates = self.x.len().checked_div(self.extra.len()).ok_or(Missing)?;
        Ok(WorkspaceParts {
            x: part_mut(self.x, 0, groups * coordinates)?,
            extra: part_mut(self.extra, 0, groups)?,
            prior: part_mut(self.prior, 0, groups)?,
            pairs: self.pairs.reborrow(),
            weights: self.weights,
            integrator: self.integrator,
            ladder: self.ladder,
        })
    }
}

/// The field at the stage times of the plan's fixed grid.
pub(super) struct GridField<'p, 'w, R, S, V> {
    pub plan: &'p Plan<R, S>,
    pub pairs: &'p mut PairScratch<'w, V>,
}

impl<R: Precision, S: Deref<Target = [Block]>, V: Lanes<Real = R>> StageField<V>
    for GridField<'_, '_, R, S, V>
{
    fn evaluate(&mut self, stage: usize, x: &[V], v: &mut [V], div: &mut [V]) -> Result<(), Missing> {
        let radial = self.plan.stage_radial::<V>(stage)?;
        field::velocity_divergence(self.plan.shape, &radial, x, v, div, self.pairs)
    }
}

impl<R: Precision, S: Deref<Target = [Block]>, V: Lanes<Real = R>> StageTranspose<V>
    for GridField<'_, '_, R, S, V>
{
    fn transpose(
        &mut self,
        stage: usize,
        x: &[V],
        v_bar: &[V],
        div_bar: &[V],
        x_bar: &mut [V],
    ) -> Result<(), Missing> {
        let radial = self.plan.stage_radial::<V>(stage)?;
        field::transpose(
            self.plan.shape,
            x,
            v_bar,
            div_bar,
            x_bar,
            self.pairs,
            |d, _, [phi, slope, curvature]| radial.value_slope_curvature(d, phi, slope, curvature),
        )
    }
}

impl<R: Precision, S: Deref<Target = [Block]>, V: Lanes<Real = R>> StageTangent<V>
    for GridField<'_, '_, R, S, V>
{
    fn linearize(
        &mut self,
        stage: usize,
        x: &[V],
        v: &mut [V],
        div: &mut [V],
        matrices: &mut [V],
    ) -> Result<(), Missing> {
        self.evaluate(stage, x, v, div)?;
        // What the passes of one tile leave behind.
        let pairs = div.len() * self.plan.shape.pairs();
        let PairScratch { distance, phi, slope, .. } = &*self.pairs;
        let radials = [part(distance, 0, pairs)?, part(phi, 0, pairs)?, part(slope, 0, pairs)?];
        field::pair_matrices(self.plan.shape, x, radials, matrices)
    }
}

/// phi with each lane at its own time.
type LaneRadial<'a, V> = Exact<'a, V, PerLane<'a, V>>;

/// The field at any time, each lane at its own.
struct LaneField<'p, 'w, R, S, V> {
    plan: &'p Plan<R, S>,
    pairs: &'p mut PairScratch<'w, V>,
    weights: &'p mut [V],
}

impl<'w, R: Precision, S: Deref<Target = [Block]>, V: Lanes<Real = R>> LaneField<'_, 'w, R, S, V> {
    /// phi at the lanes' times, and the scratch for its pair loop.
    fn at(&mut self, t: V) -> Result<(LaneRadial<'_, V>, &mut PairScratch<'w, V>), Missing> {
        let kernel = self.plan.kernel()?;
        let offset = kernel.collapse(t, self.weights);
        Ok((Exact { kernel, offset, weights: PerLane(self.weights) }, self.pairs))
    }
}

/// State (x, log det).
struct Trajectory<'p, 'w, R, S, V>(LaneField<'p, 'w, R, S, V>);

impl<R: Precision, S: Deref<Target = [Block]>, V: Lanes<Real = R>> TimeField<V>
    for Trajectory<'_, '_, R, S, V>
{
    fn evaluate(&mut self, t: V, y: &[V], dy: &mut [V]) -> Result<(), Missing> {
        let shape = self.0.plan.shape;
        let (v, divergence) = split(dy, shape.coordinates())?;
        let (radial, pairs) = self.0.at(t)?;
        let x = part(y, 0, shape.coordinates())?;
        field::velocity_divergence(shape, &radial, x, v, divergence, pairs)
    }
}

/// State (x, g) with the cotangent g of x(t), where `div_bar` is that of the log-determinant from t to the end: along a
/// trajectory dg/dt = -(dv/dx)^T g - div_bar grad div v. With `div_bar` 1, g = grad log p_t(x) is the score.
struct Score<'p, 'w, R, S, V> {
    field: LaneField<'p, 'w, R, S, V>,
    div_bar: [V; 1],
}

impl<R: Precision, S: Deref<Target = [Block]>, V: Lanes<Real = R>> TimeField<V> for Score<'_, '_, R, S, V> {
    fn evaluate(&mut self, t: V, y: &[V], dy: &mut [V]) -> Result<(), Missing> {
        let shape = self.field.plan.shape;
        let (x, g) = y.split_at_checked(shape.coordinates()).ok_or(Missing)?;
        let (v, rate) = split(dy, shape.coordinates())?;
        let (radial, pairs) = self.field.at(t)?;
        field::velocity_divergence(shape, &radial, x, v, &mut [V::zero()], pairs)?;
        field::transpose(shape, x, g, &self.div_bar, rate, pairs, |d, _, [phi, slope, curvature]| {
            radial.value_slope_curvature(d, phi, slope, curvature);
        })?;
        V::vectorize(
            #[inline(always)]
            || rate.iter_mut().for_each(|rate| *rate = -*rate),
        );
        Ok(())
    }
}

impl<R: Precision, S: Deref<Target = [Block]>> Plan<R, S> {
    /// Moves `parts.x` forward and writes the log-determinant of that map to `parts.extra`.
    pub(super) fn map_forward<V: Lanes<Real = R>>(
        &self,
        parts: &mut WorkspaceParts<'_, V>,
    ) -> Result<(), Stopped<R>> {
        self.transport(Direction::Forward, parts)
    }

    /// Moves `parts.x` back, as the plan inverts, and writes the log-determinant of that map to `parts.extra`.
    pub(super) fn map_backward<V: Lanes<Real = R>>(
        &self,
        parts: &mut WorkspaceParts<'_, V>,
    ) -> Result<(), Stopped<R>> {
        match self.config.integrator {
            Integrator::Rk4 { .. } if self.inverts_exactly() => self.invert(parts, |_, _| Ok(())),
            _ => self.transport(Direction::Backward, parts),
        }
    }

    /// Follows the field either way.
    fn transport<V: Lanes<Real = R>>(
        &self,
        direction: Direction,
        parts: &mut WorkspaceParts<'_, V>,
    ) -> Result<(), Stopped<R>> {
        match self.config.integrator {
            Integrator::Rk4 { .. } if self.config.log_det == LogDet::Jacobian => {
                Ok(self.transport_tangents(direction, parts)?)
            }
            Integrator::Rk4 { .. } => {
                let mut field = GridField { plan: self, pairs: &mut parts.pairs };
                let (groups, coordinates) = (parts.extra.len(), self.shape.coordinates());
                let (mut scratch, _) = SolveScratch::carve(groups, coordinates, parts.integrator)?;
                let grid = self.grid(direction)?;
                Ok(rk4::solve(&mut field, grid, parts.x, parts.extra, &mut scratch, |_, _| Ok(()))?)
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

    /// One group, which is all that an adaptive plan has in a chunk.
    fn transport_adaptively<V: Lanes<Real = R>>(
        &self,
        direction: Direction,
        parts: &mut WorkspaceParts<'_, V>,
    ) -> Result<(), Stopped<R>> {
        let coordinates = self.shape.coordinates();
        let (state, scratch) = split(parts.integrator, coordinates + 1)?;
        copy(parts.x, part_mut(state, 0, coordinates)?)?;
        copy(&[V::zero()], part_mut(state, coordinates, 1)?)?;
        let field = LaneField { plan: self, pairs: &mut parts.pairs, weights: parts.weights };
        dopri5::solve(&mut Trajectory(field), span(direction), state, self.control(), scratch)?;
        copy(part(state, 0, coordinates)?, parts.x)?;
        copy(part(state, coordinates, 1)?, parts.extra)?;
        Ok(())
    }

    /// Moves prior draws in `parts.x` forward and writes the log-density of where they arrive to `parts.extra`.
    pub(super) fn push_forward<V: Lanes<Real = R>>(
        &self,
        parts: &mut WorkspaceParts<'_, V>,
    ) -> Result<(), Stopped<R>> {
        parts.prior.fill(V::zero());
        self.add_prior(parts.x, parts.prior);
        self.map_forward(parts)?;
        V::vectorize(
            #[inline(always)]
            || {
                for (extra, &prior) in parts.extra.iter_mut().zip(&*parts.prior) {
                    *extra = prior - *extra;
                }
            },
        );
        Ok(())
    }

    /// Moves configurations in `parts.x` back and writes their log-density to `parts.extra`.
    pub(super) fn pull_back<V: Lanes<Real = R>>(
        &self,
        parts: &mut WorkspaceParts<'_, V>,
    ) -> Result<(), Stopped<R>> {
        self.map_backward(parts)?;
        self.add_prior(parts.x, parts.extra);
        Ok(())
    }

    /// Adds the prior's log-density at `x` (`[groups][N][D]`) to `extra` (`[groups]`).
    pub(super) fn add_prior<V: Lanes<Real = R>>(&self, x: &[V], extra: &mut [V]) {
        V::vectorize(
            #[inline(always)]
            || {
                for (x, extra) in x.chunks_exact(self.shape.coordinates()).zip(extra) {
                    *extra = prior_log_prob(self.shape, x) + *extra;
                }
            },
        );
    }

    /// Writes the log-density at `parts.x` to `parts.extra`, and its gradient there to `parts.x`.
    pub(super) fn score<V: Lanes<Real = R>>(
        &self,
        parts: &mut WorkspaceParts<'_, V>,
    ) -> Result<(), Stopped<R>> {
        match self.config.integrator {
            Integrator::Rk4 { .. } if self.inverts_exactly() => self.score_of_exact_inverse(parts),
            Integrator::Rk4 { .. } => Ok(self.score_on_grid(parts)?),
            Integrator::Dopri5 { .. } => self.score_adaptively(parts),
        }
    }

    /// The exact gradient of the discretised log-density.
    fn score_on_grid<V: Lanes<Real = R>>(&self, parts: &mut WorkspaceParts<'_, V>) -> Result<(), Missing> {
        self.differentiate_on_grid(Direction::Backward, parts, |z, log_prob, z_bar, log_det_bar| {
            self.add_prior(z, log_prob);
            self.prior_gradients(z, z_bar);
            log_det_bar.fill(V::constant(1.0));
            Ok(())
        })
    }

    /// Moves `parts.x` along the grid, with the log-determinant in `parts.extra`, lets `cotangents` write those of the
    /// end point and the log-determinant, and replaces `parts.x` by that of the start, by the adjoint of the grid.
    ///
    /// `cotangents(x, log_det, x_bar, log_det_bar)` sees the end.
    fn differentiate_on_grid<V: Lanes<Real = R>>(
        &self,
        direction: Direction,
        parts: &mut WorkspaceParts<'_, V>,
        cotangents: impl FnOnce(&[V], &mut [V], &mut [V], &mut [V]) -> Result<(), Missing>,
    ) -> Result<(), Missing> {
        let (groups, coordinates) = (parts.extra.len(), self.shape.coordinates());
        let n = groups * coordinates;
        let grid = self.grid(direction)?;
        let mut field = GridField { plan: self, pairs: &mut parts.pairs };
        let (tape, rest) = split(parts.integrator, grid.steps() * n)?;
        let (x_bar, rest) = split(rest, n)?;
        let (log_det_bar, rest) = split(rest, groups)?;
        let (mut scratch, _) = SolveScratch::carve(groups, coordinates, rest)?;
        rk4::solve(&mut field, grid, parts.x, parts.extra, &mut scratch, |k, x| {
            copy(x, part_mut(tape, k * n, n)?)
        })?;
        cotangents(parts.x, parts.extra, x_bar, log_det_bar)?;
        let (mut scratch, _) = AdjointScratch::carve(groups, coordinates, rest)?;
        let bar = Cotangents { x: x_bar, log_det: log_det_bar };
        rk4::adjoint(&mut field, grid, Tape::Starts(tape), bar, None, &mut scratch)?;
        copy(x_bar, parts.x)
    }

    pub(super) fn prior_gradients<V: Lanes<Real = R>>(&self, x: &[V], gradient: &mut [V]) {
        V::vectorize(
            #[inline(always)]
            || {
                let coordinates = self.shape.coordinates();
                for (x, gradient) in x.chunks_exact(coordinates).zip(gradient.chunks_exact_mut(coordinates)) {
                    prior_gradient(self.shape, x, gradient);
                }
            },
        );
    }

    fn score_adaptively<V: Lanes<Real = R>>(
        &self,
        parts: &mut WorkspaceParts<'_, V>,
    ) -> Result<(), Stopped<R>> {
        self.pull_back(parts)?;
        self.differentiate_adaptively(Direction::Forward, parts, |z, z_bar, log_det_bar| {
            self.prior_gradients(z, z_bar);
            log_det_bar.fill(V::constant(1.0));
            Ok(())
        })
    }

    /// From the end `parts.x` of a trajectory back along it (which is `direction`): replaces `parts.x` by the cotangent
    /// of its start. `cotangents(x, x_bar, log_det_bar)` writes those of the end.
    fn differentiate_adaptively<V: Lanes<Real = R>>(
        &self,
        direction: Direction,
        parts: &mut WorkspaceParts<'_, V>,
        cotangents: impl FnOnce(&[V], &mut [V], &mut [V]) -> Result<(), Missing>,
    ) -> Result<(), Stopped<R>> {
        let coordinates = self.shape.coordinates();
        let (state, scratch) = split(parts.integrator, 2 * coordinates)?;
        let (x, x_bar) = split(state, coordinates)?;
        let mut div_bar = [V::zero()];
        copy(parts.x, x)?;
        cotangents(parts.x, x_bar, &mut div_bar)?;
        let field = LaneField { plan: self, pairs: &mut parts.pairs, weights: parts.weights };
        dopri5::solve(&mut Score { field, div_bar }, span(direction), state, self.control(), scratch)?;
        copy(part(state, coordinates, coordinates)?, parts.x)?;
        Ok(())
    }

    /// Replaces latent `parts.x` by the gradient there of x_bar . F(z) + log_det_bar log|det dF/dz|, the log-determinant
    /// being the quadrature's; `load` writes x_bar and log_det_bar.
    pub(super) fn transpose<V: Lanes<Real = R>>(
        &self,
        parts: &mut WorkspaceParts<'_, V>,
        load: impl FnOnce(&mut [V], &mut [V]) -> Result<(), Missing>,
    ) -> Result<(), Stopped<R>> {
        let forward = Direction::Forward;
        match self.config.integrator {
            Integrator::Rk4 { .. } => {
                Ok(self.differentiate_on_grid(forward, parts, |_, _, x_bar, log_det_bar| {
                    load(x_bar, log_det_bar)
                })?)
            }
            Integrator::Dopri5 { .. } => {
                self.transport_adaptively(forward, parts)?;
                self.differentiate_adaptively(Direction::Backward, parts, |_, x_bar, log_det_bar| {
                    load(x_bar, log_det_bar)
                })
            }
        }
    }

    /// Velocity of `parts.x` at time `t`, which replaces `parts.x`; the divergence goes to `parts.extra`.
    pub(super) fn velocity<V: Lanes<Real = R>>(
        &self,
        t: R,
        parts: &mut WorkspaceParts<'_, V>,
    ) -> Result<(), Missing> {
        let mut field = LaneField { plan: self, pairs: &mut parts.pairs, weights: parts.weights };
        let v = part_mut(parts.integrator, 0, parts.x.len())?;
        let (radial, pairs) = field.at(V::splat(t))?;
        field::velocity_divergence(self.shape, &radial, parts.x, v, parts.extra, pairs)?;
        copy(v, parts.x)
    }
}

fn span<R: Real>(direction: Direction) -> [R; 2] {
    match direction {
        Direction::Forward => [0.0, 1.0].map(R::from_f64),
        Direction::Backward => [1.0, 0.0].map(R::from_f64),
    }
}
