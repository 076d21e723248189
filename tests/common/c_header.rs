//! The declarations of `include/eqflow.h`, which cbindgen writes in one plain style.

use std::collections::BTreeMap;

/// A C type: its name, how many stars, and whether what the first star points to is constant.
#[derive(Clone, Debug, PartialEq)]
pub struct Type {
    pub name: String,
    pub pointers: usize,
    pub constant: bool,
}

#[derive(Debug)]
pub struct Parameter {
    pub name: String,
    pub kind: Type,
    /// Whether it may be NULL whatever the other arguments are.
    pub optional: bool,
}

#[derive(Debug)]
pub struct Function {
    pub name: String,
    pub result: Type,
    pub parameters: Vec<Parameter>,
}

#[derive(Debug)]
pub struct Field {
    pub name: String,
    pub kind: Type,
    /// Of an array.
    pub length: Option<usize>,
}

#[derive(Debug)]
pub struct Structure {
    pub name: String,
    pub fields: Vec<Field>,
}

#[derive(Debug, Default)]
pub struct Header {
    pub constants: Vec<(String, String)>,
    pub structures: Vec<Structure>,
    pub functions: Vec<Function>,
}

impl Type {
    fn parse(words: &str) -> Self {
        let pointers = words.matches('*').count();
        let words = words.replace('*', " ");
        let constant = words.split_whitespace().any(|word| word == "const");
        let name = words.split_whitespace().rfind(|word| !["const", "struct"].contains(word));
        Type { name: name.unwrap_or_else(|| panic!("no type in {words}")).to_owned(), pointers, constant }
    }

    /// A pointer to a function of the caller's.
    pub fn is_function(&self) -> bool {
        self.name.starts_with("eqf_potential_fn")
    }

    /// What may only be pointed to.
    pub fn is_opaque(&self) -> bool {
        ["void", "eqf_plan", "eqf_plan_f32"].contains(&self.name.as_str())
    }

    pub fn is_structure(&self) -> bool {
        self.name.starts_with("eqf_") && !self.is_opaque() && !self.is_function()
    }
}

/// "const double *x" in its type and its name.
fn typed_name(declaration: &str) -> (Type, String) {
    let declaration = declaration.trim();
    let at = declaration.rfind([' ', '*']).unwrap_or_else(|| panic!("no name in {declaration}")) + 1;
    (Type::parse(&declaration[..at]), declaration[at..].to_owned())
}

fn field(declaration: &str) -> Field {
    let (declaration, length) = match declaration.split_once('[') {
        Some((before, length)) => (before, Some(length.trim_end_matches(']').parse().unwrap())),
        None => (declaration, None),
    };
    let (kind, name) = typed_name(declaration);
    Field { name, kind, length }
}

fn function(declaration: &str) -> Function {
    let (before, parameters) = declaration.split_once('(').unwrap();
    let (result, name) = typed_name(before);
    let parameters = parameters.trim_end_matches(')').split(',').filter(|p| p.trim() != "void");
    let parameters = parameters.map(|parameter| {
        let (kind, name) = typed_name(parameter);
        Parameter { name, kind, optional: false }
    });
    Function { name, result, parameters: parameters.collect() }
}

/// The words of each function's documentation between "NULL:" and what holds for empty batches only.
fn optional_words(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut words = BTreeMap::new();
    let mut found = Vec::new();
    for line in text.lines() {
        if let Some(list) = line.strip_prefix("// NULL: ") {
            let list = list.split("with `n` 0").next().unwrap_or_default();
            found = list.split([' ', ',', ';', '.']).map(str::to_owned).collect();
        } else if line.is_empty() {
            found.clear();
        } else if let Some((before, _)) = line.split_once('(').filter(|_| !line.starts_with([' ', '/'])) {
            words.insert(before.rsplit([' ', '*']).next().unwrap_or_default().to_owned(), found.clone());
        }
    }
    words
}

impl Header {
    pub fn parse(text: &str) -> Self {
        let mut header = Header::default();
        let optional = optional_words(text);
        let text = text.split_once("*/").unwrap().1;
        let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        for line in &code {
            if let Some(definition) = line.strip_prefix("#define EQF_") {
                let (name, value) = definition.split_once(' ').unwrap_or_default();
                header.constants.push((format!("EQF_{name}"), value.to_owned()));
            }
        }
        let code: String = code
            .iter()
            .filter(|line| !line.starts_with('#'))
            .map(|line| format!("{} ", line.trim()))
            .collect();
        let code = code.replace("extern \"C\" {", "").replace("} // extern", "");
        let mut rest = code.as_str();
        while let Some(end) = rest.find([';', '{']) {
            let start = rest[..end].trim();
            if rest[end..].starts_with('{') {
                let close = rest.find('}').unwrap();
                let fields =
                    rest[end + 1..close].split(';').map(str::trim).filter(|f| !f.is_empty()).map(field);
                let name = start.split_whitespace().next_back().unwrap().to_owned();
                header.structures.push(Structure { name, fields: fields.collect() });
                rest = &rest[close..][rest[close..].find(';').unwrap() + 1..];
                continue;
            }
            if start.contains('(') && !start.starts_with("typedef") {
                header.functions.push(function(start));
            }
            rest = &rest[end + 1..];
        }
        for function in &mut header.functions {
            let words = &optional[function.name.trim_end_matches("_f32")];
            for parameter in &mut function.parameters {
                parameter.optional = words.contains(&parameter.name);
            }
        }
        assert!(header.functions.len() > 40 && header.structures.len() > 5, "the header was not understood");
        header
    }
}
