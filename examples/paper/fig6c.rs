//! Figure 6c: energies of DW-4 samples, as they are and reweighted.

use crate::csv::Csv;
use crate::drawing::{BLUE, GREY, ORANGE, Plot, Series};
use crate::lab::{Lab, Report, converged_samples};
use crate::systems::{DW4, GRID_STEPS};
use eqflow::sampling::{Histogram, ImportanceWeights, chain_mean, energies, independent_mean};
use eqflow::train::likelihood;
use std::error::Error;

const RANGE: std::ops::Range<f64> = -27.0..-9.0;

pub fn run(lab: &Lab) -> Result<Report, Box<dyn Error>> {
    let flow = lab.dw4()?;
    let test = DW4.equilibrium(lab.budget(20_000, 4_000), lab.seed_of(61))?;
    let quality = likelihood(&flow.parameters, &test.samples, GRID_STEPS)?;
    let drawn = converged_samples(&flow, lab.seed_of(62), lab.budget(100_000, 20_000))?;
    let u = energies(&DW4.energy, DW4.shape, &drawn.samples)?;
    let weights = ImportanceWeights::from_densities(&u, &drawn.log_probs)?;

    let edges = Histogram::linear_edges(RANGE.start, RANGE.end, 72)?;
    let histograms = [
        ("Metropolis", GREY, Histogram::new(&test.energies, None, &edges)?),
        ("flow", ORANGE, Histogram::new(&u, None, &edges)?),
        ("flow, reweighted", BLUE, Histogram::new(&u, Some(&weights.normalized()), &edges)?),
    ];
    let mut csv = Csv::new(&["set", "u", "density", "standard_error"]);
    for (name, _, histogram) in &histograms {
        let values = histogram.density().iter().zip(histogram.standard_error());
        for (u, (density, error)) in histogram.centers().iter().zip(values) {
            csv.row(&[&format!("\"{name}\""), u, density, error]);
        }
    }
    let mut files = vec![csv.write(&lab.out, "fig6c")?];
    files.extend(plot(&histograms).write(&lab.out, "fig6c")?);
    let bootstrap = weights.bootstrap(200, lab.seed_of(63))?;
    let paragraph = format!(
        "Mean energy of DW-4: {:.3} by the flow as it is, {:.3} reweighted, {:.3} by Metropolis chains, {:.3} \
         exactly. What separates the first two is what the weights correct. Test NLL {:.4} +- {:.4} \
         converged, {:.4} by 20 steps, floor {:.5}, prior {:.3}.",
        independent_mean(&u)?,
        bootstrap.expectation(&u)?,
        chain_mean(&test.energies, test.energies.len() / 20)?,
        DW4.mean_energy.value,
        quality.nll,
        quality.standard_error,
        quality.grid_nll,
        DW4.floor.value,
        DW4.prior_nll
    );
    Ok(Report { paragraph, files })
}

fn plot(histograms: &[(&str, plotters::prelude::RGBColor, Histogram)]) -> Plot {
    let highest = histograms.iter().flat_map(|(_, _, h)| h.density()).fold(0.0_f64, |a, &b| a.max(b));
    let caption = "DW-4: energies of samples, raw and reweighted";
    let names = ["energy u / kT", "probability density"];
    let mut plot = Plot::new(caption, names, [RANGE, 0.0..1.08 * highest]);
    for (name, color, histogram) in histograms {
        plot.series.push(Series::steps(name, *color, histogram.edges(), histogram.density()));
    }
    plot
}
