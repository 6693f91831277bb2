//! Group commit: what waits together is one transaction, so one sync serves many.
//!
//! A transaction that fails undoes all of it. If one work was the cause, each is run in one of its own, so that a defect concerns whoever
//! met it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::DbError;
use super::work::AnyWork;

/// How much shares a commit at most. An activation takes some tenths of a millisecond and a sync some milliseconds: beyond this, more
/// would gain little, and the first would wait for the last.
const BATCH: usize = 128;

/// How much may wait. Whoever comes later waits for room.
const QUEUE: usize = 1024;

/// Runs transactions for one [`GroupCommit`].
#[async_trait]
pub(super) trait Commit: Send + 'static {
    /// Runs all of this in one transaction, durable on return, or nothing of it.
    async fn commit(&mut self, works: &[Arc<dyn AnyWork>]) -> Result<(), DbError>;

    /// Ends it in order.
    async fn close(self);
}

/// A queue, and a task that runs what is in it.
pub(super) struct GroupCommit(Mutex<Option<Running>>);

struct Running {
    queue: mpsc::Sender<Job>,
    task: JoinHandle<()>,
}

/// Work that waits for the writer.
struct Job {
    work: Arc<dyn AnyWork>,
    done: oneshot::Sender<Result<(), DbError>>,
}

impl GroupCommit {
    /// Starts the task.
    pub(super) fn start(commit: impl Commit) -> GroupCommit {
        let (queue, jobs) = mpsc::channel(QUEUE);
        GroupCommit(Mutex::new(Some(Running { queue, task: tokio::spawn(run(commit, jobs)) })))
    }

    /// Ends the task once the queue is empty, and what it runs transactions on.
    pub(super) async fn close(&self) {
        let running = self.running().take();
        if let Some(Running { queue, task }) = running {
            drop(queue);
            if let Err(error) = task.await {
                tracing::error!(%error, "the writer did not end in order");
            }
        }
    }

    /// Runs this work. It is done even if nobody waits for it any more.
    pub(super) async fn write(&self, work: Arc<dyn AnyWork>) -> Result<(), DbError> {
        let (done, waits) = oneshot::channel();
        let queue = self.running().as_ref().map(|running| running.queue.clone());
        let queue = queue.ok_or_else(DbError::stopped)?;
        queue.send(Job { work, done }).await.map_err(|_| DbError::stopped())?;
        drop(queue);
        waits.await.unwrap_or_else(|_| Err(DbError::stopped()))
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn run(mut commit: impl Commit, mut jobs: mpsc::Receiver<Job>) {
    let mut batch = Vec::with_capacity(BATCH);
    // The first error that is fatal. It stays: nothing more is acknowledged.
    let mut failed: Option<DbError> = None;
    while jobs.recv_many(&mut batch, BATCH).await != 0 {
        // Every portal takes the keys of a batch in the same order, so that no two wait for each other.
        batch.sort_by_key(|job| job.work.lock_order());
        let works: Vec<_> = batch.iter().map(|job| Arc::clone(&job.work)).collect();
        let together = attempt(&mut commit, &works, &mut failed).await;
        // A database that is away or full fails all alike, and to try each would keep everybody waiting.
        let is_one_of_several = 1 < works.len() && together.as_ref().is_err_and(DbError::concerns_one);
        for job in batch.drain(..) {
            let done = if is_one_of_several {
                attempt(&mut commit, &[job.work], &mut failed).await
            } else {
                together.clone()
            };
            // Whoever has asked may have left.
            let _ = job.done.send(done);
        }
    }
    commit.close().await;
}

async fn attempt(
    commit: &mut impl Commit,
    works: &[Arc<dyn AnyWork>],
    failed: &mut Option<DbError>,
) -> Result<(), DbError> {
    if let Some(failed) = failed {
        return Err(failed.clone());
    }
    let done = commit.commit(works).await;
    if let Err(error) = &done
        && error.is_fatal()
    {
        tracing::error!(%error, "nothing more is written");
        *failed = Some(error.clone());
    }
    done
}
