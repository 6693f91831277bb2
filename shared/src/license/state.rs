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
    /// Licensed for good, by a product key.
    LicensedWithoutEnd,
    /// A product key was entered, and this machine is not activated by it yet. If no ask is due (`ask_at` of the
    /// snapshot), the user wanted to activate later, and the product offers it at its next start.
    KeyEntered {
        /// Whether grace is over.
        notices: bool,
    },
    /// Licensed by a product key that has an end.
    LicensedByKey {
        /// When it ends.
        until: Timestamp,
    },
    /// Licensed by a product key, and its end is near.
    KeyEndsSoon {
        /// When it ends.
        until: Timestamp,
    },
    /// The term of the product key is over.
    KeyEnded {
        /// Since when.
        since: Timestamp,
    },
    /// The vendor has taken back what the product key has activated here, or the key as a whole.
    KeyRevoked {
        /// Since when.
        since: Timestamp,
    },
    /// Licensed by the account of somebody who is signed in.
    LicensedByAccount {
        /// When that ends, unless it is renewed.
        until: Timestamp,
    },
    /// Licensed by an account, and that ends: it was not renewed for long, or the portal has refused to.
    AccountEndsSoon {
        /// When it ends.
        until: Timestamp,
    },
    /// The license by an account has ended.
    AccountEnded {
        /// Since when.
        since: Timestamp,
    },
    /// The hardware is not the one that was activated by the product key. The machine asks the vendor's portal again.
    HardwareChanged {
        /// When this was noticed.
        since: Timestamp,
        /// Whether that is longer ago than the grace of a first start.
        notices: bool,
    },
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
            | LicenseState::LicensedWithoutEnd
            | LicenseState::LicensedByKey { .. }
            | LicenseState::LicensedByAccount { .. } => Notice::Silent,
            LicenseState::RenewalOverdue { .. }
            | LicenseState::ClockWrong { notices: false, .. }
            | LicenseState::KeyEntered { notices: false }
            | LicenseState::HardwareChanged { notices: false, .. } => Notice::Info,
            LicenseState::ExpiringSoon { .. }
            | LicenseState::Lapsed { .. }
            | LicenseState::NeverActivated { .. }
            | LicenseState::ClockWrong { notices: true, .. }
            | LicenseState::KeyEntered { notices: true }
            | LicenseState::KeyEndsSoon { .. }
            | LicenseState::KeyEnded { .. }
            | LicenseState::KeyRevoked { .. }
            | LicenseState::AccountEndsSoon { .. }
            | LicenseState::AccountEnded { .. }
            | LicenseState::HardwareChanged { notices: true, .. } => Notice::Warning,
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
            LicenseState::KeyEntered { .. } => "license.key-entered",
            LicenseState::LicensedByKey { .. } => "license.by-key",
            LicenseState::KeyEndsSoon { .. } => "license.key-ends-soon",
            LicenseState::KeyEnded { .. } => "license.key-ended",
            LicenseState::KeyRevoked { .. } => "license.key-revoked",
            LicenseState::LicensedByAccount { .. } => "license.by-account",
            LicenseState::AccountEndsSoon { .. } => "license.account-ends-soon",
            LicenseState::AccountEnded { .. } => "license.account-ended",
            LicenseState::HardwareChanged { .. } => "license.hardware-changed",
        }
    }

    /// Until when it lasts, where it ends by itself; of a wrong clock, the end of the lease that is held.
    pub const fn until(&self) -> Option<Timestamp> {
        match self {
            LicenseState::InGrace { until }
            | LicenseState::Licensed { until }
            | LicenseState::RenewalOverdue { until, .. }
            | LicenseState::ExpiringSoon { until }
            | LicenseState::LicensedByKey { until }
            | LicenseState::KeyEndsSoon { until }
            | LicenseState::LicensedByAccount { until }
            | LicenseState::AccountEndsSoon { until } => Some(*until),
            LicenseState::ClockWrong { licensed_until, .. } => *licensed_until,
            LicenseState::Lapsed { .. }
            | LicenseState::NeverActivated { .. }
            | LicenseState::LicensedWithoutEnd
            | LicenseState::KeyEntered { .. }
            | LicenseState::KeyEnded { .. }
            | LicenseState::KeyRevoked { .. }
            | LicenseState::AccountEnded { .. }
            | LicenseState::HardwareChanged { .. } => None,
        }
    }

    /// Since when there is something to say.
    pub const fn since(&self) -> Option<Timestamp> {
        match self {
            LicenseState::RenewalOverdue { since, .. }
            | LicenseState::Lapsed { since }
            | LicenseState::NeverActivated { since }
            | LicenseState::KeyEnded { since }
            | LicenseState::KeyRevoked { since }
            | LicenseState::AccountEnded { since }
            | LicenseState::HardwareChanged { since, .. } => Some(*since),
            LicenseState::InGrace { .. }
            | LicenseState::Licensed { .. }
            | LicenseState::ExpiringSoon { .. }
            | LicenseState::ClockWrong { .. }
            | LicenseState::LicensedWithoutEnd
            | LicenseState::KeyEntered { .. }
            | LicenseState::LicensedByKey { .. }
            | LicenseState::KeyEndsSoon { .. }
            | LicenseState::LicensedByAccount { .. }
            | LicenseState::AccountEndsSoon { .. } => None,
        }
    }

    /// Whether a license is held now.
    pub const fn is_licensed(&self) -> bool {
        match self {
            LicenseState::Licensed { .. }
            | LicenseState::RenewalOverdue { .. }
            | LicenseState::ExpiringSoon { .. }
            | LicenseState::LicensedWithoutEnd
            | LicenseState::LicensedByKey { .. }
            | LicenseState::KeyEndsSoon { .. }
            | LicenseState::LicensedByAccount { .. }
            | LicenseState::AccountEndsSoon { .. } => true,
            LicenseState::ClockWrong { licensed_until, .. } => licensed_until.is_some(),
            LicenseState::HardwareChanged { notices, .. } => !*notices,
            LicenseState::InGrace { .. }
            | LicenseState::Lapsed { .. }
            | LicenseState::NeverActivated { .. }
            | LicenseState::KeyEntered { .. }
            | LicenseState::KeyEnded { .. }
            | LicenseState::KeyRevoked { .. }
            | LicenseState::AccountEnded { .. } => false,
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
            LicenseState::KeyEntered { .. } => {
                f.write_str("a product key is entered, and not activated yet; the product works on")
            }
            LicenseState::LicensedByKey { until } => write!(f, "licensed by a product key until {until}"),
            LicenseState::KeyEndsSoon { until } => {
                write!(f, "licensed by a product key until {until}, which is soon")
            }
            LicenseState::KeyEnded { since } => {
                write!(f, "the term of the product key has ended at {since}; the product works on")
            }
            LicenseState::KeyRevoked { since } => {
                write!(
                    f,
                    "the vendor has revoked the license of this product key at {since}; ask the seller, and the product works on"
                )
            }
            LicenseState::LicensedByAccount { until } => {
                write!(f, "licensed by an account until {until}, and renewed before that")
            }
            LicenseState::AccountEndsSoon { until } => {
                write!(f, "licensed by an account until {until}, which is soon")
            }
            LicenseState::AccountEnded { since } => {
                write!(
                    f,
                    "the license by an account has ended at {since}; sign in again, and the product works on"
                )
            }
            LicenseState::HardwareChanged { since, .. } => {
                write!(
                    f,
                    "the hardware has changed, noticed at {since}; the product key is activated again, and the product works on"
                )
            }
        }
    }
}
