//! One call: the limits that hold for each, whatever it asks for. The program's [`CallHandler`] has the services.
//!
//! A call is a POST of `application/grpc` to a known method; anything else gets an HTTP error. A call takes a place before its body
//! is read.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Frame, Incoming, SizeHint};
use shared::reason::Reason;
use tokio::time::timeout;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::http::header::{ALLOW, CONTENT_TYPE};
use tonic::codegen::http::{HeaderValue, Method, Request, Response, StatusCode};

use super::line::{Line, OpenCall};
use crate::unanswered::{OVERLOADED_RETRY, Unanswered, status};

/// The time limit of one call, including the time to read a slow request.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// Answers the calls of a program.
pub trait CallHandler: Send + Sync + 'static {
    /// A method that can be called.
    type Called: Send;

    /// The method at this path, such as `/kms.v1.ActivationService/Activate`. `None` leads to an HTTP error.
    fn called(&self, path: &str) -> Option<Self::Called>;

    /// Answers a call. After [`DEADLINE`] the future is dropped.
    fn answer(
        &self,
        called: Self::Called,
        request: Request<Incoming>,
        line: &Line,
    ) -> impl Future<Output = Result<Response<Body>, Status>> + Send;

    /// Refuses a call because there is no place for it.
    fn refuse_without_place(&self) -> Unanswered {
        Unanswered { cause: Reason::Overloaded.into(), retry_in: Some(OVERLOADED_RETRY) }
    }
}

/// The body of an answer. The call stays open until it is dropped.
pub(super) struct Answered {
    body: Body,
    _call: Option<OpenCall>,
}

impl Answered {
    /// An empty body without an open call.
    pub(super) fn empty() -> Answered {
        Answered { body: Body::empty(), _call: None }
    }
}

/// Answers one call of any kind.
pub(super) async fn answer(
    handler: &impl CallHandler,
    request: Request<Incoming>,
    line: &Arc<Line>,
) -> Response<Answered> {
    let called = match called(handler, &request) {
        Ok(called) => called,
        Err(error) => return error.map(|()| Answered::empty()),
    };
    let mut call = None;
    let answer = async {
        if line.needs_tls() {
            return Err(status(Reason::TlsRequired.into()));
        }
        call = Some(line.open().ok_or_else(|| status(handler.refuse_without_place()))?);
        handler.answer(called, request, line).await
    };
    let late = |_| Err(Status::deadline_exceeded(format!("the call was not over after {DEADLINE:?}")));
    let answer = timeout(DEADLINE, pin!(answer)).await.unwrap_or_else(late);
    answer.unwrap_or_else(Status::into_http).map(|body| Answered { body, _call: call })
}

/// The called method, or the HTTP error that gRPC defines for other requests.
fn called<H: CallHandler>(handler: &H, request: &Request<Incoming>) -> Result<H::Called, Response<()>> {
    let error = |status, header: Option<(_, &'static str)>| {
        let mut error = Response::new(());
        *error.status_mut() = status;
        error.headers_mut().extend(header.map(|(name, value)| (name, HeaderValue::from_static(value))));
        error
    };
    if request.method() != Method::POST {
        return Err(error(StatusCode::METHOD_NOT_ALLOWED, Some((ALLOW, "POST"))));
    }
    let kind = request.headers().get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    if !kind.starts_with(b"application/grpc") {
        return Err(error(StatusCode::UNSUPPORTED_MEDIA_TYPE, None));
    }
    handler.called(request.uri().path()).ok_or_else(|| error(StatusCode::NOT_FOUND, None))
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
