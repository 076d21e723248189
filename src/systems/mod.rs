//! The benchmark systems: potentials, known truths, equilibrium data and the functions of their flows.

mod functions;

pub use functions::{Start, concentrated, even, initial, spanning};

use crate::field::Shape;
use crate::lanes::Lanes;
use crate::potential::{DoubleWell, LennardJones, Moved, Potential};
use crate::sampling::{
    ChainConfig, ChainSamples, Error, Initial, Progress, StepTrial, sample_chains, tune_step_size,
};
use crate::train::{Parameters, TrainConfig};
use std::borrow::Cow;
use std::fmt;

/// RK4 steps of the training grid and of the grid likelihood.
pub const GRID_STEPS: usize = 20;

/// A number that is known without this library.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Truth {
    /// The number; NaN where it is not known.
    pub value: f64,
    /// Its standard error; 0 for an exact one.
    pub standard_error: f64,
}

impl fmt::Display for Truth {
    /// An exact value with the decimals asked for; another as it is known, with its error; or `unknown`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_known() {
            return f.write_str("unknown");
        }
        match (self.is_exact(), f.precision()) {
            (true, Some(decimals)) => write!(f, "{:.decimals$}", self.value),
            (true, None) => write!(f, "{}", self.value),
            (false, _) => write!(f, "{} +- {}", self.value, self.standard_error),
        }
    }
}

impl Truth {
    /// Nothing is known.
    pub const UNKNOWN: Truth = Truth { value: f64::NAN, standard_error: f64::INFINITY };

    /// Whether anything is known.
    pub fn is_known(&self) -> bool {
        !self.value.is_nan()
    }

    fn is_exact(&self) -> bool {
        self.standard_error == 0.0
    }

    /// What to call it.
    pub fn what(&self) -> &'static str {
        if self.is_exact() { "exact" } else { "reference" }
    }
}

/// One of the paper's systems, or a Lennard-Jones cluster of another size.
#[derive(Clone, Debug)]
pub struct System {
    /// What it is called.
    pub name: Cow<'static, str>,
    /// Its name in paths and on command lines.
    pub key: Cow<'static, str>,
    /// N and D.
    pub shape: Shape,
    /// Its potential.
    pub energy: Energy,
    /// log of the integral of exp(-u) over the zero-centre-of-mass subspace.
    pub log_z: Truth,
    /// The entropy of the Boltzmann distribution: the negative log-likelihood (NLL) that no density can beat.
    pub floor: Truth,
    /// Mean energy of the Boltzmann distribution.
    pub mean_energy: Truth,
    /// The NLL of the standard normal; NaN where it is not known.
    pub prior_nll: f64,
    /// Metropolis chains that sample the equilibrium.
    chains: Chains,
}

/// How equilibrium data are made.
#[derive(Clone, Debug)]
struct Chains {
    step_size: f64,
    /// Step sizes to choose from where the step size is tuned.
    steps: &'static [f64],
    burn_in: usize,
    thin: usize,
    samples_per_chain: usize,
    /// Standard deviation of the normal from which the chains start.
    start: f64,
}

/// The potential of any of the systems.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Energy {
    /// [`DoubleWell::dw4`].
    DoubleWell,
    /// [`LennardJones::lj13`], for any number of particles.
    LennardJones,
}

impl Energy {
    /// Whether the energy of overlapping particles knows no bounds.
    pub fn has_walls(&self) -> bool {
        matches!(self, Energy::LennardJones)
    }
}

impl<V: Lanes> Potential<V> for Energy {
    fn energy(&self, shape: Shape, x: &[V], gradient: Option<&mut [V]>) -> V {
        match self {
            Energy::DoubleWell => DoubleWell::<V::Real>::dw4().energy(shape, x, gradient),
            Energy::LennardJones => LennardJones::<V::Real>::lj13().energy(shape, x, gradient),
        }
    }

    fn change(&self, shape: Shape, x: &[V], energy: V, moved: Moved<'_, V>, scratch: &mut [V]) -> V {
        match self {
            Energy::DoubleWell => DoubleWell::<V::Real>::dw4().change(shape, x, energy, moved, scratch),
            Energy::LennardJones => LennardJones::<V::Real>::lj13().change(shape, x, energy, moved, scratch),
        }
    }
}

const DOUBLE_WELL_STEPS: &[f64] = &[0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.7, 1.0];

/// Two particles in the plane. Truths by one-dimensional quadrature.
pub const DW2: System = System {
    name: Cow::Borrowed("DW-2"),
    key: Cow::Borrowed("dw2"),
    shape: Shape { particles: 2, dimension: 2 },
    energy: Energy::DoubleWell,
    log_z: Truth { value: 7.260392993086798, standard_error: 0.0 },
    floor: Truth { value: 3.38967, standard_error: 0.0 },
    mean_energy: Truth { value: -3.870727130806058, standard_error: 0.0 },
    prior_nll: 7.38315,
    chains: Chains {
        step_size: 0.7,
        steps: DOUBLE_WELL_STEPS,
        burn_in: 4_000,
        thin: 2_000,
        samples_per_chain: 20,
        start: 2.0,
    },
};

/// Four particles in the plane. Truths by deterministic quadrature. At the step size that the rule picks, |x|^2, the
/// slowest symmetric observable of the chains, has an integrated autocorrelation time of about 6000 steps (energy: 170).
pub const DW4: System = System {
    name: Cow::Borrowed("DW-4"),
    key: Cow::Borrowed("dw4"),
    shape: Shape { particles: 4, dimension: 2 },
    energy: Energy::DoubleWell,
    log_z: Truth { value: 29.66723223290428, standard_error: 0.0 },
    floor: Truth { value: 7.12572, standard_error: 0.0 },
    mean_energy: Truth { value: -22.541509603480378, standard_error: 0.0 },
    prior_nll: 19.15095,
    chains: Chains {
        step_size: 0.5,
        steps: DOUBLE_WELL_STEPS,
        burn_in: 16_000,
        thin: 8_000,
        samples_per_chain: 20,
        start: 2.0,
    },
};

/// Thirteen particles in space, epsilon = 2 and k = 1. Floor and mean energy by very long replica exchange; log Z is
/// their difference.
///
/// At tau = 1 the cluster is a liquid drop, and Metropolis chains from the prior mix: at steps of 0.03 the energy has an
/// integrated autocorrelation time of 3100 +- 300 steps, |x|^2 one of 5200 +- 600, and the burn-in is many of both.
pub const LJ13: System = System {
    name: Cow::Borrowed("LJ-13"),
    key: Cow::Borrowed("lj13"),
    shape: Shape { particles: 13, dimension: 3 },
    energy: Energy::LennardJones,
    log_z: Truth { value: 59.875, standard_error: 0.025 },
    floor: Truth { value: 16.908, standard_error: 0.018 },
    mean_energy: Truth { value: -42.967, standard_error: 0.018 },
    prior_nll: 42.145,
    chains: Chains {
        step_size: 0.03,
        steps: &[0.015, 0.02, 0.025, 0.03, 0.04],
        burn_in: 40_000,
        thin: 4_000,
        samples_per_chain: 50,
        start: 1.0,
    },
};

impl System {
    /// The system of that key: `dw2`, `dw4`, `lj13`, or `lj` and another number of particles from 2 to 1000, of which
    /// nothing is known.
    pub fn named(key: &str) -> Option<System> {
        match key {
            "dw2" => Some(DW2),
            "dw4" => Some(DW4),
            "lj13" => Some(LJ13),
            _ => {
                let particles: usize = key.strip_prefix("lj")?.parse().ok()?;
                (2..=1000).contains(&particles).then(|| System::lennard_jones(particles))
            }
        }
    }

    /// A Lennard-Jones cluster like LJ-13 of another size.
    fn lennard_jones(particles: usize) -> System {
        System {
            name: format!("LJ-{particles}").into(),
            key: format!("lj{particles}").into(),
            shape: Shape { particles, dimension: 3 },
            log_z: Truth::UNKNOWN,
            floor: Truth::UNKNOWN,
            mean_energy: Truth::UNKNOWN,
            prior_nll: f64::NAN,
            chains: Chains {
                steps: &[0.01, 0.015, 0.02, 0.03, 0.04, 0.06, 0.1, 0.15, 0.2],
                start: libm::cbrt(particles as f64 / 13.0).max(0.5),
                ..LJ13.chains
            },
            ..LJ13
        }
    }

    /// `n` (or a few more) equilibrium configurations of many Metropolis chains.
    ///
    /// # Errors
    /// Those of [`sample_chains`], as for what follows.
    pub fn equilibrium(&self, n: usize, seed: u64) -> Result<ChainSamples<f64>, Error> {
        self.sample(n, self.chains.step_size, seed, &|_| ())
    }

    /// The same by steps of the given size.
    ///
    /// # Errors
    /// Those of [`sample_chains`].
    pub fn sample(
        &self,
        n: usize,
        step_size: f64,
        seed: u64,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<ChainSamples<f64>, Error> {
        let Chains { burn_in, thin, .. } = self.chains;
        let chains = self.chains_of(n);
        let config = ChainConfig {
            chains,
            burn_in,
            thin,
            samples_per_chain: n.div_ceil(chains.max(1)),
            step_size,
            seed,
        };
        sample_chains(&self.energy, self.shape, &config, self.start(), progress)
    }

    /// Chains that make `n` configurations: 100 or more, where there are so many configurations.
    pub fn chains_of(&self, n: usize) -> usize {
        n.div_ceil(self.chains.samples_per_chain).max(n.min(100))
    }

    /// Steps of each chain before the first configuration.
    pub fn burn_in(&self) -> usize {
        self.chains.burn_in
    }

    /// Steps between two configurations of a chain.
    pub fn thinning(&self) -> usize {
        self.chains.thin
    }

    /// The step size that the paper's rule picks ([`tune_step_size`]).
    ///
    /// # Errors
    /// Those of [`sample_chains`].
    pub fn tuned_step(&self, seed: u64) -> Result<StepTrial, Error> {
        let pilot = ChainConfig {
            chains: 128,
            burn_in: self.chains.burn_in / 16,
            thin: 1,
            samples_per_chain: 500,
            step_size: self.chains.step_size,
            seed,
        };
        Ok(tune_step_size(&self.energy, self.shape, &pilot, self.start(), self.chains.steps)?.best)
    }

    /// Chains start from the prior, stretched to about the size of the cluster.
    fn start(&self) -> Initial<'static, f64> {
        Initial::Prior { scale: self.chains.start }
    }

    /// Standard deviation of normal draws that are about as large as the cluster.
    pub fn start_scale(&self) -> f64 {
        self.chains.start
    }

    /// 50 radial and 10 time functions, normalised, weights zero: 620 parameters.
    pub fn functions(&self) -> Parameters {
        match self.energy {
            Energy::DoubleWell => even(self.shape, (50, 8.0, 0.5), 10),
            Energy::LennardJones => concentrated(self.shape, (50, 0.25, 6.0), 10),
        }
    }

    /// How its flows are trained.
    pub fn recipe(&self) -> TrainConfig {
        // Two thirds of the least spacing of the means.
        let least_bandwidth = match self.energy {
            Energy::DoubleWell => 0.1,
            Energy::LennardJones => 0.02,
        };
        TrainConfig { steps: GRID_STEPS, least_bandwidth, ..TrainConfig::default() }
    }
}
