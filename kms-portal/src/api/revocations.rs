//! Revocation lists at the portal: handed out as they are kept, and signed again under another issuing certificate.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use prost::Message as _;
use proto::v1::{KnownRevocations, SignedRevocationList};
use proto::vendor::v1;
use server::unanswered::Unanswered;
use shared::certificate::Roots;
use shared::reason::Reason;
use shared::revocation::{RevocationList, Revocations, SignedList};
use tokio_util::sync::CancellationToken;

use super::PortalCore;
use crate::db::{By, Db, DbError, InstalledList, NotRevoked, RevocationSubject, TakenBack};

/// How often to look what roots have revoked.
const LOOK_AT_ROOTS: Duration = Duration::from_mins(10);

impl PortalCore {
    /// The lists that are newer than these. Reading them signs nothing.
    ///
    /// # Errors
    /// The database fails.
    pub async fn newer_revocations(
        &self,
        known: KnownRevocations,
    ) -> Result<v1::GetRevocationsResponse, Unanswered> {
        let newer = self.db.newer_revocations(known).await;
        let [by_issuer, by_root] = newer.map_err(|error| self.unanswered(error))?;
        Ok(v1::GetRevocationsResponse { by_issuer: decode(by_issuer)?, by_root: decode(by_root)? })
    }

    /// Takes something back, for the reason that `by` gives.
    ///
    /// # Errors
    /// The database fails; nothing was acknowledged.
    pub async fn revoke(
        &self,
        subject: RevocationSubject,
        unlisted: bool,
        by: By,
    ) -> Result<Result<TakenBack, NotRevoked>, DbError> {
        self.db.revoke(subject, unlisted, self.issuer(), by).await
    }

    /// Installs a list that was signed by a root, or by an issuing key that no root has revoked.
    ///
    /// # Errors
    /// The database fails; nothing was acknowledged.
    pub async fn install_revocations(
        &self,
        wire: &SignedRevocationList,
        by: By,
    ) -> Result<Result<(SignedList, InstalledList), NotRevoked>, DbError> {
        let list = match RevocationList::open(wire, &self.signing().roots) {
            Ok(list) => list,
            Err(error) => return Ok(Err(NotRevoked::Invalid(error))),
        };
        let held = revoked_by_root(&self.db, &self.signing().roots).await?;
        if list.issuer().is_some_and(|issuer| held.issuer(issuer).is_some()) {
            return Ok(Err(NotRevoked::IssuerRevoked));
        }
        let installed = self.db.install_revocations(list.clone(), self.issuer(), by).await?;
        self.look_at_roots().await?;
        Ok(installed.map(|installed| (list, installed)))
    }

    /// Whether a root has revoked a certificate with which the portal signs.
    async fn look_at_roots(&self) -> Result<(), DbError> {
        self.take_note(&revoked_by_root(&self.db, &self.signing().roots).await?);
        Ok(())
    }

    /// Signs the list again whenever another issuing certificate is taken up, until the portal stops. Readers drop a list whose issuing
    /// certificate a root has revoked. Also looks from time to time whether a root has revoked it: another portal on the database may have
    /// installed that list.
    pub async fn keep_list_signed(&self, stop: CancellationToken) {
        loop {
            if let Err(error) = self.look_at_roots().await {
                drop(self.unanswered(error));
            }
            match self.db.sign_revocations_again(self.issuer(), self.clock.now()).await {
                Ok(Ok(None)) => {}
                Ok(Ok(Some(number))) => {
                    tracing::info!(
                        number,
                        "signed the revocation list again, under another issuing certificate"
                    );
                }
                Ok(Err(error)) => tracing::warn!(%error, "the revocation list is not signed again"),
                Err(error) => drop(self.unanswered(error)),
            }
            tokio::select! {
                () = self.issuer_changed.notified() => {}
                () = tokio::time::sleep(LOOK_AT_ROOTS) => {}
                () = stop.cancelled() => return,
            }
        }
    }
}

/// What one of these roots has revoked, as the database has it.
///
/// # Errors
/// The database fails.
pub(crate) async fn revoked_by_root(db: &Db, roots: &Roots) -> Result<Arc<Revocations>, DbError> {
    let [_, by_root] = db.newer_revocations(KnownRevocations::default()).await?;
    let mut held = Revocations::NONE;
    held.take_all(&decode(by_root).ok().flatten().into_iter().collect::<Vec<_>>(), roots);
    Ok(Arc::new(held))
}

fn decode(list: Option<Bytes>) -> Result<Option<SignedRevocationList>, Unanswered> {
    let damaged = |_| Reason::PortalFailed.with(&[("cause", &"a revocation list is damaged")]).into();
    list.map(SignedRevocationList::decode).transpose().map_err(damaged)
}
