//! Certified maximum-likelihood training with progress, checkpoints and Ctrl-C.

use super::data::Data;
use super::{Job, Options, progress_bar};
use eqflow::io::write_atomically;
use eqflow::systems::initial;
use eqflow::train::{AdamW, Group, Parameters, Progress, TrainConfig, Trainer, Verdict};
use std::error::Error;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The tenth part of the training samples, at most this many, is kept aside for certification.
const MOST_HELD_OUT: usize = 2_000;

/// The certified flow and how it came about.
pub struct Trained {
    pub parameters: Parameters,
    pub verdicts: Vec<Verdict>,
    /// What this run of training took.
    pub seconds: f64,
}

/// Trains to the end, or returns `None` when interrupted; the checkpoint is then at `checkpoint`.
///
/// Starts from the checkpoint whose bytes are `resumed`, or afresh.
pub fn train(
    job: &Job,
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
    let split = data.train.samples.len() - held_out * job.system.shape.coordinates();
    let (train, held_out) = data.train.samples.split_at(split);
    let trainer: Trainer<f32> = match resumed {
        Some(bytes) => Trainer::resume(bytes, train, held_out)?,
        None => {
            let Options { iterations, seed, .. } = *options;
            let config = TrainConfig { iterations, seed, ..(job.recipe)(job.system.recipe()) };
            let initial = initial((job.functions)(), job.start, train, seed)?;
            Trainer::new(config, initial, train, held_out)?
        }
    };
    let mut trainer = trainer.with_potential(Arc::new(job.system.energy));

    let bar = progress_bar(trainer.config().iterations as u64, "training");
    bar.set_position(trainer.iteration() as u64);
    let finished = trainer.run(|progress| {
        show(&bar, progress);
        if interrupted.load(Ordering::SeqCst) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    let seconds = bar.elapsed().as_secs_f64();
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
    Ok(Some(Trained { parameters: parameters.clone(), verdicts: trainer.verdicts().to_vec(), seconds }))
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
