//! An organisation of 100,000 people: how long each page takes, and how long it takes to replace 50,000 licences at once. It takes minutes,
//! so it is run by hand: `cargo test --release -p kms-tests --test portal -- --ignored --nocapture large`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kms_portal::battery::people::wanted;
use kms_portal::battery::world::ORGANISATION;
use kms_portal::db::{Assignment, NewPerson};
use kms_portal::rules::PersonId;
use kms_portal::rules::offers::Country;
use kms_portal::rules::rights::AdminRole;
use kms_portal::rules::seats::{IfNotAll, SeatChange};
use tokio::task::JoinSet;

use crate::web::Site;

const PEOPLE: usize = 100_000;
const LICENSED: u32 = 50_000;

/// How many people are added at once.
const AT_ONCE: usize = 64;

/// No page may take longer, in a build as it is shipped.
const PAGE_MAX: Duration = Duration::from_millis(200);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes"]
async fn on_sqlite_pages_of_100_000_people_are_quick() {
    told("SQLite", crate::web::opened(crate::open::sqlite().await).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes"]
async fn on_postgres_pages_of_100_000_people_are_quick() {
    let Some(site) = crate::web::opened(crate::open::postgres().await).await else { return };
    told("PostgreSQL", site).await;
}

#[expect(clippy::disallowed_methods, reason = "it measures")]
async fn told(database: &str, site: Site) {
    let site = Arc::new(site);
    let world = &site.world;
    world.shop().await;
    world.buys("basic", LICENSED).await;
    world.buys("voice", LICENSED).await;
    let begun = Instant::now();
    let people = filled(&site).await;
    println!("{database}: {PEOPLE} people added in {:.1?}", begun.elapsed());
    let licensed = &people[..LICENSED as usize];
    let changes = [
        ("assigned", SeatChange::Add(wanted(&["basic"]))),
        ("replaced", SeatChange::Replace(wanted(&["voice"]))),
        ("replaced", SeatChange::Replace(wanted(&["basic"]))),
    ];
    for (what, change) in changes {
        let assignment = Assignment {
            organisation: ORGANISATION,
            people: licensed.to_vec(),
            change,
            if_not_all: IfNotAll::Nobody,
            dry_run: false,
            actor: world.staff(),
        };
        let begun = Instant::now();
        assert_eq!(world.db.assign(assignment).await.unwrap().unwrap().refused(), 0);
        println!("{database}: {LICENSED} licences {what} in {:.1?}", begun.elapsed());
    }
    let admin = world.admin(&[AdminRole::General]).await;
    let mut browser = site.browser_of(admin).await;
    let person = format!("/organisation/people/{}", people[0]);
    let paths = [
        "/organisation",
        "/organisation/people",
        "/organisation/people?q=person%2099999",
        "/organisation/people?q=nobody+is+called+so",
        "/organisation/people?which=unlicensed",
        "/organisation/people?which=unlicensed&q=nobody+is+called+so",
        "/organisation/people?which=deleted",
        "/organisation/licences",
        "/organisation/subscriptions",
        "/organisation/conflicts",
        "/organisation/roles",
        "/organisation/keys",
        "/organisation/audit",
        &person,
    ];
    for path in paths {
        browser.get(path).await.is(200);
        let begun = Instant::now();
        browser.get(path).await.is(200);
        let took = begun.elapsed();
        println!("{database}: {took:>8.1?} {path}");
        assert!(cfg!(debug_assertions) || took < PAGE_MAX, "{path}: {took:?}");
    }
    let list: Vec<_> = (0..LICENSED).map(|number| format!("p{number}@example.com")).collect();
    let list = list.join("\n");
    let fields = [("how", "replace"), ("list", list.as_str()), ("offer", "voice"), ("on", "voice/voice")];
    let begun = Instant::now();
    browser.post("/organisation/licences/preview", &fields).await.is(200).says("50000 served, 0 refused");
    println!("{database}: {LICENSED} licences previewed in {:.1?}", begun.elapsed());
}

/// So many people, all in one organisation.
async fn filled(site: &Arc<Site>) -> Vec<PersonId> {
    let people: Arc<Vec<PersonId>> =
        Arc::new((0..PEOPLE).map(|_| PersonId::from_bytes(site.world.draw())).collect());
    let mut adding = JoinSet::new();
    for worker in 0..AT_ONCE {
        let (site, people) = (site.clone(), people.clone());
        adding.spawn(async move {
            for (number, id) in people.iter().enumerate().skip(worker).step_by(AT_ONCE) {
                let person = NewPerson {
                    id: *id,
                    organisation: Some(ORGANISATION),
                    name: format!("Person {number}"),
                    address: format!("p{number}@example.com"),
                    location: Country::from_code("NL"),
                };
                site.world.db.add_person(person, site.world.staff()).await.unwrap().unwrap();
            }
        });
    }
    adding.join_all().await;
    people.to_vec()
}
