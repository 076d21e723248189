//! Means over runs with their errors.

use eqflow::sampling::{Estimate, independent_mean};

/// Mean over independent runs; with a single one the error is unknown, which is infinite.
pub fn over_runs(values: &[f64]) -> Estimate {
    independent_mean(values).unwrap_or(Estimate {
        value: values.first().copied().unwrap_or(f64::NAN),
        standard_error: f64::INFINITY,
    })
}
