//! The host as it ships, inside this process and with a clock that a test may move. It takes its settings from the
//! `kms-host.toml` in its directory.

use std::net::SocketAddr;
use std::sync::Arc;

use kms_host::admin::Admin;
use kms_host::config::SettingSources;
use kms_host::home::Home;
use kms_host::reload::Reload;
use kms_host::{Host, Opened, Running, certificates};
use ledger::{Reader, Reading};
use shared::time::Clock;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;

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
    reloading: Option<JoinHandle<()>>,
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
        Ok(TestHost { clock, host, ledger, home: home.clone(), running, reloading: None })
    }

    /// Takes up orders to reload, as the program does: those of its administrators, and its own.
    ///
    /// # Errors
    /// Its settings cannot be read, or this process cannot hear SIGHUP.
    pub fn reload_at_orders(&mut self) -> anyhow::Result<()> {
        let sources = SettingSources::new(None, self.home.path());
        let settings = sources.read_with([])?;
        let reload = Reload::of(&self.running, self.home.clone(), sources, settings, Box::new(|_| Ok(())));
        let Some(orders) = self.running.reloads.take() else { return Ok(()) };
        let (hangups, stop) = (signal(SignalKind::hangup())?, self.running.stop.clone());
        self.reloading = Some(tokio::spawn(reload.at_each(hangups, orders, stop)));
        Ok(())
    }

    /// Has it visit the vendor's portal now, as a reload does.
    pub fn visit_portal(&self) {
        self.running.config.send_modify(|_| ());
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
        let TestHost { host, ledger, home, running, reloading, .. } = self;
        drop((host, ledger));
        running.stop.cancel();
        if let Some(reloading) = reloading {
            reloading.await?;
        }
        running.stop().await?;
        Ok(home)
    }
}
