//! Certified maximum-likelihood training.

use crate::systems::System;
use eqflow::train::{
    Check, FlowMatching, Likelihood, Pairing, Parameters, TrainConfig, TrainError, Trainer, Verdict, fit,
    pairs,
};
use std::error::Error;
use std::ops::ControlFlow;

/// RK4 steps of the training grid and of the grid likelihood.
pub const GRID_STEPS: usize = 20;

/// Where the weights start.
#[derive(Clone, Copy, PartialEq)]
pub enum Start {
    /// At zero: the flow is the identity.
    Identity,
    /// At the solution of flow matching, or at zero where that does not pass the trainer's check.
    FlowMatching,
}

/// How a flow is trained.
#[derive(Clone, Copy)]
pub struct Task {
    pub iterations: usize,
    pub learning_rate: f64,
    /// Iterations between two comparisons with the held-out likelihood.
    pub check_every: usize,
    pub start: Start,
    pub seed: u64,
}

impl Task {
    pub fn new(seed: u64) -> Self {
        Task { iterations: 1_000, learning_rate: 0.02, check_every: 200, start: Start::Identity, seed }
    }
}

/// A flow and how it came about.
pub struct Trained {
    /// Those certified with the best converged likelihood of the held-out samples.
    pub parameters: Parameters,
    /// As training left them.
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
    let identity = system.functions();
    let mut trainer = match task.start {
        Start::Identity => trainer(system, identity, data, held_out, task)?,
        Start::FlowMatching => match trainer(system, matched(system, data, task)?, data, held_out, task) {
            Err(TrainError::Config("initial", _)) => trainer(system, identity, data, held_out, task)?,
            outcome => outcome?,
        },
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

fn trainer(
    system: &System,
    initial: Parameters,
    data: &[f64],
    held_out: &[f64],
    task: &Task,
) -> Result<Trainer<f32>, TrainError> {
    Trainer::new(config(system, task), initial, data, held_out)
}

/// The weights of flow matching, with at least 2000 pairs.
fn matched(system: &System, data: &[f64], task: &Task) -> Result<Parameters, TrainError> {
    let samples = (data.len() / system.shape.coordinates()).max(1);
    let pairing = Pairing { rounds: 2000_usize.div_ceil(samples), ..Pairing::new(task.seed) };
    let pairs = pairs(system.shape, data, &pairing)?;
    Ok(fit(&system.functions(), &pairs, FlowMatching::NODES, FlowMatching::REGULARISATION)?.parameters)
}

/// The recipe.
pub fn config(system: &System, task: &Task) -> TrainConfig {
    TrainConfig {
        iterations: task.iterations,
        learning_rate: task.learning_rate,
        steps: GRID_STEPS,
        least_bandwidth: system.least_bandwidth(),
        check: Check { every: task.check_every, ..TrainConfig::default().check },
        seed: task.seed,
        ..TrainConfig::default()
    }
}
