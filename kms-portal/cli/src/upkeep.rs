//! Looking after a portal: `doctor`, `backup`, `restore`.

use std::path::Path;

use anyhow::anyhow;
use kms_portal::config::PortalSettingSources;
use kms_portal::doctor::{PortalFinding, PortalHealth, examine};
use kms_portal::home::PortalHome;
use program::exit::{EX_CONFIG, EX_IOERR};
use program::output::{self, json_text};
use serde_json::json;
use shared::print::Lines;
use shared::time::Clock as _;
use wire::SystemClock;

use super::ask::PortalAt;
use super::failure::{Failure, OrExit as _};
use super::offline::become_owner;
use super::staff;

/// The command did what it was told, and has found something wrong.
const EX_FOUND: u8 = 1;

pub(super) fn doctor(home: &PortalHome, config: Option<&Path>, as_json: bool) -> Result<String, Failure> {
    become_owner(home)?;
    let mut findings =
        examine(home, &PortalSettingSources::new(config, home.path()), SystemClock::new().now());
    findings.extend(changes(home));
    let name = |health| match health {
        PortalHealth::Ok => "ok",
        PortalHealth::Warn => "warn",
        PortalHealth::Fail => "FAIL",
    };
    let text = if as_json {
        let list = findings.iter().map(|found| {
            json!({ "what": found.what, "health": name(found.health).to_lowercase(), "text": found.text })
        });
        json_text(&list.collect())
    } else {
        let line =
            |found: &PortalFinding| format!("{:<5} {:<9} {}", name(found.health), found.what, found.text);
        findings.iter().map(line).flat_map(|line| [line, "\n".to_owned()]).collect()
    };
    let failed: Vec<_> = findings.iter().filter(|found| found.health == PortalHealth::Fail).collect();
    if failed.is_empty() {
        return Ok(text);
    }
    output::print(&Lines(text).to_string(), EX_FOUND);
    let what: Vec<_> = failed.iter().map(|found| found.what).collect();
    Err(Failure { code: EX_FOUND, error: anyhow!("what keeps the portal from serving: {}", what.join(", ")) })
}

/// Whether the record of changes is whole, which only the portal that serves can say: to open its database here would write.
fn changes(home: &PortalHome) -> Option<PortalFinding> {
    if !server::admin::socket::is_served(&home.socket_path()) {
        return None;
    }
    let (health, text) = match staff::verified(&PortalAt::here(home)) {
        Err(Failure { error, .. }) => {
            (PortalHealth::Warn, format!("the changes cannot be checked: {error:#}"))
        }
        Ok(checked) => match staff::broken(&checked) {
            Some(broken) => (PortalHealth::Warn, broken),
            None => {
                (PortalHealth::Ok, format!("{} changes are recorded, and none was altered", checked.changes))
            }
        },
    };
    Some(PortalFinding { what: "audit", health, text })
}

pub(super) fn backup(home: &PortalHome, folder: &Path, config: Option<&Path>) -> Result<String, Failure> {
    become_owner(home)?;
    let settings = PortalSettingSources::new(config, home.path()).read().or_exit(EX_CONFIG)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().or_exit(EX_IOERR)?;
    let has_database = runtime.block_on(home.backup(&settings.config, folder))?;
    let folder = folder.display();
    let database = if has_database {
        ""
    } else {
        "The PostgreSQL database is not in it: back it up at the same time with pg_dump.\n"
    };
    Ok(format!(
        "Backed up the portal in {folder}. The issuing key and the pepper are in it: whoever reads it can issue licenses.\n{database}"
    ))
}

pub(super) fn restore(home: &PortalHome, folder: &Path) -> Result<String, Failure> {
    home.restore(folder)?;
    let data = home.path().display();
    Ok(format!(
        "Made the portal in {data} again. What was activated after the backup is not known here: it stays licensed, and takes a place \
         again when it asks. The old portal must not serve any more.\nServe with `kms-portal serve --data {data}`.\n"
    ))
}
