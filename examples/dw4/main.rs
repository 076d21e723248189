//! The main job: trains a Boltzmann generator for the four-particle double well (DW-4), samples it, reweights,
//! and prints every number beside its exact value.
//!
//! `cargo run --release --example dw4 [-- --seed 1 --out out/dw4 --resume]`
//!
//! It makes its own equilibrium data by Metropolis sampling, trains the 620-parameter normalised-basis flow of
//! Köhler, Klein, Noé (2020) by maximum likelihood, and reports only certified likelihoods. Two runs with the
//! same seed print the same numbers, whatever the number of threads. Ctrl-C during training leaves a checkpoint
//! from which `--resume` goes on to the same result.

mod data;
#[path = "../shared/drawing.rs"]
mod drawing;
mod exact;
mod picture;
mod reweight;
mod table;
mod training;

use clap::Parser;
use eqflow::field::Shape;
use eqflow::io::save_model;
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

/// Four particles in the plane.
const SHAPE: Shape = Shape { particles: 4, dimension: 2 };

/// Trains a DW-4 Boltzmann generator and compares its reweighted results with the exact ones.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// Seed of everything random; the same seed prints the same numbers.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder for the model, the pictures and the checkpoint.
    #[arg(long, default_value = "out/dw4")]
    out: PathBuf,
    /// Go on from the checkpoint that an interrupted run left in the output folder.
    #[arg(long)]
    resume: bool,
    /// Training configurations to make.
    #[arg(long, default_value_t = 20_000)]
    train: usize,
    /// Test configurations to make.
    #[arg(long, default_value_t = 10_000)]
    test: usize,
    /// Minibatches of training.
    #[arg(long, default_value_t = training::ITERATIONS)]
    iterations: usize,
    /// Flow samples for reweighting.
    #[arg(long, default_value_t = 100_000)]
    samples: usize,
}

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    let start = Instant::now();
    std::fs::create_dir_all(&options.out)
        .map_err(|error| format!("cannot create output folder '{}': {error}", options.out.display()))?;
    let checkpoint = options.out.join("dw4.checkpoint");
    let resumed = options.resume.then(|| std::fs::read(&checkpoint)).transpose();
    let resumed =
        resumed.map_err(|error| format!("cannot read checkpoint '{}': {error}", checkpoint.display()))?;
    let data = data::generate(options.seed, options.train, options.test)?;
    let Some(trained) = training::train(options, &data, resumed.as_deref(), &checkpoint)? else {
        println!("Stopped. Checkpoint: {}; go on with --resume.", checkpoint.display());
        return Ok(ExitCode::from(130));
    };
    let model_path = options.out.join("dw4.eqf");
    trained.parameters.with_model(|model| save_model(&model_path, model))?;
    let test = eqflow::train::likelihood(&trained.parameters, &data.test.samples, training::GRID_STEPS)?;
    let reweighted = reweight::sample_and_reweight(&trained.parameters, options.seed, options.samples)?;

    table::print(&data, &test, &reweighted);
    let mut files = vec![model_path];
    files.extend(picture::energies(&options.out, &data, &reweighted)?);
    files.extend(picture::training_curve(&options.out, &trained)?);
    println!("\nWritten in {:.0} s:", start.elapsed().as_secs_f64());
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
