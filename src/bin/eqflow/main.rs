//! The program `eqflow`: simulate, train, sample, reweight and look at what came of it.
//!
//! Results go to standard output, as a table or with `--json` as one object; progress goes to standard error. The exit
//! status is 0 for success, 1 where something failed or a model is not certified, 2 for a wrong command line, and 130
//! where Ctrl-C ended a training that `--resume` can go on with.

mod anneal;
mod certify;
mod convert;
mod files;
mod inspect;
mod minima;
mod pictures;
mod report;
mod reweight;
mod sample;
mod simulate;
mod train;

use clap::{CommandFactory, Parser, Subcommand};
use report::Report;
use std::error::Error;
use std::process::ExitCode;

/// What a command ends with, or why it failed.
type Outcome = Result<(Report, ExitCode), Box<dyn Error>>;

/// Boltzmann generators by equivariant kernel flows: equilibrium data, certified training, samples with exact
/// log-densities, reweighting and free energies.
#[derive(Parser)]
#[command(version, max_term_width = 100, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Threads (default: all); the results do not depend on their number.
    #[arg(long, global = true, value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Print results as one JSON object.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum Command {
    Simulate(simulate::Options),
    Train(train::Options),
    Sample(sample::Options),
    Reweight(reweight::Options),
    Anneal(anneal::Options),
    Certify(certify::Options),
    Minima(minima::Options),
    Inspect(inspect::Options),
    Convert(convert::Options),
    /// Print completions for a shell.
    #[command(
        after_help = "Example:\n  eqflow completions bash > ~/.local/share/bash-completion/completions/eqflow"
    )]
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<ExitCode, Box<dyn Error>> {
    if let Some(threads) = cli.threads {
        rayon::ThreadPoolBuilder::new().num_threads(threads.into()).build_global()?;
    }
    let (report, code) = match &cli.command {
        Command::Simulate(options) => simulate::run(options)?,
        Command::Train(options) => train::run(options)?,
        Command::Sample(options) => sample::run(options)?,
        Command::Reweight(options) => reweight::run(options)?,
        Command::Anneal(options) => anneal::run(options)?,
        Command::Certify(options) => certify::run(options)?,
        Command::Minima(options) => minima::run(options)?,
        Command::Inspect(options) => inspect::run(options)?,
        Command::Convert(options) => convert::run(options)?,
        Command::Completions { shell } => {
            clap_complete::generate(*shell, &mut Cli::command(), "eqflow", &mut std::io::stdout());
            return Ok(ExitCode::SUCCESS);
        }
    };
    report.print(cli.json);
    Ok(code)
}
