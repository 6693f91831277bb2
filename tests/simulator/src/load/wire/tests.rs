//! The way to a host: real ones, ones that went away and came back, and whatever else may listen.

use std::collections::BTreeSet;
use std::net::IpAddr;

use tokio::net::TcpListener;
use world::TestHost;

use super::*;
use crate::load::machine::Reply;
use crate::load::testing::stage::stage;

const SHORT: Limits = Limits { connect: Duration::from_millis(400), answer: Duration::from_millis(400) };

fn one() -> Addresses {
    Addresses::new(1)
}

fn request() -> v1::ActivateRequest {
    v1::ActivateRequest::default()
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_unreachable_and_a_host_that_is_not_there_too() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    for wire in [Wire::new(0, vec![address], one(), SHORT), Wire::new(2, vec![address], one(), SHORT)] {
        assert_eq!(wire.activate(0, 0, request()).await.unwrap_err().code, "HOST_UNREACHABLE");
        assert_eq!(wire.activate(0, 7, request()).await.unwrap_err().code, "HOST_UNREACHABLE");
    }
}

#[tokio::test]
async fn a_kept_connection_survives_a_host_that_stops_and_starts() {
    let stage = stage(1).await;
    let address = stage.host.address();
    let wire = Wire::new(2, vec![address], one(), Limits::default());
    let mut machine = stage.machine();
    for number in 0..4 {
        let answer = wire.activate(number, 0, machine.ask(stage.tick()).request).await.unwrap();
        assert!(matches!(machine.take(&answer, &stage.chains), Reply::Lease(_)));
    }
    let clock = stage.host.clock.clone();
    let home = stage.host.stop().await.unwrap();
    let away = wire.activate(0, 0, request()).await.unwrap_err();
    assert_eq!(away.code, "HOST_UNREACHABLE", "{away:?}");

    let host = TestHost::start_at(&home, clock, address).await.unwrap();

    let now = shared::time::Clock::now(&*host.clock) + Duration::from_secs(1);
    let answer = wire.activate(0, 0, machine.ask(now).request).await.unwrap();
    assert!(matches!(machine.take(&answer, &stage.chains), Reply::Lease(_)));
    assert_eq!(machine.ask(now).expected.serial, 5, "nothing was lost or asked twice");
}

/// Where connections came from until the listener was dropped, and how many there were.
async fn sources_of(wire: impl FnOnce(SocketAddr) -> Wire, asks: usize) -> (BTreeSet<IpAddr>, usize) {
    let stage = stage(1).await;
    let (host, listener) = (stage.host.address(), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let address = listener.local_addr().unwrap();
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let note = Arc::clone(&seen);
    let between = tokio::spawn(async move {
        loop {
            let (mut near, peer) = listener.accept().await.unwrap();
            note.lock().unwrap().push(peer.ip());
            let mut far = tokio::net::TcpStream::connect(host).await.unwrap();
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut near, &mut far).await });
        }
    });
    let wire = wire(address);
    for number in 0..asks {
        let mut machine = stage.machine();
        let answer = wire.activate(number, 0, machine.ask(stage.tick()).request).await.unwrap();
        assert!(matches!(machine.take(&answer, &stage.chains), Reply::Lease(_)));
    }
    between.abort();
    let seen = seen.lock().unwrap();
    (seen.iter().copied().collect(), seen.len())
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_peer_sees_each_fresh_connection_come_from_its_machines_own_address() {
    let sources = Addresses::new(300);
    let (sources, connections) =
        sources_of(|address| Wire::new(0, vec![address], sources, Limits::default()), 8).await;
    assert_eq!((sources.len(), connections), (8, 8));
    assert!(sources.contains(&IpAddr::from([127, 0, 0, 8])));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn kept_connections_are_as_many_as_were_asked_for_each_from_its_own_address() {
    let sources = Addresses::new(300);
    let (sources, connections) =
        sources_of(|address| Wire::new(3, vec![address], sources, Limits::default()), 8).await;
    assert_eq!((sources.len(), connections), (3, 3));
}

#[tokio::test]
async fn fresh_connections_are_closed_after_their_answer() {
    let stage = stage(1).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, host) = (listener.local_addr().unwrap(), stage.host.address());
    let closed = tokio::spawn(async move {
        let (near, _) = listener.accept().await.unwrap();
        let (mut near_reads, mut near_writes) = near.into_split();
        let (mut far_reads, mut far_writes) =
            tokio::net::TcpStream::connect(host).await.unwrap().into_split();
        tokio::spawn(async move { tokio::io::copy(&mut far_reads, &mut near_writes).await });
        // Ends when the asker has closed its side.
        let _ = tokio::io::copy(&mut near_reads, &mut far_writes).await;
    });
    let wire = Wire::new(0, vec![address], one(), Limits::default());

    wire.activate(0, 0, stage.machine().ask(stage.tick()).request).await.unwrap();

    timeout(Duration::from_secs(5), closed).await.expect("the connection is still open").unwrap();
}
