//! Adds up the results of several processes that ran beside each other.
//!
//! What can be added is added; seconds are joined by the wall clock, phases by their place and name. It does not matter
//! how the results are grouped: two merged, and then a third, is the same as all three at once.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::ensure;

use super::result::{LoadResult, Phase, Second, add_counts};

/// A remark: only one seed has room in a result.
pub(crate) const SEVERAL_SEEDS: &str = "the processes had different seeds; the first one is named";

/// Says whether a result belongs to what is merged so far. `number` counts results from 1, for the error.
///
/// # Errors
/// It has been added already, or it differs in format, scenario, or the name of a phase.
pub(crate) fn check(merged: &LoadResult, this: &LoadResult, number: usize) -> anyhow::Result<()> {
    let is_there = this.runs.iter().any(|run| merged.runs.contains(run));
    ensure!(!is_there, "result {number} has been added already: name each once");
    let same = |what, first: &str, this: &str| {
        ensure!(
            first == this,
            "result {number} has the {what} {this} and the first has {first}: merge only results of processes that played \
             the same scenario beside each other"
        );
        Ok(())
    };
    same("format", &merged.format.to_string(), &this.format.to_string())?;
    same("scenario", &merged.scenario, &this.scenario)?;
    merged
        .phases
        .iter()
        .zip(&this.phases)
        .try_for_each(|(first, this)| same("phase", &first.name, &this.name))
}

/// Adds up two results that belong together.
///
/// Both began on one wall clock, so what each of them counts from its own beginning is shifted to the earlier one.
pub(crate) fn add(a: LoadResult, b: LoadResult) -> LoadResult {
    let began_at_ms = a.began_at_ms.min(b.began_at_ms);
    LoadResult {
        format: a.format,
        errors: numbered(&a, &a.errors, 0).chain(numbered(&b, &b.errors, a.processes)).collect(),
        remarks: remarks(&a, &b),
        phases: phases(
            shifted(a.phases, a.began_at_ms, began_at_ms),
            shifted(b.phases, b.began_at_ms, began_at_ms),
        ),
        seconds: seconds(a.seconds, b.seconds),
        scenario: a.scenario,
        about: a.about,
        host: either(&a.host, &b.host),
        connections: either(&a.connections, &b.connections),
        sources: a.sources.max(b.sources),
        signed_before: a.signed_before && b.signed_before,
        seed: a.seed,
        processes: a.processes.saturating_add(b.processes),
        runs: a.runs.into_iter().chain(b.runs).collect(),
        machines: a.machines.saturating_add(b.machines),
        began_at_ms,
        counted: a.counted.max(b.counted),
        standing: a.standing.add(&b.standing),
        verified: a.verified.add(&b.verified),
    }
}

/// Each sentence with the number of its process. One that has a number already gets the number that it has now.
fn numbered<'a>(
    result: &LoadResult,
    sentences: &'a [String],
    before: u32,
) -> impl Iterator<Item = String> + use<'a> {
    let alone = result.processes == 1;
    sentences.iter().map(move |sentence| {
        let (number, rest) = if alone { (1, sentence.as_str()) } else { number_of(sentence) };
        format!("process {}: {rest}", before.saturating_add(number))
    })
}

fn number_of(sentence: &str) -> (u32, &str) {
    let parts = sentence.strip_prefix("process ").and_then(|rest| rest.split_once(": "));
    let numbered = parts.and_then(|(number, rest)| Some((number.parse().ok()?, rest)));
    numbered.unwrap_or((1, sentence))
}

/// A remark about the whole comes last, once.
fn remarks(a: &LoadResult, b: &LoadResult) -> Vec<String> {
    let several = |result: &LoadResult| result.remarks.last().is_some_and(|remark| remark == SEVERAL_SEEDS);
    let own = |result: &LoadResult| result.remarks.len() - usize::from(several(result));
    let (of_a, of_b) = (&a.remarks[..own(a)], &b.remarks[..own(b)]);
    let mut remarks: Vec<_> = numbered(a, of_a, 0).chain(numbered(b, of_b, a.processes)).collect();
    if a.seed != b.seed || several(a) || several(b) {
        remarks.push(SEVERAL_SEEDS.to_owned());
    }
    remarks
}

/// Counted from an earlier beginning.
#[expect(clippy::cast_precision_loss, reason = "processes that ran beside each other began within days")]
fn shifted(mut phases: Vec<Phase>, from_ms: i64, to_ms: i64) -> Vec<Phase> {
    let by_s = from_ms.abs_diff(to_ms) as f64 / 1000.0;
    // Phases are kept to the microsecond. Rounded to it, a sum of shifts does not depend on their order.
    let shift = |at_s: f64| ((at_s + by_s) * 1e6).round() / 1e6;
    for phase in &mut phases {
        (phase.from_s, phase.to_s) = (shift(phase.from_s), shift(phase.to_s));
    }
    phases
}

/// A process that was stopped early has fewer of them.
fn phases(a: Vec<Phase>, b: Vec<Phase>) -> Vec<Phase> {
    let (mut longer, shorter) = if a.len() < b.len() { (b, a) } else { (a, b) };
    for (phase, other) in longer.iter_mut().zip(shorter) {
        phase.from_s = phase.from_s.min(other.from_s);
        phase.to_s = phase.to_s.max(other.to_s);
        phase.pace = either(&phase.pace, &other.pace);
        phase.open |= other.open;
        phase.add_counts(&other);
    }
    longer
}

fn seconds(a: Vec<Second>, b: Vec<Second>) -> Vec<Second> {
    let mut joined: BTreeMap<(i64, bool), Second> = BTreeMap::new();
    for second in a.into_iter().chain(b) {
        // Within a second, what prepares the run comes first.
        let sum = joined.entry((second.at_unix_s, !second.prepares)).or_default();
        (sum.at_unix_s, sum.prepares) = (second.at_unix_s, second.prepares);
        sum.due = sum.due.saturating_add(second.due);
        add_counts(&mut sum.outcomes, &second.outcomes);
        sum.response.add(&second.response);
        // It is unknown which of the two is later. A count mostly grows.
        sum.count = sum.count.max(second.count);
        sum.threshold = sum.threshold.max(second.threshold);
    }
    joined.into_values().collect()
}

/// Every text that one of the two has, each once, in the order of the alphabet: so no grouping changes it.
fn either(a: &str, b: &str) -> String {
    let texts: BTreeSet<_> = a.split("; ").chain(b.split("; ")).collect();
    texts.into_iter().collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::super::result::Spread;
    use super::super::testing::results::{BEGAN_AT_MS, overloaded};
    use super::*;

    fn merge(results: Vec<LoadResult>) -> anyhow::Result<LoadResult> {
        let mut results = results.into_iter();
        let first = results.next().unwrap();
        (2..).zip(results).try_fold(first, |merged, (number, result)| {
            check(&merged, &result, number)?;
            Ok(add(merged, result))
        })
    }

    fn three() -> [LoadResult; 3] {
        [overloaded(2, BEGAN_AT_MS + 250), overloaded(5, BEGAN_AT_MS), overloaded(9, BEGAN_AT_MS + 3)]
    }

    #[test]
    fn one_result_stays_as_it_is() {
        let [one, ..] = three();
        assert_eq!(merge(vec![one.clone()]).unwrap(), one);
    }

    #[test]
    fn it_does_not_matter_how_results_are_grouped() {
        let [mut a, b, mut c] = three();
        a.remarks = vec!["the tool was late".into()];
        c.phases[0].pace = "open, 20/s".into();
        let all = merge(vec![a.clone(), b.clone(), c.clone()]).unwrap();
        let left = merge(vec![merge(vec![a.clone(), b.clone()]).unwrap(), c.clone()]).unwrap();
        let right = merge(vec![a, merge(vec![b, c]).unwrap()]).unwrap();
        assert_eq!(left, all);
        assert_eq!(right, all);
        assert_eq!(all.errors[2], "process 3: the scenario expects no refusal, and there were 5 (seed 9)");
        assert_eq!(all.remarks, ["process 1: the tool was late", SEVERAL_SEEDS]);
        assert_eq!(all.phases[0].pace, "open, 20/s; open, 50/s");
    }

    #[test]
    fn percentiles_are_those_of_all_values_together() {
        let [a, b, c] = three();
        let mut values: Vec<u64> = [&a, &b, &c]
            .iter()
            .flat_map(|result| &result.phases[0].response.0)
            .flat_map(|(value, count)| std::iter::repeat_n(*value, usize::try_from(*count).unwrap()))
            .collect();
        values.sort_unstable();
        let merged = merge(vec![a, b, c]).unwrap();
        assert_eq!(values.len(), 150);
        assert_eq!(merged.phases[0].response.quantile(0.5), Some(values[74]));
        assert_eq!(merged.phases[0].response.quantile(0.99), Some(values[148]));
        assert_eq!(merged.phases[0].response.max(), Some(values[149]));
    }

    #[test]
    fn what_happened_in_one_second_of_the_wall_clock_stands_in_one_second() {
        let [a, b, _] = three();
        let merged = merge(vec![a, b]).unwrap();
        assert_eq!((merged.processes, merged.machines, merged.began_at_ms), (2, 420, BEGAN_AT_MS));
        // The second process began first, at 0.6 s of its second; the first one 250 ms later.
        assert_eq!((merged.phases[0].from_s, merged.phases[0].to_s), (0.0, 1.25));
        assert_eq!(merged.phases[0].asked, 100);
        let due: Vec<_> = merged.seconds.iter().map(|second| (second.at_unix_s % 10, second.due)).collect();
        assert_eq!(due, [(0, 28), (1, 72)]);
        assert_eq!(merged.verified.leases, 90);
    }

    #[test]
    fn a_result_of_another_scenario_or_one_that_is_there_already_is_named() {
        let [a, mut b, mut c] = three();
        let twice = merge(vec![a.clone(), b.clone(), a.clone()]).unwrap_err().to_string();
        assert!(twice.starts_with("result 3 has been added already"), "{twice}");
        b.scenario = "storm".into();
        let error = merge(vec![a.clone(), b]).unwrap_err().to_string();
        assert!(error.starts_with("result 2 has the scenario storm and the first has monday"), "{error}");
        c.phases[0].name = "ramp".into();
        let error = merge(vec![a, c]).unwrap_err().to_string();
        assert!(error.starts_with("result 2 has the phase ramp and the first has peak"), "{error}");
    }

    #[test]
    fn absurd_counts_from_a_file_do_not_overflow() {
        let [mut a, mut b, _] = three();
        for result in [&mut a, &mut b] {
            (result.machines, result.processes) = (u64::MAX, u32::MAX);
            result.phases[0].response = Spread([(1, u64::MAX), (2, u64::MAX)].into());
        }
        (a.began_at_ms, b.began_at_ms) = (i64::MIN, i64::MAX);
        let merged = merge(vec![a, b]).unwrap();
        assert_eq!(merged.machines, u64::MAX);
        assert!(merged.phases[0].response.quantile(0.99).is_some());
    }
}
