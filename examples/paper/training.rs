//! Certified maximum-likelihood training.

use eqflow::potential::Softened;
use eqflow::systems::{Start, System, initial};
use eqflow::train::{Check, Likelihood, Mixture, Parameters, TrainConfig, TrainError, Trainer, Verdict};
use std::error::Error;
use std::ops::ControlFlow;
use std::sync::Arc;

/// How a flow is trained.
#[derive(Clone, Copy)]
pub struct Task {
    pub iterations: usize,
    pub learning_rate: f64,
    /// Iterations between two comparisons with the held-out likelihood.
    pub check_every: usize,
    pub start: Start,
    /// How much of the loss is the reverse Kullback-Leibler divergence to the Boltzmann distribution.
    pub mixture: Mixture,
    pub seed: u64,
}

/// The energy from which on overlapping particles count less: both systems' samples lie below.
const SOFT_ABOVE: f64 = 0.0;

impl Task {
    pub fn new(seed: u64) -> Self {
        Task {
            iterations: 1_000,
            learning_rate: 0.02,
            check_every: 200,
            start: Start::Identity,
            mixture: Mixture::default(),
            seed,
        }
    }
}

/// A flow and how it came about.
pub struct Trained {
    /// Those certified with the best converged likelihood of the held-out samples.
    pub parameters: Parameters,
    /// As training left them: the last that were certified.
    pub last: Parameters,
    /// Of the held-out samples.
    pub likelihood: Likelihood,
    pub verdicts: Vec<Verdict>,
}

/// Trains on `data` and certifies on `held_out` (both `[n][N][D]`).
pub fn train(
    system: &System,
    data: &[f64],
    held_out: &[f64],
    task: &Task,
) -> Result<Trained, Box<dyn Error>> {
    let start = |start| -> Result<Trainer<f32>, TrainError> {
        let initial = initial(system.functions(), start, data, task.seed)?;
        let trainer = Trainer::new(config(system, task), initial, data, held_out)?;
        Ok(trainer.with_potential(Arc::new(Softened { potential: system.energy, above: SOFT_ABOVE })))
    };
    let mut trainer = match start(task.start) {
        // What flow matching makes of few samples need not pass the trainer's check.
        Err(TrainError::Config("initial", _)) => start(Start::Identity)?,
        outcome => outcome?,
    };
    let _ = trainer.run(|_| ControlFlow::Continue(()))?;
    let last = trainer.parameters().clone();
    let (parameters, likelihood) = trainer.best()?;
    Ok(Trained {
        parameters: parameters.clone(),
        likelihood: *likelihood,
        last,
        verdicts: trainer.verdicts().to_vec(),
    })
}

/// The recipe.
pub fn config(system: &System, task: &Task) -> TrainConfig {
    let recipe = system.recipe();
    TrainConfig {
        iterations: task.iterations,
        learning_rate: task.learning_rate,
        mixture: task.mixture,
        check: Check { every: task.check_every, ..recipe.check },
        seed: task.seed,
        ..recipe
    }
}
