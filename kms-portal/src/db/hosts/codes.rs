//! A host by codes: the terms that are sold with its key, and the confirmation of the call.
//!
//! Only the terms in the host's hands make its certificate, so all that were ever made are kept. They name one issuing certificate.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use shared::codes::{CodeSubject, ConfirmationId, HostTerms, InstallationId};
use shared::envelope::PublicKey;
use shared::ids::{CertificateId, HostId, Nonce};
use shared::product_key::{KeyKind, KeyNumber};
use shared::revocation::Revoked;
use shared::time::Timestamp;

use super::{Activated, Certifying, HOUR, HostAsk, IssuedKey};
use crate::db::DbError;
use crate::db::changes::{By, note};
use crate::db::keys;
use crate::db::places::key_of_call;
use crate::db::revocations::revoked_at;
use crate::db::sql::{Sql, SqlRow};
use crate::db::work::Work;
use crate::issue::{Issue, TermsFault, Unconfirmed};
use crate::rules::hosts::activate_by_code;
use crate::rules::{Asked, KeyRefusal};

/// How long a call may be interrupted: a caller who calls again within this time gets the same confirmation.
const CALL_LASTS: Duration = Duration::from_hours(14 * 24);

/// If a key has an end, its terms leave this much time for the call, but no more than half of what is left.
const TIME_TO_CALL: Duration = Duration::from_hours(30 * 24);

/// Terms of a host key that were made.
#[derive(Clone, Debug)]
pub struct SoldTerms {
    /// Their number, from 1.
    pub number: u64,
    /// The terms.
    pub terms: HostTerms,
    /// When they were made.
    pub made_at: Timestamp,
}

/// Makes terms of a host key as it is sold now.
pub(in crate::db) struct MakeTerms {
    pub(in crate::db) key: KeyNumber,
    pub(in crate::db) issuer: Arc<dyn Issue>,
    pub(in crate::db) by: By,
}

#[async_trait]
impl Work for MakeTerms {
    type Done = Result<SoldTerms, KeyRefusal>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let now = self.by.at;
        let found = keys::fitting(keys::lock(sql, self.key, now).await?, KeyKind::Host, None);
        let key = match found.and_then(|key| key.validity.check(now).map(|()| key)) {
            Ok(key) => key,
            Err(refused) => return Ok(Err(refused)),
        };
        let (id, signing_key) = (CertificateId::from_bytes([0; 16]), self.issuer.public_key());
        let certificate = key.host_certificate(sql, id, signing_key, now).await?;
        let mut valid_for = certificate.not_after.since(now);
        if let Some(ends_at) = key.validity.ends_at {
            let left = ends_at.since(now);
            valid_for = valid_for.min(left.saturating_sub(TIME_TO_CALL).max(left / 2));
        }
        let terms = match self.issuer.terms(&certificate, valid_for, self.key, now).await {
            Ok(terms) => terms,
            Err(refused) => return Ok(Err(refused)),
        };
        let last = list(sql, self.key).await?.pop();
        if let Some(last) = last.as_ref().filter(|last| last.terms.encode() == terms.encode()) {
            return Ok(Ok(last.clone()));
        }
        let number = last.map_or(1, |last| last.number + 1);
        let body = terms.encode();
        let values = [self.key.as_bytes().into(), number.into(), body.as_slice().into(), now.into()];
        let insert = "INSERT INTO host_terms (key, number, terms, made_at) VALUES ($1, $2, $3, $4)";
        sql.run(insert, &values).await?;
        note(sql, &self.by, "make terms", &format!("{number} of {}", self.key)).await?;
        Ok(Ok(SoldTerms { number, terms, made_at: now }))
    }
}

/// All terms of a key, the oldest first.
pub(in crate::db) struct ListTerms(pub(in crate::db) KeyNumber);

#[async_trait]
impl Work for ListTerms {
    type Done = Vec<SoldTerms>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Vec<SoldTerms>, DbError> {
        list(sql, self.0).await
    }
}

async fn list(sql: &mut dyn Sql, key: KeyNumber) -> Result<Vec<SoldTerms>, DbError> {
    let list = "SELECT * FROM host_terms WHERE key = $1 ORDER BY number";
    let read = |row: &SqlRow| {
        Ok(SoldTerms {
            number: row.count("number")?,
            terms: row.bytes("terms", |body| HostTerms::decode(body).ok())?,
            made_at: row.time("made_at")?,
        })
    };
    sql.rows(list, &[key.as_bytes().into()]).await?.iter().map(read).collect()
}

/// A host whose installation id somebody has read aloud.
pub struct ConfirmHost {
    /// The installation id, of a host.
    pub id: InstallationId,
    /// The number of the terms that the host has [default: the last ones].
    pub terms: Option<u64>,
    /// Signs the confirmation.
    pub issuer: Arc<dyn Issue>,
    /// Who confirms it, when and why.
    pub by: By,
    /// Whether only to look, and write nothing.
    pub dry_run: bool,
}

/// What the caller is told.
#[derive(Clone, Debug)]
pub struct CodeHost {
    /// The key, as it was before.
    pub key: IssuedKey,
    /// Which host of the key it is, and how often it is activated with this.
    pub activated: Activated,
    /// Whether it costs nothing, because it is the confirmation of an earlier call.
    pub again: bool,
    /// The confirmation.
    pub confirmation: ConfirmationId,
    /// When the host's certificate ends.
    pub ends_at: Timestamp,
    /// The number of the terms.
    pub terms: u64,
    /// The number of the last terms that were made for the key.
    pub last_terms: u64,
}

#[async_trait]
impl Work for ConfirmHost {
    type Done = Result<CodeHost, Unconfirmed>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let (number, now) = (self.id.key, self.by.at);
        // 1. The key.
        let found = key_of_call(sql, &self.id, KeyKind::Host, self.dry_run, now).await?;
        let key = match found.and_then(|key| key.validity.check(now).map(|()| key)) {
            Ok(key) => key,
            Err(refused) => return Ok(Err(refused.into())),
        };
        let CodeSubject::Host(signing_key) = self.id.installed else {
            return Ok(Err(KeyRefusal::Unknown.into()));
        };
        if let Some(at) = revoked_at(sql, [Revoked::host(signing_key.host())]).await? {
            return Ok(Err(KeyRefusal::Revoked { at }.into()));
        }
        // 2. The terms, and the certificate that they make. One that was read within a fortnight is read again.
        let all = list(sql, number).await?;
        let sold = match self.terms {
            None => all.last(),
            Some(wanted) => all.iter().find(|sold| sold.number == wanted),
        };
        let Some(sold) = sold else {
            return Ok(Err(Unconfirmed::NoTerms { key: number.to_string() }));
        };
        let earlier = earlier_call(sql, number, signing_key.host(), now).await?;
        let day = earlier.unwrap_or(now);
        let unusable =
            |why| Ok(Err(Unconfirmed::Terms { number: sold.number, key: number.to_string(), why }));
        let confirmation = match self.issuer.confirm_host(&self.id, &sold.terms, day, now).await {
            Ok(confirmation) => confirmation,
            Err(why) => return unusable(why),
        };
        let Ok(chain) = confirmation.chain(&self.id, &sold.terms) else {
            return unusable(TermsFault::Unsound);
        };
        if let Some(ends_at) = key.validity.ends_at.filter(|ends_at| *ends_at < chain.host().not_after) {
            return unusable(TermsFault::OutlastsKey { ends_at });
        }
        // 3. The decision. The id of the certificate names the call: it follows from host, key and day.
        let mut ask = self.ask(signing_key, chain.host().id);
        let known = ask.known(sql, number).await?;
        let decided = activate_by_code(known, key.taken.hosts, key.validity, &key.granted, now);
        let (activated, again) = match (decided, known) {
            (Err(refused), _) => return Ok(Err(refused.into())),
            (Ok(Certifying::Again(_)), Some(known)) => (known.activated, true),
            (Ok(Certifying::Again(_)), None) => return Err(DbError::damaged("the chain of an unknown host")),
            (Ok(Certifying::New(activated) | Certifying::Next(activated)), _) => (activated, false),
        };
        // 4. The rows. Nothing is read aloud before the transaction is durable.
        if !self.dry_run {
            if !again {
                // It has not asked itself, so its last ask stays what it was.
                ask.asked.asked_at = known.map_or(ask.asked.asked_at, |known| known.last_asked_at);
                ask.write(sql, number, activated, activated.activations, chain.encoded()).await?;
            }
            note(sql, &self.by, "confirm by code", &format!("host {} of {number}", activated.host)).await?;
        }
        let (terms, ends_at) = (sold.number, chain.ends_at());
        let last_terms = all.last().map_or(terms, |last| last.number);
        Ok(Ok(CodeHost { key, activated, again, confirmation, ends_at, terms, last_terms }))
    }
}

impl ConfirmHost {
    /// The ask that a host without a network would have made. It is earlier than any that the host makes later.
    fn ask(&self, signing_key: PublicKey, certificate: CertificateId) -> HostAsk {
        let nonce = Nonce::from_bytes(*certificate.as_bytes());
        HostAsk {
            signing_key,
            asked: Asked { nonce, asked_at: Timestamp::from_unix_ms(0) },
            certificate,
            now: self.by.at,
            hour_width: HOUR,
            issuer: self.issuer.clone(),
        }
    }
}

/// When this host was last confirmed by a code, if that may be the same call. Only a confirmation by a code has the id of its
/// certificate as its nonce.
async fn earlier_call(
    sql: &mut dyn Sql,
    key: KeyNumber,
    host: HostId,
    now: Timestamp,
) -> Result<Option<Timestamp>, DbError> {
    let values = [key.as_bytes().into(), host.as_bytes().into(), (now - CALL_LASTS).into()];
    let found = sql
        .row(
            "SELECT MAX(c.issued_at) AS issued_at FROM host_chains c JOIN hosts h ON h.key = c.key AND h.number = c.host \
             WHERE h.key = $1 AND h.host = $2 AND c.nonce = c.certificate AND $3 < c.issued_at",
            &values,
        )
        .await?;
    found.map_or(Ok(None), |row| row.time_if_any("issued_at"))
}
