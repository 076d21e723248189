//! What the field of unit weights is at many points of one time, multiplied with itself.

use crate::field::{Shape, add_forces, distances};
use crate::flow::Block;
use crate::lanes::{COMPLETE, Lanes, Vectorized, gather};
use crate::radial::{Kernel, radial_functions};

/// Rows of features that the inner product takes at a time, so that products and operands stay in registers.
const TILE_ROWS: usize = 3;
/// Vectors of a row that go through the passes together, at least: with all rows they fit the second cache level.
const TILE_COLUMNS: usize = 32;

/// The sums over samples of all products of two features at one time.
///
/// Features are Phi_m, the field with W_lm R_l(t) = 1 alone, then that of the offset, then the target velocity x - z.
#[derive(Clone, Debug)]
pub struct Gram {
    rows: usize,
    /// `[rows][rows]`, the lower triangle in tiles of [`TILE_ROWS`], one vector an element: a sum a lane.
    sums: Vec<Block>,
}

impl Gram {
    /// No samples yet; for M radial functions.
    pub fn new(n_radial: usize) -> Self {
        let rows = (n_radial + 2).next_multiple_of(TILE_ROWS);
        Gram { rows, sums: vec![Block::default(); Block::count::<f64>(LANES * rows * rows)] }
    }

    /// Sum over samples of the inner product of features i and j.
    pub fn product(&self, i: usize, j: usize) -> f64 {
        let first = LANES * (i.max(j) * self.rows + i.min(j));
        Block::reals::<f64>(&self.sums)[first..first + LANES].iter().sum()
    }
}

/// Width of a vector of doubles in [`crate::lanes::Isa::run_at_fixed_width`].
const LANES: usize = 4;

/// Adds pairs to a [`Gram`] at one time.
pub struct AddPairs<'a> {
    pub gram: &'a mut Gram,
    pub kernel: Kernel<'a, f64>,
    pub shape: Shape,
    pub t: f64,
    /// `[n][N][D]` each.
    pub z: &'a [f64],
    pub x: &'a [f64],
}

impl Vectorized<f64> for AddPairs<'_> {
    type Output = ();

    fn run<V: Lanes<Real = f64>>(self) {
        assert_eq!(V::WIDTH, LANES, "the fixed width of doubles");
        let coordinates = self.shape.coordinates();
        let n = self.z.len() / coordinates;
        let groups = TILE_COLUMNS.div_ceil(coordinates);
        let mut memory = Memory::<V>::new(self.gram.rows, self.shape, self.kernel.mean.len(), groups);
        for first in (0..n).step_by(groups * V::WIDTH) {
            let count = (n - first).min(groups * V::WIDTH);
            let columns = count.div_ceil(V::WIDTH) * coordinates;
            self.load(first, n, columns, &mut memory);
            self.features(columns, &mut memory);
            let features = &memory.features[..self.gram.rows * columns];
            add_products(self.gram.rows, features, Block::vectors_mut(&mut self.gram.sums));
        }
    }
}

/// Vectors for a tile.
struct Memory<V> {
    x: Vec<V>,
    end: Vec<V>,
    distances: Vec<V>,
    /// `[M][pairs]`.
    radial: Vec<V>,
    /// `[rows][columns]`.
    features: Vec<V>,
}

impl<V: Lanes> Memory<V> {
    fn new(rows: usize, shape: Shape, n_radial: usize, groups: usize) -> Self {
        let zeros = |n: usize| vec![V::zero(); n];
        Memory {
            x: zeros(groups * shape.coordinates()),
            end: zeros(groups * shape.coordinates()),
            distances: zeros(groups * shape.pairs()),
            radial: zeros((n_radial + 1) * groups * shape.pairs()),
            features: zeros(rows * groups * shape.coordinates()),
        }
    }
}

impl AddPairs<'_> {
    /// x_t = (1 - t) z + t x, and u = x - z as the last feature. Lanes beyond the last sample are zero: no distance,
    /// no field and no target.
    fn load<V: Lanes<Real = f64>>(&self, first: usize, n: usize, columns: usize, memory: &mut Memory<V>) {
        let coordinates = self.shape.coordinates();
        let target = &mut memory.features[(self.kernel.mean.len() + 1) * columns..][..columns];
        let groups = memory.x.chunks_exact_mut(coordinates).zip(memory.end.chunks_exact_mut(coordinates));
        for (g, ((x, end), target)) in groups.zip(target.chunks_exact_mut(coordinates)).enumerate() {
            let first = first + g * V::WIDTH;
            gather(self.z, |lane| (first + lane).min(n - 1), x).expect(COMPLETE);
            gather(self.x, |lane| (first + lane).min(n - 1), end).expect(COMPLETE);
            let weight = V::from_fn(|lane| if first + lane < n { 1.0 } else { 0.0 });
            for ((x, &end), target) in x.iter_mut().zip(&*end).zip(target) {
                *target = weight * (end - *x);
                *x = weight * (*x + V::splat(self.t) * (end - *x));
            }
        }
    }

    /// All fields at x_t.
    fn features<V: Lanes<Real = f64>>(&self, columns: usize, memory: &mut Memory<V>) {
        let n_radial = self.kernel.mean.len();
        let x = &memory.x[..columns];
        let pairs = columns / self.shape.coordinates() * self.shape.pairs();
        let d = &mut memory.distances[..pairs];
        distances(self.shape, x, d);
        let radial = &mut memory.radial[..(n_radial + 1) * pairs];
        radial_functions(&self.kernel, d, radial);
        radial[n_radial * pairs..].fill(V::constant(1.0));
        let fields = &mut memory.features[..(n_radial + 1) * columns];
        fields.fill(V::zero());
        if pairs > 0 {
            for (scalar, field) in radial.chunks_exact(pairs).zip(fields.chunks_exact_mut(columns)) {
                add_forces(self.shape, x, scalar, field);
            }
        }
    }
}

/// Adds the products of every two rows of `features` (`[rows][columns]`) to `sums` (`[rows][rows]`, lower tiles).
fn add_products<V: Lanes>(rows: usize, features: &[V], sums: &mut [V]) {
    let columns = features.len() / rows;
    V::vectorize(
        #[inline(always)]
        || {
            for i in (0..rows).step_by(TILE_ROWS) {
                for j in (0..=i).step_by(TILE_ROWS) {
                    let [a, b] = [i, j].map(
                        #[inline(always)]
                        |first| rows_from(features, first, columns),
                    );
                    let tile = products(a, b, columns);
                    for (r, row) in tile.iter().enumerate() {
                        for (c, &product) in row.iter().enumerate() {
                            sums[(i + r) * rows + j + c] += product;
                        }
                    }
                }
            }
        },
    );
}

/// [`TILE_ROWS`] rows.
#[inline(always)]
fn rows_from<V>(features: &[V], first: usize, columns: usize) -> [&[V]; TILE_ROWS] {
    core::array::from_fn(
        #[inline(always)]
        |r| &features[(first + r) * columns..][..columns],
    )
}

/// All inner products of the rows of `a` and those of `b`.
#[inline(always)]
fn products<V: Lanes>(
    a: [&[V]; TILE_ROWS],
    b: [&[V]; TILE_ROWS],
    columns: usize,
) -> [[V; TILE_ROWS]; TILE_ROWS] {
    let mut sums = [[V::zero(); TILE_ROWS]; TILE_ROWS];
    for k in 0..columns {
        for r in 0..TILE_ROWS {
            for c in 0..TILE_ROWS {
                sums[r][c] += a[r][k] * b[c][k];
            }
        }
    }
    sums
}
