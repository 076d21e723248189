//! Files: models on disk, and the atomic replacement that everything written goes through.

mod atomic;
mod error;
mod model;

pub use atomic::write_atomically;
pub use error::{Cause, Error};
pub use model::{ModelFile, save_model};
