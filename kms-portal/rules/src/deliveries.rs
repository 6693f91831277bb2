//! When a mail or an event is tried again that could not be delivered.

use std::time::Duration;

use shared::time::Timestamp;

/// How long to wait after the first try. A mail server that greylists lets a message through after some minutes.
const FIRST_WAIT: Duration = Duration::from_mins(1);

/// The longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::from_hours(6);

/// How often a message is tried: for three days, so a server that was down over a weekend still gets it.
pub const TRIES: u64 = 20;

/// When to try again a message that was tried so often, the last time `now`.
pub fn next_try(tries: u64, now: Timestamp) -> Timestamp {
    let doublings = u32::try_from(tries.saturating_sub(1)).unwrap_or(u32::MAX).min(16);
    now + FIRST_WAIT.saturating_mul(1 << doublings).min(LONGEST_WAIT)
}

/// Whether a message that was tried so often is tried no more. Tries count and not time: while the portal is down it tries nothing.
pub const fn is_given_up(tries: u64) -> bool {
    TRIES <= tries
}

#[cfg(test)]
mod tests {
    use super::*;

    const POSTED_AT: Timestamp = Timestamp::from_unix_ms(1_767_225_600_000);

    #[test]
    fn a_message_is_tried_after_a_minute_then_less_and_less_often_for_three_days() {
        let wait = |tries| next_try(tries, POSTED_AT).since(POSTED_AT).as_secs() / 60;
        assert_eq!([1, 2, 3, 9, 10, 11].map(wait), [1, 2, 4, 256, 360, 360]);
        assert_eq!(wait(u64::MAX), 360);
        let (mut now, mut tries) = (POSTED_AT, 0);
        loop {
            tries += 1;
            if is_given_up(tries) {
                break;
            }
            now = next_try(tries, now);
        }
        let days = now.since(POSTED_AT).as_secs_f64() / crate::DAY.as_secs_f64();
        assert!((2.5..3.0).contains(&days), "{days}");
    }
}
