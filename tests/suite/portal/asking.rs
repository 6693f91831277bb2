//! What staff types: which portal a command asks, what it says when that refuses, and the exit code that a script sees.

use std::fs;

use kms_host::home::HOUR_MS;

use super::staff::{OVER_THE_NETWORK, asks, token};
use super::stage::{PortalStage, text};

const CODE: &str = "0645GF-J6HB7Y-H6KGDH-QSMAQH-SW59D7-4ECR02";

/// Commands that ask a portal, in their shortest forms: at least one for each verb that needs no file.
const ASKING: &[&[&str]] = &[
    &["status"],
    &["reload"],
    &["product", "list"],
    &["product", "show", "Atlas"],
    &["organisation", "list"],
    &["key", "list"],
    &["key", "show", "3F8K-9QWX"],
    &["key", "export"],
    &["key", "terms", "3F8K-9QWX"],
    &["token", "list"],
    &["token", "issue", "--name", "new", "--role", "reader"],
    &["confirm", CODE],
    &["revoke", "3F8K-9QWX", "--reason", "stolen"],
    &["revocations", "list"],
    &["audit"],
    &["audit", "verify"],
];

/// Every other verb: it works in a directory, or needs no portal at all.
const NOT_ASKING: &[&[&str]] = &[
    &["init"],
    &["install-issuer", "issuing.pem"],
    &["install-code-key", "code.pem"],
    &["serve"],
    &["config", "sample"],
    &["config", "check"],
    &["doctor"],
    &["backup", "folder"],
    &["restore", "folder"],
    &["explain"],
    &["completions", "bash"],
    &["manual", "folder"],
];

/// `KMS_PORTAL_URL` went before `--data`: whoever had set it for the real portal changed that when they meant their own for tests. And
/// `doctor`, `backup` and `serve` took --portal and did something else than was asked.
#[tokio::test]
async fn options_override_the_environment_and_no_option_is_ignored() {
    let portal = PortalStage::open("").await;
    let file = portal.stage.folder.path().join("token");
    fs::write(&file, format!("kmsp_{}", "ab".repeat(32))).unwrap();
    let file = text(&file);
    let authority = portal.data.join("portal-ca.pem");
    let environment = [
        ("KMS_PORTAL_URL", "https://localhost:1"),
        ("KMS_PORTAL_TOKEN_FILE", file),
        ("KMS_PORTAL_CA", text(&authority)),
    ];
    let check = async |environment: &[(&str, &str)], arguments: &[&str], code: i32, told: &str| {
        let done = portal.run_elsewhere(environment, arguments).await;
        assert!(
            done.code == code && done.stderr.contains(told),
            "{arguments:?}: {} {}",
            done.code,
            done.stderr
        );
    };
    for verb in ASKING {
        let with = |more: &[&'static str]| [verb, more].concat();
        check(&environment, verb, 69, "portal at localhost:1").await;
        check(&environment, &with(&["--portal", "https://localhost:2"]), 69, "portal at localhost:2").await;
        check(
            &environment,
            &with(&["--data", "/nonexistent/typed"]),
            69,
            "no portal serves /nonexistent/typed",
        )
        .await;
    }
    let status = |more: &[&'static str]| [&["status"], more].concat();
    check(&environment, &status(&["--data", "x", "--portal", "localhost"]), 64, "leave one of them out")
        .await;
    check(&environment, &status(&["--data", "x", "--ca", "x"]), 64, "leave one of them out").await;
    check(&[], &status(&["--token-file", "x"]), 64, "name that with --portal").await;
    check(&[], &status(&["--ca", "x"]), 64, "name that with --portal").await;
    check(&environment, &status(&["--token-file", "/nonexistent/typed"]), 66, "/nonexistent/typed").await;
    check(&environment, &status(&["--token-file", "/nonexistent/typed"]), 66, "token issue --out").await;
    // The port of staff in every example, and not that of URLs.
    let by_name = [("KMS_PORTAL_TOKEN_FILE", file)];
    check(&by_name, &status(&["--portal", "https://name.invalid"]), 69, "name.invalid:21691").await;

    for verb in NOT_ASKING {
        for flag in ["--portal", "--token-file", "--ca"] {
            let arguments = [verb, &[flag, "localhost"][..]].concat();
            check(&environment, &arguments, 64, &format!("unexpected argument '{flag}'")).await;
        }
    }
    let data = ["--data", text(&portal.data)];
    check(&environment, &[&["doctor"], &data[..]].concat(), 0, "").await;
    check(&environment, &[&["status"], &data[..]].concat(), 0, "").await;
}

/// Staff was told to ask the seller, to give the machine a CA by KMS_TLS_CA, and to tell the caller that a token is unknown.
#[tokio::test]
async fn errors_for_staff_name_what_staff_can_do_and_each_has_its_exit_code() {
    let portal = PortalStage::open(OVER_THE_NETWORK).await;
    let told = |done: crate::commands::Done, code: i32, told: &str| {
        assert!(done.code == code && done.stderr.contains(told), "{told}: {} {}", done.code, done.stderr);
        assert!(!done.stderr.contains("seller"), "{}", done.stderr);
    };
    let mak = portal.key(&["--kind", "mak", "--machines", "3"]).await.number().to_string();
    told(portal.run(&["key", "terms", &mak]).await, 65, "without terms: run `kms-portal confirm");
    told(portal.run(&["key", "terms", "0000-0000"]).await, 65, "`kms-portal key list");

    // A second host by a key for one.
    let key = portal.key(&["--kind", "host", "--hosts", "1"]).await;
    let request = portal.stage.folder.path().join("request.pem");
    for (host, code, wanted) in [("one", 0, ""), ("two", 65, "kms-portal key raise NUMBER --hosts N")] {
        let home = portal.stage.shop.make_bare_host(host, HOUR_MS).unwrap();
        let made = ["activate", &key.to_string(), "--request", text(&request)];
        assert_eq!(crate::commands::run_at(&home, &made).await.code, 0);
        told(portal.run(&["answer", text(&request)]).await, code, wanted);
        fs::remove_file(&request).unwrap();
    }

    let reader = token(&portal, "reader", "reader").await;
    let unknown = portal.stage.folder.path().join("unknown");
    fs::write(&unknown, format!("kmsp_{}", "ab".repeat(32))).unwrap();
    for (file, reason) in [(&reader, "NOT_PERMITTED"), (&unknown, "TOKEN_UNKNOWN")] {
        let done = asks(&portal, file, &["confirm", CODE]).await;
        assert!(!done.stderr.contains("Tell the caller"), "{}", done.stderr);
        told(done, 77, reason);
    }

    // One of each other exit code.
    let there = portal.stage.folder.path().join("there");
    fs::write(&there, "").unwrap();
    told(portal.run(&["key", "list", "--limit"]).await, 64, "--limit");
    told(portal.run(&["answer", "/nonexistent"]).await, 66, "/nonexistent");
    told(portal.run_at("/nonexistent", &["status"]).await, 69, "no portal serves /nonexistent");
    let issue = ["token", "issue", "--name", "new", "--role", "reader", "--out"];
    told(portal.run(&[&issue[..], &[text(&there)]].concat()).await, 73, "exists");
    assert!(!portal.does(&["token", "list"]).await.contains("new"), "nobody would have it");
    told(portal.run_at("/nonexistent", &["serve"]).await, 78, "kms-portal init");
    told(portal.run_at("/nonexistent", &["doctor"]).await, 1, "keeps the portal from serving");
}

/// A remedy that was pasted asked the portal of the package's directory, and not that of the command before.
#[tokio::test]
async fn every_command_that_is_printed_names_the_portal_that_was_named_and_works_when_it_is_pasted() {
    let portal = PortalStage::open(OVER_THE_NETWORK).await;
    let key = portal.key(&["--kind", "mak", "--machines", "3"]).await.number().to_string();
    let command =
        |said: &str| said.split('`').find(|part| part.starts_with("kms-portal ")).unwrap().to_owned();
    let paste = async |command: &str| {
        let words: Vec<_> = command.split(' ').skip(1).collect();
        let done = portal.run_elsewhere(&[], &words).await;
        assert_eq!(done.code, 0, "{command}: {}", done.stderr);
        done.stdout
    };
    let revoked = portal.does(&["revoke", &key, "--reason", "refunded"]).await;
    let withdraw = command(&revoked);
    assert_eq!(withdraw, format!("kms-portal revocations withdraw {key} --data {}", text(&portal.data)));
    let unblock = command(&paste(&withdraw).await);
    assert!(paste(&unblock).await.contains("not blocked any more"), "{unblock}");

    let reader = token(&portal, "reader", "reader").await;
    let unknown = asks(&portal, &reader, &["key", "show", "0000-0000"]).await;
    assert!(paste(&command(&unknown.stderr)).await.contains(&key), "{}", unknown.stderr);
}
