//! Pictures, each drawn once for SVG and once for PNG.

use crate::data::Data;
use crate::exact;
use crate::reweight::Reweighted;
use crate::training::Trained;
use eqflow::sampling::Histogram;
use eqflow::train::Likelihood;
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};
use std::error::Error;
use std::path::{Path, PathBuf};

const SIZE: (u32, u32) = (900, 560);
const FONT: &str = "sans-serif";
const DATA: RGBColor = RGBColor(90, 90, 90);
const FLOW: RGBColor = RGBColor(214, 96, 30);
const REWEIGHTED: RGBColor = RGBColor(28, 100, 178);

type Chart<'a, DB> = ChartContext<'a, DB, Cartesian2d<RangedCoordf64, RangedCoordf64>>;
type DrawResult = Result<(), Box<dyn Error>>;

/// Something that can be drawn on any backend.
trait Picture {
    fn draw<DB: DrawingBackend<ErrorType: 'static>>(&self, area: &DrawingArea<DB, Shift>) -> DrawResult;
}

/// Writes `name.svg` and `name.png`.
fn write_both(folder: &Path, name: &str, picture: &impl Picture) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    // The font travels with the program: a fresh machine may have none.
    register_font(FONT, FontStyle::Normal, epaint_default_fonts::UBUNTU_LIGHT)
        .map_err(|_| "the built-in font is unreadable")?;
    let (svg, png) = (folder.join(format!("{name}.svg")), folder.join(format!("{name}.png")));
    for result in [
        picture.draw(&SVGBackend::new(&svg, SIZE).into_drawing_area()),
        picture.draw(&BitMapBackend::new(&png, SIZE).into_drawing_area()),
    ] {
        result
            .map_err(|error| format!("cannot write picture '{name}' to '{}': {error}", folder.display()))?;
    }
    Ok(vec![svg, png])
}

/// Axes with labels; the caller adds the curves and then the legend.
fn chart<'a, DB: DrawingBackend<ErrorType: 'static>>(
    area: &'a DrawingArea<DB, Shift>,
    caption: &str,
    [x_name, y_name]: [&str; 2],
    [x, y]: [std::ops::Range<f64>; 2],
) -> Result<Chart<'a, DB>, Box<dyn Error>> {
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(area)
        .caption(caption, (FONT, 24))
        .margin(16)
        .x_label_area_size(50)
        .y_label_area_size(68)
        .build_cartesian_2d(x, y)?;
    chart
        .configure_mesh()
        .x_desc(x_name)
        .y_desc(y_name)
        .label_style((FONT, 16))
        .axis_desc_style((FONT, 18))
        .light_line_style(WHITE)
        .draw()?;
    Ok(chart)
}

fn add_curve<'a, DB: DrawingBackend<ErrorType: 'static> + 'a>(
    chart: &mut Chart<'a, DB>,
    name: &str,
    color: RGBColor,
    points: impl IntoIterator<Item = (f64, f64)>,
) -> DrawResult {
    chart
        .draw_series(LineSeries::new(points, color.stroke_width(2)))?
        .label(name)
        .legend(move |(x, y)| PathElement::new([(x, y), (x + 24, y)], color.stroke_width(3)));
    Ok(())
}

fn add_legend<'a, DB: DrawingBackend<ErrorType: 'static> + 'a>(chart: &mut Chart<'a, DB>) -> DrawResult {
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .legend_area_size(34)
        .margin(14)
        .label_font((FONT, 17))
        .background_style(WHITE.mix(0.85))
        .draw()?;
    Ok(())
}

struct Energies {
    curves: [(&'static str, RGBColor, Histogram); 3],
}

const ENERGY_RANGE: std::ops::Range<f64> = -27.0..-9.0;

/// Energy densities of Metropolis data, of the flow, and of the reweighted flow.
pub fn energies(folder: &Path, data: &Data, reweighted: &Reweighted) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let edges = Histogram::linear_edges(ENERGY_RANGE.start, ENERGY_RANGE.end, 72)?;
    let of = |values: &[f64], weights| Histogram::new(values, weights, &edges);
    let curves = [
        ("Metropolis test set", DATA, of(&data.test.energies, None)?),
        ("flow", FLOW, of(&reweighted.energies, None)?),
        ("flow, reweighted", REWEIGHTED, of(&reweighted.energies, Some(&reweighted.weights))?),
    ];
    write_both(folder, "energies", &Energies { curves })
}

impl Picture for Energies {
    fn draw<DB: DrawingBackend<ErrorType: 'static>>(&self, area: &DrawingArea<DB, Shift>) -> DrawResult {
        let highest = self.curves.iter().flat_map(|(_, _, h)| h.density()).fold(0.0_f64, |a, &b| a.max(b));
        let caption = "DW-4: energies of data, flow and reweighted flow";
        let names = ["energy u / kT", "probability density"];
        let mut chart = chart(area, caption, names, [ENERGY_RANGE, 0.0..1.08 * highest])?;
        for (name, color, histogram) in &self.curves {
            let steps = histogram.edges().windows(2).zip(histogram.density());
            add_curve(&mut chart, name, *color, steps.flat_map(|(e, &d)| [(e[0], d), (e[1], d)]))?;
        }
        add_legend(&mut chart)?;
        area.present()?;
        Ok(())
    }
}

/// Name, colour and points.
type Curve = (&'static str, RGBColor, Vec<(f64, f64)>);

struct TrainingCurve {
    curves: [Curve; 2],
}

/// Held-out NLL, by the grid and converged, at every check, with the floor.
pub fn training_curve(folder: &Path, trained: &Trained) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let points = |value: fn(&Likelihood) -> f64| -> Vec<(f64, f64)> {
        let checked = trained.verdicts.iter().filter_map(|v| v.likelihood.map(|l| (v.iteration, l)));
        checked.map(|(iteration, l)| (iteration as f64, value(&l))).collect()
    };
    let curves =
        [("converged", REWEIGHTED, points(|l| l.nll)), ("20 RK4 steps", FLOW, points(|l| l.grid_nll))];
    write_both(folder, "training", &TrainingCurve { curves })
}

/// The identity flow's NLL of 19 lies far above.
const NLL_RANGE: std::ops::Range<f64> = 7.0..10.0;

impl Picture for TrainingCurve {
    fn draw<DB: DrawingBackend<ErrorType: 'static>>(&self, area: &DrawingArea<DB, Shift>) -> DrawResult {
        let last = self.curves.iter().flat_map(|(_, _, c)| c).fold(1.0_f64, |a, p| a.max(p.0));
        let caption = "DW-4: held-out negative log-likelihood while training";
        let mut chart = chart(area, caption, ["minibatches", "NLL / nats"], [0.0..last, NLL_RANGE])?;
        for (name, color, curve) in &self.curves {
            add_curve(&mut chart, name, *color, curve.iter().copied().filter(|p| NLL_RANGE.contains(&p.1)))?;
        }
        let floor = [(0.0, exact::NLL_FLOOR), (last, exact::NLL_FLOOR)];
        add_curve(&mut chart, "floor: entropy of the Boltzmann distribution", DATA, floor)?;
        add_legend(&mut chart)?;
        area.present()?;
        Ok(())
    }
}
