//! The main job as its user runs it, on a small budget: same seed, same numbers; Ctrl-C and resume lose nothing.

mod common;

use common::examples::example;
use std::path::Path;
use std::process::{Command, Stdio};

/// A budget of seconds: what is checked here is the program, not the quality of its flow.
const SMALL: [&str; 8] = ["--train", "400", "--test", "200", "--iterations", "600", "--samples", "2000"];
const FILES: [&str; 5] = ["dw4.eqf", "energies.svg", "energies.png", "training.svg", "training.png"];

fn main_job(out: &Path, more: &[&str]) -> Command {
    let mut command = example("dw4");
    command.arg("--out").arg(out).args(SMALL).args(more);
    command
}

/// Everything printed before the list of files, whose paths and time differ.
fn numbers(output: &std::process::Output) -> String {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text.split("\nWritten in").next().unwrap().to_string()
}

#[test]
fn the_same_seed_prints_the_same_numbers_and_another_does_not() {
    let folders: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
    let first = numbers(&main_job(folders[0].path(), &[]).output().unwrap());
    let second = main_job(folders[1].path(), &[]).env("RAYON_NUM_THREADS", "1").output().unwrap();
    assert_eq!(first, numbers(&second), "also with another number of threads");
    let other = numbers(&main_job(folders[2].path(), &["--seed", "2"]).output().unwrap());
    assert_ne!(first, other);
    for row in
        ["test NLL, converged", "test NLL, 20 RK4 steps", "effective sample size", "log Z", "mean energy"]
    {
        assert!(first.contains(row), "{row} in\n{first}");
    }
    for name in FILES {
        let read = |folder: &tempfile::TempDir| std::fs::read(folder.path().join(name)).unwrap();
        assert!(!read(&folders[0]).is_empty());
        assert_eq!(read(&folders[0]), read(&folders[1]), "{name}");
    }
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_resumes_to_the_same_numbers() {
    let (whole, broken) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let uninterrupted = numbers(&main_job(whole.path(), &[]).output().unwrap());

    // The built program itself, so that the signal reaches it and not cargo.
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join(target_directory()).join(profile);
    let program = program.join("examples/dw4");
    let mut child = Command::new(program)
        .arg("--out")
        .arg(broken.path())
        .args(SMALL)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // Training begins after the line about the test set.
    let stdout = std::io::BufReader::new(child.stdout.take().unwrap());
    for line in std::io::BufRead::lines(stdout) {
        if line.unwrap().contains("test set:") {
            std::thread::sleep(std::time::Duration::from_millis(400));
            let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
            assert!(kill.success());
        }
    }
    assert_eq!(child.wait().unwrap().code(), Some(130), "interrupted while training");
    assert!(broken.path().join("dw4.checkpoint").exists());

    let resumed = numbers(&main_job(broken.path(), &["--resume"]).output().unwrap());
    assert_eq!(resumed, uninterrupted);
}

/// The same program for LJ-13, in the profile that the tests are built in anyway.
#[test]
fn the_job_of_lj13_runs_from_data_to_model() {
    let folder = tempfile::tempdir().unwrap();
    let job = |more: &[&str]| {
        Command::new(env!("CARGO"))
            .args(["run", "--all-features", "--quiet", "--example", "lj13", "--", "--out"])
            .arg(folder.path())
            .args(["--train", "20", "--test", "8", "--iterations", "10", "--samples", "50"])
            .args(more)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap()
    };
    let printed = numbers(&job(&[]));
    for words in ["LJ-13 Boltzmann generator", "> 16.908 +- 0.018", "-42.967 +- 0.018", "log Z"] {
        assert!(printed.contains(words), "{words} in\n{printed}");
    }
    for name in FILES.map(|name| name.replace("dw4", "lj13")) {
        assert!(!std::fs::read(folder.path().join(&name)).unwrap().is_empty(), "{name}");
    }
    let model = eqflow::io::ModelFile::open(folder.path().join("lj13.eqf")).unwrap();
    assert_eq!((model.model().shape.particles, model.model().shape.dimension), (13, 3));
}

/// Where this build puts its artefacts.
fn target_directory() -> String {
    std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".into())
}

#[test]
fn bad_options_and_unusable_folders_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let fails = |out: &Path, more: &[&str], words: &str| {
        let output = main_job(out, more).output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success());
        assert!(message.contains(words), "{words} in {message}");
    };
    fails(folder.path(), &["--seed", "x"], "--seed");
    fails(folder.path(), &["--resume"], "cannot read checkpoint");
    let file = folder.path().join("file");
    std::fs::write(&file, "in the way").unwrap();
    fails(&file.join("out"), &[], "cannot create output folder");
}
