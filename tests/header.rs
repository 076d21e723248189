//! `include/eqflow.h` is what cbindgen makes of `src/capi`, `ffi-tests/symbols.txt` lists its functions, and all of them are
//! documented in every part; `EQFLOW_BLESS=1 cargo test --test header` rewrites both files.

#[path = "common/header.rs"]
mod parsed;

use parsed::{Function, Header, LABELS};
use std::collections::BTreeSet;
use std::path::Path;

/// The files with C items, in the header's order.
const SOURCES: [&str; 14] = [
    "library.rs",
    "status.rs",
    "model.rs",
    "config.rs",
    "plan.rs",
    "compute.rs",
    "threads.rs",
    "particles.rs",
    "potential.rs",
    "metropolis.rs",
    "hamiltonian.rs",
    "independence.rs",
    "latent.rs",
    "exchange.rs",
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
        let path = entry.unwrap().path();
        // Its function is there to prove that no other panics, and then alone.
        if path.ends_with("panic.rs") {
            continue;
        }
        let text = std::fs::read_to_string(path).unwrap();
        for part in text.split("extern \"C\" fn ").skip(1) {
            names.insert(part.split('(').next().unwrap().to_owned());
        }
    }
    names
}

/// Fails where the committed file differs from what it should be.
fn compare(path: &str, want: &str) {
    let file = root().join(path);
    if std::env::var_os("EQFLOW_BLESS").is_some() {
        std::fs::write(&file, want).unwrap();
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    let drift = committed.lines().zip(want.lines()).position(|(a, b)| a != b);
    assert!(
        committed == want,
        "{path} is out of date (first difference in line {:?}): EQFLOW_BLESS=1 cargo test --test header",
        drift.map(|line| line + 1)
    );
}

#[test]
fn the_committed_header_is_up_to_date() {
    compare("include/eqflow.h", &generate());
}

#[test]
fn the_list_of_symbols_is_that_of_the_header() {
    let header = Header::parse(generate());
    let names: BTreeSet<&str> = header.functions.iter().map(|function| function.name.as_str()).collect();
    assert_eq!(names.len(), header.functions.len(), "a function is declared twice");
    assert_eq!(names, exported().iter().map(String::as_str).collect());
    compare("ffi-tests/symbols.txt", &names.iter().map(|name| format!("{name}\n")).collect::<String>());
}

/// What a function's documentation lacks.
fn missing(header: &Header, function: &Function) -> Vec<String> {
    let mut missing = Vec::new();
    let mut demand = |holds: bool, what: String| {
        if !holds {
            missing.push(format!("{}: {what}", function.name));
        }
    };
    if let Some(namesake) = function.name.strip_suffix("_f32") {
        let first = format!("Single-precision twin of {namesake}()");
        demand(function.doc[0].starts_with(&first), format!("does not begin with \"{first}\""));
        demand(function.doc.join(" ").contains("Since "), "Since".to_owned());
        let twin = |kind: &str| kind.replace("double *", "float *").replace("_f32", "");
        let parameters = |f: &Function| -> Vec<(String, String)> {
            let kind = |kind: &str| if kind == "double" { "float".to_owned() } else { twin(kind) };
            f.parameters.iter().map(|p| (kind(&p.kind), p.name.clone())).collect()
        };
        let same = parameters(function) == parameters(header.function(namesake));
        demand(same, format!("has other parameters than {namesake}"));
        return missing;
    }
    let reals: Vec<_> = function.parameters.iter().filter(|p| p.is_reals()).collect();
    let wanted = LABELS.into_iter().skip(if reals.is_empty() { 3 } else { 0 });
    demand(!function.what().is_empty(), "what it does".to_owned());
    demand(function.labels() == wanted.collect::<Vec<_>>(), format!("has the parts {:?}", function.labels()));
    demand(function.example().is_some_and(|e| e.contains(&function.name)), "an example".to_owned());
    let shapes = function.part("Shapes").unwrap_or_default();
    for array in reals {
        let named = shapes.contains(&format!("`{}`", array.name)) || shapes.starts_with("those of eqf_");
        demand(named, format!("the shape of {}", array.name));
    }
    let statuses = header.errors(function);
    let errors = function.part("Errors").unwrap_or_default();
    demand(!statuses.is_empty() || errors == "none.", "errors".to_owned());
    for status in statuses {
        demand(header.text.contains(&format!("#define {status} ")), format!("{status} is no status"));
    }
    missing
}

#[test]
fn every_function_is_documented_in_every_part() {
    let header = Header::parse(generate());
    let missing: Vec<String> = header.functions.iter().flat_map(|f| missing(&header, f)).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn an_undocumented_function_is_caught() {
    let declaration = "int32_t eqf_new(const double *x,\n                double *y);\n";
    let caught = |doc: &str| {
        let header = Header::parse(format!("#define EQF_ERROR_NULL 1\n{doc}{declaration}"));
        missing(&header, &header.functions[0]).len()
    };
    let full = "// What.\n//\n// Equation: y = x.\n// Shapes: `x` and `y` are [n].\n// Units: none.\n// NULL: nothing.\n\
        // Errors: EQF_ERROR_NULL.\n// Threads: any.\n// Since: 1.\n// Example:\n//\n// ```c\n// eqf_new(x, y);\n// ```\n";
    assert_eq!(caught(full), 0);
    for line in full.lines().filter(|line| line.contains(':') || line.contains("eqf_new")) {
        assert!(caught(&full.replace(&format!("{line}\n"), "")) > 0, "{line}");
    }
    for (part, other) in [("`y`", "it"), ("EQF_ERROR_NULL", "EQF_ERROR_NIL"), ("// What.\n", "")] {
        assert!(caught(&full.replace(part, other)) > 0, "{part}");
    }
}

#[test]
fn the_header_declares_every_function() {
    let header = generate();
    for name in exported() {
        assert!(header.contains(&format!("{name}(")), "{name} is missing: is its file listed?");
    }
}
