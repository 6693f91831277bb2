//! What the host does by itself at the vendor's portal that its settings name: at its start, once a day, and at each reload.
//!
//! First `revocations`, then `renewal`. If the portal does not answer, the log says so, and machines are served as before.

pub(crate) mod renewal;
mod revocations;

use std::sync::Arc;
use std::time::Duration;

use rand::RngExt as _;
use server::admin::caller::Caller;
use shared::time::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::activate::Host;
use crate::admin::ReloadOrder;
use crate::config::Config;
use crate::home::Home;
use crate::portal::PortalWay;

const DAY: Duration = Duration::from_hours(24);

/// A visit comes up to this much before a day has passed, so that hosts that were started together do not come together for ever.
const EARLIER: Duration = Duration::from_hours(5);

/// How often the host checks whether it is time.
const LOOK: Duration = Duration::from_hours(1);

/// One visit.
struct PortalVisit<'a> {
    host: &'a Host,
    home: &'a Home,
    way: PortalWay,
    orders: &'a mpsc::Sender<ReloadOrder>,
}

/// Visits the portal until the host stops.
pub(crate) async fn run(
    host: Arc<Host>,
    home: Home,
    mut config: watch::Receiver<Arc<Config>>,
    orders: mpsc::Sender<ReloadOrder>,
    stop: CancellationToken,
) {
    let mut due: Option<Timestamp> = None;
    loop {
        let now = host.clock.now();
        let settings = config.borrow_and_update().clone();
        // A clock that was set back would put the next visit off.
        let is_due = due.is_none_or(|due| due <= now || now + DAY < due);
        let way = PortalWay::of(&settings, home.path()).ok().flatten();
        if let Some(way) = way.filter(|_| is_due) {
            due = Some(now + DAY - rand::rng().random_range(Duration::ZERO..EARLIER));
            let visit = PortalVisit { host: &host, home: &home, way, orders: &orders };
            revocations::look(&visit).await;
            renewal::look(&visit).await;
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            // Another portal may be named now, or somebody has mended the way to this one.
            changed = config.changed() => {
                if changed.is_err() {
                    return;
                }
                due = None;
            }
            () = stop.cancelled() => return,
        }
    }
}

impl PortalVisit<'_> {
    /// Takes up what was installed. A host that is put together without a reload does so at its next start.
    async fn reload(&self, note: &str) {
        let (done, taken_up) = oneshot::channel();
        let order = ReloadOrder { caller: Caller::own(), note: note.to_owned(), done };
        if self.orders.send(order).await.is_ok() {
            let _ = taken_up.await;
        }
    }
}
