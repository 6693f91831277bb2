//! The host's settings: one file, in TOML, and the environment. Unknown keys are refused, and every key has a default.
//!
//! Each setting is declared in `config/keys.rs`, with the bounds of a number. What else a value has to be is here;
//! `config/sources.rs` decides between file, environment and command line.

mod keys;
mod sources;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use ledger::Engine;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use server::accept::DoorSettings;
use server::fixable::FixableError;
use server::listen;
use server::network::Network;
use server::tls::{Tls, TlsFiles, TlsMode};
use shared::srv::{SERVICE_LABEL_FORM, is_service_label};
use tokio::sync::watch;
use tracing_subscriber::EnvFilter;

pub use keys::{Config, KEYS, Key, sample};
pub use sources::{ChangedSetting, FILE_NAME, Origin, SettingSources, Settings};

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Calls `take_up` with the old and the new settings whenever they change, until the host has gone.
pub async fn follow(mut config: watch::Receiver<Arc<Config>>, mut take_up: impl FnMut(&Config, &Config)) {
    let mut old = config.borrow_and_update().clone();
    while config.changed().await.is_ok() {
        let new = config.borrow_and_update().clone();
        take_up(&old, &new);
        old = new;
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

    /// Every setting with its value, as in the file.
    fn values(&self) -> toml::Table {
        toml::Table::try_from(self)
            .expect("every setting is a number, a text or a list of texts, and came out of TOML")
    }

    /// Checks every value and names the key at fault.
    fn check(&self) -> Result<(), (&'static str, String)> {
        if self.listen.is_empty() {
            let fault = "`listen` is empty: name at least one address, such as [\"[::]:21688\"]";
            return Err(("listen", fault.to_owned()));
        }
        listen::check(&self.listen).map_err(|fault| ("listen", fault))?;
        let values = self.values();
        for Key { name, bounds, .. } in &KEYS {
            let value = values.get(*name).and_then(toml::Value::as_integer);
            if let (Some((least, most)), Some(value)) = (*bounds, value)
                && !(least..=most).contains(&value)
            {
                let unlimited = if least == 0 { "; 0 is no limit" } else { "" };
                return Err((name, format!("`{name}` must be from {least} to {most}{unlimited}")));
            }
        }
        if 0 < self.connections && self.connections < self.connections_per_address {
            let fault = format!(
                "`connections_per_address` is {} and `connections` is only {}: one address cannot hold more than all",
                self.connections_per_address, self.connections
            );
            return Err(("connections_per_address", fault));
        }
        if !self.tls_client_ca.as_os_str().is_empty() && self.tls != TlsMode::Required {
            let fault = "`tls_client_ca` demands a certificate from every machine, and a machine without TLS has none: set \
                         tls = \"required\"";
            return Err(("tls_client_ca", fault.to_owned()));
        }
        if !is_service_label(&self.service_label) {
            let label = &self.service_label;
            let fault = format!("`service_label` is {label:?}: {SERVICE_LABEL_FORM}");
            return Err(("service_label", fault));
        }
        if let Some(directive) = self.log.split(',').find(|directive| !is_directive(directive.trim())) {
            let fault = format!(
                "`log` has {directive:?}: write off, error, warn, info, debug or trace, or one of these for a part of the \
                 program, such as \"kms_host=debug,info\""
            );
            return Err(("log", fault));
        }
        EnvFilter::try_new(&self.log)
            .map(drop)
            .map_err(|error| ("log", format!("`log` is {:?}: {error}", self.log)))
    }
}

fn addresses<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<SocketAddr>, D::Error> {
    with_example(from, "listen = [\"[::]:21688\"]; names are not looked up")
}

fn networks<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Network>, D::Error> {
    with_example(from, "allow = [\"10.0.0.0/8\", \"2001:db8::/32\"]")
}

/// Adds an example to serde's error.
fn with_example<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    from: D,
    example: &str,
) -> Result<T, D::Error> {
    T::deserialize(from).map_err(|error| {
        D::Error::custom(format_args!("{}; write it as {example}", error.to_string().trim_end()))
    })
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

/// A level, or `target=level`. The log's own parser takes a misspelt level for a target, and then logs nothing else.
fn is_directive(directive: &str) -> bool {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let level = match directive.rsplit_once('=') {
        Some(("", _)) => return false,
        Some((_, level)) => level,
        None => directive,
    };
    LEVELS.iter().any(|known| known.eq_ignore_ascii_case(level))
}

#[cfg(test)]
mod tests {
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
}
