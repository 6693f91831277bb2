//! What is only looked at stays as it was: the directory of a host that does not run, whole, killed, damaged, on a disk that
//! is full or can only be read. And a start that failed for want of space harms nothing.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use kms_host::home::{HOUR_MS, Home};
use ledger::Engine;
use tokio::process::Command;
use tokio::time::timeout;
use world::HostProcess;
use world::asker::{Asker, wire};
use world::shop::ORGANISATION;

use crate::commands::{run, run_at};
use crate::space::{SmallDisk, not_run};
use crate::stage::{LIMIT, Stage, YEAR, an_hour_ago, now, program, serve};

/// A directory, and every file and folder below it: mode, time of the last change, and bytes.
pub(crate) fn tree(directory: &Path) -> BTreeMap<PathBuf, (u32, i64, Vec<u8>)> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![directory.to_owned()]);
    while let Some(folder) = folders.pop() {
        let metadata = fs::metadata(&folder).unwrap();
        found.insert(folder.clone(), (metadata.mode(), metadata.ctime_nsec(), Vec::new()));
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let metadata = entry.metadata().unwrap();
            let bytes = if metadata.is_file() { fs::read(entry.path()).unwrap() } else { Vec::new() };
            if metadata.is_dir() {
                folders.push(entry.path());
                continue;
            }
            found.insert(entry.path(), (metadata.mode(), metadata.ctime_nsec(), bytes));
        }
    }
    found
}

/// A host on this engine that has answered some machines, in `directory`.
async fn host_in(stage: &Stage, directory: &Path, engine: Engine) -> HostProcess {
    let home = Home::at(directory);
    home.init(engine, HOUR_MS, &mut rand::rng()).unwrap();
    let settings = format!("ledger = {:?}\nfree_space_mib = 1\n", engine.name());
    fs::write(home.path().join("kms-host.toml"), settings).unwrap();
    stage.shop.certify(&home, ORGANISATION, an_hour_ago(), YEAR).unwrap();
    let host = serve(&home).await;
    for _ in 0..MACHINES {
        let mut asker = Asker::new(&stage.shop).unwrap();
        asker.ask(&mut wire(host.address()).unwrap(), now()).await.unwrap();
    }
    host
}

const MACHINES: u64 = 7;

/// Runs every command that only looks, and holds each to it.
async fn look(stage: &Stage, home: &Home, case: &str) {
    let data = home.path().display().to_string();
    let temporary = stage.folder.path().join("temporary");
    fs::create_dir_all(&temporary).unwrap();
    // For the owner of the data directory, who may be another user.
    fs::set_permissions(&temporary, fs::Permissions::from_mode(0o1777)).unwrap();
    let before = tree(home.path());
    for command in [
        "doctor",
        "status",
        "machines",
        "verify",
        "certificates",
        "audit",
        "config check",
        "export",
        "backup",
        "request",
        "init",
    ] {
        let file = stage.folder.path().join("file").display().to_string();
        let mut arguments: Vec<_> = command.split(' ').collect();
        if let "export" | "backup" = command {
            arguments.push(&file);
        }
        arguments.extend(["--data", &data]);
        let mut program = Command::new(program().path);
        let done = program.args(&arguments).env("TMPDIR", &temporary).kill_on_drop(true).output();
        let done = timeout(LIMIT, done).await.expect("it ends").unwrap();
        let after = tree(home.path());
        let changed: Vec<_> = before.keys().chain(after.keys()).collect();
        let changed: Vec<_> =
            changed.into_iter().filter(|path| before.get(*path) != after.get(*path)).collect();
        let copies = fs::read_dir(&temporary).unwrap().map(|entry| entry.unwrap().path());
        assert_eq!(copies.collect::<Vec<_>>(), Vec::<PathBuf>::new(), "{case}: {command} left a copy");
        assert!(
            changed.is_empty(),
            "{case}: {command} wrote {changed:?}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
        let _ = fs::remove_file(&file);
    }
}

async fn on(engine: Engine) {
    let stage = Stage::with_threshold(1);
    let host = host_in(&stage, &stage.folder.path().join("host"), engine).await;
    let home = host.kill().await.unwrap();
    look(&stage, &home, "killed").await;
    let home = serve(&home).await.stop().await.unwrap();
    look(&stage, &home, "stopped").await;
    fs::write(home.path().join("ledger/snap.00000000000FFFFF.generating"), "").unwrap();
    fs::write(home.path().join("ledger/damaged"), "by an earlier release").unwrap();
    look(&stage, &home, "noted").await;
    fs::write(home.path().join("ledger/mark"), "no mark").unwrap();
    look(&stage, &home, "damaged").await;
}

#[tokio::test]
async fn looking_at_a_host_on_sled_that_does_not_run_writes_nothing() {
    on(Engine::Sled).await;
}

#[tokio::test]
async fn looking_at_a_host_on_fjall_that_does_not_run_writes_nothing() {
    on(Engine::Fjall).await;
}

/// The user nobody.
const OTHER: u32 = 65534;

async fn where_it_may_not_be_written(engine: Engine) {
    let stage = Stage::with_threshold(1);
    let home = host_in(&stage, &stage.folder.path().join("host"), engine).await.kill().await.unwrap();
    fs::set_permissions(stage.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    if tree(home.path()).keys().all(|path| chown(path, Some(OTHER), Some(OTHER)).is_ok()) {
        look(&stage, &home, "another user's").await;
    } else {
        not_run("a look at the directory of another user: this is not root");
    }
    let folders = || tree(home.path()).into_keys().filter(|path| path.is_dir());
    let closed = folders().map(|folder| fs::set_permissions(folder, fs::Permissions::from_mode(0o555)));
    closed.for_each(Result::unwrap);
    look(&stage, &home, "closed").await;
    let export = run_at(&home, &["export", "-"]).await;
    assert_eq!(export.code, 0, "{}", export.stderr);
    // So that whoever runs this can remove it.
    let open = folders().map(|folder| fs::set_permissions(folder, fs::Permissions::from_mode(0o755)));
    open.for_each(Result::unwrap);
}

#[tokio::test]
async fn looking_where_it_may_not_be_written_on_sled_writes_nothing_and_sees_all() {
    where_it_may_not_be_written(Engine::Sled).await;
}

#[tokio::test]
async fn looking_where_it_may_not_be_written_on_fjall_writes_nothing_and_sees_all() {
    where_it_may_not_be_written(Engine::Fjall).await;
}

/// Opening a ledger on a full disk left half a snapshot of sled's, and with that the ledger was "damaged" for ever, though every
/// record of it was there.
async fn on_a_disk_that_is_full(engine: Engine) {
    let stage = Stage::with_threshold(1);
    let disk = match SmallDisk::mount(&stage.folder.path().join("disk"), 200) {
        Ok(disk) => disk,
        Err(why) => return not_run(&format!("a host that starts on a full disk: {why}")),
    };
    let mut home = host_in(&stage, &disk.point().join("data"), engine).await.kill().await.unwrap();
    let data = home.path().display().to_string();
    for command in ["doctor", "serve", "export -", "init", "serve"] {
        disk.fill_whole();
        look(&stage, &home, "full").await;
        let said = if command == "serve" {
            // It may find the little that it needs, and refuse machines.
            let started = HostProcess::start(&program(), &home, ([127, 0, 0, 1], 0).into()).await;
            started.err().map_or(String::new(), |error| error.to_string())
        } else {
            let arguments: Vec<_> = command.split(' ').chain(["--data", &data]).collect();
            run(&arguments).await.stderr
        };
        assert!(!said.contains("damaged"), "{command}: {said}");
        disk.make_room();

        let host = serve(&home).await;
        assert_eq!(host.count().await.unwrap(), MACHINES, "{command}: {said}");
        home = host.kill().await.unwrap();
    }
    disk.remount("ro").unwrap();
    look(&stage, &home, "read-only").await;
    let export = run(&["export", "-", "--data", &data]).await;
    assert_eq!(export.code, 0, "{}", export.stderr);
    disk.remount("rw").unwrap();
    serve(&home).await;
}

#[tokio::test]
async fn a_start_on_a_full_disk_harms_no_ledger_on_sled() {
    on_a_disk_that_is_full(Engine::Sled).await;
}

#[tokio::test]
async fn a_start_on_a_full_disk_harms_no_ledger_on_fjall() {
    on_a_disk_that_is_full(Engine::Fjall).await;
}
