//! Importance reweighting of independent samples to an unnormalised target density, with error bars.

use super::error::{Error, check_each, check_length};
use super::statistics::{Estimate, standard_deviation};
use crate::parallel::map_indexed;
use crate::random::{Purpose, Stream};

/// The weights w = exp(-u(x)) / rho(x) of independent samples x drawn from the density rho.
///
/// They turn averages over rho into averages over the Boltzmann distribution exp(-u) / Z, and their mean is Z.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportanceWeights {
    /// w divided by the largest of them, so that none overflows.
    scaled: Vec<f64>,
    /// Logarithm of the largest weight.
    log_scale: f64,
}

impl ImportanceWeights {
    /// From log w = -u(x) - log rho(x), one a sample; -infinity (an infinite energy) is a weight of zero.
    ///
    /// # Errors
    /// [`Error::Value`] with the index of the first NaN or +infinity; [`Error::NoWeight`] where no sample has a
    /// positive weight, or there is none.
    pub fn new(log_weights: &[f64]) -> Result<Self, Error> {
        let demand = "finite or -infinity";
        check_each("log_weights", log_weights, demand, |w| w.is_finite() || w == f64::NEG_INFINITY)?;
        let log_scale = log_weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if log_scale == f64::NEG_INFINITY {
            return Err(Error::NoWeight { samples: log_weights.len() });
        }
        let scaled = log_weights.iter().map(|w| libm::exp(w - log_scale)).collect();
        Ok(ImportanceWeights { scaled, log_scale })
    }

    /// From the energies u(x) in units of kT and the log-densities log rho(x) at the same samples (both `[n]`).
    ///
    /// # Errors
    /// Those of [`ImportanceWeights::new`]; different lengths; an energy that is NaN or -infinity; a log-density
    /// that is not finite (a sample cannot have come from there).
    pub fn from_densities(energies: &[f64], log_probs: &[f64]) -> Result<Self, Error> {
        check_length("log_probs", log_probs.len(), energies.len(), "that of the energies")?;
        let demand = "finite or +infinity";
        check_each("energies", energies, demand, |u| u.is_finite() || u == f64::INFINITY)?;
        check_each("log_probs", log_probs, "finite", f64::is_finite)?;
        Self::new(&energies.iter().zip(log_probs).map(|(u, log_prob)| -u - log_prob).collect::<Vec<_>>())
    }

    /// As [`ImportanceWeights::from_densities`], but to exp(-u / T) for a `temperature` T in units of the energies' own:
    /// the flow's samples at another temperature.
    ///
    /// # Errors
    /// Those of [`ImportanceWeights::from_densities`]; a temperature that is not finite and above 0.
    pub fn from_densities_at(temperature: f64, energies: &[f64], log_probs: &[f64]) -> Result<Self, Error> {
        check_temperature("temperature", temperature)?;
        let scaled: Vec<f64> = energies.iter().map(|u| u / temperature).collect();
        Self::from_densities(&scaled, log_probs)
    }

    /// The weights exp(-(1/to - 1/from) u) that turn averages over equilibrium samples of exp(-u / `from`), such as those
    /// of Markov chains, into averages over exp(-u / `to`). Their log-mean ([`ImportanceWeights::log_z`]) is the
    /// logarithm of Z(to) / Z(from).
    ///
    /// The errors count the samples as independent.
    ///
    /// # Errors
    /// An energy that is not finite; a temperature that is not finite and above 0.
    pub fn between_temperatures(from: f64, to: f64, energies: &[f64]) -> Result<Self, Error> {
        check_temperature("from", from)?;
        check_temperature("to", to)?;
        check_each("energies", energies, "finite", f64::is_finite)?;
        let slope = 1.0 / from - 1.0 / to;
        Self::new(&energies.iter().map(|u| slope * u).collect::<Vec<_>>())
    }

    /// Number of samples, at least 1.
    #[allow(clippy::len_without_is_empty)] // never empty
    pub fn len(&self) -> usize {
        self.scaled.len()
    }

    /// The weights divided by their sum (`[n]`).
    pub fn normalized(&self) -> Vec<f64> {
        let sum: f64 = self.scaled.iter().sum();
        self.scaled.iter().map(|w| w / sum).collect()
    }

    /// Kish's effective sample size, (sum w)^2 / sum w^2, from 1 to n.
    pub fn effective_sample_size(&self) -> f64 {
        self.kish(0..self.len())
    }

    /// [`ImportanceWeights::effective_sample_size`] divided by n.
    pub fn effective_fraction(&self) -> f64 {
        self.effective_sample_size() / self.len() as f64
    }

    /// log Z, estimated as the logarithm of the mean weight.
    pub fn log_z(&self) -> f64 {
        self.log_mean(0..self.len())
    }

    /// log Z with the standard error of the delta method, sqrt(variance of w / n) / (mean of w); infinite for a
    /// single sample. Where few samples carry the weight, both it and the bootstrap are too small.
    pub fn log_z_by_delta(&self) -> Estimate {
        let n = self.len() as f64;
        let relative_variance = (n / self.effective_sample_size() - 1.0).max(0.0) / (n - 1.0);
        let standard_error = if self.len() == 1 { f64::INFINITY } else { libm::sqrt(relative_variance) };
        Estimate { value: self.log_z(), standard_error }
    }

    /// Reweighted mean of `observable` (`[n]`), sum w f / sum w. Values where the weight is zero do not count
    /// and may be anything (such as an infinite energy).
    ///
    /// # Errors
    /// A wrong length; the first NaN or infinite value whose weight is positive.
    pub fn expectation(&self, observable: &[f64]) -> Result<f64, Error> {
        Ok(self.ratio(&self.products(observable)?, 0..self.len()))
    }

    /// The same estimates with bootstrap errors (Efron 1979): the standard deviation over `replicates`
    /// resamples of n samples each. The replicate's index chooses its random stream.
    ///
    /// # Errors
    /// Fewer than two replicates.
    pub fn bootstrap(&self, replicates: usize, seed: u64) -> Result<Bootstrap<'_>, Error> {
        if replicates < 2 {
            return Err(Error::value("replicates", replicates as f64, "at least 2"));
        }
        Ok(Bootstrap { weights: self, replicates, seed })
    }

    /// The weights divided by the largest.
    pub(super) fn scaled(&self) -> &[f64] {
        &self.scaled
    }

    fn log_mean(&self, sample: impl Iterator<Item = usize>) -> f64 {
        let sum: f64 = sample.map(|i| self.scaled[i]).sum();
        self.log_scale + libm::log(sum / self.len() as f64)
    }

    fn kish(&self, sample: impl Iterator<Item = usize>) -> f64 {
        let (mut sum, mut square) = (0.0, 0.0);
        for i in sample {
            sum += self.scaled[i];
            square += self.scaled[i] * self.scaled[i];
        }
        sum * sum / square
    }

    fn ratio(&self, products: &[f64], sample: impl Iterator<Item = usize>) -> f64 {
        let (mut sum, mut product) = (0.0, 0.0);
        for i in sample {
            sum += self.scaled[i];
            product += products[i];
        }
        product / sum
    }

    /// w f, zero where w is.
    fn products(&self, observable: &[f64]) -> Result<Vec<f64>, Error> {
        check_length("observable", observable.len(), self.len(), "the number of samples")?;
        let mut products = Vec::with_capacity(self.len());
        for (index, (&w, &value)) in self.scaled.iter().zip(observable).enumerate() {
            if w > 0.0 && !value.is_finite() {
                return Err(Error::element("observable", index, value, "finite"));
            }
            products.push(if w > 0.0 { w * value } else { 0.0 });
        }
        Ok(products)
    }
}

fn check_temperature(name: &'static str, temperature: f64) -> Result<(), Error> {
    if temperature.is_finite() && temperature > 0.0 {
        return Ok(());
    }
    Err(Error::value(name, temperature, "finite and above 0"))
}

/// Estimates of [`ImportanceWeights`] with bootstrap errors.
///
/// An error is infinite where some resample holds no weight at all: too few samples carry it. Cost of each
/// estimate: n random draws a replicate.
#[derive(Clone, Copy, Debug)]
pub struct Bootstrap<'a> {
    weights: &'a ImportanceWeights,
    replicates: usize,
    seed: u64,
}

impl Bootstrap<'_> {
    /// [`ImportanceWeights::effective_sample_size`].
    pub fn effective_sample_size(&self) -> Estimate {
        self.estimate(self.weights.effective_sample_size(), |sample| self.weights.kish(sample))
    }

    /// [`ImportanceWeights::effective_fraction`].
    pub fn effective_fraction(&self) -> Estimate {
        let n = self.weights.len() as f64;
        let Estimate { value, standard_error } = self.effective_sample_size();
        Estimate { value: value / n, standard_error: standard_error / n }
    }

    /// [`ImportanceWeights::log_z`].
    pub fn log_z(&self) -> Estimate {
        self.estimate(self.weights.log_z(), |sample| self.weights.log_mean(sample))
    }

    /// [`ImportanceWeights::expectation`].
    ///
    /// # Errors
    /// As there.
    pub fn expectation(&self, observable: &[f64]) -> Result<Estimate, Error> {
        let products = self.weights.products(observable)?;
        let value = self.weights.ratio(&products, 0..self.weights.len());
        Ok(self.estimate(value, |sample| self.weights.ratio(&products, sample)))
    }

    fn estimate(&self, value: f64, statistic: impl Fn(Resample) -> f64 + Sync) -> Estimate {
        let values = map_indexed(self.replicates, |replicate| {
            let stream = Stream::new(self.seed, Purpose::Bootstrap, replicate as u64);
            statistic(Resample { stream, samples: self.weights.len(), drawn: 0 })
        });
        let complete = values.iter().all(|value| value.is_finite());
        let standard_error = if complete { standard_deviation(&values) } else { f64::INFINITY };
        Estimate { value, standard_error }
    }
}

/// Indices of one bootstrap replicate: as many draws with replacement as there are samples.
struct Resample {
    stream: Stream,
    samples: usize,
    drawn: usize,
}

impl Iterator for Resample {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        if self.drawn == self.samples {
            return None;
        }
        self.drawn += 1;
        Some(self.stream.next_below(self.samples as u64) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_one_two_three_are_worked_by_hand() {
        // Shifted far beyond the range of exp: only log Z may notice.
        let log_weights = [1.0_f64, 2.0, 3.0].map(|w| w.ln() + 5000.0);
        let weights = ImportanceWeights::new(&log_weights).unwrap();
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-11 * b.abs(), "{a} {b}");
        close(weights.effective_sample_size(), 36.0 / 14.0);
        close(weights.effective_fraction(), 12.0 / 14.0);
        close(weights.log_z(), 5000.0 + 2.0_f64.ln());
        close(weights.expectation(&[1.0, 2.0, 3.0]).unwrap(), 14.0 / 6.0);
        for (got, want) in weights.normalized().into_iter().zip([1.0 / 6.0, 2.0 / 6.0, 3.0 / 6.0]) {
            close(got, want);
        }
        // Variance 1 of three weights of mean 2.
        close(weights.log_z_by_delta().standard_error, (1.0_f64 / 3.0).sqrt() / 2.0);
    }

    #[test]
    fn infinite_energies_weigh_nothing() {
        let inf = f64::INFINITY;
        let weights = ImportanceWeights::from_densities(&[0.0, inf, 0.0], &[0.0; 3]).unwrap();
        assert_eq!(weights.normalized(), [0.5, 0.0, 0.5]);
        assert_eq!(weights.effective_sample_size(), 2.0);
        assert_eq!(weights.log_z(), libm::log(2.0 / 3.0));
        assert_eq!(weights.expectation(&[1.0, inf, 3.0]).unwrap(), 2.0);
        let refused = weights.expectation(&[1.0, 0.0, inf]).unwrap_err();
        assert_eq!(refused.to_string(), "observable[2] is inf, not finite");
    }

    #[test]
    fn what_is_not_a_weight_is_named() {
        let refused = |log_weights: &[f64]| ImportanceWeights::new(log_weights).unwrap_err();
        assert_eq!(refused(&[0.0, f64::NAN]).to_string(), "log_weights[1] is NaN, not finite or -infinity");
        assert!(matches!(refused(&[f64::INFINITY]), Error::Value { index: Some(0), .. }));
        assert_eq!(refused(&[]), Error::NoWeight { samples: 0 });
        assert_eq!(refused(&[f64::NEG_INFINITY; 2]), Error::NoWeight { samples: 2 });
        let densities = |u: f64, log_prob: f64| ImportanceWeights::from_densities(&[u], &[log_prob]);
        assert!(matches!(densities(f64::NEG_INFINITY, 0.0), Err(Error::Value { name: "energies", .. })));
        assert!(matches!(densities(0.0, f64::INFINITY), Err(Error::Value { name: "log_probs", .. })));
        assert!(matches!(densities(f64::INFINITY, f64::NEG_INFINITY), Err(Error::Value { .. })));
        assert!(matches!(ImportanceWeights::from_densities(&[0.0], &[]), Err(Error::Length { .. })));
        let weights = ImportanceWeights::new(&[0.0]).unwrap();
        assert!(matches!(weights.bootstrap(1, 0), Err(Error::Value { name: "replicates", .. })));
        assert!(matches!(weights.expectation(&[]), Err(Error::Length { .. })));
    }

    #[test]
    fn an_error_that_the_samples_cannot_tell_is_infinite() {
        assert_eq!(ImportanceWeights::new(&[1.0]).unwrap().log_z_by_delta().standard_error, f64::INFINITY);
        // Most resamples of 20 miss the only weight with probability (19/20)^20 = 0.36.
        let mut log_weights = [f64::NEG_INFINITY; 20];
        log_weights[7] = 0.0;
        let weights = ImportanceWeights::new(&log_weights).unwrap();
        let bootstrap = weights.bootstrap(100, 3).unwrap();
        assert_eq!(bootstrap.log_z().standard_error, f64::INFINITY);
        assert_eq!(bootstrap.effective_sample_size().standard_error, f64::INFINITY);
        assert_eq!(bootstrap.expectation(&[1.0; 20]).unwrap().standard_error, f64::INFINITY);
    }
}
