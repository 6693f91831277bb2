//! What is printed at the end: a row for each phase, where the machines stand, what was verified, what is wrong.
//!
//! The report has the same in drawings. The sentences that both need are made here.

use super::result::{HostCount, LoadResult, Phase, Verified};
use report::Table;
use report::figures::{count, counted, latency, latency_or_dash, per_second, rate};

const HEAD: [&str; 10] =
    ["phase", "pace", "asked", "answered/s", "p50", "p99", "p99.9", "max", "service p99", "came of it"];

/// Below this, a difference between response and service time is not worth a sentence; microseconds.
const SMALL_US: u64 = 10_000;

/// The scenario, and the host that was asked.
pub(crate) fn heading(result: &LoadResult) -> String {
    let LoadResult { scenario, about, host, connections, .. } = result;
    let processes =
        if result.processes == 1 { String::new() } else { format!("; {} processes", result.processes) };
    let asked = machines(result.machines);
    format!("{scenario}: {about}.\n{asked} asked {host}; connections: {connections}{processes}\n")
}

/// All of it, several lines without the last line's end.
pub(crate) fn text(result: &LoadResult) -> String {
    let mut lines = vec![phases(result).printed(&[0, 1, 9])];
    lines.extend(result.counted.as_ref().map(counted_by_host));
    lines.extend([standing(result), verified(&result.verified)]);
    lines.extend(result.phases.iter().filter_map(stalled));
    lines.extend(result.errors.iter().map(|error| format!("ERROR    {error}")));
    lines.extend(result.remarks.iter().map(|remark| format!("remark   {remark}")));
    lines.push(verdict(result));
    lines.join("\n")
}

/// Whether all is as the scenario expects, in one line.
pub(crate) fn verdict(result: &LoadResult) -> String {
    match result.errors.len() as u64 {
        0 => "every expectation holds".to_owned(),
        errors => format!("NOT every expectation holds: {}", counted(errors, "error")),
    }
}

/// How many answers were looked at once the clock had stopped, and what they were.
pub(crate) fn verified(verified: &Verified) -> String {
    let Verified { answers, looked_at, leases, wrong } = *verified;
    let found = format!(
        "{}, {} wrong",
        counted(leases, "lease"),
        if wrong == 0 { "none".into() } else { count(wrong) }
    );
    match looked_at {
        0 => format!("none of {} was verified", counted(answers, "answer")),
        all if answers <= all => format!("all {} were verified: {found}", counted(answers, "answer")),
        some => {
            format!("a sample of {} of {} was verified: {found}", count(some), counted(answers, "answer"))
        }
    }
}

/// How often each outcome came: `LEASE 9,990  WAITING 10`.
pub(crate) fn outcomes(phase: &Phase) -> String {
    let outcomes: Vec<_> =
        phase.outcomes.iter().map(|(name, number)| format!("{name} {}", count(*number))).collect();
    outcomes.join("  ")
}

/// How many machines the host counts, and who says so.
fn counted_by_host(counted: &HostCount) -> String {
    let who = if counted.asked { "the host counts" } else { "as its latest answer says, the host counts" };
    format!("{who} {}; it needs {}", machines(counted.count), count(counted.threshold))
}

/// A sentence if an open phase shows what a tool that waits for its answers would have hidden.
pub(crate) fn stalled(phase: &Phase) -> Option<String> {
    let (response, service) = (phase.response.quantile(0.99)?, phase.service.quantile(0.99)?);
    let far = phase.open && SMALL_US < response && service.saturating_mul(2) < response;
    far.then(|| {
        format!(
            "{}: asks waited before they were sent, or the host stalled: p99 is {} from when an ask was due and {} from \
             when it was sent; a closed-loop tool would show only the latter",
            phase.name,
            latency(response),
            latency(service)
        )
    })
}

/// The table of phases: each phase, and what was measured together.
pub(crate) fn phases(result: &LoadResult) -> Table {
    let mut head = HEAD;
    if result.processes != 1 {
        head[1] = "pace of each process";
    }
    let several = 1 < result.measured().count();
    let together = result.measured_together().filter(|_| several);
    Table::of(head, result.phases.iter().chain(&together).map(cells))
}

fn cells(phase: &Phase) -> [String; 10] {
    let response = |share| latency_or_dash(phase.response.quantile(share));
    [
        phase.name.clone(),
        phase.pace.clone(),
        count(phase.asked),
        // Asks without an answer do not count, nor do answers that came after the phase.
        rate(per_second(phase.answers, phase.to_s - phase.from_s)),
        response(0.5),
        response(0.99),
        response(0.999),
        latency_or_dash(phase.response.max()),
        latency_or_dash(phase.service.quantile(0.99)),
        outcomes(phase),
    ]
}

/// Machines by the last answer that they had, in one line.
pub(crate) fn standing(result: &LoadResult) -> String {
    let standing = &result.standing;
    let others =
        [(standing.waiting, "waiting"), (standing.refused, "refused"), (standing.never_asked, "never asked")];
    let others = others.into_iter().filter(|(number, _)| 0 < *number);
    let licensed = format!("of {} {} licensed", machines(result.machines), count(standing.licensed));
    let others = others.map(|(number, what)| format!("{} {what}", count(number)));
    std::iter::once(licensed).chain(others).collect::<Vec<_>>().join(", ")
}

fn machines(number: u64) -> String {
    counted(number, "machine")
}

#[cfg(test)]
mod tests {
    use super::super::testing::results::{BEGAN_AT_MS, overloaded, stalled as stalled_run};
    use super::*;

    #[test]
    fn a_run_with_a_stall_reads_like_this() {
        let expected = "\
phase  pace                 asked  answered/s      p50      p99    p99.9      max  service p99  came of it
ramp   closed, 1 in flight     10         5.0  4.00 ms  4.00 ms  4.00 ms  4.00 ms      4.00 ms  WAITING 10
peak   open, 100/s            200         100   800 ms   1.68 s   1.70 s   1.70 s      1.00 ms  LEASE 200
as its latest answer says, the host counts 10 machines; it needs 10
of 210 machines 200 licensed
all 210 answers were verified: 200 leases, none wrong
peak: asks waited before they were sent, or the host stalled: p99 is 1.68 s from when an ask was due and 1.00 ms from \
when it was sent; a closed-loop tool would show only the latter
every expectation holds";
        assert_eq!(text(&stalled_run()), expected);
    }

    #[test]
    fn what_is_wrong_stands_before_the_last_line_and_the_last_line_says_so() {
        let mut result = overloaded(1, BEGAN_AT_MS);
        result.remarks.push("the tool itself was late by 3 ms".into());
        let text = text(&result);
        let last: Vec<_> = text.lines().rev().take(3).collect();
        assert_eq!(
            last,
            [
                "NOT every expectation holds: 1 error",
                "remark   the tool itself was late by 3 ms",
                "ERROR    the scenario expects no refusal, and there were 5 (seed 1)"
            ]
        );
        assert!(text.contains("LEASE 45  OVERLOADED 5"), "{text}");
        assert!(!text.contains("closed-loop"), "{text}");
    }

    #[test]
    fn machines_that_stand_elsewhere_are_told_apart() {
        let mut result = stalled_run();
        (result.standing.waiting, result.standing.refused, result.standing.never_asked) = (1200, 0, 3);
        assert_eq!(standing(&result), "of 210 machines 200 licensed, 1,200 waiting, 3 never asked");
    }

    #[test]
    fn what_was_verified_is_said_as_it_is() {
        let of =
            |answers, looked_at, leases, wrong| verified(&Verified { answers, looked_at, leases, wrong });
        assert_eq!(
            of(10_012, 10_012, 10_000, 0),
            "all 10,012 answers were verified: 10,000 leases, none wrong"
        );
        assert_eq!(
            of(1_200_000, 5000, 4999, 1),
            "a sample of 5,000 of 1,200,000 answers was verified: 4,999 leases, 1 wrong"
        );
        assert_eq!(of(12, 0, 0, 0), "none of 12 answers was verified");
        assert_eq!(of(0, 0, 0, 0), "none of 0 answers was verified");
    }

    #[test]
    fn the_stall_is_explained_from_twice_the_service_time_on_and_above_ten_milliseconds() {
        let told = |response: u64, service: u64, open: bool| {
            let mut phase = stalled_run().phases.remove(1);
            phase.open = open;
            phase.response.0 = [(response, 1)].into();
            phase.service.0 = [(service, 1)].into();
            stalled(&phase).is_some()
        };
        assert!(told(10_001, 5000, true));
        assert!(!told(10_000, 1000, true), "10 ms are small");
        assert!(!told(20_000, 10_000, true), "twice is not more than twice");
        assert!(!told(20_000, 1000, false), "a closed phase has no plan");
    }
}
