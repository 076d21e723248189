//! Steps of many chains in the caller's memory, against exact values: quadrature over the double wells, and Gaussians.
#![cfg(feature = "std")]

mod common;

use common::models::Parameters;
use eqflow::error::{Argument, Error, Status};
use eqflow::field::{Shape, distances};
use eqflow::flow::{Block, Config, LogDet, Model, Plan, Precision, Reals};
use eqflow::lanes::Real;
use eqflow::mcmc::{Chains, Draws, independence, independence_extent, metropolis, metropolis_extent};
use eqflow::particles::mean;
use eqflow::potential::{DoubleWell, Potential};
use eqflow::radial::Basis;
use eqflow::random::{Normals, Purpose, Stream, prior_sample};
use eqflow::sampling::{Estimate, chain_mean};

const DW2: Shape = Shape { particles: 2, dimension: 2 };
const DW4: Shape = Shape { particles: 4, dimension: 2 };

/// Exact averages by quadrature over the subspace.
const DW2_ENERGY: f64 = -3.870727130806058;
const DW2_DISTANCE: f64 = 4.515090891350757;
const DW2_INSIDE: f64 = 0.324612062;
const DW4_ENERGY: f64 = -22.541509603480378;
const DW4_ENERGY_VARIANCE: f64 = 3.629301614990254;
const DW4_DISTANCE: f64 = 4.044986844410344;

/// Chains with memory of their own.
#[derive(Clone, Debug, PartialEq)]
struct Walkers<R> {
    shape: Shape,
    x: Vec<R>,
    u: Vec<R>,
    log_prob: Vec<R>,
    accepted: Vec<u64>,
}

fn double_well<R: Real>(shape: Shape) -> impl Fn(&[R], &mut [R]) -> Result<(), Error> {
    move |x, u| {
        for (u, x) in u.iter_mut().zip(x.chunks_exact(shape.coordinates())) {
            *u = DoubleWell::dw4().energy(shape, x, None);
        }
        Ok(())
    }
}

impl<R: Precision> Walkers<R> {
    fn at(shape: Shape, x: Vec<R>, log_prob: Vec<R>) -> Self {
        let n = x.len() / shape.coordinates();
        let mut u = vec![R::default(); n];
        double_well(shape)(&x, &mut u).unwrap();
        Walkers { shape, x, u, log_prob, accepted: vec![0; n] }
    }

    /// At draws of the prior.
    fn at_prior(shape: Shape, n: usize, seed: u64) -> Self {
        let mut x = vec![R::default(); n * shape.coordinates()];
        for (i, x) in x.chunks_exact_mut(shape.coordinates()).enumerate() {
            prior_sample(shape, &mut Normals::new(Stream::new(seed, Purpose::Prior, i as u64)), x);
        }
        Walkers::at(shape, x, vec![R::default(); n])
    }

    /// At draws of the flow.
    fn at_flow(plan: &Plan<R, Vec<Block>>, n: usize, seed: u64) -> Self {
        let mut x = vec![R::default(); n * plan.shape().coordinates()];
        let mut log_prob = vec![R::default(); n];
        let mut work = plan.allocate_workspace(n).unwrap();
        plan.sample(seed, 0, &mut x, Some(&mut log_prob), &mut work).unwrap();
        Walkers::at(plan.shape(), x, log_prob)
    }

    fn chains(&mut self) -> (Chains<'_, R>, &mut [R]) {
        let Walkers { x, u, accepted, log_prob, .. } = self;
        (Chains { x, u, accepted: Some(accepted) }, log_prob)
    }

    fn metropolis(&mut self, step_size: f64, draws: Draws) -> Result<(), Error> {
        let shape = self.shape;
        let mut work = vec![Block::default(); metropolis_extent::<R>(shape, self.u.len()).unwrap()];
        let (chains, _) = self.chains();
        metropolis(shape, R::from_f64(step_size), draws, chains, double_well(shape), &mut work)
    }

    fn independence(&mut self, plan: &Plan<R, Vec<Block>>, draws: Draws) -> Result<(), Error> {
        let shape = self.shape;
        let mut work = vec![Block::default(); independence_extent(plan, self.u.len()).unwrap()];
        let (chains, log_prob) = self.chains();
        independence(plan, draws, chains, log_prob, double_well(shape), &mut work)
    }

    /// Pair distances, `[n][pairs]`.
    fn distances(&self) -> Vec<f64> {
        let mut all = Vec::new();
        for x in self.x.chunks_exact(self.shape.coordinates()) {
            let mut d = vec![R::default(); self.shape.pairs()];
            distances(self.shape, x, &mut d);
            all.extend(d.iter().map(|d| d.to_f64()));
        }
        all
    }

    /// The same of some of the chains.
    fn part(&self, chains: core::ops::Range<usize>) -> Self {
        let c = self.shape.coordinates();
        Walkers {
            shape: self.shape,
            x: self.x[chains.start * c..chains.end * c].to_vec(),
            u: self.u[chains.clone()].to_vec(),
            log_prob: self.log_prob[chains.clone()].to_vec(),
            accepted: self.accepted[chains].to_vec(),
        }
    }
}

/// What chains record, one list a chain.
#[derive(Default)]
struct Record {
    u: Vec<Vec<f64>>,
    d: Vec<Vec<f64>>,
}

impl Record {
    fn add<R: Precision>(&mut self, walkers: &Walkers<R>) {
        let (n, pairs) = (walkers.u.len(), walkers.shape.pairs());
        self.u.resize(n, Vec::new());
        self.d.resize(n, Vec::new());
        let d = walkers.distances();
        for i in 0..n {
            self.u[i].push(walkers.u[i].to_f64());
            self.d[i].extend(&d[i * pairs..(i + 1) * pairs]);
        }
    }

    fn mean(lists: &[Vec<f64>], of: impl Fn(f64) -> f64) -> Estimate {
        let values: Vec<f64> = lists.concat().into_iter().map(of).collect();
        chain_mean(&values, lists.len()).unwrap()
    }
}

#[track_caller]
fn assert_agrees(what: &str, estimate: Estimate, exact: f64) {
    let deviation = (estimate.value - exact).abs();
    println!("{what}: {estimate}, exact {exact}");
    assert!(deviation < 3.0 * estimate.standard_error, "{what}: {estimate} against {exact}");
}

fn assert_dw2(record: &Record) {
    assert_agrees("energy", Record::mean(&record.u, |u| u), DW2_ENERGY);
    assert_agrees("distance", Record::mean(&record.d, |d| d), DW2_DISTANCE);
    assert_agrees("p(d < 4)", Record::mean(&record.d, |d| f64::from(u8::from(d < 4.0))), DW2_INSIDE);
}

/// Seed 1, 256 chains; the slowest averages forget within some hundred steps.
#[test]
fn metropolis_chains_reach_the_exact_averages_of_dw2() {
    fn check<R: Precision>() {
        let mut walkers = Walkers::<R>::at_prior(DW2, 256, 1);
        let mut record = Record::default();
        for step in 0..6000 {
            walkers.metropolis(1.0, Draws { seed: 1, first: 0, step }).unwrap();
            if step >= 2000 && step % 20 == 0 {
                record.add(&walkers);
            }
        }
        assert_dw2(&record);
    }
    check::<f64>();
    check::<f32>();
}

/// A model whose flow is x = 2 z in the given shape: phi is a constant b, so v = N b x and x(1) = exp(N b) z.
fn stretching<R: Precision>(shape: Shape, config: &Config) -> Plan<R, Vec<Block>> {
    let values = [[0.0], [1.0], [1e9], [2.0_f64.ln() / shape.particles as f64]];
    let [zero, one, wide, bias] = [0, 1, 2, 3].map(|i: usize| Reals::Native(&values[i]));
    let model = Model {
        basis: Basis::Gaussian,
        shape,
        weights: zero,
        bias: Some(bias),
        importance: None,
        mu: one,
        gamma: one,
        mu_time: zero,
        gamma_time: wide,
        eps: 0.0,
    };
    Plan::allocate(&model, config).unwrap()
}

/// Seed 2, 256 chains, proposals from a normal of standard deviation 2.
#[test]
fn independence_chains_reach_the_exact_averages_of_dw2() {
    fn check<R: Precision>() {
        let plan = stretching::<R>(DW2, &Config::rk4(20));
        let mut walkers = Walkers::at_flow(&plan, 256, 2);
        let mut record = Record::default();
        for step in 0..700 {
            walkers.independence(&plan, Draws { seed: 2, first: 0, step }).unwrap();
            if step >= 200 {
                record.add(&walkers);
            }
        }
        assert_dw2(&record);
    }
    check::<f64>();
    check::<f32>();
}

/// Seed 3, 128 chains, proposals from a trained model with the exact log-determinant of the discrete map.
#[test]
fn independence_chains_reach_the_exact_averages_of_dw4() {
    let trained = Parameters::trained();
    let config = Config::rk4(20).with_log_det(LogDet::Jacobian);
    let plan = Plan::<f64, _>::allocate(&trained.model(), &config).unwrap();
    let mut walkers = Walkers::at_flow(&plan, 128, 3);
    let mut record = Record::default();
    for step in 0..400 {
        walkers.independence(&plan, Draws { seed: 3, first: 0, step }).unwrap();
        if step >= 200 {
            record.add(&walkers);
        }
    }
    assert_agrees("energy", Record::mean(&record.u, |u| u), DW4_ENERGY);
    let square = |u: f64| (u - DW4_ENERGY).powi(2);
    assert_agrees("energy variance", Record::mean(&record.u, square), DW4_ENERGY_VARIANCE);
    assert_agrees("pair distance", Record::mean(&record.d, |d| d), DW4_DISTANCE);
}

/// From exact equilibrium in one dimension (N = 2, D = 1): a normal target and normal proposals of standard deviation s,
/// of which the fraction (2 / pi) atan(2 / s) is accepted.
#[test]
fn the_counters_count_what_is_accepted() {
    let (pair, n) = (Shape { particles: 2, dimension: 1 }, 200_000);
    let harmonic = |x: &[f64], u: &mut [f64]| {
        for (u, x) in u.iter_mut().zip(x.chunks_exact(2)) {
            *u = 0.5 * (x[0] * x[0] + x[1] * x[1]);
        }
        Ok(())
    };
    for (seed, step_size) in [(4, 0.5), (5, 3.0)] {
        let mut walkers = Walkers::<f64>::at_prior(pair, n, seed);
        harmonic(&walkers.x, &mut walkers.u).unwrap();
        walkers.accepted.fill(7);
        let before = walkers.clone();
        let mut work = vec![Block::default(); metropolis_extent::<f64>(pair, n).unwrap()];
        let draws = Draws { seed, first: 0, step: 0 };
        metropolis(pair, step_size, draws, walkers.chains().0, harmonic, &mut work).unwrap();
        let moved = |i: usize| walkers.x[2 * i..2 * i + 2] != before.x[2 * i..2 * i + 2];
        assert!((0..n).all(|i| walkers.accepted[i] == 7 + u64::from(moved(i))));
        let fraction = walkers.accepted.iter().map(|a| a - 7).sum::<u64>() as f64 / n as f64;
        let exact = 2.0 / std::f64::consts::PI * (2.0 / step_size).atan();
        let error = (exact * (1.0 - exact) / n as f64).sqrt();
        assert!((fraction - exact).abs() < 3.0 * error, "{fraction} against {exact} +- {error}");
    }
}

/// A step of all chains at once, and of its parts one after the other.
fn split<R: Precision>(walkers: &Walkers<R>, step: impl Fn(&mut Walkers<R>, u64)) {
    let first = u64::MAX - 4; // the number of the chain wraps around
    let mut whole = walkers.clone();
    step(&mut whole, first);
    assert_ne!(&whole, walkers);
    for chains in [0..1, 1..9, 9..walkers.u.len()] {
        let mut part = walkers.part(chains.clone());
        step(&mut part, first.wrapping_add(chains.start as u64));
        assert_eq!(part, whole.part(chains));
    }
}

#[test]
fn a_chain_does_not_depend_on_the_others_of_its_call() {
    fn check<R: Precision>() {
        let plan = stretching::<R>(DW4, &Config::rk4(3));
        let walkers = Walkers::at_flow(&plan, 21, 6);
        split(&walkers, |walkers, first| {
            walkers.metropolis(0.3, Draws { seed: 6, first, step: 9 }).unwrap();
        });
        split(&walkers, |walkers, first| {
            walkers.independence(&plan, Draws { seed: 6, first, step: 9 }).unwrap();
        });
        let (mut once, mut twice) = (walkers.clone(), walkers.clone());
        once.metropolis(0.3, Draws { seed: 6, first: 0, step: 1 }).unwrap();
        twice.metropolis(0.3, Draws { seed: 6, first: 0, step: 2 }).unwrap();
        assert_ne!(once, twice, "steps draw different numbers");
    }
    check::<f64>();
    check::<f32>();
}

#[test]
fn the_centre_of_mass_stays_and_energies_are_those_of_the_chains() {
    let mut walkers = Walkers::<f32>::at_prior(DW4, 16, 7);
    for step in 0..2000 {
        walkers.metropolis(0.5, Draws { seed: 7, first: 0, step }).unwrap();
    }
    for x in walkers.x.chunks_exact(8) {
        for k in 0..2 {
            assert!(mean(DW4, x, k).abs() < 4.0 * f32::EPSILON, "{x:?}");
        }
    }
    assert_eq!(Walkers::at(DW4, walkers.x.clone(), walkers.log_prob.clone()).u, walkers.u);
}

/// Energies that no chain may accept, and a function that fails.
#[test]
fn chains_stay_where_energies_are_not_finite_or_missing_or_the_potential_fails() {
    let plan = stretching::<f64>(DW4, &Config::rk4(3));
    let start = Walkers::at_flow(&plan, 5, 8);
    let draws = Draws { seed: 8, first: 0, step: 0 };
    let mut work = vec![Block::default(); independence_extent(&plan, 5).unwrap()];
    let failure = Error::new(Status::Callback, Argument::Potential, 3.0);
    type Energies<'a> = &'a dyn Fn(&[f64], &mut [f64]) -> Result<(), Error>;
    let fills = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY].map(|value| {
        move |_: &[f64], u: &mut [f64]| {
            u.fill(value);
            Ok(())
        }
    });
    let fails = |_: &[f64], u: &mut [f64]| {
        u.fill(-1e9);
        Err(failure)
    };
    let idle = |_: &[f64], _: &mut [f64]| Ok(());
    let cases: [(Energies<'_>, Result<(), Error>); 5] = [
        (&fills[0], Ok(())),
        (&fills[1], Ok(())),
        (&fills[2], Ok(())),
        (&idle, Ok(())),
        (&fails, Err(failure)),
    ];
    for (energies, want) in cases {
        // What an earlier call left in the workspace is no energy.
        Block::reals_mut::<f64>(&mut work).fill(-1e9);
        let mut walkers = start.clone();
        assert_eq!(metropolis(DW4, 0.3, draws, walkers.chains().0, energies, &mut work), want);
        let (chains, log_prob) = walkers.chains();
        assert_eq!(independence(&plan, draws, chains, log_prob, energies, &mut work), want);
        assert_eq!(walkers, start);
    }
}

#[test]
fn bad_arguments_are_named_and_nothing_moves() {
    let plan = stretching::<f64>(DW4, &Config::rk4(3));
    let start = Walkers::at_flow(&plan, 5, 9);
    #[track_caller]
    fn expect(got: Result<(), Error>, status: Status, argument: Argument) {
        let error = got.unwrap_err();
        assert_eq!((error.status, error.argument), (status, argument));
    }
    let draws = Draws { seed: 9, first: 0, step: 0 };
    for (step_size, status) in
        [(0.0, Status::Argument), (-1.0, Status::Argument), (f64::NAN, Status::NonFinite)]
    {
        let mut walkers = start.clone();
        expect(walkers.metropolis(step_size, draws), status, Argument::StepSize);
        assert_eq!(walkers, start);
    }
    type Break = fn(&mut Walkers<f64>);
    let breaks: [(Break, Status, Argument); 5] = [
        (|w| w.x[3] = f64::NAN, Status::NonFinite, Argument::X),
        (|w| w.u[2] = f64::INFINITY, Status::NonFinite, Argument::Energy),
        (|w| w.x.truncate(39), Status::Shape, Argument::X),
        (|w| w.accepted.truncate(4), Status::Shape, Argument::Accepted),
        (|w| w.shape.dimension = 4, Status::Shape, Argument::Dimension),
    ];
    for (change, status, argument) in breaks {
        let mut walkers = start.clone();
        change(&mut walkers);
        expect(walkers.metropolis(0.3, draws), status, argument);
        if argument != Argument::Dimension {
            expect(walkers.independence(&plan, draws), status, argument);
        }
    }
    let mut walkers = start.clone();
    walkers.log_prob[1] = f64::NAN;
    expect(walkers.independence(&plan, draws), Status::NonFinite, Argument::LogProb);
    let mut short = vec![Block::default(); independence_extent(&plan, 5).unwrap() - 1];
    let mut walkers = start.clone();
    let (chains, log_prob) = walkers.chains();
    let got = independence(&plan, draws, chains, log_prob, double_well(DW4), &mut short);
    expect(got, Status::Workspace, Argument::Work);
    let got = metropolis(DW4, 0.3, draws, walkers.chains().0, double_well(DW4), &mut short[..1]);
    expect(got, Status::Workspace, Argument::Work);
    assert_eq!(walkers, start);
}
