//! Checks of `doctor` that only the running portal can make: opening its database here would write to it.

use std::time::Duration;

use kms_portal::doctor::{PortalFinding, PortalHealth};
use kms_portal::home::PortalHome;
use kms_portal::remedy;
use shared::time::Timestamp;

use crate::ask::PortalAt;
use crate::failure::Failure;
use crate::shown::{instant, time};
use crate::{revocations, staff, tokens};

/// A list of revocations has room for some 510 ids. A warning from here on leaves time to act.
const MANY_REVOKED: u64 = 400;

/// Whoever has a token needs time to be given another one.
const TOKEN_ENDS_SOON: Duration = Duration::from_hours(30 * 24);

/// Adds what the running portal says, or that it does not answer.
pub(super) fn examine(home: &PortalHome, findings: &mut Vec<PortalFinding>) {
    let Some(served) =
        findings.iter_mut().find(|found| found.what == "served" && found.health == PortalHealth::Ok)
    else {
        return;
    };
    let at = PortalAt::here(home);
    let status = match staff::get_status(&at) {
        Ok(status) => status,
        Err(Failure { error, .. }) => {
            served.health = PortalHealth::Fail;
            served.text =
                format!("a portal has this directory and does not answer: {}", remedy::message(&*error));
            return;
        }
    };
    if let Some(revoked_at) = instant(status.issuer_revoked_at) {
        findings.retain(|found| found.what != "issuer");
        findings.push(PortalFinding {
            what: "issuer",
            health: PortalHealth::Fail,
            text: format!(
                "a root has revoked the issuing certificate, from {} on, and nothing is signed: move {} away, run `kms-portal init --data \
                 {}`, have a root sign the new request, and install the answer with `kms-portal install-issuer`",
                time(revoked_at),
                home.key_path().display(),
                home.path().display(),
            ),
        });
    }
    if let Some(revoked_at) = instant(status.code_key_revoked_at) {
        findings.retain(|found| found.what != "codes");
        findings.push(PortalFinding {
            what: "codes",
            health: PortalHealth::Warn,
            text: format!(
                "a root has revoked the code certificate, from {} on, and no machine is confirmed under it: {}",
                time(revoked_at),
                home.how_to_replace_code_key()
            ),
        });
    }
    findings.push(row("audit", changes(&at)));
    findings.push(row("revoked", revoked(&at)));
    findings.extend(ending_tokens(&at, Timestamp::from_unix_ms(status.now)));
}

fn row(what: &'static str, found: Result<(PortalHealth, String), Failure>) -> PortalFinding {
    let (health, text) = found.unwrap_or_else(|Failure { error, .. }| {
        (PortalHealth::Warn, format!("this cannot be checked: {}", remedy::message(&*error)))
    });
    PortalFinding { what, health, text }
}

/// Whether the record of changes is whole.
fn changes(at: &PortalAt) -> Result<(PortalHealth, String), Failure> {
    let checked = staff::verified(at)?;
    Ok(match staff::broken(&checked) {
        Some(broken) => (PortalHealth::Warn, broken),
        None => (PortalHealth::Ok, format!("{} changes are recorded, and none was altered", checked.changes)),
    })
}

/// Whether the list of revocations has room.
fn revoked(at: &PortalAt) -> Result<(PortalHealth, String), Failure> {
    let ids = revocations::all(at)?.by_issuer.map_or(0, |list| list.revoked);
    let text = format!("the list of revocations has {ids} of some 510 ids");
    Ok(if ids < MANY_REVOKED {
        (PortalHealth::Ok, text)
    } else {
        let remedy = "revoke keys as a whole in place of their machines, or withdraw what no longer does harm with `kms-portal revocations \
                      withdraw`";
        (PortalHealth::Warn, format!("{text}, and a full one takes no more; {remedy}"))
    })
}

/// Tokens that end soon. Whatever works with them stops.
fn ending_tokens(at: &PortalAt, now: Timestamp) -> Option<PortalFinding> {
    let soon = now.unix_ms()..(now + TOKEN_ENDS_SOON).unix_ms();
    let ending = tokens::all(at).map(|tokens| {
        let ending =
            tokens.into_iter().filter(|token| token.revoked_at == 0 && soon.contains(&token.ends_at));
        ending.map(|token| format!("{} at {}", token.name, time(token.ends_at))).collect::<Vec<_>>()
    });
    if ending.as_ref().is_ok_and(Vec::is_empty) {
        return None;
    }
    let text = |ending: Vec<String>| {
        let remedy = "give their holders others with `kms-portal token issue`";
        (PortalHealth::Warn, format!("tokens end soon: {}; {remedy}", ending.join(", ")))
    };
    Some(row("tokens", ending.map(text)))
}
