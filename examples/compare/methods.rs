//! The samplers, each tuned and run.

use crate::judge::{Outcome, timed};
use eqflow::flow::{Block, Plan};
use eqflow::sampling::{
    AnnealConfig, Annealing, ChainConfig, Error, ImportanceWeights, Initial, Kernel, Ladder, Moves, Pilot,
    Reference, Replica, ReplicaExchange, Sampler, Schedule, average_step_size, draw_samples, energies,
    sample_chains_by,
};
use eqflow::systems::System;

type Flow = Plan<f64, Vec<Block>>;
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

/// All methods, those without a flow first.
pub fn all(system: &System, flow: &Flow, budget: &Budget) -> Result<Vec<Outcome>> {
    let settings = Settings::of(system);
    let walks = settings.walks.iter().map(|&step| Ok((step, metropolis(system, &settings, step, budget)?)));
    let walks = walks.collect::<Result<Vec<_>>>()?;
    let by_rate = |a: &(f64, Outcome), b: &(f64, Outcome)| a.1.a_second().total_cmp(&b.1.a_second());
    let (step, walk) = walks.into_iter().max_by(by_rate).expect("a step size");
    let hmc = settings.lengths.iter().map(|&leapfrogs| {
        let kernel = Kernel::Hmc { step_size: settings.first_step, leapfrogs };
        tuned(system, "HMC", kernel, 0.65, settings.trajectories, budget)
    });
    let latent = [(1, 0.4), (1, 0.65), (4, 0.4), (4, 0.65)].into_iter().map(|(leapfrogs, acceptance)| {
        let kernel = Kernel::LatentHmc { plan: flow, step_size: 0.2, leapfrogs };
        tuned(system, "latent HMC", kernel, acceptance, 4, budget)
    });
    let replica =
        |&tau: &f64| Replica { tau, kernel: Kernel::MetropolisCube { step_size: step * tau.sqrt() } };
    let replicas: Vec<Replica<'_, f64>> = settings.taus.iter().map(replica).collect();
    Ok(vec![
        walk,
        best(hmc)?,
        exchange(system, "replica exchange", &replicas, None, &settings, budget)?,
        importance(system, flow, budget)?,
        annealed(system, flow, &settings, budget)?,
        chains(system, "independence MH", Kernel::Independence { plan: flow }, 2, budget)?,
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

/// Random-walk Metropolis by uniform moves with chains in lanes.
fn metropolis(system: &System, settings: &Settings, step_size: f64, budget: &Budget) -> Result<Outcome> {
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
        timed(|| sample_chains_by(Moves::Cube, &system.energy, system.shape, &config, start(system), &|_| ()))
    };
    let samples = budget.of(10 * SAMPLES);
    let ((_, before), (drawn, cpu)) = (run(1), run(1 + samples));
    let steps = (CHAINS * samples * settings.walk) as f64;
    Outcome::of_chains(
        (format!("Metropolis, step {step_size}"), false),
        &drawn?,
        CHAINS,
        (cpu - before, steps),
    )
}

/// Chains under a kernel with trajectories, whose step size is tuned to an acceptance.
fn tuned(
    system: &System,
    name: &str,
    kernel: Kernel<'_, f64>,
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
fn leapfrogs(kernel: &Kernel<'_, f64>) -> usize {
    match *kernel {
        Kernel::Hmc { leapfrogs, .. } | Kernel::LatentHmc { leapfrogs, .. } => leapfrogs,
        _ => 1,
    }
}

/// Runs `work` with chains that start in equilibrium: far from it, steps that are right there are all refused.
fn in_equilibrium<T>(
    system: &System,
    budget: &Budget,
    work: impl FnOnce(Initial<'_, f64>) -> Result<T>,
) -> Result<T> {
    let each = system.shape.coordinates();
    let drawn = system.equilibrium(CHAINS, budget.seed + 6)?.samples;
    work(Initial::With(&|chain, x| x.copy_from_slice(&drawn[chain * each..][..each])))
}

/// Chains under a kernel.
fn chains(
    system: &System,
    name: &str,
    kernel: Kernel<'_, f64>,
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
    Outcome::of_chains((name.to_owned(), kernel.plan().is_some()), &drawn?, CHAINS, (cpu, energies))
}

/// Ladders of replicas, the flow above the last.
fn exchange(
    system: &System,
    name: &str,
    replicas: &[Replica<'_, f64>],
    flow: Option<&Flow>,
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

/// Samples of the flow with importance weights.
fn importance(system: &System, flow: &Flow, budget: &Budget) -> Result<Outcome> {
    let n = budget.of(400_000);
    let (drawn, cpu) = timed(|| -> Result<_> {
        let drawn = draw_samples(flow, budget.seed + 4, n, &|_| ()).map_err(Error::Core)?;
        let u = energies(&system.energy, system.shape, &drawn.samples)?;
        Ok((u, drawn.log_probs))
    });
    let (u, log_probs) = drawn?;
    let weights = ImportanceWeights::from_densities(&u, &log_probs)?;
    let bootstrap = weights.bootstrap(200, budget.seed + 5)?;
    Ok(Outcome {
        method: "importance sampling".into(),
        flow: true,
        effective: weights.effective_sample_size(),
        cpu,
        energies: n as f64,
        mean_energy: bootstrap.expectation(&u)?,
    })
}

/// A population from the flow to the target: trajectories under the target, judged by the flow's density now and then.
fn annealed(system: &System, flow: &Flow, settings: &Settings, budget: &Budget) -> Result<Outcome> {
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

fn start(system: &System) -> Initial<'static, f64> {
    Initial::Prior { scale: system.start_scale() }
}
