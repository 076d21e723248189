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
