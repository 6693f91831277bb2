//! Backups through pipes and the files of a shell.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;

use kms_host::home::Home;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::time::timeout;

use super::{THRESHOLD, at, newcomers, text};
use crate::commands::{Done, run};
use crate::stage::{LIMIT, Stage, an_hour_ago, program, serve};

/// Runs a command with these bytes on a pipe, and `temporary` as the folder for temporary files. The data directory is given by
/// its bare name: `restore` into one once failed when it synced the directory above, whose name is empty.
pub(super) async fn piped(home: &Home, arguments: &[&str], bytes: &[u8], temporary: &Path) -> Done {
    let mut child = Command::new(program().path)
        .args(arguments)
        .arg("--data")
        .arg(home.path().file_name().unwrap())
        .current_dir(home.path().parent().unwrap())
        .env("TMPDIR", temporary)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let (mut stdin, bytes) = (child.stdin.take().unwrap(), bytes.to_vec());
    // It may end before it has read all.
    tokio::spawn(async move { stdin.write_all(&bytes).await });
    let output = timeout(LIMIT, child.wait_with_output()).await.expect("it ends").unwrap();
    Done {
        code: output.status.code().expect("it ends by itself"),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A backup is read twice, so it could not come through `ssh` or a decryption; a file with a signing key had to lie on a disk.
#[tokio::test]
async fn a_backup_comes_through_a_pipe_and_leaves_no_file() {
    let stage = Stage::with_threshold(THRESHOLD);
    let host = stage.host("host").await;
    newcomers(&stage, &host, 3).await;
    let file = stage.folder.path().join("backup");
    at(host.home(), &["backup", &text(&file)]).await;
    let backup = fs::read(file).unwrap();
    let temporary = stage.folder.path().join("temporary");
    fs::create_dir(&temporary).unwrap();
    let [restored, imported] = ["restored", "imported"].map(|name| Home::at(stage.folder.path().join(name)));
    for (home, command, says) in [
        (&restored, &["backup", "--check", "-"][..], "ok: standard input is a whole backup"),
        (&restored, &["restore", "-"], "3 machines"),
        (&imported, &["import", "-"], "3 machines"),
    ] {
        let done = piped(home, command, &backup, &temporary).await;
        assert_eq!(done.code, 0, "{command:?}: {}", done.stderr);
        assert!(done.stdout.contains(says), "{command:?}: {}", done.stdout);
    }
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0);
    host.kill().await.unwrap();
    assert_eq!(serve(&restored).await.count().await.unwrap(), 3);
    let nowhere = piped(&imported, &["import", "-"], &backup, &stage.folder.path().join("none")).await;
    assert_eq!(nowhere.code, 74, "{}", nowhere.stderr);
    assert!(nowhere.stderr.contains("name another folder with TMPDIR"), "{}", nowhere.stderr);
}

/// A shell makes the file of `> FILE` readable for everybody, before the command begins.
#[tokio::test]
async fn a_backup_on_standard_output_is_for_its_owner_alone() {
    let stage = Stage::with_threshold(THRESHOLD);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    let path = stage.folder.path().join("backup");
    let file = fs::File::create(&path).unwrap();
    file.set_permissions(fs::Permissions::from_mode(0o644)).unwrap();
    let mut backup = Command::new(program().path);
    backup.args(["backup", "-", "--data", &text(home.path())]).stdout(file).stderr(Stdio::null());
    assert!(backup.status().await.unwrap().success());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(run(&["backup", "--check", &text(&path)]).await.stdout.contains("whole backup"));
}
