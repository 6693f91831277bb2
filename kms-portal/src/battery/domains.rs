//! Domains: who proves one, who holds it, and what becomes of the people there.

use std::sync::Arc;
use std::time::Duration;

use kms_portal_rules::PersonId;
use kms_portal_rules::claimable::NotClaimable;
use kms_portal_rules::domains::{Contest, ProofStanding, Scope};
use kms_portal_rules::rights::{AdminRole, AdminRoles};
use shared::ids::OrganisationId;
use tokio::task::JoinSet;

use super::world::{DAY, MS, ORGANISATION, World};
use crate::db::{
    Actor, DomainRefused, DueLook, JoinedDomain, LookNoted, Organisation, OwnDomain, OwnDomainState,
    PeopleUnchanged, PersonFilter,
};

const MINUTE: Duration = Duration::from_mins(1);

impl World {
    fn domain_token(&self) -> String {
        u128::from_be_bytes(self.draw()).to_string()
    }

    async fn begins(
        &self,
        organisation: OrganisationId,
        domain: &str,
        actor: Actor,
    ) -> Result<OwnDomain, DomainRefused> {
        self.begins_for(organisation, domain, Scope::Name, actor).await
    }

    async fn begins_for(
        &self,
        organisation: OrganisationId,
        domain: &str,
        scope: Scope,
        actor: Actor,
    ) -> Result<OwnDomain, DomainRefused> {
        self.db.begin_domain(organisation, domain.into(), scope, self.domain_token(), actor).await.unwrap()
    }

    /// A look at what an organisation has begun or proved.
    async fn looks(&self, organisation: OrganisationId, own: &OwnDomain, found: bool) -> LookNoted {
        let OwnDomain { domain, scope, token, .. } = own.clone();
        self.db.note_look(DueLook { organisation, domain, scope, token }, found, self.now).await.unwrap()
    }

    async fn proves(&self, organisation: OrganisationId, domain: &str) -> (OwnDomain, LookNoted) {
        let own = self.begins(organisation, domain, self.staff()).await.unwrap();
        let noted = self.looks(organisation, &own, true).await;
        (own, noted)
    }

    async fn another_organisation(&self) -> OrganisationId {
        let id = OrganisationId::from_bytes(self.draw());
        let organisation = Organisation { id, name: format!("Works {id}") };
        self.db.set_organisation(organisation, self.by("new")).await.unwrap().unwrap();
        id
    }

    async fn holder(&self, domain: &str) -> Option<OrganisationId> {
        self.db.holder_of_domain(domain.into(), self.now).await.unwrap()
    }

    async fn joins(&self, person: PersonId) -> Result<JoinedDomain, DomainRefused> {
        self.db.join_domain(person, OrganisationId::from_bytes(self.draw()), self.now).await.unwrap()
    }

    async fn state(&self, organisation: OrganisationId) -> OwnDomainState {
        let domains = self.db.domains(organisation, self.now).await.unwrap();
        assert_eq!(domains.len(), 1, "{domains:?}");
        domains[0].state
    }

    /// How many mails with such a subject somebody got.
    async fn told(&self, to: &str, subject: &str) -> usize {
        let mails = self.mails().await;
        mails.iter().filter(|mail| mail.0 == to && mail.1.contains(subject)).count()
    }
}

pub async fn a_domain_is_proved_by_a_general_administrator_alone(world: World) {
    let general = world.admin(&[AdminRole::General]).await;
    for role in [AdminRole::Billing, AdminRole::UserAccess, AdminRole::Service, AdminRole::Password] {
        let other = world.admin(&[role]).await;
        let refused = world.begins(ORGANISATION, "example.com", world.person(other)).await;
        let is_forbidden = matches!(refused, Err(DomainRefused::Unchanged(PeopleUnchanged::Forbidden(_))));
        assert!(is_forbidden, "{role:?} {refused:?}");
    }
    let elsewhere = world.another_organisation().await;
    let foreign = world.begins(elsewhere, "example.com", world.person(general)).await;
    assert_eq!(foreign, Err(PeopleUnchanged::UnknownOrganisation.into()));
    let own = world.begins(ORGANISATION, "Example.COM.", world.person(general)).await.unwrap();
    assert_eq!((own.domain.as_str(), world.holder("example.com").await), ("example.com", None));
    assert_eq!(world.looks(ORGANISATION, &own, false).await, LookNoted::Waits);
    assert_eq!(world.looks(ORGANISATION, &own, true).await, LookNoted::Proved);
    assert_eq!(world.holder("example.com").await, Some(ORGANISATION));
    assert_eq!(world.holder("shop.example.com").await, None, "this name alone was proved");
    let held = OwnDomainState::Held { since: world.now, standing: ProofStanding::Good };
    assert_eq!(world.state(ORGANISATION).await, held);
    assert!(world.db.domains(elsewhere, world.now).await.unwrap().is_empty());
    let removed = world.db.remove_domain(elsewhere, "example.com".into(), world.staff()).await.unwrap();
    assert_eq!(removed, Err(DomainRefused::UnknownDomain));
}

pub async fn a_domain_that_belongs_to_many_is_refused(world: World) {
    for (domain, why) in [
        ("gmail.com", NotClaimable::PublicMail),
        ("co.uk", NotClaimable::Ending),
        ("github.io", NotClaimable::ProvidersEnding),
        ("not a domain", NotClaimable::NotADomain),
    ] {
        let refused = world.begins(ORGANISATION, domain, world.staff()).await;
        assert_eq!(refused, Err(DomainRefused::NotClaimable(why)), "{domain}");
    }
}

pub async fn an_open_challenge_stays_and_after_a_week_there_is_another(mut world: World) {
    let general = world.admin(&[AdminRole::General]).await;
    let first = world.begins(ORGANISATION, "example.com", world.person(general)).await.unwrap();
    world.now = world.now + DAY * 7 - MS;
    let again = world.begins(ORGANISATION, "example.com", world.person(general)).await.unwrap();
    assert_eq!(again.token, first.token, "the record that was published stays right");
    world.now = world.now + MS;
    assert_eq!(world.looks(ORGANISATION, &first, true).await, LookNoted::Waits, "it is too late");
    assert_eq!(world.state(ORGANISATION).await, OwnDomainState::Ended);
    let another = world.begins(ORGANISATION, "example.com", world.person(general)).await.unwrap();
    assert_ne!(another.token, first.token);
    assert_eq!(
        world.looks(ORGANISATION, &first, true).await,
        LookNoted::Gone,
        "the old record proves nothing"
    );
    assert_eq!(world.looks(ORGANISATION, &another, true).await, LookNoted::Proved);
}

pub async fn a_challenge_is_looked_at_less_and_less_often_and_by_one_portal(mut world: World) {
    let own = world.begins(ORGANISATION, "example.com", world.staff()).await.unwrap();
    let due = async |world: &World| world.db.take_due_looks(world.now, 9).await.unwrap();
    let mut waits = Vec::new();
    for _ in 0..4 {
        let before = world.now;
        while due(&world).await.is_empty() {
            world.now = world.now + MINUTE;
        }
        assert!(due(&world).await.is_empty(), "another portal does not look at the same time");
        waits.push((world.now.unix_ms() - before.unix_ms()) / 60_000);
        world.looks(ORGANISATION, &own, false).await;
    }
    assert_eq!(waits, [1, 2, 4, 8]);
    // Nobody answers: that is no look, and it is repeated soon.
    world.now = world.now + MINUTE * 16;
    assert_eq!(due(&world).await.len(), 1);
    world.now = world.now + MINUTE * 10;
    let due_now = due(&world).await;
    assert_eq!(due_now[0].token, own.token);
}

pub async fn the_first_who_proves_a_domain_administrates_everybody_there_once_something_is_bought(
    world: World,
) {
    world.shop().await;
    let ann = world.registered("Ann@Corp.example").await;
    let bob = world.registered("bob@corp.example").await;
    let stranger = world.registered("eve@other.example").await;
    let joined = world.joins(ann).await.unwrap();
    let corp = joined.organisation;
    assert_eq!((joined.domain.as_str(), joined.people), ("corp.example", 1));
    assert_eq!(world.joins(bob).await.unwrap(), JoinedDomain { people: 2, ..joined });
    let elsewhere = world.joins(stranger).await.unwrap().organisation;
    assert_ne!(elsewhere, corp);
    // Until somebody proves it, nobody sees or manages anybody.
    let block = async |person| world.db.block_person(bob, true, world.person(person)).await.unwrap();
    assert!(matches!(block(ann).await, Err(PeopleUnchanged::Forbidden(_))));
    let foreign = world.begins(corp, "other.example", world.person(ann)).await;
    assert!(matches!(foreign, Err(DomainRefused::Unchanged(PeopleUnchanged::Forbidden(_)))), "{foreign:?}");
    let no_member = world.begins(corp, "corp.example", world.person(stranger)).await;
    assert_eq!(no_member, Err(PeopleUnchanged::UnknownOrganisation.into()));

    let [by_ann, by_bob] = [ann, bob].map(|person| world.begins(corp, "corp.example", world.person(person)));
    let (by_ann, by_bob) = (by_ann.await.unwrap(), by_bob.await.unwrap());
    assert_ne!(by_ann.token, by_bob.token, "whose record is found decides who becomes administrator");
    assert_eq!(world.looks(corp, &by_bob, true).await, LookNoted::TookOver(2));
    assert_eq!(world.looks(corp, &by_ann, true).await, LookNoted::Gone);
    let roles = async |person| world.db.person(person).await.unwrap().unwrap().roles;
    assert_eq!(roles(bob).await, AdminRoles::of([AdminRole::General]));
    assert_eq!(roles(ann).await, AdminRoles::NONE);
    let has_an_administrator = "hebben een beheerder";
    assert_eq!(world.told("Ann@Corp.example", has_an_administrator).await, 1);
    assert_eq!(world.told("bob@corp.example", has_an_administrator).await, 0);
    assert_eq!(world.told("eve@other.example", has_an_administrator).await, 0);
    // What each had set stays.
    let person = world.db.person(ann).await.unwrap().unwrap();
    assert_eq!((person.name.as_str(), person.address.as_str()), ("Ann", "Ann@Corp.example"));
    assert!(world.db.account(ann).await.unwrap().unwrap().password.is_some());

    let block = async |by| world.db.block_person(ann, true, world.person(by)).await.unwrap();
    assert_eq!(block(bob).await, Err(PeopleUnchanged::NothingBought));
    world.buys_for(corp, "basic", 2).await;
    assert_eq!(block(bob).await, Ok(()));
}

pub async fn without_a_mailbox_at_the_domain_nobody_becomes_administrator(world: World) {
    let ann = world.registered("ann@corp.example").await;
    let corp = world.joins(ann).await.unwrap().organisation;
    // Staff has added somebody who has never used a link that was mailed there.
    let bob = world.add("bob@corp.example", Some(corp)).await.unwrap();
    let unconfirmed = world.begins(corp, "corp.example", world.person(bob)).await;
    assert_eq!(unconfirmed, Err(DomainRefused::NoMailbox));
    let guest = world.add("guest@elsewhere.example", Some(corp)).await.unwrap();
    world.gives_password(guest, "guest@elsewhere.example").await;
    let guest = world.begins(corp, "corp.example", world.person(guest)).await;
    assert_eq!(guest, Err(DomainRefused::NoMailbox));
}

pub async fn nobody_joins_a_domain_that_is_held_or_that_is_everybodys(world: World) {
    let ann = world.registered("ann@gmail.com").await;
    assert_eq!(world.joins(ann).await, Err(NotClaimable::PublicMail.into()));
    let tree = world.begins_for(ORGANISATION, "example.com", Scope::Tree, world.staff()).await.unwrap();
    world.looks(ORGANISATION, &tree, true).await;
    for address in ["bob@example.com", "bob@shop.example.com"] {
        let bob = world.registered(address).await;
        assert_eq!(world.joins(bob).await, Err(DomainRefused::Held), "{address}");
    }
    let eve = world.add("eve@corp.example", None).await.unwrap();
    assert_eq!(world.joins(eve).await, Err(DomainRefused::NoMailbox), "the address may be somebody else's");
    let at_work = world.someone().await;
    assert_eq!(world.joins(at_work).await, Err(PeopleUnchanged::UnknownPerson.into()));
}

pub async fn people_at_a_domain_move_to_the_organisation_that_proves_it(world: World) {
    let [ann, bob] = ["ann@corp.example", "bob@corp.example"].map(|address| world.registered(address));
    let (ann, bob) = (ann.await, bob.await);
    let corp = world.joins(ann).await.unwrap().organisation;
    world.joins(bob).await.unwrap();
    // Bob has a work account there already.
    let working = world.add("bob@corp.example", Some(ORGANISATION)).await.unwrap();
    assert_eq!(world.proves(ORGANISATION, "corp.example").await.1, LookNoted::TookOver(2));
    let organisation = async |person| world.db.person(person).await.unwrap().unwrap().organisation;
    assert_eq!(organisation(ann).await, Some(ORGANISATION));
    assert_eq!(organisation(bob).await, None, "one address has one account in an organisation");
    assert_eq!(organisation(working).await, Some(ORGANISATION));
    let filter = PersonFilter { organisation: corp, after: None, unlicensed: false, deleted: false };
    assert!(world.db.people(filter, 9).await.unwrap().is_empty());
    assert_eq!(world.add("ann@corp.example", Some(ORGANISATION)).await, Err(PeopleUnchanged::AddressTaken));
    assert!(world.db.person(ann).await.unwrap().unwrap().roles == AdminRoles::NONE);
}

pub async fn a_role_that_is_lost_before_the_record_is_found_proves_nothing(world: World) {
    let general = world.admin(&[AdminRole::General]).await;
    let own = world.begins(ORGANISATION, "example.com", world.person(general)).await.unwrap();
    let remains = world.employee("stays@example.com", &[AdminRole::General]).await;
    world.db.set_roles(general, AdminRoles::NONE, world.person(remains)).await.unwrap().unwrap();
    let refused = world.looks(ORGANISATION, &own, true).await;
    assert!(matches!(refused, LookNoted::Refused(_)), "{refused:?}");
    assert_eq!(world.holder("example.com").await, None);
    assert_eq!(world.looks(ORGANISATION, &own, true).await, LookNoted::Gone);
}

pub async fn a_held_domain_moves_after_two_weeks_if_its_holder_does_not_prove_it_again(mut world: World) {
    world.employee("ann@example.com", &[AdminRole::General]).await;
    world.proves(ORGANISATION, "example.com").await;
    world.now = world.now + DAY;
    let challenger = world.another_organisation().await;
    let until = world.now + DAY * 14;
    let (own, noted) = world.proves(challenger, "example.com").await;
    assert_eq!(noted, LookNoted::Contested(Contest::Waits(until)));
    assert_eq!(world.told("ann@example.com", "Another organisation has proved").await, 1);
    let looked = world.db.take_due_looks(world.now, 9).await.unwrap();
    assert!(looked.iter().any(|look| look.organisation == ORGANISATION), "the holder is looked at at once");
    world.now = until - MS;
    assert_eq!(world.looks(challenger, &own, true).await, LookNoted::Contested(Contest::Waits(until)));
    assert_eq!(world.holder("example.com").await, Some(ORGANISATION));
    world.now = until;
    assert_eq!(world.looks(challenger, &own, false).await, LookNoted::Contested(Contest::Moves));
    assert_eq!(world.holder("example.com").await, Some(ORGANISATION), "the challenger's record was gone");
    assert_eq!(world.looks(challenger, &own, true).await, LookNoted::Proved);
    assert_eq!(world.holder("example.com").await, Some(challenger));
    assert_eq!(world.told("ann@example.com", "belongs to another organisation").await, 1);
}

pub async fn two_who_both_prove_a_domain_wait_for_staff(mut world: World) {
    let first = world.proves(ORGANISATION, "example.com").await.0;
    let challenger = world.another_organisation().await;
    world.now = world.now + DAY;
    let second = world.proves(challenger, "example.com").await.0;
    world.now = world.now + DAY;
    assert_eq!(world.looks(ORGANISATION, &first, true).await, LookNoted::Holds(ProofStanding::Good));
    world.now = world.now + DAY * 20;
    assert_eq!(world.looks(challenger, &second, true).await, LookNoted::Contested(Contest::ToStaff));
    assert_eq!(world.state(challenger).await, OwnDomainState::Contested(Contest::ToStaff));
    assert_eq!(world.holder("example.com").await, Some(ORGANISATION));
    let decide = async |organisation| {
        world.db.decide_domain(organisation, "example.com".into(), world.by("a letter")).await.unwrap()
    };
    let nobody = world.another_organisation().await;
    assert_eq!(decide(nobody).await, Err(DomainRefused::UnknownDomain));
    decide(challenger).await.unwrap();
    assert_eq!(world.holder("example.com").await, Some(challenger));
    assert!(world.db.domains(ORGANISATION, world.now).await.unwrap().is_empty());
}

pub async fn a_lapsed_proof_is_told_takes_nothing_and_needs_another_token(mut world: World) {
    let general = world.employee("ann@example.com", &[AdminRole::General]).await;
    let (own, start) = (world.proves(ORGANISATION, "example.com").await.0, world.now);
    let mut standings = Vec::new();
    for day in [7, 14, 21, 44] {
        world.now = start + DAY * day;
        standings.push(world.looks(ORGANISATION, &own, false).await);
    }
    let lapses_at = start + DAY * 44;
    let doubtful = LookNoted::Holds(ProofStanding::Doubtful { lapses_at });
    let good = LookNoted::Holds(ProofStanding::Good);
    assert_eq!(standings, [good.clone(), good, doubtful, LookNoted::Holds(ProofStanding::Lapsed)]);
    assert_eq!(world.told("ann@example.com", "is missing").await, 1);
    assert_eq!(world.told("ann@example.com", "has lapsed").await, 1);
    assert_eq!(world.holder("example.com").await, None);
    assert!(world.db.person(general).await.unwrap().unwrap().roles.has(AdminRole::General));
    // Somebody else has registered the domain and copied the record.
    world.now = world.now + DAY * 365;
    assert!(world.db.take_due_looks(world.now, 9).await.unwrap().is_empty(), "nobody looks for it");
    let owner = world.another_organisation().await;
    assert_eq!(world.proves(owner, "example.com").await.1, LookNoted::Proved, "at once");
    assert_eq!(world.holder("example.com").await, Some(owner));
    assert_eq!(world.looks(ORGANISATION, &own, true).await, LookNoted::Gone);
}

pub async fn a_tree_never_takes_a_child_that_is_held(world: World) {
    world.proves(ORGANISATION, "shop.example.com").await;
    let parent = world.another_organisation().await;
    let tree = world.begins_for(parent, "example.com", Scope::Tree, world.staff()).await.unwrap();
    assert_eq!(world.looks(parent, &tree, true).await, LookNoted::Proved);
    for (name, holder) in [
        ("example.com", Some(parent)),
        ("shop.example.com", Some(ORGANISATION)),
        ("x.shop.example.com", Some(parent)),
        ("lab.example.com", Some(parent)),
        ("badexample.com", None),
    ] {
        assert_eq!(world.holder(name).await, holder, "{name}");
    }
}

pub async fn of_ten_organisations_that_prove_one_domain_at_once_one_holds_it(world: World) {
    let mut begun = Vec::new();
    for _ in 0..10 {
        let organisation = world.another_organisation().await;
        begun.push((organisation, world.begins(organisation, "example.com", world.staff()).await.unwrap()));
    }
    let world = Arc::new(world);
    let mut looking = JoinSet::new();
    for (organisation, own) in begun {
        let world = Arc::clone(&world);
        looking.spawn(async move { (organisation, world.looks(organisation, &own, true).await) });
    }
    let noted = looking.join_all().await;
    let proved: Vec<_> = noted.iter().filter(|(_, noted)| *noted == LookNoted::Proved).collect();
    assert_eq!(proved.len(), 1, "{noted:?}");
    assert_eq!(world.holder("example.com").await, Some(proved[0].0));
}

pub async fn a_domain_that_is_given_up_goes_to_who_has_proved_it_too(world: World) {
    let general = world.admin(&[AdminRole::General]).await;
    world.proves(ORGANISATION, "example.com").await;
    let challenger = world.another_organisation().await;
    let own = world.proves(challenger, "example.com").await.0;
    world.db.remove_domain(ORGANISATION, "example.com".into(), world.person(general)).await.unwrap().unwrap();
    assert_eq!(world.holder("example.com").await, None);
    assert_eq!(world.looks(challenger, &own, true).await, LookNoted::Proved);
    assert_eq!(world.holder("example.com").await, Some(challenger));
}
