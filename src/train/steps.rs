//! How many steps the training grid takes.

use serde::{Deserialize, Serialize};

/// More steps for the training grid while its own error estimate demands them.
///
/// The estimate is that of the step-error penalty: the square root of the mean over a minibatch of the sum over steps of
/// e_l^2 + |e_x|^2, with e = h/6 (k1 - k2 - k3 + k4) for the log-determinant's rate and the velocity
/// ([`crate::integrate::rk4::Penalty`]). e falls with the third power of the step, so its squares' sum with the fifth of
/// the number of steps. Smoothed over some five minibatches it is held at or below the tolerance: above it the grid gets
/// a quarter more steps, and it loses a fifth as soon as the estimate, scaled by that law to the fewer steps, is below
/// the tolerance by a margin.
///
/// With more steps the gradient is that of nearly the converged likelihood, so the optimiser has less to exploit. What is
/// certified does not change: the likelihood of [`super::TrainConfig::steps`], which is the grid that the flow will be
/// used with. Parameters that only a finer grid integrates well are refused like others, and the penalties double;
/// [`super::Verdict::steps`] tells how many steps training took, if `steps` should be raised instead.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepControl {
    /// Largest estimate, in nats for the log-determinant and in units of length for positions.
    pub tolerance: f64,
    /// Most steps; at least [`super::TrainConfig::steps`], which are the fewest.
    pub most: usize,
}

/// The steps of the training grid and what is known of their errors.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct GridSteps {
    pub count: usize,
    /// Smoothed square of the estimate at this number of steps; `None` until there is one.
    square: Option<f64>,
}

/// Share of a new estimate in the smoothed one.
const SHARE: f64 = 0.2;
/// Factor between two numbers of steps.
const RATIO: f64 = 1.25;
/// Order in the number of steps of the squares' sum.
const ORDER: f64 = 5.0;
/// Fraction of the tolerance's square below which the squares' sum must be expected for fewer steps to be taken.
const MARGIN: f64 = 0.5;

impl GridSteps {
    pub fn new(count: usize) -> Self {
        GridSteps { count, square: None }
    }

    /// Takes note of a minibatch's squares' sum, and changes the number of steps if it has to; `fewest` is its lower bound.
    pub fn observe(&mut self, control: StepControl, fewest: usize, square: f64) {
        if !square.is_finite() {
            *self = GridSteps::new(more(self.count).min(control.most));
            return;
        }
        let smoothed = self.square.map_or(square, |before| before + SHARE * (square - before));
        self.square = Some(smoothed);
        let allowed = control.tolerance * control.tolerance;
        let fewer = ((self.count as f64 / RATIO) as usize).max(fewest);
        if smoothed > allowed {
            self.change(more(self.count).min(control.most), smoothed);
        } else if self.expected(fewer, smoothed) <= MARGIN * allowed {
            self.change(fewer, smoothed);
        }
    }

    /// The squares' sum with `count` steps where it is `square` with those of now.
    fn expected(&self, count: usize, square: f64) -> f64 {
        square * libm::pow(self.count as f64 / count as f64, ORDER)
    }

    fn change(&mut self, count: usize, square: f64) {
        *self = GridSteps { count, square: Some(self.expected(count, square)) };
    }
}

fn more(count: usize) -> usize {
    libm::ceil(RATIO * count as f64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTROL: StepControl = StepControl { tolerance: 0.1, most: 80 };

    /// The number of steps after observing a field whose squares' sum is `square` with one step.
    fn settled(mut steps: GridSteps, square: f64) -> GridSteps {
        for _ in 0..200 {
            let at_count = square * (steps.count as f64).powi(-5);
            steps.observe(CONTROL, 20, at_count);
        }
        steps
    }

    #[test]
    fn steps_rise_until_the_estimate_allows_and_return() {
        let at_20 = 0.01 * 20.0_f64.powi(5);
        let quiet = settled(GridSteps::new(20), 0.9 * at_20);
        assert_eq!(quiet.count, 20);
        // At 25 steps the squares' sum is 3 times smaller.
        let risen = settled(quiet, 2.0 * at_20);
        assert_eq!(risen.count, 25);
        let most = settled(risen, 1e6 * at_20);
        assert_eq!(most.count, 80);
        // Just allowed at 20 steps, but not by the margin: 25 it stays.
        assert_eq!(settled(risen, 0.9 * at_20).count, 25);
        assert_eq!(settled(most, 0.4 * at_20).count, 20);
    }

    #[test]
    fn an_estimate_beyond_all_numbers_asks_for_more_steps_and_leaves_no_trace() {
        let mut steps = settled(GridSteps::new(20), 1.0);
        steps.observe(CONTROL, 20, f64::INFINITY);
        assert_eq!(steps, GridSteps::new(25));
        steps.observe(CONTROL, 20, f64::NAN);
        steps.observe(CONTROL, 20, 0.0);
        assert!(steps.count < 32 && steps.square == Some(0.0));
    }
}
