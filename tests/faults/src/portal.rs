//! The load of a portal's database: numbered batches, the same in every process that knows the seed, and what a database that took them
//! must hold.
//!
//! The asks of a batch come at once, as hosts and machines make them, so they share commits. A process that is started on a database
//! repeats the whole batch that was interrupted, like machines whose answer was lost. `load.rs` is the same for an engine of `store`.

use std::collections::BTreeMap;
use std::future::Future;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use kms_portal::battery::world::{HOUR, Host, Machine, PRODUCT, START};
use kms_portal::battery::{Opened, World};
use kms_portal::db::{ActivateHost, CertifiedHost, Db, HostAsk, ReleaseMachine, RenewHost};
use kms_portal::rules::keys::granted::Granted;
use kms_portal::rules::keys::{Asked, KeyRefusal};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use shared::envelope::SecretKey;
use shared::ids::{CertificateId, Fingerprint, Nonce};
use shared::parts::HardwareParts;
use shared::product_key::{KeyKind, ProductKey, ProductTag};
use shared::time::Timestamp;
use tokio::task::JoinSet;

use crate::Role;
use crate::subject::Subject;
use crate::verdict::Found;

/// New machines of each batch on the key that has room for all.
const NEW: u64 = 6;

/// How many of them give their place back in the next batch.
const LEAVING: u64 = 2;

/// New machines of each batch on the key that has too few places. They leave in the next batch.
const CROWDING: u64 = 2;

/// How many places that key has.
const CROWDED_PLACES: u64 = 3;

/// Hosts that take turns: each is activated once and then renewed.
const HOSTS: u64 = 4;

/// Loads the database from its last batch on, and prints each number once its batch is acknowledged, until nobody reads them.
pub(crate) fn load(role: &Role) -> anyhow::Result<()> {
    runtime()?.block_on(async {
        let load = Load::open(role).await?;
        let mut acknowledgements = io::stdout().lock();
        for number in load.last().await? + 1.. {
            if role.no_sync {
                // Too early: nothing of it is written yet.
                writeln!(acknowledgements, "{number}")?;
                load.batch(number).await?;
            } else {
                load.batch(number).await?;
                if writeln!(acknowledgements, "{number}").is_err() {
                    break;
                }
            }
        }
        Ok(())
    })
}

/// Opens the database after its loader was killed, and compares it with what must be there after its last batch.
pub(crate) fn check(role: &Role) -> Found {
    let judged = runtime().and_then(|runtime| {
        runtime.block_on(async {
            let load = Load::open(role).await?;
            let last = load.last().await?;
            let is_whole = load.judge(last).await;
            if let Err(error) = &is_whole {
                eprintln!("  {error:#}");
            }
            Ok(if is_whole.is_ok() { Found::Whole { last } } else { Found::Halved { last } })
        })
    });
    judged.unwrap_or_else(|error| Found::Closed { reason: format!("{error:#}").replace('\n', " ") })
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}

/// A database, and what is done to it.
struct Load {
    world: Arc<World>,
    seed: u64,
    roomy: ProductKey,
    crowded: ProductKey,
    hosts: ProductKey,
}

impl Load {
    async fn open(role: &Role) -> anyhow::Result<Load> {
        let db = match role.store {
            Subject::Postgres => {
                let url = role.directory.to_str().context("the URL is no text")?;
                Db::open_postgres(url).await?
            }
            _ => open_sqlite(&role.directory).await?,
        };
        let world = World::new(Opened { db, keeps: Box::new(()) }).await;
        let key = |kind, name: u8| ProductKey::new(kind, ProductTag::of(PRODUCT), &[name; 10]);
        let load = Load {
            world: Arc::new(world),
            seed: role.seed,
            roomy: key(KeyKind::MultipleActivation, 1),
            crowded: key(KeyKind::MultipleActivation, 2),
            hosts: key(KeyKind::Host, 3),
        };
        let places = |machines| Granted { releases: 1_000_000, ..Granted::machines(machines) };
        let keys = [
            (&load.roomy, places(1_000_000)),
            (&load.crowded, places(CROWDED_PLACES)),
            (&load.hosts, Granted::HOST),
        ];
        for (key, granted) in keys {
            // It is there, unless the database is new.
            let _ = load.world.issue(load.world.new_key(key, PRODUCT, granted)).await;
        }
        Ok(load)
    }

    /// Makes every ask of a batch at once, and waits until all are answered.
    async fn batch(&self, number: u64) -> anyhow::Result<()> {
        let mut asks = JoinSet::new();
        for place in 0..NEW {
            asks.spawn(self.activate(&self.roomy, number, place, true));
        }
        for place in NEW..NEW + CROWDING {
            asks.spawn(self.activate(&self.crowded, number, place, false));
        }
        if 1 < number {
            for place in 0..LEAVING {
                asks.spawn(self.release(&self.roomy, number, place, true));
            }
            for place in NEW..NEW + CROWDING {
                asks.spawn(self.release(&self.crowded, number, place, false));
            }
        }
        let certify = self.certify(number);
        asks.spawn(async move { certify.await?.map(drop).context("a host was refused") });
        asks.join_all().await.into_iter().collect()
    }

    fn activate(
        &self,
        key: &ProductKey,
        number: u64,
        place: u64,
        is_sure: bool,
    ) -> impl Future<Output = anyhow::Result<()>> + use<> {
        let mut ask = self.world.activation(key, &self.machine(number, place));
        ask.place = place_id(number, place);
        ask.now = at(number);
        let db = self.world.db.clone();
        async move { expected(db.activate_machine(ask).await?.map(drop), is_sure) }
    }

    /// A machine of the batch before gives its place back.
    fn release(
        &self,
        key: &ProductKey,
        number: u64,
        place: u64,
        is_sure: bool,
    ) -> impl Future<Output = anyhow::Result<()>> + use<> {
        let machine = self.machine(number - 1, place).identity.public().machine();
        let ask = ReleaseMachine {
            key: key.number(),
            product: PRODUCT,
            machine,
            asked: asked(number, 100 + place),
            now: at(number),
        };
        let db = self.world.db.clone();
        async move { expected(db.release_machine(ask).await?.map(drop), is_sure) }
    }

    /// The host whose turn it is is activated, or renewed.
    fn certify(
        &self,
        number: u64,
    ) -> impl Future<Output = anyhow::Result<Result<CertifiedHost, KeyRefusal>>> + use<> {
        let host = Host {
            identity: self.secret(0, 1_000 + number % HOSTS),
            asked: asked(number, 1_000),
            hour_width: HOUR,
        };
        let certificate = place_id(number, 1_000);
        let ask = HostAsk { certificate, now: at(number), ..self.world.host_ask(&host) };
        let db = self.world.db.clone();
        let first = (number <= HOSTS).then(|| self.world.mac(&self.hosts));
        async move {
            Ok(match first {
                Some(key) => db.activate_host(ActivateHost { key, ask }).await?,
                None => db.renew_host(RenewHost { product: PRODUCT, ask }).await?,
            })
        }
    }

    fn machine(&self, number: u64, place: u64) -> Machine {
        let part = |kind: &str| format!("{kind} {} {number} {place}", self.seed);
        Machine {
            identity: self.secret(number, place),
            product: PRODUCT,
            asked: asked(number, place),
            fingerprint: Fingerprint::of_machine(PRODUCT, part("installation").as_bytes()),
            parts: HardwareParts::of_machine(PRODUCT, &part("board"), &part("disk"), &part("firmware")),
        }
    }

    fn secret(&self, number: u64, place: u64) -> SecretKey {
        let mut random = StdRng::seed_from_u64(self.seed ^ (number << 16 | place));
        SecretKey::from_seed(&random.random())
    }

    /// The last batch all of whose activations and releases are there.
    async fn last(&self) -> anyhow::Result<u64> {
        let places = self.places(&self.roomy).await?;
        let latest = places.keys().map(|(number, _)| *number).max().unwrap_or(0);
        Ok(if is_complete(&places, latest) { latest } else { latest.saturating_sub(1) })
    }

    /// Compares everything with what a database that took the batches 1 to `last`, and perhaps some asks of the next, must hold.
    async fn judge(&self, last: u64) -> anyhow::Result<()> {
        let (db, now) = (&self.world.db, at(last));
        ensure!(db.miscounted().await?.is_empty(), "a key counts other places than it has");
        let places = self.places(&self.roomy).await?;
        ensure!((1..=last).all(|number| is_complete(&places, number)), "an ask of a batch before is missing");
        ensure!(places.keys().all(|(number, _)| *number <= last + 1), "there is a place of nobody");
        for (key, places) in [(&self.roomy, places), (&self.crowded, self.places(&self.crowded).await?)] {
            let key = db.key(key.number(), now).await?.context("a key is missing")?;
            let live = places.values().filter(|is_freed| !**is_freed).count() as u64;
            ensure!(key.taken.machines == live, "{} places are taken, {live} are there", key.taken.machines);
            ensure!(live <= key.granted.machines, "{live} places of {} are taken", key.granted.machines);
        }
        for number in last.saturating_sub(HOSTS - 1).max(1)..=last {
            match self.certify(number).await? {
                Ok(host) => ensure!(host.again, "the certificate of batch {number} is missing"),
                // The next batch has made the same host's next ask.
                Err(KeyRefusal::Replayed) if number + HOSTS == last + 1 => {}
                Err(refused) => bail!("the host of batch {number}: {refused}"),
            }
        }
        Ok(())
    }

    /// Whose places there are, and whether each was freed.
    async fn places(&self, key: &ProductKey) -> anyhow::Result<Places> {
        let listed = self.world.db.places(key.number(), None, u32::MAX).await?;
        Ok(listed.iter().map(|one| (owner(one.id), one.freed_at.is_some())).collect())
    }
}

/// Batch and place, and whether it was freed.
type Places = BTreeMap<(u64, u64), bool>;

/// Whether everything is there that batch `number` did to the key with room for all.
fn is_complete(places: &Places, number: u64) -> bool {
    let Some(before) = number.checked_sub(1) else { return true };
    let has_taken = (0..NEW).all(|place| places.contains_key(&(number, place)));
    let has_freed = (0..LEAVING).all(|place| places.get(&(before, place)).is_none_or(|freed| *freed));
    has_taken && has_freed
}

/// What was answered. On the crowded key, a machine may be refused, and its repeated ask as well.
fn expected(answer: Result<(), KeyRefusal>, is_sure: bool) -> anyhow::Result<()> {
    match answer {
        Err(refused) if is_sure => bail!("a machine was refused: {refused}"),
        _ => Ok(()),
    }
}

async fn open_sqlite(directory: &Path) -> anyhow::Result<Db> {
    std::fs::create_dir_all(directory)?;
    let file = directory.join("portal.db");
    if !file.exists() {
        Db::create_sqlite(&file)?;
    }
    Ok(Db::open_sqlite(&file).await?)
}

fn asked(number: u64, place: u64) -> Asked {
    let (nonce, now) = (Nonce::from_bytes(name(number, place)), at(number));
    Asked::new(nonce, now, now).expect("its clock is the portal's")
}

/// A second for each batch, so that each ask of a machine is later than the one before.
fn at(number: u64) -> Timestamp {
    START + std::time::Duration::from_secs(number)
}

fn place_id(number: u64, place: u64) -> CertificateId {
    CertificateId::from_bytes(name(number, place))
}

fn name(number: u64, place: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    bytes[8..].copy_from_slice(&place.to_be_bytes());
    bytes
}

fn owner(place: CertificateId) -> (u64, u64) {
    let half = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().expect("half of 16 bytes is 8"));
    let (number, place) = place.as_bytes().split_at(8);
    (half(number), half(place))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(directory: &Path) -> Role {
        Role { store: Subject::Sqlite, directory: directory.to_owned(), seed: 7, no_sync: false }
    }

    /// A database that took three batches, and what is found after something was done to it.
    fn check_after(act: impl AsyncFnOnce(&Load)) -> Found {
        let folder = tempfile::tempdir().unwrap();
        let role = role(folder.path());
        runtime().unwrap().block_on(async {
            let load = Load::open(&role).await.unwrap();
            for number in 1..=3 {
                load.batch(number).await.unwrap();
            }
            act(&load).await;
            load.world.db.clone().close().await;
        });
        check(&role)
    }

    #[test]
    fn a_database_that_took_every_batch_is_whole_and_a_batch_made_again_changes_nothing() {
        assert_eq!(check_after(async |_| {}), Found::Whole { last: 3 });
        assert_eq!(check_after(async |load| load.batch(3).await.unwrap()), Found::Whole { last: 3 });
    }

    #[test]
    fn some_asks_of_the_next_batch_may_be_there() {
        let some = async |load: &Load| {
            load.activate(&load.roomy, 4, 0, true).await.unwrap();
            load.release(&load.roomy, 4, 1, true).await.unwrap();
            load.certify(4).await.unwrap().unwrap();
        };
        assert_eq!(check_after(some), Found::Whole { last: 3 });
    }

    #[test]
    fn a_batch_before_the_last_of_which_something_is_missing_is_halved() {
        let skip_some = async |load: &Load| {
            for place in 0..LEAVING {
                load.activate(&load.roomy, 4, place, true).await.unwrap();
            }
            load.certify(4).await.unwrap().unwrap();
            load.batch(5).await.unwrap();
        };
        assert_eq!(check_after(skip_some), Found::Halved { last: 5 });
    }

    #[test]
    fn a_renewal_that_is_missing_is_found() {
        let without_its_host = async |load: &Load| {
            for place in 0..NEW {
                load.activate(&load.roomy, 4, place, true).await.unwrap();
            }
            for place in 0..LEAVING {
                load.release(&load.roomy, 4, place, true).await.unwrap();
            }
        };
        assert_eq!(check_after(without_its_host), Found::Halved { last: 4 });
    }
}
