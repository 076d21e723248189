//! Centre of mass and prior.

use super::memory::{Input, Output, check_disjoint, product, region_of};
use super::status::status_of;
use crate::error::{Argument, Error, Status};
use crate::field::Shape;
use crate::flow::check_finite;
use crate::lanes::{Real, copy, part, part_mut};
use crate::particles;
use crate::random::{Normals, Purpose, Stream, prior_sample};

/// N and D that a caller passed, checked, and the reals of n samples.
pub(super) fn batch(n: usize, n_particles: usize, dimension: usize) -> Result<(Shape, usize), Error> {
    if n_particles == 0 {
        return Err(Error::new(Status::Shape, Argument::NParticles, 0.0));
    }
    if dimension == 0 || dimension > 3 {
        return Err(Error::new(Status::Shape, Argument::Dimension, dimension as f64));
    }
    product(1, &[n_particles, dimension])?;
    let reals = product(n, &[n_particles, dimension])?;
    Ok((Shape { particles: n_particles, dimension }, reals))
}

/// # Safety
/// That of [`eqf_remove_com`].
unsafe fn remove_com<R: Real>(
    n: usize,
    [n_particles, dimension]: [usize; 2],
    x: *mut R,
    com: *mut R,
) -> Result<(), Error> {
    let (shape, reals) = batch(n, n_particles, dimension)?;
    let x = Output::new(Argument::X, x, reals)?;
    let com = Output::optional(Argument::Com, com, product(n, &[dimension])?)?;
    check_disjoint(&[x.region, region_of(&com)])?;
    // SAFETY: length by contract, disjoint by the check.
    let (x, mut com) = unsafe { (x.slice(), com.map(|com| com.slice())) };
    check_finite(Argument::X, x)?;
    for (i, sample) in x.chunks_exact_mut(shape.coordinates()).enumerate() {
        let mut center = [R::default(); 3];
        particles::remove_com(shape, sample, &mut center);
        if let Some(com) = &mut com {
            copy(part(&center, 0, dimension)?, part_mut(com, i * dimension, dimension)?)?;
        }
    }
    Ok(())
}

/// # Safety
/// That of [`eqf_prior_log_prob`].
unsafe fn prior_log_prob<R: Real>(
    n: usize,
    [n_particles, dimension]: [usize; 2],
    z: *const R,
    log_prob: *mut R,
) -> Result<(), Error> {
    let (shape, reals) = batch(n, n_particles, dimension)?;
    let z = Input::new(Argument::Z, z, reals)?;
    let log_prob = Output::new(Argument::LogProb, log_prob, n)?;
    check_disjoint(&[z.region, log_prob.region])?;
    // SAFETY: lengths by contract, disjoint by the check.
    let (z, log_prob) = unsafe { (z.slice(), log_prob.slice()) };
    check_finite(Argument::Z, z)?;
    for (log_prob, z) in log_prob.iter_mut().zip(z.chunks_exact(shape.coordinates())) {
        *log_prob = particles::prior_log_prob(shape, z);
    }
    Ok(())
}

/// # Safety
/// That of [`eqf_prior_sample`].
unsafe fn sample<R: Real>(
    [seed, first]: [u64; 2],
    n: usize,
    [n_particles, dimension]: [usize; 2],
    z: *mut R,
) -> Result<(), Error> {
    let (shape, reals) = batch(n, n_particles, dimension)?;
    let z = Output::new(Argument::Z, z, reals)?;
    // SAFETY: length by contract.
    let z = unsafe { z.slice() };
    for (i, z) in z.chunks_exact_mut(shape.coordinates()).enumerate() {
        let stream = Stream::new(seed, Purpose::Prior, first.wrapping_add(i as u64));
        prior_sample(shape, &mut Normals::new(stream), z);
    }
    Ok(())
}

/// Moves each sample to zero centre of mass in place and stores what was removed.
///
/// Equation: com = 1/N sum over i of x_i; x_i becomes x_i - com.
/// Shapes: `x` is [n][N][D], `com` is [n][D].
/// Units: `com` in the unit of `x`.
/// NULL: com; with `n` 0 also x.
/// Errors: EQF_ERROR_SHAPE unless N >= 1 and D is 1, 2 or 3, or where sizes overflow; EQF_ERROR_NULL,
/// EQF_ERROR_ALIGNMENT, EQF_ERROR_OVERLAP, EQF_ERROR_NON_FINITE.
/// Threads: any thread may call it on arrays of its own.
/// Since: 0.1.0.
/// Example:
///
/// ```c
/// assert(eqf_remove_com(n, 4, 2, x, com) == EQF_OK);
/// ```
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_remove_com(
    n: usize,
    n_particles: usize,
    dimension: usize,
    x: *mut f64,
    com: *mut f64,
) -> i32 {
    // SAFETY: pointers and sizes by the documented contract.
    status_of(unsafe { remove_com(n, [n_particles, dimension], x, com) })
}

/// Single-precision twin of eqf_remove_com(). Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_remove_com_f32(
    n: usize,
    n_particles: usize,
    dimension: usize,
    x: *mut f32,
    com: *mut f32,
) -> i32 {
    // SAFETY: pointers and sizes by the documented contract.
    status_of(unsafe { remove_com(n, [n_particles, dimension], x, com) })
}

/// Log-density of the prior: the standard normal on the subspace of zero centre of mass.
///
/// Equation: log_prob = -|z|^2/2 - (N-1) D/2 log(2 pi), with respect to the Lebesgue measure on that subspace; the
/// centre of mass of `z` is ignored.
/// Shapes: `z` is [n][N][D], `log_prob` is [n].
/// Units: `log_prob` in nats.
/// NULL: nothing; with `n` 0 z and log_prob.
/// Errors: those of eqf_remove_com().
/// Threads: any thread may call it on arrays of its own.
/// Since: 0.1.0.
/// Example:
///
/// ```c
/// assert(eqf_prior_log_prob(n, 4, 2, z, log_prob) == EQF_OK);
/// ```
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_prior_log_prob(
    n: usize,
    n_particles: usize,
    dimension: usize,
    z: *const f64,
    log_prob: *mut f64,
) -> i32 {
    // SAFETY: pointers and sizes by the documented contract.
    status_of(unsafe { prior_log_prob(n, [n_particles, dimension], z, log_prob) })
}

/// Single-precision twin of eqf_prior_log_prob(). Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_prior_log_prob_f32(
    n: usize,
    n_particles: usize,
    dimension: usize,
    z: *const f32,
    log_prob: *mut f32,
) -> i32 {
    // SAFETY: pointers and sizes by the documented contract.
    status_of(unsafe { prior_log_prob(n, [n_particles, dimension], z, log_prob) })
}

/// Draws the samples first, first + 1, ..., first + n - 1 of a seed from the prior: those that eqf_sample() maps,
/// with the same bits whatever `first`, `n` and the machine are.
///
/// Equation: z is normal with unit variance on the subspace of zero centre of mass (see eqf_prior_log_prob()).
/// Shapes: `z` is [n][N][D].
/// Units: `z` in the model's unit of length.
/// NULL: nothing; with `n` 0 z.
/// Errors: EQF_ERROR_SHAPE unless N >= 1 and D is 1, 2 or 3, or where sizes overflow; EQF_ERROR_NULL,
/// EQF_ERROR_ALIGNMENT.
/// Threads: any thread may call it on arrays of its own.
/// Since: 0.1.0.
/// Example:
///
/// ```c
/// assert(eqf_prior_sample(1, 0, n, 4, 2, z) == EQF_OK);
/// ```
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_prior_sample(
    seed: u64,
    first: u64,
    n: usize,
    n_particles: usize,
    dimension: usize,
    z: *mut f64,
) -> i32 {
    // SAFETY: pointers and sizes by the documented contract.
    status_of(unsafe { sample([seed, first], n, [n_particles, dimension], z) })
}

/// Single-precision twin of eqf_prior_sample(). Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_prior_sample_f32(
    seed: u64,
    first: u64,
    n: usize,
    n_particles: usize,
    dimension: usize,
    z: *mut f32,
) -> i32 {
    // SAFETY: pointers and sizes by the documented contract.
    status_of(unsafe { sample([seed, first], n, [n_particles, dimension], z) })
}
