//! The one file of this crate that reads clocks.
//!
//! Everything else takes the [`Clock`] that the builder was given, so a test moves the time in-process and no released
//! product has a switch for it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use shared::time::{Clock, Timestamp};

/// The machine's own clocks.
#[derive(Clone, Debug)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// The clocks, whose monotonic part counts from now.
    #[expect(clippy::disallowed_methods, reason = "this is the file that reads clocks")]
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
    #[expect(clippy::disallowed_methods, reason = "this is the file that reads clocks")]
    fn now(&self) -> Timestamp {
        let epoch = Timestamp::from_unix_ms(0);
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => epoch + since,
            // A clock that is set to before 1970: wrong, and no reason to fail.
            Err(before) => epoch - before.duration(),
        }
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}
