//! Text from outside, wherever a host shows it: it drives no terminal, and begins no line.

use std::fs;

use shared::print::Lines;
use world::asker::{Asker, wire};

use crate::commands::{Done, run, run_at};
use crate::settings::log_of;
use crate::stage::{Stage, an_hour_ago, now, serve};

/// The name of a file, an edition, a note of an administrator. `FORGED` must never begin a line.
const EVIL: &str = "evil\u{1b}[31m\u{9b}5m\u{202e}\nFORGED\u{2028}FORGED\r\nFORGED";

/// What somebody types is shown as it was typed, so it has no line breaks.
const TYPED: &str = "evil\u{1b}[31m\u{9b}5m\u{202e}";

#[track_caller]
fn check(of: &str, shown: &str) {
    assert_eq!(shown, Lines(shown).to_string(), "{of}");
    let forged = shown.lines().find(|line| line.trim_start().starts_with("FORGED"));
    assert!(forged.is_none(), "{of}: {shown}");
}

fn check_done(of: &[&str], Done { stdout, stderr, .. }: &Done) {
    check(&format!("{of:?}"), stdout);
    check(&format!("{of:?}"), stderr);
}

/// A file among the certificates forged lines of `status`, of `doctor` and of the log.
#[tokio::test]
async fn no_command_and_no_log_shows_what_drives_or_deceives_a_terminal() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_host(&format!("host{TYPED}"), an_hour_ago()).unwrap();
    fs::write(home.path().join("certificates").join(format!("{EVIL}.pem")), "noise").unwrap();
    for format in ["text", "json"] {
        fs::write(home.path().join("kms-host.toml"), format!("log_format = \"{format}\"")).unwrap();
        let host = serve(&home).await;
        let mut asker = Asker::new(&stage.shop).unwrap();
        let mut ask = asker.compose(now());
        EVIL.clone_into(&mut ask.edition);
        wire(host.address()).unwrap().activate(asker.request(&ask)).await.unwrap();
        let id = asker.machine().to_string();
        for command in [
            &["machine", "block", &id, "--note", EVIL][..],
            &["machine", "show", &id],
            &["reload", "--note", EVIL],
            &["status"],
            &["doctor"],
            &["machines"],
            &["certificates"],
            &["refusals"],
            &["refusals", "--by-reason"],
            &["sources"],
            &["copies"],
            &["audit"],
            &["audit", "--verify"],
            &["verify"],
            &["config", "check"],
            &["config", "show", "--effective"],
            &["machine", "forget", TYPED],
            &["machines", "--product", TYPED],
            &["explain", TYPED],
            &["import", TYPED],
            &["install-certificate", TYPED],
            &["backup", "--check", TYPED],
            &["status", TYPED],
            &["machines", "--state", TYPED],
            &[TYPED],
        ] {
            check_done(command, &run_at(&home, command).await);
            let as_json = [command, &["--json"]].concat();
            check_done(&as_json, &run_at(&home, &as_json).await);
        }
        let log = log_of(&host);
        assert!(log.contains("FORGED") && log.contains("edition"), "{log}");
        check("the log", &log);
        host.stop().await.unwrap();
        for command in [&["doctor"][..], &["status"], &["init"], &["restore", TYPED], &["export", "-"]] {
            check_done(command, &run_at(&home, command).await);
        }
    }
    check_done(&["init"], &run(&["init", "--data", stage.folder.path().join(TYPED).to_str().unwrap()]).await);
}
