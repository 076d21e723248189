//! Certified maximum-likelihood training with progress, checkpoints and Ctrl-C.

use crate::data::Data;
use crate::{Options, SHAPE, progress_bar};
use eqflow::io::write_atomically;
use eqflow::radial::Basis;
use eqflow::train::{AdamW, Group, Parameters, Progress, TrainConfig, Trainer, Verdict};
use std::error::Error;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Minibatches.
pub const ITERATIONS: usize = 8_000;
/// RK4 steps of the training grid and of the grid likelihood.
pub const GRID_STEPS: usize = 20;
/// The tenth part of the training samples, at most this many, is kept aside for certification.
const MOST_HELD_OUT: usize = 2_000;

/// The certified flow and how it came about.
pub struct Trained {
    pub parameters: Parameters,
    pub verdicts: Vec<Verdict>,
}

/// 50 radial and 10 time functions, normalised: 500 + 10 + 50 + 50 + 10 = 620 trained parameters.
///
/// At a = 0 the importances would never move: phi depends on their squares.
fn initial() -> Parameters {
    let mut parameters = Parameters::identity(Basis::Normalized, SHAPE, (50, 8.0, 0.5), (10, 0.3));
    parameters.group_mut(Group::Importance).fill(0.1);
    parameters
}

fn config(seed: u64, iterations: usize) -> TrainConfig {
    TrainConfig {
        iterations,
        steps: GRID_STEPS,
        // The means are 0.16 apart.
        least_bandwidth: 0.1,
        seed,
        ..TrainConfig::default()
    }
}

/// Trains to the end, or returns `None` when interrupted; the checkpoint is then at `checkpoint`.
///
/// Starts from the checkpoint whose bytes are `resumed`, or afresh.
pub fn train(
    options: &Options,
    data: &Data,
    resumed: Option<&[u8]>,
    checkpoint: &Path,
) -> Result<Option<Trained>, Box<dyn Error>> {
    // First of all: from here on Ctrl-C loses nothing.
    let interrupted = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&interrupted);
    ctrlc::set_handler(move || flag.store(true, Ordering::SeqCst))?;

    let held_out = (data.train.energies.len() / 10).clamp(1, MOST_HELD_OUT);
    let split = data.train.samples.len() - held_out * SHAPE.coordinates();
    let (train, held_out) = data.train.samples.split_at(split);
    let mut trainer: Trainer<f32> = match resumed {
        Some(bytes) => Trainer::resume(bytes, train, held_out)?,
        None => Trainer::new(config(options.seed, options.iterations), initial(), train, held_out)?,
    };

    let bar = progress_bar(trainer.config().iterations as u64, "training");
    bar.set_position(trainer.iteration() as u64);
    let finished = trainer.run(|progress| {
        show(&bar, progress);
        if interrupted.load(Ordering::SeqCst) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    bar.finish_and_clear();
    if finished.is_break() {
        write_atomically(checkpoint, &trainer.checkpoint())?;
        return Ok(None);
    }
    let (parameters, likelihood) = trainer.best()?;
    let refused = trainer.verdicts().iter().filter(|v| !v.certified).count();
    println!(
        "Training: {} parameters, {} minibatches of {}, {} checks ({refused} refused), best held-out NLL {:.3}.",
        trained_parameters(parameters),
        trainer.iteration(),
        trainer.config().batch_size,
        trainer.verdicts().len(),
        likelihood.nll
    );
    Ok(Some(Trained { parameters: parameters.clone(), verdicts: trainer.verdicts().to_vec() }))
}

/// Coordinates of the groups that the optimiser moves.
fn trained_parameters(parameters: &Parameters) -> usize {
    let frozen = AdamW::new().frozen;
    Group::ALL
        .into_iter()
        .filter(|&group| !frozen[group as usize])
        .map(|group| parameters.group(group).len())
        .sum()
}

fn show(bar: &indicatif::ProgressBar, progress: &Progress<'_>) {
    bar.set_position(progress.iteration as u64);
    if let Some(verdict) = progress.verdict {
        bar.set_message(match verdict.likelihood {
            Some(l) if verdict.certified => {
                format!("held-out NLL {:.3} (certified, gap {:.4})", l.nll, l.gap())
            }
            Some(l) => format!("refused: gap {:.3} nats", l.gap()),
            None => "refused: the flow does not integrate".into(),
        });
    }
}
