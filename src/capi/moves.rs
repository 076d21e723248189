//! Steps of Markov chains by single particles, along trajectories, in the latent space of a flow, and between replicas.

use super::mcmc::{Arrays, Callback, Checked};
use super::memory::{Input, Output, Region, check_disjoint, product, region_of};
use super::particles::batch;
use super::plan::{self, Header, eqf_extent, eqf_plan, eqf_plan_f32};
use super::potential::{eqf_potential_fn, eqf_potential_fn_f32};
use super::status::{Diag, eqf_diag, report, status_of};
use crate::error::{Argument, Error};
use crate::flow::Precision;
use crate::lanes::Real;
use crate::mcmc::{self, Chains, Draws, LatentChains, Leapfrog};
use core::ffi::c_void;

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

/// # Safety
/// That of [`eqf_hmc_extent`].
unsafe fn hmc_extent<R: Precision>(
    n: usize,
    sizes: [usize; 2],
    extent: *mut eqf_extent,
) -> Result<(), Error> {
    let (shape, _) = batch(n, sizes[0], sizes[1])?;
    let target = Output::new(Argument::Extent, extent, 1)?;
    let extent = eqf_extent::of(mcmc::hmc_extent::<R>(shape, n)?, n)?;
    // SAFETY: writable by contract.
    unsafe { target.write(extent) };
    Ok(())
}

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

/// Which of the latent extents is asked for.
type Extent<R> = fn(&Header<R>, usize) -> Result<usize, Error>;

/// # Safety
/// That of [`eqf_latent_metropolis_extent`].
unsafe fn latent_extent<R: Precision>(
    plan: *const c_void,
    n: usize,
    extent: *mut eqf_extent,
    of: Extent<R>,
) -> Result<(), Error> {
    // SAFETY: by contract.
    let header = unsafe { plan::borrow::<R>(plan)? };
    let target = Output::new(Argument::Extent, extent, 1)?;
    check_disjoint(&[header.region(), target.region])?;
    let extent = eqf_extent::of(of(header, n)?, n)?;
    // SAFETY: writable by contract.
    unsafe { target.write(extent) };
    Ok(())
}

fn walk_blocks<R: Precision>(header: &Header<R>, n: usize) -> Result<usize, Error> {
    mcmc::latent_metropolis_extent(&header.plan, n)
}

fn trajectory_blocks<R: Precision>(header: &Header<R>, n: usize) -> Result<usize, Error> {
    mcmc::latent_hmc_extent(&header.plan, n)
}

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
        blocks: Extent<R>,
        diag: Diag,
    ) -> Result<CheckedLatent<'a, R>, Error> {
        // SAFETY: by contract.
        let header = unsafe { plan::borrow::<R>(plan)? };
        let (shape, n) = (header.plan.shape(), arrays.n);
        let reals = product(n, &[shape.coordinates()])?;
        let common = arrays.check(shape, blocks(header, n)?)?;
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
    let checked = unsafe { latent.check(plan, arrays, trajectory_blocks, diag)? };
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
    let checked = unsafe { latent.check(plan, arrays, walk_blocks, diag)? };
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
    let checked = unsafe { latent.check(plan, arrays, trajectory_blocks, diag)? };
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
    let call = |diag| {
        let potential = Callback::new(potential, context)?;
        // SAFETY: pointers and sizes by the documented contract.
        unsafe { metropolis_particle(potential, draws, sizes, step_size, arrays, diag) }
    };
    // SAFETY: `diag` by the documented contract.
    unsafe { report(diag, call) }
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
    let call = |diag| {
        let potential = Callback::new(potential, context)?;
        // SAFETY: pointers and sizes by the documented contract.
        unsafe { metropolis_particle(potential, draws, sizes, step_size, arrays, diag) }
    };
    // SAFETY: `diag` by the documented contract.
    unsafe { report(diag, call) }
}

/// Says how much workspace eqf_hmc() takes for n chains (or fewer).
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
    status_of(unsafe { hmc_extent::<f64>(n, [n_particles, dimension], extent) })
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
    status_of(unsafe { hmc_extent::<f32>(n, [n_particles, dimension], extent) })
}

/// One step of Hamiltonian Monte Carlo of n chains at the distribution exp(-u); with one leapfrog step it is one of the
/// Metropolis-adjusted Langevin algorithm (MALA).
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
    let call = |diag| {
        let potential = Callback::new(potential, context)?;
        // SAFETY: pointers and sizes by the documented contract.
        unsafe { hmc(potential, draws, sizes, leapfrog, arrays, grad, diag) }
    };
    // SAFETY: `diag` by the documented contract.
    unsafe { report(diag, call) }
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
    let call = |diag| {
        let potential = Callback::new(potential, context)?;
        // SAFETY: pointers and sizes by the documented contract.
        unsafe { hmc(potential, draws, sizes, leapfrog, arrays, grad, diag) }
    };
    // SAFETY: `diag` by the documented contract.
    unsafe { report(diag, call) }
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
    status_of(unsafe { latent_extent::<f64>(plan.cast(), n, extent, walk_blocks) })
}

/// Single-precision twin of eqf_latent_metropolis_extent(). Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_latent_metropolis_extent_f32(
    plan: *const eqf_plan_f32,
    n: usize,
    extent: *mut eqf_extent,
) -> i32 {
    // SAFETY: pointers by the documented contract.
    status_of(unsafe { latent_extent::<f32>(plan.cast(), n, extent, walk_blocks) })
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
    status_of(unsafe { latent_extent::<f64>(plan.cast(), n, extent, trajectory_blocks) })
}

/// Single-precision twin of eqf_latent_hmc_extent(). Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_latent_hmc_extent_f32(
    plan: *const eqf_plan_f32,
    n: usize,
    extent: *mut eqf_extent,
) -> i32 {
    // SAFETY: pointers by the documented contract.
    status_of(unsafe { latent_extent::<f32>(plan.cast(), n, extent, trajectory_blocks) })
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
    let call = |diag| {
        let potential = Callback::new(potential, context)?;
        // SAFETY: pointers and sizes by the documented contract.
        unsafe { latent_start(plan.cast(), potential, arrays, latent, diag) }
    };
    // SAFETY: `diag` by the documented contract.
    unsafe { report(diag, call) }
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
    let call = |diag| {
        let potential = Callback::new(potential, context)?;
        // SAFETY: pointers and sizes by the documented contract.
        unsafe { latent_start(plan.cast(), potential, arrays, latent, diag) }
    };
    // SAFETY: `diag` by the documented contract.
    unsafe { report(diag, call) }
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
    let call = |diag| {
        let potential = Callback::new(potential, context)?;
        // SAFETY: pointers and sizes by the documented contract.
        unsafe { latent_metropolis(plan.cast(), potential, draws, step_size, arrays, latent, diag) }
    };
    // SAFETY: `diag` by the documented contract.
    unsafe { report(diag, call) }
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
    let call = |diag| {
        let potential = Callback::new(potential, context)?;
        // SAFETY: pointers and sizes by the documented contract.
        unsafe { latent_metropolis(plan.cast(), potential, draws, step_size, arrays, latent, diag) }
    };
    // SAFETY: `diag` by the documented contract.
    unsafe { report(diag, call) }
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
    let call = |diag| {
        let potential = Callback::new(potential, context)?;
        // SAFETY: pointers and sizes by the documented contract.
        unsafe { latent_hmc(plan.cast(), potential, draws, leapfrog, arrays, latent, diag) }
    };
    // SAFETY: `diag` by the documented contract.
    unsafe { report(diag, call) }
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
    let call = |diag| {
        let potential = Callback::new(potential, context)?;
        // SAFETY: pointers and sizes by the documented contract.
        unsafe { latent_hmc(plan.cast(), potential, draws, leapfrog, arrays, latent, diag) }
    };
    // SAFETY: `diag` by the documented contract.
    unsafe { report(diag, call) }
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
