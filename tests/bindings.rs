//! What Fortran, Julia and Python say about the C interface is made from `include/eqflow.h`:
//! `EQFLOW_BLESS=1 cargo test --test bindings` rewrites it.

#[path = "common/header.rs"]
mod header;

use header::{Function, Header, Parameter, Structure};
use std::fmt::Write;
use std::path::Path;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A C type: its name, how many stars, and whether what it points to is constant.
struct Type<'a> {
    name: &'a str,
    pointers: usize,
    constant: bool,
}

impl<'a> Type<'a> {
    fn of(kind: &'a str) -> Self {
        let (pointers, constant) = (kind.matches('*').count(), kind.starts_with("const "));
        let name = kind.trim_end_matches(['*', ' ']).trim_start_matches("const ");
        Type { name, pointers, constant }
    }

    /// A pointer to a function of the caller's.
    fn is_function(&self) -> bool {
        self.name.starts_with("eqf_potential_fn")
    }

    /// What may only be pointed to.
    fn is_opaque(&self) -> bool {
        ["void", "eqf_plan", "eqf_plan_f32"].contains(&self.name)
    }

    fn is_structure(&self) -> bool {
        self.name.starts_with("eqf_") && !self.is_opaque() && !self.is_function()
    }
}

/// What stands between the marks of a file must be `text`.
#[track_caller]
fn check(file: &str, comment: &str, text: &str) {
    let path = root().join(file);
    let committed = std::fs::read_to_string(&path).unwrap();
    let (begin, end) =
        (format!("{comment} Made from eqflow.h: do not edit.\n"), format!("{comment} End of what is made."));
    let (before, rest) =
        committed.split_once(&begin).unwrap_or_else(|| panic!("{file} lacks the first mark"));
    let (found, after) = rest.rsplit_once(&end).unwrap_or_else(|| panic!("{file} lacks the last mark"));
    if std::env::var_os("EQFLOW_BLESS").is_some() {
        std::fs::write(&path, format!("{before}{begin}{text}{end}{after}")).unwrap();
        return;
    }
    let drift = found.lines().zip(text.lines()).find(|(a, b)| a != b);
    assert!(
        found == text,
        "{file} is not what eqflow.h makes of it (first difference {drift:?}): EQFLOW_BLESS=1 cargo test --test bindings"
    );
}

#[test]
fn fortran_says_what_the_header_says() {
    let header = Header::load();
    let mut text = String::new();
    for (name, value) in &header.constants {
        // Fortran does not tell EQF_ABI from eqf_abi.
        let taken = header.functions.iter().any(|function| function.name.eq_ignore_ascii_case(name));
        let name = if taken { name.replacen("EQF_", "EQF_HEADER_", 1) } else { name.clone() };
        writeln!(text, "    integer(c_int32_t), parameter :: {name} = {value}").unwrap();
    }
    for structure in &header.structures {
        text += &fortran::structure(structure);
    }
    text += "\n    interface\n";
    for function in &header.functions {
        text += &fortran::interface(&header, function);
    }
    text += "    end interface\n\n    ";
    check("include/eqflow.f90", "!", &text);
}

#[test]
fn julia_says_what_the_header_says() {
    let header = Header::load();
    let mut text = String::new();
    for (name, value) in &header.constants {
        writeln!(text, "const {name} = Int32({value})").unwrap();
    }
    for structure in &header.structures {
        text += &julia::structure(structure);
    }
    for function in &header.functions {
        text += &julia::wrapper(function);
    }
    check("clients/julia/Eqflow/src/C.jl", "#", &text);
}

#[test]
fn python_says_what_the_header_says() {
    let header = Header::load();
    let mut text = String::new();
    for (name, value) in &header.constants {
        writeln!(text, "{name} = {value}").unwrap();
    }
    for structure in &header.structures {
        text += &python::structure(structure);
    }
    text += "\n\nFUNCTIONS = {\n";
    for function in &header.functions {
        text += &python::signature(function);
    }
    text += "}\n";
    check("clients/python/eqflow/c.py", "#", &text);
}

#[test]
fn all_packages_have_the_version_of_the_crate() {
    let version = env!("CARGO_PKG_VERSION");
    for (file, line) in [
        ("packaging/cmake/eqflow-config-version.cmake", format!("set(PACKAGE_VERSION \"{version}\")")),
        ("clients/python/pyproject.toml", format!("version = \"{version}\"")),
        ("clients/julia/Eqflow/Project.toml", format!("version = \"{version}\"")),
    ] {
        let text = std::fs::read_to_string(root().join(file)).unwrap();
        assert!(text.lines().any(|found| found == line), "{file} lacks {line}");
    }
}

mod fortran {
    use super::*;

    fn scalar(name: &str) -> String {
        match name {
            "double" => "real(c_double)".into(),
            "float" => "real(c_float)".into(),
            "size_t" => "integer(c_size_t)".into(),
            "int32_t" | "uint32_t" => "integer(c_int32_t)".into(),
            "uint64_t" => "integer(c_int64_t)".into(),
            "uint8_t" => "integer(c_int8_t)".into(),
            "char" => "character(kind=c_char)".into(),
            other => format!("type({other})"),
        }
    }

    pub fn structure(structure: &Structure) -> String {
        let mut text = format!("\n    type, bind(c) :: {}\n", structure.name);
        for field in &structure.fields {
            let kind = Type::of(&field.kind);
            let kind = if kind.pointers > 0 { "type(c_ptr)".into() } else { scalar(kind.name) };
            let length = field.length.map(|n| format!("({n})")).unwrap_or_default();
            writeln!(text, "        {kind} :: {}{length}", field.name).unwrap();
        }
        text + "    end type\n"
    }

    /// How a dummy argument is declared.
    fn dummy(parameter: &Parameter, optional: bool) -> String {
        let (name, kind) = (&parameter.name, Type::of(&parameter.kind));
        if kind.is_function() {
            return format!("type(c_funptr), value :: {name}");
        }
        if kind.pointers == 0 {
            return format!("{}, value :: {name}", scalar(kind.name));
        }
        if kind.pointers == 2 {
            return format!("type(c_ptr), intent(inout) :: {name}");
        }
        if kind.is_opaque() {
            return format!("type(c_ptr), value :: {name}");
        }
        let intent = if kind.constant { "in" } else { "inout" };
        let optional = if optional { ", optional" } else { "" };
        let array = if kind.is_structure() || name == "needed" { "" } else { "(*)" };
        format!("{}, intent({intent}){optional} :: {name}{array}", scalar(kind.name))
    }

    pub fn interface(header: &Header, function: &Function) -> String {
        let returns = Type::of(&function.returns);
        let (what, result) = match returns.pointers {
            0 => (scalar(returns.name), "status"),
            _ => ("type(c_ptr)".to_owned(), "text"),
        };
        let names: Vec<&str> = function.parameters.iter().map(|p| p.name.as_str()).collect();
        let mut text = format!("        function {}(", function.name);
        for (i, name) in names.iter().enumerate() {
            let comma = if i + 1 < names.len() { ", " } else { "" };
            if text.lines().last().unwrap().len() + name.len() > 110 {
                text += "&\n            ";
            }
            write!(text, "{name}{comma}").unwrap();
        }
        writeln!(text, ") bind(c) result({result})\n            import").unwrap();
        let (optional, _) = header.documented(function).optional();
        for parameter in &function.parameters {
            let optional = optional.contains(&parameter.name);
            writeln!(text, "            {}", dummy(parameter, optional)).unwrap();
        }
        writeln!(text, "            {what} :: {result}\n        end function").unwrap();
        text
    }
}

mod julia {
    use super::*;

    fn scalar(name: &str) -> String {
        match name {
            "double" => "Cdouble".into(),
            "float" => "Cfloat".into(),
            "size_t" => "Csize_t".into(),
            "int32_t" => "Int32".into(),
            "uint32_t" => "UInt32".into(),
            "uint64_t" => "UInt64".into(),
            "uint8_t" => "UInt8".into(),
            "char" => "Cchar".into(),
            other => other.into(),
        }
    }

    fn kind(kind: &str) -> String {
        let kind = Type::of(kind);
        if kind.is_function() || (kind.pointers == 1 && kind.is_opaque()) {
            return "Ptr{Cvoid}".into();
        }
        match (kind.pointers, kind.name) {
            (0, name) => scalar(name),
            (1, "char") => "Cstring".into(),
            (1, name) => format!("Ptr{{{}}}", scalar(name)),
            _ => "Ptr{Ptr{Cvoid}}".into(),
        }
    }

    pub fn structure(structure: &Structure) -> String {
        let mut text = format!("\nstruct {}\n", structure.name);
        for field in &structure.fields {
            let kind = kind(&field.kind);
            match field.length {
                Some(n) => writeln!(text, "    {}::NTuple{{{n},{kind}}}", field.name).unwrap(),
                None => writeln!(text, "    {}::{kind}", field.name).unwrap(),
            }
        }
        text + "end\n"
    }

    pub fn wrapper(function: &Function) -> String {
        let names: Vec<&str> = function.parameters.iter().map(|p| p.name.as_str()).collect();
        let typed: Vec<String> =
            function.parameters.iter().map(|p| format!("{}::{}", p.name, kind(&p.kind))).collect();
        let (name, result) = (&function.name, kind(&function.returns));
        format!(
            "\n{name}({}) =\n    @ccall libeqflow().{name}({})::{result}\n",
            names.join(", "),
            typed.join(", ")
        )
    }
}

mod python {
    use super::*;

    fn scalar(name: &str) -> String {
        match name {
            "double" | "float" => format!("c_{name}"),
            "size_t" => "c_size_t".into(),
            "char" => "c_char".into(),
            other if other.ends_with("_t") => format!("c_{}", other.trim_end_matches("_t")),
            other => other.into(),
        }
    }

    fn kind(kind: &str) -> String {
        let kind = Type::of(kind);
        if kind.is_function() || (kind.pointers == 1 && kind.is_opaque()) {
            return "c_void_p".into();
        }
        match (kind.pointers, kind.name) {
            (0, name) => scalar(name),
            (1, "char") => "c_char_p".into(),
            (1, name) if kind.is_structure() => format!("POINTER({name})"),
            // Addresses of arrays: what numpy's ctypes.data gives.
            (1, _) => "c_void_p".into(),
            _ => "POINTER(c_void_p)".into(),
        }
    }

    pub fn structure(structure: &Structure) -> String {
        let mut text = format!("\n\nclass {}(Structure):\n    _fields_ = [\n", structure.name);
        for field in &structure.fields {
            let length = field.length.map(|n| format!(" * {n}")).unwrap_or_default();
            writeln!(text, "        (\"{}\", {}{length}),", field.name, kind(&field.kind)).unwrap();
        }
        text + "    ]\n"
    }

    pub fn signature(function: &Function) -> String {
        let types: Vec<String> = function.parameters.iter().map(|p| kind(&p.kind)).collect();
        format!("    \"{}\": ({}, [{}]),\n", function.name, kind(&function.returns), types.join(", "))
    }
}
