//! Failures that name the file.

use std::fmt;
use std::path::{Path, PathBuf};

/// What could not be done with which file, and why.
///
/// The message holds the cause: `cannot read model file 'x.eqf': model file: checksum: ...`.
#[derive(Debug)]
pub struct Error {
    /// What was attempted, as in "read model file".
    pub action: &'static str,
    /// The file.
    pub path: PathBuf,
    /// Why it failed.
    pub cause: Cause,
}

/// Why a file could not be read or written.
#[derive(Debug)]
#[non_exhaustive]
pub enum Cause {
    /// The operating system refused.
    System(std::io::Error),
    /// The content is wrong.
    Content(crate::error::Error),
    /// A line of text is wrong.
    Line {
        /// Its number, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// The file is not of the form that it should have, or what should be written has none.
    Format(String),
}

impl Error {
    pub(super) fn new(action: &'static str, path: &Path, cause: Cause) -> Self {
        Error { action, path: path.to_owned(), cause }
    }
}

impl From<std::io::Error> for Cause {
    fn from(error: std::io::Error) -> Self {
        Cause::System(error)
    }
}

impl From<crate::error::Error> for Cause {
    fn from(error: crate::error::Error) -> Self {
        Cause::Content(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} '{}': {}", self.action, self.path.display(), self.cause)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::System(error) => error.fmt(f),
            Cause::Content(error) => error.fmt(f),
            Cause::Line { line, reason } => write!(f, "line {line}: {reason}"),
            Cause::Format(reason) => reason.fmt(f),
        }
    }
}

// No `source`: the message already holds the cause, and a reporter that walks the chain would print it twice.
impl std::error::Error for Error {}
