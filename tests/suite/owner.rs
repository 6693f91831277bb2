//! Root at work in the data directory of a service that runs as another user.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;

use kms_host::home::Home;
use world::shop::ORGANISATION;

use crate::commands::run;
use crate::stage::{Stage, YEAR, an_hour_ago, folder, serve};

/// The user nobody, who owns the directory of the story.
const OWNER: u32 = 65534;

/// Otherwise `sudo kms-host init` leaves a signing key that the service may not read.
#[tokio::test]
async fn what_root_makes_belongs_to_the_owner_of_the_data_directory() {
    let stage = Stage::with_threshold(1);
    let home = Home::at(folder(&stage, "host"));
    if chown(home.path(), Some(OWNER), Some(OWNER)).is_err() {
        eprintln!("NOT RUN: root at work in the directory of another user: this is not root");
        return;
    }
    fs::set_permissions(stage.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let data = home.path().display().to_string();

    let made = run(&["init", "--data", &data]).await;
    assert_eq!(made.code, 0, "{}", made.stderr);
    assert_eq!(owners(home.path()), [OWNER]);

    // The answer lies where only root may read.
    stage.shop.certify(&home, ORGANISATION, an_hour_ago(), YEAR).unwrap();
    for folder in ["certificates", "known"] {
        fs::remove_dir_all(home.path().join(folder)).unwrap();
    }
    let private = folder(&stage, "root");
    fs::set_permissions(&private, fs::Permissions::from_mode(0o700)).unwrap();
    let answer = private.join("answer.pem");
    fs::rename(home.path().with_extension("certificate.pem"), &answer).unwrap();
    let installed = run(&["install-certificate", &answer.display().to_string(), "--data", &data]).await;
    assert_eq!(installed.code, 0, "{}", installed.stderr);
    assert_eq!(owners(home.path()), [OWNER]);

    let host = serve(&home).await;
    stage.machine("machine", &[host.address()]).activate().await.unwrap();
    assert!(home.socket_path().exists());
    assert_eq!(owners(home.path()), [OWNER]);

    // A ledger that nobody serves is opened to be read, and engines write when they are opened.
    host.stop().await.unwrap();
    let backup = private.join("backup").display().to_string();
    let taken = run(&["backup", &backup, "--data", &data]).await;
    assert_eq!(taken.code, 0, "{}", taken.stderr);
    assert_eq!(owners(home.path()), [OWNER]);

    fs::remove_dir_all(home.path()).unwrap();
    fs::create_dir(home.path()).unwrap();
    chown(home.path(), Some(OWNER), Some(OWNER)).unwrap();
    let restored = run(&["restore", &backup, "--data", &data]).await;
    assert_eq!(restored.code, 0, "{}", restored.stderr);
    assert_eq!(owners(home.path()), [OWNER]);

    // A program that root runs for a directory without an owner of its own is root as ever.
    let other = folder(&stage, "other").display().to_string();
    assert_eq!(run(&["restore", &backup, "--data", &other]).await.code, 0);
    assert_eq!(owners(Path::new(&other)), [0]);
}

/// An engine writes even where it is only read: a backup by root of a host that does not run would leave files that the host
/// cannot open any more. The backup itself is root's, in a directory of root's.
#[tokio::test]
async fn what_root_backs_up_and_restores_belongs_to_the_owner_of_the_data_directory() {
    let stage = Stage::with_threshold(1);
    let home = Home::at(folder(&stage, "host"));
    if chown(home.path(), Some(OWNER), Some(OWNER)).is_err() {
        eprintln!("NOT RUN: root backs up the directory of another user: this is not root");
        return;
    }
    fs::set_permissions(stage.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let private = folder(&stage, "root");
    fs::set_permissions(&private, fs::Permissions::from_mode(0o700)).unwrap();
    let backup = private.join("backup").display().to_string();
    let command = async |arguments: &[&str], home: &Home| {
        let done = run(&[arguments, &["--data", &home.path().display().to_string()]].concat()).await;
        assert_eq!(done.code, 0, "{arguments:?}: {}", done.stderr);
        done.stdout
    };
    command(&["init"], &home).await;
    for engine in ["sled", "fjall"] {
        command(&["backup", &backup, "--force"], &home).await;
        assert_eq!((owners(home.path()), owners(&private)), (vec![OWNER], vec![0]));
        fs::rename(home.path().join("ledger"), home.path().join(format!("ledger.not-{engine}"))).unwrap();
        fs::write(home.path().join("kms-host.toml"), format!("ledger = {engine:?}\n")).unwrap();
        chown(home.path().join("kms-host.toml"), Some(OWNER), Some(OWNER)).unwrap();
        command(&["import", &backup], &home).await;
        assert_eq!(owners(home.path()), [OWNER]);
    }

    let restored = Home::at(folder(&stage, "restored"));
    chown(restored.path(), Some(OWNER), Some(OWNER)).unwrap();
    let said = command(&["restore", &backup], &restored).await;
    assert_eq!(owners(restored.path()), [OWNER]);
    assert!(!said.contains("chown"), "{said}");
}

/// Every user who owns something below this directory, the directory included.
fn owners(path: &Path) -> Vec<u32> {
    let mut owners = vec![fs::symlink_metadata(path).unwrap().uid()];
    if path.is_dir() {
        owners.extend(fs::read_dir(path).unwrap().flat_map(|entry| self::owners(&entry.unwrap().path())));
    }
    owners.sort_unstable();
    owners.dedup();
    owners
}
