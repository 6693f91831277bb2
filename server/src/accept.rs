//! Accepting: every connection takes a place and has one task, which owns it until it ends.
//!
//! [`Door`] decides who may connect and how, [`Limits`] how many, and `places` counts who holds how many. The task is in
//! `connection`, and the program's [`CallHandler`] answers the calls. `greeting` reads the first bytes, and `metered` limits what a
//! peer may send and leave unread. tonic could accept and serve for us, but it spins when descriptors run out, never closes a silent
//! peer, keeps the TLS certificate that it began with, and limits neither frames nor data that waits to be sent.

mod door;
mod limits;
mod places;
mod turned_away;

mod call;
mod connection;
mod greeting;
mod line;
mod metered;
mod pages;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use shared::time::Clock;
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

pub use self::call::{CallHandler, DEADLINE};
use self::connection::{Ends, Handling, Speech, live};
pub use self::door::{Admission, Door, DoorSettings};
pub use self::limits::Limits;
pub use self::line::Line;
use self::pages::Pages;
pub use self::pages::{PAGE_DEADLINE, PageHandler};
pub use self::turned_away::{ConnectionObserver, Crowding};
pub use hyper::body::Incoming;

/// The pause of accepting when descriptors have run out. It doubles each time in a row, up to the longest.
const FIRST_REST: Duration = Duration::from_millis(50);
const LONGEST_REST: Duration = Duration::from_secs(1);

/// The number of descriptors that have to be free in a shortage before a machine gets one. Administrators get the first free ones.
const FREE_FIRST: usize = 16;

/// A shortage is over when accepting has not failed for this long, and no peer waits.
const CALM: Duration = Duration::from_secs(1);

/// The time for open calls to end once the program stops. Then all connections are cut.
pub const DRAIN: Duration = Duration::from_secs(10);

/// Serves the peers that this door admits until `shutdown`, then drains.
pub async fn serve(
    door: Door,
    handler: impl CallHandler,
    clock: Arc<dyn Clock>,
    listeners: Vec<TcpListener>,
    shutdown: impl Future<Output = ()>,
) {
    receive(door, Handling { handler, clock }, listeners, shutdown).await;
}

/// Serves browsers, and other clients of HTTP, as [`serve`] serves machines.
pub async fn serve_pages(
    door: Door,
    handler: impl PageHandler,
    listeners: Vec<TcpListener>,
    shutdown: impl Future<Output = ()>,
) {
    receive(door, Pages(handler), listeners, shutdown).await;
}

async fn receive(
    door: Door,
    speech: impl Speech,
    listeners: Vec<TcpListener>,
    shutdown: impl Future<Output = ()>,
) {
    let reception = Reception::open(door, speech, listeners);
    shutdown.await;
    let _ = tokio::time::timeout(DRAIN, reception.close()).await;
}

/// All connections of machines. Dropping it cuts every one.
struct Reception {
    connections: TaskTracker,
    ends: Ends,
    _is_drained: DropGuard,
}

impl Reception {
    /// Accepts connections from these listeners; the door decides who may connect. Everyone else is disconnected.
    fn open(door: Door, speech: impl Speech, listeners: Vec<TcpListener>) -> Reception {
        let ends = Ends { stops: CancellationToken::new(), is_drained: CancellationToken::new() };
        let (connections, speech) = (TaskTracker::new(), Arc::new(speech));
        for listener in listeners {
            let receiving = accept(listener, door.clone(), speech.clone(), connections.clone(), ends.clone());
            tokio::spawn(ends.stops.clone().run_until_cancelled_owned(receiving));
        }
        let telling = async move { door.places.tell_who_is_turned_away().await };
        tokio::spawn(ends.is_drained.clone().run_until_cancelled_owned(telling));
        let is_drained = ends.is_drained.clone().drop_guard();
        Reception { connections, ends, _is_drained: is_drained }
    }

    /// Accepts nothing more, asks every peer to go, and waits until all have gone.
    async fn close(&self) {
        self.ends.stops.cancel();
        self.connections.close();
        self.connections.wait().await;
    }
}

/// Connections of administrators. If descriptors have run out anyway, a reserved one is released, so that an administrator can look
/// at the program at that moment.
pub fn admin_connections(socket: UnixListener) -> impl Stream<Item = io::Result<UnixStream>> {
    let (ready, receiver) = mpsc::channel(1);
    tokio::spawn(accept_administrators(socket, ready));
    ReceiverStream::new(receiver).map(Ok)
}

/// Runs until it is dropped, which closes the listener.
async fn accept(
    listener: TcpListener,
    door: Door,
    speech: Arc<impl Speech>,
    connections: TaskTracker,
    ends: Ends,
) {
    let mut shortage = Shortage::of("machines");
    loop {
        while shortage.is_on && !are_free(FREE_FIRST, &listener) {
            shortage.rest().await;
        }
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shortage.passes() => continue,
        };
        match accepted {
            Ok((stream, peer)) => {
                shortage.eases();
                // Without a place, dropping the stream closes it.
                let Some((place, admission)) = door.admit(peer.ip()) else { continue };
                connections.spawn(live(stream, place, admission, speech.clone(), ends.clone()));
            }
            Err(error) => shortage.rest_after(&error).await,
        }
    }
}

async fn accept_administrators(socket: UnixListener, ready: mpsc::Sender<UnixStream>) {
    let mut shortage = Shortage::of("administrators");
    let mut spare: Option<OwnedFd> = None;
    loop {
        // Any descriptor serves as the reserve, so it is a second one of the socket itself.
        spare = spare.or_else(|| socket.as_fd().try_clone_to_owned().ok());
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted,
            () = shortage.passes() => continue,
            () = ready.closed() => return,
        };
        // The waiting peer gets the freed descriptor, unless another thread is faster. Then there is a pause.
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

/// Whether this many descriptors are available now.
fn are_free(number: usize, any: &impl AsFd) -> bool {
    let held: io::Result<Vec<OwnedFd>> = (0..number).map(|_| any.as_fd().try_clone_to_owned()).collect();
    held.is_ok()
}

/// A time in which nothing can be accepted. It is logged once, however long it is.
struct Shortage {
    whose: &'static str,
    is_on: bool,
    next_rest: Duration,
}

impl Shortage {
    fn of(whose: &'static str) -> Shortage {
        Shortage { whose, is_on: false, next_rest: FIRST_REST }
    }

    /// Pauses, unless the error belongs to one connection. Without a pause the error would repeat at once, because the connection
    /// still waits.
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

    /// A connection was accepted. The next may fail again, so the shortage is not over yet.
    fn eases(&mut self) {
        self.next_rest = FIRST_REST;
    }

    /// Waits for the end of the shortage, or for ever if there is none. Meanwhile the caller also waits for a connection.
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
