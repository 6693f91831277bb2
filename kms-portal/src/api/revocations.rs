//! Revocation lists at the portal: handed out as they are kept, and signed again under another issuing certificate.

use std::time::Duration;

use bytes::Bytes;
use prost::Message as _;
use proto::v1::{KnownRevocations, SignedRevocationList};
use proto::vendor::v1;
use server::unanswered::Unanswered;
use shared::reason::Reason;
use shared::revocation::{RevocationList, Revocations, SignedList};
use tokio_util::sync::CancellationToken;

use super::PortalCore;
use crate::db::{By, DbError, InstalledList, NotRevoked, RevocationSubject, TakenBack};
use crate::issue::Issue as _;

/// How often to look whether a root has revoked the issuing certificate.
const LOOK_AT_ISSUER: Duration = Duration::from_mins(10);

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
        let list = match RevocationList::open(wire, &self.signs().roots) {
            Ok(list) => list,
            Err(error) => return Ok(Err(NotRevoked::Invalid(error))),
        };
        let held = self.list_of_root().await?;
        if list.issuer().is_some_and(|issuer| held.issuer(issuer).is_some()) {
            return Ok(Err(NotRevoked::IssuerRevoked));
        }
        let installed = self.db.install_revocations(list.clone(), self.issuer(), by).await?;
        self.look_at_issuer().await?;
        Ok(installed.map(|installed| (list, installed)))
    }

    async fn list_of_root(&self) -> Result<Revocations, DbError> {
        let [_, by_root] = self.db.newer_revocations(KnownRevocations::default()).await?;
        let mut held = Revocations::NONE;
        held.take_all(&decode(by_root).ok().flatten().into_iter().collect::<Vec<_>>(), &self.signs().roots);
        Ok(held)
    }

    /// Whether a root has revoked the portal's own issuing certificate.
    async fn look_at_issuer(&self) -> Result<(), DbError> {
        let (issuer, held) = (self.issuer(), self.list_of_root().await?);
        let revoked = held.issuer(issuer.id());
        if let Some(revoked) = revoked.filter(|_| issuer.revoked_at().is_none()) {
            tracing::error!(%revoked, "a root has revoked the issuing certificate: nothing is signed until another one is installed");
        }
        issuer.take_note(revoked.map(|revoked| revoked.at));
        Ok(())
    }

    /// Signs the list again whenever another issuing certificate is taken up, until the portal stops. Readers drop a list whose issuing
    /// certificate a root has revoked. Looks from time to time whether a root has, because another portal on the database may have heard.
    pub async fn keep_list_signed(&self, stop: CancellationToken) {
        loop {
            if let Err(error) = self.look_at_issuer().await {
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
                () = tokio::time::sleep(LOOK_AT_ISSUER) => {}
                () = stop.cancelled() => return,
            }
        }
    }
}

fn decode(list: Option<Bytes>) -> Result<Option<SignedRevocationList>, Unanswered> {
    let damaged = |_| Reason::PortalFailed.with(&[("cause", &"a revocation list is damaged")]).into();
    list.map(SignedRevocationList::decode).transpose().map_err(damaged)
}
