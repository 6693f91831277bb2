//! A reload that an administrator asks for. Who carries it out is the daemon's (`reload.rs`): it alone knows where its
//! settings come from.

use proto::admin::v1 as wire;
use shared::reason::Reason;
use tokio::sync::oneshot;
use tonic::{Code, Status};

use super::{Admin, malformed};
use crate::admin::audit::{ChangeFailure, NOTE_BYTES, NotRecorded};
use crate::admin::caller::Caller;
use crate::door::service::status;

/// Asks for a reload.
pub struct ReloadOrder {
    /// Who asks.
    pub caller: Caller,
    /// Why, for the audit log.
    pub note: String,
    /// Where to say what came of it.
    pub done: oneshot::Sender<Result<Vec<Reloaded>, NotReloaded>>,
}

/// One difference to what the host ran with before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reloaded {
    /// The setting, or which certificate.
    pub name: String,
    /// What changed, in words.
    pub text: String,
    /// Whether it takes a restart to take effect.
    pub needs_restart: bool,
}

/// Why nothing was taken up.
#[derive(Debug, thiserror::Error)]
pub enum NotReloaded {
    /// Something that was read does not hold.
    #[error("what was read again does not hold: {0}")]
    DoesNotHold(String),
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
            NotReloaded::DoesNotHold(error) => Status::new(Code::FailedPrecondition, error),
            NotReloaded::NotRecorded(error) => error.into(),
        })?;
        let shown =
            |Reloaded { name, text, needs_restart }| wire::ReloadedChange { name, text, needs_restart };
        Ok(wire::ReloadResponse { changes: changes.into_iter().map(shown).collect() })
    }
}
