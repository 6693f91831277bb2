//! On which devices a person uses their licence: five, unless the offer says otherwise.
//!
//! A device is known by its own key, or by its hardware, so a machine that was installed anew is not a new device. A person with too many
//! devices sees the list, and signs one out.

use shared::time::Timestamp;

use crate::DeviceId;

/// How many devices a person may use, unless the offer says otherwise.
pub const DEVICES: u32 = 5;

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
