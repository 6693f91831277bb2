//! `kms-host sources`: lists the addresses that machines ask from, with their numbers.

use kms_host::home::Home;
use program::output::json_text;
use program::table::table;
use proto::admin::v1 as wire;
use serde_json::json;

use super::Failure;
use super::online::{ask, number};

pub(super) fn list(home: &Home, as_json: bool) -> Result<String, Failure> {
    ask(home, async |mut host| {
        let found = host.list_sources(wire::ListSourcesRequest { page_size: 0 }).await?.into_inner();
        Ok(if as_json { json_text(&to_json(&found)) } else { to_text(&found) })
    })
}

fn to_text(found: &wire::ListSourcesResponse) -> String {
    let others = found.others.iter().filter(|others| **others != wire::Source::default());
    let rows = found.sources.iter().chain(others).map(|source| {
        let name = if source.source.is_empty() { "(others)" } else { &source.source };
        let numbers = [source.new_today, source.new, source.asks, source.bad];
        let refused = [source.new_refused, source.unheard, source.turned_away];
        let numbers = numbers.into_iter().chain(refused).map(|number| number.to_string());
        std::iter::once(name.to_owned()).chain(numbers).collect::<Vec<_>>()
    });
    let head = ["source", "new in 24 h", "new", "asks", "bad", "refused as new", "not heard", "turned away"];
    let limits = found.limits.unwrap_or_default();
    format!(
        "{}\n{}, {} listed; since the host was started\nnew machines: {} a day for one source, {} for all; bad asks: {} a minute \
         for one source, {} for all\n",
        table(&head, rows),
        number(found.total, "source"),
        found.sources.len(),
        most(limits.new_machines_per_source),
        most(limits.new_machines_per_site),
        most(limits.bad_asks_per_source),
        most(limits.bad_asks_per_site),
    )
}

fn most(limit: u64) -> String {
    if limit == 0 { "any number".to_owned() } else { limit.to_string() }
}

fn to_json(found: &wire::ListSourcesResponse) -> serde_json::Value {
    let limits = found.limits.unwrap_or_default();
    json!({
        "sources": found.sources.iter().map(source_json).collect::<Vec<_>>(),
        "total": found.total,
        "others": found.others.as_ref().map(source_json),
        "limits": {
            "new_machines_per_source": limits.new_machines_per_source,
            "new_machines_per_site": limits.new_machines_per_site,
            "bad_asks_per_source": limits.bad_asks_per_source,
            "bad_asks_per_site": limits.bad_asks_per_site,
        },
    })
}

fn source_json(source: &wire::Source) -> serde_json::Value {
    json!({
        "source": Some(&source.source).filter(|source| !source.is_empty()),
        "new_today": source.new_today,
        "new": source.new,
        "asks": source.asks,
        "bad": source.bad,
        "new_refused": source.new_refused,
        "unheard": source.unheard,
        "turned_away": source.turned_away,
    })
}
