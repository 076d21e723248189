//! More steps for the training grid where its error estimate demands them.

use eqflow::field::Shape;
use eqflow::radial::Basis;
use eqflow::random::{Normals, Purpose, Stream, prior_sample};
use eqflow::train::{
    Batch, Check, Discretisation, Group, LossGradient, Objective, Parameters, Penalties, Progress, Schedule,
    StepControl, TrainConfig, TrainError, Trainer, likelihood, loss_gradient,
};
use std::ops::ControlFlow;

const PAIR: Shape = Shape { particles: 2, dimension: 1 };
const CONTROL: StepControl = StepControl { tolerance: 0.01, most: 64 };

fn identity() -> Parameters {
    Parameters::identity(Basis::Normalized, PAIR, (8, 8.0, 1.0), (3, 0.5))
}

/// Two clusters that only a stiff field separates.
fn two_clusters(n: usize, seed: u64) -> Vec<f64> {
    let mut samples = vec![0.0; 2 * n];
    for (i, x) in samples.chunks_mut(2).enumerate() {
        prior_sample(PAIR, &mut Normals::new(Stream::new(seed, Purpose::Prior, i as u64)), x);
        let half = if i % 2 == 0 { 0.8 } else { 2.5 };
        (x[0], x[1]) = (0.05 * x[0] + half, 0.05 * x[1] - half);
    }
    samples
}

/// No penalty, and a certificate that lets everything pass, so that nothing but the control interferes.
fn config(iterations: usize, step_control: Option<StepControl>) -> TrainConfig {
    TrainConfig {
        iterations,
        batch_size: 32,
        learning_rate: 0.03,
        schedule: Schedule::Constant,
        penalties: Penalties::default(),
        steps: 4,
        step_control,
        grid_jitter: 0.5,
        check: Check { every: 20, gap_tolerance: f64::INFINITY, patience: 0 },
        seed: 3,
        ..TrainConfig::default()
    }
}

fn trainer(config: TrainConfig, initial: Parameters) -> Trainer<f64> {
    Trainer::new(config, initial, &two_clusters(256, 1), &two_clusters(128, 2)).unwrap()
}

fn go_on(_: &Progress<'_>) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// Weights for which four steps are far too few.
fn stiff() -> Parameters {
    let mut parameters = identity();
    let weights = parameters.group_mut(Group::Weights);
    weights.iter_mut().enumerate().for_each(|(i, w)| *w = if i % 2 == 0 { 1.5 } else { -1.5 });
    parameters
}

/// Loss and gradient on `steps` equal steps, all samples in one batch.
fn loss(parameters: &Parameters, steps: usize) -> LossGradient {
    let nodes: Vec<f64> = (0..=steps).map(|k| k as f64 / steps as f64).collect();
    let samples = two_clusters(256, 1);
    let indices: Vec<usize> = (0..256).collect();
    let batch = Batch { samples: &samples, indices: &indices };
    let objective = Objective::MaximumLikelihood;
    let discretisation = Discretisation::new(&nodes);
    loss_gradient(parameters, &discretisation, &objective, Penalties::default(), batch).unwrap()
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
}

#[test]
fn a_stiff_start_gets_more_steps_and_a_truer_gradient() {
    // So slow that the parameters stay where they are.
    let idle = TrainConfig { learning_rate: 1e-300, ..config(60, Some(CONTROL)) };
    let mut trainer = trainer(idle, stiff());
    let mut counts = Vec::new();
    let _ = trainer.run(|progress| {
        counts.push((progress.steps, progress.step_error));
        ControlFlow::Continue(())
    });
    let (first, last) = (counts[0], counts[59]);
    assert_eq!(first.0, 4);
    assert!(first.1 > CONTROL.tolerance, "{first:?}");
    assert!(counts.windows(2).all(|pair| pair[1].0 as f64 <= 1.25 * pair[0].0 as f64 + 1.0));
    assert!(4 < last.0 && last.0 < CONTROL.most, "{last:?}");
    // One minibatch scatters about the smoothed estimate.
    assert!(last.1 < 1.5 * CONTROL.tolerance, "{last:?}");
    let parameters = trainer.parameters();
    let converged = loss(parameters, 1024).gradient;
    let [coarse, fine] = [4, last.0].map(|steps| distance(&loss(parameters, steps).gradient, &converged));
    assert!(fine < 0.02 * coarse, "{coarse} {fine}");
}

#[test]
fn steps_return_when_the_field_allows() {
    // The penalty smoothes the stiff field.
    let penalties = Penalties { step_error: 100.0, ..Penalties::default() };
    let smoothing = TrainConfig { penalties, ..config(300, Some(CONTROL)) };
    let mut trainer = trainer(smoothing, stiff());
    let mut counts = Vec::new();
    let _ = trainer.run(|progress| {
        counts.push(progress.steps);
        ControlFlow::Continue(())
    });
    let most = counts.iter().max().unwrap();
    assert!(most > counts.last().unwrap(), "{counts:?}");
}

/// By how much the training grid flatters the training data after training, in nats.
fn flattery(step_control: Option<StepControl>, seed: u64) -> f64 {
    let config = TrainConfig { learning_rate: 0.1, steps: 2, seed, ..config(200, step_control) };
    let mut trainer = trainer(config, identity());
    let mut steps = 0;
    let _ = trainer.run(|progress| {
        steps = progress.steps;
        ControlFlow::Continue(())
    });
    let parameters = trainer.parameters();
    likelihood(parameters, &two_clusters(256, 1), 2).unwrap().nll - loss(parameters, steps).objective
}

#[test]
fn the_control_keeps_the_objective_near_the_converged_likelihood() {
    // Without control these trainings are chaotic: the last digit of a gradient decides how a single one ends.
    let mut without = [1, 2, 3, 4, 5].map(|seed| flattery(None, seed));
    without.sort_by(f64::total_cmp);
    assert!(without[2] > 0.5, "this recipe must cheat for the test to mean anything: {without:?}");
    for seed in 1..=5 {
        let with = flattery(Some(CONTROL), seed);
        assert!(with.abs() < 0.02, "seed {seed}: {with}");
    }
}

#[test]
fn certificates_are_those_of_the_configured_steps() {
    let config = TrainConfig { learning_rate: 1e-300, ..config(40, Some(CONTROL)) };
    let mut trainer = trainer(config, stiff());
    assert!(trainer.run(go_on).unwrap().is_continue());
    let last = trainer.verdicts().last().unwrap();
    assert!(last.steps > 4);
    assert_eq!(last.likelihood, likelihood(trainer.parameters(), &two_clusters(128, 2), 4).ok());
}

#[test]
fn a_resumed_run_takes_the_same_steps_to_the_same_bits() {
    let (train, held_out) = (two_clusters(256, 1), two_clusters(128, 2));
    let run = |stop: Option<usize>| {
        let mut trainer = Trainer::<f32>::new(config(60, Some(CONTROL)), stiff(), &train, &held_out).unwrap();
        if let Some(stop) = stop {
            let broken = trainer.run(|progress| {
                if progress.iteration == stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            assert!(broken.unwrap().is_break());
            trainer = Trainer::resume(&trainer.checkpoint(), &train, &held_out).unwrap();
        }
        let mut most = 0;
        let _ = trainer.run(|progress| {
            most = most.max(progress.steps);
            ControlFlow::Continue(())
        });
        assert!(most > 4);
        trainer.checkpoint()
    };
    let unbroken = run(None);
    for stop in [1, 7, 20] {
        assert_eq!(run(Some(stop)), unbroken, "stopped at {stop}");
    }
}

#[test]
fn bad_controls_are_named() {
    for (tolerance, most, name) in [
        (f64::NAN, 64, "step_control.tolerance"),
        (0.0, 64, "step_control.tolerance"),
        (0.01, 3, "step_control.most"),
        (0.01, 65_537, "step_control.most"),
    ] {
        let bad = config(10, Some(StepControl { tolerance, most }));
        let data = two_clusters(8, 1);
        match Trainer::<f64>::new(bad, identity(), &data, &data) {
            Err(TrainError::Config(found, _)) => assert_eq!(found, name),
            other => panic!("{name}: {other:?}"),
        }
    }
}
