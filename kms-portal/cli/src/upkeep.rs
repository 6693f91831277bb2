//! Looking after a portal: `doctor`, `backup`, `restore`.

mod served;

use std::path::Path;

use anyhow::anyhow;
use kms_portal::config::PortalSettingSources;
use kms_portal::doctor::{PortalFinding, PortalHealth, examine};
use kms_portal::home::{NewBackup, OpenedBackup, PortalHome};
use program::exit::EX_CONFIG;
use program::output::{self, json_text};
use program::owner::{hint_at_owner, is_of_another};
use serde_json::json;
use shared::print::Lines;
use shared::time::Clock as _;
use wire::SystemClock;

use super::failure::{Failure, OrExit as _};
use super::given::GivenPortal;
use super::offline::{self, as_owner, become_owner};

/// The command did what it was told, and has found something wrong.
const EX_FOUND: u8 = 1;

pub(super) fn doctor(
    home: &PortalHome,
    config: Option<&Path>,
    as_json: bool,
    given: &GivenPortal,
) -> Result<String, Failure> {
    become_owner(home)?;
    let sources = PortalSettingSources::new(config, home.path());
    let found = examine(home, &sources, SystemClock::new().now());
    let mut findings = offline::runtime()?.block_on(found);
    served::examine(home, &mut findings);
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
    output::print(&Lines(given.complete(&text)).to_string(), EX_FOUND);
    let what: Vec<_> = failed.iter().map(|found| found.what).collect();
    Err(Failure { code: EX_FOUND, error: anyhow!("what keeps the portal from serving: {}", what.join(", ")) })
}

pub(super) fn backup(home: &PortalHome, folder: &Path, config: Option<&Path>) -> Result<String, Failure> {
    let sources = PortalSettingSources::new(config, home.path());
    let read = || sources.read().or_exit(EX_CONFIG);
    let settings = if sources.is_in_data() { as_owner(home, read) } else { read() }?;
    let home = &home.with_secrets(&settings.config);
    // Settings elsewhere become those of the directory, where a restored portal looks for them.
    let elsewhere = !sources.is_in_data() && settings.file().exists();
    let elsewhere = elsewhere.then(|| offline::read(settings.file())).transpose()?;
    // As root, the command would follow every link in a directory of another user.
    let files = as_owner(home, || Ok(home.files_for_backup(elsewhere)?))?;
    let mut backup = NewBackup::begin(folder)?;
    // The owner may be unable to write into a folder of root's.
    let place = if is_of_another(home.path()) { home.path() } else { folder };
    let database = as_owner(home, || {
        Ok(offline::runtime()?.block_on(home.database_for_backup(&settings.config, place))?)
    })?;
    backup.add_files(&files)?;
    let has_database = database.is_some();
    if let Some(database) = database {
        backup.add_database(database)?;
    }
    backup.finish()?;
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
    // Opened first, because only root may be able to read it.
    let backup = OpenedBackup::open(folder)?;
    become_owner(home)?;
    let has_database = backup.has_database();
    home.restore(backup)?;
    let data = home.path().display();
    let what = if has_database {
        "What happened after the backup is not known here. Machines stay licensed, and take their places again when they ask. Hosts \
         serve until their certificates end, and are activated again by their keys before that. For revocations, install the list of a \
         host with `kms-portal install-revocations`. Issue, raise and block keys again. The old portal must not serve any more."
    } else {
        "Its database is on a PostgreSQL server and was not in the backup. Several portals may serve that database."
    };
    let owner = hint_at_owner(home.path()).unwrap_or_default();
    Ok(format!(
        "Made the portal in {data} again. {what}\n{owner}Serve with `kms-portal serve --data {data}`.\n"
    ))
}
