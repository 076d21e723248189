//! What depends on the precision and on the instruction set, compiled once and here: a program that uses plans need not
//! compile them again.

use super::batch::Execution;
use super::jacobian::Jacobians;
use super::operations::{Backward, Draw, Field, Forward, LogProb, Pull};
use super::plan::Combine;
use super::radial_values::Phi;
use crate::error::{Error, Missing};
use crate::lanes::{Isa, Real};

/// A real number type in which plans compute: `f32` or `f64`.
pub trait Precision: Real {
    /// Maps a batch.
    #[doc(hidden)]
    fn forward(execution: Execution<'_, Self, Forward<'_, Self>>) -> Result<(), Error>;
    /// Maps a batch back.
    #[doc(hidden)]
    fn inverse(execution: Execution<'_, Self, Backward<'_, Self>>) -> Result<(), Error>;
    /// Evaluates the density of a batch.
    #[doc(hidden)]
    fn log_prob(execution: Execution<'_, Self, LogProb<'_, Self>>) -> Result<(), Error>;
    /// Pulls cotangents back.
    #[doc(hidden)]
    fn pull(execution: Execution<'_, Self, Pull<'_, Self>>) -> Result<(), Error>;
    /// Draws a batch.
    #[doc(hidden)]
    fn sample(execution: Execution<'_, Self, Draw>) -> Result<(), Error>;
    /// Evaluates the field at a batch.
    #[doc(hidden)]
    fn field(execution: Execution<'_, Self, Field<'_, Self>>) -> Result<(), Error>;
    /// Fills the stages' tables.
    #[doc(hidden)]
    fn combine(isa: Isa, tables: Combine<'_, Self>) -> Result<(), Missing>;
    /// Evaluates phi.
    #[doc(hidden)]
    fn write_phi(phi: Phi<'_, Self>) -> Result<(), Missing>;
    /// Computes Jacobians.
    #[doc(hidden)]
    fn write_jacobians(jacobians: Jacobians<'_, Self>) -> Result<(), Error>;
}

impl Precision for f64 {
    fn forward(execution: Execution<'_, f64, Forward<'_, f64>>) -> Result<(), Error> {
        execution.job.plan.isa().run(execution)
    }

    fn inverse(execution: Execution<'_, f64, Backward<'_, f64>>) -> Result<(), Error> {
        execution.job.plan.isa().run(execution)
    }

    fn log_prob(execution: Execution<'_, f64, LogProb<'_, f64>>) -> Result<(), Error> {
        execution.job.plan.isa().run(execution)
    }

    fn pull(execution: Execution<'_, f64, Pull<'_, f64>>) -> Result<(), Error> {
        execution.job.plan.isa().run(execution)
    }

    fn sample(execution: Execution<'_, f64, Draw>) -> Result<(), Error> {
        execution.job.plan.isa().run(execution)
    }

    fn field(execution: Execution<'_, f64, Field<'_, f64>>) -> Result<(), Error> {
        execution.job.plan.isa().run(execution)
    }

    fn combine(isa: Isa, tables: Combine<'_, f64>) -> Result<(), Missing> {
        isa.run_on_vectors(tables)
    }

    fn write_phi(phi: Phi<'_, f64>) -> Result<(), Missing> {
        phi.plan.isa().run(phi)
    }

    fn write_jacobians(jacobians: Jacobians<'_, f64>) -> Result<(), Error> {
        jacobians.plan.isa().run(jacobians)
    }
}

impl Precision for f32 {
    fn forward(execution: Execution<'_, f32, Forward<'_, f32>>) -> Result<(), Error> {
        execution.job.plan.isa().run(execution)
    }

    fn inverse(execution: Execution<'_, f32, Backward<'_, f32>>) -> Result<(), Error> {
        execution.job.plan.isa().run(execution)
    }

    fn log_prob(execution: Execution<'_, f32, LogProb<'_, f32>>) -> Result<(), Error> {
        execution.job.plan.isa().run(execution)
    }

    fn pull(execution: Execution<'_, f32, Pull<'_, f32>>) -> Result<(), Error> {
        execution.job.plan.isa().run(execution)
    }

    fn sample(execution: Execution<'_, f32, Draw>) -> Result<(), Error> {
        execution.job.plan.isa().run(execution)
    }

    fn field(execution: Execution<'_, f32, Field<'_, f32>>) -> Result<(), Error> {
        execution.job.plan.isa().run(execution)
    }

    fn combine(isa: Isa, tables: Combine<'_, f32>) -> Result<(), Missing> {
        isa.run_on_vectors(tables)
    }

    fn write_phi(phi: Phi<'_, f32>) -> Result<(), Missing> {
        phi.plan.isa().run(phi)
    }

    fn write_jacobians(jacobians: Jacobians<'_, f32>) -> Result<(), Error> {
        jacobians.plan.isa().run(jacobians)
    }
}
