//! Solving dx/dt = v(x, t) together with the log-determinant d(log det)/dt = div v.
//!
//! [`rk4`] is the classical fixed-grid method with its exact discrete adjoint; [`dopri5`] is adaptive.

pub mod dopri5;
pub mod rk4;
