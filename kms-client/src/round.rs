//! One round: goes through the hosts until one gives a lease, and tells the license what came of it.
//!
//! The order of one ask is what keeps copies and lost answers apart (`docs/protocol.md` 3): the lock is held from
//! reading the serial to saving the answer; the nonce is on the disk before it is sent; an accepted answer is on the
//! disk before the next host is asked. What an answer is worth is decided by `shared::answer`, what it changes by
//! `shared::license`; when to start a round by `agent`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proto::v1;
use shared::answer::{Expected, Header, Lease, Received, Refused, Verdict};
use shared::ask::{Ask, AskKind, Rejected};
use shared::certificate::Chain;
use shared::envelope::Kind;
use shared::ids::Nonce;
use shared::license::Event;
use shared::reason::{Cause, Reason};
use shared::serial;
use shared::time::Length;

use crate::best::{Best, tell};
use crate::client::Shell;
use crate::discovery::{Candidate, Problem};
use crate::home::{Lock, unwritable};
use crate::installation::{Installation, off_thread};
use crate::last_round::LastRound;
use crate::random;
use crate::saved::{LastHost, Organisation};
use crate::snapshot::{Attempt, Outcome, Round, Waited};
use crate::transport::{Addresses, Connection, Failure};
use crate::way::Way;

/// Why a round is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The timer has fired; another process may have asked meanwhile, and then there is nothing to do.
    Due,
    /// Somebody wants an ask now.
    Wanted,
    /// This machine is retired.
    Release,
}

/// Once so much has gone by, the addresses that are left of one host wait for the next round.
const HOST_LIMIT: Duration = Duration::from_secs(30);

/// The same for the hosts that are left of a round: it holds the lock, and each may take seconds to stay silent.
const ROUND_LIMIT: Duration = Duration::from_mins(2);

/// More than this is not remembered of what was left out.
const LEFT_OUT_MAX: usize = 64;

/// An ask, the same with its chain, the same under a new identity, and that one with its chain.
const EXCHANGES_A_HOST: usize = 4;

/// Makes a round, or none if it is not due any more.
///
/// # Errors
/// Another process is asking, this user may not ask, or the state cannot be read: no host was asked.
pub(crate) async fn make(
    shell: &Shell,
    installation: &mut Installation,
    purpose: Purpose,
) -> Result<Option<Round>, Cause> {
    let lock = take_over(shell, installation).await?;
    let now = shell.clock.now();
    match purpose {
        Purpose::Due | Purpose::Wanted => installation.ask_unkept(&shell.home, &shell.terms, now)?,
        Purpose::Release => shell.home.trouble().map_or(Ok(()), Err)?,
    }
    let event = match purpose {
        Purpose::Due => Event::Woke,
        Purpose::Wanted | Purpose::Release => Event::Wanted,
    };
    let license = &mut installation.saved.license;
    if license.step(now, event, random::draw()).is_none() {
        return Ok(None);
    }
    let mut round = Going {
        shell,
        installation,
        lock,
        kind: match purpose {
            Purpose::Due | Purpose::Wanted => AskKind::Activate,
            Purpose::Release => AskKind::Release,
        },
        attempts: Vec::new(),
        best: Best::Nothing,
        left_out: Vec::new(),
    };
    let stopped = round.through_hosts().await;
    Ok(Some(round.conclude(stopped).await))
}

/// The lock that makes this process the one that asks, with what another process has saved before.
pub(crate) async fn take_over(shell: &Shell, installation: &mut Installation) -> Result<Arc<Lock>, Cause> {
    if shell.home.is_read_only() {
        return Err(shell.home.trouble().unwrap_or_else(|| Reason::IdentityUnreadable.into()));
    }
    let (home, now) = (Arc::clone(&shell.home), shell.clock.now());
    let stays = installation.lives_in_memory(now);
    let lock = off_thread(move || {
        if !stays {
            home.thaw();
        }
        home.lock()
    });
    let lock = lock.await.map_err(|error| unwritable(shell.home.path(), &error))?;
    let lock = lock.map(Arc::new).ok_or(Reason::Busy)?;
    match installation.refresh(&shell.home, &shell.terms, now, Some(&lock)).await {
        // What stands on the disk cannot be used, and nothing is kept from here on.
        Err(_) if !shell.home.keeps() => Ok(lock),
        refreshed => refreshed.map(|()| lock),
    }
}

/// A round that is under way.
struct Going<'a> {
    shell: &'a Shell,
    installation: &'a mut Installation,
    lock: Arc<Lock>,
    kind: AskKind,
    attempts: Vec<Attempt>,
    best: Best,
    /// Hosts, addresses and domains that time did not suffice for.
    left_out: Vec<String>,
}

/// What to do after one exchange with a host.
enum Then {
    /// The same host again, at once.
    Again,
    /// The next host.
    Next,
}

impl Going<'_> {
    /// Asks one host after the other. A release goes to every one: each sibling may have counted this machine.
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
            if matches!(self.best, Best::Leased(_)) {
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

    /// Says what of this host was not tried, and has the next round begin there: the host, or only these addresses.
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
        self.attempts.push(Attempt {
            host: place,
            address: None,
            source: None,
            outcome: Outcome::Failed(cause),
        });
    }

    /// Asks a host at one address after the other, until one has signed an answer: a name may lead to a machine that is gone, to
    /// a proxy without a host behind it, or to something else that listens there.
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
                Ok(mut connection) => match self.converse(candidate, &mut connection).await? {
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

    /// How the host is spoken with, and where.
    async fn addresses(&self, candidate: &Candidate) -> Result<(Way, Addresses), Cause> {
        let way = self.shell.ways.now(&self.shell.clock).await?;
        let found = self.shell.places.addresses(&candidate.host).await?;
        Ok((way, Addresses::of(&found, &self.installation.saved.left_out)))
    }

    /// Asks over one connection; the failure is that of the connection, or of whoever is at its other end.
    async fn converse(
        &mut self,
        candidate: &Candidate,
        connection: &mut Connection,
    ) -> Result<Result<(), Failure>, Cause> {
        let name = candidate.host.to_string();
        let mut with_chain = self.needs_chain(&name);
        for _ in 0..EXCHANGES_A_HOST {
            let (ask, expected) = self.compose().await?;
            let (again, outcome) = match self.exchange(connection, ask, &expected, with_chain).await {
                Err(failure) => return Ok(Err(failure)),
                Ok(Verdict::Refused(refused))
                    if refused.cause.reason() == Some(Reason::ChainNeeded) && !with_chain =>
                {
                    with_chain = true;
                    continue;
                }
                Ok(verdict) => self.obey(verdict, &name).await?,
            };
            self.note(candidate, Some(connection.address), outcome);
            if matches!(again, Then::Next) {
                break;
            }
        }
        Ok(Ok(()))
    }

    /// Whether the held lease has to bring its chain: the host that issued it has it, any other may not.
    fn needs_chain(&self, name: &str) -> bool {
        let last = self.installation.saved.last_host.as_ref();
        last.is_none_or(|last| last.name != name)
    }

    /// The next ask. Its nonce is on the disk when this returns: an ask whose answer is lost keeps its name.
    async fn compose(&mut self) -> Result<(Ask, Expected), Cause> {
        let nonce = self.nonce()?;
        self.installation.save(&self.shell.home, &self.lock).await?;

        let installation = &*self.installation;
        let saved = &installation.saved;
        let asker = installation.asker().ok_or_else(|| self.unreadable())?;
        let releases = self.kind == AskKind::Release;
        let replaced = installation.pending.as_ref().and(installation.identity.as_ref());
        let terms = &self.shell.terms;
        let ask = Ask {
            machine_key: asker.key.public(),
            product: terms.id,
            nonce,
            asked_at: self.shell.clock.now(),
            serial: saved.serial,
            fingerprint: terms.fingerprint,
            // Whoever leaves shows nothing and replaces nobody.
            held_lease: saved.license.lease().filter(|_| !releases).map(|lease| lease.signed().clone()),
            chain_digest: saved.chain.as_ref().map(Chain::digest),
            replaces: replaced.filter(|_| !releases).map(|replaced| replaced.key.public()),
            kept: self.shell.home.keeps(),
            kind: self.kind,
            edition: terms.edition.to_owned(),
            library_version: env!("CARGO_PKG_VERSION").to_owned(),
            rejected: saved.rejected.clone(),
        };
        let ours = saved.organisation.as_ref().map(|ours| ours.id);
        let expected = Expected::of(&ask, terms.organisation.or(ours));
        Ok((ask, expected))
    }

    /// The name of the ask that is under way, or of a new one.
    fn nonce(&mut self) -> Result<Nonce, Cause> {
        if let Some(under_way) = self.installation.saved.nonce {
            return Ok(under_way);
        }
        let drawn = random::bytes().map_err(|error| unwritable(self.shell.home.path(), &error))?;
        let nonce = Nonce::from_bytes(drawn);
        self.installation.saved.nonce = Some(nonce);
        Ok(nonce)
    }

    fn unreadable(&self) -> Cause {
        Reason::IdentityUnreadable.with(&[("path", &self.shell.home.path().display())])
    }

    /// Sends an ask and judges what comes back.
    async fn exchange(
        &self,
        connection: &mut Connection,
        ask: Ask,
        expected: &Expected,
        with_chain: bool,
    ) -> Result<Verdict, Failure> {
        let installation = &*self.installation;
        let asker = installation.asker().ok_or_else(|| self.unreadable())?;
        let signed = ask.sign(&asker.key);
        let held_chain = ask.held_lease.as_ref().filter(|_| with_chain);
        let held_chain = held_chain.and(installation.saved.license.lease());
        let answer = match self.kind {
            AskKind::Release => connection.release(v1::ReleaseRequest { ask: Some(signed) }).await,
            AskKind::Activate => {
                let old = installation.identity.as_ref().filter(|_| ask.replaces.is_some());
                let request = v1::ActivateRequest {
                    replaced_signature: old.map(|old| old.key.sign_beside(Kind::Ask, &signed.payload)),
                    held_chain: held_chain.map_or_else(Bytes::new, |lease| lease.chain().encoded().clone()),
                    ask: Some(signed),
                };
                connection.activate(request).await
            }
        }?;
        let known = installation.saved.chain.as_ref();
        let judged = Received::open(&answer, known, &self.shell.terms.roots)
            .and_then(|received| received.judge(expected, self.shell.clock.now()));
        judged.map_err(|error| {
            let cause = error.cause(&connection.address);
            let rejected = Some(Rejected::new(&cause.code, &answer));
            Failure { rejected, ..cause.into() }
        })
    }

    /// Does what an answer says, and makes it durable.
    async fn obey(&mut self, verdict: Verdict, name: &str) -> Result<(Then, Outcome), Cause> {
        match verdict {
            Verdict::Leased(lease) => {
                let until = lease.expires_at();
                // Whatever becomes of the disk: this machine is licensed.
                self.best.take(Best::Leased(until));
                self.take_lease(&lease, name).await?;
                Ok((Then::Next, Outcome::Leased { until }))
            }
            Verdict::Waiting(waiting) => {
                self.accept(&waiting.header, &waiting.chain);
                self.installation.save(&self.shell.home, &self.lock).await?;
                let waited = Waited { count: waiting.count, threshold: waiting.threshold };
                self.best.take(Best::Waited(waiting));
                Ok((Then::Next, Outcome::Waiting(waited)))
            }
            Verdict::Released(header) => {
                self.accept_serial(&header);
                self.installation.save(&self.shell.home, &self.lock).await?;
                self.best.take(Best::Released(header.host_time));
                Ok((Then::Next, Outcome::Released))
            }
            Verdict::Refused(refused) => self.take_refusal(refused).await,
        }
    }

    /// What every accepted answer does: its serial is presented next, and the ask has ended.
    fn accept_serial(&mut self, header: &Header) {
        let saved = &mut self.installation.saved;
        (saved.serial, saved.nonce) = (header.serial, None);
        // This host's answers are taken again.
        saved.rejected.take_if(|rejected| rejected.host.is_none_or(|host| host == header.host));
    }

    fn accept(&mut self, header: &Header, chain: &Chain) {
        self.accept_serial(header);
        self.installation.saved.chain = Some(chain.clone());
    }

    /// 1 all that the lease changes is saved at once  2 a pending identity takes over: `saved` names it already, so a
    /// crash between the two is mended at the next start.
    async fn take_lease(&mut self, lease: &Lease, name: &str) -> Result<(), Cause> {
        self.accept(lease.header(), lease.chain());
        let (saved, certificate) = (&mut self.installation.saved, lease.chain().host());
        saved.machine = lease.header().machine;
        saved.organisation =
            Some(Organisation { id: certificate.organisation, name: certificate.organisation_name.clone() });
        saved.last_host = Some(LastHost { name: name.to_owned(), id: certificate.host() });
        let now = self.shell.clock.now();
        saved.license.step(now, Event::Leased(lease), random::draw());
        self.installation.save(&self.shell.home, &self.lock).await?;
        self.installation.promote(&self.shell.home, &self.lock).await
    }

    /// A refusal is believed and changes nothing, but for one: who is told to be a copy makes a new key, and asks again.
    async fn take_refusal(&mut self, refused: Refused) -> Result<(Then, Outcome), Cause> {
        let cause = refused.cause.clone();
        if !refused.obey_copied || self.kind == AskKind::Release {
            self.best.take(Best::Refused(refused));
            return Ok((Then::Next, Outcome::Refused(cause)));
        }
        let (now, saved) = (self.shell.clock.now(), &mut self.installation.saved);
        if let Err(until) = serial::may_rekey(&saved.rekeyed_at, now) {
            let cause = Reason::RekeyLimit.with(&[("until", &until)]);
            let cause_shown = cause.clone();
            self.best.take(Best::Refused(Refused { cause, ..refused }));
            return Ok((Then::Next, Outcome::Refused(cause_shown)));
        }
        tracing::warn!(
            "a host has named a copy of this machine; it makes a new identity and keeps its license"
        );
        saved.rekeyed_at.push(now);
        let excess = saved.rekeyed_at.len().saturating_sub(serial::REKEYS_A_DAY);
        saved.rekeyed_at.drain(..excess);
        // Another machine asks from here on, so it is another ask.
        saved.nonce = None;
        self.installation.save(&self.shell.home, &self.lock).await?;
        self.installation.make_pending(&self.shell.home, &self.lock).await?;
        Ok((Then::Again, Outcome::Refused(cause)))
    }

    fn note_failure(&mut self, candidate: &Candidate, address: Option<SocketAddr>, failure: Failure) {
        let Failure { cause, retry_after, rejected } = failure;
        if rejected.is_some() {
            // It is saved when the round concludes, or before the next host is asked.
            self.installation.saved.rejected = rejected;
        }
        if let Some(retry_after) = retry_after {
            self.best.take_hint(&cause, retry_after);
        }
        self.note(candidate, address, Outcome::Failed(cause));
    }

    fn note(&mut self, candidate: &Candidate, address: Option<SocketAddr>, outcome: Outcome) {
        let host = candidate.host.to_string();
        tracing::info!(%host, ?address, %outcome, "asked");
        self.attempts.push(Attempt { host, address, source: Some(candidate.source.clone()), outcome });
    }

    /// Tells the license what came of the round, once, and saves it.
    async fn conclude(self, stopped: Result<(), Cause>) -> Round {
        let Going { shell, installation, lock, mut attempts, best, mut left_out, .. } = self;
        left_out.truncate(LEFT_OUT_MAX);
        installation.saved.left_out = left_out;
        if let Err(cause) = stopped {
            tracing::error!(%cause, "the round ends here");
            attempts.push(Attempt {
                host: shell.home.path().display().to_string(),
                address: None,
                source: None,
                outcome: Outcome::Failed(cause),
            });
        }
        let released = matches!(best, Best::Released(_));
        let outcome = tell(&mut installation.saved.license, &best, &attempts, shell.clock.now());
        // Who has left keeps the identity that left, so that its serial goes on from there.
        if released && let Some(asker) = installation.asker() {
            installation.saved.machine = asker.machine();
        }
        installation.saved.last_round = Some(LastRound::new(shell.clock.now(), &attempts));
        let mut written = installation.save(&shell.home, &lock).await;
        if released && written.is_ok() {
            written = installation.promote(&shell.home, &lock).await;
        }
        if let Err(cause) = written {
            tracing::error!(%cause, "the state cannot be written");
        }
        Round { outcome, attempts }
    }
}
