//! The hosts that this machine asks: `discover`, `host set`, `host clear`, `host show`.

use std::fmt::Write as _;

use kms_client::{Candidate, Inspector, LookedIn, Problem, SrvRecord};
use program::exit::EX_UNAVAILABLE;
use serde_json::{Value, json};
use shared::print::OneLine;

use crate::answer::{Answer, Failure};
use crate::cli::HostCommand;
use crate::product::Inspected;
use crate::show;

/// The hosts that would be asked, in order, and the places that gave none.
pub(crate) async fn discover(inspector: &Inspector) -> Answer {
    let found = inspector.discover().await;
    let mut text = String::new();
    if !found.domains.is_empty() {
        text += "DNS was asked about:\n";
    }
    for LookedIn { service, records, .. } in &found.domains {
        let _ = writeln!(text, "  {}{}", OneLine(service), if records.is_empty() { "  nothing" } else { "" });
        for SrvRecord { priority, weight, port, target } in records {
            let _ = writeln!(text, "      SRV {priority} {weight} {port} {}", OneLine(target));
        }
    }
    if !found.hosts.is_empty() {
        text += "Would be asked, in this order:\n";
    }
    for (index, Candidate { host, source, .. }) in found.hosts.iter().enumerate() {
        let _ = writeln!(text, "  {}  {host}  ({source})", index + 1);
    }
    text += &problems("Looked in vain:", &found.problems);
    text += &problems("Left out:", &found.notes);
    let json = json!({
        "hosts": found.hosts.iter().map(|candidate| json!({
            "host": candidate.host.to_string(),
            "source": candidate.source.to_string(),
        })).collect::<Vec<_>>(),
        "domains": found.domains.iter().map(|asked| json!({
            "service": asked.service,
            "records": asked.records.iter().map(|record| json!({
                "priority": record.priority,
                "weight": record.weight,
                "port": record.port,
                "target": record.target,
            })).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "problems": found.problems.iter().map(problem_json).collect::<Vec<_>>(),
        "left_out": found.notes.iter().map(problem_json).collect::<Vec<_>>(),
    });
    let code = if found.hosts.is_empty() { EX_UNAVAILABLE } else { 0 };
    Answer { text, json, code }
}

fn problems(title: &str, problems: &[Problem]) -> String {
    let mut text = String::new();
    for Problem { place, cause, .. } in problems {
        if text.is_empty() {
            let _ = writeln!(text, "{title}");
        }
        let _ = writeln!(text, "  {}\n      {cause}\n      remedy: {}", OneLine(place), cause.remedy());
    }
    text
}

fn problem_json(problem: &Problem) -> Value {
    json!({ "place": problem.place, "cause": show::cause_json(&problem.cause) })
}

/// Sets, clears or shows the hosts that an administrator names on this machine.
pub(crate) async fn configured(inspected: &Inspected, command: &HostCommand) -> Result<Answer, Failure> {
    match command {
        HostCommand::Set { names } => inspected.inspector.set_hosts(names).await?,
        HostCommand::Clear => inspected.inspector.clear_hosts().await?,
        HostCommand::Show => {}
    }
    // A running product reads the file in every round.
    let shown = inspected.snapshot().state_dir.join("hosts").display().to_string();
    let found = inspected.inspector.hosts_file().await?;
    let hosts: Vec<_> = found.hosts.iter().map(|candidate| candidate.host.to_string()).collect();
    let environment = std::env::var("KMS_HOSTS").ok().filter(|hosts| !hosts.trim().is_empty());
    let mut text = match hosts.as_slice() {
        [] => format!("No host is set in {shown}; the product's own are asked, or those that DNS names.\n"),
        hosts => format!("Asked in this order, as {shown} says:\n  {}\n", hosts.join("\n  ")),
    };
    text += &problems("Lines that name no host:", &found.problems);
    if let Some(hosts) = &environment {
        let _ = writeln!(text, "The environment variable KMS_HOSTS goes before it, and is set here: {hosts}");
    }
    let bad: Vec<_> = found.problems.iter().map(problem_json).collect();
    Ok(Answer::done(
        text,
        json!({ "file": shown, "hosts": hosts, "problems": bad, "environment": environment }),
    ))
}
