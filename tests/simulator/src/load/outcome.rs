//! What can come of an ask, and how a reader is to take it.
//!
//! A result keeps outcomes by name, so that a code that a later release adds is counted like the others. The functions
//! here are the only place that takes a name apart.

use shared::reason::Reason;
use shared::time::Timestamp;

pub(crate) const LEASE: &str = "LEASE";
pub(crate) const WAITING: &str = "WAITING";
pub(crate) const RELEASED: &str = "RELEASED";

/// The run was over before there was an answer.
pub(crate) const NOT_ANSWERED: &str = "NOT_ANSWERED";

/// This process may not open more files: the load tool's own limit, and not the host's fault.
pub(crate) const OWN_FILES: &str = "OWN_FILES";

/// This machine has no port left for one more connection: likewise.
pub(crate) const OWN_PORTS: &str = "OWN_PORTS";

/// What a load tool has to say that no client and no host has.
const OWN: [&str; 3] = [NOT_ANSWERED, OWN_FILES, OWN_PORTS];

/// Nobody has answered: the client itself says so.
const UNANSWERED: [Reason; 11] = [
    Reason::NoHostKnown,
    Reason::DnsNoRecord,
    Reason::DnsFailed,
    Reason::DnsNotOffered,
    Reason::DnsPortZero,
    Reason::DnsTargetBad,
    Reason::DnsSettingBad,
    Reason::NotTried,
    Reason::HostNameUnknown,
    Reason::HostUnreachable,
    Reason::HostSilent,
];

/// What came of one ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Lease,
    Waiting,
    Released,
    /// A refusal or a failure: the code of its reason.
    Code(String),
}

impl Outcome {
    /// The name under which it is counted.
    pub(crate) fn name(&self) -> &str {
        match self {
            Outcome::Lease => LEASE,
            Outcome::Waiting => WAITING,
            Outcome::Released => RELEASED,
            Outcome::Code(code) => code,
        }
    }
}

/// How many machines a host counted, as one of its answers says. Answers overtake each other, so the latest is the one with
/// the latest time of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Counting {
    pub(crate) host_time: Timestamp,
    pub(crate) count: u64,
    pub(crate) threshold: u32,
}

/// Whether this is a refusal or a failure, and not what an ask is made for.
pub(crate) fn is_trouble(name: &str) -> bool {
    ![LEASE, WAITING, RELEASED].contains(&name)
}

/// Whether somebody has answered, be it with a refusal.
pub(crate) fn is_answer(name: &str) -> bool {
    !OWN.contains(&name) && !UNANSWERED.iter().any(|reason| reason.code() == name)
}

/// Whether an ask can come to this.
pub(crate) fn is_known(name: &str) -> bool {
    !is_trouble(name) || OWN.contains(&name) || Reason::from_code(name).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_an_answer_and_silence_is_none() {
        assert!(is_answer(Outcome::Lease.name()) && !is_trouble(Outcome::Lease.name()));
        assert!(is_answer("OVERLOADED") && is_trouble("OVERLOADED"));
        assert!(!is_answer("HOST_SILENT") && is_trouble("HOST_SILENT"));
        assert!(is_answer("A_CODE_OF_NEXT_YEAR") && is_trouble("A_CODE_OF_NEXT_YEAR"));
    }
}
