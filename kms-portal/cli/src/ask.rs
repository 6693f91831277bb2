//! Asking a portal: the one on this machine over its socket, or one over the network with a token. What a failure means for scripts.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::anyhow;
use kms_portal::home::PortalHome;
use kms_portal::remedy;
use kms_portal::token::StaffToken;
use program::exit::{
    EX_CONFIG, EX_DATAERR, EX_IOERR, EX_NOINPUT, EX_NOPERM, EX_TEMPFAIL, EX_UNAVAILABLE, EX_USAGE,
};
use proto::portal::v1::portal_service_client::PortalServiceClient;
use server::{admin, fixable};
use shared::reason::Cause;
use store::regular;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;
use wire::portal::PortalAddress;
use wire::{SystemClock, Tls};
use zeroize::Zeroizing;

use super::failure::{self, Failure, OrExit as _};
use super::reasons;

/// A client of a portal.
pub(super) type StaffClient = PortalServiceClient<InterceptedService<Channel, ShowToken>>;

/// Where the portal is that a command asks.
pub(super) struct PortalAt {
    home: PortalHome,
    remote: Option<Remote>,
}

/// A portal over the network.
struct Remote {
    address: PortalAddress,
    token_file: Option<PathBuf>,
    /// The CA that its certificate is from; none for those that this machine trusts.
    authority: Option<PathBuf>,
}

impl PortalAt {
    /// The portal of this directory, on this machine.
    pub(super) fn here(home: &PortalHome) -> PortalAt {
        PortalAt { home: home.clone(), remote: None }
    }

    /// The portal at this address, for the holder of the token in this file.
    pub(super) fn over_network(
        home: &PortalHome,
        address: PortalAddress,
        token_file: Option<PathBuf>,
        authority: Option<PathBuf>,
    ) -> PortalAt {
        PortalAt { home: home.clone(), remote: Some(Remote { address, token_file, authority }) }
    }

    async fn connect(&self) -> Result<StaffClient, Failure> {
        let Some(remote) = &self.remote else {
            let channel = admin::connect(&self.home.socket_path()).await.map_err(|error| {
                if is_denied(&error) {
                    return self.not_administrator();
                }
                let data = self.home.path().display();
                let cause = remedy::cause(&error);
                let remedy = format!(
                    "start it with `kms-portal serve --data {data}`, or name its directory with --data; --portal names a portal on \
                     another machine"
                );
                Failure { code: EX_UNAVAILABLE, error: anyhow!("no portal serves {data} ({cause}); {remedy}") }
            })?;
            return Ok(PortalServiceClient::with_interceptor(channel, ShowToken(None)));
        };
        let token = remote.token()?;
        let authority = remote.authority.as_ref();
        let tls = authority.map_or_else(Tls::of_system, Tls::from_file);
        let tls = tls.read(Arc::new(SystemClock::new())).map_err(|cause| explained(EX_CONFIG, &cause))?;
        let address = remote.address.clone();
        let channel = admin::connect_by(move || {
            let (address, tls) = (address.clone(), tls.clone());
            async move {
                let opened = wire::portal::open(&address, &tls).await;
                opened.map(|line| line.bytes).map_err(|failure| io::Error::other(failure.cause))
            }
        });
        let channel = channel.await.map_err(|error| match cause_in(&error) {
            Some(cause) => explained(EX_UNAVAILABLE, cause),
            None => Failure { code: EX_UNAVAILABLE, error: error.into() },
        })?;
        Ok(PortalServiceClient::with_interceptor(channel, ShowToken(Some(token))))
    }
}

impl PortalAt {
    /// The socket is there, and this user may not open it.
    fn not_administrator(&self) -> Failure {
        let data = self.home.path().display();
        let error = anyhow!(
            "this user may not administrate the portal of {data}; run the command as root, or as the user that the portal runs as; \
             --portal and --token-file ask as the holder of a token"
        );
        Failure { code: EX_NOPERM, error }
    }

    /// The portal exists and does not answer in time.
    fn silent(&self) -> Failure {
        let portal = match &self.remote {
            Some(remote) => remote.address.to_string(),
            None => self.home.path().display().to_string(),
        };
        let error = anyhow!(
            "the portal of {portal} does not answer in time: its process or its disk hangs; its log says more, and a restart ends it"
        );
        Failure { code: EX_UNAVAILABLE, error }
    }
}

fn is_denied(error: &tonic::transport::Error) -> bool {
    fixable::causes(error)
        .filter_map(|error| error.downcast_ref::<io::Error>())
        .any(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

impl Remote {
    /// What shows the token, marked so that nothing logs it.
    fn token(&self) -> Result<MetadataValue<Ascii>, Failure> {
        let Some(file) = &self.token_file else {
            let error = anyhow!(
                "a portal over the network asks for a token; name the file that has it with --token-file, or in KMS_PORTAL_TOKEN_FILE"
            );
            return Err(Failure { code: EX_USAGE, error });
        };
        let text = regular::read(file).map_err(|error| {
            let remedy = match error.kind() {
                io::ErrorKind::PermissionDenied => "run the command as its owner, or name a file of your own with --token-file",
                _ => "name the file that `kms-portal token issue --out` has written with --token-file, or in KMS_PORTAL_TOKEN_FILE",
            };
            let error = anyhow!("the token in {} cannot be read: {error}; {remedy}", file.display());
            Failure { code: EX_NOINPUT, error }
        });
        let text = Zeroizing::new(text?);
        warn_of_readers(file);
        let token = std::str::from_utf8(&text).ok().and_then(StaffToken::parse).ok_or_else(|| {
            let error = anyhow!(
                "{} has no token; a token begins with kmsp_, and `kms-portal token issue` makes one",
                file.display()
            );
            Failure { code: EX_DATAERR, error }
        })?;
        let shown = Zeroizing::new(format!("Bearer {}", *token.text()));
        let mut shown = MetadataValue::try_from(shown.as_str()).or_exit(EX_DATAERR)?;
        shown.set_sensitive(true);
        Ok(shown)
    }
}

fn warn_of_readers(file: &Path) {
    use std::os::unix::fs::MetadataExt as _;
    if file.metadata().is_ok_and(|found| found.mode() & 0o077 != 0) {
        let file = file.display();
        failure::warn(&format!(
            "others may read the token in {file}, and act in your name: chmod 600 {file}"
        ));
    }
}

/// Shows the token, if there is one, at each call.
#[derive(Clone)]
pub(super) struct ShowToken(Option<MetadataValue<Ascii>>);

impl Interceptor for ShowToken {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request.metadata_mut().insert("authorization", token.clone());
        }
        Ok(request)
    }
}

/// Asks, on a runtime of its own.
pub(super) fn ask<T>(
    at: &PortalAt,
    question: impl AsyncFnOnce(StaffClient) -> Result<T, Status>,
) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().or_exit(EX_IOERR)?;
    runtime.block_on(async {
        let asked = question(at.connect().await?).await;
        asked.map_err(|status| if admin::is_silence(&status) { at.silent() } else { refused(status) })
    })
}

/// What a refusal means for scripts.
pub(super) fn refused(status: Status) -> Failure {
    let code = match status.code() {
        Code::InvalidArgument => EX_USAGE,
        Code::NotFound | Code::FailedPrecondition | Code::AlreadyExists => EX_DATAERR,
        Code::PermissionDenied | Code::Unauthenticated => EX_NOPERM,
        Code::Unavailable | Code::ResourceExhausted => EX_TEMPFAIL,
        _ => EX_IOERR,
    };
    if let Some(cause) = cause_of(&status) {
        return explained(reasons::exit_code(&cause).unwrap_or(code), &cause);
    }
    if let Some(cause) = cause_in(&status) {
        return explained(EX_UNAVAILABLE, cause);
    }
    if status.code() == Code::Unimplemented {
        let error = anyhow!(
            "this portal does not answer that: the port may be that of hosts and machines, where `staff_listen` in its settings has \
             that of staff; or the portal is older than this program"
        );
        return Failure { code: EX_UNAVAILABLE, error };
    }
    Failure { code, error: anyhow!("{}", status.message()) }
}

fn explained(code: u8, cause: &Cause) -> Failure {
    Failure { code, error: anyhow!(reasons::message(cause)) }
}

/// The reason that a lost or refused connection has among its causes.
fn cause_in<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e Cause> {
    let mut causes = std::iter::successors(Some(error), |&error| error.source());
    causes.find_map(|error| {
        // What is inside an `io::Error` is not among its sources.
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        inner.and_then(|inner| inner.downcast_ref()).or_else(|| error.downcast_ref())
    })
}

/// The reason for which the portal has refused, if it says one.
pub(super) fn cause_of(status: &Status) -> Option<Cause> {
    let info = status.get_details_error_info()?;
    Some(Cause { code: info.reason, parameters: info.metadata.into_iter().collect() })
}
