//! Moves in the latent space of a flow (neural transport: Parno and Marzouk 2018; Hoffman et al. 2019).
//!
//! Where x = F(z) is distributed as exp(-u(x)), z is as exp(-U(z)), U(z) = u(F(z)) - log|det dF/dz|: the better the flow,
//! the nearer to a standard normal, whose one scale a random walk or a trajectory crosses in a few steps.
//!
//! One size of moves has to suit the whole latent space. Where F stretches space far more than elsewhere (the main job's
//! flow of four particles 3-fold at half of all equilibrium configurations, 130-fold at one in a thousand), almost all of
//! them are refused, and the few chains that come there stay: long runs of several chains tell, short ones do not.

use super::chains::{Chains, Draws, energies_of, proposals_extent, take_blocks, take_reals};
use super::hamiltonian::{Leapfrog, Trajectories, check_gradient};
use super::metropolis::{check_step_size, random_walk};
use crate::error::{Argument, Error, Missing, Status};
use crate::field::Shape;
use crate::flow::{Plan, Precision, check_finite};
use crate::lanes::{Block, Real, copy, part, part_mut};
use crate::particles::remove_com;
use core::ops::Deref;
use core::slice;

/// Chains that move in the latent space of a flow, with what they are in its configuration space.
///
/// [`latent_start`] makes the other arrays of `z`.
#[derive(Debug)]
pub struct LatentChains<'a, R> {
    /// Latent positions of zero centre of mass, `[n][N][D]`.
    pub z: &'a mut [R],
    /// Configurations F(z), `[n][N][D]`.
    pub x: &'a mut [R],
    /// Energies of `x` in units of kT, finite, `[n]`.
    pub u: &'a mut [R],
    /// log|det dF/dz| at `z`, finite, `[n]`.
    pub log_det: &'a mut [R],
    /// Accepted proposals of each chain, `[n]`: the step adds one where a chain moves.
    pub accepted: Option<&'a mut [u64]>,
}

/// Blocks of workspace that [`latent_metropolis`] takes for `n` chains.
///
/// # Errors
/// [`Status::Shape`] where the size overflows.
pub fn latent_metropolis_extent<R: Precision, S: Deref<Target = [Block]>>(
    plan: &Plan<R, S>,
    n: usize,
) -> Result<usize, Error> {
    extent(plan, n, walk_reals(plan.shape()))
}

/// Blocks of workspace that [`latent_hmc`] and [`latent_start`] take for `n` chains.
///
/// # Errors
/// [`Status::Shape`] where the size overflows.
pub fn latent_hmc_extent<R: Precision, S: Deref<Target = [Block]>>(
    plan: &Plan<R, S>,
    n: usize,
) -> Result<usize, Error> {
    extent(plan, n, trajectory_reals(plan.shape()))
}

/// Fills `chains.x`, `chains.u` and `chains.log_det` from `chains.z`, and `grad` (`[n][N][D]`), the gradient of U in z
/// that [`latent_hmc`] takes, where it is given.
///
/// `gradients(x, u, grad)` is called once, as by [`hmc`](super::hmc); where `grad` is not given here, it need not write
/// gradients.
///
/// # Errors
/// [`Status::Shape`] for lengths; [`Status::NonFinite`] for `chains.z`, and for a configuration, energy, gradient or
/// log-determinant at which no chain can begin; [`Status::Workspace`] (the value is what it takes),
/// [`Status::Convergence`] from an adaptive plan, and what `gradients` returns. Nothing has been written then.
pub fn latent_start<R: Precision, S: Deref<Target = [Block]>>(
    plan: &Plan<R, S>,
    chains: LatentChains<'_, R>,
    grad: Option<&mut [R]>,
    gradients: impl FnOnce(&[R], &mut [R], &mut [R]) -> Result<(), Error>,
    work: &mut [Block],
) -> Result<(), Error> {
    let LatentChains { z, x, u, log_det, accepted } = chains;
    // What is to be filled may be anything.
    let n =
        Chains { x: z, u: &mut [], accepted: None }.check_positions(plan.shape(), u.len(), Argument::Z)?;
    let lengths = [
        (Argument::X, x.len(), z.len()),
        (Argument::LogDet, log_det.len(), n),
        (Argument::Accepted, accepted.map_or(n, |accepted| accepted.len()), n),
        (Argument::Gradient, grad.as_ref().map_or(z.len(), |grad| grad.len()), z.len()),
    ];
    if let Some((argument, ..)) = lengths.into_iter().find(|(_, length, wanted)| length != wanted) {
        return Err(Error::new(Status::Shape, argument, n as f64));
    }
    if n == 0 {
        return Ok(());
    }
    let (mut own, work) = workspace(plan, n, trajectory_reals(plan.shape()), work)?;
    let mut images = Images::take(plan.shape(), n, &mut own)?;
    let mut pull = Pull::take(plan.shape(), n, &mut own)?;
    let pulled = take_reals(&mut own, z.len())?;
    images.push(plan, z, z, work)?;
    if grad.is_some() {
        pull.gradients(&mut images, gradients)?;
        pull.back(plan, z, pulled, work)?;
    } else {
        energies_of(|x, u| gradients(x, u, pull.grad), images.x, images.u)?;
    }
    check_finite(Argument::X, images.x)?;
    check_finite(Argument::LogDet, images.log_det)?;
    check_finite(Argument::Energy, images.u)?;
    if let Some(grad) = grad {
        check_finite(Argument::Gradient, pulled)?;
        copy(pulled, grad)?;
    }
    copy(images.x, x)?;
    copy(images.u, u)?;
    Ok(copy(images.log_det, log_det)?)
}

/// One random-walk Metropolis step of many chains in the latent space: z' = z + `step_size` times a standard normal on
/// the zero-CoM subspace, accepted with probability min(1, exp(U(z) - U(z'))).
///
/// `energies` as in [`metropolis`](super::metropolis). The chains `x` keep exp(-u) as exactly as the plan's
/// log-determinant is that of its map: to its discretisation error, with `LogDet::Jacobian` to rounding. Cost: a forward
/// pass, an energy, and (N D + 1) random numbers a chain.
///
/// # Errors
/// [`Status::Shape`] for lengths, [`Status::NonFinite`] for the arrays of `chains` and the step size,
/// [`Status::Argument`] for a step size that is not above 0, [`Status::Workspace`] (the value is what it takes),
/// [`Status::Convergence`] from an adaptive plan, and what `energies` returns. No chain has changed then.
pub fn latent_metropolis<R: Precision, S: Deref<Target = [Block]>>(
    plan: &Plan<R, S>,
    step_size: R,
    draws: Draws,
    mut chains: LatentChains<'_, R>,
    energies: impl FnOnce(&[R], &mut [R]) -> Result<(), Error>,
    work: &mut [Block],
) -> Result<(), Error> {
    let shape = plan.shape();
    let n = chains.check(shape)?;
    check_step_size(step_size)?;
    if n == 0 {
        return Ok(());
    }
    let (mut own, work) = workspace(plan, n, walk_reals(shape), work)?;
    let mut images = Images::take(shape, n, &mut own)?;
    let proposals = take_reals(&mut own, chains.z.len())?;
    let each = shape.coordinates();
    for (i, (z, proposal)) in chains.z.chunks_exact(each).zip(proposals.chunks_exact_mut(each)).enumerate() {
        let (_, mut normals) = draws.chain(i);
        random_walk(shape, step_size, z, slice::from_mut(&mut normals), proposal);
        // Rounding would let the centre of mass drift, step by step.
        remove_com(shape, proposal, &mut [R::default(); 3]);
    }
    images.push(plan, proposals, chains.x, work)?;
    energies_of(energies, images.x, images.u)?;
    Ok(chains.settle(shape, &draws, proposals, &images, |i, from| images.cost(i) - from, |_| Ok(()))?)
}

/// One step of Hamiltonian Monte Carlo of many chains in the latent space: [`hmc`](super::hmc) for U.
///
/// `grad` (`[n][N][D]`) is the gradient of U at `chains.z`, updated with them; [`latent_start`] makes it. `gradients` as in
/// [`hmc`](super::hmc), at configurations. The gradient is that of [`Plan::pull_gradient`]: with `LogDet::Jacobian` not
/// quite U's own, which the acceptance makes good. How exactly exp(-u) is kept is as in [`latent_metropolis`]. Cost:
/// `leapfrog.steps` times a forward pass, [`Plan::pull_gradient`], and a gradient a chain.
///
/// # Errors
/// [`Status::Shape`] for lengths, [`Status::NonFinite`] for the arrays of `chains`, `grad` and the step size,
/// [`Status::Argument`] for a step size that is not above 0 and for no steps, [`Status::Workspace`] (the value is what it
/// takes), [`Status::Convergence`] from an adaptive plan, and what `gradients` returns. No chain has changed then.
#[allow(clippy::too_many_arguments)]
pub fn latent_hmc<R: Precision, S: Deref<Target = [Block]>>(
    plan: &Plan<R, S>,
    leapfrog: Leapfrog<R>,
    draws: Draws,
    mut chains: LatentChains<'_, R>,
    grad: &mut [R],
    mut gradients: impl FnMut(&[R], &mut [R], &mut [R]) -> Result<(), Error>,
    work: &mut [Block],
) -> Result<(), Error> {
    let shape = plan.shape();
    let n = chains.check(shape)?;
    check_gradient(grad, chains.z.len(), n)?;
    leapfrog.check()?;
    if n == 0 {
        return Ok(());
    }
    let (mut own, work) = workspace(plan, n, trajectory_reals(shape), work)?;
    let mut images = Images::take(shape, n, &mut own)?;
    let mut pull = Pull::take(shape, n, &mut own)?;
    let mut ends = Trajectories::start(shape, n, &draws, chains.z, grad, own)?;
    ends.follow(leapfrog, chains.z, |z, cost, grad| {
        images.push(plan, z, chains.x, work)?;
        pull.gradients(&mut images, &mut gradients)?;
        pull.back(plan, z, grad, work)?;
        cost.iter_mut().enumerate().for_each(|(i, cost)| *cost = R::from_f64(images.cost(i)));
        Ok(())
    })?;
    let each = shape.coordinates();
    let change = |i: usize, from: f64| ends.change(i, from);
    Ok(chains.settle(shape, &draws, ends.x, &images, change, |i| {
        copy(part(ends.grad, i * each, each)?, part_mut(grad, i * each, each)?)
    })?)
}

impl<R: Real> LatentChains<'_, R> {
    /// The number of chains: lengths fit, everything is finite.
    fn check(&mut self, shape: Shape) -> Result<usize, Error> {
        let chains = Chains { x: self.z, u: self.u, accepted: self.accepted.as_deref_mut() };
        let n = chains.check_positions(shape, chains.u.len(), Argument::Z)?;
        chains.check_rest(n)?;
        for (argument, array, wanted) in
            [(Argument::X, &*self.x, self.z.len()), (Argument::LogDet, &*self.log_det, n)]
        {
            if array.len() != wanted {
                return Err(Error::new(Status::Shape, argument, n as f64));
            }
            check_finite(argument, array)?;
        }
        Ok(n)
    }

    /// Moves the chains to the proposals `z` with their `images` where the draws allow it; tells `moved` of each that moves.
    ///
    /// `change(i, from)` is the rise of the cost of chain `i`, whose U was `from`.
    fn settle(
        self,
        shape: Shape,
        draws: &Draws,
        z: &[R],
        images: &Images<'_, R>,
        change: impl Fn(usize, f64) -> f64,
        mut moved: impl FnMut(usize) -> Result<(), Missing>,
    ) -> Result<(), Missing> {
        let each = shape.coordinates();
        let mut chains = Chains { x: self.z, u: self.u, accepted: self.accepted };
        let here = self.x.chunks_exact_mut(each).zip(self.log_det);
        let there = z.chunks_exact(each).zip(images.x.chunks_exact(each));
        let values = images.u.iter().zip(&*images.log_det);
        for (i, (((x, log_det), (to_z, to_x)), (&to_u, &to_log_det))) in
            here.zip(there).zip(values).enumerate()
        {
            let from = chains.energy(i) - log_det.to_f64();
            // A log-determinant that overflows is no measure of volume.
            if to_log_det.is_finite() && chains.accept(i, draws, change(i, from), to_z, to_u)? {
                copy(to_x, x)?;
                *log_det = to_log_det;
                moved(i)?;
            }
        }
        Ok(())
    }
}

/// What latent positions become in the configuration space.
struct Images<'w, R> {
    shape: Shape,
    /// `[n][N][D]`
    x: &'w mut [R],
    /// `[n]`
    u: &'w mut [R],
    /// `[n]`; NaN where the configuration is lost.
    log_det: &'w mut [R],
}

impl<'w, R: Precision> Images<'w, R> {
    fn take(shape: Shape, n: usize, work: &mut &'w mut [R]) -> Result<Self, Error> {
        let x = take_reals(work, n * shape.coordinates())?;
        Ok(Images { shape, x, u: take_reals(work, n)?, log_det: take_reals(work, n)? })
    }

    /// From latent `z`. A configuration that overflows is replaced by that of `instead`, so that no potential sees it.
    fn push<S: Deref<Target = [Block]>>(
        &mut self,
        plan: &Plan<R, S>,
        z: &[R],
        instead: &[R],
        work: &mut [Block],
    ) -> Result<(), Error> {
        plan.forward(z, self.x, Some(self.log_det), work)?;
        let each = self.shape.coordinates();
        let rows = self.x.chunks_exact_mut(each).zip(instead.chunks_exact(each));
        for ((x, instead), log_det) in rows.zip(self.log_det.iter_mut()) {
            if !x.iter().all(|x| x.is_finite()) {
                copy(instead, x)?;
                *log_det = R::from_f64(f64::NAN);
            }
        }
        Ok(())
    }

    /// U of image `i`.
    fn cost(&self, i: usize) -> f64 {
        let of = |values: &[R]| values.get(i).map_or(f64::NAN, |value| value.to_f64());
        of(self.u) - of(self.log_det)
    }
}

/// Gradients of u, and their way back to the latent space.
struct Pull<'w, R> {
    shape: Shape,
    /// `[n][N][D]`
    grad: &'w mut [R],
    /// -1, `[n]`.
    log_det_bar: &'w mut [R],
}

impl<'w, R: Precision> Pull<'w, R> {
    fn take(shape: Shape, n: usize, work: &mut &'w mut [R]) -> Result<Self, Error> {
        let grad = take_reals(work, n * shape.coordinates())?;
        let log_det_bar = take_reals(work, n)?;
        log_det_bar.fill(R::from_f64(-1.0));
        Ok(Pull { shape, grad, log_det_bar })
    }

    /// Energies and gradients of the images; where a gradient is not finite its energy becomes NaN.
    fn gradients(
        &mut self,
        images: &mut Images<'_, R>,
        gradients: impl FnOnce(&[R], &mut [R], &mut [R]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        images.u.fill(R::from_f64(f64::NAN));
        self.grad.fill(R::from_f64(f64::NAN));
        gradients(images.x, images.u, self.grad)?;
        for (grad, u) in self.grad.chunks_exact_mut(self.shape.coordinates()).zip(images.u.iter_mut()) {
            if !grad.iter().all(|g| g.is_finite()) {
                *u = R::from_f64(f64::NAN);
                grad.fill(R::default());
            }
        }
        Ok(())
    }

    /// The gradient of U at `z`.
    fn back<S: Deref<Target = [Block]>>(
        &self,
        plan: &Plan<R, S>,
        z: &[R],
        grad: &mut [R],
        work: &mut [Block],
    ) -> Result<(), Error> {
        plan.pull_gradient(z, self.grad, self.log_det_bar, grad, work)
    }
}

/// Reals a chain of [`latent_metropolis`]: images and proposals.
fn walk_reals(shape: Shape) -> usize {
    shape.coordinates().saturating_mul(2).saturating_add(2)
}

/// Reals a chain of [`latent_hmc`]: images, gradients at them, and trajectories.
fn trajectory_reals(shape: Shape) -> usize {
    let images = shape.coordinates().saturating_mul(2).saturating_add(3);
    Trajectories::<f64>::each(shape).saturating_add(images)
}

fn extent<R: Precision, S: Deref<Target = [Block]>>(
    plan: &Plan<R, S>,
    n: usize,
    each: usize,
) -> Result<usize, Error> {
    let blocks = proposals_extent::<R>(n, each)?.checked_add(plan.workspace_extent(n)?);
    blocks.ok_or(Error::new(Status::Shape, Argument::Count, n as f64))
}

/// `each` reals a chain, and the plan's part.
fn workspace<'w, R: Precision, S: Deref<Target = [Block]>>(
    plan: &Plan<R, S>,
    n: usize,
    each: usize,
    work: &'w mut [Block],
) -> Result<(&'w mut [R], &'w mut [Block]), Error> {
    let (work, _) = take_blocks(work, extent(plan, n, each)?)?;
    let (own, work) = take_blocks(work, proposals_extent::<R>(n, each)?)?;
    Ok((Block::reals_mut(own), work))
}
