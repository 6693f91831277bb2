//! A throwaway vendor, product and host, for a load that was given no host to ask.
//!
//! The host is `kms-host` in a process of its own, with a ledger on the disk, so that what is measured is what an
//! administrator has, except that it takes any number of new machines from one address. It can be stopped, started again on its
//! address, and held still. `HostProcess` in `tests/src/process.rs` starts and ends the process.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use kms_client::{Clock, Product, SystemClock};
use kms_host::home::Home;
use shared::policy::Policy;
use tempfile::TempDir;
use tokio::process::Command;
use world::shop::{ORGANISATION, WITHOUT_LIMITS};
use world::{HostProcess, Program, Shop};

use super::result::HostCount;

const PRODUCT: &str = "Atlas";

/// The numbers of a throwaway site.
#[derive(Clone, Copy, Debug)]
pub struct Numbers {
    /// What the certificate says.
    pub policy: Policy,
    /// The width of the ledger's hour, in milliseconds. Any but a real hour makes it a test certificate, whose numbers
    /// may be shorter than a product's.
    pub hour_width_ms: u64,
}

impl Numbers {
    /// A real product's numbers, with this threshold.
    pub const fn real(threshold: u32) -> Numbers {
        Numbers { policy: Policy { threshold, ..Policy::CLIENT }, hour_width_ms: kms_host::home::HOUR_MS }
    }

    /// A count window of this length instead of 30 days, and every interval of asking shortened in proportion. A lease lives
    /// as long as a real one, and clocks may differ as much.
    pub fn compressed(threshold: u32, count_window: Duration) -> Numbers {
        let real = Numbers::real(threshold);
        let shorter = |length: Duration| {
            let share = count_window.as_secs_f64() / real.policy.count_window.as_secs_f64();
            length.mul_f64(share).max(Duration::from_millis(1))
        };
        let policy = Policy {
            renew_interval: shorter(real.policy.renew_interval),
            retry_interval: shorter(real.policy.retry_interval),
            renew_retry: shorter(real.policy.renew_retry),
            renew_retry_max: shorter(real.policy.renew_retry_max),
            count_window,
            ..real.policy
        };
        let hour = shorter(Duration::from_millis(real.hour_width_ms));
        Numbers { policy, hour_width_ms: u64::try_from(hour.as_millis()).unwrap_or(real.hour_width_ms) }
    }

    fn is_test(&self) -> bool {
        self.hour_width_ms != kms_host::home::HOUR_MS
    }
}

/// The site. Dropping it kills the host and removes the folder.
pub struct Site {
    // Dropped before the folder that it writes into.
    host: Option<HostProcess>,
    home: Home,
    address: SocketAddr,
    program: Program,
    product: Product,
    folder: TempDir,
}

impl Site {
    /// Makes the site and starts its host; `program` is `kms-host`.
    ///
    /// # Errors
    /// The numbers do not hold, the disk refuses, or the host does not start.
    pub async fn start(program: Program, numbers: Numbers) -> anyhow::Result<Site> {
        let folder = tempfile::Builder::new().prefix("kms-load-").tempdir()?;
        let shop = Shop::open(folder.path(), PRODUCT, numbers.policy, numbers.is_test())?;
        let home = shop.make_bare_host("host", numbers.hour_width_ms)?;
        shop.certify(&home, ORGANISATION, SystemClock::new().now(), Duration::from_hours(365 * 24))?;
        std::fs::write(home.path().join("kms-host.toml"), WITHOUT_LIMITS)?;
        let host = HostProcess::start(&program, &home, SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let address = host.address();
        Ok(Site { host: Some(host), home, address, program, product: shop.compiled(), folder })
    }

    /// Where the host serves, or did before it was stopped.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What machines of this site have compiled in.
    pub fn product(&self) -> Product {
        self.product
    }

    /// The process id of the host, if it runs.
    pub fn pid(&self) -> Option<u32> {
        self.host.as_ref().and_then(HostProcess::id)
    }

    /// The folder with the vendor and the host, which goes with the site.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// The running count.
    ///
    /// # Errors
    /// The host does not run, or does not answer.
    pub async fn count(&self) -> anyhow::Result<u64> {
        self.host.as_ref().context("the host does not run")?.count().await
    }

    /// What the host counts now, and needs.
    ///
    /// # Errors
    /// The host does not run, or does not answer.
    pub(crate) async fn counted(&self) -> anyhow::Result<HostCount> {
        let status = self.host.as_ref().context("the host does not run")?.status().await?;
        let product = status.products.first().context("the host has no product")?;
        Ok(HostCount { at_ms: status.now, count: product.count, threshold: product.threshold, asked: true })
    }

    /// Stops the host in order; one that does not run is left so.
    ///
    /// # Errors
    /// It did not stop in order.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        match self.host.take() {
            Some(host) => host.stop().await.map(drop),
            None => Ok(()),
        }
    }

    /// Kills the host (SIGKILL); one that does not run is left so.
    ///
    /// # Errors
    /// It is gone already.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        match self.host.take() {
            Some(host) => host.kill().await.map(drop),
            None => Ok(()),
        }
    }

    /// Starts the host on its address again; one that runs is left so.
    ///
    /// # Errors
    /// It does not start; the port may be taken by now.
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        if self.host.is_none() {
            self.host = Some(HostProcess::start(&self.program, &self.home, self.address).await?);
        }
        Ok(())
    }

    /// Holds the host still (SIGSTOP): the kernel accepts connections, and no ask is answered.
    ///
    /// # Errors
    /// The host does not run.
    pub async fn pause(&self) -> anyhow::Result<()> {
        self.signal("-STOP").await
    }

    /// Lets it go on (SIGCONT). A host that is held still cannot be stopped in order.
    ///
    /// # Errors
    /// The host does not run.
    pub async fn resume(&self) -> anyhow::Result<()> {
        self.signal("-CONT").await
    }

    async fn signal(&self, signal: &str) -> anyhow::Result<()> {
        let pid = self.pid().context("the host does not run")?;
        let sent = Command::new("kill").args([signal, &pid.to_string()]).status().await?;
        if !sent.success() {
            bail!("the signal {signal} could not be sent to the host");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compressed_numbers_hold_together_and_are_marked_as_test() {
        for window_s in [1, 20, 600, 86_400] {
            let numbers = Numbers::compressed(25, Duration::from_secs(window_s));
            assert!(numbers.policy.checked().is_ok(), "{numbers:?}");
            assert!(numbers.is_test() && 0 < numbers.hour_width_ms);
        }
        assert!(Numbers::real(25).policy.check_lower_bounds().is_ok() && !Numbers::real(25).is_test());
    }
}
