//! What the experiments share: options, budgets, and flows that several of them look at.

use crate::training::{Task, Trained, train};
use eqflow::flow::{Block, Config, Plan};
use eqflow::sampling::{FlowSamples, draw_samples};
use eqflow::systems::{DW2, DW4, Start};
use std::cell::OnceCell;
use std::error::Error;
use std::path::PathBuf;
use std::rc::Rc;

/// What an experiment has to show.
pub struct Report {
    /// What the numbers say.
    pub paragraph: String,
    pub files: Vec<PathBuf>,
}

/// Options, and what has been made so far.
pub struct Lab {
    pub seed: u64,
    pub quick: bool,
    pub out: PathBuf,
    dw2: OnceCell<Rc<Trained>>,
    dw4: OnceCell<Rc<Trained>>,
}

/// Converged to far below the statistical errors, so that weights carry no discretisation bias.
pub const CONVERGED: Config = Config::dopri5(1e-7, 1e-7);

impl Lab {
    pub fn new(seed: u64, quick: bool, out: PathBuf) -> Self {
        Lab { seed, quick, out, dw2: OnceCell::new(), dw4: OnceCell::new() }
    }

    /// The full or the quick budget.
    pub fn budget<T>(&self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }

    /// A seed of its own for each purpose `part` (below 1000) of a run.
    pub fn seed_of(&self, part: u64) -> u64 {
        self.seed.wrapping_mul(1000).wrapping_add(part)
    }

    /// The flow of DW-2, trained on equilibrium data.
    pub fn dw2(&self) -> Result<Rc<Trained>, Box<dyn Error>> {
        shared(&self.dw2, || {
            let data = DW2.equilibrium(self.budget(20_000, 4_000), self.seed_of(1))?;
            let held_out = DW2.equilibrium(1_000, self.seed_of(2))?;
            let task = Task {
                iterations: self.budget(3_000, 600),
                start: Start::FlowMatching,
                ..Task::new(self.seed_of(3))
            };
            train(&DW2, &data.samples, &held_out.samples, &task)
        })
    }

    /// The flow of DW-4, trained on equilibrium data.
    pub fn dw4(&self) -> Result<Rc<Trained>, Box<dyn Error>> {
        shared(&self.dw4, || {
            let Assignment { train_set, held_out, task } = self.dw4_assignment()?;
            train(&DW4, &train_set, &held_out, &task)
        })
    }

    /// What the flow of DW-4 is trained on.
    pub fn dw4_assignment(&self) -> Result<Assignment, Box<dyn Error>> {
        let train_set = DW4.equilibrium(self.budget(20_000, 4_000), self.seed_of(11))?.samples;
        let held_out = DW4.equilibrium(self.budget(2_000, 1_000), self.seed_of(12))?.samples;
        let task = Task {
            iterations: self.budget(8_000, 1_200),
            start: Start::FlowMatching,
            ..Task::new(self.seed_of(13))
        };
        Ok(Assignment { train_set, held_out, task })
    }
}

/// What a flow is trained and certified on (`[n][N][D]`), and how.
pub struct Assignment {
    pub train_set: Vec<f64>,
    pub held_out: Vec<f64>,
    pub task: Task,
}

fn shared(
    cell: &OnceCell<Rc<Trained>>,
    make: impl FnOnce() -> Result<Trained, Box<dyn Error>>,
) -> Result<Rc<Trained>, Box<dyn Error>> {
    if let Some(made) = cell.get() {
        return Ok(Rc::clone(made));
    }
    let made = Rc::new(make()?);
    Ok(Rc::clone(cell.get_or_init(|| made)))
}

/// `n` samples of the flow with converged log-densities.
pub fn converged_samples(trained: &Trained, seed: u64, n: usize) -> Result<FlowSamples<f64>, Box<dyn Error>> {
    let plan: Plan<f64, Vec<Block>> =
        trained.parameters.with_model(|model| Plan::allocate(model, &CONVERGED))?;
    Ok(draw_samples(&plan, seed, n, &|_| ())?)
}
