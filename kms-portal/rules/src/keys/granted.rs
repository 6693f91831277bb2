//! How much a key grants: the sum of what was ever granted.
//!
//! Nothing is edited. More is granted by one more row that says who, why and how much; less by a row with a negative number. What is taken
//! already stays: a key that is lowered below its use only gives nothing new.

use shared::product_key::KeyKind;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Quota {
    /// Machines of a multiple-activation key.
    Machines,
    /// Hosts of a host key.
    Hosts,
    /// Activations of each of its hosts.
    Activations,
    /// Places that machines may give back in a year.
    Releases,
}

impl Quota {
    /// Every quota.
    pub const ALL: [Quota; 4] = [Quota::Machines, Quota::Hosts, Quota::Activations, Quota::Releases];

    /// Whether keys of this kind grant it.
    pub fn is_of(self, kind: KeyKind) -> bool {
        match self {
            Quota::Machines | Quota::Releases => kind == KeyKind::MultipleActivation,
            Quota::Hosts | Quota::Activations => kind == KeyKind::Host,
        }
    }

    /// How it is called on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Quota::Machines => "machines",
            Quota::Hosts => "hosts",
            Quota::Activations => "activations",
            Quota::Releases => "releases",
        }
    }
}

/// The most that a key may grant of anything. It fits into every number on the wire.
pub const GRANTED_MAX: u64 = 10_000_000;

/// How much a key grants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Granted {
    /// Machines that may have a place.
    pub machines: u64,
    /// Hosts that may be activated.
    pub hosts: u64,
    /// How often each of them may be.
    pub activations: u64,
    /// Places that machines may give back in a year.
    pub releases: u64,
}

impl Granted {
    /// A host key as it is sold: 6 hosts, 10 activations each.
    pub const HOST: Granted = Granted { machines: 0, hosts: 6, activations: 10, releases: 0 };

    /// A key for so many machines. A tenth of them may leave in a year, and 5 of a small key.
    pub fn machines(machines: u64) -> Granted {
        Granted { machines, hosts: 0, activations: 0, releases: (machines / 10).max(5) }
    }

    /// How much is granted of this.
    pub fn of(&self, quota: Quota) -> u64 {
        match quota {
            Quota::Machines => self.machines,
            Quota::Hosts => self.hosts,
            Quota::Activations => self.activations,
            Quota::Releases => self.releases,
        }
    }

    /// The same, with so much of this.
    pub fn with(mut self, quota: Quota, granted: u64) -> Granted {
        match quota {
            Quota::Machines => self.machines = granted,
            Quota::Hosts => self.hosts = granted,
            Quota::Activations => self.activations = granted,
            Quota::Releases => self.releases = granted,
        }
        self
    }

    /// Whether a key of this kind can grant this.
    ///
    /// # Errors
    /// It is nothing that such keys grant, or so little that nobody could be activated.
    pub fn fits(&self, kind: KeyKind) -> Result<(), Unfit> {
        for quota in Quota::ALL {
            if !quota.is_of(kind) && self.of(quota) != 0 {
                return Err(Unfit::OtherKind { quota, kind: kind.name() });
            }
            // Nobody has to be able to give a place back.
            if quota.is_of(kind) && self.of(quota) == 0 && quota != Quota::Releases {
                return Err(Unfit::Nothing(quota));
            }
        }
        Ok(())
    }

    /// What a key has to be raised by to grant this, one quota after the other.
    ///
    /// # Errors
    /// It is more than [`GRANTED_MAX`].
    pub fn raises(&self) -> Result<Vec<(Quota, i64)>, NotGrantable> {
        let quotas = Quota::ALL.into_iter().filter(|quota| self.of(*quota) != 0);
        let raise = |quota| {
            let more = i64::try_from(self.of(quota)).unwrap_or(i64::MAX);
            Granted::default().raised(quota, more).map(|_| (quota, more))
        };
        quotas.map(raise).collect()
    }

    /// What is granted after so much more of this; less, if it is negative.
    ///
    /// # Errors
    /// It would be below zero, or more than [`GRANTED_MAX`].
    pub fn raised(self, quota: Quota, more: i64) -> Result<Granted, NotGrantable> {
        let granted = self.of(quota).checked_add_signed(more).filter(|granted| *granted <= GRANTED_MAX);
        let granted = granted.ok_or(NotGrantable { quota, granted: self.of(quota), more })?;
        Ok(self.with(quota, granted))
    }
}

/// A key of its kind does not grant this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unfit {
    /// Keys of another kind grant it.
    #[error("a key of the kind {kind} grants no {}", quota.name())]
    OtherKind {
        /// What.
        quota: Quota,
        /// The kind of the key.
        kind: &'static str,
    },
    /// It would activate nothing.
    #[error("a key that grants 0 {} activates nothing; to end a key, block it with `kms-portal key block`", .0.name())]
    Nothing(Quota),
}

/// So much more cannot be granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{} are {granted} and cannot be {more} more: that has to be between 0 and {GRANTED_MAX}",
    quota.name()
)]
pub struct NotGrantable {
    /// Of what.
    pub quota: Quota,
    /// How much is granted.
    pub granted: u64,
    /// How much more it would be.
    pub more: i64,
}
