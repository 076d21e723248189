//! A model prepared for a grid: every parameter in the form in which the kernel reads it.

use super::config::{Config, Integrator, RadialPath};
use super::layout::{Layout, array};
use super::model::Model;
use super::precision::Precision;
use super::transport::WorkspaceParts;
use crate::error::{Argument, Error, Missing, Status};
use crate::field::Shape;
use crate::integrate::rk4::{Direction, Grid};
use crate::lanes::{Block, Isa, Lanes, Real, Vectorized, at, check, part};
use crate::radial::{
    Accuracy, Basis, Cells, Degree, Exact, Kernel, Radial, SQRT_LOG2_E, Shared, Table, combine, compile,
    padded_rows, reach, time_functions,
};
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};

/// A model prepared for a grid, in memory `S` of the caller's: `&mut [Block]` or, with an allocator, `Vec<Block>`.
#[derive(Clone, Debug)]
pub struct Plan<R, S> {
    pub(super) shape: Shape,
    pub(super) config: Config,
    isa: Isa,
    constants: Constants<R>,
    /// Basis and eps as the model has them, for what is compiled.
    exact_constants: (Basis, f64),
    layout: Layout,
    /// Of the compiled radial functions; `None` where the plan evaluates exactly.
    accuracy: Option<Accuracy>,
    storage: S,
    reals: PhantomData<R>,
}

/// What a kernel has besides arrays.
#[derive(Clone, Copy, Debug)]
struct Constants<R> {
    basis: Basis,
    eps: R,
    reach: R,
}

impl<R: Real> Plan<R, ()> {
    /// Blocks of memory that a plan for this model and configuration takes.
    ///
    /// # Errors
    /// Those of [`Model::check`] and [`Config::check`]; [`Status::Unsupported`] on the table's tolerance where a
    /// table that is demanded would be too large.
    pub fn extent(model: &Model<'_>, config: &Config) -> Result<usize, Error> {
        Ok(Layout::of::<R>(model, config)?.total::<R>())
    }
}

impl<R: Precision, S: Deref<Target = [Block]>> Plan<R, S> {
    /// Prepares `model` in `storage`, copying what it needs.
    ///
    /// Cost: (2 steps + 1) L M multiplications; where radial functions are compiled, C (M + L M / 2) Gaussians and
    /// multiplications a cell for `C` coefficients, less those of the Gaussians out of reach, and (2 steps + 1) L C
    /// multiplications a cell: about a millisecond or less.
    ///
    /// # Errors
    /// Those of [`Plan::extent`]; [`Status::Workspace`] where `storage` is too short (the value is what it takes);
    /// [`Status::NonFinite`] where a parameter overflows `R`, [`Status::Argument`] where `atol` underflows to zero;
    /// [`Status::Unsupported`] on the table's tolerance where [`super::RadialPath::Compiled`] cannot meet it (the
    /// value is what would be met, or 0 for a table that would be too large).
    pub fn new(model: &Model<'_>, config: &Config, storage: S) -> Result<Self, Error>
    where
        S: DerefMut,
    {
        let layout = Layout::of::<R>(model, config)?;
        Plan::with_layout(model, config, layout, None, storage)
    }

    /// With the grid's nodes at k / steps unless `nodes` says otherwise.
    fn with_layout(
        model: &Model<'_>,
        config: &Config,
        layout: Layout,
        nodes: Option<&[f64]>,
        mut storage: S,
    ) -> Result<Self, Error>
    where
        S: DerefMut,
    {
        let needed = layout.total::<R>();
        if storage.len() < needed {
            return Err(Error::new(Status::Workspace, Argument::Memory, needed as f64));
        }
        check_tolerances::<R>(config)?;
        write_parameters::<R, R>(model, &layout, 0, &mut storage)?;
        if layout.cells.is_some() {
            write_parameters::<R, f64>(model, &layout, array::DOUBLES, &mut storage)?;
        }
        let constants = Constants {
            basis: model.basis,
            eps: R::from_f64(model.eps),
            reach: reach(
                layout.get::<R, R>(&storage, array::MEAN)?,
                layout.get::<R, R>(&storage, array::SCALE)?,
            ),
        };
        let isa = config.isa.unwrap_or(Isa::best());
        let (shape, config) = (model.shape, *config);
        let exact_constants = (model.basis, model.eps);
        let reals = PhantomData;
        let mut plan =
            Plan { shape, config, isa, constants, exact_constants, layout, accuracy: None, storage, reals };
        let steps = layout.steps as f64;
        match nodes {
            Some(nodes) => {
                layout.check_nodes(nodes)?;
                plan.collapse_stages(|node| at(nodes, node))?;
            }
            None => plan.collapse_stages(|node| Ok(node as f64 / steps))?,
        }
        if let Some(cells) = layout.cells {
            plan.compile(&cells)?;
            plan.tabulate()?;
        }
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
        self.layout.check_nodes(nodes)?;
        self.collapse_stages(|node| at(nodes, node))?;
        Ok(self.tabulate()?)
    }

    /// Collapses the weights at every stage time: the nodes and the middles between them.
    fn collapse_stages(&mut self, node: impl Fn(usize) -> Result<f64, Missing>) -> Result<(), Missing>
    where
        S: DerefMut,
    {
        let layout = self.layout;
        check(layout.n_radial > 0 && layout.n_time > 0)?;
        let (parameters, mut grid) = layout.split::<R>(&mut self.storage, array::STEP_LENGTHS)?;
        let kernel = kernel::<R, R>(self.constants, &layout, 0, parameters)?;
        let step_lengths: &mut [R] = layout.take::<R, R>(&mut grid, array::STEP_LENGTHS)?;
        let offsets: &mut [R] = layout.take::<R, R>(&mut grid, array::OFFSETS)?;
        let weights: &mut [R] = layout.take::<R, R>(&mut grid, array::STAGE_WEIGHTS)?;
        for (k, length) in step_lengths.iter_mut().enumerate() {
            *length = R::from_f64(node(k + 1)? - node(k)?);
        }
        let stage_time = |stage: usize| Ok::<_, Missing>(0.5 * (node(stage / 2)? + node(stage.div_ceil(2))?));
        for (stage, (offset, weights)) in
            offsets.iter_mut().zip(weights.chunks_exact_mut(layout.n_radial)).enumerate()
        {
            *offset = kernel.collapse(R::from_f64(stage_time(stage)?), weights);
        }
        if layout.cells.is_some() {
            let (doubles, mut rest) = layout.split::<R>(&mut self.storage, array::TIME_VALUES)?;
            let kernel = double_kernel::<R>(self.exact_constants, &layout, doubles)?;
            let values: &mut [f64] = layout.take::<R, f64>(&mut rest, array::TIME_VALUES)?;
            for (stage, values) in values.chunks_exact_mut(layout.n_time).enumerate() {
                time_functions(&kernel, stage_time(stage)?, values);
            }
        }
        Ok(())
    }

    /// Compiles the L functions of distance; an automatic plan whose tolerance cannot be met stays exact.
    fn compile(&mut self, cells: &Cells) -> Result<(), Error>
    where
        S: DerefMut,
    {
        let layout = self.layout;
        let (front, mut rest) = layout.split::<R>(&mut self.storage, array::SCRATCH)?;
        let kernel = double_kernel::<R>(self.exact_constants, &layout, front)?;
        let time_values = layout.get::<R, f64>(front, array::TIME_VALUES)?;
        let scratch = layout.take::<R, f64>(&mut rest, array::SCRATCH)?;
        let rows = layout.take::<R, f64>(&mut rest, array::ROWS)?;
        let accuracy = Compile { kernel, cells, time_values, rows, scratch }.on(self.isa)?;
        let tolerance = self.config.tolerance::<R>();
        if accuracy.relative() <= tolerance {
            self.accuracy = Some(accuracy);
        } else if self.config.radial == RadialPath::Compiled {
            let met = accuracy.relative();
            return Err(Error::new(Status::Unsupported, Argument::TableTolerance, met));
        }
        Ok(())
    }

    /// Fills each stage's table from the L compiled functions.
    fn tabulate(&mut self) -> Result<(), Missing>
    where
        S: DerefMut,
    {
        let (layout, isa) = (self.layout, self.isa);
        if self.accuracy.is_none() {
            return Ok(());
        }
        let (front, mut rest) = layout.split::<R>(&mut self.storage, array::TABLES)?;
        let tables = layout.take::<R, R>(&mut rest, array::TABLES)?;
        let rows = layout.get::<R, f64>(front, array::ROWS)?;
        let time_values = layout.get::<R, f64>(front, array::TIME_VALUES)?;
        R::combine(isa, Combine { n_time: layout.n_time, time_values, rows, tables })
    }

    /// The same plan on borrowed memory: one type whatever `S` is, which threads can share.
    pub(super) fn borrow(&self) -> Plan<R, &[Block]> {
        Plan {
            shape: self.shape,
            config: self.config,
            isa: self.isa,
            constants: self.constants,
            exact_constants: self.exact_constants,
            layout: self.layout,
            accuracy: self.accuracy,
            storage: &self.storage,
            reals: PhantomData,
        }
    }

    fn array(&self, array: usize) -> Result<&[R], Missing> {
        self.layout.get::<R, R>(&self.storage, array)
    }

    /// Stage times of the fixed grid.
    #[cfg(feature = "std")]
    pub(crate) fn stages(&self) -> usize {
        self.layout.stages()
    }

    /// N and D.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// How the plan integrates.
    pub fn config(&self) -> Config {
        self.config
    }

    /// The instruction set on which the plan computes.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// How well the compiled radial functions meet the exact ones, before rounding to `R`; `None` where the plan
    /// evaluates exactly. Checked when the plan is built, at the ends and in the middles of the cells, where the
    /// interpolation error is largest, and at about 2 L of its stage times; [`Plan::regrid`] does not check again.
    pub fn table_accuracy(&self) -> Option<Accuracy> {
        self.accuracy
    }

    /// The cells of the compiled radial functions.
    pub fn cells(&self) -> Option<Cells> {
        self.accuracy.and(self.layout.cells)
    }

    pub(crate) fn kernel(&self) -> Result<Kernel<'_, R>, Missing> {
        kernel::<R, R>(self.constants, &self.layout, 0, &self.storage)
    }

    pub(crate) fn grid(&self, direction: Direction) -> Result<Grid<'_, R>, Missing> {
        Ok(Grid { step_lengths: self.array(array::STEP_LENGTHS)?, direction })
    }

    /// phi at a stage time of the fixed grid.
    pub(crate) fn stage_radial<V: Lanes<Real = R>>(
        &self,
        stage: usize,
    ) -> Result<StageRadial<'_, V>, Missing> {
        match self.cells() {
            Some(cells) => self.stage_table(&cells, stage),
            None => Ok(StageRadial::Exact(self.exact_stage_radial(stage)?)),
        }
    }

    /// What the tables are made of, where the plan has some.
    #[cfg(feature = "std")]
    pub(crate) fn compiled(&self) -> Result<Option<Compiled<'_>>, Missing> {
        let (layout, storage) = (&self.layout, &self.storage);
        let Some(cells) = self.cells() else { return Ok(None) };
        Ok(Some(Compiled {
            cells,
            kernel: double_kernel::<R>(self.exact_constants, layout, storage)?,
            time_values: layout.get::<R, f64>(storage, array::TIME_VALUES)?,
            rows: layout.get::<R, f64>(storage, array::ROWS)?,
        }))
    }

    /// phi at a stage time as the sum over all Gaussians.
    pub(crate) fn exact_stage_radial<V: Lanes<Real = R>>(
        &self,
        stage: usize,
    ) -> Result<Exact<'_, V, Shared<'_, R>>, Missing> {
        let m = self.layout.n_radial;
        Ok(Exact {
            kernel: self.kernel()?,
            offset: V::splat(at(self.array(array::OFFSETS)?, stage)?),
            weights: Shared(part(self.array(array::STAGE_WEIGHTS)?, stage * m, m)?),
        })
    }

    fn stage_table<V: Lanes<Real = R>>(
        &self,
        cells: &Cells,
        stage: usize,
    ) -> Result<StageRadial<'_, V>, Missing> {
        let length = padded_rows(cells) * cells.degree.coefficients();
        let rows = part(self.array(array::TABLES)?, stage * length, length)?;
        let table = match cells.degree {
            Degree::Cubic => Table::new(cells, rows.as_chunks().0).map(StageRadial::Cubic),
            Degree::Septic => Table::new(cells, rows.as_chunks().0).map(StageRadial::Septic),
        };
        table.ok_or(Missing)
    }

    /// Groups that go through a stage together on batches of `n` samples in vectors of `width` lanes.
    ///
    /// Enough that a stage's table is loaded into the cache for many pairs, few enough that the samples stay in
    /// it too.
    fn chunk(&self, n: usize, width: usize) -> usize {
        let pairs = self.shape.pairs();
        let samples =
            if self.accuracy.is_some() { CHUNK_PAIRS / if pairs == 0 { 1 } else { pairs } } else { 1 };
        let samples = if samples < MOST_CHUNK_SAMPLES { samples } else { MOST_CHUNK_SAMPLES };
        let groups = if samples < n { samples } else { n }.div_ceil(width);
        if groups == 0 { 1 } else { groups }
    }

    /// Blocks of workspace that any call on a batch of `n` samples (or fewer) takes.
    ///
    /// On a fixed grid it stops growing at a few hundred samples; an adaptive plan, and one with [`Inverse::Exact`],
    /// keeps all results until the last sample has converged, so that a failure writes nothing. The Jacobians of
    /// [`LogDet::Jacobian`] and [`Inverse::Exact`] take about (N D)^2 vectors more.
    ///
    /// [`Inverse::Exact`]: super::Inverse::Exact
    /// [`LogDet::Jacobian`]: super::LogDet::Jacobian
    ///
    /// # Errors
    /// [`Status::Shape`] where the size overflows.
    pub fn workspace_extent(&self, n: usize) -> Result<usize, Error> {
        self.isa.run(Extent { plan: self, n })
    }

    fn vectors<V: Lanes<Real = R>>(&self, n: usize) -> Result<usize, Error> {
        let staged = if self.config.may_fail() { n.div_ceil(V::WIDTH) } else { 0 };
        let results = staged.checked_mul(self.shape.coordinates() + 1);
        let groups = self.chunk(n, V::WIDTH);
        let fixed = WorkspaceParts::<V>::extent(self.shape, groups, self.layout.n_radial, &self.config);
        let vectors = results.and_then(|r| r.checked_add(fixed));
        vectors.ok_or(Error::new(Status::Shape, Argument::Count, n as f64))
    }

    /// The parts of a workspace for `n` samples, and what is left for staged results.
    pub(super) fn workspace<'w, V: Lanes<Real = R>>(
        &self,
        n: usize,
        memory: &'w mut [Block],
    ) -> Result<(WorkspaceParts<'w, V>, &'w mut [V]), Error> {
        let needed = Block::count::<V>(self.vectors::<V>(n)?);
        let memory =
            memory.get_mut(..needed).ok_or(Error::new(Status::Workspace, Argument::Work, needed as f64))?;
        let groups = self.chunk(n, V::WIDTH);
        let memory = Block::vectors_mut(memory);
        Ok(WorkspaceParts::carve(self.shape, groups, self.layout.n_radial, &self.config, memory)?)
    }
}

/// Pairs that a chunk has about, and the samples that it has at most.
const CHUNK_PAIRS: usize = 2048;
const MOST_CHUNK_SAMPLES: usize = 256;

struct Extent<'a, R, S> {
    plan: &'a Plan<R, S>,
    n: usize,
}

impl<R: Precision, S: Deref<Target = [Block]>> Vectorized<R> for Extent<'_, R, S> {
    type Output = Result<usize, Error>;

    fn run<V: Lanes<Real = R>>(self) -> Self::Output {
        self.plan.vectors::<V>(self.n).map(Block::count::<V>)
    }
}

/// [`compile`] for the degree of the cells.
struct Compile<'a> {
    kernel: Kernel<'a, f64>,
    cells: &'a Cells,
    time_values: &'a [f64],
    rows: &'a mut [f64],
    scratch: &'a mut [f64],
}

impl Vectorized<f64> for Compile<'_> {
    type Output = Result<Accuracy, Missing>;

    fn run<V: Lanes<Real = f64>>(self) -> Result<Accuracy, Missing> {
        let Compile { kernel, cells, time_values, rows, scratch } = self;
        match cells.degree {
            Degree::Cubic => compile::<V, 4>(&kernel, cells, time_values, rows, scratch),
            Degree::Septic => compile::<V, 8>(&kernel, cells, time_values, rows, scratch),
        }
    }
}

/// What tables are made of.
#[cfg(feature = "std")]
pub(crate) struct Compiled<'a> {
    pub cells: Cells,
    pub kernel: Kernel<'a, f64>,
    /// R_l at the stage times, `[stages][L]`.
    pub time_values: &'a [f64],
    /// The compiled F_l, `[L][padded_rows][C]`.
    pub rows: &'a [f64],
}

impl Compile<'_> {
    /// Not generic, so that it is compiled in this crate.
    fn on(self, isa: Isa) -> Result<Accuracy, Missing> {
        isa.run_on_vectors(self)
    }
}

/// [`combine`] for all stages.
pub struct Combine<'a, R> {
    n_time: usize,
    time_values: &'a [f64],
    rows: &'a [f64],
    tables: &'a mut [R],
}

impl<R: Real> Vectorized<f64> for Combine<'_, R> {
    type Output = Result<(), Missing>;

    fn run<V: Lanes<Real = f64>>(self) -> Result<(), Missing> {
        combine::<V, R>(self.n_time, self.time_values, self.rows, self.tables)
    }
}

/// phi at a stage time, in either form.
pub(crate) enum StageRadial<'a, V: Lanes> {
    /// The sum over all Gaussians.
    Exact(Exact<'a, V, Shared<'a, V::Real>>),
    /// Polynomials of degree 3.
    Cubic(Table<'a, V::Real, 4>),
    /// Polynomials of degree 7.
    Septic(Table<'a, V::Real, 8>),
}

impl<V: Lanes> Radial<V> for StageRadial<'_, V> {
    fn value_slope(&self, d: &[V], phi: &mut [V], slope: &mut [V]) {
        match self {
            StageRadial::Exact(radial) => radial.value_slope(d, phi, slope),
            StageRadial::Cubic(radial) => radial.value_slope(d, phi, slope),
            StageRadial::Septic(radial) => radial.value_slope(d, phi, slope),
        }
    }

    fn value_slope_curvature(&self, d: &[V], phi: &mut [V], slope: &mut [V], curvature: &mut [V]) {
        match self {
            StageRadial::Exact(radial) => radial.value_slope_curvature(d, phi, slope, curvature),
            StageRadial::Cubic(radial) => radial.value_slope_curvature(d, phi, slope, curvature),
            StageRadial::Septic(radial) => radial.value_slope_curvature(d, phi, slope, curvature),
        }
    }
}

#[cfg(feature = "std")]
impl<R: Precision> Plan<R, Vec<Block>> {
    /// Prepares `model` in memory of its own.
    ///
    /// # Errors
    /// Those of [`Plan::new`].
    pub fn allocate(model: &Model<'_>, config: &Config) -> Result<Self, Error> {
        let layout = Layout::of::<R>(model, config)?;
        Plan::with_layout(model, config, layout, None, vec![Block::default(); layout.total::<R>()])
    }

    /// As [`Plan::allocate`] with the fixed grid's nodes where `nodes` says.
    ///
    /// # Errors
    /// Those of [`Plan::new`] and [`Plan::regrid`].
    pub fn allocate_on_grid(model: &Model<'_>, config: &Config, nodes: &[f64]) -> Result<Self, Error> {
        let layout = Layout::of::<R>(model, config)?;
        let storage = vec![Block::default(); layout.total::<R>()];
        Plan::with_layout(model, config, layout, Some(nodes), storage)
    }
}

#[cfg(feature = "std")]
impl<R: Precision, S: Deref<Target = [Block]>> Plan<R, S> {
    /// Allocates a workspace for batches of up to `n` samples.
    ///
    /// # Errors
    /// Those of [`Plan::workspace_extent`].
    pub fn allocate_workspace(&self, n: usize) -> Result<Vec<Block>, Error> {
        Ok(vec![Block::default(); self.workspace_extent(n)?])
    }
}

/// The kernel whose arrays, of precision `T`, begin with number `first`.
fn kernel<'a, R: Real, T: Real>(
    constants: Constants<T>,
    layout: &Layout,
    first: usize,
    storage: &'a [Block],
) -> Result<Kernel<'a, T>, Missing> {
    let Constants { basis, eps, reach } = constants;
    let of = |array| layout.get::<R, T>(storage, first + array);
    Ok(Kernel {
        basis,
        eps,
        reach,
        mean: of(array::MEAN)?,
        scale: of(array::SCALE)?,
        time_mean: of(array::TIME_MEAN)?,
        time_scale: of(array::TIME_SCALE)?,
        level: of(array::LEVEL)?,
        weights: of(array::WEIGHTS)?,
    })
}

/// The kernel in double precision, of which the tables are compiled.
fn double_kernel<'a, R: Real>(
    (basis, eps): (Basis, f64),
    layout: &Layout,
    storage: &'a [Block],
) -> Result<Kernel<'a, f64>, Missing> {
    let kernel = kernel::<R, f64>(Constants { basis, eps, reach: 0.0 }, layout, array::DOUBLES, storage)?;
    Ok(Kernel { reach: reach(kernel.mean, kernel.scale), ..kernel })
}

/// Converts the model's parameters to `T`, into the arrays that begin with number `first`; fails where one of them
/// overflows.
fn write_parameters<R: Real, T: Real>(
    model: &Model<'_>,
    layout: &Layout,
    first: usize,
    storage: &mut [Block],
) -> Result<(), Error> {
    let mut write = |array, argument, values: &mut dyn Iterator<Item = f64>, convert: fn(f64) -> f64| {
        let slots = layout.get_mut::<R, T>(storage, first + array)?;
        for (index, (slot, value)) in slots.iter_mut().zip(values).enumerate() {
            *slot = T::from_f64(convert(value));
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
    write(array::LEVEL, Argument::Bias, &mut (0..layout.n_time).map(|l| model.level(l)), same)
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
