//! Links and pipes in the place of our files. The owner of the directory can put them there, and an administrator runs commands in it
//! as root. Only as root do these stories see to whom a file is given.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use kms_client::{BuildError, Keeping, Reason, Snapshot};

use crate::world::{StoryClock, client};

/// The owner of the directory, if the tests may give it away.
const USER: u32 = 12_345;

/// The product's directory, made by its user and empty, in this state directory.
fn home_of_user(state: &Path) -> PathBuf {
    let home = state.join("0b".repeat(16));
    fs::create_dir(&home).unwrap();
    // Without root it is not given away, and the stories show less.
    let _ = chown(&home, Some(USER), Some(USER));
    home
}

fn pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// Builds a client within ten seconds or fails, because a story about a hang must not hang.
fn start(state: &Path) -> Result<Snapshot, BuildError> {
    let (tell, told) = mpsc::channel();
    let state = state.to_owned();
    std::thread::spawn(move || {
        let builder = crate::world::builder(&state, "this machine", &StoryClock::new(), &[]);
        // If nobody waits any more, the test has failed already.
        let _ = tell.send(builder.build().map(|client| client.snapshot()));
    });
    told.recv_timeout(Duration::from_secs(10)).expect("no pipe is waited for")
}

#[test]
fn what_the_administrator_makes_belongs_to_the_directorys_owner() {
    let dir = tempfile::tempdir().unwrap();
    let home = home_of_user(dir.path());
    start(dir.path()).unwrap();
    let owner = fs::metadata(&home).unwrap().uid();
    for name in ["identity", "saved", "lock"] {
        assert_eq!(fs::metadata(home.join(name)).unwrap().uid(), owner, "{name}");
    }
}

#[test]
fn a_file_that_was_there_is_given_to_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let [state, elsewhere] = ["state", "shadow"].map(|name| dir.path().join(name));
    fs::create_dir(&state).unwrap();
    let home = home_of_user(&state);
    fs::write(&elsewhere, "root's").unwrap();
    let before = fs::metadata(&elsewhere).unwrap().uid();

    symlink(&elsewhere, home.join("lock")).unwrap();
    let seen = start(&state).unwrap();
    assert_eq!(seen.keeping, Keeping::NotKept);
    assert_eq!(seen.troubles[0].reason(), Some(Reason::StateUnwritable));
    assert_eq!(seen.troubles[0].parameter("cause"), Some("`lock` is not a regular file"));
    assert_eq!(fs::metadata(&elsewhere).unwrap().uid(), before);

    // A hard link is the file itself. It serves as a lock and stays as it was.
    fs::remove_file(home.join("lock")).unwrap();
    fs::hard_link(&elsewhere, home.join("lock")).unwrap();
    start(&state).unwrap();
    assert_eq!(fs::metadata(&elsewhere).unwrap().uid(), before);
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "root's");
}

#[test]
fn a_link_that_leads_nowhere_makes_no_file_there() {
    let dir = tempfile::tempdir().unwrap();
    let [state, elsewhere] = ["state", "nologin"].map(|name| dir.path().join(name));
    fs::create_dir(&state).unwrap();
    symlink(&elsewhere, home_of_user(&state).join("lock")).unwrap();
    start(&state).unwrap();
    assert!(!elsewhere.exists());
}

#[test]
fn a_folder_that_leads_elsewhere_is_not_used() {
    let dir = tempfile::tempdir().unwrap();
    let [state, elsewhere] = ["state", "etc"].map(|name| dir.path().join(name));
    fs::create_dir(&state).unwrap();
    fs::create_dir(&elsewhere).unwrap();
    symlink(&elsewhere, state.join("0b".repeat(16))).unwrap();
    let seen = start(&state).unwrap();
    assert_eq!(seen.keeping, Keeping::NotKept);
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
}

#[test]
fn a_pipe_is_named_and_not_waited_for() {
    for name in ["lock", "saved", "identity", "identity.next"] {
        let dir = tempfile::tempdir().unwrap();
        let home = home_of_user(dir.path());
        pipe(&home.join(name));
        let shown = match start(dir.path()) {
            Ok(seen) => seen.troubles[0].to_string(),
            Err(error) => error.to_string(),
        };
        let place = if name == "identity" { home.display().to_string() } else { format!("`{name}`") };
        assert!(shown.contains(&place), "{name}: {shown}");
    }
}

#[tokio::test]
async fn hosts_that_are_a_link_are_passed_over_and_a_new_file_takes_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let [state, elsewhere] = ["state", "shadow"].map(|name| dir.path().join(name));
    let product = client(&state, &StoryClock::new(), &[]);
    let hosts = product.snapshot().state_dir.join("hosts");
    fs::write(&elsewhere, "kms1\n").unwrap();
    symlink(&elsewhere, &hosts).unwrap();
    let asked = async || product.discover().await.hosts.iter().map(|known| known.host.to_string()).collect();
    let named: Vec<String> = asked().await;
    assert!(!named.contains(&"kms1:21688".to_owned()), "{named:?}");
    let problem = &product.discover().await.problems[0];
    assert_eq!(problem.place, hosts.display().to_string(), "it is not a missing file");
    assert!(problem.cause.to_string().contains("`hosts` is not a regular file"), "{}", problem.cause);

    product.set_hosts(&["kms2".parse().unwrap()]).await.unwrap();
    let named: Vec<String> = asked().await;
    assert_eq!(named, ["kms2:21688"]);
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "kms1\n");
}
