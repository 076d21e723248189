//! Training that certifies what it reports.

use super::config::{Adjoint, TrainConfig, TrainError};
use super::continuous::{Continuous, continuous_loss_gradient};
use super::likelihood::{Likelihood, likelihood};
use super::loss::{Batch, Discretisation, Evaluations, LossGradient, Objective, Penalties, loss_gradient};
use super::optimizer::AdamW;
use super::parameters::Parameters;
use super::precision::Trainable;
use super::renyi::{energies, renyi_gradient};
use super::steps::GridSteps;
use crate::error::Error;
use crate::field::Shape;
use crate::lanes::Lanes;
use crate::potential::Potential;
use crate::random::{Normals, Purpose, Stream, prior_sample};
use core::fmt;
use core::ops::ControlFlow;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

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
    /// Steps of the training grid at this check ([`super::StepControl`]); the likelihood is that of
    /// [`TrainConfig::steps`].
    pub steps: usize,
}

/// What a callback sees after each iteration.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// Iterations done.
    pub iteration: usize,
    /// Iterations in all.
    pub iterations: usize,
    /// Minibatch loss by the training grid without penalties: not certified, for watching only.
    pub objective: f64,
    /// Minibatch penalty.
    pub penalty: f64,
    /// The minibatch's estimate of its steps' errors, that of [`super::StepControl`].
    pub step_error: f64,
    /// Steps of the training grid in this iteration.
    pub steps: usize,
    /// Norm of the gradient before clipping.
    pub gradient_norm: f64,
    /// Evaluations of the field for this iteration's gradient; none where it could not be computed.
    pub evaluations: Evaluations,
    /// The check made after this iteration, if any.
    pub verdict: Option<&'a Verdict>,
}

/// Everything that a resumed run needs besides the data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct State {
    pub config: TrainConfig,
    pub iteration: usize,
    current: Snapshot,
    penalties: Penalties,
    /// The last state that passed, to which a refusal returns.
    certified: Option<Snapshot>,
    best: Option<(Parameters, Likelihood)>,
    /// Checks since the best one.
    since_best: usize,
    verdicts: Vec<Verdict>,
}

/// What the optimiser moves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Snapshot {
    parameters: Parameters,
    optimizer: AdamW,
    /// The moving average and how many parameters have entered it.
    average: Option<(Parameters, usize)>,
    /// What these parameters need.
    grid: GridSteps,
}

/// A potential that threads can share.
struct SharedPotential<R: Trainable>(Arc<dyn Potential<R::Lanes> + Send + Sync>);

impl<R: Trainable> Clone for SharedPotential<R> {
    fn clone(&self) -> Self {
        SharedPotential(Arc::clone(&self.0))
    }
}

impl<R: Trainable> fmt::Debug for SharedPotential<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedPotential")
    }
}

/// Trains a flow in precision `R` by maximum likelihood, by its energy, or by both ([`super::Mixture`]); certificates
/// are always computed in `f64`.
///
/// Every [`super::Check::every`] iterations the held-out likelihood by the grid is compared with the converged one. If
/// they agree, the parameters (their moving average, where the configuration asks for one) are certified, and kept if
/// their converged NLL is the best so far (or Rényi's divergence is minimised). If not, they are thrown away: parameters
/// and optimiser return to the last certified state and the penalties double. The grid is always that of
/// [`TrainConfig::steps`], also where training took more ([`super::StepControl`]): a certificate is for those who run the
/// flow.
#[derive(Clone, Debug)]
pub struct Trainer<R: Trainable> {
    pub(super) state: State,
    pub(super) train: Vec<R>,
    pub(super) held_out: Vec<f64>,
    potential: Option<SharedPotential<R>>,
    /// u of the training samples, where the loss asks for it.
    energies: Vec<f64>,
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
        config.check_ranges()?;
        initial.with_model(|model| model.check())?;
        let average = (config.average > 0.0).then(|| (initial.clone(), 0));
        let (optimizer, grid) = (config.optimizer.clone(), GridSteps::new(config.steps));
        let state = State {
            iteration: 0,
            current: Snapshot { parameters: initial, optimizer, average, grid },
            penalties: config.penalties,
            certified: None,
            best: None,
            since_best: 0,
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

    /// Gives the trainer, new or resumed, the potential that [`super::Mixture`] and [`super::Renyi`] need. Where particles can overlap, wrap
    /// it in [`crate::potential::Softened`].
    #[must_use]
    pub fn with_potential(mut self, potential: Arc<dyn Potential<R::Lanes> + Send + Sync>) -> Self {
        self.potential = Some(SharedPotential(potential));
        self
    }

    pub(super) fn with_state(state: State, train: &[f64], held_out: &[f64]) -> Result<Self, TrainError> {
        let coordinates = state.current.parameters.shape().coordinates();
        for (name, data) in [("train", train), ("held_out", held_out)] {
            if data.is_empty() || !data.len().is_multiple_of(coordinates) {
                return Err(TrainError::Config(name, "must hold a whole number of samples, at least one"));
            }
            if data.iter().any(|v| !v.is_finite()) {
                return Err(TrainError::Config(name, "holds a NaN or infinite coordinate"));
            }
        }
        let train = train.iter().map(|&v| R::from_f64(v)).collect();
        Ok(Trainer {
            state,
            train,
            held_out: held_out.to_vec(),
            potential: None,
            energies: Vec::new(),
            epoch: None,
        })
    }

    /// Trains to the last iteration, until the patience of [`super::Check`] ends, or until `progress` breaks; may be
    /// called again to go on.
    ///
    /// # Errors
    /// [`TrainError::Config`] for a mixture without a potential, [`TrainError::Core`] where the core refuses a model.
    pub fn run(
        &mut self,
        mut progress: impl FnMut(&Progress<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, TrainError> {
        self.prepare_energies()?;
        while !self.state.finished() {
            let steps = self.state.current.grid.count;
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
                step_error: libm::sqrt(loss.step_error),
                steps,
                gradient_norm,
                evaluations: loss.evaluations,
                verdict: if due || diverged { self.state.verdicts.last() } else { None },
            };
            if progress(&report).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Checks that there is a potential where one is needed, and computes the samples' energies where they are.
    fn prepare_energies(&mut self) -> Result<(), TrainError> {
        let State { config, current, .. } = &self.state;
        let renyi = config.renyi.order > 1.0;
        match &self.potential {
            None if config.mixture.lambda > 0.0 => {
                Err(TrainError::Config("mixture.lambda", "needs a potential"))
            }
            None if renyi => Err(TrainError::Config("renyi.order", "needs a potential")),
            Some(SharedPotential(potential)) if renyi && self.energies.is_empty() => {
                let energies = energies::<R>(&**potential, current.parameters.shape(), &self.train);
                if energies.iter().any(|u| !u.is_finite()) {
                    return Err(TrainError::Config("train", "holds a sample whose energy is not finite"));
                }
                self.energies = energies;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// One minibatch and one step of the optimiser.
    fn step(&mut self) -> Result<(LossGradient, f64), TrainError> {
        let indices = self.minibatch();
        // Parameters that have left the range of numbers: divergence, not a failure of the call.
        let loss = self.loss(&indices).unwrap_or(LossGradient {
            objective: f64::NAN,
            penalty: 0.0,
            step_error: f64::NAN,
            gradient: Vec::new(),
            evaluations: Evaluations::default(),
        });
        let State { config, iteration, current, .. } = &mut self.state;
        let rate = config.learning_rate * config.schedule.factor(*iteration, config.iterations);
        *iteration += 1;
        if loss.gradient.iter().any(|g| !g.is_finite()) || !loss.objective.is_finite() {
            return Ok((loss, f64::NAN));
        }
        let norm = current.optimizer.step(rate, &mut current.parameters, &loss.gradient);
        current.parameters.limit_bandwidths(config.least_bandwidth);
        current.add_to_average(config.average);
        if let Some(control) = config.step_control {
            current.grid.observe(control, config.steps, loss.step_error);
        }
        Ok((loss, norm))
    }

    /// (1 - lambda) NLL + lambda KL with penalties, each over a minibatch of its own; Rényi's divergence for the NLL
    /// where its order is above 1.
    fn loss(&self, indices: &[usize]) -> Result<LossGradient, Error> {
        let State { config, iteration, .. } = &self.state;
        let lambda = config.mixture.at(*iteration, config.iterations);
        let mut loss = LossGradient {
            objective: 0.0,
            penalty: 0.0,
            step_error: 0.0,
            gradient: Vec::new(),
            evaluations: Evaluations::default(),
        };
        if lambda < 1.0 {
            let batch = Batch { samples: &self.train, indices };
            loss.add(1.0 - lambda, &self.gradient_on_data(batch)?);
        }
        if let (true, Some(SharedPotential(potential))) = (lambda > 0.0, &self.potential) {
            let objective = Objective::ReverseKl(&**potential, config.mixture.gradient);
            let all: Vec<usize> = (0..config.batch_size).collect();
            let batch = Batch { samples: &self.latent(), indices: &all };
            loss.add(lambda, &self.gradient(&objective, batch)?);
        }
        Ok(loss)
    }

    /// An objective with penalties.
    /// That of a minibatch of the training data.
    fn gradient_on_data(&self, batch: Batch<'_, R>) -> Result<LossGradient, Error> {
        let State { config, iteration, current, penalties, .. } = &self.state;
        let order = config.renyi.at(*iteration, config.iterations);
        if order <= 1.0 {
            return self.gradient(&Objective::MaximumLikelihood, batch);
        }
        let nodes = jittered_grid(config, current.grid.count, *iteration);
        let (discretisation, renyi) = (Discretisation::new(&nodes), (order, &self.energies[..]));
        renyi_gradient::<R>(&current.parameters, &discretisation, renyi, *penalties, batch)
    }

    fn gradient(
        &self,
        objective: &Objective<'_, R::Lanes>,
        batch: Batch<'_, R>,
    ) -> Result<LossGradient, Error> {
        let State { config, iteration, current, penalties, .. } = &self.state;
        let parameters = &current.parameters;
        match config.adjoint {
            Adjoint::Discrete => {
                let nodes = jittered_grid(config, current.grid.count, *iteration);
                loss_gradient::<R>(parameters, &Discretisation::new(&nodes), objective, *penalties, batch)
            }
            Adjoint::Continuous(solver) => {
                continuous_gradient::<R>(parameters, &solver, objective, penalties.kinetic, batch)
            }
        }
    }

    /// This iteration's prior draws.
    fn latent(&self) -> Vec<R> {
        let State { config, iteration, current, .. } = &self.state;
        let shape = current.parameters.shape();
        let mut z = vec![0.0; config.batch_size * shape.coordinates()];
        for (i, z) in z.chunks_exact_mut(shape.coordinates()).enumerate() {
            let index = (iteration * config.batch_size + i) as u64;
            prior_sample(shape, &mut Normals::new(Stream::new(config.seed, Purpose::Latent, index)), z);
        }
        z.into_iter().map(R::from_f64).collect()
    }

    /// The indices of this iteration's minibatch: every epoch is a fresh permutation.
    fn minibatch(&mut self) -> Vec<usize> {
        let n = self.train.len() / self.state.current.parameters.shape().coordinates();
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
        let candidate = state.current.candidate();
        let found = likelihood(candidate, &self.held_out, state.config.steps).ok();
        match found {
            Some(found) if found.gap().abs() <= state.config.check.gap_tolerance => {
                let improves = state.best.as_ref().is_none_or(|(_, best)| found.nll < best.nll);
                state.since_best = if improves { 0 } else { state.since_best + 1 };
                // What Rényi's divergence improves, the likelihood does not show.
                let TrainConfig { renyi, iterations, .. } = state.config;
                if improves || renyi.at(state.iteration, iterations) > 1.0 {
                    state.best = Some((candidate.clone(), found));
                }
                state.certified = Some(state.current.clone());
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
        state.since_best += 1;
        if let Some(certified) = &state.certified {
            state.current = certified.clone();
        }
        state.penalties = doubled(state.penalties, state.config.adjoint);
    }

    /// The certified parameters with the best converged held-out NLL; the last certified ones where Rényi's divergence of
    /// an order above 1 was minimised.
    ///
    /// # Errors
    /// [`TrainError::NotCertified`] where none passed.
    pub fn best(&self) -> Result<(&Parameters, &Likelihood), TrainError> {
        self.state.best.as_ref().map(|(p, l)| (p, l)).ok_or(TrainError::NotCertified)
    }

    /// The parameters as they are: not certified.
    pub fn parameters(&self) -> &Parameters {
        &self.state.current.parameters
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

/// What a refusal makes of a smaller penalty, on a grid and without one: each refusal costs all iterations since the last
/// check, so a weak penalty must not take many of them.
const SMALLEST_STEP_ERROR_PENALTY: f64 = 1.0;
const SMALLEST_KINETIC_PENALTY: f64 = 0.003;

/// The penalties after a refusal. A field without a grid has no step errors, so there the kinetic energy has to keep it
/// smooth.
fn doubled(penalties: Penalties, adjoint: Adjoint) -> Penalties {
    let Penalties { kinetic, step_error, jacobian } = penalties;
    match adjoint {
        Adjoint::Discrete => Penalties {
            kinetic: 2.0 * kinetic,
            jacobian: 2.0 * jacobian,
            step_error: (2.0 * step_error).max(SMALLEST_STEP_ERROR_PENALTY),
        },
        Adjoint::Continuous(_) => {
            Penalties { kinetic: (2.0 * kinetic).max(SMALLEST_KINETIC_PENALTY), ..penalties }
        }
    }
}

/// [`continuous_loss_gradient`] of a minibatch in another precision.
fn continuous_gradient<R: Trainable>(
    parameters: &Parameters,
    solver: &Continuous,
    objective: &Objective<'_, R::Lanes>,
    kinetic: f64,
    batch: Batch<'_, R>,
) -> Result<LossGradient, Error> {
    let each = parameters.shape().coordinates();
    let samples = batch.indices.iter().map(|&i| &batch.samples[i * each..(i + 1) * each]);
    let samples: Vec<f64> = samples.flatten().map(|v| v.to_f64()).collect();
    let indices: Vec<usize> = (0..batch.indices.len()).collect();
    let batch = Batch { samples: &samples, indices: &indices };
    match objective {
        Objective::MaximumLikelihood => {
            continuous_loss_gradient(parameters, solver, &Objective::MaximumLikelihood, kinetic, batch)
        }
        Objective::ReverseKl(potential, estimator) => {
            let potential = Rounded::<R>(*potential);
            let objective = Objective::ReverseKl(&potential, *estimator);
            continuous_loss_gradient(parameters, solver, &objective, kinetic, batch)
        }
    }
}

/// A potential of precision `R` for positions in double precision.
struct Rounded<'a, R: Trainable>(&'a dyn Potential<R::Lanes>);

impl<R: Trainable, V: Lanes<Real = f64>> Potential<V> for Rounded<'_, R> {
    fn energy(&self, shape: Shape, x: &[V], gradient: Option<&mut [V]>) -> V {
        // No vectors of R have fewer lanes than those of doubles; what is left over repeats the last one.
        let round = |x: &V| R::Lanes::from_fn(|i| R::from_f64(x.lane(i.min(V::WIDTH - 1))));
        let widen = |v: R::Lanes| V::from_fn(|i| v.lane(i).to_f64());
        let x: Vec<R::Lanes> = x.iter().map(round).collect();
        let mut rounded = vec![R::Lanes::zero(); x.len()];
        let u = self.0.energy(shape, &x, gradient.is_some().then_some(&mut rounded[..]));
        for (gradient, rounded) in gradient.into_iter().flatten().zip(rounded) {
            *gradient = widen(rounded);
        }
        widen(u)
    }
}

impl State {
    fn finished(&self) -> bool {
        let patience = self.config.check.patience;
        self.iteration >= self.config.iterations || (patience > 0 && self.since_best >= patience)
    }

    fn record(&mut self, likelihood: Option<Likelihood>, certified: bool) {
        let (iteration, penalties, steps) = (self.iteration, self.penalties, self.current.grid.count);
        self.verdicts.push(Verdict { iteration, likelihood, certified, penalties, steps });
    }
}

impl Snapshot {
    /// What is checked.
    fn candidate(&self) -> &Parameters {
        self.average.as_ref().map_or(&self.parameters, |(average, _)| average)
    }

    /// Moves the average, if there is one, towards the parameters: by 1 / n until that is less than 1 - `decay`.
    fn add_to_average(&mut self, decay: f64) {
        if let Some((average, count)) = &mut self.average {
            *count += 1;
            let share = (1.0 - decay).max(1.0 / *count as f64);
            for (average, value) in average.coordinates_mut().iter_mut().zip(self.parameters.coordinates()) {
                *average += share * (value - *average);
            }
        }
    }
}

/// Nodes k/n with the inner ones moved at random.
fn jittered_grid(config: &TrainConfig, n: usize, iteration: usize) -> Vec<f64> {
    let mut stream = Stream::new(config.seed, Purpose::TimeGrid, iteration as u64);
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
    use crate::train::{Check, Group, Schedule};

    const SAMPLES: usize = 12;

    fn trainer() -> Trainer<f64> {
        let shape = Shape { particles: 2, dimension: 1 };
        let data: Vec<f64> = (0..SAMPLES).flat_map(|i| [i as f64 + 1.0, -(i as f64) - 1.0]).collect();
        let config = TrainConfig {
            iterations: 100,
            batch_size: 5,
            learning_rate: 0.01,
            schedule: Schedule::Cosine { warm_up: 10, floor: 0.0 },
            penalties: Penalties::default(),
            steps: 5,
            grid_jitter: 0.8,
            check: Check { every: 100, gap_tolerance: 1.0, patience: 0 },
            seed: 4,
            ..TrainConfig::default()
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
        let grids: Vec<Vec<f64>> = (0..50).map(|i| jittered_grid(&config, 5, i)).collect();
        for grid in &grids {
            assert_eq!((grid.len(), grid[0], grid[5]), (6, 0.0, 1.0));
            for (k, node) in grid.iter().enumerate() {
                assert!((5.0 * node - k as f64).abs() <= 0.4 + 1e-12);
            }
        }
        assert!(grids.windows(2).all(|pair| pair[0][1..5] != pair[1][1..5]));
    }

    #[test]
    fn refusals_double_penalties_and_lift_weak_ones() {
        let of =
            |step_error| doubled(Penalties { kinetic: 0.1, step_error, jacobian: 0.25 }, Adjoint::Discrete);
        assert_eq!(of(3.0), Penalties { kinetic: 0.2, step_error: 6.0, jacobian: 0.5 });
        assert_eq!(of(0.03).step_error, SMALLEST_STEP_ERROR_PENALTY);
    }

    #[test]
    fn the_schedule_scales_the_steps() {
        // Without its epsilon Adam's first step has the length of the rate in every coordinate: a tenth of 0.01.
        let mut trainer = trainer();
        trainer.state.current.optimizer.epsilon = 1e-300;
        let before = trainer.state.current.parameters.clone();
        trainer.step().unwrap();
        let weights = |p: &Parameters| p.group(Group::Weights).to_vec();
        for (new, old) in weights(&trainer.state.current.parameters).iter().zip(weights(&before)) {
            assert!(((new - old).abs() - 0.001).abs() < 1e-8, "{new} {old}");
        }
    }
}
