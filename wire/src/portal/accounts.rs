//! What a machine asks the portal on which somebody signs in (`docs/protocol.md` 13).

use proto::v1::Signed;
use proto::vendor::v1;
use proto::vendor::v1::account_service_client::AccountServiceClient;
use shared::MAX_MESSAGE_BYTES;

use super::Portal;
use crate::{Channel, Failure};

impl Portal {
    /// Begins to sign somebody in, with a signed `AccountAsk` to sign in.
    ///
    /// # Errors
    /// As [`Portal::activate_host`].
    pub async fn begin_sign_in(&self, ask: Signed) -> Result<v1::BeginSignInResponse, Failure> {
        self.call(self.accounts().begin_sign_in(v1::BeginSignInRequest { ask: Some(ask) })).await
    }

    /// Asks whether somebody has let this machine in, with the ask that has begun, and the secret that came back.
    ///
    /// # Errors
    /// As [`Portal::activate_host`].
    pub async fn poll_sign_in(
        &self,
        ask: Signed,
        device_code: Vec<u8>,
    ) -> Result<v1::PollSignInResponse, Failure> {
        let request = v1::PollSignInRequest { ask: Some(ask), device_code: device_code.into() };
        self.call(self.accounts().poll_sign_in(request)).await
    }

    /// Asks for the next lease with a signed `AccountAsk` to renew.
    ///
    /// # Errors
    /// As [`Portal::activate_host`].
    pub async fn renew_user_lease(&self, ask: Signed) -> Result<v1::RenewUserLeaseResponse, Failure> {
        self.call(self.accounts().renew_user_lease(v1::RenewUserLeaseRequest { ask: Some(ask) })).await
    }

    /// Signs out with a signed `AccountAsk` to sign out.
    ///
    /// # Errors
    /// As [`Portal::activate_host`].
    pub async fn sign_out_device(&self, ask: Signed) -> Result<v1::SignOutDeviceResponse, Failure> {
        self.call(self.accounts().sign_out_device(v1::SignOutDeviceRequest { ask: Some(ask) })).await
    }

    fn accounts(&self) -> AccountServiceClient<Channel> {
        let (channel, origin) = self.connection.channel();
        AccountServiceClient::with_origin(channel, origin)
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES)
    }
}
