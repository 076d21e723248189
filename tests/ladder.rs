//! The upper rungs of the exactness ladder: the log-determinant of the discrete map itself, and its exact inverse.
#![cfg(feature = "std")]

mod common;

use common::cases::{Flow, Motion, Rng, distance, largest, latent, narrow, norm, widen};
use common::models::Parameters;
use common::{Golden, assert_close};
use eqflow::error::{Argument, Error, Status};
use eqflow::field::Shape;
use eqflow::flow::{Block, Config, Inverse, LogDet, Model, Plan, Precision, RadialPath};

const RADIALS: [RadialPath; 2] = [RadialPath::Compiled, RadialPath::Exact];

fn flow<R: Precision>(model: &Model<'_>, config: Config) -> Flow<R> {
    Flow { plan: Plan::allocate(model, &config).unwrap() }
}

/// Both upper rungs.
const fn exact(steps: usize) -> Config {
    Config::rk4(steps).with_log_det(LogDet::Jacobian).with_inverse(Inverse::Exact)
}

/// The exact inverse with the quadrature of the divergence.
const fn exact_trace(steps: usize) -> Config {
    Config::rk4(steps).with_inverse(Inverse::Exact)
}

/// The golden models and a trained one.
fn models() -> Vec<Parameters> {
    common::NAMES.into_iter().map(Parameters::golden).chain([Parameters::trained()]).collect()
}

fn golden_log_dets<R: Precision>(tolerance: f64) {
    for golden in Golden::all() {
        for radial in RADIALS {
            let flow = Flow::<R>::new(&golden, exact(20).with_radial(radial));
            let (x, log_det) = flow.forward(&narrow(&golden.array("flow.z")));
            let (got, want) = (widen(&log_det), golden.array("flow.log_det_discrete"));
            let off = distance(&got, &want);
            println!("{} f{}: {off:e}", golden.name, 8 * size_of::<R>());
            assert!(off <= tolerance, "{} {radial:?}: off by {off:e}", golden.name);
            // The trajectory is that of the other rung, to the bit.
            let trace = Flow::<R>::new(&golden, Config::rk4(20).with_radial(radial));
            assert!(trace.forward(&narrow(&golden.array("flow.z"))).0 == x);
        }
    }
}

#[test]
fn log_determinants_are_those_of_the_discrete_map() {
    golden_log_dets::<f64>(1e-11);
    golden_log_dets::<f32>(1e-4);
}

/// Helmert's basis by its definition, `[k][N D]`.
fn helmert(Shape { particles, dimension }: Shape) -> Vec<Vec<f64>> {
    let mut basis = Vec::new();
    for m in 1..particles {
        for d in 0..dimension {
            let length = ((m * (m + 1)) as f64).sqrt();
            let mut vector = vec![0.0; particles * dimension];
            (0..m).for_each(|i| vector[i * dimension + d] = 1.0 / length);
            vector[m * dimension + d] = -(m as f64) / length;
            basis.push(vector);
        }
    }
    basis
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The Jacobian of `map` at `z` in Helmert's basis, row by row: central differences over three lengths,
/// extrapolated to order 6.
fn finite_differences(shape: Shape, z: &[f64], map: impl Fn(&[f64]) -> Vec<f64>) -> Vec<f64> {
    let (basis, k) = (helmert(shape), shape.free_dimension());
    let mut jacobian = vec![0.0; k * k];
    for (column, direction) in basis.iter().enumerate() {
        let moved = |h: f64| map(&z.iter().zip(direction).map(|(z, b)| z + h * b).collect::<Vec<_>>());
        let central = |h: f64| -> Vec<f64> {
            moved(h).iter().zip(moved(-h)).map(|(plus, minus)| (plus - minus) / (2.0 * h)).collect()
        };
        let [wide, middle, narrow] = [4e-3, 2e-3, 1e-3].map(central);
        let slope: Vec<f64> =
            (0..z.len()).map(|i| (64.0 * narrow[i] - 20.0 * middle[i] + wide[i]) / 45.0).collect();
        for (row, vector) in basis.iter().enumerate() {
            jacobian[row * k + column] = dot(vector, &slope);
        }
    }
    jacobian
}

/// log|det| by Gaussian elimination with pivots.
fn log_abs_determinant(k: usize, matrix: &[f64]) -> f64 {
    let mut a: Vec<Vec<f64>> = matrix.chunks(k.max(1)).map(<[f64]>::to_vec).collect();
    let mut sum = 0.0;
    for j in 0..k {
        let pivot = (j..k).max_by(|&p, &q| a[p][j].abs().total_cmp(&a[q][j].abs())).unwrap();
        a.swap(j, pivot);
        sum += a[j][j].abs().ln();
        for i in j + 1..k {
            let factor = a[i][j] / a[j][j];
            for c in j..k {
                a[i][c] -= factor * a[j][c];
            }
        }
    }
    sum
}

#[test]
fn jacobians_agree_with_finite_differences() {
    for parameters in common::NAMES.map(Parameters::golden) {
        let model = parameters.model();
        for (steps, log_det) in [(20, 1e-9), (3, 1e-9)] {
            let flow = flow::<f64>(&model, exact(steps).with_radial(RadialPath::Exact));
            let (k, coordinates) = (model.shape.free_dimension(), model.shape.coordinates());
            let z = latent(model.shape, 3, &mut Rng(4));
            let jacobian = flow.jacobian(&z);
            let log_dets = flow.forward(&z).1;
            for (s, z) in z.chunks(coordinates).enumerate() {
                let want = finite_differences(model.shape, z, |z| flow.forward(z).0);
                let got = &jacobian[s * k * k..(s + 1) * k * k];
                let what = format!("{} {steps} steps", parameters.name);
                assert_close(&what, got, &want, 1e-9);
                let want = log_abs_determinant(k, &want);
                assert!((log_dets[s] - want).abs() < log_det, "{what}: {:e}", log_dets[s] - want);
                assert!((log_dets[s] - log_abs_determinant(k, got)).abs() < 1e-12 * k as f64, "{what}");
            }
        }
    }
}

#[test]
fn the_map_backward_has_a_log_determinant_of_its_own() {
    for parameters in common::NAMES.map(Parameters::golden) {
        let model = parameters.model();
        let config = Config::rk4(4).with_log_det(LogDet::Jacobian).with_radial(RadialPath::Exact);
        let flow = flow::<f64>(&model, config);
        let x = latent(model.shape, 1, &mut Rng(5));
        let (z, log_det) = flow.inverse(&x);
        let jacobian = finite_differences(model.shape, &x, |x| flow.inverse(x).0);
        let want = log_abs_determinant(model.shape.free_dimension(), &jacobian);
        assert!((log_det[0] - want).abs() < 1e-9, "{}", parameters.name);
        let prior = eqflow::particles::prior_log_prob(model.shape, &z[..]);
        assert_close("log_prob", &flow.log_prob(&x), &[prior + want], 1e-9);
    }
}

#[test]
fn single_precision_rounds_the_jacobian() {
    for parameters in models() {
        let model = parameters.model();
        let z = latent(model.shape, 5, &mut Rng(6));
        let double = flow::<f64>(&model, exact(10)).jacobian(&z);
        let single = flow::<f32>(&model, exact(10)).jacobian(&narrow(&z));
        assert_close(&parameters.name, &widen(&single), &double, 1e-3);
    }
}

#[test]
fn one_particle_has_an_empty_jacobian() {
    let golden = Golden::load("dw4_normalized");
    for dimension in 1..=3 {
        let model = Model { shape: Shape { particles: 1, dimension }, ..golden.model() };
        for config in [exact(3), exact_trace(3)] {
            let flow = flow::<f64>(&model, config);
            let x = Rng(7).normals(5 * dimension);
            for (y, log_det) in [flow.forward(&x), flow.inverse(&x)] {
                assert_eq!((y, log_det), (x.clone(), vec![0.0; 5]));
            }
            if config.log_det == LogDet::Jacobian {
                assert!(flow.jacobian(&x).is_empty());
            }
        }
    }
}

/// Two particles at a distance d end at a distance f(d) on the same line: log|det| = log f' + (D - 1) log(f/d).
#[test]
fn two_particles_stretch_along_and_across_their_line() {
    let golden = Golden::load("dw4_gaussian");
    for dimension in 1..=3 {
        let model = Model { shape: Shape { particles: 2, dimension }, ..golden.model() };
        let flow = flow::<f64>(&model, exact(4).with_radial(RadialPath::Exact));
        let direction = Rng(8).direction(dimension);
        let pair = |d: f64| -> Vec<f64> {
            [0.5, -0.5].iter().flat_map(|s| direction.iter().map(move |u| s * d * u)).collect()
        };
        let separation = |d: f64| {
            let x = flow.forward(&pair(d)).0;
            (0..dimension).map(|i| (x[i] - x[dimension + i]) * direction[i]).sum::<f64>()
        };
        for d in [0.3, 1.1, 2.5] {
            let central = |h: f64| (separation(d + h) - separation(d - h)) / (2.0 * h);
            let slope = (4.0 * central(1e-3) - central(2e-3)) / 3.0;
            let want = slope.ln() + (dimension - 1) as f64 * (separation(d) / d).ln();
            let (x, log_det) = flow.forward(&pair(d));
            assert!((log_det[0] - want).abs() < 1e-10, "D={dimension} d={d}: {} {want}", log_det[0]);
            let (z, back) = flow.inverse(&x);
            assert!(distance(&z, &pair(d)) < 1e-14 && (back[0] + want).abs() < 1e-10);
        }
    }
}

/// Particles all in one place stay there, and a displacement grows by (dv/dx) = N phi(0, t): an equation in one
/// variable, whose Runge-Kutta steps are written out here.
#[test]
fn coincident_particles_grow_apart_at_the_rate_of_phi_of_zero() {
    const STEPS: usize = 3;
    for golden in Golden::all() {
        for dimension in 1..=3 {
            let shape = Shape { particles: 4, dimension };
            let model = Model { shape, ..golden.model() };
            let flow = flow::<f64>(&model, exact(STEPS));
            let rate = |stage: usize| {
                let mut phi = [0.0];
                flow.plan.stage_phi(stage, &[0.0], &mut phi, None).unwrap();
                4.0 * phi[0]
            };
            let mut want = 0.0;
            for k in 0..STEPS {
                let h = 1.0 / STEPS as f64;
                let [first, middle, last] = [2 * k, 2 * k + 1, 2 * k + 2].map(rate);
                let k2 = middle * (1.0 + 0.5 * h * first);
                let k3 = middle * (1.0 + 0.5 * h * k2);
                let k4 = last * (1.0 + h * k3);
                want += (1.0 + h / 6.0 * (first + 2.0 * (k2 + k3) + k4)).abs().ln();
            }
            let want = shape.free_dimension() as f64 * want;
            let x = vec![0.75; shape.coordinates()];
            for (y, log_det) in [flow.forward(&x), (flow.inverse(&x).0, vec![-flow.inverse(&x).1[0]])] {
                assert_eq!(y, x, "{} D={dimension}", golden.name);
                let off = (log_det[0] - want).abs();
                assert!(off <= 1e-12 * want.abs().max(1.0), "{} {dimension}: {off:e}", golden.name);
            }
            // Two in one place: finite, and together for ever.
            let mut x = latent(shape, 1, &mut Rng(9));
            x.copy_within(..dimension, dimension);
            for (y, log_det) in [flow.forward(&x), flow.inverse(&x)] {
                assert!(log_det[0].is_finite());
                assert!(distance(&y[..dimension], &y[dimension..2 * dimension]) < 1e-12);
            }
        }
    }
}

/// `folded(name, steps)` says that the map of so few steps may have several preimages, of which one is found.
fn round_trips<R: Precision>(bar: f64, folded: impl Fn(&str, usize) -> bool) {
    for parameters in models() {
        let model = parameters.model();
        for steps in [20, 5, 2] {
            for radial in RADIALS {
                for config in [exact(steps), exact_trace(steps)] {
                    let flow = flow::<R>(&model, config.with_radial(radial));
                    let what = format!("{} f{} {steps}", parameters.name, 8 * size_of::<R>());
                    round_trip(&what, &flow, bar, folded(&parameters.name, steps));
                }
            }
        }
    }
}

/// inverse(forward(z)) = z, and forward(inverse(x)) = x, each with the other's log-determinant.
fn round_trip<R: Precision>(what: &str, flow: &Flow<R>, bar: f64, folded: bool) {
    let c = flow.plan.shape().coordinates();
    let mut z = narrow::<R>(&latent(flow.plan.shape(), 50, &mut Rng(10)));
    if folded {
        let found = |z: &&[R]| inverse_or_error(flow, &flow.forward(z).0, 1).0.is_ok();
        z = z.chunks(c).filter(found).flatten().copied().collect();
        println!("{what}: {} of 50 have a preimage that is found", z.len() / c);
        assert!(!z.is_empty());
    }
    let (x, _) = flow.forward(&z);
    let (back, log_det_back) = flow.inverse(&x);
    let (again, log_det) = flow.forward(&back);
    let off = [distance(&widen(&back), &widen(&z)), distance(&widen(&again), &widen(&x))];
    let sums: Vec<f64> = log_det.iter().zip(&log_det_back).map(|(a, b)| a.to_f64() + b.to_f64()).collect();
    println!("{what} {:?}: z {:e}, x {:e}, {:e}", flow.plan.config().log_det, off[0], off[1], largest(&sums));
    assert!(off[0] <= bar || folded, "{what}: z off by {:e}", off[0]);
    assert!(off[1] <= bar, "{what}: x off by {:e}", off[1]);
    let scale = 1.0 + largest(&widen(&log_det));
    assert!(largest(&sums) <= 100.0 * bar * scale, "{what}: {:e}", largest(&sums));
}

#[test]
fn the_exact_inverse_undoes_the_flow() {
    let folded = |name: &str, steps| name == "trained" && steps < 20;
    round_trips::<f64>(1e-12, folded);
    round_trips::<f32>(1e-3, folded);
}

/// Thirteen particles that repel each other steeply, at the default number of steps.
#[test]
fn the_exact_inverse_undoes_the_trained_lj13_flow() {
    let parameters = Parameters::trained_lj13();
    for config in [exact(20), exact_trace(20)] {
        round_trip(&parameters.name, &flow::<f64>(&parameters.model(), config), 1e-11, false);
    }
}

/// Drawing and evaluating with one plan gives one density.
#[test]
fn log_densities_of_samples_are_those_of_the_draw() {
    for parameters in models() {
        let model = parameters.model();
        for config in [exact(8), exact_trace(8)] {
            let flow = flow::<f64>(&model, config);
            let (mut x, mut log_prob) = (vec![0.0; 20 * model.shape.coordinates()], vec![0.0; 20]);
            flow.plan.sample(3, 0, &mut x, Some(&mut log_prob), &mut flow.work(20)).unwrap();
            let off = distance(&flow.log_prob(&x), &log_prob);
            assert!(off < 1e-9, "{} {:?}: {off:e}", parameters.name, config.log_det);
            // The inverse that walks back is another map: on a coarse grid it sees another density.
            let backward = self::flow::<f64>(&model, Config { inverse: Inverse::Backward, ..config });
            assert!(distance(&backward.log_prob(&x), &log_prob) > 10.0 * off, "{}", parameters.name);
        }
    }
}

#[test]
fn the_score_of_the_exact_inverse_is_the_gradient_of_its_log_density() {
    for parameters in models() {
        let model = parameters.model();
        let flow = flow::<f64>(&model, exact_trace(6).with_radial(RadialPath::Exact));
        let coordinates = model.shape.coordinates();
        let mut rng = Rng(11);
        let x = flow.forward(&latent(model.shape, 5, &mut rng)).0;
        let (log_prob, gradient) = flow.score(&x);
        assert!(distance(&log_prob, &flow.log_prob(&x)) == 0.0);
        for (x, gradient) in x.chunks(coordinates).zip(gradient.chunks(coordinates)) {
            for _ in 0..4 {
                let direction = rng.direction(coordinates);
                let at = |h: f64| {
                    let moved: Vec<f64> = x.iter().zip(&direction).map(|(x, u)| x + h * u).collect();
                    flow.log_prob(&moved)[0]
                };
                let central = |h: f64| (at(h) - at(-h)) / (2.0 * h);
                let h = if parameters.name == "trained" { 2e-5 } else { 1e-3 };
                let want = (4.0 * central(h) - central(2.0 * h)) / 3.0;
                let off = (dot(gradient, &direction) - want).abs() / norm(gradient);
                assert!(off < 1e-6, "{}: {off:e}", parameters.name);
            }
        }
    }
}

#[test]
fn motions_move_the_results_along() {
    let mut rng = Rng(12);
    for golden in Golden::all() {
        let shape = golden.shape;
        let flow = Flow::<f64>::new(&golden, exact(10));
        let z = latent(shape, 3, &mut rng);
        let (x, log_det) = flow.forward(&z);
        for motion in [
            Motion::permutation(shape, &mut rng),
            Motion::rotation(shape, &mut rng),
            Motion::reflection(shape, &mut rng),
            Motion::translation(shape, &mut rng),
        ] {
            let (x_moved, log_det_moved) = flow.forward(&motion.positions(shape, &z));
            assert_close(golden.name, &x_moved, &motion.positions(shape, &x), 1e-12);
            assert_close(golden.name, &log_det_moved, &log_det, 1e-12);
            let (z_moved, log_det_moved) = flow.inverse(&motion.positions(shape, &x));
            assert_close(golden.name, &z_moved, &motion.positions(shape, &z), 1e-12);
            assert_close(golden.name, &log_det_moved, &log_det.iter().map(|l| -l).collect::<Vec<_>>(), 1e-12);
        }
    }
}

/// A field so steep that two steps fold space.
fn steep(factor: f64) -> Parameters {
    Parameters::golden("dw4_normalized").with("steep", |p| p.weights.iter_mut().for_each(|w| *w *= factor))
}

fn inverse_or_error<R: Precision>(flow: &Flow<R>, x: &[R], n: usize) -> (Result<(), Error>, bool) {
    let (mut z, mut log_det) = (vec![R::from_f64(-7.0); x.len()], vec![R::from_f64(-7.0); n]);
    let result = flow.plan.inverse(x, &mut z, Some(&mut log_det), &mut flow.work(n));
    let untouched = z.iter().chain(&log_det).all(|v| v.to_f64() == -7.0);
    (result, untouched)
}

fn failures<R: Precision>() {
    let parameters = steep(8.0);
    let model = parameters.model();
    for config in [exact(2), exact_trace(2)] {
        let flow = flow::<R>(&model, config);
        let x = narrow::<R>(&latent(model.shape, 300, &mut Rng(13)));
        let alone: Vec<_> = x.chunks(8).map(|x| inverse_or_error(&flow, x, 1)).collect();
        let failed: Vec<usize> = (0..300).filter(|&i| alone[i].0.is_err()).collect();
        println!("{} of 300 fail", failed.len());
        assert!(failed.len() > 3 && failed.len() < 297, "{} of 300 fail: choose another", failed.len());
        // Batches that begin later have other first failures, in other lanes.
        for from in [0, failed[0] + 1, failed[1] + 1, failed[2] + 1] {
            let first = failed.iter().find(|&&i| i >= from).unwrap();
            let (result, untouched) = inverse_or_error(&flow, &x[8 * from..], 300 - from);
            let error = result.unwrap_err();
            assert_eq!((error.status, error.argument), (Status::Convergence, Argument::X));
            assert_eq!(error.index, first - from);
            assert_eq!(error.value, alone[*first].0.unwrap_err().value);
            assert!(untouched && (error.value == 0.5 || error.value == 1.0));
        }
        let solved: Vec<R> =
            (0..300).filter(|i| !failed.contains(i)).flat_map(|i| x[8 * i..8 * i + 8].to_vec()).collect();
        let (z, _) = flow.inverse(&solved);
        let (back, _) = flow.forward(&z);
        // To the residual of the last step, which the first has magnified.
        let off = distance(&widen(&back), &widen(&solved));
        println!("solved to {off:e}");
        assert!(off < if size_of::<R>() == 8 { 1e-11 } else { 1e-2 }, "{off:e}");
    }
}

#[test]
fn a_sample_without_a_preimage_is_named_and_nothing_is_written() {
    failures::<f64>();
    failures::<f32>();
}

#[test]
fn what_a_plan_does_not_offer_is_named() {
    let golden = Golden::load("dw4_normalized");
    let x = latent(golden.shape, 6, &mut Rng(14));
    let adaptive = Config::dopri5(1e-5, 1e-5);
    for (config, argument) in [
        (adaptive.with_log_det(LogDet::Jacobian), Argument::LogDetKind),
        (adaptive.with_inverse(Inverse::Exact), Argument::InverseKind),
    ] {
        let error = Error::new(Status::Unsupported, argument, 1.0);
        assert_eq!(config.check(), Err(error));
        assert_eq!(Plan::<f64, Vec<Block>>::allocate(&golden.model(), &config).err(), Some(error));
    }
    for config in [exact(2), Config::rk4(2).with_log_det(LogDet::Jacobian)] {
        let flow = Flow::<f64>::new(&golden, config);
        let (mut log_prob, mut gradient) = ([-7.0; 6], [-7.0; 48]);
        let result = flow.plan.log_prob(&x, &mut log_prob, Some(&mut gradient), &mut flow.work(6));
        assert_eq!(result, Err(Error::new(Status::Unsupported, Argument::Gradient, 0.0)));
        assert!(log_prob.iter().chain(&gradient).all(|v| *v == -7.0));
    }
    let flow = Flow::<f64>::new(&golden, exact_trace(2));
    let result = flow.plan.jacobian(&x, &mut [0.0; 216], &mut flow.work(6));
    assert_eq!(result, Err(Error::new(Status::Unsupported, Argument::LogDetKind, 0.0)));
}

#[test]
fn bad_arguments_of_the_jacobian_are_named() {
    let golden = Golden::load("dw4_normalized");
    let flow = Flow::<f64>::new(&golden, exact(2));
    let x = latent(golden.shape, 6, &mut Rng(15));
    let call = |x: &[f64], length: usize, work: usize| {
        let mut jacobian = vec![-7.0; length];
        let result = flow.plan.jacobian(x, &mut jacobian, &mut flow.work(6)[..work]);
        assert!(result.is_ok() || jacobian.iter().all(|v| *v == -7.0));
        result
    };
    let needed = flow.plan.workspace_extent(6).unwrap();
    assert_eq!(call(&x, 216, needed), Ok(()));
    assert_eq!(call(&[], 0, 0), Ok(()));
    assert_eq!(call(&x[1..], 216, needed), Err(Error::new(Status::Shape, Argument::Z, 8.0)));
    assert_eq!(call(&x, 215, needed), Err(Error::new(Status::Shape, Argument::Jacobian, 216.0)));
    let short = Error::new(Status::Workspace, Argument::Work, needed as f64);
    assert_eq!(call(&x, 216, needed - 1), Err(short));
    let mut x = x;
    x[13] = f64::INFINITY;
    assert_eq!(call(&x, 216, needed), Err(Error::at(Status::NonFinite, Argument::Z, 13, f64::INFINITY)));
}

/// Far out a trajectory overflows: in its own row only.
#[test]
fn overflow_stays_in_its_own_row() {
    let parameters = steep(1e150);
    let flow = flow::<f64>(&parameters.model(), exact(2).with_radial(RadialPath::Exact));
    let mut z = vec![0.25; 8 * 9];
    z[8 * 4..8 * 5].copy_from_slice(&latent(parameters.shape, 1, &mut Rng(16)));
    let (x, log_det) = flow.forward(&z);
    let jacobian = flow.jacobian(&z);
    for s in 0..9 {
        let finite = x[8 * s..8 * s + 8].iter().all(|v| v.is_finite());
        assert_eq!(finite, s != 4, "sample {s}");
        assert_eq!(log_det[s].is_finite(), jacobian[36 * s..36 * s + 36].iter().all(|v| v.is_finite()));
    }
    assert!(!log_det[4].is_finite());
}

#[test]
fn plans_without_the_upper_rungs_take_no_more_workspace() {
    for golden in Golden::all() {
        for n in [1, 7, 300] {
            let extent = |config: Config| Flow::<f64>::new(&golden, config).plan.workspace_extent(n).unwrap();
            let (trace, jacobian) = (extent(Config::rk4(20)), extent(exact(20)));
            assert!(trace < jacobian);
            // Of a trace plan: a tape of starts, a step's stages with their cotangents, and a few arrays beside them.
            let samples = n.div_ceil(8) * 8;
            let pairs = 6 * (64 + golden.shape.pairs()) * 8;
            let most = samples * (21 + 8 + 4 + 4) * (golden.shape.coordinates() + 4) + pairs + 1000;
            assert!(trace <= most / 8 + 1, "{} {n}: {trace} blocks, {most} doubles", golden.name);
        }
    }
}
