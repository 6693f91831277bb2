//! Revocation from the vendor's tool to the machines, by hosts that carry the list. `docs/protocol.md` 11.

use kms_client::Client;
use kms_host::home::Home;
use kms_vendor::{RevokeRequest, Signer};
use shared::ids::CertificateId;
use world::HostProcess;

use crate::commands::run_at;
use crate::stage::{Stage, YEAR, an_hour_ago, now, outcomes, serve};

/// The id of the certificate with which a host answers.
fn certificate(home: &Home) -> CertificateId {
    home.certificates().unwrap().all().next().unwrap().chain.host().id
}

/// Has the vendor revoke a certificate. Returns the file of the list.
fn revoke(stage: &Stage, id: CertificateId) -> String {
    let (ids, reason) = (&[id][..], "the host was stolen");
    let request = RevokeRequest { ids, reason, unlisted: false, root: Signer::Root2, now: now() };
    let list = stage.shop.vendor().revoke(&request).unwrap();
    let file = stage.folder.path().join(format!("revoked-{}.pem", list.list.number));
    std::fs::write(&file, list.pem).unwrap();
    file.display().to_string()
}

async fn install(home: &Home, file: &str) -> String {
    let installed = run_at(home, &["install-revocations", file]).await;
    assert_eq!(installed.code, 0, "{}", installed.stderr);
    let reloaded = run_at(home, &["reload"]).await;
    assert_eq!(reloaded.code, 0, "{}", reloaded.stderr);
    installed.stdout + &reloaded.stdout
}

async fn is_alarmed(host: &HostProcess) -> bool {
    host.status().await.unwrap().alarms.iter().any(|alarm| alarm.code == "CERTIFICATE_REVOKED")
}

async fn activate(machine: &Client) -> Vec<String> {
    outcomes(&machine.activate().await.unwrap()).into_iter().map(str::to_owned).collect()
}

#[tokio::test]
async fn machines_learn_from_one_host_that_another_was_revoked() {
    let stage = Stage::with_threshold(1);
    let (stolen_home, home) =
        ["stolen", "other"].map(|name| stage.shop.make_host(name, an_hour_ago()).unwrap()).into();
    let (stolen, other) = (serve(&stolen_home).await, serve(&home).await);
    assert_eq!(activate(&stage.machine("one", &[stolen.address()])).await, ["LEASE"]);

    let file = revoke(&stage, certificate(&stolen_home));
    let said = install(&home, &file).await;
    assert!(said.contains("Installed revocation list 1 of a root, with 1 revoked"), "{said}");
    assert!(said.contains("revocation list 1"), "the reload names it: {said}");
    assert!(!is_alarmed(&other).await && !is_alarmed(&stolen).await, "it does not know yet");

    assert_eq!(activate(&stage.machine("one", &[other.address()])).await, ["LEASE"]);
    let machine = stage.machine("one", &[stolen.address(), other.address()]);
    let asked = activate(&machine).await;
    assert!(asked == ["HOST_REVOKED", "LEASE"] || asked == ["LEASE"], "{asked:?}");
    assert_eq!(activate(&stage.machine("one", &[stolen.address()])).await, ["HOST_REVOKED"]);
    assert!(machine.state().is_licensed());

    let again = run_at(&home, &["install-revocations", &file]).await;
    assert!(again.stdout.contains("is no newer"), "{}", again.stdout);
}

#[tokio::test]
async fn a_host_whose_certificate_was_revoked_says_so_until_it_has_another() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    let host = serve(&home).await;
    install(&home, &revoke(&stage, certificate(&home))).await;
    assert!(is_alarmed(&host).await);
    let status = run_at(&home, &["status"]).await.stdout;
    assert!(status.contains("(the host was stolen)") && status.contains("install-certificate"), "{status}");
    assert_eq!(activate(&stage.machine("one", &[host.address()])).await, ["HOST_REVOKED"]);
    let doctor = run_at(&home, &["doctor"]).await;
    assert!(doctor.code == 1 && doctor.stdout.contains("(the host was stolen)"), "{}", doctor.stdout);

    // The remedy.
    stage.shop.certify(&home, world::shop::ORGANISATION, now(), YEAR).unwrap();
    assert_eq!(run_at(&home, &["reload"]).await.code, 0);
    assert!(!is_alarmed(&host).await);
    assert_eq!(activate(&stage.machine("one", &[host.address()])).await, ["LEASE"]);
}

/// A stolen key could speak for as many machines as it likes.
#[tokio::test]
async fn the_lease_of_a_revoked_host_is_no_evidence() {
    let stage = Stage::with_threshold(2);
    let (stolen_home, home) =
        ["stolen", "other"].map(|name| stage.shop.make_host(name, an_hour_ago()).unwrap()).into();
    let (stolen, other) = (serve(&stolen_home).await, serve(&home).await);
    for name in ["one", "two", "one"] {
        stage.machine(name, &[stolen.address()]).activate().await.unwrap();
    }
    install(&home, &revoke(&stage, certificate(&stolen_home))).await;
    assert_eq!(activate(&stage.machine("one", &[other.address()])).await, ["WAITING"]);
    assert_eq!(activate(&stage.machine("two", &[other.address()])).await, ["LEASE"], "it counts for itself");
}

#[tokio::test]
async fn a_list_of_a_stranger_is_refused_and_a_damaged_one_is_left_out() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    let forger = stage.shop.forge(&crate::stage::folder(&stage, "forger")).unwrap();
    let forged = RevokeRequest {
        ids: &[certificate(&home)],
        reason: "",
        unlisted: true,
        root: Signer::Root1,
        now: now(),
    };
    let forged = forger.vendor().revoke(&forged).unwrap().pem;
    let file = stage.folder.path().join("forged.pem");
    std::fs::write(&file, forged).unwrap();
    let refused = run_at(&home, &["install-revocations", &file.display().to_string()]).await;
    assert_eq!(refused.code, 65, "{}", refused.stderr);
    assert!(
        refused.stderr.contains("is not valid") && refused.stderr.contains("ask the vendor"),
        "{}",
        refused.stderr
    );

    let folder = home.path().join("revocations");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("damaged.pem"), "garbage").unwrap();
    let host = serve(&home).await;
    let alarms = host.status().await.unwrap().alarms;
    assert!(alarms.iter().any(|alarm| alarm.code == "CERTIFICATE_UNUSABLE"), "{alarms:?}");
    assert_eq!(activate(&stage.machine("one", &[host.address()])).await, ["LEASE"], "all else goes on");
}
