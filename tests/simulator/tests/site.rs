//! The throwaway host of a load: a process of its own that is stopped, started again and held still.

use std::path::Path;
use std::time::Duration;

use kms_client::{Client, Outcome, Waited};
use kms_simulator::load::site::{Numbers, Site};
use world::Program;

fn program() -> Program {
    Program { path: env!("CARGO_BIN_EXE_kms-simulator").into(), arguments: vec!["host".into()] }
}

#[tokio::test]
async fn a_site_is_stopped_and_started_again_on_its_address_and_remembers_what_it_counted() {
    let mut site = Site::start(program(), Numbers::real(2)).await.unwrap();
    let (address, first) = (site.address(), site.pid().unwrap());
    let folder = site.folder().to_owned();
    site.stop().await.unwrap();
    site.stop().await.unwrap();
    assert_eq!(site.pid(), None);
    assert!(tokio::net::TcpStream::connect(address).await.is_err());

    site.start_again().await.unwrap();

    assert_ne!(site.pid().unwrap(), first);
    assert_eq!(site.address(), address);
    assert_eq!(site.count().await.unwrap(), 0);
    let pid = site.pid().unwrap();
    drop(site);
    assert!(!folder.exists(), "its folder goes with it");
    assert!(is_gone(pid).await, "and so does its host");
}

#[tokio::test]
async fn a_host_that_is_held_still_answers_when_it_goes_on() {
    let site = Site::start(program(), Numbers::real(2)).await.unwrap();
    site.pause().await.unwrap();
    let still = tokio::time::timeout(Duration::from_millis(300), site.count()).await;
    assert!(still.is_err(), "nobody is there to answer");

    site.resume().await.unwrap();

    assert_eq!(site.count().await.unwrap(), 0);
}

#[tokio::test]
async fn in_a_compressed_count_window_machines_leave_the_count_in_seconds() {
    let numbers = Numbers::compressed(2, Duration::from_secs(2));
    let mut site = Site::start(program(), numbers).await.unwrap();
    let state = tempfile::tempdir().unwrap();
    let machine = Client::builder(site.product()).state_dir(state.path()).hosts([site.address().to_string()]);

    let round = machine.build().unwrap().activate().await.unwrap();

    assert!(
        matches!(round.outcome, Outcome::Waiting(Waited { count: 1, threshold: 2, .. })),
        "{:?}",
        round.outcome
    );
    let gone = async {
        while site.count().await.unwrap() == 1 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), gone).await.expect("it is still counted");
    site.stop().await.unwrap();
}

/// Whether a process is gone a moment after it was killed; `/proc` is where Linux tells it.
async fn is_gone(pid: u32) -> bool {
    let status = || std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"));
    for _ in 0..100 {
        match status() {
            // A zombie is gone: its parent has not asked for it yet.
            Ok(stat) if !stat.contains(") Z ") => tokio::time::sleep(Duration::from_millis(20)).await,
            Ok(_) | Err(_) => return true,
        }
    }
    false
}
