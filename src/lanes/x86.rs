//! AVX2 and AVX-512 vectors, in programs that are compiled for any x86-64.
//!
//! Every type is a register; every operation one instruction, correctly rounded, never fused. The types cannot be
//! named outside of this crate and inside only through [`super::Isa::run`], which asks the processor first: that is
//! the reason why the blocks below are sound.
#![allow(unsafe_code)]

use super::{Isa, Lanes, Rows};
use core::arch::x86_64::*;
use core::ops::{Add, AddAssign, Div, Mul, Neg, Sub, SubAssign};
use core::sync::atomic::{AtomicU8, Ordering};

/// The best instruction set, asked once: the answer of CPUID takes a microsecond in a virtual machine. Every thread
/// finds the same answer, so the order does not matter.
pub(super) fn best() -> Isa {
    static KNOWN: AtomicU8 = AtomicU8::new(0);
    let found = match KNOWN.load(Ordering::Relaxed) {
        0 => detect(),
        known if known == Isa::Avx512 as u8 => return Isa::Avx512,
        known if known == Isa::Avx2 as u8 => return Isa::Avx2,
        _ => return Isa::Baseline,
    };
    KNOWN.store(found as u8, Ordering::Relaxed);
    found
}

/// Asks processor (Intel SDM volume 2, CPUID) and operating system (XGETBV: which registers it saves).
fn detect() -> Isa {
    const OSXSAVE_AND_AVX: u32 = 1 << 27 | 1 << 28;
    const AVX2: u32 = 1 << 5;
    const AVX512F: u32 = 1 << 16;
    let most = __cpuid(0).eax;
    if most < 7 || __cpuid(1).ecx & OSXSAVE_AND_AVX != OSXSAVE_AND_AVX {
        return Isa::Baseline;
    }
    // SAFETY: OSXSAVE says that XGETBV exists.
    let saved = unsafe { saved_registers() };
    let features = __cpuid_count(7, 0).ebx;
    let has = |feature: u32, registers: u64| features & feature != 0 && saved & registers == registers;
    if has(AVX2, 0x06) && has(AVX512F, 0xe6) {
        Isa::Avx512
    } else if has(AVX2, 0x06) {
        Isa::Avx2
    } else {
        Isa::Baseline
    }
}

#[target_feature(enable = "xsave")]
fn saved_registers() -> u64 {
    // SAFETY: the caller has checked OSXSAVE.
    unsafe { _xgetbv(0) }
}

/// A vector type over a register with its operators: names of the type, register, and intrinsics.
macro_rules! vector {
    ($(#[$doc:meta])* $name:ident, $register:ident, $real:ident,
     $add:ident, $sub:ident, $mul:ident, $div:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        #[repr(transparent)]
        pub struct $name($register);

        // SAFETY: a register of numbers: no padding, every bit pattern valid.
        unsafe impl bytemuck::Zeroable for $name {}
        // SAFETY: as above.
        unsafe impl bytemuck::Pod for $name {}

        impl Default for $name {
            #[inline(always)]
            fn default() -> Self {
                bytemuck::Zeroable::zeroed()
            }
        }

        vector!(operator $name, Add, add, $add);
        vector!(operator $name, Sub, sub, $sub);
        vector!(operator $name, Mul, mul, $mul);
        vector!(operator $name, Div, div, $div);

        impl Neg for $name {
            type Output = Self;
            #[inline(always)]
            fn neg(self) -> Self {
                // Like the scalar's: the sign alone, of zero and NaN too.
                // SAFETY: the processor has the set (module documentation).
                unsafe { Self(self.flip(<$real>::to_bits(-0.0))) }
            }
        }

        impl AddAssign for $name {
            #[inline(always)]
            fn add_assign(&mut self, other: Self) {
                *self = *self + other;
            }
        }

        impl SubAssign for $name {
            #[inline(always)]
            fn sub_assign(&mut self, other: Self) {
                *self = *self - other;
            }
        }
    };
    (operator $name:ident, $trait:ident, $method:ident, $intrinsic:ident) => {
        impl $trait for $name {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                // SAFETY: the processor has the set (module documentation).
                unsafe { Self($intrinsic(self.0, other.0)) }
            }
        }
    };
}

vector!(
    /// Four doubles.
    Avx2F64, __m256d, f64, _mm256_add_pd, _mm256_sub_pd, _mm256_mul_pd, _mm256_div_pd
);
vector!(
    /// Eight singles.
    Avx2F32, __m256, f32, _mm256_add_ps, _mm256_sub_ps, _mm256_mul_ps, _mm256_div_ps
);
vector!(
    /// Eight doubles.
    Avx512F64, __m512d, f64, _mm512_add_pd, _mm512_sub_pd, _mm512_mul_pd, _mm512_div_pd
);
vector!(
    /// Sixteen singles.
    Avx512F32, __m512, f32, _mm512_add_ps, _mm512_sub_ps, _mm512_mul_ps, _mm512_div_ps
);

/// The low half of a double's bits.
const LOW_WORD: i64 = 0xffff_ffff;

impl Avx2F64 {
    #[inline(always)]
    unsafe fn flip(self, bits: u64) -> __m256d {
        // SAFETY: the processor has the set (module documentation).
        unsafe {
            _mm256_castsi256_pd(_mm256_xor_si256(
                _mm256_castpd_si256(self.0),
                _mm256_set1_epi64x(bits as i64),
            ))
        }
    }

    /// Row number of each lane, at most the last: safe for any `z`; and the middle of its cell.
    #[inline(always)]
    fn locate<const C: usize>(rows: &Rows<'_, f64, C>, z: Self) -> ([u64; 4], Self) {
        // SAFETY: the processor has the set (module documentation); eight words each are there; same size.
        unsafe {
            let bits = _mm256_castpd_si256(z.0);
            let segment = _mm256_srl_epi64(bits, _mm_cvtsi32_si128(rows.segment_bits() as i32));
            let free = _mm256_and_si256(
                _mm256_permutevar8x32_epi32(_mm256_loadu_si256(rows.free().as_ptr().cast()), segment),
                _mm256_set1_epi64x(LOW_WORD),
            );
            let offset =
                _mm256_permutevar8x32_epi32(_mm256_loadu_si256(rows.offsets().as_ptr().cast()), segment);
            let leading = _mm256_srlv_epi64(bits, free);
            let index = _mm256_add_epi32(_mm256_srli_epi64::<1>(leading), offset);
            let index = _mm256_min_epu32(index, _mm256_set1_epi64x(i64::from(rows.last())));
            let middle = _mm256_sllv_epi64(_mm256_or_si256(leading, _mm256_set1_epi64x(1)), free);
            (core::mem::transmute::<__m256i, [u64; 4]>(index), Self(_mm256_castsi256_pd(middle)))
        }
    }

    /// Four reals from each pointer, transposed: column k holds the k-th of each lane's.
    ///
    /// # Safety
    /// The processor has AVX2; four reals are readable at each pointer.
    #[inline(always)]
    unsafe fn columns(quads: [*const f64; 4]) -> [Self; 4] {
        // SAFETY: by contract.
        unsafe {
            let [a, b, c, d] = quads.map(|quad| _mm256_loadu_pd(quad));
            transpose_f64([a, b, c, d]).map(Self)
        }
    }
}

impl Lanes for Avx2F64 {
    type Real = f64;
    type Double = Avx2F64;
    const WIDTH: usize = 4;

    #[inline(always)]
    fn splat(value: f64) -> Self {
        // SAFETY: the processor has the set (module documentation).
        unsafe { Self(_mm256_set1_pd(value)) }
    }

    #[inline(always)]
    fn from_fn(value: impl FnMut(usize) -> f64) -> Self {
        let lanes: [f64; 4] = core::array::from_fn(value);
        // SAFETY: the processor has the set (module documentation); as many reals as lanes.
        unsafe { Self(_mm256_loadu_pd(lanes.as_ptr())) }
    }

    #[inline(always)]
    fn as_slice(&self) -> &[f64] {
        bytemuck::cast_slice(core::slice::from_ref(self))
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        // SAFETY: the processor has the set (module documentation).
        unsafe { Self(_mm256_sqrt_pd(self.0)) }
    }

    #[inline(always)]
    fn select_less(self, other: Self, less: Self, otherwise: Self) -> Self {
        // SAFETY: the processor has the set (module documentation).
        unsafe { Self(_mm256_blendv_pd(otherwise.0, less.0, _mm256_cmp_pd::<_CMP_LT_OQ>(self.0, other.0))) }
    }

    #[inline(always)]
    fn exponent_scale(self) -> Self {
        // SAFETY: the processor has the set (module documentation).
        unsafe { Self(_mm256_castsi256_pd(_mm256_slli_epi64::<52>(_mm256_castpd_si256(self.0)))) }
    }

    #[inline(always)]
    fn at_most(self, limit: Self) -> Self {
        // MINPD is limit < self ? limit : self, of zeros and NaN too.
        // SAFETY: the processor has the set (module documentation).
        unsafe { Self(_mm256_min_pd(limit.0, self.0)) }
    }

    #[inline(always)]
    fn vectorize<T>(f: impl FnOnce() -> T) -> T {
        #[target_feature(enable = "avx2")]
        fn call<T>(f: impl FnOnce() -> T) -> T {
            f()
        }
        // SAFETY: the processor has the set (module documentation).
        unsafe { call(f) }
    }

    #[inline(always)]
    fn rows<const C: usize>(rows: &Rows<'_, f64, C>, z: Self) -> ([Self; C], Self) {
        const { assert!(C.is_multiple_of(4)) };
        let (index, middle) = Self::locate(rows, z);
        let mut coefficients = [z; C];
        for first in (0..C).step_by(4) {
            // SAFETY: every index is below the number of rows, `first + 4` at most the length of one.
            let quads = index.map(|i| unsafe { rows.as_ptr().add(i as usize * C + first) });
            // SAFETY: the processor has the set (module documentation); four reals lie at each pointer.
            let columns = unsafe { Self::columns(quads) };
            coefficients[first..first + 4].copy_from_slice(&columns);
        }
        (coefficients, middle)
    }

    #[inline(always)]
    fn row_middles<const C: usize>(rows: &Rows<'_, Self::Real, C>, z: Self) -> Self {
        Self::locate(rows, z).1
    }

    #[inline(always)]
    fn add_to_rows<const C: usize>(
        rows: &Rows<'_, f64, C>,
        z: Self,
        terms: &[Self; C],
        sums: &mut [[f64; C]],
    ) {
        let (index, _) = Self::locate(rows, z);
        for first in (0..C).step_by(4) {
            let quad: [__m256d; 4] = core::array::from_fn(|k| terms[first + k].0);
            // SAFETY: the processor has the set (module documentation).
            let lanes = unsafe { transpose_f64(quad) };
            for (i, lane) in index.into_iter().zip(lanes) {
                let sum = &mut sums[i as usize][first..first + 4];
                // SAFETY: as above; the slice has four reals.
                unsafe {
                    _mm256_storeu_pd(sum.as_mut_ptr(), _mm256_add_pd(_mm256_loadu_pd(sum.as_ptr()), lane))
                };
            }
        }
    }
}

impl Avx2F32 {
    #[inline(always)]
    unsafe fn flip(self, bits: u32) -> __m256 {
        // SAFETY: the processor has the set (module documentation).
        unsafe {
            _mm256_castsi256_ps(_mm256_xor_si256(_mm256_castps_si256(self.0), _mm256_set1_epi32(bits as i32)))
        }
    }

    /// Row number of each lane, at most the last: safe for any `z`; and the middle of its cell.
    #[inline(always)]
    fn locate<const C: usize>(rows: &Rows<'_, f32, C>, z: Self) -> ([u32; 8], Self) {
        // SAFETY: the processor has the set (module documentation); eight words each are there; same size.
        unsafe {
            let bits = _mm256_castps_si256(z.0);
            let segment = _mm256_srl_epi32(bits, _mm_cvtsi32_si128(rows.segment_bits() as i32));
            let free = _mm256_permutevar8x32_epi32(_mm256_loadu_si256(rows.free().as_ptr().cast()), segment);
            let offset =
                _mm256_permutevar8x32_epi32(_mm256_loadu_si256(rows.offsets().as_ptr().cast()), segment);
            let leading = _mm256_srlv_epi32(bits, free);
            let index = _mm256_add_epi32(_mm256_srli_epi32::<1>(leading), offset);
            let index = _mm256_min_epu32(index, _mm256_set1_epi32(rows.last() as i32));
            let middle = _mm256_sllv_epi32(_mm256_or_si256(leading, _mm256_set1_epi32(1)), free);
            (core::mem::transmute::<__m256i, [u32; 8]>(index), Self(_mm256_castsi256_ps(middle)))
        }
    }

    /// Four reals from each pointer, transposed: column k holds the k-th of each lane's.
    ///
    /// # Safety
    /// The processor has AVX2; four reals are readable at each pointer.
    #[inline(always)]
    unsafe fn columns(quads: [*const f32; 8]) -> [Self; 4] {
        // SAFETY: by contract.
        unsafe {
            // Lanes i and i + 4 share a register, so that no shuffle has to cross its halves.
            let pair = |i: usize| {
                let low = _mm256_castps128_ps256(_mm_loadu_ps(quads[i]));
                _mm256_insertf128_ps::<1>(low, _mm_loadu_ps(quads[i + 4]))
            };
            let [a, b, c, d] = [pair(0), pair(1), pair(2), pair(3)];
            let (ab_low, ab_high) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
            let (cd_low, cd_high) = (_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
            [
                Self(_mm256_shuffle_ps::<0b01_00_01_00>(ab_low, cd_low)),
                Self(_mm256_shuffle_ps::<0b11_10_11_10>(ab_low, cd_low)),
                Self(_mm256_shuffle_ps::<0b01_00_01_00>(ab_high, cd_high)),
                Self(_mm256_shuffle_ps::<0b11_10_11_10>(ab_high, cd_high)),
            ]
        }
    }
}

impl Lanes for Avx2F32 {
    type Real = f32;
    type Double = Avx2F64;
    const WIDTH: usize = 8;

    #[inline(always)]
    fn splat(value: f32) -> Self {
        // SAFETY: the processor has the set (module documentation).
        unsafe { Self(_mm256_set1_ps(value)) }
    }

    #[inline(always)]
    fn from_fn(value: impl FnMut(usize) -> f32) -> Self {
        let lanes: [f32; 8] = core::array::from_fn(value);
        // SAFETY: the processor has the set (module documentation); as many reals as lanes.
        unsafe { Self(_mm256_loadu_ps(lanes.as_ptr())) }
    }

    #[inline(always)]
    fn as_slice(&self) -> &[f32] {
        bytemuck::cast_slice(core::slice::from_ref(self))
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        // SAFETY: the processor has the set (module documentation).
        unsafe { Self(_mm256_sqrt_ps(self.0)) }
    }

    #[inline(always)]
    fn select_less(self, other: Self, less: Self, otherwise: Self) -> Self {
        // SAFETY: the processor has the set (module documentation).
        unsafe { Self(_mm256_blendv_ps(otherwise.0, less.0, _mm256_cmp_ps::<_CMP_LT_OQ>(self.0, other.0))) }
    }

    #[inline(always)]
    fn exponent_scale(self) -> Self {
        // SAFETY: the processor has the set (module documentation).
        unsafe { Self(_mm256_castsi256_ps(_mm256_slli_epi32::<23>(_mm256_castps_si256(self.0)))) }
    }

    #[inline(always)]
    fn at_most(self, limit: Self) -> Self {
        // MINPD is limit < self ? limit : self, of zeros and NaN too.
        // SAFETY: the processor has the set (module documentation).
        unsafe { Self(_mm256_min_ps(limit.0, self.0)) }
    }

    #[inline(always)]
    fn vectorize<T>(f: impl FnOnce() -> T) -> T {
        #[target_feature(enable = "avx2")]
        fn call<T>(f: impl FnOnce() -> T) -> T {
            f()
        }
        // SAFETY: the processor has the set (module documentation).
        unsafe { call(f) }
    }

    #[inline(always)]
    fn rows<const C: usize>(rows: &Rows<'_, f32, C>, z: Self) -> ([Self; C], Self) {
        const { assert!(C.is_multiple_of(4)) };
        let (index, middle) = Self::locate(rows, z);
        let mut coefficients = [z; C];
        for first in (0..C).step_by(4) {
            // SAFETY: every index is below the number of rows, `first + 4` at most the length of one.
            let quads = index.map(|i| unsafe { rows.as_ptr().add(i as usize * C + first) });
            // SAFETY: the processor has the set (module documentation); four reals lie at each pointer.
            let columns = unsafe { Self::columns(quads) };
            coefficients[first..first + 4].copy_from_slice(&columns);
        }
        (coefficients, middle)
    }

    #[inline(always)]
    fn row_middles<const C: usize>(rows: &Rows<'_, Self::Real, C>, z: Self) -> Self {
        Self::locate(rows, z).1
    }

    #[inline(always)]
    fn add_to_rows<const C: usize>(
        rows: &Rows<'_, f32, C>,
        z: Self,
        terms: &[Self; C],
        sums: &mut [[f32; C]],
    ) {
        let (index, _) = Self::locate(rows, z);
        for first in (0..C).step_by(4) {
            let [a, b, c, d]: [__m256; 4] = core::array::from_fn(|k| terms[first + k].0);
            // SAFETY: the processor has the set (module documentation).
            let lanes: [__m256; 4] = unsafe {
                let (ab_low, ab_high) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
                let (cd_low, cd_high) = (_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
                [
                    _mm256_shuffle_ps::<0b01_00_01_00>(ab_low, cd_low),
                    _mm256_shuffle_ps::<0b11_10_11_10>(ab_low, cd_low),
                    _mm256_shuffle_ps::<0b01_00_01_00>(ab_high, cd_high),
                    _mm256_shuffle_ps::<0b11_10_11_10>(ab_high, cd_high),
                ]
            };
            for (lane, i) in index.into_iter().enumerate() {
                let sum = &mut sums[i as usize][first..first + 4];
                // SAFETY: as above; the slice has four reals.
                unsafe {
                    let both = lanes[lane % 4];
                    let term = if lane < 4 {
                        _mm256_castps256_ps128(both)
                    } else {
                        _mm256_extractf128_ps::<1>(both)
                    };
                    _mm_storeu_ps(sum.as_mut_ptr(), _mm_add_ps(_mm_loadu_ps(sum.as_ptr()), term));
                }
            }
        }
    }
}

impl Avx512F64 {
    #[inline(always)]
    unsafe fn flip(self, bits: u64) -> __m512d {
        // SAFETY: the processor has the set (module documentation).
        unsafe {
            _mm512_castsi512_pd(_mm512_xor_si512(_mm512_castpd_si512(self.0), _mm512_set1_epi64(bits as i64)))
        }
    }

    /// Row number of each lane, at most the last: safe for any `z`; and the middle of its cell.
    #[inline(always)]
    fn locate<const C: usize>(rows: &Rows<'_, f64, C>, z: Self) -> ([u64; 8], Self) {
        // SAFETY: the processor has the set (module documentation); eight words each are there; same size.
        unsafe {
            let bits = _mm512_castpd_si512(z.0);
            let segment = _mm512_srl_epi64(bits, _mm_cvtsi32_si128(rows.segment_bits() as i32));
            let free = _mm512_and_si512(
                _mm512_permutexvar_epi32(
                    segment,
                    _mm512_broadcast_i64x4(_mm256_loadu_si256(rows.free().as_ptr().cast())),
                ),
                _mm512_set1_epi64(LOW_WORD),
            );
            let offset = _mm512_permutexvar_epi32(
                segment,
                _mm512_broadcast_i64x4(_mm256_loadu_si256(rows.offsets().as_ptr().cast())),
            );
            let leading = _mm512_srlv_epi64(bits, free);
            let index = _mm512_add_epi32(_mm512_srli_epi64::<1>(leading), offset);
            let index = _mm512_min_epu32(index, _mm512_set1_epi64(i64::from(rows.last())));
            let middle = _mm512_sllv_epi64(_mm512_or_si512(leading, _mm512_set1_epi64(1)), free);
            (core::mem::transmute::<__m512i, [u64; 8]>(index), Self(_mm512_castsi512_pd(middle)))
        }
    }

    /// Four reals from each pointer, transposed: column k holds the k-th of each lane's.
    ///
    /// # Safety
    /// The processor has AVX-512; four reals are readable at each pointer.
    #[inline(always)]
    unsafe fn columns(quads: [*const f64; 8]) -> [Self; 4] {
        // SAFETY: by contract.
        unsafe {
            let pair = |i: usize| {
                let low = _mm512_castpd256_pd512(_mm256_loadu_pd(quads[i]));
                _mm512_insertf64x4::<1>(low, _mm256_loadu_pd(quads[i + 4]))
            };
            let [a, b, c, d] = [pair(0), pair(1), pair(2), pair(3)];
            let (ab_low, ab_high) = (_mm512_unpacklo_pd(a, b), _mm512_unpackhi_pd(a, b));
            let (cd_low, cd_high) = (_mm512_unpacklo_pd(c, d), _mm512_unpackhi_pd(c, d));
            let front = _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13);
            let back = _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15);
            [
                Self(_mm512_permutex2var_pd(ab_low, front, cd_low)),
                Self(_mm512_permutex2var_pd(ab_high, front, cd_high)),
                Self(_mm512_permutex2var_pd(ab_low, back, cd_low)),
                Self(_mm512_permutex2var_pd(ab_high, back, cd_high)),
            ]
        }
    }
}

impl Lanes for Avx512F64 {
    type Real = f64;
    type Double = Avx512F64;
    const WIDTH: usize = 8;

    #[inline(always)]
    fn splat(value: f64) -> Self {
        // SAFETY: the processor has the set (module documentation).
        unsafe { Self(_mm512_set1_pd(value)) }
    }

    #[inline(always)]
    fn from_fn(value: impl FnMut(usize) -> f64) -> Self {
        let lanes: [f64; 8] = core::array::from_fn(value);
        // SAFETY: the processor has the set (module documentation); as many reals as lanes.
        unsafe { Self(_mm512_loadu_pd(lanes.as_ptr())) }
    }

    #[inline(always)]
    fn as_slice(&self) -> &[f64] {
        bytemuck::cast_slice(core::slice::from_ref(self))
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        // SAFETY: the processor has the set (module documentation).
        unsafe { Self(_mm512_sqrt_pd(self.0)) }
    }

    #[inline(always)]
    fn select_less(self, other: Self, less: Self, otherwise: Self) -> Self {
        // SAFETY: the processor has the set (module documentation).
        unsafe {
            Self(_mm512_mask_blend_pd(_mm512_cmp_pd_mask::<_CMP_LT_OQ>(self.0, other.0), otherwise.0, less.0))
        }
    }

    #[inline(always)]
    fn exponent_scale(self) -> Self {
        // SAFETY: the processor has the set (module documentation).
        unsafe { Self(_mm512_castsi512_pd(_mm512_slli_epi64::<52>(_mm512_castpd_si512(self.0)))) }
    }

    #[inline(always)]
    fn at_most(self, limit: Self) -> Self {
        // MINPD is limit < self ? limit : self, of zeros and NaN too.
        // SAFETY: the processor has the set (module documentation).
        unsafe { Self(_mm512_min_pd(limit.0, self.0)) }
    }

    #[inline(always)]
    fn vectorize<T>(f: impl FnOnce() -> T) -> T {
        #[target_feature(enable = "avx2,avx512f")]
        fn call<T>(f: impl FnOnce() -> T) -> T {
            f()
        }
        // SAFETY: the processor has the set (module documentation).
        unsafe { call(f) }
    }

    #[inline(always)]
    fn rows<const C: usize>(rows: &Rows<'_, f64, C>, z: Self) -> ([Self; C], Self) {
        const { assert!(C.is_multiple_of(4)) };
        let (index, middle) = Self::locate(rows, z);
        let mut coefficients = [z; C];
        for first in (0..C).step_by(4) {
            // SAFETY: every index is below the number of rows, `first + 4` at most the length of one.
            let quads = index.map(|i| unsafe { rows.as_ptr().add(i as usize * C + first) });
            // SAFETY: the processor has the set (module documentation); four reals lie at each pointer.
            let columns = unsafe { Self::columns(quads) };
            coefficients[first..first + 4].copy_from_slice(&columns);
        }
        (coefficients, middle)
    }

    #[inline(always)]
    fn row_middles<const C: usize>(rows: &Rows<'_, Self::Real, C>, z: Self) -> Self {
        Self::locate(rows, z).1
    }
}

impl Avx512F32 {
    #[inline(always)]
    unsafe fn flip(self, bits: u32) -> __m512 {
        // SAFETY: the processor has the set (module documentation).
        unsafe {
            _mm512_castsi512_ps(_mm512_xor_si512(_mm512_castps_si512(self.0), _mm512_set1_epi32(bits as i32)))
        }
    }

    /// Row number of each lane, at most the last: safe for any `z`; and the middle of its cell.
    #[inline(always)]
    fn locate<const C: usize>(rows: &Rows<'_, f32, C>, z: Self) -> ([u32; 16], Self) {
        // SAFETY: the processor has the set (module documentation); eight words each are there; same size.
        unsafe {
            let bits = _mm512_castps_si512(z.0);
            let segment = _mm512_srl_epi32(bits, _mm_cvtsi32_si128(rows.segment_bits() as i32));
            let free = _mm512_permutexvar_epi32(
                segment,
                _mm512_broadcast_i64x4(_mm256_loadu_si256(rows.free().as_ptr().cast())),
            );
            let offset = _mm512_permutexvar_epi32(
                segment,
                _mm512_broadcast_i64x4(_mm256_loadu_si256(rows.offsets().as_ptr().cast())),
            );
            let leading = _mm512_srlv_epi32(bits, free);
            let index = _mm512_add_epi32(_mm512_srli_epi32::<1>(leading), offset);
            let index = _mm512_min_epu32(index, _mm512_set1_epi32(rows.last() as i32));
            let middle = _mm512_sllv_epi32(_mm512_or_si512(leading, _mm512_set1_epi32(1)), free);
            (core::mem::transmute::<__m512i, [u32; 16]>(index), Self(_mm512_castsi512_ps(middle)))
        }
    }

    /// Four reals from each pointer, transposed: column k holds the k-th of each lane's.
    ///
    /// # Safety
    /// The processor has AVX-512; four reals are readable at each pointer.
    #[inline(always)]
    unsafe fn columns(quads: [*const f32; 16]) -> [Self; 4] {
        // SAFETY: by contract.
        unsafe {
            let four = |i: usize| {
                let one = _mm512_castps128_ps512(_mm_loadu_ps(quads[i]));
                let two = _mm512_insertf32x4::<1>(one, _mm_loadu_ps(quads[i + 4]));
                let three = _mm512_insertf32x4::<2>(two, _mm_loadu_ps(quads[i + 8]));
                _mm512_insertf32x4::<3>(three, _mm_loadu_ps(quads[i + 12]))
            };
            let [a, b, c, d] = [four(0), four(1), four(2), four(3)];
            let (ab_low, ab_high) = (_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
            let (cd_low, cd_high) = (_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
            [
                Self(_mm512_shuffle_ps::<0b01_00_01_00>(ab_low, cd_low)),
                Self(_mm512_shuffle_ps::<0b11_10_11_10>(ab_low, cd_low)),
                Self(_mm512_shuffle_ps::<0b01_00_01_00>(ab_high, cd_high)),
                Self(_mm512_shuffle_ps::<0b11_10_11_10>(ab_high, cd_high)),
            ]
        }
    }
}

impl Lanes for Avx512F32 {
    type Real = f32;
    type Double = Avx512F64;
    const WIDTH: usize = 16;

    #[inline(always)]
    fn splat(value: f32) -> Self {
        // SAFETY: the processor has the set (module documentation).
        unsafe { Self(_mm512_set1_ps(value)) }
    }

    #[inline(always)]
    fn from_fn(value: impl FnMut(usize) -> f32) -> Self {
        let lanes: [f32; 16] = core::array::from_fn(value);
        // SAFETY: the processor has the set (module documentation); as many reals as lanes.
        unsafe { Self(_mm512_loadu_ps(lanes.as_ptr())) }
    }

    #[inline(always)]
    fn as_slice(&self) -> &[f32] {
        bytemuck::cast_slice(core::slice::from_ref(self))
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        // SAFETY: the processor has the set (module documentation).
        unsafe { Self(_mm512_sqrt_ps(self.0)) }
    }

    #[inline(always)]
    fn select_less(self, other: Self, less: Self, otherwise: Self) -> Self {
        // SAFETY: the processor has the set (module documentation).
        unsafe {
            Self(_mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_LT_OQ>(self.0, other.0), otherwise.0, less.0))
        }
    }

    #[inline(always)]
    fn exponent_scale(self) -> Self {
        // SAFETY: the processor has the set (module documentation).
        unsafe { Self(_mm512_castsi512_ps(_mm512_slli_epi32::<23>(_mm512_castps_si512(self.0)))) }
    }

    #[inline(always)]
    fn at_most(self, limit: Self) -> Self {
        // MINPD is limit < self ? limit : self, of zeros and NaN too.
        // SAFETY: the processor has the set (module documentation).
        unsafe { Self(_mm512_min_ps(limit.0, self.0)) }
    }

    #[inline(always)]
    fn vectorize<T>(f: impl FnOnce() -> T) -> T {
        #[target_feature(enable = "avx2,avx512f")]
        fn call<T>(f: impl FnOnce() -> T) -> T {
            f()
        }
        // SAFETY: the processor has the set (module documentation).
        unsafe { call(f) }
    }

    #[inline(always)]
    fn rows<const C: usize>(rows: &Rows<'_, f32, C>, z: Self) -> ([Self; C], Self) {
        const { assert!(C.is_multiple_of(4)) };
        let (index, middle) = Self::locate(rows, z);
        let mut coefficients = [z; C];
        for first in (0..C).step_by(4) {
            // SAFETY: every index is below the number of rows, `first + 4` at most the length of one.
            let quads = index.map(|i| unsafe { rows.as_ptr().add(i as usize * C + first) });
            // SAFETY: the processor has the set (module documentation); four reals lie at each pointer.
            let columns = unsafe { Self::columns(quads) };
            coefficients[first..first + 4].copy_from_slice(&columns);
        }
        (coefficients, middle)
    }

    #[inline(always)]
    fn row_middles<const C: usize>(rows: &Rows<'_, Self::Real, C>, z: Self) -> Self {
        Self::locate(rows, z).1
    }
}

/// The transpose of a 4 x 4 matrix.
///
/// # Safety
/// The processor has AVX2.
#[inline(always)]
unsafe fn transpose_f64([a, b, c, d]: [__m256d; 4]) -> [__m256d; 4] {
    // SAFETY: by contract.
    unsafe {
        let (ab_low, ab_high) = (_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b));
        let (cd_low, cd_high) = (_mm256_unpacklo_pd(c, d), _mm256_unpackhi_pd(c, d));
        [
            _mm256_permute2f128_pd::<0x20>(ab_low, cd_low),
            _mm256_permute2f128_pd::<0x20>(ab_high, cd_high),
            _mm256_permute2f128_pd::<0x31>(ab_low, cd_low),
            _mm256_permute2f128_pd::<0x31>(ab_high, cd_high),
        ]
    }
}
