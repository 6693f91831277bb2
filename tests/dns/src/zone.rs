//! A zone from the text of a zone file, and where that text is wrong.
//!
//! Hickory's parser knows the format but not the line it is at. Zones of tests are short, so the line is found
//! by parsing the text again, one line longer each time. `answers.rs` serves the zone.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use hickory_server::proto::rr::{DNSClass, LowerName, Name, RecordSet, RecordType, RrKey};
use hickory_server::proto::serialize::txt::{LexerError, ParseError, Parser};
use hickory_server::store::in_memory::InMemoryZoneHandler;
use hickory_server::zone_handler::{AxfrPolicy, ZoneType};

/// The records of one domain, ready to be served.
#[derive(Clone)]
pub struct Zone {
    origin: LowerName,
    records: Arc<InMemoryZoneHandler>,
}

/// Why a text is not a zone. All three are for the writer of the text to mend.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ZoneError {
    /// The origin is not a domain name.
    #[error("the zone's origin {origin:?} is not a domain name")]
    Origin {
        /// The origin, as given.
        origin: String,
    },
    /// An entry cannot be read, or is not one of this zone.
    #[error("zone {origin} line {line}: {cause}")]
    Entry {
        /// The zone's name.
        origin: String,
        /// The line at which the entry begins, counted from 1.
        line: usize,
        /// What is wrong with it.
        cause: String,
    },
    /// Every entry can be read, but together they are no zone: there is no SOA, or a CNAME has company.
    #[error("zone {origin} as a whole: {cause}")]
    Whole {
        /// The zone's name.
        origin: String,
        /// What is wrong with it.
        cause: String,
    },
}

impl Zone {
    /// Reads `text`, a zone file (RFC 1035 section 5) for the domain `origin`.
    ///
    /// Two traps, here as on any server. A line that begins with a blank belongs to the name of the line before,
    /// so the text must not be indented along with the code around it. A name without a trailing dot is relative
    /// to `origin` or to the last `$ORIGIN`, so `SRV 0 0 21688 kms1.corp.example` points nowhere.
    ///
    /// # Errors
    ///
    /// The text is not a zone of this origin; where one entry is to blame, the error names its line.
    pub fn parse(origin: &str, text: &str) -> Result<Self, ZoneError> {
        let Ok(mut name) = Name::from_str(origin) else {
            return Err(ZoneError::Origin { origin: origin.to_owned() });
        };
        name.set_fqdn(true);
        let origin = name.to_string();
        let records = match entries(&name, text) {
            Ok(records) => records,
            Err(flaw) => {
                let (line, cause) = (flawed_line(&name, text), flaw.to_string());
                return Err(ZoneError::Entry { origin, line, cause });
            }
        };
        let handler = InMemoryZoneHandler::new(name.clone(), records, ZoneType::Primary, AxfrPolicy::Deny)
            .map_err(|cause| ZoneError::Whole { origin, cause })?;
        Ok(Self { origin: name.into(), records: Arc::new(handler) })
    }

    /// The zone's name, in lower case and fully qualified.
    pub(crate) fn origin(&self) -> &LowerName {
        &self.origin
    }

    pub(crate) fn records(&self) -> Arc<InMemoryZoneHandler> {
        Arc::clone(&self.records)
    }
}

/// Names the zone only: Hickory's records do not print themselves.
impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Zone").field("origin", &self.origin.to_string()).finish_non_exhaustive()
    }
}

#[derive(Debug, thiserror::Error)]
enum Flaw {
    #[error("{0}")]
    Unreadable(ParseError),
    #[error(
        "the {record_type} record of {name} is not of this zone; a name with a dot at its end is complete"
    )]
    Elsewhere { name: LowerName, record_type: RecordType },
    #[error("class {0} is not served; only IN is")]
    Class(DNSClass),
}

impl Flaw {
    /// The text stops inside parentheses or a quoted string, which its next line may close.
    fn is_open_entry(&self) -> bool {
        matches!(
            self,
            Self::Unreadable(ParseError::Lexer(
                LexerError::UnclosedList | LexerError::UnclosedQuotedString | LexerError::EOF
            ))
        )
    }
}

fn entries(origin: &Name, text: &str) -> Result<BTreeMap<RrKey, RecordSet>, Flaw> {
    let parser = Parser::new(text, None, Some(origin.clone()));
    let (_last_origin, records) = parser.parse().map_err(Flaw::Unreadable)?;
    let zone = LowerName::new(origin);
    for (key, set) in &records {
        if !zone.zone_of(&key.name) {
            return Err(Flaw::Elsewhere { name: key.name.clone(), record_type: key.record_type });
        }
        if set.dns_class() != DNSClass::IN {
            return Err(Flaw::Class(set.dns_class()));
        }
    }
    Ok(records)
}

/// The line at which the first flawed entry of a flawed text begins, counted from 1.
fn flawed_line(origin: &Name, text: &str) -> usize {
    let mut entry_starts = 1;
    let mut end = 0;
    for (line, content) in (1..).zip(text.split_inclusive('\n')) {
        end += content.len();
        match entries(origin, &text[..end]) {
            Ok(_) => entry_starts = line + 1,
            Err(flaw) if flaw.is_open_entry() => {}
            Err(_) => break,
        }
    }
    entry_starts
}
