//! Hamiltonian Monte Carlo and, as its shortest trajectory, the Metropolis-adjusted Langevin algorithm.

use super::chains::{Chains, Draws, proposals_extent, take_blocks, take_reals};
use super::metropolis::check_step_size;
use crate::error::{Argument, Error, Missing, Status};
use crate::field::Shape;
use crate::flow::check_finite;
use crate::lanes::{Block, Real, at, copy, part, part_mut};
use crate::particles::remove_com;

/// How far the trajectories of a Hamiltonian step go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Leapfrog<R> {
    /// Time step, in the unit of length (masses are 1, energies in kT); above 0.
    pub step_size: R,
    /// Leapfrog steps of a trajectory, at least 1; each takes one call of the gradients.
    pub steps: usize,
}

impl<R: Real> Leapfrog<R> {
    pub(super) fn check(&self) -> Result<(), Error> {
        check_step_size(self.step_size)?;
        if self.steps == 0 { Err(Error::new(Status::Argument, Argument::Steps, 0.0)) } else { Ok(()) }
    }
}

/// Blocks of workspace that [`hmc`] and [`mala`] take for `n` chains.
///
/// # Errors
/// [`Status::Shape`] where the size overflows.
pub fn hmc_extent<R: Real>(shape: Shape, n: usize) -> Result<usize, Error> {
    proposals_extent::<R>(n, Trajectories::<R>::each(shape))
}

/// One step of Hamiltonian Monte Carlo (Duane, Kennedy, Pendleton, Roweth 1987; Neal 2011) of many chains: momenta p are
/// standard normal on the zero-CoM subspace, (x, p) follows H = u(x) + |p|^2/2 for `leapfrog.steps` leapfrog steps of
/// length `leapfrog.step_size`, and the end is accepted with probability min(1, exp(-change of H)).
///
/// The leapfrog is reversible and keeps volumes to rounding, so exp(-u) is invariant whatever the step size is.
/// `grad` (`[n][N][D]`) is the gradient of u at `chains.x`, updated with them; only its part without centre of mass
/// counts, and is left. `gradients(x, u, grad)` is called `leapfrog.steps` times for all chains at once: it writes u,
/// `[n]`, in units of kT, and its gradient, `[n][N][D]`, for positions `[n][N][D]` of zero centre of mass. A chain that meets
/// an energy or a gradient that is not finite, or is not written, on its way stays where it is; the further calls see its
/// start in its place. Cost besides those calls: (N D + 1) random numbers a chain.
///
/// # Errors
/// [`Status::Shape`] for lengths, [`Status::NonFinite`] for `chains.x`, `chains.u`, `grad` and the step size,
/// [`Status::Argument`] for a step size that is not above 0 and for no steps, [`Status::Workspace`] (the value is what it
/// takes), and what `gradients` returns. No chain has changed then.
pub fn hmc<R: Real>(
    shape: Shape,
    leapfrog: Leapfrog<R>,
    draws: Draws,
    mut chains: Chains<'_, R>,
    grad: &mut [R],
    gradients: impl FnMut(&[R], &mut [R], &mut [R]) -> Result<(), Error>,
    work: &mut [Block],
) -> Result<(), Error> {
    let n = chains.check(shape)?;
    check_gradient(grad, chains.x.len(), n)?;
    leapfrog.check()?;
    if n == 0 {
        return Ok(());
    }
    let (work, _) = take_blocks(work, hmc_extent::<R>(shape, n)?)?;
    let mut ends = Trajectories::start(shape, n, &draws, chains.x, grad, Block::reals_mut(work))?;
    ends.follow(leapfrog, chains.x, gradients)?;
    let each = shape.coordinates();
    for i in 0..n {
        let change = ends.change(i, chains.energy(i));
        if chains.accept(i, &draws, change, part(ends.x, i * each, each)?, at(ends.cost, i)?)? {
            copy(part(ends.grad, i * each, each)?, part_mut(grad, i * each, each)?)?;
        }
    }
    Ok(())
}

/// One step of the Metropolis-adjusted Langevin algorithm (Roberts and Tweedie 1996) of many chains: proposals
/// x' = x - `step_size`^2/2 grad u(x) + `step_size` times a standard normal on the zero-CoM subspace.
///
/// That is [`hmc`] with one leapfrog step, whose acceptance is the same (Neal 2011, section 5.2), and so are all arguments,
/// the workspace, and errors. Cost: one gradient and (N D + 1) random numbers a chain.
///
/// # Errors
/// Those of [`hmc`].
pub fn mala<R: Real>(
    shape: Shape,
    step_size: R,
    draws: Draws,
    chains: Chains<'_, R>,
    grad: &mut [R],
    gradients: impl FnMut(&[R], &mut [R], &mut [R]) -> Result<(), Error>,
    work: &mut [Block],
) -> Result<(), Error> {
    hmc(shape, Leapfrog { step_size, steps: 1 }, draws, chains, grad, gradients, work)
}

/// Fails unless `grad` is finite and has `wanted` elements, those of `n` chains.
pub(super) fn check_gradient<R: Real>(grad: &[R], wanted: usize, n: usize) -> Result<(), Error> {
    if grad.len() != wanted {
        return Err(Error::new(Status::Shape, Argument::Gradient, n as f64));
    }
    check_finite(Argument::Gradient, grad)
}

/// The moving points of many trajectories at once.
pub(super) struct Trajectories<'w, R> {
    shape: Shape,
    /// Positions, `[n][N][D]`.
    pub x: &'w mut [R],
    momentum: &'w mut [R],
    /// Gradients at the positions, `[n][N][D]`, without centre of mass.
    pub grad: &'w mut [R],
    /// Potential energies of the positions, `[n]`.
    pub cost: &'w mut [R],
    /// Kinetic energies at the start, `[n]`; NaN for a trajectory that has been given up.
    start: &'w mut [R],
}

impl<'w, R: Real> Trajectories<'w, R> {
    /// Reals a chain.
    pub fn each(shape: Shape) -> usize {
        shape.coordinates().saturating_mul(3).saturating_add(2)
    }

    /// At `x` with momenta of the draws.
    pub fn start(
        shape: Shape,
        n: usize,
        draws: &Draws,
        x: &[R],
        grad: &[R],
        mut work: &'w mut [R],
    ) -> Result<Self, Error> {
        let mut take = |each: usize| take_reals(&mut work, n * each);
        let each = shape.coordinates();
        let (position, momentum, gradient) = (take(each)?, take(each)?, take(each)?);
        let (cost, start) = (take(1)?, take(1)?);
        copy(x, position)?;
        copy(grad, gradient)?;
        cost.fill(R::default());
        for (i, kinetic) in start.iter_mut().enumerate() {
            let p = part_mut(momentum, i * each, each)?;
            let (_, mut normals) = draws.chain(i);
            p.fill_with(|| R::from_f64(normals.next_normal()));
            remove_com(shape, p, &mut [R::default(); 3]);
            *kinetic = R::from_f64(kinetic_energy(p));
        }
        let mut all = Trajectories { shape, x: position, momentum, grad: gradient, cost, start };
        all.project();
        Ok(all)
    }

    /// Follows H; a chain that gets lost goes back to its start in `x`.
    pub fn follow(
        &mut self,
        leapfrog: Leapfrog<R>,
        x: &[R],
        mut gradients: impl FnMut(&[R], &mut [R], &mut [R]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let whole = leapfrog.step_size;
        let half = R::from_f64(0.5) * whole;
        self.kick(half);
        for step in 1..=leapfrog.steps {
            self.drift(whole);
            self.give_up_the_lost(x)?;
            self.cost.fill(R::from_f64(f64::NAN));
            self.grad.fill(R::from_f64(f64::NAN));
            gradients(self.x, self.cost, self.grad)?;
            self.give_up_the_lost(x)?;
            self.project();
            self.kick(if step < leapfrog.steps { whole } else { half });
        }
        Ok(())
    }

    /// p -= h grad u.
    fn kick(&mut self, h: R) {
        for (p, &g) in self.momentum.iter_mut().zip(&*self.grad) {
            *p -= h * g;
        }
    }

    /// x += h p.
    fn drift(&mut self, h: R) {
        let each = self.shape.coordinates();
        for (x, &p) in self.x.iter_mut().zip(&*self.momentum) {
            *x += h * p;
        }
        for x in self.x.chunks_exact_mut(each) {
            // Rounding would let the centre of mass drift, step by step.
            remove_com(self.shape, x, &mut [R::default(); 3]);
        }
    }

    /// Takes the gradients to the zero-CoM subspace.
    fn project(&mut self) {
        for grad in self.grad.chunks_exact_mut(self.shape.coordinates()) {
            remove_com(self.shape, grad, &mut [R::default(); 3]);
        }
    }

    /// Puts the trajectories with a position, energy or gradient that is not finite back to their starts in `x_start`, where
    /// they stay.
    fn give_up_the_lost(&mut self, x_start: &[R]) -> Result<(), Missing> {
        let each = self.shape.coordinates();
        for (i, kinetic) in self.start.iter_mut().enumerate() {
            let (first, u) = (i * each, at(self.cost, i)?);
            let (x, grad) = (part_mut(self.x, first, each)?, part_mut(self.grad, first, each)?);
            let (start, momentum) = (part(x_start, first, each)?, part_mut(self.momentum, first, each)?);
            let finite = |values: &[R]| values.iter().all(|value| value.is_finite());
            if kinetic.is_finite() && finite(x) && finite(grad) && u.is_finite() {
                continue;
            }
            *kinetic = R::from_f64(f64::NAN);
            copy(start, x)?;
            momentum.fill(R::default());
            grad.fill(R::default());
        }
        Ok(())
    }

    /// By how much H has risen from a start of potential energy `from`; NaN for a trajectory that was given up.
    pub fn change(&self, i: usize, from: f64) -> f64 {
        let each = self.shape.coordinates();
        let momentum = self.momentum.chunks_exact(each).nth(i).map_or(f64::NAN, kinetic_energy);
        let of = |values: &[R]| values.get(i).map_or(f64::NAN, |value| value.to_f64());
        (of(self.cost) + momentum) - (from + of(self.start))
    }
}

/// |p|^2 / 2.
fn kinetic_energy<R: Real>(p: &[R]) -> f64 {
    0.5 * p.iter().map(|p| p.to_f64() * p.to_f64()).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::potential::{DoubleWell, Potential};

    const SHAPE: Shape = Shape { particles: 3, dimension: 1 };
    const LEAPFROG: Leapfrog<f64> = Leapfrog { step_size: 0.05, steps: 17 };
    /// An orthonormal basis of the zero-CoM subspace.
    const BASIS: [[f64; 3]; 2] = [
        [core::f64::consts::FRAC_1_SQRT_2, -core::f64::consts::FRAC_1_SQRT_2, 0.0],
        [0.408_248_290_463_863, 0.408_248_290_463_863, -0.816_496_580_927_726],
    ];

    fn gradients(x: &[f64], u: &mut [f64], grad: &mut [f64]) -> Result<(), Error> {
        let well = DoubleWell::<f64>::dw4();
        for ((x, u), grad) in x.chunks_exact(3).zip(u.iter_mut()).zip(grad.chunks_exact_mut(3)) {
            *u = well.energy(SHAPE, x, Some(grad));
        }
        Ok(())
    }

    /// The end (x, p) of the trajectory from (x, p), and the change of H.
    fn trajectory(x: [f64; 3], p: [f64; 3]) -> ([f64; 3], [f64; 3], f64) {
        let (mut u, mut grad) = ([0.0], [0.0; 3]);
        gradients(&x, &mut u, &mut grad).unwrap();
        let mut work = [0.0; 11];
        let draws = Draws { seed: 1, first: 0, step: 0 };
        let mut ends = Trajectories::start(SHAPE, 1, &draws, &x, &grad, &mut work).unwrap();
        ends.momentum.copy_from_slice(&p);
        ends.start[0] = kinetic_energy(&p);
        ends.follow(LEAPFROG, &x, gradients).unwrap();
        let copy = |values: &[f64]| [values[0], values[1], values[2]];
        (copy(ends.x), copy(ends.momentum), ends.change(0, u[0]))
    }

    /// Coordinates (x, p) on the subspace.
    fn embed(c: [f64; 2]) -> [f64; 3] {
        [0, 1, 2].map(|i| c[0] * BASIS[0][i] + c[1] * BASIS[1][i])
    }

    const START: [f64; 4] = [2.1, -3.3, 0.7, -0.4];

    #[test]
    fn trajectories_are_reversible() {
        let (x, p) = (embed([START[0], START[1]]), embed([START[2], START[3]]));
        let (end, momentum, change) = trajectory(x, p);
        assert!(change.abs() < 0.5 && (end[0] - x[0]).abs() > 0.1, "{change} {end:?}");
        let (back, reversed, change_back) = trajectory(end, momentum.map(|p| -p));
        for i in 0..3 {
            assert!((back[i] - x[i]).abs() < 1e-13, "{back:?} {x:?}");
            assert!((reversed[i] + p[i]).abs() < 1e-13, "{reversed:?} {p:?}");
        }
        assert!((change + change_back).abs() < 1e-12);
    }

    /// The Jacobian of the trajectory in the four coordinates of phase space has determinant 1, by five-point differences.
    #[test]
    fn trajectories_keep_volumes() {
        let end = |s: [f64; 4]| {
            let (x, p, _) = trajectory(embed([s[0], s[1]]), embed([s[2], s[3]]));
            let on = |v: [f64; 3], b: usize| (0..3).map(|i| v[i] * BASIS[b][i]).sum::<f64>();
            [on(x, 0), on(x, 1), on(p, 0), on(p, 1)]
        };
        let mut jacobian = [[0.0; 4]; 4];
        for (c, column) in jacobian.iter_mut().enumerate() {
            let at = |h: f64| {
                let mut s = START;
                s[c] += h;
                end(s)
            };
            let h = 1e-3;
            let [a, b, c, d] = [at(-2.0 * h), at(-h), at(h), at(2.0 * h)];
            for i in 0..4 {
                column[i] = (8.0 * (c[i] - b[i]) - (d[i] - a[i])) / (12.0 * h);
            }
        }
        let determinant = determinant(jacobian);
        assert!((determinant - 1.0).abs() < 1e-7, "{determinant}");
    }

    /// By elimination with pivots.
    fn determinant(mut m: [[f64; 4]; 4]) -> f64 {
        let mut product = 1.0;
        for k in 0..4 {
            let pivot = (k..4).max_by(|&a, &b| m[a][k].abs().total_cmp(&m[b][k].abs())).unwrap();
            if pivot != k {
                m.swap(pivot, k);
                product = -product;
            }
            product *= m[k][k];
            for r in k + 1..4 {
                let factor = m[r][k] / m[k][k];
                for c in k..4 {
                    m[r][c] -= factor * m[k][c];
                }
            }
        }
        product
    }

    /// Langevin's proposal and its acceptance ratio, written out (Roberts and Tweedie 1996).
    #[test]
    fn one_leapfrog_step_is_the_langevin_proposal() {
        let h = 0.1;
        let (x, p) = (embed([START[0], START[1]]), embed([START[2], START[3]]));
        let mut work = [0.0; 11];
        let evaluate = |x: &[f64; 3]| {
            let (mut u, mut grad) = ([0.0], [0.0; 3]);
            gradients(x, &mut u, &mut grad).unwrap();
            (u[0], grad)
        };
        let (u, grad) = evaluate(&x);
        let draws = Draws { seed: 1, first: 0, step: 0 };
        let mut ends = Trajectories::start(SHAPE, 1, &draws, &x, &grad, &mut work).unwrap();
        ends.momentum.copy_from_slice(&p);
        ends.start[0] = kinetic_energy(&p);
        ends.follow(Leapfrog { step_size: h, steps: 1 }, &x, gradients).unwrap();
        let proposal = [0, 1, 2].map(|i| x[i] - 0.5 * h * h * grad[i] + h * p[i]);
        let (u_new, grad_new) = evaluate(&proposal);
        // -log q(to | from) up to a constant.
        let cost = |from: [f64; 3], grad: [f64; 3], to: [f64; 3]| {
            (0..3).map(|i| (to[i] - from[i] + 0.5 * h * h * grad[i]).powi(2)).sum::<f64>() / (2.0 * h * h)
        };
        let change = u_new - u + cost(proposal, grad_new, x) - cost(x, grad, proposal);
        for i in 0..3 {
            assert!((ends.x[i] - proposal[i]).abs() < 1e-14);
        }
        assert!((ends.change(0, u) - change).abs() < 1e-12, "{change}");
    }
}
