//! Figures 6c and 10a: energies of samples, as they are and reweighted, of a flow trained by maximum likelihood and of
//! one trained by its energy too.
//!
//! The second loss ends as the even mixture of maximum likelihood and reverse Kullback-Leibler divergence.

use crate::lab::{Assignment, Lab, Report, converged_samples};
use crate::training::{Task, Trained, train};
use eqflow::io::Csv;
use eqflow::plot::{BLUE, GREEN, GREY, ORANGE, Plot, RED, Series};
use eqflow::sampling::{Estimate, Histogram, ImportanceWeights, chain_mean, energies};
use eqflow::systems::{DW4, GRID_STEPS, LJ13, Start, System};
use eqflow::train::{KlGradient, Likelihood, Mixture, likelihood};
use std::error::Error;
use std::ops::Range;

/// The energy gains weight when the data have been learned.
const BY_ENERGY: Mixture = Mixture { lambda: 0.5, ramp: [0.3, 0.8], gradient: KlGradient::Total };

/// How much of it is done.
struct Budget {
    test: usize,
    samples: usize,
    range: Range<f64>,
}

/// A trained flow's samples.
struct Drawn {
    energies: Vec<f64>,
    weights: Vec<f64>,
    /// By the weights.
    mean_energy: Estimate,
    /// Kish's, in percent.
    effective: Estimate,
    quality: Likelihood,
}

pub fn dw4(lab: &Lab) -> Result<Report, Box<dyn Error>> {
    let Assignment { train_set, held_out, task } = lab.dw4_assignment()?;
    let mixed = by_energy(&DW4, &train_set, &held_out, &task)?;
    let budget =
        Budget { test: lab.budget(20_000, 4_000), samples: lab.budget(100_000, 20_000), range: -27.0..-9.0 };
    let likely = lab.dw4()?;
    experiment(lab, &DW4, &likely, &mixed, &budget, "fig6c")
}

pub fn lj13(lab: &Lab) -> Result<Report, Box<dyn Error>> {
    let data = LJ13.equilibrium(lab.budget(10_000, 1_000), lab.seed_of(101))?.samples;
    // By whole chains: what is held out is independent of the rest.
    let (data, held_out) = data.split_at(data.len() / 10 * 9);
    let task = Task {
        iterations: lab.budget(2_000, 150),
        learning_rate: 0.01,
        check_every: lab.budget(200, 50),
        start: Start::FlowMatching,
        ..Task::new(lab.seed_of(102))
    };
    let likely = train(&LJ13, data, held_out, &task)?;
    let mixed = by_energy(&LJ13, data, held_out, &task)?;
    let budget =
        Budget { test: lab.budget(10_000, 400), samples: lab.budget(50_000, 3_000), range: -68.0..12.0 };
    experiment(lab, &LJ13, &likely, &mixed, &budget, "fig10a")
}

/// A flow that is trained by its energy too: the one that training ends with, not the likeliest on its way.
fn by_energy(
    system: &System,
    data: &[f64],
    held_out: &[f64],
    task: &Task,
) -> Result<Trained, Box<dyn Error>> {
    let trained = train(system, data, held_out, &Task { mixture: BY_ENERGY, ..*task })?;
    Ok(Trained { parameters: trained.last.clone(), ..trained })
}

fn experiment(
    lab: &Lab,
    system: &System,
    likely: &Trained,
    mixed: &Trained,
    budget: &Budget,
    name: &str,
) -> Result<Report, Box<dyn Error>> {
    let test = system.equilibrium(budget.test, lab.seed_of(61))?;
    let [likely, mixed] = [(likely, 62), (mixed, 64)].map(|(flow, part)| -> Result<_, Box<dyn Error>> {
        draw(system, flow, &test.samples, budget.samples, lab.seed_of(part))
    });
    let (likely, mixed) = (likely?, mixed?);

    let edges = Histogram::linear_edges(budget.range.start, budget.range.end, 72)?;
    let of = |values: &[f64], weights| Histogram::new(values, weights, &edges);
    let histograms = [
        ("Metropolis", GREY, of(&test.energies, None)?),
        ("flow", ORANGE, of(&likely.energies, None)?),
        ("flow, reweighted", BLUE, of(&likely.energies, Some(&likely.weights))?),
        ("flow by energy too", RED, of(&mixed.energies, None)?),
        ("flow by energy too, reweighted", GREEN, of(&mixed.energies, Some(&mixed.weights))?),
    ];
    let mut csv = Csv::new(&["set", "u", "density", "standard_error"]);
    for (name, _, histogram) in &histograms {
        let values = histogram.density().iter().zip(histogram.standard_error());
        for (u, (density, error)) in histogram.centers().iter().zip(values) {
            csv.row(&[&format!("\"{name}\""), u, density, error]);
        }
    }
    let mut files = vec![csv.write(&lab.out, name)?];
    files.extend(plot(system, &histograms, budget.range.clone()).write(&lab.out, name)?);
    let chains = chain_mean(&test.energies, system.chains_of(budget.test))?;
    let paragraph = format!(
        "Mean energy of {}: {chains:.3} by Metropolis chains, {:.3} known. Trained by maximum likelihood, {}; trained by \
         its energy too, {}. Floor of the NLL {:.3}, prior {:.3}.",
        system.name,
        system.mean_energy,
        describe(&likely),
        describe(&mixed),
        system.floor,
        system.prior_nll
    );
    Ok(Report { paragraph, files })
}

fn draw(
    system: &System,
    flow: &Trained,
    test: &[f64],
    samples: usize,
    seed: u64,
) -> Result<Drawn, Box<dyn Error>> {
    let drawn = converged_samples(flow, seed, samples)?;
    let u = energies(&system.energy, system.shape, &drawn.samples)?;
    let weights = ImportanceWeights::from_densities(&u, &drawn.log_probs)?;
    let bootstrap = weights.bootstrap(200, seed)?;
    let Estimate { value, standard_error } = bootstrap.effective_fraction();
    Ok(Drawn {
        weights: weights.normalized(),
        mean_energy: bootstrap.expectation(&u)?,
        effective: Estimate { value: 100.0 * value, standard_error: 100.0 * standard_error },
        quality: likelihood(&flow.parameters, test, GRID_STEPS)?,
        energies: u,
    })
}

/// Its energies in words. As they are a median: overlapping particles would rule the mean.
fn describe(drawn: &Drawn) -> String {
    let mut sorted = drawn.energies.clone();
    sorted.sort_by(f64::total_cmp);
    let Likelihood { nll, standard_error, grid_nll, .. } = drawn.quality;
    format!(
        "median {:.3} as it is and mean {:.3} reweighted, effective sample size {:.2} %, test NLL {nll:.4} +- \
         {standard_error:.4} converged, {grid_nll:.4} by {GRID_STEPS} steps",
        sorted[sorted.len() / 2],
        drawn.mean_energy,
        drawn.effective
    )
}

fn plot(
    system: &System,
    histograms: &[(&str, plotters::prelude::RGBColor, Histogram)],
    range: Range<f64>,
) -> Plot {
    let highest = histograms.iter().flat_map(|(_, _, h)| h.density()).fold(0.0_f64, |a, &b| a.max(b));
    let caption = format!("{}: energies of samples, raw and reweighted", system.name);
    let names = ["energy u / kT", "probability density"];
    let mut plot = Plot::new(&caption, names, [range, 0.0..1.08 * highest]);
    for (name, color, histogram) in histograms {
        plot.series.push(Series::steps(name, *color, histogram.edges(), histogram.density()));
    }
    plot
}
