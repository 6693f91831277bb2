//! The lease as a product may show it: its content, without the signatures.

use shared::answer;
use shared::ids::{HostId, LedgerId, MachineId};
use shared::license::Term;
use shared::policy::Policy;
use shared::time::Timestamp;

/// The lease that this machine holds, ended or not. It was verified down from the pinned roots.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lease {
    /// The machine that it names.
    pub machine: MachineId,
    /// When it was issued, by the host's clock.
    pub issued_at: Timestamp,
    /// When to renew it.
    pub renew_after: Timestamp,
    /// When it ends: the first instant at which it no longer licenses.
    pub expires_at: Timestamp,
    /// Machines counted when it was issued.
    pub count: u64,
    /// Machines needed.
    pub threshold: u32,
    /// When a host last saw the threshold met in its own ledger.
    pub threshold_met_at: Timestamp,
    /// The host that signed it.
    pub host: HostId,
    /// The ledger in which that host counts.
    pub ledger: LedgerId,
    /// The numbers under which it was issued.
    pub(crate) policy: Policy,
}

impl From<&answer::Lease> for Lease {
    fn from(lease: &answer::Lease) -> Lease {
        let header = lease.header();
        Lease {
            machine: header.machine,
            issued_at: lease.issued_at(),
            renew_after: lease.renew_after(),
            expires_at: lease.expires_at(),
            count: lease.count(),
            threshold: lease.policy().threshold,
            threshold_met_at: lease.threshold_met_at(),
            host: header.host,
            ledger: header.ledger,
            policy: *lease.policy(),
        }
    }
}

impl Term for Lease {
    fn issued_at(&self) -> Timestamp {
        self.issued_at
    }

    fn renew_after(&self) -> Timestamp {
        self.renew_after
    }

    fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    fn policy(&self) -> &Policy {
        &self.policy
    }
}
