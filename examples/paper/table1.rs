//! Table 1: distinct metastable states of LJ-13 in three windows of the energy, with the controls that the paper lacks.
//!
//! In each round a flow is trained on 1000 consecutive steps of one Metropolis chain (the paper's SHORT row) and 1000 of
//! its samples are minimised. Controls: that training set itself, a long chain, draws of the untrained prior, and noise
//! around the global minimum alone.
//!
//! What is counted depends on the minimiser. 1000 draws of the prior lead to 35.4 +- 1.2 / 43.3 +- 0.7 / 1 minima by
//! L-BFGS with short moves (ten rounds; the metric is the Euclidean norm over ordered pairs, no draw ends in a saddle or
//! unconverged). From the draws of the first round, which give 35 / 43 / 1, SciPy's L-BFGS-B finds 38 / 40 / 1, its
//! conjugate gradients 54 / 41 / 1, and steepest descent by steps of at most 0.02, which hardly leaves its basin, 48 /
//! 39 / 1. So numbers in the highest window can be compared between rows of one table only: we do not know how the paper
//! minimised. The threshold is coarse as well: 95 / 172 / 1 of the
//! minima differ in energy, and over unordered pairs (0.6 of those is 0.85 of ours) 17 / 15 / 1 are left.

use crate::lab::{Lab, Report, converged_samples};
use crate::spread::over_runs;
use crate::states::{lowest_minimum, minima, perturbed, prior};
use crate::training::{Task, train};
use eqflow::io::Csv;
use eqflow::plot::{BLUE, GREEN, ORANGE, Plot, Series};
use eqflow::sampling::{ChainConfig, Estimate, Initial, State, sample_chains};
use eqflow::systems::{LJ13, Start};
use std::error::Error;

/// Two minima are the same within this distance of their sorted all-distance matrices.
const THRESHOLD: f64 = 0.6;
const STEP: f64 = 0.025;
const BURN_IN: usize = 20_000;
const NOISE: [f64; 3] = [0.1, 0.2, 0.4];
const WINDOWS: [(&str, f64, f64); 3] =
    [("(-70,-60)", -70.0, -60.0), ("(-80,-70)", -80.0, -70.0), ("below -80", f64::NEG_INFINITY, -80.0)];

/// One row: a name, and the counts of every round in each window.
struct Row {
    name: String,
    rounds: Vec<[f64; 3]>,
}

impl Row {
    fn new(name: impl Into<String>) -> Self {
        Row { name: name.into(), rounds: Vec::new() }
    }

    fn add(&mut self, samples: &[f64]) -> Result<(), Box<dyn Error>> {
        let found = minima(&LJ13, samples, THRESHOLD)?;
        self.rounds.push(WINDOWS.map(|(_, low, high)| count(&found, low, high)));
        Ok(())
    }

    fn mean(&self, window: usize) -> Estimate {
        over_runs(&self.rounds.iter().map(|counts| counts[window]).collect::<Vec<_>>())
    }

    /// The sum of the two higher windows.
    fn both(&self) -> Estimate {
        over_runs(&self.rounds.iter().map(|counts| counts[0] + counts[1]).collect::<Vec<_>>())
    }
}

fn count(found: &[State], low: f64, high: f64) -> f64 {
    found.iter().filter(|state| state.energy > low && state.energy < high).count() as f64
}

pub fn run(lab: &Lab) -> Result<Report, Box<dyn Error>> {
    let (rounds, samples) = (lab.budget(10, 2), samples(lab));
    let [short, long] = chains(lab, rounds)?;
    let lowest = lowest_minimum(&LJ13, lab.seed_of(81))?;
    let mut rows = rows(lab);
    let mut nll = Vec::new();
    for round in 0..rounds {
        let seed = |part: u64| lab.seed_of(800 + 10 * round as u64 + part);
        let size = samples * LJ13.shape.coordinates();
        let block = round * size..(round + 1) * size;
        let (data, drawn) = (&short[block.clone()], flow_samples(lab, &short[block.clone()], seed(0))?);
        rows[0].add(&drawn.0)?;
        nll.push(drawn.1);
        rows[1].add(data)?;
        rows[2].add(&long[block])?;
        rows[3].add(&prior(&LJ13, seed(2), samples))?;
        for (row, sigma) in rows[4..].iter_mut().zip(NOISE) {
            row.add(&perturbed(&LJ13, &lowest.x, sigma, seed(3), samples))?;
        }
    }
    let mut csv = Csv::new(&["source", "window", "mean", "standard_error", "rounds"]);
    for row in &rows {
        for (w, (window, ..)) in WINDOWS.iter().enumerate() {
            let mean = row.mean(w);
            csv.row(&[
                &format!("\"{}\"", row.name),
                &format!("\"{window}\""),
                &mean.value,
                &mean.standard_error,
                &rounds,
            ]);
        }
    }
    let mut files = vec![csv.write(&lab.out, "table1")?];
    files.extend(plot(&rows).write(&lab.out, "table1")?);
    Ok(Report { paragraph: paragraph(&rows, [rounds, samples], lowest.energy, &nll), files })
}

/// All rows without rounds; the order of [`run`].
fn rows(lab: &Lab) -> Vec<Row> {
    let names = [
        "flow trained on the short chain".to_string(),
        "short chain (training set)".to_string(),
        format!("long chain (thinned by {})", thinning(lab)),
        "untrained prior".to_string(),
    ];
    let noise = NOISE.map(|sigma| format!("global minimum + noise {sigma}"));
    names.into_iter().chain(noise).map(Row::new).collect()
}

/// Minimised samples of each row and round; the paper's are 1000.
fn samples(lab: &Lab) -> usize {
    lab.budget(1000, 150)
}

/// Steps between two samples of the long chain.
fn thinning(lab: &Lab) -> usize {
    lab.budget(10_000, 200)
}

/// For each round 1000 consecutive steps of a chain, and 1000 of a longer chain far apart.
fn chains(lab: &Lab, rounds: usize) -> Result<[Vec<f64>; 2], Box<dyn Error>> {
    let run = |thin, seed| {
        let config = ChainConfig {
            chains: rounds,
            burn_in: BURN_IN,
            thin,
            samples_per_chain: samples(lab),
            step_size: STEP,
            seed,
        };
        sample_chains(&LJ13.energy, LJ13.shape, &config, Initial::Prior { scale: 1.0 }, &|_| ())
    };
    Ok([run(1, lab.seed_of(82))?.samples, run(thinning(lab), lab.seed_of(83))?.samples])
}

/// Samples of a flow that is trained on `data`, and its converged NLL of the last tenth, which it was not trained on.
fn flow_samples(lab: &Lab, data: &[f64], seed: u64) -> Result<(Vec<f64>, f64), Box<dyn Error>> {
    let (train_set, held_out) = data.split_at(data.len() / 10 * 9);
    let task = Task {
        iterations: lab.budget(1_000, 60),
        learning_rate: 0.01,
        check_every: lab.budget(100, 30),
        start: Start::FlowMatching,
        ..Task::new(seed)
    };
    let flow = train(&LJ13, train_set, held_out, &task)?;
    Ok((converged_samples(&flow, seed.wrapping_add(1), samples(lab))?.samples, flow.likelihood.nll))
}

fn paragraph(rows: &[Row], [rounds, samples]: [usize; 2], lowest: f64, nll: &[f64]) -> String {
    let lines = rows.iter().map(|row| {
        let counts: Vec<String> = (0..3).map(|w| format!("{:.1}", row.mean(w))).collect();
        format!("{}: {}", row.name, counts.join(" / "))
    });
    format!(
        "Distinct minima of LJ-13 with energies in (-70,-60) / (-80,-70) / below -80 that {samples} minimised samples \
         lead to, mean and error of {rounds} rounds. {}. Global minimum {lowest:.4}. The flow finds {} in the first two \
         windows together, the untrained prior, which has learned nothing, {}. (NLL of the consecutive \
         samples that end each training chain: {:.1}; they are one configuration, not equilibrium, so the floor of \
         {:.1} does not apply.)",
        lines.collect::<Vec<_>>().join("; "),
        format_args!("{:.1}", rows[0].both()),
        format_args!("{:.1}", rows[3].both()),
        over_runs(nll),
        LJ13.floor.value
    )
}

fn plot(rows: &[Row]) -> Plot {
    let highest = rows.iter().map(|row| row.mean(0).value.max(row.mean(1).value)).fold(1.0, f64::max);
    let caption = "LJ-13: distinct minima after minimising samples";
    let names = ["1 flow  2 training set  3 long chain  4 prior  5-7 noise 0.1, 0.2, 0.4", "distinct minima"];
    let mut plot = Plot::new(caption, names, [0.5..rows.len() as f64 + 0.5, -1.0..1.35 * highest]);
    let finite = |error: f64| if error.is_finite() { error } else { 0.0 };
    for (w, color) in [ORANGE, BLUE, GREEN].into_iter().enumerate() {
        let points = rows.iter().enumerate().map(|(i, row)| {
            let mean = row.mean(w);
            (1.0 + i as f64 + 0.08 * (w as f64 - 1.0), mean.value, finite(mean.standard_error))
        });
        plot.series.push(Series::marks(WINDOWS[w].0, color, points.collect::<Vec<_>>()));
    }
    plot
}
