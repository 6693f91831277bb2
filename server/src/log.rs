//! The log of a daemon: one line of text or JSON for each event, on standard error.

use std::io::{self, Write};

use anyhow::{Context as _, anyhow};
use shared::print::{Json, OneLine};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::{DefaultFields, Writer};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, reload};

use crate::settings::values::LogFormat;

/// Makes the log of this process follow these directives from now on.
pub type SetLog = Box<dyn Fn(&str) -> anyhow::Result<()> + Send>;

/// The parts of a program that administrators name in the setting `log`, and the module of this crate that does the work.
pub const SHARED_PARTS: [(&str, &str); 3] = [("door", "accept"), ("audit", "audit"), ("tls", "certificate")];

/// Starts the log of this process. What is returned changes what is logged. A level of the program's own crate, such as `kms_host`,
/// holds for this crate, too; so does one of a part such as `kms_host::door` ([`SHARED_PARTS`]).
///
/// # Errors
/// The directives cannot be read, or there is a log already.
pub fn start(directives: &str, format: LogFormat, own: &'static str) -> anyhow::Result<SetLog> {
    let filter = filter(directives, own)?;
    let (filter, handle) = reload::Layer::new(filter);
    let log = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_target(false);
    // It would say on standard error that standard error is gone, and panic.
    let log = log.log_internal_errors(false);
    let filtered = tracing_subscriber::registry().with(filter);
    let started = match format {
        LogFormat::Text => {
            let log = log.fmt_fields(OnOneLine).with_ansi(io::IsTerminal::is_terminal(&io::stderr()));
            filtered.with(log).try_init()
        }
        LogFormat::Json => {
            filtered.with(log.json().flatten_event(true).with_writer(|| EscapedJson)).try_init()
        }
    };
    started.map_err(|error| anyhow!(error))?;
    Ok(Box::new(move |directives| Ok(handle.reload(self::filter(directives, own)?)?)))
}

/// The message and the fields of an event. Names, paths and causes from outside neither drive a terminal nor begin a line.
struct OnOneLine;

impl<'w> FormatFields<'w> for OnOneLine {
    fn format_fields<R: RecordFields>(&self, mut to: Writer<'w>, fields: R) -> std::fmt::Result {
        let mut text = String::new();
        DefaultFields::new().format_fields(Writer::new(&mut text), fields)?;
        write!(to, "{}", OneLine(text))
    }
}

/// Standard error, for events in JSON: each comes in one write.
struct EscapedJson;

impl Write for EscapedJson {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        write!(io::stderr(), "{}", Json(String::from_utf8_lossy(event)))?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// What is logged. h2 warns of each frame that breaks its rules, thousands of times a second where somebody means it; the door tells
/// of such peers, one line a second. Whoever names h2 gets its own words.
fn filter(directives: &str, own: &str) -> anyhow::Result<EnvFilter> {
    let directives: Vec<_> = directives.split(',').map(str::trim).collect();
    let of_server: Vec<_> = directives.iter().filter_map(|one| of_server(one.strip_prefix(own)?)).collect();
    let directives = directives.join(",");
    EnvFilter::try_new(format!("h2=error,{}{directives}", of_server.concat()))
        .with_context(|| format!("`log` is {directives:?}"))
}

/// What a directive says of this crate. `rest` follows the name of the program's own.
fn of_server(rest: &str) -> Option<String> {
    let (part, level) = rest.split_once('=')?;
    let module = match part.strip_prefix("::") {
        Some(part) => format!("::{}", SHARED_PARTS.iter().find(|(name, _)| *name == part)?.1),
        None if part.is_empty() => String::new(),
        None => return None,
    };
    Some(format!("kms_server{module}={level},"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The door moved into a crate of its own, and the levels that administrators had set for the host must go on to hold for it.
    #[test]
    fn a_level_of_the_host_holds_for_what_it_shares_with_other_programs() {
        let check = |directives: &str, expected: &str| {
            let filter = filter(directives, "kms_host").unwrap().to_string();
            assert!(filter.split(',').any(|one| one == expected), "{directives}: {filter}");
        };
        check("warn,kms_host=debug", "kms_server=debug");
        check("kms_host=debug,kms_server=error", "kms_server=error");
        check("kms_server=error,kms_host=debug", "kms_server=error");
        check("warn,kms_host::door=debug", "kms_server::accept=debug");
        check("kms_host::door=debug,warn", "kms_host::door=debug");
        let other = filter("kms_hosts=debug,kms_host::queue=debug,warn", "kms_host").unwrap().to_string();
        assert!(!other.contains("kms_server"), "{other}");
    }

    /// `kms_host::door=debug` named a module that had moved, and logged nothing.
    #[test]
    fn every_part_that_can_be_named_is_a_module_that_logs() {
        for (_, module) in SHARED_PARTS {
            let file = format!("{}/src/{module}.rs", env!("CARGO_MANIFEST_DIR"));
            assert!(std::fs::read_to_string(file).unwrap().contains("tracing::"), "{module}");
        }
    }

    /// A blank behind a comma was refused, with an error that named no blank.
    #[test]
    fn blanks_around_directives_do_no_harm() {
        let shown = |directives: &str| filter(directives, "kms_host").unwrap().to_string();
        assert_eq!(shown("warn, kms_host=debug "), shown("warn,kms_host=debug"));
    }
}
