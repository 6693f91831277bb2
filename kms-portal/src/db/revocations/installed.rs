//! Installs a list from a file: that of a root, or one of an issuing key that the database has lost.
//!
//! A database that was restored from a backup does not know what was taken back since then, but hosts do. Their list is installed here,
//! and the portal's next list has its entries again.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use shared::ids::CertificateId;
use shared::product_key::KeyNumber;
use shared::revocation::{Revoked, SignedList};

use super::{
    By, KeptList, NotRevoked, RevokedEntry, RevokedKind, entries, insert, lock, mark_key, of_id, sign, write,
};
use crate::db::DbError;
use crate::db::changes::note;
use crate::db::sql::{Sql, SqlRow};
use crate::db::work::{Work, or_refuse};
use crate::issue::Issue;

/// What became of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstalledList {
    /// The number of the list that is handed out now.
    pub number: u64,
    /// Whether it has changed anything.
    pub is_newer: bool,
}

/// Installs a list that was verified.
pub(in crate::db) struct InstallList {
    pub(in crate::db) list: SignedList,
    pub(in crate::db) issuer: Arc<dyn Issue>,
    pub(in crate::db) by: By,
}

#[async_trait]
impl Work for InstallList {
    type Done = Result<InstalledList, NotRevoked>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let [by_issuer, by_root] = lock(sql).await?;
        let installed = if self.list.is_by_root() {
            Ok(self.of_root(sql, &by_root).await?)
        } else {
            self.of_issuer(sql, &by_issuer).await?
        };
        if installed.is_ok_and(|installed| installed.is_newer) {
            let subject = format!("list {}", self.list.list().number);
            note(sql, &self.by, "install revocations", &subject).await?;
        }
        Ok(installed)
    }
}

impl InstallList {
    async fn of_root(&self, sql: &mut dyn Sql, held: &KeptList) -> Result<InstalledList, DbError> {
        let list = self.list.list();
        if list.number <= held.number {
            return Ok(InstalledList { number: held.number, is_newer: false });
        }
        write(sql, "root", list, self.list.wire(), None).await?;
        Ok(InstalledList { number: list.number, is_newer: true })
    }

    /// Adds the entries to those that are there. The list of all of them has a higher number than either.
    async fn of_issuer(
        &self,
        sql: &mut dyn Sql,
        held: &KeptList,
    ) -> Result<Result<InstalledList, NotRevoked>, DbError> {
        let list = self.list.list();
        let mut all = entries(sql).await?;
        let is_known = |id| all.iter().any(|entry| entry.revoked.id == id);
        let keys = keys(sql).await?;
        let mut lost = Vec::new();
        for revoked in list.revoked().iter().filter(|revoked| !is_known(revoked.id)) {
            let (kind, subject) = if let Some(key) = keys.get(&revoked.id) {
                (RevokedKind::Key, key.to_string())
            } else {
                let kind = of_id(sql, revoked.id).await?.map_or(RevokedKind::Unlisted, |(kind, _)| kind);
                (kind, revoked.id.to_string())
            };
            lost.push(RevokedEntry::new(kind, revoked.clone(), subject, self.by.who.clone()));
        }
        if lost.is_empty() && list.number <= held.number {
            return Ok(Ok(InstalledList { number: held.number, is_newer: false }));
        }
        all.extend_from_slice(&lost);
        let signed = or_refuse!(sign(&*self.issuer, held.number.max(list.number), &all, self.by.at).await);
        signed.write(sql, &*self.issuer).await?;
        insert(sql, &lost).await?;
        for RevokedEntry { revoked, .. } in &lost {
            if let Some(key) = keys.get(&revoked.id) {
                mark_key(sql, *key, revoked.at).await?;
            }
        }
        Ok(Ok(InstalledList { number: signed.list.number, is_newer: true }))
    }
}

/// Every key, by the id that takes back all of its confirmations.
async fn keys(sql: &mut dyn Sql) -> Result<BTreeMap<CertificateId, KeyNumber>, DbError> {
    let rows = sql.rows("SELECT number FROM keys", &[]).await?;
    let keyed = |row: &SqlRow| {
        let number = row.bytes("number", KeyNumber::from_slice)?;
        Ok((Revoked::key(number), number))
    };
    rows.iter().map(keyed).collect()
}
