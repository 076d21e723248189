//! Everything but forward passes: plan build, training step, Lennard-Jones forces and walks, several threads.

use crate::figures::{Case, Figure};
use crate::models::{DW4, LJ13, LJ55, Parameters, STEPS, System, latent};
use crate::timing::{self, Times};
use eqflow::flow::{Block, Config, Plan, Precision, RadialPath};
use eqflow::lanes::{Isa, Lanes, Real, Vectorized};
use eqflow::mcmc::{metropolis_cube_step, metropolis_step};
use eqflow::potential::{LennardJones, Potential};
use eqflow::radial::Basis;
use eqflow::random::{Normals, Purpose, Stream};
use eqflow::train::{
    Batch, Discretisation, Group, Objective, Parameters as Trained, Penalties, Trainable, loss_gradient,
};
use std::hint::black_box;

/// Times the work that it is handed.
pub type Timer<'a> = &'a mut dyn FnMut(&mut dyn FnMut());

/// What is measured, by name.
pub struct Other {
    pub name: String,
    pub system: System,
    pub batch: usize,
    pub run: Box<dyn Fn(Timer<'_>)>,
}

impl Case for Other {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn run_once(&self) {
        (self.run)(&mut |work| work());
    }

    fn measure(&self, _: &[f64; 2]) -> Figure {
        let mut seconds = Times::default();
        (self.run)(&mut |work| [_, seconds] = timing::measure(work));
        let (system, shape) = self.system;
        let (name, particles, batch) = (self.name(), shape.particles, self.batch);
        Figure { name, system, particles, batch, seconds, ticks: None, of_peak: None }
    }
}

pub fn cases() -> Vec<Box<dyn Case>> {
    let mut cases: Vec<Box<dyn Case>> = Vec::new();
    for system in [DW4, LJ13] {
        for basis in [Basis::Gaussian, Basis::Normalized] {
            // A plan for the scalar set is built on the baseline's vectors.
            for isa in Isa::ALL.into_iter().filter(|&isa| isa != Isa::Scalar && isa.is_available()) {
                cases.push(plan_build::<f64>(system, basis, isa, "f64"));
                cases.push(plan_build::<f32>(system, basis, isa, "f32"));
            }
        }
        for (path, radial) in [("exact", RadialPath::Exact), ("auto", RadialPath::Auto { samples: 0 })] {
            cases.push(training_step::<f64>(system, radial, 0.0, format!("f64-{path}")));
            cases.push(training_step::<f64>(system, radial, 0.01, format!("f64-{path}-jacobian")));
            cases.push(training_step::<f32>(system, radial, 0.0, format!("f32-{path}")));
        }
    }
    for system in [LJ13, LJ55] {
        cases.push(forces::<f64>(system, "f64"));
        cases.push(forces::<f32>(system, "f32"));
    }
    for (moves, uniform) in [("normal", false), ("uniform", true)] {
        cases.push(walk::<f64>(uniform, format!("{moves}-f64")));
        cases.push(walk::<f32>(uniform, format!("{moves}-f32")));
    }
    let most = std::thread::available_parallelism().map_or(1, usize::from);
    for threads in (0..).map(|k| 1 << k).take_while(|&t| t <= most) {
        for system in [DW4, LJ13] {
            cases.push(on_threads(system, threads));
        }
    }
    cases
}

/// Into memory that is there already: compiling at 1e-12 or, in single precision, 1e-7.
fn plan_build<R: Precision>(system: System, basis: Basis, isa: Isa, precision: &str) -> Box<dyn Case> {
    let which = if basis == Basis::Gaussian { "gaussian" } else { "normalized" };
    let run = move |timer: Timer<'_>| {
        let parameters = Parameters::new();
        let model = parameters.model(basis, system.1);
        let config = Config::rk4(STEPS).with_radial(RadialPath::Compiled).with_isa(isa);
        let mut memory =
            vec![Block::default(); Plan::<R, ()>::extent(&model, &config).expect("a valid model")];
        timer(&mut || {
            black_box(Plan::<R, _>::new(&model, &config, &mut memory[..]).expect("a valid model"));
        });
    };
    Box::new(Other {
        name: format!("plan-{}-{which}-{precision}-{}", system.0, isa.as_str()),
        system,
        batch: 0,
        run: Box::new(run),
    })
}

/// Loss and exact gradient of a minibatch of 64 on one thread, with this weight on the Jacobian's norm.
fn training_step<R: Trainable>(
    system: System,
    radial: RadialPath,
    jacobian: f64,
    variant: String,
) -> Box<dyn Case> {
    const BATCH: usize = 64;
    let run = move |timer: Timer<'_>| {
        let shape = system.1;
        let mut parameters = Trained::identity(Basis::Normalized, shape, (50, 16.0, 0.5), (10, 0.3));
        let mut normals = Normals::new(Stream::new(1, Purpose::Prior, 0));
        parameters.group_mut(Group::Weights).iter_mut().for_each(|w| *w = 0.01 * normals.next_normal());
        let samples = latent::<R>(BATCH * shape.coordinates());
        let indices: Vec<usize> = (0..BATCH).collect();
        let nodes: Vec<f64> = (0..=STEPS).map(|k| k as f64 / STEPS as f64).collect();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
        timer(&mut || {
            pool.install(|| {
                let batch = Batch { samples: &samples, indices: &indices };
                let penalties = Penalties { step_error: 1.0, jacobian, ..Penalties::default() };
                let discretisation = Discretisation::new(&nodes).with_radial(radial);
                let objective = Objective::MaximumLikelihood;
                black_box(loss_gradient::<R>(&parameters, &discretisation, &objective, penalties, batch))
                    .expect("a valid model");
            });
        });
    };
    let name = format!("training-{}-{variant}-{BATCH}", system.0);
    Box::new(Other { name, system, batch: BATCH, run: Box::new(run) })
}

/// Lennard-Jones energies and gradients on the best instruction set.
fn forces<R: Real>(system: System, precision: &str) -> Box<dyn Case> {
    const BATCH: usize = 1024;
    struct Energies<'a, R> {
        system: System,
        timer: Timer<'a>,
        potential: LennardJones<R>,
    }
    impl<R: Real> Vectorized<R> for Energies<'_, R> {
        type Output = ();
        fn run<V: Lanes<Real = R>>(self) {
            let shape = self.system.1;
            let groups = BATCH / V::WIDTH;
            let positions = latent::<R>(BATCH * shape.coordinates());
            let x: Vec<V> = positions.chunks_exact(V::WIDTH).map(|c| V::from_fn(|i| c[i])).collect();
            let mut gradient = x.clone();
            (self.timer)(&mut || {
                for g in 0..groups {
                    let at = g * shape.coordinates()..(g + 1) * shape.coordinates();
                    black_box(self.potential.energy(shape, &x[at.clone()], Some(&mut gradient[at])));
                }
            });
        }
    }
    let run = move |timer: Timer<'_>| {
        Isa::best().run(Energies::<R> { system, timer, potential: LennardJones::lj13() });
    };
    let name = format!("forces-{}-{precision}-{BATCH}", system.0);
    Box::new(Other { name, system, batch: BATCH, run: Box::new(run) })
}

/// Metropolis steps of all particles of LJ-13, a chain a lane, on AVX2 or what is nearest: 8192 steps of one chain.
fn walk<R: Real>(uniform: bool, variant: String) -> Box<dyn Case> {
    const STEPS: usize = 8192;
    struct Walk<'a, R> {
        uniform: bool,
        timer: Timer<'a>,
        potential: LennardJones<R>,
    }
    impl<R: Real> Vectorized<R> for Walk<'_, R> {
        type Output = ();
        fn run<V: Lanes<Real = R>>(self) {
            let (shape, size) = (LJ13.1, R::from_f64(0.03));
            let site = |c: usize| 1.05 * [c / 27, c / 9 % 3, c / 3 % 3][c % 3] as f64;
            let mut x: Vec<V> = (0..shape.coordinates()).map(|c| V::constant(site(c))).collect();
            let (mut energy, mut proposal) = (self.potential.energy(shape, &x, None), x.clone());
            let stream = |lane: usize| Stream::new(1, Purpose::Chain, lane as u64);
            let mut streams: Vec<Stream> = (0..V::WIDTH).map(stream).collect();
            let mut normals: Vec<Normals> = (0..V::WIDTH).map(|lane| Normals::new(stream(lane))).collect();
            let Walk { uniform, timer, potential } = self;
            timer(&mut || {
                for _ in 0..STEPS / V::WIDTH {
                    let (x, u, to) = (&mut x, &mut energy, &mut proposal);
                    black_box(if uniform {
                        metropolis_cube_step(&potential, shape, size, x, u, &mut streams, to)
                    } else {
                        metropolis_step(&potential, shape, size, x, u, &mut normals, to)
                    });
                }
            });
        }
    }
    let run = move |timer: Timer<'_>| {
        Isa::Avx2.run(Walk::<R> { uniform, timer, potential: LennardJones::lj13() });
    };
    Box::new(Other { name: format!("walk-lj13-{variant}"), system: LJ13, batch: STEPS, run: Box::new(run) })
}

/// A forward pass on a pool of so many threads.
fn on_threads(system: System, threads: usize) -> Box<dyn Case> {
    const BATCH: usize = 65536;
    let run = move |timer: Timer<'_>| {
        let parameters = Parameters::new();
        let model = parameters.model(Basis::Normalized, system.1);
        let plan: Plan<f64, Vec<Block>> = Plan::allocate(&model, &Config::rk4(STEPS)).expect("a valid model");
        let z = latent::<f64>(BATCH * system.1.coordinates());
        let (mut x, mut log_det) = (z.clone(), vec![0.0; BATCH]);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        timer(&mut || {
            pool.install(|| plan.parallel().forward(&z, &mut x, Some(&mut log_det)).expect("finite samples"));
        });
    };
    let name = format!("threads-{}-f64-{BATCH}-on-{threads}", system.0);
    Box::new(Other { name, system, batch: BATCH, run: Box::new(run) })
}
