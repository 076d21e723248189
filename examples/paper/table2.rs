//! Table 2, the kernel flow's row, in our reading (we had the table's name, not its text): likelihoods of training and
//! test samples of DW-4 and LJ-13 with their errors, and what data augmentation, which other architectures need, does to
//! them.
//!
//! Every flow starts at the identity and has 620 parameters. Augmentation gives every sample a random permutation,
//! rotation and reflection; an equivariant flow's density does not see it, so one row serves for both.

use crate::fig5::every;
use crate::lab::{Lab, Report};
use crate::spread::over_runs;
use crate::training::{Task, train};
use eqflow::io::Csv;
use eqflow::mcmc::{Draws, Symmetry, symmetrise};
use eqflow::plot::{BLUE, GREEN, GREY, ORANGE, Plot, Series};
use eqflow::sampling::Estimate;
use eqflow::systems::{DW4, GRID_STEPS, LJ13, System};
use eqflow::train::{Likelihood, likelihood};
use std::error::Error;

/// How much of it is done.
struct Budget {
    samples: usize,
    runs: usize,
    validation: usize,
    test: usize,
    task: Task,
}

/// What came of one run.
struct Run {
    parameters: usize,
    train: Likelihood,
    test: Likelihood,
    /// Of the augmented test samples.
    augmented: Likelihood,
}

pub fn run(lab: &Lab) -> Result<Report, Box<dyn Error>> {
    let dw4 = Budget {
        samples: lab.budget(10_000, 1_000),
        runs: lab.budget(5, 2),
        validation: lab.budget(1_000, 500),
        test: lab.budget(10_000, 1_000),
        task: Task {
            iterations: lab.budget(3_000, 300),
            check_every: lab.budget(250, 100),
            ..Task::new(lab.seed_of(91))
        },
    };
    let lj13 = Budget {
        samples: lab.budget(10_000, 100),
        runs: lab.budget(5, 2),
        validation: lab.budget(500, 50),
        test: lab.budget(5_000, 100),
        task: Task {
            iterations: lab.budget(1_500, 100),
            learning_rate: 0.01,
            check_every: lab.budget(250, 50),
            ..Task::new(lab.seed_of(92))
        },
    };
    let rows = [(&DW4, runs_of(lab, &DW4, &dw4)?, dw4), (&LJ13, runs_of(lab, &LJ13, &lj13)?, lj13)];
    let mut files = vec![csv(&rows).write(&lab.out, "table2")?];
    files.extend(plot(&rows).write(&lab.out, "table2")?);
    let sentences: Vec<String> =
        rows.iter().map(|(system, runs, budget)| sentence(system, runs, budget)).collect();
    let paragraph = format!(
        "Kernel flows, converged NLL, mean over the runs with its error. {} Augmentation by permutations, rotations \
         and reflections changes a test NLL by at most {:.1e}: the row is the same with and without.",
        sentences.join(" "),
        rows.iter().flat_map(|(_, runs, _)| runs).map(augmentation).fold(0.0, f64::max),
    );
    Ok(Report { paragraph, files })
}

type Row = (&'static System, Vec<Run>, Budget);

fn runs_of(lab: &Lab, system: &System, budget: &Budget) -> Result<Vec<Run>, Box<dyn Error>> {
    let Budget { samples, runs, validation, test, task } = budget;
    let pool = system.equilibrium(samples * runs, lab.seed_of(93))?.samples;
    let validation = system.equilibrium(*validation, lab.seed_of(94))?.samples;
    let test = system.equilibrium(*test, lab.seed_of(95))?.samples;
    let mut moved = test.clone();
    let draws = Draws { seed: lab.seed_of(96), first: 0, step: 0 };
    symmetrise(system.shape, Symmetry::ALL, draws, [&mut moved[..]])?;
    let of_run = |run: usize| {
        let data = every(&pool, system.shape.coordinates(), *runs, run, *samples);
        let seed = task.seed.wrapping_add(1_000_000 * (run as u64 + 1));
        let trained = train(system, &data, &validation, &Task { seed, ..*task })?;
        let of = |samples: &[f64]| likelihood(&trained.parameters, samples, GRID_STEPS);
        // Means are fixed in the paper, and with them these are its parameters.
        let parameters = &trained.parameters;
        let means = parameters.n_radial() + parameters.n_time();
        let parameters = parameters.coordinates().len() - means;
        Ok(Run { parameters, train: of(&data)?, test: of(&test)?, augmented: of(&moved)? })
    };
    (0..*runs).map(of_run).collect()
}

fn augmentation(run: &Run) -> f64 {
    (run.augmented.nll - run.test.nll).abs()
}

fn csv(rows: &[Row]) -> Csv {
    let mut csv = Csv::new(&[
        "system",
        "run",
        "parameters",
        "training_samples",
        "train_nll",
        "train_standard_error",
        "train_grid_nll",
        "test_nll",
        "test_standard_error",
        "test_grid_nll",
        "augmented_test_nll",
        "floor",
        "prior_nll",
    ]);
    for (system, runs, budget) in rows {
        for (index, run) in runs.iter().enumerate() {
            csv.row(&[
                &system.name,
                &index,
                &run.parameters,
                &budget.samples,
                &run.train.nll,
                &run.train.standard_error,
                &run.train.grid_nll,
                &run.test.nll,
                &run.test.standard_error,
                &run.test.grid_nll,
                &run.augmented.nll,
                &system.floor.value,
                &system.prior_nll,
            ]);
        }
    }
    csv
}

fn mean(runs: &[Run], value: fn(&Run) -> f64) -> Estimate {
    over_runs(&runs.iter().map(value).collect::<Vec<_>>())
}

fn sentence(system: &System, runs: &[Run], budget: &Budget) -> String {
    let errors = runs.iter().map(|run| run.test.standard_error);
    format!(
        "{} ({} training samples, {} minibatches, {} runs): train {:.3} ({:.3} by 20 steps), test {:.3} ({:.3} by 20 \
         steps; one test set's own standard error {:.3}), floor {}, prior {:.3}.",
        system.name,
        budget.samples,
        budget.task.iterations,
        runs.len(),
        mean(runs, |run| run.train.nll),
        mean(runs, |run| run.train.grid_nll).value,
        mean(runs, |run| run.test.nll),
        mean(runs, |run| run.test.grid_nll).value,
        errors.fold(0.0, f64::max),
        system.floor,
        system.prior_nll
    )
}

/// What is left between floor (0) and prior (1).
fn plot(rows: &[Row]) -> Plot {
    let caption = "Kernel flows: where the NLL lies between floor (0) and prior (1)";
    let names = ["1: DW-4, 2: LJ-13", "(NLL - floor) / (prior - floor)"];
    let mut plot = Plot::new(caption, names, [0.4..2.6, -0.1..1.4]);
    let line = |value: f64| [(0.4, value), (2.6, value)];
    plot.series = vec![
        Series::line("floor: entropy of the Boltzmann distribution", GREY, line(0.0)),
        Series::line("prior", GREEN, line(1.0)),
    ];
    let points = |value: fn(&Run) -> f64, shift: f64| -> Vec<(f64, f64, f64)> {
        let point = |(k, (system, runs, _)): (usize, &Row)| {
            let mean = mean(runs, value);
            let whole = system.prior_nll - system.floor.value;
            (k as f64 + 1.0 + shift, (mean.value - system.floor.value) / whole, mean.standard_error / whole)
        };
        rows.iter().enumerate().map(point).collect()
    };
    plot.series.push(Series::marks("train, converged", ORANGE, points(|run| run.train.nll, -0.05)));
    plot.series.push(Series::marks("test, converged", BLUE, points(|run| run.test.nll, 0.05)));
    plot
}
