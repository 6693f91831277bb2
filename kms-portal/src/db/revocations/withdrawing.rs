//! Withdrawing a revocation: the next list leaves the ids out, and readers keep only the list with the highest number.

use std::sync::Arc;

use async_trait::async_trait;
use shared::ids::CertificateId;

use super::{
    By, NotRevoked, RevocationSubject, RevokedEntry, RevokedKind, entries, forget, lock, machines_of, of_id,
    sign,
};
use crate::db::DbError;
use crate::db::changes::note;
use crate::db::keys;
use crate::db::sql::Sql;
use crate::db::work::{Work, or_refuse};
use crate::issue::Issue;

/// What was withdrawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WithdrawnIds {
    /// How many ids the new list leaves out.
    pub ids: u64,
    /// The number of the list.
    pub number: u64,
}

/// Withdraws the revocation of something, and signs the list without it.
pub(in crate::db) struct Withdraw {
    pub(in crate::db) subject: RevocationSubject,
    pub(in crate::db) issuer: Arc<dyn Issue>,
    pub(in crate::db) by: By,
}

#[async_trait]
impl Work for Withdraw {
    type Done = Result<WithdrawnIds, NotRevoked>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        // 1. The list, so that nobody else takes its next number.
        let [by_issuer, _] = lock(sql).await?;
        // 2. What is meant. The machines of a key that were revoked one by one stay revoked, and the list needs them again.
        let mut all = entries(sql).await?;
        let (is_marked, machines) = match self.subject {
            RevocationSubject::Key(number) => match keys::lock(sql, number, self.by.at).await? {
                None => return Ok(Err(NotRevoked::UnknownKey)),
                Some(key) => (key.validity.revoked_at.is_some(), machines_of(sql, number).await?),
            },
            RevocationSubject::Id(_) => (false, Vec::new()),
        };
        let withdrawn = self.find(sql, &all).await?;
        if withdrawn.is_empty() && !is_marked {
            return Ok(Err(NotRevoked::NotInForce));
        }
        // 3. The list. A refusal has written nothing.
        for entry in &mut all {
            if withdrawn.contains(&entry.revoked.id) {
                entry.withdrawn_at = Some(self.by.at);
            }
            if machines.contains(&entry.revoked.id) {
                entry.forget_at = None;
            }
        }
        let signed = or_refuse!(sign(&*self.issuer, by_issuer.number, &all, self.by.at).await);
        signed.write(sql, &*self.issuer).await?;
        // 4. The rows.
        for id in &withdrawn {
            let values = [id.as_bytes().into(), self.by.at.into()];
            sql.run("UPDATE revoked SET withdrawn_at = $2 WHERE id = $1", &values).await?;
        }
        forget(sql, &machines, None).await?;
        if let RevocationSubject::Key(number) = self.subject {
            let unmark = "UPDATE keys SET revoked_at = NULL WHERE number = $1";
            sql.run(unmark, &[number.as_bytes().into()]).await?;
        }
        note(sql, &self.by, "withdraw", &self.subject.to_string()).await?;
        Ok(Ok(WithdrawnIds { ids: withdrawn.len() as u64, number: signed.list.number }))
    }
}

impl Withdraw {
    /// The ids in force that were revoked with the subject, or name it.
    async fn find(&self, sql: &mut dyn Sql, all: &[RevokedEntry]) -> Result<Vec<CertificateId>, DbError> {
        let ids = match self.subject {
            RevocationSubject::Key(_) => Vec::new(),
            RevocationSubject::Id(id) => of_id(sql, id).await?.map_or_else(|| vec![id], |(_, ids)| ids),
        };
        let subject = self.subject.to_string();
        let is_meant = |entry: &&RevokedEntry| match self.subject {
            RevocationSubject::Key(_) => {
                entry.subject == subject && matches!(entry.kind, RevokedKind::Key | RevokedKind::Host)
            }
            RevocationSubject::Id(_) => ids.contains(&entry.revoked.id),
        };
        let meant = all.iter().filter(|entry| entry.is_in_force()).filter(is_meant);
        Ok(meant.map(|entry| entry.revoked.id).collect())
    }
}
