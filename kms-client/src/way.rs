//! How bytes travel to a host: by TLS if the product or the environment says so, else in the clear.
//!
//! There is no fallback from TLS to the clear: an eavesdropper would only have to make TLS fail. A product that was built without
//! TLS, on a machine that was told to speak it, asks no host and says so. `wire` speaks it.

use std::env;
use std::ffi::OsString;
use std::sync::Arc;

use shared::reason::Cause;
use shared::time::Clock;
use tokio::net::TcpStream;
use wire::{Line, tls_files_bad};
#[cfg(feature = "tls")]
use wire::{Tls, TlsWay};

#[cfg(feature = "tls")]
use crate::files::off_thread;
use crate::hosts::HostName;

/// The environment variables that name files: the CA of the organisation, and this machine's own certificate and key.
const AUTHORITIES: &str = "KMS_TLS_CA";
#[cfg(feature = "tls")]
const CERTIFICATE: &str = "KMS_TLS_CERTIFICATE";
#[cfg(feature = "tls")]
const KEY: &str = "KMS_TLS_KEY";

/// What the builder was told.
#[derive(Default)]
pub(crate) struct Ways {
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<Tls>,
}

/// How to speak with a host.
pub(crate) enum Way {
    Plain,
    #[cfg(feature = "tls")]
    Tls(TlsWay),
}

impl Ways {
    /// The way for now. The builder goes before the environment. Files are read each time, so that a renewed certificate is
    /// used at once.
    ///
    /// # Errors
    /// TLS is wanted, and its files cannot be used (`TLS_FILES_BAD`).
    #[cfg(feature = "tls")]
    pub(crate) async fn now(&self, clock: &Arc<dyn Clock>) -> Result<Way, Cause> {
        let tls = match &self.tls {
            Some(tls) => tls.clone(),
            None => match named(said)? {
                Some(tls) => tls,
                None => return Ok(Way::Plain),
            },
        };
        let clock = Arc::clone(clock);
        let read = off_thread(move || Ok(tls.read(clock))).await;
        read.map_err(|error| tls_files_bad(&error.to_string()))?.map(Way::Tls)
    }

    /// Like above, for a product that cannot speak TLS.
    #[cfg(not(feature = "tls"))]
    #[expect(clippy::unused_async, reason = "with TLS it waits")]
    pub(crate) async fn now(&self, _clock: &Arc<dyn Clock>) -> Result<Way, Cause> {
        match said(AUTHORITIES) {
            None => Ok(Way::Plain),
            Some(_) => {
                Err(tls_files_bad(&format!("{AUTHORITIES} is set, and this product was built without TLS")))
            }
        }
    }
}

impl Way {
    /// What a URI begins with.
    pub(crate) fn scheme(&self) -> &'static str {
        match self {
            Way::Plain => "http",
            #[cfg(feature = "tls")]
            Way::Tls(_) => "https",
        }
    }

    /// Opens the way over an open connection.
    ///
    /// # Errors
    /// The TLS handshake has failed.
    #[cfg_attr(
        not(feature = "tls"),
        expect(
            clippy::unused_async,
            unused_variables,
            reason = "with TLS it waits, and the host has to be of that name"
        )
    )]
    pub(crate) async fn open(&self, stream: TcpStream, host: &HostName) -> Result<Line, Cause> {
        match self {
            Way::Plain => Ok(Line::plain(stream)),
            #[cfg(feature = "tls")]
            Way::Tls(tls) => tls.open(stream, host.name(), host.to_string()).await,
        }
    }
}

/// The files in these variables: none, a CA, or a CA with a certificate and its key.
#[cfg(feature = "tls")]
fn named(said: impl Fn(&str) -> Option<OsString>) -> Result<Option<Tls>, Cause> {
    let half = |set: &str, missing: &str| Err(tls_files_bad(&format!("{set} is set, and {missing} is not")));
    match (said(AUTHORITIES), said(CERTIFICATE), said(KEY)) {
        (None, None, None) => Ok(None),
        (None, Some(_), _) => half(CERTIFICATE, AUTHORITIES),
        (None, None, Some(_)) => half(KEY, AUTHORITIES),
        (Some(_), Some(_), None) => half(CERTIFICATE, KEY),
        (Some(_), None, Some(_)) => half(KEY, CERTIFICATE),
        (Some(authorities), None, None) => Ok(Some(Tls::from_file(authorities))),
        (Some(authorities), Some(certificate), Some(key)) => {
            Ok(Some(Tls::from_file(authorities).with_certificate_file(certificate, key)))
        }
    }
}

/// The value of a variable. An empty one counts as unset.
fn said(variable: &str) -> Option<OsString> {
    env::var_os(variable).filter(|value| !value.is_empty())
}

#[cfg(all(test, feature = "tls"))]
mod tests {
    use super::*;

    #[track_caller]
    fn check(set: &[&str], expected: Result<bool, &str>) {
        let said = |variable: &str| set.contains(&variable).then(|| OsString::from("/etc/some.pem"));
        let named = named(said).map(|tls| tls.is_some()).map_err(|cause| cause.to_string());
        match (named, expected) {
            (Err(cause), Err(expected)) => assert!(cause.ends_with(expected), "{cause}"),
            (named, expected) => assert_eq!(named, expected.map_err(str::to_owned)),
        }
    }

    #[test]
    fn a_ca_is_enough_and_a_certificate_needs_its_key_and_the_ca() {
        check(&[], Ok(false));
        check(&[AUTHORITIES], Ok(true));
        check(&[AUTHORITIES, CERTIFICATE, KEY], Ok(true));
        check(&[AUTHORITIES, CERTIFICATE], Err("KMS_TLS_CERTIFICATE is set, and KMS_TLS_KEY is not"));
        check(&[AUTHORITIES, KEY], Err("KMS_TLS_KEY is set, and KMS_TLS_CERTIFICATE is not"));
        check(&[CERTIFICATE, KEY], Err("KMS_TLS_CERTIFICATE is set, and KMS_TLS_CA is not"));
        check(&[KEY], Err("KMS_TLS_KEY is set, and KMS_TLS_CA is not"));
    }
}
