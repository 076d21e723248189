//! Solving dx/dt = v(x, t) together with the log-determinant d(log det)/dt = div v.
//!
//! [`rk4`] is the classical fixed-grid method with its exact discrete adjoint; [`tangent`] is its Jacobian, with the
//! determinant by [`determinant`] in the basis of [`helmert`]; [`exact`] inverts its steps to rounding, and
//! [`exact_adjoint`] differentiates that. [`dopri5`] is adaptive.

pub mod determinant;
pub mod dopri5;
pub mod exact;
pub mod exact_adjoint;
pub mod helmert;
pub mod rk4;
pub mod tangent;

use crate::error::Missing;

/// The first lane that does not converge, and where on the time axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NotConverged<R> {
    /// The lane.
    pub lane: usize,
    /// The time it had reached.
    pub time: R,
}

/// Why a solution has stopped before its end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stopped<R> {
    /// A lane does not converge.
    NotConverged(NotConverged<R>),
    /// A defect of the library.
    Missing(Missing),
}

impl<R> From<NotConverged<R>> for Stopped<R> {
    fn from(failure: NotConverged<R>) -> Self {
        Stopped::NotConverged(failure)
    }
}

impl<R> From<Missing> for Stopped<R> {
    fn from(missing: Missing) -> Self {
        Stopped::Missing(missing)
    }
}

/// How the log-determinant of a fixed grid's map is computed: a rung of the exactness ladder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogDet {
    /// The quadrature of the divergence: of the differential equation to order 4, of the discrete map to O(h^4).
    #[default]
    Trace,
    /// The exact log-determinant of the discrete map.
    Jacobian,
}
