//! The way to the vendor's portal: for this machine's own asks, and for those of machines without a network.
//!
//! `portal` says what this machine asks, and what it makes of the answer.

use std::fmt;
use std::sync::Arc;

use proto::v1::Signed;
use proto::vendor::v1;
use shared::reason::{Cause, Reason};
use shared::time::Clock;
use wire::Failure;
use wire::portal::Portal;

use crate::files::off_thread;
use crate::product::Terms;

/// In the place of the address of a portal.
const NO_PORTAL: &str = "nowhere";

/// Carries the ask of another machine to the portal.
///
/// # Errors
/// The portal's refusal, or why there is no answer.
pub(crate) async fn carry(
    terms: &Terms,
    clock: Arc<dyn Clock>,
    ask: Signed,
) -> Result<v1::SignedConfirmation, Cause> {
    let portal = connect(terms, clock).await.map_err(|failure| failure.cause)?;
    let answer = portal.activate_machine(ask).await.map_err(|failure| failure.cause)?;
    answer.confirmation.ok_or_else(|| no_confirmation(terms))
}

/// A connection to the portal of the product.
///
/// # Errors
/// There is none, or it is not reached; nothing was sent.
pub(crate) async fn connect(terms: &Terms, clock: Arc<dyn Clock>) -> Result<Portal, Failure> {
    let Some((address, tls)) = terms.keys.portal.clone() else {
        let parameters: [(&str, &dyn fmt::Display); 2] =
            [("address", &NO_PORTAL), ("cause", &"this product names no portal")];
        return Err(Reason::PortalUnreachable.with(&parameters).into());
    };
    let tls = off_thread(move || Ok(tls.read(clock))).await;
    let tls = tls.unwrap_or_else(|error| Err(wire::tls_files_bad(&error.to_string())))?;
    Portal::connect(&address, &tls).await
}

/// Where the portal is, for people.
pub(crate) fn address(terms: &Terms) -> String {
    terms.keys.portal.as_ref().map_or_else(|| NO_PORTAL.to_owned(), |(address, _)| address.to_string())
}

/// The portal has answered without a confirmation.
pub(crate) fn no_confirmation(terms: &Terms) -> Cause {
    Reason::AnswerMismatch.with(&[("address", &address(terms)), ("cause", &"it has no confirmation")])
}
