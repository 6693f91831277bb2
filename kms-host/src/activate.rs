//! One activation, from an ask whose bytes have just come in to an answer that is signed.
//!
//! 1. read the clock, once: every check and every time in the answer speaks of the same moment
//! 2. check the source, size, product, signature, the host's own doubt, the machine's clock, the certificate, the disk's free
//!    space; the cheap checks come first, and nothing unverified takes a place in the queue
//! 3. hand the sighting to the ledger, which decides and returns what it decided, counted and durable; where the lease that
//!    is shown could change the decision, the ledger first asks for its verification, and writes nothing
//! 4. compose the answer
//! 5. sign it
//! 6. log it
//! 7. answer
//!
//! What this order guarantees: the machine of every lease is counted on disk. A crash between 3 and 7 loses an answer, never a
//! machine: the machine asks again under the same nonce and gets the same serial.

mod case;
mod clocks;
mod compose;
mod hearing;
mod resent;
mod unanswered;

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use ledger::{LedgerError, Reader};
use prost::Message as _;
use proto::v1;
use server::Source;
use server::unanswered::Unanswered;
use shared::admission::Applicant;
use shared::ask::{Ask, AskKind, Rejected, UnverifiedAsk};
use shared::count::{Decision, Outcome, Sighting};
use shared::doubt::{ClockReading, HostClock, Moment};
use shared::ids::{HostId, MachineId, ProductId};
use shared::reason::{Cause, Reason};
use shared::time::{Clock, Timestamp};

use self::case::Case;
use self::clocks::log_doubt;
use self::compose::Logged;
use self::resent::Resent;
use self::unanswered::Stop;
use crate::certificates::{Certificates, terms};
use crate::fairness::Fairness;
use crate::journal::{Journal, JournaledRefusal};
use crate::portal::unrenewed::Unrenewed;
use crate::queue::{NotSighted, Queue};
use crate::signer::Signer;
use crate::watch::recheck::Totals;
use crate::watch::rejections::Rejections;
use crate::watch::space::Space;

/// What a response has around its answer.
const RESPONSE_BYTES: usize = 16;

/// How long an ask may wait for its answer: less than tonic's deadline, whose status says neither why nor when to come back.
const ANSWER_LIMIT: Duration = Duration::from_secs(8);

/// A host that answers.
pub struct Host {
    pub(crate) ledger: Arc<dyn Reader>,
    pub(crate) queue: Queue,
    pub(crate) fairness: Arc<Fairness>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) journal: Journal,
    pub(crate) rejections: Rejections,
    pub(crate) unrenewed: Unrenewed,
    resent: Resent,
    pub(crate) id: HostId,
    pub(crate) started_at: Timestamp,
    /// Whether its disk has enough free space. `watch::space` measures it, and stores the result here.
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
    pub ask: UnverifiedAsk,
    /// The second signature, where it replaces an identity.
    pub replaced_signature: Option<v1::Signature>,
    /// The chain of the lease that it shows, or nothing.
    pub held_chain: Bytes,
    /// The revocation lists that the machine has, if it would take others.
    pub revocations: Option<v1::KnownRevocations>,
    /// Where it came from, if it has an address.
    pub source: Option<Source>,
    /// What the call was for; the ask has to say the same.
    pub kind: AskKind,
}

impl Host {
    /// A host made of these parts; `queue` stands in front of `ledger`. The caller owns every part, so that a test can pass its own
    /// clock or ledger. The host looks at its clocks and at its ledger's last commit, and may begin in doubt.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn new(
        certificates: Certificates,
        signer: Arc<dyn Signer>,
        ledger: Arc<dyn Reader>,
        queue: Queue,
        fairness: Arc<Fairness>,
        clock: Arc<dyn Clock>,
    ) -> Result<Host, LedgerError> {
        let now = ClockReading { wall: clock.now(), monotonic: clock.monotonic() };
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
            unrenewed: Unrenewed::default(),
            resent: Resent::default(),
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
        let heard = self.hear(&incoming, now).await;
        let opened = heard.and_then(|()| Case::open(&certificates, &incoming, now));
        let case = opened.inspect_err(|unanswered| {
            self.note_refusal(now, incoming.source, (None, incoming.ask.product()), &unanswered.cause);
        })?;
        let answered = tokio::time::timeout(ANSWER_LIMIT, pin!(self.answer(&case))).await;
        let answered = answered.unwrap_or_else(|_| {
            tracing::error!(limit = ?ANSWER_LIMIT, "an ask was not decided in time: see to the ledger's disk");
            Err(NotSighted::Late.into())
        });
        let answered = answered.inspect_err(|unanswered| self.note_refused(&case, &unanswered.cause))?;
        // 7
        let chain = &case.installed.chain;
        let has_chain = case.ask.chain_digest == Some(chain.digest());
        let chain = if has_chain { Bytes::new() } else { chain.encoded().clone() };
        let mut answer = v1::Answer { signed: Some(answered), chain, revocations: Vec::new() };
        let known = incoming.revocations.as_ref();
        for list in known.into_iter().flat_map(|known| case.revocations().newer_than(known)) {
            answer.revocations.push(list.clone());
            // A machine reads no larger answer. It gets a larger list from its vendor, if at all.
            if shared::MAX_MESSAGE_BYTES < answer.encoded_len() + RESPONSE_BYTES {
                answer.revocations.pop();
            }
        }
        Ok(answer)
    }

    /// What becomes of an ask that its machine has signed.
    async fn answer(&self, case: &Case<'_>) -> Result<v1::Signed, Unanswered> {
        // 2, 3
        let composed = match self.decide(case).await {
            Err(Stop::Fail(unanswered)) => return Err(unanswered),
            Err(Stop::Refuse(cause, ask_again)) => self.compose_refusal(case, cause, ask_again),
            // 4
            Ok(outcome) => {
                self.note_rejected(case);
                self.compose(case, &outcome)
            }
        };
        // 5
        let signed = self.signer.sign(composed.kind, composed.payload).await?;
        self.resent.note(&case.ask, &composed.said);
        // 6
        match &composed.said {
            Logged::Refused(cause) => self.note_refused(case, cause),
            Logged::Answered { name, serial, count } => {
                self.journal.answered(name);
                let Ask { edition, library_version: library, product, .. } = &case.ask;
                let machine = case.ask.machine();
                tracing::info!(outcome = name, %machine, %product, serial, count, edition, library, "answered");
            }
        }
        Ok(signed)
    }

    /// Notes whether a machine that has a record says that it has rejected an answer.
    fn note_rejected(&self, case: &Case<'_>) {
        let machine = case.ask.machine();
        let rejected = case.ask.rejected.as_ref();
        if self.rejections.note(machine, rejected, self.id, case.now.monotonic)
            && let Some(Rejected { code, .. }) = rejected
        {
            tracing::warn!(%machine, reason = code, "a machine does not take this host's answers; `status` counts those that say so");
        }
    }

    /// The order of `shared::admission`; then the ledger, and the lease that is shown if it matters.
    async fn decide(&self, case: &Case<'_>) -> Result<Outcome, Stop> {
        let Case { ask, installed, incoming, now, .. } = case;
        let (chain, machine, presented) = (&installed.chain, ask.machine(), ask.mark());
        if self.resent.knows(machine, &presented) {
            return Err(Stop::Refuse(Reason::Replayed.into(), chain.host().policy.retry_interval));
        }
        let applicant = Applicant { chain, machine, presented, now: *now };
        self.hear_of_clocks(&applicant).await.map_err(Stop::Fail)?;
        applicant.check(&self.own_clock(), self.space.is_short())?;
        // Room is kept until the ledger has decided, and only a machine that it enters takes it.
        let mut room = self.fairness.reserve(incoming.source, now.monotonic);
        let terms = terms(&installed.chain);
        let sighting = Sighting::of(ask, &self.ledger.meta().pepper, terms, now.wall);
        let sighting = Sighting { entrants: room.entrants(), ..sighting };
        let sight =
            async |sighting| self.queue.sight(sighting).await.map_err(|error| Stop::Fail(error.into()));
        let mut outcome = room.while_deciding(sight(sighting.clone())).await?;
        if outcome.decision == Decision::Verify {
            let shown = case.shown_lease()?.into();
            outcome = room.while_deciding(sight(Sighting { shown, ..sighting })).await?;
        }
        if let Some(limited) = room.settle(ask.product, &terms, &outcome, now.reading()) {
            let ask_again = limited.wait.max(installed.chain.host().policy.retry_interval);
            return Err(Stop::Refuse(limited.cause(Reason::NewMachinesLimited), ask_again));
        }
        applicant.decided(&mut self.own_clock(), &outcome);
        Ok(outcome)
    }

    fn note_refused(&self, case: &Case<'_>, cause: &Cause) {
        let of = (Some(case.ask.machine()), Some(case.ask.product));
        self.note_refusal(case.now, case.incoming.source, of, cause);
    }

    fn note_refusal(
        &self,
        now: Moment,
        source: Option<Source>,
        (machine, product): (Option<MachineId>, Option<ProductId>),
        cause: &Cause,
    ) {
        match cause.reason() {
            // A flood of these must not push other refusals out of the journal: only its source and its number are kept.
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
        self.journal.refused(JournaledRefusal { at: now.wall, machine, product, cause: cause.clone() });
    }
}
