//! One activation, from an ask whose bytes have just come in to an answer that is signed.
//!
//! 1. read the clock, once: every check and every time in the answer speaks of the same moment
//! 2. check the source, size, product, signature, the host's own doubt, the machine's clock, the certificate, the disk's free
//!    space; cheap before dear, and nothing unverified holds a place in the queue
//! 3. hand the sighting to the ledger, which decides and returns what it decided, counted and durable; where the lease that
//!    is shown could change that, it asks for it to be verified first, and writes nothing
//! 4. compose the answer
//! 5. sign it
//! 6. log it
//! 7. answer
//!
//! What this order buys: a lease that anybody holds is counted on disk. A crash between 3 and 7 loses an answer, never a
//! machine: the machine asks again under the same nonce and gets the same serial.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use ledger::{LedgerError, Reader};
use prost::Message;
use proto::v1;
use shared::admission::{self, Admission, Moment};
use shared::answer::{self, AnswerError, Header, ShownLease};
use shared::ask::{Ask, AskError, AskKind, Rejected};
use shared::count::{self, Decision, Outcome, Shown, Sighting};
use shared::doubt::{Doubt, HostClock, Reading};
use shared::envelope::Kind;
use shared::fair;
use shared::ids::{HostId, MachineId, ProductId};
use shared::policy::Policy;
use shared::reason::{Cause, Reason};
use shared::record::RecordState;
use shared::serial::{self, Mark, Standing};
use shared::time::{Clock, Timestamp};

use crate::certificates::{Certificates, Installed, terms};
use crate::fairness::{Fairness, Limited, Source};
use crate::journal::{Journal, Refusal};
use crate::queue::{NotSighted, Queue};
use crate::signer::Signer;
use crate::watch::recheck::Totals;
use crate::watch::rejections::Rejections;
use crate::watch::space::Space;

/// Retry delay when the host has more waiting than it will hold, or no place for another call.
const OVERLOADED_RETRY: Duration = Duration::from_secs(15);

/// How long an ask may wait for its answer: less than tonic's deadline, whose status says neither why nor when to come back.
const ANSWER_LIMIT: Duration = Duration::from_secs(8);

/// How long a machine is asked to stay away that was not heard for too many bad asks: so long that those who wait behind the
/// same address as an attacker do not add to it.
const UNHEARD_RETRY: Duration = Duration::from_mins(15);

/// How long a machine is asked to stay away from a host that stops or has failed.
const STOPPED_RETRY: Duration = Duration::from_mins(1);

/// Retry delay for a machine whose record is damaged. An administrator has to act first, and may have done so tonight.
const DAMAGED_RETRY: Duration = Duration::from_hours(1);

/// What a host consists of. The caller owns every part, so that a test can pass its own clock or ledger.
pub struct Parts {
    /// The certificates.
    pub certificates: Certificates,
    /// Who signs.
    pub signer: Arc<dyn Signer>,
    /// What counts and keeps.
    pub ledger: Arc<dyn Reader>,
    /// The queue in front of it.
    pub queue: Queue,
    /// What each source may bring.
    pub fairness: Arc<Fairness>,
    /// The clocks.
    pub clock: Arc<dyn Clock>,
}

/// A host that answers.
pub struct Host {
    pub(crate) ledger: Arc<dyn Reader>,
    pub(crate) queue: Queue,
    pub(crate) fairness: Arc<Fairness>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) journal: Journal,
    pub(crate) rejections: Rejections,
    pub(crate) id: HostId,
    pub(crate) started_at: Timestamp,
    pub(crate) space: Arc<Space>,
    pub(crate) totals: Arc<Totals>,
    signer: Arc<dyn Signer>,
    own_clock: Mutex<HostClock>,
    /// Replaced as a whole, so that one ask sees one set of them from its beginning to its end.
    certificates: RwLock<Arc<Certificates>>,
}

/// An ask as it came in. Nothing in it has been verified.
pub struct Incoming {
    /// What the machine signed.
    pub ask: v1::Signed,
    /// The second signature, where it replaces an identity.
    pub replaced_signature: Option<v1::Signature>,
    /// The chain of the lease that it shows, or nothing.
    pub held_chain: Bytes,
    /// Where it came from, if it has an address.
    pub source: Option<Source>,
    /// What the call was for; the ask has to say the same.
    pub kind: AskKind,
}

/// An ask that cannot be answered with a signature.
#[derive(Debug)]
pub struct Unanswered {
    /// Why.
    pub cause: Cause,
    /// When to try again, where trying again helps.
    pub retry_in: Option<Duration>,
}

impl Unanswered {
    /// Whether it was the ask's own fault.
    pub(crate) fn is_bad(&self) -> bool {
        self.cause.reason().is_some_and(|reason| reason == Reason::TooManyBadAsks || fair::is_bad(reason))
    }
}

impl Host {
    /// A host made of these parts. It looks at its clocks and at its ledger's last commit, and may begin in doubt.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn new(parts: Parts) -> Result<Host, LedgerError> {
        let Parts { certificates, signer, ledger, queue, fairness, clock } = parts;
        let now = Reading { wall: clock.now(), monotonic: clock.monotonic() };
        let own_clock = HostClock::start(now, ledger.last_time().await?, certificates.longest_window());
        if let Some(doubt) = own_clock.doubt() {
            log_doubt(&doubt);
        }
        Ok(Host {
            ledger,
            queue,
            fairness,
            clock,
            journal: Journal::default(),
            rejections: Rejections::default(),
            id: signer.public_key().host(),
            started_at: now.wall,
            space: Arc::default(),
            totals: Arc::default(),
            signer,
            own_clock: Mutex::new(own_clock),
            certificates: RwLock::new(Arc::new(certificates)),
        })
    }

    /// The certificates under which it answers now.
    pub fn certificates(&self) -> Arc<Certificates> {
        self.certificates.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether its disk has room. Whoever owns the directory looks, and tells it.
    pub fn space(&self) -> &Arc<Space> {
        &self.space
    }

    /// Answers under these from the next ask on; asks that are under way are answered under the old ones.
    pub fn replace_certificates(&self, certificates: Certificates) {
        *self.certificates.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(certificates);
    }

    /// One activation or release.
    ///
    /// # Errors
    /// What cannot be signed for. Nothing was counted, except where the ledger failed or was late: then it may have been.
    pub async fn activate(&self, incoming: Incoming) -> Result<v1::Answer, Unanswered> {
        // 1
        let now = self.read_clocks();
        // 2
        let certificates = self.certificates();
        let claimed = Ask::claimed_product(&incoming.ask);
        let heard = self.hear(&incoming, claimed, now).await;
        let opened = heard.and_then(|()| Host::open(&certificates, &incoming, claimed, now.wall));
        let (ask, installed) = opened.inspect_err(|unanswered| {
            self.note_refusal(now, incoming.source, (None, claimed), &unanswered.cause);
        })?;
        let answer = self.answer(&ask, &incoming, &certificates, installed, now);
        let answered = tokio::time::timeout(ANSWER_LIMIT, answer).await;
        let answered = answered.unwrap_or_else(|_| {
            tracing::error!(limit = ?ANSWER_LIMIT, "an ask was not decided in time: see to the ledger's disk");
            Err(NotSighted::Late.into())
        });
        let answered = answered.inspect_err(|unanswered| {
            let of = (Some(ask.machine()), Some(ask.product));
            self.note_refusal(now, incoming.source, of, &unanswered.cause);
        })?;
        // 7
        let has_chain = ask.chain_digest == Some(installed.chain.digest());
        let chain = if has_chain { Bytes::new() } else { installed.chain.encoded().clone() };
        Ok(v1::Answer { signed: Some(answered), chain })
    }

    /// Refuses what came instead of an ask: it counts as a bad one of its source. Size and form are looked at before anything else,
    /// since nothing else can be.
    pub(crate) fn refuse_unread(&self, source: Option<Source>, cause: Cause) -> Unanswered {
        let now = self.read_clocks();
        if let Err(limited) = self.fairness.hear(source, now.monotonic) {
            return self.unheard(source, limited, now);
        }
        self.note_refusal(now, source, (None, None), &cause);
        cause.into()
    }

    /// Refuses a call that finds no place. Its number is kept and nothing else: a flood of these must not wash away what is said of
    /// others.
    pub(crate) fn refuse_without_place(&self) -> Unanswered {
        self.journal.answered(Reason::Overloaded.code());
        NotSighted::Overloaded.into()
    }

    /// What becomes of an ask that its machine has signed.
    async fn answer(
        &self,
        ask: &Ask,
        incoming: &Incoming,
        certificates: &Certificates,
        installed: &Installed,
        now: Moment,
    ) -> Result<v1::Signed, Unanswered> {
        let policy = &installed.chain.host().policy;
        // 2, 3
        let composed = match self.decide(ask, incoming, certificates, installed, now).await {
            Err(Stop::Fail(unanswered)) => return Err(unanswered),
            Err(Stop::Refuse(cause, ask_again)) => self.compose_refusal(ask, now.wall, cause, ask_again),
            // 4
            Ok(outcome) => {
                self.note_rejected(ask, now);
                self.compose(ask, policy, now.wall, &outcome)
            }
        };
        // 5
        let signed = self.signer.sign(composed.kind, composed.payload).await.map_err(|error| {
            tracing::error!(%error, "an answer was not signed");
            Unanswered { cause: Reason::SignerFailed.into(), retry_in: Some(STOPPED_RETRY) }
        })?;
        // 6
        match &composed.said {
            Said::Refused(cause) => {
                let of = (Some(ask.machine()), Some(ask.product));
                self.note_refusal(now, incoming.source, of, cause);
            }
            Said::Answered { name, serial, count } => {
                self.journal.answered(name);
                let (edition, library) = (ask.edition.as_str(), ask.library_version.as_str());
                let (machine, product) = (ask.machine(), ask.product);
                tracing::info!(outcome = name, %machine, %product, serial, count, edition, library, "answered");
            }
        }
        Ok(signed)
    }

    /// What a machine that has a record says of the answer before.
    fn note_rejected(&self, ask: &Ask, now: Moment) {
        let machine = ask.machine();
        let rejected = ask.rejected.as_ref();
        if self.rejections.note(machine, rejected, self.id, now.monotonic)
            && let Some(Rejected { code, .. }) = rejected
        {
            tracing::warn!(%machine, reason = code, "a machine does not take this host's answers; `status` counts those that say so");
        }
    }

    /// Why the host doubts its clock, if it does.
    pub fn doubt(&self) -> Option<Doubt> {
        self.read_clocks();
        self.own_clock().doubt()
    }

    /// The administrator says that the clock is right. Returns the doubt that this ended.
    ///
    /// # Errors
    /// The ledger could not be settled at this time; the doubt stays.
    pub async fn confirm_clock(&self) -> Result<Option<Doubt>, Unanswered> {
        let now = self.read_clocks();
        let in_doubt = self.own_clock().doubt().is_some();
        let ended = if in_doubt { self.end_doubt(now).await? } else { None };
        let holds_for = count::known_for(self.certificates().longest_window());
        self.own_clock().confirm(now.monotonic, holds_for);
        tracing::warn!(now = %now.wall, "the administrator has confirmed the clock");
        Ok(ended)
    }

    /// Whether this source is listened to: not past its share of bad asks, unless for a machine that is known, or for one that
    /// heals. Anybody can claim to be one; then its signature is verified, as it was before. Whoever has recorded an ask could
    /// send it for ever, so one that has been overtaken speaks for nobody.
    async fn hear(
        &self,
        incoming: &Incoming,
        claimed: Option<ProductId>,
        now: Moment,
    ) -> Result<(), Unanswered> {
        let Err(limited) = self.fairness.hear(incoming.source, now.monotonic) else { return Ok(()) };
        if let (Some(product), Some(machine)) = (claimed, Ask::claimed_machine(&incoming.ask))
            && self.is_known_and_fresh(product, machine, &incoming.ask).await?
        {
            return Ok(());
        }
        if let (Some(product), Some(replaced)) = (claimed, Ask::claimed_replaced(&incoming.ask))
            && self.may_be_replaced(product, replaced).await?
        {
            return Ok(());
        }
        Err(self.unheard(incoming.source, limited, now))
    }

    fn unheard(&self, source: Option<Source>, limited: Limited, now: Moment) -> Unanswered {
        self.fairness.note_unheard(source, limited, now.reading());
        Unanswered { cause: limited.cause(Reason::TooManyBadAsks), retry_in: Some(UNHEARD_RETRY) }
    }

    /// Product and signatures: what has to hold before anybody is answered with a signature.
    fn open<'c>(
        certificates: &'c Certificates,
        incoming: &Incoming,
        claimed: Option<ProductId>,
        now: Timestamp,
    ) -> Result<(Ask, &'c Installed), Unanswered> {
        let malformed = |cause: &str| Unanswered::from(Reason::Malformed.with(&[("cause", &cause)]));
        let product = claimed.ok_or_else(|| malformed("it names no product"))?;
        let installed = certificates
            .current(product, now)
            .ok_or_else(|| Reason::ProductUnknown.with(&[("product", &product)]))?;
        let ask =
            Ask::open(&incoming.ask, incoming.replaced_signature.as_ref()).map_err(|error| match error {
                AskError::Malformed => malformed("its fields do not fit"),
                AskError::Signature(error) if error.is_of_form() => malformed(&error.to_string()),
                AskError::Signature(_) => Reason::SignatureBad.into(),
            })?;
        if ask.kind != incoming.kind {
            return Err(malformed("it asks for something else than the call does"));
        }
        Ok((ask, installed))
    }

    /// The order of `shared::admission`; then the ledger, and the lease that is shown if it matters.
    async fn decide(
        &self,
        ask: &Ask,
        incoming: &Incoming,
        certificates: &Certificates,
        installed: &Installed,
        now: Moment,
    ) -> Result<Outcome, Stop> {
        let certificate = installed.chain.host();
        let presented = Mark { serial: ask.serial, nonce: ask.nonce, asked_at: ask.asked_at };
        let admission = Admission { chain: &installed.chain, machine: ask.machine(), presented, now };
        self.hear_of_clocks(&admission).await.map_err(Stop::Fail)?;
        admission.check(&self.own_clock(), self.space.is_short())?;
        // Room is kept until the ledger has decided, and only a machine that it enters takes it.
        let mut room = self.fairness.reserve(incoming.source, now.monotonic);
        let terms = terms(&installed.chain);
        let sighting = Sighting {
            product: ask.product,
            machine: ask.machine(),
            presented,
            fingerprint: ask.fingerprint.peppered(&self.ledger.meta().pepper),
            kind: ask.kind,
            kept: ask.kept,
            replaces: ask.replaces.map(|key| key.machine()),
            shown: claimed_lease(ask),
            entry: room.entry(),
            at: now.wall,
            terms,
        };
        let sight =
            async |sighting| self.queue.sight(sighting).await.map_err(|error| Stop::Fail(error.into()));
        let mut outcome = room.while_deciding(sight(sighting.clone())).await?;
        if outcome.decision == Decision::Verify {
            let shown = Host::shown_lease(ask, &incoming.held_chain, certificates, installed)?.into();
            outcome = room.while_deciding(sight(Sighting { shown, ..sighting })).await?;
        }
        if let Some(limited) = room.settle(ask.product, &terms, &outcome, now.reading()) {
            let ask_again = limited.wait.max(certificate.policy.retry_interval);
            return Err(Stop::Refuse(limited.cause(Reason::NewMachinesLimited), ask_again));
        }
        admission.decided(&mut self.own_clock(), &outcome);
        Ok(outcome)
    }

    /// Where either clock is wrong, machines that have been known for a day say which one it is.
    async fn hear_of_clocks(&self, admission: &Admission<'_>) -> Result<(), Unanswered> {
        let (product, now) = (admission.chain.host().product, admission.now);
        if !admission.is_about_a_clock(&self.own_clock()) {
            return Ok(());
        }
        let record = self.ledger.record(product, admission.machine).await.map_err(unreadable)?;
        if !record.is_some_and(|record| admission.may_vote(&self.own_clock(), &record)) {
            return Ok(());
        }
        let known = self.known_machines(now.wall).await?;
        let (before, enough_agree, after) = {
            let mut own_clock = self.own_clock();
            (own_clock.doubt(), admission.vote(&mut own_clock, known), own_clock.doubt())
        };
        if let (None, Some(doubt)) = (before, after) {
            log_doubt(&doubt);
        }
        if enough_agree {
            self.end_doubt(now).await?;
            tracing::warn!(now = %now.wall, "known machines agree with the clock: the doubt has ended");
        }
        Ok(())
    }

    /// Settles the ledger at the wall clock, and ends the doubt after that: until then nobody is counted.
    async fn end_doubt(&self, now: Moment) -> Result<Option<Doubt>, Unanswered> {
        let settled = self.queue.settle(self.certificates().terms(now.wall), now.wall).await;
        settled.map_err(NotSighted::from)?;
        Ok(self.own_clock().end(now.era))
    }

    /// What the lease that a machine shows proves; nothing where it shows none, or one that is not for here.
    fn shown_lease(
        ask: &Ask,
        held_chain: &Bytes,
        certificates: &Certificates,
        installed: &Installed,
    ) -> Result<Option<ShownLease>, Stop> {
        let Some(signed) = &ask.held_lease else { return Ok(None) };
        let ours = installed.chain.host();
        let mut own = certificates.of(ask.product).iter();
        if let Some(shown) = own.find_map(|own| ShownLease::open(signed, &own.chain, ours).ok()) {
            return Ok(Some(shown));
        }
        if held_chain.is_empty() {
            return Err(Stop::Refuse(Reason::ChainNeeded.into(), Duration::ZERO));
        }
        let sibling = installed.verify_sibling(held_chain).map_err(AnswerError::Untrusted);
        let shown = sibling.and_then(|sibling| ShownLease::open(signed, &sibling, ours));
        if let Err(error) = &shown {
            tracing::info!(machine = %ask.machine(), %error, "the lease shown counts for nothing");
        }
        Ok(shown.ok())
    }

    fn compose(&self, ask: &Ask, policy: &Policy, now: Timestamp, outcome: &Outcome) -> Composed {
        if outcome.ledger_is_behind {
            tracing::warn!(
                machine = %ask.machine(), product = %ask.product,
                "a lease of this ledger is ahead of its record: the ledger was restored from a backup, or runs twice"
            );
        }
        let header = |serial| self.header(ask, serial, now);
        let (name, kind, payload, serial, count) = match outcome.decision {
            Decision::Lease { serial, grant } => {
                let lease = answer::compose_lease(&header(serial), policy, &grant, ask.fingerprint);
                ("LEASE", Kind::Lease, lease.encode_to_vec(), serial, Some(grant.count))
            }
            Decision::Waiting { serial, count } => {
                let waiting = answer::compose_waiting(&header(serial), policy, count);
                ("WAITING", Kind::Waiting, waiting.encode_to_vec(), serial, Some(count))
            }
            Decision::Released { serial } => {
                let released = answer::compose_released(&header(serial));
                ("RELEASED", Kind::Released, released.encode_to_vec(), serial, None)
            }
            Decision::Refused(reason) => {
                return self.compose_refusal(ask, now, reason.into(), policy.retry_interval);
            }
            Decision::Verify => unreachable!("what was verified is not claimed"),
        };
        Composed { kind, payload: payload.into(), said: Said::Answered { name, serial, count } }
    }

    fn compose_refusal(&self, ask: &Ask, now: Timestamp, cause: Cause, ask_again: Duration) -> Composed {
        let refusal = answer::compose_refusal(&self.header(ask, ask.serial, now), &cause, ask_again);
        let payload = refusal.encode_to_vec().into();
        Composed { kind: Kind::Refusal, payload, said: Said::Refused(cause) }
    }

    fn header(&self, ask: &Ask, serial: u64, host_time: Timestamp) -> Header {
        Header {
            machine: ask.machine(),
            product: ask.product,
            nonce: ask.nonce,
            serial,
            host_time,
            host: self.id,
            ledger: self.ledger.meta().ledger,
        }
    }

    fn note_refusal(
        &self,
        now: Moment,
        source: Option<Source>,
        (machine, product): (Option<MachineId>, Option<ProductId>),
        cause: &Cause,
    ) {
        match cause.reason() {
            // A flood of these must not wash away what is said of others: its source and its number are kept.
            Some(Reason::TooManyBadAsks) => return self.journal.answered(Reason::TooManyBadAsks.code()),
            Some(reason) => self.fairness.note_refusal(source, reason, now.monotonic),
            None => {}
        }
        let named = machine.map(tracing::field::display);
        tracing::info!(
            machine = named,
            product = product.map(tracing::field::display),
            reason = cause.code.as_str(),
            "refused: {cause}"
        );
        self.journal.refused(Refusal { at: now.wall, machine, product, cause: cause.clone() });
    }

    /// Whether the machine that an ask claims to come from is known here, and the ask is no recorded one.
    async fn is_known_and_fresh(
        &self,
        product: ProductId,
        machine: MachineId,
        ask: &v1::Signed,
    ) -> Result<bool, Unanswered> {
        let record = self.ledger.record(product, machine).await.map_err(unreadable)?;
        let Some(record) = record.filter(|record| record.state == RecordState::Active) else {
            return Ok(false);
        };
        let last = Mark { serial: record.serial, nonce: record.nonce, asked_at: record.asked_at };
        let claimed = Ask::claimed_mark(ask);
        Ok(claimed.is_some_and(|claimed| serial::compare(Some(&last), &claimed) != Standing::Replay))
    }

    /// Whether there is an identity whose successor may return here.
    async fn may_be_replaced(&self, product: ProductId, machine: MachineId) -> Result<bool, Unanswered> {
        let record = self.ledger.record(product, machine).await.map_err(unreadable)?;
        Ok(record.is_some_and(|record| match record.state {
            RecordState::Active | RecordState::Replaced => true,
            RecordState::Released | RecordState::Blocked => false,
        }))
    }

    /// How many machines have an active record, over every product.
    async fn known_machines(&self, now: Timestamp) -> Result<u64, Unanswered> {
        let mut known = 0;
        for (product, terms) in self.certificates().terms(now) {
            known += self.ledger.reading(product, &terms, now).await.map_err(unreadable)?.tally.active;
        }
        Ok(known)
    }

    fn read_clocks(&self) -> Moment {
        let reading = Reading { wall: self.clock.now(), monotonic: self.clock.monotonic() };
        let mut own_clock = self.own_clock();
        let before = own_clock.doubt();
        let now = Moment::read(&mut own_clock, reading);
        if let (None, Some(doubt)) = (before, own_clock.doubt()) {
            log_doubt(&doubt);
        }
        now
    }

    /// Never held across an await: a doubt is looked at, not waited under.
    fn own_clock(&self) -> MutexGuard<'_, HostClock> {
        self.own_clock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The lease that a machine shows, unverified: that costs as much as verifying the ask, and few decisions need it.
fn claimed_lease(ask: &Ask) -> Shown {
    let claimed = ask.held_lease.as_ref().and_then(ShownLease::claim);
    claimed.map_or(Shown::Nothing, Shown::Claimed)
}

/// An answer that is ready to be signed, and what the log says of it.
struct Composed {
    kind: Kind,
    payload: Bytes,
    said: Said,
}

enum Said {
    Answered { name: &'static str, serial: u64, count: Option<u64> },
    Refused(Cause),
}

fn log_doubt(doubt: &Doubt) {
    tracing::error!(%doubt, remedy = Reason::HostClock.remedy(), "the host doubts its clock");
}

/// Why an ask does not reach the ledger.
enum Stop {
    /// It is refused, signed.
    Refuse(Cause, Duration),
    /// It cannot be answered.
    Fail(Unanswered),
}

impl From<admission::Refusal> for Stop {
    fn from(refusal: admission::Refusal) -> Stop {
        Stop::Refuse(refusal.cause, refusal.ask_again)
    }
}

fn unreadable(error: LedgerError) -> Unanswered {
    tracing::error!(%error, remedy = error.remedy(), "the ledger cannot be read");
    NotSighted::of(&error).into()
}

impl From<Cause> for Unanswered {
    fn from(cause: Cause) -> Unanswered {
        Unanswered { cause, retry_in: None }
    }
}

impl From<Reason> for Unanswered {
    fn from(reason: Reason) -> Unanswered {
        Unanswered { cause: reason.into(), retry_in: None }
    }
}

impl From<NotSighted> for Unanswered {
    fn from(not_sighted: NotSighted) -> Unanswered {
        let (reason, retry_in) = match not_sighted {
            NotSighted::Overloaded | NotSighted::Unavailable | NotSighted::Late => {
                (Reason::Overloaded, OVERLOADED_RETRY)
            }
            NotSighted::Failed => (Reason::LedgerFailed, STOPPED_RETRY),
            NotSighted::Damaged => (Reason::LedgerDamaged, DAMAGED_RETRY),
            NotSighted::Stopping => (Reason::Stopping, STOPPED_RETRY),
        };
        Unanswered { cause: reason.into(), retry_in: Some(retry_in) }
    }
}
