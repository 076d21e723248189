//! Flow matching in closed form: against dense least squares and known fields; pairs against brute force.

use eqflow::error::{Argument, Status};
use eqflow::field::Shape;
use eqflow::flow::{Block, Config, Plan};
use eqflow::potential::DoubleWell;
use eqflow::radial::Basis;
use eqflow::random::{Normals, Purpose, Stream, prior_sample};
use eqflow::sampling::{ChainConfig, Initial, sample_chains};
use eqflow::train::{
    Check, Fit, FlowMatching, Group, Pairing, Parameters, Schedule, TrainConfig, TrainError, Trainer, align,
    fit, likelihood, pairs,
};
use nalgebra::{DMatrix, DVector};
use std::ops::ControlFlow;

const fn shape(particles: usize, dimension: usize) -> Shape {
    Shape { particles, dimension }
}

/// Draws from the prior.
fn prior(shape: Shape, n: usize, seed: u64, purpose: Purpose) -> Vec<f64> {
    let mut samples = vec![0.0; n * shape.coordinates()];
    for (i, z) in samples.chunks_exact_mut(shape.coordinates()).enumerate() {
        prior_sample(shape, &mut Normals::new(Stream::new(seed, purpose, i as u64)), z);
    }
    samples
}

/// Prior draws that are `scale` times as large and thus different from the prior.
fn stretched(shape: Shape, n: usize, seed: u64, scale: f64) -> Vec<f64> {
    prior(shape, n, seed, Purpose::Prior).into_iter().map(|v| scale * v).collect()
}

/// The velocity at time `t`, by the public plan, which sums the Gaussians.
fn field(parameters: &Parameters, t: f64, x: &[f64]) -> Vec<f64> {
    parameters.with_model(|model| {
        let plan: Plan<f64, Vec<Block>> = Plan::allocate(model, &Config::dopri5(1e-6, 1e-6)).unwrap();
        let n = x.len() / model.shape.coordinates();
        let mut v = vec![0.0; x.len()];
        plan.field(t, x, &mut v, None, &mut plan.allocate_workspace(n).unwrap()).unwrap();
        v
    })
}

fn square(v: &[f64]) -> f64 {
    v.iter().map(|v| v * v).sum()
}

fn square_distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

/// A field in the span is found: on one node, t = 1/2, every u is that of a pair around its point.
#[test]
fn a_field_that_the_functions_can_express_is_recovered() {
    for (basis, shape) in
        [(Basis::Normalized, shape(4, 2)), (Basis::Gaussian, shape(5, 3)), (Basis::Gaussian, shape(2, 1))]
    {
        let mut truth = Parameters::identity(basis, shape, (5, 5.0, 0.8), (1, 0.5));
        for (i, w) in truth.group_mut(Group::Weights).iter_mut().enumerate() {
            *w = [0.3, -0.8, 0.5, -0.2, 0.4][i];
        }
        truth.group_mut(Group::Bias)[0] = 0.15;
        truth.group_mut(Group::Importance).copy_from_slice(&[0.1, 0.5, -0.3, 0.0, 0.7]);
        let middle = stretched(shape, 500, 3, 1.5);
        let u = field(&truth, 0.5, &middle);
        let [z, x] = [-0.5, 0.5].map(|s| middle.iter().zip(&u).map(|(m, u)| m + s * u).collect::<Vec<_>>());

        let mut start = truth.clone();
        start.group_mut(Group::Weights).fill(7.0);
        start.group_mut(Group::Bias).fill(-7.0);
        let mut problem = FlowMatching::new(&start, 1).unwrap();
        problem.add(&z, &x).unwrap();
        let fit = problem.solve(1e-14).unwrap();
        let elsewhere = stretched(shape, 100, 4, 1.5);
        let (got, want) = (field(&fit.parameters, 0.5, &elsewhere), field(&truth, 0.5, &elsewhere));
        let error = (square_distance(&got, &want) / square(&want)).sqrt();
        assert!(error < 1e-8, "{basis:?} {shape:?}: {error:e}");
        assert!(fit.residual < 1e-10 * fit.mean_square, "{fit:?}");
        let means =
            |p: &Parameters| [Group::Mu, Group::Importance, Group::LogGamma].map(|g| p.group(g).to_vec());
        assert_eq!(means(&fit.parameters), means(&truth), "the functions stay");
    }
}

/// Gauss and Legendre's rule of 4 nodes on [-1, 1] (Abramowitz and Stegun, table 25.4).
const RULE: [(f64, f64); 4] = [
    (-0.861_136_311_594_052_6, 0.347_854_845_137_453_86),
    (-0.339_981_043_584_856_26, 0.652_145_154_862_546_1),
    (0.339_981_043_584_856_26, 0.652_145_154_862_546_1),
    (0.861_136_311_594_052_6, 0.347_854_845_137_453_86),
];

/// Rows: all coordinates of all pairs at all nodes. Columns: the field of one unit weight or bias, by the plan.
fn design(functions: &Parameters, z: &[f64], x: &[f64]) -> (DMatrix<f64>, DVector<f64>) {
    let (m, l) = (functions.n_radial(), functions.n_time());
    let mut plain = functions.clone();
    for group in [Group::Weights, Group::Bias, Group::Importance] {
        plain.group_mut(group).fill(0.0);
    }
    let n = z.len() / functions.shape().coordinates();
    let (rows, columns) = (RULE.len() * z.len(), l * (m + 1));
    let (mut matrix, mut target) = (DMatrix::zeros(rows, columns), DVector::zeros(rows));
    for (g, (node, weight)) in RULE.into_iter().enumerate() {
        let (t, scale) = (0.5 * (1.0 + node), (0.5 * weight / n as f64).sqrt());
        let x_t: Vec<f64> = z.iter().zip(x).map(|(z, x)| (1.0 - t) * z + t * x).collect();
        for column in 0..columns {
            let mut unit = plain.clone();
            let (time, radial) = (column / (m + 1), column % (m + 1));
            match radial == m {
                true => unit.group_mut(Group::Bias)[time] = 1.0,
                false => unit.group_mut(Group::Weights)[time * m + radial] = 1.0,
            }
            for (row, v) in field(&unit, t, &x_t).into_iter().enumerate() {
                matrix[(g * z.len() + row, column)] = scale * v;
            }
        }
        for row in 0..z.len() {
            target[g * z.len() + row] = scale * (x[row] - z[row]);
        }
    }
    (matrix, target)
}

/// Dense least squares by singular values, with lambda as rows of its own; also the residual without them.
fn dense(matrix: &DMatrix<f64>, target: &DVector<f64>, regularisation: f64) -> (DVector<f64>, f64) {
    let (rows, columns) = matrix.shape();
    let lambda = regularisation * matrix.norm_squared() / columns as f64;
    let mut extended = DMatrix::zeros(rows + columns, columns);
    extended.rows_mut(0, rows).copy_from(matrix);
    extended.rows_mut(rows, columns).fill_diagonal(lambda.sqrt());
    let mut right_side = DVector::zeros(rows + columns);
    right_side.rows_mut(0, rows).copy_from(target);
    let solution = extended.svd(true, true).solve(&right_side, 0.0).unwrap();
    let residual = (matrix * &solution - target).norm_squared();
    (solution, residual)
}

#[test]
fn the_solution_is_that_of_dense_least_squares() {
    // 21 pairs: the last vector of samples is not full.
    for (basis, shape, n) in [
        (Basis::Normalized, shape(3, 2), 21),
        (Basis::Gaussian, shape(4, 3), 10),
        (Basis::Normalized, shape(2, 1), 64),
    ] {
        let mut functions = Parameters::identity(basis, shape, (4, 4.0, 1.1), (3, 0.4));
        functions.group_mut(Group::Importance).copy_from_slice(&[0.2, -0.6, 0.4, 0.9]);
        let (z, x) = (prior(shape, n, 5, Purpose::Prior), stretched(shape, n, 6, 2.0));
        let (matrix, target) = design(&functions, &z, &x);
        for regularisation in [1e-9, 1e-3, 1.0] {
            let (want, residual) = dense(&matrix, &target, regularisation);
            let mut problem = FlowMatching::new(&functions, RULE.len()).unwrap();
            problem.add(&z, &x).unwrap();
            let got = problem.solve(regularisation).unwrap();
            let m = functions.n_radial();
            let largest = want.amax();
            for (l, row) in want.as_slice().chunks_exact(m + 1).enumerate() {
                let weights = &got.parameters.group(Group::Weights)[l * m..(l + 1) * m];
                let importance = functions.group(Group::Importance);
                // b_l + sum_m W_lm a_m^2, what the offset of the field is.
                let shift: f64 = weights.iter().zip(importance).map(|(w, a)| w * a * a).sum();
                let level = got.parameters.group(Group::Bias)[l] + shift;
                for (got, want) in weights.iter().chain([&level]).zip(row) {
                    let error = (got - want).abs() / largest;
                    assert!(error < 1e-6, "{basis:?} {shape:?} {regularisation}: {got} {want}");
                }
            }
            assert!((got.residual - residual).abs() < 1e-10 * got.mean_square, "{basis:?} {shape:?}");
            assert!((got.mean_square - target.norm_squared()).abs() < 1e-12 * got.mean_square);
            assert_eq!(got.pairs, n);
        }
    }
}

#[test]
fn portions_add_up_to_the_whole() {
    let shape = shape(4, 2);
    let functions = Parameters::identity(Basis::Normalized, shape, (6, 6.0, 1.0), (3, 0.5));
    let (z, x) = (prior(shape, 100, 1, Purpose::Prior), stretched(shape, 100, 2, 2.0));
    let mut whole = FlowMatching::new(&functions, 5).unwrap();
    whole.add(&z, &x).unwrap();
    let mut portions = FlowMatching::new(&functions, 5).unwrap();
    for (z, x) in z.chunks(8 * 13).zip(x.chunks(8 * 13)) {
        portions.add(z, x).unwrap();
    }
    portions.add(&[], &[]).unwrap();
    let [whole, portions] = [whole, portions].map(|problem| problem.solve(1e-3).unwrap());
    assert_eq!((whole.pairs, portions.pairs), (100, 100));
    let v = |fit: &Fit| field(&fit.parameters, 0.4, &x);
    assert!(square_distance(&v(&whole), &v(&portions)).sqrt() < 1e-10 * square(&v(&whole)).sqrt());
    assert!((whole.residual - portions.residual).abs() < 1e-12 * whole.mean_square);
}

/// A random orthogonal matrix, proper or not.
fn orthogonal(dimension: usize, seed: u64) -> DMatrix<f64> {
    let mut normals = Normals::new(Stream::new(seed, Purpose::Chain, 0));
    DMatrix::from_fn(dimension, dimension, |_, _| normals.next_normal()).qr().q()
}

/// Permuted, rotated or reflected, and moved.
fn disguised(shape: Shape, z: &[f64], seed: u64) -> Vec<f64> {
    let rotation = orthogonal(shape.dimension, seed);
    let mut stream = Stream::new(seed, Purpose::Bootstrap, 0);
    let mut particles: Vec<&[f64]> = z.chunks_exact(shape.dimension).collect();
    for i in (1..particles.len()).rev() {
        particles.swap(i, stream.next_below(i as u64 + 1) as usize);
    }
    let moved = |particle: &&[f64]| -> Vec<f64> {
        (0..shape.dimension)
            .map(|b| 0.3 + particle.iter().enumerate().map(|(a, v)| v * rotation[(a, b)]).sum::<f64>())
            .collect()
    };
    particles.iter().flat_map(moved).collect()
}

#[test]
fn a_disguised_copy_is_recognised() {
    let mut reflections = 0;
    for particles in [1, 2, 3, 4, 13, 55] {
        for dimension in [1, 2, 3] {
            let shape = shape(particles, dimension);
            for seed in 0..10 {
                let z = prior(shape, 1, seed, Purpose::Prior);
                let copy = disguised(shape, &z, seed);
                reflections += i32::from(orthogonal(dimension, seed).determinant() < 0.0);
                let aligned = align(shape, &z, &copy, 0).unwrap();
                let centred: Vec<f64> = copy.iter().map(|v| v - 0.3).collect();
                let distance = square_distance(&aligned, &centred);
                assert!(distance < 1e-20 * shape.coordinates() as f64, "{shape:?} seed {seed}: {distance:e}");
            }
        }
    }
    assert!(reflections > 20, "the test is about reflections too");
}

#[test]
fn no_rotation_of_any_permutation_comes_nearer() {
    for (shape, tries) in [(shape(3, 2), 2000), (shape(4, 2), 500), (shape(3, 3), 2000), (shape(4, 3), 500)] {
        for seed in 0..5 {
            let (z, x) = (prior(shape, 1, seed, Purpose::Prior), stretched(shape, 1, seed + 50, 2.0));
            let aligned = align(shape, &z, &x, 0).unwrap();
            let reached = square_distance(&aligned, &x);
            for other in 0..tries {
                let distance = square_distance(&without_com(shape, &disguised(shape, &z, other)), &x);
                assert!(reached <= distance + 1e-12, "{shape:?} seed {seed}: {reached} {distance}");
            }
            assert!((square(&aligned) - square(&z)).abs() < 1e-12, "an isometry");
        }
    }
}

fn without_com(shape: Shape, x: &[f64]) -> Vec<f64> {
    let mut x = x.to_vec();
    eqflow::particles::remove_com(shape, &mut x, &mut [0.0; 3]);
    x
}

#[test]
fn more_starts_never_come_less_near() {
    let shape = shape(13, 3);
    for seed in 0..5 {
        let (z, x) = (prior(shape, 1, seed, Purpose::Prior), prior(shape, 1, seed + 50, Purpose::Prior));
        let distances =
            [0, 1, 5, 20].map(|starts| square_distance(&align(shape, &z, &x, starts).unwrap(), &x));
        assert!(distances.windows(2).all(|pair| pair[1] <= pair[0] + 1e-12), "{distances:?}");
        assert!(distances[3] < 0.6 * square_distance(&z, &x), "{distances:?}");
    }
}

/// The least sum of one cost from every row, each from another column.
fn least(cost: &[Vec<f64>], taken: &mut Vec<usize>) -> f64 {
    let row = taken.len();
    if row == cost.len() {
        return 0.0;
    }
    let mut best = f64::INFINITY;
    for column in 0..cost.len() {
        if !taken.contains(&column) {
            taken.push(column);
            best = best.min(cost[row][column] + least(cost, taken));
            taken.pop();
        }
    }
    best
}

#[test]
fn a_batch_of_six_is_coupled_as_well_as_by_brute_force() {
    for shape in [shape(4, 2), shape(3, 3), shape(7, 1), shape(2, 1)] {
        let data = stretched(shape, 6, 9, 1.7);
        let pairing = Pairing { batch: 6, rounds: 1, starts: 0, seed: 4 };
        let coupled = pairs(shape, &data, &pairing).unwrap();
        let draws = prior(shape, 6, 4, Purpose::Pairing);
        let c = shape.coordinates();
        let cost: Vec<Vec<f64>> = data
            .chunks_exact(c)
            .map(|x| {
                draws.chunks_exact(c).map(|z| square_distance(&align(shape, z, x, 0).unwrap(), x)).collect()
            })
            .collect();
        let want = least(&cost, &mut Vec::new()) / 6.0;
        let got = coupled.mean_square_distance();
        assert!((got - want).abs() < 1e-8 * want, "{shape:?}: {got} {want}");
    }
}

/// Distances of a configuration in rising order, which its symmetries leave alone.
fn invariants(shape: Shape, x: &[f64]) -> Vec<f64> {
    let particles: Vec<&[f64]> = x.chunks_exact(shape.dimension).collect();
    let mut distances = Vec::new();
    for i in 0..particles.len() {
        for j in 0..i {
            distances.push(square_distance(particles[i], particles[j]).sqrt());
        }
    }
    distances.sort_by(f64::total_cmp);
    distances
}

#[test]
fn every_draw_and_every_datum_is_used_once_a_round() {
    for shape in [shape(4, 2), shape(13, 3), shape(3, 1), shape(1, 2)] {
        let (n, rounds) = (23, 2);
        let data = stretched(shape, n, 9, 1.7);
        let coupled = pairs(shape, &data, &Pairing { batch: 5, rounds, starts: 1, seed: 8 }).unwrap();
        assert_eq!((coupled.len(), coupled.shape, coupled.is_empty()), (n * rounds, shape, false));
        let sorted = |samples: &[f64]| {
            let mut all: Vec<Vec<f64>> =
                samples.chunks_exact(shape.coordinates()).map(|x| invariants(shape, x)).collect();
            all.sort_by(|a, b| a.partial_cmp(b).unwrap());
            all.concat()
        };
        let draws = prior(shape, n * rounds, 8, Purpose::Pairing);
        assert!(square_distance(&sorted(&coupled.z), &sorted(&draws)) < 1e-20);
        let (first, second) = coupled.x.split_at(n * shape.coordinates());
        for round in [first, second] {
            assert!(square_distance(&sorted(round), &sorted(&data)) < 1e-20);
        }
        assert!(shape.particles == 1 || first != second, "another order");
    }
}

#[test]
fn the_bits_do_not_depend_on_the_number_of_threads() {
    for shape in [shape(4, 2), shape(7, 3)] {
        let data = stretched(shape, 100, 1, 2.0);
        let functions = Parameters::identity(Basis::Normalized, shape, (7, 6.0, 1.0), (3, 0.5));
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let pairs =
                    pairs(shape, &data, &Pairing { batch: 16, rounds: 2, starts: 1, seed: 1 }).unwrap();
                let fit = fit(&functions, &pairs, 6, 1e-6).unwrap();
                (pairs, fit)
            })
        };
        let one = run(1);
        assert!(one.1.parameters.group(Group::Weights).iter().all(|w| w.is_finite() && *w != 0.0));
        for threads in [2, 5] {
            assert_eq!(run(threads), one, "{threads} threads");
        }
    }
}

#[test]
fn bad_input_is_named() {
    let plane = shape(4, 2);
    let config = |result: Result<(), TrainError>, name: &str| match result {
        Err(TrainError::Config(named, why)) => assert!(named == name && !why.is_empty(), "{named}: {why}"),
        other => panic!("{name}: {other:?}"),
    };
    let data = stretched(plane, 4, 1, 2.0);
    let with = |pairing: Pairing, shape: Shape, data: &[f64]| pairs(shape, data, &pairing).map(|_| ());
    let good = Pairing::new(1);
    config(with(Pairing { batch: 0, ..good }, plane, &data), "pairing.batch");
    config(with(Pairing { rounds: 0, ..good }, plane, &data), "pairing.rounds");
    config(with(good, shape(0, 2), &data), "shape.particles");
    config(with(good, shape(4, 0), &data), "shape.dimension");
    config(with(good, shape(2, 4), &data), "shape.dimension");
    config(with(good, plane, &data[1..]), "data");
    config(with(good, plane, &[]), "data");
    config(with(good, plane, &[&data[1..], &[f64::NAN]].concat()), "data");

    let one = &data[..8];
    config(align(plane, &one[1..], one, 0).map(|_| ()), "z");
    config(align(plane, one, &data, 0).map(|_| ()), "x");
    config(align(plane, one, &[f64::INFINITY; 8], 0).map(|_| ()), "x");
    config(align(shape(2, 4), one, one, 0).map(|_| ()), "shape.dimension");

    let functions = Parameters::identity(Basis::Gaussian, plane, (4, 1e3, 1.0), (2, 0.5));
    let coupled = pairs(plane, &data, &good).unwrap();
    for nodes in [0, 1025] {
        config(FlowMatching::new(&functions, nodes).map(|_| ()), "nodes");
    }
    let mut problem = FlowMatching::new(&functions, 4).unwrap();
    config(problem.solve(1e-6).map(|_| ()), "pairs");
    config(problem.add(&data[1..], &data[1..]), "z");
    config(problem.add(&data, &data[8..]), "x");
    config(problem.add(&data, &[&data[1..], &[f64::NAN]].concat()), "x");
    config(problem.solve(1e-6).map(|_| ()), "pairs");
    problem.add(&coupled.z, &coupled.x).unwrap();
    for regularisation in [-1e-3, f64::NAN, f64::INFINITY] {
        config(problem.solve(regularisation).map(|_| ()), "regularisation");
    }
    // Three of the four Gaussians are hundreds of units away from all data.
    config(problem.solve(0.0).map(|_| ()), "regularisation");
    assert!(problem.solve(1e-9).is_ok());

    let line = Parameters::identity(Basis::Gaussian, shape(8, 1), (4, 4.0, 1.0), (2, 0.5));
    config(fit(&line, &coupled, 4, 1e-6).map(|_| ()), "pairs");
    let mut damaged = functions.clone();
    damaged.group_mut(Group::Mu)[2] = f64::NAN;
    match FlowMatching::new(&damaged, 4) {
        Err(TrainError::Core(e)) => {
            assert_eq!((e.status, e.argument, e.index), (Status::NonFinite, Argument::Mu, 2));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn coordinates_whose_squares_overflow_are_refused_without_panic() {
    for shape in [shape(3, 1), shape(4, 2), shape(3, 3), shape(6, 2), shape(6, 3)] {
        let functions = Parameters::identity(Basis::Gaussian, shape, (4, 4.0, 1.0), (2, 0.5));
        let data = stretched(shape, 5, 1, 1e200);
        let coupled = pairs(shape, &data, &Pairing { batch: 5, ..Pairing::new(1) }).unwrap();
        assert_eq!((coupled.z.len(), coupled.x.len()), (data.len(), data.len()));
        match fit(&functions, &coupled, 4, 1e-3) {
            Err(TrainError::Config(name, _)) => assert!(["pairs", "z"].contains(&name), "{name}"),
            other => panic!("{shape:?}: {other:?}"),
        }
        let far = stretched(shape, 2, 1, 1e300);
        assert_eq!(
            align(shape, &far[..shape.coordinates()], &far[shape.coordinates()..], 1).unwrap().len(),
            far.len() / 2
        );
    }
}

#[test]
fn particles_that_never_part_get_no_field() {
    for shape in [shape(1, 3), shape(4, 2)] {
        let functions = Parameters::identity(Basis::Normalized, shape, (4, 4.0, 1.0), (2, 0.5));
        let zeros = vec![0.0; 3 * shape.coordinates()];
        let mut problem = FlowMatching::new(&functions, 4).unwrap();
        problem.add(&zeros, &zeros).unwrap();
        let fit = problem.solve(0.0).unwrap();
        assert_eq!(fit.parameters, functions);
        assert_eq!((fit.residual, fit.mean_square), (0.0, 0.0));
    }
}

const DW4: Shape = shape(4, 2);

fn dw4_samples(chains: usize, seed: u64) -> Vec<f64> {
    let config =
        ChainConfig { chains, burn_in: 4000, thin: 1000, samples_per_chain: 10, step_size: 0.5, seed };
    let start = Initial::Prior { scale: 2.0 };
    sample_chains(&DoubleWell::<f64>::dw4(), DW4, &config, start, &|_| ()).unwrap().samples
}

/// NLL of the prior and the entropy of the Boltzmann distribution, by quadrature.
const DW4_PRIOR_NLL: f64 = 19.151;
const DW4_FLOOR: f64 = 7.1257;

#[test]
fn dw4_is_half_learned_at_once_and_training_goes_on_from_there() {
    let (train, held_out) = (dw4_samples(150, 1), dw4_samples(50, 2));
    let mut functions = Parameters::identity(Basis::Normalized, DW4, (50, 8.0, 0.5), (10, 0.3));
    functions.group_mut(Group::Importance).fill(0.1);
    let coupled = pairs(DW4, &train, &Pairing::new(1)).unwrap();
    let fit = fit(&functions, &coupled, FlowMatching::NODES, FlowMatching::REGULARISATION).unwrap();
    let before = likelihood(&functions, &held_out, 20).unwrap();
    assert!((before.nll - DW4_PRIOR_NLL).abs() < 3.0 * before.standard_error, "{before:?}");
    let found = likelihood(&fit.parameters, &held_out, 20).unwrap();
    assert!(found.nll < 10.0, "{found:?}");
    assert!(found.nll > DW4_FLOOR - 3.0 * found.standard_error, "{found:?}");
    assert!(found.gap().abs() < 1e-3, "{found:?}");

    let config = TrainConfig {
        iterations: 30,
        learning_rate: 0.01,
        schedule: Schedule::Constant,
        check: Check { every: 10, gap_tolerance: 0.02, patience: 0 },
        ..TrainConfig::default()
    };
    let mut trainer = Trainer::<f32>::new(config, fit.parameters, &train, &held_out).unwrap();
    assert_eq!(trainer.best().unwrap().1.nll, found.nll);
    assert!(trainer.run(|_| ControlFlow::Continue(())).unwrap().is_continue());
    assert!(trainer.best().unwrap().1.nll < found.nll - 0.1, "{:?}", trainer.best());
}
