//! Examples as their users run them, but built as the tests are: with the same features and profile nothing is
//! compiled twice.

use std::process::Command;

/// `cargo run` of an example, up to its own arguments.
pub fn example(name: &str) -> Command {
    let features = [
        ("capi", cfg!(feature = "capi")),
        ("cli", cfg!(feature = "cli")),
        ("panic-handler", cfg!(feature = "panic-handler")),
        ("parallel", cfg!(feature = "parallel")),
        ("plot", cfg!(feature = "plot")),
    ];
    let on: Vec<&str> = features.into_iter().filter_map(|(feature, on)| on.then_some(feature)).collect();
    let mut command = Command::new(env!("CARGO"));
    command.args(["run", "--quiet", "--example", name, "--features"]).arg(on.join(","));
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    command.arg("--").current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}
