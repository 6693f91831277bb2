//! Looking writes nothing: the directory stays the same byte for byte, whatever state it is in.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kms_client::{Keeping, LicenseState, Reason, Timestamp};

use crate::kept::{HOME, newer};
use crate::world::{BEGIN, DAY, Host, StoryClock, builder, client};

/// Every file and directory, with everything that a look could change.
fn picture(directory: &Path) -> BTreeMap<PathBuf, (String, Option<Vec<u8>>)> {
    let mut seen = BTreeMap::new();
    let mut ways = vec![directory.to_owned()];
    while let Some(path) = ways.pop() {
        let found = fs::symlink_metadata(&path).unwrap();
        if found.is_dir() {
            ways.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        let kept = (found.permissions(), found.modified().unwrap(), found.file_type());
        let content = found.is_file().then(|| fs::read(&path).unwrap());
        seen.insert(path, (format!("{kept:?}"), content));
    }
    seen
}

/// Looks at a state that was changed after a lease, and returns what the look shows.
async fn look(change: impl FnOnce(&Path)) -> String {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let host = Host::start(9, &clock).await;
    client(dir.path(), &clock, &[&host]).activate().await.unwrap();
    change(dir.path());
    see(dir.path(), &clock, &host).await
}

async fn see(dir: &Path, clock: &Arc<StoryClock>, host: &Host) -> String {
    let before = picture(dir);
    let inspector = builder(dir, "this machine", clock, &[host]).inspect().unwrap();
    let (seen, asked) = (inspector.snapshot().clone(), host.seen().len());
    inspector.discover().await;
    assert_eq!(picture(dir), before, "a look has written");
    assert_eq!(host.seen().len(), asked, "a look has asked");
    let troubles: Vec<_> = seen.troubles.iter().map(|trouble| trouble.code.as_str()).collect();
    let how = seen.keeping;
    format!("{how:?} licensed {} {}", seen.state.is_licensed(), troubles.join(","))
}

#[tokio::test]
async fn a_look_writes_nothing_whatever_it_finds() {
    let file = |name: &str| Path::new(HOME).join(name);
    assert_eq!(look(|_| {}).await, "Kept licensed true ");
    assert_eq!(look(|dir| fs::remove_dir_all(dir.join(HOME)).unwrap()).await, "NotBegun licensed false ");
    let emptied = |dir: &Path| {
        fs::remove_dir_all(dir.join(HOME)).unwrap();
        fs::create_dir(dir.join(HOME)).unwrap();
    };
    assert_eq!(look(emptied).await, "NotBegun licensed false ");
    for name in ["saved", "identity"] {
        let removed = look(|dir| fs::remove_file(dir.join(file(name))).unwrap()).await;
        assert_eq!(removed, "Kept licensed false ", "{name}");
        let damaged = look(|dir| fs::write(dir.join(file(name)), "garbage").unwrap()).await;
        assert_eq!(damaged, "Kept licensed false STATE_DAMAGED", "{name}");
    }
    let without_lock = look(|dir| fs::remove_file(dir.join(file("lock"))).unwrap()).await;
    assert_eq!(without_lock, "Kept licensed true ");
    for (name, licensed) in [("identity", true), ("identity.next", true), ("saved", false)] {
        let seen = look(|dir| newer(&dir.join(file(name)))).await;
        assert_eq!(seen, format!("Frozen licensed {licensed} STATE_NEWER"), "{name}");
    }
    // Files that no user can read.
    let blocked = |name: &'static str| {
        move |dir: &Path| {
            let _ = fs::remove_file(dir.join(file(name)));
            fs::create_dir(dir.join(file(name))).unwrap();
        }
    };
    assert_eq!(look(blocked("identity")).await, "ReadOnly licensed true IDENTITY_UNREADABLE");
    assert_eq!(look(blocked("saved")).await, "Frozen licensed false STATE_UNREADABLE");
    assert_eq!(look(blocked("lock")).await, "Frozen licensed true STATE_UNWRITABLE");
}

#[cfg(unix)]
#[tokio::test]
async fn a_look_between_two_renames_shows_what_the_next_start_makes_of_it() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let host = Host::start(9, &clock).await;
    let product = client(dir.path(), &clock, &[&host]);
    product.activate().await.unwrap();
    host.say(crate::world::Say::Refusal(Reason::Copied.into()));
    product.activate().await.unwrap();
    // Killed after `saved` was written and before the new key had its name.
    let home = dir.path().join(HOME);
    fs::rename(home.join("identity"), home.join("identity.next")).unwrap();
    assert_eq!(see(dir.path(), &clock, &host).await, "Kept licensed true ");
    assert!(client(dir.path(), &clock, &[&host]).state().is_licensed());
}

#[test]
fn a_look_at_a_machine_on_which_nothing_ran_says_so_and_hosts_can_be_named_there() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let inspector = builder(dir.path(), "this machine", &clock, &[]).inspect().unwrap();
    let path = dir.path().join(HOME);
    let seen = inspector.snapshot();
    assert_eq!((seen.keeping, &seen.state_dir), (Keeping::NotBegun, &path));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(inspector.set_hosts(&["kms1".parse().unwrap()])).unwrap();
    let names: Vec<_> = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["hosts"], "an image may carry hosts, and no identity");

    clock.advance(10 * DAY);
    let until: Timestamp = BEGIN + 35 * DAY;
    assert_eq!(client(dir.path(), &clock, &[]).state(), LicenseState::InGrace { until });
}
