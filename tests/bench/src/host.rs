//! The hosts under test: the real one, with the settings that it has by default, served on loopback, over each ledger.
//!
//! Three things differ from an administrator's host: the threshold is one machine, so that every answer is a lease; there are no
//! limits, because all machines come from one address; and it runs in this process, so that its processor time can be told
//! from the load's. `sizes` measures hosts that are processes of their own.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use kms_host::Opened;
use kms_host::certificates::{self, Installed};
use kms_host::config::Config;
use kms_host::home::{HOUR_MS, Home};
use ledger::{Engine, Ledger, Reader, Recount, Writer};
use shared::certificate::Roots;
use shared::envelope::SecretKey;
use shared::ids::LedgerId;
use shared::policy::Policy;
use shared::record::Meta;
use shared::time::{Clock, Timestamp};
use store::Store;
use tokio::runtime::Runtime;
use world::Shop;

use crate::log;
use crate::syncs::CountedSyncs;

/// What a host keeps its machines on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keeper {
    /// The raw log, as a limit.
    Log,
    /// What an administrator can choose.
    On(Engine),
}

impl Keeper {
    /// Every one, the limit first.
    pub(crate) const ALL: [Keeper; 3] = [Keeper::Log, Keeper::On(Engine::Sled), Keeper::On(Engine::Fjall)];

    /// Its name in tables.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Keeper::Log => "log",
            Keeper::On(engine) => engine.name(),
        }
    }

    /// Makes a ledger.
    ///
    /// # Errors
    /// The disk refuses.
    pub(crate) fn create(self, path: &Path) -> anyhow::Result<Arc<dyn Ledger>> {
        Ok(match self {
            Keeper::Log => ledger::create_in(path, Store::open_with(path, log::open)?, meta())?,
            Keeper::On(engine) => ledger::create(path, engine, cache_bytes(), meta())?,
        })
    }
}

/// What a ledger that belongs to no host says of itself.
pub(crate) fn meta() -> Meta {
    Meta { ledger: LedgerId::from_bytes([7; 16]), hour_width_ms: HOUR_MS, pepper: [7; 32] }
}

fn cache_bytes() -> u64 {
    Config::default().cache_mib << 20
}

/// The settings of a host that serves a load from one address, which is millions of new machines to it. Calls per connection are as
/// for proxies: the load keeps few connections, and many calls on each.
pub(crate) fn without_limits() -> Config {
    Config {
        calls_per_connection: 256,
        new_machines_per_source: 0,
        new_machines_per_site: 0,
        bad_asks_per_source: 0,
        bad_asks_per_site: 0,
        ..Config::default()
    }
}

/// A vendor with one product; its threshold is 1, so that every answer is a lease.
///
/// # Errors
/// The disk refuses.
pub(crate) fn open_shop(folder: &Path) -> anyhow::Result<Shop> {
    let policy = Policy { threshold: 1, ..Policy::CLIENT };
    Shop::open(folder, "Atlas", policy, false)
}

/// A host that is certified for the product, and what its machines trust.
pub(crate) struct Site {
    pub(crate) home: Home,
    pub(crate) keeper: Keeper,
    /// The certificate.
    pub(crate) installed: Installed,
    /// The vendor's roots, as a product has them compiled in.
    pub(crate) roots: Roots,
}

/// The running host.
pub(crate) struct Running {
    /// Where it serves.
    pub(crate) address: SocketAddr,
    /// How often it has synced.
    pub(crate) syncs: Arc<CountedSyncs>,
    host: kms_host::Running,
}

impl Site {
    /// Makes it, under this name in the shop's folder, certified since then.
    ///
    /// # Errors
    /// The disk refuses.
    pub(crate) fn make(shop: &Shop, name: &str, keeper: Keeper, since: Timestamp) -> anyhow::Result<Site> {
        let engine = match keeper {
            Keeper::Log => Engine::Sled,
            Keeper::On(engine) => engine,
        };
        let home = shop.make_host_on(engine, name, since)?;
        let installed = home.certificates()?.all().next().expect("one was just installed").clone();
        let roots = Roots::new(shop.vendor().roots().iter().map(<[u8; 32]>::as_slice))?;
        Ok(Site { home, keeper, installed, roots })
    }

    /// The host's signing key.
    ///
    /// # Errors
    /// The disk refuses.
    pub(crate) fn signing_key(&self) -> anyhow::Result<SecretKey> {
        Ok(self.home.signing_key()?)
    }

    /// Its ledger. A log begins empty, beside the ledger that every host has.
    ///
    /// # Errors
    /// The disk refuses.
    pub(crate) fn ledger(&self) -> anyhow::Result<Arc<dyn Ledger>> {
        match self.keeper {
            Keeper::Log => self.keeper.create(&self.home.path().join("raw-log")),
            Keeper::On(engine) => Ok(self.home.ledger(engine, cache_bytes(), &|_| {})?),
        }
    }

    /// Starts the host.
    ///
    /// # Errors
    /// Whatever keeps a host from starting.
    pub(crate) fn start(&self, runtime: &Runtime, clock: Arc<dyn Clock>) -> anyhow::Result<Running> {
        let engine = if let Keeper::On(engine) = self.keeper { engine } else { Engine::Sled };
        let opened = Opened::open(&self.home, &Config { ledger: engine, ..without_limits() }, &|_| ())?;
        let (ledger, writer): (Arc<dyn Reader>, Arc<dyn Writer>) = match self.keeper {
            Keeper::Log => {
                let log = self.ledger()?;
                (log.clone(), log)
            }
            Keeper::On(_) => (opened.ledger.clone(), opened.writer.clone()),
        };
        let syncs = Arc::new(CountedSyncs::of(writer));
        let opened = Opened { ledger, writer: syncs.clone(), ..opened };
        runtime.block_on(async {
            let listeners = server::listen::bind_all(&[([127, 0, 0, 1], 0).into()])?;
            let running = kms_host::run(opened, listeners, clock).await?;
            Ok(Running { address: running.addresses[0], syncs, host: running })
        })
    }

    /// Counts the records of a host that has stopped, one by one, in its ledger opened again. A log cannot be: what it has
    /// in memory is counted.
    ///
    /// # Errors
    /// The ledger is not what was written.
    pub(crate) fn recount(
        &self,
        stopped: Arc<dyn Reader>,
        runtime: &Runtime,
        clock: &dyn Clock,
    ) -> anyhow::Result<Recount> {
        let ledger: Arc<dyn Reader> = match self.keeper {
            Keeper::Log => stopped,
            Keeper::On(_) => {
                drop(stopped);
                self.ledger()?
            }
        };
        let chain = &self.installed.chain;
        let terms = certificates::terms(chain);
        Ok(runtime.block_on(ledger::recount(&*ledger, chain.host().product, &terms, clock.now()))?)
    }
}

impl Running {
    /// Stops it in order, and gives its ledger back.
    ///
    /// # Errors
    /// It did not stop in order.
    pub(crate) fn stop(self, runtime: &Runtime) -> anyhow::Result<Arc<dyn Reader>> {
        let Running { host: running, .. } = self;
        let ledger = running.ledger.clone();
        runtime.block_on(running.stop())?;
        Ok(ledger)
    }
}
