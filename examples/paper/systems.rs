//! The benchmark systems: potentials, known truths, equilibrium data and the functions of their flows.

use eqflow::field::Shape;
use eqflow::lanes::Lanes;
use eqflow::potential::{DoubleWell, LennardJones, Potential};
use eqflow::radial::Basis;
use eqflow::sampling::{ChainConfig, ChainSamples, Error, Initial, sample_chains};
use eqflow::train::{Group, Parameters};
use std::fmt;

/// A number that is known without this library, with its standard error (0: exact).
#[derive(Clone, Copy)]
pub struct Truth {
    pub value: f64,
    pub standard_error: f64,
}

impl fmt::Display for Truth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.standard_error > 0.0 {
            write!(f, "{} +- {}", self.value, self.standard_error)
        } else {
            write!(f, "{}", self.value)
        }
    }
}

/// One of the paper's systems.
pub struct System {
    pub name: &'static str,
    pub shape: Shape,
    pub energy: Energy,
    /// The entropy of the Boltzmann distribution: the negative log-likelihood (NLL) that no density can beat.
    pub floor: Truth,
    /// Mean energy of the Boltzmann distribution.
    pub mean_energy: Truth,
    /// The NLL of the standard normal.
    pub prior_nll: f64,
    /// Metropolis chains that sample the equilibrium.
    chains: Chains,
}

/// How equilibrium data are made.
struct Chains {
    step_size: f64,
    burn_in: usize,
    thin: usize,
    samples_per_chain: usize,
    /// Standard deviation of the normal from which the chains start.
    start: f64,
}

/// The potential of any of the systems.
#[derive(Clone, Copy)]
pub enum Energy {
    DoubleWell,
    LennardJones,
}

impl<V: Lanes<Real = f64>> Potential<V> for Energy {
    fn energy(&self, shape: Shape, x: &[V], gradient: Option<&mut [V]>) -> V {
        match self {
            Energy::DoubleWell => DoubleWell::dw4().energy(shape, x, gradient),
            Energy::LennardJones => LennardJones::lj13().energy(shape, x, gradient),
        }
    }
}

/// Two particles in the plane. Floor and prior by one-dimensional quadrature.
pub const DW2: System = System {
    name: "DW-2",
    shape: Shape { particles: 2, dimension: 2 },
    energy: Energy::DoubleWell,
    floor: Truth { value: 3.38967, standard_error: 0.0 },
    mean_energy: Truth { value: -3.870727130806058, standard_error: 0.0 },
    prior_nll: 7.38315,
    chains: Chains { step_size: 0.7, burn_in: 4_000, thin: 2_000, samples_per_chain: 20, start: 2.0 },
};

/// Four particles in the plane. Floor and prior by deterministic quadrature. |x|^2, the slowest symmetric observable of
/// the chains, has an integrated autocorrelation time of about 6000 steps.
pub const DW4: System = System {
    name: "DW-4",
    shape: Shape { particles: 4, dimension: 2 },
    energy: Energy::DoubleWell,
    floor: Truth { value: 7.12572, standard_error: 0.0 },
    mean_energy: Truth { value: -22.541509603480378, standard_error: 0.0 },
    prior_nll: 19.15095,
    chains: Chains { step_size: 0.5, burn_in: 16_000, thin: 8_000, samples_per_chain: 20, start: 2.0 },
};

/// Thirteen particles in space, epsilon = 2 and k = 1. Floor by very long replica exchange.
pub const LJ13: System = System {
    name: "LJ-13",
    shape: Shape { particles: 13, dimension: 3 },
    energy: Energy::LennardJones,
    floor: Truth { value: 16.908, standard_error: 0.018 },
    mean_energy: Truth { value: -42.967, standard_error: 0.018 },
    prior_nll: 42.145,
    chains: Chains { step_size: 0.03, burn_in: 40_000, thin: 4_000, samples_per_chain: 50, start: 1.0 },
};

impl System {
    /// `n` (or a few more) equilibrium configurations of many Metropolis chains: 100 or more, where there are so many
    /// configurations.
    pub fn equilibrium(&self, n: usize, seed: u64) -> Result<ChainSamples<f64>, Error> {
        let Chains { step_size, burn_in, thin, samples_per_chain, start } = self.chains;
        let chains = n.div_ceil(samples_per_chain).max(n.min(100));
        let samples_per_chain = n.div_ceil(chains);
        let config = ChainConfig { chains, burn_in, thin, samples_per_chain, step_size, seed };
        sample_chains(&self.energy, self.shape, &config, Initial::Prior { scale: start }, &|_| ())
    }

    /// Standard deviation of normal draws that are about as large as the cluster.
    pub fn start_scale(&self) -> f64 {
        self.chains.start
    }

    /// 50 radial and 10 time functions, normalised, weights zero: 620 parameters.
    ///
    /// At a = 0 the importances would never move, because phi depends on their squares.
    pub fn functions(&self) -> Parameters {
        let mut parameters = match self.energy {
            Energy::DoubleWell => {
                Parameters::identity(Basis::Normalized, self.shape, (50, 8.0, 0.5), (10, 0.3))
            }
            Energy::LennardJones => concentrated(self.shape),
        };
        parameters.group_mut(Group::Importance).fill(0.1);
        parameters
    }

    /// The narrowest bandwidth that training may reach, two thirds of the least spacing of the means.
    pub fn least_bandwidth(&self) -> f64 {
        match self.energy {
            Energy::DoubleWell => 0.1,
            Energy::LennardJones => 0.02,
        }
    }
}

/// Means from 0 to 6, densest at r_m = 1 where phi is steepest, and bandwidths of three spacings (our reading of the
/// paper's appendix C.1): mu = 1 + w sinh(s) with s evenly spaced.
fn concentrated(shape: Shape) -> Parameters {
    const COUNT: usize = 50;
    const WIDTH: f64 = 0.25;
    let mut parameters = Parameters::identity(Basis::Normalized, shape, (COUNT, 6.0, 0.5), (10, 0.3));
    let arsinh = |x: f64| (x / WIDTH).asinh();
    let (first, last) = (arsinh(-1.0), arsinh(5.0));
    let spacing = (last - first) / (COUNT - 1) as f64;
    for m in 0..COUNT {
        let s = first + spacing * m as f64;
        parameters.group_mut(Group::Mu)[m] = (1.0 + WIDTH * s.sinh()).max(0.0);
        parameters.group_mut(Group::LogGamma)[m] = (3.0 * spacing * WIDTH * s.cosh()).ln();
    }
    parameters
}
