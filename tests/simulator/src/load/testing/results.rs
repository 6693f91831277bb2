//! Results for the tests beside this file, counted by a real tally.

use std::time::Duration;

use shared::time::Timestamp;

use crate::load::outcome::{LEASE, WAITING};
use crate::load::result::{FORMAT, HostCount, LoadResult, Phase, Standing, Verified};
use crate::load::tally::{Finished, Tally};

pub(crate) const BEGAN_AT_MS: i64 = 1_700_000_000_600;

/// Two phases of two seconds: `ramp`, in which ten machines wait, and `peak`, in which the host stands still for 1.7 s.
pub(crate) fn stalled() -> LoadResult {
    let mut tally = Tally::new(Timestamp::from_unix_ms(BEGAN_AT_MS), ms(0));
    tally.begin_phase(Phase::begun("ramp", "closed, 1 in flight", false, false), ms(0));
    for at in 0..10 {
        play(&mut tally, at * 200, at * 200, at * 200 + 4, WAITING, Some((at + 1, 10)));
    }
    tally.begin_phase(Phase::begun("peak", "open, 100/s", true, true), ms(2000));
    let mut free_at = 0;
    for due in (2000..4000).step_by(10) {
        let sent = due.max(free_at);
        free_at = if (2300..4000).contains(&sent) { 4000.max(sent + 1) } else { sent + 1 };
        play(&mut tally, due, sent, free_at, LEASE, Some((10, 10)));
    }
    result(tally, 4000)
}

/// One phase of a second, `peak`, in which every tenth of 50 asks is refused.
pub(crate) fn overloaded(seed: u64, began_at_ms: i64) -> LoadResult {
    let mut tally = Tally::new(Timestamp::from_unix_ms(began_at_ms), ms(0));
    tally.begin_phase(Phase::begun("peak", "open, 50/s", true, true), ms(0));
    for nth in 0..50 {
        let outcome = if nth % 10 == 9 { "OVERLOADED" } else { LEASE };
        play(&mut tally, nth * 20, nth * 20, nth * 20 + seed + nth, outcome, None);
    }
    let mut result = result(tally, 1000);
    (result.seed, result.runs) = (seed, vec![format!("of seed {seed}")]);
    result.errors = vec![format!("the scenario expects no refusal, and there were 5 (seed {seed})")];
    result
}

fn play(tally: &mut Tally, due: u64, sent: u64, done: u64, outcome: &str, count: Option<(u64, u32)>) {
    let at_ms = BEGAN_AT_MS + i64::try_from(done).unwrap();
    let count = count.map(|(count, threshold)| HostCount { at_ms, count, threshold, asked: false });
    tally.due(ms(due));
    tally.sent(ms(due));
    tally.answered(&Finished { due: ms(due), sent: ms(sent), done: ms(done), outcome, count });
}

fn result(tally: Tally, ended_ms: u64) -> LoadResult {
    let counted = tally.finish(ms(ended_ms));
    let of = |name: &str| counted.phases.iter().filter_map(|phase| phase.outcomes.get(name)).sum::<u64>();
    let (leases, waiting) = (of("LEASE"), of("WAITING"));
    LoadResult {
        format: FORMAT,
        scenario: "monday".into(),
        about: "Everybody switches on at nine.".into(),
        host: "127.0.0.1:21688".into(),
        connections: "fresh for every ask".into(),
        sources: 4,
        signed_before: true,
        seed: 7,
        processes: 1,
        runs: vec!["a run".into()],
        machines: 210,
        standing: Standing { licensed: leases, ..Standing::default() },
        verified: Verified { answers: leases + waiting, looked_at: leases + waiting, leases, wrong: 0 },
        ..counted
    }
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}
