//! Equivariant kernel flows (Köhler, Klein, Noé, "Equivariant Flows: Exact Likelihood Generative Learning for
//! Symmetric Densities", ICML 2020, arXiv:2006.02425) as an embeddable numerical kernel.
//!
//! A flow carries a standard normal of N particles in D dimensions, on the subspace of zero centre of mass, to
//! an approximation of a Boltzmann distribution, with its exact density: samples can be reweighted.
//!
//! The core is `no_std`, allocates nothing, and gives the same bits on every instruction set, for every batch
//! size and position in a batch. Modules from the ground up; each imports only those listed above it:
//!
//! | module | what |
//! |---|---|
//! | [`error`] | status codes and errors that name the argument |
//! | [`lanes`] | fixed-width vectors, one sample a lane, and their exponential |
//! | [`radial`] | the radial function phi(d, t), its derivatives and transposes |
//! | [`field`] | pair sums: velocity, divergence, products with their Jacobian from both sides |
//! | [`integrate`] | Runge-Kutta on a fixed grid with its adjoint, Jacobian and exact inverse; adaptive Dormand-Prince |
//! | [`particles`] | centre of mass, prior density |
//! | [`potential`] | double well, Lennard-Jones |
//! | [`random`] | one stream a sample, normals |
//! | `parallel` | work on several threads with results independent of their number (feature `std`) |
//! | [`flow`] | model, plan, forward, inverse, log-density, samples, model file |
//! | [`mcmc`] | transition kernels on caller memory: random walks, Hamiltonian, with flows, exchange of replicas |
//! | `capi` | the C functions (feature `capi`) |
//! | `train` | losses, gradients, optimiser, honest training, closed-form flow matching (feature `std`) |
//! | `sampling` | drivers of Markov chains and replicas, importance reweighting, free energies, histograms, minima (feature `std`) |
//! | `io` | files: models, trajectories, tables (feature `std`) |
//! | `systems` | the benchmark systems: what is known of them and how their flows are trained (feature `std`) |
//! | `plot` | pictures (feature `plot`) |
//! | `bin` | the program `eqflow` (feature `cli`) |

#![cfg_attr(not(any(feature = "std", test)), no_std)]
#![deny(missing_docs)]
#![deny(unsafe_code)]

#[cfg(feature = "capi")]
pub mod capi;
pub mod error;
pub mod field;
pub mod flow;
pub mod integrate;
pub mod lanes;
pub mod mcmc;
pub mod particles;
pub mod potential;
pub mod radial;
pub mod random;

#[cfg(feature = "std")]
pub mod io;
#[cfg(feature = "std")]
mod parallel;
#[cfg(feature = "plot")]
pub mod plot;
#[cfg(feature = "std")]
pub mod sampling;
#[cfg(feature = "std")]
pub mod systems;
#[cfg(feature = "std")]
pub mod train;

/// The README's Rust example is compiled with the documentation tests.
#[cfg(all(doctest, feature = "std"))]
#[doc = include_str!("../README.md")]
struct Readme;
