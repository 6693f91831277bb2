//! The vectors: bytes that outlive a release, one file a thing, held in `vectors/`.
//!
//! A file is `name = value` lines under a comment: bytes in hexadecimal, and last what a reader makes of them. They were
//! made once, from the fixed keys of `kit`, and are never deleted or rewritten: a change that turns one red breaks what
//! is on somebody's disk. `KMS_REGENERATE=1` writes those that are missing, and nothing else. What stands in them is
//! composed in `signed_vectors`, `record_vectors`, `bad_vectors`, `key_vectors`, `code_vectors` and `telephone_vectors`, and for the
//! vendor's portal in `portal_vectors`, `bad_portal_vectors` and `account_vectors`.

use core::fmt::Write;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use crate::{
    account_vectors, bad_portal_vectors, bad_vectors, code_vectors, key_vectors, kit, portal_vectors,
    record_vectors, signed_vectors, telephone_vectors,
};

/// One thing, as this release makes it.
pub(crate) struct Vector {
    /// The name of its file, without the ending.
    pub(crate) name: &'static str,
    /// What it is, in one line.
    pub(crate) about: &'static str,
    /// Names and values in the order of the file.
    pub(crate) lines: Vec<(&'static str, String)>,
    /// What a reader has to make of it. An error is named here and not in the file: names in code may change.
    pub(crate) yields: String,
    /// Reads it, from what stands in the file alone.
    pub(crate) read: fn(&Fields) -> String,
}

/// What stands in a file.
pub(crate) struct Fields(BTreeMap<String, String>);

impl Fields {
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.get(name).unwrap_or_else(|| panic!("no {name}"))
    }

    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        data_encoding::HEXLOWER.decode(self.text(name).as_bytes()).unwrap()
    }

    pub(crate) fn optional_bytes(&self, name: &str) -> Option<Vec<u8>> {
        self.0.contains_key(name).then(|| self.bytes(name))
    }
}

impl Vector {
    /// A value in bytes.
    pub(crate) fn hex(name: &'static str, bytes: &[u8]) -> (&'static str, String) {
        (name, kit::hex(bytes))
    }

    fn path(&self) -> PathBuf {
        folder().join(self.name).with_extension("txt")
    }

    fn render(&self) -> String {
        let mut text = format!("# {}\n", self.about);
        for (name, value) in &self.lines {
            writeln!(text, "{name} = {value}").unwrap();
        }
        let is_error = self.yields.starts_with("error: ");
        let yields = if is_error { "an error" } else { &self.yields };
        writeln!(text, "yields = {yields}").unwrap();
        text
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

fn all() -> Vec<Vector> {
    let mut vectors = signed_vectors::all();
    vectors.extend(record_vectors::all());
    vectors.extend(bad_vectors::all());
    vectors.extend(key_vectors::all());
    vectors.extend(code_vectors::all());
    vectors.extend(telephone_vectors::all());
    vectors.extend(portal_vectors::all());
    vectors.extend(bad_portal_vectors::all());
    vectors.extend(account_vectors::all());
    vectors
}

fn parse(text: &str) -> Fields {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let field = |line: &str| {
        let (name, value) = line.split_once(" = ").unwrap_or((line, ""));
        (name.to_owned(), value.to_owned())
    };
    Fields(lines.map(field).collect())
}

fn stored(vector: &Vector) -> String {
    let path = vector.path();
    if !path.exists() && std::env::var_os("KMS_REGENERATE").is_some() {
        fs::write(&path, vector.render()).unwrap();
    }
    fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; KMS_REGENERATE=1 writes it", vector.name))
}

#[test]
fn what_is_made_today_is_what_was_made_first() {
    for vector in all() {
        assert_eq!(stored(&vector), vector.render(), "{}", vector.name);
    }
}

#[test]
fn what_was_made_first_is_read_today() {
    for vector in all() {
        let fields = parse(&stored(&vector));
        assert_eq!((vector.read)(&fields), vector.yields, "{}", vector.name);
    }
}

#[test]
fn every_file_is_somebodys_and_no_name_is_used_twice() {
    let vectors = all();
    let names: BTreeSet<_> = vectors.iter().map(|vector| format!("{}.txt", vector.name)).collect();
    assert_eq!(names.len(), vectors.len());
    for vector in &vectors {
        stored(vector);
    }
    let files = fs::read_dir(folder()).unwrap();
    let files: BTreeSet<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(files, names);
}
