//! What a command found: a table for people, one object for programs.

use eqflow::sampling::Estimate;
use eqflow::systems::Truth;
use serde_json::{Map, Value, json};
use std::path::PathBuf;

/// Named results in order, and the files that were written.
pub struct Report {
    title: String,
    rows: Vec<Row>,
    notes: Vec<String>,
    files: Vec<PathBuf>,
}

struct Row {
    key: String,
    label: String,
    text: String,
    known: Option<Truth>,
    value: Value,
}

impl Report {
    pub fn new(title: impl Into<String>) -> Self {
        Report { title: title.into(), rows: Vec::new(), notes: Vec::new(), files: Vec::new() }
    }

    fn row(&mut self, key: &str, label: &str, text: String, value: Value) {
        let (key, label) = (key.to_string(), label.to_string());
        self.rows.push(Row { key, label, text, known: None, value });
    }

    /// Something that is not measured.
    pub fn text(&mut self, key: &str, label: &str, text: impl Into<String>) {
        let text = text.into();
        self.row(key, label, text.clone(), json!(text));
    }

    pub fn count(&mut self, key: &str, label: &str, count: usize) {
        self.row(key, label, count.to_string(), json!(count));
    }

    /// A number, shown with so many decimals.
    pub fn number(&mut self, key: &str, label: &str, number: f64, decimals: usize) {
        self.row(key, label, format!("{number:.decimals$}"), json!(number));
    }

    /// A number with its error.
    pub fn estimate(&mut self, key: &str, label: &str, estimate: Estimate) {
        let Estimate { value, standard_error } = estimate;
        let text = if standard_error.is_finite() { estimate.to_string() } else { format!("{value:.4} +- ?") };
        self.row(key, label, text, json!({"value": value, "standard_error": standard_error}));
    }

    /// The same beside what is known, where it is.
    pub fn compared(&mut self, key: &str, label: &str, estimate: Estimate, known: Option<Truth>) {
        self.estimate(key, label, estimate);
        if let (Some(row), Some(known)) = (self.rows.last_mut(), known.filter(Truth::is_known)) {
            row.known = Some(known);
        }
    }

    /// A sentence below the table.
    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    pub fn file(&mut self, file: impl Into<PathBuf>) {
        self.files.push(file.into());
    }

    pub fn files(&mut self, files: impl IntoIterator<Item = PathBuf>) {
        self.files.extend(files);
    }

    pub fn print(&self, as_json: bool) {
        if as_json {
            println!("{:#}", self.object());
            return;
        }
        println!("{}", self.title);
        let widest = self.rows.iter().map(|row| row.label.chars().count()).max().unwrap_or(0);
        for row in &self.rows {
            let known = row.known.map_or(String::new(), |known| format!("   ({}: {known:.4})", known.what()));
            println!("  {:widest$}  {}{known}", row.label, row.text);
        }
        self.notes.iter().for_each(|note| println!("{note}"));
        self.files.iter().for_each(|file| println!("written: {}", file.display()));
    }

    /// NaN and infinities, which JSON does not have, become null.
    fn object(&self) -> Value {
        let results: Map<String, Value> = self
            .rows
            .iter()
            .map(|row| {
                let mut value = row.value.clone();
                if let (Some(known), Value::Object(fields)) = (row.known, &mut value) {
                    fields.insert("known".into(), json!(known.value));
                    fields.insert("known_standard_error".into(), json!(known.standard_error));
                }
                (row.key.clone(), value)
            })
            .collect();
        let files: Vec<String> = self.files.iter().map(|file| file.display().to_string()).collect();
        json!({"command": self.title, "results": results, "notes": self.notes, "files": files})
    }
}

/// A progress bar on standard error; where that is no terminal, nothing is drawn.
pub fn progress_bar(total: u64, what: &'static str) -> indicatif::ProgressBar {
    let style =
        indicatif::ProgressStyle::with_template("{prefix:>12} [{bar:30}] {percent:>3}% {eta:>4} {msg}")
            .expect("a valid template")
            .progress_chars("=> ");
    indicatif::ProgressBar::new(total).with_style(style).with_prefix(what)
}
