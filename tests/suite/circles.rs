//! Imports inside a crate lead one way: a reader can follow them downwards, and a part can be taken out with what lies below.
//!
//! Only a file and its own children may import each other. What a file imports is read from its text, tests left out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A module, as the names that lead to it.
type Module = Vec<String>;

/// Crates whose imports lead one way.
const CRATES: &[&str] = &[
    "shared",
    "store",
    "ledger",
    "kms-host",
    "kms-host/cli",
    "kms-portal",
    "kms-portal/cli",
    "kms-portal/rules",
    "kms-vendor",
    "names",
    "wire",
    "program",
    "server",
    "kms-client",
    "kms-client/cli",
    "tests/bench",
    "tests/dns",
    "tests/faults",
    "tests/report",
    "tests/simulator",
];

#[test]
fn only_a_file_and_its_own_children_import_each_other() {
    for member in CRATES {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(member).join("src");
        let mut texts = BTreeMap::new();
        read(&source, &[], &mut texts);
        assert!(1 < texts.len(), "only {} files of {member} were found", texts.len());
        let circles = circles(&imports(&texts));
        assert!(circles.is_empty(), "{member}: these import each other: {circles:#?}");
    }
}

#[test]
fn a_circle_over_two_files_is_found_and_one_of_a_file_and_its_child_is_none() {
    let check = |files: &[(&str, &str)]| {
        let texts = files.iter().map(|(module, text)| (path(module), (*text).to_owned())).collect();
        circles(&imports(&texts)).len()
    };
    assert_eq!(check(&[("a", "use crate::b::{self, C};"), ("b", "fn b() { crate::a::d() }")]), 1);
    assert_eq!(check(&[("a", "use crate::b::C;"), ("b", "")]), 0);
    assert_eq!(check(&[("a", "use self::b::C;"), ("a::b", "use super::D;")]), 0);
    assert_eq!(
        check(&[("a", "use crate::c::C;"), ("c", "use crate::e::{f, a::x};"), ("e", "use crate::a;")]),
        1
    );
    assert_eq!(check(&[("a", "// use crate::b;\n"), ("b", "use crate::a;\n#[cfg(test)]\nuse crate::c;")]), 0);
}

fn path(text: &str) -> Module {
    text.split("::").map(|name| name.trim().to_owned()).collect()
}

/// The text of every module below this folder, without its tests and comments.
fn read(folder: &Path, parent: &[String], texts: &mut BTreeMap<Module, String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let module = [parent, std::slice::from_ref(&name)].concat();
        if file.is_dir() {
            read(&file, &module, texts);
        } else if !matches!(&*name, "lib" | "main") {
            texts.insert(module, std::fs::read_to_string(&file).unwrap());
        }
    }
}

/// What each module imports of the others.
fn imports(texts: &BTreeMap<Module, String>) -> BTreeMap<Module, BTreeSet<Module>> {
    let of = |module: &Module, text: &String| {
        let code = text.split("#[cfg(test)]").next().unwrap();
        let code: String = code.lines().flat_map(|line| [line.split("//").next().unwrap(), " "]).collect();
        let named = paths(&code).into_iter().filter_map(|named| {
            let mut found = match named[0].as_str() {
                "crate" => Vec::new(),
                "self" => module.clone(),
                _ => module[..module.len() - 1].to_vec(),
            };
            for name in &named[1..] {
                if name == "super" { drop(found.pop()) } else { found.push(name.clone()) }
            }
            while !found.is_empty() && !texts.contains_key(&found) {
                found.pop();
            }
            (!found.is_empty() && found != *module).then_some(found)
        });
        named.collect()
    };
    texts.iter().map(|(module, text)| (module.clone(), of(module, text))).collect()
}

/// Every path in the code that begins in the crate, with its braces resolved.
fn paths(code: &str) -> Vec<Module> {
    let mut found = Vec::new();
    for begin in ["crate::", "super::", "self::"] {
        for (at, _) in code.match_indices(begin) {
            let is_whole = code[..at]
                .chars()
                .next_back()
                .is_none_or(|before| !before.is_alphanumeric() && !":_".contains(before));
            if is_whole {
                resolve(&code[at..], String::new(), &mut found);
            }
        }
    }
    found
}

/// Reads one path, which may end in a list in braces, and returns what is behind it.
fn resolve<'c>(code: &'c str, mut read: String, found: &mut Vec<Module>) -> &'c str {
    let end = code.find(|c: char| !(c.is_alphanumeric() || "_:".contains(c))).unwrap_or(code.len());
    read.push_str(&code[..end]);
    let Some(mut rest) = code[end..].strip_prefix('{').filter(|_| read.ends_with("::")) else {
        found.push(path(read.trim_end_matches(':')));
        return &code[end..];
    };
    loop {
        rest = resolve(rest.trim_start(), read.clone(), found).trim_start();
        if let Some(renamed) = rest.strip_prefix("as ") {
            rest = renamed.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_').trim_start();
        }
        let more = rest.strip_prefix(',').map(str::trim_start);
        match more.filter(|more| !more.starts_with('}')) {
            Some(more) => rest = more,
            None => return more.unwrap_or(rest).strip_prefix('}').unwrap_or_default(),
        }
    }
}

/// Modules that reach each other, except a module with its own children.
fn circles(imports: &BTreeMap<Module, BTreeSet<Module>>) -> BTreeSet<Vec<String>> {
    let reached: BTreeMap<_, _> = imports.keys().map(|module| (module, reach(imports, module))).collect();
    let mut found = BTreeSet::new();
    for (module, reaches) in &reached {
        let circle: BTreeSet<_> = reaches.iter().filter(|other| reached[other].contains(*module)).collect();
        let top = circle.iter().min_by_key(|module| module.len());
        if top.is_some_and(|top| circle.iter().any(|one| !one.starts_with(top))) {
            found.insert(circle.into_iter().map(|module| module.join("::")).collect());
        }
    }
    found
}

/// Every module that this one imports, directly or through others.
fn reach(imports: &BTreeMap<Module, BTreeSet<Module>>, from: &Module) -> BTreeSet<Module> {
    let mut reached = BTreeSet::new();
    let mut open = vec![from];
    while let Some(module) = open.pop() {
        for next in &imports[module] {
            if reached.insert(next.clone()) {
                open.push(next);
            }
        }
    }
    reached
}
