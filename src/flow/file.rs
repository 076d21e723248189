//! The model file: version 1, little-endian, with a checksum, readable in place.
//!
//! | offset | bytes | content |
//! |---|---|---|
//! | 0 | 8 | magic `89 45 51 46 0D 0A 1A 0A` ("\x89EQF\r\n\x1a\n": text-mode transfers break it visibly) |
//! | 8 | 4 | version, 1 |
//! | 12 | 4 | CRC-32 (IEEE) of everything from offset 16 to the end |
//! | 16 | 8 | total length in bytes |
//! | 24 | 4 | basis: 0 Gaussian, 1 normalised |
//! | 28 | 4 | flags: bit 0 bias present, bit 1 importance present; other bits zero |
//! | 32 | 16 | N, D, M, L |
//! | 48 | 8 | eps |
//! | 56 | 8 | zero |
//! | 64 | | doubles W `[L][M]`, b `[L]`, a `[M]`, mu `[M]`, gamma `[M]`, mu^t `[L]`, gamma^t `[L]` |

use super::model::{Model, Reals};
use crate::error::{Argument, Error, Missing, Status};
use crate::field::Shape;
use crate::radial::Basis;

/// The version that this library writes, and the only one it reads.
pub const FILE_VERSION: u32 = 1;

const MAGIC: [u8; 8] = [0x89, b'E', b'Q', b'F', b'\r', b'\n', 0x1a, b'\n'];
const HEADER: usize = 64;
const CHECKED_FROM: usize = 16;
const HAS_BIAS: u32 = 1;
const HAS_IMPORTANCE: u32 = 2;

/// Reads a model in place: the parameters stay in `bytes`, which may have any alignment.
///
/// # Errors
/// Names what is wrong: magic number, version, length (a truncated file; the value is the length it should
/// have), checksum, flags, sizes, or the first parameter that is not finite or out of range.
pub fn read_model(bytes: &[u8]) -> Result<Model<'_>, Error> {
    let header = check_envelope(bytes)?;
    let [basis, flags, n, d, m, l] = [24, 28, 32, 36, 40, 44].map(|at| read_u32(header, at));
    let basis = match basis {
        0 => Basis::Gaussian,
        1 => Basis::Normalized,
        other => return Err(Error::new(Status::Model, Argument::Basis, f64::from(other))),
    };
    // What is reserved must be zero, so that a later version can give it a meaning.
    if flags & !(HAS_BIAS | HAS_IMPORTANCE) != 0 || read_u64(header, 56) != 0 {
        return Err(Error::new(Status::Model, Argument::FileFlags, f64::from(flags)));
    }
    let [m, l] = [m as usize, l as usize];
    for (argument, count) in [(Argument::NRadial, m), (Argument::NTime, l)] {
        if count == 0 || count > Model::MAX_COUNT {
            return Err(Error::new(Status::Shape, argument, count as f64));
        }
    }
    let mut rest = &bytes[HEADER..];
    let mut take = |present: bool, length: usize| -> Result<Option<Reals<'_>>, Error> {
        if !present {
            return Ok(None);
        }
        let wrong_length = Error::new(Status::Model, Argument::FileLength, bytes.len() as f64);
        let (array, tail) =
            length.checked_mul(8).and_then(|n| rest.split_at_checked(n)).ok_or(wrong_length)?;
        rest = tail;
        Ok(Some(Reals::LittleEndian(array)))
    };
    let none = Reals::Native(&[]);
    let model = Model {
        basis,
        shape: Shape { particles: n as usize, dimension: d as usize },
        weights: take(true, l * m)?.unwrap_or(none),
        bias: take(flags & HAS_BIAS != 0, l)?,
        importance: take(flags & HAS_IMPORTANCE != 0, m)?,
        mu: take(true, m)?.unwrap_or(none),
        gamma: take(true, m)?.unwrap_or(none),
        mu_time: take(true, l)?.unwrap_or(none),
        gamma_time: take(true, l)?.unwrap_or(none),
        eps: f64::from_bits(read_u64(header, 48)),
    };
    if !rest.is_empty() {
        return Err(Error::new(Status::Model, Argument::FileLength, bytes.len() as f64));
    }
    model.check()?;
    Ok(model)
}

/// Checks magic number, version, length and checksum, in that order; returns the header.
fn check_envelope(bytes: &[u8]) -> Result<&[u8; HEADER], Error> {
    let fail = |argument, value: f64| Err(Error::new(Status::Model, argument, value));
    if !bytes.starts_with(&MAGIC) {
        let complete = bytes.len() >= MAGIC.len() || !MAGIC.starts_with(bytes);
        let argument = if complete { Argument::FileMagic } else { Argument::FileLength };
        return fail(argument, if complete { 0.0 } else { HEADER as f64 });
    }
    let Some(header) = bytes.first_chunk::<HEADER>() else {
        return fail(Argument::FileLength, HEADER as f64);
    };
    let version = read_u32(header, 8);
    if version != FILE_VERSION {
        return fail(Argument::FileVersion, f64::from(version));
    }
    let length = read_u64(header, 16);
    if length != bytes.len() as u64 {
        return fail(Argument::FileLength, length as f64);
    }
    let checksum = crc32fast::hash(&bytes[CHECKED_FROM..]);
    if checksum != read_u32(header, 12) {
        return fail(Argument::FileChecksum, f64::from(checksum));
    }
    Ok(header)
}

fn read_u32(header: &[u8; HEADER], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&header[at..at + 4]);
    u32::from_le_bytes(word)
}

fn read_u64(header: &[u8; HEADER], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&header[at..at + 8]);
    u64::from_le_bytes(word)
}

/// Bytes that [`write_model`] writes for `model`.
pub fn written_length(model: &Model<'_>) -> usize {
    HEADER + 8 * model.arrays().iter().filter_map(|(_, array)| *array).map(|array| array.len()).sum::<usize>()
}

/// Writes `model` to the front of `bytes` and returns the number of bytes written.
///
/// # Errors
/// Those of [`Model::check`]; [`Status::Workspace`] where `bytes` is shorter than [`written_length`], which the
/// error carries as its value. Nothing is written then.
pub fn write_model(model: &Model<'_>, bytes: &mut [u8]) -> Result<usize, Error> {
    model.check()?;
    let length = written_length(model);
    let Some(bytes) = bytes.get_mut(..length) else {
        return Err(Error::new(Status::Workspace, Argument::Bytes, length as f64));
    };
    let (header, parameters) = bytes.split_first_chunk_mut::<HEADER>().ok_or(Missing)?;
    header.fill(0);
    header[..8].copy_from_slice(&MAGIC);
    header[8..12].copy_from_slice(&FILE_VERSION.to_le_bytes());
    header[16..24].copy_from_slice(&(length as u64).to_le_bytes());
    let basis = match model.basis {
        Basis::Gaussian => 0,
        Basis::Normalized => 1,
    };
    let bias = if model.bias.is_some() { HAS_BIAS } else { 0 };
    let importance = if model.importance.is_some() { HAS_IMPORTANCE } else { 0 };
    let [n, d] = [model.shape.particles, model.shape.dimension].map(|count| count as u32);
    let [m, l] = [model.n_radial(), model.n_time()].map(|count| count as u32);
    for (slot, word) in header[24..48].chunks_exact_mut(4).zip([basis, bias | importance, n, d, m, l]) {
        slot.copy_from_slice(&word.to_le_bytes());
    }
    header[48..56].copy_from_slice(&model.eps.to_le_bytes());
    let values = model.arrays().into_iter().filter_map(|(_, array)| array);
    let mut slots = parameters.chunks_exact_mut(8);
    for array in values {
        for (value, slot) in array.iter().zip(&mut slots) {
            slot.copy_from_slice(&value.to_le_bytes());
        }
    }
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(&header[CHECKED_FROM..]);
    checksum.update(parameters);
    header[12..16].copy_from_slice(&checksum.finalize().to_le_bytes());
    Ok(length)
}
