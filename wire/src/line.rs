//! The bytes under a connection, and why TLS ended them.

use std::sync::{Arc, OnceLock};

use shared::reason::Cause;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// An open byte stream to a host.
pub struct Line {
    /// The stream.
    pub bytes: Box<dyn Bytes>,
    /// Why TLS ended it.
    pub ended: Ended,
}

impl Line {
    /// A stream in the clear.
    pub fn plain(stream: TcpStream) -> Line {
        Line { bytes: Box::new(stream), ended: Ended::default() }
    }
}

/// Bytes both ways.
pub trait Bytes: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Bytes for S {}

/// Why TLS ended a connection, if it did. HTTP/2 is told first, and keeps only a text.
#[derive(Clone, Debug, Default)]
pub struct Ended(Arc<OnceLock<Cause>>);

impl Ended {
    /// The reason.
    pub fn cause(&self) -> Option<&Cause> {
        self.0.get()
    }

    /// Notes the cause. Only the first counts, because later ones follow from it.
    pub fn note(&self, cause: Cause) {
        let _ = self.0.set(cause);
    }
}
