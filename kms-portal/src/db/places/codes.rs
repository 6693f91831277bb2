//! How a machine gets its place by a code that was read to the vendor's staff.

use std::sync::Arc;

use async_trait::async_trait;
use kms_portal_rules::keys::KeyRefusal;
use kms_portal_rules::keys::machines::{CodePlacement, place_by_code};
use shared::codes::{CodeForm, CodeSubject, InstallationId, MachineDigest};
use shared::ids::CertificateId;
use shared::product_key::{KeyKind, ProductTag};
use shared::time::Timestamp;

use super::rows::{count, of_installation};
use crate::db::DbError;
use crate::db::changes::{By, note};
use crate::db::keys::{self, IssuedKey};
use crate::db::sql::Sql;
use crate::db::work::{Work, or_refuse};
use crate::issue::{CodeSigner, SignedCode, SoldMachine, Unconfirmed};

/// A machine whose installation id somebody has read aloud.
pub struct ConfirmMachine {
    /// The installation id, of a machine.
    pub id: InstallationId,
    /// An end that is earlier than that of the key, if one is wanted.
    pub ends_at: Option<Timestamp>,
    /// The id of a new place, random.
    pub place: CertificateId,
    /// Signs the confirmation.
    pub signer: Arc<CodeSigner>,
    /// Who confirms it, when and why.
    pub by: By,
    /// Whether only to look, and write nothing.
    pub dry_run: bool,
}

/// What the caller is told.
#[derive(Clone, Debug)]
pub struct CodeMachine {
    /// The key, as it was before.
    pub key: IssuedKey,
    /// Which place the machine gets.
    pub placement: CodePlacement,
    /// The confirmation.
    pub signed: SignedCode,
}

#[async_trait]
impl Work for ConfirmMachine {
    type Done = Result<CodeMachine, Unconfirmed>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        // 1. The key.
        let (number, now) = (self.id.key, self.by.at);
        let key =
            or_refuse!(key_of_call(sql, &self.id, KeyKind::MultipleActivation, self.dry_run, now).await?);
        // 2. The decision.
        let CodeSubject::Machine(digest) = self.id.installed else {
            return Ok(Err(KeyRefusal::Unknown.into()));
        };
        let (own, revoked_at) = of_installation(sql, number, &digest).await?;
        let used = key.taken.machines;
        let placement = or_refuse!(place_by_code(own, revoked_at, key.validity, &key.granted, used, now));
        // 3. The confirmation, and the rows. Nothing is read aloud before the transaction is durable.
        let signed = or_refuse!(self.signed(&key));
        if !self.dry_run {
            self.write(sql, &digest, placement, &signed).await?;
        }
        Ok(Ok(CodeMachine { key, placement, signed }))
    }
}

impl ConfirmMachine {
    fn signed(&self, key: &IssuedKey) -> Result<SignedCode, Unconfirmed> {
        let of_key = key.validity.ends_at;
        let ends_at = match (self.ends_at, of_key) {
            (Some(wanted), Some(of_key)) if of_key < wanted => return Err(Unconfirmed::BeyondKey(of_key)),
            (wanted, of_key) => wanted.or(of_key),
        };
        let features = key.features.clone();
        let sold = SoldMachine { product: key.product, test: key.test, ends_at, features };
        self.signer.confirm(&self.id, &sold, self.by.at)
    }

    async fn write(
        &self,
        sql: &mut dyn Sql,
        digest: &MachineDigest,
        placement: CodePlacement,
        signed: &SignedCode,
    ) -> Result<(), DbError> {
        let (key, now) = (self.id.key, self.by.at);
        let code = signed.confirmation.text(CodeForm::Letters);
        let place = match placement {
            CodePlacement::Known(place) => {
                // A machine that has come online keeps the confirmation of its last ask, which it may repeat.
                let values = [place.as_bytes().into(), digest.into(), now.into(), code.as_bytes().into()];
                let known =
                    "UPDATE places SET confirmed_at = $3, confirmation = $4 WHERE id = $1 AND machine = $2";
                sql.run(known, &values).await?;
                place
            }
            CodePlacement::New => {
                let values = [
                    self.place.as_bytes().into(),
                    key.as_bytes().into(),
                    now.into(),
                    digest.into(),
                    code.as_bytes().into(),
                ];
                sql.run(
                    "INSERT INTO places (id, key, since, machine, confirmed_at, confirmation, digest) \
                     VALUES ($1, $2, $3, $4, $3, $5, $4)",
                    &values,
                )
                .await?;
                count(sql, key, 1).await?;
                self.place
            }
        };
        note(sql, &self.by, "confirm by code", &format!("{place} of {key}")).await
    }
}

/// The key that an installation id names, if it is of this kind and for the product of the id. Nobody else decides about its places or
/// hosts meanwhile. Whoever only looks locks nothing.
pub(in crate::db) async fn key_of_call(
    sql: &mut dyn Sql,
    id: &InstallationId,
    kind: KeyKind,
    dry_run: bool,
    now: Timestamp,
) -> Result<Result<IssuedKey, KeyRefusal>, DbError> {
    let found =
        if dry_run { keys::read(sql, id.key, now).await? } else { keys::lock(sql, id.key, now).await? };
    let is_for_id = |key: &IssuedKey| ProductTag::of(key.product) == id.tag;
    Ok(keys::fitting(found.filter(is_for_id), kind, None))
}
