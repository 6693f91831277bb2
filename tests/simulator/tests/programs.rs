//! The simulator as a newcomer runs it: the demo to its last line, and `dev` with the files that it names.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its set-up included")]

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};

#[test]
fn the_demo_ends_with_a_table_in_which_every_line_holds() {
    let output = Command::new(env!("CARGO_BIN_EXE_kms-simulator")).arg("demo").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("every line holds") && !text.contains("NOT every line"), "{text}");
    assert_eq!(text.lines().filter(|line| line.starts_with("ok ")).count(), 23, "{text}");
}

#[test]
fn dev_serves_until_it_is_interrupted_and_uses_its_folder_again() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("dev");
    for (greeting, signal) in [("Made a vendor", "-INT"), ("Using the vendor", "-TERM")] {
        let (mut dev, told) = dev(&folder);
        send(signal, dev.0.id());
        assert!(dev.0.wait().unwrap().success());
        assert!(told[0].starts_with(greeting), "{told:?}");
        assert!(told.iter().any(|line| line.contains("from the first machine on")), "{told:?}");
        assert!(told.iter().any(|line| line.contains("activate")), "{told:?}");
        assert!(told.iter().any(|line| line.contains("load --host 127.0.0.1:")), "{told:?}");
        assert!(folder.join("product.toml").exists() && folder.join("host/signing.key").exists());
    }
}

/// An installed program named `cargo run`, where there was no checkout.
#[test]
fn an_installed_dev_prints_commands_that_run() {
    let beside = Path::new(env!("CARGO_BIN_EXE_kms-simulator")).parent().unwrap();
    let folder = tempfile::tempdir().unwrap();
    for program in ["kms-simulator", "kms-host", "kms-client"] {
        if std::fs::copy(beside.join(program), folder.path().join(program)).is_err() {
            println!("NOT RUN: {program} is not built: cargo build --workspace");
            return;
        }
    }
    let mut command = Command::new(folder.path().join("kms-simulator"));
    command.args(["dev", "--listen", "127.0.0.1:0"]).arg(folder.path().join("dev"));
    command.env_remove("CARGO_MANIFEST_DIR").stdout(Stdio::piped());
    let (dev, told) = dev_with(&mut command);

    let commands: Vec<_> = told.iter().filter_map(|line| line.strip_prefix("  ")).collect();
    assert_eq!(commands.len(), 5, "{told:?}");
    for command in commands {
        assert!(!command.contains("cargo"), "{command}");
        let mut words = command.split(' ');
        let output = Command::new(words.next().unwrap()).args(words).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command}: {said}");
    }
    send("-INT", dev.0.id());
}

/// One command, and a laptop is activated by a key; the second time, portal and key are still there. The folder had no portal before: its
/// host was refused the key then, as one of another organisation.
#[test]
fn dev_with_a_portal_activates_its_host_by_a_key_and_laptops_by_another() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("dev");
    let (mut without, _) = dev_with(&mut command(&folder));
    send("-INT", without.0.id());
    assert!(without.0.wait().unwrap().success());
    let portal = || {
        let mut command = command(&folder);
        command.arg("--portal");
        dev_with(&mut command)
    };
    let (mut first, told) = portal();
    assert!(told.iter().any(|line| line.contains("activated the host by the key")), "{told:?}");
    let host = told.iter().find_map(|line| line.split_once("--host ")?.1.strip_suffix(" activate")).unwrap();
    let client = |state: &str, words: &[&str]| {
        let mut client = Command::new(env!("CARGO_BIN_EXE_kms-simulator"));
        client.arg("client").args(["--json", "--product"]).arg(folder.join("product.toml")).arg("--state");
        let key = std::fs::File::open(folder.join("laptops.key")).unwrap();
        let output = client.arg(folder.join(state)).args(words).stdin(key).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    };
    client("machine", &["--host", host, "activate"]);
    client("laptop", &["key", "set", "-"]);
    send("-INT", first.0.id());
    assert!(first.0.wait().unwrap().success());

    let (mut second, told) = portal();
    assert!(told[0].starts_with("Using the vendor"), "{told:?}");
    client("another", &["key", "set", "-"]);
    send("-TERM", second.0.id());
    assert!(second.0.wait().unwrap().success());
}

#[test]
fn exit_codes_are_those_of_the_other_programs() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "no scenario").unwrap();
    let file = file.to_str().unwrap();
    let under_file = format!("{file}/report");
    for (words, code) in [
        (&["load", "--rate", "none"][..], 64),
        (&["fleet", "--machines", "-1"], 64),
        (&["load", "--scenario", file], 65),
        (&["load", "--scenario", "no-such-scenario"], 65),
        (&["report", file], 65),
        (&["fleet", "--machines", "3", "--days", "9", "--out", &under_file], 73),
        (&["load", "--out", &under_file], 73),
        (&["--help"], 0),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_kms-simulator")).args(words).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {said}");
    }
}

/// The variable is of a command and not of the program, so it was not looked at.
#[test]
fn an_empty_variable_is_an_unset_one() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kms-simulator"));
    let output = command.args(["load", "--show"]).env("KMS_PRODUCT", "").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_second_dev_on_the_same_folder_fails_and_the_first_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("dev");
    let (mut first, _) = dev(&folder);

    let second = command(&folder).output().unwrap();

    let said = String::from_utf8(second.stderr).unwrap();
    assert!(!second.status.success() && said.contains("another process serves"), "{said}");
    assert!(!String::from_utf8(second.stdout).unwrap().contains("A host serves"), "{said}");
    assert!(first.0.try_wait().unwrap().is_none(), "the first one was not to be disturbed");
    send("-INT", first.0.id());
    assert!(first.0.wait().unwrap().success());
}

#[test]
fn dev_refuses_another_threshold_for_a_folder_that_has_one() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("dev");
    let (mut first, _) = dev(&folder);
    send("-INT", first.0.id());
    assert!(first.0.wait().unwrap().success());

    let refused = command(&folder).args(["--threshold", "2"]).output().unwrap();

    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && said.contains("has a threshold of 1"), "{said}");
}

#[test]
fn dev_ends_with_an_error_when_its_host_dies() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("dev");
    let (mut dev, _) = dev_with(command(&folder).stderr(Stdio::piped()));

    send("-KILL", child_of(dev.0.id()));

    let mut said = String::new();
    dev.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(!dev.0.wait().unwrap().success() && said.contains("the host ended by itself"), "{said}");
}

/// A running `dev`, ended together with its host when a test fails: left behind, it would hold the test's output open.
struct Dev(Child);

impl Drop for Dev {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            let _ = Command::new("kill").args(["-INT", &self.0.id().to_string()]).status();
            let _ = self.0.wait();
        }
    }
}

fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kms-simulator"));
    command.args(["dev", "--listen", "127.0.0.1:0"]).arg(folder).stdout(Stdio::piped());
    command
}

fn dev(folder: &Path) -> (Dev, Vec<String>) {
    dev_with(&mut command(folder))
}

/// Starts `dev`, and reads what it tells up to its last line.
fn dev_with(command: &mut Command) -> (Dev, Vec<String>) {
    let mut dev = command.spawn().unwrap();
    let lines = BufReader::new(dev.stdout.take().unwrap()).lines().map(Result::unwrap);
    (Dev(dev), lines.take_while(|line| !line.starts_with("Ctrl-C")).collect())
}

fn send(signal: &str, process: u32) {
    assert!(Command::new("kill").args([signal, &process.to_string()]).status().unwrap().success());
}

/// The only child of a process.
fn child_of(process: u32) -> u32 {
    let found = Command::new("pgrep").args(["-P", &process.to_string()]).output().unwrap();
    String::from_utf8(found.stdout).unwrap().trim().parse().unwrap()
}
