//! Importance weights with the exact log-determinant of the discrete map estimate the exact partition function, however
//! coarse the grid; those with the quadrature of the divergence do not.
#![cfg(feature = "std")]

mod common;

use common::models::Parameters;
use eqflow::flow::{Block, Config, LogDet, Plan};
use eqflow::potential::DoubleWell;
use eqflow::sampling::{draw_samples, energies};

/// Of DW-4, by deterministic quadrature.
const LOG_Z: f64 = 29.667_232_232_904_28;
const SEEDS: u64 = 20;
const SAMPLES: usize = 5_000;

/// The mean over the seeds of Z's estimate divided by Z, and its standard error.
fn relative_z(config: &Config) -> (f64, f64) {
    let trained = Parameters::trained();
    let plan: Plan<f64, Vec<Block>> = Plan::allocate(&trained.model(), config).unwrap();
    let of_seed = |seed| {
        let drawn = draw_samples(&plan, seed, SAMPLES, &|_| ()).unwrap();
        let u = energies(&DoubleWell::<f64>::dw4(), trained.shape, &drawn.samples).unwrap();
        let weights = u.iter().zip(&drawn.log_probs).map(|(u, log_q)| (-u - log_q - LOG_Z).exp());
        weights.sum::<f64>() / SAMPLES as f64
    };
    let estimates: Vec<f64> = (1..=SEEDS).map(of_seed).collect();
    let mean = estimates.iter().sum::<f64>() / SEEDS as f64;
    let variance = estimates.iter().map(|z| (z - mean).powi(2)).sum::<f64>() / (SEEDS - 1) as f64;
    (mean, (variance / SEEDS as f64).sqrt())
}

#[test]
fn the_exact_density_of_the_discrete_map_is_unbiased_on_fine_and_coarse_grids() {
    for steps in [20, 5] {
        let (mean, error) = relative_z(&Config::rk4(steps).with_log_det(LogDet::Jacobian));
        let score = (mean - 1.0) / error;
        println!("{steps} steps: log Z off by {:.4} +- {:.4}, z = {score:.2}", mean.ln(), error / mean);
        assert!(score.abs() <= 3.0, "{steps} steps: Z off by a factor of {mean} +- {error}");
        assert!(error < 0.05, "{steps} steps: {error} says little");
    }
}

#[test]
fn the_quadrature_of_the_divergence_is_biased_on_a_coarse_grid() {
    let (mean, error) = relative_z(&Config::rk4(5));
    println!("5 steps, quadrature: log Z off by {:.4} +- {:.4}", mean.ln(), error / mean);
    assert!(((mean - 1.0) / error).abs() > 3.0, "Z off by a factor of {mean} +- {error}");
}
