//! The data directory: the signing key, the request for the vendor, certificates, the ledger, the socket, and the audit log.
//!
//! Each file is written whole and durably before it gets its name. A key or a ledger is never overwritten. A certificate replaces only
//! itself, and a request is replaced by one that fits the key. `home/error.rs` has what can be wrong here, `home/certificates.rs` reads
//! and installs certificates, `home/backup.rs` makes and restores backups. The audit log is in the crate `server`, the meaning of
//! certificates in `certificates.rs`, and the content of the ledger in the crate `ledger`.

mod backup;
mod certificates;
mod error;
mod presence;
mod revocations;

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ledger::{Engine, Ledger, OpenError, Salvaged};
use rand::{CryptoRng, RngExt};
use server::fixable::FixableError;
use shared::envelope::SecretKey;
use shared::files::{self, HOST_SIGNING_KEY, HostRequest};
use shared::ids::{HostId, LedgerId};
use shared::record::Meta;
use store::{file, regular};
use zeroize::Zeroizing;

use crate::certificates::Certificates;

pub use backup::Carried;
pub use certificates::Put;
pub use error::HomeError;
pub use presence::Presence;
pub use revocations::TakenUp;

/// The data directory of the host that a package installs.
pub const USUAL_PATH: &str = "/var/lib/kms-host";

/// The width of an hour in every ledger but a test's.
pub const HOUR_MS: u64 = 3_600_000;

/// A ledger that is only made or looked at needs no cache to speak of.
const CREATION_CACHE_BYTES: u64 = 4 << 20;

/// What [`Home::init`] has made. Everything else existed and is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Made {
    /// The host.
    pub host: HostId,
    /// A ledger, in which the count begins at zero.
    pub ledger: bool,
    /// A signing key, so this is a new host without a certificate.
    pub key: bool,
    /// A request for the vendor.
    pub request: bool,
}

impl Made {
    /// Nothing was missing.
    pub fn nothing(host: HostId) -> Made {
        Made { host, ledger: false, key: false, request: false }
    }
}

/// A host's data directory.
#[derive(Clone, Debug)]
pub struct Home(PathBuf);

impl Home {
    /// The directory at this path. It need not exist yet.
    pub fn at(path: impl Into<PathBuf>) -> Home {
        Home(path.into())
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The file to send to the vendor.
    pub fn request_path(&self) -> PathBuf {
        self.0.join("host-request.pem")
    }

    /// The socket for administrators.
    pub fn socket_path(&self) -> PathBuf {
        self.0.join("admin.sock")
    }

    /// The audit log.
    pub fn audit_path(&self) -> PathBuf {
        self.0.join("audit.jsonl")
    }

    pub(crate) fn key_path(&self) -> PathBuf {
        self.0.join("signing.key")
    }

    fn certificates_path(&self) -> PathBuf {
        self.0.join("certificates")
    }

    fn ledger_path(&self) -> PathBuf {
        self.0.join("ledger")
    }

    /// Makes the missing parts of a host: its ledger, its signing key and the request for the vendor, in this order, so that a
    /// request always has a key and a ledger behind it. After a crash or a loss it continues from what exists. An existing
    /// ledger keeps its width of an hour and its engine.
    ///
    /// # Errors
    /// Nothing is missing, what is there is damaged or in use, or the disk refuses.
    pub fn init(
        &self,
        engine: Engine,
        hour_width_ms: u64,
        random: &mut impl CryptoRng,
    ) -> Result<Made, HomeError> {
        self.check_finished()?;
        self.check_not_served()?;
        if let Some(host) = self.requested_host(engine)? {
            if self.sign_request()? {
                return Ok(Made { request: true, ..Made::nothing(host) });
            }
            return Err(HomeError::AlreadyMade(self.0.clone()));
        }
        make_private_dir(&self.0)?;
        // Opening in place writes, and what is there is to stay as it is.
        let found = self.look_at_ledger(engine, CREATION_CACHE_BYTES).map(|(ledger, _)| ledger);
        let (hour_width_ms, ledger) = match found {
            Err(HomeError::NoLedger(_)) => {
                let meta = new_meta(hour_width_ms, random);
                ledger::create(&self.ledger_path(), engine, CREATION_CACHE_BYTES, meta)
                    .map_err(HomeError::Ledger)?;
                (hour_width_ms, true)
            }
            found => (found?.meta().hour_width_ms, false),
        };
        let (signing_key, key) = match self.signing_key() {
            Err(HomeError::NoKey(_)) => (self.make_key(random)?, true),
            found => (found?, false),
        };
        make_private_dir(&self.certificates_path())?;
        let request = self.write_request(&signing_key, Duration::from_millis(hour_width_ms))?;
        Ok(Made { host: signing_key.public().host(), ledger, key, request })
    }

    /// The host, if it has a ledger on this engine, a key, and a request for that key. The ledger is not opened: that takes a copy,
    /// which is slow for a large one. The request is written last, so there was a whole ledger before it.
    fn requested_host(&self, engine: Engine) -> Result<Option<HostId>, HomeError> {
        let key = match self.signing_key() {
            Err(HomeError::NoKey(_)) => return Ok(None),
            key => key?.public(),
        };
        let has_ledger = matches!(Engine::of(&self.ledger_path()), Ok(Some(found)) if found == engine);
        let is_requested = self.written_request().is_some_and(|request| request.signing_key == key);
        Ok((has_ledger && is_requested).then(|| key.host()))
    }

    /// The signing key.
    ///
    /// # Errors
    /// There is none, or its file is damaged.
    pub fn signing_key(&self) -> Result<SecretKey, HomeError> {
        // Even if there is a key: a restore that was interrupted in its last step begins again and clears the directory.
        self.check_finished()?;
        let path = self.key_path();
        match regular::read(&path).map(Zeroizing::new) {
            Ok(text) => files::key_from_pem(HOST_SIGNING_KEY, &text).map_err(|found| match found {
                files::BadFile::Version(_) => {
                    let text = format!("the signing key {} is of a newer release", path.display());
                    FixableError::new(text, "run that release of kms-host, or a later one").into()
                }
                _ => HomeError::DamagedKey(self.clone()),
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(HomeError::NoKey(self.clone())),
            Err(error) => Err(HomeError::Unreadable(path, error)),
        }
    }

    /// Removes what killed commands have left here, such as half of a key. Returns the number of removed files.
    pub fn sweep(&self) -> usize {
        [&self.0, &self.certificates_path()].map(|folder| file::sweep_private(folder)).iter().sum()
    }

    /// The signing key, if others than its owner may read or write it.
    pub fn open_key(&self) -> Option<PathBuf> {
        let path = self.key_path();
        let is_open = std::fs::metadata(&path).is_ok_and(|found| found.mode() & 0o077 != 0);
        is_open.then_some(path)
    }

    /// The request for the vendor, signed even if its file is from an earlier release and is not. Nothing is written.
    ///
    /// # Errors
    /// There is no file, it or the signing key is damaged, or they cannot be read.
    pub fn request(&self) -> Result<String, HomeError> {
        // If there is no host at all, say that first.
        let key = self.signing_key()?;
        let path = self.request_path();
        let written = match regular::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(source) => return Err(HomeError::Unreadable(path, source)),
            Ok(text) => HostRequest::from_pem(&text).ok(),
        };
        let written = written.ok_or_else(|| HomeError::NoRequest(self.clone()))?;
        Ok(HostRequest::to_pem(&key, written.hour_width))
    }

    /// Signs a request that an earlier release has written, so that the administrator can send that file. Returns whether it
    /// was unsigned.
    ///
    /// # Errors
    /// The signing key is missing or damaged, or the file cannot be written.
    pub fn sign_request(&self) -> Result<bool, HomeError> {
        match self.written_request() {
            Some(written) if !written.is_signed => {
                self.write_request(&self.signing_key()?, written.hour_width)
            }
            _ => Ok(false),
        }
    }

    /// Opens the ledger. Only one process may. `progress` is called with the number of records that an upgrade of it has read.
    ///
    /// # Errors
    /// There is none, another host serves it, another engine keeps it, or it is damaged or of a newer release.
    pub fn ledger(
        &self,
        engine: Engine,
        cache_bytes: u64,
        progress: &dyn Fn(u64),
    ) -> Result<Arc<dyn Ledger>, HomeError> {
        let opened = ledger::open(&self.ledger_path(), engine, cache_bytes, progress);
        opened.map_err(|error| self.not_opened(error))
    }

    /// Opens a copy of the ledger for reading, and returns its format, too. Nothing is written, so a ledger of an earlier format
    /// is not upgraded.
    ///
    /// # Errors
    /// As [`Home::ledger`], and if there is no room for the copy.
    pub fn look_at_ledger(
        &self,
        engine: Engine,
        cache_bytes: u64,
    ) -> Result<(Arc<dyn Ledger>, u8), HomeError> {
        let opened = ledger::look(&self.ledger_path(), engine, cache_bytes);
        opened.map_err(|error| self.not_opened(error))
    }

    /// The whole rows of a damaged ledger, and its meta row. If that is lost, they become a new ledger. Nothing is written.
    ///
    /// # Errors
    /// A host serves it, there is none, nothing in it is whole, or the disk fails.
    pub fn salvage(&self, random: &mut impl CryptoRng) -> Result<(Meta, Salvaged), HomeError> {
        self.check_not_served()?;
        let path = self.ledger_path();
        let mut salvaged = ledger::salvage(&path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => HomeError::NoLedger(self.clone()),
            _ => HomeError::Unreadable(path.clone(), error),
        })?;
        if salvaged.rows.is_empty() && salvaged.meta.is_none() {
            let found = "nothing in it is whole".to_owned();
            return Err(HomeError::DamagedLedger(self.clone(), found));
        }
        let meta = salvaged.meta.unwrap_or_else(|| {
            salvaged.forget_fingerprints();
            new_meta(self.requested_hour_width_ms().unwrap_or(HOUR_MS), random)
        });
        Ok((meta, salvaged))
    }

    fn not_opened(&self, error: OpenError) -> HomeError {
        match error {
            OpenError::Missing { .. } => HomeError::NoLedger(self.clone()),
            OpenError::Store(store::OpenError::Locked { .. }) => HomeError::Served(self.0.clone()),
            OpenError::Store(store::OpenError::Damaged { found, .. }) => {
                HomeError::DamagedLedger(self.clone(), found)
            }
            OpenError::Damaged { .. } => {
                let found = "it does not say which one it is".to_owned();
                HomeError::DamagedLedger(self.clone(), found)
            }
            OpenError::Store(store::OpenError::OtherEngine { found, asked, .. }) => {
                HomeError::OtherEngine { path: self.ledger_path(), found, asked }
            }
            error => HomeError::Ledger(error),
        }
    }

    fn make_key(&self, random: &mut impl CryptoRng) -> Result<SecretKey, HomeError> {
        let seed = Zeroizing::new(random.random::<[u8; 32]>());
        let key = SecretKey::from_seed(&seed);
        self.set_certificates_aside(key.public().host())?;
        let pem = files::key_to_pem(HOST_SIGNING_KEY, &key);
        file::create_new(&self.key_path(), pem.as_bytes(), 0o600)?;
        Ok(key)
    }

    /// Moves certificates of a lost key away, because they would keep the new host from serving.
    fn set_certificates_aside(&self, host: HostId) -> Result<(), HomeError> {
        let folder = self.certificates_path();
        if !std::fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some()) {
            return Ok(());
        }
        let aside = self.0.join(format!("certificates-before-{host}"));
        std::fs::rename(&folder, &aside).map_err(|source| HomeError::Unwritable(aside, source))?;
        Ok(file::sync_dir(&self.0)?)
    }

    /// Writes the request unless it fits the key and the ledger already. Returns whether it has written.
    fn write_request(&self, key: &SecretKey, hour_width: Duration) -> Result<bool, HomeError> {
        let wanted = HostRequest { signing_key: key.public(), hour_width, is_signed: true };
        if self.written_request() == Some(wanted) {
            return Ok(false);
        }
        let pem = HostRequest::to_pem(key, hour_width);
        file::replace(&self.request_path(), pem.as_bytes(), 0o644)?;
        Ok(true)
    }

    fn written_request(&self) -> Option<HostRequest> {
        HostRequest::from_pem(&regular::read(&self.request_path()).ok()?).ok()
    }

    /// The width of an hour in the request to the vendor, if there is one: the same as in the ledger.
    pub(crate) fn requested_hour_width_ms(&self) -> Option<u64> {
        u64::try_from(self.written_request()?.hour_width.as_millis()).ok()
    }
}

/// Any hour but 3,600,000 ms is for tests: it needs test certificates.
///
/// # Errors
/// The hour is for tests, and a certificate is not.
pub fn check_hour_width(certificates: &Certificates, hour_width_ms: u64) -> Result<(), FixableError> {
    if hour_width_ms == HOUR_MS || certificates.all_test() {
        return Ok(());
    }
    let text = format!(
        "this ledger's hour is {hour_width_ms} ms long, which is for tests, and a certificate is not marked as test"
    );
    Err(FixableError::new(text, "make a host without --hour for it"))
}

fn new_meta(hour_width_ms: u64, random: &mut impl CryptoRng) -> Meta {
    Meta { ledger: LedgerId::from_bytes(random.random()), hour_width_ms, pepper: random.random() }
}

/// A signing key lives here.
fn make_private_dir(path: &Path) -> Result<(), HomeError> {
    file::make_private_dir(path).map_err(|source| HomeError::Unwritable(path.to_owned(), source))
}
