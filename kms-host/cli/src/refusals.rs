//! `kms-host refusals`: lists the latest, or their number by reason. The host keeps them in memory, so they begin at its start.

use clap::Args;
use kms_host::home::Home;
use program::output::json_text;
use program::table::table;
use proto::admin::v1 as wire;
use serde_json::json;

use super::Failure;
use super::online::{ask, hex, number, time};

/// Which refusals to list.
#[derive(Debug, Args)]
pub(super) struct Refusals {
    /// Code of the reason to list refusals for, such as COPIED [default: all].
    #[arg(long, value_name = "CODE")]
    reason: Option<String>,
    /// Show how many refusals each reason has had since the host's start, and what to do.
    #[arg(long, conflicts_with = "reason")]
    by_reason: bool,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

pub(super) fn refusals(home: &Home, wanted: &Refusals) -> Result<String, Failure> {
    let code = wanted.reason.as_deref().unwrap_or_default().to_uppercase();
    let request = wire::ListRefusalsRequest { page_size: 0, code };
    let answer = ask(home, async |mut host| Ok(host.list_refusals(request).await?.into_inner()))?;
    Ok(match (wanted.by_reason, wanted.json) {
        (false, false) => latest(&answer.refusals),
        (false, true) => {
            let refusals: Vec<_> = answer.refusals.iter().map(refusal_json).collect();
            json_text(&json!({ "refusals": refusals }))
        }
        (true, false) => by_reason(&answer.by_reason),
        (true, true) => {
            let reasons: Vec<_> = answer.by_reason.iter().map(reason_json).collect();
            json_text(&json!({ "by_reason": reasons }))
        }
    })
}

fn latest(refusals: &[wire::RecentRefusal]) -> String {
    let rows =
        refusals.iter().map(|refusal| vec![time(refusal.at), hex(&refusal.machine), refusal.text.clone()]);
    format!(
        "{}\n{} since the host was started; `kms-host explain CODE` says what to do\n",
        table(&["at", "machine", "reason"], rows),
        number(refusals.len(), "refusal")
    )
}

fn by_reason(reasons: &[wire::RefusalsByReason]) -> String {
    let rows = reasons.iter().map(|reason| {
        vec![reason.code.clone(), reason.times.to_string(), reason.fault.clone(), reason.remedy.clone()]
    });
    let times = reasons.iter().map(|reason| reason.times).sum::<u64>();
    format!(
        "{}\n{} since the host was started\n",
        table(&["reason", "times", "whose fault", "what to do"], rows),
        number(times, "refusal")
    )
}

pub(super) fn refusal_json(refusal: &wire::RecentRefusal) -> serde_json::Value {
    json!({
        "at_ms": refusal.at,
        "machine": hex(&refusal.machine),
        "product": hex(&refusal.product),
        "code": refusal.code,
        "text": refusal.text,
    })
}

fn reason_json(reason: &wire::RefusalsByReason) -> serde_json::Value {
    json!({
        "code": reason.code,
        "times": reason.times,
        "fault": reason.fault,
        "remedy": reason.remedy,
    })
}
