//! The one elementary function that the flow needs in bulk: a Gaussian's `2^-w`.

use super::{Lanes, Real};

/// `2^-w` for `w >= 0` in each lane, with fixed operation order; NaN stays NaN.
///
/// Arguments above [`Real::EXPONENT_LIMIT`] are cut off there. The argument is split as `-w = n + f` with
/// whole `n` and `|f| <= 1/2` (both exact), `2^f` is a polynomial and `2^n` is built from its bits.
/// Relative error: below 2 units in the last place for the rounded argument.
#[inline(always)]
pub fn exp2_neg<V: Lanes>(w: V) -> V {
    let [power] = exp2_neg_each([w]);
    power
}

/// [`exp2_neg`] of several vectors at once, with the same bits: they share the loads of the coefficients, and
/// each hides the latency of the others.
#[inline(always)]
pub fn exp2_neg_each<V: Lanes, const U: usize>(w: [V; U]) -> [V; U] {
    let magic = V::splat(V::Real::EXPONENT_MAGIC);
    let w = w.map(|w| w.at_most(V::splat(V::Real::EXPONENT_LIMIT)));
    let biased = w.map(|w| magic - w);
    let f: [V; U] = core::array::from_fn(|u| (magic - biased[u]) - w[u]);
    let (highest, lower) = match V::Real::EXP2.split_last() {
        Some((highest, lower)) => (*highest, lower),
        None => return f,
    };
    let mut power = [V::splat(highest); U];
    for &coefficient in lower.iter().rev() {
        let coefficient = V::splat(coefficient);
        for u in 0..U {
            power[u] = power[u] * f[u] + coefficient;
        }
    }
    core::array::from_fn(|u| power[u] * biased[u].exponent_scale())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worst_relative_error<R: Real>(limit: f64) -> f64 {
        let mut worst = 0.0_f64;
        for k in 0..200_000 {
            let w = R::from_f64(limit * k as f64 / 200_000.0);
            let got = exp2_neg(R::Lanes::splat(w)).lane(0).to_f64();
            // libm's exp2 is an independent implementation, accurate to 1 unit in the last place.
            let want = libm::exp2(-w.to_f64());
            worst = worst.max((got / want - 1.0).abs());
        }
        worst
    }

    #[test]
    fn two_to_the_minus_w_is_accurate_over_the_whole_range() {
        assert!(worst_relative_error::<f64>(899.0) < 2.0 * f64::EPSILON);
        assert!(worst_relative_error::<f32>(99.0) < 2.0 * f64::from(f32::EPSILON));
    }

    #[test]
    fn far_arguments_are_cut_off_and_nan_stays() {
        let v = exp2_neg(wide::f64x4::new([0.0, 1e300, f64::INFINITY, f64::NAN]));
        assert_eq!(v.lane(0), 1.0);
        assert_eq!(v.lane(1), libm::exp2(-900.0));
        assert_eq!(v.lane(2), libm::exp2(-900.0));
        assert!(v.lane(3).is_nan());
    }
}
