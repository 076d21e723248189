//! Steps of Markov chains to samples of a flow.

use super::chains::{Arrays, Callback, extent_of_plan, report_step};
use super::memory::{Output, Region};
use super::plan::{self, eqf_extent, eqf_plan, eqf_plan_f32};
use super::potential::{eqf_potential_fn, eqf_potential_fn_f32};
use super::status::{Diag, eqf_diag, status_of};
use crate::error::{Argument, Error};
use crate::flow::Precision;
use crate::mcmc::{self, Draws};
use core::ffi::c_void;

/// # Safety
/// That of [`eqf_independence`].
unsafe fn independence<R: Precision>(
    plan: *const c_void,
    potential: Callback<R>,
    draws: Draws,
    arrays: Arrays<R>,
    log_prob: *mut R,
    diag: Diag,
) -> Result<(), Error> {
    // SAFETY: by contract.
    let header = unsafe { plan::borrow::<R>(plan)? };
    let (shape, n) = (header.plan.shape(), arrays.n);
    let checked = arrays.check(shape, mcmc::independence_extent(&header.plan, n)?)?;
    let log_prob = Output::new(Argument::LogProb, log_prob, n)?;
    let others = [log_prob.region, Region::NONE, Region::NONE];
    checked.check_disjoint(header.region(), others, diag)?;
    // SAFETY: lengths by contract, disjoint by the check.
    let ((chains, work), log_prob) = unsafe { (checked.slices(), log_prob.slice()) };
    // SAFETY: by contract.
    let energies = |x: &[R], u: &mut [R]| unsafe { potential.energies(shape, x, u) };
    mcmc::independence(&header.plan, draws, chains, log_prob, energies, work)
}

/// Says how much workspace eqf_independence() takes for n chains (or fewer).
///
/// NULL: nothing.
/// Errors: those of eqf_workspace_extent().
/// Threads: any thread may call it.
/// Since: 0.1.0.
/// Example:
///
/// ```c
/// assert(eqf_independence_extent(plan, n, &extent) == EQF_OK);
/// assert(extent.size <= work_len);
/// ```
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_independence_extent(
    plan: *const eqf_plan,
    n: usize,
    extent: *mut eqf_extent,
) -> i32 {
    // SAFETY: pointers by the documented contract.
    status_of(unsafe { extent_of_plan::<f64>(plan.cast(), n, extent, mcmc::independence_extent) })
}

/// Single-precision twin of eqf_independence_extent(). Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_independence_extent_f32(
    plan: *const eqf_plan_f32,
    n: usize,
    extent: *mut eqf_extent,
) -> i32 {
    // SAFETY: pointers by the documented contract.
    status_of(unsafe { extent_of_plan::<f32>(plan.cast(), n, extent, mcmc::independence_extent) })
}

/// One independence Metropolis-Hastings step of n chains at the distribution exp(-u), with samples of the flow for
/// proposals.
///
/// `x`, `u`, the energies of `x`, and `log_prob`, the values of log q at `x`, are updated; begin with x and log_prob
/// of eqf_sample(), or with any x and its eqf_log_prob(). `potential`, random numbers and `accepted` are as in
/// eqf_metropolis(). The chains keep exp(-u) as exactly as log q is the density of the draws: to O(steps^-4), with
/// EQF_LOG_DET_JACOBIAN (and, for starts that are not samples, EQF_INVERSE_EXACT) to rounding.
///
/// Equation: x' = F(z') accepted with probability min(1, w(x')/w(x)), w = exp(-u)/q, where q is the flow's density.
/// Shapes: `x` is [n][N][D], of zero centre of mass, `u`, `log_prob` and `accepted` are [n]; `work` has the size and
/// alignment of eqf_independence_extent().
/// Units: `u` in kT, `x` in the model's unit of length, which is the potential's, `log_prob` in nats.
/// NULL: context, accepted, diag; with `n` 0 also x, u, log_prob and work.
/// Errors: EQF_ERROR_NULL, EQF_ERROR_ALIGNMENT and EQF_ERROR_SHAPE (sizes overflow) for each array;
/// EQF_ERROR_ARGUMENT where `plan` is no plan of this precision; EQF_ERROR_WORKSPACE where `work_len` is too short
/// (diag's value is the size it takes); EQF_ERROR_OVERLAP; EQF_ERROR_NON_FINITE for `x`, `u` and `log_prob`;
/// EQF_ERROR_CONVERGENCE from EQF_INTEGRATOR_DOPRI5; EQF_ERROR_CALLBACK where `potential` does not return 0 (diag's
/// value is what it returns). No chain has moved then, and no counter changed: the step can be repeated.
/// Threads: threads may share `plan`, each with arrays of its own; `potential` is called by the same thread.
/// Since: 0.1.0.
/// Example:
///
/// ```c
/// uint64_t step, accepted[3] = {0, 0, 0};
/// eqf_double_well_params params;
/// eqf_double_well_dw4(&params);
/// eqf_sample(plan, 1, 0, n, x, log_prob, work, work_len, &diag);
/// eqf_double_well(&params, n, 4, 2, x, u, NULL);
/// for (step = 0; step < 10; step++)
///     assert(eqf_independence(plan, eqf_double_well_potential, &params, 1, 0, step, n, x, u, log_prob, accepted, work,
///                             work_len, &diag) == EQF_OK);
/// ```
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_independence(
    plan: *const eqf_plan,
    potential: eqf_potential_fn,
    context: *mut c_void,
    seed: u64,
    first: u64,
    step: u64,
    n: usize,
    x: *mut f64,
    u: *mut f64,
    log_prob: *mut f64,
    accepted: *mut u64,
    work: *mut c_void,
    work_len: usize,
    diag: *mut eqf_diag,
) -> i32 {
    let (arrays, draws) = (Arrays { n, x, u, accepted, work, work_len }, Draws { seed, first, step });
    // SAFETY: pointers and sizes by the documented contract.
    unsafe {
        report_step(diag, potential, context, |potential, diag| {
            independence(plan.cast(), potential, draws, arrays, log_prob, diag)
        })
    }
}

/// Single-precision twin of eqf_independence(). Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_independence_f32(
    plan: *const eqf_plan_f32,
    potential: eqf_potential_fn_f32,
    context: *mut c_void,
    seed: u64,
    first: u64,
    step: u64,
    n: usize,
    x: *mut f32,
    u: *mut f32,
    log_prob: *mut f32,
    accepted: *mut u64,
    work: *mut c_void,
    work_len: usize,
    diag: *mut eqf_diag,
) -> i32 {
    let (arrays, draws) = (Arrays { n, x, u, accepted, work, work_len }, Draws { seed, first, step });
    // SAFETY: pointers and sizes by the documented contract.
    unsafe {
        report_step(diag, potential, context, |potential, diag| {
            independence(plan.cast(), potential, draws, arrays, log_prob, diag)
        })
    }
}
