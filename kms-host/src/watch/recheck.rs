//! Counts all records again, in the background, after a start that did not follow an orderly stop.
//!
//! A crash may hide damage that no engine notices, such as an older version of a record. The running numbers of the ledger were
//! written with the newer one, so the two disagree, and that is an alarm until the host is started again. How it is counted
//! while machines ask is `ledger/recheck.rs`.

use std::sync::{Mutex, PoisonError};

use ledger::{Disagreement, Reader};

/// The result of the last count.
#[derive(Debug, Default)]
pub(crate) struct Totals(Mutex<Vec<Disagreement>>);

impl Totals {
    pub(crate) fn disagreements(&self) -> Vec<Disagreement> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts every record, and notes where the ledger's running numbers differ.
    pub(crate) async fn recheck(&self, ledger: &dyn Reader) {
        tracing::info!("the host was not stopped in order: every record is counted again");
        match ledger.recheck().await {
            Ok(found) if found.is_empty() => tracing::info!("records and totals agree"),
            Ok(found) => {
                for Disagreement { product, active, active_found, .. } in &found {
                    tracing::error!(%product, active, active_found, "records and totals differ; see `kms-host status`");
                }
                *self.0.lock().unwrap_or_else(PoisonError::into_inner) = found;
            }
            Err(error) => tracing::error!(%error, "the records could not be counted again"),
        }
    }
}
