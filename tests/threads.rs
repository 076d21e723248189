//! Batches on several threads: the bits and the errors of the serial calls.
#![cfg(feature = "parallel")]

mod common;

use common::Golden;
use common::cases::{Flow, Rng, latent, narrow};
use eqflow::error::{Argument, Error, Status};
use eqflow::flow::{Block, Config, Integrator, Inverse, LogDet, Plan, Precision, RadialPath};
use rayon::ThreadPool;

/// A call on a batch.
#[derive(Clone, Copy, Debug)]
enum Call {
    Forward,
    Inverse,
    LogProb,
    Score,
    Sample,
    Field,
}

const CALLS: [Call; 6] =
    [Call::Forward, Call::Inverse, Call::LogProb, Call::Score, Call::Sample, Call::Field];

/// Where a call is made.
enum Place<'a> {
    Serial(&'a mut [Block]),
    Pool,
    Threads(usize, &'a mut [Block]),
}

/// Makes `call` with the input `x`, on the outputs `y` (`[n][N][D]`) and `s` (`[n]`).
macro_rules! make {
    ($call:expr, $calls:expr, $x:expr, $y:expr, $s:expr $(, $work:expr)?) => {
        match $call {
            Call::Forward => $calls.forward($x, $y, Some($s) $(, $work)?),
            Call::Inverse => $calls.inverse($x, $y, Some($s) $(, $work)?),
            Call::LogProb => $calls.log_prob($x, $s, None $(, $work)?),
            Call::Score => $calls.log_prob($x, $s, Some($y) $(, $work)?),
            Call::Sample => $calls.sample(9, u64::MAX - 5, $y, Some($s) $(, $work)?),
            Call::Field => $calls.field(R::from_f64(0.3), $x, $y, Some($s) $(, $work)?),
        }
    };
}

/// The outputs of a call, as bits, and how it ended; they hold -7 before.
fn run<R: Precision>(
    plan: &Plan<R, Vec<Block>>,
    call: Call,
    x: &[R],
    place: Place<'_>,
) -> (Vec<u64>, Result<(), Error>) {
    let n = x.len() / plan.shape().coordinates();
    let (mut y, mut s) = (vec![R::from_f64(-7.0); x.len()], vec![R::from_f64(-7.0); n]);
    let result = match place {
        Place::Serial(work) => make!(call, plan, x, &mut y, &mut s, work),
        Place::Pool => make!(call, plan.parallel(), x, &mut y, &mut s),
        Place::Threads(threads, work) => {
            plan.on_threads(threads, work).and_then(|calls| make!(call, calls, x, &mut y, &mut s))
        }
    };
    (y.iter().chain(&s).map(|v| v.to_f64().to_bits()).collect(), result)
}

fn pools() -> Vec<ThreadPool> {
    [1, 2, 3].map(|n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap()).into()
}

fn work_on_threads<R: Precision>(plan: &Plan<R, Vec<Block>>, n: usize, threads: usize) -> Vec<Block> {
    vec![Block::default(); plan.workspace_extent_on_threads(n, threads).unwrap()]
}

/// Everywhere the same as from the serial call.
fn compare<R: Precision>(
    what: &str,
    flow: &Flow<R>,
    pools: &[ThreadPool],
    call: Call,
    x: &[R],
) -> Result<(), Error> {
    let n = flow.count(x);
    let plan = &flow.plan;
    let serial = run(plan, call, x, Place::Serial(&mut flow.work(n)));
    for pool in pools {
        let got = pool.install(|| run(plan, call, x, Place::Pool));
        assert!(
            got == serial,
            "{what} {call:?} {n} on a pool of {}: {:?}",
            pool.current_num_threads(),
            got.1
        );
    }
    for threads in [1, 2, 3, 7] {
        let got = run(plan, call, x, Place::Threads(threads, &mut work_on_threads(plan, n, threads)));
        assert!(got == serial, "{what} {call:?} {n} on {threads} threads: {:?}", got.1);
    }
    serial.1
}

fn check<R: Precision>(name: &'static str, config: Config) {
    let golden = Golden::load(name);
    let flow = Flow::<R>::new(&golden, config);
    let pools = pools();
    for n in [0, 1, 3, 7, 64, 1000] {
        let x = narrow::<R>(&latent(golden.shape, n, &mut Rng(41)));
        for call in CALLS {
            compare(name, &flow, &pools, call, &x).unwrap();
        }
    }
}

const ADAPTIVE: Config = Config::dopri5(1e-3, 1e-4);

#[test]
fn threads_change_no_bit_of_compiled_radial_functions() {
    check::<f64>("dw4_normalized", Config::rk4(4));
    check::<f32>("dw4_normalized", Config::rk4(4));
    check::<f64>("lj13_normalized", Config::rk4(1));
}

#[test]
fn threads_change_no_bit_of_exact_radial_functions() {
    let config = Config { radial: RadialPath::Exact, ..Config::rk4(2) };
    check::<f64>("dw4_gaussian", config);
    check::<f32>("dw4_gaussian", config);
}

#[test]
fn threads_change_no_bit_of_adaptive_steps() {
    check::<f64>("dw4_normalized", ADAPTIVE);
    check::<f32>("dw4_normalized", ADAPTIVE);
}

#[test]
fn threads_change_no_bit_of_exact_inverses() {
    let config = Config::rk4(2).with_inverse(Inverse::Exact);
    check::<f64>("dw4_normalized", config);
    check::<f32>("dw4_normalized", config);
    check::<f32>("lj13_normalized", Config { integrator: Integrator::Rk4 { steps: 1 }, ..config });
}

#[test]
fn threads_change_no_bit_of_jacobian_log_determinants() {
    let golden = Golden::load("dw4_normalized");
    let config = Config::rk4(2).with_log_det(LogDet::Jacobian).with_inverse(Inverse::Exact);
    let flow = Flow::<f64>::new(&golden, config);
    let pools = pools();
    for n in [0, 7, 300] {
        let x = latent(golden.shape, n, &mut Rng(45));
        for call in CALLS {
            let result = compare("jacobian", &flow, &pools, call, &x);
            let unsupported = Error::new(Status::Unsupported, Argument::Gradient, 0.0);
            assert_eq!(result.err(), matches!(call, Call::Score).then_some(unsupported));
        }
    }
}

/// With too few steps for some samples the first of them is named, whatever thread it is on, and nothing is written.
fn check_convergence<R: Precision>() {
    let golden = Golden::load("dw4_normalized");
    let pools = pools();
    let x = narrow::<R>(&latent(golden.shape, 1000, &mut Rng(42)));
    let flow = |max_steps| {
        let integrator = Integrator::Dopri5 { rtol: 1e-6, atol: 1e-7, max_steps };
        Flow::<R>::new(&golden, Config { integrator, ..ADAPTIVE })
    };
    let converges = |flow: Flow<R>| run(&flow.plan, Call::Forward, &x, Place::Pool).1.is_ok();
    let enough = (1..200).find(|&max_steps| converges(flow(max_steps))).unwrap();
    compare("enough", &flow(enough), &pools, Call::Forward, &x).unwrap();
    for fewer in 1..4 {
        let flow = flow(enough - fewer);
        let error = compare("too few", &flow, &pools, Call::Forward, &x).unwrap_err();
        assert_eq!((error.status, error.argument), (Status::Convergence, Argument::Z));
        let (outputs, _) = run(&flow.plan, Call::Forward, &x, Place::Pool);
        assert!(outputs.iter().all(|&bits| bits == (-7.0_f64).to_bits()));
    }
}

#[test]
fn a_sample_that_does_not_converge_is_named_and_nothing_is_written() {
    check_convergence::<f64>();
    check_convergence::<f32>();
}

#[test]
fn inputs_are_checked_as_a_whole() {
    let golden = Golden::load("dw4_normalized");
    let pools = pools();
    for config in [Config::rk4(2), ADAPTIVE] {
        let flow = Flow::<f64>::new(&golden, config);
        let mut x = latent(golden.shape, 500, &mut Rng(43));
        let short = &x.clone()[1..];
        (x[3997], x[3999]) = (f64::INFINITY, f64::NAN);
        for call in CALLS {
            if matches!(call, Call::Sample) {
                continue;
            }
            let error = compare("infinite", &flow, &pools, call, &x).unwrap_err();
            assert_eq!((error.status, error.index), (Status::NonFinite, 3997));
            let error = compare("odd length", &flow, &pools, call, short).unwrap_err();
            assert_eq!((error.status, error.value), (Status::Shape, 8.0));
        }
    }
}

#[test]
fn threads_and_their_workspace_are_checked() {
    let golden = Golden::load("dw4_normalized");
    for config in [Config::rk4(2), ADAPTIVE] {
        let flow = Flow::<f64>::new(&golden, config);
        let x = latent(golden.shape, 100, &mut Rng(44));
        let mut work = work_on_threads(&flow.plan, 100, 3);
        for threads in [0, 1025, usize::MAX] {
            let error = Error::new(Status::Argument, Argument::Threads, threads as f64);
            assert_eq!(flow.plan.workspace_extent_on_threads(100, threads), Err(error));
            assert_eq!(run(&flow.plan, Call::Forward, &x, Place::Threads(threads, &mut work)).1, Err(error));
        }
        let needed = work.len();
        let (outputs, result) = run(&flow.plan, Call::Sample, &x, Place::Threads(3, &mut work[..needed - 1]));
        assert_eq!(result, Err(Error::new(Status::Workspace, Argument::Work, needed as f64)));
        assert!(outputs.iter().all(|&bits| bits == (-7.0_f64).to_bits()));
    }
}

#[test]
fn a_workspace_for_threads_fits_smaller_batches() {
    let golden = Golden::load("lj13_normalized");
    for config in [Config::rk4(2), ADAPTIVE] {
        let plan = Flow::<f32>::new(&golden, config).plan;
        for threads in [1, 2, 5, 64] {
            let mut before = 0;
            for n in 0..300 {
                let extent = plan.workspace_extent_on_threads(n, threads).unwrap();
                assert!(extent >= before, "{n} samples on {threads} threads");
                before = extent;
            }
        }
        assert_eq!(plan.workspace_extent_on_threads(77, 1), plan.workspace_extent(77));
    }
}
