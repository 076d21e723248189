//! The radial function phi(d, t), its derivatives in d, and their transposes.
//!
//! ```text
//! phi(d,t) = sum_l R_l(t) [ b_l + sum_m W_lm (K_m(d) + a_m^2) ]
//! g_m(d)   = exp(-((d - mu_m)/gamma_m)^2),   h_l(t) = exp(-((t - mu^t_l)/gamma^t_l)^2)
//! ```
//!
//! `Gaussian` basis (Köhler, Klein, Noé 2020, equation 1): K = g, R = h.
//! `Normalized` basis: K_m = g_m / (eps + sum_k g_k), R_l = h_l / (eps + sum_k h_k).
//!
//! At one time t the sum over l collapses to an offset and one weight a Gaussian, the same for all samples and
//! pairs ([`Kernel::collapse`]); what is left is a function of d alone, behind the [`Radial`] trait. The pair
//! field knows that trait and nothing of Gaussians. [`Exact`] sums the Gaussians; [`Table`] evaluates polynomials
//! that [`compile`] has made of them.

mod accuracy;
mod blocks;
mod cells;
mod chebyshev;
mod collapse;
mod compile;
mod compile_transpose;
mod demand;
mod exact;
mod functions;
mod geometry;
mod table;
mod transpose;

pub use accuracy::{Accuracy, scratch_extent};
pub use cells::{Cells, Degree, RadialPrecision};
pub use collapse::{Basis, Kernel, SQRT_LOG2_E, reach, time_functions, time_transpose};
pub use compile::{combine, compile, padded_rows};
pub use compile_transpose::{
    KernelGradient, bands, combine_transpose, combine_transpose_scratch, compile_transpose,
};
pub use demand::Source;
pub use exact::{AtTime, Exact, PerLane, Shared, Weights};
pub use functions::radial_functions;
pub use table::Table;
pub use transpose::{RadialGradient, TRANSPOSE_SCRATCH_PER_GAUSSIAN};

use crate::lanes::Lanes;

/// phi(., t) at one time, for many distances at once.
pub trait Radial<V: Lanes> {
    /// Writes phi and phi' (derivative in d) for each of `d`; all slices have the same length.
    fn value_slope(&self, d: &[V], phi: &mut [V], slope: &mut [V]);

    /// Writes phi, phi' and phi'' for each of `d`; all slices have the same length.
    fn value_slope_curvature(&self, d: &[V], phi: &mut [V], slope: &mut [V], curvature: &mut [V]);
}
