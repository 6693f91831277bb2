//! The table of settings: every one declared once, with its name, what it is for, its default, and whether it needs a restart.
//!
//! The configuration, the sample file, the settings in docs/administrator.md, the environment variables and what SIGHUP does are made
//! from it. What a value has to be is in `config.rs`; where values come from is in `sources`.

use std::net::SocketAddr;
use std::path::PathBuf;

use ledger::Engine;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::{LogFormat, Network, TlsMode};

/// What the environment variable of every key begins with.
pub(super) const PREFIX: &str = "KMS_HOST_";

/// One setting.
#[derive(Debug)]
pub struct Key {
    /// As in the file.
    pub name: &'static str,
    /// What it is for, in one paragraph.
    pub about: &'static str,
    /// A value that holds, as an environment variable has it.
    pub example: &'static str,
    /// Whether only a new process takes up a new value.
    pub needs_restart: bool,
    /// A value of an environment variable, as the file would have it.
    from_text: fn(&str) -> Result<Value, String>,
}

/// Makes [`Config`], its default and [`KEYS`] of one declaration for each setting: what it is for, its name, type and default, how an
/// environment variable is read, an example of one, and whether a change is taken up at a reload or a restart.
macro_rules! settings {
    ($(
        $(#[doc = $about:literal])+
        $(#[serde($($serde:tt)+)])?
        $name:ident: $type:ty = $default:expr, $from_text:ident, $example:literal, at $when:ident;
    )+) => {
        /// What the administrator may set. A file `kms-host.toml` in the data directory is read where none is named.
        #[derive(Clone, Debug, Deserialize, Serialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct Config {
            $($(#[doc = $about])+ $(#[serde($($serde)+)])? pub $name: $type,)+
        }

        impl Default for Config {
            fn default() -> Config {
                Config { $($name: $default,)+ }
            }
        }

        /// Every setting, in the order of the sample.
        pub const KEYS: [Key; [$(stringify!($name)),+].len()] = [$(Key {
            name: stringify!($name),
            about: concat!($($about),+),
            example: $example,
            needs_restart: settings!(@needs_restart $when),
            from_text: $from_text,
        }),+];
    };
    (@needs_restart restart) => { true };
    (@needs_restart reload) => { false };
}

// Kubernetes gives every container variables such as `KMS_HOST_PORT` and `KMS_HOST_SERVICE_HOST` where a service is called kms-host,
// so no setting may be called that.
settings! {
    /// Where machines are served. `[::]` takes IPv4 too, unless an IPv4 address with the same port is listed. In the
    /// environment, separate addresses with commas; --listen on the command line goes before both.
    #[serde(deserialize_with = "super::addresses")]
    listen: Vec<SocketAddr> = vec![SocketAddr::from(([0_u16; 8], shared::DEFAULT_PORT))], addresses, "[::]:21688", at restart;
    /// The service label that the log names as the one to publish in DNS. Products look for it; leave it unless your vendor
    /// says so.
    service_label: String = shared::SERVICE_LABEL.to_owned(), text, "_kms-activation._tcp", at reload;
    /// How many asks may wait for the disk. Beyond that, asks are refused with a retry delay.
    queue: usize = 4096, number, "4096", at restart;
    /// How many connections machines may hold at once. 0 is as many as the descriptors allow, 65536 at most.
    connections: usize = 0, number, "10000", at reload;
    /// How many of them one address may hold, or one IPv6 /64. 0 is three quarters of them.
    connections_per_address: usize = 0, number, "2500", at reload;
    /// How many calls one connection may have open at once. A machine makes one; raise it where a proxy puts many machines on
    /// one connection and makes them wait.
    calls_per_connection: u32 = 32, number, "256", at reload;
    /// The networks whose machines may connect, such as `["10.0.0.0/8", "2001:db8::/32"]`. If it names none, all may.
    /// Connections from other networks are closed. In the environment, separate networks with commas.
    #[serde(deserialize_with = "super::networks")]
    allow: Vec<Network> = Vec::new(), networks, "10.0.0.0/8,2001:db8::/32", at reload;
    /// Whether machines speak TLS: off; offered, to those that want it, on the same port; or required of all.
    tls: TlsMode = TlsMode::Off, text, "offered", at reload;
    /// The file of the certificate that machines are shown, in PEM, the host's own first. A relative path is in the data
    /// directory.
    tls_certificate: PathBuf = PathBuf::from("tls.pem"), text, "tls.pem", at reload;
    /// The file of its private key, in PEM and without a passphrase.
    tls_key: PathBuf = PathBuf::from("tls.key"), text, "tls.key", at reload;
    /// If it names a file, every machine has to show a certificate that a CA in this file has signed. Only with tls =
    /// "required".
    tls_client_ca: PathBuf = PathBuf::new(), text, "", at reload;
    /// How many machines that the host does not know yet may enter in a day from one address, or one IPv6 /64. A machine past
    /// it is told to ask again; those that are known are never refused. 0 is no limit.
    new_machines_per_source: u64 = 10_000, number, "10000", at reload;
    /// How many of them from all addresses together. The first few of each address, one in 4000 of this number, are entered
    /// even past it, so that a few addresses cannot use it up for all.
    new_machines_per_site: u64 = 100_000, number, "100000", at reload;
    /// How many asks of no use (malformed, badly signed, replayed, blocked, for a product that is not served, refused as new)
    /// one address may send in a minute. Past it, only machines that are known are heard there. 0 is no limit.
    bad_asks_per_source: u64 = 60_000, number, "60000", at reload;
    /// How many of them all addresses together may send.
    bad_asks_per_site: u64 = 3_000_000, number, "3000000", at reload;
    /// What keeps the ledger on disk: sled, or fjall, which is smaller and ready sooner with more than a million machines. A
    /// ledger stays on what it was made on, so set this before `kms-host init`, or name the file with its --config.
    #[serde(deserialize_with = "super::engine", serialize_with = "super::engine_name")]
    ledger: Engine = Engine::Sled, text, "sled", at restart;
    /// How much of the ledger is kept in memory, in MiB. fjall keeps what was written last, up to some 64 MiB, besides.
    cache_mib: u64 = 64, number, "64", at restart;
    /// How much has to be free on the file system of the data directory, in MiB. With less, no machine is counted: it is
    /// refused with DISK_FULL, before the disk is full, and the host goes on by itself once an eighth more than this is free.
    /// 0 is to fill the disk, which stops the host.
    free_space_mib: u64 = 256, number, "1024", at reload;
    /// After how many days a machine that was not seen is forgotten. Nobody who is counted or blocked is, so it may not be
    /// shorter than any product's count_window. 0 keeps every machine for ever.
    // The longest lease there is: whoever is licensed is known.
    retention_days: u32 = 400, number, "400", at reload;
    /// How the log is written: text or json. --log-json on the command line goes before it.
    log_format: LogFormat = LogFormat::Text, text, "json", at restart;
    /// What is logged: error, warn, info, debug, trace, off, or directives such as "kms_host=debug,info".
    log: String = "info".to_owned(), text, "kms_host=debug,info", at reload;
}

impl Key {
    /// The environment variable that goes before the file.
    pub fn variable(&self) -> String {
        format!("{PREFIX}{}", self.name.to_ascii_uppercase())
    }

    /// Puts what its environment variable says into the configuration.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub(super) fn set(&self, config: &Config, text: &str) -> Result<Config, String> {
        let mut values = config.values();
        values.insert(self.name.to_owned(), (self.from_text)(text)?);
        values.try_into().map_err(|error: toml::de::Error| error.message().trim_end().to_owned())
    }

    /// What the sample shows: the default, or an example where there is none.
    fn sample_value(&self, defaults: &Table) -> Value {
        let example = || (self.from_text)(self.example).expect("a test reads every example");
        defaults.get(self.name).cloned().unwrap_or_else(example)
    }
}

/// The settings as a file in which every key is explained and none is set.
pub fn sample() -> String {
    let defaults = Config::default().values();
    let mut lines = vec![SAMPLE_HEAD.to_owned()];
    for key in &KEYS {
        let when =
            if key.needs_restart { "A change needs a restart." } else { "A change is taken up on SIGHUP." };
        lines.push(String::new());
        lines.extend(wrap(&format!("{} {when}", key.about)).iter().map(|line| format!("# {line}")));
        lines.push(format!("#{} = {}", key.name, key.sample_value(&defaults)));
    }
    lines.join("\n") + "\n"
}

const SAMPLE_HEAD: &str = "\
# The settings of kms-host, each with its default: take away the # before a key to change it. The environment variable
# KMS_HOST_<KEY>, such as KMS_HOST_LOG, goes before this file unless it is empty, and the command line before both.
# `kms-host config check` looks whether it holds.";

/// Lines that fit beside a diff.
fn wrap(paragraph: &str) -> Vec<String> {
    const WIDTH: usize = 115;
    let mut lines: Vec<String> = Vec::new();
    for word in paragraph.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[expect(clippy::unnecessary_wraps, reason = "one of several readers; the others can fail")]
fn text(text: &str) -> Result<Value, String> {
    Ok(Value::String(text.to_owned()))
}

fn number(text: &str) -> Result<Value, String> {
    let number = text.trim().parse::<u64>().ok().and_then(|number| i64::try_from(number).ok());
    number.map(Value::Integer).ok_or_else(|| format!("{text:?} is no whole number"))
}

fn addresses(text: &str) -> Result<Value, String> {
    let mut addresses = Vec::new();
    for one in items(text)? {
        let address = one.parse::<SocketAddr>();
        let address = address
            .map_err(|_| format!("{one:?} is no IP address with a port, and names are not looked up"))?;
        addresses.push(Value::String(address.to_string()));
    }
    Ok(Value::Array(addresses))
}

/// The parts of a list. No part has a blank or a semicolon in it, so somebody has taken it for what stands between two.
fn items(text: &str) -> Result<Vec<&str>, String> {
    let items: Vec<_> = text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect();
    match items.iter().find(|item| item.contains(|c: char| c.is_whitespace() || c == ';')) {
        Some(item) => Err(format!("{item:?} is no single entry: a comma stands between two")),
        None => Ok(items),
    }
}

fn networks(text: &str) -> Result<Value, String> {
    let networks = items(text)?
        .into_iter()
        .map(|one| one.parse::<Network>().map(|network| Value::String(network.to_string())));
    networks.collect::<Result<_, _>>().map(Value::Array)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_sample_sets_nothing_and_without_its_marks_it_sets_the_defaults() {
        let read = |text: &str| toml::from_str::<Config>(text).unwrap().values();
        let sample = sample();
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
        for key in &KEYS {
            let config = key.set(&Config::default(), key.example).unwrap();
            config.check().unwrap();
            assert!(key.about.ends_with('.'), "{}: a paragraph", key.name);
        }
    }

    #[test]
    fn no_line_of_the_sample_is_too_long_to_read() {
        let sample = sample();
        assert_eq!(sample.lines().find(|line| 120 < line.len()), None);
    }

    #[test]
    fn the_administrators_guide_shows_the_sample() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/administrator.md");
        let guide = std::fs::read_to_string(&path).unwrap();
        let (before, rest) = guide.split_once("```toml\n").expect("the guide shows the settings");
        let (shown, after) = rest.split_once("```").expect("the block of settings ends");
        let sample = sample();
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
