//! Forward passes: per precision, path, instruction set, system size and batch.

use crate::figures::{Case, Figure};
use crate::models::{DW4, LJ13, LJ55, Parameters, STEPS, System, latent};
use crate::timing;
use eqflow::field::Shape;
use eqflow::flow::{Block, Config, Plan, Precision, RadialPath};
use eqflow::lanes::Isa;
use eqflow::radial::{Basis, Degree};
use std::hint::black_box;

struct Forward {
    system: System,
    basis: Basis,
    single: bool,
    compiled: bool,
    isa: Isa,
    batch: usize,
}

/// A run takes no longer than this many pair-evaluations of the compiled path, about 10 seconds of repetitions.
const MOST_PAIR_EVALUATIONS: usize = 500_000_000;

pub fn cases() -> Vec<Box<dyn Case>> {
    let mut cases = Vec::new();
    let mut add = |case: Forward| {
        let cost = if case.compiled { 1 } else { 20 };
        if case.pair_evaluations() * cost <= MOST_PAIR_EVALUATIONS {
            cases.push(Box::new(case) as Box<dyn Case>);
        }
    };
    let available = || Isa::ALL.into_iter().filter(|isa| isa.is_available());
    for system in [DW4, LJ13] {
        for basis in [Basis::Gaussian, Basis::Normalized] {
            for single in [false, true] {
                for compiled in [false, true] {
                    for isa in available() {
                        add(Forward { system, basis, single, compiled, isa, batch: 1024 });
                    }
                }
            }
        }
    }
    let (basis, isa) = (Basis::Normalized, Isa::best());
    for system in [DW4, LJ13, LJ55] {
        for single in [false, true] {
            for compiled in [false, true] {
                for batch in [1, 3, 16, 64, 256, 4096, 16384, 65536] {
                    add(Forward { system, basis, single, compiled, isa, batch });
                }
            }
        }
    }
    for particles in [4, 6, 9, 13, 20, 30, 55, 100, 200] {
        for single in [false, true] {
            let system = ("cluster", Shape { particles, dimension: 3 });
            add(Forward { system, basis, single, compiled: true, isa, batch: 128 });
        }
    }
    cases
}

impl Forward {
    fn pair_evaluations(&self) -> usize {
        4 * STEPS * self.system.1.pairs() * self.batch
    }

    fn prepare<R: Precision>(&self) -> impl FnMut() + use<R> {
        let path = if self.compiled { RadialPath::Compiled } else { RadialPath::Exact };
        let config = Config::rk4(STEPS).with_radial(path).with_isa(self.isa);
        let parameters = Parameters::new();
        let plan: Plan<R, Vec<Block>> =
            Plan::allocate(&parameters.model(self.basis, self.system.1), &config).expect("a valid model");
        let mut work = plan.allocate_workspace(self.batch).expect("a small batch");
        let z = latent::<R>(self.batch * self.system.1.coordinates());
        let (mut x, mut log_det) = (z.clone(), vec![R::default(); self.batch]);
        move || {
            plan.forward(black_box(&z), &mut x, Some(&mut log_det), &mut work).expect("finite samples");
            black_box((&x, &log_det));
        }
    }

    /// Multiplications, additions and square roots a pair-evaluation of the compiled path.
    fn operations(&self) -> f64 {
        let d = self.system.1.dimension as f64;
        let degree = if self.single { Degree::Cubic } else { Degree::Septic };
        let c = degree.coefficients() as f64;
        let (distance, place) = (3.0 * d, 5.0);
        let polynomial = 2.0 * (c - 1.0) + 2.0 * (c - 2.0);
        let (divergence, forces) = (4.0, 4.0 * d);
        distance + place + polynomial + divergence + forces
    }
}

impl Case for Forward {
    fn name(&self) -> String {
        let basis = if self.basis == Basis::Gaussian { "gaussian" } else { "normalized" };
        let path = if self.compiled { "compiled" } else { "exact" };
        let precision = if self.single { "f32" } else { "f64" };
        let (system, shape) = self.system;
        let size = if system == "cluster" { shape.particles.to_string() } else { String::new() };
        format!("forward-{system}{size}-{basis}-{precision}-{path}-{}-{}", self.isa.as_str(), self.batch)
    }

    fn run_once(&self) {
        if self.single {
            self.prepare::<f32>()()
        } else {
            self.prepare::<f64>()()
        }
        println!("{} pair-evaluations", self.pair_evaluations());
    }

    fn measure(&self, peak: &[f64; 2]) -> Figure {
        let [ticks, seconds] = if self.single {
            timing::measure(self.prepare::<f32>())
        } else {
            timing::measure(self.prepare::<f64>())
        };
        let each = ticks.scaled(1.0 / self.pair_evaluations() as f64);
        let best = self.compiled && self.isa == Isa::best();
        Figure {
            name: self.name(),
            system: self.system.0,
            particles: self.system.1.particles,
            batch: self.batch,
            seconds,
            ticks: Some(each),
            of_peak: best.then(|| self.operations() / each.fastest / peak[usize::from(self.single)]),
        }
    }
}
