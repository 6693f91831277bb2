//! The wire side of the host: decodes calls of machines into our types, and encodes answers and failures. It decides nothing.
//!
//! [`CallHandler`] says what comes before: a call has a place before its body is read. No more of it is read than the size of the
//! largest ask.

use std::panic::{self, AssertUnwindSafe};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use prost::Message;
use proto::v1::activation_service_server::SERVICE_NAME;
use proto::v1::{self, ActivateRequest, ActivateResponse, ReleaseRequest, ReleaseResponse};
use server::Source;
use server::accept::{CallHandler, Line};
use server::unanswered::{Unanswered, status};
use shared::ask::{AskKind, UnverifiedAsk};
use shared::reason::{Cause, Reason};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::Service as _;
use tonic::codegen::http::header::CONTENT_TYPE;
use tonic::codegen::http::{HeaderMap, HeaderValue, Request, Response};
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};

use crate::activate::{Host, Incoming as Ask};

/// The number of asks that may be under way at once, including those of callers that have gone. Further asks wait with an open call.
const ASKS_AT_ONCE: usize = 4096;

/// The size of the largest health request; it holds the name of a service.
const HEALTH_LIMIT_BYTES: usize = 1024;

/// The prefix of each message (gRPC over HTTP/2): whether it is compressed, and its length.
const PREFIX_BYTES: usize = 5;

/// The services for machines: `kms.v1.ActivationService` and `grpc.health.v1.Health`.
pub(crate) struct Service {
    host: Arc<Host>,
    health: HealthServer<HealthService>,
    under_way: Arc<Semaphore>,
}

/// The methods that machines call.
pub(crate) enum Called {
    Asked(AskKind),
    Health,
}

impl Service {
    /// The services of this host, and their health.
    pub(crate) fn new(host: Arc<Host>) -> (Service, HealthReporter) {
        let reporter = HealthReporter::new();
        let health = HealthServer::new(HealthService::from_health_reporter(reporter.clone()));
        let health = health.max_decoding_message_size(HEALTH_LIMIT_BYTES);
        (Service { host, health, under_way: Arc::new(Semaphore::new(ASKS_AT_ONCE)) }, reporter)
    }

    async fn ask(&self, kind: AskKind, body: Incoming, line: &Line) -> Result<Response<Body>, Status> {
        let source = Some(line.source());
        let message = read(body).await;
        let ask = message.and_then(|message| decode(kind, message, source));
        let ask = ask.map_err(|unread| match unread {
            Unread::Bad(cause) => status(self.host.refuse_unread(source, cause)),
            Unread::Gone => Status::cancelled("the caller has gone"),
        })?;
        let answered = self.activate(ask).await;
        if answered.as_ref().map_or_else(|unanswered| !unanswered.is_bad(), |_| true) {
            line.was_of_use();
        }
        let answer = Some(answered.map_err(status)?);
        Ok(reply(&match kind {
            AskKind::Activate => ActivateResponse { answer }.encode_to_vec(),
            AskKind::Release => ReleaseResponse { answer }.encode_to_vec(),
        }))
    }

    async fn activate(&self, ask: Ask) -> Result<v1::Answer, Unanswered> {
        let Ok(place) = Arc::clone(&self.under_way).acquire_owned().await else {
            return Err(Reason::Stopping.into());
        };
        let host = Arc::clone(&self.host);
        let answering = async move {
            let answered = host.activate(ask).await;
            drop(place);
            answered
        };
        Uncancelled(Some(Box::pin(answering))).await.unwrap_or_else(|| {
            tracing::error!("an ask was not answered");
            Err(Reason::Stopping.into())
        })
    }
}

impl CallHandler for Service {
    type Called = Called;

    fn called(&self, path: &str) -> Option<Called> {
        match path.strip_prefix('/')?.split_once('/')? {
            (SERVICE_NAME, "Activate") => Some(Called::Asked(AskKind::Activate)),
            (SERVICE_NAME, "Release") => Some(Called::Asked(AskKind::Release)),
            (tonic_health::pb::health_server::SERVICE_NAME, _) => Some(Called::Health),
            _ => None,
        }
    }

    async fn answer(
        &self,
        called: Called,
        request: Request<Incoming>,
        line: &Line,
    ) -> Result<Response<Body>, Status> {
        match called {
            Called::Health => {
                let Ok(answer) = self.health.clone().call(request).await;
                Ok(answer)
            }
            Called::Asked(kind) => self.ask(kind, request.into_body(), line).await,
        }
    }

    fn refuse_without_place(&self) -> Unanswered {
        self.host.refuse_without_place()
    }
}

/// A future that runs to its end even if it is dropped: then it goes on in a task of its own. Otherwise a caller that disconnects
/// would end it while the ledger enters the machine, and the host would not note that. It gives nothing if it panics.
///
/// A task from the start would do the same, but each ask would pass from task to task and back.
struct Uncancelled<F: Future<Output: Send> + Send + 'static>(Option<Pin<Box<F>>>);

impl<F: Future<Output: Send> + Send + 'static> Future for Uncancelled<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(future) = &mut self.0 else { return Poll::Ready(None) };
        let polled = panic::catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx)));
        let output = match polled {
            Ok(polled) => Some(ready!(polled)),
            Err(_) => None,
        };
        self.0 = None;
        Poll::Ready(output)
    }
}

impl<F: Future<Output: Send> + Send + 'static> Drop for Uncancelled<F> {
    fn drop(&mut self) {
        if let (Some(future), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(future);
        }
    }
}

/// Why there is no ask.
enum Unread {
    Bad(Cause),
    Gone,
}

fn malformed(cause: &str) -> Unread {
    Unread::Bad(Reason::Malformed.with(&[("cause", &cause)]))
}

/// Reads the one message of a call, and no more than the size of the largest ask, whatever length it claims.
async fn read(mut body: Incoming) -> Result<Bytes, Unread> {
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Unread::Gone)?.into_data() else { continue };
        if PREFIX_BYTES + shared::MAX_MESSAGE_BYTES < read.len() + data.len() {
            return Err(Unread::Bad(Reason::TooLarge.with(&[("limit", &shared::MAX_MESSAGE_BYTES)])));
        }
        read.extend_from_slice(&data);
    }
    message(read.freeze())
}

fn message(mut bytes: Bytes) -> Result<Bytes, Unread> {
    if bytes.len() < PREFIX_BYTES {
        return Err(malformed("the call has no message"));
    }
    let (compressed, length) = (bytes.get_u8(), bytes.get_u32());
    if compressed != 0 {
        return Err(malformed("the message is compressed"));
    }
    if usize::try_from(length) != Ok(bytes.len()) {
        return Err(malformed("the message is not as long as it says, or one of several"));
    }
    Ok(bytes)
}

/// Treats a missing ask as an empty one, which is malformed, too.
fn decode(kind: AskKind, message: Bytes, source: Option<Source>) -> Result<Ask, Unread> {
    let no_request = |_| malformed("the message is none of this service");
    let ActivateRequest { ask, replaced_signature, held_chain, revocations } = match kind {
        AskKind::Activate => ActivateRequest::decode(message).map_err(no_request)?,
        AskKind::Release => {
            let ReleaseRequest { ask } = ReleaseRequest::decode(message).map_err(no_request)?;
            ActivateRequest { ask, ..ActivateRequest::default() }
        }
    };
    let ask = UnverifiedAsk::read(ask.unwrap_or_default());
    Ok(Ask { ask, replaced_signature, held_chain, revocations, source, kind })
}

/// A message as the answer to a successful call.
fn reply(message: &[u8]) -> Response<Body> {
    let mut bytes = Vec::with_capacity(PREFIX_BYTES + message.len());
    bytes.push(0);
    bytes.extend_from_slice(&u32::try_from(message.len()).expect("an answer has 1 KiB").to_be_bytes());
    bytes.extend_from_slice(message);
    let trailers = HeaderMap::from_iter([(Status::GRPC_STATUS, HeaderValue::from_static("0"))]);
    let body = Full::new(Bytes::from(bytes)).with_trailers(std::future::ready(Some(Ok(trailers))));
    let mut reply = Response::new(Body::new(body));
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    reply
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::oneshot;
    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_nobody_waits_for_any_more_comes_to_its_end() {
        let (open, gate) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let work = async move {
            let _: Result<(), _> = gate.await;
            end.send("its end").unwrap();
        };
        let waiting = timeout(Duration::from_secs(1), Uncancelled(Some(Box::pin(work)))).await;
        assert!(waiting.is_err(), "it waits at the gate");
        open.send(()).unwrap();
        assert_eq!(ended.await, Ok("its end"));
    }

    #[tokio::test]
    async fn nothing_comes_of_what_panics() {
        let work = async { panic!("told by the hook, and no more than that") };
        assert_eq!(Uncancelled::<_>(Some(Box::pin(work))).await, None::<()>);
    }
}
