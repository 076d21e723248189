//! The flow: a [`Model`] (borrowed parameters) becomes a [`Plan`] (prepared for a grid in caller memory), which
//! maps, inverts, evaluates and samples batches.
//!
//! How exact the map, its log-determinant and its inverse are is a ladder, whose rungs [`Config`] names: [`LogDet`] and
//! [`Inverse`] on a fixed grid, tolerances with an adaptive integrator.
//!
//! Batches are contiguous `[n][N][D]`. A plan needs memory for [`Plan::extent`] blocks and every call a
//! workspace of [`Plan::workspace_extent`] blocks; nothing is allocated and nothing else is kept. A plan may
//! be shared by any number of threads, each with a workspace of its own; [`Plan::on_threads`] and, on rayon's
//! current pool, `Plan::parallel` split a batch for the caller.

mod batch;
mod calls;
mod config;
mod file;
mod input;
mod jacobian;
mod ladder;
mod layout;
mod model;
mod operations;
mod plan;
mod precision;
mod radial_values;
mod threads;
mod transport;

pub use crate::lanes::Block;
pub use calls::Calls;
pub use config::{Config, Integrator, Inverse, LogDet, RadialPath};
pub use file::{FILE_VERSION, read_model, write_model, written_length};
pub use input::check_finite;
pub use model::{Model, Reals};
pub use plan::Plan;
#[cfg(feature = "std")]
pub(crate) use plan::{Compiled, StageRadial};
pub use precision::Precision;
#[cfg(feature = "std")]
pub use threads::Pool;
pub use threads::Threads;
