//! `eqflow inspect`.

use super::report::Report;
use super::{Outcome, files, pictures};
use clap::Args;
use eqflow::plot::BLUE;
use eqflow::radial::Basis;
use eqflow::sampling::{Histogram, Profile, chain_mean, convergence, pair_distances};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Say what a model or a trajectory is.
#[derive(Args)]
#[command(
    after_help = "Example:\n  eqflow inspect dw4.eqf --plots pictures\n  eqflow inspect dw4.xyz --chains 100"
)]
pub struct Options {
    /// Model (.eqf, .safetensors) or configurations (.xyz, .npy, .npz).
    file: PathBuf,
    /// D of configurations that do not say so.
    #[arg(long)]
    dimension: Option<usize>,
    /// Judge the configurations as so many chains, one after the other.
    #[arg(long)]
    chains: Option<usize>,
    /// Folder for pictures: of the field, or of energies and pair distances.
    #[arg(long)]
    plots: Option<PathBuf>,
}

pub fn run(options: &Options) -> Outcome {
    let extension = options.file.extension().and_then(|extension| extension.to_str());
    let report = match extension {
        Some("eqf" | "safetensors") => model(options)?,
        _ => trajectory(options)?,
    };
    Ok((report, ExitCode::SUCCESS))
}

fn model(options: &Options) -> Result<Report, Box<dyn std::error::Error>> {
    let file = files::open_model(&options.file)?;
    let model = file.model();
    let mut report = Report::new(format!("inspect {}", options.file.display()));
    report.count("particles", "particles N", model.shape.particles);
    report.count("dimension", "dimensions D", model.shape.dimension);
    let basis = if model.basis == Basis::Normalized { "normalized" } else { "gaussian" };
    report.text("basis", "basis", basis);
    report.count("radial_functions", "radial functions M", model.n_radial());
    report.count("time_functions", "time functions L", model.n_time());
    let range = |values: eqflow::flow::Reals<'_>| {
        let ends = values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
        format!("{:.4} to {:.4}", ends.0, ends.1)
    };
    report.text("mu", "means of radial functions", range(model.mu));
    report.text("gamma", "bandwidths", range(model.gamma));
    report.text("weights", "weights", range(model.weights));
    if let Some(plots) = &options.plots {
        report.files(pictures::field(files::folder(plots)?, &model)?);
    }
    Ok(report)
}

fn trajectory(options: &Options) -> Result<Report, Box<dyn std::error::Error>> {
    let trajectory = files::read(&options.file, None, options.dimension)?;
    let mut report = Report::new(format!("inspect {}", options.file.display()));
    report.count("samples", "configurations", trajectory.len());
    report.count("particles", "particles N", trajectory.shape.particles);
    report.count("dimension", "dimensions D", trajectory.shape.dimension);
    let mut species = trajectory.species.clone();
    species.sort();
    species.dedup();
    report.text("species", "species", species.join(" "));
    if trajectory.shape.pairs() > 0 {
        let d = pair_distances(trajectory.shape, &trajectory.samples)?;
        let ends = d.iter().fold((f64::INFINITY, 0.0_f64), |(a, b), &d| (a.min(d), b.max(d)));
        report.text("pair_distances", "pair distances", format!("{:.4} to {:.4}", ends.0, ends.1));
        if let Some(plots) = &options.plots {
            let edges = Histogram::linear_edges(ends.0, ends.1.max(ends.0 + 1e-9), 60)?;
            let mut profile = Profile::new(&edges)?;
            for d in d.chunks_exact(trajectory.shape.pairs()) {
                profile.add(d, 1.0)?;
            }
            let found = profile.free_energies();
            report.files(pictures::profile(files::folder(plots)?, "pair distance", &edges, &found, None)?);
        }
    }
    if let Some(u) = &trajectory.energies {
        judge(&mut report, u, options.chains)?;
        if let Some(plots) = &options.plots {
            let caption = format!("Energies of {}", name(&options.file));
            report.files(pictures::energies(files::folder(plots)?, &caption, &[("samples", BLUE, u, None)])?);
        }
    }
    if let Some(log_probs) = &trajectory.log_probs {
        let mean = log_probs.iter().sum::<f64>() / log_probs.len() as f64;
        report.number("mean_log_prob", "mean log-density", mean, 4);
    }
    Ok(report)
}

fn judge(report: &mut Report, u: &[f64], chains: Option<usize>) -> Result<(), eqflow::sampling::Error> {
    report.number("median_energy", "median energy / kT", pictures::quantile(u, None, 0.5), 4);
    let Some(chains) = chains else { return Ok(()) };
    report.estimate("mean_energy", "mean energy / kT", chain_mean(u, chains)?);
    let found = convergence(u, chains)?;
    report.number("energy_r_hat", "energy: R-hat", found.r_hat, 4);
    report.number("energy_bulk", "energy: effective sample size, bulk", found.bulk, 0);
    report.number("energy_tail", "energy: effective sample size, tails", found.tail, 0);
    Ok(())
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
