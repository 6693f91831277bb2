//! Checks whether machines are answered: at each address that the host listens on, and by one activation of each product.

use std::net::SocketAddr;

use server::listen;
use shared::answer::{Term as _, Verdict};
use shared::reason::{Cause, Fault, Reason};

use super::host::RunningHost;
use super::{Finding, Known, asking};
use crate::certificates::Installed;

/// One finding for each address.
pub(super) async fn ports(known: &Known<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for listening in known.listening() {
        findings.extend(port(listening, known).await);
    }
    match known.running.as_ref().map(RunningHost::status) {
        Some(Some(_)) => findings,
        Some(None) => {
            vec![Finding::skipped("port", "the host does not say where it listens")]
        }
        None => free_ports(known),
    }
}

/// `[::]` serves both families, and either may fail by itself. A machine without IPv6 has no `::1` to try.
async fn port(listening: SocketAddr, known: &Known<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for address in asking::reachable(listening, &known.listening()) {
        let at = if address.is_ipv4() == listening.is_ipv4() {
            listening.to_string()
        } else {
            format!("{listening} over IPv4")
        };
        findings.push(match asking::health(address, &known.way).await {
            Ok(()) => Finding::ok("port", format!("{at} is answered, from this machine")),
            Err(cause) if address.is_ipv6() && !asking::has_ipv6() => {
                Finding::skipped("port", format!("{at}: this machine has no IPv6 ({cause})"))
            }
            Err(cause) => of_cause("port", &at, &cause),
        });
    }
    findings
}

/// No host listens, so its addresses should be free.
fn free_ports(known: &Known) -> Vec<Finding> {
    let Some(config) = &known.config else {
        return vec![Finding::skipped("port", "the settings are not valid")];
    };
    match listen::try_all(&config.listen) {
        Ok(()) => {
            let free =
                |listen| Finding::skipped("port", format!("no host answers at {listen}; it is free for one"));
            config.listen.iter().map(free).collect()
        }
        Err(error) => vec![Finding::of("port", &error)],
    }
}

/// One finding for each product.
pub(super) async fn activations(known: &Known<'_>) -> Vec<Finding> {
    let listening = known.listening();
    let Some(address) = listening.first().and_then(|first| asking::reachable(*first, &listening).pop())
    else {
        return vec![Finding::skipped("activation", "no host answers")];
    };
    let mut findings = Vec::new();
    for (_, installed) in known.certificates.products(known.clock.now()) {
        let answered = asking::ask(address, installed, known).await;
        findings.push(activation(installed, answered.map(|(_, verdict)| verdict)));
    }
    if findings.is_empty() {
        findings.push(Finding::skipped("activation", "without a certificate no machine gets an answer"));
    }
    findings
}

fn activation(installed: &Installed, answer: Result<Verdict, Cause>) -> Finding {
    let name = &installed.chain.host().product_name;
    match answer {
        Ok(Verdict::Leased(lease)) => {
            let until = lease.expires_at();
            Finding::ok(
                "activation",
                format!("{name}: a new machine gets a lease until {until}; this one was not counted"),
            )
        }
        Ok(Verdict::Waiting(waiting)) => {
            let (count, threshold) = (waiting.count, waiting.threshold);
            let text =
                format!("{name}: a new machine waits, {count} of {threshold} are counted; this one was not");
            Finding::ok("activation", text)
        }
        Ok(Verdict::Released(_)) => unreachable!("a machine that activates is judged by that"),
        Ok(Verdict::Refused(refused)) => of_cause("activation", name, &refused.cause),
        Err(cause) => of_cause("activation", name, &cause),
    }
}

/// A cause that ends by itself is only a warning.
fn of_cause(check: &'static str, what: &str, cause: &Cause) -> Finding {
    let text = format!("{what}: {cause}");
    if cause.reason() == Some(Reason::TlsMachineRefused) {
        return Finding::skipped(check, text);
    }
    match cause.reason().map(Reason::fault) {
        Some(Fault::Nobody) => Finding::warn(check, text, cause.remedy()),
        _ => Finding::fail(check, text, cause.remedy()),
    }
}
