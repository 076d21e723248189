//! Steps of Markov chains in the caller's memory.

use super::memory::{Output, Region, check_disjoint, product, region_of};
use super::particles::batch;
use super::plan::{self, eqf_extent, eqf_plan, eqf_plan_f32};
use super::potential::{eqf_potential_fn, eqf_potential_fn_f32};
use super::status::{Diag, eqf_diag, report, status_of};
use crate::error::{Argument, Error, Status};
use crate::field::Shape;
use crate::flow::Precision;
use crate::lanes::Block;
use crate::mcmc::{self, Chains, Draws};
use core::ffi::c_void;

/// A potential of the caller's in this precision, with its context.
#[derive(Clone, Copy)]
pub(super) struct Callback<R> {
    function: unsafe extern "C" fn(*mut c_void, usize, usize, usize, *const R, *mut R, *mut R) -> i32,
    context: *mut c_void,
}

impl<R> Callback<R> {
    pub(super) fn new(
        function: Option<
            unsafe extern "C" fn(*mut c_void, usize, usize, usize, *const R, *mut R, *mut R) -> i32,
        >,
        context: *mut c_void,
    ) -> Result<Self, Error> {
        let function = function.ok_or(Error::new(Status::Null, Argument::Potential, 0.0))?;
        Ok(Callback { function, context })
    }

    /// Writes the energies of the configurations `x`, `[n][N][D]`, to `u`, `[n]`.
    ///
    /// # Safety
    /// The function keeps to what [`eqf_potential_fn`] says.
    pub(super) unsafe fn energies(self, shape: Shape, x: &[R], u: &mut [R]) -> Result<(), Error> {
        // SAFETY: by this contract.
        unsafe { self.call(shape, x, u, core::ptr::null_mut()) }
    }

    /// The same with gradients, which are as many as `x`.
    ///
    /// # Safety
    /// That of [`Callback::energies`].
    pub(super) unsafe fn gradients(
        self,
        shape: Shape,
        x: &[R],
        u: &mut [R],
        grad: &mut [R],
    ) -> Result<(), Error> {
        // SAFETY: by this contract.
        unsafe { self.call(shape, x, u, grad.as_mut_ptr()) }
    }

    /// # Safety
    /// That of [`Callback::energies`]; `grad` is NULL or as long as `x`.
    unsafe fn call(self, shape: Shape, x: &[R], u: &mut [R], grad: *mut R) -> Result<(), Error> {
        let Shape { particles, dimension } = shape;
        let (x, n, u) = (x.as_ptr(), u.len(), u.as_mut_ptr());
        // SAFETY: arrays of the lengths that the sizes say; by this contract nothing else is touched.
        let status = unsafe { (self.function)(self.context, n, particles, dimension, x, u, grad) };
        if status == 0 {
            return Ok(());
        }
        Err(Error::new(Status::Callback, Argument::Potential, f64::from(status)))
    }
}

/// What all kernels move.
pub(super) struct Arrays<R> {
    pub n: usize,
    pub x: *mut R,
    pub u: *mut R,
    pub accepted: *mut u64,
    pub work: *mut c_void,
    pub work_len: usize,
}

/// The same, checked.
pub(super) struct Checked<R> {
    x: Output<R>,
    u: Output<R>,
    accepted: Option<Output<u64>>,
    work: Output<Block>,
}

impl<R> Arrays<R> {
    /// Checks everything but overlaps, for a workspace of so many blocks.
    pub(super) fn check(self, shape: Shape, blocks: usize) -> Result<Checked<R>, Error> {
        let reals = product(self.n, &[shape.coordinates()])?;
        let blocks = if self.n == 0 { 0 } else { blocks };
        let work = Output::new(Argument::Work, self.work.cast(), blocks)?;
        let needed = product(blocks, &[size_of::<Block>()])?;
        if self.work_len < needed {
            return Err(Error::new(Status::Workspace, Argument::Work, needed as f64));
        }
        let x = Output::new(Argument::X, self.x, reals)?;
        let u = Output::new(Argument::Energy, self.u, self.n)?;
        let accepted = Output::optional(Argument::Accepted, self.accepted, self.n)?;
        Ok(Checked { x, u, accepted, work })
    }
}

impl<R> Checked<R> {
    /// Nothing of this, of the plan and of the `others` that a kernel has overlaps.
    pub(super) fn check_disjoint(&self, plan: Region, others: [Region; 3], diag: Diag) -> Result<(), Error> {
        let Checked { x, u, accepted, work } = self;
        let (accepted, [a, b, c]) = (region_of(accepted), others);
        check_disjoint(&[plan, x.region, u.region, a, b, c, accepted, work.region, diag.region()])
    }

    /// Chains and workspace.
    ///
    /// # Safety
    /// That of [`Output::slice`] for every array, which are disjoint.
    pub(super) unsafe fn slices<'a>(self) -> (Chains<'a, R>, &'a mut [Block]) {
        // SAFETY: by this contract.
        unsafe {
            let accepted = self.accepted.map(|accepted| accepted.slice());
            (Chains { x: self.x.slice(), u: self.u.slice(), accepted }, self.work.slice())
        }
    }
}

/// # Safety
/// That of [`eqf_metropolis_extent`].
unsafe fn metropolis_extent<R: Precision>(
    n: usize,
    sizes: [usize; 2],
    extent: *mut eqf_extent,
) -> Result<(), Error> {
    let (shape, _) = batch(n, sizes[0], sizes[1])?;
    let target = Output::new(Argument::Extent, extent, 1)?;
    let extent = eqf_extent::of(mcmc::metropolis_extent::<R>(shape, n)?, n)?;
    // SAFETY: writable by contract.
    unsafe { target.write(extent) };
    Ok(())
}

/// # Safety
/// That of [`eqf_independence_extent`].
unsafe fn independence_extent<R: Precision>(
    plan: *const c_void,
    n: usize,
    extent: *mut eqf_extent,
) -> Result<(), Error> {
    // SAFETY: by contract.
    let header = unsafe { plan::borrow::<R>(plan)? };
    let target = Output::new(Argument::Extent, extent, 1)?;
    check_disjoint(&[header.region(), target.region])?;
    let extent = eqf_extent::of(mcmc::independence_extent(&header.plan, n)?, n)?;
    // SAFETY: writable by contract.
    unsafe { target.write(extent) };
    Ok(())
}

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
    status_of(unsafe { metropolis_extent::<f64>(n, [n_particles, dimension], extent) })
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
    status_of(unsafe { metropolis_extent::<f32>(n, [n_particles, dimension], extent) })
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
    let call = |diag| {
        let potential = Callback::new(potential, context)?;
        // SAFETY: pointers and sizes by the documented contract.
        unsafe { metropolis(potential, draws, sizes, step_size, arrays, diag) }
    };
    // SAFETY: `diag` by the documented contract.
    unsafe { report(diag, call) }
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
    let call = |diag| {
        let potential = Callback::new(potential, context)?;
        // SAFETY: pointers and sizes by the documented contract.
        unsafe { metropolis(potential, draws, sizes, step_size, arrays, diag) }
    };
    // SAFETY: `diag` by the documented contract.
    unsafe { report(diag, call) }
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
    status_of(unsafe { independence_extent::<f64>(plan.cast(), n, extent) })
}

/// Single-precision twin of eqf_independence_extent(). Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_independence_extent_f32(
    plan: *const eqf_plan_f32,
    n: usize,
    extent: *mut eqf_extent,
) -> i32 {
    // SAFETY: pointers by the documented contract.
    status_of(unsafe { independence_extent::<f32>(plan.cast(), n, extent) })
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
    let call = |diag| {
        let potential = Callback::new(potential, context)?;
        // SAFETY: pointers and sizes by the documented contract.
        unsafe { independence(plan.cast(), potential, draws, arrays, log_prob, diag) }
    };
    // SAFETY: `diag` by the documented contract.
    unsafe { report(diag, call) }
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
    let call = |diag| {
        let potential = Callback::new(potential, context)?;
        // SAFETY: pointers and sizes by the documented contract.
        unsafe { independence(plan.cast(), potential, draws, arrays, log_prob, diag) }
    };
    // SAFETY: `diag` by the documented contract.
    unsafe { report(diag, call) }
}
