//! Every way in which a backup, a restore and an import are cut short.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use kms_host::export::{self, ExportFile, ExportKind, ExportWriter, Head};
use kms_host::home::{Home, HomeError};
use ledger::{Engine, Kept, Ledger};
use rand::RngExt;
use shared::ids::{Fingerprint, MachineId, Nonce};
use shared::record::{Record, RecordState};
use tokio::process::{Child, Command};
use world::HostProcess;

use super::{THRESHOLD, alarms, at, check_count, meta, text, try_at};
use crate::stage::{LOOPBACK, Stage, an_hour_ago, now, program, serve, until};

/// So many that a process can be killed while it makes a ledger of them.
const MANY: u64 = 15_000;

/// How much of the ledger has to be on disk before the next process is killed, in KiB. The last is more than it becomes.
const KILLED_AT_KIB: [u64; 4] = [1, 600, 1_500, 9_000];

/// A backup of a host that has many machines; the files are those of this one.
fn large_backup(stage: &Stage, home: &Home, file: &Path) {
    let mut writer = ExportWriter::begin(&Head::new(ExportKind::Backup, now(), None, meta()));
    for carried in home.files().unwrap() {
        carried.read(|part| writer.file(part)).unwrap();
    }
    let (mut random, at) = (rand::rng(), now());
    writer.row(&Kept::LastTime(at));
    let step = u64::MAX / MANY;
    for number in 0..MANY {
        let mut machine = [0; 16];
        machine[..8].copy_from_slice(&(number * step).to_be_bytes());
        let record = Record {
            state: RecordState::Active,
            serial: 1,
            nonce: Nonce::from_bytes(random.random()),
            asked_at: at,
            seen_at: at,
            first_seen: at,
            licensed_until: None,
            fingerprint: Fingerprint::NONE,
        };
        let (product, machine) = (stage.shop.product().id, MachineId::from_bytes(machine));
        writer.row(&Kept::Machine { product, machine, record });
    }
    fs::write(file, writer.end()).unwrap();
}

fn size_kib(directory: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(directory) else { return 0 };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size_kib(&entry.path()),
        Ok(metadata) => std::os::unix::fs::MetadataExt::blocks(&metadata) / 2,
        Err(_) => 0,
    });
    1 + sizes.sum::<u64>()
}

/// Starts a command and kills it once it has written so much of the ledger. Says whether it was still running.
async fn killed(home: &Home, command: &str, file: &Path, at_kib: u64) -> bool {
    let mut child: Child = Command::new(program().path)
        .args([command, &text(file), "--data", &text(home.path())])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let draft: PathBuf = home.path().join("ledger.new");
    until("as far", async || at_kib <= size_kib(&draft) || child.try_wait().unwrap().is_some()).await;
    child.kill().await.unwrap();
    child.wait().await.unwrap().code().is_none()
}

/// The hidden file of a backup that was killed has the signing key in it.
#[tokio::test]
async fn what_a_killed_backup_has_left_goes_with_the_next_backup_and_at_the_next_start() {
    let stage = Stage::with_threshold(THRESHOLD);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    let elsewhere = stage.folder.path().join("backups");
    fs::create_dir(&elsewhere).unwrap();
    let mut backup = Command::new(program().path)
        .args(["backup", &text(&elsewhere.join("killed")), "--data", &text(home.path())])
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let drafts = |folder: &Path| {
        let names =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with('.')).count()
    };
    until("begun", async || 0 < drafts(&elsewhere) || backup.try_wait().unwrap().is_some()).await;
    backup.kill().await.unwrap();
    // It may have been faster than the kill; what a slower one leaves looks like this.
    fs::write(elsewhere.join(".killed.0123456789abcdef.kms-draft"), "the key").unwrap();
    at(&home, &["backup", &text(&elsewhere.join("next"))]).await;
    assert_eq!(drafts(&elsewhere), 0);

    for folder in ["", "certificates"] {
        for name in [".x.0123456789abcdef.kms-draft", ".x.0123456789abcdef.new"] {
            fs::write(home.path().join(folder).join(name), "").unwrap();
        }
    }
    let _host = serve(&home).await;
    assert_eq!((drafts(home.path()), drafts(&home.path().join("certificates"))), (0, 0));
}

/// A kill at the first moment left a draft of the note, and the same command then found that the directory is not empty.
#[tokio::test]
async fn a_restore_that_was_cut_short_at_its_first_moment_can_be_run_again() {
    let stage = Stage::with_threshold(THRESHOLD);
    let source = stage.shop.make_host("source", an_hour_ago()).unwrap();
    let file = text(&stage.folder.path().join("backup"));
    at(&source, &["backup", &file]).await;
    for left in [".restore-unfinished.0123456789abcdef.kms-draft", ".restore-unfinished.0123456789abcdef.new"]
    {
        let home = Home::at(stage.folder.path().join(left.len().to_string()));
        fs::create_dir(home.path()).unwrap();
        fs::write(home.path().join(left), "").unwrap();
        // What a new file system has of its own.
        fs::create_dir(home.path().join("lost+found")).unwrap();
        at(&home, &["restore", &file]).await;
        assert!(home.path().join("lost+found").exists() && !home.path().join(left).exists());
    }
    let home = Home::at(stage.folder.path().join("taken"));
    fs::create_dir(home.path()).unwrap();
    fs::write(home.path().join(".mine"), "").unwrap();
    assert_eq!(try_at(&home, &["restore", &file]).await.code, 73);
    assert!(home.path().join(".mine").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_that_is_killed_leaves_no_ledger_and_the_next_one_makes_it() {
    let stage = Stage::with_threshold(THRESHOLD);
    let source = stage.shop.make_host("source", an_hour_ago()).unwrap();
    let file = stage.folder.path().join("large");
    large_backup(&stage, &source, &file);
    for engine in Engine::ALL {
        let home = Home::at(stage.folder.path().join(engine.name()));
        fs::create_dir(home.path()).unwrap();
        fs::write(home.path().join("kms-host.toml"), format!("ledger = {:?}\n", engine.name())).unwrap();
        let mut kills = 0;
        for at_kib in KILLED_AT_KIB {
            if killed(&home, "import", &file, at_kib).await {
                kills += 1;
                let opened = home.ledger(engine, 1 << 20, &|_| {}).err();
                assert!(matches!(opened, Some(HomeError::NoLedger(_))), "{at_kib} KiB: {opened:?}");
            } else {
                fs::remove_dir_all(home.path().join("ledger")).unwrap();
            }
        }
        at(&home, &["import", &text(&file)]).await;
        println!("{kills} kills on {}", engine.name());
        assert!(2 <= kills, "of {KILLED_AT_KIB:?}");
        assert!(!home.path().join("ledger.new").exists());
        assert_eq!(machines_in(home.ledger(engine, 1 << 20, &|_| {}).unwrap()).await, MANY);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_that_is_killed_leaves_nothing_that_serves_and_the_next_one_makes_it() {
    let stage = Stage::with_threshold(THRESHOLD);
    let source = stage.shop.make_host("source", an_hour_ago()).unwrap();
    let file = stage.folder.path().join("large");
    large_backup(&stage, &source, &file);
    let home = Home::at(stage.folder.path().join("restored"));
    let mut kills = 0;
    for at_kib in KILLED_AT_KIB {
        if killed(&home, "restore", &file, at_kib).await {
            kills += 1;
            for command in [&["serve", "--listen", "127.0.0.1:0"][..], &["init"]] {
                let refused = try_at(&home, command).await;
                let again = format!("kms-host restore BACKUP --data {}", text(home.path()));
                assert!(
                    refused.code != 0 && refused.stderr.contains(&again),
                    "{command:?}: {}",
                    refused.stderr
                );
            }
        } else {
            fs::remove_dir_all(home.path()).unwrap();
        }
    }
    println!("{kills} kills");
    assert!(2 <= kills, "of {KILLED_AT_KIB:?}");
    at(&home, &["restore", &text(&file)]).await;
    let host = HostProcess::start(&program(), &home, LOOPBACK).await.unwrap();
    check_count(&host, usize::try_from(MANY).unwrap()).await;
    assert_eq!(alarms(&host).await, [""; 0]);
}

async fn machines_in(ledger: Arc<dyn Ledger>) -> u64 {
    let head = Head::new(ExportKind::Export, now(), None, meta());
    let (to, mut lines) = tokio::sync::mpsc::channel(1);
    tokio::spawn(export::send(ledger, head, to));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("export");
    let mut bytes = Vec::new();
    while let Some(part) = lines.recv().await {
        bytes.extend_from_slice(&part.unwrap());
    }
    fs::write(&file, bytes).unwrap();
    ExportFile::open(&file).unwrap().check(&mut |_| {}).unwrap().machines
}
