//! Several portals on one PostgreSQL, made as docs/vendor.md says in "A second portal on one PostgreSQL".

use std::fs;
use std::time::Duration;

use kms_portal::config::PortalSettingSources;
use kms_portal::doctor::{PortalHealth, examine};
use kms_portal::home::PortalHome;
use world::Postgres;

use super::refused;
use super::stage::{Asking, PortalStage, text};
use crate::space::not_run;
use crate::stage::now;

/// The pepper, the issuing key and the code key are in no database, and a portal with others would find no key and confirm nobody.
#[tokio::test]
async fn a_second_portal_is_made_from_a_backup_of_the_first_and_serves_the_same_keys() {
    if let Some(missing) = Postgres::missing() {
        return not_run(&format!("two portals on one PostgreSQL: {missing}"));
    }
    let server = Postgres::start(&[]).unwrap();
    let database = format!("database = \"{}\"\n", server.database().unwrap());
    let mut portal = PortalStage::open(&database).await;
    portal.certify_codes(&[]).await;
    let key = portal.key(&["--kind", "mak", "--machines", "3"]).await;
    let machine = Asking::new(portal.product());
    let ask = machine.for_confirmation(&key);
    let answer = portal.confirm(ask.clone()).await.unwrap();

    let backup = portal.stage.folder.path().join("backup");
    let told = portal.does(&["backup", text(&backup)]).await;
    assert!(told.contains("pg_dump"), "{told}");
    let mut first = portal.another("second");
    portal.does(&["restore", text(&backup)]).await;
    portal.does(&["init", "--name", "localhost", "--name", "portal-2.example.com"]).await;
    portal.start().await;
    let doctor = portal.run(&["doctor"]).await;
    assert_eq!(doctor.code, 0, "{} {}", doctor.stdout, doctor.stderr);
    assert!(doctor.stdout.contains("ok    clock"), "{}", doctor.stdout);

    // What one has sold, answered and blocked, the other knows.
    assert_eq!(
        portal.confirm(ask).await.unwrap(),
        answer,
        "the same ask gets the same bytes from the other portal"
    );
    let sold_here = portal.key(&["--kind", "mak", "--machines", "1"]).await;
    portal.swap(&mut first);
    portal.confirm(Asking::new(portal.product()).for_confirmation(&sold_here)).await.unwrap();
    portal.does(&["key", "block", &key.number().to_string()]).await;
    portal.swap(&mut first);
    let blocked = refused(portal.confirm(Asking::new(portal.product()).for_confirmation(&key)).await);
    assert!(blocked.starts_with("KEY_BLOCKED"), "{blocked}");
    let status = portal.json(&["status"]).await;
    assert!(status["code_key_not_after_ms"].is_number(), "{status}");

    // The files are each portal's own: what is installed at one is carried to the other.
    let renewed = portal.sign_issuer(|_| {});
    for _ in 0..2 {
        portal.does(&["install-issuer", text(&renewed)]).await;
        portal.confirm_one().await;
        portal.swap(&mut first);
    }
    portal.kill().await;
    portal.swap(&mut first);
    portal.confirm_one().await;

    // What is signed has the time of whoever signs it.
    let (home, sources) = (PortalHome::at(&portal.data), PortalSettingSources::new(None, &portal.data));
    for (ahead, health) in [(0, PortalHealth::Ok), (60, PortalHealth::Warn)] {
        let found = examine(&home, &sources, now() + Duration::from_secs(ahead)).await;
        let clock = found.iter().find(|found| found.what == "clock").unwrap();
        assert_eq!(clock.health, health, "{}", clock.text);
    }
    fs::write(portal.data.join("kms-portal.toml"), "").unwrap();
    assert!(examine(&home, &sources, now()).await.iter().all(|found| found.what != "clock"));
}
