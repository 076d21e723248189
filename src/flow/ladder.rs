//! The upper rungs of the exactness ladder: what a plan does where its log-determinant is that of the discrete map, or
//! its inverse exact.

use super::config::{Config, Inverse, LogDet};
use super::plan::Plan;
use super::precision::Precision;
use super::transport::{GridField, WorkspaceParts};
use crate::error::{Argument, Error, Missing, Status};
use crate::field::{PairScratch, Shape};
use crate::integrate::Stopped;
use crate::integrate::exact::{self, ExactScratch};
use crate::integrate::exact_adjoint::{self, GradientScratch};
use crate::integrate::rk4::Direction;
use crate::integrate::tangent::{self, TangentScratch};
use crate::lanes::{Block, Lanes, copy, part, part_mut, split};
use core::ops::Deref;

/// Vectors that the ladder takes for a chunk of `groups`; saturates.
pub fn extent<V: Lanes>(shape: Shape, groups: usize, config: &Config) -> usize {
    let tile = PairScratch::<V>::tile(shape, groups);
    match (config.inverse, config.log_det) {
        (Inverse::Backward, LogDet::Trace) => 0,
        (Inverse::Backward, LogDet::Jacobian) => TangentScratch::<V>::extent(shape, tile),
        (Inverse::Exact, _) => {
            let inverse = ExactScratch::<V>::extent(shape, tile, groups);
            inverse.max(GradientScratch::<V>::extent(shape, tile))
        }
    }
}

impl<R: Precision, S: Deref<Target = [Block]>> Plan<R, S> {
    pub(super) fn inverts_exactly(&self) -> bool {
        self.config.inverse == Inverse::Exact
    }

    /// Fails where the log-density has no gradient yet.
    pub(super) fn check_gradient(&self) -> Result<(), Error> {
        match self.config.log_det {
            LogDet::Trace => Ok(()),
            LogDet::Jacobian => Err(Error::new(Status::Unsupported, Argument::Gradient, 0.0)),
        }
    }

    /// Moves `parts.x` along the grid and writes the exact log-determinant of that map to `parts.extra`.
    pub(super) fn transport_tangents<V: Lanes<Real = R>>(
        &self,
        direction: Direction,
        parts: &mut WorkspaceParts<'_, V>,
    ) -> Result<(), Missing> {
        let tile = PairScratch::<V>::tile(self.shape, parts.extra.len());
        let mut field = GridField { plan: self, pairs: &mut parts.pairs };
        let (mut scratch, _) = TangentScratch::carve(self.shape, tile, parts.ladder)?;
        tangent::solve(&mut field, self.grid(direction)?, parts.x, parts.extra, &mut scratch)
    }

    /// Moves `parts.x` to where the forward map comes from, and writes minus its log-determinant to `parts.extra`.
    ///
    /// `after_step` as in [`exact::solve`].
    pub(super) fn invert<V: Lanes<Real = R>>(
        &self,
        parts: &mut WorkspaceParts<'_, V>,
        after_step: impl FnMut(usize, &[V]) -> Result<(), Missing>,
    ) -> Result<(), Stopped<R>> {
        let groups = parts.extra.len();
        let tile = PairScratch::<V>::tile(self.shape, groups);
        let mut field = GridField { plan: self, pairs: &mut parts.pairs };
        let (mut scratch, _) = ExactScratch::carve(self.shape, tile, groups, parts.ladder)?;
        let lengths = self.grid(Direction::Forward)?.step_lengths;
        exact::solve(&mut field, lengths, self.config.log_det, parts.x, parts.extra, &mut scratch, after_step)
    }

    /// Writes the log-density at `parts.x` to `parts.extra`, and its gradient there to `parts.x`.
    pub(super) fn score_of_exact_inverse<V: Lanes<Real = R>>(
        &self,
        parts: &mut WorkspaceParts<'_, V>,
    ) -> Result<(), Stopped<R>> {
        let (groups, coordinates) = (parts.extra.len(), self.shape.coordinates());
        let (n, grid) = (groups * coordinates, self.grid(Direction::Forward)?);
        let [_, tile] = self.shape.chunks(PairScratch::<V>::tile(self.shape, groups));
        let (starts, rest) = split(core::mem::take(&mut parts.integrator), grid.steps() * n)?;
        self.invert(parts, |k, x| copy(x, part_mut(starts, k * n, n)?))?;
        self.add_prior(parts.x, parts.extra);
        let gradient = part_mut(rest, 0, n)?;
        self.prior_gradients(parts.x, gradient);
        let mut field = GridField { plan: self, pairs: &mut parts.pairs };
        for (number, gradient) in gradient.chunks_mut(tile).enumerate() {
            let (first, length) = (number * tile, gradient.len());
            let starts = |k| part(starts, k * n + first, length);
            let (mut scratch, _) = GradientScratch::carve(self.shape, length / coordinates, parts.ladder)?;
            exact_adjoint::gradient(&mut field, grid, starts, gradient, &mut scratch)?;
        }
        copy(gradient, parts.x)?;
        Ok(())
    }
}
