//! Exchanges between replicas.

use super::chains::{Chains, Draws, accepts};
use crate::error::{Argument, Error, Status};
use crate::field::Shape;
use crate::lanes::Real;

/// Two replicas of the same ladders try to exchange their configurations (Swendsen and Wang 1986; Geyer 1991): in each
/// ladder with probability min(1, exp(U_0(x_0) + U_1(x_1) - U_0(x_1) - U_1(x_0))), which leaves the product of exp(-U_0)
/// and exp(-U_1) invariant, whatever these reduced potentials are.
///
/// `pair` are the chains of the two replicas, as many in each; their `u` are U_0 of the first's and U_1 of the second's.
/// `cross` are U_0 of the second's configurations and U_1 of the first's, `[n]`; for one potential at temperatures
/// tau_0 and tau_1 they are the other replica's `u` times tau_1 / tau_0 and tau_0 / tau_1, and for a flow minus its
/// log-density. Where a ladder exchanges, positions and energies change places (with the values of `cross`), both
/// `accepted` gain one, and `exchanged(i)` is told, so that whatever else belongs to the configurations (gradients,
/// log-densities) can follow. A cross energy that is not finite is refused.
///
/// Ladder i draws from (seed, first + i, step): give each pair of a sweep and each sweep a `step` of its own; the
/// chains' own moves have other random numbers.
///
/// # Errors
/// [`Status::Shape`] for lengths, [`Status::NonFinite`] for positions and energies. Nothing has changed then.
pub fn exchange<R: Real>(
    shape: Shape,
    draws: Draws,
    pair: [Chains<'_, R>; 2],
    cross: [&[R]; 2],
    mut exchanged: impl FnMut(usize),
) -> Result<(), Error> {
    let [mut first, mut second] = pair;
    let n = first.check(shape)?;
    if second.check(shape)? != n {
        return Err(Error::new(Status::Shape, Argument::X, n as f64));
    }
    if cross.iter().any(|cross| cross.len() != n) {
        return Err(Error::new(Status::Shape, Argument::Cross, n as f64));
    }
    let each = shape.coordinates();
    let positions = first.x.chunks_exact_mut(each).zip(second.x.chunks_exact_mut(each));
    let energies = first.u.iter_mut().zip(second.u.iter_mut()).zip(cross[0].iter().zip(cross[1]));
    for (i, ((a, b), ((u_a, u_b), (&to_a, &to_b)))) in positions.zip(energies).enumerate() {
        let change = (to_a.to_f64() - u_a.to_f64()) + (to_b.to_f64() - u_b.to_f64());
        if !(to_a.is_finite() && to_b.is_finite() && accepts(change, draws.exchange(i))) {
            continue;
        }
        a.iter_mut().zip(b).for_each(|(a, b)| core::mem::swap(a, b));
        (*u_a, *u_b) = (to_a, to_b);
        for accepted in [&mut first.accepted, &mut second.accepted] {
            if let Some(count) = accepted.as_mut().and_then(|accepted| accepted.get_mut(i)) {
                *count = count.wrapping_add(1);
            }
        }
        exchanged(i);
    }
    Ok(())
}
