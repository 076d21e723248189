//! The Lennard-Jones cluster with a harmonic tether to the centre of mass.

use super::{Moved, Potential, coordinate, fits, pair_change};
use crate::error::{Argument, Error, Status};
use crate::field::{Shape, pair_potential};
use crate::lanes::{Lanes, Real};
use crate::particles::mean;

/// u = eps/(2 tau) sum_{i != j} [(r_m/d)^12 - 2 (r_m/d)^6] + k/(2 tau) sum_i |x_i - CoM|^2.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LennardJones<R> {
    /// Well depth of one pair.
    pub epsilon: R,
    /// Distance of the minimum.
    pub r_m: R,
    /// Spring constant k of the tether.
    pub oscillator: R,
    /// Temperature, kT in the energy's unit.
    pub tau: R,
}

impl<R: Real> LennardJones<R> {
    /// The benchmark LJ-13: epsilon = 2, r_m = 1, k = 1, tau = 1. The energies of Köhler, Klein, Noé 2020,
    /// table 1, follow from epsilon = 2, not from the 1 in the printed formula; the global minimum is -83.0896.
    pub fn lj13() -> Self {
        let [epsilon, r_m, oscillator, tau] = [2.0, 1.0, 1.0, 1.0].map(R::from_f64);
        LennardJones { epsilon, r_m, oscillator, tau }
    }

    /// Checks that every parameter is finite, and r_m and tau positive.
    ///
    /// # Errors
    /// Names the parameter at fault.
    pub fn check(&self) -> Result<(), Error> {
        let fields = [
            (Argument::Epsilon, self.epsilon),
            (Argument::RMin, self.r_m),
            (Argument::Oscillator, self.oscillator),
            (Argument::Tau, self.tau),
        ];
        for (argument, value) in fields {
            if !value.is_finite() {
                return Err(Error::new(Status::NonFinite, argument, value.to_f64()));
            }
        }
        for (argument, value) in [(Argument::RMin, self.r_m), (Argument::Tau, self.tau)] {
            if value.to_f64() <= 0.0 {
                return Err(Error::new(Status::Argument, argument, value.to_f64()));
            }
        }
        Ok(())
    }
}

impl<V: Lanes> Potential<V> for LennardJones<V::Real> {
    fn energy(&self, shape: Shape, x: &[V], gradient: Option<&mut [V]>) -> V {
        V::vectorize(
            #[inline(always)]
            || self.energy_lanes(shape, x, gradient),
        )
    }

    fn change(&self, shape: Shape, x: &[V], _: V, moved: Moved<'_, V>, _: &mut [V]) -> V {
        V::vectorize(
            #[inline(always)]
            || self.change_lanes(shape, x, moved),
        )
    }
}

impl<R: Real> LennardJones<R> {
    #[inline(always)]
    fn energy_lanes<V: Lanes<Real = R>>(&self, shape: Shape, x: &[V], mut gradient: Option<&mut [V]>) -> V {
        if !fits(x, &gradient) {
            return V::constant(f64::NAN);
        }
        let beta = V::constant(1.0) / V::splat(self.tau);
        let depth = V::splat(self.epsilon) * beta;
        let twelve_depth = V::constant(12.0) * depth;
        let r_m2 = V::splat(self.r_m) * V::splat(self.r_m);
        let spring = V::splat(self.oscillator) * beta;
        if self.epsilon.to_f64() == 0.0 {
            // Not zero times the infinite energy of coincident particles, which is NaN.
            if let Some(gradient) = gradient.as_deref_mut() {
                gradient.fill(V::zero());
            }
            return V::constant(0.5) * spring * tether(shape, spring, x, gradient);
        }
        let mut pairs = V::zero();
        pair_potential(
            shape,
            x,
            gradient.as_deref_mut(),
            #[inline(always)]
            |square| {
                let inverse = V::constant(1.0) / square;
                let s2 = r_m2 * inverse;
                let s6 = s2 * (s2 * s2);
                pairs += s6 * (s6 - V::constant(2.0));
                let force = twelve_depth * (s6 * (V::constant(1.0) - s6)) * inverse;
                // Bounded: an infinite force times a zero coordinate would be NaN.
                V::zero().select_less(square, force.bounded(), V::zero())
            },
        );
        depth * pairs + V::constant(0.5) * spring * tether(shape, spring, x, gradient)
    }

    #[inline(always)]
    fn change_lanes<V: Lanes<Real = R>>(&self, shape: Shape, x: &[V], moved: Moved<'_, V>) -> V {
        let beta = V::constant(1.0) / V::splat(self.tau);
        let spring = V::splat(self.oscillator) * beta;
        // A move by s takes the centre of mass along by s / N.
        let mut tether = V::zero();
        let kept = V::constant(1.0 - 1.0 / shape.particles as f64);
        for (k, &to) in moved.to.iter().enumerate() {
            let from = coordinate(shape, x, moved.particle, k);
            let s = to - from;
            tether += s * (V::constant(2.0) * (from - mean(shape, x, k)) + kept * s);
        }
        let tether = V::constant(0.5) * spring * tether;
        if self.epsilon.to_f64() == 0.0 {
            return tether;
        }
        let r_m2 = V::splat(self.r_m) * V::splat(self.r_m);
        let pair = |square: V| {
            let s2 = r_m2 / square;
            let s6 = s2 * (s2 * s2);
            s6 * (s6 - V::constant(2.0))
        };
        V::splat(self.epsilon) * beta * pair_change(shape, x, moved, pair) + tether
    }
}

/// Sum of |x_i - CoM|^2; adds spring (x_i - CoM) to the gradient.
#[inline(always)]
fn tether<V: Lanes>(shape: Shape, spring: V, x: &[V], mut gradient: Option<&mut [V]>) -> V {
    let mut square = V::zero();
    for k in 0..shape.dimension {
        let com = mean(shape, x, k);
        let mut gradients = gradient.as_deref_mut().unwrap_or_default().chunks_exact_mut(shape.dimension);
        for particle in x.chunks_exact(shape.dimension) {
            let r = particle[k] - com;
            square += r * r;
            if let Some(gradient) = gradients.next() {
                gradient[k] += spring * r;
            }
        }
    }
    square
}
