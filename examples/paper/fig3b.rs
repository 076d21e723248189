//! Figure 3b: the free energy of DW-2 along the distance, from reweighted flow samples, against the exact one.
//!
//! Samples come from a fixed grid of so many steps that its log-density agrees with the adaptive one to far below the
//! errors: tens of millions of samples in seconds.

use crate::csv::Csv;
use crate::drawing::{BLUE, GREY, ORANGE, Plot, Series};
use crate::dw2_exact::free_energies;
use crate::lab::{Lab, Report, converged_samples};
use crate::systems::{DW2, GRID_STEPS};
use crate::training::Trained;
use eqflow::flow::{Block, Config, Plan};
use eqflow::sampling::{Histogram, draw_samples, energies};
use eqflow::train::likelihood;
use std::error::Error;

const STEPS: usize = 80;
/// Samples a call.
const CHUNK: usize = 100_000;
/// The bar: the profile is compared where it lies below this.
const HIGHEST: f64 = 6.0;

/// Sums over samples in one bin or over all: of the weights, of their squares, and of the samples.
#[derive(Clone, Copy, Default)]
struct Sums {
    weight: f64,
    square: f64,
    count: f64,
}

impl Sums {
    fn add(&mut self, w: f64) {
        self.weight += w;
        self.square += w * w;
        self.count += 1.0;
    }

    /// -log of the fraction that lies in `self`, a bin of the given width, and its error by the delta method.
    fn free_energy(&self, whole: &Sums, width: f64) -> (f64, f64) {
        let p = self.weight / whole.weight;
        let variance = (1.0 - 2.0 * p) * self.square + p * p * whole.square;
        (-(p / width).ln(), variance.sqrt() / self.weight)
    }

    /// The same as if all weights were equal.
    fn raw(&self, whole: &Sums, width: f64) -> f64 {
        -(self.count / whole.count / width).ln()
    }
}

/// One bin's free energies.
struct Bin {
    middle: f64,
    exact: f64,
    reweighted: f64,
    standard_error: f64,
    raw: f64,
}

pub fn run(lab: &Lab) -> Result<Report, Box<dyn Error>> {
    let flow = lab.dw2()?;
    let test = DW2.equilibrium(lab.budget(20_000, 4_000), lab.seed_of(31))?;
    let test = likelihood(&flow.parameters, &test.samples, GRID_STEPS)?;
    let edges = Histogram::linear_edges(1.5, 7.0, 55)?;
    let plan: Plan<f64, Vec<Block>> =
        flow.parameters.with_model(|model| Plan::allocate(model, &Config::rk4(STEPS)))?;
    let gap = discretisation(&flow, &plan, lab.seed_of(32))?;
    let n = lab.budget(400, 30) * CHUNK;
    let (bins, whole) = profile(&plan, lab.seed_of(33), n, &edges)?;

    let mut csv = Csv::new(&["d", "exact", "reweighted", "standard_error", "raw"]);
    for bin in &bins {
        csv.row(&[&bin.middle, &bin.exact, &bin.reweighted, &bin.standard_error, &bin.raw]);
    }
    let mut files = vec![csv.write(&lab.out, "fig3b")?];
    files.extend(plot(&bins).write(&lab.out, "fig3b")?);
    let compared: Vec<&Bin> = bins.iter().filter(|bin| bin.exact < HIGHEST).collect();
    let deviation = |bin: &&Bin| (bin.reweighted - bin.exact).abs();
    let worst = compared.iter().map(deviation).fold(0.0, f64::max);
    let chi2: f64 = compared.iter().map(|bin| (deviation(bin) / bin.standard_error).powi(2)).sum();
    let largest_error = compared.iter().map(|bin| bin.standard_error).fold(0.0, f64::max);
    let raw = compared.iter().map(|bin| (bin.raw - bin.exact).abs()).fold(0.0, f64::max);
    let paragraph = format!(
        "Reweighted, {n} samples of a DW-2 flow give the free energy along the distance to within {worst:.4} kT of the \
         exact one in each of the {} bins of 0.1 below {HIGHEST} kT (largest standard error {largest_error:.4}, chi^2 \
         {chi2:.1}); as they are, to within {raw:.3}. Effective sample size {:.1} %. Test NLL {:.4} +- {:.4} converged, \
         {:.4} by 20 steps, floor {:.5}, prior {:.3}. The grid of {STEPS} steps that drew the samples differs from the \
         converged log-density by at most {gap:.1e} on 1000 of them.",
        compared.len(),
        100.0 * whole.weight * whole.weight / whole.square / whole.count,
        test.nll,
        test.standard_error,
        test.grid_nll,
        DW2.floor.value,
        DW2.prior_nll,
    );
    Ok(Report { paragraph, files })
}

/// Largest difference of log-densities between the fixed grid and the adaptive integrator.
fn discretisation(flow: &Trained, plan: &Plan<f64, Vec<Block>>, seed: u64) -> Result<f64, Box<dyn Error>> {
    let converged = converged_samples(flow, seed, 1000)?;
    let mut by_grid = vec![0.0; 1000];
    plan.parallel().log_prob(&converged.samples, &mut by_grid, None)?;
    let differences = by_grid.iter().zip(&converged.log_probs).map(|(a, b)| (a - b).abs());
    Ok(differences.fold(0.0, f64::max))
}

/// Free energies of all bins, and the sums over all samples.
fn profile(
    plan: &Plan<f64, Vec<Block>>,
    seed: u64,
    n: usize,
    edges: &[f64],
) -> Result<(Vec<Bin>, Sums), Box<dyn Error>> {
    let mut sums = vec![Sums::default(); edges.len() - 1];
    let mut whole = Sums::default();
    for chunk in 0..n / CHUNK {
        let drawn = draw_samples(plan, seed.wrapping_add((chunk as u64) << 32), CHUNK, &|_| ())?;
        let u = energies(&DW2.energy, DW2.shape, &drawn.samples)?;
        for (x, (u, log_prob)) in drawn.samples.chunks_exact(4).zip(u.iter().zip(&drawn.log_probs)) {
            // log Z is 7.3: no weight overflows.
            let w = (-u - log_prob).exp();
            let d = (x[0] - x[2]).hypot(x[1] - x[3]);
            whole.add(w);
            let bin = edges.partition_point(|&edge| edge <= d);
            if (1..edges.len()).contains(&bin) {
                sums[bin - 1].add(w);
            }
        }
    }
    let bins = edges.windows(2).zip(free_energies(edges)).zip(&sums).map(|((edges, exact), sums)| {
        let width = edges[1] - edges[0];
        let (reweighted, standard_error) = sums.free_energy(&whole, width);
        let middle = 0.5 * (edges[0] + edges[1]);
        Bin { middle, exact, reweighted, standard_error, raw: sums.raw(&whole, width) }
    });
    Ok((bins.collect(), whole))
}

fn plot(bins: &[Bin]) -> Plot {
    let caption = "DW-2: free energy along the distance";
    let mut plot = Plot::new(caption, ["distance", "-log p(d) / kT"], [1.5..7.0, -0.5..11.0]);
    plot.series = vec![
        Series::line("exact", GREY, bins.iter().map(|bin| (bin.middle, bin.exact))),
        Series::line("flow", ORANGE, bins.iter().map(|bin| (bin.middle, bin.raw))),
        Series::marks(
            "flow, reweighted",
            BLUE,
            bins.iter().map(|bin| (bin.middle, bin.reweighted, bin.standard_error)),
        ),
    ];
    plot.legend = plotters::prelude::SeriesLabelPosition::UpperMiddle;
    plot
}
