//! Seats and features from the vendor's tool to the product: shown everywhere, and refusing nobody.

use std::num::NonZeroU32;

use kms_host::home::{HOUR_MS, Home};
use kms_vendor::{Allow, Contract, IssueRequest, Signer};
use world::HostProcess;
use world::shop::ORGANISATION;

use crate::commands::run_at;
use crate::stage::{Stage, YEAR, an_hour_ago, now, outcomes, serve};

/// Has the vendor certify the host for so many seats, and installs the certificate as an administrator does.
async fn certify(stage: &Stage, home: &Home, seats: u32, features: &[&str]) {
    let request = IssueRequest {
        request_pem: &std::fs::read_to_string(home.request_path()).unwrap(),
        product: &stage.shop.product().name,
        organisation: ORGANISATION,
        allow: Allow::default(),
        not_before: an_hour_ago(),
        valid_for: YEAR,
        signer: Signer::Root1,
        test: false,
        now: now(),
        contract: Contract {
            seats: NonZeroU32::new(seats),
            features: features.iter().map(|feature| (*feature).to_owned()).collect(),
        },
    };
    let issued = stage.shop.vendor().issue(&request, &mut rand::rng()).unwrap();
    let file = stage.folder.path().join(format!("{}.pem", issued.certificate.id));
    std::fs::write(&file, &issued.pem).unwrap();
    let installed = run_at(home, &["install-certificate", &file.display().to_string()]).await;
    assert_eq!(installed.code, 0, "{}", installed.stderr);
}

/// The alarm's text and remedy, while it stands.
async fn alarm(host: &HostProcess) -> Option<(String, String)> {
    let alarms = host.status().await.unwrap().alarms;
    let alarm = alarms.into_iter().find(|alarm| alarm.code == "SEATS_EXCEEDED")?;
    Some((alarm.text, alarm.remedy))
}

/// Both halves of the remedy are followed.
#[tokio::test]
async fn a_count_above_the_seats_is_an_alarm_that_refuses_nobody_and_ends_with_its_remedy() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_bare_host("host", HOUR_MS).unwrap();
    certify(&stage, &home, 2, &[]).await;
    let host = serve(&home).await;
    let machines = ["one", "two", "three"].map(|name| stage.machine(name, &[host.address()]));
    for machine in &machines[..2] {
        assert_eq!(outcomes(&machine.activate().await.unwrap()), ["LEASE"]);
    }
    assert_eq!(alarm(&host).await, None, "all seats are used, and none too many");
    assert_eq!(outcomes(&machines[2].activate().await.unwrap()), ["LEASE"], "nobody is refused");
    let (text, remedy) = alarm(&host).await.expect("it stands");
    assert_eq!(text, "Atlas counts 3 machines, and 2 are paid for: no machine is refused");
    assert!(remedy.contains("`kms-client release`") && remedy.contains("`kms-host install-certificate`"));
    let status = run_at(&home, &["status"]).await.stdout;
    let seats = "3 of 2 used: 1 more than are paid for, and none is refused";
    assert!(status.contains("ALARM      SEATS_EXCEEDED") && status.contains(seats), "{status}");

    machines[2].release().await.unwrap();
    assert_eq!(alarm(&host).await, None, "a machine has left");
    machines[2].activate().await.unwrap();
    assert!(alarm(&host).await.is_some());

    certify(&stage, &home, 3, &[]).await;
    assert_eq!(run_at(&home, &["reload"]).await.code, 0);
    assert_eq!(alarm(&host).await, None, "three are paid for");
}

#[tokio::test]
async fn what_the_vendor_has_sold_is_shown_at_the_host_and_reaches_the_product() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_bare_host("host", HOUR_MS).unwrap();
    certify(&stage, &home, 40, &["export", "3d"]).await;
    let host = serve(&home).await;
    let machine = stage.machine("one", &[host.address()]);
    machine.activate().await.unwrap();
    assert!(machine.has("export") && machine.has("3d") && !machine.has("cloud"));

    for command in ["status", "certificates"] {
        let shown = run_at(&home, &[command]).await.stdout;
        assert!(shown.contains("\n  seats        1 of 40 used\n"), "{shown}");
        assert!(shown.contains("\n  features     3d, export\n"), "{shown}");
        let json = run_at(&home, &[command, "--json"]).await.stdout;
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        let shown = if command == "status" { &json["products"][0] } else { &json["certificates"][0] };
        assert_eq!((&shown["seats"], &shown["count"]), (&40.into(), &1.into()), "{shown}");
        assert_eq!(shown["features"], serde_json::json!(["3d", "export"]));
    }

    // A new certificate without the one and with another, and the next renewal.
    certify(&stage, &home, 40, &["cloud"]).await;
    assert_eq!(run_at(&home, &["reload"]).await.code, 0);
    machine.activate().await.unwrap();
    assert!(machine.has("cloud") && !machine.has("export"));
}
