//! Densities that can be drawn from, and are known exactly.

use super::error::Error;
use crate::error::{self, Status};
use crate::field::Shape;
use crate::flow::{Block, Plan, Precision};
use crate::particles::{prior_gradient, prior_log_prob};
use crate::random::{Normals, Purpose, Stream, prior_sample};

/// A normalised density on the zero-CoM subspace with independent samples.
#[derive(Clone, Copy, Debug)]
pub enum Reference<'p, R> {
    /// That of a flow, as exact as the plan's log-densities are.
    Flow(&'p Plan<R, Vec<Block>>),
    /// A normal; with scale 1 the flow's prior.
    Normal {
        /// Standard deviation in the unit of length.
        scale: f64,
    },
}

impl<R: Precision> Reference<'_, R> {
    /// Fails unless it is a density on configurations of this shape.
    pub(super) fn check(&self, shape: Shape) -> Result<(), Error> {
        match *self {
            Reference::Flow(plan) if plan.shape() != shape => Err(Error::value(
                "config.from",
                plan.shape().coordinates() as f64,
                "a flow of the target's shape",
            )),
            Reference::Normal { scale } if !(R::from_f64(scale).is_finite() && scale > 0.0) => {
                Err(Error::value("config.from.scale", scale, "finite and above 0"))
            }
            _ => Ok(()),
        }
    }

    /// Blocks of workspace for `n` configurations.
    pub(super) fn extent(&self, n: usize) -> Result<usize, error::Error> {
        match self {
            Reference::Flow(plan) => plan.workspace_extent(n),
            Reference::Normal { .. } => Ok(0),
        }
    }

    /// Samples `first`, `first + 1`, ... of `seed` with their log-densities.
    pub(super) fn draw(
        &self,
        shape: Shape,
        (seed, first): (u64, u64),
        x: &mut [R],
        log_prob: &mut [R],
        work: &mut [Block],
    ) -> Result<(), error::Error> {
        let scale = match *self {
            Reference::Flow(plan) => return plan.sample(seed, first, x, Some(log_prob), work),
            Reference::Normal { scale } => R::from_f64(scale),
        };
        for (i, x) in x.chunks_exact_mut(shape.coordinates()).enumerate() {
            prior_sample(shape, &mut Normals::new(Stream::new(seed, Purpose::Prior, first + i as u64)), x);
            x.iter_mut().for_each(|x| *x = scale * *x);
        }
        self.log_prob(shape, x, log_prob, None, work)
    }

    /// Log-densities at `x`, and their gradients where those are wanted; -infinity where a flow has none.
    pub(super) fn log_prob(
        &self,
        shape: Shape,
        x: &[R],
        log_prob: &mut [R],
        mut gradient: Option<&mut [R]>,
        work: &mut [Block],
    ) -> Result<(), error::Error> {
        let scale = match *self {
            Reference::Flow(plan) => return log_probs(plan, x, log_prob, gradient, f64::NEG_INFINITY, work),
            Reference::Normal { scale } => scale,
        };
        let (shrink, offset) = (R::from_f64(1.0 / scale), shape.free_dimension() as f64 * libm::log(scale));
        let mut z = vec![R::default(); shape.coordinates()];
        for (i, (x, log_prob)) in x.chunks_exact(shape.coordinates()).zip(log_prob).enumerate() {
            z.iter_mut().zip(x).for_each(|(z, &x)| *z = shrink * x);
            *log_prob = prior_log_prob(shape, &z) - R::from_f64(offset);
            if let Some(gradient) = gradient.as_deref_mut() {
                let row = &mut gradient[i * z.len()..][..z.len()];
                prior_gradient(shape, &z, row);
                row.iter_mut().for_each(|g| *g = shrink * *g);
            }
        }
        Ok(())
    }
}

/// A flow's log-densities at `x`, and their gradients; `none`, and a gradient of zero, for a configuration at which the
/// inverse does not converge.
pub(super) fn log_probs<R: Precision>(
    plan: &Plan<R, Vec<Block>>,
    x: &[R],
    log_prob: &mut [R],
    mut gradient: Option<&mut [R]>,
    none: f64,
    work: &mut [Block],
) -> Result<(), error::Error> {
    match plan.log_prob(x, log_prob, gradient.as_deref_mut(), work) {
        Err(error) if error.status == Status::Convergence => {}
        done => return done,
    }
    let each = plan.shape().coordinates();
    for (i, (x, log_prob)) in x.chunks_exact(each).zip(log_prob.chunks_exact_mut(1)).enumerate() {
        let mut row = gradient.as_deref_mut().map(|gradient| &mut gradient[i * each..][..each]);
        match plan.log_prob(x, log_prob, row.as_deref_mut(), work) {
            Err(error) if error.status == Status::Convergence => {
                log_prob.fill(R::from_f64(none));
                row.into_iter().for_each(|row| row.fill(R::default()));
            }
            done => done?,
        }
    }
    Ok(())
}
