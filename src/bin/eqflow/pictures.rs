//! The pictures that several commands draw.

use eqflow::flow::{Block, Config, Model, Plan};
use eqflow::plot::{BLUE, Colour, GREY, Map, ORANGE, Plot, Series};
use eqflow::sampling::{Estimate, Histogram};
use eqflow::train::Verdict;
use std::error::Error;
use std::ops::Range;
use std::path::{Path, PathBuf};

type Files = Result<Vec<PathBuf>, Box<dyn Error>>;

/// The value below which `fraction` of the finite `values` lie; the weights, where there are any, count them.
pub fn quantile(values: &[f64], weights: Option<&[f64]>, fraction: f64) -> f64 {
    let mut order: Vec<(f64, f64)> = values
        .iter()
        .enumerate()
        .map(|(i, &value)| (value, weights.map_or(1.0, |weights| weights[i])))
        .filter(|(value, _)| value.is_finite())
        .collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0));
    let total: f64 = order.iter().map(|(_, weight)| weight).sum();
    let mut below = 0.0;
    for (value, weight) in &order {
        below += weight;
        if below >= fraction * total {
            return *value;
        }
    }
    order.last().map_or(f64::NAN, |(value, _)| *value)
}

/// One curve of a histogram: its name, colour, values and weights.
pub type Sample<'a> = (&'a str, Colour, &'a [f64], Option<&'a [f64]>);

/// Energy densities over the range that matters to the last of them.
pub fn energies(folder: &Path, caption: &str, samples: &[Sample<'_>]) -> Files {
    let Some((_, _, values, weights)) = samples.last() else { return Ok(Vec::new()) };
    let (low, middle) = (quantile(values, *weights, 0.001), quantile(values, *weights, 0.5));
    let high = quantile(values, *weights, 0.999).max(2.0 * middle - low);
    if low >= high {
        return Ok(Vec::new());
    }
    let margin = 0.12 * (high - low);
    let range = low - margin..high + 3.0 * margin;
    let edges = Histogram::linear_edges(range.start, range.end, 72)?;
    let mut series = Vec::new();
    let mut highest = 0.0_f64;
    for (name, colour, values, weights) in samples {
        let histogram = Histogram::new(values, *weights, &edges)?;
        highest = histogram.density().iter().fold(highest, |a, &b| a.max(b));
        series.push(Series::steps(name, *colour, &edges, histogram.density()));
    }
    let mut plot = Plot::new(caption, ["energy u / kT", "probability density"], [range, 0.0..1.08 * highest]);
    plot.series = series;
    Ok(plot.write(folder, "energies")?)
}

/// A free-energy profile with error bars, and what the samples show without weights.
pub fn profile(folder: &Path, axis: &str, edges: &[f64], found: &[Estimate], raw: Option<&[f64]>) -> Files {
    let finite =
        |values: &mut dyn Iterator<Item = f64>| -> Vec<f64> { values.filter(|v| v.is_finite()).collect() };
    let values = finite(&mut found.iter().map(|f| f.value));
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max).min(low + 12.0);
    if !low.is_finite() {
        return Ok(Vec::new());
    }
    let ranges: [Range<f64>; 2] = [edges[0]..edges[edges.len() - 1], low - 0.6..high + 0.3 * (high - low)];
    let mut plot = Plot::new(&format!("Free energy along the {axis}"), [axis, "-log p / kT"], ranges);
    let middles = || edges.windows(2).map(|edge| 0.5 * (edge[0] + edge[1]));
    if let Some(raw) = raw {
        plot.series.push(Series::line("samples as they are", ORANGE, middles().zip(raw.iter().copied())));
    }
    // An error of several kT says nothing but that there is no sample.
    let marks = middles().zip(found).filter(|(_, f)| f.standard_error < 2.0);
    let name = if raw.is_some() { "reweighted" } else { "samples" };
    plot.series.push(Series::marks(name, BLUE, marks.map(|(x, f)| (x, f.value, f.standard_error))));
    Ok(plot.write(folder, "profile")?)
}

/// Held-out NLL at every check, converged and by the grid, with the floor where it is known.
pub fn training(folder: &Path, verdicts: &[Verdict], steps: usize, floor: Option<f64>) -> Files {
    let checked: Vec<_> =
        verdicts.iter().filter_map(|v| v.likelihood.map(|l| (v.iteration as f64, l))).collect();
    let Some((last, _)) = checked.last() else { return Ok(Vec::new()) };
    let all =
        || checked.iter().map(|(_, l)| l.nll).chain(checked.iter().map(|(_, l)| l.grid_nll)).chain(floor);
    let low = all().fold(f64::INFINITY, f64::min);
    // The start may lie far above everything else.
    let rest: Vec<f64> = checked.iter().skip(1).map(|(_, l)| l.nll).collect();
    let high = if rest.is_empty() { all().fold(low, f64::max) } else { quantile(&rest, None, 0.98) };
    let margin = (0.15 * (high - low)).max(0.05);
    let ranges = [0.0..last.max(1.0), low - margin..high + 2.0 * margin];
    let caption = "Held-out negative log-likelihood while training";
    let mut plot = Plot::new(caption, ["minibatches", "NLL / nats"], ranges);
    plot.series = vec![
        Series::line("converged", BLUE, checked.iter().map(|(i, l)| (*i, l.nll))),
        Series::line(&format!("{steps} RK4 steps"), ORANGE, checked.iter().map(|(i, l)| (*i, l.grid_nll))),
    ];
    if let Some(floor) = floor {
        plot.series.push(Series::line("floor: entropy of the target", GREY, [(0.0, floor), (*last, floor)]));
    }
    Ok(plot.write(folder, "training")?)
}

/// phi(d, t) as a map: red where particles at that distance are driven apart, blue where they are drawn together.
pub fn field(folder: &Path, model: &Model<'_>) -> Files {
    const COLUMNS: usize = 180;
    const ROWS: usize = 100;
    let longest = model.mu.iter().fold(0.0, f64::max);
    let plan: Plan<f64, Vec<Block>> = Plan::allocate(model, &Config::dopri5(1e-6, 1e-6))?;
    let d: Vec<f64> = (0..COLUMNS).map(|i| longest * (i as f64 + 0.5) / COLUMNS as f64).collect();
    let mut values = vec![0.0; ROWS * COLUMNS];
    for (row, phi) in values.chunks_exact_mut(COLUMNS).enumerate() {
        plan.radial((row as f64 + 0.5) / ROWS as f64, &d, phi, None)?;
    }
    // Where no two particles come, phi may be anything.
    let magnitudes: Vec<f64> = values.iter().map(|value| value.abs()).collect();
    let largest = quantile(&magnitudes, None, 0.88).max(f64::MIN_POSITIVE);
    let map = Map {
        caption: "Radial function of the field".into(),
        axes: ["distance d".into(), "time t".into()],
        ranges: [0.0..longest, 0.0..1.0],
        value: "phi(d, t)".into(),
        columns: COLUMNS,
        values,
        largest,
    };
    Ok(map.write(folder, "phi")?)
}
