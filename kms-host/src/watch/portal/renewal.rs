//! Renewal: while the settings name the vendor's portal, the host renews its certificates there before they end.
//!
//! Once a day, and at the start: for each product whose certificate ends within [`RENEW_BEFORE`], ask the portal, install what it
//! gives, and reload. A failure is logged, and tried again the next day. A host that was certified by hand is refused each time, and
//! keeps its certificate; the alarm CERTIFICATE_ENDS_SOON comes a month later.

use std::sync::Arc;
use std::time::Duration;

use server::admin::caller::Caller;
use shared::ids::ProductId;
use shared::time::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::activate::Host;
use crate::admin::ReloadOrder;
use crate::config::Config;
use crate::home::Home;
use crate::portal::PortalWay;
use crate::remedy;

/// How long before its end a certificate is renewed: a month before the alarm, so that a portal may be away for weeks.
const RENEW_BEFORE: Duration = Duration::from_hours(60 * 24);

const DAY: Duration = Duration::from_hours(24);

/// How often the host checks whether a day has passed.
const LOOK: Duration = Duration::from_hours(1);

/// Renews until the host stops.
pub(crate) async fn run(
    host: Arc<Host>,
    home: Home,
    mut config: watch::Receiver<Arc<Config>>,
    orders: mpsc::Sender<ReloadOrder>,
    stop: CancellationToken,
) {
    let mut asked: Option<Timestamp> = None;
    loop {
        let now = host.clock.now();
        let settings = config.borrow_and_update().clone();
        let way = PortalWay::of(&settings, home.path()).ok().flatten();
        if let Some(way) = way.filter(|_| asked.is_none_or(|at| DAY <= at.apart(now))) {
            let ending = ending(&host, now);
            if !ending.is_empty() {
                asked = Some(now);
            }
            for (product, ends_at) in ending {
                renew(&host, &home, &way, product, ends_at, &orders).await;
            }
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            // Another portal may be named now.
            changed = config.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            () = stop.cancelled() => return,
        }
    }
}

/// The products whose certificate ends soon, and when.
fn ending(host: &Host, now: Timestamp) -> Vec<(ProductId, Timestamp)> {
    let certificates = host.certificates();
    let ends = certificates.products(now).map(|(product, used)| (product, used.chain.ends_at()));
    ends.filter(|(_, ends_at)| ends_at.since(now) < RENEW_BEFORE).collect()
}

async fn renew(
    host: &Host,
    home: &Home,
    way: &PortalWay,
    product: ProductId,
    ended_at: Timestamp,
    orders: &mpsc::Sender<ReloadOrder>,
) {
    let portal = way.address.to_string();
    let certified = match way.renew(home, product, host.clock.clone()).await {
        Ok(certified) => certified,
        Err(error) => {
            let error = remedy::message(&error);
            tracing::warn!(error, portal, %product, %ended_at, "the vendor's portal has not renewed the certificate; asking again tomorrow");
            return;
        }
    };
    let ends_at = certified.put.iter().map(|put| put.installed.chain.ends_at()).max();
    let Some(ends_at) = ends_at.filter(|ends_at| ended_at < *ends_at) else {
        tracing::warn!(portal, %product, %ended_at, "the vendor's portal gives no certificate that ends later: its own may end soon");
        return;
    };
    tracing::info!(portal, %product, %ends_at, "the certificate is renewed");
    let (done, taken_up) = oneshot::channel();
    let order =
        ReloadOrder { caller: Caller::own(), note: "renewed at the vendor's portal".to_owned(), done };
    // A host that is put together without a reload takes it up at its next start.
    if orders.send(order).await.is_ok() {
        let _ = taken_up.await;
    }
}
