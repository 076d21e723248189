//! Model files on disk; [`crate::flow`] knows their bytes.

use super::atomic::replace;
use super::error::{Cause, Error};
use crate::flow::{Model, read_model, write_model, written_length};
use std::path::Path;

/// Writes `model` to the file at `path` as [`write_atomically`](super::write_atomically) does: on failure an old
/// file is left as it was.
///
/// # Errors
/// Those of [`Model::check`], before anything is written; what the operating system said.
pub fn save_model(path: impl AsRef<Path>, model: &Model<'_>) -> Result<(), Error> {
    let path = path.as_ref();
    let fail = |cause: Cause| Error::new("write model file", path, cause);
    let file = ModelFile::from_model(model).map_err(|e| fail(e.into()))?;
    replace(path, file.bytes()).map_err(|e| fail(e.into()))
}

/// The bytes of a model file, in memory and checked.
#[derive(Clone, Debug)]
pub struct ModelFile {
    bytes: Vec<u8>,
}

impl ModelFile {
    /// The bytes that [`save_model`] would write.
    ///
    /// # Errors
    /// Those of [`Model::check`].
    pub fn from_model(model: &Model<'_>) -> Result<Self, crate::error::Error> {
        let mut bytes = vec![0; written_length(model)];
        write_model(model, &mut bytes)?;
        Ok(ModelFile { bytes })
    }

    /// Reads the file at `path`.
    ///
    /// # Errors
    /// What the operating system said; those of [`read_model`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let fail = |cause: Cause| Error::new("read model file", path, cause);
        let bytes = std::fs::read(path).map_err(|e| fail(e.into()))?;
        read_model(&bytes).map_err(|e| fail(e.into()))?;
        Ok(ModelFile { bytes })
    }

    /// The model, which borrows its parameters from the file's bytes. Cost: one pass over them.
    pub fn model(&self) -> Model<'_> {
        read_model(&self.bytes).expect("the bytes were checked when the file was opened")
    }

    /// The file's content, as an embedded program would hold it.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}
