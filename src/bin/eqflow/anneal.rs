//! `eqflow anneal`.

use super::report::{Report, progress_bar};
use super::sample::{Rung, at_least_one};
use super::{Outcome, files};
use clap::{Args, ValueEnum};
use eqflow::flow::{Block, Plan};
use eqflow::io::{ModelFile, Trajectory, check_trajectory_path, write_trajectory};
use eqflow::sampling::{AnnealConfig, Annealed, Annealing, Estimate, Kernel, Level, Reference, Schedule};
use eqflow::systems::System;
use std::path::PathBuf;
use std::process::ExitCode;

/// Founders below which an error bar from their families is a guess.
const FEW_FOUNDERS: usize = 30;

/// Anneal a flow's samples to the target: weighted configurations and log Z, where plain reweighting leaves too few.
#[derive(Args)]
#[command(
    after_help = "Example:\n  eqflow anneal lj13.eqf --system lj13 -n 1000 --tolerance 1e-5 -o annealed.npz\n  eqflow anneal --system dw4 -n 5000 --moves 5 -o annealed.npz"
)]
pub struct Options {
    /// The flow to begin with: .eqf, or .safetensors of this program (default: a normal of about the system's size).
    model: Option<PathBuf>,
    /// The target: dw2, dw4, lj13, or lj with another number of particles.
    #[arg(long, value_parser = files::system)]
    system: System,
    /// Configurations in the population.
    #[arg(long, short = 'n', default_value_t = 2_000, value_parser = at_least_one)]
    samples: usize,
    /// The target's temperature, in units of that of the energies.
    #[arg(long, default_value_t = 1.0)]
    temperature: f64,
    /// Conditional effective sample size of a stage, a fraction: nearer to 1 are more stages.
    #[arg(long, default_value_t = 0.9)]
    conditional_ess: f64,
    /// Resample where the effective sample size falls below this fraction: 0 never (annealed importance sampling).
    #[arg(long, default_value_t = 0.5)]
    resample_below: f64,
    /// How configurations move at a stage.
    #[arg(long, value_enum, default_value_t = Moves::Hmc)]
    kernel: Moves,
    /// Moves at each stage.
    #[arg(long, default_value_t = 2)]
    moves: usize,
    /// So many moves under the target itself make one, judged by the flow's density at their end; 0 judges each by itself
    /// (default: 5 from a flow, 0 from a normal).
    #[arg(long)]
    surrogate: Option<usize>,
    /// Moves at the target, which take the energy only (default: as many as at a stage).
    #[arg(long)]
    last_moves: Option<usize>,
    /// First step size (default: 0.1 for double wells, 0.03 for clusters).
    #[arg(long)]
    step: Option<f64>,
    /// Acceptance that the step size adapts to from stage to stage (default: 0.6 where each move is judged, else none).
    #[arg(long)]
    acceptance: Option<f64>,
    /// Leapfrog steps of a trajectory.
    #[arg(long, default_value_t = 10)]
    leapfrogs: usize,
    /// How log-densities are made exact: the differential equation, or the grid's own map.
    #[command(flatten)]
    rung: Rung,
    /// Seed of everything random.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the configurations go, .xyz or .npz, with log-densities -u - log w: `eqflow reweight` finds these weights.
    #[arg(long, short)]
    output: PathBuf,
}

/// Kernels by their names.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Moves {
    /// All particles by a random walk.
    Walk,
    /// One particle by a random walk.
    Particle,
    /// Trajectories along the gradients.
    Hmc,
    /// Fresh samples of the flow.
    Independence,
}

pub fn run(options: &Options) -> Outcome {
    files::writable(&options.output)?;
    check_trajectory_path(&options.output)?;
    let system = &options.system;
    let plan = match &options.model {
        Some(path) => Some(flow(options, path, &files::open_model(path)?)?),
        None => None,
    };
    let config = config(options, plan.as_ref())?;
    let bar = progress_bar(1000, "annealing");
    let mut annealing = Annealing::new(&system.energy, system.shape, config)?;
    let progress = |level: &Level| bar.set_position((1000.0 * level.stage.lambda) as u64);
    while !annealing.advance(1, progress)? {}
    bar.finish_and_clear();
    let annealed = annealing.result()?;
    let mut report = Report::new(format!("anneal {} to {}", start(options), system.name));
    describe(&mut report, options, &annealed)?;
    let log_probs = annealed.energies.iter().zip(&annealed.log_weights).map(|(u, w)| -u - w).collect();
    let Annealed { samples, energies, .. } = annealed;
    let trajectory = Trajectory {
        energies: Some(energies),
        log_probs: Some(log_probs),
        ..Trajectory::new(system.shape, samples)
    };
    write_trajectory(&options.output, &trajectory)?;
    report.file(&options.output);
    Ok((report, ExitCode::SUCCESS))
}

fn start(options: &Options) -> String {
    options.model.as_ref().map_or("a normal".into(), |model| model.display().to_string())
}

fn flow(
    options: &Options,
    path: &std::path::Path,
    file: &ModelFile,
) -> Result<Plan<f64, Vec<Block>>, Box<dyn std::error::Error>> {
    let model = file.model();
    files::fits(path, model.shape, options.system.shape, &options.system.name)?;
    Ok(Plan::allocate(&model, &options.rung.config())?)
}

fn config<'a>(
    options: &Options,
    plan: Option<&'a Plan<f64, Vec<Block>>>,
) -> Result<AnnealConfig<'a, f64>, String> {
    let step_size = options.step.unwrap_or(if options.system.energy.has_walls() { 0.03 } else { 0.1 });
    let fresh = options.kernel == Moves::Independence;
    let surrogate_steps = options.surrogate.unwrap_or(if plan.is_some() && !fresh { 5 } else { 0 });
    let acceptance = options.acceptance.or(Some(0.6).filter(|_| surrogate_steps == 0));
    let kernel = match (options.kernel, plan) {
        (Moves::Walk, _) => Kernel::Metropolis { step_size },
        (Moves::Particle, _) => Kernel::Particle { step_size },
        (Moves::Hmc, _) => Kernel::Hmc { step_size, leapfrogs: options.leapfrogs },
        (Moves::Independence, Some(plan)) => Kernel::Independence { plan },
        (Moves::Independence, None) => return Err("--kernel independence needs a model".into()),
    };
    Ok(AnnealConfig {
        samples: options.samples,
        from: plan.map_or(Reference::Normal { scale: options.system.start_scale() }, Reference::Flow),
        tau: options.temperature,
        schedule: Schedule::Adaptive { conditional_ess: options.conditional_ess, acceptance },
        resample_below: options.resample_below,
        kernel,
        steps: options.moves,
        surrogate_steps,
        last_steps: options.last_moves.unwrap_or(options.moves),
        seed: options.seed,
    })
}

fn describe(
    report: &mut Report,
    options: &Options,
    annealed: &Annealed<f64>,
) -> Result<(), eqflow::sampling::Error> {
    let Annealed { levels, energies, evaluations, .. } = annealed;
    let known = |truth| Some(truth).filter(|_| options.temperature == 1.0);
    report.count("samples", "configurations", energies.len());
    report.count("stages", "stages", levels.len());
    report.count("resampled", "of these resampled", levels.iter().filter(|level| level.resampled).count());
    let percent = 100.0 * annealed.weights().effective_fraction();
    report.number("effective_percent", "effective sample size (Kish), %", percent, 1);
    if let Some(last) = levels.last() {
        report.count("founders", "samples with descendants", last.founders);
        report.number("step", "step size at the end", last.stage.step_size, 4);
        report.number("acceptance", "acceptance rate at the target", last.acceptance_rate, 3);
        if last.founders < FEW_FOUNDERS {
            report.note(format!(
                "Errors rest on {} families: anneal more configurations, or by more moves.",
                last.founders
            ));
        }
    }
    let log_z: Estimate = annealed.log_z();
    report.compared("log_z", "log Z", log_z, known(options.system.log_z));
    let mean = annealed.expectation(energies)?;
    report.compared("mean_energy", "mean energy / kT", mean, known(options.system.mean_energy));
    report.count("energies", "energies evaluated", evaluations.energies as usize);
    report.count("densities", "densities evaluated", evaluations.densities as usize);
    Ok(())
}
