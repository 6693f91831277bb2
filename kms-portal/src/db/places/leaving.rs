//! How places are given back: by their machines, or by the vendor's staff.

use async_trait::async_trait;
use kms_portal_rules::keys::releases::{Leaver, Releases, release};
use kms_portal_rules::keys::{Asked, KeyRefusal};
use shared::codes::MachineDigest;
use shared::ids::{CertificateId, ID_BYTES, MachineId, ProductId};
use shared::product_key::{KeyKind, KeyNumber};
use shared::time::Timestamp;

use super::rows::{ListedPlace, PlaceHolder, free, insert_release, last_ask, note_ask, of_key};
use crate::db::DbError;
use crate::db::changes::{By, note};
use crate::db::keys;
use crate::db::sql::Sql;
use crate::db::work::{Work, or_refuse};

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
        let place = or_refuse!(release(self.asked, leaver, &key.granted, key.taken.releases));
        if let Some(place) = place {
            free(sql, self.key, place, self.now).await?;
            insert_release(sql, self.key, self.machine.as_bytes(), place, self.now, "left").await?;
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
        let last = "SELECT nonce, asked_at FROM machine_asks WHERE key = $1 AND machine = $2";
        let last = sql.row(last, &[self.key.as_bytes().into(), self.machine.as_bytes().into()]).await?;
        Ok(Leaver {
            last: last.as_ref().map(last_ask).transpose()?.flatten(),
            own: own.map(|own| own.id),
            left: places.iter().any(|place| place.freed_at.is_some()),
        })
    }
}

/// A place, as staff names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaceName {
    /// By its own id, or that of the machine that has it.
    Id([u8; ID_BYTES]),
    /// By what the installation id of its machine says.
    Installation(MachineDigest),
}

/// Frees the place of a machine for the vendor's staff, without a limit.
pub(in crate::db) struct FreePlace {
    pub(in crate::db) key: KeyNumber,
    pub(in crate::db) place: PlaceName,
    pub(in crate::db) by: By,
}

#[async_trait]
impl Work for FreePlace {
    type Done = bool;

    async fn run(&self, sql: &mut dyn Sql) -> Result<bool, DbError> {
        // The key first, as whoever changes its places does.
        keys::lock(sql, self.key, self.by.at).await?;
        let Some((place, machine)) = self.taken(sql).await? else { return Ok(false) };
        free(sql, self.key, place, self.by.at).await?;
        insert_release(sql, self.key, &machine, place, self.by.at, "freed").await?;
        note(sql, &self.by, "free place", &format!("{place} of {}", self.key)).await?;
        Ok(true)
    }
}

impl FreePlace {
    /// The place, and by what its machine is known there; nothing if nobody has it.
    async fn taken(&self, sql: &mut dyn Sql) -> Result<Option<(CertificateId, Vec<u8>)>, DbError> {
        let rows = match &self.place {
            PlaceName::Id(id) => {
                let either = concat!(places_with!("id = $1"), " UNION ", places_with!("machine = $1"));
                sql.rows(either, &[id.into()]).await?
            }
            PlaceName::Installation(digest) => {
                sql.rows(places_with!("digest = $1"), &[digest.into()]).await?
            }
        };
        let found = of_key(&rows, self.key)?.into_iter().find(ListedPlace::is_taken);
        Ok(found.map(|place| {
            let machine = match place.holder {
                PlaceHolder::Online(holder) => holder.machine.as_bytes().to_vec(),
                PlaceHolder::ByCode(digest) => digest.to_vec(),
            };
            (place.id, machine)
        }))
    }
}
