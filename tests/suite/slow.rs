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
use ledger::{LedgerError, Write, Writer, Written};
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
            writer: opened.writer.clone(),
            moves: Semaphore::new(0),
            fails: AtomicBool::new(false),
            batches: watch::Sender::new(0),
        });
        let opened = Opened { writer: disk.clone(), signer, ..opened };
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
    writer: Arc<dyn Writer>,
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
impl Writer for Disk {
    async fn apply(&self, writes: Vec<Write>) -> Result<Vec<Result<Written, LedgerError>>, LedgerError> {
        self.batches.send_modify(|batches| *batches += 1);
        assert!(self.moves.acquire().await.is_err(), "it is never opened, only closed");
        if self.fails.load(Ordering::SeqCst) {
            return Err(LedgerError::fatal(io::Error::other("the disk is gone")));
        }
        self.writer.apply(writes).await
    }
}
