//! Models whose parameters a test may change: the golden ones, a trained one, and distortions of them.

use super::Golden;
use eqflow::field::Shape;
use eqflow::flow::{Model, Reals};
use eqflow::io::ModelFile;
use eqflow::radial::Basis;

/// A model and its arrays.
#[derive(Clone)]
pub struct Parameters {
    pub name: String,
    pub basis: Basis,
    pub shape: Shape,
    pub eps: f64,
    pub weights: Vec<f64>,
    pub bias: Vec<f64>,
    pub importance: Vec<f64>,
    pub mu: Vec<f64>,
    pub gamma: Vec<f64>,
    pub mu_time: Vec<f64>,
    pub gamma_time: Vec<f64>,
}

impl Parameters {
    fn copy(name: &str, model: &Model<'_>) -> Self {
        let all = |reals: Reals<'_>| reals.iter().collect::<Vec<f64>>();
        Parameters {
            name: name.to_string(),
            basis: model.basis,
            shape: model.shape,
            eps: model.eps,
            weights: all(model.weights),
            bias: model.bias.map_or(vec![0.0; model.n_time()], all),
            importance: model.importance.map_or(vec![0.0; model.n_radial()], all),
            mu: all(model.mu),
            gamma: all(model.gamma),
            mu_time: all(model.mu_time),
            gamma_time: all(model.gamma_time),
        }
    }

    pub fn golden(name: &'static str) -> Self {
        Parameters::copy(name, &Golden::load(name).model())
    }

    /// A DW-4 model after training: bandwidths from 0.0022 to 1.05.
    pub fn trained() -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/models/dw4-trained.eqf");
        Parameters::copy("trained", &ModelFile::open(path).unwrap().model())
    }

    /// An LJ-13 model after training, as the main job writes it.
    pub fn trained_lj13() -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/models/lj13-trained.eqf");
        Parameters::copy("trained LJ-13", &ModelFile::open(path).unwrap().model())
    }

    pub fn model(&self) -> Model<'_> {
        Model {
            basis: self.basis,
            shape: self.shape,
            weights: Reals::Native(&self.weights),
            bias: Some(Reals::Native(&self.bias)),
            importance: Some(Reals::Native(&self.importance)),
            mu: Reals::Native(&self.mu),
            gamma: Reals::Native(&self.gamma),
            mu_time: Reals::Native(&self.mu_time),
            gamma_time: Reals::Native(&self.gamma_time),
            eps: self.eps,
        }
    }

    /// A copy that `change` has changed.
    pub fn with(&self, what: &str, change: impl FnOnce(&mut Self)) -> Self {
        let mut changed = self.clone();
        change(&mut changed);
        changed.name = format!("{} {what}", self.name).trim_end().to_string();
        changed
    }

    /// The other basis with the same parameters.
    pub fn other_basis(&self) -> Self {
        let (what, basis) = match self.basis {
            Basis::Gaussian => ("as normalized", Basis::Normalized),
            Basis::Normalized => ("as gaussian", Basis::Gaussian),
        };
        self.with(what, |p| p.basis = basis)
    }

    /// Every bandwidth times `factor(m)`.
    pub fn with_bandwidths(&self, what: &str, factor: impl Fn(usize) -> f64) -> Self {
        self.with(what, |p| p.gamma.iter_mut().enumerate().for_each(|(m, gamma)| *gamma *= factor(m)))
    }

    /// The first function of distance alone.
    pub fn one_radial(&self) -> Self {
        self.with("M=1", |p| {
            let m = p.mu.len();
            p.weights = p.weights.iter().step_by(m).copied().collect();
            [&mut p.importance, &mut p.mu, &mut p.gamma].into_iter().for_each(|array| array.truncate(1));
        })
    }

    /// The first function of time alone.
    pub fn one_time(&self) -> Self {
        self.with("L=1", |p| {
            p.weights.truncate(p.mu.len());
            [&mut p.bias, &mut p.mu_time, &mut p.gamma_time].into_iter().for_each(|array| array.truncate(1));
        })
    }

    /// Every function of time `copies` times, with its share of the weights: the same phi, but for the regulariser.
    pub fn repeated_times(&self, copies: usize) -> Self {
        self.with(&format!("{copies} L"), |p| {
            [&mut p.weights, &mut p.bias].into_iter().flatten().for_each(|w| *w /= copies as f64);
            for array in [&mut p.weights, &mut p.bias, &mut p.mu_time, &mut p.gamma_time] {
                *array = array.repeat(copies);
            }
        })
    }

    /// The identity: phi vanishes.
    pub fn identity(&self) -> Self {
        self.with("identity", |p| {
            [&mut p.weights, &mut p.bias].into_iter().for_each(|array| array.fill(0.0));
        })
    }
}
