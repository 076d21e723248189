//! Training for the effective sample size: Rényi's divergence of the flow from the Boltzmann distribution.

use super::config::risen;
use super::loss::{Batch, Discretisation, LossGradient, Objective, Penalties, gradient_of_pieces};
use super::parameters::Parameters;
use super::precision::Trainable;
use crate::error::Error;
use crate::field::Shape;
use crate::flow::{Block, Plan};
use crate::lanes::{COMPLETE, Lanes, gather};
use crate::potential::Potential;
use serde::{Deserialize, Serialize};

/// Rényi's divergence D_a(p || q) = 1/(a - 1) log E_p (p/q)^(a - 1) of the flow q from p = exp(-u)/Z in place of the
/// negative log-likelihood, which is its limit at a = 1 (Rényi 1961; Li, Turner 2016).
///
/// At a = 2 it is minus the logarithm of the effective fraction, mean(w)^2 over mean(w^2) of importance weights w = exp(-u)/q
/// for many samples: maximum likelihood cares for the typical log-weight, this for the largest weights. The order rises
/// while training, from where maximum likelihood has led.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Renyi {
    /// a at the end, 1 (maximum likelihood) to 2; above 1 the trainer needs a potential
    /// ([`super::Trainer::with_potential`]).
    pub order: f64,
    /// Fractions of the iterations between which a rises from 1.
    pub ramp: [f64; 2],
}

impl Default for Renyi {
    /// Maximum likelihood.
    fn default() -> Self {
        Renyi { order: 1.0, ramp: [0.0, 0.0] }
    }
}

impl Renyi {
    /// a at `iteration` (from 0) of `iterations`.
    pub fn at(&self, iteration: usize, iterations: usize) -> f64 {
        1.0 + (self.order - 1.0) * risen(self.ramp, iteration, iterations)
    }
}

/// As [`super::loss_gradient`] for D_a + log Z, estimated by the minibatch's configurations x from p:
/// 1/(a - 1) log mean exp((a - 1) (-u(x) - log q(x))), whose gradient weighs each sample's with its share
/// of the mean. `energies` are u of all samples, `[n]`; `order` is a > 1. The penalties' means are plain.
///
/// # Errors
/// Those of [`Plan::allocate_on_grid`].
///
/// # Panics
/// Where an index lies outside the samples or the energies.
pub fn renyi_gradient<R: Trainable>(
    parameters: &Parameters,
    discretisation: &Discretisation<'_>,
    (order, energies): (f64, &[f64]),
    penalties: Penalties,
    batch: Batch<'_, R>,
) -> Result<LossGradient, Error> {
    let plan = discretisation.plan::<R>(parameters, batch.indices.len())?;
    let log_probs = log_probs(&plan, batch)?;
    let log_weights = batch.indices.iter().zip(log_probs).map(|(&i, log_prob)| -energies[i] - log_prob);
    let (weights, divergence) = shares(log_weights.map(|w| (order - 1.0) * w).collect());
    let objective = Objective::MaximumLikelihood;
    let loss =
        gradient_of_pieces(&plan, parameters, discretisation.nodes, &objective, penalties, &weights, batch);
    Ok(LossGradient { objective: divergence / (order - 1.0), ..loss })
}

/// The flow's log-densities of the minibatch, by the plan's grid.
fn log_probs<R: Trainable>(plan: &Plan<R, Vec<Block>>, batch: Batch<'_, R>) -> Result<Vec<f64>, Error> {
    let (each, n) = (plan.shape().coordinates(), batch.indices.len());
    let mut x = Vec::with_capacity(n * each);
    for &i in batch.indices {
        x.extend_from_slice(&batch.samples[i * each..(i + 1) * each]);
    }
    let mut log_probs = vec![R::from_f64(0.0); n];
    plan.log_prob(&x, &mut log_probs, None, &mut plan.allocate_workspace(n)?)?;
    Ok(log_probs.iter().map(|log_prob| log_prob.to_f64()).collect())
}

/// What each exponential has of the sum, and the logarithm of their mean.
fn shares(mut exponents: Vec<f64>) -> (Vec<f64>, f64) {
    let largest = exponents.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    for exponent in &mut exponents {
        *exponent = libm::exp(*exponent - largest);
    }
    let sum: f64 = exponents.iter().sum();
    let mean = libm::log(sum / exponents.len() as f64) + largest;
    exponents.iter_mut().for_each(|share| *share /= sum);
    (exponents, mean)
}

/// u of samples `[n][N][D]`.
pub fn energies<R: Trainable>(potential: &dyn Potential<R::Lanes>, shape: Shape, samples: &[R]) -> Vec<f64> {
    let each = shape.coordinates();
    let mut x = vec![R::Lanes::zero(); each];
    let mut energies = Vec::with_capacity(samples.len() / each);
    for group in samples.chunks(R::Lanes::WIDTH * each) {
        let count = group.len() / each;
        gather(group, |i| i.min(count - 1), &mut x).expect(COMPLETE);
        let u = potential.energy(shape, &x, None);
        energies.extend((0..count).map(|lane| u.lane(lane).to_f64()));
    }
    energies
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_sum_to_one_and_their_mean_is_that_of_the_exponentials() {
        let (shares, mean) = shares(vec![1000.0, 1000.0 + f64::ln(3.0)]);
        assert!((shares[0] - 0.25).abs() < 1e-12 && (shares[1] - 0.75).abs() < 1e-12, "{shares:?}");
        assert!((mean - 1000.0 - f64::ln(2.0)).abs() < 1e-12, "{mean}");
    }

    #[test]
    fn the_order_rises_from_one() {
        let renyi = Renyi { order: 2.0, ramp: [0.5, 1.0] };
        assert_eq!([0, 50, 75, 100].map(|i| renyi.at(i, 100)), [1.0, 1.0, 1.5, 2.0]);
        assert_eq!(Renyi::default().at(3, 100), 1.0);
    }
}
