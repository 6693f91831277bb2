//! The command line through the real binary, as an administrator or a support person meets it.
//!
//! There is no host here. The workspace's suite has the stories with leases.

#![expect(clippy::unwrap_used, reason = "all of this is a test; clippy sees only the functions marked so")]

mod asking;
mod codes;
mod keys;
mod remedies;
mod standing;
#[cfg(target_os = "linux")]
mod typing;
mod wizard;

/// Only Unix has these signals and owners.
#[cfg(unix)]
mod owner;
#[cfg(unix)]
mod running;

mod explaining;
mod wrong;

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// What `kms-vendor product file` wrote in its first release.
const PRODUCT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../kms-vendor/tests/vectors/product.toml");

/// A product for a single organisation, with a DNS label of its own.
const PINNED: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../kms-vendor/tests/vectors/product-pinned.toml");

/// The product id in both files.
const PRODUCT_ID: &str = "4142434445464748494a4b4c4d4e4f50";

/// One machine with a state directory of its own, and without the environment of the tests.
struct Machine {
    home: TempDir,
}

impl Machine {
    fn new() -> Machine {
        Machine { home: tempfile::tempdir().unwrap() }
    }

    /// A machine on which the product has run.
    fn begun() -> Machine {
        let machine = Machine::new();
        machine.answer(&["identity", "reset", "--yes"]);
        machine
    }

    /// A file of the product's state.
    fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(PRODUCT_ID).join(name)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        command(&self.home).env("KMS_PRODUCT", PRODUCT).args(arguments).output().unwrap()
    }

    /// The exit code and the answer.
    #[track_caller]
    fn answer(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.run(arguments);
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    }

    /// The answer in JSON.
    #[track_caller]
    fn json(&self, arguments: &[&str]) -> Value {
        let (_, text) = self.answer(&[arguments, &["--json"]].concat());
        serde_json::from_str(&text).unwrap()
    }

    /// The exit code and the text on standard error.
    #[track_caller]
    fn failure(&self, arguments: &[&str]) -> (i32, String) {
        failure(self.run(arguments))
    }
}

/// Runs the binary with only these arguments.
fn bare(home: &TempDir, arguments: &[&str]) -> Output {
    command(home).args(arguments).output().unwrap()
}

/// The binary on a machine of its own.
fn command(home: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kms-client"));
    command.current_dir(home.path()).env("KMS_STATE", home.path());
    for variable in
        ["KMS_PRODUCT", "KMS_HOSTS", "KMS_LOG", "KMS_TLS_CA", "KMS_TLS_CERTIFICATE", "KMS_TLS_KEY"]
    {
        command.env_remove(variable);
    }
    command
}

#[track_caller]
fn failure(output: Output) -> (i32, String) {
    assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.starts_with("error: "), "{text}");
    (output.status.code().unwrap(), text)
}

/// An address at which nothing listens: the port was free a moment ago.
fn nobody() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}
