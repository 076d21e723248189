//! Model files: every bit comes back, and no damage passes.
#![cfg(feature = "std")]

mod common;

use common::Golden;
use eqflow::error::{Argument, Error, Status};
use eqflow::flow::{FILE_VERSION, Model, Reals, read_model, write_model, written_length};
use eqflow::io::{Cause, ModelFile, save_model};
use eqflow::radial::Basis;
use std::fs;

/// Where the format's table puts the words of the header.
mod offset {
    pub const VERSION: usize = 8;
    pub const CHECKSUM: usize = 12;
    pub const LENGTH: usize = 16;
    pub const BASIS: usize = 24;
    pub const FLAGS: usize = 28;
    pub const N: usize = 32;
    pub const D: usize = 36;
    pub const M: usize = 40;
    pub const L: usize = 44;
    pub const EPS: usize = 48;
    pub const WEIGHTS: usize = 64;
}

/// M = 3, L = 2: 64 + 8 (6 + 2 + 3 + 3 + 3 + 2 + 2) = 232 bytes.
fn small() -> Vec<u8> {
    let model = Model {
        basis: Basis::Normalized,
        shape: eqflow::field::Shape { particles: 4, dimension: 2 },
        weights: Reals::Native(&[0.1, -0.0, f64::MIN_POSITIVE / 8.0, f64::MAX, -3.5, 1.0 / 3.0]),
        bias: Some(Reals::Native(&[0.25, -1.0])),
        importance: Some(Reals::Native(&[1.0, 2.0, 3.0])),
        mu: Reals::Native(&[0.0, 1.0, 2.0]),
        gamma: Reals::Native(&[0.5, 0.6, 0.7]),
        mu_time: Reals::Native(&[0.0, 1.0]),
        gamma_time: Reals::Native(&[0.3, 0.4]),
        eps: 1e-6,
    };
    encode(&model)
}

fn encode(model: &Model<'_>) -> Vec<u8> {
    let mut bytes = vec![0xaa; written_length(model)];
    assert_eq!(write_model(model, &mut bytes), Ok(bytes.len()));
    bytes
}

/// The same file with `replacement` at `at` and a checksum that fits.
fn forged(at: usize, replacement: &[u8]) -> Vec<u8> {
    let mut bytes = small();
    bytes[at..at + replacement.len()].copy_from_slice(replacement);
    seal(bytes)
}

fn seal(mut bytes: Vec<u8>) -> Vec<u8> {
    let checksum = crc32fast::hash(&bytes[offset::LENGTH..]);
    bytes[offset::CHECKSUM..offset::LENGTH].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

fn refusal(bytes: &[u8]) -> Error {
    read_model(bytes).expect_err("a damaged file was accepted")
}

/// Everything that a model holds, as bits.
fn bits(model: &Model<'_>) -> Vec<Option<Vec<u64>>> {
    let eps = [model.eps];
    let arrays = model.arrays().map(|(_, array)| array).into_iter().chain([Some(Reals::Native(&eps))]);
    arrays.map(|array| array.map(|array| array.iter().map(f64::to_bits).collect())).collect()
}

fn assert_same(got: &Model<'_>, want: &Model<'_>) {
    assert_eq!(bits(got), bits(want));
    assert_eq!((got.basis, got.shape), (want.basis, want.shape));
}

#[test]
fn models_come_back_bit_for_bit() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.eqf");
    for golden in Golden::all() {
        let model = golden.model();
        for model in [
            model,
            Model { bias: None, ..model },
            Model { importance: None, ..model },
            Model { bias: None, importance: None, ..model },
        ] {
            save_model(&path, &model).unwrap();
            let file = ModelFile::open(&path).unwrap();
            assert_same(&file.model(), &model);
            assert_eq!(file.bytes(), encode(&model));
            // Written again from the file's own bytes.
            assert_eq!(encode(&file.model()), file.bytes());
        }
    }
    let extreme = small();
    let model = read_model(&extreme).unwrap();
    assert_eq!(model.weights.get(1).to_bits(), (-0.0_f64).to_bits());
    assert_eq!(model.weights.get(2), f64::MIN_POSITIVE / 8.0);
    assert_eq!(encode(&model), extreme);
}

#[test]
fn the_layout_is_the_documented_one() {
    let bytes = small();
    assert_eq!(bytes.len(), 232);
    assert_eq!(bytes[..8], *b"\x89EQF\r\n\x1a\n");
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    assert_eq!(word(offset::VERSION), 1);
    assert_eq!(word(offset::CHECKSUM), crc32fast::hash(&bytes[offset::LENGTH..]));
    assert_eq!(bytes[offset::LENGTH..offset::BASIS], 232_u64.to_le_bytes());
    let words = [offset::BASIS, offset::FLAGS, offset::N, offset::D, offset::M, offset::L].map(word);
    assert_eq!(words, [1, 3, 4, 2, 3, 2]);
    let reals: Vec<f64> =
        bytes[offset::WEIGHTS..].chunks(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect();
    assert_eq!(reals[6..], [0.25, -1.0, 1.0, 2.0, 3.0, 0.0, 1.0, 2.0, 0.5, 0.6, 0.7, 0.0, 1.0, 0.3, 0.4]);
}

#[test]
fn truncation_at_any_length_is_a_wrong_length() {
    let bytes = small();
    for length in 0..bytes.len() {
        let error = refusal(&bytes[..length]);
        let wanted = if length < 64 { 64.0 } else { 232.0 };
        let expected = Error::new(Status::Model, Argument::FileLength, wanted);
        assert_eq!(error, expected, "at length {length}");
    }
    let mut longer = bytes;
    longer.push(0);
    assert_eq!(refusal(&longer).argument, Argument::FileLength);
}

#[test]
fn any_changed_byte_is_found_and_named() {
    let bytes = small();
    for at in 0..bytes.len() {
        let argument = match at {
            0..offset::VERSION => Argument::FileMagic,
            offset::VERSION..offset::CHECKSUM => Argument::FileVersion,
            offset::LENGTH..offset::BASIS => Argument::FileLength,
            _ => Argument::FileChecksum,
        };
        for change in [0x01, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[at] ^= change;
            let error = refusal(&damaged);
            assert_eq!((error.status, error.argument), (Status::Model, argument), "byte {at} ^ {change:#x}");
        }
    }
}

#[test]
fn another_version_is_refused_even_with_a_good_checksum() {
    for version in [0, 2, u32::MAX] {
        let error = refusal(&forged(offset::VERSION, &version.to_le_bytes()));
        assert_eq!(error, Error::new(Status::Model, Argument::FileVersion, f64::from(version)));
    }
    assert_eq!(FILE_VERSION, 1);
}

#[test]
fn parameters_that_are_no_numbers_are_named() {
    // Where each array starts, in reals, as the format's table lists them.
    let arrays = [
        (Argument::Weights, 0, 6),
        (Argument::Bias, 6, 2),
        (Argument::Importance, 8, 3),
        (Argument::Mu, 11, 3),
        (Argument::Gamma, 14, 3),
        (Argument::MuTime, 17, 2),
        (Argument::GammaTime, 19, 2),
    ];
    for (argument, first, length) in arrays {
        for index in 0..length {
            for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                let at = offset::WEIGHTS + 8 * (first + index);
                let error = refusal(&forged(at, &value.to_le_bytes()));
                assert_eq!(
                    (error.status, error.argument, error.index),
                    (Status::NonFinite, argument, index),
                    "{value} in {argument:?}"
                );
            }
        }
    }
    for (argument, at) in [(Argument::Gamma, 14 + 1), (Argument::GammaTime, 19 + 1)] {
        for value in [0.0_f64, -1.0] {
            let error = refusal(&forged(offset::WEIGHTS + 8 * at, &value.to_le_bytes()));
            assert_eq!(error, Error::at(Status::Model, argument, 1, value));
        }
    }
    assert_eq!(refusal(&forged(offset::EPS, &f64::NAN.to_le_bytes())).argument, Argument::Eps);
    let negative = refusal(&forged(offset::EPS, &(-1e-6_f64).to_le_bytes()));
    assert_eq!(negative, Error::new(Status::Model, Argument::Eps, -1e-6));
}

/// The header's last word, zero until a later version gives it a meaning.
const RESERVED: usize = 56;

#[test]
fn sizes_that_do_not_fit_the_file_are_named() {
    let cases = [
        (offset::N, 0, Argument::NParticles),
        (offset::N, u32::MAX, Argument::NParticles),
        (offset::D, 0, Argument::Dimension),
        (offset::D, 4, Argument::Dimension),
        (offset::M, 0, Argument::NRadial),
        (offset::M, u32::MAX, Argument::NRadial),
        (offset::M, 2, Argument::FileLength),
        (offset::M, 4, Argument::FileLength),
        (offset::M, 4096, Argument::FileLength),
        (offset::M, 4097, Argument::NRadial),
        (RESERVED, 1, Argument::FileFlags),
        (offset::L, 0, Argument::NTime),
        (offset::L, u32::MAX, Argument::NTime),
        (offset::L, 1, Argument::FileLength),
        (offset::L, 3, Argument::FileLength),
        (offset::BASIS, 2, Argument::Basis),
        (offset::FLAGS, 0, Argument::FileLength),
        (offset::FLAGS, 1, Argument::FileLength),
        (offset::FLAGS, 2, Argument::FileLength),
        (offset::FLAGS, 7, Argument::FileFlags),
        (offset::FLAGS, 1 << 31, Argument::FileFlags),
    ];
    for (at, word, argument) in cases {
        assert_eq!(refusal(&forged(at, &word.to_le_bytes())).argument, argument, "{word} at {at}");
    }
    // A whole real more than the sizes need, in a file whose length and checksum fit.
    let mut longer = small();
    longer.extend([0; 8]);
    longer[offset::LENGTH..offset::BASIS].copy_from_slice(&240_u64.to_le_bytes());
    assert_eq!(refusal(&seal(longer)).argument, Argument::FileLength);
}

#[test]
fn a_damaged_file_is_reported_with_its_path() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.eqf");
    let message = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        ModelFile::open(&path).unwrap_err().to_string()
    };
    let mut damaged = small();
    damaged[100] ^= 1;
    let start = format!("cannot read model file '{}': model file: ", path.display());
    assert!(message(&damaged).starts_with(&format!("{start}checksum: ")));
    assert!(message(&damaged[..100]).starts_with(&format!("{start}length: ")));
    assert!(message(b"").starts_with(&format!("{start}length: ")));
    assert!(message(b"not a model file").starts_with(&format!("{start}magic number: ")));
    let missing = ModelFile::open(directory.path().join("missing.eqf")).unwrap_err();
    let Cause::System(cause) = &missing.cause else { panic!("{missing}") };
    assert_eq!(cause.kind(), std::io::ErrorKind::NotFound);
    assert!(missing.to_string().contains("missing.eqf"));
}

#[test]
fn a_failed_save_leaves_the_old_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.eqf");
    let old = small();
    let model = read_model(&old).unwrap();
    save_model(&path, &model).unwrap();
    let infinite = [f64::INFINITY; 6];
    let invalid = [
        (Model { weights: Reals::Native(&infinite), ..model }, Argument::Weights),
        (Model { mu: Reals::Native(&[]), ..model }, Argument::NRadial),
        (Model { bias: Some(Reals::Native(&[1.0])), ..model }, Argument::Bias),
        (Model { eps: -1.0, ..model }, Argument::Eps),
    ];
    for (invalid, argument) in invalid {
        let error = save_model(&path, &invalid).unwrap_err();
        assert!(error.to_string().starts_with("cannot write model file '"));
        assert!(matches!(error.cause, Cause::Content(Error { argument: a, .. }) if a == argument), "{error}");
    }
    let mut read_only = fs::metadata(directory.path()).unwrap().permissions();
    let writable = read_only.clone();
    read_only.set_readonly(true);
    fs::set_permissions(directory.path(), read_only).unwrap();
    // A privileged user may write anywhere.
    let enforced = fs::write(directory.path().join("probe"), "").is_err();
    let outcome = save_model(&path, &Model { eps: 0.0, ..model });
    fs::set_permissions(directory.path(), writable).unwrap();
    if enforced {
        assert!(matches!(outcome.unwrap_err().cause, Cause::System(_)));
        assert_eq!(fs::read(&path).unwrap(), old);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}

#[test]
fn a_file_where_the_directory_should_be_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "old").unwrap();
    let bytes = small();
    let error = save_model(file.join("model.eqf"), &read_model(&bytes).unwrap()).unwrap_err();
    assert!(matches!(error.cause, Cause::System(_)));
    assert_eq!(fs::read(&file).unwrap(), b"old");
}
