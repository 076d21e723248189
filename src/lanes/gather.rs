//! From an array of samples to one vector of them.

use super::Lanes;

/// Lane `i` of `x` becomes sample number `sample(i)` of `samples` (`[n][coordinates]`, as long as `x`).
#[inline(always)]
pub fn gather<V: Lanes>(samples: &[V::Real], sample: impl Fn(usize) -> usize, x: &mut [V]) {
    let coordinates = x.len();
    for (c, x) in x.iter_mut().enumerate() {
        *x = V::from_fn(|i| samples[sample(i) * coordinates + c]);
    }
}
