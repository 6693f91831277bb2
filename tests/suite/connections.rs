//! Who may connect, and for how long: the silent, the many, and a host whose descriptors run out. With the real process and real
//! sockets, so one story takes the ten seconds that a silent peer is given.
//!
//! The rules are tested in `kms-host`: `accept` and its parts, and the keepalive in `serve`. Bursts are in `burst`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use kms_client::Clock as _;
use proto::admin::v1::ListSourcesRequest;
use proto::v1::activation_service_client::ActivationServiceClient;
use shared::answer::Verdict;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::process::Command;
use tokio::time::timeout;
use tonic::transport::Endpoint;
use world::asker::Asker;
use world::attack::{OPENING, frame, headers};
use world::{HostProcess, Program};

use crate::settings::{hang_up, settings_file};
use crate::stage::{LIMIT, LOOPBACK, Stage, an_hour_ago, now, program, serve, until};

/// What a peer is given for its first words, and a call for all of its own. A busy machine may add to it.
const DEADLINE: Duration = Duration::from_secs(10);

/// Addresses of this machine, which stand for machines.
const ONE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const ANOTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const A_THIRD: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3));

/// A host of this configuration.
pub(crate) async fn host_with(stage: &Stage, configuration: &str) -> HostProcess {
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    std::fs::write(home.path().join("kms-host.toml"), configuration).unwrap();
    serve(&home).await
}

async fn connect_from(from: IpAddr, host: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(from, 0)).unwrap();
    socket.connect(host).await.unwrap()
}

/// Connections that the host has taken: each has opened HTTP/2 and heard the host do the same.
async fn opened_from(from: IpAddr, host: SocketAddr, number: usize) -> Vec<TcpStream> {
    let mut opened = Vec::new();
    for _ in 0..number {
        let mut connection = connect_from(from, host).await;
        connection.write_all(OPENING).await.unwrap();
        let heard = timeout(LIMIT, connection.read(&mut [0; 1024])).await.expect("an answer or an end");
        assert!(matches!(heard, Ok(1..)), "it was turned away");
        opened.push(connection);
    }
    opened
}

/// Whether the host still answers on a connection that has opened HTTP/2.
pub(crate) async fn is_alive(connection: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> bool {
    const PING: &[u8] = b"\0\0\x08\x06\0\0\0\0\0 alive? ";
    const IS_PONG: [u8; 2] = [6, 1];
    let answer = async {
        connection.write_all(PING).await?;
        loop {
            let mut head = [0; 9];
            connection.read_exact(&mut head).await?;
            let mut rest = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
            connection.read_exact(&mut rest).await?;
            if head[3..5] == IS_PONG {
                return std::io::Result::Ok(());
            }
        }
    };
    matches!(timeout(LIMIT, answer).await, Ok(Ok(())))
}

/// Whether the host closes a connection from this address at once.
async fn is_turned_away(from: IpAddr, host: SocketAddr) -> bool {
    let mut connection = connect_from(from, host).await;
    let heard = timeout(DEADLINE / 4, connection.read(&mut [0; 1])).await;
    matches!(heard, Ok(Ok(0) | Err(_)))
}

/// A new machine at this address asks.
async fn asks(stage: &Stage, from: IpAddr, host: SocketAddr) -> Result<Verdict, String> {
    let endpoint = Endpoint::from_shared(format!("http://{host}")).unwrap().local_address(Some(from));
    let channel = endpoint.connect().await.map_err(|error| error.to_string())?;
    let mut asker = Asker::new(&stage.shop).unwrap();
    let asked = asker.ask(&mut ActivationServiceClient::new(channel), now()).await;
    asked.map_err(|error| format!("{error:?}"))
}

fn log(host: &HostProcess) -> String {
    std::fs::read_to_string(host.home().path().with_extension("log")).unwrap()
}

/// The lines of the log with this in it.
pub(crate) fn lines(host: &HostProcess, text: &str) -> Vec<String> {
    log(host).lines().filter(|line| line.contains(text)).map(str::to_owned).collect()
}

/// How long the processor has worked for this process.
fn worked(host: &HostProcess) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", host.id().unwrap())).unwrap();
    // proc(5): utime and stime are the 14th and 15th field; the 2nd is in brackets and may hold anything.
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

/// Sends an ask of 100 bytes, one byte a second, until the host ends the call, and gives back how many seconds that took.
async fn trickle(connection: &mut TcpStream) -> usize {
    connection.write_all(&headers(1, "POST", false)).await.unwrap();
    let mut said = Vec::new();
    for (second, byte) in [0, 0, 0, 0, 100].into_iter().chain([7; 100]).enumerate() {
        if is_ended(&said) {
            return second;
        }
        connection.write_all(&frame(0, 0, 1, &[byte])).await.unwrap();
        let _ = timeout(Duration::from_secs(1), connection.read_buf(&mut said)).await;
    }
    panic!("the host has taken all of it")
}

/// Whether the host has ended the first call: by its last headers, or by a reset.
fn is_ended(mut said: &[u8]) -> bool {
    const HEADERS: u8 = 1;
    const RESET: u8 = 3;
    const END_STREAM: u8 = 1;
    while let &[_, high, low, kind, flags, _, _, _, stream, ref rest @ ..] = said {
        if stream == 1 && (kind == RESET || kind == HEADERS && flags & END_STREAM != 0) {
            return true;
        }
        said = rest.get(usize::from(high) << 8 | usize::from(low)..).unwrap_or_default();
    }
    false
}

/// tonic alone would wait for these without end, and one laptop could hold every place.
#[tokio::test]
async fn a_peer_that_says_too_little_is_closed_after_ten_seconds() {
    let stage = Stage::with_threshold(1);
    let host = stage.host("host").await;
    let clock = kms_client::SystemClock::new();
    let ended = async |said: &[u8]| {
        let mut peer = connect_from(ONE, host.address()).await;
        peer.write_all(said).await.unwrap();
        let began = clock.monotonic();
        // The host may have opened HTTP/2 from its side; a reset is an end, too.
        let _ = timeout(LIMIT, peer.read_to_end(&mut Vec::new())).await.expect("it is closed");
        clock.monotonic().saturating_sub(began)
    };
    let (silent, one_byte, half) = tokio::join!(ended(b""), ended(b"P"), ended(&OPENING[..12]));
    for took in [silent, one_byte, half] {
        assert!(DEADLINE < took + Duration::from_secs(1), "{took:?} is too soon for a machine that is slow");
    }
}

#[tokio::test]
async fn an_ask_that_trickles_in_is_ended_by_the_deadline_of_the_call() {
    let stage = Stage::with_threshold(1);
    let host = stage.host("host").await;
    let mut connection = opened_from(ONE, host.address(), 1).await.remove(0);
    let seconds = timeout(LIMIT, trickle(&mut connection)).await.expect("the call is ended");
    assert!(5 < seconds, "{seconds} s are too few for a machine that is slow");
    assert!(matches!(asks(&stage, ONE, host.address()).await, Ok(Verdict::Leased(_))));
    assert_eq!(host.count().await.unwrap(), 1, "and what trickled is not counted");
}

#[tokio::test]
async fn an_address_past_its_share_is_turned_away_and_another_is_served() {
    let stage = Stage::with_threshold(1);
    let host = host_with(&stage, "connections = 8\nconnections_per_address = 4").await;
    let mut held = opened_from(ONE, host.address(), 4).await;
    for _ in 0..50 {
        assert!(is_turned_away(ONE, host.address()).await);
    }
    assert!(asks(&stage, ONE, host.address()).await.is_err());
    assert!(matches!(asks(&stage, ANOTHER, host.address()).await, Ok(Verdict::Leased(_))));

    held.pop();
    until("served", async || asks(&stage, ONE, host.address()).await.is_ok()).await;
    until("told", async || !lines(&host, "turned away").is_empty()).await;
    let told = lines(&host, "turned away");
    assert!(told[0].contains("most_from=127.0.0.1") && told[0].contains("per_address=4"), "{told:?}");
    assert!(told.len() < 10, "one line a second, and not one for each: {told:#?}");
    let sources =
        host.admin().await.unwrap().list_sources(ListSourcesRequest { page_size: 1 }).await.unwrap();
    let sources = sources.into_inner().sources;
    assert!(sources[0].source == "127.0.0.1" && 51 <= sources[0].turned_away, "{sources:?}");
}

/// A site that has grown, or that one address is pulling down, is not to lose those who are being served.
#[tokio::test]
async fn limits_that_are_lowered_on_sighup_hold_for_newcomers_and_cut_nobody_off() {
    let stage = Stage::with_threshold(1);
    let host = host_with(&stage, "connections = 8\nconnections_per_address = 4").await;
    let mut held = opened_from(ONE, host.address(), 4).await;

    let lower = "connections = 6\nconnections_per_address = 2";
    std::fs::write(settings_file(host.home()), lower).unwrap();
    let said = hang_up(&host).await;

    assert!(said.contains(r#"key="connections" old="8" new="6""#), "{said}");
    // The door takes the limits up in a task of its own.
    until("taken up", async || !lines(&host, "connections=6 per_address=2").is_empty()).await;
    assert!(!said.contains("restart the host"), "{said}");
    for connection in &mut held {
        assert!(is_alive(connection).await);
    }
    held.truncate(3);
    assert!(is_turned_away(ONE, host.address()).await);
    held.truncate(1);
    until("served", async || asks(&stage, ONE, host.address()).await.is_ok()).await;
}

#[tokio::test]
async fn only_networks_that_are_allowed_may_connect_and_sighup_changes_them() {
    let stage = Stage::with_threshold(1);
    let host = host_with(&stage, "allow = [\"127.0.0.2/31\", \"2001:db8::/32\"]").await;
    for _ in 0..50 {
        assert!(is_turned_away(ONE, host.address()).await);
    }
    for allowed in [ANOTHER, A_THIRD] {
        assert!(matches!(asks(&stage, allowed, host.address()).await, Ok(Verdict::Leased(_))));
    }
    until("told", async || !lines(&host, "`allow` in kms-host.toml").is_empty()).await;
    let told = lines(&host, "`allow` in kms-host.toml");
    assert!(told[0].contains("most_from=127.0.0.1") && told.len() < 10, "{told:#?}");

    let mut standing = opened_from(ANOTHER, host.address(), 1).await.remove(0);
    std::fs::write(settings_file(host.home()), "allow = [\"127.0.0.1\"]").unwrap();
    let said = hang_up(&host).await;
    assert!(said.contains("key=\"allow\"") && said.contains("127.0.0.2/31"), "{said}");
    assert!(matches!(asks(&stage, ONE, host.address()).await, Ok(Verdict::Leased(_))));
    assert!(is_turned_away(ANOTHER, host.address()).await);
    assert!(is_alive(&mut standing).await, "who was let in stays");
}

/// Two addresses could hold every connection for five minutes, and nobody was told.
#[tokio::test]
async fn when_every_place_is_taken_a_newcomer_gets_that_of_whoever_holds_most_and_an_alarm_says_so() {
    let stage = Stage::with_threshold(1);
    let host = host_with(&stage, "connections = 8\nconnections_per_address = 6").await;
    let mut most = opened_from(ONE, host.address(), 6).await;
    let mut less = opened_from(ANOTHER, host.address(), 2).await;

    assert!(matches!(asks(&stage, A_THIRD, host.address()).await, Ok(Verdict::Leased(_))));

    assert!(!is_alive(&mut most[0]).await, "its oldest has gone");
    for connection in most.iter_mut().skip(1).chain(&mut less) {
        assert!(is_alive(connection).await);
    }
    until("told", async || !lines(&host, "closed for newcomers").is_empty()).await;
    assert!(lines(&host, "closed for newcomers")[0].contains("most_from=127.0.0.1 "), "{}", log(&host));
    until("alarmed", async || {
        let alarms = host.status().await.unwrap().alarms;
        alarms.iter().any(|alarm| alarm.code == "CONNECTIONS_FULL" && alarm.text.contains("127.0.0.1"))
    })
    .await;
}

#[tokio::test]
async fn administrators_are_answered_while_machines_hold_every_place() {
    let stage = Stage::with_threshold(1);
    let host = host_with(&stage, "connections = 8\nconnections_per_address = 4").await;
    let mut held = opened_from(ONE, host.address(), 4).await;
    held.extend(opened_from(ANOTHER, host.address(), 4).await);
    assert!(is_turned_away(ONE, host.address()).await);
    assert_eq!(host.count().await.unwrap(), 0);

    drop(held);
    until("served", async || asks(&stage, A_THIRD, host.address()).await.is_ok()).await;
}

#[tokio::test]
async fn a_host_with_few_descriptors_keeps_half_of_them_for_itself() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    std::fs::write(home.path().join("kms-host.toml"), "connections = 1000").unwrap();
    let arguments = vec!["--nofile=48:96".into(), program().path.into()];
    let limited = Program { path: "prlimit".into(), arguments };
    let host = HostProcess::start(&limited, &home, LOOPBACK).await.unwrap();
    assert!(log(&host).contains("configured=1000 possible=48"), "{}", log(&host));
    assert!(log(&host).contains("connections=48 per_address=36 descriptors=96"), "{}", log(&host));

    let held = opened_from(ONE, host.address(), 36).await;
    let more: Vec<_> = opened_from(ANOTHER, host.address(), 12).await;
    assert!(is_turned_away(ONE, host.address()).await);
    assert_eq!(host.count().await.unwrap(), 0, "administrators are answered");
    assert!(lines(&host, "no connection can be accepted").is_empty(), "it never runs out");
    drop((held, more));
    until("served", async || asks(&stage, ONE, host.address()).await.is_ok()).await;
}

/// With tonic's own accept loop the host works 0.9 s of each second here.
#[tokio::test]
async fn when_descriptors_run_out_all_the_same_the_host_rests_answers_administrators_and_recovers() {
    const LEFT: usize = 64;
    let stage = Stage::with_threshold(1);
    let host = host_with(&stage, "").await;
    let pid = host.id().unwrap().to_string();
    let lowered = Command::new("prlimit").args(["--pid", &pid, &format!("--nofile={LEFT}:")]).status().await;
    assert!(lowered.unwrap().success());
    let mut crowd = Vec::new();
    for _ in 0..4 * LEFT {
        let mut connection = connect_from(ONE, host.address()).await;
        connection.write_all(OPENING).await.unwrap();
        crowd.push(connection);
    }
    until("told", async || !lines(&host, "no connection can be accepted").is_empty()).await;

    let before = worked(&host);
    let administrators = async {
        for _ in 0..10 {
            assert_eq!(host.count().await.unwrap(), 0);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    timeout(LIMIT, administrators).await.expect("administrators are answered");
    let work = worked(&host).saturating_sub(before);
    assert!(work < Duration::from_millis(600), "it worked {work:?} of 2 s");

    drop(crowd);
    until("served", async || asks(&stage, ONE, host.address()).await.is_ok()).await;
    until("told", async || !lines(&host, "accepted again").is_empty()).await;
    let told = lines(&host, "no connection can be accepted");
    let of_machines = told.iter().filter(|line| line.contains("of=\"machines\"")).count();
    assert_eq!(of_machines, 1, "told once: {}", log(&host));
}
