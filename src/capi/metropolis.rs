//! Random-walk Metropolis steps of all particles and of single ones.

use super::chains::{Arrays, Callback, extent_of_shape, report_step};
use super::memory::Region;
use super::particles::batch;
use super::plan::eqf_extent;
use super::potential::{eqf_potential_fn, eqf_potential_fn_f32};
use super::status::{Diag, eqf_diag, status_of};
use crate::error::Error;
use crate::flow::Precision;
use crate::mcmc::{self, Draws};
use core::ffi::c_void;

/// # Safety
/// That of [`eqf_metropolis`].
unsafe fn metropolis<R: Precision>(
    potential: Callback<R>,
    draws: Draws,
    sizes: [usize; 2],
    step_size: R,
    arrays: Arrays<R>,
    diag: Diag,
) -> Result<(), Error> {
    let (shape, _) = batch(arrays.n, sizes[0], sizes[1])?;
    let blocks = mcmc::metropolis_extent::<R>(shape, arrays.n)?;
    let checked = arrays.check(shape, blocks)?;
    checked.check_disjoint(Region::NONE, [Region::NONE; 3], diag)?;
    // SAFETY: lengths by contract, disjoint by the check.
    let (chains, work) = unsafe { checked.slices() };
    // SAFETY: by contract.
    let energies = |x: &[R], u: &mut [R]| unsafe { potential.energies(shape, x, u) };
    mcmc::metropolis(shape, step_size, draws, chains, energies, work)
}

/// # Safety
/// That of [`eqf_metropolis_particle`].
unsafe fn metropolis_particle<R: Precision>(
    potential: Callback<R>,
    draws: Draws,
    sizes: [usize; 2],
    step_size: R,
    arrays: Arrays<R>,
    diag: Diag,
) -> Result<(), Error> {
    let (shape, _) = batch(arrays.n, sizes[0], sizes[1])?;
    let blocks = mcmc::metropolis_extent::<R>(shape, arrays.n)?;
    let checked = arrays.check(shape, blocks)?;
    checked.check_disjoint(Region::NONE, [Region::NONE; 3], diag)?;
    // SAFETY: lengths by contract, disjoint by the check.
    let (chains, work) = unsafe { checked.slices() };
    // SAFETY: by contract.
    let energies = |x: &[R], u: &mut [R]| unsafe { potential.energies(shape, x, u) };
    mcmc::metropolis_particle(shape, step_size, draws, chains, energies, work)
}

/// Says how much workspace eqf_metropolis() takes for n chains (or fewer).
///
/// NULL: nothing.
/// Errors: EQF_ERROR_SHAPE unless N >= 1 and D is 1, 2 or 3, or where sizes overflow; EQF_ERROR_NULL,
/// EQF_ERROR_ALIGNMENT.
/// Threads: any thread may call it.
/// Since: 0.1.0.
/// Example:
///
/// ```c
/// assert(eqf_metropolis_extent(n, 4, 2, &extent) == EQF_OK);
/// assert(extent.size <= work_len);
/// ```
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_metropolis_extent(
    n: usize,
    n_particles: usize,
    dimension: usize,
    extent: *mut eqf_extent,
) -> i32 {
    // SAFETY: the pointer by the documented contract.
    status_of(unsafe { extent_of_shape(n, [n_particles, dimension], extent, mcmc::metropolis_extent::<f64>) })
}

/// Single-precision twin of eqf_metropolis_extent(). Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_metropolis_extent_f32(
    n: usize,
    n_particles: usize,
    dimension: usize,
    extent: *mut eqf_extent,
) -> i32 {
    // SAFETY: the pointer by the documented contract.
    status_of(unsafe { extent_of_shape(n, [n_particles, dimension], extent, mcmc::metropolis_extent::<f32>) })
}

/// One random-walk Metropolis step of n chains at the distribution exp(-u).
///
/// `x` and `u`, the energies of `x`, are updated; `accepted` gains 1 where a chain moves. `potential` is called once,
/// with `context`, all proposals, and `grad` NULL; a proposal whose energy is not finite, or is not written, is
/// refused. Chain i draws the random numbers of (`seed`, `first` + i, `step`): the bits do not depend on how chains
/// are spread over calls. Count `step` up by one a call: a number that comes twice repeats its random numbers.
///
/// Equation: x' = x + `step_size` times a standard normal on the subspace of zero centre of mass, accepted with
/// probability min(1, exp(u(x) - u(x'))).
/// Shapes: `x` is [n][N][D], of zero centre of mass (and stays so to rounding), `u` and `accepted` are [n]; `work`
/// has the size and alignment of eqf_metropolis_extent().
/// Units: `u` in kT, `x` and `step_size` in the potential's unit of length.
/// NULL: context, accepted, diag; with `n` 0 also x, u and work.
/// Errors: EQF_ERROR_SHAPE unless N >= 1 and D is 1, 2 or 3, or where sizes overflow; EQF_ERROR_NULL,
/// EQF_ERROR_ALIGNMENT; EQF_ERROR_WORKSPACE where `work_len` is too short (diag's value is the size it takes);
/// EQF_ERROR_OVERLAP; EQF_ERROR_NON_FINITE for `x`, `u` and `step_size`; EQF_ERROR_ARGUMENT unless `step_size` > 0;
/// EQF_ERROR_CALLBACK where `potential` does not return 0 (diag's value is what it returns). No chain has moved then,
/// and no counter changed: the step can be repeated.
/// Threads: any thread may call it with arrays of its own; `potential` is called by the same thread.
/// Since: 0.1.0.
/// Example:
///
/// ```c
/// uint64_t step, accepted[3] = {0, 0, 0};
/// eqf_double_well_params params;
/// eqf_double_well_dw4(&params);
/// eqf_double_well(&params, n, 4, 2, x, u, NULL);
/// for (step = 0; step < 100; step++)
///     assert(eqf_metropolis(eqf_double_well_potential, &params, 1, 0, step, n, 4, 2, 0.5, x, u, accepted, work, work_len,
///                           &diag) == EQF_OK);
/// ```
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_metropolis(
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
    accepted: *mut u64,
    work: *mut c_void,
    work_len: usize,
    diag: *mut eqf_diag,
) -> i32 {
    let arrays = Arrays { n, x, u, accepted, work, work_len };
    let (draws, sizes) = (Draws { seed, first, step }, [n_particles, dimension]);
    // SAFETY: pointers and sizes by the documented contract.
    unsafe {
        report_step(diag, potential, context, |potential, diag| {
            metropolis(potential, draws, sizes, step_size, arrays, diag)
        })
    }
}

/// Single-precision twin of eqf_metropolis(). Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_metropolis_f32(
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
    accepted: *mut u64,
    work: *mut c_void,
    work_len: usize,
    diag: *mut eqf_diag,
) -> i32 {
    let arrays = Arrays { n, x, u, accepted, work, work_len };
    let (draws, sizes) = (Draws { seed, first, step }, [n_particles, dimension]);
    // SAFETY: pointers and sizes by the documented contract.
    unsafe {
        report_step(diag, potential, context, |potential, diag| {
            metropolis(potential, draws, sizes, step_size, arrays, diag)
        })
    }
}

/// One Metropolis step of n chains by moves of single particles, at the distribution exp(-u).
///
/// In each chain one particle, drawn anew for each step, moves; N steps make a sweep. Arrays, random numbers, `potential` and
/// workspace (eqf_metropolis_extent()) are those of eqf_metropolis().
///
/// Equation: x'_i = x_i + `step_size` times a standard normal for one i, then the centre of mass is removed; accepted
/// with probability min(1, exp(u(x) - u(x'))).
/// Shapes: `x` is [n][N][D], of zero centre of mass (and stays so to rounding), `u` and `accepted` are [n]; `work`
/// has the size and alignment of eqf_metropolis_extent().
/// Units: `u` in kT, `x` and `step_size` in the potential's unit of length.
/// NULL: context, accepted, diag; with `n` 0 also x, u and work.
/// Errors: those of eqf_metropolis(). No chain has moved then, and no counter changed: the step can be repeated.
/// Threads: any thread may call it with arrays of its own; `potential` is called by the same thread.
/// Since: 0.1.0.
/// Example:
///
/// ```c
/// uint64_t step, accepted[3] = {0, 0, 0};
/// eqf_double_well_params params;
/// eqf_double_well_dw4(&params);
/// eqf_double_well(&params, n, 4, 2, x, u, NULL);
/// for (step = 0; step < 100; step++)
///     assert(eqf_metropolis_particle(eqf_double_well_potential, &params, 1, 0, step, n, 4, 2, 1.0, x, u, accepted, work,
///                                    work_len, &diag) == EQF_OK);
/// ```
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_metropolis_particle(
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
    accepted: *mut u64,
    work: *mut c_void,
    work_len: usize,
    diag: *mut eqf_diag,
) -> i32 {
    let arrays = Arrays { n, x, u, accepted, work, work_len };
    let (draws, sizes) = (Draws { seed, first, step }, [n_particles, dimension]);
    // SAFETY: pointers and sizes by the documented contract.
    unsafe {
        report_step(diag, potential, context, |potential, diag| {
            metropolis_particle(potential, draws, sizes, step_size, arrays, diag)
        })
    }
}

/// Single-precision twin of eqf_metropolis_particle(). Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_metropolis_particle_f32(
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
    accepted: *mut u64,
    work: *mut c_void,
    work_len: usize,
    diag: *mut eqf_diag,
) -> i32 {
    let arrays = Arrays { n, x, u, accepted, work, work_len };
    let (draws, sizes) = (Draws { seed, first, step }, [n_particles, dimension]);
    // SAFETY: pointers and sizes by the documented contract.
    unsafe {
        report_step(diag, potential, context, |potential, diag| {
            metropolis_particle(potential, draws, sizes, step_size, arrays, diag)
        })
    }
}
