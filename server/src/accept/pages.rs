//! A connection of a browser or of another client of HTTP: HTTP/1.1 or HTTP/2, within limits of its own.
//!
//! It begins like every connection: a place, a first byte, TLS. From then on a [`PageHandler`] answers its requests. One that comes in the
//! clear although TLS is required is sent to the same address with `https`.

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{sleep, timeout};
use tonic::codegen::http::header::{HOST, LOCATION};
use tonic::codegen::http::{HeaderValue, Request, Response, StatusCode};

use super::connection::{CONNECTION_AGE, Ends, Speech};
use super::door::Admission;
use super::greeting::Greeted;
use super::places::Place;
use crate::source::Source;
use crate::tls::Tls;

/// The time limit of one request, including the time to read it. Uploads are a few megabytes.
pub const PAGE_DEADLINE: Duration = Duration::from_secs(30);

/// The time to send the headers of a request, and the time between two requests.
const HEADERS_WITHIN: Duration = Duration::from_secs(30);

/// The largest headers of one request: those of browsers with a few cookies have 2 KiB.
const HEADERS_LIMIT_BYTES: u32 = 16 * 1024;

/// The number of requests that a browser may have open at once on one HTTP/2 connection. Each holds what it has sent.
const REQUESTS_AT_ONCE: u32 = 32;

/// Answers the requests of browsers.
pub trait PageHandler: Send + Sync + 'static {
    /// The body of an answer.
    type Body: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + Unpin + 'static;

    /// Answers a request. After [`PAGE_DEADLINE`] the future is dropped.
    fn answer(
        &self,
        request: Request<Incoming>,
        source: Source,
    ) -> impl Future<Output = Response<Self::Body>> + Send;
}

/// The handler, as what is spoken on each of its connections.
pub(super) struct Pages<H>(pub(super) H);

impl<H: PageHandler> Speech for Pages<H> {
    async fn converse(
        self: Arc<Self>,
        greeted: Greeted,
        place: &Arc<Place>,
        admission: &Admission,
        ends: &Ends,
    ) -> io::Result<()> {
        match greeted {
            Greeted::Plain(stream) => {
                let needs_tls = matches!(admission.tls, Tls::Required(_));
                Box::pin(speak(stream, self, place.source, needs_tls, ends)).await
            }
            Greeted::Tls(stream) => Box::pin(speak(*stream, self, place.source, false, ends)).await,
        }
    }
}

async fn speak<S, H>(
    stream: S,
    pages: Arc<Pages<H>>,
    source: Source,
    needs_tls: bool,
    ends: &Ends,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: PageHandler,
{
    let answer = service_fn(move |request: Request<Incoming>| {
        let pages = pages.clone();
        async move {
            if needs_tls {
                return Ok::<_, Infallible>(by_tls(&request).map(|()| Page(None)));
            }
            let answered = timeout(PAGE_DEADLINE, pages.0.answer(request, source)).await;
            Ok(match answered {
                Ok(answer) => answer.map(|body| Page(Some(body))),
                Err(_) => bare(StatusCode::SERVICE_UNAVAILABLE).map(|()| Page(None)),
            })
        }
    });
    let mut http = Builder::new(TokioExecutor::new());
    http.http1().timer(TokioTimer::new()).header_read_timeout(HEADERS_WITHIN).max_buf_size(64 * 1024);
    http.http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(REQUESTS_AT_ONCE)
        .max_header_list_size(HEADERS_LIMIT_BYTES)
        .keep_alive_interval(HEADERS_WITHIN)
        .keep_alive_timeout(HEADERS_WITHIN);
    let mut serving = pin!(http.serve_connection(TokioIo::new(stream), answer));
    let time_left = tokio::select! {
        ended = serving.as_mut() => return ended.map_err(io::Error::other),
        () = sleep(CONNECTION_AGE) => PAGE_DEADLINE,
        () = ends.stops.cancelled() => Duration::MAX,
    };
    serving.as_mut().graceful_shutdown();
    timeout(time_left, serving).await.unwrap_or(Ok(())).map_err(io::Error::other)
}

/// Sends whoever came in the clear to the same address with TLS.
fn by_tls(request: &Request<Incoming>) -> Response<()> {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let there = host.and_then(|host| HeaderValue::from_str(&format!("https://{host}{path}")).ok());
    let Some(there) = there else { return bare(StatusCode::BAD_REQUEST) };
    let mut answer = bare(StatusCode::PERMANENT_REDIRECT);
    answer.headers_mut().insert(LOCATION, there);
    answer
}

fn bare(status: StatusCode) -> Response<()> {
    let mut answer = Response::new(());
    *answer.status_mut() = status;
    answer
}

/// The body of an answer, or none.
struct Page<B>(Option<B>);

impl<B: Body<Data = Bytes> + Unpin> Body for Page<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match &mut self.0 {
            Some(body) => std::pin::Pin::new(body).poll_frame(cx),
            None => std::task::Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}
