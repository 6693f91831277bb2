//! `machines`: the inventory, searched by the host and printed as it comes, so that ten million machines fit into any terminal
//! and any memory.

use std::io::{self, Write as _};
use std::time::Duration;

use anyhow::{anyhow, bail};
use bytes::Bytes;
use clap::{Args, ValueEnum};
use proto::admin::v1 as wire;
use shared::time::{Clock as _, Timestamp};

use super::online::{ask, hex, instant, machine_json, number, resolve_product, time};
use super::{EX_IOERR, Failure, OrExit};
use crate::clock::SystemClock;
use crate::home::Home;

/// What is wanted of the inventory; everything that is given narrows it.
#[derive(Debug, Args)]
pub(super) struct Search {
    /// Only machines of this product: its name or its id.
    #[arg(long, value_name = "NAME|ID")]
    product: Option<String>,
    /// Only machines in this state; may be given more than once.
    #[arg(long)]
    state: Vec<State>,
    /// Only machines that are counted now.
    #[arg(long, conflicts_with = "not_counted")]
    counted: bool,
    /// Only machines that are not counted now.
    #[arg(long)]
    not_counted: bool,
    /// Only machines that were last seen then or later: a date, such as 2026-01-31, or how long ago, such as 7d.
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    seen_since: Option<Moment>,
    /// Only machines that were last seen before then: a date, such as 2026-01-31, or how long ago, such as 90d.
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    seen_before: Option<Moment>,
    /// Only machines whose id begins so.
    #[arg(long, value_name = "PREFIX")]
    id: Option<String>,
    /// Stop after so many.
    #[arg(long, value_name = "NUMBER")]
    limit: Option<u64>,
    /// Print JSON: one object whose `machines` is an array, with one machine a line.
    #[arg(long)]
    json: bool,
    /// Print CSV, with a line of names first.
    #[arg(long, conflicts_with = "json")]
    csv: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum State {
    Active,
    Released,
    Replaced,
    Blocked,
    Damaged,
}

/// An instant, as people write one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    At(Timestamp),
    Ago(Duration),
}

/// How machines are printed.
#[derive(Clone, Copy)]
enum Form {
    Table,
    Json,
    Csv,
}

pub(super) fn machines(home: &Home, search: &Search) -> Result<String, Failure> {
    let form = match (search.json, search.csv) {
        (true, _) => Form::Json,
        (_, true) => Form::Csv,
        _ => Form::Table,
    };
    let printed = ask(home, async |mut host| {
        let mut request = search.request(SystemClock::new().now());
        if let Some(product) = &search.product {
            request.product = resolve_product(&mut host, product).await?;
        }
        let mut listing = Listing::begin(form);
        let mut left = search.limit.unwrap_or(u64::MAX);
        while 0 < left && listing.is_heard() {
            request.page_size = u32::try_from(left).unwrap_or(0);
            let page = host.list_machines(request.clone()).await?.into_inner();
            left = left.saturating_sub(page.machines.len() as u64);
            listing.add(&page.machines);
            request.page_token = page.next_page_token;
            if request.page_token.is_empty() {
                break;
            }
        }
        Ok(listing.end())
    })?;
    printed.or_exit(EX_IOERR)?;
    Ok(String::new())
}

impl Search {
    /// All but the product, whose name only the host knows.
    fn request(&self, now: Timestamp) -> wire::ListMachinesRequest {
        let state = |state: &State| state.to_possible_value().map(|value| value.get_name().to_owned());
        wire::ListMachinesRequest {
            product: Bytes::new(),
            page_size: 0,
            page_token: Bytes::new(),
            states: self.state.iter().filter_map(state).collect(),
            counted: (self.counted || self.not_counted).then_some(self.counted),
            seen_since: self.seen_since.map_or(0, |moment| moment.before(now).unix_ms()),
            seen_before: self.seen_before.map_or(0, |moment| moment.before(now).unix_ms()),
            id_prefix: self.id.clone().unwrap_or_default(),
        }
    }
}

impl Moment {
    fn before(self, now: Timestamp) -> Timestamp {
        match self {
            Moment::At(at) => at,
            Moment::Ago(ago) => now - ago,
        }
    }
}

fn moment(text: &str) -> anyhow::Result<Moment> {
    if let Ok(ago) = humantime::parse_duration(text) {
        return Ok(Moment::Ago(ago));
    }
    let full = if text.len() == "2026-01-31".len() { format!("{text}T00:00:00Z") } else { text.to_owned() };
    let Ok(at) = humantime::parse_rfc3339_weak(&full) else {
        bail!(
            "write a date in UTC, such as 2026-01-31 or 2026-01-31T18:00:00Z, or how long ago, such as 90d or 12h"
        );
    };
    let since = at.duration_since(std::time::SystemTime::UNIX_EPOCH)?;
    Ok(Moment::At(Timestamp::default() + since))
}

/// Prints machines as they come. What cannot be printed ends it; whoever has stopped to listen has heard enough.
struct Listing {
    form: Form,
    printed: u64,
    outcome: io::Result<()>,
}

impl Listing {
    fn begin(form: Form) -> Listing {
        let head = match form {
            Form::Table => line(&HEAD.map(str::to_owned)),
            Form::Json => "{\n  \"machines\": [".to_owned(),
            Form::Csv => CSV_HEAD.to_owned(),
        };
        Listing { form, printed: 0, outcome: say(&head) }
    }

    fn is_heard(&self) -> bool {
        self.outcome.is_ok()
    }

    fn add(&mut self, machines: &[wire::Machine]) {
        let mut text = String::new();
        for machine in machines {
            match self.form {
                Form::Table => text += &line(&row(machine)),
                Form::Csv => text += &csv(machine),
                Form::Json => {
                    text += if self.printed == 0 { "\n    " } else { ",\n    " };
                    text += &machine_json(machine).to_string();
                }
            }
            self.printed += 1;
        }
        if self.outcome.is_ok() {
            self.outcome = say(&text);
        }
    }

    /// Nothing is wrong where nobody listens any more.
    fn end(self) -> anyhow::Result<()> {
        let tail = match self.form {
            Form::Table => format!("{}\n", number(self.printed, "machine")),
            Form::Json if self.printed == 0 => "]\n}\n".to_owned(),
            Form::Json => "\n  ]\n}\n".to_owned(),
            Form::Csv => String::new(),
        };
        match self.outcome.and_then(|()| say(&tail)) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(anyhow!(error).context("standard output could not be written"))
            }
            _ => Ok(()),
        }
    }
}

fn say(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

const HEAD: [&str; 7] =
    ["machine", "product", "state", "counted", "first seen", "last seen", "licensed until"];

/// Every cell but the last has a width that is known before the first machine is.
const WIDTHS: [usize; 7] = [32, 32, 8, 7, 20, 20, 0];

fn row(machine: &wire::Machine) -> [String; 7] {
    let counted = if machine.counted { "yes" } else { "no" };
    let [first_seen, seen_at, licensed_until] =
        [machine.first_seen, machine.seen_at, machine.licensed_until].map(time);
    let (id, product, state) = (hex(&machine.id), hex(&machine.product), machine.state.clone());
    [id, product, state, counted.to_owned(), first_seen, seen_at, licensed_until]
}

fn line(cells: &[String; 7]) -> String {
    let padded: Vec<_> = cells.iter().zip(WIDTHS).map(|(cell, width)| format!(" {cell:width$} ")).collect();
    format!("{}\n", padded.concat().trim_end())
}

const CSV_HEAD: &str = "machine,product,state,counted,serial,first_seen,last_seen,licensed_until\n";

/// Ids, words and times: nothing in it has to be quoted. An instant that never was is empty.
fn csv(machine: &wire::Machine) -> String {
    let rfc3339 = |unix_ms| instant(unix_ms).map(|_| time(unix_ms).replace(' ', "T")).unwrap_or_default();
    let [first_seen, seen_at, licensed_until] =
        [machine.first_seen, machine.seen_at, machine.licensed_until].map(rfc3339);
    let (id, product) = (hex(&machine.id), hex(&machine.product));
    let (state, counted, serial) = (&machine.state, machine.counted, machine.serial);
    format!("{id},{product},{state},{counted},{serial},{first_seen},{seen_at},{licensed_until}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_date_or_a_length_of_time() {
        let now = Timestamp::from_unix_ms(1_763_777_150_000);
        let read = |text: &str| moment(text).map(|moment| moment.before(now).to_string());
        assert_eq!(read("2025-11-20").unwrap(), "2025-11-20 00:00:00Z");
        assert_eq!(read("2025-11-20T18:30:00Z").unwrap(), "2025-11-20 18:30:00Z");
        assert_eq!(read("2025-11-20 18:30:00").unwrap(), "2025-11-20 18:30:00Z");
        assert_eq!(read("90d").unwrap(), (now - Duration::from_hours(90 * 24)).to_string());
        for wrong in ["yesterday", "2025-13-01", "", "90"] {
            assert!(moment(wrong).unwrap_err().to_string().contains("2026-01-31"), "{wrong:?}");
        }
    }

    #[test]
    fn a_machine_that_never_had_a_lease_has_an_empty_field() {
        let machine = wire::Machine {
            id: Bytes::from_static(&[0xab; 16]),
            product: Bytes::from_static(&[1; 16]),
            state: "active".to_owned(),
            serial: 3,
            first_seen: 1_763_777_150_000,
            seen_at: 1_763_777_150_000,
            ..wire::Machine::default()
        };
        let (id, product) = ("ab".repeat(16), "01".repeat(16));
        let seen = "2025-11-22T02:05:50Z";
        assert_eq!(csv(&machine), format!("{id},{product},active,false,3,{seen},{seen},\n"));
        assert_eq!(CSV_HEAD.matches(',').count(), csv(&machine).matches(',').count());
        assert!(line(&row(&machine)).ends_with("never\n"));
    }
}
