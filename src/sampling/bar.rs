//! Free-energy differences from work values in both directions.

use super::error::{Error, check_each, check_length};
use super::statistics::Estimate;

/// The free-energy difference f_1 - f_0 = -log(Z_1 / Z_0) in kT by Bennett's acceptance ratio (J. Comput. Phys. 22, 245
/// (1976)): of all estimates from both sides the one of least variance.
///
/// `forward` holds u_1(x) - u_0(x) at samples x of state 0, `reverse` u_0(x) - u_1(x) at samples of state 1, in kT; work
/// along a path or through a map counts likewise, with minus its log-determinant. +infinity is a sample that the other
/// state never visits. The error is the asymptotic one for independent samples: thin Markov chains by their
/// autocorrelation time.
///
/// # Errors
/// An empty array; the first value that is NaN or -infinity; [`Error::NoWeight`] where all values of one side are
/// infinite.
pub fn bar(forward: &[f64], reverse: &[f64]) -> Result<Estimate, Error> {
    for (name, work) in [("forward", forward), ("reverse", reverse)] {
        if work.is_empty() {
            return Err(Error::Length { name, length: 0, demand: "at least 1" });
        }
        check_each(name, work, "finite or +infinity", |w| w.is_finite() || w == f64::INFINITY)?;
        if work.iter().all(|w| *w == f64::INFINITY) {
            return Err(Error::NoWeight { samples: work.len() });
        }
    }
    let offset = libm::log(forward.len() as f64 / reverse.len() as f64);
    let difference = root(|difference| {
        let sides = [Side::of(forward, offset - difference), Side::of(reverse, difference - offset)];
        (sides[0].sum - sides[1].sum, sides[0].slope() + sides[1].slope())
    });
    let relative = Side::of(forward, offset - difference).relative_variance()
        + Side::of(reverse, difference - offset).relative_variance();
    Ok(Estimate { value: difference, standard_error: libm::sqrt(relative) })
}

/// log Z of the target exp(-u) by Bennett's acceptance ratio between a normalised density such as a flow's, at whose
/// samples `energies` and `log_probs` (both `[n]`) are taken, and the target, at whose equilibrium samples
/// `target_energies` and `target_log_probs` (both `[m]`) are: bridge sampling (Meng and Wong, Statistica Sinica 6, 831
/// (1996)).
///
/// Where importance weights of the flow's samples have heavy tails, the target's own samples know what they miss.
///
/// # Errors
/// Different lengths; those of [`bar`].
pub fn bridge_log_z(
    (energies, log_probs): (&[f64], &[f64]),
    (target_energies, target_log_probs): (&[f64], &[f64]),
) -> Result<Estimate, Error> {
    check_length("log_probs", log_probs.len(), energies.len(), "that of the energies")?;
    let demand = "that of the target's energies";
    check_length("target_log_probs", target_log_probs.len(), target_energies.len(), demand)?;
    let forward: Vec<f64> = energies.iter().zip(log_probs).map(|(u, log_prob)| u + log_prob).collect();
    let reverse: Vec<f64> =
        target_energies.iter().zip(target_log_probs).map(|(u, log_prob)| -u - log_prob).collect();
    let Estimate { value, standard_error } = bar(&forward, &reverse)?;
    Ok(Estimate { value: -value, standard_error })
}

/// Fermi functions 1 / (1 + exp(w + shift)) of one side's work.
struct Side {
    sum: f64,
    square: f64,
    count: f64,
}

impl Side {
    fn of(work: &[f64], shift: f64) -> Self {
        let mut side = Side { sum: 0.0, square: 0.0, count: work.len() as f64 };
        for w in work {
            let fermi = 1.0 / (1.0 + libm::exp(w + shift));
            side.sum += fermi;
            side.square += fermi * fermi;
        }
        side
    }

    /// Derivative of `sum` with respect to minus the shift.
    fn slope(&self) -> f64 {
        self.sum - self.square
    }

    /// Variance of the mean Fermi function over the square of that mean.
    fn relative_variance(&self) -> f64 {
        (self.square / (self.sum * self.sum) - 1.0 / self.count).max(0.0)
    }
}

/// The root of a rising function, given with its slope, that has one: Newton's method inside a bracket.
fn root(function: impl Fn(f64) -> (f64, f64)) -> f64 {
    let (mut low, mut high) = (-1.0, 1.0);
    while function(low).0 > 0.0 {
        low *= 2.0;
    }
    while function(high).0 < 0.0 {
        high *= 2.0;
    }
    let mut at = 0.5 * (low + high);
    for _ in 0..200 {
        let (value, slope) = function(at);
        if value > 0.0 {
            high = at;
        } else {
            low = at;
        }
        let newton = at - value / slope;
        let next = if newton > low && newton < high { newton } else { 0.5 * (low + high) };
        if (next - at).abs() <= 4.0 * f64::EPSILON * (1.0 + at.abs()) {
            return next;
        }
        at = next;
    }
    at
}
