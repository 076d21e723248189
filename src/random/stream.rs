//! One xoshiro256++ stream a sample: reached at once by its index, never by jumping over the others.

use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// What a stream is for; the same seed and index give unrelated streams for different purposes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Purpose {
    /// Draws from the prior; the index is the sample's.
    Prior = 1,
    /// A Markov chain; the index is the chain's.
    Chain = 2,
    /// Resampling for error bars; the index is the replicate's.
    Bootstrap = 3,
    /// Shuffling training data; the index is the epoch's.
    Minibatch = 4,
    /// Random time grids; the index is the iteration's.
    TimeGrid = 5,
    /// Prior draws that are paired with data; the index is the pair's.
    Pairing = 6,
    /// Rotations from which alignments start; the index is the start's.
    Alignment = 7,
    /// Prior draws of energy-based training; the index is the draw's.
    Latent = 8,
    /// Random probes of Hutchinson's estimator; the index is the probe's.
    Probe = 9,
    /// Exchanges between replicas; the index is the ladder's.
    Exchange = 10,
    /// Resampling a weighted population; the index is the stage's.
    Population = 11,
    /// Random copies of configurations; the index is the chain's.
    Symmetry = 12,
}

/// A xoshiro256++ generator whose state is a one-to-one function of seed, purpose and index.
#[derive(Clone, Debug)]
pub struct Stream {
    generator: Xoshiro256PlusPlus,
}

impl Stream {
    /// The stream of sample `index`.
    pub fn new(seed: u64, purpose: Purpose, index: u64) -> Self {
        // Each word feeds the next, so distinct (seed, index) cannot collide within a purpose.
        let a = mix(seed);
        let b = mix(index ^ a);
        let c = mix(b ^ (purpose as u64).wrapping_mul(GOLDEN));
        let d = mix(c ^ a);
        let mut state = [0u8; 32];
        for (bytes, word) in state.chunks_exact_mut(8).zip([a, b, c, d]) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        let mut stream = Stream { generator: Xoshiro256PlusPlus::from_seed(state) };
        // Streams of one seed share their first word: leave the neighbourhood of that.
        for _ in 0..4 {
            stream.next_u64();
        }
        stream
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.generator.next_u64()
    }

    /// Uniform on (0, 1], a multiple of 2^-53; never zero, so its logarithm is finite.
    pub fn next_unit(&mut self) -> f64 {
        ((self.next_u64() >> 11) + 1) as f64 * (1.0 / 9_007_199_254_740_992.0)
    }

    /// Uniform on 0..bound without bias (Lemire 2019); `bound` must not be zero.
    pub fn next_below(&mut self, bound: u64) -> u64 {
        let threshold = bound.wrapping_neg() % bound;
        loop {
            let product = u128::from(self.next_u64()) * u128::from(bound);
            if product as u64 >= threshold {
                return (product >> 64) as u64;
            }
        }
    }
}

/// The seed of step `step` of a run with this seed: another for every step, and as good as any other seed.
pub fn step_seed(seed: u64, step: u64) -> u64 {
    mix(mix(step) ^ seed)
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The output function of SplitMix64 (Steele, Lea, Flood 2014), a bijection of the 64-bit words.
fn mix(word: u64) -> u64 {
    let z = word.wrapping_add(GOLDEN);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mix_is_splitmix64() {
        // First outputs of the reference SplitMix64 seeded with 1234567.
        assert_eq!(mix(1_234_567), 6_457_827_717_110_365_317);
        assert_eq!(mix(1_234_567_u64.wrapping_add(GOLDEN)), 3_203_168_211_198_807_973);
    }

    #[test]
    fn purposes_and_indices_give_different_streams() {
        let first = |seed, purpose, index| Stream::new(seed, purpose, index).next_u64();
        let base = first(1, Purpose::Prior, 0);
        assert_eq!(base, first(1, Purpose::Prior, 0));
        assert_ne!(base, first(1, Purpose::Chain, 0));
        assert_ne!(base, first(1, Purpose::Prior, 1));
        assert_ne!(base, first(2, Purpose::Prior, 0));
    }

    #[test]
    fn steps_of_a_chain_are_uncorrelated_and_none_has_the_numbers_of_the_run() {
        let n = 20_000;
        let unit = |step, chain| Stream::new(step_seed(3, step), Purpose::Chain, chain).next_unit() - 0.5;
        let (mut mean, mut next_step, mut next_chain) = (0.0, 0.0, 0.0);
        for step in 0..n {
            mean += unit(step, 5);
            next_step += unit(step, 5) * unit(step + 1, 5);
            next_chain += unit(step, 5) * unit(step, 6);
            assert_ne!(step_seed(3, step), 3);
        }
        let scale = (n as f64).sqrt();
        assert!(mean.abs() / scale < 3.0 * (1.0 / 12.0_f64).sqrt());
        for correlation in [next_step, next_chain] {
            assert!(correlation.abs() / scale < 3.0 / 12.0);
        }
    }

    #[test]
    fn neighbouring_streams_are_uncorrelated() {
        let n = 20_000;
        let unit = |index| Stream::new(3, Purpose::Prior, index).next_unit() - 0.5;
        let (mut mean, mut lagged) = (0.0, 0.0);
        for i in 0..n {
            mean += unit(i);
            lagged += unit(i) * unit(i + 1);
        }
        let scale = 1.0 / n as f64;
        let standard_error = (1.0 / 12.0 / n as f64).sqrt();
        assert!((mean * scale).abs() < 3.0 * standard_error);
        assert!((lagged * scale).abs() < 3.0 / 12.0 / (n as f64).sqrt());
    }

    #[test]
    fn bounded_draws_stay_below_and_hit_everything() {
        let mut stream = Stream::new(5, Purpose::Minibatch, 0);
        let mut counts = [0_u32; 7];
        for _ in 0..70_000 {
            counts[stream.next_below(7) as usize] += 1;
        }
        for count in counts {
            // Binomial: standard deviation sqrt(70000/7 * 6/7) = 93.
            assert!((f64::from(count) - 10_000.0).abs() < 4.0 * 93.0);
        }
    }
}
