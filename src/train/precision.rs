//! What of training depends on the precision and on the instruction set, compiled once and here.

use super::piece::{Piece, PieceResult};
use super::pull_back::CombineTranspose;
use crate::flow::Precision;
use crate::lanes::Isa;

/// A precision in which flows can be trained: `f32` or `f64`.
pub trait Trainable: Precision {
    /// Integrates a piece of a minibatch, there and back.
    #[doc(hidden)]
    fn integrate(piece: Piece<'_, Self>) -> PieceResult;
    /// Takes cotangents of the stages' tables back through their sums over the time functions.
    #[doc(hidden)]
    fn combine_transpose(tables: CombineTranspose<'_, Self>);
}

impl Trainable for f64 {
    fn integrate(piece: Piece<'_, f64>) -> PieceResult {
        Isa::best().run_at_fixed_width(piece)
    }

    fn combine_transpose(tables: CombineTranspose<'_, f64>) {
        Isa::best().run_at_fixed_width(tables);
    }
}

impl Trainable for f32 {
    fn integrate(piece: Piece<'_, f32>) -> PieceResult {
        Isa::best().run_at_fixed_width(piece)
    }

    fn combine_transpose(tables: CombineTranspose<'_, f32>) {
        Isa::best().run_at_fixed_width(tables);
    }
}
