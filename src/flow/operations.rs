//! What a plan computes of a chunk of samples.

use super::plan::Plan;
use super::precision::Precision;
use super::transport::WorkspaceParts;
use crate::error::Missing;
use crate::field::Shape;
use crate::integrate::Stopped;
use crate::integrate::rk4::Direction;
use crate::lanes::{Block, Lanes, Real, check, gather, part_mut};
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
    pub fn load<V: Lanes>(self, samples: &[V::Real], x: &mut [V], coordinates: usize) -> Result<(), Missing> {
        V::vectorize(
            #[inline(always)]
            || {
                check(coordinates > 0)?;
                for (g, x) in x.chunks_exact_mut(coordinates).enumerate() {
                    let sample = g * V::WIDTH;
                    gather(
                        samples,
                        #[inline(always)]
                        |i| self.first + (sample + i).min(self.count - 1),
                        x,
                    )?;
                }
                Ok(())
            },
        )
    }

    /// Prior draws number `first` + this chunk's of a seed, into `x` (`[groups][N][D]`); lanes beyond the last sample
    /// repeat it.
    fn draw<V: Lanes>(self, shape: Shape, seed: u64, first: u64, x: &mut [V]) {
        for (g, x) in x.chunks_exact_mut(shape.coordinates()).enumerate() {
            let lanes: &mut [V::Real] = bytemuck::cast_slice_mut(x);
            for i in 0..V::WIDTH {
                let sample = self.first + (g * V::WIDTH + i).min(self.count - 1);
                let index = first.wrapping_add(sample as u64);
                let mut normals = Normals::new(Stream::new(seed, Purpose::Prior, index));
                for lane in lanes.iter_mut().skip(i).step_by(V::WIDTH) {
                    *lane = V::Real::from_f64(normals.next_normal());
                }
            }
            V::vectorize(
                #[inline(always)]
                || remove_com(shape, x, &mut [V::zero(); 3]),
            );
        }
    }

    /// Scatters `x` (`[groups][coordinates]`) to samples (`[n][coordinates]`).
    pub fn store<V: Lanes>(
        self,
        x: &[V],
        samples: &mut [V::Real],
        coordinates: usize,
    ) -> Result<(), Missing> {
        check(coordinates > 0)?;
        for (g, x) in x.chunks_exact(coordinates).enumerate() {
            let first = g * V::WIDTH;
            for i in 0..V::WIDTH.min(self.count - first) {
                let sample = part_mut(samples, (self.first + first + i) * coordinates, coordinates)?;
                for (target, x) in sample.iter_mut().zip(x) {
                    *target = x.as_slice()[i];
                }
            }
        }
        Ok(())
    }
}

/// One kind of pass over a batch, with its inputs.
#[derive(Clone, Copy)]
pub enum Operation<'a, R> {
    /// The flow in either direction, with its log-determinant.
    Map { direction: Direction, from: &'a [R] },
    /// The log-density, and its gradient where that is wanted.
    LogProb { x: &'a [R], gradient: bool },
    /// Samples `first`, ... of a seed with their log-density.
    Draw { seed: u64, first: u64 },
    /// Velocity and divergence at one time.
    Field { t: R, x: &'a [R] },
}

impl<R: Precision> Operation<'_, R> {
    /// From the chunk of the inputs to results in `parts.x` and `parts.extra`.
    pub fn compute<V: Lanes<Real = R>>(
        &self,
        plan: &Plan<R, &[Block]>,
        chunk: Chunk,
        parts: &mut WorkspaceParts<'_, V>,
    ) -> Result<(), Stopped<R>> {
        let coordinates = plan.shape.coordinates();
        match *self {
            Operation::Map { direction, from } => {
                chunk.load(from, parts.x, coordinates)?;
                plan.transport(direction, parts)
            }
            Operation::LogProb { x, gradient } => {
                chunk.load(x, parts.x, coordinates)?;
                if gradient { plan.score(parts) } else { plan.pull_back(parts) }
            }
            Operation::Draw { seed, first } => {
                chunk.draw(plan.shape, seed, first, parts.x);
                plan.push_forward(parts)
            }
            Operation::Field { t, x } => {
                chunk.load(x, parts.x, coordinates)?;
                Ok(plan.velocity(t, parts)?)
            }
        }
    }
}
