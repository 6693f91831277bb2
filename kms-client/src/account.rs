//! A person signs in on this machine: a code is shown, the portal is asked whether somebody has typed it, and the lease is renewed.
//!
//! Whoever looks first asks the portal: the loop, or a call that waits. What an answer changes is on the disk before anybody is told.
//! `signing` is a sign-in that is under way. `docs/protocol.md` 13.

use std::sync::Arc;
use std::time::Duration;

use proto::v1::Signed;
use proto::vendor::v1;
use shared::ask::AskKind;
use shared::ids::Nonce;
use shared::license::Event;
use shared::reason::{Cause, Reason};
use shared::time::Timestamp;
use shared::user_lease::{AccountAsk, AccountPurpose, DEVICE_NAME_MAX_BYTES, UserLease};
use wire::Failure;
use wire::portal::Portal;

use crate::carrier::{self, address};
use crate::discovery::Source;
use crate::home::Lock;
use crate::installation::Installation;
use crate::outcome::{Attempt, Outcome, Round};
use crate::portal::is_answer;
use crate::shell::Shell;
use crate::signing::{PendingSignIn, SignIn, SignInState};
use crate::{last_round, random};

/// The shortest wait between two questions, whatever the portal says.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);

/// How soon to ask again while the portal is not reached.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// Asks the portal for a code. One that was shown before is of no use then.
///
/// # Errors
/// There is none, and nothing has changed.
pub(crate) async fn begin(shell: &Shell) -> Result<SignIn, Cause> {
    let (installation, _lock) = shell.to_change().await?;
    let (ask, signed) = compose(shell, &installation, AccountPurpose::SignIn)?;
    let terms = Arc::clone(&installation.terms);
    let portal = carrier::connect(&terms, Arc::clone(&shell.clock)).await.map_err(|failure| failure.cause)?;
    let begun = portal.begin_sign_in(signed.clone()).await;
    let begun = begun.map_err(|failure| carrier::of_portal(failure, &terms).cause)?;
    let now = shell.clock.now();
    let expires_at = now + Duration::from_secs(begun.expires_in_s.into());
    let interval = Duration::from_secs(begun.interval_s.into());
    let device_code = begun.device_code.to_vec();
    let pending = PendingSignIn { ask, signed, device_code, next_at: now + interval, expires_at };
    *shell.signing.state() = SignInState::Waiting(Arc::new(pending));
    let one_line = shared::print::one_line;
    Ok(SignIn {
        user_code: one_line(begun.user_code),
        uri: one_line(begun.verification_uri),
        uri_with_code: one_line(begun.verification_uri_complete),
        expires_at,
    })
}

/// Asks whether somebody has typed the code, if that is due.
pub(crate) async fn poll(shell: &Shell, installation: &mut Installation) {
    let SignInState::Waiting(pending) = shell.signing.state().clone() else { return };
    let now = shell.clock.now();
    if now < pending.next_at {
        return;
    }
    let polled = poll_once(shell, installation, &pending).await;
    let mut state = shell.signing.state();
    // Somebody may have begun anew, or given up, meanwhile.
    if !matches!(&*state, SignInState::Waiting(current) if Arc::ptr_eq(current, &pending)) {
        return;
    }
    *state = match polled {
        Polled::Wait(interval) => {
            let next_at = shell.clock.now() + interval.max(SHORTEST_INTERVAL);
            SignInState::Waiting(Arc::new(PendingSignIn { next_at, ..PendingSignIn::clone(&pending) }))
        }
        Polled::Done(done) => SignInState::Done(done),
    };
}

enum Polled {
    Wait(Duration),
    Done(Result<(), Cause>),
}

async fn poll_once(shell: &Shell, installation: &mut Installation, pending: &PendingSignIn) -> Polled {
    let wait = |interval| {
        let is_late = pending.expires_at <= shell.clock.now();
        if is_late { Polled::Done(Err(Reason::SignInExpired.into())) } else { Polled::Wait(interval) }
    };
    let lock = match installation.take_over(shell.clock.now()).await {
        Ok(lock) => lock,
        Err(cause) if cause.reason() == Some(Reason::Busy) => return wait(AFTER_FAILURE),
        Err(cause) => return Polled::Done(Err(cause)),
    };
    let terms = Arc::clone(&installation.terms);
    let asked = match carrier::connect(&terms, Arc::clone(&shell.clock)).await {
        Ok(portal) => {
            let polled = portal.poll_sign_in(pending.signed.clone(), pending.device_code.clone()).await;
            polled.map(|polled| (portal, polled)).map_err(|failure| carrier::of_portal(failure, &terms))
        }
        Err(failure) => Err(failure),
    };
    let (portal, polled) = match asked {
        Ok(asked) => asked,
        Err(failure) if is_answer(&failure.cause) => return Polled::Done(Err(failure.cause)),
        Err(_) => return wait(AFTER_FAILURE),
    };
    if let Some(lease) = &polled.lease {
        return Polled::Done(take(shell, installation, &lock, lease, &pending.ask).await.map(drop));
    }
    match polled.error.as_str() {
        "authorization_pending" | "slow_down" => wait(Duration::from_secs(polled.interval_s.into())),
        "access_denied" => Polled::Done(Err(Reason::SignInDenied.into())),
        // The answer with the lease may be lost.
        "invalid_grant" => {
            let renewed = renew(shell, installation, &lock, &portal).await;
            Polled::Done(renewed.map(drop).map_err(|failure| failure.cause))
        }
        _ => Polled::Done(Err(Reason::SignInExpired.into())),
    }
}

/// Asks for the next lease, or signs out, and tells the license the outcome.
///
/// # Errors
/// The portal was not asked: nothing can be kept here, or this user may not ask.
pub(crate) async fn ask(
    shell: &Shell,
    installation: &mut Installation,
    lock: &Arc<Lock>,
    kind: AskKind,
) -> Result<Round, Cause> {
    installation.home.trouble().map_or(Ok(()), Err)?;
    let terms = Arc::clone(&installation.terms);
    let asked = match (carrier::connect(&terms, Arc::clone(&shell.clock)).await, kind) {
        (Err(failure), _) => Err(failure),
        (Ok(portal), AskKind::Activate) => {
            renew(shell, installation, lock, &portal).await.map(|until| Outcome::Leased { until })
        }
        (Ok(portal), AskKind::Release) => sign_out(shell, installation, &portal).await,
    };
    let outcome = asked.unwrap_or_else(|Failure { cause, retry_after, .. }| {
        tracing::info!(%cause, "the portal was asked");
        if kind == AskKind::Activate {
            let event = Event::Failed { code: &cause.code, ask_again: retry_after };
            installation.saved.license.step(shell.clock.now(), event, random::draw());
        }
        Outcome::Failed(cause)
    });
    let source = terms.keys.portal.as_ref().map(|_| Source::Code);
    let attempt = Attempt { host: address(&terms), address: None, source, outcome: outcome.clone() };
    let round = Round { outcome, attempts: vec![attempt] };
    installation.saved.last_round = Some(last_round::encode(shell.clock.now(), &round.attempts));
    installation.save(lock).await?;
    Ok(round)
}

async fn renew(
    shell: &Shell,
    installation: &mut Installation,
    lock: &Arc<Lock>,
    portal: &Portal,
) -> Result<Timestamp, Failure> {
    let (ask, signed) = compose(shell, installation, AccountPurpose::Renew)?;
    let renewed = portal.renew_user_lease(signed).await;
    let renewed = renewed.map_err(|failure| carrier::of_portal(failure, &installation.terms))?;
    let lease = renewed.lease.ok_or_else(|| no_lease(installation))?;
    Ok(take(shell, installation, lock, &lease, &ask).await?)
}

async fn sign_out(
    shell: &Shell,
    installation: &mut Installation,
    portal: &Portal,
) -> Result<Outcome, Failure> {
    let (_, signed) = compose(shell, installation, AccountPurpose::SignOut)?;
    let left = portal.sign_out_device(signed).await;
    left.map_err(|failure| carrier::of_portal(failure, &installation.terms))?;
    installation.saved.sign_out(shell.clock.now());
    Ok(Outcome::Released)
}

/// Takes a lease, if it answers the ask. It is on the disk when this returns: when it ends.
async fn take(
    shell: &Shell,
    installation: &mut Installation,
    lock: &Arc<Lock>,
    wire: &v1::SignedUserLease,
    ask: &AccountAsk,
) -> Result<Timestamp, Cause> {
    let terms = Arc::clone(&installation.terms);
    let opened = UserLease::open(wire, &terms.roots);
    let checked = opened.and_then(|lease| lease.check_answer(ask, terms.organisation).map(|()| lease));
    let lease = checked.map_err(|error| error.cause(&address(&terms)).of_portal())?;
    installation.home.trouble().map_or(Ok(()), Err)?;
    let until = lease.not_after;
    installation.saved.sign_in(wire, lease, shell.clock.now());
    installation.save(lock).await?;
    installation.promote(lock).await?;
    Ok(until)
}

fn compose(
    shell: &Shell,
    installation: &Installation,
    purpose: AccountPurpose,
) -> Result<(AccountAsk, Signed), Cause> {
    let unreadable = || Reason::IdentityUnreadable.with(&[("path", &installation.home.path().display())]);
    let identity = installation.asker().ok_or_else(unreadable)?;
    let nonce = random::bytes().map_err(|error| installation.unwritable(&error))?;
    let device_name = if purpose == AccountPurpose::SignIn { device_name() } else { String::new() };
    let machine_key = identity.key.public();
    let ask = AccountAsk {
        machine_key,
        product: installation.terms.id,
        purpose,
        nonce: Nonce::from_bytes(nonce),
        asked_at: shell.clock.now(),
        fingerprint: installation.terms.fingerprint,
        parts: installation.terms.hardware(),
        device_name,
    };
    let signed = ask.sign(&identity.key);
    Ok((ask, signed))
}

/// How the system calls this machine, or nothing. Only whoever lets it in, and its owner, see that.
fn device_name() -> String {
    let named = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let named = named.or_else(|| std::env::var("COMPUTERNAME").ok()).unwrap_or_default();
    let named = named.trim();
    named[..named.floor_char_boundary(DEVICE_NAME_MAX_BYTES)].to_owned()
}

fn no_lease(installation: &Installation) -> Cause {
    let address = address(&installation.terms);
    Reason::AnswerMismatch.with(&[("address", &address), ("cause", &"it has no lease")]).of_portal()
}
