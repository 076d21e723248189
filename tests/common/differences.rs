//! Derivatives by differences, to hold gradients against.

use eqflow::random::{Purpose, Stream};
use eqflow::train::Parameters;

/// Richardson's extrapolation of the central difference: error O(h^6), so h can stay far above rounding.
pub fn directional_derivative(
    parameters: &Parameters,
    direction: &[f64],
    value: impl Fn(&Parameters) -> f64,
) -> f64 {
    let central = |h: f64| {
        let at = |sign: f64| {
            let mut moved = parameters.clone();
            for (v, d) in moved.coordinates_mut().iter_mut().zip(direction) {
                *v += sign * h * d;
            }
            value(&moved)
        };
        (at(1.0) - at(-1.0)) / (2.0 * h)
    };
    let h = 1e-3;
    let [fine, middle, coarse] = [h, 2.0 * h, 4.0 * h].map(central);
    (64.0 * fine - 20.0 * middle + coarse) / 45.0
}

/// A unit vector.
pub fn random_direction(seed: u64, n: usize) -> Vec<f64> {
    let mut stream = Stream::new(seed, Purpose::Bootstrap, 0);
    let raw: Vec<f64> = (0..n).map(|_| stream.next_unit() - 0.5).collect();
    let norm = raw.iter().map(|v| v * v).sum::<f64>().sqrt();
    raw.iter().map(|v| v / norm).collect()
}
