//! Closed-form flow matching on the four-particle double well (DW-4): what pairing and regularisation do.
//!
//! `cargo run --release --example flow_matching [-- --seed 1]`
//!
//! Makes equilibrium data by Metropolis sampling, couples them with prior draws in batches of several sizes, solves the
//! least-squares problem of each and prints the held-out negative log-likelihoods (NLL, in nats: prior 19.15, entropy
//! of the Boltzmann distribution 7.13) with the seconds that it took.

use clap::Parser;
use eqflow::field::Shape;
use eqflow::potential::DoubleWell;
use eqflow::radial::Basis;
use eqflow::sampling::{ChainConfig, Initial, sample_chains};
use eqflow::train::{FlowMatching, Pairing, Parameters, likelihood, pairs};
use std::error::Error;
use std::time::Instant;

const SHAPE: Shape = Shape { particles: 4, dimension: 2 };

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
    let [train, test] =
        [0, 1].map(|k| metropolis(options.data, options.seed.wrapping_mul(2).wrapping_add(k)));
    let (train, test) = (train?, test?);
    let functions = Parameters::identity(Basis::Normalized, SHAPE, (50, 8.0, 0.5), (10, 0.3));
    println!("batch  regularisation  |x - z|^2  residual  NLL converged +- error     20 steps  seconds");
    for batch in [1, 8, 128] {
        let start = Instant::now();
        let pairing = Pairing { batch, rounds: options.rounds, ..Pairing::new(options.seed) };
        let pairs = pairs(SHAPE, &train, &pairing)?;
        let mut problem = FlowMatching::new(&functions, FlowMatching::NODES)?;
        problem.add(&pairs.z, &pairs.x)?;
        let seconds = start.elapsed().as_secs_f64();
        for regularisation in [1e-6, 1e-4, FlowMatching::REGULARISATION, 1e-2] {
            let start = Instant::now();
            let fit = problem.solve(regularisation)?;
            let seconds = seconds + start.elapsed().as_secs_f64();
            let found = likelihood(&fit.parameters, &test, 20)?;
            println!(
                "{batch:>5}  {regularisation:>14e}  {:>9.3}  {:>8.3}  {:>13.4} +- {:.4}  {:>11.4}  {seconds:>7.2}",
                fit.mean_square, fit.residual, found.nll, found.standard_error, found.grid_nll
            );
        }
    }
    Ok(())
}

/// Ten samples of each chain, 2000 steps apart.
fn metropolis(samples: usize, seed: u64) -> Result<Vec<f64>, Box<dyn Error>> {
    let config = ChainConfig {
        chains: samples.div_ceil(10),
        burn_in: 16_000,
        thin: 2_000,
        samples_per_chain: 10,
        step_size: 0.5,
        seed,
    };
    let start = Initial::Prior { scale: 2.0 };
    Ok(sample_chains(&DoubleWell::<f64>::dw4(), SHAPE, &config, start, &|_| ())?.samples)
}
