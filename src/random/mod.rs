//! Random numbers whose bits depend on seed, purpose and sample index alone.

mod normal;
mod stream;

pub use normal::Normals;
pub use stream::{Purpose, Stream, step_seed};

use crate::field::Shape;
use crate::lanes::Real;
use crate::particles::remove_com;

/// Writes one standard-normal draw on the zero-CoM subspace to `z` (`[N][D]`).
pub fn prior_sample<R: Real>(shape: Shape, normals: &mut Normals, z: &mut [R]) {
    for z in z.iter_mut() {
        *z = R::from_f64(normals.next_normal());
    }
    let mut com = [R::from_f64(0.0); 3];
    remove_com(shape, z, &mut com);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prior_samples_have_unit_variance_in_the_subspace_and_zero_com() {
        let shape = Shape { particles: 4, dimension: 2 };
        let n = 40_000;
        let mut square = 0.0;
        for i in 0..n {
            let mut z = [0.0_f64; 8];
            prior_sample(shape, &mut Normals::new(Stream::new(7, Purpose::Prior, i)), &mut z);
            for k in 0..2 {
                let com: f64 = (0..4).map(|p| z[2 * p + k]).sum();
                assert!(com.abs() < 1e-14);
            }
            square += z.iter().map(|v| v * v).sum::<f64>();
        }
        // |z|^2 is chi-squared with (N-1) D = 6 degrees of freedom: mean 6, variance 12.
        let standard_error = (12.0 / n as f64).sqrt();
        assert!((square / n as f64 - 6.0).abs() < 3.0 * standard_error);
    }
}
