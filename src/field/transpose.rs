//! Vector-Jacobian product of velocity and divergence.

use super::pairs::{PairScratch, Shape, squared};
use crate::error::Missing;
use crate::lanes::{Lanes, check};
use core::ops::Range;

/// Writes to `x_bar` the gradient in `x` of `v_bar . v(x) + div_bar div v(x)`.
///
/// For a pair with r = x_i - x_j, u = v_bar_i - v_bar_j, f = u . r and s = div_bar, the scalar is
/// L = phi f + 2 s (d phi' + D phi), so phi_bar = f + 2 D s, phi'_bar = 2 d s and
/// r_bar = phi u + [phi' (f + 2 s (D + 1)) + 2 s d phi''] r/d. At d = 0 the direction r/d is undefined and the
/// symmetric choice 0 is taken.
///
/// All arrays are `[groups][N][D]`, `div_bar` is `[groups]`.
/// `radial(distance, [phi_bar, slope_bar], [phi, slope, curvature])` evaluates phi, phi', phi'' at all
/// distances of a tile and may take its parameters' share of the cotangents on the way.
///
/// # Errors
/// Where the arrays' lengths do not fit together.
pub fn transpose<V: Lanes>(
    shape: Shape,
    x: &[V],
    v_bar: &[V],
    div_bar: &[V],
    x_bar: &mut [V],
    scratch: &mut PairScratch<'_, V>,
    radial: impl FnMut(&[V], [&[V]; 2], [&mut [V]; 3]),
) -> Result<(), Missing> {
    transpose_with(shape, [x, v_bar], div_bar, x_bar, scratch, &mut (), radial)
}

/// As [`transpose`], `inputs` being x and v_bar, with a third term of the scalar.
///
/// # Errors
/// Those of [`transpose`].
pub fn transpose_with<V: Lanes>(
    shape: Shape,
    inputs: [&[V]; 2],
    div_bar: &[V],
    x_bar: &mut [V],
    scratch: &mut PairScratch<'_, V>,
    addend: &mut impl Addend<V>,
    radial: impl FnMut(&[V], [&[V]; 2], [&mut [V]; 3]),
) -> Result<(), Missing> {
    match shape.dimension {
        1 => tiles::<1, V>(shape, inputs, div_bar, x_bar, scratch, addend, radial),
        2 => tiles::<2, V>(shape, inputs, div_bar, x_bar, scratch, addend, radial),
        _ => tiles::<3, V>(shape, inputs, div_bar, x_bar, scratch, addend, radial),
    }
}

/// A term of the scalar besides velocity and divergence; none of them is `()`.
pub trait Addend<V> {
    /// Adds the cotangents of phi and phi' at the pairs of a tile, the `groups` of the call, whose positions are `x`.
    ///
    /// # Errors
    /// Where the arrays' lengths do not fit together.
    fn add_radial_cotangents(
        &mut self,
        shape: Shape,
        x: &[V],
        groups: Range<usize>,
        radials: TileRadials<'_, V>,
    ) -> Result<(), Missing>;

    /// Adds what of the same tile's gradient in `x` does not come by phi(d) and phi'(d) with d alone varied.
    fn add_position_cotangents(&mut self, shape: Shape, slope: &[V], x_bar: &mut [V]);
}

/// One vector a pair of a tile.
#[derive(Debug)]
pub struct TileRadials<'a, V> {
    /// d.
    pub distance: &'a [V],
    /// Room for phi(d).
    pub phi: &'a mut [V],
    /// Room for phi'(d).
    pub slope: &'a mut [V],
    /// Cotangent of phi.
    pub phi_bar: &'a mut [V],
    /// Cotangent of phi'.
    pub slope_bar: &'a mut [V],
}

impl<V> Addend<V> for () {
    #[inline(always)]
    fn add_radial_cotangents(
        &mut self,
        _: Shape,
        _: &[V],
        _: Range<usize>,
        _: TileRadials<'_, V>,
    ) -> Result<(), Missing> {
        Ok(())
    }

    #[inline(always)]
    fn add_position_cotangents(&mut self, _: Shape, _: &[V], _: &mut [V]) {}
}

fn tiles<const D: usize, V: Lanes>(
    shape: Shape,
    [x, v_bar]: [&[V]; 2],
    div_bar: &[V],
    x_bar: &mut [V],
    scratch: &mut PairScratch<'_, V>,
    addend: &mut impl Addend<V>,
    mut radial: impl FnMut(&[V], [&[V]; 2], [&mut [V]; 3]),
) -> Result<(), Missing> {
    let length = div_bar.len() * shape.coordinates();
    check(x.len() == length && v_bar.len() == length && x_bar.len() == length)?;
    x_bar.fill(V::zero());
    if shape.pairs() == 0 {
        return Ok(());
    }
    let [tile_groups, tile] = scratch.chunks(shape)?;
    let mut groups = 0..0;
    let inputs = x.chunks(tile).zip(v_bar.chunks(tile)).zip(div_bar.chunks(tile_groups));
    for (((x, v_bar), div_bar), x_bar) in inputs.zip(x_bar.chunks_mut(tile)) {
        let pairs = div_bar.len() * shape.pairs();
        groups = groups.end..groups.end + div_bar.len();
        let [distance, phi, slope, curvature, phi_bar, slope_bar] = scratch.first(pairs)?;
        radial_cotangents::<D, V>(shape, [x, v_bar], div_bar, [distance, phi_bar, slope_bar]);
        let radials = TileRadials { distance, phi, slope, phi_bar, slope_bar };
        addend.add_radial_cotangents(shape, x, groups.clone(), radials)?;
        radial(distance, [phi_bar, slope_bar], [phi, slope, curvature]);
        let radials = [distance, phi, slope, curvature, phi_bar, slope_bar].map(|values| &*values);
        position_cotangents::<D, V>(shape, [x, v_bar], div_bar, radials, x_bar);
        addend.add_position_cotangents(shape, radials[2], x_bar);
    }
    Ok(())
}

/// Distances and the cotangents of phi and phi'.
fn radial_cotangents<const D: usize, V: Lanes>(
    shape: Shape,
    inputs: [&[V]; 2],
    div_bar: &[V],
    outputs: [&mut [V]; 3],
) {
    V::vectorize(
        #[inline(always)]
        || radial_cotangents_lanes::<D, V>(shape, inputs, div_bar, outputs),
    );
}

#[inline(always)]
fn radial_cotangents_lanes<const D: usize, V: Lanes>(
    shape: Shape,
    [x, v_bar]: [&[V]; 2],
    div_bar: &[V],
    [distance, phi_bar, slope_bar]: [&mut [V]; 3],
) {
    let coordinates = shape.coordinates();
    let groups = x.chunks_exact(coordinates).zip(v_bar.chunks_exact(coordinates));
    let mut pairs = distance.iter_mut().zip(phi_bar).zip(slope_bar);
    for ((x, v_bar), &s) in groups.zip(div_bar) {
        let ((mut x, _), (mut v_bar, _)) = (x.as_chunks::<D>(), v_bar.as_chunks::<D>());
        let two_s = s + s;
        while let (Some(x_i), Some(v_bar_i)) = (x.split_off_first(), v_bar.split_off_first()) {
            let (x_i, v_bar_i) = (*x_i, *v_bar_i);
            for ((x_j, v_bar_j), ((distance, phi_bar), slope_bar)) in x.iter().zip(v_bar).zip(&mut pairs) {
                let r: [V; D] = core::array::from_fn(|k| x_i[k] - x_j[k]);
                let d = squared(&r).sqrt();
                let mut f = (v_bar_i[0] - v_bar_j[0]) * r[0];
                for k in 1..D {
                    f += (v_bar_i[k] - v_bar_j[k]) * r[k];
                }
                *distance = d;
                *phi_bar = f + V::constant(D as f64) * two_s;
                *slope_bar = d * two_s;
            }
        }
    }
}

/// Adds r_bar of every pair to both partners.
fn position_cotangents<const D: usize, V: Lanes>(
    shape: Shape,
    inputs: [&[V]; 2],
    div_bar: &[V],
    radials: [&[V]; 6],
    x_bar: &mut [V],
) {
    V::vectorize(
        #[inline(always)]
        || position_cotangents_lanes::<D, V>(shape, inputs, div_bar, radials, x_bar),
    );
}

#[inline(always)]
fn position_cotangents_lanes<const D: usize, V: Lanes>(
    shape: Shape,
    [x, v_bar]: [&[V]; 2],
    div_bar: &[V],
    [distance, phi, slope, curvature, phi_bar, slope_bar]: [&[V]; 6],
    x_bar: &mut [V],
) {
    let coordinates = shape.coordinates();
    let inputs = x.chunks_exact(coordinates).zip(v_bar.chunks_exact(coordinates));
    let groups = inputs.zip(x_bar.chunks_exact_mut(coordinates)).zip(div_bar);
    let radials = distance.iter().zip(phi).zip(slope.iter().zip(curvature));
    let mut pairs = radials.zip(phi_bar.iter().zip(slope_bar));
    for (((x, v_bar), x_bar), &s) in groups {
        let ((mut x, _), (mut v_bar, _)) = (x.as_chunks::<D>(), v_bar.as_chunks::<D>());
        let (mut x_bar, _) = x_bar.as_chunks_mut::<D>();
        let two_s = s + s;
        while let (Some(x_i), Some(v_bar_i), Some(x_bar_i)) =
            (x.split_off_first(), v_bar.split_off_first(), x_bar.split_off_first_mut())
        {
            // In registers: the compiler cannot know that x_bar_j is another one.
            let (x_i, v_bar_i, mut sum) = (*x_i, *v_bar_i, *x_bar_i);
            let others = x.iter().zip(v_bar).zip(&mut *x_bar);
            for (((x_j, v_bar_j), x_bar_j), (radial, (&phi_bar, &slope_bar))) in others.zip(&mut pairs) {
                let ((&d, &phi), (&slope, &curvature)) = radial;
                // phi_bar + 2 s = f + 2 s (D + 1).
                let along = slope * (phi_bar + two_s) + slope_bar * curvature;
                let along = V::zero().select_less(d, along / d, V::zero());
                for k in 0..D {
                    let r_bar = phi * (v_bar_i[k] - v_bar_j[k]) + along * (x_i[k] - x_j[k]);
                    sum[k] += r_bar;
                    x_bar_j[k] -= r_bar;
                }
            }
            *x_bar_i = sum;
        }
    }
}
