//! What staff sells: numbers of products and keys that make sense, and lists that are whole.

use std::path::Path;

use kms_portal::db::{By, Db, Organisation};
use shared::ids::OrganisationId;
use shared::time::Timestamp;

use super::stage::{PortalStage, text};

/// `--threshold 5` was forgotten as soon as `--validity` was set for the same organisation, and nothing showed either.
#[tokio::test]
async fn numbers_of_an_organisation_stay_until_they_are_given_anew_or_taken_back() {
    let portal = PortalStage::open("").await;
    portal.does(&["organisation", "add", "Small Site"]).await;
    let set = async |arguments: &[&str]| {
        portal.run(&[&["product", "set", "Atlas", "--organisation", "Small Site"], arguments].concat()).await
    };
    assert_eq!(set(&["--threshold", "2"]).await.code, 0);
    assert_eq!(set(&["--validity", "90d"]).await.code, 0);
    let shown = portal.json(&["product", "show", "Atlas"]).await;
    assert_eq!(shown["numbers"]["threshold"], 5);
    let own = &shown["organisations"][0];
    assert_eq!((&own["name"], &own["numbers"]["threshold"]), (&"Small Site".into(), &2.into()));
    assert_eq!(own["numbers"]["validity_ms"], 90 * 86_400_000_i64);
    let table = portal.does(&["product", "show", "Atlas"]).await;
    assert!(
        table.lines().any(|line| line.trim_start().starts_with("Small Site") && line.contains("90 d")),
        "{table}"
    );

    let both = set(&["--usual", "--threshold", "7"]).await;
    assert!(both.code == 64 && both.stderr.contains("--usual"), "{}", both.stderr);
    assert_eq!(set(&["--usual"]).await.code, 0);
    assert_eq!(
        portal.json(&["product", "show", "Atlas"]).await["organisations"].as_array().unwrap().len(),
        0
    );

    // A number that has a bound in another one: both have a flag.
    let done = portal.run(&["product", "set", "Atlas", "--renew-interval", "12h"]).await;
    assert!(done.code == 64 && done.stderr.contains("renew_retry_max"), "{}", done.stderr);
    portal.does(&["product", "set", "Atlas", "--renew-interval", "12h", "--renew-retry-max", "12h"]).await;
}

/// A key for 0 machines was sold, and one for machines was raised by hosts.
#[tokio::test]
async fn numbers_and_names_without_a_sense_are_refused_and_leave_nothing() {
    let portal = PortalStage::open("").await;
    let mak = portal.key(&["--kind", "mak", "--machines", "3"]).await.number().to_string();
    let host = portal.key(&["--kind", "host"]).await.number().to_string();
    let refused = async |arguments: &[&str], told: &str| {
        let done = portal.run(arguments).await;
        assert!([64, 65].contains(&done.code) && done.stderr.contains(told), "{arguments:?} {}", done.stderr);
    };
    let issue = ["key", "issue", "--product", "Atlas", "--organisation", "New Works", "--kind"];
    let issue = |arguments: &[&'static str]| [&issue[..], arguments].concat();
    refused(&issue(&["mak", "--machines", "0"]), "activates nothing").await;
    refused(&issue(&["mak", "--machines", "99999999999"]), "between 0 and").await;
    refused(&issue(&["host", "--hosts", "0"]), "activates nothing").await;
    refused(&issue(&["host", "--activations", "0"]), "activates nothing").await;
    refused(&issue(&["host", "--ends", "1970-01-01"]), "--ends").await;
    refused(&issue(&["host", "--ends", "2020-01-01"]), "ended already").await;
    refused(&["key", "raise", &mak, "--hosts", "5"], "grants no hosts").await;
    refused(&["key", "raise", &host, "--machines", "5"], "grants no machines").await;
    refused(&["key", "raise", &mak, "--machines", "0"], "changes nothing").await;
    // A key that was lowered to nothing was shown as one for hosts.
    let told = portal.does(&["key", "raise", &mak, "--machines", "-3"]).await;
    assert!(told.contains("grants 0 machines, 5 releases a year"), "{told}");
    refused(&["organisation", "add", "example works"], "--new-organisation").await;
    refused(&["organisation", "add", "skroW \u{202e}Works"], "turn text around").await;
    portal.does(&["organisation", "add", "example works", "--new-organisation"]).await;
    let known = portal.does(&["organisation", "list"]).await;
    assert!(!known.contains("New Works") && known.contains("example works"), "{known}");
}

/// `key show` ended after 1,000 machines and did not say so; `organisation list` failed once the answer was too large.
#[tokio::test]
async fn lists_are_whole_however_long_they_are() {
    const MANY: u64 = 1_008;
    let portal = PortalStage::open("").await;
    let db = Db::open_sqlite(&portal.data.join("portal.db")).await.unwrap();
    let added = (0..MANY).map(|number| {
        let db = db.clone();
        tokio::spawn(async move {
            let id = OrganisationId::from_bytes((u128::from(number) + 1).to_be_bytes());
            let name = format!("{number:04} {}", "Works ".repeat(60).trim_end());
            let by = By { who: "a test".to_owned(), at: Timestamp::from_unix_ms(1), why: String::new() };
            db.set_organisation(Organisation { id, name }, by).await.unwrap().unwrap();
        })
    });
    for added in added.collect::<Vec<_>>() {
        added.await.unwrap();
    }
    db.close().await;
    let listed = portal.json(&["organisation", "list"]).await;
    assert_eq!(listed.as_array().unwrap().len() as u64, MANY);

    let key = portal.key(&["--kind", "mak", "--machines", "1008"]).await;
    portal.confirm_many(&key, MANY).await;
    let shown = portal.json(&["key", "show", &key.number().to_string()]).await;
    assert_eq!(shown["machines"].as_array().unwrap().len() as u64, MANY);
}

/// Its answer was made and counted before it turned out that there is a file.
#[tokio::test]
async fn an_answer_replaces_a_file_only_by_force() {
    let portal = PortalStage::open("").await;
    let key = portal.key(&["--kind", "host"]).await;
    let home = portal.stage.shop.make_bare_host("host", kms_host::home::HOUR_MS).unwrap();
    let at = |name: &str| portal.stage.folder.path().join(name);
    let (request, answer) = (at("request.pem"), at("answer.pem"));
    let key = key.to_string();
    crate::commands::run_at(&home, &["activate", &key, "--request", text(&request)]).await;
    std::fs::write(&answer, "mine").unwrap();
    let arguments = ["answer", text(&request), "--out", text(&answer)];
    let refused = portal.run(&arguments).await;
    assert!(refused.code == 73 && refused.stderr.contains("--force"), "{}", refused.stderr);
    assert_eq!(std::fs::read_to_string::<&Path>(&answer).unwrap(), "mine");
    let told = portal.does(&[&arguments[..], &["--force"]].concat()).await;
    assert!(told.starts_with("Host 1 of 6, activation 1 of 10."), "{told}");
}

/// A token was issued and lost, and terms were made, before it turned out that their file was there: "File exists (os error 17)".
#[tokio::test]
async fn a_file_that_cannot_be_written_is_refused_before_anything_is_done() {
    let portal = PortalStage::open("").await;
    let folder = portal.stage.folder.path();
    let [there, missing] = ["there.pem", "missing/file.pem"].map(|name| folder.join(name));
    std::fs::write(&there, "precious").unwrap();
    let key = portal.key(&["--kind", "host"]).await.number().to_string();
    let sold = portal.key(&["--kind", "mak", "--machines", "1"]).await.number().to_string();
    portal.does(&["revoke", &sold, "--reason", "a trial"]).await;
    let changes = portal.json(&["audit"]).await.as_array().unwrap().len();
    for out in [&there, &missing] {
        for verb in [
            &["token", "issue", "--name", "CI", "--role", "reader", "--out", text(out)][..],
            &["key", "terms", &key, "--out", text(out)],
            &[
                "key",
                "issue",
                "--product",
                "Atlas",
                "--kind",
                "host",
                "--organisation",
                "New",
                "--terms-out",
                text(out),
            ],
            &["revocations", "export", text(out)],
        ] {
            let done = portal.run(verb).await;
            assert_eq!(done.code, 73, "{verb:?}: {}", done.stderr);
            let said = &done.stderr;
            assert!(said.contains(text(out)) && said.contains("; name another file"), "{said}");
            // It was advised where the command has no such option.
            let may_force = !verb.contains(&"issue");
            assert!(out == &missing || said.contains("--force") == may_force, "{verb:?}: {said}");
        }
    }
    assert_eq!(std::fs::read(&there).unwrap(), b"precious");
    assert_eq!(portal.json(&["audit"]).await.as_array().unwrap().len(), changes, "nothing was done");
    portal.does(&["revocations", "export", text(&there), "--force"]).await;
}
