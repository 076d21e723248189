//! Weighted samples by annealing: a population that moves from a density that can be drawn from to the target.

use super::error::Error;
use super::importance::ImportanceWeights;
use super::kernel::Kernel;
use super::members::{BLOCK, Members, Memory, Path};
use super::population::{conditional_fraction, effective_fraction, next_lambda, normalise, systematic};
use super::reference::Reference;
use super::sampler::check_shape;
use super::state;
use super::statistics::Estimate;
use crate::error;
use crate::field::Shape;
use crate::flow::Precision;
use crate::mcmc::Draws;
use crate::parallel::{map_each, map_indexed};
use crate::potential::Potential;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

const MAGIC: [u8; 8] = *b"EQFANNEA";

/// A point of the path, and the kernel's step size there.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// From 0, the reference, which is none of the stages, to 1, the target.
    pub lambda: f64,
    /// Step size of the kernel, where it has one.
    pub step_size: f64,
}

/// How the points of the path are found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Schedule<'a> {
    /// These, of rising lambda up to 1. The mean weight is Z without bias.
    Given(&'a [Stage]),
    /// Each as far from the last as the conditional effective sample size allows (Zhou, Johansen, Aston 2016). log Z is
    /// consistent, and the bias of Z is of the order of 1 / `samples`; to be rid of it, run once more on
    /// [`Annealed::schedule`] with another seed.
    Adaptive {
        /// The conditional effective sample size of a stage, as a fraction of the population: between 0 and 1.
        conditional_ess: f64,
        /// Where given, the step size of the kernel is multiplied by exp(2 (acceptance - this)) after each stage.
        acceptance: Option<f64>,
    },
}

/// How a population is annealed.
#[derive(Clone, Copy, Debug)]
pub struct AnnealConfig<'a, R> {
    /// Members of the population, at least 2.
    pub samples: usize,
    /// Where they come from.
    pub from: Reference<'a, R>,
    /// Where they go to: exp(-u / tau), tau being above 0, relative to the temperature that is in u already.
    pub tau: f64,
    /// The points between.
    pub schedule: Schedule<'a>,
    /// The population is resampled after a stage (but for the last) whose effective sample size is below this fraction of it:
    /// 0 is annealed importance sampling, 1 resamples always.
    pub resample_below: f64,
    /// How members move at each point; none in a latent space. The flow of [`Kernel::Independence`] must be that of `from`.
    pub kernel: Kernel<'a, R>,
    /// Steps at each point before the target.
    pub steps: usize,
    /// 0: each step is one of the kernel under gamma, with a density of the reference for each of its energies. Else so many
    /// steps of the kernel under the target itself make one proposal, accepted with probability
    /// min(1, (w(x) / w(x'))^(1 - lambda)), w = exp(-u / tau) / q, at the price of a single density: surrogate transitions
    /// (Liu, Monte Carlo Strategies in Scientific Computing (2001), section 9.4.3). For energies that cost less than
    /// densities, and references that are near the target. Not for [`Kernel::Independence`].
    pub surrogate_steps: usize,
    /// Steps at the target, which take energies only: they change neither weights nor log Z.
    pub last_steps: usize,
    /// Member i draws from streams of its own: the bits do not depend on threads.
    pub seed: u64,
}

impl<R: Precision> AnnealConfig<'_, R> {
    pub(super) fn needs_density_gradients(&self) -> bool {
        self.kernel.has_gradient() && self.surrogate_steps == 0
    }
}

/// A population on its way from a reference density q to the target exp(-u / tau): annealed importance sampling (Neal 2001)
/// and, with resampling, sequential Monte Carlo (Del Moral, Doucet, Jasra 2006).
///
/// The path is geometric, log gamma = (1 - lambda) log q - lambda u / tau. At each stage the weights gain gamma(lambda') /
/// gamma(lambda) at the members' positions; then the population may be resampled, and moves by a kernel that leaves
/// gamma(lambda') invariant. Every step before the target takes the reference's density besides the energy, which costs
/// as much as a sample of a flow, and for [`Kernel::Hmc`] without surrogate steps its gradient, four times that (which
/// [`LogDet::Jacobian`](crate::flow::LogDet::Jacobian) does not have). Weights and moves are as exact as these densities are.
///
/// The results depend on configuration and seed alone, not on threads, nor on whether the run is broken off and resumed.
#[derive(Debug)]
pub struct Annealing<'a, R, P: ?Sized> {
    potential: &'a P,
    shape: Shape,
    config: AnnealConfig<'a, R>,
    state: State<R>,
}

/// What happened at a stage.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Level {
    /// The point of the path, and the step size of its moves.
    pub stage: Stage,
    /// Conditional effective sample size of the way to it, a fraction of the population.
    pub conditional_ess: f64,
    /// Effective sample size (Kish) after it, a fraction of the population.
    pub effective: f64,
    /// Whether the population was resampled then.
    pub resampled: bool,
    /// Samples of the reference that have descendants.
    pub founders: usize,
    /// Fraction of the proposals that were accepted; NaN without any.
    pub acceptance_rate: f64,
}

/// Evaluations, each of one configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evaluations {
    /// Of the energy, with or without its gradient.
    pub energies: u64,
    /// Of the reference's density, with or without its gradient; drawing a sample is one.
    pub densities: u64,
}

/// A population that has come to the target.
#[derive(Clone, Debug, PartialEq)]
pub struct Annealed<R> {
    /// Configurations of zero centre of mass, `[n][N][D]`.
    pub samples: Vec<R>,
    /// Their energies u, without tau, `[n]`.
    pub energies: Vec<R>,
    /// Logarithms of their weights, `[n]`; the mean weight is Z.
    pub log_weights: Vec<f64>,
    /// For each which sample of the reference it comes from, `[n]`.
    pub founders: Vec<u64>,
    /// What happened on the way.
    pub levels: Vec<Level>,
    /// What it took.
    pub evaluations: Evaluations,
}

impl<R: Precision> Annealed<R> {
    /// The weights, for averages. Their errors there count members as independent: after resampling they are too small, and
    /// those of [`Annealed::log_z`] and [`Annealed::expectation`] are right.
    pub fn weights(&self) -> ImportanceWeights {
        ImportanceWeights::new(&self.log_weights).expect("weights are finite")
    }

    /// Points and step sizes, for [`Schedule::Given`].
    pub fn schedule(&self) -> Vec<Stage> {
        self.levels.iter().map(|level| level.stage).collect()
    }

    /// log Z of exp(-u / tau), with a standard error from one run: descendants of one founder count as one value, founders as
    /// independent (Chan and Lai, Ann. Stat. 41, 2877 (2013); Lee and Whiteley, Biometrika 105, 609 (2018)).
    ///
    /// Without resampling it is [`ImportanceWeights::log_z_by_delta`]. It needs a number of founders (a few dozen) whose
    /// descendants have weight at the end: long runs that resample often lose them; then repeat with other seeds instead.
    /// Systematic resampling scatters less than the multinomial one for which the estimate is made: it errs upwards.
    pub fn log_z(&self) -> Estimate {
        let n = self.log_weights.len() as f64;
        let (weights, value) = normalise(&self.log_weights);
        let square: f64 = self.families(&weights).iter().map(|family| family * family).sum();
        // The variance of n founders' weights W_e about 1 / n.
        Estimate { value, standard_error: libm::sqrt((n * square - 1.0).max(0.0) / (n - 1.0)) }
    }

    /// The weighted mean of `observable` (`[n]`) with a standard error as that of [`Annealed::log_z`].
    ///
    /// # Errors
    /// A wrong length; the first NaN or infinite value whose weight is positive.
    pub fn expectation(&self, observable: &[f64]) -> Result<Estimate, Error> {
        let weights = self.weights();
        let value = weights.expectation(observable)?;
        let deviation = |(w, f): (f64, &f64)| if w > 0.0 { w * (f - value) } else { 0.0 };
        let terms: Vec<f64> = weights.normalized().into_iter().zip(observable).map(deviation).collect();
        let square: f64 = self.families(&terms).iter().map(|family| family * family).sum();
        Ok(Estimate { value, standard_error: libm::sqrt(square) })
    }

    /// Sums of `values` over the descendants of each founder who has any.
    fn families(&self, values: &[f64]) -> Vec<f64> {
        // Resampling keeps the order, so that families lie together.
        let families = self.founders.chunk_by(|a, b| a == b).scan(0, |start, family| {
            *start += family.len();
            Some(values[*start - family.len()..*start].iter().sum())
        });
        families.collect()
    }
}

/// What a checkpoint keeps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct State<R> {
    particles: usize,
    dimension: usize,
    samples: usize,
    tau: f64,
    seed: u64,
    lambda: f64,
    step_size: f64,
    /// Steps that each member has made.
    step: u64,
    log_weights: Vec<f64>,
    founders: Vec<u64>,
    levels: Vec<Level>,
    evaluations: Evaluations,
    blocks: Vec<Members<R>>,
}

impl<'a, R: Precision, P: Potential<R::Lanes> + ?Sized> Annealing<'a, R, P> {
    /// A population of samples of the reference.
    ///
    /// # Errors
    /// A field of `config` or `shape` out of range, by name; an energy (index: member) that is NaN; what the flow fails with.
    pub fn new(potential: &'a P, shape: Shape, config: AnnealConfig<'a, R>) -> Result<Self, Error> {
        check(&config, shape)?;
        let path = Path { potential, shape, config: &config, lambda: 0.0 };
        let blocks = map_indexed(config.samples.div_ceil(BLOCK), |block| {
            let first = block * BLOCK;
            Members::draw(&path, first, BLOCK.min(config.samples - first))
        });
        let blocks = blocks.into_iter().collect::<Result<_, Error>>()?;
        let n = config.samples as u64;
        let with_gradients = u64::from(config.needs_density_gradients());
        let state = State {
            particles: shape.particles,
            dimension: shape.dimension,
            samples: config.samples,
            tau: config.tau,
            seed: config.seed,
            lambda: 0.0,
            step_size: config.kernel.step_size().unwrap_or(1.0),
            step: 0,
            log_weights: vec![0.0; config.samples],
            founders: (0..n).collect(),
            levels: Vec::new(),
            evaluations: Evaluations { energies: n, densities: n + n * with_gradients },
            blocks,
        };
        Ok(Annealing { potential, shape, config, state })
    }

    /// How far the population has come: 0 to 1.
    pub fn lambda(&self) -> f64 {
        self.state.lambda
    }

    /// Makes up to `stages` stages; whether the population is at the target. `progress` is called after each stage.
    ///
    /// # Errors
    /// What the flow or the potential fails with; the population is where it was before that stage then.
    pub fn advance(&mut self, stages: usize, mut progress: impl FnMut(&Level)) -> Result<bool, Error> {
        for _ in 0..stages {
            if self.state.lambda >= 1.0 {
                break;
            }
            let mut next = self.state.clone();
            next.stage(self.potential, self.shape, &self.config).map_err(Error::Core)?;
            self.state = next;
            self.state.levels.last().into_iter().for_each(&mut progress);
        }
        Ok(self.state.lambda >= 1.0)
    }

    /// The population at the target.
    ///
    /// # Errors
    /// One that is still on its way.
    pub fn result(&self) -> Result<Annealed<R>, Error> {
        let State { lambda, tau, log_weights, founders, levels, evaluations, blocks, .. } = &self.state;
        if *lambda < 1.0 {
            return Err(Error::value("lambda", *lambda, "1: the path has not ended"));
        }
        let tau = R::from_f64(*tau);
        Ok(Annealed {
            samples: blocks.iter().flat_map(|block| &block.x).copied().collect(),
            energies: blocks.iter().flat_map(|block| &block.at.energy).map(|&u| tau * u).collect(),
            log_weights: log_weights.clone(),
            founders: founders.clone(),
            levels: levels.clone(),
            evaluations: *evaluations,
        })
    }

    /// The whole state: what [`Annealing::resume`] needs besides potential and configuration.
    pub fn checkpoint(&self) -> Vec<u8>
    where
        R: Serialize,
    {
        state::to_bytes::<R>(MAGIC, &self.state)
    }

    /// Goes on from a checkpoint, under the same potential and configuration: the resumed run gives the same bits as an
    /// unbroken one.
    ///
    /// # Errors
    /// A configuration that [`Annealing::new`] refuses; a state that is damaged, or of another precision, shape,
    /// population, temperature, seed or kind of kernel.
    pub fn resume(
        potential: &'a P,
        shape: Shape,
        config: AnnealConfig<'a, R>,
        bytes: &[u8],
    ) -> Result<Self, Error>
    where
        R: DeserializeOwned,
    {
        check(&config, shape)?;
        let state: State<R> = state::from_bytes::<R, _>(MAGIC, bytes)?;
        let refused = |reason| Err(Error::State { reason });
        if (state.particles, state.dimension) != (shape.particles, shape.dimension) {
            return refused("its shape is another");
        }
        if (state.samples, state.tau, state.seed) != (config.samples, config.tau, config.seed) {
            return refused("its population, temperature or seed is another");
        }
        let lengths = [state.log_weights.len(), state.founders.len()];
        let members: usize = state.blocks.iter().map(|block| block.at.energy.len()).sum();
        let fits = |block: &Members<R>| block.fits(&config.kernel, shape);
        if lengths != [state.samples; 2] || members != state.samples || !state.blocks.iter().all(fits) {
            return refused("its members are those of another kernel");
        }
        if let Schedule::Given(stages) = config.schedule {
            let made = state.levels.iter().map(|level| level.stage.lambda);
            if !stages.iter().map(|stage| stage.lambda).take(state.levels.len()).eq(made) {
                return refused("its schedule is another");
            }
        }
        Ok(Annealing { potential, shape, config, state })
    }
}

fn check<R: Precision>(config: &AnnealConfig<'_, R>, shape: Shape) -> Result<(), Error> {
    check_shape(shape)?;
    config.from.check(shape)?;
    if config.samples < 2 {
        return Err(Error::value("config.samples", config.samples as f64, "at least 2"));
    }
    let rounded = R::from_f64(config.tau);
    if !(rounded.is_finite() && rounded.to_f64() > 0.0) {
        return Err(Error::value("config.tau", config.tau, "finite and above 0"));
    }
    if !(0.0..=1.0).contains(&config.resample_below) {
        return Err(Error::value("config.resample_below", config.resample_below, "from 0 to 1"));
    }
    check_schedule(config)?;
    config.kernel.check(shape)?;
    if config.surrogate_steps > 0 && config.kernel.plan().is_some() {
        let demand = "0 for a kernel with a flow";
        return Err(Error::value("config.surrogate_steps", config.surrogate_steps as f64, demand));
    }
    if config.kernel.is_latent() {
        return Err(Error::value("config.kernel", f64::NAN, "one that moves configurations"));
    }
    match (config.kernel.plan(), config.from) {
        (None, _) => Ok(()),
        (Some(plan), Reference::Flow(from)) if std::ptr::eq(plan, from) => Ok(()),
        _ => Err(Error::value("config.kernel.plan", f64::NAN, "that of config.from")),
    }
}

fn check_schedule<R: Precision>(config: &AnnealConfig<'_, R>) -> Result<(), Error> {
    let inside = |value: f64| value > 0.0 && value < 1.0;
    let stages = match config.schedule {
        Schedule::Given(stages) => stages,
        Schedule::Adaptive { conditional_ess, .. } if !inside(conditional_ess) => {
            return Err(Error::value("config.schedule.conditional_ess", conditional_ess, "between 0 and 1"));
        }
        Schedule::Adaptive { acceptance: Some(wanted), .. } if !inside(wanted) => {
            return Err(Error::value("config.schedule.acceptance", wanted, "between 0 and 1"));
        }
        Schedule::Adaptive { .. } => return Ok(()),
    };
    let mut before = 0.0;
    for (i, &Stage { lambda, step_size }) in stages.iter().enumerate() {
        if !(lambda > before && lambda <= 1.0) {
            let demand = "above the one before and at most 1";
            return Err(Error::element("config.schedule.lambda", i, lambda, demand));
        }
        let rounded = R::from_f64(step_size);
        if !(rounded.is_finite() && rounded.to_f64() > 0.0) {
            return Err(Error::element("config.schedule.step_size", i, step_size, "finite and above 0"));
        }
        before = lambda;
    }
    match before {
        1.0 => Ok(()),
        last => Err(Error::value("config.schedule.lambda", last, "1 at the last stage")),
    }
}

impl<R: Precision> State<R> {
    /// One stage: weights, resampling, moves.
    fn stage<P: Potential<R::Lanes> + ?Sized>(
        &mut self,
        potential: &P,
        shape: Shape,
        config: &AnnealConfig<'_, R>,
    ) -> Result<(), error::Error> {
        let slopes: Vec<f64> = self.blocks.iter().flat_map(|block| block.at.slopes()).collect();
        let (weights, _) = normalise(&self.log_weights);
        let stage = self.next(config, &weights, &slopes);
        let step = stage.lambda - self.lambda;
        let conditional_ess = conditional_fraction(&weights, &slopes, step);
        self.log_weights.iter_mut().zip(&slopes).for_each(|(weight, slope)| *weight += step * slope);
        let (weights, log_mean) = normalise(&self.log_weights);
        let effective = effective_fraction(&weights);
        let resampled = effective < config.resample_below && stage.lambda < 1.0;
        if resampled {
            self.follow(&systematic(&weights, self.seed, self.levels.len() as u64));
            self.log_weights.fill(log_mean);
        }
        self.lambda = stage.lambda;
        let path = Path { potential, shape, config, lambda: stage.lambda };
        let acceptance_rate = self.walk(&path, stage.step_size)?;
        let founders = self.founders.chunk_by(|a, b| a == b).count();
        let level = Level { stage, conditional_ess, effective, resampled, founders, acceptance_rate };
        self.levels.push(level);
        if let Schedule::Adaptive { acceptance: Some(wanted), .. } = config.schedule
            && acceptance_rate.is_finite()
        {
            self.step_size = stage.step_size * libm::exp(2.0 * (acceptance_rate - wanted));
        }
        Ok(())
    }

    fn next(&self, config: &AnnealConfig<'_, R>, weights: &[f64], slopes: &[f64]) -> Stage {
        match config.schedule {
            Schedule::Given(stages) => stages[self.levels.len()],
            Schedule::Adaptive { conditional_ess, .. } => Stage {
                lambda: next_lambda(weights, slopes, self.lambda, conditional_ess),
                step_size: self.step_size,
            },
        }
    }

    /// Puts the offspring of `parents` into the population's places.
    fn follow(&mut self, parents: &[usize]) {
        self.founders = parents.iter().map(|&parent| self.founders[parent]).collect();
        let old = self.blocks.clone();
        for (block, parents) in self.blocks.iter_mut().zip(parents.chunks(BLOCK)) {
            for (place, parent) in parents.iter().enumerate() {
                block.take(place, &old[parent / BLOCK], parent % BLOCK);
            }
        }
    }

    /// Moves all members; the fraction of proposals that were accepted.
    fn walk<P: Potential<R::Lanes> + ?Sized>(
        &mut self,
        path: &Path<'_, R, P>,
        step_size: f64,
    ) -> Result<f64, error::Error> {
        let (steps, inner) = match path.config {
            config if path.lambda < 1.0 => (config.steps, config.surrogate_steps),
            config => (config.last_steps, 0),
        };
        let stride = inner.max(1) as u64;
        let kernel = path.config.kernel.with_step_size(step_size);
        let (seed, first_step) = (self.seed, self.step);
        let walked = map_each(&mut self.blocks, |block| {
            let mut memory = Memory::new(&kernel, path, block.at.energy.len())?;
            block.weigh_gradients(path);
            for step in 0..steps as u64 {
                let draws = Draws { seed, first: block.first, step: first_step + step * stride };
                match inner {
                    0 => block.step(&kernel, path, draws, &mut memory)?,
                    inner => block.surrogate_step(&kernel, inner, path, draws, &mut memory)?,
                }
            }
            Ok((memory.moved, memory.evaluations))
        });
        let mut moved = 0;
        for (of_block, evaluations) in walked.into_iter().collect::<Result<Vec<_>, error::Error>>()? {
            moved += of_block;
            self.evaluations.energies += evaluations.energies;
            self.evaluations.densities += evaluations.densities;
        }
        self.step += steps as u64 * stride;
        Ok(moved as f64 / (steps * self.samples) as f64)
    }
}
