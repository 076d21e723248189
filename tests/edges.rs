//! The ends of every range: one particle and many, coincident and far ones, empty and odd batches, small models.

mod common;

use common::cases::{Flow, Rng, largest, largest_com, latent, narrow, widen};
use common::{Golden, assert_close};
use eqflow::field::Shape;
use eqflow::flow::{Config, Model, Plan, Precision, Reals};
use eqflow::potential::{DoubleWell, LennardJones, Potential};
use eqflow::radial::Basis;

const ADAPTIVE: Config = Config::dopri5(1e-5, 1e-5);

/// A golden model's parameters for another number of particles and dimension.
fn reshaped(golden: &Golden, particles: usize, dimension: usize) -> Model<'_> {
    Model { shape: Shape { particles, dimension }, ..golden.model() }
}

fn flow<R: Precision>(model: &Model<'_>, config: Config) -> Flow<R> {
    Flow { plan: Plan::allocate(model, &config).unwrap() }
}

fn assert_finite<R: Precision>(what: &str, values: &[R]) {
    for (i, v) in values.iter().enumerate() {
        assert!(v.is_finite(), "{what}[{i}] is {v}");
    }
}

/// Runs everything on `x` and checks that all of it is finite.
fn assert_all_finite<R: Precision>(what: &str, flow: &Flow<R>, x: &[R]) {
    for (name, (a, b)) in [
        ("forward", flow.forward(x)),
        ("inverse", flow.inverse(x)),
        ("score", flow.score(x)),
        ("field", flow.field(R::from_f64(0.5), x)),
    ] {
        assert_finite(&format!("{what} {name}"), &a);
        assert_finite(&format!("{what} {name} scalars"), &b);
    }
}

fn single_particle<R: Precision>() {
    let golden = Golden::load("dw4_normalized");
    for dimension in 1..=3 {
        for config in [Config::rk4(5), ADAPTIVE] {
            let flow = flow::<R>(&reshaped(&golden, 1, dimension), config);
            let x = narrow::<R>(&Rng(1).normals(5 * dimension));
            let zeros = vec![0.0; 5];
            let (y, log_det) = flow.forward(&x);
            assert_eq!((y, widen(&log_det)), (x.clone(), zeros.clone()));
            let (y, log_det) = flow.inverse(&x);
            assert_eq!((y, widen(&log_det)), (x.clone(), zeros.clone()));
            let (log_prob, gradient) = flow.score(&x);
            assert_eq!((widen(&log_prob), widen(&gradient)), (zeros.clone(), vec![0.0; 5 * dimension]));
            let (v, div) = flow.field(R::from_f64(0.5), &x);
            assert_eq!((widen(&v), widen(&div)), (vec![0.0; 5 * dimension], zeros.clone()));
            let (mut s, mut log_prob) = (x.clone(), vec![R::from_f64(9.0); 5]);
            flow.plan.sample(3, 0, &mut s, Some(&mut log_prob), &mut flow.work(5)).unwrap();
            assert_eq!((widen(&s), widen(&log_prob)), (vec![0.0; 5 * dimension], zeros));
        }
    }
}

#[test]
fn a_single_particle_never_moves_and_has_log_density_zero() {
    single_particle::<f64>();
    single_particle::<f32>();
}

/// Two of the particles in one place (with a third elsewhere), or all of them.
fn coincident(shape: Shape, all: bool, rng: &mut Rng) -> Vec<f64> {
    let d = shape.dimension;
    let mut x = latent(shape, 1, rng);
    for p in 1..if all { shape.particles } else { 2 } {
        x.copy_within(0..d, p * d);
    }
    x
}

fn coincident_particles<R: Precision>() {
    let mut rng = Rng(2);
    for name in ["dw4_gaussian", "dw4_normalized"] {
        let golden = Golden::load(name);
        for dimension in 1..=3 {
            for config in [Config::rk4(8), ADAPTIVE] {
                let shape = Shape { particles: 4, dimension };
                let flow = flow::<R>(&reshaped(&golden, 4, dimension), config);
                for all in [false, true] {
                    let x = narrow::<R>(&coincident(shape, all, &mut rng));
                    let what = format!("{name} D={dimension} all={all}");
                    assert_all_finite(&what, &flow, &x);
                    // Coincident particles are alike: they get the same velocity, image and gradient.
                    let together = if all { 4 } else { 2 };
                    for y in [
                        flow.forward(&x).0,
                        flow.inverse(&x).0,
                        flow.field(R::from_f64(0.5), &x).0,
                        flow.score(&x).1,
                    ] {
                        let first = widen(&y[..dimension]);
                        for p in 1..together {
                            let other = widen(&y[p * dimension..(p + 1) * dimension]);
                            let bar = if R::EXPONENT_LIMIT.to_f64() > 500.0 { 1e-13 } else { 1e-5 };
                            for (a, b) in first.iter().zip(&other) {
                                assert!((a - b).abs() <= bar * (1.0 + largest(&widen(&y))), "{what}");
                            }
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn coincident_particles_stay_together_and_finite() {
    coincident_particles::<f64>();
    coincident_particles::<f32>();
}

#[test]
fn all_particles_in_one_place_feel_nothing_and_diverge_by_phi_of_zero() {
    for golden in Golden::all() {
        let flow = Flow::<f64>::new(&golden, Config::default());
        let Shape { particles, dimension } = golden.shape;
        let (v, div) = flow.field(0.25, &vec![1.5; golden.shape.coordinates()]);
        assert_eq!(v, vec![0.0; v.len()]);
        let mut phi = [0.0];
        flow.plan.radial(0.25, &[0.0], &mut phi, None).unwrap();
        // N (N - 1) ordered pairs, each D phi(0).
        let want = (particles * (particles - 1) * dimension) as f64 * phi[0];
        assert_close(golden.name, &div, &[want], 1e-14);
    }
}

fn coincident_potentials<R: Precision>() {
    for dimension in 1..=3 {
        let shape = Shape { particles: 3, dimension };
        let x = vec![R::from_f64(0.5); 3 * dimension];
        let mut gradient = x.clone();
        let u = DoubleWell::<R>::dw4().energy(shape, &x, Some(&mut gradient)).to_f64();
        // Three pairs at d = 0: -4 * 16 + 0.9 * 256 each.
        assert!((u - 3.0 * 166.4).abs() < 1e-3, "{u}");
        assert_eq!(widen(&gradient), vec![0.0; x.len()]);
        let u = LennardJones::<R>::lj13().energy(shape, &x, Some(&mut gradient)).to_f64();
        assert_eq!(u, f64::INFINITY);
        assert_eq!(widen(&gradient), vec![0.0; x.len()]);
    }
}

#[test]
fn potentials_of_coincident_particles_have_their_limit_and_no_gradient() {
    coincident_potentials::<f64>();
    coincident_potentials::<f32>();
}

/// Nearly coincident: the energy overflows, but neither it nor the gradient may become NaN.
fn close_encounters<R: Precision>(distances: &[f64]) {
    let shape = Shape { particles: 3, dimension: 3 };
    for &d in distances {
        let x = narrow::<R>(&[0.0, 0.0, 0.0, d, 0.0, 0.0, 1.0, 1.0, 0.0]);
        for epsilon in [2.0, -1.0] {
            let cluster = LennardJones { epsilon: R::from_f64(epsilon), ..LennardJones::lj13() };
            let mut gradient = x.clone();
            let u = cluster.energy(shape, &x, Some(&mut gradient)).to_f64();
            assert!(u * epsilon > 0.0, "energy {u} at {d:e}");
            assert!(!gradient.iter().any(|g| g.to_f64().is_nan()), "gradient {gradient:?} at {d:e}");
        }
    }
}

#[test]
fn close_encounters_give_no_nan() {
    close_encounters::<f64>(&[1e-2, 1e-12, 1e-25, 1e-26, 1e-30, 1e-60, 1e-150, 1e-170, 1e-300]);
    close_encounters::<f32>(&[1e-2, 1e-3, 6e-4, 1e-4, 1e-10, 1e-18, 1e-20, 1e-30]);
}

/// One particle far from the others. Beyond the last Gaussian phi is the constant phi(far), and
/// v_i = phi(far) sum_j (x_i - x_j), div v = that of the near ones plus 2 (N - 1) D phi(far).
fn far_particle<R: Precision>(distances: &[f64], bar: f64) {
    for golden in Golden::all() {
        let shape = golden.shape;
        let Shape { particles, dimension } = shape;
        let flow = Flow::<R>::new(&golden, Config::rk4(4));
        let near = Flow::<R> {
            plan: Plan::allocate(&reshaped(&golden, particles - 1, dimension), &Config::rk4(4)).unwrap(),
        };
        for &far in distances {
            let mut x = latent(shape, 1, &mut Rng(3));
            let others = x[dimension..].to_vec();
            x[0] = far;
            let what = format!("{} at {far:e}", golden.name);
            let x = narrow::<R>(&x);
            let t = R::from_f64(0.5);
            let mut phi = [R::default()];
            flow.plan.radial(t, &[R::from_f64(1e6)], &mut phi, None).unwrap();
            let phi = phi[0].to_f64();
            let (v, div) = flow.field(t, &x);
            let (_, near_div) = near.field(t, &narrow::<R>(&others));
            let want = near_div[0].to_f64() + (2 * (particles - 1) * dimension) as f64 * phi;
            // The near particles' phi is of order one; so is that of their divergence, where there are any.
            let scale = 1.0 + want.abs();
            assert!((div[0].to_f64() - want).abs() <= bar * scale, "{what}: {} {want}", div[0]);
            let lever: f64 = others.iter().step_by(dimension).map(|other| far - other).sum();
            let pull = phi * lever;
            assert!((v[0].to_f64() - pull).abs() <= bar * (1.0 + pull.abs()), "{what}: {} {pull}", v[0]);
            let (y, log_det) = flow.forward(&x);
            assert_finite(&what, &y);
            assert_finite(&what, &log_det);
            let (y, log_det) = flow.inverse(&x);
            assert_finite(&what, &y);
            assert_finite(&what, &log_det);
        }
    }
}

#[test]
fn far_particles_see_the_constant_part_of_phi() {
    far_particle::<f64>(&[1e6, 1e100, 1e150, 1e160, 1e300], 1e-13);
    far_particle::<f32>(&[1e6, 1e12, 1e18, 1e25, 1e36], 1e-5);
}

/// The log-density falls as |z|^2/2 and overflows to minus infinity where that square does, at about 1e154 (f64)
/// and 1e19 (f32): there the gradient is lost, but neither the density nor another row.
fn far_scores<R: Precision>(finite: &[f64], overflowing: &[f64]) {
    for golden in Golden::all() {
        for config in [Config::rk4(4), ADAPTIVE] {
            let flow = Flow::<R>::new(&golden, config);
            let at = |far: f64| {
                let mut x = latent(golden.shape, 1, &mut Rng(3));
                x[0] = far;
                flow.score(&narrow::<R>(&x))
            };
            for &far in finite {
                let (log_prob, gradient) = at(far);
                let what = format!("{} {config:?} at {far:e}", golden.name);
                assert_finite(&what, &log_prob);
                assert_finite(&what, &gradient);
                // -z^2/2 at the dominant coordinate.
                assert!(log_prob[0].to_f64() < -1e-3 * far * far, "{what}: {}", log_prob[0]);
            }
            for &far in overflowing {
                let n = golden.shape.coordinates();
                let near = latent(golden.shape, 1, &mut Rng(4));
                let mut x = [latent(golden.shape, 1, &mut Rng(3)), near.clone()].concat();
                x[0] = far;
                let what = format!("{} {config:?} at {far:e}", golden.name);
                let log_prob = flow.log_prob(&narrow::<R>(&x));
                assert_eq!(log_prob[0].to_f64(), f64::NEG_INFINITY, "{what}");
                assert_eq!(log_prob[1], flow.log_prob(&narrow::<R>(&near))[0], "{what}");
                if config != ADAPTIVE {
                    let (log_prob, gradient) = flow.score(&narrow::<R>(&x));
                    assert_eq!(log_prob[0].to_f64(), f64::NEG_INFINITY, "{what}");
                    assert_eq!(gradient[n..], flow.score(&narrow::<R>(&near)).1, "{what}");
                }
            }
        }
    }
}

#[test]
fn far_scores_stay_finite_until_the_square_overflows() {
    far_scores::<f64>(&[1e6, 1e100], &[1e160]);
    far_scores::<f32>(&[1e6, 1e18], &[1e25]);
}

fn far_radial<R: Precision>(distances: &[f64]) {
    for golden in Golden::all() {
        let plan = Flow::<R>::new(&golden, Config::default()).plan;
        let (mut phi, mut slope) = ([R::default(); 2], [R::default(); 2]);
        for &d in distances {
            let d = [R::from_f64(1e6), R::from_f64(d)];
            plan.radial(R::from_f64(0.5), &d, &mut phi, Some(&mut slope)).unwrap();
            let what = format!("{} at {}", golden.name, d[1]);
            assert_eq!(phi[0], phi[1], "{what}");
            assert!(slope[1].to_f64().abs() < 1e-18, "{what}: slope {}", slope[1]);
        }
    }
}

#[test]
fn far_radial_functions_are_constant_up_to_the_largest_number() {
    far_radial::<f64>(&[1e7, 1e100, 1e160, f64::MAX]);
    far_radial::<f32>(&[1e7, 1e18, 1e25, f64::from(f32::MAX)]);
}

fn far_potentials<R: Precision>(far: f64, overflowing: &[f64]) {
    let shape = Shape { particles: 3, dimension: 2 };
    let evaluate = |far: f64| {
        let x = narrow::<R>(&[far, 0.0, 0.0, 0.0, 0.0, 1.0]);
        let (mut well, mut cluster) = (x.clone(), x.clone());
        let u = DoubleWell::<R>::dw4().energy(shape, &x, Some(&mut well)).to_f64();
        let v = LennardJones::<R>::lj13().energy(shape, &x, Some(&mut cluster)).to_f64();
        (u, well, v, cluster)
    };
    let (u, well, v, cluster) = evaluate(far);
    // Two quartic pairs; a spring on 2/3 of the squared distance.
    assert!((u / (1.8 * far.powi(4)) - 1.0).abs() < 1e-4, "{u}");
    assert!((v / (far * far / 3.0) - 1.0).abs() < 1e-4, "{v}");
    assert_finite("double well", &well);
    assert_finite("Lennard-Jones", &cluster);
    for &far in overflowing {
        let (u, well, v, cluster) = evaluate(far);
        assert_eq!(u, f64::INFINITY, "{far:e}");
        assert!(!well.iter().any(|g| g.to_f64().is_nan()), "double well {well:?} at {far:e}");
        assert!(v > 0.0, "Lennard-Jones {v} at {far:e}");
        assert_finite("far Lennard-Jones", &cluster);
    }
}

#[test]
fn far_potentials_overflow_to_infinity_and_never_to_nan() {
    far_potentials::<f64>(1e6, &[1e100, 1e154, 1e160, 1e300]);
    far_potentials::<f32>(1e6, &[1e12, 1e18, 1e25, 1e36]);
}

fn batches<R: Precision>() {
    let golden = Golden::load("dw4_normalized");
    let c = golden.shape.coordinates();
    for config in [Config::rk4(3), ADAPTIVE] {
        let flow = Flow::<R>::new(&golden, config);
        let all = narrow::<R>(&latent(golden.shape, 13, &mut Rng(5)));
        let (want, want_gradient) = flow.score(&all);
        assert_eq!(want.len(), 13);
        assert!(want.windows(2).all(|pair| pair[0] != pair[1]));
        for n in [0, 1, 2, 3, 4, 5, 7, 8, 9, 13] {
            let (log_prob, gradient) = flow.score(&all[..n * c]);
            assert_eq!((&log_prob[..], &gradient[..]), (&want[..n], &want_gradient[..n * c]));
            // A longer workspace than needed serves as well; an empty batch needs none.
            let mut work = if n == 0 { Vec::new() } else { flow.work(20) };
            let mut log_prob = vec![R::default(); n];
            flow.plan.log_prob(&all[..n * c], &mut log_prob, None, &mut work).unwrap();
            assert_eq!(log_prob, want[..n]);
            flow.plan.sample(1, 0, &mut vec![R::default(); n * c], None, &mut work).unwrap();
            flow.plan
                .field(R::from_f64(0.0), &all[..n * c], &mut all[..n * c].to_vec(), None, &mut work)
                .unwrap();
        }
        flow.plan.radial(R::from_f64(1.0), &[], &mut [], Some(&mut [])).unwrap();
    }
}

#[test]
fn empty_and_odd_batches_work() {
    batches::<f64>();
    batches::<f32>();
}

/// phi = h(t) (b + w (g(d) + a^2)) with one function each, worked out by hand.
#[test]
fn the_smallest_model_is_its_formula() {
    let (w, b, a, mu, gamma, mu_time, gamma_time, eps) =
        ([0.7], [-0.2], [0.5], [1.5], [0.8], [0.3], [0.6], 1e-6);
    for basis in [Basis::Gaussian, Basis::Normalized] {
        for (bias, importance) in [(true, true), (true, false), (false, true), (false, false)] {
            let model = Model {
                basis,
                shape: Shape { particles: 2, dimension: 3 },
                weights: Reals::Native(&w),
                bias: bias.then_some(Reals::Native(&b)),
                importance: importance.then_some(Reals::Native(&a)),
                mu: Reals::Native(&mu),
                gamma: Reals::Native(&gamma),
                mu_time: Reals::Native(&mu_time),
                gamma_time: Reals::Native(&gamma_time),
                eps,
            };
            let plan = flow::<f64>(&model, Config::default()).plan;
            let (d, t) = (2.1_f64, 0.45_f64);
            let g = (-((d - mu[0]) / gamma[0]).powi(2)).exp();
            let h = (-((t - mu_time[0]) / gamma_time[0]).powi(2)).exp();
            let normalized = |g: f64| if basis == Basis::Normalized { g / (eps + g) } else { g };
            let level = if bias { b[0] } else { 0.0 } + if importance { w[0] * a[0] * a[0] } else { 0.0 };
            let want = normalized(h) * (level + w[0] * normalized(g));
            let mut phi = [0.0];
            plan.radial(t, &[d], &mut phi, None).unwrap();
            assert!((phi[0] - want).abs() < 1e-14, "{basis:?} {bias} {importance}: {} {want}", phi[0]);
        }
    }
}

#[test]
fn many_particles_keep_their_centre_and_translate_rigidly() {
    for name in ["lj13_gaussian", "lj13_normalized"] {
        let golden = Golden::load(name);
        let model = reshaped(&golden, 55, 3);
        let flow = flow::<f64>(&model, Config::rk4(4));
        let z: Vec<f64> = latent(model.shape, 2, &mut Rng(6)).iter().map(|c| 1.5 * c).collect();
        let (x, log_det) = flow.forward(&z);
        assert!(largest_com(model.shape, &x) < 1e-13 * largest(&x));
        assert_finite(name, &log_det);
        let shifted: Vec<f64> = z.iter().map(|c| c + 0.25).collect();
        let (x_shifted, log_det_shifted) = flow.forward(&shifted);
        let want: Vec<f64> = x.iter().map(|c| c + 0.25).collect();
        assert_close(name, &x_shifted, &want, 1e-12);
        assert_close(name, &log_det_shifted, &log_det, 1e-12);
        let (_, gradient) = flow.score(&z);
        assert!(largest_com(model.shape, &gradient) < 1e-13 * largest(&gradient));
        let (v, div) = flow.field(0.5, &z);
        assert!(largest_com(model.shape, &v) < 1e-13 * largest(&v));
        assert_finite(name, &div);
    }
}

#[test]
fn a_tether_without_pair_energy_is_harmonic_even_where_particles_coincide() {
    let shape = Shape { particles: 3, dimension: 2 };
    let tether = LennardJones { epsilon: 0.0, r_m: 1.0, oscillator: 3.0, tau: 2.0 };
    let x = [0.0, 0.0, 0.0, 0.0, 3.0, 0.0];
    let mut gradient = [9.0; 6];
    // k / (2 tau) (1 + 1 + 4) about the centre (1, 0); k / tau times the offsets.
    assert_eq!(tether.energy(shape, &x, Some(&mut gradient)), 4.5);
    assert_eq!(gradient, [-1.5, 0.0, -1.5, 0.0, 3.0, 0.0]);
}
