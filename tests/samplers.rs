//! Drivers of all kernels against exact averages of the double well, and against themselves however they are run.
#![cfg(feature = "std")]

mod common;

use common::models::Parameters;
use eqflow::field::{Shape, distances};
use eqflow::flow::{Block, Config, Inverse, LogDet, Plan, Precision};
use eqflow::lanes::Real;
use eqflow::potential::{DoubleWell, LennardJones, Potential};
use eqflow::random::{Purpose, Stream};
use eqflow::sampling::{
    Error, Estimate, Initial, Kernel, Ladder, Pilot, QuenchConfig, Replica, ReplicaExchange, Sampler,
    autocorrelation_time, average_step_size, chain_mean, quench, tune_kernel,
};
use std::sync::Mutex;

const DW4: Shape = Shape { particles: 4, dimension: 2 };
const LJ13: Shape = Shape { particles: 13, dimension: 3 };

/// Exact averages by quadrature over the subspace, at tau = 1 and the energy at tau = 2.
const ENERGY: f64 = -22.541509603480378;
const ENERGY_VARIANCE: f64 = 3.629301614990254;
const DISTANCE: f64 = 4.044986844410344;
const SQUARED_DISTANCE: f64 = 18.183088534563673;
const FOURTH_DISTANCE: f64 = 449.67385576418;
const INSIDE: f64 = 0.49466547142916;
const ENERGY_AT_TAU_2: f64 = -19.502975826;

type FlowPlan<R> = Plan<R, Vec<Block>>;

/// A trained flow of four particles without its narrow Gaussians, which make trajectories short, and with its field
/// divided by a number. Its log-determinants are those of the map, so that what is sampled is exact.
fn smooth<R: Precision>(divisor: f64, steps: usize) -> FlowPlan<R> {
    let smooth = Parameters::trained().with("smooth", |p| {
        p.gamma.iter_mut().for_each(|g| *g = g.max(0.4));
        p.weights.iter_mut().for_each(|w| *w /= divisor);
    });
    let config = Config::rk4(steps).with_log_det(LogDet::Jacobian).with_inverse(Inverse::Exact);
    Plan::allocate(&smooth.model(), &config).unwrap()
}

fn trained<R: Precision>() -> FlowPlan<R> {
    smooth(1.0, 8)
}

/// For long chains: where the trained flow stretches space a hundredfold, all latent moves of a size that suits it elsewhere
/// are refused, and the few chains that come there stay.
fn mild<R: Precision>() -> FlowPlan<R> {
    smooth(3.0, 4)
}

/// All kernels with step sizes at which they mix.
fn kernels<R: Precision>(plan: &FlowPlan<R>) -> [Kernel<'_, R>; 7] {
    [
        Kernel::Metropolis { step_size: 0.5 },
        Kernel::Particle { step_size: 1.0 },
        Kernel::Hmc { step_size: 0.15, leapfrogs: 1 },
        Kernel::Hmc { step_size: 0.1, leapfrogs: 8 },
        Kernel::Independence { plan },
        Kernel::LatentMetropolis { plan, step_size: 0.5 },
        Kernel::LatentHmc { plan, step_size: 0.1, leapfrogs: 5 },
    ]
}

fn sampler<'a, R: Precision>(kernel: Kernel<'a, R>, chains: usize, seed: u64) -> Sampler<'a, R, DoubleWell<R>>
where
    DoubleWell<R>: Potential<R::Lanes>,
{
    let well = Box::leak(Box::new(DoubleWell::dw4()));
    Sampler::new(well, DW4, kernel, chains, seed, Initial::Prior { scale: 1.0 }).unwrap()
}

/// The ends of Metropolis chains.
fn equilibrium(chains: usize, seed: u64) -> Vec<f64> {
    let mut walk = sampler(Kernel::Metropolis { step_size: 0.5 }, chains, seed);
    walk.sample(1, 10_000, &|_| ()).unwrap().samples
}

/// Averages of x over the pairs of each sample, chain by chain.
fn pair_mean<R: Real>(samples: &[R], chains: usize, of: impl Fn(f64) -> f64) -> Estimate {
    let mut values = Vec::new();
    for x in samples.chunks_exact(8) {
        let mut d = [R::default(); 6];
        distances(DW4, x, &mut d);
        values.push(d.iter().map(|d| of(d.to_f64())).sum::<f64>() / 6.0);
    }
    chain_mean(&values, chains).unwrap()
}

/// Deviations from the exact averages in standard errors.
fn deviations<R: Real>(samples: &[R], energies: &[R], chains: usize) -> Vec<(&'static str, Estimate, f64)> {
    let energies: Vec<f64> = energies.iter().map(|u| u.to_f64()).collect();
    let squares: Vec<f64> = energies.iter().map(|u| (u - ENERGY).powi(2)).collect();
    let pairs = |of: fn(f64) -> f64| pair_mean(samples, chains, of);
    vec![
        ("energy", chain_mean(&energies, chains).unwrap(), ENERGY),
        ("energy variance", chain_mean(&squares, chains).unwrap(), ENERGY_VARIANCE),
        ("distance", pairs(|d| d), DISTANCE),
        ("squared distance", pairs(|d| d * d), SQUARED_DISTANCE),
        ("fourth power of the distance", pairs(|d| d.powi(4)), FOURTH_DISTANCE),
        ("p(d < 4)", pairs(|d| f64::from(u8::from(d < 4.0))), INSIDE),
    ]
}

#[track_caller]
fn assert_exact<R: Real>(what: &str, samples: &[R], energies: &[R], chains: usize) {
    for (average, estimate, exact) in deviations(samples, energies, chains) {
        let deviation = (estimate.value - exact) / estimate.standard_error;
        println!("{what}: {average} {estimate}, exact {exact}, {deviation:.2}");
        assert!(deviation.abs() < 3.0, "{what}: {average} {estimate} against {exact}");
    }
}

/// Seed 41, 128 chains from the ends of Metropolis chains or, with a flow, from the prior.
#[test]
fn every_kernel_keeps_the_boltzmann_distribution_of_dw4() {
    let (plan, well) = (trained::<f64>(), DoubleWell::dw4());
    let starts = equilibrium(128, 40);
    let start = |chain: usize, x: &mut [f64]| x.copy_from_slice(&starts[8 * chain..][..8]);
    for (number, (kernel, [burn_in, thin, samples])) in kernels(&plan)
        .into_iter()
        .zip([
            [0, 40, 200],
            [0, 80, 200],
            [0, 40, 200],
            [0, 8, 150],
            [100, 2, 100],
            [200, 4, 100],
            [60, 1, 80],
        ])
        .enumerate()
    {
        let initial =
            if kernel.plan().is_some() { Initial::Prior { scale: 1.0 } } else { Initial::With(&start) };
        let mut sampler = Sampler::new(&well, DW4, kernel, 128, 41, initial).unwrap();
        sampler.advance(burn_in, &|_| ()).unwrap();
        let run = sampler.sample(samples, thin, &|_| ()).unwrap();
        println!("kernel {number}: acceptance {}", run.acceptance_rate);
        assert_exact(&format!("kernel {number}"), &run.samples, &run.energies, 128);
    }
}

/// Seed 42, 64 chains in single precision.
#[test]
fn kernels_in_single_precision_keep_it_too() {
    let plan = trained::<f32>();
    for (kernel, scale, [burn_in, thin, samples]) in
        [(kernels(&plan)[3], 2.0, [1000, 8, 150]), (kernels(&plan)[6], 1.0, [60, 1, 80])]
    {
        let well = DoubleWell::dw4();
        let mut sampler = Sampler::new(&well, DW4, kernel, 64, 42, Initial::Prior { scale }).unwrap();
        sampler.advance(burn_in, &|_| ()).unwrap();
        let run = sampler.sample(samples, thin, &|_| ()).unwrap();
        assert_exact("", &run.samples, &run.energies, 64);
    }
}

/// A run of 70 chains, 9 of which run alone, and the rest of it from a checkpoint: the same bits.
#[test]
fn chains_do_not_depend_on_their_company_on_threads_or_on_interruptions() {
    fn check<R: Precision + serde::Serialize + serde::de::DeserializeOwned>()
    where
        DoubleWell<R>: Potential<R::Lanes>,
    {
        let (plan, well) = (trained::<R>(), DoubleWell::dw4());
        for kernel in kernels(&plan) {
            let run = |chains: usize| {
                let mut sampler = sampler(kernel, chains, 43);
                sampler.advance(3, &|_| ()).unwrap();
                let checkpoint = sampler.checkpoint();
                (sampler.sample(2, 2, &|_| ()).unwrap(), checkpoint, sampler)
            };
            let (many, checkpoint, sampler) = run(70);
            assert_eq!((many.samples.len(), sampler.chains(), sampler.steps()), (70 * 2 * 8, 70, 7));
            let (few, ..) = run(9);
            assert_eq!(few.samples, many.samples[..few.samples.len()]);
            assert_eq!(few.energies, many.energies[..few.energies.len()]);
            let other_size = kernel.with_step_size(0.001);
            let mut resumed = Sampler::resume(&well, DW4, other_size, &checkpoint).unwrap();
            assert_eq!(resumed.sample(2, 2, &|_| ()).unwrap(), many);
            assert_eq!(resumed.checkpoint(), sampler.checkpoint());
            for threads in [1, 2] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                assert_eq!(pool.install(|| run(70)).0, many);
            }
        }
    }
    check::<f64>();
    check::<f32>();
}

#[test]
fn a_state_that_does_not_fit_is_refused() {
    let (plan, well) = (trained::<f64>(), DoubleWell::dw4());
    let metropolis = kernels(&plan)[0];
    let bytes = sampler(metropolis, 5, 44).checkpoint();
    let reason = |got: Result<Sampler<'_, f64, DoubleWell<f64>>, Error>| match got {
        Err(Error::State { reason }) => reason,
        other => panic!("{other:?}"),
    };
    let resume = |kernel, bytes: &[u8]| Sampler::resume(&well, DW4, kernel, bytes);
    assert!(resume(metropolis, &bytes).is_ok());
    assert_eq!(reason(resume(kernels(&plan)[3], &bytes)), "its chains are those of another kernel");
    assert_eq!(reason(resume(kernels(&plan)[5], &bytes)), "its chains are those of another kernel");
    let pair = Shape { particles: 2, dimension: 2 };
    assert_eq!(reason(Sampler::resume(&well, pair, metropolis, &bytes)), "its shape is another");
    for length in 0..bytes.len() {
        assert!(resume(metropolis, &bytes[..length]).is_err());
    }
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 4;
        assert!(resume(metropolis, &damaged).is_err(), "{at}");
    }
    let well = DoubleWell::<f32>::dw4();
    let got = Sampler::<f32, _>::resume(&well, DW4, Kernel::Metropolis { step_size: 0.5 }, &bytes);
    assert!(matches!(got, Err(Error::State { reason: "its precision is another" })));
}

#[test]
fn bad_requests_are_named() {
    let (plan, well) = (trained::<f64>(), DoubleWell::dw4());
    let new =
        |kernel, shape, chains, initial| Sampler::new(&well, shape, kernel, chains, 45, initial).map(|_| ());
    let prior = Initial::Prior { scale: 1.0 };
    let walk = |step_size| Kernel::Metropolis { step_size };
    let name = |got: Result<(), Error>| match got {
        Err(Error::Value { name, .. }) => name,
        other => panic!("{other:?}"),
    };
    assert_eq!(name(new(walk(0.0), DW4, 1, prior)), "kernel.step_size");
    assert_eq!(name(new(walk(f64::NAN), DW4, 1, prior)), "kernel.step_size");
    assert_eq!(name(new(Kernel::Hmc { step_size: 0.1, leapfrogs: 0 }, DW4, 1, prior)), "kernel.leapfrogs");
    let pair = Shape { particles: 2, dimension: 2 };
    assert_eq!(name(new(Kernel::Independence { plan: &plan }, pair, 1, prior)), "kernel.plan");
    assert_eq!(name(new(walk(0.1), DW4, 0, prior)), "chains");
    assert_eq!(name(new(walk(0.1), Shape { particles: 0, dimension: 2 }, 1, prior)), "shape.particles");
    assert_eq!(name(new(walk(0.1), Shape { particles: 2, dimension: 4 }, 1, prior)), "shape.dimension");
    let lost = |chain: usize, x: &mut [f64]| x.fill(if chain == 2 { f64::NAN } else { 0.5 });
    assert_eq!(name(new(walk(0.1), DW4, 3, Initial::With(&lost))), "start of chain");
    let mut sampler = sampler(walk(0.1), 2, 45);
    assert_eq!(name(sampler.sample(0, 1, &|_| ()).map(|_| ())), "samples_per_chain");
    assert_eq!(name(sampler.sample(1, 0, &|_| ()).map(|_| ())), "thin");
    assert_eq!(name(sampler.set_step_size(-1.0)), "kernel.step_size");
    let wells = [Replica { tau: 0.0, kernel: walk(0.1) }, Replica { tau: 1.0, kernel: kernels(&plan)[4] }];
    let ladder = |replicas, steps| Ladder { replicas, steps, flow: None };
    let new = |ladder, n| ReplicaExchange::new(&well, DW4, ladder, n, 45, prior).map(|_| ());
    assert_eq!(name(new(ladder(&wells[..1], 1), 1)), "ladder.replicas.tau");
    assert_eq!(name(new(ladder(&wells[1..], 1), 1)), "ladder.replicas.kernel");
    assert_eq!(name(new(ladder(&[], 1), 1)), "ladder.replicas");
    let good = [Replica { tau: 1.0, kernel: walk(0.1) }];
    assert_eq!(name(new(ladder(&good, 0), 1)), "ladder.steps");
    assert_eq!(name(new(ladder(&good, 1), 0)), "ladders");
}

/// The count of steps that is reported ends at the total.
#[test]
fn progress_ends_at_the_total() {
    let most = Mutex::new((0, 0));
    let report = |progress: eqflow::sampling::Progress| {
        let mut most = most.lock().unwrap();
        *most = (progress.done.max(most.0), progress.total);
    };
    sampler::<f64>(Kernel::Metropolis { step_size: 0.5 }, 70, 46).sample(3, 150, &report).unwrap();
    assert_eq!(*most.lock().unwrap(), (70 * 450, 70 * 450));
}

/// Dual averaging meets its target (in a run with another seed, too), and the rule of acceptance times step finds a
/// step between the extremes. The binomial error of 64 x 600 proposals is 0.003; chains in stiffer and softer places make it larger.
#[test]
fn step_sizes_adapt() {
    let well = DoubleWell::<f64>::dw4();
    let pilot = Pilot { chains: 64, burn_in: 2000, steps: 600, seed: 47 };
    let start = Initial::Prior { scale: 2.0 };
    for (kernel, target) in
        [(Kernel::Hmc { step_size: 0.01, leapfrogs: 5 }, 0.65), (Kernel::Metropolis { step_size: 0.1 }, 0.3)]
    {
        let trial = average_step_size(&well, DW4, kernel, &pilot, start, target).unwrap();
        let mut other = Sampler::new(&well, DW4, kernel, 64, 48, start).unwrap();
        other.advance(2000, &|_| ()).unwrap();
        other.set_step_size(trial.step_size).unwrap();
        other.advance(1000, &|_| ()).unwrap();
        let rate = other.advance(600, &|_| ()).unwrap();
        println!("{trial:?}, then {rate}");
        assert!((rate - target).abs() < 0.03, "{trial:?} {rate}");
        assert!((trial.acceptance_rate - target).abs() < 0.03, "{trial:?}");
        assert_eq!(trial, average_step_size(&well, DW4, kernel, &pilot, start, target).unwrap());
    }
    let walk = Kernel::Metropolis { step_size: 1.0 };
    let tuned = tune_kernel(&well, DW4, walk, &pilot, start, &[0.01, 0.4, 5.0]).unwrap();
    assert_eq!((tuned.best.step_size, tuned.trials.len()), (0.4, 3));
    assert!(tuned.trials[0].acceptance_rate > 0.9 && tuned.trials[2].acceptance_rate < 0.01);
    assert!(tune_kernel(&well, DW4, walk, &pilot, start, &[]).is_err());
    let plan = trained::<f64>();
    assert!(average_step_size(&well, DW4, kernels(&plan)[4], &pilot, start, 0.5).is_err());
    assert!(average_step_size(&well, DW4, walk, &Pilot { chains: 65, ..pilot }, start, 0.5).is_err());
    assert!(average_step_size(&well, DW4, walk, &pilot, start, 1.0).is_err());
}

fn walks(taus: &[f64]) -> Vec<Replica<'static, f64>> {
    taus.iter()
        .map(|&tau| Replica { tau, kernel: Kernel::Metropolis { step_size: 0.5 * tau.sqrt() } })
        .collect()
}

/// Seed 49, 64 ladders: the recorded replica is at tau = 1, the last at tau = 2.
#[test]
fn replica_exchange_keeps_the_distribution_at_each_temperature() {
    let well = DoubleWell::dw4();
    let mut replicas = walks(&[1.0, 1.4, 2.0]);
    replicas[2].kernel = Kernel::Hmc { step_size: 0.2, leapfrogs: 5 };
    let ladder = Ladder { replicas: &replicas, steps: 10, flow: None };
    let start = Initial::Prior { scale: 1.0 };
    let mut exchange = ReplicaExchange::new(&well, DW4, ladder, 64, 49, start).unwrap();
    exchange.advance(400, &|_| ()).unwrap();
    let run = exchange.sample(150, 4, &|_| ()).unwrap();
    println!("{:?} {:?} {}", run.acceptance_rates, run.exchange_rates, run.round_trips);
    assert_exact("", &run.first.samples, &run.first.energies, 64);
    assert_eq!(run.first.energies, run.energies[0]);
    let hot = chain_mean(&run.energies[2], 64).unwrap();
    println!("tau 2: {hot}");
    assert!((hot.value - ENERGY_AT_TAU_2).abs() < 3.0 * hot.standard_error, "{hot}");
    assert!(run.exchange_rates.iter().all(|&rate| rate > 0.2 && rate < 0.95), "{:?}", run.exchange_rates);
    assert!(run.round_trips > 100);
}

/// Seed 50: one replica and the flow above it.
#[test]
fn exchange_with_a_flow_keeps_the_distribution() {
    let (well, plan) = (DoubleWell::dw4(), trained::<f64>());
    let replicas = [Replica { tau: 1.0, kernel: Kernel::Hmc { step_size: 0.1, leapfrogs: 4 } }];
    let ladder = Ladder { replicas: &replicas, steps: 2, flow: Some(&plan) };
    let start = Initial::Prior { scale: 1.0 };
    let mut exchange = ReplicaExchange::new(&well, DW4, ladder, 64, 50, start).unwrap();
    exchange.advance(80, &|_| ()).unwrap();
    let run = exchange.sample(100, 2, &|_| ()).unwrap();
    println!("from the flow: {}", run.flow_rate);
    assert!(run.flow_rate > 0.1);
    assert_exact("", &run.first.samples, &run.first.energies, 64);
}

#[test]
fn ladders_do_not_depend_on_their_company_on_threads_or_on_interruptions() {
    let (well, plan) = (DoubleWell::dw4(), trained::<f64>());
    let mut replicas = walks(&[1.0, 1.5, 2.0]);
    replicas[1].kernel = Kernel::Hmc { step_size: 0.2, leapfrogs: 3 };
    replicas[2].kernel = replicas[1].kernel;
    let ladder = Ladder { replicas: &replicas, steps: 3, flow: Some(&plan) };
    let start = Initial::Prior { scale: 1.5 };
    let run = |ladders: usize| {
        let mut exchange = ReplicaExchange::new(&well, DW4, ladder, ladders, 51, start).unwrap();
        exchange.advance(4, &|_| ()).unwrap();
        let checkpoint = exchange.checkpoint();
        (exchange.sample(3, 2, &|_| ()).unwrap(), checkpoint)
    };
    let (many, checkpoint) = run(37);
    let (few, _) = run(5);
    assert_eq!(few.first.samples, many.first.samples[..few.first.samples.len()]);
    for (few, many) in few.energies.iter().zip(&many.energies) {
        assert_eq!(few[..], many[..few.len()]);
    }
    let mut resumed = ReplicaExchange::resume(&well, DW4, ladder, &checkpoint).unwrap();
    assert_eq!(resumed.sample(3, 2, &|_| ()).unwrap(), many);
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert_eq!(pool.install(|| run(37)).0, many);
    }
    let others = walks(&[1.0, 1.5, 2.0]);
    let got = ReplicaExchange::resume(&well, DW4, Ladder { replicas: &others, ..ladder }, &checkpoint);
    assert!(matches!(got, Err(Error::State { .. })));
    let others = walks(&[1.0, 1.5, 2.1]);
    let got = ReplicaExchange::resume(&well, DW4, Ladder { replicas: &others, ..ladder }, &checkpoint);
    assert!(matches!(got, Err(Error::State { .. })));
}

/// A geometric ladder for the cluster of 13 particles, from `lowest` to tau = 1.
fn cluster_ladder(lowest: f64, count: usize) -> Vec<Replica<'static, f64>> {
    let tau = |r: usize| lowest.powf(1.0 - r as f64 / (count - 1) as f64);
    let kernel = |tau: f64| Kernel::Hmc { step_size: 0.03 * tau.sqrt(), leapfrogs: 10 };
    (0..count).map(|r| Replica { tau: tau(r), kernel: kernel(tau(r)) }).collect()
}

/// Thirteen of 27 sites of a cube with spacing 1.1, at random, and a little beside them.
fn cube(chain: usize, x: &mut [f64]) {
    let mut stream = Stream::new(60, Purpose::Bootstrap, chain as u64);
    let mut sites: Vec<usize> = (0..27).collect();
    for x in x.chunks_exact_mut(3) {
        let site = sites.swap_remove(stream.next_below(sites.len() as u64) as usize);
        for (x, digit) in x.iter_mut().zip([site / 9, site / 3 % 3, site % 3]) {
            *x = 1.1 * digit as f64 + 0.1 * (stream.next_unit() - 0.5);
        }
    }
}

/// Ten short runs from random starts, the ladders of one call (seed 60): all reach the icosahedron.
#[test]
fn replica_exchange_finds_the_global_minimum_of_lj13() {
    let (potential, replicas) = (LennardJones::lj13(), cluster_ladder(0.3, 6));
    let ladder = Ladder { replicas: &replicas, steps: 2, flow: None };
    let mut exchange = ReplicaExchange::new(&potential, LJ13, ladder, 10, 60, Initial::With(&cube)).unwrap();
    let run = exchange.sample(LJ13_SAMPLES, 10, &|_| ()).unwrap();
    println!("{:.2?} {:.2?} {}", run.acceptance_rates, run.exchange_rates, run.round_trips);
    let chains = run.first.energies.chunks_exact(LJ13_SAMPLES);
    for (i, (energies, samples)) in chains.zip(run.first.samples.chunks_exact(LJ13_SAMPLES * 39)).enumerate()
    {
        let (best, _) = energies.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1)).unwrap();
        let quenched = quench(&potential, LJ13, &samples[best * 39..][..39], &QuenchConfig::new()).unwrap();
        println!("ladder {i}: {}, sample {best}", quenched[0].energy);
        assert!((quenched[0].energy + 83.0896).abs() < 1e-3, "ladder {i}: {}", quenched[0].energy);
    }
}

const LJ13_SAMPLES: usize = 60;

/// Seed 61, 32 ladders; the last replica is at tau = 1, where very long replica exchange gave -42.967 +- 0.018.
#[test]
#[ignore = "takes a minute or more"]
fn replica_exchange_reaches_the_mean_energy_of_lj13() {
    let (potential, replicas) = (LennardJones::lj13(), cluster_ladder(0.3, 6));
    let ladder = Ladder { replicas: &replicas, steps: 2, flow: None };
    let mut exchange = ReplicaExchange::new(&potential, LJ13, ladder, 32, 61, Initial::With(&cube)).unwrap();
    exchange.advance(1500, &|_| ()).unwrap();
    let run = exchange.sample(500, 6, &|_| ()).unwrap();
    for (replica, energies) in replicas.iter().zip(&run.energies) {
        println!("tau {:.3}: <u> = {}", replica.tau, chain_mean(energies, 32).unwrap());
    }
    println!("{:.2?} {:.2?} {}", run.acceptance_rates, run.exchange_rates, run.round_trips);
    let hot = chain_mean(&run.energies[5], 32).unwrap();
    assert!((hot.value + 42.967).abs() < 3.0 * hot.standard_error.hypot(0.018), "{hot}");
}

/// The largest distance between the distribution of `values` and the exact one of the energy, at the table's energies.
fn kolmogorov_smirnov(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let below = |u: f64| sorted.partition_point(|&v| v <= u) as f64 / sorted.len() as f64;
    ENERGY_DISTRIBUTION.iter().map(|&(u, exact)| (below(u) - exact).abs()).fold(0.0, f64::max)
}

/// Every kernel in 256 chains (seed 70) from the ends of Metropolis chains, for at least 1e6 effective samples of the energy.
/// A few minutes: `cargo test --release --test samplers -- --ignored --nocapture every_kernel`; KERNEL picks one of them by
/// its number, SEED another seed.
#[test]
#[ignore = "takes minutes"]
fn every_kernel_keeps_it_for_a_million_effective_steps() {
    let (plan, mild, well) = (trained::<f64>(), mild::<f64>(), DoubleWell::dw4());
    let mut kernels = kernels(&plan);
    kernels[5] = Kernel::LatentMetropolis { plan: &mild, step_size: 0.3 };
    kernels[6] = Kernel::LatentHmc { plan: &mild, step_size: 0.15, leapfrogs: 5 };
    let sizes = [
        [10_000, 60, 18_000],
        [20_000, 50, 10_000],
        [10_000, 25, 16_000],
        [1000, 4, 12_000],
        [300, 10, 8000],
        [1000, 60, 8000],
        [100, 4, 13_000],
    ];
    let number_of = |name: &str| std::env::var(name).ok().map(|text| text.parse::<usize>().unwrap());
    let (only, seed) = (number_of("KERNEL"), number_of("SEED").unwrap_or(70) as u64);
    let starts = equilibrium(256, seed);
    let start = |chain: usize, x: &mut [f64]| x.copy_from_slice(&starts[8 * chain..][..8]);
    for (number, (kernel, [burn_in, thin, samples])) in kernels.into_iter().zip(sizes).enumerate() {
        if only.is_some_and(|only| only != number) {
            continue;
        }
        let clock = std::time::Instant::now();
        let mut sampler = Sampler::new(&well, DW4, kernel, 256, seed, Initial::With(&start)).unwrap();
        sampler.advance(burn_in, &|_| ()).unwrap();
        let run = sampler.sample(samples, thin, &|_| ()).unwrap();
        let n = run.energies.len() as f64;
        let sizes: Vec<f64> = run.samples.chunks_exact(8).map(|x| x.iter().map(|x| x * x).sum()).collect();
        let [energy_time, size_time] =
            [&run.energies, &sizes].map(|values| autocorrelation_time(values, 256).unwrap().value);
        println!(
            "kernel {number}: {n} samples {thin} steps apart, {:.3} accepted, effective {:.0} (energy), {:.0} (|x|^2), {:.0} s",
            run.acceptance_rate,
            n / energy_time,
            n / size_time,
            clock.elapsed().as_secs_f64()
        );
        assert_exact(&format!("kernel {number}"), &run.samples, &run.energies, 256);
        let stride = (3.0 * energy_time).ceil() as usize;
        let thinned: Vec<f64> = run
            .energies
            .chunks_exact(samples)
            .flat_map(|chain| chain.iter().step_by(stride).copied())
            .collect();
        let (distance, count) = (kolmogorov_smirnov(&thinned), thinned.len() as f64);
        // The level at which one of seven kernels fails by chance in 5 % of the runs: 2 exp(-2 n d^2) = 0.05 / 7.
        let level = (0.5 * (2.0 * 7.0 / 0.05_f64).ln() / count).sqrt();
        println!("kernel {number}: KS distance {distance:.5} of {count} samples, level {level:.5}");
        assert!(distance < level, "{distance}");
        assert!(n / energy_time >= 1e6, "{}", n / energy_time);
    }
}

/// P(u < energy), by quadrature of the characteristic function (complex inverse temperatures) and inversion.
const ENERGY_DISTRIBUTION: [(f64, f64); 56] = [
    (-25.5422, 0.003139),
    (-25.2922, 0.014869),
    (-25.0422, 0.037879),
    (-24.7922, 0.074500),
    (-24.5422, 0.121850),
    (-24.2922, 0.176331),
    (-24.0422, 0.235296),
    (-23.7922, 0.296341),
    (-23.5422, 0.357177),
    (-23.2922, 0.416404),
    (-23.0422, 0.473129),
    (-22.7922, 0.526690),
    (-22.5422, 0.576807),
    (-22.2922, 0.623048),
    (-22.0422, 0.665418),
    (-21.7922, 0.703875),
    (-21.5422, 0.738625),
    (-21.2922, 0.769990),
    (-21.0422, 0.798495),
    (-20.7922, 0.824548),
    (-20.5422, 0.848462),
    (-20.2922, 0.869991),
    (-20.0422, 0.889106),
    (-19.7922, 0.905889),
    (-19.5422, 0.920519),
    (-19.2922, 0.933239),
    (-19.0422, 0.944253),
    (-18.7922, 0.953705),
    (-18.5422, 0.961726),
    (-18.2922, 0.968512),
    (-18.0422, 0.974196),
    (-17.7922, 0.978960),
    (-17.5422, 0.982900),
    (-17.2922, 0.986177),
    (-17.0422, 0.988854),
    (-16.7922, 0.991060),
    (-16.5422, 0.992836),
    (-16.2922, 0.994287),
    (-16.0422, 0.995441),
    (-15.7922, 0.996379),
    (-15.5422, 0.997121),
    (-15.2922, 0.997720),
    (-15.0422, 0.998194),
    (-14.7922, 0.998573),
    (-14.5422, 0.998874),
    (-14.2922, 0.999110),
    (-14.0422, 0.999303),
    (-13.7922, 0.999447),
    (-13.5422, 0.999571),
    (-13.2922, 0.999658),
    (-13.0422, 0.999738),
    (-12.7922, 0.999789),
    (-12.5422, 0.999842),
    (-12.2922, 0.999870),
    (-12.0422, 0.999905),
    (-11.7922, 0.999921),
];
