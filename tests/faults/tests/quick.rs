//! Both drivers run, and each notices a store that acknowledges too early: a driver that cannot fail proves nothing.
//!
//! These are few faults. The README has the commands for many.

#![expect(clippy::unwrap_used, reason = "all of this is a test; clippy sees only the functions marked so")]

use std::io::Write as _;
use std::process::{Command, Output};

fn faults(words: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kms-faults")).args(words.split(' ')).output().unwrap()
}

/// The last line of a run, or `None` where it cannot be made, which is then told past the test harness. PostgreSQL has to be there where
/// `CI` is set.
fn figures(words: &str) -> Option<(i32, String)> {
    let output = faults(words);
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    if let Some((_, missing)) = stderr.split_once("power cuts cannot run here: ") {
        let line = format!("NOT RUN: power cuts: {}\n", missing.trim_end());
        std::io::stderr().write_all(line.as_bytes()).unwrap();
        return None;
    }
    if let Some((_, missing)) = stderr.split_once("kills of PostgreSQL cannot run here: ") {
        let line = format!("NOT RUN: kills of PostgreSQL: {}\n", missing.trim_end());
        std::io::stderr().write_all(line.as_bytes()).unwrap();
        assert!(std::env::var_os("CI").is_none_or(|ci| ci.is_empty()), "{line}");
        return None;
    }
    println!("{stdout}{stderr}");
    Some((output.status.code().unwrap(), stdout.lines().last().unwrap_or_default().to_owned()))
}

fn is_clean(line: &str) -> bool {
    line.contains(" 0 lost, 0 halved, 0 that would not open ")
}

const STORES: [&str; 2] = ["sled", "fjall"];

#[test]
fn after_power_cuts_a_store_has_all_that_it_acknowledged() {
    for store in STORES {
        let Some((code, line)) = figures(&format!("power-cut --store {store} --cycles 5")) else { return };
        let begins = format!("power-cut {store}: 5 cuts, ");
        assert!(code == 0 && line.starts_with(&begins) && is_clean(&line), "{code}: {line}");
    }
}

/// After a failed write Linux takes the pages that it could not write for written, and shows them to the next process too. A
/// store that is opened on them acknowledges what comes next to them, and a power cut takes both away: 14 of 15 such starts
/// of fjall lost machines.
#[test]
fn a_store_that_starts_after_a_failed_write_has_all_that_it_acknowledged() {
    for store in STORES {
        let run = format!("power-cut --store {store} --cycles 2 --failed-writes");
        let Some((code, line)) = figures(&run) else { return };
        assert!(code == 0 && is_clean(&line), "{code}: {line}");
    }
}

#[test]
fn power_cuts_show_a_store_that_does_not_sync() {
    for store in STORES {
        let run = format!("power-cut --store {store} --cycles 5 --no-sync");
        let Some((code, line)) = figures(&run) else { return };
        let begins = format!("power-cut {store}: 5 cuts, ");
        assert!(code == 1 && line.starts_with(&begins) && !is_clean(&line), "{code}: {line}");
    }
}

#[test]
fn after_kills_a_store_has_all_that_it_acknowledged() {
    for store in STORES {
        let (code, line) = figures(&format!("kill --store {store} --cycles 3")).unwrap();
        let begins = format!("kill {store}: 3 kills, ");
        assert!(code == 0 && line.starts_with(&begins) && is_clean(&line), "{code}: {line}");
    }
}

/// An engine keeps what it was not told to sync in its own memory, and now and then hands it on all the same: of two kills,
/// about one finds nothing missing.
#[test]
fn kills_show_a_store_that_does_not_sync() {
    for store in STORES {
        let (code, line) = figures(&format!("kill --store {store} --cycles 12 --no-sync")).unwrap();
        let begins = format!("kill {store}: 12 kills, ");
        assert!(code == 1 && line.starts_with(&begins) && !is_clean(&line), "{code}: {line}");
    }
}

/// A portal's database: each batch is a dozen activations, releases and renewals at once.
#[test]
fn after_kills_and_power_cuts_a_portal_has_all_that_it_acknowledged() {
    for (run, begins) in [
        ("kill --store sqlite --cycles 3", "kill sqlite: 3 kills, "),
        ("kill --store postgres --cycles 3", "kill postgres: 3 kills, "),
        ("power-cut --store sqlite --cycles 4", "power-cut sqlite: 4 cuts, "),
    ] {
        let Some((code, line)) = figures(run) else { continue };
        assert!(code == 0 && line.starts_with(begins) && is_clean(&line), "{code}: {line}");
    }
}

/// SQLite trusted what the kernel showed it after a write had failed. Of 10 portals that were started again on that, 5 lost what they
/// acknowledged next, and the databases of 2 were damaged.
#[test]
fn a_portal_that_starts_after_a_failed_write_has_all_that_it_acknowledged() {
    let Some((code, line)) = figures("power-cut --store sqlite --cycles 3 --failed-writes") else { return };
    assert!(code == 0 && is_clean(&line), "{code}: {line}");
}

#[test]
fn kills_and_power_cuts_show_a_portal_that_acknowledges_too_early() {
    for run in ["kill --store sqlite --cycles 6 --no-sync", "power-cut --store sqlite --cycles 6 --no-sync"] {
        let Some((code, line)) = figures(run) else { continue };
        assert!(code == 1 && !is_clean(&line), "{code}: {line}");
    }
}

/// Its figures depend on the machine; that everybody was answered does not.
#[test]
fn an_attack_is_measured_beside_a_host_that_has_none() {
    let output = faults("attack pings --seconds 2 --rest 0");
    let stdout = String::from_utf8_lossy(&output.stdout);
    println!("{stdout}{}", String::from_utf8_lossy(&output.stderr));
    for name in ["none", "pings"] {
        let row = stdout.lines().find(|line| line.starts_with(name)).expect("it has a row");
        let words: Vec<&str> = row.split_whitespace().collect();
        assert!(100 <= words[1].parse::<u32>().unwrap() && words[1] == words[2], "{row}");
    }
}

#[test]
fn a_run_without_a_fault_is_refused() {
    assert_eq!(faults("kill --cycles 0").status.code(), Some(2));
}
