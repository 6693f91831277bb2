//! The portal of these stories, for machines on which somebody signs in: it says what a script wants, and signs with real keys.

use std::time::Duration;

use proto::v1::Signed;
use proto::vendor::v1;
use proto::vendor::v1::account_service_server::AccountService;
use shared::features::Features;
use shared::ids::OrganisationId;
use shared::user_lease::{AccountAsk, AccountPurpose, ProductPersonId, UserLease};
use tonic::{Request, Response, Status};

use crate::portal::{Do, Portal, Service, issuing_certificate, issuing_key, refusal};
use crate::world::DAY;
use kms_client::Clock as _;

/// What the portal says to whoever asks whether somebody has typed the code.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Typed {
    /// An error of RFC 8628.
    Not(&'static str),
    /// It gives a lease.
    Allowed,
}

impl Portal {
    /// From now on it says this of the code.
    pub(crate) fn code_is(&self, typed: Typed) {
        self.script().typed = Some(typed);
    }

    /// Every ask by account, in order.
    pub(crate) fn account_asks(&self) -> Vec<(AccountPurpose, AccountAsk)> {
        use AccountPurpose::{Renew, SignIn, SignOut};
        let open = |ask: &Signed| {
            [SignIn, Renew, SignOut]
                .into_iter()
                .find_map(|purpose| Some((purpose, AccountAsk::open(ask, purpose).ok()?)))
        };
        self.asks().iter().filter_map(open).collect()
    }
}

impl Service {
    fn lease(&self, ask: &AccountAsk) -> v1::SignedUserLease {
        let now = self.clock.now();
        let lease = UserLease {
            machine: ask.machine(),
            product: ask.product,
            person: ProductPersonId::from_bytes([3; 16]),
            account: "ann@example.com".into(),
            organisation: OrganisationId::from_bytes([8; 16]),
            organisation_name: "Key Buyers".into(),
            offer: "pro".into(),
            features: Features::new(["export"]).unwrap(),
            issued_at: now,
            renew_after: now + DAY,
            not_after: now + 30 * DAY,
            nonce: ask.nonce,
            fingerprint: ask.fingerprint,
            parts: ask.parts,
            test: false,
        };
        lease.sign(&issuing_key(4), issuing_certificate(4))
    }

    /// What the script says to this ask, unless it is to be answered.
    fn opened(&self, ask: Option<Signed>, purpose: AccountPurpose) -> Result<(AccountAsk, bool), Status> {
        let signed = ask.unwrap();
        let next = self.next(&signed);
        if let Some(Do::Refuse(reason)) = next {
            return Err(refusal(reason));
        }
        Ok((AccountAsk::open(&signed, purpose).unwrap(), matches!(next, Some(Do::LoseTheAnswer))))
    }
}

fn sent<T>(answer: T, is_lost: bool) -> Result<Response<T>, Status> {
    if is_lost { Err(Status::unavailable("lost")) } else { Ok(Response::new(answer)) }
}

#[tonic::async_trait]
impl AccountService for Service {
    async fn begin_sign_in(
        &self,
        request: Request<v1::BeginSignInRequest>,
    ) -> Result<Response<v1::BeginSignInResponse>, Status> {
        let (_, is_lost) = self.opened(request.into_inner().ask, AccountPurpose::SignIn)?;
        let codes = v1::BeginSignInResponse {
            device_code: vec![5; 32].into(),
            user_code: "BCDF-GHJK".into(),
            verification_uri: "https://portal.example/device".into(),
            verification_uri_complete: "https://portal.example/device?code=BCDF-GHJK".into(),
            interval_s: 5,
            expires_in_s: 900,
        };
        sent(codes, is_lost)
    }

    async fn poll_sign_in(
        &self,
        request: Request<v1::PollSignInRequest>,
    ) -> Result<Response<v1::PollSignInResponse>, Status> {
        let v1::PollSignInRequest { ask, device_code } = request.into_inner();
        let (ask, is_lost) = self.opened(ask, AccountPurpose::SignIn)?;
        assert_eq!(device_code, vec![5; 32]);
        let typed = self.script.lock().unwrap().typed.unwrap_or(Typed::Not("authorization_pending"));
        let mut answer = v1::PollSignInResponse { interval_s: 5, ..v1::PollSignInResponse::default() };
        match typed {
            Typed::Allowed => answer.lease = Some(self.lease(&ask)),
            Typed::Not(error) => answer.error = error.into(),
        }
        if answer.error == "slow_down" {
            answer.interval_s = 10;
        }
        if is_lost {
            // A code lets a machine in once.
            self.script.lock().unwrap().typed = Some(Typed::Not("invalid_grant"));
        }
        sent(answer, is_lost)
    }

    async fn renew_user_lease(
        &self,
        request: Request<v1::RenewUserLeaseRequest>,
    ) -> Result<Response<v1::RenewUserLeaseResponse>, Status> {
        let (ask, is_lost) = self.opened(request.into_inner().ask, AccountPurpose::Renew)?;
        sent(v1::RenewUserLeaseResponse { lease: Some(self.lease(&ask)) }, is_lost)
    }

    async fn sign_out_device(
        &self,
        request: Request<v1::SignOutDeviceRequest>,
    ) -> Result<Response<v1::SignOutDeviceResponse>, Status> {
        let (_, is_lost) = self.opened(request.into_inner().ask, AccountPurpose::SignOut)?;
        sent(v1::SignOutDeviceResponse {}, is_lost)
    }
}

/// How long a machine waits between two questions.
pub(crate) const INTERVAL: Duration = Duration::from_secs(5);
