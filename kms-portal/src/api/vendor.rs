//! `kms.vendor.v1` for hosts and machines. What is asked is signed by who asks; the key that is shown is looked up within limits.

use std::sync::Arc;

use proto::v1::KnownRevocations;
use proto::vendor::v1;
use proto::vendor::v1::vendor_service_server::{VendorService, VendorServiceServer};
use server::Source;
use server::unanswered::Unanswered;
use shared::MAX_MESSAGE_BYTES;
use shared::reason::Reason;
use shared::revocation::MAX_LISTS_BYTES;
use shared::time::Length;
use tonic::{Request, Response, Status};

use super::refusals::status;
use super::{PortalCore, WrongKeys};

/// The calls of hosts and machines.
#[derive(Clone)]
pub struct VendorApi {
    portal: Arc<PortalCore>,
    wrong_keys: Arc<WrongKeys>,
}

impl VendorApi {
    /// Over this portal, within these limits.
    pub fn new(portal: Arc<PortalCore>, wrong_keys: WrongKeys) -> VendorApi {
        VendorApi { portal, wrong_keys: Arc::new(wrong_keys) }
    }

    /// As a service that reads no message of more than 16 KiB. What it sends is as large, but for revocation lists.
    pub fn service(self) -> VendorServiceServer<VendorApi> {
        VendorServiceServer::new(self)
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_LISTS_BYTES)
    }

    /// Looks a key up, if its source has not sent too many wrong ones.
    async fn within_limits<T>(
        &self,
        source: Option<Source>,
        look_up: impl Future<Output = Result<T, Unanswered>>,
    ) -> Result<Response<T>, Status> {
        let Some(source) = source else { return Err(Status::internal("a call from nowhere")) };
        self.wrong_keys.look(source, self.portal.clock.monotonic()).map_err(|wait| {
            let wait_text = Length(wait);
            let cause = Reason::TooManyWrongKeys.with(&[("wait", &wait_text)]);
            status(Unanswered { cause, retry_in: Some(wait) })
        })?;
        let done = look_up.await;
        if let Err(Unanswered { cause, .. }) = &done
            && cause.reason() == Some(Reason::KeyUnknown)
        {
            self.wrong_keys.note(source, self.portal.clock.monotonic());
        }
        done.map(Response::new).map_err(status)
    }
}

pub(super) fn source<T>(request: &Request<T>) -> Option<Source> {
    request.extensions().get().copied()
}

#[tonic::async_trait]
impl VendorService for VendorApi {
    async fn activate_host(
        &self,
        request: Request<v1::ActivateHostRequest>,
    ) -> Result<Response<v1::ActivateHostResponse>, Status> {
        let (source, ask) = (source(&request), request.into_inner().ask);
        self.within_limits(source, self.portal.activate_host(ask.as_ref())).await
    }

    async fn activate_machine(
        &self,
        request: Request<v1::ActivateMachineRequest>,
    ) -> Result<Response<v1::ActivateMachineResponse>, Status> {
        let (source, ask) = (source(&request), request.into_inner().ask);
        self.within_limits(source, self.portal.activate_machine(ask.as_ref())).await
    }

    /// It shows no key, so there is nothing to guess.
    async fn release_machine(
        &self,
        request: Request<v1::ReleaseMachineRequest>,
    ) -> Result<Response<v1::ReleaseMachineResponse>, Status> {
        let ask = request.into_inner().ask;
        self.portal.release_machine(ask.as_ref()).await.map(Response::new).map_err(status)
    }

    /// They are no secret, and cost no signature.
    async fn get_revocations(
        &self,
        request: Request<v1::GetRevocationsRequest>,
    ) -> Result<Response<v1::GetRevocationsResponse>, Status> {
        let v1::GetRevocationsRequest { newer_than, newer_than_by_root } = request.into_inner();
        let known = KnownRevocations { by_issuer: newer_than, by_root: newer_than_by_root };
        self.portal.newer_revocations(known).await.map(Response::new).map_err(status)
    }
}
