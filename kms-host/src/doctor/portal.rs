//! Checks what the host needs of the vendor's portal: whether it answers, when certificates are renewed there, and how old the revocation
//! lists are.
//!
//! It asks for revocation lists and keeps none, so nothing changes, neither at the portal nor here.

use shared::reason::Reason;
use shared::time::Length;

use super::{Finding, Known};
use crate::certificates::Installed;
use crate::portal::visits::renewal;
use crate::portal::{NotCertified, PortalWay};
use crate::remedy;

/// Otherwise a running host asks at its next visit.
const VISIT: &str =
    "run `kms-host reload` with the same --data: a running host asks at once, and its log has the result";

/// The findings; one if there is no portal.
pub(super) async fn findings(known: &Known<'_>) -> Vec<Finding> {
    let Some(config) = &known.config else {
        return vec![Finding::skipped("portal", "the settings are not valid")];
    };
    let Some(way) = PortalWay::of(config, known.wanted.home.path()).ok().flatten() else {
        let why = "no `portal` is set: certificates and revocation lists come by hand";
        return vec![Finding::skipped("portal", why)];
    };
    let mut findings = vec![answers(known, &way).await];
    findings.extend(known.certificates.products(known.clock.now()).map(|(_, used)| renewed(used, known)));
    findings.push(revocations(known));
    findings
}

async fn answers(known: &Known<'_>, way: &PortalWay) -> Finding {
    let address = &way.address;
    let newer = way.newer_revocations(known.certificates.known_revocations(), known.clock.clone()).await;
    let error = match newer {
        Ok(newer) if newer.is_empty() => {
            let text = format!("{address} answers, and its TLS certificate is accepted");
            return Finding::ok("portal", text);
        }
        Ok(_) => {
            let text =
                format!("{address} answers, and has a newer revocation list, which is fetched within a day");
            return Finding::ok("portal", text);
        }
        Err(error) => error,
    };
    let finding = if ends_by_itself(&error) { Finding::warn } else { Finding::fail };
    finding("portal", format!("{address}: {error}"), remedy::remedy(&error).unwrap_or_default())
}

/// Machines are served meanwhile.
fn ends_by_itself(error: &NotCertified) -> bool {
    let NotCertified::Refused(cause) = error else { return false };
    let passing = [Reason::PortalUnreachable, Reason::PortalFailed, Reason::Overloaded, Reason::Stopping];
    cause.reason().is_some_and(|reason| passing.contains(&reason))
}

fn renewed(used: &Installed, known: &Known<'_>) -> Finding {
    let now = known.clock.now();
    let (name, begins_at, ends_at) =
        (&used.chain.host().product_name, renewal::begins_at(&used.chain), used.chain.ends_at());
    if now < begins_at {
        let wait = Length(begins_at.since(now));
        return Finding::ok("portal", format!("{name} is renewed there from {begins_at} on, in {wait}"));
    }
    let text = if ends_at <= now {
        format!("{name} was to be renewed there, and has ended at {ends_at}")
    } else {
        format!("{name} is to be renewed there since {begins_at}, and ends in {}", Length(ends_at.since(now)))
    };
    Finding::warn("portal", text, VISIT)
}

fn revocations(known: &Known<'_>) -> Finding {
    let now = known.clock.now();
    let lists = known.certificates.revocation_lists();
    let shown: Vec<_> = lists
        .iter()
        .map(|list| {
            let signer = if list.is_by_root() { "a root" } else { "the portal" };
            let (number, age) = (list.list().number, Length(now.since(list.list().issued_at)));
            format!("revocation list {number} of {signer} is {age} old")
        })
        .collect();
    if shown.is_empty() {
        return Finding::ok("portal", "nothing is known to be revoked");
    }
    Finding::ok("portal", shown.join("; "))
}
