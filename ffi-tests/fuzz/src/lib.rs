//! What the fuzz targets share: memory of exact sizes, so that AddressSanitizer sees every step beyond, and every
//! call of a plan.

use eqflow::capi::*;
use std::alloc::{Layout, alloc, dealloc};
use std::ffi::c_void;
use std::ptr::null_mut;

/// The caller's memory: exactly as large as asked for.
pub struct Memory {
    pointer: *mut u8,
    layout: Layout,
}

impl Memory {
    /// `None` above what a run of the fuzzer should take.
    pub fn new(extent: eqf_extent) -> Option<Self> {
        let layout = Layout::from_size_align(extent.size.max(1), extent.align).unwrap();
        if extent.size > 1 << 26 {
            return None;
        }
        // SAFETY: the layout is not empty.
        Some(Memory { pointer: unsafe { alloc(layout) }, layout })
    }

    /// The bytes at an address that is `offset` bytes beyond a multiple of 8; behind them nothing.
    pub fn copy(bytes: &[u8], offset: usize) -> Self {
        let memory = Memory::new(eqf_extent { size: offset + bytes.len(), align: 8 }).unwrap();
        // SAFETY: as many bytes as were allocated.
        unsafe { memory.pointer.add(offset).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        memory
    }

    pub fn at(&self, offset: usize) -> *mut u8 {
        self.pointer.wrapping_add(offset)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout.
        unsafe { dealloc(self.pointer, self.layout) }
    }
}

pub const NO_EXTENT: eqf_extent = eqf_extent { size: 0, align: 1 };
pub const NO_DIAG: eqf_diag = eqf_diag { argument: 0, index: 0, value: 0.0 };

/// No call may give a status that the header does not have, or admit a defect.
pub fn check(status: i32, diag: &eqf_diag) -> bool {
    assert!((EQF_OK..=EQF_ERROR_CALLBACK).contains(&status), "status {status}, {diag:?}");
    status == EQF_OK
}

/// The C functions of one precision.
pub struct Functions<R, P> {
    pub plan_extent:
        unsafe extern "C" fn(*const eqf_model, *const eqf_config, *mut eqf_extent, *mut eqf_diag) -> i32,
    #[allow(clippy::type_complexity)]
    pub plan_init: unsafe extern "C" fn(
        *mut c_void,
        usize,
        *const eqf_model,
        *const eqf_config,
        *mut *mut P,
        *mut eqf_diag,
    ) -> i32,
    pub workspace_extent: unsafe extern "C" fn(*const P, usize, *mut eqf_extent) -> i32,
    pub sample: unsafe extern "C" fn(
        *const P,
        u64,
        u64,
        usize,
        *mut R,
        *mut R,
        *mut c_void,
        usize,
        *mut eqf_diag,
    ) -> i32,
    pub forward: Transport<R, P>,
    pub inverse: Transport<R, P>,
    pub log_prob: Transport<R, P>,
    pub field: unsafe extern "C" fn(
        *const P,
        R,
        usize,
        *const R,
        *mut R,
        *mut R,
        *mut c_void,
        usize,
        *mut eqf_diag,
    ) -> i32,
    pub radial: unsafe extern "C" fn(*const P, R, usize, *const R, *mut R, *mut R, *mut eqf_diag) -> i32,
    pub jacobian:
        unsafe extern "C" fn(*const P, usize, *const R, *mut R, *mut c_void, usize, *mut eqf_diag) -> i32,
}

type Transport<R, P> =
    unsafe extern "C" fn(*const P, usize, *const R, *mut R, *mut R, *mut c_void, usize, *mut eqf_diag) -> i32;

pub const DOUBLE: Functions<f64, eqf_plan> = Functions {
    plan_extent: eqf_plan_extent,
    plan_init: eqf_plan_init,
    workspace_extent: eqf_workspace_extent,
    sample: eqf_sample,
    forward: eqf_forward,
    inverse: eqf_inverse,
    log_prob: eqf_log_prob,
    field: eqf_field,
    radial: eqf_radial,
    jacobian: eqf_jacobian,
};

pub const SINGLE: Functions<f32, eqf_plan_f32> = Functions {
    plan_extent: eqf_plan_extent_f32,
    plan_init: eqf_plan_init_f32,
    workspace_extent: eqf_workspace_extent_f32,
    sample: eqf_sample_f32,
    forward: eqf_forward_f32,
    inverse: eqf_inverse_f32,
    log_prob: eqf_log_prob_f32,
    field: eqf_field_f32,
    radial: eqf_radial_f32,
    jacobian: eqf_jacobian_f32,
};

impl<R: Copy + Default, P> Functions<R, P> {
    /// Makes a plan of whatever model and configuration come, and calls everything on it; sizes and steps that would
    /// take long end before.
    pub fn exercise(&self, model: &eqf_model, config: *const eqf_config, n: usize, numbers: &[R]) {
        let (mut extent, mut diag, mut plan) = (NO_EXTENT, NO_DIAG, null_mut());
        // SAFETY: model and configuration are the caller's, all memory has the sizes that are claimed.
        unsafe {
            if !check((self.plan_extent)(model, config, &mut extent, &mut diag), &diag) {
                return;
            }
            assert!(extent.align.is_power_of_two() && extent.size % extent.align == 0);
            let Some(memory) = Memory::new(extent) else { return };
            let status =
                (self.plan_init)(memory.at(0).cast(), extent.size, model, config, &mut plan, &mut diag);
            if !check(status, &diag) {
                return;
            }
            assert!(check((self.workspace_extent)(plan, n, &mut extent), &diag));
            let Some(work) = Memory::new(extent) else { return };
            self.calls(plan, model, n, numbers, (work.at(0).cast(), extent.size));
        }
    }

    unsafe fn calls(
        &self,
        plan: *const P,
        model: &eqf_model,
        n: usize,
        numbers: &[R],
        (work, len): (*mut c_void, usize),
    ) {
        let coordinates = model.n_particles * model.dimension;
        let free = coordinates - model.dimension;
        let number = |i: usize| numbers.get(i % numbers.len().max(1)).copied().unwrap_or_default();
        let array = |length: usize, first: usize| (0..length).map(|i| number(first + i)).collect::<Vec<R>>();
        let (mut x, mut y, mut s) = (array(n * coordinates, 0), array(n * coordinates, 0), array(n, 0));
        let mut jacobian = array(n * free * free, 0);
        let mut diag = NO_DIAG;
        // SAFETY: the arrays have the documented lengths.
        unsafe {
            let (px, py, ps) = (x.as_mut_ptr(), y.as_mut_ptr(), s.as_mut_ptr());
            check((self.forward)(plan, n, px, py, ps, work, len, &mut diag), &diag);
            check((self.inverse)(plan, n, px, py, ps, work, len, &mut diag), &diag);
            check((self.log_prob)(plan, n, px, ps, py, work, len, &mut diag), &diag);
            check((self.log_prob)(plan, n, px, ps, null_mut(), work, len, &mut diag), &diag);
            check((self.field)(plan, number(0), n, px, py, ps, work, len, &mut diag), &diag);
            check((self.radial)(plan, number(1), n, px, py, ps, &mut diag), &diag);
            check((self.jacobian)(plan, n, px, jacobian.as_mut_ptr(), work, len, &mut diag), &diag);
            check((self.sample)(plan, 1, u64::MAX, n, px, ps, work, len, &mut diag), &diag);
        }
    }
}
