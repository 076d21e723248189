//! The calls on a batch on threads of their own.

use super::compute::{self, Common};
use super::plan::{eqf_extent, eqf_plan, eqf_plan_f32, workspace_extent};
use super::status::{eqf_diag, report, status_of};
use core::ffi::c_void;

/// Says how much workspace any of the calls on `threads` threads takes for `n` samples (or fewer).
///
/// Each thread has a part of the workspace, which begins on a cache line of its own; with EQF_INTEGRATOR_RK4 no part
/// grows beyond a few hundred samples. For one thread it is that of eqf_workspace_extent().
///
/// NULL: nothing.
/// Errors: those of eqf_workspace_extent(); EQF_ERROR_ARGUMENT also unless `threads` is 1 to 1024;
/// EQF_ERROR_UNSUPPORTED for more than 1 where eqf_has_feature("threads") is 0.
/// Threads: any thread may call it.
/// Since: 0.1.0.
/// Example:
///
/// ```c
/// assert(eqf_workspace_extent_threads(plan, 1, n, &extent) == EQF_OK);
/// assert(extent.size <= work_len);
/// ```
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_workspace_extent_threads(
    plan: *const eqf_plan,
    threads: usize,
    n: usize,
    extent: *mut eqf_extent,
) -> i32 {
    // SAFETY: pointers by the documented contract.
    status_of(unsafe { workspace_extent::<f64>(plan.cast(), n, threads, extent) })
}

/// Single-precision twin of eqf_workspace_extent_threads(). Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_workspace_extent_threads_f32(
    plan: *const eqf_plan_f32,
    threads: usize,
    n: usize,
    extent: *mut eqf_extent,
) -> i32 {
    // SAFETY: pointers by the documented contract.
    status_of(unsafe { workspace_extent::<f32>(plan.cast(), n, threads, extent) })
}

/// eqf_forward() on `threads` threads: the same bits, whatever their number. `threads` at most in all: the calling
/// thread and others, which are started for the call (that takes memory from the system) and have ended when it
/// returns: there is no pool, and nothing remains. What a thread that cannot be started would have computed, the
/// others compute.
///
/// Equation: that of eqf_forward().
/// Shapes: those of eqf_forward(), but that `work` has the size and alignment of eqf_workspace_extent_threads().
/// Units: those of eqf_forward().
/// NULL: log_det, diag; with `n` 0 also z, x and work.
/// Errors: those of eqf_forward(), with indices of the whole batch; EQF_ERROR_ARGUMENT also unless `threads` is 1 to
/// 1024; EQF_ERROR_UNSUPPORTED for more than 1 where eqf_has_feature("threads") is 0. On failure no thread has
/// written an output.
/// Threads: threads may share `plan`, each with a workspace and outputs of its own; a caller with threads of his own
/// calls eqf_forward() for each part of the batch instead, and gets the same bits.
/// Since: 0.1.0.
/// Example:
///
/// ```c
/// assert(eqf_forward_threads(plan, threads, n, z, x, log_det, work, work_len, &diag) == EQF_OK);
/// ```
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_forward_threads(
    plan: *const eqf_plan,
    threads: usize,
    n: usize,
    z: *const f64,
    x: *mut f64,
    log_det: *mut f64,
    work: *mut c_void,
    work_len: usize,
    diag: *mut eqf_diag,
) -> i32 {
    let common = Common { plan, threads, n, work, work_len };
    // SAFETY: pointers and sizes by the documented contract.
    unsafe { report(diag, |diag| compute::forward(common, z, x, log_det, diag)) }
}

/// Single-precision twin of eqf_forward_threads(). Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_forward_threads_f32(
    plan: *const eqf_plan_f32,
    threads: usize,
    n: usize,
    z: *const f32,
    x: *mut f32,
    log_det: *mut f32,
    work: *mut c_void,
    work_len: usize,
    diag: *mut eqf_diag,
) -> i32 {
    let common = Common { plan, threads, n, work, work_len };
    // SAFETY: pointers and sizes by the documented contract.
    unsafe { report(diag, |diag| compute::forward(common, z, x, log_det, diag)) }
}

/// eqf_inverse() on `threads` threads: the same bits, whatever their number. Threads as in eqf_forward_threads().
///
/// Equation: that of eqf_inverse().
/// Shapes: those of eqf_inverse(), but that `work` has the size and alignment of eqf_workspace_extent_threads().
/// Units: those of eqf_inverse().
/// NULL: log_det, diag; with `n` 0 also x, z and work.
/// Errors: those of eqf_inverse(), with indices of the whole batch; EQF_ERROR_ARGUMENT also unless `threads` is 1 to
/// 1024; EQF_ERROR_UNSUPPORTED for more than 1 where eqf_has_feature("threads") is 0. On failure no thread has
/// written an output.
/// Threads: threads may share `plan`, each with a workspace and outputs of its own; a caller with threads of his own
/// calls eqf_inverse() for each part of the batch instead, and gets the same bits.
/// Since: 0.1.0.
/// Example:
///
/// ```c
/// assert(eqf_inverse_threads(plan, threads, n, x, z, log_det, work, work_len, &diag) == EQF_OK);
/// ```
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_inverse_threads(
    plan: *const eqf_plan,
    threads: usize,
    n: usize,
    x: *const f64,
    z: *mut f64,
    log_det: *mut f64,
    work: *mut c_void,
    work_len: usize,
    diag: *mut eqf_diag,
) -> i32 {
    let common = Common { plan, threads, n, work, work_len };
    // SAFETY: pointers and sizes by the documented contract.
    unsafe { report(diag, |diag| compute::inverse(common, x, z, log_det, diag)) }
}

/// Single-precision twin of eqf_inverse_threads(). Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_inverse_threads_f32(
    plan: *const eqf_plan_f32,
    threads: usize,
    n: usize,
    x: *const f32,
    z: *mut f32,
    log_det: *mut f32,
    work: *mut c_void,
    work_len: usize,
    diag: *mut eqf_diag,
) -> i32 {
    let common = Common { plan, threads, n, work, work_len };
    // SAFETY: pointers and sizes by the documented contract.
    unsafe { report(diag, |diag| compute::inverse(common, x, z, log_det, diag)) }
}

/// eqf_log_prob() on `threads` threads: the same bits, whatever their number. Threads as in eqf_forward_threads().
///
/// Equation: that of eqf_log_prob().
/// Shapes: those of eqf_log_prob(), but that `work` has the size and alignment of eqf_workspace_extent_threads().
/// Units: those of eqf_log_prob().
/// NULL: grad, diag; with `n` 0 also x, log_prob and work.
/// Errors: those of eqf_log_prob(), with indices of the whole batch; EQF_ERROR_ARGUMENT also unless `threads` is 1 to
/// 1024; EQF_ERROR_UNSUPPORTED for more than 1 where eqf_has_feature("threads") is 0. On failure no thread has
/// written an output.
/// Threads: threads may share `plan`, each with a workspace and outputs of its own; a caller with threads of his own
/// calls eqf_log_prob() for each part of the batch instead, and gets the same bits.
/// Since: 0.1.0.
/// Example:
///
/// ```c
/// assert(eqf_log_prob_threads(plan, threads, n, x, log_prob, grad, work, work_len, &diag) == EQF_OK);
/// ```
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_log_prob_threads(
    plan: *const eqf_plan,
    threads: usize,
    n: usize,
    x: *const f64,
    log_prob: *mut f64,
    grad: *mut f64,
    work: *mut c_void,
    work_len: usize,
    diag: *mut eqf_diag,
) -> i32 {
    let common = Common { plan, threads, n, work, work_len };
    // SAFETY: pointers and sizes by the documented contract.
    unsafe { report(diag, |diag| compute::log_prob(common, x, log_prob, grad, diag)) }
}

/// Single-precision twin of eqf_log_prob_threads(). Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_log_prob_threads_f32(
    plan: *const eqf_plan_f32,
    threads: usize,
    n: usize,
    x: *const f32,
    log_prob: *mut f32,
    grad: *mut f32,
    work: *mut c_void,
    work_len: usize,
    diag: *mut eqf_diag,
) -> i32 {
    let common = Common { plan, threads, n, work, work_len };
    // SAFETY: pointers and sizes by the documented contract.
    unsafe { report(diag, |diag| compute::log_prob(common, x, log_prob, grad, diag)) }
}

/// eqf_sample() on `threads` threads: the same bits, whatever their number. Threads as in eqf_forward_threads().
///
/// Equation: that of eqf_sample().
/// Shapes: those of eqf_sample(), but that `work` has the size and alignment of eqf_workspace_extent_threads().
/// Units: those of eqf_sample().
/// NULL: log_prob, diag; with `n` 0 also x and work.
/// Errors: those of eqf_sample(), with indices of the whole batch; EQF_ERROR_ARGUMENT also unless `threads` is 1 to
/// 1024; EQF_ERROR_UNSUPPORTED for more than 1 where eqf_has_feature("threads") is 0. On failure no thread has
/// written an output.
/// Threads: threads may share `plan`, each with a workspace and outputs of its own; a caller with threads of his own
/// calls eqf_sample() for each part of the batch instead, and gets the same bits.
/// Since: 0.1.0.
/// Example:
///
/// ```c
/// assert(eqf_sample_threads(plan, threads, 1, 0, n, x, log_prob, work, work_len, &diag) == EQF_OK);
/// ```
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_sample_threads(
    plan: *const eqf_plan,
    threads: usize,
    seed: u64,
    first: u64,
    n: usize,
    x: *mut f64,
    log_prob: *mut f64,
    work: *mut c_void,
    work_len: usize,
    diag: *mut eqf_diag,
) -> i32 {
    let common = Common { plan, threads, n, work, work_len };
    // SAFETY: pointers and sizes by the documented contract.
    unsafe { report(diag, |diag| compute::sample(common, [seed, first], x, log_prob, diag)) }
}

/// Single-precision twin of eqf_sample_threads(). Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_sample_threads_f32(
    plan: *const eqf_plan_f32,
    threads: usize,
    seed: u64,
    first: u64,
    n: usize,
    x: *mut f32,
    log_prob: *mut f32,
    work: *mut c_void,
    work_len: usize,
    diag: *mut eqf_diag,
) -> i32 {
    let common = Common { plan, threads, n, work, work_len };
    // SAFETY: pointers and sizes by the documented contract.
    unsafe { report(diag, |diag| compute::sample(common, [seed, first], x, log_prob, diag)) }
}
