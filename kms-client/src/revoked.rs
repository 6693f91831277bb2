//! Revocation lists for a machine with a product key: no host brings them, so it fetches them from the vendor's portal.
//!
//! It does so [`ASK_EVERY`] after it was confirmed, and whenever it asks the portal for something else. A machine that does not reach
//! the portal reports nothing and loses nothing. The license state shows what the lists take back. `docs/protocol.md` 11.

use std::sync::Arc;
use std::time::Duration;

use proto::v1::{KnownRevocations, SignedRevocationList};
use proto::vendor::v1::GetRevocationsRequest;
use shared::reason::Cause;
use shared::time::Timestamp;
use wire::Failure;
use wire::portal::Portal;

use crate::home::Lock;
use crate::installation::Installation;
use crate::shell::Shell;
use crate::{carrier, random};

/// How often a confirmed machine asks for lists, or up to a fifth earlier.
const ASK_EVERY: Duration = Duration::from_hours(30 * 24);

/// How soon it asks again if that failed, or if it waits for the portal's next issuing key.
const ASK_AGAIN: Duration = Duration::from_hours(24);

/// Fetches the lists if that is due. Returns whether to ask the portal for another confirmation, because a root has revoked the issuing
/// key that confirmed this machine. That is not the machine's fault, so the next issuing key confirms it.
pub(crate) async fn look(shell: &Shell, installation: &mut Installation) -> bool {
    let now = shell.clock.now();
    if !is_due(installation, now) {
        return false;
    }
    let known = installation.saved.revocations.known();
    let fetched = match carrier::connect(&installation.terms, Arc::clone(&shell.clock)).await {
        Ok(portal) => lists(&portal, known).await,
        Err(failure) => Err(failure),
    };
    if let Err(failure) = &fetched {
        tracing::debug!(cause = %failure.cause, "no revocation lists were fetched");
    }
    let kept: Result<(), Cause> = async {
        let lock = installation.take_over(now).await?;
        keep(installation, fetched.as_deref().ok(), now, &lock).await
    }
    .await;
    if let Err(cause) = kept {
        tracing::debug!(%cause, "the revocation lists are not kept");
    }
    installation.saved.is_issuer_revoked()
}

/// Fetches the lists while the portal is asked for something else.
pub(crate) async fn bring(
    portal: &Portal,
    installation: &mut Installation,
    now: Timestamp,
    lock: &Arc<Lock>,
) -> Result<(), Cause> {
    match lists(portal, installation.saved.revocations.known()).await {
        Ok(lists) => keep(installation, Some(&lists), now, lock).await,
        Err(failure) => {
            tracing::debug!(cause = %failure.cause, "no revocation lists came along");
            Ok(())
        }
    }
}

/// Whether to ask for lists: only the process that asks for this machine does, and only if there is something that they can take back.
fn is_due(installation: &Installation, now: Timestamp) -> bool {
    let saved = &installation.saved;
    let due_at = saved.revocations_due_at;
    // One that was drawn under a clock that has been set back since could lie years ahead.
    let is_due = due_at.is_none_or(|due_at| due_at <= now || now + ASK_EVERY < due_at);
    let may = installation.home.keeps() && installation.asker().is_some();
    is_due && may && saved.confirmation.is_some() && installation.terms.keys.portal.is_some()
}

async fn lists(portal: &Portal, known: KnownRevocations) -> Result<Vec<SignedRevocationList>, Failure> {
    let KnownRevocations { by_issuer, by_root } = known;
    let request = GetRevocationsRequest { newer_than: by_issuer, newer_than_by_root: by_root };
    let answer = portal.revocations(request).await?;
    Ok(answer.by_root.into_iter().chain(answer.by_issuer).collect())
}

/// Takes up what came, if anything did, and says when to ask next. It is on the disk when this returns.
async fn keep(
    installation: &mut Installation,
    lists: Option<&[SignedRevocationList]>,
    now: Timestamp,
    lock: &Arc<Lock>,
) -> Result<(), Cause> {
    let Installation { saved, terms, .. } = &mut *installation;
    saved.take_revocations(lists.unwrap_or_default(), &terms.roots);
    let wait = if lists.is_none() || saved.is_issuer_revoked() { ASK_AGAIN } else { ASK_EVERY };
    saved.revocations_due_at = Some(now + random::draw().earlier(wait));
    installation.save(lock).await
}
