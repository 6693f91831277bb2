//! Fleets in virtual time, as a planner runs them: what is asked on the command line, and what `fleet.json` says of it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its set-up included")]

use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// Servers alone, so that nothing depends on offices and weekends.
const SERVERS: &str = "--always-on 100% --laptops 0%";

fn run(line: &str) -> Output {
    let words = line.split_whitespace();
    Command::new(env!("CARGO_BIN_EXE_kms-simulator")).arg("fleet").args(words).output().unwrap()
}

/// What is printed, and what is written.
fn played(line: &str) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let output = run(&format!("{line} --out {}", folder.path().display()));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{line}: {said}\n{}", String::from_utf8_lossy(&output.stderr));
    (said, std::fs::read_to_string(folder.path().join("fleet.json")).unwrap())
}

fn found(line: &str) -> Value {
    serde_json::from_str(&played(line).1).unwrap()
}

/// A number of every sample, with its day.
fn over_time(found: &Value, name: &str) -> Vec<(f64, u64)> {
    let samples = found["samples"].as_array().unwrap();
    samples.iter().map(|sample| (sample["day"].as_f64().unwrap(), sample[name].as_u64().unwrap())).collect()
}

fn highest(found: &Value, name: &str) -> u64 {
    over_time(found, name).into_iter().map(|(_, number)| number).max().unwrap()
}

fn last(found: &Value, name: &str) -> u64 {
    over_time(found, name).last().unwrap().1
}

/// What the first host counts in the end.
fn last_count(found: &Value) -> u64 {
    found["samples"].as_array().unwrap().last().unwrap()["counts"][0].as_u64().unwrap()
}

#[test]
fn one_seed_gives_the_same_bytes_and_another_gives_others() {
    let line = "--machines 60 --days 60 --outage 20-30 --hosts 2";
    let first = played(&format!("{line} --seed 7"));
    assert_eq!(first, played(&format!("{line} --seed 7")));
    let other = played(&format!("{line} --seed 8"));
    assert!(first.0 != other.0 && first.1 != other.1);
}

#[test]
fn below_the_threshold_nobody_is_licensed_and_everybody_says_so_25_days_after_the_first_start() {
    let found = found(&format!("--machines 24 --days 40 {SERVERS}"));
    assert_eq!(highest(&found, "licensed"), 0);
    assert_eq!(found["summary"]["never_licensed"], 24);
    assert_eq!(last_count(&found), 24);
    let installed = over_time(&found, "installed");
    let never = over_time(&found, "never_activated");
    let grace_samples = 25 * 24;
    assert!(never[..grace_samples].iter().all(|(_, number)| *number == 0));
    // To the hour: who was installed by then, says so 25 days later.
    for (then, (day, number)) in installed.iter().zip(&never[grace_samples..]) {
        assert_eq!(then.1, *number, "day {day}");
    }
    assert_eq!(last(&found, "never_activated"), 24);
}

#[test]
fn from_the_threshold_on_everybody_is_licensed() {
    let found = found(&format!("--machines 25 --days 40 {SERVERS}"));
    assert_eq!(last(&found, "licensed"), 25);
    assert_eq!(highest(&found, "warned"), 0);
}

#[test]
fn an_outage_that_is_shorter_than_what_a_lease_has_left_warns_nobody() {
    let found = found(&format!("--machines 50 --days 300 --outage 60-200 {SERVERS}"));
    assert_eq!((highest(&found, "warned"), highest(&found, "lapsed")), (0, 0));
    assert_eq!(highest(&found, "overdue"), 50, "who looks for it sees it");
    assert_eq!(last(&found, "overdue"), 0);
}

#[test]
fn an_outage_for_good_ends_every_lease_between_day_173_and_180_and_the_answer_says_so_before() {
    let found = found(&format!("--machines 200 --days 300 --outage 60- {SERVERS}"));
    let first_lapse = found["summary"]["first_lapse_day"].as_f64().unwrap();
    assert!((60.0 + 173.0..60.0 + 180.0).contains(&first_lapse), "{first_lapse}");
    let lapsed = over_time(&found, "lapsed");
    assert!(lapsed.iter().filter(|(day, _)| 60.0 + 180.0 < *day).all(|(_, number)| *number == 200));
    // The answer is reckoned, not played: both come to the same instants.
    let down = &found["down"];
    assert!((down["first_lapse_days"].as_f64().unwrap() + 60.0 - first_lapse).abs() < 0.002);
    let (all, _) = lapsed.iter().find(|(_, number)| *number == 200).unwrap();
    let step_days = found["step_hours"].as_f64().unwrap() / 24.0;
    let reckoned = 60.0 + down["all_lapsed_days"].as_f64().unwrap();
    assert!((0.0..=step_days).contains(&(all - reckoned)), "{all} {reckoned}");
    // A host that comes back has to do so a few days sooner than the first user notices that it does not.
    let answer = found["answer"].as_str().unwrap();
    assert!(
        answer.contains(
            "fail between day 5 (2026-01-10) and day 60 (2026-03-06), no licensed machine warns if they are"
        ),
        "{answer}"
    );
    for (safe, for_good) in [("warning_days", "first_warning_days"), ("lapse_days", "first_lapse_days")] {
        let (safe, for_good) = (found["back"][safe].as_f64().unwrap(), down[for_good].as_f64().unwrap());
        assert!(for_good - 5.0 < safe && safe < for_good - 3.0, "{safe} {for_good}");
    }
}

#[test]
fn after_an_outage_longer_than_the_count_window_the_host_doubts_its_clock_and_machines_settle_it() {
    let found = found(&format!("--machines 100 --days 200 --outage 60-100 {SERVERS}"));
    let after = &found["returns"][0];
    assert_eq!(after["unlicensed"], 0);
    assert!(0 < after["refused_in_doubt"].as_u64().unwrap());
    assert!(after["lowest_count"].as_u64().unwrap() < 100, "{after}");
    assert_eq!((last(&found, "licensed"), last(&found, "overdue")), (100, 0));
    assert_eq!((last_count(&found), highest(&found, "warned")), (100, 0));

    let shorter = self::found(&format!("--machines 100 --days 200 --outage 60-89 {SERVERS}"));
    assert_eq!(shorter["returns"][0]["refused_in_doubt"], 0);
}

#[test]
fn a_fleet_whose_leases_have_all_ended_is_licensed_again_within_hours_of_the_return() {
    let found = found(&format!("--machines 100 --days 320 --outage 60-280 {SERVERS}"));
    let after = &found["returns"][0];
    assert_eq!(after["unlicensed"], 100);
    let days = after["all_licensed_after_days"].as_f64().unwrap();
    assert!(0.0 < days && days < 0.25, "an unlicensed machine asks every two hours: {days}");
    assert_eq!(last(&found, "licensed"), 100);
    assert!(0.0 < found["summary"]["lapsed_machine_days"].as_f64().unwrap());
}

#[test]
fn where_one_of_two_hosts_stays_away_nobody_sees_anything() {
    let found = found(&format!("--machines 60 --days 260 --hosts 2 --outage 50-@1 {SERVERS}"));
    assert_eq!((highest(&found, "warned"), highest(&found, "overdue")), (0, 0));
    assert_eq!(found["samples"].as_array().unwrap().last().unwrap()["counts"], serde_json::json!([null, 60]));
    assert!(0 < found["summary"]["answers"]["HOST_UNREACHABLE"].as_u64().unwrap());
}

#[test]
fn a_fleet_that_is_split_over_two_hosts_meets_the_threshold_as_early_as_at_one() {
    // They ask again so late that a second ask helps nobody.
    let line = format!("--machines 30 --days 40 --retry-interval 10d {SERVERS}");
    let (one, two) = (found(&line), found(&format!("{line} --hosts 2")));
    // Who has to wait at one host asks the other too, so that both count everybody.
    let first_lease = |found: &Value| found["summary"]["threshold_met_after_days"].as_f64().unwrap();
    assert!((first_lease(&one) - first_lease(&two)).abs() < 1e-9);
    assert_eq!((last(&two, "licensed"), highest(&two, "warned")), (30, 0));
}

#[test]
fn a_host_that_has_counted_nobody_yet_believes_the_evidence_in_a_lease_of_its_sibling() {
    let found =
        found(&format!("--machines 60 --days 130 --hosts 2 --outage 0-100@1 --outage 100-@2 {SERVERS}"));
    let samples = found["samples"].as_array().unwrap();
    let after = samples.iter().filter(|sample| 100.0 < sample["day"].as_f64().unwrap());
    assert!(after.clone().all(|sample| sample["answers"]["WAITING"].is_null()));
    assert!(after.clone().any(|sample| sample["counts"][0].as_u64().unwrap() < 25), "the first come early");
    assert_eq!(highest(&found, "warned"), 0);
}

#[test]
fn a_laptop_that_was_away_for_three_weeks_renews_when_it_is_back() {
    let found = found("--machines 60 --days 300 --always-on 0% --laptops 100% --away 21d/90d");
    assert_eq!((highest(&found, "warned"), last(&found, "licensed")), (0, 60));
    assert!(0 < highest(&found, "overdue"), "while it is away its renewal is overdue");
    // Away for three weeks of thirteen, so overdue for far less than a quarter of the time, and not for ever.
    let overdue = over_time(&found, "overdue");
    let mean = overdue.iter().map(|(_, number)| *number).sum::<u64>() / u64::try_from(overdue.len()).unwrap();
    assert!(mean < 15, "{mean} of 60 on average");
}

#[test]
fn the_rate_at_the_host_is_what_arithmetic_says() {
    let found = found(&format!("--machines 1000 --days 100 --no-downtime {SERVERS}"));
    let summary = &found["summary"];
    let (steady, by_arithmetic) =
        (summary["steady_per_s"].as_f64().unwrap(), summary["arithmetic_per_s"].as_f64().unwrap());
    assert!((by_arithmetic - 1000.0 / 604_800.0).abs() < 1e-9);
    // A renewal comes up to a fifth early, so on average after nine tenths of the interval.
    assert!((steady / by_arithmetic - 1.0 / 0.9).abs() < 0.03, "{steady} {by_arithmetic}");
    assert!(found["down"].is_null() && found["answer"].is_null());
}

#[test]
fn what_cannot_be_played_is_refused_in_one_line() {
    for (line, said) in [
        ("--validity 500d", "validity is 500 d, and may not be above 400 d"),
        ("--outage 900-910", "raise --days"),
        ("--machines 2000000", "1..=1000000"),
        ("--out /dev/null/nowhere --machines 1 --days 1 --rollout 1", "name another --out"),
    ] {
        let output = run(line);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && error.contains(said), "{line}: {error}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn who_loses_the_threshold_is_licensed_on_old_evidence_for_a_window_and_lapses_half_a_year_after_it() {
    let found = found(&format!("--machines 40 --days 420 --leave 50%@100 --no-downtime {SERVERS}"));
    let left = last(&found, "installed");
    assert!((10..25).contains(&left), "about half of them are left, too few for the threshold: {left}");
    assert_eq!((last_count(&found), last(&found, "lapsed")), (left, left));
    // Out of the count after at most 30 days, evidence for 30 more, 180 days of lease; renewals come every week.
    let first_lapse = found["summary"]["first_lapse_day"].as_f64().unwrap();
    let threshold_lost = 100.0 + 30.0 - 7.0;
    assert!(
        (threshold_lost + 30.0 - 7.0 + 180.0..100.0 + 60.0 + 180.0).contains(&first_lapse),
        "{first_lapse}"
    );
}

#[test]
fn who_reads_no_further_has_seen_enough() {
    let mut fleet = Command::new(env!("CARGO_BIN_EXE_kms-simulator"));
    let fleet = fleet.args(["fleet", "--machines", "500"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = fleet.spawn().unwrap();
    drop(child.stdout.take());

    let output = child.wait_with_output().unwrap();

    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.starts_with("played in"), "{said}");
}
