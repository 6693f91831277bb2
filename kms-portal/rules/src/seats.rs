//! Who gets a licence: a seat of an offer, for one person.
//!
//! A person has one seat of an offer at most, whatever gives it: somebody assigned it by hand, or a group has it. [`plan`] says what a
//! change would do to each of many people, before anything is written; the same plan is what is written afterwards.

use std::collections::{BTreeMap, BTreeSet};

use crate::offers::{Country, Misfit, OfferName, Offers, ServiceName, misfits};
use crate::{GroupId, PersonId};

/// A licence that somebody has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seat {
    /// Whether somebody assigned it by hand.
    pub by_hand: bool,
    /// The groups that give it.
    pub groups: BTreeSet<GroupId>,
    /// The services that are switched off for this person.
    pub off: BTreeSet<ServiceName>,
}

/// A person, and what they have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Who it is.
    pub person: PersonId,
    /// Where they use what they have.
    pub location: Option<Country>,
    /// Their licences.
    pub seats: BTreeMap<OfferName, Seat>,
}

/// The seats of an offer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pool {
    /// Seats of subscriptions that give any.
    pub bought: u64,
    /// Seats that somebody has.
    pub taken: u64,
}

impl Pool {
    /// How many more can be given.
    pub const fn free(self) -> u64 {
        self.bought.saturating_sub(self.taken)
    }
}

/// Offers to assign, each with the services that are switched off.
pub type WantedSeats = BTreeMap<OfferName, BTreeSet<ServiceName>>;

/// What to do for everybody on the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SeatChange {
    /// Give these, and leave everything else.
    Add(WantedSeats),
    /// Give these, and take every other that was assigned by hand.
    Replace(WantedSeats),
    /// Take these.
    Revoke(BTreeSet<OfferName>),
}

/// What happens to the others if there is not enough for everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfNotAll {
    /// Nobody gets anything.
    Nobody,
    /// The first ones on the list do.
    TheFirst,
}

/// What a change does to one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SeatOutcome {
    /// They have these licences afterwards. They may be the same as before.
    Has(BTreeMap<OfferName, Seat>),
    /// Everything stays as it was.
    Refused(Vec<NotAssigned>),
}

/// Why a person does not get a licence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAssigned {
    /// The organisation has bought nothing of it, or what it bought gives none.
    #[error("no subscription gives {0}")]
    NotBought(OfferName),
    /// Every seat is taken.
    #[error("no seat of {0} is left")]
    NoSeat(OfferName),
    /// They cannot have its services.
    #[error(transparent)]
    Misfit(Misfit),
    /// It would have worked for this person alone.
    #[error("there is not enough for everybody on the list")]
    NotForAll,
}

/// What a change would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// For everybody on the list, in its order.
    pub people: Vec<(PersonId, SeatOutcome)>,
    /// The pools afterwards, of every offer that anybody gains or loses.
    pub pools: BTreeMap<OfferName, Pool>,
    /// How many more seats of each offer it would take to serve everybody. Buy so many, and it works.
    pub short: BTreeMap<OfferName, u64>,
}

impl Plan {
    /// How many people it changes nothing for, because they were refused.
    pub fn refused(&self) -> usize {
        self.people.iter().filter(|(_, outcome)| matches!(outcome, SeatOutcome::Refused(_))).count()
    }
}

/// Plans a change for these people.
///
/// Each person is checked first. Then seats are given: first to those who need no new one, then in the order of the list. A replacement is
/// done for a person as a whole or not at all. Seats that one person gives back can go to others on the list.
pub fn plan(
    members: &[Member],
    change: &SeatChange,
    pools: &BTreeMap<OfferName, Pool>,
    offers: &Offers,
    if_not_all: IfNotAll,
) -> Plan {
    let mut pools = pools.clone();
    let mut outcomes: Vec<Result<BTreeMap<OfferName, Seat>, Vec<NotAssigned>>> =
        members.iter().map(|member| fitting(member, change, &pools, offers)).collect();

    let is_free = |member: &Member, seats: &BTreeMap<OfferName, Seat>| gained(member, seats).next().is_none();
    let before = pools.clone();
    let mut demand = BTreeMap::<OfferName, i128>::new();
    for (member, outcome) in members.iter().zip(&outcomes) {
        let Ok(seats) = outcome else { continue };
        gained(member, seats).for_each(|offer| *demand.entry(offer.clone()).or_default() += 1);
        lost(member, seats).for_each(|offer| *demand.entry(offer.clone()).or_default() -= 1);
    }
    let short: BTreeMap<OfferName, u64> = demand
        .iter()
        .filter_map(|(offer, demand)| {
            let missing = *demand - i128::from(before.get(offer).copied().unwrap_or_default().free());
            u64::try_from(missing).ok().filter(|missing| 0 < *missing).map(|missing| (offer.clone(), missing))
        })
        .collect();

    let all_are_served = short.is_empty() && outcomes.iter().all(Result::is_ok);
    if all_are_served {
        // Whoever swaps may take what another gives back, so the order does not matter.
        for (member, outcome) in members.iter().zip(&outcomes) {
            move_seats(&mut pools, member, outcome.as_ref().expect("all are served"));
        }
    } else if if_not_all == IfNotAll::Nobody {
        for (member, outcome) in members.iter().zip(&mut outcomes) {
            if let Ok(seats) = outcome {
                let scarce: Vec<_> =
                    gained(member, seats).filter(|offer| short.contains_key(*offer)).cloned().collect();
                let causes = scarce.into_iter().map(NotAssigned::NoSeat).collect::<Vec<_>>();
                *outcome = Err(if causes.is_empty() { vec![NotAssigned::NotForAll] } else { causes });
            }
        }
    } else {
        let (free, others): (Vec<usize>, Vec<usize>) = (0..members.len())
            .filter(|index| outcomes[*index].is_ok())
            .partition(|index| outcomes[*index].as_ref().is_ok_and(|seats| is_free(&members[*index], seats)));
        for index in free.into_iter().chain(others) {
            let (member, outcome) = (&members[index], &mut outcomes[index]);
            let Ok(seats) = outcome else { continue };
            let none_left = |offer: &&OfferName| pools.get(*offer).copied().unwrap_or_default().free() == 0;
            let missing: Vec<_> = gained(member, seats).filter(none_left).cloned().collect();
            if missing.is_empty() {
                move_seats(&mut pools, member, seats);
            } else {
                *outcome = Err(missing.into_iter().map(NotAssigned::NoSeat).collect());
            }
        }
    }
    pools.retain(|offer, pool| before.get(offer) != Some(pool));
    let people = members.iter().zip(outcomes).map(|(member, outcome)| {
        (member.person, outcome.map_or_else(SeatOutcome::Refused, SeatOutcome::Has))
    });
    Plan { people: people.collect(), pools, short }
}

/// What the person would have, if there is a seat for everything.
fn fitting(
    member: &Member,
    change: &SeatChange,
    pools: &BTreeMap<OfferName, Pool>,
    offers: &Offers,
) -> Result<BTreeMap<OfferName, Seat>, Vec<NotAssigned>> {
    let seats = changed(&member.seats, change);
    let not_bought =
        gained(member, &seats).filter(|offer| pools.get(*offer).is_none_or(|pool| pool.bought == 0));
    let mut causes: Vec<NotAssigned> = not_bought.cloned().map(NotAssigned::NotBought).collect();
    // A misfit of before is a conflict of its own, and must not prevent a change that mends it step by step.
    let now = misfits(&services(offers, &seats), member.location);
    let before = misfits(&services(offers, &member.seats), member.location);
    causes.extend(now.difference(&before).cloned().map(NotAssigned::Misfit));
    if causes.is_empty() { Ok(seats) } else { Err(causes) }
}

/// The services that these seats give.
pub fn services<'a>(
    offers: &'a Offers,
    seats: &'a BTreeMap<OfferName, Seat>,
) -> BTreeMap<&'a ServiceName, &'a crate::offers::OfferedService> {
    offers.services(seats.iter().map(|(name, seat)| (name, &seat.off)))
}

fn changed(seats: &BTreeMap<OfferName, Seat>, change: &SeatChange) -> BTreeMap<OfferName, Seat> {
    let mut seats = seats.clone();
    let take = |seats: &mut BTreeMap<OfferName, Seat>, goes: &dyn Fn(&OfferName) -> bool| {
        for (offer, seat) in seats.iter_mut() {
            seat.by_hand &= !goes(offer);
        }
        // What a group gives, only leaving the group takes.
        seats.retain(|_, seat| seat.by_hand || !seat.groups.is_empty());
    };
    match change {
        SeatChange::Revoke(offers) => take(&mut seats, &|offer| offers.contains(offer)),
        SeatChange::Add(wanted) | SeatChange::Replace(wanted) => {
            if matches!(change, SeatChange::Replace(_)) {
                take(&mut seats, &|offer| !wanted.contains_key(offer));
            }
            for (offer, off) in wanted {
                let seat = seats.entry(offer.clone()).or_default();
                seat.by_hand = true;
                seat.off.clone_from(off);
            }
        }
    }
    seats
}

/// The offers of which a person needs a seat and had none.
fn gained<'a>(
    member: &'a Member,
    seats: &'a BTreeMap<OfferName, Seat>,
) -> impl Iterator<Item = &'a OfferName> {
    seats.keys().filter(|offer| !member.seats.contains_key(*offer))
}

/// The offers of which a person gives a seat back.
pub(crate) fn lost<'a>(
    member: &'a Member,
    seats: &'a BTreeMap<OfferName, Seat>,
) -> impl Iterator<Item = &'a OfferName> {
    member.seats.keys().filter(|offer| !seats.contains_key(*offer))
}

fn move_seats(pools: &mut BTreeMap<OfferName, Pool>, member: &Member, seats: &BTreeMap<OfferName, Seat>) {
    for offer in lost(member, seats) {
        let pool = pools.entry(offer.clone()).or_default();
        pool.taken = pool.taken.saturating_sub(1);
    }
    for offer in gained(member, seats) {
        pools.entry(offer.clone()).or_default().taken += 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::offers::tests::{country, offer, service, shop};

    fn person(number: u8) -> PersonId {
        PersonId::from_bytes([number; 16])
    }

    fn member(number: u8, by_hand: &[&str]) -> Member {
        let seat = || Seat { by_hand: true, ..Seat::default() };
        let seats = by_hand.iter().map(|name| (offer(name), seat())).collect();
        Member { person: person(number), location: Some(country("NL")), seats }
    }

    fn pool(bought: u64, taken: u64) -> Pool {
        Pool { bought, taken }
    }

    fn wanted(names: &[&str]) -> WantedSeats {
        names.iter().map(|name| (offer(name), BTreeSet::new())).collect()
    }

    fn pools(of: &[(&str, Pool)]) -> BTreeMap<OfferName, Pool> {
        of.iter().map(|(name, pool)| (offer(name), *pool)).collect()
    }

    /// The names of the offers that each person has afterwards, or why not.
    fn outcomes_of(plan: &Plan) -> Vec<String> {
        let tell = |outcome: &SeatOutcome| match outcome {
            SeatOutcome::Has(seats) => seats.keys().map(ToString::to_string).collect::<Vec<_>>().join(" "),
            SeatOutcome::Refused(causes) => {
                let causes: Vec<_> = causes.iter().map(ToString::to_string).collect();
                format!("refused: {}", causes.join("; "))
            }
        };
        plan.people.iter().map(|(_, outcome)| tell(outcome)).collect()
    }

    #[test]
    fn add_leaves_what_somebody_has_and_replace_takes_it() {
        let (people, pools) =
            ([member(1, &["basic"])], pools(&[("basic", pool(5, 1)), ("voice", pool(5, 0))]));
        let plan_of = |change| plan(&people, &change, &pools, &shop(), IfNotAll::Nobody);
        let added = plan_of(SeatChange::Add(wanted(&["voice"])));
        assert_eq!(outcomes_of(&added), ["basic voice"]);
        assert_eq!(added.pools, self::pools(&[("voice", pool(5, 1))]));
        let replaced = plan_of(SeatChange::Replace(wanted(&["voice"])));
        assert_eq!(outcomes_of(&replaced), ["voice"]);
        assert_eq!(replaced.pools, self::pools(&[("basic", pool(5, 0)), ("voice", pool(5, 1))]));
        assert_eq!(outcomes_of(&plan_of(SeatChange::Revoke([offer("basic")].into()))), [""]);
    }

    #[test]
    fn five_hundred_people_and_three_hundred_seats() {
        let people: Vec<Member> = (0..=255).chain(0..=243).map(|number| member(number, &[])).collect();
        let pools = pools(&[("voice", pool(300, 0))]);
        let change = SeatChange::Add(wanted(&["voice"]));
        let nobody = plan(&people, &change, &pools, &shop(), IfNotAll::Nobody);
        assert_eq!((nobody.refused(), nobody.short.get(&offer("voice"))), (500, Some(&200)));
        assert!(nobody.pools.is_empty(), "nothing is taken");
        let first = plan(&people, &change, &pools, &shop(), IfNotAll::TheFirst);
        assert_eq!((first.refused(), first.short.get(&offer("voice"))), (200, Some(&200)));
        assert!(
            matches!(first.people[299].1, SeatOutcome::Has(_))
                && matches!(first.people[300].1, SeatOutcome::Refused(_))
        );
    }

    /// 500 get `voice` instead of what they have, 300 of them have it already: 200 seats are needed.
    #[test]
    fn a_replacement_needs_the_seats_that_are_not_there_already() {
        let with = (0..300).map(|number: u16| member(number.to_le_bytes()[0], &["voice", "basic"]));
        let without = (0..200).map(|number: u8| member(number, &["basic"]));
        let people: Vec<Member> = with.chain(without).collect();
        let pools = pools(&[("voice", pool(500, 300)), ("basic", pool(500, 500))]);
        let plan = plan(&people, &SeatChange::Replace(wanted(&["voice"])), &pools, &shop(), IfNotAll::Nobody);
        assert_eq!((plan.refused(), plan.pools.get(&offer("voice"))), (0, Some(&pool(500, 500))));
        assert_eq!(plan.pools.get(&offer("basic")), Some(&pool(500, 0)));
    }

    #[test]
    fn two_people_swap_where_no_seat_is_left() {
        let people = [member(1, &["basic"]), member(2, &["voice"])];
        let mut pools = pools(&[("basic", pool(1, 1)), ("voice", pool(1, 1))]);
        let voice =
            plan(&people[..1], &SeatChange::Replace(wanted(&["voice"])), &pools, &shop(), IfNotAll::Nobody);
        assert_eq!(outcomes_of(&voice), ["refused: no seat of voice is left"]);
        pools.insert(offer("voice"), pool(1, 0));
        let voice =
            plan(&people[..1], &SeatChange::Replace(wanted(&["voice"])), &pools, &shop(), IfNotAll::Nobody);
        assert_eq!(outcomes_of(&voice), ["voice"]);
    }

    #[test]
    fn a_seat_by_a_group_and_by_hand_is_one_and_stays_until_the_person_leaves_the_group() {
        let group = GroupId::from_bytes([7; 16]);
        let mut both = member(1, &["basic"]);
        both.seats.get_mut("basic").unwrap().groups.insert(group);
        let pools = pools(&[("basic", pool(1, 1))]);
        let plan =
            plan(&[both], &SeatChange::Revoke([offer("basic")].into()), &pools, &shop(), IfNotAll::Nobody);
        let SeatOutcome::Has(seats) = &plan.people[0].1 else { panic!("{plan:?}") };
        let seat = &seats["basic"];
        assert!(!seat.by_hand && seat.groups.contains(&group) && plan.pools.is_empty());
    }

    #[test]
    fn each_cause_is_told_for_the_person_it_is_about() {
        let nowhere = Member { location: None, ..member(1, &[]) };
        let aruba = Member { location: Some(country("AW")), ..member(2, &[]) };
        let people = [nowhere, aruba, member(3, &["basic"]), member(4, &[])];
        let pools = pools(&[("basic", pool(9, 1)), ("plus", pool(9, 0)), ("voice", pool(9, 0))]);
        let change = |names| SeatChange::Add(wanted(names));
        let voice = plan(&people, &change(&["voice"]), &pools, &shop(), IfNotAll::TheFirst);
        assert_eq!(
            outcomes_of(&voice),
            [
                "refused: a usage location is needed",
                "refused: voice is not offered in AW",
                "basic voice",
                "voice"
            ]
        );
        let plus = plan(&people[2..], &change(&["plus"]), &pools, &shop(), IfNotAll::Nobody);
        assert_eq!(
            outcomes_of(&plus),
            [
                "refused: nobody can have both mail and mail-plus",
                "refused: there is not enough for everybody on the list"
            ]
        );
        let unknown = plan(&people[3..], &change(&["gold"]), &pools, &shop(), IfNotAll::Nobody);
        assert_eq!(outcomes_of(&unknown), ["refused: no subscription gives gold"]);
    }

    #[test]
    fn an_old_misfit_prevents_no_other_change() {
        let mut moved = member(1, &["voice", "basic"]);
        moved.location = Some(country("AW"));
        let pools = pools(&[("basic", pool(9, 1)), ("voice", pool(9, 1))]);
        let off = WantedSeats::from([(offer("basic"), BTreeSet::from([service("files")]))]);
        let plan = plan(&[moved], &SeatChange::Add(off), &pools, &shop(), IfNotAll::Nobody);
        assert_eq!(outcomes_of(&plan), ["basic voice"]);
    }

    prop_compose! {
        fn members()(people in prop::collection::vec((any::<bool>(), any::<bool>(), any::<bool>()), 0..12)) -> Vec<Member> {
            people.iter().zip(0..).map(|(&(basic, voice, here), number)| {
                let has: Vec<&str> = [(basic, "basic"), (voice, "voice")].iter().filter(|(has, _)| *has).map(|(_, name)| *name).collect();
                Member { location: Some(country(if here { "NL" } else { "AW" })), ..member(number, &has) }
            }).collect()
        }
    }

    proptest! {
        /// Seats are never created: what the pools count is what people have, and no pool gets fuller than it may be.
        #[test]
        fn pools_and_people_agree(
            people in members(),
            more in (0_u64..6, 0_u64..6),
            change in prop::sample::select(vec![
                SeatChange::Add(wanted(&["voice"])), SeatChange::Replace(wanted(&["voice"])), SeatChange::Replace(wanted(&["basic"])),
                SeatChange::Add(wanted(&["basic", "voice"])), SeatChange::Revoke([offer("voice")].into()), SeatChange::Replace(wanted(&[])),
            ]),
            all in any::<bool>(),
        ) {
            let has = |name: &str| people.iter().filter(|member| member.seats.contains_key(name)).count() as u64;
            let before = pools(&[("basic", pool(has("basic") + more.0, has("basic"))), ("voice", pool(has("voice") + more.1, has("voice")))]);
            let if_not_all = if all { IfNotAll::Nobody } else { IfNotAll::TheFirst };
            let plan = plan(&people, &change, &before, &shop(), if_not_all);
            for name in ["basic", "voice"] {
                let after = *plan.pools.get(name).unwrap_or(&before[name]);
                let mut taken = 0;
                for (member, (person, outcome)) in people.iter().zip(&plan.people) {
                    prop_assert_eq!(member.person, *person);
                    taken += u64::from(match outcome {
                        SeatOutcome::Has(seats) => seats.contains_key(name),
                        SeatOutcome::Refused(_) => member.seats.contains_key(name),
                    });
                }
                prop_assert_eq!(after.taken, taken, "{}", name);
                prop_assert!(after.taken <= after.bought);
            }
            if if_not_all == IfNotAll::Nobody {
                prop_assert!(plan.refused() == 0 || plan.refused() == people.len());
            }
            // So many more would have been enough, as far as seats are concerned.
            let mut enough = before.clone();
            plan.short.iter().for_each(|(offer, missing)| enough.get_mut(offer).unwrap().bought += missing);
            let served = super::plan(&people, &change, &enough, &shop(), if_not_all);
            prop_assert!(served.short.is_empty());
        }
    }
}
