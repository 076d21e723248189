//! Dormand and Prince's embedded pair of order 5(4) (1980), each lane with its own time and step length. A whole
//! minibatch that shares its steps is one state of scalars.
//!
//! A lane's steps depend on that lane alone, so a sample's bits do not depend on its neighbours; lanes that have
//! arrived wait with a step of length zero. Error control as in Hairer, Nørsett, Wanner, "Solving Ordinary
//! Differential Equations I", II.4: the root mean square of e_i / (atol + rtol max(|y_i|, |y_i'|)) below one.

use super::{NotConverged, Stopped};
use crate::error::Missing;
use crate::lanes::{Lanes, Real, at, check, split, split_each};

/// The right-hand side of an ordinary differential equation.
pub trait TimeField<V: Lanes> {
    /// Writes dy/dt at the lanes' own times `t`.
    ///
    /// # Errors
    /// Where lengths do not fit together.
    fn evaluate(&mut self, t: V, y: &[V], dy: &mut [V]) -> Result<(), Missing>;
}

/// Tolerances and step limit.
#[derive(Clone, Copy, Debug)]
pub struct Control<R> {
    /// Relative tolerance a step.
    pub rtol: R,
    /// Absolute tolerance a step.
    pub atol: R,
    /// Most attempted steps a sample.
    pub max_steps: usize,
}

const STAGES: usize = 7;
const NODES: [f64; STAGES] = [0.0, 1.0 / 5.0, 3.0 / 10.0, 4.0 / 5.0, 8.0 / 9.0, 1.0, 1.0];
const TABLEAU: [&[f64]; STAGES] = [
    &[],
    &[1.0 / 5.0],
    &[3.0 / 40.0, 9.0 / 40.0],
    &[44.0 / 45.0, -56.0 / 15.0, 32.0 / 9.0],
    &[19372.0 / 6561.0, -25360.0 / 2187.0, 64448.0 / 6561.0, -212.0 / 729.0],
    &[9017.0 / 3168.0, -355.0 / 33.0, 46732.0 / 5247.0, 49.0 / 176.0, -5103.0 / 18656.0],
    &[35.0 / 384.0, 0.0, 500.0 / 1113.0, 125.0 / 192.0, -2187.0 / 6784.0, 11.0 / 84.0],
];
/// 5th-order minus 4th-order weights.
const ERROR: [f64; STAGES] =
    [71.0 / 57600.0, 0.0, -71.0 / 16695.0, 71.0 / 1920.0, -17253.0 / 339200.0, 22.0 / 525.0, -1.0 / 40.0];

/// Vectors of scratch that [`solve`] takes for a state of `length` vectors.
pub const fn extent(length: usize) -> usize {
    (1 + STAGES) * length
}

/// Integrates `y` from `start` to `end` in every lane; `scratch` has at least [`extent`] vectors.
///
/// # Errors
/// [`NotConverged`] names the first lane that exceeds the step limit or whose step length underflows (as with a NaN);
/// `y` is left half-way. [`Missing`] where `scratch` is shorter.
pub fn solve<V: Lanes>(
    field: &mut impl TimeField<V>,
    span: [V::Real; 2],
    y: &mut [V],
    control: Control<V::Real>,
    scratch: &mut [V],
) -> Result<(), Stopped<V::Real>> {
    let whole = [y.len()];
    solve_in_parts(field, span, y, &whole, control, scratch)
}

/// As [`solve`] for a state whose successive parts, of these lengths (which add up to that of `y`), differ in kind: the
/// error is the largest of the parts' root mean squares, so that a long part does not hide the error of a short one.
///
/// # Errors
/// Those of [`solve`].
pub fn solve_in_parts<V: Lanes>(
    field: &mut impl TimeField<V>,
    [start, end]: [V::Real; 2],
    y: &mut [V],
    parts: &[usize],
    control: Control<V::Real>,
    scratch: &mut [V],
) -> Result<(), Stopped<V::Real>> {
    let n = y.len();
    let (candidate, scratch) = split(scratch, n)?;
    let (mut rates, _) = split_each(scratch, n)?;
    let mut t = V::splat(start);
    let mut h = V::splat((end - start) * V::Real::from_f64(0.01));
    field.evaluate(t, y, rates[0])?;
    for _ in 0..control.max_steps {
        let remaining = V::vectorize(
            #[inline(always)]
            || V::splat(end) - t,
        );
        if remaining.as_slice().iter().all(|r| r.to_f64() == 0.0) {
            return Ok(());
        }
        h = V::vectorize(
            #[inline(always)]
            || V::from_fn(|i| shorter(h.lane(i), remaining.lane(i))),
        );
        attempt(field, t, h, y, candidate, &mut rates)?;
        (t, h) = V::vectorize(
            #[inline(always)]
            || {
                let error = error_norm(h, y, parts, candidate, &rates, control)?;
                accept(error, y, candidate, &mut rates)?;
                // The last step lands on `end` exactly, whatever t + h rounds to.
                let arrived =
                    V::from_fn(|i| if h.lane(i) == remaining.lane(i) { end } else { t.lane(i) + h.lane(i) });
                let t = error.select_less(V::constant(1.0), arrived, t);
                let next = |i| h.lane(i) * V::Real::from_f64(step_factor(error.lane(i).to_f64()));
                Ok::<_, Missing>((t, V::from_fn(next)))
            },
        )?;
        if let Some(failure) = first_lane(t, |lane, time| time != end && time + h.lane(lane) == time) {
            // Its next step would not move its time.
            return Err(failure.into());
        }
    }
    first_lane(t, |_, time| time != end).map_or(Ok(()), |failure| Err(failure.into()))
}

/// The first lane that has failed, and its time.
fn first_lane<V: Lanes>(t: V, failed: impl Fn(usize, V::Real) -> bool) -> Option<NotConverged<V::Real>> {
    let mut lanes = t.as_slice().iter().enumerate();
    lanes.find(|&(lane, &time)| failed(lane, time)).map(|(lane, &time)| NotConverged { lane, time })
}

fn shorter<R: Real>(h: R, remaining: R) -> R {
    let (a, b) = (h.to_f64(), remaining.to_f64());
    if a.abs() < b.abs() && a.signum() == b.signum() { h } else { remaining }
}

/// Fills the seven stages and the 5th-order candidate; the first stage is already in `rates`.
fn attempt<V: Lanes>(
    field: &mut impl TimeField<V>,
    t: V,
    h: V,
    y: &[V],
    candidate: &mut [V],
    rates: &mut [&mut [V]; STAGES],
) -> Result<(), Missing> {
    check(y.len() == candidate.len())?;
    for (stage, (coefficients, node)) in TABLEAU.iter().zip(NODES).enumerate().skip(1) {
        let (known, next) = split(rates, stage)?;
        let time = V::vectorize(
            #[inline(always)]
            || {
                for (c, (value, &y)) in candidate.iter_mut().zip(y).enumerate() {
                    let mut sum = V::zero();
                    for (&a, k) in coefficients.iter().zip(&*known) {
                        sum += V::constant(a) * at(k, c)?;
                    }
                    *value = y + h * sum;
                }
                Ok(t + V::constant(node) * h)
            },
        )?;
        field.evaluate(time, candidate, next.first_mut().ok_or(Missing)?)?;
    }
    Ok(())
}

/// The largest root mean square of a part's e_i / (atol + rtol max(|y_i|, |y_i'|)).
#[inline(always)]
fn error_norm<V: Lanes>(
    h: V,
    y: &[V],
    parts: &[usize],
    candidate: &[V],
    rates: &[&mut [V]; STAGES],
    control: Control<V::Real>,
) -> Result<V, Missing> {
    let n = y.len();
    check(candidate.len() == n)?;
    let mut lengths = parts.iter().copied().filter(|&length| length > 0);
    let mut length = lengths.next().unwrap_or(n);
    let (mut largest_norm, mut sum, mut counted) = (V::zero(), V::zero(), 0);
    for c in 0..n {
        let mut error = V::zero();
        for (&e, k) in ERROR.iter().zip(rates) {
            error += V::constant(e) * at(k, c)?;
        }
        let (old, new) = (y[c].magnitude(), candidate[c].magnitude());
        let largest = old.select_less(new, new, old);
        let ratio = h * error / (V::splat(control.atol) + V::splat(control.rtol) * largest);
        sum += ratio * ratio;
        counted += 1;
        if counted == length {
            let norm = (sum / V::constant(length as f64)).sqrt();
            largest_norm = norm.select_less(largest_norm, largest_norm, norm);
            length = lengths.next().unwrap_or(n);
            // Zero, but for a sum that is not finite: the following norms, and so the largest, are NaN then.
            (sum, counted) = (sum * V::zero(), 0);
        }
    }
    Ok(largest_norm)
}

/// Lanes with an error below one take the candidate and its rate (first same as last); NaN is refused.
#[inline(always)]
fn accept<V: Lanes>(
    error: V,
    y: &mut [V],
    candidate: &[V],
    [first, .., last]: &mut [&mut [V]; STAGES],
) -> Result<(), Missing> {
    check(candidate.len() == y.len() && first.len() == y.len() && last.len() == y.len())?;
    let one = V::constant(1.0);
    for (y, &candidate) in y.iter_mut().zip(candidate) {
        *y = error.select_less(one, candidate, *y);
    }
    for (first, &last) in first.iter_mut().zip(&**last) {
        *first = error.select_less(one, last, *first);
    }
    Ok(())
}

/// 0.9 error^(-1/5) between 0.2 and 5; NaN shortens the step.
fn step_factor(error: f64) -> f64 {
    if error.is_nan() {
        return 0.2;
    }
    if error < 1e-10 {
        return 5.0;
    }
    (0.9 * libm::pow(error, -0.2)).clamp(0.2, 5.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// y' = (-y_1, y_0) at a rate of 1 + lane, whose solution is a rotation.
    struct Rotation;

    impl TimeField<wide::f64x4> for Rotation {
        fn evaluate(
            &mut self,
            _: wide::f64x4,
            y: &[wide::f64x4],
            dy: &mut [wide::f64x4],
        ) -> Result<(), Missing> {
            let rate = wide::f64x4::new([1.0, 2.0, 3.0, 4.0]);
            dy[0] = -(rate * y[1]);
            dy[1] = rate * y[0];
            Ok(())
        }
    }

    #[test]
    fn every_lane_follows_its_own_solution() {
        let control = Control { rtol: 1e-11, atol: 1e-12, max_steps: 1000 };
        let mut y = [wide::f64x4::splat(1.0), wide::f64x4::splat(0.0)];
        let mut scratch = [wide::f64x4::splat(0.0); extent(2)];
        solve(&mut Rotation, [0.0, 1.0], &mut y, control, &mut scratch).unwrap();
        for i in 0..4 {
            let angle = 1.0 + i as f64;
            assert!((y[0].lane(i) - angle.cos()).abs() < 1e-9, "lane {i}");
            assert!((y[1].lane(i) - angle.sin()).abs() < 1e-9, "lane {i}");
        }
    }

    /// Two rotations, the second ten times as fast and surrounded by many that stand still.
    struct Parts;

    impl TimeField<f64> for Parts {
        fn evaluate(&mut self, _: f64, y: &[f64], dy: &mut [f64]) -> Result<(), Missing> {
            dy.fill(0.0);
            (dy[0], dy[1]) = (-y[1], y[0]);
            (dy[2], dy[3]) = (-10.0 * y[3], 10.0 * y[2]);
            Ok(())
        }
    }

    #[test]
    fn a_long_part_does_not_hide_the_error_of_a_short_one() {
        let control = Control { rtol: 0.0, atol: 1e-6, max_steps: 10_000 };
        let error = |length: usize, parts: &[usize]| {
            let mut y = vec![1.0; length];
            (y[1], y[3]) = (0.0, 0.0);
            let mut scratch = vec![0.0; extent(length)];
            solve_in_parts(&mut Parts, [0.0, 1.0], &mut y, parts, control, &mut scratch).unwrap();
            (y[2] - libm::cos(10.0)).abs()
        };
        // In parts, what stands still neither hides nor changes anything, wherever the largest error lies.
        let alone = error(4, &[2, 2]);
        assert_eq!(error(4000, &[2, 2, 3996]), alone);
        assert!(error(4000, &[4000]) > 10.0 * alone);
    }

    #[test]
    fn nan_in_any_part_stops_with_an_error() {
        let control = Control { rtol: 1e-6, atol: 1e-6, max_steps: 1_000_000 };
        for spoilt in 0..4 {
            let mut y = [1.0, 0.0, 1.0, 0.0];
            y[spoilt] = f64::NAN;
            let mut scratch = [0.0; extent(4)];
            let outcome = solve_in_parts(&mut Parts, [0.0, 1.0], &mut y, &[2, 2], control, &mut scratch);
            assert!(outcome.is_err(), "{spoilt}");
        }
    }

    #[test]
    fn the_step_limit_is_reported_with_lane_and_time() {
        let control = Control { rtol: 1e-11, atol: 1e-12, max_steps: 3 };
        let mut y = [wide::f64x4::splat(1.0), wide::f64x4::splat(0.0)];
        let mut scratch = [wide::f64x4::splat(0.0); extent(2)];
        let stopped = solve(&mut Rotation, [0.0, 1.0], &mut y, control, &mut scratch).unwrap_err();
        let Stopped::NotConverged(NotConverged { lane, time }) = stopped else { panic!("{stopped:?}") };
        assert_eq!(lane, 0);
        assert!(time > 0.0 && time < 1.0);
    }

    #[test]
    fn nan_stops_with_an_error_instead_of_looping() {
        let control = Control { rtol: 1e-6, atol: 1e-6, max_steps: 1_000_000 };
        let mut y = [wide::f64x4::new([1.0, 1.0, f64::NAN, 1.0]), wide::f64x4::splat(0.0)];
        let mut scratch = [wide::f64x4::splat(0.0); extent(2)];
        let stopped = solve(&mut Rotation, [0.0, 1.0], &mut y, control, &mut scratch).unwrap_err();
        assert!(matches!(stopped, Stopped::NotConverged(NotConverged { lane: 2, .. })), "{stopped:?}");
    }
}
