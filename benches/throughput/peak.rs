//! How many multiplications and additions a cycle this core really does, unfused as the library's.

use crate::timing;
use eqflow::lanes::{Isa, Lanes, Real, Vectorized};
use std::hint::black_box;

/// Enough independent chains to hide the latency of both.
const CHAINS: usize = 10;
const ROUNDS: usize = 4096;

struct Chains;

impl<R: Real> Vectorized<R> for Chains {
    type Output = f64;

    fn run<V: Lanes<Real = R>>(self) -> f64 {
        let [factor, term] = [V::constant(black_box(0.999)), V::constant(black_box(0.001))];
        let mut sums = [term; CHAINS];
        let work = || {
            V::vectorize(
                #[inline(always)]
                || {
                    for _ in 0..ROUNDS {
                        for sum in &mut sums {
                            *sum = *sum * factor + term;
                        }
                    }
                },
            );
            black_box(&mut sums);
        };
        let [ticks, _] = timing::measure(work);
        (2 * CHAINS * ROUNDS * V::WIDTH) as f64 / ticks.fastest
    }
}

/// In double and in single precision, on the best instruction set.
pub fn measure() -> [f64; 2] {
    [Isa::best().run::<f64, _>(Chains), Isa::best().run::<f32, _>(Chains)]
}
