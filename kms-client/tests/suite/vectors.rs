//! The files of version 1 as they were first written. They are never deleted and never made again: a machine out there
//! has them, and every later release reads them.

use std::fs;
use std::path::Path;

use kms_client::LicenseState;

use crate::world::{BEGIN, DAY, Host, Say, StoryClock, client};

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
        fs::copy(product.snapshot().keeping.path().join(name), Path::new(FOLDER).join(name)).unwrap();
    }
    fs::write(Path::new(FOLDER).join("machine"), format!("{}\n", product.snapshot().machine)).unwrap();
}
