//! One lane: the reference that every wider vector reproduces bit for bit, and the fastest where there are no vectors.

use super::Lanes;

impl Lanes for f64 {
    type Real = f64;
    type Double = f64;
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

impl Lanes for f32 {
    type Real = f32;
    type Double = f64;
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
