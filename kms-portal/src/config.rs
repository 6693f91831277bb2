//! The portal's settings: `kms-portal.toml` and the environment. [`server::settings`](mod@server::settings) reads file, environment and
//! command line.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserializer;
use server::accept::DoorSettings;
use server::fixable::FixableError;
use server::listen;
use server::network::Network;
use server::settings::values::{
    LogFormat, addresses, check_listen, check_log, networks, networks_in_file, number, text, with_example,
};
use server::settings::{self, Key, SettingFault, SettingNames, SettingTable};
use server::tls::{Tls, TlsFiles, TlsMode};
use shared::fair::Rate;
use shared::portal_address::PORTAL_PORT;

use crate::outbox::mail::{MailServer, MailServerUrl, sender};
use crate::web_address::WebAddress;

/// The name of the file in a data directory.
pub const FILE_NAME: &str = "kms-portal.toml";

/// The data directory of the portal that a package installs.
pub const USUAL_PATH: &str = "/var/lib/kms-portal";

/// The TLS certificate that `init` makes, and its key.
pub(crate) const TLS_CERTIFICATE: &str = "tls.pem";
pub(crate) const TLS_KEY: &str = "tls.key";

/// The port of staff in every example, and of an address for staff that names none.
pub const STAFF_PORT: u16 = 21691;

/// How many connections staff may hold at once. A command makes one.
const STAFF_CONNECTIONS: usize = 256;

/// How many wrong tokens all addresses together may send in a day. A token has 256 random bits: the limit is for the database's sake.
const WRONG_TOKENS: u64 = 1_000_000;

/// The port of the pages in every example.
pub const WEB_PORT: u16 = 21692;

/// How many connections browsers may hold at once. A browser makes six at most.
const WEB_CONNECTIONS: usize = 4_096;

/// How many of them one address may hold: a whole company may be behind one.
const WEB_CONNECTIONS_PER_ADDRESS: usize = 1_024;

/// A larger rate a day would limit nobody.
const LARGEST_RATE: i64 = 1_000_000_000;

/// Where the portal's settings are read.
pub type PortalSettingSources = settings::SettingSources<PortalConfig>;

/// The portal's settings that apply, and the origin of each.
pub type PortalSettings = settings::Settings<PortalConfig>;

server::settings! {
    /// The settings of a portal.
    pub struct PortalConfig;

    /// Addresses on which the portal serves hosts and machines. `[::]` takes IPv4 too, unless an IPv4 address with the same port is
    /// listed. In the environment, separate addresses with commas. --listen on the command line overrides both.
    #[serde(deserialize_with = "addresses_in_file")]
    listen: Vec<SocketAddr> = vec![SocketAddr::from(([0_u16; 8], PORTAL_PORT))], addresses, "[::]:21690", at restart;
    /// Addresses on which the portal serves the vendor's own people and programs, by TLS and with tokens (`kms-portal token issue`). If
    /// the list is empty, only the socket in the data directory serves them. In the environment, separate addresses with commas.
    #[serde(deserialize_with = "staff_addresses_in_file")]
    staff_listen: Vec<SocketAddr> = Vec::new(), addresses, "[::]:21691", at restart;
    /// Networks from which staff may connect, such as `["10.0.0.0/8"]`. If the list is empty, all may. In the environment, separate
    /// networks with commas.
    #[serde(deserialize_with = "networks_in_file")]
    staff_allow: Vec<Network> = Vec::new(), networks, "10.0.0.0/8", at reload;
    /// Networks that may connect, such as `["10.0.0.0/8", "2001:db8::/32"]`. If the list is empty, all may. In the environment,
    /// separate networks with commas.
    #[serde(deserialize_with = "networks_in_file")]
    allow: Vec<Network> = Vec::new(), networks, "10.0.0.0/8,2001:db8::/32", at reload;
    /// Addresses on which the portal serves pages for people, and the HTTP API. If the list is empty, nobody has pages. In the
    /// environment, separate addresses with commas.
    #[serde(deserialize_with = "web_addresses_in_file")]
    web_listen: Vec<SocketAddr> = Vec::new(), addresses, "[::]:21692", at restart;
    /// Address of the pages as people type it and as mails name it. It begins with https://, or with http://localhost for a trial.
    web_url: String = String::new(), text, "https://licenses.example.com", at restart;
    /// Page of the vendor's billing, to which administrators of organisations are sent to buy and to pay. `{organisation}` and `{offer}`
    /// in it stand for what it is about. If it is empty, they are told to ask the vendor.
    billing_url: String = String::new(), text, "https://shop.example.com/buy?offer={offer}&customer={organisation}", at restart;
    /// TLS of the pages: `required`, with the files of `tls_certificate` and `tls_key`, or `off` behind a proxy that has TLS and runs on
    /// the same machine. If `web_url` begins with http://, there is none.
    web_tls: TlsMode = TlsMode::Required, text, "off", at restart;
    /// Networks from which people may connect, such as `["10.0.0.0/8"]`. If the list is empty, all may. In the environment, separate
    /// networks with commas.
    #[serde(deserialize_with = "networks_in_file")]
    web_allow: Vec<Network> = Vec::new(), networks, "10.0.0.0/8", at reload;
    /// Server that takes the portal's mail: smtps://HOST, or smtp://HOST for one that turns to TLS (STARTTLS). On the same machine, smtp://
    /// is in the clear. If it is empty, mails stay in the outbox (`kms-portal outbox list`).
    smtp_url: String = String::new(), text, "smtps://mail.example.com", at restart;
    /// File with what that server wants to see: the name on the first line, the password on the second. A relative path is in the data
    /// directory. If it is empty, the server wants nothing.
    smtp_credentials: PathBuf = PathBuf::new(), text, "smtp.credentials", at restart;
    /// Address that mails are from, with or without a name in front of it.
    mail_from: String = String::new(), text, "Example Licenses <licenses@example.com>", at restart;
    /// URL of the PostgreSQL database, which several portals may share. Empty for the file portal.db in the data directory. A password
    /// belongs in the environment or in a file that only the portal's user can read.
    database: String = String::new(), text, "postgres://portal@db.example.com/portal", at restart;
    /// Directory with `issuing.key`, `code.key` and `pepper`, such as one that systemd or a secret store fills while the portal runs. A
    /// relative path is in the data directory. If it is empty, they are in the data directory itself.
    secrets: PathBuf = PathBuf::new(), text, "/run/credentials/kms-portal.service", at restart;
    /// File with the TLS certificate that hosts and machines are shown, in PEM, the portal's own first. A relative path is in the data
    /// directory. `kms-portal init` makes one.
    tls_certificate: PathBuf = PathBuf::from(TLS_CERTIFICATE), text, "tls.pem", at reload;
    /// File with the private key of that certificate, in PEM and without a passphrase.
    tls_key: PathBuf = PathBuf::from(TLS_KEY), text, "tls.key", at reload;
    /// Number of connections that hosts and machines may hold at once. 0 is as many as the descriptors allow, 65536 at most.
    connections: usize = 0, number, "10000", at reload;
    /// Number of connections that one address, or one IPv6 /64, may hold. 0 is three quarters of all.
    connections_per_address: usize = 0, number, "2500", at reload;
    /// Number of calls that one connection may have open at once. Hosts and machines make one.
    calls_per_connection: u32 = 8, number, "64", at reload, from 1 to 1024;
    /// Number of wrong keys that one address, or one IPv6 /64, may send in a day. Beyond that, every key from there is refused with a
    /// retry delay. A whole company may be behind one address, with one key that was withdrawn. 0 is no limit.
    // A key has 80 random bits, so even millions of guesses a day find none. The limit keeps guesses away from the database.
    wrong_keys_per_source: u64 = 1_000, number, "1000", at restart, from 0 to LARGEST_RATE;
    /// Number of wrong keys that all addresses together may send in a day. Each address has a guaranteed share of one in 4000 of this
    /// number, so that a few addresses cannot use it up for all. 0 is no limit.
    wrong_keys: u64 = 1_000_000, number, "1000000", at restart, from 0 to LARGEST_RATE;
    /// Number of wrong tokens of staff that one address, or one IPv6 /64, may send in a day. Beyond that, every token from there is
    /// refused with a retry delay. 0 is no limit.
    wrong_tokens_per_source: u64 = 100, number, "100", at restart, from 0 to LARGEST_RATE;
    /// Format of the log: text or json. --log-json on the command line overrides it.
    log_format: LogFormat = LogFormat::Text, text, "json", at restart;
    /// Level of the log: error, warn, info, debug, trace, off, or directives such as "kms_portal=debug,info".
    log: String = "info".to_owned(), text, "kms_portal=debug,info", at reload;
}

impl SettingTable for PortalConfig {
    const NAMES: SettingNames = SettingNames {
        program: "kms-portal",
        file: FILE_NAME,
        usual_data: USUAL_PATH,
        packaged_file: "/etc/kms-portal/kms-portal.toml",
        prefix: "KMS_PORTAL_",
        of_command_line: &["KMS_PORTAL_DATA", "KMS_PORTAL_URL", "KMS_PORTAL_TOKEN_FILE", "KMS_PORTAL_CA"],
    };

    const KEYS: &'static [Key] = KEYS;

    fn check(&self) -> Result<(), SettingFault> {
        check_listen(&self.listen, PORTAL_PORT)?;
        listen::check(&self.listen.iter().chain(&self.staff_listen).copied().collect::<Vec<_>>())
            .map_err(|fault| ("staff_listen", format!("with the addresses of `staff_listen`, {fault}")))?;
        let all = self.listen.iter().chain(&self.staff_listen).chain(&self.web_listen);
        listen::check(&all.copied().collect::<Vec<_>>())
            .map_err(|fault| ("web_listen", format!("with the addresses of `web_listen`, {fault}")))?;
        self.check_web()?;
        self.check_mail()?;
        self.check_bounds()?;
        self.door().check()?;
        let is_postgres =
            ["postgres://", "postgresql://"].iter().any(|scheme| self.database.starts_with(scheme));
        if !self.database.is_empty() && !is_postgres {
            // It may have a password in it, so it is not repeated.
            let fault = "`database` is no URL such as \"postgres://portal@db.example.com/portal\"";
            return Err(("database", fault.to_owned()));
        }
        check_log(&self.log, "kms_portal=debug,info")
    }
}

impl PortalConfig {
    /// The settings of the door.
    pub fn door(&self) -> DoorSettings {
        DoorSettings {
            connections: self.connections,
            connections_per_address: self.connections_per_address,
            calls_per_connection: self.calls_per_connection,
            allow: self.allow.clone(),
        }
    }

    /// The settings of the door for staff.
    pub fn staff_door(&self) -> DoorSettings {
        DoorSettings {
            connections: STAFF_CONNECTIONS,
            connections_per_address: STAFF_CONNECTIONS,
            calls_per_connection: self.calls_per_connection,
            allow: self.staff_allow.clone(),
        }
    }

    /// The settings of the door for browsers.
    pub fn web_door(&self) -> DoorSettings {
        DoorSettings {
            connections: WEB_CONNECTIONS,
            connections_per_address: WEB_CONNECTIONS_PER_ADDRESS,
            calls_per_connection: self.calls_per_connection,
            allow: self.web_allow.clone(),
        }
    }

    /// The address of the pages; none if there are none.
    pub fn web_address(&self) -> Option<WebAddress> {
        if self.web_listen.is_empty() { None } else { WebAddress::new(&self.web_url) }
    }

    /// TLS of the pages, from the files of TLS.
    pub fn web_tls(&self, tls: Tls) -> Tls {
        let in_the_clear =
            self.web_tls == TlsMode::Off || self.web_address().is_some_and(|address| !address.is_secure());
        if in_the_clear { Tls::Off } else { tls.for_pages() }
    }

    fn check_web(&self) -> Result<(), SettingFault> {
        if self.web_tls == TlsMode::Offered {
            return Err(("web_tls", "`web_tls` is \"required\" or \"off\"".to_owned()));
        }
        let is_web = ["https://", "http://"].iter().any(|scheme| self.billing_url.starts_with(scheme));
        if !self.billing_url.is_empty() && !is_web {
            return Err(("billing_url", "`billing_url` begins with https:// or http://".to_owned()));
        }
        if self.web_listen.is_empty() && self.web_url.is_empty() || WebAddress::new(&self.web_url).is_some() {
            return Ok(());
        }
        let fault = format!(
            "`web_url` is {:?}; it has to be an address such as \"https://licenses.example.com\" without a path, or \
             \"http://localhost:{WEB_PORT}\" for a trial",
            self.web_url
        );
        Err(("web_url", fault))
    }

    /// The server that takes mail; none if there is none. A relative path is in this directory.
    pub fn mail_server(&self, data: &Path) -> Option<MailServer> {
        let credentials = &self.smtp_credentials;
        let credentials = (!credentials.as_os_str().is_empty()).then(|| data.join(credentials));
        MailServer::new(&self.smtp_url, credentials, &self.mail_from)
    }

    fn check_mail(&self) -> Result<(), SettingFault> {
        let PortalConfig { smtp_url, mail_from, .. } = self;
        if !smtp_url.is_empty() && MailServerUrl::new(smtp_url).is_none() {
            // It may have a password in it, so it is not repeated.
            let fault = "`smtp_url` is no address such as \"smtps://mail.example.com\"; a password belongs in the file of `smtp_credentials`";
            return Err(("smtp_url", fault.to_owned()));
        }
        if (smtp_url.is_empty() && mail_from.is_empty()) || sender(mail_from).is_some() {
            return Ok(());
        }
        let fault = format!(
            "`mail_from` is {mail_from:?}; it has to be an address such as \"Example Licenses <licenses@example.com>\""
        );
        Err(("mail_from", fault))
    }

    /// The limits on wrong tokens: of one address, and of all.
    pub fn wrong_tokens(&self) -> [Rate; 2] {
        [Rate::a_day(self.wrong_tokens_per_source), Rate::a_day(WRONG_TOKENS)]
    }

    /// The limits on wrong keys: of one address, and of all.
    pub fn wrong_keys(&self) -> [Rate; 2] {
        [Rate::a_day(self.wrong_keys_per_source), Rate::a_day(self.wrong_keys)]
    }

    /// Reads the files of TLS, without which nobody is served. A relative path is in this directory.
    ///
    /// # Errors
    /// The first file that cannot be used.
    pub fn read_tls(&self, data: &Path) -> Result<Tls, FixableError> {
        let (certificate, key) = (self.tls_certificate.as_path(), self.tls_key.as_path());
        Tls::read(TlsMode::Required, &TlsFiles { certificate, key, client_ca: Path::new("") }, data)
    }
}

fn addresses_in_file<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<SocketAddr>, D::Error> {
    with_example(from, "listen = [\"[::]:21690\"]; names are not looked up")
}

fn staff_addresses_in_file<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<SocketAddr>, D::Error> {
    with_example(from, "staff_listen = [\"[::]:21691\"]; names are not looked up")
}

fn web_addresses_in_file<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<SocketAddr>, D::Error> {
    with_example(from, "web_listen = [\"[::]:21692\"]; names are not looked up")
}

/// A file with every setting, explained and at its default.
pub fn sample() -> String {
    settings::sample::<PortalConfig>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_holds_and_every_key_is_explained() {
        let pages = PortalConfig {
            web_url: "https://x.example".to_owned(),
            mail_from: "a@x.example".to_owned(),
            ..PortalConfig::default()
        };
        for key in KEYS {
            let config = key.set(&pages, key.example).unwrap();
            config.check().unwrap();
            assert!(key.about.ends_with('.'), "{}: a paragraph", key.name);
        }
        assert_eq!(
            toml::from_str::<PortalConfig>(&sample()).unwrap().values(),
            PortalConfig::default().values()
        );
    }

    /// The host refused it, and the portal took it for a limit.
    #[test]
    fn one_address_cannot_hold_more_connections_than_all() {
        let check = |connections, connections_per_address| {
            PortalConfig { connections, connections_per_address, ..PortalConfig::default() }.check()
        };
        assert_eq!(check(9, 10).unwrap_err().0, "connections_per_address");
        for right in [check(10, 10), check(0, 10), check(10, 0)] {
            right.unwrap();
        }
    }

    #[test]
    fn pages_need_an_address_that_browsers_trust() {
        let check = |web_url: &str| {
            let web_listen = vec![SocketAddr::from(([127, 0, 0, 1], WEB_PORT))];
            PortalConfig { web_listen, web_url: web_url.to_owned(), ..PortalConfig::default() }.check()
        };
        for right in ["https://licenses.example.com", "http://localhost:21692", "https://[2001:db8::1]:8443"]
        {
            check(right).unwrap();
        }
        for wrong in ["", "licenses.example.com", "http://licenses.example.com", "https://x.example/portal"] {
            assert_eq!(check(wrong).unwrap_err().0, "web_url", "{wrong}");
        }
    }

    #[test]
    fn mail_needs_a_server_and_a_sender_and_what_is_wrong_does_not_show_a_password() {
        let check = |smtp_url: &str, mail_from: &str| {
            let (smtp_url, mail_from) = (smtp_url.to_owned(), mail_from.to_owned());
            PortalConfig { smtp_url, mail_from, ..PortalConfig::default() }.check()
        };
        check("smtps://mail.example.com", "Licenses <a@x.example>").unwrap();
        check("", "a@x.example").unwrap();
        assert_eq!(check("smtps://mail.example.com", "").unwrap_err().0, "mail_from");
        let (key, fault) = check("smtps://a:secret@mail.example.com", "a@x.example").unwrap_err();
        assert!(key == "smtp_url" && !fault.contains("secret"), "{fault}");
    }

    #[test]
    fn a_database_is_a_url_and_what_is_wrong_with_it_does_not_show_its_password() {
        let config = PortalConfig {
            database: "mysql://portal:secret@db/portal".to_owned(),
            ..PortalConfig::default()
        };
        let (key, fault) = config.check().unwrap_err();
        assert!(key == "database" && !fault.contains("secret"), "{fault}");
    }
}
