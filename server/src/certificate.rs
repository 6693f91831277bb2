//! The TLS certificate that a door shows, as time goes on: what is logged of it at the start, at each look and at a reload, and which
//! new files are refused.

use shared::time::Timestamp;

use crate::accept::Door;
use crate::tls::{Flaw, Server, Tls, TlsCertificate};

/// Logs at the start whether machines may speak TLS.
pub fn take_note(door: &Door) {
    let admission = door.admission();
    if let Some(server) = admission.tls.server() {
        let is_required = matches!(admission.tls, Tls::Required(_));
        tracing::info!(is_required, ends_at = %server.certificate().ends_at, "machines may speak TLS");
        warn_of_key(&admission.tls);
    }
}

fn warn_of_key(tls: &Tls) {
    if let Some(fault) = open_key(tls) {
        tracing::warn!("{fault}");
    }
}

/// Warns of a flaw of the TLS certificate, if it is new since `looked` or the last warning is a day old.
pub fn warn_of_end(door: &Door, looked: Timestamp, now: Timestamp) {
    let certificate = door.tls_certificate();
    let Some(certificate) = certificate.filter(|one| one.is_to_warn_of(looked, now)) else { return };
    if let Some(flaw) = certificate.flaw(now) {
        tracing::warn!(ends_at = %certificate.ends_at, "{}", certificate.tell(flaw, now));
    }
}

/// The faults of the TLS files, for commands that check them before a host uses them.
pub fn faults(tls: &Tls, now: Timestamp) -> Vec<String> {
    let certificate = tls.server().map(Server::certificate);
    let flaw = certificate.and_then(|certificate| Some(certificate.tell(certificate.flaw(now)?, now)));
    flaw.into_iter().chain(open_key(tls)).collect()
}

fn open_key(tls: &Tls) -> Option<String> {
    let path = tls.server()?.open_key()?.display();
    Some(format!("every user of this machine can read the TLS key {path}: chmod 640 {path}"))
}

/// Shows machines what was read.
pub fn take_up(door: &Door, tls: Tls, now: Timestamp) {
    let old = door.admission();
    if let Some(TlsCertificate { ends_at, .. }) = new_certificate(&old.tls, &tls) {
        tracing::info!(%ends_at, "the TLS certificate is new, and is shown from now on");
        warn_of_key(&tls);
    }
    if has_new_authority(&old.tls, &tls) {
        tracing::info!("the CA that signs the TLS certificates of machines is new");
    }
    door.show(tls);
    warn_of_end(door, Timestamp::from_unix_ms(i64::MIN), now);
}

/// Fails if a valid certificate would be replaced by one that is not valid: no machine would accept that.
pub fn check_end(running: &Tls, new: &Tls, now: Timestamp) -> anyhow::Result<()> {
    let flaw = |tls: &Tls| tls.server()?.certificate().flaw(now).filter(|flaw| *flaw != Flaw::EndsSoon);
    match (running.server(), new.server(), flaw(new)) {
        (Some(_), Some(server), Some(found)) if flaw(running).is_none() => {
            let cause = server.certificate().tell(found, now);
            anyhow::bail!("{cause}, and the one in use is valid: put a valid certificate into its file")
        }
        _ => Ok(()),
    }
}

/// The certificate that machines have not been shown before. A file may have another one under its old name.
pub fn new_certificate<'a>(old: &Tls, new: &'a Tls) -> Option<&'a TlsCertificate> {
    let new = new.server()?.certificate();
    old.server().is_none_or(|old| old.certificate() != new).then_some(new)
}

/// Whether machines have to show certificates of another CA than before, which may be in a file of the same name.
pub fn has_new_authority(old: &Tls, new: &Tls) -> bool {
    old.server().zip(new.server()).is_some_and(|(old, new)| new.demands_others(old))
}
