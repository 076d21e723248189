//! Which sampler gives the most effective samples for a second of one processor core, and for an evaluation of the energy?
//!
//! `cargo run --release --example compare [-- dw4|lj13|all] [--quick] [--seed 1] [--models out] [--out out/compare]`
//!
//! Tuned Metropolis, Hamiltonian Monte Carlo and replica exchange against importance sampling, annealing, independence
//! Metropolis-Hastings, latent Hamiltonian Monte Carlo and exchange with a flow: that of the main jobs, `<models>/dw4/dw4.eqf`
//! and `<models>/lj13/lj13.eqf`. Writes a table (CSV) and a picture, and says by how many standard errors each method's mean
//! energy differs from the known one. One thread; burn-in, step-size tuning and training are paid before and not counted.

mod judge;
mod methods;

use clap::{Parser, ValueEnum};
use eqflow::flow::{Block, Config, Plan, Precision};
use eqflow::io::{Csv, ModelFile};
use eqflow::plot::{BLUE, ORANGE, Plot, Series};
use eqflow::systems::{DW4, LJ13, System};
use judge::Outcome;
use methods::Budget;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// RK4 steps of the flow. For DW-4, with the log-weights of 100000 samples by 96 steps, the mean energy is off by 0.0051 by
/// 20 steps, 0.0027 by 24 and 0.0008 by 32: as the fourth power, so by 0.0015 by 28, a third of the full budget's
/// statistical error.
const STEPS: usize = 28;

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Choice {
    Dw4,
    Lj13,
    All,
}

/// Compares samplers by effective samples.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// Which system.
    #[arg(default_value = "all")]
    system: Choice,
    /// A tenth of the samples.
    #[arg(long)]
    quick: bool,
    /// Seed of everything random.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder with the main jobs' results.
    #[arg(long, default_value = "out")]
    models: PathBuf,
    /// Folder for table and pictures.
    #[arg(long, default_value = "out/compare")]
    out: PathBuf,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(&options.out)
        .map_err(|error| format!("cannot create output folder '{}': {error}", options.out.display()))?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    for (choice, system) in [(Choice::Dw4, DW4), (Choice::Lj13, LJ13)] {
        if options.system == choice || options.system == Choice::All {
            let flow = flow::<f64>(&system, &options.models)?;
            let single = self::flow::<f32>(&system, &options.models)?;
            let budget = Budget::new(options.quick, options.seed);
            let outcomes = pool.install(|| methods::all(&system, &flow, &single, &budget))?;
            report(&system, &outcomes, &options.out)?;
        }
    }
    Ok(())
}

/// The trained flow of a main job.
fn flow<R: Precision>(system: &System, models: &Path) -> Result<Plan<R, Vec<Block>>, Box<dyn Error>> {
    let path = models.join(&*system.key).join(format!("{}.eqf", system.key));
    let file = ModelFile::open(&path)
        .map_err(|error| format!("{error}; `cargo run --release --example {}` makes it", system.key))?;
    Ok(Plan::allocate(&file.model(), &Config::rk4(STEPS))?)
}

/// Prints and writes the table, and draws it.
fn report(system: &System, outcomes: &[Outcome], out: &Path) -> Result<(), Box<dyn Error>> {
    println!("{}: effective samples (of the slower of energy and |x|^2)", system.name);
    println!("  {:34} {:>9} {:>12} {:>14}   mean energy", "method", "effective", "a CPU second", "an energy");
    let mut csv = Csv::new(&[
        "method",
        "flow",
        "effective",
        "cpu_seconds",
        "energies",
        "mean_energy",
        "standard_error",
    ]);
    for outcome in outcomes {
        let Outcome { method, flow, effective, cpu, energies, mean_energy } = outcome;
        let deviation = (mean_energy.value - system.mean_energy.value)
            / mean_energy.standard_error.hypot(system.mean_energy.standard_error);
        println!(
            "  {method:34} {effective:9.0} {:12.1} {:14.2e}   {mean_energy:.3} ({deviation:+.1} standard errors)",
            outcome.a_second(),
            effective / energies
        );
        csv.row(&[
            &format!("\"{method}\""),
            flow,
            effective,
            cpu,
            energies,
            &mean_energy.value,
            &mean_energy.standard_error,
        ]);
    }
    let best = |flow: bool| {
        let of_kind = outcomes.iter().filter(|outcome| outcome.flow == flow);
        of_kind.max_by(|a, b| a.a_second().total_cmp(&b.a_second())).expect("methods of both kinds")
    };
    let (with, without) = (best(true), best(false));
    println!(
        "  Best with a flow: {}; best without: {}; ratio {:.2} a CPU second.\n",
        with.method,
        without.method,
        with.a_second() / without.a_second()
    );
    csv.write(out, &format!("compare-{}", system.key))?;
    plot(system, outcomes).write(out, &format!("compare-{}", system.key))?;
    Ok(())
}

/// Effective samples a second on a logarithmic axis, one place for each method.
fn plot(system: &System, outcomes: &[Outcome]) -> Plot {
    let log = |outcome: &Outcome| outcome.a_second().max(1e-3).log10();
    let (low, high) = outcomes.iter().map(log).fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(v), h.max(v)));
    let names: Vec<String> =
        outcomes.iter().enumerate().map(|(i, outcome)| format!("{} {}", i + 1, outcome.method)).collect();
    let caption = format!("{}: effective samples a second of one core", system.name);
    let ranges = [0.5..outcomes.len() as f64 + 0.5, low.floor()..high.ceil() + 0.5];
    let mut plot = Plot::new(&caption, [&names.join("   "), "log10 of effective samples a second"], ranges);
    for (name, color, flow) in [("without a flow", BLUE, false), ("with a flow", ORANGE, true)] {
        let points = outcomes.iter().enumerate().filter(|(_, outcome)| outcome.flow == flow);
        let points = points.map(|(i, outcome)| (1.0 + i as f64, log(outcome), 0.0));
        plot.series.push(Series::marks(name, color, points.collect::<Vec<_>>()));
    }
    plot
}
