//! The license itself: `status`, `activate`, `release`.

use kms_client::{Client, Clock as _, Outcome, Round, Snapshot, SystemClock, Timestamp};
use program::exit::{EX_TEMPFAIL, EX_UNAVAILABLE};
use serde_json::json;
use shared::print::OneLine;

use crate::answer::{Answer, Failure};
use crate::product::Inspected;
use crate::show;

/// Shows the license of this machine. Asks no host.
pub(crate) fn status(inspected: &Inspected) -> Answer {
    let (product, snapshot) = (&inspected.product, inspected.snapshot());
    let id = data_encoding::HEXLOWER.encode(&product.id);
    let mut rows = vec![("product", format!("{} ({id})", OneLine(product.name)))];
    let mut json = if inspected.is_not_begun() {
        let state = "not begun: grace starts when the product, or `activate`, first runs";
        rows.extend([("state", state.to_owned()), ("stored", snapshot.stored())]);
        json!({ "state": "not-begun" })
    } else {
        rows.extend(standing(snapshot, SystemClock::new().now()));
        rows.extend(trouble(snapshot));
        rows.extend(belonging(snapshot));
        show::snapshot_json(snapshot)
    };
    json["product"] = json!({ "id": id, "name": product.name });
    Answer::done(show::rows(&rows), json)
}

/// The license state, and what comes next.
fn standing(snapshot: &Snapshot, now: Timestamp) -> Vec<(&'static str, String)> {
    let remaining =
        show::remaining(&snapshot.state, now).map(|left| format!(" ({left})")).unwrap_or_default();
    let mut rows = vec![("state", snapshot.state.to_string() + &remaining)];
    if snapshot.test {
        rows.push(("", "TEST: from a test certificate, not a license to rely on".to_owned()));
    }
    rows.push(("notice", show::notice(snapshot.state.notice()).to_owned()));
    rows.extend(show::revoked(snapshot));
    if let Some(waited) = snapshot.waiting {
        rows.push(("waiting", format!("{} of {} machines counted", waited.count, waited.threshold)));
    }
    rows.push(("next ask", show::next_ask(snapshot, now)));
    rows
}

/// What is wrong.
fn trouble(snapshot: &Snapshot) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    if let Some(cause) = snapshot.last_cause() {
        let what = show::cause(&cause);
        let times = match snapshot.failures {
            0 | 1 => String::new(),
            times if snapshot.key.is_some() => format!("\n{times} asks in a row were in vain"),
            times => format!("\n{times} asks in a row gave no lease"),
        };
        rows.push(("last reason", what + &times));
    }
    rows.extend(show::last_round(snapshot).map(|round| ("last round", round)));
    rows.extend(show::troubles(snapshot));
    rows
}

/// The machine and its organisation.
fn belonging(snapshot: &Snapshot) -> Vec<(&'static str, String)> {
    let organisation = match &snapshot.organisation {
        Some(ours) => format!("{} ({})", OneLine(&ours.name), ours.id),
        None if show::organisation_is_unknown(snapshot) => {
            "not known: the state cannot be read as a whole".to_owned()
        }
        None if snapshot.key.is_some_and(|key| key.by_code) => "not named by the confirmation id".to_owned(),
        None if snapshot.key.is_some() => "none yet: the vendor's portal names it".to_owned(),
        None => "none yet: the first lease names it".to_owned(),
    };
    // If nothing was saved, a user who may not read the identity cannot know the name.
    let unknown = *snapshot.machine.as_bytes() == [0; 16];
    let machine = if unknown { "unknown to this user".to_owned() } else { snapshot.machine.to_string() };
    let mut rows = show::key(snapshot);
    if rows.is_empty() {
        let host = snapshot.last_host.clone();
        rows.push(("last host", host.unwrap_or_else(|| "none has given a lease".to_owned())));
    }
    rows.push(("organisation", organisation));
    if !snapshot.features.is_empty() {
        rows.push(("features", snapshot.features.to_string()));
    }
    rows.extend([("machine", machine), ("stored", snapshot.stored())]);
    rows
}

/// Asks now, and shows every answer.
pub(crate) async fn activate(client: &Client) -> Result<Answer, Failure> {
    let round = client.activate().await?;
    let code = match &round.outcome {
        Outcome::Leased { .. } | Outcome::Confirmed { .. } => 0,
        Outcome::Waiting(_) => EX_TEMPFAIL,
        _ => EX_UNAVAILABLE,
    };
    Ok(answer(client, &round, code, ""))
}

/// Leaves the count of every host that answers, or gives the place of the product key back.
pub(crate) async fn release(client: &Client) -> Result<Answer, Failure> {
    let round = client.release().await?;
    let by_key = client.snapshot().key.is_some();
    let (code, word) = match (&round.outcome, by_key) {
        (Outcome::Released, false) => (0, "Released: this machine has left the count and holds no lease.\n"),
        (Outcome::Released, true) => {
            (0, "Released: another machine can use this place of the product key.\n")
        }
        (_, false) => {
            (EX_UNAVAILABLE, "Not released: no host has confirmed it, and this machine keeps its lease.\n")
        }
        (_, true) => (
            EX_UNAVAILABLE,
            "Not released: the vendor's portal has not confirmed it; this machine keeps its license.\n",
        ),
    };
    Ok(answer(client, &round, code, word))
}

fn answer(client: &Client, round: &Round, code: u8, word: &str) -> Answer {
    let text = format!("Asked:\n{}\n{word}{}", show::attempts("  ", &round.attempts), shown(client));
    Answer { text, json: show::snapshot_json(&client.snapshot()), code }
}

/// Where the product stands after a command.
pub(crate) fn shown(client: &Client) -> String {
    let (snapshot, now) = (client.snapshot(), SystemClock::new().now());
    show::rows(&standing(&snapshot, now)) + &show::rows(&show::troubles(&snapshot))
}

#[cfg(test)]
mod tests {
    use kms_client::testing::snapshot;
    use kms_client::{Features, LicenseState};

    use super::*;

    #[test]
    fn features_and_the_revocation_of_the_host_are_shown_where_there_are_any() {
        let until = Timestamp::from_unix_ms(1_800_000_000_000);
        let mut shown = snapshot(LicenseState::Licensed { until });
        let rows = |shown: &Snapshot| show::rows(&[standing(shown, until), belonging(shown)].concat());
        let plain = rows(&shown);
        assert!(!plain.contains("features") && !plain.contains("revoked"), "{plain}");

        shown.features = Features::new(["export", "3d"]).expect("they are features");
        shown.revoked = Some("revoked at 2026-11-22 00:00:00Z (stolen)".to_owned());
        let text = rows(&shown);
        assert!(text.contains("\nfeatures      3d, export\n"), "{text}");
        let revoked = "\nrevoked       the host that gave the lease was revoked at 2026-11-22 00:00:00Z (stolen); the lease";
        assert!(text.contains(revoked), "{text}");
        let json = show::snapshot_json(&shown);
        assert_eq!(json["features"], serde_json::json!(["3d", "export"]));
        assert!(json["revoked"].is_string(), "{json}");
    }
}
