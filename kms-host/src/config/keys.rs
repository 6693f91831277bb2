//! The table of settings. Each is declared once, with its name, text, default, bounds, and whether a change needs a restart.
//!
//! The configuration, the sample file, the settings in docs/administrator.md, the environment variables and the reload are made from it,
//! by [`server::settings`]. What else a value has to be is in `config.rs`.

use std::net::SocketAddr;
use std::path::PathBuf;

use ledger::Engine;
use server::network::Network;
use server::settings::values::{LogFormat, addresses, networks, networks_in_file, number, text};
use server::tls::TlsMode;

/// A larger number is a slip: of asks that wait, and of MiB.
const MANY: i64 = 1_048_576;

/// A larger rate a day or a minute would limit nobody.
const LARGEST_RATE: i64 = 1_000_000_000;

/// In days: a larger number is a slip.
const A_CENTURY: i64 = 36_500;

// No setting may be called `port` or `service_host`: for a service called kms-host, Kubernetes gives every container variables such as
// `KMS_HOST_PORT` and `KMS_HOST_SERVICE_HOST`.
server::settings! {
    /// The administrator's settings.
    pub struct Config;

    /// Addresses on which the host serves machines. `[::]` takes IPv4 too, unless an IPv4 address with the same port is
    /// listed. In the environment, separate addresses with commas. --listen on the command line overrides both.
    #[serde(deserialize_with = "super::addresses")]
    listen: Vec<SocketAddr> = vec![SocketAddr::from(([0_u16; 8], shared::DEFAULT_PORT))], addresses, "[::]:21688", at restart;
    /// Service label that the log names as the one to publish in DNS. Products look for it, so change it only if your vendor
    /// says so.
    service_label: String = shared::SERVICE_LABEL.to_owned(), text, "_kms-activation._tcp", at reload;
    /// Number of asks that may wait for the disk. Beyond that, asks are refused with a retry delay.
    queue: usize = 4096, number, "4096", at restart, from 1 to MANY;
    /// Number of connections that machines may hold at once. 0 is as many as the descriptors allow, 65536 at most.
    connections: usize = 0, number, "10000", at reload;
    /// Number of connections that one address, or one IPv6 /64, may hold. 0 is three quarters of all.
    connections_per_address: usize = 0, number, "2500", at reload;
    /// Number of calls that one connection may have open at once. A machine makes one. Raise it if a proxy puts many machines
    /// on one connection and makes them wait.
    calls_per_connection: u32 = 32, number, "256", at reload, from 1 to 1024;
    /// Networks whose machines may connect, such as `["10.0.0.0/8", "2001:db8::/32"]`. If the list is empty, all may.
    /// Connections from other networks are closed. In the environment, separate networks with commas.
    #[serde(deserialize_with = "networks_in_file")]
    allow: Vec<Network> = Vec::new(), networks, "10.0.0.0/8,2001:db8::/32", at reload;
    /// TLS for machines: off; offered, on the same port, to machines that want it; or required of all machines.
    tls: TlsMode = TlsMode::Off, text, "offered", at reload;
    /// File with the certificate that the host shows to machines, in PEM, the host's own first. A relative path is in the
    /// data directory.
    tls_certificate: PathBuf = PathBuf::from("tls.pem"), text, "tls.pem", at reload;
    /// File with the private key of that certificate, in PEM and without a passphrase.
    tls_key: PathBuf = PathBuf::from("tls.key"), text, "tls.key", at reload;
    /// File with CA certificates. If it is set, every machine must show a certificate that one of these CAs has signed. Needs
    /// tls = "required".
    tls_client_ca: PathBuf = PathBuf::new(), text, "", at reload;
    /// Address of the vendor's portal, such as `https://activation.example.com`. `kms-host activate` asks it, and a running host
    /// renews its certificates there before they end. Empty if there is none.
    portal: String = String::new(), text, "https://activation.example.com", at reload;
    /// File with the CA of the portal's TLS certificate, in PEM. If it is empty, the CAs of this system count. A relative path is
    /// in the data directory.
    portal_ca: PathBuf = PathBuf::new(), text, "portal-ca.pem", at reload;
    /// Number of new machines that the host enters in a day from one address, or one IPv6 /64. Beyond that, new machines are
    /// refused with a retry delay. Known machines are never refused. 0 is no limit.
    new_machines_per_source: u64 = 10_000, number, "10000", at reload, from 0 to LARGEST_RATE;
    /// Number of new machines that the host enters in a day from all addresses together. Each address has a guaranteed share
    /// of one in 4000 of this number, so that a few addresses cannot use it up for all. 0 is no limit.
    new_machines_per_site: u64 = 100_000, number, "100000", at reload, from 0 to LARGEST_RATE;
    /// Number of bad asks (malformed, badly signed, replayed, blocked, for a product that is not served, refused as new) that
    /// one address may send in a minute. Beyond that, the host serves only known machines there. 0 is no limit.
    bad_asks_per_source: u64 = 60_000, number, "60000", at reload, from 0 to LARGEST_RATE;
    /// Number of bad asks that all addresses together may send in a minute. 0 is no limit.
    bad_asks_per_site: u64 = 3_000_000, number, "3000000", at reload, from 0 to LARGEST_RATE;
    /// Engine that keeps the ledger on disk: sled, or fjall, which is smaller and starts sooner with more than a million
    /// machines. A ledger keeps its engine, so set this before `kms-host init`, or name the file with --config of `init`.
    #[serde(deserialize_with = "super::engine", serialize_with = "super::engine_name")]
    ledger: Engine = Engine::Sled, text, "sled", at restart;
    /// Size of the ledger's cache in memory, in MiB. fjall also keeps the latest writes in memory, up to some 64 MiB.
    cache_mib: u64 = 64, number, "64", at restart, from 4 to MANY;
    /// Space that has to be free on the file system of the data directory, in MiB. With less, the host refuses all machines
    /// with DISK_FULL, before the disk is full. It continues by itself once an eighth more than this is free. With 0 the host
    /// fills the disk, and then stops.
    free_space_mib: u64 = 256, number, "1024", at reload, from 0 to MANY;
    /// Number of days after which the host forgets a machine that it has not seen. It never forgets a machine that is counted
    /// or blocked, so the number must not be shorter than any product's count_window. 0 keeps every machine for ever.
    // The longest lease there is: every licensed machine is known.
    retention_days: u32 = 400, number, "400", at reload, from 0 to A_CENTURY;
    /// Format of the log: text or json. --log-json on the command line overrides it.
    log_format: LogFormat = LogFormat::Text, text, "json", at restart;
    /// Level of the log: error, warn, info, debug, trace, off, or directives such as "kms_host=debug,info".
    log: String = "info".to_owned(), text, "kms_host=debug,info", at reload;
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use server::settings::{SettingTable as _, sample};
    use toml::Table;

    use super::*;

    #[test]
    fn the_sample_sets_nothing_and_without_its_marks_it_sets_the_defaults() {
        let read = |text: &str| toml::from_str::<Config>(text).unwrap().values();
        let sample = sample::<Config>();
        assert_eq!(toml::from_str::<Table>(&sample).unwrap(), Table::new());
        let set: String = sample
            .lines()
            .filter_map(|line| line.strip_prefix('#').filter(|line| !line.starts_with(' ')))
            .flat_map(|line| [line, "\n"])
            .collect();
        assert_eq!(toml::from_str::<Table>(&set).unwrap().len(), KEYS.len());
        assert_eq!(read(&set), Config::default().values());
    }

    #[test]
    fn every_example_holds_and_every_key_is_explained() {
        for key in KEYS {
            let config = key.set(&Config::default(), key.example).unwrap();
            config.check().unwrap();
            assert!(key.about.ends_with('.'), "{}: a paragraph", key.name);
        }
    }

    #[test]
    fn no_line_of_the_sample_is_too_long_to_read() {
        let sample = sample::<Config>();
        assert_eq!(sample.lines().find(|line| 120 < line.len()), None);
    }

    /// `kms_host::door` had moved to another crate, and a level for it was taken and had no effect.
    #[test]
    fn each_part_of_the_log_in_the_administrators_guide_is_there() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR"));
        let guide = std::fs::read_to_string(source.join("../docs/administrator.md")).unwrap();
        let parts: Vec<_> =
            guide.lines().filter_map(|line| line.strip_prefix("| `kms_host::")?.split_once('`')).collect();
        assert_eq!(parts.len(), 8);
        for (part, _) in parts {
            let is_shared = server::log::SHARED_PARTS.iter().any(|(shared, _)| *shared == part);
            assert!(is_shared || source.join("src").join(part).with_extension("rs").exists(), "{part}");
        }
    }

    #[test]
    fn the_administrators_guide_shows_the_sample() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/administrator.md");
        let guide = std::fs::read_to_string(&path).unwrap();
        let (before, rest) = guide.split_once("```toml\n").expect("the guide shows the settings");
        let (shown, after) = rest.split_once("```").expect("the block of settings ends");
        let sample = sample::<Config>();
        if std::env::var_os("KMS_REGENERATE").is_some() {
            std::fs::write(&path, format!("{before}```toml\n{sample}```{after}")).unwrap();
            return;
        }
        assert!(
            shown == sample,
            "docs/administrator.md shows other settings than `kms-host config sample`; run KMS_REGENERATE=1 cargo test -p kms-host guide"
        );
    }
}
