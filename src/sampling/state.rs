//! States of drivers as bytes, with a checksum.

use super::error::Error;
use serde::{Serialize, de::DeserializeOwned};

const VERSION: u32 = 2;
/// Magic, version, bytes of a real, checksum of what follows.
const HEADER: usize = 8 + 4 + 4 + 4;

/// `state`, whose reals are `R`, in postcard's format behind a header.
pub fn to_bytes<R>(magic: [u8; 8], state: &impl Serialize) -> Vec<u8> {
    let state = postcard::to_allocvec(state).expect("a state serialises to memory");
    let mut bytes = magic.to_vec();
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend((size_of::<R>() as u32).to_le_bytes());
    bytes.extend(crc32fast::hash(&state).to_le_bytes());
    bytes.extend(state);
    bytes
}

/// The state that [`to_bytes`] has written.
pub fn from_bytes<R, T: DeserializeOwned>(magic: [u8; 8], bytes: &[u8]) -> Result<T, Error> {
    let word = |at: usize| bytes.get(at..at + 4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    if !bytes.starts_with(&magic) {
        return Err(Error::State { reason: "it is none of this driver's" });
    }
    if word(8) != Some(VERSION) {
        return Err(Error::State { reason: "its version is another" });
    }
    if word(12) != Some(size_of::<R>() as u32) {
        return Err(Error::State { reason: "its precision is another" });
    }
    let damaged = Error::State { reason: "it is truncated or damaged" };
    let Some(state) = bytes.get(HEADER..).filter(|state| word(16) == Some(crc32fast::hash(state))) else {
        return Err(damaged);
    };
    postcard::from_bytes(state).map_err(|_| damaged)
}
