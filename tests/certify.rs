//! The certificate: honest models pass, what a coarse grid does to a stiff one is seen and named.
#![cfg(feature = "std")]

mod common;

use common::models::Parameters as Arrays;
use eqflow::error::{Argument, Status};
use eqflow::field::Shape;
use eqflow::flow::{Block, Config, LogDet, Plan};
use eqflow::radial::Basis;
use eqflow::random::{Normals, Purpose, Stream};
use eqflow::train::{CertifyTolerances, Group, Honesty, Parameters, certify, likelihood};

const TOLERANCES: CertifyTolerances = CertifyTolerances { gap: 0.02, round_trip: 0.01 };

fn trained() -> Parameters {
    Parameters::from_model(&Arrays::trained().model())
}

/// Samples 0, 1, ... of seed 3 by `config`.
fn samples(parameters: &Parameters, config: &Config, n: usize) -> Vec<f64> {
    let plan: Plan<f64, Vec<Block>> = parameters.with_model(|model| Plan::allocate(model, config)).unwrap();
    let mut x = vec![0.0; n * plan.shape().coordinates()];
    plan.sample(3, 0, &mut x, None, &mut plan.allocate_workspace(n).unwrap()).unwrap();
    x
}

#[test]
fn a_trained_flow_is_honest_on_eighty_steps_and_the_mean_is_the_gap_of_its_likelihood() {
    const STEPS: usize = 80;
    let parameters = trained();
    let x = samples(&parameters, &Config::dopri5(1e-8, 1e-8), 200);
    let certificate = certify(&parameters, &x, STEPS, &TOLERANCES).unwrap();
    let found = likelihood(&parameters, &x, STEPS).unwrap();
    let difference = certificate.difference.unwrap();
    assert_eq!((certificate.honesty, certificate.folded, certificate.samples), (Honesty::Honest, 0, 200));
    assert!((difference.mean - found.gap()).abs() < 1e-12, "{difference:?} {found:?}");
    assert!(difference.quantiles.is_sorted() && difference.standard_error > 0.0);
    assert!(
        certificate.round_trip.mean > 0.0 && certificate.round_trip.quantiles.is_sorted(),
        "{certificate:?}"
    );
    assert!(certificate.least_singular_value > 0.0, "{certificate:?}");
    // A tolerance below what the grid does is not met.
    let strict = CertifyTolerances { gap: 0.5 * difference.mean.abs(), ..TOLERANCES };
    assert_eq!(certify(&parameters, &x, STEPS, &strict).unwrap().honesty, Honesty::Gap);
    let nothing = CertifyTolerances { gap: f64::NAN, ..TOLERANCES };
    assert_eq!(certify(&parameters, &x, STEPS, &nothing).unwrap().honesty, Honesty::Gap);
}

#[test]
fn a_coarse_grid_is_caught() {
    let parameters = trained();
    let x = samples(&parameters, &Config::rk4(3), 100);
    let certificate = certify(&parameters, &x, 3, &TOLERANCES).unwrap();
    assert_ne!(certificate.honesty, Honesty::Honest, "{certificate:?}");
    let difference = certificate.difference.unwrap();
    assert!(difference.mean.abs() > 0.02 || certificate.round_trip.mean > 0.01, "{certificate:?}");
}

/// For two particles on a line the map is a function of one number, whose slope finite differences give.
#[test]
fn a_map_that_folds_is_named() {
    let line = Shape { particles: 2, dimension: 1 };
    let mut folding = Parameters::identity(Basis::Normalized, line, (20, 6.0, 0.4), (3, 0.5));
    let mut normals = Normals::new(Stream::new(1, Purpose::Prior, 0));
    folding.group_mut(Group::Weights).iter_mut().for_each(|w| *w = 3.0 * normals.next_normal());
    let plan: Plan<f64, Vec<Block>> =
        folding.with_model(|model| Plan::allocate(model, &Config::rk4(2))).unwrap();
    let mut work = plan.allocate_workspace(2).unwrap();
    let mut slope_at_preimage = |x: f64| {
        let (h, mut z, mut image) = (1e-6, [0.0; 2], [0.0; 4]);
        plan.inverse(&[x, -x], &mut z, None, &mut work).unwrap();
        plan.forward(&[z[0] + h, z[1] - h, z[0] - h, z[1] + h], &mut image, None, &mut work).unwrap();
        (image[0] - image[2]) / (2.0 * h)
    };
    let x = (1..400).map(|i| 0.01 * f64::from(i)).find(|&x| slope_at_preimage(x) < -0.1).expect("a fold");
    let certificate = certify(&folding, &[x, -x], 2, &TOLERANCES).unwrap();
    assert_eq!((certificate.honesty, certificate.folded), (Honesty::Folded, 1), "{certificate:?}");
}

#[test]
fn the_singular_value_of_two_particles_on_a_line_is_the_determinant() {
    let golden = common::Golden::load("pair_1d");
    let parameters = Parameters::from_model(&golden.model());
    let z = golden.array("flow.z");
    for z in z.chunks(2) {
        let config = Config::rk4(20).with_log_det(LogDet::Jacobian);
        let plan: Plan<f64, Vec<Block>> =
            parameters.with_model(|model| Plan::allocate(model, &config)).unwrap();
        let (mut x, mut log_det, mut work) = ([0.0; 2], [0.0], plan.allocate_workspace(1).unwrap());
        plan.forward(z, &mut x, Some(&mut log_det), &mut work).unwrap();
        let certificate = certify(&parameters, &x, 20, &TOLERANCES).unwrap();
        let want = log_det[0].exp();
        let found = certificate.least_singular_value;
        // Taken where the backward grid leads, a round trip away.
        assert!((found - want).abs() < 1e-4 * want, "{found}, not {want}");
    }
}

#[test]
fn a_field_too_stiff_to_integrate_is_a_verdict_and_bad_input_an_error() {
    let mut stiff = trained();
    stiff.group_mut(Group::Weights).iter_mut().for_each(|w| *w *= 1e6);
    let x = samples(&trained(), &Config::rk4(20), 4);
    let certificate = certify(&stiff, &x, 20, &TOLERANCES).unwrap();
    assert_eq!(certificate.honesty, Honesty::Stiff, "{certificate:?}");
    for (bad, status) in
        [(&x[..0], Status::Shape), (&x[..3], Status::Shape), (&[f64::NAN; 8][..], Status::NonFinite)]
    {
        let error = certify(&trained(), bad, 20, &TOLERANCES).unwrap_err();
        assert_eq!((error.status, error.argument), (status, Argument::X));
    }
    let single = Shape { particles: 1, dimension: 3 };
    let alone = Parameters::identity(Basis::Gaussian, single, (4, 4.0, 1.0), (2, 0.5));
    assert_eq!(certify(&alone, &[0.0; 3], 20, &TOLERANCES).unwrap().honesty, Honesty::Honest);
}
