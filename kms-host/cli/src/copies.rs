//! `copies`: identities that more than one machine has shown, and what became of them.
//!
//! A copy is refused COPIED and comes again under a new identity, here or at a sibling host. What this host has noted of both is
//! put together here, one line for each identity. Such events are rare, so they fit into memory where machines might not.

use std::collections::BTreeMap;

use bytes::Bytes;
use clap::Args;
use kms_host::admin::Client;
use kms_host::home::Home;
use program::output::json_text;
use program::table::table;
use proto::admin::v1 as wire;
use serde_json::json;

use super::Failure;
use super::online::{ProductNames, ask, hex, instant, resolve_product, time};

/// Which copies to list.
#[derive(Debug, Args)]
pub(super) struct Copies {
    /// Name or id of the product whose machines to search [default: all].
    #[arg(long, value_name = "NAME|ID")]
    product: Option<String>,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

/// One identity that was copied.
#[derive(Default)]
struct Copied {
    /// When it was refused here for that, as far as it is kept: at most once an hour.
    found_at: Vec<i64>,
    /// The new identities that have come for it here.
    new: Vec<New>,
    /// The last asks of this identity and of its latest new one, if this one has asked since that came: two machines.
    both_ask: Option<[i64; 2]>,
}

struct New {
    at: i64,
    machine: Bytes,
    /// Whether it took the seat: the same installation, whose disk was set back.
    took_the_seat: bool,
}

/// Copied identities by product and id.
type Found = BTreeMap<(Bytes, Bytes), Copied>;

pub(super) fn copies(home: &Home, wanted: &Copies) -> Result<String, Failure> {
    let (found, names) = ask(home, async |mut host| {
        let kinds = ["copied", "replaced", "replaces"].map(str::to_owned).to_vec();
        let mut request = wire::ListEventsRequest { kinds, ..wire::ListEventsRequest::default() };
        if let Some(product) = &wanted.product {
            request.product = resolve_product(&mut host, product).await?;
        }
        let mut events = Vec::new();
        loop {
            let page = host.list_events(request.clone()).await?.into_inner();
            events.extend(page.events);
            request.page_token = page.next_page_token;
            if request.page_token.is_empty() {
                break;
            }
        }
        let mut found = put_together(events);
        for ((product, machine), copied) in &mut found {
            copied.both_ask = both_ask(&mut host, product, machine, copied).await?;
        }
        Ok((found, ProductNames::of(&mut host).await?))
    })?;
    if wanted.json {
        let copies: Vec<_> = found.iter().map(copied_json).collect();
        return Ok(json_text(&json!({ "copies": copies })));
    }
    let rows = found.iter().map(|((product, machine), copied)| {
        let (first, last) = (copied.found_at.first().copied(), copied.found_at.last().copied());
        let times = copied.found_at.len().to_string();
        let found = [first, last].map(|at| at.map_or_else(|| "-".to_owned(), time));
        [hex(machine), names.show(product), times].into_iter().chain(found).chain([became(copied)]).collect()
    });
    let head = ["machine", "product", "times", "first found", "last found", "what became of it"];
    let total = found.len();
    let total = if total == 1 { "1 identity".to_owned() } else { format!("{total} identities") };
    Ok(format!("{}\n{total} copied\n", table(&head, rows)))
}

/// By identity, and all in the order of time.
fn put_together(mut events: Vec<wire::Event>) -> Found {
    events.sort_by_key(|event| event.at);
    let mut found = Found::new();
    for event in events {
        let wire::Event { at, kind, other, machine, product } = event;
        match kind.as_str() {
            "copied" => found.entry((product, machine)).or_default().found_at.push(at),
            "replaces" => note_new(&mut found, (product, other), at, machine, false),
            "replaced" => note_new(&mut found, (product, machine), at, other, true),
            _ => {}
        }
    }
    found
}

/// The last asks of a copied identity and of its latest new identity, if the old one has asked since the new one came.
async fn both_ask(
    host: &mut Client,
    product: &Bytes,
    machine: &Bytes,
    copied: &Copied,
) -> Result<Option<[i64; 2]>, tonic::Status> {
    let Some(new) = copied.new.last() else { return Ok(None) };
    let mut asked = [0; 2];
    for (at, id) in asked.iter_mut().zip([machine, &new.machine]) {
        let name = Some(wire::MachineName { id_prefix: hex(id), product: product.clone() });
        match host.get_machine(wire::GetMachineRequest { name }).await {
            Ok(shown) => *at = shown.into_inner().machine.map_or(0, |machine| machine.seen_at),
            // It was forgotten since, or belongs to a sibling host.
            Err(status) if status.code() == tonic::Code::NotFound => return Ok(None),
            Err(status) => return Err(status),
        }
    }
    Ok((new.at < asked[0]).then_some(asked))
}

/// The same new identity is told by both sides, where both have an event.
fn note_new(found: &mut Found, copied: (Bytes, Bytes), at: i64, machine: Bytes, took_the_seat: bool) {
    let new = &mut found.entry(copied).or_default().new;
    match new.iter_mut().find(|known| known.machine == machine) {
        Some(known) => known.took_the_seat |= took_the_seat,
        None => new.push(New { at, machine, took_the_seat }),
    }
}

fn became(copied: &Copied) -> String {
    let Some(last) = copied.new.last() else {
        return "no new identity has come here for it yet".to_owned();
    };
    let new = hex(&last.machine);
    let text = if let Some([old_at, new_at]) = copied.both_ask {
        let (old_at, new_at) = (time(old_at), time(new_at));
        format!("two machines, and both ask: this one last at {old_at}, the copy as {new} last at {new_at}")
    } else if last.took_the_seat {
        format!("its disk was set back, and it goes on as {new}")
    } else {
        format!("the copy goes on as {new}")
    };
    match copied.new.len() - 1 {
        0 => text,
        1 => format!("{text}, after one other"),
        more => format!("{text}, after {more} others"),
    }
}

fn copied_json(((product, machine), copied): (&(Bytes, Bytes), &Copied)) -> serde_json::Value {
    json!({
        "machine": hex(machine),
        "product": hex(product),
        "times": copied.found_at.len(),
        "first_found_ms": copied.found_at.first(),
        "last_found_ms": copied.found_at.last(),
        "both_ask": copied.both_ask.is_some(),
        "new_identities": copied.new.iter().map(|new| json!({
            "machine": hex(&new.machine),
            "at_ms": new.at,
            "same_installation": new.took_the_seat,
        })).collect::<Vec<_>>(),
    })
}

/// What has happened to a machine, in words.
pub(super) fn event_text(event: &wire::Event) -> String {
    let other = hex(&event.other);
    match event.kind.as_str() {
        "copied" => "copied: another machine uses its identity, or its disk was set back".to_owned(),
        "replaced" => format!("replaced: the same installation goes on as {other}"),
        "replaces" => format!("came as the new identity of {other}"),
        "released" => "released: it has left by its own ask".to_owned(),
        "returned" => "returned: it has asked again".to_owned(),
        "blocked" => "blocked by an administrator".to_owned(),
        "unblocked" => "unblocked by an administrator".to_owned(),
        "relearned" => "relearned: it showed a lease that this ledger did not remember".to_owned(),
        newer => newer.to_owned(),
    }
}

pub(super) fn event_json(event: &wire::Event) -> serde_json::Value {
    json!({
        "at_ms": instant(event.at),
        "kind": event.kind,
        "other": Some(hex(&event.other)).filter(|other| !other.is_empty()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(at: i64, kind: &str, machine: u8, other: Option<u8>) -> wire::Event {
        let id = |byte| Bytes::from(vec![byte; 16]);
        let other = other.map(id).unwrap_or_default();
        wire::Event { at, kind: kind.to_owned(), other, machine: id(machine), product: id(9) }
    }

    fn became_of(events: Vec<wire::Event>) -> String {
        let found = put_together(events);
        assert_eq!(found.len(), 1, "it is one identity");
        found.values().map(became).collect()
    }

    #[test]
    fn what_became_of_a_copy_is_told_by_the_events_of_both_sides() {
        let id = |byte: &str| byte.repeat(16);
        assert!(became_of(vec![event(5, "copied", 1, None)]).starts_with("no new identity"));
        let copy = vec![event(6, "replaces", 2, Some(1)), event(5, "copied", 1, None)];
        assert_eq!(became_of(copy), format!("the copy goes on as {}", id("02")));
        let set_back = vec![
            event(5, "copied", 1, None),
            event(6, "replaced", 1, Some(2)),
            event(6, "replaces", 2, Some(1)),
        ];
        assert_eq!(became_of(set_back), format!("its disk was set back, and it goes on as {}", id("02")));
        let again = vec![
            event(5, "copied", 1, None),
            event(6, "replaces", 2, Some(1)),
            event(8, "replaces", 3, Some(1)),
        ];
        assert_eq!(became_of(again), format!("the copy goes on as {}, after one other", id("03")));
    }

    #[test]
    fn two_machines_that_both_still_ask_are_named() {
        let mut found = put_together(vec![event(5, "copied", 1, None), event(6, "replaces", 2, Some(1))]);
        let copied = found.values_mut().next().unwrap();
        copied.both_ask = Some([86_400_000, 2 * 86_400_000]);
        let new = "02".repeat(16);
        let expected = format!(
            "two machines, and both ask: this one last at 1970-01-02 00:00:00Z, the copy as {new} last at 1970-01-03 00:00:00Z"
        );
        assert_eq!(became(copied), expected);
    }

    #[test]
    fn a_copy_that_a_sibling_host_has_refused_is_known_by_its_new_identity() {
        let found = put_together(vec![event(6, "replaces", 2, Some(1))]);
        let copied = found.values().next().unwrap();
        assert!(copied.found_at.is_empty() && copied.new.len() == 1);
    }
}
