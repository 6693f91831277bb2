//! A signed ask, with everything that decides about it.

use std::time::Duration;

use server::unanswered::Unanswered;
use shared::answer::{AnswerError, ShownLease};
use shared::ask::{Ask, AskError};
use shared::doubt::Moment;
use shared::reason::Reason;
use shared::revocation::Revocations;

use super::Incoming;
use super::unanswered::Stop;
use crate::certificates::{Certificates, Installed};

pub(super) struct Case<'a> {
    pub(super) ask: Ask,
    pub(super) incoming: &'a Incoming,
    /// The certificate that answers it.
    pub(super) installed: &'a Installed,
    pub(super) certificates: &'a Certificates,
    pub(super) now: Moment,
}

impl<'a> Case<'a> {
    /// Checks product and signatures, which come before any signed answer.
    pub(super) fn open(
        certificates: &'a Certificates,
        incoming: &'a Incoming,
        now: Moment,
    ) -> Result<Case<'a>, Unanswered> {
        let malformed = |cause: &str| Unanswered::from(Reason::Malformed.with(&[("cause", &cause)]));
        let product = incoming.ask.product().ok_or_else(|| malformed("it names no product"))?;
        let installed = certificates
            .current(product, now.wall)
            .ok_or_else(|| Reason::ProductUnknown.with(&[("product", &product)]))?;
        let ask = incoming.ask.verify(incoming.replaced_signature.as_ref()).map_err(|error| match error {
            AskError::Malformed => malformed("its fields do not fit"),
            AskError::Signature(error) if error.is_of_form() => malformed(&error.to_string()),
            AskError::Signature(_) => Reason::SignatureBad.into(),
        })?;
        if ask.kind != incoming.kind {
            return Err(malformed("it asks for something else than the call does"));
        }
        Ok(Case { ask, incoming, installed, certificates, now })
    }

    /// What the vendor of this certificate has taken back.
    pub(super) fn revocations(&self) -> &Revocations {
        self.certificates.revocations(self.installed)
    }

    /// The evidence of the presented lease; none if there is no lease, or one that does not count here.
    pub(super) fn shown_lease(&self) -> Result<Option<ShownLease>, Stop> {
        let Case { ask, installed, .. } = self;
        let Some(signed) = &ask.held_lease else { return Ok(None) };
        let ours = installed.chain.host();
        let mut own = self.certificates.of(ask.product).iter();
        if let Some(shown) = own.find_map(|own| ShownLease::open(signed, &own.chain, ours).ok()) {
            return Ok(Some(shown));
        }
        let held_chain = &self.incoming.held_chain;
        if held_chain.is_empty() {
            return Err(Stop::Refuse(Reason::ChainNeeded.into(), Duration::ZERO));
        }
        let sibling = installed.verify_sibling(held_chain).map_err(AnswerError::Untrusted);
        let sibling =
            sibling.and_then(|sibling| match self.revocations().of_chain(&sibling, self.now.wall) {
                Some(revoked) => Err(AnswerError::Revoked(Box::new(revoked.clone()))),
                None => Ok(sibling),
            });
        let shown = sibling.and_then(|sibling| ShownLease::open(signed, &sibling, ours));
        if let Err(error) = &shown {
            tracing::info!(machine = %ask.machine(), %error, "the lease shown counts for nothing");
        }
        Ok(shown.ok())
    }
}
