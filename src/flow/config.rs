//! How a plan integrates.

use crate::error::{Argument, Error, Status};

/// Which integrator, and with it which rung of the exactness ladder the log-determinant stands on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Integrator {
    /// Classical 4th-order Runge-Kutta with `steps` equal steps and the `trace` log-determinant: the quadrature
    /// of the divergence, whose error against the discrete map is O(steps^-4).
    Rk4 {
        /// Number of steps, 1 to 65536.
        steps: usize,
    },
    /// Dormand-Prince 5(4): exact for the differential equation to the tolerances.
    Dopri5 {
        /// Relative tolerance, at least 0.
        rtol: f64,
        /// Absolute tolerance, above 0.
        atol: f64,
        /// Most attempted steps a sample before [`Status::Convergence`].
        max_steps: usize,
    },
}

/// How a plan is built.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Config {
    /// The integrator.
    pub integrator: Integrator,
}

impl Config {
    /// Fixed grid with `steps` steps.
    pub const fn rk4(steps: usize) -> Self {
        Config { integrator: Integrator::Rk4 { steps } }
    }

    /// Adaptive with these tolerances and at most 10000 steps a sample.
    pub const fn dopri5(rtol: f64, atol: f64) -> Self {
        Config { integrator: Integrator::Dopri5 { rtol, atol, max_steps: 10_000 } }
    }

    /// Checks ranges.
    ///
    /// # Errors
    /// Names the field at fault.
    pub fn check(&self) -> Result<(), Error> {
        match self.integrator {
            Integrator::Rk4 { steps } if steps == 0 || steps > 65_536 => {
                Err(Error::new(Status::Argument, Argument::Steps, steps as f64))
            }
            Integrator::Rk4 { .. } => Ok(()),
            Integrator::Dopri5 { rtol, atol, max_steps } => {
                for (argument, value, low) in
                    [(Argument::Rtol, rtol, 0.0), (Argument::Atol, atol, f64::MIN_POSITIVE)]
                {
                    if !value.is_finite() {
                        return Err(Error::new(Status::NonFinite, argument, value));
                    }
                    if value < low {
                        return Err(Error::new(Status::Argument, argument, value));
                    }
                }
                if max_steps == 0 {
                    return Err(Error::new(Status::Argument, Argument::MaxSteps, 0.0));
                }
                Ok(())
            }
        }
    }

    /// Steps of the fixed grid; an adaptive plan has none.
    pub(super) fn grid_steps(&self) -> usize {
        match self.integrator {
            Integrator::Rk4 { steps } => steps,
            Integrator::Dopri5 { .. } => 0,
        }
    }
}

impl Default for Config {
    /// 20 RK4 steps, the paper's setting.
    fn default() -> Self {
        Config::rk4(20)
    }
}
