//! Chains and reweighting against exact values: quadrature over the double wells, and Gaussians by hand.
#![cfg(feature = "std")]

use eqflow::field::{Shape, distances};
use eqflow::lanes::{Lanes, Real};
use eqflow::mcmc::metropolis_step;
use eqflow::particles::remove_com;
use eqflow::potential::{DoubleWell, Potential};
use eqflow::random::{Normals, Purpose, Stream, prior_sample};
use eqflow::sampling::{
    ChainConfig, ChainSamples, Error, Estimate, ImportanceWeights, Initial, Progress, autocorrelation_time,
    chain_mean, independent_mean, sample_chains, tune_step_size,
};
use std::f64::consts::{PI, TAU};
use std::sync::Mutex;

const DW2: Shape = Shape { particles: 2, dimension: 2 };
const DW4: Shape = Shape { particles: 4, dimension: 2 };

/// u = |x|^2 / 2 on the zero-CoM subspace: the prior itself.
struct Harmonic;

impl<V: Lanes> Potential<V> for Harmonic {
    fn energy(&self, _: Shape, x: &[V], gradient: Option<&mut [V]>) -> V {
        if let Some(gradient) = gradient {
            gradient.copy_from_slice(x);
        }
        let mut square = V::zero();
        for &x in x {
            square += x * x;
        }
        V::constant(0.5) * square
    }
}

#[track_caller]
fn assert_agrees(what: &str, estimate: Estimate, exact: f64) {
    let deviation = (estimate.value - exact).abs();
    assert!(deviation < 3.0 * estimate.standard_error, "{what}: {estimate} against {exact}");
}

fn run<R: Real>(shape: Shape, config: &ChainConfig) -> ChainSamples<R>
where
    DoubleWell<R>: Potential<R::Lanes>,
{
    sample_chains(&DoubleWell::dw4(), shape, config, Initial::Prior { scale: 1.0 }, &|_| ()).unwrap()
}

/// Distances of all pairs, `[n][pairs]`.
fn pair_distances(shape: Shape, samples: &[f64]) -> Vec<f64> {
    let mut all = Vec::new();
    for x in samples.chunks_exact(shape.coordinates()) {
        let mut d = vec![0.0; shape.pairs()];
        distances(shape, x, &mut d);
        all.extend(d);
    }
    all
}

#[test]
fn dw4_chains_from_the_prior_reach_the_exact_averages() {
    // The slowest averages forget within some 1100 steps: burn-in leaves exp(-9) of the prior.
    let config = ChainConfig {
        chains: 256,
        burn_in: 10_000,
        thin: 50,
        samples_per_chain: 200,
        step_size: 0.5,
        seed: 1,
    };
    let run = run::<f64>(DW4, &config);
    assert_agrees("energy", chain_mean(&run.energies, 256).unwrap(), -22.541509603480378);
    // About the exact mean, so that the average of the squares is unbiased.
    let square: Vec<f64> = run.energies.iter().map(|u| (u + 22.541509603480378).powi(2)).collect();
    assert_agrees("energy variance", chain_mean(&square, 256).unwrap(), 3.629301614990254);
    let d = pair_distances(DW4, &run.samples);
    assert_agrees("pair distance", chain_mean(&d, 256).unwrap(), 4.044986844410344);
    let square: Vec<f64> = d.iter().map(|d| d * d).collect();
    assert_agrees("squared pair distance", chain_mean(&square, 256).unwrap(), 18.183088534563673);
}

#[test]
fn dw2_chains_from_the_prior_reach_the_exact_averages() {
    let config =
        ChainConfig { chains: 256, burn_in: 4000, thin: 20, samples_per_chain: 500, step_size: 1.0, seed: 2 };
    let run = run::<f64>(DW2, &config);
    assert_agrees("energy", chain_mean(&run.energies, 256).unwrap(), -3.870727130806058);
    let square: Vec<f64> = run.energies.iter().map(|u| (u + 3.870727130806058).powi(2)).collect();
    assert_agrees("energy variance", chain_mean(&square, 256).unwrap(), 0.6346982627294366);
    let d = pair_distances(DW2, &run.samples);
    assert_agrees("distance", chain_mean(&d, 256).unwrap(), 4.515090891350757);
    let inner: Vec<f64> = d.iter().map(|&d| f64::from(u8::from(d < 4.0))).collect();
    assert_agrees("p(d < 4)", chain_mean(&inner, 256).unwrap(), 0.324612062);
}

#[test]
fn single_precision_chains_reach_the_exact_energy() {
    let config = ChainConfig {
        chains: 64,
        burn_in: 10_000,
        thin: 20,
        samples_per_chain: 200,
        step_size: 0.5,
        seed: 3,
    };
    let run = run::<f32>(DW4, &config);
    let energies: Vec<f64> = run.energies.iter().map(|&u| u.into()).collect();
    assert_agrees("energy", chain_mean(&energies, 64).unwrap(), -22.541509603480378);
}

/// One step from exact equilibrium in one dimension (N = 2, D = 1): a normal target and normal proposals of
/// standard deviation s, of which the fraction (2 / pi) atan(2 / s) is accepted, and as much probability flows
/// from any set to any other as back.
#[test]
fn one_step_from_equilibrium_keeps_detailed_balance() {
    let shape = Shape { particles: 2, dimension: 1 };
    let step_size = 1.7;
    let config =
        ChainConfig { chains: 200_000, burn_in: 0, thin: 1, samples_per_chain: 1, step_size, seed: 104 };
    let start = |chain: usize, x: &mut [f64]| {
        prior_sample(shape, &mut Normals::new(Stream::new(99, Purpose::Prior, chain as u64)), x);
    };
    let run = sample_chains(&Harmonic, shape, &config, Initial::With(&start), &|_| ()).unwrap();
    let (mut accepted, mut second, mut current) = (Vec::new(), Vec::new(), Vec::new());
    for (chain, x) in run.samples.chunks_exact(2).enumerate() {
        let mut before = [0.0; 2];
        start(chain, &mut before);
        // The coordinate of unit variance on the subspace is (x_1 - x_2) / sqrt 2.
        let [a, b] = [before[0] - before[1], x[0] - x[1]].map(|d| d / 2.0_f64.sqrt());
        accepted.push(f64::from(u8::from((a - b).abs() > 1e-9)));
        second.push(b * b);
        let (inside_a, inside_b) = (a.abs() < 0.5, b.abs() < 0.5);
        current.push(f64::from(i8::from(inside_a && !inside_b) - i8::from(!inside_a && inside_b)));
    }
    let rate = independent_mean(&accepted).unwrap();
    assert_agrees("acceptance", rate, 2.0 / PI * (2.0 / step_size).atan());
    assert!((rate.value - run.acceptance_rate).abs() < 1e-12);
    assert_agrees("variance after the step", independent_mean(&second).unwrap(), 1.0);
    let current = independent_mean(&current).unwrap();
    assert_agrees("net flow out of |x| < 1/2", current, 0.0);
    assert!(current.standard_error < 0.002);
}

#[test]
fn a_chain_does_not_depend_on_its_company() {
    let config =
        |chains| ChainConfig { chains, burn_in: 30, thin: 7, samples_per_chain: 11, step_size: 0.5, seed: 5 };
    fn check<R: Real>(config: impl Fn(usize) -> ChainConfig)
    where
        DoubleWell<R>: Potential<R::Lanes>,
    {
        let few = run::<R>(DW4, &config(5));
        let many = run::<R>(DW4, &config(64));
        assert_eq!(few.samples.len(), 5 * 11 * 8);
        assert_eq!(few.energies.len(), 5 * 11);
        assert_eq!(few.samples, many.samples[..few.samples.len()]);
        assert_eq!(few.energies, many.energies[..few.energies.len()]);
    }
    check::<f64>(config);
    check::<f32>(config);
}

#[cfg(feature = "parallel")]
#[test]
fn the_number_of_threads_changes_no_bit() {
    let config =
        ChainConfig { chains: 30, burn_in: 10, thin: 3, samples_per_chain: 5, step_size: 0.5, seed: 6 };
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let chains = run::<f64>(DW4, &config);
            let weights = ImportanceWeights::new(&chains.energies).unwrap();
            let bootstrap = weights.bootstrap(50, 1).unwrap();
            (chains, bootstrap.log_z(), bootstrap.effective_sample_size())
        })
    };
    let one = on(1);
    for threads in [2, 3, 7] {
        assert_eq!(one, on(threads));
    }
}

/// The driver's bookkeeping against the bare step of the core, one chain at a time.
#[test]
fn burn_in_and_thinning_take_the_steps_they_say() {
    let config =
        ChainConfig { chains: 6, burn_in: 1001, thin: 3, samples_per_chain: 4, step_size: 0.4, seed: 7 };
    let run = run::<f64>(DW4, &config);
    let potential = DoubleWell::<f64>::dw4();
    let mut accepted = 0.0;
    for chain in 0..6 {
        let mut x = [0.0; 8];
        prior_sample(DW4, &mut Normals::new(Stream::new(7, Purpose::Prior, chain as u64)), &mut x);
        remove_com(DW4, &mut x, &mut [0.0; 3]);
        let mut energy = potential.energy(DW4, &x, None);
        let mut random = [Normals::new(Stream::new(7, Purpose::Chain, chain as u64))];
        for step in 1..=1001 + 3 * 4 {
            let moved =
                metropolis_step(&potential, DW4, 0.4, &mut x, &mut energy, &mut random, &mut [0.0; 8]);
            if step <= 1001 {
                continue;
            }
            accepted += moved;
            if (step - 1001) % 3 == 0 {
                let mut centred = x;
                remove_com(DW4, &mut centred, &mut [0.0; 3]);
                let n = chain * 4 + (step - 1001) / 3 - 1;
                assert_eq!(run.samples[n * 8..][..8], centred);
                assert_eq!(run.energies[n], energy);
            }
        }
    }
    assert_eq!(run.acceptance_rate, accepted / (6.0 * 3.0 * 4.0));
}

#[test]
fn samples_have_no_centre_of_mass_and_carry_their_energies() {
    let config =
        ChainConfig { chains: 7, burn_in: 100, thin: 50, samples_per_chain: 20, step_size: 0.5, seed: 8 };
    let far = |_: usize, x: &mut [f64]| {
        for (i, x) in x.iter_mut().enumerate() {
            *x = 100.0 + 3.0 * ((7 * i) % 5) as f64;
        }
    };
    let run = sample_chains(&DoubleWell::dw4(), DW4, &config, Initial::With(&far), &|_| ()).unwrap();
    for (x, &energy) in run.samples.chunks_exact(8).zip(&run.energies) {
        for k in 0..2 {
            assert!((0..4).map(|p| x[2 * p + k]).sum::<f64>().abs() < 1e-14);
        }
        let again: f64 = DoubleWell::dw4().energy(DW4, x, None);
        assert!((again - energy).abs() < 1e-11 * energy.abs().max(1.0));
    }
}

#[test]
fn progress_counts_every_step_once() {
    let config =
        ChainConfig { chains: 9, burn_in: 2500, thin: 10, samples_per_chain: 3, step_size: 0.5, seed: 9 };
    let reports = Mutex::new(Vec::new());
    let record = |progress: Progress| reports.lock().unwrap().push(progress);
    sample_chains::<f64>(&DoubleWell::dw4(), DW4, &config, Initial::Prior { scale: 1.0 }, &record).unwrap();
    let reports = reports.into_inner().unwrap();
    let total = 9 * (2500 + 30);
    assert!(reports.iter().all(|report| report.total == total && report.done <= total));
    assert_eq!(reports.iter().map(|report| report.done).max(), Some(total));
    // Three vectors of chains, each with three stretches of burn-in and three samples.
    assert_eq!(reports.len(), 3 * 6);
}

#[test]
fn tuning_maximises_acceptance_times_step_size() {
    // On the one-dimensional normal the acceptance rate is (2 / pi) atan(2 / s).
    let shape = Shape { particles: 2, dimension: 1 };
    let config =
        ChainConfig { chains: 400, burn_in: 50, thin: 10, samples_per_chain: 20, step_size: 1.0, seed: 10 };
    let grid = [0.5, 1.0, 2.0];
    let tune = || tune_step_size::<f64>(&Harmonic, shape, &config, Initial::Prior { scale: 1.0 }, &grid);
    let tuning = tune().unwrap();
    for (trial, step_size) in tuning.trials.iter().zip(grid) {
        assert_eq!(trial.step_size, step_size);
        // 80000 proposals, correlated over a few steps: the error is below 0.01.
        assert!((trial.acceptance_rate - 2.0 / PI * (2.0 / step_size).atan()).abs() < 0.02);
    }
    assert_eq!(tuning.best, tuning.trials[2]);
    assert_eq!(tuning, tune().unwrap());
    // Six dimensions with a curvature of one: large steps are refused, so the best lies inside the grid.
    let tuning =
        tune_step_size::<f64>(&Harmonic, DW4, &config, Initial::Prior { scale: 1.0 }, &[0.05, 1.0, 20.0]);
    assert_eq!(tuning.unwrap().best.step_size, 1.0);
}

#[test]
fn bad_chains_are_named() {
    let good = ChainConfig { chains: 2, burn_in: 0, thin: 1, samples_per_chain: 1, step_size: 0.1, seed: 0 };
    let refuse = |shape, config: &ChainConfig, initial| {
        sample_chains::<f64>(&DoubleWell::dw4(), shape, config, initial, &|_| ()).unwrap_err().to_string()
    };
    let prior = Initial::Prior { scale: 1.0 };
    assert_eq!(refuse(DW4, &ChainConfig { chains: 0, ..good }, prior), "config.chains is 0, not at least 1");
    assert_eq!(refuse(DW4, &ChainConfig { thin: 0, ..good }, prior), "config.thin is 0, not at least 1");
    let none = ChainConfig { samples_per_chain: 0, ..good };
    assert_eq!(refuse(DW4, &none, prior), "config.samples_per_chain is 0, not at least 1");
    for step_size in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let message = refuse(DW4, &ChainConfig { step_size, ..good }, prior);
        assert_eq!(message, format!("config.step_size is {step_size}, not finite and above 0"));
    }
    let shape = Shape { particles: 2, dimension: 4 };
    assert_eq!(refuse(shape, &good, prior), "shape.dimension is 4, not at most 3");
    assert!(refuse(DW4, &ChainConfig { thin: usize::MAX, burn_in: 1, ..good }, prior).contains("countable"));
    let broken = |chain: usize, x: &mut [f64]| x[0] = if chain == 1 { f64::NAN } else { 1.0 };
    let message = refuse(DW4, &good, Initial::With(&broken));
    assert_eq!(message, "start of chain[1] is NaN, not finite");
    let far = |_: usize, x: &mut [f64]| x[0] = 1e200;
    assert_eq!(refuse(DW4, &good, Initial::With(&far)), "energy of chain[0] is inf, not finite");
    let empty = tune_step_size::<f64>(&DoubleWell::dw4(), DW4, &good, prior, &[]);
    assert!(matches!(empty, Err(Error::Length { name: "grid", .. })));
}

/// Thinning by the autocorrelation time: what is left is nearly independent, and the time itself scales.
#[test]
fn thinning_by_the_autocorrelation_time_leaves_little_correlation() {
    let config =
        ChainConfig { chains: 64, burn_in: 2000, thin: 5, samples_per_chain: 2000, step_size: 0.5, seed: 11 };
    let dense = run::<f64>(DW4, &config);
    let tau = autocorrelation_time(&dense.energies, 64).unwrap();
    let thin = (2.0 * tau.value).ceil() as usize;
    let thinned: Vec<f64> =
        dense.energies.chunks_exact(2000).flat_map(|chain| chain.iter().step_by(thin).copied()).collect();
    let rest = autocorrelation_time(&thinned, 64).unwrap();
    assert!(rest.value < 1.6, "tau {tau}, thinned by {thin}: {rest}");
}

/// Normal proposal of unit variance, target exp(-x^2 / (2 s^2)) in d independent dimensions:
/// Z = (s sqrt(2 pi))^d, effective fraction (s sqrt(2 - s^2))^d, <x^2> = s^2 in each.
struct Gaussians {
    width: f64,
    dimensions: usize,
}

impl Gaussians {
    /// Log-weights of `n` samples, and |x|^2 of each.
    fn draw(&self, seed: u64, n: usize) -> (Vec<f64>, Vec<f64>) {
        let mut normals = Normals::new(Stream::new(seed, Purpose::Prior, 0));
        let square = || (0..self.dimensions).map(|_| normals.next_normal().powi(2)).sum();
        let squares: Vec<f64> = std::iter::repeat_with(square).take(n).collect();
        let norm = 0.5 * TAU.ln() * self.dimensions as f64;
        let log_weight = |r2: &f64| -0.5 * r2 / (self.width * self.width) + 0.5 * r2 + norm;
        (squares.iter().map(log_weight).collect(), squares)
    }

    fn log_z(&self) -> f64 {
        self.dimensions as f64 * (self.width * TAU.sqrt()).ln()
    }

    fn effective_fraction(&self) -> f64 {
        (self.width * (2.0 - self.width * self.width).sqrt()).powi(self.dimensions as i32)
    }

    fn mean_square(&self) -> f64 {
        self.dimensions as f64 * self.width * self.width
    }
}

#[test]
fn reweighted_gaussians_agree_with_the_analytic_answers() {
    for (width, dimensions, seed) in [(0.8, 1, 1), (0.8, 6, 2), (1.15, 3, 3)] {
        let problem = Gaussians { width, dimensions };
        let (log_weights, squares) = problem.draw(seed, 20_000);
        let weights = ImportanceWeights::new(&log_weights).unwrap();
        let bootstrap = weights.bootstrap(200, seed).unwrap();
        assert_agrees("log Z", bootstrap.log_z(), problem.log_z());
        assert_agrees("ESS", bootstrap.effective_fraction(), problem.effective_fraction());
        assert_agrees("<x^2>", bootstrap.expectation(&squares).unwrap(), problem.mean_square());
        let (delta, resampled) = (weights.log_z_by_delta(), bootstrap.log_z());
        assert_eq!(delta.value, resampled.value);
        // The standard deviation of 200 normal replicates is good to 1 / sqrt(400) = 5 %.
        assert!((delta.standard_error / resampled.standard_error - 1.0).abs() < 0.2);
    }
}

#[test]
fn bootstrap_errors_cover_the_truth_as_often_as_they_should() {
    let problem = Gaussians { width: 0.8, dimensions: 2 };
    let repetitions = 300;
    let mut covered = [0; 2];
    for seed in 0..repetitions {
        let (log_weights, squares) = problem.draw(1000 + seed, 400);
        let weights = ImportanceWeights::new(&log_weights).unwrap();
        let bootstrap = weights.bootstrap(100, seed).unwrap();
        let estimates = [
            (bootstrap.log_z(), problem.log_z()),
            (bootstrap.expectation(&squares).unwrap(), problem.mean_square()),
        ];
        for (covered, (estimate, exact)) in covered.iter_mut().zip(estimates) {
            *covered += i32::from((estimate.value - exact).abs() < estimate.standard_error);
        }
    }
    for covered in covered {
        // 68.3 % of 300 is 205; the binomial standard deviation is 8.1.
        assert!((f64::from(covered) - 204.8).abs() < 3.0 * 8.1, "covered {covered} of {repetitions}");
    }
}

#[test]
fn the_bootstrap_depends_on_its_seed_alone() {
    let (log_weights, _) = Gaussians { width: 0.8, dimensions: 2 }.draw(5, 100);
    let weights = ImportanceWeights::new(&log_weights).unwrap();
    let error = |seed| weights.bootstrap(20, seed).unwrap().log_z().standard_error;
    assert_eq!(error(1), error(1));
    assert_ne!(error(1), error(2));
}
