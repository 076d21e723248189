//! Any bytes as a configuration, of any size that they claim; with what is accepted every call is made.
#![no_main]

use eqflow::capi::*;
use eqflow_fuzz::{DOUBLE, Memory, SINGLE};
use libfuzzer_sys::fuzz_target;
use std::mem::{MaybeUninit, offset_of};

const STEPS: usize = offset_of!(eqf_config, steps);
const MAX_STEPS: usize = offset_of!(eqf_config, max_steps);

/// Three particles in two dimensions, two Gaussians.
fn model(basis: i32) -> eqf_model {
    const WEIGHTS: [f64; 4] = [0.1, -0.2, 0.3, 0.05];
    const ONES: [f64; 2] = [0.5, 1.5];
    let mut model = MaybeUninit::uninit();
    // SAFETY: as large as it says; filled where the status is 0.
    let model = unsafe {
        assert_eq!(eqf_model_init(model.as_mut_ptr(), size_of::<eqf_model>()), EQF_OK);
        model.assume_init()
    };
    let ones = ONES.as_ptr();
    let arrays = eqf_model { mu: ones, gamma: ones, mu_time: ones, gamma_time: ones, ..model };
    let sizes = eqf_model { n_particles: 3, dimension: 2, n_radial: 2, n_time: 2, ..arrays };
    eqf_model { basis, weights: WEIGHTS.as_ptr(), ..sizes }
}

fn reals(bytes: &[u8]) -> Vec<f64> {
    bytes.chunks_exact(8).map(|bytes| f64::from_le_bytes(bytes.try_into().unwrap())).collect()
}

fuzz_target!(|data: &[u8]| {
    let Some((&[how], data)) = data.split_first_chunk() else { return };
    let mut config = data.to_vec();
    let Some(&claimed) = config.first_chunk() else { return };
    // What the structure claims is there, by contract; nothing is read of one that claims the impossible.
    let size = match u32::from_le_bytes(claimed) as usize {
        size @ 0..=4096 => size.max(4),
        _ => 4,
    };
    config.resize(size, 0);
    // A number of steps above this takes long and does nothing new.
    if let Some(steps) = config.get_mut(STEPS + 1..STEPS + 3)
        && how & 1 == 0
    {
        steps.fill(0);
    }
    if let Some(most) = config.get_mut(MAX_STEPS + 1..MAX_STEPS + 8) {
        most.fill(0);
    }
    let memory = Memory::copy(&config, 0);
    let pointer = memory.at(usize::from(how >> 1 & 1)).cast::<eqf_config>();
    let numbers = reals(data.get(64..).unwrap_or_default());
    let (model, n) = (model(i32::from(how >> 2 & 1)), usize::from(how >> 3 & 3));
    let many = config.get(STEPS..STEPS + 4).is_some_and(|s| s[1] != 0 || s[2] != 0);
    let n = if many { 0 } else { n };
    if how >> 5 & 1 == 0 {
        DOUBLE.exercise(&model, pointer, n, &numbers);
    } else {
        let numbers: Vec<f32> = numbers.iter().map(|&x| x as f32).collect();
        SINGLE.exercise(&model, pointer, n, &numbers);
    }
});
