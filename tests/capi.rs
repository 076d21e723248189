//! What the header promises, function by function, by programs that are made from it: its examples run, every argument
//! that is wrong gives the documented status and changes nothing; layout and symbols are the committed ones.
//! `EQFLOW_BLESS=1 cargo test --test capi` rewrites `ffi-tests/layout.txt`.
#![cfg(all(unix, feature = "std", feature = "capi"))]

mod common;

use common::c::{compile, compile_with, library, library_with_threads, root, run, scratch, succeed};
use common::header::{Function, Header, Parameter};
use std::fmt::Write;
use std::path::PathBuf;
use std::process::Command;

/// Writes a file that a C program includes, and compiles that.
fn compile_with_include(name: &str, text: &str) -> PathBuf {
    let folder = include(name, text);
    compile(&format!("ffi-tests/{name}.c"), name, &["-O0", "-I", folder.to_str().unwrap()])
}

/// Writes a file that a C program includes; its folder.
fn include(name: &str, text: &str) -> PathBuf {
    let folder = scratch(&format!("include-{}", std::thread::current().name().unwrap_or_default()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(format!("{name}.inc")), text).unwrap();
    folder
}

#[test]
fn the_examples_of_the_header_run() {
    let header = Header::load();
    let (mut text, mut list) = (String::new(), String::new());
    for function in &header.functions {
        let Some(example) = function.example() else { continue };
        let name = function.name.replacen("eqf_", "example_", 1);
        writeln!(text, "static void {name}(void)\n{{\n{example}\n}}\n").unwrap();
        writeln!(list, "    {name},").unwrap();
    }
    assert!(list.lines().count() >= 39);
    writeln!(text, "static void (*const EXAMPLES[])(void) = {{\n{list}}};").unwrap();
    let program = compile_with_include("examples", &text);
    succeed(run(program).arg(root().join("tests/models/dw4-trained.eqf")));
}

/// Where a call's pointer comes from.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    /// Memory of the arena.
    Slot(usize),
    /// A plan, or memory whose contents mean nothing between calls.
    Shared,
    /// A function, a literal, or memory of which the library does not know the size.
    Opaque,
}

/// One argument of a valid call.
struct Argument<'a> {
    parameter: &'a Parameter,
    value: String,
    place: Place,
    /// What puts valid contents into the slot, with the type that it has.
    contents: Option<String>,
    /// May be NULL.
    optional: bool,
    /// The library writes through it.
    output: bool,
    /// A structure whose own contents say how large it is: it cannot be replaced by other memory.
    versioned: bool,
}

/// Valid values of what is not a pointer; a new name has to be added here.
fn scalar(function: &Function, parameter: &Parameter) -> String {
    let value = match (parameter.name.as_str(), function.name.as_str()) {
        ("n", _) => "SAMPLES",
        ("n_particles", _) => "N",
        ("dimension", _) => "D",
        ("seed" | "first" | "step" | "threads", _) => "1",
        ("t" | "step_size", _) => "0.5f",
        ("leapfrogs", _) => "2",
        ("work_len", _) => "BIG",
        ("len", "eqf_model_read") => "file_length",
        ("len", "eqf_model_write") => "SLOT",
        ("len", _) => "BIG",
        ("size", "eqf_model_init") => "sizeof(eqf_model)",
        ("size", "eqf_config_init") => "sizeof(eqf_config)",
        (name, function) => panic!("what is a valid {name} of {function}?"),
    };
    value.to_owned()
}

/// The slot of the diagnosis.
const DIAG: usize = 23;

fn argument<'a>(header: &Header, function: &'a Function, index: usize) -> Argument<'a> {
    assert!(index < DIAG, "{} has more arguments than there are slots", function.name);
    let parameter = &function.parameters[index];
    let (kind, name) = (parameter.kind.as_str(), parameter.name.as_str());
    let optional = header.documented(function).optional().0.iter().any(|optional| optional == name);
    let target = kind.trim_end_matches(['*', ' ']).trim_start_matches("const ").to_owned();
    let suffix = if function.name.ends_with("_f32") { "_f32" } else { "" };
    let context = name == "context";
    let params = if function.name.contains("lennard_jones") {
        "eqf_lennard_jones_params"
    } else {
        "eqf_double_well_params"
    };
    let jacobian = if function.name.starts_with("eqf_jacobian") { "jacobian_" } else { "" };
    let in_slot =
        |contents: Option<&str>| (format!("slot({index})"), Place::Slot(index), contents.map(str::to_owned));
    let (value, place, contents) = match (kind, name) {
        (kind, _) if !kind.ends_with('*') && !parameter.is_function() => {
            (scalar(function, parameter), Place::Opaque, None)
        }
        ("const eqf_plan *" | "const eqf_plan_f32 *", _) => {
            (format!("{jacobian}plan{suffix}"), Place::Shared, None)
        }
        ("void *", "work" | "mem") => (name.to_owned(), Place::Shared, None),
        ("void *", "context") if optional => {
            (format!("slot({index})"), Place::Opaque, Some(params.to_owned()))
        }
        ("void *", "context") => in_slot(Some(params)),
        ("eqf_potential_fn" | "eqf_potential_fn_f32", _) => (format!("flat{suffix}"), Place::Opaque, None),
        ("eqf_diag *", _) => ("diagnosis()".to_owned(), Place::Slot(DIAG), None),
        ("double *" | "const double *" | "float *" | "const float *", _) => in_slot(Some(&target)),
        ("const uint8_t *", _) => in_slot(Some(&target)),
        (_, "model" | "config") => in_slot(Some(&target)),
        ("const eqf_double_well_params *" | "const eqf_lennard_jones_params *", _) => in_slot(Some(&target)),
        (kind, name) if parameter.is_const() => panic!("what is a valid {kind}{name} of {}?", function.name),
        _ => in_slot(None),
    };
    let output = kind.ends_with('*') && !parameter.is_const() && !context;
    let versioned = kind == "eqf_model *";
    Argument { parameter, value, place, contents, optional, output, versioned }
}

/// Calls of one function, as C statements.
struct Calls<'a> {
    header: &'a Header,
    function: &'a Function,
    arguments: Vec<Argument<'a>>,
    text: String,
}

impl<'a> Calls<'a> {
    fn new(header: &'a Header, function: &'a Function) -> Self {
        let arguments = (0..function.parameters.len()).map(|i| argument(header, function, i)).collect();
        Calls { header, function, arguments, text: String::new() }
    }

    /// The call with some arguments replaced.
    fn call(&self, replaced: &[(usize, String)]) -> String {
        let value = |(i, argument): (usize, &Argument<'_>)| {
            replaced
                .iter()
                .find(|(at, _)| *at == i)
                .map_or(argument.value.clone(), |(_, value)| value.clone())
        };
        let values: Vec<String> = self.arguments.iter().enumerate().map(value).collect();
        format!("{}({})", self.function.name, values.join(", "))
    }

    /// What the function prepares, as C's name.
    fn prepare(&self) -> String {
        self.function.name.replacen("eqf_", "prepare_", 1)
    }

    /// An expression of the type of argument `i`.
    fn cast(&self, i: usize, address: &str) -> String {
        format!("({})(void *)({address})", self.arguments[i].parameter.kind)
    }

    #[track_caller]
    fn demand_documented(&self, status: &str) {
        let errors = self.header.errors(self.function);
        let name = &self.function.name;
        assert!(
            status == "EQF_OK" || errors.iter().any(|e| e == status),
            "{name} does not document {status}"
        );
    }

    /// A call that must give `status` and, where there is a diagnosis, name an argument.
    #[track_caller]
    fn expect(&mut self, what: &str, status: &str, named: Option<&str>, replaced: &[(usize, String)]) {
        self.demand_documented(status);
        let named = named.filter(|name| self.function.has("diag") && *name != "diag");
        let named = named.map_or("NULL".to_owned(), |name| format!("\"{name}\""));
        let (name, prepare, call) = (&self.function.name, self.prepare(), self.call(replaced));
        writeln!(self.text, "    CALL({prepare}, \"{name}: {what}\", {status}, {named}, {call});").unwrap();
    }

    fn write_all(&mut self) {
        self.expect("valid", "EQF_OK", None, &[]);
        for i in 0..self.arguments.len() {
            if self.arguments[i].parameter.is_pointer() {
                self.write_null(i);
                self.write_misaligned(i);
            } else {
                self.write_length(i);
            }
            for j in 0..self.arguments.len() {
                self.write_overlap(i, j);
            }
        }
        self.write_empty();
        self.write_other_precision();
    }

    fn write_null(&mut self, i: usize) {
        let Argument { parameter, optional, .. } = &self.arguments[i];
        let (name, status) = (parameter.name.as_str(), if *optional { "EQF_OK" } else { "EQF_ERROR_NULL" });
        self.expect(&format!("{name} is NULL"), status, Some(name), &[(i, "NULL".to_owned())]);
    }

    /// One byte off: all but bytes have an alignment.
    fn write_misaligned(&mut self, i: usize) {
        let Argument { parameter, place, value, .. } = &self.arguments[i];
        if *place == Place::Opaque || parameter.kind.ends_with("uint8_t *") {
            return;
        }
        let odd = self.cast(i, &format!("(uintptr_t){value} + 1"));
        self.expect(
            &format!("{} is misaligned", parameter.name),
            "EQF_ERROR_ALIGNMENT",
            Some(parameter.name.as_str()),
            &[(i, odd)],
        );
    }

    /// Output `i` at the memory of `j`, or the other way round where only that leaves the contents valid.
    fn write_overlap(&mut self, i: usize, j: usize) {
        let (output, other) = (&self.arguments[i], &self.arguments[j]);
        let known =
            |argument: &Argument<'_>| argument.parameter.is_pointer() && argument.place != Place::Opaque;
        // Of two outputs the one that comes first moves, unless it cannot.
        if i == j || !output.output || !known(output) || !known(other) || (other.output && j < i) {
            return;
        }
        let (moved, to) = if output.versioned { (j, i) } else { (i, j) };
        let address = self.cast(moved, &self.arguments[to].value);
        let what =
            format!("{} is {}", self.arguments[moved].parameter.name, self.arguments[to].parameter.name);
        self.expect(&what, "EQF_ERROR_OVERLAP", None, &[(moved, address)]);
    }

    /// A length that is one too small, or a structure's impossible size.
    fn write_length(&mut self, i: usize) {
        let name = self.arguments[i].parameter.name.clone();
        let replaced = |value: &str| [(i, value.to_owned())];
        match (name.as_str(), self.function.name.as_str()) {
            ("len", "eqf_model_read") => {
                self.expect("len is too short", "EQF_ERROR_MODEL", None, &replaced("file_length - 1"));
            }
            ("work_len" | "len", _) => {
                self.demand_documented("EQF_ERROR_WORKSPACE");
                let memory = &self.arguments[i - 1].parameter.name;
                let (function, prepare, call) =
                    (&self.function.name, self.prepare(), self.call(&replaced("length")));
                let what = format!("{function}: {name} is too short");
                writeln!(self.text, "    TOO_SHORT({prepare}, \"{what}\", \"{memory}\", {call});").unwrap();
            }
            ("size", _) => self.expect("size is too small", "EQF_ERROR_ABI", None, &replaced("8")),
            _ => {}
        }
    }

    /// With n = 0 no array need be there.
    fn write_empty(&mut self) {
        let (always, empty) = self.header.documented(self.function).optional();
        let of = |name: &str| self.function.parameters.iter().position(|p| p.name == name);
        if empty.is_empty() {
            let arrays = self.function.parameters.iter().any(Parameter::is_reals);
            assert!(!arrays || of("n").is_none(), "{}: what may be NULL with `n` 0?", self.function.name);
            return;
        }
        let names = always.iter().chain(&empty).map(String::as_str);
        let mut replaced: Vec<(usize, String)> =
            names.map(|name| (of(name).unwrap(), "NULL".to_owned())).collect();
        replaced.push((of("n").unwrap(), "0".to_owned()));
        replaced.extend(of("work_len").map(|i| (i, "0".to_owned())));
        self.expect("n is 0", "EQF_OK", None, &replaced);
    }

    /// A plan of the other precision.
    fn write_other_precision(&mut self) {
        let is_plan = |argument: &Argument<'_>| argument.parameter.kind.starts_with("const eqf_plan");
        let Some(i) = self.arguments.iter().position(is_plan) else { return };
        let other = if self.function.name.ends_with("_f32") { "plan" } else { "plan_f32" };
        let cast = self.cast(i, other);
        self.expect("plan of the other precision", "EQF_ERROR_ARGUMENT", Some("plan"), &[(i, cast)]);
    }

    /// The functions that prepare and test.
    fn finish(self) -> String {
        let mut prepare = format!("static void {}(void)\n{{\n", self.prepare());
        for argument in &self.arguments {
            if let Some(contents) = &argument.contents {
                writeln!(prepare, "    put_{contents}({});", argument.value).unwrap();
            }
        }
        let test = self.function.name.replacen("eqf_", "test_", 1);
        format!("{prepare}}}\n\nstatic void {test}(void)\n{{\n{}}}\n\n", self.text)
    }
}

/// The calls of `ffi-tests/arguments.c`.
fn calls_with_every_wrong_argument() -> String {
    let header = Header::load();
    let (mut text, mut list) = (String::new(), String::new());
    for function in &header.functions {
        if header.documented(function).part("Errors").as_deref() == Some("none.") {
            continue; // tells no status
        }
        let mut calls = Calls::new(&header, function);
        calls.write_all();
        text += &calls.finish();
        writeln!(list, "    {}();", function.name.replacen("eqf_", "test_", 1)).unwrap();
    }
    assert!(list.lines().count() >= 60, "{list}");
    writeln!(text, "static void every_function(void)\n{{\n{list}}}").unwrap();
    text
}

#[test]
fn every_wrong_argument_has_its_status_and_changes_nothing() {
    succeed(&mut run(compile_with_include("arguments", &calls_with_every_wrong_argument())));
}

/// With `std`, rayon and threads: a library without `std` has no allocator that it could call.
#[test]
fn no_call_allocates() {
    let folder = include("arguments", &calls_with_every_wrong_argument());
    let wrapped = ["malloc", "calloc", "realloc", "aligned_alloc", "posix_memalign", "free"];
    let wrapped = wrapped.map(|name| format!("-Wl,--wrap={name}"));
    let mut options = vec!["-O0", "-DCOUNT_ALLOCATIONS", "-I", folder.to_str().unwrap()];
    options.extend(wrapped.iter().map(String::as_str));
    let program =
        compile_with(&library_with_threads(), "ffi-tests/arguments.c", "arguments_counted", &options);
    succeed(&mut run(program));
}

/// `structure field offset size` of every field, and `structure . 0 size` of every structure.
macro_rules! layout {
    ($($structure:ident { $($field:ident),* $(,)? })*) => {{
        fn size_of_field<T, F>(_: fn(&T) -> &F) -> usize {
            size_of::<F>()
        }
        let mut lines = String::new();
        $(
            writeln!(lines, "{} . 0 {}", stringify!($structure), size_of::<eqflow::capi::$structure>()).unwrap();
            $(
                let offset = std::mem::offset_of!(eqflow::capi::$structure, $field);
                let size = size_of_field(|s: &eqflow::capi::$structure| &s.$field);
                writeln!(lines, "{} {} {offset} {size}", stringify!($structure), stringify!($field)).unwrap();
            )*
        )*
        lines
    }};
}

/// What Rust makes of the structures.
fn layout() -> String {
    layout! {
        eqf_model {
            struct_size, basis, n_particles, dimension, n_radial, n_time, weights, bias, importance, mu, gamma, mu_time,
            gamma_time, eps, encoding, reserved,
        }
        eqf_diag { argument, index, value }
        eqf_config {
            struct_size, integrator, steps, log_det, inverse, radial, table_tolerance, rtol, atol, max_steps, samples, isa,
            reserved_word, reserved,
        }
        eqf_extent { size, align }
        eqf_accuracy { compiled, reserved, phi_error, slope_error, largest_phi, largest_slope }
        eqf_double_well_params { a, b, c, d0, tau }
        eqf_lennard_jones_params { epsilon, r_m, oscillator, tau }
    }
}

#[test]
fn the_layout_of_the_structures_is_the_committed_one_in_rust_and_in_c() {
    let (path, layout) = (root().join("ffi-tests/layout.txt"), layout());
    let fields = Header::load().structures.into_iter().flat_map(|structure| {
        let names =
            std::iter::once(".".to_owned()).chain(structure.fields.into_iter().map(|field| field.name));
        names.map(move |field| format!("{} {field}", structure.name)).collect::<Vec<_>>()
    });
    let listed = layout.lines().map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" "));
    assert!(listed.eq(fields), "the list above is not that of the header");
    if cfg!(target_pointer_width = "64") {
        if std::env::var_os("EQFLOW_BLESS").is_some() {
            std::fs::write(&path, &layout).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(layout, committed, "the binary interface changes: EQFLOW_BLESS=1 cargo test --test capi");
    }
    let mut program = "#include \"eqflow.h\"\n".to_owned();
    for (i, line) in layout.lines().enumerate() {
        let [structure, field, offset, size] = *line.split(' ').collect::<Vec<_>>() else { panic!("{line}") };
        let check = if field == "." {
            format!("sizeof({structure}) == {size}")
        } else {
            format!(
                "offsetof({structure}, {field}) == {offset} && sizeof((({structure} *)0)->{field}) == {size}"
            )
        };
        writeln!(program, "typedef char line_{i}[{check} ? 1 : -1]; /* {line} */").unwrap();
    }
    let source = scratch("layout.c");
    std::fs::write(&source, program).unwrap();
    let options = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only", "-I"];
    succeed(Command::new("cc").args(options).arg(root().join("include")).arg(source));
}

#[test]
fn the_static_library_has_the_committed_symbols() {
    let output = succeed(Command::new("nm").args(["--defined-only", "--extern-only"]).arg(library())).stdout;
    let output = String::from_utf8(output).unwrap();
    let names = output.lines().filter_map(|line| line.split_once(" T ").map(|(_, name)| name));
    let mut names: Vec<&str> = names.filter(|name| name.starts_with("eqf_")).collect();
    names.sort_unstable();
    let committed = std::fs::read_to_string(root().join("ffi-tests/symbols.txt")).unwrap();
    assert_eq!(names, committed.lines().collect::<Vec<_>>());
}
