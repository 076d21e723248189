//! Compiled radial functions against the sums that they stand for, and when a plan has them.
#![cfg(feature = "std")]

mod common;

use common::Golden;
use common::cases::{Flow, Rng, distance, largest, latent, narrow, widen};
use common::models::Parameters;
use eqflow::error::{Argument, Error, Status};
use eqflow::field::Shape;
use eqflow::flow::{Block, Config, Plan, RadialPath};
use eqflow::lanes::{Isa, Real};
use eqflow::radial::{Accuracy, Basis, Cells};

const STEPS: usize = 2;
const STAGES: usize = 2 * STEPS + 1;

/// How much larger an error between the checked points (the cells' left ends) may be than the largest there.
const BETWEEN: f64 = 1.5;

/// A unit in the last place of 1, halved: one rounding.
fn rounding<R: Real>() -> f64 {
    (0.5_f64).powi(R::MANTISSA_BITS as i32 + 1)
}

fn config(tolerance: f64) -> Config {
    Config { table_tolerance: tolerance, ..Config::rk4(STEPS).with_radial(RadialPath::Compiled) }
}

fn compiled<R: Real>(parameters: &Parameters, tolerance: f64) -> Result<Plan<R, Vec<Block>>, Error> {
    Plan::allocate(&parameters.model(), &config(tolerance))
}

fn exact<R: Real>(parameters: &Parameters) -> Plan<R, Vec<Block>> {
    Plan::allocate(&parameters.model(), &Config::rk4(STEPS).with_radial(RadialPath::Exact)).unwrap()
}

/// phi and phi' at a stage.
fn stage_phi<R: Real>(plan: &Plan<R, Vec<Block>>, stage: usize, d: &[R]) -> (Vec<R>, Vec<R>) {
    let (mut phi, mut slope) = (vec![R::default(); d.len()], vec![R::default(); d.len()]);
    plan.stage_phi(stage, d, &mut phi, Some(&mut slope)).unwrap();
    (phi, slope)
}

/// The next floating-point number up (`by` = 1) or down (-1).
fn neighbour<R: Real>(d: R, by: i64) -> R {
    if d.to_f64() > 0.0 { R::from_bits(d.bits().wrapping_add_signed(by)) } else { d }
}

/// Left end of a cell, and its width, in units of d.
fn cell(cells: &Cells, index: usize) -> (f64, f64) {
    let cell = cells.cell(index);
    (cell.start / cells.scale, cell.width / cells.scale)
}

/// Points beyond the table's end.
fn far<R: Real>() -> Vec<R> {
    let points = [1e3, 1e6, 1e18, 1e36, 1e150, 1e300, R::MAX.to_f64()];
    points.into_iter().filter(|&d| d <= R::MAX.to_f64()).map(R::from_f64).collect()
}

/// Zero, 20 points a cell, every boundary with its neighbours, and points far beyond the end.
fn distances<R: Real>(cells: &Cells) -> Vec<R> {
    let mut points = vec![R::from_f64(0.0)];
    for index in 0..=cells.count {
        let (start, width) = cell(cells, index);
        points.extend([-1, 0, 1].map(|by| neighbour(R::from_f64(start), by)));
        points.extend((0..20).map(|k| R::from_f64(start + (f64::from(k) + 0.5) / 20.0 * width)));
    }
    points.extend(far::<R>());
    points
}

/// What a table's values differ by from the sum in double precision, over all stages and distances: absolute, and
/// the largest magnitudes of the sum.
#[derive(Default)]
struct Measured {
    phi_error: f64,
    /// Of d phi'.
    slope_error: f64,
    largest_phi: f64,
    largest_slope: f64,
    /// Where `phi_error` is.
    distance: f64,
    stage: usize,
}

impl Measured {
    fn relative(&self) -> f64 {
        if self.phi_error == 0.0 { 0.0 } else { self.phi_error / self.largest_phi }
    }
}

fn measure<R: Real>(plan: &Plan<R, Vec<Block>>, reference: &Plan<f64, Vec<Block>>, d: &[R]) -> Measured {
    let mut measured = Measured::default();
    let wide = widen(d);
    for stage in 0..STAGES {
        let (phi, slope) = stage_phi(plan, stage, d);
        let (want, want_slope) = stage_phi(reference, stage, &wide);
        for (i, &d) in wide.iter().enumerate() {
            let error = (phi[i].to_f64() - want[i]).abs();
            let slope_error = d * (slope[i].to_f64() - want_slope[i]).abs();
            assert!(error.is_finite() && slope_error.is_finite(), "{} {} at {d:e}", phi[i], slope[i]);
            if error > measured.phi_error {
                (measured.phi_error, measured.distance, measured.stage) = (error, d, stage);
            }
            measured.slope_error = measured.slope_error.max(slope_error);
            measured.largest_phi = measured.largest_phi.max(want[i].abs());
            measured.largest_slope = measured.largest_slope.max((d * want_slope[i]).abs());
        }
    }
    measured
}

/// Compares a table with the sum: `false` where it is refused.
///
/// Rounding: in single precision the constant coefficient and the last addition of the polynomial round, half a unit
/// in the last place each, and leave little to the others; in double precision so do the sums of the reference.
fn check_accuracy<R: Real>(parameters: &Parameters, tolerance: f64) -> bool {
    let what = format!("{} {} {tolerance:e}", parameters.name, R::MANTISSA_BITS);
    let plan = match compiled::<R>(parameters, tolerance) {
        Ok(plan) => plan,
        Err(error) => {
            assert_eq!((error.status, error.argument), (Status::Unsupported, Argument::TableTolerance));
            return false;
        }
    };
    let (cells, accuracy) = (plan.cells().unwrap(), plan.table_accuracy().unwrap());
    let d = distances::<R>(&cells);
    let measured = measure(&plan, &exact::<f64>(parameters), &d);
    let Accuracy { phi_error, slope_error, largest_phi, largest_slope } = accuracy;
    println!(
        "{what:50} {:6} cells, phi {:8.2e} at {:.4} stage {} (reported {:8.2e}), d phi' {:8.2e} of {:.2} \
         (reported {:8.2e})",
        cells.count,
        measured.relative(),
        measured.distance,
        measured.stage,
        accuracy.relative(),
        measured.slope_error,
        measured.largest_slope,
        slope_error
    );
    let single = R::MANTISSA_BITS < 52;
    let roundings = if single { 2.1 } else { 64.0 } * rounding::<R>() * measured.largest_phi;
    let bar = if single { tolerance.max(BETWEEN * phi_error) + roundings } else { tolerance * measured.largest_phi };
    assert!(accuracy.relative() <= tolerance, "{what}: reported {:e}", accuracy.relative());
    assert!(measured.phi_error <= bar, "{what}: {:e} at {}", measured.relative(), measured.distance);
    assert!(
        measured.phi_error <= BETWEEN * phi_error + roundings,
        "{what}: {:e}, reported {phi_error:e}",
        measured.phi_error
    );
    // A rounding of phi, or of y, a cell's width away from the next is one of 2^split in d phi'.
    let slope_roundings = 4.0 * (cells.split as f64).exp2() * rounding::<R>() * measured.largest_phi;
    assert!(
        measured.slope_error <= BETWEEN * slope_error + slope_roundings,
        "{what}: slope {:e}, reported {slope_error:e}",
        measured.slope_error
    );
    // The largest magnitudes are those at the left ends.
    assert!(largest_phi <= measured.largest_phi * (1.0 + 1e-6), "{what}");
    assert!(largest_phi >= 0.98 * measured.largest_phi, "{what}: {largest_phi} {}", measured.largest_phi);
    assert!(largest_slope <= measured.largest_slope * (1.0 + 1e-6) + slope_roundings, "{what}");
    check_slopes(&what, &plan, &cells);
    check_boundaries(&what, &plan, &cells, (tolerance + rounding::<R>() * 4.0) * measured.largest_phi);
    check_end(&what, &plan, &cells);
    true
}

/// phi' is the derivative of the polynomials themselves, by central differences of the fourth order in a cell.
fn check_slopes<R: Real>(what: &str, plan: &Plan<R, Vec<Block>>, cells: &Cells) {
    for index in (0..cells.count).step_by(cells.count.div_ceil(500)) {
        let (start, width) = cell(cells, index);
        // Steps and points that floating-point numbers hold exactly.
        let h = (width / 32.0).log2().floor().exp2();
        let middle = ((start + 0.5 * width) / h).round() * h;
        let points: [R; 5] = std::array::from_fn(|k| R::from_f64(middle + h * (k as f64 - 2.0)));
        let exact = points.iter().enumerate().all(|(k, p)| p.to_f64() == middle + h * (k as f64 - 2.0));
        assert!(exact || R::MANTISSA_BITS < 52, "{what}");
        if !exact {
            continue;
        }
        for stage in [0, STAGES / 2, STAGES - 1] {
            let (phi, slope) = stage_phi(plan, stage, &points);
            let phi = widen(&phi);
            let difference = (phi[0] - 8.0 * phi[1] + 8.0 * phi[3] - phi[4]) / (12.0 * h);
            let slope = slope[2].to_f64();
            // Roundings of phi, and of y, divided by h; the formula's own error is h^4 phi^(5) / 30.
            let roundings = 4.0 * rounding::<R>() * (largest(&phi) + middle * slope.abs()) / h;
            let bar = roundings + 1e-6 * phi.iter().fold(0.0_f64, |m, p| m.max((p - phi[2]).abs())) / h;
            assert!((difference - slope).abs() <= bar, "{what} at {middle}: {difference} {slope} {bar:e}");
        }
    }
}

/// The polynomials of neighbouring cells meet.
fn check_boundaries<R: Real>(what: &str, plan: &Plan<R, Vec<Block>>, cells: &Cells, bar: f64) {
    let boundary = |index| R::from_f64(cell(cells, index).0);
    let d: Vec<R> =
        (1..=cells.count).flat_map(|index| [-2, -1, 0, 1, 2].map(|by| neighbour(boundary(index), by))).collect();
    for stage in 0..STAGES {
        let (phi, slope) = stage_phi(plan, stage, &d);
        for i in (0..d.len()).step_by(5) {
            let (phi, slope) = (widen(&phi[i..i + 5]), widen(&slope[i..i + 5]));
            let travelled = (d[i + 4].to_f64() - d[i].to_f64()) * largest(&slope);
            let low = phi.iter().fold(f64::INFINITY, |a, &b| a.min(b));
            let high = phi.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
            assert!(high - low <= bar + travelled, "{what} at {}: {phi:?} {bar:e} {travelled:e}", d[i]);
        }
    }
}

/// Beyond the last cell phi is constant to the bit, and its slope zero.
fn check_end<R: Real>(what: &str, plan: &Plan<R, Vec<Block>>, cells: &Cells) {
    let (start, width) = cell(cells, cells.count);
    let mut d = vec![R::from_f64(start + 1e-3 * width), R::from_f64(start + width), R::from_f64(start + 2.0 * width)];
    d.extend(far::<R>().into_iter().filter(|d| d.to_f64() > start + 2.0 * width));
    for stage in 0..STAGES {
        let (phi, slope) = stage_phi(plan, stage, &d);
        assert!(phi.iter().all(|p| p.bits() == phi[0].bits()), "{what}: {phi:?}");
        assert!(slope.iter().all(|s| s.to_f64() == 0.0), "{what}: {slope:?}");
    }
}

/// Every precision and tolerance that is asked for; returns those that are refused.
fn refused(parameters: &Parameters) -> Vec<&'static str> {
    let results = [
        ("f64 1e-12", check_accuracy::<f64>(parameters, 1e-12)),
        ("f64 1e-9", check_accuracy::<f64>(parameters, 1e-9)),
        ("f64 1e-6", check_accuracy::<f64>(parameters, 1e-6)),
        ("f32 1e-7", check_accuracy::<f32>(parameters, 1e-7)),
    ];
    results.into_iter().filter(|(_, met)| !met).map(|(name, _)| name).collect()
}
