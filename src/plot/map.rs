//! A function of two variables in colours.

use super::page::{DrawResult, Error, FONT, Page, axes};
use plotters::coord::Shift;
use plotters::prelude::*;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Where the scale of colours lies, in pixels from the right.
const SCALE_WIDTH: u32 = 130;

/// Values on a grid: red above zero, blue below, white at zero.
pub struct Map {
    /// What stands above the picture.
    pub caption: String,
    /// Names of the axes.
    pub axes: [String; 2],
    /// What they show.
    pub ranges: [Range<f64>; 2],
    /// Name of the values.
    pub value: String,
    /// Columns of the grid.
    pub columns: usize,
    /// Values at the cells' centres, `[rows][columns]`, the lowest row first.
    pub values: Vec<f64>,
    /// The magnitude that has the deepest colour; larger ones have it too.
    pub largest: f64,
}

impl Map {
    /// Writes `name.svg` and `name.png` to the folder, which must exist.
    ///
    /// # Errors
    /// What could not be drawn or written, with the name.
    pub fn write(&self, folder: &Path, name: &str) -> Result<Vec<PathBuf>, Error> {
        self.write_both(folder, name)
    }
}

/// From blue over white to red as `value` goes from -1 to 1.
fn colour(value: f64) -> RGBColor {
    const ENDS: [[f64; 3]; 2] = [[28.0, 90.0, 170.0], [178.0, 36.0, 40.0]];
    let end = ENDS[usize::from(value > 0.0)];
    let share = value.abs().min(1.0);
    let channel = |k: usize| (255.0 + share * (end[k] - 255.0)).round() as u8;
    RGBColor(channel(0), channel(1), channel(2))
}

impl Page for Map {
    fn draw<DB: DrawingBackend<ErrorType: 'static>>(&self, area: &DrawingArea<DB, Shift>) -> DrawResult {
        let (width, _) = area.dim_in_pixel();
        area.fill(&WHITE)?;
        let (left, right) = area.split_horizontally(width - SCALE_WIDTH);
        let mut chart = axes(&left, &self.caption, &self.axes, &self.ranges)?;
        let rows = self.values.len() / self.columns.max(1);
        let [x, y] = &self.ranges;
        let at = |range: &Range<f64>, i: usize, n: usize| {
            range.start + (range.end - range.start) * i as f64 / n as f64
        };
        chart.draw_series(self.values.iter().enumerate().map(|(i, value)| {
            let (column, row) = (i % self.columns, i / self.columns);
            let corners = [
                (at(x, column, self.columns), at(y, row, rows)),
                (at(x, column + 1, self.columns), at(y, row + 1, rows)),
            ];
            Rectangle::new(corners, colour(value / self.largest).filled())
        }))?;
        let mut scale = ChartBuilder::on(&right)
            .margin(16)
            .margin_top(50)
            .margin_bottom(66)
            .y_label_area_size(64)
            .build_cartesian_2d(0.0..1.0, -self.largest..self.largest)?;
        scale
            .configure_mesh()
            .disable_x_axis()
            .disable_mesh()
            .y_desc(&self.value)
            // Adding zero makes the sign of a rounded zero positive.
            .y_label_formatter(&|value| format!("{}", (value * 1e6).round() / 1e6 + 0.0))
            .label_style((FONT, 15))
            .axis_desc_style((FONT, 17))
            .draw()?;
        let steps = 100;
        scale.draw_series((0..steps).map(|i| {
            let [low, high] =
                [i, i + 1].map(|i| self.largest * (2.0 * f64::from(i) / f64::from(steps) - 1.0));
            Rectangle::new([(0.0, low), (1.0, high)], colour((low + high) / (2.0 * self.largest)).filled())
        }))?;
        area.present()?;
        Ok(())
    }
}
