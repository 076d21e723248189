//! The direction of imports: a module imports only modules listed above it in the table of `src/lib.rs`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Where `unsafe` may occur.
const UNSAFE_MODULES: [&str; 3] = ["lanes", "capi", "cuda"];

fn source_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The module names of the table in the crate's documentation, from the ground up.
fn table(lib: &str) -> Vec<String> {
    lib.lines().filter_map(|line| line.strip_prefix("//! | ")?.split('`').nth(1)).map(str::to_owned).collect()
}

/// Every source file below `folder` with its module path, `["flow", "plan"]` for src/flow/plan.rs.
fn sources(folder: &Path, path: &[String]) -> Vec<(Vec<String>, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let mut module = path.to_vec();
        if file.is_dir() {
            module.push(name);
            found.extend(sources(&file, &module));
        } else if file.extension().is_some_and(|e| e == "rs") {
            if name != "mod" && name != "lib" {
                module.push(name);
            }
            found.push((module, fs::read_to_string(&file).unwrap()));
        }
    }
    found
}

/// The code without comments, and with string and character literals emptied.
fn code_of(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if c == '"' {
            string_length(rest)
        } else if c == '\'' {
            character_length(rest)
        } else {
            0
        };
        if skipped == 0 {
            code.push(c);
            rest = &rest[c.len_utf8()..];
        } else {
            code.push(' ');
            rest = &rest[skipped..];
        }
    }
    code
}

fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (i, c) in text.char_indices().skip(1) {
        match c {
            '\\' if !escaped => escaped = true,
            '"' if !escaped => return i + 1,
            _ => escaped = false,
        }
    }
    text.len()
}

/// Length of the character literal at the front, 0 for a lifetime.
fn character_length(text: &str) -> usize {
    let mut characters = text.char_indices().skip(1);
    match (characters.next(), characters.next()) {
        (Some((_, '\\')), Some(_)) => text[3..].find('\'').map_or(0, |i| i + 4),
        (Some(_), Some((i, '\''))) => i + 1,
        _ => 0,
    }
}

/// Names and punctuation.
fn tokens(code: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut in_word = false;
    for c in code.chars() {
        let word = c.is_alphanumeric() || c == '_';
        match tokens.last_mut() {
            Some(last) if word && in_word => last.push(c),
            Some(last) if c == ':' && last == ":" => last.push(c),
            _ if c.is_whitespace() => {}
            _ => tokens.push(c.to_string()),
        }
        in_word = word;
    }
    tokens
}

/// Top-level modules that code in `module` names through `crate::`, `super::` chains and groups of them.
fn imports(module: &[String], text: &str) -> BTreeSet<String> {
    let tokens = tokens(&code_of(text));
    let mut found = BTreeSet::new();
    // Braces around the current token; those in `inline` opened a `mod name {`, one level deeper for `super`.
    let (mut braces, mut inline) = (0, Vec::new());
    for at in 0..tokens.len() {
        match tokens[at].as_str() {
            "{" => {
                braces += 1;
                if at >= 2 && tokens[at - 2] == "mod" {
                    inline.push(braces);
                }
            }
            "}" => {
                inline.pop_if(|opened| *opened == braces);
                braces -= 1;
            }
            "crate" | "super" if at == 0 || tokens[at - 1] != "::" => {
                follow(&tokens, at, module.len() + inline.len(), &mut found);
            }
            _ => {}
        }
    }
    found
}

/// Follows one path from `crate` or `super` in a module `depth` levels below the root; where it reaches the
/// root, adds the names that follow.
fn follow(tokens: &[String], at: usize, depth: usize, found: &mut BTreeSet<String>) {
    let is = |i: usize, token: &str| tokens.get(i).is_some_and(|t| t == token);
    let (mut at, mut depth) = if is(at, "crate") { (at + 1, 0) } else { (at, depth) };
    while is(at, "super") {
        depth = depth.saturating_sub(1);
        at += 1;
        if is(at, "::") && is(at + 1, "super") {
            at += 1;
        }
    }
    if depth > 0 || !is(at, "::") {
        return;
    }
    if is(at + 1, "{") {
        found.extend(group(&tokens[at + 2..]));
    } else if let Some(name) = tokens.get(at + 1) {
        found.insert(name.clone());
    }
}

/// The first name of each entry of a braced group.
fn group(tokens: &[String]) -> Vec<String> {
    let mut names = Vec::new();
    let (mut depth, mut first) = (1, true);
    for token in tokens {
        match token.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            "," if depth == 1 => first = true,
            name if depth == 1 && first => {
                names.push(name.to_owned());
                first = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names
}

/// What is wrong with one file: imports of its own level or above, and unsafe code out of place.
fn violations(table: &[String], module: &[String], text: &str) -> Vec<String> {
    let rank = |name: &str| table.iter().position(|entry| entry == name);
    let Some(own) = module.first() else { return Vec::new() };
    let here = module.join("::");
    let Some(own_rank) = rank(own) else { return vec![format!("{here} is missing from the table")] };
    let mut wrong = Vec::new();
    for import in imports(module, text) {
        match rank(&import) {
            Some(rank) if rank <= own_rank => {}
            Some(_) => wrong.push(format!("{here} imports {import}, which lies above it")),
            None => wrong.push(format!("{here} imports {import}, which is not in the table")),
        }
    }
    let is_unsafe = tokens(&code_of(text)).iter().any(|token| token == "unsafe");
    if is_unsafe && !UNSAFE_MODULES.contains(&own.as_str()) {
        wrong.push(format!("{here} contains unsafe code"));
    }
    wrong
}

#[test]
fn every_module_imports_only_modules_listed_above_it() {
    let lib = fs::read_to_string(source_root().join("lib.rs")).unwrap();
    let table = table(&lib);
    assert!(table.len() >= 10, "{table:?}");
    let sources = sources(&source_root(), &[]);
    assert!(sources.len() >= table.len(), "the walk found too few files");
    let wrong: Vec<_> = sources.iter().flat_map(|(m, text)| violations(&table, m, text)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn planted(module: &str, text: &str) -> Vec<String> {
    let table = ["lanes", "field", "flow"].map(str::to_owned);
    let module: Vec<_> = module.split("::").map(str::to_owned).collect();
    violations(&table, &module, text)
}

#[test]
fn planted_upward_imports_are_caught() {
    for text in [
        "use crate::flow::Plan;",
        "use crate::{lanes::Lanes, flow::{Plan, Config}};",
        "use crate::{\n    lanes::{Lanes, Real},\n    flow,\n};",
        "use super::super::flow::Plan;",
        "use super::super::{lanes, flow::Plan};",
        "fn f() -> crate::flow::Plan { todo() }",
        "pub(crate) use crate::flow as other;",
        "const QUOTE: char = '\\'';\nuse crate::flow;",
        "const QUOTE: char = '\"';\nuse crate::flow; // \"",
    ] {
        assert_eq!(
            planted("field::pairs", text),
            ["field::pairs imports flow, which lies above it"],
            "{text}"
        );
    }
    let nested = "mod tests { use super::*; }\nuse super::flow;";
    assert_eq!(planted("field", nested), ["field imports flow, which lies above it"]);
    let nested = "mod tests { use super::super::flow; }";
    assert_eq!(planted("field", nested), ["field imports flow, which lies above it"]);
    assert_eq!(planted("field", "use super::flow;"), ["field imports flow, which lies above it"]);
}

#[test]
fn downward_imports_comments_and_strings_pass() {
    for text in [
        "use crate::lanes::{Lanes, Real};",
        "use super::pairs::flow; use super::{flow, Shape};",
        "use crate::{lanes, field::Shape};",
        "// use crate::flow;\n/* use crate::flow; */",
        "const TEXT: &str = \"use crate::flow; \\\" use crate::flow\";",
        "fn f<'a>(x: &'a str) -> &'a str { x }",
        "pub(crate) fn f() {} pub(super) fn g() {}",
    ] {
        assert!(planted("field::pairs", text).is_empty(), "{text}: {:?}", planted("field::pairs", text));
    }
}

#[test]
fn planted_unsafe_code_and_unlisted_modules_are_caught() {
    let text = "fn f(p: *const u8) -> u8 { unsafe { *p } }";
    assert_eq!(planted("flow::plan", text), ["flow::plan contains unsafe code"]);
    assert!(planted("lanes", text).is_empty());
    assert!(planted("flow", "// unsafe\n#![deny(unsafe_code)]").is_empty());
    assert_eq!(planted("stray", ""), ["stray is missing from the table"]);
    assert_eq!(planted("flow", "use crate::stray::f;"), ["flow imports stray, which is not in the table"]);
}
