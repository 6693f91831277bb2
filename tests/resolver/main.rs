//! What `getent ahosts` finds on a machine, the client finds: its settings, one after the other, in a network of their own.
//!
//! The name servers are BIND's `named`, spoilt by its own test switches, and in front of one a relay that drops what some
//! firewalls drop. The test starts itself anew within namespaces of network and mounts, with a copy of /etc, so that nothing of it
//! outlives the process. That takes root, `unshare`, `ip` and `named`; without them it says NOT RUN, and fails where `CI` is set.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "all of this is a test; clippy sees only the functions marked so")]

mod battery;
mod network;

use std::io::Write as _;
use std::process::Command;

/// Set in the process that stands within the namespaces.
const WITHIN: &str = "KMS_TEST_WITHIN";

#[test]
fn what_getent_finds_the_client_finds() {
    if std::env::var_os(WITHIN).is_some() {
        return tokio::runtime::Runtime::new().unwrap().block_on(battery::run());
    }
    if let Some(missing) = missing() {
        let told = format!("NOT RUN: the client against getent: {missing}\n");
        // Past the test harness, which would swallow it.
        std::io::stderr().write_all(told.as_bytes()).unwrap();
        assert!(std::env::var_os("CI").is_none_or(|ci| ci.is_empty()), "{told}");
        return;
    }
    let status = Command::new("unshare")
        .args(["--net", "--mount"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "what_getent_finds_the_client_finds", "--nocapture"])
        .env(WITHIN, "1")
        .env_remove("KMS_HOSTS")
        .status()
        .unwrap();
    assert!(status.success(), "what it says stands above");
}

/// What this machine lacks.
fn missing() -> Option<String> {
    let finds = |program: &str| {
        let paths = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&paths).any(|folder| folder.join(program).exists())
    };
    if let Some(program) =
        ["unshare", "ip", "mount", "getent", "named"].iter().find(|program| !finds(program))
    {
        return Some(format!("{program} is not installed"));
    }
    let tried = Command::new("unshare").args(["--net", "--mount", "true"]).output().unwrap();
    (!tried.status.success()).then(|| String::from_utf8_lossy(&tried.stderr).trim().to_owned())
}
