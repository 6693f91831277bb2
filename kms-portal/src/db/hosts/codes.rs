//! A host by codes: the terms that are sold with its key, and the confirmation of the call.
//!
//! Only the terms in the host's hands make its certificate, so all that were ever made are kept. They name one issuing certificate.

use std::sync::Arc;

use async_trait::async_trait;
use kms_portal_rules::keys::calls::{CertifiedBefore, TermDays, valid_for};
use kms_portal_rules::keys::hosts::activate_by_code;
use kms_portal_rules::keys::{Asked, KeyRefusal};
use shared::codes::{CodeSubject, ConfirmationId, HostTerms, InstallationId};
use shared::envelope::PublicKey;
use shared::ids::{CertificateId, HostId, Nonce};
use shared::product_key::{KeyKind, KeyNumber};
use shared::revocation::Revoked;
use shared::time::Timestamp;

use super::{Certifying, HOUR, HostAsk, IssuedKey};
use crate::db::DbError;
use crate::db::changes::{By, note};
use crate::db::keys;
use crate::db::places::key_of_call;
use crate::db::revocations::revoked_at;
use crate::db::sql::{Sql, SqlRow};
use crate::db::work::{Work, or_refuse};
use crate::issue::{Issue, TermsFault, Unconfirmed};

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

/// Terms to sell with a host key.
#[derive(Clone, Debug)]
pub struct OfferedTerms {
    /// The terms.
    pub sold: SoldTerms,
    /// The first instant at which nobody is confirmed under them any more.
    pub last_call: Timestamp,
}

/// Makes terms of a host key as it is sold now.
pub(in crate::db) struct MakeTerms {
    pub(in crate::db) key: KeyNumber,
    pub(in crate::db) issuer: Arc<dyn Issue>,
    pub(in crate::db) by: By,
}

#[async_trait]
impl Work for MakeTerms {
    type Done = Result<OfferedTerms, Unconfirmed>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let now = self.by.at;
        let found = keys::fitting(keys::lock(sql, self.key, now).await?, KeyKind::Host, None);
        let key = or_refuse!(found.and_then(|key| key.validity.check(now).map(|()| key)));
        let Some(valid_for) = valid_for(key.validity.ends_at, now) else {
            return Ok(Err(Unconfirmed::KeyEndsSoon(key.validity.ends_at.unwrap_or(now))));
        };
        let (id, signing_key) = (CertificateId::from_bytes([0; 16]), self.issuer.public_key());
        let certificate = key.host_certificate(sql, id, signing_key, now).await?;
        let make = |valid_for| self.issuer.terms(&certificate, valid_for, self.key, now);
        let terms = or_refuse!(make(valid_for).await);
        let last_call = |terms: &HostTerms| TermDays { terms, key_ends_at: key.validity.ends_at }.last_call();
        if last_call(&terms) <= now {
            return Ok(Err(KeyRefusal::IssuerEnded.into()));
        }
        let last = list(sql, self.key).await?.pop();
        if let Some(last) = &last {
            // Each day makes those of a key with an end a little different. Hosts have the last ones.
            let as_last = make(last.terms.valid_for()).await;
            let is_same = as_last.is_ok_and(|terms| terms.encode() == last.terms.encode());
            let last_call_of_last = last_call(&last.terms);
            if is_same && last_call(&terms).since(now) / 2 <= last_call_of_last.since(now) {
                return Ok(Ok(OfferedTerms { sold: last.clone(), last_call: last_call_of_last }));
            }
        }
        let number = last.map_or(1, |last| last.number + 1);
        let body = terms.encode();
        let values = [self.key.as_bytes().into(), number.into(), body.as_slice().into(), now.into()];
        let insert = "INSERT INTO host_terms (key, number, terms, made_at) VALUES ($1, $2, $3, $4)";
        sql.run(insert, &values).await?;
        note(sql, &self.by, "make terms", &format!("{number} of {}", self.key)).await?;
        let last_call = last_call(&terms);
        Ok(Ok(OfferedTerms { sold: SoldTerms { number, terms, made_at: now }, last_call }))
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
    /// What it gets.
    pub decided: Certifying,
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
        let key = or_refuse!(found.and_then(|key| key.validity.check(now).map(|()| key)));
        let CodeSubject::Host(signing_key) = self.id.installed else {
            return Ok(Err(KeyRefusal::Unknown.into()));
        };
        if let Some(at) = revoked_at(sql, Revoked::host(signing_key.host())).await? {
            return Ok(Err(KeyRefusal::Revoked { at }.into()));
        }
        // 2. The terms, the day, and the certificate that they make.
        let all = list(sql, number).await?;
        let sold = match self.terms {
            None => all.last(),
            Some(wanted) => all.iter().find(|sold| sold.number == wanted),
        };
        let Some(sold) = sold else {
            return Ok(Err(Unconfirmed::NoTerms { key: number.to_string() }));
        };
        let days = TermDays { terms: &sold.terms, key_ends_at: key.validity.ends_at };
        let call = days.call(certified_before(sql, number, signing_key.host()).await?, now);
        let unusable =
            |why| Ok(Err(Unconfirmed::Terms { number: sold.number, key: number.to_string(), why }));
        let confirmation = match self.issuer.confirm_host(&self.id, &sold.terms, call.day(now), now).await {
            Ok(confirmation) => confirmation,
            Err(why) => return unusable(why),
        };
        let Ok(chain) = confirmation.chain(&self.id, &sold.terms) else {
            return unusable(TermsFault::Unsound);
        };
        if let Err(fault) = days.check(call.day(now), now) {
            return unusable(fault.into());
        }
        // 3. The decision. The id of the certificate names the call: it follows from host, key and day.
        let mut ask = self.ask(signing_key, chain.host().id);
        let known = ask.known(sql, number).await?;
        let decided =
            or_refuse!(activate_by_code(known, call, key.taken.hosts, key.validity, &key.granted, now));
        // 4. The rows. Nothing is read aloud before the transaction is durable.
        if !self.dry_run {
            if !matches!(decided, Certifying::Again(..)) {
                // It has not asked itself, so its last ask stays what it was.
                if let Some(known) = known {
                    ask.asked = Asked::kept(ask.asked.nonce(), known.last_asked_at);
                }
                ask.write(sql, number, decided, chain.encoded()).await?;
            }
            let (activated, _) = decided.kept();
            note(sql, &self.by, "confirm by code", &format!("host {} of {number}", activated.host)).await?;
        }
        let (terms, ends_at) = (sold.number, chain.ends_at());
        let last_terms = all.last().map_or(terms, |last| last.number);
        Ok(Ok(CodeHost { key, decided, confirmation, ends_at, terms, last_terms }))
    }
}

impl ConfirmHost {
    /// The ask that a host without a network would have made. It is earlier than any that the host makes later.
    fn ask(&self, signing_key: PublicKey, certificate: CertificateId) -> HostAsk {
        let nonce = Nonce::from_bytes(*certificate.as_bytes());
        HostAsk {
            signing_key,
            asked: Asked::kept(nonce, Timestamp::from_unix_ms(0)),
            certificate,
            now: self.by.at,
            hour_width: HOUR,
            issuer: self.issuer.clone(),
        }
    }
}

/// How this host was certified last. Only a confirmation by a code has the id of its certificate as its nonce.
async fn certified_before(
    sql: &mut dyn Sql,
    key: KeyNumber,
    host: HostId,
) -> Result<Option<CertifiedBefore>, DbError> {
    let last = "SELECT c.issued_at, c.nonce, c.certificate FROM host_chains c \
                JOIN hosts h ON h.key = c.key AND h.number = c.host WHERE h.key = $1 AND h.host = $2 \
                ORDER BY c.issued_at DESC, c.activation DESC LIMIT 1";
    let found = sql.row(last, &[key.as_bytes().into(), host.as_bytes().into()]).await?;
    let before = |row: SqlRow| {
        let by_code = row.get::<Vec<u8>>("nonce")? == row.get::<Vec<u8>>("certificate")?;
        Ok(CertifiedBefore { at: row.time("issued_at")?, by_code })
    };
    found.map(before).transpose()
}
