//! Clients in every language, from an installed prefix: `ffi-tests/clients.sh` runs them and compares what they print.
#![cfg(all(target_os = "linux", feature = "std"))]

mod common;

use common::c::{prefix, root, scratch, succeed};
use std::process::Command;

#[test]
fn all_clients_print_the_same_numbers() {
    let script = root().join("ffi-tests/clients.sh");
    let output = succeed(Command::new(script).arg(prefix()).arg(scratch("clients")));
    let output = String::from_utf8(output.stdout).unwrap();
    let checksums: Vec<&str> =
        output.lines().filter_map(|line| line.split_once("checksum")).map(|(_, sum)| sum.trim()).collect();
    // C99 and C11, five by CMake, two Fortran, Python.
    assert_eq!(checksums.len(), 12, "{output}");
    assert!(checksums.iter().all(|&sum| sum == checksums[0] && sum.len() == 8), "{output}");
    for line in ["cpp client", "python client: ", "two Rust libraries", "soname: libeqflow.so.0.1"] {
        assert!(output.contains(line), "no {line} in\n{output}");
    }
}
