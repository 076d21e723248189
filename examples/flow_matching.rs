//! Closed-form flow matching on the four-particle double well (DW-4): what pairing and regularisation do.
//!
//! `cargo run --release --example flow_matching [-- --seed 1]`
//!
//! Makes equilibrium data by Metropolis sampling, couples them with prior draws in batches of several sizes, solves the
//! least-squares problem of each and prints the held-out negative log-likelihoods (NLL, in nats: prior 19.15, entropy
//! of the Boltzmann distribution 7.13) with the seconds that it took.

use clap::Parser;
use eqflow::systems::{DW4, GRID_STEPS};
use eqflow::train::{FlowMatching, Pairing, likelihood, pairs};
use std::error::Error;
use std::time::Instant;

/// Fits DW-4 flows in closed form and prints their likelihoods.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// Seed of everything random.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Training configurations, and test configurations, to make.
    #[arg(long, default_value_t = 10_000)]
    data: usize,
    /// Passes through the data, each with fresh prior draws.
    #[arg(long, default_value_t = 1)]
    rounds: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let data = |k| DW4.equilibrium(options.data, options.seed.wrapping_mul(2).wrapping_add(k));
    let (train, test) = (data(0)?.samples, data(1)?.samples);
    let functions = DW4.functions();
    println!("batch  regularisation  |x - z|^2  residual  NLL converged +- error     20 steps  seconds");
    for batch in [1, 8, 128] {
        let start = Instant::now();
        let pairing = Pairing { batch, rounds: options.rounds, ..Pairing::new(options.seed) };
        let pairs = pairs(DW4.shape, &train, &pairing)?;
        let mut problem = FlowMatching::new(&functions, FlowMatching::NODES)?;
        problem.add(&pairs.z, &pairs.x)?;
        let seconds = start.elapsed().as_secs_f64();
        for regularisation in [1e-6, 1e-4, FlowMatching::REGULARISATION, 1e-2] {
            let start = Instant::now();
            let fit = problem.solve(regularisation)?;
            let seconds = seconds + start.elapsed().as_secs_f64();
            let found = likelihood(&fit.parameters, &test, GRID_STEPS)?;
            println!(
                "{batch:>5}  {regularisation:>14e}  {:>9.3}  {:>8.3}  {:>13.4} +- {:.4}  {:>11.4}  {seconds:>7.2}",
                fit.mean_square, fit.residual, found.nll, found.standard_error, found.grid_nll
            );
        }
    }
    Ok(())
}
