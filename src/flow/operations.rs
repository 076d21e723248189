//! What a plan computes of a chunk of samples.

use super::plan::Plan;
use super::precision::Precision;
use super::transport::WorkspaceParts;
use crate::error::Missing;
use crate::field::Shape;
use crate::integrate::Stopped;
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

/// One kind of pass over a batch, with its inputs. Each is a type of its own, so that a program links what it calls and
/// no more.
pub trait Operation<R: Precision>: Copy + Sync {
    /// From the chunk of the inputs to results in `parts.x` and `parts.extra`.
    fn compute<V: Lanes<Real = R>>(
        self,
        plan: &Plan<R, &[Block]>,
        chunk: Chunk,
        parts: &mut WorkspaceParts<'_, V>,
    ) -> Result<(), Stopped<R>>;
}

/// The flow, with its log-determinant.
#[derive(Clone, Copy)]
pub struct Forward<'a, R> {
    pub z: &'a [R],
}

impl<R: Precision> Operation<R> for Forward<'_, R> {
    fn compute<V: Lanes<Real = R>>(
        self,
        plan: &Plan<R, &[Block]>,
        chunk: Chunk,
        parts: &mut WorkspaceParts<'_, V>,
    ) -> Result<(), Stopped<R>> {
        chunk.load(self.z, parts.x, plan.shape.coordinates())?;
        plan.map_forward(parts)
    }
}

/// The flow backward, with its log-determinant.
#[derive(Clone, Copy)]
pub struct Backward<'a, R> {
    pub x: &'a [R],
}

impl<R: Precision> Operation<R> for Backward<'_, R> {
    fn compute<V: Lanes<Real = R>>(
        self,
        plan: &Plan<R, &[Block]>,
        chunk: Chunk,
        parts: &mut WorkspaceParts<'_, V>,
    ) -> Result<(), Stopped<R>> {
        chunk.load(self.x, parts.x, plan.shape.coordinates())?;
        plan.map_backward(parts)
    }
}

/// The log-density, and its gradient where that is wanted.
#[derive(Clone, Copy)]
pub struct LogProb<'a, R> {
    pub x: &'a [R],
    pub gradient: bool,
}

impl<R: Precision> Operation<R> for LogProb<'_, R> {
    fn compute<V: Lanes<Real = R>>(
        self,
        plan: &Plan<R, &[Block]>,
        chunk: Chunk,
        parts: &mut WorkspaceParts<'_, V>,
    ) -> Result<(), Stopped<R>> {
        chunk.load(self.x, parts.x, plan.shape.coordinates())?;
        if self.gradient { plan.score(parts) } else { plan.pull_back(parts) }
    }
}

/// The gradient in z of x_bar . F(z) + log_det_bar log|det dF/dz|.
#[derive(Clone, Copy)]
pub struct Pull<'a, R> {
    pub z: &'a [R],
    pub x_bar: &'a [R],
    pub log_det_bar: &'a [R],
}

impl<R: Precision> Operation<R> for Pull<'_, R> {
    fn compute<V: Lanes<Real = R>>(
        self,
        plan: &Plan<R, &[Block]>,
        chunk: Chunk,
        parts: &mut WorkspaceParts<'_, V>,
    ) -> Result<(), Stopped<R>> {
        let coordinates = plan.shape.coordinates();
        chunk.load(self.z, parts.x, coordinates)?;
        plan.transpose(parts, |x_bar, log_det_bar| {
            chunk.load(self.x_bar, x_bar, coordinates)?;
            chunk.load(self.log_det_bar, log_det_bar, 1)
        })
    }
}

/// Samples `first`, ... of a seed with their log-density.
#[derive(Clone, Copy)]
pub struct Draw {
    pub seed: u64,
    pub first: u64,
}

impl<R: Precision> Operation<R> for Draw {
    fn compute<V: Lanes<Real = R>>(
        self,
        plan: &Plan<R, &[Block]>,
        chunk: Chunk,
        parts: &mut WorkspaceParts<'_, V>,
    ) -> Result<(), Stopped<R>> {
        chunk.draw(plan.shape, self.seed, self.first, parts.x);
        plan.push_forward(parts)
    }
}

/// Velocity and divergence at one time.
#[derive(Clone, Copy)]
pub struct Field<'a, R> {
    pub t: R,
    pub x: &'a [R],
}

impl<R: Precision> Operation<R> for Field<'_, R> {
    fn compute<V: Lanes<Real = R>>(
        self,
        plan: &Plan<R, &[Block]>,
        chunk: Chunk,
        parts: &mut WorkspaceParts<'_, V>,
    ) -> Result<(), Stopped<R>> {
        chunk.load(self.x, parts.x, plan.shape.coordinates())?;
        Ok(plan.velocity(self.t, parts)?)
    }
}
