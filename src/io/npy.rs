//! NumPy's arrays of numbers: `.npy` files and `.npz` archives of them (NumPy enhancement proposal 1).

use super::error::Cause;
use super::trajectory::Trajectory;
use crate::field::Shape;
use std::io::{Cursor, Read, Write};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

const MAGIC: &[u8] = b"\x93NUMPY";

/// An array of reals, first index slowest.
struct Array {
    shape: Vec<usize>,
    values: Vec<f64>,
}

/// How the numbers of a file are stored.
struct Header {
    big_endian: bool,
    /// Bytes of a number.
    width: usize,
    fortran_order: bool,
    shape: Vec<usize>,
}

impl Header {
    /// From the dictionary that follows the magic bytes: `{'descr': '<f8', 'fortran_order': False, 'shape': (3, 2), }`.
    fn parse(text: &str) -> Result<Self, String> {
        let value = |key: &str| {
            let after = text.split_once(&format!("'{key}':")).map(|(_, after)| after.trim_start());
            after.ok_or(format!("the header has no {key}"))
        };
        let quoted =
            |text: &str| text.strip_prefix('\'')?.split_once('\'').map(|(value, _)| value.to_owned());
        let kind = quoted(value("descr")?).ok_or("the header's descr is not the name of one type")?;
        let (big_endian, width) = match kind.as_str() {
            "<f8" => (false, 8),
            "<f4" => (false, 4),
            ">f8" => (true, 8),
            ">f4" => (true, 4),
            _ => return Err(format!("numbers of type '{kind}'; only float64 and float32 are read")),
        };
        let fortran_order = value("fortran_order")?.starts_with("True");
        let shape = value("shape")?.strip_prefix('(').and_then(|shape| shape.split_once(')'));
        let (shape, _) = shape.ok_or("the header's shape is not a tuple")?;
        let extents = shape.split(',').map(str::trim).filter(|extent| !extent.is_empty());
        let shape: Result<Vec<usize>, _> = extents.map(str::parse).collect();
        let shape = shape.map_err(|_| "the header's shape is not made of numbers")?;
        Ok(Header { big_endian, width, fortran_order, shape })
    }

    fn number(&self, bytes: &[u8]) -> f64 {
        let mut wide = [0; 8];
        let mut narrow = [0; 4];
        match (self.width, self.big_endian) {
            (8, big) => {
                wide.copy_from_slice(bytes);
                if big { f64::from_be_bytes(wide) } else { f64::from_le_bytes(wide) }
            }
            (_, big) => {
                narrow.copy_from_slice(bytes);
                f64::from(if big { f32::from_be_bytes(narrow) } else { f32::from_le_bytes(narrow) })
            }
        }
    }
}

impl Array {
    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let version = bytes.strip_prefix(MAGIC).and_then(|rest| rest.split_at_checked(2));
        let (version, rest) = version.ok_or("it does not begin as NumPy's arrays do")?;
        let cut = "it ends within the header";
        let (length, rest) = match version[0] {
            1 => rest.split_at_checked(2).map(|(l, rest)| (usize::from(l[0]) | usize::from(l[1]) << 8, rest)),
            2 | 3 => rest.split_at_checked(4).map(|(l, rest)| {
                (l.iter().rev().fold(0, |length, &byte| length << 8 | usize::from(byte)), rest)
            }),
            other => return Err(format!("version {other} of the format is not known")),
        }
        .ok_or(cut)?;
        let (header, data) = rest.split_at_checked(length).ok_or(cut)?;
        let header = Header::parse(std::str::from_utf8(header).map_err(|_| "the header is not text")?)?;
        let count = header.shape.iter().try_fold(1_usize, |product, &extent| product.checked_mul(extent));
        if count.and_then(|count| count.checked_mul(header.width)) != Some(data.len()) {
            return Err(format!("{} bytes of numbers do not fill the shape {:?}", data.len(), header.shape));
        }
        let stored: Vec<f64> = data.chunks_exact(header.width).map(|bytes| header.number(bytes)).collect();
        let values = if header.fortran_order { transposed(&stored, &header.shape) } else { stored };
        Ok(Array { shape: header.shape, values })
    }

    fn bytes(shape: &[usize], values: &[f64]) -> Vec<u8> {
        let extents: Vec<String> = shape.iter().map(ToString::to_string).collect();
        // A tuple of one has a comma after it.
        let comma = if shape.len() == 1 { "," } else { "" };
        let mut header =
            format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({}{comma}), }}", extents.join(", "));
        // The numbers begin at a multiple of 64 bytes.
        let unpadded = MAGIC.len() + 4 + header.len() + 1;
        header.push_str(&" ".repeat(unpadded.next_multiple_of(64) - unpadded));
        header.push('\n');
        let mut bytes = [MAGIC, &[1, 0], &(header.len() as u16).to_le_bytes(), header.as_bytes()].concat();
        bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        bytes
    }

    /// As configurations; a matrix where `dimension` tells how to divide its rows.
    fn configurations(self, dimension: Option<usize>) -> Result<Trajectory, String> {
        let shape = match (&self.shape[..], dimension) {
            (&[_, particles, d], None) => Shape { particles, dimension: d },
            (&[_, particles, d], Some(wanted)) if d == wanted => Shape { particles, dimension: d },
            (&[_, row], Some(d)) if d > 0 && row.is_multiple_of(d) => {
                Shape { particles: row / d, dimension: d }
            }
            (shape, _) => {
                let wanted = dimension.map_or("D".into(), |d| d.to_string());
                return Err(format!("positions of shape {shape:?}, not [n, N, {wanted}]"));
            }
        };
        if shape.particles == 0 || !(1..=3).contains(&shape.dimension) {
            return Err(format!("{} particles in {} dimensions", shape.particles, shape.dimension));
        }
        if let Some(at) = self.values.iter().position(|value| !value.is_finite()) {
            let sample = at / shape.coordinates();
            return Err(format!("a position of configuration {sample} (from 0) is {}", self.values[at]));
        }
        Ok(Trajectory::new(shape, self.values))
    }
}

/// Numbers stored with the first index fastest, in the order in which the last is.
fn transposed(stored: &[f64], shape: &[usize]) -> Vec<f64> {
    let mut index = vec![0; shape.len()];
    let mut values = Vec::with_capacity(stored.len());
    for _ in 0..stored.len() {
        let at = index.iter().zip(shape).rev().fold(0, |at, (i, extent)| at * extent + i);
        values.push(stored[at]);
        for k in (0..shape.len()).rev() {
            index[k] += 1;
            if index[k] < shape[k] {
                break;
            }
            index[k] = 0;
        }
    }
    values
}

pub(super) fn read_array_file(bytes: &[u8], dimension: Option<usize>) -> Result<Trajectory, Cause> {
    Array::parse(bytes).and_then(|array| array.configurations(dimension)).map_err(Cause::Format)
}

/// The positions alone as `.npy`.
pub(super) fn positions(trajectory: &Trajectory) -> Vec<u8> {
    let Shape { particles, dimension } = trajectory.shape;
    Array::bytes(&[trajectory.len(), particles, dimension], &trajectory.samples)
}

pub(super) fn read_archive(bytes: Vec<u8>, dimension: Option<usize>) -> Result<Trajectory, Cause> {
    let mut archive =
        ZipArchive::new(Cursor::new(bytes)).map_err(|error| Cause::Format(error.to_string()))?;
    let mut array = |name: &str| -> Result<Option<Array>, Cause> {
        let file = format!("{name}.npy");
        if !archive.file_names_raw().any(|other| other == file.as_bytes()) {
            return Ok(None);
        }
        let fail = |reason: String| Cause::Format(format!("{name}: {reason}"));
        let mut bytes = Vec::new();
        archive.by_name(&file).map_err(|error| fail(error.to_string()))?.read_to_end(&mut bytes)?;
        Array::parse(&bytes).map(Some).map_err(fail)
    };
    let positions = array("positions")?.ok_or(Cause::Format("there is no array 'positions'".into()))?;
    let mut trajectory = positions.configurations(dimension).map_err(Cause::Format)?;
    let n = trajectory.len();
    let mut scalars = |name: &str| match array(name)? {
        None => Ok(None),
        Some(array) if array.shape != [n] => {
            Err(Cause::Format(format!("{name} of shape {:?}, not [{n}]", array.shape)))
        }
        Some(array) if array.values.iter().any(|value| value.is_nan()) => {
            Err(Cause::Format(format!("{name} holds a NaN")))
        }
        Some(array) => Ok(Some(array.values)),
    };
    trajectory.energies = scalars("energy")?;
    trajectory.log_probs = scalars("log_prob")?;
    Ok(trajectory)
}

/// `positions`, and where they are known `energy` and `log_prob`, uncompressed as by NumPy's `savez`.
pub(super) fn archive(trajectory: &Trajectory) -> Result<Vec<u8>, Cause> {
    let n = [trajectory.len()];
    let scalars = |values: &Option<Vec<f64>>| values.as_ref().map(|values| Array::bytes(&n, values));
    let arrays = [
        ("positions", Some(positions(trajectory))),
        ("energy", scalars(&trajectory.energies)),
        ("log_prob", scalars(&trajectory.log_probs)),
    ];
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored).large_file(true);
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let fail = |error: zip::result::ZipError| Cause::Format(error.to_string());
    for (name, bytes) in arrays {
        if let Some(bytes) = bytes {
            writer.start_file(format!("{name}.npy"), options).map_err(fail)?;
            writer.write_all(&bytes)?;
        }
    }
    Ok(writer.finish().map_err(fail)?.into_inner())
}
