//! Random copies of configurations: as likely as what they copy, and each as often as any other.
#![cfg(feature = "std")]

use eqflow::error::{Argument, Status};
use eqflow::field::{Shape, distances};
use eqflow::mcmc::{Draws, Symmetry, symmetrise};
use eqflow::potential::{DoubleWell, LennardJones, Potential};
use eqflow::random::{Normals, Purpose, Stream, prior_sample};
use eqflow::sampling::{Initial, Kernel, Sampler, chain_mean, effective_sample_size};

const DW4: Shape = Shape { particles: 4, dimension: 2 };
const LJ13: Shape = Shape { particles: 13, dimension: 3 };
/// By quadrature over the subspace: the distance of two particles, and its square.
const DISTANCE: f64 = 4.044986844410344;
const SQUARED_DISTANCE: f64 = 18.183088534563673;

fn draws(seed: u64) -> Draws {
    Draws { seed, first: 0, step: 0 }
}

fn prior(shape: Shape, n: usize) -> Vec<f64> {
    let mut x = vec![0.0; n * shape.coordinates()];
    for (i, x) in x.chunks_exact_mut(shape.coordinates()).enumerate() {
        prior_sample(shape, &mut Normals::new(Stream::new(3, Purpose::Prior, i as u64)), x);
    }
    x
}

/// Seed 1: 24000 copies of one configuration.
#[test]
fn every_order_of_the_particles_is_as_likely_as_any_other() {
    let start = [-3.0_f64, 0.0, -1.0, 0.0, 1.0, 0.0, 3.0, 0.0];
    let n = 24_000;
    let mut x = start.repeat(n);
    let order = Symmetry { permutations: true, rotations: false, reflections: false };
    symmetrise(DW4, order, draws(1), [&mut x]).unwrap();
    let mut counts = std::collections::BTreeMap::new();
    for x in x.chunks_exact(8) {
        let order: Vec<i64> = x.iter().step_by(2).map(|x| x.round() as i64).collect();
        *counts.entry(order).or_insert(0.0) += 1.0;
    }
    let expected = n as f64 / 24.0;
    let chi2: f64 = counts.values().map(|count: &f64| (count - expected).powi(2) / expected).sum();
    // 23 degrees of freedom: 23 +- 6.8.
    assert!(counts.len() == 24 && chi2 < 48.0, "{} orders, {chi2}", counts.len());
}

/// Seed 2: where a particle on a sphere goes. E x^2 = 1/3 and E x^4 = 1/5 for each coordinate, with variances
/// 1/5 - 1/9 and 1/9 - 1/25; directions of two particles at right angles stay so.
#[test]
fn directions_are_uniform() {
    let shape = Shape { particles: 4, dimension: 3 };
    let start = [1.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, -1.0, 0.0];
    let n = 40_000;
    let mut x = start.repeat(n);
    let turn = Symmetry { permutations: false, rotations: true, reflections: false };
    symmetrise(shape, turn, draws(2), [&mut x]).unwrap();
    for k in 0..3 {
        let mean = |of: &dyn Fn(f64) -> f64| x.chunks_exact(12).map(|x| of(x[k])).sum::<f64>() / n as f64;
        let error = |variance: f64| 3.5 * (variance / n as f64).sqrt();
        assert!(mean(&|x| x).abs() < error(1.0 / 3.0));
        assert!((mean(&|x| x * x) - 1.0 / 3.0).abs() < error(1.0 / 5.0 - 1.0 / 9.0));
        assert!((mean(&|x| x.powi(4)) - 0.2).abs() < error(1.0 / 9.0 - 1.0 / 25.0));
    }
    for x in x.chunks_exact(12) {
        let dot: f64 = (0..3).map(|k| x[k] * x[6 + k]).sum();
        assert!(dot.abs() < 1e-14);
    }
}

#[test]
fn energies_stay_and_gradients_turn_along() {
    fn check<P: Potential<f64>>(potential: &P, shape: Shape) {
        let (n, each) = (50, shape.coordinates());
        let mut x = prior(shape, n);
        let evaluate = |x: &[f64]| {
            let (mut u, mut gradient) = (Vec::new(), vec![0.0; x.len()]);
            for (x, gradient) in x.chunks_exact(each).zip(gradient.chunks_exact_mut(each)) {
                u.push(potential.energy(shape, x, Some(gradient)));
            }
            (u, gradient)
        };
        let start = x.clone();
        let (u, mut gradient) = evaluate(&x);
        symmetrise(shape, Symmetry::ALL, draws(4), [&mut x, &mut gradient]).unwrap();
        let (turned_u, turned_gradient) = evaluate(&x);
        assert!(x.iter().zip(&start).filter(|(a, b)| a == b).count() < x.len() / 3);
        for i in 0..n {
            assert!((u[i] - turned_u[i]).abs() < 1e-11 * (1.0 + u[i].abs()), "{} {}", u[i], turned_u[i]);
            let row = i * each..(i + 1) * each;
            let largest = gradient[row.clone()].iter().fold(0.0, |l: f64, g| l.max(g.abs()));
            for (a, b) in gradient[row.clone()].iter().zip(&turned_gradient[row.clone()]) {
                assert!((a - b).abs() < 1e-10 * largest, "{a} {b}");
            }
            for k in 0..shape.dimension {
                let com: f64 = x[row.clone()].iter().skip(k).step_by(shape.dimension).sum();
                assert!(com.abs() < 1e-13);
            }
        }
    }
    check(&DoubleWell::dw4(), DW4);
    check(&LennardJones::lj13(), LJ13);
    check(&LennardJones::lj13(), Shape { particles: 3, dimension: 1 });
}

#[test]
fn copies_depend_on_seed_chain_and_step_alone_and_bad_input_is_named() {
    let start = prior(DW4, 10);
    let copy = |first: usize, n: usize, seed: u64, step: u64| {
        let mut x = start[8 * first..8 * (first + n)].to_vec();
        let draws = Draws { seed, first: first as u64, step };
        symmetrise(DW4, Symmetry::ALL, draws, [&mut x]).unwrap();
        x
    };
    let all = copy(0, 10, 5, 7);
    assert_eq!(copy(3, 4, 5, 7), all[24..56]);
    assert_ne!(copy(0, 10, 6, 7), all);
    assert_ne!(copy(0, 10, 5, 8), all);
    let none = Symmetry { permutations: false, rotations: false, reflections: false };
    let mut x = vec![-1.0, 0.5, 1.0, -0.5];
    let pair = Shape { particles: 2, dimension: 2 };
    symmetrise(pair, none, draws(1), [&mut x]).unwrap();
    assert_eq!(x, [-1.0, 0.5, 1.0, -0.5]);

    let refused = |shape, x: &mut [f64], other: &mut [f64]| {
        let error = symmetrise(shape, Symmetry::ALL, draws(1), [x, other]).unwrap_err();
        (error.status, error.argument)
    };
    let empty = Shape { particles: 0, dimension: 2 };
    assert_eq!(refused(empty, &mut [], &mut []), (Status::Shape, Argument::NParticles));
    let deep = Shape { particles: 1, dimension: 4 };
    assert_eq!(refused(deep, &mut [0.0; 4], &mut [0.0; 4]), (Status::Shape, Argument::Dimension));
    assert_eq!(refused(pair, &mut [0.0; 5], &mut [0.0; 5]), (Status::Shape, Argument::X));
    assert_eq!(refused(pair, &mut [0.0; 8], &mut [0.0; 4]), (Status::Shape, Argument::X));
    let mut bad = [0.0, 1.0, f64::NAN, 2.0];
    assert_eq!(refused(pair, &mut bad, &mut [0.0; 4]), (Status::NonFinite, Argument::X));
    assert!(bad[2].is_nan() && bad[3] == 2.0);
}

/// Seed 31, 64 chains of DW-4: the distance of the first two particles averages to that of all pairs, and forgets faster.
#[test]
fn labelled_observables_of_symmetrised_chains_are_exact_and_forget_sooner() {
    let well = DoubleWell::dw4();
    let run = |symmetry: Option<Symmetry>| {
        let kernel = Kernel::Hmc { step_size: 0.1, leapfrogs: 6 };
        let start = Initial::Prior { scale: 2.0 };
        let mut sampler = Sampler::new(&well, DW4, kernel, 64, 31, start).unwrap();
        sampler.advance(1500, &|_| ()).unwrap();
        sampler.set_symmetry(symmetry);
        let checkpoint = sampler.checkpoint();
        let samples = sampler.sample(150, 8, &|_| ()).unwrap();
        let mut resumed = Sampler::resume(&well, DW4, kernel, &checkpoint).unwrap();
        assert_eq!(resumed.sample(150, 8, &|_| ()).unwrap(), samples);
        // The running energies are those of the copies.
        for (x, u) in samples.samples.chunks_exact(8).zip(&samples.energies) {
            let fresh: f64 = well.energy(DW4, x, None);
            assert!((fresh - u).abs() < 1e-11 * fresh.abs());
        }
        let first_pair = |x: &[f64]| {
            let mut d = [0.0; 6];
            distances(DW4, x, &mut d);
            d[0]
        };
        samples.samples.chunks_exact(8).map(first_pair).collect::<Vec<f64>>()
    };
    let (labelled, copies) = (run(None), run(Some(Symmetry::ALL)));
    let squares: Vec<f64> = copies.iter().map(|d| d * d).collect();
    for (values, exact) in [(&copies, DISTANCE), (&squares, SQUARED_DISTANCE)] {
        let mean = chain_mean(values, 64).unwrap();
        assert!((mean.value - exact).abs() < 3.5 * mean.standard_error, "{mean} {exact}");
    }
    let [before, after] = [&labelled, &copies].map(|d| effective_sample_size(d, 64).unwrap());
    println!("{before} {after} of {}", copies.len());
    assert!(after > 2.0 * before, "{before} {after}");
}
