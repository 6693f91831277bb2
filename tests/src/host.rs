//! A host inside this process, whose clock a test may move. Sockets, ledger and signatures are the real ones, and so are the
//! limits of a `kms-host.toml` in its directory.

use std::net::SocketAddr;
use std::sync::Arc;

use kms_host::activate::Parts;
use kms_host::config::Sources;
use kms_host::door::accept::Limits;
use kms_host::door::tls::Tls;
use kms_host::fairness::{Allowances, Fairness};
use kms_host::home::Home;
use kms_host::queue::Queue;
use kms_host::signer::KeyInMemory;
use kms_host::{Admission, Door, Host, certificates};
use ledger::{Engine, Ledger, Reading};
use shared::time::Clock;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock::TestClock;

/// A running host.
pub struct TestHost {
    /// Its clock.
    pub clock: Arc<TestClock>,
    /// The host.
    pub host: Arc<Host>,
    /// Its ledger.
    pub ledger: Arc<dyn Ledger>,
    home: Home,
    address: SocketAddr,
    stop: CancellationToken,
    serving: JoinHandle<()>,
    queue: Queue,
    writer: std::thread::JoinHandle<()>,
}

impl TestHost {
    /// Starts the host of this directory on a port of its own.
    ///
    /// # Errors
    /// Whatever keeps a host from starting.
    pub async fn start(home: &Home, clock: Arc<TestClock>) -> anyhow::Result<TestHost> {
        TestHost::start_at(home, clock, SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// Starts the host of this directory on this address.
    ///
    /// # Errors
    /// Whatever keeps a host from starting.
    pub async fn start_at(
        home: &Home,
        clock: Arc<TestClock>,
        address: SocketAddr,
    ) -> anyhow::Result<TestHost> {
        let config = Sources::new(None, home.path()).read_with([])?.config;
        let ledger: Arc<dyn Ledger> = Arc::new(home.ledger(Engine::Sled, 8 << 20)?);
        let (queue, writer) = Queue::start(ledger.clone(), 4096, tokio::runtime::Handle::current())?;
        let fairness = Arc::new(Fairness::new(Allowances::from(&config)));
        let parts = Parts {
            certificates: home.certificates()?,
            signer: Arc::new(KeyInMemory::new(home.signing_key()?)),
            ledger: ledger.clone(),
            queue: queue.clone(),
            fairness: fairness.clone(),
            clock: clock.clone(),
        };
        let host = Arc::new(Host::new(parts).await?);
        let listener = kms_host::door::listen::bind(address)?;
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let admission = Admission::new(&config, Limits::default(), Tls::Off);
        let door = Door::new(admission, fairness);
        let serving = tokio::spawn(kms_host::door::serve(
            host.clone(),
            door,
            vec![listener],
            stop.clone().cancelled_owned(),
        ));
        Ok(TestHost { clock, host, ledger, home: home.clone(), address, stop, serving, queue, writer })
    }

    /// Where it serves.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its directory.
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// The running count of the only product.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn reading(&self) -> anyhow::Result<Reading> {
        let now = self.clock.now();
        let installed = self.home.certificates()?;
        let current =
            installed.products(now).next().map(|(product, one)| (product, certificates::terms(&one.chain)));
        let (product, terms) = current.ok_or_else(|| anyhow::anyhow!("the host has no certificate"))?;
        Ok(self.ledger.reading(product, &terms, now).await?)
    }

    /// How many machines are counted.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn count(&self) -> anyhow::Result<u64> {
        Ok(self.reading().await?.tally.total)
    }

    /// Stops it in order, and gives its directory back.
    ///
    /// # Errors
    /// It did not stop in order.
    pub async fn stop(self) -> anyhow::Result<Home> {
        let TestHost { host, ledger, home, stop, serving, queue, writer, .. } = self;
        stop.cancel();
        serving.await?;
        queue.close();
        tokio::task::spawn_blocking(move || writer.join())
            .await?
            .map_err(|_| anyhow::anyhow!("the writer panicked"))?;
        drop((host, ledger, queue));
        Ok(home)
    }
}
