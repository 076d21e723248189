//! What all pictures share: the two files, the font, the axes.

use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};
use std::fmt;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

const SIZE: (u32, u32) = (900, 560);
pub(super) const FONT: &str = "sans-serif";

pub(super) type Chart<'a, DB> = ChartContext<'a, DB, Cartesian2d<RangedCoordf64, RangedCoordf64>>;
pub(super) type DrawResult = Result<(), Box<dyn std::error::Error>>;

/// A picture that could not be drawn or written.
#[derive(Clone, Debug, PartialEq)]
pub struct Error(String);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

/// Something that is drawn once for each kind of file.
pub(super) trait Page {
    fn draw<DB: DrawingBackend<ErrorType: 'static>>(&self, area: &DrawingArea<DB, Shift>) -> DrawResult;

    /// Writes `name.svg` and `name.png`, each as a whole or not at all.
    fn write_both(&self, folder: &Path, name: &str) -> Result<Vec<PathBuf>, Error> {
        let fail = |reason: String| {
            Error(format!("cannot write picture '{name}' to '{}': {reason}", folder.display()))
        };
        // The font travels with the program: a fresh machine may have none.
        register_font(FONT, FontStyle::Normal, epaint_default_fonts::UBUNTU_LIGHT)
            .map_err(|_| fail("the built-in font is unreadable".into()))?;
        let mut files = Vec::new();
        for kind in ["svg", "png"] {
            let path = folder.join(format!("{name}.{kind}"));
            let unfinished = folder.join(format!(".{name}.unfinished.{kind}"));
            let drawn = match kind {
                "svg" => self.draw(&SVGBackend::new(&unfinished, SIZE).into_drawing_area()),
                _ => self.draw(&BitMapBackend::new(&unfinished, SIZE).into_drawing_area()),
            };
            let finished = drawn
                .map_err(|error| error.to_string())
                .and_then(|()| fs::rename(&unfinished, &path).map_err(|error| error.to_string()));
            if let Err(reason) = finished {
                // Whatever is there of it is of no use; the first failure is the one to tell.
                let _ = fs::remove_file(&unfinished);
                return Err(fail(reason));
            }
            files.push(path);
        }
        Ok(files)
    }
}

/// A white page with a caption and labelled axes.
pub(super) fn axes<'a, DB: DrawingBackend<ErrorType: 'static>>(
    area: &'a DrawingArea<DB, Shift>,
    caption: &str,
    names: &[String; 2],
    [x, y]: &[Range<f64>; 2],
) -> Result<Chart<'a, DB>, Box<dyn std::error::Error>> {
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(area)
        .caption(caption, (FONT, 24))
        .margin(16)
        .margin_right(32)
        .x_label_area_size(50)
        .y_label_area_size(68)
        .build_cartesian_2d(x.clone(), y.clone())?;
    chart
        .configure_mesh()
        .x_desc(&names[0])
        .y_desc(&names[1])
        .x_label_formatter(&|x| format!("{}", (x * 1e6).round() / 1e6))
        .label_style((FONT, 16))
        .axis_desc_style((FONT, 18))
        .light_line_style(WHITE)
        .draw()?;
    Ok(chart)
}
