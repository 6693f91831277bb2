//! Pages for domains: an administrator proves one, and somebody becomes administrator of those who registered by themselves.

use std::time::Duration;

use kms_dns::{DnsServer, Zone};
use kms_portal::battery::{PASSWORD, World};
use kms_portal::db::{PersonEdit, PersonFilter};
use kms_portal::rules::PersonId;
use kms_portal::rules::offers::Country;
use kms_portal::rules::rights::AdminRole;
use names::Authorities;
use server::tls::Tls;
use shared::ids::OrganisationId;

use super::browser::Got;
use super::{Browser, Site};

const ZONE: &str = "
$TTL 60
@    SOA  ns1 hostmaster 1 3600 600 86400 60
     NS   ns1
ns1  A    192.0.2.1
";

/// A portal that asks a name server of the story.
async fn stage() -> (Site, DnsServer) {
    let zone = Zone::parse("corp.example.", ZONE).unwrap();
    let dns = DnsServer::start(vec![zone]).await.unwrap();
    let (at, world) = (dns.address(), World::new(crate::open::sqlite().await.unwrap()).await);
    let authorities = Authorities::new(at, move |_| at);
    let site = Site::serve_with(world, Tls::Off, None, |portal| portal.with_authorities(authorities)).await;
    (site, dns)
}

/// Publishes the record that a page shows.
fn publish(dns: &DnsServer, page: &Got) {
    let shown: Vec<_> =
        page.body.split("<code>").skip(1).map(|rest| rest.split('<').next().unwrap()).collect();
    let [name, kind, value] = shown[..] else { panic!("{}", page.body) };
    assert_eq!(kind, "TXT");
    dns.replace(Zone::parse("corp.example.", &format!("{ZONE}{name}. TXT \"{value}\"\n")).unwrap());
}

async fn signs_in(site: &Site, address: &str) -> Browser {
    let mut browser = site.browser();
    browser.post("/sign-in", &[("address", address), ("password", PASSWORD)]).await.is(303);
    browser.get("/?language=en").await.is(200);
    browser
}

#[tokio::test]
async fn an_administrator_proves_a_domain() {
    let (site, dns) = stage().await;
    let mut general = site.employee("ann@example.com", &[AdminRole::General]).await;
    general.get("/organisation/domains").await.is(200).says("no domains yet");
    for (domain, fault) in
        [("co.uk", "belongs to nobody alone"), ("gmail.com", "mailbox"), ("a b", "no domain")]
    {
        let refused = general.post("/organisation/domains", &[("domain", domain), ("scope", "name")]).await;
        refused.is(422).says(fault).says("aria-invalid").says(&format!("value=\"{domain}\""));
    }
    let form = [("domain", "Corp.Example"), ("scope", "tree")];
    general.post("/organisation/domains", &form).await.is(303);
    let page = general.get("/organisation/domains").await.is(200);
    let page = page.says("_kms-tree-challenge.corp.example").says("expiry=never");
    let look = [("domain", "corp.example")];
    general.post("/organisation/domains/look", &look).await.is(200).says("not found yet");
    publish(&dns, &page);
    site.clock.advance(Duration::from_secs(10));
    general.post("/organisation/domains/look", &look).await.is(200).says("was found").says("Proved on");
    general.post("/organisation/domains/remove", &look).await.is(303);
    general.post("/organisation/domains/remove", &look).await.is(303);
    general.get("/organisation/domains").await.is(200).says("no domains yet");
    // Whoever finds a browser that was left alone proves nothing.
    site.clock.advance(Duration::from_mins(15));
    let sent = general.post("/organisation/domains", &form).await.is(303);
    assert!(sent.location().starts_with("/sign-in/again"), "{}", sent.location());
    let mut billing = site.employee("bob@example.com", &[AdminRole::Billing]).await;
    billing.get("/organisation/domains").await.is(403).says("General administrator");
}

#[tokio::test]
async fn somebody_becomes_administrator_of_the_people_at_their_domain_and_licenses_them() {
    let (site, dns) = stage().await;
    let world = &site.world;
    world.shop().await;
    for address in ["ann@corp.example", "bob@corp.example", "eve@gmail.com"] {
        world.registered(address).await;
    }
    let mut eve = signs_in(&site, "eve@gmail.com").await;
    eve.post("/become-administrator/join", &[]).await.is(422).says("mailbox");
    let [mut ann, mut bob] =
        [signs_in(&site, "ann@corp.example").await, signs_in(&site, "bob@corp.example").await];
    bob.get("/").await.says("href=\"/become-administrator\"");
    bob.get("/become-administrator").await.is(200).says("corp.example").says("stay as they are");
    for browser in [&mut ann, &mut bob] {
        assert_eq!(
            browser.post("/become-administrator/join", &[]).await.is(303).location(),
            "/become-administrator"
        );
    }
    ann.get("/become-administrator").await.is(200).says("have no administrator").never_says("bob@");
    let page =
        ann.post("/become-administrator/record", &[]).await.is(200).says("_kms-challenge.corp.example");
    let again = ann.post("/become-administrator/record", &[]).await.is(200);
    assert_eq!(page.body, again.body, "the record that was published stays right");
    ann.post("/become-administrator/look", &[]).await.is(200).says("not found yet");
    publish(&dns, &page);
    // Bob looks as well, but the record is Ann's.
    site.clock.advance(Duration::from_secs(10));
    bob.post("/become-administrator/look", &[]).await.is(303);
    bob.get("/become-administrator").await.is(200).says("Ask one of them");
    let page = ann.get("/become-administrator").await.is(200).says("You administrate 2 accounts");
    page.says("bob@corp.example").says("Until something is bought").never_says("/licenses\"");
    // The wizard was left; nothing can be managed before buying.
    let people = ann.get("/organisation/people").await.is(200).says("bob@corp.example");
    let bob_id = people.body.split("/organisation/people/").find_map(|rest| {
        let (id, rest) = rest.split_once('"')?;
        rest.split("</tr>").next()?.contains("bob@").then(|| id.parse::<PersonId>().ok())?
    });
    let bob_id = bob_id.unwrap();
    let block = format!("/organisation/people/{bob_id}/block");
    ann.post(&block, &[("blocked", "yes")]).await.is(409).says("Buy licenses first");
    let corp: OrganisationId = world.db.person(bob_id).await.unwrap().unwrap().organisation.unwrap();
    world.buys_for(corp, "basic", 2).await;
    ann.get("/become-administrator").await.is(200).says("Free seats: 2").says("/licenses\"");
    let everybody = [("offer", "basic")];
    let live_in = async |country: Option<&str>| {
        let filter = PersonFilter { organisation: corp, after: None, unlicensed: false, deleted: false };
        for person in world.db.people(filter, 9).await.unwrap() {
            let edit = PersonEdit { name: person.name, location: country.and_then(Country::from_code) };
            world.db.edit_person(person.id, edit, world.staff()).await.unwrap().unwrap();
        }
    };
    live_in(None).await;
    let nobody = ann.post("/become-administrator/licenses", &everybody).await.is(200);
    nobody.says("Have a license now: 0. Without one: 2; ").says("such as a missing location");
    live_in(Some("NL")).await;
    let done = ann.post("/become-administrator/licenses", &everybody).await.is(200);
    done.says("Have a license now: 2. Without one: 0; ");
    bob.post("/become-administrator/licenses", &[("offer", "basic")]).await.is(403);
    eve.post("/become-administrator/licenses", &[("offer", "basic")]).await.is(404);
}
