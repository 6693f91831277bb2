//! Listening for peers. This file decides which of several addresses takes which connections, not the system's settings.
//!
//! `[::]` takes IPv4 too, unless an IPv4 address with the same port is listed: then each takes its own family. The kernel's own
//! default is `net.ipv6.bindv6only`, which differs between machines. `accept` decides who may connect.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use rustix::net::sockopt::set_ipv6_v6only;
use tokio::net::{TcpListener, TcpSocket};

/// Connections that the kernel may hold before they are accepted; it uses net.core.somaxconn if that is less. Beyond that, a
/// connection is dropped, tried again after a second, or reset: with the usual 128, ten thousand machines that asked at once got 600
/// resets and more.
const BACKLOG: u32 = 65_535;

/// The kernel's buffers of a connection, for reading and for writing. The largest ask or answer fits. By itself the kernel would let
/// them grow to megabytes.
const SOCKET_BUFFER_BYTES: u32 = 32 * 1024;

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}")]
pub struct ListenError {
    /// Which one.
    pub address: SocketAddr,
    /// Why.
    pub source: io::Error,
}

impl ListenError {
    /// What to do. `listen` is in this file of settings.
    pub fn remedy(&self, settings_file: &str) -> String {
        let setting = format!("with `listen` in {settings_file}, or --listen");
        match self.source.kind() {
            io::ErrorKind::AddrInUse => {
                format!("stop what listens there (`ss -ltnp` names it), or choose another address {setting}")
            }
            io::ErrorKind::AddrNotAvailable => format!(
                "no interface of this machine has that address (`ip address` lists them): choose one that it has, or [::] for all, \
                 {setting}"
            ),
            io::ErrorKind::PermissionDenied => format!(
                "not every user may use ports below 1024: choose another one {setting}, or give the service CAP_NET_BIND_SERVICE"
            ),
            _ => format!("choose another address {setting}"),
        }
    }
}

/// Checks that a program can listen on all these addresses together.
///
/// # Errors
/// Two of them take the same connections, or nobody can connect to one.
pub fn check(addresses: &[SocketAddr]) -> Result<(), String> {
    let is_of_many = |ip: IpAddr| ip.is_multicast() || ip == IpAddr::from(Ipv4Addr::BROADCAST);
    if let Some(many) = addresses.iter().find(|address| is_of_many(canonical(**address).ip())) {
        return Err(format!(
            "`listen` names {many}, which is no address of one machine: name one that this machine has, or [::] for all of them"
        ));
    }
    for (index, one) in addresses.iter().enumerate() {
        let Some(other) = addresses[..index].iter().find(|other| overlap(one, other)) else { continue };
        if one == other {
            return Err(format!("`listen` names {one} twice: once is enough"));
        }
        let (all, single) = if other.ip().is_unspecified() { (other, one) } else { (one, other) };
        return Err(format!(
            "`listen` names {all}, which takes the same connections as {single}: leave out one of the two"
        ));
    }
    Ok(())
}

/// Whether both are of one family. An IPv4 address written as IPv6 (`::ffff:192.0.2.7`) is IPv4 to the kernel.
fn overlap(one: &SocketAddr, other: &SocketAddr) -> bool {
    let (one, other) = (canonical(*one), canonical(*other));
    let is_same_port = one.port() == other.port() && one.port() != 0;
    let is_either_wild = one.ip().is_unspecified() || other.ip().is_unspecified();
    is_same_port && one.is_ipv4() == other.is_ipv4() && (one == other || is_either_wild)
}

/// Converts an IPv4 address that is written as IPv6 to IPv4, because `net.ipv6.bindv6only = 1` lets no IPv6 socket bind to it.
pub fn canonical(mut address: SocketAddr) -> SocketAddr {
    address.set_ip(address.ip().to_canonical());
    address
}

/// Listens on all of them.
///
/// # Errors
/// One of them is not available. Then none is kept.
pub fn bind_all(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, ListenError> {
    sockets(addresses)?
        .into_iter()
        .map(|(address, socket)| socket.listen(BACKLOG).map_err(|source| ListenError { address, source }))
        .collect()
}

/// Checks whether a program could listen on all of them, without taking a connection.
///
/// # Errors
/// As for [`bind_all`].
pub fn try_all(addresses: &[SocketAddr]) -> Result<(), ListenError> {
    sockets(addresses).map(drop)
}

/// On a machine without IPv6, `0.0.0.0` replaces `[::]`.
fn sockets(addresses: &[SocketAddr]) -> Result<Vec<(SocketAddr, TcpSocket)>, ListenError> {
    let mut sockets = Vec::new();
    for address in addresses {
        let has_ipv4_beside_it = has_ipv4(addresses, address.port());
        let address = *address;
        match socket(address, has_ipv4_beside_it) {
            Ok(socket) => sockets.push((address, socket)),
            Err(error) if may_be_without_ipv6(address, &error) => {
                let fallback = SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()));
                tracing::warn!(%error, %address, %fallback, "this machine has no IPv6: listening on IPv4 alone");
                if !has_ipv4_beside_it {
                    let socket = socket(fallback, false);
                    sockets.push((
                        fallback,
                        socket.map_err(|source| ListenError { address: fallback, source })?,
                    ));
                }
            }
            Err(source) => return Err(ListenError { address, source }),
        }
    }
    Ok(sockets)
}

fn has_ipv4(addresses: &[SocketAddr], port: u16) -> bool {
    addresses.iter().any(|one| canonical(*one).is_ipv4() && one.port() == port)
}

fn may_be_without_ipv6(address: SocketAddr, error: &io::Error) -> bool {
    address.is_ipv6() && address.ip().is_unspecified() && error.kind() != io::ErrorKind::AddrInUse
}

fn socket(address: SocketAddr, has_ipv4_beside_it: bool) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv6() { TcpSocket::new_v6()? } else { TcpSocket::new_v4()? };
    if address.is_ipv6() {
        set_ipv6_v6only(&socket, has_ipv4_beside_it && address.ip().is_unspecified())?;
    }
    // As every server does: lingering connections of the last run must not block the port.
    socket.set_reuseaddr(true)?;
    socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES)?;
    socket.set_send_buffer_size(SOCKET_BUFFER_BYTES)?;
    socket.bind(address)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    /// `config check` once said ok to what nobody could listen on.
    #[test]
    fn addresses_that_take_the_same_connections_are_told() {
        for fine in [
            &["[::]:1", "0.0.0.0:1"][..],
            &["[::]:1", "192.0.2.7:1"],
            &["[::]:1", "[::]:2"],
            &["192.0.2.7:1", "192.0.2.8:1", "[2001:db8::1]:1"],
            &["127.0.0.1:0", "127.0.0.1:0"],
        ] {
            assert_eq!(check(&addresses(fine)), Ok(()), "{fine:?}");
        }
        for (wrong, told) in [
            (["[::]:1", "[::]:1"], "twice"),
            (["[::1]:1", "[::]:1"], "[::]:1, which takes the same connections as [::1]:1"),
            (["0.0.0.0:1", "192.0.2.7:1"], "0.0.0.0:1, which takes the same connections as 192.0.2.7:1"),
            (["0.0.0.0:1", "[::ffff:192.0.2.7]:1"], "leave out one"),
        ] {
            let error = check(&addresses(&wrong)).unwrap_err();
            assert!(error.contains(told), "{wrong:?}: {error}");
        }
        for many in ["224.0.0.1:1", "255.255.255.255:1", "[ff02::1]:1", "[::ffff:224.0.0.1]:1"] {
            let error = check(&addresses(&[many])).unwrap_err();
            assert!(error.contains("no address of one machine"), "{many}: {error}");
        }
    }

    #[tokio::test]
    async fn both_wildcards_are_listened_on_at_one_port_and_each_takes_its_own_family() {
        // Another process may take a port between the moment that it is found free and the one that it is listened on.
        let free = || {
            let free = bind_all(&["[::]:0".parse().unwrap()]).unwrap().remove(0);
            let port = free.local_addr().unwrap().port();
            drop(free);
            let both = [SocketAddr::from(([0_u16; 8], port)), SocketAddr::from(([0_u8; 4], port))];
            bind_all(&both).ok().map(|listeners| (port, both, listeners))
        };
        let (port, both, listeners) =
            std::iter::repeat_with(free).take(20).flatten().next().expect("a free port");
        for (listener, address) in listeners.iter().zip(["[::1]", "127.0.0.1"]) {
            let connected = tokio::net::TcpStream::connect(format!("{address}:{port}")).await;
            if address == "[::1]" && connected.is_err() {
                eprintln!("NOT RUN: the IPv6 half of two wildcards: no ::1 here");
                continue;
            }
            let (_, peer) = listener.accept().await.unwrap();
            assert_eq!(peer.is_ipv6(), address == "[::1]");
        }
        assert!(try_all(&both).is_err(), "they are taken now");
    }
}
