//! Checks of arrays that callers pass.

use crate::error::{Argument, Error, Status};
use crate::lanes::Real;

/// Fails with the index and value of the first element that is NaN or infinite.
///
/// # Errors
/// [`Status::NonFinite`] on `argument`.
pub fn check_finite<R: Real>(argument: Argument, values: &[R]) -> Result<(), Error> {
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(index) => Err(Error::at(Status::NonFinite, argument, index, values[index].to_f64())),
    }
}

/// Fails unless `length` is `wanted`.
pub(super) fn check_length(argument: Argument, length: usize, wanted: usize) -> Result<(), Error> {
    if length == wanted { Ok(()) } else { Err(Error::new(Status::Shape, argument, wanted as f64)) }
}
