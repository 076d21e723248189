//! `eqflow reweight`.

use super::report::Report;
use super::sample::Rung;
use super::{Outcome, files, pictures};
use clap::Args;
use eqflow::flow::{Block, Plan};
use eqflow::io::{Csv, Trajectory, write_atomically};
use eqflow::plot::{BLUE, GREY, ORANGE};
use eqflow::sampling::{
    Estimate, Histogram, ImportanceWeights, Profile, autocorrelation_time, bootstrap_profile, bridge_log_z,
    pair_distances,
};
use eqflow::systems::System;
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

/// Bins of the free-energy profile.
const BINS: usize = 48;

/// Reweight a flow's samples to the Boltzmann distribution: log Z, averages and a free-energy profile with errors.
#[derive(Args)]
#[command(
    after_help = "Example:\n  eqflow reweight samples.npz --system dw4 --temperature 1.5 -o profile.csv --plots pictures\n  eqflow reweight samples.npz --system dw4 --model dw4.eqf --data dw4.xyz"
)]
pub struct Options {
    /// The flow's samples with their log-densities, as `eqflow sample` writes them: .xyz or .npz.
    samples: PathBuf,
    /// Whose energies: dw2, dw4, lj13, or lj with another number of particles (default: those in the file).
    #[arg(long, value_parser = files::system)]
    system: Option<System>,
    /// D of configurations that do not say so.
    #[arg(long)]
    dimension: Option<usize>,
    /// Reweight to this temperature too, in units of that of the energies; may be given several times.
    #[arg(long, value_parser = temperature)]
    temperature: Vec<f64>,
    /// Profile along the distance of this pair of particles, I,J from 1 (default: all pairs).
    #[arg(long, value_name = "I,J", value_parser = pair)]
    pair: Option<(usize, usize)>,
    /// Equilibrium samples of the target, for log Z from both sides (Bennett's acceptance ratio); needs --model.
    #[arg(long, requires = "model")]
    data: Option<PathBuf>,
    /// The model that drew the samples.
    #[arg(long, requires = "data")]
    model: Option<PathBuf>,
    #[command(flatten)]
    rung: Rung,
    /// Bootstrap replicates for the errors.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(2..))]
    bootstrap: u32,
    /// Seed of the bootstrap.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write the profile as a table (.csv).
    #[arg(long, short)]
    output: Option<PathBuf>,
    /// Folder for pictures of the energies and the profile.
    #[arg(long)]
    plots: Option<PathBuf>,
}

fn temperature(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|error| format!("{error}"))?;
    if value.is_finite() && value > 0.0 { Ok(value) } else { Err("must be above 0".into()) }
}

fn pair(text: &str) -> Result<(usize, usize), String> {
    let parsed: Option<(usize, usize)> =
        text.split_once(',').and_then(|(i, j)| Some((i.trim().parse().ok()?, j.trim().parse().ok()?)));
    match parsed {
        Some((i, j)) if i != j && i > 0 && j > 0 => Ok((i.min(j), i.max(j))),
        _ => Err("not two different numbers from 1 on with a comma, such as 1,2".into()),
    }
}

pub fn run(options: &Options) -> Outcome {
    if let Some(output) = &options.output {
        files::writable(output)?;
    }
    let trajectory = files::read(&options.samples, options.system.as_ref(), options.dimension)?;
    let log_probs = trajectory.log_probs.as_ref().ok_or_else(|| {
        format!(
            "'{}' has no log-densities (log_prob): reweighting needs a flow's samples",
            options.samples.display()
        )
    })?;
    let u = files::energies_of(&trajectory, options.system.as_ref())?.ok_or_else(|| {
        format!("'{}' has no energies: name a --system, or add energy to the file", options.samples.display())
    })?;
    let weights = ImportanceWeights::from_densities(&u, log_probs)?;
    let mut report = Report::new(format!("reweight {}", options.samples.display()));
    describe(&mut report, options, &weights, &u)?;
    for &temperature in &options.temperature {
        at_temperature(&mut report, options, temperature, &u, log_probs)?;
    }
    let data = match (&options.data, &options.model) {
        (Some(data), Some(model)) => Some(bridge(&mut report, options, (data, model), (&u, log_probs))?),
        _ => None,
    };
    if let Some(plots) = &options.plots {
        let (folder, w) = (files::folder(plots)?, weights.normalized());
        let mut curves =
            vec![("flow", ORANGE, &u[..], None), ("flow, reweighted", BLUE, &u[..], Some(&w[..]))];
        if let Some(data) = &data {
            curves.push(("data", GREY, data, None));
        }
        report.files(pictures::energies(folder, "Energies of flow and reweighted flow", &curves)?);
    }
    profile(&mut report, options, &trajectory, &weights)?;
    Ok((report, ExitCode::SUCCESS))
}

fn describe(
    report: &mut Report,
    options: &Options,
    weights: &ImportanceWeights,
    u: &[f64],
) -> Result<(), eqflow::sampling::Error> {
    let bootstrap = weights.bootstrap(options.bootstrap as usize, options.seed)?;
    let fraction = bootstrap.effective_fraction();
    let percent = Estimate { value: 100.0 * fraction.value, standard_error: 100.0 * fraction.standard_error };
    report.count("samples", "configurations", weights.len());
    report.estimate("effective_percent", "effective sample size (Kish), %", percent);
    if let Ok(tail) = weights.pareto_tail() {
        report.number("pareto_k", "Pareto k of the weights", tail.k, 3);
        if !tail.is_reliable() {
            let (k, most) = (tail.k, tail.threshold());
            report.note(format!(
                "The weights' tail is heavy (k = {k:.2}, at most {most:.2}): errors are too small."
            ));
        }
    }
    let system = options.system.as_ref();
    report.compared("log_z", "log Z", bootstrap.log_z(), system.map(|system| system.log_z));
    let mean = bootstrap.expectation(u)?;
    report.compared("mean_energy", "mean energy / kT", mean, system.map(|system| system.mean_energy));
    report.number(
        "raw_median_energy",
        "median energy without weights / kT",
        pictures::quantile(u, None, 0.5),
        4,
    );
    Ok(())
}

fn at_temperature(
    report: &mut Report,
    options: &Options,
    temperature: f64,
    u: &[f64],
    log_probs: &[f64],
) -> Result<(), eqflow::sampling::Error> {
    let weights = ImportanceWeights::from_densities_at(temperature, u, log_probs)?;
    let bootstrap = weights.bootstrap(options.bootstrap as usize, options.seed)?;
    let key = |name: &str| format!("{name}_at_{temperature}");
    let label = |name: &str| format!("T = {temperature}: {name}");
    report.number(
        &key("effective_percent"),
        &label("effective sample size, %"),
        100.0 * weights.effective_fraction(),
        1,
    );
    report.estimate(&key("log_z"), &label("log Z"), bootstrap.log_z());
    report.estimate(&key("mean_energy"), &label("mean energy"), bootstrap.expectation(u)?);
    Ok(())
}

/// log Z from both sides; returns the energies of the equilibrium samples.
fn bridge(
    report: &mut Report,
    options: &Options,
    (data, model): (&PathBuf, &PathBuf),
    (u, log_probs): (&[f64], &[f64]),
) -> Result<Vec<f64>, Box<dyn Error>> {
    let system = options.system.as_ref();
    let file = files::open_model(model)?;
    let model_read = file.model();
    let target = files::read(data, system, options.dimension.or(Some(model_read.shape.dimension)))?;
    files::fits(data, target.shape, model_read.shape, "the model")?;
    let energies = files::energies_of(&target, system)?
        .ok_or_else(|| format!("'{}' has no energies: name a --system", data.display()))?;
    let plan: Plan<f64, Vec<Block>> = Plan::allocate(&model_read, &options.rung.config())?;
    let mut target_log_probs = vec![0.0; target.len()];
    plan.parallel().log_prob(&target.samples, &mut target_log_probs, None)?;
    let log_z = bridge_log_z((u, log_probs), (&energies, &target_log_probs))?;
    report.compared("log_z_bar", "log Z from both sides (BAR)", log_z, system.map(|system| system.log_z));
    // As one series: an upper bound of the chains' memory where they lie one after the other.
    if let Ok(time) = autocorrelation_time(&energies, 1) {
        report.number(
            "data_autocorrelation_time",
            "autocorrelation time of the data's energies",
            time.value,
            2,
        );
        if time.value > 1.5 {
            report.note(
                "The data are correlated: the error of BAR counts them as independent and is too small.",
            );
        }
    }
    Ok(energies)
}

/// The free energy along pair distances.
fn profile(
    report: &mut Report,
    options: &Options,
    trajectory: &Trajectory,
    weights: &ImportanceWeights,
) -> Result<(), Box<dyn Error>> {
    if options.output.is_none() && options.plots.is_none() {
        return Ok(());
    }
    let (n, pairs) = (trajectory.shape.particles, trajectory.shape.pairs());
    let all = pair_distances(trajectory.shape, &trajectory.samples)?;
    let (values, each, axis) = match options.pair {
        None => (all, pairs, "pair distance".to_string()),
        Some((i, j)) if j <= n => {
            // Pairs before (i, j) in the order (1, 2), (1, 3), ...
            let index = (1..i).map(|row| n - row).sum::<usize>() + j - i - 1;
            let chosen = all.chunks_exact(pairs).map(|d| d[index]).collect();
            (chosen, 1, format!("distance of particles {i} and {j}"))
        }
        Some((_, j)) => return Err(format!("there is no particle {j} among {n}").into()),
    };
    let normalized = weights.normalized();
    let spread: Vec<f64> = normalized.iter().flat_map(|&w| std::iter::repeat_n(w, each)).collect();
    let ends = [0.0002, 0.9998].map(|fraction| pictures::quantile(&values, Some(&spread), fraction));
    let edges = Histogram::linear_edges(ends[0], ends[1], BINS)?;
    let replicates = (options.bootstrap as usize, options.seed);
    let found = bootstrap_profile(&values, Some(&normalized), &edges, normalized.len(), replicates)?;
    let mut plain = Profile::new(&edges)?;
    for values in values.chunks_exact(each) {
        plain.add(values, 1.0)?;
    }
    let raw = plain.unweighted();
    if let Some(output) = &options.output {
        let mut csv = Csv::new(&["distance", "free_energy", "standard_error", "unweighted"]);
        for ((edge, found), raw) in edges.windows(2).zip(&found).zip(&raw) {
            csv.row(&[&(0.5 * (edge[0] + edge[1])), &found.value, &found.standard_error, raw]);
        }
        write_atomically(output, csv.text().as_bytes())?;
        report.file(output);
    }
    if let Some(plots) = &options.plots {
        report.files(pictures::profile(files::folder(plots)?, &axis, &edges, &found, Some(&raw))?);
    }
    Ok(())
}
