//! A vendor replaces one of its two root keys. As soon as the root that was kept has signed a host's certificate, that host serves machines
//! with the old pair and machines with the new one. `docs/vendor.md`, "Replace a root".

use kms_client::Reason;
use kms_host::home::Home;
use kms_vendor::{IssueRequest, Signer};
use shared::files;

use crate::commands::run_at;
use crate::settings::hang_up;
use crate::stage::{Stage, YEAR, an_hour_ago, failure, now, outcomes, serve};

/// A certificate for this host, in a file beside it.
fn certificate(stage: &Stage, home: &Home, signer: Signer) -> String {
    let request_pem = std::fs::read_to_string(home.request_path()).unwrap();
    let request = IssueRequest {
        request_pem: &request_pem,
        product: "Atlas",
        organisation: world::shop::ORGANISATION,
        allow: kms_vendor::Allow::default(),
        not_before: an_hour_ago(),
        valid_for: YEAR,
        signer,
        test: false,
        now: now(),
        contract: kms_vendor::Contract::default(),
    };
    let issued = stage.shop.vendor().issue(&request, &mut rand::rng()).unwrap();
    let path = stage.folder.path().join(format!("{}.pem", issued.certificate.id));
    std::fs::write(&path, &issued.pem).unwrap();
    path.display().to_string()
}

#[tokio::test]
async fn a_root_is_replaced_and_old_and_new_products_are_licensed_by_one_host() {
    let mut stage = Stage::with_threshold(1);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    let host = serve(&home).await;
    let old = stage.machine("old", &[host.address()]);
    assert_eq!(outcomes(&old.activate().await.unwrap()), ["LEASE"]);

    let old_roots = stage.shop.vendor().roots();
    stage.shop.replace_root(Signer::Root1, now()).unwrap();
    assert_eq!(stage.shop.vendor().usual_root().unwrap(), Signer::Root2);
    let new = stage.machine("new", &[host.address()]);
    let (reason, _) = failure(&new.activate().await.unwrap());
    assert_eq!(
        reason,
        Reason::Untrusted,
        "the old root has signed this host, so the host comes before the product"
    );

    let done = run_at(&home, &["install-certificate", &certificate(&stage, &home, Signer::Root2)]).await;
    assert_eq!(done.code, 0, "nobody has to be asked: {}", done.stderr);
    hang_up(&host).await;
    assert_eq!(outcomes(&new.activate().await.unwrap()), ["LEASE"]);
    assert_eq!(outcomes(&old.activate().await.unwrap()), ["LEASE"]);
    new.activate().await.unwrap();
    assert!(
        host.status().await.unwrap().alarms.is_empty(),
        "whoever refused this host has been content since"
    );

    // The new root came in a file that anybody can change, so it is not believed for leases of siblings.
    for entry in std::fs::read_dir(home.path().join("certificates")).unwrap() {
        let text = std::fs::read(entry.unwrap().path()).unwrap();
        for (_, roots) in files::certificates_from_pem(&text).unwrap() {
            let keys: Vec<_> = roots.keys().iter().map(|key| *key.as_bytes()).collect();
            assert_eq!(keys, old_roots);
        }
    }

    // What the new root signs, machines with the old product would refuse.
    let by_new = certificate(&stage, &home, Signer::Root1);
    let done = run_at(&home, &["install-certificate", &by_new]).await;
    assert_eq!(done.code, 65, "{}", done.stdout);
    assert!(done.stderr.contains("--new-vendor"), "{}", done.stderr);
    let done = run_at(&home, &["install-certificate", &by_new, "--new-vendor"]).await;
    assert_eq!(done.code, 0, "{}", done.stderr);
    hang_up(&host).await;
    assert_eq!(outcomes(&new.activate().await.unwrap()), ["LEASE"]);
    assert_eq!(failure(&old.activate().await.unwrap()).0, Reason::Untrusted);
    assert!(old.state().is_licensed(), "what it holds runs on");
}
