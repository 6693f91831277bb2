//! What is wrong with a result: what the scenario promised, compared with what came.
//!
//! A load whose answers are wrong or missing has no figures worth reading, so each of these is an error of the run, and its
//! exit code says so.

use std::collections::BTreeMap;

use shared::reason::Reason;

use super::outcome::NOT_ANSWERED;
use super::result::{LoadResult, Phase};
use super::scenario::{self, Scenario};

/// One sentence for each thing that is wrong. `told` says of the first wrong answers what is wrong with them, `failures` of
/// each code what was said of the first ask that failed so.
pub(crate) fn errors(
    scenario: &Scenario,
    result: &LoadResult,
    told: &[String],
    failures: &BTreeMap<String, String>,
) -> Vec<String> {
    let mut errors = Vec::new();
    if 0 < result.verified.wrong {
        let (wrong, looked_at) = (result.verified.wrong, result.verified.looked_at);
        errors.push(format!("{wrong} of {looked_at} answers do not verify: {}", told.join("; ")));
    }
    for (planned, played) in scenario.phases.iter().zip(&result.phases) {
        errors.extend(unexpected(planned, played, failures));
    }
    let played_to_the_end = scenario.phases.len() == result.phases.len();
    if !played_to_the_end {
        errors.push("the scenario was not played to its end".to_owned());
    }
    let licensed = result.standing.licensed;
    if let Some(wanted) = scenario.expect.licensed
        && played_to_the_end
        && licensed != u64::from(wanted.of(scenario.machines))
    {
        errors.push(format!(
            "{licensed} machines were given a lease by their last answer, and {} should have been: {} wait, {} were \
             refused or not answered, {} never asked",
            wanted.of(scenario.machines),
            result.standing.waiting,
            result.standing.refused,
            result.standing.never_asked
        ));
    }
    errors
}

fn unexpected(planned: &scenario::Phase, played: &Phase, failures: &BTreeMap<String, String>) -> Vec<String> {
    let strange = played.outcomes.iter().filter(|(outcome, _)| !planned.outcomes.contains(*outcome));
    let mut errors: Vec<_> = strange
        .map(|(outcome, times)| {
            let expected = planned.outcomes.iter().map(String::as_str).collect::<Vec<_>>().join(" or ");
            let why = why(outcome, failures);
            format!(
                "phase {}: {times} asks came to {outcome}, where {expected} was expected{why}",
                played.name
            )
        })
        .collect();
    let silent = planned.who == scenario::Who::Nobody;
    if planned.measured && !silent && played.asked == 0 {
        errors.push(format!(
            "phase {}: nobody was asked: there was no machine of those that it is about",
            played.name
        ));
    }
    errors
}

/// What is known of it, or where to read on.
fn why(outcome: &str, failures: &BTreeMap<String, String>) -> String {
    if outcome == NOT_ANSWERED {
        return ": the run was over before they were; their times until then are in the figures".to_owned();
    }
    match (failures.get(outcome), Reason::from_code(outcome)) {
        (Some(text), _) => format!("; the first: {text}"),
        (None, Some(_)) => format!("; `kms-client explain {outcome}` says what it means"),
        (None, None) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::testing::results::stalled;

    /// The errors of a run of one phase with this outcome.
    fn errors_of(outcomes: &[(&str, u64)], asked: u64) -> Vec<String> {
        let mut result = stalled();
        result.phases.truncate(1);
        result.phases[0].outcomes =
            outcomes.iter().map(|(name, times)| ((*name).to_owned(), *times)).collect();
        result.phases[0].asked = asked;
        let mut scenario = Scenario::load("steady").unwrap();
        scenario.expect.licensed = None;
        scenario.phases.remove(0);
        let failures = [("OWN_FILES".to_owned(), "raise `ulimit -n`".to_owned())].into();
        errors(&scenario, &result, &[], &failures)
    }

    #[test]
    fn what_the_scenario_did_not_expect_is_an_error_with_its_cause() {
        assert_eq!(errors_of(&[("LEASE", 5)], 5), [""; 0]);
        let told = errors_of(&[("LEASE", 5), ("OWN_FILES", 2)], 7);
        assert!(
            told[0].contains("2 asks came to OWN_FILES") && told[0].contains("raise `ulimit -n`"),
            "{told:?}"
        );
        let told = errors_of(&[("OVERLOADED", 1)], 1);
        assert!(told[0].contains("`kms-client explain OVERLOADED`"), "{told:?}");
    }

    #[test]
    fn answers_that_are_missing_and_asks_that_nobody_made_are_errors() {
        let told = errors_of(&[("LEASE", 5), ("NOT_ANSWERED", 3)], 8);
        assert!(told[0].contains("3 asks came to NOT_ANSWERED"), "{told:?}");
        assert!(errors_of(&[], 0)[0].contains("nobody was asked"));
    }
}
