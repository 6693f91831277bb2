//! The one file of this crate that reads a clock. Its parts take a `Clock`, so that a test can move the time.

/// The instant after so long, for timers. In a test whose time is paused it is an instant of that time.
#[expect(clippy::disallowed_methods, reason = "this is the file that reads clocks")]
pub(crate) fn timer_after(time: std::time::Duration) -> tokio::time::Instant {
    tokio::time::Instant::now() + time
}
