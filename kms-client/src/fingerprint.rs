//! What tells two installations apart: a keyed hash of the operating system's machine id.
//!
//! Only Linux keeps such an id in a file that every user can read. macOS and Windows keep theirs behind an interface
//! that needs a dependency or a process of its own. There a machine has no fingerprint unless the vendor's code gives
//! the bytes ([`Builder::fingerprint_source`](crate::Builder::fingerprint_source)), and without one no copy is recognised.
//! `docs/protocol.md` 7.

use shared::ids::{Fingerprint, ProductId};

/// This machine's fingerprint for a product.
pub(crate) fn of_this_machine(product: ProductId) -> Fingerprint {
    os_machine_id().map_or(Fingerprint::NONE, |id| Fingerprint::of_machine(product, &id))
}

#[cfg(target_os = "linux")]
fn os_machine_id() -> Option<Vec<u8>> {
    ["/etc/machine-id", "/var/lib/dbus/machine-id"]
        .into_iter()
        .find_map(|path| machine_id_in(&std::fs::read_to_string(path).ok()?))
}

#[cfg(not(target_os = "linux"))]
fn os_machine_id() -> Option<Vec<u8>> {
    None
}

/// The id in such a file: 32 hexadecimal digits. An image that has not started yet has `uninitialized` or nothing there.
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only Linux has such a file"))]
fn machine_id_in(text: &str) -> Option<Vec<u8>> {
    let id = text.trim();
    let is_id = id.len() == 32 && id.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_id.then(|| id.to_ascii_lowercase().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_real_id_makes_a_fingerprint() {
        assert!(machine_id_in("8f3b1c7e5a2d4f60918273645546372a\n").is_some());
        for text in ["", "\n", "uninitialized\n", "8f3b1c7e"] {
            assert_eq!(machine_id_in(text), None, "{text:?}");
        }
    }
}
