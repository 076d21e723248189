//! What a call through the C interface costs beyond the same call in Rust: the forward map of one DW-4 sample, both in
//! turn in one run.
//!
//! ```sh
//! cargo run --release --features capi --example call_overhead
//! ```

use eqflow::capi::{
    eqf_config, eqf_config_init, eqf_forward, eqf_model, eqf_model_init, eqf_model_read, eqf_plan,
    eqf_plan_init,
};
use eqflow::flow::{Block, Config, Plan, read_model};
use std::hint::black_box;
use std::mem::MaybeUninit;
use std::ptr::null_mut;
use std::time::Instant;

const CALLS: u32 = 50;
const ROUNDS: usize = 4001;
const BYTES: &[u8] = include_bytes!("../tests/models/dw4-trained.eqf");

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

/// A plan as C programs make it, in memory that stays.
fn plan_of_c() -> *const eqf_plan {
    let (mut model, mut config) = (MaybeUninit::<eqf_model>::uninit(), MaybeUninit::<eqf_config>::uninit());
    let memory = vec![Block::default(); 1 << 16].leak();
    let mut plan = null_mut();
    // SAFETY: all memory is here and of the size that is said.
    let statuses = unsafe {
        [
            eqf_model_init(model.as_mut_ptr(), size_of::<eqf_model>()),
            eqf_config_init(config.as_mut_ptr(), size_of::<eqf_config>()),
            eqf_model_read(BYTES.as_ptr(), BYTES.len(), model.as_mut_ptr(), null_mut()),
            eqf_plan_init(
                memory.as_mut_ptr().cast(),
                size_of_val(memory),
                model.as_ptr(),
                config.as_ptr(),
                &raw mut plan,
                null_mut(),
            ),
        ]
    };
    assert_eq!(statuses, [0; 4]);
    plan
}

fn main() {
    let model = read_model(BYTES).unwrap();
    let plan: Plan<f64, Vec<Block>> = Plan::allocate(&model, &Config::default()).unwrap();
    let mut work = plan.allocate_workspace(1).unwrap();
    let z = [0.4, -0.3, 1.1, 0.2, -0.9, 0.6, -0.6, -0.5];
    let (mut x, mut log_det) = ([0.0; 8], [0.0]);
    let c_plan = plan_of_c();
    // A pointer, as another language has it: nothing of the function is inlined.
    let forward = black_box(eqf_forward as unsafe extern "C" fn(_, _, _, _, _, _, _, _) -> _);
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
    println!("one DW-4 sample, 20 RK4 steps, medians of {ROUNDS} rounds of {CALLS} calls each, ns a call");
    println!("Rust        {:8.0}", median(in_rust));
    println!("C           {:8.0}", median(in_c));
    println!("difference  {:8.0}", median(difference));
}
