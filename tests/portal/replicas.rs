//! What several portals on one PostgreSQL meet, and a server that is not always there.

use kms_portal::battery::crowd::crowd;
use kms_portal::battery::{Opened, World};
use kms_portal::db::{By, Db, DbError, Organisation};
use kms_portal::issue::Pepper;
use shared::ids::OrganisationId;
use world::Postgres;

use crate::open::SERVER;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_portals_that_start_at_once_give_300_machines_the_150_places_of_a_key() {
    let Some(server) = SERVER.as_ref() else { return };
    let url = server.database().unwrap();
    let (one, two) = tokio::join!(Db::open_postgres(&url), Db::open_postgres(&url));
    let portals = [one.unwrap(), two.unwrap()];
    let world = World::new(Opened { db: portals[0].clone(), keeps: Box::new(()) }).await;
    crowd(world, &portals, 300, 150).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_portals_give_60_machines_that_ask_and_call_the_30_places_of_a_key() {
    let Some(server) = SERVER.as_ref() else { return };
    let url = server.database().unwrap();
    let portals = [Db::open_postgres(&url).await.unwrap(), Db::open_postgres(&url).await.unwrap()];
    let world = World::new(Opened { db: portals[0].clone(), keeps: Box::new(()) }).await;
    kms_portal::battery::codes::crowd(world, &portals).await;
}

/// A connection that was cut is no damage, and nothing is lost: whoever asks again is served.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_cut_cost_nothing_but_another_try() {
    let Some(server) = SERVER.as_ref() else { return };
    let url = server.database().unwrap();
    let db = Db::open_postgres(&url).await.unwrap();
    let world = World::new(Opened { db, keeps: Box::new(()) }).await;
    let key = world.machine_key(50).await;
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    for used in 1..=20 {
        server.run(&url, cut).unwrap();
        let machine = world.machine();
        let confirmed = loop {
            match world.db.activate_machine(world.activation(&key, &machine)).await {
                Ok(confirmed) => break confirmed.unwrap(),
                Err(error) => assert!(matches!(error, DbError::Unavailable { .. }), "{error:?}"),
            }
        };
        assert_eq!(confirmed.used, used);
    }
}

/// Without fsync, PostgreSQL says that a commit is durable before it is.
#[tokio::test]
async fn a_server_that_does_not_sync_is_refused() {
    if SERVER.is_none() {
        return;
    }
    for setting in ["fsync=off", "full_page_writes=off"] {
        let server = Postgres::start(&[setting]).unwrap();
        let refused = Db::open_postgres(&server.database().unwrap()).await.err().unwrap();
        assert!(matches!(refused, DbError::NotDurable { .. }), "{refused:?}");
        let cause = std::error::Error::source(&refused).unwrap().to_string();
        assert_eq!(cause, format!("the server has {}", setting.replace('=', " = ")));
    }
}

/// Two portals that record at once would give two changes one number, or one digest two successors.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_changes_of_two_portals_are_one_chain() {
    let Some(server) = SERVER.as_ref() else { return };
    let url = server.database().unwrap();
    let (one, two) = tokio::join!(Db::open_postgres(&url), Db::open_postgres(&url));
    let portals = [one.unwrap(), two.unwrap()];
    let world = World::new(Opened { db: portals[0].clone(), keeps: Box::new(()) }).await;
    let (key, before) = (world.machine_key(3).await, world.db.verify_changes().await.unwrap().changes);
    let changes = (0..100_u8).map(|number| {
        let (db, by) = (portals[usize::from(number % 2)].clone(), world.by("at once"));
        let number_of_key = key.number();
        tokio::spawn(async move {
            // Some take the row of a key before that of the changes.
            if number % 5 == 0 {
                db.block_key(number_of_key, by).await.unwrap().unwrap();
            } else {
                let id = OrganisationId::from_bytes([100 + number; 16]);
                let organisation = Organisation { id, name: format!("organisation {number}") };
                db.set_organisation(organisation, By { who: "two".into(), ..by }).await.unwrap().unwrap();
            }
        })
    });
    for change in changes.collect::<Vec<_>>() {
        change.await.unwrap();
    }
    let checked = portals[1].verify_changes().await.unwrap();
    assert_eq!((checked.changes, checked.broken), (before + 100, None));
    server.run(&url, "UPDATE changes SET who = 'nobody' WHERE number = 50").unwrap();
    assert_eq!(portals[0].verify_changes().await.unwrap().broken.map(|(number, _)| number), Some(51));
}

/// A second portal that was made by an `init` of its own has another pepper: it would find no key.
#[tokio::test]
async fn a_database_is_for_the_pepper_that_it_was_opened_with_first() {
    let Some(server) = SERVER.as_ref() else { return };
    let [one, other] = [1, 2].map(|byte| Pepper::new([byte; Pepper::BYTES].into()));
    let url = server.database().unwrap();
    assert_eq!(Db::postgres_is_for(&url, &one).await.unwrap(), None);
    let db = Db::open_postgres(&url).await.unwrap();
    assert!(db.is_for(&one).await.unwrap() && !db.is_for(&other).await.unwrap());
    assert!(db.is_for(&one).await.unwrap(), "it stays so");
    assert_eq!(Db::postgres_is_for(&url, &one).await.unwrap(), Some(true));
    assert_eq!(Db::postgres_is_for(&url, &other).await.unwrap(), Some(false));
}
