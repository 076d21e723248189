//! AdamW with decoupled weight decay a group, global-norm clipping and learning-rate schedules.

use super::parameters::{Group, Parameters};
use serde::{Deserialize, Serialize};

/// How the learning rate changes over the iterations.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Schedule {
    /// The same throughout.
    Constant,
    /// Rises linearly over `warm_up` iterations, then falls as half a cosine to `floor` times the base rate at
    /// the last iteration.
    Cosine {
        /// Iterations of linear rise.
        warm_up: usize,
        /// Final fraction of the base rate.
        floor: f64,
    },
}

impl Schedule {
    /// The factor on the base rate at `iteration` (from 0) of `iterations`.
    pub fn factor(&self, iteration: usize, iterations: usize) -> f64 {
        match *self {
            Schedule::Constant => 1.0,
            Schedule::Cosine { warm_up, .. } if iteration < warm_up => {
                (iteration + 1) as f64 / warm_up as f64
            }
            Schedule::Cosine { warm_up, floor } => {
                let whole = iterations.saturating_sub(warm_up).max(1) as f64;
                let done = ((iteration - warm_up) as f64 / whole).min(1.0);
                floor + (1.0 - floor) * 0.5 * (1.0 + libm::cos(core::f64::consts::PI * done))
            }
        }
    }
}

/// AdamW (Loshchilov and Hutter 2019) over the groups of [`Parameters`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdamW {
    /// Decay rates of the first and second moments.
    pub beta: [f64; 2],
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// Decoupled weight decay of each group, in the order of [`Group::ALL`].
    pub decay: [f64; 7],
    /// Groups that stay as they are, in the order of [`Group::ALL`].
    pub frozen: [bool; 7],
    /// Gradients with a larger norm (over the groups that move) are scaled down to it.
    pub clip_norm: f64,
    moments: [Vec<f64>; 2],
    updates: i32,
}

impl AdamW {
    /// The usual constants (0.9, 0.999, 1e-8), no decay, nothing clipped, means in distance and time frozen.
    pub fn new() -> Self {
        let mut frozen = [false; 7];
        frozen[Group::Mu as usize] = true;
        frozen[Group::MuTime as usize] = true;
        AdamW {
            beta: [0.9, 0.999],
            epsilon: 1e-8,
            decay: [0.0; 7],
            frozen,
            clip_norm: f64::INFINITY,
            moments: [Vec::new(), Vec::new()],
            updates: 0,
        }
    }

    /// Moves `parameters` one step against `gradient`; returns the gradient's norm before clipping.
    ///
    /// # Panics
    /// Where `gradient` has another length than the trained coordinates.
    pub fn step(&mut self, rate: f64, parameters: &mut Parameters, gradient: &[f64]) -> f64 {
        assert_eq!(gradient.len(), parameters.coordinates().len(), "one gradient element a coordinate");
        let moving: Vec<Group> = Group::ALL.into_iter().filter(|&g| !self.frozen[g as usize]).collect();
        let (m, l) = (parameters.n_radial(), parameters.n_time());
        let square: f64 = moving.iter().flat_map(|g| &gradient[g.range(m, l)]).map(|g| g * g).sum();
        let norm = libm::sqrt(square);
        let clip = if norm > self.clip_norm { self.clip_norm / norm } else { 1.0 };
        for moments in &mut self.moments {
            moments.resize(gradient.len(), 0.0);
        }
        self.updates = self.updates.saturating_add(1);
        let correction = self.beta.map(|beta| 1.0 - libm::pow(beta, f64::from(self.updates)));
        for group in moving {
            let decay = rate * self.decay[group as usize];
            for i in group.range(m, l) {
                let g = clip * gradient[i];
                let [first, second] = &mut self.moments;
                first[i] += (1.0 - self.beta[0]) * (g - first[i]);
                second[i] += (1.0 - self.beta[1]) * (g * g - second[i]);
                let root = libm::sqrt(second[i] / correction[1]) + self.epsilon;
                let value = &mut parameters.coordinates_mut()[i];
                *value -= rate * (first[i] / correction[0]) / root + decay * *value;
            }
        }
        norm
    }
}

impl Default for AdamW {
    fn default() -> Self {
        AdamW::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::Shape;
    use crate::radial::Basis;

    fn parameters() -> Parameters {
        let shape = Shape { particles: 2, dimension: 1 };
        Parameters::identity(Basis::Gaussian, shape, (2, 4.0, 1.0), (1, 0.5))
    }

    #[test]
    fn the_first_step_has_the_length_of_the_rate_and_frozen_groups_stay() {
        let (mut adam, before) = (AdamW::new(), parameters());
        let mut after = before.clone();
        let gradient = vec![3.0; before.coordinates().len()];
        adam.step(0.1, &mut after, &gradient);
        for group in Group::ALL {
            let moved = if adam.frozen[group as usize] { 0.0 } else { -0.1 };
            for (new, old) in after.group(group).iter().zip(before.group(group)) {
                assert!((new - old - moved).abs() < 1e-9, "{group:?}");
            }
        }
    }

    #[test]
    fn clipping_limits_the_norm_and_reports_it() {
        let mut adam = AdamW { clip_norm: 1e-12, epsilon: 1.0, ..AdamW::new() };
        let mut moved = parameters();
        let gradient = vec![5.0; moved.coordinates().len()];
        let norm = adam.step(1.0, &mut moved, &gradient);
        // 2 weights, 1 bias, 2 importances, 2 + 1 bandwidths move.
        assert!((norm - 5.0 * 8.0_f64.sqrt()).abs() < 1e-12);
        assert!((moved.group(Group::Weights)[0]).abs() < 1e-12);
    }

    #[test]
    fn decay_is_decoupled_from_the_gradient() {
        let mut adam = AdamW::new();
        adam.decay[Group::LogGamma as usize] = 0.5;
        let mut moved = parameters();
        moved.group_mut(Group::LogGamma).fill(2.0);
        let zeros = vec![0.0; moved.coordinates().len()];
        adam.step(0.1, &mut moved, &zeros);
        assert_eq!(moved.group(Group::LogGamma), [2.0 - 0.1 * 0.5 * 2.0; 2]);
    }

    #[test]
    fn cosine_rises_then_falls_to_its_floor() {
        let schedule = Schedule::Cosine { warm_up: 10, floor: 0.1 };
        assert_eq!(schedule.factor(0, 110), 0.1);
        assert_eq!(schedule.factor(9, 110), 1.0);
        assert_eq!(schedule.factor(10, 110), 1.0);
        assert!((schedule.factor(60, 110) - 0.55).abs() < 1e-12);
        assert!((schedule.factor(110, 110) - 0.1).abs() < 1e-12);
    }
}
