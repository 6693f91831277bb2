//! Licences that groups give: every member of a group gets its offers, as long as there are seats and nothing speaks against it.
//!
//! Nobody's other licences wait for one that cannot be given. Whoever waits is served by age when a seat frees.

use std::collections::{BTreeMap, BTreeSet};

use shared::time::Timestamp;

use crate::offers::{OfferName, Offers, ServiceName, misfits};
use crate::seats::{Member, NotAssigned, Pool, Seat, lost, services};
use crate::{GroupId, PersonId};

/// An offer that a person is to have by groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupClaim {
    /// The groups that give it to the person.
    pub groups: BTreeSet<GroupId>,
    /// The services that each of them switches off.
    pub off: BTreeSet<ServiceName>,
    /// Since when the first of them gives it.
    pub since: Timestamp,
}

/// What a person is to have by groups.
pub type GroupClaims = BTreeMap<OfferName, GroupClaim>;

/// An offer that a person is to have and has not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingClaim {
    /// Who waits.
    pub person: PersonId,
    /// For what.
    pub offer: OfferName,
    /// Since when.
    pub since: Timestamp,
    /// Why.
    pub causes: Vec<NotAssigned>,
}

impl WaitingClaim {
    /// Whether another seat is all that it takes.
    pub fn is_for_a_seat(&self) -> bool {
        self.causes.iter().all(|cause| matches!(cause, NotAssigned::NoSeat(_) | NotAssigned::NotBought(_)))
    }
}

/// What groups come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// What everybody on the list has afterwards, in its order.
    pub people: Vec<BTreeMap<OfferName, Seat>>,
    /// The pools afterwards.
    pub pools: BTreeMap<OfferName, Pool>,
    /// Who waits for what, the longest first.
    pub waiting: Vec<WaitingClaim>,
}

/// Gives these people what their groups give, and takes what no group gives any more.
pub fn settle(
    people: &[(Member, GroupClaims)],
    pools: &BTreeMap<OfferName, Pool>,
    offers: &Offers,
) -> Settled {
    let mut pools = pools.clone();
    let mut has: Vec<_> = people.iter().map(|(member, claims)| kept(member, claims)).collect();
    for ((member, _), seats) in people.iter().zip(&has) {
        for offer in lost(member, seats) {
            let pool = pools.entry(offer.clone()).or_default();
            pool.taken = pool.taken.saturating_sub(1);
        }
    }
    let mut wanted: Vec<_> = people
        .iter()
        .enumerate()
        .flat_map(|(index, (member, claims))| claims.iter().map(move |claim| (index, member, claim)))
        .filter(|(index, _, (offer, _))| !has[*index].contains_key(*offer))
        .collect();
    wanted.sort_by_key(|(_, member, (offer, claim))| (claim.since, member.person, (*offer).clone()));
    // One may need what another gives, so it goes on until nobody gets anything any more.
    let mut left = usize::MAX;
    while wanted.len() < left {
        left = wanted.len();
        wanted.retain(|(index, member, (offer, claim))| {
            let must_wait = !causes(member, &has[*index], offer, claim, &pools, offers).is_empty();
            if !must_wait {
                pools.entry((*offer).clone()).or_default().taken += 1;
                has[*index].insert((*offer).clone(), seat(claim));
            }
            must_wait
        });
    }
    let waiting = wanted.into_iter().map(|(index, member, (offer, claim))| WaitingClaim {
        person: member.person,
        offer: offer.clone(),
        since: claim.since,
        causes: causes(member, &has[index], offer, claim, &pools, offers),
    });
    let waiting = waiting.collect();
    Settled { people: has, pools, waiting }
}

/// Why a person who has these seats does not get what a group gives; empty if they can have it.
pub fn causes(
    member: &Member,
    has: &BTreeMap<OfferName, Seat>,
    offer: &OfferName,
    claim: &GroupClaim,
    pools: &BTreeMap<OfferName, Pool>,
    offers: &Offers,
) -> Vec<NotAssigned> {
    let mut with = has.clone();
    with.insert(offer.clone(), seat(claim));
    let now = misfits(&services(offers, &with), member.location);
    let before = misfits(&services(offers, has), member.location);
    let mut causes: Vec<_> = now.difference(&before).cloned().map(NotAssigned::Misfit).collect();
    let pool = pools.get(offer).copied().unwrap_or_default();
    if pool.bought == 0 {
        causes.push(NotAssigned::NotBought(offer.clone()));
    } else if pool.free() == 0 {
        causes.push(NotAssigned::NoSeat(offer.clone()));
    }
    causes
}

fn seat(claim: &GroupClaim) -> Seat {
    Seat { by_hand: false, groups: claim.groups.clone(), off: claim.off.clone() }
}

/// What a person keeps: what was assigned by hand, and what a group still gives.
fn kept(member: &Member, claims: &GroupClaims) -> BTreeMap<OfferName, Seat> {
    let mut seats = member.seats.clone();
    for (offer, seat) in &mut seats {
        let claim = claims.get(offer);
        seat.groups = claim.map(|claim| claim.groups.clone()).unwrap_or_default();
        if let Some(claim) = claim.filter(|_| !seat.by_hand) {
            seat.off.clone_from(&claim.off);
        }
    }
    seats.retain(|_, seat| seat.by_hand || !seat.groups.is_empty());
    seats
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offers::Misfit;
    use crate::offers::tests::{country, offer, shop};

    const AT: Timestamp = Timestamp::from_unix_ms(1_767_225_600_000);

    fn group(number: u8) -> GroupId {
        GroupId::from_bytes([number; 16])
    }

    fn member(number: u8) -> Member {
        let location = Some(country("NL"));
        Member { person: PersonId::from_bytes([number; 16]), location, seats: BTreeMap::new() }
    }

    fn claims(of: &[(&str, &[u8], u64)]) -> GroupClaims {
        let claim = |groups: &[u8], minutes| GroupClaim {
            groups: groups.iter().copied().map(group).collect(),
            off: BTreeSet::new(),
            since: AT + std::time::Duration::from_mins(minutes),
        };
        of.iter().map(|(name, groups, minutes)| (offer(name), claim(groups, *minutes))).collect()
    }

    fn pools(bought: u64, taken: u64) -> BTreeMap<OfferName, Pool> {
        ["basic", "voice", "plus"].map(|name| (offer(name), Pool { bought, taken })).into()
    }

    #[test]
    fn who_waits_longest_is_served_first() {
        let people = [(member(1), claims(&[("basic", &[1], 9)])), (member(2), claims(&[("basic", &[1], 3)]))];
        let settled = settle(&people, &pools(5, 4), &shop());
        assert!(settled.people[0].is_empty() && settled.people[1].contains_key("basic"));
        assert_eq!(settled.waiting[0].causes, [NotAssigned::NoSeat(offer("basic"))]);
        assert!(settled.waiting[0].is_for_a_seat());
        assert_eq!(settled.pools[&offer("basic")].taken, 5);
    }

    #[test]
    fn a_seat_of_two_groups_stays_while_one_of_them_gives_it() {
        let mut one = member(1);
        one.seats.insert(offer("basic"), Seat { groups: [group(1), group(2)].into(), ..Seat::default() });
        let left = settle(&[(one.clone(), claims(&[("basic", &[2], 0)]))], &pools(1, 1), &shop());
        assert_eq!(left.people[0]["basic"].groups, [group(2)].into());
        assert_eq!(left.pools, pools(1, 1));
        let gone = settle(
            &[(one, GroupClaims::new()), (member(2), claims(&[("basic", &[2], 0)]))],
            &pools(1, 1),
            &shop(),
        );
        assert!(
            gone.people[0].is_empty() && gone.people[1].contains_key("basic"),
            "the seat goes on at once"
        );
    }

    #[test]
    fn what_does_not_fit_keeps_nothing_else_waiting_and_is_no_matter_of_seats() {
        let people = [(member(1), claims(&[("basic", &[1], 0), ("plus", &[1], 0), ("voice", &[1], 0)]))];
        let settled = settle(&people, &pools(9, 0), &shop());
        let names: Vec<_> = settled.people[0].keys().map(OfferName::as_str).collect();
        assert_eq!(names, ["basic", "voice"]);
        assert!(
            matches!(settled.waiting[0].causes[..], [NotAssigned::Misfit(Misfit::Excludes { .. })]),
            "{settled:?}"
        );
        assert!(!settled.waiting[0].is_for_a_seat());
    }

    #[test]
    fn what_was_assigned_by_hand_stays_when_every_group_is_gone() {
        let mut one = member(1);
        let seat = Seat { by_hand: true, groups: [group(1)].into(), off: BTreeSet::new() };
        one.seats.insert(offer("basic"), seat);
        let settled = settle(&[(one, GroupClaims::new())], &pools(1, 1), &shop());
        assert!(settled.people[0]["basic"].by_hand && settled.people[0]["basic"].groups.is_empty());
    }
}
