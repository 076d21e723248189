//! Many independent Metropolis chains, one a lane.

use super::error::Error;
use crate::field::Shape;
use crate::lanes::{COMPLETE, Lanes, Real, gather};
use crate::mcmc::{metropolis_cube_step, metropolis_particle_step, metropolis_step};
use crate::parallel::map_indexed;
use crate::particles::remove_com;
use crate::potential::Potential;
use crate::random::{Normals, Purpose, Stream, prior_sample};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

/// Steps between two reports of progress, at most.
const REPORT_INTERVAL: usize = 1000;

/// How many chains run for how long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChainConfig {
    /// Number of independent chains, at least 1; multiples of 4 (`f64`) or 8 (`f32`) leave no lane idle.
    pub chains: usize,
    /// Steps of each chain before the first that counts.
    pub burn_in: usize,
    /// Steps from one recorded sample to the next, at least 1.
    pub thin: usize,
    /// Samples recorded from each chain, at least 1.
    pub samples_per_chain: usize,
    /// Standard deviation of the proposed move of each coordinate, in the unit of length; above 0.
    pub step_size: f64,
    /// Chain i draws from the stream (seed, [`Purpose::Chain`], i), so it does not depend on how many others run.
    pub seed: u64,
}

/// How chains propose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Moves {
    /// All particles, by normals: [`metropolis_step`].
    #[default]
    Normal,
    /// All particles, by uniform numbers: [`metropolis_cube_step`].
    Cube,
    /// One particle, by uniform numbers: [`metropolis_particle_step`]. N of these steps are a sweep.
    Particle,
}

/// Where the chains start. The centre of mass is removed in any case.
#[derive(Clone, Copy)]
pub enum Initial<'a, R> {
    /// Standard normals on the zero-CoM subspace times `scale`, from the stream
    /// (seed, [`Purpose::Prior`], chain).
    Prior {
        /// Standard deviation in the unit of length.
        scale: f64,
    },
    /// The function writes the start of the chain with the given index to a slice `[N][D]`.
    With(&'a (dyn Fn(usize, &mut [R]) + Sync)),
}

impl<R: Real> Initial<'_, R> {
    /// The starts of `chains`, finite and without centre of mass.
    pub(super) fn positions(&self, shape: Shape, seed: u64, chains: Range<usize>) -> Result<Vec<R>, Error> {
        let mut starts = vec![R::default(); chains.len() * shape.coordinates()];
        for (chain, start) in chains.zip(starts.chunks_exact_mut(shape.coordinates())) {
            self.write(shape, seed, chain, start);
            if let Some(x) = start.iter().find(|x| !x.is_finite()) {
                return Err(Error::element("start of chain", chain, x.to_f64(), "finite"));
            }
        }
        Ok(starts)
    }

    fn write(&self, shape: Shape, seed: u64, chain: usize, start: &mut [R]) {
        match self {
            Initial::With(write) => write(chain, start),
            Initial::Prior { scale } => {
                let stream = Stream::new(seed, Purpose::Prior, chain as u64);
                prior_sample(shape, &mut Normals::new(stream), start);
                for x in start.iter_mut() {
                    *x = R::from_f64(*scale) * *x;
                }
            }
        }
        remove_com(shape, start, &mut [R::default(); 3]);
    }
}

/// What chains recorded: chain by chain, n = chains x samples_per_chain.
#[derive(Clone, Debug, PartialEq)]
pub struct ChainSamples<R> {
    /// Configurations of zero centre of mass (to rounding), `[chains][samples_per_chain][N][D]`.
    pub samples: Vec<R>,
    /// Their energies in units of kT, `[chains][samples_per_chain]`.
    pub energies: Vec<R>,
    /// Fraction of the proposals after burn-in that were accepted.
    pub acceptance_rate: f64,
}

/// How far a run has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Steps done, over all chains.
    pub done: u64,
    /// Steps of the whole run.
    pub total: u64,
}

/// Samples the Boltzmann distribution exp(-u) by random-walk Metropolis chains on the zero-CoM subspace.
///
/// The chains share vectors and, with the feature `parallel`, threads; their numbers depend on neither.
/// `progress` is called from whichever thread has just advanced, at least every 1000 steps of each vector of
/// chains. Cost: one energy and (N D + 1) random numbers a step and chain.
///
/// # Errors
/// A field of `config` or a size of `shape` out of range; a start (index: chain) that is not finite or whose
/// energy is not, since a chain at a NaN energy can never leave.
pub fn sample_chains<R: Real>(
    potential: &(impl Potential<R::Lanes> + ?Sized),
    shape: Shape,
    config: &ChainConfig,
    initial: Initial<'_, R>,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<ChainSamples<R>, Error> {
    sample_chains_by(Moves::Normal, potential, shape, config, initial, progress)
}

/// As [`sample_chains`] with moves of any kind.
///
/// # Errors
/// Those of [`sample_chains`].
pub fn sample_chains_by<R: Real>(
    moves: Moves,
    potential: &(impl Potential<R::Lanes> + ?Sized),
    shape: Shape,
    config: &ChainConfig,
    initial: Initial<'_, R>,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<ChainSamples<R>, Error> {
    let total = check::<R>(shape, config)?;
    let run = Run { moves, potential, shape, config, initial, total, progress };
    let width = R::Lanes::WIDTH;
    let done = AtomicU64::new(0);
    let groups = map_indexed(config.chains.div_ceil(width), |group| {
        let first = group * width;
        run.group(first, width.min(config.chains - first), &done)
    });
    let n = config.chains * config.samples_per_chain;
    let mut all = ChainSamples {
        samples: Vec::with_capacity(n * shape.coordinates()),
        energies: Vec::with_capacity(n),
        acceptance_rate: 0.0,
    };
    let mut accepted = 0;
    for group in groups {
        let group = group?;
        all.samples.extend(group.samples.into_iter().flatten());
        all.energies.extend(group.energies.into_iter().flatten());
        accepted += group.accepted;
    }
    all.acceptance_rate = accepted as f64 / (n as f64 * config.thin as f64);
    Ok(all)
}

/// Checks ranges; returns the steps of all chains together, which must be countable.
fn check<R: Real>(shape: Shape, config: &ChainConfig) -> Result<u64, Error> {
    let at_least_one = [
        ("shape.particles", shape.particles),
        ("shape.dimension", shape.dimension),
        ("config.chains", config.chains),
        ("config.thin", config.thin),
        ("config.samples_per_chain", config.samples_per_chain),
    ];
    for (name, count) in at_least_one {
        if count == 0 {
            return Err(Error::value(name, 0.0, "at least 1"));
        }
    }
    if shape.dimension > 3 {
        return Err(Error::value("shape.dimension", shape.dimension as f64, "at most 3"));
    }
    let step_size = R::from_f64(config.step_size);
    if !step_size.is_finite() || step_size.to_f64() <= 0.0 {
        return Err(Error::value("config.step_size", config.step_size, "finite and above 0"));
    }
    let steps = config.thin.checked_mul(config.samples_per_chain).and_then(|n| n.checked_add(config.burn_in));
    let total = steps.and_then(|n| (n as u64).checked_mul(config.chains as u64));
    total.ok_or(Error::value("config.samples_per_chain", config.samples_per_chain as f64, "countable"))
}

/// What all groups of a run share.
struct Run<'a, R, P: ?Sized> {
    moves: Moves,
    potential: &'a P,
    shape: Shape,
    config: &'a ChainConfig,
    initial: Initial<'a, R>,
    total: u64,
    progress: &'a (dyn Fn(Progress) + Sync),
}

/// What the chains of one vector recorded, each in a list of its own.
struct Recorded<R> {
    samples: Vec<Vec<R>>,
    energies: Vec<Vec<R>>,
    accepted: u64,
}

/// The chains of one vector. Lanes beyond the last chain repeat it and are dropped.
struct Walkers<V> {
    count: usize,
    x: Vec<V>,
    energy: V,
    random: Random,
    proposal: Vec<V>,
}

/// The lanes' streams.
enum Random {
    Normal(Vec<Normals>),
    Cube(Vec<Stream>),
    Particle(Vec<Stream>),
}

impl<R: Real, P: Potential<R::Lanes> + ?Sized> Run<'_, R, P> {
    /// Runs the chains `first .. first + count`.
    fn group(&self, first: usize, count: usize, done: &AtomicU64) -> Result<Recorded<R>, Error> {
        let mut walkers = self.start(first, count)?;
        self.advance(&mut walkers, self.config.burn_in, done);
        let (coordinates, per_chain) = (self.shape.coordinates(), self.config.samples_per_chain);
        let mut recorded = Recorded {
            samples: vec![Vec::with_capacity(per_chain * coordinates); count],
            energies: vec![Vec::with_capacity(per_chain); count],
            accepted: 0,
        };
        for _ in 0..per_chain {
            recorded.accepted += self.advance(&mut walkers, self.config.thin, done);
            // The proposal is free until the next step.
            walkers.proposal.copy_from_slice(&walkers.x);
            remove_com(self.shape, &mut walkers.proposal, &mut [R::Lanes::zero(); 3]);
            for chain in 0..count {
                recorded.samples[chain].extend(walkers.proposal.iter().map(|x| x.lane(chain)));
                recorded.energies[chain].push(walkers.energy.lane(chain));
            }
        }
        Ok(recorded)
    }

    fn start(&self, first: usize, count: usize) -> Result<Walkers<R::Lanes>, Error> {
        let coordinates = self.shape.coordinates();
        let starts = self.initial.positions(self.shape, self.config.seed, first..first + count)?;
        let chain = |lane: usize| lane.min(count - 1);
        let mut x = vec![R::Lanes::zero(); coordinates];
        gather(&starts, chain, &mut x).expect(COMPLETE);
        let energy = self.potential.energy(self.shape, &x, None);
        for lane in 0..count {
            let energy = energy.lane(lane);
            if !energy.is_finite() {
                return Err(Error::element("energy of chain", first + lane, energy.to_f64(), "finite"));
            }
        }
        let stream = |lane| Stream::new(self.config.seed, Purpose::Chain, (first + chain(lane)) as u64);
        let streams = (0..R::Lanes::WIDTH).map(stream);
        let random = match self.moves {
            Moves::Normal => Random::Normal(streams.map(Normals::new).collect()),
            Moves::Cube => Random::Cube(streams.collect()),
            Moves::Particle => Random::Particle(streams.collect()),
        };
        Ok(Walkers { count, energy, random, proposal: x.clone(), x })
    }

    /// Makes `steps` steps; returns how many proposals were accepted.
    fn advance(&self, walkers: &mut Walkers<R::Lanes>, steps: usize, done: &AtomicU64) -> u64 {
        let mut accepted = 0;
        for start in (0..steps).step_by(REPORT_INTERVAL) {
            let stretch = REPORT_INTERVAL.min(steps - start);
            for _ in 0..stretch {
                accepted += self.step(walkers);
            }
            let moved = (stretch * walkers.count) as u64;
            let done = done.fetch_add(moved, Ordering::Relaxed) + moved;
            (self.progress)(Progress { done, total: self.total });
        }
        accepted
    }

    fn step(&self, walkers: &mut Walkers<R::Lanes>) -> u64 {
        let Walkers { count, x, energy, random, proposal } = walkers;
        let step_size = R::from_f64(self.config.step_size);
        let (potential, shape) = (self.potential, self.shape);
        let accepted = match random {
            Random::Normal(random) => {
                metropolis_step(potential, shape, step_size, x, energy, random, proposal)
            }
            Random::Cube(random) => {
                metropolis_cube_step(potential, shape, step_size, x, energy, random, proposal)
            }
            Random::Particle(random) => {
                metropolis_particle_step(potential, shape, step_size, x, energy, random, proposal)
            }
        };
        (0..*count).map(|lane| u64::from(accepted.lane(lane).to_f64() > 0.0)).sum()
    }
}
