//! Throughput against batch size and against the number of particles, drawn once for SVG and once for PNG.

use crate::figures::Figure;
use crate::peers::Peer;
use eqflow::lanes::Isa;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};
use std::error::Error;
use std::path::{Path, PathBuf};

const FONT: &str = "sans-serif";
const COLORS: [RGBColor; 8] = [
    RGBColor(28, 100, 178),
    RGBColor(214, 96, 30),
    RGBColor(60, 140, 70),
    RGBColor(130, 80, 160),
    RGBColor(120, 120, 120),
    RGBColor(190, 150, 20),
    RGBColor(20, 150, 160),
    RGBColor(180, 40, 90),
];

/// A named line of points.
struct Curve {
    name: String,
    points: Vec<(f64, f64)>,
}

/// Writes `throughput.svg` and `.png`: samples a second over the batch on the left, share of the peak over N on the
/// right.
pub fn draw(folder: &Path, figures: &[Figure], peers: &[Peer]) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    // The font travels with the program: a fresh machine may have none.
    register_font(FONT, FontStyle::Normal, epaint_default_fonts::UBUNTU_LIGHT)
        .map_err(|_| "the built-in font is unreadable")?;
    let (svg, png) = (folder.join("throughput.svg"), folder.join("throughput.png"));
    let size = (1300, 620);
    both(&SVGBackend::new(&svg, size).into_drawing_area(), figures, peers)?;
    both(&BitMapBackend::new(&png, size).into_drawing_area(), figures, peers)?;
    Ok(vec![svg, png])
}

fn both<DB: DrawingBackend<ErrorType: 'static>>(
    area: &DrawingArea<DB, Shift>,
    figures: &[Figure],
    peers: &[Peer],
) -> Result<(), Box<dyn Error>> {
    area.fill(&WHITE)?;
    let (left, right) = area.split_horizontally(760);
    let caption = "Forward passes, one core, double precision";
    let curves = by_batch(figures, peers);
    chart(&left, caption, ["samples in a batch", "samples a second"], &curves)?;
    let curves = by_particles(figures);
    chart(&right, "Compiled, batch 128", ["particles N", "share of the multiply-add peak, %"], &curves)
}

/// Samples a second of this library's paths and of the peers.
fn by_batch(figures: &[Figure], peers: &[Peer]) -> Vec<Curve> {
    let isa = Isa::best().as_str();
    let mut curves = Vec::new();
    for system in ["dw4", "lj13"] {
        for path in ["compiled", "exact"] {
            let prefix = format!("forward-{system}-normalized-f64-{path}-{isa}-");
            let of = figures.iter().filter(|figure| figure.name.starts_with(&prefix));
            let points = of.map(|f| (f.batch as f64, f.batch as f64 / f.seconds.median)).collect();
            curves.push(Curve { name: format!("{system}, {path}"), points });
        }
        for peer in ["jax", "torch"] {
            let of = peers.iter().filter(|p| {
                p.peer.contains(peer) && p.system == system && p.precision == "f64" && p.task == "forward"
            });
            let points = of.map(|p| (p.batch as f64, p.batch as f64 / p.seconds)).collect();
            curves.push(Curve { name: format!("{system}, {peer}"), points });
        }
    }
    curves
}

/// Per cent of the peak of multiplications and additions.
fn by_particles(figures: &[Figure]) -> Vec<Curve> {
    let of = |precision: &str| {
        let of = figures.iter().filter(|f| f.system == "cluster" && f.name.contains(precision));
        of.filter_map(|f| Some((f.particles as f64, 100.0 * f.of_peak?))).collect()
    };
    ["f64", "f32"].map(|precision| Curve { name: precision.to_owned(), points: of(precision) }).into()
}

/// Both axes logarithmic.
fn chart<DB: DrawingBackend<ErrorType: 'static>>(
    area: &DrawingArea<DB, Shift>,
    caption: &str,
    [x_name, y_name]: [&str; 2],
    curves: &[Curve],
) -> Result<(), Box<dyn Error>> {
    let mut curves: Vec<&Curve> = curves.iter().filter(|curve| !curve.points.is_empty()).collect();
    curves.sort_by(|a, b| b.points[0].1.total_cmp(&a.points[0].1));
    let range = |pick: fn(&(f64, f64)) -> f64| {
        let values = || curves.iter().flat_map(|curve| &curve.points).map(pick);
        let (low, high) = (values().fold(f64::MAX, f64::min), values().fold(0.0, f64::max));
        low / 1.3..high * 1.6
    };
    if curves.is_empty() {
        return Ok(());
    }
    let mut chart = ChartBuilder::on(area)
        .caption(caption, (FONT, 22))
        .margin(14)
        .x_label_area_size(46)
        .y_label_area_size(74)
        .build_cartesian_2d(range(|p| p.0).log_scale(), range(|p| p.1).log_scale())?;
    chart
        .configure_mesh()
        .x_desc(x_name)
        .y_desc(y_name)
        .x_label_formatter(&|x| format!("{x}"))
        .y_label_formatter(&|y| if *y >= 1e4 { format!("{y:.0e}") } else { format!("{y}") })
        .label_style((FONT, 15))
        .axis_desc_style((FONT, 17))
        .light_line_style(WHITE)
        .draw()?;
    for (curve, color) in curves.into_iter().zip(COLORS.into_iter().cycle()) {
        let mut points = curve.points.clone();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        chart.draw_series(points.iter().map(|&p| Circle::new(p, 3, color.filled())))?;
        chart
            .draw_series(LineSeries::new(points, color.stroke_width(2)))?
            .label(curve.name.clone())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.mix(0.8))
        .label_font((FONT, 15))
        .draw()?;
    Ok(())
}
