//! Figure 4: discretise, then optimise (DTO: 20 RK4 steps and their exact adjoint) against optimise, then discretise
//! (OTD: Dormand-Prince steps and the continuous adjoint), on DW-4: likelihoods and evaluations of the field over
//! training.
//!
//! The recipe is the paper's: from the identity, a grid that does not move, no penalty, and nothing is refused. So nothing
//! keeps either gradient from fields that 20 steps cannot follow; what each makes of that is the point.

use crate::lab::{Lab, Report};
use crate::spread::over_runs;
use crate::training::{Task, config};
use eqflow::io::Csv;
use eqflow::plot::{BLUE, GREY, ORANGE, Plot, Series};
use eqflow::sampling::Estimate;
use eqflow::systems::DW4;
use eqflow::train::{Adjoint, Check, Continuous, Evaluations, Likelihood, Penalties, TrainConfig, Trainer};
use plotters::style::RGBColor;
use std::error::Error;
use std::ops::ControlFlow;

/// What is compared: a name, the adjoint, and the colours of the converged likelihood and of that by 20 steps.
struct Method {
    name: &'static str,
    adjoint: Adjoint,
    colors: [RGBColor; 2],
}

fn methods() -> [Method; 2] {
    let pale_orange = RGBColor(240, 180, 120);
    let pale_blue = RGBColor(140, 190, 235);
    let paper = Adjoint::Continuous(Continuous::default());
    [
        Method { name: "DTO", adjoint: Adjoint::Discrete, colors: [ORANGE, pale_orange] },
        Method { name: "OTD", adjoint: paper, colors: [BLUE, pale_blue] },
    ]
}

/// One check of one run.
struct Point {
    iteration: usize,
    /// `None` where the field is too stiff to converge: the trainer has gone back then.
    likelihood: Option<Likelihood>,
    /// Mean a minibatch since the check before.
    forward: f64,
    backward: f64,
}

/// A method and the checks of its runs.
type Row = (Method, Vec<Vec<Point>>);

pub fn run(lab: &Lab) -> Result<Report, Box<dyn Error>> {
    let (iterations, runs) = (lab.budget(3_000, 250), lab.budget(5, 2));
    let test = DW4.equilibrium(lab.budget(4_000, 500), lab.seed_of(42))?.samples;
    let mut results: Vec<Row> = methods().into_iter().map(|method| (method, Vec::new())).collect();
    for run in 0..runs as u64 {
        // The runs differ in data and minibatches; the methods do not.
        let data =
            DW4.equilibrium(lab.budget(10_000, 1_000), lab.seed_of(43).wrapping_add(1_000_000 * run))?;
        let seed = lab.seed_of(41).wrapping_add(1_000_000 * run);
        let task = Task { iterations, check_every: iterations / 10, ..Task::new(seed) };
        for (method, curves) in &mut results {
            curves.push(curve(method, &task, &data.samples, &test)?);
        }
    }
    let mut files = vec![csv(&results).write(&lab.out, "fig4")?];
    files.extend(likelihood_plot(&results, iterations).write(&lab.out, "fig4")?);
    files.extend(evaluation_plot(&results, iterations).write(&lab.out, "fig4-evaluations")?);
    Ok(Report { paragraph: paragraph(&results, iterations), files })
}

/// Trains and keeps every check.
fn curve(method: &Method, task: &Task, data: &[f64], test: &[f64]) -> Result<Vec<Point>, Box<dyn Error>> {
    let config = TrainConfig {
        adjoint: method.adjoint,
        penalties: Penalties::default(),
        grid_jitter: 0.0,
        check: Check { every: task.check_every, gap_tolerance: f64::INFINITY, patience: 0 },
        ..config(&DW4, task)
    };
    let mut trainer = Trainer::<f32>::new(config, DW4.functions(), data, test)?;
    let (mut points, mut sum, mut count) = (Vec::new(), Evaluations::default(), 0);
    let _ = trainer.run(|progress| {
        sum.forward += progress.evaluations.forward;
        sum.backward += progress.evaluations.backward;
        count += 1;
        if let Some(verdict) = progress.verdict {
            points.push(Point {
                iteration: progress.iteration,
                likelihood: verdict.likelihood,
                forward: sum.forward as f64 / f64::from(count),
                backward: sum.backward as f64 / f64::from(count),
            });
            (sum, count) = (Evaluations::default(), 0);
        }
        ControlFlow::Continue(())
    })?;
    Ok(points)
}

fn csv(results: &[Row]) -> Csv {
    let mut csv = Csv::new(&[
        "method",
        "run",
        "iteration",
        "nll",
        "standard_error",
        "grid_nll",
        "mean_absolute_gap",
        "forward_evaluations",
        "backward_evaluations",
    ]);
    for (method, curves) in results {
        for (run, curve) in curves.iter().enumerate() {
            for point in curve {
                let [nll, error, grid, gap] = point
                    .likelihood
                    .map_or([f64::NAN; 4], |l| [l.nll, l.standard_error, l.grid_nll, l.mean_absolute_gap]);
                let Point { iteration, forward, backward, .. } = point;
                csv.row(&[&method.name, &run, iteration, &nll, &error, &grid, &gap, forward, backward]);
            }
        }
    }
    csv
}

/// At each check the mean over the runs that have a value, and their standard deviation.
fn spread(
    curves: &[Vec<Point>],
    every: usize,
    value: impl Fn(&Point) -> Option<f64>,
) -> Vec<(f64, f64, f64)> {
    let mut points = Vec::new();
    for check in 1..=10 {
        let at = check * every;
        let of_run = |curve: &Vec<Point>| curve.iter().find(|p| p.iteration == at).and_then(&value);
        let values: Vec<f64> = curves.iter().filter_map(of_run).collect();
        if !values.is_empty() {
            let mean = over_runs(&values);
            let deviation = mean.standard_error * (values.len() as f64).sqrt();
            let deviation = if deviation.is_finite() { deviation } else { 0.0 };
            points.push((at as f64, mean.value, deviation));
        }
    }
    points
}

/// A line through the means, and the spread over the runs, moved aside by `shift`: curves may lie on each other.
fn curve_with_spread(plot: &mut Plot, name: &str, color: RGBColor, shift: f64, points: &[(f64, f64, f64)]) {
    let moved = points.iter().map(|&(x, y, spread)| (x + shift, y, spread));
    plot.series.push(Series::line("", color, moved.clone().map(|(x, y, _)| (x, y))));
    plot.series.push(Series::marks(name, color, moved));
}

fn likelihood_plot(results: &[Row], iterations: usize) -> Plot {
    let every = iterations / 10;
    let of = |curves: &[Vec<Point>], value: fn(&Likelihood) -> f64| {
        spread(curves, every, |point| point.likelihood.as_ref().map(value))
    };
    let curves: Vec<_> = results
        .iter()
        .flat_map(|(method, curves)| {
            let [converged, grid] = method.colors;
            let name = method.name;
            [
                (format!("{name}, converged"), converged, of(curves, |l| l.nll)),
                (format!("{name}, by 20 steps"), grid, of(curves, |l| l.grid_nll)),
            ]
        })
        .collect();
    let ends = |end: fn(f64, f64) -> f64, start: f64| {
        curves.iter().flat_map(|(_, _, points)| points).map(|&(_, nll, _)| nll).fold(start, end)
    };
    let low = ends(f64::min, DW4.floor.value) - 0.5;
    let high = ends(f64::max, DW4.floor.value).min(DW4.prior_nll) + 1.0;
    let caption = "DW-4: NLL over training, mean and standard deviation over the runs";
    let range = [0.0..1.08 * iterations as f64, low..high];
    let mut plot = Plot::new(caption, ["minibatches (curves moved aside)", "test NLL / nats"], range.clone());
    let floor = [(range[0].start, DW4.floor.value), (range[0].end, DW4.floor.value)];
    plot.series.push(Series::line("floor: entropy of the Boltzmann distribution", GREY, floor));
    for (k, (name, color, points)) in curves.iter().enumerate() {
        let shift = ASIDE * k as f64 * every as f64;
        curve_with_spread(&mut plot, name, *color, shift, points);
    }
    plot
}

/// How far a curve is moved aside of the one before, in distances between checks.
const ASIDE: f64 = 0.12;

fn evaluation_plot(results: &[Row], iterations: usize) -> Plot {
    let all =
        |(_, curves): &Row| curves.iter().flatten().map(|p| p.forward.max(p.backward)).fold(0.0, f64::max);
    let most = results.iter().map(all).fold(0.0, f64::max);
    let caption = "DW-4: evaluations of the field a minibatch, over training";
    let names = ["minibatches (curves moved aside)", "evaluations"];
    let mut plot = Plot::new(caption, names, [0.0..1.08 * iterations as f64, 0.0..1.4 * most]);
    let every = iterations / 10;
    for (k, (method, curves)) in results.iter().enumerate() {
        let of = |value: fn(&Point) -> f64| spread(curves, every, |point| Some(value(point)));
        let [there, back] = method.colors;
        let name = method.name;
        let shift = |j: usize| ASIDE * (2 * k + j) as f64 * every as f64;
        curve_with_spread(&mut plot, &format!("{name}, forward"), there, shift(0), &of(|p| p.forward));
        curve_with_spread(&mut plot, &format!("{name}, backward"), back, shift(1), &of(|p| p.backward));
    }
    plot
}

fn paragraph(results: &[Row], iterations: usize) -> String {
    let tolerance = TrainConfig::default().check.gap_tolerance;
    let methods = results.iter().map(|(method, curves)| {
        let name = method.name;
        let last: Vec<Likelihood> =
            curves.iter().filter_map(|curve| curve.last().and_then(|point| point.likelihood)).collect();
        let mean = |value: fn(&Likelihood) -> f64| over_runs(&last.iter().map(value).collect::<Vec<_>>());
        let passed = last.iter().filter(|l| l.gap().abs() <= tolerance).count();
        let refused = curves.iter().flatten().filter(|point| point.likelihood.is_none()).count();
        let [first_there, first_back, there, back] = evaluations(curves);
        format!(
            "{name}: NLL {:.3} converged, {:.3} by 20 steps; converged - 20-step {:.4}, within {tolerance} (what the \
             trainer certifies) in {passed} of {} runs, with {refused} checks or minibatches that did not converge; \
             evaluations a minibatch {first_there:.0} forward and {first_back:.0} backward in the first tenth, \
             {there:.0} and {back:.0} in the last.",
            mean(|l| l.nll),
            mean(|l| l.grid_nll),
            mean(Likelihood::gap),
            curves.len(),
        )
    });
    format!(
        "DW-4 after {iterations} minibatches, mean over the runs with its error. {} Floor {}, prior {:.3}. DTO's are \
         those of its grid, and going back it evaluates only transposes; OTD's include the velocity that is solved back.",
        methods.collect::<Vec<_>>().join(" "),
        DW4.floor,
        DW4.prior_nll
    )
}

/// Mean over the runs of forward and backward evaluations since the beginning and before the end.
fn evaluations(curves: &[Vec<Point>]) -> [f64; 4] {
    let mean = |value: &dyn Fn(&Vec<Point>) -> Option<f64>| {
        let values: Vec<f64> = curves.iter().filter_map(value).collect();
        let Estimate { value, .. } = over_runs(&values);
        value
    };
    [
        mean(&|curve| curve.first().map(|p| p.forward)),
        mean(&|curve| curve.first().map(|p| p.backward)),
        mean(&|curve| curve.last().map(|p| p.forward)),
        mean(&|curve| curve.last().map(|p| p.backward)),
    ]
}
