//! What a host key gives: so many hosts, each activated so many times.
//!
//! The same ask gets the same certificate again, so a lost answer costs nothing. A renewal costs nothing either.

use shared::time::Timestamp;

use super::calls::HostCall;
use super::granted::Granted;
use super::{Asked, KeyRefusal, Validity};

/// Which host of its key a host is, and how often it was activated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Activated {
    /// Its number, from 1.
    pub host: u64,
    /// How many activations it has had.
    pub activations: u64,
}

/// What the key knows of a host that asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownHost {
    /// What it has had.
    pub activated: Activated,
    /// The activation that this very ask has got before; [`RENEWAL`] for a renewal.
    pub answered: Option<u64>,
    /// When it made its last ask that was heard, by its own clock.
    pub last_asked_at: Timestamp,
}

/// Stands in place of the number of an activation for the latest renewal.
pub const RENEWAL: u64 = 0;

/// What a host gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certifying {
    /// The certificate that it got before, by this activation.
    Again(Activated, u64),
    /// The next activation of a host that is known.
    Next(Activated),
    /// The first activation of a new host.
    New(Activated),
    /// A certificate that costs nothing, in the place of the latest renewal.
    Renewed(Activated),
}

impl Certifying {
    /// The host after this decision, and the activation under which its chain is stored.
    pub fn kept(self) -> (Activated, u64) {
        match self {
            Certifying::Again(activated, activation) => (activated, activation),
            Certifying::Next(activated) | Certifying::New(activated) => (activated, activated.activations),
            Certifying::Renewed(activated) => (activated, RENEWAL),
        }
    }
}

/// What a host gets that shows its key, of which so many hosts are activated.
///
/// # Errors
/// The key is not valid, or is for no more hosts, or has activated this one as often as it may; or the ask was recorded.
pub fn activate(
    asked: Asked,
    known: Option<KnownHost>,
    hosts: u64,
    validity: Validity,
    granted: &Granted,
    now: Timestamp,
) -> Result<Certifying, KeyRefusal> {
    validity.check(now)?;
    if let Some(known) = known.filter(|known| known.answered.is_none()) {
        asked.check_later(Some(known.last_asked_at))?;
    }
    next(known, hosts, granted)
}

/// What a host gets whose installation id was read aloud. There is no ask that somebody could have recorded: the vendor's staff has heard
/// it.
///
/// # Errors
/// As for [`activate`].
pub fn activate_by_code(
    known: Option<KnownHost>,
    call: HostCall,
    hosts: u64,
    validity: Validity,
    granted: &Granted,
    now: Timestamp,
) -> Result<Certifying, KeyRefusal> {
    validity.check(now)?;
    match known {
        Some(KnownHost { activated, answered: None, .. }) if call == HostCall::OnlineToday => {
            Ok(Certifying::Renewed(activated))
        }
        known => next(known, hosts, granted),
    }
}

fn next(known: Option<KnownHost>, hosts: u64, granted: &Granted) -> Result<Certifying, KeyRefusal> {
    let Some(known) = known else {
        if granted.hosts <= hosts {
            return Err(KeyRefusal::HostsExhausted { hosts: granted.hosts });
        }
        return Ok(Certifying::New(Activated { host: hosts + 1, activations: 1 }));
    };
    if let Some(activation) = known.answered {
        return Ok(Certifying::Again(known.activated, activation));
    }
    let Activated { host, activations } = known.activated;
    if granted.activations <= activations {
        return Err(KeyRefusal::ActivationsExhausted { activations: granted.activations });
    }
    Ok(Certifying::Next(Activated { host, activations: activations + 1 }))
}

/// What a host gets that asks without a key: the answer to this ask, if it had one before. Otherwise its certificate is made anew.
///
/// # Errors
/// The key by which it was activated has ended, or the ask was recorded. A blocked key activates nobody more, and takes nothing from
/// those who are.
pub fn renew(
    asked: Asked,
    known: KnownHost,
    validity: Validity,
    now: Timestamp,
) -> Result<Certifying, KeyRefusal> {
    Validity { blocked: false, ..validity }.check(now)?;
    if let Some(answered) = known.answered {
        return Ok(Certifying::Again(known.activated, answered));
    }
    asked.check_later(Some(known.last_asked_at))?;
    Ok(Certifying::Renewed(known.activated))
}
