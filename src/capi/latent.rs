//! Steps of Markov chains in the latent space of a flow.

use super::chains::{Arrays, Callback, Checked, PlanExtent, extent_of_plan, report_step};
use super::memory::{Output, product, region_of};
use super::plan::{self, Header, eqf_extent, eqf_plan, eqf_plan_f32};
use super::potential::{eqf_potential_fn, eqf_potential_fn_f32};
use super::status::{Diag, eqf_diag, status_of};
use crate::error::{Argument, Error};
use crate::flow::Precision;
use crate::mcmc::{self, Chains, Draws, LatentChains, Leapfrog};
use core::ffi::c_void;

/// What latent kernels have besides [`Arrays`].
struct Latent<R> {
    z: *mut R,
    log_det: *mut R,
    /// Where there is one, and whether it must not be NULL.
    grad: Option<(*mut R, bool)>,
}

/// The same and [`Arrays`], checked, with the plan.
struct CheckedLatent<'a, R: 'static> {
    header: &'a Header<R>,
    common: Checked<R>,
    z: Output<R>,
    log_det: Output<R>,
    grad: Option<Output<R>>,
}

impl<R: Precision> Latent<R> {
    /// Checks everything, for as many blocks of workspace as `blocks` says.
    ///
    /// # Safety
    /// The plan is what it is said to be.
    unsafe fn check<'a>(
        self,
        plan: *const c_void,
        arrays: Arrays<R>,
        blocks: PlanExtent<R>,
        diag: Diag,
    ) -> Result<CheckedLatent<'a, R>, Error> {
        // SAFETY: by contract.
        let header = unsafe { plan::borrow::<R>(plan)? };
        let (shape, n) = (header.plan.shape(), arrays.n);
        let reals = product(n, &[shape.coordinates()])?;
        let common = arrays.check(shape, blocks(&header.plan, n)?)?;
        let z = Output::new(Argument::Z, self.z, reals)?;
        let log_det = Output::new(Argument::LogDet, self.log_det, n)?;
        let grad = match self.grad {
            Some((grad, true)) => Some(Output::new(Argument::Gradient, grad, reals)?),
            Some((grad, false)) => Output::optional(Argument::Gradient, grad, reals)?,
            None => None,
        };
        common.check_disjoint(header.region(), [z.region, log_det.region, region_of(&grad)], diag)?;
        Ok(CheckedLatent { header, common, z, log_det, grad })
    }
}

/// # Safety
/// That of [`eqf_latent_start`].
unsafe fn latent_start<R: Precision>(
    plan: *const c_void,
    potential: Callback<R>,
    arrays: Arrays<R>,
    latent: Latent<R>,
    diag: Diag,
) -> Result<(), Error> {
    // SAFETY: by contract.
    let checked = unsafe { latent.check(plan, arrays, mcmc::latent_hmc_extent, diag)? };
    let CheckedLatent { header, common, z, log_det, grad } = checked;
    let (plan, shape) = (&header.plan, header.plan.shape());
    // SAFETY: lengths by contract, disjoint by the check.
    let (chains, work) = unsafe { common.slices() };
    // SAFETY: as above.
    let (z, log_det, grad) = unsafe { (z.slice(), log_det.slice(), grad.map(|grad| grad.slice())) };
    let Chains { x, u, accepted } = chains;
    let wanted = grad.is_some();
    let gradients = |x: &[R], u: &mut [R], grad: &mut [R]| {
        // SAFETY: by contract.
        unsafe {
            if wanted { potential.gradients(shape, x, u, grad) } else { potential.energies(shape, x, u) }
        }
    };
    mcmc::latent_start(plan, LatentChains { z, x, u, log_det, accepted }, grad, gradients, work)
}

/// # Safety
/// That of [`eqf_latent_metropolis`].
unsafe fn latent_metropolis<R: Precision>(
    plan: *const c_void,
    potential: Callback<R>,
    draws: Draws,
    step_size: R,
    arrays: Arrays<R>,
    latent: Latent<R>,
    diag: Diag,
) -> Result<(), Error> {
    // SAFETY: by contract.
    let checked = unsafe { latent.check(plan, arrays, mcmc::latent_metropolis_extent, diag)? };
    let CheckedLatent { header, common, z, log_det, .. } = checked;
    let (plan, shape) = (&header.plan, header.plan.shape());
    // SAFETY: lengths by contract, disjoint by the check.
    let ((chains, work), z, log_det) = unsafe { (common.slices(), z.slice(), log_det.slice()) };
    let Chains { x, u, accepted } = chains;
    // SAFETY: by contract.
    let energies = |x: &[R], u: &mut [R]| unsafe { potential.energies(shape, x, u) };
    mcmc::latent_metropolis(
        plan,
        step_size,
        draws,
        LatentChains { z, x, u, log_det, accepted },
        energies,
        work,
    )
}

/// # Safety
/// That of [`eqf_latent_hmc`].
unsafe fn latent_hmc<R: Precision>(
    plan: *const c_void,
    potential: Callback<R>,
    draws: Draws,
    leapfrog: Leapfrog<R>,
    arrays: Arrays<R>,
    latent: Latent<R>,
    diag: Diag,
) -> Result<(), Error> {
    // SAFETY: by contract.
    let checked = unsafe { latent.check(plan, arrays, mcmc::latent_hmc_extent, diag)? };
    let CheckedLatent { header, common, z, log_det, grad } = checked;
    let (plan, shape) = (&header.plan, header.plan.shape());
    // SAFETY: lengths by contract, disjoint by the check.
    let ((chains, work), z, log_det) = unsafe { (common.slices(), z.slice(), log_det.slice()) };
    // SAFETY: as above.
    let grad = grad.map_or(&mut [][..], |grad| unsafe { grad.slice() });
    let Chains { x, u, accepted } = chains;
    // SAFETY: by contract.
    let gradients = |x: &[R], u: &mut [R], grad: &mut [R]| unsafe { potential.gradients(shape, x, u, grad) };
    mcmc::latent_hmc(
        plan,
        leapfrog,
        draws,
        LatentChains { z, x, u, log_det, accepted },
        grad,
        gradients,
        work,
    )
}

/// Says how much workspace eqf_latent_metropolis() takes for n chains (or fewer).
///
/// NULL: nothing.
/// Errors: those of eqf_workspace_extent().
/// Threads: any thread may call it.
/// Since: 0.1.0.
/// Example:
///
/// ```c
/// assert(eqf_latent_metropolis_extent(plan, n, &extent) == EQF_OK);
/// assert(extent.size <= work_len);
/// ```
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_latent_metropolis_extent(
    plan: *const eqf_plan,
    n: usize,
    extent: *mut eqf_extent,
) -> i32 {
    // SAFETY: pointers by the documented contract.
    status_of(unsafe { extent_of_plan::<f64>(plan.cast(), n, extent, mcmc::latent_metropolis_extent) })
}

/// Single-precision twin of eqf_latent_metropolis_extent(). Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_latent_metropolis_extent_f32(
    plan: *const eqf_plan_f32,
    n: usize,
    extent: *mut eqf_extent,
) -> i32 {
    // SAFETY: pointers by the documented contract.
    status_of(unsafe { extent_of_plan::<f32>(plan.cast(), n, extent, mcmc::latent_metropolis_extent) })
}

/// Says how much workspace eqf_latent_hmc() and eqf_latent_start() take for n chains (or fewer).
///
/// NULL: nothing.
/// Errors: those of eqf_workspace_extent().
/// Threads: any thread may call it.
/// Since: 0.1.0.
/// Example:
///
/// ```c
/// assert(eqf_latent_hmc_extent(plan, n, &extent) == EQF_OK);
/// assert(extent.size <= work_len);
/// ```
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_latent_hmc_extent(
    plan: *const eqf_plan,
    n: usize,
    extent: *mut eqf_extent,
) -> i32 {
    // SAFETY: pointers by the documented contract.
    status_of(unsafe { extent_of_plan::<f64>(plan.cast(), n, extent, mcmc::latent_hmc_extent) })
}

/// Single-precision twin of eqf_latent_hmc_extent(). Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_latent_hmc_extent_f32(
    plan: *const eqf_plan_f32,
    n: usize,
    extent: *mut eqf_extent,
) -> i32 {
    // SAFETY: pointers by the documented contract.
    status_of(unsafe { extent_of_plan::<f32>(plan.cast(), n, extent, mcmc::latent_hmc_extent) })
}

/// Fills the other arrays of chains that move in the latent space of a flow from their positions there.
///
/// `potential` is called once, with `context`, all configurations, and memory for gradients where `grad` is not NULL.
///
/// Equation: x = F(z), u = u(x), log_det = log|det dF/dz|, grad = d (u - log_det)/dz.
/// Shapes: `z`, `x` and `grad` are [n][N][D], `z` of zero centre of mass, `u` and `log_det` are [n]; `work` has the size
/// and alignment of eqf_latent_hmc_extent().
/// Units: `u` in kT, `x` in the model's unit of length, which is the potential's, `log_det` in nats, `z` and `grad`
/// without.
/// NULL: context, grad, diag; with `n` 0 also z, x, u, log_det and work.
/// Errors: EQF_ERROR_NULL, EQF_ERROR_ALIGNMENT and EQF_ERROR_SHAPE (sizes overflow) for each array; EQF_ERROR_ARGUMENT
/// where `plan` is no plan of this precision; EQF_ERROR_WORKSPACE where `work_len` is too short
/// (diag's value is the size it takes); EQF_ERROR_OVERLAP; EQF_ERROR_NON_FINITE for `z`, and for what would be written;
/// EQF_ERROR_CONVERGENCE from EQF_INTEGRATOR_DOPRI5; EQF_ERROR_CALLBACK where `potential` does not return 0 (diag's value
/// is what it returns).
/// Threads: threads may share `plan`, each with arrays of its own; `potential` is called by the same thread.
/// Since: 0.1.0.
/// Example:
///
/// ```c
/// eqf_double_well_params params;
/// eqf_double_well_dw4(&params);
/// assert(eqf_latent_start(plan, eqf_double_well_potential, &params, n, z, x, u, log_det, grad, work, work_len, &diag)
///        == EQF_OK);
/// ```
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_latent_start(
    plan: *const eqf_plan,
    potential: eqf_potential_fn,
    context: *mut c_void,
    n: usize,
    z: *mut f64,
    x: *mut f64,
    u: *mut f64,
    log_det: *mut f64,
    grad: *mut f64,
    work: *mut c_void,
    work_len: usize,
    diag: *mut eqf_diag,
) -> i32 {
    let arrays = Arrays { n, x, u, accepted: core::ptr::null_mut(), work, work_len };
    let latent = Latent { z, log_det, grad: Some((grad, false)) };
    // SAFETY: pointers and sizes by the documented contract.
    unsafe {
        report_step(diag, potential, context, |potential, diag| {
            latent_start(plan.cast(), potential, arrays, latent, diag)
        })
    }
}

/// Single-precision twin of eqf_latent_start(). Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_latent_start_f32(
    plan: *const eqf_plan_f32,
    potential: eqf_potential_fn_f32,
    context: *mut c_void,
    n: usize,
    z: *mut f32,
    x: *mut f32,
    u: *mut f32,
    log_det: *mut f32,
    grad: *mut f32,
    work: *mut c_void,
    work_len: usize,
    diag: *mut eqf_diag,
) -> i32 {
    let arrays = Arrays { n, x, u, accepted: core::ptr::null_mut(), work, work_len };
    let latent = Latent { z, log_det, grad: Some((grad, false)) };
    // SAFETY: pointers and sizes by the documented contract.
    unsafe {
        report_step(diag, potential, context, |potential, diag| {
            latent_start(plan.cast(), potential, arrays, latent, diag)
        })
    }
}

/// One random-walk Metropolis step of n chains in the latent space of a flow, at the distribution exp(-u) of the
/// configurations.
///
/// All arrays of eqf_latent_start() but `grad` are updated. `potential`, random numbers and `accepted` are as in
/// eqf_metropolis(). The chains keep exp(-u) as exactly as log_det is that of the map: to O(steps^-4), with
/// EQF_LOG_DET_JACOBIAN to rounding.
///
/// Equation: z' = z + `step_size` times a standard normal on the subspace of zero centre of mass, accepted with
/// probability min(1, exp(U(z) - U(z'))), U(z) = u(F(z)) - log|det dF/dz|.
/// Shapes: `z` and `x` are [n][N][D], of zero centre of mass, `u`, `log_det` and `accepted` are [n]; `work` has the size
/// and alignment of eqf_latent_metropolis_extent().
/// Units: `u` in kT, `x` in the model's unit of length, which is the potential's, `log_det` in nats, `z` and `step_size`
/// without.
/// NULL: context, accepted, diag; with `n` 0 also z, x, u, log_det and work.
/// Errors: EQF_ERROR_NULL, EQF_ERROR_ALIGNMENT and EQF_ERROR_SHAPE (sizes overflow) for each array; EQF_ERROR_ARGUMENT
/// where `plan` is no plan of this precision, and unless `step_size` > 0; EQF_ERROR_WORKSPACE where `work_len` is too short
/// (diag's value is the size it takes); EQF_ERROR_OVERLAP; EQF_ERROR_NON_FINITE for `z`, `x`, `u`, `log_det` and
/// `step_size`; EQF_ERROR_CONVERGENCE from EQF_INTEGRATOR_DOPRI5; EQF_ERROR_CALLBACK where `potential` does not return 0
/// (diag's value is what it returns). No chain has moved then, and no counter changed: the step can be repeated.
/// Threads: threads may share `plan`, each with arrays of its own; `potential` is called by the same thread.
/// Since: 0.1.0.
/// Example:
///
/// ```c
/// uint64_t step, accepted[3] = {0, 0, 0};
/// eqf_double_well_params params;
/// eqf_double_well_dw4(&params);
/// eqf_latent_start(plan, eqf_double_well_potential, &params, n, z, x, u, log_det, NULL, work, work_len, &diag);
/// for (step = 0; step < 10; step++)
///     assert(eqf_latent_metropolis(plan, eqf_double_well_potential, &params, 1, 0, step, n, 0.5, z, x, u, log_det,
///                                  accepted, work, work_len, &diag) == EQF_OK);
/// ```
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_latent_metropolis(
    plan: *const eqf_plan,
    potential: eqf_potential_fn,
    context: *mut c_void,
    seed: u64,
    first: u64,
    step: u64,
    n: usize,
    step_size: f64,
    z: *mut f64,
    x: *mut f64,
    u: *mut f64,
    log_det: *mut f64,
    accepted: *mut u64,
    work: *mut c_void,
    work_len: usize,
    diag: *mut eqf_diag,
) -> i32 {
    let (arrays, draws) = (Arrays { n, x, u, accepted, work, work_len }, Draws { seed, first, step });
    let latent = Latent { z, log_det, grad: None };
    // SAFETY: pointers and sizes by the documented contract.
    unsafe {
        report_step(diag, potential, context, |potential, diag| {
            latent_metropolis(plan.cast(), potential, draws, step_size, arrays, latent, diag)
        })
    }
}

/// Single-precision twin of eqf_latent_metropolis(). Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_latent_metropolis_f32(
    plan: *const eqf_plan_f32,
    potential: eqf_potential_fn_f32,
    context: *mut c_void,
    seed: u64,
    first: u64,
    step: u64,
    n: usize,
    step_size: f32,
    z: *mut f32,
    x: *mut f32,
    u: *mut f32,
    log_det: *mut f32,
    accepted: *mut u64,
    work: *mut c_void,
    work_len: usize,
    diag: *mut eqf_diag,
) -> i32 {
    let (arrays, draws) = (Arrays { n, x, u, accepted, work, work_len }, Draws { seed, first, step });
    let latent = Latent { z, log_det, grad: None };
    // SAFETY: pointers and sizes by the documented contract.
    unsafe {
        report_step(diag, potential, context, |potential, diag| {
            latent_metropolis(plan.cast(), potential, draws, step_size, arrays, latent, diag)
        })
    }
}

/// One step of Hamiltonian Monte Carlo of n chains in the latent space of a flow, at the distribution exp(-u) of the
/// configurations (neural transport).
///
/// All arrays of eqf_latent_start() are updated. `potential` is called as by eqf_hmc(), with configurations. How exactly
/// exp(-u) is kept is as in eqf_latent_metropolis(); with EQF_LOG_DET_JACOBIAN the trajectories follow the gradient of
/// eqf_pull_gradient(), and the acceptance makes good what it lacks.
///
/// Equation: that of eqf_hmc() for z and U(z) = u(F(z)) - log|det dF/dz|.
/// Shapes: `z`, `x` and `grad` are [n][N][D], `z` and `x` of zero centre of mass, `u`, `log_det` and `accepted` are [n];
/// `work` has the size and alignment of eqf_latent_hmc_extent().
/// Units: `u` in kT, `x` in the model's unit of length, which is the potential's, `log_det` in nats, `z`, `grad` and
/// `step_size` without.
/// NULL: context, accepted, diag; with `n` 0 also z, x, u, log_det, grad and work.
/// Errors: those of eqf_latent_metropolis(), EQF_ERROR_NON_FINITE for `grad` too; EQF_ERROR_ARGUMENT also where
/// `leapfrogs` is 0. No chain has moved then, and no counter changed: the step can be repeated.
/// Threads: threads may share `plan`, each with arrays of its own; `potential` is called by the same thread.
/// Since: 0.1.0.
/// Example:
///
/// ```c
/// uint64_t step, accepted[3] = {0, 0, 0};
/// eqf_double_well_params params;
/// eqf_double_well_dw4(&params);
/// eqf_latent_start(plan, eqf_double_well_potential, &params, n, z, x, u, log_det, grad, work, work_len, &diag);
/// for (step = 0; step < 10; step++)
///     assert(eqf_latent_hmc(plan, eqf_double_well_potential, &params, 1, 0, step, n, 0.1, 5, z, x, u, log_det, grad,
///                           accepted, work, work_len, &diag) == EQF_OK);
/// ```
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_latent_hmc(
    plan: *const eqf_plan,
    potential: eqf_potential_fn,
    context: *mut c_void,
    seed: u64,
    first: u64,
    step: u64,
    n: usize,
    step_size: f64,
    leapfrogs: usize,
    z: *mut f64,
    x: *mut f64,
    u: *mut f64,
    log_det: *mut f64,
    grad: *mut f64,
    accepted: *mut u64,
    work: *mut c_void,
    work_len: usize,
    diag: *mut eqf_diag,
) -> i32 {
    let (arrays, draws) = (Arrays { n, x, u, accepted, work, work_len }, Draws { seed, first, step });
    let (latent, leapfrog) =
        (Latent { z, log_det, grad: Some((grad, true)) }, Leapfrog { step_size, steps: leapfrogs });
    // SAFETY: pointers and sizes by the documented contract.
    unsafe {
        report_step(diag, potential, context, |potential, diag| {
            latent_hmc(plan.cast(), potential, draws, leapfrog, arrays, latent, diag)
        })
    }
}

/// Single-precision twin of eqf_latent_hmc(). Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_latent_hmc_f32(
    plan: *const eqf_plan_f32,
    potential: eqf_potential_fn_f32,
    context: *mut c_void,
    seed: u64,
    first: u64,
    step: u64,
    n: usize,
    step_size: f32,
    leapfrogs: usize,
    z: *mut f32,
    x: *mut f32,
    u: *mut f32,
    log_det: *mut f32,
    grad: *mut f32,
    accepted: *mut u64,
    work: *mut c_void,
    work_len: usize,
    diag: *mut eqf_diag,
) -> i32 {
    let (arrays, draws) = (Arrays { n, x, u, accepted, work, work_len }, Draws { seed, first, step });
    let (latent, leapfrog) =
        (Latent { z, log_det, grad: Some((grad, true)) }, Leapfrog { step_size, steps: leapfrogs });
    // SAFETY: pointers and sizes by the documented contract.
    unsafe {
        report_step(diag, potential, context, |potential, diag| {
            latent_hmc(plan.cast(), potential, draws, leapfrog, arrays, latent, diag)
        })
    }
}
