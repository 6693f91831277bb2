//! One ask of the vendor's portal, for a machine with a product key: to be confirmed, or to give its place back.
//!
//! `round` has the lock, and has told the license that this is an ask. The order keeps a lost answer from costing a place: the signed
//! ask is on the disk before it is sent, and is sent again, byte for byte, until an answer came; what the answer changes is on the disk
//! before the ask is forgotten. `carrier` connects to the portal, and `shared::confirmation` verifies what it says.
//! `docs/protocol.md` 11.

use std::sync::Arc;

use proto::v1::Signed;
use proto::vendor::v1;
use shared::activation::{MachineActivation, MachineRelease};
use shared::ask::AskKind;
use shared::confirmation::Confirmation;
use shared::envelope::{PublicKey, SecretKey};
use shared::ids::Nonce;
use shared::license::Event;
use shared::parts::HardwareParts;
use shared::product_key::KeyNumber;
use shared::reason::{Cause, Reason};
use wire::Failure;
use wire::portal::Portal;

use crate::carrier::{self, address, no_confirmation};
use crate::discovery::Source;
use crate::home::Lock;
use crate::installation::Installation;
use crate::key_file::HeldKey;
use crate::outcome::{Attempt, Outcome, Round};
use crate::product::Terms;
use crate::shell::Shell;
use crate::{last_round, random, revoked};

/// Asks the portal, and tells the license the outcome.
///
/// # Errors
/// The portal was not asked: nothing can be kept here, or this user may not ask.
pub(crate) async fn ask(
    shell: &Shell,
    installation: &mut Installation,
    lock: &Arc<Lock>,
    kind: AskKind,
) -> Result<Round, Cause> {
    // Each process would be another machine, and take a place of its own.
    installation.home.trouble().map_or(Ok(()), Err)?;
    let mut visit = Visit { shell, installation, lock, has_no_place: None };
    let outcome = visit.make(kind).await?;
    let said = visit.has_no_place.map(Outcome::Failed);
    let round = round(&installation.terms, outcome, said);
    installation.saved.last_round = Some(last_round::encode(shell.clock.now(), &round.attempts));
    if let Err(cause) = installation.save(lock).await {
        tracing::error!(%cause, "the state cannot be written");
    }
    Ok(round)
}

/// Gives back the place of a key that no longer licenses this machine. Asking twice changes nothing, so the ask is not kept.
///
/// # Errors
/// The portal was not asked: this user may not ask.
pub(crate) async fn release_other(
    shell: &Shell,
    installation: &mut Installation,
    lock: &Arc<Lock>,
    number: KeyNumber,
) -> Result<Round, Cause> {
    let visit = Visit { shell, installation, lock, has_no_place: None };
    let (_, signed) = visit.release_of(number)?.ok_or_else(|| visit.unreadable())?;
    let terms = Arc::clone(&visit.installation.terms);
    let answered = match carrier::connect(&terms, Arc::clone(&shell.clock)).await {
        Ok(portal) => portal.release_machine(signed).await.map(|_| Outcome::Released),
        Err(failure) => Err(failure),
    };
    Ok(round(&terms, answered.unwrap_or_else(|failure| Outcome::Failed(failure.cause)), None))
}

/// A round with one attempt. `said` is what the portal has answered, if that is not the outcome.
fn round(terms: &Terms, outcome: Outcome, said: Option<Outcome>) -> Round {
    let said = said.unwrap_or_else(|| outcome.clone());
    if let Outcome::Failed(cause) = &said {
        tracing::info!(%cause, "the portal was asked");
    }
    let source = terms.keys.portal.as_ref().map(|_| Source::Code);
    let attempt = Attempt { host: address(terms), address: None, source, outcome: said };
    Round { outcome, attempts: vec![attempt] }
}

/// The ask of this machine, for somebody who carries it to the portal. It is on the disk when this returns.
///
/// # Errors
/// No key is entered, nothing can be kept here, or this user may not ask.
pub(crate) async fn compose(
    shell: &Shell,
    installation: &mut Installation,
    lock: &Arc<Lock>,
) -> Result<Signed, Cause> {
    let mut visit = Visit { shell, installation, lock, has_no_place: None };
    let ask = visit.activation().await?;
    ask.map(|(signed, _)| signed).ok_or_else(|| visit.why_no_ask())
}

/// Takes what somebody has carried back, if it answers the ask of this machine. Returns whether it does.
///
/// # Errors
/// It is for this machine, and does not verify; or it cannot be kept.
pub(crate) async fn accept(
    shell: &Shell,
    installation: &mut Installation,
    lock: &Arc<Lock>,
    wire: &v1::SignedConfirmation,
) -> Result<bool, Cause> {
    let mut visit = Visit { shell, installation, lock, has_no_place: None };
    let Some((_, ask)) = visit.under_way() else { return Ok(false) };
    let opened = Confirmation::open(wire, &visit.installation.terms.roots);
    if !opened.as_ref().is_ok_and(|confirmation| confirmation.machine == ask.machine()) {
        return Ok(false);
    }
    let (wire, confirmation) = visit.judge(Some(wire), &ask)?;
    visit.take(wire, confirmation).await.map(|()| true)
}

/// An ask in progress.
struct Visit<'a> {
    shell: &'a Shell,
    installation: &'a mut Installation,
    lock: &'a Arc<Lock>,
    /// The portal's refusal of a release, because it counts no place of the key for this machine.
    has_no_place: Option<Cause>,
}

impl Visit<'_> {
    async fn make(&mut self, kind: AskKind) -> Result<Outcome, Cause> {
        let done = match kind {
            AskKind::Activate => self.activate().await?,
            AskKind::Release => self.release().await?,
        };
        let Failure { cause, retry_after, .. } = match done {
            Ok(outcome) => return Ok(outcome),
            Err(failure) => failure,
        };
        // A release that has failed is no reason to ask to be confirmed.
        if kind == AskKind::Activate {
            let event = Event::Failed { code: &cause.code, ask_again: retry_after };
            self.installation.saved.license.step(self.shell.clock.now(), event, random::draw());
        }
        Ok(Outcome::Failed(cause))
    }

    /// A `Failure` is that of the portal, or of the way there. A `Cause` says why it was not asked.
    async fn activate(&mut self) -> Result<Result<Outcome, Failure>, Cause> {
        let Some((signed, ask)) = self.activation().await? else {
            return Ok(Err(self.why_no_ask().into()));
        };
        let portal = match carrier::connect(&self.installation.terms, Arc::clone(&self.shell.clock)).await {
            Ok(portal) => portal,
            Err(failure) => return Ok(Err(failure)),
        };
        let response = match portal.activate_machine(signed).await {
            Ok(response) => response,
            Err(failure) => {
                let failure = carrier::of_portal(failure, &self.installation.terms);
                self.forget_if_refused(&failure).await?;
                if is_answer(&failure.cause) {
                    self.bring_revocations(&portal).await?;
                }
                return Ok(Err(failure));
            }
        };
        let (wire, confirmation) = match self.judge(response.confirmation.as_ref(), &ask) {
            Ok(accepted) => accepted,
            Err(cause) => {
                self.forget().await?;
                return Ok(Err(cause.into()));
            }
        };
        let until = confirmation.not_after;
        self.take(wire, confirmation).await?;
        self.bring_revocations(&portal).await?;
        Ok(Ok(Outcome::Confirmed { until, used: response.used, granted: response.granted }))
    }

    /// Last, because the answer is on the disk by then, and nothing depends on them.
    async fn bring_revocations(&mut self, portal: &Portal) -> Result<(), Cause> {
        revoked::bring(portal, self.installation, self.shell.clock.now(), self.lock).await
    }

    /// 1 saved with all that the answer changes  2 the ask is forgotten  3 a pending identity, which `saved` names already.
    async fn take(&mut self, wire: &v1::SignedConfirmation, confirmation: Confirmation) -> Result<(), Cause> {
        self.installation.saved.confirm(wire, confirmation, self.shell.clock.now());
        self.installation.save(self.lock).await?;
        self.forget().await?;
        self.installation.promote(self.lock).await
    }

    async fn release(&mut self) -> Result<Result<Outcome, Failure>, Cause> {
        // The portal knows no key of a machine by codes, and takes nothing back before it does.
        if self.installation.saved.confirmation.as_ref().is_some_and(|held| held.by_code) {
            if let Some(before) = self.installation.saved.key_before() {
                return Ok(Err(not_kept(before).into()));
            }
            if let Err(failure) = self.activate().await? {
                return Ok(Err(failure));
            }
        }
        let Some(signed) = self.surrender().await? else { return Ok(Err(self.unreadable().into())) };
        let answered = match carrier::connect(&self.installation.terms, Arc::clone(&self.shell.clock)).await {
            Ok(portal) => portal.release_machine(signed).await,
            Err(failure) => return Ok(Err(failure)),
        };
        if let Err(failure) = answered {
            let failure = carrier::of_portal(failure, &self.installation.terms);
            self.forget_if_refused(&failure).await?;
            // There is no place to give back, and this machine holds none either.
            if failure.cause.reason() != Some(Reason::NotActivatedHere) {
                return Ok(Err(failure));
            }
            self.has_no_place = Some(failure.cause);
        }
        self.installation.saved.give_back(self.shell.clock.now());
        self.installation.save(self.lock).await?;
        self.forget().await?;
        Ok(Ok(Outcome::Released))
    }

    /// The ask to be confirmed: the one that has no answer yet, if it is of this machine, or a new one. It is on the disk when this
    /// returns. `None` where this user may read neither the machine's key nor the product key.
    async fn activation(&mut self) -> Result<Option<(Signed, MachineActivation)>, Cause> {
        let parts = self.parts();
        // The portal finds the place that a code was given by the parts.
        if let Some((signed, ask)) = self.under_way()
            && (!self.is_by_code() || ask.parts == parts)
        {
            return Ok(Some((signed, ask)));
        }
        let Some((identity, machine_key, held)) = self.keys() else { return Ok(None) };
        let terms = &self.installation.terms;
        let ask = MachineActivation {
            machine_key,
            product: terms.id,
            product_key: held.key,
            nonce: self.nonce()?,
            asked_at: self.shell.clock.now(),
            fingerprint: terms.fingerprint,
            parts,
        };
        let signed = ask.sign(&identity);
        self.keep(signed.clone()).await?;
        Ok(Some((signed, ask)))
    }

    /// Whether this machine holds a place of the key that the portal has given to a code, and knows by that alone.
    fn is_by_code(&self) -> bool {
        self.installation.saved.own_confirmation().is_some_and(|held| held.by_code)
    }

    /// The hardware parts to send: of a machine by codes, those of its installation id.
    fn parts(&self) -> HardwareParts {
        if self.is_by_code() { self.installation.parts() } else { self.installation.terms.hardware() }
    }

    /// The ask to be confirmed that has no answer yet, if it is of this machine.
    fn under_way(&self) -> Option<(Signed, MachineActivation)> {
        let (_, machine_key, held) = self.keys()?;
        let signed = held.ask?;
        let ask = MachineActivation::open(&signed).ok()?;
        (ask.machine_key == machine_key).then_some((signed, ask))
    }

    /// The ask to give the place back of the key that has activated this machine, as [`Visit::activation`]. The key itself is not needed.
    async fn surrender(&mut self) -> Result<Option<Signed>, Cause> {
        let saved = &self.installation.saved;
        let number = saved.key_before().or(saved.key_number()).ok_or(Reason::KeyMissing)?;
        let Some((new, signed)) = self.release_of(number)? else { return Ok(None) };
        let kept = self.installation.key.as_ref().and_then(|held| held.ask.clone());
        let is_under_way = |ask: &Signed| {
            MachineRelease::open(ask)
                .is_ok_and(|kept| (kept.machine_key, kept.key_number) == (new.machine_key, number))
        };
        if let Some(kept) = kept.filter(is_under_way) {
            return Ok(Some(kept));
        }
        self.keep(signed.clone()).await?;
        Ok(Some(signed))
    }

    /// A new ask to give the place of this key back.
    fn release_of(&self, key_number: KeyNumber) -> Result<Option<(MachineRelease, Signed)>, Cause> {
        let Some(identity) = self.installation.asker() else { return Ok(None) };
        let machine_key = identity.key.public();
        let ask = MachineRelease {
            machine_key,
            product: self.installation.terms.id,
            key_number,
            nonce: self.nonce()?,
            asked_at: self.shell.clock.now(),
        };
        let signed = ask.sign(&identity.key);
        Ok(Some((ask, signed)))
    }

    /// The key that signs, its public half, and the product key.
    fn keys(&self) -> Option<(SecretKey, PublicKey, HeldKey)> {
        let identity = self.installation.asker()?;
        Some((identity.key.clone(), identity.key.public(), self.installation.key.clone()?))
    }

    fn nonce(&self) -> Result<Nonce, Cause> {
        random::bytes().map(Nonce::from_bytes).map_err(|error| self.installation.unwritable(&error))
    }

    async fn keep(&mut self, ask: Signed) -> Result<(), Cause> {
        if let Some(held) = &mut self.installation.key {
            held.ask = Some(ask);
        }
        self.installation.save_key(self.lock).await
    }

    /// An answer came, so the next ask is another one.
    async fn forget(&mut self) -> Result<(), Cause> {
        if let Some(held) = &mut self.installation.key {
            held.ask = None;
        }
        self.installation.save_key(self.lock).await
    }

    async fn forget_if_refused(&mut self, failure: &Failure) -> Result<(), Cause> {
        if is_answer(&failure.cause) { self.forget().await } else { Ok(()) }
    }

    /// Whether the portal's answer licenses this machine.
    fn judge<'w>(
        &self,
        wire: Option<&'w v1::SignedConfirmation>,
        ask: &MachineActivation,
    ) -> Result<(&'w v1::SignedConfirmation, Confirmation), Cause> {
        let terms = &self.installation.terms;
        let wire = wire.ok_or_else(|| no_confirmation(terms))?;
        let opened = Confirmation::open(wire, &terms.roots);
        let checked = opened.and_then(|confirmation| {
            confirmation.check_answer(ask, terms.organisation).map(|()| confirmation)
        });
        checked
            .map(|confirmation| (wire, confirmation))
            .map_err(|error| error.cause(&address(terms)).of_portal())
    }

    /// Why there is no ask to be confirmed.
    fn why_no_ask(&self) -> Cause {
        let number = self.installation.saved.key_number();
        let missing = number.filter(|_| self.installation.asker().is_some());
        missing.map_or_else(|| self.unreadable(), not_kept)
    }

    fn unreadable(&self) -> Cause {
        Reason::IdentityUnreadable.with(&[("path", &self.installation.home.path().display())])
    }
}

/// The portal needs the key itself, and this machine has only its number.
fn not_kept(number: KeyNumber) -> Cause {
    Reason::KeyNotKept.with(&[("key", &number)])
}

/// Whether the portal has decided. Otherwise it may have done what was asked, and its answer was lost.
pub(crate) fn is_answer(cause: &Cause) -> bool {
    !matches!(
        cause.reason(),
        Some(Reason::PortalUnreachable | Reason::PortalFailed | Reason::Overloaded | Reason::Stopping)
    )
}
