//! Owners and modes of the files, for any user that runs the command and any umask.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::process::Command;

use crate::{Machine, PRODUCT, command, nobody};

/// The product's user.
const USER: u32 = 12_345;

/// Every command that writes.
fn writers() -> Vec<Vec<String>> {
    let host = nobody();
    let words = |line: &str| line.split(' ').map(str::to_owned).collect();
    [
        "host set kms1",
        "host clear",
        &format!("activate --host {host}"),
        "organisation clear",
        "identity reset --yes",
        &format!("release --host {host}"),
        "host set kms2",
    ]
    .map(words)
    .into()
}

/// Root looked at a machine before the product's first start, and the product could not read its identity. Only tests that run as
/// root can see this.
#[test]
fn what_root_makes_belongs_to_the_owner_of_the_state() {
    for first in 0..writers().len() {
        let machine = Machine::new();
        if chown(machine.home.path(), Some(USER), Some(USER)).is_err() {
            println!("NOT RUN: only root can give a directory away");
            return;
        }
        fs::set_permissions(machine.home.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let writer: Vec<_> = writers().swap_remove(first);
        machine.run(&writer.iter().map(String::as_str).collect::<Vec<_>>());
        let Ok(folder) = fs::read_dir(machine.file("")) else {
            assert!(
                ["host clear", "organisation clear"].contains(&writer[..2].join(" ").as_str()),
                "{writer:?}"
            );
            continue;
        };
        assert_eq!(fs::metadata(machine.file("")).unwrap().uid(), USER, "{writer:?}");
        for entry in folder {
            let entry = entry.unwrap();
            assert_eq!(entry.metadata().unwrap().uid(), USER, "{writer:?}: {:?}", entry.file_name());
        }
    }
}

#[test]
fn under_any_umask_the_key_is_its_owners_alone_and_the_license_is_everybodys() {
    for umask in ["000", "022", "077"] {
        let machine = Machine::new();
        let mode =
            |name: &str| fs::metadata(machine.file(name)).map(|file| file.permissions().mode() & 0o777);
        for writer in writers() {
            let mut shell = Command::new("sh");
            let program = command(&machine.home).get_program().to_owned();
            shell.args(["-c", &format!("umask {umask}; exec \"$@\""), "sh"]).arg(program);
            shell.args(["--product", PRODUCT]).args(&writer).env("KMS_STATE", machine.home.path());
            shell.env_remove("KMS_HOSTS").output().unwrap();
            for (name, wanted) in
                [("", 0o755), ("identity", 0o600), ("saved", 0o644), ("lock", 0o600), ("hosts", 0o644)]
            {
                if let Ok(mode) = mode(name) {
                    assert_eq!(mode, wanted, "umask {umask}, {writer:?}: {name}");
                }
            }
        }
        assert!(mode("identity").is_ok() && mode("hosts").is_ok());
    }
}
