//! What the steps of Markov chains in the caller's memory share: the potential, the arrays, the workspace.

use super::memory::{Output, Region, check_disjoint, product, region_of};
use super::particles::batch;
use super::plan::{self, eqf_extent};
use super::status::{Diag, eqf_diag, report};
use crate::error::{Argument, Error, Status};
use crate::field::Shape;
use crate::flow::{Plan, Precision};
use crate::lanes::Block;
use crate::mcmc::Chains;
use core::ffi::c_void;

/// [`eqf_potential_fn`](super::potential::eqf_potential_fn) in either precision.
type Function<R> = unsafe extern "C" fn(*mut c_void, usize, usize, usize, *const R, *mut R, *mut R) -> i32;

/// A potential of the caller's in this precision, with its context.
#[derive(Clone, Copy)]
pub(super) struct Callback<R> {
    function: Function<R>,
    context: *mut c_void,
}

impl<R> Callback<R> {
    fn new(function: Option<Function<R>>, context: *mut c_void) -> Result<Self, Error> {
        let function = function.ok_or(Error::new(Status::Null, Argument::Potential, 0.0))?;
        Ok(Callback { function, context })
    }

    /// Writes the energies of the configurations `x`, `[n][N][D]`, to `u`, `[n]`.
    ///
    /// # Safety
    /// The function keeps to what [`eqf_potential_fn`] says.
    pub(super) unsafe fn energies(self, shape: Shape, x: &[R], u: &mut [R]) -> Result<(), Error> {
        // SAFETY: by this contract.
        unsafe { self.call(shape, x, u, core::ptr::null_mut()) }
    }

    /// The same with gradients, which are as many as `x`.
    ///
    /// # Safety
    /// That of [`Callback::energies`].
    pub(super) unsafe fn gradients(
        self,
        shape: Shape,
        x: &[R],
        u: &mut [R],
        grad: &mut [R],
    ) -> Result<(), Error> {
        // SAFETY: by this contract.
        unsafe { self.call(shape, x, u, grad.as_mut_ptr()) }
    }

    /// # Safety
    /// That of [`Callback::energies`]; `grad` is NULL or as long as `x`.
    unsafe fn call(self, shape: Shape, x: &[R], u: &mut [R], grad: *mut R) -> Result<(), Error> {
        let Shape { particles, dimension } = shape;
        let (x, n, u) = (x.as_ptr(), u.len(), u.as_mut_ptr());
        // SAFETY: arrays of the lengths that the sizes say; by this contract nothing else is touched.
        let status = unsafe { (self.function)(self.context, n, particles, dimension, x, u, grad) };
        if status == 0 {
            return Ok(());
        }
        Err(Error::new(Status::Callback, Argument::Potential, f64::from(status)))
    }
}

/// What all kernels move.
pub(super) struct Arrays<R> {
    pub n: usize,
    pub x: *mut R,
    pub u: *mut R,
    pub accepted: *mut u64,
    pub work: *mut c_void,
    pub work_len: usize,
}

/// The same, checked.
pub(super) struct Checked<R> {
    x: Output<R>,
    u: Output<R>,
    accepted: Option<Output<u64>>,
    work: Output<Block>,
}

impl<R> Arrays<R> {
    /// Checks everything but overlaps, for a workspace of so many blocks.
    pub(super) fn check(self, shape: Shape, blocks: usize) -> Result<Checked<R>, Error> {
        let reals = product(self.n, &[shape.coordinates()])?;
        let blocks = if self.n == 0 { 0 } else { blocks };
        let work = Output::new(Argument::Work, self.work.cast(), blocks)?;
        let needed = product(blocks, &[size_of::<Block>()])?;
        if self.work_len < needed {
            return Err(Error::new(Status::Workspace, Argument::Work, needed as f64));
        }
        let x = Output::new(Argument::X, self.x, reals)?;
        let u = Output::new(Argument::Energy, self.u, self.n)?;
        let accepted = Output::optional(Argument::Accepted, self.accepted, self.n)?;
        Ok(Checked { x, u, accepted, work })
    }
}

impl<R> Checked<R> {
    /// Nothing of this, of the plan and of the `others` that a kernel has overlaps.
    pub(super) fn check_disjoint(&self, plan: Region, others: [Region; 3], diag: Diag) -> Result<(), Error> {
        let Checked { x, u, accepted, work } = self;
        let (accepted, [a, b, c]) = (region_of(accepted), others);
        check_disjoint(&[plan, x.region, u.region, a, b, c, accepted, work.region, diag.region()])
    }

    /// Chains and workspace.
    ///
    /// # Safety
    /// That of [`Output::slice`] for every array, which are disjoint.
    pub(super) unsafe fn slices<'a>(self) -> (Chains<'a, R>, &'a mut [Block]) {
        // SAFETY: by this contract.
        unsafe {
            let accepted = self.accepted.map(|accepted| accepted.slice());
            (Chains { x: self.x.slice(), u: self.u.slice(), accepted }, self.work.slice())
        }
    }
}

/// Runs a step at the caller's potential and reports as [`report`] does.
///
/// # Safety
/// That of [`report`].
pub(super) unsafe fn report_step<R>(
    diag: *mut eqf_diag,
    potential: Option<Function<R>>,
    context: *mut c_void,
    step: impl FnOnce(Callback<R>, Diag) -> Result<(), Error>,
) -> i32 {
    // SAFETY: by this contract.
    unsafe { report(diag, |diag| step(Callback::new(potential, context)?, diag)) }
}

/// Says how much workspace n chains of a shape take, `of` blocks.
///
/// # Safety
/// `extent` is NULL or points to writable memory.
pub(super) unsafe fn extent_of_shape(
    n: usize,
    sizes: [usize; 2],
    extent: *mut eqf_extent,
    of: fn(Shape, usize) -> Result<usize, Error>,
) -> Result<(), Error> {
    let (shape, _) = batch(n, sizes[0], sizes[1])?;
    let target = Output::new(Argument::Extent, extent, 1)?;
    let extent = eqf_extent::of(of(shape, n)?, n)?;
    // SAFETY: writable by contract.
    unsafe { target.write(extent) };
    Ok(())
}

/// Blocks of workspace that n chains with a plan take.
pub(super) type PlanExtent<R> = fn(&Plan<R, &'static mut [Block]>, usize) -> Result<usize, Error>;

/// Says how much workspace n chains with a plan take, `of` blocks.
///
/// # Safety
/// The plan is what it is said to be; `extent` is NULL or points to writable memory.
pub(super) unsafe fn extent_of_plan<R: Precision>(
    plan: *const c_void,
    n: usize,
    extent: *mut eqf_extent,
    of: PlanExtent<R>,
) -> Result<(), Error> {
    // SAFETY: by contract.
    let header = unsafe { plan::borrow::<R>(plan)? };
    let target = Output::new(Argument::Extent, extent, 1)?;
    check_disjoint(&[header.region(), target.region])?;
    let extent = eqf_extent::of(of(&header.plan, n)?, n)?;
    // SAFETY: writable by contract.
    unsafe { target.write(extent) };
    Ok(())
}
