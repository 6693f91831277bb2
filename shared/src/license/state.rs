//! Where a product stands: what it says, how loudly, and under which key it keeps its own text.

use core::fmt;
use core::time::Duration;

use crate::time::{Length, Timestamp};

/// Where a product stands. None of these takes a function away.
///
/// A later release may add a state. [`notice`](LicenseState::notice) and [`text_key`](LicenseState::text_key) are right for that one,
/// too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LicenseState {
    /// Not activated yet, and nothing is said until then.
    InGrace {
        /// When notices begin.
        until: Timestamp,
    },
    /// Licensed.
    Licensed {
        /// When the lease ends.
        until: Timestamp,
    },
    /// Licensed, and no renewal has succeeded for a whole back-off step.
    RenewalOverdue {
        /// When the lease ends.
        until: Timestamp,
        /// When the renewal was due.
        since: Timestamp,
    },
    /// Licensed, and the end is near.
    ExpiringSoon {
        /// When the lease ends.
        until: Timestamp,
    },
    /// The lease has ended.
    Lapsed {
        /// When.
        since: Timestamp,
    },
    /// Grace is over, and no lease was ever held.
    NeverActivated {
        /// When grace ended.
        since: Timestamp,
    },
    /// A host has refused this machine because its clock is wrong.
    ClockWrong {
        /// By how much.
        by: Duration,
        /// Whether it is ahead.
        ahead: bool,
        /// When the held lease ends, if there is one that has not ended.
        licensed_until: Option<Timestamp>,
        /// Whether notices would be shown even if the clock were right.
        notices: bool,
    },
    /// Licensed for good: a counted key.
    LicensedWithoutEnd,
}

/// How much a product should say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Notice {
    /// Nothing: all is well, or nothing that concerns the user.
    Silent,
    /// Where somebody looks for it: an about box, a status line.
    Info,
    /// Where everybody sees it. The product works on.
    Warning,
}

impl LicenseState {
    /// How much a product should say.
    pub const fn notice(&self) -> Notice {
        match self {
            LicenseState::InGrace { .. }
            | LicenseState::Licensed { .. }
            | LicenseState::LicensedWithoutEnd => Notice::Silent,
            LicenseState::RenewalOverdue { .. } | LicenseState::ClockWrong { notices: false, .. } => {
                Notice::Info
            }
            LicenseState::ExpiringSoon { .. }
            | LicenseState::Lapsed { .. }
            | LicenseState::NeverActivated { .. }
            | LicenseState::ClockWrong { notices: true, .. } => Notice::Warning,
        }
    }

    /// The key under which a product keeps its own text for this state, in its own languages. Stable.
    pub const fn text_key(&self) -> &'static str {
        match self {
            LicenseState::InGrace { .. } => "license.in-grace",
            LicenseState::Licensed { .. } => "license.licensed",
            LicenseState::RenewalOverdue { .. } => "license.renewal-overdue",
            LicenseState::ExpiringSoon { .. } => "license.expiring-soon",
            LicenseState::Lapsed { .. } => "license.lapsed",
            LicenseState::NeverActivated { .. } => "license.never-activated",
            LicenseState::ClockWrong { .. } => "license.clock-wrong",
            LicenseState::LicensedWithoutEnd => "license.without-end",
        }
    }

    /// Until when it lasts, where it ends by itself; of a wrong clock, the end of the lease that is held.
    pub const fn until(&self) -> Option<Timestamp> {
        match self {
            LicenseState::InGrace { until }
            | LicenseState::Licensed { until }
            | LicenseState::RenewalOverdue { until, .. }
            | LicenseState::ExpiringSoon { until } => Some(*until),
            LicenseState::ClockWrong { licensed_until, .. } => *licensed_until,
            LicenseState::Lapsed { .. }
            | LicenseState::NeverActivated { .. }
            | LicenseState::LicensedWithoutEnd => None,
        }
    }

    /// Since when there is something to say.
    pub const fn since(&self) -> Option<Timestamp> {
        match self {
            LicenseState::RenewalOverdue { since, .. }
            | LicenseState::Lapsed { since }
            | LicenseState::NeverActivated { since } => Some(*since),
            LicenseState::InGrace { .. }
            | LicenseState::Licensed { .. }
            | LicenseState::ExpiringSoon { .. }
            | LicenseState::ClockWrong { .. }
            | LicenseState::LicensedWithoutEnd => None,
        }
    }

    /// Whether a license is held now.
    pub const fn is_licensed(&self) -> bool {
        match self {
            LicenseState::Licensed { .. }
            | LicenseState::RenewalOverdue { .. }
            | LicenseState::ExpiringSoon { .. }
            | LicenseState::LicensedWithoutEnd => true,
            LicenseState::ClockWrong { licensed_until, .. } => licensed_until.is_some(),
            LicenseState::InGrace { .. }
            | LicenseState::Lapsed { .. }
            | LicenseState::NeverActivated { .. } => false,
        }
    }
}

/// In English, for logs and command lines; an instant in it does not change as time passes.
impl fmt::Display for LicenseState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LicenseState::InGrace { until } => write!(f, "not activated, in grace until {until}"),
            LicenseState::Licensed { until } => write!(f, "licensed until {until}"),
            LicenseState::RenewalOverdue { until, since } => {
                write!(f, "licensed until {until}; its renewal has been due since {since}")
            }
            LicenseState::ExpiringSoon { until } => write!(f, "licensed until {until}, which is soon"),
            LicenseState::Lapsed { since } => {
                write!(f, "the lease has ended at {since}; the product works on")
            }
            LicenseState::NeverActivated { since } => {
                write!(f, "never activated, and grace has ended at {since}; the product works on")
            }
            LicenseState::ClockWrong { by, ahead, licensed_until, .. } => {
                let direction = if *ahead { "ahead" } else { "behind" };
                write!(f, "this machine's clock is {} {direction}; ", Length(*by))?;
                match licensed_until {
                    Some(until) => write!(f, "licensed until {until} all the same"),
                    None => f.write_str("no lease is held"),
                }
            }
            LicenseState::LicensedWithoutEnd => f.write_str("licensed without end"),
        }
    }
}
