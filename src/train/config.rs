//! How a trainer trains, and what it refuses to start with.

use super::continuous::Continuous;
use super::loss::{KlGradient, Penalties};
use super::optimizer::{AdamW, Schedule};
use super::renyi::Renyi;
use super::steps::StepControl;
use crate::error::Error;
use core::fmt;
use serde::{Deserialize, Serialize};

/// How a [`super::Trainer`] trains.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainConfig {
    /// Minibatches in all.
    pub iterations: usize,
    /// Samples a minibatch.
    pub batch_size: usize,
    /// Base learning rate.
    pub learning_rate: f64,
    /// How the rate changes.
    pub schedule: Schedule,
    /// The optimiser with its decay, frozen groups and clipping.
    pub optimizer: AdamW,
    /// How much of the loss is the reverse Kullback-Leibler divergence.
    pub mixture: Mixture,
    /// Whether the rest of the loss is Rényi's divergence instead of the negative log-likelihood.
    pub renyi: Renyi,
    /// Penalties at the start; refusals double them.
    pub penalties: Penalties,
    /// How gradients are computed.
    pub adjoint: Adjoint,
    /// Decay of the exponential moving average of the parameters that is checked and handed out, 0 (no average) to
    /// below 1. It begins as a plain mean.
    pub average: f64,
    /// RK4 steps of the certificate's grid, and of the training grid where nothing asks for more; [`Adjoint::Continuous`]
    /// has no training grid.
    pub steps: usize,
    /// Whether the training grid may take more.
    pub step_control: Option<StepControl>,
    /// Each inner node of an iteration's grid moves by up to half this fraction of a step, 0 to 0.99: the
    /// optimiser cannot tune the field to one grid. Without effect on [`Adjoint::Continuous`].
    pub grid_jitter: f64,
    /// Radial bandwidths are kept at or above this length; 0 for no limit. Gaussians much narrower than the distance
    /// between their centres fit noise, and their tables are large.
    pub least_bandwidth: f64,
    /// The honesty rule.
    pub check: Check,
    /// Seed of minibatches and grids.
    pub seed: u64,
}

impl Default for TrainConfig {
    /// 8000 minibatches of 64, maximum likelihood, the penalty on step errors 3, 20 steps with jitter.
    fn default() -> Self {
        TrainConfig {
            iterations: 8_000,
            batch_size: 64,
            learning_rate: 0.02,
            schedule: Schedule::Cosine { warm_up: 50, floor: 0.02 },
            optimizer: AdamW::new(),
            mixture: Mixture::default(),
            renyi: Renyi::default(),
            penalties: Penalties { step_error: 3.0, ..Penalties::default() },
            adjoint: Adjoint::Discrete,
            average: 0.0,
            steps: 20,
            step_control: None,
            grid_jitter: 0.9,
            least_bandwidth: 0.0,
            check: Check { every: 500, gap_tolerance: 0.02, patience: 0 },
            seed: 1,
        }
    }
}

/// The loss (1 - lambda) NLL + lambda KL, the convex mixture of maximum likelihood and reverse Kullback-Leibler
/// divergence (energy-based training): lambda rises linearly while training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Mixture {
    /// lambda at the end, 0 to 1; above 0 the trainer needs a potential ([`super::Trainer::with_potential`]).
    pub lambda: f64,
    /// Fractions of the iterations between which lambda rises from 0.
    pub ramp: [f64; 2],
    /// Which estimator of the divergence's gradient.
    pub gradient: KlGradient,
}

impl Mixture {
    /// lambda at `iteration` (from 0) of `iterations`.
    pub fn at(&self, iteration: usize, iterations: usize) -> f64 {
        self.lambda * risen(self.ramp, iteration, iterations)
    }
}

/// 0 before the ramp, 1 after it.
pub(super) fn risen([from, to]: [f64; 2], iteration: usize, iterations: usize) -> f64 {
    let done = iteration as f64 / iterations.max(1) as f64;
    if done >= to { 1.0 } else { ((done - from) / (to - from)).max(0.0) }
}

/// How a gradient is computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Adjoint {
    /// That of the loss on the fixed grid, exactly: discretise, then optimise ([`super::loss_gradient`]).
    #[default]
    Discrete,
    /// That of the differential equation, to these tolerances: optimise, then discretise
    /// ([`super::continuous_loss_gradient`]). In double precision whatever that of the trainer, but for the potential.
    /// There is no grid whose step errors could be penalised: [`Penalties::step_error`] must be 0. A minibatch that
    /// does not converge within the step limit counts as divergence: the trainer returns to its last certified state.
    Continuous(Continuous),
}

/// When parameters are compared with their converged likelihood, and what they must satisfy.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// Iterations between checks; the last iteration is always checked.
    pub every: usize,
    /// Largest |converged - grid| held-out NLL, in nats, that is certified.
    pub gap_tolerance: f64,
    /// Checks in a row without a better certified NLL after which training stops; 0 for never.
    pub patience: usize,
}

/// Why training cannot start or has nothing to show.
#[derive(Clone, Debug, PartialEq)]
pub enum TrainError {
    /// A field of [`TrainConfig`] or the data is unusable: its name, and why.
    Config(&'static str, &'static str),
    /// The core refused.
    Core(Error),
    /// No parameters passed the check.
    NotCertified,
}

impl fmt::Display for TrainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TrainError::Config(name, why) => write!(f, "{name}: {why}"),
            TrainError::Core(error) => write!(f, "{error}"),
            TrainError::NotCertified => {
                write!(f, "no parameters passed the check of 20-step against converged likelihood")
            }
        }
    }
}

impl std::error::Error for TrainError {}

impl From<Error> for TrainError {
    fn from(error: Error) -> Self {
        TrainError::Core(error)
    }
}

impl TrainConfig {
    /// Checks ranges.
    pub(super) fn check_ranges(&self) -> Result<(), TrainError> {
        let not_negative = |v: f64| v.is_finite() && v >= 0.0;
        let rises = |[from, to]: [f64; 2]| 0.0 <= from && from <= to && to <= 1.0;
        let (continuous, solver) = match self.adjoint {
            Adjoint::Discrete => (false, Continuous::default()),
            Adjoint::Continuous(solver) => (true, solver),
        };
        let control = self.step_control.unwrap_or(StepControl { tolerance: 1.0, most: self.steps });
        let rules = [
            (self.batch_size > 0, "batch_size", "must be at least 1"),
            (self.steps > 0 && self.steps <= 65_536, "steps", "must be 1 to 65536"),
            (control.tolerance > 0.0, "step_control.tolerance", "must be positive"),
            ((self.steps..=65_536).contains(&control.most), "step_control.most", "must be `steps` to 65536"),
            (self.check.every > 0, "check.every", "must be at least 1"),
            (self.check.gap_tolerance > 0.0, "check.gap_tolerance", "must be positive"),
            (
                self.learning_rate.is_finite() && self.learning_rate > 0.0,
                "learning_rate",
                "must be finite and positive",
            ),
            ((0.0..=0.99).contains(&self.grid_jitter), "grid_jitter", "must lie between 0 and 0.99"),
            (not_negative(self.least_bandwidth), "least_bandwidth", "must be finite and not negative"),
            ((0.0..1.0).contains(&self.average), "average", "must be at least 0 and below 1"),
            ((0.0..=1.0).contains(&self.mixture.lambda), "mixture.lambda", "must lie between 0 and 1"),
            (rises(self.mixture.ramp), "mixture.ramp", "must be two fractions in rising order"),
            ((1.0..=2.0).contains(&self.renyi.order), "renyi.order", "must lie between 1 and 2"),
            (rises(self.renyi.ramp), "renyi.ramp", "must be two fractions in rising order"),
            (self.penalties.kinetic >= 0.0, "penalties.kinetic", "must not be negative"),
            (self.penalties.step_error >= 0.0, "penalties.step_error", "must not be negative"),
            (
                !continuous || self.penalties.step_error == 0.0,
                "penalties.step_error",
                "is that of an RK4 grid: must be 0 with the continuous adjoint",
            ),
            (
                !continuous || self.penalties.jacobian == 0.0,
                "penalties.jacobian",
                "is taken on an RK4 grid: must be 0 with the continuous adjoint",
            ),
            (
                !continuous || self.step_control.is_none(),
                "step_control",
                "is that of an RK4 grid: must be none with the continuous adjoint",
            ),
            (!continuous || self.renyi.order <= 1.0, "renyi.order", "must be 1 with the continuous adjoint"),
            (not_negative(solver.rtol), "adjoint.rtol", "must be finite and not negative"),
            (
                solver.atol.is_finite() && solver.atol >= f64::MIN_POSITIVE,
                "adjoint.atol",
                "must be finite and positive",
            ),
            (solver.max_steps > 0, "adjoint.max_steps", "must be at least 1"),
            (not_negative(self.penalties.jacobian), "penalties.jacobian", "must be finite and not negative"),
            (self.optimizer.clip_norm > 0.0, "optimizer.clip_norm", "must be positive"),
            (self.optimizer.decay.iter().all(|&d| d >= 0.0), "optimizer.decay", "must not be negative"),
        ];
        match rules.into_iter().find(|(holds, _, _)| !holds) {
            Some((_, name, why)) => Err(TrainError::Config(name, why)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lambda_rises_between_the_ends_of_its_ramp() {
        let mixture = Mixture { lambda: 0.5, ramp: [0.25, 0.75], ..Mixture::default() };
        let at = |iteration| mixture.at(iteration, 100);
        assert_eq!([at(0), at(25), at(50), at(75), at(100)], [0.0, 0.0, 0.25, 0.5, 0.5]);
        let at_once = Mixture { lambda: 1.0, ..Mixture::default() };
        assert_eq!(at_once.at(0, 100), 1.0);
    }
}
