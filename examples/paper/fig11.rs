//! Figure 11: the importance weights of DW-4 samples.

use crate::lab::{Lab, Report, converged_samples};
use eqflow::io::Csv;
use eqflow::plot::{BLUE, GREY, Plot, Series};
use eqflow::sampling::{Estimate, Histogram, ImportanceWeights, energies};
use eqflow::systems::DW4;
use std::error::Error;

const RANGE: std::ops::Range<f64> = -12.0..6.0;

pub fn run(lab: &Lab) -> Result<Report, Box<dyn Error>> {
    let flow = lab.dw4()?;
    let drawn = converged_samples(&flow, lab.seed_of(111), lab.budget(100_000, 20_000))?;
    let u = energies(&DW4.energy, DW4.shape, &drawn.samples)?;
    // Relative to Z: the weights of a perfect flow are 1.
    let logs: Vec<f64> = u.iter().zip(&drawn.log_probs).map(|(u, p)| -u - p - DW4.log_z.value).collect();
    let weights = ImportanceWeights::new(&logs)?;
    let edges = Histogram::linear_edges(RANGE.start, RANGE.end, 90)?;
    let density = Histogram::new(&logs, None, &edges)?;
    let share = Histogram::new(&logs, Some(&weights.normalized()), &edges)?;

    let mut csv =
        Csv::new(&["log_weight", "density", "standard_error", "share_of_weight", "share_standard_error"]);
    let rows = density.centers().into_iter().enumerate();
    for (i, centre) in rows {
        let [d, s] = [&density, &share].map(|h| (h.density()[i], h.standard_error()[i]));
        csv.row(&[&centre, &d.0, &d.1, &s.0, &s.1]);
    }
    let mut files = vec![csv.write(&lab.out, "fig11")?];
    files.extend(plot(&density, &share).write(&lab.out, "fig11")?);
    let bootstrap = weights.bootstrap(200, lab.seed_of(112))?;
    let fraction = bootstrap.effective_fraction();
    let percent = Estimate { value: 100.0 * fraction.value, standard_error: 100.0 * fraction.standard_error };
    let log_z = bootstrap.log_z();
    let largest = weights.normalized().into_iter().fold(0.0, f64::max);
    let paragraph = format!(
        "Weights of {} samples of the DW-4 flow (log w / Z; a perfect flow has 0): Kish's effective sample size is \
         {percent:.1} %, the largest weight carries {:.3} % of the sum. log Z misses the exact {:.4} by \
         {:+.4} +- {:.4}.",
        logs.len(),
        100.0 * largest,
        DW4.log_z.value,
        log_z.value,
        log_z.standard_error
    );
    Ok(Report { paragraph, files })
}

fn plot(density: &Histogram, share: &Histogram) -> Plot {
    let highest = density.density().iter().chain(share.density()).fold(0.0_f64, |a, &b| a.max(b));
    let caption = "DW-4: importance weights of flow samples";
    let mut plot = Plot::new(caption, ["log (w / Z)", "density"], [RANGE, 0.0..1.08 * highest]);
    plot.series = vec![
        Series::steps("samples", GREY, density.edges(), density.density()),
        Series::steps("samples, weighted: who carries the average", BLUE, share.edges(), share.density()),
    ];
    plot.legend = plotters::prelude::SeriesLabelPosition::UpperLeft;
    plot
}
