//! Held-out negative log-likelihood, by the fixed grid and converged, side by side.

use super::parameters::Parameters;
use crate::error::Error;
use crate::flow::{Block, Config, Model, Plan};
use crate::parallel::map_indexed;
use serde::{Deserialize, Serialize};

/// Mean negative log-likelihoods of the same samples, in nats on the zero-CoM subspace.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Likelihood {
    /// By RK4 on the fixed grid with the trace log-determinant: what the optimiser sees, and can exploit.
    pub grid_nll: f64,
    /// By the adaptive integrator: that of a density.
    pub nll: f64,
    /// Standard error of `nll` over the samples.
    pub standard_error: f64,
    /// Mean over the samples of |grid - converged| of one sample's log-likelihood.
    pub mean_absolute_gap: f64,
}

impl Likelihood {
    /// converged - grid: positive where the grid flatters.
    pub fn gap(&self) -> f64 {
        self.nll - self.grid_nll
    }
}

/// Samples that one thread takes at a time.
const CHUNK: usize = 64;

/// Tolerance of the converged integration: its error is far below a held-out set's standard error.
pub(super) const CONVERGED: Config = Config::dopri5(1e-6, 1e-7);

/// Evaluates `samples` (`[n][N][D]`) with `steps` RK4 steps and converged.
///
/// # Errors
/// Those of [`Plan::log_prob`]; [`crate::error::Status::Convergence`] where the field is too stiff to converge.
pub fn likelihood(parameters: &Parameters, samples: &[f64], steps: usize) -> Result<Likelihood, Error> {
    let (grid, converged) = parameters.with_model(|model| {
        let grid = log_probs(model, &Config::rk4(steps), samples)?;
        Ok::<_, Error>((grid, log_probs(model, &CONVERGED, samples)?))
    })?;
    let n = converged.len() as f64;
    let mean = |values: &[f64]| values.iter().sum::<f64>() / n;
    let nll = -mean(&converged);
    let variance = converged.iter().map(|&v| (v + nll) * (v + nll)).sum::<f64>() / (n - 1.0).max(1.0);
    let gaps: Vec<f64> = grid.iter().zip(&converged).map(|(g, c)| (g - c).abs()).collect();
    Ok(Likelihood {
        grid_nll: -mean(&grid),
        nll,
        standard_error: libm::sqrt(variance / n),
        mean_absolute_gap: mean(&gaps),
    })
}

/// The log-density of each sample.
pub(super) fn log_probs(model: &Model<'_>, config: &Config, samples: &[f64]) -> Result<Vec<f64>, Error> {
    let plan: Plan<f64, Vec<Block>> = Plan::allocate(model, config)?;
    let coordinates = plan.shape().coordinates();
    let chunks: Vec<&[f64]> = samples.chunks(CHUNK * coordinates).collect();
    let parts = map_indexed(chunks.len(), |c| {
        let n = chunks[c].len() / coordinates;
        let mut log_prob = vec![0.0; n];
        let mut work = plan.allocate_workspace(n)?;
        plan.log_prob(chunks[c], &mut log_prob, None, &mut work)?;
        Ok(log_prob)
    });
    parts.into_iter().collect::<Result<Vec<_>, Error>>().map(|parts| parts.concat())
}
