//! Every derivative that the core computes against finite differences of the function itself.

mod common;

use common::Golden;
use common::cases::{Flow, Rng, largest, latent, norm};
use eqflow::field::{PairScratch, Shape, transpose, velocity_divergence};
use eqflow::flow::Config;
use eqflow::potential::{DoubleWell, LennardJones, Potential};
use eqflow::radial::{Basis, Exact, Kernel, Radial, RadialGradient, SQRT_LOG2_E, Shared, reach};
use eqflow::radial::{TRANSPOSE_SCRATCH_PER_GAUSSIAN, time_functions, time_transpose};

/// The derivative of `f` at 0 by the five-point central difference, whose error is h^4/30 f'''''.
fn derivative(h: f64, mut f: impl FnMut(f64) -> f64) -> f64 {
    (8.0 * (f(h) - f(-h)) - (f(2.0 * h) - f(-2.0 * h))) / (12.0 * h)
}

fn moved(x: &[f64], direction: &[f64], step: f64) -> Vec<f64> {
    x.iter().zip(direction).map(|(x, d)| x + step * d).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn assert_near(what: &str, got: f64, want: f64, bar: f64) {
    assert!((got - want).abs() <= bar, "{what}: got {got}, want {want}, difference {:e}", got - want);
}

/// Log-density gradients along random directions, relative to the gradient's length.
fn check_scores(config: Config, h: f64, bar: f64) {
    let mut rng = Rng(11);
    for golden in Golden::all() {
        let flow = Flow::<f64>::new(&golden, config);
        for x in golden.array("density.x").chunks(golden.shape.coordinates()).take(3) {
            let (_, gradient) = flow.score(x);
            for _ in 0..3 {
                let direction = rng.direction(x.len());
                let want = derivative(h, |step| flow.log_prob(&moved(x, &direction, step))[0]);
                let got = dot(&gradient, &direction);
                assert_near(golden.name, got, want, bar * norm(&gradient));
            }
        }
    }
}

#[test]
fn the_grid_score_is_the_gradient_of_the_discretised_log_density() {
    check_scores(Config::rk4(20), 1e-4, 1e-7);
    check_scores(Config::rk4(3), 1e-4, 1e-7);
}

/// Both the log-densities (tolerance 1e-12 a step, differenced over 1e-3) and the score carry the integrator's
/// error: 1e-12 times some tens of steps over 1e-3 is some 1e-8.
#[test]
fn the_adaptive_score_is_the_gradient_of_the_converged_log_density() {
    check_scores(Config::dopri5(1e-12, 1e-12), 1e-3, 1e-7);
}

#[test]
fn the_divergence_is_the_trace_of_the_jacobian() {
    for golden in Golden::all() {
        let flow = Flow::<f64>::new(&golden, Config::default());
        for t in [0.0, 0.37, 1.0] {
            let x = &golden.array("density.x")[..golden.shape.coordinates()];
            let (_, divergence) = flow.field(t, x);
            let mut trace = 0.0;
            let mut size = 0.0;
            for c in 0..x.len() {
                let mut axis = vec![0.0; x.len()];
                axis[c] = 1.0;
                let entry = derivative(1e-4, |step| flow.field(t, &moved(x, &axis, step)).0[c]);
                trace += entry;
                size += entry.abs();
            }
            assert_near(golden.name, divergence[0], trace, 1e-9 * size);
        }
    }
}

/// A radial function with its numbers, at one time.
struct Radials {
    basis: Basis,
    eps: f64,
    mean: Vec<f64>,
    log_gamma: Vec<f64>,
    weights: Vec<f64>,
    offset: f64,
}

impl Radials {
    fn random(basis: Basis, m: usize, rng: &mut Rng) -> Self {
        Radials {
            basis,
            eps: 1e-6,
            mean: (0..m).map(|i| 4.0 * (i as f64 + rng.unit()) / m as f64).collect(),
            log_gamma: (0..m).map(|_| (0.5 + rng.unit()).ln()).collect(),
            weights: rng.normals(m),
            offset: rng.normal(),
        }
    }

    fn scale(&self) -> Vec<f64> {
        self.log_gamma.iter().map(|g| SQRT_LOG2_E / g.exp()).collect()
    }

    fn with<T>(&self, run: impl FnOnce(Exact<'_, f64, Shared<'_, f64>>) -> T) -> T {
        let scale = self.scale();
        let kernel = Kernel {
            basis: self.basis,
            eps: self.eps,
            reach: reach(&self.mean, &scale),
            mean: &self.mean,
            scale: &scale,
            time_mean: &[],
            time_scale: &[],
            level: &[],
            weights: &[],
        };
        run(Exact { kernel, offset: self.offset, weights: Shared(&self.weights) })
    }

    fn value_slope_curvature(&self, d: f64) -> [f64; 3] {
        let [mut phi, mut slope, mut curvature] = [[0.0]; 3];
        self.with(|radial| radial.value_slope_curvature(&[d], &mut phi, &mut slope, &mut curvature));
        [phi[0], slope[0], curvature[0]]
    }

    /// phi and phi' from the formula, with the standard library's exponential.
    fn naive(&self, d: f64) -> [f64; 2] {
        let [mut a, mut a1, mut s, mut s1] = [0.0; 4];
        for ((mu, log_gamma), w) in self.mean.iter().zip(&self.log_gamma).zip(&self.weights) {
            let q = (d - mu) / log_gamma.exp();
            let g = (-q * q).exp();
            let g1 = -2.0 * q / log_gamma.exp() * g;
            (a, a1, s, s1) = (a + w * g, a1 + w * g1, s + g, s1 + g1);
        }
        match self.basis {
            Basis::Gaussian => [self.offset + a, a1],
            Basis::Normalized => {
                let t = self.eps + s;
                [self.offset + a / t, a1 / t - a * s1 / (t * t)]
            }
        }
    }
}

const BASES: [Basis; 2] = [Basis::Gaussian, Basis::Normalized];

#[test]
fn radial_derivatives_match_differences_of_the_formula() {
    let mut rng = Rng(12);
    for basis in BASES {
        for m in [1, 2, 7, 50] {
            let radial = Radials::random(basis, m, &mut rng);
            for d in [0.0, 0.3, 1.7, 3.9, 5.0] {
                let [phi, slope, curvature] = radial.value_slope_curvature(d);
                let [want_phi, want_slope] = radial.naive(d);
                let size = largest(&radial.weights) * m as f64;
                assert_near("phi", phi, want_phi, 1e-13 * size);
                assert_near("phi'", slope, want_slope, 1e-12 * size);
                let difference = derivative(1e-3, |h| radial.naive(d + h)[0]);
                assert_near("phi' by difference", slope, difference, 1e-8 * size);
                let difference = derivative(1e-3, |h| radial.naive(d + h)[1]);
                assert_near("phi'' by difference", curvature, difference, 1e-8 * size);
            }
        }
    }
}

/// A scalar of all outputs, v_bar . v + div_bar div, and what the transposes say about it.
struct PairCase {
    shape: Shape,
    x: Vec<f64>,
    v_bar: Vec<f64>,
    div_bar: f64,
}

impl PairCase {
    fn random(shape: Shape, rng: &mut Rng) -> Self {
        let x = latent(shape, 1, rng).iter().map(|c| 1.5 * c).collect();
        PairCase { shape, x, v_bar: rng.normals(shape.coordinates()), div_bar: rng.normal() }
    }

    fn value(&self, radials: &Radials, x: &[f64]) -> f64 {
        let mut memory = vec![0.0; PairScratch::<f64>::extent(self.shape, 1)];
        let (mut scratch, _) = PairScratch::carve(self.shape, 1, &mut memory).unwrap();
        let mut v = vec![0.0; x.len()];
        let mut div = [0.0];
        radials.with(|radial| {
            velocity_divergence(self.shape, &radial, x, &mut v, &mut div, &mut scratch).unwrap()
        });
        dot(&self.v_bar, &v) + self.div_bar * div[0]
    }

    /// Cotangents of x and of (offset, weights, mean, log gamma).
    fn transpose(&self, radials: &Radials) -> (Vec<f64>, [Vec<f64>; 4]) {
        let m = radials.mean.len();
        let mut memory = vec![0.0; PairScratch::<f64>::extent(self.shape, 1)];
        let (mut scratch, _) = PairScratch::carve(self.shape, 1, &mut memory).unwrap();
        let mut x_bar = vec![0.0; self.x.len()];
        let (mut offset, [mut weights, mut mean, mut log_gamma]) = (0.0, [0, 1, 2].map(|_| vec![0.0; m]));
        let mut gradient = RadialGradient {
            offset: &mut offset,
            weights: &mut weights,
            mean: &mut mean,
            log_gamma: &mut log_gamma,
        };
        let mut block = vec![0.0; m * TRANSPOSE_SCRATCH_PER_GAUSSIAN];
        radials.with(|radial| {
            let run = |d: &[f64], bars: [&[f64]; 2], outputs: [&mut [f64]; 3]| {
                radial.value_slope_curvature_transpose(d, bars, outputs, &mut gradient, &mut block);
            };
            transpose(self.shape, &self.x, &self.v_bar, &[self.div_bar], &mut x_bar, &mut scratch, run)
                .unwrap();
        });
        (x_bar, [vec![offset], weights, mean, log_gamma])
    }
}

fn for_each_pair_case(mut check: impl FnMut(&str, &PairCase, Radials)) {
    let mut rng = Rng(13);
    for basis in BASES {
        for (particles, dimension) in [(2, 1), (2, 2), (3, 3), (4, 2), (5, 3)] {
            let shape = Shape { particles, dimension };
            let case = PairCase::random(shape, &mut rng);
            check(&format!("{basis:?} {shape:?}"), &case, Radials::random(basis, 6, &mut rng));
        }
    }
}

#[test]
fn the_field_transpose_is_the_gradient_in_the_positions() {
    let mut rng = Rng(14);
    for_each_pair_case(|what, case, radials| {
        let (x_bar, _) = case.transpose(&radials);
        for _ in 0..4 {
            let direction = rng.direction(case.x.len());
            let want = derivative(1e-3, |h| case.value(&radials, &moved(&case.x, &direction, h)));
            assert_near(what, dot(&x_bar, &direction), want, 1e-8 * norm(&x_bar));
        }
    });
}

#[test]
fn the_radial_transpose_is_the_gradient_in_every_parameter() {
    for_each_pair_case(|what, case, mut radials| {
        let (_, bars) = case.transpose(&radials);
        for (array, bars) in bars.iter().enumerate() {
            for i in 0..bars.len() {
                let parameter = |radials: &mut Radials, change: f64| match array {
                    0 => radials.offset += change,
                    1 => radials.weights[i] += change,
                    2 => radials.mean[i] += change,
                    _ => radials.log_gamma[i] += change,
                };
                let want = derivative(1e-3, |h| {
                    parameter(&mut radials, h);
                    let value = case.value(&radials, &case.x);
                    parameter(&mut radials, -h);
                    value
                });
                assert_near(&format!("{what} {array}[{i}]"), bars[i], want, 1e-8 * (1.0 + largest(bars)));
            }
        }
    });
}

#[test]
fn the_time_transpose_is_the_gradient_in_means_and_bandwidths() {
    let mut rng = Rng(15);
    let l = 5;
    for basis in BASES {
        let (mean, log_gamma) = (rng.normals(l), rng.normals(l));
        let bars = rng.normals(l);
        let values = |mean: &[f64], log_gamma: &[f64], mean_bar: Option<[&mut [f64]; 2]>| {
            let scale: Vec<f64> = log_gamma.iter().map(|g| SQRT_LOG2_E / g.exp()).collect();
            let kernel = Kernel {
                basis,
                eps: 1e-6,
                reach: 0.0,
                mean: &[],
                scale: &[],
                time_mean: mean,
                time_scale: &scale,
                level: &[],
                weights: &[],
            };
            let mut values = vec![0.0; l];
            time_functions(&kernel, 0.4, &mut values);
            if let Some([mean_bar, log_gamma_bar]) = mean_bar {
                time_transpose(&kernel, 0.4, &values, &bars, mean_bar, log_gamma_bar);
            }
            dot(&values, &bars)
        };
        let (mut mean_bar, mut log_gamma_bar) = (vec![0.0; l], vec![0.0; l]);
        values(&mean, &log_gamma, Some([&mut mean_bar, &mut log_gamma_bar]));
        for i in 0..l {
            let mut axis = vec![0.0; l];
            axis[i] = 1.0;
            let want = derivative(1e-3, |h| values(&moved(&mean, &axis, h), &log_gamma, None));
            assert_near("mean", mean_bar[i], want, 1e-8 * (1.0 + want.abs()));
            let want = derivative(1e-3, |h| values(&mean, &moved(&log_gamma, &axis, h), None));
            assert_near("log gamma", log_gamma_bar[i], want, 1e-8 * (1.0 + want.abs()));
        }
    }
}

fn check_potential(what: &str, potential: &impl Potential<f64>, spacing: f64) {
    let mut rng = Rng(16);
    for (particles, dimension) in [(2, 1), (4, 2), (5, 3), (13, 3)] {
        let shape = Shape { particles, dimension };
        for _ in 0..5 {
            let x: Vec<f64> = lattice(shape, spacing, &mut rng);
            let mut gradient = vec![0.0; x.len()];
            let u = potential.energy(shape, &x, Some(&mut gradient));
            assert_eq!(u, potential.energy(shape, &x, None), "{what}: the gradient changes the energy");
            let direction = rng.direction(x.len());
            let want = derivative(1e-4, |h| potential.energy(shape, &moved(&x, &direction, h), None));
            assert_near(what, dot(&gradient, &direction), want, 1e-9 * (u.abs() + norm(&gradient)));
        }
    }
}

/// Particles near the points of a cubic lattice, so that none come close.
fn lattice(shape: Shape, spacing: f64, rng: &mut Rng) -> Vec<f64> {
    let mut x = Vec::new();
    for p in 0..shape.particles {
        let cell = [p % 3, p / 3 % 3, p / 9];
        let cell = if shape.dimension == 1 { [p, 0, 0] } else { cell };
        x.extend(
            (0..shape.dimension).map(|k| spacing * (cell[k] as f64 + 0.15 * rng.normal().clamp(-1.5, 1.5))),
        );
    }
    x
}

#[test]
fn potential_gradients_match_differences() {
    check_potential("double well", &DoubleWell::<f64>::dw4(), 3.0);
    check_potential("Lennard-Jones", &LennardJones::<f64>::lj13(), 1.1);
    check_potential("skewed well", &DoubleWell { a: 0.7, b: -1.3, c: 0.4, d0: 2.0, tau: 1.7 }, 2.0);
    check_potential("soft cluster", &LennardJones { epsilon: 1.0, r_m: 0.9, oscillator: 0.3, tau: 2.5 }, 1.0);
}
