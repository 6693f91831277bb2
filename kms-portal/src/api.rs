//! What hosts and machines ask the portal, and what its staff asks: calls in, decisions of the database out.
//!
//! `vendor` and `accounts` are `kms.vendor.v1` for everybody, over TLS; `staff` is `kms.portal.v1`, over the unix socket in the data directory, or over TLS
//! with tokens. Both go through [`PortalCore`], which opens asks and hands them to the database. `refusals` says
//! what is told, `wrong_keys` who has to wait. `revocations` hands out what was taken back.

mod accounts;
mod refusals;
mod revocations;
mod staff;
mod vendor;
mod wrong_keys;

use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use kms_portal_rules::keys::Asked;
use kms_portal_rules::keys::machines::Holder;
use kms_portal_rules::offers::OfferName;
use names::Authorities;
use prost::Message as _;
use proto::v1::Signed;
use proto::vendor::v1;
use server::unanswered::Unanswered;
use shared::activation::{Claim, HostActivation, MachineActivation, MachineRelease};
use shared::certificate::Roots;
use shared::codes::InstallationId;
use shared::fair::Rate;
use shared::ids::{CertificateId, OrganisationId};
use shared::product_key::ProductKey;
use shared::reason::Reason;
use shared::revocation::Revocations;
use shared::time::Clock;
use tokio::sync::{Notify, watch};

use crate::db::{
    ActivateHost, ActivateMachine, CertifiedHost, Db, DbError, HostAsk, ReleaseMachine, RenewHost,
};
use crate::issue::{CodeSigner, Issuer, KeyMac, Pepper};
use crate::passwords::Passwords;
use crate::web_address::WebAddress;

pub use accounts::AccountApi;
pub(crate) use revocations::revoked_by_root;
pub use staff::{Staff, StaffCalls};
pub use vendor::VendorApi;
pub use wrong_keys::WrongKeys;

/// How many mails one source may ask for in a day, and all together: to register, or because a password was forgotten.
const ASKED_MAILS_PER_SOURCE: u64 = 200;
const ASKED_MAILS: u64 = 100_000;

/// How many wrong passwords one source may send in a day, whichever accounts they are for. A whole company may be behind one address.
const WRONG_PASSWORDS_PER_SOURCE: u64 = 2_000;

/// A portal: what it knows, and what it signs with.
pub struct PortalCore {
    /// What was sold, and to whom.
    pub db: Db,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Passwords of people.
    pub(crate) passwords: Passwords,
    /// Mails that strangers have asked for.
    pub(crate) asked_mails: WrongKeys,
    /// Wrong passwords, at whichever account.
    pub(crate) wrong_passwords: WrongKeys,
    /// The address of its pages, if it has any.
    web_address: Option<WebAddress>,
    /// Whom it asks for proofs of domains.
    pub(crate) authorities: Authorities,
    /// The page of the vendor's billing; empty if there is none.
    billing_url: String,
    pepper: Pepper,
    signing: RwLock<SigningKeys>,
    issuer_changed: Notify,
    /// The error after which it cannot go on.
    fatal: watch::Sender<Option<DbError>>,
}

/// The keys that a portal signs with, and the roots that have certified them. A reload replaces all of them at once.
#[derive(Clone)]
struct SigningKeys {
    roots: Arc<Roots>,
    issuer: Arc<Issuer>,
    code_signer: Option<Arc<CodeSigner>>,
}

impl SigningKeys {
    fn new(roots: Roots, issuer: Issuer, code_signer: Option<CodeSigner>) -> SigningKeys {
        SigningKeys {
            roots: Arc::new(roots),
            issuer: Arc::new(issuer),
            code_signer: code_signer.map(Arc::new),
        }
    }

    /// Signs nothing from now on under what this list of a root has.
    fn take_note(&self, by_root: &Arc<Revocations>) {
        let code_signer = self.code_signer.as_deref();
        let revoked = || (self.issuer.revoked_at(), code_signer.and_then(CodeSigner::revoked_at));
        let before = revoked();
        self.issuer.take_note(by_root.clone());
        code_signer.inspect(|signer| signer.take_note(by_root.clone()));
        match revoked() {
            after if after == before => {}
            (Some(revoked_at), _) => tracing::error!(
                %revoked_at,
                "a root has revoked the issuing certificate: nothing is signed until another one is installed"
            ),
            (None, Some(revoked_at)) => tracing::error!(
                %revoked_at,
                "a root has revoked the code certificate: no machine is confirmed by codes until another one is installed"
            ),
            (None, None) => {}
        }
    }
}

impl PortalCore {
    /// A portal over this database.
    pub fn new(
        db: Db,
        pepper: Pepper,
        roots: Roots,
        issuer: Issuer,
        code_signer: Option<CodeSigner>,
        clock: Arc<dyn Clock>,
    ) -> PortalCore {
        PortalCore {
            db,
            clock,
            passwords: Passwords::new(),
            asked_mails: WrongKeys::new([Rate::a_day(ASKED_MAILS_PER_SOURCE), Rate::a_day(ASKED_MAILS)]),
            wrong_passwords: WrongKeys::new([Rate::a_day(WRONG_PASSWORDS_PER_SOURCE), Rate::a_day(0)]),
            web_address: None,
            authorities: Authorities::system(),
            billing_url: String::new(),
            pepper,
            signing: RwLock::new(SigningKeys::new(roots, issuer, code_signer)),
            issuer_changed: Notify::new(),
            fatal: watch::Sender::default(),
        }
    }

    /// Administrators buy at this page, in which `{organisation}` and `{offer}` stand for what it is about.
    #[must_use]
    pub fn with_billing_at(mut self, url: String) -> PortalCore {
        self.billing_url = url;
        self
    }

    /// Where an organisation buys an offer, if the vendor has a page for it.
    pub fn billing_url(&self, organisation: OrganisationId, offer: &OfferName) -> Option<String> {
        let url = self.billing_url.replace("{organisation}", &organisation.to_string());
        (!url.is_empty()).then(|| url.replace("{offer}", offer.as_str()))
    }

    /// With pages at this address.
    #[must_use]
    pub fn with_pages_at(self, web_address: Option<WebAddress>) -> PortalCore {
        PortalCore { web_address, ..self }
    }

    /// Asks these name servers for proofs of domains.
    #[must_use]
    pub fn with_authorities(self, authorities: Authorities) -> PortalCore {
        PortalCore { authorities, ..self }
    }

    /// The address of a page, as mails name it. A portal without pages has the path alone.
    pub fn page(&self, path: &str) -> String {
        self.web_address.as_ref().map_or_else(|| path.to_owned(), |address| address.page(path))
    }

    /// Whether it has pages.
    pub(crate) fn has_pages(&self) -> bool {
        self.web_address.is_some()
    }

    /// Returns once the portal cannot go on.
    pub async fn failed(&self) -> DbError {
        let mut fatal = self.fatal.subscribe();
        let told = async {
            match fatal.wait_for(Option::is_some).await.as_deref() {
                Ok(Some(error)) => error.clone(),
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            error = told => error,
            gone = self.db.gone() => gone,
        }
    }

    /// What is told when the database has not done what it was asked. Nothing was acknowledged, and asking again is safe.
    pub(crate) fn unanswered(&self, error: DbError) -> Unanswered {
        let unanswered = refusals::of_database(&error);
        self.end_if_fatal(error);
        unanswered
    }

    /// Takes note of an error of the database that somebody has met: it is logged, and after some the portal ends.
    pub fn failed_at(&self, error: DbError) {
        let _ = self.unanswered(error);
    }

    /// After some errors of the database, nothing may be acknowledged any more.
    fn end_if_fatal(&self, error: DbError) {
        if error.is_fatal() {
            self.fatal.send_replace(Some(error));
        }
    }

    /// What the database knows of a key.
    pub(crate) fn mac(&self, key: &ProductKey) -> KeyMac {
        self.pepper.mac(key)
    }

    fn signing(&self) -> SigningKeys {
        self.signing.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether this is one of the vendor's root public keys.
    fn has_root(&self, root: &[u8]) -> bool {
        self.signing().roots.keys().iter().any(|known| known.as_bytes() == root)
    }

    /// The issuing key, with its certificate.
    pub fn issuer(&self) -> Arc<Issuer> {
        self.signing().issuer
    }

    /// The code key, if it has one.
    pub fn code_signer(&self) -> Option<Arc<CodeSigner>> {
        self.signing().code_signer
    }

    /// Signs nothing from now on under what this list of a root has.
    pub(crate) fn take_note(&self, by_root: &Arc<Revocations>) {
        self.signing().take_note(by_root);
    }

    /// Signs with these from now on.
    pub fn take_up(&self, roots: Roots, issuer: Issuer, code_signer: Option<CodeSigner>) {
        let new = SigningKeys::new(roots, issuer, code_signer);
        let mut signing = self.signing.write().unwrap_or_else(PoisonError::into_inner);
        // What was heard stays heard, until the roots' list is read again.
        new.take_note(&signing.issuer.heard());
        *signing = new;
        drop(signing);
        self.issuer_changed.notify_one();
    }

    /// Certifies a host.
    ///
    /// # Errors
    /// Why it is refused. Nothing has changed then.
    pub async fn activate_host(&self, ask: Option<&Signed>) -> Result<v1::ActivateHostResponse, Unanswered> {
        let HostActivation { signing_key, claim, hour_width, nonce, asked_at } =
            HostActivation::open(required(ask)?).map_err(|error| error.cause())?;
        let now = self.clock.now();
        let certificate = CertificateId::from_bytes(rand::random());
        let host = signing_key.host();
        let issuer = self.issuer();
        let ask = |asked| HostAsk { signing_key, asked, certificate, now, hour_width, issuer };
        let claimed = if let Claim::Key(key) = &claim { Some(key.number()) } else { None };
        let done = match (Asked::new(nonce, asked_at, now).map(ask), claim) {
            (Err(refused), _) => Ok(Err(refused)),
            (Ok(ask), Claim::Key(key)) => {
                self.db.activate_host(ActivateHost { key: self.mac(&key), ask }).await
            }
            (Ok(ask), Claim::Renewal(product)) => self.db.renew_host(RenewHost { product, ask }).await,
        };
        let done = done.map_err(|error| self.unanswered(error))?.map_err(|refused| {
            let key = claimed.map(|key| key.to_string()).unwrap_or_default();
            tracing::info!(%host, key, %refused, "refused a host");
            refused.cause()
        })?;
        let CertifiedHost { chain, key, activated, hosts, activations, again } = done;
        let (number, activation) = (activated.host, activated.activations);
        tracing::info!(%host, %key, number, hosts, activation, activations, again, "certified a host");
        Ok(v1::ActivateHostResponse {
            chain,
            roots: self
                .signing()
                .roots
                .keys()
                .iter()
                .map(|root| Bytes::copy_from_slice(root.as_bytes()))
                .collect(),
            host: of_wire(number),
            hosts: of_wire(hosts),
            activation: of_wire(activation),
            activations: of_wire(activations),
        })
    }

    /// Confirms a machine.
    ///
    /// # Errors
    /// Why it is refused. Nothing has changed then.
    pub async fn activate_machine(
        &self,
        ask: Option<&Signed>,
    ) -> Result<v1::ActivateMachineResponse, Unanswered> {
        let ask = MachineActivation::open(required(ask)?).map_err(|error| error.cause())?;
        let (machine, claimed, now) = (ask.machine(), ask.product_key.number(), self.clock.now());
        let work = |asked| ActivateMachine {
            key: self.mac(&ask.product_key),
            product: ask.product,
            asker: Holder { machine, fingerprint: ask.fingerprint, parts: ask.parts },
            digest: InstallationId::digest(&ask.machine_key, ask.product, &ask.parts),
            asked,
            place: CertificateId::from_bytes(rand::random()),
            now,
            issuer: self.issuer(),
        };
        let done = match Asked::new(ask.nonce, ask.asked_at, now).map(work) {
            Ok(work) => self.db.activate_machine(work).await.map_err(|error| self.unanswered(error))?,
            Err(refused) => Err(refused),
        };
        let done = done.map_err(|refused| {
            tracing::info!(%machine, key = %claimed, %refused, "refused a machine");
            refused.cause()
        })?;
        let (key, used, granted) = (done.key, done.used, done.granted);
        tracing::info!(%machine, %key, used, granted, placement = ?done.placement, "confirmed a machine");
        let confirmation = v1::SignedConfirmation::decode(done.confirmation);
        let confirmation =
            confirmation.map_err(|_| Reason::PortalFailed.with(&[("cause", &"a confirmation")]))?;
        Ok(v1::ActivateMachineResponse { confirmation: Some(confirmation), used, granted })
    }

    /// Takes the place of a machine back.
    ///
    /// # Errors
    /// Why it is refused. Nothing has changed then.
    pub async fn release_machine(
        &self,
        ask: Option<&Signed>,
    ) -> Result<v1::ReleaseMachineResponse, Unanswered> {
        let ask = MachineRelease::open(required(ask)?).map_err(|error| error.cause())?;
        let (machine, key, now) = (ask.machine(), ask.key_number, self.clock.now());
        let work = |asked| ReleaseMachine { key, product: ask.product, machine, asked, now };
        let done = match Asked::new(ask.nonce, ask.asked_at, now).map(work) {
            Ok(work) => self.db.release_machine(work).await.map_err(|error| self.unanswered(error))?,
            Err(refused) => Err(refused),
        };
        let done = done.map_err(|refused| {
            tracing::info!(%machine, %key, %refused, "refused a release");
            refused.cause()
        })?;
        let (released, releases) = (done.released, done.releases);
        tracing::info!(%machine, %key, released, releases, "released a machine");
        Ok(v1::ReleaseMachineResponse { released: of_wire(released), releases: of_wire(releases) })
    }
}

pub(crate) fn required(ask: Option<&Signed>) -> Result<&Signed, Unanswered> {
    ask.ok_or_else(|| Reason::Malformed.with(&[("cause", &"it has no ask")]).into())
}

/// No key grants as many as do not fit.
fn of_wire(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
