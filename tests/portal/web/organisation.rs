//! What administrators see and do in their organisation, page by page.

use std::num::NonZeroU32;

use bytes::Bytes;
use hyper::Method;
use kms_portal::battery::people::{offer, service, wanted};
use kms_portal::battery::world::{DAY, ORGANISATION, YEAR};
use kms_portal::db::{NewPerson, NewSession, Organisation, SoldSubscription, SubscriptionChange};
use kms_portal::rules::PersonId;
use kms_portal::rules::SubscriptionId;
use kms_portal::rules::life::Subscription;
use kms_portal::rules::rights::{AdminRole, AdminRoles, check};
use kms_portal::rules::seats::SeatChange;
use kms_portal::token::SessionToken;
use shared::ids::OrganisationId;

use super::{Browser, Site, on_both};

on_both! {
    every_page_wants_its_role_and_no_role_reaches_another_organisation
    people_are_found_added_blocked_and_let_in_again
    a_token_is_shown_once_and_taken_back
    a_deleted_person_comes_back_with_another_address_and_without_licences
    what_is_done_for_many_is_what_the_preview_said
    a_file_of_addresses_is_read_and_no_cell_comes_back_as_a_formula
    services_are_switched_for_one_person_and_a_missing_location_is_told
    the_last_general_administrator_is_named_and_stays
    a_cancellation_is_taken_back_with_the_end_that_was_paid
    conflicts_have_a_cause_ways_out_and_a_day
    keys_and_changes_are_shown_by_the_names_that_people_know
}

const OTHER: OrganisationId = OrganisationId::from_bytes([0x77; 16]);

impl Site {
    /// A browser in which this person is signed in.
    pub(crate) async fn browser_of(&self, person: PersonId) -> Browser {
        let token = SessionToken::draw();
        let session = NewSession { digest: token.digest(), source: "127.0.0.1".into(), at: self.world.now };
        assert!(self.world.db.begin_session(person, session).await.unwrap());
        let mut browser = self.browser();
        browser.cookies.insert("kms-session".into(), token.text().to_string());
        browser
    }

    async fn admin(&self, role: AdminRole) -> Browser {
        let person = self.world.admin(&[role]).await;
        self.browser_of(person).await
    }

    async fn named(&self, name: &str, address: &str) -> PersonId {
        let id = PersonId::from_bytes(self.world.draw());
        let (organisation, location) = (Some(ORGANISATION), None);
        let person = NewPerson { id, organisation, name: name.into(), address: address.into(), location };
        self.world.db.add_person(person, self.world.staff()).await.unwrap().unwrap();
        id
    }
}

fn person_path(id: PersonId) -> String {
    format!("/organisation/people/{id}")
}

async fn every_page_wants_its_role_and_no_role_reaches_another_organisation(site: Site) {
    let world = &site.world;
    world.shop().await;
    // Somebody is left whatever the forms below do.
    world.admin(&[AdminRole::General]).await;
    let id = OTHER;
    world
        .db
        .set_organisation(Organisation { id, name: "Other Works".into() }, world.by("new"))
        .await
        .unwrap()
        .unwrap();
    let stranger = world.add("eve@example.com", Some(OTHER)).await.unwrap();
    let general = AdminRoles::of([AdminRole::General]);
    world.db.set_roles(stranger, general, world.staff()).await.unwrap().unwrap();
    let mut stranger = site.browser_of(stranger).await;
    let mut nobody = site.browser();
    let mut user = site.browser_of(world.someone().await).await;
    let blocked = world.admin(&[AdminRole::General]).await;
    let mut was_general = site.browser_of(blocked).await;
    world.db.block_person(blocked, true, world.staff()).await.unwrap().unwrap();
    let mut admins = Vec::new();
    for role in AdminRole::ALL {
        admins.push((role, site.admin(role).await));
    }
    let pages = kms_portal_web::admin_pages();
    assert!(25 < pages.len());
    for page in pages {
        let (method, path) = (&page.method, page.path);
        let fresh = async || {
            let id = if path.contains("subscriptions") {
                world.buys("basic", 1).await.to_string()
            } else {
                world.someone().await.to_string()
            };
            path.replace("{id}", &id)
        };
        let told = format!("{method} {path}");
        let target = fresh().await;
        for (who, browser) in [("nobody", &mut nobody), ("blocked", &mut was_general)] {
            let got = asked(browser, method, &target).await;
            assert_eq!((got.status, &got.location()[..8]), (303, "/sign-in"), "{told} {who}");
        }
        assert_eq!(asked(&mut user, method, &target).await.status, 403, "{told}, a user");
        let got = asked(&mut stranger, method, &target).await;
        assert_eq!(got.status == 404, path.contains("{id}"), "{told}, another organisation: {}", got.status);
        for (role, browser) in &mut admins {
            let target = fresh().await;
            let got = asked(browser, method, &target).await;
            if check(AdminRoles::of([*role]), page.act, None).is_err() {
                assert_eq!(got.status, 403, "{told} {role:?}");
                got.says("Somebody with one of these roles can do it");
                continue;
            }
            // Whoever is there cannot be restored.
            let expected: &[u16] = match *method {
                Method::GET => &[200],
                _ if path.ends_with("restore") => &[404],
                _ => &[200, 303, 409, 422],
            };
            assert!(expected.contains(&got.status), "{told} {role:?}: {}", got.status);
        }
    }
}

/// Asks for a page, or sends an empty form.
async fn asked(browser: &mut Browser, method: &Method, path: &str) -> super::browser::Got {
    match *method {
        Method::GET => browser.get(path).await,
        _ => browser.post(path, &[]).await,
    }
}

async fn people_are_found_added_blocked_and_let_in_again(site: Site) {
    let mut browser = site.admin(AdminRole::UserAccess).await;
    site.world.admin(&[AdminRole::General]).await;
    let form = "/organisation/people/new";
    let wrong = [("name", ""), ("address", "nobody"), ("location", "NLD")];
    let got = browser.post(form, &wrong).await.is(422).says("aria-describedby=\"name-error\"");
    got.says("aria-invalid=\"true\"").says("Type two letters");
    let fields = [("name", "Bob <b> Smith"), ("address", "bob@example.com"), ("location", "nl")];
    let wrong = [("name", "Bob"), ("address", "nobody"), ("location", "")];
    browser.post(form, &wrong).await.is(422).says("This is no e-mail address");
    let there = browser.post(form, &fields).await.is(303).location().to_owned();
    browser.get(&there).await.is(200).says("Bob &#60;b&#62; Smith").says("invitation is on its way");
    browser.post(form, &fields).await.is(422).says("Somebody in the organisation has this address");
    let path = there.split('?').next().unwrap().to_owned();
    browser.post(&format!("{path}/block"), &[("blocked", "yes")]).await.is(303);
    browser.get("/organisation/people?q=BOB").await.is(200).says("bob@example.com").says("Blocked");
    browser.post(&format!("{path}/block"), &[("blocked", "no")]).await.is(303);
    browser.get("/organisation/people?q=bob").await.is(200).never_says("Blocked");
    browser.get("/organisation/people?q=nobody").await.is(200).says("Nobody was found");
    // 53 people on two pages.
    for _ in 0..50 {
        site.world.someone().await;
    }
    let first = browser.get("/organisation/people").await.is(200);
    assert_eq!(first.body.matches("<th scope=\"row\">").count(), 50);
    let next = first.body.split("rel=\"next\" href=\"").nth(1).unwrap().split('"').next().unwrap();
    let second = browser.get(&next.replace("&amp;", "&")).await.is(200);
    assert_eq!(second.body.matches("<th scope=\"row\">").count(), 3);
    // In the language of the visitor.
    browser.get("/organisation/people?language=nl").await.says("Persoon toevoegen");
}

async fn a_deleted_person_comes_back_with_another_address_and_without_licences(mut site: Site) {
    site.world.shop().await;
    site.world.buys("basic", 1).await;
    site.world.admin(&[AdminRole::General]).await;
    let mut browser = site.admin(AdminRole::UserAccess).await;
    let gone = site.world.add("ann@example.com", Some(ORGANISATION)).await.unwrap();
    site.world.assign(&[gone], SeatChange::Add(wanted(&["basic"])), site.world.staff()).await.unwrap();
    let path = person_path(gone);
    browser.get(&format!("{path}/delete")).await.is(200).says("free for others at once: basic");
    browser.post(&format!("{path}/delete"), &[]).await.is(303);
    browser.get(&path).await.is(200).says("can be restored").says("none");
    site.world.add("ann@example.com", Some(ORGANISATION)).await.unwrap();
    browser.get("/organisation/people?which=deleted").await.is(200).says(&path);
    let restore = format!("{path}/restore");
    browser.post(&restore, &[("address", "ann@example.com")]).await.is(422).says("address-error");
    browser.post(&restore, &[("address", "ann.2@example.com")]).await.is(303);
    browser.get(&path).await.is(200).says("ann.2@example.com").never_says("can be restored");
    assert!(site.world.has(gone).await.is_empty());
    // After 30 days it is too late.
    browser.post(&format!("{path}/delete"), &[]).await.is(303);
    site.world.now = site.world.now + DAY * 30;
    site.clock.set(site.world.now);
    let admin = site.world.admin(&[AdminRole::UserAccess]).await;
    let mut later = site.browser_of(admin).await;
    later.post(&restore, &[("address", "ann.2@example.com")]).await.is(422).says("more than 30 days ago");
}

async fn what_is_done_for_many_is_what_the_preview_said(site: Site) {
    let world = &site.world;
    world.shop().await;
    world.buys("basic", 2).await;
    let mut browser = site.admin(AdminRole::UserAccess).await;
    let mut people = Vec::new();
    for number in 0..3 {
        people.push(world.add(&format!("p{number}@example.com"), Some(ORGANISATION)).await.unwrap());
    }
    let list =
        "p0@example.com\r\nP1@example.com, p2@example.com\r\nnobody@example.com\r\n<b>\r\np0@example.com";
    let fields = |more: &'static [(&'static str, &'static str)]| {
        let always = [("how", "add"), ("list", list), ("offer", "basic"), ("on", "basic/mail")];
        always.into_iter().chain(more.iter().copied()).collect::<Vec<_>>()
    };
    browser
        .post("/organisation/licences/preview", &[("how", "add"), ("list", "")])
        .await
        .is(422)
        .says("list-error");
    browser
        .post("/organisation/licences/preview", &fields(&[])[..2])
        .await
        .is(422)
        .says("Choose at least one offer");
    let got = browser.post("/organisation/licences/preview", &fields(&[])).await.is(200);
    let got = got.says("2 served, 3 refused").says("1 more seats would be enough").says("&#60;b&#62;");
    got.says("Nobody in the organisation has this address").says("No seat of basic is left");
    assert!(world.has(people[0]).await.is_empty(), "a preview changes nothing");
    // All or nobody: there is not enough.
    let all = browser.post("/organisation/licences/assign", &fields(&[("for", "all")])).await.is(200);
    all.says("0 served, 5 refused").says("What would happen");
    assert!(world.has(people[0]).await.is_empty());
    let some = browser.post("/organisation/licences/assign", &fields(&[("for", "some")])).await.is(200);
    some.says("2 served, 3 refused").says("What was done");
    assert_eq!(world.has(people[1]).await, ["basic"]);
    let held = world.db.seats(people[0]).await.unwrap();
    assert_eq!(held["basic"].seat.off, [service("files")].into(), "what is not checked is off");
    // The same list again costs nothing, and taking back frees the seats.
    let again = browser.post("/organisation/licences/assign", &fields(&[("for", "some")])).await.is(200);
    again.says("2 served, 3 refused");
    let back =
        [("how", "revoke"), ("list", "p0@example.com p1@example.com"), ("offer", "basic"), ("for", "all")];
    browser.post("/organisation/licences/assign", &back).await.is(200).says("Has no license");
    assert_eq!(
        world.db.standing(ORGANISATION, world.now).await.unwrap().unwrap().pools["basic"].pool.taken,
        0
    );
    browser
        .post("/organisation/licences/assign", &[("how", "add"), ("list", list), ("offer", "nothing")])
        .await
        .is(422);
}

async fn a_file_of_addresses_is_read_and_no_cell_comes_back_as_a_formula(site: Site) {
    let world = &site.world;
    world.shop().await;
    world.buys("basic", 2).await;
    let mut browser = site.admin(AdminRole::UserAccess).await;
    world.add("ann@example.com", Some(ORGANISATION)).await.unwrap();
    world.add("bob@example.com", Some(ORGANISATION)).await.unwrap();
    let file = "\u{feff}Name;Address\r\n\"Smith; Ann\";Ann@example.com\r\nBob;bob@example.com\r\n=cmd();\r\n";
    let part = |name: &str, value: &str| {
        format!("--xx\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let form = |as_csv: bool| {
        let file = format!(
            "--xx\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\nContent-Type: text/csv\r\n\r\n{file}\r\n"
        );
        let fields =
            [part("how", "add"), part("list", ""), part("offer", "basic"), part("on", "basic/mail"), file];
        let csv = if as_csv { part("as", "csv") } else { String::new() };
        Bytes::from(format!("{}{csv}--xx--\r\n", fields.concat()))
    };
    let (path, kind) = ("/organisation/licences/preview", "multipart/form-data; boundary=xx");
    let shown = browser.send(Method::POST, path, kind, form(false)).await.is(200);
    shown.says("2 served, 1 refused").says("value=\"Ann@example.com\nbob@example.com\n=cmd()\"");
    let csv = browser.send(Method::POST, path, kind, form(true)).await.is(200);
    assert_eq!(csv.headers["content-type"], "text/csv; charset=utf-8");
    assert_eq!(
        csv.body,
        "\u{feff}E-mail address,Done,Result\nAnn@example.com,yes,Has basic\nbob@example.com,yes,Has basic\n\
         '=cmd(),no,This is no e-mail address.\n"
    );
    let big = Bytes::from(vec![b'a'; 5 * 1024 * 1024]);
    browser
        .send(Method::POST, path, "application/x-www-form-urlencoded", big)
        .await
        .is(413)
        .says("too large");
    browser.send(Method::POST, path, kind, Bytes::from_static(b"--xx\r\nhalf")).await.is(422);
}

async fn services_are_switched_for_one_person_and_a_missing_location_is_told(site: Site) {
    let world = &site.world;
    world.shop().await;
    world.buys("basic", 9).await;
    world.buys("voice", 9).await;
    let mut browser = site.admin(AdminRole::UserAccess).await;
    let ann = site.named("Ann", "ann@example.com").await;
    let path = person_path(ann);
    let licences = format!("{path}/licences");
    let basic = [("offer", "basic"), ("on", "basic/mail"), ("on", "basic/files")];
    let got = browser.post(&licences, &basic).await.is(422).says("The usage location is not set");
    got.says("The licenses stay as they were");
    browser.post(&path, &[("name", "Ann"), ("location", "AW")]).await.is(303);
    browser.post(&licences, &basic).await.is(303);
    let both = [("offer", "basic"), ("offer", "voice"), ("on", "voice/voice")];
    browser.post(&licences, &both).await.is(422).says("voice is not offered in AW");
    browser.post(&licences, &basic[..2]).await.is(303);
    assert_eq!(world.db.seats(ann).await.unwrap()["basic"].seat.off, [service("files")].into());
    browser.post(&licences, &[]).await.is(303);
    assert!(world.has(ann).await.is_empty());
}

async fn the_last_general_administrator_is_named_and_stays(site: Site) {
    let world = &site.world;
    let general = world.employee("ann@example.com", &[AdminRole::General]).await;
    world.gives_password(general, "ann@example.com").await;
    let mut browser = site.browser_of(general).await;
    browser.get("/organisation/roles").await.is(200).says("is the only general administrator");
    let (path, roles) = (person_path(general), [("role", "billing")]);
    browser.post(&format!("{path}/roles"), &roles).await.is(422).says("last general administrator");
    browser.post(&format!("{path}/delete"), &[]).await.is(422).says("last general administrator");
    browser
        .post(&format!("{path}/block"), &[("blocked", "yes")])
        .await
        .is(422)
        .says("last general administrator");
    browser.post(&format!("{path}/roles"), &[("role", "emperor")]).await.is(422);
    let second = world.employee("bob@example.com", &[]).await;
    world.gives_password(second, "bob@example.com").await;
    let to_second = format!("{}/roles", person_path(second));
    browser.get(&to_second).await.is(200).says("value=\"general\"");
    browser.post(&to_second, &[("role", "general"), ("role", "billing")]).await.is(303);
    browser.get("/organisation/roles").await.is(200).never_says("is the only general administrator");
    assert!(world.db.person(second).await.unwrap().unwrap().roles.has(AdminRole::Billing));
}

async fn a_cancellation_is_taken_back_with_the_end_that_was_paid(mut site: Site) {
    site.world.shop().await;
    let subscription = site.world.buys("basic", 9).await;
    let mut browser = site.admin(AdminRole::Billing).await;
    let path = format!("/organisation/subscriptions/{subscription}");
    browser.get("/organisation/subscriptions").await.is(200).says("Active until").says("renews by itself");
    browser.post(&format!("{path}/renews"), &[("renews", "no")]).await.is(303);
    browser
        .get("/organisation/subscriptions")
        .await
        .is(200)
        .says("ends with its term")
        .says("ask the vendor");
    browser.get(&format!("{path}/cancel")).await.is(200).says("Its 9 seats stop working at once");
    browser.post(&format!("{path}/cancel"), &[]).await.is(303);
    browser.post(&format!("{path}/cancel"), &[]).await.is(409).says("whose term runs");
    browser
        .get(&format!("{path}/reactivate"))
        .await
        .is(200)
        .says("the same end")
        .says("Nothing has to be paid");
    browser.post(&format!("{path}/reactivate"), &[]).await.is(303);
    browser.get("/organisation/subscriptions").await.is(200).says("Active until");
    // The vendor has disabled it: only the vendor enables it.
    let disable = SubscriptionChange::Disable(true);
    site.world
        .db
        .change_subscription(ORGANISATION, subscription, disable, site.world.staff())
        .await
        .unwrap()
        .unwrap();
    browser
        .get(&format!("{path}/reactivate"))
        .await
        .is(200)
        .says("Only the vendor can do this")
        .never_says("<button>");
    let enable = SubscriptionChange::Disable(false);
    site.world
        .db
        .change_subscription(ORGANISATION, subscription, enable, site.world.staff())
        .await
        .unwrap()
        .unwrap();
    // It lapses: a new term begins when it is paid; after 120 days it is over for good.
    for (days, told) in
        [(31, "A new term has to be paid"), (119, "Ask the vendor for it"), (120, "over for good")]
    {
        let now = site.world.now;
        site.world.now = now + YEAR + DAY * days;
        site.clock.set(site.world.now);
        let mut later = site.admin(AdminRole::Billing).await;
        later.get(&format!("{path}/reactivate")).await.is(200).says(told);
        site.world.now = now;
    }
}

async fn conflicts_have_a_cause_ways_out_and_a_day(mut site: Site) {
    site.world.shop().await;
    let basic = site.world.buys("basic", 2).await;
    let id = SubscriptionId::from_bytes(site.world.draw());
    let sold = SoldSubscription {
        id,
        organisation: ORGANISATION,
        offer: offer("voice"),
        seats: NonZeroU32::new(2).unwrap(),
        life: Subscription::new(site.world.now - YEAR, site.world.now - DAY),
        renews: false,
    };
    site.world.db.subscribe(sold, site.world.staff()).await.unwrap().unwrap();
    let people = [site.world.someone().await, site.world.someone().await];
    for person in people {
        let both = SeatChange::Add(wanted(&["basic", "voice"]));
        assert_eq!(site.world.assign(&[person], both, site.world.staff()).await.unwrap().refused(), 0);
        site.world.now = site.world.now + DAY;
    }
    site.clock.set(site.world.now);
    let mut health = site.admin(AdminRole::Service).await;
    let got = health.get("/organisation/conflicts").await.is(200).says("The term ended on");
    got.says("Ways out: renew the subscription").says("Nobody has services that do not fit");
    let seats = SubscriptionChange::Seats(NonZeroU32::new(1).unwrap());
    site.world.db.change_subscription(ORGANISATION, basic, seats, site.world.staff()).await.unwrap().unwrap();
    let mut access = site.admin(AdminRole::UserAccess).await;
    access.post(&person_path(people[0]), &[("name", "Ann"), ("location", "AW")]).await.is(303);
    let got = health.get("/organisation/conflicts").await.is(200).says("1 seats are bought and 2 assigned");
    let got = got.says("After that the 1 newest stop").says("Ways out: buy more seats, take licenses back");
    let got = got.says(&person_path(people[1])).says("voice is not offered in AW");
    got.says("set the usage location, switch a service on or off, take licenses back");
    health.get("/organisation").await.is(200).says("1 offer has more seats assigned than bought");
    access.get(&person_path(people[0])).await.is(200).says("voice is not offered in AW");
    // A lapsed subscription works for nobody.
    site.world.now = site.world.now + DAY * 30;
    site.clock.set(site.world.now);
    let mut later = site.admin(AdminRole::General).await;
    later
        .get("/organisation/conflicts")
        .await
        .is(200)
        .says("Nobody can use it now")
        .says("2 people have a license of it");
    later.get("/organisation").await.is(200).says("Not renewed, so nobody can use it");
}

async fn keys_and_changes_are_shown_by_the_names_that_people_know(site: Site) {
    let world = &site.world;
    let host_key = world.host_key(kms_portal::battery::world::PRODUCT).await;
    world.activate(&host_key, &world.host()).await.unwrap();
    let machine_key = world.machine_key(40).await;
    let mut service = site.admin(AdminRole::Service).await;
    let got = service.get("/organisation/keys").await.is(200).says("1 of 6 hosts").says("0 of 40 machines");
    got.says(&machine_key.number().to_string()).says("1 of 10").says(&host_key.last_group());
    let ann = site.named("Ann Smith", "ann@example.com").await;
    let mut access = site.admin(AdminRole::UserAccess).await;
    access.post(&format!("{}/block", person_path(ann)), &[("blocked", "yes")]).await.is(303);
    let got = access.get("/organisation/audit").await.is(200).says("Person blocked");
    got.says("Ann Smith &#60;ann@example.com&#62;").never_says(&ann.to_string());
}

async fn a_token_is_shown_once_and_taken_back(site: Site) {
    let mut browser = site.admin(AdminRole::General).await;
    let path = "/organisation/tokens";
    browser
        .post(path, &[("name", " "), ("role", "service"), ("days", "30")])
        .await
        .is(422)
        .says("A name has");
    browser.post(path, &[("name", "CI"), ("role", "service"), ("days", "9999")]).await.is(422);
    let made = browser.post(path, &[("name", "CI <b>"), ("role", "service"), ("days", "30")]).await.is(200);
    let token = made.body.split("<code>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let mut program = site.browser();
    program.headers.push(("authorization", format!("Bearer {token}")));
    program.get("/api/v1/people").await.is(200);
    program.get("/api/v1/tokens").await.is(403);
    let page = browser.get(path).await.is(200).says("CI &#60;b&#62;").never_says(&token);
    let id = page.body.split("name=\"id\" value=\"").nth(1).unwrap()[..32].to_owned();
    let there =
        browser.post("/organisation/tokens/revoke", &[("id", &id)]).await.is(303).location().to_owned();
    browser.get(&there).await.is(200).says("The token was revoked").never_says("CI &#60;b&#62;");
    program.get("/api/v1/people").await.is(401);
}
