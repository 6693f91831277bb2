//! The wire, once: requests into our types, answers and failures out. No decisions.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use prost::Message;
use proto::v1::activation_service_server::ActivationService;
use proto::v1::{self, ActivateRequest, ActivateResponse, ReleaseRequest, ReleaseResponse};
use shared::ask::AskKind;
use shared::reason::{Cause, ERROR_DOMAIN, Reason};
use tokio::sync::Semaphore;
use tonic::{Code, Request, Response, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::activate::{Host, Incoming, Unanswered};
use crate::fairness::Source;

/// Asks that are under way at once, those included whose callers have gone. More wait, at the cost of who sent them.
const ASKS_AT_ONCE: usize = 16_384;

/// `kms.v1.ActivationService` over a host.
pub struct Service {
    host: Arc<Host>,
    under_way: Arc<Semaphore>,
}

#[tonic::async_trait]
impl ActivationService for Service {
    async fn activate(
        &self,
        request: Request<ActivateRequest>,
    ) -> Result<Response<ActivateResponse>, Status> {
        let source = source(&request);
        let request = request.into_inner();
        let size_bytes = request.encoded_len();
        let ActivateRequest { ask, replaced_signature, held_chain } = request;
        let ask = ask.unwrap_or_default();
        let kind = AskKind::Activate;
        let answer = self.answer(Incoming { ask, replaced_signature, held_chain, source, kind, size_bytes });
        let answer = answer.await?;
        Ok(Response::new(ActivateResponse { answer: Some(answer) }))
    }

    async fn release(&self, request: Request<ReleaseRequest>) -> Result<Response<ReleaseResponse>, Status> {
        let source = source(&request);
        let request = request.into_inner();
        let size_bytes = request.encoded_len();
        let (ask, kind) = (request.ask.unwrap_or_default(), AskKind::Release);
        let (replaced_signature, held_chain) = (None, Bytes::new());
        let answer = self.answer(Incoming { ask, replaced_signature, held_chain, source, kind, size_bytes });
        let answer = answer.await?;
        Ok(Response::new(ReleaseResponse { answer: Some(answer) }))
    }
}

impl Service {
    /// For this host.
    pub fn new(host: Arc<Host>) -> Service {
        Service { host, under_way: Arc::new(Semaphore::new(ASKS_AT_ONCE)) }
    }

    /// An ask that is not there is an empty one, which is as malformed and as bad.
    ///
    /// It is answered in a task of its own. A caller who hangs up would otherwise end it while the ledger enters his machine, and
    /// nobody would take note of that.
    async fn answer(&self, incoming: Incoming) -> Result<v1::Answer, Status> {
        let Ok(place) = Arc::clone(&self.under_way).acquire_owned().await else {
            return Err(status(Reason::Stopping.into()));
        };
        let host = Arc::clone(&self.host);
        let answered = tokio::spawn(async move {
            let answered = host.activate(incoming).await;
            drop(place);
            answered
        });
        match answered.await {
            Ok(answered) => answered.map_err(status),
            Err(stopped) => {
                tracing::error!(%stopped, "an ask was not answered");
                Err(status(Reason::Stopping.into()))
            }
        }
    }
}

fn source<T>(request: &Request<T>) -> Option<Source> {
    request.remote_addr().map(|peer| Source::of(peer.ip()))
}

/// A failure as a gRPC status: the reason in `ErrorInfo`, and `RetryInfo` where waiting helps.
pub(crate) fn status(unanswered: Unanswered) -> Status {
    let Unanswered { cause, retry_in } = unanswered;
    let parameters = cause.parameters.iter().cloned().collect::<std::collections::HashMap<_, _>>();
    let mut details = ErrorDetails::with_error_info(cause.code.clone(), ERROR_DOMAIN, parameters);
    if let Some(retry_in) = retry_in {
        details.set_retry_info(Some(retry_in));
    }
    Status::with_error_details(code(&cause), cause.to_string(), details)
}

fn code(cause: &Cause) -> Code {
    match cause.reason() {
        Some(Reason::Malformed | Reason::TooLarge | Reason::SignatureBad | Reason::MachineAmbiguous) => {
            Code::InvalidArgument
        }
        Some(
            Reason::ProductUnknown | Reason::TlsRequired | Reason::AuditUnwritable | Reason::MachineBlocked,
        ) => Code::FailedPrecondition,
        Some(Reason::NotAdministrator) => Code::PermissionDenied,
        Some(Reason::MachineUnknown) => Code::NotFound,
        Some(Reason::Overloaded | Reason::TooManyBadAsks) => Code::ResourceExhausted,
        Some(Reason::LedgerFailed | Reason::LedgerDamaged | Reason::SignerFailed | Reason::Stopping) => {
            Code::Unavailable
        }
        _ => Code::Internal,
    }
}

/// The longest that one call may take on this side, the reading of a request that trickles in included.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine believes no unsigned error whose reason a host would have signed.
    #[test]
    fn what_machines_are_told_without_a_signature_is_what_they_believe() {
        for reason in Reason::ALL {
            let said = match code(&(*reason).into()) {
                Code::ResourceExhausted | Code::Unavailable => Some(true),
                Code::Internal => Some(false),
                // Some of these are said to administrators alone.
                _ => None,
            };
            let believed = reason.may_be_unsigned();
            assert!(said.is_none_or(|said| said == believed), "{}", reason.code());
        }
    }
}
