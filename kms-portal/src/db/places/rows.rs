//! Places, releases and asks as they stand in the tables.

use async_trait::async_trait;
use bytes::Bytes;
use kms_portal_rules::keys::Asked;
use kms_portal_rules::keys::machines::{Holder, Place};
use proto::vendor::v1;
use shared::codes::MachineDigest;
use shared::ids::{CertificateId, Fingerprint, MachineId, Nonce};
use shared::parts::HardwareParts;
use shared::product_key::KeyNumber;
use shared::time::Timestamp;

use crate::db::DbError;
use crate::db::sql::{Sql, SqlRow, Value};
use crate::db::work::Work;

/// A place of a key, as staff sees it.
#[derive(Clone, Debug)]
pub struct ListedPlace {
    /// Its id, and that of every confirmation that was signed for it.
    pub id: CertificateId,
    /// Since when it is taken.
    pub since: Timestamp,
    /// Who has it or had it last.
    pub holder: PlaceHolder,
    /// When its confirmation was signed.
    pub confirmed_at: Timestamp,
    /// When it was freed, if it was.
    pub freed_at: Option<Timestamp>,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
}

/// Who has a place.
#[derive(Clone, Copy, Debug)]
pub enum PlaceHolder {
    /// A machine that has asked itself, as of its last confirmation.
    Online(Holder),
    /// A machine that was only ever confirmed by a code.
    ByCode(MachineDigest),
}

impl ListedPlace {
    /// The place, if its machine has asked itself.
    pub fn online(&self) -> Option<Place> {
        let PlaceHolder::Online(holder) = self.holder else { return None };
        Some(Place { id: self.id, since: self.since, holder })
    }

    pub(super) fn is_taken(&self) -> bool {
        self.freed_at.is_none()
    }
}

/// The places of a key, by id, those that were freed included.
pub(in crate::db) struct ListPlaces {
    pub(in crate::db) key: KeyNumber,
    pub(in crate::db) after: Option<CertificateId>,
    pub(in crate::db) limit: u32,
}

#[async_trait]
impl Work for ListPlaces {
    type Done = Vec<ListedPlace>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Vec<ListedPlace>, DbError> {
        let after = self.after.as_ref().map_or(&[][..], |place| place.as_bytes());
        let values = [self.key.as_bytes().into(), after.into(), u64::from(self.limit).into()];
        let list = places_with!("key = $1 AND $2 < p.id ORDER BY p.id LIMIT $3");
        let rows = sql.rows(list, &values).await?;
        rows.iter().map(listed).collect()
    }
}

/// The places of this key among these rows. A row may have no place.
pub(super) fn of_key(rows: &[SqlRow], key: KeyNumber) -> Result<Vec<ListedPlace>, DbError> {
    let mut places = Vec::with_capacity(rows.len());
    for row in rows {
        if row.get::<Option<Vec<u8>>>("key")?.is_some_and(|of| of == key.as_bytes()) {
            places.push(listed(row)?);
        }
    }
    Ok(places)
}

fn listed(row: &SqlRow) -> Result<ListedPlace, DbError> {
    let machine: Vec<u8> = row.get("machine")?;
    Ok(ListedPlace {
        id: row.bytes("id", CertificateId::from_slice)?,
        since: row.time("since")?,
        holder: match MachineDigest::try_from(machine.as_slice()) {
            Ok(digest) => PlaceHolder::ByCode(digest),
            Err(_) => PlaceHolder::Online(holder(row)?),
        },
        confirmed_at: row.time("confirmed_at")?,
        freed_at: row.time_if_any("freed_at")?,
        revoked_at: row.time_if_any("revoked_at")?,
    })
}

/// The place that this installation has taken, and when it was revoked. Without a taken place, when an earlier one was revoked.
pub(super) async fn of_installation(
    sql: &mut dyn Sql,
    key: KeyNumber,
    digest: &MachineDigest,
) -> Result<(Option<CertificateId>, Option<Timestamp>), DbError> {
    let rows = sql.rows(places_with!("digest = $1"), &[digest.into()]).await?;
    let places = of_key(&rows, key)?;
    let taken = places.iter().find(|place| place.is_taken());
    let revoked_at = match taken {
        Some(taken) => taken.revoked_at,
        None => places.iter().find_map(|place| place.revoked_at),
    };
    Ok((taken.map(|place| place.id), revoked_at))
}

/// Counts a place that was taken, or with -1 one that was freed.
pub(super) async fn count(sql: &mut dyn Sql, key: KeyNumber, more: i64) -> Result<(), DbError> {
    let values = [key.as_bytes().into(), more.into()];
    sql.run("UPDATE keys SET taken = taken + $2 WHERE number = $1", &values).await?;
    Ok(())
}

/// The last ask of a machine for a key, if the row has one.
pub(super) fn last_ask(row: &SqlRow) -> Result<Option<Asked>, DbError> {
    let Some(nonce) = row.get::<Option<Vec<u8>>>("nonce")? else { return Ok(None) };
    let nonce = Nonce::from_slice(&nonce).ok_or_else(|| DbError::damaged("nonce"))?;
    Ok(Some(Asked::kept(nonce, row.time("asked_at")?)))
}

/// From now on, this is the last ask of this machine.
pub(super) async fn note_ask(
    sql: &mut dyn Sql,
    key: KeyNumber,
    machine: MachineId,
    asked: Asked,
) -> Result<(), DbError> {
    let (nonce, asked_at) = (asked.nonce(), asked.asked_at().into());
    let nonce = nonce.as_bytes().into();
    let values = [key.as_bytes().into(), machine.as_bytes().into(), nonce, asked_at];
    sql.run(
        "INSERT INTO machine_asks (key, machine, nonce, asked_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (key, machine) DO UPDATE SET nonce = excluded.nonce, asked_at = excluded.asked_at",
        &values,
    )
    .await?;
    Ok(())
}

/// Notes that a place was given back.
pub(super) async fn insert_release(
    sql: &mut dyn Sql,
    key: KeyNumber,
    machine: &[u8],
    place: CertificateId,
    at: Timestamp,
    how: &'static str,
) -> Result<(), DbError> {
    let values = [key.as_bytes().into(), machine.into(), place.as_bytes().into(), at.into(), how.into()];
    let insert = "INSERT INTO releases (key, machine, place, at, how) VALUES ($1, $2, $3, $4, $5)";
    sql.run(insert, &values).await?;
    Ok(())
}

fn holder(row: &SqlRow) -> Result<Holder, DbError> {
    let fingerprint = row.get::<Option<Vec<u8>>>("fingerprint")?.unwrap_or_default();
    let part =
        |column| Ok::<_, DbError>(Bytes::from(row.get::<Option<Vec<u8>>>(column)?.unwrap_or_default()));
    let parts = v1::Parts { board: part("board")?, disk: part("disk")?, firmware: part("firmware")? };
    Ok(Holder {
        machine: row.bytes("machine", MachineId::from_slice)?,
        fingerprint: Fingerprint::from_slice(&fingerprint).ok_or_else(|| DbError::damaged("fingerprint"))?,
        parts: HardwareParts::decode(Some(&parts)).ok_or_else(|| DbError::damaged("hardware parts"))?,
    })
}

/// Frees a place.
pub(super) async fn free(
    sql: &mut dyn Sql,
    key: KeyNumber,
    place: CertificateId,
    now: Timestamp,
) -> Result<(), DbError> {
    let values = [place.as_bytes().into(), now.into()];
    sql.run("UPDATE places SET freed_at = $2 WHERE id = $1", &values).await?;
    count(sql, key, -1).await
}

/// Hardware parts for their columns.
pub(super) struct Columns(v1::Parts);

impl Columns {
    pub(super) fn of(parts: &HardwareParts) -> Columns {
        Columns(parts.encode().unwrap_or_default())
    }

    pub(super) fn board(&self) -> Value<'_> {
        Columns::part(&self.0.board)
    }

    pub(super) fn disk(&self) -> Value<'_> {
        Columns::part(&self.0.disk)
    }

    pub(super) fn firmware(&self) -> Value<'_> {
        Columns::part(&self.0.firmware)
    }

    fn part(bytes: &Bytes) -> Value<'_> {
        Some(bytes.as_ref()).filter(|bytes| !bytes.is_empty()).into()
    }
}
