//! Markov-chain transition kernels as pure steps on caller memory.

use crate::field::Shape;
use crate::lanes::{Lanes, Real};
use crate::particles::remove_com;
use crate::potential::Potential;
use crate::random::Normals;

/// One random-walk Metropolis step for the chains in the lanes of one vector.
///
/// Proposes x + `step_size` times a standard normal on the zero-CoM subspace (all particles at once) and
/// accepts with probability min(1, exp(u(x) - u(x'))). `x` is `[N][D]`, `energy` its potential energy, both
/// updated in place; lane i draws from `random[i]` (as many as there are lanes); `proposal` is scratch of x's
/// length. Returns one in lanes that accepted and zero in the others; a NaN energy is never
/// accepted. A chain must start at an energy that is neither NaN nor minus infinity: it could never leave.
pub fn metropolis_step<V: Lanes>(
    potential: &(impl Potential<V> + ?Sized),
    shape: Shape,
    step_size: V::Real,
    x: &mut [V],
    energy: &mut V,
    random: &mut [Normals],
    proposal: &mut [V],
) -> V {
    for move_ in proposal.iter_mut() {
        *move_ = V::from_fn(|i| V::Real::from_f64(random[i].next_normal()));
    }
    remove_com(shape, proposal, &mut [V::zero(); 3]);
    for (proposal, &x) in proposal.iter_mut().zip(&*x) {
        *proposal = x + V::splat(step_size) * *proposal;
    }
    let proposed = potential.energy(shape, proposal, None);
    let change = proposed - *energy;
    let allowed = V::from_fn(|i| V::Real::from_f64(-libm::log(random[i].next_unit())));
    for (x, &proposal) in x.iter_mut().zip(&*proposal) {
        *x = change.select_less(allowed, proposal, *x);
    }
    *energy = change.select_less(allowed, proposed, *energy);
    change.select_less(allowed, V::constant(1.0), V::zero())
}
