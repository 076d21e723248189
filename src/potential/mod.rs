//! Benchmark potentials u(x) = E/tau in units of kT: energies and gradients for a vector of samples.

mod double_well;
mod lennard_jones;
mod softened;

pub use double_well::DoubleWell;
pub use lennard_jones::LennardJones;
pub use softened::Softened;

use crate::field::Shape;
use crate::lanes::Lanes;

/// Whether there is room for a gradient where it is wanted.
fn fits<V>(x: &[V], gradient: &Option<&mut [V]>) -> bool {
    gradient.as_ref().is_none_or(|gradient| gradient.len() == x.len())
}

/// A potential energy in units of kT.
pub trait Potential<V: Lanes>: Sync {
    /// Returns u(x) and, where `gradient` is given, writes its gradient; both `x` and it are `[N][D]`.
    ///
    /// Coincident particles exert no force on each other; their energy is the potential's limit, which may be
    /// infinite. NaN where the gradient is not as long as `x`.
    fn energy(&self, shape: Shape, x: &[V], gradient: Option<&mut [V]>) -> V;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gradient_of_another_length_makes_the_energy_nan() {
        let shape = Shape { particles: 2, dimension: 1 };
        let potentials: [&dyn Potential<f64>; 2] = [&DoubleWell::dw4(), &LennardJones::lj13()];
        for potential in potentials {
            let energy = |n: usize| potential.energy(shape, &[1.0, -1.0], Some(&mut vec![0.0; n]));
            assert!(energy(2).is_finite() && energy(1).is_nan() && energy(3).is_nan());
        }
    }
}
