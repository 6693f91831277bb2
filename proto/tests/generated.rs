//! The checked-in code is what the `.proto` files say.
//!
//! `KMS_REGENERATE=1 cargo test -p kms-proto` writes it anew after a change of a `.proto`; without the variable the
//! test only compares. Both use a protobuf compiler written in Rust, so nothing has to be installed.

#![expect(clippy::unwrap_used, reason = "all of this is a test")]

use std::collections::BTreeMap;
use std::path::Path;

use prost::Message;

const FILES: [&str; 14] = [
    "kms/v1/signed.proto",
    "kms/v1/certificate.proto",
    "kms/v1/ask.proto",
    "kms/v1/answer.proto",
    "kms/v1/activation.proto",
    "kms/v1/files.proto",
    "kms/v1/revocation.proto",
    "kms/v1/codes.proto",
    "kms/v1/telephones.proto",
    "kms/state/v1/saved.proto",
    "kms/admin/v1/admin.proto",
    "kms/vendor/v1/vendor.proto",
    "kms/vendor/v1/account.proto",
    "kms/portal/v1/portal.proto",
];

const HEADER: &str = "\
//! Generated from the `.proto` files by `tests/generated.rs`; do not edit.
#![allow(clippy::all, clippy::pedantic, clippy::allow_attributes, clippy::allow_attributes_without_reason)]
#![allow(missing_docs, rustdoc::all, unreachable_pub)]

";

#[test]
fn checked_in_code_is_what_the_proto_files_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let expected = generate(root);
    let folder = root.join("src/gen");
    if std::env::var_os("KMS_REGENERATE").is_some() {
        for (name, contents) in &expected {
            std::fs::write(folder.join(name), contents).unwrap();
        }
    }
    let present: BTreeMap<String, Vec<u8>> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()))
        .collect();
    let names: Vec<_> = present.keys().collect();
    assert_eq!(names, expected.keys().collect::<Vec<_>>(), "src/gen holds other files than are generated");
    for (name, contents) in &expected {
        assert!(
            present[name] == *contents,
            "src/gen/{name} differs; run KMS_REGENERATE=1 cargo test -p kms-proto"
        );
    }
}

/// File name to contents, for every file that belongs into `src/gen`.
fn generate(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let descriptors = protox::compile(FILES, [root]).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    tonic_prost_build::configure()
        .bytes(".")
        .client_mod_attribute(".", "#[cfg(feature = \"client\")]")
        .server_mod_attribute(".", "#[cfg(feature = \"server\")]")
        .emit_rerun_if_changed(false)
        .out_dir(scratch.path())
        .compile_fds(descriptors.clone())
        .unwrap();
    let mut files = BTreeMap::from([("descriptors.bin".to_owned(), descriptors.encode_to_vec())]);
    for entry in std::fs::read_dir(scratch.path()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let code = std::fs::read_to_string(&path).unwrap();
        files.insert(name, format!("{HEADER}{code}").into_bytes());
    }
    files
}
