//! The host's one configuration file, in TOML. Unknown keys are refused, and every key has a default.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::ledger::Engine;

/// What the administrator may set. A file `kms-host.toml` in the data directory is read where none is named.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where machines are served. `[::]` takes IPv4 too.
    #[serde(deserialize_with = "addresses")]
    pub listen: Vec<SocketAddr>,
    /// The service label under which the host says that it is to be published in DNS.
    pub service_label: String,
    /// How many asks may wait for the ledger; one more is told to come back.
    pub queue: usize,
    /// How many connections machines may hold together; 0 is as many as the descriptors allow.
    pub connections: usize,
    /// How many of them one address may hold, or one IPv6 network of 64 bits; 0 is three quarters.
    pub connections_per_address: usize,
    /// What keeps the ledger on disk. A ledger stays on the engine that it was made on.
    #[serde(deserialize_with = "engine")]
    pub ledger: Engine,
    /// How much of the ledger is kept in memory, in MiB.
    pub cache_mib: u64,
    /// How the log is written.
    pub log_format: LogFormat,
    /// What is logged: `info`, or directives such as `kms_host=debug,info`.
    pub log: String,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            listen: vec![SocketAddr::from(([0_u16; 8], shared::DEFAULT_PORT))],
            service_label: shared::SERVICE_LABEL.to_owned(),
            queue: 4096,
            connections: 0,
            connections_per_address: 0,
            ledger: Engine::Sled,
            cache_mib: 64,
            log_format: LogFormat::Text,
            log: "info".to_owned(),
        }
    }
}

impl Config {
    /// Reads the file at `path`, or `kms-host.toml` in the data directory if there is one, or the defaults.
    ///
    /// # Errors
    /// A file that was named and is not there, or one that does not hold, with the line.
    pub fn read(path: Option<&Path>, data: &Path) -> Result<Config, ConfigError> {
        let (path, required) = match path {
            Some(path) => (path.to_owned(), true),
            None => (data.join("kms-host.toml"), false),
        };
        let text = match std::fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !required => {
                return Ok(Config::default());
            }
            Err(source) => return Err(ConfigError::Unreadable { path, source }),
            Ok(text) => text,
        };
        let config: Config = toml::from_str(&text)
            .map_err(|source| ConfigError::Wrong { path: path.clone(), source: Box::new(source) })?;
        config.check().map_err(|fault| ConfigError::Contradiction { path, fault })?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        if self.listen.is_empty() {
            return Err("`listen` is empty: name at least one address, such as [\"[::]:21688\"]".to_owned());
        }
        if self.queue == 0 {
            return Err("`queue` is 0: nobody could be served".to_owned());
        }
        if 0 < self.connections && self.connections < self.connections_per_address {
            return Err(format!(
                "`connections_per_address` is {} and `connections` is only {}: one address cannot hold more than all",
                self.connections_per_address, self.connections
            ));
        }
        if !(4..=1_048_576).contains(&self.cache_mib) {
            return Err("`cache_mib` has to be from 4 to 1048576".to_owned());
        }
        if !is_service_label(&self.service_label) {
            let label = &self.service_label;
            return Err(format!("`service_label` is {label:?}: write it as {:?}", shared::SERVICE_LABEL));
        }
        match self.log.split(',').find(|directive| !is_directive(directive.trim())) {
            Some(directive) => Err(format!(
                "`log` has {directive:?}: write off, error, warn, info, debug or trace, or one of these for a part of the \
                 program, such as \"kms_host=debug,info\""
            )),
            None => Ok(()),
        }
    }
}

/// With an example, which serde's own text has not.
fn addresses<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<SocketAddr>, D::Error> {
    Vec::deserialize(from).map_err(|error| {
        let error = error.to_string();
        let error = error.trim_end();
        D::Error::custom(format_args!(
            "{error}; write it as listen = [\"[::]:21688\"], names are not looked up"
        ))
    })
}

fn engine<'de, D: Deserializer<'de>>(from: D) -> Result<Engine, D::Error> {
    let name = String::deserialize(from)?;
    let engine = Engine::ALL.into_iter().find(|engine| engine.name() == name);
    engine.ok_or_else(|| {
        let names: Vec<_> = Engine::ALL.iter().map(|engine| format!("{:?}", engine.name())).collect();
        D::Error::custom(format_args!("`ledger` is {name:?}: write {}", names.join(" or ")))
    })
}

/// `_name._proto`, as RFC 6763 7 has it.
fn is_service_label(label: &str) -> bool {
    let is_part = |part: &str| {
        part.strip_prefix('_').is_some_and(|name| {
            (1..=62).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        })
    };
    label.split_once('.').is_some_and(|(name, proto)| is_part(name) && is_part(proto))
}

/// A level, or `target=level`. The log's own parser takes a level that is misspelt for a target, and then logs nothing else.
fn is_directive(directive: &str) -> bool {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let level = match directive.rsplit_once('=') {
        Some(("", _)) => return false,
        Some((_, level)) => level,
        None => directive,
    };
    LEVELS.iter().any(|known| known.eq_ignore_ascii_case(level))
}

/// The configuration cannot be used: the administrator's to mend.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("the configuration {} cannot be read", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no TOML, or has a key that is not known, or a value that does not fit.
    #[error("the configuration {} does not hold", path.display())]
    Wrong {
        /// Which file.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// A value is out of its bounds.
    #[error("the configuration {} does not hold: {fault}", path.display())]
    Contradiction {
        /// Which file.
        path: PathBuf,
        /// What and how to mend it.
        fault: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("kms-host.toml"), text).unwrap();
        Config::read(None, folder.path()).map_err(|error| format!("{:#}", anyhow::Error::from(error)))
    }

    #[test]
    fn without_a_file_the_defaults_hold() {
        let folder = tempfile::tempdir().unwrap();
        let config = Config::read(None, folder.path()).unwrap();
        assert_eq!(config.listen, ["[::]:21688".parse().unwrap()]);
        assert!(Config::read(Some(&folder.path().join("absent.toml")), folder.path()).is_err());
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
        let more = "connections = 9\nconnections_per_address = 10";
        assert!(read(more).unwrap_err().contains("`connections_per_address` is 10"));
        assert!(read("connections = -1").unwrap_err().contains("line 1"));
        for right in ["connections = 10\nconnections_per_address = 10", "connections_per_address = 10"] {
            assert_eq!(read(right).unwrap().connections_per_address, 10);
        }
        assert!(read("cache_mib = 1").unwrap_err().contains("`cache_mib`"));
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

    #[test]
    fn a_service_label_has_a_name_and_a_protocol() {
        for wrong in ["kms", "_kms", "kms._tcp", "_kms.tcp", "_kms._tcp.", "_kms._tcp.example.com", "_._tcp"]
        {
            assert!(
                read(&format!("service_label = {wrong:?}")).unwrap_err().contains("`service_label`"),
                "{wrong}"
            );
        }
        read("service_label = \"_acme-kms._tcp\"").unwrap();
    }
}
