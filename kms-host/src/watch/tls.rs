//! Logs faults of the TLS certificate: at the start, and when it ends soon.

use server::accept::Door;
use server::tls::{Server, Tls};
use shared::time::Timestamp;

/// Logs at the start whether machines may speak TLS.
pub(crate) fn take_note(door: &Door) {
    let admission = door.admission();
    if let Some(server) = admission.tls.server() {
        let is_required = matches!(admission.tls, Tls::Required(_));
        tracing::info!(is_required, ends_at = %server.certificate().ends_at, "machines may speak TLS");
        warn_of_key(&admission.tls);
    }
}

pub(crate) fn warn_of_key(tls: &Tls) {
    if let Some(fault) = open_key(tls) {
        tracing::warn!("{fault}");
    }
}

/// Warns of a flaw of the TLS certificate, if it is new since `looked` or the last warning is a day old.
pub(crate) fn warn_of_end(door: &Door, looked: Timestamp, now: Timestamp) {
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
