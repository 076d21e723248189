//! Time of one training step (loss and exact gradient of a minibatch of 64) on one thread, beside the plain
//! inverse pass of the same samples in the same run.
//!
//! `cargo bench --bench training`; nothing is asserted. The samples are scattered around a lattice: the cost
//! does not depend on where particles are.

use eqflow::field::Shape;
use eqflow::flow::{Block, Config, Plan, RadialPath};
use eqflow::lanes::Real;
use eqflow::radial::Basis;
use eqflow::random::{Normals, Purpose, Stream};
use eqflow::train::{Batch, Discretisation, Group, Objective, Parameters, Penalties, loss_gradient};
use std::time::Instant;

const BATCH: usize = 64;
const REPETITIONS: usize = 15;
const STEPS: usize = 20;

fn parameters(shape: Shape) -> Parameters {
    let mut parameters = Parameters::identity(Basis::Normalized, shape, (50, 16.0, 0.5), (10, 0.3));
    let mut normals = Normals::new(Stream::new(1, Purpose::Prior, 0));
    parameters.group_mut(Group::Weights).iter_mut().for_each(|w| *w = 0.01 * normals.next_normal());
    parameters
}

/// Sites of a cubic lattice with a spacing of 1.1, each moved a little.
fn samples<R: Real>(shape: Shape) -> Vec<R> {
    let mut normals = Normals::new(Stream::new(2, Purpose::Prior, 0));
    let mut samples = Vec::new();
    for _ in 0..BATCH {
        for i in 0..shape.particles {
            for k in 0..shape.dimension {
                let site = (i / 3_usize.pow(k as u32)) % 3;
                samples.push(R::from_f64(1.1 * site as f64 + 0.05 * normals.next_normal()));
            }
        }
    }
    samples
}

/// Median and extremes of the time of `work`, in milliseconds.
fn time(mut work: impl FnMut()) -> [f64; 3] {
    let mut times: Vec<f64> = (0..REPETITIONS)
        .map(|_| {
            let start = Instant::now();
            work();
            1e3 * start.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    [times[REPETITIONS / 2], times[0], times[REPETITIONS - 1]]
}

fn run<R: Real>(name: &str, shape: Shape, radial: RadialPath) {
    // An argument is a part of the names to measure.
    if std::env::args().skip(1).any(|part| part != "--bench" && !name.contains(&part)) {
        return;
    }
    let parameters = parameters(shape);
    let samples = samples::<R>(shape);
    let indices: Vec<usize> = (0..BATCH).collect();
    let nodes: Vec<f64> = (0..=STEPS).map(|k| k as f64 / STEPS as f64).collect();
    let plan: Plan<R, Vec<Block>> =
        parameters.with_model(|model| Plan::allocate(model, &Config::rk4(STEPS))).expect("a valid model");
    let mut work = plan.allocate_workspace(BATCH).expect("a small batch");
    let mut z = vec![R::default(); samples.len()];
    let inverse = time(|| plan.inverse(&samples, &mut z, None, &mut work).expect("finite samples"));
    let step = time(|| {
        let batch = Batch { samples: &samples, indices: &indices };
        let penalties = Penalties { kinetic: 0.0, step_error: 1.0 };
        let objective = Objective::MaximumLikelihood;
        std::hint::black_box(loss_gradient::<R>(
            &parameters,
            &Discretisation::new(&nodes).with_radial(radial),
            &objective,
            penalties,
            batch,
        ))
        .expect("a valid model");
    });
    println!(
        "{name:16} step {:8.2} ms ({:.2} to {:.2})   inverse {:8.2} ms   ratio {:.2}",
        step[0],
        step[1],
        step[2],
        inverse[0],
        step[0] / inverse[0]
    );
}

fn main() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
    pool.install(|| {
        println!(
            "batch {BATCH}, {STEPS} RK4 steps, 50 x 10 normalised functions; median (fastest to slowest)"
        );
        for (name, particles, dimension) in [("DW-4", 4, 2), ("LJ-13", 13, 3)] {
            let shape = Shape { particles, dimension };
            let auto = RadialPath::Auto { samples: BATCH };
            for (path, radial) in [("exact", RadialPath::Exact), ("auto", auto)] {
                run::<f64>(&format!("{name} f64 {path}"), shape, radial);
                run::<f32>(&format!("{name} f32 {path}"), shape, radial);
            }
        }
    });
}
