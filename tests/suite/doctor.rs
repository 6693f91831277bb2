//! `kms-host doctor` and `explain`: what an administrator reads at three in the morning, and that it is true.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::sync::Arc;
use std::time::Duration;

use kms_host::home::{HOUR_MS, Home};
use serde_json::Value;
use shared::reason::Reason;
use tokio::net::TcpListener;
use tokio::process::Command;
use world::asker::{Asker, wire};
use world::authority::Authority;
use world::dns::DnsServer;
use world::machine::copy_folder;
use world::shop::ORGANISATION;
use world::{TestClock, TestHost};

use crate::commands::{Done, run};
use crate::stage::{
    DOMAIN, LIMIT, LOOPBACK, SERVICE, Stage, an_hour_ago, dead_port, dns, folder, machines_of, now, program,
    serve,
};

/// What it says of a host, as scripts read it.
pub(crate) struct Told {
    code: i32,
    pub(crate) findings: Vec<Value>,
}

impl Told {
    /// How this check came out, once for each of its findings.
    pub(crate) fn health(&self, check: &str) -> Vec<&str> {
        let findings = self.findings.iter().filter(|finding| finding["check"] == check);
        findings.map(|finding| finding["health"].as_str().unwrap()).collect()
    }

    /// The finding of this check that has these words, and what is to be done.
    #[track_caller]
    pub(crate) fn find(&self, check: &str, health: &str, words: &str) -> String {
        let is_it = |finding: &&Value| {
            let text = finding["text"].as_str().unwrap();
            finding["check"] == check && finding["health"] == health && text.contains(words)
        };
        let Some(found) = self.findings.iter().find(is_it) else {
            panic!("no {health} of {check} with {words:?}: {:#?}", self.findings)
        };
        found["remedy"].as_str().unwrap_or_default().to_owned()
    }
}

pub(crate) async fn examine(home: &Home, arguments: &[&str]) -> Told {
    let data = home.path().display().to_string();
    let done = run(&[&["doctor", "--json", "--data", &data], arguments].concat()).await;
    let told: Value =
        serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {}", done.stderr));
    let findings = told["findings"].as_array().unwrap().clone();
    let fails = findings.iter().any(|finding| finding["health"] == "fail");
    assert_eq!((told["good"].as_bool(), done.code), (Some(!fails), i32::from(fails)), "{told:#}");
    for finding in &findings {
        let is_bad = finding["health"] == "fail" || finding["health"] == "warn";
        assert_eq!(finding["remedy"].is_string(), is_bad, "what is bad has a remedy: {finding:#}");
    }
    Told { code: done.code, findings }
}

/// With what DNS says of the usual domain.
async fn examine_in(home: &Home, dns: &DnsServer) -> Told {
    examine(home, &["--domain", DOMAIN, "--dns", &dns.address().to_string()]).await
}

/// A record for a host of this machine.
fn record(name: &str, weight: u16, port: u16) -> String {
    format!("_kms-activation._tcp SRV 10 {weight} {port} {name}\n{name} A 127.0.0.1\n")
}

#[tokio::test]
async fn a_healthy_host_is_found_so_and_the_machine_that_asked_is_not_counted() {
    let stage = Stage::with_threshold(1);
    let host = stage.host("host").await;
    let dns = dns(&record("a", 100, host.address().port())).await;

    let told = examine_in(host.home(), &dns).await;

    assert_eq!(told.code, 0, "{:#?}", told.findings);
    for check in [
        "user",
        "settings",
        "files",
        "key",
        "certificate",
        "host",
        "ledger",
        "clock",
        "port",
        "activation",
        "dns",
    ] {
        assert_eq!(told.health(check), ["ok"], "{check}: {:#?}", told.findings);
    }
    told.find("dns", "ok", &format!("a.{DOMAIN}:{} is this host", host.address().port()));
    assert_eq!(host.count().await.unwrap(), 0);
    assert!(machines_of(&host).await.is_empty());
}

#[tokio::test]
async fn a_host_that_requires_tls_is_examined_by_tls() {
    let (stage, authority) = (Stage::with_threshold(1), Authority::new().unwrap());
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    authority.host(&["127.0.0.1"], now()).unwrap().install(home.path()).unwrap();
    fs::write(home.path().join("kms-host.toml"), "tls = \"required\"\n").unwrap();
    let host = serve(&home).await;
    let told = examine(&home, &[]).await;
    for check in ["tls", "port", "activation"] {
        assert_eq!(told.health(check), ["ok"], "{check}: {:#?}", told.findings);
    }
    host.stop().await.unwrap();

    fs::write(home.path().join("machines.pem"), authority.pem()).unwrap();
    fs::write(home.path().join("kms-host.toml"), "tls = \"required\"\ntls_client_ca = \"machines.pem\"\n")
        .unwrap();
    authority.host_until(&["127.0.0.1"], an_hour_ago()).unwrap().install(home.path()).unwrap();
    let host = serve(&home).await;
    let told = examine(&home, &[]).await;
    told.find("tls", "fail", "has ended at");
    told.find("activation", "skipped", "`tls_client_ca`");
    assert!(told.health("alarm").is_empty(), "it is told once: {:#?}", told.findings);
    host.stop().await.unwrap();

    fs::remove_file(home.path().join("tls.key")).unwrap();
    examine(&home, &[]).await.find("tls", "fail", "tls.key cannot be read");
}

#[tokio::test]
async fn below_its_threshold_a_host_is_healthy_too() {
    let stage = Stage::with_threshold(25);
    let host = stage.host("host").await;
    let told = examine(host.home(), &[]).await;
    told.find("activation", "ok", "waits, 0 of 25 are counted");
}

#[tokio::test]
async fn people_get_a_line_for_each_check_and_the_remedy_below_it() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    let data = home.path().display().to_string();
    let Done { code, stdout, stderr } = run(&["doctor", "--data", &data]).await;
    assert_eq!((code, stderr.as_str()), (1, "error: one check has failed\n"), "{stdout}");
    let at = stdout.find("FAIL     host").unwrap_or_else(|| panic!("{stdout}"));
    let mut lines = stdout[at..].lines();
    assert!(lines.next().unwrap().contains(&format!("nobody serves {data}")), "{stdout}");
    assert!(lines.next().unwrap().trim_start().starts_with("-> `systemctl start kms-host`"), "{stdout}");
    assert!(stdout.lines().last().unwrap().contains("1 FAIL"), "{stdout}");
}

#[tokio::test]
async fn a_host_that_does_not_run_is_looked_at_as_far_as_that_goes() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    fs::write(home.path().join("kms-host.toml"), "listen = [\"127.0.0.1:0\"]\n").unwrap();
    let told = examine(&home, &[]).await;
    assert_eq!((told.health("host"), told.health("ledger")), (vec!["fail"], vec!["ok"]));
    told.find("ledger", "ok", "it is new");
    told.find("port", "skipped", "free for one");
    told.find("activation", "skipped", "no host answers");
    told.find("certificate", "ok", "Atlas");
}

#[tokio::test]
async fn a_port_that_another_program_holds_is_named_before_the_host_is_started() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    let other = TcpListener::bind(LOOPBACK).await.unwrap();
    let address = other.local_addr().unwrap();
    fs::write(home.path().join("kms-host.toml"), format!("listen = [\"{address}\"]\n")).unwrap();
    let remedy = examine(&home, &[]).await.find("port", "fail", &address.to_string());
    assert!(remedy.contains("ss -ltnp"), "{remedy}");
}

#[tokio::test]
async fn records_are_told_apart_by_who_answers_behind_them() {
    let stage = Stage::with_threshold(1);
    let (host, sibling) = (stage.host("host").await, stage.host("sibling").await);
    let forger = stage.shop.forge(&folder(&stage, "forger")).unwrap();
    let rogue = serve(&forger.make_host("host", an_hour_ago()).unwrap()).await;
    let (_held, dead) = dead_port();
    let ports = [host.address(), sibling.address(), dead, rogue.address()].map(|address| address.port());
    let [own, other, gone, strange] = ports;
    let names = ["own", "sibling", "gone", "strange"].into_iter().zip(ports);
    let records: String = names.map(|(name, port)| record(name, 100, port)).collect();
    let dns = dns(&(records + "_kms-activation._tcp SRV 20 0 21688 ghost\n")).await;

    let told = examine_in(host.home(), &dns).await;

    assert_eq!(told.code, 0, "{:#?}", told.findings);
    told.find("dns", "ok", &format!("own.{DOMAIN}:{own} is this host"));
    let id = data_encoding::HEXLOWER.encode(&sibling.status().await.unwrap().host);
    told.find("dns", "ok", &format!("sibling.{DOMAIN}:{other} is its sibling {id}"));
    let remedy = told.find("dns", "warn", &format!("gone.{DOMAIN}:{gone} is stale: HOST_UNREACHABLE"));
    assert!(remedy.contains("take the record out"), "{remedy}");
    told.find("dns", "warn", &format!("ghost.{DOMAIN}:21688 is stale: HOST_NAME_UNKNOWN"));
    told.find("dns", "warn", &format!("strange.{DOMAIN}:{strange}: UNTRUSTED"));
    assert_eq!(told.health("dns"), ["ok", "warn", "warn", "warn"], "{:#?}", told.findings);
}

#[tokio::test]
async fn a_host_that_is_not_published_is_told_the_record() {
    let stage = Stage::with_threshold(1);
    let (host, sibling) = (stage.host("host").await, stage.host("sibling").await);
    let port = host.address().port();
    let publish = format!("_kms-activation._tcp.{DOMAIN}. 3600 IN SRV 10 100 {port} ");
    let nothing = examine_in(host.home(), &dns("").await).await;
    let remedy = nothing.find("dns", "fail", "DNS_NO_RECORD");
    assert!(remedy.contains(&publish), "{remedy}");

    let others = dns(&record("sibling", 100, sibling.address().port())).await;
    let remedy =
        examine_in(host.home(), &others).await.find("dns", "fail", "no record that leads to this host");
    assert!(remedy.contains(&publish), "{remedy}");

    let failing = dns("").await;
    failing.fail(SERVICE);
    let remedy = examine_in(host.home(), &failing).await.find("dns", "fail", "DNS_FAILED");
    assert_eq!(remedy, Reason::DnsFailed.remedy());
}

#[tokio::test]
async fn weights_that_favour_one_host_are_warned_of() {
    let stage = Stage::with_threshold(1);
    let (host, sibling) = (stage.host("host").await, stage.host("sibling").await);
    let [own, other] = [host.address(), sibling.address()].map(|address| address.port());
    let dns = dns(&(record("a", 1, own) + &record("b", 1, other))).await;
    let remedy = examine_in(host.home(), &dns).await.find("dns", "warn", "weights 1, 1");
    assert!(remedy.contains("100"), "{remedy}");
}

#[tokio::test]
async fn a_key_that_others_may_read_and_files_that_root_has_left_are_named() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    let key = home.path().join("signing.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    let remedy = examine(&home, &[]).await.find("files", "fail", "signing.key");
    assert!(remedy.contains(&format!("chmod 600 {}", key.display())), "{remedy}");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();

    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let remedy = examine(&home, &[]).await.find("files", "warn", "may look into");
    assert!(remedy.contains("chmod 700"), "{remedy}");

    if chown(&key, Some(65_534), None).is_err() {
        eprintln!("NOT RUN: a key of another user, for this one is not root");
        return;
    }
    let remedy = examine(&home, &[]).await.find("files", "fail", "signing.key does not belong to root");
    assert!(remedy.starts_with("chown -R root: "), "{remedy}");
}

#[tokio::test]
async fn root_looks_as_the_owner_of_the_directory_and_finds_what_root_has_left_in_it() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    for path in [home.path().to_owned(), home.path().join("signing.key"), home.path().join("certificates")] {
        if chown(path, Some(65_534), Some(65_534)).is_err() {
            eprintln!("NOT RUN: root at work in the directory of another user: this is not root");
            return;
        }
    }
    fs::set_permissions(stage.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let told = examine(&home, &[]).await;
    told.find("user", "ok", "nobody, as the host");
    let remedy = told.find("files", "fail", "does not belong to nobody");
    assert_eq!(remedy, format!("chown -R nobody: {}", home.path().display()));
    told.find("key", "ok", "that of host");
    let remedy = told.find("ledger", "fail", "could not be read");
    assert!(remedy.contains("belongs to this user"), "{remedy}");
}

#[tokio::test]
async fn too_little_space_is_a_failure_and_told_once() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    fs::write(home.path().join("kms-host.toml"), "free_space_mib = 1048576\n").unwrap();
    let _host = serve(&home).await;
    let told = examine(&home, &[]).await;
    assert_eq!(told.find("disk", "fail", "MiB free"), Reason::DiskFull.remedy());
    assert!(told.health("alarm").is_empty(), "{:#?}", told.findings);
}

#[tokio::test]
async fn another_user_is_told_so_first_and_sees_nothing_else() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    // A copy in a folder that everybody may read: the build's own may be in somebody's home.
    let copy = stage.folder.path().join("another-users-program");
    fs::copy(program().path, &copy).unwrap();
    fs::set_permissions(stage.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(&copy);
    command.args(["doctor", "--data"]).arg(home.path()).uid(65_534).gid(65_534).kill_on_drop(true);
    let Ok(output) = tokio::time::timeout(LIMIT, command.output()).await.expect("it ends") else {
        eprintln!("NOT RUN: doctor as another user, for this one is not root");
        return;
    };
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    let lines: Vec<_> = said.lines().collect();
    assert!(lines[0].starts_with("FAIL") && lines[0].contains("user 65534, but the host is root"), "{said}");
    assert!(lines[1].contains("runuser -u root -- kms-host doctor"), "{said}");
    assert!(
        lines[2..]
            .iter()
            .filter(|line| !line.is_empty())
            .rev()
            .skip(1)
            .all(|line| line.starts_with("skipped")),
        "{said}"
    );
}

#[tokio::test]
async fn certificates_that_are_missing_ended_or_not_taken_up_are_told_apart() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_bare_host("host", HOUR_MS).unwrap();
    let remedy = examine(&home, &[]).await.find("certificate", "fail", "no certificate is installed");
    assert!(remedy.contains("host-request.pem"), "{remedy}");

    let day = Duration::from_hours(24);
    stage.shop.certify(&home, ORGANISATION, now() - 3 * day, 2 * day).unwrap();
    let host = serve(&home).await;
    let told = examine(&home, &[]).await;
    told.find("certificate", "fail", "has ended");
    let remedy = told.find("activation", "fail", "CERTIFICATE_ENDED");
    assert_eq!(remedy, Reason::CertificateEnded.remedy());

    stage.shop.certify(&home, ORGANISATION, an_hour_ago(), 20 * day).unwrap();
    let remedy = examine(&home, &[]).await.find("certificate", "warn", "has not read it yet");
    assert!(remedy.contains("reload"), "{remedy}");
    let home = host.stop().await.unwrap();
    let _host = serve(&home).await;
    let told = examine(&home, &[]).await;
    told.find("certificate", "warn", "ends in 19 d");
    assert_eq!(told.health("activation"), ["ok"]);
}

#[tokio::test]
async fn a_clock_that_is_behind_the_ledger_is_seen_before_and_after_the_start() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    // Somebody sets the clock back by a day.
    let tomorrow = Arc::new(TestClock::at(now() + Duration::from_hours(24)));
    let host = TestHost::start(&home, tomorrow.clone()).await.unwrap();
    let mut wire = wire(host.address()).unwrap();
    let at = shared::time::Clock::now(&*tomorrow);
    Asker::new(&stage.shop).unwrap().ask(&mut wire, at).await.unwrap();
    drop(wire);
    let home = host.stop().await.unwrap();

    let remedy = examine(&home, &[]).await.find("clock", "fail", "HOST_CLOCK");
    assert_eq!(remedy, Reason::HostClock.remedy());
    let _host = serve(&home).await;
    let told = examine(&home, &[]).await;
    told.find("clock", "fail", "started before its ledger's last entry");
    told.find("activation", "fail", "HOST_CLOCK");
}

#[tokio::test]
async fn an_alarm_of_the_host_is_among_what_it_finds() {
    let stage = Stage::with_threshold(1);
    let host = stage.host("host").await;
    let mut asker = Asker::new(&stage.shop).unwrap();
    asker.ask(&mut wire(host.address()).unwrap(), now()).await.unwrap();
    let home = host.stop().await.unwrap();
    let (ledger, backup) = (home.path().join("ledger"), stage.folder.path().join("backup"));
    copy_folder(&ledger, &backup).unwrap();
    let host = serve(&home).await;
    asker.ask(&mut wire(host.address()).unwrap(), now()).await.unwrap();
    let home = host.stop().await.unwrap();
    fs::remove_dir_all(&ledger).unwrap();
    copy_folder(&backup, &ledger).unwrap();

    let host = serve(&home).await;
    asker.ask(&mut wire(host.address()).unwrap(), now()).await.unwrap();
    let told = examine(&home, &[]).await;

    let remedy = told.find("alarm", "warn", "LEDGER_RESTORED");
    assert!(remedy.contains("nothing where it was restored"), "{remedy}");
    assert_eq!(told.code, 0, "machines are served: {:#?}", told.findings);
}

#[tokio::test]
async fn a_host_that_stands_still_is_told_from_one_that_does_not_run() {
    let stage = Stage::with_threshold(1);
    let host = stage.host("host").await;
    let pid = host.id().unwrap().to_string();
    let stopped = Command::new("kill").args(["-STOP", &pid]).status().await.unwrap();
    assert!(stopped.success());
    let told = examine(host.home(), &[]).await;
    let remedy = told.find("host", "fail", &format!("process {pid} serves"));
    assert!(remedy.contains("restart it"), "{remedy}");
    assert_eq!((told.health("ledger"), told.health("port")), (vec!["skipped"], vec!["skipped"]));
}

#[tokio::test]
async fn settings_and_a_ledger_that_do_not_hold_are_named_with_what_mends_them() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    let file = home.path().join("kms-host.toml");
    fs::write(&file, "queue = 64\nlissten = []\n").unwrap();
    let told = examine(&home, &[]).await;
    assert!(told.find("settings", "fail", "line 2").contains("kms-host config check"));
    told.find("ledger", "skipped", "settings");

    fs::write(&file, "ledger = \"fjall\"\n").unwrap();
    let remedy = examine(&home, &[]).await.find("ledger", "fail", "is kept by sled");
    assert!(remedy.contains("`ledger = \"sled\"`"), "{remedy}");

    fs::remove_file(&file).unwrap();
    fs::remove_dir_all(home.path().join("ledger")).unwrap();
    let remedy = examine(&home, &[]).await.find("ledger", "fail", "missing or empty");
    assert!(remedy.contains("kms-host init"), "{remedy}");
    fs::write(home.path().join("signing.key"), "noise").unwrap();
    let remedy = examine(&home, &[]).await.find("key", "fail", "signing.key is damaged");
    assert!(remedy.contains("backup"), "{remedy}");
}

#[tokio::test]
async fn a_directory_that_is_not_there_is_the_only_failure() {
    let folder = tempfile::tempdir().unwrap();
    let told = examine(&Home::at(folder.path().join("absent")), &[]).await;
    assert!(told.find("user", "fail", "absent").contains("kms-host init"));
    let fails = told.findings.iter().filter(|finding| finding["health"] == "fail").count();
    assert_eq!(fails, 1, "{:#?}", told.findings);
}

#[tokio::test]
async fn a_reason_in_the_log_is_explained_at_the_host() {
    for reason in Reason::ALL {
        let done = run(&["explain", reason.code()]).await;
        assert!(done.code == 0 && done.stdout.contains(reason.remedy()), "{}", done.stderr);
    }
    let done = run(&["explain", "--json"]).await;
    let listed: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(listed["reasons"].as_array().unwrap().len(), Reason::ALL.len());
    let done = run(&["explain", "CLOCK_SKEV"]).await;
    assert!(done.code == 64 && done.stderr.contains("near it: CLOCK_SKEW"), "{}", done.stderr);
}
