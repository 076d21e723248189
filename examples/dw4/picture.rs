//! The pictures of energies and of training.

use crate::data::Data;
use crate::drawing::{BLUE, GREY, ORANGE, Plot, Series};
use crate::exact;
use crate::reweight::Reweighted;
use crate::training::Trained;
use eqflow::sampling::Histogram;
use eqflow::train::Likelihood;
use std::error::Error;
use std::path::{Path, PathBuf};

const ENERGY_RANGE: std::ops::Range<f64> = -27.0..-9.0;

/// Energy densities of Metropolis data, of the flow, and of the reweighted flow.
pub fn energies(folder: &Path, data: &Data, reweighted: &Reweighted) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let edges = Histogram::linear_edges(ENERGY_RANGE.start, ENERGY_RANGE.end, 72)?;
    let of = |values: &[f64], weights| Histogram::new(values, weights, &edges);
    let curves = [
        ("Metropolis test set", GREY, of(&data.test.energies, None)?),
        ("flow", ORANGE, of(&reweighted.energies, None)?),
        ("flow, reweighted", BLUE, of(&reweighted.energies, Some(&reweighted.weights))?),
    ];
    let highest = curves.iter().flat_map(|(_, _, h)| h.density()).fold(0.0_f64, |a, &b| a.max(b));
    let caption = "DW-4: energies of data, flow and reweighted flow";
    let names = ["energy u / kT", "probability density"];
    let mut plot = Plot::new(caption, names, [ENERGY_RANGE, 0.0..1.08 * highest]);
    for (name, color, histogram) in &curves {
        plot.series.push(Series::steps(name, *color, histogram.edges(), histogram.density()));
    }
    plot.write(folder, "energies")
}

/// The identity flow's NLL of 19 lies far above.
const NLL_RANGE: std::ops::Range<f64> = 7.0..10.0;

/// Held-out NLL, by the grid and converged, at every check, with the floor.
pub fn training_curve(folder: &Path, trained: &Trained) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let points = |value: fn(&Likelihood) -> f64| -> Vec<(f64, f64)> {
        let checked = trained.verdicts.iter().filter_map(|v| v.likelihood.map(|l| (v.iteration, l)));
        checked.map(|(iteration, l)| (iteration as f64, value(&l))).collect()
    };
    let (converged, grid) = (points(|l| l.nll), points(|l| l.grid_nll));
    let last = converged.iter().fold(1.0_f64, |a, p| a.max(p.0));
    let caption = "DW-4: held-out negative log-likelihood while training";
    let mut plot = Plot::new(caption, ["minibatches", "NLL / nats"], [0.0..last, NLL_RANGE]);
    let floor = [(0.0, exact::NLL_FLOOR), (last, exact::NLL_FLOOR)];
    plot.series = vec![
        Series::line("converged", BLUE, converged),
        Series::line("20 RK4 steps", ORANGE, grid),
        Series::line("floor: entropy of the Boltzmann distribution", GREY, floor),
    ];
    plot.write(folder, "training")
}
