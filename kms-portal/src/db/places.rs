//! The machines of multiple-activation keys: how they get their places.
//!
//! `codes` is how they get them over a telephone, `leaving` how they give them back, `rows` what they are in the tables.

/// Places by one thing that their machines have, and no other condition: see their indexes. Each has the instant of its revocation.
macro_rules! places_with {
    ($condition:literal) => {
        concat!(
            "SELECT p.id, p.key, p.since, p.machine, p.fingerprint, p.board, p.disk, p.firmware, p.confirmed_at, \
             p.freed_at, r.at AS revoked_at FROM places p \
             LEFT JOIN revoked r ON r.id = p.id AND r.withdrawn_at IS NULL WHERE p.",
            $condition
        )
    };
}

mod codes;
mod leaving;
mod rows;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use kms_portal_rules::keys::machines::{Holder, Place, Placement, Taken, place};
use kms_portal_rules::keys::{Asked, KeyRefusal};
use shared::codes::MachineDigest;
use shared::confirmation::Confirmation;
use shared::ids::{CertificateId, ProductId};
use shared::product_key::{KeyKind, KeyNumber};
use shared::time::Timestamp;

use super::DbError;
use super::keys::{self, IssuedKey};
use super::sql::Sql;
use super::work::{Work, or_refuse};
use crate::issue::{Issue, KeyMac};

pub(super) use codes::key_of_call;
pub use codes::{CodeMachine, ConfirmMachine};
pub(super) use leaving::FreePlace;
pub use leaving::{PlaceName, ReleaseMachine, ReleasedMachine};
pub(super) use rows::ListPlaces;
use rows::{Columns, count, free, insert_release, last_ask, note_ask, of_key};
pub use rows::{ListedPlace, PlaceHolder};

/// A machine that asks for a confirmation.
pub struct ActivateMachine {
    /// The HMAC of the key that it shows.
    pub key: KeyMac,
    /// The product that it is.
    pub product: ProductId,
    /// Who asks.
    pub asker: Holder,
    /// What its installation id would say of it.
    pub digest: MachineDigest,
    /// By which ask.
    pub asked: Asked,
    /// The id of a new place, random.
    pub place: CertificateId,
    /// Now.
    pub now: Timestamp,
    /// Signs the confirmation.
    pub issuer: Arc<dyn Issue>,
}

/// What a machine gets.
#[derive(Clone, Debug)]
pub struct ConfirmedMachine {
    /// An encoded `kms.vendor.v1.SignedConfirmation`.
    pub confirmation: Bytes,
    /// Which place it got.
    pub placement: Placement,
    /// The public number of the key.
    pub key: KeyNumber,
    /// How many machines have a place now.
    pub used: u64,
    /// How many may.
    pub granted: u64,
}

#[async_trait]
impl Work for ActivateMachine {
    type Done = Result<ConfirmedMachine, KeyRefusal>;

    fn lock_order(&self) -> Option<[u8; 32]> {
        Some(*self.key.as_bytes())
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        // 1. The key, so that nobody else decides about its places meanwhile.
        let key = keys::find(sql, &self.key, self.now).await?;
        let key = or_refuse!(keys::fitting(key, KeyKind::MultipleActivation, Some(self.product)));
        // 2. What concerns this machine.
        let Concerned { last, own, by_code, similar, revoked_at } = self.concerned(sql, key.number).await?;
        // 3. The decision.
        let (used, releases) = (key.taken.machines, key.taken.releases);
        let taken = Taken { last, own: own.as_ref(), by_code, similar: &similar, used, releases, revoked_at };
        let placement =
            or_refuse!(place(&self.asker, self.asked, key.validity, &key.granted, &taken, self.now));
        // 4. The confirmation, and the rows. Nothing is sent before the transaction is durable.
        let superfluous = placement.superfluous(by_code);
        let confirmation = or_refuse!(self.confirmed(sql, &key, placement, superfluous).await?);
        let used = used + u64::from(placement == Placement::New) - u64::from(superfluous.is_some());
        let granted = key.granted.machines;
        Ok(Ok(ConfirmedMachine { confirmation, placement, key: key.number, used, granted }))
    }
}

/// What concerns a machine.
struct Concerned {
    last: Option<Asked>,
    own: Option<Place>,
    by_code: Option<CertificateId>,
    similar: Vec<Place>,
    revoked_at: Option<Timestamp>,
}

impl ActivateMachine {
    /// The last ask of this machine, its place, the one that it has got by a code, and those of machines that share a part with it.
    async fn concerned(&self, sql: &mut dyn Sql, key: KeyNumber) -> Result<Concerned, DbError> {
        let parts = Columns::of(&self.asker.parts);
        let values = [
            self.asker.machine.as_bytes().into(),
            parts.board(),
            parts.disk(),
            parts.firmware(),
            (&self.digest).into(),
            key.as_bytes().into(),
        ];
        // One statement for all of it: statements are the largest cost of an activation.
        let rows = sql
            .rows(
                concat!(
                    "SELECT a.nonce, a.asked_at, c.* FROM (SELECT 1 AS one) AS one \
                     LEFT JOIN machine_asks a ON a.key = $6 AND a.machine = $1 LEFT JOIN (",
                    places_with!("machine = $1"),
                    " UNION ",
                    places_with!("board = $2"),
                    " UNION ",
                    places_with!("disk = $3"),
                    " UNION ",
                    places_with!("firmware = $4"),
                    " UNION ",
                    places_with!("machine = $5"),
                    ") AS c ON TRUE",
                ),
                &values,
            )
            .await?;
        let last = rows.first().map(last_ask).transpose()?.flatten();
        let (mut own, mut by_code, mut similar, mut revoked_at) = (None, None, Vec::new(), None);
        for listed in of_key(&rows, key)? {
            let online = listed.online();
            // A free place counts as well: otherwise a revoked machine could leave, and take another place.
            if online.is_none_or(|place| place.holder.is_same_machine(&self.asker)) {
                revoked_at = revoked_at.or(listed.revoked_at);
            }
            match online {
                _ if !listed.is_taken() => {}
                None => by_code = Some(listed.id),
                Some(place) if place.holder.machine == self.asker.machine => {
                    own = Some((place, listed.revoked_at));
                }
                Some(place) => similar.push(place),
            }
        }
        // If a machine has a place of its own, only the revocation of that place counts, and none of its hardware.
        let revoked_at = own.map_or(revoked_at, |(_, revoked_at)| revoked_at);
        Ok(Concerned { last, own: own.map(|(own, _)| own), by_code, similar, revoked_at })
    }

    /// The id of the place.
    fn id_of(&self, placement: Placement) -> CertificateId {
        match placement {
            Placement::Again(place)
            | Placement::Own(place)
            | Placement::Moved(place)
            | Placement::Imaged { place, .. }
            | Placement::ByCode(place) => place,
            Placement::New => self.place,
        }
    }

    /// The confirmation for this place, and the rows that say so.
    async fn confirmed(
        &self,
        sql: &mut dyn Sql,
        key: &IssuedKey,
        placement: Placement,
        superfluous: Option<CertificateId>,
    ) -> Result<Result<Bytes, KeyRefusal>, DbError> {
        let id = self.id_of(placement);
        if let Placement::Again(_) = placement {
            return Ok(Ok(stored(sql, id).await?));
        }
        let confirmation = Confirmation {
            id,
            machine: self.asker.machine,
            product: key.product,
            nonce: self.asked.nonce(),
            key_number: key.number,
            organisation: key.organisation.id,
            organisation_name: key.organisation.name.clone(),
            confirmed_at: self.now,
            not_after: key.validity.ends_at,
            features: key.features.clone(),
            fingerprint: self.asker.fingerprint,
            parts: self.asker.parts,
            test: key.test,
        };
        let signed = or_refuse!(self.issuer.confirm(&confirmation).await);
        match placement {
            Placement::Imaged { place, superseded } => {
                let values = [place.as_bytes().into(), superseded.as_bytes().into(), self.now.into()];
                sql.run("INSERT INTO superseded (place, machine, at) VALUES ($1, $2, $3)", &values).await?;
            }
            Placement::Moved(place) => {
                let machine = self.asker.machine.as_bytes();
                insert_release(sql, key.number, machine, place, self.now, "moved").await?;
            }
            Placement::Again(_) | Placement::Own(_) | Placement::ByCode(_) | Placement::New => {}
        }
        // First, because an installation has one place.
        if let Some(place) = superfluous {
            free(sql, key.number, place, self.now).await?;
        }
        self.write(sql, key.number, id, placement, &signed).await?;
        note_ask(sql, key.number, self.asker.machine, self.asked).await?;
        Ok(Ok(signed))
    }

    async fn write(
        &self,
        sql: &mut dyn Sql,
        key: KeyNumber,
        id: CertificateId,
        placement: Placement,
        signed: &[u8],
    ) -> Result<(), DbError> {
        let parts = Columns::of(&self.asker.parts);
        let fingerprint = self.asker.fingerprint.as_slice();
        let values = [
            id.as_bytes().into(),
            self.asker.machine.as_bytes().into(),
            Some(fingerprint).filter(|bytes| !bytes.is_empty()).into(),
            parts.board(),
            parts.disk(),
            parts.firmware(),
            self.now.into(),
            signed.into(),
            (&self.digest).into(),
            key.as_bytes().into(),
        ];
        if placement == Placement::New {
            sql.run(
                "INSERT INTO places (id, key, since, machine, fingerprint, board, disk, firmware, \
                 confirmed_at, confirmation, digest) VALUES ($1, $10, $7, $2, $3, $4, $5, $6, $7, $8, $9)",
                &values,
            )
            .await?;
            count(sql, key, 1).await?;
        } else {
            sql.run(
                "UPDATE places SET machine = $2, fingerprint = $3, board = $4, disk = $5, firmware = $6, \
                 confirmed_at = $7, confirmation = $8, digest = $9 WHERE id = $1",
                &values[..9],
            )
            .await?;
        }
        Ok(())
    }
}

async fn stored(sql: &mut dyn Sql, place: CertificateId) -> Result<Bytes, DbError> {
    let found = sql.row("SELECT confirmation FROM places WHERE id = $1", &[place.as_bytes().into()]).await?;
    Ok(found.ok_or_else(|| DbError::damaged("a place"))?.get::<Vec<u8>>("confirmation")?.into())
}
