//! Another Rust static library, with its own copy of Rust's standard library, to be linked beside eqflow.

/// Allocates, so that the standard library is really there.
#[unsafe(no_mangle)]
pub extern "C" fn other_sum(n: u32) -> u64 {
    (0..=n).map(u64::from).collect::<Vec<u64>>().iter().sum()
}
