//! Keeps the promise that what was taken back goes after thirty days: looks once an hour.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::api::PortalCore;
use crate::db::DbError;

/// How often to look.
const LOOK: Duration = Duration::from_hours(1);

/// How many rows go in one transaction. Nobody else writes to SQLite meanwhile.
const AT_ONCE: u32 = 100;

/// Has everything go that is due, until it is stopped.
pub async fn keep(portal: Arc<PortalCore>, stop: CancellationToken) {
    loop {
        if let Err(error) = purge_due(&portal).await {
            portal.failed_at(error);
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Has everything go that is due now.
///
/// # Errors
/// The database fails.
pub async fn purge_due(portal: &PortalCore) -> Result<(), DbError> {
    let (db, now) = (&portal.db, portal.clock.now());
    let (mut purged, mut erased) = (0, 0);
    loop {
        let (held, deleted) = (db.purge_held(now, AT_ONCE).await?, db.erase_deleted(now, AT_ONCE).await?);
        (purged, erased) = (purged + held, erased + deleted);
        if held == 0 && deleted == 0 {
            break;
        }
    }
    let messages = db.forget_messages(now).await?;
    if purged + erased + messages != 0 {
        tracing::info!(purged, erased, messages, "forgot what was kept for thirty days");
    }
    Ok(())
}
