//! Distances, velocity and divergence of one vector of samples.

use crate::error::Missing;
use crate::lanes::{Lanes, Real, check, part_mut, split_each};
use crate::radial::Radial;

/// Number of particles and their dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// N, at least 1.
    pub particles: usize,
    /// D, 1 to 3.
    pub dimension: usize,
}

impl Shape {
    /// N D, the reals of one sample.
    pub const fn coordinates(&self) -> usize {
        let coordinates = self.particles * self.dimension;
        // At least 1, so that the compiler sees that a batch can be cut into samples.
        if coordinates > 1 { coordinates } else { 1 }
    }

    /// `groups` and the vectors of their coordinates as lengths of chunks, at least 1.
    pub(crate) fn chunks(&self, groups: usize) -> [usize; 2] {
        [groups.max(1), (groups * self.coordinates()).max(1)]
    }

    /// N (N - 1) / 2 unordered pairs.
    pub const fn pairs(&self) -> usize {
        self.particles * self.particles.saturating_sub(1) / 2
    }

    /// (N - 1) D, the dimension of the zero-centre-of-mass subspace.
    pub const fn free_dimension(&self) -> usize {
        self.particles.saturating_sub(1) * self.dimension
    }
}

/// One vector a pair and group: distances, then phi and its derivatives, and their cotangents.
///
/// Its size is that of a tile: as many groups as go through the three passes together.
#[derive(Debug)]
pub struct PairScratch<'a, V> {
    /// d.
    pub distance: &'a mut [V],
    /// phi(d).
    pub phi: &'a mut [V],
    /// phi'(d).
    pub slope: &'a mut [V],
    /// phi''(d).
    pub curvature: &'a mut [V],
    /// Cotangent of phi.
    pub phi_bar: &'a mut [V],
    /// Cotangent of phi'.
    pub slope_bar: &'a mut [V],
}

/// Pairs that a tile has at least, so that the short passes of a small system are not too short.
const TILE: usize = 64;

impl<'a, V: Lanes> PairScratch<'a, V> {
    /// Groups in a tile, where a call has `groups`: those that go through the three passes together.
    pub const fn tile(shape: Shape, groups: usize) -> usize {
        let pairs = if shape.pairs() == 0 { 1 } else { shape.pairs() };
        let tile = TILE.div_ceil(pairs);
        if tile < groups { tile } else { groups }
    }

    /// Vectors that [`PairScratch::carve`] takes.
    pub const fn extent(shape: Shape, groups: usize) -> usize {
        6 * Self::tile(shape, groups) * shape.pairs()
    }

    /// Takes the scratch from the front of `memory` and returns the rest.
    ///
    /// # Errors
    /// Where `memory` has less than the extent.
    pub fn carve(shape: Shape, groups: usize, memory: &'a mut [V]) -> Result<(Self, &'a mut [V]), Missing> {
        let p = Self::tile(shape, groups) * shape.pairs();
        let ([distance, phi, slope, curvature, phi_bar, slope_bar], memory) = split_each(memory, p)?;
        Ok((PairScratch { distance, phi, slope, curvature, phi_bar, slope_bar }, memory))
    }

    /// The same scratch for a shorter time.
    pub fn reborrow(&mut self) -> PairScratch<'_, V> {
        PairScratch {
            distance: self.distance,
            phi: self.phi,
            slope: self.slope,
            curvature: self.curvature,
            phi_bar: self.phi_bar,
            slope_bar: self.slope_bar,
        }
    }

    /// The first `pairs` of each array, in the order of the fields.
    pub(super) fn first(&mut self, pairs: usize) -> Result<[&mut [V]; 6], Missing> {
        Ok([
            part_mut(self.distance, 0, pairs)?,
            part_mut(self.phi, 0, pairs)?,
            part_mut(self.slope, 0, pairs)?,
            part_mut(self.curvature, 0, pairs)?,
            part_mut(self.phi_bar, 0, pairs)?,
            part_mut(self.slope_bar, 0, pairs)?,
        ])
    }

    /// Groups for which there is room, and the vectors of their coordinates, as lengths of chunks; for a shape with pairs.
    pub(super) fn chunks(&self, shape: Shape) -> Result<[usize; 2], Missing> {
        Ok(shape.chunks(self.distance.len().checked_div(shape.pairs()).ok_or(Missing)?))
    }
}

/// Calls `visit(pair, i, x_i, j, x_j)` for every unordered pair in the fixed order.
#[inline(always)]
pub(super) fn for_each_pair<const D: usize, V: Lanes>(
    x: &[V],
    mut visit: impl FnMut(usize, usize, &[V; D], usize, &[V; D]),
) {
    let (x, _) = x.as_chunks::<D>();
    let mut pair = 0;
    for (i, &x_i) in x.iter().enumerate() {
        for (j, x_j) in x.iter().enumerate().skip(i + 1) {
            visit(pair, i, &x_i, j, x_j);
            pair += 1;
        }
    }
}

/// The square of a pair's distance; overflow becomes the largest finite number so that phi stays finite far out.
#[inline(always)]
pub(super) fn squared<const D: usize, V: Lanes>(r: &[V; D]) -> V {
    let mut sum = r[0] * r[0];
    for k in 1..D {
        sum += r[k] * r[k];
    }
    sum.at_most(V::splat(V::Real::MAX))
}

/// Writes the distance of every unordered pair of each group of `x` (`[groups][N][D]`) to `d`
/// (`[groups][N (N-1)/2]`).
pub fn distances<V: Lanes>(shape: Shape, x: &[V], d: &mut [V]) {
    if shape.pairs() == 0 {
        return;
    }
    match shape.dimension {
        1 => distance_pass::<1, ANY, V>(shape, x, d),
        2 => distance_pass::<2, ANY, V>(shape, x, d),
        _ => distance_pass::<3, ANY, V>(shape, x, d),
    }
}

/// In place of a number of particles that the compiler is to know: any. It unrolls the loops over few particles,
/// which are too short to be predicted.
const ANY: usize = 0;

/// The shape with what the compiler knows of it.
#[inline(always)]
const fn known<const D: usize, const N: usize>(shape: Shape) -> Shape {
    Shape { particles: if N == ANY { shape.particles } else { N }, dimension: D }
}

#[inline(always)]
fn pair_distances<const D: usize, const N: usize, V: Lanes>(shape: Shape, x: &[V], d: &mut [V]) {
    let shape = known::<D, N>(shape);
    let groups = x.chunks_exact(shape.coordinates()).zip(d.chunks_exact_mut(shape.pairs().max(1)));
    for (x, d) in groups {
        let ((mut x, _), mut d) = (x.as_chunks::<D>(), d.iter_mut());
        // Each particle is paired with those behind it, which are then what is left of `x`.
        while let Some(x_i) = x.split_off_first() {
            let x_i = *x_i;
            for (x_j, d) in x.iter().zip(&mut d) {
                let mut r = x_i;
                for k in 0..D {
                    r[k] -= x_j[k];
                }
                *d = squared(&r).sqrt();
            }
        }
    }
}

/// Calls `radial(d^2)` for every unordered pair and, where `gradient` is given, writes to it the sum of the
/// returned scalar times r_ij: the loop of a pair potential with u'(d)/d as the scalar. `x` and it are `[N][D]`.
#[inline(always)]
pub fn pair_potential<V: Lanes>(
    shape: Shape,
    x: &[V],
    gradient: Option<&mut [V]>,
    radial: impl FnMut(V) -> V,
) {
    match shape.dimension {
        1 => pair_gradient::<1, V>(x, gradient, radial),
        2 => pair_gradient::<2, V>(x, gradient, radial),
        _ => pair_gradient::<3, V>(x, gradient, radial),
    }
}

#[inline(always)]
fn pair_gradient<const D: usize, V: Lanes>(
    x: &[V],
    gradient: Option<&mut [V]>,
    mut radial: impl FnMut(V) -> V,
) {
    // Of no particle where it is not wanted.
    let gradient = gradient.unwrap_or_default();
    gradient.fill(V::zero());
    let ((mut x, _), (mut gradient, _)) = (x.as_chunks::<D>(), gradient.as_chunks_mut::<D>());
    while let Some(x_i) = x.split_off_first() {
        let mut gradient_i = gradient.split_off_first_mut();
        let mut gradients = gradient.iter_mut();
        for x_j in x {
            let r: [V; D] = core::array::from_fn(|k| x_i[k] - x_j[k]);
            let scalar = radial(squared(&r));
            if let (Some(gradient_i), Some(gradient_j)) = (&mut gradient_i, gradients.next()) {
                for k in 0..D {
                    let force = scalar * r[k];
                    gradient_i[k] += force;
                    gradient_j[k] -= force;
                }
            }
        }
    }
}

/// Adds the sum over j of `scalar`_ij (x_i - x_j) to `force` of each particle i: a field that is linear in its scalars.
///
/// `x` and `force` are `[groups][N][D]`, `scalar` has one vector a group and unordered pair in the fixed order.
pub fn add_forces<V: Lanes>(shape: Shape, x: &[V], scalar: &[V], force: &mut [V]) {
    match shape.dimension {
        1 => forces_alone::<1, V>(shape, x, scalar, force),
        2 => forces_alone::<2, V>(shape, x, scalar, force),
        _ => forces_alone::<3, V>(shape, x, scalar, force),
    }
}

#[inline(always)]
fn forces_alone<const D: usize, V: Lanes>(shape: Shape, x: &[V], scalar: &[V], force: &mut [V]) {
    let groups = x.chunks_exact(shape.coordinates()).zip(force.chunks_exact_mut(shape.coordinates()));
    V::vectorize(
        #[inline(always)]
        || {
            for ((x, force), scalar) in groups.zip(scalar.chunks_exact(shape.pairs().max(1))) {
                let (force, _) = force.as_chunks_mut::<D>();
                for_each_pair::<D, V>(
                    x,
                    #[inline(always)]
                    |pair, i, x_i, j, x_j| {
                        for k in 0..D {
                            let term = scalar[pair] * (x_i[k] - x_j[k]);
                            force[i][k] += term;
                            force[j][k] -= term;
                        }
                    },
                );
            }
        },
    );
}

/// Writes the velocity at `x` (both `[groups][N][D]`) and the divergence (`[groups]`).
///
/// Cost: N (N-1)/2 evaluations of phi a group. Coincident particles exert no force on each other and contribute
/// 2 D phi(0) to the divergence.
///
/// # Errors
/// Where the arrays' lengths do not fit together.
pub fn velocity_divergence<V: Lanes>(
    shape: Shape,
    radial: &impl Radial<V>,
    x: &[V],
    v: &mut [V],
    div: &mut [V],
    scratch: &mut PairScratch<'_, V>,
) -> Result<(), Missing> {
    check(x.len() == v.len() && x.len() == div.len() * shape.coordinates())?;
    let passes = match (shape.dimension, shape.particles) {
        (1, _) => Passes::of::<1, ANY>(),
        (2, 2) => Passes::of::<2, 2>(),
        (2, 4) => Passes::of::<2, 4>(),
        (2, _) => Passes::of::<2, ANY>(),
        (_, 4) => Passes::of::<3, 4>(),
        _ => Passes::of::<3, ANY>(),
    };
    v.fill(V::zero());
    div.fill(V::zero());
    if shape.pairs() == 0 {
        return Ok(());
    }
    let [groups, tile] = scratch.chunks(shape)?;
    for ((x, v), div) in x.chunks(tile).zip(v.chunks_mut(tile)).zip(div.chunks_mut(groups)) {
        let [distance, phi, slope, ..] = scratch.first(div.len() * shape.pairs())?;
        (passes.distances)(shape, x, distance);
        radial.value_slope(distance, phi, slope);
        (passes.forces)(shape, x, [distance, phi, slope], v, div);
    }
    Ok(())
}

/// [`force_pass`]: positions, distances with phi and phi', velocities, divergences.
type ForcePass<V> = fn(Shape, &[V], [&[V]; 3], &mut [V], &mut [V]);

/// The passes before and after the radial function, for one dimension and number of particles.
struct Passes<V> {
    distances: fn(Shape, &[V], &mut [V]),
    forces: ForcePass<V>,
}

impl<V: Lanes> Passes<V> {
    fn of<const D: usize, const N: usize>() -> Self {
        Passes { distances: distance_pass::<D, N, V>, forces: force_pass::<D, N, V> }
    }
}

fn distance_pass<const D: usize, const N: usize, V: Lanes>(shape: Shape, x: &[V], d: &mut [V]) {
    V::vectorize(
        #[inline(always)]
        || pair_distances::<D, N, V>(shape, x, d),
    );
}

fn force_pass<const D: usize, const N: usize, V: Lanes>(
    shape: Shape,
    x: &[V],
    radials: [&[V]; 3],
    v: &mut [V],
    div: &mut [V],
) {
    V::vectorize(
        #[inline(always)]
        || forces::<D, N, V>(shape, x, radials, v, div),
    );
}

/// Adds the pairs' forces to `v` and their divergence to `div`.
#[inline(always)]
fn forces<const D: usize, const N: usize, V: Lanes>(
    shape: Shape,
    x: &[V],
    [distance, phi, slope]: [&[V]; 3],
    v: &mut [V],
    div: &mut [V],
) {
    let coordinates = known::<D, N>(shape).coordinates();
    let dimension = V::constant(D as f64);
    let groups = x.chunks_exact(coordinates).zip(v.chunks_exact_mut(coordinates));
    let mut radials = distance.iter().zip(phi).zip(slope);
    for ((x, v), div) in groups.zip(div) {
        let ((mut x, _), (mut v, _)) = (x.as_chunks::<D>(), v.as_chunks_mut::<D>());
        let mut half = V::zero();
        while let (Some(x_i), Some(v_i)) = (x.split_off_first(), v.split_off_first_mut()) {
            // In registers: the compiler cannot know that v_j is another one.
            let (x_i, mut sum) = (*x_i, *v_i);
            for ((x_j, v_j), ((&d, &phi), &slope)) in x.iter().zip(&mut *v).zip(&mut radials) {
                half += d * slope + dimension * phi;
                for k in 0..D {
                    let force = phi * (x_i[k] - x_j[k]);
                    sum[k] += force;
                    v_j[k] -= force;
                }
            }
            *v_i = sum;
        }
        *div = half + half;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forces_are_the_double_sum_over_particles() {
        for (particles, dimension) in [(1, 2), (2, 1), (4, 2), (5, 3)] {
            let shape = Shape { particles, dimension };
            let (coordinates, pairs, groups) = (shape.coordinates(), shape.pairs(), 2);
            let x: Vec<f64> = (0..groups * coordinates).map(|i| libm::sin(i as f64 + 1.0)).collect();
            let scalar: Vec<f64> = (0..groups * pairs).map(|p| libm::cos(3.0 * p as f64)).collect();
            let mut force = vec![10.0; x.len()];
            add_forces(shape, &x, &scalar, &mut force);
            for (c, force) in force.iter().enumerate() {
                let (g, i, k) = (c / coordinates, c % coordinates / dimension, c % dimension);
                let at = |i: usize| x[g * coordinates + i * dimension + k];
                let pair = |i: usize, j: usize| i * (2 * particles - i - 1) / 2 + j - i - 1;
                let term = |j: usize| scalar[g * pairs + pair(i.min(j), i.max(j))] * (at(i) - at(j));
                let want: f64 = (0..particles).filter(|&j| j != i).map(term).sum();
                assert!((force - 10.0 - want).abs() < 1e-13, "{shape:?} {c}");
            }
        }
    }

    /// phi = 1 everywhere.
    struct One;

    impl Radial<f64> for One {
        fn value_slope(&self, _: &[f64], phi: &mut [f64], slope: &mut [f64]) {
            phi.fill(1.0);
            slope.fill(0.0);
        }

        fn value_slope_curvature(&self, d: &[f64], phi: &mut [f64], slope: &mut [f64], _: &mut [f64]) {
            self.value_slope(d, phi, slope);
        }
    }

    #[test]
    fn arrays_that_do_not_fit_are_errors_and_nothing_is_left_out() {
        let (shape, groups) = (Shape { particles: 3, dimension: 2 }, 2);
        let call = |scratch: usize, [x, v, div]: [usize; 3]| {
            let mut memory = vec![0.0; scratch];
            let (mut scratch, _) = PairScratch::carve(shape, groups, &mut memory)?;
            let (x, mut v, mut div) = (vec![0.5; x], vec![0.0; v], vec![0.0; div]);
            velocity_divergence(shape, &One, &x, &mut v, &mut div, &mut scratch).map(|()| div)
        };
        let extent = PairScratch::<f64>::extent(shape, groups);
        assert_eq!(call(extent, [12, 12, 2]), Ok(vec![12.0, 12.0]));
        assert_eq!(call(extent - 1, [12, 12, 2]), Err(Missing));
        for lengths in [[11, 12, 2], [12, 11, 2], [12, 12, 1], [18, 18, 2], [12, 12, 3]] {
            assert_eq!(call(extent, lengths), Err(Missing), "{lengths:?}");
        }
    }
}
