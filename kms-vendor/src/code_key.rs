//! A code key signs confirmation ids, which are read aloud. A root certifies it once, and products carry the certificate, so it lasts as
//! long as they do.
//!
//! The portal keeps the private half, and asks with a request of its own kind. `docs/codes.md` says why the two differ.

use std::path::{Path, PathBuf};

use rand::CryptoRng;
use shared::certificate::IssuingCertificate;
use shared::codes::{CodeCertificate, CodeKey};
use shared::features::Features;
use shared::files::{self, RequestedKey};
use store::regular;

use crate::error::VendorError;
use crate::issuer::NewIssuer;
use crate::product::Product;
use crate::vendor::Vendor;

/// A code names one of so many feature sets.
const FEATURE_SETS_MAX: usize = 63;

/// A code certificate that a root key has signed.
#[derive(Clone, Debug)]
pub struct SignedCodeKey {
    /// Its file: PEM `KMS CODE CERTIFICATE`.
    pub pem: String,
    /// The certificate in it.
    pub certificate: CodeCertificate,
}

impl Vendor {
    /// Certifies the code key of a portal, which has signed this request. A confirmation grants a feature set by its place. When this
    /// returns, its line in `issued.jsonl` is on the disk.
    ///
    /// # Errors
    /// [`VendorError::TooManyFeatureSets`] above 63; otherwise as [`Vendor::sign_issuer`].
    pub fn sign_code_key(
        &self,
        request_pem: &str,
        new: &NewIssuer<'_>,
        feature_sets: Vec<Features>,
        rng: &mut impl CryptoRng,
    ) -> Result<SignedCodeKey, VendorError> {
        if FEATURE_SETS_MAX < feature_sets.len() {
            return Err(VendorError::TooManyFeatureSets);
        }
        let of = |limits: &IssuingCertificate| CodeCertificate {
            limits: limits.clone(),
            feature_sets: feature_sets.clone(),
        };
        let message = |limits: &IssuingCertificate| of(limits).encode();
        let (signed, limits) = self.certify_request(RequestedKey::Code, request_pem, new, message, rng)?;
        Ok(SignedCodeKey { pem: files::code_certificate_to_pem(&signed), certificate: of(&limits) })
    }

    /// The encoded certificates in these files, each of a key that may confirm codes for this product.
    pub(crate) fn code_keys(
        &self,
        product: &Product,
        files: &[PathBuf],
    ) -> Result<Vec<Vec<u8>>, VendorError> {
        files.iter().map(|path| self.code_key(product, path)).collect()
    }

    fn code_key(&self, product: &Product, path: &Path) -> Result<Vec<u8>, VendorError> {
        let unusable = |cause: String| VendorError::CodeKey { path: path.to_owned(), cause };
        let pem = regular::read(path).map_err(|source| VendorError::read(path, source))?;
        let body =
            files::from_pem(files::CODE_CERTIFICATE, &pem).map_err(|error| unusable(error.to_string()))?;
        CodeKey::verify(&body, self.verifying(), product.id, product.test)
            .map_err(|error| unusable(error.to_string()))?;
        Ok(body.to_vec())
    }
}
