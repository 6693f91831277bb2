//! The commands that list what was issued here, and say what ends soon.

use std::fmt::Write as _;
use std::time::Duration;

use kms_vendor::{Fate, Recorded, RecordedKind, Vendor, VendorError, instant_text};
use serde_json::{Value, json};
use shared::print::one_line;
use shared::time::{Length, Timestamp};

use super::Answer;
use crate::cli::ListRecorded;

/// How long before the end hosts renew their certificates. The portal's own certificate has to last longer.
const SOON: Duration = Duration::from_hours(60 * 24);

pub(super) fn hosts(vendor: &Vendor, wanted: &ListRecorded, now: Timestamp) -> Result<Answer, VendorError> {
    list(vendor, wanted, now, |kind| kind == RecordedKind::Host)
}

pub(super) fn keys(vendor: &Vendor, wanted: &ListRecorded, now: Timestamp) -> Result<Answer, VendorError> {
    list(vendor, wanted, now, |kind| kind != RecordedKind::Host)
}

fn list(
    vendor: &Vendor,
    wanted: &ListRecorded,
    now: Timestamp,
    is_wanted: impl Fn(RecordedKind) -> bool,
) -> Result<Answer, VendorError> {
    let mut found = vendor.recorded(now)?;
    found.retain(|one| {
        is_wanted(one.kind)
            && (wanted.all || matches!(one.fate, Fate::Valid | Fate::OldRoot))
            && wanted.ending.is_none_or(|ending| one.not_after.since(now) <= ending)
    });
    let text = if found.is_empty() { "There is none.\n".to_owned() } else { rows(&found, now) };
    let certificates: Vec<_> = found.iter().map(json_of).collect();
    Ok(Answer { text, json: json!({ "certificates": certificates }) })
}

/// A row for each, with what has to be done about it.
pub(super) fn rows(certificates: &[Recorded], now: Timestamp) -> String {
    let mut text =
        format!("{:32}  {:11}  {:32}  {:24}  state\n", "certificate", "of a", "host or key", "until");
    for one in certificates {
        let until = one.not_after.to_string();
        let kind = one.kind.name();
        let state = state(one, now);
        let _ = writeln!(
            text,
            "{:32}  {kind:11}  {:32}  {until:24}  {state}",
            one_line(&one.id),
            one_line(&one.subject)
        );
        if let Some(organisation) = &one.organisation {
            let products: Vec<_> = one.products.iter().map(one_line).collect();
            let _ = writeln!(text, "{:34}{}, {}", "", one_line(organisation), products.join(", "));
        }
    }
    text
}

fn state(one: &Recorded, now: Timestamp) -> String {
    let left = one.not_after.since(now);
    match one.fate {
        Fate::Valid if left < SOON => format!("ends in {}: issue the next one", Length(left)),
        Fate::OldRoot => format!("signed by the old {}: sign it again", one_line(&one.signer)),
        fate => fate.name().to_owned(),
    }
}

pub(super) fn json_of(one: &Recorded) -> Value {
    json!({
        "certificate": one.id,
        "kind": one.kind.name(),
        "subject": one.subject,
        "products": one.products,
        "organisation": one.organisation,
        "issued_at": instant_text(one.issued_at),
        "not_after": instant_text(one.not_after),
        "signer": one.signer,
        "state": one.fate.name(),
    })
}
