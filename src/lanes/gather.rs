//! From an array of samples to one vector of them.

use super::{Lanes, part};
use crate::error::Missing;

/// Lane `i` of `x` becomes sample number `sample(i)` of `samples` (`[n][coordinates]`, as long as `x`).
///
/// # Errors
/// Where there is no such sample.
#[inline(always)]
pub fn gather<V: Lanes>(
    samples: &[V::Real],
    sample: impl Fn(usize) -> usize,
    x: &mut [V],
) -> Result<(), Missing> {
    let coordinates = x.len();
    let lanes: &mut [V::Real] = bytemuck::cast_slice_mut(x);
    for i in 0..V::WIDTH {
        let from = part(samples, sample(i) * coordinates, coordinates)?;
        for (lane, &value) in lanes.iter_mut().skip(i).step_by(V::WIDTH).zip(from) {
            *lane = value;
        }
    }
    Ok(())
}
