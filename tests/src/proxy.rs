//! The way between a machine and a host, on which asks and answers get lost as a story wants it.
//!
//! It passes HTTP/2 frames on, and knows no more of them than which one begins an ask or an answer. RFC 9113, section 4.1:
//! "All frames begin with a fixed 9-octet header followed by a variable-length frame payload."

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What becomes of one connection: one round of a machine through this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// All arrives.
    Deliver,
    /// After this many answered asks, the next never reaches the host.
    LoseAsk(u32),
    /// After this many answered asks, the host decides the next, but its answer never reaches the machine.
    LoseAnswer(u32),
}

/// A proxy in front of one host.
pub struct Proxy {
    address: SocketAddr,
    fates: Arc<Mutex<Fates>>,
    accepting: JoinHandle<()>,
}

struct Fates {
    next: VecDeque<Fate>,
    otherwise: Fate,
}

impl Proxy {
    /// A proxy in front of this host. It delivers everything until it is told otherwise.
    ///
    /// # Errors
    /// There is no free port.
    pub async fn before(host: SocketAddr) -> io::Result<Proxy> {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let address = listener.local_addr()?;
        let fates = Arc::new(Mutex::new(Fates { next: VecDeque::new(), otherwise: Fate::Deliver }));
        let decided = Arc::clone(&fates);
        let accepting = tokio::spawn(async move {
            while let Ok((machine, _)) = listener.accept().await {
                let fate = draw(&decided);
                // A connection that breaks is what this is for.
                tokio::spawn(async move { carry(machine, host, fate).await.ok() });
            }
        });
        Ok(Proxy { address, fates, accepting })
    }

    /// Where machines find it.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What becomes of the next connection that has no fate yet.
    pub fn next(&self, fate: Fate) {
        lock(&self.fates).next.push_back(fate);
    }

    /// What becomes of every connection from now on.
    pub fn always(&self, fate: Fate) {
        *lock(&self.fates) = Fates { next: VecDeque::new(), otherwise: fate };
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn lock(fates: &Mutex<Fates>) -> MutexGuard<'_, Fates> {
    fates.lock().unwrap_or_else(PoisonError::into_inner)
}

fn draw(fates: &Mutex<Fates>) -> Fate {
    let mut fates = lock(fates);
    fates.next.pop_front().unwrap_or(fates.otherwise)
}

/// Whichever way ends first ends both, so that both sides see the connection break.
async fn carry(mut machine: TcpStream, host: SocketAddr, fate: Fate) -> io::Result<()> {
    let mut host = TcpStream::connect(host).await?;
    machine.set_nodelay(true)?;
    host.set_nodelay(true)?;
    let (lost_ask, lost_answer) = match fate {
        Fate::Deliver => (None, None),
        Fate::LoseAsk(after) => (Some(stream_id(after)), None),
        Fate::LoseAnswer(after) => (None, Some(stream_id(after))),
    };
    let (mut from_machine, mut to_machine) = machine.split();
    let (mut from_host, mut to_host) = host.split();
    let asks = async {
        let mut preface = [0; PREFACE_BYTES];
        from_machine.read_exact(&mut preface).await?;
        to_host.write_all(&preface).await?;
        pass_on(&mut from_machine, &mut to_host, lost_ask).await
    };
    let answers = pass_on(&mut from_host, &mut to_machine, lost_answer);
    tokio::select! {
        ended = asks => ended,
        ended = answers => ended,
    }
}

/// What a client sends before its first frame: RFC 9113, section 3.4.
const PREFACE_BYTES: usize = 24;

/// The type of the frame with which an ask, or an answer, begins.
const HEADERS: u8 = 1;

/// RFC 9113, section 5.1.1: "Streams initiated by a client MUST use odd-numbered stream identifiers", and each is
/// greater than those before it.
fn stream_id(after: u32) -> u32 {
    2 * after + 1
}

/// Passes frames on until the one that begins the lost stream, or the end.
async fn pass_on(
    from: &mut (impl AsyncReadExt + Unpin),
    to: &mut (impl AsyncWriteExt + Unpin),
    lost: Option<u32>,
) -> io::Result<()> {
    loop {
        let mut header = [0; 9];
        from.read_exact(&mut header).await?;
        let [l0, l1, l2, kind, _, s0, s1, s2, s3] = header;
        if kind == HEADERS && lost == Some(u32::from_be_bytes([s0, s1, s2, s3])) {
            return Ok(());
        }
        let length = u32::from_be_bytes([0, l0, l1, l2]);
        let mut frame = header.to_vec();
        frame.resize(header.len() + usize::try_from(length).map_err(io::Error::other)?, 0);
        from.read_exact(&mut frame[header.len()..]).await?;
        to.write_all(&frame).await?;
    }
}
