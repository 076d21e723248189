//! Pictures of curves, of points with error bars and of maps, each as SVG and as PNG.
//!
//! They bring their font along, so that they look the same on every machine.

mod curves;
mod map;
mod page;

pub use curves::{BLUE, GREEN, GREY, ORANGE, Plot, RED, Series};
pub use map::Map;
pub use page::Error;
pub use plotters::prelude::SeriesLabelPosition;
pub use plotters::style::RGBColor as Colour;
