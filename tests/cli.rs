//! The program `eqflow` as its user runs it, on budgets of seconds.
#![cfg(feature = "cli")]

use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn eqflow(folder: &Path, arguments: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_eqflow"))
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .output()
        .unwrap()
}

/// Runs a command that must succeed and returns its results.
#[track_caller]
fn results(folder: &Path, arguments: &str) -> Value {
    let output = eqflow(folder, &format!("{arguments} --json"));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{arguments}: {text}{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str::<Value>(&text).unwrap()["results"].clone()
}

/// Runs a command that must fail; returns what it says.
#[track_caller]
fn fails(folder: &Path, arguments: &str, status: i32) -> String {
    let output = eqflow(folder, arguments);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(status), "{arguments}: {message}");
    message
}

#[track_caller]
fn assert_agrees(estimate: &Value, exact: f64) {
    let number = |key: &str| estimate[key].as_f64().unwrap();
    let deviation = (number("value") - exact).abs() / number("standard_error");
    assert!(deviation < 4.0, "{estimate} against {exact}");
}

/// From chains to free energies, for configurations whose potential the trainer does not know.
#[test]
fn the_chain_of_the_readme_runs_from_data_to_free_energies() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let simulated = results(
        at,
        "simulate --system dw4 -n 2000 --burn-in 2000 --thin 500 --step 0.6 --seed 1 -o data.xyz --plots pictures",
    );
    assert_agrees(&simulated["mean_energy"], -22.541509603480378);
    assert_eq!(simulated["samples"], 2000);
    let trained = results(
        at,
        "train data.xyz --iterations 60 --check-every 30 -o model.eqf --plots pictures --seed 3 --threads 2",
    );
    let nll = trained["nll"]["value"].as_f64().unwrap();
    assert!(nll > 7.1257 && nll < 10.5, "certified, above the floor and far below the prior's 19: {nll}");
    let drawn = results(at, "sample model.eqf -n 3000 --seed 5 -o samples.xyz --system dw4");
    assert_eq!(drawn["samples"], 3000);
    let reweighted = results(
        at,
        "reweight samples.xyz --temperature 2 -o profile.csv --plots pictures --bootstrap 50 --model model.eqf --data data.xyz",
    );
    assert_agrees(&reweighted["log_z"], 29.66723223290428);
    assert_agrees(&reweighted["log_z_bar"], 29.66723223290428);
    assert_agrees(&reweighted["mean_energy"], -22.541509603480378);
    assert!(reweighted["log_z_at_2"]["value"].as_f64().unwrap() < 29.0);
    assert!(reweighted["effective_percent"]["value"].as_f64().unwrap() > 1.0);
    let profile = fs::read_to_string(at.join("profile.csv")).unwrap();
    assert!(profile.starts_with("distance,free_energy,standard_error,unweighted\n"));
    assert_eq!(profile.lines().count(), 49);
    for name in ["energies", "training", "phi", "profile"] {
        for kind in ["svg", "png"] {
            let path = at.join(format!("pictures/{name}.{kind}"));
            assert!(fs::metadata(&path).unwrap().len() > 1000, "{name}.{kind}");
        }
    }
    assert_eq!(fs::read_dir(at.join("pictures")).unwrap().count(), 8, "nothing unfinished is left");

    // The same again on one thread, by the potential instead of the energies in the file.
    results(at, "train data.xyz --iterations 60 --check-every 30 -o again.eqf --seed 3 --threads 1");
    assert_eq!(fs::read(at.join("model.eqf")).unwrap(), fs::read(at.join("again.eqf")).unwrap());
    let by_potential = results(at, "reweight samples.xyz --system dw4 --bootstrap 50");
    // Configurations are moved to zero centre of mass when they are read, which rounds.
    let [by_potential_z, by_file_z] =
        [&by_potential, &reweighted].map(|found| found["log_z"]["value"].as_f64().unwrap());
    assert!((by_potential_z - by_file_z).abs() < 1e-12, "{by_potential_z} {by_file_z}");
    assert_eq!(by_potential["log_z"]["known"].as_f64(), Some(29.66723223290428));

    // Annealed from the flow and from a normal; without resampling `reweight` finds the same.
    for from in ["model.eqf --steps 6 --last-moves 0", "--kernel walk --moves 10 --step 0.5"] {
        let command = "--system dw4 -n 300 --resample-below 0 -o annealed.npz";
        let annealed = results(at, &format!("anneal {from} {command}"));
        assert_agrees(&annealed["log_z"], 29.66723223290428);
        assert_eq!(annealed["founders"], 300);
        let again = results(at, "reweight annealed.npz --system dw4 --bootstrap 50");
        let [a, b] = [&annealed, &again].map(|results| results["log_z"]["value"].as_f64().unwrap());
        assert!((a - b).abs() < 1e-9, "{a} {b}");
    }

    // Certified or not, minima, and the other formats.
    let certified = eqflow(at, "certify model.eqf --data data.xyz --most 50");
    assert!(certified.status.success(), "{}", String::from_utf8_lossy(&certified.stdout));
    let refused = eqflow(at, "certify model.eqf --data data.xyz --most 50 --steps 1 --gap 1e-9 --json");
    assert_eq!(refused.status.code(), Some(1));
    let verdict: Value = serde_json::from_slice(&refused.stdout).unwrap();
    assert_ne!(verdict["results"]["verdict"], "honest");
    let minima = results(at, "minima samples.xyz --system dw4 --most 300 -o minima.npz");
    assert!((3..=6).contains(&minima["minima"].as_u64().unwrap()), "{minima}");
    assert!(minima["minimum_1"].as_str().unwrap().starts_with("u = -25.792202"), "{minima}");
    for arguments in ["convert samples.xyz -o samples.npz", "convert model.eqf -o model.safetensors"] {
        results(at, arguments);
    }
    let archived = results(at, "reweight samples.npz --bootstrap 50");
    assert_eq!(archived["log_z"], results(at, "reweight samples.xyz --bootstrap 50")["log_z"]);
    assert_eq!(results(at, "inspect model.safetensors")["radial_functions"], 50);
    let inspected = results(at, "inspect data.xyz --chains 100");
    assert!(inspected["energy_r_hat"].as_f64().unwrap() < 1.1);
}

#[test]
fn what_goes_wrong_is_said_with_the_right_status() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    fs::write(at.join("bad.xyz"), "2\n\nC 0 0 0\nC 0 zero 0\n").unwrap();
    let message = fails(at, "train bad.xyz -o a.eqf", 1);
    let reason = "line 4: column 3 is 'zero', not a finite number";
    assert_eq!(message, format!("error: cannot read trajectory 'bad.xyz': {reason}\n"));
    assert!(!at.join("a.eqf").exists());

    fs::write(at.join("few.xyz"), "2\n\nC 0 0 0\nC 1 1 0\n").unwrap();
    fs::write(at.join("many.xyz"), "2\n\nC 0 0 0\nC 1 1 0\n".repeat(12)).unwrap();
    fs::write(at.join("mixed.xyz"), "2\n\nC 0 0 0\nO 1 1 0\n").unwrap();
    for (arguments, status, words) in [
        ("", 2, "Usage"),
        ("simulate --system dw5 -o a.xyz", 2, "known are dw2, dw4, lj13"),
        ("simulate --system dw4", 2, "--output"),
        ("simulate --system dw4 -n 0 -o a.xyz", 2, "must be at least 1"),
        ("simulate --system dw4 --step -1 -n 10 --chains 2 -o a.xyz", 2, "unexpected argument"),
        ("simulate --system dw4 --step=-1 -n 10 --chains 2 -o a.xyz", 1, "config.step_size is -1"),
        ("simulate --system dw4 -n 10 --chains 2 --step 0.5 -o none/a.xyz", 1, "there is no folder 'none'"),
        ("simulate --system dw4 -n 10 --chains 2 --step 0.5 --thin 1 --burn-in 1 -o a.pdb", 1, "'a.pdb'"),
        ("train few.xyz -o a.eqf", 1, "1 configurations are too few"),
        ("train mixed.xyz -o a.eqf", 1, "have C and O: the flow knows one species only"),
        ("train few.xyz --loss renyi -o a.eqf", 1, "--loss renyi needs a --system"),
        ("train few.xyz --system dw4 -o a.eqf", 1, "'few.xyz' has 2 particles in 2 dimensions, DW-4 has 4"),
        ("train many.xyz -o a.eqf", 1, "z is 0 in all configurations: say --dimension 2"),
        ("train many.xyz --dimension 2 --resume -o a.eqf", 1, "cannot read checkpoint 'a.eqf.checkpoint'"),
        ("sample none.eqf -o a.xyz", 1, "cannot read model file 'none.eqf'"),
        ("sample few.xyz -o a.xyz", 1, "cannot read model file 'few.xyz'"),
        ("sample a.eqf --steps 5 --tolerance 1e-3 -o a.xyz", 2, "cannot be used with"),
        ("reweight few.xyz --system dw2", 1, "has no log-densities"),
        ("reweight few.xyz --data few.xyz", 2, "--model"),
        ("reweight few.xyz --temperature 0", 2, "must be above 0"),
        ("reweight few.xyz --pair 1,1", 2, "such as 1,2"),
        ("anneal none.eqf --system dw4 -o a.npz", 1, "cannot read model file 'none.eqf'"),
        ("anneal --system dw4 --kernel independence -o a.npz", 1, "needs a model"),
        ("anneal --system dw4 --conditional-ess 1 -o a.npz", 1, "conditional_ess is 1, not between 0 and 1"),
        ("minima none.npz --system lj7", 1, "cannot read trajectory 'none.npz'"),
        ("inspect few.txt", 1, "its name ends neither in"),
        ("inspect few.xyz --threads 0", 2, "--threads"),
        ("convert few.xyz -o few.pdb", 1, "cannot write trajectory 'few.pdb'"),
    ] {
        let message = fails(at, arguments, status);
        assert!(message.contains(words), "{arguments}: {message}");
    }
    assert!(!at.join("a.xyz").exists());
}

#[cfg(unix)]
#[test]
fn an_interrupted_training_resumes_to_the_same_model() {
    use std::io::{BufRead, BufReader};
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    results(at, "simulate --system dw2 -n 400 --chains 40 --burn-in 200 --thin 50 --step 0.7 -o data.npz");
    let train = "train data.npz --system dw2 --iterations 3000 --check-every 1000 --batch-size 8 -o";
    results(at, &format!("{train} whole.eqf"));
    let mut child = Command::new(env!("CARGO_BIN_EXE_eqflow"))
        .args(format!("{train} broken.eqf").split_whitespace())
        .current_dir(at)
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "360 configurations to train on, 40 kept aside for certification\n");
    std::thread::sleep(std::time::Duration::from_millis(100));
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(!at.join("broken.eqf").exists());
    results(at, &format!("{train} broken.eqf --resume"));
    assert_eq!(fs::read(at.join("broken.eqf")).unwrap(), fs::read(at.join("whole.eqf")).unwrap());
}

#[test]
fn help_and_completions_are_printed() {
    let folder = tempfile::tempdir().unwrap();
    for command in
        ["simulate", "train", "sample", "reweight", "anneal", "certify", "minima", "inspect", "convert"]
    {
        let output = eqflow(folder.path(), &format!("{command} --help"));
        let help = String::from_utf8(output.stdout).unwrap();
        assert!(help.contains(&format!("Example:\n  eqflow {command} ")), "{help}");
    }
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = eqflow(folder.path(), &format!("completions {shell}"));
        assert!(output.status.success());
        assert!(String::from_utf8(output.stdout).unwrap().contains("reweight"), "{shell}");
    }
}

/// The commands of the README's section on the program, with budgets of seconds.
#[test]
fn the_commands_of_the_readme_run_as_they_stand() {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let section = readme.split("\n## The program\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let commands: Vec<&str> = section.lines().filter_map(|line| line.strip_prefix("eqflow ")).collect();
    let names: Vec<&str> = commands.iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(names, ["simulate", "train", "sample", "reweight"]);
    let folder = tempfile::tempdir().unwrap();
    for (command, budget) in commands.iter().zip([
        "--burn-in 2000 --thin 200 --step 0.6 --chains 100",
        "--iterations 20 --check-every 20",
        "--tolerance 1e-5",
        "--bootstrap 20",
    ]) {
        let fewer = command.replace("-n 20000", "-n 1000").replace("-n 50000", "-n 2000");
        results(folder.path(), &format!("{fewer} {budget}"));
    }
}
