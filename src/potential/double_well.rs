//! The pairwise double well of Köhler, Klein, Noé 2020 (appendix B).

use super::{Moved, Potential, fits, pair_change};
use crate::error::{Argument, Error, Status};
use crate::field::{Shape, pair_potential};
use crate::lanes::{Lanes, Real};

/// u = 1/(2 tau) sum_{i != j} [a (d - d0) + b (d - d0)^2 + c (d - d0)^4].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DoubleWell<R> {
    /// Linear coefficient.
    pub a: R,
    /// Quadratic coefficient.
    pub b: R,
    /// Quartic coefficient.
    pub c: R,
    /// Distance of the barrier's top.
    pub d0: R,
    /// Temperature, kT in the energy's unit.
    pub tau: R,
}

impl<R: Real> DoubleWell<R> {
    /// The parameters of the benchmark systems DW-2 and DW-4: a = 0, b = -4, c = 0.9, d0 = 4, tau = 1.
    pub fn dw4() -> Self {
        let [a, b, c, d0, tau] = [0.0, -4.0, 0.9, 4.0, 1.0].map(R::from_f64);
        DoubleWell { a, b, c, d0, tau }
    }

    /// Checks that every parameter is finite and tau positive.
    ///
    /// # Errors
    /// Names the parameter at fault.
    pub fn check(&self) -> Result<(), Error> {
        let fields = [
            (Argument::WellA, self.a),
            (Argument::WellB, self.b),
            (Argument::WellC, self.c),
            (Argument::WellD0, self.d0),
            (Argument::Tau, self.tau),
        ];
        for (argument, value) in fields {
            if !value.is_finite() {
                return Err(Error::new(Status::NonFinite, argument, value.to_f64()));
            }
        }
        if self.tau.to_f64() <= 0.0 {
            return Err(Error::new(Status::Argument, Argument::Tau, self.tau.to_f64()));
        }
        Ok(())
    }
}

impl<V: Lanes> Potential<V> for DoubleWell<V::Real> {
    fn energy(&self, shape: Shape, x: &[V], gradient: Option<&mut [V]>) -> V {
        V::vectorize(
            #[inline(always)]
            || self.energy_lanes(shape, x, gradient),
        )
    }

    fn change(&self, shape: Shape, x: &[V], _: V, moved: Moved<'_, V>, _: &mut [V]) -> V {
        V::vectorize(
            #[inline(always)]
            || {
                let [a, b, c, d0] = [self.a, self.b, self.c, self.d0].map(V::splat);
                let well = |square: V| {
                    let q = square.sqrt() - d0;
                    let q2 = q * q;
                    a * q + q2 * (b + c * q2)
                };
                pair_change(shape, x, moved, well) / V::splat(self.tau)
            },
        )
    }
}

impl<R: Real> DoubleWell<R> {
    #[inline(always)]
    fn energy_lanes<V: Lanes<Real = R>>(&self, shape: Shape, x: &[V], gradient: Option<&mut [V]>) -> V {
        if !fits(x, &gradient) {
            return V::constant(f64::NAN);
        }
        let [a, b, c, d0] = [self.a, self.b, self.c, self.d0].map(V::splat);
        let two_b = b + b;
        let four_c = V::constant(4.0) * c;
        let beta = V::constant(1.0) / V::splat(self.tau);
        let mut sum = V::zero();
        pair_potential(
            shape,
            x,
            gradient,
            #[inline(always)]
            |square| {
                let d = square.sqrt();
                let q = d - d0;
                let q2 = q * q;
                sum += a * q + q2 * (b + c * q2);
                let slope = a + q * (two_b + four_c * q2);
                // Bounded: an infinite force times a zero coordinate would be NaN.
                V::zero().select_less(d, (beta * slope / d).bounded(), V::zero())
            },
        );
        beta * sum
    }
}
