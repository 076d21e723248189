//! The classical 4th-order Runge-Kutta step, its adjoint, and a fixed grid of them.
//!
//! With n steps there are 2 n + 1 stage times: step k runs from stage 2k over 2k + 1 to 2k + 2, or back.
//! The log-determinant is the same quadrature of the divergence (the `trace` rung of exactness).

use crate::lanes::{Lanes, Real};

/// A field that is known at the stage times of a fixed grid.
pub trait StageField<V: Lanes> {
    /// Writes the velocity at `x` and returns its divergence.
    fn evaluate(&mut self, stage: usize, x: &[V], v: &mut [V]) -> V;
}

/// A [`StageField`] that can be differentiated.
pub trait StageTranspose<V: Lanes>: StageField<V> {
    /// Writes to `x_bar` the gradient in `x` of `v_bar . v(x) + div_bar div v(x)`.
    fn transpose(&mut self, stage: usize, x: &[V], v_bar: &[V], div_bar: V, x_bar: &mut [V]);
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
    fn step(&self, k: usize) -> (R, [usize; 3]) {
        match self.direction {
            Direction::Forward => (self.step_lengths[k], [2 * k, 2 * k + 1, 2 * k + 2]),
            Direction::Backward => {
                let k = self.steps() - 1 - k;
                (-self.step_lengths[k], [2 * k + 2, 2 * k + 1, 2 * k])
            }
        }
    }
}

/// Positions, velocities and divergences of the four stages of one step.
#[derive(Debug)]
pub struct Stages<'a, V> {
    coordinates: usize,
    positions: &'a mut [V],
    velocities: &'a mut [V],
    divergences: [V; 4],
}

impl<'a, V: Lanes> Stages<'a, V> {
    /// Vectors that [`Stages::carve`] takes for samples of `coordinates` reals.
    pub const fn extent(coordinates: usize) -> usize {
        8 * coordinates
    }

    /// Takes the stages from the front of `memory` and returns the rest.
    pub fn carve(coordinates: usize, memory: &'a mut [V]) -> (Self, &'a mut [V]) {
        let (positions, memory) = memory.split_at_mut(4 * coordinates);
        let (velocities, memory) = memory.split_at_mut(4 * coordinates);
        (Stages { coordinates, positions, velocities, divergences: [V::zero(); 4] }, memory)
    }

    fn position(&self, s: usize) -> &[V] {
        &self.positions[s * self.coordinates..(s + 1) * self.coordinates]
    }

    fn velocity(&self, s: usize) -> &[V] {
        &self.velocities[s * self.coordinates..(s + 1) * self.coordinates]
    }

    /// Evaluates the four stages from `x`.
    fn fill(&mut self, field: &mut impl StageField<V>, h: V, stages: [usize; 3], x: &[V]) {
        let n = self.coordinates;
        let half = V::constant(0.5) * h;
        self.positions[..n].copy_from_slice(x);
        for (s, (stage, reach)) in
            [(stages[0], half), (stages[1], half), (stages[1], h), (stages[2], h)].into_iter().enumerate()
        {
            let (position, velocity) = (&self.positions[s * n..], &mut self.velocities[s * n..(s + 1) * n]);
            self.divergences[s] = field.evaluate(stage, &position[..n], velocity);
            if s < 3 {
                let next = &mut self.positions[(s + 1) * n..(s + 2) * n];
                for ((next, &x), &k) in next.iter_mut().zip(x).zip(&*velocity) {
                    *next = x + reach * k;
                }
            }
        }
    }

    /// k1 + 2 k2 + 2 k3 + k4 of coordinate `c`.
    fn weighted_velocity(&self, c: usize) -> V {
        let n = self.coordinates;
        let k = &self.velocities;
        let middle = k[n + c] + k[2 * n + c];
        (k[c] + k[3 * n + c]) + (middle + middle)
    }

    fn weighted_divergence(&self) -> V {
        let [l1, l2, l3, l4] = self.divergences;
        (l1 + l4) + ((l2 + l3) + (l2 + l3))
    }
}

/// Walks the grid: `x` becomes the end point, the returned vector is the log-determinant.
///
/// `before_step(k, x)` sees the state from which the `k`-th step to be taken starts. `stages` is scratch.
pub fn solve<V: Lanes>(
    field: &mut impl StageField<V>,
    grid: Grid<'_, V::Real>,
    x: &mut [V],
    stages: &mut Stages<'_, V>,
    mut before_step: impl FnMut(usize, &[V]),
) -> V {
    let mut log_det = V::zero();
    for k in 0..grid.steps() {
        before_step(k, x);
        let (h, indices) = grid.step(k);
        let h = V::splat(h);
        stages.fill(field, h, indices, x);
        let sixth = h * V::constant(1.0 / 6.0);
        for (c, x) in x.iter_mut().enumerate() {
            *x += sixth * stages.weighted_velocity(c);
        }
        log_det += sixth * stages.weighted_divergence();
    }
    log_det
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

/// Scratch of [`adjoint`].
#[derive(Debug)]
pub struct AdjointScratch<'a, V> {
    stages: Stages<'a, V>,
    velocity_bar: &'a mut [V],
    position_bar: &'a mut [V],
    sum: &'a mut [V],
}

impl<'a, V: Lanes> AdjointScratch<'a, V> {
    /// Vectors that [`AdjointScratch::carve`] takes.
    pub const fn extent(coordinates: usize) -> usize {
        Stages::<V>::extent(coordinates) + 3 * coordinates
    }

    /// Takes the scratch from the front of `memory` and returns the rest.
    pub fn carve(coordinates: usize, memory: &'a mut [V]) -> (Self, &'a mut [V]) {
        let (stages, memory) = Stages::carve(coordinates, memory);
        let (velocity_bar, memory) = memory.split_at_mut(coordinates);
        let (position_bar, memory) = memory.split_at_mut(coordinates);
        let (sum, memory) = memory.split_at_mut(coordinates);
        (AdjointScratch { stages, velocity_bar, position_bar, sum }, memory)
    }
}

/// Exact gradient of a function of the end point, the log-determinant and the penalties.
///
/// `x_bar` enters as the cotangent of the end point and leaves as that of the start; `log_det_bar` is the
/// cotangent of the log-determinant. `start_of_step(k)` is the state that [`solve`] passed to `before_step(k)`;
/// the four stages are recomputed from it, so memory is one state a step. Returns the penalties' value.
pub fn adjoint<'t, V: Lanes>(
    field: &mut impl StageTranspose<V>,
    grid: Grid<'_, V::Real>,
    start_of_step: impl Fn(usize) -> &'t [V],
    x_bar: &mut [V],
    log_det_bar: V,
    penalty: Penalty<V>,
    scratch: &mut AdjointScratch<'_, V>,
) -> V {
    let mut penalties = V::zero();
    for k in (0..grid.steps()).rev() {
        let (h, indices) = grid.step(k);
        scratch.stages.fill(field, V::splat(h), indices, start_of_step(k));
        penalties += scratch.penalty_value(V::splat(h), penalty);
        adjoint_step(field, V::splat(h), indices, x_bar, log_det_bar, penalty, scratch);
    }
    penalties
}

/// Quadrature weights of the stages in units of h/6, and the signs of k1 - k2 - k3 + k4.
const QUADRATURE: [f64; 4] = [1.0, 2.0, 2.0, 1.0];
const ERROR_SIGN: [f64; 4] = [1.0, -1.0, -1.0, 1.0];

impl<V: Lanes> AdjointScratch<'_, V> {
    /// h/6 (k1 - k2 - k3 + k4) of coordinate `c`.
    fn velocity_error(&self, sixth: V, c: usize) -> V {
        let [k1, k2, k3, k4] = [0, 1, 2, 3].map(|s| self.stages.velocity(s)[c]);
        sixth * ((k1 - k2) - (k3 - k4))
    }

    fn divergence_error(&self, sixth: V) -> V {
        let [l1, l2, l3, l4] = self.stages.divergences;
        sixth * ((l1 - l2) - (l3 - l4))
    }

    fn penalty_value(&self, h: V, penalty: Penalty<V>) -> V {
        let sixth = h * V::constant(1.0 / 6.0);
        let magnitude = sixth.select_less(V::zero(), -sixth, sixth);
        let e_l = self.divergence_error(sixth);
        let (mut kinetic, mut error) = (V::zero(), e_l * e_l);
        for c in 0..self.stages.coordinates {
            let e_x = self.velocity_error(sixth, c);
            error += e_x * e_x;
            for (s, weight) in QUADRATURE.into_iter().enumerate() {
                let k = self.stages.velocity(s)[c];
                kinetic += V::constant(weight) * (k * k);
            }
        }
        penalty.kinetic * (magnitude * kinetic) + penalty.step_error * error
    }
}

fn adjoint_step<V: Lanes>(
    field: &mut impl StageTranspose<V>,
    h: V,
    [first, middle, last]: [usize; 3],
    x_bar: &mut [V],
    log_det_bar: V,
    penalty: Penalty<V>,
    scratch: &mut AdjointScratch<'_, V>,
) {
    let sixth = h * V::constant(1.0 / 6.0);
    let magnitude = sixth.select_less(V::zero(), -sixth, sixth);
    let two = V::constant(2.0);
    let error_bar = two * penalty.step_error * sixth;
    let half = V::constant(0.5) * h;
    scratch.position_bar.fill(V::zero());
    scratch.sum.copy_from_slice(x_bar);
    // Stage s feeds the position of stage s + 1 with this length.
    let reach = [half, half, h, V::zero()];
    for (s, stage) in [first, middle, middle, last].into_iter().enumerate().rev() {
        let quadrature = V::constant(QUADRATURE[s]);
        let sign = V::constant(ERROR_SIGN[s]);
        let kinetic_bar = two * penalty.kinetic * (magnitude * quadrature);
        for c in 0..x_bar.len() {
            let e_x = scratch.velocity_error(sixth, c);
            scratch.velocity_bar[c] = quadrature * sixth * x_bar[c]
                + reach[s] * scratch.position_bar[c]
                + kinetic_bar * scratch.stages.velocity(s)[c]
                + sign * (error_bar * e_x);
        }
        let div_bar = quadrature * sixth * log_det_bar + sign * (error_bar * scratch.divergence_error(sixth));
        field.transpose(
            stage,
            scratch.stages.position(s),
            scratch.velocity_bar,
            div_bar,
            scratch.position_bar,
        );
        for (sum, &bar) in scratch.sum.iter_mut().zip(&*scratch.position_bar) {
            *sum += bar;
        }
    }
    x_bar.copy_from_slice(scratch.sum);
}
