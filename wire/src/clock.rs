//! The clocks of a machine, and the one file of this crate that reads them.
//!
//! Host and machine take a [`Clock`], so that a test can move the time and no released product has a switch for it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use shared::time::{Clock, Timestamp};

/// The machine's own clocks.
#[derive(Clone, Debug)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// The clocks. The monotonic one counts from now.
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
            // A clock before 1970 is wrong, but no reason to fail.
            Err(before) => epoch - before.duration(),
        }
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}
