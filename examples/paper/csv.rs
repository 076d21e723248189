//! Tables of numbers with a line of names.

use eqflow::io::write_atomically;
use std::error::Error;
use std::fmt::Display;
use std::path::{Path, PathBuf};

/// A table that is being filled.
pub struct Csv {
    text: String,
    columns: usize,
}

impl Csv {
    pub fn new(columns: &[&str]) -> Self {
        Csv { text: format!("{}\n", columns.join(",")), columns: columns.len() }
    }

    /// One line; numbers are written with as many digits as give them back.
    pub fn row(&mut self, cells: &[&dyn Display]) {
        assert_eq!(cells.len(), self.columns, "a cell for each column");
        let cells: Vec<String> = cells.iter().map(|cell| cell.to_string()).collect();
        self.text += &cells.join(",");
        self.text.push('\n');
    }

    /// Writes `name.csv`.
    pub fn write(&self, folder: &Path, name: &str) -> Result<PathBuf, Box<dyn Error>> {
        let path = folder.join(format!("{name}.csv"));
        write_atomically(&path, self.text.as_bytes())?;
        Ok(path)
    }
}
