//! What went wrong, with which argument, where, and with what value.

use core::fmt;

/// Kind of failure. The numbers are the status codes of the C interface and are never renumbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
#[non_exhaustive]
pub enum Status {
    /// A required pointer is NULL.
    Null = 1,
    /// An argument lies outside its documented range.
    Argument = 2,
    /// Array lengths or sizes do not fit together.
    Shape = 3,
    /// Memory is not aligned as the extent demands.
    Alignment = 4,
    /// Plan memory or workspace is smaller than the extent demands.
    Workspace = 5,
    /// A model or model file is damaged or inconsistent.
    Model = 6,
    /// An input is NaN or infinite.
    NonFinite = 7,
    /// The library does not offer this combination.
    Unsupported = 8,
    /// A structure comes from an incompatible version of the header.
    Abi = 9,
    /// Input and output memory overlap.
    Overlap = 10,
    /// An iteration reached its limit before its tolerance: adaptive steps, or the exact inverse of a step.
    Convergence = 11,
    /// A function that the caller passed has failed.
    Callback = 12,
    /// A defect of the library.
    Internal = 255,
}

impl Status {
    /// A sentence without a full stop.
    pub const fn as_str(self) -> &'static str {
        match self {
            Status::Null => "a required pointer is NULL",
            Status::Argument => "argument out of range",
            Status::Shape => "array sizes do not fit together",
            Status::Alignment => "memory is not aligned",
            Status::Workspace => "memory is smaller than the extent demands",
            Status::Model => "the model is damaged or inconsistent",
            Status::NonFinite => "input is NaN or infinite",
            Status::Unsupported => "not supported",
            Status::Abi => "structure from an incompatible version",
            Status::Overlap => "input and output memory overlap",
            Status::Convergence => "no convergence within the step limit",
            Status::Callback => "a function that was passed has failed",
            Status::Internal => "internal error",
        }
    }
}

/// Names an argument, a field of one, or a part of a model file. Never renumbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
#[non_exhaustive]
#[allow(missing_docs)] // `as_str` says what each one is
pub enum Argument {
    Unnamed = 0,
    Plan = 1,
    Model = 2,
    Config = 3,
    Count = 4,
    X = 5,
    Z = 6,
    LogDet = 7,
    LogProb = 8,
    Gradient = 9,
    Work = 10,
    Memory = 11,
    Time = 12,
    Distance = 13,
    Velocity = 14,
    Divergence = 15,
    Phi = 16,
    PhiSlope = 17,
    Energy = 18,
    Com = 19,
    Params = 20,
    Extent = 21,
    Bytes = 22,
    Needed = 23,
    First = 24,
    Diag = 25,
    Jacobian = 26,
    Potential = 27,
    Accepted = 28,
    Accuracy = 29,
    XBar = 30,
    LogDetBar = 31,
    Cross = 32,
    XOther = 33,
    EnergyOther = 34,
    CrossOther = 35,
    NParticles = 40,
    Dimension = 41,
    NRadial = 42,
    NTime = 43,
    Basis = 44,
    Eps = 45,
    Weights = 46,
    Bias = 47,
    Importance = 48,
    Mu = 49,
    Gamma = 50,
    MuTime = 51,
    GammaTime = 52,
    Encoding = 53,
    Integrator = 60,
    Steps = 61,
    LogDetKind = 62,
    InverseKind = 63,
    Radial = 64,
    TableTolerance = 65,
    Rtol = 66,
    Atol = 67,
    MaxSteps = 68,
    StructSize = 69,
    Tau = 70,
    RMin = 71,
    Epsilon = 72,
    Oscillator = 73,
    WellA = 74,
    WellB = 75,
    WellC = 76,
    WellD0 = 77,
    FileMagic = 80,
    FileVersion = 81,
    FileLength = 82,
    FileChecksum = 83,
    FileFlags = 84,
    StepSize = 90,
    Isa = 91,
    Samples = 92,
    Threads = 93,
}

impl Argument {
    /// Every argument, in numerical order.
    pub const ALL: &'static [Argument] = &[
        Argument::Unnamed,
        Argument::Plan,
        Argument::Model,
        Argument::Config,
        Argument::Count,
        Argument::X,
        Argument::Z,
        Argument::LogDet,
        Argument::LogProb,
        Argument::Gradient,
        Argument::Work,
        Argument::Memory,
        Argument::Time,
        Argument::Distance,
        Argument::Velocity,
        Argument::Divergence,
        Argument::Phi,
        Argument::PhiSlope,
        Argument::Energy,
        Argument::Com,
        Argument::Params,
        Argument::Extent,
        Argument::Bytes,
        Argument::Needed,
        Argument::First,
        Argument::Diag,
        Argument::Jacobian,
        Argument::Potential,
        Argument::Accepted,
        Argument::Accuracy,
        Argument::XBar,
        Argument::LogDetBar,
        Argument::Cross,
        Argument::XOther,
        Argument::EnergyOther,
        Argument::CrossOther,
        Argument::NParticles,
        Argument::Dimension,
        Argument::NRadial,
        Argument::NTime,
        Argument::Basis,
        Argument::Eps,
        Argument::Weights,
        Argument::Bias,
        Argument::Importance,
        Argument::Mu,
        Argument::Gamma,
        Argument::MuTime,
        Argument::GammaTime,
        Argument::Encoding,
        Argument::Integrator,
        Argument::Steps,
        Argument::LogDetKind,
        Argument::InverseKind,
        Argument::Radial,
        Argument::TableTolerance,
        Argument::Rtol,
        Argument::Atol,
        Argument::MaxSteps,
        Argument::StructSize,
        Argument::Tau,
        Argument::RMin,
        Argument::Epsilon,
        Argument::Oscillator,
        Argument::WellA,
        Argument::WellB,
        Argument::WellC,
        Argument::WellD0,
        Argument::FileMagic,
        Argument::FileVersion,
        Argument::FileLength,
        Argument::FileChecksum,
        Argument::FileFlags,
        Argument::StepSize,
        Argument::Isa,
        Argument::Samples,
        Argument::Threads,
    ];

    /// The name as the documentation spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Argument::Unnamed => "unnamed",
            Argument::Plan => "plan",
            Argument::Model => "model",
            Argument::Config => "config",
            Argument::Count => "n",
            Argument::X => "x",
            Argument::Z => "z",
            Argument::LogDet => "log_det",
            Argument::LogProb => "log_prob",
            Argument::Gradient => "grad",
            Argument::Work => "work",
            Argument::Memory => "mem",
            Argument::Time => "t",
            Argument::Distance => "d",
            Argument::Velocity => "v",
            Argument::Divergence => "div",
            Argument::Phi => "phi",
            Argument::PhiSlope => "dphi",
            Argument::Energy => "u",
            Argument::Com => "com",
            Argument::Params => "params",
            Argument::Extent => "extent",
            Argument::Bytes => "bytes",
            Argument::Needed => "needed",
            Argument::First => "first",
            Argument::Diag => "diag",
            Argument::Jacobian => "jacobian",
            Argument::Potential => "potential",
            Argument::Accepted => "accepted",
            Argument::Accuracy => "accuracy",
            Argument::XBar => "x_bar",
            Argument::LogDetBar => "log_det_bar",
            Argument::Cross => "cross",
            Argument::XOther => "x_other",
            Argument::EnergyOther => "u_other",
            Argument::CrossOther => "cross_other",
            Argument::NParticles => "model.n_particles",
            Argument::Dimension => "model.dimension",
            Argument::NRadial => "model.n_radial",
            Argument::NTime => "model.n_time",
            Argument::Basis => "model.basis",
            Argument::Eps => "model.eps",
            Argument::Weights => "model.weights",
            Argument::Bias => "model.bias",
            Argument::Importance => "model.importance",
            Argument::Mu => "model.mu",
            Argument::Gamma => "model.gamma",
            Argument::MuTime => "model.mu_time",
            Argument::GammaTime => "model.gamma_time",
            Argument::Encoding => "model.encoding",
            Argument::Integrator => "config.integrator",
            Argument::Steps => "config.steps",
            Argument::LogDetKind => "config.log_det",
            Argument::InverseKind => "config.inverse",
            Argument::Radial => "config.radial",
            Argument::TableTolerance => "config.table_tolerance",
            Argument::Rtol => "config.rtol",
            Argument::Atol => "config.atol",
            Argument::MaxSteps => "config.max_steps",
            Argument::StructSize => "struct_size",
            Argument::Tau => "params.tau",
            Argument::RMin => "params.r_m",
            Argument::Epsilon => "params.epsilon",
            Argument::Oscillator => "params.oscillator",
            Argument::WellA => "params.a",
            Argument::WellB => "params.b",
            Argument::WellC => "params.c",
            Argument::WellD0 => "params.d0",
            Argument::FileMagic => "model file: magic number",
            Argument::FileVersion => "model file: version",
            Argument::FileLength => "model file: length",
            Argument::FileChecksum => "model file: checksum",
            Argument::FileFlags => "model file: flags",
            Argument::StepSize => "step_size",
            Argument::Isa => "config.isa",
            Argument::Samples => "config.samples",
            Argument::Threads => "threads",
        }
    }
}

/// A failure that names its cause. No output has been written when a function returns one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Error {
    /// Kind of failure.
    pub status: Status,
    /// The argument at fault.
    pub argument: Argument,
    /// Position in the argument (an element of an array, or a sample), 0 where it has no meaning.
    pub index: usize,
    /// The offending value, or the value that was demanded of a size; 0 where it has no meaning.
    pub value: f64,
}

impl Error {
    /// An error about a whole argument and the value it had (or, for a size, should have had).
    pub const fn new(status: Status, argument: Argument, value: f64) -> Self {
        Error { status, argument, index: 0, value }
    }

    /// An error about one element.
    pub const fn at(status: Status, argument: Argument, index: usize, value: f64) -> Self {
        Error { status, argument, index, value }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Error { status, argument, index, value } = self;
        write!(f, "{}: {} (index {index}, value {value})", argument.as_str(), status.as_str())
    }
}

impl core::error::Error for Error {}

/// A part of memory that is there by construction is not: a defect of this library.
///
/// The core returns it where an index out of range would panic, and writes no output then; for callers it becomes
/// [`Status::Internal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing;

impl From<Missing> for Error {
    fn from(_: Missing) -> Self {
        Error::new(Status::Internal, Argument::Unnamed, 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_arguments_is_complete_and_in_order() {
        let source = include_str!("error.rs");
        let list = source.split("pub enum Argument {").nth(1).unwrap().split('}').next().unwrap();
        let numbers: Vec<i32> = list
            .lines()
            .filter_map(|line| line.trim().trim_end_matches(',').split_once(" = "))
            .map(|(_, number)| number.parse().unwrap())
            .collect();
        assert!(numbers.len() > 60, "the enumeration was found");
        assert_eq!(Argument::ALL.iter().map(|&a| a as i32).collect::<Vec<_>>(), numbers);
    }
}
