//! What is remembered of the account that is signed in: its lease, which is verified again whenever it is read.

use bytes::Bytes;
use prost::Message as _;
use proto::vendor::v1::SignedUserLease;
use shared::ids::MachineId;
use shared::license::{AccountTerm, Event, Facts};
use shared::time::Timestamp;
use shared::user_lease::UserLease;

use crate::product::Terms;
use crate::random;

use super::{Organisation, Saved};

impl Saved {
    /// Takes a lease that was checked.
    pub(crate) fn sign_in(&mut self, wire: &SignedUserLease, lease: UserLease, now: Timestamp) {
        self.machine = lease.machine;
        self.organisation =
            Some(Organisation { id: lease.organisation, name: lease.organisation_name.clone() });
        self.license.step(now, Event::SignedIn(term(&lease)), random::draw());
        self.user_lease = wire.encode_to_vec().into();
        self.account = Some(lease);
    }

    /// Forgets who is signed in.
    pub(crate) fn sign_out(&mut self, now: Timestamp) {
        self.user_lease = Bytes::new();
        self.account = None;
        self.license.step(now, Event::SignedOut, random::draw());
    }
}

/// The lease in the file, if it is of this machine, and in the facts how long it licenses.
pub(super) fn read(
    encoded: &Bytes,
    machine: MachineId,
    terms: &Terms,
    facts: &mut Facts,
) -> Option<UserLease> {
    if encoded.is_empty() {
        return None;
    }
    let kept = SignedUserLease::decode(encoded.clone()).map_err(|error| error.to_string());
    let kept = kept.and_then(|wire| {
        let opened = UserLease::open(&wire, &terms.roots);
        let ours = opened.and_then(|lease| {
            let checked = lease.check_ours(machine, terms.id, terms.fingerprint, &terms.hardware());
            checked.map(|()| lease)
        });
        ours.map_err(|error| error.to_string())
    });
    match kept {
        Ok(lease) => {
            facts.account = Some(term(&lease));
            Some(lease)
        }
        Err(error) => {
            tracing::warn!(%error, "the saved user lease does not verify and is left out");
            None
        }
    }
}

fn term(lease: &UserLease) -> AccountTerm {
    let UserLease { issued_at, renew_after, not_after, .. } = *lease;
    AccountTerm { issued_at, renew_after, not_after }
}
