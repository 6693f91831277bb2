//! Taking something back: a key, a host, one of its certificates, or a machine.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use shared::ids::{CertificateId, HostId};
use shared::product_key::{KeyKind, KeyNumber};
use shared::revocation::Revoked;
use shared::time::Timestamp;

use super::{
    By, NotRevoked, RevokedEntry, RevokedKind, entries, forget, insert, lock, machines_of, mark_key, of_id,
    sign,
};
use crate::db::DbError;
use crate::db::changes::note;
use crate::db::keys;
use crate::db::sql::{Sql, SqlRow};
use crate::db::work::{Work, or_refuse};
use crate::issue::Issue;

/// What staff wants to take back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevocationSubject {
    /// A key with all that it has activated.
    Key(KeyNumber),
    /// The id of a host, of a host certificate, of a machine or of its place.
    Id(CertificateId),
}

/// As the record of changes shows it.
impl fmt::Display for RevocationSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RevocationSubject::Key(number) => number.fmt(f),
            RevocationSubject::Id(id) => id.fmt(f),
        }
    }
}

/// What was taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TakenBack {
    /// What it was. For a host key, its hosts.
    pub kind: RevokedKind,
    /// How many ids the list has more than before; 0 if it had all of them.
    pub added: u64,
    /// The number of the list.
    pub number: u64,
    /// Whether anything is revoked that was not before.
    pub is_new: bool,
}

/// Takes something back, and signs the list that says so.
pub(in crate::db) struct TakeBack {
    pub(in crate::db) subject: RevocationSubject,
    /// Whether the id may be one that is not known.
    pub(in crate::db) unlisted: bool,
    pub(in crate::db) issuer: Arc<dyn Issue>,
    /// The reason stands in the list.
    pub(in crate::db) by: By,
}

#[async_trait]
impl Work for TakeBack {
    type Done = Result<TakenBack, NotRevoked>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        // 1. The list, so that nobody else takes its next number.
        let [by_issuer, _] = lock(sql).await?;
        // 2. What is meant.
        let (kind, ids) = or_refuse!(self.find(sql).await?);
        let mut all = entries(sql).await?;
        // What was withdrawn is revoked anew.
        all.retain(RevokedEntry::is_in_force);
        let is_new = |id: &CertificateId| all.iter().all(|entry| entry.revoked.id != *id);
        let new: Vec<_> = ids.into_iter().filter(is_new).map(|id| self.entry(kind, id)).collect();
        // 3. The list. A refusal has written nothing.
        let added = new.len() as u64;
        let covered = match self.subject {
            RevocationSubject::Key(number) => machines_of(sql, number).await?,
            RevocationSubject::Id(_) => Vec::new(),
        };
        let mut number = by_issuer.number;
        if !new.is_empty() {
            for entry in all.iter_mut().filter(|entry| covered.contains(&entry.revoked.id)) {
                entry.forget_at = Some(self.by.at);
            }
            all.extend_from_slice(&new);
            let signed = or_refuse!(sign(&*self.issuer, number, &all, self.by.at).await);
            signed.write(sql, &*self.issuer).await?;
            number = signed.list.number;
        }
        // 4. The rows. Nothing is handed out before the transaction is durable.
        insert(sql, &new).await?;
        forget(sql, &covered, Some(self.by.at)).await?;
        let is_marked = match self.subject {
            RevocationSubject::Key(number) => mark_key(sql, number, self.by.at).await?,
            RevocationSubject::Id(_) => false,
        };
        let is_new = is_marked || !new.is_empty();
        if is_new {
            note(sql, &self.by, "revoke", &self.subject.to_string()).await?;
        }
        Ok(Ok(TakenBack { kind, added, number, is_new }))
    }
}

impl TakeBack {
    /// What the subject is, and what has to stand in the list.
    async fn find(
        &self,
        sql: &mut dyn Sql,
    ) -> Result<Result<(RevokedKind, Vec<CertificateId>), NotRevoked>, DbError> {
        match self.subject {
            RevocationSubject::Key(number) => of_key(sql, number, self.by.at).await,
            RevocationSubject::Id(id) => Ok(of_id(sql, id)
                .await?
                .or_else(|| self.unlisted.then(|| (RevokedKind::Unlisted, vec![id])))
                .ok_or(NotRevoked::UnknownId)),
        }
    }

    fn entry(&self, kind: RevokedKind, id: CertificateId) -> RevokedEntry {
        let By { who, at, why } = self.by.clone();
        RevokedEntry::new(kind, Revoked { id, at, reason: why }, self.subject.to_string(), who)
    }
}

async fn of_key(
    sql: &mut dyn Sql,
    number: KeyNumber,
    now: Timestamp,
) -> Result<Result<(RevokedKind, Vec<CertificateId>), NotRevoked>, DbError> {
    let Some(key) = keys::lock(sql, number, now).await? else { return Ok(Err(NotRevoked::UnknownKey)) };
    Ok(Ok(match key.kind {
        KeyKind::MultipleActivation | KeyKind::Subscription => (RevokedKind::Key, vec![Revoked::key(number)]),
        KeyKind::Host => {
            let rows = sql.rows("SELECT host FROM hosts WHERE key = $1", &[number.as_bytes().into()]).await?;
            let host = |row: &SqlRow| Ok(Revoked::host(row.bytes("host", HostId::from_slice)?));
            (RevokedKind::Host, rows.iter().map(host).collect::<Result<_, DbError>>()?)
        }
    }))
}
