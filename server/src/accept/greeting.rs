//! The beginning of a connection: the first byte shows whether the peer speaks TLS.
//!
//! The first byte and the TLS handshake have a time limit each. After them, `connection` goes on. A TLS alert tells a peer why its
//! handshake failed. A peer that speaks in the clear although TLS is required learns that in the answer to each call.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

use super::places::Place;
use super::turned_away::Why;
use crate::tls::{Server, Tls};

/// The first byte of TLS: a record of the handshake (RFC 8446 5.1). HTTP/2 begins with a letter.
const TLS_HANDSHAKE: u8 = 0x16;

const FIRST_BYTE_LIMIT: Duration = Duration::from_secs(10);

const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

/// The answer without TLS to a peer that begins with it: a fatal alert, protocol_version (RFC 8446 6.2: "The protocol
/// version the peer has attempted to negotiate is recognized but not supported").
const NO_TLS_HERE: [u8; 7] = [0x15, 3, 3, 0, 2, 2, 70];

/// The time and the bytes for which we still read from a peer after an alert.
const FAREWELL_LIMIT: Duration = Duration::from_secs(2);
const FAREWELL_BYTES: usize = 64 * 1024;

/// A new connection, in the clear or by TLS.
pub(super) enum Greeted {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Opens TLS with a peer that `begins_with_tls`.
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

/// Looks at the first byte without consuming it.
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
            // The alert with the reason was sent already.
            take_leave(stream, &[]).await;
            Err(error)
        }
        Ok(Ok(stream)) => Ok(Greeted::Tls(Box::new(stream))),
    }
}

/// Sends an alert and waits for the peer to go. Closing a socket with unread bytes in it resets the connection, and the peer would lose
/// the alert.
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
    // A peer that does not read the alert, or does not go, is cut off.
    let _ = timeout(FAREWELL_LIMIT, leaving).await;
}
