//! Any bytes as a model file; what is accepted is written again, made into plans, and every call made on them.
#![no_main]

use eqflow::capi::*;
use eqflow_fuzz::{DOUBLE, Memory, NO_DIAG, SINGLE, check};
use libfuzzer_sys::fuzz_target;
use std::mem::MaybeUninit;
use std::ptr::null_mut;

/// Magic number, version, length and checksum as they should be: else hardly any file comes past them.
fn seal(file: &mut [u8]) {
    if file.len() < 64 {
        return;
    }
    file[..12].copy_from_slice(b"\x89EQF\r\n\x1a\n\x01\0\0\0");
    let length = file.len() as u64;
    file[16..24].copy_from_slice(&length.to_le_bytes());
    let checksum = crc32fast::hash(&file[16..]);
    file[12..16].copy_from_slice(&checksum.to_le_bytes());
}

fn new_model() -> eqf_model {
    let mut model = MaybeUninit::uninit();
    // SAFETY: as large as it says; filled where the status is 0.
    unsafe {
        assert_eq!(eqf_model_init(model.as_mut_ptr(), size_of::<eqf_model>()), EQF_OK);
        model.assume_init()
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&[how, steps, n], file)) = data.split_first_chunk() else { return };
    let mut file = file.to_vec();
    if how & 1 == 0 {
        seal(&mut file);
    }
    let offset = usize::from(how >> 1 & 7);
    let bytes = Memory::copy(&file, offset);
    let (mut model, mut diag) = (new_model(), NO_DIAG);
    // SAFETY: the bytes are there; the model is as large as it says.
    if !check(unsafe { eqf_model_read(bytes.at(offset), file.len(), &mut model, &mut diag) }, &diag) {
        return;
    }
    let mut again = vec![0; file.len()];
    // SAFETY: the arrays lie in `bytes`.
    let status = unsafe { eqf_model_write(&model, again.as_mut_ptr(), again.len(), null_mut(), &mut diag) };
    assert!(check(status, &diag) && again == file, "a file that is read is written the same");

    let mut config = MaybeUninit::uninit();
    // SAFETY: as large as it says; filled where the status is 0.
    let mut config = unsafe {
        assert_eq!(eqf_config_init(config.as_mut_ptr(), size_of::<eqf_config>()), EQF_OK);
        config.assume_init()
    };
    config.steps = u32::from(steps % 4) + 1;
    config.max_steps = 100;
    config.log_det = i32::from(steps >> 2 & 1);
    config.inverse = i32::from(steps >> 3 & 1);
    config.radial = i32::from(steps >> 4) % 3;
    config.integrator = i32::from(steps >> 7);
    if model.n_particles > 6 || model.n_radial * model.n_time > 1000 {
        return;
    }
    let numbers = [0.5, 0.25, -1.0, 0.125, 2.0, -0.75, 1e3];
    let n = usize::from(n % 5);
    if how & 16 == 0 {
        DOUBLE.exercise(&model, &config, n, &numbers);
    } else {
        SINGLE.exercise(&model, &config, n, &numbers.map(|x| x as f32));
    }
});
