//! The vendor's portal as a process: keys are issued, hosts and machines activated by them, and what is refused says why.
//!
//! `portal/stage.rs` has the portal. Stories in which its clock is moved are in `clocks/portal.rs`.

mod accounts;
mod another_key;
mod asking;
mod custody;
mod directory;
mod hosts;
mod machines;
mod orders;
mod outbox;
mod packaged;
mod reloading;
mod replacing;
mod replicas;
mod revoking;
mod selling;
mod staff;
pub(crate) mod stage;
mod subscriptions;
mod wizard;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use kms_host::home::HOUR_MS;
use prost::Message as _;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use shared::activation::Claim;
use shared::certificate::Roots;
use shared::confirmation::Confirmation;
use shared::product_key::{KeyKind, ProductKey, ProductTag};
use wire::Failure;
use world::asker::{Asker, wire};

use crate::failing_disk;
use crate::portal::stage::{Asking, PORTAL, PortalStage, text};
use crate::space::not_run;
use crate::stage::{now, serve};
use crate::supervised::unit_file_holds;

const HOST_KEY: &[&str] = &["--kind", "host"];

/// What is told of a refusal.
#[track_caller]
fn refused<T>(answer: Result<T, Failure>) -> String {
    let Err(failure) = answer else { panic!("it was not refused") };
    failure.cause.to_string()
}

#[tokio::test]
async fn a_host_is_activated_by_one_command_and_licenses_machines() {
    let portal = PortalStage::open("").await;
    let key = portal.key(HOST_KEY).await;
    let home = portal.stage.shop.make_bare_host("host", HOUR_MS).unwrap();

    let done = portal.activate(&home, &key).await;
    let told = format!("Activated by key {}: host 1 of 6, activation 1 of 10.", key.number());
    assert!(done.code == 0 && done.stdout.starts_with(&told), "{} {}", done.stdout, done.stderr);

    let host = serve(&home).await;
    let mut wire = wire(host.address()).unwrap();
    for _ in 0..4 {
        Asker::new(&portal.stage.shop).unwrap().ask(&mut wire, now()).await.unwrap();
    }
    let machine = portal.stage.machine("the fifth", &[host.address()]);
    machine.activate().await.unwrap();
    assert!(machine.state().is_licensed());

    let shown = portal.json(&["key", "show", &key.number().to_string()]).await;
    assert_eq!(shown["hosts"][0]["host"], home.signing_key().unwrap().public().host().to_string());
    assert_eq!((&shown["taken"]["hosts"], &shown["granted"]["hosts"]), (&1.into(), &6.into()));
}

#[tokio::test]
async fn a_machine_is_confirmed_once_however_often_it_asks_and_gives_its_place_back() {
    let mut portal = PortalStage::open("").await;
    let key = portal.key(&["--kind", "mak", "--machines", "2", "--feature", "export"]).await;
    let machine = Asking::new(portal.product());
    let ask = machine.for_confirmation(&key);

    let first = portal.confirm(ask.clone()).await.unwrap();
    assert_eq!((first.used, first.granted), (1, 2));
    let signed = first.confirmation.clone().unwrap();
    let roots = portal.stage.shop.vendor().roots();
    let roots = Roots::new(roots.iter().map(<[u8; 32]>::as_slice)).unwrap();
    let confirmation = Confirmation::open(&signed, &roots).unwrap();
    assert_eq!(confirmation.machine, machine.identity.public().machine());
    assert!(confirmation.features.has("export") && confirmation.not_after.is_none());

    portal.stop().await;
    portal.start().await;
    assert_eq!(
        portal.confirm(ask).await.unwrap(),
        first,
        "the same ask gets the same bytes after a restart, too"
    );
    assert_eq!(portal.confirm(machine.for_confirmation(&key)).await.unwrap().used, 1);

    let other = Asking::new(portal.product());
    assert_eq!(portal.confirm(other.for_confirmation(&key)).await.unwrap().used, 2);
    let released = portal.release(machine.to_leave(&key)).await.unwrap();
    assert_eq!((released.released, released.releases), (1, 5));
    let third = Asking::new(portal.product());
    assert_eq!(portal.confirm(third.for_confirmation(&key)).await.unwrap().used, 2);
}

#[tokio::test]
async fn a_host_without_a_network_is_answered_by_file() {
    let portal = PortalStage::open("").await;
    let key = portal.key(HOST_KEY).await;
    let home = portal.stage.shop.make_bare_host("host", HOUR_MS).unwrap();
    let [request, answer] = ["request.pem", "answer.pem"].map(|name| portal.stage.folder.path().join(name));
    let key = key.to_string();
    let made = crate::commands::run_at(&home, &["activate", &key, "--request", text(&request)]).await;
    assert_eq!(made.code, 0, "{}", made.stderr);

    let told = portal.does(&["answer", text(&request), "--out", text(&answer)]).await;
    assert!(told.starts_with("Host 1 of 6, activation 1 of 10."), "{told}");

    let installed = crate::commands::run_at(&home, &["install-certificate", text(&answer)]).await;
    assert_eq!(installed.code, 0, "{}", installed.stderr);

    // A year later the portal gave the first answer again, for the request had the first one's name. It has replaced an old request.
    let again = crate::commands::run_at(&home, &["activate", &key, "--request", text(&request)]).await;
    assert_eq!(again.code, 0, "{}", again.stderr);
    let told = portal.does(&["answer", text(&request), "--out", text(&answer), "--force"]).await;
    assert!(told.starts_with("Host 1 of 6, activation 2 of 10."), "{told}");

    // Anything else stays, and costs no activation.
    let installed = std::fs::read(&answer).unwrap();
    let other = crate::commands::run_at(&home, &["activate", &key, "--request", text(&answer)]).await;
    assert_eq!(other.code, 73, "{}", other.stderr);
    assert!(other.stderr.contains("exists; name another file, or remove it"), "{}", other.stderr);
    assert_eq!(std::fs::read(&answer).unwrap(), installed);
}

/// Of two at once one asked for a certificate under an ask that the other had overtaken, and accused somebody of recording it.
#[tokio::test]
async fn one_command_at_a_time_activates_a_host() {
    let portal = PortalStage::open("").await;
    let key = portal.key(HOST_KEY).await;
    let home = portal.stage.shop.make_bare_host("host", HOUR_MS).unwrap();
    let turn = home.activating().unwrap();
    let busy = portal.activate(&home, &key).await;
    assert_eq!(busy.code, 75, "{}", busy.stderr);
    assert!(busy.stderr.contains("another command is activating the host"), "{}", busy.stderr);
    drop(turn);
    assert_eq!(portal.activate(&home, &key).await.code, 0);
}

/// A device that never ended took all the memory of the machine, and a pipe made commands wait for ever.
#[tokio::test]
async fn no_input_of_a_host_waits_for_ever_or_never_ends() {
    let portal = PortalStage::open("").await;
    let key = portal.key(HOST_KEY).await.to_string();
    let home = portal.stage.shop.make_bare_host("host", HOUR_MS).unwrap();
    let pipe = portal.stage.folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for odd in [text(&pipe), "/dev/zero", "/"] {
        for command in [
            &["activate", &key, "--portal", "https://localhost:1", "--portal-ca", odd][..],
            &["activate", "--terms", odd],
            &["activate", &key, "--request", odd],
            &["install-certificate", odd],
            &["install-revocations", odd],
        ] {
            let done = tokio::time::timeout(Duration::from_secs(20), crate::commands::run_at(&home, command));
            let done = done.await.unwrap_or_else(|_| panic!("{command:?} waits"));
            assert!(matches!(done.code, 65 | 66 | 73), "{command:?}: {} {}", done.code, done.stderr);
            let told = ["regular file", "directory", "exists; name another", "is a folder; name a file"];
            assert!(told.iter().any(|told| done.stderr.contains(told)), "{}", done.stderr);
        }
    }
}

#[tokio::test]
async fn a_key_that_nobody_sold_is_unknown_and_after_a_few_the_address_has_to_wait() {
    let portal = PortalStage::open("wrong_keys_per_source = 3\n").await;
    let key = portal.key(&["--kind", "mak", "--machines", "2"]).await;
    let machine = Asking::new(portal.product());
    for _ in 0..3 {
        let wrong =
            ProductKey::new(KeyKind::MultipleActivation, ProductTag::of(portal.product()), &rand::random());
        let told = refused(portal.confirm(machine.for_confirmation(&wrong)).await);
        assert!(told.starts_with("KEY_UNKNOWN"), "{told}");
    }
    let failure = portal.confirm(machine.for_confirmation(&key)).await.unwrap_err();
    let told = failure.cause.to_string();
    assert!(told.starts_with("TOO_MANY_WRONG_KEYS") && told.contains("7 h 59 min"), "{told}");
    assert!(failure.retry_after.is_some_and(|wait| Duration::from_hours(7) < wait), "{failure:?}");
}

#[tokio::test]
async fn a_blocked_key_says_that_the_seller_is_to_be_asked_until_it_is_unblocked() {
    let portal = PortalStage::open("").await;
    let key = portal.key(&["--kind", "mak", "--machines", "2"]).await;
    let number = key.number().to_string();
    let machine = Asking::new(portal.product());
    portal.does(&["key", "block", &number, "--note", "refunded, ticket 7"]).await;
    let failure = portal.confirm(machine.for_confirmation(&key)).await.unwrap_err();
    assert!(failure.cause.to_string().starts_with("KEY_BLOCKED"), "{failure:?}");
    assert!(failure.cause.remedy().starts_with("ask the seller"), "{failure:?}");

    portal.does(&["key", "unblock", &number]).await;
    assert_eq!(portal.confirm(machine.for_confirmation(&key)).await.unwrap().used, 1);
    let changes = portal.json(&["audit"]).await;
    assert_eq!((&changes[1]["what"], &changes[1]["note"]), (&"block".into(), &"refunded, ticket 7".into()));
    assert_eq!(changes[0]["subject"], number);
}

#[tokio::test]
async fn a_key_gives_as_many_machines_as_it_grants_and_more_once_it_is_raised() {
    let portal = PortalStage::open("").await;
    let key = portal.key(&["--kind", "mak", "--machines", "1", "--releases", "1"]).await;
    let [first, second] = [(); 2].map(|()| Asking::new(portal.product()));
    portal.confirm(first.for_confirmation(&key)).await.unwrap();
    let told = refused(portal.confirm(second.for_confirmation(&key)).await);
    assert!(
        told.starts_with("KEY_EXHAUSTED") && told.contains("every place of this key is taken: 1 of 1"),
        "{told}"
    );

    portal.does(&["key", "raise", &key.number().to_string(), "--machines", "1"]).await;
    assert_eq!(portal.confirm(second.for_confirmation(&key)).await.unwrap().used, 2);

    portal.release(first.to_leave(&key)).await.unwrap();
    let told = refused(portal.release(second.to_leave(&key)).await);
    assert!(told.starts_with("RELEASES_EXHAUSTED"), "{told}");
    let stranger = Asking::new(portal.product());
    let told = refused(portal.release(stranger.to_leave(&key)).await);
    assert!(told.starts_with("NOT_ACTIVATED_HERE"), "{told}");
}

#[tokio::test]
async fn a_host_key_activates_so_many_hosts_so_many_times() {
    let portal = PortalStage::open("").await;
    let key = portal.key(&["--kind", "host", "--hosts", "1", "--activations", "2"]).await;
    let [host, other] = [(); 2].map(|()| Asking::new(portal.product()));
    let ask = |host: &Asking| host.for_certificate(Claim::Key(key.clone()));
    let (first, second) = (ask(&host), ask(&host));
    assert_eq!(portal.certify(first.clone()).await.unwrap(), "host 1 of 1, activation 1 of 2");
    assert_eq!(portal.certify(first).await.unwrap(), "host 1 of 1, activation 1 of 2", "the same ask");
    assert!(refused(portal.certify(ask(&other)).await).starts_with("HOSTS_EXHAUSTED"));

    assert_eq!(portal.certify(second).await.unwrap(), "host 1 of 1, activation 2 of 2");
    assert!(refused(portal.certify(ask(&host)).await).starts_with("ACTIVATIONS_EXHAUSTED"));
    let renewal = |host: &Asking| host.for_certificate(Claim::Renewal(portal.product()));
    assert_eq!(portal.certify(renewal(&host)).await.unwrap(), "host 1 of 1, activation 2 of 2");
    assert!(refused(portal.certify(renewal(&other)).await).starts_with("NOT_ACTIVATED_HERE"));
}

/// Kills the portal at any moment of an ask. Whatever was acknowledged is there afterwards, and the same ask costs nothing.
#[tokio::test]
async fn a_portal_that_is_killed_loses_nothing_that_it_has_acknowledged() {
    let seed = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut portal = PortalStage::open("").await;
    let key = portal.key(&["--kind", "mak", "--machines", "100"]).await;
    for round in 1..=6 {
        let ask = Asking::new(portal.product()).for_confirmation(&key);
        let killed_after = Duration::from_millis(random.random_range(0..20));
        let answer = tokio::select! {
            answer = portal.confirm(ask.clone()) => answer.ok(),
            () = tokio::time::sleep(killed_after) => None,
        };
        portal.kill().await;
        portal.start().await;
        let again = portal.confirm(ask).await.unwrap();
        assert_eq!(again.used, round, "killed after {killed_after:?}");
        let is_same = answer.as_ref().is_none_or(|answer| answer.confirmation == again.confirmation);
        assert!(is_same, "killed after {killed_after:?}");
    }
}

#[tokio::test]
async fn no_log_has_a_key_or_a_secret_of_the_portal_in_it() {
    let settings = "log = \"trace,h2=trace\"\nstaff_listen = [\"127.0.0.1:0\"]\n";
    let mut portal = PortalStage::open(settings).await;
    let key = portal.key(&["--kind", "mak", "--machines", "1"]).await;
    let wrong =
        ProductKey::new(KeyKind::MultipleActivation, ProductTag::of(portal.product()), &rand::random());
    let machine = Asking::new(portal.product());
    portal.confirm(machine.for_confirmation(&key)).await.unwrap();
    portal.confirm(machine.for_confirmation(&wrong)).await.unwrap_err();
    let host = portal.stage.shop.make_bare_host("host", HOUR_MS).unwrap();
    assert_ne!(portal.activate(&host, &wrong).await.code, 0);
    let tokens = staff::ask_by_tokens(&portal).await;
    portal.stop().await;

    let log = fs::read_to_string(portal.log_path()).unwrap().to_uppercase();
    assert!(log.contains("CONFIRMED A MACHINE") && log.contains(&key.number().to_string()), "{log}");
    let hex = |bytes: &[u8]| data_encoding::HEXUPPER.encode(bytes);
    let base64 = |bytes: &[u8]| data_encoding::BASE64.encode(bytes).to_uppercase();
    let decimal = |bytes: &[u8]| format!("{bytes:?}").trim_matches(['[', ']']).to_owned();
    let pepper = fs::read(portal.data.join("pepper")).unwrap();
    let signing = fs::read_to_string(portal.data.join("issuing.key")).unwrap();
    let signing = shared::files::key_from_pem(shared::files::ISSUING_KEY, signing.as_bytes()).unwrap();
    for secret in [&key.as_bytes()[..], &wrong.as_bytes()[..], &pepper, &signing.seed()[..]] {
        for shown in [hex(secret), base64(secret), decimal(secret)] {
            assert!(!log.contains(&shown), "the log has {shown}");
        }
    }
    assert!(log.contains("TOKEN") && tokens.len() == 2, "{log}");
    for token in &tokens {
        let hex = token.strip_prefix("KMSP_").unwrap();
        assert!(!log.contains(hex), "the log has the token {hex}");
    }
    for key in [&key, &wrong] {
        let text = key.to_string();
        assert!(!log.contains(&text) && !log.contains(&text.replace('-', "")), "the log has a key");
    }
}

#[tokio::test]
async fn what_cannot_be_done_says_what_to_do() {
    let portal = PortalStage::open("").await;
    let check = async |arguments: &[&str], code: i32, told: &str| {
        let done = portal.run(arguments).await;
        assert!(
            done.code == code && done.stderr.contains(told),
            "{arguments:?}: {} {}",
            done.code,
            done.stderr
        );
    };
    let issue = ["key", "issue", "--product", "Atlas", "--kind", "host", "--organisation"];
    portal.does(&[&issue[..], &["Example Works"]].concat()).await;
    check(&[&issue[..], &["Exampel Works"]].concat(), 65, "add --new-organisation").await;
    portal.does(&[&issue[..], &["Exampel Works", "--new-organisation"]].concat()).await;
    check(&["key", "issue", "--product", "Atlas", "--kind", "mak", "--organisation", "X"], 64, "--machines")
        .await;
    check(
        &["key", "issue", "--product", "Atlsa", "--kind", "host", "--organisation", "X"],
        65,
        "there are: Atlas",
    )
    .await;
    check(&["key", "show", "0000-0000"], 65, "kms-portal key list").await;
    check(&["serve", "--listen", "127.0.0.1:0"], 69, "another portal serves this directory").await;
    let file = portal.stage.folder.path().join("atlas.toml");
    check(&["product", "add", "--file", text(&file)], 65, "kms-portal product set").await;
    check(&["product", "set", "Atlas", "--retry-interval", "1m"], 64, "--test").await;
}

/// The database says that it is on the disk, and it is not.
#[tokio::test]
async fn a_portal_whose_disk_fails_acknowledges_nothing_and_ends() {
    let mut portal = PortalStage::open("").await;
    let library = match failing_disk::library(portal.stage.folder.path()) {
        Ok(library) => library,
        Err(why) => return not_run(&format!("a portal whose disk fails: {why}")),
    };
    let key = portal.key(&["--kind", "mak", "--machines", "9"]).await;
    let switch = portal.stage.folder.path().join("switch");
    portal.stop().await;
    portal.environment = vec![("LD_PRELOAD", library), ("KMS_DISK_FAILS", switch.clone())];
    portal.start().await;
    let ask = Asking::new(portal.product()).for_confirmation(&key);
    portal.confirm(Asking::new(portal.product()).for_confirmation(&key)).await.unwrap();

    fs::write(&switch, "").unwrap();
    let failure = portal.confirm(ask.clone()).await.unwrap_err();
    assert!(failure.cause.to_string().starts_with("PORTAL_FAILED"), "{failure:?}");
    assert!(failure.retry_after.is_some(), "{failure:?}");
    assert_eq!(portal.ended().await, Some(74));

    fs::remove_file(&switch).unwrap();
    portal.start().await;
    assert_eq!(portal.confirm(ask).await.unwrap().used, 2);
}

#[tokio::test]
async fn a_backup_of_a_running_portal_is_a_portal_again_with_every_key_and_place() {
    let mut portal = PortalStage::open("").await;
    let key = portal.key(&["--kind", "mak", "--machines", "2"]).await;
    let ask = Asking::new(portal.product()).for_confirmation(&key);
    let first = portal.confirm(ask.clone()).await.unwrap();
    let backup = portal.stage.folder.path().join("backup");
    portal.does(&["backup", text(&backup)]).await;
    let again = portal.run(&["backup", text(&backup)]).await;
    assert!(again.code == 73 && again.stderr.contains("is empty or does not exist"), "{}", again.stderr);
    for secret in ["issuing.key", "pepper", "portal.db", "tls.key", "portal-ca.key"] {
        let mode = fs::metadata(backup.join(secret)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{secret}");
    }
    let refused = portal.run(&["restore", text(&backup)]).await;
    assert!(refused.code == 73 && refused.stderr.contains("nothing was changed"), "{}", refused.stderr);

    portal.kill().await;
    portal.data = portal.stage.folder.path().join("restored");
    portal.does(&["restore", text(&backup)]).await;
    portal.start().await;
    assert_eq!(portal.confirm(ask).await.unwrap(), first, "the same bytes");
    let other = Asking::new(portal.product()).for_confirmation(&key);
    assert_eq!(portal.confirm(other).await.unwrap().used, 2);
}

#[tokio::test]
async fn doctor_names_what_keeps_a_portal_from_serving_and_its_remedies_work() {
    let mut portal = PortalStage::open("").await;
    let healthy = portal.does(&["doctor"]).await;
    assert!(healthy.lines().all(|line| line.starts_with("ok ")), "{healthy}");
    portal.stop().await;
    let certificate = portal.data.join("issuing.certificate");
    fs::remove_file(&certificate).unwrap();
    fs::set_permissions(portal.data.join("pepper"), Permissions::from_mode(0o644)).unwrap();
    let done = portal.run(&["doctor"]).await;
    assert_eq!(done.code, 1, "{}", done.stderr);
    let found = |line: &str| done.stdout.lines().any(|shown| shown.starts_with(line));
    assert!(found("FAIL  issuer") && found("warn  rights") && found("warn  served"), "{}", done.stdout);
    assert!(done.stdout.contains("chmod 600") && done.stdout.contains("kms-vendor issuer sign --request"));
    assert!(!certificate.exists(), "it changes nothing");
    portal.install_issuer().await;
    fs::set_permissions(portal.data.join("pepper"), Permissions::from_mode(0o600)).unwrap();
    portal.start().await;
    // Others write on this disk, too, and the new certificate may end a second later.
    let is_same = |line: &&str| !line.contains("MiB free") && !line.contains("valid until");
    let same = |told: &str| told.lines().filter(is_same).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(same(&portal.does(&["doctor"]).await), same(&healthy));
}

/// systemd's own judgement, where there is one.
#[test]
fn the_unit_file_of_the_portal_holds_and_leaves_little_exposed() {
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/systemd/kms-portal.service");
    unit_file_holds(&unit, "/usr/bin/kms-portal", PORTAL);
}

/// Garbage from outside is refused, whatever it is, and the portal serves on.
#[tokio::test]
async fn garbage_is_malformed_and_the_portal_serves_on() {
    let portal = PortalStage::open("").await;
    let key = portal.key(&["--kind", "mak", "--machines", "1"]).await;
    let machine = Asking::new(portal.product());
    let ask = machine.for_confirmation(&key);
    let mut forged = ask.clone();
    forged.signature = vec![7; 64].into();
    assert!(refused(portal.confirm(forged).await).starts_with("SIGNATURE_BAD"));
    let mut garbled = ask.clone();
    garbled.payload = garbled.encode_to_vec().into();
    assert!(refused(portal.confirm(garbled).await).starts_with("MALFORMED"));
    let mut large = ask.clone();
    large.payload = vec![0; 20_000].into();
    assert!(portal.confirm(large).await.is_err());
    assert_eq!(portal.confirm(ask).await.unwrap().used, 1);
}
