//! Random walks whose moves cost little: uniform ones, and single particles with the change of the energy in O(N).
#![cfg(feature = "std")]

use eqflow::field::{Shape, distances};
use eqflow::lanes::{Lanes, Real};
use eqflow::mcmc::metropolis_particle_step;
use eqflow::potential::{DoubleWell, LennardJones, Moved, Potential, Softened};
use eqflow::random::{Normals, Purpose, Stream, prior_sample};
use eqflow::sampling::{
    ChainConfig, ChainSamples, Initial, Kernel, Moves, Sampler, chain_mean, sample_chains, sample_chains_by,
};
use eqflow::systems::Energy;

type V = <f64 as Real>::Lanes;

const DW4: Shape = Shape { particles: 4, dimension: 2 };
const LJ13: Shape = Shape { particles: 13, dimension: 3 };
/// By quadrature over the subspace.
const ENERGY: f64 = -22.541509603480378;
const DISTANCE: f64 = 4.044986844410344;

fn prior<L: Lanes<Real = f64>>(shape: Shape, scale: f64, first: usize) -> Vec<L> {
    let draw = |lane| {
        let mut x = vec![0.0; shape.coordinates()];
        prior_sample(shape, &mut Normals::new(Stream::new(8, Purpose::Prior, (first + lane) as u64)), &mut x);
        x
    };
    let rows: Vec<Vec<f64>> = (0..L::WIDTH).map(draw).collect();
    (0..shape.coordinates()).map(|c| L::from_fn(|lane| scale * rows[lane][c])).collect()
}

#[track_caller]
fn assert_exact(what: &str, run: &ChainSamples<f64>, chains: usize) {
    let mean_distance = |x: &[f64]| {
        let mut d = [0.0; 6];
        distances(DW4, x, &mut d);
        d.iter().sum::<f64>() / 6.0
    };
    let d: Vec<f64> = run.samples.chunks_exact(8).map(mean_distance).collect();
    for (values, exact) in [(&run.energies, ENERGY), (&d, DISTANCE)] {
        let mean = chain_mean(values, chains).unwrap();
        println!("{what}: {mean}, exact {exact}; acceptance {}", run.acceptance_rate);
        assert!((mean.value - exact).abs() < 3.5 * mean.standard_error, "{what}: {mean} {exact}");
    }
}

/// Seeds 21 and 22, 128 chains of DW-4.
#[test]
fn moves_of_every_kind_keep_the_boltzmann_distribution() {
    let (well, chains) = (DoubleWell::dw4(), 128);
    let start = Initial::Prior { scale: 2.0 };
    for moves in [Moves::Normal, Moves::Cube, Moves::Particle] {
        let config = ChainConfig {
            chains,
            burn_in: 12_000,
            thin: 300,
            samples_per_chain: 50,
            step_size: 0.6,
            seed: 21,
        };
        let run = sample_chains_by(moves, &well, DW4, &config, start, &|_| ()).unwrap();
        assert_exact(&format!("{moves:?}"), &run, chains);
        if moves == Moves::Normal {
            assert_eq!(sample_chains(&well, DW4, &config, start, &|_| ()).unwrap(), run);
        }
        // A chain is the same alone.
        let short = ChainConfig { chains: 5, burn_in: 20, thin: 3, samples_per_chain: 4, ..config };
        let few = sample_chains_by(moves, &well, DW4, &short, start, &|_| ()).unwrap();
        let one = ChainConfig { chains: 1, ..short };
        let one = sample_chains_by(moves, &well, DW4, &one, start, &|_| ()).unwrap();
        assert_eq!((&one.samples[..], &one.energies[..]), (&few.samples[..32], &few.energies[..4]));
    }
    let kernel = Kernel::MetropolisCube { step_size: 0.6 };
    let mut sampler = Sampler::new(&well, DW4, kernel, chains, 22, start).unwrap();
    sampler.advance(12_000, &|_| ()).unwrap();
    let run = sampler.sample(50, 300, &|_| ()).unwrap();
    assert_exact("batches of uniform moves", &run, chains);
    assert_eq!(kernel.step_size(), Some(0.6));
}

/// Uniform and normal moves of the same standard deviation are accepted about as often.
#[test]
fn uniform_moves_are_as_long_as_normal_ones() {
    let well = DoubleWell::dw4();
    let rate = |kernel: Kernel<'_, f64>| {
        let mut sampler = Sampler::new(&well, DW4, kernel, 64, 23, Initial::Prior { scale: 2.0 }).unwrap();
        sampler.advance(4000, &|_| ()).unwrap();
        sampler.advance(2000, &|_| ()).unwrap()
    };
    let [normal, cube] =
        [Kernel::Metropolis { step_size: 0.3 }, Kernel::MetropolisCube { step_size: 0.3 }].map(rate);
    assert!((normal - cube).abs() < 0.03 && normal > 0.1, "{normal} {cube}");
}

/// A potential that has no change of its own: the default evaluates whole energies.
struct Whole<P>(P);

impl<L: Lanes, P: Potential<L>> Potential<L> for Whole<P> {
    fn energy(&self, shape: Shape, x: &[L], gradient: Option<&mut [L]>) -> L {
        self.0.energy(shape, x, gradient)
    }
}

/// Every particle to somewhere else, another one in each lane.
#[test]
fn changes_are_differences_of_energies() {
    fn check(potential: &impl Potential<V>, shape: Shape) {
        for first in 0..20 {
            let x: Vec<V> = prior(shape, 1.5, 4 * first);
            let other: Vec<V> = prior(shape, 1.5, 1000 + 4 * first);
            let particle: Vec<usize> = (0..V::WIDTH).map(|lane| (first + lane) % shape.particles).collect();
            let (to, energy) = (&other[..shape.dimension], potential.energy(shape, &x, None));
            let mut moved = x.clone();
            for (c, moved) in moved.iter_mut().enumerate() {
                let (row, k) = (c / shape.dimension, c % shape.dimension);
                *moved = V::from_fn(|i| if particle[i] == row { to[k].lane(i) } else { x[c].lane(i) });
            }
            let after = potential.energy(shape, &moved, None);
            let mut scratch = x.clone();
            let moved = Moved { particle: &particle, to };
            let change = potential.change(shape, &x, energy, moved, &mut scratch);
            for lane in 0..V::WIDTH {
                let (change, before, after) = (change.lane(lane), energy.lane(lane), after.lane(lane));
                let size = before.abs() + after.abs();
                assert!(
                    (change - (after - before)).abs() < 1e-12 * (1.0 + size),
                    "{change} {before} {after}"
                );
            }
        }
    }
    let soft = Softened { potential: LennardJones::lj13(), above: 10.0 };
    let springs = LennardJones { epsilon: 0.0, oscillator: 1.7, tau: 0.6, ..LennardJones::lj13() };
    let wells = DoubleWell { a: 0.3, tau: 1.3, ..DoubleWell::dw4() };
    for dimension in 1..=3 {
        for particles in [1, 2, 5] {
            let shape = Shape { particles, dimension };
            check(&wells, shape);
            check(&LennardJones { tau: 0.8, ..LennardJones::lj13() }, shape);
            check(&springs, shape);
            check(&soft, shape);
            check(&Whole(DoubleWell::dw4()), shape);
        }
    }
    check(&Energy::DoubleWell, DW4);
    check(&Energy::LennardJones, LJ13);
}

/// Seed 24: 1e5 steps in each lane, and the same in lanes of one.
#[test]
fn running_energies_are_those_of_fresh_evaluations_after_many_steps() {
    fn walk<L: Lanes<Real = f64>>(
        potential: &impl Potential<L>,
        shape: Shape,
        (step_size, scale): (f64, f64),
        (first, steps): (usize, usize),
    ) -> (Vec<f64>, f64, f64, f64) {
        let mut x: Vec<L> = prior(shape, scale, first);
        let mut energy = potential.energy(shape, &x, None);
        let stream = |lane| Stream::new(24, Purpose::Chain, (first + lane) as u64);
        let mut random: Vec<Stream> = (0..L::WIDTH).map(stream).collect();
        let (mut scratch, mut accepted) = (x.clone(), 0.0);
        for _ in 0..steps {
            let moved = metropolis_particle_step(
                potential,
                shape,
                step_size,
                &mut x,
                &mut energy,
                &mut random,
                &mut scratch,
            );
            accepted += moved.lane(0);
        }
        let fresh = potential.energy(shape, &x, None).lane(0);
        (x.iter().map(|x| x.lane(0)).collect(), energy.lane(0), fresh, accepted / steps as f64)
    }
    fn check(potential: &(impl Potential<V> + Potential<f64>), shape: Shape, sizes: (f64, f64)) {
        let (_, running, fresh, rate) = walk::<V>(potential, shape, sizes, (0, 100_000));
        println!("{running} {fresh}, acceptance {rate}");
        assert!((running - fresh).abs() < 1e-10 * fresh.abs(), "{running} {fresh}");
        assert!(rate > 0.1 && rate < 0.9, "{rate}");
        let wide = walk::<V>(potential, shape, sizes, (3, 500));
        assert_eq!(wide, walk::<f64>(potential, shape, sizes, (3, 500)));
    }
    check(&DoubleWell::dw4(), DW4, (0.6, 2.0));
    check(&LennardJones::lj13(), LJ13, (0.15, 1.0));
    check(&Whole(DoubleWell::dw4()), DW4, (0.6, 2.0));
}
