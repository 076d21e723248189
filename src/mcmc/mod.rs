//! Markov-chain transition kernels as pure steps on caller memory.
//!
//! [`metropolis_step`], [`metropolis_cube_step`] and [`metropolis_particle_step`] move the chains in the lanes of one vector; all others move any number of chains `[n][N][D]` whose
//! energies come from one call for all of them. Of these each kernel proposes, asks for the energies of the proposals,
//! and only then changes chains, so that a failure changes none; [`Draws`] names their random numbers, so that the bits do
//! not depend on which chains move together.
//!
//! | kernel | moves | takes |
//! |---|---|---|
//! | [`metropolis`], [`metropolis_cube`] | all particles, at random | energies |
//! | [`metropolis_particle`] | one particle, at random | energies |
//! | [`mala`] | all particles, down the gradient and at random | gradients |
//! | [`hmc`] | all particles, along a trajectory | gradients |
//! | [`independence`] | to a sample of a flow | energies, a plan |
//! | [`latent_metropolis`] | all latent coordinates, at random | energies, a plan |
//! | [`latent_hmc`] | all latent coordinates, along a trajectory | gradients, a plan |
//! | [`symmetrise`] | to a copy that is as likely: permuted, rotated, reflected | nothing |
//! | [`exchange`] | two replicas change places | energies of each under the other's potential |

mod chains;
mod exchange;
mod hamiltonian;
mod independence;
mod latent;
mod metropolis;
mod symmetry;

#[cfg(feature = "std")]
pub(crate) use chains::accepts;
pub use chains::{Chains, Draws};
pub use exchange::exchange;
pub use hamiltonian::{Leapfrog, hmc, hmc_extent, mala};
#[cfg(feature = "std")]
pub(crate) use independence::independence_between;
pub use independence::{independence, independence_extent};
pub use latent::{
    LatentChains, latent_hmc, latent_hmc_extent, latent_metropolis, latent_metropolis_extent, latent_start,
};
pub use metropolis::{
    metropolis, metropolis_cube, metropolis_cube_step, metropolis_extent, metropolis_particle,
    metropolis_particle_step, metropolis_step,
};
pub use symmetry::{Symmetry, symmetrise};
