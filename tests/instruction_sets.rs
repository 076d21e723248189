//! Every instruction set, way to evaluate phi, batch and position gives a sample the bits that one lane gives it alone.
#![cfg(feature = "std")]

mod common;

use common::Golden;
use common::cases::{Flow, Rng, latent, narrow};
use eqflow::flow::{Config, Inverse, LogDet, Precision, RadialPath};
use eqflow::lanes::Isa;

const COMPILED: Config = Config::rk4(2).with_radial(RadialPath::Compiled);
const EXACT: Config = Config::rk4(2).with_radial(RadialPath::Exact);
const ADAPTIVE: Config = Config::dopri5(1e-2, 1e-2);
/// The upper rungs of the exactness ladder.
const JACOBIAN: Config = COMPILED.with_log_det(LogDet::Jacobian).with_inverse(Inverse::Exact);
const INVERSE: Config = COMPILED.with_inverse(Inverse::Exact);

/// Samples that take turns; a batch begins with each of them in turn, so that each has every position.
const DISTINCT: usize = 3;

/// What a plan computes of one sample, bit by bit.
type Bits = Vec<u64>;

/// Distributes results (`[n][..]` each) over the samples.
fn by_sample<R: Precision>(n: usize, results: &[Vec<R>]) -> Vec<Bits> {
    let mut samples = vec![Bits::new(); n];
    for result in results {
        let row = result.len() / n;
        for (sample, values) in samples.iter_mut().zip(result.chunks(row)) {
            sample.extend(values.iter().map(|v| v.bits()));
        }
    }
    samples
}

/// Forward, inverse, and the log-density with its gradient or the Jacobian, of a batch.
fn maps<R: Precision>(flow: &Flow<R>, x: &[R]) -> Vec<Bits> {
    let ((y, log_det), (z, inverse_log_det)) = (flow.forward(x), flow.inverse(x));
    let (log_prob, derivatives) = match flow.plan.config().log_det {
        LogDet::Trace => flow.score(x),
        LogDet::Jacobian => (flow.log_prob(x), flow.jacobian(x)),
    };
    by_sample(flow.count(x), &[y, log_det, z, inverse_log_det, log_prob, derivatives])
}

/// Samples `first`, ... of a seed.
fn draws<R: Precision>(flow: &Flow<R>, first: usize, n: usize) -> Vec<Bits> {
    let (mut x, mut log_prob) =
        (vec![R::default(); n * flow.plan.shape().coordinates()], vec![R::default(); n]);
    flow.plan.sample(20, first as u64, &mut x, Some(&mut log_prob), &mut flow.work(n)).unwrap();
    by_sample(n, &[x, log_prob])
}

/// FNV-1a.
fn hash<'a>(bits: impl IntoIterator<Item = &'a Bits>) -> u64 {
    let bytes = bits.into_iter().flatten().flat_map(|word| word.to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

fn check<R: Precision>(name: &'static str, way: &str, config: Config, batches: &[usize]) {
    let golden = Golden::load(name);
    let coordinates = golden.shape.coordinates();
    // Of different size, so that adaptive steps differ.
    let mut distinct = narrow::<R>(&latent(golden.shape, DISTINCT, &mut Rng(61)));
    for x in &mut distinct[coordinates..2 * coordinates] {
        *x = *x + *x;
    }
    let scalar = Flow::<R>::new(&golden, config.with_isa(Isa::Scalar));
    let alone: Vec<Bits> = distinct.chunks(coordinates).flat_map(|x| maps(&scalar, x)).collect();
    let most = batches.iter().max().unwrap() + DISTINCT;
    let drawn: Vec<Bits> = (0..most).flat_map(|i| draws(&scalar, i, 1)).collect();
    let expected = hash(alone.iter().chain(&drawn));
    for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
        let flow = Flow::<R>::new(&golden, config.with_isa(isa));
        assert_eq!(flow.plan.isa(), isa);
        assert_eq!(flow.plan.table_accuracy().is_some(), config.radial == RadialPath::Compiled);
        let what = format!("{name} f{} {way} {}", 8 * size_of::<R>(), isa.as_str());
        let (mut alone_again, mut drawn_again) = (Vec::new(), Vec::new());
        for &n in batches {
            for first in 0..DISTINCT {
                let sample = |i: usize| (i + first) % DISTINCT;
                let x: Vec<R> = (0..n)
                    .flat_map(|i| &distinct[sample(i) * coordinates..(sample(i) + 1) * coordinates])
                    .copied()
                    .collect();
                for (i, bits) in maps(&flow, &x).into_iter().enumerate() {
                    assert!(bits == alone[sample(i)], "{what}: position {i} of {n}");
                    if n == batches[0] && i == 0 {
                        alone_again.push(bits);
                    }
                }
                let bits = draws(&flow, first, n);
                for (i, bits) in bits.iter().enumerate() {
                    assert!(*bits == drawn[first + i], "{what}: draw {i} of {n}");
                }
                drawn_again.truncate(first);
                drawn_again.extend(bits);
            }
        }
        drawn_again.extend(draws(&flow, most - 1, 1));
        let got = hash(alone_again.iter().chain(&drawn_again));
        println!("{what} {got:016x}");
        assert_eq!(got, expected, "{what}");
    }
}

const WAYS: [(&str, Config); 3] = [("compiled", COMPILED), ("exact", EXACT), ("dopri5", ADAPTIVE)];
const LADDER: [(&str, Config); 2] = [("jacobian", JACOBIAN), ("inverse", INVERSE)];

#[test]
fn the_upper_rungs_have_the_same_bits_everywhere() {
    for name in ["pair_1d", "dw4_gaussian", "dw4_normalized"] {
        for (way, config) in LADDER {
            check::<f64>(name, way, config, &[1, 3, 300]);
            check::<f32>(name, way, config, &[1, 3, 300]);
        }
    }
    for (way, config) in LADDER {
        check::<f64>("lj13_normalized", way, config, &[1, 3, 17]);
        check::<f32>("lj13_normalized", way, config, &[1, 3, 33]);
    }
}

#[test]
fn small_systems_have_the_same_bits_everywhere() {
    for name in ["pair_1d", "dw4_gaussian", "dw4_normalized"] {
        for (way, config) in WAYS {
            check::<f64>(name, way, config, &[1, 3, 64, 1000]);
            check::<f32>(name, way, config, &[1, 3, 64, 1000]);
        }
    }
}

#[test]
fn large_systems_have_the_same_bits_everywhere() {
    for name in ["lj13_gaussian", "lj13_normalized"] {
        check::<f64>(name, "compiled", COMPILED, &[1, 3, 64, 1000]);
        check::<f32>(name, "compiled", COMPILED, &[1, 3, 64, 1000]);
        for (way, config) in [("exact", EXACT), ("dopri5", ADAPTIVE)] {
            check::<f64>(name, way, config, &[1, 3, 17]);
            check::<f32>(name, way, config, &[1, 3, 33]);
        }
    }
}
