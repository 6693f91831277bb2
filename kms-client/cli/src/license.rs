//! The license itself: `status`, `activate`, `release`.

use kms_client::{Client, Clock as _, KeyNumber, Outcome, Reason, Round, Snapshot, SystemClock, Timestamp};
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
    let mut rows = show::account(snapshot);
    rows.extend(show::key(snapshot));
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
    let before = client.snapshot();
    let round = client.activate().await?;
    let code = match &round.outcome {
        Outcome::Leased { .. } | Outcome::Confirmed { .. } => 0,
        Outcome::Waiting(_) => EX_TEMPFAIL,
        _ => EX_UNAVAILABLE,
    };
    Ok(answer(client, &round, code, &show::key_before(&before, &client.snapshot())))
}

/// Leaves the count of every host that answers, or gives the place of a product key back: of this one, or of the one that has activated
/// this machine.
pub(crate) async fn release(client: &Client, number: Option<KeyNumber>) -> Result<Answer, Failure> {
    let entered = client.snapshot().key;
    let round = match number {
        Some(number) => client.release_key(number).await?,
        None => client.release().await?,
    };
    let code = if round.outcome == Outcome::Released { 0 } else { EX_UNAVAILABLE };
    let activated = entered.map(|key| key.activated().unwrap_or(key.number));
    let word = match number.or(activated) {
        None if code == 0 => "Released: this machine has left the count and holds no lease.\n".to_owned(),
        None => "Not released: no host has confirmed it, and this machine keeps its lease.\n".to_owned(),
        Some(number) => of_key(&round, number, activated == Some(number)),
    };
    let waiting = client.snapshot().key.filter(|now| entered.is_some_and(|key| key.before != now.before));
    let waiting = waiting
        .map(|key| format!("Product key {} is not activated yet: `kms-client activate`.\n", key.number));
    Ok(answer(client, &round, code, &(word + &waiting.unwrap_or_default())))
}

/// What came of giving back the place of this key, which has activated this machine or not.
fn of_key(round: &Round, number: KeyNumber, is_active: bool) -> String {
    let mut causes = round.attempts.iter().filter_map(|attempt| attempt.outcome.cause());
    let has_no_place = causes.any(|cause| cause.reason() == Some(Reason::NotActivatedHere));
    match (&round.outcome, has_no_place) {
        (Outcome::Released, false) => {
            format!("Released: another machine can use this place of product key {number}.\n")
        }
        (Outcome::Released, true) => {
            format!(
                "Nothing to release: the vendor counts no place of product key {number} for this machine.\n"
            )
        }
        (_, true) => format!(
            "Not released: over the internet, the vendor has given this machine no place of product key {number}. If a confirmation \
             id has activated it, enter the key again, run `kms-client activate`, and then `kms-client release`.\n"
        ),
        (_, false) => {
            let keeps = if is_active { "this machine keeps its license" } else { "the place stays counted" };
            format!(
                "Not released: the vendor's portal has not confirmed it for product key {number}, and {keeps}.\n"
            )
        }
    }
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
