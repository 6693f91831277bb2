//! How places are given back: by their machines, or by the vendor's staff.

use async_trait::async_trait;
use shared::ids::{CertificateId, MachineId, ProductId};
use shared::product_key::{KeyKind, KeyNumber};
use shared::time::Timestamp;

use super::rows::{count, insert_release, last_ask, note_ask, of_key};
use crate::db::DbError;
use crate::db::changes::{By, note};
use crate::db::keys;
use crate::db::sql::Sql;
use crate::db::work::Work;
use crate::rules::releases::{Leaver, Releases, release};
use crate::rules::{Asked, KeyRefusal};

/// A machine that gives its place back.
pub struct ReleaseMachine {
    /// The public number of the key.
    pub key: KeyNumber,
    /// The product that it is.
    pub product: ProductId,
    /// Who leaves.
    pub machine: MachineId,
    /// By which ask.
    pub asked: Asked,
    /// Now.
    pub now: Timestamp,
}

/// A place was given back, now or earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReleasedMachine {
    /// The place that is free now; none if it was given back earlier.
    pub place: Option<CertificateId>,
    /// How many were given back in the last year, this one included.
    pub released: u64,
    /// How many may be.
    pub releases: u64,
}

#[async_trait]
impl Work for ReleaseMachine {
    type Done = Result<ReleasedMachine, KeyRefusal>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let key = keys::lock(sql, self.key, self.now).await?;
        let Ok(key) = keys::fitting(key, KeyKind::MultipleActivation, Some(self.product)) else {
            return Ok(Err(KeyRefusal::NotActivatedHere));
        };
        let leaver = self.leaver(sql).await?;
        let place = match release(self.asked, leaver, &key.granted, key.taken.releases) {
            Ok(place) => place,
            Err(refused) => return Ok(Err(refused)),
        };
        if let Some(place) = place {
            free(sql, self.key, place, self.now).await?;
            insert_release(sql, self.key, self.machine, place, self.now, "left").await?;
        }
        note_ask(sql, self.key, self.machine, self.asked).await?;
        let Releases(released) = key.taken.releases;
        let released = released + u64::from(place.is_some());
        Ok(Ok(ReleasedMachine { place, released, releases: key.granted.releases }))
    }
}

impl ReleaseMachine {
    async fn leaver(&self, sql: &mut dyn Sql) -> Result<Leaver, DbError> {
        let values = [self.machine.as_bytes().into()];
        let places = of_key(&sql.rows(places_with!("machine = $1"), &values).await?, self.key)?;
        let own = places.iter().find(|place| place.freed_at.is_none());
        Ok(Leaver {
            last: last_ask(sql, self.key, self.machine).await?,
            own: own.map(|own| own.place.id),
            left: places.iter().any(|place| place.freed_at.is_some()),
        })
    }
}

/// Frees the place of a machine for the vendor's staff, without a limit.
pub(in crate::db) struct FreePlace {
    pub(in crate::db) place: CertificateId,
    pub(in crate::db) by: By,
}

#[async_trait]
impl Work for FreePlace {
    type Done = bool;

    async fn run(&self, sql: &mut dyn Sql) -> Result<bool, DbError> {
        let Some((key, _)) = self.taken(sql).await? else { return Ok(false) };
        // The key first, as whoever changes its places does. Meanwhile the machine may have left, or given way to another one.
        keys::lock(sql, key, self.by.at).await?;
        let Some((key, machine)) = self.taken(sql).await? else { return Ok(false) };
        free(sql, key, self.place, self.by.at).await?;
        insert_release(sql, key, machine, self.place, self.by.at, "freed").await?;
        note(sql, &self.by, "free place", &format!("{} of {key}", self.place)).await?;
        Ok(true)
    }
}

impl FreePlace {
    /// The key of the place, and who has it; nothing if nobody has.
    async fn taken(&self, sql: &mut dyn Sql) -> Result<Option<(KeyNumber, MachineId)>, DbError> {
        let place = "SELECT key, machine FROM places WHERE id = $1 AND freed_at IS NULL";
        let Some(row) = sql.row(place, &[self.place.as_bytes().into()]).await? else { return Ok(None) };
        let key = row.bytes("key", KeyNumber::from_slice)?;
        Ok(Some((key, row.bytes("machine", MachineId::from_slice)?)))
    }
}

async fn free(
    sql: &mut dyn Sql,
    key: KeyNumber,
    place: CertificateId,
    now: Timestamp,
) -> Result<(), DbError> {
    let values = [place.as_bytes().into(), now.into()];
    sql.run("UPDATE places SET freed_at = $2 WHERE id = $1", &values).await?;
    count(sql, key, -1).await
}
