//! Curves, outlines of histograms, and points with error bars.

use super::page::{Chart, DrawResult, Error, FONT, Page, axes};
use plotters::coord::Shift;
use plotters::prelude::*;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Reference data, exact curves and floors.
pub const GREY: RGBColor = RGBColor(90, 90, 90);
/// What a flow does as it is.
pub const ORANGE: RGBColor = RGBColor(214, 96, 30);
/// What is converged or reweighted.
pub const BLUE: RGBColor = RGBColor(28, 100, 178);
/// A third thing to compare with.
pub const GREEN: RGBColor = RGBColor(40, 140, 90);
/// A fourth.
pub const RED: RGBColor = RGBColor(186, 38, 92);

/// How the points of a series are joined.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Style {
    Line,
    Marks,
}

/// Points with a name in the legend, unless it is empty.
#[derive(Clone, Debug)]
pub struct Series {
    name: String,
    color: RGBColor,
    style: Style,
    /// x, y and the standard error of y.
    points: Vec<(f64, f64, f64)>,
}

impl Series {
    /// A line through the points; those outside the picture are left out.
    pub fn line(name: &str, color: RGBColor, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let points = points.into_iter().map(|(x, y)| (x, y, 0.0)).collect();
        Series { name: name.into(), color, style: Style::Line, points }
    }

    /// A dot with an error bar for each (x, y, standard error of y).
    pub fn marks(name: &str, color: RGBColor, points: impl IntoIterator<Item = (f64, f64, f64)>) -> Self {
        Series { name: name.into(), color, style: Style::Marks, points: points.into_iter().collect() }
    }

    /// The outline of bins between `edges` (`[bins + 1]`) with these heights.
    pub fn steps(name: &str, color: RGBColor, edges: &[f64], heights: &[f64]) -> Self {
        let bins = edges.windows(2).zip(heights);
        Series::line(name, color, bins.flat_map(|(edges, &height)| [(edges[0], height), (edges[1], height)]))
    }

    fn draw<'a, DB: DrawingBackend<ErrorType: 'static> + 'a>(
        &self,
        chart: &mut Chart<'a, DB>,
        [x, y]: &[Range<f64>; 2],
    ) -> DrawResult {
        let inside = |point: &&(f64, f64, f64)| {
            (x.start..=x.end).contains(&point.0) && (y.start..=y.end).contains(&point.1)
        };
        let points: Vec<(f64, f64, f64)> = self.points.iter().filter(inside).copied().collect();
        let color = self.color;
        let annotation = if self.style == Style::Line {
            let line = points.iter().map(|&(x, y, _)| (x, y));
            chart.draw_series(LineSeries::new(line, color.stroke_width(2)))?
        } else {
            let bars = points.iter().map(|&(at, value, error)| {
                let ends = [value - error, value + error].map(|end| end.clamp(y.start, y.end));
                PathElement::new(ends.map(|end| (at, end)).to_vec(), color.stroke_width(2))
            });
            chart.draw_series(bars)?;
            chart.draw_series(points.iter().map(|&(x, y, _)| Circle::new((x, y), 4, color.filled())))?
        };
        if !self.name.is_empty() {
            annotation
                .label(&self.name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 24, y)], color.stroke_width(3)));
        }
        Ok(())
    }
}

/// Axes, curves and a legend.
pub struct Plot {
    /// What stands above the picture.
    pub caption: String,
    /// Names of the axes.
    pub axes: [String; 2],
    /// What they show.
    pub ranges: [Range<f64>; 2],
    /// In the order in which they are drawn.
    pub series: Vec<Series>,
    /// Where the legend lies.
    pub legend: SeriesLabelPosition,
}

impl Plot {
    /// An empty picture with the legend in the upper right corner.
    pub fn new(caption: &str, [x, y]: [&str; 2], ranges: [Range<f64>; 2]) -> Self {
        Plot {
            caption: caption.into(),
            axes: [x.into(), y.into()],
            ranges,
            series: Vec::new(),
            legend: SeriesLabelPosition::UpperRight,
        }
    }

    /// Writes `name.svg` and `name.png` to the folder, which must exist.
    ///
    /// # Errors
    /// What could not be drawn or written, with the name.
    pub fn write(&self, folder: &Path, name: &str) -> Result<Vec<PathBuf>, Error> {
        self.write_both(folder, name)
    }
}

impl Page for Plot {
    fn draw<DB: DrawingBackend<ErrorType: 'static>>(&self, area: &DrawingArea<DB, Shift>) -> DrawResult {
        let mut chart = axes(area, &self.caption, &self.axes, &self.ranges)?;
        for series in &self.series {
            series.draw(&mut chart, &self.ranges)?;
        }
        chart
            .configure_series_labels()
            .position(self.legend.clone())
            .legend_area_size(34)
            .margin(14)
            .label_font((FONT, 17))
            .background_style(WHITE.mix(0.85))
            .draw()?;
        area.present()?;
        Ok(())
    }
}
