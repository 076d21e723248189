//! Metastable states: which stationary points are minima, and which minima are the same up to symmetry.

use super::error::{Error, check_length};
use super::quench::Quenched;
use crate::field::Shape;
use crate::parallel::map_indexed;
use crate::potential::Potential;
use nalgebra::DMatrix;

/// Half the distance over which gradients are differenced, in the unit of length: the error of the Hessian, the
/// square of this times fourth derivatives, and the rounding of the gradient over this are both about 1e-7 relative.
const DIFFERENCE: f64 = 1e-4;

/// The smallest eigenvalue of the Hessian at the stationary configuration `x` (`[N][D]`), in kT per unit of length
/// squared, on the subspace orthogonal to translations and rotations: positive at a minimum, negative at a saddle.
///
/// The Hessian is that of central differences of the gradient. Cost: 2 N D gradients and O((N D)^3).
///
/// # Errors
/// A wrong length; a Hessian that is not finite (index: coordinate).
pub fn smallest_curvature(
    potential: &(impl Potential<f64> + ?Sized),
    shape: Shape,
    x: &[f64],
) -> Result<f64, Error> {
    check_length("x", x.len(), shape.coordinates(), "the coordinates of one sample")?;
    let mut hessian = hessian(potential, shape, x)?;
    // Free motions have curvature 0; lift them far above everything else.
    let free = free_motions(shape, x);
    let lift = 2.0 * hessian.norm() + 1.0;
    for motion in &free {
        let image = &hessian * motion;
        let own = motion.dot(&image);
        hessian -= &image * motion.transpose() + motion * image.transpose();
        hessian += motion * motion.transpose() * (own + lift);
    }
    if free.len() == x.len() {
        return Ok(f64::INFINITY);
    }
    Ok(hessian.symmetric_eigenvalues().min())
}

/// Symmetric part of the central differences of the gradient, `[N D][N D]`.
fn hessian(
    potential: &(impl Potential<f64> + ?Sized),
    shape: Shape,
    x: &[f64],
) -> Result<DMatrix<f64>, Error> {
    let n = x.len();
    let mut at = x.to_vec();
    let mut matrix = DMatrix::zeros(n, n);
    let mut gradients = [vec![0.0; n], vec![0.0; n]];
    for c in 0..n {
        for (gradient, sign) in gradients.iter_mut().zip([-1.0, 1.0]) {
            at[c] = x[c] + sign * DIFFERENCE;
            potential.energy(shape, &at, Some(gradient));
        }
        at[c] = x[c];
        for r in 0..n {
            let curvature = (gradients[1][r] - gradients[0][r]) / (2.0 * DIFFERENCE);
            if !curvature.is_finite() {
                return Err(Error::element("Hessian at x", c, curvature, "finite"));
            }
            matrix[(r, c)] += 0.5 * curvature;
            matrix[(c, r)] += 0.5 * curvature;
        }
    }
    Ok(matrix)
}

/// Orthonormal directions of the translations and of the rotations about the centre (fewer where a configuration
/// lies on a line or a point).
fn free_motions(shape: Shape, x: &[f64]) -> Vec<DMatrix<f64>> {
    let (n, dimension) = (x.len(), shape.dimension);
    let translation = |k: usize| DMatrix::from_fn(n, 1, |c, _| if c % dimension == k { 1.0 } else { 0.0 });
    let rotation = |a: usize, b: usize| {
        DMatrix::from_fn(n, 1, |c, _| {
            let particle = c - c % dimension;
            match c % dimension {
                k if k == a => -x[particle + b],
                k if k == b => x[particle + a],
                _ => 0.0,
            }
        })
    };
    let rotations = (0..dimension).flat_map(|a| (a + 1..dimension).map(move |b| (a, b)));
    let motions = (0..dimension).map(translation).chain(rotations.map(|(a, b)| rotation(a, b)));
    let mut basis: Vec<DMatrix<f64>> = Vec::new();
    for mut motion in motions {
        let size = motion.norm();
        for other in &basis {
            motion -= other * other.dot(&motion);
        }
        if motion.norm() > 1e-8 * size {
            basis.push(motion.normalize());
        }
    }
    basis
}

/// The distances of all ordered pairs, ascending: equal for configurations that differ by a permutation, rotation,
/// reflection or translation.
pub fn sorted_distances(shape: Shape, x: &[f64]) -> Vec<f64> {
    let particles: Vec<&[f64]> = x.chunks_exact(shape.dimension).collect();
    let mut distances = Vec::with_capacity(2 * shape.pairs());
    for (i, a) in particles.iter().enumerate() {
        for b in &particles[i + 1..] {
            let square = a.iter().zip(*b).map(|(a, b)| (a - b) * (a - b)).sum();
            distances.extend([libm::sqrt(square); 2]);
        }
    }
    distances.sort_by(f64::total_cmp);
    distances
}

/// A metastable state: a minimum of the potential and how many configurations were found in its basin.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// The configuration, `[N][D]`.
    pub x: Vec<f64>,
    /// Its energy in units of kT.
    pub energy: f64,
    /// How many of the quenched configurations are this minimum.
    pub count: usize,
    fingerprint: Vec<f64>,
}

/// Sorts quenched configurations into distinct minima, the lowest first.
///
/// Configurations that did not converge are left out, and so are saddles, whose smallest curvature
/// ([`smallest_curvature`]) is not above `least_curvature`. Two minima are the same where their
/// [`sorted_distances`] differ by at most `threshold` in the Euclidean norm (both in the unit of length).
///
/// The first found of several that are close to one another stands for them, so that a coarse threshold lets the count
/// depend on the order of the samples. Cost: one comparison of N (N - 1) distances
/// for each configuration and state, and one Hessian for each state.
///
/// # Errors
/// A negative `threshold`; those of [`smallest_curvature`].
pub fn distinct_minima(
    potential: &(impl Potential<f64> + ?Sized),
    shape: Shape,
    quenched: &[Quenched],
    threshold: f64,
    least_curvature: f64,
) -> Result<Vec<State>, Error> {
    if threshold.is_nan() || threshold < 0.0 {
        return Err(Error::value("threshold", threshold, "at least 0"));
    }
    let converged: Vec<&Quenched> = quenched.iter().filter(|found| found.converged).collect();
    let fingerprints = map_indexed(converged.len(), |i| sorted_distances(shape, &converged[i].x));
    let mut candidates: Vec<(State, bool)> = Vec::new();
    for (found, fingerprint) in converged.into_iter().zip(fingerprints) {
        match candidates.iter_mut().find(|(state, _)| is_within(threshold, &state.fingerprint, &fingerprint))
        {
            Some((state, _)) => state.count += 1,
            None => {
                let stable = smallest_curvature(potential, shape, &found.x)? > least_curvature;
                let state = State { x: found.x.clone(), energy: found.energy, count: 1, fingerprint };
                candidates.push((state, stable));
            }
        }
    }
    let stable = candidates.into_iter().filter(|(_, stable)| *stable);
    let mut states: Vec<State> = stable.map(|(state, _)| state).collect();
    states.sort_by(|a, b| a.energy.total_cmp(&b.energy));
    Ok(states)
}

fn is_within(threshold: f64, a: &[f64], b: &[f64]) -> bool {
    let mut square = 0.0;
    for (a, b) in a.iter().zip(b) {
        square += (a - b) * (a - b);
        if square > threshold * threshold {
            return false;
        }
    }
    true
}
