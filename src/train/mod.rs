//! Training: losses with exact gradients of their discretised form, AdamW, and a trainer that is honest about
//! likelihoods.
//!
//! The gradient is that of the numbers that the fixed grid computes (discretise, then optimise), by the adjoint
//! of the integrator in [`crate::integrate::rk4`]; memory is one state a step for each vector of samples.
//! [`continuous_loss_gradient`] is the alternative (optimise, then discretise): the continuous adjoint with adaptive
//! steps, which keeps no trajectory; [`Adjoint`] chooses for the trainer.
//! [`fit`] needs no optimiser: it finds W and b in closed form by flow matching, on [`pairs`] of prior draws and data.
//! Because an optimiser can exploit a coarse grid until the reported likelihood is one that no density has, the
//! [`Trainer`] compares the grid's log-likelihood with the converged one on held-out data as it goes, and only
//! certified parameters leave it.
//!
//! [`Tangent`] computes the field's divergence in the ways that the closed form makes superfluous, to compare with.

mod alignment;
mod assignment;
mod certify;
mod checkpoint;
mod config;
mod continuous;
mod divergence;
mod features;
mod field;
mod flow_matching;
mod gains;
mod likelihood;
mod loss;
mod minibatch;
mod optimizer;
mod pairing;
mod parameters;
mod piece;
mod precision;
mod pull_back;
mod quadrature;
mod renyi;
mod steps;
mod trainer;

pub use alignment::align;
pub use certify::{Certificate, CertifyTolerances, Distribution, Honesty, certify};
pub use checkpoint::CheckpointError;
pub use config::{Adjoint, Check, Mixture, TrainConfig, TrainError};
pub use continuous::{Continuous, continuous_loss_gradient};
pub use divergence::{Probe, Tangent};
pub use flow_matching::{Fit, FlowMatching, fit};
pub use likelihood::{Likelihood, likelihood};
pub use loss::{
    Batch, Discretisation, Evaluations, KlGradient, LossGradient, Objective, Penalties, loss_gradient,
};
pub use optimizer::{AdamW, Schedule};
pub use pairing::{Pairing, Pairs, pairs};
pub use parameters::{Group, Parameters};
pub use precision::Trainable;
pub use renyi::{Renyi, renyi_gradient};
pub use steps::StepControl;
pub use trainer::{Progress, Trainer, Verdict};
