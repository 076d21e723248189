//! Step sizes by dual averaging.

use super::chains::Initial;
use super::error::Error;
use super::kernel::Kernel;
use super::sampler::{BLOCK, Sampler};
use super::tuning::{StepTrial, StepTuning, fastest};
use crate::field::Shape;
use crate::flow::Precision;
use crate::potential::Potential;

/// How a pilot run finds a step size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pilot {
    /// Chains of the pilot run, 1 to 64: they move together, on one thread.
    pub chains: usize,
    /// Steps at the first step size, before anything counts.
    pub burn_in: usize,
    /// Steps that count, at least 1.
    pub steps: usize,
    /// Names the pilot's random numbers.
    pub seed: u64,
}

impl Pilot {
    fn check(&self) -> Result<(), Error> {
        if !(1..=BLOCK).contains(&self.chains) {
            return Err(Error::value("pilot.chains", self.chains as f64, "1 to 64"));
        }
        if self.steps == 0 {
            return Err(Error::value("pilot.steps", 0.0, "at least 1"));
        }
        Ok(())
    }
}

/// Nesterov's dual averaging with the constants of Hoffman and Gelman (2014, section 3.2): the step size moves against
/// the running mean of `target` minus the acceptance, ever less, and its own weighted mean settles.
struct DualAveraging {
    /// Towards which the logarithm of the step size is drawn.
    attractor: f64,
    iteration: f64,
    mean_error: f64,
    log_average: f64,
}

impl DualAveraging {
    const SHRINKAGE: f64 = 0.05;
    const DELAY: f64 = 10.0;
    const DECAY: f64 = 0.75;

    fn new(step_size: f64) -> Self {
        DualAveraging {
            attractor: libm::log(10.0 * step_size),
            iteration: 0.0,
            mean_error: 0.0,
            log_average: 0.0,
        }
    }

    /// The next step size to try, after one where acceptance fell short of its target by `error`.
    fn next(&mut self, error: f64) -> f64 {
        self.iteration += 1.0;
        let weight = 1.0 / (self.iteration + Self::DELAY);
        self.mean_error += weight * (error - self.mean_error);
        let log = self.attractor - libm::sqrt(self.iteration) / Self::SHRINKAGE * self.mean_error;
        let weight = libm::pow(self.iteration, -Self::DECAY);
        self.log_average += weight * (log - self.log_average);
        libm::exp(log)
    }

    fn average(&self) -> f64 {
        libm::exp(self.log_average)
    }
}

/// The step size of `kernel` at which the fraction `acceptance` of its proposals is accepted, by dual averaging over a
/// pilot run that begins with the kernel's own step size; 0.65 is about the best for Hamiltonian Monte Carlo (Neal 2011),
/// 0.57 for one leapfrog step, 0.23 for random walks in many dimensions (Roberts and Rosenthal 2001).
///
/// All chains share the step size, and their accepted fraction moves it. The pilot's samples are for nothing else: while the
/// step size still depends on them they are not distributed as exp(-u). Returns the step size with the acceptance over the
/// second half of the pilot. Cost: that of the pilot; the outcome depends on its seed alone.
///
/// # Errors
/// A pilot or an acceptance out of range, a kernel without step size; those of [`Sampler::new`] and [`Sampler::advance`].
pub fn average_step_size<'a, R: Precision, P: Potential<R::Lanes> + ?Sized>(
    potential: &'a P,
    shape: Shape,
    kernel: Kernel<'a, R>,
    pilot: &Pilot,
    initial: Initial<'_, R>,
    acceptance: f64,
) -> Result<StepTrial, Error> {
    pilot.check()?;
    if !(acceptance > 0.0 && acceptance < 1.0) {
        return Err(Error::value("acceptance", acceptance, "between 0 and 1"));
    }
    let Some(step_size) = kernel.step_size() else {
        return Err(Error::value("kernel.step_size", f64::NAN, "there: the kernel has none"));
    };
    let mut sampler = Sampler::new(potential, shape, kernel, pilot.chains, pilot.seed, initial)?;
    sampler.advance(pilot.burn_in, &|_| ())?;
    let mut averaging = DualAveraging::new(step_size);
    let (mut late, mut count) = (0.0, 0.0);
    for step in 0..pilot.steps {
        let accepted = sampler.advance(1, &|_| ())?;
        if 2 * step >= pilot.steps {
            (late, count) = (late + accepted, count + 1.0);
        }
        sampler.set_step_size(averaging.next(acceptance - accepted))?;
    }
    Ok(StepTrial { step_size: averaging.average(), acceptance_rate: late / count })
}

/// [`tune_step_size`](super::tune_step_size) for any kernel: tries each step size of `grid` in a pilot run and picks the
/// one that maximises acceptance rate times step size. Latent kernels count the latent space's steps.
///
/// # Errors
/// An empty grid, a pilot out of range, a kernel without step size; those of [`Sampler::new`] and [`Sampler::advance`].
pub fn tune_kernel<'a, R: Precision, P: Potential<R::Lanes> + ?Sized>(
    potential: &'a P,
    shape: Shape,
    kernel: Kernel<'a, R>,
    pilot: &Pilot,
    initial: Initial<'_, R>,
    grid: &[f64],
) -> Result<StepTuning, Error> {
    pilot.check()?;
    if kernel.step_size().is_none() {
        return Err(Error::value("kernel.step_size", f64::NAN, "there: the kernel has none"));
    }
    let mut trials = Vec::with_capacity(grid.len());
    for &step_size in grid {
        let kernel = kernel.with_step_size(step_size);
        let mut sampler = Sampler::new(potential, shape, kernel, pilot.chains, pilot.seed, initial)?;
        sampler.advance(pilot.burn_in, &|_| ())?;
        let acceptance_rate = sampler.advance(pilot.steps, &|_| ())?;
        trials.push(StepTrial { step_size, acceptance_rate });
    }
    fastest(trials)
}
