//! The commands about keys that sign for the vendor: its own issuing key, and those of a portal.

use std::path::Path;

use kms_vendor::{Custody, KeyPlace, NewIssuer, SignedCodeKey, SignedIssuer, Signer, Vendor, VendorError};
use rand::CryptoRng;
use shared::certificate::IssuingCertificate;
use shared::features::Features;
use shared::print::OneLine;
use shared::time::Timestamp;

use super::{Answer, BACKDATED, CommandError, custody, life, read_request};
use crate::cli::{NewCustody, NewIssuerArgs, OutArgs, RootChoice, SignCodeKey, SignIssuer};

pub(super) fn create_issuer(
    vendor: &Vendor,
    arguments: &NewIssuerArgs,
    custody: &NewCustody,
    now: Timestamp,
    rng: &mut impl CryptoRng,
) -> Result<Answer, CommandError> {
    // An existing key stays as it was made, whatever the options say.
    let custody = match vendor.key_place(Signer::Issuer)? {
        KeyPlace::Elsewhere => custody.choose(Signer::Issuer.file_name())?,
        _ => Custody::Plain,
    };
    let (root, note) = custody::root(vendor, &arguments.root)?;
    let issuer = vendor.create_issuer(&new_issuer(arguments, root, now), &custody, rng)?;
    let next = "`certificate issue --issuer` signs with it; the root keys may now be kept elsewhere.\n";
    Ok(Answer::issuer(&issuer, next).with(&note))
}

pub(super) fn sign_issuer(
    vendor: &Vendor,
    arguments: &SignIssuer,
    now: Timestamp,
    rng: &mut impl CryptoRng,
) -> Result<Answer, CommandError> {
    let SignIssuer { request, issuer, out } = arguments;
    let next = "the portal takes it with `kms-portal install-issuer FILE`.";
    sign(vendor, request, &issuer.root, out, ("issuing certificate", next), |request, root| {
        let SignedIssuer { pem, certificate } =
            vendor.sign_issuer(request, &new_issuer(issuer, root, now), rng)?;
        Ok((pem, certificate))
    })
}

pub(super) fn sign_code_key(
    vendor: &Vendor,
    arguments: &SignCodeKey,
    now: Timestamp,
    rng: &mut impl CryptoRng,
) -> Result<Answer, CommandError> {
    let SignCodeKey { request, products, feature_sets, valid_for, root, test_only, out } = arguments;
    let next = "the portal takes it with `kms-portal install-code-key FILE`, and products carry it: `kms-vendor product rust NAME \
                --code-key FILE`.";
    let mut answer = sign(vendor, request, root, out, ("code certificate", next), |request, root| {
        let new = NewIssuer {
            products: products.iter().map(String::as_str).collect(),
            not_before: now - BACKDATED,
            valid_for: valid_for.saturating_add(BACKDATED),
            root,
            test: *test_only,
            now,
        };
        let SignedCodeKey { pem, certificate } =
            vendor.sign_code_key(request, &new, feature_sets.clone(), rng)?;
        Ok((pem, certificate.limits))
    })?;
    answer.json["feature_sets"] = feature_sets.iter().map(Features::encode).collect();
    Ok(answer)
}

/// Signs a portal's request. `what` names the certificate, and `next` says what to do with its FILE.
fn sign(
    vendor: &Vendor,
    request: &Path,
    root: &RootChoice,
    out: &OutArgs,
    (what, next): (&str, &str),
    sign: impl FnOnce(&str, Signer) -> Result<(String, IssuingCertificate), VendorError>,
) -> Result<Answer, CommandError> {
    let file = out.check()?;
    let request = read_request(request)?;
    let (root, note) = custody::root(vendor, root)?;
    let (pem, certificate) = sign(&request, root)?;
    file.write(pem.as_bytes())
        .map_err(|source| CommandError::NotHandedOut { certificate: certificate.id, source })?;
    let out = file.path().display().to_string();
    let shown = OneLine(&out).to_string();
    let next = format!("Written to {shown}; {}\n", next.replace("FILE", &shown));
    let mut answer = Answer::certified(what, &certificate, &next).with(&note);
    answer.json["out"] = out.into();
    Ok(answer)
}

fn new_issuer(arguments: &NewIssuerArgs, root: Signer, now: Timestamp) -> NewIssuer<'_> {
    let (not_before, valid_for) = life(&arguments.life, None, now);
    NewIssuer {
        products: arguments.products.iter().map(String::as_str).collect(),
        not_before,
        valid_for,
        root,
        test: arguments.test_only,
        now,
    }
}
