//! The table of settings: every key once, with its name, what it is for, and what takes up a new value.
//!
//! The sample file, the settings in docs/administrator.md, the environment variables and what SIGHUP does are made from it. What a
//! value has to be is `Config`'s affair, its default too; where values come from is in `sources`.

use std::net::SocketAddr;

use toml::{Table, Value};

use super::Config;
use crate::config::Network;

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
    /// What takes up a new value while the host runs.
    pub taken_up_by: TakenUpBy,
    /// A value of an environment variable, as the file would have it.
    from_text: fn(&str) -> Result<Value, String>,
}

/// What takes up a new value of a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakenUpBy {
    /// Only a new process.
    Restart,
    /// The log of the running host.
    Log,
    /// The next look at the free space.
    Space,
    /// The line in the running host's log that says what to publish in DNS.
    Publishing,
    /// The door of the running host, for whoever connects from then on.
    Door,
    /// What each source may bring to the running host.
    Fairness,
    /// The retention, which then looks at once who is to go.
    Retention,
}

/// Every setting, in the order of the sample. Kubernetes gives every container variables such as `KMS_HOST_PORT` and
/// `KMS_HOST_SERVICE_HOST` where a service is called kms-host, so no key may be called that.
pub const KEYS: [Key; 21] = [
    Key {
        name: "listen",
        about: "Where machines are served. [::] takes IPv4 too, unless an IPv4 address with the same port is listed. In the \
                environment, separate addresses with commas; --listen on the command line goes before both.",
        example: "[::]:21688",
        taken_up_by: TakenUpBy::Restart,
        from_text: addresses,
    },
    Key {
        name: "service_label",
        about: "The service label that the log names as the one to publish in DNS. Products look for it; leave it unless your \
                vendor says so.",
        example: "_kms-activation._tcp",
        taken_up_by: TakenUpBy::Publishing,
        from_text: text,
    },
    Key {
        name: "queue",
        about: "How many asks may wait for the disk. Beyond that, asks are refused with a retry delay.",
        example: "4096",
        taken_up_by: TakenUpBy::Restart,
        from_text: number,
    },
    Key {
        name: "connections",
        about: "How many connections machines may hold at once. 0 is as many as the descriptors allow, 65536 at most.",
        example: "10000",
        taken_up_by: TakenUpBy::Door,
        from_text: number,
    },
    Key {
        name: "connections_per_address",
        about: "How many of them one address may hold, or one IPv6 /64. 0 is three quarters of them.",
        example: "2500",
        taken_up_by: TakenUpBy::Door,
        from_text: number,
    },
    Key {
        name: "calls_per_connection",
        about: "How many calls one connection may have open at once. A machine makes one; raise it where a proxy puts many machines \
                on one connection and makes them wait.",
        example: "256",
        taken_up_by: TakenUpBy::Door,
        from_text: number,
    },
    Key {
        name: "allow",
        about: "The networks whose machines may connect, such as [\"10.0.0.0/8\", \"2001:db8::/32\"]. If it names none, all may. \
                Connections from other networks are closed. In the environment, separate networks with commas.",
        example: "10.0.0.0/8,2001:db8::/32",
        taken_up_by: TakenUpBy::Door,
        from_text: networks,
    },
    Key {
        name: "tls",
        about: "Whether machines speak TLS: off; offered, to those that want it, on the same port; or required of all.",
        example: "offered",
        taken_up_by: TakenUpBy::Door,
        from_text: text,
    },
    Key {
        name: "tls_certificate",
        about: "The file of the certificate that machines are shown, in PEM, the host's own first. A relative path is in the data \
                directory.",
        example: "tls.pem",
        taken_up_by: TakenUpBy::Door,
        from_text: text,
    },
    Key {
        name: "tls_key",
        about: "The file of its private key, in PEM and without a passphrase.",
        example: "tls.key",
        taken_up_by: TakenUpBy::Door,
        from_text: text,
    },
    Key {
        name: "tls_client_ca",
        about: "If it names a file, every machine has to show a certificate that a CA in this file has signed. Only with tls = \
                \"required\".",
        example: "",
        taken_up_by: TakenUpBy::Door,
        from_text: text,
    },
    Key {
        name: "new_machines_per_source",
        about: "How many machines that the host does not know yet may enter in a day from one address, or one IPv6 /64. A machine \
                past it is told to ask again; those that are known are never refused. 0 is no limit.",
        example: "10000",
        taken_up_by: TakenUpBy::Fairness,
        from_text: number,
    },
    Key {
        name: "new_machines_per_site",
        about: "How many of them from all addresses together. The first few of each address, one in 4000 of this number, are \
                entered even past it, so that a few addresses cannot use it up for all.",
        example: "100000",
        taken_up_by: TakenUpBy::Fairness,
        from_text: number,
    },
    Key {
        name: "bad_asks_per_source",
        about: "How many asks of no use (malformed, badly signed, replayed, blocked, for a product that is not served, refused \
                as new) one address may send in a minute. Past it, only machines that are known are heard there. 0 is no limit.",
        example: "60000",
        taken_up_by: TakenUpBy::Fairness,
        from_text: number,
    },
    Key {
        name: "bad_asks_per_site",
        about: "How many of them all addresses together may send.",
        example: "3000000",
        taken_up_by: TakenUpBy::Fairness,
        from_text: number,
    },
    Key {
        name: "ledger",
        about: "What keeps the ledger on disk: sled, or fjall, which is smaller and ready sooner with more than a million machines. \
                A ledger stays on what it was made on, so set this before `kms-host init`, or name the file with its --config.",
        example: "sled",
        taken_up_by: TakenUpBy::Restart,
        from_text: text,
    },
    Key {
        name: "cache_mib",
        about: "How much of the ledger is kept in memory, in MiB. fjall keeps what was written last, up to some 64 MiB, besides.",
        example: "64",
        taken_up_by: TakenUpBy::Restart,
        from_text: number,
    },
    Key {
        name: "free_space_mib",
        about: "How much has to be free on the file system of the data directory, in MiB. With less, no machine is counted: it is \
                refused with DISK_FULL, before the disk is full, and the host goes on by itself once an eighth more than this is \
                free. 0 is to fill the disk, which stops the host.",
        example: "1024",
        taken_up_by: TakenUpBy::Space,
        from_text: number,
    },
    Key {
        name: "retention_days",
        about: "After how many days a machine that was not seen is forgotten. Nobody who is counted or blocked is, so it may not be \
                shorter than any product's count_window. 0 keeps every machine for ever.",
        example: "400",
        taken_up_by: TakenUpBy::Retention,
        from_text: number,
    },
    Key {
        name: "log_format",
        about: "How the log is written: text or json. --log-json on the command line goes before it.",
        example: "json",
        taken_up_by: TakenUpBy::Restart,
        from_text: text,
    },
    Key {
        name: "log",
        about: "What is logged: error, warn, info, debug, trace, off, or directives such as \"kms_host=debug,info\".",
        example: "kms_host=debug,info",
        taken_up_by: TakenUpBy::Log,
        from_text: text,
    },
];

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
        let when = match key.taken_up_by {
            TakenUpBy::Restart => "A change needs a restart.",
            TakenUpBy::Log
            | TakenUpBy::Space
            | TakenUpBy::Publishing
            | TakenUpBy::Door
            | TakenUpBy::Fairness
            | TakenUpBy::Retention => "A change is taken up on SIGHUP.",
        };
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

    /// A key without an entry would be in no sample, and have no environment variable.
    #[test]
    fn every_key_of_the_configuration_is_in_the_table_and_no_other() {
        let error = toml::from_str::<Config>("no-such-key = 1").unwrap_err().to_string();
        let expected = error.split("expected one of").nth(1).unwrap_or_else(|| panic!("{error}"));
        let known: Vec<_> = expected.split('`').skip(1).step_by(2).collect();
        assert_eq!(KEYS.map(|key| key.name).as_slice(), known);
    }

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
