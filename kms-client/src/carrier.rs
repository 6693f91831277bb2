//! The way to the vendor's portal: for this machine's own asks, and for those of machines without a network.
//!
//! `portal` says what this machine asks, and what it makes of the answer.

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
const NO_PORTAL: &str = "no portal";

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
    let answered = portal.activate_machine(ask).await;
    let answer = answered.map_err(|failure| of_portal(failure, terms).cause)?;
    answer.confirmation.ok_or_else(|| no_confirmation(terms))
}

/// A connection to the portal of the product.
///
/// # Errors
/// There is none, or it is not reached; nothing was sent.
pub(crate) async fn connect(terms: &Terms, clock: Arc<dyn Clock>) -> Result<Portal, Failure> {
    let Some((portal, tls)) = terms.keys.portal.clone() else {
        return Err(Cause::from(Reason::NoPortalKnown).into());
    };
    let tls = off_thread(move || Ok(tls.read(clock))).await;
    let tls = tls.unwrap_or_else(|error| Err(wire::tls_files_bad(&error.to_string())));
    let connected = match tls {
        Ok(tls) => Portal::connect(&portal, &tls).await,
        Err(cause) => Err(cause.into()),
    };
    connected.map_err(|failure| of_portal(failure, terms))
}

/// The same failure in words about the portal. The texts of TLS for hosts name files and people that have nothing to do with a portal.
pub(crate) fn of_portal(failure: Failure, terms: &Terms) -> Failure {
    let (address, what) = (address(terms), failure.cause.parameter("cause").unwrap_or_default());
    let cause = match failure.cause.reason() {
        Some(Reason::TlsFilesBad) => Reason::PortalCaBad.with(&[("cause", &what)]),
        Some(Reason::TlsCertificateBad) => {
            Reason::PortalCertificateBad.with(&[("address", &address), ("cause", &what)])
        }
        Some(Reason::TlsNotOffered | Reason::TlsFailed | Reason::TlsMachineRefused) => {
            let what = format!("no TLS 1.3: {what}");
            Reason::PortalUnreachable.with(&[("address", &address), ("cause", &what)])
        }
        _ => failure.cause.of_portal(),
    };
    Failure { cause, ..failure }
}

/// Where the portal is, for people.
pub(crate) fn address(terms: &Terms) -> String {
    terms.keys.portal.as_ref().map_or_else(|| NO_PORTAL.to_owned(), |(address, _)| address.to_string())
}

/// The portal has answered without a confirmation.
pub(crate) fn no_confirmation(terms: &Terms) -> Cause {
    Reason::AnswerMismatch
        .with(&[("address", &address(terms)), ("cause", &"it has no confirmation")])
        .of_portal()
}
