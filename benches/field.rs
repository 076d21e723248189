//! Cost of the exponential path: `cargo bench --bench field`, or `-- --once CASE` for one run under callgrind.
//!
//! A pair-evaluation is one unordered pair at one evaluation of the field; a forward pass of 20 steps has 80. Each
//! figure is the median of repetitions, with the lower and upper quartile; cycles are ticks of the time-stamp
//! counter where there is one, else nanoseconds. Nothing is asserted: machines are noisy, ratios within one run
//! are not.

use eqflow::field::Shape;
use eqflow::flow::{Config, Model, Plan, RadialPath, Reals};
use eqflow::lanes::{Isa, Real};
use eqflow::radial::Basis;
use std::hint::black_box;

const STEPS: usize = 20;
const REPETITIONS: usize = 15;

#[cfg(target_arch = "x86_64")]
const UNIT: &str = "cycles";
#[cfg(not(target_arch = "x86_64"))]
const UNIT: &str = "ns";

#[cfg(target_arch = "x86_64")]
fn ticks() -> u64 {
    // SAFETY: every x86_64 processor has the time-stamp counter.
    unsafe { core::arch::x86_64::_rdtsc() }
}

#[cfg(not(target_arch = "x86_64"))]
fn ticks() -> u64 {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed().as_nanos() as u64
}

/// One figure: a name such as `dw4-gaussian-f64-256`.
struct Case {
    system: &'static str,
    shape: Shape,
    basis: Basis,
    single: bool,
    compiled: bool,
    isa: Isa,
    batch: usize,
}

impl Case {
    fn all() -> Vec<Case> {
        let dw4 = ("dw4", Shape { particles: 4, dimension: 2 });
        let lj13 = ("lj13", Shape { particles: 13, dimension: 3 });
        let mut cases = Vec::new();
        for (system, shape) in [dw4, lj13] {
            for basis in [Basis::Gaussian, Basis::Normalized] {
                for single in [false, true] {
                    for compiled in [false, true] {
                        for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
                            for batch in [64, 1024] {
                                cases.push(Case { system, shape, basis, single, compiled, isa, batch });
                            }
                        }
                    }
                }
            }
        }
        cases
    }

    fn name(&self) -> String {
        let basis = if self.basis == Basis::Gaussian { "gaussian" } else { "normalized" };
        let path = if self.compiled { "compiled" } else { "exact" };
        let precision = if self.single { "f32" } else { "f64" };
        format!("{}-{basis}-{precision}-{path}-{}-{}", self.system, self.isa.as_str(), self.batch)
    }

    fn pair_evaluations(&self) -> usize {
        4 * STEPS * self.shape.pairs() * self.batch
    }

    fn config(&self) -> Config {
        let path = if self.compiled { RadialPath::Compiled } else { RadialPath::Exact };
        Config::rk4(STEPS).with_radial(path).with_isa(self.isa)
    }

    /// Ticks of `repetitions` forward passes each, after one to warm up.
    fn measure(&self, repetitions: usize) -> Vec<u64> {
        if self.single { self.run::<f32>(repetitions) } else { self.run::<f64>(repetitions) }
    }

    fn run<R: Real>(&self, repetitions: usize) -> Vec<u64> {
        let parameters = Parameters::new();
        let plan = Plan::<R, _>::allocate(&parameters.model(self), &self.config()).unwrap();
        let mut work = plan.allocate_workspace(self.batch).unwrap();
        let z = latent::<R>(self.batch * self.shape.coordinates());
        let (mut x, mut log_det) = (z.clone(), vec![R::default(); self.batch]);
        let mut forward = || {
            plan.forward(black_box(&z), &mut x, Some(&mut log_det), &mut work).unwrap();
            black_box((&x, &log_det));
        };
        if repetitions > 1 {
            forward();
        }
        (0..repetitions)
            .map(|_| {
                let start = ticks();
                forward();
                ticks() - start
            })
            .collect()
    }
}

/// The paper's sizes: 50 radial and 10 time functions, on an even grid with small weights.
struct Parameters {
    weights: Vec<f64>,
    mu: Vec<f64>,
    gamma: Vec<f64>,
    mu_time: Vec<f64>,
    gamma_time: Vec<f64>,
}

impl Parameters {
    fn new() -> Self {
        let (m, l) = (50, 10);
        Parameters {
            weights: (0..l * m).map(|i| 0.02 * (i as f64 * 0.7).sin()).collect(),
            mu: (0..m).map(|i| 8.0 * i as f64 / (m - 1) as f64).collect(),
            gamma: vec![0.4; m],
            mu_time: (0..l).map(|i| i as f64 / (l - 1) as f64).collect(),
            gamma_time: vec![0.2; l],
        }
    }

    fn model(&self, case: &Case) -> Model<'_> {
        Model {
            basis: case.basis,
            shape: case.shape,
            weights: Reals::Native(&self.weights),
            bias: None,
            importance: None,
            mu: Reals::Native(&self.mu),
            gamma: Reals::Native(&self.gamma),
            mu_time: Reals::Native(&self.mu_time),
            gamma_time: Reals::Native(&self.gamma_time),
            eps: 1e-6,
        }
    }
}

/// Coordinates spread evenly over (-2, 2) by the golden ratio; no one but the branch predictor would notice.
fn latent<R: Real>(n: usize) -> Vec<R> {
    (0..n).map(|i| R::from_f64(4.0 * (i as f64 * 0.618_033_988_749_895).fract() - 2.0)).collect()
}

fn report(case: &Case) {
    let mut ticks = case.measure(REPETITIONS);
    ticks.sort_unstable();
    let each = |i: usize| ticks[i] as f64 / case.pair_evaluations() as f64;
    let (low, median, high) = (REPETITIONS / 4, REPETITIONS / 2, REPETITIONS * 3 / 4);
    println!("{:<44} {:>8.1}   {:.1} to {:.1}", case.name(), each(median), each(low), each(high));
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let once = arguments.iter().position(|a| a == "--once").map(|i| arguments.get(i + 1));
    match once {
        None => {
            println!("{UNIT} per pair-evaluation: median, quartiles of {REPETITIONS}");
            let filter = arguments.get(1).map_or("", |a| a.strip_prefix("--bench").unwrap_or(a));
            Case::all().iter().filter(|case| case.name().contains(filter)).for_each(report);
        }
        Some(name) => match Case::all().iter().find(|case| Some(&case.name()) == name) {
            Some(case) => {
                black_box(case.measure(1));
                println!("{} pair-evaluations", case.pair_evaluations());
            }
            None => {
                eprintln!("--once takes one of:");
                Case::all().iter().for_each(|case| eprintln!("  {}", case.name()));
                std::process::exit(2);
            }
        },
    }
}
