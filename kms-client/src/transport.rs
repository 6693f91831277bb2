//! Connects to one host: to the first of its addresses that accepts, and to the next one if that gives no answer.
//!
//! `wire` asks over a connection and names its failures. `discovery` decides which hosts to ask.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use shared::time::Length;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use wire::{Connection, Failure, silent, unreachable};

use crate::hosts::HostName;
use crate::way::Way;

/// How long one address may take to accept a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);

/// How long the next address of a name waits for the one before it. RFC 8305, section 8: "Recommended to be 250 milliseconds."
const STAGGER: Duration = Duration::from_millis(250);

/// How long a host may take to answer. It commits to its disk before it does.
pub(crate) const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// The addresses of one host: those that were not tried yet, and those that did not accept.
pub(crate) struct Addresses {
    left: Vec<SocketAddr>,
    unreached: Vec<Unreached>,
}

impl Addresses {
    /// All addresses of a host. Those in `first` are tried before the others.
    pub(crate) fn of(found: &[SocketAddr], first: &[String]) -> Addresses {
        let mut left = in_turns(found);
        left.sort_by_key(|address| !first.contains(&address.to_string()));
        Addresses { left, unreached: Vec::new() }
    }

    /// The addresses that were not tried.
    pub(crate) fn left(&self) -> &[SocketAddr] {
        &self.left
    }

    /// Connects to the next address that accepts; `None` if none is left. A failure after it has accepted comes with its address.
    pub(crate) async fn connect(
        &mut self,
        name: &HostName,
        way: &Way,
    ) -> Option<(SocketAddr, Result<Connection, Failure>)> {
        let (stream, address) = race(&mut self.left, &mut self.unreached).await?;
        Some((address, open(name, stream, way).await))
    }

    /// Why the addresses that did not accept were not reached; `None` if all have accepted.
    pub(crate) fn unreached(&self, name: &HostName) -> Option<Failure> {
        let cause = match self.unreached.as_slice() {
            [] => return None,
            [(_, error)] => error.to_string(),
            several => {
                let each = several.iter().map(|(address, error)| format!("{address}: {error}"));
                each.collect::<Vec<_>>().join("; ")
            }
        };
        Some(unreachable(&name.to_string(), &cause))
    }
}

async fn open(name: &HostName, stream: TcpStream, way: &Way) -> Result<Connection, Failure> {
    let host = name.to_string();
    let origin = format!("{}://{}", way.scheme(), name.authority());
    let opening = async { Connection::open(way.open(stream, name).await?, &origin, &host).await };
    timeout(CONNECT_LIMIT, opening).await.unwrap_or_else(|_| Err(silent(&host)))
}

/// IPv6 and IPv4 by turns, so that a dead family costs little time. The system has put the family first that suits this machine
/// (RFC 6724).
fn in_turns(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let mut first = addresses.iter().filter(|address| address.is_ipv6() == is_v6);
    let mut other = addresses.iter().filter(|address| address.is_ipv6() != is_v6);
    let mut ordered = Vec::new();
    loop {
        let pair = [first.next(), other.next()];
        if pair == [None, None] {
            return ordered;
        }
        ordered.extend(pair.into_iter().flatten().copied());
    }
}

/// An address that did not accept, and why.
type Unreached = (SocketAddr, io::Error);

/// The first connection among these addresses. Each starts when the one before has failed or 250 ms have passed. Takes those with a
/// result out of `left`.
async fn race(left: &mut Vec<SocketAddr>, unreached: &mut Vec<Unreached>) -> Option<(TcpStream, SocketAddr)> {
    let mut waiting = left.clone().into_iter();
    let mut running = JoinSet::new();
    loop {
        let next = waiting.next();
        let more = next.is_some();
        if let Some(address) = next {
            running.spawn(async move { (address, connect_to(address).await) });
        }
        let outcome = if more {
            timeout(STAGGER, running.join_next()).await.ok()
        } else {
            Some(running.join_next().await)
        };
        match outcome {
            Some(Some(Ok((address, connected)))) => {
                left.retain(|other| *other != address);
                match connected {
                    Ok(stream) => return Some((stream, address)),
                    Err(error) => unreached.push((address, error)),
                }
            }
            // No address is left.
            Some(None) if !more => return None,
            // The stagger has passed, or the runtime is being stopped.
            Some(_) | None => {}
        }
    }
}

async fn connect_to(address: SocketAddr) -> io::Result<TcpStream> {
    let connected = timeout(CONNECT_LIMIT, TcpStream::connect(address)).await;
    let stream = connected.map_err(|_| {
        let limit = Length(CONNECT_LIMIT);
        io::Error::new(io::ErrorKind::TimedOut, format!("nothing in {limit}"))
    })??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(addresses: &[&str], expected: &[&str]) {
        let parse = |text: &&str| SocketAddr::new(text.parse().unwrap(), 1);
        let addresses: Vec<_> = addresses.iter().map(parse).collect();
        assert_eq!(in_turns(&addresses), expected.iter().map(parse).collect::<Vec<_>>());
    }

    #[test]
    fn the_two_families_take_turns_and_the_system_says_which_is_first() {
        check(
            &["::1", "::2", "10.0.0.1", "10.0.0.2", "10.0.0.3"],
            &["::1", "10.0.0.1", "::2", "10.0.0.2", "10.0.0.3"],
        );
        check(&["10.0.0.1", "10.0.0.2", "::1"], &["10.0.0.1", "::1", "10.0.0.2"]);
        check(&[], &[]);
    }
}
