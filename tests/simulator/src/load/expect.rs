//! What is wrong with a result: what the scenario promised, compared with what came.
//!
//! A load whose answers are wrong or missing has no figures worth reading, so each of these is an error of the run, and its
//! exit code says so.

use super::result::{LoadResult, Phase};
use super::scenario::Scenario;

/// One sentence for each thing that is wrong. `told` says of the first wrong answers what is wrong with them.
pub(crate) fn errors(scenario: &Scenario, result: &LoadResult, told: &[String]) -> Vec<String> {
    let mut errors = Vec::new();
    if 0 < result.verified.wrong {
        let (wrong, looked_at) = (result.verified.wrong, result.verified.looked_at);
        errors.push(format!("{wrong} of {looked_at} answers do not verify: {}", told.join("; ")));
    }
    for (planned, played) in scenario.phases.iter().zip(&result.phases) {
        errors.extend(unexpected(planned, played));
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

fn unexpected(planned: &super::scenario::Phase, played: &Phase) -> Vec<String> {
    let strange = played.outcomes.iter().filter(|(outcome, _)| !planned.outcomes.contains(*outcome));
    let mut errors: Vec<_> = strange
        .map(|(outcome, times)| {
            let expected = planned.outcomes.iter().map(String::as_str).collect::<Vec<_>>().join(" or ");
            format!(
                "phase {}: {times} asks came to {outcome}, where {expected} was expected{}",
                played.name,
                hint(outcome)
            )
        })
        .collect();
    if planned.measured && 0 < played.asked && played.outcomes.is_empty() {
        errors.push(format!("phase {}: not one ask was answered", played.name));
    }
    errors
}

/// Where to read on.
fn hint(outcome: &str) -> String {
    match outcome {
        "LEASE" | "WAITING" | "RELEASED" => String::new(),
        code => format!("; `kms-client explain {code}` says what it means"),
    }
}
