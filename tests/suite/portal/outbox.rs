//! What leaves the portal, as its staff sees it: mails that wait, and services that are told.

use std::time::Duration;

use kms_portal::db::{Db, Outgoing};
use kms_portal_texts::Language;
use shared::time::Clock as _;
use wire::SystemClock;

use super::stage::PortalStage;

/// Nobody listens at port 1.
const SETTINGS: &str = "smtp_url = \"smtp://127.0.0.1:1\"\nmail_from = \"Licenses <licenses@example.com>\"\n";

#[tokio::test]
async fn a_mail_that_cannot_be_sent_is_shown_with_its_fault_and_tried_again() {
    let mut portal = PortalStage::open(SETTINGS).await;
    portal.stop().await;
    let db = Db::open_sqlite(&portal.data.join("portal.db")).await.unwrap();
    let (subject, body) = ("Reset your password".to_owned(), "https://licenses.example.com/reset".to_owned());
    let mail = Outgoing::Mail { to: "ann@example.com".into(), language: Language::English, subject, body };
    db.post(mail, SystemClock::new().now()).await.unwrap();
    db.close().await;
    portal.start().await;

    let listed = loop {
        let listed = portal.json(&["outbox", "list"]).await;
        if listed[0]["fault"] != "" {
            break listed;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(listed[0]["to"] == "ann@example.com" && listed[0]["text"] == "", "{listed}");
    let shown = portal.does(&["outbox", "show", "1"]).await;
    assert!(
        shown.contains("Reset your password") && shown.contains("https://licenses.example.com/reset"),
        "{shown}"
    );
    assert_eq!(portal.does(&["outbox", "retry", "1"]).await, "1 messages are tried again at once.\n");
    assert_eq!(portal.does(&["outbox", "retry"]).await, "0 messages are tried again at once.\n");
    let none = portal.does(&["outbox", "list", "--given-up"]).await;
    assert!(!none.contains("ann@example.com"), "{none}");
    for verb in ["show", "retry"] {
        let unknown = portal.run(&["outbox", verb, "7"]).await;
        assert!(
            unknown.code != 0 && unknown.stderr.contains("`kms-portal outbox list"),
            "{}",
            unknown.stderr
        );
    }
}

#[tokio::test]
async fn a_service_is_told_with_a_new_secret_each_time_it_is_set() {
    let portal = PortalStage::open("").await;
    let set = ["webhook", "set", "mail", "--url", "https://mail.example.com/hook", "--note", "ticket 7"];
    let secret = portal.json(&set).await["secret"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("whsec_"));
    assert_ne!(portal.json(&set).await["secret"], secret.as_str());
    let listed = portal.does(&["webhook", "list"]).await;
    assert!(listed.contains("https://mail.example.com/hook") && !listed.contains("whsec_"), "{listed}");
    for url in ["http://mail.example.com/hook", "mail.example.com"] {
        let refused = portal.run(&["webhook", "set", "mail", "--url", url]).await;
        assert!(refused.code != 0 && refused.stderr.contains("https://"), "{}", refused.stderr);
    }
    portal.does(&["webhook", "remove", "mail"]).await;
    let gone = portal.run(&["webhook", "remove", "mail"]).await;
    assert!(gone.stderr.contains("`kms-portal webhook list"), "{}", gone.stderr);
    let changes = portal.does(&["audit"]).await;
    assert!(changes.contains("set webhook") && changes.contains("remove webhook"), "{changes}");
}
