//! Asking the running portal over its socket, and what a failure means for scripts.

use anyhow::anyhow;
use kms_portal::home::PortalHome;
use program::exit::{EX_DATAERR, EX_IOERR, EX_NOPERM, EX_TEMPFAIL, EX_UNAVAILABLE, EX_USAGE};
use proto::portal::v1::portal_service_client::PortalServiceClient;
use server::admin;
use shared::reason::Cause;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::failure::{Failure, OrExit as _};

/// A client of a portal on this machine.
pub(super) type StaffClient = PortalServiceClient<Channel>;

/// Asks, on a runtime of its own.
pub(super) fn ask<T>(
    home: &PortalHome,
    question: impl AsyncFnOnce(StaffClient) -> Result<T, Status>,
) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().or_exit(EX_IOERR)?;
    runtime.block_on(async {
        let channel = admin::connect(&home.socket_path()).await.map_err(|error| {
            let data = home.path().display();
            let cause = kms_portal::remedy::cause(&error);
            let remedy =
                format!("start it with `kms-portal serve --data {data}`, or name its directory with --data");
            Failure { code: EX_UNAVAILABLE, error: anyhow!("no portal serves {data} ({cause}); {remedy}") }
        })?;
        question(PortalServiceClient::new(channel)).await.map_err(refused)
    })
}

fn refused(status: Status) -> Failure {
    let code = match status.code() {
        Code::InvalidArgument => EX_USAGE,
        Code::NotFound | Code::FailedPrecondition => EX_DATAERR,
        Code::PermissionDenied => EX_NOPERM,
        Code::Unavailable | Code::ResourceExhausted => EX_TEMPFAIL,
        _ => EX_IOERR,
    };
    let error = match cause_of(&status) {
        Some(cause) => anyhow!("{cause}; {}", cause.remedy()),
        None => anyhow!("{}", status.message()),
    };
    Failure { code, error }
}

/// The reason for which the portal has refused, if it says one.
pub(super) fn cause_of(status: &Status) -> Option<Cause> {
    let info = status.get_details_error_info()?;
    Some(Cause { code: info.reason, parameters: info.metadata.into_iter().collect() })
}
