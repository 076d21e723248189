//! The pictures of energies and of training.

use super::Job;
use super::data::Data;
use super::reweight::Reweighted;
use super::training::Trained;
use eqflow::plot::{BLUE, GREY, ORANGE, Plot, Series};
use eqflow::sampling::Histogram;
use eqflow::systems::GRID_STEPS;
use eqflow::train::Likelihood;
use std::error::Error;
use std::path::{Path, PathBuf};

/// Energy densities of Metropolis data, of the flow, and of the reweighted flow.
pub fn energies(
    job: &Job,
    folder: &Path,
    data: &Data,
    reweighted: &Reweighted,
) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let range = job.energies.clone();
    let edges = Histogram::linear_edges(range.start, range.end, 72)?;
    let of = |values: &[f64], weights| Histogram::new(values, weights, &edges);
    let curves = [
        ("Metropolis test set", GREY, of(&data.test.energies, None)?),
        ("flow", ORANGE, of(&reweighted.energies, None)?),
        ("flow, reweighted", BLUE, of(&reweighted.energies, Some(&reweighted.weights))?),
    ];
    let highest = curves.iter().flat_map(|(_, _, h)| h.density()).fold(0.0_f64, |a, &b| a.max(b));
    let caption = format!("{}: energies of data, flow and reweighted flow", job.system.name);
    let names = ["energy u / kT", "probability density"];
    let mut plot = Plot::new(&caption, names, [range, 0.0..1.08 * highest]);
    for (name, color, histogram) in &curves {
        plot.series.push(Series::steps(name, *color, histogram.edges(), histogram.density()));
    }
    Ok(plot.write(folder, "energies")?)
}

/// Held-out NLL, by the grid and converged, at every check, with the floor.
pub fn training_curve(job: &Job, folder: &Path, trained: &Trained) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let points = |value: fn(&Likelihood) -> f64| -> Vec<(f64, f64)> {
        let checked = trained.verdicts.iter().filter_map(|v| v.likelihood.map(|l| (v.iteration, l)));
        checked.map(|(iteration, l)| (iteration as f64, value(&l))).collect()
    };
    let (converged, grid) = (points(|l| l.nll), points(|l| l.grid_nll));
    let last = converged.iter().fold(1.0_f64, |a, p| a.max(p.0));
    let caption = format!("{}: held-out negative log-likelihood while training", job.system.name);
    let ranges = [0.0..last, job.likelihoods.clone()];
    let mut plot = Plot::new(&caption, ["minibatches", "NLL / nats"], ranges);
    let floor = [0.0, last].map(|x| (x, job.system.floor.value));
    plot.series = vec![
        Series::line("converged", BLUE, converged),
        Series::line(&format!("{GRID_STEPS} RK4 steps"), ORANGE, grid),
        Series::line("floor: entropy of the Boltzmann distribution", GREY, floor),
    ];
    Ok(plot.write(folder, "training")?)
}
