//! Accepting: every connection takes a place, says soon that it speaks HTTP/2, and gives its place back when it ends.
//!
//! tonic would accept for us, but it spins when descriptors run out, never closes a peer that says nothing, and keeps the TLS
//! certificate that it began with. Who may come in and how is the [`Door`]'s, what a newcomer says first `greeting`'s, how many
//! there may be [`Limits`]', and who holds how many is counted in `places`. The calls on a connection are bounded in
//! [`serve`](crate::serve()).

mod allow;
mod door;
mod limits;
mod places;

mod connection;
mod greeting;
mod refusing;
mod socket;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};

pub use self::allow::Network;
pub use self::connection::Connection;
pub use self::door::{Admission, Door};
use self::greeting::{Greeted, greet};
pub use self::limits::Limits;
use self::places::Place;
pub use self::socket::Socket;
use crate::tls::Tls;

/// How long accepting rests when descriptors have run out; each time in a row twice as long, up to the longest.
const FIRST_REST: Duration = Duration::from_millis(50);
const LONGEST_REST: Duration = Duration::from_secs(1);

/// So many descriptors have to be free in a shortage before a machine gets one: the first that come free are administrators'.
const FREE_FIRST: usize = 16;

/// A shortage is over when accepting has not failed, and nobody was left waiting, for so long.
const CALM: Duration = Duration::from_secs(1);

/// Accepted connections that wait for the transport to take them.
const READY: usize = 64;

/// Connections of several listeners in one stream, in the clear, from everybody, as many as the descriptors of this process
/// allow.
pub fn connections(listeners: Vec<TcpListener>) -> impl Stream<Item = io::Result<Connection>> {
    connections_through(Door::new(Admission::default(), Arc::default()), listeners)
}

/// The same, for whom this door admits. Whom it does not is hung up on. The listeners close when the stream is dropped.
pub fn connections_through(
    door: Door,
    listeners: Vec<TcpListener>,
) -> impl Stream<Item = io::Result<Connection>> {
    let (ready, receiver) = mpsc::channel(READY);
    for listener in listeners {
        tokio::spawn(accept(listener, door.clone(), ready.clone()));
    }
    tokio::spawn(async move {
        tokio::select! {
            () = door.tell_who_is_turned_away() => {}
            () = ready.closed() => {}
        }
    });
    ReceiverStream::new(receiver).map(Ok)
}

/// Connections of administrators. When descriptors have run out all the same, one that was held back for them is given up, so
/// that somebody can look at the host in just that hour.
pub fn admin_connections(socket: UnixListener) -> impl Stream<Item = io::Result<UnixStream>> {
    let (ready, receiver) = mpsc::channel(1);
    tokio::spawn(accept_administrators(socket, ready));
    ReceiverStream::new(receiver).map(Ok)
}

/// Ends when nobody takes connections any more.
async fn accept(listener: TcpListener, door: Door, ready: mpsc::Sender<Connection>) {
    let mut shortage = Shortage::of("machines");
    loop {
        while shortage.is_on && !ready.is_closed() && !are_free(FREE_FIRST, &listener) {
            shortage.rest().await;
        }
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shortage.passes() => continue,
            () = ready.closed() => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                shortage.eases();
                // Without a place the stream is dropped here, which closes it.
                let Some((place, admission)) = door.admit(peer.ip()) else { continue };
                tokio::spawn(welcome(stream, place, admission, ready.clone()));
            }
            Err(error) => shortage.rest_after(&error).await,
        }
    }
}

/// Waits for the first words of a newcomer and hands it on. Nobody takes it any more when the host stops.
async fn welcome(
    stream: TcpStream,
    place: Place,
    admission: Arc<Admission>,
    ready: mpsc::Sender<Connection>,
) {
    tokio::select! {
        () = hand_on(stream, place, &admission.tls, &ready) => {}
        () = ready.closed() => {}
    }
}

async fn hand_on(stream: TcpStream, place: Place, tls: &Tls, ready: &mpsc::Sender<Connection>) {
    match greeted(stream, place, tls).await {
        Ok(Greeted::Welcome(connection)) => {
            let _ = ready.send(connection).await;
        }
        Ok(Greeted::NeedsTls(connection)) => refusing::refuse(connection).await,
        Err(error) => tracing::debug!(%error, "a connection ended before it was served"),
    }
}

async fn greeted(stream: TcpStream, place: Place, tls: &Tls) -> io::Result<Greeted> {
    // A call is one small message each way; waiting for more to send with it would only delay it.
    stream.set_nodelay(true)?;
    greet(stream, place, tls).await
}

async fn accept_administrators(socket: UnixListener, ready: mpsc::Sender<UnixStream>) {
    let mut shortage = Shortage::of("administrators");
    let mut spare: Option<OwnedFd> = None;
    loop {
        // Any descriptor will do, so it is another of the socket itself.
        spare = spare.or_else(|| socket.as_fd().try_clone_to_owned().ok());
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted,
            () = shortage.passes() => continue,
            () = ready.closed() => return,
        };
        // Who is waiting takes its number, unless another thread is faster: then there is a rest.
        let accepted = match accepted {
            Err(error) if !is_of_one_connection(&error) && spare.take().is_some() => socket.accept().await,
            accepted => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                shortage.eases();
                let _ = ready.send(stream).await;
            }
            Err(error) => shortage.rest_after(&error).await,
        }
    }
}

/// Whether so many descriptors could be had now.
fn are_free(number: usize, any: &impl AsFd) -> bool {
    let held: io::Result<Vec<OwnedFd>> = (0..number).map(|_| any.as_fd().try_clone_to_owned()).collect();
    held.is_ok()
}

/// A time in which nothing can be accepted, told in the log once however long it is.
struct Shortage {
    whose: &'static str,
    is_on: bool,
    next_rest: Duration,
}

impl Shortage {
    fn of(whose: &'static str) -> Shortage {
        Shortage { whose, is_on: false, next_rest: FIRST_REST }
    }

    /// Rests, unless the error is one connection's own. It would come again at once, for the connection still waits.
    async fn rest_after(&mut self, error: &io::Error) {
        if is_of_one_connection(error) {
            tracing::debug!(%error, "a connection was gone before it was accepted");
            return;
        }
        if !self.is_on {
            let of = self.whose;
            tracing::warn!(%error, of, "no connection can be accepted; trying again until one can");
        }
        self.is_on = true;
        self.rest().await;
    }

    async fn rest(&mut self) {
        tokio::time::sleep(self.next_rest).await;
        self.next_rest = LONGEST_REST.min(self.next_rest * 2);
    }

    /// One was accepted. The next may fail again, so that is no end yet.
    fn eases(&mut self) {
        self.next_rest = FIRST_REST;
    }

    /// Waits for its end beside an accept that waits for somebody to come; for ever where there is none.
    async fn passes(&mut self) {
        if !self.is_on {
            return std::future::pending().await;
        }
        tokio::time::sleep(CALM).await;
        self.is_on = false;
        tracing::info!(of = self.whose, "connections are accepted again");
    }
}

/// accept(2): "Linux accept() .. passes already-pending network errors on the new socket as an error code from accept()", and
/// one is to "treat them like EAGAIN". The connection has gone with its error, so the next accept goes on.
fn is_of_one_connection(error: &io::Error) -> bool {
    let of_one = [
        Errno::CONNABORTED,
        Errno::CONNRESET,
        Errno::HOSTDOWN,
        Errno::HOSTUNREACH,
        Errno::INTR,
        Errno::NETDOWN,
        Errno::NETUNREACH,
        Errno::NOPROTOOPT,
        Errno::OPNOTSUPP,
        Errno::PERM,
        Errno::PROTO,
        Errno::TIMEDOUT,
    ];
    Errno::from_io_error(error).is_some_and(|errno| of_one.contains(&errno))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_shortage_lasts_until_a_second_has_passed_without_one() {
        let mut shortage = Shortage::of("machines");
        assert!(!shortage.is_on);
        shortage.rest_after(&Errno::CONNABORTED.into()).await;
        assert!(!shortage.is_on, "that was one connection's own");
        for _ in 0..8 {
            shortage.rest_after(&Errno::MFILE.into()).await;
        }
        assert!(shortage.is_on && shortage.next_rest == LONGEST_REST);
        shortage.eases();
        assert!(shortage.is_on && shortage.next_rest == FIRST_REST);
        shortage.passes().await;
        assert!(!shortage.is_on);
    }
}
