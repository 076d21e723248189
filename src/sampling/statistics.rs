//! Means of scalar series with their errors, and how long a series remembers.

use super::error::{Error, check_each};
use std::fmt;

/// A number and one standard deviation of its sampling distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The estimate.
    pub value: f64,
    /// Its standard error; infinite where the samples cannot tell.
    pub standard_error: f64,
}

impl fmt::Display for Estimate {
    /// `value +- standard error` with the decimals asked for, or else with two digits of the error.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = f.precision().unwrap_or_else(|| two_digits(self.standard_error));
        write!(f, "{:.decimals$} +- {:.decimals$}", self.value, self.standard_error)
    }
}

/// Decimals that show two significant digits of `error`; 6 where it has none.
fn two_digits(error: f64) -> usize {
    if !error.is_finite() || error <= 0.0 {
        return 6;
    }
    (1.0 - libm::floor(libm::log10(error))).clamp(0.0, 17.0) as usize
}

/// Mean of independent values and its standard error, sqrt(variance / n) with the unbiased variance.
///
/// # Errors
/// Fewer than two values, or the first that is NaN or infinite.
pub fn independent_mean(values: &[f64]) -> Result<Estimate, Error> {
    if values.len() < 2 {
        return Err(Error::Length { name: "values", length: values.len(), demand: "at least 2" });
    }
    check_each("values", values, "finite", f64::is_finite)?;
    let standard_error = standard_deviation(values) / libm::sqrt(values.len() as f64);
    Ok(Estimate { value: mean(values), standard_error })
}

/// Mean over `values` (`[chains][samples]`), with the error from the scatter of the chains' means: right for
/// independent chains however correlated each one is.
///
/// # Errors
/// As [`independent_mean`] for the chains; a length that is not a multiple of `chains`.
pub fn chain_mean(values: &[f64], chains: usize) -> Result<Estimate, Error> {
    let length = chain_length(values, chains)?;
    check_each("values", values, "finite", f64::is_finite)?;
    independent_mean(&values.chunks_exact(length).map(mean).collect::<Vec<_>>())
}

/// Integrated autocorrelation time of `values` (`[chains][samples]`) in units of their spacing:
/// tau = 1 + 2 sum over t of rho(t), so that n correlated values are worth n / tau independent ones.
///
/// The sum ends at the first window of at least 5 tau (Sokal, "Monte Carlo methods in statistical mechanics",
/// 1997, section 3, in his self-consistent way); the error is tau sqrt(2 (2 window + 1) / n) (Madras and Sokal
/// 1988). All chains share one mean and one autocovariance, so many short chains serve as one long one as long
/// as each is several windows long: a shorter one biases tau down. A slow mode that the series hardly feels is
/// missed: choose a thinning by the slowest average of interest, not by the energy (four particles in the double
/// well forget their energy in a tenth of the steps that their size |x|^2 takes). Cost: n times the window.
///
/// # Errors
/// [`Error::TooShort`] where the window does not close within half a chain (beyond, subtracting the mean of the
/// series itself makes any sum small); a constant series; a NaN or infinite
/// value; a length that is not a multiple of `chains`.
pub fn autocorrelation_time(values: &[f64], chains: usize) -> Result<Estimate, Error> {
    const WINDOW: f64 = 5.0;
    let length = chain_length(values, chains)?;
    check_each("values", values, "finite", f64::is_finite)?;
    let mean = mean(values);
    let deviation: Vec<f64> = values.iter().map(|value| value - mean).collect();
    let variance = autocovariance(&deviation, length, 0);
    if variance <= 0.0 {
        return Err(Error::value("variance of the values", variance, "above 0"));
    }
    let mut time = 1.0;
    for window in 1..=length / 2 {
        time += 2.0 * autocovariance(&deviation, length, window) / variance;
        if window as f64 >= WINDOW * time {
            let relative = libm::sqrt((4 * window + 2) as f64 / values.len() as f64);
            return Ok(Estimate { value: time, standard_error: time.abs() * relative });
        }
    }
    Err(Error::TooShort { length })
}

/// Sum over all chains of products `lag` apart. Not divided by the number of terms: the missing ones make the
/// noise at long lags small (Sokal 1997), and the common factor cancels.
pub(super) fn autocovariance(deviation: &[f64], length: usize, lag: usize) -> f64 {
    let chain = |chain: &[f64]| chain.iter().zip(&chain[lag..]).map(|(a, b)| a * b).sum::<f64>();
    deviation.chunks_exact(length).map(chain).sum()
}

/// Values a chain.
pub(super) fn chain_length(values: &[f64], chains: usize) -> Result<usize, Error> {
    if chains == 0 {
        return Err(Error::value("chains", 0.0, "at least 1"));
    }
    if values.is_empty() || !values.len().is_multiple_of(chains) {
        return Err(Error::Length {
            name: "values",
            length: values.len(),
            demand: "a multiple of the chains",
        });
    }
    Ok(values.len() / chains)
}

pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Square root of the unbiased variance; at least two values.
pub(super) fn standard_deviation(values: &[f64]) -> f64 {
    let mean = mean(values);
    let square: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    libm::sqrt(square / (values.len() - 1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Normals, Purpose, Stream};

    #[test]
    fn means_and_errors_are_those_worked_by_hand() {
        // Mean 3, squares 4 + 1 + 1 + 4 = 10, variance 10/4 over 5 values... sqrt(2.5 / 5).
        let estimate = independent_mean(&[1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        assert_eq!(estimate, Estimate { value: 3.0, standard_error: 0.5_f64.sqrt() });
        // Chain means 1.5 and 3.5: variance 2 over 2 chains.
        let estimate = chain_mean(&[1.0, 2.0, 3.0, 4.0], 2).unwrap();
        assert_eq!(estimate, Estimate { value: 2.5, standard_error: 1.0 });
    }

    #[test]
    fn an_estimate_shows_two_digits_of_its_error() {
        let estimate = Estimate { value: -22.541_509_6, standard_error: 0.012_34 };
        assert_eq!(estimate.to_string(), "-22.542 +- 0.012");
        assert_eq!(format!("{estimate:.5}"), "-22.54151 +- 0.01234");
        assert_eq!(Estimate { value: 1234.5, standard_error: 78.9 }.to_string(), "1234 +- 79");
        assert_eq!(Estimate { value: 1.0, standard_error: f64::INFINITY }.to_string(), "1.000000 +- inf");
    }

    #[test]
    fn autoregression_has_its_known_autocorrelation_time() {
        // x' = a x + noise has rho(t) = a^t and tau = (1 + a) / (1 - a).
        for (a, chains) in [(0.0, 1), (0.5, 1), (0.9, 1), (0.9, 20)] {
            let mut values = Vec::new();
            for chain in 0..chains {
                let mut normals = Normals::new(Stream::new(17, Purpose::Chain, chain));
                let mut x = normals.next_normal();
                for _ in 0..40_000 / chains {
                    x = a * x + libm::sqrt(1.0 - a * a) * normals.next_normal();
                    values.push(x);
                }
            }
            let tau = autocorrelation_time(&values, chains as usize).unwrap();
            let exact = (1.0 + a) / (1.0 - a);
            assert!((tau.value - exact).abs() < 3.0 * tau.standard_error, "{a}: {tau} against {exact}");
            assert!(tau.standard_error < 0.15 * exact);
        }
    }

    #[test]
    fn what_has_no_answer_is_an_error() {
        assert!(matches!(independent_mean(&[1.0]), Err(Error::Length { length: 1, .. })));
        assert!(matches!(independent_mean(&[1.0, f64::NAN]), Err(Error::Value { index: Some(1), .. })));
        assert!(matches!(chain_mean(&[1.0, 2.0, 3.0], 2), Err(Error::Length { .. })));
        assert!(matches!(chain_mean(&[1.0, 2.0], 0), Err(Error::Value { name: "chains", .. })));
        assert!(matches!(chain_mean(&[], 1), Err(Error::Length { length: 0, .. })));
        assert!(matches!(autocorrelation_time(&[2.0; 50], 1), Err(Error::Value { .. })));
        let ramp: Vec<f64> = (0..50).map(f64::from).collect();
        assert!(matches!(autocorrelation_time(&ramp[..10], 1), Err(Error::TooShort { length: 10 })));
    }
}
