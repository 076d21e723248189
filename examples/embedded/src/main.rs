//! Samples the double-well cluster DW-4 on a Cortex-M4F without an operating system: the model stays in flash, plan and
//! workspace lie in an array. `run.sh` builds it, runs it under QEMU and compares its samples with x86-64's.
#![no_std]
#![no_main]

mod machine;

use core::fmt::Write;
use core::mem::MaybeUninit;
use eqflow::flow::{Block, Config, Model, Plan, RadialPath, read_model};
use machine::{Console, Instructions};

/// What `cargo run --release --example dw4` has trained, in flash.
static MODEL: &[u8] = include_bytes!("../dw4.eqf");
/// What this program shall need at most for the plan on the exact path and its workspace, in bytes.
const BUDGET: usize = 32 * 1024;
/// Samples whose bits are compared.
const SAMPLES: u64 = 32;
const SEED: u64 = 1;

/// Plan and workspace: more than the budget, for the compiled plan.
static mut ARENA: MaybeUninit<[Block; 48 * 1024]> = MaybeUninit::zeroed();

#[unsafe(no_mangle)]
extern "C" fn main() -> u32 {
    // SAFETY: the only use, in the only thread.
    let arena: &mut [Block] = unsafe { (*(&raw mut ARENA)).assume_init_mut() };
    let Ok(model) = read_model(MODEL) else { return 1 };
    let exact = Config::rk4(20).with_radial(RadialPath::Exact);
    let compiled = Config::rk4(20).with_radial(RadialPath::Compiled);
    let Some(bytes) = sample("exact", &model, &exact, arena) else { return 2 };
    let Some(_) = sample("compiled", &model, &compiled, arena) else { return 3 };
    u32::from(bytes > BUDGET)
}

/// Draws the samples one by one, says what that takes and a checksum of their bits; returns the bytes of plan and
/// workspace.
fn sample(name: &str, model: &Model<'_>, config: &Config, arena: &mut [Block]) -> Option<usize> {
    let extent = Plan::<f32, ()>::extent(model, config).ok()?;
    let (storage, rest) = arena.split_at_mut_checked(extent)?;
    let counter = Instructions::start();
    let plan: Plan<f32, &mut [Block]> = Plan::new(model, config, storage).ok()?;
    let planning = counter.passed();
    let work = rest.get_mut(..plan.workspace_extent(1).ok()?)?;
    let mut hasher = crc32fast::Hasher::new();
    let (mut x, mut log_prob) = ([0.0_f32; 8], [0.0_f32]);
    let mut instructions = 0;
    for index in 0..SAMPLES {
        let counter = Instructions::start();
        plan.sample(SEED, index, &mut x, Some(&mut log_prob), work).ok()?;
        instructions += counter.passed();
        for value in x.iter().chain(&log_prob) {
            hasher.update(&value.to_bits().to_le_bytes());
        }
    }
    let (plan_bytes, work_bytes) = (size_of::<Block>() * extent, size_of_val(work));
    let _ = writeln!(
        Console,
        "{name}: plan {plan_bytes} + workspace {work_bytes} bytes, stack {} bytes; {planning} instructions a plan, {} a sample; checksum {:08X}",
        machine::stack_used(),
        instructions / SAMPLES,
        hasher.finalize(),
    );
    Some(plan_bytes + work_bytes)
}
