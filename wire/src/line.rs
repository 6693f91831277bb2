//! The bytes under a connection, and why TLS ended them.

use std::sync::{Arc, OnceLock};

use shared::reason::Cause;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// Bytes both ways, opened to a host.
pub struct Line {
    /// What is said and heard.
    pub bytes: Box<dyn Bytes>,
    /// Why TLS ended it.
    pub ended: Ended,
}

impl Line {
    /// One in the clear, which TLS does not end.
    pub fn plain(stream: TcpStream) -> Line {
        Line { bytes: Box::new(stream), ended: Ended::default() }
    }
}

/// Bytes both ways.
pub trait Bytes: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Bytes for S {}

/// Why TLS ended a connection, if it did. HTTP/2, which hears of it first, keeps no more than a text.
#[derive(Clone, Debug, Default)]
pub struct Ended(Arc<OnceLock<Cause>>);

impl Ended {
    /// The reason.
    pub fn cause(&self) -> Option<&Cause> {
        self.0.get()
    }

    /// TLS has ended it for this reason. The first says why; what follows from it does not.
    pub fn note(&self, cause: Cause) {
        let _ = self.0.set(cause);
    }
}
