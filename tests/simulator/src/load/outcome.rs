//! What can come of an ask: a lease, a waiting, or the code of a reason.
//!
//! A result counts outcomes by name, so that a code of a later release is counted like the others. Only the functions here
//! know what a name means.

use shared::reason::Reason;

pub(crate) const LEASE: &str = "LEASE";
pub(crate) const WAITING: &str = "WAITING";

/// The run was over before there was an answer.
pub(crate) const NOT_ANSWERED: &str = "NOT_ANSWERED";

/// This process may not open more files: the load tool's own limit, and not the host's fault.
pub(crate) const OWN_FILES: &str = "OWN_FILES";

/// This machine has no port left for one more connection: not the host's fault either.
pub(crate) const OWN_PORTS: &str = "OWN_PORTS";

/// What only a load tool reports.
const OWN: [&str; 3] = [NOT_ANSWERED, OWN_FILES, OWN_PORTS];

/// Nobody answered: the client itself says so.
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

/// Whether it is a refusal or a failure.
pub(crate) fn is_trouble(name: &str) -> bool {
    ![LEASE, WAITING].contains(&name)
}

/// Whether it is an answer of a host; a refusal is one.
pub(crate) fn is_answer(name: &str) -> bool {
    !OWN.contains(&name) && !UNANSWERED.iter().any(|reason| reason.code() == name)
}

/// Whether an ask can have this outcome.
pub(crate) fn is_known(name: &str) -> bool {
    !is_trouble(name) || OWN.contains(&name) || Reason::from_code(name).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_an_answer_and_silence_is_none() {
        assert!(is_answer(LEASE) && !is_trouble(LEASE));
        assert!(is_answer("OVERLOADED") && is_trouble("OVERLOADED"));
        assert!(!is_answer("HOST_SILENT") && is_trouble("HOST_SILENT"));
        assert!(is_answer("A_CODE_OF_NEXT_YEAR") && is_trouble("A_CODE_OF_NEXT_YEAR"));
    }
}
