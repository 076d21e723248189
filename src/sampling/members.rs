//! The members of a population on a path of densities, and how they move.

use super::annealed::{AnnealConfig, Evaluations};
use super::error::Error;
use super::kernel::{Arrays, Kernel, Scratch, Target, step_arrays};
use crate::error;
use crate::field::Shape;
use crate::flow::{Block, Precision};
use crate::mcmc::{Chains, Draws, accepts, independence_between};
use crate::potential::Potential;
use serde::{Deserialize, Serialize};

/// Members whose densities come from one call; several such calls run on several threads.
pub(super) const BLOCK: usize = 128;

/// A point of the path.
pub(super) struct Path<'a, R, P: ?Sized> {
    pub potential: &'a P,
    pub shape: Shape,
    pub config: &'a AnnealConfig<'a, R>,
    pub lambda: f64,
}

/// What the path is made of, at some configurations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Values<R> {
    /// u / tau, `[n]`.
    pub energy: Vec<R>,
    /// log q, `[n]`; not kept up at the target.
    log_q: Vec<R>,
    /// Gradients of both, `[n][N][D]`, for kernels that have them.
    energy_gradient: Vec<R>,
    log_q_gradient: Vec<R>,
}

impl<R: Precision> Values<R> {
    fn new(kernel: &Kernel<'_, R>, shape: Shape, n: usize) -> Self {
        let gradient = vec![R::default(); if kernel.has_gradient() { n * shape.coordinates() } else { 0 }];
        let each = vec![R::default(); n];
        Values {
            energy: each.clone(),
            log_q: each,
            energy_gradient: gradient.clone(),
            log_q_gradient: gradient,
        }
    }

    /// Logarithms of the factors by which weights grow with lambda.
    pub fn slopes(&self) -> impl Iterator<Item = f64> {
        self.energy.iter().zip(&self.log_q).map(|(u, log_q)| -u.to_f64() - log_q.to_f64())
    }

    /// Element `to` becomes element `from` of the others.
    pub fn take(&mut self, to: usize, others: &Self, from: usize) {
        self.energy[to] = others.energy[from];
        self.log_q[to] = others.log_q[from];
        let each = self.energy_gradient.len() / self.energy.len();
        let gradients = [
            (&mut self.energy_gradient, &others.energy_gradient),
            (&mut self.log_q_gradient, &others.log_q_gradient),
        ];
        for (mine, others) in gradients {
            mine[to * each..][..each].copy_from_slice(&others[from * each..][..each]);
        }
    }
}

/// A gradient, where there is room for it.
fn wanted<R>(gradient: &mut [R]) -> Option<&mut [R]> {
    (!gradient.is_empty()).then_some(gradient)
}

impl<R: Precision, P: Potential<R::Lanes> + ?Sized> Path<'_, R, P> {
    fn target(&self) -> Target<'_, P> {
        Target { potential: self.potential, shape: self.shape, beta: 1.0 / self.config.tau }
    }

    /// Energies and densities of `x`, with their gradients where there is room for them; no densities at the target.
    fn evaluate(
        &self,
        x: &[R],
        values: &mut Values<R>,
        lanes: &mut [R::Lanes],
        work: &mut [Block],
    ) -> Result<(), error::Error> {
        let Values { energy, log_q, energy_gradient, log_q_gradient } = values;
        self.target().energies(x, energy, wanted(energy_gradient), lanes)?;
        if self.lambda < 1.0 {
            self.config.from.log_prob(self.shape, x, log_q, wanted(log_q_gradient), work)?;
        }
        Ok(())
    }

    /// -log gamma and its gradient, (1 - lambda) (-log q) + lambda u / tau.
    fn cost(&self, energy: R, log_q: R) -> R {
        if self.lambda < 1.0 {
            R::from_f64(self.lambda) * energy - R::from_f64(1.0 - self.lambda) * log_q
        } else {
            energy
        }
    }

    fn costs(&self, energy: &[R], log_q: &[R], costs: &mut [R]) {
        for (cost, (&energy, &log_q)) in costs.iter_mut().zip(energy.iter().zip(log_q)) {
            *cost = self.cost(energy, log_q);
        }
    }
}

/// Members whose densities come from one call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Members<R> {
    /// Number of the first.
    pub first: u64,
    /// Their configurations, `[n][N][D]`.
    pub x: Vec<R>,
    pub at: Values<R>,
    /// Gradient of the cost at the path's present point, for kernels that have it.
    gradient: Vec<R>,
}

/// Memory in which members move.
pub(super) struct Memory<R: Precision> {
    scratch: Scratch<R::Lanes>,
    work: Vec<Block>,
    proposed: Values<R>,
    /// Positions of proposals, where they are many steps away.
    far: Vec<R>,
    cost: Vec<R>,
    /// 1 where the last step moved a member.
    accepted: Vec<u64>,
    pub moved: u64,
    pub evaluations: Evaluations,
}

impl<R: Precision> Memory<R> {
    pub fn new<P: ?Sized>(
        kernel: &Kernel<'_, R>,
        path: &Path<'_, R, P>,
        n: usize,
    ) -> Result<Self, error::Error> {
        Ok(Memory {
            scratch: Scratch::new(kernel, path.shape, n)?,
            work: vec![Block::default(); path.config.from.extent(n)?],
            proposed: Values::new(kernel, path.shape, n),
            far: Vec::new(),
            cost: vec![R::default(); n],
            accepted: vec![0; n],
            moved: 0,
            evaluations: Evaluations::default(),
        })
    }
}

impl<R: Precision> Members<R> {
    /// Samples `first .. first + n` of the reference.
    pub fn draw<P: Potential<R::Lanes> + ?Sized>(
        path: &Path<'_, R, P>,
        first: usize,
        n: usize,
    ) -> Result<Self, Error> {
        let kernel = &path.config.kernel;
        let mut memory = Memory::new(kernel, path, n).map_err(Error::Core)?;
        let mut x = vec![R::default(); n * path.shape.coordinates()];
        let (mut at, mut log_q) = (Values::new(kernel, path.shape, n), vec![R::default(); n]);
        let mut evaluate = || {
            let seed = (path.config.seed, first as u64);
            path.config.from.draw(path.shape, seed, &mut x, &mut log_q, &mut memory.work)?;
            let lanes = &mut memory.scratch.lanes;
            if path.config.needs_density_gradients() {
                return path.evaluate(&x, &mut at, lanes, &mut memory.work);
            }
            path.target().energies(&x, &mut at.energy, wanted(&mut at.energy_gradient), lanes)
        };
        evaluate().map_err(Error::Core)?;
        // That of what was drawn, which is exact where an inverse pass is not.
        at.log_q = log_q;
        if let Some(i) = at.energy.iter().position(|u| u.to_f64().is_nan()) {
            return Err(Error::element("energy of sample", first + i, f64::NAN, "a number"));
        }
        // Such members weigh nothing, and may move to where they would weigh something.
        let most = R::from_f64(0.25 * R::MAX.to_f64());
        at.energy.iter_mut().filter(|u| **u > most).for_each(|u| *u = most);
        for gradient in [&mut at.energy_gradient, &mut at.log_q_gradient] {
            gradient.iter_mut().filter(|g| !g.is_finite()).for_each(|g| *g = R::default());
        }
        let gradient = at.energy_gradient.clone();
        Ok(Members { first: first as u64, x, at, gradient })
    }

    pub fn fits(&self, kernel: &Kernel<'_, R>, shape: Shape) -> bool {
        let (n, each) = (self.at.energy.len(), shape.coordinates());
        let slope = if kernel.has_gradient() { n * each } else { 0 };
        let gradients = [&self.gradient, &self.at.energy_gradient, &self.at.log_q_gradient];
        n <= BLOCK
            && self.x.len() == n * each
            && self.at.log_q.len() == n
            && gradients.iter().all(|gradient| gradient.len() == slope)
    }

    /// Place `to` goes to number `from` of the others.
    pub fn take(&mut self, to: usize, others: &Self, from: usize) {
        let each = self.x.len() / self.at.energy.len();
        self.x[to * each..][..each].copy_from_slice(&others.x[from * each..][..each]);
        self.at.take(to, &others.at, from);
    }

    /// The gradient of the cost where the path is now.
    pub fn weigh_gradients<P: Potential<R::Lanes> + ?Sized>(&mut self, path: &Path<'_, R, P>) {
        path.costs(&self.at.energy_gradient, &self.at.log_q_gradient, &mut self.gradient);
    }

    /// One step of all members.
    pub fn step<P: Potential<R::Lanes> + ?Sized>(
        &mut self,
        kernel: &Kernel<'_, R>,
        path: &Path<'_, R, P>,
        draws: Draws,
        memory: &mut Memory<R>,
    ) -> Result<(), error::Error> {
        let Memory { scratch, work, proposed, cost, accepted, moved, evaluations, .. } = memory;
        path.costs(&self.at.energy, &self.at.log_q, cost);
        accepted.fill(0);
        let (lanes, n) = (&mut scratch.lanes, self.at.energy.len() as u64);
        if let Kernel::Independence { plan } = kernel {
            let chains = Chains { x: &mut self.x, u: cost, accepted: Some(&mut accepted[..]) };
            evaluations.densities += n;
            evaluations.energies += n;
            let costs = |x: &[R], log_prob: &[R], costs: &mut [R]| {
                path.target().energies(x, &mut proposed.energy, None, lanes)?;
                proposed.log_q.copy_from_slice(log_prob);
                path.costs(&proposed.energy, &proposed.log_q, costs);
                Ok(())
            };
            independence_between(plan, draws, chains, &mut self.at.log_q, costs, &mut scratch.work)?;
        } else {
            let (x, grad, accepted) = (&mut self.x[..], &mut self.gradient[..], Some(&mut accepted[..]));
            let arrays = Arrays { x, u: cost, accepted, grad, z: &mut [], log_density: &mut [] };
            let costs = |x: &[R], costs: &mut [R], gradient: Option<&mut [R]>| {
                path.evaluate(x, proposed, lanes, work)?;
                evaluations.energies += n;
                evaluations.densities += if path.lambda < 1.0 { n } else { 0 };
                path.costs(&proposed.energy, &proposed.log_q, costs);
                if let Some(gradient) = gradient {
                    path.costs(&proposed.energy_gradient, &proposed.log_q_gradient, gradient);
                }
                Ok(())
            };
            let size = R::from_f64(kernel.step_size().unwrap_or(1.0));
            step_arrays(kernel, path.shape, size, draws, arrays, costs, &mut scratch.work)?;
        }
        for (i, _) in accepted.iter().enumerate().filter(|(_, accepted)| **accepted > 0) {
            self.at.take(i, proposed, i);
            *moved += 1;
        }
        Ok(())
    }

    /// One step of all members by `inner` steps under the target, judged by how their weights change.
    pub fn surrogate_step<P: Potential<R::Lanes> + ?Sized>(
        &mut self,
        kernel: &Kernel<'_, R>,
        inner: usize,
        path: &Path<'_, R, P>,
        draws: Draws,
        memory: &mut Memory<R>,
    ) -> Result<(), error::Error> {
        let Memory { scratch, work, proposed, far, accepted, moved, evaluations, .. } = memory;
        far.clone_from(&self.x);
        proposed.clone_from(&self.at);
        accepted.fill(0);
        let (n, size) = (self.at.energy.len(), R::from_f64(kernel.step_size().unwrap_or(1.0)));
        for step in 0..inner as u64 {
            let draws = Draws { step: draws.step + step, ..draws };
            let Values { energy: u, energy_gradient: grad, .. } = proposed;
            let arrays =
                Arrays { x: far, u, accepted: Some(accepted), grad, z: &mut [], log_density: &mut [] };
            let energies = |x: &[R], u: &mut [R], gradient: Option<&mut [R]>| {
                evaluations.energies += n as u64;
                path.target().energies(x, u, gradient, &mut scratch.lanes)
            };
            step_arrays(kernel, path.shape, size, draws, arrays, energies, &mut scratch.work)?;
        }
        path.config.from.log_prob(path.shape, far, &mut proposed.log_q, None, work)?;
        evaluations.densities += n as u64;
        let each = path.shape.coordinates();
        for (i, (before, after)) in self.at.slopes().zip(proposed.slopes()).enumerate().collect::<Vec<_>>() {
            let change = (1.0 - path.lambda) * (after - before);
            if accepted[i] > 0 && after.is_finite() && accepts(change, draws.exchange(i)) {
                self.at.take(i, proposed, i);
                self.x[i * each..][..each].copy_from_slice(&far[i * each..][..each]);
                *moved += 1;
            }
        }
        Ok(())
    }
}
