//! Many chains under any kernel, block by block.

use super::chains::{ChainSamples, Initial, Progress};
use super::error::Error;
use super::kernel::{Kernel, Scratch, Target, Walkers};
use super::state;
use crate::error;
use crate::field::Shape;
use crate::flow::Precision;
use crate::lanes::Real;
use crate::mcmc::Symmetry;
use crate::parallel::{map_each, map_indexed};
use crate::potential::Potential;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::sync::atomic::{AtomicU64, Ordering};

/// Chains whose energies come from one call; several such calls run on several threads.
pub(super) const BLOCK: usize = 64;
/// Steps of a block between two reports of progress, at most.
const REPORT_INTERVAL: usize = 100;
const MAGIC: [u8; 8] = *b"EQFCHAIN";

/// Chains that sample the Boltzmann distribution exp(-u) under a [`Kernel`], as far as they have come.
///
/// Chain i of a seed has the same bits whatever the number of chains and threads, and whether the run is broken off and
/// resumed ([`Sampler::checkpoint`]).
#[derive(Debug)]
pub struct Sampler<'a, R, P: ?Sized> {
    potential: &'a P,
    shape: Shape,
    kernel: Kernel<'a, R>,
    state: State<R>,
}

/// What a checkpoint keeps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct State<R> {
    particles: usize,
    dimension: usize,
    seed: u64,
    step_size: Option<f64>,
    symmetry: Option<Symmetry>,
    blocks: Vec<Walkers<R>>,
}

impl<'a, R: Precision, P: Potential<R::Lanes> + ?Sized> Sampler<'a, R, P> {
    /// `chains` chains at their starts. For a kernel with a flow [`Initial::Prior`] is in the latent space, and for a latent
    /// kernel the configurations of [`Initial::With`] are taken there by the plan's inverse.
    ///
    /// # Errors
    /// No chains, an empty shape, a kernel out of range or with a flow of another shape; a start (index: chain) that is
    /// not finite or whose energy is not; what the flow fails with.
    pub fn new(
        potential: &'a P,
        shape: Shape,
        kernel: Kernel<'a, R>,
        chains: usize,
        seed: u64,
        initial: Initial<'_, R>,
    ) -> Result<Self, Error> {
        check_shape(shape)?;
        kernel.check(shape)?;
        if chains == 0 {
            return Err(Error::value("chains", 0.0, "at least 1"));
        }
        let target = Target { potential, shape, beta: 1.0 };
        let blocks = map_indexed(chains.div_ceil(BLOCK), |block| {
            let first = block * BLOCK;
            let mut x = initial.positions(shape, seed, first..chains.min(first + BLOCK))?;
            move_start(&kernel, initial, &mut x).map_err(Error::Core)?;
            Walkers::start(&kernel, &target, first, x)
        });
        let blocks = blocks.into_iter().collect::<Result<_, Error>>()?;
        let Shape { particles, dimension } = shape;
        let state =
            State { particles, dimension, seed, step_size: kernel.step_size(), symmetry: None, blocks };
        Ok(Sampler { potential, shape, kernel, state })
    }

    /// Number of chains.
    pub fn chains(&self) -> usize {
        self.state.blocks.iter().map(|block| block.u.len()).sum()
    }

    /// Steps that each chain has made.
    pub fn steps(&self) -> u64 {
        self.state.blocks.first().map_or(0, |block| block.step)
    }

    /// How the chains move.
    pub fn kernel(&self) -> Kernel<'a, R> {
        self.kernel
    }

    /// Lets the chains go on with another step size.
    ///
    /// # Errors
    /// One that is not finite or not above 0.
    pub fn set_step_size(&mut self, step_size: f64) -> Result<(), Error> {
        let kernel = self.kernel.with_step_size(step_size);
        kernel.check(self.shape)?;
        (self.kernel, self.state.step_size) = (kernel, kernel.step_size());
        Ok(())
    }

    /// From now on each chain goes to a random copy of its configuration under `symmetry` ([`symmetrise`]) before a sample is
    /// recorded, if there is one: observables of labelled particles then forget as fast as those of unlabelled ones. The
    /// potential, and the kernel's flow where it has one, must have the symmetry; energies are carried over.
    ///
    /// [`symmetrise`]: crate::mcmc::symmetrise
    pub fn set_symmetry(&mut self, symmetry: Option<Symmetry>) {
        self.state.symmetry = symmetry;
    }

    /// Makes `steps` steps of each chain, to forget where they began; returns the fraction of proposals accepted.
    ///
    /// `progress` is called from whichever thread has just advanced, at least every 100 steps of each block of 64 chains.
    ///
    /// # Errors
    /// What the flow or the potential fails with.
    pub fn advance(&mut self, steps: usize, progress: &(dyn Fn(Progress) + Sync)) -> Result<f64, Error> {
        self.run(steps, 0, progress).map(|samples| samples.acceptance_rate)
    }

    /// Records `samples_per_chain` samples of each chain, `thin` steps apart. `progress` as in [`Sampler::advance`].
    ///
    /// # Errors
    /// No samples or no steps between them; what the flow or the potential fails with.
    pub fn sample(
        &mut self,
        samples_per_chain: usize,
        thin: usize,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<ChainSamples<R>, Error> {
        for (name, count) in [("samples_per_chain", samples_per_chain), ("thin", thin)] {
            if count == 0 {
                return Err(Error::value(name, 0.0, "at least 1"));
            }
        }
        self.run(thin, samples_per_chain, progress)
    }

    /// `steps` steps, once or before each of `samples` samples.
    fn run(
        &mut self,
        steps: usize,
        samples: usize,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<ChainSamples<R>, Error> {
        let (kernel, shape, seed) = (self.kernel, self.shape, self.state.seed);
        let symmetry = self.state.symmetry;
        let target = Target { potential: self.potential, shape, beta: 1.0 };
        let rounds = samples.max(1);
        let total = (steps * rounds) as u64 * self.chains() as u64;
        let done = AtomicU64::new(0);
        let recorded = map_each(&mut self.state.blocks, |block| {
            let n = block.u.len();
            let mut scratch = Scratch::<R::Lanes>::new(&kernel, shape, n)?;
            let mut record = Record::new(n, samples, shape);
            let before: u64 = block.accepted.iter().sum();
            for _ in 0..rounds {
                for start in (0..steps).step_by(REPORT_INTERVAL) {
                    let stretch = REPORT_INTERVAL.min(steps - start);
                    for _ in 0..stretch {
                        block.step(&kernel, &target, seed, &mut scratch)?;
                    }
                    let moved = (stretch * n) as u64;
                    let done = done.fetch_add(moved, Ordering::Relaxed) + moved;
                    progress(Progress { done, total });
                }
                if samples > 0 {
                    if let Some(symmetry) = symmetry {
                        block.symmetrise(symmetry, shape, seed)?;
                    }
                    record.add(&block.x, &block.u, 1.0);
                }
            }
            record.accepted = block.accepted.iter().sum::<u64>() - before;
            Ok(record)
        });
        let records = recorded.into_iter().collect::<Result<Vec<_>, error::Error>>().map_err(Error::Core)?;
        Ok(Record::join(records, total))
    }

    /// The whole state: what [`Sampler::resume`] needs besides potential and kernel.
    pub fn checkpoint(&self) -> Vec<u8>
    where
        R: Serialize,
    {
        state::to_bytes::<R>(MAGIC, &self.state)
    }

    /// Goes on from a checkpoint, under the same potential and kernel but for step size and symmetry, which are the
    /// checkpoint's: the resumed run gives the same bits as an unbroken one.
    ///
    /// # Errors
    /// A state that is damaged, or of another precision, shape, or kind of kernel.
    pub fn resume(potential: &'a P, shape: Shape, kernel: Kernel<'a, R>, bytes: &[u8]) -> Result<Self, Error>
    where
        R: DeserializeOwned,
    {
        let state: State<R> = state::from_bytes::<R, _>(MAGIC, bytes)?;
        check_shape(shape)?;
        if (state.particles, state.dimension) != (shape.particles, shape.dimension) {
            return Err(Error::State { reason: "its shape is another" });
        }
        let kernel = kernel.with_step_size(state.step_size.unwrap_or(1.0));
        kernel.check(shape)?;
        if !state.blocks.iter().all(|block| block.fits(&kernel, shape)) {
            return Err(Error::State { reason: "its chains are those of another kernel" });
        }
        Ok(Sampler { potential, shape, kernel, state })
    }
}

/// Takes starts through the flow, where the kernel has one, to the space in which they belong.
fn move_start<R: Precision>(
    kernel: &Kernel<'_, R>,
    initial: Initial<'_, R>,
    x: &mut [R],
) -> Result<(), error::Error> {
    let Some(plan) = kernel.plan() else { return Ok(()) };
    let (start, mut work) = (x.to_vec(), plan.allocate_workspace(BLOCK)?);
    match initial {
        Initial::With(_) if kernel.is_latent() => plan.inverse(&start, x, None, &mut work),
        Initial::Prior { .. } if !kernel.is_latent() => plan.forward(&start, x, None, &mut work),
        _ => Ok(()),
    }
}

/// Fails unless there are particles in one to three dimensions.
pub(super) fn check_shape(shape: Shape) -> Result<(), Error> {
    if shape.particles == 0 {
        return Err(Error::value("shape.particles", 0.0, "at least 1"));
    }
    if !(1..=3).contains(&shape.dimension) {
        return Err(Error::value("shape.dimension", shape.dimension as f64, "1, 2 or 3"));
    }
    Ok(())
}

/// What the chains of a block have recorded, each in a list of its own.
pub(super) struct Record<R> {
    shape: Shape,
    samples: Vec<Vec<R>>,
    energies: Vec<Vec<R>>,
    pub accepted: u64,
}

impl<R: Real> Record<R> {
    pub fn new(chains: usize, samples: usize, shape: Shape) -> Self {
        Record {
            shape,
            samples: vec![Vec::with_capacity(samples * shape.coordinates()); chains],
            energies: vec![Vec::with_capacity(samples); chains],
            accepted: 0,
        }
    }

    /// One sample of each chain, with `tau` times its reduced energy.
    pub fn add(&mut self, x: &[R], u: &[R], tau: f64) {
        let positions = self.samples.iter_mut().zip(x.chunks_exact(self.shape.coordinates()));
        positions.for_each(|(list, x)| list.extend_from_slice(x));
        let tau = R::from_f64(tau);
        self.energies.iter_mut().zip(u).for_each(|(list, &u)| list.push(tau * u));
    }

    /// All blocks in order, after `steps` steps of all chains together.
    pub fn join(records: Vec<Record<R>>, steps: u64) -> ChainSamples<R> {
        let accepted: u64 = records.iter().map(|record| record.accepted).sum();
        let acceptance_rate = if steps == 0 { 0.0 } else { accepted as f64 / steps as f64 };
        let mut all = ChainSamples { samples: Vec::new(), energies: Vec::new(), acceptance_rate };
        for record in records {
            all.samples.extend(record.samples.into_iter().flatten());
            all.energies.extend(record.energies.into_iter().flatten());
        }
        all
    }
}
