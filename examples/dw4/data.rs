//! Equilibrium samples of DW-4 by the random-walk Metropolis algorithm.

use crate::{SHAPE, exact, progress_bar};
use eqflow::potential::DoubleWell;
use eqflow::sampling::{
    ChainConfig, ChainSamples, Error, Estimate, Initial, chain_mean, sample_chains, tune_step_size,
};

/// Samples of each chain, and steps between them. At the step size that the rule picks, |x|^2, the slowest
/// symmetric observable, has an integrated autocorrelation time of about 6000 steps (energy: 170).
const SAMPLES_PER_CHAIN: usize = 20;
const THIN: usize = 8_000;
const BURN_IN: usize = 16_000;
const STEP_GRID: [f64; 10] = [0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.7, 1.0];
/// Chains start from the prior stretched to about the size of the cluster.
const START: Initial<'static, f64> = Initial::Prior { scale: 2.0 };

/// Training and test sets.
pub struct Data {
    pub train: ChainSamples<f64>,
    pub test: ChainSamples<f64>,
    /// Of the test set, with the error from independent chains.
    pub mean_energy: Estimate,
}

/// Tunes the step size, samples both sets and checks their mean energies against the exact one.
pub fn generate(seed: u64, train: usize, test: usize) -> Result<Data, Error> {
    // Different seeds: test chains share no random number with training chains.
    let [train_seed, test_seed, pilot_seed] = [0, 1, 2].map(|k| seed.wrapping_mul(3).wrapping_add(k));
    let potential = DoubleWell::<f64>::dw4();
    let pilot = ChainConfig {
        chains: 128,
        burn_in: 1000,
        thin: 1,
        samples_per_chain: 500,
        step_size: 0.5,
        seed: pilot_seed,
    };
    let step = tune_step_size(&potential, SHAPE, &pilot, START, &STEP_GRID)?.best;
    println!(
        "Metropolis: step {} by acceptance x step (acceptance {:.0} %), {THIN} steps between samples.",
        step.step_size,
        100.0 * step.acceptance_rate
    );
    let draw = |samples: usize, seed, what| {
        let config = ChainConfig {
            chains: samples.div_ceil(SAMPLES_PER_CHAIN),
            burn_in: BURN_IN,
            thin: THIN,
            samples_per_chain: SAMPLES_PER_CHAIN,
            step_size: step.step_size,
            seed,
        };
        let bar = progress_bar(0, what);
        let drawn = sample_chains(&potential, SHAPE, &config, START, &|progress| {
            bar.set_length(progress.total);
            bar.set_position(progress.done);
        })?;
        bar.finish_and_clear();
        let mean = chain_mean(&drawn.energies, config.chains)?;
        let z = (mean.value - exact::MEAN_ENERGY) / mean.standard_error;
        println!(
            "  {what}: {} samples of {} chains, mean energy {mean:.4} (exact {:.4}: {z:+.1} standard errors)",
            drawn.energies.len(),
            config.chains,
            exact::MEAN_ENERGY
        );
        Ok((drawn, mean))
    };
    let (train, _) = draw(train, train_seed, "training set")?;
    let (test, mean_energy) = draw(test, test_seed, "test set")?;
    Ok(Data { train, test, mean_energy })
}
