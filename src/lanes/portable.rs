//! Vectors of the `wide` crate, whose instruction set is that of the compilation: SSE2 on baseline x86-64, NEON on
//! aarch64, arrays elsewhere.

use super::Lanes;

impl Lanes for wide::f64x4 {
    type Real = f64;
    type Double = wide::f64x4;
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
    type Double = wide::f64x4;
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
