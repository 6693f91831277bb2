//! A host carried to another disk by its own commands: backup and restore, export and import.

mod cut_short;
mod piped;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use kms_host::export::{ExportKind, ExportWriter, FilePart, Head};
use kms_host::home::{HOUR_MS, Home};
use ledger::Engine;
use proto::admin::v1::VerifyRequest;
use shared::answer::Verdict;
use shared::ids::LedgerId;
use shared::record::Meta;
use tokio::process::Command;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use world::HostProcess;
use world::asker::{Asker, wire};

use self::piped::piped;
use crate::commands::{Done, run};
use crate::stage::{Stage, an_hour_ago, machines_of, now, serve};

const THRESHOLD: u32 = 5;

/// Runs a command for a host in this directory, which has to succeed.
async fn at(home: &Home, arguments: &[&str]) -> Done {
    let done = try_at(home, arguments).await;
    assert_eq!(done.code, 0, "{arguments:?}: {}", done.stderr);
    done
}

async fn try_at(home: &Home, arguments: &[&str]) -> Done {
    run(&[arguments, &["--data", &text(home.path())]].concat()).await
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// New machines that ask once.
async fn newcomers(stage: &Stage, host: &HostProcess, number: usize) -> Vec<Asker> {
    let mut askers: Vec<_> = (0..number).map(|_| Asker::new(&stage.shop).unwrap()).collect();
    ask_all(&mut askers, host).await;
    askers
}

/// Everybody asks, and nobody is refused.
async fn ask_all(askers: &mut [Asker], host: &HostProcess) {
    let mut wire = wire(host.address()).unwrap();
    for asker in askers {
        let verdict = asker.ask(&mut wire, now()).await.unwrap();
        assert!(matches!(verdict, Verdict::Leased(_) | Verdict::Waiting(_)), "{verdict:?}");
    }
}

/// A fleet that grows for as long as it is let; those who have asked come back.
fn growing(stage: &Stage, host: &HostProcess, stop: &CancellationToken) -> JoinHandle<Vec<Asker>> {
    let (mut wire, stop) = (wire(host.address()).unwrap(), stop.clone());
    let mut askers: Vec<_> = (0..5000).map(|_| Asker::new(&stage.shop).unwrap()).collect();
    tokio::spawn(async move {
        for next in 0..askers.len() {
            if stop.is_cancelled() {
                askers.truncate(next);
                break;
            }
            askers[next].ask(&mut wire, now()).await.unwrap();
        }
        askers
    })
}

/// Codes of the alarms that stand.
async fn alarms(host: &HostProcess) -> Vec<String> {
    host.status().await.unwrap().alarms.into_iter().map(|alarm| alarm.code).collect()
}

/// That the count is what the records add up to, and that there are so many.
async fn check_count(host: &HostProcess, machines: usize) {
    let verified = host.admin().await.unwrap().verify(VerifyRequest {}).await.unwrap().into_inner();
    let machines = u64::try_from(machines).unwrap();
    let product = &verified.products[0];
    assert_eq!((verified.records, verified.damaged), (machines, 0));
    assert_eq!([product.count, product.recounted, product.active, product.active_found], [machines; 4]);
}

fn meta() -> Meta {
    Meta { ledger: LedgerId::from_bytes([7; 16]), hour_width_ms: HOUR_MS, pepper: [9; 32] }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// The story that this is all for: the disk is gone, and an administrator has last night's file.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_then_a_kill_then_a_restore_costs_nobody_a_license() {
    let stage = Stage::with_threshold(THRESHOLD);
    let host = stage.host("host").await;
    let file = stage.folder.path().join("backup");
    let mut before = newcomers(&stage, &host, 12).await;
    let stop = CancellationToken::new();
    let meanwhile = growing(&stage, &host, &stop);

    at(host.home(), &["backup", &text(&file)]).await;

    stop.cancel();
    let mut meanwhile = meanwhile.await.unwrap();
    let mut after = newcomers(&stage, &host, 3).await;
    // Two of the old ones are ahead of the backup now.
    ask_all(&mut before[..2], &host).await;
    let machines = before.len() + meanwhile.len() + after.len();
    host.kill().await.unwrap();

    let home = Home::at(stage.folder.path().join("restored"));
    let said = at(&home, &["restore", &text(&file)]).await.stdout;
    assert!(said.contains("must never run again") && said.contains("kms-host serve"), "{said}");
    let host = serve(&home).await;
    assert_eq!(alarms(&host).await, [""; 0], "nothing is amiss that it could know of");
    ask_all(&mut before[2..], &host).await;
    assert_eq!(alarms(&host).await, [""; 0], "what it has answered before, it remembers");
    ask_all(&mut before[..2], &host).await;
    assert_eq!(alarms(&host).await, ["LEDGER_RESTORED"]);
    ask_all(&mut meanwhile, &host).await;
    ask_all(&mut after, &host).await;
    for asker in before.iter().chain(&meanwhile).chain(&after) {
        assert!(asker.lease().is_some(), "{}", asker.machine());
    }
    check_count(&host, machines).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_was_restored_before_anybody_asked_again_raises_no_alarm() {
    let stage = Stage::with_threshold(THRESHOLD);
    let host = stage.host("host").await;
    let mut askers = newcomers(&stage, &host, 9).await;
    let file = stage.folder.path().join("backup");
    at(host.home(), &["backup", &text(&file)]).await;
    let old = host.stop().await.unwrap();

    let home = Home::at(stage.folder.path().join("restored"));
    at(&home, &["restore", &text(&file)]).await;
    let host = serve(&home).await;
    ask_all(&mut askers, &host).await;

    assert_eq!(alarms(&host).await, [""; 0]);
    check_count(&host, 9).await;
    let id = |home: &Home| home.signing_key().unwrap().public().host();
    assert_eq!(id(&home), id(&old));
    assert_eq!(mode(&home.path().join("signing.key")), 0o600);
    assert_eq!(mode(home.path()), 0o700);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_while_a_fleet_asks_has_everybody_who_was_answered_before_it() {
    let stage = Stage::with_threshold(THRESHOLD);
    let host = stage.host("host").await;
    let before = newcomers(&stage, &host, 600).await;
    let stop = CancellationToken::new();
    let meanwhile = growing(&stage, &host, &stop);
    let file = stage.folder.path().join("ledger.jsonl");

    let said = at(host.home(), &["export", &text(&file), "--json"]).await.stdout;

    stop.cancel();
    let meanwhile = meanwhile.await.unwrap();
    assert_eq!(mode(&file), 0o600);
    let exported = fs::read_to_string(&file).unwrap();
    for asker in &before {
        assert!(exported.contains(&asker.machine().to_string()), "{}", asker.machine());
    }
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    let machines = said["machines"].as_u64().unwrap();
    assert!(600 <= machines && machines <= 600 + meanwhile.len() as u64, "{machines}");
    assert_eq!(said["left_out"], 0);
    // Nobody was kept waiting, and everybody is still there.
    assert_eq!(machines_of(&host).await.len(), 600 + meanwhile.len());

    // And to a pipe: the same rows.
    let piped = at(host.home(), &["export", "-"]).await;
    assert!(piped.stdout.starts_with("{\"kms_host_export\""), "{}", &piped.stdout[..60]);
    assert_eq!(piped.stdout.matches("{\"machine\":{").count(), 600 + meanwhile.len());
    assert!(piped.stderr.contains("Exported"), "{}", piped.stderr);
}

/// The commands of docs/administrator.md, in their order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_moves_from_sled_to_fjall_and_its_machines_do_not_notice() {
    let stage = Stage::with_threshold(THRESHOLD);
    let host = stage.host("host").await;
    let mut askers = newcomers(&stage, &host, 8).await;
    let serials: Vec<_> = askers.iter().map(Asker::serial).collect();
    let home = host.stop().await.unwrap();
    let file = text(&stage.folder.path().join("ledger.jsonl"));

    at(&home, &["export", &file]).await;
    let there = try_at(&home, &["import", &file]).await;
    assert_eq!(there.code, 73, "a ledger is never overwritten: {}", there.stderr);
    assert!(there.stderr.contains("ledger.old"), "{}", there.stderr);
    fs::rename(home.path().join("ledger"), home.path().join("ledger.old")).unwrap();
    fs::write(home.path().join("kms-host.toml"), "ledger = \"fjall\"\n").unwrap();
    let said = at(&home, &["import", &file]).await.stdout;
    assert!(said.contains("8 machines") && said.contains("on fjall"), "{said}");

    let host = serve(&home).await;
    ask_all(&mut askers, &host).await;
    for (asker, serial) in askers.iter().zip(serials) {
        assert_eq!(asker.serial(), serial + 1);
    }
    assert_eq!(alarms(&host).await, [""; 0]);
    check_count(&host, 8).await;
}

#[tokio::test]
async fn a_host_that_serves_does_not_get_another_ledger_put_under_it() {
    let stage = Stage::with_threshold(THRESHOLD);
    let host = stage.host("host").await;
    let file = text(&stage.folder.path().join("ledger.jsonl"));
    at(host.home(), &["export", &file]).await;
    // A host that notices that its ledger is gone ends. This one does not come to it.
    let pid = host.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-STOP", &pid]).status().await.unwrap().success());
    fs::rename(host.home().path().join("ledger"), host.home().path().join("ledger.old")).unwrap();
    let refused = try_at(host.home(), &["import", &file]).await;
    assert_eq!(refused.code, 69, "{}", refused.stderr);
    assert!(refused.stderr.contains("stop it"), "{}", refused.stderr);
}

#[tokio::test]
async fn a_file_that_is_there_is_overwritten_only_where_it_is_wanted() {
    let stage = Stage::with_threshold(THRESHOLD);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    let file = stage.folder.path().join("file");
    fs::write(&file, "mine").unwrap();
    for command in ["export", "backup"] {
        let refused = try_at(&home, &[command, &text(&file)]).await;
        assert_eq!(refused.code, 73, "{}", refused.stderr);
        assert!(
            refused.stderr.contains("--force") && fs::read(&file).unwrap() == b"mine",
            "{}",
            refused.stderr
        );
        at(&home, &[command, &text(&file), "--force"]).await;
        assert!(run(&["backup", "--check", &text(&file)]).await.stdout.contains(command));
        fs::write(&file, "mine").unwrap();
    }
    let names: Vec<_> =
        fs::read_dir(stage.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(
        names.iter().all(|name| !name.to_string_lossy().ends_with(".kms-draft")),
        "no draft stays: {names:?}"
    );
    let nowhere = try_at(&home, &["export", &text(&stage.folder.path().join("none/file"))]).await;
    assert_eq!(nowhere.code, 73, "{}", nowhere.stderr);
    let piped = try_at(&home, &["backup", "-"]).await;
    assert!(piped.stderr.contains("to standard output."), "{}", piped.stderr);
    // What is not there was said to belong to somebody else.
    let absent = try_at(&Home::at("/nowhere/at/all"), &["backup", "-"]).await;
    assert_eq!(absent.code, 74, "{}", absent.stderr);
    assert!(absent.stderr.contains("name the host's directory with --data"), "{}", absent.stderr);
}

/// Files cut at every place and flipped at every bit are `kms-host`'s own tests; here is what an administrator sees.
#[tokio::test]
async fn what_is_not_whole_is_told_and_nothing_is_made_of_it() {
    let stage = Stage::with_threshold(THRESHOLD);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    let file = stage.folder.path().join("backup");
    at(&home, &["backup", &text(&file)]).await;
    let whole = fs::read(&file).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    let newer = String::from_utf8(whole.clone()).unwrap().replacen("\"format\":1", "\"format\":7", 1);
    let fresh = Home::at(stage.folder.path().join("fresh"));
    for (content, why) in [
        (&whole[..whole.len() - 1], "cut short"),
        (&whole[..whole.len() / 2], "cut short"),
        (&flipped, "damaged at line"),
        (newer.as_bytes(), "damaged at line 1"),
        (b"noise", "no export or backup"),
        (b"", "no export or backup"),
    ] {
        fs::write(&file, content).unwrap();
        for command in [&["restore"][..], &["import"], &["backup", "--check"]] {
            let done = try_at(&fresh, &[command, &[&text(&file)]].concat()).await;
            assert_eq!(done.code, 65, "{command:?}: {}", done.stderr);
            assert!(done.stderr.contains(why), "{command:?}: {}", done.stderr);
            assert!(!fresh.path().exists(), "{command:?}");
            let piped = piped(&fresh, &[command, &["-"]].concat(), content, stage.folder.path()).await;
            assert_eq!(piped.code, 65, "{command:?}: {}", piped.stderr);
            assert!(
                piped.stderr.contains("standard input") && piped.stderr.contains(why),
                "{}",
                piped.stderr
            );
        }
    }
    assert_eq!(try_at(&fresh, &["restore", "/nowhere/at/all"]).await.code, 74);
}

#[tokio::test]
async fn a_host_is_restored_only_where_nothing_is_and_only_from_a_backup() {
    let stage = Stage::with_threshold(THRESHOLD);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    let [backup, export] = ["backup", "export"].map(|name| text(&stage.folder.path().join(name)));
    at(&home, &["backup", &backup]).await;
    at(&home, &["export", &export]).await;

    let refused = try_at(&home, &["restore", &backup]).await;
    assert_eq!(refused.code, 73, "{}", refused.stderr);
    assert!(refused.stderr.contains("--data") && refused.stderr.contains("import"), "{}", refused.stderr);
    let fresh = Home::at(stage.folder.path().join("fresh"));
    let refused = try_at(&fresh, &["restore", &export]).await;
    assert_eq!(refused.code, 65, "{}", refused.stderr);
    assert!(refused.stderr.contains(&format!("kms-host import {export}")), "{}", refused.stderr);
    assert!(!fresh.path().exists());

    // An empty directory, as a service manager makes it, is as good as none.
    fs::create_dir(fresh.path()).unwrap();
    at(&fresh, &["restore", &backup]).await;
    let again = try_at(&fresh, &["restore", &backup]).await;
    assert_eq!(again.code, 73, "{}", again.stderr);
}

#[tokio::test]
async fn a_backup_has_every_file_of_the_host_and_no_other() {
    let stage = Stage::with_threshold(THRESHOLD);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    let (data, elsewhere) = (home.path(), stage.folder.path().join("etc.toml"));
    fs::write(&elsewhere, "ledger = \"fjall\"\n# as it stands\n").unwrap();
    std::os::unix::fs::symlink(&elsewhere, data.join("kms-host.toml")).unwrap();
    let audit = "{\"seq\":1}\n".repeat(20_000);
    fs::write(data.join("audit.jsonl"), &audit).unwrap();
    fs::create_dir(data.join("tls")).unwrap();
    fs::write(data.join("tls/host.pem"), "").unwrap();
    fs::create_dir(data.join("ledger.old")).unwrap();
    fs::write(data.join("ledger.old/db"), "an old one").unwrap();
    fs::write(data.join(".hidden.new"), "half").unwrap();
    at(&home, &["backup", &text(&data.join("first.backup"))]).await;
    let file = stage.folder.path().join("second.backup");
    at(&home, &["backup", &text(&file)]).await;

    let checked = run(&["backup", "--check", "--json", &text(&file)]).await;
    let checked: serde_json::Value = serde_json::from_str(&checked.stdout).unwrap();
    let certificate = home.certificates().unwrap().all().next().unwrap().chain.host().clone();
    let known = format!("known/{}.pem", certificate.product);
    let certificate = format!("certificates/{}.pem", certificate.id);
    let names = [
        "audit.jsonl",
        &certificate,
        "host-request.pem",
        "kms-host.toml",
        &known,
        "signing.key",
        "tls/host.pem",
    ];
    assert_eq!(checked["files"], serde_json::json!(names));

    let fresh = Home::at(stage.folder.path().join("fresh"));
    let said = at(&fresh, &["restore", &text(&file)]).await;
    for name in names {
        let (here, there) = (data.join(name), fresh.path().join(name));
        assert_eq!(fs::read(&there).unwrap(), fs::read(&here).unwrap(), "{name}");
        assert_eq!(mode(&there), mode(&here), "{name}");
    }
    assert_eq!(fresh.engine().unwrap(), Some(Engine::Fjall), "as the restored settings say: {}", said.stdout);
    let mut there: Vec<_> = fs::read_dir(fresh.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    there.sort();
    let expected = [
        "audit.jsonl",
        "certificates",
        "host-request.pem",
        "kms-host.toml",
        "known",
        "ledger",
        "signing.key",
        "tls",
    ];
    assert_eq!(there, expected, "and nothing else");
}

/// Sealed by whoever made it, and made to break out.
#[tokio::test]
async fn a_backup_that_names_files_elsewhere_is_restored_nowhere() {
    let stage = Stage::with_threshold(THRESHOLD);
    let file = stage.folder.path().join("backup");
    for (name, code) in
        [("../evil", 65), ("/tmp/evil", 65), ("a/../../evil", 65), ("", 65), ("ledger/db", 74), (".evil", 74)]
    {
        let head = Head::new(ExportKind::Backup, now(), None, meta());
        let mut writer = ExportWriter::begin(&head);
        writer.file(FilePart { name: name.to_owned(), mode: 0o600, part: 0, bytes: b"evil".to_vec() });
        fs::write(&file, writer.end()).unwrap();
        let fresh = Home::at(stage.folder.path().join(format!("fresh-{}", name.len())));
        let done = try_at(&fresh, &["restore", &text(&file)]).await;
        assert_eq!(done.code, code, "{name:?}: {}", done.stderr);
        assert!(
            !fresh.path().join("ledger").exists() && !stage.folder.path().join("evil").exists(),
            "{name:?}"
        );
    }
}

#[tokio::test]
async fn whatever_is_lost_or_damaged_the_host_names_the_command_that_helps_and_it_does() {
    let stage = Stage::with_threshold(THRESHOLD);
    let host = stage.host("host").await;
    let mut askers = newcomers(&stage, &host, 7).await;
    let file = text(&stage.folder.path().join("backup"));
    at(host.home(), &["backup", &file]).await;
    let home = host.stop().await.unwrap();
    let data = text(home.path());
    let refusal = async || {
        let done = try_at(&home, &["serve", "--listen", "127.0.0.1:0"]).await;
        (done.code, done.stderr)
    };
    let restore = "kms-host restore BACKUP --data NEWDIR";

    fs::write(home.path().join("ledger/db"), "").unwrap();
    let (code, said) = refusal().await;
    assert!(code == 65 && said.contains("damaged") && said.contains(restore), "{code}: {said}");
    let fresh = Home::at(stage.folder.path().join("fresh"));
    at(&fresh, &["restore", &file]).await;
    let restored = serve(&fresh).await;
    ask_all(&mut askers, &restored).await;
    check_count(&restored, 7).await;
    drop(restored);

    fs::rename(home.path().join("ledger"), home.path().join("ledger.damaged")).unwrap();
    let (code, said) = refusal().await;
    assert!(code == 78 && said.contains(&format!("kms-host import FILE --data {data}")), "{code}: {said}");
    at(&home, &["import", &file]).await;
    let mended = serve(&home).await;
    ask_all(&mut askers, &mended).await;
    check_count(&mended, 7).await;
    mended.stop().await.unwrap();

    fs::write(home.path().join("signing.key"), "noise").unwrap();
    let (code, said) = refusal().await;
    assert!(
        code == 78 && said.contains("signing.key is damaged") && said.contains(restore),
        "{code}: {said}"
    );
    fs::remove_file(home.path().join("signing.key")).unwrap();
    let (code, said) = refusal().await;
    assert!(
        code == 78 && said.contains("signing.key is missing") && said.contains(restore),
        "{code}: {said}"
    );
}
