//! The one file of this crate that reads a clock. Everything else takes the time as an argument.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use shared::time::Timestamp;

/// The wall clock. One that stands before 1970 reads as 1970.
#[expect(clippy::disallowed_methods, reason = "this is the file that may")]
pub(crate) fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    Timestamp::from_unix_ms(0) + since_epoch.unwrap_or(Duration::ZERO)
}
