//! Issues host certificates: checks the request, signs, records, and returns the file.
//!
//! `docs/protocol.md` 2 says what a certificate means. It is signed by a root key or by the key of `issuer`.

use std::time::Duration;

use clap::Args;
use rand::CryptoRng;
use shared::certificate::{Chain, HostCertificate};
use shared::envelope::Kind;
use shared::files::{self, HostRequest};
use shared::ids::CertificateId;
use shared::time::Timestamp;

use crate::contract::Contract;
use crate::error::VendorError;
use crate::issuer::SigningIssuer;
use crate::journal;
use crate::organisation::{self, Organisation};
use crate::product::{Product, random};
use crate::signer::{Signer, end};
use crate::text::instant_text;
use crate::vendor::Vendor;

/// The width of an hour in every ledger that is not for tests.
const HOUR: Duration = Duration::from_hours(1);

/// Arguments of [`Vendor::issue`].
#[derive(Clone, Debug)]
pub struct IssueRequest<'a> {
    /// The host's request file, as received.
    pub request_pem: &'a str,
    /// The name of the product.
    pub product: &'a str,
    /// Name or id of the organisation whose machines the host may serve. A name always gets the same id.
    pub organisation: &'a str,
    /// Exceptions that the caller allows.
    pub allow: Allow,
    /// The first instant at which the certificate is valid.
    pub not_before: Timestamp,
    /// How long it is valid from then on.
    pub valid_for: Duration,
    /// Who signs.
    pub signer: Signer,
    /// Marks the certificate as test even if the product is not, for a host whose hours have another width.
    pub test: bool,
    /// Now, for the record.
    pub now: Timestamp,
    /// What the organisation has bought beyond what every customer gets.
    pub contract: Contract,
}

/// Exceptions that the caller allows. Each is usually a mistake, so each is refused by default: anybody could have written a request
/// that is not signed.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct Allow {
    /// Add a new organisation even if its name is similar to that of another.
    #[arg(long)]
    pub new_organisation: bool,
    /// Issue the certificate even if the host was certified for another organisation before.
    #[arg(long)]
    pub moved_host: bool,
    /// Accept a request that is not signed by the host's key, from a host of an older version.
    #[arg(long)]
    pub unsigned_request: bool,
}

/// A certificate that was issued and recorded.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The file that the host installs: PEM `KMS HOST CERTIFICATE`.
    pub pem: String,
    /// The certificate in it.
    pub certificate: HostCertificate,
    /// Whether this is the organisation's first certificate. A mistyped name shows here.
    pub organisation_is_new: bool,
}

impl Vendor {
    /// Issues a host certificate. When this returns, its line in `issued.jsonl` is on the disk.
    ///
    /// # Errors
    /// [`VendorError::Request`], [`VendorError::UnsignedRequest`] and [`VendorError::HourWidth`] are the host's; a missing key,
    /// an unknown product, a time that does not fit and an issuer's limits are the vendor's. Nothing is recorded then.
    pub fn issue(&self, request: &IssueRequest<'_>, rng: &mut impl CryptoRng) -> Result<Issued, VendorError> {
        let _lock = self.lock()?;
        // 1. Check. Nothing is written yet, so a refusal leaves the directory unchanged.
        let host = HostRequest::from_pem(request.request_pem.as_bytes());
        let host = host.map_err(VendorError::bad_request(VendorError::Request))?;
        if !host.is_signed && !request.allow.unsigned_request {
            return Err(VendorError::UnsignedRequest);
        }
        // A mistyped product is reported before anything that follows from it.
        let product = self.product(request.product)?;
        let organisation =
            organisation::find(self, request.organisation, request.allow.new_organisation, rng)?;
        if !request.allow.moved_host {
            let id = host.signing_key.host();
            if let Some(before) = journal::other_organisation_of(self, id, organisation.id)? {
                return Err(VendorError::HostOfAnother { host: id, organisation: before });
            }
        }
        let certificate = certificate(request, &host, product, &organisation, rng)?;
        // 2. Sign, and verify the result as a client would.
        let chain = self.signed_chain(&certificate, request.signer)?;
        // 3. Record, so that no certificate exists that the vendor does not know of.
        if organisation.is_new {
            organisation::remember(self, &organisation.name, organisation.id)?;
        }
        journal::append(self, &line(request, &certificate)?)?;
        // 4. Return.
        let pem = files::certificate_to_pem(&chain, self.verifying());
        Ok(Issued { pem, certificate, organisation_is_new: organisation.is_new })
    }

    fn signed_chain(&self, certificate: &HostCertificate, signer: Signer) -> Result<Chain, VendorError> {
        let (key, issuing) = match signer {
            Signer::Root1 | Signer::Root2 => (self.root_of(signer)?, None),
            Signer::Issuer => {
                let issuer = SigningIssuer::open(self)?;
                issuer.check_limits(certificate)?;
                (issuer.key.into(), Some(issuer.signed))
            }
        };
        let envelope = key.sign(Kind::HostCertificate, &certificate.encode())?;
        Chain::verify(&Chain::encode(envelope, issuing), self.verifying()).map_err(VendorError::OwnOutput)
    }
}

fn line<'a>(
    request: &IssueRequest<'a>,
    certificate: &'a HostCertificate,
) -> Result<journal::JournalLine<'a>, VendorError> {
    let text = |instant| instant_text(instant).ok_or(VendorError::TooLate);
    Ok(journal::JournalLine {
        time: text(request.now)?,
        certificate: certificate.id.to_string(),
        host: certificate.host().to_string(),
        product: request.product,
        product_id: certificate.product.to_string(),
        organisation: &certificate.organisation_name,
        organisation_id: certificate.organisation.to_string(),
        not_before: text(certificate.not_before)?,
        not_after: text(certificate.not_after)?,
        signer: request.signer.name(),
        test: certificate.test,
        seats: certificate.seats,
        features: certificate.features.iter().collect(),
    })
}

fn certificate(
    request: &IssueRequest<'_>,
    host: &HostRequest,
    product: Product,
    organisation: &Organisation,
    rng: &mut impl CryptoRng,
) -> Result<HostCertificate, VendorError> {
    let test = product.test || request.test;
    if host.hour_width != HOUR && !test {
        return Err(VendorError::HourWidth(host.hour_width));
    }
    let contract = request.contract.over(&product.contract);
    Ok(HostCertificate {
        id: CertificateId::from_bytes(random(rng)),
        signing_key: host.signing_key,
        product: product.id,
        product_name: product.name,
        organisation: organisation.id,
        organisation_name: organisation.name.clone(),
        not_before: request.not_before,
        not_after: end(request.not_before, request.valid_for, request.now)?,
        test,
        policy: product.policy,
        issued_at: Some(request.now),
        seats: contract.seats,
        features: contract.features()?,
    })
}
