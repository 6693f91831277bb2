//! Unknown is not damaged, and not writable is not unreadable: such a state is left as it is, and its lease counts.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kms_client::{Client, Keeping, LicenseState, Outcome, Reason};

use crate::world::{BEGIN, DAY, Host, Say, StoryClock, client};

/// The product's folder in its state directory.
pub(crate) const HOME: &str = "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b";

/// Writes a file of a newer format. Its body does not matter.
pub(crate) fn newer(file: &Path) {
    let magic = if file.ends_with("saved") { b"KMSS" } else { b"KMSI" };
    fs::write(file, sealed(&[&magic[..], &[2], b"what nobody knows yet"].concat())).unwrap();
}

fn sealed(content: &[u8]) -> Vec<u8> {
    [content, &shared::envelope::digest(content)[..8]].concat()
}

struct Licensed {
    dir: tempfile::TempDir,
    clock: Arc<StoryClock>,
    host: Host,
    client: Client,
}

impl Licensed {
    async fn new() -> Licensed {
        let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
        let host = Host::start(9, &clock).await;
        let client = client(dir.path(), &clock, &[&host]);
        client.activate().await.unwrap();
        Licensed { dir, clock, host, client }
    }

    /// Another start of the product.
    fn again(&self) -> Client {
        client(self.dir.path(), &self.clock, &[&self.host])
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(HOME).join(name)
    }

    /// Makes the state unwritable for every user: a directory is in the place of the lock.
    fn shut(&self) {
        fs::remove_file(self.file("lock")).unwrap();
        fs::create_dir(self.file("lock")).unwrap();
    }

    fn open(&self) {
        fs::remove_dir(self.file("lock")).unwrap();
    }
}

/// An older library took a newer file for a damaged one, and replaced it. The newer product lost its identity and lease.
#[tokio::test]
async fn a_state_of_a_newer_release_is_left_as_it_is_and_named() {
    for name in ["identity", "identity.next", "saved"] {
        let licensed = Licensed::new().await;
        newer(&licensed.file(name));
        let files = ["identity", "saved", name].map(|name| (name, fs::read(licensed.file(name)).unwrap()));

        let older = licensed.again();
        let seen = older.snapshot();
        assert_eq!(seen.keeping, Keeping::Frozen, "{name}");
        assert_eq!(seen.troubles[0].reason(), Some(Reason::StateNewer), "{name}");
        assert_eq!(seen.troubles[0].remedy(), Reason::StateNewer.remedy());
        assert_eq!(older.identity_reset().await.unwrap_err().reason(), Some(Reason::StateNewer));
        assert_eq!(older.release().await.unwrap_err().reason(), Some(Reason::StateNewer));
        // It can read no lease, so it is licensed as a machine that keeps nothing.
        if name == "saved" {
            older.activate().await.unwrap();
            assert!(older.state().is_licensed() && !licensed.host.last().ask.kept);
        } else {
            assert_eq!(older.activate().await.unwrap_err().reason(), Some(Reason::StateNewer));
            assert!(older.state().is_licensed(), "what is read holds");
        }
        for (file, bytes) in files {
            assert_eq!(fs::read(licensed.file(file)).unwrap(), bytes, "{name}: {file}");
        }
        assert!(!licensed.file("saved.new").exists());
    }
}

#[tokio::test]
async fn a_product_that_runs_while_a_newer_one_takes_over_writes_no_more() {
    for name in ["identity", "identity.next", "saved"] {
        let licensed = Licensed::new().await;
        newer(&licensed.file(name));
        let (saved, other) =
            (fs::read(licensed.file("saved")).unwrap(), fs::read(licensed.file(name)).unwrap());
        let refused = licensed.client.activate().await.unwrap_err();
        assert_eq!(refused.reason(), Some(Reason::StateNewer), "{name}");
        let seen = licensed.client.snapshot();
        assert!(seen.state.is_licensed() && seen.troubles.contains(&refused), "{name}");
        licensed.client.organisation_clear().await.unwrap_err();
        assert_eq!(fs::read(licensed.file("saved")).unwrap(), saved);
        assert_eq!(fs::read(licensed.file(name)).unwrap(), other);
        assert_eq!(licensed.host.seen().len(), 1);
    }
}

/// A lease on a disk that had become read-only was ignored, and the machine had another id.
#[tokio::test]
async fn a_lease_on_a_disk_that_cannot_be_written_holds_and_nobody_is_asked() {
    let licensed = Licensed::new().await;
    licensed.shut();
    let product = licensed.again();
    let seen = product.snapshot();
    assert_eq!(seen.keeping, Keeping::Frozen);
    assert_eq!((seen.machine, seen.state), (licensed.client.snapshot().machine, licensed.client.state()));
    assert_eq!(seen.troubles[0].reason(), Some(Reason::StateUnwritable));
    assert_eq!(product.activate().await.unwrap_err().reason(), Some(Reason::StateUnwritable));
    assert_eq!(product.identity_reset().await.unwrap_err().reason(), Some(Reason::StateUnwritable));
    assert_eq!(licensed.host.seen().len(), 1, "its next serial could not be saved");

    // The disk is writable again, and the product continues without a restart.
    licensed.open();
    product.activate().await.unwrap();
    assert_eq!(licensed.host.last().ask.serial, 1);
    let seen = product.snapshot();
    assert!(seen.keeping == Keeping::Kept && seen.troubles.is_empty(), "{seen:?}");
    assert_eq!(seen.machine, licensed.client.snapshot().machine);
}

#[tokio::test]
async fn a_grace_on_a_disk_that_cannot_be_written_goes_on_and_a_lease_lasts_as_long_as_the_process() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let host = Host::start(9, &clock).await;
    let first = client(dir.path(), &clock, &[&host]);
    host.say(Say::Waiting(3));
    first.activate().await.unwrap();
    let machine = first.snapshot().machine;
    let lock = dir.path().join(HOME).join("lock");
    fs::remove_file(&lock).unwrap();
    fs::create_dir(&lock).unwrap();
    clock.advance(10 * DAY);

    let product = client(dir.path(), &clock, &[&host]);
    let until = BEGIN + 25 * DAY;
    assert_eq!((product.snapshot().machine, product.state()), (machine, LicenseState::InGrace { until }));
    product.activate().await.unwrap();
    assert!(product.state().is_licensed() && !host.last().ask.kept);
    assert_ne!(host.last().ask.machine(), machine, "the one on the disk is not used up");
    product.activate().await.unwrap();
    assert_eq!(host.last().ask.serial, 1);

    fs::remove_dir(&lock).unwrap();
    assert!(matches!(product.activate().await.unwrap().outcome, Outcome::Leased { .. }));
    assert!(!host.last().ask.kept, "its lease would be lost");
    let again = client(dir.path(), &clock, &[&host]);
    assert_eq!((again.snapshot().machine, again.state()), (machine, LicenseState::InGrace { until }));
}

/// A product also starts for the first time on a full disk.
#[tokio::test]
async fn a_state_that_can_be_begun_only_in_part_stops_no_product() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let host = Host::start(9, &clock).await;
    let home = dir.path().join(HOME);
    // Every write goes through this name first.
    fs::create_dir_all(home.join("identity.new")).unwrap();
    let product = client(dir.path(), &clock, &[&host]);
    let seen = product.snapshot();
    assert_eq!(seen.keeping, Keeping::NotKept);
    assert_eq!(seen.troubles[0].reason(), Some(Reason::StateUnwritable));
    product.activate().await.unwrap();
    assert!(product.state().is_licensed());

    // `saved` cannot be read, but the identity can. A start loses nothing.
    let licensed = Licensed::new().await;
    fs::remove_file(licensed.file("saved")).unwrap();
    fs::create_dir(licensed.file("saved")).unwrap();
    let identity = fs::read(licensed.file("identity")).unwrap();
    let seen = licensed.again().snapshot();
    assert_eq!(seen.troubles[0].reason(), Some(Reason::StateUnreadable));
    assert_eq!(fs::read(licensed.file("identity")).unwrap(), identity);
}

/// A field that a later release adds to the same format was dropped by the next write of an earlier one.
#[tokio::test]
async fn fields_of_a_later_release_are_written_back_as_they_came() {
    const LATER: &[u8] = b"\xc2\x3e\x05later\xc8\x3e\x07";
    let licensed = Licensed::new().await;
    let whole = fs::read(licensed.file("saved")).unwrap();
    let content = [&whole[..whole.len() - 8], LATER].concat();
    fs::write(licensed.file("saved"), sealed(&content)).unwrap();
    licensed.client.activate().await.unwrap();
    licensed.again().activate().await.unwrap();
    assert_eq!(licensed.host.last().ask.serial, 2);
    let saved = fs::read(licensed.file("saved")).unwrap();
    assert!(saved.windows(LATER.len()).any(|window| window == LATER), "{saved:x?}");
}

/// The mount point. It is set in the process that has a mount namespace of its own.
#[cfg(target_os = "linux")]
const WITHIN: &str = "KMS_TEST_WITHIN";

/// Not writable is not unreadable, on a real file system that was mounted read-only behind the product's back.
#[cfg(target_os = "linux")]
#[test]
fn a_lease_on_a_disk_that_is_mounted_read_only_now_holds() {
    use std::process::Command;
    const NAME: &str = "kept::a_lease_on_a_disk_that_is_mounted_read_only_now_holds";
    if let Some(place) = std::env::var_os(WITHIN) {
        let story = on_a_disk_that_is_read_only_now(Path::new(&place));
        return tokio::runtime::Runtime::new().unwrap().block_on(story);
    }
    if !Command::new("unshare").args(["--mount", "true"]).output().is_ok_and(|tried| tried.status.success()) {
        eprintln!("NOT RUN: a state on a disk that is read-only: this is not root");
        return;
    }
    let (place, mut within) = (tempfile::tempdir().unwrap(), Command::new("unshare"));
    within.arg("--mount").arg(std::env::current_exe().unwrap()).args(["--exact", NAME, "--nocapture"]);
    assert!(within.env(WITHIN, place.path()).status().unwrap().success(), "what it says stands above");
}

#[cfg(target_os = "linux")]
async fn on_a_disk_that_is_read_only_now(dir: &Path) {
    let clock = StoryClock::new();
    let mount = |options: &[&str]| {
        let mounted = std::process::Command::new("mount").args(options).arg(dir).status();
        assert!(mounted.unwrap().success());
    };
    mount(&["-t", "tmpfs", "tmpfs"]);
    let host = Host::start(9, &clock).await;
    let before = client(dir, &clock, &[&host]);
    before.activate().await.unwrap();
    mount(&["-o", "remount,ro"]);

    let inspector = crate::world::builder(dir, "this machine", &clock, &[&host]).inspect().unwrap();
    let after = client(dir, &clock, &[&host]);
    for seen in [inspector.snapshot().clone(), after.snapshot()] {
        assert_eq!((seen.machine, seen.state), (before.snapshot().machine, before.state()));
    }
    // It cannot remember a serial, so it does not ask.
    assert_eq!(after.activate().await.unwrap_err().reason(), Some(Reason::StateUnwritable));
    assert!(after.state().is_licensed());
    assert_eq!(host.seen().len(), 1);

    mount(&["-o", "remount,rw"]);
    client(dir, &clock, &[&host]).activate().await.unwrap();
    assert_eq!(host.seen().len(), 2);
}
