//! Trains a Boltzmann generator for the Lennard-Jones cluster of thirteen particles (LJ-13), samples it, reweights, and
//! prints every number beside its reference value.
//!
//! `cargo run --release --example lj13 [-- --seed 1 --out out/lj13 --resume]`
//!
//! It makes its own equilibrium data by Metropolis sampling, starts from flow matching and goes on by maximum
//! likelihood: see `shared/boltzmann`. The field has 60 radial functions, densest where particles touch, and 20 time
//! functions.

#[path = "shared/boltzmann/mod.rs"]
mod boltzmann;

use boltzmann::Job;
use eqflow::systems::{LJ13, Start, concentrated};
use eqflow::train::{Check, Penalties, TrainConfig};

const JOB: Job = Job {
    system: &LJ13,
    functions: || concentrated(LJ13.shape, (60, 0.5, 5.0), 20),
    start: Start::FlowMatching,
    recipe: |recipe| TrainConfig {
        learning_rate: 0.03,
        penalties: Penalties { step_error: 0.03, ..Penalties::default() },
        average: 0.99,
        // 1.4 spacings of the means at r_m.
        least_bandwidth: 0.05,
        check: Check { every: 500, gap_tolerance: 0.03, patience: 0 },
        ..recipe
    },
    train: 8_000,
    test: 5_000,
    iterations: 8_000,
    samples: 50_000,
    energies: -68.0..-8.0,
    // The prior's 42 lies far above.
    likelihoods: 16.0..26.0,
};

fn main() -> std::process::ExitCode {
    boltzmann::main(&JOB)
}
