//! What a host's administrator is told of the portal before it is needed: by `config check`, `reload` and `doctor`.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use kms_host::home::{HOUR_MS, Home};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use world::authority::Authority;
use world::shop::ORGANISATION;

use crate::commands::run_at;
use crate::doctor::examine;
use crate::portal::HOST_KEY;
use crate::portal::stage::{PortalStage, text};
use crate::settings::{config, hang_up, settings_file};
use crate::stage::{Stage, an_hour_ago, program, serve};

const DAY: Duration = Duration::from_hours(24);

/// The only one who read the file was the renewal, ten months later.
#[tokio::test]
async fn a_portal_ca_that_cannot_be_used_is_reported_before_it_is_needed() {
    let stage = Stage::with_threshold(1);
    let host = stage.host("host").await;
    let (home, file) = (host.home(), host.home().path().join("ca.pem"));
    let told = |text: &str| {
        text.contains("TLS_FILES_BAD") && text.contains("ca.pem") && text.contains("`portal_ca`")
    };
    for settings in [
        "portal = \"https://localhost:1\"\nportal_ca = \"ca.pem\"\n",
        // `kms-host activate --portal` takes it as well.
        "portal_ca = \"ca.pem\"\n",
    ] {
        fs::write(settings_file(home), settings).unwrap();
        for content in [None, Some("noise")] {
            if let Some(content) = content {
                fs::write(&file, content).unwrap();
            }
            let checked = config(home, &["check"], &[]).await;
            assert!(checked.code == 78 && told(&checked.stderr), "{} {}", checked.code, checked.stderr);
            let reloaded = run_at(home, &["reload"]).await;
            assert!(reloaded.code != 0 && told(&reloaded.stderr), "{} {}", reloaded.code, reloaded.stderr);
            let said = hang_up(&host).await;
            assert!(said.contains("nothing is changed") && told(&said), "{said}");
        }
        fs::remove_file(&file).unwrap();
    }
    fs::write(settings_file(home), "portal = \"https://localhost:1\"\nportal_ca = \"ca.pem\"\n").unwrap();
    examine(home, &[]).await.find("portal", "fail", "ca.pem");

    fs::write(&file, Authority::new().unwrap().pem()).unwrap();
    assert_eq!(config(home, &["check"], &[]).await.code, 0);
    assert_eq!(run_at(home, &["reload"]).await.code, 0);
}

#[tokio::test]
async fn doctor_says_whether_the_portal_answers_and_when_certificates_are_renewed() {
    let mut portal = PortalStage::open("").await;
    let key = portal.key(HOST_KEY).await;
    let home = portal.stage.shop.make_bare_host("host", HOUR_MS).unwrap();
    let authority = portal.data.join("portal-ca.pem");
    let name = async |home: &Home, authority: &str| {
        let address = portal.address();
        let lines = format!("portal = \"{address}\"\nportal_ca = \"{authority}\"\n");
        fs::write(settings_file(home), lines).unwrap();
    };
    let told = examine(&home, &[]).await;
    told.find("portal", "skipped", "no `portal` is set");

    assert_eq!(portal.activate(&home, &key).await.code, 0);
    name(&home, text(&authority)).await;
    let number = key.number().to_string();
    let before = portal.json(&["key", "show", &number]).await;
    let told = examine(&home, &[]).await;
    assert_eq!(told.health("portal"), ["ok"; 3], "{:#?}", told.findings);
    told.find("portal", "ok", "answers, and its TLS certificate is accepted");
    told.find("portal", "ok", "Atlas is renewed there from");
    told.find("portal", "ok", "nothing is known to be revoked");
    assert_eq!(portal.json(&["key", "show", &number]).await, before, "looking changes nothing there");

    let other = portal.stage.folder.path().join("other-ca.pem");
    fs::write(&other, Authority::new().unwrap().pem()).unwrap();
    name(&home, text(&other)).await;
    let remedy = examine(&home, &[]).await.find("portal", "fail", "TLS_CERTIFICATE_BAD");
    assert!(remedy.contains("`portal_ca`"), "{remedy}");

    name(&home, text(&authority)).await;
    portal.stop().await;
    examine(&home, &[]).await.find("portal", "warn", "PORTAL_UNREACHABLE");
}

/// A host that was certified for 20 days is to be renewed at once; `doctor` said nothing of the portal.
#[tokio::test]
async fn doctor_names_what_is_to_be_renewed_and_which_lists_are_there() {
    const WHY: &str = "The vendor's portal has not renewed it: NOT_ACTIVATED_HERE";
    let portal = PortalStage::open("").await;
    let home = portal.stage.shop.make_bare_host("host", HOUR_MS).unwrap();
    portal.stage.shop.certify(&home, ORGANISATION, an_hour_ago(), 20 * DAY).unwrap();
    let lines =
        format!("portal = \"{}\"\nportal_ca = {:?}\n", portal.address(), portal.data.join("portal-ca.pem"));
    fs::write(settings_file(&home), lines).unwrap();
    let remedy = examine(&home, &[]).await.find("portal", "warn", "is to be renewed there since");
    assert!(remedy.contains("kms-host reload"), "{remedy}");

    let key = portal.key(&["--kind", "mak", "--machines", "1"]).await.number().to_string();
    portal.does(&["revoke", &key, "--reason", "stolen"]).await;
    let told = examine(&home, &[]).await;
    told.find("portal", "ok", "has a newer revocation list");
    assert!(!home.path().join("revocations").exists(), "looking installs nothing");
    let host = serve(&home).await;
    crate::stage::until("the list is fetched", async || home.path().join("revocations").exists()).await;
    examine(&home, &[]).await.find("portal", "ok", "of the portal is");

    // The portal did not certify this host, so it does not renew it. Only the alarm knows that.
    let is_told = async || {
        let findings = examine(&home, &[]).await.findings;
        findings
            .iter()
            .any(|finding| finding["check"] == "alarm" && finding["text"].as_str().unwrap().contains(WHY))
    };
    crate::stage::until("doctor says why the certificate is not renewed", is_told).await;
    host.stop().await.unwrap();
}

/// On a terminal it waited without a word. `script` gives a command a terminal, and hands on what it is given itself.
#[tokio::test]
async fn a_terminal_gets_a_prompt_and_a_pipe_gets_none() {
    const PROMPT: &str = "Host key, 25 characters in five groups: ";
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_bare_host("host", HOUR_MS).unwrap();
    let activate = format!("{} activate --data {}", text(&program().path), text(home.path()));
    let typed = async |terminal: bool, line: &str| {
        let line = format!("{activate} {line}");
        let mut command = if terminal { Command::new("script") } else { Command::new("sh") };
        let arguments = if terminal { vec!["-qec", &line, "/dev/null"] } else { vec!["-c", &line] };
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut running = command.kill_on_drop(true).spawn().unwrap();
        // A command that asks nothing may have ended.
        let _ = running.stdin.take().unwrap().write_all(b"A-TYPO\n").await;
        let output = running.wait_with_output().await.unwrap();
        let told = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        (output.status.code(), told.concat())
    };
    let request = format!("--request {}", text(&stage.folder.path().join("request.pem")));
    for arguments in ["--portal https://localhost:1", "--portal https://localhost:1 -", &request] {
        let (code, told) = typed(true, arguments).await;
        assert!(
            code == Some(65) && told.contains(PROMPT) && told.contains("KEY_MALFORMED"),
            "{arguments}: {told}"
        );
        let (code, told) = typed(false, arguments).await;
        assert!(code == Some(65) && !told.contains(PROMPT), "{arguments}: {told}");
    }
    let (code, told) = typed(true, "").await;
    assert!(code == Some(78) && !told.contains(PROMPT), "no key is typed in vain: {told}");
}
