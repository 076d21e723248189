//! A verdict on a model's likelihoods: whether the fixed grid's log-density is that of a density.

use super::likelihood::{CONVERGED, log_probs};
use super::parameters::Parameters;
use crate::error::{Error, Status};
use crate::flow::{Block, Config, LogDet, Model, Plan};
use crate::parallel::map_indexed;
use nalgebra::DMatrix;

/// What may differ before [`certify`] objects.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CertifyTolerances {
    /// Of the mean of the grid's log-density minus the converged one, in nats.
    pub gap: f64,
    /// Of the mean over the samples of |F(F^-1(x)) - x|, largest coordinate, where F^-1 is the grid walked back.
    pub round_trip: f64,
}

impl Default for CertifyTolerances {
    /// 0.02 nats, and 0.01: a hundredth of the prior's width.
    fn default() -> Self {
        CertifyTolerances { gap: 0.02, round_trip: 0.01 }
    }
}

/// How values are distributed over a batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Distribution {
    /// Their mean.
    pub mean: f64,
    /// Its standard error; infinite for a single value.
    pub standard_error: f64,
    /// Smallest, 5 %, median, 95 %, largest.
    pub quantiles: [f64; 5],
}

/// Whether a model's likelihoods on the grid can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Honesty {
    /// Grid and converged likelihood agree, and the grid's map is one to one near every sample.
    Honest,
    /// The converged integration or the grid left the range of numbers or of steps: the field is too stiff.
    Stiff,
    /// The map of the grid turns space inside out at some sample (its determinant is negative), or does not lead back: its log-density is not that of any map.
    Folded,
    /// The grid's mean log-density differs from the converged one by more than the tolerance.
    Gap,
}

/// What [`certify`] finds.
#[derive(Clone, Debug, PartialEq)]
pub struct Certificate {
    /// The verdict.
    pub honesty: Honesty,
    /// Log-density by the grid (trace log-determinant) minus the converged one, sample by sample, in nats: positive where
    /// the grid flatters. `None` where the converged integration fails.
    pub difference: Option<Distribution>,
    /// Largest coordinate of each sample's |F(F^-1(x)) - x|.
    pub round_trip: Distribution,
    /// Least singular value of the discrete forward map's Jacobian, on the zero-CoM subspace, at any sample; infinite for
    /// a single particle, which has no such subspace.
    pub least_singular_value: f64,
    /// Samples at which the determinant of that Jacobian is negative.
    pub folded: usize,
    /// Samples looked at.
    pub samples: usize,
}

/// Compares the log-density of configurations `samples` (`[n][N][D]`, n at least 1) by `steps` RK4 steps with the
/// converged one, and looks at the discrete map itself: whether it leads back, and its Jacobian.
///
/// Cost for each sample: one converged inverse, and for N particles about N D / 2 forward passes.
///
/// # Errors
/// Those of [`Plan::log_prob`] but for convergence, which is a verdict; [`Status::Shape`] for no sample.
pub fn certify(
    parameters: &Parameters,
    samples: &[f64],
    steps: usize,
    tolerances: &CertifyTolerances,
) -> Result<Certificate, Error> {
    if samples.is_empty() {
        return Err(Error::new(Status::Shape, crate::error::Argument::X, 0.0));
    }
    parameters.with_model(|model| {
        let grid = log_probs(model, &Config::rk4(steps), samples)?;
        let converged = match log_probs(model, &CONVERGED, samples) {
            Ok(converged) => Some(converged),
            Err(error) if error.status == Status::Convergence => None,
            Err(error) => return Err(error),
        };
        let difference = converged.map(|converged| {
            distribution(grid.iter().zip(&converged).map(|(grid, converged)| grid - converged).collect())
        });
        let maps = maps(model, steps, samples)?;
        let mut certificate = Certificate {
            honesty: Honesty::Honest,
            difference,
            round_trip: distribution(maps.iter().flat_map(|map| &map.round_trips).copied().collect()),
            least_singular_value: maps.iter().map(|map| map.least_singular_value).fold(f64::INFINITY, least),
            folded: maps.iter().map(|map| map.folded).sum(),
            samples: grid.len(),
        };
        certificate.honesty = certificate.judge(tolerances);
        Ok(certificate)
    })
}

impl Certificate {
    fn judge(&self, tolerances: &CertifyTolerances) -> Honesty {
        let Some(difference) = self.difference else { return Honesty::Stiff };
        // Nothing is within a tolerance that is NaN.
        let within = |value: f64, tolerance: f64| value <= tolerance;
        if !difference.mean.is_finite() || !self.round_trip.mean.is_finite() {
            Honesty::Stiff
        } else if self.folded > 0 || !within(self.round_trip.mean, tolerances.round_trip) {
            Honesty::Folded
        } else if !within(difference.mean.abs(), tolerances.gap) {
            Honesty::Gap
        } else {
            Honesty::Honest
        }
    }
}

/// The larger; NaN if one is.
fn largest(a: f64, b: f64) -> f64 {
    if b > a || b.is_nan() { b } else { a }
}

/// The smaller; NaN if one is.
fn least(a: f64, b: f64) -> f64 {
    if b < a || b.is_nan() { b } else { a }
}

fn distribution(mut values: Vec<f64>) -> Distribution {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / (n - 1.0);
    let standard_error = if n > 1.0 { libm::sqrt(variance / n) } else { f64::INFINITY };
    values.sort_by(f64::total_cmp);
    let quantiles = [0.0, 0.05, 0.5, 0.95, 1.0].map(|q| values[libm::round(q * (n - 1.0)) as usize]);
    Distribution { mean, standard_error, quantiles }
}

/// What the discrete map does at the samples of a chunk.
struct Maps {
    round_trips: Vec<f64>,
    least_singular_value: f64,
    folded: usize,
}

/// Samples that one thread takes at a time.
const CHUNK: usize = 64;

fn maps(model: &Model<'_>, steps: usize, samples: &[f64]) -> Result<Vec<Maps>, Error> {
    let config = Config::rk4(steps).with_log_det(LogDet::Jacobian);
    let plan: Plan<f64, Vec<Block>> = Plan::allocate(model, &config)?;
    let chunks: Vec<&[f64]> = samples.chunks(CHUNK * plan.shape().coordinates()).collect();
    map_indexed(chunks.len(), |c| map_chunk(&plan, chunks[c])).into_iter().collect()
}

fn map_chunk(plan: &Plan<f64, Vec<Block>>, x: &[f64]) -> Result<Maps, Error> {
    let (n, k) = (x.len() / plan.shape().coordinates(), plan.shape().free_dimension());
    let mut work = plan.allocate_workspace(n)?;
    let (mut z, mut back) = (vec![0.0; x.len()], vec![0.0; x.len()]);
    plan.inverse(x, &mut z, None, &mut work)?;
    let mut maps = Maps { round_trips: vec![f64::NAN; n], least_singular_value: f64::NAN, folded: 0 };
    if z.iter().any(|z| !z.is_finite()) {
        return Ok(maps);
    }
    plan.forward(&z, &mut back, None, &mut work)?;
    maps.round_trips = round_trips(plan, x, &back);
    let mut jacobians = vec![0.0; n * k * k];
    plan.jacobian(&z, &mut jacobians, &mut work)?;
    maps.least_singular_value = f64::INFINITY;
    for jacobian in jacobians.chunks((k * k).max(1)) {
        if jacobian.iter().any(|element| !element.is_finite()) {
            maps.least_singular_value = f64::NAN;
            continue;
        }
        let jacobian = DMatrix::from_row_slice(k, k, jacobian);
        maps.folded += usize::from(jacobian.determinant() < 0.0);
        maps.least_singular_value = least(maps.least_singular_value, jacobian.singular_values().min());
    }
    Ok(maps)
}

/// Largest |back - x| of each sample, both without their centre of mass.
fn round_trips(plan: &Plan<f64, Vec<Block>>, x: &[f64], back: &[f64]) -> Vec<f64> {
    let shape = plan.shape();
    let of_sample = |x: &[f64], back: &[f64]| {
        (0..shape.dimension).fold(0.0, |worst, d| {
            let difference = || x.iter().zip(back).skip(d).step_by(shape.dimension).map(|(x, back)| back - x);
            let shift = difference().sum::<f64>() / shape.particles as f64;
            difference().map(|v| libm::fabs(v - shift)).fold(worst, largest)
        })
    };
    let c = shape.coordinates();
    x.chunks(c).zip(back.chunks(c)).map(|(x, back)| of_sample(x, back)).collect()
}
