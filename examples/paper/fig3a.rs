//! Figure 3a: how far estimates of the divergence are from the truth.
//!
//! The field is that of a trained DW-4 flow at t = 1, the configurations are flow samples. The truth is brute force:
//! forward differentiation along every coordinate. Errors are root mean squares over configurations, relative to that
//! of the divergence.

use crate::lab::{Lab, Report, converged_samples};
use eqflow::flow::{Block, Config, Plan};
use eqflow::io::Csv;
use eqflow::plot::{BLUE, GREEN, GREY, ORANGE, Plot, Series};
use eqflow::sampling::{Estimate, independent_mean};
use eqflow::train::{Probe, Tangent};
use std::error::Error;

const PROBES: [(&str, Probe); 2] = [("rademacher", Probe::Rademacher), ("normal", Probe::Normal)];
/// Numbers of probes that are averaged, in powers of 2.
const POWERS: u32 = 8;

pub fn run(lab: &Lab) -> Result<Report, Box<dyn Error>> {
    let flow = lab.dw4()?;
    let plan: Plan<f64, Vec<Block>> =
        flow.parameters.with_model(|model| Plan::allocate(model, &Config::default()))?;
    let configurations = converged_samples(&flow, lab.seed_of(21), lab.budget(200, 50))?.samples;
    let tangents =
        configurations.chunks_exact(plan.shape().coordinates()).map(|x| Tangent::new(&plan, 1.0, x));
    let tangents: Vec<Tangent> = tangents.collect::<Result<_, _>>()?;
    let scale = mean_square(&tangents, |t| t.brute_force())?.value.sqrt();
    let closed = mean_square(&tangents, |t| t.closed_form() - t.brute_force())?.value.sqrt() / scale;

    let mut csv = Csv::new(&["estimator", "probes", "relative_rms_error", "standard_error", "theory"]);
    csv.row(&[&"closed_form", &0, &closed, &0, &0]);
    let (mut curves, mut single) = (Vec::new(), Vec::new());
    for (k, (name, probe)) in PROBES.into_iter().enumerate() {
        let seed = lab.seed_of(22 + k as u64);
        let mut points = Vec::new();
        for power in 0..=POWERS {
            let probes = 1_u64 << power;
            let found = error(&tangents, probe, probes, seed)?;
            let theory =
                (mean_square(&tangents, |t| variance(t, probe).sqrt())?.value / probes as f64).sqrt();
            let [rms, se, theory] = [found.value, found.standard_error, theory].map(|v| v / scale);
            csv.row(&[&name, &probes, &rms, &se, &theory]);
            points.push((f64::from(power), rms, se, theory));
        }
        single.push((points[0].1, points[0].2));
        curves.push(points);
    }
    let mut files = vec![csv.write(&lab.out, "fig3a")?];
    files.extend(plot(&curves, closed).write(&lab.out, "fig3a")?);
    let [(rademacher, r_se), (normal, n_se)] = [single[0], single[1]];
    let paragraph = format!(
        "Hutchinson's estimator with one probe misses the divergence of a trained DW-4 flow by {rademacher:.3} +- \
         {r_se:.3} (Rademacher) and {normal:.3} +- {n_se:.3} (normal) of its root mean square, and falls with one over \
         the root of the probes, as theory says (lines). The closed form differs from brute force by {closed:.1e}: \
         rounding. {} configurations.",
        tangents.len()
    );
    Ok(Report { paragraph, files })
}

/// Mean square over the configurations.
fn mean_square(tangents: &[Tangent], value: impl Fn(&Tangent) -> f64) -> Result<Estimate, Box<dyn Error>> {
    let squares: Vec<f64> = tangents.iter().map(|tangent| value(tangent).powi(2)).collect();
    Ok(independent_mean(&squares)?)
}

/// Root mean square error of the average over `probes`, each configuration with probes of its own.
fn error(tangents: &[Tangent], probe: Probe, probes: u64, seed: u64) -> Result<Estimate, Box<dyn Error>> {
    const REPEATS: u64 = 8;
    let mut squares = Vec::new();
    for (i, tangent) in tangents.iter().enumerate() {
        let mut e = vec![0.0; tangent.shape().coordinates()];
        let truth = tangent.brute_force();
        let mut square = 0.0;
        for repeat in 0..REPEATS {
            let first = (i as u64 * REPEATS + repeat) << POWERS;
            let mut sum = 0.0;
            for index in first..first + probes {
                probe.draw(seed, index, &mut e);
                sum += tangent.hutchinson(&e);
            }
            square += (sum / probes as f64 - truth).powi(2) / REPEATS as f64;
        }
        squares.push(square);
    }
    let square = independent_mean(&squares)?;
    let value = square.value.sqrt();
    Ok(Estimate { value, standard_error: 0.5 * square.standard_error / value })
}

/// Of a single probe: 2 (|S|_F^2 - sum S_ii^2) or 2 |S|_F^2; J = S, because the field is a gradient.
fn variance(tangent: &Tangent, probe: Probe) -> f64 {
    let n = tangent.shape().coordinates();
    let (mut unit, mut column) = (vec![0.0; n], vec![0.0; n]);
    let mut square = 0.0;
    for c in 0..n {
        unit[c] = 1.0;
        tangent.derivative(&unit, &mut column);
        unit[c] = 0.0;
        square += column.iter().map(|v| v * v).sum::<f64>();
        if probe == Probe::Rademacher {
            square -= column[c] * column[c];
        }
    }
    2.0 * square
}

fn plot(curves: &[Vec<(f64, f64, f64, f64)>], closed: f64) -> Plot {
    let log = |value: f64| value.log10();
    let bottom = log(closed.max(1e-17)).floor() - 0.5;
    let caption = "DW-4: error of the divergence against brute force";
    let names = ["log2 of the probes averaged", "log10 of the relative error"];
    let mut plot = Plot::new(caption, names, [-0.3..f64::from(POWERS) + 0.3, bottom..2.5]);
    for (points, (name, color)) in
        curves.iter().zip([("Hutchinson, Rademacher", BLUE), ("Hutchinson, normal", ORANGE)])
    {
        let theory = points.iter().map(|&(x, _, _, theory)| (x, log(theory)));
        plot.series.push(Series::line(&format!("{name}: theory"), GREY, theory));
        // The error of a logarithm.
        let marks = points.iter().map(|&(x, rms, se, _)| (x, log(rms), se / rms / std::f64::consts::LN_10));
        plot.series.push(Series::marks(name, color, marks));
    }
    let ends = [(0.0, log(closed.max(1e-17))), (f64::from(POWERS), log(closed.max(1e-17)))];
    plot.series.push(Series::line("closed form", GREEN, ends));
    plot.legend = plotters::prelude::SeriesLabelPosition::MiddleRight;
    plot
}
