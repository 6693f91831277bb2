//! One round: goes through the hosts until one gives a lease, and tells the license the outcome.
//!
//! The order within one ask tells copies from lost answers (`docs/protocol.md` 3): the lock is held from reading the serial to
//! saving the answer; the nonce is on the disk before it is sent; an accepted answer is on the disk before the next host is asked.
//! `shared::exchange` decides what to ask, what an answer makes this machine do, and which answer of a round counts. `agent`
//! decides when to start a round.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use proto::v1::ActivateRequest;
use shared::answer::{Expected, Lease, Verdict};
use shared::ask::{Ask, AskKind, Rejected};
use shared::certificate::Chain;
use shared::exchange::{Asker, Best, Then, Visit};
use shared::ids::Nonce;
use shared::license::Event;
use shared::reason::{Cause, Reason};
use shared::time::Length;
use wire::{Connection, Failure};

#[cfg(feature = "accounts")]
use crate::account;
use crate::discovery::{Candidate, Problem};
use crate::home::Lock;
use crate::installation::Installation;
use crate::outcome::{Attempt, Outcome, Round};
#[cfg(feature = "keys")]
use crate::portal;
use crate::shell::Shell;
use crate::transport::{ANSWER_LIMIT, Addresses};
use crate::way::Way;
use crate::{last_round, random};

/// Why a round is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The timer has fired. If another process has asked meanwhile, there is nothing to do.
    Due,
    /// Somebody wants an ask now.
    Wanted,
    /// This machine is retired.
    Release,
}

/// Time for the addresses of one host. Those that are left wait for the next round.
const HOST_LIMIT: Duration = Duration::from_secs(30);

/// Time for the hosts of a round, because it holds the lock and each silent host takes seconds. Those that are left wait for the
/// next round.
const ROUND_LIMIT: Duration = Duration::from_mins(2);

/// How many of the names and addresses that were left out are remembered.
const LEFT_OUT_MAX: usize = 64;

/// Makes a round now, whatever the timer says, and publishes its outcome.
///
/// # Errors
/// As [`make`].
pub(crate) async fn ask(shell: &Shell, purpose: Purpose) -> Result<Round, Cause> {
    #[cfg(feature = "testing")]
    if let Some(round) = &shell.staged {
        return Ok(round.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone());
    }
    let mut installation = shell.installation.lock().await;
    let made = make(shell, &mut installation, purpose).await;
    shell.publish(&installation);
    drop(installation);
    // The timer has another instant now.
    shell.look.notify_one();
    made?.ok_or_else(|| Reason::Busy.into())
}

/// Makes a round, or none if it is no longer due.
///
/// # Errors
/// No host was asked: another process is asking, this user may not ask, or the state cannot be read.
pub(crate) async fn make(
    shell: &Shell,
    installation: &mut Installation,
    purpose: Purpose,
) -> Result<Option<Round>, Cause> {
    let lock = installation.take_over(shell.clock.now()).await?;
    let now = shell.clock.now();
    let (event, kind) = match purpose {
        Purpose::Due => (Event::Woke, AskKind::Activate),
        Purpose::Wanted => (Event::Wanted, AskKind::Activate),
        Purpose::Release => (Event::Wanted, AskKind::Release),
    };
    #[cfg(feature = "accounts")]
    if installation.saved.account.is_some() {
        if !installation.saved.license.step(now, event, random::draw()) {
            return Ok(None);
        }
        return account::ask(shell, installation, &lock, kind).await.map(Some);
    }
    #[cfg(feature = "keys")]
    if installation.goes_by_key() {
        if !installation.saved.license.step(now, event, random::draw()) {
            return Ok(None);
        }
        return portal::ask(shell, installation, &lock, kind).await.map(Some);
    }
    match kind {
        AskKind::Activate => installation.ask_unkept(now)?,
        AskKind::Release => installation.home.trouble().map_or(Ok(()), Err)?,
    }
    let license = &mut installation.saved.license;
    if !license.step(now, event, random::draw()) {
        return Ok(None);
    }
    let mut round = Walk {
        shell,
        installation,
        lock,
        kind,
        attempts: Vec::new(),
        best: Best::Nothing,
        left_out: Vec::new(),
    };
    let stopped = round.through_hosts().await;
    Ok(Some(round.conclude(stopped).await))
}

/// A walk through the hosts, in progress.
struct Walk<'a> {
    shell: &'a Shell,
    installation: &'a mut Installation,
    lock: Arc<Lock>,
    kind: AskKind,
    attempts: Vec<Attempt>,
    best: Best,
    /// Hosts, addresses and domains that there was no time for.
    left_out: Vec<String>,
}

impl Walk<'_> {
    /// Asks one host after the other. A release goes to all of them, because each sibling may have counted this machine.
    async fn through_hosts(&mut self) -> Result<(), Cause> {
        let last = self.installation.saved.last_host.as_ref();
        let last = last.map(|last| last.name.clone());
        let first = self.installation.saved.left_out.clone();
        let found = self.shell.discover(last.as_deref(), &first).await;
        self.left_out.extend(found.left_out);
        found.problems.into_iter().for_each(|problem| self.note_problem(problem));
        let began = self.shell.clock.monotonic();
        for host in &found.hosts {
            if self.has_taken(ROUND_LIMIT, began) {
                self.leave_out(host, &[]);
                continue;
            }
            self.ask_host(host).await?;
            if self.best.is_lease() {
                break;
            }
        }
        for problem in found.notes {
            self.note_problem(problem);
        }
        Ok(())
    }

    fn has_taken(&self, limit: Duration, began: Duration) -> bool {
        limit <= self.shell.clock.monotonic().saturating_sub(began)
    }

    /// Notes that this host, or only these of its addresses, were not tried. The next round begins with them.
    fn leave_out(&mut self, candidate: &Candidate, addresses: &[SocketAddr]) {
        let host = candidate.host.to_string();
        let addresses: Vec<_> = addresses.iter().map(SocketAddr::to_string).collect();
        let (name, limit) = match addresses.as_slice() {
            [] => (host.clone(), ROUND_LIMIT),
            addresses => (format!("{host} at {}", addresses.join(", ")), HOST_LIMIT),
        };
        let left_out = if addresses.is_empty() { vec![host] } else { addresses };
        self.left_out.extend(left_out);
        let cause = Reason::NotTried.with(&[("name", &name), ("limit", &Length(limit))]);
        self.note(candidate, None, Outcome::Failed(cause));
    }

    fn note_problem(&mut self, Problem { place, cause }: Problem) {
        tracing::debug!(%place, %cause, "no host here");
        self.attempts.push(Attempt::at_place(place, cause));
    }

    /// Asks a host at one address after the other, until one has signed an answer. An address may belong to a machine that is gone, to
    /// a proxy without a host behind it, or to another program.
    async fn ask_host(&mut self, candidate: &Candidate) -> Result<(), Cause> {
        let began = self.shell.clock.monotonic();
        let (way, mut addresses) = match self.addresses(candidate).await {
            Ok(found) => found,
            Err(cause) => {
                self.note_failure(candidate, None, cause.into());
                return Ok(());
            }
        };
        while let Some((address, connected)) = addresses.connect(&candidate.host, &way).await {
            let failure = match connected {
                Ok(connection) => match self.converse(candidate, &connection, address).await? {
                    Ok(()) => return Ok(()),
                    Err(failure) => failure,
                },
                Err(failure) => failure,
            };
            self.note_failure(candidate, Some(address), failure);
            if self.has_taken(HOST_LIMIT, began) && !addresses.left().is_empty() {
                self.leave_out(candidate, addresses.left());
                break;
            }
        }
        if let Some(failure) = addresses.unreached(&candidate.host) {
            self.note_failure(candidate, None, failure);
        }
        Ok(())
    }

    /// The way to speak with the host, and its addresses.
    async fn addresses(&self, candidate: &Candidate) -> Result<(Way, Addresses), Cause> {
        let way = self.shell.ways.now(&self.shell.clock).await?;
        let found = self.shell.places.addresses(&candidate.host).await?;
        Ok((way, Addresses::of(&found, &self.installation.saved.left_out)))
    }

    /// Asks over one connection. A `Failure` is that of the connection or of its other end; the round goes on. A `Cause` ends it.
    async fn converse(
        &mut self,
        candidate: &Candidate,
        connection: &Connection,
        address: SocketAddr,
    ) -> Result<Result<(), Failure>, Cause> {
        let name = candidate.host.to_string();
        // Only the host that issued the lease has its chain for certain.
        let last = self.installation.saved.last_host.as_ref();
        let mut visit = Visit::new(self.kind, last.is_none_or(|last| last.name != name));
        while visit.asks() {
            let ask = self.compose().await?;
            let judged = match self.ask(connection, &ask, visit, address).await? {
                Ok(judged) => judged,
                Err(failure) => return Ok(Err(failure)),
            };
            let exchange = &mut self.installation.saved.exchange;
            let (then, verdict) = exchange.obey(&mut visit, judged, self.shell.clock.now());
            if then == Then::BringChain {
                continue;
            }
            let outcome = Outcome::of(&verdict);
            self.carry_out(then, verdict, &name).await?;
            self.note(candidate, Some(address), outcome);
            if then == Then::Next {
                break;
            }
        }
        Ok(Ok(()))
    }

    /// The next ask. Its nonce is on the disk when this returns, so that an ask whose answer is lost keeps its nonce.
    async fn compose(&mut self) -> Result<Ask, Cause> {
        let fresh = random::bytes().map_err(|error| self.installation.unwritable(&error))?;
        let nonce = self.installation.saved.exchange.name(Nonce::from_bytes(fresh));
        self.installation.save(&self.lock).await?;
        let saved = &self.installation.saved;
        let held = saved.license.lease().map(Lease::signed);
        Ok(saved.exchange.compose(&self.asker()?, nonce, held, self.shell.clock.now()))
    }

    fn asker(&self) -> Result<Asker<'_>, Cause> {
        let (installation, terms) = (&*self.installation, &self.installation.terms);
        let unreadable =
            || Reason::IdentityUnreadable.with(&[("path", &self.installation.home.path().display())]);
        let replaced = installation.pending.as_ref().and(installation.identity.as_ref());
        Ok(Asker {
            key: &installation.asker().ok_or_else(unreadable)?.key,
            replaces: replaced.map(|replaced| &replaced.key),
            product: terms.id,
            fingerprint: terms.fingerprint,
            kind: self.kind,
            kept: self.installation.home.keeps(),
            edition: terms.edition,
            library_version: env!("CARGO_PKG_VERSION"),
        })
    }

    /// Sends an ask and judges the answer.
    async fn ask(
        &mut self,
        connection: &Connection,
        ask: &Ask,
        visit: Visit,
        address: SocketAddr,
    ) -> Result<Result<(Chain, Verdict), Failure>, Cause> {
        let asker = self.asker()?;
        let saved = &self.installation.saved;
        let chain =
            saved.license.lease().filter(|_| visit.brings_chain()).map(|lease| lease.chain().encoded());
        let answered = match self.kind {
            AskKind::Release => connection.release(asker.release(ask), ANSWER_LIMIT).await,
            AskKind::Activate => {
                let revocations = Some(saved.revocations.known());
                let request = ActivateRequest { revocations, ..asker.activate(ask, chain) };
                connection.activate(request, ANSWER_LIMIT).await
            }
        };
        let answer = match answered {
            Ok(answer) => answer,
            Err(failure) => return Ok(Err(failure)),
        };
        let Installation { saved, terms, .. } = &mut *self.installation;
        let organisation = saved.organisation.as_ref().map(|ours| ours.id);
        let expected = Expected::of(ask, terms.organisation.or(organisation));
        let now = self.shell.clock.now();
        let judged = saved.exchange.judge(&answer, &terms.roots, &expected, &mut saved.revocations, now);
        Ok(judged.map_err(|error| {
            let cause = error.cause(&address);
            // It is saved before the next ask, or at the end of the round.
            self.installation.saved.exchange.rejected = Some(Box::new(Rejected::new(&cause.code, &answer)));
            cause.into()
        }))
    }

    /// Makes durable what an answer has changed, and does what follows from it.
    ///
    /// A lease is 1 saved with all that it changes, and 2 lets a pending identity take over. `saved` names that identity already, so
    /// a crash between the two is mended at the next start.
    async fn carry_out(&mut self, then: Then, verdict: Verdict, name: &str) -> Result<(), Cause> {
        if let Verdict::Leased(lease) = &verdict {
            self.installation.saved.hold(lease, name, self.shell.clock.now());
        }
        let is_lease = matches!(verdict, Verdict::Leased(_));
        if then == Then::Replace {
            tracing::warn!(
                "a host has named a copy of this machine; it makes a new identity and keeps its license"
            );
        } else {
            // Before the disk is written: this machine is licensed even if that fails.
            self.best.take(Best::Signed(verdict));
        }
        self.installation.save(&self.lock).await?;
        if then == Then::Replace {
            self.installation.make_pending(&self.lock).await?;
        }
        if is_lease {
            self.installation.promote(&self.lock).await?;
        }
        Ok(())
    }

    fn note_failure(&mut self, candidate: &Candidate, address: Option<SocketAddr>, failure: Failure) {
        let Failure { cause, retry_after, .. } = failure;
        if let Some(ask_again) = retry_after {
            self.best.take(Best::Hint { cause: cause.clone(), ask_again });
        }
        self.note(candidate, address, Outcome::Failed(cause));
    }

    fn note(&mut self, candidate: &Candidate, address: Option<SocketAddr>, outcome: Outcome) {
        let host = candidate.host.to_string();
        tracing::info!(%host, ?address, %outcome, "asked");
        self.attempts.push(Attempt { host, address, source: Some(candidate.source.clone()), outcome });
    }

    /// Tells the license the outcome of the round, once, and saves it.
    async fn conclude(self, stopped: Result<(), Cause>) -> Round {
        let Walk { shell, installation, lock, mut attempts, best, mut left_out, .. } = self;
        left_out.truncate(LEFT_OUT_MAX);
        installation.saved.left_out = left_out;
        if let Err(cause) = stopped {
            tracing::error!(%cause, "the round ends here");
            attempts.push(Attempt::at_place(installation.home.path().display().to_string(), cause));
        }
        let released = matches!(best, Best::Signed(Verdict::Released(_)));
        let outcome = match &best {
            Best::Signed(verdict) => Outcome::of(verdict),
            Best::Hint { cause, .. } => Outcome::Failed(cause.clone()),
            Best::Nothing => Outcome::Failed(headline(&attempts)),
        };
        let failed = outcome.cause().map_or("", |cause| &cause.code);
        if let Some(event) = best.event(failed) {
            installation.saved.license.step(shell.clock.now(), event, random::draw());
        }
        // A machine that was released keeps the identity that left, so that its serial goes on from there.
        if released && let Some(asker) = installation.asker() {
            installation.saved.machine = asker.machine();
        }
        installation.saved.last_round = Some(last_round::encode(shell.clock.now(), &attempts));
        let mut written = installation.save(&lock).await;
        if released && written.is_ok() {
            written = installation.promote(&lock).await;
        }
        if let Err(cause) = written {
            tracing::error!(%cause, "the state cannot be written");
        }
        Round { outcome, attempts }
    }
}

/// The cause to show if there is room for only one: that of the first host that was tried, or else why no host was found.
fn headline(attempts: &[Attempt]) -> Cause {
    let tried = attempts.iter().filter(|attempt| attempt.source.is_some());
    let mut causes = tried.chain(attempts).filter_map(|attempt| attempt.outcome.cause());
    causes.next().cloned().unwrap_or_else(|| Reason::NoHostKnown.into())
}
