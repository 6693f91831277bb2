//! A connection of a machine, from its first words to its end.
//!
//! It says that it speaks HTTP/2 before it is one, holds a place as long as it is one, and fails when it has been one for too
//! long. Everything between is the transport's, as bounded in [`serve`](crate::serve()).

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::time::Sleep;
use tonic::transport::server::Connected;

use super::places::Place;
use super::socket::Socket;
use crate::serve::CONNECTION_AGE;
use crate::service::DEADLINE;

/// What every HTTP/2 client says first (RFC 9113 3.4: "The client connection preface starts with a sequence of 24 octets").
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How long a newcomer may take for the whole of it. hyper waits for it without end, past its keepalive and past its age.
const PREFACE_LIMIT: Duration = Duration::from_secs(10);

/// When a connection fails, whatever it does. It was asked to go long before, but tonic waits for a peer that never takes its
/// answer, and with `max_connection_age_grace` it forgets to ask (seen in 0.14.9).
const LONGEST_STAY: Duration = CONNECTION_AGE.saturating_add(DEADLINE);

/// A connection that has said that it speaks HTTP/2. It holds a place until it is dropped.
#[derive(Debug)]
pub struct Connection<S = Socket> {
    stream: S,
    longest_stay: Pin<Box<Sleep>>,
    /// How much of the preface, which was read when it came in, was given to the reader again.
    repeated: usize,
    place: Place,
}

impl<S> Connection<S> {
    /// An error once it has been here too long, of which the task that reads or writes is woken.
    fn may_stay(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.longest_stay.as_mut().poll(cx) {
            Poll::Ready(()) => Err(io::Error::new(io::ErrorKind::TimedOut, "it stayed too long")),
            Poll::Pending => Ok(()),
        }
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }
}

impl<S: AsyncRead + Unpin> Connection<S> {
    /// Waits for the preface.
    ///
    /// # Errors
    /// Something else came, or too little for too long.
    pub(super) async fn greeted(mut stream: S, place: Place) -> io::Result<Connection<S>> {
        let mut said = [0; PREFACE.len()];
        let Ok(read) = tokio::time::timeout(PREFACE_LIMIT, stream.read_exact(&mut said)).await else {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "it said too little for too long"));
        };
        read?;
        if said != *PREFACE {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it does not speak HTTP/2"));
        }
        let longest_stay = Box::pin(tokio::time::sleep(LONGEST_STAY));
        Ok(Connection { stream, longest_stay, repeated: 0, place })
    }
}

impl<S: Connected> Connected for Connection<S> {
    type ConnectInfo = S::ConnectInfo;

    fn connect_info(&self) -> S::ConnectInfo {
        self.stream.connect_info()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Connection<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.may_stay(cx)?;
        let rest = &PREFACE[this.repeated..];
        if rest.is_empty() {
            return Pin::new(&mut this.stream).poll_read(cx, into);
        }
        let part = &rest[..rest.len().min(into.remaining())];
        into.put_slice(part);
        this.repeated += part.len();
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.may_stay(cx)?;
        Pin::new(&mut this.stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // TLS takes bytes before the socket does, and waits here for a peer that takes none.
        let this = self.get_mut();
        this.may_stay(cx)?;
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.may_stay(cx)?;
        Pin::new(&mut this.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.may_stay(cx)?;
        Pin::new(&mut this.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::Arc;

    use tokio::io::{AsyncWriteExt as _, DuplexStream, duplex};
    use tokio::time::{sleep, timeout};

    use super::super::Limits;
    use super::super::places::Places;
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    async fn greeted(stream: DuplexStream) -> io::Result<Connection<DuplexStream>> {
        let places = Arc::new(Places::new(Limits::default(), Arc::default()));
        Connection::greeted(stream, places.take(IpAddr::V4(Ipv4Addr::LOCALHOST)).unwrap()).await
    }

    #[tokio::test(start_paused = true)]
    async fn who_says_one_byte_a_second_is_cut_off_in_the_tenth_second() {
        let (mut peer, host) = duplex(64);
        let trickling = tokio::spawn(async move {
            for (second, byte) in PREFACE.iter().enumerate() {
                if peer.write_all(&[*byte]).await.is_err() {
                    return second;
                }
                sleep(SECOND).await;
            }
            PREFACE.len()
        });
        assert_eq!(greeted(host).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!((10..=11).contains(&trickling.await.unwrap()), "nobody listens to the rest");
    }

    #[tokio::test(start_paused = true)]
    async fn who_speaks_in_the_last_second_is_heard_from_the_first_byte_on() {
        let (mut peer, host) = duplex(64);
        tokio::spawn(async move {
            sleep(PREFACE_LIMIT.saturating_sub(SECOND)).await;
            peer.write_all(PREFACE).await.unwrap();
            peer.write_all(b"and more").await.unwrap();
        });
        let mut connection = greeted(host).await.unwrap();
        // In pieces, as a reader with a small buffer takes it.
        let mut heard = vec![0; 5];
        connection.read_exact(&mut heard).await.unwrap();
        connection.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, [&PREFACE[..], b"and more"].concat());
    }

    #[tokio::test]
    async fn a_browser_is_not_served() {
        let (mut peer, host) = duplex(64);
        peer.write_all(b"GET / HTTP/1.1\r\nHost: host-a\r\n").await.unwrap();
        assert_eq!(greeted(host).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[tokio::test(start_paused = true)]
    async fn who_stays_in_spite_of_everything_is_cut_off() {
        let (mut peer, host) = duplex(64);
        peer.write_all(PREFACE).await.unwrap();
        let mut connection = greeted(host).await.unwrap();
        connection.read_exact(&mut [0; PREFACE.len()]).await.unwrap();
        let mut more = [0];
        let early = timeout(LONGEST_STAY.saturating_sub(SECOND), connection.read(&mut more)).await;
        assert!(early.is_err(), "it may stay until then");
        let late = timeout(2 * SECOND, connection.read(&mut more)).await.expect("it ends");
        assert_eq!(late.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(connection.write(b"more").await.is_err());
    }

    /// Takes everything, and never has it sent: TLS, before a peer that reads no more.
    struct NeverSent(DuplexStream);

    impl AsyncRead for NeverSent {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            into: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_read(cx, into)
        }
    }

    impl AsyncWrite for NeverSent {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    /// Only reading and writing ended such a connection, and over TLS neither is what it waits for: it kept its place for ever.
    #[tokio::test(start_paused = true)]
    async fn whose_peer_takes_nothing_any_more_is_cut_off_while_it_is_flushed_or_shut_down() {
        let (mut peer, host) = duplex(64);
        peer.write_all(PREFACE).await.unwrap();
        let places = Arc::new(Places::new(Limits::default(), Arc::default()));
        let place = places.take(IpAddr::V4(Ipv4Addr::LOCALHOST)).unwrap();
        let mut connection = Connection::greeted(NeverSent(host), place).await.unwrap();
        connection.write_all(b"an answer").await.unwrap();
        let flushed = timeout(LONGEST_STAY + SECOND, connection.flush()).await.expect("it ends");
        assert_eq!(flushed.unwrap_err().kind(), io::ErrorKind::TimedOut);
        let shut_down = timeout(SECOND, connection.shutdown()).await.expect("it ends");
        assert_eq!(shut_down.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
