//! What a machine remembers about one product besides its identity, and the file `saved` that keeps it.
//!
//! The file is magic `KMSS` | version 1 | `kms.state.v1.Saved` | checksum (see `frame`). A lease that is read from it is
//! verified again down from the pinned roots: the disk is trusted no more than the network. `docs/protocol.md` 7.

#[cfg(feature = "accounts")]
mod by_account;
#[cfg(feature = "codes")]
mod by_code;
#[cfg(feature = "keys")]
mod by_key;

use bytes::Bytes;
use prost::Message;
use prost::encoding::{self, DecodeContext};
use proto::state::v1;
use shared::answer::Lease;
use shared::ask::Rejected;
use shared::certificate::Chain;
use shared::exchange::Exchange;
use shared::ids::{Fingerprint, HostId, MachineId, Nonce, OrganisationId};
use shared::license::{ByKey, Event, Facts, License, Timer};
use shared::revocation::Revocations;
use shared::time::Timestamp;
#[cfg(feature = "accounts")]
use shared::user_lease::UserLease;

use crate::frame::{self, Damage};
use crate::product::Terms;
use crate::random;

#[cfg(feature = "codes")]
pub(crate) use self::by_code::TypedConfirmation;
#[cfg(feature = "keys")]
pub(crate) use self::by_key::HeldConfirmation;

const MAGIC: &[u8; 4] = b"KMSS";
const VERSION: u8 = 1;

/// What one machine remembers about one product.
#[derive(Clone, Debug)]
pub(crate) struct Saved {
    /// The identity that the lease belongs to, and the serial unless another identity is pending.
    pub(crate) machine: MachineId,
    pub(crate) fingerprint: Fingerprint,
    /// The ask in progress, and what remains of the last answers.
    pub(crate) exchange: Exchange,
    pub(crate) license: License,
    pub(crate) organisation: Option<Organisation>,
    pub(crate) last_host: Option<LastHost>,
    /// The newest revocation lists that a host or the portal has brought.
    pub(crate) revocations: Revocations,
    /// When to ask the portal for them next. A machine with a product key does.
    pub(crate) revocations_due_at: Option<Timestamp>,
    /// Hosts, addresses and DNS names that the last round had no time for. The next one begins with them.
    pub(crate) left_out: Vec<String>,
    /// For people. No rule reads it. `last_round` decodes it.
    pub(crate) last_round: Option<v1::Round>,
    by_key: ByKeyFields,
    /// What licenses this machine by its product key.
    #[cfg(feature = "keys")]
    pub(crate) confirmation: Option<HeldConfirmation>,
    /// The lease of the account that is signed in, as it lies on the disk. A product without accounts writes it back as it came.
    user_lease: Bytes,
    /// The same, verified.
    #[cfg(feature = "accounts")]
    pub(crate) account: Option<UserLease>,
    /// The fields of a later release, as they were read.
    unknown: Bytes,
}

/// What is remembered of a product key, as it lies on the disk. A product without keys writes it back as it came, because another
/// program may have entered the key.
#[derive(Clone, Debug, Default)]
struct ByKeyFields {
    number: Bytes,
    /// Of the key that is confirmed, if another one was entered since.
    confirmed_number: Bytes,
    confirmation: Bytes,
    by_code: Option<v1::ConfirmationByCode>,
    hardware_changed_at: i64,
}

/// A customer of the vendor, to whom this copy of the product is licensed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organisation {
    /// Its id.
    pub id: OrganisationId,
    /// Its name from the host certificate, for people.
    pub name: String,
}

/// The host that gave the last lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LastHost {
    /// As `name:port`.
    pub(crate) name: String,
    pub(crate) id: HostId,
}

impl Saved {
    /// The first start of a product on this machine.
    pub(crate) fn begin(terms: &Terms, machine: MachineId, now: Timestamp) -> Saved {
        Saved {
            machine,
            fingerprint: terms.fingerprint,
            exchange: Exchange::default(),
            license: License::begin(terms.setup, now),
            organisation: None,
            last_host: None,
            revocations: Revocations::default(),
            revocations_due_at: None,
            left_out: Vec::new(),
            last_round: None,
            by_key: ByKeyFields::default(),
            #[cfg(feature = "keys")]
            confirmation: None,
            user_lease: Bytes::new(),
            #[cfg(feature = "accounts")]
            account: None,
            unknown: Bytes::new(),
        }
    }

    /// The same installation under another identity. Grace, time and organisation stay; the lease does not.
    pub(crate) fn under_new_identity(&self, terms: &Terms, machine: MachineId, now: Timestamp) -> Saved {
        let before = self.license.facts();
        let by_key = ByKeyFields { number: self.by_key.number.clone(), ..ByKeyFields::default() };
        let facts = Facts {
            key: before.key.map(|_| ByKey::Entered),
            grace_began_at: before.grace_began_at,
            grace_restarted: before.grace_restarted,
            grace_doubtful: before.grace_doubtful,
            latest_seen: before.latest_seen.max(now),
            ..Facts::begin(now)
        };
        Saved {
            license: License::resume(terms.setup, facts, None, None),
            organisation: self.organisation.clone(),
            revocations: self.revocations.clone(),
            exchange: Exchange { rekeyed_at: self.exchange.rekeyed_at.clone(), ..Exchange::default() },
            by_key,
            ..Saved::begin(terms, machine, now)
        }
    }

    /// An installation after its file was damaged: only its beginning is known.
    pub(crate) fn begun_at(terms: &Terms, machine: MachineId, began_at: Timestamp, now: Timestamp) -> Saved {
        let mut saved = Saved::begin(terms, machine, now);
        let facts = Facts {
            // An instant in the future was noted under a wrong clock.
            grace_began_at: began_at.min(now),
            ..saved.license.facts().clone()
        };
        saved.license = License::resume(terms.setup, facts, None, None);
        saved
    }

    /// Takes a lease from the host of this name.
    pub(crate) fn hold(&mut self, lease: &Lease, host: &str, now: Timestamp) {
        let certificate = lease.chain().host();
        self.machine = lease.header().machine;
        self.organisation =
            Some(Organisation { id: certificate.organisation, name: certificate.organisation_name.clone() });
        self.last_host = Some(LastHost { name: host.to_owned(), id: certificate.host() });
        self.license.step(now, Event::Leased(lease), random::draw());
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let (facts, exchange) = (self.license.facts(), &self.exchange);
        let (organisation, organisation_name) = match &self.organisation {
            None => (Bytes::new(), String::new()),
            Some(ours) => (Bytes::copy_from_slice(ours.id.as_bytes()), ours.name.clone()),
        };
        let (last_host, last_host_id) = match &self.last_host {
            None => (String::new(), Bytes::new()),
            Some(last) => (last.name.clone(), Bytes::copy_from_slice(last.id.as_bytes())),
        };
        let wire = v1::Saved {
            machine: Bytes::copy_from_slice(self.machine.as_bytes()),
            fingerprint: Bytes::copy_from_slice(self.fingerprint.as_slice()),
            serial: exchange.serial,
            nonce: exchange.nonce.map_or_else(Bytes::new, |nonce| Bytes::copy_from_slice(nonce.as_bytes())),
            grace: Some(v1::Grace {
                began_at: facts.grace_began_at.unix_ms(),
                restarted: facts.grace_restarted,
                doubtful: facts.grace_doubtful,
            }),
            latest_seen: facts.latest_seen.unix_ms(),
            held: self.license.lease().map(|lease| v1::HeldLease {
                lease: Some(lease.signed().clone()),
                chain: lease.chain().encoded().clone(),
            }),
            organisation,
            organisation_name,
            last_host,
            last_host_id,
            timer: Some(encode_timer(facts.timer)),
            failures: facts.failures,
            clock_ahead_ms: facts.clock_ahead_ms,
            last_reason: facts.last_reason.clone(),
            rekeyed_at: exchange.rekeyed_at.iter().map(|at| at.unix_ms()).collect(),
            waiting: facts.waiting.map(|(count, threshold)| v1::Progress { count, threshold }),
            chain: exchange.chain.as_ref().map(|chain| chain.encoded().clone()).unwrap_or_default(),
            rejected: exchange.rejected.as_deref().map(Rejected::encode),
            revocations: self.revocations.lists().map(|list| list.wire().clone()).collect(),
            left_out: self.left_out.clone(),
            last_round: self.last_round.clone(),
            key_number: self.by_key.number.clone(),
            confirmation: self.by_key.confirmation.clone(),
            confirmation_by_code: self.by_key.by_code.clone(),
            confirmed_key_number: self.by_key.confirmed_number.clone(),
            user_lease: self.user_lease.clone(),
            hardware_changed_at: match facts.key {
                // Without keys it stays as it came.
                None => self.by_key.hardware_changed_at,
                Some(ByKey::HardwareChanged { since }) => since.unix_ms(),
                Some(ByKey::Entered | ByKey::Confirmed(_)) => 0,
            },
            revocations_due_at: self.revocations_due_at.map_or(0, Timestamp::unix_ms),
        };
        let mut body = wire.encode_to_vec();
        body.extend_from_slice(&self.unknown);
        frame::seal(*MAGIC, VERSION, &body)
    }

    /// Reads the file. A lease that no longer belongs to this machine and product (its root was removed, the folder was copied) is
    /// left out. That is not damage.
    pub(crate) fn decode(bytes: &[u8], terms: &Terms) -> Result<Saved, Damage> {
        let body = frame::open(*MAGIC, VERSION, bytes)?;
        let wire = v1::Saved::decode(body).map_err(|_| Damage::Content)?;
        let machine = MachineId::from_slice(&wire.machine).ok_or(Damage::Content)?;
        let fingerprint = Fingerprint::from_slice(&wire.fingerprint).ok_or(Damage::Content)?;
        #[cfg_attr(not(feature = "keys"), expect(unused_mut, reason = "a key alone changes them"))]
        let mut facts = decode_facts(&wire).ok_or(Damage::Content)?;
        let chain = Some(&wire.chain).filter(|chain| !chain.is_empty());
        let chain = chain.and_then(|chain| Chain::verify(chain, &terms.roots).ok());
        let chain = chain.filter(|chain| chain.host().product == terms.id);
        let lease = wire.held.as_ref().and_then(|held| keep(held, machine, terms));
        let by_key = ByKeyFields {
            number: wire.key_number,
            confirmed_number: wire.confirmed_key_number,
            confirmation: wire.confirmation,
            by_code: wire.confirmation_by_code,
            hardware_changed_at: wire.hardware_changed_at,
        };
        #[cfg(feature = "keys")]
        let confirmation = by_key::read(&by_key, machine, terms, &mut facts);
        #[cfg(feature = "accounts")]
        let account = by_account::read(&wire.user_lease, machine, terms, &mut facts);
        let mut revocations = Revocations::default();
        revocations.take_all(&wire.revocations, &terms.roots);
        #[cfg_attr(not(feature = "keys"), expect(unused_mut, reason = "a key alone changes it"))]
        let mut saved = Saved {
            machine,
            fingerprint,
            license: License::resume(
                terms.setup,
                facts,
                lease,
                chain.as_ref().map(|chain| &chain.host().policy),
            ),
            organisation: optional(&wire.organisation, OrganisationId::from_slice)?
                .map(|id| Organisation { id, name: wire.organisation_name }),
            last_host: optional(&wire.last_host_id, HostId::from_slice)?
                .map(|id| LastHost { name: wire.last_host, id }),
            exchange: Exchange {
                serial: wire.serial,
                nonce: optional(&wire.nonce, Nonce::from_slice)?,
                chain,
                rejected: wire.rejected.as_ref().and_then(Rejected::decode).map(Box::new),
                rekeyed_at: wire.rekeyed_at.into_iter().map(Timestamp::from_unix_ms).collect(),
            },
            revocations,
            revocations_due_at: Some(wire.revocations_due_at)
                .filter(|at| *at != 0)
                .map(Timestamp::from_unix_ms),
            left_out: wire.left_out,
            last_round: wire.last_round,
            by_key,
            #[cfg(feature = "keys")]
            confirmation,
            user_lease: wire.user_lease,
            #[cfg(feature = "accounts")]
            account,
            unknown: unknown_fields(body).ok_or(Damage::Content)?,
        };
        #[cfg(feature = "keys")]
        saved.note_revocation();
        Ok(saved)
    }
}

/// The fields that a later release has added: those that decode to nothing here. They are written back, so that the later release
/// finds them again.
fn unknown_fields(body: &[u8]) -> Option<Bytes> {
    let (mut rest, mut unknown) = (body, Vec::new());
    while !rest.is_empty() {
        let before = rest;
        let (number, kind) = encoding::decode_key(&mut rest).ok()?;
        encoding::skip_field(kind, number, &mut rest, DecodeContext::default()).ok()?;
        let field = &before[..before.len() - rest.len()];
        if v1::Saved::decode(field) == Ok(v1::Saved::default()) {
            unknown.extend_from_slice(field);
        }
    }
    Some(unknown.into())
}

fn keep(held: &v1::HeldLease, machine: MachineId, terms: &Terms) -> Option<Lease> {
    let signed = held.lease.as_ref()?;
    match Lease::keep(signed, &held.chain, &terms.roots, terms.id, machine, terms.fingerprint) {
        Ok(lease) => Some(lease),
        Err(error) => {
            tracing::warn!(%error, "the saved lease does not verify and is left out");
            None
        }
    }
}

fn encode_timer(timer: Timer) -> v1::Timer {
    match timer {
        Timer::At { at, drawn_at } => v1::Timer { at: at.unix_ms(), drawn_at: drawn_at.unix_ms() },
        Timer::Never => v1::Timer { at: i64::MAX, drawn_at: 0 },
    }
}

fn decode_facts(wire: &v1::Saved) -> Option<Facts> {
    let (grace, timer) = (wire.grace?, wire.timer?);
    Some(Facts {
        grace_began_at: Timestamp::from_unix_ms(grace.began_at),
        grace_restarted: grace.restarted,
        grace_doubtful: grace.doubtful,
        latest_seen: Timestamp::from_unix_ms(wire.latest_seen),
        timer: match timer.at {
            i64::MAX => Timer::Never,
            at => Timer::At {
                at: Timestamp::from_unix_ms(at),
                drawn_at: Timestamp::from_unix_ms(timer.drawn_at),
            },
        },
        failures: wire.failures,
        clock_ahead_ms: wire.clock_ahead_ms,
        last_reason: wire.last_reason.clone(),
        waiting: wire.waiting.map(|progress| (progress.count, progress.threshold)),
        key: None,
        other_key_waits: false,
        account: None,
    })
}

/// An id that may be absent, which is no bytes.
fn optional<T>(bytes: &Bytes, decode: impl FnOnce(&[u8]) -> Option<T>) -> Result<Option<T>, Damage> {
    if bytes.is_empty() {
        return Ok(None);
    }
    decode(bytes).map(Some).ok_or(Damage::Content)
}
