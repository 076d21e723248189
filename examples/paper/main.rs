//! The experiments of Köhler, Klein, Noé (2020), each with its numbers (CSV), a picture (SVG and PNG) and one
//! paragraph of what it shows.
//!
//! `cargo run --release --example paper -- <experiment|all> [--quick] [--seed 1] [--out out/paper]`
//!
//! An experiment's name or the beginning of several (`fig3`) chooses what runs; `--quick` takes smaller budgets. The
//! program makes all of its data itself. The same seed writes the same numbers, but for measured times.

mod dw2_exact;
mod fig11;
mod fig3a;
mod fig3b;
mod fig3c;
mod fig4;
mod fig5;
mod fig6;
mod fig7;
mod honesty;
mod lab;
mod spread;
mod states;
mod table1;
mod table2;
mod training;

use clap::Parser;
use lab::{Lab, Report};
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

/// A name on the command line, what it is about, and the function that does it.
struct Experiment {
    name: &'static str,
    title: &'static str,
    run: fn(&Lab) -> Result<Report, Box<dyn Error>>,
}

/// All experiments, in the order in which `all` runs them.
#[rustfmt::skip]
const EXPERIMENTS: &[Experiment] = &[
    Experiment { name: "fig3a", title: "error of the divergence's estimators", run: fig3a::run },
    Experiment { name: "fig3b", title: "free energy of DW-2, reweighted", run: fig3b::run },
    Experiment { name: "fig3c", title: "cost of the divergence against N", run: fig3c::run },
    Experiment { name: "fig5-dw4", title: "likelihood against training samples, DW-4", run: fig5::dw4 },
    Experiment { name: "fig5-lj13", title: "likelihood against training samples, LJ-13", run: fig5::lj13 },
    Experiment { name: "fig6c", title: "energies of DW-4, raw and reweighted", run: fig6::dw4 },
    Experiment { name: "fig7", title: "metastable states of DW-4 from one", run: fig7::run },
    Experiment { name: "table1", title: "metastable states of LJ-13", run: table1::run },
    Experiment { name: "fig4", title: "discrete against continuous adjoint, DW-4", run: fig4::run },
    Experiment { name: "table2", title: "likelihoods of kernel flows, DW-4 and LJ-13", run: table2::run },
    Experiment { name: "fig10a", title: "energies of LJ-13, raw and reweighted", run: fig6::lj13 },
    Experiment { name: "fig11", title: "importance weights of DW-4", run: fig11::run },
    Experiment { name: "honesty", title: "the recipe that cheats on DW-4, and the check", run: honesty::run },
];

/// Regenerates the experiments of "Equivariant Flows" (Köhler, Klein, Noé 2020).
#[derive(Parser)]
#[command(version, after_help = experiments())]
struct Options {
    /// An experiment, the beginning of several names, or `all`.
    experiment: String,
    /// Smaller budgets: all experiments within minutes.
    #[arg(long)]
    quick: bool,
    /// Seed of everything random.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder for numbers and pictures.
    #[arg(long, default_value = "out/paper")]
    out: PathBuf,
}

/// The list for `--help` and for a name that does not exist.
fn experiments() -> String {
    let lines = EXPERIMENTS.iter().map(|e| format!("\n  {:10} {}", e.name, e.title));
    format!("Experiments:{}", lines.collect::<String>())
}

fn main() -> ExitCode {
    match run(Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> Result<(), Box<dyn Error>> {
    let chosen = |e: &&Experiment| options.experiment == "all" || e.name.starts_with(&options.experiment);
    let experiments_chosen: Vec<&Experiment> = EXPERIMENTS.iter().filter(chosen).collect();
    if experiments_chosen.is_empty() || options.experiment.is_empty() {
        return Err(format!("no experiment is called '{}'\n{}", options.experiment, experiments()).into());
    }
    std::fs::create_dir_all(&options.out)
        .map_err(|error| format!("cannot create output folder '{}': {error}", options.out.display()))?;
    let lab = Lab::new(options.seed, options.quick, options.out);
    for experiment in experiments_chosen {
        let start = Instant::now();
        println!("== {}: {}", experiment.name, experiment.title);
        let report = (experiment.run)(&lab).map_err(|error| format!("{}: {error}", experiment.name))?;
        println!("{}", wrapped(&report.paragraph, 110));
        let files: Vec<String> = report.files.iter().map(|file| file.display().to_string()).collect();
        println!("   {} ({:.0} s)\n", files.join(" "), start.elapsed().as_secs_f64());
    }
    Ok(())
}

/// The text in lines of at most `width` characters, words left whole.
fn wrapped(text: &str, width: usize) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("never empty");
        if line.is_empty() {
            *line = word.into();
        } else if line.chars().count() + 1 + word.chars().count() <= width {
            *line = format!("{line} {word}");
        } else {
            lines.push(word.into());
        }
    }
    lines.join("\n")
}
