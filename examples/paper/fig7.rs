//! Figure 7: metastable states of DW-4 that a flow finds after training on one of them, with controls.
//!
//! Training samples are the lowest minimum with normal noise. Flow samples are minimised and counted; so are, as
//! controls that the paper lacks, draws of the untrained prior and the noise alone.

use crate::lab::{Lab, Report, converged_samples};
use crate::spread::over_runs;
use crate::states::{lowest_minimum, minima, perturbed, prior};
use crate::training::{Task, train};
use eqflow::io::Csv;
use eqflow::plot::{BLUE, Plot, Series};
use eqflow::sampling::{Estimate, State};
use eqflow::systems::{DW4, Start};
use std::error::Error;

/// The five minima differ by 1 and more.
const THRESHOLD: f64 = 0.1;
const NOISE: f64 = 0.2;
const SAMPLES: usize = 1000;
const SOURCES: [&str; 3] = ["flow trained on one state", "untrained prior", "noise alone"];

pub fn run(lab: &Lab) -> Result<Report, Box<dyn Error>> {
    let start = lowest_minimum(&DW4, lab.seed_of(71))?;
    let runs = lab.budget(5, 2);
    let mut csv = Csv::new(&["source", "run", "energy", "samples"]);
    let mut counts = vec![Vec::new(); SOURCES.len()];
    let mut escaped = vec![Vec::new(); SOURCES.len()];
    for run in 0..runs {
        for (source, samples) in draw(lab, &start, run as u64)?.iter().enumerate() {
            let found = minima(&DW4, samples, THRESHOLD)?;
            for state in &found {
                csv.row(&[&format!("\"{}\"", SOURCES[source]), &run, &state.energy, &state.count]);
            }
            counts[source].push(found.len() as f64);
            escaped[source].push(fraction_elsewhere(&found, &start));
        }
    }
    let counts: Vec<Estimate> = counts.iter().map(|counts| over_runs(counts)).collect();
    let escaped: Vec<Estimate> = escaped.iter().map(|fractions| over_runs(fractions)).collect();
    let mut files = vec![csv.write(&lab.out, "fig7")?];
    files.extend(plot(&counts).write(&lab.out, "fig7")?);
    let line = |i: usize| {
        let percent =
            Estimate { value: 100.0 * escaped[i].value, standard_error: 100.0 * escaped[i].standard_error };
        format!("{:.1} by the {} ({percent:.1} % of the samples in other states)", counts[i], SOURCES[i])
    };
    let paragraph = format!(
        "Of the five minima of DW-4, {SAMPLES} minimised samples find {}, {} and {}; mean and error of {runs} runs. The \
         training samples are the lowest minimum (u = {:.4}) with noise of {NOISE}; the prior knows nothing of it, so what \
         it finds is the least that a flow's states have to be compared with.",
        line(0),
        line(1),
        line(2),
        start.energy
    );
    Ok(Report { paragraph, files })
}

/// Samples of each of the [`SOURCES`].
fn draw(lab: &Lab, start: &State, run: u64) -> Result<[Vec<f64>; 3], Box<dyn Error>> {
    let seed = |part: u64| lab.seed_of(700 + 10 * run + part);
    let data = perturbed(&DW4, &start.x, NOISE, seed(0), SAMPLES);
    let held_out = perturbed(&DW4, &start.x, NOISE, seed(1), SAMPLES / 2);
    let task = Task {
        iterations: lab.budget(2_000, 300),
        check_every: 100,
        start: Start::FlowMatching,
        ..Task::new(seed(2))
    };
    let flow = train(&DW4, &data, &held_out, &task)?;
    Ok([
        converged_samples(&flow, seed(3), SAMPLES)?.samples,
        prior(&DW4, seed(4), SAMPLES),
        perturbed(&DW4, &start.x, NOISE, seed(5), SAMPLES),
    ])
}

/// The fraction of the samples that ended in another state than `start`.
fn fraction_elsewhere(found: &[State], start: &State) -> f64 {
    let all: usize = found.iter().map(|state| state.count).sum();
    let same = |state: &&State| (state.energy - start.energy).abs() < 1e-6;
    let stayed: usize = found.iter().filter(same).map(|state| state.count).sum();
    1.0 - stayed as f64 / all as f64
}

fn plot(counts: &[Estimate]) -> Plot {
    let caption = "DW-4: distinct minima after minimising 1000 samples";
    let names =
        ["1: flow trained on one state   2: untrained prior   3: noise alone", "distinct minima of 5"];
    let mut plot = Plot::new(caption, names, [0.5..3.5, 0.0..7.0]);
    let finite = |error: f64| if error.is_finite() { error } else { 0.0 };
    let points = counts.iter().enumerate().map(|(i, c)| (1.0 + i as f64, c.value, finite(c.standard_error)));
    plot.series.push(Series::marks("mean over runs", BLUE, points));
    plot
}
