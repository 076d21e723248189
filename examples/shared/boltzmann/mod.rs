//! The main job of a system: makes its own equilibrium data by Metropolis sampling, trains a Boltzmann generator by
//! maximum likelihood, samples it, reweights, and prints every number beside what is known.
//!
//! Only certified likelihoods are reported. Two runs with the same seed print the same numbers, whatever the number of
//! threads. Ctrl-C during training leaves a checkpoint from which `--resume` goes on to the same result.

mod data;
mod picture;
mod reweight;
mod table;
mod training;

use clap::{CommandFactory, FromArgMatches, Parser};
use eqflow::io::save_model;
use eqflow::systems::{GRID_STEPS, Start, System};
use eqflow::train::{Parameters, TrainConfig};
use std::error::Error;
use std::ops::Range;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

/// A system and the size of its main job.
pub struct Job {
    pub system: &'static System,
    /// What the field is made of, and where its weights start.
    pub functions: fn() -> Parameters,
    pub start: Start,
    /// How training differs from that of the system's other flows.
    pub recipe: fn(TrainConfig) -> TrainConfig,
    /// Defaults of the options.
    pub train: usize,
    pub test: usize,
    pub iterations: usize,
    pub samples: usize,
    /// What the picture of the energies shows.
    pub energies: Range<f64>,
    /// What the picture of training shows.
    pub likelihoods: Range<f64>,
}

/// What the user chooses; defaults come from the [`Job`].
#[derive(Parser)]
#[command(version)]
struct Options {
    /// Seed of everything random; the same seed prints the same numbers.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder for the model, the pictures and the checkpoint.
    #[arg(long)]
    out: PathBuf,
    /// Go on from the checkpoint that an interrupted run left in the output folder.
    #[arg(long)]
    resume: bool,
    /// Training configurations to make.
    #[arg(long)]
    train: usize,
    /// Test configurations to make.
    #[arg(long)]
    test: usize,
    /// Minibatches of training.
    #[arg(long)]
    iterations: usize,
    /// Flow samples for reweighting.
    #[arg(long)]
    samples: usize,
}

impl Options {
    /// The command line, with the job's defaults.
    fn parse(job: &Job) -> Self {
        let System { name, key, .. } = job.system;
        let about = format!(
            "Trains a {name} Boltzmann generator and compares its reweighted results with the known ones."
        );
        let defaults = [
            ("out", format!("out/{key}")),
            ("train", job.train.to_string()),
            ("test", job.test.to_string()),
            ("iterations", job.iterations.to_string()),
            ("samples", job.samples.to_string()),
        ];
        let with_default = |command: clap::Command, (name, value): (&'static str, String)| {
            command.mut_arg(name, |arg| arg.required(false).default_value(value))
        };
        let command = defaults.into_iter().fold(Options::command().about(about), with_default);
        Options::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit())
    }
}

/// Does the job as the command line says.
pub fn main(job: &Job) -> ExitCode {
    match run(job, &Options::parse(job)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(job: &Job, options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    let start = Instant::now();
    let System { key, .. } = job.system;
    std::fs::create_dir_all(&options.out)
        .map_err(|error| format!("cannot create output folder '{}': {error}", options.out.display()))?;
    let checkpoint = options.out.join(format!("{key}.checkpoint"));
    let resumed = options.resume.then(|| std::fs::read(&checkpoint)).transpose();
    let resumed =
        resumed.map_err(|error| format!("cannot read checkpoint '{}': {error}", checkpoint.display()))?;
    let data = data::generate(job.system, options.seed, options.train, options.test)?;
    let Some(trained) = training::train(job, options, &data, resumed.as_deref(), &checkpoint)? else {
        println!("Stopped. Checkpoint: {}; go on with --resume.", checkpoint.display());
        return Ok(ExitCode::from(130));
    };
    let model_path = options.out.join(format!("{key}.eqf"));
    trained.parameters.with_model(|model| save_model(&model_path, model))?;
    let test = eqflow::train::likelihood(&trained.parameters, &data.test.samples, GRID_STEPS)?;
    let reweighted =
        reweight::sample_and_reweight(job.system, &trained.parameters, options.seed, options.samples)?;

    table::print(job.system, &data, &test, &reweighted);
    let mut files = vec![model_path];
    files.extend(picture::energies(job, &options.out, &data, &reweighted)?);
    files.extend(picture::training_curve(job, &options.out, &trained)?);
    let seconds = start.elapsed().as_secs_f64();
    println!("\nWritten in {seconds:.0} s, {:.0} of them training:", trained.seconds);
    for file in files {
        println!("  {}", file.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// A progress bar on the terminal; where there is none, nothing is drawn.
fn progress_bar(total: u64, what: &'static str) -> indicatif::ProgressBar {
    let style =
        indicatif::ProgressStyle::with_template("{prefix:>12} [{bar:30}] {percent:>3}% {eta:>4} {msg}")
            .expect("a valid template")
            .progress_chars("=> ");
    indicatif::ProgressBar::new(total).with_style(style).with_prefix(what)
}
