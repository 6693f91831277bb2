//! The way to the hosts: a connection for every ask, as in the field, or a number of kept ones.
//!
//! Asks by the crate `wire`, as the client library does, but chooses its source addresses. Whatever a peer does, the result is at
//! worst a [`Failure`]. `machine` reads the answers.

mod failure;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ::wire::TlsWay;
use kms_client::HostName;
use proto::v1;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Mutex;
use tokio::time::timeout;

use ::wire::{Connection, Line};

use super::sources::Addresses;

pub(crate) use self::failure::Failure;

/// How long a host may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// To accept a connection.
    pub(crate) connect: Duration,
    /// To answer an ask on it.
    pub(crate) answer: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { connect: Duration::from_secs(5), answer: Duration::from_secs(10) }
    }
}

/// The way to some hosts.
pub(crate) struct Wire {
    hosts: Vec<SocketAddr>,
    sources: Addresses,
    limits: Limits,
    /// TLS, and the name that each host's certificate has to be for.
    tls: Option<(TlsWay, Vec<HostName>)>,
    /// The kept connections of each host; none if every ask has its own.
    kept: Vec<Vec<Kept>>,
}

/// A kept connection, if it is there.
type Kept = Mutex<Option<Arc<Connection>>>;

impl Wire {
    /// Keeps `count` connections to each host. They are made when they are first used, and again after they broke. Each has its own
    /// source address. If `count` is 0, makes a connection for every ask and closes it after the answer; then each machine has its
    /// own source address.
    pub(crate) fn new(count: usize, hosts: Vec<SocketAddr>, sources: Addresses, limits: Limits) -> Wire {
        let lines = || (0..count).map(|_| Kept::default()).collect();
        let kept = hosts.iter().map(|_| lines()).collect();
        Wire { hosts, sources, limits, tls: None, kept }
    }

    /// The same by TLS, with hosts of these names.
    pub(crate) fn by_tls(self, way: TlsWay, names: Vec<HostName>) -> Wire {
        Wire { tls: Some((way, names)), ..self }
    }

    /// Brings an ask of this machine to this host, and back the answer as it came.
    ///
    /// # Errors
    /// No answer came: the connection or the host failed, or whatever listens there is no host.
    pub(crate) async fn activate(
        &self,
        machine: usize,
        host: usize,
        request: v1::ActivateRequest,
    ) -> Result<v1::Answer, Failure> {
        match self.kept.get(host).map(Vec::as_slice) {
            None => Err(Failure::unreachable(&"there is no host of that number")),
            Some([]) => Ok(self.connect(host, machine).await?.activate(request, self.limits.answer).await?),
            Some(lines) => self.over(lines, host, machine, request).await,
        }
    }

    /// Asks over a kept connection. A host closes one in order after some minutes; an ask that was handed to it just then never
    /// left, so it goes over the next one.
    async fn over(
        &self,
        lines: &[Kept],
        host: usize,
        machine: usize,
        request: v1::ActivateRequest,
    ) -> Result<v1::Answer, Failure> {
        let number = machine % lines.len();
        let line = self.line(&lines[number], host, number).await?;
        match line.activate(request.clone(), self.limits.answer).await {
            Err(failure) if failure.never_left => {
                let line = self.line(&lines[number], host, number).await?;
                Ok(line.activate(request, self.limits.answer).await?)
            }
            answered => Ok(answered?),
        }
    }

    /// The kept connection, made again if it has ended. Waiting for another task's attempt takes no longer than an attempt of its
    /// own would.
    async fn line(&self, kept: &Kept, host: usize, number: usize) -> Result<Arc<Connection>, Failure> {
        let there = async {
            let mut kept = kept.lock().await;
            if let Some(line) = kept.as_ref().filter(|line| line.is_open()) {
                return Ok(Arc::clone(line));
            }
            let line = Arc::new(self.connect(host, number).await?);
            *kept = Some(Arc::clone(&line));
            Ok(line)
        };
        timeout(self.limits.connect, there).await.unwrap_or_else(|_| Err(self.nobody_accepts()))
    }

    async fn connect(&self, host: usize, number: usize) -> Result<Connection, Failure> {
        let address = self.hosts[host];
        let source = self.sources.to_reach(address.ip(), number);
        let (scheme, name) = (if self.tls.is_some() { "https" } else { "http" }, address.to_string());
        let opening = async {
            let stream = connect(address, source).await.map_err(|error| Failure::of_io(&error))?;
            let line = match &self.tls {
                None => Line::plain(stream),
                Some((way, names)) => {
                    let opened = way.open(stream, names[host].name(), names[host].to_string()).await;
                    opened.map_err(|cause| Failure::from(::wire::Failure::from(cause)))?
                }
            };
            Ok(Connection::open(line, &format!("{scheme}://{name}"), &name).await?)
        };
        let opened = timeout(self.limits.connect, opening).await;
        opened.unwrap_or_else(|_| Err(self.nobody_accepts()))
    }

    fn nobody_accepts(&self) -> Failure {
        Failure::unreachable(&format!("nobody accepted a connection in {:?}", self.limits.connect))
    }
}

async fn connect(address: SocketAddr, source: Option<Ipv4Addr>) -> std::io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(source) = source {
        socket.bind(SocketAddr::from((source, 0)))?;
    }
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

#[cfg(test)]
mod tests;
