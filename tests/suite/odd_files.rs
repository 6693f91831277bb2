//! Each file of a data directory as something else: a folder, a pipe, a link, a device, text of another encoding, nothing,
//! another user's. No command waits for it, none panics, and whichever cannot go on names the file.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::Path;
use std::process::Stdio;

use kms_host::home::Home;
use tokio::process::Command;
use tokio::time::timeout;
use world::authority::Authority;
use world::machine::copy_folder;

use crate::commands::run_at;
use crate::stage::{LIMIT, Stage, an_hour_ago, now, program};

/// Files, and whether a host serves however odd they are.
const FILES: [(&str, bool); 12] = [
    ("signing.key", false),
    ("host-request.pem", true),
    ("certificates", false),
    ("ledger", false),
    ("ledger/lock", false),
    ("ledger/mark", false),
    ("ledger/damaged", false),
    ("ledger/closed", false),
    ("audit.jsonl", true),
    ("kms-host.toml", false),
    ("tls.pem", false),
    ("tls.key", false),
];

const ODDITIES: [&str; 8] =
    ["folder", "pipe", "dangling link", "link to a device", "latin1", "empty", "socket", "unreadable"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_command_waits_or_panics_because_a_file_is_something_else() {
    let stage = Stage::with_threshold(1);
    let authority = Authority::new().unwrap();
    let template = stage.shop.make_host("template", an_hour_ago()).unwrap();
    fs::set_permissions(stage.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    for (number, (file, is_served_anyway)) in FILES.into_iter().enumerate() {
        for (oddity_number, oddity) in ODDITIES.into_iter().enumerate() {
            let home = Home::at(stage.folder.path().join(format!("{number}-{oddity_number}")));
            copy_folder(template.path(), home.path()).unwrap();
            fs::set_permissions(home.path(), fs::Permissions::from_mode(0o700)).unwrap();
            if file.starts_with("tls.") {
                let tls = "tls = \"offered\"\n";
                fs::write(home.path().join("kms-host.toml"), tls).unwrap();
                authority.host(&["127.0.0.1"], now()).unwrap().install(home.path()).unwrap();
            }
            let path = home.path().join(file);
            if !make(&path, oddity).await {
                eprintln!("NOT RUN: {file} as {oddity}: this is not root");
                continue;
            }
            check(&home, file, oddity, is_served_anyway).await;
            fs::remove_dir_all(home.path()).unwrap();
        }
    }
}

async fn check(home: &Home, file: &str, oddity: &str, is_served_anyway: bool) {
    let what = format!("{file} as {oddity}");
    let backup = home.path().with_extension("backup").display().to_string();
    for command in [
        &["config", "check"][..],
        &["doctor"],
        &["backup", &backup, "--force"],
        &["request"],
        &["init", "--if-needed"],
    ] {
        let done = run_at(home, command).await;
        assert_ne!(done.code, 101, "{what}: {command:?} panics: {}", done.stderr);
        assert!(!done.stderr.contains("panicked"), "{what}: {command:?}: {}", done.stderr);
    }
    let log = home.path().with_extension("log");
    let mut host = Command::new(program().path)
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(home.path())
        .stdin(Stdio::null())
        .stderr(File::create(&log).unwrap())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let said = || fs::read_to_string(&log).unwrap();
    let served = async { while run_at(home, &["status"]).await.code != 0 {} };
    let ended = timeout(LIMIT, async {
        tokio::select! {
            () = served => None,
            ended = host.wait() => Some(ended.unwrap().code()),
        }
    });
    match ended.await.unwrap_or_else(|_| panic!("{what}: it neither serves nor ends: {}", said())) {
        None => {}
        Some(code) => {
            assert!(!is_served_anyway, "{what}: {code:?}: {}", said());
            // Not 74, after which systemd would start it again and again.
            assert!(matches!(code, Some(65 | 77 | 78)), "{what}: {code:?}: {}", said());
            // An empty folder has no certificate, and a text that says so.
            let name = file.split('/').next().unwrap().trim_end_matches('s');
            assert!(said().contains(name), "{what} is not named: {}", said());
            eprintln!("{what}: {code:?} {}", said().lines().last().unwrap_or_default());
        }
    }
}

/// Puts it there; whether that can be done.
async fn make(path: &Path, oddity: &str) -> bool {
    if path.is_dir() {
        fs::remove_dir_all(path).unwrap();
    } else if path.exists() {
        fs::remove_file(path).unwrap();
    }
    match oddity {
        "folder" => fs::create_dir(path).unwrap(),
        "pipe" => assert!(Command::new("mkfifo").arg(path).status().await.unwrap().success()),
        "dangling link" => symlink("nowhere", path).unwrap(),
        "link to a device" => symlink("/dev/zero", path).unwrap(),
        "latin1" => fs::write(path, b"# B\xfcro\n").unwrap(),
        "empty" => fs::write(path, "").unwrap(),
        "socket" => drop(std::os::unix::net::UnixListener::bind(path).unwrap()),
        // What root has put there while the rest is the service's.
        "unreadable" => {
            fs::write(path, "root's").unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
            let root_of_it = path
                .ancestors()
                .find(|one| one.join("signing.key").exists() || one.join("host-request.pem").exists());
            return root_of_it.is_some_and(|home| give_away(home, path));
        }
        _ => unreachable!("{oddity}"),
    }
    true
}

/// Everything but this file becomes nobody's.
fn give_away(directory: &Path, except: &Path) -> bool {
    const NOBODY: u32 = 65534;
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let given = entries.filter(|path| path != except).all(|path| {
        if path.is_dir() {
            give_away(&path, except)
        } else {
            chown(&path, Some(NOBODY), Some(NOBODY)).is_ok()
        }
    });
    given && chown(directory, Some(NOBODY), Some(NOBODY)).is_ok()
}
