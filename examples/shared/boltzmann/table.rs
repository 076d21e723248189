//! The result in one table.

use super::data::Data;
use super::reweight::Reweighted;
use eqflow::sampling::Estimate;
use eqflow::systems::{GRID_STEPS, System};
use eqflow::train::Likelihood;

/// Prints measured values with their errors beside the known ones.
pub fn print(system: &System, data: &Data, test: &Likelihood, reweighted: &Reweighted) {
    let nll = Estimate { value: test.nll, standard_error: test.standard_error };
    println!("\n{} Boltzmann generator (nats and kT; errors are one standard error)\n", system.name);
    println!("  {:34} {:>22} {:>12}", "", "this run", system.mean_energy.what());
    row("test NLL, converged", format!("{nll:.4}"), format!("> {:.4}", system.floor));
    row(&format!("test NLL, {GRID_STEPS} RK4 steps"), format!("{:.4}", test.grid_nll), String::new());
    row(&format!("converged - {GRID_STEPS}-step"), format!("{:+.4}", test.gap()), "0".into());
    row("NLL of the untrained prior", format!("{:.4}", system.prior_nll), String::new());
    let percent = Estimate {
        value: 100.0 * reweighted.effective_fraction.value,
        standard_error: 100.0 * reweighted.effective_fraction.standard_error,
    };
    row("effective sample size (Kish), %", format!("{percent:.1}"), "100".into());
    row("log Z", format!("{:.4}", reweighted.log_z), format!("{:.4}", system.log_z));
    let energy = format!("{:.4}", system.mean_energy);
    row("mean energy, reweighted", format!("{:.4}", reweighted.mean_energy), energy.clone());
    let (what, raw) = if system.energy.has_walls() {
        ("median energy, flow as it is", reweighted.raw_median_energy)
    } else {
        ("mean energy, flow as it is", reweighted.raw_mean_energy)
    };
    row(what, format!("{raw:.4}"), energy.clone());
    row("mean energy, Metropolis test set", format!("{:.4}", data.mean_energy), energy);
}

fn row(what: &str, measured: String, known: String) {
    println!("  {what:34} {measured:>22} {known:>12}");
}
