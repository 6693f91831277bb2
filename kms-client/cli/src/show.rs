//! Texts about states, causes, hosts and the state's directory: words for people and JSON for scripts.
//!
//! The library has the texts of reasons. The commands put these pieces together.

use std::fmt::Write as _;

use kms_client::{
    Attempt, Cause, EnteredKey, Length, LicenseState, Notice, Reason, SignedInAccount, Snapshot, Timestamp,
};
use serde_json::{Value, json};

/// How long the state lasts, or how long ago it began.
pub(crate) fn remaining(state: &LicenseState, now: Timestamp) -> Option<String> {
    match (state.until(), state.since()) {
        (Some(until), _) => Some(format!("{} left", Length(until.since(now)))),
        (None, Some(since)) => Some(format!("{} ago", Length(now.since(since)))),
        (None, None) => None,
    }
}

/// What a product should do with its state.
pub(crate) fn notice(notice: Notice) -> &'static str {
    match notice {
        Notice::Silent => "silent: users are told nothing",
        Notice::Info => "info: users see it if they look for it",
        Notice::Warning => "warning: every user sees it; no function stops",
    }
}

/// When the next ask is due.
pub(crate) fn next_ask(snapshot: &Snapshot, now: Timestamp) -> String {
    match snapshot.ask_at {
        None => match snapshot.key {
            Some(EnteredKey { confirmed_at: Some(_), .. }) => "none: the product key is activated".to_owned(),
            Some(_) => "none before `kms-client activate`".to_owned(),
            None => "none before `kms-client activate`: this machine was released".to_owned(),
        },
        Some(at) if at <= now => "due now".to_owned(),
        Some(at) => format!("{at}, in {}", Length(at.since(now))),
    }
}

/// The product key that licenses this machine, as rows; nothing for a machine that is licensed by hosts.
pub(crate) fn key(snapshot: &Snapshot) -> Vec<(&'static str, String)> {
    let Some(key) = &snapshot.key else { return Vec::new() };
    let by = if key.by_code { " by a confirmation id" } else { "" };
    let activated = match (key.confirmed_at, key.not_after) {
        (None, _) => match key.before {
            Some(before) => format!("not activated yet; what key {before} has activated stays until then"),
            None => "not activated yet".to_owned(),
        },
        (Some(at), None) => format!("activated at {at}{by}, without an end"),
        (Some(at), Some(until)) => format!("activated at {at}{by}, until {until}"),
    };
    vec![("product key", format!("{}, {activated}", key.number))]
}

/// The account that licenses this machine, as a row; nothing if nobody is signed in.
pub(crate) fn account(snapshot: &Snapshot) -> Vec<(&'static str, String)> {
    let Some(account) = &snapshot.account else { return Vec::new() };
    let SignedInAccount { account, offer, issued_at, not_after, .. } = account;
    vec![("account", format!("{account}, with {offer}; renewed at {issued_at}, until {not_after}"))]
}

/// The account, for a script.
pub(crate) fn account_json(snapshot: &Snapshot) -> Value {
    snapshot.account.as_ref().map_or(Value::Null, |account| {
        json!({
            "account": account.account,
            "offer": account.offer,
            "issued_at_ms": account.issued_at.unix_ms(),
            "not_after_ms": account.not_after.unix_ms(),
        })
    })
}

/// What happens to the old key, if the command has entered or activated another one.
pub(crate) fn key_before(before: &Snapshot, now: &Snapshot) -> String {
    let was = before.key.and_then(|key| key.activated());
    match (was, now.key) {
        (_, Some(EnteredKey { number, before: Some(before), .. })) => format!(
            "What product key {before} has activated stays until key {number} is activated. To stay with {before}, enter it again.\n"
        ),
        (Some(was), Some(EnteredKey { number, confirmed_at: Some(_), .. })) if was != number => format!(
            "The vendor still counts this machine under product key {was}, too. `kms-client release --key {was}` gives that place \
             back.\n"
        ),
        _ => String::new(),
    }
}

/// What the vendor has taken back, as a row.
pub(crate) fn revoked(snapshot: &Snapshot) -> Option<(&'static str, String)> {
    let revoked = snapshot.revoked.as_ref()?;
    let text = if let Some(key) = snapshot.key.and_then(|key| key.activated()) {
        format!(
            "the license of product key {key} was {revoked}; ask the seller. Nothing on this machine is at fault"
        )
    } else {
        format!(
            "the host that gave the lease was {revoked}; the lease runs to its end, and another host can renew it"
        )
    };
    Some(("revoked", text))
}

/// The product key, for a script.
pub(crate) fn key_json(snapshot: &Snapshot) -> Value {
    snapshot.key.map_or(Value::Null, |key| {
        json!({
            "number": key.number.to_string(),
            "confirmed_at_ms": key.confirmed_at.map(Timestamp::unix_ms),
            "not_after_ms": key.not_after.map(Timestamp::unix_ms),
            "by_code": key.by_code,
            "before": key.before.map(|number| number.to_string()),
        })
    })
}

/// Rows of a name and a text. Further lines of a text are below its first.
pub(crate) fn rows(rows: &[(&str, String)]) -> String {
    const WIDTH: usize = 14;
    let mut text = String::new();
    for (name, value) in rows {
        let indented = value.replace('\n', &format!("\n{:WIDTH$}", ""));
        let _ = writeln!(text, "{name:WIDTH$}{indented}");
    }
    text
}

/// A cause and its remedy, on a line each. An earlier release saved only the code.
pub(crate) fn cause(cause: &Cause) -> String {
    let needs_values = cause.reason().is_some_and(|reason| reason.summary().contains('{'));
    if needs_values && cause.parameters.is_empty() {
        return format!("{}\nremedy: {}", cause.code, cause.remedy());
    }
    format!("{cause}\nremedy: {}", cause.remedy())
}

/// What is wrong with the state on the disk, as rows.
pub(crate) fn troubles(snapshot: &Snapshot) -> Vec<(&'static str, String)> {
    snapshot.troubles.iter().map(|trouble| ("trouble", cause(trouble))).collect()
}

/// Whether the organisation is not known, because the state cannot be read as a whole. Then there may well be one.
pub(crate) fn organisation_is_unknown(snapshot: &Snapshot) -> bool {
    let hides = |trouble: &Cause| {
        matches!(trouble.reason(), Some(Reason::StateNewer | Reason::StateUnreadable | Reason::StateDamaged))
    };
    snapshot.organisation.is_none() && snapshot.troubles.iter().any(hides)
}

/// The last round: when it ended, and the outcome of every host.
pub(crate) fn last_round(snapshot: &Snapshot) -> Option<String> {
    let mut text = format!("{}\n{}", snapshot.asked_at?, attempts("", &snapshot.attempts));
    text.truncate(text.trim_end().len());
    if snapshot.attempts_left_out != 0 {
        let _ = write!(text, "\nand {} more, which are not kept", snapshot.attempts_left_out);
    }
    Some(text)
}

/// Every host that was tried with its own cause, each line behind this indentation.
pub(crate) fn attempts(indent: &str, attempts: &[Attempt]) -> String {
    let mut text = String::new();
    for attempt in attempts {
        let _ = writeln!(text, "{indent}{}", attempt_line(attempt));
        if let Some(cause) = attempt.outcome.cause() {
            let _ = writeln!(text, "{indent}    remedy: {}", cause.remedy());
        }
    }
    text
}

/// One line for a change: the state, and the outcome of the last round.
pub(crate) fn change(snapshot: &Snapshot) -> String {
    let mut line = snapshot.state.to_string();
    for attempt in &snapshot.attempts {
        let _ = write!(line, " | {}", attempt_line(attempt));
    }
    line
}

fn attempt_line(attempt: &Attempt) -> String {
    let Attempt { host, address, source, outcome, .. } = attempt;
    let at = address.map(|address| address.to_string()).filter(|address| address != host);
    let at = at.map(|address| format!(" at {address}")).unwrap_or_default();
    let source = source.as_ref().map(|source| format!(" ({source})")).unwrap_or_default();
    format!("{host}{at}{source}: {outcome}")
}

/// A snapshot for a script.
pub(crate) fn snapshot_json(snapshot: &Snapshot) -> Value {
    let clock = match snapshot.state {
        LicenseState::ClockWrong { by, ahead, .. } => {
            Some(json!({ "by_ms": u64::try_from(by.as_millis()).unwrap_or(u64::MAX), "ahead": ahead }))
        }
        _ => None,
    };
    let (text_key, state_dir) = (snapshot.state.text_key(), snapshot.state_dir.display());
    json!({
        "state": text_key.strip_prefix("license.").unwrap_or(text_key),
        "licensed": snapshot.state.is_licensed(),
        "until_ms": snapshot.state.until().map(Timestamp::unix_ms),
        "since_ms": snapshot.state.since().map(Timestamp::unix_ms),
        "clock_wrong": clock,
        "notice": match snapshot.state.notice() {
            Notice::Silent => "silent",
            Notice::Info => "info",
            Notice::Warning => "warning",
        },
        "text_key": text_key,
        "way": if snapshot.key.is_some() { "key" } else { "hosts" },
        "account": account_json(snapshot),
        "key": key_json(snapshot),
        "test": snapshot.test,
        "machine": snapshot.machine.to_string(),
        "organisation": snapshot.organisation.as_ref().map(|ours| json!({
            "id": ours.id.to_string(),
            "name": ours.name,
        })),
        "revoked": snapshot.revoked,
        "features": snapshot.features.iter().collect::<Vec<_>>(),
        "serial": snapshot.serial,
        "last_host": snapshot.last_host,
        "ask_at_ms": snapshot.ask_at.map(Timestamp::unix_ms),
        "failures": snapshot.failures,
        "last_reason": snapshot.last_reason,
        "remedy": snapshot.last_cause().map(|cause| cause.remedy()),
        "last_cause": snapshot.last_cause().as_ref().map(cause_json),
        "asked_at_ms": snapshot.asked_at.map(Timestamp::unix_ms),
        "waiting": snapshot.waiting.map(|waited| json!({ "count": waited.count, "threshold": waited.threshold })),
        "keeping": json!({ "how": snapshot.keeping.name(), "path": state_dir.to_string() }),
        "troubles": troubles_json(snapshot),
        "attempts": snapshot.attempts.iter().map(attempt_json).collect::<Vec<_>>(),
        "attempts_left_out": snapshot.attempts_left_out,
    })
}

/// What is wrong with the state on the disk, for a script.
pub(crate) fn troubles_json(snapshot: &Snapshot) -> Value {
    snapshot.troubles.iter().map(cause_json).collect()
}

/// A cause for a script.
pub(crate) fn cause_json(cause: &Cause) -> Value {
    json!({ "code": cause.code, "text": cause.to_string(), "remedy": cause.remedy() })
}

fn attempt_json(attempt: &Attempt) -> Value {
    json!({
        "host": attempt.host,
        "address": attempt.address.map(|address| address.to_string()),
        "source": attempt.source.as_ref().map(ToString::to_string),
        "outcome": attempt.outcome.name(),
        "cause": attempt.outcome.cause().map(cause_json),
    })
}
