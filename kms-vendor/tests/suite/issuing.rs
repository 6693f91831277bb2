//! Host certificates: what a host gets, what is refused, and what the vendor remembers of it.

use std::fs;
use std::num::NonZeroU32;
use std::time::Duration;

use kms_vendor::{Contract, Custody, NewIssuer, NewProduct, Signer, VendorError};
use shared::certificate::{ChainError, IssuingCertificate};
use shared::envelope::EnvelopeError;
use shared::files::{HOST_CERTIFICATE, HOST_REQUEST, from_pem, to_pem};
use shared::policy::Policy;
use shared::time::Timestamp;

use crate::{Counting, DAY, HOUR_MS, NOW, World, YEAR, request_pem, verify};

#[test]
fn a_certificate_verifies_under_this_vendors_roots_and_no_others() {
    let mut world = World::with_product();
    for signer in [Signer::Root1, Signer::Root2] {
        let issued = world.issue(|request| request.signer = signer).unwrap();
        let chain = verify(&issued.pem, world.vendor.roots()).unwrap();
        let host = chain.host();
        assert_eq!(
            (host.id, host.host(), host.test),
            (issued.certificate.id, issued.certificate.host(), false)
        );
        assert_eq!((host.product_name.as_str(), host.policy), ("Example CAD", Policy::CLIENT));
        assert_eq!((host.not_before, host.not_after), (NOW, NOW + YEAR));

        let other =
            kms_vendor::Vendor::init(&world.home.path().join(format!("{signer:?}")), &mut Counting(99));
        let refused = verify(&issued.pem, other.unwrap().roots()).unwrap_err();
        assert_eq!(refused, ChainError::HostCertificate(EnvelopeError::OtherKey));
    }
}

#[test]
fn a_second_host_of_an_organisation_gets_the_same_organisation() {
    let mut world = World::with_product();
    let first = world.issue(|_| ()).unwrap();
    let second = world.issue_to(&request_pem(8, HOUR_MS), |_| ()).unwrap();
    let other = world.issue_to(&request_pem(9, HOUR_MS), |request| request.organisation = "Example Works");
    let other = other.unwrap();
    assert_ne!(first.certificate.host(), second.certificate.host());
    assert_eq!(first.certificate.organisation, second.certificate.organisation);
    assert_eq!((first.organisation_is_new, second.organisation_is_new), (true, false));
    assert!(other.certificate.organisation != first.certificate.organisation && other.organisation_is_new);
}

#[test]
fn every_certificate_has_its_line() {
    let mut world = World::with_product();
    let first = world.issue(|_| ()).unwrap();
    let second = world.issue(|request| request.test = true).unwrap();
    let journal = world.journal();
    assert_eq!(journal.len(), 2);
    for (line, issued) in journal.iter().zip([first, second]) {
        assert_eq!(line["time"], "2027-01-15T08:00:00Z");
        assert_eq!(line["certificate"], issued.certificate.id.to_string());
        assert_eq!(line["host"], issued.certificate.host().to_string());
        assert_eq!(line["product"], "Example CAD");
        assert_eq!(line["organisation"], "Example University");
        assert_eq!(line["not_after"], "2028-01-15T08:00:00Z");
        assert_eq!(line["test"], issued.certificate.test);
    }
}

#[test]
fn without_its_line_there_is_no_certificate() {
    let mut world = World::with_product();
    fs::create_dir(world.path("issued.jsonl")).unwrap();
    let error = world.issue(|_| ()).unwrap_err();
    assert!(matches!(error, VendorError::Io { .. } | VendorError::Journal { .. }), "{error}");
}

#[test]
fn test_times_mark_the_certificate() {
    let mut world = World::with_product();
    let quick = Policy { clock_tolerance: Duration::from_secs(1), ..Policy::CLIENT };
    world.add("Quick", quick, true).unwrap();
    let issued = world.issue(|request| request.product = "Quick").unwrap();
    assert!(issued.certificate.test && verify(&issued.pem, world.vendor.roots()).unwrap().host().test);
}

#[test]
fn a_host_with_other_hours_gets_a_test_certificate_or_none() {
    let mut world = World::with_product();
    let tenths = request_pem(7, 100);
    let error = world.issue_to(&tenths, |_| ()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the host counts in hours of 100 ms, which only a certificate marked as test allows"
    );
    assert!(world.journal().is_empty() && !world.path("organisations.toml").exists());
    assert!(world.issue_to(&tenths, |request| request.test = true).unwrap().certificate.test);
}

#[test]
fn a_request_that_is_none_is_refused_in_one_sentence() {
    let whole = request_pem(7, HOUR_MS);
    let body = from_pem(HOST_REQUEST, whole.as_bytes()).unwrap();
    let not_whole = |cause: &str| format!("a whole KMS HOST REQUEST is not in it: {cause}");
    let missing = not_whole("there is no -----BEGIN line in it");
    let no_width = [&body[..34], &[0x10, 0]].concat();
    let weak_key = [&[0x0a, 32, 1][..], &[0; 31], &[0x10, 1]].concat();
    for (request, complaint) in [
        (String::new(), missing.as_str()),
        ("garbage".to_owned(), &missing),
        (whole[..whole.len() - 40].to_owned(), &not_whole("it is cut: the -----END line is missing")),
        (
            whole.replacen("KMS HOST REQUEST", "KMS HOST REQUESTS", 1),
            &not_whole("it holds a KMS HOST REQUESTS"),
        ),
        (to_pem(HOST_CERTIFICATE, &body), &not_whole("it holds a KMS HOST CERTIFICATE")),
        (to_pem(HOST_REQUEST, &body[..20]), "what it holds is damaged"),
        (to_pem(HOST_REQUEST, &[0x10, 1]), "the public key in it is unfit to verify with"),
        (to_pem(HOST_REQUEST, &no_width), "the width of an hour in it is no length of time"),
        (to_pem(HOST_REQUEST, &weak_key), "the public key in it is unfit to verify with"),
    ] {
        let mut world = World::with_product();
        let error = world.issue_to(&request, |_| ()).unwrap_err().to_string();
        assert_eq!(error, format!("the host's request is not usable: {complaint}"));
        assert!(world.journal().is_empty());
    }
}

/// A request is mailed, and a key that was brought back from paper or a password store has no line breaks any more.
#[test]
fn a_request_or_a_key_whose_wrapping_has_suffered_is_read() {
    let mut world = World::with_product();
    let key = world.path("root-1.key");
    let pasted: String = std::fs::read_to_string(&key).unwrap().lines().collect();
    std::fs::write(&key, pasted).unwrap();
    std::fs::write(world.path("roots.pub"), {
        let roots = std::fs::read_to_string(world.path("roots.pub")).unwrap();
        format!("\u{FEFF}{}", roots.replace('\n', "\r\n"))
    })
    .unwrap();
    let products = std::fs::read_to_string(world.path("products.toml")).unwrap();
    std::fs::write(world.path("products.toml"), format!("\u{FEFF}{}", products.replace('\n', "\r"))).unwrap();
    world.vendor = kms_vendor::Vendor::open(&world.home.path().join("vendor")).unwrap();
    let whole = request_pem(7, HOUR_MS);
    let quoted: Vec<_> = whole.lines().map(|line| format!("> {line} \r\n")).collect();
    let quoted = quoted.concat();
    let host = world.issue_to(&whole, |_| ()).unwrap().certificate.host();
    for mailed in [format!("{whole}\n-- \nKind regards\n"), quoted.clone(), format!("{whole}{quoted}")] {
        assert_eq!(world.issue_to(&mailed, |_| ()).unwrap().certificate.host(), host, "{mailed}");
    }
    let error = world.issue_to(&(whole + &request_pem(8, HOUR_MS)), |_| ()).unwrap_err().to_string();
    assert!(error.contains("it holds several that differ"), "{error}");
}

/// Machines refuse a host of another organisation, so another spelling of the name cut off a whole fleet.
#[test]
fn an_organisation_is_found_by_its_name_or_id_and_a_near_name_is_asked_about() {
    let mut world = World::with_product();
    let first = world.issue(|_| ()).unwrap();
    let by_id = first.certificate.organisation.to_string();
    for known in ["Example University", by_id.leak()] {
        let issued = world.issue(|request| request.organisation = known).unwrap();
        assert_eq!(
            (issued.certificate.organisation, issued.organisation_is_new),
            (first.certificate.organisation, false)
        );
        assert_eq!(issued.certificate.organisation_name, "Example University");
    }
    let lines = world.journal().len();
    for near in ["Example university", "Example-University", "Exampel University"] {
        let error = world.issue(|request| request.organisation = near).unwrap_err();
        assert!(matches!(error, VendorError::NearOrganisation { .. }), "{error}");
        assert!(
            error.to_string().contains(&first.certificate.organisation.to_string())
                && error.remedy().contains("--new-organisation"),
            "{error}"
        );
    }
    assert_eq!(world.journal().len(), lines, "nothing is recorded");
    let meant = world.issue_to(&request_pem(8, HOUR_MS), |request| {
        request.organisation = "Example university";
        request.allow.new_organisation = true;
    });
    assert!(meant.unwrap().organisation_is_new);
}

/// With both names mistyped, the organisation was blamed first, and the remedy led to a certificate that could not be issued.
#[test]
fn a_product_that_is_not_there_is_told_before_the_organisation_and_names_a_near_one() {
    let mut world = World::with_product();
    world.issue(|_| ()).unwrap();
    for organisation in ["Exampel University", "Somebody Else", "Example University"] {
        let error = world.issue(|request| {
            (request.product, request.organisation) = ("Exampel CAD", organisation);
        });
        assert_eq!(
            error.unwrap_err().to_string(),
            r#"there is no product "Exampel CAD"; near it: "Example CAD""#
        );
    }
    assert_eq!(world.journal().len(), 1, "nothing is recorded");
}

#[test]
fn a_host_of_one_organisation_is_not_certified_for_another() {
    let mut world = World::with_product();
    world.issue(|_| ()).unwrap();
    let error = world.issue(|request| request.organisation = "Somebody Else").unwrap_err();
    assert!(
        error.to_string().contains("was certified for another organisation, \"Example University\""),
        "{error}"
    );
    assert!(error.remedy().contains("--moved-host"), "{}", error.remedy());
    let moved = world.issue(|request| {
        request.organisation = "Somebody Else";
        request.allow.moved_host = true;
    });
    assert!(moved.unwrap().organisation_is_new);
}

#[test]
fn a_life_that_is_over_or_never_ends_is_refused() {
    let mut world = World::with_product();
    let error = world.issue(|request| request.valid_for = Duration::ZERO).unwrap_err();
    assert!(matches!(error, VendorError::EndedAlready { .. }), "{error}");
    let yesterday = NOW - DAY;
    let mut until =
        |valid_for| world.issue(|request| (request.not_before, request.valid_for) = (yesterday, valid_for));
    assert!(until(DAY).is_err());
    assert!(until(DAY + Duration::from_millis(1)).is_ok());
    let error = until(Duration::MAX).unwrap_err();
    assert!(matches!(error, VendorError::TooLate), "{error}");
}

pub(crate) fn create_issuer(world: &mut World, products: &[&str]) -> Result<IssuingCertificate, VendorError> {
    let new = NewIssuer {
        products: products.to_vec(),
        not_before: NOW,
        valid_for: YEAR,
        root: Signer::Root2,
        test: false,
        now: NOW,
    };
    world.vendor.create_issuer(&new, &Custody::Plain, &mut world.rng)
}

/// What every customer gets, and what this one has bought.
#[test]
fn a_certificate_has_the_seats_and_features_of_its_product_and_its_own() {
    let mut world = World::new();
    let contract = |seats, features: &[&str]| Contract {
        seats: NonZeroU32::new(seats),
        features: features.iter().map(|feature| (*feature).to_owned()).collect(),
    };
    let product = NewProduct {
        name: "Example CAD".to_owned(),
        id: None,
        policy: Policy::CLIENT,
        test: false,
        contract: contract(40, &["viewer"]),
    };
    world.vendor.add_product(product, &mut world.rng).unwrap();
    let issue = |world: &mut World, bought: Contract| {
        let issued = world.issue(|request| request.contract = bought).unwrap();
        let chain = verify(&issued.pem, world.vendor.roots()).unwrap();
        (chain.host().seats.map(NonZeroU32::get), chain.host().features.to_string())
    };
    assert_eq!(issue(&mut world, Contract::default()), (Some(40), "viewer".to_owned()));
    let bought = contract(400, &["export", "3d", "viewer"]);
    assert_eq!(issue(&mut world, bought), (Some(400), "3d, export, viewer".to_owned()));
    let [first, second] = &world.journal()[..] else { panic!("two are recorded") };
    assert_eq!((&first["seats"], &first["features"]), (&40.into(), &vec!["viewer"].into()));
    assert_eq!(
        (&second["seats"], &second["features"]),
        (&400.into(), &vec!["3d", "export", "viewer"].into())
    );

    let many: Vec<_> = (0..32).map(|index| format!("f{index}")).collect();
    let bought = Contract { features: many, ..Contract::default() };
    let error = world.issue(|request| request.contract = bought).unwrap_err();
    assert_eq!(error.to_string(), "there are more than 32 features");
    assert_eq!(world.journal().len(), 2, "nothing is recorded");
}

#[test]
fn an_issuing_key_signs_while_both_roots_are_away() {
    let mut world = World::with_product();
    create_issuer(&mut world, &["Example CAD"]).unwrap();
    for root in ["root-1.key", "root-2.key"] {
        fs::remove_file(world.path(root)).unwrap();
    }
    let issued = world.issue(|request| request.signer = Signer::Issuer).unwrap();
    let chain = verify(&issued.pem, world.vendor.roots()).unwrap();
    assert_eq!(chain.host().id, issued.certificate.id);
    assert_eq!(world.journal()[0]["signer"], "issuer");
}

#[test]
fn an_issuing_key_signs_for_its_own_products_alone() {
    let mut world = World::with_product();
    world.add("Other", Policy::CLIENT, false).unwrap();
    create_issuer(&mut world, &["Example CAD"]).unwrap();
    let other = |request: &mut kms_vendor::IssueRequest<'_>| {
        (request.product, request.signer) = ("Other", Signer::Issuer);
    };
    assert_eq!(
        world.issue(other).unwrap_err().to_string(),
        r#"the issuing certificate does not cover the product "Other", only "Example CAD""#
    );
    assert!(world.journal().is_empty());
}

#[test]
fn an_issuing_key_for_tests_signs_nothing_else() {
    let mut world = World::with_product();
    let new = NewIssuer {
        products: vec![],
        not_before: NOW,
        valid_for: YEAR,
        root: Signer::Root1,
        test: true,
        now: NOW,
    };
    world.vendor.create_issuer(&new, &Custody::Plain, &mut world.rng).unwrap();
    let mut issue = |test| world.issue(|request| (request.test, request.signer) = (test, Signer::Issuer));
    assert!(matches!(issue(false), Err(VendorError::IssuerTestOnly)));
    assert!(issue(true).unwrap().certificate.test);
}

#[test]
fn no_certificate_outlives_its_issuing_certificate() {
    let mut world = World::with_product();
    let issuer = create_issuer(&mut world, &[]).unwrap();
    assert_eq!(issuer.not_after, NOW + YEAR);
    let mut issue = |not_before: Timestamp, valid_for| {
        world.issue(|request| {
            (request.not_before, request.valid_for, request.signer) = (not_before, valid_for, Signer::Issuer);
        })
    };
    let moment = Duration::from_millis(1);
    issue(NOW, YEAR).unwrap();
    assert!(matches!(issue(NOW, YEAR + moment), Err(VendorError::OutlivesIssuer { .. })));
    assert!(matches!(issue(NOW - moment, YEAR), Err(VendorError::BeforeIssuer { .. })));
}

#[test]
fn an_issuing_key_is_never_overwritten_and_never_used_with_another_certificate() {
    let mut world = World::with_product();
    let by_issuer = |request: &mut kms_vendor::IssueRequest<'_>| request.signer = Signer::Issuer;
    assert!(matches!(world.issue(by_issuer), Err(VendorError::NoIssuer { .. })));
    create_issuer(&mut world, &[]).unwrap();
    let first = fs::read(world.path("issuing.key")).unwrap();
    assert!(matches!(create_issuer(&mut world, &[]), Err(VendorError::Exists { .. })));
    assert_eq!(fs::read(world.path("issuing.key")).unwrap(), first);

    let certificate = fs::read(world.path("issuing.certificate")).unwrap();
    for name in ["issuing.key", "issuing.certificate"] {
        fs::remove_file(world.path(name)).unwrap();
    }
    create_issuer(&mut world, &[]).unwrap();
    fs::write(world.path("issuing.certificate"), certificate).unwrap();
    let error = world.issue(by_issuer).unwrap_err().to_string();
    assert!(error.ends_with("issuing.key is damaged: issuing.certificate names another key"), "{error}");
}
