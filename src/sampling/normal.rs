//! Quantiles of the standard normal distribution.

use core::f64::consts::{FRAC_1_SQRT_2, PI};

/// x with Phi(x) = p for 0 < p < 1, to rounding.
///
/// A rational start (Abramowitz and Stegun 1964, 26.2.23: 4.5e-4) and two steps of Halley's method, each of which
/// triples the correct digits.
pub(super) fn normal_quantile(p: f64) -> f64 {
    if p > 0.5 {
        // 1 - p is exact here, and the tail keeps its digits.
        return -normal_quantile(1.0 - p);
    }
    let t = libm::sqrt(-2.0 * libm::log(p));
    let numerator = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let denominator = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    let mut x = numerator / denominator - t;
    for _ in 0..2 {
        let excess = 0.5 * libm::erfc(-x * FRAC_1_SQRT_2) - p;
        let step = excess * libm::sqrt(2.0 * PI) * libm::exp(0.5 * x * x);
        x -= step / (1.0 + 0.5 * x * step);
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_tables() {
        // scipy.stats.norm.ppf (1.17), which is symmetric.
        let table = [
            (0.5, 0.0),
            (0.4, -0.253_347_103_135_799_8),
            (0.1, -1.281_551_565_544_600_4),
            (0.025, -1.959_963_984_540_054_5),
            (1e-6, -4.753_424_308_822_899),
            (1e-15, -7.941_345_326_170_998),
        ];
        for (p, x) in table {
            assert!((normal_quantile(p) - x).abs() < 4e-15 * (1.0 + x.abs()), "{p}: {}", normal_quantile(p));
            if p > 1e-7 {
                assert!((normal_quantile(1.0 - p) + x).abs() < 1e-9, "{p}");
            }
        }
    }
}
