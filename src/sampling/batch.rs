//! Large batches on several threads: samples of a flow, and energies.

use super::error::{Error, check_each};
use crate::error;
use crate::field::Shape;
use crate::flow::{Block, Plan, Precision};
use crate::lanes::{COMPLETE, Lanes, Real, gather};
use crate::potential::Potential;
use core::ops::Deref;

/// Samples of a flow with their log-densities.
#[derive(Clone, Debug, PartialEq)]
pub struct FlowSamples<R> {
    /// Configurations, `[n][N][D]`.
    pub samples: Vec<R>,
    /// Their log-density under the flow, `[n]`.
    pub log_probs: Vec<R>,
}

/// Draws samples 0 to `n` - 1 of `seed`: the bits of one [`Plan::sample`] call, on the threads of [`Plan::parallel`].
///
/// `progress(done)` is called from whichever thread has finished a piece.
///
/// # Errors
/// Those of [`Plan::sample`].
pub fn draw_samples<R: Precision, S: Deref<Target = [Block]>>(
    plan: &Plan<R, S>,
    seed: u64,
    n: usize,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<FlowSamples<R>, error::Error> {
    let mut samples = vec![R::default(); n * plan.shape().coordinates()];
    let mut log_probs = vec![R::default(); n];
    let calls = plan.parallel().with_progress(progress);
    calls.sample(seed, 0, &mut samples, Some(&mut log_probs))?;
    Ok(FlowSamples { samples, log_probs })
}

/// The energies u of `samples` (`[n][N][D]`) in units of kT; overlapping particles may give infinity.
///
/// # Errors
/// A length that is not a whole number of samples, or the first coordinate that is not finite.
pub fn energies(
    potential: &impl Potential<<f64 as Real>::Lanes>,
    shape: Shape,
    samples: &[f64],
) -> Result<Vec<f64>, Error> {
    type V = <f64 as Real>::Lanes;
    let coordinates = shape.coordinates();
    if coordinates == 0 || !samples.len().is_multiple_of(coordinates) {
        let demand = "a multiple of the coordinates of one sample";
        return Err(Error::Length { name: "samples", length: samples.len(), demand });
    }
    check_each("samples", samples, "finite", f64::is_finite)?;
    let mut x = vec![V::zero(); coordinates];
    let mut energies = Vec::with_capacity(samples.len() / coordinates);
    for group in samples.chunks(V::WIDTH * coordinates) {
        let count = group.len() / coordinates;
        gather(group, |i| i.min(count - 1), &mut x).expect(COMPLETE);
        energies.extend_from_slice(&potential.energy(shape, &x, None).as_slice()[..count]);
    }
    Ok(energies)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{Config, Model, Reals};
    use crate::potential::DoubleWell;
    use crate::radial::Basis;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const SHAPE: Shape = Shape { particles: 3, dimension: 2 };

    #[test]
    fn pieces_on_threads_are_one_batch() {
        let model = Model {
            basis: Basis::Normalized,
            shape: SHAPE,
            weights: Reals::Native(&[0.3, -0.2, 0.1]),
            bias: None,
            importance: None,
            mu: Reals::Native(&[0.0, 1.0, 2.0]),
            gamma: Reals::Native(&[0.5; 3]),
            mu_time: Reals::Native(&[0.5]),
            gamma_time: Reals::Native(&[0.5]),
            eps: 1e-6,
        };
        let plan: Plan<f64, Vec<Block>> = Plan::allocate(&model, &Config::rk4(4)).unwrap();
        let n = 515;
        let (mut x, mut log_prob) = (vec![0.0; n * 6], vec![0.0; n]);
        let mut work = plan.allocate_workspace(n).unwrap();
        plan.sample(5, 0, &mut x, Some(&mut log_prob), &mut work).unwrap();
        let most = AtomicUsize::new(0);
        let progress = |done| {
            most.fetch_max(done, Ordering::Relaxed);
        };
        let drawn = draw_samples(&plan, 5, n, &progress).unwrap();
        assert_eq!(drawn, FlowSamples { samples: x, log_probs: log_prob });
        assert_eq!(most.into_inner(), n);
    }

    #[test]
    fn energies_do_not_depend_on_their_neighbours_and_bad_samples_are_named() {
        let potential = DoubleWell::<f64>::dw4();
        let samples: Vec<f64> = (0..30).map(|i| f64::from(i * i % 17)).collect();
        let together = energies(&potential, SHAPE, &samples).unwrap();
        for (one, sample) in together.iter().zip(samples.chunks(6)) {
            assert_eq!(energies(&potential, SHAPE, sample).unwrap(), [*one]);
        }
        assert!(matches!(
            energies(&potential, SHAPE, &samples[1..]),
            Err(Error::Length { name: "samples", .. })
        ));
        let bad = [0.0, 1.0, f64::NAN, 2.0, 0.0, 1.0];
        assert!(matches!(energies(&potential, SHAPE, &bad), Err(Error::Value { index: Some(2), .. })));
    }
}
