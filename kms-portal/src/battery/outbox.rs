//! What leaves the portal: messages that wait, are sent, and are given up.

use std::sync::Arc;
use std::time::Duration;

use kms_portal_rules::PersonId;
use kms_portal_rules::offers::ServiceName;
use kms_portal_texts::Language;
use tokio::task::JoinSet;

use super::world::{DAY, HOUR, MS, World};
use crate::db::{MessageFilter, MessageState, Outgoing, PostedMessage};

const MINUTE: Duration = Duration::from_mins(1);

fn mail(to: &str) -> Outgoing {
    let (subject, body) = ("Reset your password".to_owned(), "Open this link.".to_owned());
    Outgoing::Mail { to: to.to_owned(), language: Language::Dutch, subject, body }
}

fn event(person: u8, text: &str) -> Outgoing {
    let (service, person) = (ServiceName::new("mail").unwrap(), PersonId::from_bytes([person; 16]));
    Outgoing::Webhook { service, person, event: text.to_owned() }
}

impl World {
    async fn posts(&self, what: &Outgoing) {
        self.db.post(what.clone(), self.now).await.unwrap();
    }

    async fn takes(&self) -> Vec<PostedMessage> {
        self.db.take_due(self.now, true, 10).await.unwrap()
    }
}

pub async fn a_message_is_taken_when_it_is_due_and_tried_less_and_less_often(mut world: World) {
    let what = mail("ann@example.com");
    world.posts(&what).await;
    assert!(world.db.take_due(world.now, false, 10).await.unwrap().is_empty(), "nobody can send mail");
    for minutes in [1, 2, 4] {
        let taken = world.takes().await;
        assert_eq!((taken.len(), &taken[0].what), (1, &what));
        assert!(!world.db.note_not_sent(taken[0].number, "down".into(), false).await.unwrap());
        world.now = world.now + MINUTE * minutes - MS;
        assert!(world.takes().await.is_empty(), "{minutes}");
        world.now = world.now + MS;
    }
    let known = world.db.messages(MessageFilter::default(), 10).await.unwrap();
    assert_eq!((known[0].tries, known[0].fault.as_str()), (3, "down"));
}

pub async fn a_message_that_was_sent_leaves_no_text_behind(mut world: World) {
    let lines = "two\r\nBcc: eve@example.com";
    let Outgoing::Mail { to, language, body, .. } = mail("ann@example.com") else { panic!() };
    world.posts(&Outgoing::Mail { to, language, subject: lines.into(), body }).await;
    let taken = world.takes().await.remove(0);
    let Outgoing::Mail { subject, .. } = &taken.what else { panic!("{taken:?}") };
    assert_eq!(subject, "two  Bcc: eve@example.com", "no header of its own");
    world.db.note_sent(taken.number, world.now).await.unwrap();
    let sent = world.db.message(taken.number).await.unwrap().unwrap();
    let Outgoing::Mail { body, .. } = &sent.what else { panic!("{sent:?}") };
    assert_eq!((body.as_str(), sent.state), ("", MessageState::Sent(world.now)));
    world.now = world.now + DAY * 30 - MS;
    assert_eq!(world.takes().await, []);
    assert_eq!(world.db.forget_messages(world.now).await.unwrap(), 0);
    world.now = world.now + MS;
    assert_eq!(world.db.forget_messages(world.now).await.unwrap(), 1);
}

pub async fn what_cannot_be_delivered_is_given_up_and_tried_again_when_somebody_says_so(mut world: World) {
    world.posts(&mail("ann@example.com")).await;
    world.posts(&mail("nobody@example.com")).await;
    let taken = world.takes().await;
    let [ann, nobody] = [taken[0].number, taken[1].number];
    assert!(world.db.note_not_sent(nobody, "550".into(), true).await.unwrap(), "told so");
    for tries in 1..20 {
        assert!(!world.db.note_not_sent(ann, "down".into(), false).await.unwrap(), "{tries}");
        world.now = world.now + HOUR * 6;
        assert_eq!(world.takes().await.len(), 1, "{tries}");
    }
    assert!(world.db.note_not_sent(ann, "down".into(), false).await.unwrap(), "three days");
    let filter = MessageFilter { given_up: true, before: None };
    assert_eq!(world.db.messages(filter, 10).await.unwrap().len(), 2);
    world.now = world.now + DAY;
    assert_eq!(world.takes().await, []);
    assert_eq!(world.db.retry(None, world.now).await.unwrap(), 2);
    assert_eq!(world.takes().await.len(), 2);
    assert!(!world.db.note_not_sent(ann, "down".into(), false).await.unwrap(), "as if it were new");
    world.db.note_sent(nobody, world.now).await.unwrap();
    assert_eq!(world.db.retry(Some(nobody), world.now).await.unwrap(), 0, "it was sent");
    assert_eq!(world.db.retry(Some(ann), world.now).await.unwrap(), 1);
    assert_eq!(world.takes().await.len(), 1, "at once");
}

pub async fn a_service_is_told_of_one_person_in_order_and_of_another_at_once(mut world: World) {
    for (person, text) in [(1, "held"), (1, "restored"), (2, "held")] {
        world.posts(&event(person, text)).await;
    }
    let taken = world.takes().await;
    let told: Vec<_> = taken.iter().map(|message| message.what.clone()).collect();
    assert_eq!(told, [event(1, "held"), event(2, "held")]);
    world.db.note_not_sent(taken[0].number, "down".into(), false).await.unwrap();
    world.db.note_sent(taken[1].number, world.now).await.unwrap();
    world.now = world.now + MINUTE;
    let again = world.takes().await;
    assert_eq!((again.len(), &again[0].what), (1, &event(1, "held")));
    assert_eq!(world.takes().await, [], "it may be under way");
    world.db.note_sent(again[0].number, world.now).await.unwrap();
    let next = world.takes().await;
    assert_eq!((next.len(), &next[0].what), (1, &event(1, "restored")));
}

pub async fn messages_are_listed_page_by_page(world: World) {
    for number in 0..5 {
        world.posts(&mail(&format!("p{number}@example.com"))).await;
    }
    let mut filter = MessageFilter::default();
    let mut seen = Vec::new();
    loop {
        let page = world.db.messages(filter, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        filter.before = Some(last.number);
        seen.extend(page.into_iter().map(|message| message.number));
    }
    assert_eq!(seen.len(), 5);
    assert!(seen.is_sorted_by(|one, next| next < one), "{seen:?}");
}

pub async fn ten_workers_take_each_message_once(world: World) {
    for number in 0..40 {
        world.posts(&mail(&format!("p{number}@example.com"))).await;
    }
    let (world, mut workers) = (Arc::new(world), JoinSet::new());
    for _ in 0..10 {
        let world = Arc::clone(&world);
        workers.spawn(async move { world.db.take_due(world.now, true, 8).await.unwrap() });
    }
    let mut taken: Vec<_> = workers.join_all().await.into_iter().flatten().map(|one| one.number).collect();
    loop {
        let more = world.takes().await;
        if more.is_empty() {
            break;
        }
        taken.extend(more.into_iter().map(|message| message.number));
    }
    taken.sort_unstable();
    let number = taken.len();
    taken.dedup();
    assert_eq!((number, taken.len()), (40, 40));
}
