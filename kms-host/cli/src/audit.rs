//! `audit`: what administrators have changed, and whether the log of it is what was written.

use anyhow::anyhow;
use clap::Args;
use kms_host::home::Home;
use program::exit::EX_DATAERR;
use program::output::json_text;
use program::table::table;
use proto::admin::v1 as wire;
use serde_json::json;

use super::Failure;
use super::online::{ask, number, some_text, time};

/// What to show of the audit log.
#[derive(Debug, Args)]
pub(super) struct AuditArgs {
    /// Number of changes to show; the latest comes last.
    #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    last: u32,
    /// Verify the whole log: each line must continue the one before. If one does not, the exit code is 65.
    #[arg(long, conflicts_with = "last")]
    verify: bool,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

pub(super) fn audit(home: &Home, wanted: &AuditArgs) -> Result<String, Failure> {
    if wanted.verify {
        return verify(home, wanted.json);
    }
    let request = wire::ListChangesRequest { page_size: wanted.last };
    let changes = ask(home, async |mut host| Ok(host.list_changes(request).await?.into_inner().changes))?;
    if wanted.json {
        let changes: Vec<_> = changes.iter().map(change_json).collect();
        return Ok(json_text(&json!({ "changes": changes })));
    }
    Ok(format!("{}\n{}\n", changes_table(&changes), number(changes.len(), "change")))
}

fn verify(home: &Home, as_json: bool) -> Result<String, Failure> {
    let request = wire::VerifyChangesRequest {};
    let found = ask(home, async |mut host| Ok(host.verify_changes(request).await?.into_inner()))?;
    let whole = found.broken_line == 0;
    let shown = if as_json {
        json_text(&json!({
            "whole": whole,
            "path": found.path,
            "lines": found.lines,
            "cut": found.cut,
            "seq": found.seq,
            "sha256": found.digest,
            "broken_line": Some(found.broken_line).filter(|line| *line != 0),
            "broken_cause": some_text(&found.broken_cause),
        }))
    } else {
        let cut = match found.cut {
            0 => String::new(),
            cut => format!(", {cut} of them cut by a crash"),
        };
        let end = match found.lines {
            0 => String::new(),
            _ => format!("The last is number {}, SHA-256 {}.\n", found.seq, found.digest),
        };
        format!("{}: {}{cut}\n{end}", found.path, number(found.lines, "line"))
    };
    if whole {
        return Ok(shown);
    }
    let (path, line, cause) = (&found.path, found.broken_line, &found.broken_cause);
    let error = anyhow!(
        "the audit log {path} is not what was written, at line {line}: {cause}; find out who may write there, and keep the file"
    );
    Err(Failure { code: EX_DATAERR, error, shown })
}

pub(super) fn changes_table(changes: &[wire::Change]) -> String {
    let rows = changes.iter().map(|change| {
        vec![change.seq.to_string(), time(change.at), who(change), what(change), change.note.clone()]
    });
    table(&["", "at", "who", "what", "note"], rows)
}

fn who(change: &wire::Change) -> String {
    if change.user.is_empty() { format!("uid {}", change.uid) } else { change.user.clone() }
}

fn what(change: &wire::Change) -> String {
    let parameters =
        change.parameters.iter().map(|parameter| format!("{}={}", parameter.name, parameter.value));
    let made = std::iter::once(change.action.clone()).chain(parameters).collect::<Vec<_>>().join(" ");
    if change.failed_seq == 0 {
        return made;
    }
    format!("{made}: number {} has FAILED: {}", change.failed_seq, change.failed_cause)
}

pub(super) fn change_json(change: &wire::Change) -> serde_json::Value {
    let parameters = change.parameters.iter().map(|one| (one.name.clone(), one.value.clone().into()));
    json!({
        "seq": change.seq,
        "at_ms": change.at,
        "uid": change.uid,
        "user": some_text(&change.user),
        "pid": Some(change.pid).filter(|pid| *pid != 0),
        "action": change.action,
        "parameters": parameters.collect::<serde_json::Map<_, _>>(),
        "note": some_text(&change.note),
        "failed": (change.failed_seq != 0).then(|| json!({ "seq": change.failed_seq, "cause": change.failed_cause })),
    })
}
