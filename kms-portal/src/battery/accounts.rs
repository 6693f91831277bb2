//! Accounts: links, passwords, sessions, and how often somebody may be wrong.

use std::sync::Arc;
use std::time::Duration;

use kms_portal_rules::PersonId;
use kms_portal_rules::addresses::Address;
use kms_portal_rules::offers::Country;
use kms_portal_rules::rights::{AdminRole, AdminRoles, LastGeneral};
use kms_portal_texts::Language;
use tokio::task::JoinSet;

use super::world::{DAY, HOUR, MS, ORGANISATION, World};
use crate::db::{
    Letter, LinkPurpose, MessageFilter, NewAccount, NewLink, NewPerson, NewSession, Outgoing,
    PeopleUnchanged, SetsPassword,
};
use crate::token::{LinkToken, SessionToken, TokenDigest};

/// The password of every [`World::employee`], and its hash.
pub const PASSWORD: &str = "correct horse";
const PASSWORD_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c2FsdCBvZiBhIHN0b3J5Lg$Wp/6EPHp2muv7NkqFMI6DLi3D2T44qv2JibfUfv4wWk";

const MINUTE: Duration = Duration::from_mins(1);
const ENDED: Result<(), PeopleUnchanged> = Err(PeopleUnchanged::LinkEnded);

fn letter(subject: &str) -> Letter {
    Letter { language: Language::English, subject: subject.into(), body: "..".into() }
}

fn address(typed: &str) -> Address {
    Address::new(typed).unwrap()
}

impl World {
    fn link(&self, purpose: LinkPurpose, person: Option<PersonId>, to: &str) -> NewLink {
        let (digest, ends_at) = (LinkToken::draw().digest(), self.now + HOUR);
        NewLink { digest, purpose, person, address: address(to), ends_at }
    }

    /// A link to register, as if it had been mailed.
    async fn invited_to_register(&self, to: &str) -> TokenDigest {
        let link = self.link(LinkPurpose::Register, None, to);
        let digest = link.digest;
        self.db.make_links(vec![link], self.now).await.unwrap();
        digest
    }

    fn account(&self, link: TokenDigest) -> NewAccount {
        NewAccount {
            link,
            id: PersonId::from_bytes(self.draw()),
            name: "Ann".into(),
            location: Country::from_code("NL"),
            language: Language::Dutch,
            password: PASSWORD_HASH.into(),
            at: self.now,
        }
    }

    /// Somebody with a personal account and [`PASSWORD`].
    pub async fn registered(&self, to: &str) -> PersonId {
        let account = self.account(self.invited_to_register(to).await);
        let id = account.id;
        self.db.register(account).await.unwrap().unwrap();
        id
    }

    /// Somebody of the organisation, who has [`PASSWORD`].
    pub async fn employee(&self, to: &str, roles: &[AdminRole]) -> PersonId {
        let id = self.employee_without_password(to, roles).await;
        self.gives_password(id, to).await;
        id
    }

    /// Somebody of the organisation, who cannot sign in.
    pub async fn employee_without_password(&self, to: &str, roles: &[AdminRole]) -> PersonId {
        let id = PersonId::from_bytes(self.draw());
        let (organisation, location) = (Some(ORGANISATION), Country::from_code("NL"));
        let person = NewPerson { id, organisation, name: "Ann".into(), address: to.into(), location };
        let actor = self.staff();
        self.db.add_person(person, actor.clone()).await.unwrap().unwrap();
        let roles = AdminRoles::of(roles.iter().copied());
        self.db.set_roles(id, roles, actor).await.unwrap().unwrap();
        id
    }

    /// A person accepts an invitation and sets a password.
    pub async fn gives_password(&self, person: PersonId, to: &str) {
        let link = self.link(LinkPurpose::Invite, Some(person), to);
        let digest = link.digest;
        self.db.make_links(vec![link], self.now).await.unwrap();
        self.sets(SetsPassword::Link(digest)).await.unwrap();
    }

    async fn sets(&self, who: SetsPassword) -> Result<(), PeopleUnchanged> {
        let (letter, hash) = (letter("set"), PASSWORD_HASH.to_owned());
        self.db.set_password(who, hash, Language::English, letter, self.now).await.unwrap()
    }

    async fn signs_in(&self, person: PersonId, source: &str) -> Option<TokenDigest> {
        let digest = SessionToken::draw().digest();
        let session = NewSession { digest, source: source.into(), at: self.now };
        self.db.begin_session(person, session).await.unwrap().then_some(digest)
    }

    async fn is_signed_in(&self, session: TokenDigest) -> bool {
        self.db.session(session, self.now).await.unwrap().is_some()
    }

    /// Whether a guess at this account is looked at.
    async fn guesses(&self, person: PersonId, source: &str) -> bool {
        !self.db.count_guess(vec![person], source.into(), self.now).await.unwrap().is_empty()
    }

    /// Recipient and subject of each mail, the latest first.
    pub async fn mails(&self) -> Vec<(String, String)> {
        let messages = self.db.messages(MessageFilter::default(), 100).await.unwrap();
        let mail = |what| match what {
            Outgoing::Mail { to, subject, .. } => Some((to, subject)),
            Outgoing::Webhook { .. } => None,
        };
        messages.into_iter().filter_map(|message| mail(message.what)).collect()
    }
}

pub async fn of_twenty_who_use_one_link_at_once_one_registers(world: World) {
    let (link, world) = (world.invited_to_register("Ann@Example.com").await, Arc::new(world));
    let mut using = JoinSet::new();
    for _ in 0..20 {
        let world = Arc::clone(&world);
        using.spawn(async move { world.db.register(world.account(link)).await.unwrap() });
    }
    let used = using.join_all().await;
    assert_eq!(used.iter().filter(|used| used.is_ok()).count(), 1);
    assert_eq!(used.iter().filter(|used| **used == ENDED).count(), 19);
    let accounts = world.db.accounts_with(address("ann@example.com")).await.unwrap();
    let [account] = accounts.as_slice() else { panic!("{accounts:?}") };
    let person = &account.person;
    assert_eq!((person.address.as_str(), person.confirmed_at), ("Ann@Example.com", Some(world.now)));
    assert_eq!((person.language, person.organisation), (Some(Language::Dutch), None));
    assert_eq!(account.password.as_deref(), Some(PASSWORD_HASH));
    let again = world.invited_to_register("ann@example.com").await;
    let again = world.db.register(world.account(again)).await.unwrap();
    assert_eq!(again, Err(PeopleUnchanged::AddressTaken));
}

pub async fn a_link_is_for_one_purpose_until_its_end_and_looking_uses_nothing_up(mut world: World) {
    let ann = world.employee("ann@example.com", &[]).await;
    let link = world.link(LinkPurpose::Reset, Some(ann), "ann@example.com");
    let (digest, start) = (link.digest, world.now);
    world.db.send_links(vec![(link, letter("reset"))], world.now).await.unwrap();
    assert_eq!(world.mails().await[0], ("ann@example.com".into(), "reset".into()));
    assert_eq!(world.db.register(world.account(digest)).await.unwrap(), ENDED, "it is for a password");
    world.now = start + HOUR - MS;
    for _ in 0..2 {
        let known = world.db.link(digest, world.now).await.unwrap().unwrap();
        assert_eq!((known.purpose, known.person.unwrap().id), (LinkPurpose::Reset, ann));
    }
    world.now = start + HOUR;
    assert_eq!(world.db.link(digest, world.now).await.unwrap(), None);
    assert_eq!(world.sets(SetsPassword::Link(digest)).await, ENDED);
    world.now = start + HOUR - MS;
    world.sets(SetsPassword::Link(digest)).await.unwrap();
    assert_eq!(world.db.link(digest, world.now).await.unwrap(), None, "it was used");
    assert_eq!(world.sets(SetsPassword::Link(digest)).await, ENDED);
}

pub async fn a_new_password_ends_all_sessions_and_links_and_is_told(world: World) {
    let ann = world.employee("ann@example.com", &[]).await;
    let [here, there] = [world.signs_in(ann, "10.0.0.1").await, world.signs_in(ann, "10.0.0.2").await];
    let (here, there) = (here.unwrap(), there.unwrap());
    let stolen = world.link(LinkPurpose::Reset, Some(ann), "ann@example.com");
    let digest = stolen.digest;
    world.db.make_links(vec![stolen], world.now).await.unwrap();
    world.sets(SetsPassword::Session(ann, here)).await.unwrap();
    assert!(world.is_signed_in(here).await, "who has set it stays");
    assert!(!world.is_signed_in(there).await);
    assert_eq!(world.sets(SetsPassword::Link(digest)).await, ENDED, "and no other link sets another one");
    assert_eq!(world.mails().await[0], ("ann@example.com".into(), "set".into()));
    world.gives_password(ann, "ann@example.com").await;
    assert!(!world.is_signed_in(here).await, "whoever sets it by a link may be somebody else");
}

pub async fn an_address_gets_five_links_an_hour_whoever_asks(mut world: World) {
    for _ in 0..7 {
        let link = world.link(LinkPurpose::Register, None, "Ann@example.com");
        world.db.send_links(vec![(link, letter("register"))], world.now).await.unwrap();
    }
    assert_eq!(world.mails().await.len(), 5);
    let other = world.link(LinkPurpose::Register, None, "bob@example.com");
    world.db.send_links(vec![(other, letter("register"))], world.now).await.unwrap();
    assert_eq!(world.mails().await.len(), 6);
    world.now = world.now + HOUR;
    let later = world.link(LinkPurpose::Register, None, "ann@EXAMPLE.com");
    world.db.send_links(vec![(later, letter("register"))], world.now).await.unwrap();
    assert_eq!(world.mails().await.len(), 7);
}

pub async fn a_session_lasts_twelve_hours_and_ends_with_whatever_changes_rights(mut world: World) {
    let ann = world.employee("ann@example.com", &[]).await;
    let (session, start) = (world.signs_in(ann, "10.0.0.1").await.unwrap(), world.now);
    world.now = start + 12 * HOUR - MS;
    assert!(world.is_signed_in(session).await);
    let found = world.db.session(session, world.now).await.unwrap().unwrap();
    assert_eq!(found.seen_at, world.now, "it is noted that it is in use");
    assert!(found.is_proved(start + 15 * MINUTE - MS) && !found.is_proved(start + 15 * MINUTE));
    world.now = start + 12 * HOUR;
    assert!(!world.is_signed_in(session).await);
    for change in ["roles", "block", "delete"] {
        let session = world.signs_in(ann, "10.0.0.1").await.unwrap();
        let roles = AdminRoles::of([AdminRole::Billing]);
        match change {
            "roles" => world.db.set_roles(ann, roles, world.staff()).await.unwrap().unwrap(),
            "block" => {
                world.db.block_person(ann, true, world.staff()).await.unwrap().unwrap();
                assert_eq!(world.signs_in(ann, "10.0.0.1").await, None);
                world.db.block_person(ann, false, world.staff()).await.unwrap().unwrap();
            }
            _ => world.db.delete_person(ann, world.staff()).await.unwrap().unwrap(),
        }
        assert!(!world.is_signed_in(session).await, "{change}");
    }
    assert_eq!(world.signs_in(ann, "10.0.0.1").await, None);
    world.db.restore_person(ann, None, world.staff()).await.unwrap().unwrap();
    assert_eq!(world.db.account(ann).await.unwrap().unwrap().password, None, "no password comes back");
}

pub async fn a_cookie_that_was_replaced_is_of_no_use(world: World) {
    let ann = world.employee("ann@example.com", &[]).await;
    let old = world.signs_in(ann, "10.0.0.1").await.unwrap();
    let new = SessionToken::draw().digest();
    assert!(world.db.prove_session(old, new, world.now).await.unwrap());
    assert!(!world.db.prove_session(old, new, world.now).await.unwrap());
    assert!(!world.is_signed_in(old).await && world.is_signed_in(new).await);
    let other = world.signs_in(ann, "10.0.0.2").await.unwrap();
    assert_eq!(world.db.sessions(ann, world.now).await.unwrap().len(), 2);
    world.db.end_other_sessions(ann, new).await.unwrap();
    assert!(!world.is_signed_in(other).await && world.is_signed_in(new).await);
    world.db.end_session(new).await.unwrap();
    assert!(!world.is_signed_in(new).await);
}

pub async fn of_twenty_guesses_at_once_five_are_looked_at(world: World) {
    let ann = world.employee("ann@example.com", &[]).await;
    let (mut guessing, world) = (JoinSet::new(), Arc::new(world));
    for _ in 0..20 {
        let world = Arc::clone(&world);
        guessing.spawn(async move { world.guesses(ann, "10.0.0.1").await });
    }
    assert_eq!(guessing.join_all().await.into_iter().filter(|looked_at| *looked_at).count(), 5);
}

pub async fn guesses_of_many_sources_do_not_lock_the_owner_out(mut world: World) {
    let ann = world.employee("ann@example.com", &[]).await;
    assert!(world.guesses(ann, "home").await);
    world.db.forget_guess(vec![ann], "home".into()).await.unwrap();
    world.signs_in(ann, "home").await.unwrap();
    let mut looked_at = 0;
    for number in 0..60 {
        looked_at += u32::from(world.guesses(ann, &format!("attacker {number}")).await);
    }
    assert_eq!(looked_at, 50);
    assert!(!world.guesses(ann, "a new phone").await, "whoever was never here waits");
    assert!(world.guesses(ann, "home").await, "the owner, at the usual place, does not");
    world.now = world.now + DAY;
    assert!(world.guesses(ann, "a new phone").await);
}

pub async fn a_general_administrator_who_cannot_sign_in_is_no_help(mut world: World) {
    let general = world.employee("ann@example.com", &[AdminRole::General]).await;
    let (id, organisation) = (PersonId::from_bytes(world.draw()), Some(ORGANISATION));
    let bob = "bob@example.com";
    let person = NewPerson { id, organisation, name: "Bob".into(), address: bob.into(), location: None };
    world.db.add_person(person, world.staff()).await.unwrap().unwrap();
    let roles = AdminRoles::of([AdminRole::General]);
    world.db.set_roles(id, roles, world.staff()).await.unwrap().unwrap();
    let last = Err(PeopleUnchanged::LastGeneral(LastGeneral));
    assert_eq!(world.db.delete_person(general, world.staff()).await.unwrap(), last);
    assert_eq!(world.db.deactivate(general, letter("deleted"), world.now).await.unwrap(), last);
    let link = world.link(LinkPurpose::Invite, Some(id), bob);
    world.db.make_links(vec![link], world.now).await.unwrap();
    world.now = world.now + HOUR;
    assert_eq!(world.db.delete_person(general, world.staff()).await.unwrap(), last, "it has ended");
    world.now = world.now - MS;
    world.db.deactivate(general, letter("deleted"), world.now).await.unwrap().unwrap();
    assert_eq!(world.mails().await[0], ("ann@example.com".into(), "deleted".into()));
}

pub async fn an_address_changes_with_a_link_to_the_new_one_and_the_old_one_is_told(world: World) {
    let (ann, bob) = (world.registered("ann@example.com").await, world.registered("bob@example.com").await);
    let stale = world.link(LinkPurpose::Reset, Some(ann), "ann@example.com");
    let moves = world.link(LinkPurpose::Address, Some(ann), "Ann@new.example");
    let taken = world.link(LinkPurpose::Address, Some(ann), "bob@example.com");
    let [stale_digest, moves_digest, taken_digest] = [stale.digest, moves.digest, taken.digest];
    world.db.make_links(vec![stale, moves, taken], world.now).await.unwrap();
    let confirm =
        async |digest| world.db.confirm_address(digest, letter("changed"), world.now).await.unwrap();
    assert_eq!(confirm(taken_digest).await, Err(PeopleUnchanged::AddressTaken));
    confirm(moves_digest).await.unwrap();
    assert_eq!(confirm(moves_digest).await, ENDED);
    assert_eq!(world.mails().await, [("ann@example.com".into(), "changed".into())]);
    assert_eq!(world.db.person(ann).await.unwrap().unwrap().address, "Ann@new.example");
    assert_eq!(world.sets(SetsPassword::Link(stale_digest)).await, ENDED, "it was mailed to another address");
    let third = world.registered("ann@example.com").await;
    assert_ne!(third, ann, "the old address is free");
    assert_eq!(world.db.person(bob).await.unwrap().unwrap().address, "bob@example.com");
}

pub async fn one_address_has_an_account_for_oneself_and_one_at_work(world: World) {
    let (work, own) =
        (world.employee("ann@example.com", &[]).await, world.registered("Ann@example.com").await);
    let accounts = world.db.accounts_with(address("ann@example.com")).await.unwrap();
    let mut found: Vec<_> = accounts.iter().map(|one| (one.person.id, one.organisation.as_deref())).collect();
    found.sort_by_key(|(_, organisation)| *organisation);
    assert_eq!(found, [(own, None), (work, Some("Example Works"))]);
    world.db.deactivate(own, letter("deleted"), world.now).await.unwrap().unwrap();
    assert_eq!(world.db.accounts_with(address("ann@example.com")).await.unwrap().len(), 1);
}

pub async fn an_invitation_adds_a_person_and_only_a_general_administrator_invites_another_one(world: World) {
    let general = world.employee("ann@example.com", &[AdminRole::General]).await;
    let users = world.employee("ute@example.com", &[AdminRole::UserAccess]).await;
    let invite = async |actor: PersonId, to: &str, roles: AdminRoles| {
        let (id, organisation) = (PersonId::from_bytes(world.draw()), Some(ORGANISATION));
        let person = NewPerson { id, organisation, name: "Bob".into(), address: to.into(), location: None };
        let link = (world.link(LinkPurpose::Invite, Some(id), to), letter("invited"));
        let actor = world.person(actor);
        world.db.invite_person(person, roles, link, actor).await.unwrap().map(|()| id)
    };
    let is_admin = AdminRoles::of([AdminRole::General]);
    let refused = invite(users, "bob@example.com", is_admin).await;
    assert!(matches!(refused, Err(PeopleUnchanged::Forbidden(_))), "{refused:?}");
    let bob = invite(users, "bob@example.com", AdminRoles::NONE).await.unwrap();
    assert_eq!(world.mails().await[0], ("bob@example.com".into(), "invited".into()));
    assert_eq!(world.db.person(bob).await.unwrap().unwrap().confirmed_at, None);
    let carl = invite(general, "carl@example.com", is_admin).await.unwrap();
    assert_eq!(world.db.person(carl).await.unwrap().unwrap().roles, is_admin);
    let again = invite(general, "Bob@example.com", AdminRoles::NONE).await;
    assert_eq!(again, Err(PeopleUnchanged::AddressTaken));
}

pub async fn a_password_administrator_resets_passwords_of_people_who_are_none(world: World) {
    let password = world.employee("pat@example.com", &[AdminRole::Password]).await;
    let (bob, admin) = (
        world.employee("bob@example.com", &[]).await,
        world.employee("ann@example.com", &[AdminRole::Billing]).await,
    );
    let before = world.mails().await.len();
    let reset = async |person, to| {
        let link = (world.link(LinkPurpose::Reset, Some(person), to), letter("reset"));
        let actor = world.person(password);
        world.db.reset_password(person, link, actor).await.unwrap()
    };
    let refused = reset(admin, "ann@example.com").await;
    assert!(matches!(refused, Err(PeopleUnchanged::Forbidden(_))), "{refused:?}");
    let elsewhere = reset(bob, "pat@example.com").await;
    assert_eq!(elsewhere, Err(PeopleUnchanged::UnknownPerson), "it goes to their own address alone");
    assert_eq!(world.mails().await.len(), before);
    reset(bob, "bob@example.com").await.unwrap();
    assert_eq!(world.mails().await[0], ("bob@example.com".into(), "reset".into()));
}
