//! `include/eqflow.h`, as far as it takes to test what it says: functions with their documentation, structures.
#![allow(dead_code)] // each test binary uses its own part

use std::path::Path;

/// The parts of a function's documentation, in their order; the lines before the first say what it does.
pub const LABELS: [&str; 8] =
    ["Equation", "Shapes", "Units", "NULL", "Errors", "Threads", "Since", "Example"];

pub struct Header {
    pub text: String,
    /// Names and values of the constants.
    pub constants: Vec<(String, String)>,
    pub functions: Vec<Function>,
    pub structures: Vec<Structure>,
}

pub struct Function {
    pub name: String,
    pub returns: String,
    pub parameters: Vec<Parameter>,
    /// Its lines, without comment signs.
    pub doc: Vec<String>,
}

pub struct Parameter {
    /// As C writes it, without `struct`: `const double *`.
    pub kind: String,
    pub name: String,
}

pub struct Structure {
    pub name: String,
    pub fields: Vec<Field>,
}

pub struct Field {
    /// As C writes it: `const double *`.
    pub kind: String,
    pub name: String,
    /// Of an array.
    pub length: Option<usize>,
}

impl Header {
    pub fn load() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/eqflow.h");
        Header::parse(std::fs::read_to_string(path).unwrap())
    }

    pub fn parse(text: String) -> Self {
        let (mut functions, mut structures, mut doc) = (Vec::new(), Vec::new(), Vec::new());
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if let Some(comment) = line.strip_prefix("//") {
                doc.push(comment.strip_prefix(' ').unwrap_or(comment).to_owned());
                continue;
            }
            let lines_of = |end: &str, lines: &mut std::str::Lines<'_>| {
                let mut item = line.to_owned();
                while !item.contains(end) {
                    item = item + "\n" + lines.next().unwrap();
                }
                item
            };
            if line.starts_with("typedef struct") && line.ends_with('{') {
                structures.push(Structure::parse(&lines_of("\n}", &mut lines)));
            } else if line.starts_with("typedef") {
                lines_of(";", &mut lines);
            } else if line.starts_with(char::is_lowercase) && line.contains("eqf_") && line.contains('(') {
                functions.push(Function::parse(&lines_of(");", &mut lines), std::mem::take(&mut doc)));
            }
            doc.clear();
        }
        let constants = text.lines().filter_map(|line| line.strip_prefix("#define ")?.split_once(' '));
        let constants = constants.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Header { text, constants, functions, structures }
    }

    pub fn function(&self, name: &str) -> &Function {
        self.functions.iter().find(|f| f.name == name).unwrap_or_else(|| panic!("the header lacks {name}"))
    }

    /// The function that documents this one: a twin's is its namesake in double precision.
    pub fn documented<'a>(&'a self, function: &'a Function) -> &'a Function {
        function.name.strip_suffix("_f32").map_or(function, |name| self.function(name))
    }

    /// The names of statuses that a function documents, also by pointing to others.
    pub fn errors(&self, function: &Function) -> Vec<String> {
        let text = self.documented(function).part("Errors").unwrap_or_default();
        let words = |text: &str| -> Vec<String> {
            text.split(|c: char| !c.is_alphanumeric() && c != '_').map(str::to_owned).collect()
        };
        let mut errors: Vec<String> =
            words(&text).into_iter().filter(|word| word.starts_with("EQF_ERROR_")).collect();
        for part in text.split("those of ").skip(1) {
            errors.extend(self.errors(self.function(&words(part)[0])));
        }
        errors
    }
}

impl Function {
    fn parse(text: &str, doc: Vec<String>) -> Self {
        let (front, parameters) = text.split_once('(').unwrap();
        let front = Parameter::parse(front);
        let parameters = parameters.split_once(')').unwrap().0;
        let parameters = parameters.split(',').filter(|p| p.trim() != "void").map(Parameter::parse).collect();
        Function { name: front.name, returns: front.kind, parameters, doc }
    }

    fn label(line: &str) -> Option<&'static str> {
        LABELS.into_iter().find(|label| line.strip_prefix(label).is_some_and(|rest| rest.starts_with(':')))
    }

    /// What the function does: everything before the first part.
    pub fn what(&self) -> String {
        let lines = self.doc.iter().take_while(|line| Function::label(line).is_none());
        lines.map(String::as_str).collect::<Vec<_>>().join(" ").trim().to_owned()
    }

    /// The labels in the order in which they come.
    pub fn labels(&self) -> Vec<&'static str> {
        self.doc.iter().filter_map(|line| Function::label(line)).collect()
    }

    /// The text of one part.
    pub fn part(&self, label: &str) -> Option<String> {
        let start = self.doc.iter().position(|line| Function::label(line) == Some(label))?;
        let first = self.doc[start][label.len() + 1..].to_owned();
        let rest = self.doc[start + 1..].iter().take_while(|line| Function::label(line).is_none()).cloned();
        Some(std::iter::once(first).chain(rest).collect::<Vec<_>>().join(" ").trim().to_owned())
    }

    /// The C lines of the example.
    pub fn example(&self) -> Option<String> {
        let lines = self.doc.iter().skip_while(|line| *line != "```c").skip(1);
        let code = lines.take_while(|line| *line != "```").map(String::as_str).collect::<Vec<_>>().join("\n");
        (!code.is_empty()).then_some(code)
    }

    /// Names of the arguments that may be NULL at any time, and of those that may with `n` 0 besides.
    pub fn optional(&self) -> (Vec<String>, Vec<String>) {
        let text = self.part("NULL").unwrap_or_default();
        let names = |text: &str| -> Vec<String> {
            let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
            words.filter(|word| self.parameters.iter().any(|p| p.name == *word)).map(str::to_owned).collect()
        };
        let always = text.split([';', '.']).next().unwrap_or_default();
        (names(always), text.split_once("with `n` 0").map_or(Vec::new(), |(_, text)| names(text)))
    }

    pub fn has(&self, parameter: &str) -> bool {
        self.parameters.iter().any(|p| p.name == parameter)
    }
}

impl Parameter {
    fn parse(text: &str) -> Self {
        let text = text.trim();
        let at = text.rfind(|c: char| !c.is_alphanumeric() && c != '_').map_or(0, |at| at + 1);
        Parameter { kind: text[..at].trim().replace("struct ", ""), name: text[at..].to_owned() }
    }

    /// An array of real numbers.
    pub fn is_reals(&self) -> bool {
        ["double *", "float *"].iter().any(|kind| self.kind.ends_with(kind))
    }

    pub fn is_pointer(&self) -> bool {
        self.kind.ends_with('*') || self.is_function()
    }

    pub fn is_function(&self) -> bool {
        self.kind.starts_with("eqf_potential_fn")
    }

    pub fn is_const(&self) -> bool {
        self.kind.starts_with("const ")
    }
}

impl Structure {
    fn parse(text: &str) -> Self {
        let (_, body) = text.split_once('{').unwrap();
        let (body, name) = body.split_once("\n}").unwrap();
        let fields = body.lines().map(str::trim).filter(|line| !line.starts_with("//") && !line.is_empty());
        let name = name.trim().trim_end_matches(';').to_owned();
        Structure { name, fields: fields.map(Field::parse).collect() }
    }
}

impl Field {
    fn parse(line: &str) -> Self {
        let declaration = line.trim_end_matches(';');
        let (declaration, length) = match declaration.split_once('[') {
            Some((before, length)) => (before, Some(length.trim_end_matches(']').parse().unwrap())),
            None => (declaration, None),
        };
        let Parameter { kind, name } = Parameter::parse(declaration);
        Field { kind, name, length }
    }
}
