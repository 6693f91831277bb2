//! On which devices a person uses their licence: five, unless the offer says otherwise.
//!
//! A device is known by its own key, or by its hardware, so a machine that was installed anew is not a new device. A person with too many
//! devices sees the list, and signs one out.

use std::time::Duration;

use shared::reason::{Cause, Reason};
use shared::time::{Length, Timestamp};

use crate::keys::KeyRefusal;
use crate::{DAY, DeviceId};

/// How many devices a person may use, unless the offer says otherwise.
pub const DEVICES: u32 = 5;

/// How long a lease lasts, unless the subscription stops before. A licence that is taken back works for as long.
const LEASE_FOR: Duration = DAY.saturating_mul(30);

/// When a device asks for the next lease.
const RENEW_AFTER: Duration = DAY;

/// From now on until when a device is licensed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseTerm {
    /// When the device asks for the next lease.
    pub renew_after: Timestamp,
    /// The first instant after it.
    pub not_after: Timestamp,
}

impl LeaseTerm {
    /// The term of a lease from now on, under a licence that works until then.
    pub fn new(now: Timestamp, works_until: Timestamp) -> LeaseTerm {
        let not_after = works_until.min(now + LEASE_FOR);
        let half = not_after.since(now) / 2;
        LeaseTerm { renew_after: now + RENEW_AFTER.min(half), not_after }
    }
}

/// Why a device is not licensed by an account, or is not heard.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceRefusal {
    /// Nobody is signed in on it, or whoever was is blocked or deleted.
    #[error("nobody is signed in on the device")]
    NotSignedIn,
    /// The person has no licence for the product that works now.
    #[error("{account} has no licence for the product")]
    NotLicensed {
        /// Whose account it is.
        account: String,
    },
    /// The person has to sign another device out first.
    #[error("{account} is signed in on {devices} devices")]
    TooManyDevices {
        /// Whose account it is.
        account: String,
        /// How many they have.
        devices: usize,
    },
    /// Too many codes wait for somebody to type them.
    #[error("too many codes are open; try again in {0:?}")]
    TooManyCodes(Duration),
    /// What is said to every machine that asks.
    #[error(transparent)]
    Ask(#[from] KeyRefusal),
}

impl DeviceRefusal {
    /// The reason that the machine is told.
    pub fn cause(&self) -> Cause {
        match self {
            DeviceRefusal::NotSignedIn => Reason::NotSignedIn.into(),
            DeviceRefusal::NotLicensed { account } => {
                Reason::AccountNotLicensed.with(&[("account", account)])
            }
            DeviceRefusal::TooManyDevices { account, devices } => {
                Reason::TooManyDevices.with(&[("account", account), ("devices", devices)])
            }
            DeviceRefusal::TooManyCodes(wait) => Reason::TooManySignIns.with(&[("wait", &Length(*wait))]),
            DeviceRefusal::Ask(refusal) => refusal.cause(),
        }
    }
}

/// A device of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its id.
    pub id: DeviceId,
    /// When it last asked.
    pub seen_at: Timestamp,
}

/// A device on which somebody signs in, and what is known of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignInDevice {
    /// The device with its key, whoever was signed in there.
    pub by_key: Option<DeviceId>,
    /// A device of this person with the same hardware.
    pub by_hardware: Option<DeviceId>,
}

/// Whether somebody can use their licence on a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceAdmission {
    /// It is one of theirs.
    Known(DeviceId),
    /// It is one of theirs, installed anew: the new key takes its place.
    Reinstalled(DeviceId),
    /// It is a new one.
    New,
    /// They have as many as they may, the one that asked longest ago first. One of them has to be signed out.
    TooMany(Vec<Device>),
}

/// Decides whether a person can use a device beside those that they have.
pub fn admit(device: SignInDevice, theirs: &[Device], most: u32) -> DeviceAdmission {
    let is_theirs = |id: &DeviceId| theirs.iter().any(|one| one.id == *id);
    if let Some(id) = device.by_key.filter(is_theirs) {
        return DeviceAdmission::Known(id);
    }
    if let Some(id) = device.by_hardware.filter(is_theirs) {
        return DeviceAdmission::Reinstalled(id);
    }
    if theirs.len() < usize::try_from(most).unwrap_or(usize::MAX) {
        return DeviceAdmission::New;
    }
    let mut longest_ago_first = theirs.to_vec();
    longest_ago_first.sort_by_key(|one| (one.seen_at, one.id));
    DeviceAdmission::TooMany(longest_ago_first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(number: u8, seen_at: i64) -> Device {
        Device { id: DeviceId::from_bytes([number; 16]), seen_at: Timestamp::from_unix_ms(seen_at) }
    }

    fn found(by_key: Option<u8>, by_hardware: Option<u8>) -> SignInDevice {
        let id = |number| DeviceId::from_bytes([number; 16]);
        SignInDevice { by_key: by_key.map(id), by_hardware: by_hardware.map(id) }
    }

    #[test]
    fn a_lease_ends_after_thirty_days_or_with_its_licence() {
        let (now, ms) = (Timestamp::from_unix_ms(1_767_225_600_000), Duration::from_millis(1));
        let of = |works_until| {
            let LeaseTerm { renew_after, not_after } = LeaseTerm::new(now, works_until);
            (renew_after.since(now), not_after.since(now))
        };
        assert_eq!(of(now + DAY * 365), (DAY, DAY * 30));
        assert_eq!(of(now + DAY * 3), (DAY, DAY * 3));
        assert_eq!(of(now + DAY), (DAY / 2, DAY), "it renews before it ends");
        assert_eq!(of(now + ms * 2), (ms, ms * 2));
    }

    #[test]
    fn the_sixth_device_has_to_wait_for_one_of_the_five() {
        let five: Vec<Device> = (1..=5).map(|number| device(number, 100 - i64::from(number))).collect();
        assert_eq!(admit(found(None, None), &five[..4], DEVICES), DeviceAdmission::New);
        let DeviceAdmission::TooMany(shown) = admit(found(None, None), &five, DEVICES) else {
            panic!("it is one too many")
        };
        assert_eq!(shown.first(), Some(&five[4]), "the one that asked longest ago is the first");
        assert_eq!(admit(found(None, None), &[], 0), DeviceAdmission::TooMany(vec![]));
    }

    #[test]
    fn a_device_that_was_installed_anew_is_a_known_device() {
        let five: Vec<Device> = (1..=5).map(|number| device(number, 0)).collect();
        assert_eq!(admit(found(None, Some(3)), &five, DEVICES), DeviceAdmission::Reinstalled(five[2].id));
        assert_eq!(admit(found(Some(3), Some(4)), &five, DEVICES), DeviceAdmission::Known(five[2].id));
        // Somebody else's device, on which this person signs in.
        assert_eq!(admit(found(Some(9), None), &five[..2], DEVICES), DeviceAdmission::New);
    }
}
