//! Benchmark potentials u(x) = E/tau in units of kT: energies and gradients for a vector of samples.

mod double_well;
mod lennard_jones;
mod softened;

pub use double_well::DoubleWell;
pub use lennard_jones::LennardJones;
pub use softened::Softened;

use crate::field::Shape;
use crate::lanes::{Lanes, Real};

/// Whether there is room for a gradient where it is wanted.
fn fits<V>(x: &[V], gradient: &Option<&mut [V]>) -> bool {
    gradient.as_ref().is_none_or(|gradient| gradient.len() == x.len())
}

/// One particle of each lane in another place.
#[derive(Clone, Copy, Debug)]
pub struct Moved<'a, V> {
    /// Its number in each lane.
    pub particle: &'a [usize],
    /// Where it is then, `[D]`.
    pub to: &'a [V],
}

impl<V: Lanes> Moved<'_, V> {
    /// One in lanes where it is number `particle`, else zero.
    #[inline(always)]
    pub(crate) fn is(&self, particle: usize) -> V {
        let is = |i: usize| self.particle.get(i) == Some(&particle);
        V::from_fn(|i| V::Real::from_f64(f64::from(u8::from(is(i)))))
    }
}

/// Coordinate `k` of the particle with the given number in each lane of `x`.
#[inline(always)]
pub(crate) fn coordinate<V: Lanes>(shape: Shape, x: &[V], particle: &[usize], k: usize) -> V {
    let row = |i: usize| particle.get(i).and_then(|particle| x.get(particle * shape.dimension + k));
    V::from_fn(|i| row(i).map_or(V::Real::from_f64(f64::NAN), |x| x.lane(i)))
}

/// Change of a sum over pairs of `pair`, a function of squared distances.
#[inline(always)]
fn pair_change<V: Lanes>(shape: Shape, x: &[V], moved: Moved<'_, V>, pair: impl Fn(V) -> V) -> V {
    let mut from = [V::zero(); 3];
    for (k, from) in from.iter_mut().enumerate().take(shape.dimension) {
        *from = coordinate(shape, x, moved.particle, k);
    }
    let mut sum = V::zero();
    for (j, other) in x.chunks_exact(shape.dimension).enumerate() {
        let (mut old, mut new) = (V::zero(), V::zero());
        for ((&x, &from), &to) in other.iter().zip(&from).zip(moved.to) {
            old += (x - from) * (x - from);
            new += (x - to) * (x - to);
        }
        // Not with itself.
        sum += V::zero().select_less(moved.is(j), V::zero(), pair(new) - pair(old));
    }
    sum
}

/// A potential energy in units of kT.
pub trait Potential<V: Lanes>: Sync {
    /// Returns u(x) and, where `gradient` is given, writes its gradient; both `x` and it are `[N][D]`.
    ///
    /// Coincident particles exert no force on each other; their energy is the potential's limit, which may be
    /// infinite. NaN where the gradient is not as long as `x`.
    fn energy(&self, shape: Shape, x: &[V], gradient: Option<&mut [V]>) -> V;

    /// By how much the energy of `x`, which is `energy`, changes where one particle of each lane moves.
    ///
    /// This default evaluates the energy after the move, with `scratch` of x's length; potentials of pairs do it in N - 1
    /// pairs. NaN or plus infinity where the move leads to such an energy.
    fn change(&self, shape: Shape, x: &[V], energy: V, moved: Moved<'_, V>, scratch: &mut [V]) -> V {
        let width = shape.dimension.max(1);
        let rows = scratch.chunks_exact_mut(width).zip(x.chunks_exact(width)).enumerate();
        for (particle, (scratch, x)) in rows {
            let is: V = moved.is(particle);
            for ((scratch, &x), &to) in scratch.iter_mut().zip(x).zip(moved.to) {
                *scratch = V::zero().select_less(is, to, x);
            }
        }
        self.energy(shape, scratch, None) - energy
    }
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
