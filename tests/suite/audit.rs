//! The audit log: what an administrator changes is on the disk before it takes effect, and nobody takes it back unseen.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use ledger::{Engine, Housekeeping, Write, testing};
use serde_json::Value;
use server::audit::AuditLine;
use tokio::process::Command;
use tokio::time::timeout;
use world::HostProcess;

use crate::commands::run_at;
use crate::settings::{hang_up, log_of, settings_file};
use crate::stage::{LIMIT, Stage, an_hour_ago, now, program, serve};

/// Every line of a host's log.
pub(crate) fn lines(host: &HostProcess) -> Vec<AuditLine> {
    let text = fs::read_to_string(host.home().audit_path()).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// In the place of the log stands what no line can be written into, whoever the host runs as.
pub(crate) fn make_unwritable(host: &HostProcess) {
    let path = host.home().audit_path();
    let _ = fs::remove_file(&path);
    fs::create_dir(&path).unwrap();
}

/// Has the host take up another level of the log, which is a change.
async fn set_log(host: &HostProcess, level: &str) -> String {
    fs::write(settings_file(host.home()), format!("log = \"{level}\"\n")).unwrap();
    hang_up(host).await
}

#[tokio::test]
async fn what_is_taken_up_on_sighup_is_written_down_by_whom_and_with_both_values() {
    let stage = Stage::with_threshold(1);
    let host = stage.host("host").await;
    hang_up(&host).await;
    assert_eq!(lines(&host), [], "nothing has changed");

    set_log(&host, "debug").await;

    let [line] = &lines(&host)[..] else { panic!("{:?}", lines(&host)) };
    assert_eq!((line.action.as_str(), line.note.as_str()), ("reload", "SIGHUP"));
    assert_eq!(line.parameters["log"], r#""info" -> "debug""#);
    assert_eq!(line.pid.and_then(|pid| u32::try_from(pid).ok()), host.id());
    let mode = fs::metadata(host.home().audit_path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let shown = run_at(host.home(), &["audit"]).await;
    assert!(shown.stdout.contains(r#"reload log="info" -> "debug""#), "{}", shown.stdout);
}

#[tokio::test]
async fn a_reload_that_cannot_be_written_down_is_not_taken_up() {
    let stage = Stage::with_threshold(1);
    let host = stage.host("host").await;
    make_unwritable(&host);

    let said = set_log(&host, "debug").await;

    let path = host.home().audit_path().display().to_string();
    assert!(said.contains(&format!("{path} cannot be written: nothing is changed")), "{said}");
    assert!(!said.contains("a setting has changed"), "{said}");
    fs::remove_dir(host.home().audit_path()).unwrap();
    let again = hang_up(&host).await;
    assert!(again.contains("a setting has changed"), "it was mended while the host ran: {again}");
}

#[tokio::test]
async fn a_line_that_was_edited_is_found_and_stands_as_an_alarm() {
    let stage = Stage::with_threshold(1);
    let host = stage.host("host").await;
    for level in ["debug", "info", "debug"] {
        set_log(&host, level).await;
    }
    let whole = run_at(host.home(), &["audit", "--verify"]).await;
    assert_eq!(whole.code, 0, "{}", whole.stderr);
    assert!(whole.stdout.contains("3 lines") && whole.stdout.contains("SHA-256"), "{}", whole.stdout);

    let path = host.home().audit_path();
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace(r#"\"debug\" -> \"info\""#, r#"\"debug\" -> \"warn\""#)).unwrap();

    let broken = run_at(host.home(), &["audit", "--verify"]).await;
    assert_eq!(broken.code, 65, "{}", broken.stderr);
    assert!(broken.stderr.contains("at line 3"), "the line after it shows it: {}", broken.stderr);
    let status = run_at(host.home(), &["status"]).await;
    assert!(status.stdout.starts_with("ALARM      AUDIT_BROKEN"), "{}", status.stdout);
    // Another process reads it from its beginning, and says so at its start.
    let home = host.stop().await.unwrap();
    let host = crate::stage::serve(&home).await;
    let log = log_of(&host);
    assert!(log.contains("the audit log was tampered with") && log.contains("line=3"), "{log}");
}

/// A host whose ledger is an hour ahead of its clock: it doubts that clock from its start.
async fn host_in_doubt(stage: &Stage) -> HostProcess {
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    let ledger = home.ledger(Engine::Sled, 8 << 20, &|_| {}).unwrap();
    let settle = Write::Settle(Housekeeping::alone(), Vec::new(), now() + Duration::from_hours(1));
    testing::write(&*ledger, settle).await.unwrap();
    drop(ledger);
    let host = serve(&home).await;
    assert!(!host.status().await.unwrap().doubt.is_empty());
    host
}

#[tokio::test]
async fn who_confirms_the_clock_is_written_down_with_his_reason() {
    let stage = Stage::with_threshold(1);
    let host = host_in_doubt(&stage).await;

    let confirmed = run_at(host.home(), &["clock", "confirm", "--note", "ticket 7"]).await;

    assert_eq!(confirmed.code, 0, "{}", confirmed.stderr);
    let [line] = &lines(&host)[..] else { panic!("{:?}", lines(&host)) };
    assert_eq!((line.action.as_str(), line.note.as_str()), ("clock confirm", "ticket 7"));
    assert!(line.parameters["doubt"].contains("before its ledger's last entry"), "{line:?}");
    assert_ne!(line.pid.and_then(|pid| u32::try_from(pid).ok()), host.id(), "the command is another process");
    assert!(host.status().await.unwrap().doubt.is_empty());
    let again = run_at(host.home(), &["clock", "confirm"]).await;
    assert!(again.stdout.contains("does not doubt"), "{}", again.stdout);
    assert_eq!(lines(&host).len(), 1, "nothing was changed the second time");
}

#[tokio::test]
async fn a_change_that_cannot_be_written_down_is_refused_and_nothing_is_changed() {
    let stage = Stage::with_threshold(1);
    let host = host_in_doubt(&stage).await;
    make_unwritable(&host);

    let refused = run_at(host.home(), &["clock", "confirm"]).await;

    assert_eq!(refused.code, 74, "{}", refused.stderr);
    let path = host.home().audit_path().display().to_string();
    assert!(
        refused.stderr.contains("AUDIT_UNWRITABLE") && refused.stderr.contains(&path),
        "{}",
        refused.stderr
    );
    assert!(!host.status().await.unwrap().doubt.is_empty(), "it stands as before");
    fs::remove_dir(&path).unwrap();
    let long = run_at(host.home(), &["clock", "confirm", "--note", &"x".repeat(501)]).await;
    assert!(long.code == 65 && long.stderr.contains("at most 500 bytes"), "{}", long.stderr);
    assert_eq!(run_at(host.home(), &["clock", "confirm"]).await.code, 0);
}

/// It changes nothing, and yet nobody takes every machine's record unseen.
#[tokio::test]
async fn an_export_is_written_down_and_not_given_out_where_that_cannot_be() {
    let stage = Stage::with_threshold(1);
    let host = stage.host("host").await;
    let file = stage.folder.path().join("ledger.export").display().to_string();

    let exported = run_at(host.home(), &["export", &file]).await;

    assert_eq!(exported.code, 0, "{}", exported.stderr);
    let actions: Vec<_> = lines(&host).into_iter().map(|line| line.action).collect();
    assert_eq!(actions, ["export"]);
    make_unwritable(&host);
    let refused = run_at(host.home(), &["export", &format!("{file}.2")]).await;
    assert_eq!(refused.code, 74, "{}", refused.stdout);
    assert!(refused.stderr.contains("AUDIT_UNWRITABLE"), "{}", refused.stderr);
    assert!(!std::path::Path::new(&format!("{file}.2")).exists());
}

/// Runs a command as the user `nobody`; nothing where this machine or this user does not allow that.
async fn run_as_nobody(home: &Path, arguments: &[&str]) -> Option<(Option<i32>, String)> {
    let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    let run = |program: &Path, arguments: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(nobody).arg(program).args(arguments).arg("--data").arg(home);
        timeout(LIMIT, command.stdin(Stdio::null()).kill_on_drop(true).output())
    };
    let version = run(&program().path, &["config", "sample"]).await.unwrap().ok()?;
    if !version.status.success() {
        return None;
    }
    let done = run(&program().path, arguments).await.unwrap().ok()?;
    Some((done.status.code(), String::from_utf8(done.stderr).unwrap()))
}

/// The socket's mode keeps others out. Should somebody loosen it, the kernel's word on who asks still does.
#[tokio::test]
async fn another_user_is_refused_even_where_the_socket_lets_him_in() {
    let stage = Stage::with_threshold(1);
    let host = stage.host("host").await;
    let (home, socket) = (host.home().path(), host.home().socket_path());
    for (path, mode) in [(stage.folder.path(), 0o755), (home, 0o755), (&socket, 0o666)] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    let Some((code, stderr)) = run_as_nobody(home, &["status"]).await else {
        eprintln!(
            "another_user_is_refused: not run, because this user may not become another, or that one not run this program"
        );
        return;
    };

    assert_eq!(code, Some(77), "{stderr}");
    assert!(stderr.contains("NOT_ADMINISTRATOR: user 65534") && stderr.contains("as root"), "{stderr}");
    assert!(log_of(&host).contains("who may not"), "{}", log_of(&host));
    assert_eq!(run_at(host.home(), &["status"]).await.code, 0, "the host's own user may");
}

#[tokio::test]
async fn the_latest_changes_are_listed_for_scripts() {
    let stage = Stage::with_threshold(1);
    let host = stage.host("host").await;
    for level in ["debug", "info"] {
        set_log(&host, level).await;
    }
    let last = run_at(host.home(), &["audit", "--last", "1", "--json"]).await;
    let last: Value = serde_json::from_str(&last.stdout).unwrap();
    let changes = last["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 1);
    assert_eq!((&changes[0]["seq"], &changes[0]["action"]), (&2.into(), &"reload".into()));
    assert_eq!(changes[0]["parameters"]["log"], r#""debug" -> "info""#);
    assert_eq!((&changes[0]["note"], &changes[0]["failed"]), (&"SIGHUP".into(), &Value::Null));
}
