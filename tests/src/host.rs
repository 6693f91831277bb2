//! The host as it ships, inside this process and with a clock that a test may move. It takes its settings from the
//! `kms-host.toml` in its directory.

use std::net::SocketAddr;
use std::sync::Arc;

use kms_host::admin::Admin;
use kms_host::config::SettingSources;
use kms_host::home::Home;
use kms_host::{Host, Opened, Running, certificates};
use ledger::{Reader, Reading};
use shared::time::Clock;

use crate::clock::TestClock;

/// A running host.
pub struct TestHost {
    /// Its clock.
    pub clock: Arc<TestClock>,
    /// The host.
    pub host: Arc<Host>,
    /// Its ledger.
    pub ledger: Arc<dyn Reader>,
    home: Home,
    running: Running,
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
        let config = SettingSources::new(None, home.path()).read_with([])?.config;
        let opened = Opened::open(home, &config, &|_| ())?;
        let listeners = server::listen::bind_all(&[address])?;
        let running = kms_host::run(opened, listeners, clock.clone()).await?;
        let (host, ledger) = (running.host.clone(), running.ledger.clone());
        Ok(TestHost { clock, host, ledger, home: home.clone(), running })
    }

    /// Where it serves.
    pub fn address(&self) -> SocketAddr {
        self.running.addresses[0]
    }

    /// Its directory.
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// What its administrators ask.
    pub fn admin(&self) -> Admin {
        self.running.admin.clone()
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
        let TestHost { host, ledger, home, running, .. } = self;
        drop((host, ledger));
        running.stop().await?;
        Ok(home)
    }
}
