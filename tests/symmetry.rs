//! Equivariance under relabelling, rotation, reflection and translation, conservation of the centre of mass, and
//! the round trip through both directions of the flow.

mod common;

use common::cases::{Flow, Motion, Rng, distance, largest, largest_com, latent};
use common::{Golden, assert_close};
use eqflow::field::Shape;
use eqflow::flow::Config;
use eqflow::potential::{DoubleWell, LennardJones, Potential};

/// Of an array's largest magnitude.
const TOLERANCE: f64 = 1e-12;

/// With no relative tolerance the error norm is the Euclidean one, so step lengths are invariant too.
const INVARIANT_ADAPTIVE: Config = Config::dopri5(0.0, 1e-10);

fn configs() -> [(&'static str, Config); 2] {
    [("rk4", Config::rk4(20)), ("dopri5", INVARIANT_ADAPTIVE)]
}

fn motions(shape: Shape, rng: &mut Rng) -> [(&'static str, Motion); 4] {
    [
        ("permutation", Motion::permutation(shape, rng)),
        ("rotation", Motion::rotation(shape, rng)),
        ("reflection", Motion::reflection(shape, rng)),
        ("translation", Motion::translation(shape, rng)),
    ]
}

/// Calls `check` for every golden model, integrator and motions of each kind.
fn for_each_motion(seed: u64, mut check: impl FnMut(&str, &Golden, &Flow<f64>, &Motion)) {
    let mut rng = Rng(seed);
    for golden in Golden::all() {
        for (integrator, config) in configs() {
            let flow = Flow::<f64>::new(&golden, config);
            for _ in 0..if integrator == "rk4" { 3 } else { 1 } {
                for (kind, motion) in motions(golden.shape, &mut rng) {
                    check(&format!("{} {integrator} {kind}", golden.name), &golden, &flow, &motion);
                }
            }
        }
    }
}

#[test]
fn motions_act_on_something() {
    let shape = Shape { particles: 4, dimension: 3 };
    let mut rng = Rng(1);
    let x = latent(shape, 1, &mut rng);
    for (kind, motion) in motions(shape, &mut rng) {
        assert!(distance(&motion.positions(shape, &x), &x) > 0.1, "{kind}");
    }
}

#[test]
fn forward_is_equivariant_and_its_log_det_invariant() {
    for_each_motion(2, |what, golden, flow, motion| {
        let z = golden.array("flow.z");
        let (x, log_det) = flow.forward(&z);
        let (x_moved, log_det_moved) = flow.forward(&motion.positions(golden.shape, &z));
        assert_close(what, &x_moved, &motion.positions(golden.shape, &x), TOLERANCE);
        assert_close(what, &log_det_moved, &log_det, TOLERANCE);
    });
}

#[test]
fn inverse_is_equivariant_and_its_log_det_invariant() {
    for_each_motion(3, |what, golden, flow, motion| {
        let x = golden.array("flow.x");
        let (z, log_det) = flow.inverse(&x);
        let (z_moved, log_det_moved) = flow.inverse(&motion.positions(golden.shape, &x));
        assert_close(what, &z_moved, &motion.positions(golden.shape, &z), TOLERANCE);
        assert_close(what, &log_det_moved, &log_det, TOLERANCE);
    });
}

#[test]
fn log_density_is_invariant_and_its_gradient_equivariant() {
    for_each_motion(4, |what, golden, flow, motion| {
        let x = golden.array("density.x");
        let (log_prob, grad) = flow.score(&x);
        let (log_prob_moved, grad_moved) = flow.score(&motion.positions(golden.shape, &x));
        assert_close(what, &log_prob_moved, &log_prob, TOLERANCE);
        assert_close(what, &grad_moved, &motion.vectors(golden.shape, &grad), TOLERANCE);
    });
}

#[test]
fn the_gradient_has_no_net_force_and_no_net_torque() {
    for golden in Golden::all() {
        for (integrator, config) in configs() {
            let x = golden.array("density.x");
            let (_, grad) = Flow::<f64>::new(&golden, config).score(&x);
            let scale = largest(&grad);
            let what = format!("{} {integrator}", golden.name);
            assert!(largest_com(golden.shape, &grad) < TOLERANCE * scale, "{what}: force");
            // The adjoint of the grid keeps x wedge g to rounding; the adaptive solution only to its tolerance of
            // 1e-10 a step, times some tens of steps.
            let bar = if integrator == "rk4" { 10.0 * TOLERANCE } else { 1e-8 };
            let torque = largest_torque(golden.shape, &x, &grad) / scale;
            println!("{what}: torque {torque:e}");
            assert!(torque < bar, "{what}: torque {torque:e}");
        }
    }
}

/// Largest component of sum_i x_i wedge g_i, per particle.
fn largest_torque(shape: Shape, x: &[f64], g: &[f64]) -> f64 {
    let d = shape.dimension;
    let mut worst = 0.0_f64;
    for (x, g) in x.chunks(shape.coordinates()).zip(g.chunks(shape.coordinates())) {
        for a in 0..d {
            for b in 0..a {
                let torque: f64 = x.chunks(d).zip(g.chunks(d)).map(|(x, g)| x[a] * g[b] - x[b] * g[a]).sum();
                worst = worst.max((torque / shape.particles as f64).abs());
            }
        }
    }
    worst
}

#[test]
fn the_centre_of_mass_does_not_drift() {
    let mut rng = Rng(5);
    for golden in Golden::all() {
        for (integrator, config) in configs() {
            let flow = Flow::<f64>::new(&golden, config);
            let z = latent(golden.shape, 64, &mut rng);
            let (x, _) = flow.forward(&z);
            let drift = largest_com(golden.shape, &x);
            assert!(drift < 1e-13, "{} {integrator}: drift {drift:e}", golden.name);
        }
    }
}

fn round_trip(golden: &Golden, config: Config) -> (f64, f64) {
    let flow = Flow::<f64>::new(golden, config);
    let z = golden.array("flow.z");
    let (x, log_det) = flow.forward(&z);
    let (back, log_det_back) = flow.inverse(&x);
    let sum: Vec<f64> = log_det.iter().zip(&log_det_back).map(|(a, b)| a + b).collect();
    (distance(&back, &z), largest(&sum))
}

/// The backward grid is not the exact inverse of the forward one. A step back undoes the leading error of a step
/// forth, so what is left falls with the fifth power of the step length, one order better than the method's.
#[test]
fn the_fixed_grid_returns_with_fifth_order() {
    for golden in Golden::all() {
        let [coarse, fine] = [40, 160].map(|steps| round_trip(&golden, Config::rk4(steps)));
        println!("{}: round trip {coarse:?} {fine:?}", golden.name);
        // 4^5 = 1024 asymptotically; 4^4.5 = 512 tells fifth order from fourth.
        assert!(fine.0 < coarse.0 / 512.0, "{}: {coarse:?} {fine:?}", golden.name);
        assert!(fine.1 < coarse.1 / 512.0, "{}: {coarse:?} {fine:?}", golden.name);
        assert!(coarse.0 < 1e-8 && coarse.1 < 1e-6, "{}: {coarse:?}", golden.name);
    }
}

#[test]
fn the_adaptive_flow_returns_to_its_tolerance() {
    for golden in Golden::all() {
        let (position, log_det) = round_trip(&golden, Config::dopri5(1e-11, 1e-11));
        println!("{}: adaptive round trip {position:e} {log_det:e}", golden.name);
        // Local errors of 1e-11 a step, some tens of steps, stretched by at most e^(largest log-det / dimension).
        assert!(position < 1e-9 && log_det < 1e-8, "{}: {position:e} {log_det:e}", golden.name);
    }
}

fn check_potential(what: &str, shape: Shape, potential: &impl Potential<f64>, seed: u64) {
    let mut rng = Rng(seed);
    let evaluate = |x: &[f64]| {
        let mut gradient = vec![0.0; x.len()];
        let energy = potential.energy(shape, x, Some(&mut gradient));
        (energy, gradient)
    };
    for _ in 0..10 {
        // A spread of 2 keeps Lennard-Jones energies within a few orders of magnitude.
        let x: Vec<f64> = latent(shape, 1, &mut rng).iter().map(|c| 2.0 * c).collect();
        let (u, gradient) = evaluate(&x);
        for (kind, motion) in motions(shape, &mut rng) {
            let (u_moved, gradient_moved) = evaluate(&motion.positions(shape, &x));
            // A shift rounds the coordinates: relative to the steepest gradient that is 1e-16 of the energy scale.
            let what = format!("{what} {kind}");
            let scale = u.abs().max(largest(&gradient));
            assert!((u_moved - u).abs() < TOLERANCE * scale, "{what}: {u} {u_moved}");
            assert_close(&what, &gradient_moved, &motion.vectors(shape, &gradient), TOLERANCE);
        }
        assert!(largest_com(shape, &gradient) < TOLERANCE * largest(&gradient));
        assert!(largest_torque(shape, &x, &gradient) < 10.0 * TOLERANCE * largest(&gradient));
    }
}

#[test]
fn potentials_are_invariant_and_their_gradients_equivariant() {
    for dimension in 1..=3 {
        for particles in [2, 5] {
            let shape = Shape { particles, dimension };
            check_potential("double well", shape, &DoubleWell::<f64>::dw4(), 6);
            check_potential("Lennard-Jones", shape, &LennardJones::<f64>::lj13(), 7);
        }
    }
}
