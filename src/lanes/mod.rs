//! Fixed-width vectors: one sample per lane, the same operation order in every lane.
//!
//! Everything above this module is generic over [`Lanes`] and therefore over `f32` and `f64`. A lane never
//! looks at its neighbours (there is no horizontal operation), so a sample's bits do not depend on which other
//! samples share the vector, on the batch size, or on the instruction set.
//!
//! From the `wide` crate only loads, `+ - * /`, `sqrt`, comparisons, bit selection and integer shifts are
//! used: these are exact or correctly rounded everywhere. Its `mul_add`, `exp`, `reduce_*`, `min` and `max`
//! differ between builds and are never called.

mod exponential;
mod gather;
mod real;

pub use exponential::{exp2_neg, exp2_neg_each};
pub use gather::gather;
pub use real::Real;

use core::ops::{Add, AddAssign, Div, Mul, Neg, Sub, SubAssign};

/// A vector of [`Lanes::WIDTH`] reals on which arithmetic acts lane by lane.
pub trait Lanes:
    Copy
    + Default
    + Send
    + Sync
    + 'static
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
{
    /// The scalar in each lane.
    type Real: Real;
    /// Number of lanes.
    const WIDTH: usize;

    /// The same value in every lane.
    fn splat(value: Self::Real) -> Self;
    /// Lane `i` holds `value(i)`.
    fn from_fn(value: impl FnMut(usize) -> Self::Real) -> Self;
    /// The lanes in order.
    fn as_slice(&self) -> &[Self::Real];
    /// Correctly rounded square root.
    fn sqrt(self) -> Self;
    /// In each lane `less` where `self < other`, else `otherwise` (also where either is NaN).
    fn select_less(self, other: Self, less: Self, otherwise: Self) -> Self;
    /// `2^n` in each lane, where `self = n + Real::EXPONENT_MAGIC` and `n` is a whole number in the normal range.
    fn exponent_scale(self) -> Self;

    /// `value`, a compile-time constant written as `f64`, in every lane.
    #[inline(always)]
    fn constant(value: f64) -> Self {
        Self::splat(Self::Real::from_f64(value))
    }

    /// Zero in every lane.
    #[inline(always)]
    fn zero() -> Self {
        Self::constant(0.0)
    }

    /// The value in lane `i`; `i` must be below [`Lanes::WIDTH`].
    #[inline(always)]
    fn lane(self, i: usize) -> Self::Real {
        self.as_slice()[i]
    }

    /// The same lanes but for lane `i`, which becomes `value`.
    #[inline(always)]
    fn with_lane(self, i: usize, value: Self::Real) -> Self {
        Self::from_fn(|j| if i == j { value } else { self.lane(j) })
    }

    /// Infinity becomes the largest finite number of its sign; NaN stays NaN.
    #[inline(always)]
    fn bounded(self) -> Self {
        let most = Self::splat(Self::Real::MAX);
        -(-self.at_most(most)).at_most(most)
    }

    /// The smaller of two lanes; a NaN in `self` stays NaN.
    #[inline(always)]
    fn at_most(self, limit: Self) -> Self {
        limit.select_less(self, limit, self)
    }
}

impl Lanes for wide::f64x4 {
    type Real = f64;
    const WIDTH: usize = 4;

    #[inline(always)]
    fn splat(value: f64) -> Self {
        wide::f64x4::splat(value)
    }

    #[inline(always)]
    fn from_fn(value: impl FnMut(usize) -> f64) -> Self {
        wide::f64x4::new(core::array::from_fn(value))
    }

    #[inline(always)]
    fn as_slice(&self) -> &[f64] {
        self.as_array()
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        wide::f64x4::sqrt(self)
    }

    #[inline(always)]
    fn select_less(self, other: Self, less: Self, otherwise: Self) -> Self {
        wide::Select::select(self.simd_lt(other), less, otherwise)
    }

    #[inline(always)]
    fn exponent_scale(self) -> Self {
        let bits: wide::u64x4 = bytemuck::cast(self);
        bytemuck::cast(bits << 52u32)
    }
}

impl Lanes for wide::f32x8 {
    type Real = f32;
    const WIDTH: usize = 8;

    #[inline(always)]
    fn splat(value: f32) -> Self {
        wide::f32x8::splat(value)
    }

    #[inline(always)]
    fn from_fn(value: impl FnMut(usize) -> f32) -> Self {
        wide::f32x8::new(core::array::from_fn(value))
    }

    #[inline(always)]
    fn as_slice(&self) -> &[f32] {
        self.as_array()
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        wide::f32x8::sqrt(self)
    }

    #[inline(always)]
    fn select_less(self, other: Self, less: Self, otherwise: Self) -> Self {
        wide::Select::select(self.simd_lt(other), less, otherwise)
    }

    #[inline(always)]
    fn exponent_scale(self) -> Self {
        let bits: wide::u32x8 = bytemuck::cast(self);
        bytemuck::cast(bits << 23u32)
    }
}

/// One lane: the reference that every wider vector reproduces bit for bit.
impl Lanes for f64 {
    type Real = f64;
    const WIDTH: usize = 1;

    #[inline(always)]
    fn splat(value: f64) -> Self {
        value
    }

    #[inline(always)]
    fn from_fn(mut value: impl FnMut(usize) -> f64) -> Self {
        value(0)
    }

    #[inline(always)]
    fn as_slice(&self) -> &[f64] {
        core::slice::from_ref(self)
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        libm::sqrt(self)
    }

    #[inline(always)]
    fn select_less(self, other: Self, less: Self, otherwise: Self) -> Self {
        if self < other { less } else { otherwise }
    }

    #[inline(always)]
    fn exponent_scale(self) -> Self {
        f64::from_bits(self.to_bits() << 52)
    }
}

/// One lane: the reference that every wider vector reproduces bit for bit.
impl Lanes for f32 {
    type Real = f32;
    const WIDTH: usize = 1;

    #[inline(always)]
    fn splat(value: f32) -> Self {
        value
    }

    #[inline(always)]
    fn from_fn(mut value: impl FnMut(usize) -> f32) -> Self {
        value(0)
    }

    #[inline(always)]
    fn as_slice(&self) -> &[f32] {
        core::slice::from_ref(self)
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        libm::sqrtf(self)
    }

    #[inline(always)]
    fn select_less(self, other: Self, less: Self, otherwise: Self) -> Self {
        if self < other { less } else { otherwise }
    }

    #[inline(always)]
    fn exponent_scale(self) -> Self {
        f32::from_bits(self.to_bits() << 23)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_most_keeps_nan_and_limits_infinity() {
        let v = wide::f64x4::new([1.0, f64::INFINITY, f64::NAN, -3.0]).at_most(wide::f64x4::splat(2.0));
        assert_eq!(v.lane(0), 1.0);
        assert_eq!(v.lane(1), 2.0);
        assert!(v.lane(2).is_nan());
        assert_eq!(v.lane(3), -3.0);
        let v = wide::f64x4::new([1.0, f64::INFINITY, f64::NAN, f64::NEG_INFINITY]).bounded();
        assert_eq!([v.lane(0), v.lane(1), v.lane(3)], [1.0, f64::MAX, f64::MIN]);
        assert!(v.lane(2).is_nan());
    }
}
