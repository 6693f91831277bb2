//! What services are told of the people who have them, and what goes after thirty days.

use std::sync::Arc;

use kms_portal_rules::PersonId;
use kms_portal_rules::rights::AdminRole;
use kms_portal_rules::seats::SeatChange;
use tokio::task::JoinSet;

use super::people::{offer, service, wanted};
use super::world::{DAY, MS, ORGANISATION, World};
use crate::db::{MessageFilter, Outgoing, PersonFilter, WebhookTarget};
use crate::retention::purge_due;
use crate::webhook_signature::WebhookSecret;

impl World {
    /// Mail is told, and files is not.
    async fn tells_mail(&self) {
        let secret = WebhookSecret::from_slice(&[5; 32]).unwrap();
        let target = WebhookTarget::new(service("mail"), "https://mail.example.com/hook", secret).unwrap();
        self.db.set_webhook_target(target, self.by("new")).await.unwrap();
    }

    /// What mail was told of a person, the first first.
    async fn mail_heard(&self, person: PersonId) -> Vec<String> {
        let messages = self.db.messages(MessageFilter::default(), 1000).await.unwrap();
        let events = messages.iter().rev().filter_map(|message| match &message.what {
            Outgoing::Webhook { service, person: of, event } if *of == person => {
                assert_eq!(service.as_str(), "mail");
                let event: serde_json::Value = serde_json::from_str(event).unwrap();
                let about = [&event["data"]["person"], &event["data"]["organisation"]];
                assert_eq!(about, [&person.to_string(), &ORGANISATION.to_string()]);
                Some(event["type"].as_str().unwrap().trim_start_matches("service.").to_owned())
            }
            _ => None,
        });
        events.collect()
    }

    async fn gives(&self, person: PersonId) {
        let given = self.assign(&[person], SeatChange::Add(wanted(&["basic"])), self.staff()).await.unwrap();
        assert_eq!(given.refused(), 0);
    }

    async fn takes_back(&self, person: PersonId) {
        self.assign(&[person], SeatChange::Revoke([offer("basic")].into()), self.staff()).await.unwrap();
    }
}

pub async fn a_service_is_told_to_hold_to_restore_and_once_to_purge(mut world: World) {
    world.shop().await;
    world.buys("basic", 2).await;
    let unheard = world.someone().await;
    world.gives(unheard).await;
    world.tells_mail().await;
    let person = world.someone().await;
    world.gives(person).await;
    world.takes_back(person).await;
    world.now = world.now + DAY * 30 - MS;
    assert_eq!(world.db.purge_held(world.now, 100).await.unwrap(), 0, "a millisecond is left");
    world.gives(person).await;
    assert_eq!(world.mail_heard(person).await, ["set_up", "held", "restored"]);
    // The job was down for ten days.
    world.now = world.now + DAY * 10;
    assert_eq!(world.db.purge_held(world.now, 100).await.unwrap(), 0, "nothing is held");
    world.takes_back(person).await;
    world.now = world.now + DAY * 40;
    assert_eq!(world.db.purge_held(world.now, 100).await.unwrap(), 2, "of mail and of files");
    assert_eq!(world.db.purge_held(world.now, 100).await.unwrap(), 0, "once");
    world.gives(person).await;
    assert_eq!(world.mail_heard(person).await[3..], ["held", "purged", "set_up"]);
    assert_eq!(world.mail_heard(unheard).await, <[String; 0]>::default());
}

pub async fn a_service_that_is_given_again_before_the_job_has_run_purges_first(mut world: World) {
    world.shop().await;
    world.buys("basic", 1).await;
    world.tells_mail().await;
    let person = world.someone().await;
    world.gives(person).await;
    world.takes_back(person).await;
    world.now = world.now + DAY * 30;
    world.gives(person).await;
    assert_eq!(world.db.purge_held(world.now, 100).await.unwrap(), 0, "or it would purge what is new");
    assert_eq!(world.mail_heard(person).await, ["set_up", "held", "purged", "set_up"]);
}

pub async fn portals_that_purge_while_licences_come_back_never_purge_what_was_restored(mut world: World) {
    world.shop().await;
    world.buys("basic", 8).await;
    world.tells_mail().await;
    let mut people = Vec::new();
    for _ in 0..8 {
        let person = world.someone().await;
        world.gives(person).await;
        world.takes_back(person).await;
        people.push(person);
    }
    world.now = world.now + DAY * 30;
    let (world, mut at_once) = (Arc::new(world), JoinSet::new());
    for person in people.clone() {
        let (giving, purging) = (Arc::clone(&world), Arc::clone(&world));
        at_once.spawn(async move { giving.gives(person).await });
        at_once.spawn(async move { assert!(purging.db.purge_held(purging.now, 3).await.unwrap() <= 3) });
    }
    at_once.join_all().await;
    for person in people {
        assert_eq!(world.mail_heard(person).await, ["set_up", "held", "purged", "set_up"]);
    }
}

pub async fn a_person_who_was_deleted_is_forgotten_after_thirty_days(mut world: World) {
    world.shop().await;
    world.buys("basic", 2).await;
    world.tells_mail().await;
    world.admin(&[AdminRole::General]).await;
    let gone = world.add("ann@example.com", Some(ORGANISATION)).await.unwrap();
    world.gives(gone).await;
    world.db.delete_person(gone, world.staff()).await.unwrap().unwrap();
    let (deleted_at, filter) = (
        world.now,
        PersonFilter { organisation: ORGANISATION, after: None, unlicensed: false, deleted: true },
    );
    for (now, is_known) in [(deleted_at + DAY * 30 - MS, true), (deleted_at + DAY * 40, false)] {
        world.now = now;
        let portal = world.portal(Arc::new(At(now)));
        for _ in 0..2 {
            purge_due(&portal).await.unwrap();
        }
        let person = world.db.person(gone).await.unwrap().unwrap();
        assert_eq!((person.address == "ann@example.com", person.name == "Ann"), (is_known, is_known));
        assert_eq!(world.db.people(filter, 10).await.unwrap().len(), usize::from(is_known), "in the list");
    }
    assert_eq!(world.mail_heard(gone).await, ["purged"], "what is older than thirty days was forgotten");
}

/// A clock that stands.
struct At(shared::time::Timestamp);

impl shared::time::Clock for At {
    fn now(&self) -> shared::time::Timestamp {
        self.0
    }

    fn monotonic(&self) -> std::time::Duration {
        std::time::Duration::ZERO
    }
}
