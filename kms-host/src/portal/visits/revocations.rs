//! Revocation lists: the host fetches those that are newer than its own from the portal, installs them, and reloads. Machines get them
//! with their answers.

use super::PortalVisit;
use crate::home::TakenUp;
use crate::remedy;

/// Fetches the lists. A host without a certificate has no vendor, and nothing to take back.
pub(super) async fn look(visit: &PortalVisit<'_>) {
    let certificates = visit.host.certificates();
    if certificates.all().next().is_none() {
        return;
    }
    let (portal, known) = (visit.way.address.to_string(), certificates.known_revocations());
    let taken_up = match visit.way.revocations(visit.home, known, visit.host.clock.clone()).await {
        Ok(taken_up) => taken_up,
        Err(error) => {
            let error = remedy::message(&error);
            tracing::warn!(
                error,
                portal,
                "no revocation lists from the vendor's portal; asking again tomorrow"
            );
            return;
        }
    };
    let newer: Vec<_> = taken_up.into_iter().filter(|list| list.is_newer).collect();
    for TakenUp { number, by_root, revoked, .. } in &newer {
        tracing::info!(
            portal,
            number,
            by_root,
            revoked,
            "installed a revocation list of the vendor's portal"
        );
    }
    if !newer.is_empty() {
        visit.reload("revocation lists of the vendor's portal").await;
    }
}
