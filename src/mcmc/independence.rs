//! Metropolis-Hastings with proposals of a flow.

use super::chains::{Chains, Draws, energies_of, proposals_extent, take_blocks};
use crate::error::{Argument, Error, Status};
use crate::field::Shape;
use crate::flow::{Plan, Precision, check_finite};
use crate::lanes::{Block, at, part_mut, split};
use core::ops::Deref;

/// Blocks for proposals, energies and log-densities.
fn own_extent<R: Precision>(shape: Shape, n: usize) -> Result<usize, Error> {
    proposals_extent::<R>(n, shape.coordinates().saturating_add(2))
}

/// Blocks of workspace that [`independence`] takes for `n` chains.
///
/// # Errors
/// [`Status::Shape`] where the size overflows.
pub fn independence_extent<R: Precision, S: Deref<Target = [Block]>>(
    plan: &Plan<R, S>,
    n: usize,
) -> Result<usize, Error> {
    let blocks = own_extent::<R>(plan.shape(), n)?.checked_add(plan.workspace_extent(n)?);
    blocks.ok_or(Error::new(Status::Shape, Argument::Count, n as f64))
}

/// One independence Metropolis-Hastings step of many chains (Hastings 1970; Noé, Olsson, Köhler, Wu 2019): proposals x'
/// are samples of the flow, accepted with probability min(1, w(x')/w(x)), w = exp(-u)/q, where q is the flow's density.
///
/// `log_prob` (`[n]`) is log q of the chains, updated with them; a chain begins at a sample of the flow with its log-density,
/// or elsewhere with that of [`Plan::log_prob`]. The chain keeps exp(-u) as exactly as log q is the density of what is
/// drawn: to the plan's discretisation error, with `LogDet::Jacobian` (and for starts elsewhere `Inverse::Exact`) to
/// rounding. `energies` as in [`metropolis`](super::metropolis). Cost: a sample of the flow and an energy a chain.
///
/// # Errors
/// [`Status::Shape`] for lengths, [`Status::NonFinite`] for `chains.x`, `chains.u` and `log_prob`, [`Status::Workspace`]
/// (the value is what it takes), [`Status::Convergence`] from an adaptive plan, and what `energies` returns. No chain has
/// changed then.
pub fn independence<R: Precision, S: Deref<Target = [Block]>>(
    plan: &Plan<R, S>,
    draws: Draws,
    chains: Chains<'_, R>,
    log_prob: &mut [R],
    energies: impl FnOnce(&[R], &mut [R]) -> Result<(), Error>,
    work: &mut [Block],
) -> Result<(), Error> {
    independence_between(plan, draws, chains, log_prob, |x, _, u| energies(x, u), work)
}

/// As [`independence`] for energies that depend on the flow's log-density at the proposals, too: `energies(x, log_prob, u)`.
pub(crate) fn independence_between<R: Precision, S: Deref<Target = [Block]>>(
    plan: &Plan<R, S>,
    draws: Draws,
    mut chains: Chains<'_, R>,
    log_prob: &mut [R],
    energies: impl FnOnce(&[R], &[R], &mut [R]) -> Result<(), Error>,
    work: &mut [Block],
) -> Result<(), Error> {
    let shape = plan.shape();
    let n = chains.check(shape)?;
    if log_prob.len() != n {
        return Err(Error::new(Status::Shape, Argument::LogProb, n as f64));
    }
    check_finite(Argument::LogProb, log_prob)?;
    if n == 0 {
        return Ok(());
    }
    let needed = independence_extent(plan, n)?;
    let (work, _) = take_blocks(work, needed)?;
    let (own, work) = take_blocks(work, own_extent::<R>(shape, n)?)?;
    let (proposals, rest) = split(Block::reals_mut::<R>(own), n * shape.coordinates())?;
    let (proposed, rest) = split(rest, n)?;
    let proposed_log_prob = part_mut(rest, 0, n)?;
    plan.sample(draws.step_seed(), draws.first, proposals, Some(proposed_log_prob), work)?;
    energies_of(|x, u| energies(x, proposed_log_prob, u), proposals, proposed)?;
    let proposals = proposals.chunks_exact(shape.coordinates());
    let proposals = proposals.zip(&*proposed).zip(&*proposed_log_prob).zip(log_prob);
    for (i, (((x, &u), &q), old)) in proposals.enumerate() {
        let log_weight = |u: R, log_prob: R| -u.to_f64() - log_prob.to_f64();
        let change = log_weight(at(chains.u, i)?, *old) - log_weight(u, q);
        // A density that overflows is no density: such a draw would never be left.
        if q.is_finite() && chains.accept(i, &draws, change, x, u)? {
            *old = q;
        }
    }
    Ok(())
}
