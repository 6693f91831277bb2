//! What a call knows of its connection: its source, whether it needs TLS, and how many calls are open.
//!
//! The connection itself is in `connection`.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use super::metered::Allowance;
use super::places::{Call, Place};
use super::turned_away::Why;
use crate::fairness::Source;

/// The time that a connection may be without an open call. A machine makes one call and disconnects.
const IDLE_LIMIT: Duration = Duration::from_secs(10);

/// The data that all calls of one connection share.
pub(crate) struct Line {
    place: Arc<Place>,
    open: watch::Sender<usize>,
    allowance: Arc<Allowance>,
    needs_tls: bool,
}

/// A call that is open on a line, until it is dropped.
pub(crate) struct OpenCall {
    line: Arc<Line>,
    _call: Call,
}

impl Line {
    /// For the connection that holds this place.
    pub(super) fn new(place: Arc<Place>, allowance: Arc<Allowance>, needs_tls: bool) -> Line {
        Line { place, open: watch::Sender::new(0), allowance, needs_tls }
    }

    /// The frames that the peer may send.
    pub(super) fn allowance(&self) -> Arc<Allowance> {
        self.allowance.clone()
    }

    /// The source of the connection.
    pub(crate) fn source(&self) -> Source {
        self.place.source()
    }

    /// Opens one more call, unless the host has no place for it.
    pub(crate) fn open(self: &Arc<Line>) -> Option<OpenCall> {
        let call = self.place.call()?;
        self.open.send_modify(|open| *open += 1);
        Some(OpenCall { line: self.clone(), _call: call })
    }

    /// Whether every call is answered with TLS_REQUIRED.
    pub(crate) fn needs_tls(&self) -> bool {
        if self.needs_tls {
            self.place.turn_away(Why::NoTls);
        }
        self.needs_tls
    }

    /// Gives back the frames of an ask that was not bad.
    pub(crate) fn was_of_use(&self) {
        self.allowance.give_back();
    }

    /// Completes after [`IDLE_LIMIT`] without an open call.
    pub(super) async fn is_idle(&self) {
        let mut open = self.open.subscribe();
        loop {
            let is_open = 0 < *open.borrow_and_update();
            tokio::select! {
                () = sleep(IDLE_LIMIT), if !is_open => return,
                changed = open.changed() => if changed.is_err() { pending::<()>().await },
            }
        }
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        self.line.open.send_modify(|open| *open -= 1);
    }
}
