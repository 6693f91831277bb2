//! The vendor's portal: it activates this host by a host key, and renews what it has certified.
//!
//! 1. give the ask a name, and keep the name on disk until there is an answer
//! 2. ask
//! 3. install the certificate, as if it had come in a file, and forget the name
//!
//! What this order buys: if the answer is lost, or the process ends, the same command asks under the same name, and the portal gives
//! the same answer. The key itself is never written. `docs/protocol.md` 11.
//!
//! `visits` is what a running host does there by itself, and `unrenewed` remembers what that did not renew.

pub(crate) mod unrenewed;
pub(crate) mod visits;

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use data_encoding::HEXLOWER_PERMISSIVE;
use proto::v1::{KnownRevocations, Signed, SignedRevocationList};
use proto::vendor::v1::GetRevocationsRequest;
use rand::{CryptoRng, RngExt as _};
use shared::activation::{Claim, HostActivation};
use shared::files;
use shared::ids::{Nonce, ProductId};
use shared::product_key::{KeyKind, ProductKey};
use shared::reason::{Cause, Reason};
use shared::time::Clock;
use store::{file, regular};
use wire::portal::{BadPortalAddress, Portal, PortalAddress};
use wire::{Failure, Tls};

use crate::certificates::Allowed;
use crate::config::Config;
use crate::home::{Home, HomeError, Put, TakenUp};

/// What a portal is called where a certificate is said to come from a file.
const ANSWER: &str = "the portal's answer";

/// Where the portal is, and whom it has to be certified by.
#[derive(Clone, Debug)]
pub struct PortalWay {
    /// Its address.
    pub address: PortalAddress,
    /// The CAs that its TLS certificate may be from.
    pub tls: Tls,
}

/// A certificate that the portal has given, installed.
#[derive(Debug)]
pub struct Certified {
    /// The certificate.
    pub put: Vec<Put>,
    /// Which host of its key this one is, and for how many the key is.
    pub host: (u32, u32),
    /// Which activation of this host this is, and how many the key allows.
    pub activation: (u32, u32),
}

/// The host is not certified.
#[derive(Debug, thiserror::Error)]
pub enum NotCertified {
    /// The key is for something else, the portal has refused, or it gave no answer.
    #[error("{0}")]
    Refused(Cause),
    /// The directory, or the certificate that came.
    #[error(transparent)]
    Home(#[from] HomeError),
}

impl From<Failure> for NotCertified {
    fn from(failure: Failure) -> NotCertified {
        NotCertified::Refused(failure.cause)
    }
}

impl Home {
    /// The ask to be activated by this host key, signed. Its name is on disk, so the same key is asked for under the same name until
    /// there is an answer.
    ///
    /// # Errors
    /// It is no host key, there is no host here, or its name cannot be kept.
    pub fn activation(
        &self,
        key: &ProductKey,
        clock: &dyn Clock,
        random: &mut impl CryptoRng,
    ) -> Result<Signed, NotCertified> {
        if key.kind() != KeyKind::Host {
            let (kind, wanted) = (key.kind().name(), KeyKind::Host.name());
            return Err(NotCertified::Refused(
                Reason::KeyOtherKind.with(&[("kind", &kind), ("wanted", &wanted)]),
            ));
        }
        let nonce = self.nonce_of(key, random)?;
        self.signed_claim(Claim::Key(key.clone()), nonce, clock)
    }

    /// The file to carry to the vendor instead. The key is in it.
    ///
    /// # Errors
    /// As [`Home::activation`].
    pub fn activation_file(
        &self,
        key: &ProductKey,
        clock: &dyn Clock,
        random: &mut impl CryptoRng,
    ) -> Result<String, NotCertified> {
        Ok(files::host_activation_to_pem(&self.activation(key, clock, random)?))
    }

    fn signed_claim(&self, claim: Claim, nonce: Nonce, clock: &dyn Clock) -> Result<Signed, NotCertified> {
        let key = self.signing_key()?;
        let hour_width_ms =
            self.requested_hour_width_ms().ok_or_else(|| HomeError::NoRequest(self.clone()))?;
        let ask = HostActivation {
            signing_key: key.public(),
            claim,
            hour_width: Duration::from_millis(hour_width_ms),
            nonce,
            asked_at: clock.now(),
        };
        Ok(ask.sign(&key))
    }

    /// The name of the ask with this key: the one on disk, or a new one.
    fn nonce_of(&self, key: &ProductKey, random: &mut impl CryptoRng) -> Result<Nonce, HomeError> {
        let (path, number) = (self.pending_path(), key.number().to_string());
        let read = match regular::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            read => read.map_err(|error| HomeError::Unreadable(path.clone(), error))?,
        };
        let text = String::from_utf8_lossy(&read);
        let pending = text.trim().split_once(' ').filter(|(of, _)| *of == number);
        let nonce = pending.and_then(|(_, nonce)| HEXLOWER_PERMISSIVE.decode(nonce.as_bytes()).ok());
        if let Some(nonce) = nonce.and_then(|nonce| Nonce::from_slice(&nonce)) {
            return Ok(nonce);
        }
        let nonce = Nonce::from_bytes(random.random());
        let line = format!("{number} {}\n", HEXLOWER_PERMISSIVE.encode(nonce.as_bytes()));
        file::replace(&path, line.as_bytes(), 0o600)?;
        Ok(nonce)
    }

    /// Takes the turn to activate this host, for as long as the file lives: of two at once, the later ask would overtake the other.
    ///
    /// # Errors
    /// Another process has it, or there is no host here.
    pub fn activating(&self) -> Result<File, HomeError> {
        let path = self.key_path();
        let opened = regular::open(&path, File::options().read(true));
        let key = opened.map_err(|_| HomeError::NoKey(self.clone()))?;
        match key.try_lock() {
            Ok(()) => Ok(key),
            Err(TryLockError::WouldBlock) => Err(HomeError::Activating(self.path().to_owned())),
            Err(TryLockError::Error(error)) => Err(HomeError::Unreadable(path, error)),
        }
    }

    /// Forgets the name of an ask that was answered. If that fails, the next ask with this key costs nothing either.
    pub(crate) fn forget_pending(&self) {
        let _ = std::fs::remove_file(self.pending_path());
    }

    /// The number of the key and the name of the ask that has no answer yet.
    fn pending_path(&self) -> PathBuf {
        self.path().join("activation")
    }
}

impl NotCertified {
    /// What to do at this host. The remedies for TLS to hosts name other files than those for TLS to the portal.
    pub(crate) fn remedy(&self) -> String {
        let cause = match self {
            NotCertified::Home(error) => return error.remedy(),
            NotCertified::Refused(cause) => cause,
        };
        let remedy = match cause.reason() {
            Some(Reason::TlsFilesBad) => {
                "correct the file that --portal-ca or the setting `portal_ca` names, or name one if this system has no CAs"
            }
            Some(Reason::TlsCertificateBad) => {
                "name the file with the CA of the portal's certificate, with --portal-ca or the setting `portal_ca`, and check this \
                 host's clock; if the certificate has ended or is for another name, tell the vendor"
            }
            Some(Reason::TlsNotOffered | Reason::TlsFailed | Reason::NotAHost) => {
                "check the portal's address and port, and what is between it and this host"
            }
            _ => cause.remedy(),
        };
        remedy.to_owned()
    }
}

/// Checks that the settings for TLS to the portal can be used, without connecting to it. A relative path is in this directory.
///
/// # Errors
/// `TLS_FILES_BAD`.
pub fn check_tls(config: &Config, data: &Path, clock: Arc<dyn Clock>) -> Result<(), NotCertified> {
    // `kms-host activate --portal` uses `portal_ca`, too.
    if config.portal.is_empty() && config.portal_ca.as_os_str().is_empty() {
        return Ok(());
    }
    tls_of(config, data).read(clock).map(drop).map_err(NotCertified::Refused)
}

fn tls_of(config: &Config, data: &Path) -> Tls {
    if config.portal_ca.as_os_str().is_empty() {
        Tls::of_system()
    } else {
        Tls::from_file(data.join(&config.portal_ca))
    }
}

impl PortalWay {
    /// The way that these settings name; `None` if they name none. A relative path is in this directory.
    ///
    /// # Errors
    /// The setting `portal` is no address.
    pub fn of(config: &Config, data: &Path) -> Result<Option<PortalWay>, BadPortalAddress> {
        if config.portal.is_empty() {
            return Ok(None);
        }
        Ok(Some(PortalWay { address: config.portal.parse()?, tls: tls_of(config, data) }))
    }

    /// The same portal, if its TLS certificate is from one of these CAs, as PEM.
    pub fn certified_by(self, authorities: Vec<u8>) -> PortalWay {
        PortalWay { tls: Tls::new(authorities), ..self }
    }

    /// Activates the host by this key, and installs its certificate.
    ///
    /// # Errors
    /// See [`NotCertified`]. The same call continues.
    pub async fn activate(
        &self,
        home: &Home,
        key: &ProductKey,
        allowed: Allowed,
        clock: Arc<dyn Clock>,
    ) -> Result<Certified, NotCertified> {
        let ask = home.activation(key, &*clock, &mut rand::rng())?;
        self.certified(home, ask, allowed, clock).await
    }

    /// Renews the certificate for this product, and installs it beside the one that ends.
    ///
    /// # Errors
    /// See [`NotCertified`].
    pub async fn renew(
        &self,
        home: &Home,
        product: ProductId,
        clock: Arc<dyn Clock>,
    ) -> Result<Certified, NotCertified> {
        let nonce = Nonce::from_bytes(rand::rng().random());
        let ask = home.signed_claim(Claim::Renewal(product), nonce, &*clock)?;
        self.certified(home, ask, Allowed::default(), clock).await
    }

    /// Fetches the revocation lists that are newer than these, and installs them.
    ///
    /// # Errors
    /// See [`NotCertified`]. Nothing is changed.
    pub async fn revocations(
        &self,
        home: &Home,
        known: KnownRevocations,
        clock: Arc<dyn Clock>,
    ) -> Result<Vec<TakenUp>, NotCertified> {
        Ok(home.take_up_revocations(&self.newer_revocations(known, clock).await?, ANSWER)?)
    }

    /// The revocation lists that are newer than these. Asking for them changes nothing at the portal.
    ///
    /// # Errors
    /// See [`NotCertified`].
    pub async fn newer_revocations(
        &self,
        known: KnownRevocations,
        clock: Arc<dyn Clock>,
    ) -> Result<Vec<SignedRevocationList>, NotCertified> {
        let portal = self.connect(clock).await?;
        let KnownRevocations { by_issuer, by_root } = known;
        let known = GetRevocationsRequest { newer_than: by_issuer, newer_than_by_root: by_root };
        let newer = portal.revocations(known).await?;
        // What a root says of issuing keys counts for the other one.
        Ok(newer.by_root.into_iter().chain(newer.by_issuer).collect())
    }

    async fn connect(&self, clock: Arc<dyn Clock>) -> Result<Portal, NotCertified> {
        let tls = self.tls.read(clock).map_err(NotCertified::Refused)?;
        Ok(Portal::connect(&self.address, &tls).await?)
    }

    async fn certified(
        &self,
        home: &Home,
        ask: Signed,
        allowed: Allowed,
        clock: Arc<dyn Clock>,
    ) -> Result<Certified, NotCertified> {
        let answer = self.connect(clock.clone()).await?.activate_host(ask).await?;
        let pem = files::certificate_answer_to_pem(answer.chain, answer.roots);
        let put = home.install_certificate(ANSWER.as_ref(), pem.as_bytes(), allowed, clock.now())?;
        Ok(Certified {
            put,
            host: (answer.host, answer.hosts),
            activation: (answer.activation, answer.activations),
        })
    }
}
