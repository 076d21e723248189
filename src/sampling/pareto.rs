//! How heavy the tail of importance weights is: whether their mean has a variance, and an error bar a meaning.

use super::error::Error;
use super::importance::ImportanceWeights;

/// A generalised Pareto distribution fitted to the largest importance weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ParetoTail {
    /// The shape k: the weights have finite moments up to order 1/k. From 0.5 on their variance is infinite, from 1 on
    /// their mean is.
    pub k: f64,
    /// How many weights the fit has seen.
    pub tail: usize,
    /// Number of all weights.
    pub samples: usize,
}

impl ParetoTail {
    /// The k below which so many weights give estimates with errors that can be trusted, min(1 - 1 / log10 n, 0.7)
    /// (Vehtari, Simpson, Gelman, Yao, Gabry, "Pareto smoothed importance sampling", JMLR 25, 72 (2024)).
    pub fn threshold(&self) -> f64 {
        (1.0 - 1.0 / libm::log10(self.samples as f64)).min(0.7)
    }

    /// Whether k lies below the threshold.
    pub fn is_reliable(&self) -> bool {
        self.k < self.threshold()
    }
}

impl ImportanceWeights {
    /// Fits the tail of the weights as Pareto-smoothed importance sampling does (Vehtari et al. 2024): the largest
    /// min(n / 5, 3 sqrt(n)) of them, by the estimator of Zhang and Stephens (2009) with the prior that pulls k towards
    /// 0.5 as ten weights would.
    ///
    /// Kish's effective sample size is blind to weights that were never drawn; k is an extrapolation to them. Cost:
    /// n log n.
    ///
    /// # Errors
    /// [`Error::Length`] where fewer than five weights exceed all others: too few samples, or weights that are equal.
    pub fn pareto_tail(&self) -> Result<ParetoTail, Error> {
        let mut sorted = self.scaled().to_vec();
        sorted.sort_by(f64::total_cmp);
        let samples = sorted.len();
        let n = samples as f64;
        let most = libm::ceil((n / 5.0).min(3.0 * libm::sqrt(n))) as usize;
        let cut =
            if most < samples { sorted[samples - most - 1].max(f64::MIN_POSITIVE) } else { f64::INFINITY };
        let above = sorted.partition_point(|&w| w <= cut);
        let excess: Vec<f64> = sorted[above..].iter().map(|w| w - cut).collect();
        if excess.len() < 5 {
            let demand = "at least 5";
            return Err(Error::Length { name: "tail of the weights", length: excess.len(), demand });
        }
        Ok(ParetoTail { k: shape(&excess), tail: excess.len(), samples })
    }
}

/// The shape k of the generalised Pareto distribution of `excess` (ascending, positive): the posterior mean over a grid
/// of theta = -k / sigma, whose profile likelihood is n (log(theta / k) + k - 1) up to signs (Zhang and Stephens, "A new
/// and efficient estimation method for the generalized Pareto distribution", Technometrics 51, 316 (2009)).
fn shape(excess: &[f64]) -> f64 {
    /// Scale of the prior of theta in quartiles of the excess.
    const PRIOR_QUARTILES: f64 = 3.0;
    /// Weights that the prior of k counts for, and its mean.
    const PRIOR: (f64, f64) = (10.0, 0.5);
    let n = excess.len() as f64;
    let quartile = excess[(n / 4.0 + 0.5) as usize - 1];
    let largest = excess[excess.len() - 1];
    let grid = 30 + libm::sqrt(n) as usize;
    let mean_log = |theta: f64| excess.iter().map(|x| libm::log1p(-theta * x)).sum::<f64>() / n;
    let nodes: Vec<(f64, f64)> = (1..=grid)
        .map(|j| {
            let spread = 1.0 - libm::sqrt(grid as f64 / (j as f64 - 0.5));
            let theta = 1.0 / largest + spread / (PRIOR_QUARTILES * quartile);
            let k = mean_log(theta);
            (theta, n * (libm::log(-theta / k) - k - 1.0))
        })
        .collect();
    let highest = nodes.iter().fold(f64::NEG_INFINITY, |highest, node| highest.max(node.1));
    let (mut total, mut theta) = (0.0, 0.0);
    for (node, log_likelihood) in nodes {
        let weight = libm::exp(log_likelihood - highest);
        total += weight;
        theta += weight * node;
    }
    (n * mean_log(theta / total) + PRIOR.0 * PRIOR.1) / (n + PRIOR.0)
}
