//! Where the cells of a compiled radial function lie.
//!
//! With y = scale d and z = 1 + y, the octaves `[2^o, 2^(o+1))` of z are cut into `2^split` equal cells each: where
//! Gaussians grow wider with distance (as the data thin out) so do the cells; with `scale` below 1 / end all cells
//! have one width. A last cell at infinity holds the constant that phi becomes.

use super::collapse::{Basis, SQRT_LOG2_E};
use super::demand::{Source, cells_per_octave};
use crate::lanes::{Lanes, Real};

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
    /// An octave has 2^split cells.
    pub split: u32,
    /// Cells with a polynomial; one more is constant.
    pub count: usize,
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
/// Scales that are tried: 2^(k/SUBDIVISION - 1) / end for k below [`SCALES`]; those up to 1 / end have a single octave,
/// of which a part is used. So many, because where the octaves begin decides whether an octave can do with half as many cells.
const SUBDIVISION: usize = 16;
pub(super) const SCALES: usize = 113;

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
        let scales: [f64; SCALES] = core::array::from_fn(|k| {
            let scale = libm::exp2(k as f64 / SUBDIVISION as f64 - 1.0) / end;
            match precision {
                RadialPrecision::Double => scale,
                RadialPrecision::Single => libm::exp2(libm::floor(libm::log2(scale))),
            }
        });
        Degree::ALL.map(|degree| {
            let demand = match degree {
                _ if !degree.serves(tolerance) => return None,
                Degree::Cubic => cells_per_octave::<V, 4>(source, end, &scales, tolerance),
                Degree::Septic => cells_per_octave::<V, 8>(source, end, &scales, tolerance),
            };
            let cells = scales.iter().zip(&demand);
            let graded = |(&scale, &demand)| Cells::graded(degree, [scale, demand, end], precision);
            cells.filter_map(graded).min_by_key(|cells| cells.count)
        })
    }

    /// Cells of which an octave has as many as `demand` and the next power of two, or where the scale is free no more
    /// than `demand`: with a smaller scale they are wider, and none lies in a higher octave. `None` for too many.
    fn graded(degree: Degree, [scale, demand, end]: [f64; 3], precision: RadialPrecision) -> Option<Cells> {
        let demand = if demand < 1.0 { 1.0 } else { demand };
        let split = (demand.to_bits() >> 52).wrapping_sub(1022) as u32; // 2^split > demand
        let scale = match precision {
            RadialPrecision::Double => scale * demand / libm::exp2(f64::from(split)),
            RadialPrecision::Single => scale,
        };
        let cells = Cells { degree, scale, split, count: 0 };
        (split <= 20)
            .then(|| Cells { count: cells.position(scale * end) + 1, ..cells })
            .filter(|cells| cells.count < MOST_CELLS)
    }

    /// Rows of a table: the cells and the constant.
    pub const fn rows(&self) -> usize {
        self.count + 1
    }

    /// Number of the cell in which y lies.
    fn position(&self, y: f64) -> usize {
        let low_bits = f64::MANTISSA_BITS - self.split;
        (((1.0 + y).to_bits() >> low_bits) - (1.0_f64.to_bits() >> low_bits)) as usize
    }

    /// Cell number `index`.
    pub fn cell(&self, index: usize) -> Cell {
        let low_bits = f64::MANTISSA_BITS - self.split;
        let at = |index: usize| f64::from_bits(((1.0_f64.to_bits() >> low_bits) + index as u64) << low_bits);
        Cell { start: at(index) - 1.0, width: at(index + 1) - at(index) }
    }

    /// y in the middle of the constant cell: where larger ones are cut off.
    pub fn end(&self) -> f64 {
        let cell = self.cell(self.count);
        cell.start + 0.5 * cell.width
    }
}

/// The largest power of two below `z`.
#[inline(always)]
pub(super) fn octave(z: f64) -> f64 {
    f64::from_bits(z.to_bits() & (0x7ff << 52))
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
