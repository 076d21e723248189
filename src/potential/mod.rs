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
