//! How a client is built: what has to be set, what may be set, and what the vendor can get wrong.
//!
//! Only here does this crate read and write while its caller waits.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use shared::certificate::Roots;
#[cfg(feature = "codes")]
use shared::codes::CodeKey;
use shared::ids::{Fingerprint, OrganisationId};
use shared::policy::check_grace;
use shared::reason::Cause;
#[cfg(feature = "codes")]
use shared::telephones::{Telephones, TelephonesError};
use shared::time::{Clock, Length};
use wire::SystemClock;

#[cfg(feature = "codes")]
use crate::codes::InstallationCode;
use crate::discovery::{Candidate, Places, Source};
use crate::home::Home;
use crate::hosts::HostNameError;
use crate::inspector::Inspector;
#[cfg(feature = "keys")]
use crate::product::KeyTerms;
use crate::product::{Product, Terms};
use crate::shell::Shell;
use crate::snapshot::Snapshot;
use crate::way::Ways;
use crate::{fingerprint, installation};
#[cfg(feature = "keys")]
use shared::parts::HardwareParts;
#[cfg(feature = "keys")]
use shared::product_key::{KeyError, KeyKind, ProductKey};
#[cfg(feature = "tls")]
use wire::Tls;
#[cfg(feature = "keys")]
use wire::portal::BadPortalAddress;

use super::Client;

/// The longest edition, in bytes. A host takes an ask with a longer one for malformed.
const EDITION_MAX_BYTES: usize = 64;

/// What a client needs to know before it starts. Only the product and the state directory have to be given.
#[must_use]
pub struct Builder {
    product: Product,
    state_dir: Option<PathBuf>,
    fallback_dir: Option<PathBuf>,
    hosts: Result<Vec<Candidate>, HostNameError>,
    places: Places,
    ways: Ways,
    fingerprint: Option<Fingerprint>,
    #[cfg(feature = "keys")]
    key: Option<Result<ProductKey, KeyError>>,
    #[cfg(feature = "keys")]
    hardware: Option<HardwareParts>,
    clock: Arc<dyn Clock>,
}

impl Builder {
    pub(crate) fn new(product: Product) -> Builder {
        Builder {
            product,
            state_dir: None,
            fallback_dir: None,
            hosts: Ok(Vec::new()),
            places: Places { service_label: product.service_label.to_owned(), ..Places::default() },
            ways: Ways::default(),
            fingerprint: None,
            #[cfg(feature = "keys")]
            key: None,
            #[cfg(feature = "keys")]
            hardware: None,
            clock: Arc::new(SystemClock::new()),
        }
    }

    /// The directory for the state; the product gets a folder inside. The installer makes it, writable for the user of
    /// the product's service and readable for all.
    pub fn state_dir(mut self, path: impl Into<PathBuf>) -> Builder {
        self.state_dir = Some(path.into());
        self
    }

    /// A user's own directory, used if the first cannot be written. Each user then counts as a machine, and the
    /// snapshot says so.
    pub fn fallback_dir(mut self, path: impl Into<PathBuf>) -> Builder {
        self.fallback_dir = Some(path.into());
        self
    }

    /// Hosts to ask instead of looking in DNS: `name`, `name:port`, `[2001:db8::1]:port`. An administrator's file and
    /// the environment variable `KMS_HOSTS` go before them.
    pub fn hosts<H: Into<String>>(self, hosts: impl IntoIterator<Item = H>) -> Builder {
        self.name_hosts(Source::Code, hosts.into_iter().map(Into::into))
    }

    /// Like [`hosts`](Builder::hosts), for a tool whose user named them: they are shown as such.
    pub fn command_line_hosts<H: Into<String>>(self, hosts: impl IntoIterator<Item = H>) -> Builder {
        self.name_hosts(Source::CommandLine, hosts.into_iter().map(Into::into))
    }

    fn name_hosts(mut self, source: Source, hosts: impl Iterator<Item = String>) -> Builder {
        let candidate = |host: String| Ok(Candidate { host: host.parse()?, source: source.clone() });
        self.hosts = hosts.map(candidate).collect();
        self
    }

    /// The domains to search for SRV records, instead of the machine's own and its search list.
    pub fn domains<D: Into<String>>(mut self, domains: impl IntoIterator<Item = D>) -> Builder {
        self.places.domains = domains.into_iter().map(Into::into).collect();
        self
    }

    /// The name server to ask instead of the system's; for tests. Only with feature `dns`.
    pub fn name_server(mut self, address: SocketAddr) -> Builder {
        self.places.name_server = Some(address);
        self
    }

    /// Asks hosts by TLS, and never without.
    ///
    /// The CA belongs to the organisation, so a product has to ask for its file. A product that does not ask leaves it to the
    /// administrator, who names the files in the environment: `KMS_TLS_CA`, and `KMS_TLS_CERTIFICATE` and `KMS_TLS_KEY` if hosts
    /// demand a certificate of each machine.
    ///
    /// The files are read in every round. If they cannot be used, that round fails with `TLS_FILES_BAD`.
    ///
    /// ```no_run
    /// use kms_client::{Client, Product, Tls};
    ///
    /// # const EDITOR: Product = Product::new([0x0b; 16], "Editor", [[0x1c; 32], [0x2d; 32]]);
    /// # fn main() -> Result<(), kms_client::BuildError> {
    /// let tls = Tls::from_file("/etc/ssl/certs/corp-ca.pem");
    /// let license = Client::builder(EDITOR).state_dir("/var/lib/editor").tls(tls).build()?;
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: Tls) -> Builder {
        self.ways.tls = Some(tls);
        self
    }

    /// What tells this installation from its copies. Set it if the operating system has no machine id that every user can
    /// read (macOS, Windows), or in a test. Only a keyed hash of it leaves the machine. Empty bytes mean that there is no
    /// such mark: no copy is recognised by it.
    pub fn fingerprint_source(mut self, bytes: impl Into<Vec<u8>>) -> Builder {
        self.fingerprint = Some(match &*bytes.into() {
            [] => Fingerprint::NONE,
            id => Fingerprint::of_machine(self.product.product_id(), id),
        });
        self
    }

    /// The product key (a multiple-activation key) that licenses this machine in place of hosts. It is entered at each start, if
    /// another one or none is; [`Client::set_key`] enters one for good.
    #[cfg(feature = "keys")]
    pub fn key(mut self, text: &str) -> Builder {
        let key: Result<ProductKey, KeyError> = text.parse();
        let product = self.product.product_id();
        self.key = Some(key.and_then(|key| key.check(KeyKind::MultipleActivation, product).map(|()| key)));
        self
    }

    /// The serial numbers of this machine's mainboard and system disk, and the UUID of its firmware; empty text for what is not
    /// known. Set it if the product cannot read them from Linux's files, or in a test. They are hashed, and go to the vendor's portal
    /// only.
    #[cfg(feature = "keys")]
    pub fn hardware_source(mut self, board: &str, disk: &str, firmware: &str) -> Builder {
        self.hardware = Some(HardwareParts::of_machine(self.product.product_id(), board, disk, firmware));
        self
    }

    /// The clock, for a test that moves it.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Builder {
        self.clock = clock;
        self
    }

    /// Opens the state, or begins it: grace runs from here on. This reads and writes a few small files, and asks no host.
    ///
    /// A directory that cannot be written is no error: the product runs, and the snapshot says what follows.
    ///
    /// # Errors
    /// A mistake that the vendor has to mend, or another process has been making the state for two seconds.
    pub fn build(self) -> Result<Client, BuildError> {
        let (terms, places) = self.check()?;
        let state_dir = self.state_dir.as_deref().ok_or(BuildError::NoStateDir)?;
        let home = Arc::new(Home::open(state_dir, self.fallback_dir.as_deref(), terms.id));
        let installation = installation::open(&home, &terms, self.clock.now()).map_err(BuildError::State)?;
        Ok(Client { shell: Arc::new(Shell::new(installation, self.clock, places, self.ways)) })
    }

    /// Looks at the state on the disk, for a tool beside the product. This makes and writes nothing.
    ///
    /// # Errors
    /// A mistake that the vendor has to mend.
    pub fn inspect(self) -> Result<Inspector, BuildError> {
        let (terms, places) = self.check()?;
        let state_dir = self.state_dir.as_deref().ok_or(BuildError::NoStateDir)?;
        let home = Arc::new(Home::look(state_dir, self.fallback_dir.as_deref(), terms.id));
        let installation = installation::read_only(&home, &terms, self.clock.now());
        let now = self.clock.now();
        let snapshot = Snapshot::of(&installation, now);
        Ok(Inspector {
            home,
            places,
            snapshot,
            #[cfg(feature = "codes")]
            installation_id: installation.installation_id(now).map(InstallationCode),
            #[cfg(feature = "keys")]
            terms,
        })
    }

    /// Checks what was set: what holds for the product, and where its hosts are named.
    pub(crate) fn check(&self) -> Result<(Arc<Terms>, Places), BuildError> {
        let Product { setup, edition, .. } = self.product;
        check_grace(setup.grace).map_err(|_| BuildError::Grace { grace: setup.grace })?;
        let roots = self.product.roots.iter().map(<[u8; 32]>::as_slice);
        let roots = Roots::new(roots).map_err(|_| BuildError::Roots)?;
        if EDITION_MAX_BYTES < edition.len() {
            return Err(BuildError::Edition);
        }
        let id = self.product.product_id();
        let terms = Terms {
            id,
            setup,
            edition,
            organisation: self.product.organisation.map(OrganisationId::from_bytes),
            fingerprint: self.fingerprint.unwrap_or_else(|| fingerprint::of_this_machine(id)),
            #[cfg(feature = "keys")]
            keys: self.key_terms()?,
            #[cfg(feature = "codes")]
            code_keys: self.code_keys(&roots)?,
            #[cfg(feature = "codes")]
            telephones: self.telephones(&roots)?,
            roots,
        };
        let hosts = self.hosts.clone().map_err(BuildError::Host)?;
        Ok((Arc::new(terms), Places { hosts, ..self.places.clone() }))
    }
}

#[cfg(feature = "keys")]
impl Builder {
    fn key_terms(&self) -> Result<KeyTerms, BuildError> {
        let tls = self.product.portal_ca.map_or_else(Tls::of_system, Tls::new);
        let portal = self.product.portal.map(|address| address.parse().map(|address| (address, tls)));
        Ok(KeyTerms {
            portal: portal.transpose().map_err(BuildError::Portal)?,
            key: self.key.clone().transpose().map_err(|error| BuildError::Key(error.into()))?,
            hardware: self.hardware,
        })
    }

    #[cfg(feature = "codes")]
    fn telephones(&self, roots: &Roots) -> Result<Option<Arc<Telephones>>, BuildError> {
        let verify = |signed| Telephones::verify(signed, roots, self.product.product_id()).map(Arc::new);
        self.product.telephones.map(verify).transpose().map_err(BuildError::Telephones)
    }

    #[cfg(feature = "codes")]
    fn code_keys(&self, roots: &Roots) -> Result<Vec<CodeKey>, BuildError> {
        let numbered = self.product.code_keys.iter().zip(1..);
        let verified = numbered.map(|(certificate, number)| {
            // A key for tests confirms, and the snapshot says that it is a test.
            CodeKey::verify(certificate, roots, self.product.product_id(), true)
                .map_err(|error| BuildError::CodeKey { number, error: error.to_string() })
        });
        verified.collect()
    }
}

/// A client cannot be built.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// The product's grace is longer than 60 days.
    Grace {
        /// What it is.
        grace: Duration,
    },
    /// A pinned root is no public key.
    Roots,
    /// The edition is longer than 64 bytes.
    Edition,
    /// A host is named in a way that cannot be read.
    Host(HostNameError),
    /// No state directory was given.
    NoStateDir,
    /// The state cannot be opened.
    State(Cause),
    /// The address of the product's portal is none.
    #[cfg(feature = "keys")]
    Portal(BadPortalAddress),
    /// The product key of [`Builder::key`] is none, or one for something else.
    #[cfg(feature = "keys")]
    Key(Cause),
    /// A certificate of [`Product::with_code_keys`] does not hold: no pinned root has signed it, or it is for other products.
    #[cfg(feature = "codes")]
    CodeKey {
        /// Which one, the first being 1.
        number: usize,
        /// What is wrong with it.
        error: String,
    },
    /// The numbers of [`Product::with_telephones`] do not hold: no pinned root has signed them, or they are for other products.
    #[cfg(feature = "codes")]
    Telephones(TelephonesError),
    /// The thread of a blocking client, or its event queue, cannot be started.
    Thread(String),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BuildError::Grace { grace } => {
                write!(f, "the product's grace is {}, and may not be above 60 d", Length(*grace))
            }
            BuildError::Roots => f.write_str("the product's pinned roots are not two public keys of Ed25519"),
            BuildError::Edition => f.write_str("the product's edition is longer than 64 bytes"),
            BuildError::Host(error) => write!(f, "{error}"),
            BuildError::NoStateDir => f.write_str("no state directory: give one with `.state_dir(path)`"),
            #[cfg(feature = "keys")]
            BuildError::Portal(error) => write!(f, "the product's portal: {error}"),
            #[cfg(feature = "keys")]
            BuildError::Key(cause) => write!(f, "{cause}; {}", cause.remedy()),
            #[cfg(feature = "codes")]
            BuildError::CodeKey { number, error } => {
                write!(f, "certificate {number} of the product's code keys: {error}")
            }
            #[cfg(feature = "codes")]
            BuildError::Telephones(error) => write!(f, "the product's telephone numbers: {error}"),
            BuildError::State(cause) => write!(f, "{cause}; {}", cause.remedy()),
            BuildError::Thread(error) => write!(f, "the license thread cannot be started: {error}"),
        }
    }
}

impl std::error::Error for BuildError {}
