//! One row and its line. The only file that knows how an export is spelt.
//!
//! A line is a JSON object. Its first member is its content, and its last one, `sum`, is the checksum of all bytes before it. The
//! checksum always takes [`SEAL_BYTES`] bytes, so a reader cuts it off before it parses anything.

use ledger::Kept;
use serde::de::{Error as _, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use shared::ids::{Fingerprint, HostId, LedgerId, MachineId, Nonce, ProductId};
use shared::record::{Event, EventKind, Meta, Record, RecordState};
use shared::time::Timestamp;

use super::{ExportKind, FORMAT, FilePart, Head};

/// The beginning of every export.
pub(super) const MAGIC: &[u8] = br#"{"kms_host_export":{"format":"#;

/// `,"sum":"0123456789abcdef"}` and the end of the line.
const SEAL_BYTES: usize = SUM_BEGINS.len() + SUM_DIGITS + SUM_ENDS.len();

const SUM_BEGINS: &[u8] = br#","sum":""#;
const SUM_DIGITS: usize = 16;
const SUM_ENDS: &[u8] = b"\"}\n";

/// A line in JSON. Instants are milliseconds since the Unix epoch.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum ExportLine {
    KmsHostExport(HeadLine),
    File { name: String, mode: u32, part: u64, base64: Base64 },
    LastTime { at: i64 },
    RestoredAt { at: i64 },
    RestoredMachines { machines: u64 },
    Unkept { product: Hex<16>, day: i64, asks: u64 },
    Event(EventLine),
    Machine(MachineLine),
    Product { product: Hex<16>, threshold_met_at: Option<i64> },
    End { rows: u64, left_out: u64, sha256: Hex<32> },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HeadLine {
    format: u32,
    kind: String,
    made_at: i64,
    host: Option<Hex<16>>,
    version: String,
    ledger: Hex<16>,
    hour_width_ms: u64,
    pepper: Hex<32>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MachineLine {
    product: Hex<16>,
    machine: Hex<16>,
    state: String,
    serial: u64,
    nonce: Hex<16>,
    asked_at: i64,
    seen_at: i64,
    first_seen: i64,
    licensed_until: Option<i64>,
    fingerprint: Option<Hex<16>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventLine {
    product: Hex<16>,
    machine: Hex<16>,
    number: u64,
    at: i64,
    kind: String,
    other: Option<Hex<16>>,
}

/// A line was not what was written.
pub(super) struct Unreadable;

impl ExportLine {
    /// Appends it.
    pub(super) fn write(&self, to: &mut Vec<u8>) {
        let start = to.len();
        serde_json::to_writer(&mut *to, self).expect("numbers and texts go into memory");
        // The closing brace of the object comes again after the sum.
        to.pop();
        let sum = sum(&to[start..]);
        to.extend_from_slice(SUM_BEGINS);
        to.extend_from_slice(&sum);
        to.extend_from_slice(SUM_ENDS);
    }

    /// Reads a whole line. `buffer` is reused for many lines.
    pub(super) fn read(line: &[u8], buffer: &mut Vec<u8>) -> Result<ExportLine, Unreadable> {
        serde_json::from_slice(unseal(line, buffer)?).map_err(|_| Unreadable)
    }

    /// The format of an export that begins with this line, to be read before the rest of it.
    pub(super) fn format(line: &[u8], buffer: &mut Vec<u8>) -> Result<u32, Unreadable> {
        let head: serde_json::Value =
            serde_json::from_slice(unseal(line, buffer)?).map_err(|_| Unreadable)?;
        let format = head["kms_host_export"]["format"].as_u64().ok_or(Unreadable)?;
        u32::try_from(format).map_err(|_| Unreadable)
    }
}

/// The object without its sum, if the sum is correct.
fn unseal<'b>(line: &[u8], buffer: &'b mut Vec<u8>) -> Result<&'b [u8], Unreadable> {
    let body = line.len().checked_sub(SEAL_BYTES).ok_or(Unreadable)?;
    let (body, seal) = line.split_at(body);
    let seal = seal.strip_prefix(SUM_BEGINS).and_then(|seal| seal.strip_suffix(SUM_ENDS));
    if seal != Some(&sum(body)) {
        return Err(Unreadable);
    }
    buffer.clear();
    buffer.extend_from_slice(body);
    buffer.push(b'}');
    Ok(buffer)
}

/// The first 8 bytes of SHA-256, as 16 digits.
fn sum(body: &[u8]) -> [u8; SUM_DIGITS] {
    let digest = Sha256::digest(body);
    let mut digits = [0; SUM_DIGITS];
    data_encoding::HEXLOWER.encode_mut(&digest[..SUM_DIGITS / 2], &mut digits);
    digits
}

impl From<&Head> for ExportLine {
    fn from(head: &Head) -> ExportLine {
        ExportLine::KmsHostExport(HeadLine {
            format: FORMAT,
            kind: head.kind.name().to_owned(),
            made_at: head.made_at.unix_ms(),
            host: head.host.map(|host| Hex(*host.as_bytes())),
            version: head.version.clone(),
            ledger: Hex(*head.meta.ledger.as_bytes()),
            hour_width_ms: head.meta.hour_width_ms,
            pepper: Hex(head.meta.pepper),
        })
    }
}

impl TryFrom<HeadLine> for Head {
    type Error = Unreadable;

    fn try_from(line: HeadLine) -> Result<Head, Unreadable> {
        if line.hour_width_ms == 0 {
            return Err(Unreadable);
        }
        Ok(Head {
            kind: ExportKind::from_name(&line.kind).ok_or(Unreadable)?,
            made_at: Timestamp::from_unix_ms(line.made_at),
            host: line.host.map(|Hex(host)| HostId::from_bytes(host)),
            version: line.version,
            meta: Meta {
                ledger: LedgerId::from_bytes(line.ledger.0),
                hour_width_ms: line.hour_width_ms,
                pepper: line.pepper.0,
            },
        })
    }
}

impl From<&Kept> for ExportLine {
    fn from(kept: &Kept) -> ExportLine {
        match *kept {
            Kept::LastTime(at) => ExportLine::LastTime { at: at.unix_ms() },
            Kept::RestoredAt(at) => ExportLine::RestoredAt { at: at.unix_ms() },
            Kept::RestoredMachines(machines) => ExportLine::RestoredMachines { machines },
            Kept::Unkept { product, day, asks } => {
                ExportLine::Unkept { product: Hex(*product.as_bytes()), day, asks }
            }
            Kept::Event { product, machine, event } => ExportLine::Event(EventLine {
                product: Hex(*product.as_bytes()),
                machine: Hex(*machine.as_bytes()),
                number: event.number,
                at: event.at.unix_ms(),
                kind: event.kind.name().to_owned(),
                other: event.other.map(|other| Hex(*other.as_bytes())),
            }),
            Kept::Machine { product, machine, record } => ExportLine::Machine(MachineLine {
                product: Hex(*product.as_bytes()),
                machine: Hex(*machine.as_bytes()),
                state: record.state.name().to_owned(),
                serial: record.serial,
                nonce: Hex(*record.nonce.as_bytes()),
                asked_at: record.asked_at.unix_ms(),
                seen_at: record.seen_at.unix_ms(),
                first_seen: record.first_seen.unix_ms(),
                licensed_until: record.licensed_until.map(Timestamp::unix_ms),
                fingerprint: record.fingerprint.as_slice().try_into().ok().map(Hex),
            }),
            Kept::Product { product, threshold_met_at } => ExportLine::Product {
                product: Hex(*product.as_bytes()),
                threshold_met_at: threshold_met_at.map(Timestamp::unix_ms),
            },
        }
    }
}

/// The content of the last line, besides the seal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// Lines between the first and the last.
    pub rows: u64,
    /// Damaged rows of the ledger that are not in it.
    pub left_out: u64,
}

/// The content of a line between the first and the last one.
pub(super) enum LineContent {
    File(FilePart),
    Row(Kept),
    End(End, [u8; 32]),
}

impl TryFrom<ExportLine> for LineContent {
    type Error = Unreadable;

    fn try_from(line: ExportLine) -> Result<LineContent, Unreadable> {
        let time = Timestamp::from_unix_ms;
        Ok(LineContent::Row(match line {
            ExportLine::KmsHostExport(_) => return Err(Unreadable),
            ExportLine::File { name, mode, part, base64: Base64(bytes) } => {
                return Ok(LineContent::File(FilePart { name, mode, part, bytes }));
            }
            ExportLine::End { rows, left_out, sha256 } => {
                return Ok(LineContent::End(End { rows, left_out }, sha256.0));
            }
            ExportLine::LastTime { at } => Kept::LastTime(time(at)),
            ExportLine::RestoredAt { at } => Kept::RestoredAt(time(at)),
            ExportLine::RestoredMachines { machines } => Kept::RestoredMachines(machines),
            ExportLine::Unkept { product, day, asks } => {
                Kept::Unkept { product: ProductId::from_bytes(product.0), day, asks }
            }
            ExportLine::Event(line) => Kept::Event {
                product: ProductId::from_bytes(line.product.0),
                machine: MachineId::from_bytes(line.machine.0),
                event: Event {
                    number: line.number,
                    at: time(line.at),
                    kind: EventKind::from_name(&line.kind).ok_or(Unreadable)?,
                    other: line.other.map(|Hex(other)| MachineId::from_bytes(other)),
                },
            },
            ExportLine::Machine(line) => Kept::Machine {
                product: ProductId::from_bytes(line.product.0),
                machine: MachineId::from_bytes(line.machine.0),
                record: Record {
                    state: RecordState::from_name(&line.state).ok_or(Unreadable)?,
                    serial: line.serial,
                    nonce: Nonce::from_bytes(line.nonce.0),
                    asked_at: time(line.asked_at),
                    seen_at: time(line.seen_at),
                    first_seen: time(line.first_seen),
                    licensed_until: line.licensed_until.map(time),
                    fingerprint: line
                        .fingerprint
                        .map_or(Some(Fingerprint::NONE), |Hex(bytes)| Fingerprint::from_slice(&bytes))
                        .ok_or(Unreadable)?,
                },
            },
            ExportLine::Product { product, threshold_met_at } => Kept::Product {
                product: ProductId::from_bytes(product.0),
                threshold_met_at: threshold_met_at.map(time),
            },
        }))
    }
}

/// Bytes as lower-case hexadecimal digits.
pub(super) struct Hex<const N: usize>(pub(super) [u8; N]);

/// The longest that is written.
const HEX_BYTES_MAX: usize = 32;

impl<const N: usize> Serialize for Hex<N> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        const { assert!(N <= HEX_BYTES_MAX) };
        let mut digits = [0; 2 * HEX_BYTES_MAX];
        let digits = &mut digits[..2 * N];
        data_encoding::HEXLOWER.encode_mut(&self.0, digits);
        to.serialize_str(str::from_utf8(digits).expect("digits are ASCII"))
    }
}

impl<'de, const N: usize> Deserialize<'de> for Hex<N> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Hex<N>, D::Error> {
        let bytes = from.deserialize_str(Text(data_encoding::HEXLOWER))?;
        bytes.try_into().map(Hex).map_err(|_| D::Error::custom("another length"))
    }
}

/// Bytes as base64, with padding.
pub(super) struct Base64(pub(super) Vec<u8>);

impl Serialize for Base64 {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&data_encoding::BASE64.encode_display(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Base64, D::Error> {
        from.deserialize_str(Text(data_encoding::BASE64)).map(Base64)
    }
}

/// Decodes a text without copying it first.
struct Text(data_encoding::Encoding);

impl Visitor<'_> for Text {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("encoded bytes")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Vec<u8>, E> {
        self.0.decode(text.as_bytes()).map_err(E::custom)
    }
}
