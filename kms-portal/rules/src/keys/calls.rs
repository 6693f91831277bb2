//! The days of a host by codes: how long its terms are of use, and which day a call is confirmed for.
//!
//! A confirmation says a day in UTC and no hour. So the certificate counts from the beginning of that day, and ends with a day. Read
//! docs/codes.md, "Days".

use std::time::Duration;

use shared::codes::{HostTerms, beginning_of_day};
use shared::time::Timestamp;

use super::HOST_VALIDITY;

const DAY: Duration = Duration::from_hours(24);

/// How long a certificate lasts at least after the call: somebody has to write the code down and type it.
const LASTS_LEAST: Duration = DAY;

/// How long a call may be interrupted: a caller who calls again within this time gets the same confirmation.
const CALL_LASTS: Duration = Duration::from_hours(14 * 24);

/// How many days the terms of a key with an end leave for the call, but no more than half of the days that are left.
const DAYS_TO_CALL: u32 = 30;

/// How long certificates are valid under terms that are made now for a key with this end. None if the key ends too soon.
pub fn valid_for(key_ends_at: Option<Timestamp>, now: Timestamp) -> Option<Duration> {
    let Some(ends_at) = key_ends_at else { return Some(HOST_VALIDITY) };
    let left = ends_at.since(beginning_of_day(now)).as_secs() / DAY.as_secs();
    let left = u32::try_from(left).unwrap_or(u32::MAX);
    // Two at least: with one, a call in the last hour of a day would confirm a certificate for one hour.
    let days = left.saturating_sub(DAYS_TO_CALL).max(left.div_ceil(2)).max(2);
    (days <= left).then(|| HOST_VALIDITY.min(DAY.saturating_mul(days)))
}

/// Terms of a key, and when the key ends.
#[derive(Clone, Copy)]
pub struct TermDays<'a> {
    /// The terms.
    pub terms: &'a HostTerms,
    /// The first instant at which the key licenses nobody any more, if there is one.
    pub key_ends_at: Option<Timestamp>,
}

/// Why a host is not confirmed for a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DayFault {
    /// The certificate would last longer than the key.
    #[error("the host's certificate would outlast the key, which ends at {ends_at}")]
    OutlastsKey {
        /// When the key ends.
        ends_at: Timestamp,
    },
    /// The certificate would end while the code is typed, or soon after.
    #[error("the host's certificate would end at {ends_at}, less than a day from now")]
    EndsSoon {
        /// When it would end.
        ends_at: Timestamp,
    },
}

impl TermDays<'_> {
    /// Whether a host can be confirmed for this day now.
    ///
    /// # Errors
    /// [`DayFault`].
    pub fn check(&self, day: Timestamp, now: Timestamp) -> Result<(), DayFault> {
        let ends_at = self.terms.ends_at(day);
        match self.key_ends_at {
            Some(ends_at) if ends_at < beginning_of_day(day) + self.terms.valid_for() => {
                Err(DayFault::OutlastsKey { ends_at })
            }
            _ if ends_at < now + LASTS_LEAST => Err(DayFault::EndsSoon { ends_at }),
            _ => Ok(()),
        }
    }

    /// The first instant at which nobody is confirmed under the terms any more.
    pub fn last_call(&self) -> Timestamp {
        let issuer = self.terms.issuing_certificate().not_after - LASTS_LEAST + Duration::from_millis(1);
        let last_day = |ends_at| beginning_of_day(ends_at - self.terms.valid_for()) + DAY;
        self.key_ends_at.map_or(issuer, |ends_at| issuer.min(last_day(ends_at)))
    }

    /// Which call this is of a host that was certified so before.
    pub fn call(&self, before: Option<CertifiedBefore>, now: Timestamp) -> HostCall {
        match before {
            Some(CertifiedBefore { at, by_code: true })
                if now - CALL_LASTS < at && self.check(at, now).is_ok() =>
            {
                HostCall::Again(at)
            }
            Some(CertifiedBefore { at, by_code: false }) if beginning_of_day(now) <= at => {
                HostCall::OnlineToday
            }
            _ => HostCall::New,
        }
    }
}

/// How a host was certified last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertifiedBefore {
    /// When.
    pub at: Timestamp,
    /// Whether by a code.
    pub by_code: bool,
}

/// What a call of a host is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostCall {
    /// The call of this instant, again: it is confirmed for the day that it had.
    Again(Timestamp),
    /// A call on the day on which the host was certified online. Its certificate is not newer, so the call costs nothing. It serves a host
    /// that has lost the one from online.
    OnlineToday,
    /// Another call.
    New,
}

impl HostCall {
    /// The day that it is confirmed for.
    pub fn day(self, now: Timestamp) -> Timestamp {
        match self {
            HostCall::Again(at) => at,
            HostCall::OnlineToday | HostCall::New => now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Terms of a key that ended in a day and a half were valid for 18 hours, counted from midnight: a call in the evening confirmed a
    /// certificate that had ended.
    #[test]
    fn terms_are_valid_for_whole_days_and_leave_time_to_call() {
        let midnight = Timestamp::of_month(2027, 3);
        let now = midnight + Duration::from_hours(20);
        let days =
            |left: Duration| valid_for(Some(midnight + left), now).map(|length| length.as_secs() / 86_400);
        let in_days = |left: u32| days(DAY * left);
        assert_eq!([0, 1, 2, 3, 4, 9].map(in_days), [None, None, Some(2), Some(2), Some(2), Some(5)]);
        assert_eq!([59, 60, 61, 394, 395, 396].map(in_days), [30, 30, 31, 364, 365, 365].map(Some));
        assert_eq!(days(DAY + Duration::from_millis(86_399_999)), None);
        assert_eq!(valid_for(None, now), Some(HOST_VALIDITY));
        assert_eq!(valid_for(Some(midnight - DAY), now), None);
    }
}
