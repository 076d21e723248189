//! Benchmark potentials.

use super::memory::{Input, Output, check_disjoint, check_pointer, product, region_of};
use super::particles::batch;
use super::status::status_of;
use crate::error::{Argument, Error};
use crate::flow::check_finite;
use crate::lanes::Real;
use crate::potential::{DoubleWell, LennardJones, Potential};

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
/// Errors: EQF_ERROR_NULL, EQF_ERROR_ALIGNMENT. Any thread may call it on a structure of its own. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_double_well_dw4(params: *mut eqf_double_well_params) -> i32 {
    let DoubleWell { a, b, c, d0, tau } = DoubleWell::dw4();
    // SAFETY: the pointer by the documented contract.
    status_of(unsafe { fill(params, eqf_double_well_params { a, b, c, d0, tau }) })
}

/// Fills in the parameters of the benchmark system LJ-13: epsilon = 2, r_m = 1, oscillator = 1, tau = 1 (the
/// energies of the paper's table 1 follow from epsilon = 2; the global minimum is -83.0896).
///
/// Errors: EQF_ERROR_NULL, EQF_ERROR_ALIGNMENT. Any thread may call it on a structure of its own. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_lennard_jones_lj13(params: *mut eqf_lennard_jones_params) -> i32 {
    let LennardJones { epsilon, r_m, oscillator, tau } = LennardJones::lj13();
    // SAFETY: the pointer by the documented contract.
    status_of(unsafe { fill(params, eqf_lennard_jones_params { epsilon, r_m, oscillator, tau }) })
}

/// Energies in units of kT, u = 1/(2 tau) sum over i != j of [ a (d_ij - d0) + b (d_ij - d0)^2 + c (d_ij - d0)^4 ],
/// and their gradients.
///
/// `x` is [n][N][D], `u` [n]; `grad` = du/dx is [n][N][D] or NULL; with `n` 0 the arrays may be NULL. Coincident
/// particles exert no force on each other. Errors: EQF_ERROR_NON_FINITE and EQF_ERROR_ARGUMENT for the parameters,
/// EQF_ERROR_SHAPE unless N >= 1 and D is 1, 2 or 3, or where sizes overflow; EQF_ERROR_NULL, EQF_ERROR_ALIGNMENT,
/// EQF_ERROR_OVERLAP, EQF_ERROR_NON_FINITE for `x`; nothing is written then. Any thread may call it with outputs
/// of its own. Since 0.1.0.
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

/// Energies in units of kT, u = epsilon/(2 tau) sum over i != j of [ (r_m/d_ij)^12 - 2 (r_m/d_ij)^6 ]
/// + oscillator/(2 tau) sum over i of |x_i - centre of mass|^2, and their gradients.
///
/// Shapes, NULL pointers, errors and threads as eqf_double_well(). Coincident particles exert no force on each
/// other, but their energy is infinite. Since 0.1.0.
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
