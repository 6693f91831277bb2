//! The outcome of an ask, of one host that was tried, and of a whole round.
//!
//! Plain data: `round` fills it in, `last_round` keeps it on the disk, `snapshot` shows it.

use std::fmt;
use std::net::SocketAddr;

use shared::answer::{Term as _, Verdict, Waiting};
use shared::reason::Cause;
use shared::time::Timestamp;

use crate::discovery::Source;

/// One host that was tried, or one place that was searched, and the outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attempt {
    /// The host as `name:port`, or a place that named none: a name in DNS, a file.
    pub host: String,
    /// The address that accepted the connection, if one did.
    pub address: Option<SocketAddr>,
    /// What named the host; `None` for a place that named none.
    pub source: Option<Source>,
    /// The outcome.
    pub outcome: Outcome,
}

impl Attempt {
    /// A place that gave no host.
    pub(crate) fn at_place(place: String, cause: Cause) -> Attempt {
        Attempt { host: place, address: None, source: None, outcome: Outcome::Failed(cause) }
    }
}

/// The outcome of an ask.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// A lease was accepted.
    Leased {
        /// When it ends.
        until: Timestamp,
    },
    /// The vendor's portal has confirmed this machine by its product key.
    Confirmed {
        /// When that ends, if it does.
        until: Option<Timestamp>,
        /// How many machines hold a place of the key, this one included.
        used: u64,
        /// How many may.
        granted: u64,
    },
    /// Counted, but too few machines are counted so far.
    Waiting(Waited),
    /// This machine has left the count, or has given the place of its product key back.
    Released,
    /// A host has refused, and signed that.
    Refused(Cause),
    /// There was no usable answer, for this cause.
    Failed(Cause),
}

impl Outcome {
    pub(crate) fn of(verdict: &Verdict) -> Outcome {
        match verdict {
            Verdict::Leased(lease) => Outcome::Leased { until: lease.expires_at() },
            Verdict::Waiting(Waiting { count, threshold, .. }) => {
                Outcome::Waiting(Waited { count: *count, threshold: *threshold })
            }
            Verdict::Released(_) => Outcome::Released,
            Verdict::Refused(refused) => Outcome::Refused(refused.cause.clone()),
        }
    }

    /// A word for scripts and logs. Stable.
    pub const fn name(&self) -> &'static str {
        match self {
            Outcome::Leased { .. } => "leased",
            Outcome::Confirmed { .. } => "confirmed",
            Outcome::Waiting(_) => "waiting",
            Outcome::Released => "released",
            Outcome::Refused(_) => "refused",
            Outcome::Failed(_) => "failed",
        }
    }

    /// The cause of a refusal or a failure, with its remedy.
    pub fn cause(&self) -> Option<&Cause> {
        match self {
            Outcome::Refused(cause) | Outcome::Failed(cause) => Some(cause),
            Outcome::Leased { .. } | Outcome::Confirmed { .. } | Outcome::Waiting(_) | Outcome::Released => {
                None
            }
        }
    }
}

/// One line, for people.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Leased { until } => write!(f, "lease until {until}"),
            Outcome::Confirmed { until, used, granted } => {
                match until {
                    Some(until) => write!(f, "confirmed until {until}")?,
                    None => f.write_str("confirmed without end")?,
                }
                write!(f, "; places of the key in use: {used} of {granted}")
            }
            Outcome::Waiting(Waited { count, threshold }) => {
                write!(f, "waiting: {count} of {threshold} machines counted")
            }
            Outcome::Released => f.write_str("released"),
            Outcome::Refused(cause) | Outcome::Failed(cause) => write!(f, "{cause}"),
        }
    }
}

/// One round through the hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Round {
    /// The best outcome of any host: the one that the license follows.
    pub outcome: Outcome,
    /// Every host that was tried, in order.
    pub attempts: Vec<Attempt>,
}

/// How many machines were counted when a host told this one to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Waited {
    /// Machines counted.
    pub count: u64,
    /// Machines needed.
    pub threshold: u32,
}

impl Waited {
    /// This many machines counted, and this many needed.
    pub const fn new(count: u64, threshold: u32) -> Waited {
        Waited { count, threshold }
    }
}
