//! Gauss-Legendre quadrature on the unit interval.

/// Nodes and weights of the `n`-point rule on `[0, 1]`, exact for polynomials up to degree 2n - 1.
///
/// Newton's method on the Legendre polynomial from Tricomi's estimate of its roots (Davis and Rabinowitz, Methods of
/// Numerical Integration, 1984).
pub fn gauss_legendre(n: usize) -> Vec<(f64, f64)> {
    (0..n)
        .map(|i| {
            let mut x = libm::cos(core::f64::consts::PI * (i as f64 + 0.75) / (n as f64 + 0.5));
            let mut slope = 1.0;
            for _ in 0..NEWTON_STEPS {
                let (value, derivative) = legendre(n, x);
                slope = derivative;
                x -= value / derivative;
            }
            // On [-1, 1] the weight is 2 / ((1 - x^2) P'^2), and the interval has twice the length.
            (0.5 * (1.0 - x), 1.0 / ((1.0 - x * x) * slope * slope))
        })
        .collect()
}

/// Quadratic convergence from an estimate that is good to 4 digits or more.
const NEWTON_STEPS: usize = 5;

/// P_n and its derivative at `x`, |x| < 1, by the three-term recurrence.
fn legendre(n: usize, x: f64) -> (f64, f64) {
    let (mut before, mut value) = (0.0, 1.0);
    for k in 0..n {
        let k = k as f64;
        (before, value) = (value, ((2.0 * k + 1.0) * x * value - k * before) / (k + 1.0));
    }
    (value, n as f64 * (x * value - before) / (x * x - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polynomials_up_to_the_highest_degree_are_integrated_exactly() {
        for n in [1, 2, 3, 8, 32, 64] {
            let rule = gauss_legendre(n);
            assert!(rule.windows(2).all(|pair| pair[0].0 < pair[1].0), "nodes rise");
            assert!(rule.iter().all(|&(t, w)| t > 0.0 && t < 1.0 && w > 0.0));
            for degree in 0..2 * n {
                let integral: f64 = rule.iter().map(|&(t, w)| w * t.powi(degree as i32)).sum();
                assert!((integral * (degree as f64 + 1.0) - 1.0).abs() < 1e-12, "n {n} degree {degree}");
            }
        }
    }
}
