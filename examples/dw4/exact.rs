//! Exact values for DW-4 (a = 0, b = -4, c = 0.9, d0 = 4, tau = 1) by deterministic quadrature, independent of
//! this library.

/// log of the integral of exp(-u) over the zero-centre-of-mass subspace.
pub const LOG_Z: f64 = 29.66723223290428;
/// Mean energy in kT.
pub const MEAN_ENERGY: f64 = -22.541509603480378;
/// Entropy of the Boltzmann distribution, log Z + mean energy: the NLL that no density can beat.
pub const NLL_FLOOR: f64 = LOG_Z + MEAN_ENERGY;
/// NLL of the untrained standard normal.
pub const PRIOR_NLL: f64 = 19.15095;
