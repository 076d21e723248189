//! Distances, velocity and divergence of one vector of samples.

use crate::lanes::{Lanes, Real};
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
        self.particles * self.dimension
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

/// One vector a pair each: distances, then phi and its derivatives, and their cotangents.
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

impl<'a, V: Lanes> PairScratch<'a, V> {
    /// Vectors that [`PairScratch::carve`] takes.
    pub const fn extent(shape: Shape) -> usize {
        6 * shape.pairs()
    }

    /// Takes the scratch from the front of `memory`, which has at least the extent, and returns the rest.
    pub fn carve(shape: Shape, memory: &'a mut [V]) -> (Self, &'a mut [V]) {
        let p = shape.pairs();
        let (distance, memory) = memory.split_at_mut(p);
        let (phi, memory) = memory.split_at_mut(p);
        let (slope, memory) = memory.split_at_mut(p);
        let (curvature, memory) = memory.split_at_mut(p);
        let (phi_bar, memory) = memory.split_at_mut(p);
        let (slope_bar, memory) = memory.split_at_mut(p);
        (PairScratch { distance, phi, slope, curvature, phi_bar, slope_bar }, memory)
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
    for (i, x_i) in x.iter().enumerate() {
        for (j, x_j) in x.iter().enumerate().skip(i + 1) {
            visit(pair, i, x_i, j, x_j);
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

/// Writes the distance of every unordered pair of `x` (`[N][D]`) to `d` (`[N (N-1)/2]`).
pub fn distances<V: Lanes>(shape: Shape, x: &[V], d: &mut [V]) {
    match shape.dimension {
        1 => pair_distances::<1, V>(x, d),
        2 => pair_distances::<2, V>(x, d),
        _ => pair_distances::<3, V>(x, d),
    }
}

fn pair_distances<const D: usize, V: Lanes>(x: &[V], d: &mut [V]) {
    for_each_pair::<D, V>(x, |pair, _, x_i, _, x_j| {
        let r: [V; D] = core::array::from_fn(|k| x_i[k] - x_j[k]);
        d[pair] = squared(&r).sqrt();
    });
}

/// Calls `radial(d^2)` for every unordered pair and, where `gradient` is given, writes to it the sum of the
/// returned scalar times r_ij: the loop of a pair potential with u'(d)/d as the scalar.
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
    mut gradient: Option<&mut [V]>,
    mut radial: impl FnMut(V) -> V,
) {
    if let Some(gradient) = gradient.as_deref_mut() {
        gradient.fill(V::zero());
    }
    for_each_pair::<D, V>(x, |_, i, x_i, j, x_j| {
        let r: [V; D] = core::array::from_fn(|k| x_i[k] - x_j[k]);
        let scalar = radial(squared(&r));
        if let Some(gradient) = gradient.as_deref_mut() {
            for k in 0..D {
                let force = scalar * r[k];
                gradient[i * D + k] += force;
                gradient[j * D + k] -= force;
            }
        }
    });
}

/// Writes the velocity at `x` (both `[N][D]`) and returns the divergence.
///
/// Cost: N (N-1)/2 evaluations of phi. Coincident particles exert no force on each other and contribute
/// 2 D phi(0) to the divergence.
pub fn velocity_divergence<V: Lanes>(
    shape: Shape,
    radial: &impl Radial<V>,
    x: &[V],
    v: &mut [V],
    scratch: &mut PairScratch<'_, V>,
) -> V {
    distances(shape, x, scratch.distance);
    radial.value_slope(scratch.distance, scratch.phi, scratch.slope);
    match shape.dimension {
        1 => forces::<1, V>(x, v, scratch),
        2 => forces::<2, V>(x, v, scratch),
        _ => forces::<3, V>(x, v, scratch),
    }
}

fn forces<const D: usize, V: Lanes>(x: &[V], v: &mut [V], scratch: &PairScratch<'_, V>) -> V {
    v.fill(V::zero());
    let (v, _) = v.as_chunks_mut::<D>();
    let dimension = V::constant(D as f64);
    let mut half = V::zero();
    for_each_pair::<D, V>(x, |pair, i, x_i, j, x_j| {
        let phi = scratch.phi[pair];
        half += scratch.distance[pair] * scratch.slope[pair] + dimension * phi;
        for k in 0..D {
            let force = phi * (x_i[k] - x_j[k]);
            v[i][k] += force;
            v[j][k] -= force;
        }
    });
    half + half
}
