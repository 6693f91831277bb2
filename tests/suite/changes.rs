//! What an administrator changes in the inventory: who is shut out, let in again, forgotten, or forgotten with time.

use std::fs;
use std::time::Duration;

use kms_host::home::Home;
use ledger::{Engine, testing};
use serde_json::Value;
use shared::answer::Verdict;
use shared::ask::AskKind;
use shared::count::{Entrants, Shown, Sighting, Terms};
use shared::ids::{Fingerprint, MachineId, Nonce};
use shared::serial::Mark;
use world::HostProcess;
use world::asker::{Asker, Wire, wire};
use world::machine::copy_folder;

use crate::audit::{lines, make_unwritable};
use crate::commands::{Done, run_at};
use crate::settings::{hang_up, settings_file};
use crate::stage::{Stage, machines_of, now, serve, until};

const DAY: Duration = Duration::from_hours(24);

/// A host that has licensed three machines.
async fn host_with_three(stage: &Stage) -> (HostProcess, Wire, Vec<Asker>) {
    let host = stage.host("host").await;
    let mut wire = wire(host.address()).unwrap();
    let mut askers = Vec::new();
    for _ in 0..3 {
        let mut asker = Asker::new(&stage.shop).unwrap();
        asker.ask(&mut wire, now()).await.unwrap();
        askers.push(asker);
    }
    (host, wire, askers)
}

async fn machine(host: &HostProcess, verb: &str, asker: &Asker, more: &[&str]) -> Done {
    let id = asker.machine().to_string();
    run_at(host.home(), &[&["machine", verb, &id], more].concat()).await
}

/// What the host answers, in a word.
async fn ask(wire: &mut Wire, asker: &mut Asker) -> String {
    match asker.ask(wire, now()).await.unwrap() {
        Verdict::Leased(_) => "LEASE".to_owned(),
        Verdict::Waiting(_) => "WAITING".to_owned(),
        Verdict::Released(_) => "RELEASED".to_owned(),
        Verdict::Refused(refusal) => refusal.cause.code,
    }
}

#[tokio::test]
async fn a_blocked_machine_is_refused_and_not_counted_until_it_is_unblocked_and_asks() {
    let stage = Stage::with_threshold(1);
    let (host, mut wire, mut askers) = host_with_three(&stage).await;
    let mut asker = askers.pop().unwrap();

    let blocked = machine(&host, "block", &asker, &["--note", "stolen, ticket 7"]).await;
    assert!(
        blocked.code == 0 && blocked.stdout.contains("is blocked"),
        "{}{}",
        blocked.stdout,
        blocked.stderr
    );
    assert_eq!(host.count().await.unwrap(), 2);
    assert_eq!(ask(&mut wire, &mut asker).await, "BLOCKED");
    let status = run_at(host.home(), &["status"]).await;
    assert!(status.stdout.contains("2 active, 0 released, 0 replaced, 1 blocked"), "{}", status.stdout);
    let listed = run_at(host.home(), &["machines", "--state", "blocked", "--csv"]).await;
    assert!(listed.stdout.contains(&asker.machine().to_string()), "{}", listed.stdout);

    let again = machine(&host, "block", &asker, &["--json"]).await;
    let again: Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!((&again["changed"], &again["machine"]["state"]), (&false.into(), &"blocked".into()));

    let unblocked = machine(&host, "unblock", &asker, &[]).await;
    assert!(unblocked.stdout.contains("not blocked any more"), "{}", unblocked.stderr);
    assert_eq!(host.count().await.unwrap(), 2, "it has not asked yet");
    assert_eq!(ask(&mut wire, &mut asker).await, "LEASE");
    assert_eq!(host.count().await.unwrap(), 3);

    let written: Vec<_> = lines(&host).into_iter().map(|line| (line.action, line.note)).collect();
    let line = |action: &str, note: &str| (action.to_owned(), note.to_owned());
    assert_eq!(written, [line("machine block", "stolen, ticket 7"), line("machine unblock", "")]);
    let shown = machine(&host, "show", &asker, &[]).await.stdout;
    let told = ["active, counted", "unblocked by an administrator", "BLOCKED", "stolen, ticket 7"];
    assert!(told.iter().all(|told| shown.contains(told)), "{shown}");
}

#[tokio::test]
async fn a_forgotten_machine_is_new_when_it_asks_again() {
    let stage = Stage::with_threshold(1);
    let (host, mut wire, mut askers) = host_with_three(&stage).await;
    let mut asker = askers.pop().unwrap();
    let first_seen = |machines: Vec<proto::admin::v1::Machine>, id: MachineId| {
        machines.into_iter().find(|machine| machine.id == id.as_bytes()[..]).map(|machine| machine.first_seen)
    };
    let before = first_seen(machines_of(&host).await, asker.machine()).unwrap();

    let forgotten = machine(&host, "forget", &asker, &[]).await;

    assert!(forgotten.stdout.contains("is forgotten"), "{}", forgotten.stderr);
    assert_eq!((host.count().await.unwrap(), machines_of(&host).await.len()), (2, 2));
    assert_eq!(machine(&host, "show", &asker, &[]).await.code, 65, "nobody of that name is known");
    assert_eq!(ask(&mut wire, &mut asker).await, "LEASE");
    assert!(before < first_seen(machines_of(&host).await, asker.machine()).unwrap());
    assert_eq!(host.count().await.unwrap(), 3);
}

#[tokio::test]
async fn a_blocked_machine_is_not_forgotten_for_that_would_let_it_in() {
    let stage = Stage::with_threshold(1);
    let (host, _, askers) = host_with_three(&stage).await;
    machine(&host, "block", &askers[0], &[]).await;

    let refused = machine(&host, "forget", &askers[0], &[]).await;

    assert_eq!(refused.code, 65, "{}", refused.stderr);
    assert!(
        refused.stderr.contains("MACHINE_BLOCKED") && refused.stderr.contains("machine unblock"),
        "{}",
        refused.stderr
    );
    assert_eq!(lines(&host).len(), 1, "what is refused outright is not written down");
    let never = machine(&host, "unblock", &askers[1], &[]).await;
    assert!(never.code == 0 && never.stdout.contains("was not blocked"), "{}", never.stdout);
}

#[tokio::test]
async fn where_a_change_cannot_be_written_down_nobody_is_blocked_or_forgotten() {
    let stage = Stage::with_threshold(1);
    let (host, mut wire, mut askers) = host_with_three(&stage).await;
    make_unwritable(&host);

    for verb in ["block", "forget"] {
        let refused = machine(&host, verb, &askers[0], &[]).await;
        assert_eq!(refused.code, 74, "{}", refused.stderr);
        assert!(refused.stderr.contains("AUDIT_UNWRITABLE"), "{}", refused.stderr);
    }

    assert_eq!(host.count().await.unwrap(), 3);
    assert_eq!(ask(&mut wire, &mut askers[0]).await, "LEASE", "machines are served meanwhile");
    let status = run_at(host.home(), &["status"]).await;
    assert!(status.stdout.starts_with("ALARM      AUDIT_UNWRITABLE"), "{}", status.stdout);
    fs::remove_dir(host.home().audit_path()).unwrap();
    assert_eq!(machine(&host, "block", &askers[0], &[]).await.code, 0);
    let status = run_at(host.home(), &["status"]).await;
    assert!(!status.stdout.contains("ALARM"), "{}", status.stdout);
}

/// A machine whose disk was copied asks after the copy has: it is refused, and heals under a new identity.
#[tokio::test]
async fn a_copy_is_listed_with_what_became_of_it() {
    let stage = Stage::with_threshold(1);
    let host = stage.host("host").await;
    let first = stage.machine("first", &[host.address()]);
    first.activate().await.unwrap();
    let copied = machines_of(&host).await[0].id.clone();
    drop(first);
    copy_folder(&stage.state_dir("first"), &stage.state_dir("second")).unwrap();
    // Two disks of one image: to the client library both are the same installation.
    let of = |name| {
        let builder = stage.builder(name).fingerprint_source(b"first".as_slice());
        builder.hosts([host.address().to_string()]).build().unwrap()
    };
    of("second").activate().await.unwrap();

    of("first").activate().await.unwrap();

    let listed = run_at(host.home(), &["copies", "--product", "Atlas"]).await;
    let copied = data_encoding::HEXLOWER.encode(&copied);
    assert!(listed.stdout.contains(&copied) && listed.stdout.contains("it goes on as"), "{}", listed.stdout);
    assert!(listed.stdout.ends_with("1 identity copied\n"), "{}", listed.stdout);
    let json = run_at(host.home(), &["copies", "--json"]).await;
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    let copy = &json["copies"][0];
    assert_eq!((&copy["machine"], &copy["times"]), (&copied.as_str().into(), &1.into()));
    let new = copy["new_identities"][0]["machine"].as_str().unwrap();
    let shown = run_at(host.home(), &["machine", "show", new]).await;
    assert!(shown.stdout.contains(&format!("came as the new identity of {copied}")), "{}", shown.stdout);
    let old = run_at(host.home(), &["machine", "show", &copied]).await;
    assert!(old.stdout.contains("replaced, not counted") && old.stdout.contains("copied:"), "{}", old.stdout);

    // It was no disk that was set back: the other machine is there as well.
    assert!(!listed.stdout.contains("both ask"), "{}", listed.stdout);
    of("second").activate().await.unwrap();
    let listed = run_at(host.home(), &["copies"]).await;
    assert!(listed.stdout.contains("two machines, and both ask"), "{}", listed.stdout);
}

/// A ledger with a machine that was last seen so long ago, and one that was just seen.
async fn make_ledger_of(stage: &Stage, home: &Home, ages: &[Duration]) -> Vec<MachineId> {
    let ledger = home.ledger(Engine::Sled, 8 << 20, &|_| {}).unwrap();
    let policy = shared::policy::Policy::CLIENT;
    let terms = Terms {
        threshold: 1,
        count_window: policy.count_window,
        validity: policy.validity,
        clock_tolerance: policy.clock_tolerance,
    };
    let mut ids = Vec::new();
    for (number, age) in (1_u8..).zip(ages) {
        let (machine, at) = (MachineId::from_bytes([number; 16]), now() - *age);
        let presented = Mark { serial: 0, nonce: Nonce::from_bytes([number; 16]), asked_at: at };
        let sighting = Sighting {
            product: stage.shop.product().id,
            machine,
            presented,
            fingerprint: Fingerprint::NONE,
            kind: AskKind::Activate,
            kept: true,
            replaces: None,
            shown: Shown::Nothing,
            entrants: Entrants::Anybody,
            at,
            terms,
        };
        testing::sight(&*ledger, vec![sighting]).await.unwrap();
        ids.push(machine);
    }
    ids
}

#[tokio::test]
async fn who_was_not_seen_for_longer_than_the_retention_is_forgotten_at_the_start_and_on_sighup() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_host("host", now() - DAY).unwrap();
    let ids =
        make_ledger_of(&stage, &home, &[500 * DAY, 401 * DAY, 300 * DAY, 40 * DAY, Duration::ZERO]).await;
    let host = serve(&home).await;

    let known = async || {
        let machines = machines_of(&host).await;
        machines.iter().map(|machine| MachineId::from_slice(&machine.id).unwrap()).collect::<Vec<_>>()
    };
    until("forgotten", async || known().await.len() == 3).await;

    assert_eq!(known().await, ids[2..], "400 days are the default");
    let [line] = &lines(&host)[..] else { panic!("{:?}", lines(&host)) };
    assert_eq!((line.action.as_str(), line.parameters["machines"].as_str()), ("retention", "2"));
    assert_eq!(line.parameters["retention_days"], "400");

    fs::write(settings_file(&home), "retention_days = 100\n").unwrap();
    let said = hang_up(&host).await;
    assert!(said.contains(r#"key="retention_days" old="400" new="100""#), "{said}");
    until("forgotten", async || known().await.len() == 2).await;
    assert_eq!(known().await, ids[3..]);
    let actions: Vec<_> = lines(&host).into_iter().map(|line| line.action).collect();
    assert_eq!(actions, ["retention", "reload", "retention"]);
    let verified = run_at(&home, &["verify"]).await;
    assert_eq!(verified.code, 0, "{}", verified.stderr);
}

#[tokio::test]
async fn a_retention_that_is_shorter_than_the_count_is_refused_and_none_keeps_everybody() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_host("host", now() - DAY).unwrap();
    make_ledger_of(&stage, &home, &[4000 * DAY, Duration::ZERO]).await;
    fs::write(settings_file(&home), "retention_days = 29\n").unwrap();
    for refused in [
        run_at(&home, &["serve", "--listen", "127.0.0.1:0"]).await,
        run_at(&home, &["config", "check"]).await,
    ] {
        assert_eq!(refused.code, 78, "{}", refused.stderr);
        assert!(
            refused.stderr.contains("`retention_days` is 29") && refused.stderr.contains("30 or more"),
            "{}",
            refused.stderr
        );
    }

    fs::write(settings_file(&home), "retention_days = 0\n").unwrap();
    let host = serve(&home).await;
    fs::write(settings_file(&home), "retention_days = 29\n").unwrap();
    let said = hang_up(&host).await;
    assert!(said.contains("nothing is changed") && said.contains("30 or more"), "{said}");
    assert_eq!(machines_of(&host).await.len(), 2);
    // Long enough, and the audit log takes no line: nobody is forgotten.
    make_unwritable(&host);
    fs::write(settings_file(&home), "retention_days = 30\n").unwrap();
    let said = hang_up(&host).await;
    assert!(said.contains("cannot be written: nothing is changed"), "{said}");
    assert_eq!(machines_of(&host).await.len(), 2);
}
