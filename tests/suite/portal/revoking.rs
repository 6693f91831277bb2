//! What is revoked at a real portal: hosts fetch the list and say so, machines keep their licenses and show a notice.

use kms_client::{LicenseState, Notice, Outcome, Reason};
use kms_host::home::{HOUR_MS, Home};
use kms_vendor::{RevokeRequest, Signer};
use shared::certificate::{IssuingCertificate, Roots};
use shared::codes::CodeCertificate;
use shared::ids::CertificateId;
use shared::product_key::ProductKey;
use world::HostProcess;
use world::asker::{Asker, wire};

use super::stage::{Asking, PortalStage, text};
use crate::commands::run_at;
use crate::stage::{now, outcomes, serve, until};

impl PortalStage {
    /// A host that was activated by this key, and visits the portal by itself.
    async fn host(&self, name: &str, key: &ProductKey) -> Home {
        let home = self.stage.shop.make_bare_host(name, HOUR_MS).unwrap();
        let authority = self.data.join("portal-ca.pem");
        let settings = format!("portal = \"{}\"\nportal_ca = {:?}\n", self.address(), text(&authority));
        std::fs::write(home.path().join("kms-host.toml"), settings).unwrap();
        let done = self.activate(&home, key).await;
        assert_eq!(done.code, 0, "{}", done.stderr);
        home
    }
}

/// A reload fetches the lists at once, and not only the next day.
async fn reload(home: &Home) {
    let reloaded = run_at(home, &["reload"]).await;
    assert_eq!(reloaded.code, 0, "{}", reloaded.stderr);
}

async fn until_alarmed(host: &HostProcess) {
    until("the host has fetched the list", async || {
        host.status().await.unwrap().alarms.iter().any(|alarm| alarm.code == "CERTIFICATE_REVOKED")
    })
    .await;
}

#[tokio::test]
async fn a_revoked_host_fetches_that_by_itself_and_its_machines_keep_their_leases_with_a_notice() {
    let portal = PortalStage::open("").await;
    let key = portal.key(&["--kind", "host"]).await;
    let home = portal.host("host", &key).await;
    let host = serve(&home).await;
    let mut wire = wire(host.address()).unwrap();
    for _ in 0..4 {
        Asker::new(&portal.stage.shop).unwrap().ask(&mut wire, now()).await.unwrap();
    }
    let machine = portal.stage.machine("the fifth", &[host.address()]);
    assert_eq!(outcomes(&machine.activate().await.unwrap()), ["LEASE"]);

    let id = home.signing_key().unwrap().public().host().to_string();
    let told = portal.does(&["revoke", &id, "--reason", "the host was stolen"]).await;
    assert!(told.contains("is revoked") && told.contains("within a day"), "{told}");
    reload(&home).await;
    until_alarmed(&host).await;
    let status = run_at(&home, &["status"]).await.stdout;
    assert!(status.contains("(the host was stolen)"), "{status}");
    let log = std::fs::read_to_string(home.path().with_extension("log")).unwrap();
    assert!(log.contains("installed a revocation list of the vendor's portal"), "{log}");

    assert_eq!(outcomes(&machine.activate().await.unwrap()), ["HOST_REVOKED"]);
    let seen = machine.snapshot();
    assert!(seen.state.is_licensed(), "no license is taken away: {}", seen.state);
    assert!(seen.revoked.unwrap().ends_with("(the host was stolen)"));

    // It gets no other certificate, and the same command again changes nothing.
    let refused = portal.activate(&home, &key).await;
    assert!(refused.code != 0 && refused.stderr.contains("REVOKED"), "{}", refused.stderr);
    assert!(refused.stderr.contains("ask the seller"), "{}", refused.stderr);
    let again = portal.does(&["revoke", &id, "--reason", "once more"]).await;
    assert!(again.contains("was revoked before: list "), "{again}");
    let changes = portal.json(&["audit"]).await;
    assert_eq!((&changes[0]["what"], &changes[0]["subject"]), (&"revoke".into(), &id.into()));
}

#[tokio::test]
async fn a_laptop_whose_key_was_revoked_shows_a_notice_and_works_on() {
    let mut portal = PortalStage::open("").await;
    let key = portal.machines_key("2").await;
    let laptop = portal.laptop("laptop").build().unwrap();
    laptop.set_key(&key.to_string()).await.unwrap();
    assert!(matches!(laptop.activate().await.unwrap().outcome, Outcome::Confirmed { .. }));

    let number = key.number().to_string();
    let told = portal.does(&["revoke", &number, "--reason", "refunded"]).await;
    assert!(told.contains("is revoked and blocked"), "{told}");
    let refused = laptop.activate().await.unwrap().outcome;
    assert_eq!(refused.cause().unwrap().reason(), Some(Reason::KeyBlocked));
    let seen = laptop.snapshot();
    assert!(matches!(seen.state, LicenseState::KeyRevoked { .. }), "{}", seen.state);
    assert_eq!(seen.state.notice(), Notice::Warning);
    assert!(seen.revoked.unwrap().ends_with("(refunded)") && laptop.has("export"));

    let shown = portal.json(&["key", "show", &number]).await;
    assert!(shown["revoked_at_ms"].is_i64() && portal.does(&["key", "list"]).await.contains(" revoked"));
    let unblocked = portal.run(&["key", "unblock", &number]).await;
    assert!(
        unblocked.code == 65 && unblocked.stderr.contains("revocations withdraw"),
        "{}",
        unblocked.stderr
    );

    portal.kill().await;
    portal.start().await;
    let listed = portal.json(&["revocations", "list"]).await;
    let revoked = (&listed["revoked"][0]["subject"], &listed["revoked"][0]["kind"]);
    assert_eq!(revoked, (&number.clone().into(), &"key".into()));
    assert_eq!(listed["by_portal"]["revoked"], 1);

    // The customer has paid after all. The portal has another port now.
    drop(laptop);
    let laptop = portal.laptop("laptop").build().unwrap();
    let told = portal.does(&["revocations", "withdraw", &number, "--note", "paid"]).await;
    assert!(told.contains("not revoked any more") && told.contains("kms-portal key unblock"), "{told}");
    portal.does(&["key", "unblock", &number]).await;
    let outcome = laptop.activate().await.unwrap().outcome;
    assert!(matches!(outcome, Outcome::Confirmed { .. }), "{outcome:?}");
    let seen = laptop.snapshot();
    assert!(seen.revoked.is_none() && seen.state.notice() == Notice::Silent, "{}", seen.state);
    let again = portal.run(&["revocations", "withdraw", &number]).await;
    assert!(again.code == 65 && again.stderr.contains("revocations list"), "{}", again.stderr);
    let changes = portal.json(&["audit", "--limit", "2"]).await;
    assert_eq!((&changes[1]["what"], &changes[1]["note"]), (&"withdraw".into(), &"paid".into()));
}

#[tokio::test]
async fn a_list_of_a_root_goes_by_the_portal_to_hosts_and_by_a_file_to_those_without_a_network() {
    let portal = PortalStage::open("").await;
    let key = portal.key(&["--kind", "host"]).await;
    let (home, remote) = (portal.host("host", &key).await, portal.host("remote", &key).await);
    let host = serve(&home).await;

    // What the portal has signed, as if it had been broken into.
    let issuing = home.certificates().unwrap().all().next().unwrap().chain.issuing().unwrap().id;
    let file = revoke_by_root(&portal, issuing);
    let told = portal.does(&["install-revocations", &file]).await;
    assert!(told.contains("Installed list 1 of a root, with 1 revoked"), "{told}");
    let again = portal.does(&["install-revocations", &file]).await;
    assert!(again.contains("no newer than list 1") && again.contains("nothing is changed"), "{again}");
    reload(&home).await;
    until_alarmed(&host).await;

    let exported = portal.stage.folder.path().join("revoked.pem");
    portal.does(&["revocations", "export", text(&exported)]).await;
    let installed = run_at(&remote, &["install-revocations", text(&exported)]).await;
    assert!(installed.stdout.contains("Installed revocation list 1 of a root"), "{}", installed.stderr);

    let stranger = portal.stage.shop.forge(&portal.stage.folder.path().join("stranger")).unwrap();
    let request =
        RevokeRequest { ids: &[issuing], reason: "", unlisted: true, root: Signer::Root1, now: now() };
    std::fs::write(&file, stranger.vendor().revoke(&request).unwrap().pem).unwrap();
    let refused = portal.run(&["install-revocations", &file]).await;
    assert!(refused.code == 65 && refused.stderr.contains("is not valid"), "{}", refused.stderr);
}

/// It went on signing what nobody believed, and machines paid for that with places. Nothing said so.
#[tokio::test]
async fn a_portal_whose_issuing_certificate_is_revoked_signs_nothing_and_its_doctor_says_what_helps() {
    let portal = PortalStage::open("").await;
    let key = portal.machines_key("2").await;
    let machine = || Asking::new(portal.product()).for_confirmation(&key);
    let confirmation = portal.confirm(machine()).await.unwrap().confirmation.unwrap();
    let roots = portal.stage.shop.vendor().roots();
    let roots = Roots::new(roots.iter().map(<[u8; 32]>::as_slice)).unwrap();
    let issuing = IssuingCertificate::verify(&confirmation.issuing_certificate.unwrap(), &roots).unwrap().id;
    portal.does(&["doctor"]).await;

    portal.does(&["install-revocations", &revoke_by_root(&portal, issuing)]).await;
    let refused = portal.confirm(machine()).await.unwrap_err();
    assert_eq!(refused.cause.reason(), Some(Reason::IssuerEnded));
    assert!(portal.does(&["key", "list"]).await.contains("1 of 2 machines"));
    let refused = portal.run(&["revoke", &key.number().to_string(), "--reason", "x"]).await;
    assert!(refused.code == 65 && refused.stderr.contains("is revoked"), "{}", refused.stderr);
    let looked = portal.run(&["doctor"]).await;
    let row = looked.stdout.lines().find(|line| line.starts_with("FAIL  issuer")).unwrap_or_default();
    let old = portal.data.join("issuing.key");
    assert!(looked.code == 1 && row.contains(&format!("move {} away", text(&old))), "{}", looked.stdout);

    // The remedy.
    std::fs::rename(&old, portal.stage.folder.path().join("issuing.key")).unwrap();
    portal.does(&["init"]).await;
    portal.install_issuer().await;
    assert_eq!(portal.confirm(machine()).await.unwrap().used, 2);
    portal.does(&["doctor"]).await;
}

/// It went on confirming, and `doctor` found nothing. A portal that is started again, or reads its files again, has to know it, too.
#[tokio::test]
async fn a_portal_whose_code_certificate_is_revoked_confirms_nobody_and_its_doctor_says_what_helps() {
    let mut portal = PortalStage::open("").await;
    let key = portal.machines_key("2").await.to_string();
    let codes: &'static [u8] = portal.certify_codes(&["export"]).await.leak();
    let roots = portal.stage.shop.vendor().roots();
    let roots = Roots::new(roots.iter().map(<[u8; 32]>::as_slice)).unwrap();
    let certificate = CodeCertificate::verify(codes, &roots).unwrap().limits.id;
    portal.machine_json("laptop", &["key", "set", "--later", &key]).await;
    let id = portal.machine_json("laptop", &["key", "installation-id"]).await;
    let call = ["confirm", id["digits"].as_str().unwrap(), "--note", "ticket 9"];
    portal.does(&["install-revocations", &revoke_by_root(&portal, certificate)]).await;

    for again in ["at once", "reloaded", "started again"] {
        let refused = portal.run(&call).await;
        assert!(refused.code == 65 && refused.stderr.contains("doctor"), "{again}: {}", refused.stderr);
        if again == "at once" {
            portal.does(&["reload"]).await;
        } else {
            portal.stop().await;
            portal.start().await;
        }
    }
    assert!(portal.does(&["key", "list"]).await.contains("0 of 2 machines"));
    assert!(portal.does(&["status"]).await.contains("A root has revoked the code certificate"));
    let looked = portal.does(&["doctor"]).await;
    let row = looked.lines().find(|line| line.starts_with("warn  codes")).unwrap_or_default();
    let (old, certificates) = (portal.data.join("code.key"), portal.data.join("code.certificates"));
    let remedy = format!("move {} and {} away", text(&old), text(&certificates));
    assert!(row.contains(&remedy), "{looked}");

    // The remedy.
    std::fs::rename(&old, portal.stage.folder.path().join("code.key")).unwrap();
    std::fs::rename(&certificates, portal.stage.folder.path().join("code.certificates")).unwrap();
    portal.certify_codes(&["export"]).await;
    portal.does(&call).await;
    assert!(!portal.does(&["doctor"]).await.contains("a root has revoked"));
}

fn revoke_by_root(portal: &PortalStage, id: CertificateId) -> String {
    let request =
        RevokeRequest { ids: &[id], reason: "broken into", unlisted: true, root: Signer::Root2, now: now() };
    let file = portal.stage.folder.path().join("by-root.pem");
    std::fs::write(&file, portal.stage.shop.vendor().revoke(&request).unwrap().pem).unwrap();
    text(&file).to_owned()
}

#[tokio::test]
async fn what_cannot_be_revoked_says_why() {
    let portal = PortalStage::open("").await;
    let long = "x".repeat(201);
    let unknown = "77".repeat(16);
    for (arguments, code, told) in [
        (vec!["revoke", &unknown, "--reason", "x"], 65, "--unlisted"),
        (vec!["revoke", "0000-0000", "--reason", "x"], 65, "kms-portal key list"),
        (vec!["revoke", "the laptop", "--reason", "x"], 64, "3F8K-9QWX"),
        (vec!["revoke", &unknown, "--unlisted", "--reason", &long], 64, "200 bytes"),
        (vec!["revoke", &unknown], 64, "--reason"),
        (vec!["install-revocations", "/nowhere"], 66, "/nowhere"),
    ] {
        let done = portal.run(&arguments).await;
        assert!(
            done.code == code && done.stderr.contains(told),
            "{arguments:?}: {} {}",
            done.code,
            done.stderr
        );
    }
    let nothing = portal.does(&["revocations", "list"]).await;
    assert_eq!(nothing, "List of the portal: none.\nList of a root: none.\n");
}
