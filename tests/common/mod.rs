//! The golden vectors (`tests/vectors/*.json`), made by an independent float64 implementation in NumPy and JAX.
#![allow(dead_code)] // each test binary uses its own part

pub mod c;
pub mod cases;
#[cfg(feature = "std")]
pub mod differences;
pub mod examples;
pub mod header;
#[cfg(feature = "std")]
pub mod models;

use eqflow::field::Shape;
use eqflow::flow::{Model, Reals};
use eqflow::radial::Basis;
use serde_json::Value;

pub const NAMES: [&str; 5] =
    ["pair_1d", "dw4_gaussian", "dw4_normalized", "lj13_gaussian", "lj13_normalized"];

/// One vectors file and its model's arrays.
pub struct Golden {
    pub name: &'static str,
    pub json: Value,
    pub shape: Shape,
    weights: Vec<f64>,
    bias: Vec<f64>,
    importance: Vec<f64>,
    mu: Vec<f64>,
    gamma: Vec<f64>,
    mu_time: Vec<f64>,
    gamma_time: Vec<f64>,
}

impl Golden {
    pub fn load(name: &'static str) -> Self {
        let path = format!("{}/tests/vectors/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let json: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let size = |key: &str| json[key].as_u64().unwrap() as usize;
        Golden {
            name,
            shape: Shape { particles: size("n_particles"), dimension: size("dimension") },
            weights: numbers(&json["W"]),
            bias: numbers(&json["b"]),
            importance: numbers(&json["a"]),
            mu: numbers(&json["mu"]),
            gamma: numbers(&json["gamma"]),
            mu_time: numbers(&json["mu_t"]),
            gamma_time: numbers(&json["gamma_t"]),
            json,
        }
    }

    pub fn all() -> impl Iterator<Item = Golden> {
        NAMES.into_iter().map(Golden::load)
    }

    pub fn model(&self) -> Model<'_> {
        Model {
            basis: if self.json["basis"] == "normalized" { Basis::Normalized } else { Basis::Gaussian },
            shape: self.shape,
            weights: Reals::Native(&self.weights),
            bias: Some(Reals::Native(&self.bias)),
            importance: Some(Reals::Native(&self.importance)),
            mu: Reals::Native(&self.mu),
            gamma: Reals::Native(&self.gamma),
            mu_time: Reals::Native(&self.mu_time),
            gamma_time: Reals::Native(&self.gamma_time),
            eps: self.json["eps"].as_f64().unwrap(),
        }
    }

    /// The array at a path like "flow.z", flattened.
    pub fn array(&self, path: &str) -> Vec<f64> {
        numbers(path.split('.').fold(&self.json, |value, key| &value[key]))
    }
}

/// All numbers of a nested array in order.
pub fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        number => vec![number.as_f64().unwrap()],
    }
}

/// Fails unless every element of `got` is within `tolerance` times the largest magnitude in `want`.
#[track_caller]
pub fn assert_close(what: &str, got: &[f64], want: &[f64], tolerance: f64) {
    assert_eq!(got.len(), want.len(), "{what}: length");
    let largest = want.iter().fold(0.0_f64, |a, b| a.max(b.abs()));
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        assert!(
            (g - w).abs() <= tolerance * largest,
            "{what}[{i}]: got {g}, want {w}, difference {:e} of largest {largest}",
            (g - w).abs() / largest
        );
    }
}
