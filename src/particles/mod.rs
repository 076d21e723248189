//! Geometry of N labelled particles on the subspace of zero centre of mass (CoM), and the prior density there.
//!
//! Functions are generic over [`Lanes`]: a scalar is one lane, so the same code serves one sample and a vector
//! of samples with the same bits.

use crate::field::Shape;
use crate::lanes::Lanes;

/// log(2 pi)
const LOG_2_PI: f64 = 1.837_877_066_409_345_5;

/// Coordinate `k` of the unweighted mean position of `x` (`[N][D]`), summed in particle order.
#[inline(always)]
pub fn mean<V: Lanes>(shape: Shape, x: &[V], k: usize) -> V {
    let mut sum = V::zero();
    for particle in x.chunks_exact(shape.dimension) {
        sum += particle[k];
    }
    sum / V::constant(shape.particles as f64)
}

/// Moves `x` (`[N][D]`) to zero centre of mass and writes the removed centre to `com` (`[D]`).
#[inline(always)]
pub fn remove_com<V: Lanes>(shape: Shape, x: &mut [V], com: &mut [V]) {
    for (k, com) in com.iter_mut().enumerate().take(shape.dimension) {
        *com = mean(shape, x, k);
        for particle in x.chunks_exact_mut(shape.dimension) {
            particle[k] -= *com;
        }
    }
}

/// Log-density of the standard normal on the zero-CoM subspace, -|z|^2/2 - (N-1) D/2 log 2 pi, at the projection
/// of `z` (`[N][D]`) to that subspace. Lebesgue measure induced by R^(ND).
#[inline(always)]
pub fn prior_log_prob<V: Lanes>(shape: Shape, z: &[V]) -> V {
    let mut square = V::zero();
    for k in 0..shape.dimension {
        let com = mean(shape, z, k);
        for particle in z.chunks_exact(shape.dimension) {
            let r = particle[k] - com;
            square += r * r;
        }
    }
    V::constant(-0.5) * square - V::constant(0.5 * LOG_2_PI * shape.free_dimension() as f64)
}

/// Writes the gradient of [`prior_log_prob`], -(z - com), to `gradient` (`[N][D]`).
#[inline(always)]
pub fn prior_gradient<V: Lanes>(shape: Shape, z: &[V], gradient: &mut [V]) {
    for k in 0..shape.dimension {
        let com = mean(shape, z, k);
        let particles = gradient.chunks_exact_mut(shape.dimension).zip(z.chunks_exact(shape.dimension));
        for (gradient, particle) in particles {
            gradient[k] = com - particle[k];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_two_pi_is_right() {
        assert!((LOG_2_PI - libm::log(2.0 * core::f64::consts::PI)).abs() <= f64::EPSILON);
    }

    #[test]
    fn a_single_particle_has_a_zero_dimensional_prior() {
        let shape = Shape { particles: 1, dimension: 3 };
        let mut x = [3.0, -2.0, 0.5];
        let mut com = [0.0; 3];
        remove_com(shape, &mut x, &mut com);
        assert_eq!((x, com), ([0.0; 3], [3.0, -2.0, 0.5]));
        assert_eq!(prior_log_prob(shape, &[3.0, -2.0, 0.5]), 0.0);
    }
}
