//! Steps of Markov chains along trajectories, the shortest of which are those of Langevin's algorithm.

use super::chains::{Arrays, Callback, extent_of_shape, report_step};
use super::memory::{Output, Region};
use super::particles::batch;
use super::plan::eqf_extent;
use super::potential::{eqf_potential_fn, eqf_potential_fn_f32};
use super::status::{Diag, eqf_diag, status_of};
use crate::error::{Argument, Error};
use crate::flow::Precision;
use crate::mcmc::{self, Draws, Leapfrog};
use core::ffi::c_void;

/// # Safety
/// That of [`eqf_hmc`].
unsafe fn hmc<R: Precision>(
    potential: Callback<R>,
    draws: Draws,
    sizes: [usize; 2],
    leapfrog: Leapfrog<R>,
    arrays: Arrays<R>,
    grad: *mut R,
    diag: Diag,
) -> Result<(), Error> {
    let (shape, reals) = batch(arrays.n, sizes[0], sizes[1])?;
    let blocks = mcmc::hmc_extent::<R>(shape, arrays.n)?;
    let checked = arrays.check(shape, blocks)?;
    let grad = Output::new(Argument::Gradient, grad, reals)?;
    checked.check_disjoint(Region::NONE, [grad.region, Region::NONE, Region::NONE], diag)?;
    // SAFETY: lengths by contract, disjoint by the check.
    let ((chains, work), grad) = unsafe { (checked.slices(), grad.slice()) };
    // SAFETY: by contract.
    let gradients = |x: &[R], u: &mut [R], grad: &mut [R]| unsafe { potential.gradients(shape, x, u, grad) };
    mcmc::hmc(shape, leapfrog, draws, chains, grad, gradients, work)
}

/// Says how much workspace eqf_hmc() and eqf_mala() take for n chains (or fewer).
///
/// NULL: nothing.
/// Errors: those of eqf_metropolis_extent().
/// Threads: any thread may call it.
/// Since: 0.1.0.
/// Example:
///
/// ```c
/// assert(eqf_hmc_extent(n, 4, 2, &extent) == EQF_OK);
/// assert(extent.size <= work_len);
/// ```
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_hmc_extent(
    n: usize,
    n_particles: usize,
    dimension: usize,
    extent: *mut eqf_extent,
) -> i32 {
    // SAFETY: the pointer by the documented contract.
    status_of(unsafe { extent_of_shape(n, [n_particles, dimension], extent, mcmc::hmc_extent::<f64>) })
}

/// Single-precision twin of eqf_hmc_extent(). Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_hmc_extent_f32(
    n: usize,
    n_particles: usize,
    dimension: usize,
    extent: *mut eqf_extent,
) -> i32 {
    // SAFETY: the pointer by the documented contract.
    status_of(unsafe { extent_of_shape(n, [n_particles, dimension], extent, mcmc::hmc_extent::<f32>) })
}

/// One step of Hamiltonian Monte Carlo of n chains at the distribution exp(-u); with one leapfrog step it is eqf_mala().
///
/// `x`, `u`, the energies of `x`, and `grad`, their gradients, are updated; `accepted` gains 1 where a chain moves.
/// `potential` is called `leapfrogs` times, with `context`, all positions, and memory for the gradients; a chain that meets
/// an energy or a gradient that is not finite, or is not written, stays. Random numbers are as in eqf_metropolis().
///
/// Equation: momenta p are standard normal on the subspace of zero centre of mass; `leapfrogs` times p -= h/2 grad u(x),
/// x += h p, p -= h/2 grad u(x), with h = `step_size`; accepted with probability min(1, exp(-change of u + |p|^2/2)).
/// Shapes: `x` and `grad` are [n][N][D], `x` of zero centre of mass (and stays so to rounding), `u` and `accepted` are
/// [n]; `work` has the size and alignment of eqf_hmc_extent().
/// Units: `u` in kT, `x` and `step_size` in the potential's unit of length (masses are 1), `grad` in its inverse.
/// NULL: context, accepted, diag; with `n` 0 also x, u, grad and work.
/// Errors: those of eqf_metropolis(), EQF_ERROR_NON_FINITE for `grad` too; EQF_ERROR_ARGUMENT also where `leapfrogs` is 0.
/// No chain has moved then, and no counter changed: the step can be repeated.
/// Threads: any thread may call it with arrays of its own; `potential` is called by the same thread.
/// Since: 0.1.0.
/// Example:
///
/// ```c
/// uint64_t step, accepted[3] = {0, 0, 0};
/// eqf_double_well_params params;
/// eqf_double_well_dw4(&params);
/// eqf_double_well(&params, n, 4, 2, x, u, grad);
/// for (step = 0; step < 100; step++)
///     assert(eqf_hmc(eqf_double_well_potential, &params, 1, 0, step, n, 4, 2, 0.1, 8, x, u, grad, accepted, work, work_len,
///                    &diag) == EQF_OK);
/// ```
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_hmc(
    potential: eqf_potential_fn,
    context: *mut c_void,
    seed: u64,
    first: u64,
    step: u64,
    n: usize,
    n_particles: usize,
    dimension: usize,
    step_size: f64,
    leapfrogs: usize,
    x: *mut f64,
    u: *mut f64,
    grad: *mut f64,
    accepted: *mut u64,
    work: *mut c_void,
    work_len: usize,
    diag: *mut eqf_diag,
) -> i32 {
    let arrays = Arrays { n, x, u, accepted, work, work_len };
    let (draws, sizes) = (Draws { seed, first, step }, [n_particles, dimension]);
    let leapfrog = Leapfrog { step_size, steps: leapfrogs };
    // SAFETY: pointers and sizes by the documented contract.
    unsafe {
        report_step(diag, potential, context, |potential, diag| {
            hmc(potential, draws, sizes, leapfrog, arrays, grad, diag)
        })
    }
}

/// Single-precision twin of eqf_hmc(). Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_hmc_f32(
    potential: eqf_potential_fn_f32,
    context: *mut c_void,
    seed: u64,
    first: u64,
    step: u64,
    n: usize,
    n_particles: usize,
    dimension: usize,
    step_size: f32,
    leapfrogs: usize,
    x: *mut f32,
    u: *mut f32,
    grad: *mut f32,
    accepted: *mut u64,
    work: *mut c_void,
    work_len: usize,
    diag: *mut eqf_diag,
) -> i32 {
    let arrays = Arrays { n, x, u, accepted, work, work_len };
    let (draws, sizes) = (Draws { seed, first, step }, [n_particles, dimension]);
    let leapfrog = Leapfrog { step_size, steps: leapfrogs };
    // SAFETY: pointers and sizes by the documented contract.
    unsafe {
        report_step(diag, potential, context, |potential, diag| {
            hmc(potential, draws, sizes, leapfrog, arrays, grad, diag)
        })
    }
}

/// One step of the Metropolis-adjusted Langevin algorithm (MALA) of n chains at the distribution exp(-u).
///
/// That is eqf_hmc() with one leapfrog step, to the bit: arrays, random numbers, `potential`, which is called once, and
/// workspace (eqf_hmc_extent()) are its.
///
/// Equation: x' = x - h^2/2 grad u(x) + h p with h = `step_size` and p standard normal on the subspace of zero centre of
/// mass; accepted with probability min(1, exp(u(x) - u(x')) q(x|x')/q(x'|x)), where q(x'|x) is the density of that proposal.
/// Shapes: `x` and `grad` are [n][N][D], `x` of zero centre of mass (and stays so to rounding), `u` and `accepted` are
/// [n]; `work` has the size and alignment of eqf_hmc_extent().
/// Units: `u` in kT, `x` and `step_size` in the potential's unit of length, `grad` in its inverse.
/// NULL: context, accepted, diag; with `n` 0 also x, u, grad and work.
/// Errors: those of eqf_metropolis(), EQF_ERROR_NON_FINITE for `grad` too. No chain has moved then, and no counter changed:
/// the step can be repeated.
/// Threads: any thread may call it with arrays of its own; `potential` is called by the same thread.
/// Since: 0.1.0.
/// Example:
///
/// ```c
/// uint64_t step, accepted[3] = {0, 0, 0};
/// eqf_double_well_params params;
/// eqf_double_well_dw4(&params);
/// eqf_double_well(&params, n, 4, 2, x, u, grad);
/// for (step = 0; step < 100; step++)
///     assert(eqf_mala(eqf_double_well_potential, &params, 1, 0, step, n, 4, 2, 0.1, x, u, grad, accepted, work, work_len,
///                     &diag) == EQF_OK);
/// ```
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_mala(
    potential: eqf_potential_fn,
    context: *mut c_void,
    seed: u64,
    first: u64,
    step: u64,
    n: usize,
    n_particles: usize,
    dimension: usize,
    step_size: f64,
    x: *mut f64,
    u: *mut f64,
    grad: *mut f64,
    accepted: *mut u64,
    work: *mut c_void,
    work_len: usize,
    diag: *mut eqf_diag,
) -> i32 {
    let arrays = Arrays { n, x, u, accepted, work, work_len };
    let (draws, sizes) = (Draws { seed, first, step }, [n_particles, dimension]);
    let leapfrog = Leapfrog { step_size, steps: 1 };
    // SAFETY: pointers and sizes by the documented contract.
    unsafe {
        report_step(diag, potential, context, |potential, diag| {
            hmc(potential, draws, sizes, leapfrog, arrays, grad, diag)
        })
    }
}

/// Single-precision twin of eqf_mala(). Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_mala_f32(
    potential: eqf_potential_fn_f32,
    context: *mut c_void,
    seed: u64,
    first: u64,
    step: u64,
    n: usize,
    n_particles: usize,
    dimension: usize,
    step_size: f32,
    x: *mut f32,
    u: *mut f32,
    grad: *mut f32,
    accepted: *mut u64,
    work: *mut c_void,
    work_len: usize,
    diag: *mut eqf_diag,
) -> i32 {
    let arrays = Arrays { n, x, u, accepted, work, work_len };
    let (draws, sizes) = (Draws { seed, first, step }, [n_particles, dimension]);
    let leapfrog = Leapfrog { step_size, steps: 1 };
    // SAFETY: pointers and sizes by the documented contract.
    unsafe {
        report_step(diag, potential, context, |potential, diag| {
            hmc(potential, draws, sizes, leapfrog, arrays, grad, diag)
        })
    }
}
