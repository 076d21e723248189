//! How a plan integrates.

use super::memory::Region;
use super::status::status_of;
use super::versioned::{self, Versioned};
use crate::error::{Argument, Error, Status};
use crate::flow::{Config, Integrator, Inverse, LogDet, RadialPath};
use crate::lanes::Isa;
use core::mem::offset_of;

/// Classical 4th-order Runge-Kutta with a fixed number of equal steps.
pub const EQF_INTEGRATOR_RK4: i32 = 0;
/// Dormand-Prince 5(4): exact for the differential equation to the tolerances.
pub const EQF_INTEGRATOR_DOPRI5: i32 = 1;
/// Log-determinant by the integrator's own quadrature of the divergence.
pub const EQF_LOG_DET_TRACE: i32 = 0;
/// Exact log-determinant of the discrete map of EQF_INTEGRATOR_RK4.
pub const EQF_LOG_DET_JACOBIAN: i32 = 1;
/// Inverse by integrating backwards: that of the differential equation, of the discrete map to O(steps^-4).
pub const EQF_INVERSE_BACKWARD: i32 = 0;
/// Exact inverse of the discrete map of EQF_INTEGRATOR_RK4, each step solved to rounding; with minus the forward
/// log-determinant along the solved trajectory.
pub const EQF_INVERSE_EXACT: i32 = 1;
/// As EQF_RADIAL_TABLE where that pays for the expected number of samples and meets the tolerance, else as
/// EQF_RADIAL_EXACT. Chosen once, when the plan is made.
pub const EQF_RADIAL_AUTO: i32 = 0;
/// The radial function as the sum over all Gaussians.
pub const EQF_RADIAL_EXACT: i32 = 1;
/// The radial function compiled into piecewise polynomials, or an error where the tolerance cannot be met.
pub const EQF_RADIAL_TABLE: i32 = 2;
/// The best instruction set that the processor has.
pub const EQF_ISA_BEST: u32 = 0;
/// One sample at a time.
pub const EQF_ISA_SCALAR: u32 = 1;
/// What every processor of the library's target has: SSE2 on x86-64, NEON on aarch64.
pub const EQF_ISA_BASELINE: u32 = 2;
/// AVX2 on x86-64.
pub const EQF_ISA_AVX2: u32 = 3;
/// AVX-512 on x86-64.
pub const EQF_ISA_AVX512: u32 = 4;

/// How a plan integrates, for both precisions. Fill with eqf_config_init(), then change what is to differ.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct eqf_config {
    /// Size of this structure in bytes; eqf_config_init() sets it.
    pub struct_size: u32,
    /// EQF_INTEGRATOR_RK4 (initial) or EQF_INTEGRATOR_DOPRI5.
    pub integrator: i32,
    /// Steps of EQF_INTEGRATOR_RK4, 1 to 65536; initially 20.
    pub steps: u32,
    /// EQF_LOG_DET_TRACE (initial) or, with EQF_INTEGRATOR_RK4 alone, EQF_LOG_DET_JACOBIAN.
    pub log_det: i32,
    /// EQF_INVERSE_BACKWARD (initial) or, with EQF_INTEGRATOR_RK4 alone, EQF_INVERSE_EXACT.
    pub inverse: i32,
    /// EQF_RADIAL_AUTO (initial), EQF_RADIAL_EXACT or EQF_RADIAL_TABLE.
    pub radial: i32,
    /// Largest error of a compiled radial function relative to its largest magnitude, at most 0.01; initially 0,
    /// which stands for 1e-12 in double and 1e-7 in single precision.
    pub table_tolerance: f64,
    /// Relative tolerance of EQF_INTEGRATOR_DOPRI5, at least 0; initially 1e-8. Ignored by others.
    pub rtol: f64,
    /// Absolute tolerance of EQF_INTEGRATOR_DOPRI5, above 0; initially 1e-8. Ignored by others.
    pub atol: f64,
    /// Most attempted steps a sample of EQF_INTEGRATOR_DOPRI5; initially 10000. Ignored by others.
    pub max_steps: u64,
    /// How many samples the plan will serve, roughly, for EQF_RADIAL_AUTO; initially 0, which stands for many.
    pub samples: u64,
    /// EQF_ISA_BEST (initial) or an instruction set, for tests: it decides the speed and never a bit.
    pub isa: u32,
    /// Zero.
    pub reserved_word: u32,
    /// Zero.
    pub reserved: [u64; 6],
}

// SAFETY: the first field is `struct_size`, and every field takes any bits.
unsafe impl Versioned for eqf_config {
    const NAME: Argument = Argument::Config;
    const MINIMUM: usize = offset_of!(eqf_config, reserved);

    fn initial(struct_size: u32) -> Self {
        eqf_config {
            struct_size,
            integrator: EQF_INTEGRATOR_RK4,
            steps: 20,
            log_det: EQF_LOG_DET_TRACE,
            inverse: EQF_INVERSE_BACKWARD,
            radial: EQF_RADIAL_AUTO,
            table_tolerance: 0.0,
            rtol: 1e-8,
            atol: 1e-8,
            max_steps: 10_000,
            samples: 0,
            isa: EQF_ISA_BEST,
            reserved_word: 0,
            reserved: [0; 6],
        }
    }

    fn reserved_is_zero(&self) -> bool {
        self.reserved == [0; 6] && self.reserved_word == 0
    }
}

impl eqf_config {
    fn check_modes(&self) -> Result<(), Error> {
        for (argument, value, largest) in [
            (Argument::LogDetKind, self.log_det, EQF_LOG_DET_JACOBIAN),
            (Argument::InverseKind, self.inverse, EQF_INVERSE_EXACT),
            (Argument::Radial, self.radial, EQF_RADIAL_TABLE),
        ] {
            if !(0..=largest).contains(&value) {
                return Err(Error::new(Status::Argument, argument, f64::from(value)));
            }
        }
        Ok(())
    }
}

/// The caller's configuration, checked, and its region.
///
/// # Safety
/// `config` is NULL or a structure with a true `struct_size`.
pub(super) unsafe fn borrow(config: *const eqf_config) -> Result<(Config, Region), Error> {
    // SAFETY: by this contract.
    let (given, _, region) = unsafe { versioned::read(config)? };
    given.check_modes()?;
    let integrator = match given.integrator {
        EQF_INTEGRATOR_RK4 => Integrator::Rk4 { steps: given.steps as usize },
        EQF_INTEGRATOR_DOPRI5 => Integrator::Dopri5 {
            rtol: given.rtol,
            atol: given.atol,
            max_steps: usize::try_from(given.max_steps).unwrap_or(usize::MAX),
        },
        other => return Err(Error::new(Status::Argument, Argument::Integrator, f64::from(other))),
    };
    let radial = match given.radial {
        EQF_RADIAL_EXACT => RadialPath::Exact,
        EQF_RADIAL_TABLE => RadialPath::Compiled,
        _ => RadialPath::Auto { samples: samples(given.samples) },
    };
    let log_det = if given.log_det == EQF_LOG_DET_JACOBIAN { LogDet::Jacobian } else { LogDet::Trace };
    let inverse = if given.inverse == EQF_INVERSE_EXACT { Inverse::Exact } else { Inverse::Backward };
    let table_tolerance = given.table_tolerance;
    Ok((Config { integrator, log_det, inverse, radial, table_tolerance, isa: isa(given.isa)? }, region))
}

/// 0 stands for many.
fn samples(given: u64) -> usize {
    if given == 0 { usize::MAX } else { usize::try_from(given).unwrap_or(usize::MAX) }
}

/// The instruction set with this number, which the processor may lack.
fn isa(given: u32) -> Result<Option<Isa>, Error> {
    if given == EQF_ISA_BEST {
        return Ok(None);
    }
    let known = Isa::ALL.into_iter().find(|&isa| isa as u32 == given);
    known.map(Some).ok_or(Error::new(Status::Argument, Argument::Isa, f64::from(given)))
}

/// Fills a configuration with the paper's setting: 20 RK4 steps with the trace log-determinant. It writes exactly
/// `size` bytes.
///
/// NULL: nothing.
/// Errors: EQF_ERROR_NULL, EQF_ERROR_ALIGNMENT, EQF_ERROR_ABI for an impossible size.
/// Threads: any thread may call it on a structure of its own.
/// Since: 0.1.0.
/// Example:
///
/// ```c
/// assert(eqf_config_init(&config, sizeof config) == EQF_OK);
/// config.log_det = EQF_LOG_DET_JACOBIAN;
/// ```
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_config_init(config: *mut eqf_config, size: usize) -> i32 {
    // SAFETY: `size` bytes by the documented contract.
    status_of(unsafe { versioned::initialize(config, size) })
}
