//! Figures 5 and 8: the likelihood of kernel flows against the number of training samples.
//!
//! As in the paper every flow starts at the identity. Training stops early on the converged likelihood of validation
//! samples that are never trained on; what is shown is that of a further test set.

use crate::lab::{Lab, Report};
use crate::spread::over_runs;
use crate::training::{Task, Trained, train};
use eqflow::io::Csv;
use eqflow::plot::{BLUE, GREEN, GREY, ORANGE, Plot, Series};
use eqflow::sampling::{Estimate, chain_mean};
use eqflow::systems::{DW4, GRID_STEPS, LJ13, System};
use eqflow::train::{Likelihood, likelihood};
use std::error::Error;

/// How much of it is done.
struct Budget {
    sizes: &'static [usize],
    runs: usize,
    validation: usize,
    test: usize,
    task: Task,
}

pub fn dw4(lab: &Lab) -> Result<Report, Box<dyn Error>> {
    let task = Task { iterations: lab.budget(3_000, 300), ..Task::new(lab.seed_of(51)) };
    let budget = Budget {
        sizes: lab.budget(&[10, 100, 1000, 10_000], &[10, 100, 1000]),
        runs: lab.budget(5, 2),
        validation: lab.budget(1_000, 500),
        test: lab.budget(10_000, 1_000),
        task: Task { check_every: lab.budget(250, 100), ..task },
    };
    experiment(lab, &DW4, &budget, "fig5-dw4")
}

pub fn lj13(lab: &Lab) -> Result<Report, Box<dyn Error>> {
    let task = Task {
        iterations: lab.budget(1_500, 100),
        learning_rate: 0.01,
        check_every: lab.budget(250, 50),
        ..Task::new(lab.seed_of(52))
    };
    let budget = Budget {
        sizes: lab.budget(&[10, 100, 1000, 10_000], &[10, 100]),
        runs: lab.budget(5, 2),
        validation: lab.budget(500, 50),
        test: lab.budget(5_000, 100),
        task,
    };
    experiment(lab, &LJ13, &budget, "fig5-lj13")
}

/// What came of one run.
struct Run {
    train: Likelihood,
    test: Likelihood,
    /// Of the parameters after the last iteration, which early stopping need not have kept; `None` where they are too
    /// stiff to integrate.
    last: Option<Likelihood>,
}

fn experiment(lab: &Lab, system: &System, budget: &Budget, name: &str) -> Result<Report, Box<dyn Error>> {
    let coordinates = system.shape.coordinates();
    let largest = budget.sizes.iter().copied().max().unwrap_or(1);
    // Every run has samples of its own; a smaller set is the beginning of a larger one, shuffled over the chains.
    let pool = system.equilibrium(largest * budget.runs, lab.seed_of(53))?;
    let energy = chain_mean(&pool.energies, 100.min(pool.energies.len()))?;
    let pool = pool.samples;
    let validation = system.equilibrium(budget.validation, lab.seed_of(54))?.samples;
    let test = system.equilibrium(budget.test, lab.seed_of(55))?.samples;

    let mut curves =
        Csv::new(&["samples", "run", "iteration", "nll", "standard_error", "grid_nll", "certified"]);
    let mut runs_csv = Csv::new(&[
        "samples",
        "run",
        "test_nll",
        "test_standard_error",
        "test_grid_nll",
        "train_nll",
        "last_test_nll",
        "last_test_grid_nll",
    ]);
    let mut rows: Vec<(usize, Vec<Run>)> = Vec::new();
    for &size in budget.sizes {
        let mut runs = Vec::new();
        for run in 0..budget.runs {
            let data = every(&pool, coordinates, budget.runs * largest / size, run, size);
            let seed = budget.task.seed.wrapping_add(1_000_000 * (run as u64 + 1));
            let trained = train(system, &data, &validation, &Task { seed, ..budget.task })?;
            record_curve(&mut curves, size, run, &trained);
            let result = judge(&trained, &data, &test)?;
            record_run(&mut runs_csv, size, run, &result);
            runs.push(result);
        }
        rows.push((size, runs));
    }
    let mut files = vec![curves.write(&lab.out, &format!("{name}-curves"))?, runs_csv.write(&lab.out, name)?];
    files.extend(plot(system, &rows).write(&lab.out, name)?);
    Ok(Report { paragraph: paragraph(system, budget, &rows, energy), files })
}

/// `count` samples, `stride` apart, from the first `stride` on: from as many chains as possible.
pub fn every(pool: &[f64], coordinates: usize, stride: usize, first: usize, count: usize) -> Vec<f64> {
    let samples = pool.chunks_exact(coordinates).skip(first).step_by(stride.max(1)).take(count);
    samples.flatten().copied().collect()
}

fn judge(trained: &Trained, data: &[f64], test: &[f64]) -> Result<Run, Box<dyn Error>> {
    Ok(Run {
        train: likelihood(&trained.parameters, data, GRID_STEPS)?,
        test: likelihood(&trained.parameters, test, GRID_STEPS)?,
        last: likelihood(&trained.last, test, GRID_STEPS).ok(),
    })
}

fn record_curve(csv: &mut Csv, size: usize, run: usize, trained: &Trained) {
    for verdict in &trained.verdicts {
        if let Some(l) = verdict.likelihood {
            csv.row(&[
                &size,
                &run,
                &verdict.iteration,
                &l.nll,
                &l.standard_error,
                &l.grid_nll,
                &verdict.certified,
            ]);
        }
    }
}

fn record_run(csv: &mut Csv, size: usize, run: usize, result: &Run) {
    let Run { train, test, last } = result;
    let (last_nll, last_grid) = last.map_or((f64::NAN, f64::NAN), |last| (last.nll, last.grid_nll));
    csv.row(&[
        &size,
        &run,
        &test.nll,
        &test.standard_error,
        &test.grid_nll,
        &train.nll,
        &last_nll,
        &last_grid,
    ]);
}

fn mean(runs: &[Run], value: impl Fn(&Run) -> f64) -> Estimate {
    over_runs(&runs.iter().map(value).collect::<Vec<_>>())
}

fn paragraph(system: &System, budget: &Budget, rows: &[(usize, Vec<Run>)], energy: Estimate) -> String {
    let numbers = rows.iter().map(|(size, runs)| {
        let test = mean(runs, |run| run.test.nll);
        format!("{test:.3} ({:.3} by 20 steps) from {size}", mean(runs, |run| run.test.grid_nll).value)
    });
    let error = runs_error(rows);
    format!(
        "Test NLL of {} after {} minibatches, converged, mean of {} runs with its error over the runs: {}. One run's \
         own statistical error is {error:.3}. Floor {}, prior {:.3}. Mean energy of the training samples {energy:.3}, of \
         the equilibrium {:.3}.",
        system.name,
        budget.task.iterations,
        budget.runs,
        numbers.collect::<Vec<_>>().join(", "),
        system.floor,
        system.prior_nll,
        system.mean_energy
    )
}

/// The largest standard error of a test set's NLL.
fn runs_error(rows: &[(usize, Vec<Run>)]) -> f64 {
    rows.iter().flat_map(|(_, runs)| runs).map(|run| run.test.standard_error).fold(0.0, f64::max)
}

fn plot(system: &System, rows: &[(usize, Vec<Run>)]) -> Plot {
    let caption = format!("{}: likelihood against training samples", system.name);
    let names = ["log10 of the training samples", "NLL / nats"];
    let x = |size: usize| (size as f64).log10();
    let range = [0.8..x(rows.last().map_or(10, |row| row.0)) + 0.2, low(system)..1.4 * system.prior_nll];
    let mut plot = Plot::new(&caption, names, range.clone());
    let line = |value: f64| [(range[0].start, value), (range[0].end, value)];
    plot.series = vec![
        Series::line("floor: entropy of the Boltzmann distribution", GREY, line(system.floor.value)),
        Series::line("prior", GREEN, line(system.prior_nll)),
    ];
    let points = |value: fn(&Run) -> f64, shift: f64| -> Vec<(f64, f64, f64)> {
        let point = |(size, runs): &(usize, Vec<Run>)| {
            let mean = mean(runs, value);
            let error = if mean.standard_error.is_finite() { mean.standard_error } else { 0.0 };
            (x(*size) + shift, mean.value, error)
        };
        rows.iter().map(point).collect()
    };
    plot.series.push(Series::marks("test, converged", BLUE, points(|run| run.test.nll, 0.0)));
    plot.series.push(Series::marks("train, converged", ORANGE, points(|run| run.train.nll, 0.03)));
    plot
}

/// A tenth of the way below the floor.
fn low(system: &System) -> f64 {
    system.floor.value - 0.1 * (system.prior_nll - system.floor.value)
}
