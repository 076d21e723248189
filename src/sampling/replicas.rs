//! Replica exchange over temperatures, and with a flow above the hottest.

use super::chains::{ChainSamples, Initial, Progress};
use super::error::{Error, check_each};
use super::kernel::{Kernel, Scratch, Target, Walkers};
use super::reference::log_probs;
use super::sampler::{Record, check_shape};
use super::state;
use crate::error;
use crate::field::Shape;
use crate::flow::{Block, Plan, Precision};
use crate::mcmc::{Chains, Draws, exchange, independence, independence_extent};
use crate::parallel::{map_each, map_indexed};
use crate::potential::Potential;
use crate::random::step_seed;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::sync::atomic::{AtomicU64, Ordering};

/// Ladders whose energies come from one call; several such calls run on several threads.
const BLOCK: usize = 16;
const MAGIC: [u8; 8] = *b"EQFREPLI";

/// One replica of each ladder.
#[derive(Clone, Copy, Debug)]
pub struct Replica<'p, R> {
    /// It samples exp(-u / tau), tau being above 0: relative to the temperature that is in u already.
    pub tau: f64,
    /// How it moves. Latent kernels and [`Kernel::Independence`] are for [`Sampler`](super::Sampler) and
    /// [`Ladder::flow`].
    pub kernel: Kernel<'p, R>,
}

/// Replicas and how often they exchange.
#[derive(Clone, Copy, Debug)]
pub struct Ladder<'p, R> {
    /// From the first, whose samples are recorded, to the last, which should forget fastest; neighbours exchange.
    pub replicas: &'p [Replica<'p, R>],
    /// Steps of each replica between exchanges, at least 1.
    pub steps: usize,
    /// A flow above the last replica: after each sweep that one tries to take a fresh sample of the flow.
    ///
    /// That is the exchange with a replica which samples the flow's own density, and draws anew each time: the same
    /// acceptance, min(1, w(x')/w(x)) with w = exp(-u/tau)/q, so no replica need be kept. Configurations where the plan's
    /// inverse does not converge are none of the flow's, and stay.
    pub flow: Option<&'p Plan<R, Vec<Block>>>,
}

/// Independent ladders of replicas, as far as they have come.
///
/// A sweep is `steps` steps of every replica, an exchange of every other pair of neighbours, even and odd pairs in turn
/// (which carries replicas up and down faster than pairs at random: Okabe et al. 2001; Syed et al. 2022), and one with the
/// flow. Ladder i of a seed has the same bits whatever the number of ladders and threads, and whether the run is broken off
/// and resumed.
#[derive(Debug)]
pub struct ReplicaExchange<'a, R, P: ?Sized> {
    potential: &'a P,
    shape: Shape,
    ladder: Ladder<'a, R>,
    state: State<R>,
}

/// What ladders recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplicaSamples<R> {
    /// Of the first replica, ladder by ladder; the energies are u, without tau, and the acceptance rate is its own.
    pub first: ChainSamples<R>,
    /// u of every replica, `[replicas][ladders][samples]`, for reweighting over temperatures.
    pub energies: Vec<Vec<R>>,
    /// Fractions of each replica's proposals that were accepted.
    pub acceptance_rates: Vec<f64>,
    /// Fractions of tried exchanges that happened, between each replica and the next.
    pub exchange_rates: Vec<f64>,
    /// Fraction of the flow's samples that the last replica took; 0 without a flow.
    pub flow_rate: f64,
    /// How often a configuration has come from the first replica to the last and back, over all ladders. What the flow
    /// puts in the last replica's place has a history of its own.
    pub round_trips: u64,
}

/// What a checkpoint keeps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct State<R> {
    particles: usize,
    dimension: usize,
    seed: u64,
    taus: Vec<f64>,
    blocks: Vec<Rungs<R>>,
}

/// Where a configuration was last: at neither end, first at the first replica, or since then at the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
enum Visited {
    #[default]
    Neither,
    First,
    Last,
}

/// Some ladders.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Rungs<R> {
    replicas: Vec<Walkers<R>>,
    /// `[replicas][ladders]`
    visited: Vec<Vec<Visited>>,
    sweep: u64,
}

/// What the sweeps of some ladders counted.
#[derive(Clone, Debug, Default)]
struct Counts {
    accepted: Vec<u64>,
    exchanged: Vec<u64>,
    tried: Vec<u64>,
    from_flow: u64,
    round_trips: u64,
}

/// What a block of ladders has recorded.
struct Outcome<R> {
    record: Vec<Record<R>>,
    counts: Counts,
}

impl<'a, R: Precision, P: Potential<R::Lanes> + ?Sized> ReplicaExchange<'a, R, P> {
    /// `ladders` ladders, with a start of their own for each replica: replica r of ladder i begins where chain
    /// i x replicas + r of `initial` does.
    ///
    /// # Errors
    /// No ladders, replicas or steps; a tau that is not finite or not above 0; a kernel out of range or one that needs a
    /// flow; a flow of another shape; an empty shape; a start that is not finite or whose energy is not.
    pub fn new(
        potential: &'a P,
        shape: Shape,
        ladder: Ladder<'a, R>,
        ladders: usize,
        seed: u64,
        initial: Initial<'_, R>,
    ) -> Result<Self, Error> {
        check(&ladder, shape)?;
        if ladders == 0 {
            return Err(Error::value("ladders", 0.0, "at least 1"));
        }
        let count = ladder.replicas.len();
        let blocks = map_indexed(ladders.div_ceil(BLOCK), |block| {
            let of_block = block * BLOCK..ladders.min((block + 1) * BLOCK);
            let start = |r: usize| {
                let replica = &ladder.replicas[r];
                let mut x = Vec::new();
                for i in of_block.clone() {
                    x.extend(initial.positions(shape, seed, i * count + r..i * count + r + 1)?);
                }
                Walkers::start(&replica.kernel, &target(potential, shape, replica), of_block.start, x)
            };
            let replicas = (0..count).map(start).collect::<Result<Vec<_>, Error>>()?;
            let visited = vec![vec![Visited::default(); of_block.len()]; count];
            Ok(Rungs { replicas, visited, sweep: 0 })
        });
        let blocks = blocks.into_iter().collect::<Result<_, Error>>()?;
        let Shape { particles, dimension } = shape;
        let taus = ladder.replicas.iter().map(|replica| replica.tau).collect();
        Ok(ReplicaExchange {
            potential,
            shape,
            ladder,
            state: State { particles, dimension, seed, taus, blocks },
        })
    }

    /// Makes `sweeps` sweeps of each ladder, to forget where they began; the samples are empty.
    ///
    /// `progress` counts sweeps; it is called from whichever thread has just made one.
    ///
    /// # Errors
    /// What the flow or the potential fails with.
    pub fn advance(
        &mut self,
        sweeps: usize,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<ReplicaSamples<R>, Error> {
        self.run(sweeps, 0, progress)
    }

    /// Records `samples_per_ladder` samples, `thin` sweeps apart. `progress` as in [`ReplicaExchange::advance`].
    ///
    /// # Errors
    /// No samples or no sweeps between them; what the flow or the potential fails with.
    pub fn sample(
        &mut self,
        samples_per_ladder: usize,
        thin: usize,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<ReplicaSamples<R>, Error> {
        for (name, count) in [("samples_per_ladder", samples_per_ladder), ("thin", thin)] {
            if count == 0 {
                return Err(Error::value(name, 0.0, "at least 1"));
            }
        }
        self.run(thin, samples_per_ladder, progress)
    }

    /// `sweeps` sweeps, once or before each of `samples` samples.
    fn run(
        &mut self,
        sweeps: usize,
        samples: usize,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<ReplicaSamples<R>, Error> {
        let (rounds, ladder, seed) = (samples.max(1), self.ladder, self.state.seed);
        let ladders: usize = self.state.blocks.iter().map(|block| block.ladders()).sum();
        let total = (rounds * sweeps * ladders) as u64;
        let (potential, shape, done) = (self.potential, self.shape, AtomicU64::new(0));
        let outcomes = map_each(&mut self.state.blocks, |block| {
            let mut sweeper = Sweeper::new(&ladder, potential, shape, seed, block.ladders())?;
            let record = |_: &Replica<'_, R>| Record::new(block.ladders(), samples, shape);
            let mut record: Vec<Record<R>> = ladder.replicas.iter().map(record).collect();
            for _ in 0..rounds {
                for _ in 0..sweeps {
                    sweeper.sweep(block)?;
                    let moved = block.ladders() as u64;
                    let done = done.fetch_add(moved, Ordering::Relaxed) + moved;
                    progress(Progress { done, total });
                }
                if samples > 0 {
                    for ((record, walkers), replica) in
                        record.iter_mut().zip(&block.replicas).zip(ladder.replicas)
                    {
                        record.add(&walkers.x, &walkers.u, replica.tau);
                    }
                }
            }
            Ok(Outcome { record, counts: sweeper.counts })
        });
        let outcomes = outcomes.into_iter().collect::<Result<Vec<_>, error::Error>>().map_err(Error::Core)?;
        Ok(self.join(outcomes, total))
    }

    /// All blocks in order, after `sweeps` sweeps of all ladders together.
    fn join(&self, outcomes: Vec<Outcome<R>>, sweeps: u64) -> ReplicaSamples<R> {
        let replicas = self.ladder.replicas.len();
        let mut counts = Counts::new(replicas);
        let mut records: Vec<Vec<Record<R>>> = (0..replicas).map(|_| Vec::new()).collect();
        for outcome in outcomes {
            counts.add(&outcome.counts);
            records.iter_mut().zip(outcome.record).for_each(|(list, record)| list.push(record));
        }
        let rate = |count: u64, of: u64| if of == 0 { 0.0 } else { count as f64 / of as f64 };
        let steps = sweeps * self.ladder.steps as u64;
        let acceptance_rates: Vec<f64> = counts.accepted.iter().map(|&count| rate(count, steps)).collect();
        let mut all = records.into_iter().map(|list| Record::join(list, 0));
        let empty = ChainSamples { samples: Vec::new(), energies: Vec::new(), acceptance_rate: 0.0 };
        let mut first = all.next().unwrap_or(empty);
        first.acceptance_rate = acceptance_rates.first().copied().unwrap_or(0.0);
        let mut energies = vec![first.energies.clone()];
        energies.extend(all.map(|samples| samples.energies));
        ReplicaSamples {
            first,
            energies,
            acceptance_rates,
            exchange_rates: counts.exchanged.iter().zip(&counts.tried).map(|(&e, &t)| rate(e, t)).collect(),
            flow_rate: if self.ladder.flow.is_some() { rate(counts.from_flow, sweeps) } else { 0.0 },
            round_trips: counts.round_trips,
        }
    }

    /// The whole state: what [`ReplicaExchange::resume`] needs besides potential and ladder.
    pub fn checkpoint(&self) -> Vec<u8>
    where
        R: Serialize,
    {
        state::to_bytes::<R>(MAGIC, &self.state)
    }

    /// Goes on from a checkpoint, with the same potential and ladder: the resumed run gives the same bits as an unbroken
    /// one.
    ///
    /// # Errors
    /// A ladder that [`ReplicaExchange::new`] refuses; a state that is damaged, or of another precision, shape,
    /// temperatures, or kinds of kernels.
    pub fn resume(potential: &'a P, shape: Shape, ladder: Ladder<'a, R>, bytes: &[u8]) -> Result<Self, Error>
    where
        R: DeserializeOwned,
    {
        check(&ladder, shape)?;
        let state: State<R> = state::from_bytes::<R, _>(MAGIC, bytes)?;
        if (state.particles, state.dimension) != (shape.particles, shape.dimension) {
            return Err(Error::State { reason: "its shape is another" });
        }
        if !state.taus.iter().eq(ladder.replicas.iter().map(|replica| &replica.tau)) {
            return Err(Error::State { reason: "its temperatures are others" });
        }
        if !state.blocks.iter().all(|block| block.fits(&ladder, shape)) {
            return Err(Error::State { reason: "its replicas are those of other kernels" });
        }
        Ok(ReplicaExchange { potential, shape, ladder, state })
    }
}

fn check<R: Precision>(ladder: &Ladder<'_, R>, shape: Shape) -> Result<(), Error> {
    check_shape(shape)?;
    for (name, count) in [("ladder.replicas", ladder.replicas.len()), ("ladder.steps", ladder.steps)] {
        if count == 0 {
            return Err(Error::value(name, 0.0, "at least 1"));
        }
    }
    let taus: Vec<f64> = ladder.replicas.iter().map(|replica| replica.tau).collect();
    check_each("ladder.replicas.tau", &taus, "finite and above 0", |tau| tau.is_finite() && tau > 0.0)?;
    for (r, replica) in ladder.replicas.iter().enumerate() {
        replica.kernel.check(shape)?;
        if replica.kernel.plan().is_some() {
            return Err(Error::element("ladder.replicas.kernel", r, f64::NAN, "one without a flow"));
        }
    }
    match ladder.flow {
        Some(plan) if plan.shape() != shape => {
            Err(Error::value("ladder.flow", plan.shape().coordinates() as f64, "of the replicas' shape"))
        }
        _ => Ok(()),
    }
}

fn target<'a, R, P: ?Sized>(potential: &'a P, shape: Shape, replica: &Replica<'_, R>) -> Target<'a, P> {
    Target { potential, shape, beta: 1.0 / replica.tau }
}

impl<R: Precision> Rungs<R> {
    fn ladders(&self) -> usize {
        self.replicas.first().map_or(0, |walkers| walkers.u.len())
    }

    fn fits(&self, ladder: &Ladder<'_, R>, shape: Shape) -> bool {
        let n = self.ladders();
        self.replicas.len() == ladder.replicas.len()
            && self.visited.len() == ladder.replicas.len()
            && self.visited.iter().all(|visited| visited.len() == n)
            && self
                .replicas
                .iter()
                .zip(ladder.replicas)
                .all(|(walkers, replica)| walkers.u.len() == n && walkers.fits(&replica.kernel, shape))
    }
}

impl Counts {
    fn new(replicas: usize) -> Self {
        let pairs = replicas.saturating_sub(1);
        Counts {
            accepted: vec![0; replicas],
            exchanged: vec![0; pairs],
            tried: vec![0; pairs],
            ..Counts::default()
        }
    }

    fn add(&mut self, other: &Counts) {
        let lists = [
            (&mut self.accepted, &other.accepted),
            (&mut self.exchanged, &other.exchanged),
            (&mut self.tried, &other.tried),
        ];
        for (sums, terms) in lists {
            sums.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
        }
        self.from_flow += other.from_flow;
        self.round_trips += other.round_trips;
    }
}

/// What sweeps the ladders of a block, with its memory.
struct Sweeper<'a, R: Precision, P: ?Sized> {
    ladder: &'a Ladder<'a, R>,
    potential: &'a P,
    shape: Shape,
    seed: u64,
    scratch: Vec<Scratch<R::Lanes>>,
    /// Energies of each of a pair's configurations under the other's temperature, `[2][ladders]`.
    cross: [Vec<R>; 2],
    /// For the flow: log-densities, counters, and workspace.
    log_prob: Vec<R>,
    accepted: Vec<u64>,
    work: Vec<Block>,
    counts: Counts,
}

impl<'a, R: Precision, P: Potential<R::Lanes> + ?Sized> Sweeper<'a, R, P> {
    fn new(
        ladder: &'a Ladder<'a, R>,
        potential: &'a P,
        shape: Shape,
        seed: u64,
        ladders: usize,
    ) -> Result<Self, error::Error> {
        let scratch = ladder.replicas.iter().map(|replica| Scratch::new(&replica.kernel, shape, ladders));
        let blocks = ladder.flow.map_or(Ok(0), |plan| independence_extent(plan, ladders))?;
        Ok(Sweeper {
            ladder,
            potential,
            shape,
            seed,
            scratch: scratch.collect::<Result<_, _>>()?,
            cross: [vec![R::default(); ladders], vec![R::default(); ladders]],
            log_prob: vec![R::default(); ladders],
            accepted: vec![0; ladders],
            work: vec![Block::default(); blocks],
            counts: Counts::new(ladder.replicas.len()),
        })
    }

    fn sweep(&mut self, rungs: &mut Rungs<R>) -> Result<(), error::Error> {
        for (r, (walkers, replica)) in rungs.replicas.iter_mut().zip(self.ladder.replicas).enumerate() {
            let before: u64 = walkers.accepted.iter().sum();
            let target = target(self.potential, self.shape, replica);
            for _ in 0..self.ladder.steps {
                walkers.step(
                    &replica.kernel,
                    &target,
                    step_seed(self.seed, r as u64),
                    &mut self.scratch[r],
                )?;
            }
            self.counts.accepted[r] += walkers.accepted.iter().sum::<u64>() - before;
        }
        let pairs = self.ladder.replicas.len().saturating_sub(1);
        for r in (rungs.sweep as usize % 2..pairs).step_by(2) {
            self.exchange(rungs, r)?;
        }
        self.follow(rungs);
        if let Some(plan) = self.ladder.flow {
            self.draw(plan, rungs)?;
        }
        rungs.sweep += 1;
        Ok(())
    }

    /// Between replicas `r` and `r` + 1 of all ladders.
    fn exchange(&mut self, rungs: &mut Rungs<R>, r: usize) -> Result<(), error::Error> {
        let (lower, upper) = rungs.replicas.split_at_mut(r + 1);
        let (visited_lower, visited_upper) = rungs.visited.split_at_mut(r + 1);
        let (a, b) = (&mut lower[r], &mut upper[0]);
        let (visited_a, visited_b) = (&mut visited_lower[r], &mut visited_upper[0]);
        let ratio = self.ladder.replicas[r + 1].tau / self.ladder.replicas[r].tau;
        let (to_a, to_b) = (R::from_f64(ratio), R::from_f64(1.0 / ratio));
        let [cross_a, cross_b] = &mut self.cross;
        for ((cross_a, cross_b), (&u_a, &u_b)) in cross_a.iter_mut().zip(cross_b).zip(a.u.iter().zip(&b.u)) {
            (*cross_a, *cross_b) = (to_a * u_b, to_b * u_a);
        }
        // A number for each pair of each sweep.
        let step = rungs.sweep.wrapping_mul(self.ladder.replicas.len() as u64).wrapping_add(r as u64);
        let draws = Draws { seed: self.seed, first: a.first, step };
        let chains = [
            Chains { x: &mut a.x, u: &mut a.u, accepted: None },
            Chains { x: &mut b.x, u: &mut b.u, accepted: None },
        ];
        let (grad_a, grad_b, each) = (&mut a.grad, &mut b.grad, self.shape.coordinates());
        let mut count = 0;
        exchange(self.shape, draws, chains, [&self.cross[0], &self.cross[1]], |i| {
            count += 1;
            std::mem::swap(&mut visited_a[i], &mut visited_b[i]);
            if grad_a.is_empty() || grad_b.is_empty() {
                return;
            }
            for (a, b) in grad_a[i * each..][..each].iter_mut().zip(&mut grad_b[i * each..][..each]) {
                (*a, *b) = (to_a * *b, to_b * *a);
            }
        })?;
        self.counts.exchanged[r] += count;
        self.counts.tried[r] += visited_a.len() as u64;
        Ok(())
    }

    /// Notes who has come to an end of its ladder.
    fn follow(&mut self, rungs: &mut Rungs<R>) {
        if let [first, .., last] = &mut rungs.visited[..] {
            last.iter_mut().filter(|visited| **visited == Visited::First).for_each(|v| *v = Visited::Last);
            for visited in first {
                self.counts.round_trips += u64::from(*visited == Visited::Last);
                *visited = Visited::First;
            }
        }
    }

    /// The last replica tries to take a sample of the flow.
    fn draw(&mut self, plan: &Plan<R, Vec<Block>>, rungs: &mut Rungs<R>) -> Result<(), error::Error> {
        let (Some(walkers), Some(replica)) = (rungs.replicas.last_mut(), self.ladder.replicas.last()) else {
            return Ok(());
        };
        let target = target(self.potential, self.shape, replica);
        let Some(Scratch { lanes, .. }) = self.scratch.last_mut() else { return Ok(()) };
        let lowest = -R::MAX.to_f64();
        log_probs(plan, &walkers.x, &mut self.log_prob, None, lowest, &mut self.work)?;
        self.accepted.fill(0);
        let seed = step_seed(self.seed, self.ladder.replicas.len() as u64);
        let draws = Draws { seed, first: walkers.first, step: rungs.sweep };
        let chains = Chains { x: &mut walkers.x, u: &mut walkers.u, accepted: Some(&mut self.accepted) };
        let energies = |x: &[R], u: &mut [R]| target.energies(x, u, None, lanes);
        independence(plan, draws, chains, &mut self.log_prob, energies, &mut self.work)?;
        self.counts.from_flow += self.accepted.iter().sum::<u64>();
        if !walkers.grad.is_empty() {
            target.energies(&walkers.x, &mut walkers.u, Some(&mut walkers.grad), lanes)?;
        }
        let visited = rungs.visited.last_mut().into_iter().flatten();
        for (visited, _) in visited.zip(&self.accepted).filter(|(_, accepted)| **accepted > 0) {
            *visited = Visited::Neither;
        }
        Ok(())
    }
}
