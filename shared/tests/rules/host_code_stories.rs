//! A host by codes: both sides make the same certificate from the terms of the key, and machines take its leases as any other's.

use shared::answer::{Received, Verdict};
use shared::certificate::{ChainError, HostCertificate};
use shared::codes::{CodeError, CodeForm, ConfirmationId, HostTerms, InstallationId};
use shared::envelope::{Kind, SecretKey};
use shared::features::Features;
use shared::ids::CertificateId;

use crate::code_stories::{NUMBER, machine};
use crate::kit::{self, DAY, HOUR, MS, NOW, OTHER_PRODUCT, PRODUCT, Who};

/// A host certificate of which only what every host of this key shares is of use.
fn template() -> HostCertificate {
    HostCertificate { features: Features::new(["export"]).unwrap(), ..kit::certificate() }
}

fn terms_of(certificate: &HostCertificate) -> Result<HostTerms, ChainError> {
    let issuing = kit::key(Who::Root).sign(Kind::IssuingCertificate, &kit::issuing_certificate());
    HostTerms::new(certificate, 400 * DAY, NUMBER, issuing, &kit::roots())
}

pub(crate) fn terms() -> HostTerms {
    terms_of(&template()).unwrap()
}

fn issuing_key() -> SecretKey {
    kit::key(Who::Issuing)
}

fn id() -> InstallationId {
    terms().installation_id(kit::key(Who::Host).public())
}

#[test]
fn a_host_that_types_its_confirmation_has_an_ordinary_certificate() {
    let confirmation = ConfirmationId::of_host(&id(), &terms(), NOW + HOUR, &issuing_key()).unwrap();
    // The host has its own copy of the terms, and reads the code from a telephone.
    let sold = HostTerms::decode(&terms().encode()).unwrap();
    let typed: ConfirmationId = confirmation.text(CodeForm::Digits).parse().unwrap();
    let chain = typed.chain(&sold.installation_id(kit::key(Who::Host).public()), &sold).unwrap();

    let host = chain.host();
    assert_eq!((host.signing_key, host.product), (kit::key(Who::Host).public(), PRODUCT));
    assert_eq!((&*host.organisation_name, &host.features), ("Gutenberg", &template().features));
    assert_eq!((host.not_before, host.not_after, host.issued_at), (NOW - DAY, NOW + 400 * DAY, Some(NOW)));

    let lease = kit::lease(&kit::header(&kit::expected(), NOW), &host.policy);
    let answer = kit::answer(chain.encoded(), Kind::Lease, &lease);
    let verdict = Received::open(&answer, None, &kit::roots()).unwrap().judge(&kit::expected(), NOW);
    assert!(matches!(verdict, Ok(Verdict::Leased(_))), "{verdict:?}");
}

#[test]
fn a_confirmation_of_a_host_is_the_same_all_day() {
    let at = |now| ConfirmationId::of_host(&id(), &terms(), now, &issuing_key()).unwrap();
    assert_eq!(at(NOW), at(NOW + DAY - MS));
    assert_ne!(at(NOW), at(NOW - MS));
    let id_of = |now| at(now).chain(&id(), &terms()).unwrap().host().id;
    assert_ne!(id_of(NOW), id_of(NOW - MS));
    assert_ne!(id_of(NOW), CertificateId::from_bytes([0; 16]));
}

#[test]
fn a_confirmation_fits_one_host_under_its_own_terms() {
    let confirmation = ConfirmationId::of_host(&id(), &terms(), NOW, &issuing_key()).unwrap();
    let other_host = terms().installation_id(kit::key(Who::OtherHost).public());
    assert_eq!(confirmation.chain(&other_host, &terms()).map(|_| ()), Err(CodeError::OtherInstallation));
    assert_eq!(confirmation.chain(&machine(), &terms()).map(|_| ()), Err(CodeError::OtherInstallation));
    // Somebody has edited the file to have more features.
    let edited = HostCertificate { features: Features::new(["3d", "export"]).unwrap(), ..template() };
    let edited = terms_of(&edited).unwrap();
    assert_eq!(confirmation.chain(&id(), &edited).map(|_| ()), Err(CodeError::OtherInstallation));
}

#[test]
fn the_vendor_confirms_no_host_of_another_product_or_key_and_with_no_other_key() {
    let confirm = |id: &InstallationId, key: Who| {
        ConfirmationId::of_host(id, &terms(), NOW, &kit::key(key)).map(|_| ())
    };
    let host = kit::key(Who::Host).public();
    assert_eq!(confirm(&id(), Who::Issuing), Ok(()));
    assert_eq!(
        confirm(&InstallationId::of_host(host, OTHER_PRODUCT, NUMBER), Who::Issuing),
        Err(CodeError::OtherInstallation)
    );
    assert_eq!(confirm(&machine(), Who::Issuing), Err(CodeError::OtherInstallation));
    assert_eq!(confirm(&id(), Who::Codes), Err(CodeError::OtherInstallation));
}

#[test]
fn terms_of_no_root_or_of_another_product_are_refused() {
    let issuing = |root: Who, products: &[_]| {
        let mut issuing = kit::issuing_certificate();
        issuing.products = products
            .iter()
            .map(|id: &shared::ids::ProductId| bytes::Bytes::copy_from_slice(id.as_bytes()))
            .collect();
        kit::key(root).sign(Kind::IssuingCertificate, &issuing)
    };
    let terms = |issuing| HostTerms::new(&template(), 400 * DAY, NUMBER, issuing, &kit::roots()).map(|_| ());
    assert_eq!(terms(issuing(Who::Root, &[PRODUCT])), Ok(()));
    assert!(matches!(terms(issuing(Who::ThirdRoot, &[])), Err(ChainError::IssuingCertificate(_))));
    assert_eq!(terms(issuing(Who::Root, &[OTHER_PRODUCT])), Err(ChainError::IssuerProducts));
    assert_eq!(HostTerms::decode(b"\x0a\xff").map(|_| ()), Err(ChainError::Malformed));
    assert_eq!(HostTerms::decode(b"").map(|_| ()), Err(ChainError::Malformed));
}
