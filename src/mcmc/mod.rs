//! Markov-chain transition kernels as pure steps on caller memory.
//!
//! [`metropolis_step`] moves the chains in the lanes of one vector, [`metropolis`] and [`independence`] any number of
//! chains `[n][N][D]` whose energies come from one call for all of them. Of the latter each kernel proposes, asks for
//! the energies of the proposals, and only then changes chains, so that a failure changes none; [`Draws`] names their
//! random numbers, so that the bits do not depend on which chains move together.

mod chains;
mod independence;
mod metropolis;

pub use chains::{Chains, Draws};
pub use independence::{independence, independence_extent};
pub use metropolis::{metropolis, metropolis_extent, metropolis_step};
