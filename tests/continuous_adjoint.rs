//! The continuous adjoint: its gradient against differences of the converged likelihood and against the adjoint of a
//! fine grid, its counts and errors, and training with it.

mod common;

use common::Golden;
use common::differences::{directional_derivative, random_direction};
use eqflow::error::{Argument, Status};
use eqflow::field::Shape;
use eqflow::flow::{Block, Config, Plan, RadialPath};
use eqflow::lanes::Lanes;
use eqflow::potential::{DoubleWell, Potential};
use eqflow::radial::Basis;
use eqflow::random::{Normals, Purpose, Stream, prior_sample};
use eqflow::train::{
    AdamW, Adjoint, Batch, Check, Continuous, Discretisation, Group, KlGradient, LossGradient, Mixture,
    Objective, Parameters, Penalties, Progress, Schedule, StepControl, TrainConfig, TrainError, Trainer,
    continuous_loss_gradient, loss_gradient,
};
use std::ops::ControlFlow;
use std::sync::Arc;

const TIGHT: Continuous = Continuous { rtol: 1e-10, atol: 1e-13, max_steps: 10_000 };

/// Small systems: N = 2 in one dimension, N = 4 in two with either basis.
fn small() -> impl Iterator<Item = Golden> {
    ["pair_1d", "dw4_gaussian", "dw4_normalized"].into_iter().map(Golden::load)
}

/// A golden model's parameters. The time function of `pair_1d` is moved out of the middle of [0, 1], where, by symmetry,
/// the likelihood does not depend on it.
fn parameters_of(golden: &Golden) -> Parameters {
    let mut parameters = Parameters::from_model(&golden.model());
    if golden.name == "pair_1d" {
        parameters.group_mut(Group::MuTime)[0] += 0.2;
    }
    parameters
}

type Doubles = wide::f64x4;

fn continuous(
    parameters: &Parameters,
    settings: &Continuous,
    objective: &Objective<'_, Doubles>,
    kinetic: f64,
    samples: &[f64],
) -> LossGradient {
    let indices: Vec<usize> = (0..samples.len() / parameters.shape().coordinates()).collect();
    let batch = Batch { samples, indices: &indices };
    continuous_loss_gradient(parameters, settings, objective, kinetic, batch).unwrap()
}

/// By the exact adjoint of a grid of 200 steps, whose error is O(h^4).
fn on_a_fine_grid(
    parameters: &Parameters,
    objective: &Objective<'_, Doubles>,
    kinetic: f64,
    samples: &[f64],
) -> LossGradient {
    let indices: Vec<usize> = (0..samples.len() / parameters.shape().coordinates()).collect();
    let nodes: Vec<f64> = (0..=200).map(|k| k as f64 / 200.0).collect();
    let discretisation = Discretisation::new(&nodes).with_radial(RadialPath::Exact);
    let batch = Batch { samples, indices: &indices };
    let penalties = Penalties { kinetic, ..Penalties::default() };
    loss_gradient::<f64>(parameters, &discretisation, objective, penalties, batch).unwrap()
}

/// Fails unless every group's gradients agree to `tolerance` of that group's length.
#[track_caller]
fn assert_groups_agree(name: &str, parameters: &Parameters, a: &[f64], b: &[f64], tolerance: f64) {
    for group in Group::ALL {
        let range = group.range(parameters.n_radial(), parameters.n_time());
        let (a, b) = (&a[range.clone()], &b[range]);
        let distance = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt();
        let length = a.iter().map(|v| v * v).sum::<f64>().sqrt();
        assert!(distance <= tolerance * length, "{name} {group:?}: {:e}", distance / length);
    }
}

/// The mean negative log-likelihood by the adaptive integrator of plans, which takes every sample's steps by itself.
fn converged_nll(parameters: &Parameters, samples: &[f64]) -> f64 {
    parameters.with_model(|model| {
        let plan: Plan<f64, Vec<Block>> = Plan::allocate(model, &Config::dopri5(1e-13, 1e-14)).unwrap();
        let n = samples.len() / plan.shape().coordinates();
        let mut log_prob = vec![0.0; n];
        let mut work = plan.allocate_workspace(n).unwrap();
        plan.log_prob(samples, &mut log_prob, None, &mut work).unwrap();
        -log_prob.iter().sum::<f64>() / n as f64
    })
}

#[test]
fn the_gradient_is_that_of_the_converged_likelihood_in_every_group() {
    for golden in small() {
        let parameters = parameters_of(&golden);
        let samples = golden.array("ml.x");
        let loss = continuous(&parameters, &TIGHT, &Objective::MaximumLikelihood, 0.0, &samples);
        let nll = converged_nll(&parameters, &samples);
        assert!((loss.objective - nll).abs() < 1e-8 * nll.abs(), "{}: {} {nll}", golden.name, loss.objective);
        for group in Group::ALL {
            let range = group.range(parameters.n_radial(), parameters.n_time());
            let mut direction = random_direction(group as u64, loss.gradient.len());
            direction.iter_mut().enumerate().for_each(|(i, d)| *d *= f64::from(range.contains(&i)));
            let want = directional_derivative(&parameters, &direction, |p| converged_nll(p, &samples));
            let got: f64 = loss.gradient.iter().zip(&direction).map(|(g, d)| g * d).sum();
            // Relative to the gradient's length along such directions, not to an accidentally small projection.
            let norm: f64 = range.map(|i| loss.gradient[i] * loss.gradient[i]).sum::<f64>().sqrt();
            let scale = norm * direction.iter().map(|d| d * d).sum::<f64>().sqrt();
            let name = golden.name;
            assert!((got - want).abs() <= 1e-7 * scale, "{name} {group:?}: {got} {want} {scale}");
        }
    }
}

#[test]
fn it_agrees_with_the_adjoint_of_a_fine_grid() {
    for golden in Golden::all() {
        let parameters = parameters_of(&golden);
        let samples = golden.array("ml.x");
        for kinetic in [0.0, 0.3] {
            let a = continuous(&parameters, &TIGHT, &Objective::MaximumLikelihood, kinetic, &samples);
            let b = on_a_fine_grid(&parameters, &Objective::MaximumLikelihood, kinetic, &samples);
            assert!((a.objective - b.objective).abs() < 1e-8 * b.objective.abs(), "{}", golden.name);
            assert!((a.penalty - b.penalty).abs() <= 1e-8 * b.penalty.abs(), "{}", golden.name);
            assert_eq!(a.penalty > 0.0, kinetic > 0.0);
            assert_groups_agree(golden.name, &parameters, &a.gradient, &b.gradient, 1e-6);
        }
    }
}

#[test]
fn energy_based_gradients_agree_with_those_of_a_fine_grid() {
    let golden = Golden::load("dw4_normalized");
    let parameters = parameters_of(&golden);
    let (well, z) = (DoubleWell::dw4(), golden.array("kl.z"));
    for kind in [KlGradient::Total, KlGradient::Path] {
        let objective = Objective::ReverseKl(&well, kind);
        let a = continuous(&parameters, &TIGHT, &objective, 0.1, &z);
        let b = on_a_fine_grid(&parameters, &objective, 0.1, &z);
        assert!((a.objective - b.objective).abs() < 1e-8 * b.objective.abs(), "{kind:?}");
        assert!((a.penalty - b.penalty).abs() < 1e-8 * b.penalty, "{kind:?}");
        assert_groups_agree("kl", &parameters, &a.gradient, &b.gradient, 1e-6);
    }
}

#[test]
fn looser_tolerances_take_fewer_evaluations_and_err_more() {
    let golden = Golden::load("dw4_normalized");
    let parameters = parameters_of(&golden);
    let samples = golden.array("ml.x");
    let at = |rtol: f64| {
        let settings = Continuous { rtol, atol: 1e-5 * rtol, ..Continuous::default() };
        continuous(&parameters, &settings, &Objective::MaximumLikelihood, 0.0, &samples)
    };
    let exact = at(1e-12).gradient;
    let error = |loss: &LossGradient| {
        loss.gradient.iter().zip(&exact).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
    };
    let ladder = [1e-8, 1e-5, 1e-2].map(at);
    for pair in ladder.windows(2) {
        let [tight, loose] = [pair[0].evaluations, pair[1].evaluations];
        assert!(loose.forward < tight.forward && loose.backward < tight.backward, "{loose:?} {tight:?}");
        assert!(error(&pair[1]) > error(&pair[0]), "{} {}", error(&pair[1]), error(&pair[0]));
    }
    for loss in &ladder {
        // One evaluation to begin with, and six an attempted step.
        assert_eq!([loss.evaluations.forward % 6, loss.evaluations.backward % 6], [1, 1]);
    }
    let length = exact.iter().map(|v| v * v).sum::<f64>().sqrt();
    assert!(error(&ladder[1]) < 1e-3 * length, "the default tolerance: {}", error(&ladder[1]) / length);
}

#[test]
fn a_batch_that_does_not_fill_its_vectors_counts_every_sample_once() {
    let golden = Golden::load("dw4_normalized");
    let parameters = parameters_of(&golden);
    let samples = golden.array("ml.x");
    let value = |indices: &[usize]| {
        let batch = Batch { samples: &samples, indices };
        continuous_loss_gradient(&parameters, &TIGHT, &Objective::MaximumLikelihood, 0.1, batch).unwrap()
    };
    // 39 samples: a full piece, a full vector and three lanes of another.
    let indices: Vec<usize> = (0..39).map(|i| i % 4).collect();
    let together = value(&indices);
    let alone: Vec<LossGradient> = (0..4).map(|i| value(&[i])).collect();
    let mean = |f: &dyn Fn(&LossGradient) -> f64| indices.iter().map(|&i| f(&alone[i])).sum::<f64>() / 39.0;
    assert!((together.objective - mean(&|l| l.objective)).abs() < 1e-8);
    assert!((together.penalty - mean(&|l| l.penalty)).abs() < 1e-8 * together.penalty);
    let want: Vec<f64> = (0..together.gradient.len()).map(|c| mean(&|l| l.gradient[c])).collect();
    assert_groups_agree("batch", &parameters, &together.gradient, &want, 1e-6);
}

#[test]
fn what_cannot_be_solved_or_makes_no_sense_is_named() {
    let golden = Golden::load("dw4_normalized");
    let parameters = parameters_of(&golden);
    let samples = golden.array("ml.x");
    let fails = |settings: Continuous, status: Status, argument: Argument| {
        let batch = Batch { samples: &samples, indices: &[0, 1, 2] };
        let ml = Objective::MaximumLikelihood;
        let error = continuous_loss_gradient(&parameters, &settings, &ml, 0.0, batch).unwrap_err();
        assert_eq!((error.status, error.argument), (status, argument));
        error.value
    };
    let usual = Continuous::default();
    let reached = fails(Continuous { max_steps: 3, ..usual }, Status::Convergence, Argument::MaxSteps);
    assert!(reached > 0.0 && reached < 1.0, "{reached}");
    fails(Continuous { max_steps: 0, ..usual }, Status::Argument, Argument::MaxSteps);
    fails(Continuous { rtol: -1.0, ..usual }, Status::Argument, Argument::Rtol);
    fails(Continuous { rtol: f64::NAN, ..usual }, Status::NonFinite, Argument::Rtol);
    fails(Continuous { atol: 0.0, ..usual }, Status::Argument, Argument::Atol);
}

const PAIR: Shape = Shape { particles: 2, dimension: 1 };

/// Draws of a normal on the zero-CoM subspace with standard deviation `sigma`.
fn normal_samples(sigma: f64, n: usize, seed: u64) -> Vec<f64> {
    let mut samples = vec![0.0; n * PAIR.coordinates()];
    for (i, x) in samples.chunks_mut(PAIR.coordinates()).enumerate() {
        prior_sample(PAIR, &mut Normals::new(Stream::new(seed, Purpose::Prior, i as u64)), x);
        x.iter_mut().for_each(|v| *v *= sigma);
    }
    samples
}

fn identity() -> Parameters {
    Parameters::identity(Basis::Normalized, PAIR, (8, 8.0, 1.0), (3, 0.5))
}

fn config(iterations: usize) -> TrainConfig {
    let mut optimizer = AdamW::new();
    optimizer.clip_norm = 10.0;
    TrainConfig {
        iterations,
        batch_size: 40,
        learning_rate: 0.03,
        schedule: Schedule::Cosine { warm_up: 5, floor: 0.02 },
        optimizer,
        penalties: Penalties::default(),
        adjoint: Adjoint::Continuous(Continuous::default()),
        steps: 8,
        check: Check { every: 20, gap_tolerance: 0.01, patience: 0 },
        seed: 3,
        ..TrainConfig::default()
    }
}

fn go_on(_: &Progress<'_>) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

#[test]
fn a_stretched_normal_is_learned_to_its_entropy() {
    let (train, held_out) = (normal_samples(2.0, 4000, 1), normal_samples(2.0, 2000, 2));
    let mut trainer = Trainer::<f32>::new(config(300), identity(), &train, &held_out).unwrap();
    let mut evaluations = Vec::new();
    let outcome = trainer.run(|progress| {
        evaluations.push(progress.evaluations);
        ControlFlow::Continue(())
    });
    assert!(outcome.unwrap().is_continue());
    assert!(evaluations.iter().all(|e| e.forward >= 7 && e.backward >= 7));
    let (_, best) = trainer.best().unwrap();
    // One degree of freedom: the entropy of a normal of standard deviation 2 is log(2 sqrt(2 pi e)).
    let floor = (2.0 * (2.0 * std::f64::consts::PI * std::f64::consts::E).sqrt()).ln();
    assert!((best.nll - floor).abs() < 3.0 * best.standard_error + 0.01, "{best:?} floor {floor}");
    assert!(trainer.verdicts().iter().all(|v| v.certified));
}

/// u = |x|^2 / (2 sigma^2) with sigma = 1.5.
struct Harmonic;

impl<V: Lanes> Potential<V> for Harmonic {
    fn energy(&self, _: Shape, x: &[V], gradient: Option<&mut [V]>) -> V {
        let stiffness = V::constant(1.0 / 2.25);
        let mut square = V::zero();
        x.iter().for_each(|&x| square += x * x);
        if let Some(gradient) = gradient {
            gradient.iter_mut().zip(x).for_each(|(g, &x)| *g = stiffness * x);
        }
        V::constant(0.5) * stiffness * square
    }
}

/// With an average, a kinetic penalty and, from the first quarter on, a share of energy-based training.
fn mixed() -> TrainConfig {
    let mixture = Mixture { lambda: 0.5, ramp: [0.25, 0.5], gradient: KlGradient::Path };
    let penalties = Penalties { kinetic: 0.01, ..Penalties::default() };
    TrainConfig { mixture, penalties, average: 0.9, ..config(24) }
}

#[test]
fn a_resumed_run_has_the_bits_of_an_unbroken_one_on_any_number_of_threads() {
    let (train, held_out) = (normal_samples(1.5, 200, 1), normal_samples(1.5, 100, 2));
    let run = |trainer: Trainer<f32>| {
        let mut trainer = trainer.with_potential(Arc::new(Harmonic));
        assert!(trainer.run(go_on).unwrap().is_continue());
        trainer.checkpoint()
    };
    let unbroken = run(Trainer::new(mixed(), identity(), &train, &held_out).unwrap());
    for stop in [1, 13] {
        let mut trainer = Trainer::<f32>::new(mixed(), identity(), &train, &held_out)
            .unwrap()
            .with_potential(Arc::new(Harmonic));
        let until = |p: &Progress<'_>| {
            if p.iteration == stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        assert!(trainer.run(until).unwrap().is_break());
        let resumed = Trainer::resume(&trainer.checkpoint(), &train, &held_out).unwrap();
        assert_eq!(run(resumed), unbroken, "stopped at {stop}");
    }
    #[cfg(feature = "parallel")]
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let again = pool.install(|| run(Trainer::new(mixed(), identity(), &train, &held_out).unwrap()));
        assert_eq!(again, unbroken, "{threads} threads");
    }
}

#[test]
fn what_does_not_converge_is_refused_and_not_a_failure() {
    let (train, held_out) = (normal_samples(1.5, 200, 1), normal_samples(1.5, 100, 2));
    // The identity takes one step; anything else takes more than two.
    let adjoint = Adjoint::Continuous(Continuous { rtol: 1e-9, atol: 1e-12, max_steps: 5 });
    let hopeless = TrainConfig { adjoint, ..config(6) };
    let mut trainer = Trainer::<f64>::new(hopeless, identity(), &train, &held_out).unwrap();
    assert!(trainer.run(go_on).unwrap().is_continue());
    assert_eq!(trainer.iteration(), 6);
    let refusals: Vec<_> = trainer.verdicts().iter().filter(|v| !v.certified).collect();
    assert!(!refusals.is_empty() && refusals.iter().all(|v| v.likelihood.is_none()));
    // There is no grid to blame: what a refusal raises is the kinetic energy's weight.
    let last = trainer.verdicts().last().unwrap().penalties;
    assert!(last.kinetic > 0.0 && last.step_error == 0.0, "{last:?}");
    assert_eq!(trainer.best().unwrap().0, &identity());
}

#[test]
fn bad_configurations_are_named() {
    let data = normal_samples(1.0, 20, 1);
    let fails = |change: &dyn Fn(&mut TrainConfig), name: &str| {
        let mut bad = config(10);
        change(&mut bad);
        match Trainer::<f64>::new(bad, identity(), &data, &data) {
            Err(TrainError::Config(found, _)) => assert_eq!(found, name),
            other => panic!("{name}: {other:?}"),
        }
    };
    let with = |settings| Adjoint::Continuous(settings);
    let usual = Continuous::default();
    fails(&|c| c.adjoint = with(Continuous { rtol: f64::NAN, ..usual }), "adjoint.rtol");
    fails(&|c| c.adjoint = with(Continuous { rtol: -1e-5, ..usual }), "adjoint.rtol");
    fails(&|c| c.adjoint = with(Continuous { atol: 0.0, ..usual }), "adjoint.atol");
    fails(&|c| c.adjoint = with(Continuous { atol: f64::INFINITY, ..usual }), "adjoint.atol");
    fails(&|c| c.adjoint = with(Continuous { max_steps: 0, ..usual }), "adjoint.max_steps");
    fails(&|c| c.penalties.step_error = 1.0, "penalties.step_error");
    fails(&|c| c.penalties.jacobian = 1.0, "penalties.jacobian");
    fails(&|c| c.step_control = Some(StepControl { tolerance: 1e-3, most: 40 }), "step_control");
    fails(&|c| c.renyi.order = 1.5, "renyi.order");
    fails(&|c| c.penalties.kinetic = -1.0, "penalties.kinetic");
}
