//! Plans in the caller's memory: a header and, behind it, the blocks that it points to.

use super::config::{self, eqf_config};
use super::memory::{Output, Region, check_disjoint, check_pointer};
use super::model::{self, Borrowed, eqf_model};
use super::status::{Diag, eqf_diag, report, status_of};
use crate::error::{Argument, Error, Status};
use crate::flow::{Plan, Precision};
use crate::lanes::Block;
use crate::radial::Accuracy;
use core::ffi::c_void;

/// How much memory to provide, and its alignment (a power of two that divides the size).
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct eqf_extent {
    /// Bytes.
    pub size: usize,
    /// Alignment in bytes.
    pub align: usize,
}

impl eqf_extent {
    /// That of so many blocks for `n` samples.
    pub(super) fn of(blocks: usize, n: usize) -> Result<Self, Error> {
        let size = blocks.checked_mul(size_of::<Block>()).filter(|&size| size <= isize::MAX as usize);
        let size = size.ok_or(Error::new(Status::Shape, Argument::Count, n as f64))?;
        Ok(eqf_extent { size, align: align_of::<Block>() })
    }
}

/// A model prepared for a grid, in double precision. Opaque; lives in the memory given to eqf_plan_init().
pub struct eqf_plan {
    _opaque: [u8; 0],
}

/// A model prepared for a grid, in single precision. Opaque; lives in the memory given to eqf_plan_init_f32().
pub struct eqf_plan_f32 {
    _opaque: [u8; 0],
}

/// What the opaque pointers point to.
#[repr(C)]
pub(super) struct Header<R: 'static> {
    tag: u64,
    /// Bytes of header and blocks.
    size: usize,
    /// The blocks lie in the same memory, so they live as long as this header: the lifetime is never used.
    pub(super) plan: Plan<R, &'static mut [Block]>,
}

impl<R: Precision> Header<R> {
    /// Differs between precisions; catches pointers to something else.
    const TAG: u64 = 0x4e4c_5051_4645_8900 + size_of::<R>() as u64;

    /// Bytes of a header and `blocks`.
    fn size(blocks: usize) -> Result<usize, Error> {
        let size = blocks.checked_add(Block::count::<u8>(size_of::<Self>()));
        let size = size.and_then(|blocks| blocks.checked_mul(size_of::<Block>()));
        size.ok_or(Error::new(Status::Shape, Argument::Memory, blocks as f64))
    }

    pub(super) fn region(&self) -> Region {
        Region::read(Argument::Plan, core::ptr::from_ref(self).addr(), self.size)
    }
}

/// The plan behind an opaque pointer.
///
/// # Safety
/// `plan` is NULL or comes from the init function of this precision, and its memory is intact.
pub(super) unsafe fn borrow<'a, R: Precision>(plan: *const c_void) -> Result<&'a Header<R>, Error> {
    let header = plan.cast::<Header<R>>();
    check_pointer(Argument::Plan, header)?;
    // SAFETY: not NULL, aligned, and readable by contract; any bits are a `u64`.
    let tag = unsafe { (&raw const (*header).tag).read() };
    if tag != Header::<R>::TAG {
        return Err(Error::new(Status::Argument, Argument::Plan, 0.0));
    }
    // SAFETY: `init` wrote a header there.
    Ok(unsafe { &*header })
}

/// # Safety
/// That of [`eqf_plan_extent`].
unsafe fn extent<R: Precision>(
    model: *const eqf_model,
    config: *const eqf_config,
    extent: *mut eqf_extent,
    diag: Diag,
) -> Result<(), Error> {
    // SAFETY: by contract.
    let (Borrowed { model, regions }, (config, config_region)) =
        unsafe { (model::borrow(model)?, config::borrow(config)?) };
    let target = Output::new(Argument::Extent, extent, 1)?;
    let [a, b, c, d, e, f, g, h] = regions;
    check_disjoint(&[a, b, c, d, e, f, g, h, config_region, target.region, diag.region()])?;
    let size = Header::<R>::size(Plan::<R, ()>::extent(&model, &config)?)?;
    // SAFETY: writable by contract.
    unsafe { target.write(eqf_extent { size, align: align_of::<Block>() }) };
    Ok(())
}

/// What the caller provides for a plan, and where its address goes.
struct Target {
    memory: *mut c_void,
    len: usize,
    plan: *mut *mut c_void,
}

/// # Safety
/// That of [`eqf_plan_init`].
unsafe fn init<R: Precision>(
    target: Target,
    model: *const eqf_model,
    config: *const eqf_config,
    diag: Diag,
) -> Result<(), Error> {
    // SAFETY: by contract.
    let (Borrowed { model, regions }, (config, config_region)) =
        unsafe { (model::borrow(model)?, config::borrow(config)?) };
    let blocks = Plan::<R, ()>::extent(&model, &config)?;
    let size = Header::<R>::size(blocks)?;
    let header = Output::new(Argument::Memory, target.memory.cast::<Header<R>>(), 1)?;
    if target.len < size {
        return Err(Error::new(Status::Workspace, Argument::Memory, size as f64));
    }
    let memory = Output::new(Argument::Memory, target.memory.cast::<u8>(), size)?;
    let plan = Output::new(Argument::Plan, target.plan, 1)?;
    let [a, b, c, d, e, f, g, h] = regions;
    let outputs = [memory.region, plan.region, diag.region()];
    check_disjoint(&[a, b, c, d, e, f, g, h, config_region, outputs[0], outputs[1], outputs[2]])?;
    // SAFETY: inside the checked memory, whose size is that of header and blocks.
    let storage = unsafe { target.memory.cast::<Block>().add(Block::count::<u8>(size_of::<Header<R>>())) };
    let storage = Output::new(Argument::Memory, storage, blocks)?;
    // SAFETY: the caller's memory, disjoint from all that is read; any bits are blocks.
    let prepared = Plan::new(&model, &config, unsafe { storage.slice() })?;
    // SAFETY: checked memory of the caller's.
    unsafe {
        header.write(Header { tag: Header::<R>::TAG, size, plan: prepared });
        plan.write(target.memory);
    }
    Ok(())
}

/// # Safety
/// That of [`eqf_workspace_extent`].
pub(super) unsafe fn workspace_extent<R: Precision>(
    plan: *const c_void,
    n: usize,
    threads: usize,
    extent: *mut eqf_extent,
) -> Result<(), Error> {
    // SAFETY: by contract.
    let header = unsafe { borrow::<R>(plan)? };
    let target = Output::new(Argument::Extent, extent, 1)?;
    check_disjoint(&[header.region(), target.region])?;
    let extent = eqf_extent::of(header.plan.workspace_extent_on_threads(n, threads)?, n)?;
    // SAFETY: writable by contract.
    unsafe { target.write(extent) };
    Ok(())
}

/// How well a plan's compiled radial functions meet the model's, before rounding to the plan's precision.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct eqf_accuracy {
    /// 1 where the plan evaluates compiled radial functions; 0 where it sums Gaussians: all else is 0 then.
    pub compiled: i32,
    /// Zero.
    pub reserved: i32,
    /// Bound on the difference in phi: twice the largest that is found at the ends and in the middles of cells.
    pub phi_error: f64,
    /// Largest difference in d phi', d times the derivative in d.
    pub slope_error: f64,
    /// Largest |phi|; phi_error relative to it is what config.table_tolerance bounds.
    pub largest_phi: f64,
    /// Largest |d phi'|.
    pub largest_slope: f64,
}

/// # Safety
/// That of [`eqf_table_accuracy`].
unsafe fn table_accuracy<R: Precision>(
    plan: *const c_void,
    accuracy: *mut eqf_accuracy,
    diag: Diag,
) -> Result<(), Error> {
    // SAFETY: by contract.
    let header = unsafe { borrow::<R>(plan)? };
    let target = Output::new(Argument::Accuracy, accuracy, 1)?;
    check_disjoint(&[header.region(), target.region, diag.region()])?;
    let given = header.plan.table_accuracy();
    let Accuracy { phi_error, slope_error, largest_phi, largest_slope } = given.unwrap_or_default();
    let compiled = given.is_some().into();
    // SAFETY: writable by contract.
    unsafe {
        target.write(eqf_accuracy {
            compiled,
            reserved: 0,
            phi_error,
            slope_error,
            largest_phi,
            largest_slope,
        });
    };
    Ok(())
}

/// Says how much memory eqf_plan_init() takes for this model and configuration.
///
/// NULL: diag.
/// Errors: EQF_ERROR_NULL (also for the model's arrays), EQF_ERROR_ALIGNMENT, EQF_ERROR_ABI; EQF_ERROR_SHAPE for the
/// model's sizes; EQF_ERROR_ARGUMENT for unknown constants and values out of range; EQF_ERROR_MODEL for a gamma,
/// gamma_time or eps out of range; EQF_ERROR_NON_FINITE for a parameter or tolerance; EQF_ERROR_UNSUPPORTED for what
/// EQF_INTEGRATOR_DOPRI5 lacks, an instruction set that the processor lacks, and EQF_RADIAL_TABLE with a table that
/// would be too large; EQF_ERROR_OVERLAP.
/// Threads: any thread may call it.
/// Since: 0.1.0.
/// Example:
///
/// ```c
/// assert(eqf_plan_extent(&model, &config, &extent, &diag) == EQF_OK);
/// assert(extent.size <= mem_len && extent.size % extent.align == 0);
/// ```
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_plan_extent(
    model: *const eqf_model,
    config: *const eqf_config,
    extent: *mut eqf_extent,
    diag: *mut eqf_diag,
) -> i32 {
    // SAFETY: pointers by the documented contract.
    unsafe { report(diag, |diag| self::extent::<f64>(model, config, extent, diag)) }
}

/// Single-precision twin of eqf_plan_extent(). Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_plan_extent_f32(
    model: *const eqf_model,
    config: *const eqf_config,
    extent: *mut eqf_extent,
    diag: *mut eqf_diag,
) -> i32 {
    // SAFETY: pointers by the documented contract.
    unsafe { report(diag, |diag| self::extent::<f32>(model, config, extent, diag)) }
}

/// Prepares a model for a grid in the caller's memory `mem` of `len` bytes and stores the plan's address.
///
/// The memory has at least the size and alignment of eqf_plan_extent(); it must be neither moved nor changed as long
/// as the plan is used, and giving it back is all it takes to end a plan. Nothing else is kept: the model's arrays
/// may go. Cost: (2 steps + 1) L M multiplications, and about a millisecond where phi is compiled.
///
/// NULL: diag.
/// Errors: those of eqf_plan_extent(); EQF_ERROR_WORKSPACE where `len` is too short (diag's value is the size it
/// takes); EQF_ERROR_NON_FINITE also where a parameter overflows the precision; EQF_ERROR_UNSUPPORTED where
/// EQF_RADIAL_TABLE cannot meet its tolerance (diag's value is what would be met); EQF_ERROR_OVERLAP. `*plan` is
/// untouched then (what `mem` holds is unspecified).
/// Threads: any thread may make a plan in memory of its own; once made, any number of threads may share it.
/// Since: 0.1.0.
/// Example:
///
/// ```c
/// eqf_plan *own;
/// assert(eqf_plan_init(mem, mem_len, &model, &config, &own, &diag) == EQF_OK);
/// assert(eqf_forward(own, n, z, x, NULL, work, work_len, &diag) == EQF_OK);
/// ```
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_plan_init(
    mem: *mut c_void,
    len: usize,
    model: *const eqf_model,
    config: *const eqf_config,
    plan: *mut *mut eqf_plan,
    diag: *mut eqf_diag,
) -> i32 {
    let target = Target { memory: mem, len, plan: plan.cast() };
    // SAFETY: pointers and sizes by the documented contract.
    unsafe { report(diag, |diag| init::<f64>(target, model, config, diag)) }
}

/// Single-precision twin of eqf_plan_init(): the model, in doubles, is rounded. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_plan_init_f32(
    mem: *mut c_void,
    len: usize,
    model: *const eqf_model,
    config: *const eqf_config,
    plan: *mut *mut eqf_plan_f32,
    diag: *mut eqf_diag,
) -> i32 {
    let target = Target { memory: mem, len, plan: plan.cast() };
    // SAFETY: pointers and sizes by the documented contract.
    unsafe { report(diag, |diag| init::<f32>(target, model, config, diag)) }
}

/// Says how much workspace any call on `n` samples (or fewer) takes.
///
/// For EQF_INTEGRATOR_RK4 it stops growing at a few hundred samples, but with EQF_INVERSE_EXACT all results are kept
/// until the last sample is solved. A thread needs a workspace of its own; its contents mean nothing between calls.
///
/// NULL: nothing.
/// Errors: EQF_ERROR_NULL, EQF_ERROR_ALIGNMENT, EQF_ERROR_ARGUMENT where `plan` is no plan of this precision,
/// EQF_ERROR_SHAPE where the size overflows, EQF_ERROR_OVERLAP.
/// Threads: any thread may call it.
/// Since: 0.1.0.
/// Example:
///
/// ```c
/// assert(eqf_workspace_extent(plan, n, &extent) == EQF_OK);
/// assert(extent.size <= work_len);
/// ```
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_workspace_extent(
    plan: *const eqf_plan,
    n: usize,
    extent: *mut eqf_extent,
) -> i32 {
    // SAFETY: pointers by the documented contract.
    status_of(unsafe { workspace_extent::<f64>(plan.cast(), n, 1, extent) })
}

/// Single-precision twin of eqf_workspace_extent(). Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_workspace_extent_f32(
    plan: *const eqf_plan_f32,
    n: usize,
    extent: *mut eqf_extent,
) -> i32 {
    // SAFETY: pointers by the documented contract.
    status_of(unsafe { workspace_extent::<f32>(plan.cast(), n, 1, extent) })
}

/// Reports how well the compiled radial functions of a plan meet phi and d phi', as checked when the plan was made:
/// at the ends and in the middles of the cells, where the interpolation error is largest, and at about 2 L of the stage
/// times, before rounding to the plan's precision.
///
/// NULL: diag.
/// Errors: EQF_ERROR_NULL, EQF_ERROR_ALIGNMENT, EQF_ERROR_ARGUMENT where `plan` is no plan of this precision,
/// EQF_ERROR_OVERLAP.
/// Threads: any thread may call it.
/// Since: 0.1.0.
/// Example:
///
/// ```c
/// eqf_accuracy accuracy;
/// assert(eqf_table_accuracy(plan, &accuracy, &diag) == EQF_OK);
/// assert(accuracy.compiled == 1 && accuracy.phi_error <= 1e-12 * accuracy.largest_phi);
/// ```
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_table_accuracy(
    plan: *const eqf_plan,
    accuracy: *mut eqf_accuracy,
    diag: *mut eqf_diag,
) -> i32 {
    // SAFETY: pointers by the documented contract.
    unsafe { report(diag, |diag| table_accuracy::<f64>(plan.cast(), accuracy, diag)) }
}

/// Single-precision twin of eqf_table_accuracy(). Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eqf_table_accuracy_f32(
    plan: *const eqf_plan_f32,
    accuracy: *mut eqf_accuracy,
    diag: *mut eqf_diag,
) -> i32 {
    // SAFETY: pointers by the documented contract.
    unsafe { report(diag, |diag| table_accuracy::<f32>(plan.cast(), accuracy, diag)) }
}
