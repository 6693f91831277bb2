//! What is no file of ours, in a place of the vendor's directory or on the command line: one line at once.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::binary::{ISSUE, answer, issue_to, prepared};

/// A pipe in the place of any of these once made the command wait for ever, and `/dev/zero` took all memory.
#[test]
fn an_odd_file_in_any_place_is_refused_at_once() {
    let home = prepared();
    answer(&home, &["issuer", "create"]);
    answer(&home, &issue_to("first.pem"));
    let issue = issue_to("odd.pem");
    let (by_issuer, moved) = ([&issue[..], &["--issuer"]].concat(), [&issue[..], &["--moved-host"]].concat());
    fs::write(home.path().join("vendor/replaced-roots.toml"), "version = 1\n").unwrap();
    let cases: [(&str, &[&str]); 12] = [
        ("vendor/roots.pub", &["roots"]),
        ("vendor/products.toml", &["product", "list"]),
        ("vendor/organisations.toml", &issue),
        ("vendor/root-1.key", &issue),
        ("vendor/root-1.key", &["roots"]),
        ("vendor/replaced-roots.toml", &issue),
        ("vendor/issuing.certificate", &by_issuer),
        ("vendor/issuing.key", &by_issuer),
        (ISSUE[3], &issue),
        // These may be of any size.
        ("vendor/issued.jsonl", &issue),
        ("vendor/issued.jsonl", &moved),
        ("vendor/.lock", &issue),
    ];
    for (number, (name, arguments)) in cases.into_iter().enumerate() {
        let path = home.path().join(name);
        let aside = home.path().join("aside");
        fs::rename(&path, &aside).unwrap();
        for kind in ["pipe", "device", "directory", "large"] {
            if kind == "large" && 9 <= number {
                continue;
            }
            put(kind, &path);
            let line = refusal(home.path(), arguments);
            let why = if kind == "large" { "it is larger than 1 MiB" } else { "it is not a regular file" };
            assert!(line.contains(name) && line.contains(why), "{name} as {kind}: {line}");
            if name != ISSUE[3] {
                assert!(line.contains("move it away"), "{line}");
            }
            if kind == "directory" { fs::remove_dir(&path) } else { fs::remove_file(&path) }.unwrap();
        }
        fs::rename(&aside, &path).unwrap();
    }
    answer(&home, &issue);
}

/// A record of any size is read, and no line of it is read into memory whole.
#[test]
fn a_line_without_an_end_hides_no_other() {
    let home = prepared();
    answer(&home, &issue_to("first.pem"));
    let path = home.path().join("vendor/issued.jsonl");
    let record = fs::read(&path).unwrap();
    fs::write(&path, [vec![0; 3 << 20], b"\n".to_vec(), record].concat()).unwrap();
    let mut other = issue_to("other.pem");
    other[7] = "Another College";
    assert!(refusal(home.path(), &other).contains("was certified for another organisation"));
}

fn put(kind: &str, path: &Path) {
    match kind {
        "pipe" => assert!(Command::new("mkfifo").arg(path).status().unwrap().success()),
        "device" => symlink("/dev/zero", path).unwrap(),
        "directory" => fs::create_dir(path).unwrap(),
        _ => fs::write(path, vec![b' '; (1 << 20) + 1]).unwrap(),
    }
}

/// The line of a command that may neither wait nor take the machine's memory.
#[track_caller]
fn refusal(home: &Path, arguments: &[&str]) -> String {
    let limits = "ulimit -v 2000000; exec timeout 20 \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", limits, "sh", env!("CARGO_BIN_EXE_kms-vendor")]).args(arguments);
    let output = command.current_dir(home).env_remove("KMS_VENDOR_DIR").output().unwrap();
    let line = String::from_utf8(output.stderr).unwrap();
    assert!(
        line.starts_with("error: ") && line.lines().count() == 1,
        "{arguments:?}: {:?} {line}",
        output.status
    );
    line
}
