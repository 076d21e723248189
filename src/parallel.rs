//! Independent pieces of work on several threads, with results that do not depend on their number.

/// `f(0), ..., f(n - 1)` in order: on rayon's current pool with the feature `parallel`, else one after another.
pub(crate) fn map_indexed<T: Send>(n: usize, f: impl Fn(usize) -> T + Sync + Send) -> Vec<T> {
    #[cfg(feature = "parallel")]
    {
        use rayon::prelude::*;
        (0..n).into_par_iter().map(f).collect()
    }
    #[cfg(not(feature = "parallel"))]
    {
        (0..n).map(f).collect()
    }
}

/// `f` of each item in order, where [`map_indexed`] would run it.
pub(crate) fn map_each<I: Send, T: Send>(items: &mut [I], f: impl Fn(&mut I) -> T + Sync + Send) -> Vec<T> {
    #[cfg(feature = "parallel")]
    {
        use rayon::prelude::*;
        items.par_iter_mut().map(f).collect()
    }
    #[cfg(not(feature = "parallel"))]
    {
        items.iter_mut().map(f).collect()
    }
}

/// Threads on which [`map_indexed`] and [`map_each`] run.
pub(crate) fn pool_size() -> usize {
    #[cfg(feature = "parallel")]
    {
        rayon::current_num_threads()
    }
    #[cfg(not(feature = "parallel"))]
    {
        1
    }
}

/// `f` of each item in order, on the calling thread and one more for every further item.
///
/// The threads have ended when this returns. Each takes the next item that nobody has: what one that cannot be
/// started would have done is left to the others.
#[cfg(feature = "parallel")]
pub(crate) fn map_on_threads<I: Send, T: Send>(items: &mut [I], f: impl Fn(&mut I) -> T + Sync) -> Vec<T> {
    use std::sync::{Mutex, PoisonError};
    let mut results: Vec<Option<T>> = items.iter().map(|_| None).collect();
    let others = items.len().saturating_sub(1);
    let queue = Mutex::new(items.iter_mut().zip(&mut results));
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || {
        while let Some((item, result)) = next() {
            *result = Some(f(item));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..others {
            if std::thread::Builder::new().spawn_scoped(scope, work).is_err() {
                break;
            }
        }
        work();
    });
    results.into_iter().flatten().collect()
}

#[cfg(all(test, feature = "parallel"))]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_done_once_and_results_are_in_order() {
        for n in [0, 1, 2, 5, 40] {
            let mut items: Vec<usize> = (0..n).collect();
            let triple = |item: &mut usize| {
                *item += 100;
                3 * *item
            };
            let want: Vec<usize> = (100..100 + n).map(|i| 3 * i).collect();
            assert_eq!(map_on_threads(&mut items, triple), want);
            assert_eq!(items, (100..100 + n).collect::<Vec<_>>());
            assert_eq!(map_each(&mut items, |item| *item), items);
        }
    }
}
