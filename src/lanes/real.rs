//! The scalar types, `f32` and `f64`.

use super::Lanes;
use super::isa::Hardware;
use core::fmt::{Debug, Display};

/// A real number type in which the core can compute: `f32` or `f64`.
pub trait Real: Lanes<Real = Self> + Hardware + PartialEq + PartialOrd + Debug + Display {
    /// The vector of this scalar for the instruction set of the compilation.
    type Lanes: Lanes<Real = Self> + core::fmt::Debug;
    /// Stored bits of the mantissa.
    const MANTISSA_BITS: u32;
    /// The error, relative to the largest magnitude, to which a function is compiled unless told otherwise.
    const TABLE_TOLERANCE: f64;
    /// Adding this constant rounds to a whole number and leaves it, biased as an exponent, in the low bits.
    const EXPONENT_MAGIC: Self;
    /// `2^-EXPONENT_LIMIT` is where Gaussians are cut off: far below one rounding error of anything that they
    /// are added to, and high enough that no product with a coordinate becomes denormal (denormals cost 60 %).
    const EXPONENT_LIMIT: Self;
    /// Minimax polynomial of `2^f` on `[-1/2, 1/2]`, lowest power first (relative error 2e-9 and 3e-18).
    const EXP2: &'static [Self];
    /// Largest finite value.
    const MAX: Self;

    /// Rounds to this type.
    fn from_f64(value: f64) -> Self;
    /// Exact.
    fn to_f64(self) -> f64;
    /// The IEEE bits, in the low bits of the result.
    fn bits(self) -> u64;
    /// From the IEEE bits, the low bits of `bits`.
    fn from_bits(bits: u64) -> Self;
    /// Neither infinite nor NaN.
    fn is_finite(self) -> bool;
}

impl Real for f64 {
    const MANTISSA_BITS: u32 = 52;
    const TABLE_TOLERANCE: f64 = 1e-12;
    type Lanes = wide::f64x4;
    const EXPONENT_MAGIC: f64 = 6755399441055744.0 + 1023.0; // 1.5 * 2^52 + bias
    const EXPONENT_LIMIT: f64 = 900.0;
    const MAX: f64 = f64::MAX;
    #[allow(clippy::excessive_precision, clippy::approx_constant)] // printed to 20 digits; ln 2 is no accident
    const EXP2: &'static [f64] = &[
        1.0,
        0.693_147_180_559_945_330_46,
        0.240_226_506_959_101_562_05,
        0.055_504_108_664_819_921_483,
        0.009_618_129_107_588_335_083_3,
        0.001_333_355_814_678_995_032_3,
        0.000_154_035_304_625_146_130_26,
        1.525_273_348_996_080_46e-5,
        1.321_543_308_959_462_903_7e-6,
        1.017_819_803_332_852_766_2e-7,
        7.074_105_626_245_659_370_8e-9,
        4.435_280_944_610_336_161_1e-10,
    ];

    #[inline(always)]
    fn from_f64(value: f64) -> f64 {
        value
    }

    #[inline(always)]
    fn to_f64(self) -> f64 {
        self
    }

    #[inline(always)]
    fn bits(self) -> u64 {
        self.to_bits()
    }

    #[inline(always)]
    fn from_bits(bits: u64) -> f64 {
        f64::from_bits(bits)
    }

    #[inline(always)]
    fn is_finite(self) -> bool {
        self.is_finite()
    }
}

impl Real for f32 {
    const MANTISSA_BITS: u32 = 23;
    const TABLE_TOLERANCE: f64 = 1e-7;
    type Lanes = wide::f32x8;
    const EXPONENT_MAGIC: f32 = 12582912.0 + 127.0; // 1.5 * 2^23 + bias
    const EXPONENT_LIMIT: f32 = 100.0;
    const MAX: f32 = f32::MAX;
    #[allow(clippy::approx_constant)]
    const EXP2: &'static [f32] =
        &[1.0, 0.693_147_2, 0.240_226_5, 0.055_503_29, 0.009_618_489, 0.001_339_993_1, 0.000_153_458_12];

    #[inline(always)]
    fn from_f64(value: f64) -> f32 {
        value as f32
    }

    #[inline(always)]
    fn to_f64(self) -> f64 {
        self.into()
    }

    #[inline(always)]
    fn bits(self) -> u64 {
        self.to_bits().into()
    }

    #[inline(always)]
    fn from_bits(bits: u64) -> f32 {
        f32::from_bits(bits as u32)
    }

    #[inline(always)]
    fn is_finite(self) -> bool {
        self.is_finite()
    }
}
