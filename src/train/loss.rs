//! Maximum-likelihood and reverse-KL losses of a minibatch and their exact gradients.

use super::parameters::Parameters;
use super::piece::{Piece, SAMPLES};
use super::precision::Trainable;
use super::pull_back::Total;
use crate::error::Error;
use crate::flow::{Block, Config, Plan, RadialPath};
use crate::parallel::map_indexed;
use crate::potential::Potential;
use serde::{Deserialize, Serialize};

/// What is minimised, as a mean over the minibatch.
pub enum Objective<'a, V> {
    /// Minus the log-density of the samples: the batch holds configurations x.
    MaximumLikelihood,
    /// u(F(z)) - log_det, the reverse Kullback-Leibler divergence up to a constant: the batch holds latent z.
    ReverseKl(&'a dyn Potential<V>, KlGradient),
}

/// An estimator of the reverse Kullback-Leibler divergence's gradient; both have the same mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum KlGradient {
    /// Of u(F(z)) - log_det as it stands.
    #[default]
    Total,
    /// Through the samples' paths alone (Roeder, Wu, Duvenaud 2017): the score's own mean, 0, is left out, so the noise
    /// vanishes as the flow meets the target. It takes the score at F(z) by the same grid backwards, which agrees with
    /// the forward one to fourth order in the step, so this is not the exact gradient of the discretised loss; penalties
    /// are differentiated exactly.
    Path,
}

/// Weights of the penalties, each a mean over the minibatch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Penalties {
    /// Of the kinetic energy, the integral of |v|^2 over time.
    pub kinetic: f64,
    /// Of the sum of the squared RK4 step errors ([`crate::integrate::rk4::Penalty`]).
    pub step_error: f64,
    /// Of the integral over time of |dv/dx|^2, the squared Frobenius norm of the velocity's Jacobian (Finlay et al. 2020,
    /// who estimate it by Hutchinson's probes), in closed form ([`crate::field::JacobianNorm`]). Where it is 0 nothing
    /// of it is computed.
    pub jacobian: f64,
}

/// Samples `[n][N][D]` of which a minibatch takes those at `indices`.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a, R> {
    /// All samples, `[n][N][D]`.
    pub samples: &'a [R],
    /// Which of them.
    pub indices: &'a [usize],
}

/// A minibatch's loss and its gradient.
#[derive(Clone, Debug)]
pub struct LossGradient {
    /// Mean objective without penalties: for maximum likelihood the NLL in nats by the fixed grid.
    pub objective: f64,
    /// Mean of the weighted penalties.
    pub penalty: f64,
    /// Mean of the sum over steps of the squared step errors, without its weight ([`super::StepControl`]).
    pub step_error: f64,
    /// Gradient of objective + penalty in the trained coordinates ([`super::Group::ALL`]).
    pub gradient: Vec<f64>,
    /// What it took.
    pub evaluations: Evaluations,
}

/// Evaluations of the field, each of them for the whole minibatch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evaluations {
    /// Of velocity and divergence, on the way there.
    pub forward: usize,
    /// Of their transpose, on the way back: the continuous adjoint evaluates the velocity with it, the adjoint of a grid
    /// does not.
    pub backward: usize,
}

impl LossGradient {
    /// Adds `weight` times another.
    pub(super) fn add(&mut self, weight: f64, other: &LossGradient) {
        self.objective += weight * other.objective;
        self.penalty += weight * other.penalty;
        self.step_error += weight * other.step_error;
        self.gradient.resize(other.gradient.len(), 0.0);
        for (sum, term) in self.gradient.iter_mut().zip(&other.gradient) {
            *sum += weight * term;
        }
        self.evaluations.forward += other.evaluations.forward;
        self.evaluations.backward += other.evaluations.backward;
    }
}

/// How the flow's time and radial functions are discretised for a gradient.
#[derive(Clone, Copy, Debug)]
pub struct Discretisation<'a> {
    /// Nodes of the fixed grid, rising from 0 to 1.
    pub nodes: &'a [f64],
    /// How the radial functions are evaluated; [`RadialPath::Auto`] knows the size of the minibatch by itself.
    pub radial: RadialPath,
    /// Largest error of a compiled phi, relative to its largest magnitude.
    pub table_tolerance: f64,
}

impl<'a> Discretisation<'a> {
    /// The radial functions compiled to 1e-7 where that pays: far below the noise of a minibatch.
    pub const fn new(nodes: &'a [f64]) -> Self {
        Discretisation { nodes, radial: RadialPath::Auto { samples: 0 }, table_tolerance: 1e-7 }
    }

    /// The same with another way to evaluate the radial functions.
    pub const fn with_radial(mut self, radial: RadialPath) -> Self {
        self.radial = radial;
        self
    }

    /// A plan for this grid and a minibatch of so many samples.
    pub(super) fn plan<R: Trainable>(
        &self,
        parameters: &Parameters,
        samples: usize,
    ) -> Result<Plan<R, Vec<Block>>, Error> {
        let config = self.config(samples);
        parameters.with_model(|model| Plan::allocate_on_grid(model, &config, self.nodes))
    }

    fn config(&self, samples: usize) -> Config {
        let radial = match self.radial {
            // There, there again and back, at twice the price.
            RadialPath::Auto { .. } => RadialPath::Auto { samples: 4 * samples },
            chosen => chosen,
        };
        let table_tolerance = self.table_tolerance;
        Config { table_tolerance, ..Config::rk4(self.nodes.len().saturating_sub(1)).with_radial(radial) }
    }
}

/// Loss and gradient of a minibatch.
///
/// Computed in precision `R` and added up in double precision, piece by piece in a fixed order: the bits depend
/// neither on the number of threads nor on the instruction set. The gradient is that of the numbers that the loss
/// is computed with: with compiled radial functions it goes back through the tables and their compilation.
///
/// # Errors
/// Those of [`Plan::allocate_on_grid`].
///
/// # Panics
/// Where an index lies outside the samples.
pub fn loss_gradient<R: Trainable>(
    parameters: &Parameters,
    discretisation: &Discretisation<'_>,
    objective: &Objective<'_, R::Lanes>,
    penalties: Penalties,
    batch: Batch<'_, R>,
) -> Result<LossGradient, Error> {
    let plan = discretisation.plan::<R>(parameters, batch.indices.len())?;
    let weights = vec![1.0 / batch.indices.len().max(1) as f64; batch.indices.len()];
    Ok(gradient_of_pieces(&plan, parameters, discretisation.nodes, objective, penalties, &weights, batch))
}

/// Loss and gradient where the objective is a sum with these weights, one a sample of the minibatch.
pub(super) fn gradient_of_pieces<R: Trainable>(
    plan: &Plan<R, Vec<Block>>,
    parameters: &Parameters,
    nodes: &[f64],
    objective: &Objective<'_, R::Lanes>,
    penalties: Penalties,
    weights: &[f64],
    batch: Batch<'_, R>,
) -> LossGradient {
    let weight = 1.0 / batch.indices.len().max(1) as f64;
    let pieces: Vec<(&[usize], &[f64])> =
        batch.indices.chunks(SAMPLES).zip(weights.chunks(SAMPLES)).collect();
    let results = map_indexed(pieces.len(), |i| {
        let (indices, weights) = pieces[i];
        let batch = Batch { samples: batch.samples, indices };
        R::integrate(Piece { plan, objective, penalties, weights, weight, batch })
    });
    let total = Total::of::<R>(plan, results);
    let stages = 4 * (nodes.len() - 1);
    LossGradient {
        objective: total.objective,
        penalty: total.penalty,
        step_error: total.step_error,
        gradient: total.pull_back(parameters, plan, nodes),
        evaluations: Evaluations { forward: stages, backward: stages },
    }
}
