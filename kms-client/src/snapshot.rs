//! What a product sees: where it stands, and the outcome of the last round.
//!
//! A [`Snapshot`] is a value and does not change. The loop and every call that asks make one; products read it from a watch
//! channel without waiting.

use std::path::PathBuf;
use std::sync::Arc;

use shared::answer;
use shared::features::Features;
use shared::ids::MachineId;
use shared::license::{License, LicenseState, Timer};
#[cfg(feature = "keys")]
use shared::product_key::KeyNumber;
use shared::reason::{Cause, Reason};
use shared::time::Timestamp;

use crate::home::Keeping;
use crate::installation::Installation;
use crate::last_round;
use crate::lease::Lease;
use crate::outcome::{Attempt, Waited};
use crate::saved::Organisation;
#[cfg(feature = "accounts")]
use crate::signing::SignedInAccount;

/// Where one product on this machine stands, at one instant.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Snapshot {
    /// The license state. Its notice level says how much to show.
    pub state: LicenseState,
    /// This machine's name for this product. It tells nothing about the user or the hardware.
    pub machine: MachineId,
    /// The serial of the last accepted answer.
    pub serial: u64,
    /// To whom this copy is licensed, once a lease has said so.
    pub organisation: Option<Organisation>,
    /// The host that gave the last lease, as `name:port`.
    pub last_host: Option<String>,
    /// When the next ask is due. `None` after a release: then only [`Client::activate`](crate::Client::activate) asks.
    pub ask_at: Option<Timestamp>,
    /// Attempts that failed since the last lease.
    pub failures: u32,
    /// The code of the last refusal or failure; `None` after a success. This release may not know it.
    pub last_reason: Option<String>,
    /// Every host that was tried in the last round, with its outcome, whichever process asked.
    pub attempts: Vec<Attempt>,
    /// How many attempts of the last round are not in `attempts`.
    pub attempts_left_out: u32,
    /// When the last round ended.
    pub asked_at: Option<Timestamp>,
    /// The count, while this machine waits for others to ask.
    pub waiting: Option<Waited>,
    /// The lease that is held, even if it has ended.
    pub lease: Option<Lease>,
    /// What the organisation has bought beside the product, as the lease says that is held, or the confirmation of a product
    /// key. None before the first.
    pub features: Features,
    /// The product key that was entered, for a machine that is licensed by one. `None` for one that is licensed by hosts.
    #[cfg(feature = "keys")]
    pub key: Option<EnteredKey>,
    /// The account that is signed in and licenses this machine, even if its lease has ended.
    #[cfg(feature = "accounts")]
    pub account: Option<SignedInAccount>,
    /// Why the vendor has taken back the certificate of the host that gave the lease which is held, if it has. The lease runs to its end,
    /// and that host renews it no more. With a product key: why the vendor has taken back what the key has activated here.
    pub revoked: Option<String>,
    /// Whether the state is kept, and so what counts as a machine.
    pub keeping: Keeping,
    /// The directory of the state, with the product's folder: the one that is used, or could not be.
    pub state_dir: PathBuf,
    /// What is wrong with the state on the disk, each with its remedy.
    pub troubles: Vec<Cause>,
    /// Whether the numbers come from a certificate that is marked as a test. Do not rely on such a license.
    pub test: bool,
    /// Hosts, addresses and DNS names that the last round had no time for. The next round begins with them.
    pub(crate) left_out: Vec<String>,
    pub(crate) standing: Standing,
}

/// A product key that was entered on this machine. It is shown by its public number, and never itself.
#[cfg(feature = "keys")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EnteredKey {
    /// The key's public number.
    pub number: KeyNumber,
    /// When the vendor confirmed this machine: by the portal's clock, or by this machine's if somebody has typed a confirmation id.
    /// `None` as long as nobody has.
    pub confirmed_at: Option<Timestamp>,
    /// The first instant at which the confirmation licenses nobody any more, if it has an end.
    pub not_after: Option<Timestamp>,
    /// Whether somebody has typed a confirmation id, and the portal was not asked.
    pub by_code: bool,
    /// The public number of the old key, if that has activated this machine and this one has not yet. What the old key has activated stays
    /// until then, and the vendor counts its place until it is released ([`Client::release`](crate::Client::release)).
    pub before: Option<KeyNumber>,
}

#[cfg(feature = "keys")]
impl EnteredKey {
    /// The public number of the key that has activated this machine: this one, the one before it, or none.
    pub fn activated(&self) -> Option<KeyNumber> {
        self.before.or(self.confirmed_at.map(|_| self.number))
    }
}

/// What decides where the product stands at an instant.
#[derive(Clone, Debug)]
pub(crate) enum Standing {
    ByRules(Arc<License<Lease>>),
    /// A test has set it.
    #[cfg(feature = "testing")]
    Fixed(LicenseState),
}

/// All are equal: what it says about now is in the snapshot's `state`, and the latest time that it has seen changes all the time.
impl PartialEq for Standing {
    fn eq(&self, _: &Standing) -> bool {
        true
    }
}

impl Snapshot {
    /// Whether the product key that was entered licenses this machine now, and not an older key or a lease.
    #[cfg(feature = "keys")]
    pub fn is_licensed_by_key(&self) -> bool {
        self.key.is_some_and(|key| key.confirmed_at.is_some()) && self.state.is_licensed()
    }

    pub(crate) fn of(installation: &Installation, now: Timestamp) -> Snapshot {
        let saved = &installation.saved;
        let (license, facts) = (&saved.license, saved.license.facts());
        let round = saved.last_round.as_ref();
        let (attempts, attempts_left_out) = round.map(last_round::decode).unwrap_or_default();
        let chain = license.lease().map(answer::Lease::chain).or(saved.exchange.chain.as_ref());
        let is_test = chain.is_some_and(|chain| chain.host().test);
        let features = license.lease().map(|lease| &lease.chain().host().features);
        let of_host = |lease: &answer::Lease| saved.revocations.of_chain(lease.chain(), now);
        let revoked = license.lease().and_then(of_host);
        #[cfg(feature = "keys")]
        let revoked = match &saved.confirmation {
            Some(_) => saved.revocation().filter(|revoked| revoked.at <= now),
            None => revoked,
        };
        #[cfg(feature = "keys")]
        let (is_test, features) = match &saved.confirmation {
            Some(held) => (held.test, Some(&held.features)),
            None => (is_test, features),
        };
        #[cfg(feature = "accounts")]
        let (is_test, features) = match &saved.account {
            Some(lease) => (lease.test, Some(&lease.features)),
            None => (is_test, features),
        };
        Snapshot {
            state: license.state(now),
            machine: saved.machine,
            serial: saved.exchange.serial,
            organisation: saved.organisation.clone(),
            last_host: saved.last_host.as_ref().map(|last| last.name.clone()),
            ask_at: match facts.timer {
                Timer::At { at, .. } => Some(at),
                Timer::Never => None,
            },
            failures: facts.failures,
            last_reason: Some(facts.last_reason.clone()).filter(|code| !code.is_empty()),
            attempts,
            attempts_left_out,
            asked_at: round.map(|round| Timestamp::from_unix_ms(round.ended_at)),
            waiting: facts.waiting.map(|(count, threshold)| Waited { count, threshold }),
            features: features.cloned().unwrap_or_default(),
            #[cfg(feature = "keys")]
            key: saved.key_number().map(|number| {
                let own = saved.own_confirmation();
                EnteredKey {
                    number,
                    confirmed_at: own.map(|held| held.term.confirmed_at),
                    not_after: own.and_then(|held| held.term.not_after),
                    by_code: own.is_some_and(|held| held.by_code),
                    before: saved.key_before(),
                }
            }),
            #[cfg(feature = "accounts")]
            account: saved.account.as_ref().map(SignedInAccount::of),
            revoked: revoked.map(ToString::to_string),
            keeping: installation.home.keeping(),
            state_dir: installation.home.path().to_owned(),
            troubles: installation.troubles.clone(),
            test: is_test,
            left_out: saved.left_out.clone(),
            lease: license.lease().map(Lease::from),
            standing: Standing::ByRules(Arc::new(license.with(license.lease().map(Lease::from)))),
        }
    }

    /// Where the product stands at an instant. No host has to be asked, because a lease has its own end.
    pub fn state_at(&self, now: Timestamp) -> LicenseState {
        match &self.standing {
            Standing::ByRules(license) => license.state(now),
            #[cfg(feature = "testing")]
            Standing::Fixed(state) => *state,
        }
    }

    /// Where the state is kept and what follows, in English.
    pub fn stored(&self) -> String {
        let path = self.state_dir.display();
        match self.keeping {
            Keeping::Kept => format!("in {path}, for every user of this machine"),
            Keeping::PerUser => format!("PER USER, in {path}: each user counts as a machine"),
            Keeping::ReadOnly => {
                format!("in {path}, by another user, whose process asks; this one only reads")
            }
            Keeping::Frozen => {
                format!("in {path}, which is read and NOT WRITTEN: what is learned ends with the process")
            }
            Keeping::NotBegun => format!("nothing yet in {path}"),
            Keeping::NotKept => {
                format!("NOT KEPT: {path} cannot be written, and what is learned ends with the process")
            }
        }
    }

    /// Whether the organisation has bought this feature. A lease that has ended still says so: no state takes a function away.
    pub fn has(&self, feature: &str) -> bool {
        self.features.has(feature)
    }

    /// Whether a product key is entered that the user activates later. The portal is not asked before the user says so. Offer it again at
    /// the product's next start.
    #[cfg(feature = "keys")]
    pub fn is_activation_put_off(&self) -> bool {
        self.ask_at.is_none() && self.key.is_some_and(|key| key.confirmed_at.is_none())
    }

    /// The reason of [`last_reason`](Snapshot::last_reason), with a text and a remedy, if this release knows it.
    pub fn reason(&self) -> Option<Reason> {
        self.last_reason.as_deref().and_then(Reason::from_code)
    }

    /// The last refusal or failure, with the values of the first attempt of the last round that has that code.
    pub fn last_cause(&self) -> Option<Cause> {
        let code = self.last_reason.as_deref()?;
        let mut causes = self.attempts.iter().filter_map(|attempt| attempt.outcome.cause());
        if let Some(cause) = causes.find(|cause| cause.code == code) {
            return Some(cause.clone());
        }
        Some(match (self.reason(), self.waiting) {
            (Some(Reason::CountBelowThreshold), Some(Waited { count, threshold })) => {
                Reason::CountBelowThreshold.with(&[("count", &count), ("threshold", &threshold)])
            }
            _ => Cause { code: code.to_owned(), parameters: Vec::new() },
        })
    }
}
