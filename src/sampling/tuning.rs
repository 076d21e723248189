//! The step size of a random walk.

use super::chains::{ChainConfig, Initial, sample_chains};
use super::error::Error;
use crate::field::Shape;
use crate::lanes::Real;
use crate::potential::Potential;

/// One step size that was tried.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepTrial {
    /// Standard deviation of the proposed move of each coordinate.
    pub step_size: f64,
    /// Fraction of the proposals after burn-in that were accepted.
    pub acceptance_rate: f64,
}

/// Outcome of [`tune_step_size`].
#[derive(Clone, Debug, PartialEq)]
pub struct StepTuning {
    /// Every step size of the grid, in its order.
    pub trials: Vec<StepTrial>,
    /// The one with the largest acceptance rate times step size; the first of equals.
    pub best: StepTrial,
}

/// Tries each step size of `grid` in a pilot run and picks the one that maximises acceptance rate times step
/// size, the rule of Köhler, Klein, Noé (2020). Every pilot runs as `config` says, but for its step size, and
/// with the same random numbers: the outcome depends on the seed alone. Cost: that of all pilot runs.
///
/// # Errors
/// An empty grid; those of [`sample_chains`].
pub fn tune_step_size<R: Real>(
    potential: &(impl Potential<R::Lanes> + ?Sized),
    shape: Shape,
    config: &ChainConfig,
    initial: Initial<'_, R>,
    grid: &[f64],
) -> Result<StepTuning, Error> {
    let mut trials = Vec::with_capacity(grid.len());
    for &step_size in grid {
        let pilot = ChainConfig { step_size, ..*config };
        let acceptance_rate = sample_chains(potential, shape, &pilot, initial, &|_| ())?.acceptance_rate;
        trials.push(StepTrial { step_size, acceptance_rate });
    }
    fastest(trials)
}

/// The trial with the largest acceptance rate times step size.
pub(super) fn fastest(trials: Vec<StepTrial>) -> Result<StepTuning, Error> {
    let speed = |trial: &StepTrial| trial.acceptance_rate * trial.step_size;
    let best =
        trials.iter().copied().reduce(|best, trial| if speed(&trial) > speed(&best) { trial } else { best });
    match best {
        Some(best) => Ok(StepTuning { trials, best }),
        None => Err(Error::Length { name: "grid", length: 0, demand: "at least 1" }),
    }
}
