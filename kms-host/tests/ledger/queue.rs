//! The queue: it refuses at once or answers, groups what waits, and after a fatal error acknowledges nothing.

use std::future::poll_fn;
use std::io;
use std::mem;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::thread::JoinHandle;

use async_trait::async_trait;
use kms_host::queue::{NotChanged, NotSighted, Queue};
use ledger::testing::MemoryLedger;
use ledger::{LedgerError, Write, Writer, Written};
use shared::ask::AskKind;
use shared::count::Outcome;
use shared::inventory::{Change, Changed, Verb};
use shared::record::{RecordState, key};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;

use ledger::battery::world::{DAY, Machine, PRODUCT, START, World, hourly, told};

/// A ledger in memory that writes when the story lets it, and fails when the story says so.
struct Gated {
    inner: Arc<MemoryLedger>,
    /// One permit lets one write through.
    gate: Semaphore,
    /// Says that a write stands at the gate.
    arrived: mpsc::UnboundedSender<()>,
    applied: AtomicUsize,
    failure: Mutex<Failure>,
}

enum Failure {
    None,
    Away,
    Error,
    Panic,
}

impl Gated {
    async fn pass(&self) -> Result<(), LedgerError> {
        let _ = self.arrived.send(());
        self.gate.acquire().await.expect("never closed").forget();
        // Once: the disk is back at the next write, and that must make no difference.
        let failure = mem::replace(&mut *self.failure.lock().unwrap(), Failure::None);
        match failure {
            Failure::None => Ok(()),
            Failure::Away => {
                Err(LedgerError::Unavailable { source: Arc::new(io::Error::other("no connection")) })
            }
            Failure::Error => Err(LedgerError::fatal(io::Error::other("the disk is gone"))),
            Failure::Panic => panic!("a panic that this test expects"),
        }
    }
}

#[async_trait]
impl Writer for Gated {
    async fn apply(&self, writes: Vec<Write>) -> Result<Vec<Result<Written, LedgerError>>, LedgerError> {
        self.pass().await?;
        self.applied.fetch_add(1, Ordering::Relaxed);
        self.inner.apply(writes).await
    }
}

/// A queue in front of a gated ledger, and who waits in it.
struct Line {
    world: World,
    ledger: Arc<Gated>,
    queue: Queue,
    writer: JoinHandle<()>,
    arrivals: mpsc::UnboundedReceiver<()>,
    asks: JoinSet<Result<Outcome, NotSighted>>,
}

impl Line {
    fn new(capacity: usize) -> Line {
        Line::with_rows(capacity, Vec::new())
    }

    fn with_rows(capacity: usize, rows: Vec<(Vec<u8>, Vec<u8>)>) -> Line {
        let (arrived, arrivals) = mpsc::unbounded_channel();
        let inner = Arc::new(MemoryLedger::with_rows(hourly(), rows));
        let ledger = Arc::new(Gated {
            inner: inner.clone(),
            gate: Semaphore::new(0),
            arrived,
            applied: AtomicUsize::new(0),
            failure: Mutex::new(Failure::None),
        });
        let (queue, writer) = Queue::start(ledger.clone(), capacity, Handle::current()).unwrap();
        Line { world: World::over(inner, None), ledger, queue, writer, arrivals, asks: JoinSet::new() }
    }

    /// One ask stands at the gate, and so many wait behind it.
    async fn fill(&mut self, waiting: usize) {
        self.ask(&Machine::new()).await;
        self.arrivals.recv().await.unwrap();
        for _ in 0..waiting {
            self.ask(&Machine::new()).await;
        }
    }

    /// Returns once the machine's ask has queued.
    async fn ask(&mut self, machine: &Machine) {
        let sighting = self.world.sighting(machine, AskKind::Activate);
        let queue = self.queue.clone();
        let (queued, has_queued) = oneshot::channel();
        let ask = async move { queue.sight(sighting).await };
        self.asks.spawn(telling_when_polled(ask, queued));
        has_queued.await.unwrap();
    }

    fn open_gate(&self) {
        self.ledger.gate.add_permits(Semaphore::MAX_PERMITS / 2);
    }

    fn fail(&self, failure: Failure) {
        *self.ledger.failure.lock().unwrap() = failure;
    }

    /// Every answer; the queue is closed by then and its thread gone.
    async fn answers(&mut self) -> Vec<Result<Outcome, NotSighted>> {
        let mut answers = Vec::new();
        while let Some(answer) = self.asks.join_next().await {
            answers.push(answer.unwrap());
        }
        answers
    }
}

/// Says when the future was first polled: an ask queues then, and only waits afterwards.
async fn telling_when_polled<T>(future: impl Future<Output = T>, polled: oneshot::Sender<()>) -> T {
    let mut future = pin!(future);
    let first = poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await;
    let _ = polled.send(());
    match first {
        Poll::Ready(output) => output,
        Poll::Pending => future.await,
    }
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_loses_nothing_that_it_took() {
    let mut line = Line::new(4);
    line.fill(4).await;

    let refused = line.queue.sight(line.world.sighting(&Machine::new(), AskKind::Activate));
    assert_eq!(refused.await, Err(NotSighted::Overloaded));

    line.open_gate();
    let answers = line.answers().await;
    assert_eq!(answers.len(), 5);
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(line.world.count().await, 5);
}

#[tokio::test]
async fn a_thousand_that_ask_at_once_share_a_few_commits() {
    let mut line = Line::new(1000);
    line.fill(999).await;

    line.open_gate();

    let answers = line.answers().await;
    let mut told: Vec<_> =
        answers.iter().map(|answer| answer.unwrap()).map(|outcome| told(&outcome)).collect();
    told.retain(|told| told.starts_with("lease"));
    assert_eq!(told.len(), 1000 - 24, "the 25th in the order of arrival is the first");
    assert_eq!(line.world.count().await, 1000);
    // The first alone, and 999 in batches of at most 256.
    assert_eq!(line.ledger.applied.load(Ordering::Relaxed), 1 + 4);
}

#[tokio::test]
async fn after_a_fatal_error_nobody_is_acknowledged() {
    for failure in [Failure::Error, Failure::Panic] {
        let mut line = Line::new(300);
        line.fill(300).await;
        line.fail(failure);
        let (queue, also) = (line.queue.clone(), line.queue.clone());

        line.open_gate();

        let answers = line.answers().await;
        assert_eq!(answers.len(), 301);
        assert!(answers.iter().all(|answer| *answer == Err(NotSighted::Failed)));
        assert!(queue.fatal().await.is_fatal());
        assert!(also.fatal().await.is_fatal(), "whoever asks is told");
        let late = line.world.sighting(&Machine::new(), AskKind::Activate);
        assert_eq!(line.queue.sight(late).await, Err(NotSighted::Failed));
        assert!(is_fatal(&line.queue.settle(Vec::new(), START).await));
        line.writer.join().unwrap();
        assert_eq!(line.world.count().await, 0);
    }
}

/// A ledger that another machine keeps may be away for a moment: nobody is acknowledged, nothing is lost, and the host goes on.
#[tokio::test]
async fn while_the_ledger_cannot_be_reached_asks_are_put_off_and_then_served() {
    let mut line = Line::new(300);
    line.fill(30).await;
    line.fail(Failure::Away);

    line.open_gate();

    let answers = line.answers().await;
    let (put_off, served): (Vec<Result<Outcome, NotSighted>>, Vec<_>) =
        answers.into_iter().partition(Result::is_err);
    assert!(put_off.iter().all(|answer| *answer == Err(NotSighted::Unavailable)));
    assert_eq!((put_off.len(), served.len()), (1, 30), "the one that stood at the gate");
    assert_eq!(line.world.count().await, 30);
    line.fail(Failure::Away);
    let put_off = line.queue.change(block(&Machine::new())).await.unwrap_err();
    assert!(matches!(put_off, NotChanged::Ledger(LedgerError::Unavailable { .. })), "{put_off:?}");
    line.queue.probe().await.unwrap();
}

#[tokio::test]
async fn closing_decides_what_has_queued_and_then_ends() {
    let mut line = Line::new(300);
    line.fill(300).await;

    line.queue.close();

    let late = line.world.sighting(&Machine::new(), AskKind::Activate);
    assert_eq!(line.queue.sight(late).await, Err(NotSighted::Stopping));
    line.open_gate();
    let answers = line.answers().await;
    assert!(answers.iter().all(Result::is_ok));
    line.writer.join().unwrap();
    assert_eq!(line.world.count().await, 301);
}

/// What a watchdog asks: whether the writer gets through, and not only whether there is one.
#[tokio::test]
async fn a_probe_waits_for_whatever_the_disk_holds_up() {
    let mut line = Line::new(4);
    line.fill(1).await;
    let probe = tokio::spawn({
        let queue = line.queue.clone();
        async move { queue.probe().await }
    });
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert!(!probe.is_finished(), "the first write still stands at the gate");

    line.open_gate();
    probe.await.unwrap().unwrap();

    line.fail(Failure::Error);
    assert!(is_fatal(&line.queue.probe().await));
}

#[tokio::test]
async fn settling_keeps_its_place_among_the_sightings() {
    let mut line = Line::new(10);
    line.world.now = START + 100 * DAY;
    line.fill(1).await;
    line.world.now = START;
    let (queue, products) = (line.queue.clone(), vec![(PRODUCT, line.world.terms)]);
    let (queued, has_queued) = oneshot::channel();
    let settle = async move { queue.settle(products, START).await };
    let settling = tokio::spawn(telling_when_polled(settle, queued));
    has_queued.await.unwrap();
    let last = Machine::new();
    line.ask(&last).await;

    line.open_gate();

    settling.await.unwrap().unwrap();
    assert_eq!(line.answers().await.len(), 3);
    assert_eq!(line.world.seen_at(&last).await, START);
    assert_eq!(line.world.count().await, 3);
}

/// An administrator who has seen a machine asked, and blocks it, means that ask too.
#[tokio::test]
async fn a_change_keeps_its_place_among_the_sightings() {
    let mut line = Line::new(10);
    let machine = Machine::new();
    line.ask(&machine).await;
    line.arrivals.recv().await.unwrap();
    let (queue, change) = (line.queue.clone(), block(&machine));
    let (queued, has_queued) = oneshot::channel();
    let changing = tokio::spawn(telling_when_polled(async move { queue.change(change).await }, queued));
    has_queued.await.unwrap();
    line.ask(&machine).await;

    line.open_gate();

    assert_eq!(changing.await.unwrap().unwrap(), Changed::Done(RecordState::Active));
    let mut told: Vec<_> = line.answers().await.iter().map(|answer| told(&answer.unwrap())).collect();
    told.sort();
    assert_eq!(told, ["refused BLOCKED", "waiting 1 of 1"]);
    assert_eq!((line.world.count().await, line.world.known().await), (0, [0, 0, 0, 1]));
}

/// It is told what is damaged, since nobody but an administrator can do something about it; machines go on.
#[tokio::test]
async fn a_change_that_is_not_made_says_why() {
    let damaged = Machine::new();
    let rows = vec![(key::record(PRODUCT, damaged.id), vec![1, 2, 3])];
    let line = Line::with_rows(20, rows);
    line.open_gate();
    let refused = line.queue.change(block(&damaged)).await.unwrap_err();
    assert!(matches!(refused, NotChanged::Ledger(LedgerError::Damaged { .. })), "{refused:?}");
    assert!(refused.to_string().contains(&damaged.id.to_string()), "{refused}");
    let other = line.world.sighting(&Machine::new(), AskKind::Activate);
    assert!(line.queue.sight(other).await.is_ok());

    line.fail(Failure::Error);
    let refused = line.queue.change(block(&damaged)).await.unwrap_err();
    assert!(matches!(refused, NotChanged::Ledger(LedgerError::Fatal { .. })), "{refused:?}");
    let late = line.queue.change(block(&damaged)).await.unwrap_err();
    assert!(matches!(late, NotChanged::Ledger(LedgerError::Fatal { .. })), "{late:?}");

    let closing = Line::new(1);
    closing.queue.close();
    let refused = closing.queue.change(block(&damaged)).await.unwrap_err();
    assert!(matches!(refused, NotChanged::Stopping), "{refused:?}");
}

fn is_fatal(done: &Result<(), NotChanged>) -> bool {
    matches!(done, Err(NotChanged::Ledger(error)) if error.is_fatal())
}

fn block(machine: &Machine) -> Change {
    Change { product: machine.product, machine: machine.id, verb: Verb::Block, at: START }
}

#[tokio::test]
async fn a_damaged_record_in_a_batch_fails_nobody_else() {
    let damaged = Machine::new();
    let rows = vec![(key::record(PRODUCT, damaged.id), vec![1, 2, 3])];
    let mut line = Line::with_rows(20, rows);
    line.fill(9).await;
    line.ask(&damaged).await;
    line.ask(&Machine::new()).await;

    line.open_gate();

    let answers = line.answers().await;
    let failed = answers.iter().filter(|answer| **answer == Err(NotSighted::Damaged));
    assert_eq!((failed.count(), answers.len()), (1, 12));
    let recount = line.world.recount_of(PRODUCT).await;
    assert_eq!((recount.counted, recount.damaged), (11, 1));
}
