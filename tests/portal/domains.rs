//! Proofs of domains against real name servers: what administrators do to their zones, and what the portal makes of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use kms_dns::{DnsServer, Zone};
use kms_portal::act::domains::{Looked, begin, look_at_due, look_now};
use kms_portal::api::PortalCore;
use kms_portal::battery::World;
use kms_portal::battery::world::ORGANISATION;
use kms_portal::db::{Actor, LookNoted, OwnDomain, Principal};
use kms_portal::rules::domains::{ProofStanding, Scope};
use names::Authorities;
use world::TestClock;

const ZONE: &str = "
$TTL 60
@    SOA  ns1 hostmaster 1 3600 600 86400 60
     NS   ns1
     NS   ns2
ns1  A    192.0.2.1
ns2  A    192.0.2.2
";

/// A portal, and two name servers of corp.example. The first is also the resolver.
struct Stage {
    portal: Arc<PortalCore>,
    clock: Arc<TestClock>,
    servers: [DnsServer; 2],
    world: World,
}

impl Stage {
    async fn set() -> Stage {
        let world = World::new(crate::open::sqlite().await.unwrap()).await;
        let zone = || Zone::parse("corp.example.", ZONE).unwrap();
        let servers =
            [DnsServer::start(vec![zone()]).await.unwrap(), DnsServer::start(vec![zone()]).await.unwrap()];
        let [first, second]: [SocketAddr; 2] = [servers[0].address(), servers[1].address()];
        let at =
            move |address: std::net::IpAddr| if address.to_string() == "192.0.2.1" { first } else { second };
        let clock = Arc::new(TestClock::at(world.now));
        let portal = world.portal(clock.clone()).with_authorities(Authorities::new(first, at));
        Stage { portal: Arc::new(portal), clock, servers, world }
    }

    fn staff(&self) -> Actor {
        let mut by = self.world.by("as the customer asked");
        by.at = shared::time::Clock::now(&*self.clock);
        Actor { principal: Principal::Staff, by }
    }

    async fn begins(&self) -> OwnDomain {
        let begun = begin(&self.portal, ORGANISATION, "corp.example", Scope::Name, self.staff()).await;
        begun.unwrap().unwrap()
    }

    /// The administrator edits the zone of this server.
    fn edit(&self, server: usize, records: &str) {
        self.servers[server].replace(Zone::parse("corp.example.", &format!("{ZONE}{records}\n")).unwrap());
    }

    fn edit_both(&self, records: &str) {
        self.edit(0, records);
        self.edit(1, records);
    }

    /// Somebody presses the button, a minute later.
    async fn looks(&self) -> Looked {
        self.clock.advance(Duration::from_mins(1));
        look_now(&self.portal, ORGANISATION, "corp.example", self.staff()).await.unwrap().unwrap()
    }
}

#[tokio::test]
async fn a_record_as_the_page_shows_it_proves_the_domain() {
    let stage = Stage::set().await;
    let own = stage.begins().await;
    assert_eq!(own.token.len(), 26, "128 bits");
    assert_eq!(stage.looks().await, Looked::Noted(LookNoted::Waits));
    let record = kms_portal::rules::domains::record(&own.token);
    // Providers cut long records into strings, and other records may stand beside it.
    let (front, back) = record.split_at(9);
    stage.edit_both(&format!("_kms-challenge TXT \"{front}\" \"{back}\"\n_kms-challenge TXT other"));
    assert_eq!(stage.looks().await, Looked::Noted(LookNoted::Proved));
    assert_eq!(stage.looks().await, Looked::Noted(LookNoted::Holds(ProofStanding::Good)));
    let again = look_now(&stage.portal, ORGANISATION, "corp.example", stage.staff()).await.unwrap().unwrap();
    assert_eq!(again, Looked::JustNow, "others' name servers are not asked at each click");
}

#[tokio::test]
async fn mistakes_are_named() {
    let stage = Stage::set().await;
    let token = stage.begins().await.token;
    stage.edit_both(&format!("_kms-challenge.corp.example TXT token={token}"));
    let twice = "_kms-challenge.corp.example.corp.example".to_owned();
    assert_eq!(stage.looks().await, Looked::DomainTwice(twice));
    stage.edit_both("_kms-challenge TXT token=mistyped");
    assert_eq!(stage.looks().await, Looked::OtherRecords(vec!["token=mistyped".to_owned()]));
    stage.edit_both(&format!("_kms-tree-challenge TXT token={token}"));
    assert_eq!(stage.looks().await, Looked::Noted(LookNoted::Waits), "that is for the whole tree");
    stage.edit_both(&format!("@ TXT token={token}"));
    assert_eq!(stage.looks().await, Looked::Noted(LookNoted::Waits), "the label is missing");
}

#[tokio::test]
async fn one_server_that_has_the_record_is_enough_while_the_other_one_lags() {
    let stage = Stage::set().await;
    let token = stage.begins().await.token;
    stage.edit(1, &format!("_kms-challenge TXT token={token}"));
    assert_eq!(stage.looks().await, Looked::Noted(LookNoted::Proved));
}

#[tokio::test]
async fn servers_that_do_not_answer_say_nothing_about_a_domain() {
    let stage = Stage::set().await;
    let token = stage.begins().await.token;
    stage.edit_both(&format!("_kms-challenge TXT token={token}"));
    assert_eq!(stage.looks().await, Looked::Noted(LookNoted::Proved));
    for server in &stage.servers {
        server.fail("_kms-challenge.corp.example");
    }
    for _ in 0..4 {
        stage.clock.advance(Duration::from_hours(24 * 30));
        let Looked::Unanswered(faults) = stage.looks().await else { panic!("it was answered") };
        assert_eq!(faults.len(), 2, "{faults:?}");
    }
    for server in &stage.servers {
        server.mend("_kms-challenge.corp.example");
    }
    assert_eq!(stage.looks().await, Looked::Noted(LookNoted::Holds(ProofStanding::Good)));
}

#[tokio::test]
async fn the_portal_looks_by_itself_when_it_is_time() {
    let stage = Stage::set().await;
    let token = stage.begins().await.token;
    assert_eq!(look_at_due(&stage.portal).await.unwrap(), 0, "the record cannot be there yet");
    stage.edit_both(&format!("_kms-challenge TXT token={token}"));
    stage.clock.advance(Duration::from_mins(1));
    assert_eq!(look_at_due(&stage.portal).await.unwrap(), 1);
    let holder = async || {
        let now = shared::time::Clock::now(&*stage.clock);
        stage.portal.db.holder_of_domain("corp.example".to_owned(), now).await.unwrap()
    };
    assert_eq!(holder().await, Some(ORGANISATION));
    stage.edit_both("");
    // Weekly looks, until it is doubtful, and one when it lapses.
    for looks in [1, 1, 1, 1, 1, 1, 1] {
        stage.clock.advance(Duration::from_hours(24 * 7));
        assert_eq!(look_at_due(&stage.portal).await.unwrap(), looks);
    }
    assert_eq!(holder().await, None);
    stage.clock.advance(Duration::from_hours(24 * 365));
    assert_eq!(look_at_due(&stage.portal).await.unwrap(), 0);
}
