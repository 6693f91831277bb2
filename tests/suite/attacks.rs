//! Peers that mean a host harm: while they do, machines at other addresses are answered, and the host stays small.
//!
//! Each attack is short here. `kms-faults attack` makes them longer, and says how long the others waited.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;
use world::HostProcess;
use world::asker::{Asker, wire_from};
use world::attack::Attack;

use crate::connections::{host_with, lines};
use crate::stage::{LIMIT, Stage, answered as tally, now, until};

/// A host without bounds took a gigabyte in seconds.
const MEMORY_LIMIT_MIB: u64 = 256;

/// How long each attack goes on beside the asks.
const LENGTH: Duration = Duration::from_millis(1500);

/// Lines of warning for one attack, which has a few reasons a second at most. h2 wrote thousands.
const WARNINGS: usize = 12;

fn memory_mib(host: &HostProcess) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", host.id().unwrap())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() >> 10
}

/// How many of these machines, each at an address of its own, have an answer.
async fn answered(stage: &Stage, host: &HostProcess, machines: u8) -> usize {
    let mut asking = JoinSet::new();
    for nth in 0..machines {
        let mut asker = Asker::new(&stage.shop).unwrap();
        let from = IpAddr::V4(Ipv4Addr::new(127, 77, 0, 1 + nth));
        let mut wire = wire_from(from, host.address()).unwrap();
        asking.spawn(async move {
            tokio::time::sleep(LENGTH / 20 * u32::from(nth)).await;
            matches!(timeout(LIMIT, asker.ask(&mut wire, now())).await, Ok(Ok(_)))
        });
    }
    asking.join_all().await.into_iter().filter(|is_answered| *is_answered).count()
}

/// Makes these attacks one after the other on one host.
async fn check(attacks: &[Attack]) {
    let stage = Stage::with_threshold(1);
    let host = stage.host("host").await;
    for attack in attacks {
        let warnings = lines(&host, "WARN").len();
        let (connections, addresses) = attack.size();
        let attacking = tokio::spawn(attack.run(host.address(), connections.min(500), addresses));
        assert_eq!(answered(&stage, &host, 20).await, 20, "under {attack:?}");
        attacking.abort();
        let memory = memory_mib(&host);
        assert!(memory < MEMORY_LIMIT_MIB, "{memory} MiB under {attack:?}");
        let warnings = lines(&host, "WARN").len() - warnings;
        assert!(warnings <= WARNINGS, "{warnings} lines under {attack:?}: {:#?}", lines(&host, "WARN"));
        println!("{attack:?}: at most {memory} MiB so far, {warnings} lines");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_without_end_hold_nobody_up() {
    check(&[
        Attack::Pings,
        Attack::Settings,
        Attack::Windows,
        Attack::Priorities,
        Attack::Resets,
        Attack::EmptyData,
        Attack::Continuations,
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_are_open_unread_or_nonsense_hold_nobody_up() {
    check(&[Attack::OpenCalls, Attack::Unread, Attack::Noise, Attack::Gets]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_say_nothing_hold_nobody_up() {
    check(&[Attack::Silent, Attack::OneByte]).await;
}

#[tokio::test]
async fn a_flood_of_frames_is_told_of_with_its_address() {
    let stage = Stage::with_threshold(1);
    let host = stage.host("host").await;
    let attacking = tokio::spawn(Attack::Pings.run(host.address(), 3, 1));
    until("told", async || !lines(&host, "more HTTP/2 frames").is_empty()).await;
    attacking.abort();
    let told = lines(&host, "more HTTP/2 frames");
    assert!(told[0].contains("most_from=127.66.0.1"), "{told:?}");
}

/// OVERLOADED for want of a place was in no number that an administrator sees.
#[tokio::test]
async fn calls_that_find_no_place_are_counted() {
    let stage = Stage::with_threshold(1);
    let host = host_with(&stage, "calls_per_connection = 1024").await;
    let attacking = tokio::spawn(Attack::OpenCalls.run(host.address(), 40, 1));
    until("counted", async || 0 < tally(&host, "OVERLOADED").await).await;
    attacking.abort();
}
