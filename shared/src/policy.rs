//! The numbers of a product, their bounds, and what contradicts what.
//!
//! No rule reads a constant: every number comes signed in a host certificate, except the grace and the first retry
//! interval, which the vendor compiles into the product. Upper bounds and contradictions are checked by everyone who
//! decodes a policy; lower bounds by the vendor's tool alone, which can lift them for tests. `docs/design.md`, Numbers.

use core::fmt;
use core::time::Duration;

use proto::v1;

use crate::time::{Length, from_ms, to_ms};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// The numbers of one product, within their upper bounds and without contradiction. From outside, they come only through
/// [`Policy::decode`], or through [`Policy::checked`] for a vendor's own numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Life of a lease.
    pub validity: Duration,
    /// When a licensed machine asks again.
    pub renew_interval: Duration,
    /// When an unlicensed machine asks again.
    pub retry_interval: Duration,
    /// When a licensed machine first asks again after a failed renewal; it doubles from here.
    pub renew_retry: Duration,
    /// Where the doubling ends.
    pub renew_retry_max: Duration,
    /// How long a machine that is not seen stays in the count.
    pub count_window: Duration,
    /// Distinct machines in the window before leases are issued.
    pub threshold: u32,
    /// How long before its end a lease is said to expire soon.
    pub expiry_warning: Duration,
    /// The largest difference between two clocks at which one side still takes the other's word.
    pub clock_tolerance: Duration,
}

impl Policy {
    /// The defaults for a product that runs on people's machines: 25 machines, 180 days, every 7.
    pub const CLIENT: Policy = Policy {
        validity: Duration::from_hours(180 * 24),
        renew_interval: Duration::from_hours(7 * 24),
        retry_interval: Duration::from_hours(2),
        renew_retry: Duration::from_hours(2),
        renew_retry_max: Duration::from_hours(24),
        count_window: Duration::from_hours(30 * 24),
        threshold: 25,
        expiry_warning: Duration::from_hours(30 * 24),
        clock_tolerance: Duration::from_hours(4),
    };

    /// The defaults for a product that runs on servers: 5 machines, otherwise as [`Policy::CLIENT`].
    pub const SERVER: Policy = Policy { threshold: 5, ..Policy::CLIENT };

    /// These numbers, if they are within the upper bounds and do not contradict each other.
    ///
    /// # Errors
    /// The first number that is out of bounds, or the first two that contradict each other, with their values.
    pub fn checked(self) -> Result<Policy, PolicyError> {
        for (name, value, _, highest) in self.lengths() {
            if value.is_zero() && name != "expiry_warning" {
                return Err(PolicyError::TooSmall { name, value: Number::Length(value), lowest: SMALLEST });
            }
            if highest < value {
                return Err(PolicyError::TooLarge { name, value: value.into(), highest: highest.into() });
            }
        }
        if self.threshold == 0 {
            return Err(PolicyError::TooSmall { name: "threshold", value: 0.into(), lowest: 1.into() });
        }
        if THRESHOLD_MAX < self.threshold {
            let (value, highest) = (self.threshold.into(), THRESHOLD_MAX.into());
            return Err(PolicyError::TooLarge { name: "threshold", value, highest });
        }
        self.contradiction().map_or(Ok(self), Err)
    }

    /// Whether the lower bounds hold too; a certificate for which they do not is marked as test.
    ///
    /// # Errors
    /// The first number that is below its bound.
    pub fn check_lower_bounds(&self) -> Result<(), PolicyError> {
        match self.lengths().into_iter().find(|(_, value, lowest, _)| value < lowest) {
            None => Ok(()),
            Some((name, value, lowest, _)) => {
                Err(PolicyError::TooSmall { name, value: value.into(), lowest: lowest.into() })
            }
        }
    }

    /// From the wire.
    ///
    /// # Errors
    /// As [`Policy::checked`]; a negative length is too small.
    pub fn decode(wire: &v1::Policy) -> Result<Policy, PolicyError> {
        let length = |name, value_ms| {
            from_ms(value_ms).ok_or(PolicyError::TooSmall {
                name,
                value: Number::Ms(value_ms),
                lowest: SMALLEST,
            })
        };
        Policy {
            validity: length("validity", wire.validity_ms)?,
            renew_interval: length("renew_interval", wire.renew_interval_ms)?,
            retry_interval: length("retry_interval", wire.retry_interval_ms)?,
            renew_retry: length("renew_retry", wire.renew_retry_ms)?,
            renew_retry_max: length("renew_retry_max", wire.renew_retry_max_ms)?,
            count_window: length("count_window", wire.count_window_ms)?,
            threshold: wire.threshold,
            expiry_warning: length("expiry_warning", wire.expiry_warning_ms)?,
            clock_tolerance: length("clock_tolerance", wire.clock_tolerance_ms)?,
        }
        .checked()
    }

    /// For the wire.
    pub fn encode(&self) -> v1::Policy {
        v1::Policy {
            validity_ms: to_ms(self.validity),
            renew_interval_ms: to_ms(self.renew_interval),
            retry_interval_ms: to_ms(self.retry_interval),
            renew_retry_ms: to_ms(self.renew_retry),
            renew_retry_max_ms: to_ms(self.renew_retry_max),
            count_window_ms: to_ms(self.count_window),
            threshold: self.threshold,
            expiry_warning_ms: to_ms(self.expiry_warning),
            clock_tolerance_ms: to_ms(self.clock_tolerance),
        }
    }

    /// Name, value, lowest and highest of every length.
    pub fn lengths(&self) -> [(&'static str, Duration, Duration, Duration); 8] {
        [
            ("validity", self.validity, HOUR, 400 * DAY),
            ("renew_interval", self.renew_interval, 15 * MINUTE, 30 * DAY),
            ("retry_interval", self.retry_interval, 15 * MINUTE, 30 * DAY),
            ("renew_retry", self.renew_retry, 15 * MINUTE, 30 * DAY),
            ("renew_retry_max", self.renew_retry_max, 15 * MINUTE, 30 * DAY),
            ("count_window", self.count_window, DAY, 400 * DAY),
            ("expiry_warning", self.expiry_warning, Duration::ZERO, 400 * DAY),
            ("clock_tolerance", self.clock_tolerance, MINUTE, DAY),
        ]
    }

    fn contradiction(&self) -> Option<PolicyError> {
        let rules = [
            // A lease has to survive several failed renewals.
            ("renew_interval", self.renew_interval, "a quarter of validity", self.validity / 4, true),
            // A machine that asks on time must not leave the count between two asks.
            ("renew_interval", self.renew_interval, "count_window", self.count_window, false),
            ("retry_interval", self.retry_interval, "count_window", self.count_window, false),
            ("renew_retry", self.renew_retry, "renew_interval", self.renew_interval, true),
            ("renew_retry", self.renew_retry, "renew_retry_max", self.renew_retry_max, true),
            ("renew_retry_max", self.renew_retry_max, "renew_interval", self.renew_interval, true),
            ("expiry_warning", self.expiry_warning, "validity", self.validity, false),
        ];
        rules.into_iter().find_map(|(name, value, other, limit, may_equal)| {
            let holds = value < limit || (may_equal && value == limit);
            (!holds).then_some(PolicyError::Contradiction { name, value, other, limit, may_equal })
        })
    }
}

/// Whether a grace is within its bounds: the vendor compiles it into the product, so no certificate carries it.
///
/// # Errors
/// A grace above 60 days.
pub fn check_grace(grace: Duration) -> Result<(), PolicyError> {
    let highest = 60 * DAY;
    if highest < grace {
        return Err(PolicyError::TooLarge { name: "grace", value: grace.into(), highest: highest.into() });
    }
    Ok(())
}

const THRESHOLD_MAX: u32 = 1_000_000;
const SMALLEST: Number = Number::Length(Duration::from_millis(1));

/// A number in an error: a length of time or a count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Number {
    /// A length of time.
    Length(Duration),
    /// Milliseconds as the wire had them, where they are no length.
    Ms(i64),
    /// A count.
    Count(u32),
}

impl From<Duration> for Number {
    fn from(length: Duration) -> Number {
        Number::Length(length)
    }
}

impl From<u32> for Number {
    fn from(count: u32) -> Number {
        Number::Count(count)
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Number::Length(length) => write!(f, "{}", Length(*length)),
            Number::Ms(ms) => write!(f, "{ms} ms"),
            Number::Count(count) => write!(f, "{count}"),
        }
    }
}

/// A product's numbers are not valid. It is the vendor's fault, and only the vendor can correct it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Below the lowest value.
    #[error("{name} is {value}, and may not be below {lowest}")]
    TooSmall {
        /// Which number.
        name: &'static str,
        /// What it was.
        value: Number,
        /// The lowest it may be.
        lowest: Number,
    },
    /// Above the highest value.
    #[error("{name} is {value}, and may not be above {highest}")]
    TooLarge {
        /// Which number.
        name: &'static str,
        /// What it was.
        value: Number,
        /// The highest it may be.
        highest: Number,
    },
    /// Two numbers that cannot both hold.
    #[error("{name} is {} and {} {other}, which is {}", Length(*.value), relation(*.may_equal), Length(*.limit))]
    Contradiction {
        /// The number that is too large for the other.
        name: &'static str,
        /// Its value.
        value: Duration,
        /// The other number.
        other: &'static str,
        /// The other's value.
        limit: Duration,
        /// Whether equal would have been good enough.
        may_equal: bool,
    },
}

fn relation(may_equal: bool) -> &'static str {
    if may_equal { "may not be above" } else { "must be below" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use expect_test::{Expect, expect};

    fn check(change: impl FnOnce(&mut Policy), expected: Expect) {
        let mut policy = Policy::CLIENT;
        change(&mut policy);
        let upper = policy.checked().map(|_| ());
        expected.assert_eq(&match upper.and_then(|()| policy.check_lower_bounds()) {
            Ok(()) => "holds".to_string(),
            Err(error) => error.to_string(),
        });
    }

    #[test]
    fn the_defaults_hold_and_survive_the_wire() {
        check(|_| (), expect!["holds"]);
        check(|p| *p = Policy::SERVER, expect!["holds"]);
        assert_eq!(Policy::decode(&Policy::CLIENT.encode()), Ok(Policy::CLIENT));
    }

    #[test]
    fn each_bound_is_named_with_the_value() {
        check(|p| p.validity = 400 * DAY, expect!["holds"]);
        check(|p| p.validity = 401 * DAY, expect!["validity is 401 d, and may not be above 400 d"]);
        check(|p| p.threshold = 0, expect!["threshold is 0, and may not be below 1"]);
        check(|p| p.threshold = 1_000_000, expect!["holds"]);
        check(|p| p.threshold = 1_000_001, expect!["threshold is 1000001, and may not be above 1000000"]);
        check(
            |p| p.retry_interval = 14 * MINUTE,
            expect!["retry_interval is 14 min, and may not be below 15 min"],
        );
        check(
            |p| p.retry_interval = Duration::ZERO,
            expect!["retry_interval is 0 s, and may not be below 1 ms"],
        );
        check(|p| p.expiry_warning = Duration::ZERO, expect!["holds"]);
    }

    #[test]
    fn a_contradiction_names_both_numbers() {
        check(
            |p| p.validity = 27 * DAY,
            expect!["renew_interval is 7 d and may not be above a quarter of validity, which is 6 d 18 h"],
        );
        check(
            |p| p.count_window = 7 * DAY,
            expect!["renew_interval is 7 d and must be below count_window, which is 7 d"],
        );
        check(|p| p.count_window = 7 * DAY + HOUR, expect!["holds"]);
        check(
            |p| (p.renew_retry, p.renew_retry_max) = (25 * HOUR, DAY),
            expect!["renew_retry is 1 d 1 h and may not be above renew_retry_max, which is 1 d"],
        );
        check(
            |p| p.expiry_warning = 180 * DAY,
            expect!["expiry_warning is 180 d and must be below validity, which is 180 d"],
        );
    }

    #[test]
    fn a_negative_length_on_the_wire_is_refused() {
        let wire = v1::Policy { validity_ms: -1, ..Policy::CLIENT.encode() };
        let error = Policy::decode(&wire).unwrap_err();
        assert_eq!(error.to_string(), "validity is -1 ms, and may not be below 1 ms");
    }
}
