//! What samples are worth, and what they cost.

use cpu_time::ProcessTime;
use eqflow::flow::Precision;
use eqflow::sampling::{ChainSamples, Error, Estimate, chain_mean, effective_sample_size};

/// What a method did.
pub struct Outcome {
    pub method: String,
    /// Whether it takes a flow.
    pub flow: bool,
    /// Effective samples: of the slower of energy and |x|^2, the slowest symmetric observables that we know of.
    pub effective: f64,
    /// Seconds of processor time.
    pub cpu: f64,
    /// Energies, with or without gradients, that were evaluated.
    pub energies: f64,
    pub mean_energy: Estimate,
}

impl Outcome {
    /// Effective samples a second of processor time.
    pub fn a_second(&self) -> f64 {
        self.effective / self.cpu
    }

    /// Of Markov chains.
    pub fn of_chains<R: Precision>(
        (method, flow): (String, bool),
        run: &ChainSamples<R>,
        chains: usize,
        (cpu, energies): (f64, f64),
    ) -> Result<Self, Error> {
        let each = run.samples.len() / run.energies.len();
        let size = |x: &[R]| x.iter().map(|x| x.to_f64().powi(2)).sum();
        let sizes: Vec<f64> = run.samples.chunks_exact(each).map(size).collect();
        let u: Vec<f64> = run.energies.iter().map(|u| u.to_f64()).collect();
        let effective = effective_sample_size(&u, chains)?.min(effective_sample_size(&sizes, chains)?);
        Ok(Outcome { method, flow, effective, cpu, energies, mean_energy: chain_mean(&u, chains)? })
    }
}

/// What `work` returns, and the seconds of processor time that it took.
pub fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let start = ProcessTime::now();
    let result = work();
    (result, start.elapsed().as_secs_f64())
}
