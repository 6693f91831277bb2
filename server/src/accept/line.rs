//! What a call knows of its connection: its source, whether it needs TLS, and how many calls are open.
//!
//! The connection itself is in `connection`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::metered::Allowance;
use super::places::{Call, Place};
use super::turned_away::Why;
use crate::clock::timer_after;
use crate::source::Source;

/// The time that a connection may be without an open call. A machine makes one call and disconnects.
const IDLE_LIMIT: Duration = Duration::from_secs(10);

/// The data that all calls of one connection share.
pub struct Line {
    place: Arc<Place>,
    calls: Mutex<Calls>,
    allowance: Arc<Allowance>,
    needs_tls: bool,
}

struct Calls {
    open: usize,
    /// The end of [`IDLE_LIMIT`], counted from the end of the last call.
    idle_at: Instant,
}

/// A call that is open on a line, until it is dropped.
pub(super) struct OpenCall {
    line: Arc<Line>,
    _call: Call,
}

impl Line {
    /// For the connection that holds this place.
    pub(super) fn new(place: Arc<Place>, allowance: Arc<Allowance>, needs_tls: bool) -> Line {
        let calls = Mutex::new(Calls { open: 0, idle_at: timer_after(IDLE_LIMIT) });
        Line { place, calls, allowance, needs_tls }
    }

    /// The frames that the peer may send.
    pub(super) fn allowance(&self) -> Arc<Allowance> {
        self.allowance.clone()
    }

    /// The source of the connection.
    pub fn source(&self) -> Source {
        self.place.source
    }

    /// Opens one more call, unless there is no place for it.
    pub(super) fn open(self: &Arc<Line>) -> Option<OpenCall> {
        let call = self.place.call()?;
        self.calls().open += 1;
        Some(OpenCall { line: self.clone(), _call: call })
    }

    /// Whether every call is answered with TLS_REQUIRED.
    pub(super) fn needs_tls(&self) -> bool {
        if self.needs_tls {
            self.place.turn_away(Why::NoTls);
        }
        self.needs_tls
    }

    /// Gives back the frames of an ask that was not bad.
    pub fn was_of_use(&self) {
        self.allowance.give_back();
    }

    /// Completes after [`IDLE_LIMIT`] without an open call. It is not woken for each call; it looks again when the time is over.
    pub(super) async fn is_idle(&self) {
        loop {
            let look_at = {
                let calls = self.calls();
                if calls.open == 0 { calls.idle_at } else { timer_after(IDLE_LIMIT) }
            };
            sleep_until(look_at).await;
            let calls = self.calls();
            if calls.open == 0 && calls.idle_at <= look_at {
                return;
            }
        }
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        let mut calls = self.line.calls();
        calls.open -= 1;
        calls.idle_at = timer_after(IDLE_LIMIT);
    }
}
