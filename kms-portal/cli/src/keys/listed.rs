//! What is known of keys: `key list` and `key show`.

use program::output::json_text;
use proto::portal::v1 as w;
use serde_json::{Value, json};
use shared::product_key::{KeyKind, KeyNumber};

use crate::ask::{PortalAt, ask};
use crate::failure::Failure;
use crate::shown::{day, hex, instant, table, time};

pub(super) fn list(at: &PortalAt, wanted: &w::ListKeysRequest, as_json: bool) -> Result<String, Failure> {
    let keys = ask(at, async |mut portal| {
        let mut keys: Vec<w::Key> = Vec::new();
        loop {
            let after = keys.last().map(|key| key.number.clone()).unwrap_or_default();
            let request = w::ListKeysRequest { after, ..wanted.clone() };
            let page = portal.list_keys(request).await?.into_inner();
            keys.extend(page.keys);
            if !page.more {
                return Ok(keys);
            }
        }
    })?;
    if as_json {
        return Ok(json_text(&keys.iter().map(key_json).collect()));
    }
    let rows = keys.iter().map(|key| {
        let organisation = key.organisation.as_ref().map(|one| one.name.clone()).unwrap_or_default();
        let standing = match (key.revoked_at, key.blocked) {
            (0, false) => day(key.ends_at),
            (0, true) => "blocked".to_owned(),
            _ => "revoked".to_owned(),
        };
        let (number, product) = (key.number.clone(), key.product_name.clone());
        vec![
            number,
            kind_text(&key.kind).to_owned(),
            product,
            organisation,
            use_text(key),
            standing,
            key.note.clone(),
        ]
    });
    Ok(table(&["number", "kind", "product", "organisation", "used", "ends", "note"], rows))
}

pub(super) fn show(at: &PortalAt, number: KeyNumber, as_json: bool) -> Result<String, Failure> {
    let number = number.to_string();
    let shown = ask(at, async |mut portal| {
        let mut shown = portal.get_key(w::GetKeyRequest { number: number.clone() }).await?.into_inner();
        // The answer has the first page of its machines.
        shown.machines.clear();
        loop {
            let after = shown.machines.last().map(|last| last.place.clone()).unwrap_or_default();
            let request = w::ListMachinesRequest { number: number.clone(), after, limit: 0 };
            let page = portal.list_machines(request).await?.into_inner();
            shown.machines.extend(page.machines);
            if !page.more {
                return Ok(shown);
            }
        }
    })?;
    let key = shown.key.unwrap_or_default();
    if as_json {
        let mut value = key_json(&key);
        let hosts = shown.hosts.iter().map(|host| {
            let (number, activations) = (host.number, host.activations);
            json!({
                "host": hex(&host.host),
                "number": number,
                "activations": activations,
                "at_ms": host.activated_at,
                "revoked_at_ms": instant(host.revoked_at),
            })
        });
        let machines = shown.machines.iter().map(|machine| {
            json!({
                "machine": Some(hex(&machine.machine)).filter(|id| !id.is_empty()),
                "installation": Some(hex(&machine.digest)).filter(|digest| !digest.is_empty()),
                "place": hex(&machine.place),
                "since_ms": machine.since,
                "confirmed_at_ms": machine.confirmed_at,
                "freed_at_ms": instant(machine.freed_at),
                "revoked_at_ms": instant(machine.revoked_at),
            })
        });
        let raises = shown.raises.iter().map(|raise| {
            json!({ "quota": raise.quota, "more": raise.more, "who": raise.who, "at_ms": raise.at, "note": raise.why })
        });
        value["hosts"] = hosts.collect();
        value["machines"] = machines.collect();
        value["raises"] = raises.collect();
        return Ok(json_text(&value));
    }
    let organisation = key.organisation.as_ref().map(|one| one.name.clone()).unwrap_or_default();
    let mut parts = vec![format!(
        "Key {}, ends in {}: {} key for {} of {organisation}.\nIssued {}, ends {}. Used: {}.\n",
        key.number,
        key.last_group,
        key.kind,
        key.product_name,
        time(key.issued_at),
        if key.ends_at == 0 { "never".to_owned() } else { time(key.ends_at) },
        use_text(&key)
    )];
    if key.revoked_at != 0 {
        parts.push(format!("It was revoked at {}, with all that it has activated.\n", time(key.revoked_at)));
    } else if key.blocked {
        parts.push("It is blocked.\n".to_owned());
    }
    if !key.order.is_empty() {
        parts.push(format!("Order: {}.\n", key.order));
    }
    if !key.features.is_empty() {
        parts.push(format!("Features: {}.\n", key.features.join(", ")));
    }
    let raises = shown
        .raises
        .into_iter()
        .map(|raise| vec![time(raise.at), format!("{:+} {}", raise.more, raise.quota), raise.who, raise.why]);
    parts.push(format!("\n{}", table(&["granted", "what", "by", "note"], raises)));
    if !shown.hosts.is_empty() {
        let rows = shown.hosts.iter().map(|host| {
            vec![
                host.number.to_string(),
                hex(&host.host),
                host.activations.to_string(),
                time(host.activated_at),
                day(host.revoked_at),
            ]
        });
        parts.push(format!("\n{}", table(&["host", "id", "activations", "last", "revoked"], rows)));
    }
    if !shown.machines.is_empty() {
        let rows = shown.machines.iter().map(|machine| {
            vec![
                if machine.digest.is_empty() {
                    hex(&machine.machine)
                } else {
                    format!("by code {}", hex(&machine.place))
                },
                day(machine.since),
                day(machine.confirmed_at),
                day(machine.freed_at),
                day(machine.revoked_at),
            ]
        });
        parts.push(format!("\n{}", table(&["machine", "since", "confirmed", "released", "revoked"], rows)));
    }
    Ok(parts.concat())
}

/// The kind as `key issue --kind` takes it, which is shorter.
fn kind_text(kind: &str) -> &str {
    if kind == KeyKind::MultipleActivation.name() { "mak" } else { kind }
}

fn use_text(key: &w::Key) -> String {
    let (granted, taken) = (key.granted.unwrap_or_default(), key.taken.unwrap_or_default());
    if key.kind == KeyKind::Host.name() {
        format!("{} of {} hosts", taken.hosts, granted.hosts)
    } else {
        format!("{} of {} machines", taken.machines, granted.machines)
    }
}

pub(super) fn quotas_text(quotas: &w::Quotas, is_for_hosts: bool) -> String {
    if is_for_hosts {
        format!("{} hosts, {} activations of each", quotas.hosts, quotas.activations)
    } else {
        format!("{} machines, {} releases a year", quotas.machines, quotas.releases)
    }
}

pub(super) fn quotas_json(quotas: &w::Quotas) -> Value {
    json!({
        "machines": quotas.machines,
        "hosts": quotas.hosts,
        "activations": quotas.activations,
        "releases": quotas.releases,
    })
}

pub(crate) fn key_json(key: &w::Key) -> Value {
    let organisation = key.organisation.clone().unwrap_or_default();
    json!({
        "number": key.number,
        "last_group": key.last_group,
        "kind": key.kind,
        "product": hex(&key.product),
        "product_name": key.product_name,
        "organisation": hex(&organisation.id),
        "organisation_name": organisation.name,
        "features": key.features,
        "seats": key.seats,
        "blocked": key.blocked,
        "revoked_at_ms": instant(key.revoked_at),
        "ends_at_ms": instant(key.ends_at),
        "issued_at_ms": key.issued_at,
        "note": key.note,
        "order": key.order,
        "granted": quotas_json(&key.granted.unwrap_or_default()),
        "taken": quotas_json(&key.taken.unwrap_or_default()),
    })
}
