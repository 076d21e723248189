//! The unit of memory that callers hand over: a cache line.

use super::{Lanes, Real};

/// 64 bytes, aligned to 64: as large as the widest vector and as one row of a compiled radial function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct Block([u64; 8]);

// SAFETY: integers without padding (64 bytes of 64); every bit pattern is valid.
#[allow(unsafe_code)]
unsafe impl bytemuck::Zeroable for Block {}
// SAFETY: as above.
#[allow(unsafe_code)]
unsafe impl bytemuck::Pod for Block {}

impl Block {
    /// Blocks that hold `n` vectors or reals of type `V`.
    pub const fn count<V>(n: usize) -> usize {
        n.div_ceil(size_of::<Block>() / size_of::<V>())
    }

    /// The same memory as reals.
    pub fn reals<R: Real>(blocks: &[Block]) -> &[R] {
        bytemuck::cast_slice(blocks)
    }

    /// The same memory as reals.
    pub fn reals_mut<R: Real>(blocks: &mut [Block]) -> &mut [R] {
        bytemuck::cast_slice_mut(blocks)
    }

    /// The same memory as vectors (a scalar is one).
    pub fn vectors_mut<V: Lanes>(blocks: &mut [Block]) -> &mut [V] {
        bytemuck::cast_slice_mut(blocks)
    }
}
