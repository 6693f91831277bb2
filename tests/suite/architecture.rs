//! What the layout promises: who imports whom, how a file opens, and that README speaks of what is there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A crate, what of ours it may import, and what it never imports. As in `docs/design.md`.
const IMPORTS: &[(&str, &[&str], &[&str])] = &[
    ("proto", &[], &["tokio", "serde", "sled"]),
    ("shared", &["proto"], &["tokio", "tonic", "serde", "tracing", "sled", "hickory-resolver", "rand"]),
    ("store", &[], &["tokio", "tonic"]),
    ("ledger", &["shared", "store"], &["tonic", "serde", "sled", "fjall", "rand"]),
    ("names", &["shared"], &["tonic", "kms-host", "kms-client"]),
    ("wire", &["shared", "proto"], &["kms-host", "kms-client", "serde"]),
    ("program", &["shared"], &["kms-host", "kms-client", "tokio", "tonic"]),
    ("server", &["shared", "store"], &["kms-host", "kms-client", "proto", "ledger", "clap"]),
    (
        "kms-client",
        &["shared", "proto", "names", "wire"],
        &["sled", "clap", "kms-host", "store", "tonic", "hyper"],
    ),
    (
        "kms-host",
        &["shared", "proto", "store", "ledger", "names", "wire", "server"],
        &["kms-client", "sled", "hickory-resolver", "clap", "comfy-table"],
    ),
    (
        "kms-host/cli",
        &["kms-host", "shared", "proto", "store", "ledger", "program", "server"],
        &["kms-client", "sled", "fjall", "hickory-resolver"],
    ),
    (
        "kms-portal",
        &["kms-portal-rules", "kms-portal-texts", "shared", "proto", "store", "names", "server"],
        &["kms-host", "kms-client", "kms-vendor", "sled", "fjall", "clap", "comfy-table", "axum", "askama"],
    ),
    ("kms-portal/texts", &["kms-client-texts", "shared"], &["tokio", "kms-portal"]),
    (
        "kms-portal/web",
        &["kms-portal", "kms-portal-texts", "shared", "server"],
        &["kms-host", "kms-client", "kms-vendor", "sqlx", "sled", "fjall", "clap", "tonic"],
    ),
    // No clock, no store, no network.
    ("kms-portal/rules", &["shared"], &["tokio", "sqlx", "rand", "kms-portal"]),
    (
        "kms-portal/cli",
        &[
            "kms-portal",
            "kms-portal-web",
            "kms-client-texts",
            "shared",
            "proto",
            "store",
            "program",
            "server",
            "wire",
        ],
        &["kms-host", "kms-client", "kms-vendor", "sqlx", "sled", "fjall"],
    ),
    ("kms-vendor", &["shared", "proto", "store", "program"], &["kms-host", "kms-client", "tokio"]),
    ("kms-client/cli", &["kms-client", "kms-client-texts", "shared", "program"], &["kms-host"]),
    ("kms-client/texts", &["shared"], &["tokio", "kms-client"]),
    ("tests/dns", &[], &["kms-client", "kms-host"]),
    ("tests/report", &[], &["kms-client", "kms-host"]),
];

/// What one crate does for all: words that stand in its files and in no others.
const ONCE: [(&str, &str); 6] = [
    // Asks are composed, copies replaced and clocks judged by the rules; whoever simulates or tests drives them.
    ("machine_key: ", "shared"),
    ("may_rekey(", "shared"),
    (".witness(", "shared"),
    ("http2::handshake(", "wire"),
    ("ErrorKind::BrokenPipe", "program"),
    ("EX_USAGE: u8", "program"),
];

/// Type names that the code of the product has more than once, and why. Every other name has one meaning.
const SEVERAL_MEANINGS: [(&str, &str); 6] = [
    ("Cli Command Failure", "each program has arguments of its own, and its own way to fail"),
    (
        "Client Home Lease Organisation Outcome Places Product Signer Source Terms Tls",
        "the machine's side of what the host, the vendor or the rules have, too; half of them are the public API of kms-client",
    ),
    (
        "Batch Fault Mark OpenError Opened Place Record Salvaged",
        "the store's word for the bytes of what ledger and rules give a meaning",
    ),
    ("SettingSources Settings", "those of a program are the ones of `server`, for its own table"),
    ("Line", "both ends of a connection, in `server` and in `wire`"),
    ("Event Standing", "told apart by their modules: license and record; serial and snapshot"),
];

/// The names under which our crates are imported.
const OURS: &[&str] = &[
    "proto",
    "shared",
    "store",
    "ledger",
    "names",
    "wire",
    "program",
    "server",
    "kms-client",
    "kms-client-cli",
    "kms-client-texts",
    "kms-host",
    "kms-host-cli",
    "kms-portal",
    "kms-portal-cli",
    "kms-portal-rules",
    "kms-portal-texts",
    "kms-portal-web",
    "kms-vendor",
    "report",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn dependencies(member: &str) -> BTreeSet<String> {
    let manifest = std::fs::read_to_string(root().join(member).join("Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let dependencies = manifest.get("dependencies").and_then(toml::Value::as_table);
    dependencies.into_iter().flat_map(toml::Table::keys).cloned().collect()
}

#[test]
fn each_crate_imports_what_the_table_allows() {
    for &(member, allowed, never) in IMPORTS {
        let imports = dependencies(member);
        for import in &imports {
            assert!(!never.contains(&import.as_str()), "{member} must never import {import}");
            let foreign = !OURS.contains(&import.as_str()) && import != "kms-dns" && import != "world";
            assert!(
                foreign || allowed.contains(&import.as_str()),
                "{member} may not import {import} of ours"
            );
        }
    }
}

/// Another ledger may keep its rows in another way.
#[test]
fn nothing_but_the_ledger_builds_the_key_of_a_row() {
    for path in sources(&root().join("kms-host/src")) {
        let text = std::fs::read_to_string(&path).unwrap();
        for key in ["key::record", "key::RECORDS", "key::event", "key::tally", "key::hour", "key::META"] {
            assert!(!text.contains(key), "{} builds {key}", path.display());
        }
    }
}

/// Only a program prints. A library logs, and whoever embeds it decides what is shown.
#[test]
fn the_libraries_print_nothing() {
    for library in
        ["shared", "store", "ledger", "names", "wire", "server", "kms-client", "kms-host", "kms-portal"]
    {
        for path in sources(&root().join(library).join("src")) {
            // The log of a daemon goes to standard error.
            if path.ends_with("server/src/log.rs") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
                let prints = ["print!(", "println!(", "io::stdout", "io::stderr"]
                    .iter()
                    .any(|word| line.contains(word));
                assert!(!prints, "{}: {line}", path.display());
            }
        }
    }
}

#[test]
fn tonic_comes_into_the_messages_by_feature_alone() {
    let manifest = std::fs::read_to_string(root().join("proto/Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    for dependency in ["tonic", "tonic-prost"] {
        assert_eq!(manifest["dependencies"][dependency]["optional"].as_bool(), Some(true), "{dependency}");
    }
    let features = manifest["features"].as_table().unwrap();
    assert!(!features.contains_key("default"), "without a feature there are messages alone");
    let lib = std::fs::read_to_string(root().join("proto/src/lib.rs")).unwrap();
    let without_std = r#"#![cfg_attr(not(any(feature = "client", feature = "server")), no_std)]"#;
    assert!(lib.lines().any(|line| line == without_std), "and the messages need no std");
}

#[test]
fn the_rules_are_without_std() {
    let lib = std::fs::read_to_string(root().join("shared/src/lib.rs")).unwrap();
    assert!(lib.contains("#![no_std]") && !lib.contains("extern crate std"));
}

#[test]
fn what_is_decided_in_one_place_is_decided_in_no_other() {
    for (words, owner) in ONCE {
        let has_it = |path: &PathBuf| std::fs::read_to_string(path).unwrap().contains(words);
        let found: Vec<_> = sources(&root()).into_iter().filter(has_it).collect();
        let is_elsewhere =
            |path: &&PathBuf| !path.starts_with(root().join(owner)) && !path.ends_with("architecture.rs");
        assert_eq!(found.iter().find(is_elsewhere), None, "`{words}` belongs into {owner}");
        assert!(1 < found.len(), "`{words}` is not in {owner} any more");
    }
}

/// A search for a type finds one thing. Types that only their own file sees are left out, and so are tests and tools.
#[test]
fn a_type_name_has_one_meaning() {
    let mut places = BTreeMap::<String, Vec<PathBuf>>::new();
    let is_product = |path: &PathBuf| {
        let path = path.strip_prefix(root()).unwrap();
        !path.starts_with("tests")
            && path.iter().any(|part| part == "src")
            && !path.iter().any(|part| part == "battery")
    };
    for path in sources(&root()).into_iter().filter(is_product) {
        let text = std::fs::read_to_string(&path).unwrap();
        let names = text.lines().take_while(|line| *line != "mod tests {").filter_map(declared);
        names.for_each(|name| places.entry(name.to_owned()).or_default().push(path.clone()));
    }
    assert!(200 < places.len(), "only {} types were found", places.len());
    let allowed: BTreeSet<_> = SEVERAL_MEANINGS.iter().flat_map(|(names, _)| names.split(' ')).collect();
    for (name, places) in &places {
        let is_once = places.len() == 1;
        assert!(
            is_once || allowed.contains(name.as_str()),
            "{name} is declared in several places: {places:#?}"
        );
        assert!(!is_once || !allowed.contains(name.as_str()), "{name} stands once; take it off the list");
    }
}

/// The name of the type that this line declares, if other files see it.
fn declared(line: &str) -> Option<&str> {
    let (visible, declaration) = line.split_once(' ')?;
    let declaration = match visible {
        "pub" | "pub(crate)" | "pub(super)" => declaration,
        _ => return None,
    };
    let (keyword, rest) = declaration.split_once(' ')?;
    let end = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
    matches!(keyword, "struct" | "enum" | "trait" | "type").then_some(&rest[..end])
}

#[test]
fn every_file_opens_by_saying_what_it_is_for() {
    let mut seen = 0;
    for path in sources(&root()) {
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("//!"), "{} does not open with //!", path.display());
        seen += 1;
    }
    assert!(50 < seen, "only {seen} files were found");
}

#[test]
fn every_path_that_readme_names_exists() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let mut seen = 0;
    // Between backquotes or as the target of a link, with a slash in it and nothing that a command or an address has.
    for word in readme.split(['`', '(', ')']) {
        let path = word.split('#').next().unwrap_or_default();
        let is_path = path.contains('/')
            && !path.contains(' ')
            && !path.contains("://")
            && !path.starts_with(['/', '.', '$']);
        if is_path && path.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c)) {
            assert!(root().join(path).exists(), "README names {path}, which is not there");
            seen += 1;
        }
    }
    assert!(5 < seen, "only {seen} paths were found");
}

#[test]
fn every_path_from_which_a_change_begins_exists() {
    let design = std::fs::read_to_string(root().join("docs/design.md")).unwrap();
    let table = design.split("### Where a change begins").nth(1).unwrap().split("\n\n").nth(2).unwrap();
    let paths: Vec<_> =
        table.split('`').skip(1).step_by(2).filter(|word| word.contains(['/', '.'])).collect();
    assert!(20 < paths.len(), "only {} paths were found", paths.len());
    for path in paths {
        assert!(root().join(path).exists(), "design.md names {path}, which is not there");
    }
}

/// Every Rust file of ours.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && !matches!(name, "target" | "gen" | "node_modules") && !name.starts_with('.') {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}
