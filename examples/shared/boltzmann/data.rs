//! Equilibrium samples by the random-walk Metropolis algorithm.

use super::progress_bar;
use eqflow::sampling::{ChainSamples, Error, Estimate, chain_mean};
use eqflow::systems::System;

/// Training and test sets.
pub struct Data {
    pub train: ChainSamples<f64>,
    pub test: ChainSamples<f64>,
    /// Of the test set, with the error from independent chains.
    pub mean_energy: Estimate,
}

/// Tunes the step size, samples both sets and checks their mean energies against the known one.
pub fn generate(system: &System, seed: u64, train: usize, test: usize) -> Result<Data, Error> {
    // Different seeds: test chains share no random number with training chains.
    let [train_seed, test_seed, pilot_seed] = [0, 1, 2].map(|k| seed.wrapping_mul(3).wrapping_add(k));
    let step = system.tuned_step(pilot_seed)?;
    println!(
        "Metropolis: step {} by acceptance x step (acceptance {:.0} %), {} steps between samples.",
        step.step_size,
        100.0 * step.acceptance_rate,
        system.thinning()
    );
    let draw = |samples: usize, seed, what| {
        let bar = progress_bar(0, what);
        let drawn = system.sample(samples, step.step_size, seed, &|progress| {
            bar.set_length(progress.total);
            bar.set_position(progress.done);
        })?;
        bar.finish_and_clear();
        let chains = system.chains_of(samples);
        let mean = chain_mean(&drawn.energies, chains)?;
        let known = system.mean_energy;
        println!(
            "  {what}: {} samples of {chains} chains, mean energy {mean:.4} ({} {known:.4}: {:+.1} standard errors)",
            drawn.energies.len(),
            known.what(),
            (mean.value - known.value) / mean.standard_error.hypot(known.standard_error)
        );
        Ok((drawn, mean))
    };
    let (train, _) = draw(train, train_seed, "training set")?;
    let (test, mean_energy) = draw(test, test_seed, "test set")?;
    Ok(Data { train, test, mean_energy })
}
