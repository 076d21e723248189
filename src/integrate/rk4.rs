//! The classical 4th-order Runge-Kutta step, its adjoint, and a fixed grid of them.
//!
//! With n steps there are 2 n + 1 stage times: step k runs from stage 2k over 2k + 1 to 2k + 2, or back.
//! The log-determinant is the same quadrature of the divergence (the `trace` rung of exactness).
//!
//! States are `[groups][coordinates]` vectors: a group is one vector of samples, and a stage is evaluated for all
//! groups before the next, so that what belongs to a stage stays in the cache. Divergences are `[groups]`.

use crate::error::Missing;
use crate::lanes::{Lanes, Real, at, at_mut, check, copy, part, part_mut, split, split_each};

/// A field that is known at the stage times of a fixed grid.
pub trait StageField<V: Lanes> {
    /// Writes the velocity at `x` (both `[groups][coordinates]`) and its divergence (`[groups]`).
    ///
    /// # Errors
    /// Where there is no such stage, or lengths do not fit together.
    fn evaluate(&mut self, stage: usize, x: &[V], v: &mut [V], div: &mut [V]) -> Result<(), Missing>;
}

/// A [`StageField`] that can be differentiated.
pub trait StageTranspose<V: Lanes>: StageField<V> {
    /// Writes to `x_bar` the gradient in `x` of `v_bar . v(x) + div_bar div v(x)`; shapes as in
    /// [`StageField::evaluate`].
    ///
    /// # Errors
    /// Those of [`StageField::evaluate`].
    fn transpose(
        &mut self,
        stage: usize,
        x: &[V],
        v_bar: &[V],
        div_bar: &[V],
        x_bar: &mut [V],
    ) -> Result<(), Missing>;

    /// As [`StageTranspose::transpose`] for a field with a running cost of its own, whose integral over time is part of
    /// what [`adjoint`] differentiates: `share` is this stage's weight in the quadrature. A field without one leaves
    /// this as it is.
    ///
    /// # Errors
    /// Those of [`StageField::evaluate`].
    fn transpose_with_cost(
        &mut self,
        (stage, _share): (usize, V),
        x: &[V],
        v_bar: &[V],
        div_bar: &[V],
        x_bar: &mut [V],
    ) -> Result<(), Missing> {
        self.transpose(stage, x, v_bar, div_bar, x_bar)
    }
}

/// Which way along the grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From t = 0 to t = 1: latent to configuration.
    Forward,
    /// From t = 1 to t = 0.
    Backward,
}

/// A fixed grid: the lengths of its steps in time order.
#[derive(Clone, Copy, Debug)]
pub struct Grid<'a, R> {
    /// t_{k+1} - t_k > 0.
    pub step_lengths: &'a [R],
    /// Which way it is walked.
    pub direction: Direction,
}

impl<R: Real> Grid<'_, R> {
    /// Number of steps.
    pub fn steps(&self) -> usize {
        self.step_lengths.len()
    }

    /// The signed length and the three stages of the `k`-th step to be taken.
    pub(super) fn step(&self, k: usize) -> Result<(R, [usize; 3]), Missing> {
        match self.direction {
            Direction::Forward => Ok((at(self.step_lengths, k)?, [2 * k, 2 * k + 1, 2 * k + 2])),
            Direction::Backward => {
                let k = self.steps().wrapping_sub(k + 1);
                Ok((-at(self.step_lengths, k)?, [2 * k + 2, 2 * k + 1, 2 * k]))
            }
        }
    }
}

/// Positions, velocities and divergences of the four stages of one step.
#[derive(Debug)]
pub struct Stages<'a, V> {
    /// `[groups][coordinates]` each.
    positions: [&'a mut [V]; 4],
    /// `[groups][coordinates]` each.
    velocities: [&'a mut [V]; 4],
    /// `[groups]` each.
    divergences: [&'a mut [V]; 4],
}

impl<'a, V: Lanes> Stages<'a, V> {
    /// Vectors that [`Stages::carve`] takes.
    pub const fn extent(groups: usize, coordinates: usize) -> usize {
        groups * (8 * coordinates + 4)
    }

    /// Takes the stages from the front of `memory` and returns the rest.
    ///
    /// # Errors
    /// Where `memory` has less than the extent.
    pub fn carve(
        groups: usize,
        coordinates: usize,
        memory: &'a mut [V],
    ) -> Result<(Self, &'a mut [V]), Missing> {
        let (positions, memory) = split_each(memory, groups * coordinates)?;
        let (velocities, memory) = split_each(memory, groups * coordinates)?;
        let (divergences, memory) = split_each(memory, groups)?;
        Ok((Stages { positions, velocities, divergences }, memory))
    }

    /// Evaluates the four stages from `x`.
    fn fill(
        &mut self,
        field: &mut impl StageField<V>,
        h: V,
        [first, middle, last]: [usize; 3],
        x: &[V],
    ) -> Result<(), Missing> {
        let half = V::constant(0.5) * h;
        let [x1, x2, x3, x4] = &mut self.positions;
        let [k1, k2, k3, k4] = &mut self.velocities;
        let [l1, l2, l3, l4] = &mut self.divergences;
        copy(x, x1)?;
        field.evaluate(first, x1, k1, l1)?;
        advance(x, half, k1, x2)?;
        field.evaluate(middle, x2, k2, l2)?;
        advance(x, half, k2, x3)?;
        field.evaluate(middle, x3, k3, l3)?;
        advance(x, h, k3, x4)?;
        field.evaluate(last, x4, k4, l4)
    }
}

/// Writes x + reach k to `next`.
fn advance<V: Lanes>(x: &[V], reach: V, k: &[V], next: &mut [V]) -> Result<(), Missing> {
    check(x.len() == next.len() && k.len() == next.len())?;
    V::vectorize(
        #[inline(always)]
        || {
            for ((next, &x), &k) in next.iter_mut().zip(x).zip(k) {
                *next = x + reach * k;
            }
        },
    );
    Ok(())
}

/// Adds h/6 (k1 + 2 k2 + 2 k3 + k4) to `sum`; `middle` is k2 + k3.
fn add_step<V: Lanes>(sum: &mut [V], sixth: V, first: &[V], middle: &[V], last: &[V]) -> Result<(), Missing> {
    check([first, middle, last].iter().all(|rate| rate.len() == sum.len()))?;
    V::vectorize(
        #[inline(always)]
        || {
            for (((sum, &first), &middle), &last) in sum.iter_mut().zip(first).zip(middle).zip(last) {
                *sum += sixth * ((first + last) + (middle + middle));
            }
        },
    );
    Ok(())
}

/// Adds `other` to `sum`.
fn add<V: Lanes>(sum: &mut [V], other: &[V]) -> Result<(), Missing> {
    check(sum.len() == other.len())?;
    V::vectorize(
        #[inline(always)]
        || {
            for (sum, &other) in sum.iter_mut().zip(other) {
                *sum += other;
            }
        },
    );
    Ok(())
}

/// h/6.
pub(super) fn sixth<V: Lanes>(h: V) -> V {
    h * V::constant(1.0 / 6.0)
}

/// What [`solve`] needs: one position, k1, k2 + k3, and the last rate.
#[derive(Debug)]
pub struct SolveScratch<'a, V> {
    position: &'a mut [V],
    velocities: [&'a mut [V]; 3],
    divergences: [&'a mut [V]; 3],
}

impl<'a, V: Lanes> SolveScratch<'a, V> {
    /// Vectors that [`SolveScratch::carve`] takes.
    pub const fn extent(groups: usize, coordinates: usize) -> usize {
        groups * (4 * coordinates + 3)
    }

    /// Takes the scratch from the front of `memory` and returns the rest.
    ///
    /// # Errors
    /// Where `memory` has less than the extent.
    pub fn carve(
        groups: usize,
        coordinates: usize,
        memory: &'a mut [V],
    ) -> Result<(Self, &'a mut [V]), Missing> {
        let (position, memory) = split(memory, groups * coordinates)?;
        let (velocities, memory) = split_each(memory, groups * coordinates)?;
        let (divergences, memory) = split_each(memory, groups)?;
        Ok((SolveScratch { position, velocities, divergences }, memory))
    }
}

/// Walks the grid: `x` (`[groups][coordinates]`) becomes the end point, `log_det` (`[groups]`) the log-determinant.
///
/// `before_step(k, x)` sees the state from which the `k`-th step to be taken starts.
///
/// # Errors
/// Those of `field` and `before_step`, and where lengths do not fit together.
pub fn solve<V: Lanes>(
    field: &mut impl StageField<V>,
    grid: Grid<'_, V::Real>,
    x: &mut [V],
    log_det: &mut [V],
    scratch: &mut SolveScratch<'_, V>,
    mut before_step: impl FnMut(usize, &[V]) -> Result<(), Missing>,
) -> Result<(), Missing> {
    log_det.fill(V::zero());
    for k in 0..grid.steps() {
        before_step(k, x)?;
        step(grid.step(k)?, x, log_det, scratch, |_, stage, x, v, div| field.evaluate(stage, x, v, div))?;
    }
    Ok(())
}

/// One step: `x` becomes its end, and `log_det` grows by the quadrature of the divergence.
///
/// `evaluate(s, stage, x, v, div)` is [`StageField::evaluate`] for the `s`-th of the step's four stages.
pub(super) fn step<V: Lanes>(
    (h, [first, middle, last]): (V::Real, [usize; 3]),
    x: &mut [V],
    log_det: &mut [V],
    scratch: &mut SolveScratch<'_, V>,
    mut evaluate: impl FnMut(usize, usize, &[V], &mut [V], &mut [V]) -> Result<(), Missing>,
) -> Result<(), Missing> {
    let (n, groups) = (x.len(), log_det.len());
    let [k1, k2, k3] = &mut scratch.velocities;
    let (k1, k2, k3) = (part_mut(k1, 0, n)?, part_mut(k2, 0, n)?, part_mut(k3, 0, n)?);
    let [l1, l2, l3] = &mut scratch.divergences;
    let (l1, l2, l3) = (part_mut(l1, 0, groups)?, part_mut(l2, 0, groups)?, part_mut(l3, 0, groups)?);
    let position = part_mut(scratch.position, 0, n)?;
    let h = V::splat(h);
    let half = V::constant(0.5) * h;
    evaluate(0, first, x, k1, l1)?;
    advance(x, half, k1, position)?;
    evaluate(1, middle, position, k2, l2)?;
    advance(x, half, k2, position)?;
    evaluate(2, middle, position, k3, l3)?;
    advance(x, h, k3, position)?;
    add(k2, k3)?;
    add(l2, l3)?;
    evaluate(3, last, position, k3, l3)?;
    add_step(x, sixth(h), k1, k2, k3)?;
    add_step(log_det, sixth(h), l1, l2, l3)
}

/// As [`solve`], keeping all four stages of every step on `tape` (`[steps]` times [`Stages::extent`]), so that
/// [`adjoint`] need not evaluate them again.
///
/// # Errors
/// Those of [`solve`].
pub fn solve_taped<V: Lanes>(
    field: &mut impl StageField<V>,
    grid: Grid<'_, V::Real>,
    x: &mut [V],
    log_det: &mut [V],
    mut tape: &mut [V],
) -> Result<(), Missing> {
    let groups = log_det.len();
    let coordinates = x.len().checked_div(groups).ok_or(Missing)?;
    log_det.fill(V::zero());
    for k in 0..grid.steps() {
        let (h, indices) = grid.step(k)?;
        let h = V::splat(h);
        let mut stages;
        (stages, tape) = Stages::carve(groups, coordinates, tape)?;
        stages.fill(field, h, indices, x)?;
        add_stages(x, sixth(h), &stages.velocities)?;
        add_stages(log_det, sixth(h), &stages.divergences)?;
    }
    Ok(())
}

/// Adds h/6 (k1 + 2 k2 + 2 k3 + k4) to `sum`, with the bits of [`solve`].
fn add_stages<V: Lanes>(
    sum: &mut [V],
    sixth: V,
    [first, second, third, fourth]: &[&mut [V]; 4],
) -> Result<(), Missing> {
    check([first, second, third, fourth].iter().all(|rate| rate.len() == sum.len()))?;
    V::vectorize(
        #[inline(always)]
        || {
            for c in 0..sum.len() {
                let middle = second[c] + third[c];
                sum[c] += sixth * ((first[c] + fourth[c]) + (middle + middle));
            }
        },
    );
    Ok(())
}

/// What a solution has left behind for [`adjoint`].
#[derive(Debug)]
pub enum Tape<'a, V> {
    /// The state before each step ([`solve`]'s `before_step`), `[steps][groups][coordinates]`: least memory, and the
    /// stages are evaluated once more.
    Starts(&'a [V]),
    /// All stages ([`solve_taped`]).
    Stages(&'a mut [V]),
}

/// Weights of the two running penalties of training; both zero for a plain gradient.
///
/// kinetic * integral of |v|^2 dt (by the same quadrature) and step_error * sum over steps of
/// (e_l^2 + |e_x|^2), e = h/6 (k1 - k2 - k3 + k4) for the log-determinant's rate and the velocity: the step's
/// own estimate of its error, which keeps the optimiser from exploiting the discretisation.
#[derive(Clone, Copy, Debug, Default)]
pub struct Penalty<V> {
    /// Weight of the kinetic energy.
    pub kinetic: V,
    /// Weight of the squared step errors.
    pub step_error: V,
}

/// What a group's penalties add up to.
#[derive(Clone, Copy, Debug, Default)]
pub struct PenaltyValue<V> {
    /// With their weights.
    pub weighted: V,
    /// The sum of the squared step errors as it is.
    pub step_error: V,
}

/// The penalties of all groups, `[groups]` each.
#[derive(Debug)]
pub struct Penalties<'a, V> {
    /// Their weights.
    pub weights: &'a [Penalty<V>],
    /// Where they are added.
    pub values: &'a mut [PenaltyValue<V>],
}

/// Scratch of [`adjoint`].
#[derive(Debug)]
pub struct AdjointScratch<'a, V> {
    stages: Stages<'a, V>,
    bars: Bars<'a, V>,
}

/// Cotangents within a step.
#[derive(Debug)]
struct Bars<'a, V> {
    velocity_bar: &'a mut [V],
    position_bar: &'a mut [V],
    sum: &'a mut [V],
    div_bar: &'a mut [V],
}

impl<'a, V: Lanes> AdjointScratch<'a, V> {
    /// Vectors that [`AdjointScratch::carve`] takes.
    pub const fn extent(groups: usize, coordinates: usize) -> usize {
        Stages::<V>::extent(groups, coordinates) + groups * (3 * coordinates + 1)
    }

    /// Takes the scratch from the front of `memory` and returns the rest.
    ///
    /// # Errors
    /// Where `memory` has less than the extent.
    pub fn carve(
        groups: usize,
        coordinates: usize,
        memory: &'a mut [V],
    ) -> Result<(Self, &'a mut [V]), Missing> {
        let (stages, memory) = Stages::carve(groups, coordinates, memory)?;
        let ([velocity_bar, position_bar, sum], memory) = split_each(memory, groups * coordinates)?;
        let (div_bar, memory) = split(memory, groups)?;
        let bars = Bars { velocity_bar, position_bar, sum, div_bar };
        Ok((AdjointScratch { stages, bars }, memory))
    }
}

/// The two ends of a chain of cotangents.
#[derive(Debug)]
pub struct Cotangents<'a, V> {
    /// Of the end point on entry, of the start on return; `[groups][coordinates]`.
    pub x: &'a mut [V],
    /// Of the log-determinant, `[groups]`.
    pub log_det: &'a [V],
}

/// Exact gradient of a function of the end point, the log-determinant and the penalties.
///
/// # Errors
/// Those of `field`, and where lengths do not fit together.
pub fn adjoint<V: Lanes>(
    field: &mut impl StageTranspose<V>,
    grid: Grid<'_, V::Real>,
    mut tape: Tape<'_, V>,
    bar: Cotangents<'_, V>,
    penalties: Option<Penalties<'_, V>>,
    scratch: &mut AdjointScratch<'_, V>,
) -> Result<(), Missing> {
    let Cotangents { x: x_bar, log_det: log_det_bar } = bar;
    let (n, groups) = (x_bar.len(), log_det_bar.len());
    let coordinates = n.checked_div(groups).ok_or(Missing)?;
    let extent = Stages::<V>::extent(groups, coordinates);
    let AdjointScratch { stages, bars } = scratch;
    let (weights, mut values) = penalties.map(|all| (all.weights, all.values)).unzip();
    for k in (0..grid.steps()).rev() {
        let (h, indices) = grid.step(k)?;
        let h = V::splat(h);
        let taped;
        let stages = match &mut tape {
            Tape::Starts(starts) => {
                stages.fill(field, h, indices, part(starts, k * n, n)?)?;
                &*stages
            }
            Tape::Stages(all) => {
                (taped, _) = Stages::carve(groups, coordinates, part_mut(all, k * extent, extent)?)?;
                &taped
            }
        };
        if let (Some(weights), Some(values)) = (weights, values.as_deref_mut()) {
            add_penalties(stages, h, weights, values)?;
        }
        bars.step(field, stages, h, indices, x_bar, log_det_bar, weights)?;
    }
    Ok(())
}

/// As [`adjoint`] for the `k`-th step to be taken alone, from its start `x`.
pub(super) fn adjoint_step<V: Lanes>(
    field: &mut impl StageTranspose<V>,
    (h, indices): (V::Real, [usize; 3]),
    x: &[V],
    bar: Cotangents<'_, V>,
    scratch: &mut AdjointScratch<'_, V>,
) -> Result<(), Missing> {
    let AdjointScratch { stages, bars } = scratch;
    let h = V::splat(h);
    stages.fill(field, h, indices, x)?;
    bars.step(field, stages, h, indices, bar.x, bar.log_det, None)
}

/// Quadrature weights of the stages in units of h/6, and the signs of k1 - k2 - k3 + k4.
const QUADRATURE: [f64; 4] = [1.0, 2.0, 2.0, 1.0];
const ERROR_SIGN: [f64; 4] = [1.0, -1.0, -1.0, 1.0];

/// h/6 (k1 - k2 - k3 + k4) of element `c`.
#[inline(always)]
fn step_error<V: Lanes>(rates: &[&mut [V]; 4], sixth: V, c: usize) -> Result<V, Missing> {
    let [k1, k2, k3, k4] = rates.each_ref().map(|k| at(k, c));
    Ok(sixth * ((k1? - k2?) - (k3? - k4?)))
}

/// Adds each group's penalties of one step to `values`.
fn add_penalties<V: Lanes>(
    stages: &Stages<'_, V>,
    h: V,
    weights: &[Penalty<V>],
    values: &mut [PenaltyValue<V>],
) -> Result<(), Missing> {
    let coordinates = stages.velocities[0].len().checked_div(values.len()).ok_or(Missing)?;
    V::vectorize(
        #[inline(always)]
        || {
            let sixth = sixth(h);
            for (g, (weight, value)) in weights.iter().zip(values).enumerate() {
                let e_l = step_error(&stages.divergences, sixth, g)?;
                let (mut kinetic, mut error) = (V::zero(), e_l * e_l);
                for c in g * coordinates..(g + 1) * coordinates {
                    let e_x = step_error(&stages.velocities, sixth, c)?;
                    error += e_x * e_x;
                    for (velocity, weight) in stages.velocities.iter().zip(QUADRATURE) {
                        let k = at(velocity, c)?;
                        kinetic += V::constant(weight) * (k * k);
                    }
                }
                value.weighted += weight.kinetic * (sixth.magnitude() * kinetic) + weight.step_error * error;
                value.step_error += error;
            }
            Ok(())
        },
    )
}

impl<V: Lanes> Bars<'_, V> {
    /// Takes the cotangents of one step's end to its start.
    #[allow(clippy::too_many_arguments)]
    fn step(
        &mut self,
        field: &mut impl StageTranspose<V>,
        stages: &Stages<'_, V>,
        h: V,
        [first, middle, last]: [usize; 3],
        x_bar: &mut [V],
        log_det_bar: &[V],
        weights: Option<&[Penalty<V>]>,
    ) -> Result<(), Missing> {
        let half = V::constant(0.5) * h;
        self.position_bar.fill(V::zero());
        copy(x_bar, self.sum)?;
        // Stage s feeds the position of stage s + 1 with this length.
        let reach = [half, half, h, V::zero()];
        let stage_of = [first, middle, middle, last];
        for s in (0..4).rev() {
            let (stage, position) = (at(&stage_of, s)?, stages.positions.get(s).ok_or(Missing)?);
            let (quadrature, reach) = (V::constant(at(&QUADRATURE, s)?) * sixth(h), at(&reach, s)?);
            combine(self.velocity_bar, [quadrature, reach], [x_bar, self.position_bar])?;
            combine(self.div_bar, [quadrature, V::zero()], [log_det_bar, log_det_bar])?;
            if let Some(weights) = weights {
                self.add_penalty_cotangents(stages, s, h, weights)?;
            }
            let stage = (stage, quadrature.magnitude());
            field.transpose_with_cost(stage, position, self.velocity_bar, self.div_bar, self.position_bar)?;
            add(self.sum, self.position_bar)?;
        }
        copy(self.sum, x_bar)
    }

    /// Adds the penalties' part to the cotangents of stage `s`.
    fn add_penalty_cotangents(
        &mut self,
        stages: &Stages<'_, V>,
        s: usize,
        h: V,
        weights: &[Penalty<V>],
    ) -> Result<(), Missing> {
        let coordinates = self.sum.len().checked_div(self.div_bar.len()).ok_or(Missing)?;
        let velocity = stages.velocities.get(s).ok_or(Missing)?;
        let [quadrature, sign] = [at(&QUADRATURE, s)?, at(&ERROR_SIGN, s)?].map(V::constant);
        V::vectorize(
            #[inline(always)]
            || {
                let (sixth, two) = (sixth(h), V::constant(2.0));
                for (g, weight) in weights.iter().enumerate() {
                    let error_bar = two * weight.step_error * sixth;
                    let kinetic_bar = two * weight.kinetic * (sixth.magnitude() * quadrature);
                    for c in g * coordinates..(g + 1) * coordinates {
                        let e_x = step_error(&stages.velocities, sixth, c)?;
                        *at_mut(self.velocity_bar, c)? +=
                            kinetic_bar * at(velocity, c)? + sign * (error_bar * e_x);
                    }
                    let e_l = step_error(&stages.divergences, sixth, g)?;
                    *at_mut(self.div_bar, g)? += sign * (error_bar * e_l);
                }
                Ok(())
            },
        )
    }
}

/// Writes a u + b v.
fn combine<V: Lanes>(to: &mut [V], [a, b]: [V; 2], [u, v]: [&[V]; 2]) -> Result<(), Missing> {
    check(u.len() == to.len() && v.len() == to.len())?;
    V::vectorize(
        #[inline(always)]
        || {
            for ((to, &u), &v) in to.iter_mut().zip(u).zip(v) {
                *to = a * u + b * v;
            }
        },
    );
    Ok(())
}
