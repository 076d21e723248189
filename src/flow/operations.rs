//! What a plan computes of a chunk of samples.

use super::plan::Plan;
use super::transport::WorkspaceParts;
use crate::integrate::dopri5::NotConverged;
use crate::integrate::rk4::Direction;
use crate::lanes::{Block, Lanes, Real, gather};
use crate::particles::remove_com;
use crate::random::{Normals, Purpose, Stream};

/// A run of consecutive samples that go through the integrator together, a vector of them a group.
#[derive(Clone, Copy)]
pub struct Chunk {
    pub first: usize,
    pub count: usize,
}

impl Chunk {
    /// Gathers samples (`[n][N][D]`) into `x` (`[groups][N][D]`); lanes beyond the last sample repeat it.
    pub fn load<V: Lanes>(self, samples: &[V::Real], x: &mut [V], coordinates: usize) {
        V::vectorize(
            #[inline(always)]
            || {
                for (g, x) in x.chunks_exact_mut(coordinates).enumerate() {
                    let sample = g * V::WIDTH;
                    gather(
                        samples,
                        #[inline(always)]
                        |i| self.first + (sample + i).min(self.count - 1),
                        x,
                    );
                }
            },
        );
    }

    /// Scatters `x` (`[groups][coordinates]`) to samples (`[n][coordinates]`).
    pub fn store<V: Lanes>(self, x: &[V], samples: &mut [V::Real], coordinates: usize) {
        for (g, x) in x.chunks_exact(coordinates).enumerate() {
            let first = g * V::WIDTH;
            for i in 0..V::WIDTH.min(self.count - first) {
                let sample = &mut samples[(self.first + first + i) * coordinates..][..coordinates];
                for (target, x) in sample.iter_mut().zip(x) {
                    *target = x.as_slice()[i];
                }
            }
        }
    }
}

/// One kind of pass over a batch, with its inputs.
pub trait Operation<R: Real>: Sync {
    /// From the chunk of the inputs to results in `parts.x` and `parts.extra`.
    fn compute<V: Lanes<Real = R>>(
        &self,
        plan: &Plan<R, &[Block]>,
        chunk: Chunk,
        parts: &mut WorkspaceParts<'_, V>,
    ) -> Result<(), NotConverged<R>>;
}

/// The flow in either direction, with its log-determinant.
pub struct Map<'a, R> {
    pub direction: Direction,
    pub from: &'a [R],
}

impl<R: Real> Operation<R> for Map<'_, R> {
    fn compute<V: Lanes<Real = R>>(
        &self,
        plan: &Plan<R, &[Block]>,
        chunk: Chunk,
        parts: &mut WorkspaceParts<'_, V>,
    ) -> Result<(), NotConverged<R>> {
        chunk.load(self.from, parts.x, plan.shape.coordinates());
        plan.transport(self.direction, parts)
    }
}

/// The log-density, and its gradient where that is wanted.
pub struct LogProb<'a, R> {
    pub x: &'a [R],
    pub gradient: bool,
}

impl<R: Real> Operation<R> for LogProb<'_, R> {
    fn compute<V: Lanes<Real = R>>(
        &self,
        plan: &Plan<R, &[Block]>,
        chunk: Chunk,
        parts: &mut WorkspaceParts<'_, V>,
    ) -> Result<(), NotConverged<R>> {
        chunk.load(self.x, parts.x, plan.shape.coordinates());
        if self.gradient {
            return plan.score(parts);
        }
        plan.transport(Direction::Backward, parts)?;
        plan.add_prior(parts.x, parts.extra);
        Ok(())
    }
}

/// Samples of a seed with their log-density.
pub struct Draw {
    pub seed: u64,
    pub first: u64,
}

impl<R: Real> Operation<R> for Draw {
    /// Lanes beyond the last sample repeat it.
    fn compute<V: Lanes<Real = R>>(
        &self,
        plan: &Plan<R, &[Block]>,
        chunk: Chunk,
        parts: &mut WorkspaceParts<'_, V>,
    ) -> Result<(), NotConverged<R>> {
        let shape = plan.shape;
        for (g, x) in parts.x.chunks_exact_mut(shape.coordinates()).enumerate() {
            let lanes: &mut [R] = bytemuck::cast_slice_mut(x);
            for i in 0..V::WIDTH {
                let sample = chunk.first + (g * V::WIDTH + i).min(chunk.count - 1);
                let index = self.first.wrapping_add(sample as u64);
                let mut normals = Normals::new(Stream::new(self.seed, Purpose::Prior, index));
                for lane in lanes.iter_mut().skip(i).step_by(V::WIDTH) {
                    *lane = R::from_f64(normals.next_normal());
                }
            }
            V::vectorize(
                #[inline(always)]
                || remove_com(shape, x, &mut [V::zero(); 3]),
            );
        }
        plan.push_forward(parts)
    }
}

/// Velocity and divergence at one time.
pub struct FieldAt<'a, R> {
    pub t: R,
    pub x: &'a [R],
}

impl<R: Real> Operation<R> for FieldAt<'_, R> {
    fn compute<V: Lanes<Real = R>>(
        &self,
        plan: &Plan<R, &[Block]>,
        chunk: Chunk,
        parts: &mut WorkspaceParts<'_, V>,
    ) -> Result<(), NotConverged<R>> {
        chunk.load(self.x, parts.x, plan.shape.coordinates());
        plan.velocity(self.t, parts);
        Ok(())
    }
}
