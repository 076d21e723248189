//! The program that regenerates the paper's experiments, on the cheapest of them: files, numbers, reproducibility.

mod common;

use common::examples::example;
use std::path::Path;
use std::process::Command;

fn paper(out: &Path, more: &[&str]) -> Command {
    let mut command = example("paper");
    command.args(["--quick", "--out"]).arg(out).args(more);
    command
}

fn succeed(out: &Path, more: &[&str], threads: &str) -> String {
    let output = paper(out, more).env("RAYON_NUM_THREADS", threads).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The lines below the names, cell by cell.
fn cells(folder: &Path, name: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(folder.join(name)).unwrap();
    let lines: Vec<Vec<String>> =
        text.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect();
    assert!(lines.len() > 1 && lines.iter().all(|line| line.len() == lines[0].len()), "{name}:\n{text}");
    lines[1..].to_vec()
}

/// What an experiment wrote.
fn written(experiment: &str, seed: &str, threads: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let printed = succeed(folder.path(), &[experiment, "--seed", seed], threads);
    assert!(printed.contains("untrained prior"), "{printed}");
    folder
}

#[test]
fn the_same_seed_writes_the_same_bytes_on_any_number_of_threads() {
    let folders = [("1", "2"), ("1", "1"), ("2", "2")].map(|(seed, threads)| written("fig7", seed, threads));
    let read = |k: usize, name: &str| std::fs::read(folders[k].path().join(name)).unwrap();
    for name in ["fig7.csv", "fig7.svg", "fig7.png"] {
        assert_eq!(read(0, name), read(1, name), "{name}");
    }
    assert_ne!(read(0, "fig7.csv"), read(2, "fig7.csv"));
    // source, run, energy, samples: every energy is one of the five that are known.
    let known = [-25.7922017, -25.31244539, -24.35242834, -23.46543176, -21.06647841];
    for row in cells(folders[0].path(), "fig7.csv") {
        let energy: f64 = row[2].parse().unwrap();
        assert!(known.iter().any(|known| (known - energy).abs() < 1e-6), "{row:?}");
        assert!(row[3].parse::<usize>().unwrap() > 0);
    }
}

/// Data, training, minimisation and counting of thirteen particles, to the last bit.
#[test]
fn the_same_seed_writes_the_same_table_1() {
    let [first, second] = ["2", "1"].map(|threads| {
        std::fs::read_to_string(written("table1", "1", threads).path().join("table1.csv")).unwrap()
    });
    assert_eq!(first, second);
    // Names, and seven sources in three windows.
    assert_eq!(first.lines().count(), 22, "{first}");
}

#[test]
fn costs_are_numbers_and_grow_with_the_particles() {
    let folder = tempfile::tempdir().unwrap();
    succeed(folder.path(), &["fig3c"], "1");
    let rows = cells(folder.path(), "fig3c.csv");
    // Five sizes, four ways.
    assert_eq!(rows.len(), 20);
    for row in &rows {
        assert!(row[2..].iter().all(|cell| cell.parse::<f64>().unwrap() > 0.0), "{row:?}");
    }
    for name in ["fig3c.svg", "fig3c.png"] {
        assert!(std::fs::metadata(folder.path().join(name)).unwrap().len() > 1000);
    }
}

#[test]
fn unknown_experiments_and_unusable_folders_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let fails = |out: &Path, more: &[&str], words: &str| {
        let output = paper(out, more).output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success());
        assert!(message.contains(words), "{words} in {message}");
    };
    fails(folder.path(), &["fig99"], "no experiment is called 'fig99'");
    fails(folder.path(), &["fig3c", "--seed", "x"], "--seed");
    let file = folder.path().join("file");
    std::fs::write(&file, "in the way").unwrap();
    fails(&file.join("out"), &["fig3c"], "cannot create output folder");
}
