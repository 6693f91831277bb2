//! Passkeys: what a browser was asked is answered once, and the last general administrator keeps a way to sign in.

use std::time::Duration;

use kms_portal_rules::PersonId;
use kms_portal_rules::rights::{AdminRole, LastGeneral};

use super::world::{MS, World};
use crate::db::{Actor, Ceremony, PeopleUnchanged};
use crate::token::{CeremonyToken, TokenDigest};

const FIVE_MINUTES: Duration = Duration::from_mins(5);

impl World {
    async fn asks(&self, person: Option<PersonId>, source: &str) -> Option<TokenDigest> {
        let digest = CeremonyToken::draw().digest();
        let ceremony = Ceremony { digest, person, state: "{}".into() };
        self.db.begin_ceremony(ceremony, source.into(), self.now).await.unwrap().then_some(digest)
    }

    async fn is_asked(&self, digest: TokenDigest) -> bool {
        self.db.take_ceremony(digest, self.now).await.unwrap().is_some()
    }

    async fn adds_passkey(&self, person: PersonId, id: &str) -> bool {
        let actor = Actor::person(person, self.by(""));
        self.db.add_passkey(person, id.into(), "{}".into(), actor).await.unwrap()
    }

    async fn removes_passkey(&self, person: PersonId, id: &str) -> Result<(), PeopleUnchanged> {
        self.db.remove_passkey(person, id.into(), Actor::person(person, self.by(""))).await.unwrap()
    }
}

pub async fn what_a_browser_was_asked_is_answered_once_and_within_five_minutes(mut world: World) {
    let ann = world.employee("ann@example.com", &[]).await;
    let [once, late] =
        [world.asks(Some(ann), "here").await, world.asks(None, "here").await].map(Option::unwrap);
    assert!(world.is_asked(once).await && !world.is_asked(once).await);
    world.now = world.now + FIVE_MINUTES - MS;
    let second = world.asks(None, "here").await.unwrap();
    world.now = world.now + MS;
    assert!(!world.is_asked(late).await && world.is_asked(second).await);
}

/// Nobody has to sign in to be asked for a passkey, so a stranger could fill the table.
pub async fn one_source_cannot_take_the_room_of_all(world: World) {
    for _ in 0..200 {
        world.asks(None, "there").await.unwrap();
    }
    assert_eq!(world.asks(None, "there").await, None);
    assert!(world.asks(None, "here").await.is_some());
}

pub async fn the_last_general_administrator_keeps_a_way_to_sign_in(world: World) {
    let ann = world.employee_without_password("ann@example.com", &[AdminRole::General]).await;
    let bob = world.employee_without_password("bob@example.com", &[AdminRole::General]).await;
    for passkey in ["one", "other"] {
        assert!(world.adds_passkey(ann, passkey).await);
    }
    world.removes_passkey(ann, "one").await.unwrap();
    let last = PeopleUnchanged::LastGeneral(LastGeneral);
    assert_eq!(world.removes_passkey(ann, "other").await, Err(last), "Bob cannot sign in");
    assert!(world.adds_passkey(bob, "his").await);
    world.removes_passkey(ann, "other").await.unwrap();
    assert!(world.db.passkeys(ann).await.unwrap().is_empty());
}

pub async fn a_person_has_twenty_passkeys_at_most(world: World) {
    let ann = world.employee("ann@example.com", &[]).await;
    for number in 0..20 {
        assert!(world.adds_passkey(ann, &number.to_string()).await);
    }
    assert!(!world.adds_passkey(ann, "one more").await);
}
