//! Weights of a population that moves along a path of densities: how far the next step may go, and who has offspring.

use crate::random::{Purpose, Stream};

/// exp of `log_weights` divided by their sum, and the logarithm of their mean.
pub(super) fn normalise(log_weights: &[f64]) -> (Vec<f64>, f64) {
    let largest = log_weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut weights: Vec<f64> = log_weights.iter().map(|w| libm::exp(w - largest)).collect();
    let sum: f64 = weights.iter().sum();
    weights.iter_mut().for_each(|w| *w /= sum);
    (weights, largest + libm::log(sum / log_weights.len() as f64))
}

/// Kish's effective sample size of normalised weights as a fraction of their number.
pub(super) fn effective_fraction(weights: &[f64]) -> f64 {
    1.0 / (weights.len() as f64 * weights.iter().map(|w| w * w).sum::<f64>())
}

/// The conditional effective sample size of a step that multiplies weights by exp(`step` x `slopes`), as a fraction:
/// (sum W w)^2 / sum W w^2 with the normalised `weights` W before it (Zhou, Johansen, Aston, "Toward automatic model
/// comparison", J. Comput. Graph. Stat. 25, 701 (2016), equation 3.16). It falls as the step grows.
pub(super) fn conditional_fraction(weights: &[f64], slopes: &[f64], step: f64) -> f64 {
    let carried = |&(w, _): &(&f64, &f64)| *w > 0.0;
    let pairs = || weights.iter().zip(slopes).filter(carried);
    let largest = pairs().fold(f64::NEG_INFINITY, |largest, (_, slope)| largest.max(step * slope));
    let (mut sum, mut square) = (0.0, 0.0);
    for (weight, slope) in pairs() {
        let factor = libm::exp(step * slope - largest);
        sum += weight * factor;
        square += weight * factor * factor;
    }
    sum * sum / square
}

/// The point after `lambda` at which the conditional effective sample size is `wanted`, at most 1; always beyond `lambda`.
pub(super) fn next_lambda(weights: &[f64], slopes: &[f64], lambda: f64, wanted: f64) -> f64 {
    /// Halvings after the decade has been found.
    const BISECTIONS: usize = 30;
    /// No first step is shorter than 10 to minus this.
    const DECADES: usize = 300;
    let reaches = |step: f64| conditional_fraction(weights, slopes, step) >= wanted;
    let mut long = 1.0 - lambda;
    if reaches(long) {
        return 1.0;
    }
    let mut short = 0.1 * long;
    for _ in 0..DECADES {
        if reaches(short) || lambda + short <= lambda {
            break;
        }
        (short, long) = (0.1 * short, short);
    }
    for _ in 0..BISECTIONS {
        let middle = 0.5 * (short + long);
        if reaches(middle) {
            short = middle;
        } else {
            long = middle;
        }
    }
    (lambda + short).max(lambda.next_up()).min(1.0)
}

/// Systematic resampling (Carpenter, Clifford, Fearnhead 1999): one parent for each place in a population of the
/// normalised `weights`, in rising order, so that number i has n W_i offspring up to rounding to a neighbouring whole
/// number. The one uniform number is that of (seed, [`Purpose::Population`], `stage`).
pub(super) fn systematic(weights: &[f64], seed: u64, stage: u64) -> Vec<usize> {
    let n = weights.len() as f64;
    let start = Stream::new(seed, Purpose::Population, stage).next_unit();
    let last = weights.iter().rposition(|w| *w > 0.0).unwrap_or(0);
    let (mut parent, mut reached) = (0, weights.first().copied().unwrap_or(0.0));
    (0..weights.len())
        .map(|place| {
            let mark = (place as f64 + start) / n;
            // Rounding of the sum must not lead to a parent without weight.
            while reached < mark && parent < last {
                parent += 1;
                reached += weights[parent];
            }
            parent
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditional_effective_sample_sizes_are_those_worked_by_hand() {
        // Factors 1 and 2: equal weights give (3/2)^2 / (5/2), weights 1/4 and 3/4 give (7/4)^2 / (13/4).
        let slopes = [0.0, 2.0_f64.ln()];
        // Numbers near 5000 are rounded to 9e-13.
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
        close(conditional_fraction(&[0.5, 0.5], &slopes, 1.0), 2.25 / 2.5);
        close(conditional_fraction(&[0.25, 0.75], &slopes, 1.0), 49.0 / 52.0);
        // Far beyond the range of exp, and one that carries nothing.
        close(conditional_fraction(&[0.5, 0.5, 0.0], &[5000.0, 5000.0 + slopes[1], 9e5], 1.0), 2.25 / 2.5);
        let (weights, log_mean) = normalise(&[5000.0, 5000.0 + 3.0_f64.ln()]);
        close(weights[1], 0.75);
        close(log_mean - 5000.0, 2.0_f64.ln());
        close(effective_fraction(&[0.5, 0.5, 0.0, 0.0]), 0.5);
    }

    #[test]
    fn the_next_point_meets_what_is_wanted_over_hundreds_of_orders_of_magnitude() {
        let weights = [0.25; 4];
        for scale in [1.0, 1e5, 1e40, 1e300] {
            let slopes = [0.0, -scale, 0.3 * scale, 2.0 * scale];
            let lambda = next_lambda(&weights, &slopes, 0.0, 0.9);
            let got = conditional_fraction(&weights, &slopes, lambda);
            assert!((got - 0.9).abs() < 1e-6, "{scale}: {lambda} {got}");
        }
        assert_eq!(next_lambda(&weights, &[0.0, 0.1, 0.2, 0.1], 0.3, 0.9), 1.0);
        // No step is short enough: it is still one.
        let lambda = next_lambda(&weights, &[0.0, -1e300, 0.0, 0.0], 0.5, 0.9);
        assert!(lambda > 0.5 && lambda < 0.5 + 1e-15);
    }

    #[test]
    fn offspring_are_as_many_as_weights_say() {
        let weights = [0.0, 0.35, 0.05, 0.0, 0.6, 0.0];
        let mut sums = [0.0; 6];
        let stages = 4000;
        for stage in 0..stages {
            let parents = systematic(&weights, 3, stage);
            assert!(parents.len() == 6 && parents.is_sorted());
            for (i, weight) in weights.iter().enumerate() {
                let offspring = parents.iter().filter(|parent| **parent == i).count() as f64;
                assert!((offspring - 6.0 * weight).abs() < 1.0, "{parents:?}");
                sums[i] += offspring;
            }
        }
        for (sum, weight) in sums.iter().zip(weights) {
            // Of two neighbouring whole numbers: variance at most 1/4.
            let deviation = sum / stages as f64 - 6.0 * weight;
            assert!(deviation.abs() < 3.5 * (0.25 / stages as f64).sqrt(), "{sums:?}");
        }
    }
}
