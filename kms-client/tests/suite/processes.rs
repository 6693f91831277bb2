//! Several processes of one machine: one asks, all see. Two handles with locks of their own stand for two processes.

use std::time::Duration;

use kms_client::{Client, Reason, Snapshot};
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::world::{Host, StoryClock, builder, client};

/// Waits until a client shows the wanted state. Fails after ten seconds.
pub(crate) async fn until(client: &Client, wanted: impl FnMut(&Snapshot) -> bool) {
    let mut watch = client.watch();
    let shown = timeout(Duration::from_secs(10), watch.wait_for(wanted)).await;
    shown.expect("shown in time").expect("the client is there");
}

#[tokio::test]
async fn while_one_process_asks_another_does_not() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let first = builder(dir.path(), "this machine", &clock, &[])
        .hosts([silent.local_addr().unwrap().to_string()])
        .build()
        .unwrap();
    let asking = tokio::spawn(async move { first.activate().await });
    let _connection = silent.accept().await.unwrap();

    let host = Host::start(9, &clock).await;
    let second = client(dir.path(), &clock, &[&host]);
    let refused = second.activate().await.unwrap_err();
    assert_eq!(refused.reason(), Some(Reason::Busy));
    assert!(host.seen().is_empty());

    asking.abort();
    let _ = asking.await;
    // The lock is released as soon as a write in progress has ended.
    let free = async { while second.activate().await.is_err() {} };
    timeout(Duration::from_secs(10), free).await.unwrap();
    assert!(second.state().is_licensed());
}

#[tokio::test]
async fn what_one_process_is_given_every_process_shows() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let host = Host::start(9, &clock).await;
    let [asks, looks] = [client(dir.path(), &clock, &[&host]), client(dir.path(), &clock, &[&host])];
    asks.activate().await.unwrap();
    assert!(!looks.state().is_licensed());

    let agent = looks.clone();
    let agent = tokio::spawn(async move { agent.run(std::future::pending()).await });
    until(&looks, |shown| shown.state.is_licensed()).await;
    assert_eq!(host.seen().len(), 1, "its own ask was due, and another process had asked");
    agent.abort();
}

#[tokio::test]
async fn two_processes_by_turns_are_one_machine_with_one_serial() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let host = Host::start(9, &clock).await;
    let [one, two] = [client(dir.path(), &clock, &[&host]), client(dir.path(), &clock, &[&host])];
    for _ in 0..3 {
        one.activate().await.unwrap();
        two.activate().await.unwrap();
    }
    let serials: Vec<_> = host.seen().iter().map(|seen| seen.ask.serial).collect();
    assert_eq!(serials, [0, 1, 2, 3, 4, 5]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_administrators_who_name_hosts_at_once_are_both_heard_and_the_last_is_right() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let name = |client: Client| {
        tokio::spawn(async move {
            for _ in 0..50 {
                client.set_hosts(&["kms1".parse().unwrap()]).await.unwrap();
            }
        })
    };
    let both = [(); 2].map(|()| name(client(dir.path(), &clock, &[])));
    for administrator in both {
        administrator.await.unwrap();
    }
    let product = client(dir.path(), &clock, &[]);
    assert_eq!(product.discover().await.hosts[0].host.to_string(), "kms1:21688");
    let files = std::fs::read_dir(product.snapshot().state_dir).unwrap();
    assert_eq!(files.count(), 4, "hosts, identity, lock, saved: no temporary stays behind");
}

#[test]
fn a_product_without_a_runtime_is_licensed_too_and_stops_with_its_handle() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let host = runtime.block_on(Host::start(9, &clock));
    let product = builder(dir.path(), "this machine", &clock, &[&host]);
    let product = kms_client::blocking::Client::start(product).unwrap();
    product.activate().unwrap();
    assert!(product.state().is_licensed());
    assert_eq!(product.discover().hosts.len(), 1);
    let handle = product.handle();
    drop(product);
    assert!(handle.state().is_licensed(), "the state can be read for ever");
}
