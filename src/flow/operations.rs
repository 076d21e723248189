//! What a plan does with a batch: check everything, then run chunk after chunk through the integrator.

use super::config::Integrator;
use super::input::{check_finite, check_length};
use super::plan::Plan;
use super::transport::WorkspaceParts;
use crate::error::{Argument, Error, Status};
use crate::integrate::dopri5::NotConverged;
use crate::integrate::rk4::Direction;
use crate::lanes::{Block, Lanes, Real, Vectorized, gather};
use crate::particles::remove_com;
use crate::radial::{AtTime, Exact, Radial};
use crate::random::{Normals, Purpose, Stream};
use core::ops::Deref;

/// A run of consecutive samples that go through the integrator together, a vector of them a group.
#[derive(Clone, Copy)]
struct Chunk {
    first: usize,
    count: usize,
}

impl Chunk {
    /// Gathers samples (`[n][N][D]`) into `x` (`[groups][N][D]`); lanes beyond the last sample repeat it.
    fn load<V: Lanes>(self, samples: &[V::Real], x: &mut [V], coordinates: usize) {
        V::vectorize(
            #[inline(always)]
            || {
                for (g, x) in x.chunks_exact_mut(coordinates).enumerate() {
                    let sample = g * V::WIDTH;
                    gather(
                        samples,
                        #[inline(always)]
                        |i| self.first + (sample + i).min(self.count - 1),
                        x,
                    );
                }
            },
        );
    }

    /// Scatters `x` (`[groups][coordinates]`) to samples (`[n][coordinates]`).
    fn store<V: Lanes>(self, x: &[V], samples: &mut [V::Real], coordinates: usize) {
        for (g, x) in x.chunks_exact(coordinates).enumerate() {
            let first = g * V::WIDTH;
            for i in 0..V::WIDTH.min(self.count - first) {
                let sample = &mut samples[(self.first + first + i) * coordinates..][..coordinates];
                for (target, x) in sample.iter_mut().zip(x) {
                    *target = x.as_slice()[i];
                }
            }
        }
    }
}

/// One kind of pass over a batch.
trait Operation<R: Real> {
    /// From the batch to results in `parts.x` and `parts.extra`.
    fn compute<V: Lanes<Real = R>>(
        &self,
        chunk: Chunk,
        parts: &mut WorkspaceParts<'_, V>,
    ) -> Result<(), NotConverged<R>>;

    /// From results to the batch.
    fn write<V: Lanes<Real = R>>(&mut self, chunk: Chunk, x: &[V], extra: &[V]);
}

/// An operation on `n` samples, to be run on the plan's vectors.
///
/// An adaptive plan computes all chunks before it writes the first, so that a failure writes nothing.
struct Batch<'a, R, S, O> {
    plan: &'a Plan<R, S>,
    n: usize,
    work: &'a mut [Block],
    /// The array that a failure to converge is about.
    argument: Argument,
    operation: O,
}

impl<R: Real, S: Deref<Target = [Block]>, O: Operation<R>> Vectorized<R> for Batch<'_, R, S, O> {
    type Output = Result<(), Error>;

    fn run<V: Lanes<Real = R>>(self) -> Result<(), Error> {
        let Batch { plan, n, work, argument, mut operation } = self;
        if n == 0 {
            return Ok(());
        }
        let coordinates = plan.shape.coordinates();
        let (mut parts, results) = plan.workspace::<V>(n, work)?;
        let samples = parts.extra.len() * V::WIDTH;
        let staged = matches!(plan.config.integrator, Integrator::Dopri5 { .. });
        let chunks = (0..n).step_by(samples).map(|first| Chunk { first, count: samples.min(n - first) });
        for (c, chunk) in chunks.clone().enumerate() {
            let mut parts = parts.first(chunk.count.div_ceil(V::WIDTH));
            operation.compute(chunk, &mut parts).map_err(|e| {
                let sample = chunk.first + e.lane.min(chunk.count - 1);
                Error::at(Status::Convergence, argument, sample, e.time.to_f64())
            })?;
            if staged {
                let result = &mut results[c * (coordinates + 1)..(c + 1) * (coordinates + 1)];
                result[..coordinates].copy_from_slice(parts.x);
                result[coordinates] = parts.extra[0];
            } else {
                operation.write(chunk, parts.x, parts.extra);
            }
        }
        if staged {
            for (chunk, result) in chunks.zip(results.chunks_exact(coordinates + 1)) {
                operation.write(chunk, &result[..coordinates], &result[coordinates..]);
            }
        }
        Ok(())
    }
}

/// The flow in either direction.
struct Map<'a, R, S> {
    plan: &'a Plan<R, S>,
    direction: Direction,
    from: &'a [R],
    to: &'a mut [R],
    log_det: Option<&'a mut [R]>,
}

impl<R: Real, S: Deref<Target = [Block]>> Operation<R> for Map<'_, R, S> {
    fn compute<V: Lanes<Real = R>>(
        &self,
        chunk: Chunk,
        parts: &mut WorkspaceParts<'_, V>,
    ) -> Result<(), NotConverged<R>> {
        chunk.load(self.from, parts.x, self.plan.shape.coordinates());
        self.plan.transport(self.direction, parts)
    }

    fn write<V: Lanes<Real = R>>(&mut self, chunk: Chunk, x: &[V], extra: &[V]) {
        chunk.store(x, self.to, self.plan.shape.coordinates());
        if let Some(log_det) = self.log_det.as_deref_mut() {
            chunk.store(extra, log_det, 1);
        }
    }
}

/// The log-density, and its gradient where that is wanted.
struct LogProb<'a, R, S> {
    plan: &'a Plan<R, S>,
    x: &'a [R],
    log_prob: &'a mut [R],
    grad: Option<&'a mut [R]>,
}

impl<R: Real, S: Deref<Target = [Block]>> Operation<R> for LogProb<'_, R, S> {
    fn compute<V: Lanes<Real = R>>(
        &self,
        chunk: Chunk,
        parts: &mut WorkspaceParts<'_, V>,
    ) -> Result<(), NotConverged<R>> {
        chunk.load(self.x, parts.x, self.plan.shape.coordinates());
        if self.grad.is_some() {
            return self.plan.score(parts);
        }
        self.plan.transport(Direction::Backward, parts)?;
        self.plan.add_prior(parts.x, parts.extra);
        Ok(())
    }

    fn write<V: Lanes<Real = R>>(&mut self, chunk: Chunk, x: &[V], extra: &[V]) {
        chunk.store(extra, self.log_prob, 1);
        if let Some(grad) = self.grad.as_deref_mut() {
            chunk.store(x, grad, self.plan.shape.coordinates());
        }
    }
}

/// Samples of a seed with their log-density.
struct Draw<'a, R, S> {
    plan: &'a Plan<R, S>,
    seed: u64,
    first: u64,
    x: &'a mut [R],
    log_prob: Option<&'a mut [R]>,
}

impl<R: Real, S: Deref<Target = [Block]>> Operation<R> for Draw<'_, R, S> {
    fn compute<V: Lanes<Real = R>>(
        &self,
        chunk: Chunk,
        parts: &mut WorkspaceParts<'_, V>,
    ) -> Result<(), NotConverged<R>> {
        self.draw(chunk, parts.x);
        self.plan.push_forward(parts)
    }

    fn write<V: Lanes<Real = R>>(&mut self, chunk: Chunk, x: &[V], extra: &[V]) {
        chunk.store(x, self.x, self.plan.shape.coordinates());
        if let Some(log_prob) = self.log_prob.as_deref_mut() {
            chunk.store(extra, log_prob, 1);
        }
    }
}

impl<R: Real, S: Deref<Target = [Block]>> Draw<'_, R, S> {
    /// Fills the lanes with prior draws; lanes beyond the last sample repeat it.
    fn draw<V: Lanes<Real = R>>(&self, chunk: Chunk, x: &mut [V]) {
        let shape = self.plan.shape;
        for (g, x) in x.chunks_exact_mut(shape.coordinates()).enumerate() {
            let lanes: &mut [R] = bytemuck::cast_slice_mut(x);
            for i in 0..V::WIDTH {
                let sample = chunk.first + (g * V::WIDTH + i).min(chunk.count - 1);
                let index = self.first.wrapping_add(sample as u64);
                let mut normals = Normals::new(Stream::new(self.seed, Purpose::Prior, index));
                for lane in lanes.iter_mut().skip(i).step_by(V::WIDTH) {
                    *lane = R::from_f64(normals.next_normal());
                }
            }
            V::vectorize(
                #[inline(always)]
                || remove_com(shape, x, &mut [V::zero(); 3]),
            );
        }
    }
}

/// Velocity and divergence at one time.
struct FieldAt<'a, R, S> {
    plan: &'a Plan<R, S>,
    t: R,
    x: &'a [R],
    v: &'a mut [R],
    div: Option<&'a mut [R]>,
}

impl<R: Real, S: Deref<Target = [Block]>> Operation<R> for FieldAt<'_, R, S> {
    fn compute<V: Lanes<Real = R>>(
        &self,
        chunk: Chunk,
        parts: &mut WorkspaceParts<'_, V>,
    ) -> Result<(), NotConverged<R>> {
        chunk.load(self.x, parts.x, self.plan.shape.coordinates());
        self.plan.velocity(self.t, parts);
        Ok(())
    }

    fn write<V: Lanes<Real = R>>(&mut self, chunk: Chunk, x: &[V], extra: &[V]) {
        chunk.store(x, self.v, self.plan.shape.coordinates());
        if let Some(div) = self.div.as_deref_mut() {
            chunk.store(extra, div, 1);
        }
    }
}

impl<R: Real, S: Deref<Target = [Block]>> Plan<R, S> {
    fn run(
        &self,
        n: usize,
        work: &mut [Block],
        argument: Argument,
        operation: impl Operation<R>,
    ) -> Result<(), Error> {
        self.isa().run(Batch { plan: self, n, work, argument, operation })
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
        log_det: Option<&mut [R]>,
        work: &mut [Block],
    ) -> Result<(), Error> {
        let n = self.check_samples(from_name, from)?;
        check_length(to_name, to.len(), from.len())?;
        if let Some(log_det) = &log_det {
            check_length(Argument::LogDet, log_det.len(), n)?;
        }
        self.run(n, work, from_name, Map { plan: self, direction, from, to, log_det })
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
        work: &mut [Block],
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
        work: &mut [Block],
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
        work: &mut [Block],
    ) -> Result<(), Error> {
        let n = self.check_samples(Argument::X, x)?;
        check_length(Argument::LogProb, log_prob.len(), n)?;
        if let Some(grad) = &grad {
            check_length(Argument::Gradient, grad.len(), x.len())?;
        }
        self.run(n, work, Argument::X, LogProb { plan: self, x, log_prob, grad })
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
        log_prob: Option<&mut [R]>,
        work: &mut [Block],
    ) -> Result<(), Error> {
        let coordinates = self.shape.coordinates();
        let n = x.len() / coordinates;
        check_length(Argument::X, x.len(), n * coordinates)?;
        if let Some(log_prob) = &log_prob {
            check_length(Argument::LogProb, log_prob.len(), n)?;
        }
        self.run(n, work, Argument::X, Draw { plan: self, seed, first, x, log_prob })
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
        div: Option<&mut [R]>,
        work: &mut [Block],
    ) -> Result<(), Error> {
        check_time(t)?;
        let n = self.check_samples(Argument::X, x)?;
        check_length(Argument::Velocity, v.len(), x.len())?;
        if let Some(div) = &div {
            check_length(Argument::Divergence, div.len(), n)?;
        }
        self.run(n, work, Argument::X, FieldAt { plan: self, t, x, v, div })
    }

    /// phi(d, t) and its derivative in d for each distance `d >= 0` at time `t` in [0, 1]; needs no workspace.
    ///
    /// # Errors
    /// As [`Plan::forward`], and [`Status::Argument`] for `t` and negative distances.
    pub fn radial(&self, t: R, d: &[R], phi: &mut [R], dphi: Option<&mut [R]>) -> Result<(), Error> {
        check_time(t)?;
        check_radial(d, phi, dphi.as_deref())?;
        let weights = AtTime { kernel: self.kernel(), t };
        let radial = Exact { kernel: self.kernel(), offset: weights.offset(), weights };
        write_radial::<R::Lanes>(&radial, d, phi, dphi);
        Ok(())
    }

    /// As [`Plan::radial`], at stage time number `stage` of the fixed grid and as its integrator sees it: from the
    /// compiled table where the plan has one.
    ///
    /// Even stages are the grid's nodes, odd ones the middles between them: 2 steps + 1 in all.
    ///
    /// # Errors
    /// As [`Plan::radial`]; [`Status::Argument`] on the time for a stage out of range, of which an adaptive plan has
    /// none.
    pub fn stage_phi(
        &self,
        stage: usize,
        d: &[R],
        phi: &mut [R],
        dphi: Option<&mut [R]>,
    ) -> Result<(), Error> {
        let steps = self.config.grid_steps();
        if steps == 0 || stage > 2 * steps {
            return Err(Error::new(Status::Argument, Argument::Time, stage as f64));
        }
        check_radial(d, phi, dphi.as_deref())?;
        self.isa().run(StagePhi { plan: self, stage, d, phi, dphi });
        Ok(())
    }
}

/// [`Plan::stage_phi`] on the plan's vectors.
struct StagePhi<'a, R, S> {
    plan: &'a Plan<R, S>,
    stage: usize,
    d: &'a [R],
    phi: &'a mut [R],
    dphi: Option<&'a mut [R]>,
}

impl<R: Real, S: Deref<Target = [Block]>> Vectorized<R> for StagePhi<'_, R, S> {
    type Output = ();

    fn run<V: Lanes<Real = R>>(self) {
        write_radial::<V>(&self.plan.stage_radial::<V>(self.stage), self.d, self.phi, self.dphi);
    }
}

/// Writes phi and, where it is wanted, phi' for each distance.
fn write_radial<V: Lanes>(
    radial: &impl Radial<V>,
    d: &[V::Real],
    phi: &mut [V::Real],
    mut dphi: Option<&mut [V::Real]>,
) {
    for first in (0..d.len()).step_by(V::WIDTH) {
        let chunk = Chunk { first, count: V::WIDTH.min(d.len() - first) };
        let [mut distance, mut value, mut slope] = [[V::zero()]; 3];
        chunk.load(d, &mut distance, 1);
        radial.value_slope(&distance, &mut value, &mut slope);
        chunk.store(&value, phi, 1);
        if let Some(dphi) = dphi.as_deref_mut() {
            chunk.store(&slope, dphi, 1);
        }
    }
}

fn check_radial<R: Real>(d: &[R], phi: &[R], dphi: Option<&[R]>) -> Result<(), Error> {
    check_finite(Argument::Distance, d)?;
    if let Some(index) = d.iter().position(|d| d.to_f64() < 0.0) {
        return Err(Error::at(Status::Argument, Argument::Distance, index, d[index].to_f64()));
    }
    check_length(Argument::Phi, phi.len(), d.len())?;
    dphi.map_or(Ok(()), |dphi| check_length(Argument::PhiSlope, dphi.len(), d.len()))
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
