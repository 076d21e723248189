//! Files: models and their parameters, trajectories, tables, and the atomic replacement that everything written goes through.

mod atomic;
mod csv;
mod error;
mod model;
mod npy;
mod safetensors;
mod trajectory;
mod xyz;

pub use atomic::write_atomically;
pub use csv::Csv;
pub use error::{Cause, Error};
pub use model::{ModelFile, save_model};
pub use safetensors::{KernelDynamics, open_kernel_dynamics, open_safetensors, save_safetensors};
pub use trajectory::{Trajectory, check_trajectory_path, read_trajectory, write_trajectory};
