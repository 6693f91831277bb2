//! What the portal signs for codes that are read aloud: confirmations of machines by its code key, those of hosts by its issuing key.
//!
//! `docs/codes.md` says why these are two keys. `docs/protocol.md` 12 has what is signed.

use std::fmt;
use std::sync::Arc;

use kms_portal_rules::keys::KeyRefusal;
use kms_portal_rules::keys::calls::DayFault;
use shared::certificate::ChainError;
use shared::codes::{CodeCertificate, CodeError, ConfirmationId, HostTerms, InstallationId, MachineOptions};
use shared::envelope::SecretKey;
use shared::features::Features;
use shared::ids::ProductId;
use shared::revocation::Revocations;
use shared::time::Timestamp;

use super::{Heard, Issuer};

/// A code key with the certificates that roots have signed for it.
pub struct CodeSigner {
    key: SecretKey,
    /// In the order in which they were installed.
    certificates: Vec<CodeCertificate>,
    heard: Heard,
}

/// What a confirmation says of a machine, as its key was sold.
#[derive(Clone, Debug)]
pub struct SoldMachine {
    /// The product.
    pub product: ProductId,
    /// Whether the product is for tests.
    pub test: bool,
    /// The first instant at which it is not licensed any more, if there is one.
    pub ends_at: Option<Timestamp>,
    /// The features that the key grants.
    pub features: Features,
}

/// A machine's confirmation, signed.
#[derive(Clone, Debug)]
pub struct SignedCode {
    /// What is read to the caller.
    pub confirmation: ConfirmationId,
    /// When it ends: a code ends with a month.
    pub ends_at: Option<Timestamp>,
}

/// Why a code was not confirmed. Nothing has changed then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unconfirmed {
    /// The product key does not allow it.
    #[error(transparent)]
    Key(#[from] KeyRefusal),
    /// The code key has no certificate.
    #[error(
        "no certificate of this portal's code key is installed; have its request signed with `kms-vendor code-key sign`, then run \
         `kms-portal install-code-key`"
    )]
    NoCertificate,
    /// None of its certificates is valid for this product now.
    #[error(
        "no certificate of this portal's code key is valid now for this product ({0}); have its request signed again with `kms-vendor \
         code-key sign`, and install the certificate with `kms-portal install-code-key`"
    )]
    Certificates(ChainError),
    /// A root has revoked the certificate of the code key.
    #[error(
        "a root has revoked the certificate of this portal's code key, at {0}, and no product would take what it confirms; `kms-portal \
         doctor` on its machine says how to get another one"
    )]
    CertificateRevoked(Timestamp),
    /// No feature set of the certificate is what the key was sold with.
    #[error(
        "no feature set of the code certificate is exactly {0:?}; have the request signed again with the sets that it has and \
         --feature-set {0} behind them, install that with `kms-portal install-code-key`, and ship the product with it"
    )]
    FeatureSet(String),
    /// The end is too far away to be written in a code.
    #[error("a code ends with a month from January 2026 to March 2111; choose such a month with --end-month")]
    End,
    /// The wanted end is later than that of the key.
    #[error(
        "the key itself ends at {0}, and nothing can be confirmed beyond that; choose an earlier --end-month"
    )]
    BeyondKey(Timestamp),
    /// An end was wanted for a host.
    #[error("a host's end is in the terms of its key; leave --end-month out")]
    EndOfHost,
    /// Terms were named for a machine.
    #[error("only hosts are confirmed under terms; leave --terms out")]
    TermsOfMachine,
    /// There are no terms of this number, or none at all.
    #[error(
        "key {key} has no such terms; make some with `kms-portal key terms {key}`, and send them to the host's administrator"
    )]
    NoTerms {
        /// The number of the key.
        key: String,
    },
    /// The key ends before a host could use what is confirmed.
    #[error(
        "the key ends at {0}, too soon for codes: a host's certificate lasts at least one day after that of the call; activate the host \
         online or by a file, or issue another key"
    )]
    KeyEndsSoon(Timestamp),
    /// The terms cannot be signed under any more.
    #[error(
        "terms {number} of key {key} are of no use any more: {why}; make new ones with `kms-portal key terms {key}`, and send them to \
         the host's administrator"
    )]
    Terms {
        /// The number of the terms.
        number: u64,
        /// The number of the key.
        key: String,
        /// What is wrong.
        why: TermsFault,
    },
}

/// Why nobody is confirmed under these terms any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TermsFault {
    /// They name another key than the portal's.
    #[error("they name another issuing key than this portal's")]
    OtherIssuer,
    /// The issuing certificate in them is not valid.
    #[error("of their issuing certificate, {0}")]
    Issuer(ChainError),
    /// A root has revoked the issuing certificate in them.
    #[error("a root has revoked their issuing certificate")]
    IssuerRevoked,
    /// The certificate would end too late or too soon.
    #[error(transparent)]
    Day(#[from] DayFault),
    /// They make no certificate that holds.
    #[error("they make no certificate that holds")]
    Unsound,
}

impl CodeSigner {
    /// This key with those of these certificates that are for it, in the order in which they were installed.
    pub fn new(key: SecretKey, certificates: Vec<CodeCertificate>) -> CodeSigner {
        let public_key = key.public();
        let own = certificates.into_iter().filter(|one| one.limits.public_key == public_key).collect();
        CodeSigner { key, certificates: own, heard: Heard::default() }
    }

    /// Its certificates, the last installed last.
    pub fn certificates(&self) -> &[CodeCertificate] {
        &self.certificates
    }

    /// Confirms nothing from now on under what this list of a root has.
    pub fn take_note(&self, by_root: Arc<Revocations>) {
        self.heard.take(by_root);
    }

    /// When a root has revoked one of them for which there is no later one.
    pub fn revoked_at(&self) -> Option<Timestamp> {
        let revoked = |(index, one): (usize, &CodeCertificate)| {
            let mut later = self.certificates[index + 1..].iter().map(|later| &later.limits);
            let is_replaced = later
                .any(|later| self.heard.revoked_at(later.id).is_none() && one.limits.loses(later).is_none());
            self.heard.revoked_at(one.limits.id).filter(|_| !is_replaced)
        };
        self.certificates.iter().enumerate().filter_map(revoked).max()
    }

    /// When the last of them ends. None if there is none.
    pub fn ends_at(&self) -> Option<Timestamp> {
        self.certificates.iter().map(|certificate| certificate.limits.not_after).max()
    }

    /// The newest certificate that is valid now for this product.
    fn certificate(
        &self,
        product: ProductId,
        test: bool,
        now: Timestamp,
    ) -> Result<&CodeCertificate, Unconfirmed> {
        let mut refused = Unconfirmed::NoCertificate;
        for certificate in self.certificates.iter().rev() {
            let limits = &certificate.limits;
            let revoked_at = self.heard.revoked_at(limits.id);
            let checked = limits.check_signs(product, test).and_then(|()| limits.check_valid_at(now));
            let fault = match (checked, revoked_at) {
                (Ok(()), None) => return Ok(certificate),
                (Ok(()), Some(revoked_at)) => Unconfirmed::CertificateRevoked(revoked_at),
                (Err(fault), _) => Unconfirmed::Certificates(fault),
            };
            // The newest one says best what to do.
            if refused == Unconfirmed::NoCertificate {
                refused = fault;
            }
        }
        Err(refused)
    }

    /// Confirms a machine, with the end of its key or an earlier one.
    ///
    /// # Errors
    /// No certificate is valid or has these features, or the end cannot be written in a code.
    pub fn confirm(
        &self,
        id: &InstallationId,
        sold: &SoldMachine,
        now: Timestamp,
    ) -> Result<SignedCode, Unconfirmed> {
        let certificate = self.certificate(sold.product, sold.test, now)?;
        let place = certificate.place_of(&sold.features);
        let features = || sold.features.iter().collect::<Vec<_>>().join(",");
        let place = place.ok_or_else(|| Unconfirmed::FeatureSet(features()))?;
        let options = MachineOptions::new(sold.ends_at, place).ok_or(Unconfirmed::End)?;
        let confirmation = ConfirmationId::of_machine(id, options, &self.key);
        Ok(SignedCode { confirmation, ends_at: options.ends_at() })
    }
}

/// The public half only.
impl fmt::Debug for CodeSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CodeSigner").field(&self.certificates).finish()
    }
}

impl Issuer {
    /// Confirms a host under these terms, as of this day.
    pub(super) fn confirm_host_by(
        &self,
        id: &InstallationId,
        terms: &HostTerms,
        day: Timestamp,
        now: Timestamp,
    ) -> Result<ConfirmationId, TermsFault> {
        let certificate = terms.issuing_certificate();
        if certificate.public_key != self.key.public() {
            return Err(TermsFault::OtherIssuer);
        }
        certificate.check_valid_at(now).map_err(TermsFault::Issuer)?;
        if self.heard.is_revoked(certificate.id, now) {
            return Err(TermsFault::IssuerRevoked);
        }
        let confirmed = ConfirmationId::of_host(id, terms, day, &self.key);
        confirmed.map_err(|error: CodeError| {
            tracing::warn!(%error, "terms of a host key make no certificate");
            TermsFault::Unsound
        })
    }
}
