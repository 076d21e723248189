//! Owned parameters and the coordinates in which they are trained.

use crate::field::Shape;
use crate::flow::{Model, Reals};
use crate::radial::Basis;
use core::ops::Range;
use serde::{Deserialize, Serialize};

/// A group of parameters that share a weight decay and can be frozen together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// W, `[L][M]`.
    Weights,
    /// b, `[L]`.
    Bias,
    /// a, `[M]`.
    Importance,
    /// log gamma, `[M]`.
    LogGamma,
    /// log gamma^t, `[L]`.
    LogGammaTime,
    /// mu, `[M]`.
    Mu,
    /// mu^t, `[L]`.
    MuTime,
}

impl Group {
    /// All groups, in the order in which they follow each other in a vector of trained coordinates.
    pub const ALL: [Group; 7] = [
        Group::Weights,
        Group::Bias,
        Group::Importance,
        Group::LogGamma,
        Group::LogGammaTime,
        Group::Mu,
        Group::MuTime,
    ];

    /// Where this group lies in a vector of trained coordinates of M radial and L time functions.
    pub fn range(self, n_radial: usize, n_time: usize) -> Range<usize> {
        let (m, l) = (n_radial, n_time);
        let lengths = [l * m, l, m, m, l, m, l];
        let start = lengths[..self as usize].iter().sum();
        start..start + lengths[self as usize]
    }
}

/// A model's parameters, owned, in double precision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parameters {
    normalized: bool,
    particles: usize,
    dimension: usize,
    eps: f64,
    n_radial: usize,
    n_time: usize,
    /// Trained coordinates, groups in the order of [`Group::ALL`].
    coordinates: Vec<f64>,
}

impl Parameters {
    /// Copies a model's parameters; absent bias and importance become zeros.
    pub fn from_model(model: &Model<'_>) -> Self {
        let (m, l) = (model.n_radial(), model.n_time());
        let zeros = |n: usize| vec![0.0; n];
        let collect = |reals: Option<Reals<'_>>, n| reals.map_or(zeros(n), |r| r.iter().collect());
        let logarithms = |reals: Reals<'_>| reals.iter().map(libm::log).collect();
        let groups: [Vec<f64>; 7] = [
            model.weights.iter().collect(),
            collect(model.bias, l),
            collect(model.importance, m),
            logarithms(model.gamma),
            logarithms(model.gamma_time),
            model.mu.iter().collect(),
            model.mu_time.iter().collect(),
        ];
        Parameters {
            normalized: model.basis == Basis::Normalized,
            particles: model.shape.particles,
            dimension: model.shape.dimension,
            eps: model.eps,
            n_radial: m,
            n_time: l,
            coordinates: groups.concat(),
        }
    }

    /// The identity flow (all weights zero) with M means spread evenly over `[0, longest]` and L over `[0, 1]`.
    ///
    /// Bandwidths: `gamma` (length) and `gamma_time`. Importances start at 0.
    pub fn identity(
        basis: Basis,
        shape: Shape,
        (n_radial, longest, gamma): (usize, f64, f64),
        (n_time, gamma_time): (usize, f64),
    ) -> Self {
        let spread = |n: usize, end: f64| -> Vec<f64> {
            (0..n).map(|i| end * i as f64 / n.saturating_sub(1).max(1) as f64).collect()
        };
        Parameters::from_model(&Model {
            basis,
            shape,
            weights: Reals::Native(&vec![0.0; n_radial * n_time]),
            bias: None,
            importance: None,
            mu: Reals::Native(&spread(n_radial, longest)),
            gamma: Reals::Native(&vec![gamma; n_radial]),
            mu_time: Reals::Native(&spread(n_time, 1.0)),
            gamma_time: Reals::Native(&vec![gamma_time; n_time]),
            eps: 1e-6,
        })
    }

    /// N and D.
    pub fn shape(&self) -> Shape {
        Shape { particles: self.particles, dimension: self.dimension }
    }

    /// Which basis.
    pub fn basis(&self) -> Basis {
        if self.normalized { Basis::Normalized } else { Basis::Gaussian }
    }

    /// The normalisation's regulariser.
    pub fn eps(&self) -> f64 {
        self.eps
    }

    /// M.
    pub fn n_radial(&self) -> usize {
        self.n_radial
    }

    /// L.
    pub fn n_time(&self) -> usize {
        self.n_time
    }

    /// All trained coordinates, groups in the order of [`Group::ALL`] (bandwidths as logarithms).
    pub fn coordinates(&self) -> &[f64] {
        &self.coordinates
    }

    /// As [`Parameters::coordinates`], to change them.
    pub fn coordinates_mut(&mut self) -> &mut [f64] {
        &mut self.coordinates
    }

    /// One group's coordinates.
    pub fn group(&self, group: Group) -> &[f64] {
        &self.coordinates[group.range(self.n_radial, self.n_time)]
    }

    /// One group's coordinates, to change them.
    pub fn group_mut(&mut self, group: Group) -> &mut [f64] {
        let range = group.range(self.n_radial, self.n_time);
        &mut self.coordinates[range]
    }

    /// Widens radial bandwidths below `least` (a length; 0 for no limit) to it.
    pub fn limit_bandwidths(&mut self, least: f64) {
        let least = libm::log(least);
        self.group_mut(Group::LogGamma).iter_mut().for_each(|log_gamma| *log_gamma = log_gamma.max(least));
    }

    /// Calls `use_model` with these parameters as a model: bandwidths are the exponentials of their coordinates.
    pub fn with_model<T>(&self, use_model: impl FnOnce(&Model<'_>) -> T) -> T {
        let exponentials = |group| -> Vec<f64> { self.group(group).iter().map(|&v| libm::exp(v)).collect() };
        let (gamma, gamma_time) = (exponentials(Group::LogGamma), exponentials(Group::LogGammaTime));
        use_model(&Model {
            basis: self.basis(),
            shape: self.shape(),
            weights: Reals::Native(self.group(Group::Weights)),
            bias: Some(Reals::Native(self.group(Group::Bias))),
            importance: Some(Reals::Native(self.group(Group::Importance))),
            mu: Reals::Native(self.group(Group::Mu)),
            gamma: Reals::Native(&gamma),
            mu_time: Reals::Native(self.group(Group::MuTime)),
            gamma_time: Reals::Native(&gamma_time),
            eps: self.eps,
        })
    }
}
