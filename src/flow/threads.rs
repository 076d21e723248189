//! Batches on several threads: those of rayon's current pool, or threads of the call's own in memory of the caller's.

use super::batch::{Job, Piece, Place};
use super::calls::Calls;
use super::operations::Operation;
use super::plan::Plan;
use super::precision::Precision;
use crate::error::{Argument, Error, Status};
use crate::lanes::{Block, Lanes};
use core::ops::Deref;

#[cfg(feature = "std")]
use {
    crate::parallel::{map_each, pool_size},
    std::sync::atomic::{AtomicUsize, Ordering},
};

/// Most threads of a call.
const MOST_THREADS: usize = 1024;

/// Most samples that a thread of a pool takes at a time.
#[cfg(feature = "std")]
const MOST_SAMPLES: usize = 256;

/// Pieces a thread of a pool, where there are samples enough: one that comes late finds some left.
#[cfg(feature = "std")]
const PIECES_A_THREAD: usize = 4;

/// Samples that are whole vectors of every width.
const fn granule<R>() -> usize {
    size_of::<Block>() / size_of::<R>()
}

/// Samples of each of `pieces` equal pieces of `n` samples, rounded up to whole vectors: an adaptive plan's vectors
/// are then those of the whole batch, and so is the sample that it names where one does not converge.
fn share<R>(n: usize, pieces: usize) -> usize {
    let share = n.div_ceil(pieces);
    share.checked_next_multiple_of(granule::<R>()).map_or(n, |share| share.min(n))
}

/// Fails unless a call can have so many threads.
fn check_threads(threads: usize) -> Result<(), Error> {
    let status = match threads {
        1 => return Ok(()),
        2..=MOST_THREADS if cfg!(feature = "parallel") => return Ok(()),
        2..=MOST_THREADS => Status::Unsupported,
        _ => Status::Argument,
    };
    Err(Error::new(status, Argument::Threads, threads as f64))
}

impl<R: Precision, S: Deref<Target = [Block]>> Plan<R, S> {
    /// The calls on `threads` threads, 1 to 1024: the calling one and others that are started for the call and
    /// end before it returns. There is no pool and nothing remains.
    ///
    /// `work` has [`Plan::workspace_extent_on_threads`] blocks. The samples of a thread that cannot be started are
    /// computed by the others. Callers with threads of their own can as well split the batch themselves, each part
    /// with a workspace of its own: the bits are the same.
    ///
    /// # Errors
    /// [`Status::Argument`] for `threads`; [`Status::Unsupported`] for more than one without the feature `parallel`.
    pub fn on_threads<'a>(
        &'a self,
        threads: usize,
        work: &'a mut [Block],
    ) -> Result<Calls<'a, R, Threads<'a>>, Error> {
        check_threads(threads)?;
        Ok(self.calls(Threads { count: threads, work }))
    }

    /// Blocks of workspace that any call on a batch of `n` samples (or fewer) takes on `threads` threads.
    ///
    /// # Errors
    /// Those of [`Plan::on_threads`] and [`Plan::workspace_extent`].
    pub fn workspace_extent_on_threads(&self, n: usize, threads: usize) -> Result<usize, Error> {
        check_threads(threads)?;
        let pieces = threads.min(n.div_ceil(granule::<R>())).max(1);
        let blocks = self.workspace_extent(share::<R>(n, threads))?.checked_mul(pieces);
        blocks.ok_or(Error::new(Status::Shape, Argument::Count, n as f64))
    }
}

/// On threads that are started for the call.
#[derive(Debug)]
pub struct Threads<'w> {
    count: usize,
    work: &'w mut [Block],
}

impl<'w> From<Threads<'w>> for Place<'w> {
    fn from(threads: Threads<'w>) -> Self {
        Place::Threads(threads)
    }
}

impl Threads<'_> {
    #[cfg(feature = "parallel")]
    pub(super) fn run<R: Precision, V: Lanes<Real = R>, O: Operation<R>>(
        self,
        job: &Job<'_, R, O>,
        batch: Piece<'_, R>,
    ) -> Result<(), Error> {
        let Threads { count, work } = self;
        if count == 1 {
            return job.run::<V>(batch, work);
        }
        let needed = job.plan.workspace_extent_on_threads(batch.n, count)?;
        let work =
            work.get_mut(..needed).ok_or(Error::new(Status::Workspace, Argument::Work, needed as f64))?;
        let samples = share::<R>(batch.n, count);
        let blocks = job.plan.workspace_extent(samples)?;
        let pieces = batch.split(samples, job.plan.shape.coordinates());
        let mut pieces: Vec<_> = pieces.zip(work.chunks_exact_mut(blocks)).collect();
        let results = crate::parallel::map_on_threads(&mut pieces, |(piece, work)| {
            job.compute::<V>(piece, core::mem::take(work))
        });
        finish::<R, V, O>(job, pieces.into_iter().map(|(piece, _)| piece), results)
    }

    #[cfg(not(feature = "parallel"))]
    pub(super) fn run<R: Precision, V: Lanes<Real = R>, O: Operation<R>>(
        self,
        job: &Job<'_, R, O>,
        batch: Piece<'_, R>,
    ) -> Result<(), Error> {
        debug_assert_eq!(self.count, 1, "checked");
        job.run::<V>(batch, self.work)
    }
}

#[cfg(feature = "std")]
impl<R: Precision, S: Deref<Target = [Block]>> Plan<R, S> {
    /// The calls on rayon's current pool, which is the caller's choice: inside `ThreadPool::install` it is that pool,
    /// elsewhere rayon's global one. Without the feature `parallel`, on the calling thread.
    ///
    /// Each piece of the batch, a few hundred samples or fewer, has a workspace of its own, allocated when its turn
    /// comes; the results of an adaptive plan are kept in memory until all samples have converged.
    pub fn parallel(&self) -> Calls<'_, R, Pool<'_>> {
        self.calls(Pool { progress: &|_| () })
    }
}

/// On rayon's current pool.
#[cfg(feature = "std")]
pub struct Pool<'a> {
    progress: &'a (dyn Fn(usize) + Sync),
}

#[cfg(feature = "std")]
impl<'p, R: Precision> Calls<'p, R, Pool<'p>> {
    /// Has `progress(done)` called, from whichever thread has finished a piece, with the samples computed so far.
    #[must_use]
    pub fn with_progress(mut self, progress: &'p (dyn Fn(usize) + Sync)) -> Self {
        self.place = Pool { progress };
        self
    }
}

#[cfg(feature = "std")]
impl<'a> From<Pool<'a>> for Place<'a> {
    fn from(pool: Pool<'a>) -> Self {
        Place::Pool(pool)
    }
}

#[cfg(feature = "std")]
impl Pool<'_> {
    pub(super) fn run<R: Precision, V: Lanes<Real = R>, O: Operation<R>>(
        self,
        job: &Job<'_, R, O>,
        batch: Piece<'_, R>,
    ) -> Result<(), Error> {
        let least = batch.n.div_ceil(MOST_SAMPLES);
        let samples = share::<R>(batch.n, least.max(PIECES_A_THREAD * pool_size()));
        let mut pieces: Vec<_> = batch.split(samples, job.plan.shape.coordinates()).collect();
        let done = AtomicUsize::new(0);
        let results = map_each(&mut pieces, |piece| {
            let mut work = job.plan.allocate_workspace(piece.n)?;
            let results = job.compute::<V>(piece, &mut work)?.to_vec();
            (self.progress)(done.fetch_add(piece.n, Ordering::Relaxed) + piece.n);
            Ok(results)
        });
        finish::<R, V, O>(job, pieces, results)
    }
}

/// Writes what the pieces have kept once all have succeeded, else fails as the first that has not.
#[cfg(feature = "std")]
fn finish<'a, R: Precision, V: Lanes<Real = R>, O: Operation<R>>(
    job: &Job<'_, R, O>,
    pieces: impl IntoIterator<Item = Piece<'a, R>>,
    results: Vec<Result<impl AsRef<[V]>, Error>>,
) -> Result<(), Error> {
    let results = results.into_iter().collect::<Result<Vec<_>, _>>()?;
    for (mut piece, results) in pieces.into_iter().zip(results) {
        job.finish(&mut piece, results.as_ref())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_whole_vectors_and_no_larger_than_the_batch() {
        for n in [0, 1, 7, 8, 9, 64, 1000, 1001] {
            for pieces in [1, 2, 3, 5, 1024] {
                let share = share::<f64>(n, pieces);
                assert!(share == n || share.is_multiple_of(8), "{n} {pieces}: {share}");
                assert!(share <= n && share * pieces >= n);
                assert!(n == 0 || n.div_ceil(share) <= pieces.min(n.div_ceil(8)));
            }
        }
        assert_eq!(share::<f32>(usize::MAX, 1), usize::MAX);
    }
}
