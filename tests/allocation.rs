//! The core allocates nothing: a counting allocator sees no call while it works.

mod common;

use common::Golden;
use common::cases::narrow;
use eqflow::field::Shape;
use eqflow::flow::{
    Block, Config, Inverse, LogDet, Model, Plan, Precision, RadialPath, read_model, write_model,
    written_length,
};
use eqflow::lanes::{Isa, Lanes, Real};
use eqflow::mcmc::metropolis_step;
use eqflow::particles::{prior_log_prob, remove_com};
use eqflow::potential::{DoubleWell, LennardJones, Potential};
use eqflow::random::{Normals, Purpose, Stream, prior_sample};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    // Counts one thread's calls only: the test harness allocates on others.
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

fn count() {
    CALLS.with(|calls| calls.set(calls.get() + 1));
}

struct Counting;

// SAFETY: every call is handed on unchanged to the system's allocator; the counter is a constant-initialised
// thread-local without destructor, which does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's guarantees are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count();
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Calls to the allocator while `run` works.
fn calls_during<T>(run: impl FnOnce() -> T) -> usize {
    let before = CALLS.get();
    std::hint::black_box(run());
    CALLS.get() - before
}

#[track_caller]
fn assert_none<T>(what: &str, run: impl FnOnce() -> T) -> T {
    let before = CALLS.get();
    let result = std::hint::black_box(run());
    assert_eq!(CALLS.get() - before, 0, "{what}: calls to the allocator");
    result
}

#[test]
fn the_counter_counts() {
    assert!(calls_during(|| vec![1.0_f64; 100]) >= 2, "allocate and free");
    assert!(calls_during(|| Box::new(1_u8)) >= 2);
    assert_eq!(calls_during(|| 1 + 1), 0);
}

struct Arrays<R> {
    x: Vec<R>,
    moved: Vec<R>,
    scalars: Vec<R>,
    more: Vec<R>,
}

fn plan_calls<R: Precision>(model: &Model<'_>, config: Config, arrays: &mut Arrays<R>) {
    let extent = assert_none("extent", || Plan::<R, ()>::extent(model, &config).unwrap());
    let mut memory = vec![Block::default(); extent];
    let mut plan = assert_none("plan", || Plan::<R, _>::new(model, &config, &mut memory[..]).unwrap());
    assert_none("regrid", || plan.regrid(&[0.0, 0.1, 0.4, 0.7, 1.0]).is_ok());
    let n = arrays.scalars.len();
    let extent = assert_none("workspace extent", || plan.workspace_extent(n).unwrap());
    let mut work = vec![Block::default(); extent];
    let Arrays { x, moved, scalars, more } = arrays;
    let t = R::from_f64(0.3);
    assert_none("forward", || plan.forward(x, moved, Some(scalars), &mut work).unwrap());
    assert_none("inverse", || plan.inverse(x, moved, Some(scalars), &mut work).unwrap());
    assert_none("log_prob", || plan.log_prob(x, scalars, None, &mut work).unwrap());
    let score = assert_none("score", || plan.log_prob(x, scalars, Some(moved), &mut work));
    assert_eq!(score.is_ok(), config.log_det == LogDet::Trace);
    let k = model.shape.free_dimension();
    let mut jacobian = vec![R::from_f64(0.0); n * k * k];
    let matrices = assert_none("jacobian", || plan.jacobian(x, &mut jacobian, &mut work));
    assert_eq!(matrices.is_ok(), config.log_det == LogDet::Jacobian);
    assert_none("field", || plan.field(t, x, moved, Some(scalars), &mut work).unwrap());
    assert_none("sample", || plan.sample(1, 2, moved, Some(scalars), &mut work).unwrap());
    for x in x.iter_mut().filter(|x| x.to_f64() < 0.0) {
        *x = -*x;
    }
    assert_none("radial", || plan.radial(t, x, moved, Some(more)).unwrap());
    // An adaptive plan has no stages: an error, which allocates nothing either.
    assert_none("stage phi", || plan.stage_phi(0, x, moved, Some(more)).is_ok());
    moved[0] = R::from_f64(f64::NAN);
    assert_none("an error", || plan.forward(moved, x, None, &mut work).unwrap_err());
}

/// Compiled, exact and adaptive plans, and every rung of the exactness ladder, on every instruction set.
fn configurations() -> Vec<Config> {
    let plain = [
        Config::rk4(4).with_radial(RadialPath::Compiled),
        Config::rk4(4).with_radial(RadialPath::Exact),
        Config::dopri5(1e-4, 1e-4),
        Config::rk4(4).with_inverse(Inverse::Exact),
        Config::rk4(4).with_log_det(LogDet::Jacobian),
        Config::rk4(4).with_log_det(LogDet::Jacobian).with_inverse(Inverse::Exact),
    ];
    let available = Isa::ALL.into_iter().filter(|isa| isa.is_available());
    let chosen = available.flat_map(|isa| plain.map(|config| config.with_isa(isa)));
    chosen.chain([Config::rk4(4)]).collect()
}

fn check_plans<R: Precision>() {
    for golden in Golden::all() {
        for config in configurations() {
            let x = narrow::<R>(&golden.array("density.x"));
            let n = x.len() / golden.shape.coordinates();
            let mut arrays = Arrays { moved: x.clone(), scalars: narrow(&vec![0.0; n]), more: x.clone(), x };
            plan_calls(&golden.model(), config, &mut arrays);
        }
    }
}

#[test]
fn plans_allocate_nothing() {
    check_plans::<f64>();
    check_plans::<f32>();
}

#[test]
fn model_files_allocate_nothing() {
    for golden in Golden::all() {
        let model = golden.model();
        let mut bytes = vec![0; assert_none("length", || written_length(&model))];
        assert_none("write", || write_model(&model, &mut bytes).unwrap());
        let read = assert_none("read", || read_model(&bytes).unwrap());
        assert_eq!(read.n_radial(), model.n_radial());
        bytes[70] ^= 1;
        assert_none("damaged", || read_model(&bytes).unwrap_err());
    }
}

fn check_potential<V: Lanes>(shape: Shape, potential: &impl Potential<V>) {
    let mut stream = |i: usize| Normals::new(Stream::new(5, Purpose::Chain, i as u64));
    let mut random: Vec<Normals> = (0..V::WIDTH).map(&mut stream).collect();
    let mut x = vec![V::zero(); shape.coordinates()];
    let (mut gradient, mut proposal) = (x.clone(), x.clone());
    let mut scalars: Vec<V::Real> = vec![V::Real::default(); shape.coordinates()];
    assert_none("prior sample", || prior_sample(shape, &mut random[0], &mut scalars));
    for (x, &value) in x.iter_mut().zip(&scalars) {
        *x = V::splat(value);
    }
    let mut energy = assert_none("energy", || potential.energy(shape, &x, None));
    assert_none("gradient", || potential.energy(shape, &x, Some(&mut gradient)));
    assert_none("prior log-density", || prior_log_prob(shape, &x));
    assert_none("centre of mass", || remove_com(shape, &mut x, &mut [V::zero(); 3]));
    let step = V::Real::from_f64(0.1);
    assert_none("Metropolis", || {
        metropolis_step(potential, shape, step, &mut x, &mut energy, &mut random, &mut proposal)
    });
}

#[test]
fn potentials_priors_and_metropolis_steps_allocate_nothing() {
    let shape = Shape { particles: 4, dimension: 2 };
    check_potential::<wide::f64x4>(shape, &DoubleWell::dw4());
    check_potential::<wide::f32x8>(shape, &DoubleWell::dw4());
    check_potential::<wide::f64x4>(shape, &LennardJones::lj13());
    check_potential::<wide::f32x8>(shape, &LennardJones::lj13());
}
