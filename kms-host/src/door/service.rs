//! The wire side of the host: decodes calls of machines into our types, and encodes answers and failures. It decides nothing.
//!
//! A call is a POST of `application/grpc` to one of our paths; anything else gets an HTTP error. A call takes a place before its body
//! is read, and no more is read than the size of the largest ask.

use std::panic::{self, AssertUnwindSafe};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Frame, Incoming, SizeHint};
use prost::Message;
use proto::v1::activation_service_server::SERVICE_NAME;
use proto::v1::{self, ActivateRequest, ActivateResponse, ReleaseRequest, ReleaseResponse};
use shared::ask::AskKind;
use shared::print::shorten;
use shared::reason::{Cause, ERROR_DOMAIN, Reason};
use shared::time::Clock;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tonic::body::Body;
use tonic::codegen::Service as _;
use tonic::codegen::http::header::{ALLOW, CONTENT_TYPE};
use tonic::codegen::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use tonic::{Code, Status};
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};
use tonic_types::{ErrorDetails, StatusExt};

use crate::activate::{Host, Incoming as Ask, Unanswered};
use crate::door::accept::line::{Line, OpenCall};
use crate::fairness::Source;

/// The time limit of one call, including the time to read a slow request.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

/// The number of asks that may be under way at once, including those of callers that have gone. Further asks wait with an open call.
const ASKS_AT_ONCE: usize = 4096;

/// The size of the largest health request; it holds the name of a service.
const HEALTH_LIMIT_BYTES: usize = 1024;

/// Largest parameter of a reason, in bytes. A status travels in headers, where hyper's client takes 16 KiB in all.
const QUOTED_MAX: usize = 500;

/// The prefix of each message (gRPC over HTTP/2): whether it is compressed, and its length.
const PREFIX_BYTES: usize = 5;

/// The services for machines: `kms.v1.ActivationService` and `grpc.health.v1.Health`.
pub(crate) struct Service {
    host: Arc<Host>,
    health: HealthServer<HealthService>,
    under_way: Arc<Semaphore>,
}

/// The body of an answer. The call stays open until it is dropped.
pub(crate) struct Answered {
    body: Body,
    _call: Option<OpenCall>,
}

impl Answered {
    /// An empty body without an open call.
    pub(crate) fn empty() -> Answered {
        Answered { body: Body::empty(), _call: None }
    }
}

enum Called {
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

    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        self.host.clock.clone()
    }

    /// Answers one call of any kind.
    pub(crate) async fn call(&self, request: Request<Incoming>, line: &Arc<Line>) -> Response<Answered> {
        let called = match called(&request) {
            Ok(called) => called,
            Err(error) => return error.map(|()| Answered::empty()),
        };
        let mut call = None;
        let answer = async {
            if line.needs_tls() {
                return Err(status(Reason::TlsRequired.into()));
            }
            call = Some(line.open().ok_or_else(|| status(self.host.refuse_without_place()))?);
            match called {
                Called::Health => {
                    let Ok(answer) = self.health.clone().call(request).await;
                    Ok(answer)
                }
                Called::Asked(kind) => self.ask(kind, request.into_body(), line).await,
            }
        };
        let late = |_| Err(Status::deadline_exceeded(format!("the call was not over after {DEADLINE:?}")));
        let answer = timeout(DEADLINE, pin!(answer)).await.unwrap_or_else(late);
        answer.unwrap_or_else(Status::into_http).map(|body| Answered { body, _call: call })
    }

    async fn ask(&self, kind: AskKind, body: Incoming, line: &Arc<Line>) -> Result<Response<Body>, Status> {
        let source = Some(line.source());
        let message = read(body).await;
        let ask = message.and_then(|message| decode(kind, message, source));
        let ask = ask.map_err(|unread| match unread {
            Unread::Bad(cause) => status(self.host.refuse_unread(source, cause)),
            Unread::Gone => Status::cancelled("the caller has gone"),
        })?;
        let answered = self.answer(ask).await;
        if answered.as_ref().map_or_else(|unanswered| !unanswered.is_bad(), |_| true) {
            line.was_of_use();
        }
        let answer = Some(answered.map_err(status)?);
        Ok(reply(&match kind {
            AskKind::Activate => ActivateResponse { answer }.encode_to_vec(),
            AskKind::Release => ReleaseResponse { answer }.encode_to_vec(),
        }))
    }

    async fn answer(&self, ask: Ask) -> Result<v1::Answer, Unanswered> {
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

/// The called method, or the HTTP error that gRPC defines for other requests.
fn called(request: &Request<Incoming>) -> Result<Called, Response<()>> {
    let error = |status, header: Option<(_, &'static str)>| {
        let mut error = Response::new(());
        *error.status_mut() = status;
        error.headers_mut().extend(header.map(|(name, value)| (name, HeaderValue::from_static(value))));
        Err(error)
    };
    if request.method() != Method::POST {
        return error(StatusCode::METHOD_NOT_ALLOWED, Some((ALLOW, "POST")));
    }
    let kind = request.headers().get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    if !kind.starts_with(b"application/grpc") {
        return error(StatusCode::UNSUPPORTED_MEDIA_TYPE, None);
    }
    let (service, method) = request.uri().path()[1..].split_once('/').unwrap_or_default();
    match (service, method) {
        (SERVICE_NAME, "Activate") => Ok(Called::Asked(AskKind::Activate)),
        (SERVICE_NAME, "Release") => Ok(Called::Asked(AskKind::Release)),
        (tonic_health::pb::health_server::SERVICE_NAME, _) => Ok(Called::Health),
        _ => error(StatusCode::NOT_FOUND, None),
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
    let ActivateRequest { ask, replaced_signature, held_chain } = match kind {
        AskKind::Activate => ActivateRequest::decode(message).map_err(no_request)?,
        AskKind::Release => {
            let ReleaseRequest { ask } = ReleaseRequest::decode(message).map_err(no_request)?;
            ActivateRequest { ask, ..ActivateRequest::default() }
        }
    };
    Ok(Ask { ask: ask.unwrap_or_default(), replaced_signature, held_chain, source, kind })
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

impl hyper::body::Body for Answered {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A failure as a gRPC status: the reason in `ErrorInfo`, and `RetryInfo` if waiting helps.
pub(crate) fn status(unanswered: Unanswered) -> Status {
    let Unanswered { mut cause, retry_in } = unanswered;
    // What is quoted from a request may be long, and all of it travels twice, in headers.
    for (_, value) in &mut cause.parameters {
        *value = shorten(value, QUOTED_MAX);
    }
    let parameters = cause.parameters.iter().cloned().collect::<std::collections::HashMap<_, _>>();
    let mut details = ErrorDetails::with_error_info(cause.code.clone(), ERROR_DOMAIN, parameters);
    if let Some(retry_in) = retry_in {
        details.set_retry_info(Some(retry_in));
    }
    Status::with_error_details(code(&cause), cause.to_string(), details)
}

fn code(cause: &Cause) -> Code {
    match cause.reason() {
        // These are said to administrators alone.
        Some(Reason::MachineAmbiguous) => Code::InvalidArgument,
        Some(Reason::AuditUnwritable | Reason::MachineBlocked) => Code::FailedPrecondition,
        Some(Reason::NotAdministrator) => Code::PermissionDenied,
        Some(Reason::MachineUnknown) => Code::NotFound,
        reason => reason.and_then(Reason::unsigned_status).map_or(Code::Internal, Code::from_i32),
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

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

    /// The table of reasons in protocol.md is what an independent client is written from.
    #[test]
    fn the_table_of_reasons_in_protocol_md_is_what_a_host_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/protocol.md");
        let text = std::fs::read_to_string(path).unwrap();
        let rows = text
            .lines()
            .skip_while(|line| !line.starts_with("| reason | parameters | gRPC status |"))
            .skip(2)
            .take_while(|line| line.starts_with('|'));
        let mut written = Vec::new();
        for row in rows {
            let [_, codes, parameters, status, ..] = row.split('|').map(str::trim).collect::<Vec<_>>()[..]
            else {
                panic!("a row of another shape: {row}");
            };
            for code in codes.split(", ") {
                let reason = Reason::from_code(code).unwrap_or_else(|| panic!("no reason: {code}"));
                assert_eq!(sorted(parameters, '`', '`'), sorted(reason.summary(), '{', '}'), "{code}");
                assert_eq!(status, status_name(reason), "{code}");
                written.push(reason);
            }
        }
        // The list of all has them in the order in which an ask meets them.
        let place = |of| Reason::ALL.iter().position(|reason| *reason == of).unwrap();
        let mut said = Reason::ALL[place(Reason::TooManyBadAsks)..=place(Reason::Blocked)].to_vec();
        said.push(Reason::TlsRequired);
        for reasons in [&mut written, &mut said] {
            reasons.sort_by_key(|reason| reason.code());
        }
        assert_eq!(written, said);
    }

    /// What stands between the marks, in the order of the alphabet.
    fn sorted(text: &str, open: char, close: char) -> Vec<&str> {
        let mut rest = text;
        let mut found = Vec::new();
        while let Some((_, after)) = rest.split_once(open) {
            let (name, next) = after.split_once(close).unwrap();
            found.push(name);
            rest = next;
        }
        found.sort_unstable();
        found
    }

    fn status_name(reason: Reason) -> &'static str {
        match code(&reason.into()) {
            _ if !reason.may_be_unsigned() => "signed",
            Code::InvalidArgument => "INVALID_ARGUMENT",
            Code::FailedPrecondition => "FAILED_PRECONDITION",
            Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Code::Unavailable => "UNAVAILABLE",
            other => panic!("{} is {other:?}", reason.code()),
        }
    }
}
