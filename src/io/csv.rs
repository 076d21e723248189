//! Tables of numbers with a line of names.

use super::atomic::write_atomically;
use super::error::Error;
use std::fmt::Display;
use std::path::{Path, PathBuf};

/// A table that is being filled: comma-separated values under a line of names.
#[derive(Clone, Debug)]
pub struct Csv {
    text: String,
    columns: usize,
}

impl Csv {
    /// A table with these columns.
    pub fn new(columns: &[&str]) -> Self {
        Csv { text: format!("{}\n", columns.join(",")), columns: columns.len() }
    }

    /// One line; numbers are written with as many digits as give them back.
    ///
    /// # Panics
    /// Where there is not a cell for each column.
    pub fn row(&mut self, cells: &[&dyn Display]) {
        assert_eq!(cells.len(), self.columns, "a cell for each column");
        let cells: Vec<String> = cells.iter().map(|cell| cell.to_string()).collect();
        self.text += &cells.join(",");
        self.text.push('\n');
    }

    /// The whole table.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Writes `name.csv` as a whole or not at all.
    ///
    /// # Errors
    /// What the operating system said.
    pub fn write(&self, folder: &Path, name: &str) -> Result<PathBuf, Error> {
        let path = folder.join(format!("{name}.csv"));
        write_atomically(&path, self.text.as_bytes())?;
        Ok(path)
    }
}
