//! What the program for microcontrollers must print: the bits that this machine computes. (`examples/embedded/run.sh`
//! compares; `EQFLOW_BLESS=1 cargo test --test embedded` rewrites what it compares with.)
#![cfg(feature = "std")]

use eqflow::flow::{Block, Config, Plan, RadialPath, read_model};
use std::path::Path;

const SAMPLES: u64 = 32;

#[test]
fn microcontrollers_are_compared_with_the_bits_of_this_machine() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/embedded");
    let bytes = std::fs::read(folder.join("dw4.eqf")).unwrap();
    let model = read_model(&bytes).unwrap();
    let mut text = String::new();
    for (name, radial) in [("exact", RadialPath::Exact), ("compiled", RadialPath::Compiled)] {
        let plan: Plan<f32, Vec<Block>> =
            Plan::allocate(&model, &Config::rk4(20).with_radial(radial)).unwrap();
        let mut work = plan.allocate_workspace(1).unwrap();
        let mut hasher = crc32fast::Hasher::new();
        for index in 0..SAMPLES {
            let (mut x, mut log_prob) = ([0.0_f32; 8], [0.0_f32]);
            plan.sample(1, index, &mut x, Some(&mut log_prob), &mut work).unwrap();
            assert!(x.iter().chain(&log_prob).all(|value| value.is_finite()));
            for value in x.iter().chain(&log_prob) {
                hasher.update(&value.to_bits().to_le_bytes());
            }
        }
        text += &format!("{name} {:08X}\n", hasher.finalize());
    }
    let expected = folder.join("expected.txt");
    if std::env::var_os("EQFLOW_BLESS").is_some() {
        std::fs::write(&expected, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(expected).unwrap(), text);
}
