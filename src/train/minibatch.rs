//! The field of a whole minibatch at any one time: phi is collapsed in time once, and the samples go in pieces.

use super::field::gaussian_extent;
use super::piece::{SAMPLES, sum_lanes};
use crate::field::{self, PairScratch, Shape};
use crate::flow::{Block, Plan};
use crate::lanes::{COMPLETE, Isa, Lanes, Vectorized, gather};
use crate::parallel::map_each;
use crate::radial::{Exact, Kernel, RadialGradient, Shared};

/// The field of a plan's model for a minibatch of samples `[n][N][D]`, in double precision and with exact radial
/// functions: the times at which an adaptive integrator looks are not known before.
pub struct Minibatch<'p> {
    plan: &'p Plan<f64, Vec<Block>>,
    /// Collapsed weights, `[M]`.
    weights: Vec<f64>,
    /// For each piece of at most [`SAMPLES`] samples.
    memory: Vec<Vec<Block>>,
}

/// phi at one time.
#[derive(Clone, Copy)]
struct Collapsed<'a> {
    shape: Shape,
    kernel: Kernel<'a, f64>,
    offset: f64,
    weights: &'a [f64],
}

/// What the loss does with the field.
#[derive(Clone, Copy)]
pub struct Bars<'a> {
    /// Cotangents of the velocities, `[n][N][D]`.
    pub velocity: &'a [f64],
    /// That of every sample's divergence.
    pub divergence: f64,
    /// Cotangent of the velocities' squared lengths: 2 v times this is added to `velocity`.
    pub square: f64,
}

/// Cotangents of the collapsed parameters, summed over the samples.
pub struct CollapsedBars {
    pub offset: f64,
    /// `[M]` each.
    pub weights: Vec<f64>,
    pub mean: Vec<f64>,
    pub log_gamma: Vec<f64>,
}

impl<'p> Minibatch<'p> {
    /// For `samples` samples.
    pub fn new(plan: &'p Plan<f64, Vec<Block>>, samples: usize) -> Self {
        let m = plan.kernel().expect(COMPLETE).mean.len();
        Minibatch { plan, weights: vec![0.0; m], memory: vec![Vec::new(); samples.div_ceil(SAMPLES)] }
    }

    /// Writes the velocities at `x` (both `[n][N][D]`) and their divergences (`[n]`) at time `t`.
    pub fn evaluate(&mut self, t: f64, x: &[f64], v: &mut [f64], div: &mut [f64]) {
        let length = SAMPLES * self.plan.shape().coordinates();
        let offset = self.plan.kernel().expect(COMPLETE).collapse(t, &mut self.weights);
        let (kernel, weights) = (self.plan.kernel().expect(COMPLETE), &self.weights[..]);
        let radial = Collapsed { shape: self.plan.shape(), kernel, offset, weights };
        let outputs = v.chunks_mut(length).zip(div.chunks_mut(SAMPLES));
        let mut pieces: Vec<_> = x.chunks(length).zip(outputs).zip(&mut self.memory).collect();
        map_each(&mut pieces, |((x, (v, div)), memory)| {
            Isa::best().run_at_fixed_width(Evaluation { radial, x, v, div, memory });
        });
    }

    /// Writes the velocities at `x` and the cotangents of `x` (`[n][N][D]` each) at time `t`; returns those of the
    /// collapsed parameters, the pieces added in their order.
    pub fn transpose(
        &mut self,
        t: f64,
        x: &[f64],
        bars: Bars<'_>,
        v: &mut [f64],
        x_bar: &mut [f64],
    ) -> CollapsedBars {
        let length = SAMPLES * self.plan.shape().coordinates();
        let offset = self.plan.kernel().expect(COMPLETE).collapse(t, &mut self.weights);
        let (kernel, weights) = (self.plan.kernel().expect(COMPLETE), &self.weights[..]);
        let radial = Collapsed { shape: self.plan.shape(), kernel, offset, weights };
        let inputs = x.chunks(length).zip(bars.velocity.chunks(length));
        let outputs = v.chunks_mut(length).zip(x_bar.chunks_mut(length));
        let mut pieces: Vec<_> = inputs.zip(outputs).zip(&mut self.memory).collect();
        let sums = map_each(&mut pieces, |(((x, velocity), (v, x_bar)), memory)| {
            let bars = Bars { velocity, ..bars };
            Isa::best().run_at_fixed_width(Transposition { radial, x, bars, v, x_bar, memory })
        });
        let m = weights.len();
        let mut total = vec![0.0; 1 + 3 * m];
        for sums in sums {
            total.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum);
        }
        let part = |k: usize| total[1 + k * m..1 + (k + 1) * m].to_vec();
        CollapsedBars { offset: total[0], weights: part(0), mean: part(1), log_gamma: part(2) }
    }
}

impl Collapsed<'_> {
    fn lanes<V: Lanes<Real = f64>>(&self) -> Exact<'_, V, Shared<'_, f64>> {
        Exact { kernel: self.kernel, offset: V::splat(self.offset), weights: Shared(self.weights) }
    }

    /// Groups of lanes for the samples of `x`.
    fn groups<V: Lanes>(&self, x: &[f64]) -> usize {
        (x.len() / self.shape.coordinates()).div_ceil(V::WIDTH)
    }
}

/// `[n][coordinates]` to `[groups][coordinates]`; lanes beyond the last sample repeat it.
pub fn to_lanes<V: Lanes<Real = f64>>(samples: &[f64], coordinates: usize, lanes: &mut [V]) {
    let last = (samples.len() / coordinates).saturating_sub(1);
    for (g, lanes) in lanes.chunks_exact_mut(coordinates).enumerate() {
        gather(samples, |i| (g * V::WIDTH + i).min(last), lanes).expect(COMPLETE);
    }
}

/// `[groups][coordinates]` to `[n][coordinates]`.
pub fn from_lanes<V: Lanes<Real = f64>>(lanes: &[V], coordinates: usize, samples: &mut [f64]) {
    for (s, sample) in samples.chunks_exact_mut(coordinates).enumerate() {
        let group = &lanes[s / V::WIDTH * coordinates..];
        for (value, lanes) in sample.iter_mut().zip(group) {
            *value = lanes.as_slice()[s % V::WIDTH];
        }
    }
}

/// `value` in the lanes of the first `n` samples, 0 beyond.
pub fn in_samples<V: Lanes<Real = f64>>(value: f64, group: usize, n: usize) -> V {
    V::from_fn(|i| if group * V::WIDTH + i < n { value } else { 0.0 })
}

/// The first `n` vectors of a piece's memory, which grows to that the first time.
fn vectors<V: Lanes>(memory: &mut Vec<Block>, n: usize) -> &mut [V] {
    memory.resize(Block::count::<V>(n), Block::default());
    Block::vectors_mut(memory)
}

/// A piece's velocities and divergences.
struct Evaluation<'a> {
    radial: Collapsed<'a>,
    x: &'a [f64],
    v: &'a mut [f64],
    div: &'a mut [f64],
    memory: &'a mut Vec<Block>,
}

impl Vectorized<f64> for Evaluation<'_> {
    type Output = ();

    fn run<V: Lanes<Real = f64>>(self) {
        let shape = self.radial.shape;
        let (coordinates, groups) = (shape.coordinates(), self.radial.groups::<V>(self.x));
        let n = groups * coordinates;
        let memory = vectors::<V>(self.memory, 2 * n + groups + PairScratch::<V>::extent(shape, groups));
        let (x, memory) = memory.split_at_mut(n);
        let (v, memory) = memory.split_at_mut(n);
        let (div, memory) = memory.split_at_mut(groups);
        let (mut pairs, _) = PairScratch::carve(shape, groups, memory).expect(COMPLETE);
        to_lanes(self.x, coordinates, x);
        field::velocity_divergence(shape, &self.radial.lanes::<V>(), x, v, div, &mut pairs).expect(COMPLETE);
        from_lanes(v, coordinates, self.v);
        from_lanes(div, 1, self.div);
    }
}

/// A piece's velocities and cotangents.
struct Transposition<'a> {
    radial: Collapsed<'a>,
    x: &'a [f64],
    bars: Bars<'a>,
    v: &'a mut [f64],
    x_bar: &'a mut [f64],
    memory: &'a mut Vec<Block>,
}

impl Vectorized<f64> for Transposition<'_> {
    /// Of the offset, the weights, mu and log gamma, one after the other.
    type Output = Vec<f64>;

    fn run<V: Lanes<Real = f64>>(self) -> Vec<f64> {
        let (shape, m) = (self.radial.shape, self.radial.weights.len());
        let (coordinates, groups) = (shape.coordinates(), self.radial.groups::<V>(self.x));
        let (n, samples) = (groups * coordinates, self.x.len() / coordinates);
        let extent =
            4 * n + groups + PairScratch::<V>::extent(shape, groups) + gaussian_extent(m) + 1 + 3 * m;
        let memory = vectors::<V>(self.memory, extent);
        let (x, memory) = memory.split_at_mut(n);
        let (v, memory) = memory.split_at_mut(n);
        let (v_bar, memory) = memory.split_at_mut(n);
        let (x_bar, memory) = memory.split_at_mut(n);
        let (div, memory) = memory.split_at_mut(groups);
        let (mut pairs, memory) = PairScratch::carve(shape, groups, memory).expect(COMPLETE);
        let (gaussians, memory) = memory.split_at_mut(gaussian_extent(m));
        let sums = &mut memory[..1 + 3 * m];
        let radial = self.radial.lanes::<V>();
        to_lanes(self.x, coordinates, x);
        field::velocity_divergence(shape, &radial, x, v, div, &mut pairs).expect(COMPLETE);
        from_lanes(v, coordinates, self.v);
        to_lanes(self.bars.velocity, coordinates, v_bar);
        for (c, (bar, &v)) in v_bar.iter_mut().zip(&*v).enumerate() {
            // Lanes beyond the last sample have no cotangents.
            let counts = |value| in_samples::<V>(value, c / coordinates, samples);
            *bar = *bar * counts(1.0) + counts(2.0 * self.bars.square) * v;
        }
        for (g, div_bar) in div.iter_mut().enumerate() {
            *div_bar = in_samples(self.bars.divergence, g, samples);
        }
        transpose(shape, &radial, [x, v_bar, div], x_bar, &mut pairs, (sums, gaussians));
        from_lanes(x_bar, coordinates, self.x_bar);
        sums.iter().map(|&sum| sum_lanes(sum)).collect()
    }
}

/// [`field::transpose`] with the collapsed parameters' share in `sums` (`[1 + 3 M]`).
fn transpose<V: Lanes<Real = f64>>(
    shape: Shape,
    radial: &Exact<'_, V, Shared<'_, f64>>,
    [x, v_bar, div_bar]: [&[V]; 3],
    x_bar: &mut [V],
    pairs: &mut PairScratch<'_, V>,
    (sums, gaussians): (&mut [V], &mut [V]),
) {
    sums.fill(V::zero());
    let m = radial.kernel.mean.len();
    let (offset, rest) = sums.split_at_mut(1);
    let (weights, rest) = rest.split_at_mut(m);
    let (mean, log_gamma) = rest.split_at_mut(m);
    let mut gradient = RadialGradient { offset: &mut offset[0], weights, mean, log_gamma };
    field::transpose(shape, x, v_bar, div_bar, x_bar, pairs, |d, bars, outputs| {
        radial.value_slope_curvature_transpose(d, bars, outputs, &mut gradient, gaussians);
    })
    .expect(COMPLETE);
}
