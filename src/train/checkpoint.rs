//! Checkpoints: a trainer's whole state as bytes, from which a run goes on to the same bits.

use super::config::TrainError;
use super::precision::Trainable;
use super::trainer::{State, Trainer};
use core::fmt;

const MAGIC: [u8; 8] = *b"EQFTRAIN";
const VERSION: u32 = 4;
/// Magic, version, checksum of what follows, checksum of the data, bytes of a real.
const HEADER: usize = 8 + 4 + 4 + 4 + 4;

/// Why a checkpoint cannot be resumed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum CheckpointError {
    /// Not a checkpoint.
    Magic,
    /// Written by an incompatible version: its number.
    Version(u32),
    /// Truncated or damaged.
    Damaged,
    /// Written in the other precision: its bytes a real.
    Precision(u32),
    /// The training or held-out data are not those of the checkpoint.
    Data,
    /// The state inside is unusable.
    Train(TrainError),
}

impl fmt::Display for CheckpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CheckpointError::Magic => write!(f, "not a training checkpoint"),
            CheckpointError::Version(v) => write!(f, "checkpoint version {v} is not {VERSION}"),
            CheckpointError::Damaged => write!(f, "the checkpoint is truncated or damaged"),
            CheckpointError::Precision(bytes) => {
                write!(f, "the checkpoint was trained with {bytes}-byte reals")
            }
            CheckpointError::Data => write!(f, "the data are not those that the checkpoint was trained on"),
            CheckpointError::Train(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for CheckpointError {}

impl<R: Trainable> Trainer<R> {
    /// The whole state but the data. Write it through a temporary file and rename.
    ///
    /// # Panics
    /// Never: the state always serialises to memory.
    pub fn checkpoint(&self) -> Vec<u8> {
        let state = postcard::to_allocvec(&self.state).expect("a state serialises to memory");
        let mut bytes = MAGIC.to_vec();
        for word in [VERSION, 0, self.data_checksum(), size_of::<R>() as u32] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(state);
        let checksum = crc32fast::hash(&bytes[16..]);
        bytes[12..16].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Goes on from a checkpoint with the same data: the resumed run gives the same bits as an unbroken one.
    ///
    /// # Errors
    /// Names what does not fit.
    pub fn resume(bytes: &[u8], train: &[f64], held_out: &[f64]) -> Result<Self, CheckpointError> {
        if !bytes.starts_with(&MAGIC) {
            return Err(CheckpointError::Magic);
        }
        let word = |at: usize| bytes.get(at..at + 4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        let (Some(version), Some(checksum), Some(data), Some(precision)) =
            (word(8), word(12), word(16), word(20))
        else {
            return Err(CheckpointError::Damaged);
        };
        if version != VERSION {
            return Err(CheckpointError::Version(version));
        }
        if crc32fast::hash(&bytes[16..]) != checksum {
            return Err(CheckpointError::Damaged);
        }
        if precision as usize != size_of::<R>() {
            return Err(CheckpointError::Precision(precision));
        }
        let state: State = postcard::from_bytes(&bytes[HEADER..]).map_err(|_| CheckpointError::Damaged)?;
        let trainer = Trainer::with_state(state, train, held_out).map_err(CheckpointError::Train)?;
        if trainer.data_checksum() != data {
            return Err(CheckpointError::Data);
        }
        Ok(trainer)
    }

    fn data_checksum(&self) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        for value in &self.train {
            hasher.update(&value.to_f64().to_le_bytes());
        }
        for value in &self.held_out {
            hasher.update(&value.to_le_bytes());
        }
        hasher.finalize()
    }
}
