//! `explain` and help, both without a product.

use kms_client::Reason;
use serde_json::Value;

use crate::{bare, failure};

#[test]
fn every_reason_is_listed_and_explained() {
    let home = tempfile::tempdir().unwrap();
    let list = bare(&home, &["explain", "--json"]);
    let list: Value = serde_json::from_slice(&list.stdout).unwrap();
    let codes: Vec<_> =
        list["reasons"].as_array().unwrap().iter().map(|reason| reason["code"].as_str().unwrap()).collect();
    assert_eq!(codes, Reason::ALL.iter().map(|reason| reason.code()).collect::<Vec<_>>());

    let table = String::from_utf8(bare(&home, &["explain"]).stdout).unwrap();
    for reason in Reason::ALL {
        assert!(
            table.contains(&format!("\n{}  ", reason.code())) || table.starts_with(reason.code()),
            "{table}"
        );
        let explained = bare(&home, &["explain", reason.code()]);
        assert_eq!(explained.status.code(), Some(0));
        let explained = String::from_utf8(explained.stdout).unwrap();
        assert!(explained.contains(reason.remedy()) && !explained.contains('{'), "{explained}");
        assert!(explained.contains(&reason.fault().to_string()), "{explained}");
    }
}

#[test]
fn a_code_that_is_misspelt_is_answered_with_the_right_one() {
    let home = tempfile::tempdir().unwrap();
    let (code, line) = failure(bare(&home, &["explain", "HOST_UNREACHABEL"]));
    assert_eq!((code, line.lines().count()), (64, 1));
    assert!(line.contains("near it: HOST_UNREACHABLE"), "{line}");
}

#[test]
fn help_shows_examples_for_every_command() {
    let home = tempfile::tempdir().unwrap();
    for command in [
        "status",
        "activate",
        "discover",
        "host set",
        "host clear",
        "host show",
        "organisation show",
        "organisation clear",
        "release",
        "identity reset",
        "run",
        "explain",
    ] {
        let arguments: Vec<_> = command.split(' ').chain(["--help"]).collect();
        let help = bare(&home, &arguments);
        assert_eq!(help.status.code(), Some(0), "{command}");
        let help = String::from_utf8(help.stdout).unwrap();
        assert!(help.contains(&format!("Examples:\n  kms-client {command}")), "{help}");
    }
}
