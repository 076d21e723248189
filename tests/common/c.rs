//! C programs against the static library. `ffi-tests/sanitizers.sh` says by environment variables that they are to be
//! built and run otherwise.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn scratch(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ffi");
    std::fs::create_dir_all(&directory).unwrap();
    directory.join(name)
}

#[track_caller]
pub fn succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Builds a static library with these features and options of the compiler.
pub fn build(folder: &str, features: &str, options: &[&str]) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder);
    succeed(
        Command::new(env!("CARGO"))
            .args(["rustc", "--release", "--locked", "--no-default-features", "--features", features])
            .args(["--crate-type", "staticlib", "--target-dir"])
            .arg(&target)
            .arg("--")
            .args(options)
            .current_dir(root()),
    );
    target.join("release/libeqflow.a")
}

/// The words of an environment variable.
fn words(variable: &str) -> Vec<String> {
    std::env::var(variable).unwrap_or_default().split_whitespace().map(str::to_owned).collect()
}

/// The static library without `std`, built once a test run; `EQFLOW_C_LIBRARY` is another one.
pub fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| match std::env::var_os("EQFLOW_C_LIBRARY") {
        Some(library) => library.into(),
        None => build("staticlib", "capi,panic-handler", &[]),
    })
}

/// What runs a C program: with `EQFLOW_C_RUNNER` under the command that it names.
pub fn run(program: impl AsRef<Path>) -> Command {
    let mut words = words("EQFLOW_C_RUNNER").into_iter();
    let Some(runner) = words.next() else { return Command::new(program.as_ref()) };
    let mut command = Command::new(runner);
    command.args(words).arg(program.as_ref());
    command
}

/// Where `packaging/install.sh` has installed the library with threads, built once a test run.
pub fn prefix() -> &'static Path {
    static PREFIX: OnceLock<PathBuf> = OnceLock::new();
    PREFIX.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let prefix = target.join("prefix");
        succeed(
            Command::new(root().join("packaging/install.sh"))
                .arg(&prefix)
                .args(["--no-default-features", "--features", "capi,parallel"])
                .env("CARGO_TARGET_DIR", target.join("prefix-build")),
        );
        prefix
    })
}

/// The static library with threads.
pub fn library_with_threads() -> PathBuf {
    prefix().join("lib/libeqflow.a")
}

/// Compiles a C program against the library without `std` and returns its path.
pub fn compile(source: &str, program: &str, options: &[&str]) -> PathBuf {
    compile_with(library(), source, program, options)
}

/// Compiles a C program against a library, with the options of `EQFLOW_C_FLAGS`, too, and returns its path.
pub fn compile_with(library: &Path, source: &str, program: &str, options: &[&str]) -> PathBuf {
    let path = scratch(program);
    succeed(
        Command::new("cc")
            .args(["-std=c99", "-O1", "-Wall", "-Wextra", "-Wpedantic", "-Werror"])
            .args(options)
            .args(words("EQFLOW_C_FLAGS"))
            .arg("-I")
            .arg(root().join("include"))
            .arg(root().join(source))
            .arg(library)
            .args(["-lpthread", "-ldl", "-lm", "-o"])
            .arg(&path),
    );
    path
}
