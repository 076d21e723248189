//! The bits that every machine must compute are in `ffi-tests/bits.expected`: here from C and, for the samples, from
//! Rust; `ffi-tests/portable-bits.sh` compares other architectures. `EQFLOW_BLESS=1 cargo test --test portable_bits`
//! rewrites the file.
#![cfg(all(unix, feature = "std"))]

mod common;

use common::c::{compile, root, run, succeed};
use eqflow::field::Shape;
use eqflow::flow::{Block, Config, Model, Plan, RadialPath, Reals};
use eqflow::radial::Basis;
use std::path::PathBuf;

fn expected_path() -> PathBuf {
    root().join("ffi-tests/bits.expected")
}

#[test]
fn a_c_program_computes_the_committed_bits() {
    let output = succeed(&mut run(compile("ffi-tests/bits.c", "bits", &[]))).stdout;
    let output = String::from_utf8(output).unwrap();
    if std::env::var_os("EQFLOW_BLESS").is_some() {
        std::fs::write(expected_path(), &output).unwrap();
    }
    let committed = std::fs::read_to_string(expected_path()).unwrap_or_default();
    for (got, want) in output.lines().zip(committed.lines()) {
        assert_eq!(got, want, "other bits than committed (EQFLOW_BLESS=1 rewrites them)");
    }
    assert_eq!(output, committed, "other stages than before");
}

/// `SEED` and `SAMPLES` of bits.c.
const SEED: u64 = 20_200_605;
const SAMPLES: usize = 64;

/// The parameters of bits.c.
struct Parameters {
    weights: Vec<f64>,
    bias: Vec<f64>,
    importance: Vec<f64>,
    mu: Vec<f64>,
    gamma: Vec<f64>,
    mu_time: Vec<f64>,
    gamma_time: Vec<f64>,
}

impl Parameters {
    fn new(n_radial: usize, n_time: usize) -> Self {
        let list = |n: usize, value: fn(f64) -> f64| (0..n).map(|i| value(i as f64)).collect::<Vec<_>>();
        Parameters {
            weights: list(n_time * n_radial, |i| ((i * 37.0) % 101.0 - 50.0) / 1024.0),
            bias: list(n_time, |i| (i - 2.0) / 64.0),
            importance: list(n_radial, |i| (i % 5.0) / 32.0),
            mu: list(n_radial, |i| i * 3.0 / 8.0),
            gamma: list(n_radial, |i| (8.0 + i % 3.0) / 16.0),
            mu_time: list(n_time, |i| i / 4.0),
            gamma_time: list(n_time, |i| (3.0 + i % 2.0) / 8.0),
        }
    }

    fn model(&self, shape: Shape, basis: Basis, extras: bool) -> Model<'_> {
        Model {
            basis,
            shape,
            weights: Reals::Native(&self.weights),
            bias: extras.then_some(Reals::Native(&self.bias)),
            importance: extras.then_some(Reals::Native(&self.importance)),
            mu: Reals::Native(&self.mu),
            gamma: Reals::Native(&self.gamma),
            mu_time: Reals::Native(&self.mu_time),
            gamma_time: Reals::Native(&self.gamma_time),
            eps: 1e-6,
        }
    }
}

/// FNV-1a, as in bits.c.
fn hash(values: impl Iterator<Item = f64>) -> u64 {
    let bytes = values.flat_map(|value| value.to_bits().to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

fn hash_of_samples(model: &Model<'_>, config: Config) -> u64 {
    let plan: Plan<f64, Vec<Block>> = Plan::allocate(model, &config).unwrap();
    let mut samples = vec![0.0; SAMPLES * plan.shape().coordinates()];
    let mut log_prob = vec![0.0; SAMPLES];
    let mut work = plan.allocate_workspace(SAMPLES).unwrap();
    plan.sample(SEED, 0, &mut samples, Some(&mut log_prob), &mut work).unwrap();
    hash(samples.into_iter().chain(log_prob))
}

#[test]
fn rust_draws_the_same_samples() {
    let committed = std::fs::read_to_string(expected_path()).unwrap();
    let dw4 = (Parameters::new(20, 5), Shape { particles: 4, dimension: 2 }, true);
    let lj5 = (Parameters::new(11, 3), Shape { particles: 5, dimension: 3 }, false);
    for (system, (parameters, shape, extras)) in [("dw4", dw4), ("lj5", lj5)] {
        for (name, basis) in [("gaussian", Basis::Gaussian), ("normalized", Basis::Normalized)] {
            let model = parameters.model(shape, basis, extras);
            for (configuration, radial) in [("rk4", RadialPath::Compiled), ("exact", RadialPath::Exact)] {
                let hash = hash_of_samples(&model, Config::default().with_radial(radial));
                let line = format!("sample f64 {configuration} {system} {name} {hash:016x}");
                assert!(
                    committed.lines().any(|committed| committed == line),
                    "{line} is not in bits.expected"
                );
            }
        }
    }
}
