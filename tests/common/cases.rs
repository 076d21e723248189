//! Random inputs and the symmetries of the flow, for property tests.

use super::Golden;
use eqflow::field::Shape;
use eqflow::flow::{Block, Config, Plan, Precision};

/// SplitMix64, so that test inputs do not come from the crate's own generators.
pub struct Rng(pub u64);

impl Rng {
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform on (0, 1).
    pub fn unit(&mut self) -> f64 {
        ((self.next_u64() >> 12) as f64 + 0.5) / 4_503_599_627_370_496.0
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.unit() * bound as f64) as usize
    }

    pub fn normal(&mut self) -> f64 {
        (-2.0 * self.unit().ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos()
    }

    pub fn normals(&mut self, n: usize) -> Vec<f64> {
        (0..n).map(|_| self.normal()).collect()
    }

    /// A random direction of unit length.
    pub fn direction(&mut self, n: usize) -> Vec<f64> {
        let v = self.normals(n);
        let length = norm(&v);
        v.iter().map(|c| c / length).collect()
    }
}

/// Relabels particles, applies an orthogonal matrix, then shifts.
pub struct Motion {
    permutation: Vec<usize>,
    matrix: [[f64; 3]; 3],
    shift: [f64; 3],
}

impl Motion {
    pub fn identity(shape: Shape) -> Self {
        let matrix = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        Motion { permutation: (0..shape.particles).collect(), matrix, shift: [0.0; 3] }
    }

    /// Fisher-Yates.
    pub fn permutation(shape: Shape, rng: &mut Rng) -> Self {
        let mut motion = Motion::identity(shape);
        for i in (1..shape.particles).rev() {
            motion.permutation.swap(i, rng.below(i + 1));
        }
        motion
    }

    /// A product of rotations in the coordinate planes; the identity in one dimension.
    pub fn rotation(shape: Shape, rng: &mut Rng) -> Self {
        let mut motion = Motion::identity(shape);
        for (a, b) in [(0, 1), (1, 2), (0, 2)] {
            if b < shape.dimension {
                let (sine, cosine) = (std::f64::consts::TAU * rng.unit()).sin_cos();
                for row in &mut motion.matrix {
                    (row[a], row[b]) = (cosine * row[a] - sine * row[b], sine * row[a] + cosine * row[b]);
                }
            }
        }
        motion
    }

    /// A reflection in a random plane, 1 - 2 n n^T.
    pub fn reflection(shape: Shape, rng: &mut Rng) -> Self {
        let mut motion = Motion::identity(shape);
        let normal = rng.direction(shape.dimension);
        for i in 0..shape.dimension {
            for k in 0..shape.dimension {
                motion.matrix[i][k] -= 2.0 * normal[i] * normal[k];
            }
        }
        motion
    }

    pub fn translation(shape: Shape, rng: &mut Rng) -> Self {
        Motion { shift: [rng.normal(), rng.normal(), rng.normal()], ..Motion::identity(shape) }
    }

    /// Acts on positions, `[n][N][D]`.
    pub fn positions(&self, shape: Shape, x: &[f64]) -> Vec<f64> {
        let d = shape.dimension;
        self.vectors(shape, x).iter().enumerate().map(|(i, x)| x + self.shift[i % d]).collect()
    }

    /// Acts on velocities and gradients, which do not shift.
    pub fn vectors(&self, shape: Shape, x: &[f64]) -> Vec<f64> {
        let d = shape.dimension;
        let mut moved = Vec::with_capacity(x.len());
        for sample in x.chunks(shape.coordinates()) {
            for &p in &self.permutation {
                let particle = &sample[p * d..(p + 1) * d];
                moved.extend((0..d).map(|i| (0..d).map(|k| self.matrix[i][k] * particle[k]).sum::<f64>()));
            }
        }
        moved
    }
}

pub fn norm(v: &[f64]) -> f64 {
    v.iter().map(|c| c * c).sum::<f64>().sqrt()
}

pub fn largest(v: &[f64]) -> f64 {
    v.iter().fold(0.0, |a, b| a.max(b.abs()))
}

/// Largest difference of two arrays.
pub fn distance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).fold(0.0, |worst, (a, b)| worst.max((a - b).abs()))
}

/// Largest deviation of a sample's centre of mass from zero.
pub fn largest_com(shape: Shape, x: &[f64]) -> f64 {
    let mut worst = 0.0_f64;
    for sample in x.chunks(shape.coordinates()) {
        for k in 0..shape.dimension {
            let sum: f64 = sample.iter().skip(k).step_by(shape.dimension).sum();
            worst = worst.max((sum / shape.particles as f64).abs());
        }
    }
    worst
}

/// Samples with normal coordinates on the zero-centre subspace.
pub fn latent(shape: Shape, n: usize, rng: &mut Rng) -> Vec<f64> {
    let mut z = rng.normals(n * shape.coordinates());
    for sample in z.chunks_mut(shape.coordinates()) {
        for k in 0..shape.dimension {
            let sum: f64 = sample.iter().skip(k).step_by(shape.dimension).sum();
            let mean = sum / shape.particles as f64;
            sample.iter_mut().skip(k).step_by(shape.dimension).for_each(|c| *c -= mean);
        }
    }
    z
}

pub fn narrow<R: Precision>(values: &[f64]) -> Vec<R> {
    values.iter().map(|&v| R::from_f64(v)).collect()
}

pub fn widen<R: Precision>(values: &[R]) -> Vec<f64> {
    values.iter().map(|v| v.to_f64()).collect()
}

/// A plan with a workspace that grows as needed, whose calls return what they compute.
pub struct Flow<R: Precision> {
    pub plan: Plan<R, Vec<Block>>,
}

impl<R: Precision> Flow<R> {
    pub fn new(golden: &Golden, config: Config) -> Self {
        Flow { plan: Plan::allocate(&golden.model(), &config).unwrap() }
    }

    pub fn count(&self, x: &[R]) -> usize {
        x.len() / self.plan.shape().coordinates()
    }

    pub fn work(&self, n: usize) -> Vec<Block> {
        self.plan.allocate_workspace(n).unwrap()
    }

    pub fn forward(&self, z: &[R]) -> (Vec<R>, Vec<R>) {
        let n = self.count(z);
        let (mut x, mut log_det) = (vec![R::default(); z.len()], vec![R::default(); n]);
        self.plan.forward(z, &mut x, Some(&mut log_det), &mut self.work(n)).unwrap();
        (x, log_det)
    }

    pub fn inverse(&self, x: &[R]) -> (Vec<R>, Vec<R>) {
        let n = self.count(x);
        let (mut z, mut log_det) = (vec![R::default(); x.len()], vec![R::default(); n]);
        self.plan.inverse(x, &mut z, Some(&mut log_det), &mut self.work(n)).unwrap();
        (z, log_det)
    }

    pub fn log_prob(&self, x: &[R]) -> Vec<R> {
        let n = self.count(x);
        let mut log_prob = vec![R::default(); n];
        self.plan.log_prob(x, &mut log_prob, None, &mut self.work(n)).unwrap();
        log_prob
    }

    pub fn score(&self, x: &[R]) -> (Vec<R>, Vec<R>) {
        let n = self.count(x);
        let (mut log_prob, mut grad) = (vec![R::default(); n], vec![R::default(); x.len()]);
        self.plan.log_prob(x, &mut log_prob, Some(&mut grad), &mut self.work(n)).unwrap();
        (log_prob, grad)
    }

    pub fn jacobian(&self, z: &[R]) -> Vec<R> {
        let (n, k) = (self.count(z), self.plan.shape().free_dimension());
        let mut jacobian = vec![R::default(); n * k * k];
        self.plan.jacobian(z, &mut jacobian, &mut self.work(n)).unwrap();
        jacobian
    }

    pub fn field(&self, t: R, x: &[R]) -> (Vec<R>, Vec<R>) {
        let n = self.count(x);
        let (mut v, mut div) = (vec![R::default(); x.len()], vec![R::default(); n]);
        self.plan.field(t, x, &mut v, Some(&mut div), &mut self.work(n)).unwrap();
        (v, div)
    }
}
