//! Commands that ask a running host over its socket. Tables for people, JSON for scripts.

use std::future::Future;
use std::time::Duration;

use anyhow::anyhow;
use bytes::Bytes;
use proto::admin::v1::{self as wire};
use serde_json::json;
use shared::time::{Length, Timestamp};

use super::{EX_DATAERR, EX_IOERR, EX_UNAVAILABLE, Failure, OrExit};
use crate::admin::{self, Client};
use crate::home::Home;

pub(super) fn status(home: &Home, as_json: bool) -> Result<(), Failure> {
    ask(home, async |mut host| {
        let status = host.get_status(wire::GetStatusRequest {}).await?.into_inner();
        if as_json {
            print_json(&status_json(&status));
        } else {
            print_status(&status);
        }
        Ok(())
    })
}

pub(super) fn machines(home: &Home, as_json: bool) -> Result<(), Failure> {
    ask(home, async |mut host| {
        let mut machines = Vec::new();
        let mut page_token = Bytes::new();
        loop {
            let request = wire::ListMachinesRequest { page_token, ..wire::ListMachinesRequest::default() };
            let page = host.list_machines(request).await?.into_inner();
            machines.extend(page.machines);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        if as_json {
            print_json(&machines.iter().map(machine_json).collect::<Vec<_>>());
            return Ok(());
        }
        let rows = machines.iter().map(|machine| {
            let counted = if machine.counted { "yes" } else { "no" };
            let texts = [hex(&machine.id), hex(&machine.product), machine.state.clone(), counted.to_owned()];
            let times = [machine.first_seen, machine.seen_at, machine.licensed_until].map(time);
            texts.into_iter().chain(times).collect::<Vec<_>>()
        });
        print_table(
            &["machine", "product", "state", "counted", "first seen", "last seen", "licensed until"],
            rows,
        );
        println!("{} machines", machines.len());
        Ok(())
    })
}

pub(super) fn refusals(home: &Home, as_json: bool) -> Result<(), Failure> {
    ask(home, async |mut host| {
        let refusals =
            host.list_refusals(wire::ListRefusalsRequest { page_size: 0 }).await?.into_inner().refusals;
        if as_json {
            print_json(&refusals.iter().map(refusal_json).collect::<Vec<_>>());
            return Ok(());
        }
        let rows = refusals
            .iter()
            .map(|refusal| vec![time(refusal.at), hex(&refusal.machine), refusal.text.clone()]);
        print_table(&["at", "machine", "reason"], rows);
        println!(
            "{} refusals since the host was started; `kms-client explain CODE` says what to do",
            refusals.len()
        );
        Ok(())
    })
}

pub(super) fn verify(home: &Home, as_json: bool) -> Result<(), Failure> {
    let found = ask(home, async |mut host| Ok(host.verify(wire::VerifyRequest {}).await?.into_inner()))?;
    let differs = |product: &wire::Recount| {
        product.count != product.recounted || product.active != product.active_found
    };
    let good = found.damaged == 0 && !found.products.iter().any(differs);
    if as_json {
        print_json(&json!({
            "good": good,
            "records": found.records,
            "damaged": found.damaged,
            "products": found.products.iter().map(|product| json!({
                "product": hex(&product.product),
                "count": product.count,
                "recounted": product.recounted,
                "active": product.active,
                "active_found": product.active_found,
            })).collect::<Vec<_>>(),
        }));
    } else {
        let rows = found.products.iter().map(|product| {
            let numbers = [product.count, product.recounted, product.active, product.active_found];
            std::iter::once(hex(&product.product))
                .chain(numbers.map(|number| number.to_string()))
                .collect::<Vec<_>>()
        });
        print_table(&["product", "count", "recounted", "active", "found active"], rows);
        println!("{} records read, {} damaged", found.records, found.damaged);
    }
    if good {
        return Ok(());
    }
    let remedy = "the count is not what the records add up to, or records are damaged: asks during the recount can \
                  cause a small difference, so run it again; if it stays, stop the host and restore a backup";
    Err(anyhow!(remedy)).or_exit(EX_DATAERR)
}

pub(super) fn confirm_clock(home: &Home, as_json: bool) -> Result<(), Failure> {
    ask(home, async |mut host| {
        let answer = host.confirm_clock(wire::ConfirmClockRequest {}).await?.into_inner();
        if as_json {
            print_json(&json!({ "ended": answer.ended, "now_ms": answer.now }));
        } else if answer.ended.is_empty() {
            println!("The host does not doubt its clock, which says {}.", time(answer.now));
        } else {
            println!("The doubt has ended: {}. The host's clock says {}.", answer.ended, time(answer.now));
        }
        Ok(())
    })
}

/// Connects to the host of this directory and asks it.
fn ask<T, F>(home: &Home, question: impl FnOnce(Client) -> F) -> Result<T, Failure>
where
    F: Future<Output = anyhow::Result<T>>,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().or_exit(EX_IOERR)?;
    runtime.block_on(async {
        let socket = home.socket_path();
        let client = admin::connect(&socket).await.map_err(|error| {
            let (socket, cause) = (socket.display(), root_cause(&error));
            anyhow!(
                "no host answers at {socket} ({cause}): start it with `kms-host serve`, name its directory with --data, \
                 or ask as the user whom it runs as"
            )
        });
        let client = client.or_exit(EX_UNAVAILABLE)?;
        question(client).await.or_exit(EX_UNAVAILABLE)
    })
}

/// What lies at the bottom: the layers above it repeat it.
fn root_cause(error: &dyn std::error::Error) -> &dyn std::error::Error {
    error.source().map_or(error, root_cause)
}

fn print_status(status: &wire::GetStatusResponse) {
    println!("host       {}  (version {})", hex(&status.host), status.version);
    println!("serving    {}, since {}", status.listening.join(" "), time(status.started_at));
    match status.doubt.as_str() {
        "" => println!("clock      {}, trusted", time(status.now)),
        doubt => {
            println!("clock      {}, IN DOUBT: {doubt}", time(status.now));
            println!(
                "           nobody is counted or licensed until it is set right: then `kms-host clock confirm`"
            );
        }
    }
    println!("ledger     {}", hex(&status.ledger));
    if let Some(restored) = &status.restored {
        let machines = restored.machines;
        println!(
            "           RESTORED OR COPIED: noticed at {}, by {machines} machines",
            time(restored.noticed_at)
        );
    }
    for product in &status.products {
        print_product(product, status.now);
    }
    let answered: Vec<_> =
        status.answered.iter().map(|tally| format!("{} {}", tally.name, tally.times)).collect();
    println!(
        "\nanswered   {}",
        if answered.is_empty() { "nothing yet".to_owned() } else { answered.join(", ") }
    );
}

fn print_product(product: &wire::Product, now: i64) {
    let name = if product.name.is_empty() { "(no certificate)" } else { &product.name };
    println!("\n{name}{}", if product.test { "  TEST" } else { "" });
    println!("  product      {}", hex(&product.id));
    let window = Length(Duration::from_millis(u64::try_from(product.count_window_ms).unwrap_or(0)));
    let reached =
        if u64::from(product.threshold) <= product.count { "leases are issued" } else { "too few so far" };
    println!(
        "  count        {} of {} needed, in the last {window}: {reached}",
        product.count, product.threshold
    );
    println!(
        "  known        {} active machines; {} asks today without state",
        product.active, product.unkept_today
    );
    println!("  threshold    last met {}", time(product.threshold_met_at));
    if product.certificate.is_empty() {
        return;
    }
    let left = Timestamp::from_unix_ms(product.not_after).since(Timestamp::from_unix_ms(now));
    let ended = if left.is_zero() { ", ENDED: no lease is signed" } else { "" };
    println!("  organisation {}", product.organisation);
    println!(
        "  certificate  {} until {} ({}){ended}",
        hex(&product.certificate),
        time(product.not_after),
        Length(left)
    );
}

fn status_json(status: &wire::GetStatusResponse) -> serde_json::Value {
    json!({
        "host": hex(&status.host),
        "ledger": hex(&status.ledger),
        "version": status.version,
        "started_at_ms": status.started_at,
        "now_ms": status.now,
        "doubt": Some(&status.doubt).filter(|doubt| !doubt.is_empty()),
        "listening": status.listening,
        "hour_width_ms": status.hour_width_ms,
        "restored": status.restored.as_ref().map(|restored| json!({
            "noticed_at_ms": restored.noticed_at,
            "machines": restored.machines,
        })),
        "answered": status.answered.iter().map(|t| (t.name.clone(), t.times.into())).collect::<serde_json::Map<_, _>>(),
        "products": status.products.iter().map(|product| json!({
            "product": hex(&product.id),
            "name": product.name,
            "organisation": product.organisation,
            "count": product.count,
            "threshold": product.threshold,
            "active": product.active,
            "threshold_met_at_ms": product.threshold_met_at,
            "count_window_ms": product.count_window_ms,
            "unkept_today": product.unkept_today,
            "certificate": hex(&product.certificate),
            "not_before_ms": product.not_before,
            "not_after_ms": product.not_after,
            "test": product.test,
        })).collect::<Vec<_>>(),
    })
}

fn machine_json(machine: &wire::Machine) -> serde_json::Value {
    json!({
        "machine": hex(&machine.id),
        "product": hex(&machine.product),
        "state": machine.state,
        "counted": machine.counted,
        "serial": machine.serial,
        "first_seen_ms": machine.first_seen,
        "seen_at_ms": machine.seen_at,
        "licensed_until_ms": machine.licensed_until,
    })
}

fn refusal_json(refusal: &wire::RecentRefusal) -> serde_json::Value {
    json!({
        "at_ms": refusal.at,
        "machine": hex(&refusal.machine),
        "product": hex(&refusal.product),
        "code": refusal.code,
        "text": refusal.text,
    })
}

fn print_json(value: &impl serde::Serialize) {
    println!("{}", serde_json::to_string_pretty(value).expect("these values are plain"));
}

fn print_table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(head.to_vec());
    for row in rows {
        table.add_row(row);
    }
    println!("{table}");
}

fn hex(id: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(id)
}

fn time(unix_ms: i64) -> String {
    if unix_ms == 0 { "never".to_owned() } else { Timestamp::from_unix_ms(unix_ms).to_string() }
}
