//! A connection, from its first byte to its end: one task that owns its place, its deadlines and its TLS.
//!
//! It waits for a first byte, then for a unit to speak (`places`), then speaks HTTP/2 until one of these:
//!
//! - its source gives way, or the program has drained: it is cut
//! - no call was open for 10 s, it is as old as [`CONNECTION_AGE`], or the program stops: it is asked to go
//! - it sends too many frames, or does not read what the program sends (`metered`)
//!
//! `call` answers the calls. `pages` speaks to browsers instead, on connections that begin in the same way.

use std::convert::Infallible;
use std::error::Error as _;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use shared::time::Clock;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tonic::codegen::http::{Request, Response};

use super::call::{self, Answered, CallHandler, DEADLINE};
use super::door::Admission;
use super::greeting::{Greeted, begins_with_tls, greet};
use super::line::Line;
use super::metered::{Allowance, Metered};
use super::places::Place;
use super::turned_away::Why;
use crate::tls::Tls;

/// The time that a connection may wait for a unit. Only a source that holds as many as any other has to wait.
const SPEAKING_LIMIT: Duration = Duration::from_secs(10);

/// An older connection is asked to go, so that an added or repaired host gets its share of the peers.
pub(super) const CONNECTION_AGE: Duration = Duration::from_mins(5);

/// The time for a peer without a call to go after it was asked to.
const FAREWELL_LIMIT: Duration = Duration::from_secs(1);

/// The largest headers of one call. Ours have less than 300 bytes; the rest is for additions by proxies.
const HEADERS_LIMIT_BYTES: u32 = 8 * 1024;

/// The bytes of one call that a peer may send before they are read: the largest ask.
const CALL_WINDOW_BYTES: u32 = 20 * 1024;

/// The bytes of all its calls that a peer may send before they are read: the least that HTTP/2 allows (RFC 9113 6.9.2).
const WINDOW_BYTES: u32 = 65_535;

/// The bytes to keep of an answer that a peer does not read. No answer is larger.
const SEND_BUFFER_BYTES: usize = 16 * 1024;

/// The number of calls that we reset for faults of the peer before we close the connection.
const RESETS: usize = 64;

/// The two signals that end every connection.
#[derive(Clone, Debug)]
pub(super) struct Ends {
    /// The program stops: peers are asked to go.
    pub(super) stops: CancellationToken,
    /// The program has drained: connections are cut.
    pub(super) is_drained: CancellationToken,
}

/// What is spoken on a connection once it is open.
pub(super) trait Speech: Send + Sync + 'static {
    /// Speaks until the connection ends. A place that is needed elsewhere drops the future.
    fn converse(
        self: Arc<Self>,
        greeted: Greeted,
        place: &Arc<Place>,
        admission: &Admission,
        ends: &Ends,
    ) -> impl Future<Output = io::Result<()>> + Send;
}

/// What answers the calls, and the time in which their frames are counted.
pub(super) struct Handling<H> {
    pub(super) handler: H,
    pub(super) clock: Arc<dyn Clock>,
}

/// The whole life of a connection.
pub(super) async fn live(
    stream: TcpStream,
    place: Place,
    admission: Arc<Admission>,
    speech: Arc<impl Speech>,
    ends: Ends,
) {
    let place = Arc::new(place);
    let ended = tokio::select! {
        ended = welcome(stream, &place, &admission, speech, &ends) => ended,
        () = place.is_needed() => Err(io::Error::other("its place was needed")),
        () = ends.is_drained.cancelled() => Ok(()),
    };
    if let Err(error) = ended {
        if error.kind() == io::ErrorKind::QuotaExceeded {
            place.turn_away(Why::TooManyFrames);
        }
        tracing::debug!(%error, "a connection ended");
    }
}

async fn welcome(
    stream: TcpStream,
    place: &Arc<Place>,
    admission: &Admission,
    speech: Arc<impl Speech>,
    ends: &Ends,
) -> io::Result<()> {
    // A call is one small message each way, so waiting for more data to send would only delay it.
    stream.set_nodelay(true)?;
    let greeted = async {
        let begins_with_tls = begins_with_tls(&stream).await?;
        if timeout(SPEAKING_LIMIT, place.may_speak()).await.is_err() {
            place.turn_away(Why::NoPlace);
            return Err(io::Error::new(io::ErrorKind::TimedOut, "there was no unit for it"));
        }
        Box::pin(greet(stream, begins_with_tls, place, &admission.tls)).await
    };
    let greeted = tokio::select! {
        greeted = greeted => greeted?,
        () = ends.stops.cancelled() => return Ok(()),
    };
    speech.converse(greeted, place, admission, ends).await
}

/// Calls of gRPC over HTTP/2.
impl<H: CallHandler> Speech for Handling<H> {
    async fn converse(
        self: Arc<Self>,
        greeted: Greeted,
        place: &Arc<Place>,
        admission: &Admission,
        ends: &Ends,
    ) -> io::Result<()> {
        let at_once = admission.settings.calls_per_connection;
        let line = |needs_tls| {
            let allowance = Arc::new(Allowance::new(at_once, self.clock.clone()));
            Arc::new(Line::new(place.clone(), allowance, needs_tls))
        };
        let answer = |request, line: Arc<Line>| {
            let handling = self.clone();
            async move { call::answer(&handling.handler, request, &line).await }
        };
        let stops = ends.stops.cancelled();
        match greeted {
            Greeted::Plain(stream) => {
                let line = line(matches!(admission.tls, Tls::Required(_)));
                Box::pin(speak(stream, line, at_once, answer, stops)).await
            }
            Greeted::Tls(stream) => Box::pin(speak(*stream, line(false), at_once, answer, stops)).await,
        }
    }
}

/// Runs HTTP/2 to its end. A peer that takes too long for its preface counts as idle.
async fn speak<S, R>(
    stream: S,
    line: Arc<Line>,
    calls: u32,
    answer: impl Fn(Request<Incoming>, Arc<Line>) -> R,
    stops: impl Future<Output = ()>,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
    R: Future<Output = Response<Answered>> + Send + 'static,
{
    let answering = line.clone();
    let answer = service_fn(move |request| {
        let answered = answer(request, answering.clone());
        async { Ok::<_, Infallible>(answered.await) }
    });
    let stream = TokioIo::new(Metered::new(stream, line.allowance()));
    let mut serving = pin!(bounded(calls).serve_connection(stream, answer));
    let time_left = tokio::select! {
        ended = serving.as_mut() => return ended.map_err(why),
        () = line.is_idle() => FAREWELL_LIMIT,
        () = sleep(CONNECTION_AGE) => DEADLINE,
        () = stops => Duration::MAX,
    };
    serving.as_mut().graceful_shutdown();
    timeout(time_left, serving).await.unwrap_or(Ok(())).map_err(why)
}

/// HTTP/2 with all limits of one connection.
fn bounded(calls: u32) -> http2::Builder<TokioExecutor> {
    let mut http2 = http2::Builder::new(TokioExecutor::new());
    http2
        .max_concurrent_streams(calls)
        .max_header_list_size(HEADERS_LIMIT_BYTES)
        .initial_stream_window_size(CALL_WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .max_send_buf_size(SEND_BUFFER_BYTES)
        .max_local_error_reset_streams(RESETS);
    http2
}

/// The error of the stream below, if that ended the connection. h2 has limits of its own on fast peers.
fn why(error: hyper::Error) -> io::Error {
    let cause = error.source();
    if let Some(io) = cause.and_then(|cause| cause.downcast_ref::<io::Error>()) {
        return io::Error::new(io.kind(), io.to_string());
    }
    let reason = cause.and_then(|cause| cause.downcast_ref::<h2::Error>()).and_then(h2::Error::reason);
    let hurried = reason == Some(h2::Reason::ENHANCE_YOUR_CALM);
    io::Error::new(if hurried { io::ErrorKind::QuotaExceeded } else { io::ErrorKind::Other }, error)
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::Mutex;

    use shared::time::Timestamp;
    use tokio::io::{
        AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, ReadHalf, WriteHalf, duplex, split,
    };
    use tokio::task::JoinHandle;

    use super::super::Limits;
    use super::super::places::Places;
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// What a client says first, and settings, which are empty.
    const OPENING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

    /// A call for nothing: HEADERS of the static table alone, without an end of the stream.
    const CALL: &[u8] = b"\0\0\x03\x01\x04\0\0\0\x01\x83\x86\x84";

    const PING: u8 = 6;
    const GOAWAY: u8 = 7;

    struct StandsStill;

    impl shared::time::Clock for StandsStill {
        fn now(&self) -> Timestamp {
            Timestamp::from_unix_ms(0)
        }

        fn monotonic(&self) -> Duration {
            Duration::ZERO
        }
    }

    /// A connection to a host whose every call stays open for so long.
    struct Peer {
        to_host: WriteHalf<DuplexStream>,
        from_host: ReadHalf<DuplexStream>,
        stops: CancellationToken,
        serving: JoinHandle<io::Result<()>>,
    }

    impl Peer {
        fn of(call_takes: Duration) -> Peer {
            let (peer, host) = duplex(64 * 1024);
            let places = Arc::new(Places::new(Limits { in_all: 9, per_address: 9 }, "", Arc::new(())));
            let place = Arc::new(places.take(IpAddr::V4(Ipv4Addr::LOCALHOST)).unwrap());
            let allowance = Arc::new(Allowance::new(4, Arc::new(StandsStill)));
            let line = Arc::new(Line::new(place, allowance, false));
            let answer = move |_, line: Arc<Line>| async move {
                let call = line.open();
                sleep(call_takes).await;
                drop(call);
                Response::new(Answered::empty())
            };
            let stops = CancellationToken::new();
            let stopping = stops.clone();
            let serving =
                tokio::spawn(async move { speak(host, line, 4, answer, stopping.cancelled()).await });
            let (from_host, to_host) = split(peer);
            Peer { to_host, from_host, stops, serving }
        }

        async fn says(&mut self, bytes: &[u8]) {
            self.to_host.write_all(bytes).await.unwrap();
        }

        /// How long the host keeps the connection, to a second, and whether it has said GOAWAY before.
        async fn ends(self, answers_pings: bool) -> (u64, bool) {
            let Peer { mut to_host, mut from_host, serving, stops: _stops } = self;
            let went = Arc::new(Mutex::new(false));
            let went_there = went.clone();
            tokio::spawn(async move {
                let mut header = [0; 9];
                while from_host.read_exact(&mut header).await.is_ok() {
                    let mut payload = vec![0; usize::from(header[1]) << 8 | usize::from(header[2])];
                    from_host.read_exact(&mut payload).await.unwrap();
                    match (header[3], header[4]) {
                        (PING, 0) if answers_pings => {
                            let pong = [&[0, 0, 8, PING, 1, 0, 0, 0, 0], &payload[..]].concat();
                            let _ = to_host.write_all(&pong).await;
                        }
                        (GOAWAY, _) => *went_there.lock().unwrap() = true,
                        _ => {}
                    }
                }
                // Its half is kept, so that it is the host who ends it.
                pending::<()>().await;
                drop(to_host);
            });
            tokio::pin!(serving);
            let mut seconds = 0;
            loop {
                tokio::select! {
                    biased;
                    _ = &mut serving => break,
                    () = sleep(SECOND) => seconds += 1,
                }
            }
            let went = *went.lock().unwrap();
            (seconds, went)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_without_a_call_is_asked_to_go_after_ten_seconds() {
        let mut peer = Peer::of(SECOND);
        peer.says(OPENING).await;
        assert_eq!(peer.ends(true).await, (10, true));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_does_not_go_is_cut_a_second_later() {
        let mut peer = Peer::of(SECOND);
        peer.says(OPENING).await;
        assert_eq!(peer.ends(false).await, (11, true));
    }

    /// hyper alone waits for the preface without end.
    #[tokio::test(start_paused = true)]
    async fn one_that_never_says_what_it_speaks_is_cut_like_one_that_does_not_go() {
        let mut peer = Peer::of(SECOND);
        peer.says(&OPENING[..12]).await;
        assert_eq!(peer.ends(true).await.0, 11);
    }

    #[tokio::test(start_paused = true)]
    async fn the_ten_seconds_begin_when_the_last_call_has_ended() {
        for seconds in [7, 12] {
            let mut peer = Peer::of(seconds * SECOND);
            peer.says(OPENING).await;
            peer.says(CALL).await;
            assert_eq!(peer.ends(true).await, (u64::from(seconds) + 10, true));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_old_is_asked_to_go_and_its_call_may_end() {
        let age = CONNECTION_AGE.as_secs();
        let mut peer = Peer::of(CONNECTION_AGE + 4 * SECOND);
        peer.says(OPENING).await;
        peer.says(CALL).await;
        assert_eq!(peer.ends(true).await, (age + 4, true));

        let mut peer = Peer::of(CONNECTION_AGE * 2);
        peer.says(OPENING).await;
        peer.says(CALL).await;
        assert_eq!(
            peer.ends(true).await,
            (age + DEADLINE.as_secs(), true),
            "or not for longer than any call"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_that_stops_asks_to_go_at_once_and_lets_calls_end() {
        let mut peer = Peer::of(3 * SECOND);
        peer.says(OPENING).await;
        peer.says(CALL).await;
        sleep(SECOND / 2).await;
        peer.stops.cancel();
        assert_eq!(peer.ends(true).await, (2, true));
    }

    #[tokio::test(start_paused = true)]
    async fn a_browser_is_not_served() {
        let mut peer = Peer::of(SECOND);
        peer.says(b"GET / HTTP/1.1\r\nHost: host-a\r\n\r\n").await;
        assert_eq!(peer.ends(true).await.0, 0);
    }
}
