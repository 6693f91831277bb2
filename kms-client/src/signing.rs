//! Somebody who signs in on this machine: what is shown to them, how far it has come, and who it is in the end.
//!
//! A sign-in that is under way is kept in memory only, because its code is good for minutes. `account` asks the portal.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use proto::v1::Signed;
use shared::reason::{Cause, Reason};
use shared::time::Timestamp;
use shared::user_lease::{AccountAsk, UserLease};

/// What a product shows to somebody who signs in.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignIn {
    /// The code that they type, such as `BCDF-GHJK`.
    pub user_code: String,
    /// The page of the vendor's portal where they type it.
    pub uri: String,
    /// The same page with the code in it: what a QR code holds, or a link opens.
    pub uri_with_code: String,
    /// Until when the code can be typed, by this machine's clock.
    pub expires_at: Timestamp,
}

/// The account that licenses this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignedInAccount {
    /// Its address.
    pub account: String,
    /// What the person has, as the vendor names it.
    pub offer: String,
    /// When the vendor's portal has signed the lease.
    pub issued_at: Timestamp,
    /// The first instant at which it licenses nobody any more.
    pub not_after: Timestamp,
}

impl SignedInAccount {
    pub(crate) fn of(lease: &UserLease) -> SignedInAccount {
        let UserLease { account, offer, issued_at, not_after, .. } = lease;
        let (account, offer) = (account.clone(), offer.clone());
        SignedInAccount { account, offer, issued_at: *issued_at, not_after: *not_after }
    }
}

/// A sign-in on this machine.
#[derive(Debug, Default)]
pub(crate) struct Signing(Mutex<SignInState>);

#[derive(Clone, Debug, Default)]
pub(crate) enum SignInState {
    #[default]
    Nobody,
    Waiting(Arc<PendingSignIn>),
    Done(Result<(), Cause>),
}

/// A code is shown.
#[derive(Clone, Debug)]
pub(crate) struct PendingSignIn {
    pub(crate) ask: AccountAsk,
    pub(crate) signed: Signed,
    pub(crate) device_code: Vec<u8>,
    pub(crate) next_at: Timestamp,
    pub(crate) expires_at: Timestamp,
}

impl Signing {
    pub(crate) fn state(&self) -> MutexGuard<'_, SignInState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the portal is to be asked next, if somebody is signing in.
    pub(crate) fn next_at(&self) -> Option<Timestamp> {
        match &*self.state() {
            SignInState::Waiting(pending) => Some(pending.next_at),
            SignInState::Nobody | SignInState::Done(_) => None,
        }
    }

    /// What has come of it: nothing while it is under way.
    pub(crate) fn outcome(&self) -> Option<Result<(), Cause>> {
        match &*self.state() {
            SignInState::Waiting(_) => None,
            SignInState::Nobody => Some(Err(Reason::NotSignedIn.into())),
            SignInState::Done(done) => Some(done.clone()),
        }
    }

    /// Forgets a sign-in that is under way.
    pub(crate) fn forget(&self) {
        *self.state() = SignInState::Nobody;
    }
}
