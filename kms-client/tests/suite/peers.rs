//! Other programs at a host's address: every failure is named, and the next host is asked.

use std::net::SocketAddr;

use kms_client::{Client, Outcome, Reason, Round};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tonic::Status;

use crate::world::{Host, Say, StoryClock, builder};

/// Listens on a free port of 127.0.0.1 and does this to each connection.
async fn peer<F: Future<Output = ()> + Send + 'static>(
    with: impl Fn(TcpStream) -> F + Send + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(with(stream));
        }
    });
    address
}

/// Reads until the other side closes.
pub(crate) async fn read_all(stream: &mut TcpStream) {
    let mut bytes = [0; 1024];
    while stream.read(&mut bytes).await.is_ok_and(|read| 0 < read) {}
}

/// Asks these addresses, and returns the outcomes.
async fn ask(hosts: &[String]) -> Round {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let product: Client = builder(dir.path(), "this machine", &clock, &[]).hosts(hosts).build().unwrap();
    product.activate().await.unwrap()
}

async fn check(host: String, reason: Reason) -> String {
    let round = ask(&[host]).await;
    let Outcome::Failed(cause) = round.outcome else {
        panic!("{round:?}");
    };
    assert_eq!(cause.reason(), Some(reason), "{cause}");
    cause.to_string()
}

#[tokio::test]
async fn nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let text = check(address.to_string(), Reason::HostUnreachable).await;
    assert!(text.contains(&address.to_string()) && text.contains("refused"), "{text}");
}

#[tokio::test]
async fn what_answers_speaks_something_else() {
    let web = peer(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
        read_all(&mut stream).await;
    });
    check(web.await.to_string(), Reason::NotAHost).await;
    let noise = peer(|mut stream| async move {
        let _ = stream.write_all(&[0xA5; 4096]).await;
        read_all(&mut stream).await;
    });
    check(noise.await.to_string(), Reason::NotAHost).await;
}

#[tokio::test]
async fn what_answers_hangs_up() {
    let closed = peer(|stream| async move { drop(stream) }).await;
    check(closed.to_string(), Reason::HostUnreachable).await;
    let reset = peer(|stream| async move {
        let mut bytes = [0; 24];
        let _ = stream.peek(&mut bytes).await;
        // Unread bytes make the close a reset.
        drop(stream);
    });
    check(reset.await.to_string(), Reason::HostUnreachable).await;
}

#[tokio::test(start_paused = true)]
async fn what_answers_stays_silent() {
    let silent = peer(|mut stream| async move { read_all(&mut stream).await });
    check(silent.await.to_string(), Reason::HostSilent).await;
}

#[tokio::test]
async fn a_name_that_does_not_exist() {
    // RFC 6761: `invalid` never exists.
    let text = check("kms1.invalid:1".into(), Reason::HostNameUnknown).await;
    assert!(text.contains("kms1.invalid"), "{text}");
}

#[tokio::test]
async fn a_grpc_server_without_our_service_or_with_too_large_an_answer() {
    let clock = StoryClock::new();
    let host = Host::start(9, &clock).await;
    host.say(Say::Status(Status::unimplemented("")));
    check(host.address.to_string(), Reason::NotAHost).await;
    let mut make = crate::world::Make::new(9);
    make.organisation_name = "x".repeat(20_000);
    let large = make.start(&clock).await;
    let text = check(large.address.to_string(), Reason::NotAHost).await;
    assert!(text.contains("16384"), "{text}");
}

#[tokio::test]
async fn every_host_is_listed_with_its_own_cause_and_the_good_one_is_found() {
    let clock = StoryClock::new();
    let host = Host::start(9, &clock).await;
    let closed = peer(|stream| async move { drop(stream) }).await;
    let round = ask(&["kms1.invalid".into(), closed.to_string(), host.address.to_string()]).await;
    let reasons: Vec<_> = round
        .attempts
        .iter()
        .map(|attempt| attempt.outcome.cause().and_then(kms_client::Cause::reason))
        .collect();
    assert_eq!(reasons, [Some(Reason::HostNameUnknown), Some(Reason::HostUnreachable), None]);
    assert!(matches!(round.outcome, Outcome::Leased { .. }));
}
