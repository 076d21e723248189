//! Benchmark potentials.

use super::memory::{Input, Output, check_disjoint, check_pointer, product, region_of};
use super::particles::batch;
use super::status::status_of;
use crate::error::{Argument, Error};
use crate::flow::check_finite;
use crate::lanes::Real;
use crate::potential::{DoubleWell, LennardJones, Potential};
use core::ffi::c_void;

/// A potential of the caller's: writes the energies u(x) = E/kT of n configurations, and their gradients where `grad` is
/// not NULL, and returns 0, or any other number where it fails.
///
/// `x` and `grad` are [n][N][D], `u` is [n]; no two overlap. `context` is what the caller has passed beside the function.
/// It is called by the thread that calls the library, and must return (no longjmp, no exception). It may call the library,
/// with a workspace of its own, and must not touch the arrays of the call that it serves but through its arguments.
pub type eqf_potential_fn = Option<
    unsafe extern "C" fn(
        context: *mut c_void,
        n: usize,
        n_particles: usize,
        dimension: usize,
        x: *const f64,
        u: *mut f64,
        grad: *mut f64,
    ) -> i32,
>;

/// Single-precision twin of eqf_potential_fn.
pub type eqf_potential_fn_f32 = Option<
    unsafe extern "C" fn(
        context: *mut c_void,
        n: usize,
        n_particles: usize,
        dimension: usize,
        x: *const f32,
        u: *mut f32,
        grad: *mut f32,
    ) -> i32,
>;

/// Parameters of eqf_double_well(), for both precisions.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct eqf_double_well_params {
    /// Linear coefficient.
    pub a: f64,
    /// Quadratic coefficient.
    pub b: f64,
    /// Quartic coefficient.
    pub c: f64,
    /// Distance of the barrier's top.
    pub d0: f64,
    /// Temperature, kT in the energy's unit; positive.
    pub tau: f64,
}

/// Parameters of eqf_lennard_jones(), for both precisions.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct eqf_lennard_jones_params {
    /// Well depth of one pair.
    pub epsilon: f64,
    /// Distance of the pair's minimum; positive.
    pub r_m: f64,
    /// Spring constant k of the tether to the centre of mass.
    pub oscillator: f64,
    /// Temperature, kT in the energy's unit; positive.
    pub tau: f64,
}

/// A batch of configurations and where their energies and gradients go.
struct Batch<R> {
    n: usize,
    n_particles: usize,
    dimension: usize,
    x: *const R,
    u: *mut R,
    grad: *mut R,
}

/// # Safety
/// `params` is NULL or readable.
unsafe fn params<T: Copy>(params: *const T) -> Result<(T, Input<T>), Error> {
    let input = Input::new(Argument::Params, params, 1)?;
    // SAFETY: not NULL, aligned, and readable by contract.
    Ok((unsafe { params.read() }, input))
}

/// # Safety
/// The arrays have the lengths that the sizes demand.
unsafe fn energies<R: Real, P>(
    potential: &impl Potential<R>,
    params: Input<P>,
    batch: Batch<R>,
) -> Result<(), Error> {
    let Batch { n, n_particles, dimension, x, u, grad } = batch;
    let (shape, reals) = self::batch(n, n_particles, dimension)?;
    let x = Input::new(Argument::X, x, reals)?;
    let u = Output::new(Argument::Energy, u, product(n, &[1])?)?;
    let grad = Output::optional(Argument::Gradient, grad, reals)?;
    check_disjoint(&[params.region, x.region, u.region, region_of(&grad)])?;
    // SAFETY: lengths by contract, disjoint by the check.
    let (x, u, grad) = unsafe { (x.slice(), u.slice(), grad.map(|grad| grad.slice())) };
    check_finite(Argument::X, x)?;
    let samples = u.iter_mut().zip(x.chunks_exact(shape.coordinates()));
    match grad {
        None => {
            for (u, x) in samples {
                *u = potential.energy(shape, x, None);
            }
        }
        Some(grad) => {
            for ((u, x), grad) in samples.zip(grad.chunks_exact_mut(shape.coordinates())) {
                *u = potential.energy(shape, x, Some(grad));
            }
        }
    }
    Ok(())
}

/// # Safety
/// That of [`eqf_double_well`].
unsafe fn double_well<R: Real>(params: *const eqf_double_well_params, batch: Batch<R>) -> Result<(), Error> {
    // SAFETY: by contract.
    let (given, input) = unsafe { self::params(params)? };
    let [a, b, c, d0, tau] = [given.a, given.b, given.c, given.d0, given.tau].map(R::from_f64);
    let potential = DoubleWell { a, b, c, d0, tau };
    potential.check()?;
    // SAFETY: by contract.
    unsafe { energies(&potential, input, batch) }
}

/// # Safety
/// That of [`eqf_lennard_jones`].
unsafe fn lennard_jones<R: Real>(
    params: *const eqf_lennard_jones_params,
    batch: Batch<R>,
) -> Result<(), Error> {
    // SAFETY: by contract.
    let (given, input) = unsafe { self::params(params)? };
    let [epsilon, r_m, oscillator, tau] =
        [given.epsilon, given.r_m, given.oscillator, given.tau].map(R::from_f64);
    let potential = LennardJones { epsilon, r_m, oscillator, tau };
    potential.check()?;
    // SAFETY: by contract.
    unsafe { energies(&potential, input, batch) }
}

/// # Safety
/// `target` is NULL or writable.
unsafe fn fill<T>(target: *mut T, value: T) -> Result<(), Error> {
    check_pointer(Argument::Params, target)?;
    // SAFETY: not NULL, aligned, and writable by contract.
    unsafe { target.write(value) };
    Ok(())
}

/// Fills in the parameters of the benchmark systems DW-2 and DW-4: a = 0, b = -4, c = 0.9, d0 = 4, tau = 1.
///
/// NULL: nothing.
/// Errors: EQF_ERROR_NULL, EQF_ERROR_ALIGNMENT.
/// Threads: any thread may call it on a structure of its own.
/// Since: 0.1.0.
/// Example:
///
/// ```c
/// eqf_double_well_params params;
/// assert(eqf_double_well_dw4(&params) == EQF_OK);
/// params.tau = 2.0; /* twice as hot */
/// ```
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_double_well_dw4(params: *mut eqf_double_well_params) -> i32 {
    let DoubleWell { a, b, c, d0, tau } = DoubleWell::dw4();
    // SAFETY: the pointer by the documented contract.
    status_of(unsafe { fill(params, eqf_double_well_params { a, b, c, d0, tau }) })
}

/// Fills in the parameters of the benchmark system LJ-13: epsilon = 2, r_m = 1, oscillator = 1, tau = 1 (the energies
/// of the paper's table 1 follow from epsilon = 2; the global minimum is -83.0896).
///
/// NULL: nothing.
/// Errors: EQF_ERROR_NULL, EQF_ERROR_ALIGNMENT.
/// Threads: any thread may call it on a structure of its own.
/// Since: 0.1.0.
/// Example:
///
/// ```c
/// eqf_lennard_jones_params params;
/// assert(eqf_lennard_jones_lj13(&params) == EQF_OK && params.epsilon == 2.0);
/// ```
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_lennard_jones_lj13(params: *mut eqf_lennard_jones_params) -> i32 {
    let LennardJones { epsilon, r_m, oscillator, tau } = LennardJones::lj13();
    // SAFETY: the pointer by the documented contract.
    status_of(unsafe { fill(params, eqf_lennard_jones_params { epsilon, r_m, oscillator, tau }) })
}

/// Energies of the pairwise double well, and their gradients.
///
/// Coincident particles exert no force on each other.
///
/// Equation: u = 1/(2 tau) sum over i != j of [ a (d_ij - d0) + b (d_ij - d0)^2 + c (d_ij - d0)^4 ]. grad = du/dx.
/// Shapes: `x` and `grad` are [n][N][D], `u` is [n].
/// Units: `u` in kT, `x` in the unit of the parameters, `grad` in kT a unit of length.
/// NULL: grad; with `n` 0 also x and u.
/// Errors: EQF_ERROR_NULL, EQF_ERROR_ALIGNMENT; EQF_ERROR_NON_FINITE and EQF_ERROR_ARGUMENT for the parameters;
/// EQF_ERROR_SHAPE unless N >= 1 and D is 1, 2 or 3, or where sizes overflow; EQF_ERROR_OVERLAP; EQF_ERROR_NON_FINITE
/// for `x`.
/// Threads: any thread may call it with outputs of its own.
/// Since: 0.1.0.
/// Example:
///
/// ```c
/// eqf_double_well_params params;
/// eqf_double_well_dw4(&params);
/// assert(eqf_double_well(&params, n, 4, 2, x, u, grad) == EQF_OK);
/// ```
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_double_well(
    params: *const eqf_double_well_params,
    n: usize,
    n_particles: usize,
    dimension: usize,
    x: *const f64,
    u: *mut f64,
    grad: *mut f64,
) -> i32 {
    // SAFETY: pointers and sizes by the documented contract.
    status_of(unsafe { double_well(params, Batch { n, n_particles, dimension, x, u, grad }) })
}

/// Single-precision twin of eqf_double_well(); the parameters are rounded. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_double_well_f32(
    params: *const eqf_double_well_params,
    n: usize,
    n_particles: usize,
    dimension: usize,
    x: *const f32,
    u: *mut f32,
    grad: *mut f32,
) -> i32 {
    // SAFETY: pointers and sizes by the documented contract.
    status_of(unsafe { double_well(params, Batch { n, n_particles, dimension, x, u, grad }) })
}

/// Energies of Lennard-Jones particles tethered to their centre of mass, and their gradients.
///
/// Coincident particles exert no force on each other, but their energy is infinite.
///
/// Equation: u = epsilon/(2 tau) sum over i != j of [ (r_m/d_ij)^12 - 2 (r_m/d_ij)^6 ] + oscillator/(2 tau) sum over
/// i of |x_i - centre of mass|^2. grad = du/dx.
/// Shapes: `x` and `grad` are [n][N][D], `u` is [n].
/// Units: `u` in kT, `x` in the unit of the parameters, `grad` in kT a unit of length.
/// NULL: grad; with `n` 0 also x and u.
/// Errors: EQF_ERROR_NULL, EQF_ERROR_ALIGNMENT; EQF_ERROR_NON_FINITE and EQF_ERROR_ARGUMENT for the parameters;
/// EQF_ERROR_SHAPE unless N >= 1 and D is 1, 2 or 3, or where sizes overflow; EQF_ERROR_OVERLAP; EQF_ERROR_NON_FINITE
/// for `x`.
/// Threads: any thread may call it with outputs of its own.
/// Since: 0.1.0.
/// Example:
///
/// ```c
/// eqf_lennard_jones_params params;
/// eqf_lennard_jones_lj13(&params);
/// assert(eqf_lennard_jones(&params, n, 4, 2, x, u, grad) == EQF_OK);
/// ```
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_lennard_jones(
    params: *const eqf_lennard_jones_params,
    n: usize,
    n_particles: usize,
    dimension: usize,
    x: *const f64,
    u: *mut f64,
    grad: *mut f64,
) -> i32 {
    // SAFETY: pointers and sizes by the documented contract.
    status_of(unsafe { lennard_jones(params, Batch { n, n_particles, dimension, x, u, grad }) })
}

/// Single-precision twin of eqf_lennard_jones(); the parameters are rounded. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_lennard_jones_f32(
    params: *const eqf_lennard_jones_params,
    n: usize,
    n_particles: usize,
    dimension: usize,
    x: *const f32,
    u: *mut f32,
    grad: *mut f32,
) -> i32 {
    // SAFETY: pointers and sizes by the documented contract.
    status_of(unsafe { lennard_jones(params, Batch { n, n_particles, dimension, x, u, grad }) })
}

/// eqf_double_well() as an eqf_potential_fn: `context` points to eqf_double_well_params, which are read only.
///
/// Equation: that of eqf_double_well().
/// Shapes: `x` and `grad` are [n][N][D], `u` is [n].
/// Units: `u` in kT, `x` in the unit of the parameters, `grad` in kT a unit of length.
/// NULL: grad; with `n` 0 also x and u.
/// Errors: those of eqf_double_well().
/// Threads: any thread may call it with outputs of its own.
/// Since: 0.1.0.
/// Example:
///
/// ```c
/// eqf_double_well_params params;
/// eqf_double_well_dw4(&params);
/// assert(eqf_double_well_potential(&params, n, 4, 2, x, u, NULL) == EQF_OK); /* or hand it to eqf_metropolis() */
/// ```
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_double_well_potential(
    context: *mut c_void,
    n: usize,
    n_particles: usize,
    dimension: usize,
    x: *const f64,
    u: *mut f64,
    grad: *mut f64,
) -> i32 {
    // SAFETY: pointers and sizes by the documented contract.
    status_of(unsafe {
        double_well(context.cast_const().cast(), Batch { n, n_particles, dimension, x, u, grad })
    })
}

/// Single-precision twin of eqf_double_well_potential(). Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_double_well_potential_f32(
    context: *mut c_void,
    n: usize,
    n_particles: usize,
    dimension: usize,
    x: *const f32,
    u: *mut f32,
    grad: *mut f32,
) -> i32 {
    // SAFETY: pointers and sizes by the documented contract.
    status_of(unsafe {
        double_well(context.cast_const().cast(), Batch { n, n_particles, dimension, x, u, grad })
    })
}

/// eqf_lennard_jones() as an eqf_potential_fn: `context` points to eqf_lennard_jones_params, which are read only.
///
/// Equation: that of eqf_lennard_jones().
/// Shapes: `x` and `grad` are [n][N][D], `u` is [n].
/// Units: `u` in kT, `x` in the unit of the parameters, `grad` in kT a unit of length.
/// NULL: grad; with `n` 0 also x and u.
/// Errors: those of eqf_lennard_jones().
/// Threads: any thread may call it with outputs of its own.
/// Since: 0.1.0.
/// Example:
///
/// ```c
/// eqf_lennard_jones_params params;
/// eqf_lennard_jones_lj13(&params);
/// assert(eqf_lennard_jones_potential(&params, n, 4, 2, x, u, NULL) == EQF_OK); /* or hand it to eqf_metropolis() */
/// ```
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_lennard_jones_potential(
    context: *mut c_void,
    n: usize,
    n_particles: usize,
    dimension: usize,
    x: *const f64,
    u: *mut f64,
    grad: *mut f64,
) -> i32 {
    // SAFETY: pointers and sizes by the documented contract.
    status_of(unsafe {
        lennard_jones(context.cast_const().cast(), Batch { n, n_particles, dimension, x, u, grad })
    })
}

/// Single-precision twin of eqf_lennard_jones_potential(). Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_lennard_jones_potential_f32(
    context: *mut c_void,
    n: usize,
    n_particles: usize,
    dimension: usize,
    x: *const f32,
    u: *mut f32,
    grad: *mut f32,
) -> i32 {
    // SAFETY: pointers and sizes by the documented contract.
    status_of(unsafe {
        lennard_jones(context.cast_const().cast(), Batch { n, n_particles, dimension, x, u, grad })
    })
}
