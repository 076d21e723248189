//! `eqflow train`.

use super::report::{Report, progress_bar};
use super::{Outcome, files, pictures};
use clap::{Args, ValueEnum};
use eqflow::io::{Trajectory, write_atomically};
use eqflow::sampling::Estimate;
use eqflow::systems::{GRID_STEPS, Start, System, initial, spanning};
use eqflow::train::{Check, Parameters, Progress, Renyi, TrainConfig, TrainError, Trainer};
use std::error::Error;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The tenth part of the configurations, at most this many, is kept aside for certification.
const MOST_HELD_OUT: usize = 2_000;

/// Train a flow on equilibrium configurations; only certified likelihoods are reported.
#[derive(Args)]
#[command(
    after_help = "Example:\n  eqflow train dw4.xyz --dimension 2 -o dw4.eqf --plots pictures\n  eqflow train dw4.xyz --system dw4 --loss renyi -o dw4.eqf"
)]
pub struct Options {
    /// Equilibrium configurations at the temperature of interest: .xyz, .npy or .npz.
    data: PathBuf,
    /// dw2, dw4, lj13, or lj with another number of particles: gives the flow the functions that suit it.
    #[arg(long, value_parser = files::system)]
    system: Option<System>,
    /// D of configurations that do not say so.
    #[arg(long)]
    dimension: Option<usize>,
    /// What is minimised; `renyi` goes for the effective sample size and needs --system.
    #[arg(long, value_enum, default_value_t = Loss::Likelihood)]
    loss: Loss,
    /// Where the weights start.
    #[arg(long, value_enum, default_value_t = Origin::FlowMatching)]
    start: Origin,
    /// Minibatches.
    #[arg(long, default_value_t = 4_000, value_parser = super::sample::at_least_one)]
    iterations: usize,
    /// Configurations a minibatch (default: 64, 256 for renyi).
    #[arg(long, value_parser = super::sample::at_least_one)]
    batch_size: Option<usize>,
    /// Base learning rate.
    #[arg(long, default_value_t = 0.02)]
    learning_rate: f64,
    /// Minibatches between two checks of the likelihood.
    #[arg(long, default_value_t = 500, value_parser = super::sample::at_least_one)]
    check_every: usize,
    /// Radial functions, where no --system chooses them.
    #[arg(long, default_value_t = 50)]
    radial: usize,
    /// Time functions, where no --system chooses them.
    #[arg(long, default_value_t = 10)]
    time: usize,
    /// Seed of everything random; the same seed writes the same model.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Go on from the checkpoint that Ctrl-C left beside the model, with the same options.
    #[arg(long)]
    resume: bool,
    /// The model: .eqf or .safetensors.
    #[arg(long, short)]
    output: PathBuf,
    /// Folder for pictures of training and of the field.
    #[arg(long)]
    plots: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Loss {
    /// Negative log-likelihood.
    Likelihood,
    /// Likelihood first, then Rényi's divergence of order 1.7.
    Renyi,
}

#[derive(Clone, Copy, ValueEnum)]
enum Origin {
    /// At the closed-form solution of flow matching.
    FlowMatching,
    /// At the identity.
    Identity,
}

pub fn run(options: &Options) -> Outcome {
    files::writable(&options.output)?;
    if options.loss == Loss::Renyi && options.system.is_none() {
        return Err("--loss renyi needs a --system for its energies".into());
    }
    // First of all: from here on Ctrl-C loses nothing.
    let interrupted = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&interrupted);
    ctrlc::set_handler(move || flag.store(true, Ordering::SeqCst))?;
    let trajectory = files::read(&options.data, options.system.as_ref(), options.dimension)?;
    check_species(&trajectory)?;
    let checkpoint = PathBuf::from(format!("{}.checkpoint", options.output.display()));
    let (train, held_out) = split(&trajectory)?;
    check_flat(&trajectory)?;
    let counts = [train, held_out].map(|samples| samples.len() / trajectory.shape.coordinates());
    eprintln!("{} configurations to train on, {} kept aside for certification", counts[0], counts[1]);
    let mut trainer = trainer(options, &trajectory, (train, held_out), &checkpoint)?;
    if let Some(system) = &options.system {
        trainer = trainer.with_potential(Arc::new(system.energy));
    }
    let mut report = Report::new(format!("train {}", options.data.display()));
    if teach(&mut trainer, &interrupted)?.is_break() {
        write_atomically(&checkpoint, &trainer.checkpoint())?;
        report.note("Stopped: go on with --resume.");
        report.file(checkpoint);
        return Ok((report, ExitCode::from(130)));
    }
    describe(&mut report, options, &trainer)?;
    let (parameters, _) = trainer.best()?;
    parameters.with_model(|model| files::write_model(&options.output, model))?;
    report.file(&options.output);
    if let Some(plots) = &options.plots {
        let folder = files::folder(plots)?;
        let floor = options.system.as_ref().map(|system| system.floor).filter(|floor| floor.is_known());
        let floor = floor.map(|floor| floor.value);
        report.files(pictures::training(folder, trainer.verdicts(), GRID_STEPS, floor)?);
        report.files(parameters.with_model(|model| pictures::field(folder, model))?);
    }
    Ok((report, ExitCode::SUCCESS))
}

/// The flow takes all particles for alike.
fn check_species(trajectory: &Trajectory) -> Result<(), String> {
    match trajectory.species.iter().find(|name| **name != trajectory.species[0]) {
        None => Ok(()),
        Some(other) => Err(format!(
            "the configurations have {} and {other}: the flow knows one species only",
            trajectory.species[0]
        )),
    }
}

/// A coordinate that is zero everywhere has no density in it.
fn check_flat(trajectory: &Trajectory) -> Result<(), String> {
    let dimension = trajectory.shape.dimension;
    let flat = |k: &usize| trajectory.samples.iter().skip(*k).step_by(dimension).all(|x| *x == 0.0);
    match (0..dimension).find(flat) {
        None => Ok(()),
        Some(k) => Err(format!(
            "{} is 0 in all configurations: say --dimension {} for a system of fewer dimensions",
            ["x", "y", "z"][k],
            dimension - 1
        )),
    }
}

/// Training and held-out configurations: chains that lie one after the other are not torn apart but once.
fn split(trajectory: &Trajectory) -> Result<(&[f64], &[f64]), String> {
    let n = trajectory.len();
    if n < 10 {
        return Err(format!("{n} configurations are too few: at least 10"));
    }
    let held_out = (n / 10).clamp(1, MOST_HELD_OUT);
    Ok(trajectory.samples.split_at((n - held_out) * trajectory.shape.coordinates()))
}

fn trainer(
    options: &Options,
    trajectory: &Trajectory,
    (train, held_out): (&[f64], &[f64]),
    checkpoint: &Path,
) -> Result<Trainer<f32>, Box<dyn Error>> {
    if options.resume {
        let bytes = std::fs::read(checkpoint)
            .map_err(|error| format!("cannot read checkpoint '{}': {error}", checkpoint.display()))?;
        return Ok(Trainer::resume(&bytes, train, held_out)?);
    }
    let (functions, recipe) = match &options.system {
        Some(system) => (system.functions(), system.recipe()),
        None => {
            let (functions, least_bandwidth) =
                spanning(trajectory.shape, train, options.radial, options.time)?;
            (functions, TrainConfig { steps: GRID_STEPS, least_bandwidth, ..TrainConfig::default() })
        }
    };
    let renyi = options.loss == Loss::Renyi;
    let config = TrainConfig {
        iterations: options.iterations,
        batch_size: options.batch_size.unwrap_or(if renyi { 256 } else { recipe.batch_size }),
        learning_rate: options.learning_rate,
        average: if renyi { 0.98 } else { recipe.average },
        renyi: if renyi { Renyi { order: 1.7, ramp: [0.5, 0.7] } } else { recipe.renyi },
        check: Check { every: options.check_every, ..recipe.check },
        seed: options.seed,
        ..recipe
    };
    let start = |start| -> Result<Trainer<f32>, TrainError> {
        let parameters: Parameters = initial(functions.clone(), start, train, options.seed)?;
        Trainer::new(config.clone(), parameters, train, held_out)
    };
    let origin = match options.start {
        Origin::FlowMatching => Start::FlowMatching,
        Origin::Identity => Start::Identity,
    };
    Ok(match start(origin) {
        // What flow matching makes of few configurations need not pass the check.
        Err(TrainError::Config("initial", _)) => start(Start::Identity)?,
        outcome => outcome?,
    })
}

/// Trains to the end, or until Ctrl-C breaks.
fn teach(trainer: &mut Trainer<f32>, interrupted: &AtomicBool) -> Result<ControlFlow<()>, TrainError> {
    let bar = progress_bar(trainer.config().iterations as u64, "training");
    let outcome = trainer.run(|progress| {
        show(&bar, progress);
        if interrupted.load(Ordering::SeqCst) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    bar.finish_and_clear();
    Ok(outcome)
}

fn show(bar: &indicatif::ProgressBar, progress: &Progress<'_>) {
    bar.set_position(progress.iteration as u64);
    if let Some(verdict) = progress.verdict {
        bar.set_message(match verdict.likelihood {
            Some(l) if verdict.certified => format!("held-out NLL {:.3} (certified)", l.nll),
            Some(l) => format!("refused: gap {:.3} nats", l.gap()),
            None => "refused: the flow does not integrate".into(),
        });
    }
}

fn describe(report: &mut Report, options: &Options, trainer: &Trainer<f32>) -> Result<(), TrainError> {
    let (parameters, likelihood) = trainer.best()?;
    let verdicts = trainer.verdicts();
    let nll = Estimate { value: likelihood.nll, standard_error: likelihood.standard_error };
    report.count("particles", "particles N", parameters.shape().particles);
    report.count("dimension", "dimensions D", parameters.shape().dimension);
    report.count("minibatches", "minibatches", trainer.iteration());
    if let Some(first) = verdicts.first().and_then(|first| first.likelihood) {
        report.number("start_nll", "held-out NLL at the start / nats", first.nll, 3);
    }
    report.count("checks", "checks of the likelihood", verdicts.len());
    report.count("refused", "of these refused", verdicts.iter().filter(|verdict| !verdict.certified).count());
    report.estimate("nll", "held-out NLL, converged / nats", nll);
    report.number("grid_nll", &format!("held-out NLL, {GRID_STEPS} steps / nats"), likelihood.grid_nll, 4);
    if let Some(system) = options.system.as_ref().filter(|system| system.floor.is_known()) {
        report.number("floor", "floor: entropy of the target / nats", system.floor.value, 4);
    }
    Ok(())
}
