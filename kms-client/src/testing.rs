//! A test kit for products: every license state, without a host, a network or a disk. Only with the feature `testing`.
//!
//! ```
//! use kms_client::testing::{Stage, snapshot, walk};
//! use kms_client::{LicenseState, Notice, Outcome, Reason};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! // Every state, by the rules that ship.
//! for (now, snapshot) in walk() {
//!     println!("{now}  {}", snapshot.state);
//! }
//!
//! // A client for the product's own code. It shows what the test sets, and asks no host.
//! let stage = Stage::new();
//! let license = stage.client();
//! stage.show(snapshot(LicenseState::Lapsed { since: stage.now() }));
//! assert_eq!(license.state().notice(), Notice::Warning);
//! stage.answer(Outcome::Failed(Reason::HostSilent.into()));
//! assert!(license.activate().await.unwrap().outcome.cause().is_some());
//! # }
//! ```

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use shared::envelope::SecretKey;
use shared::features::Features;
use shared::ids::{HostId, LedgerId, MachineId};
use shared::license::{ByKey, Facts, KeyTerm, License, LicenseState, Setup, Timer};
use shared::policy::Policy;
#[cfg(feature = "keys")]
use shared::product_key::KeyNumber;
use shared::reason::Reason;
use shared::time::{Clock, Timestamp};

use crate::client::Client;
use crate::home::{Home, Keeping};
use crate::installation::Installation;
use crate::lease::Lease;
use crate::outcome::{Attempt, Outcome, Round};
use crate::product::Product;
use crate::saved::Saved;
use crate::shell::Shell;
#[cfg(feature = "keys")]
use crate::snapshot::EnteredKey;
use crate::snapshot::{Snapshot, Standing};
use crate::way::Ways;

/// 2026-01-01, when every walk and every stage begins.
const BEGIN: Timestamp = Timestamp::from_unix_ms(1_767_225_600_000);

const DAY: Duration = Duration::from_hours(24);

/// A machine of the test kit.
const MACHINE: MachineId = MachineId::from_bytes([0x7e; 16]);

/// A snapshot in this state, which does not change as time passes. All its fields are public: set what else the test needs.
pub fn snapshot(state: LicenseState) -> Snapshot {
    let by_key = matches!(state, LicenseState::LicensedByKey { .. } | LicenseState::KeyEndsSoon { .. });
    let until = state.until().filter(|_| state.is_licensed() && !by_key);
    blank(state, until.map(|until| lease(until - Policy::CLIENT.validity)), Standing::Fixed(state))
}

/// A snapshot of a machine that is licensed by a confirmation id which somebody has typed: until then, or without an end.
#[cfg(feature = "codes")]
pub fn snapshot_by_code(not_after: Option<Timestamp>) -> Snapshot {
    let mut shown = snapshot(match not_after {
        None => LicenseState::LicensedWithoutEnd,
        Some(until) => LicenseState::LicensedByKey { until },
    });
    if let Some(key) = &mut shown.key {
        (key.not_after, key.by_code) = (not_after, true);
    }
    shown
}

/// A host that was tried, and the outcome.
pub fn attempt(host: &str, outcome: Outcome) -> Attempt {
    Attempt { host: host.to_owned(), address: None, source: None, outcome }
}

/// Every license state in the order in which a user may meet them, each with the instant at which it begins. It follows the rules
/// that ship, with the default numbers of a client product.
pub fn walk() -> Vec<(Timestamp, Snapshot)> {
    let begun = Facts { timer: Timer::Never, ..Facts::begin(BEGIN) };
    let license =
        |facts: &Facts, lease: Option<Lease>| License::resume(Setup::DEFAULT, facts.clone(), lease, None);
    let mut shown = Vec::new();
    let mut show = |now: Timestamp, license: License<Lease>| {
        shown.push((
            now,
            blank(license.state(now), license.lease().cloned(), Standing::ByRules(Arc::new(license))),
        ));
    };
    // No host is found until grace has ended.
    let unlicensed = license(&begun, None);
    let grace_ends = unlicensed.wake_at(BEGIN);
    show(BEGIN, unlicensed.clone());
    show(grace_ends, unlicensed);
    // A host refuses, and then licenses.
    let wrong = Facts { clock_ahead_ms: Some(5 * 3_600_000), ..begun.clone() };
    show(grace_ends + DAY, license(&wrong, None));
    let issued_at = grace_ends + 2 * DAY;
    let licensed = license(&begun, Some(lease(issued_at)));
    show(issued_at, licensed.clone());
    show(issued_at + DAY, license(&wrong, Some(lease(issued_at))));
    // The host is not reached again.
    let mut now = issued_at;
    while licensed.state(now).is_licensed() {
        now = licensed.wake_at(now);
        show(now, licensed.clone());
    }
    // A product key is entered and confirmed, without an end and with one.
    now = now + DAY;
    let by_key = |key: ByKey| license(&Facts { key: Some(key), ..begun.clone() }, None);
    let term = |not_after| ByKey::Confirmed(KeyTerm { confirmed_at: now, not_after });
    show(now, by_key(ByKey::Entered));
    show(now, by_key(term(None)));
    show(now, by_key(ByKey::HardwareChanged { since: now }));
    let until = now + 365 * DAY;
    let ends = by_key(term(Some(until)));
    while now < until {
        show(now, ends.clone());
        now = ends.wake_at(now);
    }
    show(now, ends);
    shown
}

fn lease(issued_at: Timestamp) -> Lease {
    let policy = Policy::CLIENT;
    Lease {
        machine: MACHINE,
        issued_at,
        renew_after: issued_at + policy.renew_interval,
        expires_at: issued_at + policy.validity,
        count: u64::from(policy.threshold),
        threshold: policy.threshold,
        threshold_met_at: issued_at,
        host: HostId::from_bytes([0x40; 16]),
        ledger: LedgerId::from_bytes([0x1e; 16]),
        policy,
    }
}

fn blank(state: LicenseState, lease: Option<Lease>, standing: Standing) -> Snapshot {
    Snapshot {
        state,
        machine: MACHINE,
        serial: u64::from(lease.is_some()),
        organisation: None,
        last_host: None,
        ask_at: None,
        failures: 0,
        last_reason: None,
        attempts: Vec::new(),
        attempts_left_out: 0,
        asked_at: None,
        waiting: None,
        lease,
        features: Features::NONE,
        #[cfg(feature = "keys")]
        key: entered_key(&state),
        #[cfg(feature = "accounts")]
        account: None,
        revoked: None,
        keeping: Keeping::NotKept,
        state_dir: PathBuf::new(),
        troubles: Vec::new(),
        test: true,
        left_out: Vec::new(),
        standing,
    }
}

/// The product key of a machine in this state.
#[cfg(feature = "keys")]
fn entered_key(state: &LicenseState) -> Option<EnteredKey> {
    let confirmed_at = match state {
        LicenseState::KeyEntered { .. } => None,
        LicenseState::LicensedWithoutEnd
        | LicenseState::LicensedByKey { .. }
        | LicenseState::KeyEndsSoon { .. }
        | LicenseState::KeyEnded { .. }
        | LicenseState::HardwareChanged { .. } => Some(BEGIN),
        _ => return None,
    };
    let not_after = match state {
        LicenseState::KeyEnded { since } => Some(*since),
        state => state.until(),
    };
    let number = KeyNumber::from_bytes([0x7e; 5]);
    Some(EnteredKey { number, confirmed_at, not_after, by_code: false, before: None })
}

/// A client that shows what a test sets. It asks no host, and reads and writes nothing.
#[derive(Clone)]
pub struct Stage {
    shell: Arc<Shell>,
    clock: Arc<StageClock>,
}

impl Stage {
    /// A product on its first day, at 2026-01-01.
    pub fn new() -> Stage {
        let clock = Arc::new(StageClock(Mutex::new(BEGIN)));
        let state = LicenseState::InGrace { until: BEGIN + Setup::DEFAULT.grace };
        let root = |seed: u8| *SecretKey::from_seed(&[seed; 32]).public().as_bytes();
        let product = Product::new([0x7e; 16], "Test", [root(1), root(2)]);
        let checked = Client::builder(product).fingerprint_source([]).check();
        let (terms, places) = checked.expect("its roots are keys, and its grace is the default");
        let saved = Saved::begin(&terms, MACHINE, BEGIN);
        let installation = Installation::new(Arc::new(Home::nowhere()), terms, None, None, saved);
        let shared = Arc::clone(&clock) as Arc<dyn Clock>;
        let mut shell = Shell::new(installation, shared, places, Ways::default());
        shell.staged = Some(Mutex::new(round(Outcome::Failed(Reason::NoHostKnown.into()))));
        let stage = Stage { shell: Arc::new(shell), clock };
        stage.show(snapshot(state));
        stage
    }

    /// A client for the product's code. All clients of a stage show the same.
    pub fn client(&self) -> Client {
        Client { shell: Arc::clone(&self.shell) }
    }

    /// Shows this from now on, and notifies all watchers.
    pub fn show(&self, snapshot: Snapshot) {
        self.shell.published.send_replace(snapshot);
    }

    /// Sets the outcome of the next ask and of every later one. Until this is called, a round finds no host.
    pub fn answer(&self, outcome: Outcome) {
        if let Some(next) = &self.shell.staged {
            *next.lock().unwrap_or_else(PoisonError::into_inner) = round(outcome);
        }
    }

    /// The client's time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Moves the client's clock. A snapshot of [`walk`] changes its state with it.
    pub fn set_time(&self, now: Timestamp) {
        *self.clock.0.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }
}

impl Default for Stage {
    fn default() -> Stage {
        Stage::new()
    }
}

/// One round with this outcome, at a host that does not exist.
fn round(outcome: Outcome) -> Round {
    Round { attempts: vec![attempt("kms.test:21688", outcome.clone())], outcome }
}

struct StageClock(Mutex<Timestamp>);

impl Clock for StageClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn monotonic(&self) -> Duration {
        self.now().since(BEGIN)
    }
}
