//! Where the cells of a compiled radial function lie.
//!
//! With y = scale d and z = 1 + y, the octaves `[2^o, 2^(o+1))` of z are cut into equal segments, and each segment into as
//! many equal cells as phi demands there ([`Segments`]). Few octaves make segments of about one length; many make short
//! ones where d is small. A last cell at infinity holds the constant that phi becomes.

use super::collapse::{Basis, SQRT_LOG2_E};
use super::demand::{Collapsed, Demand, Source};
use crate::lanes::{FINEST, Lanes, Real, SEGMENTS, Segments};

/// The polynomials' degree: `Cubic` rows are 4 reals, `Septic` rows 8, a cache line in double precision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Degree {
    /// Degree 3, for tolerances of single precision.
    Cubic,
    /// Degree 7.
    Septic,
}

impl Degree {
    /// Both, the lower first.
    pub const ALL: [Degree; 2] = [Degree::Cubic, Degree::Septic];

    /// Whether cells of this degree need not be too narrow for a tolerance.
    const fn serves(self, tolerance: f64) -> bool {
        match self {
            Degree::Cubic => tolerance >= 2e-8,
            Degree::Septic => true,
        }
    }

    /// Coefficients of a polynomial.
    pub const fn coefficients(self) -> usize {
        match self {
            Degree::Cubic => 4,
            Degree::Septic => 8,
        }
    }
}

/// Precision of the distances that a table will meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RadialPrecision {
    /// `f64`: any scale will do.
    Double,
    /// `f32`: the scale is a power of two, with which y is exact; its rounding would cost more than interpolation.
    Single,
}

/// The cells of a compiled radial function.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cells {
    /// Degree of the polynomials.
    pub degree: Degree,
    /// y / d.
    pub scale: f64,
    /// Where the cells lie on the axis of z.
    pub segments: Segments,
    /// Cells with a polynomial; one more is constant.
    pub count: usize,
    /// What polynomials may differ from phi by, of its largest magnitude.
    pub tolerance: f64,
}

/// One cell, in units of y = scale d.
#[derive(Clone, Copy, Debug)]
pub struct Cell {
    /// Left end.
    pub start: f64,
    /// Length.
    pub width: f64,
}

/// No table has more cells: 4 MiB a stage.
const MOST_CELLS: usize = 1 << 16;
/// The least regulariser beside which Gaussians may be cut off at 2^-900 = 1e-271 unnoticed.
const LEAST_EPS: f64 = 1e-250;
/// Binary logarithms of the segments an octave that are tried, and scales for each: 2^(-k/SCALES) of the largest.
const LOG2_PER_OCTAVE: [u32; 4] = [3, 2, 1, 0];
const SCALES: usize = 4;
/// Cells that the last segment has at least; all but one may be needed.
const LAST_CELLS: usize = 8;
/// Gaussians that are left out are this part of the tolerance: log-determinants want slopes that are better than it.
const NEGLIGIBLE: f64 = 1.0 / 65536.0;

impl Cells {
    /// For each degree the fewest cells that interpolate phi to `tolerance` (of its largest magnitude), by an estimate
    /// of what the Gaussians demand everywhere. A cubic table is read faster, a septic one is built faster.
    ///
    /// `None` where they would be too many, and for the normalised basis without a regulariser: phi has kinks there,
    /// where Gaussians are cut off, that no check of a few points is sure to see.
    pub fn candidates<V: Lanes<Real = f64>>(
        source: &impl Source,
        tolerance: f64,
        precision: RadialPrecision,
    ) -> [Option<Cells>; Degree::ALL.len()] {
        if source.basis() == Basis::Normalized && source.eps() < LEAST_EPS {
            return [None; Degree::ALL.len()];
        }
        let end = end(source, tolerance);
        let model = Collapsed::new::<V>(source, tolerance);
        Degree::ALL.map(|degree| {
            let demand = match degree {
                _ if !degree.serves(tolerance) => return None,
                Degree::Cubic => Demand::new::<V, 4>(&model, end),
                Degree::Septic => Demand::new::<V, 8>(&model, end),
            };
            let mut fewest: Option<Cells> = None;
            for log2_per_octave in LOG2_PER_OCTAVE {
                for scale in scales(log2_per_octave, end, precision) {
                    let cells = Cells::graded(degree, log2_per_octave, scale, end, &demand);
                    fewest = match (fewest, cells) {
                        (Some(fewest), Some(cells)) if cells.count < fewest.count => Some(cells),
                        (fewest, cells) => fewest.or(cells),
                    };
                }
            }
            fewest
        })
    }

    /// The fewest cells that are as narrow as `demand` wants in segments of this kind; `None` for too many.
    fn graded(degree: Degree, log2_per_octave: u32, scale: f64, end: f64, demand: &Demand) -> Option<Cells> {
        let empty = Segments::new(log2_per_octave, [0; SEGMENTS]);
        let mut splits = [0; SEGMENTS];
        for (number, split) in splits.iter_mut().enumerate() {
            let [from, until] = [number, number + 1].map(|number| (empty.start(number) - 1.0) / scale);
            let most = demand.most(from, until);
            // Cells of an octave as long as this segment's, of which the next power of two is wanted.
            let octave = most * libm::exp2((number >> log2_per_octave) as f64) / scale;
            *split = (octave.to_bits() >> 52).saturating_sub(1022) as u32;
        }
        // The constant cell is one of the last segment's.
        let [.., last] = &mut splits;
        let least = log2_per_octave + LAST_CELLS.ilog2();
        *last = if *last < least { least } else { *last };
        if splits.iter().any(|&split| split > FINEST) {
            return None;
        }
        let segments = Segments::new(log2_per_octave, splits);
        let count = segments.position(1.0 + scale * end) + 1;
        (count < MOST_CELLS).then_some(Cells { degree, scale, segments, count, tolerance: demand.tolerance })
    }

    /// Rows of a table: the cells and the constant.
    pub const fn rows(&self) -> usize {
        self.count + 1
    }

    /// Gaussians below 2^-bits of the norm are left out of the polynomials.
    pub fn bits(&self) -> f64 {
        -libm::log2(NEGLIGIBLE * self.tolerance)
    }

    /// Cell number `index`.
    pub fn cell(&self, index: usize) -> Cell {
        let [start, width] = self.segments.cell(index);
        Cell { start: start - 1.0, width }
    }

    /// y in the middle of the constant cell: where larger ones are cut off.
    pub fn end(&self) -> f64 {
        let cell = self.cell(self.count);
        cell.start + 0.5 * cell.width
    }
}

/// Scales with which the cells up to `end` leave the last segment's last cell free, for the constant cell.
fn scales(log2_per_octave: u32, end: f64, precision: RadialPrecision) -> impl Iterator<Item = f64> {
    let octaves = SEGMENTS >> log2_per_octave;
    let (whole, segment) =
        (libm::exp2(octaves as f64), libm::exp2(octaves as f64 - 1.0 - f64::from(log2_per_octave)));
    let last = whole - segment / LAST_CELLS as f64;
    // Not quite: a rounding must not lead into the last cell.
    let largest = (last - 1.0) * (1.0 - 1e-6) / end;
    let count = match precision {
        RadialPrecision::Double => SCALES,
        RadialPrecision::Single => 1,
    };
    (0..count).map(move |k| match precision {
        RadialPrecision::Double => largest * libm::exp2(-(k as f64) / SCALES as f64),
        RadialPrecision::Single => libm::exp2(libm::floor(libm::log2(largest))),
    })
}

/// The distance beyond which all Gaussians together are below `tolerance`.
fn end(source: &impl Source, tolerance: f64) -> f64 {
    let floor = if source.basis() == Basis::Normalized { source.eps() * tolerance } else { tolerance };
    // A Gaussian is 2^-w there; without a regulariser even the smallest one dominates somewhere.
    let exponent = if floor > 0.0 { -libm::log2(0.1 * floor) } else { f64::EXPONENT_LIMIT };
    let root = libm::sqrt(if exponent < f64::EXPONENT_LIMIT { exponent } else { f64::EXPONENT_LIMIT });
    let mut end = f64::MIN_POSITIVE;
    for [mean, gamma] in (0..source.n_radial()).map(|m| source.radial(m)) {
        let last = mean + root * gamma / SQRT_LOG2_E;
        end = if end < last { last } else { end };
    }
    end
}
