//! How a client is made: what has to be said, what may be, and what the vendor can get wrong.
//!
//! Only here does this crate read and write while its caller waits; what is made is told in `client`.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use shared::ids::Fingerprint;
use shared::reason::Cause;
use shared::time::{Clock, Length};

use crate::client::Client;
use crate::clock::SystemClock;
use crate::discovery::Places;
use crate::home::Home;
use crate::hosts::HostNameError;
use crate::inspector::Inspector;
use crate::installation;
use crate::product::{Product, Terms};
use crate::shell::Shell;
use crate::snapshot::Snapshot;
#[cfg(feature = "tls")]
use crate::tls::Tls;
use crate::way::Ways;

/// What a client needs to know before it starts. Only the product and the state directory have to be given.
#[must_use]
pub struct Builder {
    product: Product,
    state_dir: Option<PathBuf>,
    fallback_dir: Option<PathBuf>,
    hosts: Vec<String>,
    domains: Vec<String>,
    name_server: Option<SocketAddr>,
    ways: Ways,
    fingerprint_source: Option<Vec<u8>>,
    clock: Option<Arc<dyn Clock>>,
}

impl Builder {
    pub(crate) fn new(product: Product) -> Builder {
        Builder {
            product,
            state_dir: None,
            fallback_dir: None,
            hosts: Vec::new(),
            domains: Vec::new(),
            name_server: None,
            ways: Ways::default(),
            fingerprint_source: None,
            clock: None,
        }
    }

    /// Where the state is kept; a folder for the product is made inside. The installer makes it, writable for whoever
    /// runs the product's service, readable for all.
    pub fn state_dir(mut self, path: impl Into<PathBuf>) -> Builder {
        self.state_dir = Some(path.into());
        self
    }

    /// A user's own directory, used when the first cannot be written. Each user then counts as a machine, and the
    /// snapshot says so.
    pub fn fallback_dir(mut self, path: impl Into<PathBuf>) -> Builder {
        self.fallback_dir = Some(path.into());
        self
    }

    /// Hosts to ask instead of looking in DNS: `name`, `name:port`, `[2001:db8::1]:port`. An administrator's file and
    /// the environment variable `KMS_HOSTS` go before them.
    pub fn hosts<H: Into<String>>(mut self, hosts: impl IntoIterator<Item = H>) -> Builder {
        self.hosts = hosts.into_iter().map(Into::into).collect();
        self
    }

    /// The domains in which to look for SRV records, instead of the machine's own and its search list.
    pub fn domains<D: Into<String>>(mut self, domains: impl IntoIterator<Item = D>) -> Builder {
        self.domains = domains.into_iter().map(Into::into).collect();
        self
    }

    /// The name server to ask instead of the system's; for tests. Only with feature `dns`.
    pub fn name_server(mut self, address: SocketAddr) -> Builder {
        self.name_server = Some(address);
        self
    }

    /// Asks hosts by TLS, and never without. Where this is not said, the environment variable `KMS_TLS_CA` may say it.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: Tls) -> Builder {
        self.ways.tls = Some(tls);
        self
    }

    /// What tells this installation from its copies, where the operating system has no machine id that every user can
    /// read (macOS, Windows), or in a test. Only a keyed hash of it leaves the machine. No bytes say that nothing does:
    /// such machines are not taken for copies of each other.
    pub fn fingerprint_source(mut self, bytes: impl Into<Vec<u8>>) -> Builder {
        self.fingerprint_source = Some(bytes.into());
        self
    }

    /// The clock, for a test that moves it.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Builder {
        self.clock = Some(clock);
        self
    }

    /// Opens the state, or begins it: grace runs from here on. This reads and writes a few small files; nothing is
    /// asked.
    ///
    /// A directory that cannot be written is no error: the product runs, and the snapshot says what follows.
    ///
    /// # Errors
    /// A mistake that the vendor has to mend, or another process has been making the state for two seconds.
    pub fn build(self) -> Result<Client, BuildError> {
        let Parts { terms, places, state_dir, fallback_dir, clock, ways } = self.parts()?;
        let home = Arc::new(Home::open(&state_dir, fallback_dir.as_deref(), terms.id));
        let installation =
            installation::open(&home, &Arc::new(terms), clock.now()).map_err(BuildError::State)?;
        Ok(Client { shell: Arc::new(Shell::new(installation, clock, places, ways)) })
    }

    /// Looks at the state on the disk, for a tool beside the product. Nothing is made or written.
    ///
    /// # Errors
    /// A mistake that the vendor has to mend.
    pub fn inspect(self) -> Result<Inspector, BuildError> {
        let Parts { terms, places, state_dir, fallback_dir, clock, .. } = self.parts()?;
        let home = Arc::new(Home::look(&state_dir, fallback_dir.as_deref(), terms.id));
        let installation = installation::read_only(&home, &Arc::new(terms), clock.now());
        let snapshot = Snapshot::of(&installation, clock.now());
        Ok(Inspector { home, places, snapshot })
    }

    /// Checks what was set.
    fn parts(self) -> Result<Parts, BuildError> {
        let fingerprint = self.fingerprint_source.as_ref().map(|source| {
            let given = Some(source).filter(|source| !source.is_empty());
            given.map_or(Fingerprint::NONE, |id| Fingerprint::of_machine(self.product.product_id(), id))
        });
        let terms = self.product.check(fingerprint)?;
        let hosts = self.hosts.iter().map(|host| host.parse()).collect::<Result<_, _>>();
        let places = Places {
            hosts: hosts.map_err(BuildError::Host)?,
            domains: self.domains,
            name_server: self.name_server,
            service_label: self.product.service_label.to_owned(),
        };
        Ok(Parts {
            terms,
            places,
            state_dir: self.state_dir.ok_or(BuildError::NoStateDir)?,
            fallback_dir: self.fallback_dir,
            clock: self.clock.unwrap_or_else(|| Arc::new(SystemClock::new())),
            ways: self.ways,
        })
    }
}

/// The parts of a client or an inspector.
struct Parts {
    terms: Terms,
    places: Places,
    state_dir: PathBuf,
    fallback_dir: Option<PathBuf>,
    clock: Arc<dyn Clock>,
    ways: Ways,
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
            BuildError::State(cause) => write!(f, "{cause}; {}", cause.remedy()),
        }
    }
}

impl std::error::Error for BuildError {}
