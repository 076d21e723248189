//! Every bad input names itself (status, argument, index, value) and leaves all outputs as they were.

mod common;

use common::Golden;
use common::cases::{Flow, Rng, latent, narrow};
use eqflow::error::{Argument, Error, Status};
use eqflow::field::Shape;
use eqflow::flow::{
    Block, Config, Integrator, Model, Plan, Precision, Reals, read_model, write_model, written_length,
};
use eqflow::potential::{DoubleWell, LennardJones};

const ADAPTIVE: Config = Config::dopri5(1e-5, 1e-5);
const BAD: [f64; 3] = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
/// What outputs hold before a call that must not touch them.
const SENTINEL: f64 = 123.25;

#[track_caller]
fn assert_error(got: Result<(), Error>, status: Status, argument: Argument, index: usize, value: f64) {
    let error = got.expect_err("an error");
    assert_eq!((error.status, error.argument, error.index), (status, argument, index), "{error}");
    let same = error.value == value || (error.value.is_nan() && value.is_nan());
    assert!(same, "{error}: value {} and not {value}", error.value);
}

/// Outputs of a call: arrays of a batch and scalars a sample.
struct Outputs<R> {
    arrays: Vec<R>,
    scalars: Vec<R>,
}

impl<R: Precision> Outputs<R> {
    fn new(arrays: usize, scalars: usize) -> Self {
        let sentinel = R::from_f64(SENTINEL);
        Outputs { arrays: vec![sentinel; arrays], scalars: vec![sentinel; scalars] }
    }

    #[track_caller]
    fn assert_untouched(&self) {
        assert!(self.arrays.iter().chain(&self.scalars).all(|v| v.to_f64() == SENTINEL));
    }
}

/// The calls that take configurations: name of the input, of the array output, of the scalars, and the call.
type Call<R> = fn(&Flow<R>, &[R], &mut Outputs<R>, &mut [Block]) -> Result<(), Error>;

fn calls<R: Precision>() -> [([Argument; 3], Call<R>); 5] {
    use Argument::{Divergence, Gradient, LogDet, LogProb, Velocity, X, Z};
    [
        ([Z, X, LogDet], |f, x, o, w| f.plan.forward(x, &mut o.arrays, Some(&mut o.scalars), w)),
        ([X, Z, LogDet], |f, x, o, w| f.plan.inverse(x, &mut o.arrays, Some(&mut o.scalars), w)),
        ([X, Gradient, LogProb], |f, x, o, w| f.plan.log_prob(x, &mut o.scalars, Some(&mut o.arrays), w)),
        ([X, Velocity, Divergence], |f, x, o, w| {
            f.plan.field(R::from_f64(0.5), x, &mut o.arrays, Some(&mut o.scalars), w)
        }),
        ([X, X, LogProb], |f, _, o, w| f.plan.sample(1, 0, &mut o.arrays, Some(&mut o.scalars), w)),
    ]
}

fn for_each_call<R: Precision>(mut check: impl FnMut(&Flow<R>, &[R], [Argument; 3], Call<R>)) {
    let golden = Golden::load("dw4_normalized");
    let x = narrow::<R>(&latent(golden.shape, 6, &mut Rng(1)));
    for config in [Config::rk4(3), ADAPTIVE] {
        let flow = Flow::<R>::new(&golden, config);
        for (names, call) in calls::<R>() {
            check(&flow, &x, names, call);
        }
    }
}

fn non_finite_configurations<R: Precision>() {
    for_each_call::<R>(|flow, x, [input, array, _], call| {
        if input == array {
            return; // `sample` has no input
        }
        for bad in BAD {
            for index in [0, 17, x.len() - 1] {
                let mut x = x.to_vec();
                x[index] = R::from_f64(bad);
                let mut out = Outputs::new(x.len(), 6);
                let result = call(flow, &x, &mut out, &mut flow.work(6));
                assert_error(result, Status::NonFinite, input, index, bad);
                out.assert_untouched();
            }
        }
    });
}

#[test]
fn non_finite_configurations_are_named() {
    non_finite_configurations::<f64>();
    non_finite_configurations::<f32>();
}

fn wrong_lengths<R: Precision>() {
    for_each_call::<R>(|flow, x, [input, array, scalar], call| {
        let run = |x: &[R], arrays: usize, scalars: usize, argument: Argument, value: usize| {
            let mut out = Outputs::new(arrays, scalars);
            let result = call(flow, x, &mut out, &mut flow.work(6));
            assert_error(result, Status::Shape, argument, 0, value as f64);
            out.assert_untouched();
        };
        if input != array {
            run(&x[..47], 48, 6, input, 8);
            run(x, 47, 6, array, 48);
            run(x, 49, 6, array, 48);
            run(x, 0, 6, array, 48);
        } else {
            run(x, 47, 5, array, 40);
        }
        run(x, 48, 5, scalar, 6);
        run(x, 48, 7, scalar, 6);
    });
}

#[test]
fn wrong_lengths_name_the_array_and_the_length_it_should_have() {
    wrong_lengths::<f64>();
    wrong_lengths::<f32>();
}

/// Memory whose doubles are all the sentinel.
fn sentinels(blocks: usize) -> Vec<Block> {
    let mut memory = vec![Block::default(); blocks];
    Block::reals_mut::<f64>(&mut memory).fill(SENTINEL);
    memory
}

fn short_memory<R: Precision>() {
    for_each_call::<R>(|flow, x, _, call| {
        let needed = flow.plan.workspace_extent(6).unwrap();
        for length in [0, 1, needed - 1] {
            let mut out = Outputs::new(x.len(), 6);
            let result = call(flow, x, &mut out, &mut flow.work(6)[..length]);
            assert_error(result, Status::Workspace, Argument::Work, 0, needed as f64);
            out.assert_untouched();
        }
        call(flow, x, &mut Outputs::new(x.len(), 6), &mut flow.work(6)[..needed]).unwrap();
    });
    for golden in Golden::all() {
        for config in [Config::rk4(3), ADAPTIVE] {
            let needed = Plan::<R, ()>::extent(&golden.model(), &config).unwrap();
            let mut memory = sentinels(needed);
            for length in [0, needed - 1] {
                let result = Plan::<R, _>::new(&golden.model(), &config, &mut memory[..length]).map(|_| ());
                assert_error(result, Status::Workspace, Argument::Memory, 0, needed as f64);
                assert!(memory == sentinels(needed));
            }
            Plan::<R, _>::new(&golden.model(), &config, &mut memory[..]).unwrap();
        }
    }
}

#[test]
fn short_memory_says_how_much_it_takes() {
    short_memory::<f64>();
    short_memory::<f32>();
}

#[test]
fn the_workspace_of_an_absurd_batch_is_an_error() {
    let flow = Flow::<f64>::new(&Golden::load("dw4_gaussian"), ADAPTIVE);
    let result = flow.plan.workspace_extent(usize::MAX).map(|_| ());
    assert_error(result, Status::Shape, Argument::Count, 0, usize::MAX as f64);
}

fn bad_times_and_distances<R: Precision>() {
    let golden = Golden::load("dw4_normalized");
    let flow = Flow::<R>::new(&golden, Config::rk4(3));
    let x = narrow::<R>(&latent(golden.shape, 2, &mut Rng(2)));
    let times = BAD.map(|t| (t, Status::NonFinite)).into_iter();
    for (t, status) in times.chain([-0.125, 1.25].map(|t| (t, Status::Argument))) {
        let mut out = Outputs::new(x.len(), 2);
        let time = R::from_f64(t);
        let result = flow.plan.field(time, &x, &mut out.arrays, Some(&mut out.scalars), &mut flow.work(2));
        assert_error(result, status, Argument::Time, 0, t);
        let result = flow.plan.radial(time, &[R::default(); 2], &mut out.scalars, None);
        assert_error(result, status, Argument::Time, 0, t);
        out.assert_untouched();
    }
    let distances = BAD.map(|d| (d, Status::NonFinite)).into_iter();
    for (bad, status) in distances.chain([(-0.5, Status::Argument)]) {
        for index in [0, 11] {
            let mut d = vec![R::from_f64(1.0); 12];
            d[index] = R::from_f64(bad);
            let mut out = Outputs::new(12, 12);
            let result = flow.plan.radial(R::from_f64(0.5), &d, &mut out.arrays, Some(&mut out.scalars));
            assert_error(result, status, Argument::Distance, index, bad);
            out.assert_untouched();
        }
    }
    for (phi, slope, argument) in [(3, 4, Argument::Phi), (4, 5, Argument::PhiSlope)] {
        let mut out = Outputs::<R>::new(phi, slope);
        let d = [R::default(); 4];
        let result = flow.plan.radial(R::from_f64(0.5), &d, &mut out.arrays, Some(&mut out.scalars));
        assert_error(result, Status::Shape, argument, 0, 4.0);
        out.assert_untouched();
    }
}

#[test]
fn bad_times_and_distances_are_named() {
    bad_times_and_distances::<f64>();
    bad_times_and_distances::<f32>();
}

/// One configuration far out does not converge in the steps that the others need.
fn step_limit<R: Precision>() {
    let golden = Golden::load("dw4_normalized");
    let needs = |x: &[R]| {
        (1..1000).find(|&max_steps| {
            let integrator = Integrator::Dopri5 { rtol: 1e-5, atol: 1e-5, max_steps };
            let flow = Flow::<R>::new(&golden, Config { integrator, ..Config::default() });
            let mut out = Outputs::new(8, 1);
            calls::<R>()[0].1(&flow, x, &mut out, &mut flow.work(1)).is_ok()
        })
    };
    let x = latent(golden.shape, 11, &mut Rng(3));
    // One far out, beyond the first vector of samples, has the fastest field and takes the most steps.
    let mut x = narrow::<R>(&x);
    x[9 * 8..10 * 8].iter_mut().for_each(|c| *c = R::from_f64(3.0 * c.to_f64()));
    let steps: Vec<usize> = x.chunks(8).map(|x| needs(x).unwrap()).collect();
    let most = *steps.iter().max().unwrap();
    let slow = steps.iter().position(|&s| s == most).unwrap();
    let integrator = Integrator::Dopri5 { rtol: 1e-5, atol: 1e-5, max_steps: most - 1 };
    let flow = Flow::<R>::new(&golden, Config { integrator, ..Config::default() });
    let mut out = Outputs::new(x.len(), 11);
    let error = calls::<R>()[0].1(&flow, &x, &mut out, &mut flow.work(11)).unwrap_err();
    assert_eq!((error.status, error.argument, error.index), (Status::Convergence, Argument::Z, slow));
    assert!(error.value > 0.0 && error.value < 1.0, "{error}: the time reached");
    out.assert_untouched();
    assert_eq!(slow, 9, "{steps:?}: choose another seed");
}

#[test]
fn running_out_of_steps_names_the_sample_and_writes_nothing() {
    step_limit::<f64>();
    step_limit::<f32>();
}

#[test]
fn every_call_reports_running_out_of_steps() {
    let golden = Golden::load("dw4_normalized");
    let integrator = Integrator::Dopri5 { rtol: 1e-9, atol: 1e-9, max_steps: 2 };
    let flow = Flow::<f64>::new(&golden, Config { integrator, ..Config::default() });
    let x = latent(golden.shape, 6, &mut Rng(1));
    for ([input, array, _], call) in calls::<f64>() {
        let mut out = Outputs::new(x.len(), 6);
        let result = call(&flow, &x, &mut out, &mut flow.work(6));
        if array == Argument::Velocity {
            result.unwrap(); // one evaluation, no steps
        } else {
            let error = result.unwrap_err();
            assert_eq!((error.status, error.argument, error.index), (Status::Convergence, input, 0));
            out.assert_untouched();
        }
    }
}

/// A model that owns its arrays, to damage one at a time.
#[derive(Clone)]
struct Owned {
    arrays: [Vec<f64>; 7],
    shape: Shape,
    eps: f64,
}

const ARRAYS: [Argument; 7] = [
    Argument::Weights,
    Argument::Bias,
    Argument::Importance,
    Argument::Mu,
    Argument::Gamma,
    Argument::MuTime,
    Argument::GammaTime,
];

impl Owned {
    fn new() -> Self {
        let golden = Golden::load("dw4_normalized");
        let model = golden.model();
        Owned {
            arrays: model.arrays().map(|(_, a)| a.unwrap().iter().collect()),
            shape: model.shape,
            eps: model.eps,
        }
    }

    fn model(&self) -> Model<'_> {
        let [weights, bias, importance, mu, gamma, mu_time, gamma_time] =
            self.arrays.each_ref().map(|a| Reals::Native(a));
        Model {
            basis: eqflow::radial::Basis::Normalized,
            shape: self.shape,
            weights,
            bias: Some(bias),
            importance: Some(importance),
            mu,
            gamma,
            mu_time,
            gamma_time,
            eps: self.eps,
        }
    }
}

/// Everything that takes a model refuses it in the same way, and writes nothing.
#[track_caller]
fn assert_model_refused(model: &Model<'_>, status: Status, argument: Argument, index: usize, value: f64) {
    let config = Config::rk4(2);
    assert_error(model.check(), status, argument, index, value);
    assert_error(Plan::<f64, ()>::extent(model, &config).map(|_| ()), status, argument, index, value);
    let mut memory = sentinels(100_000);
    assert_error(
        Plan::<f64, _>::new(model, &config, &mut memory[..]).map(|_| ()),
        status,
        argument,
        index,
        value,
    );
    assert!(memory == sentinels(100_000));
    let mut bytes = vec![7_u8; 100_000];
    assert_error(write_model(model, &mut bytes).map(|_| ()), status, argument, index, value);
    assert!(bytes.iter().all(|b| *b == 7));
}

#[test]
fn non_finite_parameters_are_named() {
    for bad in BAD {
        for (a, argument) in ARRAYS.into_iter().enumerate() {
            let last = Owned::new().arrays[a].len() - 1;
            for index in [0, last] {
                let mut owned = Owned::new();
                owned.arrays[a][index] = bad;
                assert_model_refused(&owned.model(), Status::NonFinite, argument, index, bad);
            }
        }
        let owned = Owned { eps: bad, ..Owned::new() };
        assert_model_refused(&owned.model(), Status::NonFinite, Argument::Eps, 0, bad);
    }
}

#[test]
fn parameters_out_of_range_are_named() {
    for (a, argument) in [(4, Argument::Gamma), (6, Argument::GammaTime)] {
        for bad in [0.0, -0.25] {
            let mut owned = Owned::new();
            owned.arrays[a][2] = bad;
            assert_model_refused(&owned.model(), Status::Model, argument, 2, bad);
        }
    }
    let owned = Owned { eps: -1e-9, ..Owned::new() };
    assert_model_refused(&owned.model(), Status::Model, Argument::Eps, 0, -1e-9);
}

#[test]
fn wrong_model_sizes_are_named() {
    let shape = |particles, dimension| Shape { particles, dimension };
    for (shape, argument, value) in [
        (shape(0, 2), Argument::NParticles, 0.0),
        (shape(65_537, 2), Argument::NParticles, 65_537.0),
        (shape(4, 0), Argument::Dimension, 0.0),
        (shape(4, 4), Argument::Dimension, 4.0),
    ] {
        let owned = Owned { shape, ..Owned::new() };
        assert_model_refused(&owned.model(), Status::Shape, argument, 0, value);
    }
    for (a, argument) in [(3, Argument::NRadial), (5, Argument::NTime)] {
        let mut owned = Owned::new();
        owned.arrays[a].clear();
        assert_model_refused(&owned.model(), Status::Shape, argument, 0, 0.0);
    }
    // mu and mu_time set M and L; every other array must fit.
    for (a, argument) in [0, 1, 2, 4, 6].map(|a| (a, ARRAYS[a])) {
        let mut owned = Owned::new();
        let right = owned.arrays[a].len();
        owned.arrays[a].push(1.0);
        assert_model_refused(&owned.model(), Status::Shape, argument, 0, right as f64);
    }
}

#[test]
fn parameters_that_overflow_the_plan_are_named() {
    for (a, argument, value) in [
        (0, Argument::Weights, 1e300),
        (3, Argument::Mu, -1e39),
        (4, Argument::Gamma, 1e-45),
        (6, Argument::GammaTime, 1e-300),
    ] {
        let mut owned = Owned::new();
        owned.arrays[a][3] = value;
        let result = Plan::<f32, _>::allocate(&owned.model(), &Config::rk4(2)).map(|_| ());
        assert_error(result, Status::NonFinite, argument, 3, value);
        Plan::<f64, _>::allocate(&owned.model(), &Config::rk4(2)).unwrap();
    }
}

#[test]
fn bad_configurations_are_named() {
    let golden = Golden::load("dw4_normalized");
    let adaptive = |rtol, atol, max_steps| Integrator::Dopri5 { rtol, atol, max_steps };
    let mut cases = vec![
        (Integrator::Rk4 { steps: 0 }, Status::Argument, Argument::Steps, 0.0),
        (Integrator::Rk4 { steps: 65_537 }, Status::Argument, Argument::Steps, 65_537.0),
        (adaptive(-1e-3, 1e-3, 10), Status::Argument, Argument::Rtol, -1e-3),
        (adaptive(1e-3, 0.0, 10), Status::Argument, Argument::Atol, 0.0),
        (adaptive(1e-3, -1e-3, 10), Status::Argument, Argument::Atol, -1e-3),
        (adaptive(1e-3, 1e-3, 0), Status::Argument, Argument::MaxSteps, 0.0),
    ];
    for bad in BAD {
        cases.push((adaptive(bad, 1e-3, 10), Status::NonFinite, Argument::Rtol, bad));
        cases.push((adaptive(1e-3, bad, 10), Status::NonFinite, Argument::Atol, bad));
    }
    for (integrator, status, argument, value) in cases {
        let config = Config { integrator, ..Config::default() };
        assert_error(config.check(), status, argument, 0, value);
        let mut memory = sentinels(100_000);
        let result = Plan::<f64, _>::new(&golden.model(), &config, &mut memory[..]).map(|_| ());
        assert_error(result, status, argument, 0, value);
        assert!(memory == sentinels(100_000));
    }
}

#[test]
fn tolerances_that_single_precision_cannot_hold_are_named() {
    let golden = Golden::load("dw4_normalized");
    for (rtol, atol, status, argument, value) in [
        (1e-3, 1e-60, Status::Argument, Argument::Atol, 1e-60),
        (1e-3, 1e60, Status::NonFinite, Argument::Atol, 1e60),
        (1e60, 1e-3, Status::NonFinite, Argument::Rtol, 1e60),
    ] {
        let config = Config::dopri5(rtol, atol);
        let result = Plan::<f32, _>::allocate(&golden.model(), &config).map(|_| ());
        assert_error(result, status, argument, 0, value);
        Plan::<f64, _>::allocate(&golden.model(), &config).unwrap();
    }
}

#[test]
fn bad_potential_parameters_are_named() {
    let well = DoubleWell::<f64>::dw4();
    let cluster = LennardJones::<f64>::lj13();
    well.check().unwrap();
    cluster.check().unwrap();
    let non_finite = BAD.map(|bad| (bad, Status::NonFinite));
    for (bad, status) in non_finite {
        for (broken, argument) in [
            (DoubleWell { a: bad, ..well }, Argument::WellA),
            (DoubleWell { b: bad, ..well }, Argument::WellB),
            (DoubleWell { c: bad, ..well }, Argument::WellC),
            (DoubleWell { d0: bad, ..well }, Argument::WellD0),
        ] {
            assert_error(broken.check(), status, argument, 0, bad);
        }
        for (broken, argument) in [
            (LennardJones { epsilon: bad, ..cluster }, Argument::Epsilon),
            (LennardJones { oscillator: bad, ..cluster }, Argument::Oscillator),
        ] {
            assert_error(broken.check(), status, argument, 0, bad);
        }
    }
    for (bad, status) in non_finite.into_iter().chain([0.0, -1.0].map(|bad| (bad, Status::Argument))) {
        assert_error(DoubleWell { tau: bad, ..well }.check(), status, Argument::Tau, 0, bad);
        assert_error(LennardJones { tau: bad, ..cluster }.check(), status, Argument::Tau, 0, bad);
        assert_error(LennardJones { r_m: bad, ..cluster }.check(), status, Argument::RMin, 0, bad);
    }
}

#[test]
fn a_short_file_buffer_says_how_much_it_takes() {
    let owned = Owned::new();
    let needed = written_length(&owned.model());
    let mut bytes = vec![7_u8; needed];
    let result = write_model(&owned.model(), &mut bytes[..needed - 1]).map(|_| ());
    assert_error(result, Status::Workspace, Argument::Bytes, 0, needed as f64);
    assert!(bytes.iter().all(|b| *b == 7));
    assert_eq!(write_model(&owned.model(), &mut bytes).unwrap(), needed);
    read_model(&bytes).unwrap();
}
