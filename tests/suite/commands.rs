//! The host's commands as scripts see them: exit codes of `sysexits.h`, and a sentence that says what to do.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use kms_host::home::{HOUR_MS, Home};
use prost::Message as _;
use proto::v1;
use shared::files::{HOST_REQUEST, HOST_SIGNING_KEY, HostRequest, to_pem};
use tokio::process::Command;
use tokio::time::timeout;
use world::shop::ORGANISATION;

use crate::looking::tree;
use crate::stage::{LIMIT, Stage, YEAR, an_hour_ago, program, serve};

/// A command that has ended.
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs a command of `kms-host` to its end.
pub(crate) async fn run(arguments: &[&str]) -> Done {
    let output = Command::new(program().path).args(arguments).kill_on_drop(true).output();
    let output =
        timeout(LIMIT, output).await.unwrap_or_else(|_| panic!("{arguments:?} does not end")).unwrap();
    Done {
        code: output.status.code().expect("it ends by itself"),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs a command for a host in this directory.
pub(crate) async fn run_at(home: &Home, arguments: &[&str]) -> Done {
    let data = home.path().display().to_string();
    run(&[arguments, &["--data", &data]].concat()).await
}

async fn install(home: &Home, file: &Path) -> Done {
    run_at(home, &["install-certificate", &file.display().to_string()]).await
}

#[tokio::test]
async fn where_no_host_runs_every_question_says_so() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    for question in [
        &["status"][..],
        &["machines"],
        &["machine", "show", "ab"],
        &["machine", "block", "ab"],
        &["machine", "unblock", "ab"],
        &["machine", "forget", "ab"],
        &["copies"],
        &["certificates"],
        &["refusals"],
        &["sources"],
        &["audit"],
        &["audit", "--verify"],
        &["verify"],
        &["clock", "confirm"],
        &["reload"],
    ] {
        let done = run_at(&home, question).await;
        assert_eq!(done.code, 69, "{question:?}: {}", done.stderr);
        assert!(done.stderr.contains("serve"), "it says how to start one: {}", done.stderr);
    }
}

#[tokio::test]
async fn a_running_host_answers_scripts_in_json() {
    let stage = Stage::with_threshold(1);
    let host = stage.host("host").await;
    stage.machine("machine", &[host.address()]).activate().await.unwrap();
    for (question, wanted) in [
        (&["status", "--json"][..], host.address().to_string()),
        (&["machines", "--json"], "\"machines\": [".to_owned()),
        (&["refusals", "--json"], "\"refusals\": []".to_owned()),
        (&["sources", "--json"], "\"127.0.0.1\"".to_owned()),
        (&["refusals", "--by-reason", "--json"], "\"by_reason\": []".to_owned()),
        (&["certificates", "--json"], "\"current\": true".to_owned()),
        (&["copies", "--json"], "\"copies\": []".to_owned()),
        (&["audit", "--json"], "\"changes\": []".to_owned()),
        (&["audit", "--verify", "--json"], "\"whole\": true".to_owned()),
        (&["verify", "--json"], "\"recounted\"".to_owned()),
        (&["clock", "confirm", "--json"], "\"ended\"".to_owned()),
    ] {
        let done = run_at(host.home(), question).await;
        assert_eq!(done.code, 0, "{question:?}: {}", done.stderr);
        assert!(serde_json::from_str::<serde_json::Value>(&done.stdout).unwrap().is_object());
        assert!(done.stdout.contains(&wanted), "{question:?}: {}", done.stdout);
    }
}

/// One line says what keeps the ledger, and a line that does not fit the ledger is refused by both names.
#[tokio::test]
async fn the_configuration_says_what_a_ledger_is_made_on() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path().join("host"));
    let config = folder.path().join("site.toml");
    fs::write(&config, "ledger = \"fjall\"\n").unwrap();
    let config = config.display().to_string();

    let made = run_at(&home, &["init", "--config", &config]).await;
    assert_eq!(made.code, 0, "{}", made.stderr);
    let again = run_at(&home, &["init", "--config", &config]).await;
    assert!(again.code == 73 && again.stderr.contains("already"), "{}", again.stderr);

    let other = run_at(&home, &["init"]).await;
    assert_eq!(other.code, 78, "{}", other.stderr);
    let told = ["is kept by fjall", "asks for sled", "`ledger = \"fjall\"`", "`kms-host import FILE`"];
    assert!(told.iter().all(|words| other.stderr.contains(words)), "{}", other.stderr);
}

/// A monitor reads the code, an administrator the text, and neither costs the other anything.
#[tokio::test]
async fn the_status_has_engine_disk_and_tls_and_a_code_for_monitors() {
    let stage = Stage::with_threshold(1);
    let host = stage.host("host").await;
    let shown = run_at(host.home(), &["status", "--exit-code"]).await;
    assert_eq!((shown.code, shown.stderr.as_str()), (0, ""), "{}", shown.stdout);
    for told in ["kept by sled", " MiB free, ", "tls        off"] {
        assert!(shown.stdout.contains(told), "no {told}: {}", shown.stdout);
    }
    let json = run_at(host.home(), &["status", "--json"]).await.stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["engine"], &json["tls"]), (&"sled".into(), &"off".into()));
    assert!(json["free_bytes_needed"].as_u64().unwrap() < json["free_bytes"].as_u64().unwrap());

    let ends_soon = stage.shop.make_host("ends-soon", an_hour_ago()).unwrap();
    fs::remove_dir_all(ends_soon.path().join("certificates")).unwrap();
    stage.shop.certify(&ends_soon, ORGANISATION, an_hour_ago(), 20 * Duration::from_hours(24)).unwrap();
    let host = serve(&ends_soon).await;
    let plain = run_at(host.home(), &["status"]).await;
    assert_eq!((plain.code, plain.stderr.as_str()), (0, ""));
    let watched = run_at(host.home(), &["status", "--exit-code"]).await;
    assert_eq!((watched.code, &watched.stdout[..5]), (1, "ALARM"));
    assert_eq!(watched.stderr, "error: 1 alarm to look at: CERTIFICATE_ENDS_SOON\n");
}

#[tokio::test]
async fn a_host_is_made_once() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path().join("host"));
    let first = run_at(&home, &["init"]).await;
    assert_eq!(first.code, 0, "{}", first.stderr);
    assert!(first.stdout.contains("host-request.pem"), "{}", first.stdout);
    let request = fs::read(home.request_path()).unwrap();

    let again = run_at(&home, &["init"]).await;
    assert_eq!(again.code, 73, "{}", again.stderr);
    // A script, which does not know whether there is one, may ask for it all the same.
    let needed = run_at(&home, &["init", "--if-needed"]).await;
    assert!(needed.code == 0 && needed.stdout.starts_with("Nothing is missing"), "{}", needed.stderr);
    // An image made from nothing has no folder for temporary files. At each start of a container, init once copied the whole
    // ledger into one, or opened it in place, only to learn that it is there.
    let before = tree(home.path());
    let nowhere = Command::new(program().path)
        .args(["init", "--if-needed", "--data"])
        .arg(home.path())
        .env("TMPDIR", folder.path().join("none"))
        .output()
        .await
        .unwrap();
    assert!(nowhere.status.success(), "{}", String::from_utf8_lossy(&nowhere.stderr));
    assert_eq!(tree(home.path()), before, "nothing was written");
    assert_eq!(fs::read(home.request_path()).unwrap(), request, "nothing was changed");
}

#[tokio::test]
async fn a_host_that_runs_needs_no_making() {
    let stage = Stage::with_threshold(1);
    let host = stage.host("host").await;
    for (arguments, code) in [(&["init"][..], 69), (&["init", "--if-needed"], 0)] {
        let ended = run_at(host.home(), arguments).await;
        assert_eq!(ended.code, code, "{arguments:?}: {}", ended.stderr);
    }
}

#[tokio::test]
async fn the_request_is_printed_for_those_who_cannot_copy_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path().join("host"));
    run_at(&home, &["init"]).await;
    let printed = run_at(&home, &["request"]).await;
    assert_eq!(printed.code, 0, "{}", printed.stderr);
    assert_eq!(printed.stdout, fs::read_to_string(home.request_path()).unwrap());

    for lost in ["", "-----BEGIN CERTIFICATE-----\n"] {
        fs::write(home.request_path(), lost).unwrap();
        let refused = run_at(&home, &["request"]).await;
        assert!(refused.code == 78 && refused.stderr.contains("kms-host init"), "{}", refused.stderr);
        assert_eq!(refused.stdout, "");
    }
}

/// Requests of earlier releases have no proof, and the vendor refuses them. It is told to send them in a dozen places.
#[tokio::test]
async fn a_request_of_an_earlier_release_is_signed_where_it_is_printed_made_again_or_served() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    let file = || fs::read_to_string(home.request_path()).unwrap();
    let signed = file();
    let request = HostRequest::compose(&home.signing_key().unwrap(), Duration::from_millis(HOUR_MS));
    let unsigned = v1::HostRequest { proof: None, ..request };
    let unsigned = to_pem(HOST_REQUEST, &unsigned.encode_to_vec());
    let put_back = || fs::write(home.request_path(), &unsigned).unwrap();

    put_back();
    let printed = run_at(&home, &["request"]).await;
    assert_eq!((printed.code, printed.stdout.as_str()), (0, signed.as_str()), "{}", printed.stderr);
    assert_eq!(file(), unsigned, "printing writes nothing");
    assert_eq!(run_at(&home, &["init"]).await.code, 0);
    assert_eq!(file(), signed);
    put_back();
    serve(&home).await;
    assert_eq!(file(), signed);
}

#[tokio::test]
async fn what_is_lost_of_a_host_is_made_again_and_the_rest_is_kept() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    let host = home.signing_key().unwrap().public().host();
    let request = fs::read(home.request_path()).unwrap();
    let data = home.path().display().to_string();

    fs::remove_dir_all(home.path().join("ledger")).unwrap();
    let refused = run_at(&home, &["serve", "--listen", "127.0.0.1:0"]).await;
    assert_eq!(refused.code, 78, "{}", refused.stderr);
    assert!(refused.stderr.contains(&format!("kms-host init --data {data}")), "{}", refused.stderr);
    let again = run_at(&home, &["init"]).await;
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert!(again.stdout.contains("begins at zero"), "{}", again.stdout);
    let certificates = home.certificates().unwrap();
    assert_eq!(certificates.all().count(), 1, "it serves on under the certificate that it has");

    fs::remove_file(home.request_path()).unwrap();
    fs::remove_dir_all(home.path().join("certificates")).unwrap();
    let file = home.path().with_extension("certificate.pem");
    assert_eq!(install(&home, &file).await.code, 0, "neither the request nor the folder is needed");
    assert_eq!(home.certificates().unwrap().all().count(), 1);
    assert_eq!(run_at(&home, &["init"]).await.code, 0);
    assert_eq!(fs::read(home.request_path()).unwrap(), request, "the same host asks for the same");
    assert_eq!(home.signing_key().unwrap().public().host(), host);
}

/// It was called damaged, and the remedy was to make another host.
#[tokio::test]
async fn a_signing_key_of_a_newer_release_is_not_damaged() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    let key = to_pem(HOST_SIGNING_KEY, &[2; 40]);
    fs::write(home.path().join("signing.key"), &key).unwrap();
    for command in ["serve", "init", "request"] {
        let refused = run_at(&home, &[command]).await;
        assert!(refused.code != 0 && refused.stderr.contains("is of a newer release"), "{}", refused.stderr);
        assert!(!refused.stderr.contains("damaged"), "{}", refused.stderr);
    }
    assert_eq!(fs::read_to_string(home.path().join("signing.key")).unwrap(), key);
}

#[tokio::test]
async fn a_host_whose_key_is_lost_becomes_another_one_beside_its_ledger() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    let host = home.signing_key().unwrap().public().host();
    let key = home.path().join("signing.key");
    fs::remove_file(&key).unwrap();

    let refused = run_at(&home, &["serve", "--listen", "127.0.0.1:0"]).await;
    assert!(refused.stderr.contains(&key.display().to_string()), "the file is named: {}", refused.stderr);
    let again = run_at(&home, &["init"]).await;
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert!(again.stdout.contains("needs a new certificate"), "{}", again.stdout);

    assert_ne!(home.signing_key().unwrap().public().host(), host);
    stage.shop.certify(&home, "Example Works", an_hour_ago(), YEAR).unwrap();
    assert_eq!(home.certificates().unwrap().all().count(), 1, "the old one is not in the way");

    // A damaged key is no lost one: there may be a backup.
    fs::write(&key, "noise").unwrap();
    let refused = run_at(&home, &["init"]).await;
    assert_eq!(refused.code, 73, "{}", refused.stderr);
    assert!(refused.stderr.contains("backup") && fs::read(&key).unwrap() == b"noise", "{}", refused.stderr);
}

/// Text that could not be printed made the command panic, after it had done its work.
#[tokio::test]
async fn a_command_that_nobody_listens_to_does_its_work_and_does_not_panic() {
    let folder = tempfile::tempdir().unwrap();
    let init = async |name: &str, stdout: Stdio| {
        let data = folder.path().join(name);
        let mut command = Command::new(program().path);
        command.args(["init", "--data"]).arg(&data).stdout(stdout).stderr(Stdio::piped()).kill_on_drop(true);
        let done = timeout(LIMIT, command.spawn().unwrap().wait_with_output()).await.unwrap().unwrap();
        assert!(Home::at(&data).request_path().exists(), "the host is made");
        (done.status.code(), String::from_utf8(done.stderr).unwrap())
    };
    let (reader, closed) = std::io::pipe().unwrap();
    drop(reader);
    assert_eq!(init("closed", closed.into()).await, (Some(0), String::new()));
    if let Ok(full) = fs::File::options().write(true).open("/dev/full") {
        let (code, stderr) = init("full", full.try_clone().unwrap().into()).await;
        assert_eq!(code, Some(74), "{stderr}");
        assert!(stderr.contains("standard output"), "{stderr}");
        let mut backup = Command::new(program().path);
        backup.args(["backup", "-", "--data"]).arg(folder.path().join("full"));
        backup.stdout(full).stderr(Stdio::piped()).kill_on_drop(true);
        let done = timeout(LIMIT, backup.spawn().unwrap().wait_with_output()).await.unwrap().unwrap();
        let stderr = String::from_utf8(done.stderr).unwrap();
        assert_eq!(done.status.code(), Some(74), "{stderr}");
        assert!(stderr.contains("standard output could not be written: "), "{stderr}");
    }
}

#[tokio::test]
async fn a_file_that_is_no_certificate_is_told_from_the_one_that_is_wanted() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_bare_host("host", HOUR_MS).unwrap();
    let product = stage.folder.path().join("product.toml");
    fs::write(&product, "name = \"Atlas\"\n").unwrap();
    for (file, what) in [
        (product, "no -----BEGIN line"),
        (home.path().join("signing.key"), "KMS HOST SIGNING KEY"),
        (home.request_path(), "KMS HOST REQUEST"),
        (stage.folder.path().join("absent.pem"), "No such file"),
    ] {
        let done = install(&home, &file).await;
        assert_eq!(done.code, 65, "{}", done.stderr);
        assert_eq!(done.stderr.matches(what).count(), 1, "{}", done.stderr);
        assert!(done.stderr.contains("the vendor has sent"), "{}", done.stderr);
    }
}

#[tokio::test]
async fn only_this_hosts_own_certificate_is_installed() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_bare_host("host", HOUR_MS).unwrap();
    let other = stage.shop.make_host("other", an_hour_ago()).unwrap();
    let others = other.path().with_extension("certificate.pem");
    let done = install(&home, &others).await;
    assert_eq!(done.code, 65, "{}", done.stderr);
    assert!(done.stderr.contains("host-request.pem"), "it says what to send: {}", done.stderr);

    let text = fs::read_to_string(&others).unwrap();
    let spoilt = text.replacen("\nC", "\nD", 1);
    for (name, content) in
        [("noise", "noise"), ("empty", ""), ("cut", &text[..text.len() / 2]), ("spoilt", &spoilt)]
    {
        let file = stage.folder.path().join(name);
        fs::write(&file, content).unwrap();
        let done = install(&home, &file).await;
        assert_eq!(done.code, 65, "{name}: {}", done.stderr);
    }
    // The request is a file of ours too, and no certificate.
    assert_eq!(install(&home, &home.request_path()).await.code, 65);
    assert_eq!(home.certificates().unwrap().all().count(), 0, "nothing was put in");
}

#[tokio::test]
async fn hours_for_tests_do_not_go_with_a_certificate_that_is_none() {
    let stage = Stage::with_threshold(1);
    let real = stage.shop.make_host("real", an_hour_ago()).unwrap();
    let file = real.path().with_extension("certificate.pem");
    let short = Home::at(stage.folder.path().join("short"));
    assert_eq!(run_at(&short, &["init", "--hour", "100ms"]).await.code, 0);

    // The vendor looks first.
    let refused = stage.shop.certify(&short, "Example Works", an_hour_ago(), YEAR).unwrap_err();
    assert!(refused.to_string().contains("hour"), "{refused:#}");
    // Somebody moves the real host's key and certificate to a ledger with short hours.
    fs::copy(real.path().join("signing.key"), short.path().join("signing.key")).unwrap();
    let done = install(&short, &file).await;
    assert_eq!(done.code, 65, "{}", done.stderr);
    assert!(done.stderr.contains("100 ms") && done.stderr.contains("--hour"), "{}", done.stderr);

    // Put in by hand, it does not serve either.
    let name = fs::read_dir(real.path().join("certificates")).unwrap().next().unwrap().unwrap().file_name();
    fs::copy(&file, short.path().join("certificates").join(name)).unwrap();
    let done = run_at(&short, &["serve", "--listen", "127.0.0.1:0"]).await;
    assert_eq!(done.code, 78, "{}", done.stderr);
}

#[tokio::test]
async fn wrong_usage_is_told_apart_from_everything_else() {
    assert_eq!(run(&["serve", "--lissten", "x"]).await.code, 64);
    assert_eq!(run(&["init", "--hour", "0s"]).await.code, 64);
    let named = run(&["serve", "--listen", "localhost:1"]).await;
    assert!(named.code == 64 && named.stderr.contains("[::]:21688"), "{}", named.stderr);
    assert_eq!(run(&["--help"]).await.code, 0);
}
