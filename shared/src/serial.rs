//! The serial: it tells a copy from a lost answer, and both from a recorded ask.
//!
//! Every signed answer carries a serial; the machine saves it and presents it in its next ask. An ask is named by its
//! nonce, which the machine saves before it sends and uses again until an answer is accepted. That is enough for
//! [`compare`] to decide. [`may_rekey`] limits what a machine does when a host names it a copy.
//! `docs/protocol.md` 3.

use core::time::Duration;

use crate::ids::Nonce;
use crate::time::Timestamp;

/// One ask, as the rule sees it: the one that a machine presents, or the last one that the host accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Presented: the serial of the last answer the machine accepted. Remembered: the serial of the last answer given.
    pub serial: u64,
    /// The name of the ask.
    pub nonce: Nonce,
    /// The machine's clock when it sent the ask.
    pub asked_at: Timestamp,
}

/// What a presented ask is, beside what is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The machine, wherever it has been meanwhile.
    Next {
        /// The serial of the answer.
        serial: u64,
    },
    /// The answer was lost: decide again under the serial that it had.
    Again {
        /// The serial of the answer.
        serial: u64,
    },
    /// A recorded ask, sent by anyone: nothing changes, and nobody is accused. The machine's own clock moves on between two asks,
    /// even under one nonce.
    Replay,
    /// Two copies of one identity, or a disk that was set back.
    Copy,
}

/// Compares what a machine presents with what is remembered of it.
pub fn compare(remembered: Option<&Mark>, presented: &Mark) -> Standing {
    // Where this ends it, p >= s or nothing is remembered, so max(p, s) + 1 is p + 1.
    let Some(last) = remembered.filter(|last| presented.serial < last.serial) else {
        return Standing::Next { serial: presented.serial.saturating_add(1) };
    };
    if presented.asked_at <= last.asked_at {
        return Standing::Replay;
    }
    if presented.nonce == last.nonce { Standing::Again { serial: last.serial } } else { Standing::Copy }
}

/// How far the serial of an accepted answer may lie above the presented one. A host that follows [`compare`] is always exactly one
/// above: it refuses what is further behind, and gives a repeated ask the serial of the first. What is beyond that is slack for
/// hosts that number otherwise. A host that lies uses up a machine's numbers no faster: at one answer in 5 s it would take
/// 700,000 years until there is none left.
pub const SERIAL_STEP_MAX: u64 = 1 << 20;

/// How many new keys a machine makes in a day at the most, when hosts tell it that it is a copy.
pub const REKEYS_A_DAY: usize = 3;

const DAY: Duration = Duration::from_hours(24);

/// Whether a machine that was told to be a copy may make a new key now, given when it made the last ones.
///
/// # Errors
/// When it may again.
pub fn may_rekey(rekeyed_at: &[Timestamp], now: Timestamp) -> Result<(), Timestamp> {
    // An instant that lies ahead was noted under a wrong clock, and counts for nothing.
    let recent = rekeyed_at.iter().filter(|at| **at <= now && now.since(**at) < DAY);
    if recent.clone().count() < REKEYS_A_DAY {
        return Ok(());
    }
    Err(recent.min().map_or(now, |oldest| *oldest + DAY))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use expect_test::{Expect, expect};

    fn mark(serial: u64, nonce: u8, asked_at: i64) -> Mark {
        Mark { serial, nonce: Nonce::from_bytes([nonce; 16]), asked_at: Timestamp::from_unix_ms(asked_at) }
    }

    /// The host remembers serial 5, given to nonce 1 that was asked at 100.
    fn check(presented: Mark, expected: Expect) {
        expected.assert_eq(&format!("{:?}", compare(Some(&mark(5, 1, 100)), &presented)));
    }

    #[test]
    fn the_table() {
        check(mark(5, 2, 200), expect!["Next { serial: 6 }"]);
        check(mark(9, 2, 200), expect!["Next { serial: 10 }"]);
        check(mark(5, 2, 50), expect!["Next { serial: 6 }"]);
        check(mark(4, 1, 101), expect!["Again { serial: 5 }"]);
        check(mark(4, 1, 100), expect!["Replay"]);
        check(mark(4, 1, 99), expect!["Replay"]);
        check(mark(4, 2, 100), expect!["Replay"]);
        check(mark(4, 2, 99), expect!["Replay"]);
        check(mark(4, 2, 101), expect!["Copy"]);
        check(mark(0, 2, 101), expect!["Copy"]);
    }

    #[test]
    fn a_machine_that_is_not_remembered_is_entered_above_what_it_presents() {
        assert_eq!(compare(None, &mark(0, 1, 0)), Standing::Next { serial: 1 });
        assert_eq!(compare(None, &mark(41, 1, 0)), Standing::Next { serial: 42 });
    }

    #[test]
    fn three_new_keys_a_day_and_the_fourth_a_day_after_the_first() {
        let at = Timestamp::from_unix_ms;
        let day_ms = 86_400_000;
        assert_eq!(may_rekey(&[], at(0)), Ok(()));
        assert_eq!(may_rekey(&[at(0), at(1)], at(2)), Ok(()));
        assert_eq!(may_rekey(&[at(0), at(1), at(2)], at(3)), Err(at(day_ms)));
        assert_eq!(may_rekey(&[at(0), at(1), at(2)], at(day_ms - 1)), Err(at(day_ms)));
        assert_eq!(may_rekey(&[at(0), at(1), at(2)], at(day_ms)), Ok(()));
        assert_eq!(may_rekey(&[at(9), at(9), at(9)], at(3)), Ok(()), "noted under a clock that was ahead");
    }
}
