//! A ledger that is kept elsewhere, and two hosts on it.

use std::sync::Arc;

use ledger::battery::Backend;
use ledger::battery::world::{Machine, World, hourly, meta};
use ledger::testing::Shared;
use ledger::{Ledger, LedgerError, RemoteLedger, Writer as _};

mod kept_elsewhere {
    ledger::battery!(crate::remote::ELSEWHERE);
}

pub(crate) const ELSEWHERE: Backend =
    Backend::Other(|meta, rows| Arc::new(RemoteLedger::over(Shared::new(rows), meta)));

/// Two hosts on one count: neither loses what the other has written, and the 25th machine is licensed whichever it asks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hosts_on_one_ledger_count_together() {
    let shared = Shared::new([]);
    let host = || World::over(Arc::new(RemoteLedger::over(shared.clone(), hourly())), None);
    let asks = |world: World| async move {
        let mut told = Vec::new();
        for machine in &mut Machine::some(50) {
            told.push(world.ask(machine).await);
        }
        told
    };
    let (one, other) = tokio::join!(tokio::spawn(asks(host())), tokio::spawn(asks(host())));

    let told = [one.unwrap(), other.unwrap()].concat();
    assert_eq!(told.iter().filter(|told| told.starts_with("waiting")).count(), 24, "{told:?}");
    assert_eq!(host().count().await, 100, "the running count, and the records one by one");
}

#[tokio::test]
async fn of_two_hosts_one_keeps_house_at_a_time() {
    let shared = Shared::new([]);
    let [one, other] = [(); 2].map(|()| RemoteLedger::over(shared.clone(), meta(100)));
    let house = one.housekeeping().await.unwrap();
    let refused = other.housekeeping().await.unwrap_err();
    assert!(matches!(refused, LedgerError::Unavailable { .. }) && !refused.is_fatal(), "{refused:?}");
    drop(house);
    other.housekeeping().await.unwrap();
    let _: Arc<dyn Ledger> = Arc::new(one);
}
