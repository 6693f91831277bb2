//! The files of version 1 as they were first written. They are never deleted and never made again: some machine still has such
//! files, and every later release reads them.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use kms_client::{Attempt, Client, CodeForm, LicenseState, Snapshot};
use shared::codes::MachineOptions;

use crate::codes;
use crate::portal::accounts::{INTERVAL, Typed};
use crate::portal::{Portal, key, typed};
use crate::world::{BEGIN, DAY, Host, Say, StoryClock, builder, client};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/v1");

#[test]
fn a_machine_of_version_1_is_read() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let home = dir.path().join("0b".repeat(16));
    fs::create_dir(&home).unwrap();
    for name in ["identity", "identity.next", "saved"] {
        fs::copy(Path::new(FOLDER).join(name), home.join(name)).unwrap();
    }
    let seen = client(dir.path(), &clock, &[]).snapshot();
    assert_eq!(seen.troubles, []);
    let until = BEGIN + 180 * DAY;
    assert_eq!(seen.state, LicenseState::Licensed { until });
    assert_eq!(
        seen.machine.to_string(),
        fs::read_to_string(Path::new(FOLDER).join("machine")).unwrap().trim()
    );
    assert_eq!((seen.serial, seen.failures), (2, 1));
    assert_eq!(seen.organisation.unwrap().name, "Organisation 7");
    assert_eq!(seen.waiting.unwrap().count, 24);
    assert_eq!(seen.last_reason.as_deref(), Some("COUNT_BELOW_THRESHOLD"));
}

/// The same format with the last round, which was added later.
const WITH_ROUND: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/v1-last-round");

#[test]
fn a_last_round_of_version_1_is_read() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let home = dir.path().join("0b".repeat(16));
    fs::create_dir(&home).unwrap();
    for name in ["identity", "saved"] {
        fs::copy(Path::new(WITH_ROUND).join(name), home.join(name)).unwrap();
    }
    let seen = client(dir.path(), &clock, &[]).snapshot();
    assert_eq!((seen.troubles.as_slice(), seen.asked_at), (&[][..], Some(BEGIN)));
    assert_eq!(shown(&seen), fs::read_to_string(Path::new(WITH_ROUND).join("round")).unwrap());
}

fn shown(seen: &Snapshot) -> String {
    let line = |tried: &Attempt| {
        let Attempt { host, address, source, outcome, .. } = tried;
        format!("{host} {address:?} {source:?} {outcome:?}\n")
    };
    seen.attempts.iter().map(line).collect()
}

/// A machine with a key and a confirmation id that somebody has typed, which was added later still.
const BY_CODE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/v1-by-code");

#[test]
fn a_confirmation_id_of_version_1_is_read() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let seen = opened(BY_CODE, dir.path(), &clock).snapshot();
    assert_eq!(seen.troubles, []);
    assert_eq!(seen.state, LicenseState::LicensedByKey { until: BEGIN + 365 * DAY });
    assert!(seen.has("export") && seen.key.unwrap().by_code);
}

/// The same machine, with another key that waits to be confirmed.
const KEY_WAITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/v1-key-waits");

#[test]
fn a_key_of_version_1_that_waits_beside_a_confirmation_is_read() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let seen = opened(KEY_WAITS, dir.path(), &clock).snapshot();
    assert_eq!(seen.troubles, []);
    assert_eq!(seen.state, LicenseState::LicensedByKey { until: BEGIN + 365 * DAY });
    let entered = seen.key.unwrap();
    assert_eq!((entered.number, entered.confirmed_at), (key(2).number(), None));
    assert!(entered.before == Some(key(1).number()) && seen.has("export"));
}

/// A machine on which somebody has signed in, which was added after that.
const BY_ACCOUNT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/v1-by-account");

#[tokio::test]
async fn an_account_of_version_1_is_read() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let home = dir.path().join("0b".repeat(16));
    fs::create_dir(&home).unwrap();
    for name in ["identity", "saved"] {
        fs::copy(Path::new(BY_ACCOUNT).join(name), home.join(name)).unwrap();
    }
    let seen = Portal::start(&clock).await.client(dir.path(), &clock).snapshot();
    assert_eq!(seen.troubles, []);
    assert_eq!(seen.state, LicenseState::LicensedByAccount { until: BEGIN + INTERVAL + 30 * DAY });
    assert!(seen.has("export"));
    assert_eq!(seen.account.unwrap().account, "ann@example.com");
}

#[tokio::test]
#[ignore = "the vectors are made once for each version of the format"]
async fn make_the_vectors_of_an_account() {
    assert!(!Path::new(BY_ACCOUNT).exists(), "vectors are never made again");
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let portal = Portal::start(&clock).await;
    let product = portal.client(dir.path(), &clock);
    product.sign_in().await.unwrap();
    portal.code_is(Typed::Allowed);
    clock.advance(INTERVAL);
    product.finish_sign_in().await.unwrap();
    fs::create_dir_all(BY_ACCOUNT).unwrap();
    for name in ["identity", "saved"] {
        fs::copy(product.snapshot().state_dir.join(name), Path::new(BY_ACCOUNT).join(name)).unwrap();
    }
}

/// A machine with the files of this folder.
fn opened(files: &str, dir: &Path, clock: &Arc<StoryClock>) -> Client {
    let home = dir.join("0b".repeat(16));
    fs::create_dir(&home).unwrap();
    for name in ["identity", "saved", "key"] {
        fs::copy(Path::new(files).join(name), home.join(name)).unwrap();
    }
    codes::open(dir, clock)
}

#[tokio::test]
#[ignore = "the vectors are made once for each version of the format"]
async fn make_the_vectors_of_a_key_that_waits() {
    assert!(!Path::new(KEY_WAITS).exists(), "vectors are never made again");
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let product = opened(BY_CODE, dir.path(), &clock);
    product.set_key_for_later(&typed(2)).await.unwrap();
    fs::create_dir_all(KEY_WAITS).unwrap();
    for name in ["identity", "saved", "key"] {
        fs::copy(product.snapshot().state_dir.join(name), Path::new(KEY_WAITS).join(name)).unwrap();
    }
}

#[tokio::test]
#[ignore = "the vectors are made once for each version of the format"]
async fn make_the_vectors_of_a_machine_by_code() {
    assert!(!Path::new(BY_CODE).exists(), "vectors are never made again");
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let product = codes::with_key(dir.path(), &clock).await;
    let options = MachineOptions::new(Some(BEGIN + 364 * DAY), 1).unwrap();
    let read = product.installation_id().await.unwrap().digits();
    let confirmation = codes::answer(&read, options).text(CodeForm::Digits);
    product.enter_confirmation(&confirmation).await.unwrap();
    fs::create_dir_all(BY_CODE).unwrap();
    for name in ["identity", "saved", "key"] {
        fs::copy(product.snapshot().state_dir.join(name), Path::new(BY_CODE).join(name)).unwrap();
    }
}

/// How these were made, once, into an empty folder.
#[tokio::test]
#[ignore = "the vectors are made once for each version of the format"]
async fn make_the_vectors_with_a_last_round() {
    assert!(!Path::new(WITH_ROUND).exists(), "vectors are never made again");
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let hosts = [Host::start(9, &clock).await, Host::start(8, &clock).await];
    hosts[0].say(Say::Refusal(kms_client::Reason::Blocked.into()));
    hosts[1].say(Say::Waiting(24));
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let all = [gone, hosts[0].address, hosts[1].address].map(|address| address.to_string());
    let product = builder(dir.path(), "this machine", &clock, &[]).hosts(all).build().unwrap();
    product.activate().await.unwrap();
    fs::create_dir_all(WITH_ROUND).unwrap();
    for name in ["identity", "saved"] {
        fs::copy(product.snapshot().state_dir.join(name), Path::new(WITH_ROUND).join(name)).unwrap();
    }
    fs::write(Path::new(WITH_ROUND).join("round"), shown(&product.snapshot())).unwrap();
}

/// How the vectors were made, once: `cargo test -p kms-client -- --ignored`, into an empty folder.
#[tokio::test]
#[ignore = "the vectors are made once for each version of the format"]
async fn make_the_vectors() {
    assert!(!Path::new(FOLDER).exists(), "vectors are never made again");
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let host = Host::start(9, &clock).await;
    let product = client(dir.path(), &clock, &[&host]);
    product.activate().await.unwrap();
    host.say(Say::Refusal(kms_client::Reason::Copied.into()));
    host.say(Say::Waiting(24));
    product.activate().await.unwrap();
    fs::create_dir_all(FOLDER).unwrap();
    for name in ["identity", "identity.next", "saved"] {
        fs::copy(product.snapshot().state_dir.join(name), Path::new(FOLDER).join(name)).unwrap();
    }
    fs::write(Path::new(FOLDER).join("machine"), format!("{}\n", product.snapshot().machine)).unwrap();
}
