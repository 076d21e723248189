//! The main job: trains a Boltzmann generator for the four-particle double well (DW-4), samples it, reweights,
//! and prints every number beside its exact value.
//!
//! `cargo run --release --example dw4 [-- --seed 1 --out out/dw4 --resume]`
//!
//! It makes its own equilibrium data by Metropolis sampling and trains the normalised-basis flow of Köhler, Klein, Noé
//! (2020) with 20 time functions instead of 10, first by maximum likelihood, then by Rényi's divergence of order 1.7, which
//! trains for the effective sample size: see `shared/boltzmann`.

#[path = "shared/boltzmann/mod.rs"]
mod boltzmann;

use boltzmann::Job;
use eqflow::systems::{DW4, Start, even};
use eqflow::train::{Penalties, Renyi, TrainConfig};

const JOB: Job = Job {
    system: &DW4,
    functions: || even(DW4.shape, (50, 8.0, 0.5), 20),
    start: Start::Identity,
    recipe: |recipe| TrainConfig {
        batch_size: 256,
        penalties: Penalties { step_error: 1.0, ..Penalties::default() },
        average: 0.98,
        renyi: Renyi { order: 1.7, ramp: [0.5, 0.7] },
        ..recipe
    },
    train: 20_000,
    test: 10_000,
    iterations: 10_000,
    samples: 100_000,
    energies: -27.0..-9.0,
    // The identity flow's 19 lies far above.
    likelihoods: 7.0..10.0,
};

fn main() -> std::process::ExitCode {
    boltzmann::main(&JOB)
}
