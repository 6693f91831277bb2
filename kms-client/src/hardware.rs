//! The serial numbers of this machine's hardware, hashed: they tell the vendor's portal that a machine was installed anew.
//!
//! They are read only where a product key was entered, and go to the portal only. Only Linux has them in files. Some of these are
//! readable for root alone: what this user may not read is left out, and other parts count. `shared::parts` says what a serial number
//! is, and `docs/protocol.md` 11 when hardware is the same.

use std::fs;
use std::path::{Path, PathBuf};

use shared::ids::ProductId;
use shared::parts::HardwareParts;

/// A disk behind more layers (encryption, volumes) is not looked for.
const LAYERS_MAX: usize = 8;

/// The parts of this machine for a product.
pub(crate) fn of_this_machine(product: ProductId) -> HardwareParts {
    if cfg!(target_os = "linux") { of_system(Path::new("/"), product) } else { HardwareParts::NONE }
}

/// The parts of the system whose files are below this directory.
fn of_system(root: &Path, product: ProductId) -> HardwareParts {
    let dmi = |name: &str| text(&root.join("sys/class/dmi/id").join(name));
    let disk = system_disk(root).map(|disk| serial(&disk)).unwrap_or_default();
    HardwareParts::of_machine(product, &dmi("board_serial"), &disk, &dmi("product_uuid"))
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The disk that the system is on, as a directory of sysfs.
fn system_disk(root: &Path) -> Option<PathBuf> {
    let mounts = text(&root.join("proc/self/mountinfo"));
    // 36 35 98:0 / / rw,noatime shared:1 - ext4 /dev/root rw
    let is_root = |line: &&str| line.split(' ').nth(4) == Some("/");
    let mount = mounts.lines().rfind(is_root)?;
    let by_number = root.join("sys/dev/block").join(mount.split(' ').nth(2)?);
    let mut device = fs::canonicalize(by_number).or_else(|error| {
        // A file system on several disks has a number of its own, and names one of them.
        let source = mount.split_once(" - ").and_then(|(_, after)| after.split(' ').nth(1));
        let node = source.and_then(|source| source.strip_prefix("/dev/")).ok_or(error)?;
        let node = fs::canonicalize(root.join("dev").join(node))?;
        fs::canonicalize(root.join("sys/class/block").join(node.file_name().unwrap_or_default()))
    });
    for _ in 0..LAYERS_MAX {
        let found = device.ok()?;
        match first_below(&found.join("slaves")) {
            Some(lower) => device = fs::canonicalize(lower),
            None if found.join("partition").exists() => return found.parent().map(Path::to_owned),
            None => return Some(found),
        }
    }
    None
}

/// The first device of which this layer is made: the same one at each start.
fn first_below(slaves: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(slaves).ok()?;
    entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).min()
}

/// The serial number of a disk: as virtio has it, as NVMe and memory cards have it, and as SCSI and SATA do, behind four bytes.
fn serial(disk: &Path) -> String {
    let named = ["serial", "device/serial"].map(|name| text(&disk.join(name)));
    if let Some(serial) = named.into_iter().find(|serial| !serial.trim().is_empty()) {
        return serial;
    }
    let page = fs::read(disk.join("device/vpd_pg80")).unwrap_or_default();
    String::from_utf8_lossy(page.get(4..).unwrap_or_default()).into_owned()
}

#[cfg(all(test, target_os = "linux"))]
#[expect(clippy::unwrap_used, reason = "clippy sees only the functions marked as tests")]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    const PRODUCT: ProductId = ProductId::from_bytes([7; 16]);

    struct System(tempfile::TempDir);

    impl System {
        /// A machine whose root is on the device of this number, which sysfs has at `device`.
        fn new(mount: &str, number: &str, device: &str) -> System {
            let system = System(tempfile::tempdir().unwrap());
            system.write("proc/self/mountinfo", format!("22 1 0:21 / /proc rw - proc proc rw\n{mount}\n"));
            system.write(&format!("{device}/size"), "1");
            fs::create_dir_all(system.0.path().join("sys/dev/block")).unwrap();
            if !number.is_empty() {
                system.link(&format!("sys/dev/block/{number}"), device);
            }
            system
        }

        fn write(&self, name: &str, text: impl AsRef<[u8]>) {
            let path = self.0.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        fn link(&self, name: &str, to: &str) {
            let path = self.0.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            symlink(self.0.path().join(to), path).unwrap();
        }

        #[track_caller]
        fn check(&self, [board, disk, firmware]: [&str; 3]) {
            let expected = HardwareParts::of_machine(PRODUCT, board, disk, firmware);
            assert!(of_system(self.0.path(), PRODUCT) == expected);
            assert!(!expected.is_empty());
        }
    }

    #[test]
    fn a_machine_is_its_board_its_firmware_and_the_disk_under_a_partition() {
        let system = System::new(
            "36 1 259:2 / / rw shared:1 - ext4 /dev/nvme0n1p2 rw",
            "259:2",
            "sys/devices/nvme0n1/nvme0n1p2",
        );
        system.write("sys/devices/nvme0n1/nvme0n1p2/partition", "2");
        system.write("sys/devices/nvme0n1/device/serial", "S4EVNX0R \n");
        system.write("sys/class/dmi/id/board_serial", "PF1A2B3C\n");
        system.write("sys/class/dmi/id/product_uuid", "4c4c4544-0042-3510-8051-b2c04f4d4e32\n");
        system.check(["PF1A2B3C", "S4EVNX0R", "4c4c4544-0042-3510-8051-b2c04f4d4e32"]);
        // Another user than root may read only the disk's.
        fs::remove_dir_all(system.0.path().join("sys/class/dmi")).unwrap();
        system.check(["", "S4EVNX0R", ""]);
    }

    #[test]
    fn a_disk_is_found_under_encryption_and_volumes() {
        let system =
            System::new("36 1 253:1 / / rw - ext4 /dev/mapper/vg-root rw", "253:1", "sys/devices/dm-1");
        system.link("sys/devices/dm-1/slaves/dm-0", "sys/devices/dm-0");
        system.link("sys/devices/dm-0/slaves/sda3", "sys/devices/sda/sda3");
        system.write("sys/devices/sda/sda3/partition", "3");
        system.write("sys/devices/sda/device/vpd_pg80", b"\x00\x80\x00\x0cWD-WCC4N5XYZ");
        system.check(["", "WD-WCC4N5XYZ", ""]);
    }

    #[test]
    fn a_file_system_with_a_number_of_its_own_names_its_disk() {
        let system = System::new("36 1 0:33 /@ / rw - btrfs /dev/vda1 rw", "", "sys/devices/vda/vda1");
        system.write("dev/vda1", "");
        system.link("sys/class/block/vda1", "sys/devices/vda/vda1");
        system.write("sys/devices/vda/vda1/partition", "1");
        system.write("sys/devices/vda/serial", "VOLUME-17A9");
        system.check(["", "VOLUME-17A9", ""]);
    }

    #[test]
    fn a_system_without_any_of_it_has_no_parts() {
        let container = System::new("36 1 0:50 / / rw - overlay overlay rw", "", "sys/devices/none");
        assert!(of_system(container.0.path(), PRODUCT).is_empty());
        let circle = System::new("36 1 253:0 / / rw - ext4 /dev/dm-0 rw", "253:0", "sys/devices/dm-0");
        circle.link("sys/devices/dm-0/slaves/dm-0", "sys/devices/dm-0");
        assert!(of_system(circle.0.path(), PRODUCT).is_empty());
    }
}
