//! The host's settings: `kms-host.toml` and the environment.
//!
//! Each setting is declared in `config/keys.rs`, with the bounds of a number. What else a value has to be is here;
//! [`server::settings`](mod@server::settings) reads file, environment and command line.

mod keys;

use std::net::SocketAddr;
use std::path::Path;

use ledger::Engine;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serializer};
use server::accept::DoorSettings;
use server::fixable::FixableError;
use server::settings::values::{check_listen, check_log, with_example};
use server::settings::{self, Key, SettingFault, SettingNames, SettingTable};
use server::tls::{Tls, TlsFiles, TlsMode};
use shared::srv::{SERVICE_LABEL_FORM, is_service_label};
use wire::portal::PortalAddress;

use crate::home::USUAL_PATH;

pub use keys::{Config, KEYS};

/// The name of the file in a data directory.
pub const FILE_NAME: &str = "kms-host.toml";

/// Where the host's settings are read.
pub type SettingSources = settings::SettingSources<Config>;

/// The host's settings that apply, and the origin of each.
pub type Settings = settings::Settings<Config>;

impl SettingTable for Config {
    const NAMES: SettingNames = SettingNames {
        program: "kms-host",
        file: FILE_NAME,
        usual_data: USUAL_PATH,
        packaged_file: "/etc/kms-host/kms-host.toml",
        prefix: "KMS_HOST_",
        of_command_line: &["KMS_HOST_DATA"],
    };

    const KEYS: &'static [Key] = KEYS;

    fn check(&self) -> Result<(), SettingFault> {
        check_listen(&self.listen, shared::DEFAULT_PORT)?;
        self.check_bounds()?;
        self.door().check()?;
        if !self.tls_client_ca.as_os_str().is_empty() && self.tls != TlsMode::Required {
            let fault = "`tls_client_ca` demands a certificate from every machine, and a machine without TLS has none: set \
                         tls = \"required\"";
            return Err(("tls_client_ca", fault.to_owned()));
        }
        if !self.portal.is_empty()
            && let Err(fault) = self.portal.parse::<PortalAddress>()
        {
            return Err(("portal", format!("`portal` is {:?}: {fault}", self.portal)));
        }
        if !is_service_label(&self.service_label) {
            let label = &self.service_label;
            let fault = format!("`service_label` is {label:?}: {SERVICE_LABEL_FORM}");
            return Err(("service_label", fault));
        }
        check_log(&self.log, "kms_host=debug,info")
    }
}

impl Config {
    /// The settings of the door for machines.
    pub fn door(&self) -> DoorSettings {
        DoorSettings {
            connections: self.connections,
            connections_per_address: self.connections_per_address,
            calls_per_connection: self.calls_per_connection,
            allow: self.allow.clone(),
        }
    }

    /// Reads the files of TLS. A relative path is in this directory.
    ///
    /// # Errors
    /// The first file that cannot be used.
    pub fn read_tls(&self, data: &Path) -> Result<Tls, FixableError> {
        let files = TlsFiles {
            certificate: &self.tls_certificate,
            key: &self.tls_key,
            client_ca: &self.tls_client_ca,
        };
        Tls::read(self.tls, &files, data)
    }
}

fn addresses<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<SocketAddr>, D::Error> {
    with_example(from, "listen = [\"[::]:21688\"]; names are not looked up")
}

fn engine<'de, D: Deserializer<'de>>(from: D) -> Result<Engine, D::Error> {
    let name = String::deserialize(from)?;
    name.parse().map_err(|unknown: store::UnknownEngine| {
        D::Error::custom(format_args!("`ledger` is {name:?}: {unknown}"))
    })
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it in so")]
fn engine_name<S: Serializer>(engine: &Engine, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(engine.name())
}

#[cfg(test)]
mod tests {
    use server::settings::values::LogFormat;

    use super::*;

    fn read(text: &str) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("kms-host.toml"), text).unwrap();
        let settings = SettingSources::new(None, folder.path()).read_with([]);
        settings.map(|settings| settings.config).map_err(|error| crate::remedy::message(&error))
    }

    #[test]
    fn without_a_file_the_defaults_hold() {
        let folder = tempfile::tempdir().unwrap();
        let settings = SettingSources::new(None, folder.path()).read_with([]).unwrap();
        assert_eq!(settings.config.listen, ["[::]:21688".parse().unwrap()]);
        let named = folder.path().join("absent.toml");
        assert!(SettingSources::new(Some(&named), folder.path()).read_with([]).is_err());
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line() {
        let error = read("queue = 10\nlissten = []\n").unwrap_err();
        assert!(error.contains("line 2") && error.contains("lissten"), "{error}");
    }

    #[test]
    fn a_value_out_of_bounds_is_refused_with_its_name() {
        assert!(read("listen = []").unwrap_err().contains("`listen`"));
        assert!(read("queue = 0").unwrap_err().contains("`queue`"));
        assert!(read("queue = 9_223_372_036_854_775_807").unwrap_err().contains("1048576"));
        let more = "connections = 9\nconnections_per_address = 10";
        assert!(read(more).unwrap_err().contains("`connections_per_address` is 10"));
        assert!(read("connections = -1").unwrap_err().contains("line 1"));
        for right in ["connections = 10\nconnections_per_address = 10", "connections_per_address = 10"] {
            assert_eq!(read(right).unwrap().connections_per_address, 10);
        }
        for wrong in ["calls_per_connection = 0", "calls_per_connection = 1025"] {
            assert!(read(wrong).unwrap_err().contains("`calls_per_connection` must be from 1"));
        }
        let error = read("bad_asks_per_site = 1_000_000_001").unwrap_err();
        assert!(error.contains("`bad_asks_per_site`") && error.contains("0 is no limit"), "{error}");
        assert_eq!(read("new_machines_per_source = 0").unwrap().new_machines_per_source, 0);
        assert!(read("cache_mib = 1").unwrap_err().contains("`cache_mib`"));
        assert!(read("free_space_mib = 1048577").unwrap_err().contains("`free_space_mib`"));
        assert_eq!(read("free_space_mib = 0").unwrap().free_space_mib, 0);
        assert!(read("retention_days = 36501").unwrap_err().contains("`retention_days`"));
        assert_eq!(read("retention_days = 0").unwrap().retention_days, 0);
        assert_eq!(read("log_format = \"json\"").unwrap().log_format, LogFormat::Json);
    }

    #[test]
    fn an_address_that_is_none_is_refused_with_an_example_and_once() {
        for wrong in ["listen = \"[::]:21688\"", "listen = [\"localhost:1\"]", "listen = [1]"] {
            let error = read(wrong).unwrap_err();
            assert!(error.contains("line 1") && error.contains("listen = [\"[::]:21688\"]"), "{error}");
            assert_eq!(error.matches("TOML parse error").count(), 1, "{error}");
        }
    }

    #[test]
    fn a_network_that_is_none_is_refused_with_an_example_and_once() {
        for wrong in ["allow = \"10.0.0.0/8\"", "allow = [\"localhost\"]", "allow = [\"10.1.2.3/8\"]"] {
            let error = read(wrong).unwrap_err();
            assert!(error.contains("line 1") && error.contains("allow = [\"10.0.0.0/8\""), "{error}");
            assert_eq!(error.matches("TOML parse error").count(), 1, "{error}");
        }
        assert_eq!(read("allow = [\"::1\", \"10.0.0.0/8\"]").unwrap().allow.len(), 2);
    }

    #[test]
    fn certificates_of_machines_are_demanded_only_where_every_machine_can_show_one() {
        for mode in ["off", "offered"] {
            let error = read(&format!("tls = \"{mode}\"\ntls_client_ca = \"ca.pem\"")).unwrap_err();
            assert!(error.contains("`tls_client_ca`") && error.contains("tls = \"required\""), "{error}");
        }
        read("tls = \"required\"\ntls_client_ca = \"ca.pem\"").unwrap();
        let error = read("tls = \"on\"").unwrap_err();
        assert!(error.contains("line 1") && error.contains("`offered`"), "{error}");
    }

    #[test]
    fn an_engine_is_chosen_by_its_name() {
        assert_eq!(read("").unwrap().ledger, Engine::Sled);
        assert_eq!(read("ledger = \"fjall\"").unwrap().ledger, Engine::Fjall);
        let error = read("ledger = \"rocksdb\"").unwrap_err();
        assert!(error.contains("line 1") && error.contains("\"sled\" or \"fjall\""), "{error}");
    }

    #[test]
    fn a_level_that_is_none_is_refused_instead_of_silencing_everything() {
        for wrong in ["loud", "", "info,", "kms_host=loud", "=info", "kms_host"] {
            let error = read(&format!("log = {wrong:?}")).unwrap_err();
            assert!(error.contains("`log`") && error.contains("trace"), "{wrong}: {error}");
        }
        for right in ["off", "WARN", "kms_host=debug,info", "kms_host=debug, warn"] {
            read(&format!("log = {right:?}")).unwrap();
        }
    }

    /// A label that `kms-vendor` refuses was published, and no product looked there.
    #[test]
    fn a_service_label_is_one_that_a_product_can_have() {
        for wrong in ["kms", "_kms._udp", "_Kms._tcp", "_abcdefghijklmnop._tcp"] {
            let told = read(&format!("service_label = {wrong:?}")).unwrap_err();
            assert!(told.contains(SERVICE_LABEL_FORM), "{told}");
        }
        read("service_label = \"_acme-kms._tcp\"").unwrap();
    }

    /// The variables of every program are tested where they are read.
    #[test]
    fn a_variable_of_the_host_that_does_not_hold_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        for (name, value, why) in [
            ("KMS_HOST_TLS_CLIENT_CA", "ca.pem", "tls = \"required\""),
            ("KMS_HOST_LEDGER", "rocksdb", "\"sled\" or \"fjall\""),
            ("KMS_HOST_SERVICE_LABEL", "kms", "_kms-activation._tcp"),
        ] {
            let sources = SettingSources::new(None, folder.path());
            let error = sources.read_with([(name.into(), value.into())]).unwrap_err();
            let error = crate::remedy::message(&error);
            assert!(error.contains(why) && error.contains(&format!("{name}=")), "{name}={value}: {error}");
        }
    }
}
