//! Flow matching in closed form: the weights of the field that best follows straight paths from prior to data.

use super::alignment::check_finite;
use super::config::TrainError;
use super::features::{AddPairs, Gram};
use super::pairing::Pairs;
use super::parameters::{Group, Parameters};
use super::quadrature::gauss_legendre;
use crate::lanes::Isa;
use crate::parallel::map_each;
use crate::radial::{Kernel, SQRT_LOG2_E, reach, time_functions};
use nalgebra::{DMatrix, DVector};

/// Most nodes of the quadrature in time.
const MOST_NODES: usize = 1024;

/// The least-squares problem of flow matching (Lipman, Chen, Ben-Hamu, Nickel, Le, ICLR 2023), sample by sample.
///
/// Minimises over W and b the mean over pairs (z, x) and the integral over t of
/// |v((1 - t) z + t x, t) - (x - z)|^2. For given mu, gamma, mu^t and gamma^t the field is linear in W and b:
///
/// ```text
/// v(x,t) = sum_l R_l(t) [ b'_l Phi_0(x) + sum_m W_lm Phi_m(x) ],    b'_l = b_l + sum_m W_lm a_m^2,
/// Phi_m,i(x) = sum_{j != i} K_m(d_ij) (x_i - x_j),                  Phi_0: K = 1
/// ```
///
/// so the minimum is that of a quadratic form. At each node t_g of a Gauss-Legendre rule with weights w_g only the
/// Gram matrix S_g of the Phi is kept; the normal matrix is sum_g w_g R(t_g) R(t_g)^T (x) S_g, of size L (M + 1).
///
/// The time that a pair costs is that of M exponentials a pair of particles and (M + 2)^2 N D / 2 multiplications at
/// each node, the solution's (L (M + 1))^3 / 6. Memory: 32 (M + 2)^2 bytes a node. The result does not depend on the
/// number of threads.
#[derive(Clone, Debug)]
pub struct FlowMatching {
    functions: Functions,
    nodes: Vec<Node>,
    count: usize,
}

/// The functions of distance and time.
#[derive(Clone, Debug)]
struct Functions {
    parameters: Parameters,
    scale: Vec<f64>,
    time_scale: Vec<f64>,
}

impl Functions {
    fn new(parameters: &Parameters) -> Self {
        let scales = |group| parameters.group(group).iter().map(|&v| SQRT_LOG2_E / libm::exp(v)).collect();
        Functions {
            scale: scales(Group::LogGamma),
            time_scale: scales(Group::LogGammaTime),
            parameters: parameters.clone(),
        }
    }

    /// Without weights.
    fn kernel(&self) -> Kernel<'_, f64> {
        let mean = self.parameters.group(Group::Mu);
        Kernel {
            basis: self.parameters.basis(),
            eps: self.parameters.eps(),
            reach: reach(mean, &self.scale),
            mean,
            scale: &self.scale,
            time_mean: self.parameters.group(Group::MuTime),
            time_scale: &self.time_scale,
            level: &[],
            weights: &[],
        }
    }
}

/// One time of the quadrature.
#[derive(Clone, Debug)]
struct Node {
    t: f64,
    weight: f64,
    gram: Gram,
}

/// What flow matching found.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// The parameters with the weights and biases of the solution.
    pub parameters: Parameters,
    /// Mean over pairs and time of |v - (x - z)|^2, without the regularisation. Not 0 even with infinitely many
    /// functions: paths of different pairs cross.
    pub residual: f64,
    /// Mean over the pairs of |x - z|^2: the residual of the field 0.
    pub mean_square: f64,
    /// Pairs that went in.
    pub pairs: usize,
}

/// [`FlowMatching`] of all `pairs` with `nodes` times: W and b in closed form, everything else as in `parameters`.
///
/// `regularisation` is that of [`FlowMatching::solve`]. The result serves as a flow, and as a start of maximum
/// likelihood:
///
/// ```
/// use eqflow::field::Shape;
/// use eqflow::radial::Basis;
/// use eqflow::random::{Normals, Purpose, Stream, prior_sample};
/// use eqflow::train::{FlowMatching, Pairing, Parameters, fit, likelihood, pairs};
///
/// // Two particles on a line, three times as far apart as the prior puts them.
/// let shape = Shape { particles: 2, dimension: 1 };
/// let mut data = vec![0.0; 2 * 1000];
/// for (i, x) in data.chunks_exact_mut(2).enumerate() {
///     prior_sample(shape, &mut Normals::new(Stream::new(1, Purpose::Prior, i as u64)), x);
///     x.iter_mut().for_each(|x| *x *= 3.0);
/// }
/// let functions = Parameters::identity(Basis::Normalized, shape, (10, 10.0, 1.5), (4, 0.5));
/// let pairs = pairs(shape, &data, &Pairing::new(1))?;
/// let fit = fit(&functions, &pairs, FlowMatching::NODES, FlowMatching::REGULARISATION)?;
/// // The best possible is log(3 sqrt(2 pi e)) = 2.52, the prior's value 5.4.
/// assert!(likelihood(&fit.parameters, &data, 20)?.nll < 2.7);
/// // `Trainer::new(config, fit.parameters, &data, &held_out)` goes on from here.
/// # Ok::<(), eqflow::train::TrainError>(())
/// ```
///
/// # Errors
/// Those of [`FlowMatching::new`], [`FlowMatching::add`] and [`FlowMatching::solve`].
pub fn fit(
    parameters: &Parameters,
    pairs: &Pairs,
    nodes: usize,
    regularisation: f64,
) -> Result<Fit, TrainError> {
    if pairs.shape != parameters.shape() {
        return Err(TrainError::Config("pairs", "must have the N and D of the parameters"));
    }
    let mut problem = FlowMatching::new(parameters, nodes)?;
    problem.add(&pairs.z, &pairs.x)?;
    problem.solve(regularisation)
}

impl FlowMatching {
    /// Times that resolve time functions of bandwidth 0.15 and more: 64 give the same likelihoods to 4 digits.
    pub const NODES: usize = 16;
    /// The best held-out likelihoods of DW-4 and LJ-13 lie between 1e-4 and 1e-3; at 1e-8 the field becomes stiff, at
    /// 1e-1 too smooth.
    pub const REGULARISATION: f64 = 1e-3;

    /// The problem without samples: means, bandwidths and importances of `parameters`, on `nodes` times, 1 to 1024.
    ///
    /// # Errors
    /// [`TrainError::Config`] for `nodes`, [`TrainError::Core`] for the model.
    pub fn new(parameters: &Parameters, nodes: usize) -> Result<Self, TrainError> {
        parameters.with_model(|model| model.check())?;
        if nodes == 0 || nodes > MOST_NODES {
            return Err(TrainError::Config("nodes", "must be 1 to 1024"));
        }
        let node = |(t, weight)| Node { t, weight, gram: Gram::new(parameters.n_radial()) };
        Ok(FlowMatching {
            functions: Functions::new(parameters),
            nodes: gauss_legendre(nodes).into_iter().map(node).collect(),
            count: 0,
        })
    }

    /// Adds the pairs of prior draws `z` and data `x`, `[n][N][D]` both, of zero centre of mass.
    ///
    /// The same pairs in another order or in other portions give the same sums up to rounding. Threads share the
    /// times and not the pairs: their number changes nothing.
    ///
    /// # Errors
    /// [`TrainError::Config`] names the argument that is not a whole number of finite samples; nothing is added then.
    pub fn add(&mut self, z: &[f64], x: &[f64]) -> Result<(), TrainError> {
        let shape = self.functions.parameters.shape();
        if !z.len().is_multiple_of(shape.coordinates()) {
            return Err(TrainError::Config("z", "must hold a whole number of samples"));
        }
        if x.len() != z.len() {
            return Err(TrainError::Config("x", "must be as long as z"));
        }
        check_finite("z", z)?;
        check_finite("x", x)?;
        let kernel = self.functions.kernel();
        map_each(&mut self.nodes, |node| {
            let gram = &mut node.gram;
            Isa::best().run_at_fixed_width(AddPairs { gram, kernel, shape, t: node.t, z, x });
        });
        self.count += z.len() / shape.coordinates();
        Ok(())
    }

    /// Minimises the mean square residual + lambda (|W|^2 + |b'|^2), lambda = `regularisation` times the mean diagonal
    /// element of the normal matrix (Tikhonov).
    ///
    /// It keeps functions that no pair of particles has met at 0; [`FlowMatching::REGULARISATION`] is a good value. The
    /// importances do not matter to the field, only to the bias in which it is expressed: b_l = b'_l - sum_m W_lm a_m^2.
    ///
    /// # Errors
    /// [`TrainError::Config`] where `regularisation` is negative or not finite, where there are no pairs or their squares
    /// overflow, or where the normal matrix is singular to rounding because `regularisation` is too small.
    pub fn solve(&self, regularisation: f64) -> Result<Fit, TrainError> {
        if !(regularisation.is_finite() && regularisation >= 0.0) {
            return Err(TrainError::Config("regularisation", "must be finite and not negative"));
        }
        if self.count == 0 {
            return Err(TrainError::Config("pairs", "must hold at least one pair"));
        }
        let normal = self.normal_equations();
        if !(normal.mean_square.is_finite() && normal.matrix.iter().all(|v| v.is_finite())) {
            return Err(TrainError::Config("pairs", "are so far apart that their squares overflow"));
        }
        let size = normal.right_side.len();
        let lambda = regularisation * normal.matrix.diagonal().sum() / size as f64;
        let mut regularised = normal.matrix.clone();
        for i in 0..size {
            regularised[(i, i)] += lambda;
        }
        let solution = match regularised.cholesky() {
            Some(factor) => factor.solve(&normal.right_side),
            // No two particles were ever apart: the field is 0 whatever its weights.
            None if normal.matrix.diagonal().iter().all(|&v| v == 0.0) => DVector::zeros(size),
            None => return Err(TrainError::Config("regularisation", "is too small: a singular problem")),
        };
        Ok(Fit {
            parameters: self.with_weights(&solution),
            residual: normal.residual(&solution),
            mean_square: normal.mean_square,
            pairs: self.count,
        })
    }

    /// The normal equations of the mean over pairs and the integral over time.
    fn normal_equations(&self) -> NormalEquations {
        let Functions { parameters, .. } = &self.functions;
        let (n_time, features) = (parameters.n_time(), parameters.n_radial() + 1);
        let size = n_time * features;
        let mut normal = NormalEquations {
            matrix: DMatrix::zeros(size, size),
            right_side: DVector::zeros(size),
            mean_square: 0.0,
        };
        let mut time = vec![0.0; n_time];
        for node in &self.nodes {
            let weight = node.weight / self.count as f64;
            time_functions(&self.functions.kernel(), node.t, &mut time);
            let gram = DMatrix::from_fn(features, features, |i, j| weight * node.gram.product(i, j));
            for (k, &r_k) in time.iter().enumerate() {
                for (l, &r_l) in time.iter().enumerate() {
                    let mut block =
                        normal.matrix.view_mut((l * features, k * features), (features, features));
                    block.zip_apply(&gram, |sum, product| *sum += r_l * r_k * product);
                }
                for i in 0..features {
                    normal.right_side[k * features + i] += r_k * weight * node.gram.product(i, features);
                }
            }
            normal.mean_square += weight * node.gram.product(features, features);
        }
        normal
    }

    /// The parameters with W and b from a solution `[L][M + 1]`.
    fn with_weights(&self, solution: &DVector<f64>) -> Parameters {
        let mut parameters = self.functions.parameters.clone();
        let m = parameters.n_radial();
        let importance = parameters.group(Group::Importance).to_vec();
        for (l, row) in solution.as_slice().chunks_exact(m + 1).enumerate() {
            let (weights, level) = (&row[..m], row[m]);
            let shift: f64 = weights.iter().zip(&importance).map(|(w, a)| w * a * a).sum();
            parameters.group_mut(Group::Bias)[l] = level - shift;
            parameters.group_mut(Group::Weights)[l * m..(l + 1) * m].copy_from_slice(weights);
        }
        parameters
    }
}

/// A quadratic form: mean_square - 2 theta . right_side + theta . matrix theta.
struct NormalEquations {
    matrix: DMatrix<f64>,
    right_side: DVector<f64>,
    mean_square: f64,
}

impl NormalEquations {
    /// Its value, which rounding may push below 0 where it is far smaller than its terms.
    fn residual(&self, solution: &DVector<f64>) -> f64 {
        let image = &self.matrix * solution;
        (self.mean_square - 2.0 * solution.dot(&self.right_side) + solution.dot(&image)).max(0.0)
    }
}
