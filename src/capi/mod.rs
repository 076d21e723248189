//! The C functions of `include/eqflow.h`: the only place where raw pointers become slices.
//!
//! Each topic has one generic implementation for both precisions and thin `extern "C"` wrappers. A wrapper's
//! documentation is what the header says: cbindgen copies it there. Every pointer is checked for NULL, alignment
//! and overlap before anything is read through it or written.

#![allow(unsafe_code)] // pointers from C
#![allow(non_camel_case_types)] // types have their C names
#![allow(clippy::missing_safety_doc)] // each function's documented pointer rules are its safety contract
#![allow(rustdoc::broken_intra_doc_links)] // shapes are written as in C: [n][N][D]

mod chains;
mod compute;
mod config;
mod exchange;
mod hamiltonian;
mod independence;
mod latent;
mod library;
mod memory;
mod metropolis;
mod model;
#[cfg(all(feature = "panic-handler", not(feature = "std"), not(test)))]
mod panic;
mod particles;
mod plan;
mod potential;
mod status;
mod threads;
mod versioned;

pub use compute::*;
pub use config::*;
pub use exchange::*;
pub use hamiltonian::*;
pub use independence::*;
pub use latent::*;
pub use library::*;
pub use metropolis::*;
pub use model::*;
pub use particles::*;
pub use plan::*;
pub use potential::*;
pub use status::*;
pub use threads::*;
