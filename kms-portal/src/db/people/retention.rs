//! What goes after thirty days: data that services hold, and people who were deleted.
//!
//! Each row goes in one transaction with the word to its service. So it does no harm if this is done twice, by two portals at once, or
//! after a portal was down for a long time.

use async_trait::async_trait;
use kms_portal_rules::PersonId;
use kms_portal_rules::kept::{KEPT_FOR, ServiceEvent};
use shared::ids::OrganisationId;
use shared::time::Timestamp;

use super::offers::service_name;
use super::webhooks::TellsServices;
use crate::db::sql::Sql;
use crate::db::work::Work;
use crate::db::{Db, DbError};

/// What goes after thirty days.
impl Db {
    /// Has services purge what they hold since thirty days; at most `limit`. Returns how many were told.
    pub async fn purge_held(&self, now: Timestamp, limit: u32) -> Result<u64, DbError> {
        self.write(PurgeHeld { now, limit }).await
    }

    /// Erases people who were deleted thirty days ago; at most `limit`. Returns how many.
    pub async fn erase_deleted(&self, now: Timestamp, limit: u32) -> Result<u64, DbError> {
        self.write(EraseDeleted { now, limit }).await
    }
}

struct PurgeHeld {
    now: Timestamp,
    limit: u32,
}

#[async_trait]
impl Work for PurgeHeld {
    type Done = u64;

    async fn run(&self, sql: &mut dyn Sql) -> Result<u64, DbError> {
        let due = "SELECT h.person, h.service, h.since, p.organisation FROM held_data h JOIN people p ON p.id = h.person \
                   WHERE h.since <= $1 ORDER BY h.since LIMIT $2";
        let mut purged = 0;
        for row in sql.rows(due, &[(self.now - KEPT_FOR).into(), u64::from(self.limit).into()]).await? {
            let person = row.bytes("person", PersonId::from_slice)?;
            let (service, since) = (row.text("service", service_name)?, row.time("since")?);
            let organisation = row.get::<Option<Vec<u8>>>("organisation")?;
            let organisation = organisation.and_then(|bytes| OrganisationId::from_slice(&bytes));
            // Somebody may have got the service back meanwhile. Then it was told by whoever gave it.
            let values = [person.as_bytes().into(), service.as_str().into(), since.into()];
            let gone = "DELETE FROM held_data WHERE person = $1 AND service = $2 AND since = $3";
            if sql.run(gone, &values).await? == 1 {
                let tells = TellsServices::of(sql, organisation, self.now).await?;
                tells.tell(sql, &service, person, ServiceEvent::Purge).await?;
                purged += 1;
            }
        }
        Ok(purged)
    }
}

struct EraseDeleted {
    now: Timestamp,
    limit: u32,
}

#[async_trait]
impl Work for EraseDeleted {
    type Done = u64;

    async fn run(&self, sql: &mut dyn Sql) -> Result<u64, DbError> {
        let due =
            "SELECT id FROM people WHERE deleted_at <= $1 AND address <> '' ORDER BY deleted_at LIMIT $2";
        let rows = sql.locked(due, &[(self.now - KEPT_FOR).into(), u64::from(self.limit).into()]).await?;
        let mut erased = 0;
        for row in rows {
            erase(sql, row.bytes("id", PersonId::from_slice)?).await?;
            erased += 1;
        }
        Ok(erased)
    }
}

/// Forgets who a person was. Their id stays, because the record of changes names it.
pub(super) async fn erase(sql: &mut dyn Sql, person: PersonId) -> Result<(), DbError> {
    let values = [person.as_bytes().into()];
    for statement in [
        "DELETE FROM group_members WHERE person = $1",
        "DELETE FROM group_waiting WHERE person = $1",
        "DELETE FROM addresses WHERE person = $1",
        "DELETE FROM admin_roles WHERE person = $1",
        "DELETE FROM credentials WHERE person = $1",
        "DELETE FROM sessions WHERE person = $1",
        "DELETE FROM links WHERE person = $1",
        "DELETE FROM known_sources WHERE person = $1",
        "DELETE FROM wrong_guesses WHERE person = $1",
        "DELETE FROM devices WHERE person = $1",
        "DELETE FROM sign_in_codes WHERE person = $1",
        "UPDATE people SET name = '', address = '', location = '', language = '' WHERE id = $1",
    ] {
        sql.run(statement, &values).await?;
    }
    Ok(())
}
