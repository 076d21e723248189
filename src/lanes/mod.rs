//! Fixed-width vectors: one sample per lane, the same operation order in every lane.
//!
//! Everything above this module is generic over [`Lanes`] and therefore over `f32` and `f64`. A lane never
//! looks at its neighbours (there is no horizontal operation), so a sample's bits do not depend on which other
//! samples share the vector, on the batch size, or on the instruction set.
//!
//! [`Isa`] chooses the instruction set at run time: a job that is generic over its vectors ([`Vectorized`]) runs on
//! those of the best set that the processor has, and its loops, inside of [`Lanes::vectorize`], are compiled for it.
//!
//! What is taken from the `wide` crate: its `f64x4` and `f32x8`, as the vectors of [`Isa::Baseline`] (SSE2 on x86-64,
//! NEON on aarch64, arrays elsewhere), and of those only loads, `+ - * /`, `sqrt`, comparisons, bit selection and
//! integer shifts, which are exact or correctly rounded everywhere. What is not: its `mul_add`, `exp`, `reduce_*`,
//! `min` and `max`, which differ between builds; and its AVX2 and AVX-512, because it chooses the instruction set when
//! it is compiled. In one binary for any x86-64, a pair-evaluation of the compiled LJ-13 flow costs 16.8 cycles on
//! `wide`'s SSE2, 11.1 on our AVX2 and 10.4 on our AVX-512 vectors (f64; 11.7, 4.2 and 4.3 in f32; Zen 4).

mod block;
mod exponential;
mod gather;
mod isa;
mod portable;
mod real;
mod rows;
mod scalar;
mod slices;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use block::Block;
pub use exponential::{exp2_neg, exp2_neg_each};
pub use gather::gather;
pub use isa::{Isa, Vectorized};
pub use real::Real;
pub use rows::{FINEST, Rows, SEGMENTS, Segments};
#[cfg(feature = "std")]
pub(crate) use slices::COMPLETE;
pub(crate) use slices::{at, at_mut, check, copy, part, part_mut, split, split_each, vectors, vectors_mut};

use core::ops::{Add, AddAssign, Div, Mul, Neg, Sub, SubAssign};

/// A vector of [`Lanes::WIDTH`] reals on which arithmetic acts lane by lane.
pub trait Lanes:
    bytemuck::Pod
    + Default
    + Send
    + Sync
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
    /// Doubles on the same instruction set.
    type Double: Lanes<Real = f64>;
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

    /// Runs `f` with the instruction set of this vector type: all arithmetic of a loop belongs into one such call.
    ///
    /// What `f` calls is compiled for that set where it is inlined. `f` itself has to be marked
    /// `#[inline(always)]`; whatever is not inlined is as right, and slow.
    #[inline(always)]
    fn vectorize<T>(f: impl FnOnce() -> T) -> T {
        f()
    }

    /// The coefficients of the rows in whose cells `z` lies, power by power, and the middles of the cells.
    ///
    /// `C` is a multiple of 4.
    #[inline(always)]
    fn rows<const C: usize>(rows: &Rows<'_, Self::Real, C>, z: Self) -> ([Self; C], Self) {
        rows::gather_rows(rows, z)
    }

    /// The middles of the cells in which `z` lies.
    #[inline(always)]
    fn row_middles<const C: usize>(rows: &Rows<'_, Self::Real, C>, z: Self) -> Self {
        Self::from_fn(|lane| rows.locate(z.lane(lane)).1)
    }

    /// Adds each lane's `terms` to the row of `sums` in whose cell `z` lies, lane by lane in order.
    ///
    /// # Panics
    /// Where `sums` is shorter than the table.
    #[inline(always)]
    fn add_to_rows<const C: usize>(
        rows: &Rows<'_, Self::Real, C>,
        z: Self,
        terms: &[Self; C],
        sums: &mut [[Self::Real; C]],
    ) {
        rows::scatter_rows(rows, z, terms, sums);
    }

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

    /// The absolute value.
    #[inline(always)]
    fn magnitude(self) -> Self {
        self.select_less(Self::zero(), -self, self)
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
