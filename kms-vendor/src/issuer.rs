//! The issuing key signs host certificates for a limited time, so that the root keys can stay offline. A portal has an issuing key of
//! its own, and asks for its certificate with a request.
//!
//! A root key signs its certificate once. Every reader of a chain enforces the limits in that certificate (`docs/protocol.md` 2).
//! They are checked here as well, so that the vendor gets an error that says which limit it is.

use std::io;
use std::time::Duration;

use prost::Message;
use proto::v1;
use rand::CryptoRng;
use shared::certificate::{HostCertificate, IssuingCertificate};
use shared::envelope::{Kind, PublicKey, SecretKey};
use shared::files::{self, ISSUING_KEY, KeyRequest, RequestedKey};
use shared::ids::CertificateId;
use shared::time::Timestamp;
use store::regular;

use crate::custody::Custody;
use crate::error::VendorError;
use crate::journal::{self, IssuerLine};
use crate::keys;
use crate::product::random;
use crate::root::SigningKey;
use crate::signer::{self, Signer};
use crate::vendor::{PUBLIC, Vendor, refuse_existing};

const CERTIFICATE_FILE: &str = "issuing.certificate";

/// Arguments of [`Vendor::create_issuer`], [`Vendor::sign_issuer`] and [`Vendor::sign_code_key`].
#[derive(Clone, Debug)]
pub struct NewIssuer<'a> {
    /// The names of the products that the key may sign for. Empty means all.
    pub products: Vec<&'a str>,
    /// The first instant at which its certificate is valid.
    pub not_before: Timestamp,
    /// How long it is valid from then on.
    pub valid_for: Duration,
    /// The root key that signs its certificate. Not [`Signer::Issuer`].
    pub root: Signer,
    /// Whether the key may sign only certificates that are marked as test.
    pub test: bool,
    /// Now.
    pub now: Timestamp,
}

/// An issuing certificate that a root key has signed.
#[derive(Clone, Debug)]
pub struct SignedIssuer {
    /// Its file: PEM `KMS ISSUING CERTIFICATE`.
    pub pem: String,
    /// The certificate in it.
    pub certificate: IssuingCertificate,
}

impl Vendor {
    /// Creates `issuing.key` and its certificate, signed by a root key. A key that is there without a certificate gets one.
    ///
    /// # Errors
    /// [`VendorError::Exists`] if there is a certificate already: it is never overwritten.
    pub fn create_issuer(
        &self,
        new: &NewIssuer<'_>,
        custody: &Custody,
        rng: &mut impl CryptoRng,
    ) -> Result<IssuingCertificate, VendorError> {
        let _lock = self.lock()?;
        let key_path = self.key_path(Signer::Issuer);
        refuse_existing(&self.path(CERTIFICATE_FILE))?;
        // A key without a certificate is of a call that was interrupted. It is kept as it was made.
        let is_begun = key_path.symlink_metadata().is_ok();
        let key =
            if is_begun { keys::read(&key_path, ISSUING_KEY, self.unlock())? } else { keys::generate(rng) };
        let (certificate, root) = self.limits(key.public(), new, rng)?;
        let signed = root.sign(Kind::IssuingCertificate, &certificate.encode())?;
        let pem = files::issuing_certificate_to_pem(&signed);
        if !is_begun {
            keys::write(&key_path, ISSUING_KEY, &key, custody)?;
        }
        store::file::create_new(&self.path(CERTIFICATE_FILE), pem.as_bytes(), PUBLIC)?;
        Ok(certificate)
    }

    /// Certifies the key of a portal, which has signed this request. When this returns, its line in `issued.jsonl` is on the disk.
    ///
    /// # Errors
    /// [`VendorError::PortalRequest`] is the portal's; a missing key, an unknown product and a time that does not fit are the vendor's.
    /// Nothing is recorded then.
    pub fn sign_issuer(
        &self,
        request_pem: &str,
        new: &NewIssuer<'_>,
        rng: &mut impl CryptoRng,
    ) -> Result<SignedIssuer, VendorError> {
        let (signed, certificate) =
            self.certify_request(RequestedKey::Issuing, request_pem, new, IssuingCertificate::encode, rng)?;
        Ok(SignedIssuer { pem: files::issuing_certificate_to_pem(&signed), certificate })
    }

    /// Certifies the key in a portal's request with what `message` makes of its limits.
    pub(crate) fn certify_request<M: Message>(
        &self,
        of: RequestedKey,
        request_pem: &str,
        new: &NewIssuer<'_>,
        message: impl FnOnce(&IssuingCertificate) -> M,
        rng: &mut impl CryptoRng,
    ) -> Result<(v1::Signed, IssuingCertificate), VendorError> {
        let _lock = self.lock()?;
        let request = KeyRequest::from_pem(of, request_pem.as_bytes());
        let request = request.map_err(VendorError::bad_request(VendorError::PortalRequest))?;
        let kind = match of {
            RequestedKey::Issuing => Kind::IssuingCertificate,
            RequestedKey::Code => Kind::CodeCertificate,
        };
        let (limits, root) = self.limits(request.public_key, new, rng)?;
        let signed = root.sign(kind, &message(&limits))?;
        // Recorded before it is handed out, so that the vendor can revoke it.
        journal::append(self, &IssuerLine::of(kind, &limits, new.root.name(), new.now)?)?;
        Ok((signed, limits))
    }

    /// What a key may sign, and the root key that says so.
    fn limits(
        &self,
        public_key: PublicKey,
        new: &NewIssuer<'_>,
        rng: &mut impl CryptoRng,
    ) -> Result<(IssuingCertificate, SigningKey), VendorError> {
        let products = new.products.iter().map(|name| self.product(name).map(|product| product.id));
        let root = self.root_of(new.root)?;
        let limits = IssuingCertificate {
            id: CertificateId::from_bytes(random(rng)),
            public_key,
            not_before: new.not_before,
            not_after: signer::end(new.not_before, new.valid_for, new.now)?,
            products: products.collect::<Result<_, _>>()?,
            test: new.test,
        };
        Ok((limits, root))
    }

    /// The existing issuing certificate. Its key is not opened.
    ///
    /// # Errors
    /// [`VendorError::NoIssuer`] if there is none, [`VendorError::IssuerOfOldRoot`] if its root was replaced.
    pub fn issuer(&self) -> Result<IssuingCertificate, VendorError> {
        Ok(self.signed_issuer()?.1)
    }

    fn signed_issuer(&self) -> Result<(v1::Signed, IssuingCertificate), VendorError> {
        let path = self.path(CERTIFICATE_FILE);
        let pem = regular::read(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => VendorError::NoIssuer(path.clone()),
            _ => VendorError::read(&path, source),
        })?;
        let signed =
            files::issuing_certificate_from_pem(&pem).map_err(|error| VendorError::damaged(&path, error))?;
        let verified = IssuingCertificate::verify(&signed, self.verifying());
        if verified.is_err() && self.was_root(&signed.key_id)? {
            return Err(VendorError::IssuerOfOldRoot(path));
        }
        let certificate = verified.map_err(|error| VendorError::damaged(&path, error))?;
        Ok((signed, certificate))
    }
}

/// The issuing key and its certificate, read back and verified.
pub(crate) struct SigningIssuer {
    pub(crate) key: SecretKey,
    pub(crate) signed: v1::Signed,
    certificate: IssuingCertificate,
    /// The names of the products that it may sign for, for error messages.
    allowed: Vec<String>,
}

impl SigningIssuer {
    pub(crate) fn open(vendor: &Vendor) -> Result<SigningIssuer, VendorError> {
        let (signed, certificate) = vendor.signed_issuer()?;
        let key_path = vendor.key_path(Signer::Issuer);
        let key = keys::read(&key_path, ISSUING_KEY, vendor.unlock())?;
        if key.public() != certificate.public_key {
            return Err(VendorError::damaged(&key_path, "issuing.certificate names another key"));
        }
        let mut products = vendor.products()?;
        products.retain(|product| certificate.products.contains(&product.id));
        let allowed = products.into_iter().map(|product| product.name).collect();
        Ok(SigningIssuer { key, signed, certificate, allowed })
    }

    /// Checks that its certificate allows it to sign this one.
    pub(crate) fn check_limits(&self, host: &HostCertificate) -> Result<(), VendorError> {
        let limits = &self.certificate;
        if !limits.covers(host.product) {
            return Err(VendorError::IssuerProducts {
                product: host.product_name.clone(),
                allowed: self.allowed.clone(),
            });
        }
        if !limits.allows(host.test) {
            return Err(VendorError::IssuerTestOnly);
        }
        if host.not_before < limits.not_before {
            return Err(VendorError::BeforeIssuer {
                not_before: host.not_before,
                issuer_not_before: limits.not_before,
            });
        }
        if limits.not_after < host.not_after {
            return Err(VendorError::OutlivesIssuer {
                not_after: host.not_after,
                issuer_not_after: limits.not_after,
            });
        }
        Ok(())
    }
}
