//! Damage in a ledger, as machines and administrators meet it: whoever is on it hears why, all others are served, and what is
//! printed then saves all that is whole.

use std::fs;
use std::path::Path;
use std::time::Duration;

use kms_host::home::Home;
use ledger::Engine;
use shared::answer::Verdict;
use shared::record::key;
use store::{Batch, Store};
use tonic::Code;
use world::HostProcess;
use world::asker::{Asker, wire};

use crate::commands::run_at;
use crate::reasons::unsigned;
use crate::stage::{Stage, an_hour_ago, now, serve, until};

async fn asks(asker: &mut Asker, host: &HostProcess) {
    let verdict = asker.ask(&mut wire(host.address()).unwrap(), now()).await.unwrap();
    assert!(matches!(verdict, Verdict::Leased(_) | Verdict::Waiting(_)), "{verdict:?}");
}

async fn alarms(host: &HostProcess) -> Vec<String> {
    host.status().await.unwrap().alarms.into_iter().map(|alarm| alarm.code).collect()
}

fn ledger(home: &Home) -> std::path::PathBuf {
    home.path().join("ledger")
}

/// The commands of a remedy, in back quotes or on lines of their own, with what a person fills in.
async fn salvage(home: &Home, told: &str, file: &Path) {
    assert!(told.contains("`kms-host export --salvage FILE"), "{told}");
    let file = file.to_str().unwrap();
    let done = run_at(home, &["export", "--salvage", file]).await;
    assert_eq!(done.code, 0, "{}", done.stderr);
    let data = home.path().display();
    let (moving, importing) = (
        format!("  mv {data}/ledger {data}/ledger.damaged\n"),
        format!("  kms-host import {file} --data {data}\n"),
    );
    assert!(done.stdout.contains(&moving) && done.stdout.contains(&importing), "{}", done.stdout);
    fs::rename(ledger(home), home.path().join("ledger.damaged")).unwrap();
    let done = run_at(home, &["import", file]).await;
    assert_eq!(done.code, 0, "{}", done.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_on_a_damaged_page_hears_why_and_all_others_are_served() {
    let stage = Stage::with_threshold(1);
    let host = stage.host("host").await;
    let (mut on_it, mut other) = (Asker::new(&stage.shop).unwrap(), Asker::new(&stage.shop).unwrap());
    asks(&mut on_it, &host).await;
    asks(&mut other, &host).await;
    assert_eq!(alarms(&host).await, Vec::<String>::new());
    let home = host.stop().await.unwrap();
    let store = Store::open(&ledger(&home), Engine::Sled, 1 << 20).unwrap();
    let key = key::record(stage.shop.product().id, on_it.machine());
    let mut value = store.get(&key).unwrap().unwrap();
    value[20] ^= 1;
    let mut batch = Batch::new();
    batch.put(key, value);
    store.write(batch).unwrap();
    store.sync().unwrap();
    drop(store);

    let host = serve(&home).await;
    for _ in 0..2 {
        let answer = on_it.ask(&mut wire(host.address()).unwrap(), now()).await;
        let (reason, retry) = unsigned(answer, Code::Unavailable);
        assert_eq!((reason.as_str(), retry), ("LEDGER_DAMAGED", Some(Duration::from_hours(1))));
        asks(&mut other, &host).await;
        asks(&mut Asker::new(&stage.shop).unwrap(), &host).await;
    }
    assert_eq!(alarms(&host).await, ["LEDGER_DAMAGED"]);
    // "was not blocked: nothing was changed", said `unblock` of a record that nobody can read.
    for verb in ["block", "unblock", "forget"] {
        let refused = run_at(&home, &["machine", verb, &on_it.machine().to_string()]).await;
        assert_eq!(refused.code, 65, "{verb}: {}", refused.stdout);
        let said = refused.stderr;
        assert!(said.starts_with("error: ") && said.contains("is damaged; make a ledger"), "{verb}: {said}");
    }
    let told = run_at(&home, &["status"]).await.stdout;

    let home = host.stop().await.unwrap();
    salvage(&home, &told, &stage.folder.path().join("saved")).await;
    let host = serve(&home).await;
    asks(&mut on_it, &host).await;
    asks(&mut other, &host).await;
    assert_eq!(
        host.count().await.unwrap(),
        4,
        "its record came back as it was before, or it was entered anew"
    );
}

/// Three flipped bytes cost a whole sled ledger, and the guide promised that an export saves what is whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_that_does_not_open_is_saved_by_the_commands_that_are_printed() {
    for engine in Engine::ALL {
        let stage = Stage::with_threshold(1);
        let home = stage.shop.make_host_on(engine, "host", an_hour_ago()).unwrap();
        let host = serve(&home).await;
        let mut askers: Vec<_> = (0..30).map(|_| Asker::new(&stage.shop).unwrap()).collect();
        for asker in &mut askers {
            asks(asker, &host).await;
        }
        let home = host.stop().await.unwrap();
        fs::write(ledger(&home).join("mark"), b"not a mark").unwrap();
        let refused = run_at(&home, &["serve", "--listen", "127.0.0.1:0"]).await;
        assert_eq!(refused.code, 65, "{}", refused.stderr);

        salvage(&home, &refused.stderr, &stage.folder.path().join("saved")).await;

        let host = serve(&home).await;
        assert_eq!(host.count().await.unwrap(), 30, "{engine:?}");
        for asker in &mut askers {
            asks(asker, &host).await;
        }
        assert_eq!(alarms(&host).await, Vec::<String>::new());
    }
}

/// A bit in a journal of fjall's brought back older rows, and nobody was told but who ran `verify`: whatever makes totals and
/// records disagree, a start that was not orderly finds it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_was_killed_counts_again_and_says_when_totals_and_records_differ() {
    let stage = Stage::with_threshold(1);
    let host = stage.host("host").await;
    let (mut gone, mut other) = (Asker::new(&stage.shop).unwrap(), Asker::new(&stage.shop).unwrap());
    asks(&mut gone, &host).await;
    asks(&mut other, &host).await;
    let home = host.kill().await.unwrap();
    let host = serve(&home).await;
    let log = home.path().with_extension("log");
    until("it has counted again", async || {
        fs::read_to_string(&log).unwrap().contains("records and totals agree")
    })
    .await;
    assert_eq!(alarms(&host).await, Vec::<String>::new(), "nothing is wrong");
    let home = host.stop().await.unwrap();
    {
        let store = Store::open(&ledger(&home), Engine::Sled, 1 << 20).unwrap();
        let mut batch = Batch::new();
        batch.remove(key::record(stage.shop.product().id, gone.machine()));
        store.write(batch).unwrap();
        store.sync().unwrap();
        // As after a kill: it is not closed.
        std::mem::forget(store);
    }
    let copied = stage.folder.path().join("copied");
    world::machine::copy_folder(home.path(), &copied).unwrap();
    let host = serve(&Home::at(&copied)).await;
    until("it has counted again", async || !alarms(&host).await.is_empty()).await;
    assert_eq!(alarms(&host).await, ["LEDGER_TOTALS_DIFFER"]);

    let told = run_at(host.home(), &["verify"]).await;
    assert_eq!(told.code, 65, "{}", told.stdout);
    let home = host.stop().await.unwrap();
    salvage(&home, &told.stderr, &stage.folder.path().join("saved")).await;
    let verified = run_at(serve(&home).await.home(), &["verify"]).await;
    assert_eq!(verified.code, 0, "{}", verified.stderr);
}
