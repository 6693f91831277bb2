//! The first words of a newcomer: they say whether it speaks TLS, and whether it may go on.
//!
//! The first byte and the TLS handshake have a time each; what comes after them is `connection`'s. Who fails is told why by a
//! TLS alert. Who speaks in the clear where TLS is required hears it in answer to each call.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

use super::places::Place;
use super::turned_away::Why;
use crate::door::tls::{Server, Tls};

/// The first byte of TLS: a record of the handshake (RFC 8446 5.1). HTTP/2 begins with a letter.
const TLS_HANDSHAKE: u8 = 0x16;

/// How long a newcomer may take for its first byte.
const FIRST_BYTE_LIMIT: Duration = Duration::from_secs(10);

/// How long it may take for the TLS handshake.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

/// What a host without TLS says to whoever begins with it: a fatal alert, protocol_version (RFC 8446 6.2: "The protocol
/// version the peer has attempted to negotiate is recognized but not supported").
const NO_TLS_HERE: [u8; 7] = [0x15, 3, 3, 0, 2, 2, 70];

/// How long, and for how many bytes, we still read from a peer that was told to go.
const FAREWELL_LIMIT: Duration = Duration::from_secs(2);
const FAREWELL_BYTES: usize = 64 * 1024;

/// A newcomer, by how it speaks.
pub(super) enum Greeted {
    /// In the clear.
    Plain(TcpStream),
    /// By TLS, whose handshake is done.
    Tls(Box<TlsStream<TcpStream>>),
}

/// Opens TLS with a newcomer that `begins_with_tls`.
pub(super) async fn greet(
    stream: TcpStream,
    begins_with_tls: bool,
    place: &Place,
    tls: &Tls,
) -> io::Result<Greeted> {
    match (tls, begins_with_tls) {
        (Tls::Off, true) => {
            place.turn_away(Why::TlsIsOff);
            take_leave(stream, &NO_TLS_HERE).await;
            Err(io::Error::new(io::ErrorKind::InvalidData, "it speaks TLS, which is off"))
        }
        (Tls::Offered(server) | Tls::Required(server), true) => open_tls(stream, place, server).await,
        (_, false) => Ok(Greeted::Plain(stream)),
    }
}

/// Looks at the first byte, and leaves it where it is.
pub(super) async fn begins_with_tls(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0];
    match timeout(FIRST_BYTE_LIMIT, stream.peek(&mut first)).await {
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "it said nothing for too long")),
        Ok(Ok(0)) => Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(peeked) => peeked.map(|_| first[0] == TLS_HANDSHAKE),
    }
}

async fn open_tls(stream: TcpStream, place: &Place, server: &Server) -> io::Result<Greeted> {
    let handshake = server.acceptor().accept(stream).into_fallible();
    match timeout(HANDSHAKE_LIMIT, handshake).await {
        Err(_) => {
            let error = io::Error::new(io::ErrorKind::TimedOut, "it did not end the TLS handshake in time");
            place.turn_away_for(Why::TlsFailed, &error);
            Err(error)
        }
        Ok(Err((error, stream))) => {
            place.turn_away_for(Why::TlsFailed, &error);
            // The alert that says why is on its way already.
            take_leave(stream, &[]).await;
            Err(error)
        }
        Ok(Ok(stream)) => Ok(Greeted::Tls(Box::new(stream))),
    }
}

/// Says a last word and waits for the peer to go. Closing a socket with unread bytes in it resets the connection, and the
/// peer would lose the word with it.
async fn take_leave(mut stream: TcpStream, word: &[u8]) {
    let leaving = async {
        stream.write_all(word).await?;
        stream.shutdown().await?;
        let (mut heard, mut some) = (0, [0; 1024]);
        while heard < FAREWELL_BYTES {
            match stream.read(&mut some).await? {
                0 => break,
                read => heard += read,
            }
        }
        io::Result::Ok(())
    };
    // Who does not listen, or does not go, has had its chance.
    let _ = timeout(FAREWELL_LIMIT, leaving).await;
}
