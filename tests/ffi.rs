//! The C interface, seen from C: bits equal to the Rust interface's, golden vectors, errors, the example.
#![cfg(all(unix, feature = "std"))]

mod common;

use common::c::{build, compile, compile_with, library, library_with_threads, root, run, scratch, succeed};
use common::{Golden, assert_close, numbers};
use eqflow::error::Error;
use eqflow::field::Shape;
use eqflow::flow::{
    Block, Config, Integrator, Inverse, LogDet, Model, Plan, Reals, write_model, written_length,
};
use eqflow::lanes::Real;
use eqflow::mcmc::{self, Chains, Draws, LatentChains, Leapfrog, independence_extent, latent_hmc_extent};
use eqflow::particles::{prior_log_prob, remove_com};
use eqflow::potential::{DoubleWell, Potential};
use eqflow::radial::Accuracy;
use eqflow::random::{Normals, Purpose, Stream, prior_sample};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Commands of `ffi-tests/driver.c`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(u64)]
enum Call {
    Plan,
    Forward,
    Inverse,
    LogProb,
    Sample,
    Field,
    Radial,
    PriorLogProb,
    PriorSample,
    RemoveCom,
    DoubleWell,
    LennardJones,
    LogProbOnly,
    Jacobian,
    Metropolis,
    Independence,
    TableAccuracy,
    MetropolisParticle,
    Hmc,
    Mala,
    LatentMetropolis,
    LatentHmc,
    Exchange,
}

/// Commands for the C driver, then its answers.
#[derive(Default)]
struct Session {
    words: Vec<u64>,
}

impl Session {
    fn call(&mut self, call: Call, integers: &[u64], reals: &[f64]) {
        self.words.push(call as u64);
        self.words.extend(integers);
        self.words.extend(reals.iter().map(|r| r.to_bits()));
    }

    fn plan(&mut self, model: &Model<'_>, config: &Config) {
        let file = model_file(model);
        self.call(Call::Plan, &[file.len() as u64], &[]);
        self.words.extend(file.iter().map(|&byte| u64::from(byte)));
        let (integrator, steps, rtol, atol) = match config.integrator {
            Integrator::Rk4 { steps } => (0, steps, 0.0_f64, 0.0_f64),
            Integrator::Dopri5 { rtol, atol, .. } => (1, 0, rtol, atol),
        };
        let (log_det, inverse) = (config.log_det as u64, config.inverse as u64);
        self.words.extend([integrator, steps as u64, log_det, inverse, rtol.to_bits(), atol.to_bits()]);
    }

    /// Runs the driver of a precision; `name` keeps the files of tests apart.
    fn run<R: Precision>(&self, name: &str) -> Answers {
        let name = format!("{name}_{}", R::NAME);
        let (requests, responses) = (scratch(&format!("{name}.in")), scratch(&format!("{name}.out")));
        let bytes: Vec<u8> = self.words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        std::fs::write(&requests, bytes).unwrap();
        succeed(run(R::driver()).args([&requests, &responses]));
        let answers = std::fs::read(&responses).unwrap();
        let (words, _) = answers.as_chunks::<8>();
        Answers { values: words.iter().map(|&word| f64::from_ne_bytes(word)).collect(), next: 0 }
    }
}

struct Answers {
    values: Vec<f64>,
    next: usize,
}

impl Answers {
    fn take(&mut self, n: usize) -> &[f64] {
        self.next += n;
        &self.values[self.next - n..self.next]
    }

    fn peek(&self, n: usize) -> &[f64] {
        &self.values[self.next..self.next + n]
    }

    #[track_caller]
    fn expect_bits<R: Real>(&mut self, what: &str, want: &[R]) {
        let got = self.take(want.len());
        for (i, (got, want)) in got.iter().zip(want).enumerate() {
            assert_eq!(got.to_bits(), want.to_f64().to_bits(), "{what}[{i}]: {got} from C, {want} from Rust");
        }
    }

    #[track_caller]
    fn expect_close(&mut self, what: &str, want: &[f64], tolerance: f64) {
        assert_close(what, self.take(want.len()), want, tolerance);
    }

    fn finish(&self) {
        assert_eq!(self.next, self.values.len(), "unread answers");
    }
}

fn model_file(model: &Model<'_>) -> Vec<u8> {
    let mut bytes = vec![0; written_length(model)];
    write_model(model, &mut bytes).unwrap();
    bytes
}

trait Precision: eqflow::flow::Precision {
    const NAME: &'static str;
    const TOLERANCE: f64;
    const ODE_TOLERANCE: f64;
    const ADAPTIVE: Config;

    fn driver() -> &'static Path;
}

impl Precision for f64 {
    const NAME: &'static str = "f64";
    const TOLERANCE: f64 = 1e-10;
    const ODE_TOLERANCE: f64 = 1e-8;
    const ADAPTIVE: Config = Config::dopri5(1e-11, 1e-11);

    fn driver() -> &'static Path {
        static DRIVER: OnceLock<PathBuf> = OnceLock::new();
        DRIVER.get_or_init(|| compile("ffi-tests/driver.c", "driver_f64", &[]))
    }
}

impl Precision for f32 {
    const NAME: &'static str = "f32";
    const TOLERANCE: f64 = 2e-5;
    const ODE_TOLERANCE: f64 = 2e-5;
    const ADAPTIVE: Config = Config::dopri5(3e-7, 3e-7);

    fn driver() -> &'static Path {
        static DRIVER: OnceLock<PathBuf> = OnceLock::new();
        DRIVER.get_or_init(|| compile("ffi-tests/driver.c", "driver_f32", &["-DSINGLE"]))
    }
}

fn narrow<R: Real>(values: &[f64]) -> Vec<R> {
    values.iter().map(|&v| R::from_f64(v)).collect()
}

fn zeros<R: Real>(n: usize) -> Vec<R> {
    vec![R::default(); n]
}

/// One batch through every call of a plan, from C and from Rust.
fn compare_bits<R: Precision>(golden: &Golden, config: Config) {
    const N: usize = 11;
    const SEED: u64 = 12_345;
    const FIRST: u64 = u64::MAX - 3; // the sample index wraps around
    let c = golden.shape.coordinates();
    let x: Vec<f64> = (0..N).flat_map(|_| golden.array("density.x")).take(N * c).collect();
    let x: Vec<f64> = x.iter().enumerate().map(|(i, v)| v * (1.0 + 1e-3 * (i / c) as f64)).collect();
    let mut session = Session::default();
    session.plan(&golden.model(), &config);
    session.call(Call::Sample, &[SEED, FIRST, N as u64], &[]);
    let jacobian = config.log_det == LogDet::Jacobian;
    let others =
        if jacobian { [Call::Jacobian, Call::LogProbOnly] } else { [Call::LogProb, Call::LogProbOnly] };
    for call in [Call::Forward, Call::Inverse].into_iter().chain(others) {
        session.call(call, &[N as u64], &x);
    }
    session.call(Call::PriorSample, &[SEED, FIRST, N as u64], &[]);
    session.call(Call::PriorLogProb, &[N as u64], &x);
    session.call(Call::RemoveCom, &[N as u64], &x);
    let fixed = matches!(config.integrator, Integrator::Rk4 { .. });
    let kind = if fixed { "rk4" } else { "dopri5" };
    let name = format!("bits_{}_{kind}_{:?}_{:?}", golden.name, config.log_det, config.inverse);
    let mut answers = session.run::<R>(&name);

    let plan = Plan::<R, _>::allocate(&golden.model(), &config).unwrap();
    let mut work = plan.allocate_workspace(N).unwrap();
    let x = narrow::<R>(&x);
    let (mut samples, mut scalars) = (zeros::<R>(N * c), zeros::<R>(N));
    plan.sample(SEED, FIRST, &mut samples, Some(&mut scalars), &mut work).unwrap();
    answers.expect_bits("sample x", &samples);
    answers.expect_bits("sample log_prob", &scalars);
    plan.forward(&x, &mut samples, Some(&mut scalars), &mut work).unwrap();
    answers.expect_bits("forward x", &samples);
    answers.expect_bits("forward log_det", &scalars);
    plan.inverse(&x, &mut samples, Some(&mut scalars), &mut work).unwrap();
    answers.expect_bits("inverse z", &samples);
    answers.expect_bits("inverse log_det", &scalars);
    if jacobian {
        let k = golden.shape.free_dimension();
        let mut matrices = zeros::<R>(N * k * k);
        plan.jacobian(&x, &mut matrices, &mut work).unwrap();
        answers.expect_bits("jacobian", &matrices);
    } else {
        plan.log_prob(&x, &mut scalars, Some(&mut samples), &mut work).unwrap();
        answers.expect_bits("grad", &samples);
        answers.expect_bits("log_prob", &scalars);
    }
    plan.log_prob(&x, &mut scalars, None, &mut work).unwrap();
    answers.expect_bits("log_prob alone", &scalars);
    compare_particle_bits(golden, &mut answers, [SEED, FIRST], &x);
    answers.finish();
}

fn compare_particle_bits<R: Real>(golden: &Golden, answers: &mut Answers, [seed, first]: [u64; 2], x: &[R]) {
    let shape = golden.shape;
    let mut z = zeros::<R>(x.len());
    for (i, z) in z.chunks_mut(shape.coordinates()).enumerate() {
        let stream = Stream::new(seed, Purpose::Prior, first.wrapping_add(i as u64));
        prior_sample(shape, &mut Normals::new(stream), z);
    }
    answers.expect_bits("prior sample", &z);
    let prior: Vec<R> = x.chunks(shape.coordinates()).map(|x| prior_log_prob(shape, x)).collect();
    answers.expect_bits("prior log_prob", &prior);
    let (mut centred, mut centres) = (x.to_vec(), zeros::<R>(prior.len() * shape.dimension));
    for (x, com) in centred.chunks_mut(shape.coordinates()).zip(centres.chunks_mut(shape.dimension)) {
        remove_com(shape, x, com);
    }
    answers.expect_bits("centred x", &centred);
    answers.expect_bits("com", &centres);
}

fn bits_of_all_models<R: Precision>(config: Config) {
    Golden::all().for_each(|golden| compare_bits::<R>(&golden, config));
}

#[test]
fn c_and_rust_give_the_same_bits_on_a_fixed_grid() {
    bits_of_all_models::<f64>(Config::default());
    bits_of_all_models::<f32>(Config::rk4(7));
}

#[test]
fn c_and_rust_give_the_same_bits_on_every_rung_of_the_ladder() {
    for inverse in [Inverse::Backward, Inverse::Exact] {
        bits_of_all_models::<f64>(Config::rk4(5).with_log_det(LogDet::Jacobian).with_inverse(inverse));
        bits_of_all_models::<f32>(Config::rk4(4).with_log_det(LogDet::Jacobian).with_inverse(inverse));
    }
    bits_of_all_models::<f64>(Config::rk4(6).with_inverse(Inverse::Exact));
    bits_of_all_models::<f32>(Config::rk4(3).with_inverse(Inverse::Exact));
}

const KERNELS: [Call; 8] = [
    Call::Metropolis,
    Call::MetropolisParticle,
    Call::Hmc,
    Call::Mala,
    Call::Independence,
    Call::LatentMetropolis,
    Call::LatentHmc,
    Call::Exchange,
];

/// What chains move: `z` and `energy` are latent positions and log-determinants, or the other replicas of an exchange and
/// their energies at twice the temperature.
struct Moving<R> {
    z: Vec<R>,
    x: Vec<R>,
    u: Vec<R>,
    log_prob: Vec<R>,
    energy: Vec<R>,
    grad: Vec<R>,
    accepted: Vec<u64>,
}

/// The benchmark's double well at a temperature, for the shape of any model.
#[derive(Clone, Copy)]
struct Well<R>(Shape, DoubleWell<R>);

impl<R: Real> Well<R> {
    fn new(shape: Shape, tau: f64) -> Self {
        Well(shape, DoubleWell { tau: R::from_f64(tau), ..DoubleWell::dw4() })
    }

    fn energies(self, x: &[R], u: &mut [R]) -> Result<(), Error> {
        let x = x.chunks_exact(self.0.coordinates());
        x.zip(u).for_each(|(x, u)| *u = self.1.energy(self.0, x, None));
        Ok(())
    }

    fn gradients(self, x: &[R], u: &mut [R], grad: &mut [R]) -> Result<(), Error> {
        let c = self.0.coordinates();
        let all = x.chunks_exact(c).zip(u).zip(grad.chunks_exact_mut(c));
        all.for_each(|((x, u), grad)| *u = self.1.energy(self.0, x, Some(grad)));
        Ok(())
    }
}

impl<R: Precision> Moving<R> {
    fn step(&mut self, kernel: Call, plan: &Plan<R, Vec<Block>>, draws: Draws, work: &mut [Block]) {
        let shape = plan.shape();
        let well = Well::new(shape, 1.0);
        let energies = |x: &[R], u: &mut [R]| well.energies(x, u);
        let gradients = |x: &[R], u: &mut [R], grad: &mut [R]| well.gradients(x, u, grad);
        let step_size = R::from_f64(0.125);
        let leapfrog = Leapfrog { step_size, steps: 3 };
        let Moving { z, x, u, log_prob, energy, grad, accepted } = self;
        if kernel == Call::LatentMetropolis || kernel == Call::LatentHmc {
            let chains = LatentChains { z, x, u, log_det: energy, accepted: Some(accepted) };
            return match kernel {
                Call::LatentHmc => mcmc::latent_hmc(plan, leapfrog, draws, chains, grad, gradients, work),
                _ => mcmc::latent_metropolis(plan, step_size, draws, chains, energies, work),
            }
            .unwrap();
        }
        let (mut cross, mut cross_other) = (zeros(u.len()), zeros(u.len()));
        energies(z, &mut cross).unwrap();
        Well::new(shape, 2.0).energies(x, &mut cross_other).unwrap();
        let chains = Chains { x, u, accepted: Some(accepted) };
        match kernel {
            Call::Metropolis => mcmc::metropolis(shape, step_size, draws, chains, energies, work),
            Call::MetropolisParticle => {
                mcmc::metropolis_particle(shape, step_size, draws, chains, energies, work)
            }
            Call::Hmc => mcmc::hmc(shape, leapfrog, draws, chains, grad, gradients, work),
            Call::Mala => mcmc::mala(shape, step_size, draws, chains, grad, gradients, work),
            Call::Independence => mcmc::independence(plan, draws, chains, log_prob, energies, work),
            _ => {
                let others = Chains { x: z, u: energy, accepted: None };
                mcmc::exchange(shape, draws, [chains, others], [&cross, &cross_other], |_| ())
            }
        }
        .unwrap();
    }
}

/// Three steps of each kernel from the same start, at the double well whatever the model; how many proposals each accepts.
fn compare_chains<R: Precision>(golden: &Golden) -> [u64; KERNELS.len()] {
    const N: usize = 7;
    const DRAWS: Draws = Draws { seed: 77, first: u64::MAX - 2, step: 0 };
    let (shape, c) = (golden.shape, golden.shape.coordinates());
    let plan = Plan::<R, _>::allocate(&golden.model(), &Config::rk4(6)).unwrap();
    let (mut x, mut log_prob, mut z) = (zeros::<R>(N * c), zeros::<R>(N), zeros::<R>(N * c));
    let blocks = latent_hmc_extent(&plan, N).unwrap().max(independence_extent(&plan, N).unwrap());
    let mut work = vec![Block::default(); blocks];
    plan.sample(1, 0, &mut x, Some(&mut log_prob), &mut work).unwrap();
    for (i, z) in z.chunks_mut(c).enumerate() {
        prior_sample(shape, &mut Normals::new(Stream::new(2, Purpose::Prior, i as u64)), z);
    }
    let start: Vec<f64> = x.iter().chain(&log_prob).chain(&z).map(|v| v.to_f64()).collect();
    let mut session = Session::default();
    session.plan(&golden.model(), &Config::rk4(6));
    for kernel in KERNELS {
        session.call(kernel, &[DRAWS.seed, DRAWS.first, N as u64], &start);
    }
    session.call(Call::TableAccuracy, &[], &[]);
    let mut answers = session.run::<R>(&format!("chains_{}", golden.name));

    let well = Well::new(shape, 1.0);
    let moves = KERNELS.map(|kernel| {
        let (u, energy, grad, accepted) = (zeros(N), zeros(N), zeros(N * c), vec![0; N]);
        let mut m =
            Moving { z: z.clone(), x: x.clone(), u, log_prob: log_prob.clone(), energy, grad, accepted };
        well.gradients(&m.x, &mut m.u, &mut m.grad).unwrap();
        Well::new(shape, 2.0).energies(&m.z, &mut m.energy).unwrap();
        if matches!(kernel, Call::LatentMetropolis | Call::LatentHmc) {
            let Moving { z, x, u, energy, grad, .. } = &mut m;
            let chains = LatentChains { z, x, u, log_det: energy, accepted: None };
            let gradients = |x: &[R], u: &mut [R], grad: &mut [R]| well.gradients(x, u, grad);
            mcmc::latent_start(&plan, chains, Some(grad), gradients, &mut work).unwrap();
        }
        (0..3).for_each(|step| m.step(kernel, &plan, Draws { step, ..DRAWS }, &mut work));
        for (name, array) in [
            ("z", &m.z),
            ("x", &m.x),
            ("u", &m.u),
            ("log_prob", &m.log_prob),
            ("energy", &m.energy),
            ("grad", &m.grad),
        ] {
            answers.expect_bits(&format!("{kernel:?}: {name}"), array);
        }
        let counts: Vec<f64> = m.accepted.iter().map(|&count| count as f64).collect();
        answers.expect_bits(&format!("{kernel:?}: accepted"), &counts);
        m.accepted.iter().sum()
    });
    let accuracy = plan.table_accuracy();
    let Accuracy { phi_error, slope_error, largest_phi, largest_slope } = accuracy.unwrap_or_default();
    let compiled = f64::from(u8::from(accuracy.is_some()));
    answers.expect_bits("accuracy", &[compiled, phi_error, slope_error, largest_phi, largest_slope]);
    answers.finish();
    moves
}

fn chains_of_all_models<R: Precision>() {
    let all: Vec<_> = Golden::all().map(|golden| compare_chains::<R>(&golden)).collect();
    for (i, kernel) in KERNELS.iter().enumerate() {
        let moves: u64 = all.iter().map(|moves| moves[i]).sum();
        assert!(moves > 0, "{kernel:?} moves no chain: nothing is compared");
    }
}

#[test]
fn c_and_rust_move_chains_to_the_same_bits() {
    chains_of_all_models::<f64>();
    chains_of_all_models::<f32>();
}

#[test]
fn c_and_rust_give_the_same_bits_adaptively() {
    bits_of_all_models::<f64>(Config::dopri5(1e-7, 1e-9));
    bits_of_all_models::<f32>(Config::dopri5(1e-4, 1e-5));
}

/// Every array of a vectors file that C exposes.
fn compare_with_golden<R: Precision>(golden: &Golden) {
    let mut session = Session::default();
    session.plan(&golden.model(), &Config::default());
    let cases = |key: &str| golden.json[key].as_array().unwrap().clone();
    for case in cases("radial") {
        let d = numbers(&case["d"]);
        session.call(Call::Radial, &[d.len() as u64, case["t"].as_f64().unwrap().to_bits()], &d);
    }
    for case in cases("field") {
        let n = numbers(&case["div"]).len() as u64;
        session.call(Call::Field, &[n, case["t"].as_f64().unwrap().to_bits()], &numbers(&case["x"]));
    }
    let (z, x) = (golden.array("flow.z"), golden.array("flow.x"));
    let n = golden.array("flow.log_det").len() as u64;
    session.call(Call::Forward, &[n], &z);
    session.call(Call::Inverse, &[n], &x);
    session.call(Call::PriorLogProb, &[n], &z);
    let density = golden.array("density.x");
    let n_density = golden.array("density.log_prob").len() as u64;
    session.call(Call::Inverse, &[n_density], &density);
    session.call(Call::LogProb, &[n_density], &density);
    request_potential(golden, &mut session);
    session.plan(&golden.model(), &R::ADAPTIVE);
    session.call(Call::Forward, &[n], &z);
    let mut answers = session.run::<R>(&format!("golden_{}", golden.name));

    for case in cases("radial") {
        answers.expect_close("phi", &numbers(&case["phi"]), R::TOLERANCE);
        answers.expect_close("dphi", &numbers(&case["dphi"]), R::TOLERANCE);
    }
    for case in cases("field") {
        answers.expect_close("v", &numbers(&case["v"]), R::TOLERANCE);
        answers.expect_close("div", &numbers(&case["div"]), R::TOLERANCE);
    }
    answers.expect_close("flow.x", &golden.array("flow.x"), R::TOLERANCE);
    let log_det = answers.peek(n as usize).to_vec();
    for path in ["flow.log_det", "flow.z_back", "flow.log_det_back"] {
        answers.expect_close(path, &golden.array(path), R::TOLERANCE);
    }
    let prior = answers.peek(n as usize).to_vec();
    answers.expect_close("flow.prior_log_prob_z", &golden.array("flow.prior_log_prob_z"), R::TOLERANCE);
    let log_prob: Vec<f64> = prior.iter().zip(log_det).map(|(prior, log_det)| prior - log_det).collect();
    assert_close("flow.log_prob_x", &log_prob, &golden.array("flow.log_prob_x"), R::TOLERANCE);
    for path in ["density.z", "density.log_det"] {
        answers.expect_close(path, &golden.array(path), R::TOLERANCE);
    }
    answers.take(density.len()); // the score has no golden values
    for path in ["density.log_prob", "potential.u", "potential.grad"] {
        answers.expect_close(path, &golden.array(path), R::TOLERANCE);
    }
    for path in ["flow.x_ode", "flow.log_det_ode"] {
        answers.expect_close(path, &golden.array(path), R::ODE_TOLERANCE);
    }
    answers.finish();
}

fn request_potential(golden: &Golden, session: &mut Session) {
    let potential = &golden.json["potential"];
    let (call, keys): (_, &[&str]) = match potential["kind"].as_str().unwrap() {
        "double_well" => (Call::DoubleWell, &["a", "b", "c", "d0", "tau"]),
        _ => (Call::LennardJones, &["epsilon", "r_m", "oscillator", "tau"]),
    };
    let mut reals: Vec<f64> = keys.iter().map(|&key| potential["params"][key].as_f64().unwrap()).collect();
    reals.extend(numbers(&potential["x"]));
    session.call(call, &[numbers(&potential["u"]).len() as u64], &reals);
}

#[test]
fn c_reproduces_the_golden_vectors_in_f64() {
    Golden::all().for_each(|golden| compare_with_golden::<f64>(&golden));
}

#[test]
fn c_reproduces_the_golden_vectors_in_f32() {
    Golden::all().for_each(|golden| compare_with_golden::<f32>(&golden));
}

#[test]
fn every_failure_has_its_status_and_writes_nothing() {
    succeed(&mut run(compile("ffi-tests/errors.c", "errors", &[])));
}

#[test]
fn threads_change_no_bit_and_none_remains() {
    for (library, kind) in [(library(), "serial"), (&library_with_threads(), "threads")] {
        for (precision, options) in [("f64", &[][..]), ("f32", &["-DSINGLE"])] {
            let program = format!("threads_{kind}_{precision}");
            let program = compile_with(library, "ffi-tests/threads.c", &program, options);
            succeed(run(program).arg(kind));
        }
    }
}

/// The factor by which [`scaling_model`] stretches.
const STRETCH: f64 = 2.0;

/// A model whose flow is x = 2 z: phi is a constant b, so v = N b x and x(1) = exp(4 b) z.
fn scaling_model() -> Vec<u8> {
    let values = [[0.0], [1.0], [1e9], [STRETCH.ln() / 4.0]];
    let [zero, one, wide, bias] = [0, 1, 2, 3].map(|i: usize| Reals::Native(&values[i]));
    model_file(&Model {
        basis: eqflow::radial::Basis::Gaussian,
        shape: eqflow::field::Shape { particles: 4, dimension: 2 },
        weights: zero,
        bias: Some(bias),
        importance: None,
        mu: one,
        gamma: one,
        mu_time: zero,
        gamma_time: wide,
        eps: 0.0,
    })
}

/// The numbers in the output's line that begins with `label`.
fn printed(output: &str, label: &str) -> Vec<f64> {
    let line = output.lines().find_map(|line| line.strip_prefix(label));
    let words = line.unwrap_or_else(|| panic!("no {label} in\n{output}")).split([' ', '(', ')']);
    words.filter_map(|word| word.parse().ok()).collect()
}

#[test]
fn the_example_compiles_and_reweights() {
    let program = compile("examples/c/dw4.c", "dw4", &[]);
    let path = scratch("scaling.eqf");
    std::fs::write(&path, scaling_model()).unwrap();
    let output = succeed(run(&program).arg(&path).args(["200000", "3"])).stdout;
    let output = String::from_utf8(output).unwrap();
    // A pair distance is Rayleigh distributed with E d^k = (2 s)^k Gamma(1 + k/2), and the mean energy of the six
    // pairs is 6 (-4 E(d-4)^2 + 0.9 E(d-4)^4).
    let half_root_pi = std::f64::consts::PI.sqrt() / 2.0;
    let gamma = [half_root_pi, 1.0, 1.5 * half_root_pi, 2.0];
    let [d1, d2, d3, d4] = [1, 2, 3, 4].map(|k| (2.0 * STRETCH).powi(k) * gamma[k as usize - 1]);
    let well = -4.0 * (d2 - 8.0 * d1 + 16.0) + 0.9 * (d4 - 16.0 * d3 + 96.0 * d2 - 256.0 * d1 + 256.0);
    let energy = printed(&output, "mean energy");
    assert!((energy[0] - 6.0 * well).abs() < 4.0 * energy[1], "{energy:?}, exact {}", 6.0 * well);
    let effective = printed(&output, "effective sample size");
    assert!(effective[0] > 100.0 && effective[0] < 200_000.0, "{effective:?}"); // enough for log Z's error bar
    let log_z = printed(&output, "log Z");
    assert_eq!(log_z[2], 29.66723);
    assert!((log_z[0] - log_z[2]).abs() < 4.0 * log_z[1], "{log_z:?}");
}

#[test]
fn the_example_explains_failures() {
    let program = compile("examples/c/dw4.c", "dw4_failures", &[]);
    let mut bytes = scaling_model();
    bytes.truncate(100);
    let path = scratch("truncated.eqf");
    std::fs::write(&path, bytes).unwrap();
    let explain = |arguments: &[&std::ffi::OsStr]| {
        let output = run(&program).args(arguments).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(explain(&[path.as_os_str()]).contains("model file: length"));
    assert!(explain(&["no such file".as_ref()]).contains("cannot read no such file"));
    assert!(explain(&[]).contains("usage"));
}

/// `train::certify` has other factorisations for determinants and singular values.
#[test]
fn the_certificate_in_c_is_that_of_rust() {
    const SAMPLES: usize = 40;
    let program = compile("examples/c/certify.c", "certify", &[]);
    let model = root().join("tests/models/dw4-trained.eqf");
    let output = succeed(run(&program).arg(&model).args([&SAMPLES.to_string(), "5", "20"])).stdout;
    let output = String::from_utf8(output).unwrap();
    let arrays = common::models::Parameters::trained();
    let plan: Plan<f64, Vec<Block>> = Plan::allocate(&arrays.model(), &Config::dopri5(1e-6, 1e-7)).unwrap();
    let mut x = vec![0.0; SAMPLES * 8];
    plan.sample(5, 0, &mut x, None, &mut plan.allocate_workspace(SAMPLES).unwrap()).unwrap();
    let parameters = eqflow::train::Parameters::from_model(&arrays.model());
    let want = eqflow::train::certify(&parameters, &x, 20, &Default::default()).unwrap();
    let difference = want.difference.unwrap();
    for (label, want) in [("grid minus converged", difference), ("round trip", want.round_trip)] {
        let found = printed(&output, label);
        let [low, .., high] = want.quantiles;
        for (found, want) in found.iter().zip([want.mean, want.standard_error, low, high]) {
            assert!((found - want).abs() < 1e-6 * want.abs().max(1e-3), "{label}: {found}, not {want}");
        }
        assert_eq!(found.len(), 4);
    }
    let singular = printed(&output, "least singular value")[0];
    assert!((singular / want.least_singular_value - 1.0).abs() < 1e-6, "{output}");
    assert_eq!(printed(&output, "folded"), [want.folded as f64]);
}

/// Compiles the README's program with this library and runs it with a model where it looks for one; the program and the
/// log-density that it prints.
fn run_program_of_the_readme(library: &Path, name: &str, golden: &Golden) -> (PathBuf, f64) {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let program = readme.split("```c\n").nth(1).unwrap().split("```").next().unwrap();
    let source = scratch(&format!("{name}.c"));
    std::fs::write(&source, program).unwrap();
    let options = ["-std=c11", "-s", "-Wl,--gc-sections"];
    let program = compile_with(library, source.to_str().unwrap(), name, &options);
    let folder = scratch(&format!("{name}-out"));
    std::fs::create_dir_all(folder.join("out/dw4")).unwrap();
    std::fs::write(folder.join("out/dw4/dw4.eqf"), model_file(&golden.model())).unwrap();
    let output = succeed(run(&program).current_dir(folder)).stdout;
    (program, printed(&String::from_utf8(output).unwrap(), "log p =")[0])
}

#[test]
fn the_program_in_the_readme_runs_and_prints_the_rust_numbers() {
    let golden = Golden::load("dw4_normalized");
    let (_, got) = run_program_of_the_readme(library(), "readme", &golden);
    let plan: Plan<f64, Vec<Block>> = Plan::allocate(&golden.model(), &Config::default()).unwrap();
    let (mut x, mut log_prob) = ([0.0; 8], [0.0]);
    let mut work = plan.allocate_workspace(1).unwrap();
    plan.sample(1, 0, &mut x, Some(&mut log_prob), &mut work).unwrap();
    assert_eq!(got.to_bits(), log_prob[0].to_bits());
}

/// The README's program only samples. With one instruction set it takes less than 300 KiB, and prints the same.
#[test]
fn one_instruction_set_makes_a_small_program_with_the_same_bits() {
    let baseline = build("baseline", "capi,panic-handler", &["--cfg", "eqf_baseline"]);
    let golden = Golden::load("dw4_normalized");
    let (program, got) = run_program_of_the_readme(&baseline, "readme-small", &golden);
    let (_, want) = run_program_of_the_readme(library(), "readme-large", &golden);
    assert_eq!(got.to_bits(), want.to_bits());
    let size = std::fs::metadata(program).unwrap().len();
    println!("{size} bytes");
    // A sanitizer needs more.
    if std::env::var_os("EQFLOW_C_FLAGS").is_none() {
        assert!(size < 300 * 1024, "{size} bytes");
    }
}

#[test]
fn the_header_compiles_as_cpp() {
    if Command::new("g++").arg("--version").output().is_err() {
        eprintln!("no g++ here: not checked");
        return;
    }
    let source = scratch("header.cpp");
    std::fs::write(&source, "#include \"eqflow.h\"\nint main() { return eqf_abi() == EQF_ABI ? 0 : 1; }\n")
        .unwrap();
    succeed(
        Command::new("g++")
            .args(["-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only", "-I"])
            .arg(root().join("include"))
            .arg(&source),
    );
}

/// Links everything that the header declares into one object and looks at what it still wants.
#[test]
fn the_library_needs_nothing_but_memory_functions() {
    let header = std::fs::read_to_string(root().join("include/eqflow.h")).unwrap();
    let declared = header.lines().filter(|line| !line.starts_with("//")).filter_map(|line| {
        let before = line.split('(').next().filter(|_| line.contains('('))?;
        before.rsplit([' ', '*']).next().filter(|name| name.starts_with("eqf_"))
    });
    let roots: Vec<String> = declared.map(|name| format!("-Wl,-u,{name}")).collect();
    assert!(roots.len() >= 40, "{roots:?}");
    let object = scratch("all.so");
    succeed(Command::new("cc").args(["-shared", "-nostdlib", "-o"]).arg(&object).args(&roots).arg(library()));
    let undefined = succeed(Command::new("nm").args(["-D", "-u"]).arg(&object)).stdout;
    for line in String::from_utf8(undefined).unwrap().lines() {
        let symbol = line.split_whitespace().next_back().unwrap_or_default();
        assert!(["memcpy", "memmove", "memset", "memcmp", "bcmp"].contains(&symbol), "{line}");
    }
    let defined = succeed(Command::new("nm").args(["-D", "--defined-only"]).arg(&object)).stdout;
    let defined = String::from_utf8(defined).unwrap();
    for root in roots {
        let name = root.trim_start_matches("-Wl,-u,");
        assert!(defined.lines().any(|line| line.ends_with(&format!(" {name}"))), "{name} is not exported");
    }
}
