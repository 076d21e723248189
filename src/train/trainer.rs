//! Maximum-likelihood training that certifies what it reports.

use super::likelihood::{Likelihood, likelihood};
use super::loss::{Batch, Discretisation, LossGradient, Objective, Penalties, loss_gradient};
use super::optimizer::{AdamW, Schedule};
use super::parameters::Parameters;
use super::precision::Trainable;
use crate::error::Error;
use crate::random::{Purpose, Stream};
use core::fmt;
use core::ops::ControlFlow;
use serde::{Deserialize, Serialize};

/// How a [`Trainer`] trains.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainConfig {
    /// Minibatches in all.
    pub iterations: usize,
    /// Samples a minibatch.
    pub batch_size: usize,
    /// Base learning rate.
    pub learning_rate: f64,
    /// How the rate changes.
    pub schedule: Schedule,
    /// The optimiser with its decay, frozen groups and clipping.
    pub optimizer: AdamW,
    /// Penalties at the start; refusals double them.
    pub penalties: Penalties,
    /// RK4 steps of the training grid and of the certificate's grid.
    pub steps: usize,
    /// Each inner node of an iteration's grid moves by up to half this fraction of a step, 0 to 0.99: the
    /// optimiser cannot tune the field to one grid.
    pub grid_jitter: f64,
    /// Radial bandwidths are kept at or above this length; 0 for no limit. Gaussians much narrower than the distance
    /// between their centres fit noise, and their tables are large.
    pub least_bandwidth: f64,
    /// The honesty rule.
    pub check: Check,
    /// Seed of minibatches and grids.
    pub seed: u64,
}

/// When parameters are compared with their converged likelihood, and what they must satisfy.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// Iterations between checks; the last iteration is always checked.
    pub every: usize,
    /// Largest |converged - grid| held-out NLL, in nats, that is certified.
    pub gap_tolerance: f64,
}

/// The outcome of one check.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Iterations done.
    pub iteration: usize,
    /// Held-out likelihood; `None` where the flow was too stiff to integrate.
    pub likelihood: Option<Likelihood>,
    /// Whether grid and converged likelihood agree within the tolerance.
    pub certified: bool,
    /// Penalties in force up to this check.
    pub penalties: Penalties,
}

/// What a callback sees after each iteration.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// Iterations done.
    pub iteration: usize,
    /// Iterations in all.
    pub iterations: usize,
    /// Minibatch NLL by the training grid: not certified, for watching only.
    pub objective: f64,
    /// Minibatch penalty.
    pub penalty: f64,
    /// Norm of the gradient before clipping.
    pub gradient_norm: f64,
    /// The check made after this iteration, if any.
    pub verdict: Option<&'a Verdict>,
}

/// Why training cannot start or has nothing to show.
#[derive(Clone, Debug, PartialEq)]
pub enum TrainError {
    /// A field of [`TrainConfig`] or the data is unusable: its name, and why.
    Config(&'static str, &'static str),
    /// The core refused.
    Core(Error),
    /// No parameters passed the check.
    NotCertified,
}

impl fmt::Display for TrainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TrainError::Config(name, why) => write!(f, "{name}: {why}"),
            TrainError::Core(error) => write!(f, "{error}"),
            TrainError::NotCertified => {
                write!(f, "no parameters passed the check of 20-step against converged likelihood")
            }
        }
    }
}

impl std::error::Error for TrainError {}

impl From<Error> for TrainError {
    fn from(error: Error) -> Self {
        TrainError::Core(error)
    }
}

/// Everything that a resumed run needs besides the data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct State {
    pub config: TrainConfig,
    pub iteration: usize,
    parameters: Parameters,
    optimizer: AdamW,
    penalties: Penalties,
    /// The last state that passed, to which a refusal returns.
    certified: Option<(Parameters, AdamW)>,
    best: Option<(Parameters, Likelihood)>,
    verdicts: Vec<Verdict>,
}

/// Trains a flow by maximum likelihood in precision `R`; certificates are always computed in `f64`.
///
/// Every [`Check::every`] iterations the held-out likelihood by the grid is compared with the converged one. If
/// they agree, the parameters are certified, and kept if their converged NLL is the best so far. If not, they are
/// thrown away: parameters and optimiser return to the last certified state and the penalties double.
#[derive(Clone, Debug)]
pub struct Trainer<R> {
    pub(super) state: State,
    pub(super) train: Vec<R>,
    pub(super) held_out: Vec<f64>,
    epoch: Option<(usize, Vec<usize>)>,
}

impl<R: Trainable> Trainer<R> {
    /// Starts at `initial` with configurations `train` and `held_out` (both `[n][N][D]`, zero centre of mass).
    ///
    /// # Errors
    /// [`TrainError::Config`] names a field out of range or unusable data; [`TrainError::Core`] for the model.
    pub fn new(
        config: TrainConfig,
        initial: Parameters,
        train: &[f64],
        held_out: &[f64],
    ) -> Result<Self, TrainError> {
        check_config(&config)?;
        initial.with_model(|model| model.check())?;
        let state = State {
            iteration: 0,
            optimizer: config.optimizer.clone(),
            penalties: config.penalties,
            parameters: initial,
            certified: None,
            best: None,
            verdicts: Vec::new(),
            config,
        };
        let mut trainer = Trainer::with_state(state, train, held_out)?;
        trainer.check()?;
        if trainer.state.certified.is_none() {
            return Err(TrainError::Config("initial", "the initial parameters do not pass the check"));
        }
        Ok(trainer)
    }

    pub(super) fn with_state(state: State, train: &[f64], held_out: &[f64]) -> Result<Self, TrainError> {
        let coordinates = state.parameters.shape().coordinates();
        for (name, data) in [("train", train), ("held_out", held_out)] {
            if data.is_empty() || !data.len().is_multiple_of(coordinates) {
                return Err(TrainError::Config(name, "must hold a whole number of samples, at least one"));
            }
            if data.iter().any(|v| !v.is_finite()) {
                return Err(TrainError::Config(name, "holds a NaN or infinite coordinate"));
            }
        }
        let train = train.iter().map(|&v| R::from_f64(v)).collect();
        Ok(Trainer { state, train, held_out: held_out.to_vec(), epoch: None })
    }

    /// Trains to the last iteration, or until `progress` breaks; may be called again to go on.
    ///
    /// # Errors
    /// [`TrainError::Core`] where the core refuses a model.
    pub fn run(
        &mut self,
        mut progress: impl FnMut(&Progress<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, TrainError> {
        while self.state.iteration < self.state.config.iterations {
            let (loss, gradient_norm) = self.step()?;
            let State { config, iteration, .. } = &self.state;
            let due = iteration.is_multiple_of(config.check.every) || *iteration == config.iterations;
            let diverged = !(loss.objective + loss.penalty + gradient_norm).is_finite();
            if diverged {
                self.refuse(None);
            } else if due {
                self.check()?;
            }
            let report = Progress {
                iteration: self.state.iteration,
                iterations: self.state.config.iterations,
                objective: loss.objective,
                penalty: loss.penalty,
                gradient_norm,
                verdict: if due || diverged { self.state.verdicts.last() } else { None },
            };
            if progress(&report).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// One minibatch and one step of the optimiser.
    fn step(&mut self) -> Result<(LossGradient, f64), TrainError> {
        let indices = self.minibatch();
        let state = &mut self.state;
        let config = &state.config;
        let nodes = jittered_grid(config, state.iteration);
        let batch = Batch { samples: &self.train, indices: &indices };
        let objective = Objective::MaximumLikelihood;
        let loss = match loss_gradient::<R>(
            &state.parameters,
            &Discretisation::new(&nodes),
            &objective,
            state.penalties,
            batch,
        ) {
            Ok(loss) => loss,
            // Parameters that have left the range of numbers: divergence, not a failure of the call.
            Err(_) => LossGradient { objective: f64::NAN, penalty: 0.0, gradient: Vec::new() },
        };
        let factor = config.schedule.factor(state.iteration, config.iterations);
        state.iteration += 1;
        if loss.gradient.iter().any(|g| !g.is_finite()) || !loss.objective.is_finite() {
            return Ok((loss, f64::NAN));
        }
        let norm = state.optimizer.step(config.learning_rate * factor, &mut state.parameters, &loss.gradient);
        state.parameters.limit_bandwidths(config.least_bandwidth);
        Ok((loss, norm))
    }

    /// The indices of this iteration's minibatch: every epoch is a fresh permutation.
    fn minibatch(&mut self) -> Vec<usize> {
        let n = self.train.len() / self.state.parameters.shape().coordinates();
        let size = self.state.config.batch_size;
        let first = self.state.iteration * size;
        (first..first + size).map(|draw| self.permuted(draw / n, draw % n, n)).collect()
    }

    fn permuted(&mut self, epoch: usize, position: usize, n: usize) -> usize {
        let seed = self.state.config.seed;
        match &self.epoch {
            Some((current, order)) if *current == epoch => order[position],
            _ => {
                let order = permutation(&mut Stream::new(seed, Purpose::Minibatch, epoch as u64), n);
                let index = order[position];
                self.epoch = Some((epoch, order));
                index
            }
        }
    }

    /// Compares grid and converged likelihood, then certifies or refuses.
    fn check(&mut self) -> Result<(), TrainError> {
        let state = &mut self.state;
        let found = likelihood(&state.parameters, &self.held_out, state.config.steps).ok();
        match found {
            Some(found) if found.gap().abs() <= state.config.check.gap_tolerance => {
                state.certified = Some((state.parameters.clone(), state.optimizer.clone()));
                if state.best.as_ref().is_none_or(|(_, best)| found.nll < best.nll) {
                    state.best = Some((state.parameters.clone(), found));
                }
                state.record(Some(found), true);
            }
            found => self.refuse(found),
        }
        Ok(())
    }

    /// Returns to the last certified state with doubled penalties.
    fn refuse(&mut self, found: Option<Likelihood>) {
        let state = &mut self.state;
        state.record(found, false);
        if let Some((parameters, optimizer)) = &state.certified {
            state.parameters = parameters.clone();
            state.optimizer = optimizer.clone();
        }
        state.penalties.kinetic *= 2.0;
        state.penalties.step_error = (2.0 * state.penalties.step_error).max(SMALLEST_STEP_ERROR_PENALTY);
    }

    /// The certified parameters with the best converged held-out NLL.
    ///
    /// # Errors
    /// [`TrainError::NotCertified`] where none passed.
    pub fn best(&self) -> Result<(&Parameters, &Likelihood), TrainError> {
        self.state.best.as_ref().map(|(p, l)| (p, l)).ok_or(TrainError::NotCertified)
    }

    /// The parameters as they are: not certified.
    pub fn parameters(&self) -> &Parameters {
        &self.state.parameters
    }

    /// All checks so far.
    pub fn verdicts(&self) -> &[Verdict] {
        &self.state.verdicts
    }

    /// Iterations done.
    pub fn iteration(&self) -> usize {
        self.state.iteration
    }

    /// The configuration.
    pub fn config(&self) -> &TrainConfig {
        &self.state.config
    }
}

/// The penalty that a first refusal imposes where there was none.
const SMALLEST_STEP_ERROR_PENALTY: f64 = 1.0;

impl State {
    fn record(&mut self, likelihood: Option<Likelihood>, certified: bool) {
        let (iteration, penalties) = (self.iteration, self.penalties);
        self.verdicts.push(Verdict { iteration, likelihood, certified, penalties });
    }
}

fn check_config(config: &TrainConfig) -> Result<(), TrainError> {
    let finite_positive = |v: f64| v.is_finite() && v > 0.0;
    let rules = [
        (config.batch_size > 0, "batch_size", "must be at least 1"),
        (config.steps > 0 && config.steps <= 65_536, "steps", "must be 1 to 65536"),
        (config.check.every > 0, "check.every", "must be at least 1"),
        (config.check.gap_tolerance > 0.0, "check.gap_tolerance", "must be positive"),
        (finite_positive(config.learning_rate), "learning_rate", "must be finite and positive"),
        ((0.0..=0.99).contains(&config.grid_jitter), "grid_jitter", "must lie between 0 and 0.99"),
        (
            config.least_bandwidth.is_finite() && config.least_bandwidth >= 0.0,
            "least_bandwidth",
            "must be finite and not negative",
        ),
        (config.penalties.kinetic >= 0.0, "penalties.kinetic", "must not be negative"),
        (config.penalties.step_error >= 0.0, "penalties.step_error", "must not be negative"),
        (config.optimizer.clip_norm > 0.0, "optimizer.clip_norm", "must be positive"),
        (config.optimizer.decay.iter().all(|&d| d >= 0.0), "optimizer.decay", "must not be negative"),
    ];
    match rules.into_iter().find(|(holds, _, _)| !holds) {
        Some((_, name, why)) => Err(TrainError::Config(name, why)),
        None => Ok(()),
    }
}

/// Nodes k/n with the inner ones moved at random.
fn jittered_grid(config: &TrainConfig, iteration: usize) -> Vec<f64> {
    let mut stream = Stream::new(config.seed, Purpose::TimeGrid, iteration as u64);
    let n = config.steps;
    (0..=n)
        .map(|k| {
            let inner = k > 0 && k < n;
            let shift = if inner { config.grid_jitter * (stream.next_unit() - 0.5) } else { 0.0 };
            (k as f64 + shift) / n as f64
        })
        .collect()
}

/// Fisher and Yates' shuffle of 0..n.
pub(super) fn permutation(stream: &mut Stream, n: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    for i in (1..n).rev() {
        order.swap(i, stream.next_below(i as u64 + 1) as usize);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::Shape;
    use crate::radial::Basis;
    use crate::train::Group;

    const SAMPLES: usize = 12;

    fn trainer() -> Trainer<f64> {
        let shape = Shape { particles: 2, dimension: 1 };
        let data: Vec<f64> = (0..SAMPLES).flat_map(|i| [i as f64 + 1.0, -(i as f64) - 1.0]).collect();
        let config = TrainConfig {
            iterations: 100,
            batch_size: 5,
            learning_rate: 0.01,
            schedule: Schedule::Cosine { warm_up: 10, floor: 0.0 },
            optimizer: AdamW::new(),
            penalties: Penalties::default(),
            steps: 5,
            grid_jitter: 0.8,
            least_bandwidth: 0.0,
            check: Check { every: 100, gap_tolerance: 1.0 },
            seed: 4,
        };
        let initial = Parameters::identity(Basis::Gaussian, shape, (3, 6.0, 2.0), (2, 0.5));
        Trainer::new(config, initial, &data, &data).unwrap()
    }

    #[test]
    fn an_epoch_shows_every_sample_once_in_an_order_of_its_own() {
        let mut trainer = trainer();
        let mut drawn = Vec::new();
        while drawn.len() < 2 * SAMPLES {
            drawn.extend(trainer.minibatch());
            trainer.state.iteration += 1;
        }
        let (first, second) = (&drawn[..SAMPLES], &drawn[SAMPLES..2 * SAMPLES]);
        for epoch in [first, second] {
            let mut sorted = epoch.to_vec();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..SAMPLES).collect::<Vec<_>>());
        }
        assert_ne!(first, second);
    }

    #[test]
    fn grids_rise_from_zero_to_one_move_within_their_jitter_and_differ() {
        let config = trainer().state.config;
        let grids: Vec<Vec<f64>> = (0..50).map(|i| jittered_grid(&config, i)).collect();
        for grid in &grids {
            assert_eq!((grid.len(), grid[0], grid[5]), (6, 0.0, 1.0));
            for (k, node) in grid.iter().enumerate() {
                assert!((5.0 * node - k as f64).abs() <= 0.4 + 1e-12);
            }
        }
        assert!(grids.windows(2).all(|pair| pair[0][1..5] != pair[1][1..5]));
    }

    #[test]
    fn the_schedule_scales_the_steps() {
        // Without its epsilon Adam's first step has the length of the rate in every coordinate: a tenth of 0.01.
        let mut trainer = trainer();
        trainer.state.optimizer.epsilon = 1e-300;
        let before = trainer.state.parameters.clone();
        trainer.step().unwrap();
        let weights = |p: &Parameters| p.group(Group::Weights).to_vec();
        for (new, old) in weights(&trainer.state.parameters).iter().zip(weights(&before)) {
            assert!(((new - old).abs() - 0.001).abs() < 1e-8, "{new} {old}");
        }
    }
}
