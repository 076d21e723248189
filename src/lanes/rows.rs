//! Rows of polynomial coefficients, found by the leading bits of a number.

use super::{Lanes, Real};

/// A table whose cells are octaves cut into equal parts: cell widths double with every power of two.
///
/// The bits of `z` above the lowest `low_bits` of its mantissa, counted from those of `first`, number the cell:
/// one shift and one subtraction.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a, R, const C: usize> {
    rows: &'a [[R; C]],
    last_row: &'a [R; C],
    low_bits: u32,
    base: u64,
}

impl<'a, R: Real, const C: usize> Rows<'a, R, C> {
    /// The table of `rows` whose cell 0 begins at `first`; `low_bits` of the mantissa vary within a cell.
    ///
    /// `None` without rows, or where `low_bits` is 0 or exceeds the mantissa.
    pub fn new(rows: &'a [[R; C]], first: R, low_bits: u32) -> Option<Self> {
        let last_row = rows.last()?;
        let valid = low_bits > 0 && low_bits <= R::MANTISSA_BITS;
        valid.then(|| Rows { rows, last_row, low_bits, base: first.bits() >> low_bits })
    }

    /// Number of the cell in which `z` lies; the last one where `z` lies outside the table or is NaN.
    #[inline(always)]
    pub fn index(&self, z: R) -> usize {
        self.number(z).min(self.last()) as usize
    }

    /// As [`Rows::index`], but beyond the last one where `z` lies outside the table or is NaN.
    #[inline(always)]
    fn number(&self, z: R) -> u64 {
        (z.bits() >> self.low_bits).wrapping_sub(self.base)
    }

    /// The middle of the cell in which `z` lies, NaN or infinite where `z` is.
    #[inline(always)]
    pub fn middle(&self, z: R) -> R {
        R::from_bits(z.bits() & self.mask() | self.half())
    }

    /// The coefficients of the cell in which `z` lies.
    #[inline(always)]
    fn row(&self, z: R) -> &[R; C] {
        let number = usize::try_from(self.number(z)).unwrap_or(usize::MAX);
        self.rows.get(number).unwrap_or(self.last_row)
    }

    /// The highest row number.
    #[inline(always)]
    pub(super) fn last(&self) -> u64 {
        (self.rows.len() - 1) as u64
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    pub(super) fn low_bits(&self) -> u32 {
        self.low_bits
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    pub(super) fn base(&self) -> u64 {
        self.base
    }

    /// The bits that all numbers of a cell share.
    #[inline(always)]
    pub(super) fn mask(&self) -> u64 {
        u64::MAX << self.low_bits
    }

    /// The bit that leads from a cell's beginning to its middle.
    #[inline(always)]
    pub(super) fn half(&self) -> u64 {
        1 << (self.low_bits - 1)
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    pub(super) fn as_ptr(&self) -> *const R {
        self.rows.as_ptr().cast()
    }
}

/// Row by row, without the help of an instruction set: `([coefficient of each power], middle of the cell)`.
#[inline(always)]
pub(super) fn gather_rows<V: Lanes, const C: usize>(rows: &Rows<'_, V::Real, C>, z: V) -> ([V; C], V) {
    let found: [&[V::Real; C]; MOST_LANES] =
        core::array::from_fn(|lane| if lane < V::WIDTH { rows.row(z.lane(lane)) } else { rows.last_row });
    let coefficients = core::array::from_fn(|power| V::from_fn(|lane| found[lane][power]));
    (coefficients, V::row_middles(rows, z))
}

/// Adds each lane's terms to the row of `sums` in whose cell `z` lies, lane by lane in order.
#[inline(always)]
pub(super) fn scatter_rows<V: Lanes, const C: usize>(
    rows: &Rows<'_, V::Real, C>,
    z: V,
    terms: &[V; C],
    sums: &mut [[V::Real; C]],
) {
    for lane in 0..V::WIDTH {
        let row = &mut sums[rows.index(z.lane(lane))];
        for (sum, term) in row.iter_mut().zip(terms) {
            *sum += term.lane(lane);
        }
    }
}

/// Lanes of the widest vector.
const MOST_LANES: usize = 16;
