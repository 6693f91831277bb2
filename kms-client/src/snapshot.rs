//! What a product sees: where it stands, and what came of the last round.
//!
//! A [`Snapshot`] is a value: it does not change while it is looked at. It is made by the agent and by every call that
//! asks, and read from a watch channel without waiting.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use shared::answer::{self, Verdict, Waiting};
use shared::ids::MachineId;
use shared::license::{License, LicenseState, Timer};
use shared::reason::{Cause, Reason};
use shared::time::Timestamp;

use crate::discovery::Source;
use crate::home::Keeping;
use crate::installation::Installation;
use crate::lease::Lease;
use crate::saved::Organisation;

/// Where one product on this machine stands, at one instant.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Snapshot {
    /// What the product is told. Its notice level says how much to show.
    pub state: LicenseState,
    /// This machine's name for this product; no user and no hardware can be found out from it.
    pub machine: MachineId,
    /// The serial of the last accepted answer.
    pub serial: u64,
    /// Who this copy is licensed to, once a lease has said so.
    pub organisation: Option<Organisation>,
    /// The host that gave the last lease, as `name:port`.
    pub last_host: Option<String>,
    /// When the next ask is due; `None` after a release: not before somebody wants it.
    pub ask_at: Option<Timestamp>,
    /// Attempts that failed since the last lease.
    pub failures: u32,
    /// The code of the last refusal or failure; `None` after a success. It may be newer than this release.
    pub last_reason: Option<String>,
    /// Every host that was tried in the last round, with what came of it, whichever process asked.
    pub attempts: Vec<Attempt>,
    /// How many more attempts the last round made than are kept.
    pub attempts_left_out: u32,
    /// When the last round ended.
    pub asked_at: Option<Timestamp>,
    /// How far the count had come, while this machine waits for others to ask.
    pub waiting: Option<Waited>,
    /// The lease that is held, ended or not.
    pub lease: Option<Lease>,
    /// Where the state is kept, and so who counts as a machine.
    pub keeping: Keeping,
    /// What is wrong with the state on the disk, each with its remedy.
    pub troubles: Vec<Cause>,
    /// Whether the numbers come from a certificate that is marked as test: not a license to be relied on.
    pub test: bool,
    /// Hosts, addresses and DNS names that the last round had no time for; the next round begins with them.
    pub(crate) left_out: Vec<String>,
    pub(crate) standing: Standing,
}

/// What says where the product stands at an instant.
#[derive(Clone, Debug)]
pub(crate) enum Standing {
    ByRules(Arc<License<Lease>>),
    /// A test has said it.
    #[cfg(feature = "testing")]
    Fixed(LicenseState),
}

/// How many machines were counted when this one was told to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Waited {
    /// Machines counted.
    pub count: u64,
    /// Machines needed.
    pub threshold: u32,
}

impl Waited {
    /// So many counted, and so many needed.
    pub const fn new(count: u64, threshold: u32) -> Waited {
        Waited { count, threshold }
    }
}

impl Snapshot {
    pub(crate) fn of(installation: &Installation, now: Timestamp) -> Snapshot {
        let saved = &installation.saved;
        let (license, facts) = (&saved.license, saved.license.facts());
        let chain = license.lease().map(answer::Lease::chain).or(saved.exchange.chain.as_ref());
        Snapshot {
            state: license.state(now),
            machine: saved.machine,
            serial: saved.exchange.serial,
            organisation: saved.organisation.clone(),
            last_host: saved.last_host.as_ref().map(|last| last.name.clone()),
            ask_at: match facts.timer {
                Timer::At { at, .. } => Some(at),
                Timer::Never => None,
            },
            failures: facts.failures,
            last_reason: Some(facts.last_reason.clone()).filter(|code| !code.is_empty()),
            attempts: saved.last_round.as_ref().map(|round| round.attempts.clone()).unwrap_or_default(),
            attempts_left_out: saved.last_round.as_ref().map_or(0, |round| round.left_out),
            asked_at: saved.last_round.as_ref().map(|round| round.ended_at),
            waiting: facts.waiting.map(|(count, threshold)| Waited { count, threshold }),
            keeping: installation.home.keeping(),
            troubles: installation.troubles.clone(),
            test: chain.is_some_and(|chain| chain.host().test),
            left_out: saved.left_out.clone(),
            lease: license.lease().map(Lease::from),
            standing: Standing::ByRules(Arc::new(license.with(license.lease().map(Lease::from)))),
        }
    }

    /// Where the product stands at an instant. Nobody has to be asked: a lease carries its own end.
    pub fn state_at(&self, now: Timestamp) -> LicenseState {
        match &self.standing {
            Standing::ByRules(license) => license.state(now),
            #[cfg(feature = "testing")]
            Standing::Fixed(state) => *state,
        }
    }

    /// The reason with the code that is shown, if this release knows it: it has a text and a remedy.
    pub fn reason(&self) -> Option<Reason> {
        self.last_reason.as_deref().and_then(Reason::from_code)
    }

    /// The last refusal or failure, with the values in its text if they are kept: they come from the first attempt of the last
    /// round that has that code.
    pub fn last_cause(&self) -> Option<Cause> {
        let code = self.last_reason.as_deref()?;
        let mut causes = self.attempts.iter().filter_map(|attempt| attempt.outcome.cause());
        if let Some(cause) = causes.find(|cause| cause.code == code) {
            return Some(cause.clone());
        }
        Some(match (self.reason(), self.waiting) {
            (Some(Reason::CountBelowThreshold), Some(Waited { count, threshold })) => {
                Reason::CountBelowThreshold.with(&[("count", &count), ("threshold", &threshold)])
            }
            _ => Cause { code: code.to_owned(), parameters: Vec::new() },
        })
    }

    /// Whether somebody who watches would see a difference. The latest time seen moves all the time.
    pub(crate) fn differs_from(&self, other: &Snapshot) -> bool {
        let seen = |snapshot: &Snapshot| {
            let Snapshot {
                state,
                machine,
                serial,
                organisation,
                last_host,
                ask_at,
                failures,
                last_reason,
                attempts,
                attempts_left_out: _,
                asked_at,
                waiting,
                lease: _,
                keeping,
                troubles,
                test,
                left_out: _,
                standing: _,
            } = snapshot.clone();
            (
                (state, machine, serial, organisation, last_host, ask_at, failures),
                (last_reason, attempts, asked_at, waiting, keeping, troubles, test),
            )
        };
        seen(self) != seen(other)
    }
}

/// One host that was tried, or one place that was looked in, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attempt {
    /// The host as `name:port`, or the place (a name in DNS, a file) that named none.
    pub host: String,
    /// The address that accepted the connection, if one did.
    pub address: Option<SocketAddr>,
    /// Who named the host; `None` for a place that named none.
    pub source: Option<Source>,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of an ask.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// A lease was accepted.
    Leased {
        /// When it ends.
        until: Timestamp,
    },
    /// Counted, and too few so far.
    Waiting(Waited),
    /// This machine has left the count.
    Released,
    /// A host has refused, with its signature.
    Refused(Cause),
    /// No answer that could be used, and why.
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
            Outcome::Waiting(_) => "waiting",
            Outcome::Released => "released",
            Outcome::Refused(_) => "refused",
            Outcome::Failed(_) => "failed",
        }
    }

    /// Why there was nothing better: a refusal's or a failure's cause, with its remedy.
    pub fn cause(&self) -> Option<&Cause> {
        match self {
            Outcome::Refused(cause) | Outcome::Failed(cause) => Some(cause),
            Outcome::Leased { .. } | Outcome::Waiting(_) | Outcome::Released => None,
        }
    }
}

/// One line, for people.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Leased { until } => write!(f, "lease until {until}"),
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
    /// The best that any host gave: what the license was told.
    pub outcome: Outcome,
    /// Every host tried, in order.
    pub attempts: Vec<Attempt>,
}
