//! A root is replaced while a portal serves: `docs/vendor.md`, "Replace a root", in its order. And an organisation that was known before
//! there was a portal.

use std::fs;

use kms_client::{LicenseState, Outcome};
use kms_host::home::{HOUR_MS, Home};
use kms_vendor::Signer;
use world::asker::{Asker, wire};
use world::shop::ORGANISATION;

use super::stage::{PortalStage, text};
use crate::settings::hang_up;
use crate::stage::{YEAR, an_hour_ago, now, outcomes, serve};

#[tokio::test]
async fn a_root_is_replaced_and_portal_host_laptop_and_codes_go_on() {
    let mut portal = PortalStage::open("").await;
    let (host_key, laptops) = (portal.key(&["--kind", "host"]).await, portal.machines_key("2").await);
    let home = portal.stage.shop.make_bare_host("host", HOUR_MS).unwrap();
    assert_eq!(portal.activate(&home, &host_key).await.code, 0);
    let host = serve(&home).await;
    let mut asks = wire(host.address()).unwrap();
    for _ in 0..4 {
        Asker::new(&portal.stage.shop).unwrap().ask(&mut asks, now()).await.unwrap();
    }
    let old = portal.stage.machine("old", &[host.address()]);
    assert_eq!(outcomes(&old.activate().await.unwrap()), ["LEASE"]);
    let laptop = portal.laptop("laptop").build().unwrap();
    laptop.set_key(&laptops.to_string()).await.unwrap();
    assert_eq!(
        laptop.activate().await.unwrap().outcome,
        Outcome::Confirmed { until: None, used: 1, granted: 2 }
    );
    drop(laptop);
    portal.certify_codes(&["export"]).await;
    portal.machine_json("by code", &["key", "set", "--later", &laptops.to_string()]).await;
    let code = portal.telephones("by code", &[]).await;
    portal.machine_json("by code", &["key", "confirm", &code]).await;

    portal.stage.shop.replace_root(Signer::Root1, now()).unwrap();
    // 1. The issuing key. The portal still has the old pair.
    let issuing = portal.sign_issuer(|new| new.root = Signer::Root2);
    let told = portal.does(&["install-issuer", text(&issuing)]).await;
    assert!(told.contains("The running portal has taken it up"), "{told}");
    let told = portal.does(&["install-issuer", text(&issuing)]).await;
    assert!(told.contains("is installed already: nothing is changed"), "{told}");
    // 2. The host, with one more activation, and without a question.
    let again = portal.activate(&home, &host_key).await;
    assert!(again.stdout.contains("host 1 of 6, activation 2 of 10"), "{} {}", again.stdout, again.stderr);
    hang_up(&host).await;
    // 3. The code key, with the sets that it had.
    portal.certify_codes_by(Signer::Root2, &["export"]).await;
    // 4. Machines with the old pair go on.
    assert_eq!(outcomes(&old.activate().await.unwrap()), ["LEASE"]);
    // 5. Products with the new pair.
    let new = portal.stage.machine("new", &[host.address()]);
    assert_eq!(outcomes(&new.activate().await.unwrap()), ["LEASE"]);
    let updated = portal.laptop("laptop").build().unwrap();
    updated.activate().await.unwrap();
    assert_eq!(updated.state(), LicenseState::LicensedWithoutEnd);
    let status = portal.machine_json("by code", &["status"]).await;
    assert_eq!(
        (&status["state"], &status["key"]["by_code"]),
        (&"without-end".into(), &true.into()),
        "nobody telephones again"
    );
    portal.machine_json("by code", &["key", "confirm", &code]).await;
    // 6. The portal's own roots.
    let roots = portal.stage.shop.vendor().dir().join("roots.pub");
    fs::copy(roots, portal.data.join("roots.pub")).unwrap();
    portal.does(&["reload"]).await;
    drop(updated);
    let updated = portal.laptop("laptop").build().unwrap();
    assert_eq!(
        updated.activate().await.unwrap().outcome,
        Outcome::Confirmed { until: None, used: 2, granted: 2 }
    );
    let doctor = portal.run(&["doctor"]).await;
    assert_eq!(doctor.code, 0, "{}", doctor.stdout);
    assert!(!doctor.stdout.contains("no certificate"), "{}", doctor.stdout);
    let number = laptops.number().to_string();
    assert_eq!(
        portal.json(&["key", "show", &number]).await["taken"]["machines"],
        2,
        "no place was taken twice"
    );
}

/// The portal gave the organisation an id of its own, so its certificates were refused where a host had been certified by hand.
#[tokio::test]
async fn a_host_that_was_certified_by_hand_goes_on_with_a_key_of_the_portal() {
    let portal = PortalStage::open("").await;
    let shop = &portal.stage.shop;
    let by_hand = shop.make_host("by hand", an_hour_ago()).unwrap();
    let id = shop.vendor().organisations().unwrap()[ORGANISATION].to_string();
    portal.does(&["organisation", "add", ORGANISATION, "--id", &id]).await;
    let key = portal.key(&["--kind", "host"]).await;
    let activated = portal.activate(&by_hand, &key).await;
    assert_eq!(activated.code, 0, "{}", activated.stderr);
    let of = |home: &Home| {
        home.certificates().unwrap().all().map(|one| one.chain.host().organisation).collect::<Vec<_>>()
    };
    assert_eq!(of(&by_hand).iter().map(ToString::to_string).collect::<Vec<_>>(), [id.clone(), id]);

    // Without that, the portal makes an id of its own.
    let sloppy = shop.make_bare_host("sloppy", HOUR_MS).unwrap();
    shop.certify(&sloppy, "Sloppy Site", an_hour_ago(), YEAR).unwrap();
    let issue = ["key", "issue", "--product", "Atlas", "--kind", "host", "--organisation", "Sloppy Site"];
    let key = portal.json(&issue).await["key"].as_str().unwrap().parse().unwrap();
    let refused = portal.activate(&sloppy, &key).await;
    assert!(refused.code != 0 && refused.stderr.contains("--new-organisation"), "{}", refused.stderr);
    assert_eq!(of(&sloppy).len(), 1);
    let id = shop.vendor().organisations().unwrap()["Sloppy Site"].to_string();
    let late = portal.run(&["organisation", "add", "Sloppy Site", "--id", &id]).await;
    assert!(late.code == 65 && late.stderr.contains("has this name"), "{} {}", late.code, late.stderr);
}
