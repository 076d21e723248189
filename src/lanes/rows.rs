//! Rows of polynomial coefficients, found by the leading bits of a number.

use super::{Lanes, Real};

/// Parts of the axis that have cells of their own width: as many as a vector register of AVX2 has words.
pub const SEGMENTS: usize = 8;
/// An octave has at most two to this power cells.
pub const FINEST: u32 = 16;

/// How the axis of z >= 1 is cut into cells: octaves into segments of equal length, each segment into equal cells.
///
/// Within a segment the leading bits of z number the cells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Segments {
    /// 2^log2_per_octave segments make an octave.
    log2_per_octave: u32,
    /// An octave of each segment would have 2^splits cells.
    splits: [u32; SEGMENTS],
}

/// [`Segments`] in precision `R`: for each segment, in the order of the bits of z that number the segments.
#[derive(Clone, Copy, Debug)]
struct Places {
    /// By how much to shift the bits of z to get the segment's number; only the low bits of that are looked at.
    segment_bits: u32,
    /// One less than the bits of z that vary within a cell.
    free: [u32; SEGMENTS],
    /// To be added to the other bits, for the number of the row.
    offsets: [u32; SEGMENTS],
}

impl Segments {
    /// Segments of which an octave would have 2^splits cells; at least one cell a segment, and 2^[`FINEST`] an octave at
    /// most.
    pub fn new(log2_per_octave: u32, splits: [u32; SEGMENTS]) -> Self {
        let splits = splits.map(|split| split.max(log2_per_octave).min(FINEST));
        Segments { log2_per_octave, splits }
    }

    /// Start and length of cell number `index`, in z.
    pub fn cell(&self, index: usize) -> [f64; 2] {
        let segment_bits = f64::MANTISSA_BITS - self.log2_per_octave;
        let (mut before, mut start, mut free) = (index, 1.0_f64.to_bits(), 0);
        for split in self.splits {
            free = f64::MANTISSA_BITS - split;
            let cells = 1 << (split - self.log2_per_octave);
            if before < cells {
                break;
            }
            before -= cells;
            start += 1 << segment_bits;
        }
        let at = |index: usize| f64::from_bits(start + ((index as u64) << free));
        [at(before), at(before + 1) - at(before)]
    }

    /// Where segment number `number` starts; [`SEGMENTS`] is where the last one ends.
    pub fn start(&self, number: usize) -> f64 {
        f64::from_bits(1.0_f64.to_bits() + ((number as u64) << (f64::MANTISSA_BITS - self.log2_per_octave)))
    }

    /// Number of the cell in which z lies.
    pub fn position(&self, z: f64) -> usize {
        self.places::<f64>().locate(z).0 as usize
    }

    fn places<R: Real>(&self) -> Places {
        const { assert!(FINEST < R::MANTISSA_BITS, "some bits vary within a cell") };
        let segment_bits = R::MANTISSA_BITS - self.log2_per_octave;
        let one = R::constant(1.0).bits();
        let first_segment = (one >> segment_bits) as usize;
        let (mut free, mut offsets) = ([0; SEGMENTS], [0; SEGMENTS]);
        let mut first_row = 0_u32;
        for (number, split) in self.splits.into_iter().enumerate() {
            let varying = R::MANTISSA_BITS - split;
            let start = one + ((number as u64) << segment_bits);
            let place = (first_segment + number) % SEGMENTS;
            free[place] = varying - 1;
            offsets[place] = first_row.wrapping_sub((start >> varying) as u32);
            first_row += 1 << (split - self.log2_per_octave);
        }
        Places { segment_bits, free, offsets }
    }
}

impl Places {
    /// Row number and the middle of the cell in which z lies; NaN or infinite where z is.
    #[inline(always)]
    fn locate<R: Real>(&self, z: R) -> (u32, R) {
        let place = (z.bits() >> self.segment_bits) as usize % SEGMENTS;
        // The bits that all numbers of the cell share, and the one that leads to its middle.
        let leading = z.bits() >> self.free[place];
        let row = ((leading >> 1) as u32).wrapping_add(self.offsets[place]);
        (row, R::from_bits((leading | 1) << self.free[place]))
    }
}

/// A table whose rows belong to the cells of [`Segments`].
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a, R, const C: usize> {
    rows: &'a [[R; C]],
    last_row: &'a [R; C],
    places: Places,
}

impl<'a, R: Real, const C: usize> Rows<'a, R, C> {
    /// The table of `rows`, one a cell; `None` without rows.
    pub fn new(rows: &'a [[R; C]], segments: &Segments) -> Option<Self> {
        Some(Rows { rows, last_row: rows.last()?, places: segments.places::<R>() })
    }

    /// Number of the cell in which `z` lies, the last one where `z` lies outside the table or is NaN; and the middle of
    /// the cell.
    #[inline(always)]
    pub fn locate(&self, z: R) -> (usize, R) {
        let (row, middle) = self.places.locate(z);
        (row.min(self.last()) as usize, middle)
    }

    /// The coefficients of the cell in which `z` lies.
    #[inline(always)]
    fn row(&self, z: R) -> &[R; C] {
        self.rows.get(self.places.locate(z).0 as usize).unwrap_or(self.last_row)
    }

    /// The highest row number.
    #[inline(always)]
    pub(super) fn last(&self) -> u32 {
        (self.rows.len() - 1) as u32
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    pub(super) fn segment_bits(&self) -> u32 {
        self.places.segment_bits
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    pub(super) fn free(&self) -> &[u32; SEGMENTS] {
        &self.places.free
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    pub(super) fn offsets(&self) -> &[u32; SEGMENTS] {
        &self.places.offsets
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
    // Places are computed again for the middles: keeping them was slower with SSE2.
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
        let row = &mut sums[rows.locate(z.lane(lane)).0];
        for (sum, term) in row.iter_mut().zip(terms) {
            *sum += term.lane(lane);
        }
    }
}

/// Lanes of the widest vector.
const MOST_LANES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    /// Cells of many widths, some segments of one cell.
    fn segments(log2_per_octave: u32) -> Segments {
        Segments::new(log2_per_octave, [9, 3, 7, 0, 12, 5, 11, 4])
    }

    /// z just inside both ends of a cell, in its middle, and that middle.
    fn points<R: Real>(segments: &Segments, index: usize) -> ([R; 3], R) {
        let [start, width] = segments.cell(index);
        let last = R::from_bits(R::from_f64(start + width).bits() - 1);
        let middle = R::from_f64(start + 0.5 * width);
        ([R::from_f64(start), middle, last], middle)
    }

    fn check<R: Real>(log2_per_octave: u32) {
        let segments = segments(log2_per_octave);
        let table = vec![[R::from_f64(0.0); 4]; 1 << 13];
        let rows = Rows::new(&table, &segments).unwrap();
        let (mut z, mut index) = (1.0, 0);
        while z < segments.start(SEGMENTS) {
            let (points, middle) = points::<R>(&segments, index);
            assert_eq!(points[0].to_f64(), z, "cell {index} begins where the one before ends");
            for point in points {
                assert_eq!(segments.position(point.to_f64()), index);
                let (row, found) = rows.locate(point);
                assert_eq!((row, found.to_f64()), (index, middle.to_f64()), "{point:?}");
            }
            z += segments.cell(index)[1];
            index += 1;
        }
        assert_eq!(z, 2.0_f64.powi(8 >> log2_per_octave));
        let nan = rows.locate(R::from_f64(f64::NAN));
        assert!(nan.0 < table.len() && nan.1.to_f64().is_nan());
    }

    #[test]
    fn cells_tile_the_axis_and_are_found_in_both_precisions() {
        for log2_per_octave in 0..=3 {
            check::<f64>(log2_per_octave);
            check::<f32>(log2_per_octave);
        }
    }

    #[test]
    fn cells_are_no_narrower_than_the_finest_and_no_longer_than_a_segment() {
        for (split, width) in [(99, 2.0_f64.powi(-(FINEST as i32))), (0, 0.25)] {
            assert_eq!(Segments::new(2, [split; SEGMENTS]).cell(3)[1], width);
        }
        assert!(Rows::<f64, 4>::new(&[], &segments(0)).is_none());
    }
}
