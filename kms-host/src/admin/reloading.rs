//! A reload that an administrator asks for. The daemon carries it out (`reload.rs`), because only it knows where its
//! settings come from.

use proto::admin::v1 as wire;
use server::admin::caller::Caller;
use server::audit::{ChangeFailure, NOTE_BYTES, NotRecorded};
use server::unanswered::status;
use shared::reason::Reason;
use tokio::sync::oneshot;
use tonic::{Code, Status};

use super::{Admin, malformed};

/// Asks for a reload.
pub struct ReloadOrder {
    /// Who asks.
    pub caller: Caller,
    /// Why, for the audit log.
    pub note: String,
    /// Takes the result.
    pub done: oneshot::Sender<Result<Vec<Reloaded>, NotReloaded>>,
}

/// One difference to the settings and certificates before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reloaded {
    /// The setting, or which certificate.
    pub name: String,
    /// What changed, in words.
    pub text: String,
    /// Whether it takes a restart to take effect.
    pub needs_restart: bool,
}

/// Why a reload has changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum NotReloaded {
    /// Settings, certificates or files of TLS are not valid.
    #[error("the new settings or certificates are not valid: {0}")]
    Invalid(String),
    /// The audit log takes no line.
    #[error(transparent)]
    NotRecorded(#[from] NotRecorded),
}

impl ChangeFailure for NotReloaded {
    fn cause(&self) -> String {
        self.to_string()
    }
}

impl Admin {
    pub(super) async fn reloading(
        &self,
        caller: Caller,
        note: String,
    ) -> Result<wire::ReloadResponse, Status> {
        if NOTE_BYTES < note.len() {
            return Err(malformed(&format!("a note has at most {NOTE_BYTES} bytes")));
        }
        let (done, reloaded) = oneshot::channel();
        let stopping = || status(Reason::Stopping.into());
        self.reloads.send(ReloadOrder { caller, note, done }).await.map_err(|_| stopping())?;
        let changes = reloaded.await.map_err(|_| stopping())?.map_err(|not_reloaded| match not_reloaded {
            NotReloaded::Invalid(error) => Status::new(Code::FailedPrecondition, error),
            NotReloaded::NotRecorded(error) => error.into(),
        })?;
        let shown =
            |Reloaded { name, text, needs_restart }| wire::ReloadedChange { name, text, needs_restart };
        Ok(wire::ReloadResponse { changes: changes.into_iter().map(shown).collect() })
    }
}
