//! The bytes of one connection, with two limits that HTTP/2 leaves open (RFC 9113 10.5).
//!
//! - *Frames.* A peer that sends PING, SETTINGS or other frames without end keeps a processor busy. Each frame takes one from an
//!   [`Allowance`], which time and answered asks refill. Beyond it, the connection ends with ENHANCE_YOUR_CALM.
//! - *Data to be sent.* While a peer does not read, we do not read from it, so its queue does not grow. If a peer has not read
//!   anything for [`STALL_LIMIT`], the connection ends.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use shared::time::Clock;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// The number of frames that a connection may send at once, besides those of its calls. A machine sends ten in all.
const FRAMES: u32 = 64;

/// The number of further frames that it may send each second.
const FRAMES_A_SECOND: i64 = 64;

/// The frames of a call: headers, two of data, and an empty one at the end.
const FRAMES_A_CALL: u32 = 4;

/// The number of frames that an answered ask gives back: twice its own, for window updates, and for a proxy that cuts calls differently.
const GIVEN_BACK: u32 = 2 * FRAMES_A_CALL;

/// The time that a peer may leave data unread.
const STALL_LIMIT: Duration = Duration::from_secs(10);

/// The time from ENHANCE_YOUR_CALM to the closing of the connection, in which nothing is read. If it was closed at once, the peer would
/// connect again at once with as many frames.
const CALM: Duration = Duration::from_secs(5);

/// GOAWAY for stream 0 with the last stream 2^31-1, and ENHANCE_YOUR_CALM (RFC 9113 6.8, 7).
const CALM_DOWN: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0x0b];

/// The bytes before a client's first frame (RFC 9113 3.4).
const PREFACE_BYTES: usize = 24;

const FRAME_HEADER_BYTES: usize = 9;

/// The number of frames that a connection may still send.
pub(super) struct Allowance {
    most: i64,
    left: AtomicI64,
    refilled_at: Mutex<Duration>,
    clock: Arc<dyn Clock>,
}

impl Allowance {
    /// The full allowance of a connection with this many calls at once.
    pub(super) fn new(calls: u32, clock: Arc<dyn Clock>) -> Allowance {
        let most = i64::from(FRAMES) + i64::from(calls) * i64::from(FRAMES_A_CALL);
        Allowance { most, left: AtomicI64::new(most), refilled_at: Mutex::new(clock.monotonic()), clock }
    }

    /// Gives back the frames of an answered ask.
    pub(super) fn give_back(&self) {
        self.add(i64::from(GIVEN_BACK));
    }

    fn take(&self, frames: i64) -> bool {
        if 0 <= self.left.fetch_sub(frames, Ordering::Relaxed) - frames {
            return true;
        }
        let now = self.clock.monotonic();
        let mut refilled_at = self.refilled_at.lock().unwrap_or_else(PoisonError::into_inner);
        let passed_ms = i64::try_from(now.saturating_sub(*refilled_at).as_millis()).unwrap_or(i64::MAX);
        *refilled_at = now;
        self.add(passed_ms.saturating_mul(FRAMES_A_SECOND) / 1000);
        0 <= self.left.load(Ordering::Relaxed)
    }

    fn add(&self, frames: i64) {
        let add = |left: i64| Some(left.saturating_add(frames).min(self.most));
        let _ = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }
}

/// The position of one direction within its frames.
#[derive(Debug)]
struct Frames {
    /// The bytes of the preface or of a payload that are missing.
    rest: usize,
    header: [u8; FRAME_HEADER_BYTES],
    header_bytes: usize,
}

impl Frames {
    fn after(preface_bytes: usize) -> Frames {
        Frames { rest: preface_bytes, header: [0; FRAME_HEADER_BYTES], header_bytes: 0 }
    }

    /// The number of frames whose header ends in these bytes.
    fn count(&mut self, mut bytes: &[u8]) -> i64 {
        let mut frames = 0;
        loop {
            let payload = self.rest.min(bytes.len());
            self.rest -= payload;
            bytes = &bytes[payload..];
            if bytes.is_empty() {
                return frames;
            }
            let part = bytes.len().min(FRAME_HEADER_BYTES - self.header_bytes);
            self.header[self.header_bytes..][..part].copy_from_slice(&bytes[..part]);
            self.header_bytes += part;
            bytes = &bytes[part..];
            if self.header_bytes == FRAME_HEADER_BYTES {
                let [high, middle, low, ..] = self.header;
                self.rest = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
                self.header_bytes = 0;
                frames += 1;
            }
        }
    }

    fn is_between_two(&self) -> bool {
        self.rest == 0 && self.header_bytes == 0
    }
}

/// An HTTP/2 stream, from its preface on.
pub(super) struct Metered<S> {
    stream: S,
    allowance: Arc<Allowance>,
    from_peer: Frames,
    to_peer: Frames,
    /// The deadline of a peer that does not read.
    stalled: Option<Pin<Box<Sleep>>>,
    /// The reader to wake when the peer reads again.
    reader: Option<Waker>,
    /// The time to close it, after too many frames.
    calm: Option<Pin<Box<Sleep>>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Metered<S> {
    pub(super) fn new(stream: S, allowance: Arc<Allowance>) -> Metered<S> {
        Metered {
            stream,
            allowance,
            from_peer: Frames::after(PREFACE_BYTES),
            to_peer: Frames::after(0),
            stalled: None,
            reader: None,
            calm: None,
        }
    }

    /// Notes whether the peer reads.
    fn progress<T>(&mut self, cx: &mut Context<'_>, sent: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if sent.is_ready() {
            self.stalled = None;
            if let Some(reader) = self.reader.take() {
                reader.wake();
            }
            return sent;
        }
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(STALL_LIMIT)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "it does not read what is sent to it")))
    }

    /// Sends GOAWAY, unless it would be in the middle of a frame.
    fn calm_down(&mut self, cx: &mut Context<'_>) {
        self.calm = Some(Box::pin(sleep(CALM)));
        if self.to_peer.is_between_two() && self.stalled.is_none() {
            let _ = Pin::new(&mut self.stream).poll_write(cx, &CALM_DOWN);
            let _ = Pin::new(&mut self.stream).poll_flush(cx);
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Some(calm) = &mut this.calm {
            ready!(calm.as_mut().poll(cx));
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::QuotaExceeded, "it sent too many frames")));
        }
        if this.stalled.is_some() {
            this.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let before = into.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, into))?;
        let frames = this.from_peer.count(&into.filled()[before..]);
        if this.allowance.take(frames) {
            return Poll::Ready(Ok(()));
        }
        this.calm_down(cx);
        into.set_filled(before);
        self.poll_read(cx, into)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.calm.is_some() {
            // GOAWAY was sent.
            return Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()));
        }
        let sent = Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        let sent = ready!(this.progress(cx, sent))?;
        let mut counted = 0;
        for slice in slices {
            let part = slice.len().min(sent - counted);
            this.to_peer.count(&slice[..part]);
            counted += part;
        }
        Poll::Ready(Ok(sent))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // TLS buffers bytes before the socket does, and waits here for a peer that does not read.
        let this = self.get_mut();
        let sent = Pin::new(&mut this.stream).poll_flush(cx);
        this.progress(cx, sent)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let sent = Pin::new(&mut this.stream).poll_shutdown(cx);
        this.progress(cx, sent)
    }
}

#[cfg(test)]
mod tests {
    use shared::time::Timestamp;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio::time::timeout;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const PREFACE: &[u8; PREFACE_BYTES] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    const PING: &[u8; 17] = b"\0\0\x08\x06\0\0\0\0\0 alive? ";

    /// Milliseconds, which a test sets.
    #[derive(Default)]
    struct Hand(AtomicI64);

    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            Timestamp::from_unix_ms(0)
        }

        fn monotonic(&self) -> Duration {
            Duration::from_millis(u64::try_from(self.0.load(Ordering::Relaxed)).unwrap())
        }
    }

    fn metered(buffer_bytes: usize) -> (DuplexStream, Metered<DuplexStream>, Arc<Hand>) {
        let (peer, host) = duplex(buffer_bytes);
        let hand = Arc::new(Hand::default());
        (peer, Metered::new(host, Arc::new(Allowance::new(0, hand.clone()))), hand)
    }

    #[test]
    fn frames_are_counted_however_their_bytes_come() {
        let wire = [&PREFACE[..], PING, b"\0\0\0\x04\0\0\0\0\0", PING].concat();
        for pieces in 1..=wire.len() {
            let mut frames = Frames::after(PREFACE_BYTES);
            assert_eq!(wire.chunks(pieces).map(|piece| frames.count(piece)).sum::<i64>(), 3, "in {pieces}");
            assert!(frames.is_between_two());
            frames.count(&PING[..9]);
            assert!(!frames.is_between_two());
        }
    }

    /// Fifty of these brought everybody else to three seconds.
    #[tokio::test(start_paused = true)]
    async fn who_sends_frames_without_end_is_told_to_calm_down_and_cut_off() {
        let (mut peer, mut host, hand) = metered(1 << 20);
        let mut heard = vec![0; 4096];
        peer.write_all(PREFACE).await.unwrap();
        for _ in 0..FRAMES {
            peer.write_all(PING).await.unwrap();
        }
        host.read_exact(&mut vec![0; PREFACE.len() + FRAMES as usize * PING.len()]).await.unwrap();
        hand.0.store(1000, Ordering::Relaxed);
        for _ in 0..FRAMES_A_SECOND {
            peer.write_all(PING).await.unwrap();
            host.read_exact(&mut heard[..PING.len()]).await.expect("a second gives some back");
        }
        host.allowance.give_back();
        for _ in 0..GIVEN_BACK {
            peer.write_all(PING).await.unwrap();
            host.read_exact(&mut heard[..PING.len()]).await.expect("an ask gives some back");
        }
        peer.write_all(PING).await.unwrap();
        let early = timeout(CALM.saturating_sub(SECOND), host.read(&mut heard)).await;
        assert!(early.is_err(), "it would be back at once");
        let error = host.read(&mut heard).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::QuotaExceeded);
        drop(host);
        let mut told = Vec::new();
        peer.read_to_end(&mut told).await.unwrap();
        assert_eq!(told, CALM_DOWN);
    }

    /// Answers queued for such a peer took 1.6 GB in 48 seconds.
    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_is_not_read_and_after_ten_seconds_cut_off() {
        let (mut peer, host, _) = metered(64);
        let (mut reading, mut writing) = tokio::io::split(host);
        let writer = tokio::spawn(async move { writing.write_all(&[7; 100]).await });
        tokio::task::yield_now().await;
        peer.write_all(PREFACE).await.unwrap();
        let read = timeout(STALL_LIMIT.saturating_sub(SECOND), reading.read(&mut [0; 64])).await;
        assert!(read.is_err(), "it is not heard meanwhile");
        assert!(!writer.is_finished());
        let ended = timeout(2 * SECOND, writer).await.expect("it ends").unwrap();
        assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_it_late_is_read_again() {
        let (mut peer, host, _) = metered(64);
        let (mut reading, mut writing) = tokio::io::split(host);
        let writer = tokio::spawn(async move { writing.write_all(&[7; 100]).await });
        tokio::task::yield_now().await;
        peer.write_all(PREFACE).await.unwrap();
        let reader = tokio::spawn(async move { reading.read_exact(&mut [0; 24]).await });
        sleep(STALL_LIMIT.saturating_sub(SECOND)).await;
        peer.read_exact(&mut [0; 100]).await.unwrap();
        writer.await.unwrap().unwrap();
        timeout(SECOND, reader).await.expect("somebody wakes it").unwrap().unwrap();
    }
}
