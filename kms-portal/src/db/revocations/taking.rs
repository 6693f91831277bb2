//! Taking something back: a key, a host, one of its certificates, or a machine.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use shared::ids::{CertificateId, HostId};
use shared::product_key::{KeyKind, KeyNumber};
use shared::revocation::Revoked;
use shared::time::Timestamp;

use super::{By, NotRevoked, RevokedEntry, RevokedKind, entries, insert, lock, sign};
use crate::db::DbError;
use crate::db::changes::note;
use crate::db::keys;
use crate::db::sql::{Sql, SqlRow};
use crate::db::work::Work;
use crate::issue::Issue;

/// A host certificate is valid for a year, and a lease of its last day for 400 days more. A host that was revoked gets no other.
const NEEDED_FOR_A_HOST: Duration = Duration::from_hours((365 + 400) * 24);

/// What staff wants to take back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevocationSubject {
    /// A key with all that it has activated.
    Key(KeyNumber),
    /// The id of a host, of a host certificate, of a machine or of its place.
    Id(CertificateId),
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
        let (kind, ids) = match self.find(sql).await? {
            Ok(found) => found,
            Err(refused) => return Ok(Err(refused)),
        };
        let mut all = entries(sql).await?;
        let is_new = |id: &CertificateId| all.iter().all(|entry| entry.revoked.id != *id);
        let new: Vec<_> = ids.into_iter().filter(is_new).map(|id| self.entry(kind, id)).collect();
        // 3. The list. A refusal has written nothing.
        let added = new.len() as u64;
        let covered = self.covered(sql).await?;
        let mut number = by_issuer.number;
        if !new.is_empty() {
            for entry in all.iter_mut().filter(|entry| covered.contains(&entry.revoked.id)) {
                entry.forget_at = Some(self.by.at);
            }
            all.extend_from_slice(&new);
            let signed = match sign(&*self.issuer, number, &all, self.by.at).await {
                Ok(signed) => signed,
                Err(refused) => return Ok(Err(refused)),
            };
            signed.write(sql, &*self.issuer).await?;
            number = signed.list.number;
        }
        // 4. The rows. Nothing is handed out before the transaction is durable.
        insert(sql, &new).await?;
        forget(sql, &covered, self.by.at).await?;
        if self.block(sql).await? || !new.is_empty() {
            note(sql, &self.by, "revoke", &self.shown()).await?;
        }
        Ok(Ok(TakenBack { kind, added, number }))
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
        let forget_at = match kind {
            RevokedKind::Host | RevokedKind::Certificate => Some(at + NEEDED_FOR_A_HOST),
            RevokedKind::Key | RevokedKind::Machine | RevokedKind::Unlisted => None,
        };
        let subject = self.shown();
        RevokedEntry { revoked: Revoked { id, at, reason: why }, kind, subject, who, forget_at }
    }

    fn shown(&self) -> String {
        match self.subject {
            RevocationSubject::Key(number) => number.to_string(),
            RevocationSubject::Id(id) => id.to_string(),
        }
    }

    /// Entries that the list no longer needs, because it now has the key of those machines.
    async fn covered(&self, sql: &mut dyn Sql) -> Result<Vec<CertificateId>, DbError> {
        let RevocationSubject::Key(number) = self.subject else { return Ok(Vec::new()) };
        let machines = "SELECT r.id FROM revoked r JOIN places p ON p.id = r.id WHERE p.key = $1";
        ids(&sql.rows(machines, &[number.as_bytes().into()]).await?, "id")
    }

    /// Blocks the key as well, so that it activates nobody any more. Returns whether it was not blocked before.
    async fn block(&self, sql: &mut dyn Sql) -> Result<bool, DbError> {
        let RevocationSubject::Key(number) = self.subject else { return Ok(false) };
        let values = [number.as_bytes().into(), self.by.at.into()];
        let block = "UPDATE keys SET blocked_at = $2 WHERE number = $1 AND blocked_at IS NULL";
        Ok(sql.run(block, &values).await? != 0)
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

/// What this id belongs to. Ids are random or derived from keys, so no two are alike.
async fn of_id(
    sql: &mut dyn Sql,
    id: CertificateId,
) -> Result<Option<(RevokedKind, Vec<CertificateId>)>, DbError> {
    let values = [id.as_bytes().into()];
    let tables = [
        (RevokedKind::Host, "SELECT host AS id FROM hosts WHERE host = $1"),
        (RevokedKind::Certificate, "SELECT certificate AS id FROM host_chains WHERE certificate = $1"),
        (RevokedKind::Machine, "SELECT id FROM places WHERE id = $1"),
        (RevokedKind::Machine, "SELECT id FROM places WHERE machine = $1"),
    ];
    for (kind, statement) in tables {
        let mut found = ids(&sql.rows(statement, &values).await?, "id")?;
        found.dedup();
        if !found.is_empty() {
            return Ok(Some((kind, found)));
        }
    }
    Ok(None)
}

fn ids(rows: &[SqlRow], column: &'static str) -> Result<Vec<CertificateId>, DbError> {
    rows.iter().map(|row| row.bytes(column, CertificateId::from_slice)).collect()
}

async fn forget(sql: &mut dyn Sql, entries: &[CertificateId], now: Timestamp) -> Result<(), DbError> {
    for id in entries {
        let values = [id.as_bytes().into(), now.into()];
        sql.run("UPDATE revoked SET forget_at = $2 WHERE id = $1", &values).await?;
    }
    Ok(())
}
