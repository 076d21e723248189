//! The benchmark systems, where the examples look for them.

#![allow(unused_imports)] // every example uses a part of it

pub use eqflow::systems::*;
