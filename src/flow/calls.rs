//! The calls of a plan on a batch: check everything, then compute, wherever that is.

use super::batch::{Execution, Job, Piece, Place};
use super::input::{check_finite, check_length};
use super::operations::{Backward, Draw, Field, Forward, LogProb, Pull};
use super::plan::Plan;
use super::precision::Precision;
use crate::error::{Argument, Error, Status};
use crate::lanes::{Block, Real};
use core::ops::Deref;

/// The calls of a plan on a batch, on several threads: [`Plan::on_threads`] and `Plan::parallel` give them.
///
/// Arguments, results (to the bit) and errors are those of the calls of [`Plan`] with the same names; here too,
/// nothing is written where one fails. What memory and threads they take is said where they come from.
#[derive(Debug)]
pub struct Calls<'p, R, E> {
    plan: Plan<R, &'p [Block]>,
    pub(super) place: E,
}

impl<'p, R: Precision, E: Into<Place<'p>>> Calls<'p, R, E> {
    fn run<O>(
        self,
        argument: Argument,
        operation: O,
        n: usize,
        [x, extra]: [Option<&mut [R]>; 2],
        execute: fn(Execution<'_, R, O>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if n == 0 {
            return Ok(());
        }
        let job = Job { plan: &self.plan, operation, argument };
        let batch = Piece { first: 0, n, x, extra };
        execute(Execution { job, batch, place: self.place.into() })
    }

    /// The number of samples in `samples`, which must be a whole one and finite.
    fn check_samples(&self, argument: Argument, samples: &[R]) -> Result<usize, Error> {
        let coordinates = self.plan.shape.coordinates();
        if !samples.len().is_multiple_of(coordinates) {
            return Err(Error::new(Status::Shape, argument, coordinates as f64));
        }
        check_finite(argument, samples)?;
        Ok(samples.len() / coordinates)
    }

    /// The number of samples of a map from one array to another of its length.
    fn check_map(
        &self,
        (from_name, from): (Argument, &[R]),
        (to_name, to): (Argument, &[R]),
        log_det: Option<&[R]>,
    ) -> Result<usize, Error> {
        let n = self.check_samples(from_name, from)?;
        check_length(to_name, to.len(), from.len())?;
        if let Some(log_det) = log_det {
            check_length(Argument::LogDet, log_det.len(), n)?;
        }
        Ok(n)
    }

    /// [`Plan::forward`].
    ///
    /// # Errors
    /// Those of [`Plan::forward`].
    pub fn forward(self, z: &[R], x: &mut [R], log_det: Option<&mut [R]>) -> Result<(), Error> {
        let n = self.check_map((Argument::Z, z), (Argument::X, x), log_det.as_deref())?;
        self.run(Argument::Z, Forward { z }, n, [Some(x), log_det], R::forward)
    }

    /// [`Plan::inverse`].
    ///
    /// # Errors
    /// Those of [`Plan::inverse`].
    pub fn inverse(self, x: &[R], z: &mut [R], log_det: Option<&mut [R]>) -> Result<(), Error> {
        let n = self.check_map((Argument::X, x), (Argument::Z, z), log_det.as_deref())?;
        self.run(Argument::X, Backward { x }, n, [Some(z), log_det], R::inverse)
    }

    /// [`Plan::log_prob`].
    ///
    /// # Errors
    /// Those of [`Plan::log_prob`].
    pub fn log_prob(self, x: &[R], log_prob: &mut [R], grad: Option<&mut [R]>) -> Result<(), Error> {
        let n = self.check_samples(Argument::X, x)?;
        check_length(Argument::LogProb, log_prob.len(), n)?;
        if let Some(grad) = &grad {
            check_length(Argument::Gradient, grad.len(), x.len())?;
            self.plan.check_gradient()?;
        }
        let operation = LogProb { x, gradient: grad.is_some() };
        self.run(Argument::X, operation, n, [grad, Some(log_prob)], R::log_prob)
    }

    /// [`Plan::pull_gradient`].
    ///
    /// # Errors
    /// Those of [`Plan::pull_gradient`].
    pub fn pull_gradient(self, z: &[R], x_bar: &[R], log_det_bar: &[R], grad: &mut [R]) -> Result<(), Error> {
        let n = self.check_samples(Argument::Z, z)?;
        check_length(Argument::XBar, x_bar.len(), z.len())?;
        check_finite(Argument::XBar, x_bar)?;
        check_length(Argument::LogDetBar, log_det_bar.len(), n)?;
        check_finite(Argument::LogDetBar, log_det_bar)?;
        check_length(Argument::Gradient, grad.len(), z.len())?;
        self.run(Argument::Z, Pull { z, x_bar, log_det_bar }, n, [Some(grad), None], R::pull)
    }

    /// [`Plan::sample`].
    ///
    /// # Errors
    /// Those of [`Plan::sample`].
    pub fn sample(self, seed: u64, first: u64, x: &mut [R], log_prob: Option<&mut [R]>) -> Result<(), Error> {
        let coordinates = self.plan.shape.coordinates();
        let n = x.len() / coordinates;
        check_length(Argument::X, x.len(), n * coordinates)?;
        if let Some(log_prob) = &log_prob {
            check_length(Argument::LogProb, log_prob.len(), n)?;
        }
        self.run(Argument::X, Draw { seed, first }, n, [Some(x), log_prob], R::sample)
    }

    /// [`Plan::field`].
    ///
    /// # Errors
    /// Those of [`Plan::field`].
    pub fn field(self, t: R, x: &[R], v: &mut [R], div: Option<&mut [R]>) -> Result<(), Error> {
        check_time(t)?;
        let n = self.check_samples(Argument::X, x)?;
        check_length(Argument::Velocity, v.len(), x.len())?;
        if let Some(div) = &div {
            check_length(Argument::Divergence, div.len(), n)?;
        }
        self.run(Argument::X, Field { t, x }, n, [Some(v), div], R::field)
    }
}

impl<R: Precision, S: Deref<Target = [Block]>> Plan<R, S> {
    pub(super) fn calls<'p, E: Into<Place<'p>>>(&'p self, place: E) -> Calls<'p, R, E> {
        Calls { plan: self.borrow(), place }
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
        self.calls(work).forward(z, x, log_det)
    }

    /// Maps configurations `x` back to latent `z`, as [`Inverse`] says; `log_det` is log|det dz/dx|. Otherwise as
    /// [`Plan::forward`].
    ///
    /// With [`Inverse::Exact`] the steps are solved one by one, from t = 1 on: residuals of a few units in the last place
    /// of the largest coordinate, at the cost of about six passes for smooth fields. What overflows has no preimage.
    ///
    /// [`Inverse`]: super::Inverse
    /// [`Inverse::Exact`]: super::Inverse::Exact
    ///
    /// # Errors
    /// As [`Plan::forward`]; with [`Inverse::Exact`], [`Status::Convergence`] names the first sample of the batch that has
    /// a step without a start to be found, and the time at that step's end.
    pub fn inverse(
        &self,
        x: &[R],
        z: &mut [R],
        log_det: Option<&mut [R]>,
        work: &mut [Block],
    ) -> Result<(), Error> {
        self.calls(work).inverse(x, z, log_det)
    }

    /// Log-density of the flow at `x` (`[n][N][D]`) on the zero-CoM subspace (the centre of mass of `x` is
    /// ignored), and its gradient in `x` (the score, `[n][N][D]`) where `grad` is given.
    ///
    /// On a fixed grid the gradient is the exact one of the discretised log-density; an adaptive plan solves the
    /// score's own differential equation to the same tolerances. Cost with gradient: about 4 inverse passes.
    /// Where the square of a coordinate overflows (beyond 1e154, or 1e19 in `f32`) the log-density is minus
    /// infinity and the gradient is lost: NaN in that sample's row only, or [`Status::Convergence`]. With
    /// [`Inverse::Exact`] a gradient costs a Jacobian besides; with [`LogDet::Jacobian`] there is none yet.
    ///
    /// [`Inverse::Exact`]: super::Inverse::Exact
    /// [`LogDet::Jacobian`]: super::LogDet::Jacobian
    ///
    /// # Errors
    /// As [`Plan::inverse`]; [`Status::Unsupported`] names the gradient where there is none.
    pub fn log_prob(
        &self,
        x: &[R],
        log_prob: &mut [R],
        grad: Option<&mut [R]>,
        work: &mut [Block],
    ) -> Result<(), Error> {
        self.calls(work).log_prob(x, log_prob, grad)
    }

    /// The gradient in `z` of x_bar . F(z) + log_det_bar log|det dF/dz| (the transpose of the flow), into `grad`; `z`,
    /// `x_bar` and `grad` are `[n][N][D]`, `log_det_bar` `[n]`.
    ///
    /// With x_bar = grad u(F(z)) and log_det_bar = -1 it is the gradient of u(F(z)) - log|det dF/dz|, the potential that
    /// exp(-u) has in the latent space. On a fixed grid it is the exact gradient of the discrete map and of the
    /// quadrature [`LogDet::Trace`], which takes the place of [`LogDet::Jacobian`] here: to the discretisation error it is
    /// that one's gradient too. An adaptive plan solves the adjoint equation to the same tolerances. Cost: about 4 passes.
    ///
    /// [`LogDet::Trace`]: super::LogDet::Trace
    /// [`LogDet::Jacobian`]: super::LogDet::Jacobian
    ///
    /// # Errors
    /// As [`Plan::forward`]; the cotangents must be finite too.
    pub fn pull_gradient(
        &self,
        z: &[R],
        x_bar: &[R],
        log_det_bar: &[R],
        grad: &mut [R],
        work: &mut [Block],
    ) -> Result<(), Error> {
        self.calls(work).pull_gradient(z, x_bar, log_det_bar, grad)
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
        self.calls(work).sample(seed, first, x, log_prob)
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
        self.calls(work).field(t, x, v, div)
    }
}

pub(super) fn check_time<R: Real>(t: R) -> Result<(), Error> {
    let value = t.to_f64();
    if !value.is_finite() {
        return Err(Error::new(Status::NonFinite, Argument::Time, value));
    }
    if !(0.0..=1.0).contains(&value) {
        return Err(Error::new(Status::Argument, Argument::Time, value));
    }
    Ok(())
}
