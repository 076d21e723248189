//! Other ways to the divergence of the field than its closed form, for comparison: brute force by forward
//! differentiation, and Hutchinson's estimator. Diagnostics: the flow itself uses neither.

use crate::error::{Argument, Error, Status};
use crate::field::Shape;
use crate::flow::{Block, Plan, check_finite};
use crate::random::{Normals, Purpose, Stream};
use core::ops::Deref;

/// Distribution of the entries of a random probe e: independent, with mean 0 and variance 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// +1 or -1 with equal probability: of all probes the least variance, 2 (|S|_F^2 - sum_i S_ii^2) for e J e with
    /// the symmetric part S of J.
    Rademacher,
    /// Standard normal: variance 2 |S|_F^2.
    Normal,
}

impl Probe {
    /// Writes probe number `index` of `seed` to `e`: the same whichever others are drawn.
    pub fn draw(self, seed: u64, index: u64, e: &mut [f64]) {
        let mut stream = Stream::new(seed, Purpose::Probe, index);
        match self {
            Probe::Rademacher => e.fill_with(|| if stream.next_u64() >> 63 == 0 { 1.0 } else { -1.0 }),
            Probe::Normal => {
                let mut normals = Normals::new(stream);
                e.fill_with(|| normals.next_normal());
            }
        }
    }
}

/// Particles i < j at one configuration: what forward differentiation needs to know of them.
#[derive(Clone, Copy, Debug)]
struct Pair {
    i: usize,
    j: usize,
    distance: f64,
    /// (x_i - x_j)/d, zero where the two coincide.
    direction: [f64; 3],
    phi: f64,
    slope: f64,
}

/// The velocity field around one configuration x at one time: its derivative J = dv/dx, without the matrix.
///
/// Forward differentiation of v_i = sum_j phi(d_ij) (x_i - x_j) along w, with r = x_i - x_j and s = w_i - w_j:
/// dv_i = sum_j [ phi s + phi' (r.s / d) r ]. It is exact: phi and phi' come from the sum over the Gaussians.
#[derive(Clone, Debug)]
pub struct Tangent {
    shape: Shape,
    pairs: Vec<Pair>,
}

impl Tangent {
    /// At time `t` in [0, 1] and the configuration `x` (`[N][D]`). Cost: M (1 + L) exponentials a pair, as the field
    /// itself at a time that is no stage of a grid.
    ///
    /// # Errors
    /// [`Status::Shape`] unless `x` is one configuration; those of [`Plan::radial`].
    pub fn new<S: Deref<Target = [Block]>>(plan: &Plan<f64, S>, t: f64, x: &[f64]) -> Result<Self, Error> {
        let shape = plan.shape();
        if x.len() != shape.coordinates() {
            return Err(Error::new(Status::Shape, Argument::X, shape.coordinates() as f64));
        }
        check_finite(Argument::X, x)?;
        let mut pairs = pairs(shape, x);
        let distances: Vec<f64> = pairs.iter().map(|pair| pair.distance).collect();
        let (mut phi, mut slope) = (vec![0.0; pairs.len()], vec![0.0; pairs.len()]);
        plan.radial(t, &distances, &mut phi, Some(&mut slope))?;
        for (pair, (phi, slope)) in pairs.iter_mut().zip(phi.into_iter().zip(slope)) {
            (pair.phi, pair.slope) = (phi, slope);
        }
        Ok(Tangent { shape, pairs })
    }

    /// N and D.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Writes J w to `out` (both `[N][D]`). Cost: O(N^2).
    ///
    /// # Panics
    /// Where `w` or `out` is shorter than one configuration.
    pub fn derivative(&self, w: &[f64], out: &mut [f64]) {
        let dimension = self.shape.dimension;
        out.fill(0.0);
        for pair in &self.pairs {
            let (i, j) = (dimension * pair.i, dimension * pair.j);
            let along: f64 = (0..dimension).map(|k| pair.direction[k] * (w[i + k] - w[j + k])).sum();
            let stretch = pair.distance * pair.slope * along;
            for k in 0..dimension {
                let change = pair.phi * (w[i + k] - w[j + k]) + stretch * pair.direction[k];
                out[i + k] += change;
                out[j + k] -= change;
            }
        }
    }

    /// div v in closed form, sum over i != j of d phi' + D phi. Cost: O(N^2).
    pub fn closed_form(&self) -> f64 {
        let dimension = self.shape.dimension as f64;
        2.0 * self.pairs.iter().map(|pair| pair.distance * pair.slope + dimension * pair.phi).sum::<f64>()
    }

    /// div v by brute force: the sum of the diagonal elements of J, one derivative along each of the N D unit
    /// vectors. Cost: O(N^3).
    pub fn brute_force(&self) -> f64 {
        let n = self.shape.coordinates();
        let (mut unit, mut column) = (vec![0.0; n], vec![0.0; n]);
        let mut trace = 0.0;
        for c in 0..n {
            unit[c] = 1.0;
            self.derivative(&unit, &mut column);
            trace += column[c];
            unit[c] = 0.0;
        }
        trace
    }

    /// Hutchinson's estimate of div v (Hutchinson 1990; for flows Grathwohl et al. 2019): e J e with the probe e
    /// (`[N][D]`). Unbiased for the probes of [`Probe`]. Cost: O(N^2).
    ///
    /// # Panics
    /// Where `e` is shorter than one configuration.
    pub fn hutchinson(&self, e: &[f64]) -> f64 {
        let mut along = vec![0.0; self.shape.coordinates()];
        self.derivative(e, &mut along);
        e.iter().zip(&along).map(|(e, along)| e * along).sum()
    }
}

/// All pairs with their geometry; phi and phi' are still to come.
fn pairs(shape: Shape, x: &[f64]) -> Vec<Pair> {
    let particle = |i: usize| &x[shape.dimension * i..shape.dimension * (i + 1)];
    let mut pairs = Vec::with_capacity(shape.pairs());
    for i in 0..shape.particles {
        for j in i + 1..shape.particles {
            let mut direction = [0.0; 3];
            for (component, (a, b)) in direction.iter_mut().zip(particle(i).iter().zip(particle(j))) {
                *component = a - b;
            }
            let distance = libm::sqrt(direction.iter().map(|r| r * r).sum());
            let scale = if distance > 0.0 { 1.0 / distance } else { 0.0 };
            pairs.push(Pair {
                i,
                j,
                distance,
                direction: direction.map(|r| r * scale),
                phi: 0.0,
                slope: 0.0,
            });
        }
    }
    pairs
}
