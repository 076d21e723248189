//! The rungs of the exactness ladder on a fixed grid: the same pass with each log-determinant and each inverse.

use crate::figures::Case;
use crate::models::{DW4, LJ13, Parameters, STEPS, System, latent};
use crate::others::{Other, Timer};
use eqflow::flow::{Block, Config, Inverse, LogDet, Plan, Precision};
use eqflow::radial::Basis;

const BATCH: usize = 256;

pub fn cases() -> Vec<Box<dyn Case>> {
    let mut cases: Vec<Box<dyn Case>> = Vec::new();
    for system in [DW4, LJ13] {
        for (log_det, rung) in [(LogDet::Trace, "trace"), (LogDet::Jacobian, "jacobian")] {
            cases.push(forward::<f64>(system, log_det, format!("{rung}-f64")));
            cases.push(forward::<f32>(system, log_det, format!("{rung}-f32")));
            for (inverse, way) in [(Inverse::Backward, "backward"), (Inverse::Exact, "exact")] {
                cases.push(back::<f64>(system, log_det, inverse, format!("{way}-{rung}-f64")));
                cases.push(back::<f32>(system, log_det, inverse, format!("{way}-{rung}-f32")));
            }
        }
        for (inverse, way) in [(Inverse::Backward, "backward"), (Inverse::Exact, "exact")] {
            cases.push(score(system, inverse, format!("{way}-trace-f64")));
        }
    }
    cases
}

/// A plan of the measured flow, its workspace, and configurations where the flow has taken latent ones.
struct Setting<R: Precision> {
    plan: Plan<R, Vec<Block>>,
    work: Vec<Block>,
    z: Vec<R>,
    x: Vec<R>,
    scalars: Vec<R>,
}

impl<R: Precision> Setting<R> {
    fn new((_, shape): System, config: Config) -> Self {
        let parameters = Parameters::new();
        let plan: Plan<R, Vec<Block>> =
            Plan::allocate(&parameters.model(Basis::Normalized, shape), &config).expect("a valid model");
        let mut work = plan.allocate_workspace(BATCH).expect("a sane size");
        let z = latent(BATCH * shape.coordinates());
        let (mut x, scalars) = (z.clone(), vec![R::default(); BATCH]);
        plan.forward(&z, &mut x, None, &mut work).expect("finite input");
        Setting { plan, work, z, x, scalars }
    }
}

fn forward<R: Precision>(system: System, log_det: LogDet, rung: String) -> Box<dyn Case> {
    let run = move |timer: Timer<'_>| {
        let Setting { plan, mut work, z, mut x, mut scalars } =
            Setting::<R>::new(system, Config::rk4(STEPS).with_log_det(log_det));
        timer(&mut || plan.forward(&z, &mut x, Some(&mut scalars), &mut work).expect("finite input"));
    };
    case("forward", system, rung, run)
}

fn back<R: Precision>(system: System, log_det: LogDet, inverse: Inverse, rung: String) -> Box<dyn Case> {
    let run = move |timer: Timer<'_>| {
        let config = Config::rk4(STEPS).with_log_det(log_det).with_inverse(inverse);
        let Setting { plan, mut work, mut z, x, mut scalars } = Setting::<R>::new(system, config);
        timer(&mut || {
            plan.inverse(&x, &mut z, Some(&mut scalars), &mut work).expect("images have preimages")
        });
    };
    case("inverse", system, rung, run)
}

fn score(system: System, inverse: Inverse, rung: String) -> Box<dyn Case> {
    let run = move |timer: Timer<'_>| {
        let config = Config::rk4(STEPS).with_inverse(inverse);
        let Setting { plan, mut work, mut z, x, mut scalars } = Setting::<f64>::new(system, config);
        timer(&mut || {
            plan.log_prob(&x, &mut scalars, Some(&mut z), &mut work).expect("images have preimages");
        });
    };
    case("score", system, rung, run)
}

fn case(pass: &str, system: System, rung: String, run: impl Fn(Timer<'_>) + 'static) -> Box<dyn Case> {
    let name = format!("ladder-{}-{pass}-{rung}", system.0);
    Box::new(Other { name, system, batch: BATCH, run: Box::new(run) })
}
