//! Tables of numbers, where the experiments look for them.

pub use eqflow::io::Csv;
