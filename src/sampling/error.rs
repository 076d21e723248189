//! What a driver or an estimator refuses.

use std::fmt;

/// A refused input, by name.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// A value outside its documented range.
    Value {
        /// The argument, or its field.
        name: &'static str,
        /// Which element (or chain), where the argument is an array.
        index: Option<usize>,
        /// The value.
        value: f64,
        /// What it should have been.
        demand: &'static str,
    },
    /// An array of the wrong length.
    Length {
        /// The argument.
        name: &'static str,
        /// Its length.
        length: usize,
        /// What the length should have been.
        demand: &'static str,
    },
    /// No sample carries any weight, so no average over them exists.
    NoWeight {
        /// How many samples there were.
        samples: usize,
    },
    /// A series too short for its own correlations.
    TooShort {
        /// Its length per chain.
        length: usize,
    },
    /// A step of the core failed.
    Core(crate::error::Error),
    /// A state to go on from that is damaged, or of another run.
    State {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Equations that could not be solved.
    NotConverged {
        /// After how many iterations.
        iterations: usize,
    },
}

impl Error {
    pub(super) const fn value(name: &'static str, value: f64, demand: &'static str) -> Self {
        Error::Value { name, index: None, value, demand }
    }

    pub(super) const fn element(name: &'static str, index: usize, value: f64, demand: &'static str) -> Self {
        Error::Value { name, index: Some(index), value, demand }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Error::Value { name, index: None, value, demand } => write!(f, "{name} is {value}, not {demand}"),
            Error::Value { name, index: Some(index), value, demand } => {
                write!(f, "{name}[{index}] is {value}, not {demand}")
            }
            Error::Length { name, length, demand } => write!(f, "{name} has length {length}, not {demand}"),
            Error::NoWeight { samples } => write!(f, "none of {samples} samples has a positive weight"),
            Error::TooShort { length } => {
                write!(f, "{length} values a chain are too few for their autocorrelation time")
            }
            Error::Core(error) => write!(f, "{error}"),
            Error::State { reason } => write!(f, "the state cannot be resumed: {reason}"),
            Error::NotConverged { iterations } => write!(f, "not converged after {iterations} iterations"),
        }
    }
}

impl std::error::Error for Error {}

/// Fails unless `length` is `wanted`; `demand` says so in words.
pub(super) fn check_length(
    name: &'static str,
    length: usize,
    wanted: usize,
    demand: &'static str,
) -> Result<(), Error> {
    if length == wanted { Ok(()) } else { Err(Error::Length { name, length, demand }) }
}

/// Fails with the first element that `allowed` refuses.
pub(super) fn check_each(
    name: &'static str,
    values: &[f64],
    demand: &'static str,
    allowed: impl Fn(f64) -> bool,
) -> Result<(), Error> {
    match values.iter().position(|&value| !allowed(value)) {
        None => Ok(()),
        Some(index) => Err(Error::element(name, index, values[index], demand)),
    }
}
