//! `eqflow simulate`.

use super::report::{Report, progress_bar};
use super::{Outcome, files, pictures};
use clap::Args;
use eqflow::io::{Trajectory, check_trajectory_path, write_trajectory};
use eqflow::plot::BLUE;
use eqflow::sampling::{
    ChainConfig, ChainSamples, Initial, Moves, autocorrelation_time, chain_mean, convergence,
    sample_chains_by,
};
use eqflow::systems::System;
use std::path::PathBuf;
use std::process::ExitCode;

/// Make equilibrium configurations by Metropolis chains.
#[derive(Args)]
#[command(
    after_help = "Example:\n  eqflow simulate --system dw4 --samples 20000 --seed 1 -o dw4.xyz --plots pictures"
)]
pub struct Options {
    /// dw2, dw4, lj13, or lj with another number of particles.
    #[arg(long, value_parser = files::system)]
    system: System,
    /// Configurations to write; a few more where chains do not divide them.
    #[arg(long, short = 'n', default_value_t = 10_000, value_parser = super::sample::at_least_one)]
    samples: usize,
    /// Independent chains (default: one for 20 configurations, at least 100).
    #[arg(long)]
    chains: Option<usize>,
    /// Steps of each chain before the first configuration (default: the system's).
    #[arg(long)]
    burn_in: Option<usize>,
    /// Steps between two configurations of a chain (default: the system's).
    #[arg(long)]
    thin: Option<usize>,
    /// Standard deviation of a move of each coordinate (default: tuned by acceptance x step).
    #[arg(long)]
    step: Option<f64>,
    /// Seed of everything random; the same seed writes the same file.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the configurations go: .xyz, .npy or .npz.
    #[arg(long, short)]
    output: PathBuf,
    /// Folder for a picture of the energies.
    #[arg(long)]
    plots: Option<PathBuf>,
}

pub fn run(options: &Options) -> Outcome {
    files::writable(&options.output)?;
    check_trajectory_path(&options.output)?;
    let system = &options.system;
    let mut report = Report::new(format!("simulate {}", system.name));
    let step = match options.step {
        Some(step) => step,
        None => system.tuned_step(options.seed.wrapping_mul(3).wrapping_add(2))?.step_size,
    };
    let chains = options.chains.unwrap_or_else(|| system.chains_of(options.samples)).max(1);
    let config = ChainConfig {
        chains,
        burn_in: options.burn_in.unwrap_or(system.burn_in()),
        thin: options.thin.unwrap_or(system.thinning()),
        samples_per_chain: options.samples.div_ceil(chains),
        step_size: step,
        seed: options.seed,
    };
    let bar = progress_bar(0, "simulating");
    let start = Initial::Prior { scale: system.start_scale() };
    // Uniform moves cost less to draw than normal ones.
    let drawn = sample_chains_by(Moves::Cube, &system.energy, system.shape, &config, start, &|progress| {
        bar.set_length(progress.total);
        bar.set_position(progress.done);
    })?;
    bar.finish_and_clear();
    judge(&mut report, system, &drawn, &config);
    let ChainSamples { samples, energies, .. } = drawn;
    if let Some(plots) = &options.plots {
        let caption = format!("{}: energies of Metropolis chains", system.name);
        report.files(pictures::energies(
            files::folder(plots)?,
            &caption,
            &[("Metropolis", BLUE, &energies, None)],
        )?);
    }
    let trajectory = Trajectory { energies: Some(energies), ..Trajectory::new(system.shape, samples) };
    write_trajectory(&options.output, &trajectory)?;
    report.file(&options.output);
    Ok((report, ExitCode::SUCCESS))
}

/// What the chains say of themselves.
fn judge(report: &mut Report, system: &System, drawn: &ChainSamples<f64>, config: &ChainConfig) {
    let chains = config.chains;
    report.count("samples", "configurations", drawn.energies.len());
    report.count("chains", "chains", chains);
    report.count("thin", "steps between configurations", config.thin);
    report.number("step", "step size", config.step_size, 3);
    report.number("acceptance", "acceptance rate", drawn.acceptance_rate, 3);
    if let Ok(mean) = chain_mean(&drawn.energies, chains) {
        report.compared("mean_energy", "mean energy / kT", mean, Some(system.mean_energy));
    }
    let sizes: Vec<f64> = drawn
        .samples
        .chunks_exact(system.shape.coordinates())
        .map(|x| x.iter().map(|x| x * x).sum())
        .collect();
    for (key, label, values) in [("energy", "energy", &drawn.energies), ("size", "|x|^2", &sizes)] {
        if let Ok(time) = autocorrelation_time(values, chains) {
            let name = format!("{label}: autocorrelation time / configurations");
            report.estimate(&format!("{key}_autocorrelation_time"), &name, time);
        }
        if let Ok(found) = convergence(values, chains) {
            report.number(&format!("{key}_r_hat"), &format!("{label}: R-hat"), found.r_hat, 4);
            let name = format!("{label}: effective sample size, bulk");
            report.number(&format!("{key}_bulk"), &name, found.bulk, 0);
            let name = format!("{label}: effective sample size, tails");
            report.number(&format!("{key}_tail"), &name, found.tail, 0);
            if found.r_hat > 1.05 {
                report.note(format!(
                    "The chains disagree on {label} (R-hat {:.2}): run them longer.",
                    found.r_hat
                ));
            }
        }
    }
}
