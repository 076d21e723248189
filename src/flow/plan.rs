//! A model prepared for a grid: every parameter in the form in which the kernel reads it.

use super::config::{Config, Integrator};
use super::model::Model;
use super::transport::WorkspaceParts;
use crate::error::{Argument, Error, Status};
use crate::field::Shape;
use crate::integrate::rk4::{Direction, Grid};
use crate::lanes::{Lanes, Real};
use crate::radial::{Basis, Exact, Kernel, SQRT_LOG2_E, Shared, reach};
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut, Range};

/// A model prepared for a grid, in memory `S` of the caller's: `&mut [R]` or, with an allocator, `Vec<R>`.
#[derive(Clone, Debug)]
pub struct Plan<R, S> {
    pub(super) shape: Shape,
    pub(super) config: Config,
    constants: Constants<R>,
    layout: Layout,
    storage: S,
    reals: PhantomData<R>,
}

/// The parts for one vector of samples, and what is left for staged results.
type CarvedWorkspace<'w, V> = (WorkspaceParts<'w, V>, &'w mut [V]);

/// What a kernel has besides arrays.
#[derive(Clone, Copy, Debug)]
struct Constants<R> {
    basis: Basis,
    eps: R,
    reach: R,
}

/// Where each array lies in the plan's memory.
#[derive(Clone, Copy, Debug)]
struct Layout {
    n_radial: usize,
    n_time: usize,
    steps: usize,
}

impl Layout {
    fn of(model: &Model<'_>, config: &Config) -> Self {
        Layout { n_radial: model.n_radial(), n_time: model.n_time(), steps: config.grid_steps() }
    }

    fn stages(&self) -> usize {
        if self.steps == 0 { 0 } else { 2 * self.steps + 1 }
    }

    fn lengths(&self) -> [usize; 9] {
        let (m, l, stages) = (self.n_radial, self.n_time, self.stages());
        [m, m, l, l, l, l * m, self.steps, stages, stages * m]
    }

    fn range(&self, array: usize) -> Range<usize> {
        let start = self.lengths()[..array].iter().sum();
        start..start + self.lengths()[array]
    }

    fn total(&self) -> usize {
        self.lengths().iter().sum()
    }
}

/// Index of each array in [`Layout::lengths`].
mod array {
    pub const MEAN: usize = 0;
    pub const SCALE: usize = 1;
    pub const TIME_MEAN: usize = 2;
    pub const TIME_SCALE: usize = 3;
    pub const LEVEL: usize = 4;
    pub const WEIGHTS: usize = 5;
    pub const STEP_LENGTHS: usize = 6;
    pub const OFFSETS: usize = 7;
    pub const STAGE_WEIGHTS: usize = 8;
}

impl<R: Real> Plan<R, ()> {
    /// Reals of memory that a plan for this model and configuration takes.
    ///
    /// # Errors
    /// Those of [`Model::check`] and [`Config::check`].
    pub fn extent(model: &Model<'_>, config: &Config) -> Result<usize, Error> {
        model.check()?;
        config.check()?;
        Ok(Layout::of(model, config).total())
    }
}

impl<R: Real, S: Deref<Target = [R]>> Plan<R, S> {
    /// Prepares `model` in `storage`, copying what it needs. Cost: (2 steps + 1) L M multiplications.
    ///
    /// # Errors
    /// Those of [`Plan::extent`]; [`Status::Workspace`] where `storage` is too short (the value is what it takes);
    /// [`Status::NonFinite`] where a parameter overflows `R`, [`Status::Argument`] where `atol` underflows to zero.
    pub fn new(model: &Model<'_>, config: &Config, mut storage: S) -> Result<Self, Error>
    where
        S: DerefMut,
    {
        let needed = Plan::<R, ()>::extent(model, config)?;
        if storage.len() < needed {
            return Err(Error::new(Status::Workspace, Argument::Memory, needed as f64));
        }
        check_tolerances::<R>(config)?;
        let layout = Layout::of(model, config);
        write_parameters(model, &layout, &mut storage[..needed])?;
        let arrays = |array| &storage[layout.range(array)];
        let constants = Constants {
            basis: model.basis,
            eps: R::from_f64(model.eps),
            reach: reach(arrays(array::MEAN), arrays(array::SCALE)),
        };
        let mut plan =
            Plan { shape: model.shape, config: *config, constants, layout, storage, reals: PhantomData };
        let steps = layout.steps as f64;
        plan.collapse_stages(|node| node as f64 / steps);
        Ok(plan)
    }

    /// Moves the fixed grid's nodes from k / steps to `nodes`, which rise from 0 to 1.
    ///
    /// # Errors
    /// [`Status::Shape`] unless there are steps + 1 nodes; [`Status::Argument`] names the first that does not rise
    /// or the end that is not 0 or 1. The plan is unchanged then.
    pub fn regrid(&mut self, nodes: &[f64]) -> Result<(), Error>
    where
        S: DerefMut,
    {
        if self.layout.steps == 0 || nodes.len() != self.layout.steps + 1 {
            return Err(Error::new(Status::Shape, Argument::Time, (self.layout.steps + 1) as f64));
        }
        for (index, &node) in nodes.iter().enumerate() {
            let end = index == self.layout.steps;
            let right =
                if index == 0 { node == 0.0 } else { node > nodes[index - 1] && (node == 1.0) == end };
            if !right {
                return Err(Error::at(Status::Argument, Argument::Time, index, node));
            }
        }
        self.collapse_stages(|node| nodes[node]);
        Ok(())
    }

    /// Collapses the weights at every stage time: the nodes and the middles between them.
    fn collapse_stages(&mut self, node: impl Fn(usize) -> f64)
    where
        S: DerefMut,
    {
        let layout = self.layout;
        let (parameters, grid) = self.storage.split_at_mut(layout.range(array::STEP_LENGTHS).start);
        let kernel = kernel(self.constants, &layout, parameters);
        let (step_lengths, rest) = grid.split_at_mut(layout.steps);
        let (offsets, rest) = rest.split_at_mut(layout.stages());
        for (k, length) in step_lengths.iter_mut().enumerate() {
            *length = R::from_f64(node(k + 1) - node(k));
        }
        for (stage, (offset, weights)) in
            offsets.iter_mut().zip(rest.chunks_exact_mut(layout.n_radial)).enumerate()
        {
            let t = 0.5 * (node(stage / 2) + node(stage.div_ceil(2)));
            *offset = kernel.collapse(R::from_f64(t), weights);
        }
    }

    fn array(&self, array: usize) -> &[R] {
        &self.storage[self.layout.range(array)]
    }

    /// N and D.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// How the plan integrates.
    pub fn config(&self) -> Config {
        self.config
    }

    pub(crate) fn kernel(&self) -> Kernel<'_, R> {
        kernel(self.constants, &self.layout, &self.storage)
    }

    pub(crate) fn grid(&self, direction: Direction) -> Grid<'_, R> {
        Grid { step_lengths: self.array(array::STEP_LENGTHS), direction }
    }

    /// phi at a stage time of the fixed grid.
    pub(crate) fn stage_radial<V: Lanes<Real = R>>(&self, stage: usize) -> Exact<'_, V, Shared<'_, R>> {
        let m = self.layout.n_radial;
        Exact {
            kernel: self.kernel(),
            offset: V::splat(self.array(array::OFFSETS)[stage]),
            weights: Shared(&self.array(array::STAGE_WEIGHTS)[stage * m..(stage + 1) * m]),
        }
    }

    /// Vectors of workspace that any call on a batch of `n` samples takes.
    ///
    /// It does not grow with `n` on a fixed grid; an adaptive plan keeps all results until the last sample has
    /// converged, so that a failure writes nothing.
    ///
    /// # Errors
    /// [`Status::Shape`] where the size overflows.
    pub fn workspace_extent(&self, n: usize) -> Result<usize, Error> {
        let staged = match self.config.integrator {
            Integrator::Rk4 { .. } => n.min(1),
            Integrator::Dopri5 { .. } => n.div_ceil(R::Lanes::WIDTH),
        };
        let results = staged.checked_mul(self.shape.coordinates() + 1);
        let fixed = WorkspaceParts::<R::Lanes>::extent(self.shape, self.layout.n_radial, self.layout.steps);
        results.and_then(|r| r.checked_add(fixed)).ok_or(Error::new(Status::Shape, Argument::Count, n as f64))
    }

    pub(super) fn workspace<'w>(
        &self,
        n: usize,
        memory: &'w mut [R::Lanes],
    ) -> Result<CarvedWorkspace<'w, R::Lanes>, Error> {
        let needed = self.workspace_extent(n)?;
        match memory.get_mut(..needed) {
            Some(memory) => {
                Ok(WorkspaceParts::carve(self.shape, self.layout.n_radial, self.layout.steps, memory))
            }
            None => Err(Error::new(Status::Workspace, Argument::Work, needed as f64)),
        }
    }
}

#[cfg(feature = "std")]
impl<R: Real> Plan<R, Vec<R>> {
    /// Prepares `model` in memory of its own.
    ///
    /// # Errors
    /// Those of [`Plan::new`].
    pub fn allocate(model: &Model<'_>, config: &Config) -> Result<Self, Error> {
        let length = Plan::<R, ()>::extent(model, config)?;
        Plan::new(model, config, vec![R::default(); length])
    }
}

#[cfg(feature = "std")]
impl<R: Real, S: Deref<Target = [R]>> Plan<R, S> {
    /// Allocates a workspace for batches of up to `n` samples.
    ///
    /// # Errors
    /// Those of [`Plan::workspace_extent`].
    pub fn allocate_workspace(&self, n: usize) -> Result<Vec<R::Lanes>, Error> {
        Ok(vec![R::Lanes::default(); self.workspace_extent(n)?])
    }
}

fn kernel<'a, R: Real>(constants: Constants<R>, layout: &Layout, storage: &'a [R]) -> Kernel<'a, R> {
    let Constants { basis, eps, reach } = constants;
    let of = |array| &storage[layout.range(array)];
    Kernel {
        basis,
        eps,
        reach,
        mean: of(array::MEAN),
        scale: of(array::SCALE),
        time_mean: of(array::TIME_MEAN),
        time_scale: of(array::TIME_SCALE),
        level: of(array::LEVEL),
        weights: of(array::WEIGHTS),
    }
}

/// Converts the model's parameters to `R`, failing where one of them overflows.
fn write_parameters<R: Real>(model: &Model<'_>, layout: &Layout, storage: &mut [R]) -> Result<(), Error> {
    let mut write = |array, argument, values: &mut dyn Iterator<Item = f64>, convert: fn(f64) -> f64| {
        let slots = &mut storage[layout.range(array)];
        for (index, (slot, value)) in slots.iter_mut().zip(values).enumerate() {
            *slot = R::from_f64(convert(value));
            if !slot.is_finite() {
                return Err(Error::at(Status::NonFinite, argument, index, value));
            }
        }
        Ok(())
    };
    let scale = |gamma: f64| SQRT_LOG2_E / gamma;
    let same = |value: f64| value;
    write(array::MEAN, Argument::Mu, &mut model.mu.iter(), same)?;
    write(array::SCALE, Argument::Gamma, &mut model.gamma.iter(), scale)?;
    write(array::TIME_MEAN, Argument::MuTime, &mut model.mu_time.iter(), same)?;
    write(array::TIME_SCALE, Argument::GammaTime, &mut model.gamma_time.iter(), scale)?;
    write(array::WEIGHTS, Argument::Weights, &mut model.weights.iter(), same)?;
    write(array::LEVEL, Argument::Bias, &mut (0..layout.n_time).map(|l| level(model, l)), same)
}

/// Fails where a tolerance overflows `R`, or the absolute one underflows: the error norm would be NaN.
fn check_tolerances<R: Real>(config: &Config) -> Result<(), Error> {
    let Integrator::Dopri5 { rtol, atol, .. } = config.integrator else { return Ok(()) };
    for (argument, value) in [(Argument::Rtol, rtol), (Argument::Atol, atol)] {
        if !R::from_f64(value).is_finite() {
            return Err(Error::new(Status::NonFinite, argument, value));
        }
    }
    if R::from_f64(atol) == R::from_f64(0.0) {
        return Err(Error::new(Status::Argument, Argument::Atol, atol));
    }
    Ok(())
}

/// b_l + sum_m W_lm a_m^2.
fn level(model: &Model<'_>, l: usize) -> f64 {
    let m = model.n_radial();
    let mut sum = model.bias.map_or(0.0, |bias| bias.get(l));
    if let Some(importance) = model.importance {
        for (i, a) in importance.iter().enumerate() {
            sum += model.weights.get(l * m + i) * a * a;
        }
    }
    sum
}
