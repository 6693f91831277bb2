//! The data directory: the issuing key with its request and certificate, the pepper, the roots, the files of TLS, the settings, the
//! database.
//!
//! Each file is written whole and durably before it gets its name. A key or a pepper is never overwritten. `home/tls.rs` makes the
//! certificate that hosts and machines are shown, `home/codes.rs` has the key for codes, `home/backup.rs` copies all of it.

mod backup;
mod codes;
mod error;
mod tls;

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use proto::v1::Signed;
use rand::CryptoRng;
use server::fixable::FixableError;
use shared::armour;
use shared::certificate::Roots;
use shared::envelope::SecretKey;
use shared::files::{self, ISSUING_KEY, KeyRequest, RequestedKey};
use shared::time::Timestamp;
use store::{file, regular};
use zeroize::Zeroizing;

use crate::config::{self, PortalConfig, PortalSettingSources};
use crate::db::{Db, DbError};
use crate::issue::{Issuer, NotAnIssuer, Pepper};

pub use backup::{NewBackup, OpenedBackup, PortalFiles};
pub use codes::MadeCodeKey;
use error::how_to_bring_back;
pub use error::{PortalHomeError, Trouble};
pub use tls::TlsName;

/// A file that nobody but its owner reads.
const PRIVATE: u32 = 0o600;

/// A file without a secret.
const PUBLIC: u32 = 0o644;

/// The database, where it is SQLite.
const DATABASE: &str = "portal.db";

/// What [`PortalHome::init`] has made. Everything else existed and is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MadePortal {
    /// An issuing key. A certificate for an earlier one is of no use any more.
    pub key: bool,
    /// The request for the offline tool.
    pub request: bool,
    /// A database, which knows no keys.
    pub database: bool,
    /// The TLS certificate for the given names.
    pub tls: bool,
    /// An authority that has signed it.
    pub authority: bool,
}

impl MadePortal {
    /// Whether anything was made.
    pub fn is_something(&self) -> bool {
        *self != MadePortal::default()
    }
}

/// A certificate that is installed.
#[derive(Clone, Copy, Debug)]
pub struct InstalledCertificate<C> {
    /// The certificate.
    pub certificate: C,
    /// Whether it was not there before.
    pub is_new: bool,
}

/// A portal's data directory.
#[derive(Clone, Debug)]
pub struct PortalHome {
    data: PathBuf,
    /// The directory with the keys that sign and the pepper: another one where the setting `secrets` says so.
    secrets: PathBuf,
}

impl PortalHome {
    /// The directory at this path. It need not exist yet.
    pub fn at(path: impl Into<PathBuf>) -> PortalHome {
        let data = path.into();
        PortalHome { secrets: data.clone(), data }
    }

    /// This directory, with the secrets where these settings say.
    #[must_use]
    pub fn with_secrets(&self, config: &PortalConfig) -> PortalHome {
        // Joined with nothing, it is the directory itself; an absolute path replaces it.
        PortalHome { data: self.data.clone(), secrets: self.data.join(&config.secrets) }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.data
    }

    /// The request to carry to the offline tool.
    pub fn request_path(&self) -> PathBuf {
        self.data.join("issuing-request.pem")
    }

    /// The authority that products trust when they connect.
    pub fn authority_path(&self) -> PathBuf {
        self.data.join("portal-ca.pem")
    }

    /// The socket for staff.
    pub fn socket_path(&self) -> PathBuf {
        self.data.join("admin.sock")
    }

    /// The settings.
    pub fn config_path(&self) -> PathBuf {
        self.data.join(config::FILE_NAME)
    }

    /// The issuing key.
    pub fn key_path(&self) -> PathBuf {
        self.secrets.join("issuing.key")
    }

    fn certificate_path(&self) -> PathBuf {
        self.data.join("issuing.certificate")
    }

    fn roots_path(&self) -> PathBuf {
        self.data.join("roots.pub")
    }

    fn pepper_path(&self) -> PathBuf {
        self.secrets.join("pepper")
    }

    fn authority_key_path(&self) -> PathBuf {
        self.data.join("portal-ca.key")
    }

    fn database_path(&self) -> PathBuf {
        self.data.join(DATABASE)
    }

    /// Makes the missing parts of a portal. Key and request come last: where there is a key, there was everything else once, and what is
    /// missing then is lost.
    ///
    /// `roots` is the text of the vendor's `roots.pub`; it may be left out where the directory has it. `names` are those by which hosts
    /// and machines reach the portal.
    ///
    /// # Errors
    /// There is another vendor's portal, a part cannot be made anew without loss, or the disk refuses.
    pub async fn init(
        &self,
        roots: Option<&[u8]>,
        names: &[TlsName],
        now: Timestamp,
        random: &mut impl CryptoRng,
    ) -> Result<MadePortal, PortalHomeError> {
        self.check_finished()?;
        self.check_secrets()?;
        let roots = self.roots_for_init(roots)?;
        let old_key = self.key()?;
        if old_key.is_some() {
            self.check_nothing_is_lost()?;
        }
        self.check_tls(names)?;
        file::make_private_dir(&self.data)
            .map_err(|source| PortalHomeError::unwritable(&self.data, source))?;
        file::sweep_private(&self.data);
        if let Some(text) = roots {
            create(&self.roots_path(), &text, PUBLIC)?;
        }
        let pepper = self.make_pepper(random)?;
        let (authority, tls) = self.make_tls(names, now)?;
        // One in the data directory would go before the one that a package has installed below /etc.
        if PortalSettingSources::new(None, &self.data).file() == self.config_path()
            && !exists(&self.config_path())
        {
            create(&self.config_path(), config::sample().as_bytes(), PRIVATE)?;
        }
        let database = self.has_own_database() && !exists(&self.database_path());
        if database {
            self.make_database(&pepper).await?;
        }
        let (key, made_key) = match old_key {
            Some(key) => (key, false),
            None => (make_key(&self.key_path(), ISSUING_KEY, random)?, true),
        };
        let request = make_request(&self.request_path(), RequestedKey::Issuing, &key)?;
        Ok(MadePortal { key: made_key, request, database, tls, authority })
    }

    /// The text of `roots.pub` to write; none if it is there.
    fn roots_for_init(&self, given: Option<&[u8]>) -> Result<Option<Vec<u8>>, PortalHomeError> {
        let path = self.roots_path();
        match (given, exists(&path)) {
            (None, true) => Ok(None),
            (None, false) => Err(PortalHomeError::new(
                Trouble::Missing,
                FixableError::new(
                    format!("{} is missing", path.display()),
                    "name the vendor's root public keys with --roots: `roots.pub` in the directory of `kms-vendor`",
                ),
            )),
            (Some(given), is_there) => {
                let roots = parse_roots(given, &path)?;
                if is_there && self.roots()? != roots {
                    return Err(PortalHomeError::new(
                        Trouble::Exists,
                        FixableError::new(
                            format!("there is the portal of another vendor in {}", self.data.display()),
                            "choose another directory with --data, or the roots of this vendor with --roots",
                        ),
                    ));
                }
                Ok((!is_there).then(|| given.to_vec()))
            }
        }
    }

    /// Checks that the directory of the secrets exists. If it does not, the secrets are not lost, and new ones must not replace them.
    fn check_secrets(&self) -> Result<(), PortalHomeError> {
        if self.secrets == self.data || self.secrets.is_dir() {
            return Ok(());
        }
        Err(PortalHomeError::missing(&self.secrets, &self.data))
    }

    /// Neither pepper nor database can be made anew without loss: no key that was sold would be found.
    fn check_nothing_is_lost(&self) -> Result<(), PortalHomeError> {
        let database = self.has_own_database().then(|| self.database_path());
        for path in [Some(self.pepper_path()), database].into_iter().flatten() {
            if !exists(&path) {
                let text = format!(
                    "{} is missing, and keys that were sold are not found without it",
                    path.display()
                );
                let remedy = how_to_bring_back(&path, &self.data);
                return Err(PortalHomeError::new(Trouble::Missing, FixableError::new(text, remedy)));
            }
        }
        Ok(())
    }

    /// Whether the database is in this directory, as far as the settings can be read.
    fn has_own_database(&self) -> bool {
        let settings = PortalSettingSources::new(None, &self.data).read();
        settings.map_or(true, |settings| settings.config.database.is_empty())
    }

    fn make_pepper(&self, random: &mut impl CryptoRng) -> Result<Pepper, PortalHomeError> {
        let path = self.pepper_path();
        if !exists(&path) {
            let mut pepper = Zeroizing::new([0; Pepper::BYTES]);
            random.fill_bytes(&mut *pepper);
            create(&path, &*pepper, PRIVATE)?;
        }
        self.pepper()
    }

    /// Makes the database under another name, and gives it its own once it has its tables.
    async fn make_database(&self, pepper: &Pepper) -> Result<(), PortalHomeError> {
        let path = self.database_path();
        let draft = self.data.join("portal.db.new");
        for leftover in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(self.data.join(format!("portal.db.new{leftover}")));
        }
        let unwritable = |source| PortalHomeError::unwritable(&path, source);
        Db::create_sqlite(&draft).map_err(unwritable)?;
        let db = Db::open_sqlite(&draft).await?;
        db.is_for(pepper).await?;
        db.close().await;
        std::fs::File::open(&draft).and_then(|file| file.sync_all()).map_err(unwritable)?;
        std::fs::rename(&draft, &path).map_err(unwritable)?;
        file::sync_dir(&self.data).map_err(|source| PortalHomeError::unwritable(&self.data, source))
    }

    /// The vendor's root public keys.
    ///
    /// # Errors
    /// They are missing or damaged.
    pub fn roots(&self) -> Result<Roots, PortalHomeError> {
        let path = self.roots_path();
        let text = self.required(&path)?;
        parse_roots(&text, &path)
    }

    /// The pepper.
    ///
    /// # Errors
    /// It is missing or damaged.
    pub fn pepper(&self) -> Result<Pepper, PortalHomeError> {
        self.check_finished()?;
        let path = self.pepper_path();
        let bytes = Zeroizing::new(self.required(&path)?);
        let pepper: Result<[u8; Pepper::BYTES], _> = bytes.as_slice().try_into();
        pepper.map(|bytes| Pepper::new(Zeroizing::new(bytes))).map_err(|_| self.damaged(&path))
    }

    /// The issuing key, if there is one.
    fn key(&self) -> Result<Option<SecretKey>, PortalHomeError> {
        self.check_finished()?;
        self.private_key(&self.key_path(), ISSUING_KEY)
    }

    /// The issuing key with its certificate.
    ///
    /// # Errors
    /// One is missing or damaged, or they do not fit together.
    pub fn issuer(&self) -> Result<Issuer, PortalHomeError> {
        let path = self.certificate_path();
        let signed = match regular::read(&path) {
            Ok(text) => files::issuing_certificate_from_pem(&text).map_err(|_| self.damaged(&path)),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(self.without_certificate()),
            Err(error) => Err(PortalHomeError::unreadable(&path, error)),
        }?;
        self.issuer_with(signed, &path)
    }

    fn issuer_with(&self, signed: Signed, path: &Path) -> Result<Issuer, PortalHomeError> {
        let key = self.key()?.ok_or_else(|| PortalHomeError::missing(&self.key_path(), &self.data))?;
        Issuer::new(key, signed, &self.roots()?).map_err(|error| {
            let remedy = match error {
                NotAnIssuer::OtherKey => format!(
                    "if the key is another one by mistake, put the `issuing.key` of a backup in its place; otherwise run `kms-portal init \
                     --data {}`, which makes its request, {}",
                    self.data.display(),
                    self.how_to_install()
                ),
                NotAnIssuer::Certificate(_) => format!(
                    "install one that a root of {} has signed: {}",
                    self.roots_path().display(),
                    self.how_to_install()
                ),
            };
            let text = format!("{} cannot be used", path.display());
            PortalHomeError::new(Trouble::Data, FixableError::new(text, remedy).because(error))
        })
    }

    fn without_certificate(&self) -> PortalHomeError {
        let text = format!("no issuing certificate is installed in {}", self.data.display());
        PortalHomeError::new(Trouble::Missing, FixableError::new(text, self.how_to_install()))
    }

    fn how_to_install(&self) -> String {
        let (request, data) = (self.request_path(), self.data.display());
        let request = request.display();
        format!(
            "have the vendor's offline tool sign the request (`kms-vendor issuer sign --request {request} --out issuing.pem`), then \
             run `kms-portal install-issuer issuing.pem --data {data}`"
        )
    }

    /// Installs an issuing certificate for this portal's key, in the place of the one that is there. `anyway` is for one that may sign
    /// less than that.
    ///
    /// # Errors
    /// No root has signed it, it is for another key, cannot sign now or may sign less than the one that is there, or the disk refuses.
    pub fn install_issuer(
        &self,
        text: &[u8],
        from: &Path,
        now: Timestamp,
        anyway: bool,
    ) -> Result<InstalledCertificate<Issuer>, PortalHomeError> {
        let signed = files::issuing_certificate_from_pem(text).map_err(|cause| {
            let text = format!("{} cannot be installed", from.display());
            let error = FixableError::new(text, self.how_to_install()).because(cause.to_string());
            PortalHomeError::new(Trouble::Data, error)
        })?;
        let issuer = self.issuer_with(signed.clone(), from)?;
        let refused = |why: &str, remedy: &str| {
            let text = format!("{} {why}; the one that is installed stays", from.display());
            Err(PortalHomeError::new(Trouble::Data, FixableError::new(text, remedy)))
        };
        let new = issuer.certificate();
        if new.not_after <= now {
            return refused(&format!("has ended at {}", new.not_after), &self.how_to_install());
        }
        if now < new.not_before {
            let why =
                format!("is valid only from {} on, and until then nothing could be signed", new.not_before);
            return refused(&why, "install it then; if that is now, set the clock of this machine");
        }
        let replaced = self.issuer().ok();
        if replaced.as_ref().is_some_and(|old| old.certificate().id == new.id) {
            return Ok(InstalledCertificate { certificate: issuer, is_new: false });
        }
        let replaced = replaced.as_ref().map(Issuer::certificate).filter(|old| now < old.not_after);
        if let Some(less) = replaced.and_then(|old| old.loses(new))
            && !anyway
        {
            let remedy =
                "have it signed again as the one that is installed, or add --force if this is what you want";
            return refused(&format!("may sign less than the one that is installed: {less}"), remedy);
        }
        let pem = files::issuing_certificate_to_pem(&signed);
        replace(&self.certificate_path(), pem.as_bytes(), PUBLIC)?;
        Ok(InstalledCertificate { certificate: issuer, is_new: true })
    }

    /// Opens the database that the settings name.
    ///
    /// # Errors
    /// It is missing, belongs to a portal with another pepper, or cannot be used.
    pub async fn database(&self, config: &PortalConfig, pepper: &Pepper) -> Result<Db, PortalHomeError> {
        let db = if config.database.is_empty() {
            self.check_database()?;
            Db::open_sqlite(&self.database_path()).await?
        } else {
            Db::open_postgres(&config.database).await.map_err(unusable_server)?
        };
        if db.is_for(pepper).await? { Ok(db) } else { Err(self.other_pepper()) }
    }

    /// Looks at the database that the settings name, and says what is seen. Nothing is written.
    ///
    /// # Errors
    /// It is missing, belongs to a portal with another pepper, or cannot be used.
    pub async fn look_at_database(
        &self,
        config: &PortalConfig,
        is_served: bool,
    ) -> Result<&'static str, PortalHomeError> {
        let pepper = self.pepper();
        let (is_for, seen) = if config.database.is_empty() {
            self.check_database()?;
            let is_for = match &pepper {
                Ok(pepper) if !is_served => Db::sqlite_is_for(&self.database_path(), pepper).await,
                _ => None,
            };
            (is_for, "there")
        } else {
            let found = Db::postgres_is_for(&config.database, &pepper?).await;
            // A portal that serves tries again by itself.
            let unusable =
                |error| if is_served { PortalHomeError::from(error) } else { unusable_server(error) };
            let found = found.map_err(unusable)?;
            (
                found,
                if found.is_some() { "the server answers, and keeps what it acknowledges" } else { "new" },
            )
        };
        if is_for == Some(false) { Err(self.other_pepper()) } else { Ok(seen) }
    }

    fn other_pepper(&self) -> PortalHomeError {
        let text = format!(
            "the database belongs to a portal with another pepper than {}: no key that was sold would be found",
            self.pepper_path().display()
        );
        let remedy = "put that portal's `pepper` there. Another portal on the same database is made from a backup of that one, which is \
                      restored here";
        PortalHomeError::new(Trouble::Data, FixableError::new(text, remedy))
    }

    /// Looks whether the SQLite database is there. It is not opened: that would write.
    ///
    /// # Errors
    /// It is missing, or is something else.
    pub fn check_database(&self) -> Result<(), PortalHomeError> {
        const MAGIC: &[u8] = b"SQLite format 3\0";
        let path = self.database_path();
        let mut begins = Vec::new();
        let opened = regular::open(&path, OpenOptions::new().read(true));
        match opened.and_then(|file| file.take(16).read_to_end(&mut begins)) {
            Ok(_) if begins == MAGIC => Ok(()),
            Ok(_) => Err(self.damaged(&path)),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Err(PortalHomeError::missing(&path, &self.data))
            }
            Err(error) => Err(PortalHomeError::unreadable(&path, error)),
        }
    }

    /// Takes the directory for one portal, for as long as the file is open; none if another portal has it.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn hold(&self) -> Result<Option<File>, PortalHomeError> {
        let unreadable = |source| PortalHomeError::unreadable(&self.data, source);
        let directory = File::open(&self.data).map_err(|error| match error.kind() {
            ErrorKind::NotFound => PortalHomeError::missing(&self.data, &self.data),
            _ => unreadable(error),
        })?;
        match directory.try_lock() {
            Ok(()) => Ok(Some(directory)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(unreadable(source)),
        }
    }

    /// Files with secrets that others may read or write.
    pub fn open_secrets(&self) -> Vec<PathBuf> {
        let private = [
            self.key_path(),
            self.code_key_path(),
            self.pepper_path(),
            self.config_path(),
            self.database_path(),
            self.authority_key_path(),
            self.data.join(config::TLS_KEY),
        ];
        // Only in the data directory. The mode of a file that systemd has decrypted shows the mask of its access list.
        let is_open = |path: &PathBuf| {
            path.starts_with(&self.data)
                && std::fs::metadata(path).is_ok_and(|found| found.mode() & 0o077 != 0)
        };
        private.into_iter().filter(is_open).collect()
    }

    fn damaged(&self, path: &Path) -> PortalHomeError {
        PortalHomeError::damaged(path, &self.data)
    }

    fn private_key(&self, path: &Path, label: &'static str) -> Result<Option<SecretKey>, PortalHomeError> {
        match regular::read(path).map(Zeroizing::new) {
            Ok(text) => match files::key_from_pem(label, &text) {
                Ok(key) => Ok(Some(key)),
                Err(_) => Err(self.damaged(path)),
            },
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(PortalHomeError::unreadable(path, error)),
        }
    }

    fn required(&self, path: &Path) -> Result<Vec<u8>, PortalHomeError> {
        regular::read(path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => PortalHomeError::missing(path, &self.data),
            _ => PortalHomeError::unreadable(path, error),
        })
    }

    fn text(&self, path: &Path) -> Result<Zeroizing<String>, PortalHomeError> {
        let text = String::from_utf8(self.required(path)?).map_err(|_| self.damaged(path));
        text.map(Zeroizing::new)
    }
}

fn make_key(
    path: &Path,
    label: &'static str,
    random: &mut impl CryptoRng,
) -> Result<SecretKey, PortalHomeError> {
    let mut seed = Zeroizing::new([0; 32]);
    random.fill_bytes(&mut *seed);
    let key = SecretKey::from_seed(&seed);
    create(path, files::key_to_pem(label, &key).as_bytes(), PRIVATE)?;
    Ok(key)
}

/// Writes the request, unless there is one for this key.
fn make_request(path: &Path, of: RequestedKey, key: &SecretKey) -> Result<bool, PortalHomeError> {
    let written = regular::read(path).ok().and_then(|text| KeyRequest::from_pem(of, &text).ok());
    if written.is_some_and(|request| request.public_key == key.public()) {
        return Ok(false);
    }
    replace(path, KeyRequest::to_pem(of, key).as_bytes(), PUBLIC)?;
    Ok(true)
}

/// Until a portal serves, nothing tries again by itself.
fn unusable_server(error: DbError) -> PortalHomeError {
    if !matches!(error, DbError::Unavailable { .. }) {
        return error.into();
    }
    let remedy =
        "see that the server runs and that `database` in the settings names it, then start the portal again";
    let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    let error = FixableError::new("the database server cannot be reached", remedy).because(cause);
    PortalHomeError::new(Trouble::Disk, error)
}

fn create(path: &Path, bytes: &[u8], mode: u32) -> Result<(), PortalHomeError> {
    file::create_new(path, bytes, mode).map_err(|source| PortalHomeError::unwritable(path, source))
}

fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<(), PortalHomeError> {
    file::replace(path, bytes, mode).map_err(|source| PortalHomeError::unwritable(path, source))
}

fn parse_roots(text: &[u8], path: &Path) -> Result<Roots, PortalHomeError> {
    let text = armour::plain(text).ok();
    let roots = text.and_then(|text| files::roots_from_text(&text));
    let roots = roots.and_then(|roots| Roots::new(roots.iter().map(<[u8; 32]>::as_slice)).ok());
    roots.ok_or_else(|| PortalHomeError::roots(path))
}

/// Whether something stands there, even a link into the void.
fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}
