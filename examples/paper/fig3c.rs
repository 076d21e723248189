//! Figure 3c: what the divergence costs with N particles, in units of the closed form.
//!
//! All ways go through the same code for one configuration on one thread, times are the least of several, and only their ratios
//! within one run mean anything.

use crate::lab::{Lab, Report};
use eqflow::field::Shape;
use eqflow::flow::{Block, Config, Plan};
use eqflow::io::Csv;
use eqflow::plot::{BLUE, GREEN, GREY, ORANGE, Plot, Series};
use eqflow::radial::Basis;
use eqflow::random::{Normals, Purpose, Stream, prior_sample};
use eqflow::train::{Group, Parameters, Probe, Tangent};
use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

const PARTICLES: [usize; 5] = [2, 4, 8, 16, 32];
const DIMENSION: usize = 3;
const WAYS: [&str; 4] =
    ["closed form", "Hutchinson with one probe", "brute force with phi kept", "brute force with phi anew"];

pub fn run(lab: &Lab) -> Result<Report, Box<dyn Error>> {
    let repeats = lab.budget(101, 31);
    let mut csv = Csv::new(&["particles", "way", "microseconds", "ratio_to_closed_form"]);
    let mut ratios: Vec<[f64; 4]> = Vec::new();
    for particles in PARTICLES {
        let times = times(lab.seed, Shape { particles, dimension: DIMENSION }, repeats)?;
        for (name, time) in WAYS.iter().zip(times) {
            csv.row(&[&particles, &format!("\"{name}\""), &(1e6 * time), &(time / times[0])]);
        }
        ratios.push(times.map(|time| time / times[0]));
    }
    let mut files = vec![csv.write(&lab.out, "fig3c")?];
    files.extend(plot(&ratios).write(&lab.out, "fig3c")?);
    let list = |way: usize| ratios.iter().map(|r| format!("{:.1}", r[way])).collect::<Vec<_>>().join(", ");
    let paragraph = format!(
        "For N = {PARTICLES:?} in three dimensions brute force takes {} times as long as velocity and divergence in \
         closed form where every direction computes phi anew, as automatic forward differentiation does (N D = 6 ... 96 \
         directions), and {} times where phi and phi' are computed once. Hutchinson's estimator with one probe takes {} \
         times as long, for a number that is wrong (figure 3a). The least of {repeats} times each, on one thread.",
        list(3),
        list(2),
        list(1)
    );
    Ok(Report { paragraph, files })
}

/// Seconds of each of the [`WAYS`], including those of phi and phi'.
fn times(seed: u64, shape: Shape, repeats: usize) -> Result<[f64; 4], Box<dyn Error>> {
    let mut parameters = Parameters::identity(Basis::Normalized, shape, (50, 8.0, 0.5), (10, 0.3));
    for (i, weight) in parameters.group_mut(Group::Weights).iter_mut().enumerate() {
        *weight = (i as f64).sin();
    }
    let plan: Plan<f64, Vec<Block>> =
        parameters.with_model(|model| Plan::allocate(model, &Config::default()))?;
    let mut x = vec![0.0; shape.coordinates()];
    prior_sample(shape, &mut Normals::new(Stream::new(seed, Purpose::Prior, 0)), &mut x);
    let mut e = vec![0.0; x.len()];
    Probe::Rademacher.draw(seed, 0, &mut e);
    let tangent = || Tangent::new(&plan, 0.37, &x);
    tangent()?;
    let tangent = || tangent().expect("the same as before");
    let anew = || {
        let (mut unit, mut column) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        let mut trace = 0.0;
        for c in 0..x.len() {
            unit[c] = 1.0;
            tangent().derivative(&unit, &mut column);
            trace += column[c];
            unit[c] = 0.0;
        }
        trace
    };
    Ok([
        least(repeats, || tangent().closed_form()),
        least(repeats, || tangent().hutchinson(&e)),
        least(repeats, || tangent().brute_force()),
        least(repeats, anew),
    ])
}

/// The least time of a call in seconds.
fn least(repeats: usize, f: impl Fn() -> f64) -> f64 {
    let time = || {
        let start = Instant::now();
        black_box(f());
        start.elapsed().as_secs_f64()
    };
    (0..repeats).map(|_| time()).fold(f64::INFINITY, f64::min)
}

fn plot(ratios: &[[f64; 4]]) -> Plot {
    let caption = "cost of velocity and divergence against the number of particles";
    let highest = ratios.iter().flatten().fold(1.0_f64, |a, &b| a.max(b)).log10();
    let names = ["log2 of the particles", "log10 of the time over that of the closed form"];
    let mut plot = Plot::new(caption, names, [0.9..5.1, -0.2..1.3 * highest + 0.2]);
    for (way, color) in [GREY, GREEN, BLUE, ORANGE].into_iter().enumerate() {
        let points = PARTICLES.iter().zip(ratios).map(|(&n, r)| ((n as f64).log2(), r[way].log10()));
        plot.series.push(Series::line(WAYS[way], color, points));
    }
    plot.legend = plotters::prelude::SeriesLabelPosition::UpperLeft;
    plot
}
