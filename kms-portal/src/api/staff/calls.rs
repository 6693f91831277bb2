//! Staff over the network: checks the token, and whether its role allows the call. Then the call is answered as over the socket.
//!
//! A token is looked up at each call, so one that was taken back is refused from the next call on, at every portal on the database.

use std::sync::Arc;
use std::time::Duration;

use proto::portal::v1::portal_service_server::PortalServiceServer;
use server::Source;
use server::accept::{CallHandler, Incoming, Line};
use server::services::Services;
use server::unanswered::Unanswered;
use shared::reason::Reason;
use shared::time::Length;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::http::header::AUTHORIZATION;
use tonic::codegen::http::{HeaderMap, Request, Response};
use tonic::service::Routes;

use super::Staff;
use crate::api::refusals::status;
use crate::api::{PortalCore, WrongKeys};
use crate::db::KnownToken;
use crate::roles::{self, Right};
use crate::token::StaffToken;

/// How exactly the last use of a token is kept. The exact time would cost a write for each call.
const USE_NOTED: Duration = Duration::from_hours(1);

/// The longest request. The largest is a list of revocations, or the numbers of a product.
const REQUEST_MAX_BYTES: usize = 64 * 1024;

/// Who asks by a token.
#[derive(Clone, Debug)]
pub(super) struct TokenHolder(pub(super) String);

/// The calls of staff that come over the network.
pub struct StaffCalls {
    portal: Arc<PortalCore>,
    wrong_tokens: WrongKeys,
    services: Services,
}

impl StaffCalls {
    /// These calls, for those who show a token of this portal.
    pub fn new(staff: Staff, wrong_tokens: WrongKeys) -> StaffCalls {
        let portal = staff.portal.clone();
        let service = PortalServiceServer::new(staff).max_decoding_message_size(REQUEST_MAX_BYTES);
        StaffCalls { portal, wrong_tokens, services: Services::new(Routes::new(service)) }
    }

    /// Who asks, if they may make this call.
    async fn admit(
        &self,
        headers: &HeaderMap,
        source: Source,
        (call, right): (&'static str, Right),
    ) -> Result<TokenHolder, Unanswered> {
        let shown = headers.get(AUTHORIZATION).ok_or(Reason::TokenUnknown)?;
        let shown = shown.to_str().ok().and_then(|text| text.strip_prefix("Bearer "));
        self.wrong_tokens.look(source, self.portal.clock.monotonic()).map_err(|wait| Unanswered {
            cause: Reason::TooManyWrongTokens.with(&[("wait", &Length(wait))]),
            retry_in: Some(wait),
        })?;
        let found = match shown.and_then(StaffToken::parse) {
            Some(token) => self.portal.db.token(token.digest()).await,
            None => Ok(None),
        };
        let Some(known) = found.map_err(|error| self.portal.unanswered(error))? else {
            self.wrong_tokens.note(source, self.portal.clock.monotonic());
            tracing::warn!(%source, call, "somebody has shown a token that is unknown");
            return Err(Reason::TokenUnknown.into());
        };
        self.check(&known, call, right)?;
        self.note_use(&known).await;
        Ok(TokenHolder(known.name))
    }

    fn check(&self, known: &KnownToken, call: &str, right: Right) -> Result<(), Unanswered> {
        let KnownToken { name, role, .. } = known;
        let ended = match (known.revoked_at, known.ends_at) {
            (Some(at), _) => Some(format!("it was taken back at {at}")),
            (None, Some(at)) if at <= self.portal.clock.now() => Some(format!("it has ended at {at}")),
            (None, _) => None,
        };
        if let Some(cause) = ended {
            tracing::warn!(token = name, call, cause, "refused staff");
            return Err(Reason::TokenEnded.with(&[("name", name), ("cause", &cause)]).into());
        }
        if !role.includes(right) {
            let role = role.name();
            tracing::warn!(token = name, call, role, "refused staff");
            return Err(Reason::NotPermitted
                .with(&[("name", name), ("role", &role), ("call", &call)])
                .into());
        }
        Ok(())
    }

    /// Notes when a token was used. If that cannot be written, the call is answered all the same.
    async fn note_use(&self, known: &KnownToken) {
        let now = self.portal.clock.now();
        if known.used_at.is_none_or(|used_at| used_at + USE_NOTED <= now)
            && let Err(error) = self.portal.db.use_token(known.name.clone(), now).await
        {
            self.portal.unanswered(error);
        }
    }
}

impl CallHandler for StaffCalls {
    type Called = (&'static str, Right);

    fn called(&self, path: &str) -> Option<(&'static str, Right)> {
        roles::call(path)
    }

    async fn answer(
        &self,
        called: (&'static str, Right),
        mut request: Request<Incoming>,
        line: &Line,
    ) -> Result<Response<Body>, Status> {
        let holder = self.admit(request.headers(), line.source(), called).await.map_err(status)?;
        // It has done its work, and nothing behind this shall log it.
        request.headers_mut().remove(AUTHORIZATION);
        request.extensions_mut().insert(holder);
        self.services.answer((), request, line).await
    }
}
