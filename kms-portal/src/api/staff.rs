//! `kms.portal.v1` for the vendor's staff. Every change is recorded in its own transaction, with who made it and why.
//!
//! `staff/calls` lets the holders of tokens in, `staff/tokens` issues tokens. `staff/keys` issues and changes keys, `staff/orders` knows
//! what was issued together, `staff/administrators` invites those of organisations, `staff/offers` says what is sold to people,
//! `staff/subscriptions` sells it. `staff/codes` confirms what was read aloud, `staff/revocations` takes back what was sold. `staff/names` finds
//! products, organisations and keys by what people write; `staff/wire` converts rows for the wire.

mod administrators;
mod calls;
mod codes;
mod keys;
mod names;
mod offers;
mod orders;
mod outbox;
mod revocations;
mod subscriptions;
mod tokens;
mod wire;

use std::sync::Arc;

use proto::portal::v1 as w;
use proto::portal::v1::portal_service_server::PortalService;
use server::accept::Door;
use server::admin::caller::{Caller, user_name};
use shared::features::Features;
use shared::ids::{OrganisationId, ProductId};
use shared::policy::Policy;
use shared::product_key::KeyNumber;
use shared::time::Timestamp;
use tonic::{Request, Response, Status};

use super::PortalCore;
use super::refusals;
use crate::db::{By, DbError, NotCatalogued, Organisation, Product};

pub use calls::StaffCalls;

use calls::TokenHolder;

/// The longest note or name, in bytes: a ticket and a sentence.
const TEXT_MAX: usize = 500;

/// The most that one call lists.
const LISTED_MAX: u32 = 1_000;

/// A product of another vendor would get keys that activate nothing.
const OTHER_ROOTS: &str = "the product trusts other roots than the portal, so it is a product of another vendor; write its file with the \
                           `kms-vendor` whose roots.pub the portal has";

/// Reads everything again that needs no restart. Returns the settings that wait for a restart, or what is wrong.
pub(crate) type ReadAgain = dyn Fn() -> Result<Vec<String>, String> + Send + Sync;

/// The calls of staff.
#[derive(Clone)]
pub struct Staff {
    /// The portal.
    pub portal: Arc<PortalCore>,
    /// The door for hosts and machines.
    pub door: Door,
    /// Where it is.
    pub listening: Arc<[String]>,
    /// Where staff is served over the network.
    pub staff_listening: Arc<[String]>,
    /// Since when.
    pub started_at: Timestamp,
    /// What a reload does.
    pub read_again: Arc<ReadAgain>,
}

impl Staff {
    /// Who asks for a change, when and why. A prefix tells a token from a user of this machine with the same name. Neither name can have a
    /// colon.
    fn by<T>(&self, request: &Request<T>, why: &str) -> Result<By, Status> {
        let holder = request.extensions().get().map(|TokenHolder(name)| format!("token:{name}"));
        let who = holder.unwrap_or_else(|| {
            let Caller { uid, .. } = Caller::of(request);
            format!("local:{}", user_name(uid).unwrap_or_else(|| uid.to_string()))
        });
        Ok(By { who, at: self.portal.clock.now(), why: text("note", why)?.to_owned() })
    }

    async fn product(&self, name: &str) -> Result<Product, Status> {
        names::product(&self.ask(self.portal.db.products()).await?, name)
    }

    async fn organisation(&self, name: &str) -> Result<Organisation, Status> {
        let known = self.ask(self.portal.db.organisations()).await?;
        names::organisation(&known, name).ok_or_else(|| names::unknown_organisation(name))
    }

    /// Asks the database. Staff is told more about its errors than hosts and machines.
    async fn ask<T>(&self, question: impl Future<Output = Result<T, DbError>>) -> Result<T, Status> {
        question.await.map_err(|error| {
            let status = refusals::for_staff(&error);
            self.portal.end_if_fatal(error);
            status
        })
    }
}

#[tonic::async_trait]
impl PortalService for Staff {
    async fn get_status(
        &self,
        _: Request<w::GetStatusRequest>,
    ) -> Result<Response<w::GetStatusResponse>, Status> {
        let products = self.ask(self.portal.db.products()).await?.len();
        let organisations = self.ask(self.portal.db.organisations()).await?.len();
        let issuer = self.portal.issuer();
        let tls = self.door.tls_certificate();
        Ok(Response::new(w::GetStatusResponse {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            listening: self.listening.to_vec(),
            staff_listening: self.staff_listening.to_vec(),
            started_at: self.started_at.unix_ms(),
            now: self.portal.clock.now().unix_ms(),
            issuer_not_before: issuer.certificate().not_before.unix_ms(),
            issuer_not_after: issuer.certificate().not_after.unix_ms(),
            issuer_revoked_at: issuer.revoked_at().map_or(0, Timestamp::unix_ms),
            tls_not_after: tls.map_or(0, |certificate| certificate.ends_at.unix_ms()),
            products: products as u64,
            organisations: organisations as u64,
            code_key_not_after: self
                .portal
                .code_signer()
                .and_then(|signer| signer.ends_at())
                .map_or(0, Timestamp::unix_ms),
            code_key_revoked_at: self
                .portal
                .code_signer()
                .and_then(|signer| signer.revoked_at())
                .map_or(0, Timestamp::unix_ms),
        }))
    }

    async fn set_product(
        &self,
        request: Request<w::SetProductRequest>,
    ) -> Result<Response<w::SetProductResponse>, Status> {
        let by = self.by(&request, &request.get_ref().note)?;
        let w::SetProductRequest { product, is_known, roots, .. } = request.into_inner();
        if !roots.iter().all(|root| self.portal.has_root(root)) {
            return Err(Status::failed_precondition(OTHER_ROOTS));
        }
        let product = product.ok_or_else(|| Status::invalid_argument("it names no product"))?;
        let name = names::new_name(&product.name)?.to_owned();
        let id = ProductId::from_slice(&product.id);
        let id = id.ok_or_else(|| Status::invalid_argument("the id of a product has 16 bytes"))?;
        let policy = policy(product.policy.as_ref(), product.test)?;
        let features = Features::new(product.features).map_err(invalid)?;
        let known = self.ask(self.portal.db.products()).await?.into_iter().any(|known| known.id == id);
        if known != is_known {
            let (what, verb) =
                if known { ("there already", "product set") } else { ("not known", "product add") };
            let text = format!("the product {id} is {what}; use `kms-portal {verb}`");
            return Err(Status::failed_precondition(text));
        }
        let product = Product { id, name, test: product.test, policy, features };
        self.ask(self.portal.db.set_product(product, by)).await?.map_err(catalogue)?;
        Ok(Response::new(w::SetProductResponse {}))
    }

    async fn list_products(
        &self,
        _: Request<w::ListProductsRequest>,
    ) -> Result<Response<w::ListProductsResponse>, Status> {
        let products = self.ask(self.portal.db.products()).await?;
        let products = products.into_iter().map(wire::product).collect();
        Ok(Response::new(w::ListProductsResponse { products }))
    }

    async fn set_numbers(
        &self,
        request: Request<w::SetNumbersRequest>,
    ) -> Result<Response<w::SetNumbersResponse>, Status> {
        let by = self.by(&request, &request.get_ref().note)?;
        let request = request.into_inner();
        let product = self.product(&request.product).await?;
        let organisation = self.organisation(&request.organisation).await?;
        let policy =
            request.policy.as_ref().map(|numbers| policy(Some(numbers), product.test)).transpose()?;
        let done = self.portal.db.set_numbers(product.id, organisation.id, policy, by);
        self.ask(done).await?.map_err(catalogue)?;
        Ok(Response::new(w::SetNumbersResponse {}))
    }

    async fn list_numbers(
        &self,
        request: Request<w::ListNumbersRequest>,
    ) -> Result<Response<w::ListNumbersResponse>, Status> {
        let product = self.product(&request.get_ref().product).await?;
        let numbers = self.ask(self.portal.db.numbers(product.id)).await?;
        let numbers = numbers.iter().map(|(organisation, policy)| w::OrganisationNumbers {
            organisation: Some(wire::organisation(organisation)),
            policy: Some(policy.encode()),
        });
        Ok(Response::new(w::ListNumbersResponse { numbers: numbers.collect() }))
    }

    async fn set_organisation(
        &self,
        request: Request<w::SetOrganisationRequest>,
    ) -> Result<Response<w::SetOrganisationResponse>, Status> {
        let by = self.by(&request, &request.get_ref().note)?;
        let w::SetOrganisationRequest { organisation, new_organisation, .. } = request.into_inner();
        let wanted = organisation.unwrap_or_default();
        let id = match wanted.id.as_ref() {
            [] => OrganisationId::from_bytes(rand::random()),
            id => OrganisationId::from_slice(id)
                .ok_or_else(|| Status::invalid_argument("the id of an organisation has 16 bytes"))?,
        };
        let name = names::new_name(&wanted.name)?.to_owned();
        let known = self.ask(self.portal.db.organisations()).await?;
        if !new_organisation {
            // One that keeps its id may get a similar name.
            let others: Vec<_> =
                known.into_iter().filter(|known| known.id != id && known.name != name).collect();
            names::refuse_near(&others, &name)?;
        }
        let organisation = Organisation { id, name };
        let shown = wire::organisation(&organisation);
        self.ask(self.portal.db.set_organisation(organisation, by)).await?.map_err(catalogue)?;
        Ok(Response::new(w::SetOrganisationResponse { organisation: Some(shown) }))
    }

    async fn invite_administrator(
        &self,
        request: Request<w::InviteAdministratorRequest>,
    ) -> Result<Response<w::InviteAdministratorResponse>, Status> {
        let by = self.by(&request, &request.get_ref().note)?;
        let wanted = request.into_inner();
        let organisation = self.organisation(&wanted.organisation).await?;
        Ok(Response::new(administrators::invite(self, organisation, wanted, by).await?))
    }

    async fn set_offer(
        &self,
        request: Request<w::SetOfferRequest>,
    ) -> Result<Response<w::SetOfferResponse>, Status> {
        let by = self.by(&request, &request.get_ref().note)?;
        offers::set(self, request.into_inner(), by).await?;
        Ok(Response::new(w::SetOfferResponse {}))
    }

    async fn issue_subscription_keys(
        &self,
        request: Request<w::IssueSubscriptionKeysRequest>,
    ) -> Result<Response<w::IssueSubscriptionKeysResponse>, Status> {
        let by = self.by(&request, &request.get_ref().note)?;
        Ok(Response::new(offers::issue_keys(self, request.into_inner(), by).await?))
    }

    async fn list_subscriptions(
        &self,
        request: Request<w::ListSubscriptionsRequest>,
    ) -> Result<Response<w::ListSubscriptionsResponse>, Status> {
        Ok(Response::new(subscriptions::list(self, request.into_inner()).await?))
    }

    async fn add_subscription(
        &self,
        request: Request<w::AddSubscriptionRequest>,
    ) -> Result<Response<w::AddSubscriptionResponse>, Status> {
        let by = self.by(&request, &request.get_ref().note)?;
        Ok(Response::new(subscriptions::add(self, request.into_inner(), by).await?))
    }

    async fn change_subscription(
        &self,
        request: Request<w::ChangeSubscriptionRequest>,
    ) -> Result<Response<w::ChangeSubscriptionResponse>, Status> {
        let by = self.by(&request, &request.get_ref().note)?;
        Ok(Response::new(subscriptions::change(self, request.into_inner(), by).await?))
    }

    async fn list_organisations(
        &self,
        request: Request<w::ListOrganisationsRequest>,
    ) -> Result<Response<w::ListOrganisationsResponse>, Status> {
        let w::ListOrganisationsRequest { after, limit } = request.into_inner();
        let known = self.ask(self.portal.db.organisations()).await?;
        let after = known.iter().position(|one| after == one.id.as_bytes()[..]).map_or(0, |last| last + 1);
        let limit = limit_of(limit, LISTED_MAX) as usize;
        let organisations = known.iter().skip(after).take(limit).map(wire::organisation).collect();
        let more = after + limit < known.len();
        Ok(Response::new(w::ListOrganisationsResponse { organisations, more }))
    }

    async fn issue_keys(
        &self,
        request: Request<w::IssueKeysRequest>,
    ) -> Result<Response<w::IssueKeysResponse>, Status> {
        keys::issue(self, request).await.map(Response::new)
    }

    async fn list_keys(
        &self,
        request: Request<w::ListKeysRequest>,
    ) -> Result<Response<w::ListKeysResponse>, Status> {
        keys::list(self, request).await.map(Response::new)
    }

    async fn get_key(
        &self,
        request: Request<w::GetKeyRequest>,
    ) -> Result<Response<w::GetKeyResponse>, Status> {
        keys::show(self, request).await.map(Response::new)
    }

    async fn list_machines(
        &self,
        request: Request<w::ListMachinesRequest>,
    ) -> Result<Response<w::ListMachinesResponse>, Status> {
        keys::machines(self, request).await.map(Response::new)
    }

    async fn block_key(
        &self,
        request: Request<w::BlockKeyRequest>,
    ) -> Result<Response<w::BlockKeyResponse>, Status> {
        keys::block(self, request).await.map(Response::new)
    }

    async fn unblock_key(
        &self,
        request: Request<w::UnblockKeyRequest>,
    ) -> Result<Response<w::UnblockKeyResponse>, Status> {
        keys::unblock(self, request).await.map(Response::new)
    }

    async fn raise_key(
        &self,
        request: Request<w::RaiseKeyRequest>,
    ) -> Result<Response<w::RaiseKeyResponse>, Status> {
        keys::raise(self, request).await.map(Response::new)
    }

    async fn answer_host(
        &self,
        request: Request<w::AnswerHostRequest>,
    ) -> Result<Response<w::AnswerHostResponse>, Status> {
        let answer =
            self.portal.activate_host(request.get_ref().ask.as_ref()).await.map_err(refusals::status)?;
        Ok(Response::new(w::AnswerHostResponse { answer: Some(answer) }))
    }

    async fn answer_machine(
        &self,
        request: Request<w::AnswerMachineRequest>,
    ) -> Result<Response<w::AnswerMachineResponse>, Status> {
        let answer = self.portal.activate_machine(request.get_ref().ask.as_ref()).await;
        Ok(Response::new(w::AnswerMachineResponse { answer: Some(answer.map_err(refusals::status)?) }))
    }

    async fn make_terms(
        &self,
        request: Request<w::MakeTermsRequest>,
    ) -> Result<Response<w::MakeTermsResponse>, Status> {
        codes::make_terms(self, &request).await.map(Response::new)
    }

    async fn confirm_by_code(
        &self,
        request: Request<w::ConfirmByCodeRequest>,
    ) -> Result<Response<w::ConfirmByCodeResponse>, Status> {
        codes::confirm(self, &request).await.map(Response::new)
    }

    async fn free_place(
        &self,
        request: Request<w::FreePlaceRequest>,
    ) -> Result<Response<w::FreePlaceResponse>, Status> {
        codes::free_place(self, &request).await.map(Response::new)
    }

    async fn revoke(
        &self,
        request: Request<w::RevokeRequest>,
    ) -> Result<Response<w::RevokeResponse>, Status> {
        let by = self.by(&request, &request.get_ref().reason)?;
        revocations::revoke(self, by, request.into_inner()).await
    }

    async fn withdraw_revocation(
        &self,
        request: Request<w::WithdrawRevocationRequest>,
    ) -> Result<Response<w::WithdrawRevocationResponse>, Status> {
        let by = self.by(&request, &request.get_ref().note)?;
        revocations::withdraw(self, by, request.into_inner()).await
    }

    async fn list_revocations(
        &self,
        _: Request<w::ListRevocationsRequest>,
    ) -> Result<Response<w::ListRevocationsResponse>, Status> {
        revocations::list(self).await
    }

    async fn install_revocations(
        &self,
        request: Request<w::InstallRevocationsRequest>,
    ) -> Result<Response<w::InstallRevocationsResponse>, Status> {
        let by = self.by(&request, &request.get_ref().note)?;
        revocations::install(self, by, request.into_inner()).await
    }

    async fn list_changes(
        &self,
        request: Request<w::ListChangesRequest>,
    ) -> Result<Response<w::ListChangesResponse>, Status> {
        let w::ListChangesRequest { before, limit } = *request.get_ref();
        let before = Some(before).filter(|before| *before != 0);
        let changes = self.ask(self.portal.db.changes(before, limit_of(limit, 100))).await?;
        Ok(Response::new(w::ListChangesResponse { changes: changes.into_iter().map(wire::change).collect() }))
    }

    async fn verify_changes(
        &self,
        _: Request<w::VerifyChangesRequest>,
    ) -> Result<Response<w::VerifyChangesResponse>, Status> {
        let checked = self.ask(self.portal.db.verify_changes()).await?;
        Ok(Response::new(wire::checked(checked)))
    }

    async fn issue_token(
        &self,
        request: Request<w::IssueTokenRequest>,
    ) -> Result<Response<w::IssueTokenResponse>, Status> {
        let by = self.by(&request, &request.get_ref().note)?;
        tokens::issue(self, request.into_inner(), by).await.map(Response::new)
    }

    async fn list_tokens(
        &self,
        _: Request<w::ListTokensRequest>,
    ) -> Result<Response<w::ListTokensResponse>, Status> {
        let tokens = self.ask(self.portal.db.tokens()).await?;
        Ok(Response::new(w::ListTokensResponse { tokens: tokens.into_iter().map(wire::token).collect() }))
    }

    async fn revoke_token(
        &self,
        request: Request<w::RevokeTokenRequest>,
    ) -> Result<Response<w::RevokeTokenResponse>, Status> {
        let by = self.by(&request, &request.get_ref().note)?;
        tokens::revoke(self, request.into_inner().name, by).await?;
        Ok(Response::new(w::RevokeTokenResponse {}))
    }

    async fn list_messages(
        &self,
        request: Request<w::ListMessagesRequest>,
    ) -> Result<Response<w::ListMessagesResponse>, Status> {
        outbox::list(self, request.into_inner()).await.map(Response::new)
    }

    async fn get_message(
        &self,
        request: Request<w::GetMessageRequest>,
    ) -> Result<Response<w::GetMessageResponse>, Status> {
        outbox::show(self, request.into_inner().number).await.map(Response::new)
    }

    async fn retry_messages(
        &self,
        request: Request<w::RetryMessagesRequest>,
    ) -> Result<Response<w::RetryMessagesResponse>, Status> {
        outbox::retry(self, request.into_inner().number).await.map(Response::new)
    }

    async fn set_webhook(
        &self,
        request: Request<w::SetWebhookRequest>,
    ) -> Result<Response<w::SetWebhookResponse>, Status> {
        let by = self.by(&request, &request.get_ref().note)?;
        outbox::set_webhook(self, request.into_inner(), by).await.map(Response::new)
    }

    async fn list_webhooks(
        &self,
        _: Request<w::ListWebhooksRequest>,
    ) -> Result<Response<w::ListWebhooksResponse>, Status> {
        outbox::webhooks(self).await.map(Response::new)
    }

    async fn remove_webhook(
        &self,
        request: Request<w::RemoveWebhookRequest>,
    ) -> Result<Response<w::RemoveWebhookResponse>, Status> {
        let by = self.by(&request, &request.get_ref().note)?;
        outbox::remove_webhook(self, &request.into_inner().service, by).await.map(Response::new)
    }

    async fn reload(&self, _: Request<w::ReloadRequest>) -> Result<Response<w::ReloadResponse>, Status> {
        let read_again = Arc::clone(&self.read_again);
        let read = tokio::task::spawn_blocking(move || read_again()).await;
        let waiting_for_restart = read.map_err(invalid)?.map_err(Status::failed_precondition)?;
        Ok(Response::new(w::ReloadResponse { waiting_for_restart }))
    }
}

fn number(typed: &str) -> Result<KeyNumber, Status> {
    typed.parse().map_err(invalid)
}

/// On the wire, 0 stands for no instant.
fn time(unix_ms: i64) -> Option<Timestamp> {
    (unix_ms != 0).then(|| Timestamp::from_unix_ms(unix_ms))
}

fn limit_of(wanted: u32, usual: u32) -> u32 {
    if wanted == 0 { usual } else { wanted.min(LISTED_MAX) }
}

fn text<'a>(what: &str, text: &'a str) -> Result<&'a str, Status> {
    if text.len() <= TEXT_MAX {
        return Ok(text);
    }
    Err(Status::invalid_argument(format!("a {what} has at most {TEXT_MAX} bytes")))
}

/// Numbers within their bounds; the lower ones do not hold for tests.
fn policy(numbers: Option<&proto::v1::Policy>, test: bool) -> Result<Policy, Status> {
    let numbers = numbers.ok_or_else(|| Status::invalid_argument("a product has numbers"))?;
    let policy = Policy::decode(numbers).map_err(invalid)?;
    if !test {
        policy.check_lower_bounds().map_err(|error| {
            Status::invalid_argument(format!("{error}; a product for tests (--test) may have less"))
        })?;
    }
    Ok(policy)
}

fn invalid(error: impl std::fmt::Display) -> Status {
    Status::invalid_argument(error.to_string())
}

fn catalogue(error: NotCatalogued) -> Status {
    let remedy = match error {
        NotCatalogued::NameTaken => "; choose another name",
        NotCatalogued::UnknownProduct => "; `kms-portal product list` lists those that are",
        NotCatalogued::UnknownOrganisation => {
            "; `kms-portal organisation list` lists those that are, and `kms-portal organisation add` adds one"
        }
        NotCatalogued::TagTaken => "",
    };
    Status::failed_precondition(format!("{error}{remedy}"))
}
