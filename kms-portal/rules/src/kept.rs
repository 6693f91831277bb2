//! What is kept of a person's data when a licence is taken back or the person is deleted: everything, for 30 times 24 hours.
//!
//! Each service is told: set up, hold, restore, purge. It is told once to purge, and never after it was told to restore.

use std::collections::BTreeSet;
use std::time::Duration;

use shared::time::Timestamp;

use crate::DAY;
use crate::offers::ServiceName;

/// How long it is kept.
pub const KEPT_FOR: Duration = DAY.saturating_mul(30);

/// What happens to data that is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeldData {
    /// It comes back with a licence that has the service, before this instant.
    RestorableUntil(Timestamp),
    /// It is to be purged, if that was not done.
    ToPurge,
}

/// What happens to data that is held since `since`.
pub fn held(since: Timestamp, now: Timestamp) -> HeldData {
    let until = since + KEPT_FOR;
    if now < until { HeldData::RestorableUntil(until) } else { HeldData::ToPurge }
}

/// Whether something that was taken back at `since` can still be restored.
pub fn is_kept(since: Timestamp, now: Timestamp) -> bool {
    held(since, now) != HeldData::ToPurge
}

/// What a service is told about a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceEvent {
    /// The person has it, and had not.
    SetUp,
    /// The person has it no more; keep everything.
    Hold,
    /// The person has it again; what was kept is theirs.
    Restore,
    /// What was kept is to go.
    Purge,
}

impl ServiceEvent {
    /// The type of the event.
    pub const fn name(self) -> &'static str {
        match self {
            ServiceEvent::SetUp => "service.set_up",
            ServiceEvent::Hold => "service.held",
            ServiceEvent::Restore => "service.restored",
            ServiceEvent::Purge => "service.purged",
        }
    }
}

/// The events of a person whose services change from `before` to `after`. `kept` says since when a service holds data of the person. It
/// makes no difference which offer gives a service.
pub fn service_events<'a>(
    before: &BTreeSet<&'a ServiceName>,
    after: &BTreeSet<&'a ServiceName>,
    kept: impl Fn(&ServiceName) -> Option<Timestamp>,
    now: Timestamp,
) -> Vec<(&'a ServiceName, ServiceEvent)> {
    let gone = before.difference(after).map(|service| (*service, ServiceEvent::Hold));
    let come = after.difference(before).flat_map(|service| {
        let events: &[ServiceEvent] = match kept(service).map(|since| held(since, now)) {
            None => &[ServiceEvent::SetUp],
            Some(HeldData::RestorableUntil(_)) => &[ServiceEvent::Restore],
            // Nobody has told the service yet.
            Some(HeldData::ToPurge) => &[ServiceEvent::Purge, ServiceEvent::SetUp],
        };
        events.iter().map(|event| (*service, *event))
    });
    gone.chain(come).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offers::tests::service;

    const SINCE: Timestamp = Timestamp::from_unix_ms(1_767_225_600_000);

    #[test]
    fn data_is_kept_for_720_hours_to_the_millisecond() {
        let end = SINCE + Duration::from_hours(720);
        assert_eq!(held(SINCE, end - Duration::from_millis(1)), HeldData::RestorableUntil(end));
        assert_eq!(held(SINCE, end), HeldData::ToPurge);
    }

    #[test]
    fn a_service_that_somebody_gets_through_another_offer_hears_nothing() {
        let (mail, files, voice) = (service("mail"), service("files"), service("voice"));
        let (before, after) = (BTreeSet::from([&mail, &files]), BTreeSet::from([&mail, &voice]));
        let events_of = |kept: Option<Timestamp>, now| {
            service_events(&before, &after, |name| kept.filter(|_| *name == voice), now)
        };
        assert_eq!(events_of(None, SINCE), [(&files, ServiceEvent::Hold), (&voice, ServiceEvent::SetUp)]);
        assert_eq!(
            events_of(Some(SINCE), SINCE + DAY),
            [(&files, ServiceEvent::Hold), (&voice, ServiceEvent::Restore)]
        );
        assert_eq!(
            events_of(Some(SINCE), SINCE + KEPT_FOR),
            [(&files, ServiceEvent::Hold), (&voice, ServiceEvent::Purge), (&voice, ServiceEvent::SetUp)]
        );
        assert_eq!(service_events(&before, &before, |_| None, SINCE), []);
    }
}
