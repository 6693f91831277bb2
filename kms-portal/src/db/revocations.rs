//! What was taken back, and the lists that say so: the newest that the issuing key has signed, and the newest of a root.
//!
//! A list is signed when it changes, and handed out as it is kept. `taking` takes something back, `withdrawing` takes that back,
//! `installed` installs a list from a file.

mod installed;
mod taking;
mod withdrawing;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use kms_portal_rules::keys::KeyRefusal;
use prost::Message as _;
use proto::v1::{KnownRevocations, SignedRevocationList};
use shared::ids::CertificateId;
use shared::product_key::KeyNumber;
use shared::revocation::{ListTooLarge, RevocationError, RevocationList, Revoked};
use shared::time::Timestamp;

use super::DbError;
use super::changes::By;
use super::sql::{Sql, SqlRow, Value};
use super::work::Work;
use crate::issue::Issue;

pub(super) use installed::InstallList;
pub use installed::InstalledList;
pub(super) use taking::TakeBack;
pub use taking::{RevocationSubject, TakenBack};
pub(super) use withdrawing::Withdraw;
pub use withdrawing::WithdrawnIds;

/// A host certificate is valid for a year, and a lease of its last day for 400 days more. A host that was revoked gets no other.
const NEEDED_FOR_A_HOST: Duration = Duration::from_hours((365 + 400) * 24);

/// What an entry takes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevokedKind {
    /// Every confirmation of a multiple-activation key.
    Key,
    /// A host, whatever certificates it has.
    Host,
    /// One host certificate.
    Certificate,
    /// The place of a machine.
    Machine,
    /// Something that this portal does not know.
    Unlisted,
}

impl RevokedKind {
    /// Every kind.
    const ALL: [RevokedKind; 5] = [
        RevokedKind::Key,
        RevokedKind::Host,
        RevokedKind::Certificate,
        RevokedKind::Machine,
        RevokedKind::Unlisted,
    ];

    /// As the database and the wire have it.
    pub const fn name(self) -> &'static str {
        match self {
            RevokedKind::Key => "key",
            RevokedKind::Host => "host",
            RevokedKind::Certificate => "certificate",
            RevokedKind::Machine => "machine",
            RevokedKind::Unlisted => "unlisted",
        }
    }

    /// When lists no longer need an entry of this instant; none if they always do.
    fn forget_at(self, at: Timestamp) -> Option<Timestamp> {
        match self {
            RevokedKind::Host | RevokedKind::Certificate => Some(at + NEEDED_FOR_A_HOST),
            RevokedKind::Key | RevokedKind::Machine | RevokedKind::Unlisted => None,
        }
    }

    fn from_name(name: &str) -> Option<RevokedKind> {
        RevokedKind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Something that was taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevokedEntry {
    /// What stands in the list.
    pub revoked: Revoked,
    /// What it is.
    pub kind: RevokedKind,
    /// As staff has named it.
    pub subject: String,
    /// Who has taken it back.
    pub who: String,
    /// From when on lists leave it out.
    forget_at: Option<Timestamp>,
    /// When it was withdrawn.
    withdrawn_at: Option<Timestamp>,
}

impl RevokedEntry {
    fn new(kind: RevokedKind, revoked: Revoked, subject: String, who: String) -> RevokedEntry {
        let forget_at = kind.forget_at(revoked.at);
        RevokedEntry { revoked, kind, subject, who, forget_at, withdrawn_at: None }
    }

    fn is_in_force(&self) -> bool {
        self.withdrawn_at.is_none()
    }

    fn is_listed(&self, now: Timestamp) -> bool {
        self.is_in_force() && self.forget_at.is_none_or(|forget_at| now < forget_at)
    }
}

/// A list that is handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptList {
    /// Its number.
    pub number: u64,
    /// When it was signed.
    pub issued_at: Timestamp,
    /// How many ids it has.
    pub revoked: u64,
    /// An encoded `kms.v1.SignedRevocationList`; none before the first.
    pub list: Option<Bytes>,
    /// The issuing certificate under which it was signed.
    issuer: Option<CertificateId>,
}

/// All that was taken back, and both lists.
#[derive(Clone, Debug)]
pub struct AllRevocations {
    /// By staff of this portal, the latest first.
    pub revoked: Vec<RevokedEntry>,
    /// The list that the portal has signed.
    pub by_issuer: KeptList,
    /// The list of a root.
    pub by_root: KeptList,
}

/// Why nothing was taken back, or no list was installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotRevoked {
    /// There is no such key.
    #[error("no key has this number")]
    UnknownKey,
    /// Nothing has this id.
    #[error("no host, certificate or machine of this portal has this id")]
    UnknownId,
    /// There is nothing to withdraw.
    #[error("this portal has revoked nothing that this names")]
    NotInForce,
    /// The issuing certificate has ended, or a root has revoked it.
    #[error("the issuing certificate has ended or is revoked, so no list can be signed")]
    IssuerEnded,
    /// The list would be too large.
    #[error(transparent)]
    TooLarge(#[from] ListTooLarge),
    /// The list to install is not the vendor's.
    #[error("the list is not valid: {0}")]
    Invalid(RevocationError),
    /// The list to install was signed by an issuing key that a root has revoked.
    #[error("a root has revoked the issuing key that has signed this list")]
    IssuerRevoked,
    /// Its number is the highest there is, so no later list would count.
    #[error("no list can follow one of the number {0}: have a root revoke the issuing certificate under it")]
    LastNumber(u64),
}

/// The lists that are newer than those of somebody who has these: first that of an issuing key, then that of a root.
pub(super) struct NewerLists(pub(super) KnownRevocations);

#[async_trait]
impl Work for NewerLists {
    type Done = [Option<Bytes>; 2];

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let mut newer = [None, None];
        let known = [("issuer", self.0.by_issuer), ("root", self.0.by_root)];
        for (newer, (rank, number)) in newer.iter_mut().zip(known) {
            let statement = "SELECT list FROM revocation_lists WHERE rank = $1 AND $2 < number";
            let found = sql.row(statement, &[rank.into(), number.into()]).await?;
            let list = found.map(|row| row.get::<Option<Vec<u8>>>("list")).transpose()?;
            *newer = list.flatten().map(Bytes::from);
        }
        Ok(newer)
    }
}

/// Everything, for staff.
pub(super) struct ListRevoked;

#[async_trait]
impl Work for ListRevoked {
    type Done = AllRevocations;

    async fn run(&self, sql: &mut dyn Sql) -> Result<AllRevocations, DbError> {
        let mut revoked = entries(sql).await?;
        revoked.retain(RevokedEntry::is_in_force);
        revoked.sort_by_key(|entry| std::cmp::Reverse((entry.revoked.at, entry.revoked.id)));
        let [by_issuer, by_root] = kept(sql).await?;
        Ok(AllRevocations { revoked, by_issuer, by_root })
    }
}

/// Signs the list again if it was signed under another issuing certificate than this one, because that one may be revoked. Returns the
/// number of the list if it was signed.
pub(super) struct SignAgain {
    pub(super) issuer: Arc<dyn Issue>,
    pub(super) now: Timestamp,
}

#[async_trait]
impl Work for SignAgain {
    type Done = Result<Option<u64>, NotRevoked>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let [by_issuer, _] = lock(sql).await?;
        if by_issuer.list.is_none() || by_issuer.issuer == Some(self.issuer.id()) {
            return Ok(Ok(None));
        }
        let entries = entries(sql).await?;
        match sign(&*self.issuer, by_issuer.number, &entries, self.now).await {
            Ok(signed) => signed.write(sql, &*self.issuer).await.map(|()| Ok(Some(signed.list.number))),
            Err(refused) => Ok(Err(refused)),
        }
    }
}

/// When this id was taken back, if it is.
pub(super) async fn revoked_at(sql: &mut dyn Sql, id: CertificateId) -> Result<Option<Timestamp>, DbError> {
    let revoked = "SELECT at FROM revoked WHERE id = $1 AND withdrawn_at IS NULL";
    let found = sql.row(revoked, &[id.as_bytes().into()]).await?;
    found.map(|row| row.time("at")).transpose()
}

/// Both lists, locked until this transaction ends: that of an issuing key, and that of a root.
async fn lock(sql: &mut dyn Sql) -> Result<[KeptList; 2], DbError> {
    both(&sql.locked("SELECT * FROM revocation_lists ORDER BY rank", &[]).await?)
}

async fn kept(sql: &mut dyn Sql) -> Result<[KeptList; 2], DbError> {
    both(&sql.rows("SELECT * FROM revocation_lists ORDER BY rank", &[]).await?)
}

fn both(rows: &[SqlRow]) -> Result<[KeptList; 2], DbError> {
    let [issuer, root] = rows else { return Err(DbError::damaged("the revocation lists")) };
    let list = |row: &SqlRow| {
        let issuer = row.get::<Option<Vec<u8>>>("issuer")?;
        let issuer = issuer.map(|id| {
            CertificateId::from_slice(&id).ok_or_else(|| DbError::damaged("an issuing certificate"))
        });
        Ok::<_, DbError>(KeptList {
            number: row.count("number")?,
            issued_at: row.time("issued_at")?,
            revoked: row.count("revoked")?,
            list: row.get::<Option<Vec<u8>>>("list")?.map(Bytes::from),
            issuer: issuer.transpose()?,
        })
    };
    Ok([list(issuer)?, list(root)?])
}

/// Everything that was ever taken back.
async fn entries(sql: &mut dyn Sql) -> Result<Vec<RevokedEntry>, DbError> {
    let entry = |row: &SqlRow| {
        let id = row.bytes("id", CertificateId::from_slice)?;
        Ok(RevokedEntry {
            revoked: Revoked { id, at: row.time("at")?, reason: row.get("reason")? },
            kind: row.text("kind", RevokedKind::from_name)?,
            subject: row.get("subject")?,
            who: row.get("who")?,
            forget_at: row.time_if_any("forget_at")?,
            withdrawn_at: row.time_if_any("withdrawn_at")?,
        })
    };
    sql.rows("SELECT * FROM revoked", &[]).await?.iter().map(entry).collect()
}

/// A list that is signed, and not kept yet.
struct NextList {
    list: RevocationList,
    wire: SignedRevocationList,
}

/// Signs a list of those entries that are still needed. Its number is higher than `last`, and at least the second of the signature, so that
/// it rises even after a backup was restored.
async fn sign(
    issuer: &dyn Issue,
    last: u64,
    entries: &[RevokedEntry],
    now: Timestamp,
) -> Result<NextList, NotRevoked> {
    let second = u64::try_from(now.unix_ms() / 1000).unwrap_or(0);
    let number = last.checked_add(1).filter(|number| i64::try_from(*number).is_ok());
    let number = number.ok_or(NotRevoked::LastNumber(last))?.max(second);
    let needed = entries.iter().filter(|entry| entry.is_listed(now));
    let list = RevocationList::new(number, now, needed.map(|entry| entry.revoked.clone()).collect());
    let signed = issuer.revoke(&list).await.map_err(|_: KeyRefusal| NotRevoked::IssuerEnded)?;
    Ok(NextList { list, wire: signed? })
}

impl NextList {
    async fn write(&self, sql: &mut dyn Sql, issuer: &dyn Issue) -> Result<(), DbError> {
        write(sql, "issuer", &self.list, &self.wire, Some(issuer.id())).await
    }
}

async fn write(
    sql: &mut dyn Sql,
    rank: &'static str,
    list: &RevocationList,
    wire: &SignedRevocationList,
    issuer: Option<CertificateId>,
) -> Result<(), DbError> {
    let encoded = wire.encode_to_vec();
    let values = [
        rank.into(),
        list.number.into(),
        encoded.as_slice().into(),
        issuer.as_ref().map(|id| id.as_bytes().as_slice()).into(),
        list.issued_at.into(),
        (list.revoked().len() as u64).into(),
    ];
    let update = "UPDATE revocation_lists SET number = $2, list = $3, issuer = $4, issued_at = $5, revoked = $6 \
                  WHERE rank = $1";
    sql.run(update, &values).await?;
    Ok(())
}

/// Adds these entries. One that is in force already stays as it is: the first instant counts.
async fn insert(sql: &mut dyn Sql, entries: &[RevokedEntry]) -> Result<(), DbError> {
    for RevokedEntry { revoked: Revoked { id, at, reason }, kind, subject, who, forget_at, .. } in entries {
        let values: [Value<'_>; 7] = [
            id.as_bytes().into(),
            kind.name().into(),
            subject.as_str().into(),
            (*at).into(),
            who.as_str().into(),
            reason.as_str().into(),
            (*forget_at).into(),
        ];
        sql.run(
            "INSERT INTO revoked (id, kind, subject, at, who, reason, forget_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, \
             subject = excluded.subject, at = excluded.at, who = excluded.who, reason = excluded.reason, \
             forget_at = excluded.forget_at, withdrawn_at = NULL WHERE revoked.withdrawn_at IS NOT NULL",
            &values,
        )
        .await?;
    }
    Ok(())
}

/// Marks a key as revoked, and blocks it, so that it activates nobody any more. Returns whether it was not revoked before.
async fn mark_key(sql: &mut dyn Sql, number: KeyNumber, at: Timestamp) -> Result<bool, DbError> {
    let mark = "UPDATE keys SET blocked_at = COALESCE(blocked_at, $2), revoked_at = $2 \
                WHERE number = $1 AND revoked_at IS NULL";
    Ok(sql.run(mark, &[number.as_bytes().into(), at.into()]).await? != 0)
}

/// Sets from when on lists leave these entries out.
async fn forget(
    sql: &mut dyn Sql,
    entries: &[CertificateId],
    forget_at: Option<Timestamp>,
) -> Result<(), DbError> {
    for id in entries {
        let values = [id.as_bytes().into(), forget_at.into()];
        sql.run("UPDATE revoked SET forget_at = $2 WHERE id = $1", &values).await?;
    }
    Ok(())
}

/// The machines of a key that were revoked one by one. The list does not need them while it has their key.
async fn machines_of(sql: &mut dyn Sql, key: KeyNumber) -> Result<Vec<CertificateId>, DbError> {
    let machines = "SELECT r.id FROM revoked r JOIN places p ON p.id = r.id WHERE p.key = $1";
    ids(&sql.rows(machines, &[key.as_bytes().into()]).await?, "id")
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
