//! The samplers, each tuned and run.

use crate::judge::{Outcome, timed};
use eqflow::flow::{Block, Plan, Precision};
use eqflow::sampling::{
    AnnealConfig, Annealing, ChainConfig, Error, ImportanceWeights, Initial, Kernel, Ladder, Moves, Pilot,
    Reference, Replica, ReplicaExchange, Sampler, Schedule, average_step_size, draw_samples, energies,
    sample_chains_by,
};
use eqflow::systems::System;

/// The flow in precision `R`.
type Flow<R> = Plan<R, Vec<Block>>;
type Result<T> = std::result::Result<T, Error>;

/// Chains of every method, all of them in one block.
const CHAINS: usize = 64;
/// Ladders of replicas, likewise.
const LADDERS: usize = 16;
/// Samples of each chain, and multiples of that.
const SAMPLES: usize = 400;
/// Steps before the first sample, and those that tune a step size, of all but random walks.
const BURN_IN: usize = 1_000;

/// How much of everything.
pub struct Budget {
    divisor: usize,
    seed: u64,
}

impl Budget {
    pub fn new(quick: bool, seed: u64) -> Self {
        Budget { divisor: if quick { 10 } else { 1 }, seed }
    }

    fn of(&self, steps: usize) -> usize {
        (steps / self.divisor).max(1)
    }
}

/// What differs between the systems.
struct Settings {
    /// Step sizes of random walks to choose from, and steps between two samples.
    walks: &'static [f64],
    walk: usize,
    /// Lengths of trajectories to choose from, steps between two samples, and a first step size.
    lengths: &'static [usize],
    trajectories: usize,
    first_step: f64,
    /// Temperatures of the replicas.
    taus: &'static [f64],
    /// Step size and leapfrog steps of trajectories between flow and target.
    annealing: (f64, usize),
}

impl Settings {
    fn of(system: &System) -> Self {
        match &*system.key {
            "dw4" => Settings {
                walks: &[0.15, 0.3, 0.5, 0.8],
                walk: 500,
                lengths: &[4, 12, 36],
                trajectories: 20,
                first_step: 0.1,
                taus: &[1.0, 1.7, 3.0, 5.0],
                annealing: (0.1, 6),
            },
            _ => Settings {
                walks: &[0.02, 0.03, 0.04],
                walk: 500,
                lengths: &[10, 30, 90],
                trajectories: 20,
                first_step: 0.01,
                taus: &[1.0, 1.2, 1.45, 1.75],
                annealing: (0.03, 10),
            },
        }
    }
}

/// All methods, those without a flow first. What is fastest of either kind runs in both precisions.
pub fn all(system: &System, flow: &Flow<f64>, single: &Flow<f32>, budget: &Budget) -> Result<Vec<Outcome>> {
    let settings = Settings::of(system);
    let (step, double_walk) = walk::<f64>(system, &settings, budget)?;
    let (_, single_walk) = walk::<f32>(system, &settings, budget)?;
    let latent = [(1, 0.4), (1, 0.65), (4, 0.4), (4, 0.65)].into_iter().map(|(leapfrogs, acceptance)| {
        let kernel = Kernel::LatentHmc { plan: flow, step_size: 0.2, leapfrogs };
        tuned(system, "latent HMC", kernel, acceptance, 4, budget)
    });
    let replica =
        |&tau: &f64| Replica { tau, kernel: Kernel::MetropolisCube { step_size: step * tau.sqrt() } };
    let replicas: Vec<Replica<'_, f64>> = settings.taus.iter().map(replica).collect();
    Ok(vec![
        double_walk,
        single_walk,
        hmc::<f64>(system, &settings, budget)?,
        hmc::<f32>(system, &settings, budget)?,
        exchange(system, "replica exchange", &replicas, None, &settings, budget)?,
        importance(system, flow, budget)?,
        importance(system, single, budget)?,
        annealed(system, flow, &settings, budget)?,
        chains(system, "independence MH", Kernel::Independence { plan: flow }, 2, budget)?,
        chains(system, "independence MH", Kernel::Independence { plan: single }, 2, budget)?,
        best(latent)?,
        exchange(
            system,
            "Metropolis, exchange with the flow",
            &replicas[..1],
            Some(flow),
            &settings,
            budget,
        )?,
        exchange(system, "replicas, exchange with the flow", &replicas, Some(flow), &settings, budget)?,
    ])
}

/// The one with the most effective samples a second.
fn best(outcomes: impl Iterator<Item = Result<Outcome>>) -> Result<Outcome> {
    let outcomes = outcomes.collect::<Result<Vec<_>>>()?;
    Ok(outcomes.into_iter().max_by(|a, b| a.a_second().total_cmp(&b.a_second())).expect("a kernel"))
}

/// What a method in precision `R` is called.
fn in_precision<R>(method: &str) -> String {
    format!("{method}, {}", std::any::type_name::<R>())
}

/// The best random walk and its step size.
fn walk<R: Precision>(system: &System, settings: &Settings, budget: &Budget) -> Result<(f64, Outcome)> {
    let run = |&step: &f64| Ok((step, metropolis::<R>(system, settings, step, budget)?));
    let walks = settings.walks.iter().map(run).collect::<Result<Vec<_>>>()?;
    let by_rate = |a: &(f64, Outcome), b: &(f64, Outcome)| a.1.a_second().total_cmp(&b.1.a_second());
    Ok(walks.into_iter().max_by(by_rate).expect("a step size"))
}

/// Hamiltonian Monte Carlo with the best length of trajectories.
fn hmc<R: Precision>(system: &System, settings: &Settings, budget: &Budget) -> Result<Outcome> {
    best(settings.lengths.iter().map(|&leapfrogs| {
        let kernel: Kernel<'_, R> = Kernel::Hmc { step_size: settings.first_step, leapfrogs };
        tuned(system, "HMC", kernel, 0.65, settings.trajectories, budget)
    }))
}

/// Random-walk Metropolis by uniform moves with chains in lanes.
fn metropolis<R: Precision>(
    system: &System,
    settings: &Settings,
    step_size: f64,
    budget: &Budget,
) -> Result<Outcome> {
    let config = |burn_in, samples_per_chain, seed| ChainConfig {
        chains: CHAINS,
        burn_in,
        thin: settings.walk,
        samples_per_chain,
        step_size,
        seed,
    };
    // What the start costs is found by a run without samples to speak of.
    let run = |samples| {
        let config = config(system.burn_in(), samples, budget.seed);
        let start = start::<R>(system);
        timed(|| sample_chains_by(Moves::Cube, &system.energy, system.shape, &config, start, &|_| ()))
    };
    let samples = budget.of(10 * SAMPLES);
    let ((_, before), (drawn, cpu)) = (run(1), run(1 + samples));
    let steps = (CHAINS * samples * settings.walk) as f64;
    Outcome::of_chains(
        (in_precision::<R>(&format!("Metropolis, step {step_size}")), false),
        &drawn?,
        CHAINS,
        (cpu - before, steps),
    )
}

/// Chains under a kernel with trajectories, whose step size is tuned to an acceptance.
fn tuned<R: Precision>(
    system: &System,
    name: &str,
    kernel: Kernel<'_, R>,
    acceptance: f64,
    thin: usize,
    budget: &Budget,
) -> Result<Outcome> {
    let pilot = Pilot { chains: CHAINS, burn_in: BURN_IN, steps: BURN_IN, seed: budget.seed + 1 };
    let trial = in_equilibrium(system, budget, |initial| {
        average_step_size(&system.energy, system.shape, kernel, &pilot, initial, acceptance)
    })?;
    let name = format!("{name}, {} steps of {:.3}", leapfrogs(&kernel), trial.step_size);
    chains(system, &name, kernel.with_step_size(trial.step_size), thin, budget)
}

/// Gradients, or energies, that a step evaluates.
fn leapfrogs<R>(kernel: &Kernel<'_, R>) -> usize {
    match *kernel {
        Kernel::Hmc { leapfrogs, .. } | Kernel::LatentHmc { leapfrogs, .. } => leapfrogs,
        _ => 1,
    }
}

/// Runs `work` with chains that start in equilibrium: far from it, steps that are right there are all refused.
fn in_equilibrium<R: Precision, T>(
    system: &System,
    budget: &Budget,
    work: impl FnOnce(Initial<'_, R>) -> Result<T>,
) -> Result<T> {
    let each = system.shape.coordinates();
    let drawn = system.equilibrium(CHAINS, budget.seed + 6)?.samples;
    let drawn: Vec<R> = drawn.into_iter().map(R::from_f64).collect();
    work(Initial::With(&|chain, x| x.copy_from_slice(&drawn[chain * each..][..each])))
}

/// Chains under a kernel.
fn chains<R: Precision>(
    system: &System,
    name: &str,
    kernel: Kernel<'_, R>,
    thin: usize,
    budget: &Budget,
) -> Result<Outcome> {
    let samples = budget.of(2 * SAMPLES);
    let mut sampler = in_equilibrium(system, budget, |initial| {
        Sampler::new(&system.energy, system.shape, kernel, CHAINS, budget.seed + 2, initial)
    })?;
    sampler.advance(BURN_IN, &|_| ())?;
    let (drawn, cpu) = timed(|| sampler.sample(samples, thin, &|_| ()));
    let energies = (CHAINS * samples * thin * leapfrogs(&kernel)) as f64;
    Outcome::of_chains((in_precision::<R>(name), kernel.plan().is_some()), &drawn?, CHAINS, (cpu, energies))
}

/// Ladders of replicas, the flow above the last.
fn exchange(
    system: &System,
    name: &str,
    replicas: &[Replica<'_, f64>],
    flow: Option<&Flow<f64>>,
    settings: &Settings,
    budget: &Budget,
) -> Result<Outcome> {
    const STEPS: usize = 20;
    let ladder = Ladder { replicas, steps: STEPS, flow };
    let (samples, thin) = (budget.of(2 * SAMPLES), settings.walk / STEPS);
    let mut ladders =
        ReplicaExchange::new(&system.energy, system.shape, ladder, LADDERS, budget.seed + 3, start(system))?;
    ladders.advance(system.burn_in() / STEPS, &|_| ())?;
    let (drawn, cpu) = timed(|| ladders.sample(samples, thin, &|_| ()));
    let proposals = STEPS * replicas.len() + usize::from(flow.is_some());
    let energies = (LADDERS * samples * thin * proposals) as f64;
    Outcome::of_chains((name.to_owned(), flow.is_some()), &drawn?.first, LADDERS, (cpu, energies))
}

/// Samples of the flow with importance weights; their energies in double precision.
fn importance<R: Precision>(system: &System, flow: &Flow<R>, budget: &Budget) -> Result<Outcome> {
    let n = budget.of(400_000);
    let double = |values: Vec<R>| -> Vec<f64> { values.into_iter().map(R::to_f64).collect() };
    let (drawn, cpu) = timed(|| -> Result<_> {
        let drawn = draw_samples(flow, budget.seed + 4, n, &|_| ()).map_err(Error::Core)?;
        let u = energies(&system.energy, system.shape, &double(drawn.samples))?;
        Ok((u, double(drawn.log_probs)))
    });
    let (u, log_probs) = drawn?;
    let weights = ImportanceWeights::from_densities(&u, &log_probs)?;
    let bootstrap = weights.bootstrap(200, budget.seed + 5)?;
    Ok(Outcome {
        method: in_precision::<R>("importance sampling"),
        flow: true,
        effective: weights.effective_sample_size(),
        cpu,
        energies: n as f64,
        mean_energy: bootstrap.expectation(&u)?,
    })
}

/// A population from the flow to the target: trajectories under the target, judged by the flow's density now and then.
fn annealed(system: &System, flow: &Flow<f64>, settings: &Settings, budget: &Budget) -> Result<Outcome> {
    let (step_size, leapfrogs) = settings.annealing;
    let config = AnnealConfig {
        samples: budget.of(20_000),
        from: Reference::Flow(flow),
        tau: 1.0,
        schedule: Schedule::Adaptive { conditional_ess: 0.9, acceptance: None },
        resample_below: 0.5,
        kernel: Kernel::Hmc { step_size, leapfrogs },
        steps: 2,
        surrogate_steps: 5,
        last_steps: 0,
        seed: budget.seed + 7,
    };
    let (annealed, cpu) = timed(|| {
        let mut annealing = Annealing::new(&system.energy, system.shape, config)?;
        annealing.advance(usize::MAX, |_| ())?;
        annealing.result()
    });
    let annealed = annealed?;
    let size = |x: &[f64]| x.iter().map(|x| x * x).sum();
    let sizes: Vec<f64> = annealed.samples.chunks_exact(system.shape.coordinates()).map(size).collect();
    // As many independent samples as would have this error.
    let effective = |values: &[f64]| -> Result<f64> {
        let mean = annealed.expectation(values)?;
        let squares: Vec<f64> = values.iter().map(|value| (value - mean.value).powi(2)).collect();
        Ok(annealed.weights().expectation(&squares)? / mean.standard_error.powi(2))
    };
    Ok(Outcome {
        method: "annealed from the flow".into(),
        flow: true,
        effective: effective(&annealed.energies)?.min(effective(&sizes)?),
        cpu,
        energies: annealed.evaluations.energies as f64,
        mean_energy: annealed.expectation(&annealed.energies)?,
    })
}

fn start<R>(system: &System) -> Initial<'static, R> {
    Initial::Prior { scale: system.start_scale() }
}
