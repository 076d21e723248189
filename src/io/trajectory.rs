//! Configurations in files, whatever the format.

use super::error::{Cause, Error};
use super::{npy, xyz};
use crate::field::Shape;
use std::path::Path;

/// Configurations and what is known of each.
#[derive(Clone, Debug, PartialEq)]
pub struct Trajectory {
    /// N and D.
    pub shape: Shape,
    /// `[n][N][D]`, in the unit of length of the potential or flow they belong to.
    pub samples: Vec<f64>,
    /// What each particle is called (`[N]`); `X` where nothing is known.
    pub species: Vec<String>,
    /// u of each configuration (`[n]`), in kT; +infinity where particles overlap.
    pub energies: Option<Vec<f64>>,
    /// Log-density of each configuration under the flow that drew it (`[n]`).
    pub log_probs: Option<Vec<f64>>,
}

impl Trajectory {
    /// Configurations (`[n][N][D]`) of nameless particles.
    pub fn new(shape: Shape, samples: Vec<f64>) -> Self {
        let species = vec!["X".to_string(); shape.particles];
        Trajectory { shape, samples, species, energies: None, log_probs: None }
    }

    /// n.
    pub fn len(&self) -> usize {
        self.samples.len() / self.shape.coordinates().max(1)
    }

    /// Whether there is no configuration.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// Fails with the name of the first array that does not fit the shape.
    fn check(&self) -> Result<(), String> {
        let Shape { particles, dimension } = self.shape;
        if particles == 0 || !(1..=3).contains(&dimension) {
            return Err(format!("{particles} particles in {dimension} dimensions"));
        }
        if !self.samples.len().is_multiple_of(self.shape.coordinates()) {
            return Err(format!(
                "samples have length {}, not a whole number of configurations",
                self.samples.len()
            ));
        }
        let scalars = |values: &Option<Vec<f64>>| values.as_ref().map_or(self.len(), Vec::len);
        let lengths = [
            ("species", self.species.len(), particles),
            ("energies", scalars(&self.energies), self.len()),
            ("log_probs", scalars(&self.log_probs), self.len()),
        ];
        match lengths.into_iter().find(|(_, length, wanted)| length != wanted) {
            Some((name, length, wanted)) => Err(format!("{name} have length {length}, not {wanted}")),
            None => Ok(()),
        }
    }
}

/// What the end of a file's name says.
enum Format {
    Xyz,
    Npy,
    Npz,
}

impl Format {
    fn of(path: &Path) -> Result<Self, Cause> {
        match path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase).as_deref() {
            Some("xyz" | "extxyz") => Ok(Format::Xyz),
            Some("npy") => Ok(Format::Npy),
            Some("npz") => Ok(Format::Npz),
            _ => Err(Cause::Format("its name ends neither in .xyz, .extxyz, .npy nor .npz".into())),
        }
    }
}

/// Fails unless the end of the name is one that [`write_trajectory`] knows: to ask before the work is done.
///
/// # Errors
/// Names the path and the ends that are known.
pub fn check_trajectory_path(path: impl AsRef<Path>) -> Result<(), Error> {
    let path = path.as_ref();
    Format::of(path).map(|_| ()).map_err(|cause| Error::new("write trajectory", path, cause))
}

/// Reads configurations; the end of the name says how.
///
/// - `.xyz`, `.extxyz`: extended XYZ. `energy=` and `log_prob=` of each frame are kept, columns beyond species and
///   positions are not; all frames must have the same particles. Positions have three columns: of a system in the plane
///   or on a line, `dimension` (or `dimension=` in the file) says that the others are zero, which is checked.
/// - `.npy`: one array of configurations, `[n][N][D]`, or `[n][N D]` where `dimension` tells D.
/// - `.npz`: `positions` of that kind, and where they exist `energy` and `log_prob`, `[n]`.
///
/// # Errors
/// What the operating system said; for text the line and what is wrong with it; periodic boundaries, which flows do not
/// know; positions that are not finite.
pub fn read_trajectory(path: impl AsRef<Path>, dimension: Option<usize>) -> Result<Trajectory, Error> {
    let path = path.as_ref();
    let read = || {
        let format = Format::of(path)?;
        let bytes = std::fs::read(path)?;
        match format {
            Format::Xyz => xyz::parse(&bytes, dimension),
            Format::Npy => npy::read_array_file(&bytes, dimension),
            Format::Npz => npy::read_archive(bytes, dimension),
        }
    };
    read().map_err(|cause| Error::new("read trajectory", path, cause))
}

/// Writes configurations as a whole or not at all; the end of the name says how, as for [`read_trajectory`]. Numbers come
/// back to the last bit. An `.npy` file holds the positions alone.
///
/// # Errors
/// Arrays of lengths that do not fit; what the operating system said.
pub fn write_trajectory(path: impl AsRef<Path>, trajectory: &Trajectory) -> Result<(), Error> {
    let path = path.as_ref();
    let write = || {
        let format = Format::of(path)?;
        trajectory.check().map_err(Cause::Format)?;
        let bytes = match format {
            Format::Xyz => xyz::text(trajectory)?.into_bytes(),
            Format::Npy => npy::positions(trajectory),
            Format::Npz => npy::archive(trajectory)?,
        };
        Ok(super::atomic::replace(path, &bytes)?)
    };
    write().map_err(|cause: Cause| Error::new("write trajectory", path, cause))
}
