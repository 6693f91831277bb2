//! The state on the disk: damage is reported, costs no identity, and is no way to get grace for ever.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kms_client::{Client, Keeping, LicenseState, Outcome, Reason};

use crate::world::{BEGIN, DAY, Host, StoryClock, builder, client, product};

fn home(client: &Client) -> PathBuf {
    client.snapshot().state_dir
}

/// A machine that began at `BEGIN`, ten days later.
fn begun(dir: &Path) -> (Arc<StoryClock>, Client) {
    let clock = StoryClock::new();
    let product = client(dir, &clock, &[]);
    clock.advance(10 * DAY);
    (clock, product)
}

#[test]
fn whatever_happens_to_saved_is_reported_and_costs_neither_identity_nor_grace() {
    let dir = tempfile::tempdir().unwrap();
    let (clock, first) = begun(dir.path());
    let (saved, machine) = (home(&first).join("saved"), first.snapshot().machine);
    let whole = fs::read(&saved).unwrap();
    let cut_off = (0..whole.len()).map(|length| whole[..length].to_vec());
    let flipped = (0..whole.len()).map(|at| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        bytes
    });
    for damaged in cut_off.chain(flipped) {
        fs::write(&saved, &damaged).unwrap();
        let product = client(dir.path(), &clock, &[]);
        let seen = product.snapshot();
        assert_eq!(seen.troubles[0].reason(), Some(Reason::StateDamaged), "{damaged:x?}");
        assert_eq!(seen.machine, machine);
        let until = BEGIN + 25 * DAY;
        assert_eq!(seen.state, LicenseState::InGrace { until });
        let again = client(dir.path(), &clock, &[]).snapshot();
        assert!(again.troubles.is_empty(), "it is made anew once");
    }
}

#[tokio::test]
async fn a_process_that_knows_better_writes_a_damaged_file_again() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let host = Host::start(9, &clock).await;
    let running = client(dir.path(), &clock, &[&host]);
    running.activate().await.unwrap();
    fs::write(home(&running).join("saved"), "KMSS").unwrap();
    host.say(crate::world::Say::Refusal(Reason::Blocked.into()));
    running.activate().await.unwrap();
    assert!(running.state().is_licensed());
    assert_eq!(running.snapshot().troubles[0].reason(), Some(Reason::StateDamaged));
    assert!(client(dir.path(), &clock, &[]).state().is_licensed());
}

#[test]
fn a_lost_identity_is_another_machine_with_the_same_grace() {
    for damaged in [None, Some(&b"KMSI"[..]), Some(&[0; 53][..])] {
        let dir = tempfile::tempdir().unwrap();
        let (clock, first) = begun(dir.path());
        let identity = home(&first).join("identity");
        match damaged {
            None => fs::remove_file(&identity).unwrap(),
            Some(bytes) => fs::write(&identity, bytes).unwrap(),
        }
        let seen = client(dir.path(), &clock, &[]).snapshot();
        assert_ne!(seen.machine, first.snapshot().machine);
        let until = BEGIN + 25 * DAY;
        assert_eq!(seen.state, LicenseState::InGrace { until });
        assert_eq!(seen.troubles.is_empty(), damaged.is_none());
    }
}

#[tokio::test]
async fn a_saved_state_beside_another_identity_is_not_used() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let clock = StoryClock::new();
    let host = Host::start(9, &clock).await;
    let licensed = client(dir.path(), &clock, &[&host]);
    licensed.activate().await.unwrap();
    let fresh = client(other.path(), &clock, &[&host]);
    fs::copy(home(&licensed).join("saved"), home(&fresh).join("saved")).unwrap();

    let seen = client(other.path(), &clock, &[&host]).snapshot();
    assert!(!seen.state.is_licensed());
    assert_eq!(seen.machine, fresh.snapshot().machine);
    assert_eq!(seen.troubles[0].reason(), Some(Reason::StateDamaged));
}

#[tokio::test]
async fn without_a_directory_the_product_runs_is_licensed_while_it_does_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "not a directory").unwrap();
    let clock = StoryClock::new();
    let host = Host::start(9, &clock).await;
    let product = client(&file, &clock, &[&host]);
    assert_eq!(product.snapshot().keeping, Keeping::NotKept);
    let trouble = &product.snapshot().troubles[0];
    assert_eq!(trouble.reason(), Some(Reason::StateUnwritable));

    product.activate().await.unwrap();
    assert!(product.state().is_licensed() && !host.last().ask.kept);
    let machine = product.snapshot().machine;
    product.activate().await.unwrap();
    assert_eq!((host.last().ask.machine(), host.last().ask.serial), (machine, 1));
    let hosts = ["kms1".parse().unwrap()];
    let refused = product.set_hosts(&hosts).await.unwrap_err();
    assert_eq!(refused.reason(), Some(Reason::StateUnwritable));
}

#[test]
fn where_only_a_users_own_directory_can_be_written_each_user_counts() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "not a directory").unwrap();
    let clock = StoryClock::new();
    let own = builder(&file, "this machine", &clock, &[]).fallback_dir(dir.path().join("own"));
    let product = own.build().unwrap();
    assert_eq!(product.snapshot().keeping, Keeping::PerUser);
    assert!(home(&product).join("saved").exists());
}

#[tokio::test]
async fn who_may_not_read_the_identity_sees_the_license_and_asks_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let clock = StoryClock::new();
    let host = Host::start(9, &clock).await;
    let service = client(dir.path(), &clock, &[&host]);
    service.activate().await.unwrap();
    let identity = home(&service).join("identity");
    // Tests may run as root, who can read any file. No user can read a directory as one.
    fs::remove_file(&identity).unwrap();
    fs::create_dir(&identity).unwrap();

    let user = client(dir.path(), &clock, &[&host]);
    let seen = user.snapshot();
    assert_eq!(seen.keeping, Keeping::ReadOnly);
    assert_eq!((seen.machine, seen.state), (service.snapshot().machine, service.state()));
    assert_eq!(user.activate().await.unwrap_err().reason(), Some(Reason::IdentityUnreadable));
    assert_eq!(host.seen().len(), 1);
}

#[tokio::test]
async fn a_disk_that_fails_under_way_ends_the_round_before_anything_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    let clock = StoryClock::new();
    let host = Host::start(9, &clock).await;
    let product = client(dir.path(), &clock, &[&host]);
    // Every write goes through this name first.
    fs::create_dir(home(&product).join("saved.new")).unwrap();
    let round = product.activate().await.unwrap();
    let Outcome::Failed(cause) = round.outcome else {
        panic!("{round:?}");
    };
    assert_eq!(cause.reason(), Some(Reason::StateUnwritable));
    assert!(host.seen().is_empty());

    fs::remove_dir(home(&product).join("saved.new")).unwrap();
    product.activate().await.unwrap();
    assert!(product.state().is_licensed());
}

#[cfg(unix)]
#[test]
fn everybody_may_read_the_license_and_nobody_the_key() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let home = home(&client(dir.path(), &StoryClock::new(), &[]));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&home), 0o755);
    assert_eq!(mode(&home.join("identity")), 0o600);
    assert_eq!(mode(&home.join("saved")), 0o644);
}

#[tokio::test]
async fn an_administrator_names_hosts_and_takes_that_back() {
    let dir = tempfile::tempdir().unwrap();
    let clock = StoryClock::new();
    let host = Host::start(9, &clock).await;
    let product = client(dir.path(), &clock, &[&host]);
    product.set_hosts(&["kms1".parse().unwrap(), "[::1]:9".parse().unwrap()]).await.unwrap();
    let asked = |found: kms_client::Discovery| -> Vec<String> {
        found.hosts.iter().map(|known| known.host.to_string()).collect()
    };
    assert_eq!(asked(product.discover().await), ["kms1:21688", "[::1]:9"]);
    product.clear_hosts().await.unwrap();
    assert_eq!(asked(product.discover().await), [host.address.to_string()]);
    assert!(host.seen().is_empty());
}

#[test]
fn what_the_vendor_has_to_mend_is_said_when_the_client_is_built() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |builder: kms_client::Builder| builder.build().unwrap_err().to_string();
    let long_grace = product().with_grace(61 * DAY);
    expect_test::expect!["the product's grace is 61 d, and may not be above 60 d"]
        .assert_eq(&refused(Client::builder(long_grace).state_dir(dir.path())));
    let mut weak = product();
    weak.roots[1] = [0; 32];
    expect_test::expect!["the product's pinned roots are not two public keys of Ed25519"]
        .assert_eq(&refused(Client::builder(weak).state_dir(dir.path())));
    expect_test::expect!["`::1` names no host: write an IPv6 address in brackets: [::1]"]
        .assert_eq(&refused(Client::builder(product()).state_dir(dir.path()).hosts(["::1"])));
    expect_test::expect!["no state directory: give one with `.state_dir(path)`"]
        .assert_eq(&refused(Client::builder(product())));
}
