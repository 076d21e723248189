//! What a plan does with a batch: forward, inverse, log-density, samples, and its field.

use super::config::Integrator;
use super::input::{check_finite, check_length};
use super::plan::Plan;
use super::transport::WorkspaceParts;
use crate::error::{Argument, Error, Status};
use crate::integrate::dopri5::NotConverged;
use crate::integrate::rk4::Direction;
use crate::lanes::{Lanes, Real, gather};
use crate::particles::{prior_log_prob, remove_com};
use crate::radial::{AtTime, Exact, Radial};
use crate::random::{Normals, Purpose, Stream};
use core::ops::Deref;

/// A run of at most [`Lanes::WIDTH`] consecutive samples that share a vector.
#[derive(Clone, Copy)]
struct Group {
    first: usize,
    count: usize,
}

/// Gathers a group's samples (`[n][N][D]`) into lanes; lanes beyond the last sample repeat it.
fn load<V: Lanes>(group: Group, samples: &[V::Real], x: &mut [V]) {
    gather(samples, |i| group.first + i.min(group.count - 1), x);
}

/// Scatters lanes to a group's samples.
fn store<V: Lanes>(group: Group, x: &[V], samples: &mut [V::Real]) {
    let coordinates = x.len();
    for (c, x) in x.iter().enumerate() {
        for i in 0..group.count {
            samples[(group.first + i) * coordinates + c] = x.lane(i);
        }
    }
}

fn store_scalar<V: Lanes>(group: Group, value: V, scalars: Option<&mut [V::Real]>) {
    if let Some(scalars) = scalars {
        store(group, &[value], scalars);
    }
}

impl<R: Real, S: Deref<Target = [R]>> Plan<R, S> {
    /// Runs `compute` on every group and hands its result (a vector of coordinates and one more) to `write`.
    ///
    /// An adaptive plan computes all groups before it writes the first, so that a failure writes nothing.
    fn for_each_group(
        &self,
        n: usize,
        work: &mut [R::Lanes],
        argument: Argument,
        mut compute: impl FnMut(Group, &mut WorkspaceParts<'_, R::Lanes>) -> Result<R::Lanes, NotConverged<R>>,
        mut write: impl FnMut(Group, &[R::Lanes], R::Lanes),
    ) -> Result<(), Error> {
        if n == 0 {
            return Ok(());
        }
        let width = R::Lanes::WIDTH;
        let coordinates = self.shape.coordinates();
        let (mut parts, results) = self.workspace(n, work)?;
        let staged = matches!(self.config.integrator, Integrator::Dopri5 { .. });
        let groups = (0..n).step_by(width).map(|first| Group { first, count: width.min(n - first) });
        for (g, group) in groups.clone().enumerate() {
            let extra = compute(group, &mut parts).map_err(|e| {
                let sample = group.first + e.lane.min(group.count - 1);
                Error::at(Status::Convergence, argument, sample, e.time.to_f64())
            })?;
            if staged {
                let result = &mut results[g * (coordinates + 1)..(g + 1) * (coordinates + 1)];
                result[..coordinates].copy_from_slice(parts.x);
                result[coordinates] = extra;
            } else {
                write(group, parts.x, extra);
            }
        }
        if staged {
            for (group, result) in groups.zip(results.chunks_exact(coordinates + 1)) {
                write(group, &result[..coordinates], result[coordinates]);
            }
        }
        Ok(())
    }

    /// The number of samples in `samples`, which must be a whole one and finite.
    fn check_samples(&self, argument: Argument, samples: &[R]) -> Result<usize, Error> {
        let coordinates = self.shape.coordinates();
        if !samples.len().is_multiple_of(coordinates) {
            return Err(Error::new(Status::Shape, argument, coordinates as f64));
        }
        check_finite(argument, samples)?;
        Ok(samples.len() / coordinates)
    }

    fn map(
        &self,
        direction: Direction,
        [from_name, to_name]: [Argument; 2],
        from: &[R],
        to: &mut [R],
        mut log_det: Option<&mut [R]>,
        work: &mut [R::Lanes],
    ) -> Result<(), Error> {
        let n = self.check_samples(from_name, from)?;
        check_length(to_name, to.len(), from.len())?;
        if let Some(log_det) = &log_det {
            check_length(Argument::LogDet, log_det.len(), n)?;
        }
        self.for_each_group(
            n,
            work,
            from_name,
            |group, parts| {
                load(group, from, parts.x);
                self.transport(direction, parts)
            },
            |group, x, extra| {
                store(group, x, to);
                store_scalar(group, extra, log_det.as_deref_mut());
            },
        )
    }

    /// Maps latent `z` to configurations `x` (both `[n][N][D]`); `log_det` (`[n]`) is log|det dx/dz|.
    ///
    /// A finite sample whose trajectory overflows comes out as NaN or infinite in its own row only.
    ///
    /// # Errors
    /// [`Status::Shape`] for lengths, [`Status::NonFinite`] for the input, [`Status::Workspace`] for a short
    /// `work`, [`Status::Convergence`] (index: sample, value: time reached) from an adaptive plan. Nothing is
    /// written then.
    pub fn forward(
        &self,
        z: &[R],
        x: &mut [R],
        log_det: Option<&mut [R]>,
        work: &mut [R::Lanes],
    ) -> Result<(), Error> {
        self.map(Direction::Forward, [Argument::Z, Argument::X], z, x, log_det, work)
    }

    /// Maps configurations `x` back to latent `z`; `log_det` is log|det dz/dx|. Otherwise as [`Plan::forward`].
    ///
    /// # Errors
    /// As [`Plan::forward`].
    pub fn inverse(
        &self,
        x: &[R],
        z: &mut [R],
        log_det: Option<&mut [R]>,
        work: &mut [R::Lanes],
    ) -> Result<(), Error> {
        self.map(Direction::Backward, [Argument::X, Argument::Z], x, z, log_det, work)
    }

    /// Log-density of the flow at `x` (`[n][N][D]`) on the zero-CoM subspace (the centre of mass of `x` is
    /// ignored), and its gradient in `x` (the score, `[n][N][D]`) where `grad` is given.
    ///
    /// On a fixed grid the gradient is the exact one of the discretised log-density; an adaptive plan solves the
    /// score's own differential equation to the same tolerances. Cost with gradient: about 4 inverse passes.
    /// Where the square of a coordinate overflows (beyond 1e154, or 1e19 in `f32`) the log-density is minus
    /// infinity and the gradient is lost: NaN in that sample's row only, or [`Status::Convergence`].
    ///
    /// # Errors
    /// As [`Plan::forward`].
    pub fn log_prob(
        &self,
        x: &[R],
        log_prob: &mut [R],
        grad: Option<&mut [R]>,
        work: &mut [R::Lanes],
    ) -> Result<(), Error> {
        let n = self.check_samples(Argument::X, x)?;
        check_length(Argument::LogProb, log_prob.len(), n)?;
        let Some(grad) = grad else {
            return self.for_each_group(
                n,
                work,
                Argument::X,
                |group, parts| {
                    load(group, x, parts.x);
                    let log_det = self.transport(Direction::Backward, parts)?;
                    Ok(prior_log_prob(self.shape, parts.x) + log_det)
                },
                |group, _, extra| store_scalar(group, extra, Some(log_prob)),
            );
        };
        check_length(Argument::Gradient, grad.len(), x.len())?;
        self.for_each_group(
            n,
            work,
            Argument::X,
            |group, parts| {
                load(group, x, parts.x);
                self.score(parts)
            },
            |group, gradient, extra| {
                store(group, gradient, grad);
                store_scalar(group, extra, Some(log_prob));
            },
        )
    }

    /// Draws samples `first`, `first + 1`, ... of `seed` into `x` (`[n][N][D]`) with their log-density (`[n]`).
    ///
    /// Sample i of a seed is the same whatever `first` and the batch are.
    ///
    /// # Errors
    /// As [`Plan::forward`].
    pub fn sample(
        &self,
        seed: u64,
        first: u64,
        x: &mut [R],
        mut log_prob: Option<&mut [R]>,
        work: &mut [R::Lanes],
    ) -> Result<(), Error> {
        let coordinates = self.shape.coordinates();
        let n = x.len() / coordinates;
        check_length(Argument::X, x.len(), n * coordinates)?;
        if let Some(log_prob) = &log_prob {
            check_length(Argument::LogProb, log_prob.len(), n)?;
        }
        self.for_each_group(
            n,
            work,
            Argument::X,
            |group, parts| {
                self.draw(seed, first, group, parts.x);
                let prior = prior_log_prob(self.shape, parts.x);
                let log_det = self.transport(Direction::Forward, parts)?;
                Ok(prior - log_det)
            },
            |group, result, extra| {
                store(group, result, x);
                store_scalar(group, extra, log_prob.as_deref_mut());
            },
        )
    }

    /// Fills the lanes with prior draws; lanes beyond the last sample repeat it.
    fn draw(&self, seed: u64, first: u64, group: Group, x: &mut [R::Lanes]) {
        for i in 0..R::Lanes::WIDTH {
            let sample = group.first + i.min(group.count - 1);
            let mut normals =
                Normals::new(Stream::new(seed, Purpose::Prior, first.wrapping_add(sample as u64)));
            for x in x.iter_mut() {
                *x = x.with_lane(i, R::from_f64(normals.next_normal()));
            }
        }
        remove_com(self.shape, x, &mut [R::Lanes::zero(); 3]);
    }

    /// Velocity `v` (`[n][N][D]`) and divergence `div` (`[n]`) of the field at `x` and time `t` in [0, 1].
    ///
    /// # Errors
    /// As [`Plan::forward`], and [`Status::Argument`] for `t`.
    pub fn field(
        &self,
        t: R,
        x: &[R],
        v: &mut [R],
        mut div: Option<&mut [R]>,
        work: &mut [R::Lanes],
    ) -> Result<(), Error> {
        check_time(t)?;
        let n = self.check_samples(Argument::X, x)?;
        check_length(Argument::Velocity, v.len(), x.len())?;
        if let Some(div) = &div {
            check_length(Argument::Divergence, div.len(), n)?;
        }
        self.for_each_group(
            n,
            work,
            Argument::X,
            |group, parts| {
                load(group, x, parts.x);
                Ok(self.velocity(t, parts))
            },
            |group, velocity, extra| {
                store(group, velocity, v);
                store_scalar(group, extra, div.as_deref_mut());
            },
        )
    }

    /// phi(d, t) and its derivative in d for each distance `d >= 0` at time `t` in [0, 1]; needs no workspace.
    ///
    /// # Errors
    /// As [`Plan::forward`], and [`Status::Argument`] for `t` and negative distances.
    pub fn radial(&self, t: R, d: &[R], phi: &mut [R], mut dphi: Option<&mut [R]>) -> Result<(), Error> {
        check_time(t)?;
        check_finite(Argument::Distance, d)?;
        if let Some(index) = d.iter().position(|d| d.to_f64() < 0.0) {
            return Err(Error::at(Status::Argument, Argument::Distance, index, d[index].to_f64()));
        }
        check_length(Argument::Phi, phi.len(), d.len())?;
        if let Some(dphi) = &dphi {
            check_length(Argument::PhiSlope, dphi.len(), d.len())?;
        }
        let weights = AtTime { kernel: self.kernel(), t };
        let radial = Exact { kernel: self.kernel(), offset: weights.offset(), weights };
        for first in (0..d.len()).step_by(R::Lanes::WIDTH) {
            let group = Group { first, count: R::Lanes::WIDTH.min(d.len() - first) };
            let mut distance = [R::Lanes::zero()];
            load(group, d, &mut distance);
            let (mut value, mut slope) = ([R::Lanes::zero()], [R::Lanes::zero()]);
            radial.value_slope(&distance, &mut value, &mut slope);
            store(group, &value, phi);
            store_scalar(group, slope[0], dphi.as_deref_mut());
        }
        Ok(())
    }
}

fn check_time<R: Real>(t: R) -> Result<(), Error> {
    let value = t.to_f64();
    if !value.is_finite() {
        return Err(Error::new(Status::NonFinite, Argument::Time, value));
    }
    if !(0.0..=1.0).contains(&value) {
        return Err(Error::new(Status::Argument, Argument::Time, value));
    }
    Ok(())
}
