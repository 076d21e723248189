//! `include/eqflow.h` is what cbindgen makes of `src/capi`; `EQFLOW_BLESS=1 cargo test --test header` rewrites it.

use std::collections::BTreeSet;
use std::path::Path;

/// The files with C items, in the header's order.
const SOURCES: [&str; 10] = [
    "library.rs",
    "status.rs",
    "model.rs",
    "config.rs",
    "plan.rs",
    "compute.rs",
    "threads.rs",
    "particles.rs",
    "potential.rs",
    "mcmc.rs",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn generate() -> String {
    let config = cbindgen::Config::from_file(root().join("cbindgen.toml")).unwrap();
    let builder = SOURCES.iter().fold(cbindgen::Builder::new().with_config(config), |builder, file| {
        builder.with_src(root().join("src/capi").join(file))
    });
    let mut header = Vec::new();
    builder.generate().unwrap().write(&mut header);
    String::from_utf8(header).unwrap()
}

/// Names of all C functions that the sources define.
fn exported() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(root().join("src/capi")).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        for part in text.split("extern \"C\" fn ").skip(1) {
            names.insert(part.split('(').next().unwrap().to_owned());
        }
    }
    names
}

#[test]
fn the_committed_header_is_up_to_date() {
    let path = root().join("include/eqflow.h");
    let header = generate();
    if std::env::var_os("EQFLOW_BLESS").is_some() {
        std::fs::write(&path, &header).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let drift = committed.lines().zip(header.lines()).position(|(a, b)| a != b);
    assert!(
        committed == header,
        "include/eqflow.h is out of date (first difference in line {:?}): EQFLOW_BLESS=1 cargo test --test header",
        drift.map(|line| line + 1)
    );
}

#[test]
fn the_header_declares_every_function() {
    let header = generate();
    for name in exported() {
        assert!(header.contains(&format!("{name}(")), "{name} is missing: is its file listed?");
    }
}
