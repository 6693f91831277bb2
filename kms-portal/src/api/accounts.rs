//! `kms.vendor.v1.AccountService`: machines on which people sign in. `act::devices` does what they ask.

use std::sync::Arc;

use proto::vendor::v1;
use proto::vendor::v1::account_service_server::{AccountService, AccountServiceServer};
use shared::MAX_MESSAGE_BYTES;
use tonic::{Request, Response, Status};

use super::PortalCore;
use super::refusals::status;
use super::vendor::source;
use crate::act::devices;
use crate::web_address::WebAddress;

/// Answers machines on which people sign in.
#[derive(Clone)]
pub struct AccountApi {
    portal: Arc<PortalCore>,
    pages: Option<Arc<WebAddress>>,
}

impl AccountApi {
    /// Over this portal, whose pages are at this address, if it has any.
    pub fn new(portal: Arc<PortalCore>, pages: Option<WebAddress>) -> AccountApi {
        AccountApi { portal, pages: pages.map(Arc::new) }
    }

    /// As a service that reads and sends no message of more than 16 KiB.
    pub fn service(self) -> AccountServiceServer<AccountApi> {
        AccountServiceServer::new(self)
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES)
    }
}

#[tonic::async_trait]
impl AccountService for AccountApi {
    async fn begin_sign_in(
        &self,
        request: Request<v1::BeginSignInRequest>,
    ) -> Result<Response<v1::BeginSignInResponse>, Status> {
        let Some(source) = source(&request) else { return Err(Status::internal("a call from nowhere")) };
        let ask = request.into_inner().ask;
        let begun = devices::begin_sign_in(&self.portal, self.pages.as_deref(), source, ask.as_ref()).await;
        begun.map(Response::new).map_err(status)
    }

    async fn poll_sign_in(
        &self,
        request: Request<v1::PollSignInRequest>,
    ) -> Result<Response<v1::PollSignInResponse>, Status> {
        let v1::PollSignInRequest { ask, device_code } = request.into_inner();
        let polled = devices::poll_sign_in(&self.portal, ask.as_ref(), &device_code).await;
        polled.map(Response::new).map_err(status)
    }

    async fn renew_user_lease(
        &self,
        request: Request<v1::RenewUserLeaseRequest>,
    ) -> Result<Response<v1::RenewUserLeaseResponse>, Status> {
        let ask = request.into_inner().ask;
        devices::renew_user_lease(&self.portal, ask.as_ref()).await.map(Response::new).map_err(status)
    }

    async fn sign_out_device(
        &self,
        request: Request<v1::SignOutDeviceRequest>,
    ) -> Result<Response<v1::SignOutDeviceResponse>, Status> {
        let ask = request.into_inner().ask;
        devices::leave_device(&self.portal, ask.as_ref()).await.map(Response::new).map_err(status)
    }
}
