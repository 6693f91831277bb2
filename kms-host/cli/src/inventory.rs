//! `machines`: the inventory. The host searches it, and it is printed as it arrives, so that ten million machines fit into any
//! terminal and any memory.

use std::io;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use clap::Args;
use kms_host::admin::STATES;
use kms_host::clock::SystemClock;
use kms_host::home::Home;
use program::csv;
use program::exit::EX_IOERR;
use program::output;
use program::table;
use proto::admin::v1 as wire;
use shared::print::{Json, Lines, one_line};
use shared::time::{Clock as _, Timestamp};

use super::online::{ProductNames, ask, hex, instant, machine_json, number, resolve_product, time};
use super::{Failure, OrExit};

/// Which machines to list. Every option narrows the list.
#[derive(Debug, Args)]
pub(super) struct SearchArgs {
    /// Name or id of the product whose machines to list.
    #[arg(long, value_name = "NAME|ID")]
    product: Option<String>,
    /// State of the machines to list. May be repeated.
    #[arg(long, value_parser = STATES)]
    state: Vec<String>,
    /// List only machines that are counted now.
    #[arg(long, conflicts_with = "not_counted")]
    counted: bool,
    /// List only machines that are not counted now.
    #[arg(long)]
    not_counted: bool,
    /// List only machines last seen at this time or later: a date such as 2026-01-31, or an age such as 7d.
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    seen_since: Option<Timestamp>,
    /// List only machines last seen before this time: a date such as 2026-01-31, or an age such as 90d.
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    seen_before: Option<Timestamp>,
    /// List only machines whose id begins with this prefix.
    #[arg(long, value_name = "PREFIX")]
    id: Option<String>,
    /// Largest number of machines to list [default: all].
    #[arg(long, value_name = "NUMBER")]
    limit: Option<u64>,
    /// Print JSON instead of text: an object whose `machines` is an array, one machine per line.
    #[arg(long)]
    json: bool,
    /// Print CSV instead of text, with a line of column names first.
    #[arg(long, conflicts_with = "json")]
    csv: bool,
}

/// How machines are printed.
#[derive(Clone, Copy)]
enum Form {
    Table,
    Json,
    Csv,
}

pub(super) fn machines(home: &Home, search: &SearchArgs) -> Result<String, Failure> {
    let form = match (search.json, search.csv) {
        (true, _) => Form::Json,
        (_, true) => Form::Csv,
        _ => Form::Table,
    };
    let printed = ask(home, async |mut host| {
        let mut request = search.request();
        if let Some(product) = &search.product {
            request.product = resolve_product(&mut host, product).await?;
        }
        let mut listing = Listing::begin(form, ProductNames::of(&mut host).await?);
        let mut left = search.limit.unwrap_or(u64::MAX);
        while 0 < left && listing.outcome.is_ok() {
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

impl SearchArgs {
    /// All but the product, whose name only the host knows.
    fn request(&self) -> wire::ListMachinesRequest {
        wire::ListMachinesRequest {
            product: Bytes::new(),
            page_size: 0,
            page_token: Bytes::new(),
            states: self.state.clone(),
            counted: (self.counted || self.not_counted).then_some(self.counted),
            seen_since: self.seen_since.map_or(0, Timestamp::unix_ms),
            seen_before: self.seen_before.map_or(0, Timestamp::unix_ms),
            id_prefix: self.id.clone().unwrap_or_default(),
        }
    }
}

fn moment(text: &str) -> anyhow::Result<Timestamp> {
    moment_at(SystemClock::new().now(), text)
}

fn moment_at(now: Timestamp, text: &str) -> anyhow::Result<Timestamp> {
    if let Ok(ago) = humantime::parse_duration(text) {
        return Ok(now - ago);
    }
    let full = if text.len() == "2026-01-31".len() { format!("{text}T00:00:00Z") } else { text.to_owned() };
    let Ok(at) = humantime::parse_rfc3339_weak(&full) else {
        bail!(
            "write a date in UTC, such as 2026-01-31 or 2026-01-31T18:00:00Z, or how long ago, such as 90d or 12h"
        );
    };
    let since = at.duration_since(std::time::SystemTime::UNIX_EPOCH)?;
    Ok(Timestamp::default() + since)
}

/// Prints machines as they come. A write error ends the listing; a closed pipe ends it without an error.
struct Listing {
    form: Form,
    names: ProductNames,
    layout: Layout,
    printed: u64,
    outcome: io::Result<()>,
}

impl Listing {
    fn begin(form: Form, names: ProductNames) -> Listing {
        let layout = Layout::for_terminal(table::columns(), names.widest());
        let head = match form {
            Form::Table => layout.line(&HEAD.map(str::to_owned)),
            Form::Json => "{\n  \"machines\": [".to_owned(),
            Form::Csv => CSV_HEAD.to_owned(),
        };
        Listing { form, names, layout, printed: 0, outcome: say(&head) }
    }

    fn add(&mut self, machines: &[wire::Machine]) {
        let mut text = String::new();
        for machine in machines {
            match self.form {
                Form::Table => text += &self.layout.line(&self.layout.row(machine, &self.names)),
                Form::Csv => text += &csv(machine, &self.names),
                Form::Json => {
                    text += if self.printed == 0 { "\n    " } else { ",\n    " };
                    text += &Json(machine_json(machine, &self.names)).to_string();
                }
            }
            self.printed += 1;
        }
        self.outcome = say(&text);
    }

    /// Nothing is wrong where nobody listens any more.
    fn end(self) -> anyhow::Result<()> {
        let tail = match self.form {
            Form::Table => format!("{}\n", number(self.printed, "machine")),
            Form::Json if self.printed == 0 => "]\n}\n".to_owned(),
            Form::Json => "\n  ]\n}\n".to_owned(),
            Form::Csv => String::new(),
        };
        output::unless_closed(self.outcome.and_then(|()| say(&tail)))
            .context("standard output could not be written")
    }
}

fn say(text: &str) -> io::Result<()> {
    output::write(&Lines(text).to_string())
}

const HEAD: [&str; 7] =
    ["machine", "product", "state", "counted", "first seen", "last seen", "licensed until"];

/// Columns whose widths are known before the first machine is.
struct Layout {
    widths: [usize; 7],
    /// In a narrow terminal: the beginning of an id, which every command takes, and days without hours.
    is_short: bool,
}

/// Enough of an id to tell a machine from a million others.
const SHORT_ID: usize = 12;

const DAY: usize = "2026-01-31".len();
const INSTANT: usize = "2026-01-31 12:00:00Z".len();

impl Layout {
    fn for_terminal(columns: Option<u16>, widest_product: usize) -> Layout {
        let widths = |id, time| [id, widest_product.max("product".len()), 8, 7, time, time, time];
        let whole = Layout { widths: widths(32, INSTANT), is_short: false };
        match columns {
            Some(columns) if usize::from(columns) < whole.total() => {
                Layout { widths: widths(SHORT_ID, DAY), is_short: true }
            }
            _ => whole,
        }
    }

    fn total(&self) -> usize {
        self.widths.iter().map(|width| width + 2).sum()
    }

    fn row(&self, machine: &wire::Machine, names: &ProductNames) -> [String; 7] {
        let counted = if machine.counted { "yes" } else { "no" };
        let times = [machine.first_seen, machine.seen_at, machine.licensed_until].map(|at| {
            let mut text = time(at);
            text.truncate(if self.is_short { DAY } else { INSTANT });
            text
        });
        let mut id = hex(&machine.id);
        id.truncate(self.widths[0]);
        let product = names.show(&machine.product);
        let [first_seen, last_seen, licensed_until] = times;
        [
            id,
            one_line(product),
            machine.state.clone(),
            counted.to_owned(),
            first_seen,
            last_seen,
            licensed_until,
        ]
    }

    fn line(&self, cells: &[String; 7]) -> String {
        let padded: Vec<_> =
            cells.iter().zip(self.widths).map(|(cell, width)| format!(" {cell:width$} ")).collect();
        format!("{}\n", padded.concat().trim_end())
    }
}

const CSV_HEAD: &str =
    "machine,product,product_name,state,counted,serial,first_seen,last_seen,licensed_until\n";

/// One line, its columns named as in JSON. An instant that never was is empty.
fn csv(machine: &wire::Machine, names: &ProductNames) -> String {
    let rfc3339 = |unix_ms| instant(unix_ms).map(|_| time(unix_ms).replace(' ', "T")).unwrap_or_default();
    let [first_seen, last_seen, licensed_until] =
        [machine.first_seen, machine.seen_at, machine.licensed_until].map(rfc3339);
    let (id, product) = (hex(&machine.id), hex(&machine.product));
    let name = names.name(&machine.product).map(ToString::to_string).unwrap_or_default();
    let (counted, serial) = (machine.counted.to_string(), machine.serial.to_string());
    let state = machine.state.clone();
    csv::row([id, product, name, state, counted, serial, first_seen, last_seen, licensed_until])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_moment_is_a_date_or_a_length_of_time() {
        let now = Timestamp::from_unix_ms(1_763_777_150_000);
        let read = |text: &str| moment_at(now, text).map(|moment| moment.to_string());
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
        let names = ProductNames::new([(machine.product.clone(), "Atlas \"Pro\", large".to_owned())]);
        let name = "\"Atlas \"\"Pro\"\", large\"";
        assert_eq!(csv(&machine, &names), format!("{id},{product},{name},active,false,3,{seen},{seen},\n"));
        let unnamed = ProductNames::new([]);
        assert_eq!(CSV_HEAD.matches(',').count(), csv(&machine, &unnamed).matches(',').count());
        let layout = Layout::for_terminal(None, names.widest());
        assert!(layout.line(&layout.row(&machine, &names)).ends_with("never\n"));
    }

    #[test]
    fn a_line_fits_the_terminal_and_shows_the_product_by_name() {
        let machine = wire::Machine {
            id: Bytes::from_static(&[0xab; 16]),
            product: Bytes::from_static(&[1; 16]),
            state: "replaced".to_owned(),
            first_seen: 1_763_777_150_000,
            licensed_until: 1_763_777_150_000,
            ..wire::Machine::default()
        };
        let names = ProductNames::new([(machine.product.clone(), "Atlas".to_owned())]);
        let shown = |columns| {
            let layout = Layout::for_terminal(columns, names.widest());
            layout.line(&layout.row(&machine, &names))
        };
        assert!(shown(None).contains(&"ab".repeat(16)) && shown(None).contains(" Atlas "), "{}", shown(None));
        assert_eq!(shown(Some(200)), shown(None));
        let narrow = shown(Some(80));
        assert!(narrow.len() <= 80 && narrow.contains(" abababababab  Atlas "), "{narrow}");
        assert!(narrow.contains(" 2025-11-22  never ") && narrow.ends_with(" 2025-11-22\n"), "{narrow}");
    }

    #[test]
    fn products_of_one_name_are_told_apart_by_their_ids() {
        let id = |byte| Bytes::from(vec![byte; 16]);
        let named = |byte, name: &str| (id(byte), name.to_owned());
        let names =
            ProductNames::new([named(1, "Atlas"), named(2, "Atlas"), named(3, "Boreas"), named(4, "")]);
        let shown = [1, 2, 3, 4, 5].map(|byte| names.show(&id(byte)));
        let hex = |byte: &str| byte.repeat(16);
        assert_eq!(shown, [hex("01"), hex("02"), "Boreas".to_owned(), hex("04"), hex("05")]);
    }
}
