//! Sampling Boltzmann distributions and judging samples: Markov chains, replica exchange, and whether they converge;
//! importance reweighting, annealing from a flow, free energies between states and along coordinates, histograms, metastable states.
//!
//! Every random number comes from a [`Stream`](crate::random::Stream) of its own chain or bootstrap replicate:
//! the results depend on the seed alone, not on the number of threads.

mod annealed;
mod averaging;
mod bar;
mod batch;
mod chains;
mod convergence;
mod error;
mod histogram;
mod importance;
mod kernel;
mod mbar;
mod members;
mod minima;
mod normal;
mod pareto;
mod population;
mod profile;
mod quench;
mod reference;
mod replicas;
mod round_trips;
mod sampler;
mod state;
mod statistics;
mod tuning;

pub use annealed::{AnnealConfig, Annealed, Annealing, Evaluations, Level, Schedule, Stage};
pub use averaging::{Pilot, average_step_size, tune_kernel};
pub use bar::{bar, bridge_log_z};
pub use batch::{FlowSamples, draw_samples, energies};
pub use chains::{ChainConfig, ChainSamples, Initial, Moves, Progress, sample_chains, sample_chains_by};
pub use convergence::{Convergence, convergence, effective_sample_size};
pub use error::Error;
pub use histogram::Histogram;
pub use importance::{Bootstrap, ImportanceWeights};
pub use kernel::Kernel;
pub use mbar::Mbar;
pub use minima::{State, distinct_minima, smallest_curvature, sorted_distances};
pub use pareto::ParetoTail;
pub use profile::{Profile, bootstrap_profile, pair_distances};
pub use quench::{QuenchConfig, Quenched, quench};
pub use reference::Reference;
pub use replicas::{Ladder, Replica, ReplicaExchange, ReplicaSamples};
pub use round_trips::round_trips;
pub use sampler::Sampler;
pub use statistics::{Estimate, autocorrelation_time, chain_mean, independent_mean};
pub use tuning::{StepTrial, StepTuning, tune_step_size};
