//! What a call through the C interface costs beyond the same call in Rust: the forward map of one DW-4 sample, both in
//! turn in one run.
//!
//! ```sh
//! cargo run --release --features capi --example call_overhead
//! ```

use core::ffi::c_void;
use eqflow::capi::{
    eqf_config, eqf_config_init, eqf_diag, eqf_extent, eqf_forward, eqf_model, eqf_model_init,
    eqf_model_read, eqf_plan, eqf_plan_extent, eqf_plan_init,
};
use eqflow::flow::{Block, Config, Plan, read_model};
use std::hint::black_box;
use std::mem::MaybeUninit;
use std::ptr::null_mut;
use std::time::Instant;

const CALLS: u32 = 50;
const ROUNDS: usize = 4001;
const BYTES: &[u8] = include_bytes!("../tests/models/dw4-trained.eqf");

/// eqf_forward(), as C declares it.
type Forward = unsafe extern "C" fn(
    *const eqf_plan,
    usize,
    *const f64,
    *mut f64,
    *mut f64,
    *mut c_void,
    usize,
    *mut eqf_diag,
) -> i32;

/// Nanoseconds a call.
fn time(mut call: impl FnMut()) -> f64 {
    let start = Instant::now();
    for _ in 0..CALLS {
        call();
    }
    start.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A plan with so many RK4 steps as C programs make it, in memory that stays.
fn plan_of_c(steps: u32) -> *const eqf_plan {
    let (mut model, mut config) = (MaybeUninit::<eqf_model>::uninit(), MaybeUninit::<eqf_config>::uninit());
    let (model, config) = (model.as_mut_ptr(), config.as_mut_ptr());
    let (mut extent, mut plan) = (eqf_extent { size: 0, align: 0 }, null_mut());
    // SAFETY: all memory is here and of the size that is said.
    let statuses = unsafe {
        [
            eqf_model_init(model, size_of::<eqf_model>()),
            eqf_config_init(config, size_of::<eqf_config>()),
            eqf_model_read(BYTES.as_ptr(), BYTES.len(), model, null_mut()),
        ]
    };
    assert_eq!(statuses, [0; 3]);
    // SAFETY: both have been filled.
    let status = unsafe {
        (*config).steps = steps;
        eqf_plan_extent(model, config, &raw mut extent, null_mut())
    };
    assert_eq!(status, 0);
    let memory = vec![Block::default(); extent.size.div_ceil(size_of::<Block>())].leak().as_mut_ptr();
    // SAFETY: as above.
    let status =
        unsafe { eqf_plan_init(memory.cast(), extent.size, model, config, &raw mut plan, null_mut()) };
    assert_eq!(status, 0);
    plan
}

/// One step, where the call itself weighs most, and the 20 of the default.
fn main() {
    [1, 20].into_iter().for_each(compare);
}

fn compare(steps: u32) {
    let model = read_model(BYTES).unwrap();
    let plan: Plan<f64, Vec<Block>> = Plan::allocate(&model, &Config::rk4(steps as usize)).unwrap();
    let mut work = plan.allocate_workspace(1).unwrap();
    let z = [0.4, -0.3, 1.1, 0.2, -0.9, 0.6, -0.6, -0.5];
    let (mut x, mut log_det) = ([0.0; 8], [0.0]);
    let c_plan = plan_of_c(steps);
    // A pointer, as another language has it: nothing of the function is inlined.
    let forward = black_box(eqf_forward as Forward);
    let (mut in_rust, mut in_c, mut difference) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let rust = time(|| plan.forward(black_box(&z), &mut x, Some(&mut log_det), &mut work).unwrap());
        let (length, work) = (size_of_val(work.as_slice()), work.as_mut_ptr().cast());
        let c = time(|| {
            let (z, x, log_det) = (black_box(z.as_ptr()), x.as_mut_ptr(), log_det.as_mut_ptr());
            // SAFETY: arrays of one sample, and the workspace that the same plan takes.
            assert_eq!(unsafe { forward(c_plan, 1, z, x, log_det, work, length, null_mut()) }, 0);
        });
        in_rust.push(rust);
        in_c.push(c);
        difference.push(c - rust);
    }
    println!(
        "one DW-4 sample, {steps} RK4 steps, medians of {ROUNDS} rounds of {CALLS} calls each, ns a call"
    );
    println!("Rust        {:8.0}", median(in_rust));
    println!("C           {:8.0}", median(in_c));
    println!("difference  {:8.0}", median(difference));
}
