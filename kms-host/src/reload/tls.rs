//! What a reload does with TLS: which files it refuses, and how it tells what is new.

use server::accept::Door;
use server::tls::{Flaw, Tls, TlsCertificate};
use shared::time::Timestamp;

use crate::watch::tls::{warn_of_end, warn_of_key};

/// Shows machines what was read.
pub(super) fn take_up(door: &Door, tls: Tls, now: Timestamp) {
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
pub(super) fn check_end(running: &Tls, new: &Tls, now: Timestamp) -> anyhow::Result<()> {
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
pub(super) fn new_certificate<'a>(old: &Tls, new: &'a Tls) -> Option<&'a TlsCertificate> {
    let new = new.server()?.certificate();
    old.server().is_none_or(|old| old.certificate() != new).then_some(new)
}

/// Whether machines have to show certificates of another CA than before, which may be in a file of the same name.
pub(super) fn has_new_authority(old: &Tls, new: &Tls) -> bool {
    old.server().zip(new.server()).is_some_and(|(old, new)| new.demands_others(old))
}
