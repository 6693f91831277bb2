//! The account that licenses this machine: somebody signs in, and signs out.

use std::time::Duration;

use shared::reason::{Cause, Reason};

use crate::account;
use crate::outcome::Outcome;
use crate::round::{self, Purpose};
use crate::signing::SignIn;

use super::Client;

/// How often a call that waits looks whether the portal is to be asked.
const LOOK_EVERY: Duration = Duration::from_millis(250);

impl Client {
    /// Begins to sign somebody in, for a product that is licensed to people: returns the code that they type at the vendor's portal. Show it
    /// with the address, and the address with the code as a QR code. [`run`](Client::run) then asks the portal every few seconds, and
    /// [`watch`](Client::watch) reports the license. [`finish_sign_in`](Client::finish_sign_in) waits for it.
    ///
    /// What licenses this machine now does so until somebody has signed in. A code that was shown before is of no use any more.
    ///
    /// # Errors
    /// The portal was not asked, or has refused (`TOO_MANY_SIGN_INS`).
    pub async fn sign_in(&self) -> Result<SignIn, Cause> {
        let begun = account::begin(&self.shell).await;
        self.wake();
        begun
    }

    /// Waits until somebody has signed in with the code of [`sign_in`](Client::sign_in), and the lease is kept. It needs no
    /// [`run`](Client::run).
    ///
    /// # Errors
    /// Why nobody is signed in now: `SIGN_IN_DENIED`, `SIGN_IN_EXPIRED`, `ACCOUNT_NOT_LICENSED`, `TOO_MANY_DEVICES`, or `NOT_SIGNED_IN` if
    /// nobody has begun.
    pub async fn finish_sign_in(&self) -> Result<(), Cause> {
        loop {
            if let Some(done) = self.shell.signing.outcome() {
                return done;
            }
            let mut installation = self.shell.installation.lock().await;
            account::poll(&self.shell, &mut installation).await;
            self.shell.publish(&installation);
            drop(installation);
            let next = self.shell.signing.next_at().map(|at| at.since(self.shell.clock.now()));
            tokio::time::sleep(next.unwrap_or_default().min(LOOK_EVERY)).await;
        }
    }

    /// Signs out: the portal counts this machine no more, and its lease is forgotten. What else licenses this machine counts again.
    ///
    /// # Errors
    /// `NOT_SIGNED_IN` if nobody is. Or the portal was not reached, and the account stays signed in.
    pub async fn sign_out(&self) -> Result<(), Cause> {
        self.shell.signing.forget();
        if self.snapshot().account.is_none() {
            return Err(Reason::NotSignedIn.into());
        }
        match round::ask(&self.shell, Purpose::Release).await?.outcome {
            Outcome::Failed(cause) | Outcome::Refused(cause) => Err(cause),
            Outcome::Leased { .. } | Outcome::Confirmed { .. } | Outcome::Waiting(_) | Outcome::Released => {
                Ok(())
            }
        }
    }
}
