//! `eqflow certify`.

use super::report::Report;
use super::{Outcome, files};
use clap::Args;
use eqflow::sampling::Estimate;
use eqflow::train::{CertifyTolerances, Honesty, Parameters, certify, likelihood};
use std::path::PathBuf;
use std::process::ExitCode;

/// Judge whether a model's likelihoods on a coarse grid are those of a density; exit status 1 where they are not.
#[derive(Args)]
#[command(after_help = "Example:\n  eqflow certify dw4.eqf --data dw4-test.xyz --steps 20")]
pub struct Options {
    /// Model: .eqf, or .safetensors of this program.
    model: PathBuf,
    /// Configurations to judge by: .xyz, .npy or .npz.
    #[arg(long)]
    data: PathBuf,
    /// Look at no more than so many of them.
    #[arg(long, default_value_t = 1_000, value_parser = super::sample::at_least_one)]
    most: usize,
    /// Runge-Kutta steps of the grid.
    #[arg(long, default_value_t = 20, value_parser = super::sample::at_least_one)]
    steps: usize,
    /// Largest mean difference between grid and converged log-density, in nats.
    #[arg(long, default_value_t = CertifyTolerances::default().gap)]
    gap: f64,
    /// Largest mean error of a way there and back, in units of length.
    #[arg(long, default_value_t = CertifyTolerances::default().round_trip)]
    round_trip: f64,
}

pub fn run(options: &Options) -> Outcome {
    let file = files::open_model(&options.model)?;
    let model = file.model();
    let trajectory = files::read(&options.data, None, Some(model.shape.dimension))?;
    files::fits(&options.data, trajectory.shape, model.shape, "the model")?;
    let count = options.most.min(trajectory.len());
    let samples = &trajectory.samples[..count * model.shape.coordinates()];
    let parameters = Parameters::from_model(&model);
    let tolerances = CertifyTolerances { gap: options.gap, round_trip: options.round_trip };
    let found = certify(&parameters, samples, options.steps, &tolerances)?;

    let mut report = Report::new(format!("certify {}", options.model.display()));
    let (verdict, why) = match found.honesty {
        Honesty::Honest => ("honest", "The grid's log-density is that of the converged flow."),
        Honesty::Stiff => ("stiff", "The field cannot be integrated: too stiff."),
        Honesty::Folded => ("folded", "The map of the grid folds space or does not lead back."),
        Honesty::Gap => ("gap", "The grid's log-density is not that of the converged flow."),
    };
    report.text("verdict", "verdict", verdict);
    report.count("samples", "configurations", found.samples);
    if let (Some(difference), Ok(l)) = (found.difference, likelihood(&parameters, samples, options.steps)) {
        let nll = Estimate { value: l.nll, standard_error: l.standard_error };
        report.estimate("nll", "NLL, converged / nats", nll);
        report.number("grid_nll", &format!("NLL, {} steps / nats", options.steps), l.grid_nll, 4);
        report.number("gap", "grid - converged, mean / nats", difference.mean, 5);
        report.number("gap_largest", "grid - converged, largest / nats", difference.quantiles[4], 5);
    }
    report.number("round_trip", "way there and back, mean error", found.round_trip.mean, 6);
    report.number("least_singular_value", "least singular value", found.least_singular_value, 6);
    report.count("folded", "folds", found.folded);
    report.note(why);
    let honest = found.honesty == Honesty::Honest;
    Ok((report, if honest { ExitCode::SUCCESS } else { ExitCode::FAILURE }))
}
