//! A host by codes: what it reads to its vendor, and the certificate that it makes from what the vendor reads back.
//!
//! Certificates that came over a telephone are installed like all others, with the same checks. `docs/protocol.md` 12.

use shared::certificate::ChainError;
use shared::codes::{CodeError, ConfirmationId, HostTerms, InstallationId};
use shared::files::{self, BadFile, HOST_TERMS, TELEPHONES};
use shared::telephones::{Telephones, TelephonesError};
use shared::time::Timestamp;
use zeroize::Zeroizing;

use crate::certificates::Allowed;
use crate::home::{Home, HomeError, Put};

/// What a certificate is called that was made from a code, where one is said to come from a file.
const CONFIRMATION: &str = "the confirmation id";

/// Why a host was not confirmed.
#[derive(Debug, thiserror::Error)]
pub enum NotConfirmed {
    /// The file of the terms is damaged, or another file.
    #[error("the terms of the host key: {0}; take the file that came with the key")]
    File(BadFile),
    /// The terms themselves do not hold.
    #[error("the terms of the host key: {0}; take the file that came with the key")]
    Terms(ChainError),
    /// The telephone numbers that came with the terms are not the vendor's.
    #[error("the telephone numbers beside the terms are not shown: {0}")]
    Telephones(TelephonesError),
    /// The code was mistyped, or is for something else.
    #[error("{0}; compare it with what the vendor has read to you, and enter it again")]
    Code(CodeError),
    /// The directory, or the certificate that came of it.
    #[error(transparent)]
    Home(#[from] HomeError),
}

/// The terms of a host key in their file.
///
/// # Errors
/// [`NotConfirmed::File`], [`NotConfirmed::Terms`].
pub fn terms_from_pem(text: &[u8]) -> Result<HostTerms, NotConfirmed> {
    let body = files::from_pem(HOST_TERMS, text).map_err(NotConfirmed::File)?;
    HostTerms::decode(&body).map_err(NotConfirmed::Terms)
}

/// The numbers to call, if the vendor has put them beside the terms. A root in the terms must have signed them, so they are as
/// trustworthy as the terms.
///
/// # Errors
/// [`NotConfirmed::File`], [`NotConfirmed::Telephones`].
pub fn telephones_from_pem(text: &[u8], terms: &HostTerms) -> Result<Option<Telephones>, NotConfirmed> {
    let bodies = files::all_from_pem(TELEPHONES, text).map_err(NotConfirmed::File)?;
    let verify = |body: &Zeroizing<Vec<u8>>| Telephones::verify(body, terms.roots(), terms.product());
    bodies.last().map(verify).transpose().map_err(NotConfirmed::Telephones)
}

impl Home {
    /// What this host reads to its vendor.
    ///
    /// # Errors
    /// There is no host here.
    pub fn installation_id(&self, terms: &HostTerms) -> Result<InstallationId, HomeError> {
        Ok(terms.installation_id(self.signing_key()?.public()))
    }

    /// Installs the certificate that the vendor's answer makes.
    ///
    /// # Errors
    /// See [`NotConfirmed`].
    pub fn confirm(
        &self,
        terms: &HostTerms,
        typed: &str,
        allowed: Allowed,
        now: Timestamp,
    ) -> Result<Vec<Put>, NotConfirmed> {
        let confirmation: ConfirmationId = typed.parse().map_err(NotConfirmed::Code)?;
        let chain = confirmation.chain(&self.installation_id(terms)?, terms).map_err(NotConfirmed::Code)?;
        let pem = files::certificate_to_pem(&chain, terms.roots());
        Ok(self.install_certificate(CONFIRMATION.as_ref(), pem.as_bytes(), allowed, now)?)
    }
}
