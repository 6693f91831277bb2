//! Counts all records again in the background, if the host was not stopped in order.
//!
//! A crash may cause damage that no engine notices, such as an older version of a record. The ledger's totals were written with the
//! newer version, so they disagree with the records. That is an alarm until the next start. `ledger/src/recheck.rs` counts while
//! machines ask.

use std::sync::{Mutex, PoisonError};

use ledger::{Disagreement, Reader};

/// The result of the last count.
#[derive(Debug, Default)]
pub(crate) struct Totals(Mutex<Vec<Disagreement>>);

impl Totals {
    pub(crate) fn disagreements(&self) -> Vec<Disagreement> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts every record, and notes where the ledger's totals differ.
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
