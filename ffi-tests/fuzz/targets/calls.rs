//! A stream of bytes chooses functions and their arguments: NULL, misaligned and overlapping pointers, sizes of zero
//! and of nearly 2^64, lengths that are one too short, numbers that are NaN or infinite. What C promises by contract
//! holds: memory is as large as claimed, structures and strings are what they say.
#![no_main]

use eqflow::capi::*;
use eqflow_fuzz::{Memory, NO_EXTENT, check};
use libfuzzer_sys::fuzz_target;
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr::null_mut;
use std::sync::LazyLock;

const SLOTS: usize = 12;
/// Holds every array of a call on 4 samples of at most 5 particles, and a configuration of any size.
const SLOT: usize = 4096 + 64;
/// Workspace and memory for plans, behind zeros that are none.
const LARGE: usize = 1 << 20;
const ZEROS: usize = 64;
/// Plans a precision.
const PLANS: usize = 5;

const WEIGHTS: [f64; 4] = [0.1, -0.2, 0.3, 0.05];
const ONES: [f64; 2] = [0.5, 1.5];

fn model() -> eqf_model {
    let mut model = MaybeUninit::uninit();
    // SAFETY: as large as it says; filled where the status is 0.
    let model = unsafe {
        assert_eq!(eqf_model_init(model.as_mut_ptr(), size_of::<eqf_model>()), EQF_OK);
        model.assume_init()
    };
    let ones = ONES.as_ptr();
    let arrays = eqf_model { mu: ones, gamma: ones, mu_time: ones, gamma_time: ones, ..model };
    let sizes = eqf_model { n_particles: 3, dimension: 2, n_radial: 2, n_time: 2, ..arrays };
    eqf_model { weights: WEIGHTS.as_ptr(), ..sizes }
}

/// Number `which` of the plans.
fn config(which: usize) -> eqf_config {
    let mut config = MaybeUninit::uninit();
    // SAFETY: as large as it says; filled where the status is 0.
    let config = unsafe {
        assert_eq!(eqf_config_init(config.as_mut_ptr(), size_of::<eqf_config>()), EQF_OK);
        config.assume_init()
    };
    let short = eqf_config { steps: 2, max_steps: 50, rtol: 1e-3, atol: 1e-3, ..config };
    match which {
        0 => short,
        1 => eqf_config { radial: EQF_RADIAL_EXACT, isa: EQF_ISA_SCALAR, ..short },
        2 => eqf_config { integrator: EQF_INTEGRATOR_DOPRI5, ..short },
        3 => eqf_config { log_det: EQF_LOG_DET_JACOBIAN, ..short },
        _ => eqf_config { inverse: EQF_INVERSE_EXACT, isa: EQF_ISA_BASELINE, ..short },
    }
}

/// What all runs share: plans, which nothing may change.
struct Shared {
    plans: [(Memory, Memory); PLANS],
    file: Vec<u8>,
    arena: Memory,
    large: Memory,
}

// SAFETY: the fuzzer has one thread.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

static SHARED: LazyLock<Shared> = LazyLock::new(|| {
    let (model, mut file) = (model(), vec![0; 4096]);
    let mut needed = 0;
    // SAFETY: all memory is there and as large as it says.
    unsafe {
        let status = eqf_model_write(&model, file.as_mut_ptr(), file.len(), &mut needed, null_mut());
        assert_eq!(status, EQF_OK);
    }
    file.truncate(needed);
    let plans = std::array::from_fn(|which| {
        let config = config(which);
        let (mut extent, mut plan, mut plan_f32) = (NO_EXTENT, null_mut(), null_mut());
        // SAFETY: as above.
        unsafe {
            assert_eq!(eqf_plan_extent(&model, &config, &mut extent, null_mut()), EQF_OK);
            let double = Memory::new(extent).unwrap();
            let at = double.at(0).cast();
            assert_eq!(eqf_plan_init(at, extent.size, &model, &config, &mut plan, null_mut()), EQF_OK);
            assert_eq!(eqf_plan_extent_f32(&model, &config, &mut extent, null_mut()), EQF_OK);
            let single = Memory::new(extent).unwrap();
            let at = single.at(0).cast();
            assert_eq!(
                eqf_plan_init_f32(at, extent.size, &model, &config, &mut plan_f32, null_mut()),
                EQF_OK
            );
            (double, single)
        }
    });
    let memory = |size| Memory::new(eqf_extent { size, align: 64 }).unwrap();
    let (arena, large) = (memory(SLOTS * SLOT), memory(ZEROS + LARGE + 64));
    // SAFETY: the memory has as much.
    unsafe { large.at(0).write_bytes(0, ZEROS) };
    Shared { plans, file, arena, large }
});

/// The stream, and the memory that its calls use.
struct Caller<'a> {
    bytes: std::slice::Iter<'a, u8>,
    arena: &'a Memory,
    large: &'a Memory,
    /// What the memory of the latest [`Caller::large`] has.
    available: usize,
    before: Vec<u8>,
    /// What a call that fails may change: addresses of workspace and diagnosis.
    changes: [std::ops::Range<usize>; 2],
}

impl<'a> Caller<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        let Shared { arena, large, .. } = &*SHARED;
        Caller {
            bytes: bytes.iter(),
            arena,
            large,
            available: 0,
            before: vec![0; SLOTS * SLOT],
            changes: [0..0, 0..0],
        }
    }

    /// Remembers these bytes of the arena as they are before the call.
    fn keep(&mut self, at: *const u8, length: usize) {
        let start = at.addr() - self.arena.at(0).addr();
        // SAFETY: inside the arena, which has been filled.
        let bytes = unsafe { std::slice::from_raw_parts(at, length) };
        self.before[start..start + length].copy_from_slice(bytes);
    }

    /// Whether the call has changed nothing in the arena but workspace and diagnosis.
    fn unchanged(&self) -> bool {
        // SAFETY: all of the arena, which has been filled.
        let now = unsafe { std::slice::from_raw_parts(self.arena.at(0), SLOTS * SLOT) };
        let may = |address: usize| self.changes.iter().any(|range| range.contains(&address));
        now == self.before
            || now
                .iter()
                .zip(&self.before)
                .all(|(now, before)| now == before || may((&raw const *now).addr()))
    }

    fn byte(&mut self) -> usize {
        self.bytes.next().copied().unwrap_or(0).into()
    }

    /// Mostly small; else so large that no array of it can exist. Nothing between: that would claim memory.
    fn size(&mut self, largest: usize) -> usize {
        match self.byte() {
            byte @ 0..=0xdf => byte % (largest + 1),
            byte @ 0xe0..=0xef => usize::MAX - (byte & 15),
            byte => isize::MAX as usize + 1 + (byte & 15),
        }
    }

    fn word(&mut self) -> u64 {
        [0, 1, u64::MAX, 1 << 63, 12345][self.byte() % 5]
    }

    fn real(&mut self) -> f64 {
        let values =
            [0.5, 0.0, 1.0, -0.0, -1.0, 2.0, f64::NAN, f64::INFINITY, 1e300, f64::MIN_POSITIVE, 5e-324];
        values[self.byte() % values.len()]
    }

    /// Slot `i`'s beginning, or beside it.
    fn slot(&mut self, i: usize) -> *mut u8 {
        let offset = match self.byte() {
            0..=0xbf => 0,
            byte => [1, 2, 4, 8, 16, 32, 63, 64][byte & 7],
        };
        self.arena.at(i % SLOTS * SLOT + offset)
    }

    /// Where argument `i`'s array is: mostly in its slot, else in another, or nowhere.
    fn pointer(&mut self, i: usize) -> *mut u8 {
        match self.byte() {
            0..=0xcf => self.slot(i),
            0xd0..=0xdf => null_mut(),
            byte => self.slot(byte),
        }
    }

    fn plan(&mut self, single: bool) -> *mut u8 {
        let byte = self.byte();
        let (double, other) = &SHARED.plans[byte % PLANS];
        match byte {
            0..=0xdf if single => other.at(0),
            0..=0xdf => double.at(0),
            0xe0..=0xe7 => null_mut(),
            0xe8..=0xef => double.at(byte & 7),
            0xf0..=0xf7 => {
                if single {
                    double.at(0)
                } else {
                    other.at(0)
                }
            }
            // No plan: zeros.
            _ => self.large.at(byte & 7),
        }
    }

    /// Workspace, or memory for a plan.
    fn large(&mut self, i: usize) -> *mut u8 {
        self.available = LARGE;
        let pointer = match self.byte() {
            0..=0xd7 => self.large.at(ZEROS),
            byte @ 0xd8..=0xdf => self.large.at(ZEROS + (byte & 7)),
            0xe0..=0xe7 => null_mut(),
            _ => {
                self.available = SLOT - 64;
                self.slot(i)
            }
        };
        self.changes[0] = pointer.addr()..pointer.addr().saturating_add(self.available);
        pointer
    }

    /// A length of what is at [`Caller::large`].
    fn length(&mut self) -> usize {
        match self.byte() {
            0..=0xbf => self.available,
            byte @ 0xc0..=0xcf => byte & 15,
            0xd0..=0xdf => self.byte() * 16,
            _ => 0,
        }
    }

    fn diag(&mut self) -> *mut u8 {
        let pointer = self.pointer(7);
        self.changes[1] = pointer.addr()..pointer.addr().saturating_add(size_of::<eqf_diag>());
        pointer
    }

    /// Size of a structure, true or impossible.
    fn structure(&mut self) -> usize {
        match self.byte() {
            byte @ 0..=0x7f => byte * 2,
            0x80..=0xbf => self.byte() * 16,
            byte => usize::MAX >> (byte & 63),
        }
    }

    fn file(&mut self) -> *mut u8 {
        let at = self.slot(10);
        // SAFETY: the slot is larger than the file.
        unsafe { at.copy_from_nonoverlapping(SHARED.file.as_ptr(), SHARED.file.len()) };
        self.keep(at, SHARED.file.len());
        at
    }

    fn file_length(&mut self) -> usize {
        match self.byte() {
            byte @ 0..=0x3f => byte,
            0xf0.. => usize::MAX - self.byte(),
            _ => SHARED.file.len(),
        }
    }

    fn model(&mut self) -> *mut u8 {
        if self.byte() >= 0xf0 {
            return null_mut();
        }
        let at = self.slot(8);
        // SAFETY: the slot is larger than the structure.
        unsafe { at.cast::<eqf_model>().write_unaligned(model()) };
        self.keep(at, size_of::<eqf_model>());
        at
    }

    fn config(&mut self) -> *mut u8 {
        let which = self.byte();
        if which >= 0xf0 {
            return null_mut();
        }
        let at = self.slot(9);
        // SAFETY: the slot is larger than the structure.
        unsafe { at.cast::<eqf_config>().write_unaligned(config(which % PLANS)) };
        self.keep(at, size_of::<eqf_config>());
        at
    }

    fn text(&mut self) -> *mut u8 {
        let at = self.slot(11);
        let length = self.byte() % 32;
        for i in 0..length {
            let byte = self.byte() as u8;
            // SAFETY: inside the slot.
            unsafe { at.add(i).write(byte) };
        }
        // SAFETY: inside the slot.
        unsafe { at.add(length).write(0) };
        self.keep(at, length + 1);
        at
    }

    /// Numbers for everything to read.
    fn fill(&mut self) {
        let values: [f64; 8] = std::array::from_fn(|_| self.real());
        let base = self.arena.at(0).cast::<f64>();
        for i in 0..SLOTS * SLOT / 8 {
            // SAFETY: inside the arena, which is aligned.
            unsafe { base.add(i).write(values[i % 8]) };
        }
        if self.byte() & 1 == 1 {
            let base = base.cast::<f32>();
            for i in 0..SLOTS * SLOT / 4 {
                // SAFETY: as above.
                unsafe { base.add(i).write(values[i % 8] as f32) };
            }
        }
        self.keep(self.arena.at(0), SLOTS * SLOT);
    }
}

/// Potentials of both precisions, or none.
trait Potential: Sized {
    const ENERGY: Self;
    const NONE: Self;

    fn choose(caller: &mut Caller<'_>) -> Self {
        if caller.byte() >= 0xf0 { Self::NONE } else { Self::ENERGY }
    }
}

impl Potential for eqf_potential_fn {
    const ENERGY: Self = Some(energy);
    const NONE: Self = None;
}

impl Potential for eqf_potential_fn_f32 {
    const ENERGY: Self = Some(energy_f32);
    const NONE: Self = None;
}

/// A potential that gives what the numbers are, or fails.
unsafe extern "C" fn energy(
    context: *mut c_void,
    n: usize,
    _: usize,
    _: usize,
    x: *const f64,
    u: *mut f64,
    _: *mut f64,
) -> i32 {
    for i in 0..n {
        // SAFETY: n samples and n energies.
        unsafe { u.add(i).write(*x.add(i)) };
    }
    if context.addr() % 3 == 1 { -7 } else { 0 }
}

/// Its twin.
unsafe extern "C" fn energy_f32(
    context: *mut c_void,
    n: usize,
    _: usize,
    _: usize,
    x: *const f32,
    u: *mut f32,
    _: *mut f32,
) -> i32 {
    for i in 0..n {
        // SAFETY: n samples and n energies.
        unsafe { u.add(i).write(*x.add(i)) };
    }
    if context.addr() % 3 == 1 { -7 } else { 0 }
}

/// An argument of a kind; pointers go to the slot `i`.
macro_rules! argument {
    ($c:ident, $i:ident, $single:ident, n) => {
        $c.size(4)
    };
    ($c:ident, $i:ident, $single:ident, particles) => {
        $c.size(5)
    };
    ($c:ident, $i:ident, $single:ident, dimension) => {
        $c.size(4)
    };
    ($c:ident, $i:ident, $single:ident, threads) => {
        $c.size(4)
    };
    // All that are asked for are made: a large number would not end.
    ($c:ident, $i:ident, $single:ident, leapfrogs) => {
        $c.byte() % 5
    };
    ($c:ident, $i:ident, $single:ident, len) => {
        $c.length()
    };
    ($c:ident, $i:ident, $single:ident, file_length) => {
        $c.file_length()
    };
    ($c:ident, $i:ident, $single:ident, structure) => {
        $c.structure()
    };
    ($c:ident, $i:ident, $single:ident, word) => {
        $c.word()
    };
    ($c:ident, $i:ident, $single:ident, integer) => {
        $c.word() as i32 + $c.byte() as i32 - 1
    };
    ($c:ident, $i:ident, $single:ident, real) => {
        $c.real() as _
    };
    ($c:ident, $i:ident, $single:ident, plan) => {
        $c.plan($single).cast()
    };
    ($c:ident, $i:ident, $single:ident, large) => {
        $c.large($i).cast()
    };
    ($c:ident, $i:ident, $single:ident, model) => {
        $c.model().cast()
    };
    ($c:ident, $i:ident, $single:ident, config) => {
        $c.config().cast()
    };
    ($c:ident, $i:ident, $single:ident, file) => {
        $c.file().cast()
    };
    ($c:ident, $i:ident, $single:ident, text) => {
        $c.text().cast()
    };
    ($c:ident, $i:ident, $single:ident, potential) => {
        Potential::choose($c)
    };
    ($c:ident, $i:ident, $single:ident, diag) => {
        $c.diag().cast()
    };
    ($c:ident, $i:ident, $single:ident, array) => {{
        $i += 1;
        $c.pointer($i - 1).cast()
    }};
}

/// Chooses one of these functions, with its arguments, and calls it.
macro_rules! call_one {
    ($c:ident: $($function:path, $twin:path: $($kind:ident)*;)* --- $($single:path: $($only:ident)*;)*) => {{
        let functions: &[fn(&mut Caller<'_>) -> i32] = &[
            $(
                // SAFETY: what is passed keeps the contract: see the arguments.
                #[allow(unused)]
                |c| unsafe { let mut i = 0; let s = false; $function($(argument!(c, i, s, $kind)),*) },
                // SAFETY: as above.
                #[allow(unused)]
                |c| unsafe { let mut i = 0; let s = true; $twin($(argument!(c, i, s, $kind)),*) },
            )*
            $(
                // SAFETY: as above.
                #[allow(unused)]
                |c| unsafe { let mut i = 0; let s = false; $single($(argument!(c, i, s, $only)),*) },
            )*
        ];
        functions[$c.byte() % functions.len()]($c)
    }};
}

/// Calls a function; its status.
fn call(c: &mut Caller<'_>) -> i32 {
    call_one!(c:
        eqf_forward, eqf_forward_f32: plan n array array array large len diag;
        eqf_inverse, eqf_inverse_f32: plan n array array array large len diag;
        eqf_log_prob, eqf_log_prob_f32: plan n array array array large len diag;
        eqf_sample, eqf_sample_f32: plan word word n array array large len diag;
        eqf_jacobian, eqf_jacobian_f32: plan n array array large len diag;
        eqf_field, eqf_field_f32: plan real n array array array large len diag;
        eqf_radial, eqf_radial_f32: plan real n array array array diag;
        eqf_forward_threads, eqf_forward_threads_f32: plan threads n array array array large len diag;
        eqf_inverse_threads, eqf_inverse_threads_f32: plan threads n array array array large len diag;
        eqf_log_prob_threads, eqf_log_prob_threads_f32: plan threads n array array array large len diag;
        eqf_sample_threads, eqf_sample_threads_f32: plan threads word word n array array large len diag;
        eqf_workspace_extent, eqf_workspace_extent_f32: plan n array;
        eqf_workspace_extent_threads, eqf_workspace_extent_threads_f32: plan threads n array;
        eqf_table_accuracy, eqf_table_accuracy_f32: plan array diag;
        eqf_plan_extent, eqf_plan_extent_f32: model config array diag;
        eqf_plan_init, eqf_plan_init_f32: large len model config array diag;
        eqf_metropolis_extent, eqf_metropolis_extent_f32: n particles dimension array;
        eqf_metropolis, eqf_metropolis_f32: potential array word word word n particles dimension real array array array
            large len diag;
        eqf_independence_extent, eqf_independence_extent_f32: plan n array;
        eqf_independence, eqf_independence_f32: plan potential array word word word n array array array array large len
            diag;
        eqf_metropolis_particle, eqf_metropolis_particle_f32: potential array word word word n particles dimension real
            array array array large len diag;
        eqf_hmc_extent, eqf_hmc_extent_f32: n particles dimension array;
        eqf_hmc, eqf_hmc_f32: potential array word word word n particles dimension real leapfrogs array array array array
            large len diag;
        eqf_pull_gradient, eqf_pull_gradient_f32: plan n array array array array large len diag;
        eqf_latent_metropolis_extent, eqf_latent_metropolis_extent_f32: plan n array;
        eqf_latent_hmc_extent, eqf_latent_hmc_extent_f32: plan n array;
        eqf_latent_start, eqf_latent_start_f32: plan potential array n array array array array array large len diag;
        eqf_latent_metropolis, eqf_latent_metropolis_f32: plan potential array word word word n real array array array array
            array large len diag;
        eqf_latent_hmc, eqf_latent_hmc_f32: plan potential array word word word n real leapfrogs array array array array array
            array large len diag;
        eqf_exchange, eqf_exchange_f32: word word word n particles dimension array array array array array array array diag;
        eqf_remove_com, eqf_remove_com_f32: n particles dimension array array;
        eqf_prior_log_prob, eqf_prior_log_prob_f32: n particles dimension array array;
        eqf_prior_sample, eqf_prior_sample_f32: word word n particles dimension array;
        eqf_double_well, eqf_double_well_f32: array n particles dimension array array array;
        eqf_lennard_jones, eqf_lennard_jones_f32: array n particles dimension array array array;
        eqf_double_well_potential, eqf_double_well_potential_f32: array n particles dimension array array array;
        eqf_lennard_jones_potential, eqf_lennard_jones_potential_f32: array n particles dimension array array array;
        ---
        eqf_model_init: array structure;
        eqf_config_init: array structure;
        eqf_model_read: file file_length model diag;
        eqf_model_write: model large len array diag;
        eqf_double_well_dw4: array;
        eqf_lennard_jones_lj13: array;
        eqf_has_feature: text;
        status_string: integer;
        argument_string: integer;
    )
}

unsafe fn status_string(status: i32) -> i32 {
    // SAFETY: never NULL, with a zero at the end.
    assert!(!unsafe { std::ffi::CStr::from_ptr(eqf_status_string(status)) }.is_empty());
    EQF_OK
}

unsafe fn argument_string(argument: i32) -> i32 {
    // SAFETY: as above.
    assert!(!unsafe { std::ffi::CStr::from_ptr(eqf_argument_string(argument)) }.is_empty());
    EQF_OK
}

fuzz_target!(|data: &[u8]| {
    let mut caller = Caller::new(data);
    while caller.bytes.len() > 0 {
        caller.fill();
        caller.changes = [0..0, 0..0];
        let status = call(&mut caller);
        check(status, &eqf_diag { argument: 0, index: 0, value: f64::from(status) });
        assert!(status == EQF_OK || caller.unchanged(), "a call that fails with status {status} has written");
    }
});
