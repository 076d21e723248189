//! A potential without the walls of overlapping particles.

use super::Potential;
use crate::field::Shape;
use crate::lanes::{Lanes, Real};

/// u up to `above`, and above + log(1 + u - above) beyond it: continuous with its gradient, and growing so slowly that
/// a few overlapping samples do not rule a mean over a batch (the regularised energy of Noé, Olsson, Köhler, Wu 2019).
///
/// Where u is infinite the energy stays infinite and the gradient is 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Softened<P> {
    /// The potential.
    pub potential: P,
    /// The energy from which on it is softened, in kT.
    pub above: f64,
}

impl<V: Lanes, P: Potential<V>> Potential<V> for Softened<P> {
    fn energy(&self, shape: Shape, x: &[V], mut gradient: Option<&mut [V]>) -> V {
        let u = self.potential.energy(shape, x, gradient.as_deref_mut());
        let above = V::constant(self.above);
        let excess = u - above;
        let softened =
            above + V::from_fn(|lane| V::Real::from_f64(libm::log1p(excess.lane(lane).to_f64().max(0.0))));
        if let Some(gradient) = gradient {
            let slope =
                above.select_less(u, V::constant(1.0) / (V::constant(1.0) + excess), V::constant(1.0));
            let most = V::splat(V::Real::MAX);
            for g in gradient.iter_mut() {
                // 0 where u is infinite: the gradient may be NaN there.
                *g = u.select_less(most, *g * slope, V::zero());
            }
        }
        above.select_less(u, softened, u)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::potential::LennardJones;

    const PAIR: Shape = Shape { particles: 2, dimension: 1 };

    fn at<P: Potential<f64>>(potential: &P, d: f64) -> (f64, f64) {
        let mut gradient = [0.0; 2];
        let u = potential.energy(PAIR, &[d / 2.0, -d / 2.0], Some(&mut gradient));
        (u, gradient[0])
    }

    #[test]
    fn it_is_the_potential_below_grows_like_a_logarithm_above_and_has_no_force_at_infinity() {
        let hard = LennardJones::<f64>::lj13();
        let soft = Softened { potential: hard, above: 10.0 };
        assert_eq!(at(&soft, 1.1), at(&hard, 1.1));
        let ((u, force), (softened, weaker)) = (at(&hard, 0.5), at(&soft, 0.5));
        assert!(u > 1e3, "{u}");
        assert!((softened - (10.0 + (u - 9.0).ln())).abs() < 1e-12);
        assert!((weaker - force / (u - 9.0)).abs() < 1e-12 * force.abs());
        let (u, force) = at(&soft, 0.0);
        assert_eq!((u, force), (f64::INFINITY, 0.0));
    }

    #[test]
    fn its_gradient_is_continuous_where_it_begins() {
        let hard = LennardJones::<f64>::lj13();
        let (u, force) = at(&hard, 0.8);
        let (softened, weaker) = at(&Softened { potential: hard, above: u - 1e-9 }, 0.8);
        assert!((softened - u).abs() < 1e-12 * u && (weaker - force).abs() < 1e-8 * force.abs());
    }
}
