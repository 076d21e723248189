//! What the paper's recipe does to a likelihood, and what the trainer does about it (no figure of the paper).
//!
//! The recipe: maximum likelihood on a fixed grid of 20 steps, no penalty, trained to convergence on equilibrium samples
//! of DW-4. Its 20-step NLL falls below the entropy of the Boltzmann distribution, which no density can beat.

use crate::lab::{CONVERGED, Lab, Report};
use eqflow::flow::{Block, Config, Plan};
use eqflow::io::Csv;
use eqflow::plot::{BLUE, GREEN, GREY, ORANGE, Plot, Series};
use eqflow::sampling::{Estimate, ImportanceWeights, draw_samples, energies, independent_mean};
use eqflow::systems::{DW4, GRID_STEPS};
use eqflow::train::{
    Check, Likelihood, Parameters, Penalties, Schedule, TrainConfig, Trainer, Verdict, likelihood,
};
use std::error::Error;
use std::ops::ControlFlow;

/// Samples for the effective sample size.
const DRAWN: usize = 2_000;
/// Upper end of the picture, at which curves are cut off.
const HIGHEST: f64 = 16.0;

/// A check and the flow's effective sample size at it, as a fraction.
struct Point {
    verdict: Verdict,
    effective_fraction: Option<f64>,
}

pub fn run(lab: &Lab) -> Result<Report, Box<dyn Error>> {
    let train = DW4.equilibrium(lab.budget(10_000, 2_000), lab.seed_of(121))?.samples;
    let held_out = DW4.equilibrium(lab.budget(1_000, 500), lab.seed_of(122))?.samples;
    let test = DW4.equilibrium(lab.budget(4_000, 1_000), lab.seed_of(123))?.samples;
    let start = |gap_tolerance| {
        let recipe = as_published(lab, gap_tolerance);
        Trainer::<f32>::new(recipe, DW4.functions(), &train, &held_out)
    };
    let (mut unchecked, mut checked) =
        (start(f64::INFINITY)?, start(TrainConfig::default().check.gap_tolerance)?);
    let [without, with] = [follow(lab, &mut unchecked)?, follow(lab, &mut checked)?];

    let runs = [("unchecked", &without.points[..]), ("checked", &with.points[..])];
    let mut files = vec![table(&runs).write(&lab.out, "honesty")?];
    files.extend(plot(&without.points, &with.points).write(&lab.out, "honesty")?);
    Ok(Report { paragraph: paragraph(&without, &with, &checked, &test, lab)?, files })
}

/// Our reading of the paper's recipe: no penalty, the same grid in every iteration, a constant rate, decay 0.01. Clipped
/// gradients keep it from being thrown back where the field has become stiff.
fn as_published(lab: &Lab, gap_tolerance: f64) -> TrainConfig {
    let defaults = TrainConfig::default();
    let mut optimizer = defaults.optimizer.clone();
    optimizer.decay = [0.01; 7];
    optimizer.clip_norm = 5.0;
    TrainConfig {
        iterations: lab.budget(6_000, 1_500),
        learning_rate: 0.005,
        schedule: Schedule::Constant,
        optimizer,
        penalties: Penalties::default(),
        steps: GRID_STEPS,
        grid_jitter: 0.0,
        check: Check { every: lab.budget(200, 100), gap_tolerance, patience: 0 },
        seed: lab.seed_of(124),
        ..defaults
    }
}

/// What came of a run.
struct Course {
    points: Vec<Point>,
    /// The flow that one who trusts the 20-step likelihood of the held-out samples would choose.
    chosen: Parameters,
}

/// Trains to the end; looks at the flow at every check.
fn follow(lab: &Lab, trainer: &mut Trainer<f32>) -> Result<Course, Box<dyn Error>> {
    let (mut points, mut chosen, mut lowest) = (Vec::new(), trainer.parameters().clone(), f64::INFINITY);
    loop {
        let mut checked = None;
        let outcome = trainer.run(|progress| {
            checked = progress.verdict.copied();
            if checked.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        if outcome.is_continue() {
            return Ok(Course { points, chosen });
        }
        // What was refused is thrown away: there is no flow to draw from.
        let verdict = checked.ok_or("a break without a check")?;
        let effective_fraction =
            if verdict.certified { effective_fraction(lab, trainer.parameters()).ok() } else { None };
        if let Some(likelihood) = verdict.likelihood.filter(|l| verdict.certified && l.grid_nll < lowest) {
            lowest = likelihood.grid_nll;
            chosen = trainer.parameters().clone();
        }
        points.push(Point { verdict, effective_fraction });
    }
}

/// Kish's effective sample size of reweighted, converged samples, as a fraction.
fn effective_fraction(lab: &Lab, parameters: &Parameters) -> Result<f64, Box<dyn Error>> {
    let plan: Plan<f64, Vec<Block>> = parameters.with_model(|model| Plan::allocate(model, &CONVERGED))?;
    let drawn = draw_samples(&plan, lab.seed_of(125), DRAWN, &|_| ())?;
    let u = energies(&DW4.energy, DW4.shape, &drawn.samples)?;
    Ok(ImportanceWeights::from_densities(&u, &drawn.log_probs)?.effective_fraction())
}

/// NLL by the grid alone, with its own standard error.
fn grid_nll(parameters: &Parameters, samples: &[f64]) -> Result<Estimate, Box<dyn Error>> {
    let plan: Plan<f64, Vec<Block>> =
        parameters.with_model(|model| Plan::allocate(model, &Config::rk4(GRID_STEPS)))?;
    let mut log_prob = vec![0.0; samples.len() / DW4.shape.coordinates()];
    let mut work = plan.allocate_workspace(log_prob.len())?;
    plan.log_prob(samples, &mut log_prob, None, &mut work)?;
    Ok(independent_mean(&log_prob.iter().map(|p| -p).collect::<Vec<_>>())?)
}

fn table(runs: &[(&str, &[Point])]) -> Csv {
    let mut csv = Csv::new(&[
        "recipe",
        "iteration",
        "grid_nll",
        "nll",
        "standard_error",
        "effective_fraction",
        "certified",
        "step_error_penalty",
    ]);
    for (recipe, points) in runs {
        for Point { verdict, effective_fraction } in *points {
            let likelihood =
                |value: fn(&Likelihood) -> f64| verdict.likelihood.as_ref().map_or(f64::NAN, value);
            csv.row(&[
                recipe,
                &verdict.iteration,
                &likelihood(|l| l.grid_nll),
                &likelihood(|l| l.nll),
                &likelihood(|l| l.standard_error),
                &effective_fraction.unwrap_or(f64::NAN),
                &verdict.certified,
                &verdict.penalties.step_error,
            ]);
        }
    }
    csv
}

fn paragraph(
    without: &Course,
    with: &Course,
    checked: &Trainer<f32>,
    test: &[f64],
    lab: &Lab,
) -> Result<String, Box<dyn Error>> {
    let floor = DW4.floor.value;
    let grid = grid_nll(&without.chosen, test)?;
    let cheat = likelihood(&without.chosen, test, GRID_STEPS)?;
    let percent = |parameters| effective_fraction(lab, parameters).map(|fraction| 100.0 * fraction);
    let refused = with.points.iter().filter(|point| !point.verdict.certified).count();
    let (parameters, _) = checked.best()?;
    let best = likelihood(parameters, test, GRID_STEPS)?;
    let penalty = with.points.last().map_or(0.0, |point| point.verdict.penalties.step_error);
    Ok(format!(
        "DW-4 by the recipe without checks, {} minibatches: the flow with the best {GRID_STEPS}-step NLL of the held-out \
         samples has test NLL {grid:.2} by {GRID_STEPS} steps, {:.1} standard errors below the floor {floor} that no \
         density can beat, {:.2} +- {:.2} converged, and an effective sample size of {:.1} %. With the trainer's check \
         (tolerance {} nats) {refused} of {} checks were refused and the penalty on step errors rose from 0 to {penalty}; \
         the best certified flow has test NLL {:.3} +- {:.3} converged, {:.3} by {GRID_STEPS} steps, and an effective \
         sample size of {:.0} %.",
        checked.iteration(),
        (floor - grid.value) / grid.standard_error,
        cheat.nll,
        cheat.standard_error,
        percent(&without.chosen)?,
        checked.config().check.gap_tolerance,
        with.points.len(),
        best.nll,
        best.standard_error,
        best.grid_nll,
        percent(parameters)?
    ))
}

fn plot(without: &[Point], with: &[Point]) -> Plot {
    let curve = |points: &[Point], value: fn(&Likelihood) -> f64| -> Vec<(f64, f64)> {
        let point = |p: &Point| p.verdict.likelihood.as_ref().map(|l| (p.verdict.iteration as f64, value(l)));
        points.iter().filter_map(point).collect()
    };
    let grid = curve(without, |l| l.grid_nll.min(HIGHEST));
    let lowest = grid.iter().map(|&(_, nll)| nll).fold(DW4.floor.value, f64::min);
    let last = grid.last().map_or(1.0, |&(iteration, _)| iteration);
    let ranges = [0.0..1.02 * last, lowest - 0.5..HIGHEST];
    let mut plot = Plot::new(
        "DW-4: what a grid of 20 steps lets an optimiser claim",
        ["minibatches", "NLL / nats"],
        ranges,
    );
    let certified = with.iter().filter(|point| point.verdict.certified).filter_map(|point| {
        point.verdict.likelihood.map(|l| (point.verdict.iteration as f64, l.nll, l.standard_error))
    });
    plot.series = vec![
        Series::line(
            "floor: entropy of the Boltzmann distribution",
            GREY,
            [(0.0, DW4.floor.value), (1.02 * last, DW4.floor.value)],
        ),
        Series::line("no check: 20 steps", ORANGE, grid),
        Series::line(
            &format!("no check: converged (cut off at {HIGHEST})"),
            BLUE,
            curve(without, |l| l.nll.min(HIGHEST)),
        ),
        Series::marks("checked: certified, converged", GREEN, certified),
    ];
    plot.legend = plotters::prelude::SeriesLabelPosition::UpperLeft;
    plot
}
