//! What stands on a host's disk: keys and values of a ledger, good and damaged.

use shared::ids::{Fingerprint, MachineId};
use shared::record::{
    Event, EventKind, Inactive, Meta, Record, RecordState, Tally, decode_number, encode_number,
    key::{self, META},
};
use shared::time::Timestamp;

use crate::kit::{self, DAY, HOUR, NOW, PRODUCT};
use crate::vector_files::{Fields, Vector};

pub(crate) fn all() -> Vec<Vector> {
    let mut vectors = records();
    vectors.extend(rows());
    vectors.extend(events());
    vectors.extend(keys());
    vectors.extend(damaged());
    vectors
}

fn record(state: RecordState) -> Record {
    Record {
        state,
        serial: 5,
        nonce: kit::NONCE,
        asked_at: NOW + 2 * HOUR,
        seen_at: NOW,
        first_seen: NOW - 90 * DAY,
        licensed_until: Some(NOW + 180 * DAY),
        fingerprint: kit::fingerprint().peppered(&[0xF0; 32]),
    }
}

fn machine() -> MachineId {
    kit::expected().machine
}

fn record_key() -> Vec<u8> {
    key::record(PRODUCT, machine())
}

fn value(
    name: &'static str,
    about: &'static str,
    key: &[u8],
    value: &[u8],
    yields: String,
    read: fn(&Fields) -> String,
) -> Vector {
    let lines = vec![Vector::hex("key", key), Vector::hex("value", value)];
    Vector { name, about, lines, yields, read }
}

// Records, one a state.

fn records() -> Vec<Vector> {
    let mut bare = record(RecordState::Released);
    (bare.licensed_until, bare.fingerprint) = (None, Fingerprint::NONE);
    bare.seen_at = Timestamp::from_unix_ms(-1);
    [
        ("record-active", "The record of a machine that is counted.", record(RecordState::Active)),
        (
            "record-released",
            "The record of a machine that has left, without lease and fingerprint, seen before 1970.",
            bare,
        ),
        ("record-replaced", "The record of an identity whose seat was taken.", record(RecordState::Replaced)),
        ("record-blocked", "The record of a machine that is shut out.", record(RecordState::Blocked)),
    ]
    .map(|(name, about, record)| {
        let key = record_key();
        value(name, about, &key, &record.encode(&key), describe(&record), read_record)
    })
    .into()
}

fn read_record(fields: &Fields) -> String {
    let key = fields.bytes("key");
    let (product, of) = key::parse_record(&key).unwrap();
    assert_eq!((product, of), (PRODUCT, machine()));
    Record::decode(&key, &fields.bytes("value"))
        .map_or_else(|damaged| format!("error: {damaged:?}"), |r| describe(&r))
}

fn describe(record: &Record) -> String {
    format!(
        "{}, serial {}, nonce {}, asked at {}, seen at {}, first seen {}, licensed until {}, fingerprint {}",
        record.state.name(),
        record.serial,
        record.nonce,
        record.asked_at.unix_ms(),
        record.seen_at.unix_ms(),
        record.first_seen.unix_ms(),
        record.licensed_until.map_or(0, Timestamp::unix_ms),
        kit::hex(record.fingerprint.as_slice()),
    )
}

// Product row, meta, numbers.

fn rows() -> Vec<Vector> {
    let tally =
        Tally { hour: 498_696, window_hours: 720, total: 25, active: 31, threshold_met_at: Some(NOW) };
    let never = Tally { hour: -1, threshold_met_at: None, ..tally };
    let meta = Meta { ledger: kit::LEDGER, hour_width_ms: 3_600_000, pepper: [0xF0; 32] };
    let inactive = Inactive { released: 7, replaced: 2, blocked: 1 };
    let (tally_key, hour_key) = (key::tally(PRODUCT), key::hour(PRODUCT, 498_696));
    let inactive_key = key::inactive(PRODUCT);
    vec![
        value(
            "tally",
            "The product row: 25 machines in the window, 31 known.",
            &tally_key,
            &tally.encode(&tally_key),
            describe_tally(&tally),
            read_tally,
        ),
        value(
            "tally-never-met",
            "A product row whose threshold was never met, in the last hour before 1970.",
            &tally_key,
            &never.encode(&tally_key),
            describe_tally(&never),
            read_tally,
        ),
        value(
            "meta",
            "What a ledger knows of itself.",
            META,
            &sealed(META, &meta.encode(META), 0, 1),
            describe_meta(1, &meta),
            read_meta,
        ),
        value(
            "meta-2",
            "What a ledger of format 2 knows of itself.",
            META,
            &meta.encode(META),
            describe_meta(2, &meta),
            read_meta,
        ),
        value(
            "inactive",
            "How many records of a product are not active.",
            &inactive_key,
            &inactive.encode(&inactive_key),
            describe_inactive(inactive),
            |fields| {
                let key = fields.bytes("key");
                assert_eq!(key::parse_inactive(&key), Some(PRODUCT));
                describe_inactive(Inactive::decode(&key, &fields.bytes("value")).unwrap())
            },
        ),
        value(
            "number",
            "A number under a key of its own: seven machines in one hour.",
            &hour_key,
            &encode_number(&hour_key, 7),
            "7".into(),
            |fields| decode_number(&fields.bytes("key"), &fields.bytes("value")).unwrap().to_string(),
        ),
    ]
}

fn read_tally(fields: &Fields) -> String {
    let key = fields.bytes("key");
    assert_eq!(key::parse_tally(&key), Some(PRODUCT));
    describe_tally(&Tally::decode(&key, &fields.bytes("value")).unwrap())
}

fn describe_tally(tally: &Tally) -> String {
    format!(
        "hour {}, window {} hours, total {}, active {}, threshold met at {}",
        tally.hour,
        tally.window_hours,
        tally.total,
        tally.active,
        tally.threshold_met_at.map_or("no time".into(), |at| at.unix_ms().to_string()),
    )
}

fn read_meta(fields: &Fields) -> String {
    let (format, meta) = Meta::decode(&fields.bytes("key"), &fields.bytes("value")).unwrap();
    describe_meta(format, &meta)
}

fn describe_meta(format: u8, meta: &Meta) -> String {
    let format = if format == 1 { String::new() } else { format!("format {format}, ") };
    let (ledger, pepper) = (meta.ledger, kit::hex(&meta.pepper));
    format!("{format}ledger {ledger}, hour {} ms, pepper {pepper}", meta.hour_width_ms)
}

fn describe_inactive(inactive: Inactive) -> String {
    format!("{} released, {} replaced, {} blocked", inactive.released, inactive.replaced, inactive.blocked)
}

// Events, one a kind.

fn events() -> Vec<Vector> {
    let names = [
        ("event-copied", "Somebody asked under the machine's identity with an old serial."),
        ("event-replaced", "Another identity has taken its seat."),
        ("event-replaces", "It came as the new identity of another."),
        ("event-released", "It left by its own ask."),
        ("event-returned", "It asked again after it was released or replaced."),
        ("event-blocked", "It was shut out."),
        ("event-unblocked", "It was let in again."),
        ("event-relearned", "It showed a lease that the ledger did not remember."),
    ];
    let vectors = names.into_iter().zip(EventKind::ALL.iter().copied()).zip(30..).map(
        |(((name, about), kind), number)| {
            let other = match kind {
                EventKind::Replaced | EventKind::Replaces => Some(MachineId::from_bytes([9; 16])),
                EventKind::Copied
                | EventKind::Released
                | EventKind::Returned
                | EventKind::Blocked
                | EventKind::Unblocked
                | EventKind::Relearned => None,
            };
            let event = Event { number, at: NOW, kind, other };
            let key = key::event(PRODUCT, machine(), event.slot());
            value(name, about, &key, &event.encode(&key), describe_event(&event), read_event)
        },
    );
    vectors.collect()
}

fn read_event(fields: &Fields) -> String {
    let key = fields.bytes("key");
    assert_eq!(key::parse_event(&key), Some((PRODUCT, machine())));
    Event::decode(&key, &fields.bytes("value"))
        .map_or_else(|damaged| format!("error: {damaged:?}"), |event| describe_event(&event))
}

fn describe_event(event: &Event) -> String {
    let other = event.other.map_or("nobody".into(), |machine| machine.to_string());
    format!("{} {}, at {}, other {other}", event.number, event.kind.name(), event.at.unix_ms())
}

// Keys.

fn keys() -> Vec<Vector> {
    let hours = [i64::MIN, -1, 0, 1, 498_696, i64::MAX].map(|hour| key::hour(PRODUCT, hour));
    assert!(hours.is_sorted(), "the order of bytes is the order of hours");
    assert!(hours.iter().all(|hour| hour.starts_with(&key::hours(PRODUCT))));
    let hour_key = |name, about, hour: i64| Vector {
        name,
        about,
        lines: vec![Vector::hex("key", &key::hour(PRODUCT, hour))],
        yields: hour.to_string(),
        read: |fields| key::parse_hour(&fields.bytes("key")).unwrap().to_string(),
    };
    vec![
        hour_key("key-hour", "The key of the hour from 2026-11-22 00:00:00Z on.", 498_696),
        hour_key("key-hour-negative", "The key of the last hour before 1970.", -1),
        hour_key("key-hour-lowest", "The key of the lowest hour there is.", i64::MIN),
        Vector {
            name: "key-unkept",
            about: "The key under which a day's asks of machines without state are added up.",
            lines: vec![Vector::hex("key", &key::unkept(PRODUCT, 20_779))],
            yields: "day 20779".into(),
            read: |fields| {
                assert_eq!(fields.bytes("key"), key::unkept(PRODUCT, 20_779));
                "day 20779".into()
            },
        },
    ]
}

// Damage.

fn damaged() -> Vec<Vector> {
    let key = record_key();
    let good = record(RecordState::Active).encode(&key);
    let changed = |index: usize| {
        let mut value = good.clone();
        value[index] ^= 1;
        value
    };
    let strayed = record(RecordState::Active).encode(&key::record(PRODUCT, MachineId::from_bytes([9; 16])));
    let event = Event { number: 1, at: NOW, kind: EventKind::Copied, other: None };
    let event_key = key::event(PRODUCT, machine(), 1);
    let unknown_kind = sealed(&event_key, &event.encode(&event_key), 17, 9);
    let mut vectors = vec![value(
        "bad-event-kind",
        "An event of kind 9 whose checksum fits.",
        &event_key,
        &unknown_kind,
        "error: Damaged".into(),
        read_event,
    )];
    let records = [
        ("bad-record-version", "A record of version 2 whose checksum fits.", sealed(&key, &good, 0, 2)),
        ("bad-record-state", "A record in state 5 whose checksum fits.", sealed(&key, &good, 1, 5)),
        ("bad-record-checksum", "A record with a flipped bit in its checksum.", changed(good.len() - 1)),
        ("bad-record-body", "A record with a flipped bit in its serial.", changed(9)),
        ("bad-record-key", "A record that has strayed to another machine's key.", strayed),
        ("bad-record-short", "A record without its last byte.", good[..good.len() - 1].to_vec()),
        ("bad-record-empty", "No byte at all.", Vec::new()),
    ]
    .map(|(name, about, bytes)| value(name, about, &key, &bytes, "error: Damaged".into(), read_record));
    vectors.extend(records);
    vectors
}

/// A value in which one byte is another, under a checksum that fits.
fn sealed(key: &[u8], value: &[u8], index: usize, byte: u8) -> Vec<u8> {
    let mut value = value[..value.len() - 8].to_vec();
    value[index] = byte;
    value.extend_from_slice(&shared::envelope::digest(&[key, &value].concat())[..8]);
    value
}
