//! How chains of a driver move, and the chains that move together.

use super::error::Error;
use crate::error;
use crate::field::Shape;
use crate::flow::{Block, Plan, Precision};
use crate::lanes::{Lanes, Real, gather};
use crate::mcmc::{
    self, Chains, Draws, LatentChains, Leapfrog, Symmetry, hmc, independence, latent_hmc, latent_metropolis,
    latent_start, metropolis, metropolis_cube, metropolis_particle, symmetrise,
};
use crate::potential::Potential;
use serde::{Deserialize, Serialize};

/// A transition kernel of [`mcmc`](crate::mcmc) with what it takes.
#[derive(Clone, Copy, Debug)]
pub enum Kernel<'p, R> {
    /// [`metropolis`]: all particles by a random walk.
    Metropolis {
        /// Standard deviation of the proposed move of each coordinate.
        step_size: f64,
    },
    /// [`metropolis_cube`]: all particles by a random walk with uniform moves, which cost less to draw.
    MetropolisCube {
        /// Standard deviation of the proposed move of each coordinate.
        step_size: f64,
    },
    /// [`metropolis_particle`]: one particle by a random walk.
    Particle {
        /// Standard deviation of the proposed move of each coordinate.
        step_size: f64,
    },
    /// [`hmc`]; with one leapfrog step it is the Metropolis-adjusted Langevin algorithm.
    Hmc {
        /// Length of a leapfrog step.
        step_size: f64,
        /// Leapfrog steps of a trajectory.
        leapfrogs: usize,
    },
    /// [`independence`]: samples of a flow for proposals.
    Independence {
        /// The flow.
        plan: &'p Plan<R, Vec<Block>>,
    },
    /// [`latent_metropolis`]: a random walk in the latent space of a flow.
    LatentMetropolis {
        /// The flow.
        plan: &'p Plan<R, Vec<Block>>,
        /// Standard deviation of the proposed move of each latent coordinate.
        step_size: f64,
    },
    /// [`latent_hmc`]: trajectories in the latent space of a flow.
    LatentHmc {
        /// The flow.
        plan: &'p Plan<R, Vec<Block>>,
        /// Length of a leapfrog step.
        step_size: f64,
        /// Leapfrog steps of a trajectory.
        leapfrogs: usize,
    },
}

impl<'p, R: Precision> Kernel<'p, R> {
    /// The step size, of those that have one.
    pub fn step_size(&self) -> Option<f64> {
        match *self {
            Kernel::Metropolis { step_size }
            | Kernel::MetropolisCube { step_size }
            | Kernel::Particle { step_size }
            | Kernel::Hmc { step_size, .. }
            | Kernel::LatentMetropolis { step_size, .. }
            | Kernel::LatentHmc { step_size, .. } => Some(step_size),
            Kernel::Independence { .. } => None,
        }
    }

    /// The same kernel with this step size, where it has one.
    pub fn with_step_size(mut self, new: f64) -> Self {
        match &mut self {
            Kernel::Metropolis { step_size }
            | Kernel::MetropolisCube { step_size }
            | Kernel::Particle { step_size }
            | Kernel::Hmc { step_size, .. }
            | Kernel::LatentMetropolis { step_size, .. }
            | Kernel::LatentHmc { step_size, .. } => *step_size = new,
            Kernel::Independence { .. } => {}
        }
        self
    }

    /// The flow, of those that have one.
    pub fn plan(&self) -> Option<&'p Plan<R, Vec<Block>>> {
        match *self {
            Kernel::Independence { plan }
            | Kernel::LatentMetropolis { plan, .. }
            | Kernel::LatentHmc { plan, .. } => Some(plan),
            Kernel::Metropolis { .. }
            | Kernel::MetropolisCube { .. }
            | Kernel::Particle { .. }
            | Kernel::Hmc { .. } => None,
        }
    }

    pub(super) fn is_latent(&self) -> bool {
        matches!(self, Kernel::LatentMetropolis { .. } | Kernel::LatentHmc { .. })
    }

    pub(super) fn has_gradient(&self) -> bool {
        matches!(self, Kernel::Hmc { .. } | Kernel::LatentHmc { .. })
    }

    /// Fails unless step size, number of steps, and the flow's shape are in range.
    pub(super) fn check(&self, shape: Shape) -> Result<(), Error> {
        if let Some(step_size) = self.step_size() {
            let rounded = R::from_f64(step_size);
            if !rounded.is_finite() || rounded.to_f64() <= 0.0 {
                return Err(Error::value("kernel.step_size", step_size, "finite and above 0"));
            }
        }
        if let Kernel::Hmc { leapfrogs: 0, .. } | Kernel::LatentHmc { leapfrogs: 0, .. } = self {
            return Err(Error::value("kernel.leapfrogs", 0.0, "at least 1"));
        }
        match self.plan() {
            Some(plan) if plan.shape() != shape => {
                Err(Error::value("kernel.plan", plan.shape().coordinates() as f64, "of the chains' shape"))
            }
            _ => Ok(()),
        }
    }

    /// Blocks of workspace for `n` chains, to start and to move.
    fn extent(&self, shape: Shape, n: usize) -> Result<usize, error::Error> {
        match *self {
            Kernel::Metropolis { .. } | Kernel::MetropolisCube { .. } | Kernel::Particle { .. } => {
                mcmc::metropolis_extent::<R>(shape, n)
            }
            Kernel::Hmc { .. } => mcmc::hmc_extent::<R>(shape, n),
            Kernel::Independence { plan } => mcmc::independence_extent(plan, n),
            Kernel::LatentMetropolis { plan, .. } | Kernel::LatentHmc { plan, .. } => {
                mcmc::latent_hmc_extent(plan, n)
            }
        }
    }
}

/// What chains sample: exp(-beta u).
pub(super) struct Target<'a, P: ?Sized> {
    pub potential: &'a P,
    pub shape: Shape,
    pub beta: f64,
}

impl<P: ?Sized> Clone for Target<'_, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P: ?Sized> Copy for Target<'_, P> {}

impl<P: ?Sized> Target<'_, P> {
    /// beta u of `x` (`[n][N][D]`), and its gradient where that is wanted, a vector of samples at a time.
    pub fn energies<R: Real>(
        &self,
        x: &[R],
        u: &mut [R],
        mut gradient: Option<&mut [R]>,
        lanes: &mut [R::Lanes],
    ) -> Result<(), error::Error>
    where
        P: Potential<R::Lanes>,
    {
        let (width, each) = (R::Lanes::WIDTH, self.shape.coordinates());
        let beta = R::Lanes::constant(self.beta);
        let (at, slope) = lanes.split_at_mut(each);
        for (group, (x, u)) in x.chunks(width * each).zip(u.chunks_mut(width)).enumerate() {
            let count = u.len();
            gather(x, |lane| lane.min(count - 1), at)?;
            let energy =
                beta * self.potential.energy(self.shape, at, gradient.is_some().then_some(&mut *slope));
            u.copy_from_slice(&energy.as_slice()[..count]);
            let Some(gradient) = gradient.as_deref_mut() else { continue };
            let rows = gradient[group * width * each..].chunks_exact_mut(each);
            for (lane, row) in rows.take(count).enumerate() {
                for (g, &slope) in row.iter_mut().zip(&*slope) {
                    *g = (beta * slope).lane(lane);
                }
            }
        }
        Ok(())
    }
}

/// Memory in which chains move.
pub(super) struct Scratch<V> {
    pub work: Vec<Block>,
    pub lanes: Vec<V>,
}

impl<V: Lanes<Real: Precision>> Scratch<V> {
    pub fn new(kernel: &Kernel<'_, V::Real>, shape: Shape, n: usize) -> Result<Self, error::Error> {
        let work = vec![Block::default(); kernel.extent(shape, n)?];
        Ok(Scratch { work, lanes: vec![V::zero(); 2 * shape.coordinates()] })
    }
}

/// Chains that move together, with all that their kernel keeps of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Walkers<R> {
    /// Number of the first chain in the run.
    pub first: u64,
    /// Steps that the run has made.
    pub step: u64,
    pub x: Vec<R>,
    /// beta u.
    pub u: Vec<R>,
    /// Accepted proposals since the start.
    pub accepted: Vec<u64>,
    /// Of a kernel with gradients, in the space in which it moves.
    pub grad: Vec<R>,
    /// Of a latent kernel.
    z: Vec<R>,
    /// Of a kernel with a flow: its log-density at x, or its log-determinant at z.
    log_density: Vec<R>,
}

impl<R: Precision> Walkers<R> {
    /// Chains `first`, `first + 1`, ... at the positions `x`, which are latent ones where the kernel is.
    pub fn start<P: Potential<R::Lanes> + ?Sized>(
        kernel: &Kernel<'_, R>,
        target: &Target<'_, P>,
        first: usize,
        x: Vec<R>,
    ) -> Result<Self, Error> {
        let n = x.len() / target.shape.coordinates();
        let reals = |wanted: bool, length: usize| vec![R::default(); if wanted { length } else { 0 }];
        let grad = reals(kernel.has_gradient(), x.len());
        let log_density = reals(kernel.plan().is_some(), n);
        let (u, accepted) = (reals(true, n), vec![0; n]);
        let mut all =
            Walkers { first: first as u64, step: 0, x, u, accepted, grad, z: Vec::new(), log_density };
        all.evaluate(kernel, target).map_err(Error::Core)?;
        let bad = all.u.iter().position(|u| !u.is_finite());
        match bad {
            Some(i) => Err(Error::element("energy of chain", first + i, all.u[i].to_f64(), "finite")),
            None => Ok(all),
        }
    }

    /// Whether the arrays have the lengths that the kernel wants.
    pub fn fits(&self, kernel: &Kernel<'_, R>, shape: Shape) -> bool {
        let (n, each) = (self.u.len(), shape.coordinates());
        let length = |wanted: bool, each: usize| if wanted { n * each } else { 0 };
        self.x.len() == n * each
            && self.accepted.len() == n
            && self.grad.len() == length(kernel.has_gradient(), each)
            && self.z.len() == length(kernel.is_latent(), each)
            && self.log_density.len() == length(kernel.plan().is_some(), 1)
    }

    /// What the kernel keeps besides positions.
    fn evaluate<P: Potential<R::Lanes> + ?Sized>(
        &mut self,
        kernel: &Kernel<'_, R>,
        target: &Target<'_, P>,
    ) -> Result<(), error::Error> {
        let mut scratch = Scratch::<R::Lanes>::new(kernel, target.shape, self.u.len())?;
        let Scratch { work, lanes } = &mut scratch;
        let wants_gradient = kernel.has_gradient();
        let Walkers { x, u, grad, z, log_density, .. } = self;
        if let (true, Some(plan)) = (kernel.is_latent(), kernel.plan()) {
            z.clone_from(x);
            let chains = LatentChains { z, x, u, log_det: log_density, accepted: None };
            let energies = |x: &[R], u: &mut [R], grad: &mut [R]| {
                target.energies(x, u, wants_gradient.then_some(grad), lanes)
            };
            let grad = wants_gradient.then_some(&mut grad[..]);
            return latent_start(plan, chains, grad, energies, work);
        }
        target.energies(x, u, wants_gradient.then_some(&mut grad[..]), lanes)?;
        if let Some(plan) = kernel.plan() {
            plan.log_prob(x, log_density, None, work)?;
        }
        Ok(())
    }

    /// One step of all chains.
    pub fn step<P: Potential<R::Lanes> + ?Sized>(
        &mut self,
        kernel: &Kernel<'_, R>,
        target: &Target<'_, P>,
        seed: u64,
        scratch: &mut Scratch<R::Lanes>,
    ) -> Result<(), error::Error> {
        let (shape, draws) = (target.shape, Draws { seed, first: self.first, step: self.step });
        let Scratch { work, lanes } = scratch;
        let Walkers { x, u, accepted, grad, z, log_density, .. } = self;
        let accepted = Some(&mut accepted[..]);
        let size = R::from_f64(kernel.step_size().unwrap_or(1.0));
        let energies = |x: &[R], u: &mut [R], grad: Option<&mut [R]>| target.energies(x, u, grad, lanes);
        step_arrays(
            kernel,
            shape,
            size,
            draws,
            Arrays { x, u, accepted, grad, z, log_density },
            energies,
            work,
        )?;
        self.step += 1;
        Ok(())
    }

    /// Takes each chain to one of its copies, with all that turns with it.
    pub fn symmetrise(&mut self, symmetry: Symmetry, shape: Shape, seed: u64) -> Result<(), error::Error> {
        let draws = Draws { seed, first: self.first, step: self.step };
        let Walkers { x, grad, z, .. } = self;
        match (grad.is_empty(), z.is_empty()) {
            (true, true) => symmetrise(shape, symmetry, draws, [x]),
            (false, true) => symmetrise(shape, symmetry, draws, [x, grad]),
            (true, false) => symmetrise(shape, symmetry, draws, [x, z]),
            (false, false) => symmetrise(shape, symmetry, draws, [x, grad, z]),
        }
    }
}

/// The arrays of [`Walkers`].
pub(super) struct Arrays<'a, R> {
    pub x: &'a mut [R],
    pub u: &'a mut [R],
    pub accepted: Option<&'a mut [u64]>,
    pub grad: &'a mut [R],
    pub z: &'a mut [R],
    pub log_density: &'a mut [R],
}

/// One step of the kernel; `energies(x, u, grad)` writes the gradient where that is wanted.
pub(super) fn step_arrays<R: Precision>(
    kernel: &Kernel<'_, R>,
    shape: Shape,
    step_size: R,
    draws: Draws,
    arrays: Arrays<'_, R>,
    mut energies: impl FnMut(&[R], &mut [R], Option<&mut [R]>) -> Result<(), error::Error>,
    work: &mut [Block],
) -> Result<(), error::Error> {
    let Arrays { x, u, accepted, grad, z, log_density } = arrays;
    match *kernel {
        Kernel::Metropolis { .. } => {
            let chains = Chains { x, u, accepted };
            metropolis(shape, step_size, draws, chains, |x, u| energies(x, u, None), work)
        }
        Kernel::MetropolisCube { .. } => {
            let chains = Chains { x, u, accepted };
            metropolis_cube(shape, step_size, draws, chains, |x, u| energies(x, u, None), work)
        }
        Kernel::Particle { .. } => {
            let chains = Chains { x, u, accepted };
            metropolis_particle(shape, step_size, draws, chains, |x, u| energies(x, u, None), work)
        }
        Kernel::Hmc { leapfrogs, .. } => {
            let (chains, leapfrog) = (Chains { x, u, accepted }, Leapfrog { step_size, steps: leapfrogs });
            hmc(shape, leapfrog, draws, chains, grad, |x, u, grad| energies(x, u, Some(grad)), work)
        }
        Kernel::Independence { plan } => {
            let chains = Chains { x, u, accepted };
            independence(plan, draws, chains, log_density, |x, u| energies(x, u, None), work)
        }
        Kernel::LatentMetropolis { plan, .. } => {
            let chains = LatentChains { z, x, u, log_det: log_density, accepted };
            latent_metropolis(plan, step_size, draws, chains, |x, u| energies(x, u, None), work)
        }
        Kernel::LatentHmc { plan, leapfrogs, .. } => {
            let chains = LatentChains { z, x, u, log_det: log_density, accepted };
            let leapfrog = Leapfrog { step_size, steps: leapfrogs };
            latent_hmc(plan, leapfrog, draws, chains, grad, |x, u, grad| energies(x, u, Some(grad)), work)
        }
    }
}
