//! Eight cells that are compiled together, and the Gaussians that count there.

use super::cells::Cells;
use super::collapse::{Basis, Kernel};
use crate::error::Missing;
use crate::lanes::{Lanes, exp2_neg_each};

/// Cells that are compiled together, whatever the vector width: which Gaussians count is decided a block.
pub const BLOCK: usize = 8;
/// Gaussians that are added at once.
const AT_ONCE: usize = 4;

/// A block's cells, cell by cell; cells beyond the constant one repeat it.
pub struct Geometry {
    /// Left end in d.
    pub start: [f64; BLOCK],
    /// Length in d; 0 for the constant cell, whose nodes lie where phi is constant.
    pub width: [f64; BLOCK],
    /// 1 / length in y, for coefficients in units of y.
    pub inverse_width: [f64; BLOCK],
    /// Where the nodes begin: `start` but for the constant cell.
    pub origin: [f64; BLOCK],
    /// From the first to the last node the norm is at least 2^-exponent.
    exponent: f64,
}

impl Geometry {
    /// The block whose first cell is number `first`.
    pub fn new(kernel: &Kernel<'_, f64>, cells: &Cells, first: usize) -> Self {
        let mut block = Geometry {
            start: [0.0; BLOCK],
            width: [0.0; BLOCK],
            inverse_width: [0.0; BLOCK],
            origin: [0.0; BLOCK],
            exponent: 0.0,
        };
        for k in 0..BLOCK {
            let index = first + k;
            let cell = cells.cell(if index < cells.count { index } else { cells.count });
            block.start[k] = cell.start / cells.scale;
            if index < cells.count {
                block.origin[k] = block.start[k];
                block.width[k] = cell.width / cells.scale;
                block.inverse_width[k] = 1.0 / cell.width;
            } else {
                block.origin[k] = kernel.reach;
            }
        }
        block.exponent = norm_exponent(kernel, block.nodes());
        block
    }

    /// Lanes from one of the arrays.
    #[inline(always)]
    pub fn lanes<V: Lanes<Real = f64>>(values: &[f64; BLOCK], part: usize) -> V {
        V::from_fn(|i| values[part * V::WIDTH + i])
    }

    /// The ends of the range of nodes.
    pub fn nodes(&self) -> [f64; 2] {
        [self.origin[0], self.origin[BLOCK - 1] + self.width[BLOCK - 1]]
    }

    /// The ends of the range of cells.
    pub fn ends(&self) -> [f64; 2] {
        [self.start[0], self.start[BLOCK - 1] + self.width[BLOCK - 1]]
    }

    /// Numbers of the Gaussians that are above 2^-bits of the norm anywhere between `from` and `to`.
    #[inline(always)]
    pub fn gaussians<'a>(
        &self,
        kernel: &Kernel<'a, f64>,
        [from, to]: [f64; 2],
        bits: f64,
    ) -> impl Iterator<Item = usize> + use<'a> {
        let cut = libm::sqrt(bits + self.exponent);
        let gaussians = kernel.mean.iter().zip(kernel.scale).enumerate();
        gaussians
            .filter(move |&(_, (&mean, &scale))| !((from - mean) * scale > cut || (mean - to) * scale > cut))
            .map(|(m, _)| m)
    }
}

/// The norm is at least the regulariser and at least the nearest Gaussian; infinite without a regulariser.
fn norm_exponent(kernel: &Kernel<'_, f64>, [from, to]: [f64; 2]) -> f64 {
    match kernel.basis {
        Basis::Gaussian => 0.0,
        Basis::Normalized if kernel.eps > 0.0 => {
            let mut exponent = -libm::log2(kernel.eps);
            for (&mean, &scale) in kernel.mean.iter().zip(kernel.scale) {
                let farther = if mean - from < to - mean { to - mean } else { mean - from };
                let z = farther * scale;
                exponent = if z * z < exponent { z * z } else { exponent };
            }
            exponent
        }
        Basis::Normalized => f64::INFINITY,
    }
}

/// The Gaussian of this mean and scale at these distances, and the z of which they are 2^-z^2.
#[inline(always)]
pub fn gaussians_at<V: Lanes<Real = f64>, const U: usize>([mean, scale]: [V; 2], d: &[V; U]) -> [[V; U]; 2] {
    let (mut z, mut w) = (*d, *d);
    for (z, w) in z.iter_mut().zip(&mut w) {
        *z = (*z - mean) * scale;
        *w = *z * *z;
    }
    [exp2_neg_each(w), z]
}

/// What Gaussians are added to.
pub trait Sums {
    /// Adds `G` Gaussians, given by their numbers, in that order.
    fn add<const G: usize>(&mut self, which: [usize; G]) -> Result<(), Missing>;
}

/// Adds these Gaussians, several at once: sums stay in registers meanwhile.
#[inline(always)]
pub fn add_each(sums: &mut impl Sums, which: impl Iterator<Item = usize>) -> Result<(), Missing> {
    let (mut pending, mut count) = ([0; AT_ONCE], 0_usize);
    for m in which {
        pending[count % AT_ONCE] = m;
        count += 1;
        if count.is_multiple_of(AT_ONCE) {
            sums.add(pending)?;
        }
    }
    for &m in &pending[..count % AT_ONCE] {
        sums.add([m])?;
    }
    Ok(())
}
