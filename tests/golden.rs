//! Every array of the golden vectors against the core, in f64 and f32.

mod common;

use common::{Golden, assert_close, numbers};
use eqflow::flow::{Block, Config, Plan};
use eqflow::lanes::Real;
use eqflow::potential::{DoubleWell, LennardJones, Potential};

/// Tolerances relative to an array's largest magnitude.
struct Tolerance {
    value: f64,
    ode: f64,
}

trait Precision: eqflow::flow::Precision {
    const TOLERANCE: Tolerance;
    const ADAPTIVE: Config;
}

impl Precision for f64 {
    const TOLERANCE: Tolerance = Tolerance { value: 1e-10, ode: 1e-8 };
    const ADAPTIVE: Config = Config::dopri5(1e-11, 1e-11);
}

impl Precision for f32 {
    const TOLERANCE: Tolerance = Tolerance { value: 2e-5, ode: 2e-5 };
    const ADAPTIVE: Config = Config::dopri5(3e-7, 3e-7);
}

fn narrow<R: Real>(values: &[f64]) -> Vec<R> {
    values.iter().map(|&v| R::from_f64(v)).collect()
}

fn widen<R: Real>(values: &[R]) -> Vec<f64> {
    values.iter().map(|v| v.to_f64()).collect()
}

fn zeros<R: Real>(n: usize) -> Vec<R> {
    vec![R::default(); n]
}

fn plan<R: Precision>(golden: &Golden, config: Config) -> (Plan<R, Vec<Block>>, Vec<Block>) {
    let plan = Plan::allocate(&golden.model(), &config).unwrap();
    let work = plan.allocate_workspace(4).unwrap();
    (plan, work)
}

fn radial<R: Precision>(golden: &Golden) {
    let (plan, _) = plan::<R>(golden, Config::default());
    for case in golden.json["radial"].as_array().unwrap() {
        let t = case["t"].as_f64().unwrap();
        let d = narrow::<R>(&numbers(&case["d"]));
        let (mut phi, mut dphi) = (zeros(d.len()), zeros(d.len()));
        plan.radial(R::from_f64(t), &d, &mut phi, Some(&mut dphi)).unwrap();
        let what = format!("{} radial t={t}", golden.name);
        assert_close(&format!("{what} phi"), &widen(&phi), &numbers(&case["phi"]), R::TOLERANCE.value);
        assert_close(&format!("{what} dphi"), &widen(&dphi), &numbers(&case["dphi"]), R::TOLERANCE.value);
    }
}

fn field<R: Precision>(golden: &Golden) {
    let (plan, mut work) = plan::<R>(golden, Config::default());
    for case in golden.json["field"].as_array().unwrap() {
        let t = case["t"].as_f64().unwrap();
        let x = narrow::<R>(&numbers(&case["x"]));
        let want_div = numbers(&case["div"]);
        let (mut v, mut div) = (zeros(x.len()), zeros(want_div.len()));
        plan.field(R::from_f64(t), &x, &mut v, Some(&mut div), &mut work).unwrap();
        let what = format!("{} field t={t}", golden.name);
        assert_close(&format!("{what} v"), &widen(&v), &numbers(&case["v"]), R::TOLERANCE.value);
        assert_close(&format!("{what} div"), &widen(&div), &want_div, R::TOLERANCE.value);
    }
}

fn flow<R: Precision>(golden: &Golden) {
    let (fixed, mut work) = plan::<R>(golden, Config::default());
    let z = golden.array("flow.z");
    let n = golden.array("flow.log_det").len();
    let check = |what: &str, got: &[R], path: &str, tolerance: f64| {
        assert_close(&format!("{} {what}", golden.name), &widen(got), &golden.array(path), tolerance);
    };
    let (mut x, mut log_det) = (zeros::<R>(z.len()), zeros::<R>(n));
    fixed.forward(&narrow::<R>(&z), &mut x, Some(&mut log_det), &mut work).unwrap();
    check("x", &x, "flow.x", R::TOLERANCE.value);
    check("log_det", &log_det, "flow.log_det", R::TOLERANCE.value);

    let x_golden = narrow::<R>(&golden.array("flow.x"));
    let mut back = zeros::<R>(z.len());
    fixed.inverse(&x_golden, &mut back, Some(&mut log_det), &mut work).unwrap();
    check("z_back", &back, "flow.z_back", R::TOLERANCE.value);
    check("log_det_back", &log_det, "flow.log_det_back", R::TOLERANCE.value);

    let prior: Vec<R> = narrow::<R>(&z)
        .chunks(golden.shape.coordinates())
        .map(|z| eqflow::particles::prior_log_prob(golden.shape, z))
        .collect();
    check("prior_log_prob_z", &prior, "flow.prior_log_prob_z", R::TOLERANCE.value);
    fixed.forward(&narrow::<R>(&z), &mut x, Some(&mut log_det), &mut work).unwrap();
    let log_prob: Vec<R> = prior.iter().zip(&log_det).map(|(&p, &l)| p - l).collect();
    check("log_prob_x", &log_prob, "flow.log_prob_x", R::TOLERANCE.value);

    let (adaptive, mut work) = plan::<R>(golden, R::ADAPTIVE);
    adaptive.forward(&narrow::<R>(&z), &mut x, Some(&mut log_det), &mut work).unwrap();
    check("x_ode", &x, "flow.x_ode", R::TOLERANCE.ode);
    check("log_det_ode", &log_det, "flow.log_det_ode", R::TOLERANCE.ode);
}

fn density<R: Precision>(golden: &Golden) {
    let (plan, mut work) = plan::<R>(golden, Config::default());
    let x = narrow::<R>(&golden.array("density.x"));
    let n = golden.array("density.log_prob").len();
    let (mut z, mut log_det, mut log_prob) = (zeros::<R>(x.len()), zeros::<R>(n), zeros::<R>(n));
    plan.inverse(&x, &mut z, Some(&mut log_det), &mut work).unwrap();
    plan.log_prob(&x, &mut log_prob, None, &mut work).unwrap();
    for (got, path) in [(&z, "density.z"), (&log_det, "density.log_det"), (&log_prob, "density.log_prob")] {
        assert_close(
            &format!("{} {path}", golden.name),
            &widen(got),
            &golden.array(path),
            R::TOLERANCE.value,
        );
    }
}

fn potential<R: Precision>(golden: &Golden) {
    let params = &golden.json["potential"]["params"];
    let param = |key: &str| R::from_f64(params[key].as_f64().unwrap());
    let coordinates = golden.shape.coordinates();
    let x = narrow::<R>(&golden.array("potential.x"));
    let (mut u, mut grad) = (Vec::new(), zeros::<R>(x.len()));
    for (x, grad) in x.chunks(coordinates).zip(grad.chunks_mut(coordinates)) {
        u.push(match golden.json["potential"]["kind"].as_str().unwrap() {
            "double_well" => {
                DoubleWell { a: param("a"), b: param("b"), c: param("c"), d0: param("d0"), tau: param("tau") }
                    .energy(golden.shape, x, Some(grad))
            }
            _ => LennardJones {
                epsilon: param("epsilon"),
                r_m: param("r_m"),
                oscillator: param("oscillator"),
                tau: param("tau"),
            }
            .energy(golden.shape, x, Some(grad)),
        });
    }
    assert_close(&format!("{} u", golden.name), &widen(&u), &golden.array("potential.u"), R::TOLERANCE.value);
    let want = golden.array("potential.grad");
    assert_close(&format!("{} grad u", golden.name), &widen(&grad), &want, R::TOLERANCE.value);
}

macro_rules! both_precisions {
    ($($check:ident),*) => { $(
        mod $check {
            use super::*;

            #[test]
            fn f64() {
                Golden::all().for_each(|golden| super::$check::<f64>(&golden));
            }

            #[test]
            fn f32() {
                Golden::all().for_each(|golden| super::$check::<f32>(&golden));
            }
        }
    )* };
}

both_precisions!(radial, field, flow, density, potential);
