//! `key export`: what was sold and what is used, as CSV for vendor and organisation. No key is in it.
//!
//! Pages are printed as they come, so the number of keys does not matter.

use std::io;

use program::exit::EX_IOERR;
use program::{csv, output};
use proto::portal::v1 as w;
use tonic::Status;

use crate::ask::{PortalAt, StaffClient, ask};
use crate::failure::{Failure, OrExit as _};
use crate::shown::{hex, instant, time};

const KEYS: [&str; 19] = [
    "number",
    "last_group",
    "kind",
    "product",
    "organisation",
    "machines",
    "machines_used",
    "hosts",
    "hosts_used",
    "activations",
    "releases",
    "releases_used",
    "seats",
    "features",
    "blocked",
    "revoked_at",
    "issued_at",
    "ends_at",
    "order",
];

const ACTIVATED: [&str; 10] = [
    "number",
    "product",
    "organisation",
    "what",
    "id",
    "activations",
    "since",
    "last",
    "released_at",
    "revoked_at",
];

pub(super) fn export(at: &PortalAt, wanted: w::ListKeysRequest, machines: bool) -> Result<String, Failure> {
    let printed = ask(at, async |mut portal| {
        let head = if machines { csv::row(ACTIVATED) } else { csv::row(KEYS.iter().chain(&["note"])) };
        let mut printed = output::write(&head);
        let mut request = wanted;
        // Who has closed the pipe wants no more.
        while printed.is_ok() {
            let page = portal.list_keys(request.clone()).await?.into_inner();
            for key in &page.keys {
                if machines {
                    printed = printed.and(activated(&mut portal, key).await?);
                }
            }
            if !machines {
                printed = output::write(&page.keys.iter().map(row).collect::<String>());
            }
            let Some(last) = page.keys.last().filter(|_| page.more) else { break };
            request.after.clone_from(&last.number);
        }
        Ok(printed)
    });
    let printed = printed.map_err(|Failure { code, error }| Failure {
        code,
        error: error.context("the export is not complete"),
    })?;
    output::unless_closed(printed).or_exit(EX_IOERR)?;
    Ok(String::new())
}

fn row(key: &w::Key) -> String {
    let (granted, taken) = (key.granted.unwrap_or_default(), key.taken.unwrap_or_default());
    let [machines, machines_used, hosts, hosts_used, activations, releases, releases_used] = [
        granted.machines,
        taken.machines,
        granted.hosts,
        taken.hosts,
        granted.activations,
        granted.releases,
        taken.releases,
    ]
    .map(|number| number.to_string());
    csv::row([
        key.number.clone(),
        key.last_group.clone(),
        key.kind.clone(),
        key.product_name.clone(),
        organisation(key),
        machines,
        machines_used,
        hosts,
        hosts_used,
        activations,
        releases,
        releases_used,
        if key.seats == 0 { String::new() } else { key.seats.to_string() },
        key.features.join(" "),
        key.blocked.to_string(),
        moment(key.revoked_at),
        moment(key.issued_at),
        moment(key.ends_at),
        key.order.clone(),
        key.note.clone(),
    ])
}

/// Prints what a key has activated. The result within is that of printing.
async fn activated(portal: &mut StaffClient, key: &w::Key) -> Result<io::Result<()>, Status> {
    let line = |what: &str, id: &[u8], activations: String, times: [i64; 4]| {
        let [since, last, released, revoked] = times.map(moment);
        let (number, product) = (key.number.clone(), key.product_name.clone());
        csv::row([
            number,
            product,
            organisation(key),
            what.to_owned(),
            hex(id),
            activations,
            since,
            last,
            released,
            revoked,
        ])
    };
    let request = w::GetKeyRequest { number: key.number.clone() };
    let hosts = portal.get_key(request).await?.into_inner().hosts;
    let hosts = hosts.iter().map(|host| {
        let times = [0, host.activated_at, 0, host.revoked_at];
        line("host", &host.host, host.activations.to_string(), times)
    });
    let mut printed = output::write(&hosts.collect::<String>());
    let mut request = w::ListMachinesRequest { number: key.number.clone(), ..Default::default() };
    while printed.is_ok() {
        let page = portal.list_machines(request.clone()).await?.into_inner();
        let machines = page.machines.iter().map(|machine| {
            let times = [machine.since, machine.confirmed_at, machine.freed_at, machine.revoked_at];
            // A machine that was only ever confirmed by a code has no id yet.
            match machine.machine.as_ref() {
                [] => line("installation", &machine.digest, String::new(), times),
                id => line("machine", id, String::new(), times),
            }
        });
        printed = output::write(&machines.collect::<String>());
        let Some(last) = page.machines.last().filter(|_| page.more) else { break };
        request.after.clone_from(&last.place);
    }
    Ok(printed)
}

fn organisation(key: &w::Key) -> String {
    key.organisation.as_ref().map(|one| one.name.clone()).unwrap_or_default()
}

/// RFC 3339; empty for an instant that never was.
fn moment(unix_ms: i64) -> String {
    instant(unix_ms).map(|_| time(unix_ms).replace(' ', "T")).unwrap_or_default()
}
