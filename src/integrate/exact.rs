//! The inverse of the discrete map: each Runge-Kutta step y = Phi(x) solved for its start x, to rounding.
//!
//! The step back from y, G(y), misses x by O(h^5), and so does the iteration
//!
//! ```text
//! x <- x + G(y) - G(Phi(x)),      from x = G(y),
//! ```
//!
//! by a factor of that order each time: two or three suffice for smooth fields. Where it does not converge, Newton's
//! method takes over with the step's own Jacobian, halving and halving again as long as the residual does not shrink; it
//! starts from the best x so far and, where that leads nowhere, from y.
//!
//! The residual is the largest coordinate of |Phi(x) - y|, its unit the machine's epsilon times the largest coordinate
//! of x and y. A sample is solved when the residual is at most 1 unit, or when it has stopped
//! shrinking (by half an iteration) at no more than 256 of them: what rounding in the pair sums leaves. What stays above
//! that has failed. A lane that is solved does not change any more, whatever its neighbours still need. Where Phi folds
//! space there are several solutions, and the one that is found need not be the one that a trajectory came from.

use super::rk4::{Direction, Grid};
use super::tangent::{StageTangent, TangentScratch};
use super::{LogDet, NotConverged, Stopped, helmert};
use crate::error::Missing;
use crate::field::Shape;
use crate::lanes::{Lanes, Real, at, check, copy, part, part_mut, split, split_each};

/// A residual of so many units is none.
const SETTLED: f64 = 1.0;
/// A residual of so many units, which shrinks no more, is rounding.
const NOISE: f64 = 256.0;
/// Most iterations of the first kind; each but the last has halved the residual.
const ITERATIONS: usize = 16;
/// Most of Newton's.
const NEWTON_ITERATIONS: usize = 100;
/// The shortest part of a Newton step that is tried.
const SHORTEST: f64 = 1e-6;

/// Where a lane stands: its number is stored as a real.
#[derive(Clone, Copy, PartialEq)]
enum State {
    /// Iterating.
    Open = 0,
    /// At its solution.
    Solved = 1,
    /// In need of Newton's method.
    Stuck = 2,
    /// Without a solution that could be found, in this step or a later one.
    Failed = 3,
}

impl State {
    fn real<R: Real>(self) -> R {
        R::from_f64(f64::from(self as u8))
    }
}

/// Whether any lane of these groups is in this state.
fn any<V: Lanes>(states: &[V], state: State) -> bool {
    let number = state.real::<V::Real>();
    states.iter().any(|lanes| lanes.as_slice().contains(&number))
}

/// What is known of the best solution so far, one vector a group.
#[derive(Debug)]
struct Progress<'a, V> {
    state: &'a mut [V],
    /// Residual of the best start.
    error: &'a mut [V],
    /// Quadrature of the divergence over the step from there.
    quadrature: &'a mut [V],
}

/// Scratch of [`solve`].
#[derive(Debug)]
pub struct ExactScratch<'a, V> {
    /// Of steps and their Jacobians.
    pub tangent: TangentScratch<'a, V>,
    shape: Shape,
    /// G(y), and four starts or ends: `[tile][N][D]` each.
    back: &'a mut [V],
    trial: &'a mut [V],
    image: &'a mut [V],
    best: &'a mut [V],
    progress: Progress<'a, V>,
    /// Quadrature of the divergence over the present step, `[tile]`.
    quadrature: &'a mut [V],
    /// The times that failed lanes have reached, below zero for the others; `[groups]`.
    failed: &'a mut [V],
}

impl<'a, V: Lanes> ExactScratch<'a, V> {
    /// Vectors that [`ExactScratch::carve`] takes for `groups` groups in tiles of `tile`; saturates.
    pub const fn extent(shape: Shape, tile: usize, groups: usize) -> usize {
        let own = 4 * tile * (shape.coordinates() + 1) + groups;
        TangentScratch::<V>::extent(shape, tile).saturating_add(own)
    }

    /// Takes the scratch from the front of `memory` and returns the rest.
    ///
    /// # Errors
    /// Where `memory` has less than the extent.
    pub fn carve(
        shape: Shape,
        tile: usize,
        groups: usize,
        memory: &'a mut [V],
    ) -> Result<(Self, &'a mut [V]), Missing> {
        let (tangent, memory) = TangentScratch::carve(shape, tile, memory)?;
        let ([back, trial, image, best], memory) = split_each(memory, tile * shape.coordinates())?;
        let ([state, error, best_quadrature, quadrature], memory) = split_each(memory, tile)?;
        let (failed, memory) = split(memory, groups)?;
        let progress = Progress { state, error, quadrature: best_quadrature };
        let own = ExactScratch { tangent, shape, back, trial, image, best, progress, quadrature, failed };
        Ok((own, memory))
    }
}

/// Walks the forward `grid` back: `x` (`[groups][N][D]`), the end point, becomes the start that the grid takes there,
/// and `log_det` (`[groups]`) the log-determinant of this map: minus that of the forward map, as [`LogDet`] says.
///
/// `after_step(k, x)` sees the solved start of step k, counted from t = 0.
///
/// # Errors
/// [`NotConverged`] names the first lane that has a step for which no start is found, and the end of that step;
/// [`Missing`] where lengths do not fit together.
pub fn solve<V: Lanes>(
    field: &mut impl StageTangent<V>,
    step_lengths: &[V::Real],
    kind: LogDet,
    x: &mut [V],
    log_det: &mut [V],
    scratch: &mut ExactScratch<'_, V>,
    mut after_step: impl FnMut(usize, &[V]) -> Result<(), Missing>,
) -> Result<(), Stopped<V::Real>> {
    let [groups, tile] = scratch.shape.chunks(scratch.tangent.groups());
    check(x.len() == log_det.len() * scratch.shape.coordinates())?;
    let grid = |direction| Grid { step_lengths, direction };
    log_det.fill(V::zero());
    scratch.failed.fill(V::constant(-1.0));
    for k in (0..step_lengths.len()).rev() {
        let there = grid(Direction::Forward).step(k)?;
        let back = grid(Direction::Backward).step(step_lengths.len() - 1 - k)?;
        let tiles = x.chunks_mut(tile).zip(log_det.chunks_mut(groups));
        for (number, (x, log_det)) in tiles.enumerate() {
            let first = number * groups;
            let mut step = Step { field, there, back, scratch };
            step.begin(first, x)?;
            step.iterate(x)?;
            step.finish(first, kind, x, log_det, end_of_step(step_lengths, k))?;
        }
        after_step(k, x)?;
    }
    let first_failed = scratch.failed.iter().enumerate().find_map(|(g, times)| {
        let mut lanes = times.as_slice().iter().enumerate();
        let (lane, &time) = lanes.find(|(_, time)| time.to_f64() >= 0.0)?;
        Some(NotConverged { lane: g * V::WIDTH + lane, time })
    });
    first_failed.map_or(Ok(()), |failure| Err(failure.into()))
}

/// t_{k+1}.
fn end_of_step<R: Real>(step_lengths: &[R], k: usize) -> R {
    R::from_f64(step_lengths.iter().take(k + 1).map(|h| h.to_f64()).sum())
}

/// One step of a tile of groups.
struct Step<'a, 's, F, V: Lanes> {
    field: &'a mut F,
    /// Signed length and stages of the step and of the one back.
    there: (V::Real, [usize; 3]),
    back: (V::Real, [usize; 3]),
    scratch: &'a mut ExactScratch<'s, V>,
}

impl<V: Lanes, F: StageTangent<V>> Step<'_, '_, F, V> {
    /// The first trial, G(y), for all lanes that have not failed.
    fn begin(&mut self, first: usize, y: &[V]) -> Result<(), Missing> {
        let (n, groups) = (y.len(), y.len() / self.scratch.shape.coordinates());
        let ExactScratch { tangent, back, trial, best, progress, quadrature, failed, .. } =
            &mut *self.scratch;
        let back = part_mut(back, 0, n)?;
        copy(y, back)?;
        tangent.plain_step(self.field, self.back, back, part_mut(quadrature, 0, groups)?)?;
        copy(back, part_mut(trial, 0, n)?)?;
        copy(back, part_mut(best, 0, n)?)?;
        progress.error.fill(V::constant(f64::INFINITY));
        let states = part_mut(progress.state, 0, groups)?;
        for (state, failed) in states.iter_mut().zip(part(failed, first, groups)?) {
            let of = |i| if failed.lane(i).to_f64() < 0.0 { State::Open } else { State::Failed };
            *state = V::from_fn(|i| of(i).real());
        }
        Ok(())
    }

    /// Until every lane is solved or has failed.
    fn iterate(&mut self, y: &[V]) -> Result<(), Missing> {
        let coordinates = self.scratch.shape.coordinates();
        let (n, groups) = (y.len(), y.len() / coordinates);
        for _ in 0..ITERATIONS {
            self.image_of_trial(0, groups)?;
            for (g, y) in y.chunks_exact(coordinates).enumerate() {
                self.judge(g, y, State::Open, &mut V::constant(1.0))?;
            }
            if !any(part(self.scratch.progress.state, 0, groups)?, State::Open) {
                break;
            }
            let ExactScratch { tangent, back, trial, image, quadrature, .. } = &mut *self.scratch;
            let image = part_mut(image, 0, n)?;
            tangent.plain_step(self.field, self.back, image, part_mut(quadrature, 0, groups)?)?;
            add_difference(part_mut(trial, 0, n)?, part(back, 0, n)?, image)?;
        }
        for (g, y) in y.chunks_exact(coordinates).enumerate() {
            let state = part_mut(self.scratch.progress.state, g, 1)?;
            replace(state, State::Open, State::Stuck);
            if any(state, State::Stuck) {
                self.newton(g, y)?;
            }
        }
        Ok(())
    }

    /// Newton's method for the stuck lanes of group `g`: from the best start so far and, where that fails, from y.
    fn newton(&mut self, g: usize, y: &[V]) -> Result<(), Missing> {
        let c = y.len();
        let progress = &self.scratch.progress;
        let (stuck, error) = (at(progress.state, g)?, at(progress.error, g)?);
        let not_finite = V::splat(V::Real::MAX).select_less(error, V::constant(1.0), V::zero());
        take(not_finite, part_mut(self.scratch.best, g * c, c)?, y)?;
        self.newton_from_best(g, y)?;
        let states = part_mut(self.scratch.progress.state, g, 1)?;
        let again = reals(states).iter_mut().zip(stuck.as_slice());
        let mut from_end = V::zero();
        for ((state, before), from_end) in again.zip(reals(core::slice::from_mut(&mut from_end))) {
            if *state == State::Failed.real() && *before == State::Stuck.real() {
                *state = State::Stuck.real();
                *from_end = V::Real::from_f64(1.0);
            }
        }
        if any(states, State::Stuck) {
            take(from_end, part_mut(self.scratch.best, g * c, c)?, y)?;
            let error = part_mut(self.scratch.progress.error, g, 1)?;
            take(from_end, error, &[V::constant(f64::INFINITY)])?;
            self.newton_from_best(g, y)?;
        }
        Ok(())
    }

    /// Newton's method for the stuck lanes of group `g`, which then are stuck no more.
    fn newton_from_best(&mut self, g: usize, y: &[V]) -> Result<(), Missing> {
        let shape = self.scratch.shape;
        let (c, k) = (shape.coordinates(), shape.free_dimension());
        let mut length = V::constant(1.0);
        for _ in 0..NEWTON_ITERATIONS {
            let ExactScratch { tangent, trial, image, best, .. } = &mut *self.scratch;
            let (trial, best) = (part_mut(trial, g * c, c)?, part(best, g * c, c)?);
            let image = part_mut(image, g * c, c)?;
            copy(best, image)?;
            let linear = tangent.step(self.field, self.there, image)?;
            trial.fill(V::zero());
            add_difference(trial, image, y)?;
            helmert::project(shape, trial);
            tangent.factor(&linear, self.there.0, 0)?.solve(part_mut(trial, 0, k)?)?;
            helmert::expand(shape, trial);
            subtract_from(best, length, trial)?;
            self.image_of_trial(g, 1)?;
            self.judge(g, y, State::Stuck, &mut length)?;
            if !any(part(self.scratch.progress.state, g, 1)?, State::Stuck) {
                return Ok(());
            }
        }
        replace(part_mut(self.scratch.progress.state, g, 1)?, State::Stuck, State::Failed);
        Ok(())
    }

    /// Takes the trials of `groups` groups from number `g` on through the step.
    fn image_of_trial(&mut self, g: usize, groups: usize) -> Result<(), Missing> {
        let c = self.scratch.shape.coordinates();
        let ExactScratch { tangent, trial, image, quadrature, .. } = &mut *self.scratch;
        let image = part_mut(image, g * c, groups * c)?;
        copy(part(trial, g * c, groups * c)?, image)?;
        let quadrature = part_mut(quadrature, g, groups)?;
        quadrature.fill(V::zero());
        tangent.plain_step(self.field, self.there, image, quadrature)
    }

    /// Keeps the trial of group `g` in the lanes in state `which` whose residual it has lowered, and says where those
    /// lanes stand now and what part of a Newton step they take next.
    fn judge(&mut self, g: usize, y: &[V], which: State, length: &mut V) -> Result<(), Missing> {
        let ExactScratch { trial, image, best, progress, quadrature, .. } = &mut *self.scratch;
        let c = y.len();
        let trial = part(trial, g * c, c)?;
        let (error, unit) = residual(y, trial, part(image, g * c, c)?)?;
        let before = at(progress.error, g)?;
        let mut taken = [V::zero()];
        let lengths = reals(core::slice::from_mut(length));
        let states = reals(part_mut(progress.state, g, 1)?).iter_mut().zip(lengths).zip(reals(&mut taken));
        for (i, ((state, length), taken)) in states.enumerate() {
            if *state != which.real() {
                continue;
            }
            let [error, before, unit] = [error, before, unit].map(|v| v.lane(i).to_f64());
            let (next, part) = match which {
                State::Open => (iteration(error, before, unit), length.to_f64()),
                _ => newton_iteration(error, before, unit, length.to_f64()),
            };
            (*state, *length) = (next.real(), V::Real::from_f64(part));
            *taken = V::Real::from_f64(if error < before { 1.0 } else { 0.0 });
        }
        let [taken] = taken;
        take(taken, part_mut(best, g * c, c)?, trial)?;
        take(taken, part_mut(progress.error, g, 1)?, &[error])?;
        take(taken, part_mut(progress.quadrature, g, 1)?, part(quadrature, g, 1)?)
    }

    /// Replaces y by the solutions and adds their part of the log-determinant.
    fn finish(
        &mut self,
        first: usize,
        kind: LogDet,
        y: &mut [V],
        log_det: &mut [V],
        end: V::Real,
    ) -> Result<(), Missing> {
        let c = self.scratch.shape.coordinates();
        let ExactScratch { tangent, image, best, progress, failed, .. } = &mut *self.scratch;
        let groups = log_det.len();
        let failed = reals(part_mut(failed, first, groups)?);
        for (state, failed) in reals(part_mut(progress.state, 0, groups)?).iter().zip(failed) {
            if *state == State::Failed.real() && failed.to_f64() < 0.0 {
                *failed = end;
            }
        }
        copy(part(best, 0, y.len())?, y)?;
        match kind {
            LogDet::Trace => subtract(log_det, part(progress.quadrature, 0, groups)?),
            LogDet::Jacobian => {
                let image = part_mut(image, 0, groups * c)?;
                copy(y, image)?;
                let linear = tangent.step(self.field, self.there, image)?;
                for (g, log_det) in log_det.iter_mut().enumerate() {
                    *log_det -= tangent.factor(&linear, self.there.0, g)?.log_abs_determinant();
                }
                Ok(())
            }
        }
    }
}

/// What the fixed-point iteration makes of a lane's residual, the least one before, and the unit of both.
fn iteration(error: f64, before: f64, unit: f64) -> State {
    let least = if error < before { error } else { before };
    let shrinks = error < 0.5 * before;
    if least <= SETTLED * unit || !shrinks && least <= NOISE * unit {
        State::Solved
    } else if shrinks {
        State::Open
    } else {
        State::Stuck
    }
}

/// As [`iteration`] for Newton's, which took the part `length` of its step; also the part that it takes next.
fn newton_iteration(error: f64, before: f64, unit: f64, length: f64) -> (State, f64) {
    if iteration(error, before, unit) == State::Solved {
        return (State::Solved, length);
    }
    let length = if error < before { (2.0 * length).min(1.0) } else { 0.5 * length };
    (if length < SHORTEST { State::Failed } else { State::Stuck }, length)
}

/// The largest coordinate of |image - y|, NaN where any is, and the unit in which rounding is measured.
fn residual<V: Lanes>(y: &[V], x: &[V], image: &[V]) -> Result<(V, V), Missing> {
    check(x.len() == y.len() && image.len() == y.len())?;
    let ulp = 1.0 / (1_u64 << V::Real::MANTISSA_BITS) as f64;
    V::vectorize(
        #[inline(always)]
        || {
            let (mut largest, mut size, mut not_finite) = (V::zero(), V::zero(), V::zero());
            for ((&y, &x), &image) in y.iter().zip(x).zip(image) {
                let difference = image - y;
                not_finite += difference * V::zero();
                largest = larger(largest, difference.magnitude());
                size = larger(larger(size, y.magnitude()), x.magnitude());
            }
            Ok((largest + not_finite, V::constant(ulp) * size))
        },
    )
}

#[inline(always)]
fn larger<V: Lanes>(a: V, b: V) -> V {
    a.select_less(b, b, a)
}

/// The lanes of vectors one after the other.
fn reals<V: Lanes>(vectors: &mut [V]) -> &mut [V::Real] {
    bytemuck::cast_slice_mut(vectors)
}

/// Lanes in one state go to another.
fn replace<V: Lanes>(states: &mut [V], from: State, to: State) {
    for state in reals(states) {
        if *state == from.real() {
            *state = to.real();
        }
    }
}

/// Replaces `old` by `new` where `taken` is 1.
fn take<V: Lanes>(taken: V, old: &mut [V], new: &[V]) -> Result<(), Missing> {
    check(old.len() == new.len())?;
    V::vectorize(
        #[inline(always)]
        || {
            for (old, &new) in old.iter_mut().zip(new) {
                *old = V::zero().select_less(taken, new, *old);
            }
        },
    );
    Ok(())
}

/// Adds a - b to `sum`.
fn add_difference<V: Lanes>(sum: &mut [V], a: &[V], b: &[V]) -> Result<(), Missing> {
    check(a.len() == sum.len() && b.len() == sum.len())?;
    V::vectorize(
        #[inline(always)]
        || {
            for ((sum, &a), &b) in sum.iter_mut().zip(a).zip(b) {
                *sum += a - b;
            }
        },
    );
    Ok(())
}

/// Turns `d` into x - length d.
fn subtract_from<V: Lanes>(x: &[V], length: V, d: &mut [V]) -> Result<(), Missing> {
    check(x.len() == d.len())?;
    V::vectorize(
        #[inline(always)]
        || {
            for (d, &x) in d.iter_mut().zip(x) {
                *d = x - length * *d;
            }
        },
    );
    Ok(())
}

/// Subtracts `other` from `sum`.
fn subtract<V: Lanes>(sum: &mut [V], other: &[V]) -> Result<(), Missing> {
    check(sum.len() == other.len())?;
    V::vectorize(
        #[inline(always)]
        || {
            for (sum, &other) in sum.iter_mut().zip(other) {
                *sum -= other;
            }
        },
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_residual_is_none_when_it_is_rounding_and_does_not_shrink() {
        let unit = 1e-16;
        for (error, before, want) in [
            (1e-16, f64::INFINITY, State::Solved),
            (1e-3, f64::INFINITY, State::Open),
            (1e-4, 1e-3, State::Open),
            (6e-4, 1e-3, State::Stuck),
            (2e-14, 1e-3, State::Open),
            (2e-14, 2e-14, State::Solved),
            (3e-14, 3e-14, State::Stuck),
            (1.0, 2e-14, State::Solved),
            (f64::NAN, 2e-14, State::Solved),
            (f64::NAN, 1e-3, State::Stuck),
            (f64::NAN, f64::INFINITY, State::Stuck),
            (f64::INFINITY, f64::INFINITY, State::Stuck),
        ] {
            assert!(iteration(error, before, unit) == want, "{error} {before}");
        }
        assert!(iteration(0.0, f64::INFINITY, 0.0) == State::Solved);
    }

    #[test]
    fn newton_steps_are_halved_until_they_are_too_short() {
        let (mut length, mut state, mut halvings) = (1.0, State::Stuck, 0);
        while state == State::Stuck {
            (state, length) = newton_iteration(f64::NAN, 1.0, 1e-16, length);
            halvings += 1;
        }
        assert!(state == State::Failed && halvings == 20);
        let (state, length) = newton_iteration(0.9, 1.0, 1e-16, 0.25);
        assert!(state == State::Stuck && length == 0.5);
    }

    #[test]
    fn residuals_see_nan_in_any_coordinate() {
        let x = [1.0, 2.0, -4.0];
        let (error, unit) = residual(&x, &x, &[1.0, 2.5, -4.0]).unwrap();
        assert_eq!((error, unit), (0.5, 4.0 * f64::EPSILON));
        for i in 0..3 {
            for bad in [f64::NAN, f64::INFINITY] {
                let mut image = x;
                image[i] = bad;
                assert!(residual(&x, &x, &image).unwrap().0.is_nan());
            }
        }
    }
}
