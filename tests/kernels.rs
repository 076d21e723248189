//! Single-particle, Langevin, Hamiltonian and latent steps, and exchanges, in the caller's memory.
#![cfg(feature = "std")]

mod common;

use common::cases::{Rng, distance, largest_com, latent};
use common::models::Parameters;
use eqflow::error::{Argument, Error, Status};
use eqflow::field::Shape;
use eqflow::flow::{Block, Config, LogDet, Model, Plan, Precision, Reals};
use eqflow::lanes::{Lanes, Real};
use eqflow::mcmc::{
    Chains, Draws, LatentChains, Leapfrog, exchange, hmc, hmc_extent, latent_hmc, latent_hmc_extent,
    latent_metropolis, latent_metropolis_extent, latent_start, mala, metropolis_cube_step, metropolis_extent,
    metropolis_particle,
};
use eqflow::potential::{DoubleWell, Potential};
use eqflow::radial::Basis;
use eqflow::random::{Normals, Purpose, Stream, prior_sample};
use eqflow::sampling::independent_mean;

const DW4: Shape = Shape { particles: 4, dimension: 2 };

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Particle,
    Mala,
    Hmc,
    LatentMetropolis,
    LatentHmc,
}

const KINDS: [Kind; 5] = [Kind::Particle, Kind::Mala, Kind::Hmc, Kind::LatentMetropolis, Kind::LatentHmc];

impl Kind {
    fn is_latent(self) -> bool {
        matches!(self, Kind::LatentMetropolis | Kind::LatentHmc)
    }

    fn has_gradient(self) -> bool {
        matches!(self, Kind::Mala | Kind::Hmc | Kind::LatentHmc)
    }
}

type Gradients<'a, R> = &'a mut dyn FnMut(&[R], &mut [R], &mut [R]) -> Result<(), Error>;
type FlowPlan<R> = Plan<R, Vec<Block>>;

/// Chains of one kind with all that they keep.
#[derive(Clone, Debug, PartialEq)]
struct Walkers<R> {
    kind: Kind,
    shape: Shape,
    x: Vec<R>,
    u: Vec<R>,
    grad: Vec<R>,
    z: Vec<R>,
    log_det: Vec<R>,
    accepted: Vec<u64>,
}

fn double_well<R: Real>(x: &[R], u: &mut [R], grad: &mut [R]) -> Result<(), Error> {
    for ((x, u), grad) in x.chunks_exact(8).zip(u.iter_mut()).zip(grad.chunks_exact_mut(8)) {
        *u = DoubleWell::dw4().energy(DW4, x, Some(grad));
    }
    Ok(())
}

impl<R: Precision> Walkers<R> {
    /// From `z`, which is x where the kind is not latent.
    fn start(kind: Kind, plan: &FlowPlan<R>, z: Vec<R>, gradients: Gradients<'_, R>) -> Self {
        let shape = plan.shape();
        let n = z.len() / shape.coordinates();
        let (mut x, mut u, mut log_det) = (z.clone(), vec![R::default(); n], vec![R::default(); n]);
        let mut grad = vec![R::default(); z.len()];
        if kind.is_latent() {
            let mut work = vec![Block::default(); latent_hmc_extent(plan, n).unwrap()];
            let mut z = z.clone();
            let chains =
                LatentChains { z: &mut z, x: &mut x, u: &mut u, log_det: &mut log_det, accepted: None };
            latent_start(plan, chains, Some(&mut grad), gradients, &mut work).unwrap();
        } else {
            gradients(&x, &mut u, &mut grad).unwrap();
        }
        Walkers { kind, shape, x, u, grad, z, log_det, accepted: vec![0; n] }
    }

    fn work(&self, plan: &FlowPlan<R>) -> Vec<Block> {
        let (n, shape) = (self.u.len(), plan.shape());
        let blocks = match self.kind {
            Kind::Particle => metropolis_extent::<R>(shape, n),
            Kind::Mala | Kind::Hmc => hmc_extent::<R>(shape, n),
            Kind::LatentMetropolis => latent_metropolis_extent(plan, n),
            Kind::LatentHmc => latent_hmc_extent(plan, n),
        };
        vec![Block::default(); blocks.unwrap()]
    }

    fn step(
        &mut self,
        plan: &FlowPlan<R>,
        step_size: f64,
        draws: Draws,
        gradients: Gradients<'_, R>,
        work: &mut [Block],
    ) -> Result<(), Error> {
        let (shape, step_size) = (self.shape, R::from_f64(step_size));
        let Walkers { x, u, grad, z, log_det, accepted, .. } = self;
        let accepted = Some(&mut accepted[..]);
        let mut unused = vec![R::default(); x.len()];
        let leapfrog = Leapfrog { step_size, steps: 5 };
        if self.kind.is_latent() {
            let chains = LatentChains { z, x, u, log_det, accepted };
            return match self.kind {
                Kind::LatentHmc => latent_hmc(plan, leapfrog, draws, chains, grad, gradients, work),
                _ => {
                    let energies = |x: &[R], u: &mut [R]| gradients(x, u, &mut unused);
                    latent_metropolis(plan, step_size, draws, chains, energies, work)
                }
            };
        }
        let chains = Chains { x, u, accepted };
        match self.kind {
            Kind::Mala => mala(shape, step_size, draws, chains, grad, gradients, work),
            Kind::Hmc => hmc(shape, leapfrog, draws, chains, grad, gradients, work),
            _ => {
                let energies = |x: &[R], u: &mut [R]| gradients(x, u, &mut unused);
                metropolis_particle(shape, step_size, draws, chains, energies, work)
            }
        }
    }

    /// The same of some of the chains.
    fn part(&self, chains: core::ops::Range<usize>) -> Self {
        let c = self.shape.coordinates();
        let rows = |all: &[R]| all[chains.start * c..chains.end * c].to_vec();
        let values = |all: &[R]| all[chains.clone()].to_vec();
        Walkers {
            kind: self.kind,
            shape: self.shape,
            x: rows(&self.x),
            u: values(&self.u),
            grad: rows(&self.grad),
            z: rows(&self.z),
            log_det: values(&self.log_det),
            accepted: self.accepted[chains.clone()].to_vec(),
        }
    }
}

/// A trained flow of four particles on a short grid, without its narrow Gaussians: gradients say where it goes.
fn trained<R: Precision>(config: Config) -> FlowPlan<R> {
    let smooth = Parameters::trained().with("smooth", |p| p.gamma.iter_mut().for_each(|g| *g = g.max(0.4)));
    Plan::allocate(&smooth.model(), &config).unwrap()
}

/// Prior draws, as configurations spread out a little.
fn starts<R: Precision>(shape: Shape, n: usize, seed: u64, scale: f64) -> Vec<R> {
    let mut z = vec![R::default(); n * shape.coordinates()];
    for (i, z) in z.chunks_exact_mut(shape.coordinates()).enumerate() {
        prior_sample(shape, &mut Normals::new(Stream::new(seed, Purpose::Prior, i as u64)), z);
        z.iter_mut().for_each(|z| *z = R::from_f64(scale) * *z);
    }
    z
}

fn dw4_walkers<R: Precision>(kind: Kind, plan: &FlowPlan<R>, n: usize, seed: u64) -> Walkers<R> {
    let scale = if kind.is_latent() { 1.0 } else { 2.0 };
    Walkers::start(kind, plan, starts(DW4, n, seed, scale), &mut double_well)
}

/// A step that moves most chains of four particles.
fn usual(kind: Kind) -> f64 {
    if kind.is_latent() { 0.1 } else { 0.05 }
}

/// A model whose flow is x = 2 z: phi is a constant b, so v = N b x and x(1) = exp(N b) z.
fn stretching<R: Precision>(shape: Shape) -> FlowPlan<R> {
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
    Plan::allocate(&model, &Config::rk4(4)).unwrap()
}

/// From exact equilibrium of a Gaussian in four dimensions, with crude steps: |x|^2 keeps mean 4, |x|^4 mean 24, and
/// (a . x)^4, for a unit vector a in the subspace, mean 3. Seed 21 and 100000 chains; the flow is x = 2 z to 1e-5.
#[test]
fn one_step_of_each_kernel_keeps_a_gaussian() {
    let shape = Shape { particles: 3, dimension: 2 };
    let plan = stretching::<f64>(shape);
    let n = 100_000;
    let mut harmonic = |x: &[f64], u: &mut [f64], grad: &mut [f64]| {
        grad.copy_from_slice(x);
        for (u, x) in u.iter_mut().zip(x.chunks_exact(6)) {
            *u = 0.5 * x.iter().map(|x| x * x).sum::<f64>();
        }
        Ok(())
    };
    for (kind, step_size) in KINDS.into_iter().zip([2.0, 1.3, 1.4, 0.5, 0.7]) {
        let scale = if kind.is_latent() { 0.5 } else { 1.0 };
        let mut walkers = Walkers::start(kind, &plan, starts(shape, n, 21, scale), &mut harmonic);
        let mut work = walkers.work(&plan);
        let draws = Draws { seed: 21, first: 0, step: 0 };
        walkers.step(&plan, step_size, draws, &mut harmonic, &mut work).unwrap();
        let rate = walkers.accepted.iter().sum::<u64>() as f64 / n as f64;
        assert!(rate > 0.3 && rate < 0.97, "{kind:?}: acceptance {rate}");
        let mean = |of: &dyn Fn(&[f64]) -> f64| {
            independent_mean(&walkers.x.chunks_exact(6).map(of).collect::<Vec<_>>()).unwrap()
        };
        let square = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>();
        let along = |x: &[f64]| (x[0] - x[2]) / 2.0_f64.sqrt();
        let estimates =
            [(mean(&square), 4.0), (mean(&|x| square(x).powi(2)), 24.0), (mean(&|x| along(x).powi(4)), 3.0)];
        for (estimate, exact) in estimates {
            let deviation = (estimate.value - exact).abs();
            assert!(deviation < 3.0 * estimate.standard_error, "{kind:?}: {estimate} against {exact}");
        }
    }
}

#[test]
fn a_chain_does_not_depend_on_the_others_of_its_call() {
    fn check<R: Precision>() {
        let plan = trained::<R>(Config::rk4(4));
        for kind in KINDS {
            let walkers = dw4_walkers(kind, &plan, 21, 22);
            let first = u64::MAX - 4; // the number of the chain wraps around
            let step = |walkers: &mut Walkers<R>, first: u64| {
                let mut work = walkers.work(&plan);
                for step in 0..3 {
                    let draws = Draws { seed: 22, first, step };
                    walkers.step(&plan, usual(kind), draws, &mut double_well, &mut work).unwrap();
                }
            };
            let mut whole = walkers.clone();
            step(&mut whole, first);
            assert!(whole.accepted.iter().sum::<u64>() > 10, "{kind:?}");
            for chains in [0..1, 1..9, 9..21] {
                let mut part = walkers.part(chains.clone());
                step(&mut part, first.wrapping_add(chains.start as u64));
                assert_eq!(part, whole.part(chains), "{kind:?}");
            }
        }
    }
    check::<f64>();
    check::<f32>();
}

#[test]
fn what_belongs_to_a_chain_moves_with_it_and_the_centre_of_mass_stays() {
    for plan in [trained::<f64>(Config::rk4(4)), trained(Config::rk4(4).with_log_det(LogDet::Jacobian))] {
        for kind in KINDS {
            let mut walkers = dw4_walkers(kind, &plan, 9, 23);
            let mut work = walkers.work(&plan);
            for step in 0..50 {
                let draws = Draws { seed: 23, first: 0, step };
                walkers.step(&plan, usual(kind), draws, &mut double_well, &mut work).unwrap();
            }
            assert!(walkers.accepted.iter().sum::<u64>() > 100, "{kind:?} {:?}", walkers.accepted);
            let positions = if kind.is_latent() { &walkers.z } else { &walkers.x };
            assert!(largest_com(DW4, positions) < 1e-15, "{kind:?}");
            let again = Walkers::start(kind, &plan, positions.clone(), &mut double_well);
            assert_eq!(walkers.x, again.x, "{kind:?}");
            assert_eq!(walkers.u, again.u, "{kind:?}");
            assert_eq!(walkers.log_det, again.log_det, "{kind:?}");
            if kind.has_gradient() {
                // But for the centre of mass that rounding leaves in it.
                let largest = again.grad.iter().fold(0.0, |a: f64, g| a.max(g.abs()));
                assert!(distance(&walkers.grad, &again.grad) < 1e-13 * largest, "{kind:?}");
            }
        }
    }
}

/// One chain of the batch meets something that is not a number, first or later on its way: it stays, the others go on.
#[test]
fn a_chain_that_gets_lost_stays_and_disturbs_no_other() {
    let plan = trained::<f64>(Config::rk4(4));
    for kind in KINDS {
        let start = dw4_walkers(kind, &plan, 7, 24);
        let draws = Draws { seed: 24, first: 0, step: 1 };
        let mut work = start.work(&plan);
        let mut whole = start.clone();
        whole.step(&plan, usual(kind), draws, &mut double_well, &mut work).unwrap();
        for (value, in_gradient) in [(f64::NAN, false), (f64::NEG_INFINITY, false), (f64::INFINITY, true)] {
            for bad_call in [0, 2] {
                if in_gradient && !kind.has_gradient()
                    || bad_call > 0 && !matches!(kind, Kind::Hmc | Kind::LatentHmc)
                {
                    continue;
                }
                let mut call = 0;
                let mut gradients = |x: &[f64], u: &mut [f64], grad: &mut [f64]| {
                    assert!(x.iter().all(|x| x.is_finite()), "{kind:?}");
                    double_well(x, u, grad)?;
                    if call == bad_call {
                        *(if in_gradient { &mut grad[3 * 8 + 1] } else { &mut u[3] }) = value;
                    }
                    call += 1;
                    Ok(())
                };
                let mut walkers = start.clone();
                walkers.step(&plan, usual(kind), draws, &mut gradients, &mut work).unwrap();
                assert_eq!(walkers.part(3..4), start.part(3..4), "{kind:?} {value} {in_gradient} {bad_call}");
                assert_eq!(walkers.part(0..3), whole.part(0..3), "{kind:?} {value} {in_gradient} {bad_call}");
                assert_eq!(walkers.part(4..7), whole.part(4..7), "{kind:?} {value} {in_gradient} {bad_call}");
            }
        }
    }
}

/// Steps so long that positions overflow on the way; the potential never sees what is not finite.
#[test]
fn trajectories_that_overflow_are_refused() {
    let plan = trained::<f32>(Config::rk4(4));
    for kind in [Kind::Mala, Kind::Hmc, Kind::LatentHmc, Kind::LatentMetropolis] {
        let start = dw4_walkers(kind, &plan, 5, 25);
        let mut walkers = start.clone();
        let mut work = start.work(&plan);
        let mut gradients = |x: &[f32], u: &mut [f32], grad: &mut [f32]| {
            assert!(x.iter().all(|x| x.is_finite()), "{kind:?}");
            double_well(x, u, grad)
        };
        for step_size in [1e3, 1e19, 1e38] {
            let draws = Draws { seed: 25, first: 0, step: 0 };
            walkers.step(&plan, step_size, draws, &mut gradients, &mut work).unwrap();
        }
        assert_eq!(walkers, start, "{kind:?}");
    }
}

#[test]
fn nothing_moves_where_nothing_is_written_or_the_potential_fails() {
    let plan = trained::<f64>(Config::rk4(4));
    let failure = Error::new(Status::Callback, Argument::Potential, 3.0);
    for kind in KINDS {
        let start = dw4_walkers(kind, &plan, 5, 26);
        let draws = Draws { seed: 26, first: 0, step: 0 };
        let mut work = start.work(&plan);
        for failing_call in [None, Some(0), Some(3)] {
            // What an earlier call left in the workspace is no energy.
            Block::reals_mut::<f64>(&mut work).fill(-1e9);
            let mut call = 0;
            let mut gradients = |x: &[f64], u: &mut [f64], grad: &mut [f64]| {
                if let Some(failing) = failing_call {
                    double_well(x, u, grad)?;
                    if call == failing {
                        return Err(failure);
                    }
                }
                call += 1;
                Ok(())
            };
            let mut walkers = start.clone();
            let got = walkers.step(&plan, usual(kind), draws, &mut gradients, &mut work);
            let calls = if matches!(kind, Kind::Hmc | Kind::LatentHmc) { 5 } else { 1 };
            match failing_call {
                Some(failing) if failing < calls => assert_eq!(got, Err(failure), "{kind:?}"),
                Some(_) => continue,
                None => assert_eq!(got, Ok(()), "{kind:?}"),
            }
            assert_eq!(walkers, start, "{kind:?}");
        }
    }
}

#[track_caller]
fn expect(got: Result<(), Error>, status: Status, argument: Argument) {
    let error = got.unwrap_err();
    assert_eq!((error.status, error.argument), (status, argument));
}

#[test]
fn bad_arguments_are_named_and_nothing_moves() {
    let plan = trained::<f64>(Config::rk4(3));
    let draws = Draws { seed: 27, first: 0, step: 0 };
    for kind in KINDS {
        let start = dw4_walkers(kind, &plan, 5, 27);
        let mut work = start.work(&plan);
        type Break = fn(&mut Walkers<f64>);
        let mut breaks: Vec<(Break, Status, Argument)> = vec![
            (|w| w.u[2] = f64::INFINITY, Status::NonFinite, Argument::Energy),
            (|w| w.x[3] = f64::NAN, Status::NonFinite, Argument::X),
            (|w| w.x.truncate(39), Status::Shape, Argument::X),
            (|w| w.accepted.truncate(4), Status::Shape, Argument::Accepted),
        ];
        if kind.is_latent() {
            breaks.push((|w| w.z[3] = f64::NAN, Status::NonFinite, Argument::Z));
            breaks.push((|w| w.z.truncate(39), Status::Shape, Argument::Z));
            breaks.push((|w| w.log_det[3] = f64::NAN, Status::NonFinite, Argument::LogDet));
            breaks.push((|w| w.log_det.truncate(4), Status::Shape, Argument::LogDet));
        } else {
            breaks.push((|w| w.shape.dimension = 4, Status::Shape, Argument::Dimension));
            breaks.push((|w| w.shape.particles = 0, Status::Shape, Argument::NParticles));
        }
        if kind.has_gradient() {
            breaks.push((|w| w.grad[3] = f64::NAN, Status::NonFinite, Argument::Gradient));
            breaks.push((|w| w.grad.truncate(39), Status::Shape, Argument::Gradient));
        }
        for (change, status, argument) in breaks {
            let mut walkers = start.clone();
            change(&mut walkers);
            let broken = format!("{walkers:?}");
            expect(walkers.step(&plan, 0.1, draws, &mut double_well, &mut work), status, argument);
            assert_eq!(format!("{walkers:?}"), broken);
        }
        for (step_size, status) in
            [(0.0, Status::Argument), (-1.0, Status::Argument), (f64::NAN, Status::NonFinite)]
        {
            let mut walkers = start.clone();
            let got = walkers.step(&plan, step_size, draws, &mut double_well, &mut work);
            expect(got, status, Argument::StepSize);
            assert_eq!(walkers, start);
        }
        let mut walkers = start.clone();
        let short = work.len() - 1;
        let got = walkers.step(&plan, 0.1, draws, &mut double_well, &mut work[..short]);
        let error = got.unwrap_err();
        let needed = work.len() as f64;
        assert_eq!((error.status, error.argument, error.value), (Status::Workspace, Argument::Work, needed));
        assert_eq!(walkers, start);
        let mut none = start.part(0..0);
        assert_eq!(none.step(&plan, 0.1, draws, &mut double_well, &mut []), Ok(()));
    }
    let mut walkers = dw4_walkers(Kind::Hmc, &plan, 5, 27);
    let mut work = walkers.work(&plan);
    let Walkers { x, u, grad, .. } = &mut walkers;
    let (chains, leapfrog) = (Chains { x, u, accepted: None }, Leapfrog { step_size: 0.1, steps: 0 });
    let got = hmc(DW4, leapfrog, draws, chains, grad, double_well, &mut work);
    expect(got, Status::Argument, Argument::Steps);
}

#[test]
fn latent_chains_start_where_they_can_or_not_at_all() {
    let plan = trained::<f64>(Config::rk4(3));
    let n = 3;
    let mut work = vec![Block::default(); latent_hmc_extent(&plan, n).unwrap()];
    let mut z = starts::<f64>(DW4, n, 28, 1.0);
    let blank = (vec![7.0; 24], vec![7.0; n], vec![7.0; n], vec![7.0; 24]);
    let mut start = |z: &mut Vec<f64>, lengths: [usize; 4], gradients: Gradients<'_, f64>| {
        let (mut x, mut u, mut log_det, mut grad) = blank.clone();
        let chains = LatentChains {
            z,
            x: &mut x[..lengths[0]],
            u: &mut u[..lengths[1]],
            log_det: &mut log_det[..lengths[2]],
            accepted: None,
        };
        let got = latent_start(&plan, chains, Some(&mut grad[..lengths[3]]), gradients, &mut work);
        if got.is_err() {
            assert_eq!((x, u, log_det, grad), blank);
        }
        got
    };
    let whole = [24, n, n, 24];
    assert_eq!(start(&mut z, whole, &mut double_well), Ok(()));
    expect(start(&mut z, [23, n, n, 24], &mut double_well), Status::Shape, Argument::X);
    expect(start(&mut z, [24, n, 2, 24], &mut double_well), Status::Shape, Argument::LogDet);
    expect(start(&mut z, [24, n, n, 23], &mut double_well), Status::Shape, Argument::Gradient);
    expect(start(&mut z, [24, 2, n, 24], &mut double_well), Status::Shape, Argument::Z);
    let mut walls = |_: &[f64], u: &mut [f64], grad: &mut [f64]| {
        grad.fill(0.0);
        u.copy_from_slice(&[0.0, f64::INFINITY, 0.0]);
        Ok(())
    };
    let error = start(&mut z, whole, &mut walls).unwrap_err();
    assert_eq!((error.status, error.argument, error.index), (Status::NonFinite, Argument::Energy, 1));
    let mut far = vec![1e300; 24];
    far[0] = -1e300;
    expect(start(&mut far, whole, &mut double_well), Status::NonFinite, Argument::Energy);
    z[5] = f64::NAN;
    expect(start(&mut z, whole, &mut double_well), Status::NonFinite, Argument::Z);
}

/// Normals of standard deviations 1 and 2 in one dimension exchange, of which the fraction (4 / pi) atan(1 / 2) happens;
/// each replica keeps its distribution. Seed 29.
#[test]
fn exchanges_keep_both_distributions() {
    let (pair, n) = (Shape { particles: 2, dimension: 1 }, 200_000);
    let mut cold = starts::<f64>(pair, n, 29, 1.0);
    let mut hot = starts::<f64>(pair, n, 30, 2.0);
    let energies = |x: &[f64], tau: f64| -> Vec<f64> {
        x.chunks_exact(2).map(|x| (x[0] * x[0] + x[1] * x[1]) / (2.0 * tau)).collect()
    };
    let (mut u_cold, mut u_hot) = (energies(&cold, 1.0), energies(&hot, 4.0));
    let (cross_cold, cross_hot) = (energies(&hot, 1.0), energies(&cold, 4.0));
    let (before_cold, before_hot) = (cold.clone(), hot.clone());
    let mut accepted = [vec![3_u64; n], vec![5; n]];
    let mut told = vec![false; n];
    let draws = Draws { seed: 29, first: 0, step: 0 };
    let [a, b] = &mut accepted;
    let chains = [
        Chains { x: &mut cold, u: &mut u_cold, accepted: Some(a) },
        Chains { x: &mut hot, u: &mut u_hot, accepted: Some(b) },
    ];
    exchange(pair, draws, chains, [&cross_cold, &cross_hot], |i| told[i] = true).unwrap();
    assert_eq!((&u_cold, &u_hot), (&energies(&cold, 1.0), &energies(&hot, 4.0)));
    for i in 0..n {
        let row = |x: &[f64]| x[2 * i..2 * i + 2].to_vec();
        let (from_cold, from_hot) = (row(&before_cold), row(&before_hot));
        let want = if told[i] { (from_hot, from_cold) } else { (from_cold, from_hot) };
        assert_eq!((row(&cold), row(&hot)), want);
        assert_eq!((accepted[0][i], accepted[1][i]), (3 + u64::from(told[i]), 5 + u64::from(told[i])));
    }
    let happened: Vec<f64> = told.iter().map(|&told| f64::from(u8::from(told))).collect();
    let square = |u: &[f64]| u.iter().map(|u| 2.0 * u).collect::<Vec<_>>();
    let exact = 4.0 / std::f64::consts::PI * 0.5_f64.atan();
    for (values, exact) in [(happened, exact), (square(&u_cold), 1.0), (square(&u_hot), 1.0)] {
        let estimate = independent_mean(&values).unwrap();
        assert!((estimate.value - exact).abs() < 3.0 * estimate.standard_error, "{estimate} against {exact}");
    }
}

/// u = |x|^2 / 2.
struct Harmonic;

impl<V: Lanes> Potential<V> for Harmonic {
    fn energy(&self, _: Shape, x: &[V], _: Option<&mut [V]>) -> V {
        let mut square = V::zero();
        x.iter().for_each(|&x| square += x * x);
        V::constant(0.5) * square
    }
}

/// One step of each of `n` Gaussian chains from the prior, with crude uniform moves: positions, energies, who moved.
fn cube_steps<V: Lanes<Real = f64>>(n: usize) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let shape = Shape { particles: 3, dimension: 1 };
    let start = starts::<f64>(shape, n, 35, 1.0);
    let (mut positions, mut energies, mut moved) = (Vec::new(), Vec::new(), Vec::new());
    for first in (0..n).step_by(V::WIDTH) {
        let mut x: Vec<V> = (0..3).map(|c| V::from_fn(|lane| start[3 * (first + lane) + c])).collect();
        let mut energy = Harmonic.energy(shape, &x, None);
        let stream = |lane| Stream::new(36, Purpose::Chain, (first + lane) as u64);
        let mut random: Vec<Stream> = (0..V::WIDTH).map(stream).collect();
        let scratch = &mut [V::zero(); 3];
        let accepted = metropolis_cube_step(&Harmonic, shape, 1.5, &mut x, &mut energy, &mut random, scratch);
        for lane in 0..V::WIDTH {
            positions.extend(x.iter().map(|x| x.lane(lane)));
            energies.push(energy.lane(lane));
            moved.push(accepted.lane(lane));
        }
    }
    (positions, energies, moved)
}

/// |x|^2 keeps mean 2, |x|^4 mean 8. Seeds 35 and 36.
#[test]
fn a_step_of_uniform_moves_keeps_a_gaussian_in_any_lane() {
    let n = 200_000;
    let steps = cube_steps::<f64>(n);
    assert_eq!(steps, cube_steps::<<f64 as Real>::Lanes>(n));
    let (_, u, moved) = steps;
    let rate = independent_mean(&moved).unwrap();
    assert!(rate.value > 0.2 && rate.value < 0.8, "{rate}");
    for (values, exact) in
        [(u.iter().map(|u| 2.0 * u).collect::<Vec<_>>(), 2.0), (u.iter().map(|u| 4.0 * u * u).collect(), 8.0)]
    {
        let estimate = independent_mean(&values).unwrap();
        assert!((estimate.value - exact).abs() < 3.0 * estimate.standard_error, "{estimate} against {exact}");
    }
    // From the origin of a potential without slope every move is made: their variance is that of the step, in two
    // dimensions, and they are as often up as down.
    struct Flat;
    impl Potential<f64> for Flat {
        fn energy(&self, _: Shape, _: &[f64], _: Option<&mut [f64]>) -> f64 {
            -1.0
        }
    }
    let shape = Shape { particles: 3, dimension: 1 };
    let (mut squares, mut firsts) = (Vec::new(), Vec::new());
    for i in 0..n {
        let (mut x, mut energy, mut random) = ([0.0; 3], 0.0, [Stream::new(37, Purpose::Chain, i as u64)]);
        metropolis_cube_step(&Flat, shape, 0.7, &mut x, &mut energy, &mut random, &mut [0.0; 3]);
        squares.push(x.iter().map(|x| x * x).sum::<f64>());
        firsts.push(x[0].powi(3));
    }
    for (values, exact) in [(squares, 2.0 * 0.49), (firsts, 0.0)] {
        let estimate = independent_mean(&values).unwrap();
        assert!((estimate.value - exact).abs() < 3.0 * estimate.standard_error, "{estimate} against {exact}");
    }
}

#[test]
fn exchanges_refuse_what_is_not_finite_and_what_does_not_fit() {
    let start = (starts::<f64>(DW4, 3, 31, 1.0), starts::<f64>(DW4, 3, 32, 1.0), vec![1.0; 3], vec![2.0; 3]);
    let draws = Draws { seed: 31, first: 0, step: 0 };
    let run = |cross: [&[f64]; 2], lengths: [usize; 2]| {
        let (mut a, mut b, mut u_a, mut u_b) = start.clone();
        let chains = [
            Chains { x: &mut a[..lengths[0]], u: &mut u_a, accepted: None },
            Chains { x: &mut b[..8 * lengths[1]], u: &mut u_b[..lengths[1]], accepted: None },
        ];
        let got = exchange(DW4, draws, chains, cross, |_| ());
        assert_eq!((a, b, u_a, u_b), start);
        got
    };
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(run([&[bad; 3], &[-9.0; 3]], [24, 3]), Ok(()));
        assert_eq!(run([&[-9.0; 3], &[bad; 3]], [24, 3]), Ok(()));
    }
    expect(run([&[0.0; 3], &[0.0; 2]], [24, 3]), Status::Shape, Argument::Cross);
    expect(run([&[0.0; 3], &[0.0; 3]], [24, 2]), Status::Shape, Argument::X);
    expect(run([&[0.0; 3], &[0.0; 3]], [23, 3]), Status::Shape, Argument::X);
}

/// The derivative of x_bar . F(z) + log_det_bar log|det dF/dz| along random directions, by five-point differences of the
/// forward map. Both carry the error of the adaptive integrator: 1e-12 a step over 1e-3 is some 1e-8.
#[test]
fn the_pulled_gradient_is_that_of_the_forward_map() {
    let mut rng = Rng(33);
    let exact = Config::rk4(20).with_log_det(LogDet::Jacobian);
    for (config, h, bar) in [
        (Config::rk4(20), 1e-4, 1e-7),
        (Config::rk4(3), 1e-4, 1e-7),
        (Config::dopri5(1e-12, 1e-12), 1e-3, 1e-7),
    ] {
        for golden in common::Golden::all() {
            let (shape, n) = (golden.shape, 5);
            let plan = Plan::<f64, _>::allocate(&golden.model(), &config).unwrap();
            let mut work = plan.allocate_workspace(n).unwrap();
            let z = latent(shape, n, &mut rng);
            let (x_bar, log_det_bar) = (rng.normals(z.len()), rng.normals(n));
            let mut grad = vec![0.0; z.len()];
            plan.pull_gradient(&z, &x_bar, &log_det_bar, &mut grad, &mut work).unwrap();
            let each = shape.coordinates();
            for i in 0..n {
                let row = |all: &[f64]| all[i * each..(i + 1) * each].to_vec();
                let (z, x_bar, grad) = (row(&z), row(&x_bar), row(&grad));
                let direction = rng.direction(each);
                let mut value = |h: f64| {
                    let z: Vec<f64> = z.iter().zip(&direction).map(|(z, d)| z + h * d).collect();
                    let (mut x, mut log_det) = (vec![0.0; each], [0.0]);
                    plan.forward(&z, &mut x, Some(&mut log_det), &mut work).unwrap();
                    x.iter().zip(&x_bar).map(|(x, b)| x * b).sum::<f64>() + log_det_bar[i] * log_det[0]
                };
                let [a, b, c, d] = [-2.0 * h, -h, h, 2.0 * h].map(&mut value);
                let want = (8.0 * (c - b) - (d - a)) / (12.0 * h);
                let got: f64 = grad.iter().zip(&direction).map(|(g, d)| g * d).sum();
                let size = common::cases::norm(&grad);
                assert!((got - want).abs() < bar * size, "{}: {got} against {want}", golden.name);
            }
            if config == Config::rk4(20) {
                let other = Plan::<f64, _>::allocate(&golden.model(), &exact).unwrap();
                let mut work = other.allocate_workspace(n).unwrap();
                let mut same = vec![0.0; z.len()];
                other.pull_gradient(&z, &x_bar, &log_det_bar, &mut same, &mut work).unwrap();
                assert_eq!(same, grad);
            }
        }
    }
}

#[test]
fn the_pulled_gradient_refuses_what_does_not_fit() {
    let plan = trained::<f64>(Config::rk4(3));
    let mut work = plan.allocate_workspace(2).unwrap();
    let z = starts::<f64>(DW4, 2, 34, 1.0);
    let mut run = |z: &[f64], x_bar: &[f64], log_det_bar: &[f64], length: usize| {
        let mut grad = vec![7.0; length];
        let got = plan.pull_gradient(z, x_bar, log_det_bar, &mut grad, &mut work);
        assert!(got.is_ok() || grad.iter().all(|&g| g == 7.0));
        got
    };
    let (one, nan) = ([1.0; 16], [f64::NAN; 16]);
    assert_eq!(run(&z, &one, &one[..2], 16), Ok(()));
    assert_eq!(run(&[], &[], &[], 0), Ok(()));
    expect(run(&z[..15], &one, &one[..2], 16), Status::Shape, Argument::Z);
    expect(run(&z, &one[..15], &one[..2], 16), Status::Shape, Argument::XBar);
    expect(run(&z, &one, &one[..1], 16), Status::Shape, Argument::LogDetBar);
    expect(run(&z, &one, &one[..2], 15), Status::Shape, Argument::Gradient);
    expect(run(&nan, &one, &one[..2], 16), Status::NonFinite, Argument::Z);
    expect(run(&z, &nan, &one[..2], 16), Status::NonFinite, Argument::XBar);
    expect(run(&z, &one, &nan[..2], 16), Status::NonFinite, Argument::LogDetBar);
}
