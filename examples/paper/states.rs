//! Counting the metastable states that a set of configurations leads to.

use eqflow::random::{Normals, Purpose, Stream, prior_sample};
use eqflow::sampling::{Error, QuenchConfig, State, distinct_minima, quench};
use eqflow::systems::System;

/// Below this the smallest curvature is that of a saddle or of rounding; minima have at least 1.
const LEAST_CURVATURE: f64 = 1e-3;

/// The distinct minima that `samples` (`[n][N][D]`) descend to.
pub fn minima(system: &System, samples: &[f64], threshold: f64) -> Result<Vec<State>, Error> {
    let quenched = quench(&system.energy, system.shape, samples, &QuenchConfig::new())?;
    distinct_minima(&system.energy, system.shape, &quenched, threshold, LEAST_CURVATURE)
}

/// `n` standard normals: what an untrained flow draws.
pub fn prior(system: &System, seed: u64, n: usize) -> Vec<f64> {
    let coordinates = system.shape.coordinates();
    let mut samples = vec![0.0; n * coordinates];
    for (i, z) in samples.chunks_exact_mut(coordinates).enumerate() {
        prior_sample(system.shape, &mut Normals::new(Stream::new(seed, Purpose::Prior, i as u64)), z);
    }
    samples
}

/// `n` copies of one configuration with normal noise of standard deviation `sigma` on every coordinate.
pub fn perturbed(system: &System, x: &[f64], sigma: f64, seed: u64, n: usize) -> Vec<f64> {
    let noise = prior(system, seed, n);
    noise.chunks_exact(x.len()).flat_map(|z| z.iter().zip(x).map(|(z, x)| x + sigma * z)).collect()
}

/// The lowest minimum that normal draws of the cluster's size descend to.
pub fn lowest_minimum(system: &System, seed: u64) -> Result<State, Error> {
    let starts: Vec<f64> = prior(system, seed, 500).iter().map(|z| system.start_scale() * z).collect();
    let found = minima(system, &starts, 0.1)?;
    found.into_iter().next().ok_or(Error::NoWeight { samples: 500 })
}
