//! The queue in front of the ledger: bounded, and committed in groups.
//!
//! One thread takes whatever has queued, applies it as one batch and answers all who wait, so a hundred asks that arrive
//! together cost one sync. While that sync runs the next group gathers; an ask that comes alone waits for nobody. Past its
//! capacity the queue refuses at once, because a delay would only make every machine ask again. What a sighting does
//! is `shared::count`, and a change by an administrator `shared::inventory`; what makes either durable is `ledger`.

use std::error::Error as _;
use std::future;
use std::io;
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ledger::{Ledger, LedgerError};
use shared::count::{Outcome, Sighting, Terms};
use shared::ids::ProductId;
use shared::inventory::{Change, Changed, Prune, Pruned};
use shared::time::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot, watch};

/// The most sightings in one batch: enough to make a sync cheap, few enough that the first does not wait long.
pub const BATCH_MAX: usize = 256;

/// Of fewer than so many that came together, others are close behind.
const FEW: usize = 64;

/// How long a few wait for those. It makes groups twice as large, which on two cores gave a twentieth more answers a second:
/// at such rates whoever waits does so for the processor and not for the disk.
const COMPANY: Duration = Duration::from_micros(400);

/// Why a sighting was not decided. Nobody may be told anything but that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSighted {
    /// The queue is full; nothing was written.
    #[error("too many asks are waiting; ask again later")]
    Overloaded,
    /// The ledger could not decide it; the host's log says why. Whether it was written is not known; asking again is
    /// safe.
    #[error("the ledger could not decide; the host's log says why")]
    Failed,
    /// What the ledger knows of this machine is damaged; nothing was written, and others are served.
    #[error("what the ledger knows of this machine is damaged; the host's `status` says what to do")]
    Damaged,
    /// It was not decided in the time that a machine waits. Whether it will be is not known; asking again is safe.
    #[error("the ledger has not decided in time; the host's log says so")]
    Late,
    /// The host is stopping; nothing was written.
    #[error("the host is stopping; ask again later, or another host")]
    Stopping,
}

impl NotSighted {
    /// For an error of the ledger.
    pub(crate) fn of(error: &LedgerError) -> NotSighted {
        if error.is_fatal() { NotSighted::Failed } else { NotSighted::Damaged }
    }
}

/// Why what an administrator wants was not done. Nothing of it was written, unless the ledger has failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum NotChanged {
    /// The ledger could not do it.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The host is stopping.
    #[error("the host is stopping, and nothing was changed")]
    Stopping,
}

impl NotChanged {
    /// What to do.
    pub(crate) fn remedy(&self) -> &'static str {
        match self {
            NotChanged::Ledger(error) => error.remedy(),
            NotChanged::Stopping => "do it again when the host has started",
        }
    }
}

/// The way to the ledger. Clones lead to the same queue.
#[derive(Clone)]
pub struct Queue {
    /// Taken out when the queue closes.
    tasks: Arc<RwLock<Option<mpsc::Sender<Task>>>>,
    failure: watch::Receiver<Option<LedgerError>>,
}

enum Task {
    Sight(Sighting, oneshot::Sender<Result<Outcome, NotSighted>>),
    Settle(Settlement, oneshot::Sender<Result<(), NotSighted>>),
    Change(Change, oneshot::Sender<Result<Changed, LedgerError>>),
    Prune(Prune, oneshot::Sender<Result<Pruned, LedgerError>>),
    Probe(oneshot::Sender<Result<(), NotSighted>>),
}

struct Settlement {
    products: Vec<(ProductId, Terms)>,
    now: Timestamp,
}

impl Queue {
    /// Starts the writer: the only thread that writes to the ledger.
    ///
    /// `capacity` is how many may wait, beside those being written. The thread ends after [`close`](Queue::close) or a
    /// fatal error; join it, but never from a worker of the runtime.
    ///
    /// # Errors
    /// The operating system gave no thread.
    pub fn start(
        ledger: Arc<dyn Ledger>,
        capacity: usize,
        runtime: Handle,
    ) -> io::Result<(Queue, JoinHandle<()>)> {
        let (sender, tasks) = mpsc::channel(capacity.max(1));
        let (failed, failure) = watch::channel(None);
        let writer = Writer { ledger, runtime, tasks, failed };
        let thread = thread::Builder::new().name("ledger".to_owned()).spawn(move || writer.run())?;
        let tasks = Arc::new(RwLock::new(Some(sender)));
        Ok((Queue { tasks, failure }, thread))
    }

    /// Enters a sighting and waits until it is decided and durable.
    ///
    /// Once it has queued it is decided, whether or not anybody still waits for it.
    ///
    /// # Errors
    /// [`NotSighted`]: a full queue refuses at once.
    pub async fn sight(&self, sighting: Sighting) -> Result<Outcome, NotSighted> {
        let (answer, decided) = oneshot::channel();
        let sender = self.sender()?;
        sender.try_send(Task::Sight(sighting, answer)).map_err(|refused| match refused {
            TrySendError::Full(_) => NotSighted::Overloaded,
            TrySendError::Closed(_) => self.closed(),
        })?;
        drop(sender);
        decided.await.unwrap_or_else(|_| Err(self.closed()))
    }

    /// Ends a doubt of the host's clock, behind all that queued before. It waits for a place: there is no second chance.
    ///
    /// # Errors
    /// [`NotSighted::Failed`] or [`NotSighted::Stopping`].
    pub async fn settle(&self, products: Vec<(ProductId, Terms)>, now: Timestamp) -> Result<(), NotSighted> {
        let task = |answer| Task::Settle(Settlement { products, now }, answer);
        self.wait_for(task).await.unwrap_or_else(|| Err(self.closed()))
    }

    /// Changes one record, behind all that queued before; on return it is durable. It waits for a place.
    ///
    /// # Errors
    /// [`NotChanged`].
    pub async fn change(&self, change: Change) -> Result<Changed, NotChanged> {
        let changed = self.wait_for(|answer| Task::Change(change, answer)).await;
        Ok(changed.ok_or_else(|| self.gone())??)
    }

    /// Applies a retention to a page of records, behind all that queued before. It waits for a place, so that asks come in
    /// between two pages.
    ///
    /// # Errors
    /// [`NotChanged`].
    pub async fn prune(&self, prune: Prune) -> Result<Pruned, NotChanged> {
        let pruned = self.wait_for(|answer| Task::Prune(prune, answer)).await;
        Ok(pruned.ok_or_else(|| self.gone())??)
    }

    /// Returns once the writer has come to it, behind all that queued before, and the disk has taken a write: the ledger
    /// lives. It waits for a place.
    ///
    /// # Errors
    /// [`NotSighted::Failed`] or [`NotSighted::Stopping`].
    pub async fn probe(&self) -> Result<(), NotSighted> {
        self.wait_for(Task::Probe).await.unwrap_or_else(|| Err(self.closed()))
    }

    /// Completes when the ledger has failed for good, and never otherwise: the host then exits. Every call completes.
    pub async fn fatal(&self) -> LedgerError {
        let mut failure = self.failure.clone();
        if let Ok(error) = failure.wait_for(Option::is_some).await
            && let Some(error) = error.clone()
        {
            return error;
        }
        future::pending().await
    }

    /// Takes no more. What has queued is still decided and answered; then the thread ends.
    pub fn close(&self) {
        self.tasks.write().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Queues a task, waiting for a place, and waits for its answer. There is none once nobody takes tasks any more.
    async fn wait_for<T>(&self, task: impl FnOnce(oneshot::Sender<T>) -> Task) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        let sender = self.sender().ok()?;
        sender.send(task(answer)).await.ok()?;
        drop(sender);
        answered.await.ok()
    }

    fn sender(&self) -> Result<mpsc::Sender<Task>, NotSighted> {
        let tasks = self.tasks.read().unwrap_or_else(PoisonError::into_inner);
        tasks.clone().ok_or_else(|| self.closed())
    }

    /// Why nobody takes tasks any more.
    fn closed(&self) -> NotSighted {
        if self.failure.borrow().is_some() { NotSighted::Failed } else { NotSighted::Stopping }
    }

    /// The same, for an administrator.
    fn gone(&self) -> NotChanged {
        self.failure.borrow().clone().map_or(NotChanged::Stopping, NotChanged::Ledger)
    }
}

/// The thread behind the queue.
struct Writer {
    ledger: Arc<dyn Ledger>,
    runtime: Handle,
    tasks: mpsc::Receiver<Task>,
    failed: watch::Sender<Option<LedgerError>>,
}

type Answer = oneshot::Sender<Result<Outcome, NotSighted>>;

impl Writer {
    fn run(mut self) {
        let mut tasks = Vec::with_capacity(BATCH_MAX);
        while 0 < self.runtime.block_on(self.tasks.recv_many(&mut tasks, BATCH_MAX)) {
            self.gather(&mut tasks);
            let (mut sightings, mut answers) = (Vec::new(), Vec::new());
            for task in tasks.drain(..) {
                if let Task::Sight(sighting, answer) = task {
                    sightings.push(sighting);
                    answers.push(answer);
                    continue;
                }
                // In its place: what queued before is decided before.
                self.sight(mem::take(&mut sightings), mem::take(&mut answers));
                self.carry_out(task);
            }
            self.sight(sightings, answers);
            if self.failed.borrow().is_some() {
                // Nobody comes in any more; those who have queued are told by the next turns.
                self.tasks.close();
            }
        }
    }

    fn sight(&self, sightings: Vec<Sighting>, answers: Vec<Answer>) {
        let outcomes = self.decide(sightings);
        for (outcome, answer) in outcomes.into_iter().zip(answers) {
            // Whoever has gone away asks again, and gets the same serial.
            let _ = answer.send(outcome.map_err(|error| NotSighted::of(&error)));
        }
    }

    /// What stands alone. Whoever has gone away does not hear of it.
    fn carry_out(&self, task: Task) {
        match task {
            Task::Sight(sighting, answer) => self.sight(vec![sighting], vec![answer]),
            Task::Settle(Settlement { products, now }, answer) => {
                let settled =
                    self.run_on_ledger(|ledger| self.runtime.block_on(ledger.settle(products, now)));
                let _ = answer.send(settled.map_err(|error| NotSighted::of(&error)));
            }
            Task::Change(change, answer) => {
                let _ =
                    answer.send(self.run_on_ledger(|ledger| self.runtime.block_on(ledger.change(change))));
            }
            Task::Prune(prune, answer) => {
                let _ = answer.send(self.run_on_ledger(|ledger| self.runtime.block_on(ledger.prune(prune))));
            }
            Task::Probe(answer) => {
                let probed = self.run_on_ledger(|ledger| self.runtime.block_on(ledger.probe()));
                let _ = answer.send(probed.map_err(|_| NotSighted::Failed));
            }
        }
    }

    /// Applies a batch, in order. A damaged row fails only those who need it: halves are applied again until it stands alone,
    /// and applying again is harmless.
    fn decide(&self, mut batch: Vec<Sighting>) -> Vec<Result<Outcome, LedgerError>> {
        if batch.is_empty() {
            return Vec::new();
        }
        let applied = self.run_on_ledger(|ledger| self.runtime.block_on(ledger.apply(batch.clone())));
        match applied {
            Ok(outcomes) => outcomes.into_iter().map(Ok).collect(),
            Err(error) if error.is_fatal() => vec![Err(error); batch.len()],
            Err(error) if batch.len() == 1 => {
                tracing::error!(%error, "a sighting was not decided");
                vec![Err(error)]
            }
            Err(_) => {
                let rest = batch.split_off(batch.len() / 2);
                let mut outcomes = self.decide(batch);
                outcomes.extend(self.decide(rest));
                outcomes
            }
        }
    }

    /// Lets a few that came together have company.
    fn gather(&mut self, tasks: &mut Vec<Task>) {
        if !(2..FEW).contains(&tasks.len()) {
            return;
        }
        thread::sleep(COMPANY);
        while tasks.len() < BATCH_MAX
            && let Ok(task) = self.tasks.try_recv()
        {
            tasks.push(task);
        }
    }

    /// After one fatal error the ledger is not touched again. A panic is one: nobody knows what it left behind.
    fn run_on_ledger<T>(
        &self,
        write: impl FnOnce(&dyn Ledger) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        if let Some(failed) = &*self.failed.borrow() {
            return Err(failed.clone());
        }
        let written = panic::catch_unwind(AssertUnwindSafe(|| write(&*self.ledger)))
            .unwrap_or_else(|_| Err(LedgerError::fatal(io::Error::other("it panicked"))));
        if let Err(error) = &written
            && error.is_fatal()
        {
            let cause = error.source().map(ToString::to_string);
            tracing::error!(%error, cause, "the ledger has failed; nothing more is acknowledged");
            self.failed.send_replace(Some(error.clone()));
        }
        written
    }
}
