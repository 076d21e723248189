//! A batch in pieces: each computes by itself, and writes once nothing can fail any more.

use super::operations::{Chunk, Operation};
use super::plan::Plan;
use super::precision::Precision;
use super::threads::Threads;
use crate::error::{Argument, Error, Missing, Status};
use crate::integrate::{NotConverged, Stopped};
use crate::lanes::{Block, Lanes, Real, Vectorized, check, copy, part_mut};

#[cfg(feature = "std")]
use super::threads::Pool;

/// Consecutive samples of a batch and their outputs.
pub struct Piece<'a, R> {
    /// The number of the first in the whole batch.
    pub first: usize,
    pub n: usize,
    /// `[n][N][D]`.
    pub x: Option<&'a mut [R]>,
    /// `[n]`.
    pub extra: Option<&'a mut [R]>,
}

#[cfg(feature = "std")]
impl<'a, R> Piece<'a, R> {
    /// Pieces of `samples` samples each; the last has what is left.
    pub fn split(mut self, samples: usize, coordinates: usize) -> impl Iterator<Item = Piece<'a, R>> {
        let front = |array: &mut Option<&'a mut [R]>, length| array.as_mut()?.split_off_mut(..length);
        core::iter::from_fn(move || {
            let (first, n) = (self.first, samples.min(self.n));
            (self.first, self.n) = (first + n, self.n - n);
            let (x, extra) = (front(&mut self.x, n * coordinates), front(&mut self.extra, n));
            (n > 0).then_some(Piece { first, n, x, extra })
        })
    }
}

impl<R: Real> Piece<'_, R> {
    /// Its chunks of up to `samples`, numbered in the whole batch.
    fn chunks(&self, samples: usize) -> impl Iterator<Item = Chunk> + use<R> {
        let (start, n) = (self.first, self.n);
        (0..n).step_by(samples).map(move |at| Chunk { first: start + at, count: samples.min(n - at) })
    }

    fn write<V: Lanes<Real = R>>(&mut self, chunk: Chunk, x: &[V], extra: &[V]) -> Result<(), Missing> {
        let chunk = Chunk { first: chunk.first - self.first, ..chunk };
        if let Some(target) = self.x.as_deref_mut() {
            chunk.store(x, target, x.len().checked_div(extra.len()).ok_or(Missing)?)?;
        }
        if let Some(target) = self.extra.as_deref_mut() {
            chunk.store(extra, target, 1)?;
        }
        Ok(())
    }
}

/// What is to be done with every piece.
pub struct Job<'a, R, O> {
    pub plan: &'a Plan<R, &'a [Block]>,
    pub operation: O,
    /// The array that a failure to converge is about.
    pub argument: Argument,
}

impl<R: Precision, O: Operation<R>> Job<'_, R, O> {
    /// Computes a piece and writes it, unless a later sample may not converge: what [`Job::finish`] has to write is
    /// then returned, so that a failure writes nothing.
    pub fn compute<'w, V: Lanes<Real = R>>(
        &self,
        piece: &mut Piece<'_, R>,
        work: &'w mut [Block],
    ) -> Result<&'w [V], Error> {
        let coordinates = self.plan.shape.coordinates();
        let (mut parts, rest) = self.plan.workspace::<V>(piece.n, work)?;
        let samples = parts.extra.len() * V::WIDTH;
        check(samples > 0)?;
        let keep = self.plan.config.may_fail();
        let kept = if keep { piece.n.div_ceil(V::WIDTH) } else { 0 };
        let results = part_mut(rest, 0, kept * self.result_length())?;
        let mut free = results.chunks_exact_mut(self.result_length());
        for chunk in piece.chunks(samples) {
            let mut parts = parts.first(chunk.count.div_ceil(V::WIDTH))?;
            self.operation.compute(self.plan, chunk, &mut parts).map_err(|stopped| match stopped {
                Stopped::NotConverged(NotConverged { lane, time }) => {
                    let sample = chunk.first + lane.min(chunk.count - 1);
                    Error::at(Status::Convergence, self.argument, sample, time.to_f64())
                }
                Stopped::Missing(missing) => missing.into(),
            })?;
            if keep {
                for (x, &mut extra) in parts.x.chunks_exact(coordinates).zip(parts.extra) {
                    let (last, front) = free.next().and_then(<[V]>::split_last_mut).ok_or(Missing)?;
                    copy(x, front)?;
                    *last = extra;
                }
            } else {
                piece.write(chunk, parts.x, parts.extra)?;
            }
        }
        Ok(results)
    }

    /// Vectors that a vector of samples keeps: coordinates and the other result.
    fn result_length(&self) -> usize {
        self.plan.shape.coordinates().saturating_add(1)
    }

    /// Computes a whole batch and writes it.
    pub fn run<V: Lanes<Real = R>>(&self, mut batch: Piece<'_, R>, work: &mut [Block]) -> Result<(), Error> {
        let results = self.compute::<V>(&mut batch, work)?;
        self.finish(&mut batch, results)?;
        Ok(())
    }

    /// Writes what [`Job::compute`] has returned, one vector of samples after the other.
    pub fn finish<V: Lanes<Real = R>>(&self, piece: &mut Piece<'_, R>, results: &[V]) -> Result<(), Missing> {
        for (chunk, result) in piece.chunks(V::WIDTH).zip(results.chunks_exact(self.result_length())) {
            let (extra, x) = result.split_last().ok_or(Missing)?;
            piece.write(chunk, x, core::slice::from_ref(extra))?;
        }
        Ok(())
    }
}

/// Where a batch is computed, and in which memory.
pub enum Place<'a> {
    /// On the calling thread, in a workspace for the whole batch.
    Here(&'a mut [Block]),
    /// On threads that are started for the call.
    Threads(Threads<'a>),
    /// On rayon's current pool.
    #[cfg(feature = "std")]
    Pool(Pool<'a>),
}

impl<'a> From<&'a mut [Block]> for Place<'a> {
    fn from(work: &'a mut [Block]) -> Self {
        Place::Here(work)
    }
}

/// A job with all that it takes, to be run on the plan's vectors.
pub struct Execution<'a, R, O> {
    pub job: Job<'a, R, O>,
    /// Not empty.
    pub batch: Piece<'a, R>,
    pub place: Place<'a>,
}

impl<R: Precision, O: Operation<R>> Vectorized<R> for Execution<'_, R, O> {
    type Output = Result<(), Error>;

    fn run<V: Lanes<Real = R>>(self) -> Result<(), Error> {
        let Execution { job, batch, place } = self;
        match place {
            Place::Here(work) => job.run::<V>(batch, work),
            Place::Threads(threads) => threads.run::<R, V, O>(&job, batch),
            #[cfg(feature = "std")]
            Place::Pool(pool) => pool.run::<R, V, O>(&job, batch),
        }
    }
}
