//! What a plan does with a batch.

use super::memory::{Input, Output, Region, check_disjoint, product, region_of};
use super::plan::{self, Header, eqf_plan, eqf_plan_f32};
use super::status::{Diag, eqf_diag, report};
use crate::error::{Argument, Error, Status};
use crate::flow::{Calls, Precision, Threads};
use crate::lanes::Block;
use core::ffi::c_void;

/// The part of a call's arguments that all calls have.
pub(super) struct Common<P> {
    pub(super) plan: *const P,
    pub(super) threads: usize,
    pub(super) n: usize,
    pub(super) work: *mut c_void,
    pub(super) work_len: usize,
}

/// A call on a batch: plan and workspace are checked, sizes known.
struct Batch<'a, R: Precision> {
    header: &'a Header<R>,
    threads: usize,
    n: usize,
    /// Reals of `[n][N][D]`.
    reals: usize,
    work: Output<Block>,
    diag: Diag,
}

impl<R: Precision> Batch<'_, R> {
    /// # Safety
    /// The plan is one of this precision, the workspace has its length.
    unsafe fn begin<P>(common: Common<P>, diag: Diag) -> Result<Self, Error> {
        let Common { plan, threads, n, work, work_len } = common;
        // SAFETY: by contract.
        let header = unsafe { plan::borrow::<R>(plan.cast())? };
        let blocks = header.plan.workspace_extent_on_threads(n, threads)?;
        let blocks = if n == 0 { 0 } else { blocks };
        let reals = product(n, &[header.plan.shape().coordinates()])?;
        let work = Output::new(Argument::Work, work.cast(), blocks)?;
        let needed = product(blocks, &[size_of::<Block>()])?;
        if work_len < needed {
            return Err(Error::new(Status::Workspace, Argument::Work, needed as f64));
        }
        Ok(Batch { header, threads, n, reals, work, diag })
    }

    /// The plan's calls on these threads in this workspace.
    ///
    /// # Safety
    /// The workspace is there, and nothing else touches it meanwhile.
    unsafe fn calls(&self) -> Result<Calls<'_, R, Threads<'_>>, Error> {
        // SAFETY: present and exclusive by this contract; any bits are blocks.
        self.header.plan.on_threads(self.threads, unsafe { self.work.slice() })
    }

    fn check_disjoint(&self, [a, b, c]: [Region; 3]) -> Result<(), Error> {
        check_disjoint(&[self.header.region(), a, b, c, self.work.region, self.diag.region()])
    }
}

/// The slice of an optional output.
///
/// # Safety
/// That of [`Output::slice`].
unsafe fn optional_slice<'a, T>(output: Option<Output<T>>) -> Option<&'a mut [T]> {
    // SAFETY: by contract.
    output.map(|output| unsafe { output.slice() })
}

/// # Safety
/// That of [`eqf_forward`].
pub(super) unsafe fn forward<P, R: Precision>(
    common: Common<P>,
    z: *const R,
    x: *mut R,
    log_det: *mut R,
    diag: Diag,
) -> Result<(), Error> {
    // SAFETY: by contract.
    let batch = unsafe { Batch::<R>::begin(common, diag)? };
    let z = Input::new(Argument::Z, z, batch.reals)?;
    let x = Output::new(Argument::X, x, batch.reals)?;
    let log_det = Output::optional(Argument::LogDet, log_det, batch.n)?;
    batch.check_disjoint([z.region, x.region, region_of(&log_det)])?;
    // SAFETY: lengths by contract, disjoint by the check.
    unsafe { batch.calls()?.forward(z.slice(), x.slice(), optional_slice(log_det)) }
}

/// # Safety
/// That of [`eqf_inverse`].
pub(super) unsafe fn inverse<P, R: Precision>(
    common: Common<P>,
    x: *const R,
    z: *mut R,
    log_det: *mut R,
    diag: Diag,
) -> Result<(), Error> {
    // SAFETY: by contract.
    let batch = unsafe { Batch::<R>::begin(common, diag)? };
    let x = Input::new(Argument::X, x, batch.reals)?;
    let z = Output::new(Argument::Z, z, batch.reals)?;
    let log_det = Output::optional(Argument::LogDet, log_det, batch.n)?;
    batch.check_disjoint([x.region, z.region, region_of(&log_det)])?;
    // SAFETY: lengths by contract, disjoint by the check.
    unsafe { batch.calls()?.inverse(x.slice(), z.slice(), optional_slice(log_det)) }
}

/// # Safety
/// That of [`eqf_pull_gradient`].
unsafe fn pull_gradient<P, R: Precision>(
    common: Common<P>,
    [z, x_bar, log_det_bar]: [*const R; 3],
    grad: *mut R,
    diag: Diag,
) -> Result<(), Error> {
    // SAFETY: by contract.
    let batch = unsafe { Batch::<R>::begin(common, diag)? };
    let z = Input::new(Argument::Z, z, batch.reals)?;
    let x_bar = Input::new(Argument::XBar, x_bar, batch.reals)?;
    let log_det_bar = Input::new(Argument::LogDetBar, log_det_bar, batch.n)?;
    let grad = Output::new(Argument::Gradient, grad, batch.reals)?;
    batch.check_disjoint([z.region, x_bar.region, grad.region])?;
    batch.check_disjoint([log_det_bar.region, Region::NONE, grad.region])?;
    // SAFETY: lengths by contract, disjoint by the check.
    unsafe { batch.calls()?.pull_gradient(z.slice(), x_bar.slice(), log_det_bar.slice(), grad.slice()) }
}

/// # Safety
/// That of [`eqf_log_prob`].
pub(super) unsafe fn log_prob<P, R: Precision>(
    common: Common<P>,
    x: *const R,
    log_prob: *mut R,
    grad: *mut R,
    diag: Diag,
) -> Result<(), Error> {
    // SAFETY: by contract.
    let batch = unsafe { Batch::<R>::begin(common, diag)? };
    let x = Input::new(Argument::X, x, batch.reals)?;
    let log_prob = Output::new(Argument::LogProb, log_prob, batch.n)?;
    let grad = Output::optional(Argument::Gradient, grad, batch.reals)?;
    batch.check_disjoint([x.region, log_prob.region, region_of(&grad)])?;
    // SAFETY: lengths by contract, disjoint by the check.
    unsafe { batch.calls()?.log_prob(x.slice(), log_prob.slice(), optional_slice(grad)) }
}

/// # Safety
/// That of [`eqf_sample`].
pub(super) unsafe fn sample<P, R: Precision>(
    common: Common<P>,
    [seed, first]: [u64; 2],
    x: *mut R,
    log_prob: *mut R,
    diag: Diag,
) -> Result<(), Error> {
    // SAFETY: by contract.
    let batch = unsafe { Batch::<R>::begin(common, diag)? };
    let x = Output::new(Argument::X, x, batch.reals)?;
    let log_prob = Output::optional(Argument::LogProb, log_prob, batch.n)?;
    batch.check_disjoint([x.region, region_of(&log_prob), Region::NONE])?;
    // SAFETY: lengths by contract, disjoint by the check.
    unsafe { batch.calls()?.sample(seed, first, x.slice(), optional_slice(log_prob)) }
}

/// # Safety
/// That of [`eqf_jacobian`].
unsafe fn jacobian<P, R: Precision>(
    common: Common<P>,
    z: *const R,
    jacobian: *mut R,
    diag: Diag,
) -> Result<(), Error> {
    // SAFETY: by contract.
    let batch = unsafe { Batch::<R>::begin(common, diag)? };
    let k = batch.header.plan.shape().free_dimension();
    let z = Input::new(Argument::Z, z, batch.reals)?;
    let jacobian = Output::new(Argument::Jacobian, jacobian, product(batch.n, &[k, k])?)?;
    batch.check_disjoint([z.region, jacobian.region, Region::NONE])?;
    // SAFETY: lengths by contract, disjoint by the check.
    unsafe { batch.header.plan.jacobian(z.slice(), jacobian.slice(), batch.work.slice()) }
}

/// # Safety
/// That of [`eqf_field`].
unsafe fn field<P, R: Precision>(
    common: Common<P>,
    t: R,
    x: *const R,
    v: *mut R,
    div: *mut R,
    diag: Diag,
) -> Result<(), Error> {
    // SAFETY: by contract.
    let batch = unsafe { Batch::<R>::begin(common, diag)? };
    let x = Input::new(Argument::X, x, batch.reals)?;
    let v = Output::new(Argument::Velocity, v, batch.reals)?;
    let div = Output::optional(Argument::Divergence, div, batch.n)?;
    batch.check_disjoint([x.region, v.region, region_of(&div)])?;
    // SAFETY: lengths by contract, disjoint by the check.
    unsafe { batch.calls()?.field(t, x.slice(), v.slice(), optional_slice(div)) }
}

/// # Safety
/// That of [`eqf_radial`].
unsafe fn radial<P, R: Precision>(
    plan: *const P,
    n: usize,
    t: R,
    d: *const R,
    [phi, dphi]: [*mut R; 2],
    diag: Diag,
) -> Result<(), Error> {
    // SAFETY: by contract.
    let header = unsafe { plan::borrow::<R>(plan.cast())? };
    let d = Input::new(Argument::Distance, d, n)?;
    let phi = Output::new(Argument::Phi, phi, n)?;
    let dphi = Output::optional(Argument::PhiSlope, dphi, n)?;
    check_disjoint(&[header.region(), d.region, phi.region, region_of(&dphi), diag.region()])?;
    // SAFETY: lengths by contract, disjoint by the check.
    unsafe { header.plan.radial(t, d.slice(), phi.slice(), optional_slice(dphi)) }
}

/// Maps latent z to configurations x = F(z) and computes log_det = log|det dF/dz|.
///
/// A finite sample whose trajectory overflows comes out as NaN or infinite in its own row only. Cost a sample with
/// RK4: 4 steps N (N-1)/2 radial functions; with EQF_LOG_DET_JACOBIAN as many symmetric D x D matrices, each times
/// (N-1) D vectors, more.
///
/// Equation: x = x(1), where dx/dt = v(x,t) and x(0) = z, with v as eqf_model says; the determinant is that on the
/// subspace of zero centre of mass, which F does not move.
/// Shapes: `z` and `x` are [n][N][D], `log_det` is [n]; `work` has the size and alignment of eqf_workspace_extent().
/// Units: `z` and `x` in the model's unit of length, `log_det` in nats.
/// NULL: log_det, diag; with `n` 0 also z, x and work.
/// Errors: EQF_ERROR_NULL, EQF_ERROR_ALIGNMENT and EQF_ERROR_SHAPE (sizes overflow) for each array;
/// EQF_ERROR_ARGUMENT where `plan` is no plan of this precision; EQF_ERROR_WORKSPACE where `work_len` is too short
/// (diag's value is the size it takes); EQF_ERROR_OVERLAP; EQF_ERROR_NON_FINITE for `z` (diag's index is that of the
/// number); EQF_ERROR_CONVERGENCE from EQF_INTEGRATOR_DOPRI5 (diag's index is the sample, its value the time
/// reached).
/// Threads: threads may share `plan`, each with a workspace and outputs of its own: a batch may be split among them
/// in any way, the bits are the same.
/// Since: 0.1.0.
/// Example:
///
/// ```c
/// assert(eqf_forward(plan, n, z, x, log_det, work, work_len, &diag) == EQF_OK);
/// ```
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_forward(
    plan: *const eqf_plan,
    n: usize,
    z: *const f64,
    x: *mut f64,
    log_det: *mut f64,
    work: *mut c_void,
    work_len: usize,
    diag: *mut eqf_diag,
) -> i32 {
    let common = Common { plan, threads: 1, n, work, work_len };
    // SAFETY: pointers and sizes by the documented contract.
    unsafe { report(diag, |diag| forward(common, z, x, log_det, diag)) }
}

/// Single-precision twin of eqf_forward(). Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_forward_f32(
    plan: *const eqf_plan_f32,
    n: usize,
    z: *const f32,
    x: *mut f32,
    log_det: *mut f32,
    work: *mut c_void,
    work_len: usize,
    diag: *mut eqf_diag,
) -> i32 {
    let common = Common { plan, threads: 1, n, work, work_len };
    // SAFETY: pointers and sizes by the documented contract.
    unsafe { report(diag, |diag| forward(common, z, x, log_det, diag)) }
}

/// Maps configurations x back to latent z and computes log_det = log|det dz/dx|.
///
/// Equation: dx/dt = v(x,t) from t = 1 to t = 0 (EQF_INVERSE_BACKWARD), or each step of the discrete forward map
/// solved for its start (EQF_INVERSE_EXACT).
/// Shapes: `x` and `z` are [n][N][D], `log_det` is [n]; `work` has the size and alignment of eqf_workspace_extent().
/// Units: `x` and `z` in the model's unit of length, `log_det` in nats.
/// NULL: log_det, diag; with `n` 0 also x, z and work.
/// Errors: EQF_ERROR_NULL, EQF_ERROR_ALIGNMENT and EQF_ERROR_SHAPE (sizes overflow) for each array;
/// EQF_ERROR_ARGUMENT where `plan` is no plan of this precision; EQF_ERROR_WORKSPACE where `work_len` is too short
/// (diag's value is the size it takes); EQF_ERROR_OVERLAP; EQF_ERROR_NON_FINITE for `x`; EQF_ERROR_CONVERGENCE from
/// EQF_INTEGRATOR_DOPRI5, and for a sample for which EQF_INVERSE_EXACT finds no preimage (diag's index is the sample,
/// its value the time reached: the end of the step that has no start).
/// Threads: threads may share `plan`, each with a workspace and outputs of its own: a batch may be split among them
/// in any way, the bits are the same.
/// Since: 0.1.0.
/// Example:
///
/// ```c
/// assert(eqf_inverse(plan, n, x, z, log_det, work, work_len, &diag) == EQF_OK);
/// ```
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_inverse(
    plan: *const eqf_plan,
    n: usize,
    x: *const f64,
    z: *mut f64,
    log_det: *mut f64,
    work: *mut c_void,
    work_len: usize,
    diag: *mut eqf_diag,
) -> i32 {
    let common = Common { plan, threads: 1, n, work, work_len };
    // SAFETY: pointers and sizes by the documented contract.
    unsafe { report(diag, |diag| inverse(common, x, z, log_det, diag)) }
}

/// Single-precision twin of eqf_inverse(). Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_inverse_f32(
    plan: *const eqf_plan_f32,
    n: usize,
    x: *const f32,
    z: *mut f32,
    log_det: *mut f32,
    work: *mut c_void,
    work_len: usize,
    diag: *mut eqf_diag,
) -> i32 {
    let common = Common { plan, threads: 1, n, work, work_len };
    // SAFETY: pointers and sizes by the documented contract.
    unsafe { report(diag, |diag| inverse(common, x, z, log_det, diag)) }
}

/// The gradient in z of x_bar . F(z) + log_det_bar log|det dF/dz|: the transpose of the flow.
///
/// With x_bar the gradient of a potential u at F(z) and log_det_bar -1 it is the gradient of u(F(z)) - log|det dF/dz|, the
/// potential that exp(-u) has in the latent space. Costs about 4 forward passes.
///
/// Equation: grad = (dF/dz)^T x_bar + log_det_bar d log|det dF/dz|/dz, exact for the discrete map and the quadrature
/// EQF_LOG_DET_TRACE with RK4; that quadrature also takes the place of EQF_LOG_DET_JACOBIAN, whose gradient it is to the
/// discretisation error.
/// Shapes: `z`, `x_bar` and `grad` are [n][N][D], `log_det_bar` is [n]; `work` has the size and alignment of
/// eqf_workspace_extent().
/// Units: `x_bar` in the inverse of the model's unit of length, `log_det_bar` and `grad` without.
/// NULL: diag; with `n` 0 also z, x_bar, log_det_bar, grad and work.
/// Errors: those of eqf_forward().
/// Threads: threads may share `plan`, each with a workspace and outputs of its own: a batch may be split among them
/// in any way, the bits are the same.
/// Since: 0.1.0.
/// Example:
///
/// ```c
/// double log_det_bar[3] = {-1.0, -1.0, -1.0};
/// eqf_double_well_params params;
/// eqf_double_well_dw4(&params);
/// eqf_forward(plan, n, z, x, log_det, work, work_len, &diag);
/// eqf_double_well(&params, n, 4, 2, x, u, v);
/// assert(eqf_pull_gradient(plan, n, z, v, log_det_bar, grad, work, work_len, &diag) == EQF_OK);
/// ```
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_pull_gradient(
    plan: *const eqf_plan,
    n: usize,
    z: *const f64,
    x_bar: *const f64,
    log_det_bar: *const f64,
    grad: *mut f64,
    work: *mut c_void,
    work_len: usize,
    diag: *mut eqf_diag,
) -> i32 {
    let common = Common { plan, threads: 1, n, work, work_len };
    // SAFETY: pointers and sizes by the documented contract.
    unsafe { report(diag, |diag| pull_gradient(common, [z, x_bar, log_det_bar], grad, diag)) }
}

/// Single-precision twin of eqf_pull_gradient(). Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_pull_gradient_f32(
    plan: *const eqf_plan_f32,
    n: usize,
    z: *const f32,
    x_bar: *const f32,
    log_det_bar: *const f32,
    grad: *mut f32,
    work: *mut c_void,
    work_len: usize,
    diag: *mut eqf_diag,
) -> i32 {
    let common = Common { plan, threads: 1, n, work, work_len };
    // SAFETY: pointers and sizes by the documented contract.
    unsafe { report(diag, |diag| pull_gradient(common, [z, x_bar, log_det_bar], grad, diag)) }
}

/// Log-density of the flow at configurations x, and its gradient (the score).
///
/// A gradient costs about 4 inverse passes, with EQF_INVERSE_EXACT that and a Jacobian.
///
/// Equation: log_prob = -|z|^2/2 - (N-1) D/2 log(2 pi) + log|det dz/dx| with z as in eqf_inverse(), with respect to
/// the Lebesgue measure on the subspace of zero centre of mass; the centre of mass of `x` is ignored. grad = d
/// log_prob/dx, exact for the discretised log-density with RK4.
/// Shapes: `x` and `grad` are [n][N][D], `log_prob` is [n]; `work` has the size and alignment of
/// eqf_workspace_extent().
/// Units: `x` in the model's unit of length, `log_prob` in nats, `grad` in nats a unit of length.
/// NULL: grad, diag; with `n` 0 also x, log_prob and work.
/// Errors: those of eqf_inverse(); EQF_ERROR_UNSUPPORTED naming grad with EQF_LOG_DET_JACOBIAN, for which there is
/// none yet.
/// Threads: threads may share `plan`, each with a workspace and outputs of its own: a batch may be split among them
/// in any way, the bits are the same.
/// Since: 0.1.0.
/// Example:
///
/// ```c
/// assert(eqf_log_prob(plan, n, x, log_prob, grad, work, work_len, &diag) == EQF_OK);
/// ```
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_log_prob(
    plan: *const eqf_plan,
    n: usize,
    x: *const f64,
    log_prob: *mut f64,
    grad: *mut f64,
    work: *mut c_void,
    work_len: usize,
    diag: *mut eqf_diag,
) -> i32 {
    let common = Common { plan, threads: 1, n, work, work_len };
    // SAFETY: pointers and sizes by the documented contract.
    unsafe { report(diag, |diag| self::log_prob(common, x, log_prob, grad, diag)) }
}

/// Single-precision twin of eqf_log_prob(). Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_log_prob_f32(
    plan: *const eqf_plan_f32,
    n: usize,
    x: *const f32,
    log_prob: *mut f32,
    grad: *mut f32,
    work: *mut c_void,
    work_len: usize,
    diag: *mut eqf_diag,
) -> i32 {
    let common = Common { plan, threads: 1, n, work, work_len };
    // SAFETY: pointers and sizes by the documented contract.
    unsafe { report(diag, |diag| self::log_prob(common, x, log_prob, grad, diag)) }
}

/// Draws the samples first, first + 1, ..., first + n - 1 of a seed, with their log-density.
///
/// Equation: x = F(z) with z from eqf_prior_sample() and log_prob = log rho(z) - log|det dF/dz|. Sample i of a seed
/// has the same bits whatever `first`, `n` and the machine are.
/// Shapes: `x` is [n][N][D], `log_prob` is [n]; `work` has the size and alignment of eqf_workspace_extent().
/// Units: `x` in the model's unit of length, `log_prob` in nats.
/// NULL: log_prob, diag; with `n` 0 also x and work.
/// Errors: EQF_ERROR_NULL, EQF_ERROR_ALIGNMENT and EQF_ERROR_SHAPE (sizes overflow) for each array;
/// EQF_ERROR_ARGUMENT where `plan` is no plan of this precision; EQF_ERROR_WORKSPACE where `work_len` is too short
/// (diag's value is the size it takes); EQF_ERROR_OVERLAP; EQF_ERROR_CONVERGENCE from EQF_INTEGRATOR_DOPRI5 (diag's
/// index is the sample, its value the time reached).
/// Threads: threads may share `plan`, each with a workspace and outputs of its own: a batch may be split among them
/// in any way, the bits are the same.
/// Since: 0.1.0.
/// Example:
///
/// ```c
/// assert(eqf_sample(plan, 1, 0, n, x, log_prob, work, work_len, &diag) == EQF_OK); /* 0, 1, ..., n - 1 */
/// assert(eqf_sample(plan, 1, n, n, x, log_prob, work, work_len, &diag) == EQF_OK); /* the next n */
/// ```
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_sample(
    plan: *const eqf_plan,
    seed: u64,
    first: u64,
    n: usize,
    x: *mut f64,
    log_prob: *mut f64,
    work: *mut c_void,
    work_len: usize,
    diag: *mut eqf_diag,
) -> i32 {
    let common = Common { plan, threads: 1, n, work, work_len };
    // SAFETY: pointers and sizes by the documented contract.
    unsafe { report(diag, |diag| sample(common, [seed, first], x, log_prob, diag)) }
}

/// Single-precision twin of eqf_sample(). Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_sample_f32(
    plan: *const eqf_plan_f32,
    seed: u64,
    first: u64,
    n: usize,
    x: *mut f32,
    log_prob: *mut f32,
    work: *mut c_void,
    work_len: usize,
    diag: *mut eqf_diag,
) -> i32 {
    let common = Common { plan, threads: 1, n, work, work_len };
    // SAFETY: pointers and sizes by the documented contract.
    unsafe { report(diag, |diag| sample(common, [seed, first], x, log_prob, diag)) }
}

/// The Jacobian dx/dz of the discrete forward map at each of n latent configurations z, for plans with
/// EQF_LOG_DET_JACOBIAN.
///
/// Equation: in Helmert's orthonormal basis of the subspace of zero centre of mass, of dimension K = (N-1) D: vector
/// number (m-1) D + d, m = 1 to N-1, displaces along axis d the first m particles by 1/sqrt(m(m+1)) and particle m
/// (counted from 0) by -m/sqrt(m(m+1)). log|det| of the matrix is the log_det of eqf_forward(), and a least singular
/// value that is not small says that the map can be inverted near the sample.
/// Shapes: `z` is [n][N][D]; `jacobian` is [n][K][K], where [s][a][c] is component a of the image of basis vector c;
/// `work` has the size and alignment of eqf_workspace_extent().
/// Units: `z` in the model's unit of length, `jacobian` without a unit.
/// NULL: diag; with `n` 0 also z, jacobian and work.
/// Errors: those of eqf_forward(); EQF_ERROR_UNSUPPORTED naming config.log_det for other plans.
/// Threads: threads may share `plan`, each with a workspace and outputs of its own: a batch may be split among them
/// in any way, the bits are the same.
/// Since: 0.1.0.
/// Example:
///
/// ```c
/// assert(eqf_jacobian(jacobian_plan, n, z, jacobian, work, work_len, &diag) == EQF_OK);
/// ```
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_jacobian(
    plan: *const eqf_plan,
    n: usize,
    z: *const f64,
    jacobian: *mut f64,
    work: *mut c_void,
    work_len: usize,
    diag: *mut eqf_diag,
) -> i32 {
    let common = Common { plan, threads: 1, n, work, work_len };
    // SAFETY: pointers and sizes by the documented contract.
    unsafe { report(diag, |diag| self::jacobian(common, z, jacobian, diag)) }
}

/// Single-precision twin of eqf_jacobian(). Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_jacobian_f32(
    plan: *const eqf_plan_f32,
    n: usize,
    z: *const f32,
    jacobian: *mut f32,
    work: *mut c_void,
    work_len: usize,
    diag: *mut eqf_diag,
) -> i32 {
    let common = Common { plan, threads: 1, n, work, work_len };
    // SAFETY: pointers and sizes by the documented contract.
    unsafe { report(diag, |diag| self::jacobian(common, z, jacobian, diag)) }
}

/// Velocity of the field at time t, and its divergence.
///
/// Equation: v_i = sum over j != i of phi(d_ij, t) (x_i - x_j); div = sum over i != j of [ d_ij phi'(d_ij, t) + D
/// phi(d_ij, t) ].
/// Shapes: `x` and `v` are [n][N][D], `div` is [n]; `work` has the size and alignment of eqf_workspace_extent().
/// Units: `x` in the model's unit of length, `v` in that a unit of time, `div` in 1 a unit of time; `t` runs from 0
/// to 1.
/// NULL: div, diag; with `n` 0 also x, v and work.
/// Errors: those of eqf_forward(), but that EQF_ERROR_NON_FINITE is for `x` and `t`; EQF_ERROR_ARGUMENT also for `t`
/// outside [0, 1].
/// Threads: threads may share `plan`, each with a workspace and outputs of its own: a batch may be split among them
/// in any way, the bits are the same.
/// Since: 0.1.0.
/// Example:
///
/// ```c
/// assert(eqf_field(plan, 0.5, n, x, v, div, work, work_len, &diag) == EQF_OK);
/// ```
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_field(
    plan: *const eqf_plan,
    t: f64,
    n: usize,
    x: *const f64,
    v: *mut f64,
    div: *mut f64,
    work: *mut c_void,
    work_len: usize,
    diag: *mut eqf_diag,
) -> i32 {
    let common = Common { plan, threads: 1, n, work, work_len };
    // SAFETY: pointers and sizes by the documented contract.
    unsafe { report(diag, |diag| field(common, t, x, v, div, diag)) }
}

/// Single-precision twin of eqf_field(). Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_field_f32(
    plan: *const eqf_plan_f32,
    t: f32,
    n: usize,
    x: *const f32,
    v: *mut f32,
    div: *mut f32,
    work: *mut c_void,
    work_len: usize,
    diag: *mut eqf_diag,
) -> i32 {
    let common = Common { plan, threads: 1, n, work, work_len };
    // SAFETY: pointers and sizes by the documented contract.
    unsafe { report(diag, |diag| field(common, t, x, v, div, diag)) }
}

/// The radial function of the model and its derivative in d, for n distances. It takes no workspace.
///
/// Equation: phi(d, t) as eqf_model says, dphi = d phi/dd; exact, not compiled.
/// Shapes: `d`, `phi` and `dphi` are [n].
/// Units: `d` in the model's unit of length, `phi` in 1 a unit of time; `t` runs from 0 to 1.
/// NULL: dphi, diag; with `n` 0 also d and phi.
/// Errors: EQF_ERROR_NULL, EQF_ERROR_ALIGNMENT, EQF_ERROR_SHAPE, EQF_ERROR_OVERLAP; EQF_ERROR_ARGUMENT for `plan`,
/// `t` outside [0, 1] and negative distances; EQF_ERROR_NON_FINITE for `t` and `d`.
/// Threads: threads may share `plan`, each with outputs of its own.
/// Since: 0.1.0.
/// Example:
///
/// ```c
/// assert(eqf_radial(plan, 0.5, n, d, phi, dphi, &diag) == EQF_OK);
/// ```
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_radial(
    plan: *const eqf_plan,
    t: f64,
    n: usize,
    d: *const f64,
    phi: *mut f64,
    dphi: *mut f64,
    diag: *mut eqf_diag,
) -> i32 {
    // SAFETY: pointers and sizes by the documented contract.
    unsafe { report(diag, |diag| radial(plan, n, t, d, [phi, dphi], diag)) }
}

/// Single-precision twin of eqf_radial(). Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_radial_f32(
    plan: *const eqf_plan_f32,
    t: f32,
    n: usize,
    d: *const f32,
    phi: *mut f32,
    dphi: *mut f32,
    diag: *mut eqf_diag,
) -> i32 {
    // SAFETY: pointers and sizes by the documented contract.
    unsafe { report(diag, |diag| radial(plan, n, t, d, [phi, dphi], diag)) }
}
