//! One measured number and its surroundings.

use crate::timing::{Times, UNIT};
use std::fmt;
use std::io::Write;
use std::path::Path;

/// Something that can be measured.
pub trait Case {
    fn name(&self) -> String;
    /// Runs it once, untimed.
    fn run_once(&self);
    /// `peak` is what the processor does at most: multiplications and additions a cycle, in double and single precision.
    fn measure(&self, peak: &[f64; 2]) -> Figure;
}

/// What came out.
#[derive(Clone, Debug)]
pub struct Figure {
    pub name: String,
    pub system: &'static str,
    pub particles: usize,
    pub batch: usize,
    pub seconds: Times,
    /// Ticks a pair-evaluation, for passes of the flow.
    pub ticks: Option<Times>,
    /// Multiplications and additions a cycle, of the measured peak.
    pub of_peak: Option<f64>,
}

impl Figure {
    pub fn heading() -> String {
        format!(
            "{:<44} {:>11} {:>11}   {:>8} {:>16} {:>8} {:>6}",
            "figure", "median, ms", "fastest", UNIT, "quartiles", "fastest", "peak"
        )
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Times { median, fastest, .. } = self.seconds;
        write!(f, "{:<44} {:>11.4} {:>11.4}", self.name, 1e3 * median, 1e3 * fastest)?;
        if let Some(t) = self.ticks {
            write!(f, "   {:>8.2} {:>7.2} to {:>5.2} {:>8.2}", t.median, t.low, t.high, t.fastest)?;
        }
        if let Some(share) = self.of_peak {
            write!(f, " {:>4.0} %", 100.0 * share)?;
        }
        Ok(())
    }
}

/// Writes all figures, one a row.
pub fn write_csv(path: &Path, figures: &[Figure]) -> std::io::Result<()> {
    let mut text = Vec::new();
    writeln!(
        text,
        "name,system,particles,batch,seconds_fastest,seconds_low,seconds_median,seconds_high,{UNIT}_fastest,{UNIT}_median,of_peak"
    )?;
    for f in figures {
        let s = f.seconds;
        let ticks = f.ticks.map_or(String::from(","), |t| format!("{:.3},{:.3}", t.fastest, t.median));
        let share = f.of_peak.map_or(String::new(), |share| format!("{share:.3}"));
        writeln!(
            text,
            "{},{},{},{},{:e},{:e},{:e},{:e},{ticks},{share}",
            f.name, f.system, f.particles, f.batch, s.fastest, s.low, s.median, s.high
        )?;
    }
    std::fs::write(path, text)
}
