//! A proof by the linker that no C function of the library without `std` can panic.
//!
//! With `--cfg eqf_panic_proof` the panic handler calls a function that nothing defines, and otherwise the library is what
//! its users build: optimised as one object, in which the compiler has dropped each panic that it knows to be out of reach.
//! The linker, which drops what no C function reaches and refuses what is not defined, then links all of them only where
//! none reaches the handler. `ffi-tests/panics.sh lines` says where they do, if ever.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod common;

use common::c::{build, root, scratch, succeed};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The only functions of others that the library may call.
const MEMORY: &str = r#"
#include <stddef.h>
void *memcpy(void *to, const void *from, size_t n) { (void)from; (void)n; return to; }
void *memmove(void *to, const void *from, size_t n) { (void)from; (void)n; return to; }
void *memset(void *to, int byte, size_t n) { (void)byte; (void)n; return to; }
int memcmp(const void *a, const void *b, size_t n) { (void)a; (void)b; (void)n; return 0; }
int bcmp(const void *a, const void *b, size_t n) { (void)a; (void)b; (void)n; return 0; }
"#;

fn memory_functions() -> PathBuf {
    let (source, object) = (scratch("memory.c"), scratch("memory.o"));
    std::fs::write(&source, MEMORY).unwrap();
    succeed(Command::new("cc").args(["-c", "-fPIC", "-ffreestanding", "-o"]).arg(&object).arg(source));
    object
}

/// Links these functions of `library`, and all that they reach, to `object`.
fn link(library: &Path, functions: &[&str], object: &Path) -> Output {
    let exports = scratch("exports.txt");
    std::fs::write(&exports, format!("{{ global: {}; local: *; }};", functions.join("; "))).unwrap();
    Command::new("cc")
        .args(["-shared", "-nostdlib", "-Wl,-z,defs", "-Wl,--gc-sections"])
        .args(functions.iter().map(|function| format!("-Wl,-u,{function}")))
        .arg(format!("-Wl,--version-script={}", exports.display()))
        .arg("-o")
        .arg(object)
        .arg(library)
        .arg(memory_functions())
        .output()
        .unwrap()
}

#[test]
fn no_c_function_can_panic() {
    let library = build("panics", "capi,panic-handler", &["--cfg", "eqf_panic_proof"]);
    let list = std::fs::read_to_string(root().join("ffi-tests/symbols.txt")).unwrap();
    let mut functions: Vec<&str> = list.lines().collect();
    assert!(functions.len() >= 60, "{functions:?}");

    let object = scratch("panics.so");
    let linked = link(&library, &functions, &object);
    assert!(linked.status.success(), "{}", String::from_utf8_lossy(&linked.stderr));
    let exported = succeed(Command::new("nm").args(["-D", "--defined-only"]).arg(&object)).stdout;
    assert_eq!(String::from_utf8(exported).unwrap().lines().count(), functions.len());

    functions.push("planted_panic");
    let refused = link(&library, &functions, &scratch("planted.so"));
    let message = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && message.contains("eqf_panic_is_reachable"), "{message}");
}
