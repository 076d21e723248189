//! What of training depends on the precision and on the instruction set, compiled once and here.

use super::piece::{Piece, PieceResult};
use super::pull_back::{BandCotangents, PullBand};
use crate::flow::Precision;
use crate::lanes::Isa;

/// A precision in which flows can be trained: `f32` or `f64`.
pub trait Trainable: Precision {
    /// Integrates a piece of a minibatch, there and back.
    #[doc(hidden)]
    fn integrate(piece: Piece<'_, Self>) -> PieceResult;
    /// Takes cotangents of a band of the stages' tables back to the parameters.
    #[doc(hidden)]
    fn pull_back(band: PullBand<'_, Self>) -> BandCotangents;
}

impl Trainable for f64 {
    fn integrate(piece: Piece<'_, f64>) -> PieceResult {
        Isa::best().run_at_fixed_width(piece)
    }

    fn pull_back(band: PullBand<'_, f64>) -> BandCotangents {
        Isa::best().run_at_fixed_width(band)
    }
}

impl Trainable for f32 {
    fn integrate(piece: Piece<'_, f32>) -> PieceResult {
        Isa::best().run_at_fixed_width(piece)
    }

    fn pull_back(band: PullBand<'_, f32>) -> BandCotangents {
        Isa::best().run_at_fixed_width(band)
    }
}
