//! The one file of this crate that reads clocks.
#![expect(clippy::disallowed_methods, reason = "this file reads the clocks for all others")]

use std::time::{Duration, Instant, SystemTime};

use shared::time::{Clock, Timestamp, to_ms};

/// The machine's own clocks.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// Its monotonic time begins now.
    pub fn new() -> SystemClock {
        SystemClock { started: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> SystemClock {
        SystemClock::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let unix_ms = match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => to_ms(since),
            Err(before) => -to_ms(before.duration()),
        };
        Timestamp::from_unix_ms(unix_ms)
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}

/// The instant after so long, for timers. In a test whose time is paused it is an instant of that time.
pub(crate) fn timer_after(time: Duration) -> tokio::time::Instant {
    tokio::time::Instant::now() + time
}
