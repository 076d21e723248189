//! Models, trajectories and folders as the command line names them.

use eqflow::field::Shape;
use eqflow::io::{
    Error as FileError, ModelFile, Trajectory, open_safetensors, read_trajectory, save_model,
    save_safetensors,
};
use eqflow::particles::remove_com;
use eqflow::sampling::energies;
use eqflow::systems::System;
use std::error::Error;
use std::path::Path;

/// Reads `--system`.
pub fn system(key: &str) -> Result<System, String> {
    let unknown = || "known are dw2, dw4, lj13, and lj with another number of particles".to_string();
    System::named(&key.to_ascii_lowercase()).ok_or_else(unknown)
}

fn is_safetensors(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "safetensors")
}

/// Opens a model file of either kind.
pub fn open_model(path: &Path) -> Result<ModelFile, FileError> {
    if is_safetensors(path) { open_safetensors(path) } else { ModelFile::open(path) }
}

/// Writes a model file of the kind that the name says.
pub fn write_model(path: &Path, model: &eqflow::flow::Model<'_>) -> Result<(), FileError> {
    if is_safetensors(path) { save_safetensors(path, model) } else { save_model(path, model) }
}

/// Reads configurations, moves them to zero centre of mass, and checks that they are of the system.
pub fn read(
    path: &Path,
    system: Option<&System>,
    dimension: Option<usize>,
) -> Result<Trajectory, Box<dyn Error>> {
    let dimension = dimension.or(system.map(|system| system.shape.dimension));
    let mut trajectory = read_trajectory(path, dimension)?;
    if trajectory.is_empty() {
        return Err(format!("'{}' holds no configuration", path.display()).into());
    }
    if let Some(system) = system {
        fits(path, trajectory.shape, system.shape, &system.name)?;
    }
    for sample in trajectory.samples.chunks_exact_mut(trajectory.shape.coordinates()) {
        remove_com(trajectory.shape, sample, &mut [0.0; 3]);
    }
    Ok(trajectory)
}

/// Fails unless configurations of one shape belong to what has another.
pub fn fits(path: &Path, shape: Shape, wanted: Shape, what: &str) -> Result<(), String> {
    if shape == wanted {
        return Ok(());
    }
    let words = |shape: Shape| format!("{} particles in {} dimensions", shape.particles, shape.dimension);
    Err(format!("'{}' has {}, {what} has {}", path.display(), words(shape), words(wanted)))
}

/// The energies of a trajectory: by the system's potential, or else those that the file has.
pub fn energies_of(
    trajectory: &Trajectory,
    system: Option<&System>,
) -> Result<Option<Vec<f64>>, Box<dyn Error>> {
    match system {
        Some(system) => Ok(Some(energies(&system.energy, system.shape, &trajectory.samples)?)),
        None => Ok(trajectory.energies.clone()),
    }
}

/// Makes a folder for pictures.
pub fn folder(path: &Path) -> Result<&Path, String> {
    std::fs::create_dir_all(path)
        .map_err(|error| format!("cannot create folder '{}': {error}", path.display()))?;
    Ok(path)
}

/// Fails before any work where a file could not be written in the end.
pub fn writable(path: &Path) -> Result<(), String> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if folder.is_dir() {
        return Ok(());
    }
    Err(format!("cannot write '{}': there is no folder '{}'", path.display(), folder.display()))
}
