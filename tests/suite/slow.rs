//! A host whose disk stands still until it is told to go on or to fail: what that, a full queue and an orderly stop look like
//! from outside.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use kms_host::config::Config;
use kms_host::home::Home;
use kms_host::signer::{KeyInMemory, Signer};
use kms_host::{Opened, Running};
use ledger::{EventPage, KeptPage, Ledger, LedgerError, Page, Reading, Recount, Restored};
use shared::count::{Outcome, Sighting, Terms};
use shared::ids::{MachineId, ProductId};
use shared::inventory::{Change, Changed, Prune, Pruned};
use shared::record::{Event, EventKind, Meta, Record};
use shared::time::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use crate::stage::LOOPBACK;

/// A host in this process, with a queue of this capacity before a disk that stands still.
pub(crate) struct SlowHost {
    pub(crate) address: SocketAddr,
    pub(crate) running: Running,
    pub(crate) disk: Arc<Disk>,
}

impl SlowHost {
    pub(crate) async fn start(home: &Home, capacity: usize) -> SlowHost {
        SlowHost::start_with(home, capacity, Arc::new(KeyInMemory::new(home.signing_key().unwrap()))).await
    }

    /// The same with this signer.
    pub(crate) async fn start_with(home: &Home, capacity: usize, signer: Arc<dyn Signer>) -> SlowHost {
        let config = Config { queue: capacity, ..Config::default() };
        let opened = Opened::open(home, &config, &|_| ()).unwrap();
        let disk = Arc::new(Disk {
            ledger: opened.ledger.clone(),
            moves: Semaphore::new(0),
            fails: AtomicBool::new(false),
            batches: watch::Sender::new(0),
        });
        let opened = Opened { ledger: disk.clone(), signer, ..opened };
        let listener = TcpListener::bind(LOOPBACK).await.unwrap();
        let clock = Arc::new(kms_client::SystemClock::new());
        let running = kms_host::run(opened, vec![listener], clock).await.unwrap();
        SlowHost { address: running.addresses[0], running, disk }
    }

    /// Waits until the disk was given a first batch, on which it stands still.
    pub(crate) async fn is_busy(&self) {
        self.disk.batches.subscribe().wait_for(|batches| 0 < *batches).await.unwrap();
    }

    /// The disk moves again.
    pub(crate) fn go_on(&self) {
        self.disk.go_on();
    }

    /// The disk moves again, and takes nothing.
    pub(crate) fn fail(&self) {
        self.disk.fails.store(true, Ordering::SeqCst);
        self.go_on();
    }
}

/// A real ledger behind a gate.
pub(crate) struct Disk {
    ledger: Arc<dyn Ledger>,
    /// Nobody is ever let through it; closing it lets all through.
    moves: Semaphore,
    fails: AtomicBool,
    batches: watch::Sender<u64>,
}

impl Disk {
    /// The disk moves again.
    pub(crate) fn go_on(&self) {
        self.moves.close();
    }
}

#[async_trait]
impl Ledger for Disk {
    fn meta(&self) -> &Meta {
        self.ledger.meta()
    }

    async fn apply(&self, batch: Vec<Sighting>) -> Result<Vec<Outcome>, LedgerError> {
        self.batches.send_modify(|batches| *batches += 1);
        assert!(self.moves.acquire().await.is_err(), "it is never opened, only closed");
        if self.fails.load(Ordering::SeqCst) {
            return Err(LedgerError::fatal(io::Error::other("the disk is gone")));
        }
        self.ledger.apply(batch).await
    }

    async fn settle(&self, products: Vec<(ProductId, Terms)>, now: Timestamp) -> Result<(), LedgerError> {
        self.ledger.settle(products, now).await
    }

    async fn change(&self, change: Change) -> Result<Changed, LedgerError> {
        self.ledger.change(change).await
    }

    async fn prune(&self, prune: Prune) -> Result<Pruned, LedgerError> {
        self.ledger.prune(prune).await
    }

    async fn probe(&self) -> Result<(), LedgerError> {
        self.ledger.probe().await
    }
    async fn last_time(&self) -> Result<Option<Timestamp>, LedgerError> {
        self.ledger.last_time().await
    }

    async fn record(&self, product: ProductId, machine: MachineId) -> Result<Option<Record>, LedgerError> {
        self.ledger.record(product, machine).await
    }

    async fn reading(
        &self,
        product: ProductId,
        terms: &Terms,
        now: Timestamp,
    ) -> Result<Reading, LedgerError> {
        self.ledger.reading(product, terms, now).await
    }

    async fn products(&self) -> Result<Vec<ProductId>, LedgerError> {
        self.ledger.products().await
    }

    async fn machines(
        &self,
        product: Option<ProductId>,
        after: Option<Vec<u8>>,
        limit: usize,
    ) -> Result<Page, LedgerError> {
        self.ledger.machines(product, after, limit).await
    }

    async fn history(&self, product: ProductId, machine: MachineId) -> Result<Vec<Event>, LedgerError> {
        self.ledger.history(product, machine).await
    }

    async fn events(
        &self,
        product: Option<ProductId>,
        kind: Option<EventKind>,
        after: Option<Vec<u8>>,
        limit: usize,
    ) -> Result<EventPage, LedgerError> {
        self.ledger.events(product, kind, after, limit).await
    }

    async fn recount(
        &self,
        product: ProductId,
        terms: &Terms,
        now: Timestamp,
    ) -> Result<Recount, LedgerError> {
        self.ledger.recount(product, terms, now).await
    }

    async fn restored(&self) -> Result<Option<Restored>, LedgerError> {
        self.ledger.restored().await
    }

    async fn kept(&self, after: Option<Vec<u8>>, limit: usize) -> Result<KeptPage, LedgerError> {
        self.ledger.kept(after, limit).await
    }
}
