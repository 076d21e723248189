//! Compiled radial functions against the sums that they stand for, and when a plan has them.
#![cfg(feature = "std")]

mod common;

use common::Golden;
use common::cases::{Flow, Rng, distance, largest, latent, narrow, widen};
use common::models::Parameters;
use eqflow::error::{Argument, Error, Status};
use eqflow::field::Shape;
use eqflow::flow::{Block, Config, Plan, Precision, RadialPath};
use eqflow::lanes::Isa;
use eqflow::radial::{Accuracy, Basis, Cells};

const STEPS: usize = 2;
const STAGES: usize = 2 * STEPS + 1;

/// How much larger an error of the slope between the checked points (the cells' left ends) may be than the largest there.
const BETWEEN: f64 = 1.5;

/// A unit in the last place of 1, halved: one rounding.
fn rounding<R: Precision>() -> f64 {
    (0.5_f64).powi(R::MANTISSA_BITS as i32 + 1)
}

fn config(tolerance: f64) -> Config {
    Config { table_tolerance: tolerance, ..Config::rk4(STEPS).with_radial(RadialPath::Compiled) }
}

fn compiled<R: Precision>(parameters: &Parameters, tolerance: f64) -> Result<Plan<R, Vec<Block>>, Error> {
    Plan::allocate(&parameters.model(), &config(tolerance))
}

fn exact<R: Precision>(parameters: &Parameters) -> Plan<R, Vec<Block>> {
    Plan::allocate(&parameters.model(), &Config::rk4(STEPS).with_radial(RadialPath::Exact)).unwrap()
}

/// phi and phi' at a stage.
fn stage_phi<R: Precision>(plan: &Plan<R, Vec<Block>>, stage: usize, d: &[R]) -> (Vec<R>, Vec<R>) {
    let (mut phi, mut slope) = (vec![R::default(); d.len()], vec![R::default(); d.len()]);
    plan.stage_phi(stage, d, &mut phi, Some(&mut slope)).unwrap();
    (phi, slope)
}

/// The next floating-point number up (`by` = 1) or down (-1).
fn neighbour<R: Precision>(d: R, by: i64) -> R {
    if d.to_f64() > 0.0 { R::from_bits(d.bits().wrapping_add_signed(by)) } else { d }
}

/// Left end of a cell, and its width, in units of d.
fn cell(cells: &Cells, index: usize) -> (f64, f64) {
    let cell = cells.cell(index);
    (cell.start / cells.scale, cell.width / cells.scale)
}

/// Points beyond the table's end.
fn far<R: Precision>() -> Vec<R> {
    let points = [1e3, 1e6, 1e18, 1e36, 1e150, 1e300, R::MAX.to_f64()];
    points.into_iter().filter(|&d| d <= R::MAX.to_f64()).map(R::from_f64).collect()
}

/// Zero, 20 points a cell and its middle, every boundary with its neighbours, and points far beyond the end.
fn distances<R: Precision>(cells: &Cells) -> Vec<R> {
    let mut points = vec![R::from_f64(0.0)];
    for index in 0..=cells.count {
        let (start, width) = cell(cells, index);
        points.extend([-1, 0, 1].map(|by| neighbour(R::from_f64(start), by)));
        points.extend((0..20).map(|k| R::from_f64(start + (f64::from(k) + 0.5) / 20.0 * width)));
        points.push(R::from_f64(start + 0.5 * width));
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

fn measure<R: Precision>(plan: &Plan<R, Vec<Block>>, reference: &Plan<f64, Vec<Block>>, d: &[R]) -> Measured {
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

/// Compares a table with the sum; what would have been met, or 0, where it is refused.
///
/// Rounding: in single precision the constant coefficient and the last addition of the polynomial round, half a unit
/// in the last place each, and leave little to the others; in double precision so do the sums of the reference.
fn check_accuracy<R: Precision>(parameters: &Parameters, tolerance: f64) -> Option<f64> {
    let what = format!("{} {} {tolerance:e}", parameters.name, R::MANTISSA_BITS);
    let plan = match compiled::<R>(parameters, tolerance) {
        Ok(plan) => plan,
        Err(error) => {
            assert_eq!((error.status, error.argument), (Status::Unsupported, Argument::TableTolerance));
            return Some(error.value);
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
    let bar = if single { tolerance + roundings } else { tolerance * measured.largest_phi };
    assert!(accuracy.relative() <= tolerance, "{what}: reported {:e}", accuracy.relative());
    assert!(measured.phi_error <= bar, "{what}: {:e} at {}", measured.relative(), measured.distance);
    assert!(
        measured.phi_error <= phi_error + roundings,
        "{what}: {:e}, reported {phi_error:e}",
        measured.phi_error
    );
    // A rounding of phi, or of y, a cell's width away from the next is one of d / width in d phi'.
    let widths_away = |index| cell(&cells, index).0 / cell(&cells, index).1;
    let most = (0..cells.count).map(widths_away).fold(1.0, f64::max);
    let slope_roundings = 4.0 * most * rounding::<R>() * measured.largest_phi;
    assert!(
        measured.slope_error <= BETWEEN * slope_error + slope_roundings,
        "{what}: slope {:e}, reported {slope_error:e}",
        measured.slope_error
    );
    // The largest magnitudes are those at the left ends and in the middles.
    assert!(largest_phi <= measured.largest_phi * (1.0 + 1e-6), "{what}");
    assert!(largest_phi >= 0.98 * measured.largest_phi, "{what}: {largest_phi} {}", measured.largest_phi);
    assert!(largest_slope <= measured.largest_slope * (1.0 + 1e-6) + slope_roundings, "{what}");
    check_slopes(&what, &plan, &cells);
    // The tolerance bounds the error on either side, and they may differ in sign.
    let jump = largest_jump(&plan, &cells);
    println!("{what:50} jumps by up to {:8.2e} of the largest phi", jump / measured.largest_phi);
    assert!(
        jump <= (2.0 * tolerance + 4.0 * rounding::<R>()) * measured.largest_phi,
        "{what}: jump {jump:e}"
    );
    check_end(&what, &plan, &cells);
    None
}

/// phi' is the derivative of the polynomials themselves, by central differences of the fourth order in a cell.
fn check_slopes<R: Precision>(what: &str, plan: &Plan<R, Vec<Block>>, cells: &Cells) {
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
            let formula = 1e-2 * plan.table_accuracy().unwrap().phi_error / width;
            let bar =
                roundings + formula + 1e-6 * phi.iter().fold(0.0_f64, |m, p| m.max((p - phi[2]).abs())) / h;
            assert!((difference - slope).abs() <= bar, "{what} at {middle}: {difference} {slope} {bar:e}");
        }
    }
}

/// The largest difference of phi across a boundary of cells, beyond what its slope explains.
fn largest_jump<R: Precision>(plan: &Plan<R, Vec<Block>>, cells: &Cells) -> f64 {
    let boundary = |index| R::from_f64(cell(cells, index).0);
    let around = |index| [-2, -1, 0, 1, 2].map(|by| neighbour(boundary(index), by));
    let d: Vec<R> = (1..=cells.count).flat_map(around).collect();
    let mut jump = 0.0_f64;
    for stage in 0..STAGES {
        let (phi, slope) = stage_phi(plan, stage, &d);
        for i in (0..d.len()).step_by(5) {
            let (phi, slope) = (widen(&phi[i..i + 5]), widen(&slope[i..i + 5]));
            let travelled = (d[i + 4].to_f64() - d[i].to_f64()) * largest(&slope);
            let low = phi.iter().fold(f64::INFINITY, |a, &b| a.min(b));
            let high = phi.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
            jump = jump.max(high - low - travelled);
        }
    }
    jump
}

/// Beyond the last cell phi is constant (but for a zero's sign), and its slope zero.
fn check_end<R: Precision>(what: &str, plan: &Plan<R, Vec<Block>>, cells: &Cells) {
    let (start, width) = cell(cells, cells.count);
    let mut d =
        vec![R::from_f64(start + 1e-3 * width), R::from_f64(start + width), R::from_f64(start + 2.0 * width)];
    d.extend(far::<R>().into_iter().filter(|d| d.to_f64() > start + 2.0 * width));
    for stage in 0..STAGES {
        let (phi, slope) = stage_phi(plan, stage, &d);
        assert!(phi.iter().all(|p| *p == phi[0]), "{what}: {phi:?}");
        assert!(slope.iter().all(|s| s.to_f64() == 0.0), "{what}: {slope:?}");
    }
}

/// Every precision and tolerance that is asked for; returns those that are refused, and what would have been met.
fn refused(parameters: &Parameters) -> Vec<(&'static str, f64)> {
    let results = [
        ("f64 1e-12", check_accuracy::<f64>(parameters, 1e-12)),
        ("f64 1e-9", check_accuracy::<f64>(parameters, 1e-9)),
        ("f64 1e-6", check_accuracy::<f64>(parameters, 1e-6)),
        ("f32 1e-7", check_accuracy::<f32>(parameters, 1e-7)),
    ];
    results.into_iter().filter_map(|(name, met)| Some((name, met?))).collect()
}

/// A model and its distortions, in both bases.
fn family(base: &Parameters) -> Vec<Parameters> {
    let base = base.with("", |p| p.eps = 1e-6);
    let mut all = Vec::new();
    for p in [base.clone(), base.other_basis()] {
        all.extend([
            p.with("eps=0", |p| p.eps = 0.0),
            p.with_bandwidths("gamma/3", |_| 1.0 / 3.0),
            p.with_bandwidths("gamma/10", |_| 0.1),
            p.with_bandwidths("gammas", |m| [1.0, 0.03, 4.0, 0.3, 0.003][m % 5]),
            p.one_radial(),
            p.one_time(),
            p.repeated_times(5),
            p.identity(),
            p,
        ]);
    }
    all
}

/// Refusals that are as they should be: without a regulariser a quotient is never compiled, and very narrow Gaussians can
/// take more cells than a table may have (0 would be met).
fn may_be_refused(parameters: &Parameters, met: f64) -> bool {
    parameters.basis == Basis::Normalized && parameters.eps == 0.0
        || parameters.name.contains("gamma") && met == 0.0
}

fn check_family(base: &Parameters) {
    let mut unexpected = Vec::new();
    for parameters in family(base) {
        for (which, met) in refused(&parameters) {
            if !may_be_refused(&parameters, met) {
                unexpected.push(format!("{} {which} {met:e}", parameters.name));
            }
        }
    }
    assert!(unexpected.is_empty(), "refused: {unexpected:#?}");
}

#[test]
fn tables_of_pair_1d_meet_their_tolerance() {
    check_family(&Parameters::golden("pair_1d"));
}

#[test]
fn tables_of_dw4_gaussian_meet_their_tolerance() {
    check_family(&Parameters::golden("dw4_gaussian"));
}

#[test]
fn tables_of_dw4_normalized_meet_their_tolerance() {
    check_family(&Parameters::golden("dw4_normalized"));
}

#[test]
fn tables_of_lj13_gaussian_meet_their_tolerance() {
    check_family(&Parameters::golden("lj13_gaussian"));
}

#[test]
fn tables_of_lj13_normalized_meet_their_tolerance() {
    check_family(&Parameters::golden("lj13_normalized"));
}

#[test]
fn tables_of_a_trained_model_meet_their_tolerance() {
    check_family(&Parameters::trained());
}

/// The bar of single precision, 1e-7, is below what rounding alone can reach: twice half a unit in the last place is
/// 1.2e-7 of a value just above a power of two. The sums over all Gaussians are no better there.
#[test]
fn single_precision_tables_are_as_near_as_single_precision_sums() {
    let models: Vec<Parameters> =
        common::NAMES.into_iter().map(Parameters::golden).chain([Parameters::trained()]).collect();
    for parameters in models {
        let table = compiled::<f32>(&parameters, 1e-7).unwrap();
        let reference = exact::<f64>(&parameters);
        let d = distances::<f32>(&table.cells().unwrap());
        let (table, sum) =
            (measure(&table, &reference, &d), measure(&exact::<f32>(&parameters), &reference, &d));
        println!("{:20} table {:.3e}, sum {:.3e}", parameters.name, table.relative(), sum.relative());
        assert!(table.relative() <= 1.2e-7, "{}: {:e}", parameters.name, table.relative());
        assert!(table.relative() <= 1.05 * sum.relative(), "{}", parameters.name);
    }
}

/// The estimate of what phi demands keeps some functions of time, and computes the others anew.
#[test]
fn functions_of_time_that_are_not_kept_demand_the_same_cells() {
    for parameters in [Parameters::golden("dw4_gaussian"), Parameters::trained()] {
        let cells = |p: &Parameters| compiled::<f64>(p, 1e-12).unwrap().cells();
        let repeated = parameters.repeated_times(5);
        assert!(repeated.mu_time.len() > 32, "more than are kept");
        assert_eq!(cells(&repeated), cells(&parameters), "{}", parameters.name);
    }
}

#[test]
fn tables_follow_a_regrid() {
    let parameters = Parameters::golden("dw4_normalized");
    let nodes = [0.0, 0.1, 1.0];
    let (mut table, mut sum) = (compiled::<f64>(&parameters, 1e-12).unwrap(), exact::<f64>(&parameters));
    let d = distances::<f64>(&table.cells().unwrap());
    let before = stage_phi(&table, 1, &d);
    table.regrid(&nodes).unwrap();
    sum.regrid(&nodes).unwrap();
    assert_ne!(before, stage_phi(&table, 1, &d));
    assert!(measure(&table, &sum, &d).relative() <= 1e-12);
}

#[test]
fn the_instruction_set_decides_no_bit_of_a_table() {
    fn check<R: Precision>(parameters: &Parameters, tolerance: f64) {
        let on = |isa| {
            let plan: Plan<R, Vec<Block>> =
                Plan::allocate(&parameters.model(), &config(tolerance).with_isa(isa)).unwrap();
            let d = distances::<R>(&plan.cells().unwrap());
            let bits = (0..STAGES).flat_map(|stage| {
                let (phi, slope) = stage_phi(&plan, stage, &d);
                phi.into_iter().chain(slope).map(|v| v.bits()).collect::<Vec<_>>()
            });
            (bits.collect::<Vec<u64>>(), plan.cells(), plan.table_accuracy())
        };
        let scalar = on(Isa::Scalar);
        for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
            assert!(on(isa) == scalar, "{} {}", parameters.name, isa.as_str());
        }
    }
    for name in common::NAMES {
        let parameters = Parameters::golden(name);
        check::<f64>(&parameters, 1e-12);
        check::<f64>(&parameters, 1e-6);
        check::<f32>(&parameters, 1e-7);
    }
    check::<f64>(&Parameters::trained(), 1e-12);
    check::<f32>(&Parameters::trained(), 1e-7);
    check::<f64>(&Parameters::trained().repeated_times(5), 1e-12);
}

#[test]
fn stage_phi_is_phi_at_that_time_and_names_what_is_wrong() {
    let parameters = Parameters::golden("dw4_normalized");
    let plan = exact::<f64>(&parameters);
    let d: Vec<f64> = (0..37).map(|i| 0.3 * f64::from(i)).collect();
    for stage in 0..STAGES {
        let (mut phi, mut slope) = (vec![0.0; 37], vec![0.0; 37]);
        let t = stage as f64 / (STAGES - 1) as f64;
        plan.radial(t, &d, &mut phi, Some(&mut slope)).unwrap();
        let (got, got_slope) = stage_phi(&plan, stage, &d);
        assert!(distance(&got, &phi) < 1e-15 && distance(&got_slope, &slope) < 1e-14);
        let mut alone = vec![0.0; 37];
        plan.stage_phi(stage, &d, &mut alone, None).unwrap();
        assert_eq!(alone, got);
    }
    let adaptive: Plan<f64, Vec<Block>> =
        Plan::allocate(&parameters.model(), &Config::dopri5(1e-3, 1e-3)).unwrap();
    let table = compiled::<f64>(&parameters, 1e-12).unwrap();
    let fails = |plan: &Plan<f64, Vec<Block>>, stage, d: &[f64], phi: usize, slope: usize| {
        let (mut phi, mut slope) = (vec![7.0; phi], vec![7.0; slope]);
        let error = plan.stage_phi(stage, d, &mut phi, Some(&mut slope)).unwrap_err();
        assert!(phi.iter().chain(&slope).all(|v| *v == 7.0), "written in spite of {error}");
        (error.status, error.argument)
    };
    for plan in [&plan, &table] {
        assert_eq!(fails(plan, STAGES, &[1.0], 1, 1), (Status::Argument, Argument::Time));
        assert_eq!(fails(plan, usize::MAX, &[1.0], 1, 1), (Status::Argument, Argument::Time));
        assert_eq!(fails(plan, 0, &[1.0, f64::NAN], 2, 2), (Status::NonFinite, Argument::Distance));
        assert_eq!(fails(plan, 0, &[1.0, f64::INFINITY], 2, 2), (Status::NonFinite, Argument::Distance));
        assert_eq!(fails(plan, 0, &[-1.0], 1, 1), (Status::Argument, Argument::Distance));
        assert_eq!(fails(plan, 0, &[1.0], 2, 1), (Status::Shape, Argument::Phi));
        assert_eq!(fails(plan, 0, &[1.0], 1, 0), (Status::Shape, Argument::PhiSlope));
        plan.stage_phi(STAGES - 1, &[], &mut [], Some(&mut [])).unwrap();
    }
    assert_eq!(fails(&adaptive, 0, &[1.0], 1, 1), (Status::Argument, Argument::Time));
}

fn wild_samples<R: Precision>(extreme: f64, configs: &[Config]) {
    const N: usize = 67;
    for name in ["dw4_gaussian", "dw4_normalized", "lj13_normalized"] {
        let golden = Golden::load(name);
        let c = golden.shape.coordinates();
        for &config in configs {
            let flow = Flow::<R>::new(&golden, config);
            assert!(flow.plan.table_accuracy().is_some());
            let tame = narrow::<R>(&latent(golden.shape, N, &mut Rng(41)));
            for position in [0, 31, N / 2, N - 1] {
                let mut x = tame.clone();
                // Differences of coordinates overflow.
                x[position * c] = R::from_f64(extreme);
                x[position * c + golden.shape.dimension] = R::from_f64(-extreme);
                for (what, call) in Calls::<R>::ALL {
                    let (got, want) = (call(&flow, &x), call(&flow, &tame));
                    let what = format!("{name} {config:?} {what} {position}");
                    for (got, want) in [(&got.0, &want.0), (&got.1, &want.1)] {
                        let row = want.len() / N;
                        for sample in 0..N {
                            let (got, want) = (&got[sample * row..][..row], &want[sample * row..][..row]);
                            let same = got.iter().zip(want).all(|(g, w)| g.bits() == w.bits());
                            assert_eq!(same, sample != position, "{what}: sample {sample}: {got:?}");
                        }
                    }
                    let row = &got.0[position * got.0.len() / N..][..got.0.len() / N];
                    assert!(row.iter().any(|v| !v.is_finite()), "{what}: {row:?}");
                }
            }
        }
    }
}

type Call<R> = fn(&Flow<R>, &[R]) -> (Vec<R>, Vec<R>);

struct Calls<R>(std::marker::PhantomData<R>);

impl<R: Precision> Calls<R> {
    const ALL: [(&'static str, Call<R>); 3] = [
        ("forward", |flow, x| flow.forward(x)),
        ("inverse", |flow, x| flow.inverse(x)),
        ("score", |flow, x| flow.score(x)),
    ];
}

#[test]
fn a_trajectory_that_overflows_spoils_its_own_row_only() {
    let configs: Vec<Config> =
        Isa::ALL.into_iter().filter(|isa| isa.is_available()).map(|isa| config(0.0).with_isa(isa)).collect();
    wild_samples::<f64>(1.7e308, &configs);
    wild_samples::<f32>(3.3e38, &configs);
}

#[test]
fn coincident_particles_have_phi_of_zero() {
    for name in common::NAMES {
        let golden = Golden::load(name);
        let Shape { particles, dimension } = golden.shape;
        let (table, sum) = (
            Flow::<f64>::new(&golden, config(0.0)),
            Flow::<f64>::new(&golden, Config::rk4(STEPS).with_radial(RadialPath::Exact)),
        );
        // All in one place: nothing moves, and the divergence is that of N (N - 1) pairs at distance 0.
        let x = vec![1.5; golden.shape.coordinates()];
        let (y, log_det) = table.forward(&x);
        assert_eq!(y, x);
        let mut phi = [[0.0]; STAGES];
        for (stage, phi) in phi.iter_mut().enumerate() {
            table.plan.stage_phi(stage, &[0.0], phi, None).unwrap();
        }
        let simpson: f64 = phi.iter().zip([1.0, 4.0, 2.0, 4.0, 1.0]).map(|(phi, w)| w / 12.0 * phi[0]).sum();
        let want = (particles * (particles - 1) * dimension) as f64 * simpson;
        assert!((log_det[0] - want).abs() <= 1e-13 * (1.0 + want.abs()), "{name}: {} {want}", log_det[0]);
        assert!((log_det[0] - sum.forward(&x).1[0]).abs() <= 1e-11 * (1.0 + want.abs()), "{name}");
        // Two in one place stay together, and the others do what they do with the sums.
        let mut x = latent(golden.shape, 1, &mut Rng(42));
        x.copy_within(0..dimension, dimension);
        for (a, b) in [
            (table.forward(&x).0, sum.forward(&x).0),
            (table.inverse(&x).0, sum.inverse(&x).0),
            (table.score(&x).1, sum.score(&x).1),
        ] {
            assert!(distance(&a[..dimension], &a[dimension..2 * dimension]) <= 1e-13 * largest(&a), "{name}");
            assert!(distance(&a, &b) <= 1e-7 * largest(&b), "{name}: {:e}", distance(&a, &b));
        }
    }
}

#[test]
fn a_table_and_a_sum_flow_alike() {
    for name in common::NAMES {
        let golden = Golden::load(name);
        let n = 64;
        let x = latent(golden.shape, n, &mut Rng(43));
        let (table, sum) = (
            Flow::<f64>::new(&golden, Config::default()),
            Flow::<f64>::new(&golden, Config::default().with_radial(RadialPath::Exact)),
        );
        let error = |a: &[f64], b: &[f64]| distance(a, b) / largest(b);
        let (a, b) = (table.forward(&x), sum.forward(&x));
        let (c, d) = (table.score(&x), sum.score(&x));
        let errors = [error(&a.0, &b.0), error(&a.1, &b.1), error(&c.0, &d.0), error(&c.1, &d.1)];
        println!("{name}: x, log det, log p, gradient differ by {errors:.1?} of the largest");
        assert!(
            errors[0] <= 1e-11 && errors[1] <= 1e-8 && errors[2] <= 1e-9 && errors[3] <= 1e-6,
            "{errors:?}"
        );
    }
}

fn memory<R: Precision>(config: Config) {
    for name in common::NAMES {
        let golden = Golden::load(name);
        let model = golden.model();
        let extent = Plan::<R, ()>::extent(&model, &config).unwrap();
        let mut storage = vec![Block::default(); extent];
        let pattern = |storage: &mut [Block]| Block::reals_mut::<f64>(storage).fill(0.625);
        pattern(&mut storage);
        let error = Plan::<R, _>::new(&model, &config, &mut storage[..extent - 1]).unwrap_err();
        assert_eq!(
            (error.status, error.argument, error.value),
            (Status::Workspace, Argument::Memory, extent as f64)
        );
        assert!(Block::reals::<f64>(&storage).iter().all(|&v| v == 0.625), "{name}: written");
        let plan = Plan::<R, _>::new(&model, &config, &mut storage[..extent]).unwrap();
        let mut phi = [R::default(); 2];
        plan.stage_phi(0, &[R::from_f64(0.5), R::from_f64(2.0)], &mut phi, None).unwrap();
        assert!(phi.iter().all(|phi| phi.is_finite()));
    }
}

#[test]
fn plans_take_their_extent_and_not_a_block_less() {
    for config in [config(0.0), config(1e-4), Config::rk4(STEPS).with_radial(RadialPath::Exact)] {
        memory::<f64>(config);
        memory::<f32>(config);
    }
}

#[test]
fn auto_compiles_for_many_samples_and_the_others_do_as_told() {
    for name in common::NAMES {
        let golden = Golden::load(name);
        let is_compiled = |config: Config| {
            let plan = Flow::<f64>::new(&golden, config).plan;
            assert_eq!(plan.cells().is_some(), plan.table_accuracy().is_some());
            plan.table_accuracy().is_some()
        };
        let auto = |samples| Config::rk4(STEPS).with_radial(RadialPath::Auto { samples });
        for (samples, expected) in [(0, false), (1, false), (1000, true), (usize::MAX, true)] {
            assert_eq!(is_compiled(auto(samples)), expected, "{name} {samples}");
        }
        assert!(is_compiled(Config::rk4(STEPS)));
        assert!(is_compiled(Config::rk4(STEPS).with_radial(RadialPath::Compiled)));
        assert!(!is_compiled(Config::rk4(STEPS).with_radial(RadialPath::Exact)));
        assert!(!is_compiled(Config::dopri5(1e-3, 1e-3)));
    }
    let adaptive = Config::dopri5(1e-3, 1e-3).with_radial(RadialPath::Compiled);
    let error = Plan::<f64, ()>::extent(&Golden::load("pair_1d").model(), &adaptive).unwrap_err();
    assert_eq!((error.status, error.argument), (Status::Unsupported, Argument::Radial));
}

/// Bits of everything that a plan computes.
fn bits<R: Precision>(flow: &Flow<R>, x: &[R]) -> Vec<u64> {
    let mut all = Vec::new();
    for (_, call) in Calls::<R>::ALL {
        let (a, b) = call(flow, x);
        all.extend(a.into_iter().chain(b).map(|v| v.bits()));
    }
    all
}

fn impossible<R: Precision>() {
    for name in common::NAMES {
        let golden = Golden::load(name);
        // Too many cells, and (1e-16) more than rounding allows.
        for tolerance in [1e-30, 1e-16] {
            let demanded = config(tolerance);
            let error = Plan::<R, Vec<Block>>::allocate(&golden.model(), &demanded).unwrap_err();
            assert_eq!((error.status, error.argument), (Status::Unsupported, Argument::TableTolerance));
            assert!(error.value == 0.0 || error.value > tolerance, "{error}");
            let auto = Config { radial: RadialPath::Auto { samples: 1000 }, ..demanded };
            let flow = Flow::<R>::new(&golden, auto);
            assert!(
                flow.plan.table_accuracy().is_none() && flow.plan.cells().is_none(),
                "{name} {tolerance:e}"
            );
            let sum = Flow::<R>::new(&golden, Config { radial: RadialPath::Exact, ..demanded });
            let x = narrow::<R>(&latent(golden.shape, 65, &mut Rng(44)));
            assert_eq!(bits(&flow, &x), bits(&sum, &x), "{name}");
        }
    }
}

#[test]
fn tolerances_that_cannot_be_met_are_refused_or_left_to_the_sums() {
    impossible::<f64>();
    impossible::<f32>();
}

#[test]
fn tolerances_out_of_range_are_refused() {
    let golden = Golden::load("pair_1d");
    for (tolerance, status) in [
        (-1e-12, Status::Argument),
        (0.02, Status::Argument),
        (f64::NAN, Status::NonFinite),
        (f64::INFINITY, Status::NonFinite),
    ] {
        let error = Plan::<f64, ()>::extent(&golden.model(), &config(tolerance)).unwrap_err();
        assert_eq!((error.status, error.argument), (status, Argument::TableTolerance));
    }
    for tolerance in [0.01, f64::MIN_POSITIVE] {
        let auto = Config { radial: RadialPath::Auto { samples: 1000 }, ..config(tolerance) };
        Plan::<f64, ()>::extent(&golden.model(), &auto).unwrap();
    }
}
