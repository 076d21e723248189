//! Pairs of prior draws and data by optimal transport up to symmetry.

use super::alignment::{aligned, check_finite, check_shape, random_starts};
use super::assignment::assign;
use super::config::TrainError;
use super::gains::gains;
use super::trainer::permutation;
use crate::field::Shape;
use crate::parallel::map_indexed;
use crate::particles::remove_com;
use crate::random::{Normals, Purpose, Stream, prior_sample};

/// How [`pairs`] couples prior draws with data.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pairing {
    /// Data among which the prior draws of one batch are assigned, at least 1 (1: no assignment, alignment alone).
    /// Cost: batch^2 gains and batch^3 for the assignment. Larger batches give shorter and straighter paths, which is
    /// not the same as better likelihoods: see [`Pairing::new`].
    pub batch: usize,
    /// How often every datum is used, each time in another batch with a fresh prior draw; at least 1.
    pub rounds: usize,
    /// Random starts of each alignment of more than 4 particles ([`super::align`]).
    pub starts: usize,
    /// Seed of the prior draws ([`Purpose::Pairing`]) and of the batches ([`Purpose::Minibatch`]).
    pub seed: u64,
}

impl Pairing {
    /// Alignment alone, every datum once, 2 random starts.
    ///
    /// A field of pairs cannot follow the map of optimal transport between clusters. On DW-4 (10000 data, 3 rounds) a
    /// batch of 1, 2, 8 and 128 gave converged held-out NLLs of 9.10, 9.14, 9.25 and 9.30 (differences are good to
    /// 0.01); without alignment it is 9.14, and 20 RK4 steps miss the log-density by 3e-4 instead of 5e-5. On LJ-13
    /// (10000 data) batches of 1 and 128 gave 24.71 and 24.72, no alignment 25.55.
    pub const fn new(seed: u64) -> Self {
        Pairing { batch: 1, rounds: 1, starts: 2, seed }
    }
}

/// Coupled samples of the prior and of the data.
#[derive(Clone, Debug, PartialEq)]
pub struct Pairs {
    /// N and D.
    pub shape: Shape,
    /// Prior draws, `[n][N][D]`, zero centre of mass.
    pub z: Vec<f64>,
    /// The datum that each draw flows to, `[n][N][D]`, zero centre of mass.
    pub x: Vec<f64>,
}

impl Pairs {
    /// n.
    pub fn len(&self) -> usize {
        self.z.len() / self.shape.coordinates().max(1)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.z.is_empty()
    }

    /// Mean over the pairs of |x - z|^2, the transport cost.
    pub fn mean_square_distance(&self) -> f64 {
        let sum: f64 = self.z.iter().zip(&self.x).map(|(z, x)| (x - z) * (x - z)).sum();
        sum / self.len().max(1) as f64
    }
}

/// Pairs every one of `data` (`[n][N][D]`) with [`Pairing::rounds`] fresh draws from the prior.
///
/// Within a batch the draws are assigned to the data so that the sum of the squared distances up to symmetry is least,
/// then each draw is permuted, rotated and reflected onto its datum ([`super::align`]): the equivariant optimal
/// transport of Klein, Krämer and Noé, Equivariant flow matching, NeurIPS 2023. The draw moves and not the datum. That
/// keeps both marginals: an assignment reorders draws, and an element of the symmetry group that turns along with the
/// datum leaves the prior's density as it is when the distribution of the data has the symmetry too. Where a finite
/// data set does not have it, regression on a field that commutes with the group sees only the pair's relative
/// position, as if both had been turned at random together.
///
/// For more than 4 particles in two or three dimensions the assignment knows only distances from the centre, a lower
/// bound of the true cost: aligning all pairs of a batch would cost hundreds of times as much.
///
/// Centres of mass are removed. The result depends on `pairing` and the data alone, not on the number of threads.
///
/// # Errors
/// [`TrainError::Config`] names an argument that is out of range.
pub fn pairs(shape: Shape, data: &[f64], pairing: &Pairing) -> Result<Pairs, TrainError> {
    check_shape(shape)?;
    let coordinates = shape.coordinates();
    if data.is_empty() || !data.len().is_multiple_of(coordinates) {
        return Err(TrainError::Config("data", "must hold a whole number of samples, at least one"));
    }
    check_finite("data", data)?;
    if pairing.batch == 0 {
        return Err(TrainError::Config("pairing.batch", "must be at least 1"));
    }
    if pairing.rounds == 0 {
        return Err(TrainError::Config("pairing.rounds", "must be at least 1"));
    }
    let n = data.len() / coordinates;
    let starts = random_starts(pairing.starts);
    let mut pairs = Pairs { shape, z: Vec::new(), x: Vec::new() };
    for round in 0..pairing.rounds {
        let order = permutation(&mut Stream::new(pairing.seed, Purpose::Minibatch, round as u64), n);
        let batches: Vec<&[usize]> = order.chunks(pairing.batch).collect();
        let coupled = map_indexed(batches.len(), |b| {
            let x = gathered(shape, data, batches[b]);
            let z = draws(shape, pairing.seed, round * n + b * pairing.batch, batches[b].len());
            (coupled(shape, &z, &x, &starts), x)
        });
        for (z, x) in coupled {
            pairs.z.extend(z);
            pairs.x.extend(x);
        }
    }
    Ok(pairs)
}

/// The chosen data without their centres of mass.
fn gathered(shape: Shape, data: &[f64], indices: &[usize]) -> Vec<f64> {
    let coordinates = shape.coordinates();
    let datum = |&i: &usize| data[i * coordinates..(i + 1) * coordinates].iter().copied();
    let mut x: Vec<f64> = indices.iter().flat_map(datum).collect();
    x.chunks_exact_mut(coordinates).for_each(|x| remove_com(shape, x, &mut [0.0; 3]));
    x
}

/// Prior draws number `first` to `first + n`.
fn draws(shape: Shape, seed: u64, first: usize, n: usize) -> Vec<f64> {
    let mut z = vec![0.0; n * shape.coordinates()];
    for (i, z) in z.chunks_exact_mut(shape.coordinates()).enumerate() {
        let stream = Stream::new(seed, Purpose::Pairing, (first + i) as u64);
        prior_sample(shape, &mut Normals::new(stream), z);
    }
    z
}

/// The draws in the order of their data, each aligned to its own.
fn coupled(shape: Shape, z: &[f64], x: &[f64], starts: &[[[f64; 3]; 3]]) -> Vec<f64> {
    let coordinates = shape.coordinates();
    let n = x.len() / coordinates;
    let draw_of = if n > 1 { assign(n, &gains(shape, z, x)) } else { vec![0] };
    let data = draw_of.iter().zip(x.chunks_exact(coordinates));
    data.flat_map(|(&j, x)| aligned(shape, &z[j * coordinates..(j + 1) * coordinates], x, starts)).collect()
}
