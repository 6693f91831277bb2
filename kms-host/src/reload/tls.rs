//! What a reload does with the door: its limits, networks and TLS.
//!
//! What the settings mean is told in `door/tls.rs` and `door/accept.rs`.

use shared::time::Timestamp;

use crate::activate::Host;
use crate::config::Config;
use crate::door::accept::{Admission, Door, Limits};
use crate::door::tls::{Flaw, Tls, TlsCertificate};
use crate::watch::tls::{warn_of_end, warn_of_key};

/// What the settings say of the door; `before` they said something else, maybe.
pub(super) fn take_up(door: &Door, host: &Host, before: &Config, new: &Config, tls: Tls) {
    let old = door.admission();
    let are_limits_new = (before.connections, before.connections_per_address)
        != (new.connections, new.connections_per_address);
    let limits = if are_limits_new {
        Limits::of_this_process(new.connections, new.connections_per_address)
    } else {
        old.limits
    };
    say_what_is_new(&old.tls, &tls);
    door.replace(Admission::new(new, limits, tls));
    warn_of_end(door, Timestamp::from_unix_ms(i64::MIN), host.clock.now());
}

/// That a certificate which holds is not replaced by one that does not: no machine would take it.
pub(super) fn check_end(running: &Tls, new: &Tls, now: Timestamp) -> anyhow::Result<()> {
    let flaw = |tls: &Tls| tls.server()?.certificate().flaw(now).filter(|flaw| *flaw != Flaw::EndsSoon);
    match (running.server(), new.server(), flaw(new)) {
        (Some(_), Some(server), Some(found)) if flaw(running).is_none() => {
            let cause = server.certificate().tell(found, now);
            anyhow::bail!(
                "{cause}, and the one that machines are shown holds: put one that holds into its file"
            )
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

fn say_what_is_new(old: &Tls, new: &Tls) {
    if let Some(TlsCertificate { ends_at, .. }) = new_certificate(old, new) {
        tracing::info!(%ends_at, "the TLS certificate is new, and is shown from now on");
        warn_of_key(new);
    }
    if has_new_authority(old, new) {
        tracing::info!("the CA that signs the TLS certificates of machines is new");
    }
}
