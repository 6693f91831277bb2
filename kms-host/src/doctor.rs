//! `doctor`: checks everything that can keep machines from a license, and says what to do about each finding.
//!
//! A check is a function that returns findings. None changes anything, except for a file without a name on the disk. Of a host that
//! does not run, as much is checked as is possible. What only another machine can see, such as a firewall, is not checked. Findings
//! are printed by `kms-host doctor`.
//!
//! Read next, in the order in which they are made: `doctor/directory.rs`, `tls.rs`, `host.rs`, `clock.rs`, `machine.rs`, `portal.rs`,
//! and with `asking.rs`, which asks as a machine does, `answers.rs` and `dns.rs`.

mod clock;
mod directory;
mod host;
mod machine;
mod portal;
mod tls;

mod answers;
mod asking;
mod dns;

use std::net::SocketAddr;
use std::sync::Arc;

use shared::time::Clock;

use crate::certificates::Certificates;
use crate::config::{Config, SettingSources};
use crate::home::Home;
use crate::remedy;

use self::host::RunningHost;

/// What to check.
pub struct Wanted {
    /// The host's directory.
    pub home: Home,
    /// Its settings.
    pub sources: SettingSources,
    /// The domains in which machines look for it. If empty, the domains of this machine.
    pub domains: Vec<String>,
    /// The name server to ask, instead of the system's.
    pub name_server: Option<SocketAddr>,
}

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Everything is as it should be.
    Ok,
    /// Machines are served, but an administrator should look at it.
    Warn,
    /// Machines are not served, or will not be.
    Fail,
    /// It could not be checked.
    Skipped,
}

/// The finding of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The name of the check.
    pub check: &'static str,
    /// Its result.
    pub health: Health,
    /// What was found, in one line.
    pub text: String,
    /// What to do, in one line, if there is something to do.
    pub remedy: Option<String>,
}

impl Finding {
    fn ok(check: &'static str, text: impl Into<String>) -> Finding {
        Finding { check, health: Health::Ok, text: text.into(), remedy: None }
    }

    fn skipped(check: &'static str, why: impl Into<String>) -> Finding {
        Finding { check, health: Health::Skipped, text: why.into(), remedy: None }
    }

    fn warn(check: &'static str, text: impl Into<String>, remedy: impl Into<String>) -> Finding {
        Finding { check, health: Health::Warn, text: text.into(), remedy: Some(remedy.into()) }
    }

    fn fail(check: &'static str, text: impl Into<String>, remedy: impl Into<String>) -> Finding {
        Finding { check, health: Health::Fail, text: text.into(), remedy: Some(remedy.into()) }
    }

    fn of(check: &'static str, error: &(dyn std::error::Error + 'static)) -> Finding {
        let remedy = remedy::remedy(error).unwrap_or_else(|| "look at what it names".to_owned());
        Finding::fail(check, remedy::cause(error), remedy)
    }
}

/// What earlier checks have found out, for later ones.
struct Known<'a> {
    wanted: &'a Wanted,
    clock: Arc<dyn Clock>,
    /// None if no process serves the directory.
    running: Option<RunningHost>,
    /// None if the settings are wrong.
    config: Option<Config>,
    certificates: Certificates,
    /// How to connect to hosts.
    way: tls::ConnectBy,
}

/// Makes all checks.
pub async fn examine(wanted: &Wanted, clock: Arc<dyn Clock>) -> Vec<Finding> {
    let home = &wanted.home;
    let running = RunningHost::find(home).await;
    let owner = match directory::owner(home, running.as_ref()) {
        Ok(owner) => owner,
        Err(finding) => return only(finding),
    };
    let mut findings = vec![directory::user(home, &owner)];
    if findings[0].health == Health::Fail {
        return only(findings.remove(0));
    }
    let (settings, config) = directory::settings(&wanted.sources);
    let (certificates, of_certificates) = directory::certificates(home, running.as_ref(), clock.now());
    let (way, of_tls) = tls::look(home, config.as_ref(), clock.now());
    let known = Known { wanted, clock, running, config, certificates, way };
    findings.extend(settings);
    findings.extend(directory::files(home, &owner));
    findings.push(directory::key(home));
    findings.extend(of_certificates);
    findings.extend(of_tls);
    findings.push(host::running(&known));
    findings.extend(host::alarms(&known));
    let (ledger, last_time) = host::ledger(&known, &owner).await;
    findings.push(ledger);
    findings.push(clock::trust(&known, last_time));
    findings.push(clock::time_server().await);
    findings.push(machine::disk(&known));
    findings.push(machine::descriptors(&known));
    findings.extend(machine::backlog());
    findings.extend(answers::ports(&known).await);
    findings.extend(answers::activations(&known).await);
    findings.extend(portal::findings(&known).await);
    findings.extend(dns::findings(&known).await);
    findings
}

/// This finding alone: all other checks need what is missing.
fn only(finding: Finding) -> Vec<Finding> {
    let why = "it needs the data directory";
    let others = [
        "settings",
        "files",
        "key",
        "certificate",
        "host",
        "ledger",
        "clock",
        "disk",
        "port",
        "activation",
        "portal",
    ];
    std::iter::once(finding).chain(others.map(|check| Finding::skipped(check, why))).collect()
}
