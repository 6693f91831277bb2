//! An authoritative DNS server on loopback, whose zones are written as an administrator would write them.
//!
//! The demo and the tests point the client's resolver at [`DnsServer::address`], so that discovery runs
//! against real packets: UDP, TCP, truncation, negative answers, silence. It remembers each question it
//! received, takes an edited zone while it serves, and can be told to fail for one name. It is a test's
//! companion, not a product: no recursion, no transfers, no updates, and 127.0.0.1 only. Hickory parses,
//! looks up and answers.
//!
//! Read on: `zone.rs` turns text into a [`Zone`], `answers.rs` decides what becomes of one question.

mod answers;
mod zone;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_server::Server;
pub use hickory_server::proto::rr::RecordType;
use tokio::net::{TcpListener, UdpSocket};

use crate::answers::{Answers, Handler};
pub use crate::zone::{Zone, ZoneError};

/// A name server that answers for its zones until it is stopped or dropped.
///
/// A name in none of its zones is REFUSED, as an authoritative server does. A test that wants NXDOMAIN for a
/// whole domain serves that domain as a zone with nothing but its SOA; with the origin `.` that is every name.
///
/// # Example
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use kms_dns::{DnsServer, Zone};
///
/// let zone_file = "
/// $TTL 60
/// @                     SOA  ns hostmaster 1 3600 600 86400 60
/// @                     NS   ns
/// ns                    A    127.0.0.1
/// _kms-activation._tcp  SRV  0 0 21688 kms1
/// kms1                  A    127.0.0.1
/// ";
/// let zone = Zone::parse("corp.example.", zone_file)?;
/// let server = DnsServer::start(vec![zone]).await?;
/// println!("ask {} with a resolver of your choice", server.address());
/// assert_eq!(server.queries(), []);
/// server.stop().await?;
/// # Ok(())
/// # }
/// ```
pub struct DnsServer {
    address: SocketAddr,
    answers: Arc<Answers>,
    server: Server<Handler>,
}

/// One question, as it arrived. A resolver that asks again is recorded again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The name asked for: lower case, fully qualified, with its trailing dot.
    pub name: String,
    /// The type asked for.
    pub record_type: RecordType,
}

/// How many questions are remembered: more than any test asks, and few enough that a runaway loop does not fill the memory.
pub const QUERIES_KEPT: usize = 10_000;

impl DnsServer {
    /// Serves `zones` over UDP and TCP on one free port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// The machine has no port that is free for both UDP and TCP, or no descriptor left.
    pub async fn start(zones: Vec<Zone>) -> io::Result<Self> {
        let (udp, tcp) = bind_both().await?;
        let address = udp.local_addr()?;
        let answers = Arc::new(Answers::new(zones));
        let mut server = Server::new(Handler(Arc::clone(&answers)));
        server.register_socket(udp);
        server.register_listener(tcp, TCP_IDLE, TCP_ANSWERS_QUEUED);
        Ok(Self { address, answers, server })
    }

    /// Where it listens, for UDP and TCP alike.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every question so far in the order of arrival, at most the last [`QUERIES_KEPT`].
    ///
    /// Questions for silenced, failing and refused names are among them.
    pub fn queries(&self) -> Vec<Query> {
        self.answers.queries()
    }

    /// Serves `zone` from now on, in place of the one with its origin or as a further one.
    ///
    /// The administrator edits the zone file and reloads it. What a resolver has cached stays cached.
    pub fn replace(&self, zone: Zone) {
        self.answers.replace(zone);
    }

    /// Never answers a question for `name`, of any type, so that the resolver runs into its time-out.
    ///
    /// Over TCP the connection stays open, silent.
    pub fn silence(&self, name: &str) {
        self.answers.silence(name);
    }

    /// Answers SERVFAIL to every question for `name`, of any type.
    pub fn fail(&self, name: &str) {
        self.answers.fail(name);
    }

    /// Ends what [`silence`](Self::silence) or [`fail`](Self::fail) began for `name`.
    pub fn mend(&self, name: &str) {
        self.answers.mend(name);
    }

    /// Closes both sockets and returns when no task is left.
    ///
    /// A server that is dropped is aborted as well, but its port may outlive the drop by a moment.
    ///
    /// # Errors
    ///
    /// A socket had failed while it served.
    pub async fn stop(mut self) -> io::Result<()> {
        self.server.shutdown_gracefully().await.map_err(io::Error::other)
    }
}

/// A connection that asks nothing for so long is closed.
const TCP_IDLE: Duration = Duration::from_secs(10);

/// Answers that may wait for one slow reader of a TCP connection.
const TCP_ANSWERS_QUEUED: usize = 32;

/// A resolver that is sent a truncated answer asks again over TCP at the same port, so both must be ours.
///
/// The UDP port is picked by the system and may be in use for TCP: then another is picked.
async fn bind_both() -> io::Result<(UdpSocket, TcpListener)> {
    const ATTEMPTS: usize = 16;

    let mut in_use = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..ATTEMPTS {
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        match TcpListener::bind(udp.local_addr()?).await {
            Ok(tcp) => return Ok((udp, tcp)),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => in_use = error,
            Err(error) => return Err(error),
        }
    }
    Err(in_use)
}
