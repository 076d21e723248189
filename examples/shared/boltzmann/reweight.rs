//! Samples of the flow, their importance weights and what follows from them.

use super::progress_bar;
use eqflow::flow::{Block, Config, Plan};
use eqflow::sampling::{Estimate, ImportanceWeights, draw_samples, energies};
use eqflow::systems::System;
use eqflow::train::Parameters;
use std::error::Error;

/// Converged to far below the statistical errors, so that the weights carry no discretisation bias.
const CONVERGED: Config = Config::dopri5(1e-7, 1e-7);
const BOOTSTRAP_REPLICATES: usize = 200;

/// The flow's samples and the reweighted estimates.
pub struct Reweighted {
    /// u of each sample.
    pub energies: Vec<f64>,
    /// Normalised importance weights.
    pub weights: Vec<f64>,
    pub effective_fraction: Estimate,
    pub log_z: Estimate,
    pub mean_energy: Estimate,
    /// Without weights, for comparison.
    pub raw_mean_energy: f64,
    /// The same where a few overlapping samples rule the mean.
    pub raw_median_energy: f64,
}

/// Draws `n` samples with converged log-densities and reweights them to the Boltzmann distribution.
pub fn sample_and_reweight(
    system: &System,
    parameters: &Parameters,
    seed: u64,
    n: usize,
) -> Result<Reweighted, Box<dyn Error>> {
    let plan: Plan<f64, Vec<Block>> = parameters.with_model(|model| Plan::allocate(model, &CONVERGED))?;
    let bar = progress_bar(n as u64, "sampling");
    let drawn = draw_samples(&plan, seed, n, &|done| bar.set_position(done as u64))?;
    bar.finish_and_clear();
    let energies = energies(&system.energy, system.shape, &drawn.samples)?;
    let weights = ImportanceWeights::from_densities(&energies, &drawn.log_probs)?;
    let bootstrap = weights.bootstrap(BOOTSTRAP_REPLICATES, seed)?;
    Ok(Reweighted {
        weights: weights.normalized(),
        effective_fraction: bootstrap.effective_fraction(),
        log_z: bootstrap.log_z(),
        mean_energy: bootstrap.expectation(&energies)?,
        raw_mean_energy: energies.iter().sum::<f64>() / n as f64,
        raw_median_energy: median(&energies),
        energies,
    })
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}
