//! The one file of this crate that reads a clock, to say how long a run took.
#![expect(clippy::disallowed_methods, reason = "this is the shell that reads the clock for everybody else")]

use std::time::{Duration, Instant};

/// Counts from its start.
#[derive(Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    /// From now on.
    pub(crate) fn start() -> Stopwatch {
        Stopwatch(Instant::now())
    }

    /// Since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
