//! `certificates`: what the vendor has signed for this host, with its numbers and its end.

use std::time::Duration;

use kms_host::home::Home;
use program::output::json_text;
use proto::admin::v1 as wire;
use serde_json::json;
use shared::time::{Length, Timestamp};

use super::Failure;
use super::online::{ask, features, hex, instant, number, seats, some_number, some_text, text_of, time};

pub(super) fn certificates(home: &Home, as_json: bool) -> Result<String, Failure> {
    let request = wire::ListCertificatesRequest {};
    let answer = ask(home, async |mut host| Ok(host.list_certificates(request).await?.into_inner()))?;
    let now = Timestamp::from_unix_ms(answer.now);
    if as_json {
        let certificates: Vec<_> = answer.certificates.iter().map(|one| certificate_json(one, now)).collect();
        let unusable: Vec<_> = answer.unusable.iter().map(unusable_json).collect();
        return Ok(json_text(&json!({ "certificates": certificates, "unusable": unusable })));
    }
    let unusable: String = answer.unusable.iter().map(unusable_text).collect();
    let text: String = answer.certificates.iter().map(|one| certificate_text(one, now)).collect();
    Ok(format!("{unusable}{text}{}\n", number(answer.certificates.len(), "certificate")))
}

fn certificate_text(certificate: &wire::Certificate, now: Timestamp) -> String {
    let length = |ms| Length(Duration::from_millis(u64::try_from(ms).unwrap_or(0)));
    let test = if certificate.test { "  TEST" } else { "" };
    let issued_at = instant(certificate.issued_at).map_or_else(|| "not told".to_owned(), time);
    let lines = [
        format!("{}{test}", certificate.product_name),
        format!("  certificate  {}", hex(&certificate.id)),
        format!("  product      {}", hex(&certificate.product)),
        format!("  organisation {}", certificate.organisation_name),
        format!("  issued       {issued_at}"),
        format!("  valid        {} to {}", time(certificate.not_before), time(certificate.not_after)),
        format!("  is           {}", standing(certificate, now)),
        format!(
            "  threshold    {} machines in {}",
            certificate.threshold,
            length(certificate.count_window_ms)
        ),
        format!(
            "  lease        {}, renewed every {}; without one, asked for every {}",
            length(certificate.validity_ms),
            length(certificate.renew_interval_ms),
            length(certificate.retry_interval_ms)
        ),
        format!("  clocks       may differ by {}", length(certificate.clock_tolerance_ms)),
    ];
    let seats = seats(certificate.seats, certificate.count).map(|seats| format!("  seats        {seats}"));
    let sold = seats.into_iter().chain(features(&certificate.features));
    text_of(&lines.into_iter().chain(sold).chain([String::new()]).collect::<Vec<_>>())
}

fn unusable_text(unusable: &wire::UnusableCertificate) -> String {
    let wire::UnusableCertificate { path, cause, remedy } = unusable;
    text_of(&[
        format!("UNUSABLE {path}"),
        format!("  is ignored: {cause}"),
        format!("  {remedy}"),
        String::new(),
    ])
}

fn unusable_json(unusable: &wire::UnusableCertificate) -> serde_json::Value {
    json!({ "path": unusable.path, "cause": unusable.cause, "remedy": unusable.remedy })
}

/// Whether it answers for its product, and for how long it may.
fn standing(certificate: &wire::Certificate, now: Timestamp) -> String {
    let not_before = Timestamp::from_unix_ms(certificate.not_before);
    let not_after = Timestamp::from_unix_ms(certificate.not_after);
    if now < not_before {
        return format!("not valid yet: it begins in {}", Length(not_before.since(now)));
    }
    if not_after <= now {
        return format!(
            "ENDED {} ago: send host-request.pem to the vendor again",
            Length(now.since(not_after))
        );
    }
    let left = Length(not_after.since(now));
    if certificate.current {
        format!("in use, for {left} more")
    } else {
        format!("not in use: {}; it has {left} left", certificate.why_not)
    }
}

fn certificate_json(certificate: &wire::Certificate, now: Timestamp) -> serde_json::Value {
    let not_after = Timestamp::from_unix_ms(certificate.not_after);
    json!({
        "certificate": hex(&certificate.id),
        "product": hex(&certificate.product),
        "product_name": certificate.product_name,
        "organisation": hex(&certificate.organisation),
        "organisation_name": certificate.organisation_name,
        "not_before_ms": certificate.not_before,
        "not_after_ms": certificate.not_after,
        "left_ms": shared::time::to_ms(not_after.since(now)),
        "test": certificate.test,
        "issued_at_ms": instant(certificate.issued_at),
        "current": certificate.current,
        "why_not": some_text(&certificate.why_not),
        "threshold": certificate.threshold,
        "count_window_ms": certificate.count_window_ms,
        "validity_ms": certificate.validity_ms,
        "renew_interval_ms": certificate.renew_interval_ms,
        "retry_interval_ms": certificate.retry_interval_ms,
        "clock_tolerance_ms": certificate.clock_tolerance_ms,
        "seats": some_number(certificate.seats),
        "features": certificate.features,
        "count": certificate.count,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_says_whether_it_is_used_and_until_when() {
        let day = 86_400_000;
        let certificate = wire::Certificate {
            not_before: 10 * day,
            not_after: 20 * day,
            current: true,
            ..wire::Certificate::default()
        };
        let at = |ms| standing(&certificate, Timestamp::from_unix_ms(ms));
        assert_eq!(at(10 * day - 1), "not valid yet: it begins in 1 ms");
        assert_eq!(at(10 * day), "in use, for 10 d more");
        assert_eq!(at(20 * day - 1000), "in use, for 1 s more");
        assert!(at(20 * day).starts_with("ENDED 0 s ago"), "{}", at(20 * day));
        let why_not = "it was issued earlier".to_owned();
        let other = wire::Certificate { current: false, why_not, ..certificate.clone() };
        assert_eq!(
            standing(&other, Timestamp::from_unix_ms(11 * day)),
            "not in use: it was issued earlier; it has 9 d left"
        );
    }
}
