//! `eqflow sample`.

use super::report::{Report, progress_bar};
use super::{Outcome, files, pictures};
use clap::Args;
use eqflow::flow::{Block, Config, Inverse, LogDet, Plan};
use eqflow::io::{Trajectory, check_trajectory_path, write_trajectory};
use eqflow::plot::ORANGE;
use eqflow::sampling::{draw_samples, independent_mean};
use eqflow::systems::System;
use std::path::PathBuf;
use std::process::ExitCode;

/// Draw independent configurations from a model, with their log-densities.
#[derive(Args)]
#[command(after_help = "Example:\n  eqflow sample dw4.eqf -n 100000 --seed 1 --system dw4 -o samples.npz")]
pub struct Options {
    /// Model: .eqf, or .safetensors of this program.
    model: PathBuf,
    /// Configurations to draw.
    #[arg(long, short = 'n', default_value_t = 10_000, value_parser = at_least_one)]
    samples: usize,
    /// Seed; the same seed draws the same configurations.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How log-densities are made exact: the differential equation, or the grid's own map.
    #[command(flatten)]
    rung: Rung,
    /// Write the energies of this system too.
    #[arg(long, value_parser = files::system)]
    system: Option<System>,
    /// Where the configurations go: .xyz or .npz, or .npy without log-densities.
    #[arg(long, short)]
    output: PathBuf,
    /// Folder for a picture of the energies and of the field.
    #[arg(long)]
    plots: Option<PathBuf>,
}

/// Which rung of the exactness ladder.
#[derive(Args)]
pub struct Rung {
    /// Tolerance of the adaptive integrator.
    #[arg(long, default_value_t = 1e-7, conflicts_with = "steps")]
    tolerance: f64,
    /// So many Runge-Kutta steps instead, with the exact log-determinant of their map.
    #[arg(long)]
    steps: Option<usize>,
}

impl Rung {
    pub fn config(&self) -> Config {
        match self.steps {
            Some(steps) => Config::rk4(steps).with_log_det(LogDet::Jacobian).with_inverse(Inverse::Exact),
            None => Config::dopri5(self.tolerance, self.tolerance),
        }
    }
}

/// Reads a count.
pub fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("must be at least 1".into()),
        Ok(count) => Ok(count),
        Err(error) => Err(format!("{error}")),
    }
}

pub fn run(options: &Options) -> Outcome {
    files::writable(&options.output)?;
    check_trajectory_path(&options.output)?;
    let file = files::open_model(&options.model)?;
    let model = file.model();
    if let Some(system) = &options.system {
        files::fits(&options.model, model.shape, system.shape, &system.name)?;
    }
    let plan: Plan<f64, Vec<Block>> = Plan::allocate(&model, &options.rung.config())?;
    let bar = progress_bar(options.samples as u64, "sampling");
    let drawn = draw_samples(&plan, options.seed, options.samples, &|done| bar.set_position(done as u64))?;
    bar.finish_and_clear();
    let mut trajectory = Trajectory::new(model.shape, drawn.samples);
    trajectory.energies = match &options.system {
        Some(_) => files::energies_of(&trajectory, options.system.as_ref())?,
        None => None,
    };
    let mut report = Report::new(format!("sample {}", options.model.display()));
    report.count("samples", "configurations", options.samples);
    if let Ok(mean) = independent_mean(&drawn.log_probs) {
        report.estimate("mean_log_prob", "mean log-density", mean);
    }
    if let Some(u) = &trajectory.energies {
        report.number("median_energy", "median energy / kT", pictures::quantile(u, None, 0.5), 4);
    }
    if let Some(plots) = &options.plots {
        let folder = files::folder(plots)?;
        report.files(pictures::field(folder, &model)?);
        if let Some(u) = &trajectory.energies {
            report.files(pictures::energies(
                folder,
                "Energies of the flow's samples",
                &[("flow", ORANGE, u, None)],
            )?);
        }
    }
    trajectory.log_probs = Some(drawn.log_probs);
    write_trajectory(&options.output, &trajectory)?;
    report.file(&options.output);
    Ok((report, ExitCode::SUCCESS))
}
