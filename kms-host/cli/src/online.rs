//! Commands that ask a running host over its socket, and what they have in common. Tables for people, JSON for scripts.
//!
//! Each command has a file of its own, such as `inventory` and `machine`.

use std::future::Future;
use std::time::Duration;

use anyhow::anyhow;
use bytes::Bytes;
use kms_host::admin::{self, Client};
use kms_host::home::Home;
use program::exit::{EX_CONFIG, EX_DATAERR, EX_IOERR, EX_NOPERM, EX_UNAVAILABLE};
use program::output::json_text;
use program::table::table;
use proto::admin::v1::{self as wire};
use serde_json::json;
use server::admin::is_silence;
use shared::ids::ProductId;
use shared::print::one_line;
use shared::reason::Reason;
use shared::time::{Length, Timestamp};
use tonic::Code;
use tonic_types::StatusExt as _;

use super::{EX_FOUND, Failure, Noted, runtime};

pub(super) fn status(home: &Home, as_json: bool, exit_code: bool) -> Result<String, Failure> {
    let status =
        ask(home, async |mut host| Ok(host.get_status(wire::GetStatusRequest {}).await?.into_inner()))?;
    let shown = if as_json { json_text(&status_json(&status)) } else { status_text(&status) };
    let alarms: Vec<_> = status.alarms.iter().map(|alarm| alarm.code.as_str()).collect();
    if !exit_code || alarms.is_empty() {
        return Ok(shown);
    }
    let error = anyhow!("{} to look at: {}", number(alarms.len(), "alarm"), alarms.join(", "));
    Err(Failure { code: EX_FOUND, error, shown })
}

pub(super) fn verify(home: &Home, as_json: bool) -> Result<String, Failure> {
    let (found, names) = ask(home, async |mut host| {
        let found = host.verify(wire::VerifyRequest {}).await?.into_inner();
        Ok((found, ProductNames::of(&mut host).await?))
    })?;
    let differs = |product: &wire::Recount| verified(product).iter().any(|(_, kept, _, found)| kept != found);
    let good = found.damaged == 0 && !found.products.iter().any(differs);
    let shown = if as_json {
        json_text(&json!({
            "good": good,
            "records": found.records,
            "damaged": found.damaged,
            "products": found.products.iter().map(verified_json).collect::<Vec<_>>(),
        }))
    } else {
        let rows = found.products.iter().map(|product| {
            let numbers = verified(product).map(|(_, kept, _, found)| {
                if kept == found { kept.to_string() } else { format!("{kept}, but {found} found") }
            });
            std::iter::once(names.show(&product.product)).chain(numbers).collect::<Vec<_>>()
        });
        let rows = table(&["product", "count", "active", "released", "replaced", "blocked"], rows);
        format!("{rows}\n{} read, {} damaged\n", number(found.records, "record"), found.damaged)
    };
    if good {
        return Ok(shown);
    }
    let remedy = "the count is not what the records add up to, or records are damaged: asks during the recount can \
                  cause a small difference, so run it again; if it stays, stop the host, `kms-host export --salvage FILE`, \
                  move the ledger away, `kms-host import FILE`: that leaves out what is damaged, and counts anew";
    Err(Failure { code: EX_DATAERR, error: anyhow!(remedy), shown })
}

/// Each number of a product with its name, as kept and as found by the recount.
fn verified(product: &wire::Recount) -> [(&'static str, u64, &'static str, u64); 5] {
    let (kept, found) = (product.inactive.unwrap_or_default(), product.inactive_found.unwrap_or_default());
    [
        ("count", product.count, "recounted", product.recounted),
        ("active", product.active, "active_found", product.active_found),
        ("released", kept.released, "released_found", found.released),
        ("replaced", kept.replaced, "replaced_found", found.replaced),
        ("blocked", kept.blocked, "blocked_found", found.blocked),
    ]
}

fn verified_json(product: &wire::Recount) -> serde_json::Value {
    let mut shown = json!({ "product": hex(&product.product) });
    for (name, kept, found_name, found) in verified(product) {
        shown[name] = kept.into();
        shown[found_name] = found.into();
    }
    shown
}

pub(super) fn confirm_clock(home: &Home, Noted { note, json }: &Noted) -> Result<String, Failure> {
    ask(home, async |mut host| {
        let request = wire::ConfirmClockRequest { note: note.clone() };
        let answer = host.confirm_clock(request).await?.into_inner();
        Ok(if *json {
            json_text(&json!({ "ended": some_text(&answer.ended), "now_ms": answer.now }))
        } else if answer.ended.is_empty() {
            format!("The host does not doubt its clock, which says {}.\n", time(answer.now))
        } else {
            format!("The doubt has ended: {}. The host's clock says {}.\n", answer.ended, time(answer.now))
        })
    })
}

pub(super) fn reload(home: &Home, Noted { note, json }: &Noted) -> Result<String, Failure> {
    let (changes, status) = ask(home, async |mut host| {
        let reloaded = host.reload(wire::ReloadRequest { note: note.clone() }).await?.into_inner();
        // Alarms belong to the result of a reload.
        Ok((reloaded.changes, host.get_status(wire::GetStatusRequest {}).await?.into_inner()))
    })?;
    if *json {
        let changes: Vec<_> = changes
            .iter()
            .map(|one| json!({ "name": one.name, "text": one.text, "needs_restart": one.needs_restart }))
            .collect();
        return Ok(json_text(&json!({
            "changes": changes,
            "alarms": status.alarms.iter().map(alarm_json).collect::<Vec<_>>(),
        })));
    }
    let changes = changes.iter().map(|wire::ReloadedChange { name, text, needs_restart }| {
        let when = if *needs_restart { "  (restart the host to apply it)" } else { "" };
        format!("  {name}: {text}{when}")
    });
    let mut lines = vec!["The host has read its settings and certificates again.".to_owned()];
    lines.extend(changes);
    if lines.len() == 1 {
        lines.push("  Nothing was new.".to_owned());
    }
    lines.extend(status.alarms.iter().flat_map(alarm_lines));
    Ok(text_of(&lines))
}

/// Connects to the host of this directory and asks it.
pub(super) fn ask<T, F>(home: &Home, question: impl FnOnce(Client) -> F) -> Result<T, Failure>
where
    F: Future<Output = Result<T, tonic::Status>>,
{
    runtime()?.block_on(async {
        let socket = home.socket_path();
        let client = admin::connect(&socket).await.map_err(|error| unreachable(home, &error))?;
        question(client).await.map_err(|status| not_answered(home, status))
    })
}

/// The failure for a call that the host has refused or not answered.
pub(super) fn not_answered(home: &Home, status: tonic::Status) -> Failure {
    if is_silence(&status) { silent(home) } else { refused(status) }
}

/// The failure for a host that exists and does not answer in time.
fn silent(home: &Home) -> Failure {
    let data = home.path().display();
    let error = anyhow!(
        "the host of {data} does not answer in time: its process or its disk hangs; `kms-host doctor --data \
         {data}` names the process, its log says more, and a restart ends it"
    );
    Failure { code: EX_UNAVAILABLE, error, shown: String::new() }
}

/// The failure for a socket at which no host answers.
pub(super) fn unreachable(home: &Home, error: &tonic::transport::Error) -> Failure {
    // A host that hangs accepts no connection once its queue of them is full.
    let cause = root_cause(error).downcast_ref::<std::io::Error>();
    if cause.is_some_and(|cause| cause.kind() == std::io::ErrorKind::WouldBlock) {
        return silent(home);
    }
    let error = anyhow!(
        "no host answers at {} ({}): start it with `kms-host serve --data {}`, name another directory with --data, or ask as \
         the user that it runs as",
        home.socket_path().display(),
        root_cause(error),
        home.path().display()
    );
    Failure { code: EX_UNAVAILABLE, error, shown: String::new() }
}

/// The id of the product of this name, or with this id.
pub(super) async fn resolve_product(host: &mut Client, text: &str) -> Result<Bytes, tonic::Status> {
    if let Ok(id) = text.parse::<ProductId>() {
        return Ok(Bytes::copy_from_slice(id.as_bytes()));
    }
    let products = host.get_status(wire::GetStatusRequest {}).await?.into_inner().products;
    let named: Vec<_> = products.iter().filter(|product| product.name.eq_ignore_ascii_case(text)).collect();
    match named.as_slice() {
        [only] => Ok(only.id.clone()),
        [] => {
            let known: Vec<_> = products.iter().map(|product| product.name.as_str()).collect();
            let known = known.join(", ");
            Err(tonic::Status::not_found(format!("no product is called {text:?}; this host has {known}")))
        }
        several => {
            let ids: Vec<_> = several.iter().map(|product| hex(&product.id)).collect();
            let ids = ids.join(" or ");
            Err(tonic::Status::not_found(format!(
                "{} products are called {text:?}: write {ids}",
                several.len()
            )))
        }
    }
}

/// The failure for a call that the host has refused, with the remedy if there is a reason.
fn refused(status: tonic::Status) -> Failure {
    let details = status.get_error_details();
    let reason = details.error_info().and_then(|info| Reason::from_code(&info.reason));
    let code = match status.code() {
        Code::PermissionDenied => EX_NOPERM,
        Code::FailedPrecondition if reason == Some(Reason::AuditUnwritable) => EX_IOERR,
        // Only a reload fails like this without a reason of ours: its settings or files are wrong.
        Code::FailedPrecondition if reason.is_none() => EX_CONFIG,
        Code::NotFound | Code::InvalidArgument | Code::FailedPrecondition | Code::DataLoss => EX_DATAERR,
        _ => EX_UNAVAILABLE,
    };
    let error = match (reason, status.code()) {
        // Its remedy is for machines.
        (Some(Reason::Malformed), _) => {
            anyhow!(
                "{}",
                details.error_info().and_then(|info| info.metadata.get("cause")).map_or("", |cause| cause)
            )
        }
        (Some(reason), _) => anyhow!("{}; {}", status.message(), reason.remedy()),
        (None, Code::FailedPrecondition) => anyhow!("nothing was changed: {}", status.message()),
        (None, Code::NotFound | Code::Aborted | Code::DataLoss) => anyhow!("{}", status.message()),
        (None, _) => anyhow!("the host did not answer: {}", status.message()),
    };
    Failure { code, error, shown: String::new() }
}

/// The innermost cause; the layers above repeat it.
pub(super) fn root_cause<'e>(
    error: &'e (dyn std::error::Error + 'static),
) -> &'e (dyn std::error::Error + 'static) {
    error.source().map_or(error, root_cause)
}

fn status_text(status: &wire::GetStatusResponse) -> String {
    let mut lines: Vec<_> = status.alarms.iter().flat_map(alarm_lines).collect();
    lines.push(format!("host       {}  (version {})", hex(&status.host), status.version));
    lines.push(format!("serving    {}, since {}", status.listening.join(" "), time(status.started_at)));
    let trusted = if status.doubt.is_empty() { "trusted" } else { "IN DOUBT" };
    lines.push(format!("clock      {}, {trusted}", time(status.now)));
    lines.push(format!("ledger     {}, kept by {}", hex(&status.ledger), status.engine));
    lines.push(format!("disk       {}", disk(status)));
    lines.push(format!("tls        {}", tls(status)));
    for product in &status.products {
        product_lines(product, status.now, &mut lines);
    }
    let answered: Vec<_> =
        status.answered.iter().map(|tally| format!("{} {}", tally.name, tally.times)).collect();
    let answered = if answered.is_empty() { "nothing yet".to_owned() } else { answered.join(", ") };
    lines.extend([String::new(), format!("answered   {answered}")]);
    text_of(&lines)
}

fn disk(status: &wire::GetStatusResponse) -> String {
    let mib = |bytes: u64| bytes >> 20;
    match status.free_bytes {
        0 if status.alarms.iter().all(|alarm| alarm.code != Reason::DiskFull.code()) => {
            "not looked at yet".to_owned()
        }
        free => format!("{} MiB free, {} needed", mib(free), mib(status.free_bytes_needed)),
    }
}

fn tls(status: &wire::GetStatusResponse) -> String {
    match status.tls_not_after {
        0 => status.tls.clone(),
        not_after => format!("{}, certificate until {}", status.tls, time(not_after)),
    }
}

/// The alarm, and below it the remedy.
fn alarm_lines(alarm: &wire::Alarm) -> [String; 2] {
    let since = if alarm.since == 0 { String::new() } else { format!(" (since {})", time(alarm.since)) };
    [format!("ALARM      {}: {}{since}", alarm.code, alarm.text), format!("           {}", alarm.remedy)]
}

fn alarm_json(alarm: &wire::Alarm) -> serde_json::Value {
    json!({
        "code": alarm.code,
        "text": alarm.text,
        "remedy": alarm.remedy,
        "since_ms": instant(alarm.since),
    })
}

fn product_lines(product: &wire::Product, now: i64, lines: &mut Vec<String>) {
    let name = if product.name.is_empty() { "(no certificate)" } else { &product.name };
    let certified = !product.certificate.is_empty();
    let left = Timestamp::from_unix_ms(product.not_after).since(Timestamp::from_unix_ms(now));
    lines.extend([String::new(), format!("{name}{}", if product.test { "  TEST" } else { "" })]);
    lines.push(format!("  product      {}", hex(&product.id)));
    lines.push(format!("  count        {}", count(product, certified, left)));
    lines.extend(seats(product.seats, product.count).map(|seats| format!("  seats        {seats}")));
    let wire::Inactive { released, replaced, blocked } = product.inactive.unwrap_or_default();
    let unkept = number(product.unkept_today, "ask");
    lines.push(format!(
        "  known        {} active, {released} released, {replaced} replaced, {blocked} blocked; {unkept} today without state",
        product.active
    ));
    lines.push(format!("  threshold    last met {}", time(product.threshold_met_at)));
    if certified {
        let (certificate, until) = (hex(&product.certificate), time(product.not_after));
        let left = if left.is_zero() { "ENDED".to_owned() } else { Length(left).to_string() };
        lines.push(format!("  organisation {}", product.organisation));
        lines.push(format!("  certificate  {certificate} until {until} ({left})"));
        lines.extend(features(&product.features));
    }
    let unused = product.unused.iter();
    lines.extend(unused.map(|one| format!("  not used     {}: {}", hex(&one.certificate), one.why)));
}

/// The count beside the seats, if the vendor has signed any.
pub(super) fn seats(seats: u32, count: u64) -> Option<String> {
    let more = match count.saturating_sub(seats.into()) {
        0 => String::new(),
        more => format!(": {more} more than are paid for, and none is refused"),
    };
    (seats != 0).then(|| format!("{count} of {seats} used{more}"))
}

/// A line for the features, if there are any.
pub(super) fn features(features: &[String]) -> Option<String> {
    (!features.is_empty()).then(|| format!("  features     {}", features.join(", ")))
}

/// The count, and whether leases are issued.
fn count(product: &wire::Product, certified: bool, left: Duration) -> String {
    if !certified {
        return format!("{}; no certificate: no lease is signed", product.count);
    }
    let window = Length(Duration::from_millis(u64::try_from(product.count_window_ms).unwrap_or(0)));
    let consequence = if left.is_zero() {
        "the certificate has ended: no lease is signed"
    } else if u64::from(product.threshold) <= product.count {
        "leases are issued"
    } else {
        "too few so far"
    };
    format!("{} of {} needed, in the last {window}: {consequence}", product.count, product.threshold)
}

fn status_json(status: &wire::GetStatusResponse) -> serde_json::Value {
    json!({
        "host": hex(&status.host),
        "ledger": hex(&status.ledger),
        "engine": status.engine,
        "tls": status.tls,
        "tls_not_after_ms": instant(status.tls_not_after),
        "free_bytes": status.free_bytes,
        "free_bytes_needed": status.free_bytes_needed,
        "version": status.version,
        "started_at_ms": status.started_at,
        "now_ms": status.now,
        "doubt": some_text(&status.doubt),
        "listening": status.listening,
        "hour_width_ms": status.hour_width_ms,
        "restored": status.restored.as_ref().map(|restored| json!({
            "noticed_at_ms": restored.noticed_at,
            "machines": restored.machines,
        })),
        "alarms": status.alarms.iter().map(alarm_json).collect::<Vec<_>>(),
        "answered": status.answered.iter().map(|t| (t.name.clone(), t.times.into())).collect::<serde_json::Map<_, _>>(),
        "products": status.products.iter().map(|product| json!({
            "product": hex(&product.id),
            "name": product.name,
            "organisation": product.organisation,
            "count": product.count,
            "threshold": product.threshold,
            "active": product.active,
            "released": product.inactive.map(|inactive| inactive.released),
            "replaced": product.inactive.map(|inactive| inactive.replaced),
            "blocked": product.inactive.map(|inactive| inactive.blocked),
            "threshold_met_at_ms": instant(product.threshold_met_at),
            "count_window_ms": product.count_window_ms,
            "unkept_today": product.unkept_today,
            "certificate": some_text(&hex(&product.certificate)),
            "not_before_ms": instant(product.not_before),
            "not_after_ms": instant(product.not_after),
            "test": product.test,
            "seats": some_number(product.seats),
            "features": product.features,
            "unused": product.unused.iter().map(|one| json!({
                "certificate": hex(&one.certificate),
                "why": one.why,
            })).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
    })
}

/// The names of products. People read names; scripts get ids as well.
pub(super) struct ProductNames(Vec<(Bytes, String)>);

impl ProductNames {
    pub(super) async fn of(host: &mut Client) -> Result<ProductNames, tonic::Status> {
        let products = host.get_status(wire::GetStatusRequest {}).await?.into_inner().products;
        Ok(ProductNames::new(products.into_iter().map(|product| (product.id, product.name))))
    }

    pub(super) fn new(names: impl IntoIterator<Item = (Bytes, String)>) -> ProductNames {
        ProductNames(names.into_iter().collect())
    }

    /// How many characters the longest of them has.
    pub(super) fn widest(&self) -> usize {
        self.0.iter().map(|(id, _)| self.show(id).chars().count()).max().unwrap_or(0)
    }

    /// The product's name, or its id if it has no certificate or shares its name with another product.
    pub(super) fn show(&self, product: &Bytes) -> String {
        match self.name(product) {
            Some(name) if self.0.iter().filter(|(_, other)| *other == name).count() == 1 => name.to_owned(),
            _ => hex(product),
        }
    }

    pub(super) fn name(&self, product: &Bytes) -> Option<&str> {
        let named = self.0.iter().find(|(id, _)| id == product);
        named.map(|(_, name)| name.as_str()).filter(|name| !name.is_empty())
    }
}

pub(super) fn machine_json(machine: &wire::Machine, names: &ProductNames) -> serde_json::Value {
    json!({
        "machine": hex(&machine.id),
        "product": hex(&machine.product),
        "product_name": names.name(&machine.product),
        "state": machine.state,
        "counted": machine.counted,
        "serial": machine.serial,
        "first_seen_ms": instant(machine.first_seen),
        "last_seen_ms": instant(machine.seen_at),
        "licensed_until_ms": instant(machine.licensed_until),
    })
}

/// Joins lines to a text. Each stays one line, whatever names and paths it contains.
pub(super) fn text_of(lines: &[String]) -> String {
    lines.iter().flat_map(|line| [one_line(line), "\n".to_owned()]).collect()
}

/// `1 machine`, `2 machines`.
pub(super) fn number(number: impl TryInto<u64>, what: &str) -> String {
    let number = number.try_into().unwrap_or(u64::MAX);
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

pub(super) fn hex(id: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(id)
}

pub(super) fn time(unix_ms: i64) -> String {
    if unix_ms == 0 { "never".to_owned() } else { Timestamp::from_unix_ms(unix_ms).to_string() }
}

/// On the wire, 0 stands for no instant.
pub(super) fn instant(unix_ms: i64) -> Option<i64> {
    Some(unix_ms).filter(|unix_ms| *unix_ms != 0)
}

/// On the wire, 0 stands for no number.
pub(super) fn some_number(number: u32) -> Option<u32> {
    Some(number).filter(|number| *number != 0)
}

pub(super) fn some_text(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leases_are_said_to_be_issued_only_under_a_certificate_that_holds() {
        let day = Duration::from_hours(24);
        let shown = |machines, certified, left| {
            let count_window_ms = shared::time::to_ms(30 * day);
            let product =
                wire::Product { count: machines, threshold: 3, count_window_ms, ..wire::Product::default() };
            count(&product, certified, left)
        };
        assert_eq!(shown(2, true, day), "2 of 3 needed, in the last 30 d: too few so far");
        assert_eq!(shown(3, true, day), "3 of 3 needed, in the last 30 d: leases are issued");
        let ended = shown(3, true, Duration::ZERO);
        assert!(ended.ends_with("the certificate has ended: no lease is signed"), "{ended}");
        assert_eq!(shown(3, false, Duration::ZERO), "3; no certificate: no lease is signed");
    }

    #[test]
    fn seats_stand_beside_the_count_and_refuse_nobody() {
        let shown = |count| seats(40, count).unwrap_or_default();
        assert_eq!(shown(39), "39 of 40 used");
        assert_eq!(shown(40), "40 of 40 used");
        assert_eq!(shown(41), "41 of 40 used: 1 more than are paid for, and none is refused");
        assert_eq!(seats(0, 41), None, "the vendor does not say");
    }

    #[test]
    fn one_is_not_many() {
        assert_eq!([0_u64, 1, 2].map(|n| number(n, "record")), ["0 records", "1 record", "2 records"]);
    }
}
