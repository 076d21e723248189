//! The trainer: reaches a known optimum, refuses to cheat, resumes to the same bits, names bad input.

use eqflow::field::Shape;
use eqflow::lanes::Lanes;
use eqflow::potential::Potential;
use eqflow::radial::Basis;
use eqflow::random::{Normals, Purpose, Stream, prior_sample};
use eqflow::train::{
    AdamW, Check, CheckpointError, Group, KlGradient, Mixture, Parameters, Penalties, Renyi, Schedule,
    TrainConfig, TrainError, Trainer,
};
use std::ops::ControlFlow;
use std::sync::Arc;

const PAIR: Shape = Shape { particles: 2, dimension: 1 };

/// Draws of a normal on the zero-CoM subspace with standard deviation `sigma`.
fn normal_samples(shape: Shape, sigma: f64, n: usize, seed: u64) -> Vec<f64> {
    let mut samples = vec![0.0; n * shape.coordinates()];
    for (i, x) in samples.chunks_mut(shape.coordinates()).enumerate() {
        prior_sample(shape, &mut Normals::new(Stream::new(seed, Purpose::Prior, i as u64)), x);
        x.iter_mut().for_each(|v| *v *= sigma);
    }
    samples
}

fn identity(shape: Shape) -> Parameters {
    Parameters::identity(Basis::Normalized, shape, (8, 8.0, 1.0), (3, 0.5))
}

fn config(iterations: usize) -> TrainConfig {
    let mut optimizer = AdamW::new();
    optimizer.clip_norm = 10.0;
    optimizer.decay = [1e-4; 7];
    TrainConfig {
        iterations,
        batch_size: 32,
        learning_rate: 0.03,
        schedule: Schedule::Cosine { warm_up: 5, floor: 0.02 },
        optimizer,
        penalties: Penalties { step_error: 1.0, ..Penalties::default() },
        steps: 8,
        grid_jitter: 0.5,
        check: Check { every: 20, gap_tolerance: 0.01, patience: 0 },
        seed: 3,
        ..TrainConfig::default()
    }
}

fn go_on(_: &eqflow::train::Progress<'_>) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

#[test]
fn a_stretched_normal_is_learned_to_its_entropy() {
    let sigma = 2.0;
    let (train, held_out) = (normal_samples(PAIR, sigma, 4000, 1), normal_samples(PAIR, sigma, 2000, 2));
    let mut trainer = Trainer::<f64>::new(config(400), identity(PAIR), &train, &held_out).unwrap();
    assert!(trainer.run(go_on).unwrap().is_continue());
    let (_, best) = trainer.best().unwrap();
    // One degree of freedom: the entropy of a normal of standard deviation 2 is log(2 sqrt(2 pi e)).
    let floor = (sigma * (2.0 * std::f64::consts::PI * std::f64::consts::E).sqrt()).ln();
    assert!(best.nll > floor - 3.0 * best.standard_error, "{best:?} floor {floor}");
    assert!(best.nll < floor + 3.0 * best.standard_error + 0.01, "{best:?} floor {floor}");
    assert!(trainer.verdicts().iter().all(|v| v.certified));
}

/// u = |x|^2 / (2 sigma^2).
struct Harmonic {
    sigma: f64,
}

impl<V: Lanes> Potential<V> for Harmonic {
    fn energy(&self, _: Shape, x: &[V], gradient: Option<&mut [V]>) -> V {
        let stiffness = V::constant(1.0 / (self.sigma * self.sigma));
        let mut square = V::zero();
        x.iter().for_each(|&x| square += x * x);
        if let Some(gradient) = gradient {
            gradient.iter_mut().zip(x).for_each(|(g, &x)| *g = stiffness * x);
        }
        V::constant(0.5) * stiffness * square
    }
}

#[test]
fn a_stretched_normal_is_learned_from_its_energy_alone() {
    let sigma = 1.5;
    let held_out = normal_samples(PAIR, sigma, 4000, 2);
    let floor = (sigma * (2.0 * std::f64::consts::PI * std::f64::consts::E).sqrt()).ln();
    for gradient in [KlGradient::Total, KlGradient::Path] {
        let mixture = Mixture { lambda: 1.0, ramp: [0.0, 0.0], gradient };
        let by_energy = TrainConfig { mixture, average: 0.9, ..config(400) };
        // Without a potential there is nothing to learn from; the one sample of training data is never looked at.
        let mut trainer = Trainer::<f64>::new(by_energy, identity(PAIR), &[0.5, -0.5], &held_out).unwrap();
        assert!(matches!(trainer.run(go_on), Err(TrainError::Config("mixture.lambda", _))));
        let mut trainer = trainer.with_potential(Arc::new(Harmonic { sigma }));
        assert!(trainer.run(go_on).unwrap().is_continue());
        let (_, best) = trainer.best().unwrap();
        assert!(best.nll > floor - 3.0 * best.standard_error, "{gradient:?} {best:?} floor {floor}");
        assert!(best.nll < floor + 3.0 * best.standard_error + 0.01, "{gradient:?} {best:?} floor {floor}");
    }
}

/// Divergences of every order vanish at the target alone.
#[test]
fn a_stretched_normal_is_learned_by_renyi_divergence() {
    let sigma = 1.5;
    let (train, held_out) = (normal_samples(PAIR, sigma, 4000, 1), normal_samples(PAIR, sigma, 4000, 2));
    let floor = (sigma * (2.0 * std::f64::consts::PI * std::f64::consts::E).sqrt()).ln();
    let renyi = Renyi { order: 2.0, ramp: [0.0, 0.5] };
    let settings = TrainConfig { renyi, average: 0.9, ..config(400) };
    let mut trainer = Trainer::<f64>::new(settings, identity(PAIR), &train, &held_out).unwrap();
    assert!(matches!(trainer.run(go_on), Err(TrainError::Config("renyi.order", _))));
    let mut trainer = trainer.with_potential(Arc::new(Harmonic { sigma }));
    assert!(trainer.run(go_on).unwrap().is_continue());
    let (_, best) = trainer.best().unwrap();
    assert!((best.nll - floor).abs() < 3.0 * best.standard_error + 0.01, "{best:?} floor {floor}");
    // A sample that the target does not have.
    let mut trainer =
        Trainer::<f64>::new(TrainConfig { renyi, ..config(4) }, identity(PAIR), &train, &held_out)
            .unwrap()
            .with_potential(Arc::new(Harmonic { sigma: 0.0 }));
    assert!(matches!(trainer.run(go_on), Err(TrainError::Config("train", _))));
}

#[test]
fn the_average_is_the_mean_of_the_parameters_at_first() {
    let (train, held_out) = (normal_samples(PAIR, 2.0, 200, 1), normal_samples(PAIR, 2.0, 200, 2));
    let run = |iterations, average| {
        let check = Check { every: 3, gap_tolerance: 1.0, patience: 0 };
        let constant = TrainConfig { schedule: Schedule::Constant, average, check, ..config(iterations) };
        let mut trainer = Trainer::<f64>::new(constant, identity(PAIR), &train, &held_out).unwrap();
        assert!(trainer.run(go_on).unwrap().is_continue());
        trainer
    };
    let each: Vec<Vec<f64>> = (1..=3).map(|n| run(n, 0.0).parameters().coordinates().to_vec()).collect();
    let averaged = run(3, 0.99);
    assert_eq!(averaged.parameters().coordinates(), each[2], "the average does not change the path");
    let (best, _) = averaged.best().unwrap();
    for (c, value) in best.coordinates().iter().enumerate() {
        let mean = (each[0][c] + each[1][c] + each[2][c]) / 3.0;
        assert!((value - mean).abs() < 1e-14 * (1.0 + mean.abs()), "coordinate {c}: {value}, not {mean}");
    }
}

#[test]
fn training_stops_when_its_patience_ends() {
    let data = normal_samples(PAIR, 1.0, 100, 1);
    let check = Check { every: 4, gap_tolerance: 0.1, patience: 3 };
    // So slow that no parameter changes, and so no check is better than the first.
    let idle = TrainConfig { learning_rate: 1e-300, check, ..config(100) };
    let mut trainer = Trainer::<f64>::new(idle, identity(PAIR), &data, &data).unwrap();
    assert!(trainer.run(go_on).unwrap().is_continue());
    assert_eq!((trainer.iteration(), trainer.verdicts().len()), (12, 4));
}

#[test]
fn bandwidths_stay_above_their_floor() {
    let (train, held_out) = (two_clusters(256, 1), two_clusters(128, 2));
    let narrowest = |least_bandwidth: f64| {
        let limited = TrainConfig { least_bandwidth, ..config(60) };
        let mut trainer = Trainer::<f64>::new(limited, identity(PAIR), &train, &held_out).unwrap();
        assert!(trainer.run(go_on).unwrap().is_continue());
        trainer.parameters().group(Group::LogGamma).iter().fold(f64::INFINITY, |a, b| a.min(b.exp()))
    };
    let free = narrowest(0.0);
    let floor = 0.5 * (1.0 + free);
    assert!(
        free < floor && floor < 1.0,
        "bandwidths start at 1 and must narrow for the test to mean anything"
    );
    assert!((narrowest(floor) / floor - 1.0).abs() < 1e-12);
}

/// Two clusters that only a stiff field separates: a grid of two steps invites cheating.
fn two_clusters(n: usize, seed: u64) -> Vec<f64> {
    let mut samples = normal_samples(PAIR, 0.05, n, seed);
    for (i, x) in samples.chunks_mut(2).enumerate() {
        let half = if i % 2 == 0 { 0.8 } else { 2.5 };
        x[0] += half;
        x[1] -= half;
    }
    samples
}

/// No penalty, and a coarse grid that never moves.
fn cheating() -> TrainConfig {
    TrainConfig {
        penalties: Penalties::default(),
        steps: 2,
        grid_jitter: 0.0,
        learning_rate: 0.1,
        schedule: Schedule::Constant,
        ..config(200)
    }
}

#[test]
fn a_refusal_returns_to_the_last_certified_parameters() {
    let (train, held_out) = (two_clusters(512, 1), two_clusters(256, 2));
    let mut trainer = Trainer::<f64>::new(cheating(), identity(PAIR), &train, &held_out).unwrap();
    let (mut certified, mut refusals) = (trainer.parameters().clone(), 0);
    while trainer.iteration() < trainer.config().iterations {
        let mut verdict = None;
        let _ = trainer.run(|progress| {
            verdict = progress.verdict.copied();
            if verdict.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        if verdict.unwrap().certified {
            assert_ne!(*trainer.parameters(), certified);
            certified = trainer.parameters().clone();
        } else {
            assert_eq!(*trainer.parameters(), certified);
            refusals += 1;
        }
    }
    assert!(refusals > 0, "this recipe must cheat for the test to mean anything");
}

#[test]
fn a_flow_that_exploits_its_grid_is_refused_and_penalised() {
    let cheating = cheating();
    let (train, held_out) = (two_clusters(512, 1), two_clusters(256, 2));
    let mut trainer = Trainer::<f64>::new(cheating.clone(), identity(PAIR), &train, &held_out).unwrap();
    assert!(trainer.run(go_on).unwrap().is_continue());
    let refused: Vec<_> = trainer.verdicts().iter().filter(|v| !v.certified).collect();
    assert!(!refused.is_empty(), "this recipe must cheat for the test to mean anything");
    for verdict in refused {
        // Either too stiff to integrate, or really beyond the tolerance.
        assert!(verdict.likelihood.is_none_or(|l| l.gap().abs() > cheating.check.gap_tolerance));
    }
    for pair in trainer.verdicts().windows(2).filter(|pair| !pair[0].certified) {
        assert!(pair[1].penalties.step_error >= 2.0 * pair[0].penalties.step_error.max(0.5));
    }
    // What it hands out is honest.
    let (parameters, best) = trainer.best().unwrap();
    assert!(best.gap().abs() <= cheating.check.gap_tolerance);
    let again = eqflow::train::likelihood(parameters, &held_out, cheating.steps).unwrap();
    assert_eq!(again, *best);
}

/// With an average and, from the first quarter on, a share of energy-based training.
fn mixed(iterations: usize) -> TrainConfig {
    let mixture = Mixture { lambda: 0.5, ramp: [0.25, 0.5], gradient: KlGradient::Total };
    TrainConfig { mixture, average: 0.9, ..config(iterations) }
}

fn interrupted_and_resumed(stop: usize, train: &[f64], held_out: &[f64]) -> Trainer<f32> {
    let mut trainer = Trainer::<f32>::new(mixed(60), identity(PAIR), train, held_out)
        .unwrap()
        .with_potential(Arc::new(Harmonic { sigma: 1.5 }));
    let stopped = trainer
        .run(|p| if p.iteration == stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        .unwrap();
    assert!(stopped.is_break());
    assert_eq!(trainer.iteration(), stop);
    let mut resumed = Trainer::<f32>::resume(&trainer.checkpoint(), train, held_out)
        .unwrap()
        .with_potential(Arc::new(Harmonic { sigma: 1.5 }));
    assert!(resumed.run(go_on).unwrap().is_continue());
    resumed
}

#[test]
fn a_resumed_run_has_the_bits_of_an_unbroken_one() {
    let (train, held_out) = (normal_samples(PAIR, 1.5, 200, 1), normal_samples(PAIR, 1.5, 100, 2));
    let mut unbroken = Trainer::<f32>::new(mixed(60), identity(PAIR), &train, &held_out)
        .unwrap()
        .with_potential(Arc::new(Harmonic { sigma: 1.5 }));
    assert!(unbroken.run(go_on).unwrap().is_continue());
    // In the middle of an epoch (200 samples, batches of 32), right after a check, and right before one.
    for stop in [1, 13, 19, 20] {
        let resumed = interrupted_and_resumed(stop, &train, &held_out);
        assert_eq!(resumed.checkpoint(), unbroken.checkpoint(), "stopped at {stop}");
    }
}

#[cfg(feature = "parallel")]
#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    let (train, held_out) = (normal_samples(PAIR, 1.5, 200, 1), normal_samples(PAIR, 1.5, 100, 2));
    let with_threads = |n| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
        pool.install(|| {
            let penalties = Penalties { kinetic: 0.01, step_error: 1.0, jacobian: 0.01 };
            let larger = TrainConfig { batch_size: 150, penalties, ..config(25) };
            let mut trainer = Trainer::<f32>::new(larger, identity(PAIR), &train, &held_out).unwrap();
            assert!(trainer.run(go_on).unwrap().is_continue());
            trainer.checkpoint()
        })
    };
    assert_eq!(with_threads(1), with_threads(2));
    assert_eq!(with_threads(1), with_threads(5));
}

#[test]
fn frozen_groups_do_not_move_and_the_others_do() {
    let (train, held_out) = (normal_samples(PAIR, 1.5, 100, 1), normal_samples(PAIR, 1.5, 50, 2));
    let mut start = identity(PAIR);
    start.group_mut(Group::Importance).fill(0.2);
    start.group_mut(Group::Weights).fill(0.01);
    for frozen in Group::ALL {
        let mut freezing = config(3);
        freezing.optimizer.frozen = [false; 7];
        freezing.optimizer.frozen[frozen as usize] = true;
        let mut trainer = Trainer::<f64>::new(freezing, start.clone(), &train, &held_out).unwrap();
        assert!(trainer.run(go_on).unwrap().is_continue());
        for group in Group::ALL {
            let unchanged = trainer.parameters().group(group) == start.group(group);
            assert_eq!(unchanged, group == frozen, "{group:?} with {frozen:?} frozen");
        }
    }
}

#[test]
fn bad_configurations_and_data_are_named() {
    let data = normal_samples(PAIR, 1.0, 20, 1);
    let fails = |change: &dyn Fn(&mut TrainConfig), name: &str| {
        let mut bad = config(10);
        change(&mut bad);
        match Trainer::<f64>::new(bad, identity(PAIR), &data, &data) {
            Err(TrainError::Config(found, _)) => assert_eq!(found, name),
            other => panic!("{name}: {other:?}"),
        }
    };
    fails(&|c| c.batch_size = 0, "batch_size");
    fails(&|c| c.steps = 0, "steps");
    fails(&|c| c.check.every = 0, "check.every");
    fails(&|c| c.check.gap_tolerance = f64::NAN, "check.gap_tolerance");
    fails(&|c| c.learning_rate = f64::INFINITY, "learning_rate");
    fails(&|c| c.grid_jitter = 1.0, "grid_jitter");
    fails(&|c| c.least_bandwidth = -1.0, "least_bandwidth");
    fails(&|c| c.average = 1.0, "average");
    fails(&|c| c.mixture.lambda = 1.5, "mixture.lambda");
    fails(&|c| c.mixture.ramp = [0.5, 0.4], "mixture.ramp");
    fails(&|c| c.renyi.order = 2.5, "renyi.order");
    fails(&|c| c.renyi.ramp = [0.0, 1.5], "renyi.ramp");
    fails(&|c| c.penalties.kinetic = -1.0, "penalties.kinetic");
    fails(&|c| c.penalties.step_error = f64::NAN, "penalties.step_error");
    fails(&|c| c.penalties.jacobian = f64::INFINITY, "penalties.jacobian");
    fails(&|c| c.optimizer.clip_norm = 0.0, "optimizer.clip_norm");
    fails(&|c| c.optimizer.decay[2] = -0.1, "optimizer.decay");
    for (train, held_out, name) in [
        (&data[..3], &data[..], "train"),
        (&data[..], &data[..0], "held_out"),
        (&[f64::NAN, 0.0][..], &data[..], "train"),
    ] {
        match Trainer::<f64>::new(config(10), identity(PAIR), train, held_out) {
            Err(TrainError::Config(found, _)) => assert_eq!(found, name),
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn damaged_or_foreign_checkpoints_are_refused_by_name() {
    let data = normal_samples(PAIR, 1.0, 40, 1);
    let trainer = Trainer::<f32>::new(config(10), identity(PAIR), &data, &data[..20]).unwrap();
    let good = trainer.checkpoint();
    let resume = |bytes: &[u8]| Trainer::<f32>::resume(bytes, &data, &data[..20]).map(|_| ());
    assert_eq!(resume(&good), Ok(()));
    assert_eq!(resume(b"something else"), Err(CheckpointError::Magic));
    for length in [8, 11, 24, good.len() / 2, good.len() - 1] {
        assert_eq!(resume(&good[..length]), Err(CheckpointError::Damaged), "length {length}");
    }
    for at in (16..good.len()).step_by(7).chain([12, 15]) {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        assert_eq!(resume(&bad), Err(CheckpointError::Damaged), "byte {at}");
    }
    let mut version = good.clone();
    version[8] = 9;
    assert_eq!(resume(&version), Err(CheckpointError::Version(9)));
    let double = Trainer::<f64>::resume(&good, &data, &data[..20]).map(|_| ());
    assert_eq!(double, Err(CheckpointError::Precision(4)));
    let other = Trainer::<f32>::resume(&good, &data[..60], &data[..20]).map(|_| ());
    assert_eq!(other, Err(CheckpointError::Data));
}
