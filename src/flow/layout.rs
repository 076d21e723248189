//! Where each array lies in a plan's memory: each in blocks of its own.

use super::config::{Config, RadialPath};
use super::model::Model;
use crate::error::{Argument, Error, Missing, Status};
use crate::lanes::{Block, Isa, Lanes, Real, Vectorized, at, part, part_mut, split};
use crate::radial::{Basis, Cells, Degree, RadialPrecision, Source, padded_rows, scratch_extent};

/// Index of each array in [`Layout::lengths`].
pub mod array {
    pub const MEAN: usize = 0;
    pub const SCALE: usize = 1;
    pub const TIME_MEAN: usize = 2;
    pub const TIME_SCALE: usize = 3;
    pub const LEVEL: usize = 4;
    pub const WEIGHTS: usize = 5;
    pub const STEP_LENGTHS: usize = 6;
    pub const OFFSETS: usize = 7;
    pub const STAGE_WEIGHTS: usize = 8;
    /// The first six once more, in double precision: what is compiled.
    pub const DOUBLES: usize = 9;
    /// R_l at the stage times, `[stages][L]`, in double precision.
    pub const TIME_VALUES: usize = 15;
    pub const SCRATCH: usize = 16;
    /// The compiled functions of distance, `[L][rows][C]`, in double precision.
    pub const ROWS: usize = 17;
    /// A table a stage, `[stages][rows][C]`.
    pub const TABLES: usize = 18;
    pub const COUNT: usize = 19;
}

/// Sizes from which everything else follows.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    pub n_radial: usize,
    pub n_time: usize,
    pub steps: usize,
    /// The cells for which there is room.
    pub cells: Option<Cells>,
}

impl Layout {
    /// Checks model and configuration, and chooses the cells where radial functions are to be compiled.
    ///
    /// # Errors
    /// Those of [`Model::check`] and [`Config::check`]; [`Status::Unsupported`] where a table that is demanded
    /// would be too large.
    pub fn of<R: Real>(model: &Model<'_>, config: &Config) -> Result<Self, Error> {
        model.check()?;
        config.check()?;
        let mut cells = None;
        if let Some(samples) = config.samples_for_tables() {
            let isa = config.isa.unwrap_or(Isa::best());
            let (tolerance, precision) = (config.tolerance::<R>(), precision::<R>());
            let candidates = Candidates { model, tolerance, precision }.on(isa);
            let cost = |cells: &Cells| cost(model, config, cells, samples);
            cells = candidates.into_iter().flatten().min_by(|a, b| cost(a).total_cmp(&cost(b)));
            if config.radial != RadialPath::Compiled {
                cells = cells.filter(|cells| cost(cells) <= exact_cost(model, config, samples));
            } else if cells.is_none() {
                return Err(Error::new(Status::Unsupported, Argument::TableTolerance, 0.0));
            }
        }
        let (n_radial, n_time) = (model.n_radial(), model.n_time());
        Ok(Layout { n_radial, n_time, steps: config.grid_steps(), cells })
    }

    /// Whether these can be the nodes of the fixed grid.
    ///
    /// # Errors
    /// Those of [`super::Plan::regrid`].
    pub fn check_nodes(&self, nodes: &[f64]) -> Result<(), Error> {
        if self.steps == 0 || nodes.len() != self.steps + 1 {
            return Err(Error::new(Status::Shape, Argument::Time, (self.steps + 1) as f64));
        }
        let mut before = None;
        for (index, &node) in nodes.iter().enumerate() {
            let end = index == self.steps;
            let right = before.map_or(node == 0.0, |before| node > before && (node == 1.0) == end);
            if !right {
                return Err(Error::at(Status::Argument, Argument::Time, index, node));
            }
            before = Some(node);
        }
        Ok(())
    }

    pub fn stages(&self) -> usize {
        if self.steps == 0 { 0 } else { 2 * self.steps + 1 }
    }

    /// Reals of each array.
    pub fn lengths(&self) -> [usize; array::COUNT] {
        let (m, l, stages) = (self.n_radial, self.n_time, self.stages());
        let mut lengths = [0; array::COUNT];
        lengths[..array::DOUBLES].copy_from_slice(&[m, m, l, l, l, l * m, self.steps, stages, stages * m]);
        if let Some(cells) = self.cells {
            let rows = padded_rows(&cells) * cells.degree.coefficients();
            let compiled = [m, m, l, l, l, l * m, stages * l, scratch_extent(l), l * rows, stages * rows];
            lengths[array::DOUBLES..].copy_from_slice(&compiled);
        }
        lengths
    }

    /// Blocks of each array in a plan of precision `R`.
    pub fn blocks<R: Real>(&self) -> [usize; array::COUNT] {
        let mut blocks = self.lengths();
        for (array, length) in blocks.iter_mut().enumerate() {
            let double = (array::DOUBLES..array::TABLES).contains(&array);
            *length = if double { Block::count::<f64>(*length) } else { Block::count::<R>(*length) };
        }
        blocks
    }

    /// Blocks of all arrays.
    pub fn total<R: Real>(&self) -> usize {
        self.blocks::<R>().iter().sum()
    }

    /// Array number `array`, whose reals are `T`, in the memory of a plan of precision `R`.
    pub fn get<'s, R: Real, T: Real>(&self, storage: &'s [Block], array: usize) -> Result<&'s [T], Missing> {
        let [start, blocks] = self.place::<R>(array)?;
        part(Block::reals(part(storage, start, blocks)?), 0, at(&self.lengths(), array)?)
    }

    /// As [`Layout::get`], to change it.
    pub fn get_mut<'s, R: Real, T: Real>(
        &self,
        storage: &'s mut [Block],
        array: usize,
    ) -> Result<&'s mut [T], Missing> {
        let [start, blocks] = self.place::<R>(array)?;
        part_mut(Block::reals_mut(part_mut(storage, start, blocks)?), 0, at(&self.lengths(), array)?)
    }

    /// All arrays before number `array`, and those from it on as [`Layout::take`] wants them.
    pub fn split<'s, R: Real>(
        &self,
        storage: &'s mut [Block],
        array: usize,
    ) -> Result<(&'s [Block], &'s mut [Block]), Missing> {
        let [start, _] = self.place::<R>(array)?;
        let (front, back) = split(storage, start)?;
        Ok((front, back))
    }

    /// Array number `array` from the front of `rest`, which begins with it.
    pub fn take<'s, R: Real, T: Real>(
        &self,
        rest: &mut &'s mut [Block],
        array: usize,
    ) -> Result<&'s mut [T], Missing> {
        let [_, blocks] = self.place::<R>(array)?;
        let (taken, back) = split(core::mem::take(rest), blocks)?;
        *rest = back;
        part_mut(Block::reals_mut(taken), 0, at(&self.lengths(), array)?)
    }

    /// First block of an array and how many it has.
    fn place<R: Real>(&self, array: usize) -> Result<[usize; 2], Missing> {
        let blocks = self.blocks::<R>();
        Ok([blocks.iter().take(array).sum(), at(&blocks, array)?])
    }
}

/// What it costs to build tables in these cells and to take `samples` samples through them, in cycles of a processor
/// with 256-bit vectors of doubles: a Gaussian or its product with a weight, each entry of each stage's table, and a
/// polynomial.
fn cost(model: &Model<'_>, config: &Config, cells: &Cells, samples: usize) -> f64 {
    let (m, l, stages) =
        (model.n_radial() as f64, model.n_time() as f64, (2 * config.grid_steps() + 1) as f64);
    let coefficients = cells.degree.coefficients() as f64;
    let entries = cells.rows() as f64 * coefficients;
    let build = entries * (3.0 * m + 0.2 * m * l + 0.4 * stages * l);
    build + evaluations(model, config, samples) * (5.0 + coefficients)
}

/// What `samples` samples cost on the exact path, in the same unit.
fn exact_cost(model: &Model<'_>, config: &Config, samples: usize) -> f64 {
    evaluations(model, config, samples) * (5.0 + 4.5 * model.n_radial() as f64)
}

/// Evaluations of phi that take `samples` samples along the grid.
fn evaluations(model: &Model<'_>, config: &Config, samples: usize) -> f64 {
    4.0 * config.grid_steps() as f64 * model.shape.pairs() as f64 * samples as f64
}

/// [`Cells::candidates`] for a model.
struct Candidates<'a> {
    model: &'a Model<'a>,
    tolerance: f64,
    precision: RadialPrecision,
}

impl Candidates<'_> {
    /// Not generic, so that it is compiled in this crate.
    fn on(self, isa: Isa) -> [Option<Cells>; Degree::ALL.len()] {
        isa.run_on_vectors(self)
    }
}

impl Vectorized<f64> for Candidates<'_> {
    type Output = [Option<Cells>; Degree::ALL.len()];

    fn run<V: Lanes<Real = f64>>(self) -> Self::Output {
        let Candidates { model, tolerance, precision } = self;
        Cells::candidates::<V>(model, tolerance, precision)
    }
}

impl Source for Model<'_> {
    fn basis(&self) -> Basis {
        self.basis
    }

    fn eps(&self) -> f64 {
        self.eps
    }

    fn n_radial(&self) -> usize {
        Model::n_radial(self)
    }

    fn n_time(&self) -> usize {
        Model::n_time(self)
    }

    fn radial(&self, m: usize) -> [f64; 2] {
        [self.mu.get(m), self.gamma.get(m)]
    }

    fn time(&self, l: usize) -> [f64; 2] {
        [self.mu_time.get(l), self.gamma_time.get(l)]
    }

    fn weight(&self, l: usize, m: usize) -> f64 {
        self.weights.get(l * Model::n_radial(self) + m)
    }

    fn level(&self, l: usize) -> f64 {
        Model::level(self, l)
    }
}

/// Whether y = scale d may round.
fn precision<R: Real>() -> RadialPrecision {
    if R::MANTISSA_BITS == f64::MANTISSA_BITS { RadialPrecision::Double } else { RadialPrecision::Single }
}
