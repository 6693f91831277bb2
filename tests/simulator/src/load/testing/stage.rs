//! For the tests of `load`: a vendor and a host inside this process, and what machines need to ask it.

use std::sync::Arc;
use std::time::Duration;

use shared::certificate::Roots;
use shared::ids::ProductId;
use shared::policy::Policy;
use shared::time::{Clock, Timestamp};
use world::clock::NEW_YEAR;
use world::{Shop, TestClock, TestHost};

use crate::load::chains::Chains;
use crate::load::machine::{Machine, Outgoing, Reply};
use crate::load::sources::Addresses;
use crate::load::wire::{Limits, Wire};

pub(crate) struct Stage {
    pub(crate) shop: Shop,
    pub(crate) host: TestHost,
    pub(crate) wire: Wire,
    pub(crate) chains: Chains,
    pub(crate) folder: tempfile::TempDir,
}

/// One host of a product with this threshold, and a fresh connection for every ask.
pub(crate) async fn stage(threshold: u32) -> Stage {
    let folder = tempfile::tempdir().unwrap();
    let policy = Policy { threshold, ..Policy::CLIENT };
    let shop = Shop::open(folder.path(), "Atlas", policy, false).unwrap();
    let home = shop.make_host("host", NEW_YEAR).unwrap();
    let host = TestHost::start(&home, Arc::new(TestClock::at(NEW_YEAR))).await.unwrap();
    let wire = Wire::new(0, vec![host.address()], Addresses::new(1), Limits::default());
    Stage { shop, host, wire, chains: Chains::default(), folder }
}

impl Stage {
    pub(crate) fn product(&self) -> ProductId {
        self.shop.product().id
    }

    pub(crate) fn roots(&self) -> Roots {
        let roots = self.shop.vendor().roots();
        Roots::new(roots.iter().map(<[u8; 32]>::as_slice)).unwrap()
    }

    pub(crate) fn machine(&self) -> Machine {
        Machine::new(self.product(), &mut rand::rng())
    }

    /// A second passes, and this machine asks.
    pub(crate) async fn ask(&self, machine: &mut Machine) -> Reply {
        self.ask_and_keep(machine).await.0
    }

    /// The same, with the ask and what came back.
    pub(crate) async fn ask_and_keep(&self, machine: &mut Machine) -> (Reply, Outgoing, proto::v1::Answer) {
        let outgoing = machine.ask(self.tick());
        let answer = self.wire.activate(0, 0, outgoing.request.clone()).await.unwrap();
        (machine.take(&answer, &self.chains), outgoing, answer)
    }

    pub(crate) fn tick(&self) -> Timestamp {
        self.host.clock.advance(Duration::from_secs(1));
        self.host.clock.now()
    }
}
