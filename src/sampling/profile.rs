//! Free energies along a coordinate, with errors.

use super::error::{Error, check_each};
use super::histogram::{Histogram, bin, check_edges};
use super::statistics::{Estimate, standard_deviation};
use crate::field::{Shape, distances};
use crate::parallel::map_indexed;
use crate::random::{Purpose, Stream};

/// -log of the density of a coordinate, in kT, from weighted samples that arrive one by one: the memory is that of the
/// bins.
///
/// A sample may have several values of the coordinate, such as all of its pair distances; together they carry its
/// weight.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    edges: Vec<f64>,
    bins: Vec<Sums>,
    weight: f64,
    square: f64,
    samples: usize,
    /// Bins of one sample and how many of its values each holds.
    seen: Vec<(usize, f64)>,
}

/// Over samples, c being the fraction of a sample's values that lies in one bin.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Sums {
    /// Of w c.
    weight: f64,
    /// Of w^2 c.
    cross: f64,
    /// Of w^2 c^2.
    square: f64,
    /// Of c.
    count: f64,
}

impl Profile {
    /// No samples yet, bins between the ascending `edges` (`[bins + 1]`).
    ///
    /// # Errors
    /// As [`Histogram::new`] for its edges.
    pub fn new(edges: &[f64]) -> Result<Self, Error> {
        check_edges(edges)?;
        let bins = vec![Sums::default(); edges.len() - 1];
        Ok(Profile { edges: edges.to_vec(), bins, weight: 0.0, square: 0.0, samples: 0, seen: Vec::new() })
    }

    /// One more sample with its weight (of any scale that all samples share) and the values of its coordinate; those
    /// outside the edges count in the normalisation alone.
    ///
    /// # Errors
    /// No values; the first NaN; a weight that is negative or not finite.
    pub fn add(&mut self, values: &[f64], weight: f64) -> Result<(), Error> {
        if values.is_empty() {
            return Err(Error::Length { name: "values", length: 0, demand: "at least 1" });
        }
        check_each("values", values, "a number", |value| !value.is_nan())?;
        if !weight.is_finite() || weight < 0.0 {
            return Err(Error::value("weight", weight, "finite and at least 0"));
        }
        self.seen.clear();
        let share = 1.0 / values.len() as f64;
        for bin in values.iter().filter_map(|&value| bin(&self.edges, value)) {
            match self.seen.iter_mut().find(|(other, _)| *other == bin) {
                Some((_, fraction)) => *fraction += share,
                None => self.seen.push((bin, share)),
            }
        }
        for &(bin, c) in &self.seen {
            let sums = &mut self.bins[bin];
            sums.weight += weight * c;
            sums.cross += weight * weight * c;
            sums.square += weight * weight * c * c;
            sums.count += c;
        }
        self.weight += weight;
        self.square += weight * weight;
        self.samples += 1;
        Ok(())
    }

    /// The edges (`[bins + 1]`).
    pub fn edges(&self) -> &[f64] {
        &self.edges
    }

    /// -log of the mean density in each bin, in kT, with the standard error of the delta method for independent samples;
    /// infinite in an empty bin.
    pub fn free_energies(&self) -> Vec<Estimate> {
        let of = |(sums, edges): (&Sums, &[f64])| {
            let p = sums.weight / self.weight;
            let variance = sums.square - 2.0 * p * sums.cross + p * p * self.square;
            let standard_error =
                if p > 0.0 { libm::sqrt(variance.max(0.0)) / sums.weight } else { f64::INFINITY };
            Estimate { value: free_energy(p, edges), standard_error }
        };
        self.bins.iter().zip(self.edges.windows(2)).map(of).collect()
    }

    /// The same without weights and errors: what the samples show as they are.
    pub fn unweighted(&self) -> Vec<f64> {
        let n = self.samples as f64;
        self.bins
            .iter()
            .zip(self.edges.windows(2))
            .map(|(sums, edges)| free_energy(sums.count / n, edges))
            .collect()
    }

    /// Kish's effective sample size of the weights.
    pub fn effective_sample_size(&self) -> f64 {
        self.weight * self.weight / self.square
    }

    /// Samples so far.
    pub fn samples(&self) -> usize {
        self.samples
    }
}

fn free_energy(probability: f64, edges: &[f64]) -> f64 {
    -libm::log(probability / (edges[1] - edges[0]))
}

/// -log of the mean density of a coordinate in each bin between `edges` (`[bins + 1]`), in kT, with bootstrap errors
/// (Efron 1979) over `replicates` resamples of whole `blocks`.
///
/// `values` (`[n][values of one sample]`) are those of the coordinate, `weights` (`[n]`, equal where absent) those of the
/// samples. A block is n / `blocks` samples in a row: as many blocks as samples for independent ones, as many as chains
/// for Markov chains, whose correlations then count. A bin that some resample leaves empty has an infinite error.
///
/// # Errors
/// As [`Histogram::new`]; lengths that do not divide; fewer than two blocks or replicates.
pub fn bootstrap_profile(
    values: &[f64],
    weights: Option<&[f64]>,
    edges: &[f64],
    blocks: usize,
    (replicates, seed): (usize, u64),
) -> Result<Vec<Estimate>, Error> {
    for (name, count) in [("blocks", blocks), ("replicates", replicates)] {
        if count < 2 {
            return Err(Error::value(name, count as f64, "at least 2"));
        }
    }
    let samples = weights.map_or(blocks, <[f64]>::len);
    if values.is_empty() || samples == 0 || !values.len().is_multiple_of(samples) {
        let demand = "a multiple of the samples (without weights: of the blocks)";
        return Err(Error::Length { name: "values", length: values.len(), demand });
    }
    let each = values.len() / samples;
    let spread: Option<Vec<f64>> = weights
        .map(|weights| weights.iter().flat_map(|w| core::iter::repeat_n(w / each as f64, each)).collect());
    // The value itself, and the checks of all arguments.
    let whole = Histogram::new(values, spread.as_deref(), edges)?;
    if !samples.is_multiple_of(blocks) {
        let demand = "a multiple of the blocks";
        return Err(Error::Length { name: "weights", length: samples, demand });
    }
    let tables = block_tables(values, spread.as_deref(), edges, blocks);
    let resampled = map_indexed(replicates, |replicate| {
        let mut stream = Stream::new(seed, Purpose::Bootstrap, replicate as u64);
        let (mut sums, mut total) = (vec![0.0; edges.len() - 1], 0.0);
        for _ in 0..blocks {
            let table = &tables[stream.next_below(blocks as u64) as usize];
            total += table.total;
            table.bins.iter().for_each(|&(bin, weight)| sums[bin] += weight);
        }
        sums.iter()
            .zip(edges.windows(2))
            .map(|(sum, edges)| free_energy(sum / total, edges))
            .collect::<Vec<_>>()
    });
    let estimate = |(bin, edges): (usize, &[f64])| {
        let values: Vec<f64> = resampled.iter().map(|replicate| replicate[bin]).collect();
        let complete = values.iter().all(|value| value.is_finite());
        let standard_error = if complete { standard_deviation(&values) } else { f64::INFINITY };
        Estimate { value: free_energy(whole.density()[bin] * (edges[1] - edges[0]), edges), standard_error }
    };
    Ok(edges.windows(2).enumerate().map(estimate).collect())
}

/// The weight of one block, and how much of it lies in which bin.
struct BlockTable {
    bins: Vec<(usize, f64)>,
    total: f64,
}

fn block_tables(values: &[f64], weights: Option<&[f64]>, edges: &[f64], blocks: usize) -> Vec<BlockTable> {
    let length = values.len() / blocks;
    map_indexed(blocks, |block| {
        let mut table = BlockTable { bins: Vec::new(), total: 0.0 };
        for i in block * length..(block + 1) * length {
            let weight = weights.map_or(1.0, |weights| weights[i]);
            table.total += weight;
            let Some(bin) = bin(edges, values[i]) else { continue };
            match table.bins.iter_mut().find(|(other, _)| *other == bin) {
                Some((_, sum)) => *sum += weight,
                None => table.bins.push((bin, weight)),
            }
        }
        table
    })
}

/// Distances of all unordered pairs of each of `samples` (`[n][N][D]`), `[n][pairs]`, in the order (0, 1), (0, 2), ...
///
/// # Errors
/// A length that is not a whole number of samples; fewer than two particles.
pub fn pair_distances(shape: Shape, samples: &[f64]) -> Result<Vec<f64>, Error> {
    if shape.pairs() == 0 || shape.dimension == 0 {
        return Err(Error::value("shape.particles", shape.particles as f64, "at least 2"));
    }
    let coordinates = shape.coordinates();
    if !samples.len().is_multiple_of(coordinates) {
        let demand = "a multiple of the coordinates of one sample";
        return Err(Error::Length { name: "samples", length: samples.len(), demand });
    }
    let mut all = vec![0.0; samples.len() / coordinates * shape.pairs()];
    for (x, d) in samples.chunks_exact(coordinates).zip(all.chunks_exact_mut(shape.pairs())) {
        distances(shape, x, d);
    }
    Ok(all)
}
