//! One host, one connection, one question: connects to the first address that accepts, asks, and hangs up. An address that accepts
//! and then gives no answer is passed over for the next.
//!
//! Every way in which that fails becomes a [`Cause`] that names the address. Nothing that a host says without a
//! signature changes any state here: the worst it can do is to be passed over. What signed answers mean is decided in
//! `round`; whom to ask in `discovery`. `docs/protocol.md` 1.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use proto::v1;
use proto::v1::activation_service_client::ActivationServiceClient;
use shared::MAX_MESSAGE_BYTES;
use shared::ask::Rejected;
use shared::reason::{Cause, ERROR_DOMAIN, Reason, is_code};
use shared::time::Length;
use tokio::net::TcpStream;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::codegen::http::{Request, Response as HttpResponse, Uri};
use tonic::{Code, Response, Status};
use tonic_types::StatusExt;

use crate::hosts::HostName;
use crate::way::{Ended, Line, Way};

/// How long one address may take to accept a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);

/// How long the next address of a name waits for the one before it. RFC 8305, section 8: "Recommended to be 250
/// milliseconds."
const STAGGER: Duration = Duration::from_millis(250);

/// How long a host may take to answer. It commits to its disk before it does.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// Why a host gave no answer that could be judged.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) cause: Cause,
    /// When the host would like to be asked again. Nobody has signed it: it is a hint.
    pub(crate) retry_after: Option<Duration>,
    /// The answer that came and was not taken.
    pub(crate) rejected: Option<Rejected>,
}

impl From<Cause> for Failure {
    fn from(cause: Cause) -> Failure {
        Failure { cause, retry_after: None, rejected: None }
    }
}

/// A connection to a host; it is closed when this is dropped.
pub(crate) struct Connection {
    client: ActivationServiceClient<OneConnection>,
    /// Moves the bytes, and knows why it ended.
    driver: JoinHandle<hyper::Result<()>>,
    /// Why TLS ended it, if it did.
    tls_ended: Ended,
    pub(crate) address: SocketAddr,
    /// As the host was named: what causes show.
    host: String,
}

/// The addresses of one host that were not tried yet, and those that did not accept.
pub(crate) struct Addresses {
    left: Vec<SocketAddr>,
    unreached: Vec<Unreached>,
}

impl Addresses {
    /// All of a host's addresses; those in `first` are tried before the others.
    pub(crate) fn of(found: &[SocketAddr], first: &[String]) -> Addresses {
        let mut left = in_turns(found);
        left.sort_by_key(|address| !first.contains(&address.to_string()));
        Addresses { left, unreached: Vec::new() }
    }

    /// Those that were not tried.
    pub(crate) fn left(&self) -> &[SocketAddr] {
        &self.left
    }

    /// Connects to the next of them that accepts, or `None` where none is left that does. What that one then does wrong is told
    /// with its address.
    pub(crate) async fn connect(
        &mut self,
        name: &HostName,
        way: &Way,
    ) -> Option<(SocketAddr, Result<Connection, Failure>)> {
        let (stream, address) = race(&mut self.left, &mut self.unreached).await?;
        Some((address, open(name, stream, address, way).await))
    }

    /// Why those that did not accept were not reached; nothing where each did.
    pub(crate) fn unreached(&self, name: &HostName) -> Option<Failure> {
        (!self.unreached.is_empty()).then(|| unreachable(&name.to_string(), &self.unreached))
    }
}

async fn open(
    name: &HostName,
    stream: TcpStream,
    address: SocketAddr,
    way: &Way,
) -> Result<Connection, Failure> {
    let host = &name.to_string();
    let origin = format!("{}://{}", way.scheme(), name.authority());
    let origin: Uri = origin.parse().map_err(|error| not_a_host(host, &error))?;
    let line = timeout(CONNECT_LIMIT, way.open(stream, name)).await;
    let Line { bytes, ended } = line.map_err(|_| silent(host))??;
    let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(bytes));
    let handshake = timeout(CONNECT_LIMIT, handshake).await;
    let (sender, connection) = handshake
        .map_err(|_| silent(host))?
        .map_err(|error| ended.cause().map_or_else(|| broken(host, &error), |cause| cause.clone().into()))?;
    let client = ActivationServiceClient::with_origin(OneConnection(sender), origin)
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES);
    Ok(Connection { client, driver: tokio::spawn(connection), tls_ended: ended, address, host: host.clone() })
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// HTTP/2 over exactly one connection. tonic's own channel would connect again when this one breaks, and then the
/// cause that is shown would be that of the second, which nobody wanted.
struct OneConnection(SendRequest<Body>);

impl Service<Request<Body>> for OneConnection {
    type Response = HttpResponse<Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = hyper::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}

impl Connection {
    pub(crate) async fn activate(&mut self, request: v1::ActivateRequest) -> Result<v1::Answer, Failure> {
        let answer = timeout(ANSWER_LIMIT, self.client.activate(request)).await;
        self.answer(answer, |response| response.answer).await
    }

    pub(crate) async fn release(&mut self, request: v1::ReleaseRequest) -> Result<v1::Answer, Failure> {
        let answer = timeout(ANSWER_LIMIT, self.client.release(request)).await;
        self.answer(answer, |response| response.answer).await
    }

    async fn answer<R>(
        &mut self,
        answer: Result<Result<Response<R>, Status>, tokio::time::error::Elapsed>,
        open: impl FnOnce(R) -> Option<v1::Answer>,
    ) -> Result<v1::Answer, Failure> {
        match answer {
            Err(_) => Err(silent(&self.host)),
            Ok(Ok(response)) => {
                open(response.into_inner()).ok_or_else(|| not_a_host(&self.host, &"its answer is empty"))
            }
            Ok(Err(status)) => Err(match (self.ended().await, self.tls_ended.cause()) {
                (_, Some(cause)) => cause.clone().into(),
                (Some(Err(error)), None) => broken(&self.host, &error),
                (Some(Ok(())), None) if status.source().is_some() => hung_up(&self.host),
                (Some(Ok(())) | None, None) => explain(&self.host, &status),
            }),
        }
    }

    /// How the connection ended, if it has: the call itself learns only that it did.
    async fn ended(&mut self) -> Option<hyper::Result<()>> {
        if !self.driver.is_finished() {
            tokio::task::yield_now().await;
        }
        if !self.driver.is_finished() {
            return None;
        }
        (&mut self.driver).await.ok()
    }
}

/// IPv6 and IPv4 by turns, so that neither family makes a machine wait for all of the other. The system has put the family first
/// that suits this machine (RFC 6724).
fn in_turns(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let mut first = addresses.iter().filter(|address| address.is_ipv6() == is_v6);
    let mut other = addresses.iter().filter(|address| address.is_ipv6() != is_v6);
    let mut ordered = Vec::new();
    loop {
        let pair = [first.next(), other.next()];
        if pair == [None, None] {
            return ordered;
        }
        ordered.extend(pair.into_iter().flatten().copied());
    }
}

/// An address that did not accept, and why.
type Unreached = (SocketAddr, io::Error);

/// The first connection among these addresses. Each starts when the one before has failed or 250 ms have passed. Those that have
/// come to something are taken out of `left`.
async fn race(left: &mut Vec<SocketAddr>, unreached: &mut Vec<Unreached>) -> Option<(TcpStream, SocketAddr)> {
    let mut waiting = left.clone().into_iter();
    let mut running = JoinSet::new();
    loop {
        let next = waiting.next();
        let more = next.is_some();
        if let Some(address) = next {
            running.spawn(async move { (address, connect_to(address).await) });
        }
        let outcome = if more {
            timeout(STAGGER, running.join_next()).await.ok()
        } else {
            Some(running.join_next().await)
        };
        match outcome {
            Some(Some(Ok((address, connected)))) => {
                left.retain(|other| *other != address);
                match connected {
                    Ok(stream) => return Some((stream, address)),
                    Err(error) => unreached.push((address, error)),
                }
            }
            // Nothing runs and nothing waits.
            Some(None) if !more => return None,
            // The stagger has passed, or the runtime is being stopped.
            Some(_) | None => {}
        }
    }
}

async fn connect_to(address: SocketAddr) -> io::Result<TcpStream> {
    let connected = timeout(CONNECT_LIMIT, TcpStream::connect(address)).await;
    let stream = connected.map_err(|_| {
        let limit = Length(CONNECT_LIMIT);
        io::Error::new(io::ErrorKind::TimedOut, format!("nothing in {limit}"))
    })??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn unreachable(host: &str, unreached: &[Unreached]) -> Failure {
    let cause = match unreached {
        [(_, error)] => error.to_string(),
        several => {
            let each = several.iter().map(|(address, error)| format!("{address}: {error}"));
            each.collect::<Vec<_>>().join("; ")
        }
    };
    Reason::HostUnreachable.with(&[("address", &host), ("cause", &cause)]).into()
}

fn silent(host: &str) -> Failure {
    Reason::HostSilent.with(&[("address", &host)]).into()
}

fn not_a_host(host: &str, cause: &dyn std::fmt::Display) -> Failure {
    Reason::NotAHost.with(&[("address", &host), ("cause", cause)]).into()
}

/// What a gRPC status says. One with a reason that our hosts leave unsigned may come from a host; all others come from whatever
/// else listens there.
fn explain(host: &str, status: &Status) -> Failure {
    let info = status.get_details_error_info();
    if let Some(info) = info.filter(|info| info.domain == ERROR_DOMAIN && is_code(&info.reason)) {
        let Some(cause) = Cause::unsigned(info.reason.clone(), info.metadata, &host) else {
            return not_a_host(host, &format!("it says {} without a signature", info.reason));
        };
        let retry_after = status.get_details_retry_info().and_then(|info| info.retry_delay);
        return Failure { cause, retry_after, rejected: None };
    }
    match status.code() {
        // tonic reports its own deadline as cancelled.
        Code::DeadlineExceeded | Code::Cancelled => silent(host),
        Code::Unimplemented => not_a_host(host, &"it does not offer activation"),
        // tonic reports an answer beyond the limit as out of range.
        Code::OutOfRange => not_a_host(host, &format!("its answer is larger than {MAX_MESSAGE_BYTES} bytes")),
        code => match status.source() {
            Some(source) => broken(host, source),
            None => not_a_host(host, &format!("gRPC status {code:?}: {}", status.message())),
        },
    }
}

/// A connection that ended before the answer: the host died, or what listens there speaks something else.
fn broken(host: &str, error: &(dyn Error + 'static)) -> Failure {
    match causes(error).find_map(|error| error.downcast_ref::<io::Error>()) {
        Some(io) => Reason::HostUnreachable
            .with(&[("address", &host), ("cause", &format!("the connection broke: {io}"))])
            .into(),
        None => not_a_host(host, &innermost(error)),
    }
}

fn hung_up(host: &str) -> Failure {
    Reason::HostUnreachable.with(&[("address", &host), ("cause", &"it hung up before it answered")]).into()
}

/// The last of a chain of errors says what happened; those before it say where.
fn innermost(error: &(dyn Error + 'static)) -> String {
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}

/// An error, the one that caused it, and so on.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(addresses: &[&str], expected: &[&str]) {
        let parse = |text: &&str| SocketAddr::new(text.parse().unwrap(), 1);
        let addresses: Vec<_> = addresses.iter().map(parse).collect();
        assert_eq!(in_turns(&addresses), expected.iter().map(parse).collect::<Vec<_>>());
    }

    #[test]
    fn the_two_families_take_turns_and_the_system_says_which_is_first() {
        check(
            &["::1", "::2", "10.0.0.1", "10.0.0.2", "10.0.0.3"],
            &["::1", "10.0.0.1", "::2", "10.0.0.2", "10.0.0.3"],
        );
        check(&["10.0.0.1", "10.0.0.2", "::1"], &["10.0.0.1", "::1", "10.0.0.2"]);
        check(&[], &[]);
    }
}
