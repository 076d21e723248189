//! The divergence in other ways than its closed form.

mod common;

use common::Golden;
use common::cases::{Rng, latent};
use eqflow::error::{Argument, Status};
use eqflow::flow::{Block, Config, Plan};
use eqflow::train::{Probe, Tangent};

const TIMES: [f64; 3] = [0.0, 0.37, 1.0];

fn plan(golden: &Golden) -> Plan<f64, Vec<Block>> {
    Plan::allocate(&golden.model(), &Config::default()).unwrap()
}

/// J, column by column.
fn jacobian(tangent: &Tangent) -> Vec<Vec<f64>> {
    let n = tangent.shape().coordinates();
    let column = |c: usize| {
        let (mut unit, mut column) = (vec![0.0; n], vec![0.0; n]);
        unit[c] = 1.0;
        tangent.derivative(&unit, &mut column);
        column
    };
    (0..n).map(column).collect()
}

#[test]
fn brute_force_and_both_closed_forms_agree() {
    for golden in Golden::all() {
        let plan = plan(&golden);
        let coordinates = plan.shape().coordinates();
        let x = latent(plan.shape(), 5, &mut Rng(3));
        let mut work = plan.allocate_workspace(1).unwrap();
        for (x, t) in x.chunks_exact(coordinates).flat_map(|x| TIMES.map(|t| (x, t))) {
            let (mut v, mut div) = (vec![0.0; coordinates], [0.0]);
            plan.field(t, x, &mut v, Some(&mut div), &mut work).unwrap();
            let tangent = Tangent::new(&plan, t, x).unwrap();
            let columns = jacobian(&tangent);
            // What adds up to the divergence, were nothing to cancel.
            let scale: f64 = (0..coordinates).map(|c| columns[c][c].abs()).sum();
            for (what, value) in
                [("brute force", tangent.brute_force()), ("closed form", tangent.closed_form())]
            {
                assert!(
                    (value - div[0]).abs() <= 1e-12 * scale,
                    "{}: {what} {value} {}",
                    golden.name,
                    div[0]
                );
            }
        }
    }
}

#[test]
fn forward_differentiation_is_the_derivative_of_the_field() {
    for golden in Golden::all() {
        let plan = plan(&golden);
        let (coordinates, mut rng, h) = (plan.shape().coordinates(), Rng(4), 1e-5);
        let x = latent(plan.shape(), 1, &mut rng);
        let w = rng.direction(coordinates);
        let mut work = plan.allocate_workspace(1).unwrap();
        let mut field = |sign: f64| {
            let x: Vec<f64> = x.iter().zip(&w).map(|(x, w)| x + sign * h * w).collect();
            let mut v = vec![0.0; coordinates];
            plan.field(0.37, &x, &mut v, None, &mut work).unwrap();
            v
        };
        let (left, right) = (field(-1.0), field(1.0));
        let mut derivative = vec![0.0; coordinates];
        Tangent::new(&plan, 0.37, &x).unwrap().derivative(&w, &mut derivative);
        let scale = derivative.iter().fold(1e-3_f64, |a, d| a.max(d.abs()));
        for c in 0..coordinates {
            let difference = (right[c] - left[c]) / (2.0 * h);
            assert!(
                (derivative[c] - difference).abs() < 1e-6 * scale,
                "{}: {} {difference}",
                golden.name,
                derivative[c]
            );
        }
    }
}

#[test]
fn hutchinson_is_unbiased_with_the_variance_of_theory() {
    let plan = plan(&Golden::load("dw4_normalized"));
    let x = latent(plan.shape(), 1, &mut Rng(5));
    let tangent = Tangent::new(&plan, 0.37, &x).unwrap();
    let columns = jacobian(&tangent);
    let size = columns.len();
    let symmetric = |r: usize, c: usize| 0.5 * (columns[c][r] + columns[r][c]);
    let square: f64 = (0..size * size).map(|k| symmetric(k / size, k % size).powi(2)).sum();
    let diagonal: f64 = (0..size).map(|c| symmetric(c, c).powi(2)).sum();
    let draws = 40_000;
    for (probe, variance) in [(Probe::Rademacher, 2.0 * (square - diagonal)), (Probe::Normal, 2.0 * square)] {
        let mut e = vec![0.0; size];
        let errors: Vec<f64> = (0..draws)
            .map(|index| {
                probe.draw(6, index, &mut e);
                tangent.hutchinson(&e) - tangent.brute_force()
            })
            .collect();
        let moment = |k: i32| errors.iter().map(|error| error.powi(k)).sum::<f64>() / draws as f64;
        let standard_error = (moment(2) / draws as f64).sqrt();
        assert!(moment(1).abs() < 4.0 * standard_error, "{probe:?}: {} +- {standard_error}", moment(1));
        let standard_error = ((moment(4) - moment(2).powi(2)) / draws as f64).sqrt();
        assert!(
            (moment(2) - variance).abs() < 4.0 * standard_error,
            "{probe:?}: {} +- {standard_error}, not {variance}",
            moment(2)
        );
    }
}

#[test]
fn probes_depend_on_seed_and_index_alone() {
    let draw = |probe: Probe, seed, index| {
        let mut e = [0.0; 8];
        probe.draw(seed, index, &mut e);
        e
    };
    for probe in [Probe::Rademacher, Probe::Normal] {
        assert_eq!(draw(probe, 1, 2), draw(probe, 1, 2));
        assert_ne!(draw(probe, 1, 2), draw(probe, 1, 3));
        assert_ne!(draw(probe, 1, 2), draw(probe, 2, 2));
    }
}

#[test]
fn coincident_particles_are_differentiated_and_bad_input_is_named() {
    let plan = plan(&Golden::load("dw4_gaussian"));
    let tangent = Tangent::new(&plan, 0.5, &[0.3; 8]).unwrap();
    let (mut phi, mut work) = ([0.0], plan.allocate_workspace(1).unwrap());
    plan.radial(0.5, &[0.0], &mut phi, None).unwrap();
    // Twelve ordered pairs of D phi(0).
    assert!((tangent.brute_force() - 24.0 * phi[0]).abs() < 1e-12 * phi[0].abs());
    let (mut v, mut div) = ([0.0; 8], [0.0]);
    plan.field(0.5, &[0.3; 8], &mut v, Some(&mut div), &mut work).unwrap();
    assert!((tangent.brute_force() - div[0]).abs() < 1e-12 * div[0].abs());

    let refused = |t: f64, x: &[f64]| {
        let error = Tangent::new(&plan, t, x).unwrap_err();
        (error.status, error.argument)
    };
    assert_eq!(refused(0.5, &[0.0; 7]), (Status::Shape, Argument::X));
    assert_eq!(refused(0.5, &[f64::NAN; 8]), (Status::NonFinite, Argument::X));
    assert_eq!(refused(1.5, &[0.0; 8]), (Status::Argument, Argument::Time));
}
