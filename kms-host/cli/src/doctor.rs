//! `kms-host doctor`: prints a line for each finding, and below it what to do.

use std::sync::Arc;

use anyhow::anyhow;
use kms_host::clock::SystemClock;
use kms_host::config::SettingSources;
use kms_host::doctor::{self, Finding, Health, Wanted};
use kms_host::home::Home;
use program::output::json_text;
use serde_json::json;

use super::online::text_of;
use super::{EX_FOUND, Failure, owner, runtime};

pub(super) fn examine(home: &Home, wanted: super::Doctor) -> Result<String, Failure> {
    let super::Doctor { config, domains, dns: name_server, json } = wanted;
    // Root could do what the host cannot, and the host could not use files that root leaves.
    owner::become_owner(home)?;
    let sources = SettingSources::new(config.as_deref(), home.path());
    let wanted = Wanted { home: home.clone(), sources, domains, name_server };
    let findings = runtime()?.block_on(doctor::examine(&wanted, Arc::new(SystemClock::new())));
    let failed = number_of(&findings, Health::Fail);
    let shown = if json { json_text(&to_json(&findings)) } else { to_text(&findings) };
    match failed {
        0 => Ok(shown),
        1 => Err(Failure { code: EX_FOUND, error: anyhow!("one check has failed"), shown }),
        _ => Err(Failure { code: EX_FOUND, error: anyhow!("{failed} checks have failed"), shown }),
    }
}

fn to_text(findings: &[Finding]) -> String {
    let width = findings.iter().map(|finding| finding.check.len()).max().unwrap_or(0);
    let mut lines = Vec::new();
    for Finding { check, health, text, remedy } in findings {
        lines.push(format!("{:7}  {check:width$}  {text}", word(*health)));
        lines.extend(remedy.iter().map(|remedy| format!("{:7}  {:width$}  -> {remedy}", "", "")));
    }
    let [ok, warn, fail, skipped] = [Health::Ok, Health::Warn, Health::Fail, Health::Skipped]
        .map(|health| format!("{} {}", number_of(findings, health), word(health)));
    lines.extend([String::new(), format!("{ok}, {warn}, {fail}, {skipped}")]);
    text_of(&lines)
}

fn to_json(findings: &[Finding]) -> serde_json::Value {
    let finding = |Finding { check, health, text, remedy }: &Finding| json!({ "check": check, "health": word(*health).to_lowercase(), "text": text, "remedy": remedy });
    json!({
        "good": number_of(findings, Health::Fail) == 0,
        "findings": findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

fn number_of(findings: &[Finding], health: Health) -> usize {
    findings.iter().filter(|finding| finding.health == health).count()
}

/// The failure is in capitals, so that it stands out.
fn word(health: Health) -> &'static str {
    match health {
        Health::Ok => "ok",
        Health::Warn => "warn",
        Health::Fail => "FAIL",
        Health::Skipped => "skipped",
    }
}
