//! The queue in front of the ledger: bounded, and committed in groups.
//!
//! One thread takes whatever has queued, applies it as one batch and answers all who wait, so a hundred asks that arrive
//! together cost one sync. While that sync runs the next group gathers; a single ask does not wait. Beyond its
//! capacity the queue refuses at once, because a delay would only make every machine ask again. What a write does, and what
//! makes it durable, is `ledger`'s.

use std::error::Error as _;
use std::future;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ledger::{Housekeeping, LedgerError, Write, Writer, Written};
use shared::count::{Outcome, Sighting, Terms};
use shared::ids::ProductId;
use shared::inventory::{Change, Changed, Prune, Pruned};
use shared::time::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot, watch};

/// The most writes in one batch: enough to make a sync cheap, few enough that the first does not wait long.
pub const BATCH_MAX: usize = 256;

/// After a batch of at least this size, the next one waits for more writes. Small sites never have so many at once.
const CROWD: usize = 12;

/// A batch of at least this size does not wait for more writes.
const ENOUGH: usize = 64;

/// How long a batch waits for more writes. Batches become twice as large, and an answer takes a tenth less CPU: under such a load
/// asks wait for the processor and not for the disk. With 4 asks in flight, waiting cost a third of the rate, so
/// a small batch that follows a small one does not wait.
const COMPANY: Duration = Duration::from_micros(400);

/// Why a sighting was not decided. The machine gets this instead of a signed answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotSighted {
    /// The queue is full; nothing was written.
    Overloaded,
    /// The ledger could not decide it; the host's log says why. Whether it was written is not known; asking again is
    /// safe.
    Failed,
    /// What the ledger knows of this machine is damaged; nothing was written, and others are served.
    Damaged,
    /// The ledger cannot be reached at the moment; nothing was written.
    Unavailable,
    /// It was not decided in the time that a machine waits. Whether it will be is not known; asking again is safe.
    Late,
    /// The host is stopping; nothing was written.
    Stopping,
}

impl NotSighted {
    /// For an error of the ledger.
    pub(crate) fn of(error: &LedgerError) -> NotSighted {
        match error {
            LedgerError::Damaged { .. } | LedgerError::Unreadable { .. } => NotSighted::Damaged,
            LedgerError::Unavailable { .. } => NotSighted::Unavailable,
            _ => NotSighted::Failed,
        }
    }
}

/// Why a change by an administrator was not made. Nothing was written, unless the ledger has failed.
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

impl From<NotChanged> for NotSighted {
    fn from(error: NotChanged) -> NotSighted {
        match error {
            NotChanged::Ledger(error) => NotSighted::of(&error),
            NotChanged::Stopping => NotSighted::Stopping,
        }
    }
}

/// The way to the ledger. Clones lead to the same queue.
#[derive(Clone)]
pub struct Queue {
    /// Taken out when the queue closes, so that nothing keeps the ledger open.
    way: Arc<RwLock<Option<Way>>>,
    failure: watch::Receiver<Option<LedgerError>>,
}

#[derive(Clone)]
struct Way {
    tasks: mpsc::Sender<Task>,
    ledger: Arc<dyn Writer>,
}

/// A write, and the channel for its result.
struct Task {
    write: Write,
    answer: oneshot::Sender<Result<Written, LedgerError>>,
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
        ledger: Arc<dyn Writer>,
        capacity: usize,
        runtime: Handle,
    ) -> io::Result<(Queue, JoinHandle<()>)> {
        let (sender, receiver) = mpsc::channel(capacity.max(1));
        let (failed, failure) = watch::channel(None);
        let writer = WriterThread { ledger: ledger.clone(), runtime, tasks: receiver, failed };
        let thread = thread::Builder::new().name("ledger".to_owned()).spawn(move || writer.run())?;
        let way = Arc::new(RwLock::new(Some(Way { tasks: sender, ledger })));
        Ok((Queue { way, failure }, thread))
    }

    /// Enters a sighting and waits until it is decided and durable.
    ///
    /// Once it has queued it is decided, whether or not anybody still waits for it.
    ///
    /// # Errors
    /// [`NotSighted`]: a full queue refuses at once.
    pub async fn sight(&self, sighting: Sighting) -> Result<Outcome, NotSighted> {
        let (answer, decided) = oneshot::channel();
        let way = self.way()?;
        way.tasks.try_send(Task { write: Write::Sight(sighting), answer }).map_err(
            |refused| match refused {
                TrySendError::Full(_) => NotSighted::Overloaded,
                TrySendError::Closed(_) => self.gone().into(),
            },
        )?;
        drop(way);
        match decided.await.map_err(|_| self.gone())? {
            Ok(Written::Sighted(outcome)) => Ok(outcome),
            Ok(other) => unreachable!("a sighting was decided, and not {other:?}"),
            Err(error) => Err(NotSighted::of(&error)),
        }
    }

    /// Ends a doubt of the host's clock, after all writes that are queued already. It waits for a place: nothing tries it again.
    ///
    /// # Errors
    /// [`NotChanged`].
    pub async fn settle(&self, products: Vec<(ProductId, Terms)>, now: Timestamp) -> Result<(), NotChanged> {
        let house = self.housekeeping().await?;
        self.write(Write::Settle(house, products, now)).await.map(|_| ())
    }

    /// Changes one record, after all writes that are queued already; on return the change is durable. It waits for a place.
    ///
    /// # Errors
    /// [`NotChanged`].
    pub async fn change(&self, change: Change) -> Result<Changed, NotChanged> {
        match self.write(Write::Change(change)).await? {
            Written::Changed(changed) => Ok(changed),
            other => unreachable!("a change was made, and not {other:?}"),
        }
    }

    /// Applies a retention to a page of records, after all writes that are queued already. It waits for a place, so that asks come in
    /// between two pages.
    ///
    /// # Errors
    /// [`NotChanged`].
    pub async fn prune(&self, prune: Prune) -> Result<Pruned, NotChanged> {
        let house = self.housekeeping().await?;
        match self.write(Write::Prune(house, prune)).await? {
            Written::Pruned(pruned) => Ok(pruned),
            other => unreachable!("a page was pruned, and not {other:?}"),
        }
    }

    /// Returns once the writer has handled all writes that are queued already, and the disk has taken one more: the ledger
    /// works. It waits for a place.
    ///
    /// # Errors
    /// [`NotChanged`].
    pub async fn probe(&self) -> Result<(), NotChanged> {
        self.write(Write::Probe).await.map(|_| ())
    }

    /// Completes only when the ledger has failed for good: the host then exits. If several callers wait, each gets the error.
    pub async fn fatal(&self) -> LedgerError {
        let mut failure = self.failure.clone();
        if let Ok(error) = failure.wait_for(Option::is_some).await
            && let Some(error) = error.clone()
        {
            return error;
        }
        future::pending().await
    }

    /// Accepts no more writes. Those in the queue are still decided and answered; then the thread ends.
    pub fn close(&self) {
        self.way.write().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Queues a write, waiting for a place, and waits for its result.
    async fn write(&self, write: Write) -> Result<Written, NotChanged> {
        let (answer, written) = oneshot::channel();
        let way = self.way()?;
        way.tasks.send(Task { write, answer }).await.map_err(|_| self.gone())?;
        drop(way);
        Ok(written.await.map_err(|_| self.gone())??)
    }

    async fn housekeeping(&self) -> Result<Housekeeping, NotChanged> {
        Ok(self.way()?.ledger.housekeeping().await?)
    }

    fn way(&self) -> Result<Way, NotChanged> {
        let way = self.way.read().unwrap_or_else(PoisonError::into_inner);
        way.clone().ok_or_else(|| self.gone())
    }

    /// Why nobody takes tasks any more.
    fn gone(&self) -> NotChanged {
        self.failure.borrow().clone().map_or(NotChanged::Stopping, NotChanged::Ledger)
    }
}

/// The thread behind the queue.
struct WriterThread {
    ledger: Arc<dyn Writer>,
    runtime: Handle,
    tasks: mpsc::Receiver<Task>,
    failed: watch::Sender<Option<LedgerError>>,
}

impl WriterThread {
    fn run(mut self) {
        let mut tasks = Vec::with_capacity(BATCH_MAX);
        let mut before = 0;
        while 0 < self.runtime.block_on(self.tasks.recv_many(&mut tasks, BATCH_MAX)) {
            self.gather(before, &mut tasks);
            before = tasks.len();
            let (writes, answers): (Vec<_>, Vec<_>) =
                tasks.drain(..).map(|Task { write, answer }| (write, answer)).unzip();
            // Whoever has gone away asks again, and gets the same serial.
            match self.apply(writes) {
                Ok(done) => answers.into_iter().zip(done).for_each(|(answer, done)| _ = answer.send(done)),
                Err(error) => answers.into_iter().for_each(|answer| _ = answer.send(Err(error.clone()))),
            }
            if self.failed.borrow().is_some() {
                // No more tasks are accepted. The next turns of this loop answer those that have queued.
                self.tasks.close();
            }
        }
    }

    /// Waits for more writes if the batch before was large and this one is not.
    fn gather(&mut self, before: usize, tasks: &mut Vec<Task>) {
        if !(2..ENOUGH).contains(&tasks.len()) || before < CROWD {
            return;
        }
        thread::sleep(COMPANY);
        while tasks.len() < BATCH_MAX
            && let Ok(task) = self.tasks.try_recv()
        {
            tasks.push(task);
        }
    }

    /// After one fatal error the ledger is not touched again. A panic counts as one, because the state that it left is unknown.
    fn apply(&self, writes: Vec<Write>) -> Result<Vec<Result<Written, LedgerError>>, LedgerError> {
        if let Some(failed) = &*self.failed.borrow() {
            return Err(failed.clone());
        }
        let apply = AssertUnwindSafe(|| self.runtime.block_on(self.ledger.apply(writes)));
        let panicked = |_| Err(LedgerError::fatal(io::Error::other("it panicked")));
        let done = panic::catch_unwind(apply).unwrap_or_else(panicked);
        if let Err(error) = &done
            && error.is_fatal()
        {
            let cause = error.source().map(ToString::to_string);
            tracing::error!(%error, cause, "the ledger has failed; nothing more is acknowledged");
            self.failed.send_replace(Some(error.clone()));
        }
        done
    }
}
