//! `eqflow minima`.

use super::report::Report;
use super::{Outcome, files};
use clap::Args;
use eqflow::io::{Trajectory, check_trajectory_path, write_trajectory};
use eqflow::sampling::{QuenchConfig, distinct_minima, quench};
use eqflow::systems::System;
use std::path::PathBuf;
use std::process::ExitCode;

/// Rows of the table that are shown.
const SHOWN: usize = 12;
/// Below this the smallest curvature is that of a saddle or of rounding.
const LEAST_CURVATURE: f64 = 1e-3;

/// Find the distinct metastable states that configurations descend to.
#[derive(Args)]
#[command(after_help = "Example:\n  eqflow minima samples.npz --system dw4 -o minima.xyz")]
pub struct Options {
    /// Configurations to start from: .xyz, .npy or .npz.
    data: PathBuf,
    /// Whose potential: dw2, dw4, lj13, or lj with another number of particles.
    #[arg(long, value_parser = files::system)]
    system: System,
    /// Start from no more than so many of them.
    #[arg(long, default_value_t = 1_000, value_parser = super::sample::at_least_one)]
    most: usize,
    /// Minima are the same where their sorted pair distances differ by no more than this.
    #[arg(long, default_value_t = 0.1)]
    threshold: f64,
    /// Write the minima, the lowest first: .xyz, .npy or .npz.
    #[arg(long, short)]
    output: Option<PathBuf>,
}

pub fn run(options: &Options) -> Outcome {
    if let Some(output) = &options.output {
        files::writable(output)?;
        check_trajectory_path(output)?;
    }
    let system = &options.system;
    let trajectory = files::read(&options.data, Some(system), None)?;
    let count = options.most.min(trajectory.len());
    let samples = &trajectory.samples[..count * system.shape.coordinates()];
    let quenched = quench(&system.energy, system.shape, samples, &QuenchConfig::new())?;
    let converged = quenched.iter().filter(|found| found.converged).count();
    let states =
        distinct_minima(&system.energy, system.shape, &quenched, options.threshold, LEAST_CURVATURE)?;

    let mut report = Report::new(format!("minima {}", system.name));
    report.count("started", "descents", count);
    report.count("converged", "converged", converged);
    report.count("minima", "distinct minima", states.len());
    for (i, state) in states.iter().take(SHOWN).enumerate() {
        let share = 100.0 * state.count as f64 / converged as f64;
        let text = format!("u = {:.6}  {:5.1} %", state.energy, share);
        report.text(&format!("minimum_{}", i + 1), &format!("minimum {}", i + 1), text);
    }
    if states.len() > SHOWN {
        report.note(format!("{} more minima lie higher.", states.len() - SHOWN));
    }
    if let Some(output) = &options.output {
        let energies = Some(states.iter().map(|state| state.energy).collect());
        let samples = states.iter().flat_map(|state| state.x.iter().copied()).collect();
        write_trajectory(output, &Trajectory { energies, ..Trajectory::new(system.shape, samples) })?;
        report.file(output);
    }
    Ok((report, ExitCode::SUCCESS))
}
