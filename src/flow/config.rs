//! How a plan integrates and evaluates.

use crate::error::{Argument, Error, Status};
pub use crate::integrate::LogDet;
use crate::lanes::{Isa, Real};

/// Which integrator, and with it which rungs of the exactness ladder are in reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Integrator {
    /// Classical 4th-order Runge-Kutta with `steps` equal steps; log-determinant and inverse as [`LogDet`] and
    /// [`Inverse`] say.
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

/// How the map of a fixed grid is inverted, by inverse and log-density alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Inverse {
    /// By the same grid walked back: the inverse of the differential equation, that of the discrete map up to
    /// O(steps^-4). Its log-determinant is its own.
    #[default]
    Backward,
    /// The discrete map itself, each step solved to rounding, or [`Status::Convergence`] for a sample that has no
    /// preimage to be found. Its log-determinant is minus the forward one along the solved trajectory, so that
    /// log-densities agree with those of the samples that the same plan draws, to rounding.
    Exact,
}

/// How the radial function is evaluated at the stage times of a fixed grid.
///
/// The choice is made when the plan is built, never call by call: the bits of a sample do not depend on how many
/// others are computed with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RadialPath {
    /// Compiled where that pays and meets the tolerance, otherwise exact.
    Auto {
        /// How many samples the plan will serve, roughly: where compiling would cost more than the Gaussians of so
        /// many (about 2 samples of 13 particles, 20 of 4), the plan stays exact.
        samples: usize,
    },
    /// The sum over all Gaussians.
    Exact,
    /// Piecewise polynomials, or an error where the tolerance cannot be met.
    Compiled,
}

/// How a plan is built.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Config {
    /// The integrator.
    pub integrator: Integrator,
    /// How the log-determinant of a fixed grid's map is computed; an adaptive integrator has [`LogDet::Trace`] alone.
    pub log_det: LogDet,
    /// How a fixed grid's map is inverted; an adaptive integrator has [`Inverse::Backward`] alone.
    pub inverse: Inverse,
    /// How the radial function is evaluated; an adaptive integrator has no stage times and evaluates it exactly.
    pub radial: RadialPath,
    /// Largest error of a compiled phi, relative to the largest magnitude of phi; 0 stands for the precision's own:
    /// 1e-12 in double, 1e-7 in single precision. At most 0.01.
    pub table_tolerance: f64,
    /// The instruction set; `None` for the best that the processor has. It decides the speed and never a bit.
    pub isa: Option<Isa>,
}

impl Config {
    const fn of(integrator: Integrator) -> Self {
        let radial = RadialPath::Auto { samples: usize::MAX };
        let (log_det, inverse) = (LogDet::Trace, Inverse::Backward);
        Config { integrator, log_det, inverse, radial, table_tolerance: 0.0, isa: None }
    }

    /// Fixed grid with `steps` steps.
    pub const fn rk4(steps: usize) -> Self {
        Config::of(Integrator::Rk4 { steps })
    }

    /// Adaptive with these tolerances and at most 10000 steps a sample.
    pub const fn dopri5(rtol: f64, atol: f64) -> Self {
        Config::of(Integrator::Dopri5 { rtol, atol, max_steps: 10_000 })
    }

    /// The same with another log-determinant.
    pub const fn with_log_det(mut self, log_det: LogDet) -> Self {
        self.log_det = log_det;
        self
    }

    /// The same with another inverse.
    pub const fn with_inverse(mut self, inverse: Inverse) -> Self {
        self.inverse = inverse;
        self
    }

    /// The same with another way to evaluate the radial function.
    pub const fn with_radial(mut self, radial: RadialPath) -> Self {
        self.radial = radial;
        self
    }

    /// The same on a given instruction set.
    pub const fn with_isa(mut self, isa: Isa) -> Self {
        self.isa = Some(isa);
        self
    }

    /// Checks ranges.
    ///
    /// # Errors
    /// Names the field at fault; [`Status::Unsupported`] for an instruction set that this processor lacks, and for an
    /// adaptive integrator with what only a fixed grid has.
    pub fn check(&self) -> Result<(), Error> {
        self.check_integrator()?;
        self.check_ladder()?;
        if !self.table_tolerance.is_finite() {
            return Err(Error::new(Status::NonFinite, Argument::TableTolerance, self.table_tolerance));
        }
        if !(0.0..=0.01).contains(&self.table_tolerance) {
            return Err(Error::new(Status::Argument, Argument::TableTolerance, self.table_tolerance));
        }
        if self.radial == RadialPath::Compiled && self.grid_steps() == 0 {
            return Err(Error::new(Status::Unsupported, Argument::Radial, 0.0));
        }
        match self.isa {
            Some(isa) if !isa.is_available() => {
                Err(Error::new(Status::Unsupported, Argument::Isa, f64::from(isa as u32)))
            }
            _ => Ok(()),
        }
    }

    fn check_integrator(&self) -> Result<(), Error> {
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

    fn check_ladder(&self) -> Result<(), Error> {
        let adaptive = self.grid_steps() == 0;
        if adaptive && self.log_det != LogDet::Trace {
            return Err(Error::new(Status::Unsupported, Argument::LogDetKind, f64::from(self.log_det as u8)));
        }
        if adaptive && self.inverse != Inverse::Backward {
            return Err(Error::new(
                Status::Unsupported,
                Argument::InverseKind,
                f64::from(self.inverse as u8),
            ));
        }
        Ok(())
    }

    /// Whether a call may find out late that a sample does not converge.
    pub(super) fn may_fail(&self) -> bool {
        self.grid_steps() == 0 || self.inverse == Inverse::Exact
    }

    /// Steps of the fixed grid; an adaptive plan has none.
    pub(super) fn grid_steps(&self) -> usize {
        match self.integrator {
            Integrator::Rk4 { steps } => steps,
            Integrator::Dopri5 { .. } => 0,
        }
    }

    /// The samples that tables would serve, where tables are possible.
    pub(super) fn samples_for_tables(&self) -> Option<usize> {
        let samples = match self.radial {
            RadialPath::Auto { samples } => samples,
            RadialPath::Exact => 0,
            RadialPath::Compiled => usize::MAX,
        };
        (samples > 0 && self.grid_steps() > 0).then_some(samples)
    }

    /// The tolerance of a compiled phi in precision `R`.
    pub(super) fn tolerance<R: Real>(&self) -> f64 {
        if self.table_tolerance > 0.0 { self.table_tolerance } else { R::TABLE_TOLERANCE }
    }
}

impl Default for Config {
    /// 20 RK4 steps, the paper's setting.
    fn default() -> Self {
        Config::rk4(20)
    }
}
