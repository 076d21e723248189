//! The flows that are measured: 50 radial and 10 time functions as in the paper, with small weights.

use eqflow::field::Shape;
use eqflow::flow::{Model, Reals};
use eqflow::lanes::Real;
use eqflow::radial::Basis;

pub const STEPS: usize = 20;

/// A name and N, D.
pub type System = (&'static str, Shape);

pub const DW4: System = ("dw4", Shape { particles: 4, dimension: 2 });
pub const LJ13: System = ("lj13", Shape { particles: 13, dimension: 3 });
pub const LJ55: System = ("lj55", Shape { particles: 55, dimension: 3 });

/// Evenly spaced means up to 8 and bandwidths of 0.4; the same parameters as in `benches/peers`.
pub struct Parameters {
    weights: Vec<f64>,
    mu: Vec<f64>,
    gamma: Vec<f64>,
    mu_time: Vec<f64>,
    gamma_time: Vec<f64>,
}

impl Parameters {
    pub fn new() -> Self {
        let (m, l) = (50, 10);
        Parameters {
            weights: (0..l * m).map(|i| 0.02 * (i as f64 * 0.7).sin()).collect(),
            mu: (0..m).map(|i| 8.0 * i as f64 / (m - 1) as f64).collect(),
            gamma: vec![0.4; m],
            mu_time: (0..l).map(|i| i as f64 / (l - 1) as f64).collect(),
            gamma_time: vec![0.2; l],
        }
    }

    pub fn model(&self, basis: Basis, shape: Shape) -> Model<'_> {
        Model {
            basis,
            shape,
            weights: Reals::Native(&self.weights),
            bias: None,
            importance: None,
            mu: Reals::Native(&self.mu),
            gamma: Reals::Native(&self.gamma),
            mu_time: Reals::Native(&self.mu_time),
            gamma_time: Reals::Native(&self.gamma_time),
            eps: 1e-6,
        }
    }
}

/// Coordinates spread evenly over (-2, 2) by the golden ratio: no one but the caches and predictors would notice.
pub fn latent<R: Real>(n: usize) -> Vec<R> {
    (0..n).map(|i| R::from_f64(4.0 * (i as f64 * 0.618_033_988_749_895).fract() - 2.0)).collect()
}
