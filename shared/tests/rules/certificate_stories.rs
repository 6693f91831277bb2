//! Which of several certificates is used, and how names in one are read.

use shared::certificate::{HostCertificate, choose};
use shared::ids::CertificateId;
use shared::time::Timestamp;

use crate::kit::{self, DAY, NOW};

/// Only the later start counted once: a certificate that had ended hid one with a year left, and one that was issued as a
/// replacement was never used.
#[test]
fn of_several_certificates_the_one_issued_last_of_those_valid_answers() {
    /// From and until when, and when it was issued, in days from now.
    type Days = (i64, i64, Option<i64>);
    let chain = |number: u8, (from, until, issued): Days| {
        let day = i64::try_from(DAY.as_millis()).unwrap();
        let at = |days: i64| Timestamp::from_unix_ms(NOW.unix_ms() + days * day);
        let mut certificate = kit::certificate();
        certificate.id = CertificateId::from_bytes([number; 16]);
        (certificate.not_before, certificate.not_after) = (at(from), at(until));
        certificate.issued_at = issued.map(at);
        kit::chain_of(&certificate)
    };
    let chosen = |all: &[Days]| {
        let chains: Vec<_> = (0..).zip(all).map(|(number, days)| chain(number, *days)).collect();
        let chosen = choose(chains.iter(), NOW).map(|chain| chain.host().id);
        let reversed = choose(chains.iter().rev(), NOW).map(|chain| chain.host().id);
        assert_eq!(chosen, reversed, "their order is of no account");
        chosen.map(|id| id.as_bytes()[0])
    };
    assert_eq!(chosen(&[]), None);
    assert_eq!(chosen(&[(-30, 9, None), (-1, 9, None), (-9, 9, None)]), Some(1), "the later start");
    assert_eq!(
        chosen(&[(-30, 9, None), (0, 9, None), (1, 9, None)]),
        Some(1),
        "one that begins now has begun"
    );
    assert_eq!(chosen(&[(-30, 300, None), (-1, 0, None)]), Some(0), "one that ends now has ended");
    assert_eq!(
        chosen(&[(-1, 9, Some(-3)), (-30, 9, Some(-2))]),
        Some(1),
        "the replacement, however early it begins"
    );
    assert_eq!(chosen(&[(-1, 9, None), (-2, 9, Some(-1))]), Some(0), "a start stands for the day of issue");
    assert_eq!(chosen(&[(-2, 9, Some(-1)), (-2, 9, Some(-1))]), Some(1), "of equals the higher id");
    assert_eq!(
        chosen(&[(-30, -9, None), (-20, -1, None), (-10, -5, None)]),
        Some(1),
        "none is valid: the last end"
    );
    assert_eq!(
        chosen(&[(-30, -9, None), (3, 9, None)]),
        Some(0),
        "what has ended is told before what will begin"
    );
    assert_eq!(chosen(&[(9, 300, None), (3, 5, None)]), Some(1), "none has begun");
}

/// The host's `install-certificate` and `status` printed the lines that somebody had put into a name.
#[test]
fn the_names_in_a_certificate_are_read_on_one_line() {
    let evil = |name: &str| format!("{name}\nvalid\u{1b}[2J\u{202e}");
    let certificate = kit::certificate();
    let chain = kit::chain_of(&HostCertificate {
        product_name: evil("Press"),
        organisation_name: evil("Gutenberg"),
        ..certificate
    });
    let HostCertificate { product_name, organisation_name, .. } = chain.host();
    assert_eq!(product_name, r"Press valid\u{1b}[2J\u{202e}");
    assert_eq!(organisation_name, r"Gutenberg valid\u{1b}[2J\u{202e}");
}
