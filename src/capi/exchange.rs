//! Exchange of configurations between replicas.

use super::memory::{Input, Output, check_disjoint, region_of};
use super::particles::batch;
use super::status::{Diag, eqf_diag, report};
use crate::error::{Argument, Error};
use crate::lanes::Real;
use crate::mcmc::{self, Chains, Draws};

/// One replica's arrays.
struct Side<R> {
    x: *mut R,
    u: *mut R,
    cross: *const R,
}

/// # Safety
/// That of [`eqf_exchange`].
unsafe fn exchange<R: Real>(
    draws: Draws,
    [n, n_particles, dimension]: [usize; 3],
    side: Side<R>,
    other: Side<R>,
    accepted: *mut u64,
    diag: Diag,
) -> Result<(), Error> {
    let (shape, reals) = batch(n, n_particles, dimension)?;
    let x = Output::new(Argument::X, side.x, reals)?;
    let u = Output::new(Argument::Energy, side.u, n)?;
    let cross = Input::new(Argument::Cross, side.cross, n)?;
    let x_other = Output::new(Argument::XOther, other.x, reals)?;
    let u_other = Output::new(Argument::EnergyOther, other.u, n)?;
    let cross_other = Input::new(Argument::CrossOther, other.cross, n)?;
    let accepted = Output::optional(Argument::Accepted, accepted, n)?;
    let regions = [x.region, u.region, cross.region, x_other.region, u_other.region, cross_other.region];
    let [a, b, c, d, e, f] = regions;
    check_disjoint(&[a, b, c, d, e, f, region_of(&accepted), diag.region()])?;
    // SAFETY: lengths by contract, disjoint by the check.
    let (chains, cross) = unsafe {
        let accepted = accepted.map(|accepted| accepted.slice());
        let first = Chains { x: x.slice(), u: u.slice(), accepted };
        let second = Chains { x: x_other.slice(), u: u_other.slice(), accepted: None };
        ([first, second], [cross.slice(), cross_other.slice()])
    };
    mcmc::exchange(shape, draws, chains, cross, |_| ())
}

/// Two replicas of n ladders try to exchange their configurations.
///
/// `u` are the reduced energies U of the configurations `x` of one replica, `u_other` those of the other replica's own
/// potential V; `cross` are U of `x_other`, `cross_other` are V of `x`. Where a ladder exchanges, positions change
/// places, energies take the values of `cross`, and `accepted` gains 1. A cross energy that is not finite is refused.
/// Ladder i draws the random number of (`seed`, `first` + i, `step`), which no move of a chain draws: give each pair of a
/// sweep a `step` of its own.
///
/// Equation: the probability is min(1, exp(u + u_other - cross - cross_other)), which keeps exp(-U) exp(-V). For one
/// potential at two temperatures cross = u_other tau_other/tau and cross_other = u tau/tau_other; for a flow's replica
/// its energies are minus its log-density.
/// Shapes: `x` and `x_other` are [n][N][D], `u`, `cross`, `u_other`, `cross_other` and `accepted` are [n].
/// Units: energies in kT, each at its replica's temperature, `x` in the potentials' unit of length.
/// NULL: accepted, diag; with `n` 0 also x, u, cross, x_other, u_other and cross_other.
/// Errors: EQF_ERROR_SHAPE unless N >= 1 and D is 1, 2 or 3, or where sizes overflow; EQF_ERROR_NULL,
/// EQF_ERROR_ALIGNMENT, EQF_ERROR_OVERLAP; EQF_ERROR_NON_FINITE for positions, `u` and `u_other`. Nothing has changed then.
/// Threads: any thread may call it with arrays of its own.
/// Since: 0.1.0.
/// Example:
///
/// ```c
/// uint64_t accepted[3] = {0, 0, 0};
/// double hot[3 * 8], u_hot[3], cross[3], cross_hot[3];
/// eqf_double_well_params params, at_two;
/// eqf_double_well_dw4(&params);
/// at_two = params;
/// at_two.tau = 2.0;
/// memcpy(hot, z, sizeof hot);
/// eqf_double_well(&params, n, 4, 2, x, u, NULL);
/// eqf_double_well(&at_two, n, 4, 2, hot, u_hot, NULL);
/// eqf_double_well(&params, n, 4, 2, hot, cross, NULL);
/// eqf_double_well(&at_two, n, 4, 2, x, cross_hot, NULL);
/// assert(eqf_exchange(1, 0, 0, n, 4, 2, x, u, cross, hot, u_hot, cross_hot, accepted, &diag) == EQF_OK);
/// ```
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_exchange(
    seed: u64,
    first: u64,
    step: u64,
    n: usize,
    n_particles: usize,
    dimension: usize,
    x: *mut f64,
    u: *mut f64,
    cross: *const f64,
    x_other: *mut f64,
    u_other: *mut f64,
    cross_other: *const f64,
    accepted: *mut u64,
    diag: *mut eqf_diag,
) -> i32 {
    let (draws, sizes) = (Draws { seed, first, step }, [n, n_particles, dimension]);
    let (side, other) = (Side { x, u, cross }, Side { x: x_other, u: u_other, cross: cross_other });
    // SAFETY: pointers and sizes by the documented contract.
    unsafe { report(diag, |diag| exchange(draws, sizes, side, other, accepted, diag)) }
}

/// Single-precision twin of eqf_exchange(). Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_exchange_f32(
    seed: u64,
    first: u64,
    step: u64,
    n: usize,
    n_particles: usize,
    dimension: usize,
    x: *mut f32,
    u: *mut f32,
    cross: *const f32,
    x_other: *mut f32,
    u_other: *mut f32,
    cross_other: *const f32,
    accepted: *mut u64,
    diag: *mut eqf_diag,
) -> i32 {
    let (draws, sizes) = (Draws { seed, first, step }, [n, n_particles, dimension]);
    let (side, other) = (Side { x, u, cross }, Side { x: x_other, u: u_other, cross: cross_other });
    // SAFETY: pointers and sizes by the documented contract.
    unsafe { report(diag, |diag| exchange(draws, sizes, side, other, accepted, diag)) }
}
