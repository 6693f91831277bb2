//! A fleet of machines in this process: each a whole client library with a state folder and an identity of its own.

use std::path::Path;
use std::time::Duration;

use kms_client::{LicenseState, Notice};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use world::machine::Finds;
use world::{Machine, Shop};

/// Machines, and the loops that keep them licensed.
pub(crate) struct Fleet {
    machines: Vec<Machine>,
    loops: JoinSet<()>,
    stop: CancellationToken,
}

/// How many machines stand where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// In grace, not licensed yet.
    pub(crate) in_grace: u64,
    /// Licensed, in whichever state of it.
    pub(crate) licensed: u64,
    /// The lease has ended, or there never was one.
    pub(crate) lapsed: u64,
    /// Of all: how many would show a notice to everybody.
    pub(crate) warned: u64,
}

impl Fleet {
    pub(crate) fn new() -> Fleet {
        Fleet { machines: Vec::new(), loops: JoinSet::new(), stop: CancellationToken::new() }
    }

    /// Switches on one more machine: it finds its host by itself from here on.
    pub(crate) fn switch_on(
        &mut self,
        shop: &Shop,
        grace: Duration,
        folder: &Path,
        finds: &Finds,
    ) -> anyhow::Result<()> {
        let name = format!("machine-{:02}", self.machines.len() + 1);
        let retry_interval = shop.product().policy.retry_interval;
        let product = shop.compiled().with_grace(grace).with_retry_interval(retry_interval);
        let machine = Machine::with(product, &folder.join(&name), &name, finds, None)?;
        let (client, end) = (machine.client.clone(), self.stop.clone().cancelled_owned());
        self.loops.spawn(async move { client.run(end).await });
        self.machines.push(machine);
        Ok(())
    }

    /// Where the machines stand, by their own state.
    pub(crate) fn standing(&self) -> Standing {
        let mut standing = Standing::default();
        for state in self.states() {
            match state {
                LicenseState::InGrace { .. } => standing.in_grace += 1,
                LicenseState::Lapsed { .. } | LicenseState::NeverActivated { .. } => standing.lapsed += 1,
                _ if state.is_licensed() => standing.licensed += 1,
                _ => {}
            }
            standing.warned += u64::from(state.notice() == Notice::Warning);
        }
        standing
    }

    pub(crate) fn len(&self) -> u64 {
        self.machines.len() as u64
    }

    /// How many have accepted at least this many answers more than the serials noted before.
    pub(crate) fn renewed_since(&self, before: &[u64]) -> u64 {
        self.serials().iter().zip(before).filter(|(now, before)| **now > **before).count() as u64
    }

    /// The serial that each machine has saved.
    pub(crate) fn serials(&self) -> Vec<u64> {
        self.machines.iter().map(|machine| machine.client.snapshot().serial).collect()
    }

    /// How many distinct identities there are.
    pub(crate) fn identities(&self) -> u64 {
        let mut ids: Vec<_> = self.machines.iter().map(|machine| machine.client.snapshot().machine).collect();
        ids.sort_unstable();
        ids.dedup();
        ids.len() as u64
    }

    /// How many hold a lease that names them and this organisation, verified down from the pinned roots: a lease that
    /// does not is never held.
    pub(crate) fn leases(&self, organisation: &str) -> u64 {
        let holds = |machine: &&Machine| {
            let snapshot = machine.client.snapshot();
            let named = snapshot.organisation.as_ref().is_some_and(|ours| ours.name == organisation);
            named && snapshot.lease.as_ref().is_some_and(|lease| lease.machine == snapshot.machine)
        };
        self.machines.iter().filter(holds).count() as u64
    }

    /// How many found the host that gave their lease by an SRV record in this domain.
    pub(crate) fn found_by_srv(&self, domain: &str) -> u64 {
        let by_srv = |machine: &&Machine| {
            machine.client.snapshot().attempts.iter().any(|attempt| {
                matches!(&attempt.source, Some(kms_client::Source::Dns { domain: found, .. }) if found == domain)
            })
        };
        self.machines.iter().filter(by_srv).count() as u64
    }

    /// Wakes every machine, as the morning does.
    pub(crate) fn wake(&self) {
        self.machines.iter().for_each(|machine| machine.client.wake());
    }

    pub(crate) async fn switch_off(mut self) {
        self.stop.cancel();
        while self.loops.join_next().await.is_some() {}
    }

    fn states(&self) -> impl Iterator<Item = LicenseState> {
        self.machines.iter().map(|machine| machine.client.state())
    }
}
