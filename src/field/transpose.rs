//! Vector-Jacobian product of velocity and divergence.

use super::pairs::{PairScratch, Shape, for_each_pair, squared};
use crate::lanes::Lanes;

/// Writes to `x_bar` the gradient in `x` of `v_bar . v(x) + div_bar div v(x)`.
///
/// For a pair with r = x_i - x_j, u = v_bar_i - v_bar_j, f = u . r and s = div_bar, the scalar is
/// L = phi f + 2 s (d phi' + D phi), so phi_bar = f + 2 D s, phi'_bar = 2 d s and
/// r_bar = phi u + [phi' (f + 2 s (D + 1)) + 2 s d phi''] r/d. At d = 0 the direction r/d is undefined and the
/// symmetric choice 0 is taken.
///
/// `radial(distance, [phi_bar, slope_bar], [phi, slope, curvature])` evaluates phi, phi', phi'' at all
/// distances and may take its parameters' share of the cotangents on the way.
pub fn transpose<V: Lanes>(
    shape: Shape,
    x: &[V],
    v_bar: &[V],
    div_bar: V,
    x_bar: &mut [V],
    scratch: &mut PairScratch<'_, V>,
    radial: impl FnOnce(&[V], [&[V]; 2], [&mut [V]; 3]),
) {
    match shape.dimension {
        1 => pair_transpose::<1, V>(x, v_bar, div_bar, x_bar, scratch, radial),
        2 => pair_transpose::<2, V>(x, v_bar, div_bar, x_bar, scratch, radial),
        _ => pair_transpose::<3, V>(x, v_bar, div_bar, x_bar, scratch, radial),
    }
}

fn pair_transpose<const D: usize, V: Lanes>(
    x: &[V],
    v_bar: &[V],
    div_bar: V,
    x_bar: &mut [V],
    scratch: &mut PairScratch<'_, V>,
    radial: impl FnOnce(&[V], [&[V]; 2], [&mut [V]; 3]),
) {
    let (v_bar, _) = v_bar.as_chunks::<D>();
    let two_s = div_bar + div_bar;
    for_each_pair::<D, V>(x, |pair, i, x_i, j, x_j| {
        let r: [V; D] = core::array::from_fn(|k| x_i[k] - x_j[k]);
        let d = squared(&r).sqrt();
        let mut f = (v_bar[i][0] - v_bar[j][0]) * r[0];
        for k in 1..D {
            f += (v_bar[i][k] - v_bar[j][k]) * r[k];
        }
        scratch.distance[pair] = d;
        scratch.phi_bar[pair] = f + V::constant(D as f64) * two_s;
        scratch.slope_bar[pair] = d * two_s;
    });
    radial(
        scratch.distance,
        [scratch.phi_bar, scratch.slope_bar],
        [scratch.phi, scratch.slope, scratch.curvature],
    );
    x_bar.fill(V::zero());
    let (x_bar, _) = x_bar.as_chunks_mut::<D>();
    for_each_pair::<D, V>(x, |pair, i, x_i, j, x_j| {
        let (phi, d) = (scratch.phi[pair], scratch.distance[pair]);
        // phi_bar + 2 s = f + 2 s (D + 1).
        let along = scratch.slope[pair] * (scratch.phi_bar[pair] + two_s)
            + scratch.slope_bar[pair] * scratch.curvature[pair];
        let along = V::zero().select_less(d, along / d, V::zero());
        for k in 0..D {
            let r_bar = phi * (v_bar[i][k] - v_bar[j][k]) + along * (x_i[k] - x_j[k]);
            x_bar[i][k] += r_bar;
            x_bar[j][k] -= r_bar;
        }
    });
}
