//! The result in one table.

use crate::data::Data;
use crate::exact;
use crate::reweight::Reweighted;
use eqflow::sampling::Estimate;
use eqflow::train::Likelihood;

/// Prints measured values with their errors beside the exact ones.
pub fn print(data: &Data, test: &Likelihood, reweighted: &Reweighted) {
    let nll = Estimate { value: test.nll, standard_error: test.standard_error };
    println!("\nDW-4 Boltzmann generator (nats and kT; errors are one standard error)\n");
    println!("  {:34} {:>22} {:>12}", "", "this run", "exact");
    row("test NLL, converged", format!("{nll:.4}"), format!("> {:.4}", exact::NLL_FLOOR));
    row("test NLL, 20 RK4 steps", format!("{:.4}", test.grid_nll), String::new());
    row("converged - 20-step", format!("{:+.4}", test.gap()), "0".into());
    row("NLL of the untrained prior", format!("{:.4}", exact::PRIOR_NLL), String::new());
    let percent = Estimate {
        value: 100.0 * reweighted.effective_fraction.value,
        standard_error: 100.0 * reweighted.effective_fraction.standard_error,
    };
    row("effective sample size (Kish), %", format!("{percent:.1}"), "100".into());
    row("log Z", format!("{:.4}", reweighted.log_z), format!("{:.4}", exact::LOG_Z));
    let exact_energy = format!("{:.4}", exact::MEAN_ENERGY);
    row("mean energy, reweighted", format!("{:.4}", reweighted.mean_energy), exact_energy.clone());
    row("mean energy, flow as it is", format!("{:.4}", reweighted.raw_mean_energy), exact_energy.clone());
    row("mean energy, Metropolis test set", format!("{:.4}", data.mean_energy), exact_energy);
}

fn row(what: &str, measured: String, exact: String) {
    println!("  {what:34} {measured:>22} {exact:>12}");
}
