//! Conflicts: somebody has something that no longer fits, because a subscription lapsed, more is assigned than bought, or services changed.
//!
//! A conflict takes nothing away by itself. It has a cause, ways out, and a day after which something stops. If more is assigned than
//! bought, the conflict belongs to the subscription: everybody works until that day, and after it the latest seats stop first.

use shared::time::Timestamp;

use crate::PersonId;
use crate::life::{Subscription, TOO_MANY_ASSIGNED_FOR};
use crate::offers::Misfit;
use crate::seats::Pool;

/// What an administrator can do about a conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WayOut {
    /// Renew or reactivate the subscription.
    Renew,
    /// Buy more seats.
    BuySeats,
    /// Take licences back.
    Revoke,
    /// Switch a service off, or another one on.
    SwitchServices,
    /// Say where the person is.
    SetLocation,
}

/// The ways out of what keeps services from fitting.
pub const fn ways_out(misfit: &Misfit) -> &'static [WayOut] {
    match misfit {
        Misfit::NoLocation => &[WayOut::SetLocation, WayOut::Revoke],
        Misfit::NotOfferedThere { .. } => &[WayOut::SetLocation, WayOut::SwitchServices, WayOut::Revoke],
        Misfit::Excludes { .. } | Misfit::Requires { .. } => &[WayOut::SwitchServices, WayOut::Revoke],
    }
}

/// More seats are assigned than bought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany {
    /// How many too many.
    pub over: u64,
    /// Until when all of them work.
    pub all_work_until: Timestamp,
}

impl TooMany {
    /// The ways out.
    pub const WAYS_OUT: &'static [WayOut] = &[WayOut::BuySeats, WayOut::Revoke];

    /// Whether a pool has it, since it was first seen at `since`.
    pub fn of(pool: Pool, since: Timestamp) -> Option<TooMany> {
        let over = pool.taken.checked_sub(pool.bought).filter(|over| 0 < *over)?;
        Some(TooMany { over, all_work_until: since + TOO_MANY_ASSIGNED_FOR })
    }

    /// The people whose seat stops working: as many as there are too many, the latest first. `assigned` has everybody with a seat, and the
    /// instant at which they got it.
    pub fn stopped(&self, assigned: &[(Timestamp, PersonId)], now: Timestamp) -> Vec<PersonId> {
        if now < self.all_work_until {
            return Vec::new();
        }
        let mut latest_first = assigned.to_vec();
        latest_first.sort_unstable_by(|one, other| other.cmp(one));
        let over = usize::try_from(self.over).unwrap_or(usize::MAX);
        latest_first.into_iter().take(over).map(|(_, person)| person).collect()
    }
}

/// Since when more seats are taken than these subscriptions give; none if they give enough.
///
/// Each has its number of seats as it is today. `reduced_at` is when a reduction last left too few, if one did: nothing else says when a
/// number of seats changed.
pub fn over_since(
    sold: &[(u64, Subscription)],
    taken: u64,
    reduced_at: Option<Timestamp>,
    now: Timestamp,
) -> Option<Timestamp> {
    let given =
        |at| sold.iter().filter(|(_, life)| life.at(at).0.gives_seats()).map(|(seats, _)| seats).sum::<u64>();
    if taken <= given(now) {
        return None;
    }
    let mut changes: Vec<Timestamp> =
        sold.iter().flat_map(|(_, life)| life.changes()).filter(|at| *at <= now).collect();
    changes.sort_unstable();
    let too_few = changes.into_iter().rev().take_while(|at| given(*at) < taken);
    let since = too_few.last().unwrap_or(now);
    Some(reduced_at.map_or(since, |reduced_at| since.max(reduced_at)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::DAY;

    const SINCE: Timestamp = Timestamp::from_unix_ms(1_767_225_600_000);

    fn person(number: u8) -> PersonId {
        PersonId::from_bytes([number; 16])
    }

    /// 300 seats were bought, 280 are used, and the next term has 250: nobody is picked for 90 days, and 30 stop after them.
    #[test]
    fn for_ninety_days_everybody_works_and_then_the_latest_seats_stop() {
        let pool = Pool { bought: 250, taken: 280 };
        let too_many = TooMany::of(pool, SINCE).unwrap();
        assert_eq!(too_many, TooMany { over: 30, all_work_until: SINCE + DAY * 90 });
        let assigned: Vec<_> = (0..=255)
            .chain(0..24)
            .map(|number: u8| (SINCE - DAY * u32::from(number), person(number)))
            .collect();
        let stopped = |now| too_many.stopped(&assigned, now);
        assert_eq!(stopped(SINCE + DAY * 90 - Duration::from_millis(1)), []);
        let stopped = stopped(SINCE + DAY * 90);
        assert_eq!(stopped.len(), 30);
        assert!(
            stopped.iter().all(|one| one.as_bytes()[0] < 15),
            "each of these is there twice: {stopped:?}"
        );
    }

    #[test]
    fn enough_seats_are_no_conflict() {
        for pool in [Pool { bought: 5, taken: 5 }, Pool { bought: 5, taken: 0 }, Pool::default()] {
            assert_eq!(TooMany::of(pool, SINCE), None);
        }
    }

    #[test]
    fn seats_of_one_instant_stop_in_one_order() {
        let too_many = TooMany::of(Pool { bought: 1, taken: 2 }, SINCE).unwrap();
        let (one, other) = ((SINCE, person(1)), (SINCE, person(2)));
        let after = SINCE + DAY * 90;
        assert_eq!(too_many.stopped(&[one, other], after), too_many.stopped(&[other, one], after));
    }

    #[test]
    fn too_few_seats_since_a_subscription_stopped_giving_any_or_since_the_reduction() {
        let year = DAY * 365;
        let first = (100, Subscription::new(SINCE, SINCE + year));
        let second = (50, Subscription::new(SINCE, SINCE + year * 2));
        let stops = SINCE + year + DAY * 30;
        let since = |taken, reduced_at, now| over_since(&[first, second], taken, reduced_at, now);
        assert_eq!(since(120, None, stops - Duration::from_millis(1)), None);
        assert_eq!(since(120, None, stops), Some(stops), "nothing was written when it lapsed");
        assert_eq!(since(120, None, stops + DAY * 9), Some(stops));
        assert_eq!(since(50, None, stops + DAY), None);
        // There were 200 seats until somebody made 150 of them.
        let reduced_at = Some(SINCE + DAY * 5);
        assert_eq!(since(180, reduced_at, SINCE + DAY * 9), reduced_at);
        assert_eq!(since(140, reduced_at, stops + DAY), Some(stops), "that reduction was resolved before");
        assert_eq!(over_since(&[], 1, None, SINCE), Some(SINCE));
    }
}
