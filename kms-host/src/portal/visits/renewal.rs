//! Renewal: for each product whose certificate ends within [`RENEW_BEFORE`] or was taken back, ask the portal, install what it gives, and
//! reload.
//!
//! `portal/visits.rs` says when. A failure is logged. A host that was certified by hand is refused each time, and keeps its certificate.
//! The alarm CERTIFICATE_ENDS_SOON comes a month later.

use std::time::Duration;

use shared::certificate::Chain;
use shared::ids::ProductId;
use shared::time::Timestamp;

use super::PortalVisit;
use crate::activate::Host;
use crate::home::Put;
use crate::remedy;

/// How long before its end a certificate is renewed: a month before the alarm, so that a portal may be away for weeks.
const RENEW_BEFORE: Duration = Duration::from_hours(60 * 24);

/// From when on the certificate of this chain is renewed.
pub(crate) fn begins_at(chain: &Chain) -> Timestamp {
    chain.ends_at() - RENEW_BEFORE
}

/// A certificate to renew.
struct DueCertificate {
    product: ProductId,
    ends_at: Timestamp,
    /// Whether it was taken back. The next one may hold, because it has another id or another issuing certificate.
    is_revoked: bool,
}

/// Renews every certificate that ends soon or was taken back.
pub(super) async fn look(visit: &PortalVisit<'_>) {
    for due in due(visit.host, visit.host.clock.now()) {
        renew(visit, due).await;
    }
}

fn due(host: &Host, now: Timestamp) -> Vec<DueCertificate> {
    let certificates = host.certificates();
    let all = certificates.products(now).filter_map(|(product, used)| {
        let is_revoked = certificates.revocations(used).of_chain(&used.chain, now).is_some();
        let is_due = is_revoked || begins_at(&used.chain) < now;
        is_due.then(|| DueCertificate { product, ends_at: used.chain.ends_at(), is_revoked })
    });
    all.collect()
}

async fn renew(visit: &PortalVisit<'_>, due: DueCertificate) {
    let DueCertificate { product, ends_at: ended_at, is_revoked } = due;
    let (portal, clock) = (visit.way.address.to_string(), visit.host.clock.clone());
    let not_renewed = |error: String| {
        tracing::warn!(error, portal, %product, %ended_at, "the vendor's portal has not renewed the certificate; asking again tomorrow");
        visit.host.unrenewed.note(product, Some(error));
    };
    let put = match visit.way.renew(visit.home, product, clock.clone()).await {
        Ok(certified) => certified.put,
        Err(error) => return not_renewed(remedy::message(&error)),
    };
    let certificates = visit.host.certificates();
    let is_better = |put: &Put| {
        let (chain, now) = (&put.installed.chain, clock.now());
        let counts = certificates.revocations(&put.installed).of_chain(chain, now).is_none();
        counts && (is_revoked || ended_at < chain.ends_at())
    };
    let Some(put) = put.iter().find(|put| is_better(put)) else {
        let error = if is_revoked {
            "the certificate that it gives is revoked as well"
        } else {
            "it gives no certificate that ends later; its own may end soon"
        };
        return not_renewed(error.to_owned());
    };
    tracing::info!(portal, %product, ends_at = %put.installed.chain.ends_at(), "the certificate is renewed");
    visit.host.unrenewed.note(product, None);
    visit.reload("renewed at the vendor's portal").await;
}
