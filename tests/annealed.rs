//! Annealing between a density that can be drawn from and the target, against exact partition functions.
#![cfg(feature = "std")]

mod common;

use common::models::Parameters;
use eqflow::field::Shape;
use eqflow::flow::{Block, Config, Inverse, LogDet, Plan, Precision};
use eqflow::potential::{DoubleWell, LennardJones, Potential};
use eqflow::sampling::{
    AnnealConfig, Annealed, Annealing, Error, Estimate, ImportanceWeights, Kernel, Reference, Schedule,
    Stage, draw_samples, energies, independent_mean,
};

const THREE: Shape = Shape { particles: 3, dimension: 2 };
const DW2: Shape = Shape { particles: 2, dimension: 2 };
const DW4: Shape = Shape { particles: 4, dimension: 2 };

/// By quadrature over the subspace.
const DW2_LOG_Z: f64 = 7.260392993086798;
const DW2_ENERGY: f64 = -3.870727130806058;
const DW4_LOG_Z: f64 = 29.66723223290428;
const DW4_ENERGY: f64 = -22.541509603480378;

/// u = 3 |x|^2, so Z = (2 pi tau / 6)^(d/2) in the d = 4 dimensions of the subspace, and <u> = 2 tau.
const SPRINGS: LennardJones<f64> = LennardJones { epsilon: 0.0, r_m: 1.0, oscillator: 6.0, tau: 1.0 };

fn springs_log_z(tau: f64) -> f64 {
    2.0 * (2.0 * std::f64::consts::PI * tau / 6.0).ln()
}

#[track_caller]
fn assert_agrees(what: &str, estimate: Estimate, exact: f64) {
    let deviation = (estimate.value - exact) / estimate.standard_error;
    println!("{what}: {estimate}, exact {exact}, {deviation:.2}");
    assert!(deviation.abs() < 3.5, "{what}: {estimate:.5} against {exact:.5}");
}

const ADAPTIVE: Schedule<'static> = Schedule::Adaptive { conditional_ess: 0.9, acceptance: None };

/// From the standard normal by a random walk.
fn config<R>(samples: usize, seed: u64) -> AnnealConfig<'static, R> {
    AnnealConfig {
        samples,
        from: Reference::Normal { scale: 1.0 },
        tau: 1.0,
        schedule: ADAPTIVE,
        resample_below: 0.5,
        kernel: Kernel::Metropolis { step_size: 0.4 },
        steps: 3,
        surrogate_steps: 0,
        last_steps: 0,
        seed,
    }
}

fn anneal<R: Precision>(
    potential: &impl Potential<R::Lanes>,
    shape: Shape,
    config: AnnealConfig<'_, R>,
) -> Annealed<R> {
    let mut annealing = Annealing::new(potential, shape, config).unwrap();
    assert!(annealing.advance(100_000, |_| ()).unwrap());
    annealing.result().unwrap()
}

/// The trained flow of DW-4 by its discrete map, so that its densities are those of what it draws.
fn exact_flow() -> Plan<f64, Vec<Block>> {
    let config = Config::rk4(10).with_log_det(LogDet::Jacobian).with_inverse(Inverse::Exact);
    Plan::allocate(&Parameters::trained().model(), &config).unwrap()
}

fn stages(lambdas: &[f64]) -> Vec<Stage> {
    lambdas.iter().map(|&lambda| Stage { lambda, step_size: 0.4 }).collect()
}

/// Seeds 1 to 1000, 8 members each on a coarse schedule: the estimates of Z scatter by tens of per cent and average to Z.
#[test]
fn small_populations_on_a_given_schedule_have_no_bias_in_z() {
    let schedule = stages(&[0.02, 0.1, 0.3, 0.6, 1.0]);
    for resample_below in [0.0, 0.7, 1.0] {
        let kernels: [(Kernel<'_, f64>, usize); 3] = [
            (Kernel::Metropolis { step_size: 0.4 }, 0),
            (Kernel::Hmc { step_size: 0.3, leapfrogs: 2 }, 0),
            (Kernel::Metropolis { step_size: 0.3 }, 3),
        ];
        for (kernel, surrogate_steps) in kernels {
            let ratio = |seed| {
                let schedule = Schedule::Given(&schedule);
                let config = AnnealConfig {
                    schedule,
                    resample_below,
                    kernel,
                    steps: 1,
                    surrogate_steps,
                    ..config(8, seed)
                };
                (anneal(&SPRINGS, THREE, config).log_z().value - springs_log_z(1.0)).exp()
            };
            let ratios: Vec<f64> = (1..=1000).map(ratio).collect();
            assert_agrees("Z / exact", independent_mean(&ratios).unwrap(), 1.0);
        }
    }
}

/// Seeds 1 to 100 of 600 members: log Z and the mean energy scatter about the exact ones as the error of each run says.
#[test]
fn error_bars_of_single_runs_cover() {
    let tau = 0.7;
    for (resample_below, steps) in [(0.0, 4), (0.5, 4), (0.9, 2)] {
        let mut pulls = [0.0; 2];
        let runs = 100;
        for seed in 1..=runs {
            let config = AnnealConfig { resample_below, steps, tau, ..config(600, seed) };
            let run = anneal(&SPRINGS, THREE, config);
            assert_eq!(resample_below > 0.0, run.levels.iter().any(|level| level.resampled));
            let energy = run.expectation(&run.energies).unwrap();
            let estimates = [(run.log_z(), springs_log_z(tau)), (energy, 2.0 * tau)];
            for (pull, (estimate, exact)) in pulls.iter_mut().zip(estimates) {
                *pull += ((estimate.value - exact) / estimate.standard_error).powi(2) / runs as f64;
            }
        }
        println!("{resample_below}: {pulls:?}");
        // Chi-square of 100 degrees of freedom has 1 +- 0.14; errors from genealogies may be too large, not too small.
        assert!(pulls.iter().all(|pull| *pull > 0.5 && *pull < 1.42), "{resample_below}: {pulls:?}");
    }
}

#[test]
fn without_moves_it_is_importance_sampling() {
    let flow = exact_flow();
    let well = DoubleWell::dw4();
    let config = AnnealConfig {
        from: Reference::Flow(&flow),
        resample_below: 0.0,
        steps: 0,
        schedule: Schedule::Adaptive { conditional_ess: 0.99, acceptance: Some(0.3) },
        ..config(500, 3)
    };
    let run = anneal(&well, DW4, config);
    let drawn = draw_samples(&flow, 3, 500, &|_| ()).unwrap();
    let u = energies(&well, DW4, &drawn.samples).unwrap();
    let weights = ImportanceWeights::from_densities(&u, &drawn.log_probs).unwrap();
    assert_eq!((&run.samples, &run.energies), (&drawn.samples, &u));
    let (got, want) = (run.log_z(), weights.log_z_by_delta());
    assert!((got.value - want.value).abs() < 1e-12 && run.levels.len() > 10, "{got} {want}");
    assert!((got.standard_error / want.standard_error - 1.0).abs() < 1e-10);
    assert!((run.weights().effective_fraction() - weights.effective_fraction()).abs() < 1e-12);
    assert!((run.levels.last().unwrap().effective - weights.effective_fraction()).abs() < 1e-12);
    assert_eq!((run.evaluations.energies, run.evaluations.densities), (500, 500));
    assert!(run.levels.iter().all(|level| level.acceptance_rate.is_nan() && level.founders == 500));
}

#[test]
fn log_z_of_dw2_is_exact_from_a_normal_under_every_kernel() {
    let well = DoubleWell::dw4();
    let kernels = [
        Kernel::Metropolis { step_size: 0.7 },
        Kernel::Particle { step_size: 1.0 },
        Kernel::Hmc { step_size: 0.2, leapfrogs: 3 },
    ];
    for (kernel, scale) in kernels.into_iter().zip([1.0, 2.0, 3.0]) {
        let from = Reference::Normal { scale };
        let schedule = Schedule::Adaptive { conditional_ess: 0.97, acceptance: Some(0.6) };
        let config = AnnealConfig { from, kernel, schedule, last_steps: 5, ..config(4000, 5) };
        let run = anneal(&well, DW2, config);
        assert_agrees("log Z of DW-2", run.log_z(), DW2_LOG_Z);
        assert_agrees("energy of DW-2", run.expectation(&run.energies).unwrap(), DW2_ENERGY);
        let levels = &run.levels[..run.levels.len() - 1];
        assert!(levels.iter().all(|level| (level.conditional_ess - 0.97).abs() < 1e-6));
        let tuned = levels.iter().rev().take(3).map(|level| level.acceptance_rate);
        println!("{:?}", tuned.clone().collect::<Vec<_>>());
        // It follows, while the best size shrinks.
        assert!(tuned.into_iter().all(|rate| (rate - 0.6).abs() < 0.15), "{levels:?}");
    }
    let config =
        AnnealConfig::<f32> { kernel: Kernel::Hmc { step_size: 0.2, leapfrogs: 3 }, ..config(4000, 6) };
    let run = anneal(&DoubleWell::<f32>::dw4(), DW2, config);
    assert_agrees("log Z of DW-2 in f32", run.log_z(), DW2_LOG_Z);
}

/// About 28 % of the flow's samples count; of the annealed ones half.
#[test]
fn log_z_of_dw4_is_exact_from_its_flow() {
    // By 20 steps its log-densities are off by 0.006, a tenth of the errors below.
    let (exact, quick) =
        (exact_flow(), Plan::allocate(&Parameters::trained().model(), &Config::rk4(20)).unwrap());
    let well = DoubleWell::dw4();
    let settings = [
        (&exact, Kernel::Independence { plan: &exact }, 0, 2, 0.5),
        (&quick, Kernel::Metropolis { step_size: 0.2 }, 0, 6, 0.0),
        (&quick, Kernel::Hmc { step_size: 0.1, leapfrogs: 3 }, 0, 2, 0.5),
        (&exact, Kernel::Hmc { step_size: 0.1, leapfrogs: 3 }, 5, 2, 0.5),
    ];
    for (flow, kernel, surrogate_steps, steps, resample_below) in settings {
        let config = AnnealConfig {
            from: Reference::Flow(flow),
            kernel,
            steps,
            surrogate_steps,
            resample_below,
            schedule: Schedule::Adaptive { conditional_ess: 0.95, acceptance: None },
            last_steps: 20,
            ..config(300, 7)
        };
        let run = anneal(&well, DW4, config);
        let plain = anneal(&well, DW4, AnnealConfig { steps: 0, resample_below: 0.0, ..config });
        let [plain, annealed] = [plain.weights(), run.weights()].map(|w| w.effective_fraction());
        println!("{plain} to {annealed}");
        assert!(annealed > 1.4 * plain, "{plain} {annealed}");
        assert_agrees("log Z of DW-4", run.log_z(), DW4_LOG_Z);
        assert_agrees("energy of DW-4", run.expectation(&run.energies).unwrap(), DW4_ENERGY);
        let last = run.levels.last().unwrap();
        println!("{} stages, {last:?}, {:?}", run.levels.len(), run.evaluations);
        if let Kernel::Hmc { .. } = kernel {
            // Wrong gradients would be refused.
            assert!(
                surrogate_steps > 0 || run.levels.iter().all(|level| level.acceptance_rate > 0.8),
                "{:?}",
                run.levels
            );
        }
    }
}

/// Overlapping particles have weights of zero to rounding, not a schedule that never ends.
#[test]
fn walls_end_no_run() {
    let cluster = LennardJones::<f64> { epsilon: 1.0, ..LennardJones::lj13() };
    let shape = Shape { particles: 5, dimension: 3 };
    let schedule = Schedule::Adaptive { conditional_ess: 0.9, acceptance: Some(0.3) };
    let log_z = |seed, scale| {
        let from: Reference<'_, f64> = Reference::Normal { scale };
        let config = AnnealConfig::<f64> { from, schedule, steps: 4, ..config(1000, seed) };
        let run = anneal(&cluster, shape, config);
        println!("{} stages from {:e}", run.levels.len(), run.levels[0].stage.lambda);
        run.log_z()
    };
    // The same from different normals.
    let (narrow, wide) = (log_z(8, 0.6), log_z(9, 1.0));
    let error = narrow.standard_error.hypot(wide.standard_error);
    assert!((narrow.value - wide.value).abs() < 3.5 * error && error < 0.3, "{narrow} {wide}");
}

#[test]
fn runs_do_not_depend_on_threads_or_on_interruptions() {
    fn check<R: Precision + serde::Serialize + serde::de::DeserializeOwned>()
    where
        DoubleWell<R>: Potential<R::Lanes>,
    {
        let flow = Plan::<R, Vec<Block>>::allocate(&Parameters::trained().model(), &Config::rk4(4)).unwrap();
        let well = DoubleWell::<R>::dw4();
        for (kernel, surrogate_steps) in [
            (Kernel::Metropolis { step_size: 0.4 }, 0),
            (Kernel::Hmc { step_size: 0.1, leapfrogs: 2 }, 0),
            (Kernel::Hmc { step_size: 0.1, leapfrogs: 2 }, 3),
            (Kernel::Independence { plan: &flow }, 0),
        ] {
            let config = AnnealConfig {
                surrogate_steps,
                from: Reference::Flow(&flow),
                kernel,
                schedule: Schedule::Adaptive { conditional_ess: 0.8, acceptance: Some(0.5) },
                resample_below: 0.8,
                steps: 2,
                last_steps: 3,
                ..config(300, 9)
            };
            let whole = anneal(&well, DW4, config);
            for threads in [1, 2] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                assert_eq!(pool.install(|| anneal(&well, DW4, config)), whole);
            }
            let mut broken = Annealing::new(&well, DW4, config).unwrap();
            let mut stages = 0;
            while !broken.advance(1, |_| stages += 1).unwrap() {
                assert!(broken.lambda() < 1.0);
                broken = Annealing::resume(&well, DW4, config, &broken.checkpoint()).unwrap();
            }
            assert_eq!((stages, broken.result().unwrap()), (whole.levels.len(), whole.clone()));
            // The same stages once more, as a given schedule.
            let schedule = whole.schedule();
            let again = AnnealConfig { schedule: Schedule::Given(&schedule), ..config };
            assert_eq!(anneal(&well, DW4, again), whole);
        }
    }
    check::<f64>();
    check::<f32>();
}

#[test]
fn bad_requests_are_named() {
    let (flow, other, well) = (exact_flow(), exact_flow(), DoubleWell::dw4());
    let good = config::<f64>(10, 1);
    let name = |config, shape| match Annealing::new(&well, shape, config) {
        Err(Error::Value { name, .. }) => name,
        other => panic!("{other:?}"),
    };
    let scale = |scale| AnnealConfig { from: Reference::Normal { scale }, ..good };
    let kernel = |kernel| AnnealConfig { kernel, ..good };
    assert_eq!(name(good, Shape { particles: 0, dimension: 2 }), "shape.particles");
    assert_eq!(name(AnnealConfig { samples: 1, ..good }, DW4), "config.samples");
    assert_eq!(name(AnnealConfig { tau: 0.0, ..good }, DW4), "config.tau");
    assert_eq!(name(AnnealConfig { resample_below: 1.5, ..good }, DW4), "config.resample_below");
    assert_eq!(name(scale(f64::NAN), DW4), "config.from.scale");
    assert_eq!(name(AnnealConfig { from: Reference::Flow(&flow), ..good }, DW2), "config.from");
    assert_eq!(name(kernel(Kernel::Metropolis { step_size: 0.0 }), DW4), "kernel.step_size");
    assert_eq!(name(kernel(Kernel::Hmc { step_size: 0.1, leapfrogs: 0 }), DW4), "kernel.leapfrogs");
    let latent = Kernel::LatentMetropolis { plan: &flow, step_size: 0.1 };
    assert_eq!(name(kernel(latent), DW4), "config.kernel");
    let independence = Kernel::Independence { plan: &flow };
    assert_eq!(name(kernel(independence), DW4), "config.kernel.plan");
    let from = Reference::Flow(&flow);
    let config = AnnealConfig { from, kernel: independence, surrogate_steps: 2, ..good };
    assert_eq!(name(config, DW4), "config.surrogate_steps");
    let from = Reference::Flow(&other);
    assert_eq!(name(AnnealConfig { from, kernel: independence, ..good }, DW4), "config.kernel.plan");
    for (conditional_ess, acceptance, wanted) in [
        (1.0, None, "config.schedule.conditional_ess"),
        (0.9, Some(0.0), "config.schedule.acceptance"),
        (f64::NAN, Some(0.5), "config.schedule.conditional_ess"),
    ] {
        let schedule = Schedule::Adaptive { conditional_ess, acceptance };
        assert_eq!(name(AnnealConfig { schedule, ..good }, DW4), wanted);
    }
    let given = |lambdas: &[f64]| {
        let schedule = stages(lambdas);
        match Annealing::new(&well, DW4, AnnealConfig { schedule: Schedule::Given(&schedule), ..good }) {
            Err(Error::Value { name: "config.schedule.lambda", index, .. }) => index,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(given(&[]), None);
    assert_eq!(given(&[0.2, 0.9]), None);
    assert_eq!(given(&[0.0, 1.0]), Some(0));
    assert_eq!(given(&[0.5, 0.5, 1.0]), Some(1));
    assert_eq!(given(&[0.5, f64::NAN, 1.0]), Some(1));
    assert_eq!(given(&[0.5, 1.0, 1.5]), Some(2));
    let schedule = [Stage { lambda: 1.0, step_size: f64::INFINITY }];
    let config = AnnealConfig { schedule: Schedule::Given(&schedule), ..good };
    assert_eq!(name(config, DW4), "config.schedule.step_size");

    // A gradient that the plan does not have is the core's error.
    let hmc = Kernel::Hmc { step_size: 0.1, leapfrogs: 1 };
    let config = AnnealConfig { from: Reference::Flow(&flow), kernel: hmc, ..good };
    assert!(matches!(Annealing::new(&well, DW4, config), Err(Error::Core(_))));
}

#[test]
fn what_has_not_ended_or_does_not_fit_is_refused() {
    let well = DoubleWell::dw4();
    let config = config::<f64>(150, 11);
    let mut annealing = Annealing::new(&well, DW4, config).unwrap();
    assert!(!annealing.advance(2, |_| ()).unwrap());
    assert!(matches!(annealing.result(), Err(Error::Value { name: "lambda", .. })));
    let bytes = annealing.checkpoint();
    let resume = |config, shape, bytes: &[u8]| Annealing::resume(&well, shape, config, bytes).map(|_| ());
    assert!(resume(config, DW4, &bytes).is_ok());
    let reason = |config, shape| match resume(config, shape, &bytes) {
        Err(Error::State { reason }) => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(reason(config, DW2), "its shape is another");
    for other in [
        AnnealConfig { samples: 151, ..config },
        AnnealConfig { tau: 2.0, ..config },
        AnnealConfig { seed: 12, ..config },
    ] {
        assert_eq!(reason(other, DW4), "its population, temperature or seed is another");
    }
    let hmc = Kernel::Hmc { step_size: 0.1, leapfrogs: 1 };
    assert_eq!(
        reason(AnnealConfig { kernel: hmc, ..config }, DW4),
        "its members are those of another kernel"
    );
    let schedule = stages(&[0.5, 0.6, 1.0]);
    let other = AnnealConfig { schedule: Schedule::Given(&schedule), ..config };
    assert_eq!(reason(other, DW4), "its schedule is another");
    for length in [0, 10, bytes.len() - 1] {
        assert!(resume(config, DW4, &bytes[..length]).is_err());
    }
    let run = anneal(&well, DW4, config);
    assert!(matches!(run.expectation(&[1.0]), Err(Error::Length { .. })));
}
