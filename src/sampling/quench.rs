//! Minimising a potential from given configurations.

use super::error::{Error, check_each};
use crate::field::Shape;
use crate::parallel::map_indexed;
use crate::particles::remove_com;
use crate::potential::Potential;

/// Steps that the inverse Hessian's approximation remembers.
const MEMORY: usize = 8;
/// Sufficient decrease along the search direction (Armijo 1966).
const DECREASE: f64 = 1e-4;

/// How far a minimisation goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuenchConfig {
    /// The largest component of the gradient, in kT per unit of length, at which a configuration counts as
    /// stationary; above 0.
    pub tolerance: f64,
    /// Most steps.
    pub max_steps: usize,
    /// The longest move of any coordinate in one step, in the unit of length; above 0. A tenth of a bond keeps a
    /// descent inside the basin it started in.
    pub longest_move: f64,
}

impl QuenchConfig {
    /// Gradients below 1e-8, moves of at most 0.1, at most 5000 steps.
    pub const fn new() -> Self {
        QuenchConfig { tolerance: 1e-8, max_steps: 5000, longest_move: 0.1 }
    }

    fn check(&self) -> Result<(), Error> {
        for (name, value) in [("tolerance", self.tolerance), ("longest_move", self.longest_move)] {
            if !value.is_finite() || value <= 0.0 {
                return Err(Error::value(name, value, "finite and above 0"));
            }
        }
        Ok(())
    }
}

impl Default for QuenchConfig {
    fn default() -> Self {
        QuenchConfig::new()
    }
}

/// Where a minimisation ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Quenched {
    /// The configuration, `[N][D]`, of zero centre of mass.
    pub x: Vec<f64>,
    /// Its energy in units of kT.
    pub energy: f64,
    /// The largest component of its gradient.
    pub largest_force: f64,
    /// Whether that is within the tolerance.
    pub converged: bool,
}

/// Minimises `potential` from each of `samples` (`[n][N][D]`) by L-BFGS (Nocedal 1980) with backtracking and short
/// steps, as is usual for clusters (Wales and Doye 1997). Energies never rise, so what is found is a minimum or,
/// rarely, a saddle: see [`super::smallest_curvature`].
///
/// The arithmetic is + - * / and roots in a fixed order, so that the same samples give the same bits everywhere;
/// a general optimisation crate promises nothing of the kind. Cost: some 100 energies with gradients a sample.
///
/// # Errors
/// A length that is not a whole number of samples; the first sample that is not finite or whose energy or gradient is
/// not (index: sample); a field of `config` out of range.
pub fn quench(
    potential: &(impl Potential<f64> + ?Sized),
    shape: Shape,
    samples: &[f64],
    config: &QuenchConfig,
) -> Result<Vec<Quenched>, Error> {
    config.check()?;
    let coordinates = shape.coordinates();
    if coordinates == 0 || !samples.len().is_multiple_of(coordinates) {
        let demand = "a multiple of the coordinates of one sample";
        return Err(Error::Length { name: "samples", length: samples.len(), demand });
    }
    check_each("samples", samples, "finite", f64::is_finite)?;
    let each = map_indexed(samples.len() / coordinates, |index| {
        let mut descent = Descent::new(potential, shape, &samples[index * coordinates..][..coordinates]);
        if !descent.is_finite() {
            return Err(Error::element("energy or gradient of sample", index, descent.energy, "finite"));
        }
        Ok(descent.run(config))
    });
    each.into_iter().collect()
}

/// One step and the change of the gradient along it.
struct Correction {
    step: Vec<f64>,
    change: Vec<f64>,
    /// 1 / (step . change)
    inverse: f64,
}

/// A configuration on its way down.
struct Descent<'a, P: ?Sized> {
    potential: &'a P,
    shape: Shape,
    x: Vec<f64>,
    energy: f64,
    gradient: Vec<f64>,
    /// The latest steps, oldest first.
    corrections: Vec<Correction>,
}

impl<'a, P: Potential<f64> + ?Sized> Descent<'a, P> {
    fn new(potential: &'a P, shape: Shape, sample: &[f64]) -> Self {
        let mut x = sample.to_vec();
        remove_com(shape, &mut x, &mut [0.0; 3]);
        let mut gradient = vec![0.0; x.len()];
        let energy = potential.energy(shape, &x, Some(&mut gradient));
        Descent { potential, shape, x, energy, gradient, corrections: Vec::new() }
    }

    fn is_finite(&self) -> bool {
        self.energy.is_finite() && self.gradient.iter().all(|g| g.is_finite())
    }

    fn run(&mut self, config: &QuenchConfig) -> Quenched {
        for _ in 0..config.max_steps {
            if largest(&self.gradient) <= config.tolerance || !self.step(config.longest_move) {
                break;
            }
        }
        remove_com(self.shape, &mut self.x, &mut [0.0; 3]);
        let largest_force = largest(&self.gradient);
        let converged = largest_force <= config.tolerance;
        Quenched { x: core::mem::take(&mut self.x), energy: self.energy, largest_force, converged }
    }

    /// One step down; false where none is left within rounding.
    fn step(&mut self, longest_move: f64) -> bool {
        let mut direction = self.direction();
        let mut slope = dot(&direction, &self.gradient);
        if slope.is_nan() || slope >= 0.0 {
            self.corrections.clear();
            direction = self.direction();
            slope = dot(&direction, &self.gradient);
        }
        let mut length = (longest_move / largest(&direction)).min(1.0);
        // Near the minimum the decrease drowns in the rounding of the energy.
        let rounding = 8.0 * f64::EPSILON * self.energy.abs();
        let mut gradient = vec![0.0; self.x.len()];
        for _ in 0..40 {
            let x: Vec<f64> = self.x.iter().zip(&direction).map(|(x, p)| x + length * p).collect();
            let energy = self.potential.energy(self.shape, &x, Some(&mut gradient));
            let bound = self.energy + DECREASE * length * slope + rounding;
            if energy <= bound && gradient.iter().all(|g| g.is_finite()) {
                self.accept(x, energy, gradient);
                return true;
            }
            length *= 0.3;
        }
        // A direction along which nothing is gained: once more along the gradient, unless it was that.
        let memory = !self.corrections.is_empty();
        self.corrections.clear();
        memory
    }

    fn accept(&mut self, x: Vec<f64>, energy: f64, gradient: Vec<f64>) {
        let difference = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>();
        let (step, change) = (difference(&x, &self.x), difference(&gradient, &self.gradient));
        let product = dot(&step, &change);
        // Only positive curvature keeps the approximation positive definite.
        if product > f64::EPSILON * dot(&change, &change) {
            if self.corrections.len() == MEMORY {
                self.corrections.remove(0);
            }
            self.corrections.push(Correction { step, change, inverse: 1.0 / product });
        }
        (self.x, self.energy, self.gradient) = (x, energy, gradient);
    }

    /// Minus the approximate inverse Hessian times the gradient: the two loops of Nocedal 1980.
    fn direction(&self) -> Vec<f64> {
        let mut p: Vec<f64> = self.gradient.iter().map(|g| -g).collect();
        let mut shares = Vec::with_capacity(self.corrections.len());
        for correction in self.corrections.iter().rev() {
            let share = correction.inverse * dot(&correction.step, &p);
            add(&mut p, -share, &correction.change);
            shares.push(share);
        }
        if let Some(last) = self.corrections.last() {
            let scale = 1.0 / (last.inverse * dot(&last.change, &last.change));
            p.iter_mut().for_each(|p| *p *= scale);
        }
        for (correction, share) in self.corrections.iter().zip(shares.iter().rev()) {
            let back = correction.inverse * dot(&correction.change, &p);
            add(&mut p, share - back, &correction.step);
        }
        p
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(sum: &mut [f64], factor: f64, term: &[f64]) {
    sum.iter_mut().zip(term).for_each(|(sum, term)| *sum += factor * term);
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |most, value| value.abs().max(most))
}
