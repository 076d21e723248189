//! Free energies of many states from all their samples together.

use super::error::{Error, check_each, check_length};
use super::statistics::Estimate;
use nalgebra::{DMatrix, DVector};

/// Largest relative error of the self-consistent equations that counts as solved.
const TOLERANCE: f64 = 1e-11;
const MOST_ITERATIONS: usize = 2_000;
/// States whose samples share less than this are not connected; the fraction is an eigenvalue's distance from 1.
const DISCONNECTED: f64 = 1e-9;

/// The multistate Bennett acceptance ratio (Shirts and Chodera, J. Chem. Phys. 129, 124105 (2008)) over K states, such as
/// the replicas of a ladder of temperatures, or a flow and its target.
///
/// State k is its reduced energy u_k, with weight exp(-u_k); a flow is a state too, of reduced energy -log rho and free
/// energy 0 beside the others' -log Z. A state without samples takes part as a place to reweight to.
///
/// Errors are the asymptotic ones for independent samples: thin Markov chains by their autocorrelation time.
#[derive(Clone, Debug)]
pub struct Mbar {
    /// -log Z of each state, relative to the first that has samples.
    free_energies: Vec<f64>,
    counts: Vec<f64>,
    /// Weights of all samples in each state, `[K][N]`; each state's add up to 1.
    weights: Vec<Vec<f64>>,
    /// Pseudo-inverse of 1 - B^T B with B = weights x sqrt(counts), among the states that have samples; none where
    /// these states fall apart.
    inverse: Option<DMatrix<f64>>,
}

impl Mbar {
    /// From the reduced energies of all N samples in all K states, `energies` (`[K][N]`, in kT), and how many of the
    /// samples each state has drawn, `counts` (`[K]`, adding up to N); which sample is whose does not matter. +infinity
    /// is a state that does not allow a sample. Cost: some ten passes of N K^2.
    ///
    /// # Errors
    /// No states or no samples; lengths that do not fit; the first energy that is NaN or -infinity; a sample that no
    /// state with samples allows; [`Error::NotConverged`].
    pub fn new(energies: &[f64], counts: &[usize]) -> Result<Self, Error> {
        let (states, samples) = (counts.len(), counts.iter().sum::<usize>());
        if samples == 0 {
            return Err(Error::Length {
                name: "counts",
                length: states,
                demand: "that of states with samples",
            });
        }
        check_length("energies", energies.len(), states * samples, "states times samples")?;
        check_each("energies", energies, "finite or +infinity", |u| u.is_finite() || u == f64::INFINITY)?;
        let rows: Vec<&[f64]> = energies.chunks_exact(samples).collect();
        let sampled: Vec<usize> = (0..states).filter(|&k| counts[k] > 0).collect();
        if let Some(lost) = (0..samples).find(|&n| sampled.iter().all(|&k| rows[k][n] == f64::INFINITY)) {
            let demand = "finite in a state with samples";
            return Err(Error::element("energies of sample", lost, f64::INFINITY, demand));
        }
        let counts: Vec<f64> = counts.iter().map(|&count| count as f64).collect();
        let mut free_energies = solve(&rows, &counts, &sampled)?;
        let mixture = log_mixture(&rows, &counts, &sampled, &free_energies);
        let mut weights = Vec::with_capacity(states);
        for (row, free_energy) in rows.iter().zip(&mut free_energies) {
            *free_energy = -log_sum(row.iter().zip(&mixture).map(|(u, m)| -u - m));
            weights.push(row.iter().zip(&mixture).map(|(u, m)| libm::exp(*free_energy - u - m)).collect());
        }
        let inverse = inverse(&weights, &counts, &sampled);
        Ok(Mbar { free_energies, counts, weights, inverse })
    }

    /// Number of states.
    pub fn states(&self) -> usize {
        self.free_energies.len()
    }

    /// f_`to` - f_`from` = -log(Z_to / Z_from) in kT.
    ///
    /// # Errors
    /// A state that does not exist, or that allows none of the samples.
    pub fn difference(&self, from: usize, to: usize) -> Result<Estimate, Error> {
        self.check_state("from", from)?;
        self.check_state("to", to)?;
        let [a, b] = [from, to].map(|state| &self.weights[state]);
        let contrast: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
        let value = self.free_energies[to] - self.free_energies[from];
        Ok(Estimate { value, standard_error: self.error(&contrast) })
    }

    /// Weights of all samples (`[N]`, in the order of the energies' columns) that turn their averages into those of
    /// `state`; they add up to 1.
    ///
    /// # Errors
    /// As [`Mbar::difference`].
    pub fn weights(&self, state: usize) -> Result<&[f64], Error> {
        self.check_state("state", state)?;
        Ok(&self.weights[state])
    }

    /// Mean of `observable` (`[N]`) in `state`; values where the weight is zero may be anything.
    ///
    /// # Errors
    /// As [`Mbar::difference`]; a wrong length; the first value that is not finite where the weight is positive.
    pub fn expectation(&self, state: usize, observable: &[f64]) -> Result<Estimate, Error> {
        let weights = self.weights(state)?;
        check_length("observable", observable.len(), weights.len(), "the number of samples")?;
        let mut value = 0.0;
        for (index, (&w, &a)) in weights.iter().zip(observable).enumerate() {
            if w > 0.0 && !a.is_finite() {
                return Err(Error::element("observable", index, a, "finite"));
            }
            value += if w > 0.0 { w * a } else { 0.0 };
        }
        let deviation = |(&w, &a): (&f64, &f64)| if w > 0.0 { w * (a - value) } else { 0.0 };
        let contrast: Vec<f64> = weights.iter().zip(observable).map(deviation).collect();
        Ok(Estimate { value, standard_error: self.error(&contrast) })
    }

    /// The overlap matrix (`[K][K]`): entry (i, j) is the probability that a sample that state i weighs came from state
    /// j. Neighbours on a ladder should share at least 0.03 (Klimovich, Shirts, Mobley 2015).
    pub fn overlap(&self) -> Vec<Vec<f64>> {
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let row = |a: &Vec<f64>| self.weights.iter().zip(&self.counts).map(|(b, n)| n * dot(a, b)).collect();
        self.weights.iter().map(row).collect()
    }

    fn check_state(&self, name: &'static str, state: usize) -> Result<(), Error> {
        if state >= self.states() {
            return Err(Error::value(name, state as f64, "a state"));
        }
        if !self.free_energies[state].is_finite() {
            return Err(Error::NoWeight { samples: self.weights[state].len() });
        }
        Ok(())
    }

    /// Standard error of the sum of `contrast` over the samples, a combination of columns of weights that adds up to
    /// zero: c^T (1 - W N W^T)^+ c of Shirts and Chodera's appendix D, turned by Woodbury's identity into a system of as
    /// many unknowns as states.
    fn error(&self, contrast: &[f64]) -> f64 {
        let Some(inverse) = &self.inverse else { return f64::INFINITY };
        let sampled = self.counts.iter().zip(&self.weights).filter(|(count, _)| **count > 0.0);
        let image = sampled.map(|(count, weights)| {
            libm::sqrt(*count) * weights.iter().zip(contrast).map(|(w, c)| w * c).sum::<f64>()
        });
        let image = DVector::from_iterator(inverse.nrows(), image);
        let direct: f64 = contrast.iter().map(|c| c * c).sum();
        libm::sqrt((direct + image.dot(&(inverse * &image))).max(0.0))
    }
}

/// log of the sum of exponentials; -infinity for none.
fn log_sum(logarithms: impl Iterator<Item = f64> + Clone) -> f64 {
    let largest = logarithms.clone().fold(f64::NEG_INFINITY, f64::max);
    if largest == f64::NEG_INFINITY {
        return largest;
    }
    largest + libm::log(logarithms.map(|l| libm::exp(l - largest)).sum())
}

/// log sum over the sampled states of N_k exp(f_k - u_k), one a sample.
fn log_mixture(rows: &[&[f64]], counts: &[f64], sampled: &[usize], free_energies: &[f64]) -> Vec<f64> {
    let shift: Vec<f64> = sampled.iter().map(|&k| libm::log(counts[k]) + free_energies[k]).collect();
    let of = |n: usize| log_sum(sampled.iter().zip(&shift).map(move |(&k, shift)| shift - rows[k][n]));
    (0..rows[0].len()).map(of).collect()
}

/// Free energies of the sampled states, the first of them 0: Newton's method on the convex function whose stationary
/// point they are, with a self-consistent step wherever that does better.
fn solve(rows: &[&[f64]], counts: &[f64], sampled: &[usize]) -> Result<Vec<f64>, Error> {
    let mut at = Iterate::new(rows, counts, sampled, vec![0.0; rows.len()]);
    for _ in 0..MOST_ITERATIONS {
        if at.residual() <= TOLERANCE {
            return Ok(at.free_energies);
        }
        let relaxed = Iterate::new(rows, counts, sampled, at.self_consistent(sampled));
        let newton = at.newton(counts, sampled).map(|f| Iterate::new(rows, counts, sampled, f));
        let before = at.residual();
        at = match newton {
            Some(newton) if newton.residual() < relaxed.residual() => newton,
            _ => relaxed,
        };
        // Rounding of the sums over very many samples is the floor.
        if before <= 1e3 * TOLERANCE && at.residual() >= 0.5 * before {
            return Ok(at.free_energies);
        }
    }
    Err(Error::NotConverged { iterations: MOST_ITERATIONS })
}

/// One step of the solution.
struct Iterate {
    free_energies: Vec<f64>,
    /// Weights of the samples in each sampled state, not yet normalised.
    weights: Vec<Vec<f64>>,
    /// Their sums, 1 at the solution.
    sums: Vec<f64>,
}

impl Iterate {
    fn new(rows: &[&[f64]], counts: &[f64], sampled: &[usize], free_energies: Vec<f64>) -> Self {
        let mixture = log_mixture(rows, counts, sampled, &free_energies);
        let weigh = |&k: &usize| -> Vec<f64> {
            let f = free_energies[k];
            rows[k].iter().zip(&mixture).map(|(u, m)| libm::exp(f - u - m)).collect()
        };
        let weights: Vec<Vec<f64>> = sampled.iter().map(weigh).collect();
        let sums = weights.iter().map(|weights| weights.iter().sum()).collect();
        Iterate { free_energies, weights, sums }
    }

    /// Largest logarithm of a sum, by magnitude: near the solution a sum's deviation from 1, and far away not small
    /// where the function is flat. Infinite where a sum is none.
    fn residual(&self) -> f64 {
        let worse = |worst: f64, sum: &f64| {
            let deviation = libm::log(*sum).abs();
            if deviation.is_finite() { worst.max(deviation) } else { f64::INFINITY }
        };
        self.sums.iter().fold(0.0, worse)
    }

    fn self_consistent(&self, sampled: &[usize]) -> Vec<f64> {
        let mut next = self.free_energies.clone();
        let first = libm::log(self.sums[0]);
        for (&k, sum) in sampled.iter().zip(&self.sums) {
            next[k] += first - libm::log(*sum);
        }
        next
    }

    /// Newton's step with the first state held.
    fn newton(&self, counts: &[f64], sampled: &[usize]) -> Option<Vec<f64>> {
        let states = sampled.len() - 1;
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let count = |i: usize| counts[sampled[i + 1]];
        let hessian = DMatrix::from_fn(states, states, |i, j| {
            let (a, b) = (&self.weights[i + 1], &self.weights[j + 1]);
            let diagonal = if i == j { count(i) * self.sums[i + 1] } else { 0.0 };
            diagonal - count(i) * count(j) * dot(a, b)
        });
        let gradient = DVector::from_fn(states, |i, _| count(i) * (1.0 - self.sums[i + 1]));
        let step = hessian.cholesky()?.solve(&gradient);
        let mut next = self.free_energies.clone();
        for (i, &k) in sampled[1..].iter().enumerate() {
            next[k] += step[i];
        }
        Some(next)
    }
}

/// Pseudo-inverse of 1 - B^T B, whose only null vector is that of normalisation where all states are connected.
fn inverse(weights: &[Vec<f64>], counts: &[f64], sampled: &[usize]) -> Option<DMatrix<f64>> {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let matrix = DMatrix::from_fn(sampled.len(), sampled.len(), |i, j| {
        let (k, l) = (sampled[i], sampled[j]);
        f64::from(u8::from(i == j)) - libm::sqrt(counts[k] * counts[l]) * dot(&weights[k], &weights[l])
    });
    let eigen = matrix.symmetric_eigen();
    let null = eigen.eigenvalues.iter().filter(|&&value| value < DISCONNECTED).count();
    let inverted = eigen.eigenvalues.map(|value| if value < DISCONNECTED { 0.0 } else { 1.0 / value });
    let vectors = &eigen.eigenvectors;
    (null == 1).then(|| vectors * DMatrix::from_diagonal(&inverted) * vectors.transpose())
}
