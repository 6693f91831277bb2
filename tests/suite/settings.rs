//! Settings: a sample, a check before a restart, where each comes from, and what a running host takes up on SIGHUP.

use std::fs;
use std::path::PathBuf;

use kms_client::{Client, Outcome};
use kms_host::home::Home;
use proto::admin::v1::ListRefusalsRequest;
use shared::policy::Policy;
use tokio::process::Command;
use world::shop::ORGANISATION;
use world::{HostProcess, Shop};

use crate::commands::{Done, run, run_at};
use crate::stage::{LIMIT, Stage, YEAR, an_hour_ago, program, serve, until};

/// `kms-host config ..` for a host in this directory, with these environment variables.
pub(crate) async fn config(home: &Home, arguments: &[&str], environment: &[(&str, &str)]) -> Done {
    let mut command = Command::new(program().path);
    command.arg("config").args(arguments).arg("--data").arg(home.path());
    command.envs(environment.iter().copied()).kill_on_drop(true);
    let output = tokio::time::timeout(LIMIT, command.output()).await.expect("it ends").unwrap();
    Done {
        code: output.status.code().expect("it ends by itself"),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

pub(crate) fn settings_file(home: &Home) -> PathBuf {
    home.path().join("kms-host.toml")
}

pub(crate) fn log_of(host: &HostProcess) -> String {
    fs::read_to_string(host.home().path().with_extension("log")).unwrap()
}

/// Sends SIGHUP, waits until the host has said what came of it, and returns what it has logged since.
pub(crate) async fn hang_up(host: &HostProcess) -> String {
    let before = log_of(host).len();
    let pid = host.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-HUP", &pid]).status().await.unwrap().success());
    let ends = ["were read again", "nothing is changed"];
    until("read again", async || ends.iter().any(|end| log_of(host)[before..].contains(end))).await;
    log_of(host)[before..].to_owned()
}

/// A machine with another product of the same vendor.
fn machine_with(stage: &Stage, shop: &Shop, host: &HostProcess) -> Client {
    Client::builder(shop.compiled())
        .state_dir(stage.state_dir("another"))
        .fingerprint_source(b"another".as_slice())
        .hosts([host.address().to_string()])
        .build()
        .unwrap()
}

#[tokio::test]
async fn the_sample_is_a_file_that_holds() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    let sample = run(&["config", "sample"]).await;
    assert!(sample.code == 0 && sample.stdout.contains("#queue = 4096"), "{}", sample.stdout);
    fs::write(settings_file(&home), &sample.stdout).unwrap();

    let checked = config(&home, &["check"], &[]).await;
    assert_eq!((checked.code, checked.stderr.as_str()), (0, ""));
    assert_eq!(checked.stdout.lines().count(), 1, "{}", checked.stdout);
    let shown = config(&home, &["show"], &[]).await;
    assert!(shown.stdout.contains("Nothing is set"), "{}", shown.stdout);
}

#[tokio::test]
async fn what_does_not_hold_is_refused_before_the_host_is_restarted() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    let variable = config(&home, &["check"], &[("KMS_HOST_QUEUE", "many")]).await;
    assert_eq!(variable.code, 78);
    assert!(variable.stderr.contains("KMS_HOST_QUEUE=4096"), "{}", variable.stderr);

    fs::write(settings_file(&home), "queue = 9\nlogg = \"info\"\n").unwrap();
    let file = config(&home, &["check"], &[]).await;
    assert_eq!(file.code, 78);
    assert!(file.stderr.contains("line 2") && file.stderr.contains("logg"), "{}", file.stderr);
    assert_eq!(file.stdout, "");
}

/// Of a directory that nobody had made, the check said only "ok: there is no kms-host.toml".
#[tokio::test]
async fn a_missing_data_directory_is_named_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path().join("hots"));
    let nothing = config(&home, &["check"], &[]).await;
    assert_eq!((nothing.code, nothing.stdout.as_str()), (78, ""));
    let init = format!("kms-host init --data {}", home.path().display());
    assert!(
        nothing.stderr.contains("there is no directory") && nothing.stderr.contains(&init),
        "{}",
        nothing.stderr
    );

    let prepared = folder.path().join("site.toml").display().to_string();
    fs::write(&prepared, "queue = 9\n").unwrap();
    let checked = config(&home, &["check", "--config", &prepared], &[]).await;
    assert!(checked.code == 0 && checked.stdout.contains("1 of"), "{}", checked.stdout);
    assert!(checked.stderr.contains("only the settings were checked"), "{}", checked.stderr);

    assert_eq!(run_at(&home, &["init"]).await.code, 0);
    assert_eq!(config(&home, &["check"], &[]).await.code, 0);
}

#[tokio::test]
async fn each_setting_is_shown_with_where_it_comes_from() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    let file = settings_file(&home);
    fs::write(&file, "queue = 9\ncache_mib = 8\n").unwrap();
    let environment = [("KMS_HOST_CACHE_MIB", "16"), ("KMS_HOST_LISSTEN", "[::]:1")];

    let shown = config(&home, &["show", "--effective"], &environment).await;

    assert_eq!(shown.code, 0, "{}", shown.stderr);
    assert!(
        shown.stderr.contains("warning") && shown.stderr.contains("KMS_HOST_LISSTEN"),
        "{}",
        shown.stderr
    );
    let origin = |setting: &str| {
        let line = shown.stdout.lines().find(|line| line.starts_with(setting));
        line.unwrap_or_else(|| panic!("no {setting}: {}", shown.stdout))
            .split_once("# ")
            .unwrap()
            .1
            .to_owned()
    };
    assert_eq!(origin("queue = 9 "), file.display().to_string());
    assert_eq!(origin("cache_mib = 16 "), "KMS_HOST_CACHE_MIB");
    assert_eq!(origin("log = \"info\" "), "default");

    let json = config(&home, &["show", "--json"], &environment).await;
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    let set: Vec<_> =
        json["settings"].as_array().unwrap().iter().map(|one| (&one["key"], &one["from"])).collect();
    assert_eq!(set, [(&"queue".into(), &"file".into()), (&"cache_mib".into(), &"environment".into())]);
}

#[tokio::test]
async fn a_product_that_is_certified_while_the_host_runs_is_served_after_sighup() {
    let stage = Stage::with_threshold(1);
    let host = stage.host("host").await;
    let boreas = stage.shop.another_product("Boreas", Policy { threshold: 1, ..Policy::CLIENT }).unwrap();
    let machine = machine_with(&stage, &boreas, &host);
    boreas.certify(host.home(), ORGANISATION, an_hour_ago(), YEAR).unwrap();
    machine.activate().await.unwrap();
    let mut admin = host.admin().await.unwrap();
    let refusals = admin.list_refusals(ListRefusalsRequest::default()).await.unwrap().into_inner();
    assert_eq!(refusals.refusals[0].code, "PRODUCT_UNKNOWN", "nobody has told the host yet");

    let data = host.home().path().display().to_string();
    let file = host.home().path().with_extension("certificate.pem").display().to_string();
    let installed = run(&["install-certificate", &file, "--data", &data]).await;
    let command = format!("kms-host reload --data {data}");
    assert!(installed.stdout.contains(&command), "it says how to tell it: {}", installed.stdout);
    let said = hang_up(&host).await;

    assert!(said.contains("a certificate is new") && said.contains("Boreas"), "{said}");
    let outcome = machine.activate().await.unwrap().outcome;
    assert!(matches!(outcome, Outcome::Leased { .. }), "{outcome:?}");
    let first = stage.machine("machine", &[host.address()]).activate().await.unwrap().outcome;
    assert!(matches!(first, Outcome::Leased { .. }), "the first product is served as before: {first:?}");
}

/// A copy that broke off, a slip, a disk: it once stopped the products of every vendor, at a start and at a reload.
#[tokio::test]
async fn a_file_that_is_no_certificate_is_passed_over_told_and_an_alarm() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    let folder = home.path().join("certificates");
    let good = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    let other = stage.shop.make_host("other", an_hour_ago()).unwrap();
    let of_other = fs::read_dir(other.path().join("certificates")).unwrap().next().unwrap().unwrap().path();
    fs::write(folder.join("empty.pem"), "").unwrap();
    fs::write(folder.join("latin1.pem"), b"-----BEGIN \xc9-----").unwrap();
    let half = fs::read(&good).unwrap();
    fs::write(folder.join("half.pem"), &half[..half.len() / 2]).unwrap();
    let armoured =
        |body| format!("-----BEGIN KMS HOST CERTIFICATE-----\n{body}\n-----END KMS HOST CERTIFICATE-----\n");
    fs::write(folder.join("garbage.pem"), armoured("////")).unwrap();
    fs::copy(of_other, folder.join("of-another-host.pem")).unwrap();
    fs::create_dir(folder.join("folder.pem")).unwrap();
    assert!(Command::new("mkfifo").arg(folder.join("pipe.pem")).status().await.unwrap().success());
    std::os::unix::fs::symlink("nowhere", folder.join("link.pem")).unwrap();
    let bad = [
        ("empty", "there is no -----BEGIN line in it"),
        ("latin1", "it holds a "),
        ("half", "it is cut"),
        ("garbage", "is damaged: what it holds"),
        ("of-another-host", "is for host"),
        ("folder", "cannot be read: it is not a regular file"),
        ("pipe", "cannot be read: it is not a regular file"),
        ("link", "cannot be read: No such file"),
    ];

    let host = serve(&home).await;

    let outcome = stage.machine("machine", &[host.address()]).activate().await.unwrap().outcome;
    assert!(matches!(outcome, Outcome::Leased { .. }), "{outcome:?}");
    let status = run_at(&home, &["status"]).await.stdout;
    let certificates = run_at(&home, &["certificates"]).await.stdout;
    let doctor = run_at(&home, &["doctor"]).await.stdout;
    for told in [&status, &certificates, &doctor, &log_of(&host)] {
        for (name, why) in bad {
            let of_it = |line: &str| line.contains(&format!("{name}.pem"));
            assert!(
                told.lines().any(|line| of_it(line) && line.contains(why)),
                "nothing of {name}.pem, {why}: {told}"
            );
        }
    }
    assert_eq!(status.matches("ALARM      CERTIFICATE_UNUSABLE").count(), bad.len());

    // One that is used and damaged on the disk is kept by whoever has it, until there is a better one.
    fs::write(&good, "noise").unwrap();
    let said = hang_up(&host).await;
    assert!(said.contains("ignored") && !said.contains("is gone"), "{said}");
    let outcome = stage.machine("another", &[host.address()]).activate().await.unwrap().outcome;
    assert!(matches!(outcome, Outcome::Leased { .. }), "{outcome:?}");

    // A host that starts has nothing else to go on.
    host.stop().await.unwrap();
    let done = run_at(&home, &["serve"]).await;
    assert_eq!(done.code, 78, "{}", done.stderr);
    assert!(
        done.stderr.contains("no certificate can be used") && done.stderr.contains(".pem"),
        "{}",
        done.stderr
    );
}

/// SIGHUP tells nobody but the log what came of it.
#[tokio::test]
async fn a_reload_by_command_waits_and_prints_what_came_of_it() {
    let stage = Stage::with_threshold(1);
    let host = stage.host("host").await;
    let boreas = stage.shop.another_product("Boreas", Policy { threshold: 1, ..Policy::CLIENT }).unwrap();
    boreas.certify(host.home(), ORGANISATION, an_hour_ago(), YEAR).unwrap();
    fs::write(settings_file(host.home()), "queue = 9\nretention_days = 500\n").unwrap();

    let done = run_at(host.home(), &["reload", "--note", "ticket 7"]).await;

    assert_eq!((done.code, done.stderr.as_str()), (0, ""));
    for line in ["queue: 4096 -> 9  (restart", "retention_days: 400 -> 500\n", "new, for Boreas\n"] {
        assert!(done.stdout.contains(line), "no {line}: {}", done.stdout);
    }
    let outcome = machine_with(&stage, &boreas, &host).activate().await.unwrap().outcome;
    assert!(matches!(outcome, Outcome::Leased { .. }), "taken up when the command ends: {outcome:?}");
    let audit = run_at(host.home(), &["audit", "--json"]).await.stdout;
    assert!(audit.contains("ticket 7") && audit.contains("retention_days"), "{audit}");

    fs::write(settings_file(host.home()), "retention_days = 0\nqueue = \"many\"\n").unwrap();
    let done = run_at(host.home(), &["reload"]).await;
    assert_eq!(done.code, 78, "{}", done.stderr);
    assert!(done.stderr.contains("nothing was changed") && done.stderr.contains("line 2"), "{}", done.stderr);
    let again = run_at(host.home(), &["config", "show", "--effective"]).await;
    assert_eq!(again.code, 78, "the file is what it says: {}", again.stderr);
}

/// An error quotes the line that it is about. One of 8 KB was larger than what a status may carry, so the command lost its cause, and one
/// of 900 KB was printed six times over.
#[tokio::test]
async fn a_very_long_mistake_is_told_shortly() {
    let stage = Stage::with_threshold(1);
    let host = stage.host("host").await;
    let networks = vec!["\"10.0.0.0/8\""; 900].join(", ");
    let long = [
        format!("allow = [{networks}, \"10.0.0.0/99\"]\n"),
        "\0".repeat(20_000),
        format!("service_label = \"{}\"\n", "x".repeat(900_000)),
        format!("{} = 1\n", "x".repeat(900_000)),
    ];
    for text in long {
        fs::write(settings_file(host.home()), text).unwrap();
        for arguments in [&["reload"][..], &["config", "check"]] {
            let done = run_at(host.home(), arguments).await;
            assert_eq!(done.code, 78, "{arguments:?}: {:.500}", done.stderr);
            assert!(done.stderr.len() < 5_000 && done.stderr.contains("not valid"), "{:.500}", done.stderr);
        }
    }
    let done = run_at(host.home(), &["machine", "show", &"a".repeat(60_000)]).await;
    assert!(done.stderr.len() < 2_000 && !done.stderr.contains("h2"), "{:.500}", done.stderr);
}

/// Certificates are read against the key on disk; leases that the old key signs under the new one's certificates hold nowhere.
#[tokio::test]
async fn a_key_that_was_exchanged_under_a_running_host_is_not_taken_up() {
    let stage = Stage::with_threshold(1);
    let host = stage.host("host").await;
    let (home, other) = (host.home().path(), stage.shop.make_host("other", an_hour_ago()).unwrap());
    fs::copy(other.path().join("signing.key"), home.join("signing.key")).unwrap();
    fs::remove_dir_all(home.join("certificates")).unwrap();
    fs::rename(other.path().join("certificates"), home.join("certificates")).unwrap();

    let said = hang_up(&host).await;

    assert!(said.contains("nothing is changed") && said.contains("restart it"), "{said}");
    let outcome = stage.machine("machine", &[host.address()]).activate().await.unwrap().outcome;
    assert!(matches!(outcome, Outcome::Leased { .. }), "{outcome:?}");
}

#[tokio::test]
async fn what_is_logged_changes_on_sighup_and_what_needs_a_restart_is_named() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    fs::write(settings_file(&home), "log = \"error\"\n").unwrap();
    let host = serve(&home).await;
    stage.machine("before", &[host.address()]).activate().await.unwrap();
    assert!(!log_of(&host).contains("answered"), "{}", log_of(&host));

    fs::write(settings_file(&home), "log = \"info\"\nqueue = 9\nservice_label = \"_acme._tcp\"\n").unwrap();
    let said = hang_up(&host).await;

    for told in
        [r#"old="\"error\"" new="\"info\"""#, r#"key="service_label""#, r#"key="queue" old="4096" new="9""#]
    {
        assert!(said.contains(told), "no {told}: {said}");
    }
    assert_eq!(said.matches("restart the host").count(), 1, "only the queue: {said}");
    stage.machine("after", &[host.address()]).activate().await.unwrap();
    assert!(log_of(&host).contains("answered"), "{}", log_of(&host));
    let again = hang_up(&host).await;
    assert!(again.contains("restart the host") && !again.contains("a setting has changed"), "{again}");
}

/// One that was refused is let in under the new limit, for what was taken under the old one is not forgotten, and not more.
#[tokio::test]
async fn the_limits_for_new_machines_are_taken_up_on_sighup() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    fs::write(settings_file(&home), "new_machines_per_source = 1\n").unwrap();
    let host = serve(&home).await;
    let asks = async |name: &str| {
        let outcome = stage.machine(name, &[host.address()]).activate().await.unwrap().outcome;
        outcome.cause().map_or_else(|| "LEASE".to_owned(), |cause| cause.code.clone())
    };
    assert_eq!(asks("one").await, "LEASE");
    assert_eq!(asks("two").await, "NEW_MACHINES_LIMITED");

    fs::write(settings_file(&home), "new_machines_per_source = 2\nbad_asks_per_site = 7\n").unwrap();
    let said = hang_up(&host).await;

    assert!(said.contains(r#"key="new_machines_per_source" old="1" new="2""#), "{said}");
    assert!(said.contains(r#"key="bad_asks_per_site" old="3000000" new="7""#), "{said}");
    assert!(!said.contains("restart the host"), "{said}");
    assert_eq!(asks("two").await, "LEASE");
    assert_eq!(asks("three").await, "NEW_MACHINES_LIMITED");
    let again = hang_up(&host).await;
    assert!(!again.contains("a setting has changed"), "{again}");
    assert_eq!(asks("three").await, "NEW_MACHINES_LIMITED");
}

#[tokio::test]
async fn a_broken_file_on_sighup_keeps_the_old_settings_and_says_so() {
    let stage = Stage::with_threshold(1);
    let host = stage.host("host").await;
    fs::write(settings_file(host.home()), "log = \"debug\"\nqueue = \"many\"\n").unwrap();

    let said = hang_up(&host).await;

    assert!(said.contains("ERROR") && said.contains("nothing is changed"), "{said}");
    assert!(said.contains("kms-host.toml") && said.contains("line 2"), "the cause: {said}");
    assert!(!said.contains("a setting has changed"), "{said}");
    let outcome = stage.machine("machine", &[host.address()]).activate().await.unwrap().outcome;
    assert!(matches!(outcome, Outcome::Leased { .. }), "{outcome:?}");
}

/// A host that lost sight of its file took every default: no TLS, everybody may connect.
#[tokio::test]
async fn a_file_that_is_gone_on_sighup_changes_nothing_and_is_named() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    fs::write(settings_file(&home), "retention_days = 500\n").unwrap();
    let host = serve(&home).await;
    fs::remove_file(settings_file(&home)).unwrap();

    let said = hang_up(&host).await;

    assert!(said.contains("nothing is changed") && said.contains("kms-host.toml is gone"), "{said}");
    assert!(!said.contains("a setting has changed"), "{said}");
}
