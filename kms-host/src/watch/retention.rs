//! Retention: forgets machines that were not seen for a long time, so that the inventory does not grow for ever.
//!
//! Once a day, and at the start:
//!
//! 1. count the machines to forget, reading only; if there are none, stop here
//! 2. write their number into the audit log; if that fails, forget none
//! 3. forget them, page by page through the one writer, so that asks come in between
//!
//! `shared::inventory` decides which machines are forgotten: none that is counted or blocked. A host that doubts its clock forgets
//! none. The cost is one reading of the inventory a day, on the threads for blocking work.

use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use ledger::LedgerError;
use server::admin::caller::Caller;
use server::audit::{Audit, AuditedChange};
use shared::count::Terms;
use shared::ids::{MachineId, ProductId};
use shared::inventory::{Prune, is_over};
use shared::record::Inactive;
use shared::time::{Length, Timestamp};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::activate::Host;
use crate::certificates::Certificates;
use crate::config::Config;
use crate::remedy;

const DAY: Duration = Duration::from_hours(24);

/// How often the host checks whether a day has passed, and tries again after a failure.
const LOOK: Duration = Duration::from_hours(1);

/// How many records are read at a time.
const READ_AT_ONCE: usize = 1_000;

/// The pause between reads, so that they take a small part of one processor, however large the inventory is.
const BREATH: Duration = Duration::from_millis(10);

/// The number of records that the writer looks through before it serves asks again.
const FORGOTTEN_AT_ONCE: usize = 200;

/// Checks that a retention is long enough for these certificates.
///
/// # Errors
/// It is shorter than the longest `count_window`.
pub fn check(days: u32, certificates: &Certificates) -> anyhow::Result<()> {
    let window = certificates.longest_window();
    ensure!(
        days == 0 || window <= DAY * days,
        "`retention_days` is {days}, and machines are counted for {} after they were seen: set it to {} or more, or to 0 to keep \
         every machine",
        Length(window),
        window.as_secs().div_ceil(DAY.as_secs())
    );
    Ok(())
}

/// Forgets by the setting `retention_days`, whenever it changes and once a day, until the host stops.
pub async fn run(
    host: Arc<Host>,
    audit: Arc<Audit>,
    mut config: watch::Receiver<Arc<Config>>,
    stop: CancellationToken,
) {
    // The time of the last run, and its setting.
    let mut done: Option<(Timestamp, u32)> = None;
    loop {
        let (now, days) = (host.clock.now(), config.borrow_and_update().retention_days);
        if done.is_none_or(|(at, by)| DAY <= at.apart(now) || by != days) {
            let forgotten = host.forget_old(&audit, days).await;
            done = forgotten.is_ok().then_some((now, days));
            if let Err(error) = forgotten {
                let error = remedy::message(&*error);
                tracing::warn!(
                    error,
                    days,
                    "machines whose retention is over are not forgotten; tried again in an hour"
                );
            }
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            Ok(()) = config.changed() => {}
            () = stop.cancelled() => return,
        }
    }
}

impl Host {
    /// Forgets machines that were not seen for `days` days, and returns their number. 0 forgets none.
    ///
    /// # Errors
    /// Some may have gone, and the audit log says so.
    pub async fn forget_old(&self, audit: &Arc<Audit>, days: u32) -> anyhow::Result<u64> {
        let now = self.clock.now();
        if days == 0 {
            return Ok(0);
        }
        self.check_sure()?;
        let before = now - DAY * days;
        // 1
        let products = self.products(now).await?;
        let mut due = 0;
        for (product, terms) in &products {
            due += self.due(*product, terms, before, now).await?;
        }
        if due == 0 {
            return Ok(0);
        }
        // 2
        let change = AuditedChange::new(
            Caller::own(),
            "retention",
            &[("retention_days", &days), ("seen_before", &before), ("machines", &due)],
            "",
        );
        // 3
        let forgetting = self.forget_before(&products, before);
        let forgotten = audit.perform(&*self.clock, change, forgetting).await?;
        tracing::info!(forgotten, days, %before, "machines whose retention is over are forgotten");
        Ok(forgotten)
    }

    /// The number of machines of a product to forget. If all known machines are counted, it is 0, and nothing is read.
    async fn due(
        &self,
        product: ProductId,
        terms: &Terms,
        before: Timestamp,
        now: Timestamp,
    ) -> Result<u64, LedgerError> {
        let reading = self.ledger.reading(product, terms, now).await?;
        let (counted, Inactive { released, replaced, .. }) = (reading.tally, reading.inactive);
        if counted.active <= counted.total && released + replaced == 0 {
            return Ok(0);
        }
        let hour_width_ms = self.ledger.meta().hour_width_ms;
        let (mut due, mut after) = (0, None);
        loop {
            let page = self.ledger.machines(Some(product), after, READ_AT_ONCE).await?;
            let records = page.rows.iter().filter_map(|listed| listed.record);
            due += records.filter(|record| is_over(record, before, &counted, hour_width_ms)).count() as u64;
            after = page.next;
            if after.is_none() {
                return Ok(due);
            }
            tokio::time::sleep(BREATH).await;
        }
    }

    async fn forget_before(&self, products: &[(ProductId, Terms)], before: Timestamp) -> anyhow::Result<u64> {
        let mut forgotten = 0;
        for (product, terms) in products {
            let mut after: Option<MachineId> = None;
            loop {
                // The clock may jump in between.
                self.check_sure()?;
                let at = self.clock.now();
                let prune =
                    Prune { product: *product, terms: *terms, before, after, limit: FORGOTTEN_AT_ONCE, at };
                let pruned = self.queue.prune(prune).await?;
                forgotten += pruned.removed;
                after = pruned.next;
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(forgotten)
    }

    fn check_sure(&self) -> anyhow::Result<()> {
        ensure!(self.doubt().is_none(), "the host doubts its clock");
        Ok(())
    }
}
