//! The host under test: the real one, over sled on disk, served on loopback, with the settings that it has by default.
//!
//! Only two things are not as an administrator has them: the threshold is one machine, so that every answer is a lease,
//! and it lives in this process, so that its share of the processors can be told from the load's.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use kms_host::activate::Parts;
use kms_host::certificates::{self, Installed};
use kms_host::clock::SystemClock;
use kms_host::config::Config;
use kms_host::home::{HOUR_MS, Home};
use kms_host::ledger::{Ledger, Recount};
use kms_host::queue::Queue;
use kms_host::signer::KeyInMemory;
use shared::certificate::Roots;
use shared::envelope::SecretKey;
use shared::policy::Policy;
use shared::time::Clock;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use world::Shop;
use world::shop::ORGANISATION;

use crate::syncs::CountedSyncs;

/// A vendor's product, a host that is certified for it, and what its machines trust.
pub(crate) struct Site {
    home: Home,
    /// The certificate.
    pub(crate) installed: Installed,
    /// The vendor's roots, as a product has them compiled in.
    pub(crate) roots: Roots,
}

/// The running host.
pub(crate) struct Running {
    /// Where it serves.
    pub(crate) address: SocketAddr,
    /// Its ledger.
    pub(crate) ledger: Arc<CountedSyncs>,
    queue: Queue,
    writer: thread::JoinHandle<()>,
    serving: tokio::task::JoinHandle<Result<(), tonic::transport::Error>>,
    stop: CancellationToken,
}

impl Site {
    /// Makes it in an empty folder.
    ///
    /// # Errors
    /// The disk refuses.
    pub(crate) fn make(folder: &Path) -> anyhow::Result<Site> {
        let policy = Policy { threshold: 1, ..Policy::CLIENT };
        let shop = Shop::open(folder, "Atlas", policy, false)?;
        let home = shop.make_bare_host("host", HOUR_MS)?;
        let now = SystemClock::new().now();
        shop.certify(&home, ORGANISATION, now, std::time::Duration::from_hours(365 * 24))?;
        let installed = home.certificates()?.all().next().expect("one was just installed").clone();
        let roots = Roots::new(shop.vendor().roots().iter().map(<[u8; 32]>::as_slice))?;
        Ok(Site { home, installed, roots })
    }

    /// The host's signing key.
    ///
    /// # Errors
    /// The disk refuses.
    pub(crate) fn signing_key(&self) -> anyhow::Result<SecretKey> {
        Ok(self.home.signing_key()?)
    }

    /// Starts the host.
    ///
    /// # Errors
    /// Whatever keeps a host from starting.
    pub(crate) fn start(&self, runtime: &Runtime, clock: Arc<dyn Clock>) -> anyhow::Result<Running> {
        let defaults = Config::default();
        let ledger = Arc::new(CountedSyncs::of(self.home.ledger(defaults.cache_mib << 20)?));
        let (queue, writer) = Queue::start(ledger.clone(), defaults.queue, runtime.handle().clone())?;
        let parts = Parts {
            certificates: self.home.certificates()?,
            signer: Arc::new(KeyInMemory::new(self.signing_key()?)),
            ledger: ledger.clone(),
            queue: queue.clone(),
            clock,
        };
        runtime.block_on(async {
            let host = Arc::new(kms_host::Host::new(parts).await?);
            let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
            let address = listener.local_addr()?;
            let stop = CancellationToken::new();
            let connections = kms_host::connections(vec![listener]);
            let serving = tokio::spawn(kms_host::serve(host, connections, stop.clone().cancelled_owned()));
            Ok(Running { address, ledger, queue, writer, serving, stop })
        })
    }

    /// Opens the ledger of a host that has stopped, and counts its records one by one.
    ///
    /// # Errors
    /// The ledger is not what was written.
    pub(crate) fn recount(&self, runtime: &Runtime, clock: &dyn Clock) -> anyhow::Result<Recount> {
        let ledger = self.home.ledger(Config::default().cache_mib << 20)?;
        let chain = &self.installed.chain;
        let terms = certificates::terms(chain);
        Ok(runtime.block_on(ledger.recount(chain.host().product, &terms, clock.now()))?)
    }
}

impl Running {
    /// Stops it in order.
    ///
    /// # Errors
    /// It did not stop in order.
    pub(crate) fn stop(self, runtime: &Runtime) -> anyhow::Result<()> {
        let Running { ledger, queue, writer, serving, stop, .. } = self;
        stop.cancel();
        runtime.block_on(serving)??;
        queue.close();
        writer.join().map_err(|_| anyhow::anyhow!("the writer panicked"))?;
        drop((ledger, queue));
        Ok(())
    }
}
