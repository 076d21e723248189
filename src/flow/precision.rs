//! What depends on the precision and on the instruction set, compiled once and here: a program that uses plans need not
//! compile them again.

use super::batch::Execution;
use super::jacobian::Jacobians;
use super::plan::Combine;
use super::radial_values::Phi;
use crate::error::{Error, Missing};
use crate::lanes::{Isa, Real};

/// A real number type in which plans compute: `f32` or `f64`.
pub trait Precision: Real {
    /// Runs a call on the plan's vectors.
    #[doc(hidden)]
    fn execute(execution: Execution<'_, Self>) -> Result<(), Error>;
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
    fn execute(execution: Execution<'_, f64>) -> Result<(), Error> {
        execution.job.plan.isa().run(execution)
    }

    fn combine(isa: Isa, tables: Combine<'_, f64>) -> Result<(), Missing> {
        isa.run(tables)
    }

    fn write_phi(phi: Phi<'_, f64>) -> Result<(), Missing> {
        phi.plan.isa().run(phi)
    }

    fn write_jacobians(jacobians: Jacobians<'_, f64>) -> Result<(), Error> {
        jacobians.plan.isa().run(jacobians)
    }
}

impl Precision for f32 {
    fn execute(execution: Execution<'_, f32>) -> Result<(), Error> {
        execution.job.plan.isa().run(execution)
    }

    fn combine(isa: Isa, tables: Combine<'_, f32>) -> Result<(), Missing> {
        isa.run(tables)
    }

    fn write_phi(phi: Phi<'_, f32>) -> Result<(), Missing> {
        phi.plan.isa().run(phi)
    }

    fn write_jacobians(jacobians: Jacobians<'_, f32>) -> Result<(), Error> {
        jacobians.plan.isa().run(jacobians)
    }
}
